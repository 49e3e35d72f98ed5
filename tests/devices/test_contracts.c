/* SPDX-License-Identifier: BSD-3-Clause */
/* Every memory contract under all four devices: the workload -> failing maps and leaks -> caches that
 * the guest does not share -> the bounce window. What is late is in test_late.c. */
#include "test_contract.h"

/* ---- the workload ---- */

static bool contract_has_packed(enum test_mem_kind kind)
{
    return kind != TEST_MEM_CACHED;
}

static void serve(void **state, enum subject_kind which, enum test_mem_kind kind)
{
    struct subject *s = subject_new(state, which, kind);

    if (kind == TEST_MEM_IOTLB) {
        s->d.mem.iommu->prompt = true;
    }
    subject_start(s);
    for (int round = 0; round < 20; round++) {
        subject_round(s);
    }
    test_driver_reset(&s->d);
    assert_int_equal(test_mem_live_maps(&s->d.mem), 0);
    assert_int_equal(s->d.mem.pins, s->d.mem.unpins);
    subject_start(s);
    subject_round(s);
    subject_free(s);
}

static void test_contract_serves_every_device(void **state)
{
    for (int kind = 0; kind <= TEST_MEM_WINDOW; kind++) {
        for (int which = 0; which < SUBJECTS; which++) {
            if (kind != TEST_MEM_KINDS &&
                (!test_is_packed(state) || contract_has_packed((enum test_mem_kind)kind))) {
                serve(state, (enum subject_kind)which, (enum test_mem_kind)kind);
            }
        }
    }
}

/* ---- failing maps and leaks ---- */

static const enum test_mem_kind mapped[] = {TEST_MEM_MAP, TEST_MEM_GRANTS};

/* The n-th call of the port from now on fails. @return whether there were so many. */
static bool fail_once(struct subject *s, unsigned int n, enum avps_status status)
{
    test_fail_at(&s->d.mem.fail, n, status);
    subject_submit(s);
    subject_finish(s);
    subject_check(s);
    assert_int_equal(test_mem_live_maps(&s->d.mem), 0); /* nothing is in flight */
    return s->d.mem.fail.calls >= n;
}

/* I19: what the host cannot do now is done later; nothing is lost, done twice or left mapped */
static void test_contract_survives_the_nth_map_that_fails(void **state)
{
    static const enum avps_status statuses[] = {AVPS_AGAIN, AVPS_E_IO};

    for (size_t i = 0; i < 4U; i++) {
        for (int which = 0; which < SUBJECTS; which++) {
            struct subject *s = subject_new(state, (enum subject_kind)which, mapped[i / 2U]);
            unsigned int n = 1;

            subject_start(s);
            while (fail_once(s, n, statuses[i % 2U])) {
                n++;
            }
            assert_true(n > 2U); /* a map for each chain at least */
            subject_free(s);
        }
    }
}

/* (d) row 59: what the platform refuses is a fault of the guest: latched, and undone by a reset */
static void test_contract_latches_the_nth_map_that_is_refused(void **state)
{
    for (size_t i = 0; i < 2U; i++) {
        for (int which = 0; which < SUBJECTS; which++) {
            unsigned int n = 0;
            bool failed = true;

            while (failed) {
                struct subject *s = subject_new(state, (enum subject_kind)which, mapped[i]);

                n++;
                subject_start(s);
                test_fail_at(&s->d.mem.fail, n, AVPS_E_GUEST_ADDR);
                subject_submit(s);
                for (int step = 0; step < 8; step++) {
                    (void)subject_step(s);
                }
                failed = s->d.mem.fail.calls >= n;
                if (failed) {
                    test_driver_assert_faulted(&s->d);
                    assert_int_equal(s->d.device->counters.faults[AVPS_FAULT_ADDR], 1);
                }
                s->d.mem.fail.at = 0;
                test_driver_reset(&s->d);
                assert_int_equal(test_mem_live_maps(&s->d.mem), 0);
                assert_int_equal(s->d.mem.pins, s->d.mem.unpins);
                subject_start(s);
                subject_round(s);
                subject_free(s);
            }
            assert_true(n > 2U);
        }
    }
}

/* I17: a reset at any point of a round: every map and every pin is undone, once */
static void test_contract_unmaps_everything_in_a_reset_at_any_step(void **state)
{
    for (size_t i = 0; i < 2U; i++) {
        for (int which = 0; which < SUBJECTS; which++) {
            struct subject *s = subject_new(state, (enum subject_kind)which, mapped[i]);

            for (uint32_t steps = 0; steps < 4U; steps++) {
                subject_start(s);
                subject_submit(s);
                for (uint32_t step = 0; step < steps; step++) {
                    (void)subject_step(s);
                }
                test_driver_reset(&s->d);
                assert_int_equal(test_mem_live_maps(&s->d.mem), 0);
                assert_int_equal(s->d.mem.pins, s->d.mem.unpins);
            }
            subject_start(s);
            subject_round(s);
            subject_free(s);
        }
    }
}

