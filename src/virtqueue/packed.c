/* SPDX-License-Identifier: BSD-3-Clause */
/* Packed virtqueue, device side: walk -> used descriptors -> suppression.
 *
 *   desc[N] {addr, len, id, flags}: available when AVAIL == wrap and USED != wrap, used when both
 *   are equal to the wrap counter. The flags of the first used descriptor of a batch are held back
 *   until publish, so that the driver, which looks at its own next position only, sees the whole
 *   batch at once.
 *   driver, device: event structures {off:15 wrap:1, flags:2}.
 */
#include "virtqueue/plain.h"

#define DESC_LEN      8U
#define DESC_ID       12U
#define DESC_FLAGS    14U
#define EVENT_FLAGS   2U
#define EVENT_ENABLE  0U
#define EVENT_DISABLE 1U
#define EVENT_DESC    2U
#define EVENT_MASK    3U
#define EVENT_OFF     0x7fffU

/* A position in the ring with its wrap counter. */
struct packed_pos {
    uint16_t idx;
    bool wrap;
};

/* `slots` <= size further on. */
/*@ requires \valid_read(vq) && 1 <= vq->size <= 32768 && pos.idx < vq->size && slots <= vq->size;
  @ assigns \nothing;
  @ ensures \result.idx == (pos.idx + slots) % vq->size && \result.idx < vq->size;
  @ ensures pos.idx + slots < vq->size ==> (\result.wrap <==> pos.wrap);
  @ ensures pos.idx + slots >= vq->size ==> (\result.wrap <==> !pos.wrap); */
AVPS_INLINE struct packed_pos packed_advance(const struct avps_vq *vq, struct packed_pos pos,
                                             uint32_t slots)
{
    const uint32_t idx = (uint32_t)pos.idx + slots;

    if (idx >= vq->size) {
        pos.idx = (uint16_t)(idx - vq->size);
        pos.wrap = !pos.wrap;
    } else {
        pos.idx = (uint16_t)idx;
    }
    return pos;
}

/*@ assigns \nothing;
  @ ensures \result <==> (flags & 0x8080) == (wrap ? 0x80 : 0x8000); */
static bool packed_is_available(uint16_t flags, bool wrap)
{
    return (flags & (VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED)) ==
           (wrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED);
}

/* ---- walk ---- */

/* One descriptor, each byte read once; flags no later than the rest (I26). [packed-2.2] */
/*@ requires packed_is_sound(vq) && pos.idx < vq->size && \valid(desc) && \valid(id);
  @ requires \separated(desc, id, vq) && \separated(desc, id, vq->mem);
  @ assigns *desc, *id, vq->mem->last;
  @ ensures mem_is_sound(vq->mem); */
AVPS_INLINE enum avps_status packed_load(const struct avps_vq *vq, struct packed_pos pos,
                                         struct virtq_desc *desc, uint16_t *id)
{
    const enum avps_status status = ring_load_desc_acquire(vq, &vq->desc, pos.idx, desc);

    *id = desc->flags; /* third field of this format */
    desc->flags = desc->next;
    if (AVPS_UNLIKELY(status != AVPS_OK)) {
        return status;
    }
    return packed_is_available(desc->flags, pos.wrap) ? AVPS_OK : AVPS_EMPTY;
}

/* A table: descriptors in order of position; only WRITE counts in it. */
/*@ requires packed_is_sound(vq) && walk_is_ready(vq, chain, walk) && \valid_read(table);
  @ requires area_is_sound(table) && 1 <= entries <= 32768 && table->len == 16 * entries;
  @ requires \separated(table, walk, vq->mem);
  @ assigns *walk, vq->mem->last;
  @ ensures mem_is_sound(vq->mem);
  @ ensures \result == AVPS_OK ==> walk_is_sound(chain, walk); */
