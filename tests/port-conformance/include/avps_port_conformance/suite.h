/* SPDX-License-Identifier: BSD-3-Clause */
/** @file suite.h
 *  Port conformance: whether a port keeps the promises of mem.h, port.h and arch_default.h.
 *
 *  Fill a `struct avps_pc_target` with what the suite needs of your port, give it storage, call
 *  avps_pc_run once. Each promise is one case, named by a sentence and by the header that makes it.
 *  Freestanding C11: no allocation, nothing of libc but memcpy and memset, no global data.
 *
 *  Memory: the caller's. Threads: the device's context, and one more through `start` if you have one.
 *  Guest: the suite plays it; no guest software may run on the memory and the devices meanwhile.
 */
#ifndef AVPS_PORT_CONFORMANCE_SUITE_H
#define AVPS_PORT_CONFORMANCE_SUITE_H

#include <stdbool.h>
#include <stdint.h>

#include "avps/atomic.h"
#include "avps/blk.h"
#include "avps/mem.h"
#include "avps/port.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Devices that a target may show. */
#define AVPS_PC_DEVICES 2U

/** Bytes that one span with AVPS_ACCESS_RW must have from its first multiple of 4096 on. */
#define AVPS_PC_WORK 0x10000U

/** What avps_pc_run returns if the target lacks something that no case can do without. */
#define AVPS_PC_BAD_TARGET 0xffffffffU

/* ---- what you implement ---- */

/** A range of guest memory. */
struct avps_pc_span {
    avps_gpa gpa;    /**< First address. */
    uint64_t size;   /**< Bytes, at least 128. */
    uint32_t access; /**< OR of enum avps_access: what devices may do here. */
};

/** What the guest's interrupt controller has seen of one device. */
struct avps_pc_irq {
    uint32_t count;   /**< Interrupts since the beginning: rising edges of the line, or messages. */
    bool high;        /**< Wired: the level now. */
    uint64_t address; /**< Message-signalled: of the last one. */
    uint32_t data;    /**< Message-signalled: of the last one. */
};

/** Rings of the one queue of a device, laid out as a split virtqueue. */
struct avps_pc_rings {
    uint32_t size;   /**< Descriptors. */
    avps_gpa desc;   /**< Descriptor table. */
    avps_gpa driver; /**< Available ring. */
    avps_gpa device; /**< Used ring. */
};

/** How the suite's driver reaches a device that has no register window here, because the register
 *  file is in another process. All are required. */
struct avps_pc_front {
    /** Reset, negotiate VERSION_1 (and ACCESS_PLATFORM if `access_platform`), start queue 0, set
     *  DRIVER_OK. @return whether the device accepted. */
    bool (*start)(void *ctx, uint32_t device, const struct avps_pc_rings *rings);
    /** Reset as the driver does; return when it is asked for. */
    void (*reset)(void *ctx, uint32_t device);
    /** The device status that the driver reads. */
    uint8_t (*status)(void *ctx, uint32_t device);
    /** Ring the doorbell of a queue. */
    void (*kick)(void *ctx, uint32_t device, uint32_t queue);
};

/** A port under test. What is NULL or 0 is a capability that is absent: cases that need it are
 *  reported as skipped, with the reason. Required: print, mem, spans, guest. */
struct avps_pc_target { /* NOLINT(clang-analyzer-optin.performance.Padding): by subject */
    const char *name;   /**< Of the port. */
    void *ctx;          /**< Handed to every function. */

    /** One line of the report, without its end; a string of at most 240 bytes. */
    void (*print)(void *ctx, const char *line);

    /* guest memory */

