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

/* Contracts are in ACSL and proved by tests/proofs. */
/*@ predicate state_is_output(struct avps_state *s) =
      \valid(s) && (s->out != \null ==> s->pos <= s->size && \valid(s->out + (0 .. s->size - 1)));

    predicate state_is_input(struct avps_state *s) =
      \valid(s) && s->pos <= s->size && \valid_read(s->in + (0 .. s->size - 1)); */

/*@ requires state_is_output(state) && \valid_read(bytes + (0 .. len - 1));
  @ requires state->pos + len <= SIZE_MAX;
  @ requires \separated(state, bytes + (0 .. len - 1));
  @ requires \separated(state->out + (0 .. state->size - 1), state, bytes + (0 .. len - 1));
  @ assigns state->out, state->pos, state->failed, state->out[0 .. state->size - 1];
  @ ensures state_is_output(state) && state->pos == \old(state->pos) + len;
  @ ensures state->out == \old(state->out) || (state->out == \null && state->failed);
  @ ensures \old(state->failed) ==> state->failed;
  @ ensures \old(state->out) == \null ==> state->out == \null; */
static inline void avps_state_put(struct avps_state *state, const uint8_t *bytes, size_t len)
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

/*@ requires state_is_output(state) && bytes <= 8 && state->pos + bytes <= SIZE_MAX;
  @ requires \separated(state->out + (0 .. state->size - 1), state);
  @ assigns state->out, state->pos, state->failed, state->out[0 .. state->size - 1];
  @ ensures state_is_output(state) && state->pos == \old(state->pos) + bytes;
  @ ensures state->out == \old(state->out) || (state->out == \null && state->failed);
  @ ensures \old(state->failed) ==> state->failed; */
static inline void avps_state_put_int(struct avps_state *state, uint64_t value, size_t bytes)
{
    uint8_t raw[8];

    /*@ loop invariant 0 <= i <= bytes;
      @ loop assigns i, raw[0 .. 7];
      @ loop variant bytes - i; */
    for (size_t i = 0; i < bytes; i++) {
        raw[i] = (uint8_t)((value >> (8U * i)) & 0xffU);
    }
    avps_state_put(state, raw, bytes);
}

/*@ requires state_is_input(state) && \valid(bytes + (0 .. len - 1));
  @ requires \separated(bytes + (0 .. len - 1), state, state->in + (0 .. state->size - 1));
  @ assigns state->pos, state->failed, bytes[0 .. len - 1];
  @ ensures state_is_input(state);
  @ ensures \old(state->failed) || len > \old(state->size - state->pos) <==> state->failed;
  @ ensures state->failed ==> state->pos == \old(state->pos);
  @ ensures state->failed ==> \forall integer i; 0 <= i < len ==> bytes[i] == 0;
  @ ensures !state->failed ==> state->pos == \old(state->pos) + len; */
static inline void avps_state_get(struct avps_state *state, uint8_t *bytes, size_t len)
{
    if (state->failed || len > state->size - state->pos) {
        state->failed = true;
        (void)memset(bytes, 0, len);
        return;
    }
    (void)memcpy(bytes, state->in + state->pos, len);
    state->pos += len;
}

/*@ requires state_is_input(state) && bytes <= 8;
  @ requires \separated(state, state->in + (0 .. state->size - 1));
  @ assigns state->pos, state->failed;
  @ ensures state_is_input(state);
  @ ensures \old(state->failed) || bytes > \old(state->size - state->pos) <==> state->failed;
  @ ensures state->failed ==> state->pos == \old(state->pos) && \result == 0;
  @ ensures !state->failed ==> state->pos == \old(state->pos) + bytes; */
static inline uint64_t avps_state_get_int(struct avps_state *state, size_t bytes)
{
    uint8_t raw[8] = {0};
    uint64_t value = 0;

    avps_state_get(state, raw, bytes);
    /*@ loop invariant 0 <= i <= bytes;
      @ loop invariant state->failed ==> value == 0;
      @ loop assigns i, value;
      @ loop variant i; */
    for (size_t i = bytes; i > 0U; i--) {
        value = value << 8 | raw[i - 1U];
    }
    return value;
}

/* A boolean must be 0 or 1. */
/*@ requires state_is_input(state);
  @ requires \separated(state, state->in + (0 .. state->size - 1));
  @ assigns state->pos, state->failed;
  @ ensures state_is_input(state) && \old(state->pos) <= state->pos;
  @ ensures \old(state->failed) || \old(state->pos) == state->size ==> state->failed;
  @ ensures state->failed ==> \result == 0; */
static inline bool avps_state_get_bool(struct avps_state *state)
{
    const uint64_t value = avps_state_get_int(state, 1);

    if (value > 1U) {
        state->failed = true;
    }
    return value == 1U;
}

#endif
