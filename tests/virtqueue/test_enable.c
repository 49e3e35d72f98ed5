/* SPDX-License-Identifier: BSD-3-Clause */
/* Activation of a queue: what is checked before the first access (I14, I15). */
#include "support/queue.h"

/* Enabling with the present config must fail so; nothing is pinned, touched or live. */
static void expect_refused(struct test_vq *q, enum avps_status status)
{
    bool flag = true;

    test_mem_freeze(&q->mem);
    assert_int_equal(avps_vq_enable(&q->vq, &q->mem.handle, &q->config), status);
    assert_int_equal(q->mem.pins, q->mem.unpins);
    assert_int_equal(test_vq_pop(q, 0), AVPS_E_STATE);
    assert_int_equal(avps_vq_publish(&q->vq, &flag), AVPS_E_STATE);
    assert_false(flag);
    assert_false(avps_vq_has_work(&q->vq));
    avps_vq_suppress(&q->vq);
    flag = true;
    avps_vq_arm(&q->vq, &flag);
    assert_false(flag);
    assert_int_equal(test_mem_changed(&q->mem, NULL, 0), 0);
}

static void each_memory(void **state, uint32_t size, void (*body)(struct test_vq *q))
{
    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct test_vq *q = test_vq_new(state, (enum test_mem_kind)kind, size);

        body(q);
        q->config = test_ring_config(&q->ring); /* afterwards the good one works */
        test_vq_enable(q);
        test_vq_round(q);
        test_vq_free(q);
    }
}

static void bad_sizes(struct test_vq *q)
{
    static const uint32_t sizes[] = {0, 32769, 65536, 0xffffffffU, 3, 12, 32767};
    const size_t count = q->config.packed ? 4 : 7;

    for (size_t i = 0; i < count; i++) {
        q->config.size = sizes[i];
        expect_refused(q, AVPS_E_GUEST_SIZE);
    }
}

/* (d) row 20, I15: zero, over the limit, split: no power of two */
static void test_enable_refuses_bad_sizes(void **state)
{
    each_memory(state, 8, bad_sizes);
}

/* A position outside a packed ring. */
static void bad_positions(struct test_vq *q)
{
    q->config.avail_start = 8;
    expect_refused(q, AVPS_E_GUEST_SIZE);
    q->config.avail_start = 0;
    q->config.used_start = 8;
    expect_refused(q, AVPS_E_GUEST_SIZE);
}

static void test_enable_refuses_a_packed_position_outside_the_ring(void **state)
{
    each_memory(state, 8, bad_positions);
}

static void misaligned(struct test_vq *q)
{
    const struct avps_vq_config good = q->config;
    const unsigned int driver_align = good.packed ? 4 : 2;

    for (unsigned int off = 1; off < 16U; off++) {
        q->config = good;
        q->config.desc += off;
        expect_refused(q, AVPS_E_GUEST_DESC);
        if (off % driver_align != 0U) {
            q->config = good;
            q->config.driver += off;
            expect_refused(q, AVPS_E_GUEST_DESC);
        }
        if (off % 4U != 0U) {
            q->config = good;
            q->config.device += off;
            expect_refused(q, AVPS_E_GUEST_DESC);
        }
    }
}

/* (d) row 17, I15 */
static void test_enable_refuses_misaligned_areas(void **state)
{
    each_memory(state, 8, misaligned);
}

static void overlapping(struct test_vq *q)
{
    const struct avps_vq_config good = q->config;
    const uint32_t last_driver = good.packed ? 0 : 20;
    const uint32_t last_device = good.packed ? 0 : 68;

    q->config.driver = good.desc;
    expect_refused(q, AVPS_E_GUEST_DESC);
    q->config.driver = good.desc + 124U; /* its first bytes on the last descriptor */
    expect_refused(q, AVPS_E_GUEST_DESC);
    q->config = good;
    q->config.device = good.desc + 124U;
    expect_refused(q, AVPS_E_GUEST_DESC);
    q->config = good;
    q->config.desc = good.driver + last_driver + (16U - (good.driver + last_driver) % 16U) % 16U;
    q->config.driver = q->config.desc - last_driver;
    expect_refused(q, AVPS_E_GUEST_DESC);
    q->config = good;
    q->config.driver = good.device;
    expect_refused(q, AVPS_E_GUEST_DESC);
    q->config.driver = good.device + last_device;
    expect_refused(q, AVPS_E_GUEST_DESC);
    q->config.driver = good.desc; /* all in one place: what a driver that wrote nothing has */
    q->config.device = good.desc;
    expect_refused(q, AVPS_E_GUEST_DESC);
}

/* (d) row 18, I15 */
static void test_enable_refuses_overlapping_areas(void **state)
{
    each_memory(state, 8, overlapping);
}

