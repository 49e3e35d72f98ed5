/* SPDX-License-Identifier: BSD-3-Clause */
/* The in-flight region: split trackers -> packed trackers -> taking over a split queue, a packed
 * one -> start and stop. The order of the stores is the protocol's: whatever instant the process
 * dies at, the next one finds out which requests the driver has not got back. */
#include "inflight.h"

#include <stdlib.h>
#include <string.h>

/* Stores to the region happen in program order and are not merged. */
#define PUT(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELEASE)
#define GET(field)        __atomic_load_n(&(field), __ATOMIC_ACQUIRE)

/* ---- split ---- */

static void split_take(void *ctx, const struct avps_vq_desc *desc, bool first, bool last)
{
    struct vu_inflight_queue *q = ctx;
    struct vu_split_entry *entry = &q->region.split->desc[desc->id];

    (void)first;
    (void)last;
    if (!q->frozen) {
        PUT(entry->counter, q->counter);
        q->counter++;
        PUT(entry->inflight, 1);
    }
}

static void split_forget(void *ctx, uint16_t id)
{
    struct vu_inflight_queue *q = ctx;

    if (!q->frozen) {
        PUT(q->region.split->desc[id].inflight, 0);
    }
}

static void any_give(void *ctx, uint16_t id)
{
    struct vu_inflight_queue *q = ctx;

    q->given[q->given_count] = id; /* at most as many as the queue has */
    q->given_count++;
}

static void split_publish(void *ctx, uint16_t used_idx, bool used_wrap)
{
    struct vu_inflight_queue *q = ctx;

    (void)used_wrap;
    q->used_idx = used_idx;
    for (uint16_t i = 0; i < q->given_count && !q->frozen; i++) {
        PUT(q->region.split->desc[q->given[i]].next, q->head);
        q->head = q->given[i];
        PUT(q->region.split->last_batch_head, q->head);
    }
}

static void split_published(void *ctx)
{
    struct vu_inflight_queue *q = ctx;

    for (uint16_t i = 0; i < q->given_count && !q->frozen; i++) {
        PUT(q->region.split->desc[q->given[i]].inflight, 0);
    }
    q->given_count = 0;
    if (!q->frozen) {
        PUT(q->region.split->used_idx, q->used_idx);
    }
}

static bool split_replay(void *ctx, uint32_t n, struct avps_vq_desc *desc)
{
    const struct vu_inflight_queue *q = ctx;

    if (n != 0U || q->replay_next == q->replay_count) {
        return false;
    }
    *desc = (struct avps_vq_desc){.id = q->replay[q->replay_next].entry};
    return true;
}

static void any_replayed(void *ctx, bool forward)
{
    struct vu_inflight_queue *q = ctx;

    q->replay_next = (uint16_t)(forward ? q->replay_next + 1U : q->replay_next - 1U);
}

static const struct avps_tracker_ops split_ops = {
    .take = split_take,
    .forget = split_forget,
    .give = any_give,
    .publish = split_publish,
    .published = split_published,
    .replay = split_replay,
    .replayed = any_replayed,
};

/* ---- packed ---- */

static void packed_take(void *ctx, const struct avps_vq_desc *desc, bool first, bool last)
{
    struct vu_inflight_queue *q = ctx;
    struct vu_packed_region *region = q->region.packed;

    if (q->frozen || q->head >= q->size) {
        return;
    }
    if (first) {
        q->taking = q->head;
        q->slots[q->taking] = 0;
        PUT(region->desc[q->taking].num, 0);
        PUT(region->desc[q->taking].counter, q->counter);
        q->counter++;
        PUT(region->desc[q->taking].inflight, 1);
    }
    struct vu_packed_entry *chain = &region->desc[q->taking];
    struct vu_packed_entry *entry = &region->desc[q->head];

    if (last) {
        q->last[q->taking] = q->head;
        q->entry_of[desc->id] = q->taking;
        PUT(chain->last, q->head);
    }
    q->slots[q->taking]++;
    PUT(chain->num, q->slots[q->taking]);
    PUT(entry->addr, desc->addr);
    PUT(entry->len, desc->len);
    PUT(entry->flags, desc->flags);
    PUT(entry->id, desc->id);
    q->head = q->next[q->head];
    PUT(region->free_head, q->head);
    if (last) {
        PUT(region->old_free_head, q->head);
    }
}

/* The list of a chain becomes the front of the free list. */
static void packed_free_list(struct vu_inflight_queue *q, uint16_t entry)
{
    q->next[q->last[entry]] = q->head;
    PUT(q->region.packed->desc[q->last[entry]].next, q->head);
    q->head = entry;
    PUT(q->region.packed->free_head, entry);
}