/* I17, I18: requests that a back end keeps stay mapped until it has let go of them */
static void test_contract_keeps_what_a_back_end_still_uses_mapped(void **state)
{
    for (size_t i = 0; i < 2U; i++) {
        struct subject *s = subject_new_slow_disk(state, mapped[i], AVPS_SIM_CANCEL_LATER);

        subject_start(s);
        subject_submit(s);
        assert_false(subject_step(s));
        assert_int_equal(test_mem_live_maps(&s->d.mem), 2);
        test_driver_set(&s->d, TEST_STATUS, 0);
        assert_int_not_equal(test_driver_get(&s->d, TEST_STATUS), 0);
        assert_int_equal(test_mem_live_maps(&s->d.mem), 2);
        assert_int_equal(s->d.mem.pins - s->d.mem.unpins, 3);
        assert_int_equal(avps_sim_ramdisk_poll(&s->disk), 2);
        assert_int_equal(test_driver_get(&s->d, TEST_STATUS), 0);
        assert_int_equal(test_mem_live_maps(&s->d.mem), 0);
        assert_int_equal(s->d.mem.pins, s->d.mem.unpins);
        subject_free(s);
    }
}

/* A chain that is put back is not kept mapped. */
static void test_contract_unmaps_what_a_back_end_cannot_take(void **state)
{
    static const enum subject_kind kinds[] = {SUBJECT_RNG, SUBJECT_NET, SUBJECT_CONSOLE};

    for (size_t i = 0; i < 6U; i++) {
        struct subject *s = subject_new(state, kinds[i / 2U], mapped[i % 2U]);

        subject_start(s);
        s->full = true;
        s->quiet = true;
        subject_submit(s);
        const unsigned int maps = s->d.mem.map_calls;
        assert_false(subject_step(s));
        assert_true(s->d.mem.map_calls > maps);
        assert_int_equal(test_mem_live_maps(&s->d.mem), 0);
        subject_go_on(s);
        subject_finish(s);
        subject_check(s);
        subject_free(s);
    }
}

/* ---- caches ---- */

static void cached_serve(struct subject *s)
{
    subject_start(s);
    for (int round = 0; round < 40; round++) { /* rings turn: every line is used again */
        subject_round(s);
        assert_int_equal(test_cache_dirty(s->d.mem.cache), 0);
        assert_int_equal(s->d.mem.cache->lost, 0);
    }
}

/* No call is missing: each of them missing gives wrong data here. */
static void test_contract_keeps_an_unshared_cache_in_step(void **state)
{
    for (int which = 0; which < SUBJECTS; which++) {
        struct subject *s = subject_new(state, (enum subject_kind)which, TEST_MEM_NONCOHERENT);

        cached_serve(s);
        subject_free(s);
    }
}

static void test_contract_keeps_rings_in_an_unshared_cache_in_step(void **state)
{
    for (int which = 0; which < SUBJECTS; which++) {
        struct subject *s = subject_new(state, (enum subject_kind)which, TEST_MEM_CACHED);

        if (s->packed) { /* descriptors of driver and device share lines */
            assert_false(test_driver_offers(&s->d, AVPS_F_RING_PACKED));
            assert_false(test_driver_negotiate(&s->d));
        } else {
            cached_serve(s);
        }
        subject_free(s);
    }
}

/* What the driver can see of a queue's progress. */
struct seen {
    struct subject *s;
    unsigned int write_backs;
};

static bool driver_sees_more(const struct subject *s)
{
    for (uint16_t i = 0; i < s->d.queue_count; i++) {
        const struct test_ring *ring = &s->d.ring[i];
        const uint16_t flags = test_mem_get16(ring->mem, test_ring_desc_at(ring, ring->used) + 14U);
        const uint16_t used = (uint16_t)(TEST_AVAIL | TEST_USED);

        if (ring->packed ? (flags & used) == (ring->used_wrap ? used : 0U)
                         : test_ring_used_idx(ring) != ring->used) {
            return true;
        }
    }
    return false;
}

static void seen_write_back(void *ctx)
{
    struct seen *seen = ctx;

    assert_false(driver_sees_more(seen->s));
    seen->write_backs++;
}

