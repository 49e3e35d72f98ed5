/* SPDX-License-Identifier: BSD-3-Clause */
/* A byte queue of fixed size. */
#ifndef HYP_RING_H
#define HYP_RING_H

#include <stdint.h>

#define RING_SIZE 4096U /* a power of two */

struct ring {
    uint32_t head; /* next byte to take; runs on, taken modulo the size */
    uint32_t tail; /* next byte to put */
    uint8_t bytes[RING_SIZE];
};

/* Put what fits. @return how much that was. */
uint32_t ring_put(struct ring *ring, const uint8_t *bytes, uint32_t len);

/* The oldest bytes that lie in one piece. @return how many; 0: empty. */
uint32_t ring_peek(const struct ring *ring, const uint8_t **bytes);

/* Take `len` bytes that were peeked at. */
void ring_drop(struct ring *ring, uint32_t len);

#endif