static void packed_forget(void *ctx, uint16_t id)
{
    struct vu_inflight_queue *q = ctx;

    if (!q->frozen) {
        PUT(q->region.packed->desc[q->entry_of[id]].inflight, 0);
        packed_free_list(q, q->entry_of[id]);
        PUT(q->region.packed->old_free_head, q->head);
    }
}

static void packed_publish(void *ctx, uint16_t used_idx, bool used_wrap)
{
    struct vu_inflight_queue *q = ctx;

    q->used_idx = used_idx;
    q->used_wrap = used_wrap;
    if (q->frozen) {
        return;
    }
    for (uint16_t i = 0; i < q->given_count; i++) {
        packed_free_list(q, q->entry_of[q->given[i]]);
    }
    PUT(q->region.packed->used_idx, used_idx);
    PUT(q->region.packed->used_wrap_counter, used_wrap ? 1 : 0);
}

/* What is in progress is now what counts. The counter goes before the index: dying in between, the
 * old place shows flags that are never those of an available descriptor, whichever the counter. */
static void packed_commit(struct vu_inflight_queue *q)
{
    PUT(q->region.packed->old_free_head, q->head);
    PUT(q->region.packed->old_used_wrap_counter, q->used_wrap ? 1 : 0);
    PUT(q->region.packed->old_used_idx, q->used_idx);
}

static void packed_published(void *ctx)
{
    struct vu_inflight_queue *q = ctx;

    for (uint16_t i = 0; i < q->given_count && !q->frozen; i++) {
        PUT(q->region.packed->desc[q->entry_of[q->given[i]]].inflight, 0);
    }
    q->given_count = 0;
    if (!q->frozen) {
        packed_commit(q);
    }
}

static bool packed_replay(void *ctx, uint32_t n, struct avps_vq_desc *desc)
{
    struct vu_inflight_queue *q = ctx;

    if (q->replay_next == q->replay_count) {
        return false;
    }
    const uint16_t first = q->replay[q->replay_next].entry;
    if (n >= q->slots[first]) {
        return false;
    }
    q->step_entry = n == 0U ? first : q->next[q->step_entry]; /* asked for in order */
    const struct vu_packed_entry *entry = &q->region.packed->desc[q->step_entry];

    *desc = (struct avps_vq_desc){.addr = GET(entry->addr),
                                  .len = GET(entry->len),
                                  .id = GET(entry->id),
                                  .flags = GET(entry->flags)};
    if (n + 1U == q->slots[first]) {
        desc->id = q->replay[q->replay_next].id;
    }
    return true;
}

static const struct avps_tracker_ops packed_ops = {
    .take = packed_take,
    .forget = packed_forget,
    .give = any_give,
    .publish = packed_publish,
    .published = packed_published,
    .replay = packed_replay,
    .replayed = any_replayed,
};

/* ---- taking over, common ---- */

static int chain_compare(const void *a, const void *b)
{
    const struct vu_inflight_chain *left = a;
    const struct vu_inflight_chain *right = b;

    return (left->counter > right->counter) - (left->counter < right->counter);
}

static void replay_add(struct vu_inflight_queue *q, uint16_t entry, uint16_t id, uint64_t counter)
{
    q->replay[q->replay_count] = (struct vu_inflight_chain){counter, entry, id};
    q->replay_count++;
    if (counter >= q->counter) {
        q->counter = counter + 1U;
    }
}

/* ---- taking over a split queue ---- */

static void split_create(struct vu_inflight_queue *q, uint16_t used_idx)
{
    struct vu_split_region *region = q->region.split;

    for (uint16_t i = 0; i < q->size; i++) {
        PUT(region->desc[i].inflight, 0);
    }
    region->features = 0;
    region->desc_num = q->size;
    region->last_batch_head = 0;
    region->used_idx = used_idx;
    PUT(region->version, VU_INFLIGHT_VERSION);
}

/* The driver has got back what lies between the two used indexes: the last batch. */
static const char *split_finish_batch(struct vu_inflight_queue *q, uint16_t used_idx)
{
    struct vu_split_region *region = q->region.split;
    const uint16_t batch = (uint16_t)(used_idx - GET(region->used_idx));
    uint16_t at = GET(region->last_batch_head);

    q->head = at;
    if (batch > q->size) {
        return "does not belong to the used ring";
    }
    for (uint16_t i = 0; i < batch; i++) {
        if (at >= q->size) {
            return "has a broken list of used descriptors";
        }
        PUT(region->desc[at].inflight, 0);
        at = GET(region->desc[at].next);
    }
    PUT(region->used_idx, used_idx);
    return NULL;
}

