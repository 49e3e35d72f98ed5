/* SPDX-License-Identifier: BSD-3-Clause */
/* The far register file: features and status -> memory -> queues started and stopped at a place ->
 * notifications -> configuration -> poll mode. */
#include "support/fake.h"

#include "avps/remote.h"

static struct test_driver d;
static struct test_fake fake;
static struct avps_remote remote;

static struct {
    unsigned int queue[TEST_FAKE_QUEUES];
    unsigned int config;
    unsigned int batch;
    unsigned int resets;
} told;

static void told_queue(void *ctx, uint16_t queue)
{
    assert_ptr_equal(ctx, &told);
    told.queue[queue]++;
}

static void told_config(void *ctx)
{
    assert_ptr_equal(ctx, &told);
    told.config++;
}

static void told_batch(void *ctx)
{
    assert_ptr_equal(ctx, &told);
    told.batch++;
}

static void told_reset(void *ctx)
{
    assert_ptr_equal(ctx, &told);
    told.resets++;
}

static const struct avps_remote_ops ops = {.notify_queue = told_queue,
                                           .notify_config = told_config,
                                           .batch_end = told_batch,
                                           .reset = told_reset};

/* A fake device whose transport is the far register file instead of MMIO. */
static void power_on(enum test_fake_kind kind)
{
    const struct avps_remote_config config = {.device = &fake.base, .ops = &ops, .ctx = &told};

    (void)memset(&told, 0, sizeof told);
    test_driver_init(&d, TEST_MEM_REGIONS);
    test_fake_init(&fake, &d, kind);
    fake.base.transport = NULL;
    assert_int_equal(avps_remote_init(&remote, &config), AVPS_OK);
}

static void negotiate(bool packed)
{
    struct avps_features set = {{0, 1, 0, 0}};

    if (packed) {
        avps_features_add(&set, AVPS_F_RING_PACKED);
    }
    assert_int_equal(avps_remote_write_features(&remote, &set), AVPS_OK);
    avps_remote_write_status(&remote, AVPS_S_ACKNOWLEDGE | AVPS_S_DRIVER | AVPS_S_FEATURES_OK);
    assert_int_equal(avps_device_status(&fake.base), 11);
}

static struct avps_remote_queue queue_of(const struct test_ring *ring)
{
    const struct avps_remote_queue queue = {.size = ring->size,
                                            .desc = ring->desc,
                                            .driver = ring->driver,
                                            .device = ring->device,
                                            .avail = {ring->avail, ring->avail_wrap},
                                            .used = {ring->used, ring->used_wrap}};
    return queue;
}

static void run(void **state, enum test_fake_kind kind)
{
    power_on(kind);
    negotiate(test_is_packed(state));
    test_ring_init(&d.ring[0], &d.mem, test_is_packed(state), 8);
    const struct avps_remote_queue queue = queue_of(&d.ring[0]);

    assert_int_equal(avps_remote_start_queue(&remote, 0, &queue), AVPS_OK);
    assert_true(avps_remote_queue_is_enabled(&remote, 0));
    avps_remote_write_status(&remote, AVPS_S_DRIVER_OK);
    (void)avps_poll(&fake.base, 16);
}

static void off(void)
{
    test_driver_free(&d);
}

/* Make an echo of four bytes available and ring. */
static uint16_t send(void)
{
    const avps_gpa out = test_mem_alloc(&d.mem, 4, 1);
    const avps_gpa in = test_mem_alloc(&d.mem, 4, 1);
    const struct test_desc table[] = {{out, 4, 0}, {in, 4, TEST_WRITE}};
    const uint16_t id = test_ring_add(&d.ring[0], table, 2);

    avps_kick(&fake.base, 0, 0);
    (void)avps_poll(&fake.base, 16);
    return id;
}

static void expect_used(uint16_t id)
{
    struct test_used used;

    assert_true(test_ring_reap(&d.ring[0], &used));
    assert_int_equal(used.id, id);
    assert_int_equal(used.len, 4);
}

/* ---- features and status ---- */

