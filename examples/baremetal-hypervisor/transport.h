/* SPDX-License-Identifier: BSD-3-Clause */
/* How the guest finds its devices: windows of virtio-mmio, or functions on a PCI bus. */
#ifndef HYP_TRANSPORT_H
#define HYP_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "bm_port.h"
#include "host.h"

/* Choose the transport of an empty board as the options say. */
AVPS_NODISCARD enum avps_status transport_init(const struct host *host, struct bm_board *board);

/* Show an initialised device to the guest. */
AVPS_NODISCARD enum avps_status transport_attach(struct avps_device *device);

/* A guest access. @return false if nothing of the transport is at `ipa`. */
bool transport_trap(uint64_t ipa, const struct bm_access *access, uint64_t x[31]);

/* Phandles of the guest's interrupt controller and of its message frame. */
struct transport_parents {
    uint32_t gic;
    uint32_t messages;
};

/* Describe the devices inside the open root node of a tree. @return 0, or an error. */
int transport_describe(void *fdt, const struct transport_parents *parents);

#endif
