/* SPDX-License-Identifier: BSD-3-Clause */
/** @file port.h
 *  What the embedder implements besides guest memory: interrupts, events, time.
 *
 *  Memory: tables are borrowed and outlive the device. Threads: ops are called only from inside
 *  the library call that you made, in that context; no library lock is held.
 *  Guest: cannot reach an op from a doorbell: avps_kick calls none.
 */
#ifndef AVPS_PORT_H
#define AVPS_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "avps/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Interrupt injection. `line` is the number given when the transport was initialised. */
struct avps_irq_ops {
    /** Level of a wired interrupt changed. Required for MMIO, and for PCI with an interrupt pin. Must
     *  not call the library. */
    void (*set_level)(void *ctx, uint32_t line, bool high);
    /** Send message-signalled interrupt `vector`: as if the device wrote the 32 bits `data` to
     *  `address`, which are what the guest chose, any value. With avps_poll_queue it comes from the
     *  CPU that polls. Must not call the library. NULL: no MSI. */
    void (*msi)(void *ctx, uint32_t vector, uint64_t address, uint32_t data);
    /** What `msi` would send for this vector changed: for hypervisors that route interrupts ahead of
     *  time (irqfd). While `masked`, it is not sent and changes of the rest are not told. May be
     *  NULL. */
    void (*msi_route)(void *ctx, uint32_t vector, uint64_t address, uint32_t data, bool masked);
    /** All interrupts of this poll have been raised: flush once. May be NULL. */
    void (*batch_end)(void *ctx);
};

/** Scheduling. */
struct avps_event_ops {
    /** Work appeared outside a doorbell (a completion, input for the guest): call avps_poll soon.
     *  Must not call avps_poll itself. NULL: you poll anyway. */
    void (*wake)(void *ctx);
    /** A queue went live: a fast doorbell (ioeventfd, trap page) may be installed, which then ends
     *  in avps_kick. May be NULL. */
    void (*doorbell_attach)(void *ctx, uint16_t queue);
    /** The queue stopped: remove the fast doorbell. NULL when attach is. */
    void (*doorbell_detach)(void *ctx, uint16_t queue);
};

/** Clock and reporting. */
struct avps_sys_ops {
    /** Nanoseconds of a clock that never goes back. NULL: features that need time are not offered. */
    uint64_t (*now_ns)(void *ctx);
    /** Nanoseconds of UTC since 1970. NULL: no wall clock. */
    uint64_t (*wall_ns)(void *ctx);
    /** Call avps_poll at `deadline_ns` of now_ns; 0 disarms. NULL: no timers. */
    void (*timer)(void *ctx, uint64_t deadline_ns);
    /** A coded event; rate it yourself where a guest can cause it. May be NULL. */
    void (*event)(void *ctx, enum avps_event code, uint64_t a, uint64_t b);
};

/** What a device needs of its surroundings; copied at init, what it points to is borrowed. */
struct avps_port {
    const struct avps_event_ops *event; /**< May be NULL. */
    void *event_ctx;                    /**< Handed to the event ops. */
    const struct avps_sys_ops *sys;     /**< May be NULL. */
    void *sys_ctx;                      /**< Handed to the sys ops. */
};

#ifdef __cplusplus
}
#endif
#endif
