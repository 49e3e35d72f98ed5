/* SPDX-License-Identifier: BSD-3-Clause */
/** @file rng.h
 *  Entropy device (id 4): random bytes from a source of yours, never stretched [AVPS RNG-1].
 *
 *  Memory: the caller's. Threads: one context. Guest: gets only bytes that the source gave.
 *  Queues: 1 (requests). Features of its own: none.
 */
#ifndef AVPS_RNG_H
#define AVPS_RNG_H

#include "avps/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Where entropy comes from. */
struct avps_rng_ops {
    /** Put up to `len` random bytes at `buf` and their number, 1..len, in `*got`.
     *  @return AVPS_OK; AVPS_EMPTY if there are none now: the request waits, and is tried again at
     *  every poll after avps_rng_refilled; AVPS_E_IO: it waits too, and is counted. */
    enum avps_status (*fill)(void *ctx, uint8_t *buf, uint32_t len, uint32_t *got);
};

/** Configuration. */
struct avps_rng_config {
    struct avps_device_config base; /**< queue_count 1. */
    const struct avps_rng_ops *ops; /**< Required; outlives the device. */
    void *ctx;                      /**< Handed to the ops. */
    uint32_t max_bytes;             /**< Most bytes one request gets, 1..65536; 0: 4096. */
};

/** Counters of an entropy device. */
struct avps_rng_counters {
    uint64_t bytes;     /**< Random bytes delivered. */
    uint64_t requests;  /**< Requests answered. */
    uint64_t shortened; /**< Requests answered with less than they asked for. */
    uint64_t starved;   /**< Times a request found the source empty. */
    uint64_t failures;  /**< Times the source failed. */
};

/** An entropy device. Fields are private. */
struct avps_rng {
    struct avps_device base;           /**< The device. */
    const struct avps_rng_ops *ops;    /**< Source. */
    void *ctx;                         /**< Its context. */
    uint32_t max_bytes;                /**< Limit per request. */
    bool starving;                     /**< A request waits for entropy. */
    struct avps_rng_counters counters; /**< Counters. */
};

/** Initialise. @return AVPS_OK; AVPS_E_PARAM. */
AVPS_NODISCARD enum avps_status avps_rng_init(struct avps_rng *rng,
                                              const struct avps_rng_config *config);

/** The source has bytes again: waiting requests are served at the next poll. Device context. */
void avps_rng_refilled(struct avps_rng *rng);

/** Counters; valid as long as the device is. */
const struct avps_rng_counters *avps_rng_counters(const struct avps_rng *rng);

#ifdef __cplusplus
}
#endif
#endif
