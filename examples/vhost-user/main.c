/* SPDX-License-Identifier: BSD-3-Clause */
/* avps-vhost-user: libavps devices for vhost-user front ends. Log -> help -> command line ->
 * running -> ending -> main. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "program.h"

#define PROGRAM_PATIENCE UINT64_C(10000000000) /* ns for requests in flight at the end */

/* ---- log ---- */

static void program_say(void *ctx, enum host_log level, const char *line)
{
    const struct program *program = ctx;

    if (level > program->log) {
        return;
    }
    /* a terminal may be in raw mode */
    (void)fprintf(stderr, PROGRAM_NAME ": %s%s", line, isatty(STDERR_FILENO) ? "\r\n" : "\n");
}

/* ---- help ---- */

/* What stands before the devices, or among the options of any of them. */
struct global_options {
    bool help;
    bool version;
    bool list;
    bool once;
    const char *log;
    const char *stats;
};

static const struct option global_rows[] = {
    {.name = "help",
     .type = OPTION_FLAG,
     .offset = offsetof(struct global_options, help),
     .help = "this text; behind a device: its options"},
    {.name = "list",
     .type = OPTION_FLAG,
     .offset = offsetof(struct global_options, list),
     .help = "the devices with their virtio ids"},
    {.name = "version",
     .type = OPTION_FLAG,
     .offset = offsetof(struct global_options, version),
     .help = "versions of the program and of VIRTIO"},
    {.name = "log",
     .value = "LEVEL",
     .type = OPTION_TEXT,
     .offset = offsetof(struct global_options, log),
     .help = "what goes to standard error: none, error, or info (info)"},
    {.name = "stats",
     .value = "PATH",
     .type = OPTION_TEXT,
     .offset = offsetof(struct global_options, stats),
     .help = "serve counters and events on this Unix socket, for avps-top"},
    {.name = "once",
     .type = OPTION_FLAG,
     .offset = offsetof(struct global_options, once),
     .help = "end when the first front end leaves"},
};
static const size_t global_row_count = sizeof global_rows / sizeof global_rows[0];

static void print_list(void)
{
    for (size_t i = 0; i < host_kind_count; i++) {
        (void)printf("%-8s %2u  %s\n", host_kinds[i]->name, host_kinds[i]->id,
                     host_kinds[i]->summary);
    }
}

static void print_help(void)
{
    (void)puts("usage: " PROGRAM_NAME " [OPTION...] DEVICE OPTION... [+ DEVICE OPTION...]...\n"
               "Serves virtio devices to vhost-user front ends: QEMU, User-mode Linux, DPDK.\n\n"
               "devices (" PROGRAM_NAME " DEVICE --help tells more), with virtio ids:");
    print_list();
    (void)puts("\noptions:");
    options_help(stdout, global_rows, global_row_count);
}

static void print_kind_help(const struct host_kind *kind)
{
    (void)printf("usage: " PROGRAM_NAME " %s --socket PATH OPTION...\n%s (virtio device %u)\n\n",
                 kind->name, kind->summary, kind->id);
    options_help(stdout, kind->rows, kind->row_count);
    (void)puts("\nas for every device:");
    options_help(stdout, device_rows, device_row_count);
    options_help(stdout, host_device_rows, host_device_row_count);
    (void)puts("\nof the program:");
    options_help(stdout, global_rows, global_row_count);
}

static void print_version(void)
{
    (void)printf(PROGRAM_NAME " %d.%d.%d (VIRTIO %d.%d)\n", AVPS_VERSION_MAJOR, AVPS_VERSION_MINOR,
                 AVPS_VERSION_PATCH, AVPS_VIRTIO_REVISION >> 8, AVPS_VIRTIO_REVISION & 0xff);
}

/* ---- command line ---- */

enum command { COMMAND_RUN, COMMAND_DONE, COMMAND_WRONG };

static enum command command_wrong(const char *device, const char *line)
{
    (void)fprintf(stderr, PROGRAM_NAME ": %s%s%s (see " PROGRAM_NAME " %s%s--help)\n", device,
                  device[0] != '\0' ? ": " : "", line, device, device[0] != '\0' ? " " : "");
    return COMMAND_WRONG;
}

static bool set_log(struct program *program, const char *level)
{
    static const char *const names[] = {"none", "error", "info"};

    for (int i = LOG_NONE; i <= LOG_INFO; i++) {
        if (strcmp(level, names[i]) == 0) {
            program->log = (enum host_log)i;
            return true;
        }
    }
    return false;
}

