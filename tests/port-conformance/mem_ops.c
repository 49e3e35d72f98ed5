/* SPDX-License-Identifier: BSD-3-Clause */
/* Each memory operation by itself: translate -> map and unmap -> pin -> dirty log -> cache hooks. */
#include "suite_internal.h"

#include <string.h>

/* ---- translate ---- */

static enum avps_status translate(struct avps_pc *pc, avps_gpa gpa, enum avps_access access,
                                  uint64_t *len, uint8_t **ptr)
{
    const uint64_t wish = *len;
    uint32_t tries = 0;
    enum avps_status status = AVPS_OK;

    do {
        *len = wish;
        *ptr = NULL;
        status = pc->mem.ops->translate(pc->mem.ctx, gpa, access, len, ptr);
    } while (avps_pc_again(pc, status, &tries));
    return status;
}

/* Bytes of memory from `gpa` on, over adjacent spans with the same access. */
static uint64_t extent_of(const struct avps_pc *pc, avps_gpa gpa)
{
    const struct avps_pc_span *span = avps_pc_span_of(pc, gpa);
    const uint32_t access = span->access;
    uint64_t len = 0;

    while (span != NULL && span->access == access) {
        len += span->size - (gpa + len - span->gpa);
        span = gpa + len != 0U ? avps_pc_span_of(pc, gpa + len) : NULL;
    }
    return len;
}

/* The guest writes into the first and last byte of what was given: it must be there. */
static bool is_guest_at(struct avps_pc *pc, avps_gpa gpa, uint64_t len, const uint8_t *ptr)
{
    uint8_t *first = avps_pc_guest(pc, gpa);
    uint8_t *last = avps_pc_guest(pc, gpa + (len - 1U));

    *last = 0x77;
    const bool last_is_shown = ptr[len - 1U] == 0x77U;

    *first = 0x11;
    return avps_pc_true(pc, "the pointer shows the guest's memory",
                        last_is_shown && ptr[0] == 0x11U);
}

static bool translates(struct avps_pc *pc, avps_gpa gpa, uint64_t wish)
{
    const uint64_t room = extent_of(pc, gpa);
    uint64_t len = wish;
    uint8_t *ptr = NULL;
    const enum avps_status status =
        translate(pc, gpa, (enum avps_access)avps_pc_span_of(pc, gpa)->access, &len, &ptr);

    return avps_pc_gave(pc, "status of translate", status, AVPS_OK) &&
           avps_pc_true(pc, "translate gives a pointer", ptr != NULL) &&
           avps_pc_true(pc, "the length is at least 1", len != 0U) &&
           avps_pc_true(pc, "the length is at most the wish", len <= wish) &&
           avps_pc_true(pc, "the length ends where memory ends", len <= room) &&
           is_guest_at(pc, gpa, len, ptr);
}

static void translates_all(struct avps_pc *pc, avps_gpa gpa)
{
    static const uint64_t wishes[] = {1, 2, 7, 4096, 4097, UINT32_MAX, UINT64_C(1) << 40};

    for (size_t w = 0; w < PC_COUNT_OF(wishes) && pc->what == NULL; w++) {
        (void)translates(pc, gpa, wishes[w]);
    }
}

static void case_translate(struct avps_pc *pc)
{
    for (uint32_t i = 0; i < pc->target->span_count; i++) {
        const struct avps_pc_span *span = &pc->target->spans[i];
        const uint64_t places[] = {0, 1, span->size / 2U, span->size - 2U, span->size - 1U};

        for (size_t p = 0; p < PC_COUNT_OF(places); p++) {
            translates_all(pc, span->gpa + places[p]);
        }
    }
}

static void case_translate_lasts(struct avps_pc *pc)
{
    const avps_gpa gpa = pc->work + PC_SCRATCH;
    uint64_t len = 16;
    uint8_t *ptr = NULL;

    if (pc->mem.ops->pin != NULL) {
        pc->why_skipped = "pin takes the place of this";
        return;
    }
    if (!avps_pc_gave(pc, "status of translate", translate(pc, gpa, AVPS_ACCESS_RW, &len, &ptr),
                      AVPS_OK)) {
        return;
    }
    for (uint32_t off = 0; off < PC_SCRATCH_SIZE; off += 512U) {
        uint64_t other_len = 512;
        uint8_t *other = NULL;

        (void)translate(pc, gpa + off, AVPS_ACCESS_RW, &other_len, &other);
    }
    (void)is_guest_at(pc, gpa, 1, ptr);
}