AVPS_INLINE enum avps_status packed_walk_table(const struct avps_vq *vq, struct avps_chain *chain,
                                               struct chain_walk *walk,
                                               const struct avps_ring_area *table, uint32_t entries)
{
    /*@ loop invariant 0 <= index <= entries;
      @ loop invariant mem_is_sound(vq->mem) && walk_is_sound(chain, walk);
      @ loop assigns index, *walk, vq->mem->last;
      @ loop variant entries - index; */
    for (uint32_t index = 0; index < entries; index++) {
        struct virtq_desc desc;
        enum avps_status status = ring_load_desc(vq, table, index, &desc);

        desc.flags = desc.next;
        if (status == AVPS_OK) {
            status = chain_add(chain, vq->mem, walk, &desc);
        }
        if (status != AVPS_OK) {
            return status;
        }
    }
    return AVPS_OK;
}

/*@ requires packed_is_sound(vq) && walk_is_ready(vq, chain, walk);
  @ assigns *walk, vq->mem->last;
  @ ensures mem_is_sound(vq->mem);
  @ ensures \result == AVPS_OK ==> walk_is_sound(chain, walk); */
AVPS_INLINE enum avps_status packed_indirect(const struct avps_vq *vq, struct avps_chain *chain,
                                             struct chain_walk *walk, struct virtq_desc desc)
{
    const uint32_t entries = desc.len / VIRTQ_DESC_SIZE;
    struct avps_ring_area table;

    if (!vq->indirect || (desc.flags & VIRTQ_DESC_F_NEXT) != 0U) {
        return AVPS_E_GUEST_DESC; /* drv.packed-4.1, drv.packed-4.4 */
    }
    if (entries == 0U || entries > AVPS_QUEUE_ENTRIES_MAX || desc.len % VIRTQ_DESC_SIZE != 0U) {
        return AVPS_E_GUEST_DESC; /* I6 */
    }
    enum avps_status status = avps_table_attach(vq->mem, &table, desc.addr, desc.len);
    if (status == AVPS_OK) {
        status = packed_walk_table(vq, chain, walk, &table, entries);
    }
    if (AVPS_UNLIKELY(table.pinned)) {
        avps_ring_detach(vq->mem, &table);
    }
    return status;
}

/* Out of line without the address of `walk`, which stays in registers. */
/*@ requires packed_is_sound(vq) && walk_is_ready(vq, chain, walk);
  @ assigns *walk, vq->mem->last;
  @ ensures mem_is_sound(vq->mem);
  @ ensures \result == AVPS_OK ==> walk_is_sound(chain, walk); */
AVPS_INLINE enum avps_status packed_indirect_only(const struct avps_vq *vq,
                                                  struct avps_chain *chain, struct chain_walk *walk,
                                                  struct virtq_desc desc)
{
    struct chain_walk cold = {walk->segs, walk->readable_segs, walk->readable_len,
                              walk->writable_len};
    /*@ assert walk_is_sound(chain, &cold); */
    const enum avps_status status = packed_indirect(vq, chain, &cold, desc);

    *walk = cold;
    return status;
}

/* A chain that goes on where nothing is available is malformed; before its start there is none. */
/*@ requires status != AVPS_OK;
  @ assigns \nothing;
  @ ensures \result != AVPS_OK; */
static enum avps_status packed_gap(enum avps_status status, uint32_t steps)
{
    return status == AVPS_EMPTY && steps != 0U ? AVPS_E_GUEST_DESC : status;
}

/* [packed-3.1] Follow NEXT from `pos`; at most the slots that are not in flight. The id is that of
 * the last descriptor. */
/*@ requires packed_is_sound(vq) && walk_is_ready(vq, chain, walk) && pos.idx < vq->size;
  @ assigns *walk, vq->mem->last;
  @ assigns chain->id, chain->slots;
  @ ensures mem_is_sound(vq->mem);
  @ ensures \result == AVPS_OK ==> 1 <= chain->slots <= vq->size - vq->slots_in_flight;
  @ ensures \result == AVPS_OK ==> walk_is_sound(chain, walk); */
AVPS_INLINE enum avps_status packed_walk(const struct avps_vq *vq, struct avps_chain *chain,
                                         struct chain_walk *walk, struct packed_pos pos)
{
    const uint32_t limit = vq->size - vq->slots_in_flight;

