/* SPDX-License-Identifier: BSD-3-Clause */
/* Indices run on and are reduced at use, so that full and empty differ. */
#include "ring.h"

static uint32_t ring_room(const struct ring *ring)
{
    return RING_SIZE - (ring->tail - ring->head);
}

uint32_t ring_put(struct ring *ring, const uint8_t *bytes, uint32_t len)
{
    const uint32_t count = len < ring_room(ring) ? len : ring_room(ring);

    for (uint32_t i = 0; i < count; i++) {
        ring->bytes[ring->tail++ % RING_SIZE] = bytes[i];
    }
    return count;
}

uint32_t ring_peek(const struct ring *ring, const uint8_t **bytes)
{
    const uint32_t used = ring->tail - ring->head;
    const uint32_t to_end = RING_SIZE - ring->head % RING_SIZE;

    *bytes = &ring->bytes[ring->head % RING_SIZE];
    return used < to_end ? used : to_end;
}

void ring_drop(struct ring *ring, uint32_t len)
{
    ring->head += len;
}
