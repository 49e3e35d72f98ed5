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
 *
 *  Made of these, ready to use: the **bounce window** (avps_mem_init_window: the guest shares one
 *  range and nothing else) and the **IOTLB** (iotlb.h: addresses that an IOMMU translates, with
 *  answers that may be late). Memory that the guest maps uncached needs the **cache hooks**.
 *
 *  Who is called when: everything below is called from inside avps_poll, a register write, a reset
 *  or another call of yours for the device, in that context, never from a doorbell. A chain's ranges
 *  are mapped after the whole chain was checked, and released before the driver can see that it was
 *  used; whatever ends a chain (used, put back, refused, reset of the queue or the device) releases
 *  it exactly once.
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

/** Guest memory operations. Supply `translate`, or `map` with `unmap` and `pin`, or `read` with
 *  `write` (looked for in this order); NULL elsewhere means "capability absent". None may call the
 *  library. Statuses an op may return: AVPS_OK, AVPS_E_GUEST_ADDR, AVPS_E_GUEST_ACCESS (the guest
 *  is latched), AVPS_AGAIN (nothing was consumed; retried at a later poll), AVPS_E_IO (counted,
 *  retried). */
struct avps_mem_ops {
    /** Give the host address of `gpa`. On entry `*len` is the wish in bytes, at least 1; on
     *  success it is clipped to what is contiguous from there, at least 1. */
    enum avps_status (*translate)(void *ctx, avps_gpa gpa, enum avps_access access, uint64_t *len,
                                  uint8_t **ptr);
    /** Map all `count` segments of a chain (1..its capacity): fill every `ptr`. The first `readable`
     *  are read by the device, the rest written. All or nothing. `*handle` is yours, handed back to
     *  unmap. Memory that you fill in by copying must hold the guest's bytes, also of segments that
     *  are written: the device need not write all of them.
     *  Beside `translate` it is told which segments are in use from now on: each `ptr` is filled. */
    enum avps_status (*map)(void *ctx, struct avps_seg *segs, uint32_t count, uint32_t readable,
                            uint64_t *handle);
    /** Undo map; called exactly once for each successful map, with the same segments: before the
     *  driver is shown the used chain, when a chain is put back or refused, and in a reset. */
    void (*unmap)(void *ctx, uint64_t handle, const struct avps_seg *segs, uint32_t count);
    /** Copy `len` bytes out of guest memory. Aligned 2- and 4-byte reads must be single accesses.
     *  Under map/unmap it serves indirect tables, 16 bytes a call; where a call costs as much as
     *  mapping does, leave it NULL. */
    enum avps_status (*read)(void *ctx, avps_gpa gpa, void *dst, size_t len);
    /** Copy `len` bytes into guest memory; same rule. */
    enum avps_status (*write)(void *ctx, avps_gpa gpa, const void *src, size_t len);
    /** Map a ring area in one piece for as long as the queue is enabled; three a queue. Required
     *  under map/unmap, and without `read` there also used for indirect tables, each for as long as it
     *  is walked. NULL: the region table or translate is used once, or, when only read/write exist,
     *  every ring access is a copy. */
    enum avps_status (*pin)(void *ctx, avps_gpa gpa, uint64_t len, enum avps_access access,
                            uint8_t **ptr);
    /** Undo pin, with what it was given and gave. May be NULL when pin is, or needs no undoing. */
    void (*unpin)(void *ctx, avps_gpa gpa, uint64_t len, uint8_t *ptr);
    /** The device wrote [gpa, gpa + len): migration log. May be NULL. */
    void (*dirty)(void *ctx, avps_gpa gpa, uint64_t len);
    /** Non-coherent memory: the device wrote [ptr, ptr + len). Write the cache lines back that hold
     *  it, and return when the guest can see it (a barrier is yours). May be NULL. */
    void (*cache_clean)(void *ctx, const uint8_t *ptr, size_t len);
    /** Non-coherent memory: the device is about to read or write [ptr, ptr + len). Drop the cache
     *  lines that hold any of it; lines that are dirty are written back first (clean and invalidate),
     *  and return when the next access reaches memory. Lines at both ends may hold other bytes, also
     *  of yours where guest memory does not begin at a line. May be NULL. */
    void (*cache_inval)(void *ctx, const uint8_t *ptr, size_t len);
    /** With cache hooks: what `pin` gives is mapped uncached. The hooks are then not called for rings,
     *  and packed rings can be offered: their descriptors of driver and device share cache lines, which
     *  no cache maintenance gets right. Needs `pin`. */
    bool rings_uncached;
};

