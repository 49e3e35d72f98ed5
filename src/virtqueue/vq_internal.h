/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared by the ring formats: descriptor flags, guest memory look-up, ring accessors, walk helpers.
 * The accessors hide whether a ring is plain memory, memory with hooks, or reached by copies. */
#ifndef AVPS_VQ_INTERNAL_H
#define AVPS_VQ_INTERNAL_H

#ifdef AVPS_PORT_ARCH_HEADER
#include AVPS_PORT_ARCH_HEADER
#else
#include "avps/arch_default.h"
#endif
#include "avps/vq.h"

#define VIRTQ_DESC_F_NEXT          1U
#define VIRTQ_DESC_F_WRITE         2U
#define VIRTQ_DESC_F_INDIRECT      4U
#define VIRTQ_DESC_F_AVAIL         0x0080U
#define VIRTQ_DESC_F_USED          0x8000U
#define VIRTQ_DESC_SIZE            16U
#define AVPS_QUEUE_ENTRIES_MAX     32768U /* of a queue or an indirect table, by the standard */
#define VIRTQ_AVAIL_F_NO_INTERRUPT 1U
#define VIRTQ_USED_F_NO_NOTIFY     1

#if defined(__GNUC__)
#define AVPS_LIKELY(x)   __builtin_expect(!!(x), 1)
#define AVPS_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define AVPS_INLINE      static inline __attribute__((always_inline))
#else
#define AVPS_LIKELY(x)   (x)
#define AVPS_UNLIKELY(x) (x)
#define AVPS_INLINE      static inline
#endif

/* The private copy of one descriptor. `next` is the buffer id in a packed ring. */
struct virtq_desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags;
    uint16_t next;
};

/* mem.c */
enum avps_status avps_mem_translate(struct avps_mem *mem, avps_gpa gpa, enum avps_access access,
                                    uint64_t *len, uint8_t **ptr);
enum avps_status avps_mem_add_range(struct avps_chain *chain, struct avps_mem *mem, uint32_t *segs,
                                    avps_gpa gpa, uint32_t len, enum avps_access access);
enum avps_status avps_mem_map_chain(struct avps_chain *chain);
void avps_mem_release_chain(struct avps_chain *chain);
enum avps_status avps_ring_attach(struct avps_mem *mem, struct avps_ring_area *area, avps_gpa gpa,
                                  uint32_t len, uint32_t align, enum avps_access access);
enum avps_status avps_table_attach(struct avps_mem *mem, struct avps_ring_area *area, avps_gpa gpa,
                                   uint32_t len);
void avps_ring_detach(struct avps_mem *mem, struct avps_ring_area *area);
enum avps_status avps_ring_read_slow(const struct avps_vq *vq, const struct avps_ring_area *area,
                                     uint32_t off, void *dst, uint32_t len);
enum avps_status avps_ring_write_slow(const struct avps_vq *vq, const struct avps_ring_area *area,
                                      uint32_t off, const void *src, uint32_t len);

/* split.c and packed.c: the two formats behind vq.h */
enum avps_status avps_split_pop(struct avps_vq *vq, struct avps_chain *chains, uint32_t max,
                                uint32_t *count);
void avps_split_unpop(struct avps_vq *vq, const struct avps_chain *chain);
enum avps_status avps_split_push(struct avps_vq *vq, struct avps_chain *chains, uint32_t count);
enum avps_status avps_split_publish(struct avps_vq *vq, bool *notify);
enum avps_status avps_split_set_kicks(struct avps_vq *vq, bool wanted);
bool avps_split_has_work(struct avps_vq *vq);

enum avps_status avps_packed_pop(struct avps_vq *vq, struct avps_chain *chains, uint32_t max,
                                 uint32_t *count);
void avps_packed_unpop(struct avps_vq *vq, const struct avps_chain *chain);
enum avps_status avps_packed_push(struct avps_vq *vq, struct avps_chain *chains, uint32_t count);
enum avps_status avps_packed_publish(struct avps_vq *vq, bool *notify);
enum avps_status avps_packed_set_kicks(struct avps_vq *vq, bool wanted);
bool avps_packed_has_work(struct avps_vq *vq);

