/* SPDX-License-Identifier: BSD-3-Clause */
/* What all devices do alike: options -> errors -> configuration -> what they tell -> start -> end. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

#define DEVICE_LINGER   50U                  /* us */
#define DEVICE_EVENT_NS UINT64_C(1000000000) /* at least between two lines that a guest can cause */

/* ---- options ---- */

enum { CHOICE_SOCKET = 1, CHOICE_RING };

const struct option device_rows[] = {
    {.name = "socket",
     .value = "PATH",
     .type = OPTION_TEXT,
     .offset = offsetof(struct device_options, socket),
     .choice = CHOICE_SOCKET,
     .must = true,
     .help = "listen for front ends on this Unix socket"},
    {.name = "fd",
     .value = "N",
     .type = OPTION_NUMBER,
     .offset = offsetof(struct device_options, fd),
     .min = 3,
     .max = 65535,
     .choice = CHOICE_SOCKET,
     .must = true,
     .help = "the same on an inherited descriptor (socket activation: 3)"},
    {.name = "poll",
     .type = OPTION_FLAG,
     .offset = offsetof(struct device_options, poll),
     .help = "busy polling: less delay, a processor for itself"},
    {.name = "linger",
     .value = "US",
     .type = OPTION_NUMBER,
     .offset = offsetof(struct device_options, linger_us),
     .max = 1000000,
     .help = "poll on for up to so many microseconds after work; 0: never (50)"},
    {.name = "packed",
     .type = OPTION_FLAG,
     .offset = offsetof(struct device_options, packed),
     .choice = CHOICE_RING,
     .help = "offer packed rings beside split ones"},
    {.name = "split",
     .type = OPTION_FLAG,
     .offset = offsetof(struct device_options, split),
     .choice = CHOICE_RING,
     .help = "offer split rings only (the default)"},
    {.name = "queue-size",
     .value = "N",
     .type = OPTION_NUMBER,
     .offset = offsetof(struct device_options, queue_size),
     .min = 2,
     .max = 32768,
     .help = "longest ring a driver may choose, a power of two (1024)"},
};
const size_t device_row_count = sizeof device_rows / sizeof device_rows[0];

/* ---- errors ---- */

enum avps_status device_fail(struct avps_posix_error *error, enum avps_status status,
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

struct avps_device_config device_base(struct device *device, struct avps_queue *queues,
                                      uint16_t count)
{
    struct avps_device_config base = {
        .mem = &device->mem,
        .port = &device->runner.port,
        .queues = queues,
        .queue_count = count,
        .queue_size_max = (uint16_t)device->options.queue_size,
    };

    /* Some front ends (User-mode Linux 6.1) take them and cannot handle them: only when asked for. */
    if (!device->options.packed) {
        avps_features_add(&base.withhold, AVPS_F_RING_PACKED);
    }
    return base;
}

/* ---- what they tell ---- */

static enum avps_poll_result device_poll(void *ctx)
{
    struct device *device = ctx;

    return avps_posix_turn_poll(&device->turn, device->base);
}

/* A guest can cause these as often as it likes. */
static bool device_may_speak(struct device *device)
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
    struct device *device = ctx;

    (void)b;
    if (code == AVPS_EVENT_DEVICE_FAULT && device_may_speak(device)) {
        program_say(device->program, LOG_ERROR, "%s: the driver broke a rule (%s): needs a reset",
                    device->label, avps_status_name((enum avps_status)(-(int)a)));
    }
}

static void device_report(void *ctx, enum avps_vu_level level, const char *line)
{
    const struct device *device = ctx;

    program_say(device->program, level == AVPS_VU_ERROR ? LOG_ERROR : LOG_INFO, "%s", line);
}

static void device_disconnected(void *ctx)
{
    struct device *device = ctx;
    struct program *program = device->program;

    if (!program->stopping) {
        if (program->once) {
            program_stop(program);
        }
        return;
    }
    device->gone = true;
    for (uint32_t i = 0; i < program->device_count; i++) {
        if (!program->devices[i]->gone) {
            return;
        }
    }
    avps_posix_loop_stop(&program->loop);
}