static void test_remote_shows_what_is_offered(void **state)
{
    struct avps_features set;

    (void)state;
    power_on(TEST_FAKE_SYNC);
    avps_remote_read_features(&remote, &set);
    assert_true(avps_features_has(&set, AVPS_F_VERSION_1));
    assert_true(avps_features_has(&set, TEST_FAKE_F_HIGH));
    assert_false(avps_features_has(&set, TEST_FAKE_F_WITHHELD));
    assert_int_equal(avps_remote_queue_count(&remote), TEST_FAKE_QUEUES);
    assert_int_equal(avps_remote_queue_size_max(&remote), 256);
    off();
}

/* [core-2.2] and all 128 bits count */
static void test_remote_judges_features_at_features_ok(void **state)
{
    struct avps_features set = {{0, 1, 1, 0}}; /* bit 64 was never offered */

    (void)state;
    power_on(TEST_FAKE_SYNC);
    assert_int_equal(avps_remote_write_features(&remote, &set), AVPS_OK);
    avps_remote_write_status(&remote, 11);
    assert_int_equal(avps_device_status(&fake.base), 3);
    set.word[2] = 0;
    avps_features_add(&set, TEST_FAKE_F_HIGH);
    assert_int_equal(avps_remote_write_features(&remote, &set), AVPS_OK);
    avps_remote_write_status(&remote, 11);
    assert_int_equal(avps_device_status(&fake.base), 11);
    assert_int_equal(avps_remote_write_features(&remote, &set), AVPS_E_STATE);
    avps_remote_write_status(&remote, 0);
    assert_int_equal(avps_device_status(&fake.base), 0);
    assert_int_equal(told.resets, 1);
    off();
}

static void test_remote_needs_its_operations_and_is_alone(void **state)
{
    const struct avps_remote_ops none = {.notify_queue = told_queue};
    struct avps_remote_config config = {.device = &fake.base, .ops = &ops, .ctx = &told};

    (void)state;
    power_on(TEST_FAKE_SYNC);
    assert_int_equal(avps_remote_init(&remote, &config), AVPS_E_STATE);
    config.ops = &none;
    assert_int_equal(avps_remote_init(&remote, &config), AVPS_E_PARAM);
    config.ops = NULL;
    assert_int_equal(avps_remote_init(&remote, &config), AVPS_E_PARAM);
    assert_int_equal(avps_remote_init(&remote, NULL), AVPS_E_PARAM);
    off();
}

/* ---- memory ---- */

static void test_remote_memory_changes_only_without_queues(void **state)
{
    struct avps_mem other = d.mem.handle;
    const struct avps_mem empty = {0};
    struct avps_remote_position at;

    run(state, TEST_FAKE_SYNC);
    other = d.mem.handle;
    assert_int_equal(avps_remote_set_mem(&remote, &other), AVPS_E_STATE);
    assert_int_equal(avps_remote_set_mem(&remote, &empty), AVPS_E_PARAM);
    assert_int_equal(avps_remote_set_mem(&remote, NULL), AVPS_E_PARAM);
    assert_int_equal(avps_remote_stop_queue(&remote, 0, &at), AVPS_OK);
    assert_int_equal(avps_remote_set_mem(&remote, &other), AVPS_OK);
    off();
}

/* ---- queues ---- */