/* ---- map and unmap ---- */

enum avps_status avps_pc_map(struct avps_pc *pc, uint32_t count, uint32_t readable,
                             uint64_t *handle)
{
    uint32_t tries = 0;
    enum avps_status status = AVPS_OK;

    do {
        status = pc->mem.ops->map(pc->mem.ctx, pc->segs, count, readable, handle);
    } while (avps_pc_again(pc, status, &tries));
    return status;
}

void avps_pc_unmap(struct avps_pc *pc, uint64_t handle, uint32_t count)
{
    pc->mem.ops->unmap(pc->mem.ctx, handle, pc->segs, count);
}

/* A piece of the scratch area. */
static struct avps_seg piece(const struct avps_pc *pc, uint32_t off, uint32_t len)
{
    return (struct avps_seg){.gpa = pc->work + PC_SCRATCH + off, .len = len};
}

static void case_map_fills(struct avps_pc *pc)
{
    static const struct {
        uint32_t off;
        uint32_t len;
    } pieces[] = {{0, 1}, {4000, 5000}, {9001, 16}, {12288, 4096}, {17000, 333}, {20479, 2}};
    const uint32_t count = PC_COUNT_OF(pieces);
    const uint32_t readable = 3;
    uint64_t handle = 0;

    for (uint32_t i = 0; i < count; i++) {
        pc->segs[i] = piece(pc, pieces[i].off, pieces[i].len);
        avps_pc_fill(pc, pc->segs[i].gpa, pc->segs[i].len, 9);
    }
    if (!avps_pc_gave(pc, "status of map", avps_pc_map(pc, count, readable, &handle), AVPS_OK)) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct avps_seg *seg = &pc->segs[i];

        if (!avps_pc_true(pc, "map gives every segment a pointer", seg->ptr != NULL)) {
            break;
        }
        if (i < readable) {
            avps_pc_true(pc, "a readable segment shows the guest's bytes",
                         avps_pc_bytes_are(seg->ptr, seg->gpa, seg->len, 9));
        } else {
            avps_pc_make(seg->ptr, seg->gpa, seg->len, 10);
        }
    }
    avps_pc_unmap(pc, handle, count);
    for (uint32_t i = readable; i < count && pc->what == NULL; i++) {
        avps_pc_true(pc, "what was written is the guest's after unmap",
                     avps_pc_holds(pc, pc->segs[i].gpa, pc->segs[i].len, 10));
    }
}

/* Two good segments, then one that must be refused. */
static void refuses_all(struct avps_pc *pc, avps_gpa bad, enum avps_status want)
{
    const uint32_t before = avps_pc_mapped(pc);
    uint64_t handle = 0;

    pc->segs[0] = piece(pc, 0, 64);
    pc->segs[1] = piece(pc, 8192, 64);
    pc->segs[2] = (struct avps_seg){.gpa = bad, .len = 64};
    avps_pc_refused(pc, "status of map with a bad last segment", avps_pc_map(pc, 3, 1, &handle),
                    want);
    avps_pc_equal(pc, "mappings held after a refused map", avps_pc_mapped(pc), before);
}

static avps_gpa hole(const struct avps_pc *pc)
{
    const struct avps_pc_span *last = &pc->target->spans[pc->target->span_count - 1U];
    const avps_gpa behind = last->gpa + last->size;

    return behind != 0U && behind <= UINT64_MAX - 8192U ? behind : pc->target->spans[0].gpa - 4096U;
}

static void case_map_all_or_nothing(struct avps_pc *pc)
{
    for (uint32_t i = 0; i < 20U && pc->what == NULL; i++) {
        refuses_all(pc, hole(pc), AVPS_E_GUEST_ADDR);
    }
}

static void case_map_read_only(struct avps_pc *pc)
{
    for (uint32_t i = 0; i < pc->target->span_count; i++) {
        if (pc->target->spans[i].access == AVPS_ACCESS_READ) {
            refuses_all(pc, pc->target->spans[i].gpa, AVPS_E_GUEST_ACCESS);
        }
    }
}

