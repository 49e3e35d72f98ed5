/* SPDX-License-Identifier: BSD-3-Clause */
/* Entropy device: a source that gives, gives less, is dry, or fails, as the input says. */
#include <string.h>

#include "avps/rng.h"
#include "guest.h"

static struct avps_rng rng;

static enum avps_status rng_fill(void *ctx, uint8_t *buf, uint32_t len, uint32_t *got)
{
    const uint8_t how = fuzz_u8(ctx);

    if (how >= 0xfeU) {
        return AVPS_E_IO;
    }
    if (how >= 0xf0U) {
        return AVPS_EMPTY;
    }
    *got = (how & 1U) != 0U ? len : 1U;
    memset(buf, how, *got);
    return AVPS_OK;
}

static const struct avps_rng_ops rng_ops = {.fill = rng_fill};

static bool rng_init(struct fuzz_guest *guest)
{
    const struct avps_rng_config config = {.base = guest->base, .ops = &rng_ops, .ctx = guest};

    guest->device = &rng.base;
    return avps_rng_init(&rng, &config) == AVPS_OK;
}

static void rng_host(struct fuzz_guest *guest, uint8_t what)
{
    (void)guest;
    (void)what;
    avps_rng_refilled(&rng);
}

static const struct fuzz_target rng_target = {1, rng_init, rng_host};

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    fuzz_run(&rng_target, input, size);
    return 0;
}