/* Busy bits: a chain id that is in flight may not be made available again (I10). */
AVPS_INLINE bool vq_is_busy(const struct avps_vq *vq, uint32_t id)
{
    return (vq->busy[id / 32U] >> (id % 32U) & 1U) != 0U;
}

AVPS_INLINE void vq_set_busy(struct avps_vq *vq, uint32_t id, bool busy)
{
    const uint32_t bit = (uint32_t)1 << (id % 32U);

    if (busy) {
        vq->busy[id / 32U] |= bit;
    } else {
        vq->busy[id / 32U] &= ~bit;
    }
}

/* Remember a guest fault; it is returned by every later pop (I19). */
AVPS_INLINE enum avps_status vq_latch(struct avps_vq *vq, enum avps_status status)
{
    if (avps_status_is_guest_fault(status)) {
        vq->fault = status;
    }
    return status;
}

/* ---- ring accessors: `off` and the access lie inside the area ---- */

AVPS_INLINE enum avps_status ring_load16_acquire(const struct avps_vq *vq,
                                                 const struct avps_ring_area *area, uint32_t off,
                                                 uint16_t *value)
{
    if (AVPS_LIKELY(area->fast != NULL)) {
        *value = avps_arch_load16_acquire(area->fast + off);
        return AVPS_OK;
    }
    uint16_t raw = 0;
    const enum avps_status status = avps_ring_read_slow(vq, area, off, &raw, sizeof raw);
    *value = avps_arch_le16(raw);
    return status;
}

AVPS_INLINE enum avps_status ring_load16(const struct avps_vq *vq,
                                         const struct avps_ring_area *area, uint32_t off,
                                         uint16_t *value)
{
    if (AVPS_LIKELY(area->fast != NULL)) {
        *value = avps_arch_load16(area->fast + off);
        return AVPS_OK;
    }
    uint16_t raw = 0;
    const enum avps_status status = avps_ring_read_slow(vq, area, off, &raw, sizeof raw);
    *value = avps_arch_le16(raw);
    return status;
}

AVPS_INLINE void virtq_desc_decode(struct virtq_desc *desc, uint64_t addr, uint64_t rest)
{
    desc->addr = addr;
    desc->len = (uint32_t)(rest & 0xffffffffU);
    desc->flags = (uint16_t)(rest >> 32 & 0xffffU);
    desc->next = (uint16_t)(rest >> 48);
}

/* One descriptor by one copy of each byte. Split: len, flags, next; packed: len, id, flags, so the
 * caller of a packed ring swaps the two (see packed.c). */
AVPS_INLINE enum avps_status ring_load_desc(const struct avps_vq *vq,
                                            const struct avps_ring_area *area, uint32_t index,
                                            struct virtq_desc *desc)
{
    const uint32_t off = index * VIRTQ_DESC_SIZE;

    if (AVPS_LIKELY(area->fast != NULL)) {
        const uint64_t addr = avps_arch_load64(area->fast + off);
        virtq_desc_decode(desc, addr, avps_arch_load64(area->fast + off + 8U));
        return AVPS_OK;
    }
    uint32_t raw[4] = {0, 0, 0, 0};
    const enum avps_status status = avps_ring_read_slow(vq, area, off, raw, sizeof raw);
    virtq_desc_decode(desc, avps_arch_le32(raw[0]) | (uint64_t)avps_arch_le32(raw[1]) << 32,
                      avps_arch_le32(raw[2]) | (uint64_t)avps_arch_le32(raw[3]) << 32);
    return status;
}

/* The same where the last field says whether the rest may be read: it is read first, and its first
 * reading is the one that counts. */