    /*@ loop invariant 0 <= steps <= limit && pos.idx < vq->size;
      @ loop invariant mem_is_sound(vq->mem) && walk_is_sound(chain, walk);
      @ loop assigns steps, pos, chain->id, chain->slots, *walk, vq->mem->last;
      @ loop variant limit - steps; */
    for (uint32_t steps = 0; steps < limit; steps++) {
        struct virtq_desc desc;
        enum avps_status status = packed_load(vq, pos, &desc, &chain->id);

        if (status != AVPS_OK) {
            return packed_gap(status, steps);
        }
        chain->slots = (uint16_t)(steps + 1U);
        if ((desc.flags & VIRTQ_DESC_F_INDIRECT) != 0U) {
            return steps == 0U ? packed_indirect_only(vq, chain, walk, desc) : AVPS_E_GUEST_DESC;
        }
        status = chain_add(chain, vq->mem, walk, &desc);
        if (status != AVPS_OK || (desc.flags & VIRTQ_DESC_F_NEXT) == 0U) {
            return status;
        }
        pos = packed_advance(vq, pos, 1);
    }
    return limit == 0U ? AVPS_EMPTY : AVPS_E_GUEST_DESC; /* drv.packed-3.2 [packed-3.2] */
}

/* ---- chains ---- */

/*@ requires packed_is_sound(vq) && slots <= vq->size - vq->slots_in_flight;
  @ assigns vq->avail_idx, vq->avail_wrap, vq->slots_in_flight;
  @ ensures packed_is_sound(vq) && vq->avail_idx == (\old(vq->avail_idx) + slots) % vq->size;
  @ ensures vq->slots_in_flight == \old(vq->slots_in_flight) + slots; */
AVPS_INLINE void packed_move(struct avps_vq *vq, uint32_t slots)
{
    const struct packed_pos pos = {vq->avail_idx, vq->avail_wrap};
    const struct packed_pos next = packed_advance(vq, pos, slots);

    vq->avail_idx = next.idx;
    vq->avail_wrap = next.wrap;
    vq->slots_in_flight = (uint16_t)(vq->slots_in_flight + slots);
}

/* The walk has succeeded: the position moves past the chain. The queue's fields are written before
 * the chain's, for the sake of the proofs. */
/*@ requires packed_is_sound(vq) && chain_is_apart(chain, vq) && walk_is_sound(chain, walk);
  @ requires \separated(walk, vq, vq->mem) && chain->slots <= vq->size - vq->slots_in_flight;
  @ assigns chain->readable_segs, chain->writable_segs, chain->readable_len, chain->writable_len;
  @ assigns chain->written, chain->read_seg, chain->read_off, chain->write_seg, chain->write_off;
  @ assigns chain->tail_len, chain->mapped;
  @ assigns vq->avail_idx, vq->avail_wrap, vq->slots_in_flight;
  @ ensures packed_is_sound(vq) && chain_is_apart(chain, vq) && chain_is_sound(chain);
  @ ensures vq->avail_idx == (\old(vq->avail_idx) + chain->slots) % vq->size;
  @ ensures vq->slots_in_flight == \old(vq->slots_in_flight) + chain->slots; */
AVPS_INLINE void packed_take(struct avps_vq *vq, struct avps_chain *chain,
                             const struct chain_walk *walk)
{
    packed_move(vq, chain->slots);
    /*@ assert chain_is_apart(chain, vq) && walk_is_sound(chain, walk); */
    chain_finish(chain, walk);
    /*@ assert mem_is_sound(vq->mem); */
    /*@ assert area_is_sound(&vq->desc) && area_is_sound(&vq->driver); */
    /*@ assert area_is_sound(&vq->device) && vq_is_sound(vq); */
}

