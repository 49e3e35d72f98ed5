/* SPDX-License-Identifier: BSD-3-Clause */
/* What all devices do alike: kinds -> options -> log and errors -> configuration -> what they tell ->
 * open and ready -> free. */
#include "host.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICE_EVENT_NS UINT64_C(1000000000) /* at least between two lines that a guest can cause */

/* ---- kinds ---- */

const struct host_kind *const host_kinds[] = {&blk_kind, &net_kind, &console_kind,
                                              &rng_kind, &i2c_kind, &vsock_kind};
const size_t host_kind_count = sizeof host_kinds / sizeof host_kinds[0];

const struct host_kind *host_kind_find(const char *name)
{
    for (size_t i = 0; i < host_kind_count; i++) {
        if (strcmp(host_kinds[i]->name, name) == 0) {
            return host_kinds[i];
        }
    }
    return NULL;
}

/* ---- options ---- */

enum { CHOICE_RING = 1 };

const struct option host_device_rows[] = {
    {.name = "packed",
     .type = OPTION_FLAG,
     .offset = offsetof(struct host_device_options, packed),
     .choice = CHOICE_RING,
     .help = "offer packed rings beside split ones"},
    {.name = "split",
     .type = OPTION_FLAG,
     .offset = offsetof(struct host_device_options, split),
     .choice = CHOICE_RING,
     .help = "offer split rings only (the default)"},
    {.name = "queue-size",
     .value = "N",
     .type = OPTION_NUMBER,
     .offset = offsetof(struct host_device_options, queue_size),
     .min = 2,
     .max = 32768,
     .help = "longest ring a driver may choose, a power of two (1024)"},
};
const size_t host_device_row_count = sizeof host_device_rows / sizeof host_device_rows[0];

/* ---- log and errors ---- */

