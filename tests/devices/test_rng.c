/* SPDX-License-Identifier: BSD-3-Clause */
/* The entropy device: what it is -> delivery -> a source that is short, dry or broken -> bad requests
 * -> resets, features, state. */
#include "support/driver.h"

#include "avps/rng.h"

#define SOURCE_SIZE 100000U

/* A source with a known sequence of bytes, a stock, and faults. */
struct source {
    uint32_t stock; /* bytes left */
    uint32_t most;  /* bytes per call */
    uint32_t given; /* bytes so far: the sequence is 0, 1, 2, ... */
    enum avps_status answer;
    uint32_t lie; /* when not 0: claims to have given so many */
    unsigned int calls;
};

static struct test_driver d;
static struct avps_rng rng;
static struct source source;
static struct avps_queue queues[1];

static enum avps_status source_fill(void *ctx, uint8_t *buf, uint32_t len, uint32_t *got)
{
    struct source *s = ctx;
    uint32_t n = len < s->most ? len : s->most;

    s->calls++;
    assert_int_not_equal(len, 0);
    if (s->answer != AVPS_OK) {
        return s->answer;
    }
    n = n < s->stock ? n : s->stock;
    if (n == 0U && s->lie == 0U) {
        return AVPS_EMPTY;
    }
    for (uint32_t i = 0; i < n; i++) {
        buf[i] = (uint8_t)(s->given + i);
    }
    s->stock -= n;
    s->given += n;
    *got = s->lie != 0U ? s->lie : n;
    return AVPS_OK;
}

static const struct avps_rng_ops source_ops = {source_fill};

static void power_on(enum test_mem_kind kind, uint32_t max_bytes)
{
    test_driver_init(&d, kind);
    source = (struct source){.stock = SOURCE_SIZE, .most = SOURCE_SIZE};
    const struct avps_rng_config config = {.base = test_driver_base(&d, queues, 1, 256),
                                           .ops = &source_ops,
                                           .ctx = &source,
                                           .max_bytes = max_bytes};
    assert_int_equal(avps_rng_init(&rng, &config), AVPS_OK);
    test_driver_attach(&d, &rng.base);
}

static void run_on(void **state, enum test_mem_kind kind, uint32_t max_bytes)
{
    power_on(kind, max_bytes);
    if (test_is_packed(state)) {
        test_driver_want(&d, AVPS_F_RING_PACKED);
    }
    test_driver_want(&d, AVPS_F_INDIRECT_DESC);
    test_driver_want(&d, AVPS_F_RING_RESET);
    test_driver_start(&d);
    (void)test_driver_poll(&d);
}

static void run(void **state)
{
    run_on(state, TEST_MEM_REGIONS, 0);
}

static void off(void)
{
    test_driver_free(&d);
}

static const struct avps_rng_counters *counters(void)
{
    return avps_rng_counters(&rng);
}

/* `len` bytes of the sequence from `first` on, and nothing behind them. */
static void expect_bytes(const struct test_request *r, uint32_t first, uint32_t len, uint32_t room)
{
    static uint8_t bytes[70000];

    test_driver_in(&d, r, 0, bytes, room);
    for (uint32_t i = 0; i < room; i++) {
        assert_int_equal(bytes[i], i < len ? (uint8_t)(first + i) : TEST_UNWRITTEN);
    }
}

static void expect_served(const struct test_request *r, uint32_t len)
{
    struct test_used used = {0, 0};

    assert_true(test_driver_reap(&d, 0, &used));
    assert_int_equal(used.id, r->id);
    assert_int_equal(used.len, len);
}

static void expect_waiting(void)
{
    struct test_used used = {0, 0};

    assert_false(test_driver_reap(&d, 0, &used));
    assert_int_equal(test_driver_get(&d, TEST_STATUS), TEST_S_LIVE);
}

/* ---- what it is ---- */

/* [AVPS RNG-2] */
static void test_rng_is_an_entropy_device(void **state)
{
    (void)state;
    power_on(TEST_MEM_REGIONS, 0);
    assert_int_equal(test_driver_get(&d, TEST_DEVICE_ID), 4);
    for (unsigned int bit = 0; bit < 24U; bit++) {
        assert_false(test_driver_offers(&d, bit)); /* none of its own */
    }
    test_driver_set(&d, TEST_QUEUE_SEL, 0);
    assert_int_equal(test_driver_get(&d, TEST_QUEUE_SIZE_MAX), 256);
    test_driver_set(&d, TEST_QUEUE_SEL, 1);
    assert_int_equal(test_driver_get(&d, TEST_QUEUE_SIZE_MAX), 0);
    assert_true(test_driver_config(&d, 0, 8) == 0U);
    test_driver_config_set(&d, 0, 4, 1);
    off();
}

