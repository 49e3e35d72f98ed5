/* SPDX-License-Identifier: BSD-3-Clause */
/* libavps on a bare-metal AArch64 hypervisor: everything that such a hypervisor adds to link the
 * library, with devices behind virtio-mmio; bm_pci.h puts them on a PCI bus instead. Order: what you
 * supply, the board, memory, devices, traps, polling.
 *
 * Memory: the caller's; nothing is allocated. Threads: one context per board, which is a CPU that takes the
 * guest's exits with interrupts masked, or a lock of yours that several of them hold; two boards are
 * independent but for guarded slots. Guest: may send any access to any address; see bm_trap. */
#ifndef BM_PORT_H
#define BM_PORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "avps/device.h"
#include "avps/mem.h"
#include "avps/mmio.h"
#include "avps/port.h"

/* Devices that one board can hold. */
#ifndef BM_DEVICES
#define BM_DEVICES 16U
#endif

/* What the hypervisor supplies; `ctx` is the board's. Interrupt `line` counts from 0. */
struct bm_hooks {
    void (*set_level)(void *ctx, uint32_t line,
                      bool high);                   /* drive a wired interrupt of the guest */
    uint64_t (*now_ns)(void *ctx);                  /* a clock that never goes back */
    void (*timer)(void *ctx, uint64_t deadline_ns); /* call bm_poll then; UINT64_MAX: never */
    void (*event)(void *ctx, uint32_t device, enum avps_event code, uint64_t a,
                  uint64_t b);                                   /* may be NULL */
    void (*message)(void *ctx, uint64_t address, uint32_t data); /* an MSI; NULL: no MSI-X */
};

/* Serialises a device with those of other boards: network devices on one switch work into each other's
 * queues. Entered around each access but doorbells and each turn of the device, with the board's lock held; hooks
 * may then be called for another board's guarded device, without that board's lock. */
struct bm_guard {
    void (*enter)(void);
    void (*leave)(void);
};

/* One device in its place. */
struct bm_slot {
    struct avps_mmio mmio;
    struct avps_device *device;
    struct bm_board *board;
    const struct bm_guard *guard;  /* NULL: of this board alone */
    _Atomic(uint64_t) deadline_ns; /* UINT64_MAX: no timer */
    uint32_t index;
    atomic_bool awake;
};

/* All devices of one guest, at AVPS_MMIO_SIZE distance from `base`. */
struct bm_board {
    const struct bm_hooks *hooks;
    void *ctx;
    uint64_t base;
    struct avps_mem_region ram;
    struct avps_mem mem;
    struct avps_port ports[BM_DEVICES];
    struct bm_slot slots[BM_DEVICES];
    uint32_t count;
};

/* Set up a board whose devices reach guest memory [gpa, gpa + size), found at `host`.
 * @return AVPS_OK; AVPS_E_PARAM. */
AVPS_NODISCARD enum avps_status bm_board_init(struct bm_board *board, const struct bm_hooks *hooks,
                                              void *ctx, uint64_t base, struct avps_mem_region ram);

/* The port for the next device's configuration: avps_<name>_init, then bm_attach. */
const struct avps_port *bm_port(struct bm_board *board);

/* Put an initialised device into the next slot; its interrupt line is the slot's number.
 * @return AVPS_OK; AVPS_E_NOSPACE; what avps_mmio_init returns. */
AVPS_NODISCARD enum avps_status bm_attach(struct bm_board *board, struct avps_device *device);

/* The device that was attached last shares its context with other boards' devices. */
void bm_guard(struct bm_board *board, const struct bm_guard *guard);

/* For another transport: the interrupts of a board, which is their context; a device takes the slot
 * whose number is its interrupt line. */
extern const struct avps_irq_ops bm_irq_ops;
void bm_seat(struct bm_board *board, struct avps_device *device);

/* A load or store, as the syndrome of a data abort describes it. */
struct bm_access {
    uint32_t width; /* bytes */
    uint32_t reg;   /* 0..31; 31 is the zero register */
    bool write;
    bool sign_extend;
    bool wide; /* the register is 64 bits */
};

/* Decode ESR_EL2 of a data abort. @return false if the hardware gave no syndrome. */
bool bm_decode(uint64_t esr, struct bm_access *access);

/* The value that a store writes, and putting a load's result into its register. */
uint64_t bm_stored(const struct bm_access *access, const uint64_t x[31]);
void bm_loaded(const struct bm_access *access, uint64_t x[31], uint64_t value);

/* A guest access at `ipa`. @return false if no device is there: not ours. */
bool bm_trap(struct bm_board *board, uint64_t ipa, const struct bm_access *access, uint64_t x[31]);

/* Serve devices that have work, `budget` chains each, and arm the timer.
 * @return true if work is left: let the guest run, then call again. */
bool bm_poll(struct bm_board *board, uint32_t budget);

/* Reset all devices and disarm their timers: the guest starts again. @return false: requests are in flight;
 * let the back ends finish them, then call again. */
bool bm_reset(struct bm_board *board);

#endif