AVPS_INLINE enum avps_status ring_load_desc_acquire(const struct avps_vq *vq,
                                                    const struct avps_ring_area *area,
                                                    uint32_t index, struct virtq_desc *desc)
{
    const uint32_t off = index * VIRTQ_DESC_SIZE;

    if (AVPS_LIKELY(area->fast != NULL)) {
        const uint64_t rest = avps_arch_load64_acquire(area->fast + off + 8U);
        virtq_desc_decode(desc, avps_arch_load64(area->fast + off), rest);
        return AVPS_OK;
    }
    uint16_t flags = 0;
    enum avps_status status = ring_load16_acquire(vq, area, off + VIRTQ_DESC_SIZE - 2U, &flags);

    virtq_desc_decode(desc, 0, 0);
    if (status == AVPS_OK) {
        status = ring_load_desc(vq, area, index, desc);
    }
    desc->next = flags;
    return status;
}

AVPS_INLINE enum avps_status ring_store16_release(const struct avps_vq *vq,
                                                  const struct avps_ring_area *area, uint32_t off,
                                                  uint16_t value)
{
    if (AVPS_LIKELY(area->fast != NULL)) {
        avps_arch_store16_release(area->fast + off, value);
        return AVPS_OK;
    }
    const uint16_t raw = avps_arch_le16(value);
    avps_arch_fence_release();
    return avps_ring_write_slow(vq, area, off, &raw, sizeof raw);
}

AVPS_INLINE enum avps_status ring_store16(const struct avps_vq *vq,
                                          const struct avps_ring_area *area, uint32_t off,
                                          uint16_t value)
{
    if (AVPS_LIKELY(area->fast != NULL)) {
        avps_arch_store16(area->fast + off, value);
        return AVPS_OK;
    }
    const uint16_t raw = avps_arch_le16(value);
    return avps_ring_write_slow(vq, area, off, &raw, sizeof raw);
}

AVPS_INLINE enum avps_status ring_store32(const struct avps_vq *vq,
                                          const struct avps_ring_area *area, uint32_t off,
                                          uint32_t value)
{
    if (AVPS_LIKELY(area->fast != NULL)) {
        avps_arch_store32(area->fast + off, value);
        return AVPS_OK;
    }
    const uint32_t raw = avps_arch_le32(value);
    return avps_ring_write_slow(vq, area, off, &raw, sizeof raw);
}

/* Two 32-bit words: a used element. */
AVPS_INLINE enum avps_status ring_store32x2(const struct avps_vq *vq,
                                            const struct avps_ring_area *area, uint32_t off,
                                            uint32_t first, uint32_t second)
{
    if (AVPS_LIKELY(area->fast != NULL)) {
        avps_arch_store32(area->fast + off, first);
        avps_arch_store32(area->fast + off + 4U, second);
        return AVPS_OK;
    }
    const uint32_t raw[2] = {avps_arch_le32(first), avps_arch_le32(second)};
    return avps_ring_write_slow(vq, area, off, raw, sizeof raw);
}

/* What a walk has gathered so far; kept in registers, stored by chain_finish. */
struct chain_walk {
    uint32_t segs;          /* segments filled */
    uint32_t readable_segs; /* of these, readable */
    uint32_t readable_len;
    uint32_t writable_len;
};

/* A walk has succeeded: the chain is what it gathered, cursors at the start. */
AVPS_INLINE void chain_finish(struct avps_chain *chain, const struct chain_walk *walk)
{
    chain->readable_segs = walk->readable_segs;
    chain->writable_segs = walk->segs - walk->readable_segs;
    chain->readable_len = walk->readable_len;
    chain->writable_len = walk->writable_len;
    chain->written = 0;
    chain->read_seg = 0;
    chain->read_off = 0;
    chain->write_seg = walk->readable_segs;
    chain->write_off = 0;
    chain->tail_len = 0;
    chain->mapped = false;
}