static const char *split_take_over(struct vu_inflight_queue *q, const struct vu_inflight_ring *ring)
{
    struct vu_split_region *region = q->region.split;

    if (GET(region->version) == 0U) {
        split_create(q, ring->used_idx);
    }
    if (GET(region->version) != VU_INFLIGHT_VERSION || GET(region->desc_num) != q->size) {
        return "has another version or queue size";
    }
    const char *why = split_finish_batch(q, ring->used_idx);
    for (uint16_t i = 0; i < q->size && why == NULL; i++) {
        if (GET(region->desc[i].inflight) != 0U) {
            replay_add(q, i, i, GET(region->desc[i].counter));
        }
    }
    q->used_idx = ring->used_idx;
    q->used_wrap = true;
    return why;
}

/* ---- taking over a packed queue ---- */

static void packed_create(struct vu_inflight_queue *q, const struct avps_remote_position *base)
{
    struct vu_packed_region *region = q->region.packed;

    for (uint16_t i = 0; i < q->size; i++) {
        PUT(region->desc[i].inflight, 0);
        region->desc[i].next = (uint16_t)(i + 1U); /* `size` ends the list */
    }
    region->features = 0;
    region->desc_num = q->size;
    region->free_head = 0;
    region->old_free_head = 0;
    region->used_idx = base->idx;
    region->old_used_idx = base->idx;
    region->used_wrap_counter = base->wrap ? 1 : 0;
    region->old_used_wrap_counter = region->used_wrap_counter;
    PUT(region->version, VU_INFLIGHT_VERSION);
}

/* Decide about an update in progress: shown to the driver, so it counts, or rolled back. */
static const char *packed_finish_batch(struct vu_inflight_queue *q,
                                       const struct vu_inflight_ring *ring)
{
    struct vu_packed_region *region = q->region.packed;
    const uint16_t old_idx = GET(region->old_used_idx);
    const bool old_wrap = GET(region->old_used_wrap_counter) != 0U;
    const uint16_t idx = GET(region->used_idx);
    const bool wrap = GET(region->used_wrap_counter) != 0U;
    uint16_t flags = 0;

    if (old_idx >= q->size || idx >= q->size) {
        return "has a position outside the ring";
    }
    q->used_idx = old_idx;
    q->used_wrap = old_wrap;
    q->head = GET(region->old_free_head);
    if (idx != old_idx || wrap != old_wrap) {
        if (!ring->flags_at(ring->ctx, old_idx, &flags)) {
            return "cannot be compared with the ring";
        }
        if ((flags & 0x8080U) != (old_wrap ? 0x80U : 0x8000U)) {
            q->used_idx = idx;
            q->used_wrap = wrap;
            q->head = GET(region->free_head);
        }
    }
    PUT(region->free_head, q->head);
    PUT(region->used_idx, q->used_idx);
    PUT(region->used_wrap_counter, q->used_wrap ? 1 : 0);
    packed_commit(q);
    return NULL;
}

/* Copy the free list; its entries are not in flight. `seen` has one byte an entry. */
static const char *packed_copy_free(struct vu_inflight_queue *q, uint8_t *seen)
{
    uint16_t at = q->head;

    if (at > q->size) {
        return "has a broken free list";
    }
    for (uint16_t steps = 0; at != q->size; steps++) {
        if (at > q->size || seen[at] != 0U || steps == q->size) {
            return "has a broken free list";
        }
        seen[at] = 1;
        PUT(q->region.packed->desc[at].inflight, 0);
        q->next[at] = GET(q->region.packed->desc[at].next);
        at = q->next[at];
    }
    return NULL;
}

/* Copy the list of one chain in flight. */
static const char *packed_copy_chain(struct vu_inflight_queue *q, uint8_t *seen, uint16_t entry)
{
    const struct vu_packed_entry *desc = q->region.packed->desc;
    const uint16_t num = GET(desc[entry].num);
    uint16_t at = entry;

    for (uint16_t i = 0; i < num; i++) {
        if (at >= q->size || seen[at] != 0U) {
            return "has a broken list of descriptors";
        }
        seen[at] = 1;
        q->last[entry] = at;
        q->next[at] = GET(desc[at].next);
        at = q->next[at];
    }
    const uint16_t id = num != 0U ? GET(desc[q->last[entry]].id) : q->size;

    if (id >= q->size || q->entry_of[id] != q->size) {
        return "has a chain without an id of its own";
    }
    q->entry_of[id] = entry;
    q->slots[entry] = num;
    replay_add(q, entry, id, GET(desc[entry].counter));
    return NULL;
}

/* An entry that a crash left in neither list becomes free. */
static void packed_adopt_rest(struct vu_inflight_queue *q, const uint8_t *seen)
{
    for (uint16_t i = 0; i < q->size; i++) {
        if (seen[i] == 0U) {
            q->last[i] = i;
            packed_free_list(q, i);
            PUT(q->region.packed->old_free_head, q->head);
        }
    }
}