/* [packed-1.1] Walk, check, take. `walk`, empty, is scratch as in split_pop. */
/*@ requires packed_is_sound(vq) && walk_is_ready(vq, chain, walk);
  @ assigns chain->readable_segs, chain->writable_segs, chain->readable_len, chain->writable_len;
  @ assigns chain->written, chain->read_seg, chain->read_off, chain->write_seg, chain->write_off;
  @ assigns chain->tail_len, chain->mapped, chain->id, chain->slots;
  @ assigns *walk, vq->avail_idx, vq->avail_wrap, vq->slots_in_flight, vq->mem->last;
  @ ensures packed_is_sound(vq) && chain_is_apart(chain, vq);
  @ ensures \result != AVPS_OK ==> vq->avail_idx == \old(vq->avail_idx);
  @ ensures \result != AVPS_OK ==> vq->slots_in_flight == \old(vq->slots_in_flight);
  @ ensures \result == AVPS_OK ==> vq->avail_idx == (\old(vq->avail_idx) + chain->slots) % vq->size;
  @ ensures \result == AVPS_OK ==> chain->slots >= 1 &&
  @   vq->slots_in_flight == \old(vq->slots_in_flight) + chain->slots;
  @ ensures \result == AVPS_OK ==> chain_is_sound(chain) && chain->id < vq->size; */
AVPS_INLINE enum avps_status packed_pop(struct avps_vq *vq, struct avps_chain *chain,
                                        struct chain_walk *walk)
{
    const struct packed_pos pos = {vq->avail_idx, vq->avail_wrap};
    const enum avps_status status = packed_walk(vq, chain, walk, pos);

    /*@ assert packed_is_sound(vq); */
    /*@ assert chain_is_apart(chain, vq); */
    if (AVPS_UNLIKELY(status != AVPS_OK)) {
        return status;
    }
    if (AVPS_UNLIKELY(chain->id >= vq->size || vq_is_busy(vq, chain->id))) {
        return AVPS_E_GUEST_DESC; /* I10, I26 */
    }
    packed_take(vq, chain, walk);
    return AVPS_OK;
}

enum avps_status avps_packed_pop(struct avps_vq *vq, struct avps_chain *chains, uint32_t max,
                                 uint32_t *count)
{
    enum avps_status status = AVPS_OK;

    for (*count = 0; *count < max; (*count)++) {
        struct chain_walk walk = {0, 0, 0, 0};

        status = packed_pop(vq, &chains[*count], &walk);
        if (AVPS_LIKELY(status == AVPS_OK)) {
            status = vq_take(vq, &chains[*count], avps_packed_unpop);
        }
        if (AVPS_UNLIKELY(status != AVPS_OK)) {
            break;
        }
    }
    return status;
}

void avps_packed_unpop(struct avps_vq *vq, const struct avps_chain *chain)
{
    if (vq->avail_idx >= chain->slots) {
        vq->avail_idx = (uint16_t)(vq->avail_idx - chain->slots);
    } else {
        vq->avail_idx = (uint16_t)(vq->avail_idx + vq->size - chain->slots);
        vq->avail_wrap = !vq->avail_wrap;
    }
    vq->slots_in_flight = (uint16_t)(vq->slots_in_flight - chain->slots);
}

/* ---- chains of a tracker ---- */

void avps_packed_peek(const struct avps_vq *vq, uint32_t slots, struct avps_vq_desc *desc)
{
    const uint32_t index =
        vq->avail_idx >= slots ? vq->avail_idx - slots : vq->avail_idx + vq->size - slots;
    struct virtq_desc raw = {0};

    (void)ring_load_desc(vq, &vq->desc, index, &raw); /* has just been read */
    *desc =
        (struct avps_vq_desc){.addr = raw.addr, .len = raw.len, .id = raw.flags, .flags = raw.next};
}

/* The chain's slots were given back to the tracker already. */
static void packed_stay(struct avps_vq *vq, const struct avps_chain *chain)
{
    vq->slots_in_flight = (uint16_t)(vq->slots_in_flight - chain->slots);
}

/* Like packed_walk, over what the tracker kept: in the ring it may be overwritten. */
static enum avps_status packed_walk_replay(const struct avps_vq *vq, struct avps_chain *chain,
                                           struct chain_walk *walk)
{
    const struct avps_tracker *tracker = vq->tracker;
    const uint32_t limit = vq->size - vq->slots_in_flight;

