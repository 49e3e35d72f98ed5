/* SPDX-License-Identifier: BSD-3-Clause */
/* The device core under a fake model: init -> features -> status -> configuration space -> doorbells
 * and polls -> faults -> asynchronous requests -> resets -> suspend -> quiesce -> supply and burst
 * queues -> a port that fails. */
#include "support/fake.h"

static struct test_driver d;
static struct test_fake fake;

/* A device of `kind` before the driver's first step. */
static void power_on(enum test_mem_kind mem, enum test_fake_kind kind)
{
    test_driver_init(&d, mem);
    test_fake_init(&fake, &d, kind);
}

/* A running device; RING_RESET, SUSPEND and INDIRECT_DESC are negotiated. */
static void run_on(void **state, enum test_mem_kind mem, enum test_fake_kind kind)
{
    power_on(mem, kind);
    if (test_is_packed(state)) {
        test_driver_want(&d, AVPS_F_RING_PACKED);
    }
    test_driver_want(&d, AVPS_F_RING_RESET);
    test_driver_want(&d, AVPS_F_SUSPEND);
    test_driver_want(&d, AVPS_F_INDIRECT_DESC);
    if (kind == TEST_FAKE_STRICT) {
        test_driver_want(&d, TEST_FAKE_F_PLAIN);
    }
    test_driver_start(&d);
    (void)test_driver_poll(&d);
    fake.cancels = 0; /* that of the driver's first reset */
}

static void run(void **state, enum test_fake_kind kind)
{
    run_on(state, TEST_MEM_REGIONS, kind);
}

static void off(void)
{
    test_driver_free(&d);
}

/* An echo of four bytes over queue `queue`. */
static void echo(uint16_t queue)
{
    struct test_request r = {.out = {{"ping", 4}}, .in = {2, 2, 8}};
    char bytes[4];

    assert_int_equal(test_driver_do(&d, queue, &r), 4);
    test_driver_in(&d, &r, 0, bytes, 4);
    assert_memory_equal(bytes, "ping", 4);
}

/* Make a request available and ring. */
static uint16_t send(uint16_t queue, struct test_request *r)
{
    *r = (struct test_request){.out = {{"ping", 4}}, .in = {4}};
    const uint16_t id = test_driver_send(&d, queue, r);
    test_driver_kick(&d, queue);
    return id;
}

static void expect_used(uint16_t queue, uint16_t id, uint32_t len)
{
    struct test_used used = {0, 0};

    assert_true(test_driver_reap(&d, queue, &used));
    assert_int_equal(used.id, id);
    assert_int_equal(used.len, len);
}

static void expect_none(uint16_t queue)
{
    struct test_used used = {0, 0};

    assert_false(test_driver_reap(&d, queue, &used));
}

/* Reset, start over, and serve a request. */
static void expect_recovery(void)
{
    test_driver_start(&d);
    (void)test_driver_ack(&d);
    fake.answer = AVPS_OK;
    fake.complete_inside = true;
    echo(0);
    fake.complete_inside = false;
}

static const struct avps_device_counters *counters(void)
{
    return avps_device_counters(&fake.base);
}

static const struct avps_queue_counters *queue_counters(uint16_t queue)
{
    return avps_queue_counters(&fake.base, queue);
}

/* ---- init ---- */

static void test_device_init_refuses_bad_configurations(void **state)
{
    struct test_fake other;

    (void)state;
    test_driver_init(&d, TEST_MEM_REGIONS);
    const struct avps_device_config good =
        test_driver_base(&d, test_fake_queues(0), TEST_FAKE_QUEUES, 256);
    const struct avps_mem no_mem = {0};
    const uint16_t sizes[] = {0, 1, 3, 255, 40000};

    for (int i = 0; i < 9; i++) {
        struct avps_device_config bad = good;
        if (i == 0) {
            bad.mem = NULL;
        } else if (i == 1) {
            bad.mem = &no_mem;
        } else if (i == 2) {
            bad.queues = NULL;
        } else if (i == 3) {
            bad.queue_count = 0;
        } else {
            bad.queue_size_max = sizes[i - 4];
        }
        assert_int_equal(test_fake_init_with(&other, &d, TEST_FAKE_SYNC, &bad), AVPS_E_PARAM);
    }
    assert_int_equal(test_fake_init_with(&fake, &d, TEST_FAKE_SYNC, &good), AVPS_OK);
    off();
}

static void test_device_takes_one_transport(void **state)
{
    struct avps_mmio second;

    (void)state;
    power_on(TEST_MEM_REGIONS, TEST_FAKE_SYNC);
    const struct avps_mmio_config config = {.device = &fake.base, .irq = &test_port_irq};
    assert_int_equal(avps_mmio_init(&second, &config), AVPS_E_STATE);
    off();
}

static void test_device_tells_what_it_is(void **state)
{
    (void)state;
    power_on(TEST_MEM_REGIONS, TEST_FAKE_SYNC);
    assert_int_equal(avps_device_id(&fake.base), TEST_FAKE_ID);
    assert_int_equal(avps_device_status(&fake.base), 0);
    assert_non_null(avps_queue_counters(&fake.base, 2));
    assert_null(avps_queue_counters(&fake.base, 3));
    assert_int_equal(avps_device_features(&fake.base)->word[1], 0);
    off();
}

/* A device works without a port and without a clock. */
static void test_device_works_without_a_port(void **state)
{
    test_driver_init(&d, TEST_MEM_REGIONS);
    struct avps_device_config base =
        test_driver_base(&d, test_fake_queues(0), TEST_FAKE_QUEUES, 256);

    base.port = NULL;
    assert_int_equal(test_fake_init_with(&fake, &d, TEST_FAKE_SYNC, &base), AVPS_OK);
    if (test_is_packed(state)) {
        test_driver_want(&d, AVPS_F_RING_PACKED);
    }
    test_driver_start(&d);
    echo(0);
    avps_resume(&fake.base); /* wakes nobody */
    assert_int_equal(avps_device_now_ns(&fake.base), 0);
    assert_int_equal(d.port.wakes, 0);
    off();
}

/* Optional ops of the port, one by one. */
static void test_device_works_with_a_port_without_ops(void **state)
{
    static const struct avps_event_ops no_events = {NULL, NULL, NULL};
    static const struct avps_sys_ops no_sys = {NULL, NULL, NULL, NULL};
    const struct avps_port port = {.event = &no_events, .sys = &no_sys};

    test_driver_init(&d, TEST_MEM_REGIONS);
    struct avps_device_config base =
        test_driver_base(&d, test_fake_queues(0), TEST_FAKE_QUEUES, 256);
    base.port = &port;
    assert_int_equal(test_fake_init_with(&fake, &d, TEST_FAKE_ASYNC, &base), AVPS_OK);
    if (test_is_packed(state)) {
        test_driver_want(&d, AVPS_F_RING_PACKED);
    }
    test_driver_start(&d);
    struct test_request r = {.out = {{"ping", 4}}, .in = {4}};
    (void)test_driver_send(&d, 0, &r);
    test_driver_kick(&d, 0);
    (void)test_driver_poll(&d);
    test_fake_complete(&fake, 0); /* would wake */
    assert_int_equal(avps_device_now_ns(&fake.base), 0);
    (void)test_driver_poll(&d);
    assert_int_equal(queue_counters(0)->used, 1);
    off();
}

static void test_device_works_with_a_model_without_ops(void **state)
{
    power_on(TEST_MEM_REGIONS, TEST_FAKE_BARE);
    if (test_is_packed(state)) {
        test_driver_want(&d, AVPS_F_RING_PACKED);
    }
    test_driver_want(&d, AVPS_F_RING_RESET);
    test_driver_start(&d);
    echo(0);
    test_driver_kick(&d, 1); /* nobody wants what it supplies */
    assert_int_equal(test_driver_poll(&d), AVPS_POLL_IDLE);
    assert_true(test_driver_config(&d, 0, 8) == 0U);
    test_driver_config_set(&d, 0, 8, UINT64_MAX);
    assert_true(test_driver_config(&d, 0, 8) == 0U);
    test_driver_set(&d, TEST_QUEUE_SEL, 0);
    test_driver_set(&d, TEST_QUEUE_RESET, 1);
    test_driver_start(&d);
    echo(0);
    off();
}

/* A device that no transport shows to a driver: every call is harmless. */
static void test_device_is_harmless_without_a_transport(void **state)
{
    (void)state;
    power_on(TEST_MEM_REGIONS, TEST_FAKE_SYNC);
    const struct avps_transport_ops *transport = fake.base.transport;

    fake.base.transport = NULL;
    assert_int_equal(avps_poll(&fake.base, 1), AVPS_POLL_IDLE);
    avps_device_notify(&fake.base, 0);
    avps_device_flush(&fake.base, 0);
    avps_device_write_status(&fake.base, 1);
    avps_device_fault(&fake.base, AVPS_E_GUEST_DESC);
    fake.base.status |= TEST_S_DRIVER_OK;
    fake.base.status &= (uint8_t)~TEST_S_NEEDS_RESET;
    avps_device_fault(&fake.base, AVPS_E_GUEST_DESC);
    assert_int_equal(counters()->needs_reset, 2);
    assert_int_equal(queue_counters(0)->interrupts, 0);
    assert_int_equal(avps_reset(&fake.base), AVPS_OK);
    fake.base.transport = transport;
    off();
}

/* ---- features ---- */

/* [core-2.1] [core-2.3] [feat-1.1] I27: exactly what can be served, closed under needs */
static void test_device_offers_what_it_can_serve(void **state)
{
    static const unsigned int own[] = {
        AVPS_F_INDIRECT_DESC, AVPS_F_EVENT_IDX,         AVPS_F_VERSION_1,  AVPS_F_RING_PACKED,
        AVPS_F_IN_ORDER,      AVPS_F_NOTIFICATION_DATA, AVPS_F_RING_RESET, AVPS_F_SUSPEND,
        TEST_FAKE_F_PLAIN,    TEST_FAKE_F_NEEDS,        TEST_FAKE_F_ANY,   TEST_FAKE_F_OTHER,
        TEST_FAKE_F_BOTH,     TEST_FAKE_F_HIGH};
    struct avps_features expected = {{0}};

    (void)state;
    power_on(TEST_MEM_REGIONS, TEST_FAKE_SYNC);
    for (size_t i = 0; i < AVPS_COUNT_OF(own); i++) {
        avps_features_add(&expected, own[i]);
    }
    for (unsigned int bit = 0; bit < 128U; bit++) {
        assert_int_equal(test_driver_offers(&d, bit), avps_features_has(&expected, bit));
    }
    off();
}

/* [core-2.1]: what needs a withheld feature is not offered, either */
static void test_device_withholds_features_and_what_needs_them(void **state)
{
    (void)state;
    test_driver_init(&d, TEST_MEM_REGIONS);
    struct avps_device_config base =
        test_driver_base(&d, test_fake_queues(0), TEST_FAKE_QUEUES, 256);

    avps_features_add(&base.withhold, TEST_FAKE_F_PLAIN);
    avps_features_add(&base.withhold, AVPS_F_RING_PACKED);
    avps_features_add(&base.withhold, AVPS_F_VERSION_1); /* cannot be */
    assert_int_equal(test_fake_init_with(&fake, &d, TEST_FAKE_SYNC, &base), AVPS_OK);
    assert_false(test_driver_offers(&d, TEST_FAKE_F_PLAIN));
    assert_false(test_driver_offers(&d, TEST_FAKE_F_NEEDS));
    assert_true(test_driver_offers(&d, TEST_FAKE_F_ANY)); /* OTHER is still there */
    assert_false(test_driver_offers(&d, TEST_FAKE_F_BOTH));
    assert_false(test_driver_offers(&d, AVPS_F_RING_PACKED));
    assert_true(test_driver_offers(&d, AVPS_F_VERSION_1));
    assert_true(test_driver_offers(&d, AVPS_F_EVENT_IDX));
    off();
}

/* (d) row 30, [core-2.2] I27: each bit that is not offered is refused */
static void test_device_refuses_features_that_it_does_not_offer(void **state)
{
    (void)state;
    power_on(TEST_MEM_REGIONS, TEST_FAKE_SYNC);
    for (unsigned int bit = 0; bit < 128U; bit++) {
        if (test_driver_offers(&d, bit)) {
            continue;
        }
        d.want = (struct avps_features){{0}};
        test_driver_want(&d, AVPS_F_VERSION_1);
        test_driver_want(&d, bit);
        assert_false(test_driver_negotiate(&d));
        assert_int_equal(test_driver_get(&d, TEST_STATUS), TEST_S_ACKNOWLEDGE | TEST_S_DRIVER);
        assert_int_equal(avps_device_features(&fake.base)->word[1], 0);
    }
    assert_int_equal(counters()->refusals, d.port.events[AVPS_EVENT_FEATURES_REFUSED]);
    assert_int_equal(counters()->negotiations, 0);
    off();
}