static void test_remote_starts_no_queue_that_cannot_be(void **state)
{
    power_on(TEST_FAKE_SYNC);
    test_ring_init(&d.ring[0], &d.mem, test_is_packed(state), 8);
    struct avps_remote_queue queue = queue_of(&d.ring[0]);

    assert_int_equal(avps_remote_start_queue(&remote, 0, &queue), AVPS_E_STATE); /* no features */
    negotiate(test_is_packed(state));
    assert_int_equal(avps_remote_start_queue(&remote, TEST_FAKE_QUEUES, &queue), AVPS_E_PARAM);
    assert_int_equal(avps_remote_start_queue(&remote, 0, NULL), AVPS_E_PARAM);
    queue.size = 512;
    assert_int_equal(avps_remote_start_queue(&remote, 0, &queue), AVPS_E_GUEST_SIZE);
    queue.size = 8;
    queue.avail.idx = 9; /* more than a queue ahead of what is used, or outside */
    assert_true(avps_status_is_guest_fault(avps_remote_start_queue(&remote, 0, &queue)));
    queue.avail.idx = 0;
    queue.desc += 8;
    assert_int_equal(avps_remote_start_queue(&remote, 0, &queue), AVPS_E_GUEST_DESC);
    queue.desc = TEST_HOLE_GPA;
    assert_int_equal(avps_remote_start_queue(&remote, 0, &queue), AVPS_E_GUEST_ADDR);
    assert_false(avps_remote_queue_is_enabled(&remote, 0));
    assert_false(avps_remote_queue_is_enabled(&remote, 99));
    queue.desc = d.ring[0].desc;
    assert_int_equal(avps_remote_start_queue(&remote, 0, &queue), AVPS_OK);
    assert_int_equal(avps_remote_start_queue(&remote, 0, &queue), AVPS_E_STATE);
    off();
}

/* A stop returns the place, keeps what belongs to the queue, and a start goes on there. */
static void test_remote_stops_at_a_place_and_goes_on_there(void **state)
{
    struct avps_remote_position at;

    run(state, TEST_FAKE_SYNC);
    fake.queue_resets[0] = 0;
    for (unsigned int i = 0; i < 5U; i++) {
        expect_used(send()); /* two descriptors each: packed is at 2 of the second lap */
    }
    assert_int_equal(avps_remote_stop_queue(&remote, 0, &at), AVPS_OK);
    assert_int_equal(at.idx, test_is_packed(state) ? 2 : 5);
    assert_int_equal(at.wrap, !test_is_packed(state));
    assert_int_equal(avps_remote_stop_queue(&remote, 0, &at), AVPS_E_STATE);
    const uint16_t id = send();
    struct test_used used;
    assert_false(test_ring_reap(&d.ring[0], &used));
    struct avps_remote_queue queue = queue_of(&d.ring[0]);
    queue.avail = at;
    queue.used = at;
    assert_int_equal(avps_remote_start_queue(&remote, 0, &queue), AVPS_OK);
    (void)avps_poll(&fake.base, 16);
    expect_used(id);
    assert_int_equal(fake.queue_resets[0], 0);
    /* elsewhere it is another queue */
    assert_int_equal(avps_remote_stop_queue(&remote, 0, &at), AVPS_OK);
    test_ring_reset(&d.ring[0]);
    queue = queue_of(&d.ring[0]);
    assert_int_equal(avps_remote_start_queue(&remote, 0, &queue), AVPS_OK);
    assert_int_equal(fake.queue_resets[0], 1);
    expect_used(send());
    off();
}

static void test_remote_stop_waits_for_what_is_in_flight(void **state)
{
    struct avps_remote_position at;

    run(state, TEST_FAKE_ASYNC);
    const uint16_t first = send();
    const uint16_t second = send();

    assert_int_equal(avps_remote_stop_queue(&remote, 0, &at), AVPS_PENDING);
    (void)send(); /* not taken any more */
    assert_int_equal(fake.kept_count, 2);
    test_fake_complete(&fake, 0);
    (void)avps_poll(&fake.base, 16);
    assert_int_equal(avps_remote_stop_queue(&remote, 0, &at), AVPS_PENDING);
    test_fake_complete(&fake, 0);
    assert_int_equal(avps_remote_stop_queue(&remote, 0, &at), AVPS_OK);
    expect_used(first);
    expect_used(second);
    assert_int_equal(at.idx, test_is_packed(state) ? 4 : 2);
    assert_int_equal(avps_remote_stop_queue(&remote, 77, &at), AVPS_E_PARAM);
    off();
}

/* ---- notifications ---- */