static void adjacent(struct test_vq *q)
{
    const avps_gpa base = test_mem_alloc(&q->mem, 1024, 16);

    q->config.desc = base;
    q->config.driver = base + 128U;
    q->config.device = base + 128U + (q->config.packed ? 4U : 24U);
    test_mem_fill(&q->mem, base, 0, 1024);
    assert_int_equal(avps_vq_enable(&q->vq, &q->mem.handle, &q->config), AVPS_OK);
    avps_vq_disable(&q->vq);
}

/* Areas that touch are no overlap. */
static void test_enable_accepts_adjacent_areas(void **state)
{
    each_memory(state, 8, adjacent);
}

static void wrapping(struct test_vq *q)
{
    const struct avps_vq_config good = q->config;

    q->config.desc = UINT64_MAX - 15U; /* eight descriptors do not fit */
    expect_refused(q, AVPS_E_GUEST_DESC);
    q->config = good;
    if (!good.packed) {
        q->config.driver = UINT64_MAX - 19U; /* 22 bytes are needed */
        expect_refused(q, AVPS_E_GUEST_DESC);
        q->config = good;
        q->config.device = UINT64_MAX - 67U; /* 70 are */
        expect_refused(q, AVPS_E_GUEST_DESC);
    }
}

/* (d) row 18, I2, I15 */
static void test_enable_refuses_areas_that_wrap(void **state)
{
    each_memory(state, 8, wrapping);
}

static void outside(struct test_vq *q)
{
    const struct avps_vq_config good = q->config;

    q->config.desc = TEST_HOLE_GPA;
    expect_refused(q, AVPS_E_GUEST_ADDR);
    q->config = good;
    q->config.driver = TEST_HOLE_GPA;
    expect_refused(q, AVPS_E_GUEST_ADDR);
    q->config = good;
    q->config.device = TEST_HOLE_GPA;
    expect_refused(q, AVPS_E_GUEST_ADDR);
    q->config = good;
    q->config.desc = TEST_HIGH_GPA + TEST_HIGH_SIZE - 112U; /* the last descriptor is outside */
    expect_refused(q, AVPS_E_GUEST_ADDR);
}

/* (d) row 18, I15 */
static void test_enable_refuses_areas_outside_memory(void **state)
{
    each_memory(state, 8, outside);
}

/* (d) row 18, I15: over the border of two regions, where memory must be one piece */
static void test_enable_refuses_an_area_in_two_regions(void **state)
{
    for (int kind = 0; kind < TEST_MEM_COPY; kind++) {
        struct test_vq *q = test_vq_new(state, (enum test_mem_kind)kind, 8);

        q->config.desc = TEST_RAM_GPA + TEST_RAM_SIZE - 64U;
        expect_refused(q, AVPS_E_GUEST_ADDR);
        test_vq_free(q);
    }
}

/* Where every access is a copy, a ring may lie anywhere. */
static void test_enable_accepts_an_area_in_two_regions_of_copied_memory(void **state)
{
    struct test_vq *q = test_vq_new(state, TEST_MEM_COPY, 8);

    q->ring.desc = TEST_RAM_GPA + TEST_RAM_SIZE - 64U;
    q->config.desc = q->ring.desc;
    test_vq_enable(q);
    for (int i = 0; i < 9; i++) {
        test_vq_round(q);
    }
    test_vq_free(q);
}

/* (d) row 18, I15: device areas in read-only memory, driver areas in write-only memory */
static void test_enable_refuses_areas_with_the_wrong_access(void **state)
{
    for (int kind = 0; kind < TEST_MEM_COPY; kind++) {
        struct test_vq *q = test_vq_new(state, (enum test_mem_kind)kind, 8);
        const struct avps_vq_config good = q->config;

        q->config.device = TEST_ROM_GPA;
        expect_refused(q, AVPS_E_GUEST_ACCESS);
        q->config = good;
        q->config.driver = TEST_WOM_GPA;
        expect_refused(q, AVPS_E_GUEST_ACCESS);
        q->config = good;
        q->config.desc = TEST_WOM_GPA;
        expect_refused(q, AVPS_E_GUEST_ACCESS);
        q->config = good;
        q->config.desc = TEST_ROM_GPA; /* a packed ring is written */
        if (good.packed) {
            expect_refused(q, AVPS_E_GUEST_ACCESS);
        } else { /* [split-2.2] a split table never is */
            assert_int_equal(avps_vq_enable(&q->vq, &q->mem.handle, &q->config), AVPS_OK);
        }
        test_vq_free(q);
    }
}

/* A port that fails while a queue is enabled: nothing stays pinned. */
static void test_enable_undoes_everything_when_the_port_fails(void **state)
{
    static const enum avps_status statuses[] = {AVPS_E_IO, AVPS_AGAIN};

    for (int kind = TEST_MEM_TRANSLATE; kind < TEST_MEM_KINDS; kind++) {
        for (unsigned int n = 1; n <= (kind == TEST_MEM_COPY ? 6U : 3U); n++) {
            struct test_vq *q = test_vq_new(state, (enum test_mem_kind)kind, 8);

            test_fail_at(&q->mem.fail, n, statuses[n % 2U]);
            expect_refused(q, statuses[n % 2U]);
            test_vq_enable(q);
            test_vq_round(q);
            test_vq_free(q);
        }
    }
}

