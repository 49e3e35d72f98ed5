/* SPDX-License-Identifier: BSD-3-Clause */
/* A simulated entropy source for demonstrations: a seeded generator that runs dry once. */
#ifndef HYP_ENTROPY_H
#define HYP_ENTROPY_H

#include <stdbool.h>
#include <stdint.h>

#include "avps/rng.h"

#define ENTROPY_DRY_NS 200000000ULL /* how long it stays dry */

struct entropy {
    uint64_t state;
    uint64_t left; /* bytes before it runs dry; UINT64_MAX: never again */
    bool dry;
    uint64_t outages;
};

extern const struct avps_rng_ops entropy_ops; /* ctx: struct entropy */

void entropy_init(struct entropy *entropy, uint64_t seed, uint64_t bytes_before_dry);

/* The source gives bytes again, and does not run dry a second time. */
void entropy_refill(struct entropy *entropy);

#endif
