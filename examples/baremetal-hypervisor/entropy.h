/* SPDX-License-Identifier: BSD-3-Clause */
/* The entropy device: a seeded source that runs dry once, for a fifth of a second. See devices.h. */
#ifndef HYP_ENTROPY_H
#define HYP_ENTROPY_H

#include "avps/rng.h"
#include "avps_sim/entropy.h"

struct entropy {
    struct avps_rng rng;
    struct avps_queue queue[1];
    struct avps_sim_entropy source;
    uint64_t refill_ns;
    uint64_t outages;
};

extern const struct devices_kind entropy_kind;

#endif
