/* SPDX-License-Identifier: BSD-3-Clause */
/* The IOTLB by itself: arguments -> translation -> questions -> users and invalidation -> room ->
 * hooks -> a long random history against a table of pages. Devices on it are in test_late.c. */
#include <stdlib.h>

#include "support/iommu.h"
#include "support/queue.h"

#define PAGE  UINT64_C(4096)
#define PAGES 64U
#define BASE  UINT64_C(0x10000) /* of the memory below */

/* ---- fixture ---- */

struct fixture {
    uint8_t host[PAGES * 4096U];
    struct avps_mem_region region;
    struct avps_iotlb_ops ops;
    struct avps_iotlb tlb;
    struct avps_mem mem;
    struct avps_iotlb_entry entries[16];
    struct avps_iotlb_question questions[4];
    unsigned int asked;
    unsigned int wakes;
    unsigned int released;
    avps_gpa asked_iova;
    avps_gpa released_iova;
    enum avps_status answer;
    struct avps_iotlb_range given; /* with AVPS_OK */
    avps_gpa dirty[8];
    uint64_t dirty_len[8];
    unsigned int dirties;
    unsigned int cleans;
    unsigned int invals;
};

static struct fixture f;

static enum avps_status on_lookup(void *ctx, avps_gpa iova, enum avps_access access,
                                  struct avps_iotlb_range *range)
{
    assert_ptr_equal(ctx, &f);
    assert_true(access != 0);
    f.asked++;
    f.asked_iova = iova;
    *range = f.given;
    return f.answer;
}

static void on_wake(void *ctx)
{
    assert_ptr_equal(ctx, &f);
    f.wakes++;
}

static void on_released(void *ctx, avps_gpa iova, uint64_t size)
{
    assert_ptr_equal(ctx, &f);
    assert_true(size != 0U);
    f.released++;
    f.released_iova = iova;
}

static void on_dirty(void *ctx, avps_gpa gpa, uint64_t len)
{
    assert_ptr_equal(ctx, &f);
    assert_true(f.dirties < 8U);
    f.dirty[f.dirties] = gpa;
    f.dirty_len[f.dirties++] = len;
}

static void on_clean(void *ctx, const uint8_t *ptr, size_t len)
{
    assert_true(ctx == &f && ptr >= f.host && len != 0U);
    f.cleans++;
}

static void on_inval(void *ctx, const uint8_t *ptr, size_t len)
{
    assert_true(ctx == &f && ptr >= f.host && len != 0U);
    f.invals++;
}

static const struct avps_iotlb_ops all_ops = {
    .lookup = on_lookup, .wake = on_wake, .released = on_released};

static struct avps_iotlb_config fixture_config(void)
{
    const struct avps_iotlb_config config = {.regions = &f.region,
                                             .region_count = 1,
                                             .entries = f.entries,
                                             .entry_count = 16,
                                             .questions = f.questions,
                                             .question_count = 4,
                                             .ops = &f.ops,
                                             .ctx = &f};
    return config;
}

/* `hooks`: NULL, or more ops. */
static void fixture_init(const struct avps_iotlb_ops *hooks, uint32_t entries)
{
    struct avps_iotlb_config config = fixture_config();

    (void)memset(&f, 0, sizeof f);
    f.answer = AVPS_AGAIN;
    f.region = (struct avps_mem_region){BASE, sizeof f.host, f.host, AVPS_ACCESS_RW};
    f.ops = all_ops;
    if (hooks != NULL) {
        f.ops.dirty = hooks->dirty;
        f.ops.cache_clean = hooks->cache_clean;
        f.ops.cache_inval = hooks->cache_inval;
    }
    config.entry_count = entries;
    assert_int_equal(avps_iotlb_init(&f.tlb, &config), AVPS_OK);
    assert_int_equal(avps_iotlb_mem(&f.tlb, &f.mem), AVPS_OK);
}

static enum avps_status update(avps_gpa iova, uint64_t size, avps_gpa gpa, uint32_t access)
{
    const struct avps_iotlb_range range = {iova, size, gpa, access};

    return avps_iotlb_update(&f.tlb, &range);
}

/* What the device's memory gives for an address. */
static enum avps_status translate(avps_gpa iova, enum avps_access access, uint64_t *len,
                                  const uint8_t **at)
{
    uint8_t *ptr = NULL;
    const enum avps_status status = f.mem.ops->translate(f.mem.ctx, iova, access, len, &ptr);

    *at = ptr;
    return status;
}

