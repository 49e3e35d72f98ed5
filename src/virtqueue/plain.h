/* SPDX-License-Identifier: BSD-3-Clause */
/* Plain chains: one descriptor, no table, one piece of memory without hooks. A burst takes a run of
 * them at once and keeps little of each. What is not plain, or is not good, ends the run and is left
 * to avps_vq_pop, which judges it as if no run had been tried: a run has no faults of its own. */
#ifndef AVPS_PLAIN_H
#define AVPS_PLAIN_H

#include "virtqueue/vq_internal.h"

#if defined(__GNUC__)
#define AVPS_PREFETCH(p)       __builtin_prefetch(p)
#define AVPS_PREFETCH_WRITE(p) __builtin_prefetch((p), 1)
#else
#define AVPS_PREFETCH(p)       ((void)(p))
#define AVPS_PREFETCH_WRITE(p) ((void)(p))
#endif

/* ---- plain.c: for devices ---- */

/* Take a run of at most `max` of the next chains, all of which the device only reads, or only
 * writes. @return how many: they are in flight. 0 also when the queue is not live, or not direct. */
uint32_t avps_vq_take_plain(struct avps_vq *vq, enum avps_access access, struct avps_plain *plain,
                            uint32_t max);
/* Return chains with `written` bytes each; they are seen at the next publish. The caller has taken
 * them, and the queue has been live since. @return the sum of `written`. */
uint64_t avps_vq_give_plain(struct avps_vq *vq, const struct avps_plain *plain, uint32_t count);
/* The `count` chains taken last are in the ring as if they had not been. */
void avps_vq_put_back_plain(struct avps_vq *vq, const struct avps_plain *plain, uint32_t count);
/* Forget chains, for resets. */
void avps_vq_drop_plain(struct avps_vq *vq, const struct avps_plain *plain, uint32_t count);

/* ---- split.c and packed.c: the formats' part, for a queue that is direct ---- */

/* give: only what the driver sees, the ids stay in flight; count >= 1. */
uint32_t avps_split_take_plain(struct avps_vq *vq, enum avps_access access,
                               struct avps_plain *plain, uint32_t max);
uint64_t avps_split_give_plain(struct avps_vq *vq, const struct avps_plain *plain, uint32_t count);
uint32_t avps_packed_take_plain(struct avps_vq *vq, enum avps_access access,
                                struct avps_plain *plain, uint32_t max);
uint64_t avps_packed_give_plain(struct avps_vq *vq, const struct avps_plain *plain, uint32_t count);

/* ---- ids in flight ---- */

/* The word of busy bits that a run works on, in place of vq->busy[index]: a bit in it that follows
 * another one need not wait for memory. */
struct busy_run {
    uint32_t index;
    uint32_t word;
};

/*@ requires \valid_read(vq);
  @ assigns \nothing;
  @ ensures \result.index == 0; */
AVPS_INLINE struct busy_run busy_open(const struct avps_vq *vq)
{
    const struct busy_run run = {0, vq->busy[0]};

    return run;
}

/*@ requires \valid(vq) && \valid_read(run) && run->index <= AVPS_QUEUE_SIZE_MAX / 32;
  @ requires \separated(vq, run);
  @ assigns vq->busy[0 .. AVPS_QUEUE_SIZE_MAX / 32]; */
AVPS_INLINE void busy_close(struct avps_vq *vq, const struct busy_run *run)
{
    vq->busy[run->index] = run->word;
}

/* Turn to the word of `id`. @return its bit. */
/*@ requires \valid(vq) && \valid(run) && run->index <= AVPS_QUEUE_SIZE_MAX / 32;
  @ requires \separated(vq, run) && id < AVPS_QUEUE_SIZE_MAX;
  @ assigns *run, vq->busy[0 .. AVPS_QUEUE_SIZE_MAX / 32];
  @ ensures run->index <= AVPS_QUEUE_SIZE_MAX / 32; */
AVPS_INLINE uint32_t busy_seek(struct avps_vq *vq, struct busy_run *run, uint32_t id)
{
    if (AVPS_UNLIKELY(id / 32U != run->index)) {
        busy_close(vq, run);
        run->index = id / 32U;
        run->word = vq->busy[run->index];
    }
    return (uint32_t)1 << (id % 32U);
}