/* (d) row 30, [feat-1.2] */
static void test_device_refuses_a_driver_without_version_1(void **state)
{
    (void)state;
    power_on(TEST_MEM_REGIONS, TEST_FAKE_SYNC);
    d.want = (struct avps_features){{0}};
    assert_false(test_driver_negotiate(&d));
    test_driver_want(&d, TEST_FAKE_F_PLAIN);
    assert_false(test_driver_negotiate(&d));
    test_driver_want(&d, AVPS_F_VERSION_1);
    assert_true(test_driver_negotiate(&d));
    off();
}

/* Needs of the fake's features, written out again. */
static bool is_consistent(uint32_t set)
{
    const bool plain = (set & 1U) != 0U;
    const bool needs = (set & 2U) != 0U;
    const bool any = (set & 4U) != 0U;
    const bool other = (set & 8U) != 0U;
    const bool both = (set & 16U) != 0U;

    return (!needs || plain) && (!any || plain || other) && (!both || (needs && (any || other)));
}

/* (d) row 30, [core-2.2] I27: every subset is accepted exactly if its needs are met */
static void test_device_judges_every_subset_by_its_needs(void **state)
{
    (void)state;
    power_on(TEST_MEM_REGIONS, TEST_FAKE_SYNC);
    for (uint32_t set = 0; set < 32U; set++) {
        d.want = (struct avps_features){{set, 1, 0, 0}};
        assert_int_equal(test_driver_negotiate(&d), is_consistent(set));
        if (is_consistent(set)) {
            assert_int_equal(avps_device_features(&fake.base)->word[0], set);
        }
    }
    off();
}

static void test_device_insists_on_a_required_feature(void **state)
{
    (void)state;
    power_on(TEST_MEM_REGIONS, TEST_FAKE_STRICT);
    assert_false(test_driver_negotiate(&d));
    test_driver_want(&d, TEST_FAKE_F_PLAIN);
    assert_true(test_driver_negotiate(&d));
    off();
}

static void test_device_lets_the_model_refuse_a_set(void **state)
{
    (void)state;
    power_on(TEST_MEM_REGIONS, TEST_FAKE_SYNC);
    fake.refuse_features = true;
    assert_false(test_driver_negotiate(&d));
    fake.refuse_features = false;
    assert_true(test_driver_negotiate(&d));
    off();
}

/* [feat-1.3] [feat-1.4]: offered and insisted on when the platform translates */
static void test_device_insists_on_access_platform_where_configured(void **state)
{
    (void)state;
    test_driver_init(&d, TEST_MEM_REGIONS);
    struct avps_device_config base =
        test_driver_base(&d, test_fake_queues(0), TEST_FAKE_QUEUES, 256);

    base.access_platform = true;
    base.order_platform = true;
    assert_int_equal(test_fake_init_with(&fake, &d, TEST_FAKE_SYNC, &base), AVPS_OK);
    assert_true(test_driver_offers(&d, AVPS_F_ACCESS_PLATFORM));
    assert_true(test_driver_offers(&d, AVPS_F_ORDER_PLATFORM));
    assert_false(test_driver_negotiate(&d));
    test_driver_want(&d, AVPS_F_ACCESS_PLATFORM);
    assert_true(test_driver_negotiate(&d)); /* without ORDER_PLATFORM, too */
    test_driver_want(&d, AVPS_F_ORDER_PLATFORM);
    assert_true(test_driver_negotiate(&d));
    off();
}

static void test_device_tells_what_it_offers(void **state)
{
    (void)state;
    power_on(TEST_MEM_REGIONS, TEST_FAKE_SYNC);
    for (unsigned int bit = 0; bit < 128U; bit++) {
        assert_int_equal(avps_features_has(avps_device_offered(&fake.base), bit),
                         test_driver_offers(&d, bit));
    }
    assert_true(avps_features_has(avps_device_offered(&fake.base), AVPS_F_VERSION_1));
    assert_false(avps_features_has(avps_device_offered(&fake.base), AVPS_F_ACCESS_PLATFORM));
    off();
}

/* [core-2.4]: the same set again and again, after resets */
static void test_device_accepts_the_same_set_after_every_reset(void **state)
{
    (void)state;
    power_on(TEST_MEM_REGIONS, TEST_FAKE_SYNC);
    test_driver_want_all(&d, true);
    for (int i = 0; i < 100; i++) {
        test_driver_start(&d);
        assert_memory_equal(avps_device_features(&fake.base), &d.want, sizeof d.want);
    }
    assert_int_equal(counters()->negotiations, 100);
    assert_int_equal(fake.activations, 100);
    off();
}

/* (d) row 31: only a reset renegotiates */
static void test_device_ignores_features_written_after_features_ok(void **state)
{
    (void)state;
    power_on(TEST_MEM_REGIONS, TEST_FAKE_SYNC);
    test_driver_start(&d);
    const struct avps_features before = *avps_device_features(&fake.base);
    for (uint32_t word = 0; word < 5U; word++) {
        test_driver_set(&d, TEST_DRIVER_FEATURES_SEL, word);
        test_driver_set(&d, TEST_DRIVER_FEATURES, 0xffffffffU);
    }
    test_driver_set(&d, TEST_STATUS, TEST_S_LIVE);
    assert_memory_equal(avps_device_features(&fake.base), &before, sizeof before);
    echo(0);
    off();
}

/* (d) row 46: words above 3 are dropped */
static void test_device_drops_feature_words_that_do_not_exist(void **state)
{
    (void)state;
    power_on(TEST_MEM_REGIONS, TEST_FAKE_SYNC);
    test_driver_set(&d, TEST_STATUS, TEST_S_ACKNOWLEDGE);
    test_driver_set(&d, TEST_STATUS, TEST_S_ACKNOWLEDGE | TEST_S_DRIVER);
    test_driver_set(&d, TEST_DRIVER_FEATURES_SEL, 1);
    test_driver_set(&d, TEST_DRIVER_FEATURES, 1);
    test_driver_set(&d, TEST_DRIVER_FEATURES_SEL, 4);
    test_driver_set(&d, TEST_DRIVER_FEATURES, 0xffffffffU);
    test_driver_set(&d, TEST_DRIVER_FEATURES_SEL, 0xffffffffU);
    test_driver_set(&d, TEST_DRIVER_FEATURES, 0xffffffffU);
    test_driver_set(&d, TEST_STATUS, 11);
    assert_int_equal(test_driver_get(&d, TEST_STATUS), 11);
    assert_int_equal(avps_device_features(&fake.base)->word[1], 1);
    off();
}

/* ---- status ---- */

/* The status after writing `value` to a device in `status`; VERSION_1 and SUSPEND are wanted. */
static uint32_t model(uint32_t status, uint32_t value)
{
    const bool suspend = (status & TEST_S_FEATURES_OK) != 0U;
    uint32_t now = status;

    if (value == 0U) {
        return 0;
    }
    now |= value & TEST_S_ACKNOWLEDGE;
    now |= (now & TEST_S_ACKNOWLEDGE) != 0U ? value & TEST_S_DRIVER : 0U;
    now |= (now & 3U) == 3U ? value & TEST_S_FEATURES_OK : 0U;
    if ((value & TEST_S_SUSPEND) != 0U && suspend &&
        (status & (TEST_S_DRIVER_OK | TEST_S_FAILED)) == TEST_S_DRIVER_OK) {
        return (now & ~TEST_S_DRIVER_OK) | TEST_S_SUSPEND | (value & TEST_S_FAILED);
    }
    if ((value & TEST_S_DRIVER_OK) != 0U && (now & TEST_S_FEATURES_OK) != 0U) {
        now = (now & ~TEST_S_SUSPEND) | TEST_S_DRIVER_OK;
    }
    return now | (value & TEST_S_FAILED);
}

static void want_and_write(uint32_t value)
{
    test_driver_set(&d, TEST_DRIVER_FEATURES_SEL, 1);
    test_driver_set(&d, TEST_DRIVER_FEATURES, 1U | 1U << (AVPS_F_SUSPEND - 32U));
    test_driver_set(&d, TEST_STATUS, value);
}

/* (d) rows 32, 33, 34, 37, 38, I16, [init-1.1]: every write after every write after every write of a
 * start ends where the model says; bits are never cleared, undefined and device bits never set */
static void test_device_status_follows_the_model(void **state)
{
    static const uint32_t starts[][5] = {{0, 0, 0, 0, 0},    {1, 0, 0, 0, 0},   {1, 3, 0, 0, 0},
                                         {1, 3, 11, 0, 0},   {1, 3, 11, 15, 0}, {1, 3, 11, 15, 31},
                                         {1, 3, 11, 15, 143}};

    (void)state;
    power_on(TEST_MEM_REGIONS, TEST_FAKE_SYNC);
    for (size_t s = 0; s < 7U; s++) {
        for (uint32_t first = 0; first < 256U; first++) {
            for (uint32_t second = 0; second < 256U; second += 5U) {
                uint32_t expected = 0;

                test_driver_set(&d, TEST_STATUS, 0);
                for (size_t i = 0; i < 5U && starts[s][i] != 0U; i++) {
                    want_and_write(starts[s][i]);
                    expected = model(expected, starts[s][i]);
                }
                assert_int_equal(test_driver_get(&d, TEST_STATUS), expected);
                want_and_write(first);
                expected = model(expected, first);
                assert_int_equal(test_driver_get(&d, TEST_STATUS), expected);
                want_and_write(second);
                expected = model(expected, second);
                assert_int_equal(test_driver_get(&d, TEST_STATUS), expected);
            }
        }
    }
    off();
}

/* (d) row 34: status is eight bits; higher ones are no reset and nothing else */
static void test_device_ignores_status_bits_above_eight(void **state)
{
    run(state, TEST_FAKE_SYNC);
    test_driver_set(&d, TEST_STATUS, 0x100);
    test_driver_set(&d, TEST_STATUS, 0xffffff00U);
    assert_int_equal(test_driver_get(&d, TEST_STATUS), TEST_S_LIVE);
    echo(0);
    off();
}

/* (d) row 33: writing a subset clears nothing */
static void test_device_never_clears_status_bits(void **state)
{
    run(state, TEST_FAKE_SYNC);
    for (uint32_t value = 1; value < 16U; value++) {
        test_driver_set(&d, TEST_STATUS, value);
        assert_int_equal(test_driver_get(&d, TEST_STATUS), TEST_S_LIVE);
    }
    echo(0);
    off();
}

/* (d) row 37: DEVICE_NEEDS_RESET belongs to the device */
static void test_device_ignores_needs_reset_written_by_the_driver(void **state)
{
    run(state, TEST_FAKE_SYNC);
    test_driver_set(&d, TEST_STATUS, TEST_S_LIVE | TEST_S_NEEDS_RESET);
    assert_int_equal(test_driver_get(&d, TEST_STATUS), TEST_S_LIVE);
    assert_int_equal(counters()->needs_reset, 0);
    echo(0);
    off();
}

/* (d) row 36: FAILED stops the queues until a reset */
static void test_device_stops_when_the_driver_fails(void **state)
{
    struct test_request r;

    run(state, TEST_FAKE_SYNC);
    test_driver_set(&d, TEST_STATUS, TEST_S_LIVE | TEST_S_FAILED);
    assert_int_equal(test_driver_get(&d, TEST_STATUS), TEST_S_LIVE | TEST_S_FAILED);
    (void)send(0, &r);
    assert_int_equal(test_driver_poll(&d), AVPS_POLL_IDLE);
    expect_none(0);
    assert_int_equal(fake.served, 0);
    expect_recovery();
    off();
}

/* (d) row 67: DRIVER_OK without any queue is legal and idle */
static void test_device_runs_without_queues(void **state)
{
    (void)state;
    power_on(TEST_MEM_REGIONS, TEST_FAKE_SYNC);
    d.queue_count = 0;
    test_driver_start(&d);
    for (uint32_t queue = 0; queue < 4U; queue++) {
        test_driver_set(&d, TEST_QUEUE_NOTIFY, queue);
    }
    assert_int_equal(test_driver_poll(&d), AVPS_POLL_IDLE);
    assert_int_equal(counters()->spurious_kicks, 4);
    off();
}

