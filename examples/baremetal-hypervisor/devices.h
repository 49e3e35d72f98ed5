/* SPDX-License-Identifier: BSD-3-Clause */
/* The guest's virtio devices together. Each one has a file: disk.c, network.c, terminal.c,
 * entropy.c, with the same four functions: add, run, due, report. */
#ifndef HYP_DEVICES_H
#define HYP_DEVICES_H

#include <stdbool.h>
#include <stdint.h>

#include "bm_port.h"
#include "host.h"

/* Create all devices over guest memory [GUEST_RAM, GUEST_RAM + ram_size), ring format as the options
 * say. @return false if one of them could not be made. */
bool devices_init(const struct host *host, uint64_t ram_size);

struct bm_board *devices_board(void);

/* The common part of the configuration of the device that is added next. */
struct avps_device_config devices_base(struct avps_queue *queues, uint16_t count);

/* An interrupt of the hypervisor's own. */
void devices_interrupt(uint32_t intid);

/* Serve what has work; bounded, the rest follows after the guest ran for a while. */
void devices_run(void);

/* What only the single devices know, one line each. */
void devices_report(void);

#endif
