/* SPDX-License-Identifier: BSD-3-Clause */
/* A port to copy: all devices of one guest behind virtio-mmio windows. Order: set-up, traps,
 * polling.
 *
 * Memory: the caller's; nothing is allocated. Threads: one context per guest, but for doorbells,
 * which template_access takes on any CPU. Guest: any access to any address is safe. */
#ifndef TEMPLATE_PORT_H
#define TEMPLATE_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "avps/device.h"
#include "avps/mem.h"
#include "avps/mmio.h"
#include "avps/port.h"

#define TEMPLATE_DEVICES 8U

/* One device and the window of guest addresses at which the guest sees it. */
struct template_window {
    uint64_t gpa;
    struct avps_mmio mmio;
    struct avps_device *device;
};

/* Everything of one guest. `mem` and `port` go into each device's configuration. */
struct template_guest {
    uint32_t id;
    struct avps_mem mem;
    struct avps_port port;
    struct template_window windows[TEMPLATE_DEVICES];
    uint32_t count;
};

/* A trapped load or store of the guest. A load's result is put into `value`. */
struct template_trap {
    uint64_t gpa;
    uint32_t width; /* bytes: 1, 2, 4 or 8 */
    bool is_write;
    uint64_t value;
};

/* Give a guest its memory: rows sorted by address, borrowed. @return AVPS_OK; AVPS_E_PARAM. */
AVPS_NODISCARD enum avps_status template_init(struct template_guest *guest, uint32_t id,
                                              const struct avps_mem_region *ram, uint32_t count);

/* Show an initialised device to the guest at `gpa`, with interrupt `line`.
 * @return AVPS_OK; AVPS_E_NOSPACE; what avps_mmio_init returns. */
AVPS_NODISCARD enum avps_status
template_add(struct template_guest *guest, struct avps_device *device, uint64_t gpa, uint32_t line);

/* Serve a trap. @return Whether the address belongs to a device. */
bool template_access(struct template_guest *guest, struct template_trap *trap);

/* Serve all devices, `budget` chains per queue. @return Whether to call again. */
bool template_poll(struct template_guest *guest, uint32_t budget);

#endif
