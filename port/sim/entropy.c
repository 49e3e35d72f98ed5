/* SPDX-License-Identifier: BSD-3-Clause */
/* Seeded entropy source: generator -> fill -> ops. */
#include "avps_sim/entropy.h"

#include <stddef.h>

/* A Weyl sequence, mixed: every seed gives a full period, 0 too. */
static uint64_t entropy_next(struct avps_sim_entropy *source)
{
    source->state += 0x9e3779b97f4a7c15U;
    uint64_t mixed = source->state;

    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31);
}

/* What the pool has, at most; nothing is made up beyond it [AVPS RNG-3]. */
static enum avps_status entropy_fill(void *ctx, uint8_t *buf, uint32_t len, uint32_t *got)
{
    struct avps_sim_entropy *source = ctx;
    const uint32_t count = source->left < len ? (uint32_t)source->left : len;

    *got = 0;
    if (source->fail != 0U) {
        source->fail--;
        return AVPS_E_IO;
    }
    if (count == 0U) {
        return AVPS_EMPTY;
    }
    for (uint32_t i = 0; i < count; i++) {
        buf[i] = (uint8_t)(entropy_next(source) >> 56);
    }
    source->left -= count;
    source->delivered += count;
    *got = count;
    return AVPS_OK;
}

static const struct avps_rng_ops entropy_ops = {.fill = entropy_fill};

const struct avps_rng_ops *avps_sim_entropy_ops(void)
{
    return &entropy_ops;
}

void avps_sim_entropy_init(struct avps_sim_entropy *source, uint64_t seed, uint64_t bytes)
{
    *source = (struct avps_sim_entropy){.state = seed, .left = bytes};
}

void avps_sim_entropy_refill(struct avps_sim_entropy *source, uint64_t bytes)
{
    source->left += bytes;
}

void avps_sim_entropy_fail(struct avps_sim_entropy *source, uint32_t calls)
{
    source->fail = calls;
}

uint64_t avps_sim_entropy_left(const struct avps_sim_entropy *source)
{
    return source->left;
}

uint64_t avps_sim_entropy_delivered(const struct avps_sim_entropy *source)
{
    return source->delivered;
}