/* I25: the bytes of a chain reach memory before the driver can see that it was used */
static void test_contract_cleans_buffers_before_the_driver_looks(void **state)
{
    for (int which = 0; which < SUBJECTS; which++) {
        struct subject *s = subject_new(state, (enum subject_kind)which, TEST_MEM_NONCOHERENT);
        struct seen seen = {s, 0};

        subject_start(s);
        s->d.mem.cache->on_write_back = seen_write_back;
        s->d.mem.cache->ctx = &seen;
        for (int round = 0; round < 5; round++) {
            subject_submit(s);
            s->quiet = true; /* queues are published one after the other: look after each */
            (void)subject_step(s);
            s->quiet = false;
            subject_finish(s);
            subject_check(s);
        }
        assert_true(seen.write_backs >= 5U);
        subject_free(s);
    }
}

/* Plain copies go through the hooks as well. */
static void test_contract_copies_through_an_unshared_cache(void **state)
{
    struct test_mem mem;
    uint8_t bytes[200];

    (void)state;
    test_mem_init(&mem, TEST_MEM_NONCOHERENT);
    const avps_gpa gpa = test_mem_alloc(&mem, 200, 1);
    test_mem_fill(&mem, gpa, 0x11, 200);
    assert_int_equal(avps_mem_read(&mem.handle, gpa, bytes, 200), AVPS_OK);
    test_mem_fill(&mem, gpa, 0x22, 200);
    assert_int_equal(avps_mem_write(&mem.handle, gpa + 70U, bytes, 100), AVPS_OK);
    assert_true(test_mem_is(&mem, gpa, 0x22, 70));
    assert_true(test_mem_is(&mem, gpa + 70U, 0x11, 100));
    assert_true(test_mem_is(&mem, gpa + 170U, 0x22, 30));
    assert_int_equal(avps_mem_read(&mem.handle, gpa, bytes, 200), AVPS_OK);
    assert_int_equal(bytes[0], 0x22);
    assert_int_equal(bytes[70], 0x11);
    test_mem_free(&mem);
}

/* ---- the bounce window ---- */

/* What a driver might put into a queue: the device reads or writes it, as the queue's kind asks. */
static uint16_t hostile_queue(enum subject_kind which)
{
    return which == SUBJECT_NET || which == SUBJECT_CONSOLE ? 1U : 0U;
}

static uint16_t hostile_flags(enum subject_kind which)
{
    return which == SUBJECT_RNG ? TEST_WRITE : 0U;
}

struct outside {
    avps_gpa gpa;
    uint32_t len;
};

static void expect_refused_chain(struct subject *s, const struct outside *outside, bool indirect)
{
    const uint16_t queue = hostile_queue(s->which);
    struct test_ring *ring = &s->d.ring[queue];
    struct test_desc desc = {outside->gpa, outside->len, hostile_flags(s->which)};

    if (indirect) {
        desc = (struct test_desc){test_ring_table(ring, &desc, 1), 16, TEST_INDIRECT};
    }
    (void)test_driver_poll(&s->d); /* queues that are new have been looked at */
    (void)test_ring_add(ring, &desc, 1);
    test_driver_kick(&s->d, queue);
    test_mem_freeze(&s->d.mem);
    (void)test_driver_poll(&s->d);
    const struct test_buffer rings[] = {{ring->device, 6U + 8U * ring->size}};
    assert_int_equal(test_mem_changed(&s->d.mem, rings, 1), 0);
    test_driver_assert_faulted(&s->d);
}

/* I2, I15: memory that exists and is not shared is as far away as memory that does not exist */
static void test_contract_window_is_all_that_a_device_sees(void **state)
{
    static const struct outside cases[] = {
        {TEST_RAM_GPA + TEST_RAM_SIZE, 64},            /* RAM, right behind the window */
        {TEST_RAM_GPA + TEST_RAM_SIZE - 32U, 64},      /* over its end */
        {TEST_RAM_GPA - 32U, 64},                      /* over its beginning */
        {TEST_HIGH_GPA, 64},                           /* RAM elsewhere */
        {TEST_RAM_GPA + (UINT64_C(1) << 32) + 64U, 64} /* the window, but for a bit */
    };

    for (int which = 0; which < SUBJECTS; which++) {
        struct subject *s = subject_new(state, (enum subject_kind)which, TEST_MEM_WINDOW);

        for (size_t i = 0; i < 10U; i++) {
            subject_start(s);
            expect_refused_chain(s, &cases[i / 2U], i % 2U == 1U);
            assert_int_equal(s->d.device->counters.faults[AVPS_FAULT_ADDR], i + 1U);
        }
        subject_start(s);
        subject_round(s);
        subject_free(s);
    }
}