/* ---- start ---- */

struct device *device_new(struct program *program, const struct device_kind *kind)
{
    struct device *device = calloc(1, sizeof *device);

    if (device == NULL) {
        return NULL;
    }
    device->own = calloc(1, kind->size);
    if (device->own == NULL) {
        free(device);
        return NULL;
    }
    device->program = program;
    device->kind = kind;
    device->options.queue_size = 1024;
    device->options.linger_us = DEVICE_LINGER;
    device->given =
        (struct option_group){.rows = kind->rows, .count = kind->row_count, .target = device->own};
    device->common = (struct option_group){
        .rows = device_rows, .count = device_row_count, .target = &device->options};
    return device;
}

static enum avps_status start_socket(struct device *device, struct avps_posix_error *error)
{
    const char *path = device->options.socket;
    enum avps_status status = AVPS_OK;

    if (path == NULL) {
        status = avps_vu_adopt(device->vu, (int)device->options.fd);
        return status == AVPS_OK
                   ? AVPS_OK
                   : device_fail(error, status, "descriptor %u is no Unix stream socket",
                                 device->options.fd);
    }
    status = avps_vu_listen(device->vu, path);
    if (status == AVPS_E_PARAM) {
        return device_fail(error, status, "the socket path is empty or longer than 107 bytes");
    }
    if (status != AVPS_OK && errno == EADDRINUSE) {
        return device_fail(error, status,
                           "%s is in use: another program listens there, or it is no socket", path);
    }
    return status == AVPS_OK
               ? AVPS_OK
               : device_fail(error, status, "cannot listen on %s: %s", path, strerror(errno));
}

static enum avps_status start_served(struct device *device, struct avps_posix_error *error)
{
    const struct avps_vu_config config = {
        .device = device->base,
        .loop = &device->program->loop,
        .runner = &device->runner,
        .name = device->label,
        .report = device_report,
        .disconnected = device_disconnected,
        .ctx = device,
        .busy_poll = device->options.poll,
        .linger_us = device->options.linger_us,
    };

    if (avps_vu_new(&config, &device->vu) != AVPS_OK) {
        return device_fail(error, AVPS_E_NOSPACE, "not enough memory");
    }
    if (device->kind->ready != NULL) {
        device->kind->ready(device);
    }
    return start_socket(device, error);
}

static void device_name(struct device *device)
{
    if (device->options.socket != NULL) {
        (void)snprintf(device->label, sizeof device->label, "%s %s", device->kind->name,
                       device->options.socket);
    } else {
        (void)snprintf(device->label, sizeof device->label, "%s fd %u", device->kind->name,
                       device->options.fd);
    }
}

enum avps_status device_start(struct device *device, struct avps_posix_error *error)
{
    const struct avps_posix_runner_config runner = {
        .loop = &device->program->loop, .poll = device_poll, .event = device_event, .ctx = device};
    const uint32_t size = device->options.queue_size;
    enum avps_status status = AVPS_OK;

    device_name(device);
    if ((size & (size - 1U)) != 0U) {
        return device_fail(error, AVPS_E_PARAM, "--queue-size takes a power of two, not %u", size);
    }
    avps_vu_no_memory(&device->mem);
    avps_posix_turn_init(&device->turn, device->kind->turn_least, device->kind->turn_most);
    status = avps_posix_runner_init(&device->runner, &runner);
    status = status == AVPS_OK ? device->kind->open(device, error) : status;
    status = status == AVPS_OK ? start_served(device, error) : status;
    if (status == AVPS_OK) {
        program_say(device->program, LOG_INFO, "%s: ready", device->label);
    }
    return status;
}

/* ---- end ---- */

bool device_end(struct device *device)
{
    bool is_well = true;

    avps_vu_free(device->vu);
    if (!device->kind->close(device)) {
        program_say(device->program, LOG_ERROR, "%s: the last writes may be lost", device->label);
        is_well = false;
    }
    if (device->runner.config.loop != NULL) {
        avps_posix_runner_stop(&device->runner);
    }
    free(device->own);
    free(device);
    return is_well;
}