/* ---- taking one ---- */

/* Flags of a descriptor that say what it is and whether another follows. */
#define PLAIN_MASK (VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE | VIRTQ_DESC_F_INDIRECT)

/* What they are in a plain chain. */
/*@ requires access == 1 || access == 2;
  @ assigns \nothing;
  @ ensures \result == (access == 2 ? 2 : 0); */
AVPS_INLINE uint32_t plain_flags(enum avps_access access)
{
    return access == AVPS_ACCESS_WRITE ? VIRTQ_DESC_F_WRITE : 0U;
}

/* Whether the window holds [gpa, gpa + len), which is not empty (I2). */
/*@ requires \valid_read(window);
  @ requires window->size != 0 ==> window->gpa + window->size <= UINT64_MAX + 1;
  @ assigns \nothing;
  @ ensures \result ==> window->size != 0 && len >= 1 && window->gpa <= gpa;
  @ ensures \result ==> gpa + len <= window->gpa + window->size; */
AVPS_INLINE bool window_holds(const struct mem_window *window, avps_gpa gpa, uint32_t len)
{
    const uint64_t off = u64_distance(window->gpa, gpa);

    return off < window->size && u64_distance(1, len) < window->size - off;
}

/* What a run keeps at hand. */
struct plain_run {
    struct mem_window window; /* where memory was hit last */
    struct busy_run busy;
    uint32_t size; /* of the queue */
    enum avps_access access;
};

/*@ predicate run_is_sound(struct avps_vq *q, struct plain_run *r) =
      \valid(r) && \separated(r, q, q->mem) && r->size == q->size &&
      r->busy.index <= AVPS_QUEUE_SIZE_MAX / 32 && (r->access == 1 || r->access == 2) &&
      window_is_sound(r->window, r->access);

    predicate plain_is_sound(struct avps_plain *p, integer access) =
      seg_is_sound(&p->seg, access) && p->seg.ptr != \null; */

/*@ requires vq_is_sound(vq) && (access == 1 || access == 2);
  @ assigns \nothing;
  @ ensures \result.size == vq->size && \result.access == access;
  @ ensures \result.window.size == 0 && \result.busy.index == 0; */
AVPS_INLINE struct plain_run plain_open(const struct avps_vq *vq, enum avps_access access)
{
    const struct plain_run run = {{0, 0, NULL}, busy_open(vq), vq->size, access};

    return run;
}

/* Take the chain `id` of one descriptor, whose flags are good. @return false: it is not plain. */
/*@ requires vq_is_sound(vq) && run_is_sound(vq, run) && vq->mem->region_count != 0;
  @ requires \valid_read(desc) && \valid(plain);
  @ requires \separated(desc, plain, run, vq, vq->mem);
  @ assigns *run, *plain, vq->mem->last, vq->busy[0 .. AVPS_QUEUE_SIZE_MAX / 32];
  @ ensures vq_is_sound(vq) && run_is_sound(vq, run) && run->access == \old(run->access);
  @ ensures \result ==> id < vq->size && plain->id == id && plain->written == 0;
  @ ensures \result ==> plain_is_sound(plain, run->access); */
AVPS_INLINE bool plain_take(struct avps_vq *vq, struct plain_run *run,
                            const struct virtq_desc *desc, uint32_t id, struct avps_plain *plain)
{
    if (AVPS_UNLIKELY(id >= run->size)) {
        return false; /* I5 */
    }
    if (AVPS_UNLIKELY(!window_holds(&run->window, desc->addr, desc->len))) {
        run->window = avps_mem_window(vq->mem, desc->addr, run->access);
        if (!window_holds(&run->window, desc->addr, desc->len)) {
            return false;
        }
    }
    const uint32_t bit = busy_seek(vq, &run->busy, id);
    if (AVPS_UNLIKELY((run->busy.word & bit) != 0U)) {
        return false; /* I10 */
    }
    run->busy.word |= bit;
    plain->seg.ptr = run->window.host + (desc->addr - run->window.gpa);
    plain->seg.gpa = desc->addr;
    plain->seg.len = desc->len;
    plain->written = 0;
    plain->id = (uint16_t)id;
    AVPS_PREFETCH(plain->seg.ptr);
    return true;
}

#endif
