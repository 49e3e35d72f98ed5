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

/** Ranges in one discard, write zeroes or secure erase request, 1..255. 16 bytes each, per block
 *  request. */
#ifndef AVPS_BLK_RANGES
#define AVPS_BLK_RANGES 16
#endif
#if AVPS_BLK_RANGES < 1 || AVPS_BLK_RANGES > 255
#error "AVPS_BLK_RANGES must be 1..255"
#endif

/** Queues that a block device can have, 1..256. */
#ifndef AVPS_BLK_QUEUES
#define AVPS_BLK_QUEUES 16
#endif
#if AVPS_BLK_QUEUES < 1 || AVPS_BLK_QUEUES > 256
#error "AVPS_BLK_QUEUES must be 1..256"
#endif

/** Chains that a network burst takes from a ring in one go, 1..256. */
#ifndef AVPS_BURST_MAX
#define AVPS_BURST_MAX 32
#endif
#if AVPS_BURST_MAX < 1 || AVPS_BURST_MAX > 256
#error "AVPS_BURST_MAX must be 1..256"
#endif

/** Segments of one network chain, 4..1024: a longer one latches its queue. Linux needs 19, more
 *  where guest memory is in many regions. 24 bytes each, AVPS_BURST_MAX + AVPS_NET_MERGE arrays per
 *  queue pair. */
#ifndef AVPS_NET_SEGS
#define AVPS_NET_SEGS 64
#endif
#if AVPS_NET_SEGS < 4 || AVPS_NET_SEGS > 1024
#error "AVPS_NET_SEGS must be 4..1024"
#endif

/** Receive buffers that one packet may be spread over with VIRTIO_NET_F_MRG_RXBUF, 1..1024; a
 *  packet of 65589 bytes in buffers of 1526 bytes takes 43. */
#ifndef AVPS_NET_MERGE
#define AVPS_NET_MERGE 64
#endif
#if AVPS_NET_MERGE < 1 || AVPS_NET_MERGE > 1024
#error "AVPS_NET_MERGE must be 1..1024"
#endif

/** Entries of each of the two receive filter tables of addresses, 1..1024; a driver that asks for
 *  more gets all unicast or all multicast packets. */
#ifndef AVPS_NET_MACS
#define AVPS_NET_MACS 32
#endif
#if AVPS_NET_MACS < 1 || AVPS_NET_MACS > 1024
#error "AVPS_NET_MACS must be 1..1024"
#endif

/** Entries of the receive-side scaling table: a power of two, 128..32768 [net-1.8]. */
#ifndef AVPS_NET_RSS_TABLE
#define AVPS_NET_RSS_TABLE 128
#endif
#if AVPS_NET_RSS_TABLE < 128 || AVPS_NET_RSS_TABLE > 32768 ||                                      \
    (AVPS_NET_RSS_TABLE & (AVPS_NET_RSS_TABLE - 1)) != 0
#error "AVPS_NET_RSS_TABLE must be a power of two, 128..32768"
#endif

/** Flows that automatic receive steering remembers: a power of two, 16..65536. */
#ifndef AVPS_NET_FLOWS
#define AVPS_NET_FLOWS 256
#endif
#if AVPS_NET_FLOWS < 16 || AVPS_NET_FLOWS > 65536 || (AVPS_NET_FLOWS & (AVPS_NET_FLOWS - 1)) != 0
#error "AVPS_NET_FLOWS must be a power of two, 16..65536"
#endif

/** Flow filter groups of a network device, 1..1024. */
#ifndef AVPS_NET_FF_GROUPS
#define AVPS_NET_FF_GROUPS 4
#endif
#if AVPS_NET_FF_GROUPS < 1 || AVPS_NET_FF_GROUPS > 1024
#error "AVPS_NET_FF_GROUPS must be 1..1024"
#endif

/** Flow filter classifiers of a network device, 1..1024. */
#ifndef AVPS_NET_FF_CLASSIFIERS
#define AVPS_NET_FF_CLASSIFIERS 8
#endif
#if AVPS_NET_FF_CLASSIFIERS < 1 || AVPS_NET_FF_CLASSIFIERS > 1024
#error "AVPS_NET_FF_CLASSIFIERS must be 1..1024"
#endif

/** Flow filter rules of a network device, 1..1024; a frame is compared with each at most once. */
#ifndef AVPS_NET_FF_RULES
#define AVPS_NET_FF_RULES 32
#endif
#if AVPS_NET_FF_RULES < 1 || AVPS_NET_FF_RULES > 1024
#error "AVPS_NET_FF_RULES must be 1..1024"
#endif

/** Invariants of the library itself, never reachable by a guest. Define to a check of yours. */
#ifndef AVPS_ASSERT
#define AVPS_ASSERT(condition) ((void)0)
#endif

#endif
