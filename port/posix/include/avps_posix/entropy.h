/* SPDX-License-Identifier: BSD-3-Clause */
/** @file entropy.h
 *  Entropy from the host's kernel (getrandom), for avps/rng.h [AVPS RNG-1].
 *
 *  Memory: the caller's. Threads: the loop's context. Guest: gets the kernel's bytes and no others.
 *  While the kernel's generator is not seeded yet, early after its boot, requests wait.
 */
#ifndef AVPS_POSIX_ENTROPY_H
#define AVPS_POSIX_ENTROPY_H

#include "avps/rng.h"
#include "avps_posix/loop.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The source. Fields are private. */
struct avps_posix_entropy {
    struct avps_rng *rng;          /**< The device. */
    struct avps_posix_timer retry; /**< The kernel is asked again. */
};

/** Set up. */
void avps_posix_entropy_init(struct avps_posix_entropy *entropy, struct avps_posix_loop *loop);

/** Fill in ops and ctx. */
void avps_posix_entropy_describe(struct avps_posix_entropy *entropy,
                                 struct avps_rng_config *config);

/** Name the device, after avps_rng_init. */
void avps_posix_entropy_attach(struct avps_posix_entropy *entropy, struct avps_rng *rng);

/** Ask no more. */
void avps_posix_entropy_stop(struct avps_posix_entropy *entropy);

#ifdef __cplusplus
}
#endif
#endif