/** A device's way to guest memory. Initialise with one of the functions below; fields are private. */
struct avps_mem {
    const struct avps_mem_region *regions; /**< Sorted by gpa, or NULL. */
    uint32_t region_count;                 /**< Rows. */
    uint32_t last;                         /**< Row that the last look-up hit. */
    const struct avps_mem_ops *ops;        /**< May be NULL with a region table. */
    void *ctx;                             /**< Handed to every op. */
    bool platform;                         /**< Only for devices with ACCESS_PLATFORM. */
};

/** Use a region table, optionally with hooks and `pin` from `ops`. For hypervisors that have all of a
 *  guest's memory mapped: KVM, Jailhouse, Bao, seL4, an RTOS, vhost-user.
 *  @param[out] mem       Handle to fill.
 *  @param[in]  regions   Sorted by gpa, not overlapping; borrowed.
 *  @param      count     Rows, 1..2^31.
 *  @param[in]  ops       NULL, or hooks (dirty, cache_clean, cache_inval) and pin/unpin;
 *                        translate/map/read/write in it are ignored.
 *  @param      ctx       Handed to the hooks.
 *  @return AVPS_OK; AVPS_E_PARAM if a row is empty, wraps, overlaps, is out of order, or has no
 *  host address, or for rings_uncached without pin. */
AVPS_NODISCARD enum avps_status avps_mem_init_regions(struct avps_mem *mem,
                                                      const struct avps_mem_region *regions,
                                                      uint32_t count,
                                                      const struct avps_mem_ops *ops, void *ctx);

/** Use operations of your own: `translate` for sparse memory, `map` where mapping is a hypercall (Xen
 *  grants: one batch a chain, rings are pinned), `read` and `write` where nothing can be mapped.
 *  @return AVPS_OK; AVPS_E_PARAM if neither translate, nor map+unmap+pin, nor read+write exist, or for
 *  rings_uncached without pin. */
AVPS_NODISCARD enum avps_status avps_mem_init_ops(struct avps_mem *mem,
                                                  const struct avps_mem_ops *ops, void *ctx);

/** Bytes that a bounce window's ends are multiples of. */
#define AVPS_MEM_WINDOW_ALIGN 4096U

/** Bounce window (restricted DMA): of the guest's memory the device's side sees this range and nothing
 *  else, so rings and buffers must lie in it; the guest's own kernel copies ("swiotlb") in and out of
 *  it. Whatever points elsewhere is a fault of the guest, AVPS_E_GUEST_ADDR. For protected guests
 *  (pKVM, Gunyah) and for partitions that share one range (Jailhouse, seL4). Costs nothing beyond a
 *  region table of one row.
 *  The guest learns of it from its device tree: avps_fdt_add_window() (fdt.h). Linux keeps to it only
 *  where the device has ACCESS_PLATFORM, so a device is refused this handle without
 *  avps_device_config.access_platform.
 *  @param[out] mem     Handle to fill.
 *  @param[in]  window  gpa and size multiples of AVPS_MEM_WINDOW_ALIGN, access AVPS_ACCESS_RW; borrowed.
 *  @param[in]  ops     As for avps_mem_init_regions(). @param ctx  Likewise.
 *  @return AVPS_OK; AVPS_E_PARAM. */
AVPS_NODISCARD enum avps_status avps_mem_init_window(struct avps_mem *mem,
                                                     const struct avps_mem_region *window,
                                                     const struct avps_mem_ops *ops, void *ctx);

/** Copy from guest memory, for ports and tools. May be called where the device may be polled.
 *  @return AVPS_OK; AVPS_E_GUEST_ADDR or AVPS_E_GUEST_ACCESS for a bad range (some bytes may have
 *  been copied); AVPS_AGAIN or AVPS_E_IO from an op. */
AVPS_NODISCARD enum avps_status avps_mem_read(struct avps_mem *mem, avps_gpa gpa, void *dst,
                                              size_t len);

/** Copy into guest memory; like avps_mem_read. @return Also AVPS_E_UNSUPPORTED under map/unmap without
 *  `write`. */
AVPS_NODISCARD enum avps_status avps_mem_write(struct avps_mem *mem, avps_gpa gpa, const void *src,
                                               size_t len);

#ifdef __cplusplus
}
#endif
#endif
