/* SPDX-License-Identifier: BSD-3-Clause */
/* The IOTLB: a sorted array -> look-up -> update and invalidate -> misses. */
#include "iotlb.h"

#include <string.h>

/* Index of the first entry that ends behind `iova`. */
static uint32_t iotlb_place(const struct vu_iotlb *tlb, uint64_t iova)
{
    uint32_t low = 0;
    uint32_t high = tlb->count;

    while (low < high) {
        const uint32_t middle = low + (high - low) / 2U;
        const struct vu_iotlb_entry *entry = &tlb->entries[middle];

        if (entry->iova + (entry->size - 1U) < iova) {
            low = middle + 1U;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct vu_iotlb_entry *vu_iotlb_find(const struct vu_iotlb *tlb, uint64_t iova)
{
    const uint32_t at = iotlb_place(tlb, iova);

    return at < tlb->count && tlb->entries[at].iova <= iova ? &tlb->entries[at] : NULL;
}

static void iotlb_drop(struct vu_iotlb *tlb, uint32_t at)
{
    tlb->count--;
    (void)memmove(&tlb->entries[at], &tlb->entries[at + 1U],
                  (tlb->count - at) * sizeof tlb->entries[0]);
}

void vu_iotlb_invalidate(struct vu_iotlb *tlb, uint64_t iova, uint64_t size)
{
    const uint64_t last = size - 1U > UINT64_MAX - iova ? UINT64_MAX : iova + (size - 1U);

    if (size == 0U) {
        return;
    }
    const uint32_t at = iotlb_place(tlb, iova);
    while (at < tlb->count && tlb->entries[at].iova <= last) {
        iotlb_drop(tlb, at);
    }
}

static void iotlb_answer_misses(struct vu_iotlb *tlb, const struct vu_iotlb_entry *entry)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < tlb->misses; i++) {
        if (tlb->missed[i].iova - entry->iova >= entry->size) {
            tlb->missed[kept] = tlb->missed[i];
            kept++;
        }
    }
    tlb->misses = kept;
}

void vu_iotlb_update(struct vu_iotlb *tlb, const struct vu_iotlb_entry *entry)
{
    vu_iotlb_invalidate(tlb, entry->iova, entry->size);
    if (tlb->count == VU_IOTLB_ENTRIES) { /* asked for again when it is needed */
        tlb->victim = (tlb->victim + 1U) % VU_IOTLB_ENTRIES;
        iotlb_drop(tlb, tlb->victim);
    }
    const uint32_t at = iotlb_place(tlb, entry->iova);

    (void)memmove(&tlb->entries[at + 1U], &tlb->entries[at],
                  (tlb->count - at) * sizeof tlb->entries[0]);
    tlb->entries[at] = *entry;
    tlb->count++;
    iotlb_answer_misses(tlb, entry);
}

bool vu_iotlb_note_miss(struct vu_iotlb *tlb, uint64_t iova, uint8_t perm)
{
    for (uint32_t i = 0; i < tlb->misses; i++) {
        if (tlb->missed[i].iova == iova && (tlb->missed[i].perm & perm) == perm) {
            return false;
        }
    }
    if (tlb->misses == VU_IOTLB_MISSES) {
        return false; /* asked for when others are answered and the queue is looked at again */
    }
    tlb->missed[tlb->misses] = (struct vu_iotlb_miss){iova, perm};
    tlb->misses++;
    return true;
}
