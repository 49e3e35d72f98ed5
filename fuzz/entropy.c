/* SPDX-License-Identifier: BSD-3-Clause */
/* See entropy.h. */
#include "entropy.h"

#include <string.h>

#include "guest.h"

static enum avps_status fill(void *ctx, uint8_t *buf, uint32_t len, uint32_t *got)
{
    (void)ctx;
    memset(buf, 0x5a, len);
    *got = len;
    return AVPS_OK;
}

struct entropy *fuzz_entropy(void)
{
    static const struct avps_rng_ops ops = {.fill = fill};
    static uint8_t ram[ENTROPY_RAM] __attribute__((aligned(4096)));
    static struct entropy entropy;

    memset(ram, 0, sizeof ram);
    entropy.ram = ram;
    entropy.region = (struct avps_mem_region){0, sizeof ram, ram, AVPS_ACCESS_RW};
    FUZZ_CHECK(avps_mem_init_regions(&entropy.mem, &entropy.region, 1, NULL, NULL) == AVPS_OK);
    const struct avps_rng_config config = {.base = {.mem = &entropy.mem,
                                                    .queues = &entropy.queue,
                                                    .queue_count = 1,
                                                    .queue_size_max = 64},
                                           .ops = &ops};
    FUZZ_CHECK(avps_rng_init(&entropy.rng, &config) == AVPS_OK);
    return &entropy;
}
