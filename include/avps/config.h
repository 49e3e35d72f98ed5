/* SPDX-License-Identifier: BSD-3-Clause */
/** @file config.h
 *  Compile-time limits of the product: defaults, ranges, and how to override them.
 *
 *  Override single values with `-DAVPS_X=...`, or all in a header of yours named by
 *  `-DAVPS_CONFIG_HEADER="\"my_avps_config.h\""`. Library and users must be built with the same
 *  values: they size public structures. Memory: none. Threads: any. Guest: never sees them.
 */
#ifndef AVPS_CONFIG_H
#define AVPS_CONFIG_H

#ifdef AVPS_CONFIG_HEADER
#include AVPS_CONFIG_HEADER
#endif

/** Largest virtqueue the build supports, in descriptors; power of two, 2..32768. Each queue holds
 *  one bit per descriptor for the in-flight check. */
#ifndef AVPS_QUEUE_SIZE_MAX
#define AVPS_QUEUE_SIZE_MAX 32768
#endif
#if AVPS_QUEUE_SIZE_MAX < 2 || AVPS_QUEUE_SIZE_MAX > 32768 ||                                      \
    (AVPS_QUEUE_SIZE_MAX & (AVPS_QUEUE_SIZE_MAX - 1)) != 0
#error "AVPS_QUEUE_SIZE_MAX must be a power of two, 2..32768"
#endif

/** Segments a queue's own chain can hold, 4..32768: the longest chain that a synchronous device
 *  accepts (longer ones latch the queue). A queue whose size is not above it never refuses a chain
 *  for its length. 24 bytes each, one array per queue. */
#ifndef AVPS_CHAIN_SEGS
#define AVPS_CHAIN_SEGS 256
#endif
#if AVPS_CHAIN_SEGS < 4 || AVPS_CHAIN_SEGS > 32768
#error "AVPS_CHAIN_SEGS must be 4..32768"
#endif

/** Segments of one block request (header and status included), 4..32768. */
#ifndef AVPS_BLK_SEGS
#define AVPS_BLK_SEGS 130
#endif
#if AVPS_BLK_SEGS < 4 || AVPS_BLK_SEGS > 32768
#error "AVPS_BLK_SEGS must be 4..32768"
#endif

/** Chains that a network burst takes from a ring in one go, 1..256. */
#ifndef AVPS_BURST_MAX
#define AVPS_BURST_MAX 32
#endif
#if AVPS_BURST_MAX < 1 || AVPS_BURST_MAX > 256
#error "AVPS_BURST_MAX must be 1..256"
#endif

/** Invariants of the library itself, never reachable by a guest. Define to a check of yours. */
#ifndef AVPS_ASSERT
#define AVPS_ASSERT(condition) ((void)0)
#endif

#endif
