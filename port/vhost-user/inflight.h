/* SPDX-License-Identifier: BSD-3-Clause */
/* The in-flight region: which requests of which queue are being served, in memory that both sides
 * hold, so that it outlives this process. One queue at a time is an avps_tracker. */
#ifndef VU_INFLIGHT_H
#define VU_INFLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "avps/remote.h"

#include "mapping.h"
#include "protocol.h"

/* A chain to be served again. */
struct vu_inflight_chain {
    uint64_t counter; /* order of fetching */
    uint16_t entry;   /* split: head; packed: first entry of its list */
    uint16_t id;      /* chain id */
};

/* One queue's part. What the region holds is written, never trusted: everything that is needed
 * later is also kept here. All zero: none. */
struct vu_inflight_queue {
    struct avps_tracker tracker;
    union {
        struct vu_split_region *split;
        struct vu_packed_region *packed;
    } region;
    bool is_packed;
    bool frozen; /* the connection is lost: the region stays as it is */
    uint16_t size;
    uint16_t head; /* split: of the last batch; packed: of the free list, `size` when it is empty */
    uint16_t taking;   /* packed: first entry of the chain being taken */
    uint16_t used_idx; /* about to be published */
    bool used_wrap;
    uint64_t counter;
    uint16_t *next;     /* packed: free list, lists of chains */
    uint16_t *last;     /* packed: by first entry: last of the list */
    uint16_t *slots;    /* packed: by first entry: length of the list */
    uint16_t *entry_of; /* packed: by chain id: first entry */
    uint16_t *given;    /* ids returned and not yet published */
    uint16_t given_count;
    struct vu_inflight_chain *replay; /* in the order of fetching */
    uint16_t replay_count;
    uint16_t replay_next;
    uint16_t step_entry; /* packed: of the descriptor asked for last */
};

/* The region of a connection. All zero: none. */
struct vu_inflight {
    struct vu_mapping mapping;
    uint16_t queues;
    uint16_t queue_size;
};

/* Bytes of the part of one queue. */
uint64_t vu_inflight_stride(bool packed, uint16_t queue_size);

/* What the ring says. */
struct vu_inflight_ring {
    bool packed;
    uint16_t size;
    uint16_t used_idx;                /* split: of the used ring */
    struct avps_remote_position base; /* packed: used position told by the front end */
    /* Packed: flags of a descriptor in the ring. */
    bool (*flags_at)(void *ctx, uint16_t idx, uint16_t *flags);
    void *ctx;
};

/* Take over what is in flight of queue `index`; the tracker is then &q->tracker.
 * @param[out] avail, used  Where the queue starts. @return NULL, or why not, as the rest of a
 * sentence about the region. */
const char *vu_inflight_start(struct vu_inflight *inflight, uint16_t index,
                              struct vu_inflight_queue *q, const struct vu_inflight_ring *ring,
                              struct avps_remote_position *avail,
                              struct avps_remote_position *used);

/* Forget this side's part; the region stays. */
void vu_inflight_stop(struct vu_inflight_queue *q);

#endif
