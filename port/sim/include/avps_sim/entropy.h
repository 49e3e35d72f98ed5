/* SPDX-License-Identifier: BSD-3-Clause */
/** @file entropy.h
 *  Entropy source for tests and examples: a pool of bytes that can run dry and be refilled. The
 *  bytes follow from the seed, so that a run can be repeated: they are worthless as secrets.
 *
 *  Memory: the caller's. Threads: the device's context. Guest: gets each byte of the pool once; an
 *  empty pool gives nothing.
 */
#ifndef AVPS_SIM_ENTROPY_H
#define AVPS_SIM_ENTROPY_H

#include "avps/rng.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A seeded source. Fields are private. */
struct avps_sim_entropy {
    uint64_t state;     /**< Of the generator. */
    uint64_t left;      /**< Bytes in the pool. */
    uint64_t delivered; /**< Bytes given so far. */
    uint32_t fail;      /**< Calls that are to fail. */
};

/** Start with `bytes` bytes in the pool. Equal seeds give equal bytes. */
void avps_sim_entropy_init(struct avps_sim_entropy *source, uint64_t seed, uint64_t bytes);

/** Source operations for `avps_rng_config.ops`; `ctx` is the source. */
const struct avps_rng_ops *avps_sim_entropy_ops(void);

/** Put `bytes` more into the pool; tell the device with avps_rng_refilled. */
void avps_sim_entropy_refill(struct avps_sim_entropy *source, uint64_t bytes);

/** Let the next `calls` calls fail. */
void avps_sim_entropy_fail(struct avps_sim_entropy *source, uint32_t calls);

/** Bytes left in the pool. */
uint64_t avps_sim_entropy_left(const struct avps_sim_entropy *source);

/** Bytes given so far. */
uint64_t avps_sim_entropy_delivered(const struct avps_sim_entropy *source);

#ifdef __cplusplus
}
#endif
#endif
