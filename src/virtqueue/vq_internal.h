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

/* Contracts are in ACSL and proved by tests/proofs, where model.h defines what is "sound". */
/* mem.c */
/*@ requires mem_is_sound(mem) && \valid(len) && *len >= 1 && \valid(ptr) && 1 <= access <= 3;
  @ requires mem->region_count != 0 || mem->ops->translate != \null;
  @ requires \separated(mem, len, ptr);
  @ assigns mem->last, *len, *ptr;
  @ ensures mem_is_sound(mem);
  @ ensures \result == AVPS_OK ==> 1 <= *len <= \old(*len) && *ptr != \null;
  @ ensures \result == AVPS_OK ==> guest_range(*ptr, gpa, *len, access); */
enum avps_status avps_mem_translate(struct avps_mem *mem, avps_gpa gpa, enum avps_access access,
                                    uint64_t *len, uint8_t **ptr);
/* The same where there is a region table. */
enum avps_status avps_mem_translate_region(struct avps_mem *mem, avps_gpa gpa,
                                           enum avps_access access, uint64_t *len, uint8_t **ptr);
/* The part of guest memory that a run of chains looks at first: one region, or nothing. */
struct mem_window {
    avps_gpa gpa;
    uint64_t size; /* 0: nothing */
    uint8_t *host;
};

/*@ predicate window_is_sound(struct mem_window w, integer access) =
      w.size != 0 ==> w.gpa + w.size <= UINT64_MAX + 1 &&
        guest_range(w.host, w.gpa, w.size, access); */

/* The row of the region table that holds `gpa`, if it grants the access. */
/*@ requires mem_is_sound(mem) && mem->region_count != 0 && (access == 1 || access == 2);
  @ assigns mem->last;
  @ ensures mem_is_sound(mem) && window_is_sound(\result, access); */
struct mem_window avps_mem_window(struct avps_mem *mem, avps_gpa gpa, enum avps_access access);
/*@ requires chain_has_storage(chain, mem) && mem_is_sound(mem) && \valid(segs);
  @ requires \separated(segs, chain, mem);
  @ requires *segs <= chain->seg_cap && len >= 1 && (access == 1 || access == 2);
  @ assigns *segs, mem->last;
  @ ensures mem_is_sound(mem) && \old(*segs) <= *segs <= chain->seg_cap;
  @ ensures \result == AVPS_OK ==> *segs > \old(*segs); */
enum avps_status avps_mem_add_range(struct avps_chain *chain, struct avps_mem *mem, uint32_t *segs,
                                    avps_gpa gpa, uint32_t len, enum avps_access access);
/*@ requires \valid(chain) && chain_is_sound(chain) && chain_has_storage(chain, chain->mem);
  @ requires mem_is_sound(chain->mem) && chain->mem->ops != \null;
  @ assigns chain->map_handle, chain->mapped;
  @ ensures \result == AVPS_OK ==> chain_is_sound(chain); */
enum avps_status avps_mem_map_chain(struct avps_chain *chain);
/*@ requires \valid(chain) && chain_is_sound(chain) && chain_has_storage(chain, chain->mem);
  @ requires mem_is_sound(chain->mem) && chain->mem->ops != \null;
  @ assigns chain->mapped; */
void avps_mem_release_chain(struct avps_chain *chain);
enum avps_status avps_ring_attach(struct avps_mem *mem, struct avps_ring_area *area, avps_gpa gpa,
                                  uint32_t len, uint32_t align, enum avps_access access);
/*@ requires mem_is_sound(mem) && \valid(area) && len >= 1;
  @ requires \separated(area, mem);
  @ assigns *area, mem->last;
  @ ensures mem_is_sound(mem);
  @ ensures \result == AVPS_OK ==> area_is_sound(area) && area->len == len; */
enum avps_status avps_table_attach(struct avps_mem *mem, struct avps_ring_area *area, avps_gpa gpa,
                                   uint32_t len);
/*@ requires mem_is_sound(mem) && \valid(area) && \separated(area, mem);
  @ assigns *area; */
void avps_ring_detach(struct avps_mem *mem, struct avps_ring_area *area);
/* Whether rings would be reached through a cache that the guest does not share. */
bool avps_mem_caches_rings(const struct avps_mem *mem);
/*@ requires access_is_inside(vq, area, off, len) && len >= 1 && \valid((uint8_t *)dst + (0 .. len - 1));
  @ assigns ((uint8_t *)dst)[0 .. len - 1], vq->mem->last;
  @ ensures mem_is_sound(vq->mem); */
