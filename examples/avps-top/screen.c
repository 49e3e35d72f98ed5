/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers for people -> a device's row -> its queues -> the table. */
#include <inttypes.h>
#include <string.h>

#include "top.h"

#define ROW_HEAD  "%-12.12s %-12.12s %-8.8s %-9.9s %7s %7s %7s %7s %7s %7s  %s\n"
#define NOTE_SIZE 160U

/* ---- numbers for people ---- */

uint64_t top_rate(uint64_t now, uint64_t before, uint64_t ns)
{
    if (ns == 0U || now < before) {
        return 0;
    }
    return (uint64_t)((double)(now - before) * 1e9 / (double)ns + 0.5);
}

void top_short(char text[8], uint64_t value)
{
    static const char units[] = " kMGTPE";
    double number = (double)value;
    size_t unit = 0;

    while (number >= 9999.5 || (unit != 0U && number >= 999.5)) {
        number /= 1000.0;
        unit++;
    }
    if (unit == 0U) {
        (void)snprintf(text, 8, "%" PRIu64, value);
    } else {
        (void)snprintf(text, 8, number < 99.95 ? "%.1f%c" : "%.0f%c", number, units[unit]);
    }
}

const char *top_state(uint64_t status)
{
    if ((status & 0x80U) != 0U) {
        return "failed";
    }
    if ((status & 0x40U) != 0U) {
        return "faulty"; /* DEVICE_NEEDS_RESET */
    }
    if ((status & 0x10U) != 0U) {
        return "suspended";
    }
    if ((status & 0x04U) != 0U) {
        return "live";
    }
    return status != 0U ? "starting" : "off";
}

static const char *device_type(uint64_t id)
{
    static const char *const names[] = {
        [1] = "net",    [2] = "blk",    [3] = "console", [4] = "rng",   [17] = "rtc",
        [18] = "input", [19] = "vsock", [20] = "crypto", [28] = "rpmb", [32] = "scmi",
        [34] = "i2c",   [36] = "can",   [41] = "gpio",   [45] = "spi"};

    return id < sizeof names / sizeof names[0] && names[id] != NULL ? names[id] : "?";
}

/* ---- a device ---- */

/* "faults: desc 3, addr 1; 2 port errors; last: device-fault" */
static void device_note(char note[NOTE_SIZE], const struct top_device *device)
{
    static const struct {
        enum top_field field;
        const char *name;
    } parts[] = {{TOP_FAULT_ADDR, "addr faults"},         {TOP_FAULT_ACCESS, "access faults"},
                 {TOP_FAULT_DESC, "desc faults"},         {TOP_FAULT_SIZE, "size faults"},
                 {TOP_FAULT_PROTOCOL, "protocol faults"}, {TOP_BAD_ACCESSES, "bad accesses"},
                 {TOP_PORT_ERRORS, "port errors"},        {TOP_LATE, "late"}};
    size_t used = 0;

    note[0] = '\0';
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && used + 40U < NOTE_SIZE; i++) {
        if (device->value[parts[i].field] != 0U) {
            used += (size_t)snprintf(note + used, NOTE_SIZE - used, "%s%" PRIu64 " %s",
                                     used != 0U ? ", " : "", device->value[parts[i].field],
                                     parts[i].name);
        }
    }
    if (device->event[0] != '\0' && used + TOP_NAME + 8U < NOTE_SIZE) {
        (void)snprintf(note + used, NOTE_SIZE - used, "%slast: %s", used != 0U ? "; " : "",
                       device->event);
    }
}

/* Six numbers of a row: chains in all, then per second. */
static void print_row(FILE *out, const char *source, const char *name, const char *type,
                      const char *state, const uint64_t *now, const uint64_t *before, uint64_t ns,
                      const char *note)
{
    static const enum top_field rated[] = {TOP_CHAINS, TOP_KICKS, TOP_INTERRUPTS, TOP_BYTES_READ,
                                           TOP_WRITTEN};
    char total[8];
    char rates[5][8];

    top_short(total, now[TOP_CHAINS]);
    for (size_t i = 0; i < 5U; i++) {
        top_short(rates[i], before != NULL ? top_rate(now[rated[i]], before[rated[i]], ns) : 0U);
    }
    (void)fprintf(out, ROW_HEAD, source, name, type, state, total, rates[0], rates[1], rates[2],
                  rates[3], rates[4], note);
}

static void print_queues(FILE *out, const struct top_device *device,
                         const struct top_device *before, uint64_t ns)
{
    for (uint32_t i = 0; i < device->queue_count; i++) {
        const struct top_queue *queue = &device->queues[i];
        const struct top_queue *old =
            before != NULL && i < before->queue_count ? &before->queues[i] : NULL;
        char name[24];

        (void)snprintf(name, sizeof name, "  queue %" PRIu64, queue->number);
        print_row(out, "", name, "", "", queue->value, old != NULL ? old->value : NULL, ns, "");
    }
}

/* ---- the table ---- */

static void print_source(FILE *out, const struct top_source *source, bool queues)
{
    const uint64_t ns =
        source->before->at_ns != 0U ? source->now->at_ns - source->before->at_ns : 0U;
    const char *label = source->label[0] != '\0' ? source->label : source->path;

    if (source->problem != NULL || source->now->at_ns == 0U) {
        (void)fprintf(out, "%-12.12s %s: %s\n", label, source->path,
                      source->problem != NULL ? source->problem : "no report yet");
    }
    for (uint32_t i = 0; i < source->now->count; i++) {
        const struct top_device *device = &source->now->devices[i];
        const struct top_device *before = report_find(source->before, device->name);
        char note[NOTE_SIZE];

        device_note(note, device);
        print_row(out, label, device->name, device_type(device->value[TOP_ID]),
                  top_state(device->value[TOP_STATUS]), device->value,
                  before != NULL ? before->value : NULL, ns, note);
        if (queues) {
            print_queues(out, device, before, ns);
        }
    }
}

void screen_print(FILE *out, const struct top_source *sources, uint32_t count, bool queues)
{
    (void)fprintf(out, ROW_HEAD, "SOURCE", "DEVICE", "TYPE", "STATE", "CHAINS", "CHAIN/s", "KICK/s",
                  "IRQ/s", "IN B/s", "OUT B/s", "REMARKS");
    for (uint32_t i = 0; i < count; i++) {
        print_source(out, &sources[i], queues);
    }
}