static void expect_at(avps_gpa iova, uint64_t wanted, uint64_t len, uint64_t off)
{
    const uint8_t *at = NULL;

    assert_int_equal(translate(iova, AVPS_ACCESS_READ, &wanted, &at), AVPS_OK);
    assert_int_equal(wanted, len);
    assert_ptr_equal(at, f.host + off);
}

static enum avps_status look(avps_gpa iova, enum avps_access access)
{
    uint64_t len = 1;
    const uint8_t *at = NULL;

    return translate(iova, access, &len, &at);
}

/* A chain of one segment. */
static uint64_t map(struct avps_seg *seg, avps_gpa iova, uint32_t len)
{
    uint64_t room = len;
    uint64_t handle = 0;
    uint8_t *ptr = NULL;

    assert_int_equal(f.mem.ops->translate(f.mem.ctx, iova, AVPS_ACCESS_READ, &room, &ptr), AVPS_OK);
    assert_int_equal(room, len);
    *seg = (struct avps_seg){ptr, iova, len};
    assert_int_equal(f.mem.ops->map(f.mem.ctx, seg, 1, 1, &handle), AVPS_OK);
    return handle;
}

static void unmap(const struct avps_seg *seg, uint64_t handle)
{
    f.mem.ops->unmap(f.mem.ctx, handle, seg, 1);
}

/* ---- arguments ---- */

static void test_iotlb_refuses_bad_configurations(void **state)
{
    static const struct avps_iotlb_ops none = {.wake = on_wake};
    struct avps_mem_region empty = {BASE, 0, f.host, AVPS_ACCESS_RW};
    struct avps_mem mem;
    struct avps_iotlb tlb;

    (void)state;
    fixture_init(NULL, 16);
    struct avps_iotlb_config bad[9];
    for (size_t i = 0; i < 9U; i++) {
        bad[i] = fixture_config();
        assert_int_equal(avps_iotlb_init(&tlb, &bad[i]), AVPS_OK);
    }
    bad[0].regions = NULL;
    bad[1].entries = NULL;
    bad[2].entry_count = 0;
    bad[3].questions = NULL;
    bad[4].question_count = 0;
    bad[5].ops = NULL;
    bad[6].ops = &none;
    bad[7].region_count = 0;
    bad[8].regions = &empty;
    for (size_t i = 0; i < 9U; i++) {
        assert_int_equal(avps_iotlb_init(&tlb, &bad[i]), AVPS_E_PARAM);
    }
    assert_int_equal(avps_iotlb_init(NULL, &bad[0]), AVPS_E_PARAM);
    assert_int_equal(avps_iotlb_init(&tlb, NULL), AVPS_E_PARAM);
    assert_int_equal(avps_iotlb_mem(NULL, &mem), AVPS_E_PARAM);
    assert_int_equal(avps_iotlb_mem(&tlb, NULL), AVPS_E_PARAM);
    assert_int_equal(avps_iotlb_clear(NULL), AVPS_E_PARAM);
}

/* I2: empty, over the end of either address space, or good for nothing */
static void test_iotlb_refuses_bad_ranges(void **state)
{
    (void)state;
    fixture_init(NULL, 16);
    assert_int_equal(update(0, 0, BASE, 3), AVPS_E_PARAM);
    assert_int_equal(update(UINT64_MAX, 2, BASE, 3), AVPS_E_PARAM);
    assert_int_equal(update(0, 2, UINT64_MAX, 3), AVPS_E_PARAM);
    assert_int_equal(update(0, PAGE, BASE, 0), AVPS_E_PARAM);
    assert_int_equal(update(0, PAGE, BASE, 4), AVPS_E_PARAM);
    assert_int_equal(avps_iotlb_update(NULL, &(struct avps_iotlb_range){0, 1, 0, 1}), AVPS_E_PARAM);
    assert_int_equal(avps_iotlb_update(&f.tlb, NULL), AVPS_E_PARAM);
    assert_int_equal(avps_iotlb_invalidate(&f.tlb, 0, 0), AVPS_E_PARAM);
    assert_int_equal(avps_iotlb_invalidate(&f.tlb, 1, UINT64_MAX), AVPS_OK);
    assert_int_equal(avps_iotlb_invalidate(&f.tlb, 2, UINT64_MAX), AVPS_E_PARAM);
    assert_int_equal(avps_iotlb_invalidate(NULL, 0, 1), AVPS_E_PARAM);
    assert_int_equal(avps_iotlb_refuse(&f.tlb, 0, 0), AVPS_E_PARAM);
    assert_int_equal(avps_iotlb_refuse(NULL, 0, 1), AVPS_E_PARAM);
    assert_int_equal(f.tlb.count, 0);
}