enum avps_status avps_ring_read_slow(const struct avps_vq *vq, const struct avps_ring_area *area,
                                     uint32_t off, void *dst, uint32_t len);
/*@ requires access_is_inside(vq, area, off, len) && len >= 1 && \valid_read((uint8_t *)src + (0 .. len - 1));
  @ assigns \nothing; */
enum avps_status avps_ring_write_slow(const struct avps_vq *vq, const struct avps_ring_area *area,
                                      uint32_t off, const void *src, uint32_t len);

/* split.c and packed.c: the two formats behind vq.h */
enum avps_status avps_split_pop(struct avps_vq *vq, struct avps_chain *chains, uint32_t max,
                                uint32_t *count);
/*@ requires split_is_sound(vq) && split_pending(vq) + vq->in_flight < vq->size;
  @ assigns vq->avail_idx;
  @ ensures split_is_sound(vq) && \old(vq->avail_idx) == (vq->avail_idx + 1) % 65536; */
void avps_split_unpop(struct avps_vq *vq, const struct avps_chain *chain);
enum avps_status avps_split_push(struct avps_vq *vq, struct avps_chain *chains, uint32_t count);
enum avps_status avps_split_publish(struct avps_vq *vq, bool *notify);
enum avps_status avps_split_set_kicks(struct avps_vq *vq, bool wanted);
bool avps_split_has_work(struct avps_vq *vq);

enum avps_status avps_packed_pop(struct avps_vq *vq, struct avps_chain *chains, uint32_t max,
                                 uint32_t *count);
/*@ requires packed_is_sound(vq) && \valid_read(chain) && \separated(chain, vq);
  @ requires chain->slots <= vq->slots_in_flight - vq->in_flight;
  @ assigns vq->avail_idx, vq->avail_wrap, vq->slots_in_flight;
  @ ensures packed_is_sound(vq);
  @ ensures vq->slots_in_flight == \old(vq->slots_in_flight) - chain->slots;
  @ ensures \old(vq->avail_idx) == vq->avail_idx + chain->slots ||
  @   \old(vq->avail_idx) == vq->avail_idx + chain->slots - vq->size; */
void avps_packed_unpop(struct avps_vq *vq, const struct avps_chain *chain);
enum avps_status avps_packed_push(struct avps_vq *vq, struct avps_chain *chains, uint32_t count);
enum avps_status avps_packed_publish(struct avps_vq *vq, bool *notify);
enum avps_status avps_packed_set_kicks(struct avps_vq *vq, bool wanted);
bool avps_packed_has_work(struct avps_vq *vq);

/* track.c: what a tracker is told, and what it hands out again. vq->tracker is not NULL. */
/*@ requires \valid(chain) && \valid_read(vq);
  @ assigns chain->replayed; */
void avps_track_take(const struct avps_vq *vq, struct avps_chain *chain);
/*@ requires \valid_read(vq);
  @ assigns \nothing; */
void avps_track_give(const struct avps_vq *vq, uint16_t id);
void avps_track_forget(const struct avps_vq *vq, uint16_t id);
/* A chain is put back. @return whether the tracker took it: the ring stays as it is then. */
bool avps_track_unpop(struct avps_vq *vq, const struct avps_chain *chain);
enum avps_status avps_track_publish(struct avps_vq *vq, bool *notify);
/* A queue was enabled. */
enum avps_status avps_track_start(struct avps_vq *vq);
/* Chains to be served again: AVPS_OK for `max`; AVPS_EMPTY when no more are left. */
enum avps_status avps_track_pop(struct avps_vq *vq, struct avps_chain *chains, uint32_t max,
                                uint32_t *count);
/* The formats' part: the descriptor `slots` before the next available position; the chain that the
 * tracker replays next; slots of chains in flight are shown as available again. */
void avps_packed_peek(const struct avps_vq *vq, uint32_t slots, struct avps_vq_desc *desc);
enum avps_status avps_packed_replay(struct avps_vq *vq, struct avps_chain *chain);
enum avps_status avps_split_replay(struct avps_vq *vq, struct avps_chain *chain);
enum avps_status avps_packed_reclaim(struct avps_vq *vq);

/* Busy bits: a chain id that is in flight may not be made available again (I10). */
/*@ requires \valid_read(vq) && id < AVPS_QUEUE_SIZE_MAX;
  @ assigns \nothing; */
