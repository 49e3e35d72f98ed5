/* SPDX-License-Identifier: BSD-3-Clause */
/* Split -> packed -> whichever it is. */
#include "ring.h"

#include <string.h>

static uint16_t ring_load(const uint16_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void ring_store(uint16_t *p, uint16_t value) /* NOLINT(readability-non-const-parameter) */
{
    __atomic_store_n(p, value, __ATOMIC_RELEASE);
}

/* ---- split ---- */

void ring_publish(struct ring *ring, uint16_t head)
{
    ring->driver.heads[ring->next % RING_SIZE] = head;
    ring->next++;
    ring_store(&ring->driver.index, ring->next);
}

static void split_post(struct ring *ring, uint16_t id, const struct ring_part *parts,
                       uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        ring->desc[(id + i) % RING_SIZE] =
            (struct ring_desc){parts[i].address, parts[i].len, parts[i].flags, parts[i].next};
    }
    ring_publish(ring, id);
}

static bool split_take(struct ring *ring, uint16_t *id, uint32_t *len)
{
    if (ring_load(&ring->device.index) == ring->used) {
        return false;
    }
    *id = (uint16_t)ring->device.elements[ring->used % RING_SIZE].id;
    *len = ring->device.elements[ring->used % RING_SIZE].len;
    ring->used++;
    return true;
}

/* ---- packed ---- */

static void packed_advance(uint16_t *position, bool *wrap, uint16_t count)
{
    *position = (uint16_t)(*position + count);
    if (*position >= RING_SIZE) {
        *position = (uint16_t)(*position - RING_SIZE);
        *wrap = !*wrap;
    }
}

/* The flags of the first descriptor are written last: they make all of them available. */
static void packed_post(struct ring *ring, uint16_t id, const struct ring_part *parts,
                        uint32_t count)
{
    struct ring_desc *first = &ring->desc[ring->next];
    uint16_t first_flags = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct ring_desc *desc = &ring->desc[ring->next];
        const uint16_t flags = parts[i].flags | (ring->next_wrap ? RING_AVAIL : RING_USED);

        desc->address = parts[i].address;
        desc->len = parts[i].len;
        desc->a = id;
        if (i == 0U) {
            first_flags = flags;
        } else {
            desc->b = flags;
        }
        packed_advance(&ring->next, &ring->next_wrap, 1U);
    }
    ring->spans[id] = (uint16_t)count;
    ring_store(&first->b, first_flags);
}

static bool packed_take(struct ring *ring, uint16_t *id, uint32_t *len)
{
    const uint16_t flags = ring_load(&ring->desc[ring->used].b);
    const bool avail = (flags & RING_AVAIL) != 0U;
    const bool used = (flags & RING_USED) != 0U;

    if (avail != used || used != ring->used_wrap) {
        return false;
    }
    *id = ring->desc[ring->used].a;
    *len = ring->desc[ring->used].len;
    packed_advance(&ring->used, &ring->used_wrap, ring->spans[*id % RING_SIZE]);
    return true;
}

/* ---- whichever ---- */

void ring_init(struct ring *ring, bool packed)
{
    memset(ring, 0, sizeof *ring);
    ring->packed = packed;
    ring->next_wrap = true;
    ring->used_wrap = true;
}

void ring_post(struct ring *ring, uint16_t id, const struct ring_part *parts, uint32_t count)
{
    if (ring->packed) {
        packed_post(ring, id, parts, count);
    } else {
        split_post(ring, id, parts, count);
    }
}

bool ring_take(struct ring *ring, uint16_t *id, uint32_t *len)
{
    return ring->packed ? packed_take(ring, id, len) : split_take(ring, id, len);
}