/* ---- translation ---- */

/* Over the ends of entries as long as the memory below goes on, and no further. */
static void test_iotlb_gives_what_is_contiguous(void **state)
{
    (void)state;
    fixture_init(NULL, 16);
    assert_int_equal(update(0x5000, PAGE, BASE + 0x1000, 3), AVPS_OK);
    assert_int_equal(update(0x6000, PAGE, BASE + 0x2000, 3), AVPS_OK);
    assert_int_equal(update(0x7000, PAGE, BASE + 0x3000, 2), AVPS_OK); /* not to be read */
    assert_int_equal(update(0x9000, PAGE, BASE + 0x5000, 3), AVPS_OK); /* a hole before it */
    assert_int_equal(update(0xa000, PAGE, BASE + 0x7000, 3), AVPS_OK); /* elsewhere */
    assert_int_equal(update(0xb000, PAGE, BASE + PAGES * PAGE - 16U, 3), AVPS_OK);
    expect_at(0x5010, 16, 16, 0x1010);
    expect_at(0x5ff0, 0x100, 0x100, 0x1ff0);
    expect_at(0x5010, 0x100000, 0x1ff0, 0x1010);
    expect_at(0x9ff8, 0x100, 8, 0x5ff8);
    expect_at(0xb000, 0x100, 16, PAGES * PAGE - 16U); /* the memory ends before its entry */
    assert_int_equal(look(0x7000, AVPS_ACCESS_READ), AVPS_E_GUEST_ACCESS);
    assert_int_equal(look(0x7000, AVPS_ACCESS_WRITE), AVPS_OK);
    assert_int_equal(look(0xb010, AVPS_ACCESS_READ), AVPS_E_GUEST_ADDR);
    assert_int_equal(f.asked, 0);
}

static void test_iotlb_reaches_the_end_of_both_address_spaces(void **state)
{
    (void)state;
    fixture_init(NULL, 16);
    assert_int_equal(update(0, PAGE, BASE, 3), AVPS_OK);
    assert_int_equal(update(PAGE, 0U - PAGE, BASE + PAGE, 3), AVPS_E_PARAM); /* wraps below */
    assert_int_equal(update(PAGE, 0U - PAGE - BASE, BASE + PAGE, 3), AVPS_OK);
    expect_at(16, UINT64_MAX, PAGES * PAGE - 16U, 16);
    assert_int_equal(update(UINT64_MAX, 1, BASE + 7U, 3), AVPS_OK);
    expect_at(UINT64_MAX, 1, 1, 7);
    assert_int_equal(avps_iotlb_invalidate(&f.tlb, UINT64_MAX, 1), AVPS_OK);
    assert_int_equal(look(UINT64_MAX, AVPS_ACCESS_READ), AVPS_AGAIN);
}

/* What an update overlaps goes as a whole. */
static void test_iotlb_update_replaces_what_it_overlaps(void **state)
{
    (void)state;
    fixture_init(NULL, 16);
    assert_int_equal(update(0x5000, 2U * PAGE, BASE, 3), AVPS_OK);
    assert_int_equal(update(0x8000, PAGE, BASE, 3), AVPS_OK);
    assert_int_equal(update(0x6000, PAGE, BASE + 0x8000, 3), AVPS_OK);
    assert_int_equal(look(0x5000, AVPS_ACCESS_READ), AVPS_AGAIN);
    expect_at(0x6000, 8, 8, 0x8000);
    expect_at(0x8000, 8, 8, 0);
    assert_int_equal(avps_iotlb_clear(&f.tlb), AVPS_OK);
    assert_int_equal(f.tlb.count, 0);
    assert_int_equal(look(0x8000, AVPS_ACCESS_READ), AVPS_AGAIN);
}

/* ---- questions ---- */

static void test_iotlb_asks_once_for_each_access(void **state)
{
    (void)state;
    fixture_init(NULL, 16);
    assert_int_equal(look(0x5000, AVPS_ACCESS_READ), AVPS_AGAIN);
    assert_int_equal(look(0x5000, AVPS_ACCESS_READ), AVPS_AGAIN);
    assert_int_equal(f.asked, 1);
    assert_int_equal(look(0x5000, AVPS_ACCESS_RW), AVPS_AGAIN);
    assert_int_equal(look(0x5000, AVPS_ACCESS_WRITE), AVPS_AGAIN); /* is part of it */
    assert_int_equal(f.asked, 2);
    assert_int_equal(update(0x4000, 2U * PAGE, BASE, 3), AVPS_OK); /* answers both */
    assert_int_equal(f.wakes, 1);
    assert_int_equal(f.tlb.question_count, 0);
    assert_int_equal(update(0x4000, 2U * PAGE, BASE, 3), AVPS_OK); /* nobody waits */
    assert_int_equal(f.wakes, 1);
}