/* ---- configuration space ---- */

/* (d) row 42, [core-4.1]: readable from the first moment */
static void test_device_config_is_readable_before_features_ok(void **state)
{
    (void)state;
    power_on(TEST_MEM_REGIONS, TEST_FAKE_SYNC);
    for (uint32_t i = 0; i < TEST_FAKE_CONFIG; i++) {
        assert_int_equal(test_driver_config(&d, i, 1), 0x10U + i);
    }
    assert_int_equal(test_driver_config(&d, 0, 4), 0x13121110);
    assert_true(test_driver_config(&d, 8, 8) == UINT64_C(0x1f1e1d1c1b1a1918));
    off();
}

/* (d) row 40, I13: reads beyond the end give zeros, over the end what is there */
static void test_device_config_reads_zeros_outside(void **state)
{
    (void)state;
    power_on(TEST_MEM_REGIONS, TEST_FAKE_SYNC);
    assert_true(test_driver_config(&d, 16, 8) == 0x23222120U);
    assert_true(test_driver_config(&d, 24, 8) == 0U);
    assert_true(test_driver_config(&d, 20, 1) == 0U);
    assert_true(test_driver_config(&d, 0xff8, 8) == 0U);
    off();
}

/* (d) row 40, I13: a write over the end is dropped, all of it */
static void test_device_config_writes_only_inside(void **state)
{
    (void)state;
    power_on(TEST_MEM_REGIONS, TEST_FAKE_SYNC);
    test_driver_config_set(&d, 16, 8, 0);
    test_driver_config_set(&d, 20, 4, 0);
    test_driver_config_set(&d, 0x10000, 4, 0);
    assert_int_equal(fake.config_puts, 0);
    test_driver_config_set(&d, 16, 4, 0x44434241);
    test_driver_config_set(&d, 3, 1, 0x3ff);
    assert_int_equal(fake.config_puts, 2);
    assert_memory_equal(fake.config + 16, "ABCD", 4);
    assert_int_equal(fake.config[3], 0xff);
    assert_int_equal(fake.config[4], 0x14);
    off();
}

/* (d) row 43, [mmio-1.6]: each change moves the generation; the driver is told only when it runs */
static void test_device_config_change_is_announced(void **state)
{
    run(state, TEST_FAKE_SYNC);
    const uint32_t generation = test_driver_get(&d, TEST_CONFIG_GENERATION);

    fake.config[0] = 99;
    avps_device_config_changed(&fake.base);
    assert_int_equal(test_driver_get(&d, TEST_CONFIG_GENERATION), generation + 1U);
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 2);
    assert_true(d.port.level);
    assert_int_equal(test_driver_ack(&d), 2);
    test_driver_reset(&d);
    avps_device_config_changed(&fake.base);
    assert_int_equal(test_driver_get(&d, TEST_CONFIG_GENERATION), generation + 2U);
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 0);
    assert_int_equal(counters()->config_interrupts, 1);
    off();
}

/* ---- doorbells and polls ---- */

static void test_device_serves_every_queue(void **state)
{
    for (int mem = 0; mem < TEST_MEM_KINDS; mem++) {
        run_on(state, (enum test_mem_kind)mem, TEST_FAKE_SYNC);
        for (int i = 0; i < 40; i++) {
            echo((uint16_t)(i % 3));
            assert_int_equal(test_driver_ack(&d), 1);
        }
        assert_int_equal(queue_counters(1)->chains, 13);
        assert_int_equal(queue_counters(1)->used, 13);
        assert_int_equal(queue_counters(1)->bytes_read, 52);
        assert_int_equal(queue_counters(1)->written, 52);
        assert_int_equal(queue_counters(1)->kicks, 13);
        assert_int_equal(queue_counters(1)->interrupts, 13);
        off();
    }
}

/* Every feature at once. */
static void test_device_serves_with_all_features(void **state)
{
    for (int mem = 0; mem < TEST_MEM_KINDS; mem++) {
        power_on((enum test_mem_kind)mem, TEST_FAKE_ASYNC);
        test_driver_want_all(&d, test_is_packed(state));
        test_driver_start(&d);
        fake.complete_inside = true;
        for (int i = 0; i < 50; i++) {
            struct test_request r = {.out = {{"ping", 4}}, .in = {1, 3}, .indirect = i % 3 != 0};
            assert_int_equal(test_driver_do(&d, 0, &r), 4);
        }
        (void)test_ring_wants_kick(&d.ring[0]);
        struct test_request last = {.in = {4}};
        (void)test_driver_send(&d, 0, &last);
        assert_true(test_ring_wants_kick(&d.ring[0]));
        off();
    }
}

/* (d) row 27, [core-1.1]: what is made available before DRIVER_OK is served after it, not before;
 * then without a kick of its own [split-x7] [packed-x2] */
static void test_device_touches_nothing_before_driver_ok(void **state)
{
    struct test_request r;

    power_on(TEST_MEM_REGIONS, TEST_FAKE_SYNC);
    if (test_is_packed(state)) {
        test_driver_want(&d, AVPS_F_RING_PACKED);
    }
    assert_true(test_driver_negotiate(&d));
    assert_true(test_driver_queue(&d, 0, 8));
    const uint16_t id = send(0, &r);
    test_mem_freeze(&d.mem);
    assert_int_equal(test_driver_poll(&d), AVPS_POLL_IDLE);
    assert_int_equal(test_mem_changed(&d.mem, NULL, 0), 0);
    assert_int_equal(fake.served, 0);
    assert_int_equal(fake.works, 0);
    assert_int_equal(counters()->spurious_kicks, 1);
    test_driver_ok(&d);
    assert_int_equal(test_driver_poll(&d), AVPS_POLL_IDLE); /* needs no second kick */
    expect_used(0, id, 4);
    off();
}

/* (d) row 27, I5, [split-6.5]: any number in the doorbell */
static void test_device_ignores_doorbells_of_unknown_queues(void **state)
{
    static const uint32_t numbers[] = {3, 4, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff};

    run(state, TEST_FAKE_SYNC);
    for (size_t i = 0; i < 7U; i++) {
        test_driver_set(&d, TEST_QUEUE_NOTIFY, numbers[i]);
    }
    assert_false(avps_has_work(&fake.base));
    assert_int_equal(test_driver_poll(&d), AVPS_POLL_IDLE);
    assert_int_equal(counters()->spurious_kicks, 7);
    assert_int_equal(fake.served, 0);
    echo(0);
    off();
}

/* (d) row 27: doorbells of a queue that is not enabled, and with an empty ring */
static void test_device_ignores_doorbells_without_work(void **state)
{
    run(state, TEST_FAKE_SYNC);
    test_driver_set(&d, TEST_QUEUE_SEL, 1);
    test_driver_set(&d, TEST_QUEUE_READY, 0);
    test_driver_kick(&d, 1);
    test_driver_kick(&d, 0);
    assert_true(avps_has_work(&fake.base));
    assert_int_equal(test_driver_poll(&d), AVPS_POLL_IDLE);
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 0);
    assert_int_equal(queue_counters(0)->kicks, 1);
    assert_int_equal(queue_counters(1)->kicks, 0);
    assert_int_equal(counters()->spurious_kicks, 1);
    echo(0);
    off();
}

/* Doorbells that a reset overtook belong to no queue. */
static void test_device_counts_doorbells_before_a_reset_as_spurious(void **state)
{
    run(state, TEST_FAKE_SYNC);
    test_driver_kick(&d, 0);
    test_driver_kick(&d, 0);
    test_driver_start(&d);
    assert_int_equal(counters()->spurious_kicks, 2);
    echo(0);
    assert_int_equal(queue_counters(0)->kicks, 1);
    off();
}

/* (d) row 28, I22: a storm is one piece of work and one interrupt */
static void test_device_coalesces_a_storm_of_doorbells(void **state)
{
    struct test_request r;

    run(state, TEST_FAKE_SYNC);
    const uint16_t id = send(0, &r);
    for (int i = 0; i < 9999; i++) {
        test_driver_kick(&d, 0);
    }
    assert_int_equal(avps_poll(&fake.base, 64), AVPS_POLL_IDLE);
    assert_int_equal(fake.served, 1);
    assert_int_equal(queue_counters(0)->kicks, 10000);
    assert_int_equal(d.port.raised, 1);
    expect_used(0, id, 4);
    off();
}

/* (d) row 29: what NOTIFICATION_DATA says is no more than a hint */
static void test_device_distrusts_notification_data(void **state)
{
    struct test_request r;

    power_on(TEST_MEM_REGIONS, TEST_FAKE_SYNC);
    test_driver_want_all(&d, test_is_packed(state));
    test_driver_start(&d);
    for (uint32_t lie = 0; lie < 0x10000U; lie += 4369U) {
        r = (struct test_request){.out = {{"ping", 4}}, .in = {4}};
        const uint16_t id = test_driver_send(&d, 0, &r);
        test_driver_set(&d, TEST_QUEUE_NOTIFY, lie << 16);
        (void)test_driver_poll(&d);
        expect_used(0, id, 4);
    }
    test_driver_set(&d, TEST_QUEUE_NOTIFY, 0x12340000U | 9U); /* queue 9 does not exist */
    assert_int_equal(test_driver_poll(&d), AVPS_POLL_IDLE);
    assert_int_equal(counters()->spurious_kicks, 1);
    off();
}

/* I21, (d) row 28: no poll serves more than its budget */
static void test_device_poll_keeps_to_its_budget(void **state)
{
    struct test_request r[6];
    uint16_t ids[6];

    run(state, TEST_FAKE_SYNC);
    for (size_t i = 0; i < 6U; i++) {
        ids[i] = send(0, &r[i]);
    }
    assert_int_equal(avps_poll(&fake.base, 0), AVPS_POLL_IDLE);
    assert_int_equal(fake.served, 0);
    for (unsigned int i = 1; i <= 5U; i++) {
        assert_int_equal(avps_poll(&fake.base, 1), AVPS_POLL_MORE);
        assert_int_equal(fake.served, i);
        expect_used(0, ids[i - 1U], 4);
        expect_none(0);
    }
    assert_true(avps_has_work(&fake.base));
    assert_int_equal(avps_poll(&fake.base, 100), AVPS_POLL_IDLE);
    expect_used(0, ids[5], 4);
    off();
}

/* I21: a driver that refills during the poll cannot hold it */
static void test_device_poll_shares_among_queues(void **state)
{
    struct test_request r[5];
    struct test_request other;

    run(state, TEST_FAKE_SYNC);
    for (size_t i = 0; i < 5U; i++) {
        (void)send(0, &r[i]);
    }
    const uint16_t id = send(2, &other);
    assert_int_equal(avps_poll(&fake.base, 2), AVPS_POLL_MORE);
    assert_int_equal(fake.served, 3);
    expect_used(2, id, 4); /* not starved by queue 0 */
    off();
}

/* One interrupt for all that a poll served. */
static void test_device_sends_one_interrupt_per_batch(void **state)
{
    struct test_request r[4];

    run(state, TEST_FAKE_SYNC);
    for (size_t i = 0; i < 4U; i++) {
        (void)send(0, &r[i]);
    }
    const unsigned int ends = d.port.batch_ends;
    (void)avps_poll(&fake.base, 64);
    assert_int_equal(queue_counters(0)->interrupts, 1);
    assert_int_equal(queue_counters(0)->used, 4);
    assert_int_equal(d.port.batch_ends, ends + 1U);
    off();
}

/* I23: a poll from inside a request is refused */
static void test_device_poll_does_not_nest(void **state)
{
    run(state, TEST_FAKE_SYNC);
    fake.poll_inside = true;
    echo(0);
    assert_int_equal(fake.served, 1);
    off();
}

static void test_device_poll_serves_one_queue_alone(void **state)
{
    struct test_request r[2];

    run(state, TEST_FAKE_SYNC);
    const uint16_t id = send(0, &r[0]);
    (void)send(1, &r[1]);
    assert_int_equal(avps_poll_queue(&fake.base, 0, 64), AVPS_POLL_IDLE);
    assert_int_equal(fake.served, 1);
    expect_used(0, id, 4);
    expect_none(1);
    assert_int_equal(avps_poll_queue(&fake.base, 3, 64), AVPS_POLL_IDLE);
    assert_int_equal(avps_poll_queue(&fake.base, 1, 0), AVPS_POLL_IDLE);
    assert_int_equal(avps_poll_queue(NULL, 1, 1), AVPS_POLL_IDLE);
    assert_int_equal(avps_poll(NULL, 1), AVPS_POLL_IDLE);
    assert_int_equal(avps_poll_queue(&fake.base, 1, 1), AVPS_POLL_MORE);
    assert_int_equal(avps_poll_queue(&fake.base, 1, 1), AVPS_POLL_IDLE);
    off();
}