static void test_rng_init_refuses_bad_configurations(void **state)
{
    static const struct avps_rng_ops no_fill = {NULL};

    (void)state;
    test_driver_init(&d, TEST_MEM_REGIONS);
    const struct avps_rng_config good = {
        .base = test_driver_base(&d, queues, 1, 256), .ops = &source_ops, .max_bytes = 65536};
    struct avps_rng_config bad = good;

    assert_int_equal(avps_rng_init(NULL, &good), AVPS_E_PARAM);
    assert_int_equal(avps_rng_init(&rng, NULL), AVPS_E_PARAM);
    bad.ops = NULL;
    assert_int_equal(avps_rng_init(&rng, &bad), AVPS_E_PARAM);
    bad.ops = &no_fill;
    assert_int_equal(avps_rng_init(&rng, &bad), AVPS_E_PARAM);
    bad = good;
    bad.max_bytes = 65537;
    assert_int_equal(avps_rng_init(&rng, &bad), AVPS_E_PARAM);
    bad = good;
    bad.base.queue_count = 2;
    assert_int_equal(avps_rng_init(&rng, &bad), AVPS_E_PARAM);
    bad = good;
    bad.base.mem = NULL;
    assert_int_equal(avps_rng_init(&rng, &bad), AVPS_E_PARAM);
    assert_int_equal(avps_rng_init(&rng, &good), AVPS_OK);
    test_mem_free(&d.mem);
}

/* ---- delivery ---- */

/* [rng-1.1] [AVPS RNG-1]: the source's bytes, as they are, each once */
static void test_rng_delivers_the_bytes_of_the_source(void **state)
{
    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        uint32_t given = 0;

        run_on(state, (enum test_mem_kind)kind, 0);
        for (uint32_t len = 1; len < 600U; len += 37U) {
            struct test_request r = {.in = {len}};
            assert_int_equal(test_driver_do(&d, 0, &r), len);
            expect_bytes(&r, given, len, len);
            given += len;
        }
        assert_int_equal(source.given, given); /* none was thrown away */
        assert_true(counters()->bytes == given);
        assert_int_equal(counters()->requests, 17);
        assert_int_equal(counters()->shortened, 0);
        off();
    }
}

/* Over descriptors, and through a table. */
static void test_rng_fills_buffers_in_pieces(void **state)
{
    for (int indirect = 0; indirect < 2; indirect++) {
        run(state);
        struct test_request r = {.in = {1, 300, 2, 700}, .indirect = indirect != 0};
        assert_int_equal(test_driver_do(&d, 0, &r), 1003);
        expect_bytes(&r, 0, 1003, 1003);
        off();
    }
}

/* Readable bytes in front of the buffer are not asked for and not looked at. */
static void test_rng_ignores_readable_bytes(void **state)
{
    run(state);
    struct test_request r = {.out = {{"seed!", 5}}, .in = {16}};
    assert_int_equal(test_driver_do(&d, 0, &r), 16);
    expect_bytes(&r, 0, 16, 16);
    assert_memory_equal(test_mem_host(&d.mem, r.out_gpa[0], 5), "seed!", 5);
    off();
}

/* [rng-1.1]: less than the buffer: the used length says how much, the rest is untouched */
static void test_rng_limits_a_request(void **state)
{
    run_on(state, TEST_MEM_REGIONS, 100);
    struct test_request r = {.in = {1000}};
    assert_int_equal(test_driver_do(&d, 0, &r), 100);
    expect_bytes(&r, 0, 100, 1000);
    assert_int_equal(source.given, 100);
    assert_int_equal(counters()->shortened, 1);
    off();
    run_on(state, TEST_MEM_REGIONS, 0); /* 4096 unless told */
    struct test_request second = {.in = {5000}};
    assert_int_equal(test_driver_do(&d, 0, &second), 4096);
    off();
    run_on(state, TEST_MEM_REGIONS, 65536);
    struct test_request third = {.in = {65536}};
    assert_int_equal(test_driver_do(&d, 0, &third), 65536);
    off();
}

/* ---- a source that is short, dry or broken ---- */

