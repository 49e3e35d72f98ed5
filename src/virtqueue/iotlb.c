/* SPDX-License-Identifier: BSD-3-Clause */
/* IOTLB: the sorted table -> misses -> users -> the memory ops of a device -> what the embedder tells.
 *
 *   entries   [0 .. count)                    live, sorted, not overlapping
 *             [capacity - dying .. capacity)  invalidated in use; may overlap anything
 *
 * A chain remembers in its handle how often the table had changed when it was mapped, and finds the
 * entries it uses by that: those that were born before and had not died. */
#include "avps/iotlb.h"

#include "virtqueue/vq_internal.h"

/* ---- the table ---- */

static bool range_wraps(uint64_t first, uint64_t size)
{
    return size == 0U || size - 1U > UINT64_MAX - first;
}

static bool range_holds(const struct avps_iotlb_range *range, avps_gpa iova)
{
    return u64_distance(range->iova, iova) < range->size;
}

/* Neither is empty, neither wraps. */
static bool range_overlaps(const struct avps_iotlb_range *range, avps_gpa iova, uint64_t size)
{
    return range->iova <= iova ? iova - range->iova < range->size : range->iova - iova < size;
}

/* Index of the first live entry that ends behind `iova`. */
static uint32_t iotlb_place(const struct avps_iotlb *tlb, avps_gpa iova)
{
    uint32_t low = 0;
    uint32_t high = tlb->count;

    while (low < high) {
        const uint32_t middle = low + (high - low) / 2U;
        const struct avps_iotlb_range *range = &tlb->entries[middle].range;

        if (range->iova + (range->size - 1U) < iova) {
            low = middle + 1U;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct avps_iotlb_entry *iotlb_find(const struct avps_iotlb *tlb, avps_gpa iova)
{
    const uint32_t at = iotlb_place(tlb, iova);

    return at < tlb->count && tlb->entries[at].range.iova <= iova ? &tlb->entries[at] : NULL;
}

/* Take a live entry out. */
static void iotlb_remove(struct avps_iotlb *tlb, uint32_t at)
{
    tlb->changes++;
    tlb->count--;
    (void)memmove(&tlb->entries[at], &tlb->entries[at + 1U],
                  (tlb->count - at) * sizeof tlb->entries[0]);
}

static struct avps_iotlb_entry *iotlb_first_dying(const struct avps_iotlb *tlb)
{
    return &tlb->entries[tlb->capacity - tlb->dying];
}

/* A live entry is invalidated: it goes, or waits for its users. */
static void iotlb_kill(struct avps_iotlb *tlb, uint32_t at)
{
    struct avps_iotlb_entry entry = tlb->entries[at];

    iotlb_remove(tlb, at);
    if (entry.users != 0U) {
        entry.died = ++tlb->changes;
        tlb->dying++;
        *iotlb_first_dying(tlb) = entry;
        tlb->counters.deferred++;
    }
}

/* Make room for one more. @return false: all entries are in use. */
static bool iotlb_evict(struct avps_iotlb *tlb)
{
    for (uint32_t i = 0; i < tlb->count; i++) {
        const uint32_t at = (tlb->victim + i) % tlb->count;

        if (tlb->entries[at].users == 0U) {
            tlb->victim = at;
            iotlb_remove(tlb, at);
            tlb->counters.evicted++;
            return true;
        }
    }
    return false;
}

/* The range overlaps no live entry. */
static enum avps_status iotlb_insert(struct avps_iotlb *tlb, const struct avps_iotlb_range *range)
{
    if (tlb->count + tlb->dying == tlb->capacity && !iotlb_evict(tlb)) {
        tlb->counters.full++;
        tlb->crowded = true;
        return AVPS_E_NOSPACE;
    }
    const uint32_t at = iotlb_place(tlb, range->iova);

    (void)memmove(&tlb->entries[at + 1U], &tlb->entries[at],
                  (tlb->count - at) * sizeof tlb->entries[0]);
    tlb->count++;
    tlb->entries[at] = (struct avps_iotlb_entry){.range = *range, .born = ++tlb->changes};
    tlb->victim = at + 1U; /* the newest is the last to go */
    tlb->counters.updates++;
    return AVPS_OK;
}

static void iotlb_wake(const struct avps_iotlb *tlb)
{
    if (tlb->ops->wake != NULL) {
        tlb->ops->wake(tlb->ctx);
    }
}

/* ---- questions ---- */

static void question_drop(struct avps_iotlb *tlb, uint32_t at)
{
    tlb->question_count--;
    (void)memmove(&tlb->questions[at], &tlb->questions[at + 1U],
                  (tlb->question_count - at) * sizeof tlb->questions[0]);
}

/* The question about this access; question_count if it was not asked. */
static uint32_t question_find(const struct avps_iotlb *tlb, avps_gpa iova, enum avps_access access)
{
    uint32_t at = 0;

    while (at < tlb->question_count &&
           (tlb->questions[at].iova != iova ||
            !access_is_granted(tlb->questions[at].access, (uint32_t)access))) {
        at++;
    }
    return at;
}

/* The oldest makes room: whoever waits for it asks again. */
static void question_add(struct avps_iotlb *tlb, avps_gpa iova, enum avps_access access)
{
    if (tlb->question_count == tlb->question_cap) {
        question_drop(tlb, 0);
    }
    tlb->questions[tlb->question_count] =
        (struct avps_iotlb_question){.iova = iova, .access = (uint32_t)access};
    tlb->question_count++;
}

/* Questions in the range are settled. @return whether there were any. */
static bool questions_settle(struct avps_iotlb *tlb, avps_gpa iova, uint64_t size)
{
    const uint32_t before = tlb->question_count;

    for (uint32_t i = tlb->question_count; i > 0U; i--) {
        if (u64_distance(iova, tlb->questions[i - 1U].iova) < size) {
            question_drop(tlb, i - 1U);
        }
    }
    return tlb->question_count != before;
}

/* ---- misses ---- */

static enum avps_status iotlb_ask(struct avps_iotlb *tlb, avps_gpa iova, enum avps_access access)
{
    struct avps_iotlb_range range = {0, 0, 0, 0};
    const enum avps_status status = tlb->ops->lookup(tlb->ctx, iova, access, &range);

    tlb->counters.misses++;
    if (status == AVPS_AGAIN) {
        question_add(tlb, iova, access);
    }
    if (status != AVPS_OK) {
        return status;
    }
    if (!range_holds(&range, iova)) {
        return AVPS_E_IO; /* an answer to something else */
    }
    const uint64_t before = tlb->changes;
    const enum avps_status entered = avps_iotlb_update(tlb, &range);

    if (tlb->changes != before + 1U) {
        tlb->disturbed = true; /* more than one entry more */
    }
    return entered == AVPS_E_NOSPACE ? AVPS_AGAIN : entered;
}

/* There is no translation. @return AVPS_OK: now there is. */
static enum avps_status iotlb_miss(struct avps_iotlb *tlb, avps_gpa iova, enum avps_access access)
{
    const uint32_t at = question_find(tlb, iova, access);

    if (at == tlb->question_count) {
        return iotlb_ask(tlb, iova, access);
    }
    if (!tlb->questions[at].refused) {
        return AVPS_AGAIN;
    }
    question_drop(tlb, at);
    return AVPS_E_GUEST_ADDR;
}

/* ---- translation ---- */

/* Bytes from `iova` on that go on in the memory below, at most `len`: over the ends of entries. */
static uint64_t iotlb_extent(const struct avps_iotlb *tlb, const struct avps_iotlb_entry *entry,
                             avps_gpa iova, enum avps_access access, uint64_t len)
{
    const struct avps_iotlb_entry *end = &tlb->entries[tlb->count];
    uint64_t extent = entry->range.size - (iova - entry->range.iova);

    for (const struct avps_iotlb_entry *next = entry + 1; extent < len && next < end; next++) {
        const struct avps_iotlb_range *last = &(next - 1)->range;

        if (next->range.iova - last->iova != last->size ||
            next->range.gpa != last->gpa + last->size ||
            !access_is_granted(next->range.access, (uint32_t)access)) {
            break;
        }
        extent += next->range.size < len - extent ? next->range.size : len - extent;
    }
    return extent < len ? extent : len;
}

static enum avps_status iotlb_translate(void *ctx, avps_gpa iova, enum avps_access access,
                                        uint64_t *len, uint8_t **ptr)
{
    struct avps_iotlb *tlb = ctx;
    const struct avps_iotlb_entry *entry = iotlb_find(tlb, iova);

    if (entry == NULL) {
        const enum avps_status status = iotlb_miss(tlb, iova, access);

        if (status != AVPS_OK) {
            tlb->counters.refused += avps_status_is_guest_fault(status) ? 1U : 0U;
            return status;
        }
        entry = iotlb_find(tlb, iova);
        AVPS_ASSERT(entry != NULL);
    }
    if (!access_is_granted(entry->range.access, (uint32_t)access)) {
        tlb->counters.refused++;
        return AVPS_E_GUEST_ACCESS;
    }
    *len = iotlb_extent(tlb, entry, iova, access, *len);
    return avps_mem_translate_region(&tlb->below, entry->range.gpa + (iova - entry->range.iova),
                                     access, len, ptr);
}

/* ---- users ---- */

/* Bytes of an entry from `iova`, which it holds, on; at most `len`. */
static uint64_t entry_room(const struct avps_iotlb_entry *entry, avps_gpa iova, uint64_t len)
{
    const uint64_t room = entry->range.size - (iova - entry->range.iova);

    return len < room ? len : room;
}

/* What was translated is used. A look-up may have thrown out, for a later part, what an earlier one
 * had found: then all of it is looked up again, at a later poll. @return whether it is as it was. */
static bool iotlb_is_settled(struct avps_iotlb *tlb)
{
    if (tlb->disturbed) {
        tlb->disturbed = false;
        iotlb_wake(tlb);
        return false;
    }
    return true;
}

/* Live entries hold the range. */
static void iotlb_use(struct avps_iotlb *tlb, avps_gpa iova, uint64_t len)
{
    while (len != 0U) {
        struct avps_iotlb_entry *entry = iotlb_find(tlb, iova);

        AVPS_ASSERT(entry != NULL);
        const uint64_t piece = entry_room(entry, iova, len);

        entry->users++;
        iova += piece;
        len -= piece;
    }
}

/* The last user of an invalidated entry has left. */
static void iotlb_bury(struct avps_iotlb *tlb, struct avps_iotlb_entry *entry)
{
    const struct avps_iotlb_range range = entry->range;

    *entry = *iotlb_first_dying(tlb);
    tlb->dying--;
    if (tlb->ops->released != NULL) {
        tlb->ops->released(tlb->ctx, range.iova, range.size);
    }
}

static void iotlb_leave(struct avps_iotlb *tlb, struct avps_iotlb_entry *entry)
{
    AVPS_ASSERT(entry->users != 0U);
    entry->users--;
    if (entry->users != 0U) {
        return;
    }
    if (entry >= iotlb_first_dying(tlb)) {
        iotlb_bury(tlb, entry);
    }
    if (tlb->crowded) { /* there is room again for an answer that found none */
        tlb->crowded = false;
        iotlb_wake(tlb);
    }
}

/* The entry that a chain found at `iova` when the table had changed `at` times. */
static struct avps_iotlb_entry *iotlb_used_at(const struct avps_iotlb *tlb, avps_gpa iova,
                                              uint64_t at)
{
    struct avps_iotlb_entry *entry = iotlb_find(tlb, iova);
    struct avps_iotlb_entry *dying = iotlb_first_dying(tlb);

    if (entry != NULL && entry->born <= at) {
        return entry;
    }
    for (uint32_t i = 0; i < tlb->dying; i++) {
        if (range_holds(&dying[i].range, iova) && dying[i].born <= at && at < dying[i].died) {
            return &dying[i];
        }
    }
    return NULL;
}

/* Where an address of the memory below is, whatever may be done there. */
static const uint8_t *iotlb_host(struct avps_iotlb *tlb, avps_gpa gpa)
{
    uint64_t len = 1;
    uint8_t *host = NULL;

    if (avps_mem_translate_region(&tlb->below, gpa, AVPS_ACCESS_READ, &len, &host) == AVPS_OK) {
        return host;
    }
    len = 1;
    return avps_mem_translate_region(&tlb->below, gpa, AVPS_ACCESS_WRITE, &len, &host) == AVPS_OK
               ? host
               : NULL;
}

/* Whether a ring area at `ptr` was found through this entry. */
static bool entry_gives(struct avps_iotlb *tlb, const struct avps_iotlb_entry *entry, avps_gpa iova,
                        const uint8_t *ptr)
{
    return entry->users != 0U && range_holds(&entry->range, iova) &&
           iotlb_host(tlb, entry->range.gpa + (iova - entry->range.iova)) == ptr;
}

/* A ring area has no handle: the older entry that leads to the same memory. */
static struct avps_iotlb_entry *iotlb_pinned_at(struct avps_iotlb *tlb, avps_gpa iova,
                                                const uint8_t *ptr)
{
    struct avps_iotlb_entry *dying = iotlb_first_dying(tlb);
    struct avps_iotlb_entry *entry = iotlb_find(tlb, iova);

    for (uint32_t i = tlb->dying; i > 0U; i--) {
        if (entry_gives(tlb, &dying[i - 1U], iova, ptr)) {
            return &dying[i - 1U];
        }
    }
    return entry != NULL && entry_gives(tlb, entry, iova, ptr) ? entry : NULL;
}

/* ---- the other ops ---- */

/* The segments were translated by the walk that ends here. */
static enum avps_status iotlb_map(void *ctx, struct avps_seg *segs, uint32_t count,
                                  uint32_t readable, uint64_t *handle)
{
    struct avps_iotlb *tlb = ctx;

    (void)readable;
    if (!iotlb_is_settled(tlb)) {
        return AVPS_AGAIN;
    }
    for (uint32_t i = 0; i < count; i++) {
        iotlb_use(tlb, segs[i].gpa, segs[i].len);
    }
    *handle = tlb->changes;
    return AVPS_OK;
}

/* A chain that was mapped when the table had changed `at` times leaves a range. */
static void iotlb_leave_range(struct avps_iotlb *tlb, avps_gpa iova, uint64_t len, uint64_t at)
{
    while (len != 0U) {
        struct avps_iotlb_entry *entry = iotlb_used_at(tlb, iova, at);

        AVPS_ASSERT(entry != NULL);
        if (entry == NULL) {
            return;
        }
        const uint64_t piece = entry_room(entry, iova, len);
        iotlb_leave(tlb, entry);
        iova += piece;
        len -= piece;
    }
}

static void iotlb_unmap(void *ctx, uint64_t handle, const struct avps_seg *segs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        iotlb_leave_range(ctx, segs[i].gpa, segs[i].len, handle);
    }
}

/* An area in one piece of host memory, over any number of entries. */
static enum avps_status iotlb_pin(void *ctx, avps_gpa iova, uint64_t len, enum avps_access access,
                                  uint8_t **ptr)
{
    struct avps_iotlb *tlb = ctx;
    uint64_t done = 0;

    while (done != len) {
        uint64_t piece = len - done;
        uint8_t *at = NULL;
        const enum avps_status status = iotlb_translate(tlb, iova + done, access, &piece, &at);

        if (status != AVPS_OK) {
            return status;
        }
        if (done != 0U && at != *ptr + done) {
            return AVPS_E_GUEST_ADDR; /* I15 */
        }
        *ptr = done == 0U ? at : *ptr;
        done += piece;
    }
    if (!iotlb_is_settled(tlb)) {
        return AVPS_AGAIN;
    }
    iotlb_use(tlb, iova, len);
    return AVPS_OK;
}

static void iotlb_unpin(void *ctx, avps_gpa iova, uint64_t len, uint8_t *ptr)
{
    struct avps_iotlb *tlb = ctx;
    uint64_t done = 0;

    while (done != len) {
        struct avps_iotlb_entry *entry = iotlb_pinned_at(tlb, iova + done, ptr + done);

        AVPS_ASSERT(entry != NULL);
        if (entry == NULL) {
            return; /* the memory below changed while a queue was enabled */
        }
        done += entry_room(entry, iova + done, len - done);
        iotlb_leave(tlb, entry);
    }
}

/* The part of an entry in [iova, iova + len) is dirty in the memory below. */
static void entry_dirty(const struct avps_iotlb *tlb, const struct avps_iotlb_entry *entry,
                        avps_gpa iova, uint64_t len)
{
    const struct avps_iotlb_range *range = &entry->range;
    const avps_gpa first = range->iova > iova ? range->iova : iova;
    const uint64_t off = first - range->iova;
    const uint64_t left = len - (first - iova);

    tlb->ops->dirty(tlb->ctx, range->gpa + off,
                    left < range->size - off ? left : range->size - off);
}

/* Who wrote is not known: both the translation that is and those that were are reported. */
static void iotlb_dirty(void *ctx, avps_gpa iova, uint64_t len)
{
    const struct avps_iotlb *tlb = ctx;
    const struct avps_iotlb_entry *dying = iotlb_first_dying(tlb);

    for (uint32_t at = iotlb_place(tlb, iova);
         at < tlb->count && range_overlaps(&tlb->entries[at].range, iova, len); at++) {
        entry_dirty(tlb, &tlb->entries[at], iova, len);
    }
    for (uint32_t i = 0; i < tlb->dying; i++) {
        if (range_overlaps(&dying[i].range, iova, len)) {
            entry_dirty(tlb, &dying[i], iova, len);
        }
    }
}

static void iotlb_maybe_dirty(void *ctx, avps_gpa iova, uint64_t len)
{
    const struct avps_iotlb *tlb = ctx;

    if (tlb->ops->dirty != NULL) {
        iotlb_dirty(ctx, iova, len);
    }
}

static void iotlb_clean(void *ctx, const uint8_t *ptr, size_t len)
{
    const struct avps_iotlb *tlb = ctx;

    if (tlb->ops->cache_clean != NULL) {
        tlb->ops->cache_clean(tlb->ctx, ptr, len);
    }
}

static void iotlb_inval(void *ctx, const uint8_t *ptr, size_t len)
{
    const struct avps_iotlb *tlb = ctx;

    if (tlb->ops->cache_inval != NULL) {
        tlb->ops->cache_inval(tlb->ctx, ptr, len);
    }
}

#define IOTLB_ADDRESS_OPS                                                                          \
    .translate = iotlb_translate, .map = iotlb_map, .unmap = iotlb_unmap, .pin = iotlb_pin,        \
    .unpin = iotlb_unpin

static const struct avps_mem_ops iotlb_plain_ops = {IOTLB_ADDRESS_OPS};
static const struct avps_mem_ops iotlb_dirty_ops = {IOTLB_ADDRESS_OPS, .dirty = iotlb_dirty};
static const struct avps_mem_ops iotlb_cache_ops = {IOTLB_ADDRESS_OPS, .dirty = iotlb_maybe_dirty,
                                                    .cache_clean = iotlb_clean,
                                                    .cache_inval = iotlb_inval};

/* ---- what the embedder calls ---- */

enum avps_status avps_iotlb_init(struct avps_iotlb *tlb, const struct avps_iotlb_config *config)
{
    struct avps_mem below;

    if (tlb == NULL || config == NULL || config->entries == NULL || config->entry_count == 0U ||
        config->questions == NULL || config->question_count == 0U || config->ops == NULL ||
        config->ops->lookup == NULL ||
        avps_mem_init_regions(&below, config->regions, config->region_count, NULL, NULL) !=
            AVPS_OK) {
        return AVPS_E_PARAM;
    }
    *tlb = (struct avps_iotlb){.below = below,
                               .entries = config->entries,
                               .capacity = config->entry_count,
                               .questions = config->questions,
                               .question_cap = config->question_count,
                               .ops = config->ops,
                               .ctx = config->ctx};
    return AVPS_OK;
}

/* Hooks slow rings down: only those that there are. */
static const struct avps_mem_ops *iotlb_ops(const struct avps_iotlb *tlb)
{
    if (tlb->ops->cache_clean != NULL || tlb->ops->cache_inval != NULL) {
        return &iotlb_cache_ops;
    }
    return tlb->ops->dirty != NULL ? &iotlb_dirty_ops : &iotlb_plain_ops;
}

enum avps_status avps_iotlb_mem(struct avps_iotlb *tlb, struct avps_mem *mem)
{
    if (tlb == NULL || mem == NULL) {
        return AVPS_E_PARAM;
    }
    *mem = (struct avps_mem){.ops = iotlb_ops(tlb), .ctx = tlb, .platform = true};
    return AVPS_OK;
}

static void iotlb_kill_range(struct avps_iotlb *tlb, avps_gpa iova, uint64_t size)
{
    const uint32_t at = iotlb_place(tlb, iova);

    while (at < tlb->count && range_overlaps(&tlb->entries[at].range, iova, size)) {
        iotlb_kill(tlb, at);
    }
}

enum avps_status avps_iotlb_update(struct avps_iotlb *tlb, const struct avps_iotlb_range *range)
{
    if (tlb == NULL || range == NULL || range_wraps(range->iova, range->size) ||
        range_wraps(range->gpa, range->size) || range->access == 0U ||
        (range->access & ~(uint32_t)AVPS_ACCESS_RW) != 0U) {
        return AVPS_E_PARAM;
    }
    iotlb_kill_range(tlb, range->iova, range->size);
    const bool awaited = questions_settle(tlb, range->iova, range->size);
    const enum avps_status status = iotlb_insert(tlb, range);

    if (awaited) {
        iotlb_wake(tlb);
    }
    return status;
}

enum avps_status avps_iotlb_refuse(struct avps_iotlb *tlb, avps_gpa iova, uint64_t size)
{
    enum avps_status status = AVPS_EMPTY;

    if (tlb == NULL || range_wraps(iova, size)) {
        return AVPS_E_PARAM;
    }
    for (uint32_t i = 0; i < tlb->question_count; i++) {
        if (u64_distance(iova, tlb->questions[i].iova) < size) {
            tlb->questions[i].refused = true;
            status = AVPS_OK;
        }
    }
    if (status == AVPS_OK) {
        iotlb_wake(tlb);
    }
    return status;
}

/* Refusals in the range are out of date; questions without an answer are still open. */
static void questions_expire(struct avps_iotlb *tlb, avps_gpa iova, uint64_t size)
{
    for (uint32_t i = tlb->question_count; i > 0U; i--) {
        if (tlb->questions[i - 1U].refused &&
            u64_distance(iova, tlb->questions[i - 1U].iova) < size) {
            question_drop(tlb, i - 1U);
        }
    }
}

enum avps_status avps_iotlb_invalidate(struct avps_iotlb *tlb, avps_gpa iova, uint64_t size)
{
    if (tlb == NULL || range_wraps(iova, size)) {
        return AVPS_E_PARAM;
    }
    questions_expire(tlb, iova, size);
    iotlb_kill_range(tlb, iova, size);
    const struct avps_iotlb_entry *dying = iotlb_first_dying(tlb);

    for (uint32_t i = 0; i < tlb->dying; i++) {
        if (range_overlaps(&dying[i].range, iova, size)) {
            return AVPS_PENDING;
        }
    }
    return AVPS_OK;
}

enum avps_status avps_iotlb_clear(struct avps_iotlb *tlb)
{
    if (tlb == NULL) {
        return AVPS_E_PARAM;
    }
    while (tlb->count != 0U) {
        iotlb_kill(tlb, tlb->count - 1U);
    }
    tlb->question_count = 0;
    return tlb->dying != 0U ? AVPS_PENDING : AVPS_OK;
}

uint32_t avps_iotlb_in_use(const struct avps_iotlb *tlb)
{
    uint32_t used = tlb->dying;

    for (uint32_t i = 0; i < tlb->count; i++) {
        used += tlb->entries[i].users != 0U ? 1U : 0U;
    }
    return used;
}

const struct avps_iotlb_counters *avps_iotlb_counters(const struct avps_iotlb *tlb)
{
    return &tlb->counters;
}