AVPS_INLINE bool vq_is_busy(const struct avps_vq *vq, uint32_t id)
{
    return (vq->busy[id / 32U] >> (id % 32U) & 1U) != 0U;
}

/*@ requires \valid(vq) && id < AVPS_QUEUE_SIZE_MAX;
  @ assigns vq->busy[id / 32]; */
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
/*@ requires \valid(vq);
  @ assigns vq->fault;
  @ ensures \result == status; */
AVPS_INLINE enum avps_status vq_latch(struct avps_vq *vq, enum avps_status status)
{
    if (avps_status_is_guest_fault(status)) {
        vq->fault = status;
    }
    return status;
}

/* ---- ring accessors: `off` and the access lie inside the area ---- */

/*@ requires access_is_inside(vq, area, off, 2) && \valid(value);
  @ requires \separated(value, vq) && \separated(value, area);
  @ requires \separated(value, vq->mem);
  @ assigns *value, vq->mem->last;
  @ ensures mem_is_sound(vq->mem); */
AVPS_INLINE enum avps_status ring_load16_slow(const struct avps_vq *vq,
                                              const struct avps_ring_area *area, uint32_t off,
                                              uint16_t *value)
{
    uint16_t raw = 0;
    const enum avps_status status = avps_ring_read_slow(vq, area, off, &raw, sizeof raw);

    *value = avps_arch_le16(raw);
    return status;
}

/*@ requires access_is_inside(vq, area, off, 2) && \valid(value);
  @ requires \separated(value, vq) && \separated(value, area);
  @ requires \separated(value, vq->mem);
  @ assigns *value, vq->mem->last;
  @ ensures mem_is_sound(vq->mem); */
AVPS_INLINE enum avps_status ring_load16_acquire(const struct avps_vq *vq,
                                                 const struct avps_ring_area *area, uint32_t off,
                                                 uint16_t *value)
{
    if (AVPS_LIKELY(area->fast != NULL)) {
        *value = avps_arch_load16_acquire(area->fast + off);
        return AVPS_OK;
    }
    const enum avps_status status = ring_load16_slow(vq, area, off, value);
    avps_arch_fence_full(); /* a copy orders nothing by itself */
    return status;
}

/*@ requires access_is_inside(vq, area, off, 2) && \valid(value);
  @ requires \separated(value, vq) && \separated(value, area);
  @ requires \separated(value, vq->mem);
  @ assigns *value, vq->mem->last;
  @ ensures mem_is_sound(vq->mem); */
AVPS_INLINE enum avps_status ring_load16(const struct avps_vq *vq,
                                         const struct avps_ring_area *area, uint32_t off,
                                         uint16_t *value)
{
    if (AVPS_LIKELY(area->fast != NULL)) {
        *value = avps_arch_load16(area->fast + off);
        return AVPS_OK;
    }
    return ring_load16_slow(vq, area, off, value);
}

/*@ requires \valid(desc);
  @ assigns *desc; */
AVPS_INLINE void virtq_desc_decode(struct virtq_desc *desc, uint64_t addr, uint64_t rest)
{
    desc->addr = addr;
    desc->len = (uint32_t)(rest & 0xffffffffU);
    desc->flags = (uint16_t)(rest >> 32 & 0xffffU);
    desc->next = (uint16_t)(rest >> 48 & 0xffffU);
}

/*@ requires \valid(at + (0 .. 15)) && \valid(desc);
  @ assigns *desc; */
AVPS_INLINE void virtq_desc_load(uint8_t *at, struct virtq_desc *desc)
{
    const uint64_t addr = avps_arch_load64(at);

    virtq_desc_decode(desc, addr, avps_arch_load64(at + 8U));
}

/* The same, the second half no later than the first. */
/*@ requires \valid(at + (0 .. 15)) && \valid(desc);
  @ assigns *desc; */
AVPS_INLINE void virtq_desc_load_acquire(uint8_t *at, struct virtq_desc *desc)
{
    const uint64_t rest = avps_arch_load64_acquire(at + 8U);

    virtq_desc_decode(desc, avps_arch_load64(at), rest);
}

/*@ requires access_is_inside(vq, area, off, 16) && \valid(desc);
  @ requires \separated(desc, vq) && \separated(desc, area);
  @ requires \separated(desc, vq->mem);
  @ assigns *desc, vq->mem->last;
  @ ensures mem_is_sound(vq->mem); */
