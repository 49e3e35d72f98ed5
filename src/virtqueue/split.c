/* SPDX-License-Identifier: BSD-3-Clause */
/* Split virtqueue, device side: available ring -> walk -> used ring -> suppression.
 *
 *   desc[N] {addr, len, flags, next}   driver: flags idx ring[N] used_event
 *                                      device: flags idx {id, len}[N] avail_event
 */
#include "virtqueue/plain.h"

#define AVAIL_IDX      2U
#define AVAIL_RING     4U
#define USED_IDX       2U
#define USED_RING      4U
#define USED_ELEM_SIZE 8U

/*@ requires \valid_read(vq) && 1 <= vq->size <= 32768;
  @ assigns \nothing;
  @ ensures \result < vq->size; */
static uint32_t split_slot(const struct avps_vq *vq, uint16_t idx)
{
    return (uint32_t)idx & (vq->size - 1U);
}

/* ---- available ring ---- */

/* Chains that the driver has made available and the device has not taken. [split-1.1] */
/*@ requires split_is_sound(vq);
  @ assigns vq->avail_seen, vq->mem->last;
  @ ensures split_is_sound(vq);
  @ ensures \result == AVPS_OK ==> split_pending(vq) >= 1;
  @ ensures \result != AVPS_OK ==> vq->avail_seen == \old(vq->avail_seen); */
static enum avps_status split_refresh(struct avps_vq *vq)
{
    uint16_t idx = 0;
    const enum avps_status status = ring_load16_acquire(vq, &vq->driver, AVAIL_IDX, &idx);

    if (status != AVPS_OK) {
        return status;
    }
    const uint32_t pending = ((uint32_t)idx + 0x10000U - vq->avail_idx) & 0xffffU;
    if (pending == 0U) {
        return AVPS_EMPTY;
    }
    if (pending > vq->size || pending > vq->size - vq->in_flight) {
        return AVPS_E_GUEST_DESC; /* drv.split-5.1: jumped ahead or went back */
    }
    vq->avail_seen = idx;
    return AVPS_OK;
}

/* ---- walk ---- */

/* Follow a table of `entries` descriptors; at most so many steps (I3). */
/*@ requires split_is_sound(vq) && walk_is_ready(vq, chain, walk) && \valid_read(table);
  @ requires area_is_sound(table) && 1 <= entries <= 32768 && table->len == 16 * entries;
  @ requires \separated(table, walk, vq->mem);
  @ assigns *walk, vq->mem->last;
  @ ensures mem_is_sound(vq->mem);
  @ ensures \result == AVPS_OK ==> walk_is_sound(chain, walk); */
AVPS_INLINE enum avps_status split_walk_table(const struct avps_vq *vq, struct avps_chain *chain,
                                              struct chain_walk *walk,
                                              const struct avps_ring_area *table, uint32_t entries)
{
    uint32_t index = 0;

    /*@ loop invariant 0 <= steps <= entries && index < entries;
      @ loop invariant mem_is_sound(vq->mem) && walk_is_sound(chain, walk);
      @ loop assigns steps, index, *walk, vq->mem->last;
      @ loop variant entries - steps; */
    for (uint32_t steps = 0; steps < entries; steps++) {
        struct virtq_desc desc;
        enum avps_status status = ring_load_desc(vq, table, index, &desc);

        if (status != AVPS_OK) {
            return status;
        }
        if ((desc.flags & VIRTQ_DESC_F_INDIRECT) != 0U) {
            return AVPS_E_GUEST_DESC; /* drv.split-4.2: nested */
        }
        status = chain_add(chain, vq->mem, walk, &desc);
        if (status != AVPS_OK || (desc.flags & VIRTQ_DESC_F_NEXT) == 0U) {
            return status;
        }
        if (desc.next >= entries) {
            return AVPS_E_GUEST_DESC; /* I5 */
        }
        index = desc.next;
    }
    return AVPS_E_GUEST_DESC; /* a loop */
}

/* [split-3.1] [split-3.2] The last descriptor points to a table; its WRITE flag says nothing. */
/*@ requires split_is_sound(vq) && walk_is_ready(vq, chain, walk);
  @ assigns *walk, vq->mem->last;
  @ ensures mem_is_sound(vq->mem);
  @ ensures \result == AVPS_OK ==> walk_is_sound(chain, walk); */
