/* SPDX-License-Identifier: BSD-3-Clause */
/* Entropy from getrandom: asking -> asking again -> set-up. */
#include "avps_posix/entropy.h"

#include <errno.h>
#include <sys/random.h>

#define ENTROPY_RETRY_NS UINT64_C(100000000)

/* Never waits in the kernel: other devices share this context. */
static enum avps_status entropy_fill(void *ctx, uint8_t *buf, uint32_t len, uint32_t *got)
{
    struct avps_posix_entropy *entropy = ctx;
    const ssize_t count = getrandom(buf, len, GRND_NONBLOCK);

    if (count > 0) {
        *got = (uint32_t)count;
        return AVPS_OK;
    }
    avps_posix_timer_set(&entropy->retry, avps_posix_now_ns() + ENTROPY_RETRY_NS);
    return count < 0 && errno != EAGAIN && errno != EINTR ? AVPS_E_IO : AVPS_EMPTY;
}

static void entropy_retry(void *ctx)
{
    const struct avps_posix_entropy *entropy = ctx;

    if (entropy->rng != NULL) {
        avps_rng_refilled(entropy->rng);
    }
}

static const struct avps_rng_ops entropy_ops = {.fill = entropy_fill};

void avps_posix_entropy_init(struct avps_posix_entropy *entropy, struct avps_posix_loop *loop)
{
    entropy->rng = NULL;
    avps_posix_timer_init(&entropy->retry, loop, entropy_retry, entropy);
}

void avps_posix_entropy_describe(struct avps_posix_entropy *entropy, struct avps_rng_config *config)
{
    config->ops = &entropy_ops;
    config->ctx = entropy;
}

void avps_posix_entropy_attach(struct avps_posix_entropy *entropy, struct avps_rng *rng)
{
    entropy->rng = rng;
}

void avps_posix_entropy_stop(struct avps_posix_entropy *entropy)
{
    avps_posix_timer_set(&entropy->retry, 0);
}