/* The region that holds `gpa`, by the last hit first. Sets `*room`, the bytes from there on. */
AVPS_INLINE const struct avps_mem_region *mem_region_hit(const struct avps_mem *mem, avps_gpa gpa,
                                                         uint64_t *room)
{
    const struct avps_mem_region *region = &mem->regions[mem->last];
    const uint64_t off = gpa - region->gpa;

    if (AVPS_LIKELY(off < region->size)) {
        *room = region->size - off;
        return region;
    }
    return NULL;
}

/* Add the range of one descriptor. Plain region tables with a hit take no call. A zero-length
 * descriptor adds nothing (I2). Order and totals are checked here for both ring formats. */
AVPS_INLINE enum avps_status chain_add(struct avps_chain *chain, struct avps_mem *mem,
                                       struct chain_walk *walk, const struct virtq_desc *desc)
{
    const bool writable = (desc->flags & VIRTQ_DESC_F_WRITE) != 0U;
    const enum avps_access access = writable ? AVPS_ACCESS_WRITE : AVPS_ACCESS_READ;
    uint64_t room = 0;

    if (AVPS_UNLIKELY(!writable && walk->writable_len != 0U)) {
        return AVPS_E_GUEST_DESC; /* drv.split-2.1: readable after writable */
    }
    if (AVPS_UNLIKELY(desc->len > UINT32_MAX - walk->readable_len - walk->writable_len)) {
        return AVPS_E_GUEST_SIZE; /* I4: the sum stays below 2^32 */
    }
    const struct avps_mem_region *region =
        mem->region_count != 0U ? mem_region_hit(mem, desc->addr, &room) : NULL;

    if (AVPS_LIKELY(region != NULL && desc->len != 0U && desc->len <= room &&
                    walk->segs < chain->seg_cap && (region->access & (uint32_t)access) != 0U)) {
        struct avps_seg *seg = &chain->segs[walk->segs];
        seg->ptr = region->host + (desc->addr - region->gpa);
        seg->gpa = desc->addr;
        seg->len = desc->len;
        walk->segs++;
    } else if (desc->len != 0U) {
        uint32_t segs = walk->segs;
        const enum avps_status status =
            avps_mem_add_range(chain, mem, &segs, desc->addr, desc->len, access);
        walk->segs = segs;
        if (status != AVPS_OK) {
            return status;
        }
    }
    if (writable) {
        walk->writable_len += desc->len;
    } else {
        walk->readable_len += desc->len;
        walk->readable_segs = walk->segs;
    }
    return AVPS_OK;
}

/* ---- taking and giving back, common to both formats ---- */

/* Map what a walk found, and account for it; `step_back` undoes the walk. */
AVPS_INLINE enum avps_status vq_take(struct avps_vq *vq, struct avps_chain *chain,
                                     void (*step_back)(struct avps_vq *, const struct avps_chain *))
{
    chain->mem = vq->mem;
    if (AVPS_UNLIKELY(vq->mem->ops != NULL)) {
        const enum avps_status status = avps_mem_map_chain(chain);

        if (status != AVPS_OK) {
            step_back(vq, chain);
            return status;
        }
    }
    vq->in_flight++;
    vq_set_busy(vq, chain->id, true);
    return AVPS_OK;
}

AVPS_INLINE bool vq_holds(const struct avps_vq *vq, const struct avps_chain *chain)
{
    return vq->live && chain->id < vq->size && vq_is_busy(vq, chain->id);
}

AVPS_INLINE void vq_forget(struct avps_vq *vq, const struct avps_chain *chain)
{
    vq->in_flight--;
    vq_set_busy(vq, chain->id, false);
}

AVPS_INLINE void vq_release(struct avps_chain *chain)
{
    if (AVPS_UNLIKELY(chain->mem->ops != NULL)) {
        avps_mem_release_chain(chain);
    }
}

/* The device is done with a chain's bytes: they are released before the driver learns it. */
AVPS_INLINE enum avps_status vq_give_up(const struct avps_vq *vq, struct avps_chain *chain)
{
    if (AVPS_UNLIKELY(!vq_holds(vq, chain))) {
        return AVPS_E_STATE;
    }
    vq_release(chain);
    return AVPS_OK;
}

#endif