AVPS_INLINE enum avps_status split_indirect(const struct avps_vq *vq, struct avps_chain *chain,
                                            struct chain_walk *walk, struct virtq_desc desc)
{
    const uint32_t entries = desc.len / VIRTQ_DESC_SIZE;
    struct avps_ring_area table;

    if (!vq->indirect || (desc.flags & VIRTQ_DESC_F_NEXT) != 0U) {
        return AVPS_E_GUEST_DESC; /* drv.split-4.1, drv.split-4.4 */
    }
    if (entries == 0U || entries > AVPS_QUEUE_ENTRIES_MAX || desc.len % VIRTQ_DESC_SIZE != 0U) {
        return AVPS_E_GUEST_DESC; /* I6 [split-1.2] */
    }
    enum avps_status status = avps_table_attach(vq->mem, &table, desc.addr, desc.len);
    if (status == AVPS_OK) {
        status = split_walk_table(vq, chain, walk, &table, entries);
    }
    if (AVPS_UNLIKELY(table.pinned)) {
        avps_ring_detach(vq->mem, &table);
    }
    return status;
}

/*@ requires split_is_sound(vq) && walk_is_ready(vq, chain, walk) && head < vq->size;
  @ assigns *walk, vq->mem->last;
  @ ensures mem_is_sound(vq->mem);
  @ ensures \result == AVPS_OK ==> walk_is_sound(chain, walk); */
AVPS_INLINE enum avps_status split_walk(const struct avps_vq *vq, struct avps_chain *chain,
                                        struct chain_walk *walk, uint32_t head)
{
    uint32_t index = head;

    /*@ loop invariant 0 <= steps <= vq->size && index < vq->size;
      @ loop invariant mem_is_sound(vq->mem) && walk_is_sound(chain, walk);
      @ loop assigns steps, index, *walk, vq->mem->last;
      @ loop variant vq->size - steps; */
    for (uint32_t steps = 0; steps < vq->size; steps++) {
        struct virtq_desc desc;
        enum avps_status status = ring_load_desc(vq, &vq->desc, index, &desc);

        if (AVPS_UNLIKELY(status != AVPS_OK)) {
            return status;
        }
        if ((desc.flags & VIRTQ_DESC_F_INDIRECT) != 0U) {
            struct chain_walk cold = {walk->segs, walk->readable_segs, walk->readable_len,
                                      walk->writable_len}; /* keeps `walk` in registers */

            /*@ assert walk_is_sound(chain, &cold); */
            status = split_indirect(vq, chain, &cold, desc);
            *walk = cold;
            return status;
        }
        status = chain_add(chain, vq->mem, walk, &desc);
        if (status != AVPS_OK || (desc.flags & VIRTQ_DESC_F_NEXT) == 0U) {
            return status;
        }
        if (desc.next >= vq->size) {
            return AVPS_E_GUEST_DESC; /* I5 */
        }
        index = desc.next;
    }
    return AVPS_E_GUEST_DESC; /* a loop, or longer than the queue: drv.split-3.1 */
}

/* ---- chains ---- */

/* The head of the next chain. */
/*@ requires split_is_sound(vq) && \valid(head) && \separated(head, vq, vq->mem);
  @ assigns *head, vq->avail_seen, vq->mem->last;
  @ ensures split_is_sound(vq);
  @ ensures \result == AVPS_OK ==> split_pending(vq) >= 1 && *head < vq->size; */
AVPS_INLINE enum avps_status split_next_head(struct avps_vq *vq, uint16_t *head)
{
    enum avps_status status = AVPS_OK;

    if (vq->avail_seen == vq->avail_idx) {
        status = split_refresh(vq);
        if (status != AVPS_OK) {
            return status;
        }
    }
    status = ring_load16(vq, &vq->driver, AVAIL_RING + 2U * split_slot(vq, vq->avail_idx), head);
    /*@ assert split_is_sound(vq); */
    if (AVPS_UNLIKELY(status != AVPS_OK)) {
        return status;
    }
    return *head < vq->size && !vq_is_busy(vq, *head) ? AVPS_OK : AVPS_E_GUEST_DESC; /* I5, I10 */
}

/*@ requires split_is_sound(vq) && split_pending(vq) >= 1;
  @ assigns vq->avail_idx;
  @ ensures split_is_sound(vq) && vq->avail_idx == (\old(vq->avail_idx) + 1) % 65536;
  @ ensures split_pending(vq) == \old(split_pending(vq)) - 1; */