static enum command apply_globals(struct program *program, const struct global_options *globals)
{
    if (globals->log != NULL && !set_log(program, globals->log)) {
        return command_wrong("", "--log takes none, error or info");
    }
    program->once = globals->once;
    program->stats_path = globals->stats;
    if (globals->version) {
        print_version();
        return COMMAND_DONE;
    }
    if (globals->list) {
        print_list();
        return COMMAND_DONE;
    }
    if (globals->help) {
        print_help();
        return COMMAND_DONE;
    }
    return COMMAND_RUN;
}

/* Whether --help is among a device's arguments: then nothing else matters. */
static bool wants_help(char *const *arguments, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(arguments[i], "--help") == 0) {
            return true;
        }
    }
    return false;
}

/* One device: its name, then its options. */
static enum command command_device(struct program *program, char *const *arguments, size_t count)
{
    const struct host_kind *kind = host_kind_find(arguments[0]);
    struct option_line line;

    if (kind == NULL) {
        (void)options_fail(&line, "there is no device '%s'", arguments[0]);
        return command_wrong("", line.text);
    }
    if (wants_help(arguments, count)) {
        print_kind_help(kind);
        return COMMAND_DONE;
    }
    if (program->device_count == HOST_DEVICES) {
        return command_wrong("", "there are too many devices for one program");
    }
    struct device *device = device_new(program, kind);
    if (device == NULL) {
        return command_wrong(kind->name, "not enough memory");
    }
    program->devices[program->device_count++] = device;
    struct option_group groups[] = {device->host->given, device->host->common, device->served,
                                    program->globals};
    const bool is_well = options_parse(groups, 4, arguments + 1, count - 1U, &line);

    device->host->given = groups[0];
    device->host->common = groups[1];
    device->served = groups[2];
    program->globals = groups[3];
    return is_well ? COMMAND_RUN : command_wrong(kind->name, line.text);
}

/* Arguments up to the next "+", or the end. */
static size_t part_length(char *const *arguments, size_t count)
{
    size_t length = 0;

    while (length < count && strcmp(arguments[length], "+") != 0) {
        length++;
    }
    return length;
}

static enum command command_devices(struct program *program, char *const *arguments, size_t count)
{
    size_t at = 0;

    while (at < count) {
        const size_t length = part_length(arguments + at, count - at);
        const enum command command = length != 0U
                                         ? command_device(program, arguments + at, length)
                                         : command_wrong("", "a + stands between two devices");

        if (command != COMMAND_RUN) {
            return command;
        }
        at += length + 1U;
    }
    return at == count + 1U ? COMMAND_RUN : command_wrong("", "a + stands between two devices");
}

/* Options before the first device. */
static size_t global_length(char *const *arguments, size_t count)
{
    size_t at = 0;

    while (at < count && strncmp(arguments[at], "--", 2) == 0) {
        const bool takes_next =
            strcmp(arguments[at], "--log") == 0 || strcmp(arguments[at], "--stats") == 0;

        at += takes_next && at + 1U < count ? 2U : 1U;
    }
    return at;
}

static enum command command_line(struct program *program, char *const *arguments, size_t count)
{
    struct global_options globals = {0};
    struct option_line line;
    const size_t length = global_length(arguments, count);
    enum command command = COMMAND_RUN;

    program->globals =
        (struct option_group){.rows = global_rows, .count = global_row_count, .target = &globals};
    if (!options_parse(&program->globals, 1, arguments, length, &line)) {
        return command_wrong("", line.text);
    }
    command = apply_globals(program, &globals);
    if (command == COMMAND_RUN && length == count) {
        return command_wrong("", "no device is named");
    }
    if (command == COMMAND_RUN) {
        command = command_devices(program, arguments + length, count - length);
    }
    return command == COMMAND_RUN ? apply_globals(program, &globals) : command;
}

/* ---- running ---- */

static uint32_t program_devices(void *ctx, struct avps_stats_device *devices, uint32_t most)
{
    const struct program *program = ctx;
    uint32_t count = 0;

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
    static struct program program = {.log = LOG_INFO};

    program.host = (struct host){.say = program_say, .stop = program_stop_asked, .ctx = &program};

    if (!program_init(&program)) {
        return EXIT_START;
    }
    switch (command_line(&program, argv + 1, argc > 1 ? (size_t)argc - 1U : 0U)) {
    case COMMAND_RUN:
        return program_end(&program, program_run(&program));
    case COMMAND_DONE:
        return program_end(&program, EXIT_WELL);
    case COMMAND_WRONG:
    default:
        return program_end(&program, EXIT_USAGE);
    }
}
