/* SPDX-License-Identifier: BSD-3-Clause */
/* Entropy: options -> open, ready, close. */
#include "avps_posix/entropy.h"
#include "host.h"

struct rng {
    uint32_t max_bytes;
    struct avps_posix_entropy entropy;
    struct avps_queue queue;
    struct avps_rng device;
};

static const struct option rng_rows[] = {
    {.name = "max-bytes",
     .value = "N",
     .type = OPTION_NUMBER,
     .offset = offsetof(struct rng, max_bytes),
     .min = 1,
     .max = 65536,
     .help = "most bytes that one request gets (4096)"},
};

static enum avps_status rng_open(struct host_device *device, struct avps_posix_error *error)
{
    struct rng *rng = device->own;
    struct avps_rng_config config = {.base = host_device_base(device, &rng->queue, 1),
                                     .max_bytes = rng->max_bytes};

    avps_posix_entropy_init(&rng->entropy, device->loop);
    avps_posix_entropy_describe(&rng->entropy, &config);
    if (device->planned != NULL) {
        avps_platform_rng(device->planned, &config);
    }
    device->base = &rng->device.base;
    return avps_rng_init(&rng->device, &config) == AVPS_OK
               ? AVPS_OK
               : host_fail(error, AVPS_E_PARAM, "the entropy device cannot be set up");
}

static void rng_ready(struct host_device *device)
{
    struct rng *rng = device->own;

    avps_posix_entropy_attach(&rng->entropy, &rng->device);
}

static bool rng_close(struct host_device *device)
{
    struct rng *rng = device->own;

    if (device->base != NULL) {
        avps_posix_entropy_stop(&rng->entropy);
    }
    return true;
}

const struct host_kind rng_kind = {
    .name = "rng",
    .summary = "entropy from the host's kernel",
    .id = 4,
    .rows = rng_rows,
    .row_count = sizeof rng_rows / sizeof rng_rows[0],
    .size = sizeof(struct rng),
    .turn_least = 16,
    .turn_most = 16,
    .open = rng_open,
    .ready = rng_ready,
    .close = rng_close,
};