/* [AVPS RNG-1] [AVPS RNG-3]: what the source does not have is not made up */
static void test_rng_never_stretches_a_short_source(void **state)
{
    run(state);
    source.stock = 10;
    struct test_request r = {.in = {64}};
    assert_int_equal(test_driver_do(&d, 0, &r), 10);
    expect_bytes(&r, 0, 10, 64);
    assert_int_equal(counters()->shortened, 1);
    assert_int_equal(counters()->starved, 1);
    off();
}

static void test_rng_collects_from_a_slow_source(void **state)
{
    run(state);
    source.most = 3;
    struct test_request r = {.in = {64}};
    assert_int_equal(test_driver_do(&d, 0, &r), 64);
    expect_bytes(&r, 0, 64, 64);
    off();
}

/* [rng-1.1]: never an empty answer: a request waits until there is a byte */
static void test_rng_waits_for_a_dry_source(void **state)
{
    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        run_on(state, (enum test_mem_kind)kind, 0);
        struct test_request r = {.in = {64}};

        source.stock = 0;
        (void)test_driver_send(&d, 0, &r);
        test_driver_kick(&d, 0);
        assert_int_equal(test_driver_poll(&d), AVPS_POLL_IDLE);
        expect_waiting();
        assert_int_equal(source.calls, 1); /* no busy waiting */
        assert_int_equal(test_driver_poll(&d), AVPS_POLL_IDLE);
        assert_int_equal(source.calls, 1);
        const unsigned int wakes = d.port.wakes;
        source.stock = 7;
        avps_rng_refilled(&rng);
        assert_int_equal(d.port.wakes, wakes + 1U);
        avps_rng_refilled(&rng); /* nobody waits any more */
        assert_int_equal(d.port.wakes, wakes + 1U);
        assert_int_equal(test_driver_poll(&d), AVPS_POLL_IDLE);
        expect_served(&r, 7);
        expect_bytes(&r, 0, 7, 64);
        assert_int_equal(counters()->starved, 2);
        off();
    }
}

static void test_rng_serves_waiting_requests_in_order(void **state)
{
    struct test_request r[3];

    run(state);
    source.stock = 0;
    for (size_t i = 0; i < 3U; i++) {
        r[i] = (struct test_request){.in = {8}};
        (void)test_driver_send(&d, 0, &r[i]);
    }
    test_driver_kick(&d, 0);
    (void)test_driver_poll(&d);
    source.stock = 12;
    avps_rng_refilled(&rng);
    (void)test_driver_poll(&d);
    expect_served(&r[0], 8);
    expect_served(&r[1], 4);
    expect_waiting();
    source.stock = 100;
    avps_rng_refilled(&rng);
    (void)test_driver_poll(&d);
    expect_served(&r[2], 8);
    expect_bytes(&r[2], 12, 8, 8);
    off();
}

/* [AVPS RNG-3]: a failing source is counted, and nothing is delivered in its place */
static void test_rng_waits_for_a_broken_source(void **state)
{
    run(state);
    struct test_request r = {.in = {64}};

    source.answer = AVPS_E_IO;
    (void)test_driver_send(&d, 0, &r);
    test_driver_kick(&d, 0);
    (void)test_driver_poll(&d);
    expect_waiting();
    assert_int_equal(counters()->failures, 1);
    assert_int_equal(counters()->bytes, 0);
    expect_bytes(&r, 0, 0, 64);
    source.answer = AVPS_OK;
    avps_rng_refilled(&rng);
    (void)test_driver_poll(&d);
    expect_served(&r, 64);
    off();
}

/* A source that claims no bytes, or more than asked for, is not believed. */
static void test_rng_distrusts_its_source(void **state)
{
    static const uint32_t lies[] = {257, 0xffffffff};

    for (size_t i = 0; i < 2U; i++) {
        run(state);
        struct test_request r = {.in = {300}};

        source.lie = lies[i];
        (void)test_driver_send(&d, 0, &r);
        test_driver_kick(&d, 0);
        (void)test_driver_poll(&d);
        expect_waiting();
        expect_bytes(&r, 0, 0, 300);
        assert_int_equal(counters()->failures, 1);
        off();
    }
}