/* A piece that is mapped while others come and go. */
static void case_unmap_own(struct avps_pc *pc)
{
    const uint32_t before = avps_pc_mapped(pc);
    struct avps_seg first;
    struct avps_seg second;
    uint64_t handles[2] = {0, 0};

    pc->segs[0] = piece(pc, 0, 256);
    avps_pc_fill(pc, pc->segs[0].gpa, 256, 11);
    if (!avps_pc_gave(pc, "status of map", avps_pc_map(pc, 1, 1, &handles[0]), AVPS_OK)) {
        return;
    }
    first = pc->segs[0];
    pc->segs[0] = piece(pc, 128, 256); /* overlaps: guests do that */
    if (!avps_pc_gave(pc, "status of map", avps_pc_map(pc, 1, 0, &handles[1]), AVPS_OK)) {
        return;
    }
    second = pc->segs[0];
    pc->segs[0] = first;
    avps_pc_unmap(pc, handles[0], 1);
    if (pc->target->mapped != NULL) {
        avps_pc_true(pc, "the other mapping is still held", avps_pc_mapped(pc) > before);
    }
    avps_pc_make(second.ptr, second.gpa, 256, 12);
    pc->segs[0] = second;
    avps_pc_unmap(pc, handles[1], 1);
    avps_pc_true(pc, "what was written through the other mapping is the guest's",
                 avps_pc_holds(pc, second.gpa, 256, 12));
    avps_pc_equal(pc, "mappings held after unmap", avps_pc_mapped(pc), before);
}

static void case_unmap_all(struct avps_pc *pc)
{
    const uint32_t before = avps_pc_mapped(pc);

    for (uint32_t i = 0; i < 1000U; i++) {
        uint64_t handle = 0;

        for (uint32_t s = 0; s < 8U; s++) {
            pc->segs[s] = piece(pc, s * 4000U + i % 64U, 64);
        }
        if (!avps_pc_gave(pc, "status of map", avps_pc_map(pc, 8, 4, &handle), AVPS_OK)) {
            return;
        }
        avps_pc_unmap(pc, handle, 8);
    }
    avps_pc_equal(pc, "mappings held after a thousand", avps_pc_mapped(pc), before);
}

static void case_map_long(struct avps_pc *pc)
{
    const uint32_t count = PC_COUNT_OF(pc->segs);
    uint64_t handle = 0;

    for (uint32_t i = 0; i < count; i++) {
        pc->segs[i] = piece(pc, i * 509U, 3);
        avps_pc_fill(pc, pc->segs[i].gpa, 3, 13);
    }
    if (!avps_pc_gave(pc, "status of map", avps_pc_map(pc, count, count, &handle), AVPS_OK)) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        avps_pc_true(pc, "every segment shows the guest's bytes",
                     pc->segs[i].ptr != NULL &&
                         avps_pc_bytes_are(pc->segs[i].ptr, pc->segs[i].gpa, 3, 13));
    }
    avps_pc_unmap(pc, handle, count);
}

/* ---- pin ---- */

static enum avps_status pin(struct avps_pc *pc, avps_gpa gpa, uint64_t len, enum avps_access access,
                            uint8_t **ptr)
{
    uint32_t tries = 0;
    enum avps_status status = AVPS_OK;

    do {
        *ptr = NULL;
        status = pc->mem.ops->pin(pc->mem.ctx, gpa, len, access, ptr);
    } while (avps_pc_again(pc, status, &tries));
    return status;
}

static void unpin(struct avps_pc *pc, avps_gpa gpa, uint64_t len, uint8_t *ptr)
{
    if (pc->mem.ops->unpin != NULL) {
        pc->mem.ops->unpin(pc->mem.ctx, gpa, len, ptr);
    }
}

/* Both sides write and see it at once: rings are shared, not copied. */
static bool is_shared(struct avps_pc *pc, avps_gpa gpa, uint8_t *ptr)
{
    uint8_t *guest = avps_pc_guest(pc, gpa);

    avps_arch_store16_release(guest, 0x1234);
    const uint16_t seen = avps_arch_load16_acquire(ptr);

    avps_arch_store16_release(ptr, 0x4321);
    return avps_pc_equal(pc, "what the guest wrote, by the pin", seen, 0x1234) &&
           avps_pc_equal(pc, "what was written by the pin, for the guest",
                         avps_arch_load16_acquire(guest), 0x4321);
}

/* Other use of memory meanwhile. */
static void use_memory(struct avps_pc *pc)
{
    for (uint32_t i = 0; i < 64U; i++) {
        const avps_gpa gpa = pc->work + PC_SCRATCH + (uint64_t)i * 500U;

        (void)avps_pc_read(pc, gpa, pc->bytes, 64);
        (void)avps_pc_write(pc, gpa, pc->bytes, 64);
    }
}