static void test_enable_refuses_missing_arguments(void **state)
{
    struct test_vq *q = test_vq_new(state, TEST_MEM_REGIONS, 8);

    assert_int_equal(avps_vq_enable(NULL, &q->mem.handle, &q->config), AVPS_E_PARAM);
    assert_int_equal(avps_vq_enable(&q->vq, NULL, &q->config), AVPS_E_PARAM);
    assert_int_equal(avps_vq_enable(&q->vq, &q->mem.handle, NULL), AVPS_E_PARAM);
    test_vq_free(q);
}

/* I14: the configuration is copied; changing it afterwards changes nothing */
static void test_enable_copies_the_configuration(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 8);

    (void)memset(&q->config, 0xff, sizeof q->config);
    test_vq_round(q);
    q->config = test_ring_config(&q->ring);
    test_vq_free(q);
}

/* Disabled: no access; harmless twice; enabled again it starts anew. [mmio-1.7] */
static void test_enable_disabled_queue_touches_nothing(void **state)
{
    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct test_vq *q = test_vq_live(state, (enum test_mem_kind)kind, 8);
        const struct test_desc table[] = {{TEST_RAM_GPA, 8, 0}};

        (void)test_ring_add(&q->ring, table, 1);
        avps_vq_disable(&q->vq);
        avps_vq_disable(&q->vq);
        const unsigned int reads = q->mem.reads;
        test_mem_freeze(&q->mem);
        assert_int_equal(test_vq_pop(q, 0), AVPS_E_STATE);
        q->chain[0].id = 0;
        assert_int_equal(avps_vq_push(&q->vq, &q->chain[0]), AVPS_E_STATE);
        avps_vq_unpop(&q->vq, &q->chain[0]);
        avps_vq_drop(&q->vq, &q->chain[0]);
        assert_int_equal(q->vq.in_flight, 0);
        assert_false(avps_vq_has_work(&q->vq));
        avps_vq_suppress(&q->vq);
        assert_int_equal(q->mem.reads, reads);
        assert_int_equal(test_mem_changed(&q->mem, NULL, 0), 0);
        assert_int_equal(q->mem.pins, q->mem.unpins);
        test_vq_restart(q);
        test_vq_round(q);
        test_vq_free(q);
    }
}

/* Two queues at once on one memory: neither disturbs the other (I35). */
static void test_enable_two_queues_are_independent(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 8);
    struct test_ring ring;
    static struct avps_vq other;
    struct avps_chain chain = {0};
    struct avps_seg seg;
    const struct test_desc bad[] = {{TEST_HOLE_GPA, 8, 0}};

    test_ring_init(&ring, &q->mem, test_is_packed(state), 16);
    const struct avps_vq_config config = test_ring_config(&ring);
    avps_chain_init(&chain, &seg, 1);
    assert_int_equal(avps_vq_enable(&other, &q->mem.handle, &config), AVPS_OK);
    (void)test_ring_add(&ring, bad, 1);
    assert_int_equal(avps_vq_pop(&other, &chain), AVPS_E_GUEST_ADDR);
    for (int i = 0; i < 20; i++) {
        test_vq_round(q);
    }
    assert_int_equal(avps_vq_pop(&other, &chain), AVPS_E_GUEST_ADDR);
    avps_vq_disable(&other);
    test_vq_round(q);
    test_ring_free(&ring);
    test_vq_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_enable_refuses_bad_sizes, NULL, NULL),
        TEST_PACKED(test_enable_refuses_a_packed_position_outside_the_ring, NULL, NULL),
        TEST_BOTH(test_enable_refuses_misaligned_areas, NULL, NULL),
        TEST_BOTH(test_enable_refuses_overlapping_areas, NULL, NULL),
        TEST_BOTH(test_enable_accepts_adjacent_areas, NULL, NULL),
        TEST_BOTH(test_enable_refuses_areas_that_wrap, NULL, NULL),
        TEST_BOTH(test_enable_refuses_areas_outside_memory, NULL, NULL),
        TEST_BOTH(test_enable_refuses_an_area_in_two_regions, NULL, NULL),
        TEST_BOTH(test_enable_accepts_an_area_in_two_regions_of_copied_memory, NULL, NULL),
        TEST_BOTH(test_enable_refuses_areas_with_the_wrong_access, NULL, NULL),
        TEST_BOTH(test_enable_undoes_everything_when_the_port_fails, NULL, NULL),
        TEST_BOTH(test_enable_refuses_missing_arguments, NULL, NULL),
        TEST_BOTH(test_enable_copies_the_configuration, NULL, NULL),
        TEST_BOTH(test_enable_disabled_queue_touches_nothing, NULL, NULL),
        TEST_BOTH(test_enable_two_queues_are_independent, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