static const char *packed_copy_lists(struct vu_inflight_queue *q, uint8_t *seen)
{
    const char *why = packed_copy_free(q, seen);

    for (uint16_t i = 0; i < q->size && why == NULL; i++) {
        if (seen[i] == 0U && GET(q->region.packed->desc[i].inflight) != 0U) {
            why = packed_copy_chain(q, seen, i);
        }
    }
    if (why == NULL) {
        packed_adopt_rest(q, seen);
    }
    return why;
}

static const char *packed_take_over(struct vu_inflight_queue *q,
                                    const struct vu_inflight_ring *ring)
{
    struct vu_packed_region *region = q->region.packed;

    if (GET(region->version) == 0U) {
        packed_create(q, &ring->base);
    }
    if (GET(region->version) != VU_INFLIGHT_VERSION || GET(region->desc_num) != q->size) {
        return "has another version or queue size";
    }
    const char *why = packed_finish_batch(q, ring);
    uint8_t *seen = calloc(q->size, 1);

    if (seen == NULL) {
        return "finds no memory";
    }
    for (uint16_t i = 0; i < q->size; i++) {
        q->entry_of[i] = q->size;
    }
    if (why == NULL) {
        why = packed_copy_lists(q, seen);
    }
    free(seen);
    return why;
}

/* ---- start and stop ---- */

uint64_t vu_inflight_stride(bool packed, uint16_t queue_size)
{
    const uint64_t head = packed ? sizeof(struct vu_packed_region) : sizeof(struct vu_split_region);
    const uint64_t entry = packed ? sizeof(struct vu_packed_entry) : sizeof(struct vu_split_entry);
    const uint64_t bytes = head + queue_size * entry;

    return (bytes + VU_INFLIGHT_ALIGN - 1U) / VU_INFLIGHT_ALIGN * VU_INFLIGHT_ALIGN;
}

static bool queue_allocate(struct vu_inflight_queue *q)
{
    q->given = calloc(q->size, sizeof *q->given);
    q->replay = calloc(q->size, sizeof *q->replay);
    if (q->is_packed) {
        q->next = calloc(q->size, sizeof *q->next);
        q->last = calloc(q->size, sizeof *q->last);
        q->slots = calloc(q->size, sizeof *q->slots);
        q->entry_of = calloc(q->size, sizeof *q->entry_of);
    }
    return q->given != NULL && q->replay != NULL &&
           (!q->is_packed ||
            (q->next != NULL && q->last != NULL && q->slots != NULL && q->entry_of != NULL));
}

void vu_inflight_stop(struct vu_inflight_queue *q)
{
    free(q->given);
    free(q->replay);
    free(q->next);
    free(q->last);
    free(q->slots);
    free(q->entry_of);
    *q = (struct vu_inflight_queue){0};
}

/* Slots between the two positions. */
static void queue_positions(const struct vu_inflight_queue *q, struct avps_remote_position *avail,
                            struct avps_remote_position *used)
{
    uint32_t ahead = 0;

    for (uint16_t i = 0; i < q->replay_count; i++) {
        ahead += q->is_packed ? q->slots[q->replay[i].entry] : 1U;
    }
    *used = (struct avps_remote_position){q->used_idx, q->used_wrap};
    *avail = *used;
    if (!q->is_packed) {
        avail->idx = (uint16_t)(used->idx + ahead);
    } else {
        avail->idx = (uint16_t)((used->idx + ahead) % q->size);
        avail->wrap = used->wrap != (used->idx + ahead >= q->size);
    }
}

const char *vu_inflight_start(struct vu_inflight *inflight, uint16_t index,
                              struct vu_inflight_queue *q, const struct vu_inflight_ring *ring,
                              struct avps_remote_position *avail, struct avps_remote_position *used)
{
    const uint64_t stride = vu_inflight_stride(ring->packed, inflight->queue_size);

    if (index >= inflight->queues || ring->size == 0U || ring->size > inflight->queue_size ||
        stride * inflight->queues > inflight->mapping.size) {
        return "has no room for this queue";
    }
    *q = (struct vu_inflight_queue){.is_packed = ring->packed, .size = ring->size};
    uint8_t *bytes = inflight->mapping.data + stride * index;

    q->tracker = (struct avps_tracker){ring->packed ? &packed_ops : &split_ops, q};
    if (ring->packed) {
        q->region.packed = (struct vu_packed_region *)(void *)bytes;
    } else {
        q->region.split = (struct vu_split_region *)(void *)bytes;
    }
    const char *why = queue_allocate(q) ? NULL : "finds no memory";

    if (why == NULL) {
        why = ring->packed ? packed_take_over(q, ring) : split_take_over(q, ring);
    }
    if (why != NULL) {
        vu_inflight_stop(q);
        return why;
    }
    qsort(q->replay, q->replay_count, sizeof *q->replay, chain_compare);
    queue_positions(q, avail, used);
    return NULL;
}
