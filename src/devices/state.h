/* SPDX-License-Identifier: BSD-3-Clause */
/* Byte streams of saved state: little-endian, bounds-checked. A failure sticks, so that a sequence
 * of puts or gets is checked once at its end; gets after a failure give 0 (I28). */
#ifndef AVPS_STATE_H
#define AVPS_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Exactly one of `out` and `in` is used; `out` may be NULL to count. */
struct avps_state {
    uint8_t *out;
    const uint8_t *in;
    size_t size;
    size_t pos;
    bool failed;
};

static inline void avps_state_put(struct avps_state *state, const void *bytes, size_t len)
{
    if (state->out != NULL) {
        if (len > state->size - state->pos) {
            state->failed = true;
            state->out = NULL;
        } else {
            (void)memcpy(state->out + state->pos, bytes, len);
        }
    }
    state->pos += len;
}

static inline void avps_state_put_int(struct avps_state *state, uint64_t value, size_t bytes)
{
    uint8_t raw[8];

    for (size_t i = 0; i < bytes; i++) {
        raw[i] = (uint8_t)(value >> (8U * i));
    }
    avps_state_put(state, raw, bytes);
}

static inline void avps_state_get(struct avps_state *state, void *bytes, size_t len)
{
    if (state->failed || len > state->size - state->pos) {
        state->failed = true;
        (void)memset(bytes, 0, len);
        return;
    }
    (void)memcpy(bytes, state->in + state->pos, len);
    state->pos += len;
}

static inline uint64_t avps_state_get_int(struct avps_state *state, size_t bytes)
{
    uint8_t raw[8] = {0};
    uint64_t value = 0;

    avps_state_get(state, raw, bytes);
    for (size_t i = bytes; i > 0U; i--) {
        value = value << 8 | raw[i - 1U];
    }
    return value;
}

/* A boolean must be 0 or 1. */
static inline bool avps_state_get_bool(struct avps_state *state)
{
    const uint64_t value = avps_state_get_int(state, 1);

    if (value > 1U) {
        state->failed = true;
    }
    return value == 1U;
}

#endif