AVPS_INLINE void split_advance(struct avps_vq *vq)
{
    vq->avail_idx = (uint16_t)((vq->avail_idx + 1U) & 0xffffU);
}

/* Take what was found. */
/*@ requires split_is_sound(vq) && chain_is_apart(chain, vq) && walk_is_sound(chain, walk);
  @ requires \separated(walk, vq, vq->mem) && split_pending(vq) >= 1 && head < vq->size;
  @ assigns chain->readable_segs, chain->writable_segs, chain->readable_len, chain->writable_len;
  @ assigns chain->written, chain->read_seg, chain->read_off, chain->write_seg, chain->write_off;
  @ assigns chain->tail_len, chain->mapped, chain->id, chain->slots, vq->avail_idx;
  @ ensures split_is_sound(vq) && chain_is_apart(chain, vq);
  @ ensures vq->avail_idx == (\old(vq->avail_idx) + 1) % 65536;
  @ ensures split_pending(vq) + vq->in_flight < vq->size;
  @ ensures chain_is_sound(chain) && chain->id == head; */
AVPS_INLINE void split_take(struct avps_vq *vq, struct avps_chain *chain,
                            const struct chain_walk *walk, uint16_t head)
{
    split_advance(vq);
    /*@ ghost Moved:; */
    chain->id = head;
    chain->slots = 1;
    chain_finish(chain, walk);
    /*@ assert vq->avail_idx == \at(vq->avail_idx, Moved); */
    /*@ assert vq->avail_seen == \at(vq->avail_seen, Moved); */
    /*@ assert split_pending(vq) == \at(split_pending(vq), Moved); */
    /*@ assert mem_is_sound(vq->mem); */
    /*@ assert area_is_sound(&vq->device); */
    /*@ assert area_is_sound(&vq->desc) && area_is_sound(&vq->driver); */
    /*@ assert vq_is_sound(vq); */
}

/* Find, walk, take. `walk`, empty, and `head` are scratch: the proofs go better without locals whose
 * address is taken. */
/*@ requires split_is_sound(vq) && walk_is_ready(vq, chain, walk) && \valid(head);
  @ requires \separated(head, walk, vq, vq->mem) && \separated(head, chain);
  @ assigns chain->readable_segs, chain->writable_segs, chain->readable_len, chain->writable_len;
  @ assigns chain->written, chain->read_seg, chain->read_off, chain->write_seg, chain->write_off;
  @ assigns chain->tail_len, chain->mapped, chain->id, chain->slots;
  @ assigns *walk, *head, vq->avail_seen, vq->avail_idx, vq->mem->last;
  @ ensures split_is_sound(vq) && chain_is_apart(chain, vq);
  @ ensures \result != AVPS_OK ==> vq->avail_idx == \old(vq->avail_idx);
  @ ensures \result == AVPS_OK ==> vq->avail_idx == (\old(vq->avail_idx) + 1) % 65536;
  @ ensures \result == AVPS_OK ==> split_pending(vq) + vq->in_flight < vq->size;
  @ ensures \result == AVPS_OK ==> chain_is_sound(chain) && chain->id < vq->size; */
AVPS_INLINE enum avps_status split_pop(struct avps_vq *vq, struct avps_chain *chain,
                                       struct chain_walk *walk, uint16_t *head)
{
    enum avps_status status = split_next_head(vq, head);

    if (AVPS_UNLIKELY(status != AVPS_OK)) {
        return status;
    }
    /*@ assert walk_is_ready(vq, chain, walk); */
    status = split_walk(vq, chain, walk, *head);
    /*@ assert split_is_sound(vq); */
    if (AVPS_LIKELY(status == AVPS_OK)) {
        split_take(vq, chain, walk, *head);
    }
    return status;
}

enum avps_status avps_split_pop(struct avps_vq *vq, struct avps_chain *chains, uint32_t max,
                                uint32_t *count)
{
    enum avps_status status = AVPS_OK;

    for (*count = 0; *count < max; (*count)++) {
        struct chain_walk walk = {0, 0, 0, 0};
        uint16_t head = 0;

        status = split_pop(vq, &chains[*count], &walk, &head);
        if (AVPS_LIKELY(status == AVPS_OK)) {
            status = vq_take(vq, &chains[*count], avps_split_unpop);
        }
        if (AVPS_UNLIKELY(status != AVPS_OK)) {
            break;
        }
    }
    return status;
}

/* Nothing to undo in the ring for a chain that does not come from it. */
static void split_stay(struct avps_vq *vq, const struct avps_chain *chain)
{
    (void)vq;
    (void)chain;
}

