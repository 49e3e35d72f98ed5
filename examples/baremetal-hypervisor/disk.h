/* SPDX-License-Identifier: BSD-3-Clause */
/* The disk: memory of the hypervisor, with a little latency and one bad spot. See devices.h. */
#ifndef HYP_DISK_H
#define HYP_DISK_H

#include <stdint.h>

#include "avps/status.h"

enum avps_status disk_add(void);
void disk_run(void);
uint64_t disk_due_ns(void);
void disk_report(void);

#endif