    const struct avps_mem *mem;       /**< The handle that your devices get, initialised. With
                                           `front` it may change while devices are attached. */
    const struct avps_pc_span *spans; /**< All that devices may reach: what is outside must be
                                           refused. Sorted by address. The contents are lost. */
    uint32_t span_count;              /**< How many, at least 1. */
    /** Where the byte at `gpa`, which is in a span, is to the guest's CPU: not by way of what is
     *  tested. The rest of its 4096 bytes follows it. */
    uint8_t *(*guest)(void *ctx, avps_gpa gpa);
    /** What is no memory cannot be told from what is not allowed: AVPS_E_GUEST_ACCESS for both, as
     *  with grants. */
    bool refusals_alike;
    bool misses_wait; /**< Where no memory is, an access may stay AVPS_AGAIN: nobody answers. */
    /** Mappings and pins of guest memory that the port holds now. */
    uint32_t (*mapped)(void *ctx);
    /** Whether the page of `gpa` is in the log of written pages; takes it out. */
    bool (*dirty)(void *ctx, avps_gpa gpa);
    uint32_t dirty_page; /**< Bytes in a page of that log, with `dirty`. */

    /* devices */

    uint32_t devices;     /**< How many can be attached, 0..AVPS_PC_DEVICES. */
    bool access_platform; /**< They are to be given ACCESS_PLATFORM. */
    /** What goes into `avps_device_config.port` of a device; once for each, before `attach`. */
    const struct avps_port *(*port)(void *ctx, uint32_t device);
    /** Put an initialised device behind your transport. Once for each, before the first case. */
    enum avps_status (*attach)(void *ctx, uint32_t device, struct avps_device *dev);
    /** Let the device context do what it was asked for: polls that are due by a doorbell, a wake, a
     *  timer or work that was left. Without any it must not poll. Bounded: at most some thousand
     *  polls. */
    void (*run)(void *ctx);

    /** The guest loads from a device's virtio-mmio window, through your trap handling. */
    uint64_t (*load)(void *ctx, uint32_t device, uint32_t offset, uint32_t width);
    /** The guest stores. Offset AVPS_MMIO_QUEUE_NOTIFY also comes from the thread of `start`. */
    void (*store)(void *ctx, uint32_t device, uint32_t offset, uint32_t width, uint64_t value);
    const struct avps_pc_front *front; /**< In place of load and store. */

    /* interrupts */

    /** What the guest's interrupt controller has seen. */
    void (*irq)(void *ctx, uint32_t device, struct avps_pc_irq *seen);
    bool wired;  /**< Interrupts are levels; else they are messages. */
    bool shared; /**< One line for all devices: each sees the same `count`. */
    /** The guest masks the interrupt at its controller. While masked, `count` stands still. */
    void (*mask)(void *ctx, uint32_t device, bool masked);
    const struct avps_irq_ops *irq_ops; /**< Your table, to be called as for device 0. */
    void *irq_ctx;                      /**< Its context. */
    uint32_t irq_line;                  /**< Line of device 0. */
    uint64_t msi_address;               /**< A message that your interrupt controller accepts. */
    uint32_t msi_data;                  /**< Its data. */

    /* time and threads */

    /** Let `ns` of the clock pass: by waiting, or by setting a clock that is yours. */
    void (*advance)(void *ctx, uint64_t ns);
    /** Call `run(arg)` on another CPU or thread, now. @return whether it was started. */
    bool (*start)(void *ctx, void (*run)(void *arg), void *arg);
    /** Wait until it has returned. */
    void (*join)(void *ctx);
    /** Called in loops that wait for the other thread. May be NULL. */
    void (*relax)(void *ctx);
};

/* ---- what you call ---- */

/** Sectors of the suite's disk. */
#define AVPS_PC_SECTORS 32U

/** Requests that the suite's driver can have under way. */
#define AVPS_PC_REQUESTS 8U

/** Storage for litmus tests: two CPUs sweep over these. Private. */
struct avps_pc_litmus {
    atomic_uint round;       /**< Which round is on. */
    atomic_uint ready;       /**< Of the other thread: the round it has finished. */
    uint16_t flag[256];      /**< Shared. */
    uint32_t x[256];         /**< Shared. */
    uint32_t y[256];         /**< Shared. */
    uint64_t wide[256];      /**< Shared. */
    uint32_t seen_by_a[256]; /**< Results. */
    uint32_t seen_by_b[256]; /**< Results. */
};

