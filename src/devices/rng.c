/* SPDX-License-Identifier: BSD-3-Clause */
/* Entropy device: one request -> refill -> reset, ops, init. The source's bytes go to the driver as
 * they are; what the source does not have is not made up [AVPS RNG-3]. */
#include "avps/rng.h"

#include "devices/device_internal.h"

#define VIRTIO_ID_ENTROPY 4U /* [AVPS RNG-2] */
#define RNG_BYTES_DEFAULT 4096U
#define RNG_BYTES_MAX     65536U
#define RNG_PIECE         256U

static struct avps_rng *rng_of(struct avps_device *dev)
{
    return AVPS_CONTAINER_OF(dev, struct avps_rng, base);
}

/* ---- one request ---- */

/* No copy of what the guest got stays behind. Compilers leave out a memset of what dies next. */
static void rng_wipe(uint8_t *bytes, size_t len)
{
    volatile uint8_t *byte = bytes;

    for (size_t i = 0; i < len; i++) {
        byte[i] = 0;
    }
}

/* One piece from the source to the chain. AVPS_EMPTY: the source is dry. */
static enum avps_status rng_deliver(struct avps_rng *rng, struct avps_chain *chain, uint32_t limit)
{
    uint8_t piece[RNG_PIECE];
    const uint32_t wanted = limit < sizeof piece ? limit : (uint32_t)sizeof piece;
    uint32_t got = 0;
    enum avps_status status = rng->ops->fill(rng->ctx, piece, wanted, &got);

    if (status == AVPS_OK && (got == 0U || got > wanted)) {
        status = AVPS_E_IO;
    }
    if (status == AVPS_OK) {
        status = avps_chain_write(chain, piece, got);
    }
    if (status == AVPS_OK) {
        rng->counters.bytes += got;
    }
    rng_wipe(piece, sizeof piece);
    return status;
}

/* [rng-1.1] At least one byte, at most what the source has. [AVPS RNG-1] */
static enum avps_status rng_request(struct avps_device *dev, uint16_t queue,
                                    struct avps_chain *chain)
{
    struct avps_rng *rng = rng_of(dev);
    const uint32_t asked = avps_chain_writable(chain);
    const uint32_t most = asked < rng->max_bytes ? asked : rng->max_bytes;
    enum avps_status status = AVPS_OK;

    (void)queue;
    if (asked == 0U) {
        return AVPS_E_GUEST_SIZE; /* nowhere to put a byte: drv.rng-1.1 */
    }
    while (chain->written < most && status == AVPS_OK) {
        status = rng_deliver(rng, chain, most - chain->written);
    }
    if (avps_status_is_guest_fault(status)) {
        return status;
    }
    rng->counters.starved += status == AVPS_EMPTY ? 1U : 0U;
    rng->counters.failures += status != AVPS_OK && status != AVPS_EMPTY ? 1U : 0U;
    if (chain->written == 0U) {
        rng->starving = true;
        return AVPS_AGAIN; /* the request waits for entropy */
    }
    rng->counters.requests++;
    rng->counters.shortened += chain->written < asked ? 1U : 0U;
    return AVPS_OK;
}

/* ---- refill ---- */

void avps_rng_refilled(struct avps_rng *rng)
{
    if (rng->starving) {
        rng->starving = false;
        avps_device_retry(&rng->base, 0);
    }
}

const struct avps_rng_counters *avps_rng_counters(const struct avps_rng *rng)
{
    return &rng->counters;
}

/* ---- reset, ops, init ---- */

static void rng_reset(struct avps_device *dev)
{
    rng_of(dev)->starving = false;
}

static const struct avps_device_ops rng_device_ops = {
    .device_id = VIRTIO_ID_ENTROPY,
    .request = rng_request,
    .reset = rng_reset,
};

enum avps_status avps_rng_init(struct avps_rng *rng, const struct avps_rng_config *config)
{
    const struct avps_features none = {{0}};

    if (rng == NULL || config == NULL || config->ops == NULL || config->ops->fill == NULL ||
        config->base.queue_count != 1U || config->max_bytes > RNG_BYTES_MAX) {
        return AVPS_E_PARAM;
    }
    (void)memset(rng, 0, sizeof *rng);
    rng->ops = config->ops;
    rng->ctx = config->ctx;
    rng->max_bytes = config->max_bytes != 0U ? config->max_bytes : RNG_BYTES_DEFAULT;
    return avps_device_init(&rng->base, &rng_device_ops, &config->base, &none);
}