/* Three areas, two of them in one page, as a driver may lay out a ring. */
#define PINS      3U
#define PIN_BYTES 70U

static const uint32_t pin_offs[PINS] = {0, 256, 8192};

static bool pin_all(struct avps_pc *pc, uint8_t *ptrs[PINS])
{
    for (uint32_t i = 0; i < PINS; i++) {
        const enum avps_status status =
            pin(pc, pc->work + pin_offs[i], PIN_BYTES, AVPS_ACCESS_RW, &ptrs[i]);

        if (!avps_pc_gave(pc, "status of pin", status, AVPS_OK) ||
            !avps_pc_true(pc, "pin gives a pointer", ptrs[i] != NULL)) {
            return false;
        }
    }
    return true;
}

/* One after the other is undone; those that are left stay good. */
static void case_pin_shared(struct avps_pc *pc)
{
    const uint32_t before = avps_pc_mapped(pc);
    uint8_t *ptrs[PINS] = {NULL, NULL, NULL};

    if (!pin_all(pc, ptrs)) {
        return;
    }
    use_memory(pc);
    for (uint32_t i = 0; i < PINS; i++) {
        for (uint32_t k = i; k < PINS && pc->what == NULL; k++) {
            (void)is_shared(pc, pc->work + pin_offs[k], ptrs[k]);
        }
        unpin(pc, pc->work + pin_offs[i], PIN_BYTES, ptrs[i]);
    }
    avps_pc_equal(pc, "mappings held after unpin", avps_pc_mapped(pc), before);
}

static void case_pin_refuses(struct avps_pc *pc)
{
    const uint32_t before = avps_pc_mapped(pc);
    const struct avps_pc_span *last = &pc->target->spans[pc->target->span_count - 1U];
    const avps_gpa end = last->gpa + last->size;
    uint8_t *ptr = NULL;

    avps_pc_refused(pc, "status of pin where no memory is",
                    pin(pc, hole(pc), 64, AVPS_ACCESS_RW, &ptr), AVPS_E_GUEST_ADDR);
    if (end != 0U && (last->access & AVPS_ACCESS_READ) != 0U) {
        avps_pc_refused(pc, "status of pin that leaves memory",
                        pin(pc, end - 16U, 32, AVPS_ACCESS_READ, &ptr), AVPS_E_GUEST_ADDR);
    }
    avps_pc_equal(pc, "mappings held after refused pins", avps_pc_mapped(pc), before);
}

static void case_pin_read_only(struct avps_pc *pc)
{
    for (uint32_t i = 0; i < pc->target->span_count; i++) {
        uint8_t *ptr = NULL;

        if (pc->target->spans[i].access == AVPS_ACCESS_READ) {
            avps_pc_gave(pc, "status of pin",
                         pin(pc, pc->target->spans[i].gpa, 64, AVPS_ACCESS_RW, &ptr),
                         AVPS_E_GUEST_ACCESS);
        }
    }
}

/* ---- dirty log ---- */

static bool is_dirty(const struct avps_pc *pc, avps_gpa gpa)
{
    return pc->target->dirty(pc->target->ctx, gpa);
}

static void case_dirty(struct avps_pc *pc)
{
    const uint64_t page = pc->target->dirty_page;
    const avps_gpa gpa = pc->work + PC_SCRATCH;

    if (page == 0U || PC_SCRATCH_SIZE / page < 4U) {
        pc->why_skipped = "pages of the log are too large for this";
        return;
    }
    for (uint32_t i = 0; i < 4U; i++) {
        (void)is_dirty(pc, gpa + i * page);
    }
    pc->mem.ops->dirty(pc->mem.ctx, gpa + 2U * page - 1U, 2); /* the last and the first byte */
    avps_pc_true(pc, "the page before is not marked", !is_dirty(pc, gpa));
    avps_pc_true(pc, "the page of the first byte is marked", is_dirty(pc, gpa + page));
    avps_pc_true(pc, "the page of the last byte is marked", is_dirty(pc, gpa + 2U * page));
    avps_pc_true(pc, "the page behind is not marked", !is_dirty(pc, gpa + 3U * page));
    pc->mem.ops->dirty(pc->mem.ctx, gpa + page, page);
    avps_pc_true(pc, "a full page is marked", is_dirty(pc, gpa + page));
    avps_pc_true(pc, "and only that", !is_dirty(pc, gpa + 2U * page));
}

