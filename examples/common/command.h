/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line of a program with devices, and its log:
 *
 *     PROGRAM [OPTION...] DEVICE OPTION... [+ DEVICE OPTION...]...
 *
 * Every program has --help, --list, --version and --log; what else there is, it says by tables. */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "host.h"
#include "options.h"

enum command_result {
    COMMAND_RUN,  /* all is read */
    COMMAND_DONE, /* something was printed: that was all */
    COMMAND_WRONG /* a line about it was printed */
};

/* What stands before the devices, or among the options of any of them. */
struct command_options {
    bool help;
    bool version;
    bool list;
    const char *log;
};

struct command {
    const char *name;          /* of the program */
    const char *about;         /* a line of what it does */
    const char *device_usage;  /* what every device needs, for help */
    const struct option *rows; /* options of the program; --kernel and the like */
    size_t row_count;
    void *target;
    const struct option *device_rows; /* options of every device, beside those of host.h */
    size_t device_row_count;
    bool needs_device; /* none is an error */
    /* A device is named. @param[out] target  Of device_rows. @return NULL: not enough memory. */
    struct host_device *(*device)(void *ctx, const struct host_kind *kind, void **target);
    void *ctx;

    struct option_group program; /* which rows were given */
    struct option_group own;
    struct command_options options;
    size_t devices;
    enum host_log level; /* of the log */
};

/* Read all; the first part of `command` is filled in. */
enum command_result command_read(struct command *command, char *const *arguments, size_t count);

/* Print what is wrong with a device ("" for the program), and where help is. */
enum command_result command_wrong(const struct command *command, const char *device,
                                  const char *line);

/* A line of the log (struct host); ctx is the struct command. */
void command_say(void *ctx, enum host_log level, const char *line);

#endif
