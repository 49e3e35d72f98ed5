/* SPDX-License-Identifier: BSD-3-Clause */
/** @file mem.h
 *  How the library reaches guest memory: the contracts you implement, the handle you initialise.
 *
 *  Memory: the caller's; region tables and ops are borrowed and outlive the handle.
 *  Threads: one handle belongs to one device; region tables may be shared, read only.
 *  Guest: every address is hostile and is checked here before use.
 *
 *  Four contracts, chosen at run time per device:
 *  - **region table**: a sorted static table, translated inline, no call (avps_mem_init_regions);
 *  - **translate**: your function gives a host pointer for an address, zero copy;
 *  - **map/unmap**: all ranges of a chain in one call (Xen grants), unmapped when it is used;
 *  - **read/write**: copies only.
 */
#ifndef AVPS_MEM_H
#define AVPS_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avps/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A guest physical address (or bus address, with ACCESS_PLATFORM). Never a pointer. */
typedef uint64_t avps_gpa;

/** What the device does with a range. */
enum avps_access {
    AVPS_ACCESS_READ = 1,  /**< The device reads guest memory. */
    AVPS_ACCESS_WRITE = 2, /**< The device writes guest memory. */
    AVPS_ACCESS_RW = 3     /**< Both: used rings and packed descriptor rings. */
};

/** One piece of a chain. `ptr` is NULL under the read/write contract. */
struct avps_seg {
    uint8_t *ptr; /**< Host address of the first byte, or NULL when only copies are possible. */
    avps_gpa gpa; /**< Guest address of the first byte. */
    uint32_t len; /**< Bytes, at least 1. */
};

/** One row of the region table. */
struct avps_mem_region {
    avps_gpa gpa;    /**< First guest address. */
    uint64_t size;   /**< Bytes, at least 1; gpa + size must not pass 2^64. */
    uint8_t *host;   /**< Where `gpa` is in the host's address space. */
    uint32_t access; /**< OR of enum avps_access: what devices may do here. */
};

/** Guest memory operations. Supply `translate`, or `map` with `unmap`, `pin` and `read`, or `read` with `write`
 *  (looked for in this order); NULL elsewhere means "capability absent". None may call the
 *  library. Statuses an op may return: AVPS_OK, AVPS_E_GUEST_ADDR, AVPS_E_GUEST_ACCESS (the guest
 *  is latched), AVPS_AGAIN (retried at a later poll), AVPS_E_IO (reported, retried). */
struct avps_mem_ops {
    /** Give the host address of `gpa`. On entry `*len` is the wish in bytes, at least 1; on
     *  success it is clipped to what is contiguous from there, at least 1. */
    enum avps_status (*translate)(void *ctx, avps_gpa gpa, enum avps_access access, uint64_t *len,
                                  uint8_t **ptr);
    /** Map all `count` segments: fill every `ptr`. The first `readable` are read by the device,
     *  the rest written. All or nothing. `*handle` is yours, handed back to unmap. */
    enum avps_status (*map)(void *ctx, struct avps_seg *segs, uint32_t count, uint32_t readable,
                            uint64_t *handle);
    /** Undo map; called exactly once for each successful map, also after a reset. */
    void (*unmap)(void *ctx, uint64_t handle, const struct avps_seg *segs, uint32_t count);
    /** Copy `len` bytes out of guest memory. Aligned 2- and 4-byte reads must be single accesses. */
    enum avps_status (*read)(void *ctx, avps_gpa gpa, void *dst, size_t len);
    /** Copy `len` bytes into guest memory; same rule. */
    enum avps_status (*write)(void *ctx, avps_gpa gpa, const void *src, size_t len);
    /** Map a ring area for as long as the queue is enabled. NULL: translate is used once, or, when
     *  only read/write exist, every ring access is a copy. With map/unmap, pin is required. */
    enum avps_status (*pin)(void *ctx, avps_gpa gpa, uint64_t len, enum avps_access access,
                            uint8_t **ptr);
    /** Undo pin. May be NULL when pin is. */
    void (*unpin)(void *ctx, avps_gpa gpa, uint64_t len, uint8_t *ptr);
    /** The device wrote [gpa, gpa + len): migration log. May be NULL. */
    void (*dirty)(void *ctx, avps_gpa gpa, uint64_t len);
    /** Non-coherent memory: write back host cache lines after the device wrote. May be NULL. */
    void (*cache_clean)(void *ctx, const uint8_t *ptr, size_t len);
    /** Non-coherent memory: drop host cache lines before the device reads. May be NULL. */
    void (*cache_inval)(void *ctx, const uint8_t *ptr, size_t len);
};

/** A device's way to guest memory. Initialise with one of the functions below; fields are private. */
struct avps_mem {
    const struct avps_mem_region *regions; /**< Sorted by gpa, or NULL. */
    uint32_t region_count;                 /**< Rows. */
    uint32_t last;                         /**< Row that the last look-up hit. */
    const struct avps_mem_ops *ops;        /**< May be NULL with a region table. */
    void *ctx;                             /**< Handed to every op. */
};

/** Use a region table, optionally with `dirty`, `cache_clean`, `cache_inval` from `ops`.
 *  @param[out] mem       Handle to fill.
 *  @param[in]  regions   Sorted by gpa, not overlapping; borrowed.
 *  @param      count     Rows, 1..2^31.
 *  @param[in]  ops       NULL, or hooks; translate/map/read/write in it are ignored.
 *  @param      ctx       Handed to the hooks.
 *  @return AVPS_OK; AVPS_E_PARAM if a row is empty, wraps, overlaps, is out of order, or has no
 *  host address. */
AVPS_NODISCARD enum avps_status avps_mem_init_regions(struct avps_mem *mem,
                                                      const struct avps_mem_region *regions,
                                                      uint32_t count,
                                                      const struct avps_mem_ops *ops, void *ctx);

/** Use operations of your own.
 *  @return AVPS_OK; AVPS_E_PARAM if neither translate, nor map+unmap+pin+read, nor read+write exist. */
AVPS_NODISCARD enum avps_status avps_mem_init_ops(struct avps_mem *mem,
                                                  const struct avps_mem_ops *ops, void *ctx);

/** Copy from guest memory, for ports and tools. May be called where the device may be polled.
 *  @return AVPS_OK; AVPS_E_GUEST_ADDR or AVPS_E_GUEST_ACCESS for a bad range (some bytes may have
 *  been copied); AVPS_AGAIN or AVPS_E_IO from an op; AVPS_E_UNSUPPORTED under map/unmap. */
AVPS_NODISCARD enum avps_status avps_mem_read(struct avps_mem *mem, avps_gpa gpa, void *dst,
                                              size_t len);

/** Copy into guest memory; like avps_mem_read. */
AVPS_NODISCARD enum avps_status avps_mem_write(struct avps_mem *mem, avps_gpa gpa, const void *src,
                                               size_t len);

#ifdef __cplusplus
}
#endif
#endif