/* The head comes from the tracker, its descriptors are where the driver put them. */
enum avps_status avps_split_replay(struct avps_vq *vq, struct avps_chain *chain)
{
    struct chain_walk walk = {0, 0, 0, 0};
    struct avps_vq_desc head;

    if (!vq->tracker->ops->replay(vq->tracker->ctx, 0, &head)) {
        return AVPS_EMPTY;
    }
    if (head.id >= vq->size || vq_is_busy(vq, head.id)) {
        return AVPS_E_GUEST_DESC;
    }
    const enum avps_status status = split_walk(vq, chain, &walk, head.id);

    if (status != AVPS_OK) {
        return status;
    }
    chain_finish(chain, &walk);
    chain->id = head.id;
    chain->slots = 1;
    return vq_hold(vq, chain, split_stay);
}

void avps_split_unpop(struct avps_vq *vq, const struct avps_chain *chain)
{
    (void)chain;
    vq->avail_idx = (uint16_t)((vq->avail_idx + 0xffffU) & 0xffffU);
}

/* ---- used ring ---- */

/* [split-5.1] [split-5.2] Element first; the index follows in publish. */
/*@ requires split_is_sound(vq) && \valid_read(chain);
  @ assigns vq->used_idx;
  @ ensures split_is_sound(vq);
  @ ensures \result != AVPS_OK ==> vq->used_idx == \old(vq->used_idx);
  @ ensures \result == AVPS_OK ==> vq->used_idx == (\old(vq->used_idx) + 1) % 65536; */
AVPS_INLINE enum avps_status split_push(struct avps_vq *vq, const struct avps_chain *chain)
{
    const uint32_t off = USED_RING + USED_ELEM_SIZE * split_slot(vq, vq->used_idx);
    const enum avps_status status = ring_store32x2(vq, &vq->device, off, chain->id, chain->written);

    if (status == AVPS_OK) {
        vq->used_idx = (uint16_t)((vq->used_idx + 1U) & 0xffffU);
    }
    return status;
}

enum avps_status avps_split_push(struct avps_vq *vq, struct avps_chain *chains, uint32_t count)
{
    enum avps_status status = AVPS_OK;

    for (uint32_t i = 0; i < count && status == AVPS_OK; i++) {
        status = vq_give_up(vq, &chains[i]);
        if (AVPS_LIKELY(status == AVPS_OK)) {
            status = split_push(vq, &chains[i]);
        }
        if (AVPS_LIKELY(status == AVPS_OK)) {
            vq_given(vq, &chains[i]);
        }
    }
    return status;
}

/* ---- plain chains ---- */

/* How many chains a run may take: at most `max` of those that the driver has made available. */
/*@ requires split_is_sound(vq);
  @ assigns vq->avail_seen, vq->mem->last;
  @ ensures split_is_sound(vq) && \result <= max && \result <= split_pending(vq); */
static uint32_t split_run_limit(struct avps_vq *vq, uint32_t max)
{
    if (vq->avail_seen == vq->avail_idx && split_refresh(vq) != AVPS_OK) {
        return 0;
    }
    const uint32_t pending = ((uint32_t)vq->avail_seen + 0x10000U - vq->avail_idx) & 0xffffU;

    return max < pending ? max : pending;
}

uint32_t avps_split_take_plain(struct avps_vq *vq, enum avps_access access,
                               struct avps_plain *plain, uint32_t max)
{
    const uint32_t limit = split_run_limit(vq, max);
    const uint32_t first = vq->avail_idx;
    uint8_t *const table = vq->desc.fast;
    uint8_t *const ring = vq->driver.fast + AVAIL_RING;
    struct plain_run run = plain_open(vq, access);
    uint32_t count = 0;

    for (; count < limit; count++) {
        const uint32_t off = 2U * ((first + count) & (run.size - 1U));
        const uint32_t head = avps_arch_load16(ring + off);
        const uint32_t desc_off = VIRTQ_DESC_SIZE * head;
        struct virtq_desc desc;

        if (head >= run.size) {
            break; /* I5 */
        }
        virtq_desc_load(table + desc_off, &desc);
        if ((desc.flags & PLAIN_MASK) != plain_flags(access) ||
            !plain_take(vq, &run, &desc, head, &plain[count])) {
            break;
        }
    }
    busy_close(vq, &run.busy);
    vq->avail_idx = (uint16_t)((first + count) & 0xffffU);
    vq->in_flight = (uint16_t)(vq->in_flight + count);
    return count;
}

