/* SPDX-License-Identifier: BSD-3-Clause */
/* A simulated entropy source for demonstrations: a seeded generator that runs dry once. */
#ifndef HYP_ENTROPY_H
#define HYP_ENTROPY_H

#include <stdbool.h>
#include <stdint.h>

#include "avps/rng.h"

struct entropy {
    uint64_t state;
    uint64_t left;      /* bytes before it runs dry; UINT64_MAX: never again */
    uint64_t refill_at; /* counter value; UINT64_MAX: not dry */
    uint64_t outages;
};

extern const struct avps_rng_ops entropy_ops; /* ctx: struct entropy */

void entropy_init(struct entropy *entropy, uint64_t seed, uint64_t bytes_before_dry);

/* A fifth of a second after it ran dry, the source gives bytes again, from then on for ever.
 * @return true if it happened now. */
bool entropy_refill(struct entropy *entropy, uint64_t ticks);

#endif
