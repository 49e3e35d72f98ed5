/* SPDX-License-Identifier: BSD-3-Clause */
/* Words and fields of a line -> devices of a report -> lines. */
#include <stdlib.h>
#include <string.h>

#include "top.h"

/* ---- words and fields ---- */

static const char *const field_names[TOP_FIELDS] = {
    [TOP_ID] = "id",
    [TOP_STATUS] = "status",
    [TOP_FAULTS] = "faults",
    [TOP_RESETS] = "resets",
    [TOP_BAD_ACCESSES] = "bad_accesses",
    [TOP_NEEDS_RESET] = "needs_reset",
    [TOP_FAULT_ADDR] = "fault_addr",
    [TOP_FAULT_ACCESS] = "fault_access",
    [TOP_FAULT_DESC] = "fault_desc",
    [TOP_FAULT_SIZE] = "fault_size",
    [TOP_FAULT_PROTOCOL] = "fault_protocol",
    [TOP_KICKS] = "kicks",
    [TOP_CHAINS] = "chains",
    [TOP_INTERRUPTS] = "interrupts",
    [TOP_BYTES_READ] = "bytes_read",
    [TOP_WRITTEN] = "written",
    [TOP_LATE] = "late",
    [TOP_PORT_ERRORS] = "port_errors",
};

/* Behind " name=" in a line; NULL: no such field. */
static const char *field_text(const char *line, const char *name)
{
    const size_t length = strlen(name);
    const char *at = line;

    for (;;) {
        at = strchr(at, ' ');
        if (at == NULL) {
            return NULL;
        }
        at++;
        if (strncmp(at, name, length) == 0 && at[length] == '=') {
            return at + length + 1U;
        }
    }
}

static uint64_t field_number(const char *line, const char *name)
{
    const char *text = field_text(line, name);

    return text != NULL ? strtoull(text, NULL, 10) : 0U;
}

/* A field's text up to the next space; what could disturb a terminal becomes '?'. */
static void field_copy(char text[TOP_NAME], const char *line, const char *name)
{
    const char *from = field_text(line, name);
    size_t length = 0;

    while (from != NULL && from[length] > ' ' && length + 1U < TOP_NAME) {
        text[length] = (char)(from[length] <= '~' ? from[length] : '?');
        length++;
    }
    text[length] = '\0';
}

/* The line from a report's word on, whatever is in front of it; NULL: it has none. */
static const char *find_word(const char *line, const char *word)
{
    const char *at = strstr(line, word);

    return at != NULL && (at == line || at[-1] == ' ') ? at : NULL;
}

/* ---- devices ---- */

const struct top_device *report_find(const struct top_report *report, const char *name)
{
    for (uint32_t i = 0; i < report->count; i++) {
        if (strcmp(report->devices[i].name, name) == 0) {
            return &report->devices[i];
        }
    }
    return NULL;
}

static void take_device(struct top_report *report, const char *line)
{
    struct top_device *device = &report->devices[report->count];

    if (report->count == TOP_DEVICES) {
        return;
    }
    report->count++;
    (void)memset(device, 0, sizeof *device);
    field_copy(device->name, line, "name");
    for (size_t i = 0; i < TOP_DEVICE_FIELDS; i++) {
        device->value[i] = field_number(line, field_names[i]);
    }
}

/* The device that a line is about: the last one, or none. */
static struct top_device *line_device(struct top_report *report, const char *line)
{
    char name[TOP_NAME];

    if (report->count == 0U) {
        return NULL;
    }
    field_copy(name, line, "name");
    return strcmp(name, report->devices[report->count - 1U].name) == 0
               ? &report->devices[report->count - 1U]
               : NULL;
}

static void take_queue(struct top_device *device, const char *line)
{
    struct top_queue queue = {.number = field_number(line, "queue")};

    for (size_t i = TOP_DEVICE_FIELDS; i < TOP_FIELDS; i++) {
        queue.value[i] = field_number(line, field_names[i]);
        device->value[i] += queue.value[i];
    }
    if (device->queue_count < TOP_QUEUES) {
        device->queues[device->queue_count] = queue;
        device->queue_count++;
    }
}

/* ---- lines ---- */

bool report_line(struct top_report *report, const char *line)
{
    const char *at = find_word(line, "device name=");
    struct top_device *device = NULL;

    if (at != NULL) {
        take_device(report, at);
        return false;
    }
    at = find_word(line, "queue name=");
    if (at != NULL) {
        device = line_device(report, at);
        if (device != NULL) {
            take_queue(device, at);
        }
        return false;
    }
    at = find_word(line, "event name=");
    if (at != NULL) {
        device = line_device(report, at);
        if (device != NULL) {
            field_copy(device->event, at, "code");
        }
        return false;
    }
    return find_word(line, "end devices=") != NULL;
}
