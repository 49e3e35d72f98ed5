/* SPDX-License-Identifier: BSD-3-Clause */
/* avps-xen: libavps devices for guests of Xen. Log -> help -> command line -> tool stack -> Xen ->
 * main. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <xentoollog.h>

#include "program.h"

/* ---- log ---- */

static void program_say(void *ctx, enum host_log level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)fprintf(stderr, PROGRAM_NAME ": %s\n", line);
}

/* ---- help ---- */

struct global_options {
    bool help;
    const char *trees;
    const char *platform;
    const char *guest;
    struct option_list connections;
};

static const struct option global_rows[] = {
    {.name = "help",
     .type = OPTION_FLAG,
     .offset = offsetof(struct global_options, help),
     .help = "this text"},
    {.name = "trees",
     .value = "FOLDER",
     .type = OPTION_TEXT,
     .offset = offsetof(struct global_options, trees),
     .help = "write FOLDER/GUEST.dtb for each guest: its device_tree, for all devices but the one "
             "that the tool stack announces"},
    {.name = "platform",
     .value = "FILE",
     .type = OPTION_TEXT,
     .offset = offsetof(struct global_options, platform),
     .help = "a compiled platform file says which devices there are; in place of devices here"},
    {.name = "guest",
     .value = "NAME",
     .type = OPTION_TEXT,
     .offset = offsetof(struct global_options, guest),
     .needs = "platform",
     .help = "the guest of it that is served (the only one)"},
    {.name = "connect",
     .value = "NAME=HOW",
     .type = OPTION_TEXTS,
     .offset = offsetof(struct global_options, connections),
     .needs = "platform",
     .help = "what is behind a resource of it, in its device's options: data=file=disk.img,direct"},
};
static const size_t global_row_count = sizeof global_rows / sizeof global_rows[0];

static void print_help(void)
{
    (void)puts(
        "usage: " PROGRAM_NAME " [OPTION...] DEVICE OPTION... [+ DEVICE OPTION...]...\n"
        "Serves virtio devices to guests of Xen, as `xl create` starts them. Each guest has one\n"
        "disk in its configuration, by which it is announced; FILE has to exist, no more:\n"
        "  disk = ['format=raw,vdev=xvda,access=rw,backendtype=standalone,"
        "specification=virtio,target=FILE']\n\noptions:");
    options_help(stdout, global_rows, global_row_count);
    (void)puts("\nof every device:");
    options_help(stdout, plan_rows, plan_row_count);
    options_help(stdout, host_device_rows, host_device_row_count);
    for (size_t i = 0; i < host_kind_count; i++) {
        (void)printf("\nof %s, %s:\n", host_kinds[i]->name, host_kinds[i]->summary);
        options_help(stdout, host_kinds[i]->rows, host_kinds[i]->row_count);
    }
}

/* ---- command line ---- */

static bool command_wrong(const char *line)
{
    (void)fprintf(stderr, PROGRAM_NAME ": %s (see " PROGRAM_NAME " --help)\n", line);
    return false;
}

