/* SPDX-License-Identifier: BSD-3-Clause */
/* avps-vhost-user: libavps devices for vhost-user front ends. Command line -> running -> ending -> main. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "program.h"

#define PROGRAM_PATIENCE UINT64_C(10000000000) /* ns for requests in flight at the end */

/* ---- command line ---- */

static const struct option program_rows[] = {
    {.name = "stats",
     .value = "PATH",
     .type = OPTION_TEXT,
     .offset = offsetof(struct program, stats_path),
     .help = "serve counters and events on this Unix socket, for avps-top"},
    {.name = "once",
     .type = OPTION_FLAG,
     .offset = offsetof(struct program, once),
     .help = "end when the first front end leaves"},
};

static struct host_device *program_device(void *ctx, const struct host_kind *kind, void **target)
{
    struct program *program = ctx;
    struct device *device = device_new(program, kind);

    if (device == NULL) {
        return NULL;
    }
    program->devices[program->device_count++] = device;
    *target = &device->options;
    return device->host;
}

/* ---- running ---- */

static void program_pause(struct program *program)
{
    if (program->paused) {
        return;
    }
    program->paused = true;
    for (uint32_t i = 0; i < program->device_count; i++) {
        device_pause(program->devices[i]);
    }
    avps_posix_task_defer(&program->resume);
}

static void program_resume(void *ctx)
{
    struct program *program = ctx;

    program->paused = false;
    for (uint32_t i = 0; i < program->device_count; i++) {
        device_resume(program->devices[i]);
    }
}

/* They are read until the end of this round of the loop. */
static uint32_t program_devices(void *ctx, struct avps_stats_device *devices, uint32_t most)
{
    struct program *program = ctx;
    uint32_t count = 0;

    program_pause(program);
    while (count < program->device_count && count < most) {
        devices[count] = host_device_stats(program->devices[count]->host);
        count++;
    }
    return count;
}

static bool program_serve_stats(struct program *program)
{
    const struct avps_posix_stats_config config = {.path = program->stats_path,
                                                   .loop = &program->loop,
                                                   .devices = program_devices,
                                                   .ctx = program};
    struct avps_posix_error error = {{0}};

    if (program->stats_path == NULL ||
        avps_posix_stats_open(&config, &program->stats, &error) == AVPS_OK) {
        return true;
    }
    (void)fprintf(stderr, PROGRAM_NAME ": --stats: %s\n", error.text);
    return false;
}

static bool program_start(struct program *program)
{
    for (uint32_t i = 0; i < program->device_count; i++) {
        struct avps_posix_error error = {{0}};

        if (device_start(program->devices[i], &error) != AVPS_OK) {
            (void)fprintf(stderr, PROGRAM_NAME ": %s: %s\n", program->devices[i]->host->kind->name,
                          error.text);
            return false;
        }
    }
    return program_serve_stats(program);
}

static void program_each(struct program *program, bool reload)
{
    for (uint32_t i = 0; i < program->device_count; i++) {
        struct host_device *device = program->devices[i]->host;
        void (*call)(struct host_device *) = reload ? device->kind->reload : device->kind->resized;

        if (call != NULL) {
            call(device);
        }
    }
}

static void program_signal(void *ctx, int signo)
{
    struct program *program = ctx;

    switch (signo) {
    case SIGHUP:
        program_each(program, true);
        break;
    case SIGWINCH:
        program_each(program, false);
        break;
    default:
        program_stop(program);
        break;
    }
}

static void program_out_of_patience(void *ctx)
{
    struct program *program = ctx;

    program->failed = true;
    avps_posix_loop_stop(&program->loop);
}

void program_stop(struct program *program)
{
    if (program->stopping) {
        return;
    }
    program->stopping = true;
    avps_posix_timer_set(&program->patience, avps_posix_now_ns() + PROGRAM_PATIENCE);
    for (uint32_t i = 0; i < program->device_count; i++) {
        avps_vu_stop(program->devices[i]->vu);
    }
}

static void program_stop_asked(void *ctx)
{
    program_stop(ctx);
}

static bool program_init(struct program *program)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGWINCH};

    if (avps_posix_loop_init(&program->loop) != AVPS_OK ||
        avps_posix_signals_init(&program->signals, &program->loop, signals,
                                sizeof signals / sizeof signals[0], program_signal,
                                program) != AVPS_OK) {
        (void)fprintf(stderr, PROGRAM_NAME ": cannot start: %s\n", strerror(errno));
        return false;
    }
    avps_posix_task_init(&program->resume, &program->loop, program_resume, program);
    avps_posix_timer_init(&program->patience, &program->loop, program_out_of_patience, program);
    return true;
}

static int program_run(struct program *program)
{
    if (!program_start(program)) {
        return EXIT_START;
    }
    if (avps_posix_loop_run(&program->loop) != AVPS_OK) {
        host_say(&program->host, LOG_ERROR, "cannot wait for events: %s", strerror(errno));
        return EXIT_RUN;
    }
    return EXIT_WELL;
}

/* ---- ending ---- */

/* Memory that requests in flight may still be written to must not go away: then the process ends as
 * it is. */
static void program_give_up(const struct program *program)
{
    host_say(&program->host, LOG_ERROR,
             "requests are still in flight after 10 seconds: ending without them");
    _exit(EXIT_RUN);
}

static int program_end(struct program *program, int status)
{
    if (program->failed) {
        program_give_up(program);
    }
    avps_posix_stats_close(program->stats);
    for (uint32_t i = program->device_count; i > 0U; i--) {
        if (!device_end(program->devices[i - 1U])) {
            status = EXIT_RUN;
        }
    }
    host_switches_free(&program->host);
    avps_posix_signals_free(&program->signals);
    avps_posix_loop_free(&program->loop);
    return status;
}

/* ---- main ---- */

int main(int argc, char **argv)
{
    static struct program program;
    static struct command command = {
        .name = PROGRAM_NAME,
        .about = "Serves virtio devices to vhost-user front ends: QEMU, User-mode Linux, DPDK.",
        .device_usage = "--socket PATH ",
        .rows = program_rows,
        .row_count = sizeof program_rows / sizeof program_rows[0],
        .target = &program,
        .device_rows = device_rows,
        .needs_device = true,
        .device = program_device,
        .ctx = &program,
        .level = LOG_INFO,
    };

    command.device_row_count = device_row_count;
    program.host = (struct host){
        .say = command_say, .say_ctx = &command, .stop = program_stop_asked, .stop_ctx = &program};
    if (!program_init(&program)) {
        return EXIT_START;
    }
    switch (command_read(&command, argv + 1, argc > 1 ? (size_t)argc - 1U : 0U)) {
    case COMMAND_RUN:
        return program_end(&program, program_run(&program));
    case COMMAND_DONE:
        return program_end(&program, EXIT_WELL);
    case COMMAND_WRONG:
    default:
        return program_end(&program, EXIT_USAGE);
    }
}
