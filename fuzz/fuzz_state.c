/* SPDX-License-Identifier: BSD-3-Clause */
/* Saved state as hostile input: the input is the blob. Accepted or refused, the device then obeys a
 * reset, and an accepted state can be saved again. */
#include "entropy.h"
#include "guest.h"

static void level(void *ctx, uint32_t line, bool high)
{
    (void)ctx;
    (void)line;
    (void)high;
}

static const struct avps_irq_ops irq_ops = {.set_level = level};

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static uint8_t again[4096];
    struct avps_device *device = &fuzz_entropy()->rng.base;
    struct avps_mmio mmio;
    size_t used = 0;

    const struct avps_mmio_config config = {.device = device, .irq = &irq_ops};
    FUZZ_CHECK(avps_mmio_init(&mmio, &config) == AVPS_OK);
    const enum avps_status status = avps_mmio_load(&mmio, input, size);

    FUZZ_CHECK(status == AVPS_OK || avps_device_status(device) == 0U);
    if (status == AVPS_OK) {
        FUZZ_CHECK(avps_mmio_save(&mmio, again, sizeof again, &used) == AVPS_OK && used == size);
    }
    (void)avps_poll(device, 64);
    FUZZ_CHECK(avps_reset(device) == AVPS_OK && avps_device_status(device) == 0U);
    return 0;
}