AVPS_INLINE enum avps_status ring_load_desc_slow(const struct avps_vq *vq,
                                                 const struct avps_ring_area *area, uint32_t off,
                                                 struct virtq_desc *desc)
{
    uint32_t raw[4] = {0, 0, 0, 0};
    const enum avps_status status = avps_ring_read_slow(vq, area, off, raw, sizeof raw);

    virtq_desc_decode(desc, avps_arch_le32(raw[0]) | (uint64_t)avps_arch_le32(raw[1]) << 32,
                      avps_arch_le32(raw[2]) | (uint64_t)avps_arch_le32(raw[3]) << 32);
    return status;
}

/* One descriptor by one copy of each byte. Split: len, flags, next; packed: len, id, flags, so the
 * caller of a packed ring swaps the two (see packed.c). */
/*@ requires index < 32768 && access_is_inside(vq, area, 16 * index, 16) && \valid(desc);
  @ requires \separated(desc, vq) && \separated(desc, area);
  @ requires \separated(desc, vq->mem);
  @ assigns *desc, vq->mem->last;
  @ ensures mem_is_sound(vq->mem); */
AVPS_INLINE enum avps_status ring_load_desc(const struct avps_vq *vq,
                                            const struct avps_ring_area *area, uint32_t index,
                                            struct virtq_desc *desc)
{
    const uint32_t off = index * VIRTQ_DESC_SIZE;

    if (AVPS_LIKELY(area->fast != NULL)) {
        virtq_desc_load(area->fast + off, desc);
        return AVPS_OK;
    }
    return ring_load_desc_slow(vq, area, off, desc);
}

/* The same where the last field says whether the rest may be read: it is read first, and its first
 * reading is the one that counts. */
/*@ requires index < 32768 && access_is_inside(vq, area, 16 * index, 16) && \valid(desc);
  @ requires \separated(desc, vq) && \separated(desc, area);
  @ requires \separated(desc, vq->mem);
  @ assigns *desc, vq->mem->last;
  @ ensures mem_is_sound(vq->mem); */
