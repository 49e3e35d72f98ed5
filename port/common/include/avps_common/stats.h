/* SPDX-License-Identifier: BSD-3-Clause */
/** @file stats.h
 *  What devices have counted and told, as lines of text: the same from every port.
 *
 *  Memory: the caller's. Threads: avps_stats_note in the context of the device that tells;
 *  avps_stats_next in the context of all devices that it reports. Guest: can make counters grow, and
 *  nothing else; names are the integrator's.
 *
 *  One report is a line for each device, one for each of its queues that was ever used, one for each
 *  of its last events, and an end:
 *
 *      device name=disk0 id=2 status=15 resets=1 ... faults=0 fault_addr=0 ... needs_reset=0
 *      queue name=disk0 queue=0 kicks=12 chains=40 used=40 interrupts=11 ... port_errors=0
 *      event name=disk0 number=2 code=driver-ok a=805307968 b=5
 *      end devices=1
 *
 *  A word, then name=value pairs with decimal numbers; a reader takes fields by name and passes over
 *  words and fields that it does not know. Counters run on through resets.
 */
#ifndef AVPS_COMMON_STATS_H
#define AVPS_COMMON_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avps/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Bytes that are enough for every line, its end included, with names of up to 31 characters. */
#define AVPS_STATS_LINE 512U

/** Events of a device that are kept. */
#define AVPS_STATS_EVENTS 4U

/** A coded event; see enum avps_event. */
struct avps_stats_event {
    enum avps_event code; /**< What. */
    uint64_t a;           /**< As the code says. */
    uint64_t b;           /**< As the code says. */
};

/** The last events of a device. All zero: none. Fields are private. */
struct avps_stats_events {
    uint64_t count;                                  /**< How many there were. */
    struct avps_stats_event last[AVPS_STATS_EVENTS]; /**< Event n is at n % AVPS_STATS_EVENTS. */
};

/** One device of a report. */
struct avps_stats_device {
    const char *name;                       /**< Without spaces; "-" for NULL. */
    const struct avps_device *device;       /**< Required. */
    const struct avps_stats_events *events; /**< May be NULL. */
};

/** A report on its way. Fields are private. */
struct avps_stats {
    const struct avps_stats_device *devices; /**< Of the report. */
    uint32_t count;                          /**< How many. */
    uint32_t at;                             /**< Device; `count`: the end; above: nothing more. */
    uint32_t queue;                          /**< Its next queue + 1; 0: itself. */
    uint64_t event;                          /**< Its next event. */
};

/** Keep an event: call it from `avps_sys_ops.event`. */
void avps_stats_note(struct avps_stats_events *events, enum avps_event code, uint64_t a,
                     uint64_t b);

/** Name of an event, as in a report. @return A static string; "?" for an unknown code. */
const char *avps_event_name(enum avps_event code);

/** Begin a report on `count` devices, which are borrowed until its end. */
void avps_stats_begin(struct avps_stats *stats, const struct avps_stats_device *devices,
                      uint32_t count);

/** Next line, without newline.
 *  @param[out] line  Room for `size` bytes, at least 1; longer lines are cut.
 *  @return false: there is none, `line` is empty. */
bool avps_stats_next(struct avps_stats *stats, char *line, size_t size);

#ifdef __cplusplus
}
#endif
#endif
