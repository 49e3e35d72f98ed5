/* SPDX-License-Identifier: BSD-3-Clause */
/* A driver's half of a virtqueue for benchmarks: plain memory, one buffer area, both formats. It
 * makes batches of chains available, takes them back in any order, and counts as a driver does
 * whether the device wants a doorbell. */
#ifndef AVPS_BENCH_RING_H
#define AVPS_BENCH_RING_H

#include <stdbool.h>
#include <stdint.h>

#define RING_SIZE 256U
#define RING_GPA  0x40000000ULL

/* Areas inside the ring's memory. */
#define RING_DESC   0x0000U
#define RING_DRIVER 0x2000U
#define RING_DEVICE 0x3000U
#define RING_TABLES 0x8000U
#define RING_AREA   0x20000U

struct bench_ring {
    uint8_t *mem; /* RING_AREA bytes at guest address `gpa` */
    uint64_t gpa;
    bool packed;
    uint16_t next;        /* split: avail index; packed: position */
    uint16_t seen;        /* split: used index; packed: position */
    bool wrap;            /* packed: of next */
    bool seen_wrap;       /* packed: of seen */
    uint16_t ids;         /* next buffer id or head */
    bool event_idx;       /* negotiated; off after bench_ring_init */
    uint16_t added;       /* chains since bench_ring_wants_kick was asked (packed: slots) */
    bool held;            /* packed: the first head of the batch waits for bench_ring_publish ... */
    uint16_t first;       /* ... at this position ... */
    uint16_t first_flags; /* ... with these flags */
};

void bench_ring_init(struct bench_ring *ring, uint8_t *mem, uint64_t gpa, bool packed);

/* Make one chain of `n` buffers of `len` bytes available: the first `readable` are readable.
 * `indirect`: through a table. Chains are not seen before bench_ring_publish. */
void bench_ring_add(struct bench_ring *ring, const uint64_t *gpa, const uint32_t *len, uint32_t n,
                    uint32_t readable, bool indirect);
void bench_ring_publish(struct bench_ring *ring);

/* The same under a name of the caller's choice (below RING_SIZE, not in use), which comes back with
 * the chain. In a split ring it is the first descriptor too. */
void bench_ring_add_as(struct bench_ring *ring, uint16_t id, const uint64_t *gpa,
                       const uint32_t *len, uint32_t n, uint32_t readable, bool indirect);

/* After bench_ring_publish: does the device want to be told of what was added since the last call? */
bool bench_ring_wants_kick(struct bench_ring *ring);

/* Ask for a notification of the next used chain, or for none. After asking look once more. */
void bench_ring_ask_calls(struct bench_ring *ring, bool wanted);

/* Is there a used element? */
bool bench_ring_ready(const struct bench_ring *ring);

/* Take one used element back; false if there is none. `slots`: ring slots of the chain. */
bool bench_ring_reap(struct bench_ring *ring, uint32_t slots, uint32_t *len);

/* The same, and which chain it was. */
bool bench_ring_take(struct bench_ring *ring, uint32_t slots, uint16_t *id, uint32_t *len);

#endif