static void test_iotlb_takes_an_answer_at_once(void **state)
{
    (void)state;
    fixture_init(NULL, 16);
    f.answer = AVPS_OK;
    f.given = (struct avps_iotlb_range){0x5000, PAGE, BASE, 3};
    expect_at(0x5004, 8, 8, 4);
    expect_at(0x5008, 8, 8, 8);
    assert_int_equal(f.asked, 1);
    assert_int_equal(look(0x6000, AVPS_ACCESS_READ), AVPS_E_IO); /* an answer to something else */
    f.given.size = 0;
    assert_int_equal(look(0x6000, AVPS_ACCESS_READ), AVPS_E_IO);
    f.given = (struct avps_iotlb_range){0x6000, PAGE, BASE, 0};
    assert_int_equal(look(0x6000, AVPS_ACCESS_READ), AVPS_E_PARAM);
    f.answer = AVPS_E_GUEST_ADDR;
    assert_int_equal(look(0x6000, AVPS_ACCESS_READ), AVPS_E_GUEST_ADDR);
    f.answer = AVPS_E_IO;
    assert_int_equal(look(0x6000, AVPS_ACCESS_READ), AVPS_E_IO);
    assert_int_equal(f.tlb.question_count, 0);
    assert_int_equal(avps_iotlb_counters(&f.tlb)->refused, 1);
    assert_int_equal(avps_iotlb_counters(&f.tlb)->misses, 6);
}

/* A refusal is met once, and not by who comes after an invalidation or an update. */
static void test_iotlb_refusal_is_met_once(void **state)
{
    (void)state;
    fixture_init(NULL, 16);
    assert_int_equal(avps_iotlb_refuse(&f.tlb, 0x5000, PAGE), AVPS_EMPTY);
    assert_int_equal(f.wakes, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(look(0x5008, AVPS_ACCESS_READ), AVPS_AGAIN);
        assert_int_equal(avps_iotlb_refuse(&f.tlb, 0x5000, PAGE), AVPS_OK);
        assert_int_equal(f.wakes, i + 1);
        if (i == 0) {
            assert_int_equal(look(0x5008, AVPS_ACCESS_READ), AVPS_E_GUEST_ADDR);
        } else if (i == 1) {
            assert_int_equal(avps_iotlb_invalidate(&f.tlb, 0x5000, 16), AVPS_OK);
        } else {
            assert_int_equal(avps_iotlb_clear(&f.tlb), AVPS_OK);
        }
    }
    assert_int_equal(look(0x5008, AVPS_ACCESS_READ), AVPS_AGAIN);
    assert_int_equal(f.asked, 4);
    assert_int_equal(avps_iotlb_invalidate(&f.tlb, 0, UINT64_MAX), AVPS_OK);
    assert_int_equal(look(0x5008, AVPS_ACCESS_READ), AVPS_AGAIN); /* an open question stays one */
    assert_int_equal(f.asked, 4);
}

/* The oldest question makes room; it is asked again when it is missed again. */
static void test_iotlb_forgets_the_oldest_question(void **state)
{
    (void)state;
    fixture_init(NULL, 16);
    for (uint64_t i = 0; i < 5U; i++) {
        assert_int_equal(look(i * PAGE, AVPS_ACCESS_READ), AVPS_AGAIN);
    }
    assert_int_equal(f.asked, 5);
    assert_int_equal(look(4U * PAGE, AVPS_ACCESS_READ), AVPS_AGAIN);
    assert_int_equal(f.asked, 5);
    assert_int_equal(look(0, AVPS_ACCESS_READ), AVPS_AGAIN);
    assert_int_equal(f.asked, 6);
    assert_int_equal(f.asked_iova, 0);
    assert_int_equal(f.tlb.question_count, 4);
}

/* ---- users and invalidation ---- */

