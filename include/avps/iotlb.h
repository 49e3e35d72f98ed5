/* SPDX-License-Identifier: BSD-3-Clause */
/** @file iotlb.h
 *  Memory contract behind an IOMMU: addresses in rings and descriptors are I/O virtual ones, which
 *  this provider looks up in a table of translations that you keep up to date. Answers may be late.
 *
 *  Memory: the caller's; the tables are borrowed. Threads: one IOTLB, the devices on it and its
 *  calls share one context. Guest: chooses every address; what an address means is your answer.
 *
 *  For vhost-user and VDUSE, for a hypervisor that emulates an IOMMU (SMMU, VT-d, virtio-iommu) in
 *  front of its devices, and wherever a translation is known to another process.
 *
 *  **A miss waits.** Where the table has no translation, `lookup` is called. It may answer at once, or
 *  with AVPS_AGAIN: the chain then stays in its ring, a queue that was being enabled stays "enabled,
 *  not started", and nothing is lost; other queues go on. When you know the answer you call
 *  avps_iotlb_update() or avps_iotlb_refuse(), which ask for a poll by `wake`. An answer that never
 *  comes holds up that queue alone; it can be reset. Answers may come in any order, unasked, and
 *  several times.
 *
 *  **Invalidation.** After avps_iotlb_invalidate() nothing is looked up in the range any more. Chains
 *  in flight and rings may still use it: then the answer is AVPS_PENDING and `released` tells when the
 *  last user is gone. Only then may the memory be taken away, or the guest be told that the
 *  invalidation is complete. Chains leave when they are used or reset, rings when their queue is reset
 *  or stopped (avps_remote_stop_queue()).
 *  Entries are dropped and waited for as a whole, also where a part of them is invalidated.
 *
 *  Use: avps_iotlb_init(), then avps_iotlb_mem() for the handle of every device, each with
 *  avps_device_config.access_platform. A range that is one piece for the guest may be many here: size
 *  AVPS_CHAIN_SEGS for it, or limit segments (`size_max` of the block device).
 */
#ifndef AVPS_IOTLB_H
#define AVPS_IOTLB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avps/mem.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A translation: [iova, iova + size) is [gpa, gpa + size). */
struct avps_iotlb_range {
    avps_gpa iova;   /**< First I/O virtual address. */
    uint64_t size;   /**< Bytes, at least 1; neither end wraps. */
    avps_gpa gpa;    /**< First address in the memory below. */
    uint32_t access; /**< OR of enum avps_access, at least one. */
};

/** What you implement. Called from inside a device's poll or register access. */
struct avps_iotlb_ops {
    /** There is no translation of `iova`. Must not call the library.
     *  @param[out] range  With AVPS_OK: the answer, of which `iova` is a part; it is kept.
     *  @return AVPS_OK; AVPS_AGAIN: you will answer later, and are not asked again until then (but for
     *  a question that had to make room for newer ones); AVPS_E_GUEST_ADDR: the guest has mapped
     *  nothing there; AVPS_E_GUEST_ACCESS: not for this access; AVPS_E_IO: nobody can be asked now,
     *  ask again at a later poll. */
    enum avps_status (*lookup)(void *ctx, avps_gpa iova, enum avps_access access,
                               struct avps_iotlb_range *range);
    /** Something may go on: poll the devices on this IOTLB soon. Must not poll itself. NULL: you poll
     *  them anyway. */
    void (*wake)(void *ctx);
    /** Nothing uses the translation [iova, iova + size) any more, which was invalidated earlier. Must
     *  not call the library. NULL: you call avps_iotlb_invalidate() again. */
    void (*released)(void *ctx, avps_gpa iova, uint64_t size);
    /** As in struct avps_mem_ops, in the addresses of the memory below: the device wrote there. Where a
     *  translation changed while it was in use, what either leads to is reported. May be NULL. */
    void (*dirty)(void *ctx, avps_gpa gpa, uint64_t len);
    /** As in struct avps_mem_ops. With either of these packed rings are not offered. May be NULL. */
    void (*cache_clean)(void *ctx, const uint8_t *ptr, size_t len);
    /** As in struct avps_mem_ops. May be NULL. */
    void (*cache_inval)(void *ctx, const uint8_t *ptr, size_t len);
};

/** One translation of the table. Private; the storage is the caller's. */
struct avps_iotlb_entry {
    struct avps_iotlb_range range; /**< As it was told. */
    uint64_t born;                 /**< When it was entered, in changes of the table. */
    uint64_t died;                 /**< When it was invalidated while in use. */
    uint32_t users;                /**< Segments of chains in flight, and ring areas. */
};

/** A miss without an answer. Private; the storage is the caller's. */
struct avps_iotlb_question {
    avps_gpa iova;   /**< What was asked. */
    uint32_t access; /**< For which access. */
    bool refused;    /**< The answer is no; whoever waits has not looked yet. */
};