static void test_device_runs_background_work_while_live(void **state)
{
    run(state, TEST_FAKE_SYNC);
    fake.works = 0;
    fake.work_more = true;
    assert_int_equal(avps_poll(&fake.base, 8), AVPS_POLL_MORE);
    fake.work_more = false;
    assert_int_equal(avps_poll(&fake.base, 8), AVPS_POLL_IDLE);
    assert_int_equal(fake.works, 2);
    test_driver_reset(&d);
    assert_int_equal(avps_poll(&fake.base, 8), AVPS_POLL_IDLE);
    assert_int_equal(fake.works, 2);
    off();
}

/* Fast doorbells are installed and removed with the queue. */
static void test_device_attaches_fast_doorbells_to_live_queues(void **state)
{
    run(state, TEST_FAKE_SYNC);
    assert_int_equal(d.port.attached[0], 1);
    assert_int_equal(d.port.detached[0], 0);
    test_driver_set(&d, TEST_QUEUE_SEL, 0);
    test_driver_set(&d, TEST_QUEUE_RESET, 1);
    assert_int_equal(d.port.detached[0], 1);
    assert_int_equal(d.port.detached[1], 0);
    test_driver_reset(&d);
    assert_int_equal(d.port.detached[0], 1);
    assert_int_equal(d.port.detached[1], 1);
    off();
}

/* ---- faults ---- */

static void expect_fault(enum avps_fault_class class)
{
    struct test_request r;

    assert_int_equal(test_driver_poll(&d), AVPS_POLL_IDLE);
    test_driver_assert_faulted(&d);
    assert_int_equal(counters()->faults[class], 1);
    assert_int_equal(counters()->needs_reset, 1);
    assert_int_equal(counters()->config_interrupts, 1);
    assert_int_equal(d.port.events[AVPS_EVENT_DEVICE_FAULT], 1);
    assert_int_equal(d.port.events[AVPS_EVENT_QUEUE_FAULT], 1);
    const unsigned int served = fake.served;
    (void)send(1, &r); /* the other queues have stopped, too */
    assert_int_equal(test_driver_poll(&d), AVPS_POLL_IDLE);
    assert_int_equal(fake.served, served);
    expect_recovery();
    assert_int_equal(counters()->needs_reset, 1);
}

/* I19, [core-1.2] [core-1.3]: a malformed chain latches the device until a reset */
static void test_device_latches_a_malformed_chain(void **state)
{
    for (int mem = 0; mem < TEST_MEM_KINDS; mem++) {
        run_on(state, (enum test_mem_kind)mem, TEST_FAKE_SYNC);
        const struct test_desc bad[] = {{TEST_RAM_GPA, 4, TEST_WRITE}, {TEST_RAM_GPA, 4, 0}};
        (void)test_ring_add(&d.ring[0], bad, 2);
        test_driver_kick(&d, 0);
        expect_fault(AVPS_FAULT_DESC);
        off();
    }
}

/* (d) row 15 at the device */
static void test_device_latches_an_address_outside_memory(void **state)
{
    for (int mem = 0; mem < TEST_MEM_KINDS; mem++) {
        run_on(state, (enum test_mem_kind)mem, TEST_FAKE_SYNC);
        const struct test_desc bad[] = {{TEST_HOLE_GPA, 4, 0}, {TEST_RAM_GPA, 4, TEST_WRITE}};
        (void)test_ring_add(&d.ring[0], bad, 2);
        test_driver_kick(&d, 0);
        expect_fault(AVPS_FAULT_ADDR);
        off();
    }
}

/* [split-2.1]: a device never writes where it may only read */
static void test_device_latches_a_write_to_read_only_memory(void **state)
{
    for (int mem = 0; mem < TEST_MEM_KINDS; mem++) {
        run_on(state, (enum test_mem_kind)mem, TEST_FAKE_SYNC);
        const struct test_desc bad[] = {{TEST_RAM_GPA, 4, 0}, {TEST_ROM_GPA, 4, TEST_WRITE}};
        (void)test_ring_add(&d.ring[0], bad, 2);
        test_driver_kick(&d, 0);
        expect_fault(AVPS_FAULT_ACCESS);
        off();
    }
}

static void latch_answer(void **state, enum test_fake_kind kind, enum avps_status status,
                         enum avps_fault_class class)
{
    struct test_request r;

    run(state, kind);
    fake.answer = status;
    (void)send(0, &r);
    expect_fault(class);
    off();
}

/* I20: what a model cannot answer latches, from its own storage or the queue's */
static void test_device_latches_an_unanswerable_request(void **state)
{
    latch_answer(state, TEST_FAKE_SYNC, AVPS_E_GUEST_SIZE, AVPS_FAULT_SIZE);
    latch_answer(state, TEST_FAKE_SYNC, AVPS_E_GUEST_PROTOCOL, AVPS_FAULT_PROTOCOL);
    latch_answer(state, TEST_FAKE_ASYNC, AVPS_E_GUEST_SIZE, AVPS_FAULT_SIZE);
    latch_answer(state, TEST_FAKE_ASYNC, AVPS_E_GUEST_PROTOCOL, AVPS_FAULT_PROTOCOL);
}

/* Requests before the bad one have been answered and told. */
static void test_device_publishes_what_preceded_a_fault(void **state)
{
    struct test_request r;
    const struct test_desc bad[] = {{TEST_HOLE_GPA, 4, 0}};

    run(state, TEST_FAKE_SYNC);
    const uint16_t id = send(0, &r);
    (void)test_ring_add(&d.ring[0], bad, 1);
    (void)test_driver_poll(&d);
    expect_used(0, id, 4);
    expect_none(0);
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 3);
    test_driver_assert_faulted(&d);
    off();
}

/* A second fault is counted but told once. */
static void test_device_tells_of_a_fault_once(void **state)
{
    run(state, TEST_FAKE_SYNC);
    avps_device_fault(&fake.base, AVPS_E_GUEST_DESC);
    avps_device_fault(&fake.base, AVPS_E_GUEST_SIZE);
    assert_int_equal(counters()->needs_reset, 1);
    assert_int_equal(counters()->config_interrupts, 1);
    assert_int_equal(counters()->faults[AVPS_FAULT_DESC], 1);
    assert_int_equal(counters()->faults[AVPS_FAULT_SIZE], 1);
    avps_device_config_changed(&fake.base); /* not live: no notification */
    assert_int_equal(counters()->config_interrupts, 1);
    off();
}

/* [core-1.3]: without DRIVER_OK there is nobody to notify */
static void test_device_fault_before_driver_ok_sends_no_interrupt(void **state)
{
    (void)state;
    power_on(TEST_MEM_REGIONS, TEST_FAKE_SYNC);
    assert_true(test_driver_negotiate(&d));
    avps_device_fault(&fake.base, AVPS_E_GUEST_DESC);
    assert_int_equal(test_driver_get(&d, TEST_STATUS), 11U | TEST_S_NEEDS_RESET);
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 0);
    off();
}

/* I35: a fault of one device leaves another alone */
static void test_device_fault_leaves_other_devices_alone(void **state)
{
    static struct test_driver other;
    static struct test_fake neighbour;
    const struct test_desc bad[] = {{TEST_HOLE_GPA, 4, 0}};

    test_driver_init(&other, TEST_MEM_REGIONS);
    const struct avps_device_config base =
        test_driver_base(&other, test_fake_queues(1), TEST_FAKE_QUEUES, 256);
    assert_int_equal(test_fake_init_with(&neighbour, &other, TEST_FAKE_SYNC, &base), AVPS_OK);
    test_driver_start(&other);
    run(state, TEST_FAKE_SYNC);
    (void)test_ring_add(&d.ring[0], bad, 1);
    test_driver_kick(&d, 0);
    (void)test_driver_poll(&d);
    test_driver_assert_faulted(&d);
    struct test_request r = {.out = {{"pong", 4}}, .in = {4}};
    assert_int_equal(test_driver_do(&other, 0, &r), 4);
    assert_int_equal(test_driver_get(&other, TEST_STATUS), TEST_S_LIVE);
    off();
    test_driver_free(&other);
}

/* A host failure is counted; the request returns with what was written. */
static void test_device_returns_a_request_that_the_host_failed(void **state)
{
    struct test_request r;

    run(state, TEST_FAKE_SYNC);
    fake.answer = AVPS_E_IO;
    const uint16_t id = send(0, &r);
    (void)test_driver_poll(&d);
    expect_used(0, id, 0);
    assert_int_equal(queue_counters(0)->port_errors, 1);
    assert_int_equal(test_driver_get(&d, TEST_STATUS), TEST_S_LIVE);
    fake.answer = AVPS_OK;
    echo(0);
    off();
}

/* AVPS_AGAIN: put back as if never taken, also in the counters, and tried again when told */
static void test_device_puts_back_what_cannot_be_served_now(void **state)
{
    static const enum test_fake_kind kinds[] = {TEST_FAKE_SYNC, TEST_FAKE_ASYNC};

    for (size_t k = 0; k < 2U; k++) {
        struct test_request r;

        run(state, kinds[k]);
        fake.complete_inside = true;
        fake.answer = AVPS_AGAIN;
        const uint16_t id = send(0, &r);
        assert_int_equal(test_driver_poll(&d), AVPS_POLL_IDLE);
        expect_none(0);
        assert_int_equal(queue_counters(0)->chains, 0);
        assert_int_equal(queue_counters(0)->bytes_read, 0);
        fake.answer = AVPS_OK;
        const unsigned int wakes = d.port.wakes;
        avps_device_retry(&fake.base, 0);
        assert_int_equal(d.port.wakes, wakes + 1U);
        assert_int_equal(test_driver_poll(&d), AVPS_POLL_IDLE);
        expect_used(0, id, 4);
        assert_int_equal(queue_counters(0)->chains, 1);
        off();
    }
}

/* ... with those that were taken behind it, so that none overtakes it */
static void test_device_puts_back_what_was_taken_behind_it(void **state)
{
    struct test_request r[5];
    uint16_t ids[5];

    run(state, TEST_FAKE_ASYNC);
    fake.answer = AVPS_AGAIN;
    for (size_t i = 0; i < 5U; i++) {
        ids[i] = send(0, &r[i]);
    }
    assert_int_equal(test_driver_poll(&d), AVPS_POLL_IDLE);
    assert_int_equal(fake.served, 1);
    assert_int_equal(queue_counters(0)->chains, 0);
    assert_int_equal(queue_counters(0)->bytes_read, 0);
    fake.answer = AVPS_OK;
    avps_device_retry(&fake.base, 0);
    assert_int_equal(test_driver_poll(&d), AVPS_POLL_PENDING);
    assert_int_equal(fake.kept_count, 5);
    for (size_t i = 0; i < 5U; i++) {
        test_fake_complete(&fake, 0); /* the oldest: in the order of the ring */
        (void)test_driver_poll(&d);
        expect_used(0, ids[i], 4);
    }
    assert_int_equal(queue_counters(0)->chains, 5);
    off();
}

/* I20: nothing that was taken behind an unanswerable request stays in flight */
static void test_device_serves_nothing_behind_an_unanswerable_request(void **state)
{
    struct test_request r[3];

    run(state, TEST_FAKE_ASYNC);
    fake.answer = AVPS_E_GUEST_SIZE;
    for (size_t i = 0; i < 3U; i++) {
        (void)send(0, &r[i]);
    }
    (void)test_driver_poll(&d);
    assert_int_equal(fake.served, 1);
    assert_int_equal(fake.base.queues[0].vq.in_flight, 0);
    assert_null(fake.base.queues[0].first);
    expect_none(0);
    test_driver_assert_faulted(&d);
    expect_recovery();
    off();
}