static void test_iotlb_invalidation_waits_for_each_user(void **state)
{
    struct avps_seg seg[2];
    uint64_t handle[2];

    (void)state;
    fixture_init(NULL, 16);
    assert_int_equal(update(0x5000, PAGE, BASE, 3), AVPS_OK);
    assert_int_equal(update(0x6000, PAGE, BASE + PAGE, 3), AVPS_OK);
    handle[0] = map(&seg[0], 0x5800, 0x1000); /* uses both */
    handle[1] = map(&seg[1], 0x5000, 8);
    assert_int_equal(avps_iotlb_in_use(&f.tlb), 2);
    assert_int_equal(avps_iotlb_invalidate(&f.tlb, 0x6fff, 1), AVPS_PENDING);
    assert_int_equal(avps_iotlb_invalidate(&f.tlb, 0x5fff, 1), AVPS_PENDING);
    assert_int_equal(avps_iotlb_invalidate(&f.tlb, 0x7000, 1), AVPS_OK);
    assert_int_equal(look(0x5800, AVPS_ACCESS_READ), AVPS_AGAIN);
    unmap(&seg[0], handle[0]);
    assert_int_equal(f.released, 1);
    assert_int_equal(f.released_iova, 0x6000);
    assert_int_equal(avps_iotlb_invalidate(&f.tlb, 0x6000, PAGE), AVPS_OK);
    assert_int_equal(avps_iotlb_invalidate(&f.tlb, 0x5000, PAGE), AVPS_PENDING);
    unmap(&seg[1], handle[1]);
    assert_int_equal(f.released, 2);
    assert_int_equal(avps_iotlb_invalidate(&f.tlb, 0x5000, PAGE), AVPS_OK);
    assert_int_equal(avps_iotlb_counters(&f.tlb)->deferred, 2);
}

/* The same address mapped three times over, each time with a user: each leaves its own. */
static void test_iotlb_users_leave_the_mapping_they_found(void **state)
{
    struct avps_seg seg[3];
    uint64_t handle[3];

    (void)state;
    fixture_init(NULL, 16);
    for (uint64_t i = 0; i < 3U; i++) {
        assert_int_equal(update(0x5000, (i + 1U) * PAGE, BASE + i * PAGE, 3), AVPS_OK);
        handle[i] = map(&seg[i], 0x5000, 16);
        assert_ptr_equal(seg[i].ptr, f.host + i * PAGE);
    }
    assert_int_equal(avps_iotlb_in_use(&f.tlb), 3);
    unmap(&seg[1], handle[1]);
    assert_int_equal(f.released, 1);
    unmap(&seg[2], handle[2]);
    assert_int_equal(f.released, 1); /* that one is live */
    assert_int_equal(avps_iotlb_invalidate(&f.tlb, 0x5000, 1), AVPS_PENDING);
    unmap(&seg[0], handle[0]);
    assert_int_equal(f.released, 2);
    assert_int_equal(avps_iotlb_invalidate(&f.tlb, 0x5000, 1), AVPS_OK);
    assert_int_equal(avps_iotlb_in_use(&f.tlb), 0);
}

/* I15: a ring is one piece, over any number of entries. */
static void test_iotlb_pins_an_area_over_several_entries(void **state)
{
    uint8_t *ptr = NULL;
    uint8_t *other = NULL;

    (void)state;
    fixture_init(NULL, 16);
    for (uint64_t i = 0; i < 3U; i++) {
        assert_int_equal(f.mem.ops->pin(f.mem.ctx, 0x5000, 3U * PAGE, AVPS_ACCESS_RW, &ptr),
                         AVPS_AGAIN);
        assert_int_equal(f.asked_iova, 0x5000U + i * PAGE);
        assert_int_equal(update(0x5000U + i * PAGE, PAGE, BASE + i * PAGE, 3), AVPS_OK);
    }
    assert_int_equal(f.mem.ops->pin(f.mem.ctx, 0x5000, 3U * PAGE, AVPS_ACCESS_RW, &ptr), AVPS_OK);
    assert_ptr_equal(ptr, f.host);
    assert_int_equal(avps_iotlb_in_use(&f.tlb), 3);
    assert_int_equal(avps_iotlb_invalidate(&f.tlb, 0x6000, 1), AVPS_PENDING);
    assert_int_equal(update(0x6000, PAGE, BASE + 9U * PAGE, 3), AVPS_OK);
    assert_int_equal(f.mem.ops->pin(f.mem.ctx, 0x5000, 3U * PAGE, AVPS_ACCESS_RW, &other),
                     AVPS_E_GUEST_ADDR); /* not in one piece any more */
    assert_int_equal(f.mem.ops->pin(f.mem.ctx, 0x6000, 16, AVPS_ACCESS_RW, &other), AVPS_OK);
    f.mem.ops->unpin(f.mem.ctx, 0x5000, 3U * PAGE, ptr);
    assert_int_equal(f.released, 1);
    assert_int_equal(avps_iotlb_in_use(&f.tlb), 1);
    f.mem.ops->unpin(f.mem.ctx, 0x6000, 16, other);
    assert_int_equal(avps_iotlb_in_use(&f.tlb), 0);
}