    for (uint32_t steps = 0; steps < limit; steps++) {
        struct avps_vq_desc kept;

        if (!tracker->ops->replay(tracker->ctx, steps, &kept)) {
            return steps == 0U ? AVPS_EMPTY : AVPS_E_GUEST_DESC;
        }
        const struct virtq_desc desc = {kept.addr, kept.len, kept.flags, kept.flags};

        chain->id = kept.id;
        chain->slots = (uint16_t)(steps + 1U);
        if ((desc.flags & VIRTQ_DESC_F_INDIRECT) != 0U) {
            return steps == 0U ? packed_indirect_only(vq, chain, walk, desc) : AVPS_E_GUEST_DESC;
        }
        const enum avps_status status = chain_add(chain, vq->mem, walk, &desc);
        if (status != AVPS_OK || (desc.flags & VIRTQ_DESC_F_NEXT) == 0U) {
            return status;
        }
    }
    return limit == 0U ? AVPS_EMPTY : AVPS_E_GUEST_DESC;
}

enum avps_status avps_packed_replay(struct avps_vq *vq, struct avps_chain *chain)
{
    struct chain_walk walk = {0, 0, 0, 0};
    const enum avps_status status = packed_walk_replay(vq, chain, &walk);

    if (status != AVPS_OK) {
        return status;
    }
    if (chain->id >= vq->size || vq_is_busy(vq, chain->id)) {
        return AVPS_E_GUEST_DESC;
    }
    chain_finish(chain, &walk);
    vq->slots_in_flight = (uint16_t)(vq->slots_in_flight + chain->slots);
    return vq_hold(vq, chain, packed_stay);
}

/* Used descriptors behind the first of a batch carry their flags before the batch is published. A
 * process that died in between leaves them in the ring, where the driver would take them for
 * returned one by one: all slots between the two positions become available again. */
enum avps_status avps_packed_reclaim(struct avps_vq *vq)
{
    struct packed_pos pos = {vq->used_idx, vq->used_wrap};
    enum avps_status status = AVPS_OK;

    for (uint32_t steps = 0; steps < vq->size && status == AVPS_OK; steps++) {
        const uint32_t off = VIRTQ_DESC_SIZE * (uint32_t)pos.idx + DESC_FLAGS;
        uint16_t flags = 0;

        if (pos.idx == vq->avail_idx && pos.wrap == vq->avail_wrap) {
            break;
        }
        status = ring_load16(vq, &vq->desc, off, &flags);
        if (status == AVPS_OK && !packed_is_available(flags, pos.wrap)) {
            flags = (uint16_t)(flags & ~(VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED));
            flags = (uint16_t)(flags | (pos.wrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED));
            status = ring_store16(vq, &vq->desc, off, flags);
        }
        pos = packed_advance(vq, pos, 1);
    }
    return status;
}

/* ---- used descriptors ---- */

/*@ assigns \nothing;
  @ ensures \result <= 0xffff; */
AVPS_INLINE uint32_t packed_used_flags(bool wrap, uint32_t written)
{
    return (wrap ? VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED : 0U) |
           (written != 0U ? VIRTQ_DESC_F_WRITE : 0U);
}

/* [packed-1.2] At the device's own position, whatever the chain's place was. The driver reads these
 * bytes only after it has seen the flags of the batch's first descriptor, which publish writes. */
/*@ requires packed_is_sound(vq) && \valid_read(chain) && \separated(chain, vq) && \separated(chain, vq->mem);
  @ requires chain->slots <= vq->slots_in_flight - vq->in_flight + 1 && chain->slots <= vq->slots_in_flight;
  @ assigns vq->used_idx, vq->used_wrap, vq->batch_flags, vq->slots_in_flight;
  @ ensures vq_is_sound(vq) && vq->used_idx < vq->size;
  @ ensures \result != AVPS_OK ==> vq->used_idx == \old(vq->used_idx);
  @ ensures \result == AVPS_OK ==> vq->used_idx == (\old(vq->used_idx) + chain->slots) % vq->size;
  @ ensures \result == AVPS_OK ==>
  @   vq->slots_in_flight == \old(vq->slots_in_flight) - chain->slots >= vq->in_flight - 1; */
