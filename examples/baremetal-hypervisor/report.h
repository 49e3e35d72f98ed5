/* SPDX-License-Identifier: BSD-3-Clause */
/* What was counted, machine-readable: of devices and their queues the lines of avps_common/stats.h, which
 * avps-top reads; of their back ends "hyp: report <what> name=value ... vm=<guest>". */
#ifndef HYP_REPORT_H
#define HYP_REPORT_H

#include <stdint.h>

#include "avps_common/stats.h"

struct guest;

/* Begin and end a line about `guest`; uart_field in between. */
void report_begin(const char *what);
void report_end(const struct guest *guest);

/* The lines of devices, their queues that were used, and their last events; the report's end is another's. */
void report_devices(const struct avps_stats_device *devices, uint32_t count);

/* The end of a report on so many devices. */
void report_devices_end(uint32_t count);

#endif