/* What was taken before a malformed chain is answered as if that had not been looked at. */
static void test_device_answers_what_was_taken_before_a_malformed_chain(void **state)
{
    const struct test_desc bad[] = {{TEST_RAM_GPA, 4, TEST_WRITE}, {TEST_RAM_GPA, 4, 0}};
    struct test_request r[2];
    uint16_t ids[2];

    run(state, TEST_FAKE_ASYNC);
    fake.complete_inside = true;
    ids[0] = send(0, &r[0]);
    ids[1] = send(0, &r[1]);
    (void)test_ring_add(&d.ring[0], bad, 2);
    assert_int_equal(test_driver_poll(&d), AVPS_POLL_IDLE);
    expect_used(0, ids[0], 4);
    expect_used(0, ids[1], 4);
    expect_none(0);
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 3);
    test_driver_assert_faulted(&d);
    off();
}

/* ---- asynchronous requests ---- */

static void test_device_keeps_requests_in_flight(void **state)
{
    for (int mem = 0; mem < TEST_MEM_KINDS; mem++) {
        struct test_request r[4];
        uint16_t ids[4];
        static const size_t order[] = {2, 0, 1, 0};
        static const size_t which[] = {2, 0, 3, 1};

        run_on(state, (enum test_mem_kind)mem, TEST_FAKE_ASYNC);
        for (size_t i = 0; i < 4U; i++) {
            ids[i] = send(0, &r[i]);
        }
        assert_int_equal(test_driver_poll(&d), AVPS_POLL_PENDING);
        assert_int_equal(avps_poll_queue(&fake.base, 0, 1), AVPS_POLL_PENDING);
        assert_int_equal(fake.kept_count, 4);
        expect_none(0);
        for (size_t i = 0; i < 4U; i++) {
            const unsigned int wakes = d.port.wakes;
            test_fake_complete(&fake, order[i]);
            assert_int_equal(d.port.wakes, wakes + 1U);
            expect_none(0); /* published by the poll */
            assert_int_equal(test_driver_poll(&d), i == 3U ? AVPS_POLL_IDLE : AVPS_POLL_PENDING);
            expect_used(0, ids[which[i]], 4);
        }
        off();
    }
}

/* (d) row 56, [feat-1.5]: with IN_ORDER buffers come back as they were made available */
static void test_device_returns_in_order_when_negotiated(void **state)
{
    struct test_request r[4];
    uint16_t ids[4];

    power_on(TEST_MEM_REGIONS, TEST_FAKE_ASYNC);
    test_driver_want(&d, AVPS_F_IN_ORDER);
    if (test_is_packed(state)) {
        test_driver_want(&d, AVPS_F_RING_PACKED);
    }
    test_driver_start(&d);
    for (size_t i = 0; i < 4U; i++) {
        ids[i] = send(0, &r[i]);
    }
    (void)test_driver_poll(&d);
    test_fake_complete(&fake, 3);
    test_fake_complete(&fake, 1);
    assert_int_equal(test_driver_poll(&d), AVPS_POLL_PENDING);
    expect_none(0);
    test_fake_complete(&fake, 0); /* the first: it and the second go */
    (void)test_driver_poll(&d);
    expect_used(0, ids[0], 4);
    expect_used(0, ids[1], 4);
    expect_none(0);
    test_fake_complete(&fake, 0);
    assert_int_equal(test_driver_poll(&d), AVPS_POLL_IDLE);
    expect_used(0, ids[2], 4);
    expect_used(0, ids[3], 4);
    off();
}

/* [feat-1.5]: a request answered at once waits for those before it */
static void test_device_returns_in_order_what_is_answered_at_once(void **state)
{
    struct test_request r[2];

    power_on(TEST_MEM_REGIONS, TEST_FAKE_ASYNC);
    test_driver_want(&d, AVPS_F_IN_ORDER);
    if (test_is_packed(state)) {
        test_driver_want(&d, AVPS_F_RING_PACKED);
    }
    test_driver_start(&d);
    const uint16_t first = send(0, &r[0]);
    (void)test_driver_poll(&d);
    fake.answer = AVPS_E_IO; /* answered at once, with nothing written */
    const uint16_t second = send(0, &r[1]);
    assert_int_equal(test_driver_poll(&d), AVPS_POLL_PENDING);
    expect_none(0);
    fake.answer = AVPS_OK;
    test_fake_complete(&fake, 0);
    (void)test_driver_poll(&d);
    expect_used(0, first, 4);
    expect_used(0, second, 0);
    off();
}

/* I10, I11: a fixed pool; when it is empty the ring waits */
static void test_device_waits_when_no_request_is_free(void **state)
{
    struct test_request r[3];
    uint16_t ids[3];

    run(state, TEST_FAKE_ASYNC);
    fake.request_limit = 2;
    for (size_t i = 0; i < 3U; i++) {
        ids[i] = send(0, &r[i]);
    }
    assert_int_equal(test_driver_poll(&d), AVPS_POLL_PENDING);
    assert_int_equal(fake.kept_count, 2);
    test_fake_complete(&fake, 0);
    assert_int_equal(test_driver_poll(&d), AVPS_POLL_PENDING); /* takes the third: no kick needed */
    assert_int_equal(fake.kept_count, 2);
    expect_used(0, ids[0], 4);
    test_fake_complete(&fake, 0);
    test_fake_complete(&fake, 0);
    assert_int_equal(test_driver_poll(&d), AVPS_POLL_IDLE);
    expect_used(0, ids[1], 4);
    expect_used(0, ids[2], 4);
    off();
}

static void test_device_completes_inside_a_request(void **state)
{
    run(state, TEST_FAKE_ASYNC);
    fake.complete_inside = true;
    const unsigned int wakes = d.port.wakes;
    for (int i = 0; i < 20; i++) {
        echo(0);
    }
    assert_int_equal(d.port.wakes, wakes); /* inside a poll nobody need be woken */
    off();
}

/* A completion during the service of another queue: the poll asks to be called again. */
static void test_device_polls_again_for_a_completion_on_another_queue(void **state)
{
    struct test_request r[2];

    run(state, TEST_FAKE_ASYNC);
    const uint16_t first = send(0, &r[0]);
    assert_int_equal(avps_poll(&fake.base, 64), AVPS_POLL_PENDING);
    fake.complete_oldest = true;
    const uint16_t second = send(1, &r[1]);
    assert_int_equal(avps_poll(&fake.base, 64), AVPS_POLL_MORE);
    assert_int_equal(avps_poll(&fake.base, 64), AVPS_POLL_PENDING);
    expect_used(0, first, 4);
    test_fake_complete(&fake, 0);
    (void)test_driver_poll(&d);
    expect_used(1, second, 4);
    off();
}

/* I17: each use of a request's storage has a generation of its own */
static void test_device_counts_the_uses_of_a_request(void **state)
{
    struct test_request r;

    run(state, TEST_FAKE_ASYNC);
    fake.request_limit = 1;
    for (uint32_t i = 1; i <= 5U; i++) {
        (void)send(0, &r);
        (void)test_driver_poll(&d);
        assert_int_equal(fake.requests[0].generation, i);
        assert_true(fake.requests[0].busy);
        test_fake_complete(&fake, 0);
        assert_false(fake.requests[0].busy);
        (void)test_driver_poll(&d);
        expect_used(0, r.id, 4);
    }
    off();
}

/* ---- resets ---- */

/* (d) row 66, [core-3.1] [core-3.2] I17: after the reset nothing is touched any more */
static void test_device_reset_cancels_requests_in_flight(void **state)
{
    for (int mem = 0; mem < TEST_MEM_KINDS; mem++) {
        struct test_request r[3];

        run_on(state, (enum test_mem_kind)mem, TEST_FAKE_ASYNC);
        for (uint16_t i = 0; i < 3U; i++) {
            (void)send(i, &r[i]);
        }
        (void)test_driver_poll(&d);
        test_mem_freeze(&d.mem);
        test_driver_set(&d, TEST_STATUS, 0);
        assert_int_equal(test_driver_get(&d, TEST_STATUS), 0);
        assert_int_equal(fake.cancels, 1);
        assert_true(fake.last_cancel == AVPS_ALL_QUEUES);
        assert_int_equal(fake.resets, 1 + 1); /* the driver's start resets, too */
        assert_int_equal(test_mem_live_maps(&d.mem), 0);
        assert_int_equal(d.mem.pins, d.mem.unpins);
        test_driver_set(&d, TEST_QUEUE_NOTIFY, 0);
        assert_int_equal(test_driver_poll(&d), AVPS_POLL_IDLE);
        assert_int_equal(test_mem_changed(&d.mem, NULL, 0), 0);
        assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 0);
        assert_false(d.port.level);
        expect_recovery();
        off();
    }
}

/* (d) rows 35 and 66, I17: while a back end cannot cancel, the status is not 0 and stays so; its
 * completions are dropped; the last one completes the reset */
static void test_device_reset_waits_for_the_back_end(void **state)
{
    for (int mem = 0; mem < TEST_MEM_KINDS; mem++) {
        struct test_request r[2];

        run_on(state, (enum test_mem_kind)mem, TEST_FAKE_ASYNC);
        (void)send(0, &r[0]);
        (void)send(1, &r[1]);
        (void)test_driver_poll(&d);
        const uint64_t resets = counters()->resets;
        fake.cancel_answer = AVPS_PENDING;
        test_driver_set(&d, TEST_STATUS, 0);
        assert_int_not_equal(test_driver_get(&d, TEST_STATUS), 0);
        test_mem_freeze(&d.mem);
        test_driver_set(&d, TEST_STATUS, 0); /* again: nothing new */
        test_driver_set(&d, TEST_STATUS, TEST_S_LIVE | TEST_S_FAILED);
        assert_int_equal(fake.cancels, 1);
        test_driver_kick(&d, 2);
        assert_int_equal(test_driver_poll(&d), AVPS_POLL_PENDING);
        test_fake_complete(&fake, 1);
        assert_int_not_equal(test_driver_get(&d, TEST_STATUS), 0);
        assert_int_equal(counters()->resets, resets);
        test_fake_complete(&fake, 0);
        assert_int_equal(test_driver_get(&d, TEST_STATUS), 0);
        assert_int_equal(counters()->resets, resets + 1U);
        assert_int_equal(test_mem_changed(&d.mem, NULL, 0), 0);
        assert_int_equal(test_mem_live_maps(&d.mem), 0);
        assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 0);
        fake.cancel_answer = AVPS_OK;
        expect_recovery();
        off();
    }
}

/* A cancel that completes everything on the spot resets once, not twice. */
static void test_device_reset_happens_once_when_cancel_completes(void **state)
{
    static const enum avps_status answers[] = {AVPS_OK, AVPS_PENDING};

    for (size_t a = 0; a < 2U; a++) {
        struct test_request r[2];

        run(state, TEST_FAKE_ASYNC);
        (void)send(0, &r[0]);
        (void)send(1, &r[1]);
        (void)test_driver_poll(&d);
        const uint64_t resets = counters()->resets;
        const unsigned int model_resets = fake.resets;
        fake.cancel_completes = true;
        fake.cancel_answer = answers[a];
        test_driver_set(&d, TEST_STATUS, 0);
        if (answers[a] == AVPS_PENDING) { /* the fake completes only for AVPS_OK: do it here */
            test_fake_complete(&fake, 0);
            test_fake_complete(&fake, 0);
        }
        assert_int_equal(test_driver_get(&d, TEST_STATUS), 0);
        assert_int_equal(counters()->resets, resets + 1U);
        assert_int_equal(fake.resets, model_resets + 1U);
        assert_int_equal(d.port.events[AVPS_EVENT_RESET], resets + 1U);
        fake.cancel_answer = AVPS_OK;
        expect_recovery();
        off();
    }
}

/* The embedder's reset is the driver's. */
static void test_device_reset_by_the_embedder(void **state)
{
    struct test_request r;

    run(state, TEST_FAKE_ASYNC);
    (void)send(0, &r);
    (void)test_driver_poll(&d);
    assert_int_equal(avps_reset(NULL), AVPS_E_PARAM);
    fake.cancel_answer = AVPS_PENDING;
    assert_int_equal(avps_reset(&fake.base), AVPS_PENDING);
    test_fake_complete(&fake, 0);
    assert_int_equal(avps_device_status(&fake.base), 0);
    fake.cancel_answer = AVPS_OK;
    assert_int_equal(avps_reset(&fake.base), AVPS_OK);
    expect_recovery();
    off();
}

/* I17: one hundred lives, each ended in the middle of a request */
static void test_device_survives_a_hundred_resets_in_flight(void **state)
{
    struct test_request r;

    run_on(state, TEST_MEM_MAP, TEST_FAKE_ASYNC);
    for (int i = 0; i < 100; i++) {
        const size_t mark = test_mem_mark(&d.mem);
        (void)send(0, &r);
        (void)test_driver_poll(&d);
        assert_int_equal(test_mem_live_maps(&d.mem), 1);
        test_driver_start(&d);
        assert_int_equal(test_mem_live_maps(&d.mem), 0);
        test_mem_rewind(&d.mem, mark);
    }
    assert_int_equal(counters()->resets, 101);
    expect_recovery();
    off();
}