/* Options before the first device; all but --help have a value. */
static size_t global_length(char *const *arguments, size_t count)
{
    size_t at = 0;

    while (at < count && strncmp(arguments[at], "--", 2) == 0) {
        at += strcmp(arguments[at], "--help") == 0 || strchr(arguments[at], '=') != NULL ? 1U : 2U;
    }
    return at < count ? at : count;
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

static bool command_devices(struct program *program, char *const *arguments, size_t count)
{
    struct option_line line;

    for (size_t at = 0; at <= count;) {
        const size_t length = part_length(arguments + at, count - at);

        if (length == 0U) {
            return command_wrong("a device is named at the end, and on both sides of a +");
        }
        if (!plan_add(&program->plan, &program->host, arguments + at, length, &line)) {
            return command_wrong(line.text);
        }
        at += length + 1U;
    }
    return true;
}

static bool command_platform(struct program *program, const struct global_options *globals)
{
    struct avps_posix_error error = {{0}};

    return plan_add_platform(&program->plan, globals->platform, globals->guest,
                             &globals->connections, &error) == AVPS_OK ||
           command_wrong(error.text);
}

static bool command_line(struct program *program, struct global_options *globals,
                         char *const *arguments, size_t count)
{
    struct option_group group = {.rows = global_rows, .count = global_row_count, .target = globals};
    const size_t length = global_length(arguments, count);
    struct option_line line;

    if (!options_parse(&group, 1, arguments, length, &line)) {
        return command_wrong(line.text);
    }
    if (globals->help) {
        return true;
    }
    if (globals->platform == NULL) {
        return command_devices(program, arguments + length, count - length);
    }
    return length == count ? command_platform(program, globals)
                           : command_wrong("with --platform no device is named here");
}

/* ---- tool stack ---- */

static void program_arrived(void *ctx, const struct store_guest *guest)
{
    domain_open(ctx, guest);
}

static void program_leaving(void *ctx, uint32_t domain, uint32_t device)
{
    domain_leave(ctx, domain, device);
}

static const struct store_ops program_store_ops = {.arrived = program_arrived,
                                                   .leaving = program_leaving};

static void program_stop(void *ctx)
{
    struct program *program = ctx;

    program->stopping = true;
    domain_leave_all(program);
}

static void program_signal(void *ctx, int signo)
{
    (void)signo;
    program_stop(ctx);
}

/* ---- Xen ---- */

static bool program_fails(const char *what)
{
    (void)fprintf(stderr, PROGRAM_NAME ": %s: %s\n", what, strerror(errno));
    return false;
}

static bool program_open_xen(struct program *program)
{
    program->quiet =
        (struct xentoollog_logger *)xtl_createlogger_stdiostream(stderr, XTL_CRITICAL, 0);
    program->model = xendevicemodel_open(NULL, 0);
    program->memory = xenforeignmemory_open(NULL, 0);
    program->grants = xengnttab_open(program->quiet, 0);
    if (program->model == NULL || program->memory == NULL) {
        return program_fails("not in a control domain of Xen, or without the module xen-privcmd");
    }
    if (program->grants == NULL) {
        return program_fails("no grant tables, for want of the module xen-gntdev");
    }
    program->store = store_open(&program->loop, &program_store_ops, program);
    return program->store != NULL || program_fails("no xenstore");
}

static void program_close_xen(struct program *program)
{
    store_close(program->store);
    if (program->grants != NULL) {
        (void)xengnttab_close(program->grants);
    }
    if (program->memory != NULL) {
        (void)xenforeignmemory_close(program->memory);
    }
    if (program->model != NULL) {
        (void)xendevicemodel_close(program->model);
    }
    xtl_logger_destroy(program->quiet);
}

static bool program_write_trees(const struct program *program, const char *folder)
{
    struct avps_posix_error error = {{0}};

    if (folder == NULL || tree_write_all(&program->plan, folder, store_own_domain(program->store),
                                         &error) == AVPS_OK) {
        return true;
    }
    host_say(&program->host, LOG_ERROR, "%s", error.text);
    return false;
}

/* ---- main ---- */

static bool program_init_loop(struct program *program)
{
    static const int signals[] = {SIGTERM, SIGINT};

    return (avps_posix_loop_init(&program->loop) == AVPS_OK &&
            avps_posix_signals_init(&program->signals, &program->loop, signals,
                                    sizeof signals / sizeof signals[0], program_signal,
                                    program) == AVPS_OK) ||
           program_fails("cannot start");
}

static int program_run(struct program *program, const char *trees)
{
    int status = EXIT_START;

    if (program_open_xen(program) && program_write_trees(program, trees)) {
        host_say(&program->host, LOG_INFO, "waiting for guests");
        status = avps_posix_loop_run(&program->loop) == AVPS_OK && !program->failed ? EXIT_WELL
                                                                                    : EXIT_RUN;
    }
    program_close_xen(program);
    host_switches_free(&program->host);
    host_platform_free(program->plan.platform);
    return status;
}

int main(int argc, char **argv)
{
    static struct program program;
    struct global_options globals = {0};

    program.host = (struct host){.say = program_say, .stop = program_stop, .stop_ctx = &program};
    if (!command_line(&program, &globals, argv + 1, argc > 1 ? (size_t)argc - 1U : 0U)) {
        return EXIT_USAGE;
    }
    if (globals.help) {
        print_help();
        return EXIT_WELL;
    }
    if (!program_init_loop(&program)) {
        return EXIT_START;
    }
    const int status = program_run(&program, globals.trees);

    avps_posix_signals_free(&program.signals);
    avps_posix_loop_free(&program.loop);
    return status;
}