/* ---- room ---- */

/* Only what nobody uses is thrown out, the newest last; a full table says so and gets going again. */
static void test_iotlb_throws_out_what_nobody_uses(void **state)
{
    struct avps_seg seg[4];
    uint64_t handle[4];

    (void)state;
    fixture_init(NULL, 4);
    for (uint64_t i = 0; i < 4U; i++) {
        assert_int_equal(update(i * PAGE, PAGE, BASE + i * PAGE, 3), AVPS_OK);
    }
    handle[0] = map(&seg[0], 0, 8);
    assert_int_equal(update(8U * PAGE, PAGE, BASE, 3), AVPS_OK);
    expect_at(0, 8, 8, 0);
    expect_at(8U * PAGE, 8, 8, 0);
    assert_int_equal(look(PAGE, AVPS_ACCESS_READ), AVPS_AGAIN); /* the next in turn went */
    assert_int_equal(avps_iotlb_counters(&f.tlb)->evicted, 1);
    handle[1] = map(&seg[1], 8U * PAGE, 8);
    handle[2] = map(&seg[2], 2U * PAGE, 8);
    handle[3] = map(&seg[3], 3U * PAGE, 8);
    assert_int_equal(avps_iotlb_invalidate(&f.tlb, 8U * PAGE, 1),
                     AVPS_PENDING); /* takes room, too */
    assert_int_equal(update(PAGE, PAGE, BASE, 3), AVPS_E_NOSPACE);
    assert_int_equal(f.wakes, 1); /* who waited asks again */
    assert_int_equal(look(PAGE, AVPS_ACCESS_READ), AVPS_AGAIN);
    assert_int_equal(f.asked, 2);
    unmap(&seg[1], handle[1]);
    assert_int_equal(f.wakes, 2); /* there is room */
    assert_int_equal(update(PAGE, PAGE, BASE + PAGE, 3), AVPS_OK);
    expect_at(PAGE, 8, 8, PAGE);
    unmap(&seg[0], handle[0]);
    unmap(&seg[2], handle[2]);
    unmap(&seg[3], handle[3]);
    assert_int_equal(f.wakes, 3);
    assert_int_equal(avps_iotlb_counters(&f.tlb)->full, 1);
}

/* An answer inside a walk that takes away what the walk found before: nothing of it is used. */
static void test_iotlb_walk_that_loses_its_own_pieces_is_repeated(void **state)
{
    struct avps_seg seg[2];
    uint64_t handle = 0;
    uint64_t len = 8;

    (void)state;
    fixture_init(NULL, 16);
    assert_int_equal(update(0x5000, PAGE, BASE, 3), AVPS_OK);
    f.answer = AVPS_OK;
    f.given = (struct avps_iotlb_range){0x5000, 2U * PAGE, BASE + 4U * PAGE, 3};
    seg[0] = (struct avps_seg){NULL, 0x5000, 8};
    seg[1] = (struct avps_seg){NULL, 0x6000, 8};
    for (size_t i = 0; i < 2U; i++) {
        assert_int_equal(
            f.mem.ops->translate(f.mem.ctx, seg[i].gpa, AVPS_ACCESS_READ, &len, &seg[i].ptr),
            AVPS_OK);
    }
    assert_ptr_equal(seg[0].ptr, f.host); /* of a translation that is gone */
    assert_int_equal(f.mem.ops->map(f.mem.ctx, seg, 2, 2, &handle), AVPS_AGAIN);
    assert_int_equal(avps_iotlb_in_use(&f.tlb), 0);
    assert_int_equal(f.wakes, 1);
    assert_int_equal(f.mem.ops->translate(f.mem.ctx, 0x5000, AVPS_ACCESS_READ, &len, &seg[0].ptr),
                     AVPS_OK);
    assert_ptr_equal(seg[0].ptr, f.host + 4U * PAGE);
    assert_int_equal(f.mem.ops->map(f.mem.ctx, seg, 2, 2, &handle), AVPS_OK);
    f.mem.ops->unmap(f.mem.ctx, handle, seg, 2);
    assert_int_equal(avps_iotlb_in_use(&f.tlb), 0);
}

