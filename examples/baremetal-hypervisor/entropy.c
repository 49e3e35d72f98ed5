/* SPDX-License-Identifier: BSD-3-Clause */
/* splitmix64 stands in for a hardware source: good statistics, no secrecy. */
#include "entropy.h"

#include "arch.h"

#define ENTROPY_OUTAGES_PER_SECOND 5U

static uint64_t entropy_next(struct entropy *entropy)
{
    uint64_t z = (entropy->state += 0x9e3779b97f4a7c15ULL);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static void entropy_run_dry(struct entropy *entropy)
{
    if (entropy->refill_at == UINT64_MAX) {
        entropy->refill_at =
            arch_read_cntpct_el0() + arch_read_cntfrq_el0() / ENTROPY_OUTAGES_PER_SECOND;
        entropy->outages++;
    }
}

static enum avps_status entropy_fill(void *ctx, uint8_t *buf, uint32_t len, uint32_t *got)
{
    struct entropy *entropy = ctx;
    const uint32_t count = len < entropy->left ? len : (uint32_t)entropy->left;

    if (count == 0U) {
        entropy_run_dry(entropy);
        return AVPS_EMPTY;
    }
    for (uint32_t i = 0; i < count; i++) {
        buf[i] = (uint8_t)(entropy_next(entropy) >> 56);
    }
    entropy->left -= entropy->left == UINT64_MAX ? 0U : count;
    *got = count;
    return AVPS_OK;
}

const struct avps_rng_ops entropy_ops = {.fill = entropy_fill};

void entropy_init(struct entropy *entropy, uint64_t seed, uint64_t bytes_before_dry)
{
    entropy->state = seed;
    entropy->left = bytes_before_dry;
    entropy->refill_at = UINT64_MAX;
    entropy->outages = 0;
}

bool entropy_refill(struct entropy *entropy, uint64_t ticks)
{
    if (ticks < entropy->refill_at) {
        return false;
    }
    entropy->left = UINT64_MAX;
    entropy->refill_at = UINT64_MAX;
    return true;
}
