/* SPDX-License-Identifier: BSD-3-Clause */
/* Reports of devices (port/common/include/avps_common/stats.h) from several sources, shown as a table.
 * Reading a report (report.c), sources (source.c), the table (screen.c). What a source says is not
 * trusted: it may be cut, nonsense or endless. */
#ifndef TOP_H
#define TOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define TOP_DEVICES 64U
#define TOP_QUEUES  32U   /* of one device that are shown one by one */
#define TOP_NAME    40U   /* characters of a name, the end included */
#define TOP_LINE    1024U /* longest line that is looked at */
#define TOP_SOURCES 16U

/* ---- reports ---- */

/* What is read of a device and of its queues; see field_names in report.c. */
enum top_field {
    TOP_ID,
    TOP_STATUS,
    TOP_FAULTS,
    TOP_RESETS,
    TOP_BAD_ACCESSES,
    TOP_NEEDS_RESET,
    TOP_FAULT_ADDR,
    TOP_FAULT_ACCESS,
    TOP_FAULT_DESC,
    TOP_FAULT_SIZE,
    TOP_FAULT_PROTOCOL,
    TOP_DEVICE_FIELDS, /* from here on of a queue, or the sum over a device's queues */
    TOP_KICKS = TOP_DEVICE_FIELDS,
    TOP_CHAINS,
    TOP_INTERRUPTS,
    TOP_BYTES_READ,
    TOP_WRITTEN,
    TOP_LATE,
    TOP_PORT_ERRORS,
    TOP_FIELDS
};

struct top_queue {
    uint64_t number;
    uint64_t value[TOP_FIELDS];
};

struct top_device {
    char name[TOP_NAME];
    uint64_t value[TOP_FIELDS];
    struct top_queue queues[TOP_QUEUES];
    uint32_t queue_count;
    char event[TOP_NAME]; /* code of its last event; "": none */
};

struct top_report {
    struct top_device devices[TOP_DEVICES];
    uint32_t count;
    uint64_t at_ns; /* when its end came */
};

/* Take in one line. @return true: it was the end of a report. Lines of another kind are passed over,
 * also in front of a report's words: a console's prefix. */
bool report_line(struct top_report *report, const char *line);

/* The device of this name, or NULL. */
const struct top_device *report_find(const struct top_report *report, const char *name);

/* ---- sources ---- */

/* A Unix socket that gives a report to whoever connects, or a stream that goes on: a socket or FIFO
 * of a console, a growing log, standard input. */
struct top_source {
    const char *label; /* "": none */
    const char *path;  /* "-": standard input */
    int fd;            /* -1: not connected */
    bool is_stream;
    bool ended; /* a stream that will give nothing more */
    char line[TOP_LINE];
    size_t used;
    const char *problem;       /* NULL: none */
    struct top_report *next;   /* being read */
    struct top_report *now;    /* the last whole one; at_ns 0: none yet */
    struct top_report *before; /* the one before */
};

/* "path" or "label=path". @return false: no memory. */
bool source_init(struct top_source *source, char *argument);
void source_free(struct top_source *source);

/* Ask for a report: connect if it is not connected. */
void source_ask(struct top_source *source);

/* Bytes are there. */
void source_read(struct top_source *source);

/* ---- table ---- */

/* Counts per second between two reports; 0 without an earlier one, or when it began anew. */
uint64_t top_rate(uint64_t now, uint64_t before, uint64_t ns);

/* A count in at most five characters: 999, 12.3k, 4567M. */
void top_short(char text[8], uint64_t value);

/* The state that a device status stands for. */
const char *top_state(uint64_t status);

void screen_print(FILE *out, const struct top_source *sources, uint32_t count, bool queues);

#endif
