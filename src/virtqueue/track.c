/* SPDX-License-Identifier: BSD-3-Clause */
/* Queues with a tracker: what it is told -> what it hands out again. Nothing here runs in a queue
 * without one. */
#include "virtqueue/vq_internal.h"

/* ---- what it is told ---- */

/* The descriptors of a packed ring are read once more: whatever the driver makes of them meanwhile
 * is checked when they are replayed. */
void avps_track_take(const struct avps_vq *vq, struct avps_chain *chain)
{
    const struct avps_tracker *tracker = vq->tracker;
    struct avps_vq_desc desc = {.id = chain->id};

    chain->replayed = false;
    for (uint32_t n = 0; n < chain->slots; n++) {
        const bool last = n + 1U == chain->slots;

        if (vq->packed) {
            avps_packed_peek(vq, chain->slots - n, &desc);
            desc.id = chain->id;
        }
        tracker->ops->take(tracker->ctx, &desc, n == 0U, last);
    }
}

void avps_track_give(const struct avps_vq *vq, uint16_t id)
{
    vq->tracker->ops->give(vq->tracker->ctx, id);
}

void avps_track_forget(const struct avps_vq *vq, uint16_t id)
{
    vq->tracker->ops->forget(vq->tracker->ctx, id);
}

enum avps_status avps_track_publish(struct avps_vq *vq, bool *notify)
{
    const struct avps_tracker *tracker = vq->tracker;
    const uint16_t before = vq->published_idx;
    const bool wrap = vq->published_wrap;

    if (vq->used_idx == before && vq->used_wrap == wrap) {
        return AVPS_OK;
    }
    tracker->ops->publish(tracker->ctx, vq->used_idx, vq->used_wrap);
    const enum avps_status status =
        vq->packed ? avps_packed_publish(vq, notify) : avps_split_publish(vq, notify);
    if (vq->published_idx != before || vq->published_wrap != wrap) {
        tracker->ops->published(tracker->ctx);
    }
    return status;
}

/* ---- what it hands out again ---- */

enum avps_status avps_track_start(struct avps_vq *vq)
{
    vq->replaying = true;
    return vq->packed ? avps_packed_reclaim(vq) : AVPS_OK;
}

enum avps_status avps_track_pop(struct avps_vq *vq, struct avps_chain *chains, uint32_t max,
                                uint32_t *count)
{
    enum avps_status status = AVPS_OK;

    for (*count = 0; *count < max; (*count)++) {
        struct avps_chain *chain = &chains[*count];

        status = vq->packed ? avps_packed_replay(vq, chain) : avps_split_replay(vq, chain);
        if (status != AVPS_OK) {
            break;
        }
        chain->replayed = true;
        vq->tracker->ops->replayed(vq->tracker->ctx, true);
    }
    vq->replaying = status != AVPS_EMPTY;
    return status;
}

bool avps_track_unpop(struct avps_vq *vq, const struct avps_chain *chain)
{
    if (!chain->replayed) {
        avps_track_forget(vq, chain->id);
        return false;
    }
    if (vq->packed) {
        vq->slots_in_flight = (uint16_t)(vq->slots_in_flight - chain->slots);
    }
    vq->replaying = true;
    vq->tracker->ops->replayed(vq->tracker->ctx, false);
    return true;
}