/* I17: with IN_ORDER, answered requests that wait for their turn are no reason to wait */
static void test_device_reset_waits_only_for_what_is_not_answered(void **state)
{
    struct test_request r[3];

    power_on(TEST_MEM_MAP, TEST_FAKE_ASYNC);
    test_driver_want(&d, AVPS_F_IN_ORDER);
    if (test_is_packed(state)) {
        test_driver_want(&d, AVPS_F_RING_PACKED);
    }
    test_driver_start(&d);
    for (size_t i = 0; i < 3U; i++) {
        (void)send(0, &r[i]);
    }
    (void)test_driver_poll(&d);
    test_fake_complete(&fake, 2);
    test_fake_complete(&fake, 1);
    assert_int_equal(test_mem_live_maps(&d.mem), 3);
    fake.cancel_answer = AVPS_PENDING;
    test_driver_set(&d, TEST_STATUS, 0);
    assert_int_not_equal(test_driver_get(&d, TEST_STATUS), 0);
    assert_int_equal(test_mem_live_maps(&d.mem), 1);
    test_fake_complete(&fake, 0);
    assert_int_equal(test_driver_get(&d, TEST_STATUS), 0);
    assert_int_equal(test_mem_live_maps(&d.mem), 0);
    fake.cancel_answer = AVPS_OK;
    expect_recovery();
    off();
}

/* I20: a request that turns out bad after it was kept latches like one refused at once */
static void test_device_abandons_a_kept_request(void **state)
{
    struct test_request r[2];

    run_on(state, TEST_MEM_MAP, TEST_FAKE_ASYNC);
    (void)send(0, &r[0]);
    (void)send(0, &r[1]);
    (void)test_driver_poll(&d);
    avps_device_abandon(&fake.base, fake.kept[1], AVPS_E_GUEST_SIZE);
    fake.kept_count = 1;
    assert_int_equal(test_mem_live_maps(&d.mem), 1);
    assert_int_equal(test_driver_get(&d, TEST_STATUS), TEST_S_LIVE | TEST_S_NEEDS_RESET);
    assert_int_equal(counters()->faults[AVPS_FAULT_SIZE], 1);
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 2);
    expect_none(0);
    expect_recovery();
    assert_int_equal(test_mem_live_maps(&d.mem), 0);
    off();
}

/* (d) row 24, I18, [core-5.1] [core-5.2] [mmio-1.10] [mmio-1.12] */
static void test_device_queue_reset_cancels_its_requests_only(void **state)
{
    for (int mem = 0; mem < TEST_MEM_KINDS; mem++) {
        struct test_request r[2];

        run_on(state, (enum test_mem_kind)mem, TEST_FAKE_ASYNC);
        (void)send(0, &r[0]);
        (void)send(1, &r[1]);
        (void)test_driver_poll(&d);
        test_driver_set(&d, TEST_QUEUE_SEL, 0);
        test_driver_set(&d, TEST_QUEUE_RESET, 1);
        assert_int_equal(test_driver_get(&d, TEST_QUEUE_RESET), 0);
        assert_int_equal(test_driver_get(&d, TEST_QUEUE_READY), 0);
        assert_int_equal(fake.last_cancel, 0);
        assert_int_equal(fake.queue_resets[0], 2); /* and at the start */
        assert_int_equal(fake.queue_resets[1], 1);
        assert_int_equal(fake.kept_count, 1);
        test_fake_complete(&fake, 0); /* the other queue goes on */
        (void)test_driver_poll(&d);
        expect_used(1, r[1].id, 4);
        expect_none(0);
        assert_int_equal(test_driver_get(&d, TEST_STATUS), TEST_S_LIVE);
        off();
    }
}

/* (d) row 24, [mmio-1.11] [mmio-1.12]: 1 as long as the reset is going on */
static void test_device_queue_reset_waits_for_the_back_end(void **state)
{
    for (int mem = 0; mem < TEST_MEM_KINDS; mem++) {
        struct test_request r[2];

        run_on(state, (enum test_mem_kind)mem, TEST_FAKE_ASYNC);
        (void)send(0, &r[0]);
        (void)test_driver_poll(&d);
        fake.cancel_answer = AVPS_PENDING;
        test_driver_set(&d, TEST_QUEUE_SEL, 0);
        test_driver_set(&d, TEST_QUEUE_RESET, 1);
        assert_int_equal(test_driver_get(&d, TEST_QUEUE_RESET), 1);
        test_driver_set(&d, TEST_QUEUE_RESET, 1); /* again, and attempts to use it */
        test_driver_set(&d, TEST_QUEUE_READY, 0);
        test_driver_set(&d, TEST_QUEUE_SIZE, 2);
        test_driver_set(&d, TEST_QUEUE_READY, 1);
        assert_int_equal(fake.cancels, 1);
        test_driver_kick(&d, 0);
        test_mem_freeze(&d.mem);
        assert_int_equal(test_driver_poll(&d), AVPS_POLL_PENDING);
        assert_int_equal(test_driver_get(&d, TEST_QUEUE_RESET), 1);
        test_fake_complete(&fake, 0);
        assert_int_equal(test_driver_get(&d, TEST_QUEUE_RESET), 0);
        assert_int_equal(test_driver_get(&d, TEST_QUEUE_READY), 0);
        assert_int_equal(test_mem_changed(&d.mem, NULL, 0), 0); /* neither used nor notified */
        assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 0);
        fake.cancel_answer = AVPS_OK;
        fake.complete_inside = true;
        assert_true(test_driver_queue(&d, 0, 16));
        echo(0);
        off();
    }
}

/* A cancel that completes everything on the spot resets the queue once. */
static void test_device_queue_reset_happens_once_when_cancel_completes(void **state)
{
    struct test_request r[2];

    run(state, TEST_FAKE_ASYNC);
    (void)send(0, &r[0]);
    (void)send(0, &r[1]);
    (void)test_driver_poll(&d);
    const unsigned int resets = fake.queue_resets[0];
    fake.cancel_completes = true;
    test_driver_set(&d, TEST_QUEUE_SEL, 0);
    test_driver_set(&d, TEST_QUEUE_RESET, 1);
    assert_int_equal(test_driver_get(&d, TEST_QUEUE_RESET), 0);
    assert_int_equal(fake.queue_resets[0], resets + 1U);
    expect_none(0);
    expect_recovery();
    off();
}

/* A full reset overtakes a queue reset that waits. */
static void test_device_reset_overtakes_a_queue_reset(void **state)
{
    struct test_request r;

    run(state, TEST_FAKE_ASYNC);
    (void)send(0, &r);
    (void)test_driver_poll(&d);
    fake.cancel_answer = AVPS_PENDING;
    test_driver_set(&d, TEST_QUEUE_SEL, 0);
    test_driver_set(&d, TEST_QUEUE_RESET, 1);
    test_driver_set(&d, TEST_STATUS, 0);
    assert_int_not_equal(test_driver_get(&d, TEST_STATUS), 0);
    test_driver_set(&d, TEST_QUEUE_RESET, 1);
    test_driver_set(&d, TEST_QUEUE_READY, 0);
    test_fake_complete(&fake, 0);
    assert_int_equal(test_driver_get(&d, TEST_STATUS), 0);
    assert_int_equal(test_driver_get(&d, TEST_QUEUE_RESET), 0);
    fake.cancel_answer = AVPS_OK;
    expect_recovery();
    off();
}

/* (d) row 25, [core-6.1]: enabled again with another size at another place */
static void test_device_queue_is_enabled_again_with_another_configuration(void **state)
{
    static const uint32_t sizes[] = {8, 64, 4, 256, 16};

    run(state, TEST_FAKE_SYNC);
    for (size_t i = 0; i < 5U; i++) {
        echo(1);
        test_driver_set(&d, TEST_QUEUE_SEL, 1);
        test_driver_set(&d, TEST_QUEUE_RESET, 1);
        test_ring_free(&d.ring[1]);
        assert_true(test_driver_queue(&d, 1, sizes[i]));
        assert_int_equal(fake.base.queues[1].vq.size, sizes[i]);
        echo(1);
        echo(0);
    }
    off();
}

/* (d) row 23, [mmio-1.7]: QueueReady reads 1 until the last request is back */
static void test_device_queue_stops_only_when_drained(void **state)
{
    struct test_request r;

    run(state, TEST_FAKE_ASYNC);
    (void)send(0, &r);
    (void)test_driver_poll(&d);
    fake.cancel_answer = AVPS_PENDING;
    test_driver_set(&d, TEST_QUEUE_SEL, 0);
    test_driver_set(&d, TEST_QUEUE_READY, 0);
    assert_int_equal(test_driver_get(&d, TEST_QUEUE_READY), 1);
    test_mem_freeze(&d.mem);
    test_fake_complete(&fake, 0);
    assert_int_equal(test_driver_get(&d, TEST_QUEUE_READY), 0);
    assert_int_equal(test_mem_changed(&d.mem, NULL, 0), 0);
    off();
}

/* A model without cancel holds nothing when it is reset. */
static void test_device_resets_a_model_without_cancel(void **state)
{
    struct test_request r;

    run(state, TEST_FAKE_STRICT);
    fake.answer = AVPS_AGAIN;
    (void)send(0, &r);
    (void)test_driver_poll(&d);
    test_driver_reset(&d);
    expect_recovery();
    off();
}

/* ---- suspend ---- */

#define SUSPENDED (TEST_S_ACKNOWLEDGE | TEST_S_DRIVER | TEST_S_FEATURES_OK | TEST_S_SUSPEND)

/* (d) row 38, [init-1.6] [init-1.7] [init-1.3]: an idle device suspends at once and resumes */
static void test_device_suspends_and_resumes(void **state)
{
    struct test_request r;

    run(state, TEST_FAKE_SYNC);
    echo(0);
    (void)test_driver_ack(&d);
    for (int i = 0; i < 3; i++) {
        test_driver_set(&d, TEST_STATUS, TEST_S_LIVE | TEST_S_SUSPEND);
        assert_int_equal(test_driver_get(&d, TEST_STATUS), SUSPENDED);
        const uint16_t id = send(0, &r);
        test_mem_freeze(&d.mem);
        assert_int_equal(test_driver_poll(&d), AVPS_POLL_IDLE);
        assert_int_equal(test_mem_changed(&d.mem, NULL, 0), 0);
        assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 0);
        test_driver_set(&d, TEST_STATUS, SUSPENDED | TEST_S_DRIVER_OK);
        assert_int_equal(test_driver_get(&d, TEST_STATUS), TEST_S_LIVE);
        (void)test_driver_poll(&d); /* needs no new doorbell */
        expect_used(0, id, 4);
        (void)test_driver_ack(&d);
    }
    assert_int_equal(fake.activations, 1); /* resuming is no new activation */
    assert_int_equal(d.port.events[AVPS_EVENT_SUSPENDED], 3);
    assert_int_equal(d.port.events[AVPS_EVENT_RESUMED], 3);
    off();
}

/* (d) row 39, [init-1.8]: first what is in flight, used and notified, then the bit */
static void test_device_suspends_when_requests_are_back(void **state)
{
    struct test_request r[3];

    run(state, TEST_FAKE_ASYNC);
    const uint16_t first = send(0, &r[0]);
    const uint16_t second = send(1, &r[1]);
    (void)test_driver_poll(&d);
    test_driver_set(&d, TEST_STATUS, TEST_S_LIVE | TEST_S_SUSPEND);
    assert_int_equal(test_driver_get(&d, TEST_STATUS), TEST_S_LIVE);
    test_driver_set(&d, TEST_STATUS, TEST_S_LIVE | TEST_S_SUSPEND); /* again */
    const uint16_t third = send(0, &r[2]);
    assert_int_equal(test_driver_poll(&d), AVPS_POLL_PENDING);
    assert_int_equal(fake.kept_count, 2); /* no more are taken */
    test_fake_complete(&fake, 1);
    expect_used(1, second, 4);
    assert_int_equal(test_driver_ack(&d), 1);
    assert_int_equal(test_driver_get(&d, TEST_STATUS), TEST_S_LIVE);
    test_fake_complete(&fake, 0);
    expect_used(0, first, 4);
    assert_int_equal(test_driver_ack(&d), 1);
    assert_int_equal(test_driver_get(&d, TEST_STATUS), SUSPENDED);
    test_driver_set(&d, TEST_STATUS, TEST_S_LIVE);
    (void)test_driver_poll(&d);
    test_fake_complete(&fake, 0);
    (void)test_driver_poll(&d);
    expect_used(0, third, 4);
    off();
}

