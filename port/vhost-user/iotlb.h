/* SPDX-License-Identifier: BSD-3-Clause */
/* The IOTLB: what the front end has told about I/O virtual addresses, and what was asked for. */
#ifndef VU_IOTLB_H
#define VU_IOTLB_H

#include <stdbool.h>
#include <stdint.h>

#define VU_IOTLB_ENTRIES 1024U
#define VU_IOTLB_MISSES  16U

struct vu_iotlb_entry {
    uint64_t iova;
    uint64_t size;
    uint64_t user;
    uint8_t perm; /* 1 read, 2 write: as enum avps_access */
};

struct vu_iotlb {
    uint32_t count;
    uint32_t victim;                                 /* the next to go when it is full */
    struct vu_iotlb_entry entries[VU_IOTLB_ENTRIES]; /* sorted by iova, not overlapping */
    uint32_t misses;
    struct vu_iotlb_miss {
        uint64_t iova;
        uint8_t perm;
    } missed[VU_IOTLB_MISSES]; /* asked for, not yet answered */
};

/* The entry that holds `iova`, or NULL. */
const struct vu_iotlb_entry *vu_iotlb_find(const struct vu_iotlb *tlb, uint64_t iova);

/* Replace what overlaps; the range must not be empty or wrap. */
void vu_iotlb_update(struct vu_iotlb *tlb, const struct vu_iotlb_entry *entry);

/* Forget what overlaps. */
void vu_iotlb_invalidate(struct vu_iotlb *tlb, uint64_t iova, uint64_t size);

/* Remember a miss. @return whether it is new and is to be asked for. */
bool vu_iotlb_note_miss(struct vu_iotlb *tlb, uint64_t iova, uint8_t perm);

#endif