AVPS_INLINE enum avps_status packed_push(struct avps_vq *vq, const struct avps_chain *chain)
{
    const struct packed_pos pos = {vq->used_idx, vq->used_wrap};
    const uint32_t off = VIRTQ_DESC_SIZE * (uint32_t)pos.idx + DESC_LEN;
    const bool first = pos.idx == vq->published_idx && pos.wrap == vq->published_wrap;
    const uint32_t flags = packed_used_flags(pos.wrap, chain->written);
    enum avps_status status = AVPS_OK;

    if (AVPS_UNLIKELY(first)) {
        vq->batch_flags = (uint16_t)flags;
        status = ring_store32(vq, &vq->desc, off, chain->written);
        if (status == AVPS_OK) {
            status = ring_store16(vq, &vq->desc, off + (DESC_ID - DESC_LEN), chain->id);
        }
    } else {
        status = ring_store32x2(vq, &vq->desc, off, chain->written, chain->id | flags << 16);
    }
    if (AVPS_LIKELY(status == AVPS_OK)) {
        const struct packed_pos next = packed_advance(vq, pos, chain->slots);
        vq->used_idx = next.idx;
        vq->used_wrap = next.wrap;
        vq->slots_in_flight = (uint16_t)(vq->slots_in_flight - chain->slots);
    }
    return status;
}

enum avps_status avps_packed_push(struct avps_vq *vq, struct avps_chain *chains, uint32_t count)
{
    enum avps_status status = AVPS_OK;

    for (uint32_t i = 0; i < count && status == AVPS_OK; i++) {
        status = vq_give_up(vq, &chains[i]);
        if (AVPS_LIKELY(status == AVPS_OK)) {
            status = packed_push(vq, &chains[i]);
        }
        if (AVPS_LIKELY(status == AVPS_OK)) {
            vq_given(vq, &chains[i]);
        }
    }
    return status;
}

/* ---- plain chains ---- */

/* Slots from `pos` to the ring's end, at most `limit`: a run does not turn the wrap counter. */
/*@ requires packed_is_sound(vq) && pos.idx < vq->size;
  @ assigns \nothing;
  @ ensures \result <= limit && pos.idx + \result <= vq->size;
  @ ensures limit >= 1 ==> \result >= 1; */
static uint32_t packed_ahead(const struct avps_vq *vq, struct packed_pos pos, uint32_t limit)
{
    const uint32_t ahead = vq->size - pos.idx;

    return limit < ahead ? limit : ahead;
}

/* Take plain chains from `pos` on; `limit` slots are left in the ring. */
/*@ requires packed_is_sound(vq) && vq->desc.fast != \null && vq->mem->region_count != 0;
  @ requires pos.idx + limit <= vq->size && (access == 1 || access == 2);
  @ requires \valid(plain + (0 .. limit - 1)) && \separated(plain + (0 .. limit - 1), vq, vq->mem);
  @ assigns plain[0 .. limit - 1], vq->mem->last, vq->busy[0 .. AVPS_QUEUE_SIZE_MAX / 32];
  @ ensures packed_is_sound(vq) && \result <= limit; */
static uint32_t packed_take_run(struct avps_vq *vq, struct packed_pos pos, enum avps_access access,
                                struct avps_plain *plain, uint32_t limit)
{
    const uint32_t mask = PLAIN_MASK | VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED;
    const uint32_t wanted =
        plain_flags(access) | (pos.wrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED);
    const uint32_t off = VIRTQ_DESC_SIZE * (uint32_t)pos.idx;
    uint8_t *at = vq->desc.fast + off;
    struct plain_run run = plain_open(vq, access);
    uint32_t count = 0;