/** Configuration. */
struct avps_iotlb_config {
    const struct avps_mem_region *regions; /**< Required: what translated addresses mean, a table as
                                                for avps_mem_init_regions(); borrowed. */
    uint32_t region_count;                 /**< Its rows. */
    struct avps_iotlb_entry *entries;      /**< Required: storage for `entry_count` translations. */
    uint32_t entry_count;                  /**< At least what all chains in flight and all rings can
                                                use at once; with fewer, chains wait for others. */
    struct avps_iotlb_question *questions; /**< Required: storage for `question_count`. */
    uint32_t question_count;               /**< At least 1; one a queue is enough. */
    const struct avps_iotlb_ops *ops;      /**< Required; `lookup` is. */
    void *ctx;                             /**< Handed to the ops. */
};

/** Counters. */
struct avps_iotlb_counters {
    uint64_t misses;   /**< Calls of `lookup`. */
    uint64_t updates;  /**< Translations entered. */
    uint64_t evicted;  /**< Of these, thrown out for others. */
    uint64_t full;     /**< Translations not entered: all others were in use. */
    uint64_t refused;  /**< Accesses that failed for want of a translation or of a right. */
    uint64_t deferred; /**< Translations that were in use when they were invalidated. */
};

/** An IOTLB. Fields are private. */
struct avps_iotlb {
    struct avps_mem below;                 /**< Memory below. */
    struct avps_iotlb_entry *entries;      /**< Live ones from the front, sorted by iova; those that
                                                were invalidated in use from the back. */
    uint32_t capacity;                     /**< Entries. */
    uint32_t count;                        /**< Live ones. */
    uint32_t dying;                        /**< Invalidated ones in use. */
    uint32_t victim;                       /**< Where to look for the next one to throw out. */
    uint64_t changes;                      /**< Of the table. */
    bool disturbed;                        /**< A look-up threw out entries: what a walk
                                                found may be gone. */
    bool crowded;                          /**< A translation found no room. */
    struct avps_iotlb_question *questions; /**< Oldest first. */
    uint32_t question_cap;                 /**< Room for questions. */
    uint32_t question_count;               /**< Questions. */
    const struct avps_iotlb_ops *ops;      /**< Who answers. */
    void *ctx;                             /**< Its context. */
    struct avps_iotlb_counters counters;   /**< Counters. */
};

/** Initialise, empty.
 *  @return AVPS_OK; AVPS_E_PARAM: an argument is missing or 0, or the region table is malformed. */
AVPS_NODISCARD enum avps_status avps_iotlb_init(struct avps_iotlb *tlb,
                                                const struct avps_iotlb_config *config);

/** The handle for a device's configuration, or for avps_remote_set_mem(). It is good as long as the
 *  IOTLB is.
 *  @return AVPS_OK; AVPS_E_PARAM. */
AVPS_NODISCARD enum avps_status avps_iotlb_mem(struct avps_iotlb *tlb, struct avps_mem *mem);

/** Enter a translation, asked for or not. What it overlaps is invalidated as by
 *  avps_iotlb_invalidate(). Whoever waits for an address in it goes on at the next poll (`wake`).
 *  @return AVPS_OK; AVPS_E_PARAM: empty, wraps, or no access; AVPS_E_NOSPACE: all entries are in use,
 *  whoever waits will ask again. */
AVPS_NODISCARD enum avps_status avps_iotlb_update(struct avps_iotlb *tlb,
                                                  const struct avps_iotlb_range *range);

/** The answer to questions about [iova, iova + size) is that the guest has mapped nothing there: the
 *  queues that wait for it fault, AVPS_E_GUEST_ADDR. Says nothing about later accesses. A refusal that
 *  meets nobody, because the device was reset meanwhile, stands until an update or an invalidation
 *  covers the address.
 *  @return AVPS_OK; AVPS_EMPTY: nobody asked; AVPS_E_PARAM: empty or wraps. */
AVPS_NODISCARD enum avps_status avps_iotlb_refuse(struct avps_iotlb *tlb, avps_gpa iova,
                                                  uint64_t size);

/** Forget every translation that has a part of [iova, iova + size). May be called again to see whether
 *  it is complete.
 *  @return AVPS_OK: nothing uses any of them; AVPS_PENDING: rings or chains in flight do; AVPS_E_PARAM:
 *  empty or wraps. */
AVPS_NODISCARD enum avps_status avps_iotlb_invalidate(struct avps_iotlb *tlb, avps_gpa iova,
                                                      uint64_t size);

/** Forget all translations and all questions, as when the guest is reset, or the memory below changes.
 *  @return As avps_iotlb_invalidate(). */
AVPS_NODISCARD enum avps_status avps_iotlb_clear(struct avps_iotlb *tlb);

/** Translations, live or invalidated, that rings and chains in flight use now. */
uint32_t avps_iotlb_in_use(const struct avps_iotlb *tlb);

/** Counters; valid as long as the IOTLB is. */
const struct avps_iotlb_counters *avps_iotlb_counters(const struct avps_iotlb *tlb);

#ifdef __cplusplus
}
#endif
#endif