void host_say(const struct host *host, enum host_log level, const char *format, ...)
{
    char text[512];
    va_list values;

    va_start(values, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start is just above */
    (void)vsnprintf(text, sizeof text, format, values);
    va_end(values);
    host->say(host->say_ctx, level, text);
}

enum avps_status host_fail(struct avps_posix_error *error, enum avps_status status,
                           const char *format, ...)
{
    va_list values;

    va_start(values, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start is just above */
    (void)vsnprintf(error->text, sizeof error->text, format, values);
    va_end(values);
    return status;
}

/* ---- configuration ---- */

struct avps_device_config host_device_base(struct host_device *device, struct avps_queue *queues,
                                           uint16_t count)
{
    struct avps_device_config base = {
        .mem = &device->mem,
        .port = &device->runner.port,
        .queues = queues,
        .queue_count = count,
        .queue_size_max = (uint16_t)device->options.queue_size,
        .withhold = device->withhold,
        .access_platform = device->access_platform,
    };

    /* Some front ends (User-mode Linux 6.1) take them and cannot handle them: only when asked for. */
    if (!device->options.packed) {
        avps_features_add(&base.withhold, AVPS_F_RING_PACKED);
    }
    return base;
}

/* ---- what they tell ---- */

/* With threads, workers go on with what is left. */
static enum avps_poll_result device_poll(void *ctx)
{
    struct host_device *device = ctx;
    const struct host_threads *threads = device->threads;

    if (threads == NULL) {
        return avps_posix_turn_poll(&device->turn, device->base);
    }
    threads->pause(threads->ctx);
    const enum avps_poll_result result = avps_posix_turn_poll(&device->turn, device->base);

    return threads->resume(threads->ctx) ? AVPS_POLL_IDLE : result;
}

enum avps_poll_result host_device_poll_queue(struct host_device *device, uint16_t queue)
{
    return avps_posix_turn_poll_queue(&device->turns[queue], device->base, queue);
}

void host_device_pause(struct host_device *device)
{
    if (device->threads != NULL) {
        device->threads->pause(device->threads->ctx);
    }
}

void host_device_resume(struct host_device *device)
{
    if (device->threads != NULL) {
        (void)device->threads->resume(device->threads->ctx);
    }
}

struct avps_posix_loop *host_device_loop(const struct host_device *device, uint32_t share)
{
    const struct host_threads *threads = device->threads;

    return threads != NULL && share < threads->count ? &threads->workers[share].loop : device->loop;
}

/* A guest can cause these as often as it likes. */
static bool device_may_speak(struct host_device *device)
{
    const uint64_t now = avps_posix_now_ns();

    if (device->event_ns != 0U && now - device->event_ns < DEVICE_EVENT_NS) {
        return false;
    }
    device->event_ns = now;
    return true;
}

static void device_event(void *ctx, enum avps_event code, uint64_t a, uint64_t b)
{
    struct host_device *device = ctx;

    (void)pthread_mutex_lock(&device->event_mutex);
    avps_stats_note(&device->events, code, a, b);
    const bool speaks = code == AVPS_EVENT_DEVICE_FAULT && device_may_speak(device);
    (void)pthread_mutex_unlock(&device->event_mutex);
    if (speaks) {
        host_say(device->host, LOG_ERROR, "%s: the driver broke a rule (%s): needs a reset",
                 device->label, avps_status_name((enum avps_status)(-(int)a)));
    }
}

/* ---- open and ready ---- */

struct host_device *host_device_new(struct host *host, const struct host_kind *kind)
{
    struct host_device *device = calloc(1, sizeof *device);

    if (device == NULL) {
        return NULL;
    }
    device->own = calloc(1, kind->size);
    if (device->own == NULL) {
        free(device);
        return NULL;
    }
    device->host = host;
    device->kind = kind;
    device->options.queue_size = 1024;
    (void)pthread_mutex_init(&device->event_mutex, NULL);
    device->given =
        (struct option_group){.rows = kind->rows, .count = kind->row_count, .target = device->own};
    device->common = (struct option_group){
        .rows = host_device_rows, .count = host_device_row_count, .target = &device->options};
    return device;
}

/* A platform's budget is the most. */
static void device_init_turn(struct host_device *device)
{
    const uint32_t most =
        device->planned != NULL ? device->planned->budget : device->kind->turn_most;
    const uint32_t least = device->kind->turn_least;

    avps_posix_turn_init(&device->turn, least < most ? least : most, most);
    for (uint32_t i = 0; i < HOST_QUEUES; i++) {
        device->turns[i] = device->turn;
    }
}

enum avps_status host_device_open(struct host_device *device, struct avps_posix_error *error)
{
    const struct avps_posix_runner_config runner = {.loop = device->loop,
                                                    .poll = device_poll,
                                                    .event = device_event,
                                                    .ctx = device,
                                                    .workers = device->threads != NULL};
    const uint32_t size = device->options.queue_size;

    if ((size & (size - 1U)) != 0U) {
        return host_fail(error, AVPS_E_PARAM, "--queue-size takes a power of two, not %u", size);
    }
    device_init_turn(device);
    const enum avps_status status = avps_posix_runner_init(&device->runner, &runner);
    return status == AVPS_OK ? device->kind->open(device, error) : status;
}

enum avps_status host_device_keeps_promise(const struct host_device *device,
                                           struct avps_posix_error *error)
{
    const char *missing =
        device->planned != NULL ? avps_platform_missing(device->planned, device->base) : NULL;

    return missing == NULL
               ? AVPS_OK
               : host_fail(error, AVPS_E_UNSUPPORTED,
                           "the platform file promises the feature %s, which what %s is connected "
                           "to, or its transport, cannot give",
                           missing, device->label);
}

void host_device_ready(struct host_device *device)
{
    if (device->kind->ready != NULL) {
        device->kind->ready(device);
    }
}

struct avps_stats_device host_device_stats(const struct host_device *device)
{
    return (struct avps_stats_device){device->name, device->base, &device->events};
}

void host_device_wake(struct host_device *device)
{
    avps_posix_runner_wake(&device->runner);
}

/* ---- free ---- */

bool host_device_free(struct host_device *device)
{
    const bool is_well = device->kind->close(device);

    if (!is_well) {
        host_say(device->host, LOG_ERROR, "%s: the last writes may be lost", device->label);
    }
    if (device->runner.config.loop != NULL) {
        avps_posix_runner_stop(&device->runner);
    }
    (void)pthread_mutex_destroy(&device->event_mutex);
    free(device->own);
    free(device);
    return is_well;
}
