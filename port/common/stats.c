/* SPDX-License-Identifier: BSD-3-Clause */
/* Events -> fields of a line -> lines -> report. */
#include "avps_common/stats.h"

#include "line.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* ---- events ---- */

void avps_stats_note(struct avps_stats_events *events, enum avps_event code, uint64_t a, uint64_t b)
{
    events->last[events->count % AVPS_STATS_EVENTS] = (struct avps_stats_event){code, a, b};
    events->count++;
}

const char *avps_event_name(enum avps_event code)
{
    static const char *const names[] = {
        [AVPS_EVENT_RESET] = "reset",
        [AVPS_EVENT_DRIVER_OK] = "driver-ok",
        [AVPS_EVENT_QUEUE_FAULT] = "queue-fault",
        [AVPS_EVENT_DEVICE_FAULT] = "device-fault",
        [AVPS_EVENT_QUEUE_REFUSED] = "queue-refused",
        [AVPS_EVENT_FEATURES_REFUSED] = "features-refused",
        [AVPS_EVENT_LATE_COMPLETION] = "late-completion",
        [AVPS_EVENT_SUSPENDED] = "suspended",
        [AVPS_EVENT_RESUMED] = "resumed",
    };
    const size_t at = (size_t)code;

    return at < COUNT_OF(names) && names[at] != NULL ? names[at] : "?";
}

/* ---- fields of a line ---- */

/* A counter: its name in a line, and where it is in its struct. */
struct field {
    const char *name;
    size_t offset;
};

static void put_number(struct line *line, const char *name, uint64_t value)
{
    line_text(line, " ");
    line_text(line, name);
    line_text(line, "=");
    line_number(line, value);
}

static void put_fields(struct line *line, const struct field *fields, size_t count,
                       const void *counters)
{
    for (size_t i = 0; i < count; i++) {
        const void *at = (const uint8_t *)counters + fields[i].offset;

        put_number(line, fields[i].name, *(const uint64_t *)at);
    }
}

static void put_head(struct line *line, const char *word, const struct avps_stats_device *device)
{
    line_text(line, word);
    line_text(line, " name=");
    line_text(line, device->name != NULL ? device->name : "-");
}

/* ---- lines ---- */

static uint64_t all_faults(const struct avps_device_counters *counters)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < AVPS_FAULT_CLASSES; i++) {
        sum += counters->faults[i];
    }
    return sum;
}

#define DEVICE_FIELD(member)                                                                       \
    {                                                                                              \
#member, offsetof(struct avps_device_counters, member)                                     \
    }
#define FAULT_FIELD(name, class)                                                                   \
    {                                                                                              \
        "fault_" name, offsetof(struct avps_device_counters, faults[AVPS_FAULT_##class])           \
    }

static void device_line(struct line *line, const struct avps_stats_device *device)
{
    static const struct field fields[] = {
        DEVICE_FIELD(resets),
        DEVICE_FIELD(negotiations),
        DEVICE_FIELD(refusals),
        DEVICE_FIELD(bad_accesses),
        DEVICE_FIELD(config_interrupts),
        DEVICE_FIELD(spurious_kicks),
        DEVICE_FIELD(needs_reset),
        FAULT_FIELD("addr", ADDR),
        FAULT_FIELD("access", ACCESS),
        FAULT_FIELD("desc", DESC),
        FAULT_FIELD("size", SIZE),
        FAULT_FIELD("protocol", PROTOCOL),
    };
    const struct avps_device_counters *counters = avps_device_counters(device->device);

    put_head(line, "device", device);
    put_number(line, "id", avps_device_id(device->device));
    put_number(line, "status", avps_device_status(device->device));
    put_number(line, "faults", all_faults(counters));
    put_fields(line, fields, COUNT_OF(fields), counters);
}

#define QUEUE_FIELD(member)                                                                        \
    {                                                                                              \
#member, offsetof(struct avps_queue_counters, member)                                      \
    }

static void queue_line(struct line *line, const struct avps_stats_device *device, uint16_t queue)
{
    static const struct field fields[] = {
        QUEUE_FIELD(kicks),      QUEUE_FIELD(chains),  QUEUE_FIELD(used), QUEUE_FIELD(interrupts),
        QUEUE_FIELD(bytes_read), QUEUE_FIELD(written), QUEUE_FIELD(late), QUEUE_FIELD(port_errors)};

    put_head(line, "queue", device);
    put_number(line, "queue", queue);
    put_fields(line, fields, COUNT_OF(fields), avps_queue_counters(device->device, queue));
}

static void event_line(struct line *line, const struct avps_stats_device *device, uint64_t number)
{
    const struct avps_stats_event *event = &device->events->last[number % AVPS_STATS_EVENTS];

    put_head(line, "event", device);
    put_number(line, "number", number);
    line_text(line, " code=");
    line_text(line, avps_event_name(event->code));
    put_number(line, "a", event->a);
    put_number(line, "b", event->b);
}

/* ---- report ---- */

void avps_stats_begin(struct avps_stats *stats, const struct avps_stats_device *devices,
                      uint32_t count)
{
    *stats = (struct avps_stats){.devices = devices, .count = count};
}

/* A queue that had a doorbell or gave a chain. */
static bool queue_was_used(const struct avps_queue_counters *counters)
{
    return counters->kicks != 0U || counters->chains != 0U;
}

/* Pass over queues that have nothing to say. @return whether one is left; it is `queue` - 1. */
static bool find_queue(struct avps_stats *stats, const struct avps_device *device)
{
    const struct avps_queue_counters *counters = NULL;

    do {
        counters = avps_queue_counters(device, (uint16_t)(stats->queue - 1U));
        stats->queue++;
    } while (counters != NULL && !queue_was_used(counters));
    stats->queue--;
    return counters != NULL;
}

static bool find_event(struct avps_stats *stats, const struct avps_stats_events *events)
{
    if (events == NULL || stats->event >= events->count) {
        return false;
    }
    if (events->count - stats->event > AVPS_STATS_EVENTS) {
        stats->event = events->count - AVPS_STATS_EVENTS;
    }
    return true;
}

/* Next line of the present device. @return false: it has no more. */
static bool device_next(struct avps_stats *stats, struct line *line)
{
    const struct avps_stats_device *device = &stats->devices[stats->at];

    if (stats->queue == 0U) {
        stats->queue = 1;
        device_line(line, device);
        return true;
    }
    if (find_queue(stats, device->device)) {
        queue_line(line, device, (uint16_t)(stats->queue - 1U));
        stats->queue++;
        return true;
    }
    if (find_event(stats, device->events)) {
        event_line(line, device, stats->event);
        stats->event++;
        return true;
    }
    return false;
}

bool avps_stats_next(struct avps_stats *stats, char *text, size_t size)
{
    struct line line;

    line_begin(&line, text, size);
    while (stats->at < stats->count) {
        if (device_next(stats, &line)) {
            return true;
        }
        stats->at++;
        stats->queue = 0;
        stats->event = 0;
    }
    if (stats->at > stats->count) {
        return false;
    }
    stats->at++;
    line_text(&line, "end");
    put_number(&line, "devices", stats->count);
    return true;
}