AVPS_INLINE enum avps_status ring_load_desc_acquire(const struct avps_vq *vq,
                                                    const struct avps_ring_area *area,
                                                    uint32_t index, struct virtq_desc *desc)
{
    const uint32_t off = index * VIRTQ_DESC_SIZE;

    if (AVPS_LIKELY(area->fast != NULL)) {
        virtq_desc_load_acquire(area->fast + off, desc);
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

/*@ requires access_is_inside(vq, area, off, 2);
  @ assigns \nothing; */
AVPS_INLINE enum avps_status ring_store16_slow(const struct avps_vq *vq,
                                               const struct avps_ring_area *area, uint32_t off,
                                               uint16_t value)
{
    const uint16_t raw = avps_arch_le16(value);

    return avps_ring_write_slow(vq, area, off, &raw, sizeof raw);
}

/*@ requires access_is_inside(vq, area, off, 2);
  @ assigns \nothing; */
AVPS_INLINE enum avps_status ring_store16_release(const struct avps_vq *vq,
                                                  const struct avps_ring_area *area, uint32_t off,
                                                  uint16_t value)
{
    if (AVPS_LIKELY(area->fast != NULL)) {
        avps_arch_store16_release(area->fast + off, value);
        return AVPS_OK;
    }
    avps_arch_fence_release();
    return ring_store16_slow(vq, area, off, value);
}

/*@ requires access_is_inside(vq, area, off, 2);
  @ assigns \nothing; */
AVPS_INLINE enum avps_status ring_store16(const struct avps_vq *vq,
                                          const struct avps_ring_area *area, uint32_t off,
                                          uint16_t value)
{
    if (AVPS_LIKELY(area->fast != NULL)) {
        avps_arch_store16(area->fast + off, value);
        return AVPS_OK;
    }
    return ring_store16_slow(vq, area, off, value);
}

/*@ requires access_is_inside(vq, area, off, 4);
  @ assigns \nothing; */
AVPS_INLINE enum avps_status ring_store32_slow(const struct avps_vq *vq,
                                               const struct avps_ring_area *area, uint32_t off,
                                               uint32_t value)
{
    const uint32_t raw = avps_arch_le32(value);

    return avps_ring_write_slow(vq, area, off, &raw, sizeof raw);
}

/*@ requires access_is_inside(vq, area, off, 4);
  @ assigns \nothing; */
AVPS_INLINE enum avps_status ring_store32(const struct avps_vq *vq,
                                          const struct avps_ring_area *area, uint32_t off,
                                          uint32_t value)
{
    if (AVPS_LIKELY(area->fast != NULL)) {
        avps_arch_store32(area->fast + off, value);
        return AVPS_OK;
    }
    return ring_store32_slow(vq, area, off, value);
}

/*@ requires access_is_inside(vq, area, off, 8);
  @ assigns \nothing; */
AVPS_INLINE enum avps_status ring_store32x2_slow(const struct avps_vq *vq,
                                                 const struct avps_ring_area *area, uint32_t off,
                                                 uint32_t first, uint32_t second)
{
    const uint32_t raw[2] = {avps_arch_le32(first), avps_arch_le32(second)};

    return avps_ring_write_slow(vq, area, off, raw, sizeof raw);
}

/* Two 32-bit words: a used element. */
/*@ requires access_is_inside(vq, area, off, 8);
  @ assigns \nothing; */
AVPS_INLINE enum avps_status ring_store32x2(const struct avps_vq *vq,
                                            const struct avps_ring_area *area, uint32_t off,
                                            uint32_t first, uint32_t second)
{
    if (AVPS_LIKELY(area->fast != NULL)) {
        avps_arch_store32(area->fast + off, first);
        avps_arch_store32(area->fast + off + 4U, second);
        return AVPS_OK;
    }
    return ring_store32x2_slow(vq, area, off, first, second);
}

/* What a walk has gathered so far; kept in registers, stored by chain_finish. */
struct chain_walk {
    uint32_t segs;          /* segments filled */
    uint32_t readable_segs; /* of these, readable */
    uint32_t readable_len;
    uint32_t writable_len;
};

/*@ // So far: readable segments first, not more than fit, bytes below 2^32.
  predicate walk_is_sound(struct avps_chain *c, struct chain_walk *w) =
    \valid(w) && \separated(w, c) &&
    w->readable_segs <= w->segs <= c->seg_cap &&
    w->readable_len + w->writable_len <= UINT32_MAX &&
    (w->writable_len == 0 <==> w->readable_segs == w->segs);

  predicate walk_is_ready(struct avps_vq *q, struct avps_chain *c, struct chain_walk *w) =
    chain_is_apart(c, q) && walk_is_sound(c, w) && \separated(w, q, q->mem);
*/

/* A walk has succeeded: the chain is what it gathered, cursors at the start. */
/*@ requires \valid(chain) && walk_is_sound(chain, walk);
  @ assigns chain->readable_segs, chain->writable_segs, chain->readable_len, chain->writable_len;
  @ assigns chain->written, chain->read_seg, chain->read_off, chain->write_seg, chain->write_off;
  @ assigns chain->tail_len, chain->mapped;
  @ ensures chain_is_sound(chain) && chain->written == 0 && chain->write_seg == chain->readable_segs; */
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

/* Enter a segment: only this function and a port's map write them. The proofs treat the array as
 * memory that a walk does not read back; what is asked for here holds of every segment. */
/*@ requires \valid(chain) && n < chain->seg_cap <= 32768 && \valid(chain->segs + n);
  @ requires len >= 1 && gpa + len <= UINT64_MAX + 1;
  @ requires ptr == \null || guest_range(ptr, gpa, len, 1) || guest_range(ptr, gpa, len, 2);
  @ assigns \nothing; */
AVPS_INLINE void chain_put(struct avps_chain *chain, uint32_t n, uint8_t *ptr, avps_gpa gpa,
                           uint32_t len)
{
    struct avps_seg *seg = &chain->segs[n];

    seg->ptr = ptr;
    seg->gpa = gpa;
    seg->len = len;
}

/* `to - from` modulo 2^64: the one subtraction that may wrap, so that a single comparison checks
 * both ends of a region. */
/*@ assigns \nothing;
  @ ensures \result == (to >= from ? to - from : to - from + UINT64_MAX + 1); */
AVPS_INLINE uint64_t u64_distance(uint64_t from, uint64_t to)
{
    return to - from;
}

/*@ requires 1 <= have <= 3 && 1 <= want <= 3;
  @ assigns \nothing;
  @ ensures have == 1 && want == 1 ==> \result;
  @ ensures have == 1 && want == 2 ==> !\result;
  @ ensures have == 1 && want == 3 ==> !\result;
  @ ensures have == 2 && want == 1 ==> !\result;
  @ ensures have == 2 && want == 2 ==> \result;
  @ ensures have == 2 && want == 3 ==> !\result;
  @ ensures have == 3 && want == 1 ==> \result;
  @ ensures have == 3 && want == 2 ==> \result;
  @ ensures have == 3 && want == 3 ==> \result; */
AVPS_INLINE bool access_is_granted(uint32_t have, uint32_t want)
{
    return (have & want) == want;
}

/* Row `i` of the region table. */
/*@ requires mem_is_sound(mem) && i < mem->region_count;
  @ assigns \nothing;
  @ ensures \result == mem->regions + i && row_is_read(mem->regions, i);
  @ ensures row_is_sound(mem->regions, i); */
AVPS_INLINE const struct avps_mem_region *mem_row(const struct avps_mem *mem, uint32_t i)
{
    /*@ admit row_is_read(mem->regions, i); */ /* the table is const and outlives the handle */
    return &mem->regions[i];
}

/* Whether the region that was hit last holds the range. */
/*@ requires mem_is_sound(mem) && (access == 1 || access == 2);
  @ assigns \nothing;
  @ ensures \result ==> mem->region_count != 0 && len >= 1 && gpa + len <= UINT64_MAX + 1;
  @ ensures \result ==> row_gpa(mem->regions, mem->last) <= gpa;
  @ ensures \result ==> guest_range(row_host(mem->regions, mem->last) +
  @   (gpa - row_gpa(mem->regions, mem->last)), gpa, len, access); */
AVPS_INLINE bool mem_hits(const struct avps_mem *mem, avps_gpa gpa, uint32_t len,
                          enum avps_access access)
{
    if (AVPS_UNLIKELY(mem->region_count == 0U)) {
        return false;
    }
    const struct avps_mem_region *region = mem_row(mem, mem->last);
    const uint64_t off = u64_distance(region->gpa, gpa);
    /*@ assert off < region->size ==> region->gpa <= gpa && off == gpa - region->gpa; */

    if (AVPS_UNLIKELY(off >= region->size || len == 0U || len > region->size - off ||
                      !access_is_granted(region->access, (uint32_t)access))) {
        return false;
    }
    /*@ assert guest_range(region->host, region->gpa, region->size, access); */
    return true;
}

/* Add a range: one segment without a call where the last hit serves. An empty one adds nothing
 * (I2). */
/*@ requires mem_is_sound(mem) && chain_has_storage(chain, mem) && \valid(segs);
  @ requires \separated(segs, chain, mem);
  @ requires *segs <= chain->seg_cap && (access == 1 || access == 2);
  @ assigns *segs, mem->last;
  @ ensures mem_is_sound(mem) && \old(*segs) <= *segs <= chain->seg_cap;
  @ ensures \result == AVPS_OK ==> (len == 0 <==> *segs == \old(*segs)); */
AVPS_INLINE enum avps_status chain_add_range(struct avps_chain *chain, struct avps_mem *mem,
                                             uint32_t *segs, avps_gpa gpa, uint32_t len,
                                             enum avps_access access)
{
    if (AVPS_LIKELY(*segs < chain->seg_cap && mem_hits(mem, gpa, len, access))) {
        const struct avps_mem_region *region = mem_row(mem, mem->last);

        chain_put(chain, *segs, region->host + (gpa - region->gpa), gpa, len);
        (*segs)++;
        return AVPS_OK;
    }
    if (len == 0U) {
        return AVPS_OK;
    }
    uint32_t cold = *segs; /* keeps `segs` in a register */
    const enum avps_status status = avps_mem_add_range(chain, mem, &cold, gpa, len, access);
    *segs = cold;
    return status;
}

/* Add one descriptor. Order and totals are checked here for both ring formats. */
/*@ requires mem_is_sound(mem) && chain_has_storage(chain, mem) && walk_is_sound(chain, walk);
  @ requires \separated(walk, mem) && \valid_read(desc);
  @ requires \separated(desc, walk, mem);
  @ assigns *walk, mem->last;
  @ ensures mem_is_sound(mem) && \old(walk->segs) <= walk->segs <= chain->seg_cap;
  @ ensures \result == AVPS_OK ==> walk_is_sound(chain, walk);
  @ ensures \result == AVPS_OK ==> walk->readable_len + walk->writable_len ==
  @   \old(walk->readable_len + walk->writable_len) + \old(desc->len); */
AVPS_INLINE enum avps_status chain_add(struct avps_chain *chain, struct avps_mem *mem,
                                       struct chain_walk *walk, const struct virtq_desc *desc)
{
    const bool writable = (desc->flags & VIRTQ_DESC_F_WRITE) != 0U;
    const enum avps_access access = writable ? AVPS_ACCESS_WRITE : AVPS_ACCESS_READ;
    const uint32_t len = desc->len;
    const uint32_t readable_len = walk->readable_len;
    const uint32_t writable_len = walk->writable_len;

    if (AVPS_UNLIKELY(!writable && writable_len != 0U)) {
        return AVPS_E_GUEST_DESC; /* drv.split-2.1: readable after writable */
    }
    if (AVPS_UNLIKELY(len > UINT32_MAX - readable_len - writable_len)) {
        return AVPS_E_GUEST_SIZE; /* I4: the sum stays below 2^32 */
    }
    uint32_t segs = walk->segs;
    const enum avps_status status = chain_add_range(chain, mem, &segs, desc->addr, len, access);

    walk->segs = segs;
    if (AVPS_UNLIKELY(status != AVPS_OK)) {
        return status;
    }
    if (writable) {
        walk->writable_len = writable_len + len;
    } else {
        walk->readable_len = readable_len + len;
        walk->readable_segs = segs;
    }
    return AVPS_OK;
}

/* ---- taking and giving back, common to both formats ---- */

/* Map what a walk found, and account for it; `step_back` undoes the walk. */
AVPS_INLINE enum avps_status vq_hold(struct avps_vq *vq, struct avps_chain *chain,
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

/* The same for a chain from the ring, and tell the tracker. */
AVPS_INLINE enum avps_status vq_take(struct avps_vq *vq, struct avps_chain *chain,
                                     void (*step_back)(struct avps_vq *, const struct avps_chain *))
{
    const enum avps_status status = vq_hold(vq, chain, step_back);

    if (AVPS_UNLIKELY(vq->tracker != NULL) && status == AVPS_OK) {
        avps_track_take(vq, chain);
    }
    return status;
}

/*@ requires vq_is_sound(vq) && \valid_read(chain);
  @ assigns \nothing;
  @ ensures \result ==> chain->id < vq->size; */
AVPS_INLINE bool vq_holds(const struct avps_vq *vq, const struct avps_chain *chain)
{
    return vq->live && chain->id < vq->size && vq_is_busy(vq, chain->id);
}

/*@ requires vq_is_sound(vq) && \valid_read(chain) && chain->id < vq->size && vq->in_flight > 0;
  @ requires \separated(chain, vq);
  @ assigns vq->in_flight, vq->busy[chain->id / 32];
  @ ensures vq->in_flight == \old(vq->in_flight) - 1; */
AVPS_INLINE void vq_forget(struct avps_vq *vq, const struct avps_chain *chain)
{
    vq->in_flight--;
    vq_set_busy(vq, chain->id, false);
}

/* Returned to the driver, though not yet published. */
AVPS_INLINE void vq_given(struct avps_vq *vq, const struct avps_chain *chain)
{
    vq_forget(vq, chain);
    if (AVPS_UNLIKELY(vq->tracker != NULL)) {
        avps_track_give(vq, chain->id);
    }
}

/*@ requires \valid(chain) && chain_is_sound(chain) && chain_has_storage(chain, chain->mem);
  @ requires mem_is_sound(chain->mem);
  @ assigns chain->mapped; */
AVPS_INLINE void vq_release(struct avps_chain *chain)
{
    if (AVPS_UNLIKELY(chain->mem->ops != NULL)) {
        avps_mem_release_chain(chain);
    }
}

/* The device is done with a chain's bytes: they are released before the driver learns it. */
/*@ requires vq_is_sound(vq) && \separated(chain, vq) && \valid(chain) && chain_is_sound(chain) && chain_has_storage(chain, chain->mem);
  @ requires mem_is_sound(chain->mem);
  @ assigns chain->mapped;
  @ ensures \result == AVPS_OK ==> chain->id < vq->size; */
AVPS_INLINE enum avps_status vq_give_up(const struct avps_vq *vq, struct avps_chain *chain)
{
    if (AVPS_UNLIKELY(!vq_holds(vq, chain))) {
        return AVPS_E_STATE;
    }
    vq_release(chain);
    return AVPS_OK;
}

#endif
