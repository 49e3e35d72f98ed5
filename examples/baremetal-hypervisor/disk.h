/* SPDX-License-Identifier: BSD-3-Clause */
/* The disk: memory of the hypervisor, with a little latency and one bad spot. See devices.h. */
#ifndef HYP_DISK_H
#define HYP_DISK_H

#include "avps/blk.h"
#include "avps_sim/ramdisk.h"

#define DISK_REQUESTS 32U
#define DISK_QUEUES   1U

struct disk {
    struct avps_blk blk;
    struct avps_queue queue[DISK_QUEUES];
    struct avps_blk_request requests[DISK_REQUESTS];
    struct avps_sim_ramdisk ram;
    struct avps_sim_pending pending[DISK_REQUESTS];
};

extern const struct devices_kind disk_kind;

#endif
