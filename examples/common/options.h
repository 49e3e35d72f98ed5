/* SPDX-License-Identifier: BSD-3-Clause */
/* Command line by table: rows say what there is, a group says where the values go.
 *
 *     static const struct option rows[] = {
 *         {.name = "file", .value = "IMG", .type = OPTION_TEXT, .offset = offsetof(struct x, file),
 *          .choice = 1, .must = true, .help = "file that holds the disk"},
 *         ...
 *     };
 *     struct option_group group = {.rows = rows, .count = 2, .target = &x};
 *     options_parse(&group, 1, argv, argc, &line);   // one line about what is wrong
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OPTION_LINE 320U
#define OPTION_LIST 16U

/* How a value is read, and the type at `offset`. */
enum option_type {
    OPTION_FLAG,     /* bool: true */
    OPTION_TEXT,     /* const char *: the argument itself */
    OPTION_NUMBER,   /* uint32_t, min..max, decimal or 0x */
    OPTION_OPTIONAL, /* the same, but the value may be left out: --name or --name=N */
    OPTION_SIZE,     /* uint64_t bytes, min..max, with K, M, G or T */
    OPTION_MAC,      /* uint8_t[6]: 52:54:00:12:34:56, no group address */
    OPTION_TEXTS     /* struct option_list: may be given several times */
};

struct option_list {
    const char *items[OPTION_LIST];
    uint32_t count;
};

struct option {
    const char *name;  /* without the dashes */
    const char *value; /* what help calls the value; NULL for a flag */
    enum option_type type;
    size_t offset;       /* in the group's target */
    uint64_t min;        /* numbers */
    uint64_t max;        /* numbers */
    unsigned int choice; /* not 0: rows of the same choice exclude each other */
    bool must;           /* has to be given; with a choice: one of it */
    const char *needs;   /* makes sense beside this option only */
    const char *help;
};

/* Rows, where their values go, and which were given (bit of the row's index). */
struct option_group {
    const struct option *rows;
    size_t count; /* at most 32 */
    void *target;
    uint32_t given;
};

/* What is wrong, for a person, without newline. */
struct option_line {
    char text[OPTION_LINE];
};

/* Read `count` arguments. @return whether all is well; else *line says what is not. */
bool options_parse(struct option_group *groups, size_t group_count, char *const *arguments,
                   size_t count, struct option_line *line);

/* Whether the option of this name was given. */
bool options_given(const struct option_group *group, const char *name);

/* Whether `text` is an option of one of the groups whose value is the next argument. */
bool options_need_next(const struct option_group *groups, size_t group_count, const char *text);

/* The decimal or 0x number that `text` begins with, 1..max. @return what is behind it; NULL: none. */
const char *options_number(const char *text, uint64_t max, uint32_t *number);

/* One line per row. */
void options_help(FILE *out, const struct option *rows, size_t count);

/* Fill in a line; @return false, for a return statement. */
__attribute__((format(printf, 2, 3))) bool options_fail(struct option_line *line,
                                                        const char *format, ...);

#endif
