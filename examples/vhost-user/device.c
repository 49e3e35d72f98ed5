/* SPDX-License-Identifier: BSD-3-Clause */
/* A device on a socket: options -> what the front end's side tells -> start -> end. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

#define DEVICE_LINGER 50U /* us */

/* ---- options ---- */

enum { CHOICE_SOCKET = 1 };

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
    {.name = "threads",
     .type = OPTION_FLAG,
     .offset = offsetof(struct device_options, threads),
     .help =
         "blk, and net --loop: each queue, or pair, on a thread of its own, which never lingers"},
};
const size_t device_row_count = sizeof device_rows / sizeof device_rows[0];

/* ---- what the front end's side tells ---- */

static void device_report(void *ctx, enum avps_vu_level level, const char *line)
{
    const struct device *device = ctx;

    host_say(&device->program->host, level == AVPS_VU_ERROR ? LOG_ERROR : LOG_INFO, "%s", line);
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

/* ---- threads ---- */

void device_pause(struct device *device)
{
    if (device->vu != NULL) {
        avps_vu_pause(device->vu);
    }
}

void device_resume(struct device *device)
{
    if (device->vu != NULL) {
        (void)avps_vu_resume(device->vu);
    }
}

static void threads_op_pause(void *ctx)
{
    device_pause(ctx);
}

static bool threads_op_resume(void *ctx)
{
    const struct device *device = ctx;

    return device->vu != NULL && avps_vu_resume(device->vu);
}

static enum avps_poll_result device_poll_queue(void *ctx, uint16_t queue)
{
    const struct device *device = ctx;

    return host_device_poll_queue(device->host, queue);
}

static enum avps_status threads_make(struct device *device, uint32_t count,
                                     struct avps_posix_error *error)
{
    struct host_threads *threads = &device->threads;

    threads->workers = calloc(count, sizeof *threads->workers);
    for (; threads->workers != NULL && threads->count < count; threads->count++) {
        if (avps_posix_worker_init(&threads->workers[threads->count], &device->program->loop) !=
            AVPS_OK) {
            return host_fail(error, AVPS_E_IO, "--threads: no thread: %s", strerror(errno));
        }
    }
    return threads->workers != NULL ? AVPS_OK
                                    : host_fail(error, AVPS_E_NOSPACE, "not enough memory");
}

static enum avps_status start_threads(struct device *device, struct avps_posix_error *error)
{
    const struct host_kind *kind = device->host->kind;

    if (!device->options.threads) {
        return AVPS_OK;
    }
    if (kind->shares == NULL) {
        return host_fail(error, AVPS_E_PARAM, "--threads: the device has no queues to share out");
    }
    const uint32_t count = kind->shares(device->host, error);
    const enum avps_status status = count != 0U ? threads_make(device, count, error) : AVPS_E_PARAM;

    device->threads.pause = threads_op_pause;
    device->threads.resume = threads_op_resume;
    device->threads.ctx = device;
    device->host->threads = &device->threads;
    return status;
}

static void end_threads(struct device *device)
{
    for (uint16_t i = 0; i < device->threads.count; i++) {
        avps_posix_worker_end(&device->threads.workers[i]);
    }
    free(device->threads.workers);
}

/* ---- start ---- */

struct device *device_new(struct program *program, const struct host_kind *kind)
{
    struct device *device = calloc(1, sizeof *device);

    if (device == NULL) {
        return NULL;
    }
    device->host = host_device_new(&program->host, kind);
    if (device->host == NULL) {
        free(device);
        return NULL;
    }
    (void)snprintf(device->host->name, sizeof device->host->name, "%s%u", kind->name,
                   program->device_count);
    device->program = program;
    device->options.linger_us = DEVICE_LINGER;
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
                   : host_fail(error, status, "descriptor %u is no Unix stream socket",
                               device->options.fd);
    }
    status = avps_vu_listen(device->vu, path);
    if (status == AVPS_E_PARAM) {
        return host_fail(error, status, "the socket path is empty or longer than 107 bytes");
    }
    if (status != AVPS_OK && errno == EADDRINUSE) {
        return host_fail(error, status,
                         "%s is in use: another program listens there, or it is no socket", path);
    }
    return status == AVPS_OK
               ? AVPS_OK
               : host_fail(error, status, "cannot listen on %s: %s", path, strerror(errno));
}

static enum avps_status start_served(struct device *device, struct avps_posix_error *error)
{
    const struct avps_vu_config config = {
        .device = device->host->base,
        .loop = &device->program->loop,
        .runner = &device->host->runner,
        .name = device->host->label,
        .report = device_report,
        .disconnected = device_disconnected,
        .ctx = device,
        .busy_poll = device->options.poll,
        .linger_us = device->options.linger_us,
        .workers = device->threads.workers,
        .worker_count = device->threads.count,
        .poll_queue = device_poll_queue,
    };

    if (avps_vu_new(&config, &device->vu) != AVPS_OK) {
        return host_fail(error, AVPS_E_NOSPACE, "not enough memory");
    }
    host_device_ready(device->host);
    return start_socket(device, error);
}

static void device_name(struct device *device)
{
    struct host_device *host = device->host;

    if (device->options.socket != NULL) {
        (void)snprintf(host->label, sizeof host->label, "%s %s", host->kind->name,
                       device->options.socket);
    } else {
        (void)snprintf(host->label, sizeof host->label, "%s fd %u", host->kind->name,
                       device->options.fd);
    }
}

enum avps_status device_start(struct device *device, struct avps_posix_error *error)
{
    struct host_device *host = device->host;

    device_name(device);
    host->loop = &device->program->loop;
    host->busy_poll = device->options.poll;
    avps_vu_no_memory(&host->mem);
    enum avps_status status = start_threads(device, error);
    status = status == AVPS_OK ? host_device_open(host, error) : status;
    status = status == AVPS_OK ? start_served(device, error) : status;
    if (status == AVPS_OK) {
        host_say(&device->program->host, LOG_INFO, "%s: ready", host->label);
    }
    return status;
}

/* ---- end ---- */

bool device_end(struct device *device)
{
    avps_vu_free(device->vu);
    device->vu = NULL;
    const bool is_well = host_device_free(device->host);
    end_threads(device);
    free(device);
    return is_well;
}