static void test_contract_window_holds_tables_and_rings(void **state)
{
    struct subject *s = subject_new(state, SUBJECT_RNG, TEST_MEM_WINDOW);
    const struct test_desc table = {TEST_HIGH_GPA, 16, TEST_INDIRECT};

    subject_start(s);
    test_ring_raw_at(&s->d.ring[0], TEST_HIGH_GPA, TEST_RAM_GPA, 16, TEST_WRITE, 0);
    (void)test_ring_add(&s->d.ring[0], &table, 1);
    test_driver_kick(&s->d, 0);
    (void)test_driver_poll(&s->d);
    test_driver_assert_faulted(&s->d);
    for (int area = 0; area < 3; area++) {
        struct test_ring *ring = &s->d.ring[0];
        const struct test_ring good = *ring;
        avps_gpa *const areas[] = {&ring->desc, &ring->driver, &ring->device};

        assert_true(test_driver_negotiate(&s->d));
        *areas[area] = TEST_RAM_GPA + TEST_RAM_SIZE;
        assert_false(test_driver_enable(&s->d, 0));
        *ring = good;
        assert_true(test_driver_enable(&s->d, 0));
    }
    subject_start(s);
    subject_round(s);
    subject_free(s);
}

/* [feat-1.3] [feat-1.4] a driver that may not know of the window is not served at all */
static void test_contract_window_needs_access_platform(void **state)
{
    struct subject *s = subject_new(state, SUBJECT_RNG, TEST_MEM_WINDOW);
    struct avps_rng_config config = {
        .base = test_driver_base(&s->d, s->queues, 1, 16), .ops = &subject_rng_ops, .ctx = s};
    struct avps_rng rng;

    assert_true(test_driver_offers(&s->d, AVPS_F_ACCESS_PLATFORM));
    avps_features_remove(&s->d.want, AVPS_F_ACCESS_PLATFORM);
    assert_false(test_driver_negotiate(&s->d));
    test_driver_want(&s->d, AVPS_F_ACCESS_PLATFORM);
    assert_true(test_driver_negotiate(&s->d));
    config.base.access_platform = false;
    assert_int_equal(avps_rng_init(&rng, &config), AVPS_E_PARAM);
    subject_free(s);
}

static void test_contract_window_is_made_of_whole_pages(void **state)
{
    static uint8_t host[2U * AVPS_MEM_WINDOW_ALIGN];
    const struct avps_mem_region good = {0x4000, 0x2000, host, AVPS_ACCESS_RW};
    struct avps_mem_region bad[5] = {good, good, good, good, good};
    struct avps_mem mem;

    (void)state;
    bad[0].gpa = 0x4800;
    bad[1].size = 0x1800;
    bad[2].size = 0;
    bad[3].access = AVPS_ACCESS_READ;
    bad[4].host = NULL;
    for (size_t i = 0; i < 5U; i++) {
        assert_int_equal(avps_mem_init_window(&mem, &bad[i], NULL, NULL), AVPS_E_PARAM);
    }
    assert_int_equal(avps_mem_init_window(&mem, NULL, NULL, NULL), AVPS_E_PARAM);
    assert_int_equal(avps_mem_init_window(NULL, &good, NULL, NULL), AVPS_E_PARAM);
    assert_int_equal(avps_mem_init_window(&mem, &good, NULL, NULL), AVPS_OK);
    assert_int_equal(avps_mem_write(&mem, 0x4000, "x", 1), AVPS_OK);
    assert_int_equal(host[0], 'x');
    assert_int_equal(avps_mem_write(&mem, 0x6000, "x", 1), AVPS_E_GUEST_ADDR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_contract_serves_every_device, NULL, NULL),
        TEST_BOTH(test_contract_survives_the_nth_map_that_fails, NULL, NULL),
        TEST_BOTH(test_contract_latches_the_nth_map_that_is_refused, NULL, NULL),
        TEST_BOTH(test_contract_unmaps_everything_in_a_reset_at_any_step, NULL, NULL),
        TEST_BOTH(test_contract_keeps_what_a_back_end_still_uses_mapped, NULL, NULL),
        TEST_BOTH(test_contract_unmaps_what_a_back_end_cannot_take, NULL, NULL),
        TEST_BOTH(test_contract_keeps_an_unshared_cache_in_step, NULL, NULL),
        TEST_BOTH(test_contract_keeps_rings_in_an_unshared_cache_in_step, NULL, NULL),
        TEST_BOTH(test_contract_cleans_buffers_before_the_driver_looks, NULL, NULL),
        TEST_SPLIT(test_contract_copies_through_an_unshared_cache, NULL, NULL),
        TEST_BOTH(test_contract_window_is_all_that_a_device_sees, NULL, NULL),
        TEST_BOTH(test_contract_window_holds_tables_and_rings, NULL, NULL),
        TEST_BOTH(test_contract_window_needs_access_platform, NULL, NULL),
        TEST_SPLIT(test_contract_window_is_made_of_whole_pages, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
