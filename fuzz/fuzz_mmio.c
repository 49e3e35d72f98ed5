/* SPDX-License-Identifier: BSD-3-Clause */
/* The register file: any access in any order, with a device that has every core feature. The input
 * is a list of {operation, offset, value}; memory is what the queues point to. */
#include "entropy.h"
#include "guest.h"

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
    static struct fuzz_guest in;
    struct avps_device *device = &fuzz_entropy()->rng.base;
    struct avps_mmio mmio;
    bool high = false;

    in.input = input;
    in.size = size;
    in.pos = 0;
    const struct avps_mmio_config config = {.device = device, .irq = &irq_ops, .irq_ctx = &high};
    FUZZ_CHECK(avps_mmio_init(&mmio, &config) == AVPS_OK);
    for (uint32_t steps = 0; steps < 500U && in.pos < in.size; steps++) {
        step(&in, &mmio, &high);
    }
    FUZZ_CHECK(avps_reset(device) == AVPS_OK && !high);
    return 0;
}
