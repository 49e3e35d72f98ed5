/* SPDX-License-Identifier: BSD-3-Clause */
/* The register file: any access in any order, with a device that has every core feature. The input
 * is a list of {operation, offset, value}; memory is what the queues point to. */
#include <string.h>

#include "avps/rng.h"
#include "guest.h"

static struct avps_rng rng;

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
    bool *now = ctx;

    (void)line;
    FUZZ_CHECK(*now != high); /* only changes are told */
    *now = high;
}

static const struct avps_irq_ops irq_ops = {.set_level = level};

static void step(struct fuzz_guest *in, struct avps_mmio *mmio, const bool *high)
{
    const uint8_t op = fuzz_u8(in);
    const uint32_t width = 1U << (op >> 2 & 3U);
    const uint32_t offset = (op & 0x10U) != 0U ? fuzz_u32(in) : 4U * fuzz_u8(in);

    if ((op & 3U) == 0U) {
        (void)avps_mmio_read(mmio, offset, width);
    } else if ((op & 3U) == 1U) {
        (void)avps_poll(mmio->device, 1U + (op >> 5));
    } else {
        avps_mmio_write(mmio, offset, (op & 0x20U) != 0U ? width : 4U,
                        (op & 0x40U) != 0U ? fuzz_u32(in) : fuzz_u8(in));
    }
    FUZZ_CHECK(avps_mmio_read(mmio, 0x000, 4) == 0x74726976U);
    FUZZ_CHECK(((avps_mmio_read(mmio, 0x060, 4) & 3U) != 0U) == *high);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static uint8_t ram[0x4000] __attribute__((aligned(4096)));
    static struct avps_queue queue;
    static struct fuzz_guest in;
    const struct avps_mem_region region = {0, sizeof ram, ram, AVPS_ACCESS_RW};
    struct avps_mem mem;
    struct avps_mmio mmio;
    bool high = false;

    in.input = input;
    in.size = size;
    in.pos = 0;
    memset(ram, 0, sizeof ram);
    FUZZ_CHECK(avps_mem_init_regions(&mem, &region, 1, NULL, NULL) == AVPS_OK);
    const struct avps_rng_config rng_config = {
        .base = {.mem = &mem, .queues = &queue, .queue_count = 1, .queue_size_max = 64},
        .ops = &rng_ops};
    FUZZ_CHECK(avps_rng_init(&rng, &rng_config) == AVPS_OK);
    const struct avps_mmio_config config = {.device = &rng.base, .irq = &irq_ops, .irq_ctx = &high};
    FUZZ_CHECK(avps_mmio_init(&mmio, &config) == AVPS_OK);
    for (uint32_t steps = 0; steps < 500U && in.pos < in.size; steps++) {
        step(&in, &mmio, &high);
    }
    FUZZ_CHECK(avps_reset(&rng.base) == AVPS_OK && !high);
    return 0;
}