    /*@ loop invariant 0 <= count <= limit && packed_is_sound(vq) && run_is_sound(vq, &run);
      @ loop invariant run.access == access && at == vq->desc.fast + 16 * (pos.idx + count);
      @ loop assigns count, at, run, plain[0 .. limit - 1], vq->mem->last;
      @ loop assigns vq->busy[0 .. AVPS_QUEUE_SIZE_MAX / 32];
      @ loop variant limit - count; */
    for (; count < limit; count++) {
        struct virtq_desc desc; /* third field: id, fourth: flags, as in packed_load */

        virtq_desc_load_acquire(at, &desc);
        if ((desc.next & mask) != wanted ||
            !plain_take(vq, &run, &desc, desc.flags, &plain[count])) {
            break;
        }
        at += VIRTQ_DESC_SIZE;
    }
    busy_close(vq, &run.busy);
    return count;
}

uint32_t avps_packed_take_plain(struct avps_vq *vq, enum avps_access access,
                                struct avps_plain *plain, uint32_t max)
{
    const uint32_t room = vq->size - vq->slots_in_flight;
    const uint32_t limit = max < room ? max : room;
    struct packed_pos pos = {vq->avail_idx, vq->avail_wrap};
    const uint32_t ahead = packed_ahead(vq, pos, limit);
    uint32_t count = packed_take_run(vq, pos, access, plain, ahead);

    pos = packed_advance(vq, pos, count);
    if (count == ahead && count < limit) { /* on from the ring's start */
        const uint32_t more = packed_take_run(vq, pos, access, &plain[count], limit - count);

        pos = packed_advance(vq, pos, more);
        count += more;
    }
    vq->avail_idx = pos.idx;
    vq->avail_wrap = pos.wrap;
    vq->slots_in_flight = (uint16_t)(vq->slots_in_flight + count);
    vq->in_flight = (uint16_t)(vq->in_flight + count);
    return count;
}

/* Write used descriptors, none of them the first of a batch; `count` slots are left in the ring.
 * @return bytes written in all. */
static uint64_t packed_give_run(struct avps_vq *vq, const struct avps_plain *plain, uint32_t count)
{
    const struct packed_pos pos = {vq->used_idx, vq->used_wrap};
    const struct packed_pos next = packed_advance(vq, pos, count);
    const uint32_t off = VIRTQ_DESC_SIZE * (uint32_t)pos.idx + DESC_LEN;
    uint8_t *at = vq->desc.fast + off;
    uint64_t total = 0;

    for (uint32_t i = 0; i < count; i++) {
        const uint32_t written = plain[i].written;

        avps_arch_store32(at, written);
        avps_arch_store32(at + 4, plain[i].id | packed_used_flags(pos.wrap, written) << 16);
        at += VIRTQ_DESC_SIZE;
        total += written;
    }
    vq->used_idx = next.idx;
    vq->used_wrap = next.wrap;
    vq->slots_in_flight = (uint16_t)(vq->slots_in_flight - count);
    return total;
}

/* [packed-1.2] As packed_push, which returns the first one: its flags may have to wait. */
uint64_t avps_packed_give_plain(struct avps_vq *vq, const struct avps_plain *plain, uint32_t count)
{
    const struct avps_chain first = {.id = plain->id, .slots = 1, .written = plain->written};
    uint64_t total = first.written;

    (void)packed_push(vq, &first); /* cannot fail: the ring is accessed directly */
    for (uint32_t done = 1; done < count;) {
        const struct packed_pos pos = {vq->used_idx, vq->used_wrap};
        const uint32_t n = packed_ahead(vq, pos, count - done);

        total += packed_give_run(vq, &plain[done], n);
        done += n;
    }
    return total;
}

/* ---- used buffer notifications ---- */

/* Whether the driver's event position lies in the published step; positions before the last wrap
 * count as negative. */
/*@ requires packed_is_sound(vq) && old.idx < vq->size && (off_wrap & 0x7fff) < vq->size;
  @ assigns \nothing; */
static bool packed_event_passed(const struct avps_vq *vq, struct packed_pos old, uint16_t off_wrap)
{
    const uint32_t event = off_wrap & EVENT_OFF;
    const bool event_wrap = (off_wrap & 0x8000U) != 0U;
    const uint32_t now = (uint32_t)vq->used_idx + 0x20000U;
    const uint32_t before = old.wrap == vq->used_wrap ? 0U : vq->size;
    const uint32_t event_before = event_wrap == vq->used_wrap ? 0U : vq->size;
    const uint32_t since_old = (now - old.idx + before) & 0xffffU;
    const uint32_t since_event = (now - event + event_before - 1U) & 0xffffU;

    return since_event < since_old;
}