/** A device of the suite with its driver and back end. Private. */
struct avps_pc_unit {
    struct avps_pc *pc;                                 /**< Whose. */
    uint32_t index;                                     /**< Number. */
    bool attached;                                      /**< Behind the port's transport. */
    const struct avps_port *port;                       /**< The port's. */
    struct avps_blk blk;                                /**< The device. */
    struct avps_queue queue;                            /**< Its queue. */
    struct avps_blk_request requests[AVPS_PC_REQUESTS]; /**< Its requests. */
    uint8_t disk[AVPS_PC_SECTORS * AVPS_BLK_SECTOR];    /**< What is on it. */
    uint64_t held[AVPS_PC_REQUESTS];                    /**< Operations kept: tokens. */
    uint32_t held_count;                                /**< How many. */
    uint32_t submitted;                                 /**< Operations started. */
    bool hold;                                          /**< Keep them. */
    bool cancel_waits;                                  /**< Cancelling takes its time. */
    struct avps_pc_unit *ring_inside;                   /**< Whose doorbell rings inside. */
    avps_gpa base;                                      /**< Driver's memory. */
    uint16_t avail;                                     /**< Available index. */
    uint16_t used;                                      /**< Used index as seen. */
};

/** Counts and fails the calls of the port's memory operations. Private. */
struct avps_pc_wrap {
    struct avps_mem_ops ops;    /**< What the devices get. */
    const struct avps_mem *mem; /**< The port's handle. */
    uint32_t calls;             /**< Calls of operations that may fail. */
    uint32_t fail_at;           /**< The call that fails; 0: none. */
    enum avps_status fail_with; /**< And how. */
    uint32_t maps;              /**< Successful ones. */
    uint32_t unmaps;            /**< Calls. */
    uint32_t pins;              /**< Successful ones. */
    uint32_t unpins;            /**< Calls. */
};

/** The suite's storage, all zero before the first use. Fields but the counts are private. */
struct avps_pc {
    uint32_t passed;  /**< Cases that passed. */
    uint32_t failed;  /**< Cases that failed. */
    uint32_t skipped; /**< Cases whose capability is absent. */

    const struct avps_pc_target *target; /**< Under test. */
    struct avps_mem mem;                 /**< A handle of the suite's own. */
    struct avps_mem other;               /**< One of the other thread's. */
    struct avps_pc_wrap wrap;            /**< Between the devices and the port's operations. */
    struct avps_mem wrapped;             /**< The handle of the devices. */
    avps_gpa work;                       /**< Where the suite works. */
    struct avps_pc_unit units[AVPS_PC_DEVICES]; /**< Devices. */
    const char *what;                           /**< What a case found wrong; NULL: nothing. */
    const char *why_skipped;                    /**< Why a case cannot be run. */
    const char *got_name;                       /**< Name of what was seen, or NULL. */
    const char *want_name;                      /**< Name of what should have been, or NULL. */
    uint64_t got;                               /**< What was seen. */
    uint64_t want;                              /**< What should have been. */
    uint8_t bytes[4096];                        /**< To copy into. */
    struct avps_seg segs[64];                   /**< To map. */
    struct avps_pc_litmus litmus;               /**< Litmus tests. */
    atomic_uint turns;                          /**< Of the device context. */
    atomic_uint progress;                       /**< Of the other thread. */
    atomic_uint trouble;                        /**< What the other thread found. */
    atomic_bool over;                           /**< The other thread is done, or is to stop. */
    char line[240];                             /**< Being written. */
};

/** Run every case. Prints a report that follows the Test Anything Protocol.
 *  @param[in,out] pc  Storage; one run per target, as devices are attached once.
 *  @return How many cases failed; AVPS_PC_BAD_TARGET if the target is not complete. */
AVPS_NODISCARD uint32_t avps_pc_run(struct avps_pc *pc, const struct avps_pc_target *target);

#ifdef __cplusplus
}
#endif
#endif
