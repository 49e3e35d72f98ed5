/* SPDX-License-Identifier: BSD-3-Clause */
/** @file ramdisk.h
 *  RAM disk: a back end for avps/blk.h with a volatile cache, latency, and faults on demand. For
 *  tests, examples and systems whose disk is memory.
 *
 *  Memory: the caller's. Threads: the device's context. Guest: sees sectors only.
 *
 *  Freestanding. The shortest use: `data`, `size`, and the ops from avps_sim_ramdisk_ops().
 */
#ifndef AVPS_SIM_RAMDISK_H
#define AVPS_SIM_RAMDISK_H

#include "avps/blk.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Bit of an operation in `avps_sim_fault.ops`. */
#define AVPS_SIM_OP(op) (1U << (unsigned int)(op))

/** Operations that AVPS_SIM_OP can name, and so the size of `avps_sim_ramdisk_counters.ops`. */
#define AVPS_SIM_OPS 6U

/** Fail some operations. */
struct avps_sim_fault {
    uint32_t ops;    /**< OR of AVPS_SIM_OP; 0: no fault. */
    uint64_t sector; /**< Those that touch [sector, sector + count); a flush, which has no */
    uint64_t count;  /**< range, always. count 0: everywhere. */
    uint32_t skip;   /**< Let so many pass first. */
    uint32_t times;  /**< Fail so many; 0: all. */
    enum avps_status status; /**< With this. */
};

/** An operation that waits. */
struct avps_sim_pending {
    const struct avps_blk_io *io; /**< NULL: free. */
    uint64_t token;               /**< Its token. */
    uint64_t due_ns;              /**< When it is done. */
    uint64_t serial;              /**< Order of arrival. */
};

/** In which order waiting operations are answered. */
enum avps_sim_order {
    AVPS_SIM_OLDEST_FIRST, /**< As they came. */
    AVPS_SIM_NEWEST_FIRST  /**< The other way round. */
};

/** What a cancel does to waiting operations. */
enum avps_sim_cancel {
    AVPS_SIM_CANCEL_NOW,  /**< Forgets them. */
    AVPS_SIM_CANCEL_LATER /**< Answers them at their time. */
};

/** Configuration. */
struct avps_sim_ramdisk_config {
    uint8_t *data;                     /**< Required: what the guest reads. */
    uint64_t size;                     /**< Bytes, a multiple of 512. */
    uint8_t *durable;                  /**< NULL, or `size` bytes that survive a power cut: written
                                            by flush and FUA only. */
    struct avps_sim_pending *pending;  /**< NULL: every operation is done at once. */
    uint32_t pending_count;            /**< Places: the device's request_count. */
    uint64_t (*now_ns)(void *ctx);     /**< Clock; NULL: each poll finishes everything. */
    void *now_ctx;                     /**< Handed to the clock. */
    uint64_t latency_ns;               /**< Time that an operation takes. */
    enum avps_sim_order order;         /**< Order of answers. */
    enum avps_sim_cancel cancel;       /**< Kind of cancel. */
    bool copy_only;                    /**< Never ask for the guest's segments. */
    struct avps_blk_lifetime lifetime; /**< What the driver is told. */
};

/** What happened. */
struct avps_sim_ramdisk_counters {
    uint64_t ops[AVPS_SIM_OPS]; /**< Operations started, by enum avps_blk_op. */
    uint64_t fua;               /**< Those with FUA. */
    uint64_t failed;            /**< Failed on demand. */
    uint64_t zero_copies;       /**< Served on the guest's segments. */
    uint64_t cancelled;         /**< Forgotten by a cancel. */
};

/** A RAM disk. Fields are private. */
struct avps_sim_ramdisk {
    struct avps_sim_ramdisk_config config;     /**< As configured. */
    struct avps_blk *blk;                      /**< Whom to answer. */
    struct avps_sim_fault fault;               /**< Fault in force. */
    uint64_t serial;                           /**< Operations so far. */
    uint32_t waiting;                          /**< Of which so many wait. */
    struct avps_seg segs[AVPS_BLK_SEGS];       /**< Segments of the operation being served. */
    struct avps_sim_ramdisk_counters counters; /**< Counters. */
};

/** Initialise. @return AVPS_OK; AVPS_E_PARAM without data, for a size of 0 or not of whole sectors,
 *  or for pending places without a count. */
AVPS_NODISCARD enum avps_status avps_sim_ramdisk_init(struct avps_sim_ramdisk *disk,
                                                      const struct avps_sim_ramdisk_config *config);

/** Back end operations for `avps_blk_config.ops`; `ctx` is the disk. */
const struct avps_blk_ops *avps_sim_ramdisk_ops(void);

/** Name the device to be answered, after avps_blk_init. Needed when operations wait. */
void avps_sim_ramdisk_attach(struct avps_sim_ramdisk *disk, struct avps_blk *blk);

/** Answer the operations that are due. Call it when `now_ns` has gone on.
 *  @return How many were answered. */
uint32_t avps_sim_ramdisk_poll(struct avps_sim_ramdisk *disk);

/** When the next operation is due. @return Nanoseconds of the clock; UINT64_MAX: none waits. */
uint64_t avps_sim_ramdisk_due_ns(const struct avps_sim_ramdisk *disk);

/** Put a fault in force; replaces the one before. */
void avps_sim_ramdisk_fault(struct avps_sim_ramdisk *disk, const struct avps_sim_fault *fault);

/** Change how long operations take from now on. */
void avps_sim_ramdisk_set_latency(struct avps_sim_ramdisk *disk, uint64_t latency_ns);

/** The power fails: what was not made durable is lost, and so is what waits. Needs `durable`.
 *  Reset the device afterwards. */
void avps_sim_ramdisk_power_cut(struct avps_sim_ramdisk *disk);

/** Counters; valid as long as the disk is. */
const struct avps_sim_ramdisk_counters *
avps_sim_ramdisk_counters(const struct avps_sim_ramdisk *disk);

#ifdef __cplusplus
}
#endif
#endif