static void case_dirty_by_write(struct avps_pc *pc)
{
    const avps_gpa gpa = pc->work + PC_SCRATCH + 123U;

    (void)is_dirty(pc, gpa);
    avps_pc_make(pc->bytes, gpa, 32, 14);
    avps_pc_gave(pc, "status of a write", avps_mem_write(&pc->mem, gpa, pc->bytes, 32), AVPS_OK);
    avps_pc_true(pc, "a page that was written is marked", is_dirty(pc, gpa));
}

/* ---- cache hooks ---- */

/* Hooks are given the bytes of a request, which share cache lines with others. */
static void case_cache_neighbours(struct avps_pc *pc)
{
    const avps_gpa gpa = pc->work + PC_SCRATCH;
    uint64_t len = 4096;
    uint8_t *ptr = NULL;
    uint32_t index = 0;

    while (index < pc->mem.region_count &&
           (gpa < pc->mem.regions[index].gpa ||
            gpa - pc->mem.regions[index].gpa >= pc->mem.regions[index].size)) {
        index++;
    }
    if (index < pc->mem.region_count) {
        ptr = pc->mem.regions[index].host + (gpa - pc->mem.regions[index].gpa);
    } else if (pc->mem.ops->translate == NULL ||
               translate(pc, gpa, AVPS_ACCESS_RW, &len, &ptr) != AVPS_OK) {
        pc->why_skipped = "memory has no lasting host address";
        return;
    }
    for (uint32_t off = 0; off < 200U; off += 7U) {
        avps_pc_make(ptr, gpa, 512, 15 + off);
        pc->mem.ops->cache_inval(pc->mem.ctx, ptr + 100U + off, 33);
        pc->mem.ops->cache_clean(pc->mem.ctx, ptr, 512);
        avps_pc_true(pc, "bytes beside those dropped are still written back",
                     avps_pc_holds(pc, gpa, 100U + off, 15 + off) &&
                         avps_pc_holds(pc, gpa + 133U + off, 379U - off, 15 + off));
    }
}

static const struct pc_case cases[] = {
    {"translate clips the length to what is contiguous", "avps/mem.h: avps_mem_ops.translate",
     PC_TRANSLATE, case_translate},
    {"an address that translate gave stays good", "avps/mem.h: avps_mem_ops.pin", PC_TRANSLATE,
     case_translate_lasts},
    {"map fills every segment with its own memory", "avps/mem.h: avps_mem_ops.map", PC_MAP,
     case_map_fills},
    {"map is all or nothing", "avps/mem.h: avps_mem_ops.map", PC_MAP, case_map_all_or_nothing},
    {"map does not open memory for writing that is not", "avps/mem.h: avps_mem_ops.map",
     PC_MAP | PC_READ_ONLY, case_map_read_only},
    {"map takes a long chain", "avps/mem.h: avps_mem_ops.map", PC_MAP, case_map_long},
    {"unmap undoes its own mapping only", "avps/mem.h: avps_mem_ops.unmap", PC_MAP, case_unmap_own},
    {"after many maps and unmaps nothing is left", "avps/mem.h: avps_mem_ops.unmap",
     PC_MAP | PC_MAPPED, case_unmap_all},
    {"a pinned area is shared with the guest for as long as it is pinned",
     "avps/mem.h: avps_mem_ops.pin", PC_PIN, case_pin_shared},
    {"pin refuses what is not memory", "avps/mem.h: avps_mem_ops.pin", PC_PIN, case_pin_refuses},
    {"pin does not open memory for writing that is not", "avps/mem.h: avps_mem_ops.pin",
     PC_PIN | PC_READ_ONLY, case_pin_read_only},
    {"the log marks the pages that were written and no others", "avps/mem.h: avps_mem_ops.dirty",
     PC_DIRTY, case_dirty},
    {"a write by the device is in the log", "avps/mem.h: avps_mem_ops.dirty", PC_DIRTY,
     case_dirty_by_write},
    {"dropping cache lines loses nothing beside them", "avps/mem.h: avps_mem_ops.cache_inval",
     PC_CACHE, case_cache_neighbours},
};

const struct pc_group avps_pc_mem_ops_group = {cases, PC_COUNT_OF(cases)};
