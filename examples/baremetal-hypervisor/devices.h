/* SPDX-License-Identifier: BSD-3-Clause */
/* A guest's virtio devices together. Each kind has a file (disk.c, network.c and so on) with a row of the same functions. All calls are made with the guest's lock held. */
#ifndef HYP_DEVICES_H
#define HYP_DEVICES_H

#include <stdbool.h>
#include <stdint.h>

#include "avps_common/platform.h"
#include "avps_common/stats.h"
#include "bm_pci.h"
#include "bm_port.h"
#include "disk.h"
#include "entropy.h"
#include "i2c.h"
#include "network.h"
#include "terminal.h"
#include "vsock.h"

#define DEVICES_MAX AVPS_PLATFORM_DEVICES /* of a guest */

struct guest;
struct devices_part;

/* What a kind of device does. */
struct devices_kind {
    enum avps_status (*add)(struct devices_part *part);
    void (*run)(struct devices_part *part);              /* serve the back end; after every turn */
    uint64_t (*due_ns)(const struct devices_part *part); /* when it must run next at the latest */
    void (*restart)(struct devices_part *part); /* the guest is gone: forget what waits for it */
    void (*report)(const struct devices_part *part);
};

/* One device, its back end, and who it is for. */
struct devices_part {
    const struct devices_kind *kind;
    struct guest *guest;
    const struct avps_platform_device *plan;
    char name[2U * (AVPS_PLATFORM_NAME + 1U)]; /* "guest/device" */
    struct bm_board *board;
    union {
        struct disk disk;
        struct card card;
        struct terminal terminal;
        struct entropy entropy;
        struct adapter adapter;
        struct sockets sockets;
    };
};

/* The devices of a guest that are found in the same way: one board each, with lines of its own. */
struct devices_group {
    struct guest *guest;
    uint32_t first_line;
    uint64_t deadline_ns;
    struct bm_board board;
    struct avps_stats_events events[BM_DEVICES]; /* by slot */
};

#define DEVICES_GROUPS 2U /* by enum avps_platform_transport */

struct devices {
    struct devices_group groups[DEVICES_GROUPS];
    struct bm_pci bus;
    struct devices_part parts[DEVICES_MAX];
    struct avps_stats_device stats[DEVICES_MAX]; /* of the parts */
    uint32_t count;
    uint64_t live_ns; /* when the next live report is due */
};

/* Make all devices of `guest`. @return NULL, or the name of the one that could not be made. */
const char *devices_init(struct guest *guest);

/* What the configuration of `part` has in common with others; the platform's part of it is for
 * avps_platform_<kind>. */
struct avps_device_config devices_base(struct devices_part *part, struct avps_queue *queues);

/* Show an initialised device to the guest. */
AVPS_NODISCARD enum avps_status devices_attach(struct devices_part *part,
                                               struct avps_device *device);

/* A guest access. @return false if no device is at `ipa`. */
bool devices_trap(struct guest *guest, uint64_t ipa, const struct bm_access *access,
                  uint64_t x[31]);

/* Serve what has work; bounded, the rest follows after the guest ran for a while. */
void devices_run(struct guest *guest);

/* The guest is gone: reset everything. */
void devices_restart(struct guest *guest);

/* All that was counted, at the end. */
void devices_report(struct guest *guest);

/* From now on report every so many seconds while guests run; 0: never. */
void devices_report_live(uint32_t seconds);

#endif
