/* SPDX-License-Identifier: BSD-3-Clause */
/* Saved state as hostile input: the input is the blob. Accepted or refused, the device then obeys a
 * reset, and an accepted state can be saved again. */
#include <string.h>

#include "avps/rng.h"
#include "guest.h"

static enum avps_status rng_fill(void *ctx, uint8_t *buf, uint32_t len, uint32_t *got)
{
    (void)ctx;
    memset(buf, 0x5a, len);
    *got = len;
    return AVPS_OK;
}

static const struct avps_rng_ops rng_ops = {.fill = rng_fill};

static void level(void *ctx, uint32_t line, bool high)
{
    (void)ctx;
    (void)line;
    (void)high;
}

static const struct avps_irq_ops irq_ops = {.set_level = level};

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static uint8_t ram[0x4000] __attribute__((aligned(4096)));
    static uint8_t again[4096];
    static struct avps_queue queue;
    static struct avps_rng rng;
    const struct avps_mem_region region = {0, sizeof ram, ram, AVPS_ACCESS_RW};
    struct avps_mem mem;
    struct avps_mmio mmio;
    size_t used = 0;

    memset(ram, 0, sizeof ram);
    FUZZ_CHECK(avps_mem_init_regions(&mem, &region, 1, NULL, NULL) == AVPS_OK);
    const struct avps_rng_config rng_config = {
        .base = {.mem = &mem, .queues = &queue, .queue_count = 1, .queue_size_max = 64},
        .ops = &rng_ops};
    FUZZ_CHECK(avps_rng_init(&rng, &rng_config) == AVPS_OK);
    const struct avps_mmio_config config = {.device = &rng.base, .irq = &irq_ops};
    FUZZ_CHECK(avps_mmio_init(&mmio, &config) == AVPS_OK);
    const enum avps_status status = avps_mmio_load(&mmio, input, size);

    FUZZ_CHECK(status == AVPS_OK || avps_device_status(&rng.base) == 0U);
    if (status == AVPS_OK) {
        FUZZ_CHECK(avps_mmio_save(&mmio, again, sizeof again, &used) == AVPS_OK && used == size);
    }
    (void)avps_poll(&rng.base, 64);
    FUZZ_CHECK(avps_reset(&rng.base) == AVPS_OK && avps_device_status(&rng.base) == 0U);
    return 0;
}