static void test_remote_passes_notifications_on(void **state)
{
    run(state, TEST_FAKE_SYNC);
    const unsigned int batches = told.batch;

    expect_used(send());
    assert_int_equal(told.queue[0], 1);
    assert_int_equal(told.batch, batches + 1U);
    avps_device_config_changed(&fake.base);
    assert_int_equal(told.config, 1);
    const struct test_desc bad[] = {{TEST_HOLE_GPA, 4, 0}};
    (void)test_ring_add(&d.ring[0], bad, 1);
    avps_kick(&fake.base, 0, 0);
    (void)avps_poll(&fake.base, 16);
    assert_true((avps_device_status(&fake.base) & AVPS_S_NEEDS_RESET) != 0U);
    assert_int_equal(told.config, 2);
    assert_true(avps_remote_queue_has_fault(&remote, 0));
    assert_false(avps_remote_queue_has_fault(&remote, 1));
    assert_false(avps_remote_queue_has_fault(&remote, 99));
    off();
}

/* ---- configuration ---- */

static void test_remote_configuration_stays_inside(void **state)
{
    uint8_t bytes[8] = {9, 9, 9, 9, 9, 9, 9, 9};

    (void)state;
    power_on(TEST_FAKE_SYNC);
    assert_int_equal(avps_remote_config_size(&remote), TEST_FAKE_CONFIG);
    avps_remote_read_config(&remote, TEST_FAKE_CONFIG - 4U, bytes, 8);
    assert_int_equal(bytes[3], 0x10 + TEST_FAKE_CONFIG - 1);
    assert_int_equal(bytes[4], 0);
    assert_int_equal(avps_remote_write_config(&remote, TEST_FAKE_CONFIG - 4U, bytes, 5),
                     AVPS_E_GUEST_SIZE);
    assert_int_equal(avps_remote_write_config(&remote, UINT32_MAX, bytes, 2), AVPS_E_GUEST_SIZE);
    assert_int_equal(fake.config_puts, 0);
    assert_int_equal(avps_remote_write_config(&remote, 0, bytes, 4), AVPS_OK);
    assert_int_equal(fake.config_puts, 1);
    off();
    power_on(TEST_FAKE_BARE);
    assert_int_equal(avps_remote_write_config(&remote, 0, bytes, 4), AVPS_E_UNSUPPORTED);
    off();
}

/* ---- poll mode ---- */

/* No kick is needed, none is asked for; and afterwards they are again. */
static void test_remote_device_can_be_polled_all_the_time(void **state)
{
    run(state, TEST_FAKE_SYNC);
    const avps_gpa in = test_mem_alloc(&d.mem, 4, 1);
    const struct test_desc table[] = {{in, 4, 0}, {in, 4, TEST_WRITE}};

    avps_poll_always(&fake.base, true);
    for (unsigned int i = 0; i < 3U; i++) {
        (void)avps_poll(&fake.base, 16);
        const uint16_t id = test_ring_add(&d.ring[0], table, 2);
        assert_int_equal(avps_poll(&fake.base, 16), AVPS_POLL_IDLE);
        expect_used(id);
        assert_false(test_ring_wants_kick(&d.ring[0]));
    }
    avps_poll_always(&fake.base, false);
    (void)avps_poll(&fake.base, 16);
    const uint16_t id = test_ring_add(&d.ring[0], table, 2);
    assert_true(test_ring_wants_kick(&d.ring[0]));
    (void)avps_poll(&fake.base, 16);
    struct test_used used;
    assert_false(test_ring_reap(&d.ring[0], &used));
    avps_kick(&fake.base, 0, 0);
    (void)avps_poll(&fake.base, 16);
    expect_used(id);
    off();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_remote_shows_what_is_offered),
        cmocka_unit_test(test_remote_judges_features_at_features_ok),
        cmocka_unit_test(test_remote_needs_its_operations_and_is_alone),
        TEST_BOTH(test_remote_memory_changes_only_without_queues, NULL, NULL),
        TEST_BOTH(test_remote_starts_no_queue_that_cannot_be, NULL, NULL),
        TEST_BOTH(test_remote_stops_at_a_place_and_goes_on_there, NULL, NULL),
        TEST_BOTH(test_remote_stop_waits_for_what_is_in_flight, NULL, NULL),
        TEST_BOTH(test_remote_passes_notifications_on, NULL, NULL),
        cmocka_unit_test(test_remote_configuration_stays_inside),
        TEST_BOTH(test_remote_device_can_be_polled_all_the_time, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