/* [split-5.1] [split-5.2] As split_push. */
uint64_t avps_split_give_plain(struct avps_vq *vq, const struct avps_plain *plain, uint32_t count)
{
    uint8_t *const ring = vq->device.fast + USED_RING;
    const uint32_t first = vq->used_idx;
    const uint32_t mask = vq->size - 1U;
    uint64_t total = 0;

    for (uint32_t i = 0; i < count; i++) {
        const uint32_t written = plain[i].written;
        const uint32_t off = USED_ELEM_SIZE * ((first + i) & mask);

        avps_arch_store32(ring + off, plain[i].id);
        avps_arch_store32(ring + off + 4U, written);
        total += written;
    }
    vq->used_idx = (uint16_t)((first + count) & 0xffffU);
    return total;
}

/* ---- used buffer notifications ---- */

/* Whether the step from `old` to `now` deserves an interrupt: by index [split-4.4] [split-4.5]
 * [split-4.6] or by flag [split-4.1] [split-4.2] [split-4.3]. */
/*@ requires split_is_sound(vq) && \valid(notify);
  @ requires \separated(notify, vq, vq->mem);
  @ assigns *notify, vq->mem->last;
  @ ensures split_is_sound(vq); */
static enum avps_status split_wants_interrupt(const struct avps_vq *vq, uint16_t old, uint16_t now,
                                              bool *notify)
{
    uint16_t value = 0;
    const uint32_t off = vq->event_idx ? AVAIL_RING + 2U * vq->size : 0U;
    const enum avps_status status = ring_load16(vq, &vq->driver, off, &value);

    if (status != AVPS_OK) {
        *notify = true; /* wishes unknown: a spurious interrupt is better than a lost one */
    } else if (vq->event_idx) {
        const uint32_t since_event = ((uint32_t)now + 0x1ffffU - value) & 0xffffU;
        const uint32_t since_old = ((uint32_t)now + 0x10000U - old) & 0xffffU;
        *notify = since_event < since_old;
    } else {
        *notify = (value & VIRTQ_AVAIL_F_NO_INTERRUPT) == 0U;
    }
    return status;
}

/*@ requires split_is_sound(vq) && \valid(notify);
  @ requires \separated(notify, vq, vq->mem);
  @ assigns *notify, vq->published_idx, vq->mem->last;
  @ ensures split_is_sound(vq);
  @ ensures \old(vq->used_idx == vq->published_idx) ==> !*notify && \result == AVPS_OK;
  @ ensures \result == AVPS_OK ==> vq->published_idx == vq->used_idx; */
enum avps_status avps_split_publish(struct avps_vq *vq, bool *notify)
{
    const uint16_t old = vq->published_idx;

    *notify = false;
    if (vq->used_idx == old) {
        return AVPS_OK;
    }
    const enum avps_status status =
        ring_store16_release(vq, &vq->device, USED_IDX, vq->used_idx); /* I25 */
    if (status != AVPS_OK) {
        return status;
    }
    vq->published_idx = vq->used_idx;
    avps_arch_fence_full();
    return split_wants_interrupt(vq, old, vq->used_idx, notify);
}

/* ---- available buffer notification suppression ---- */

/* [split-x8] With EVENT_IDX the flags stay 0 and a stale avail_event suppresses [split-6.3]
 * [split-6.4]; without it the flag is 0 or 1 [split-6.1] [split-6.2]. */
/*@ requires split_is_sound(vq);
  @ assigns \nothing; */
enum avps_status avps_split_set_kicks(struct avps_vq *vq, bool wanted)
{
    if (!vq->event_idx) {
        return ring_store16(vq, &vq->device, 0, wanted ? 0 : VIRTQ_USED_F_NO_NOTIFY);
    }
    if (!wanted) {
        return AVPS_OK;
    }
    return ring_store16(vq, &vq->device, USED_RING + USED_ELEM_SIZE * vq->size, vq->avail_idx);
}

/*@ requires split_is_sound(vq);
  @ assigns vq->mem->last;
  @ ensures split_is_sound(vq); */
bool avps_split_has_work(struct avps_vq *vq)
{
    uint16_t idx = 0;

    return ring_load16(vq, &vq->driver, AVAIL_IDX, &idx) != AVPS_OK || idx != vq->avail_idx;
}