/* I31: guest memory that cannot be written for once: the request waits, no length is claimed */
static void test_rng_waits_when_guest_memory_fails(void **state)
{
    run_on(state, TEST_MEM_COPY, 0);
    struct test_request r = {.in = {16}};

    (void)test_driver_send(&d, 0, &r);
    test_driver_kick(&d, 0);
    /* the write of the first piece comes after suppress and the reads of the ring */
    test_fail_at(&d.mem.fail, test_is_packed(state) ? 4 : 5, AVPS_E_IO);
    (void)test_driver_poll(&d);
    expect_waiting();
    assert_int_equal(source.calls, 1);
    assert_int_equal(counters()->failures, 1);
    avps_rng_refilled(&rng);
    (void)test_driver_poll(&d);
    expect_served(&r, 16);
    off();
}

/* ---- bad requests ---- */

static void expect_fault(const struct test_desc *table, uint32_t count, enum avps_fault_class class)
{
    (void)test_ring_add(&d.ring[0], table, count);
    test_driver_kick(&d, 0);
    (void)test_driver_poll(&d);
    test_driver_assert_faulted(&d);
    assert_int_equal(avps_device_counters(&rng.base)->faults[class], 1);
    assert_int_equal(source.given, 0); /* no entropy was spent on it */
    test_driver_start(&d);
    (void)test_driver_poll(&d);
    struct test_request r = {.in = {16}};
    assert_int_equal(test_driver_do(&d, 0, &r), 16);
}

/* I20: nowhere to put a byte */
static void test_rng_faults_on_a_request_without_room(void **state)
{
    run(state);
    const struct test_desc readable[] = {{TEST_RAM_GPA, 16, 0}};
    expect_fault(readable, 1, AVPS_FAULT_SIZE);
    off();
    run(state);
    const struct test_desc nothing[] = {{TEST_RAM_GPA, 0, TEST_WRITE}};
    expect_fault(nothing, 1, AVPS_FAULT_SIZE);
    off();
}

static void test_rng_faults_on_a_bad_buffer(void **state)
{
    for (int kind = 0; kind < TEST_MEM_COPY; kind++) {
        run_on(state, (enum test_mem_kind)kind, 0);
        const struct test_desc hole[] = {{TEST_HOLE_GPA, 16, TEST_WRITE}};
        expect_fault(hole, 1, AVPS_FAULT_ADDR);
        off();
        run_on(state, (enum test_mem_kind)kind, 0);
        const struct test_desc rom[] = {{TEST_ROM_GPA, 16, TEST_WRITE}};
        expect_fault(rom, 1, AVPS_FAULT_ACCESS);
        off();
    }
}

/* Where addresses are checked by the copy itself the fault comes with the first byte. */
static void test_rng_faults_on_a_bad_buffer_of_copied_memory(void **state)
{
    const struct test_desc hole[] = {{TEST_HOLE_GPA, 16, TEST_WRITE}};

    run_on(state, TEST_MEM_COPY, 0);
    (void)test_ring_add(&d.ring[0], hole, 1);
    test_driver_kick(&d, 0);
    (void)test_driver_poll(&d);
    test_driver_assert_faulted(&d);
    assert_int_equal(counters()->bytes, 0);
    off();
}

/* ---- resets, features, state ---- */

/* I17: a request that waits is forgotten by a reset */
static void test_rng_reset_forgets_a_waiting_request(void **state)
{
    run(state);
    struct test_request r = {.in = {16}};

    source.stock = 0;
    (void)test_driver_send(&d, 0, &r);
    test_driver_kick(&d, 0);
    (void)test_driver_poll(&d);
    test_driver_start(&d);
    (void)test_driver_poll(&d);
    const unsigned int wakes = d.port.wakes;
    source.stock = 100;
    avps_rng_refilled(&rng);
    assert_int_equal(d.port.wakes, wakes);
    (void)test_driver_poll(&d);
    assert_int_equal(source.given, 0);
    struct test_request second = {.in = {16}};
    assert_int_equal(test_driver_do(&d, 0, &second), 16);
    off();
}

static void test_rng_works_with_each_feature_alone_and_all(void **state)
{
    static const unsigned int bits[] = {AVPS_F_INDIRECT_DESC, AVPS_F_EVENT_IDX,
                                        AVPS_F_IN_ORDER,      AVPS_F_NOTIFICATION_DATA,
                                        AVPS_F_RING_RESET,    AVPS_F_SUSPEND};

    for (size_t i = 0; i <= 6U; i++) {
        power_on(TEST_MEM_REGIONS, 0);
        if (i == 6U) {
            test_driver_want_all(&d, test_is_packed(state));
        } else {
            test_driver_want(&d, bits[i]);
        }
        if (test_is_packed(state)) {
            test_driver_want(&d, AVPS_F_RING_PACKED);
        }
        test_driver_start(&d);
        for (int k = 0; k < 40; k++) {
            struct test_request r = {.in = {9}, .indirect = k % 2 == 0 && (i == 0U || i == 6U)};
            assert_int_equal(test_driver_do(&d, 0, &r), 9);
        }
        off();
    }
}

