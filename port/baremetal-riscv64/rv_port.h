/* SPDX-License-Identifier: BSD-3-Clause */
/* libavps on a RISC-V hypervisor in HS mode: the devices of one guest behind virtio-mmio, at
 * AVPS_MMIO_SIZE distance. All of them share one interrupt, the external interrupt of the guest's CPU
 * (VSEIP): no interrupt controller is emulated, the guest asks every device. Order: what you supply,
 * the guest, traps, polling.
 *
 * Memory: the caller's; nothing is allocated. Threads: one context, the CPU that takes the guest's
 * exits, with interrupts masked. Guest: may send any access to any address. */
#ifndef RV_PORT_H
#define RV_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "avps/device.h"
#include "avps/mem.h"
#include "avps/mmio.h"
#include "avps/port.h"

/* Devices that one guest can have, at most 32. */
#define RV_DEVICES 8U

/* What the hypervisor supplies; `ctx` is that of rv_init. */
struct rv_hooks {
    void (*external)(void *ctx, bool high); /* drive the guest's external interrupt: hvip.VSEIP */
    uint64_t (*now_ns)(void *ctx);          /* a clock that never goes back */
    void (*event)(void *ctx, enum avps_event code, uint64_t a, uint64_t b); /* must not take long */
};

/* Everything of one guest. `mem` and `port` go into each device's configuration. */
struct rv_guest {
    const struct rv_hooks *hooks;
    void *ctx;
    uint64_t base;
    struct avps_mem_region ram;
    struct avps_mem mem;
    struct avps_port port;
    struct avps_mmio windows[RV_DEVICES];
    struct avps_device *devices[RV_DEVICES];
    uint32_t count;
    uint32_t lines; /* bit n: device n asks for an interrupt */
    bool awake;
};

/* Give a guest its memory and the address of its first device; what `ram` points to is borrowed.
 * @return AVPS_OK; AVPS_E_PARAM. */
AVPS_NODISCARD enum avps_status rv_init(struct rv_guest *guest, const struct rv_hooks *hooks,
                                        void *ctx, uint64_t base, struct avps_mem_region ram);

/* Put an initialised device into the next window.
 * @return AVPS_OK; AVPS_E_NOSPACE; what avps_mmio_init returns. */
AVPS_NODISCARD enum avps_status rv_add(struct rv_guest *guest, struct avps_device *device);

/* A load or store guest-page fault at `gpa`, by the instruction that rv_fetch read.
 * @return Bytes to add to sepc; 0: no device is there, or it is no access to emulate. */
uint32_t rv_trap(struct rv_guest *guest, uint64_t gpa, uint32_t insn, uint64_t x[32]);

/* Serve all devices, `budget` chains per queue. Call it before every return to the guest.
 * @return true if work is left: let the guest run, then call again. */
bool rv_poll(struct rv_guest *guest, uint32_t budget);

/* Read the instruction at the guest's `pc` (rv_fetch.S). @return false if the guest could not. */
bool rv_fetch(uint64_t pc, uint32_t *insn);

#endif
