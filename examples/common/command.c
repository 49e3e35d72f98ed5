/* SPDX-License-Identifier: BSD-3-Clause */
/* Command lines with devices: log -> help -> options of the program -> devices -> all of it. */
#include "command.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "avps/avps.h"

/* ---- log ---- */

void command_say(void *ctx, enum host_log level, const char *line)
{
    const struct command *command = ctx;

    if (level > command->level) {
        return;
    }
    /* a terminal may be in raw mode */
    (void)fprintf(stderr, "%s: %s%s", command->name, line,
                  isatty(STDERR_FILENO) != 0 ? "\r\n" : "\n");
}

/* ---- help ---- */

static const struct option own_rows[] = {
    {.name = "help",
     .type = OPTION_FLAG,
     .offset = offsetof(struct command_options, help),
     .help = "this text; behind a device: its options"},
    {.name = "list",
     .type = OPTION_FLAG,
     .offset = offsetof(struct command_options, list),
     .help = "the devices with their virtio ids"},
    {.name = "version",
     .type = OPTION_FLAG,
     .offset = offsetof(struct command_options, version),
     .help = "versions of the program and of VIRTIO"},
    {.name = "log",
     .value = "LEVEL",
     .type = OPTION_TEXT,
     .offset = offsetof(struct command_options, log),
     .help = "what goes to standard error: none, error, or info (info)"},
};
static const size_t own_row_count = sizeof own_rows / sizeof own_rows[0];

static void print_list(void)
{
    for (size_t i = 0; i < host_kind_count; i++) {
        (void)printf("%-8s %2u  %s\n", host_kinds[i]->name, host_kinds[i]->id,
                     host_kinds[i]->summary);
    }
}

static void print_options(const struct command *command)
{
    options_help(stdout, own_rows, own_row_count);
    options_help(stdout, command->rows, command->row_count);
}

static void print_help(const struct command *command)
{
    (void)printf("usage: %s [OPTION...] DEVICE OPTION... [+ DEVICE OPTION...]...\n%s\n\n"
                 "devices (%s DEVICE --help tells more), with virtio ids:\n",
                 command->name, command->about, command->name);
    print_list();
    (void)puts("\noptions:");
    print_options(command);
}

static void print_kind_help(const struct command *command, const struct host_kind *kind)
{
    (void)printf("usage: %s %s %sOPTION...\n%s (virtio device %u)\n\n", command->name, kind->name,
                 command->device_usage, kind->summary, kind->id);
    options_help(stdout, kind->rows, kind->row_count);
    (void)puts("\nas for every device:");
    options_help(stdout, command->device_rows, command->device_row_count);
    options_help(stdout, host_device_rows, host_device_row_count);
    (void)puts("\nof the program:");
    print_options(command);
}

static void print_version(const struct command *command)
{
    (void)printf("%s %d.%d.%d (VIRTIO %d.%d)\n", command->name, AVPS_VERSION_MAJOR,
                 AVPS_VERSION_MINOR, AVPS_VERSION_PATCH, AVPS_VIRTIO_REVISION >> 8,
                 AVPS_VIRTIO_REVISION & 0xff);
}

/* ---- options of the program ---- */

enum command_result command_wrong(const struct command *command, const char *device,
                                  const char *line)
{
    (void)fprintf(stderr, "%s: %s%s%s (see %s %s%s--help)\n", command->name, device,
                  device[0] != '\0' ? ": " : "", line, command->name, device,
                  device[0] != '\0' ? " " : "");
    return COMMAND_WRONG;
}

static bool set_level(struct command *command, const char *level)
{
    static const char *const names[] = {"none", "error", "info"};

    for (int i = LOG_NONE; i <= LOG_INFO; i++) {
        if (strcmp(level, names[i]) == 0) {
            command->level = (enum host_log)i;
            return true;
        }
    }
    return false;
}

static enum command_result apply_own(struct command *command)
{
    const struct command_options *options = &command->options;

    if (options->log != NULL && !set_level(command, options->log)) {
        return command_wrong(command, "", "--log takes none, error or info");
    }
    if (options->version) {
        print_version(command);
        return COMMAND_DONE;
    }
    if (options->list) {
        print_list();
        return COMMAND_DONE;
    }
    if (options->help) {
        print_help(command);
        return COMMAND_DONE;
    }
    return COMMAND_RUN;
}

/* ---- devices ---- */

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

static enum command_result read_options(struct command *command, struct host_device *device,
                                        void *target, char *const *arguments, size_t count)
{
    struct option_group groups[] = {
        device->given,
        device->common,
        {.rows = command->device_rows, .count = command->device_row_count, .target = target},
        command->program,
        command->own};
    struct option_line line;
    const bool is_well = options_parse(groups, 5, arguments, count, &line);

    device->given = groups[0];
    device->common = groups[1];
    command->program = groups[3];
    command->own = groups[4];
    return is_well ? COMMAND_RUN : command_wrong(command, device->kind->name, line.text);
}

/* One device: its name, then its options. */
static enum command_result read_device(struct command *command, char *const *arguments,
                                       size_t count)
{
    const struct host_kind *kind = host_kind_find(arguments[0]);
    struct option_line line;
    void *target = NULL;

    if (kind == NULL) {
        (void)options_fail(&line, "there is no device '%s'", arguments[0]);
        return command_wrong(command, "", line.text);
    }
    if (wants_help(arguments, count)) {
        print_kind_help(command, kind);
        return COMMAND_DONE;
    }
    if (command->devices == HOST_DEVICES) {
        return command_wrong(command, "", "there are too many devices for one program");
    }
    struct host_device *device = command->device(command->ctx, kind, &target);
    if (device == NULL) {
        return command_wrong(command, kind->name, "not enough memory");
    }
    command->devices++;
    return read_options(command, device, target, arguments + 1, count - 1U);
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

static enum command_result read_devices(struct command *command, char *const *arguments,
                                        size_t count)
{
    size_t at = 0;

    while (at < count) {
        const size_t length = part_length(arguments + at, count - at);
        const enum command_result result =
            length != 0U ? read_device(command, arguments + at, length)
                         : command_wrong(command, "", "a + stands between two devices");

        if (result != COMMAND_RUN) {
            return result;
        }
        at += length + 1U;
    }
    return at == count + 1U ? COMMAND_RUN
                            : command_wrong(command, "", "a + stands between two devices");
}

/* ---- all of it ---- */

/* Options before the first device. */
static size_t program_length(const struct option_group *groups, size_t group_count,
                             char *const *arguments, size_t count)
{
    size_t at = 0;

    while (at < count && strncmp(arguments[at], "--", 2) == 0) {
        at += options_need_next(groups, group_count, arguments[at]) && at + 1U < count ? 2U : 1U;
    }
    return at;
}

enum command_result command_read(struct command *command, char *const *arguments, size_t count)
{
    struct option_group groups[] = {
        {.rows = command->rows, .count = command->row_count, .target = command->target},
        {.rows = own_rows, .count = own_row_count, .target = &command->options}};
    const size_t length = program_length(groups, 2, arguments, count);
    struct option_line line;

    if (!options_parse(groups, 2, arguments, length, &line)) {
        return command_wrong(command, "", line.text);
    }
    command->program = groups[0];
    command->own = groups[1];
    enum command_result result = apply_own(command);
    if (result == COMMAND_RUN && length == count) {
        return command->needs_device ? command_wrong(command, "", "no device is named")
                                     : COMMAND_RUN;
    }
    if (result == COMMAND_RUN) {
        result = read_devices(command, arguments + length, count - length);
    }
    return result == COMMAND_RUN ? apply_own(command) : result;
}