static void test_iotlb_does_without_optional_ops(void **state)
{
    struct avps_seg seg;

    (void)state;
    fixture_init(NULL, 16);
    f.ops.wake = NULL;
    f.ops.released = NULL;
    assert_int_equal(look(0x5000, AVPS_ACCESS_READ), AVPS_AGAIN);
    assert_int_equal(update(0x5000, PAGE, BASE, 3), AVPS_OK);
    const uint64_t handle = map(&seg, 0x5000, 8);
    assert_int_equal(avps_iotlb_invalidate(&f.tlb, 0x5000, 1), AVPS_PENDING);
    unmap(&seg, handle);
    assert_int_equal(avps_iotlb_invalidate(&f.tlb, 0x5000, 1), AVPS_OK);
}

/* ---- hooks ---- */

/* Pages are dirty in the memory below: of the mapping that is, and of those still in use. */
static void test_iotlb_reports_dirty_pages_below(void **state)
{
    static const struct avps_iotlb_ops hooks = {.dirty = on_dirty};
    struct avps_seg seg;

    (void)state;
    fixture_init(&hooks, 16);
    assert_non_null(f.mem.ops->dirty);
    assert_null(f.mem.ops->cache_clean);
    assert_int_equal(update(0x5000, PAGE, BASE, 3), AVPS_OK);
    assert_int_equal(update(0x6000, PAGE, BASE + 7U * PAGE, 3), AVPS_OK);
    f.mem.ops->dirty(f.mem.ctx, 0x5ff0, 0x20);
    assert_int_equal(f.dirties, 2);
    assert_int_equal(f.dirty[0], BASE + 0xff0U);
    assert_int_equal(f.dirty_len[0], 0x10);
    assert_int_equal(f.dirty[1], BASE + 7U * PAGE);
    assert_int_equal(f.dirty_len[1], 0x10);
    const uint64_t handle = map(&seg, 0x6004, 8);
    assert_int_equal(update(0x6000, PAGE, BASE + 2U * PAGE, 3), AVPS_OK);
    f.dirties = 0;
    f.mem.ops->dirty(f.mem.ctx, 0x6004, 8);
    assert_int_equal(f.dirties, 2);
    assert_int_equal(f.dirty[0], BASE + 2U * PAGE + 4U);
    assert_int_equal(f.dirty[1], BASE + 7U * PAGE + 4U);
    unmap(&seg, handle);
    f.dirties = 0;
    f.mem.ops->dirty(f.mem.ctx, 0x8000, 8); /* nothing there */
    assert_int_equal(f.dirties, 0);
}

static void test_iotlb_hands_on_cache_hooks(void **state)
{
    static const struct avps_iotlb_ops both = {.cache_clean = on_clean, .cache_inval = on_inval};
    static const struct avps_iotlb_ops clean = {.cache_clean = on_clean, .dirty = on_dirty};
    static const struct avps_iotlb_ops inval = {.cache_inval = on_inval};
    const struct avps_iotlb_ops *const hooks[] = {&both, &clean, &inval};

    (void)state;
    for (size_t i = 0; i < 3U; i++) {
        fixture_init(hooks[i], 16);
        assert_int_equal(update(0x5000, PAGE, BASE, 3), AVPS_OK);
        assert_int_equal(avps_mem_write(&f.mem, 0x5010, "cold", 4), AVPS_OK);
        assert_memory_equal(f.host + 0x10, "cold", 4);
        assert_int_equal(f.cleans, hooks[i]->cache_clean != NULL ? 1 : 0);
        assert_int_equal(f.invals, hooks[i]->cache_inval != NULL ? 1 : 0);
        assert_int_equal(f.dirties, hooks[i]->dirty != NULL ? 1 : 0);
    }
}

/* ---- a long history ---- */

#define USERS 12U

struct model {
    uint64_t page[PAGES]; /* gpa of each iova page; 0: none */
    struct {
        struct avps_seg seg;
        uint64_t handle;
        bool live;
    } user[USERS];
};

static uint32_t pick(uint32_t *seed, uint32_t n)
{
    *seed = *seed * 1664525U + 1013904223U;
    return (*seed >> 8) % n;
}

/* What is known is right; what was forgotten is asked for. */
static void model_check(const struct model *model, uint32_t page)
{
    const uint8_t *at = NULL;
    uint64_t len = 1;
    const enum avps_status status = translate(page * PAGE, AVPS_ACCESS_READ, &len, &at);

    assert_true(status == AVPS_OK || status == AVPS_AGAIN);
    if (status == AVPS_OK) {
        assert_true(model->page[page] != 0U);
        assert_ptr_equal(at, f.host + (model->page[page] - BASE));
    }
}