/* Two at once, each with its own source. */
static void test_rng_instances_are_independent(void **state)
{
    static struct test_driver other;
    static struct avps_rng second;
    static struct avps_queue second_queues[1];
    struct source second_source = {.stock = 3, .most = 3};

    test_driver_init(&other, TEST_MEM_REGIONS);
    const struct avps_rng_config config = {.base = test_driver_base(&other, second_queues, 1, 64),
                                           .ops = &source_ops,
                                           .ctx = &second_source};
    assert_int_equal(avps_rng_init(&second, &config), AVPS_OK);
    test_driver_attach(&other, &second.base);
    test_driver_start(&other);
    run(state);
    struct test_request a = {.in = {16}};
    struct test_request b = {.in = {16}};
    assert_int_equal(test_driver_do(&other, 0, &b), 3);
    assert_int_equal(test_driver_do(&d, 0, &a), 16);
    assert_int_equal(avps_rng_counters(&second)->bytes, 3);
    assert_int_equal(counters()->bytes, 16);
    off();
    test_driver_free(&other);
}

/* A waiting request is in the ring, so it moves with the state. */
static void test_rng_moves_with_a_request_waiting(void **state)
{
    static uint8_t blob[512];
    size_t len = 0;

    run(state);
    struct test_request r = {.in = {16}};
    source.stock = 0;
    (void)test_driver_send(&d, 0, &r);
    test_driver_kick(&d, 0);
    (void)test_driver_poll(&d);
    assert_int_equal(avps_quiesce(&rng.base), AVPS_OK);
    assert_int_equal(avps_mmio_save(&d.mmio, blob, sizeof blob, &len), AVPS_OK);
    (void)avps_reset(&rng.base);
    const struct avps_rng_config config = {
        .base = test_driver_base(&d, queues, 1, 256), .ops = &source_ops, .ctx = &source};
    assert_int_equal(avps_rng_init(&rng, &config), AVPS_OK);
    test_driver_attach(&d, &rng.base);
    source.stock = 100;
    assert_int_equal(avps_mmio_load(&d.mmio, blob, len), AVPS_OK);
    (void)test_driver_poll(&d);
    expect_served(&r, 16);
    off();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rng_is_an_entropy_device),
        cmocka_unit_test(test_rng_init_refuses_bad_configurations),
        TEST_BOTH(test_rng_delivers_the_bytes_of_the_source, NULL, NULL),
        TEST_BOTH(test_rng_fills_buffers_in_pieces, NULL, NULL),
        TEST_BOTH(test_rng_ignores_readable_bytes, NULL, NULL),
        TEST_BOTH(test_rng_limits_a_request, NULL, NULL),
        TEST_BOTH(test_rng_never_stretches_a_short_source, NULL, NULL),
        TEST_BOTH(test_rng_collects_from_a_slow_source, NULL, NULL),
        TEST_BOTH(test_rng_waits_for_a_dry_source, NULL, NULL),
        TEST_BOTH(test_rng_serves_waiting_requests_in_order, NULL, NULL),
        TEST_BOTH(test_rng_waits_for_a_broken_source, NULL, NULL),
        TEST_BOTH(test_rng_distrusts_its_source, NULL, NULL),
        TEST_BOTH(test_rng_waits_when_guest_memory_fails, NULL, NULL),
        TEST_BOTH(test_rng_faults_on_a_request_without_room, NULL, NULL),
        TEST_BOTH(test_rng_faults_on_a_bad_buffer, NULL, NULL),
        TEST_BOTH(test_rng_faults_on_a_bad_buffer_of_copied_memory, NULL, NULL),
        TEST_BOTH(test_rng_reset_forgets_a_waiting_request, NULL, NULL),
        TEST_BOTH(test_rng_works_with_each_feature_alone_and_all, NULL, NULL),
        TEST_BOTH(test_rng_instances_are_independent, NULL, NULL),
        TEST_BOTH(test_rng_moves_with_a_request_waiting, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