/*@ requires packed_is_sound(vq) && \valid(notify) && \separated(notify, vq) && \separated(notify, vq->mem);
  @ requires old.idx < vq->size;
  @ assigns *notify, vq->mem->last;
  @ ensures packed_is_sound(vq); */
static enum avps_status packed_wants_interrupt(const struct avps_vq *vq, struct packed_pos old,
                                               bool *notify)
{
    uint16_t off_wrap = 0;
    uint16_t flags = 0;
    enum avps_status status = ring_load16(vq, &vq->driver, EVENT_FLAGS, &flags);

    flags = (uint16_t)(flags & EVENT_MASK);
    if (status == AVPS_OK && flags == EVENT_DESC && vq->event_idx) {
        status = ring_load16(vq, &vq->driver, 0, &off_wrap);
    }
    if (status != AVPS_OK) {
        *notify = true; /* wishes unknown: a spurious interrupt is better than a lost one */
    } else if (flags == EVENT_DESC && vq->event_idx && (off_wrap & EVENT_OFF) < vq->size) {
        *notify = packed_event_passed(vq, old, off_wrap);
    } else {
        *notify = flags != EVENT_DISABLE;
    }
    return status;
}

/*@ requires packed_is_sound(vq) && \valid(notify) && \separated(notify, vq) && \separated(notify, vq->mem);
  @ assigns *notify, vq->published_idx, vq->published_wrap, vq->mem->last;
  @ ensures packed_is_sound(vq);
  @ ensures \result == AVPS_OK ==> vq->published_idx == vq->used_idx; */
enum avps_status avps_packed_publish(struct avps_vq *vq, bool *notify)
{
    const struct packed_pos old = {vq->published_idx, vq->published_wrap};
    const uint32_t off = VIRTQ_DESC_SIZE * (uint32_t)old.idx + DESC_FLAGS;

    *notify = false;
    if (vq->used_idx == old.idx && vq->used_wrap == old.wrap) {
        return AVPS_OK;
    }
    const enum avps_status status = ring_store16_release(vq, &vq->desc, off, vq->batch_flags);
    if (status != AVPS_OK) {
        return status;
    }
    vq->published_idx = vq->used_idx; /* [packed-2.3] never touched again */
    vq->published_wrap = vq->used_wrap;
    avps_arch_fence_full();
    return packed_wants_interrupt(vq, old, notify);
}

/* ---- available buffer notification suppression ---- */

/* [packed-x3] */
/*@ requires packed_is_sound(vq);
  @ assigns \nothing; */
enum avps_status avps_packed_set_kicks(struct avps_vq *vq, bool wanted)
{
    if (!wanted) {
        return ring_store16(vq, &vq->device, EVENT_FLAGS, EVENT_DISABLE);
    }
    if (!vq->event_idx) {
        return ring_store16(vq, &vq->device, EVENT_FLAGS, EVENT_ENABLE);
    }
    const uint16_t off_wrap = (uint16_t)(vq->avail_idx + (vq->avail_wrap ? 0x8000U : 0U));
    const enum avps_status status = ring_store16(vq, &vq->device, 0, off_wrap);
    return status == AVPS_OK ? ring_store16_release(vq, &vq->device, EVENT_FLAGS, EVENT_DESC)
                             : status;
}

/*@ requires packed_is_sound(vq);
  @ assigns vq->mem->last;
  @ ensures packed_is_sound(vq); */
bool avps_packed_has_work(struct avps_vq *vq)
{
    const uint32_t off = VIRTQ_DESC_SIZE * (uint32_t)vq->avail_idx + DESC_FLAGS;
    uint16_t flags = 0;

    return vq->slots_in_flight < vq->size && (ring_load16(vq, &vq->desc, off, &flags) != AVPS_OK ||
                                              packed_is_available(flags, vq->avail_wrap));
}