/* [init-1.8]: what was completed but not yet published is published before the bit shows */
static void test_device_publishes_before_it_suspends(void **state)
{
    struct test_request r;

    run(state, TEST_FAKE_ASYNC);
    const uint16_t id = send(0, &r);
    (void)test_driver_poll(&d);
    test_fake_complete(&fake, 0);
    expect_none(0);
    test_driver_set(&d, TEST_STATUS, TEST_S_LIVE | TEST_S_SUSPEND);
    assert_int_equal(test_driver_get(&d, TEST_STATUS), SUSPENDED);
    expect_used(0, id, 4);
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 1);
    off();
}

/* (d) row 38, [init-1.1]: ignored without the feature, and before DRIVER_OK */
static void test_device_ignores_suspend_out_of_place(void **state)
{
    power_on(TEST_MEM_REGIONS, TEST_FAKE_SYNC);
    if (test_is_packed(state)) {
        test_driver_want(&d, AVPS_F_RING_PACKED);
    }
    test_driver_start(&d);
    test_driver_set(&d, TEST_STATUS, TEST_S_LIVE | TEST_S_SUSPEND);
    assert_int_equal(test_driver_get(&d, TEST_STATUS), TEST_S_LIVE);
    echo(0);
    test_driver_want(&d, AVPS_F_SUSPEND);
    assert_true(test_driver_negotiate(&d));
    test_driver_set(&d, TEST_STATUS, 11U | TEST_S_SUSPEND);
    assert_int_equal(test_driver_get(&d, TEST_STATUS), 11);
    off();
}

/* (d) row 39, [init-1.2]: writes to the configuration space are ignored while suspended */
static void test_device_ignores_configuration_writes_while_suspended(void **state)
{
    run(state, TEST_FAKE_SYNC);
    test_driver_set(&d, TEST_STATUS, TEST_S_LIVE | TEST_S_SUSPEND);
    test_driver_config_set(&d, 0, 4, 0);
    assert_int_equal(fake.config_puts, 0);
    test_driver_set(&d, TEST_STATUS, TEST_S_LIVE);
    test_driver_config_set(&d, 0, 4, 0);
    assert_int_equal(fake.config_puts, 1);
    off();
}

/* [init-1.3] [init-1.4] [init-1.5]: a change is shown and told at the resume, once */
static void test_device_owes_a_configuration_change_while_suspended(void **state)
{
    run(state, TEST_FAKE_SYNC);
    const uint32_t generation = test_driver_get(&d, TEST_CONFIG_GENERATION);

    test_driver_set(&d, TEST_STATUS, TEST_S_LIVE | TEST_S_SUSPEND);
    fake.config[0] = 99;
    avps_device_config_changed(&fake.base);
    avps_device_config_changed(&fake.base);
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 0);
    assert_int_equal(test_driver_config(&d, 0, 1), 0x10);
    assert_int_equal(test_driver_get(&d, TEST_CONFIG_GENERATION), generation);
    test_driver_set(&d, TEST_STATUS, TEST_S_LIVE);
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 2);
    assert_int_equal(test_driver_config(&d, 0, 1), 99);
    assert_int_not_equal(test_driver_get(&d, TEST_CONFIG_GENERATION), generation);
    assert_int_equal(counters()->config_interrupts, 1);
    (void)test_driver_ack(&d);
    test_driver_set(&d, TEST_STATUS, TEST_S_LIVE | TEST_S_SUSPEND);
    test_driver_set(&d, TEST_STATUS, TEST_S_LIVE);
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 0);
    off();
}

/* [init-1.5]: also a change while the device waits to be suspended */
static void test_device_owes_a_configuration_change_while_suspending(void **state)
{
    struct test_request r;

    run(state, TEST_FAKE_ASYNC);
    (void)send(0, &r);
    (void)test_driver_poll(&d);
    test_driver_set(&d, TEST_STATUS, TEST_S_LIVE | TEST_S_SUSPEND);
    avps_device_config_changed(&fake.base);
    test_fake_complete(&fake, 0);
    assert_int_equal(test_driver_get(&d, TEST_STATUS), SUSPENDED);
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 1);
    (void)test_driver_ack(&d);
    test_driver_set(&d, TEST_STATUS, TEST_S_LIVE);
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 2);
    off();
}

/* (d) row 39: reset out of a suspend, and out of one that waits */
static void test_device_reset_ends_a_suspend(void **state)
{
    struct test_request r;

    run(state, TEST_FAKE_ASYNC);
    test_driver_set(&d, TEST_STATUS, TEST_S_LIVE | TEST_S_SUSPEND);
    avps_device_config_changed(&fake.base); /* no longer owed after the reset */
    expect_recovery();
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS) & 2U, 0);
    (void)send(0, &r);
    (void)test_driver_poll(&d);
    test_driver_set(&d, TEST_STATUS, TEST_S_LIVE | TEST_S_SUSPEND);
    test_driver_reset(&d);
    expect_recovery();
    off();
}

/* ---- quiesce ---- */

/* Quiesced: nothing is taken, the rings are left alone; resumed: everything goes on. */
static void test_device_quiesces_and_resumes(void **state)
{
    struct test_request r[2];

    run(state, TEST_FAKE_ASYNC);
    const uint16_t first = send(0, &r[0]);
    (void)test_driver_poll(&d);
    assert_int_equal(avps_quiesce(NULL), AVPS_E_PARAM);
    assert_int_equal(avps_quiesce(&fake.base), AVPS_PENDING);
    const uint16_t second = send(0, &r[1]);
    assert_int_equal(test_driver_poll(&d), AVPS_POLL_PENDING);
    assert_int_equal(fake.kept_count, 1);
    test_fake_complete(&fake, 0);
    assert_int_equal(avps_quiesce(&fake.base), AVPS_OK); /* publishes, too */
    expect_used(0, first, 4);
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 1);
    test_driver_kick(&d, 0);
    test_driver_kick(&d, 1); /* a ring that asks for kicks must not be told otherwise now */
    test_mem_freeze(&d.mem);
    (void)test_driver_poll(&d);
    assert_int_equal(test_mem_changed(&d.mem, NULL, 0), 0);
    const unsigned int wakes = d.port.wakes;
    avps_resume(&fake.base);
    assert_int_equal(d.port.wakes, wakes + 1U);
    (void)test_driver_poll(&d);
    test_fake_complete(&fake, 0);
    (void)test_driver_poll(&d);
    expect_used(0, second, 4);
    off();
}

/* ---- supply and burst queues ---- */

static void test_device_supply_queue_is_the_models(void **state)
{
    struct avps_seg segs[4];
    struct avps_chain chain = {0};
    struct test_request r = {.in = {8}};

    run(state, TEST_FAKE_SUPPLY);
    avps_chain_init(&chain, segs, 4);
    assert_int_equal(avps_device_pop(&fake.base, 1, &chain), AVPS_EMPTY);
    assert_false(avps_device_starve(&fake.base, 1));
    const uint16_t id = test_driver_send(&d, 1, &r);
    assert_true(test_ring_wants_kick(&d.ring[1]));
    assert_true(avps_device_starve(&fake.base, 1)); /* it came in meanwhile */
    fake.supplies = 0;
    test_driver_kick(&d, 1);
    (void)test_driver_poll(&d);
    assert_int_equal(fake.supplies, 1);
    assert_int_equal(avps_device_pop(&fake.base, 1, &chain), AVPS_OK);
    avps_device_unpop(&fake.base, 1, &chain);
    assert_int_equal(queue_counters(1)->chains, 0);
    assert_int_equal(avps_device_pop(&fake.base, 1, &chain), AVPS_OK);
    assert_int_equal(avps_quiesce(&fake.base), AVPS_PENDING);
    avps_resume(&fake.base);
    assert_int_equal(avps_chain_write(&chain, "supplied", 8), AVPS_OK);
    avps_device_push(&fake.base, 1, &chain);
    assert_false(d.port.level);
    const unsigned int ends = d.port.batch_ends;
    avps_device_flush(&fake.base, 1);
    assert_true(d.port.level);
    assert_int_equal(d.port.batch_ends, ends + 1U); /* no poll will do it */
    expect_used(1, id, 8);
    assert_int_equal(queue_counters(1)->written, 8);
    off();
}

/* A supply queue that is not live gives nothing and asks for nothing. */
static void test_device_supply_queue_is_empty_unless_live(void **state)
{
    struct avps_seg segs[4];
    struct avps_chain chain = {0};
    struct test_request r = {.in = {8}};

    run(state, TEST_FAKE_SUPPLY);
    avps_chain_init(&chain, segs, 4);
    (void)test_driver_send(&d, 1, &r);
    test_driver_set(&d, TEST_STATUS, TEST_S_LIVE | TEST_S_SUSPEND);
    test_mem_freeze(&d.mem);
    assert_int_equal(avps_device_pop(&fake.base, 1, &chain), AVPS_EMPTY);
    assert_false(avps_device_starve(&fake.base, 1));
    avps_device_flush(&fake.base, 1);
    assert_int_equal(test_mem_changed(&d.mem, NULL, 0), 0);
    test_driver_set(&d, TEST_STATUS, TEST_S_LIVE);
    assert_int_equal(avps_quiesce(&fake.base), AVPS_OK);
    assert_int_equal(avps_device_pop(&fake.base, 1, &chain), AVPS_EMPTY);
    avps_resume(&fake.base);
    test_driver_set(&d, TEST_QUEUE_SEL, 1);
    test_driver_set(&d, TEST_QUEUE_READY, 0);
    assert_int_equal(avps_device_pop(&fake.base, 1, &chain), AVPS_EMPTY);
    avps_device_flush(&fake.base, 1);
    off();
}

/* I19: a bad buffer on a supply queue latches like any other */
static void test_device_supply_queue_latches_a_bad_buffer(void **state)
{
    struct avps_seg segs[4];
    struct avps_chain chain = {0};
    const struct test_desc bad[] = {{TEST_HOLE_GPA, 8, TEST_WRITE}};

    run(state, TEST_FAKE_SUPPLY);
    avps_chain_init(&chain, segs, 4);
    (void)test_ring_add(&d.ring[1], bad, 1);
    assert_int_equal(avps_device_pop(&fake.base, 1, &chain), AVPS_E_GUEST_ADDR);
    test_driver_assert_faulted(&d);
    assert_int_equal(avps_device_pop(&fake.base, 1, &chain), AVPS_EMPTY);
    assert_int_equal(counters()->faults[AVPS_FAULT_ADDR], 1);
    off();
}

static void test_device_refuses_a_chain_for_its_model(void **state)
{
    struct avps_seg segs[4];
    struct avps_chain chain = {0};
    struct test_request r = {.in = {8}};

    run_on(state, TEST_MEM_MAP, TEST_FAKE_SUPPLY);
    avps_chain_init(&chain, segs, 4);
    (void)test_driver_send(&d, 1, &r);
    assert_int_equal(avps_device_pop(&fake.base, 1, &chain), AVPS_OK);
    avps_device_refuse(&fake.base, 1, &chain, AVPS_E_GUEST_SIZE);
    assert_int_equal(test_mem_live_maps(&d.mem), 0);
    test_driver_assert_faulted(&d);
    assert_int_equal(counters()->faults[AVPS_FAULT_SIZE], 1);
    assert_false(avps_device_queue_is_live(&fake.base, 1));
    off();
}

/* I21: a burst queue within the budget */
static void test_device_serves_burst_queues_within_the_budget(void **state)
{
    struct test_request r[7];

    run(state, TEST_FAKE_SUPPLY);
    for (size_t i = 0; i < 7U; i++) {
        (void)send(2, &r[i]);
    }
    fake.bursts = 0;
    assert_int_equal(avps_poll(&fake.base, 3), AVPS_POLL_MORE);
    assert_int_equal(fake.served, 3);
    assert_int_equal(avps_poll(&fake.base, 100), AVPS_POLL_MORE);
    assert_int_equal(avps_poll(&fake.base, 100), AVPS_POLL_IDLE);
    assert_int_equal(fake.bursts, 3);
    for (size_t i = 0; i < 7U; i++) {
        expect_used(2, r[i].id, 4);
    }
    assert_int_equal(queue_counters(2)->chains, 7);
    assert_int_equal(queue_counters(2)->written, 28);
    off();
}