/* A user comes, or leaves. */
static void model_use(struct model *model, uint32_t n, uint32_t page)
{
    uint64_t len = 16;
    uint8_t *ptr = NULL;

    if (model->user[n].live) {
        assert_int_equal(model->user[n].seg.ptr[0], 0x77); /* nobody took it away */
        unmap(&model->user[n].seg, model->user[n].handle);
        model->user[n].live = false;
    } else if (f.mem.ops->translate(f.mem.ctx, page * PAGE, AVPS_ACCESS_READ, &len, &ptr) ==
               AVPS_OK) {
        model->user[n].seg = (struct avps_seg){ptr, page * PAGE, 16};
        assert_int_equal(
            f.mem.ops->map(f.mem.ctx, &model->user[n].seg, 1, 1, &model->user[n].handle), AVPS_OK);
        model->user[n].live = true;
    }
}

static void test_iotlb_keeps_count_over_a_long_history(void **state)
{
    static struct model model;
    uint32_t seed = 7;

    (void)state;
    fixture_init(NULL, 16);
    (void)memset(f.host, 0x77, sizeof f.host);
    for (int step = 0; step < 200000; step++) {
        const uint32_t page = pick(&seed, PAGES);
        const uint32_t count = 1U + pick(&seed, PAGES - page < 4U ? PAGES - page : 4U);
        const uint64_t gpa = BASE + pick(&seed, PAGES - 4U) * PAGE;
        unsigned int live = 0;

        switch (pick(&seed, 8)) {
        case 0:
        case 1:
        case 2:
            for (uint32_t i = 0; i < count; i++) {
                model.page[page + i] = gpa + i * PAGE;
            }
            (void)!update(page * PAGE, count * PAGE, gpa, 3);
            break;
        case 3:
            (void)!avps_iotlb_invalidate(&f.tlb, page * PAGE, count * PAGE);
            break;
        default:
            model_use(&model, pick(&seed, USERS), page);
            break;
        }
        model_check(&model, pick(&seed, PAGES));
        for (uint32_t i = 0; i < USERS; i++) {
            live += model.user[i].live ? 1U : 0U;
        }
        assert_true((avps_iotlb_in_use(&f.tlb) != 0U) == (live != 0U));
        assert_true(f.tlb.count + f.tlb.dying <= 16U);
    }
    for (uint32_t i = 0; i < USERS; i++) {
        if (model.user[i].live) {
            unmap(&model.user[i].seg, model.user[i].handle);
        }
    }
    assert_int_equal(avps_iotlb_in_use(&f.tlb), 0);
    assert_int_equal(avps_iotlb_clear(&f.tlb), AVPS_OK);
    assert_true(avps_iotlb_counters(&f.tlb)->deferred > 1000U);
    assert_true(avps_iotlb_counters(&f.tlb)->evicted > 1000U);
    assert_true(f.released == avps_iotlb_counters(&f.tlb)->deferred);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_iotlb_refuses_bad_configurations),
        cmocka_unit_test(test_iotlb_refuses_bad_ranges),
        cmocka_unit_test(test_iotlb_gives_what_is_contiguous),
        cmocka_unit_test(test_iotlb_reaches_the_end_of_both_address_spaces),
        cmocka_unit_test(test_iotlb_update_replaces_what_it_overlaps),
        cmocka_unit_test(test_iotlb_asks_once_for_each_access),
        cmocka_unit_test(test_iotlb_takes_an_answer_at_once),
        cmocka_unit_test(test_iotlb_refusal_is_met_once),
        cmocka_unit_test(test_iotlb_forgets_the_oldest_question),
        cmocka_unit_test(test_iotlb_invalidation_waits_for_each_user),
        cmocka_unit_test(test_iotlb_users_leave_the_mapping_they_found),
        cmocka_unit_test(test_iotlb_pins_an_area_over_several_entries),
        cmocka_unit_test(test_iotlb_throws_out_what_nobody_uses),
        cmocka_unit_test(test_iotlb_walk_that_loses_its_own_pieces_is_repeated),
        cmocka_unit_test(test_iotlb_does_without_optional_ops),
        cmocka_unit_test(test_iotlb_reports_dirty_pages_below),
        cmocka_unit_test(test_iotlb_hands_on_cache_hooks),
        cmocka_unit_test(test_iotlb_keeps_count_over_a_long_history),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