/* ---- a port that fails ---- */

/* AVPS_AGAIN or AVPS_E_IO while a chain is taken: tried again at the next poll */
static void test_device_tries_again_when_the_port_fails_a_pop(void **state)
{
    static const enum avps_status statuses[] = {AVPS_AGAIN, AVPS_E_IO};

    for (size_t s = 0; s < 2U; s++) {
        struct test_request r;

        run_on(state, TEST_MEM_MAP, TEST_FAKE_SYNC);
        const uint16_t id = send(0, &r);
        test_fail_at(&d.mem.fail, 1, statuses[s]); /* the map */
        assert_int_equal(avps_poll(&fake.base, 64), AVPS_POLL_PENDING);
        assert_true(avps_has_work(&fake.base));
        expect_none(0);
        assert_int_equal(queue_counters(0)->port_errors, s);
        assert_int_equal(avps_poll(&fake.base, 64), AVPS_POLL_IDLE);
        expect_used(0, id, 4);
        off();
    }
}

/* A used element that cannot be written: the driver would wait for ever, so it is told to reset. */
static void test_device_faults_when_a_used_element_cannot_be_written(void **state)
{
    struct test_request r;
    const bool packed = test_is_packed(state);

    run_on(state, TEST_MEM_COPY, TEST_FAKE_SYNC);
    (void)send(0, &r);
    /* suppress, avail.idx (split), entry (split), two descriptors, two times four echo copies */
    test_fail_at(&d.mem.fail, packed ? 1U + 4U + 8U + 1U : 1U + 2U + 2U + 8U + 1U, AVPS_E_IO);
    (void)test_driver_poll(&d);
    assert_int_equal(fake.served, 1);
    test_driver_assert_faulted(&d);
    assert_int_equal(queue_counters(0)->port_errors, 1);
    assert_int_equal(queue_counters(0)->used, 0);
    expect_recovery();
    off();
}

/* Whatever access fails once with AVPS_E_IO: the request is answered or the driver told to reset. */
static void test_device_loses_no_request_to_a_failing_port(void **state)
{
    for (int mem = TEST_MEM_TRANSLATE; mem < TEST_MEM_KINDS; mem++) {
        for (unsigned int n = 1; n < 40U; n++) {
            struct test_request r;
            struct test_used used = {0, 0};

            run_on(state, (enum test_mem_kind)mem, TEST_FAKE_SYNC);
            const uint16_t id = send(0, &r);
            test_fail_at(&d.mem.fail, n, AVPS_E_IO);
            for (int i = 0; i < 4; i++) {
                (void)test_driver_poll(&d);
            }
            const uint32_t status = test_driver_get(&d, TEST_STATUS);
            d.mem.fail.at = 0;
            if (test_driver_reap(&d, 0, &used)) {
                assert_int_equal(used.id, id);
                assert_true(used.len <= 4U);
                assert_int_not_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS) & 1U, 0);
                echo(0); /* and the next is served */
            } else {
                assert_int_equal(status, TEST_S_LIVE | TEST_S_NEEDS_RESET);
            }
            off();
        }
    }
}

/* (d) rows 18 and 59: rings in memory that cannot be written are a fault, not an endless poll */
static void test_device_faults_when_its_ring_cannot_be_written(void **state)
{
    power_on(TEST_MEM_COPY, TEST_FAKE_SYNC);
    if (test_is_packed(state)) {
        test_driver_want(&d, AVPS_F_RING_PACKED);
    }
    assert_true(test_driver_negotiate(&d));
    test_ring_init(&d.ring[0], &d.mem, test_is_packed(state), 8);
    d.ring[0].device = TEST_ROM_GPA;
    assert_true(test_driver_enable(&d, 0));
    test_driver_ok(&d);
    assert_int_equal(avps_poll(&fake.base, 64), AVPS_POLL_IDLE);
    test_driver_assert_faulted(&d);
    assert_int_equal(counters()->faults[AVPS_FAULT_ACCESS], 1);
    assert_int_equal(fake.served, 0);
    off();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_device_init_refuses_bad_configurations),
        cmocka_unit_test(test_device_takes_one_transport),
        cmocka_unit_test(test_device_tells_what_it_is),
        TEST_BOTH(test_device_works_without_a_port, NULL, NULL),
        TEST_BOTH(test_device_works_with_a_port_without_ops, NULL, NULL),
        TEST_BOTH(test_device_works_with_a_model_without_ops, NULL, NULL),
        cmocka_unit_test(test_device_is_harmless_without_a_transport),
        cmocka_unit_test(test_device_offers_what_it_can_serve),
        cmocka_unit_test(test_device_withholds_features_and_what_needs_them),
        cmocka_unit_test(test_device_refuses_features_that_it_does_not_offer),
        cmocka_unit_test(test_device_refuses_a_driver_without_version_1),
        cmocka_unit_test(test_device_judges_every_subset_by_its_needs),
        cmocka_unit_test(test_device_insists_on_a_required_feature),
        cmocka_unit_test(test_device_lets_the_model_refuse_a_set),
        cmocka_unit_test(test_device_insists_on_access_platform_where_configured),
        cmocka_unit_test(test_device_tells_what_it_offers),
        cmocka_unit_test(test_device_accepts_the_same_set_after_every_reset),
        cmocka_unit_test(test_device_ignores_features_written_after_features_ok),
        cmocka_unit_test(test_device_drops_feature_words_that_do_not_exist),
        cmocka_unit_test(test_device_status_follows_the_model),
        TEST_BOTH(test_device_ignores_status_bits_above_eight, NULL, NULL),
        TEST_BOTH(test_device_never_clears_status_bits, NULL, NULL),
        TEST_BOTH(test_device_ignores_needs_reset_written_by_the_driver, NULL, NULL),
        TEST_BOTH(test_device_stops_when_the_driver_fails, NULL, NULL),
        cmocka_unit_test(test_device_runs_without_queues),
        cmocka_unit_test(test_device_config_is_readable_before_features_ok),
        cmocka_unit_test(test_device_config_reads_zeros_outside),
        cmocka_unit_test(test_device_config_writes_only_inside),
        TEST_BOTH(test_device_config_change_is_announced, NULL, NULL),
        TEST_BOTH(test_device_serves_every_queue, NULL, NULL),
        TEST_BOTH(test_device_serves_with_all_features, NULL, NULL),
        TEST_BOTH(test_device_touches_nothing_before_driver_ok, NULL, NULL),
        TEST_BOTH(test_device_ignores_doorbells_of_unknown_queues, NULL, NULL),
        TEST_BOTH(test_device_ignores_doorbells_without_work, NULL, NULL),
        TEST_BOTH(test_device_counts_doorbells_before_a_reset_as_spurious, NULL, NULL),
        TEST_BOTH(test_device_coalesces_a_storm_of_doorbells, NULL, NULL),
        TEST_BOTH(test_device_distrusts_notification_data, NULL, NULL),
        TEST_BOTH(test_device_poll_keeps_to_its_budget, NULL, NULL),
        TEST_BOTH(test_device_poll_shares_among_queues, NULL, NULL),
        TEST_BOTH(test_device_sends_one_interrupt_per_batch, NULL, NULL),
        TEST_BOTH(test_device_poll_does_not_nest, NULL, NULL),
        TEST_BOTH(test_device_poll_serves_one_queue_alone, NULL, NULL),
        TEST_BOTH(test_device_runs_background_work_while_live, NULL, NULL),
        TEST_BOTH(test_device_attaches_fast_doorbells_to_live_queues, NULL, NULL),
        TEST_BOTH(test_device_latches_a_malformed_chain, NULL, NULL),
        TEST_BOTH(test_device_latches_an_address_outside_memory, NULL, NULL),
        TEST_BOTH(test_device_latches_a_write_to_read_only_memory, NULL, NULL),
        TEST_BOTH(test_device_latches_an_unanswerable_request, NULL, NULL),
        TEST_BOTH(test_device_publishes_what_preceded_a_fault, NULL, NULL),
        TEST_BOTH(test_device_tells_of_a_fault_once, NULL, NULL),
        cmocka_unit_test(test_device_fault_before_driver_ok_sends_no_interrupt),
        TEST_BOTH(test_device_fault_leaves_other_devices_alone, NULL, NULL),
        TEST_BOTH(test_device_returns_a_request_that_the_host_failed, NULL, NULL),
        TEST_BOTH(test_device_puts_back_what_cannot_be_served_now, NULL, NULL),
        TEST_BOTH(test_device_puts_back_what_was_taken_behind_it, NULL, NULL),
        TEST_BOTH(test_device_serves_nothing_behind_an_unanswerable_request, NULL, NULL),
        TEST_BOTH(test_device_answers_what_was_taken_before_a_malformed_chain, NULL, NULL),
        TEST_BOTH(test_device_keeps_requests_in_flight, NULL, NULL),
        TEST_BOTH(test_device_returns_in_order_when_negotiated, NULL, NULL),
        TEST_BOTH(test_device_returns_in_order_what_is_answered_at_once, NULL, NULL),
        TEST_BOTH(test_device_waits_when_no_request_is_free, NULL, NULL),
        TEST_BOTH(test_device_completes_inside_a_request, NULL, NULL),
        TEST_BOTH(test_device_polls_again_for_a_completion_on_another_queue, NULL, NULL),
        TEST_BOTH(test_device_counts_the_uses_of_a_request, NULL, NULL),
        TEST_BOTH(test_device_reset_cancels_requests_in_flight, NULL, NULL),
        TEST_BOTH(test_device_reset_waits_for_the_back_end, NULL, NULL),
        TEST_BOTH(test_device_reset_happens_once_when_cancel_completes, NULL, NULL),
        TEST_BOTH(test_device_reset_by_the_embedder, NULL, NULL),
        TEST_BOTH(test_device_survives_a_hundred_resets_in_flight, NULL, NULL),
        TEST_BOTH(test_device_reset_waits_only_for_what_is_not_answered, NULL, NULL),
        TEST_BOTH(test_device_abandons_a_kept_request, NULL, NULL),
        TEST_BOTH(test_device_queue_reset_cancels_its_requests_only, NULL, NULL),
        TEST_BOTH(test_device_queue_reset_waits_for_the_back_end, NULL, NULL),
        TEST_BOTH(test_device_queue_reset_happens_once_when_cancel_completes, NULL, NULL),
        TEST_BOTH(test_device_reset_overtakes_a_queue_reset, NULL, NULL),
        TEST_BOTH(test_device_queue_is_enabled_again_with_another_configuration, NULL, NULL),
        TEST_BOTH(test_device_queue_stops_only_when_drained, NULL, NULL),
        TEST_BOTH(test_device_resets_a_model_without_cancel, NULL, NULL),
        TEST_BOTH(test_device_suspends_and_resumes, NULL, NULL),
        TEST_BOTH(test_device_suspends_when_requests_are_back, NULL, NULL),
        TEST_BOTH(test_device_publishes_before_it_suspends, NULL, NULL),
        TEST_BOTH(test_device_ignores_suspend_out_of_place, NULL, NULL),
        TEST_BOTH(test_device_ignores_configuration_writes_while_suspended, NULL, NULL),
        TEST_BOTH(test_device_owes_a_configuration_change_while_suspended, NULL, NULL),
        TEST_BOTH(test_device_owes_a_configuration_change_while_suspending, NULL, NULL),
        TEST_BOTH(test_device_reset_ends_a_suspend, NULL, NULL),
        TEST_BOTH(test_device_quiesces_and_resumes, NULL, NULL),
        TEST_BOTH(test_device_supply_queue_is_the_models, NULL, NULL),
        TEST_BOTH(test_device_supply_queue_is_empty_unless_live, NULL, NULL),
        TEST_BOTH(test_device_supply_queue_latches_a_bad_buffer, NULL, NULL),
        TEST_BOTH(test_device_refuses_a_chain_for_its_model, NULL, NULL),
        TEST_BOTH(test_device_serves_burst_queues_within_the_budget, NULL, NULL),
        TEST_BOTH(test_device_tries_again_when_the_port_fails_a_pop, NULL, NULL),
        TEST_BOTH(test_device_faults_when_a_used_element_cannot_be_written, NULL, NULL),
        TEST_BOTH(test_device_loses_no_request_to_a_failing_port, NULL, NULL),
        TEST_BOTH(test_device_faults_when_its_ring_cannot_be_written, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
