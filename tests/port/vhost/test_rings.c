/* SPDX-License-Identifier: BSD-3-Clause */
/* Rings over vhost-user: devices of four kinds -> where a ring starts and stops -> kicks and calls. */
#include "front.h"

static struct front f;

static void open_started(void **state, enum front_device device, bool waits)
{
    front_open(&f, &(struct front_options){.device = device, .waits = waits});
    front_start(&f, test_is_packed(state), 0);
}

/* ---- devices ---- */

static void test_vhost_serves_an_entropy_device(void **state)
{
    open_started(state, FRONT_RNG, false);
    const avps_gpa buffer = test_mem_alloc(&f.mem, 64, 1);
    const struct test_desc table[] = {{buffer, 64, TEST_WRITE}};
    const uint16_t id = test_ring_add(&f.ring[0], table, 1);

    front_kick(&f, 0);
    front_expect_used(&f, 0, id, 64);
    assert_false(test_mem_is(&f.mem, buffer, TEST_UNWRITTEN, 64));
    assert_int_equal(front_calls(&f, 0), 1);
    front_close(&f);
}

static void test_vhost_serves_a_block_device(void **state)
{
    open_started(state, FRONT_BLK, false);
    avps_gpa data = 0;

    front_round(&f);
    const uint16_t id = front_blk(&f, 1, true, 3, &data);
    test_mem_fill(&f.mem, data, 0x5a, 512);
    front_kick(&f, 1);
    front_expect_used(&f, 1, id, 1);
    for (size_t i = 0; i < 512U; i++) {
        assert_int_equal(f.disk[3U * 512U + i], 0x5a);
    }
    assert_int_equal(f.back.errors, 0);
    front_close(&f);
}

static void test_vhost_serves_a_console(void **state)
{
    open_started(state, FRONT_CONSOLE, false);
    const avps_gpa in = test_mem_alloc(&f.mem, 16, 1);
    const avps_gpa out = test_mem_alloc(&f.mem, 5, 1);
    const struct test_desc receive[] = {{in, 16, TEST_WRITE}};
    const struct test_desc transmit[] = {{out, 5, 0}};
    uint32_t taken = 0;

    const uint16_t in_id = test_ring_add(&f.ring[0], receive, 1);
    front_kick(&f, 0);
    test_mem_put(&f.mem, out, "hello", 5);
    const uint16_t out_id = test_ring_add(&f.ring[1], transmit, 1);
    front_kick(&f, 1);
    front_expect_used(&f, 1, out_id, 0);
    assert_memory_equal(f.back.typed, "hello", 5);
    assert_int_equal(avps_console_input(&f.back.console, 0, "key", 3, &taken), AVPS_OK);
    front_step(&f);
    front_expect_used(&f, 0, in_id, 3);
    assert_memory_equal(test_mem_host(&f.mem, in, 3), "key", 3);
    front_close(&f);
}

static void test_vhost_serves_a_network_device(void **state)
{
    open_started(state, FRONT_NET, false);
    const avps_gpa in = test_mem_alloc(&f.mem, 200, 1);
    const avps_gpa out = test_mem_alloc(&f.mem, 12U + 60U, 1);
    const struct test_desc receive[] = {{in, 200, TEST_WRITE}};
    const struct test_desc transmit[] = {{out, 12U + 60U, 0}};

    const uint16_t in_id = test_ring_add(&f.ring[0], receive, 1);
    front_kick(&f, 0);
    test_mem_fill(&f.mem, out, 0, 12);
    test_mem_fill(&f.mem, out + 12U, 0xff, 6); /* broadcast */
    const uint16_t out_id = test_ring_add(&f.ring[1], transmit, 1);
    front_kick(&f, 1);
    front_expect_used(&f, 1, out_id, 0);
    front_expect_used(&f, 0, in_id, 12U + 60U);
    assert_memory_equal(test_mem_host(&f.mem, in + 12U, 60), test_mem_host(&f.mem, out + 12U, 60),
                        60);
    assert_int_equal(front_ask(&f, F_GET_QUEUE_NUM), 1); /* pairs */
    front_close(&f);
}

/* GUEST_ANNOUNCE needs CTRL_VQ, which QEMU keeps to itself. */
static void test_vhost_a_front_end_may_serve_the_control_queue_itself(void **state)
{
    front_open(&f, &(struct front_options){.device = FRONT_NET});
    front_negotiate(&f, P_MQ | P_REPLY_ACK,
                    FRONT_BASIC | FRONT_PROTOCOL | FRONT_ANNOUNCE |
                        (test_is_packed(state) ? FRONT_PACKED : 0U));
    assert_false(front_is_closed(&f));
    assert_true(avps_features_has(avps_device_features(f.back.device), AVPS_NET_F_GUEST_ANNOUNCE));
    front_close(&f);
}

/* ---- start and stop ---- */

/* Only the base that was returned continues; the ring goes on where it was. */
static void test_vhost_stops_at_a_base_and_goes_on_there(void **state)
{
    open_started(state, FRONT_BLK, false);
    const bool packed = test_is_packed(state);

    for (unsigned int i = 0; i < 7U; i++) {
        front_round(&f); /* three descriptors each: packed wraps at 16 */
    }
    const uint32_t base = front_ring_stop(&f, 0);
    assert_int_equal(base, packed ? 0x00050005U : 7U);
    avps_gpa data = 0;
    const uint16_t id = front_blk(&f, 0, false, 4, &data);
    front_kick(&f, 0);
    struct test_used used;
    assert_false(test_ring_reap(&f.ring[0], &used));
    front_ring_base(&f, 0, base);
    front_ring_kick(&f, 0);
    front_expect_used(&f, 0, id, 513);
    front_round(&f);
    front_close(&f);
}

/* How front ends tell the base of a packed ring: QEMU both halves, DPDK the low one, User-mode Linux
 * 0 for a new ring, which is not a ring that has come to 0 again. */
static void test_vhost_understands_every_packed_base(void **state)
{
    static const uint32_t bases[] = {0x80008000U, 0x8000U, 0U};

    for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++) {
        open_started(state, FRONT_BLK, false);
        (void)front_ring_stop(&f, 0);
        front_ring_new(&f, 0);
        front_ring_base(&f, 0, bases[i]);
        front_ring_addr(&f, 0, 0, FRONT_NOTHING);
        front_ring_kick(&f, 0);
        for (unsigned int n = 0; n < 16U; n++) {
            front_round(&f); /* 48 descriptors: three laps of 16 */
        }
        assert_int_equal(front_ring_stop(&f, 0), 0);
        front_ring_base(&f, 0, 0);
        front_ring_kick(&f, 0);
        front_round(&f);
        (void)front_ring_stop(&f, 0);
        front_close(&f);
    }
}

/* A driver may fill a ring before it starts. */
static void test_vhost_mends_the_base_of_a_new_ring_that_is_full(void **state)
{
    (void)state;
    front_open(&f, &(struct front_options){.device = FRONT_RNG});
    front_negotiate(&f, P_REPLY_ACK, FRONT_BASIC | FRONT_PROTOCOL | FRONT_PACKED);
    front_give_memory(&f);
    front_ring_new(&f, 0);
    front_ring_num(&f, 0);
    front_ring_base(&f, 0, 0);
    front_ring_addr(&f, 0, 0, FRONT_NOTHING);
    front_ring_kick(&f, 0);
    front_ring_call(&f, 0);
    uint16_t id[FRONT_SIZE];

    for (size_t i = 0; i < FRONT_SIZE; i++) {
        const struct test_desc table[] = {{test_mem_alloc(&f.mem, 8, 1), 8, TEST_WRITE}};

        id[i] = test_ring_add(&f.ring[0], table, 1);
    }
    front_ring_enable(&f, 0, 1);
    for (size_t i = 0; i < FRONT_SIZE; i++) {
        front_expect_used(&f, 0, id[i], 8);
    }
    front_close(&f);
}

/* GET_VRING_BASE is answered when nothing is in flight any more. */
static void test_vhost_stops_when_requests_in_flight_are_back(void **state)
{
    open_started(state, FRONT_BLK, true);
    const uint32_t ask[2] = {0, 0};
    struct front_message m;
    avps_gpa data[3];
    uint16_t id[3];

    for (uint16_t i = 0; i < 3U; i++) {
        id[i] = front_blk(&f, 0, false, i, &data[i]);
    }
    front_kick(&f, 0);
    front_send(&f, F_GET_VRING_BASE, ask, sizeof ask, NULL, 0);
    assert_false(front_read(f.fd, &m));
    avps_gpa late = 0;
    (void)front_blk(&f, 0, false, 9, &late);
    front_kick(&f, 0);
    assert_false(front_read(f.fd, &m));
    front_answer(&f);
    front_expect_reply(&f, F_GET_VRING_BASE, &m);
    assert_int_equal(m.payload.u32[1], test_is_packed(state) ? 0x80098009U : 3U);
    for (uint16_t i = 0; i < 3U; i++) {
        front_expect_used(&f, 0, id[2U - i], 513); /* newest first */
    }
    struct test_used used;
    assert_false(test_ring_reap(&f.ring[0], &used)); /* the late one is for later */
    front_close(&f);
}

static void test_vhost_leaves_a_disabled_ring_alone(void **state)
{
    open_started(state, FRONT_BLK, false);
    avps_gpa data = 0;
    struct test_used used;

    front_round(&f);
    front_ring_enable(&f, 0, 0);
    const uint16_t id = front_blk(&f, 0, false, 4, &data);
    front_kick(&f, 0);
    assert_false(test_ring_reap(&f.ring[0], &used));
    front_ring_enable(&f, 0, 1);
    front_expect_used(&f, 0, id, 513);
    front_close(&f);
}

/* Without protocol features rings are enabled from the start, and started by their first kick. */
static void test_vhost_needs_no_protocol_features(void **state)
{
    front_open(&f, &(struct front_options){.device = FRONT_RNG});
    const bool packed = test_is_packed(state);
    const uint64_t features = FRONT_BASIC | (packed ? FRONT_PACKED : 0U);

    f.packed = packed;
    front_send(&f, F_SET_FEATURES, &features, 8, NULL, 0);
    front_give_memory(&f);
    front_ring_new(&f, 0);
    front_ring_num(&f, 0);
    front_ring_base(&f, 0, packed ? 0x80008000U : 0U);
    front_ring_addr(&f, 0, 0, FRONT_NOTHING);
    front_ring_call(&f, 0);
    front_ring_kick(&f, 0);
    const avps_gpa buffer = test_mem_alloc(&f.mem, 8, 1);
    const struct test_desc table[] = {{buffer, 8, TEST_WRITE}};
    const uint16_t id = test_ring_add(&f.ring[0], table, 1);
    front_kick(&f, 0);
    front_expect_used(&f, 0, id, 8);
    front_close(&f);
}

/* A front end that speaks STATUS does not say DRIVER_OK for every kind of device. */
static void test_vhost_serves_what_is_kicked_before_driver_ok(void **state)
{
    front_open(&f, &(struct front_options){.device = FRONT_BLK});
    front_start(&f, test_is_packed(state), P_STATUS);
    avps_gpa data = 0;
    uint64_t status = 8;

    front_send(&f, F_SET_STATUS, &status, 8, NULL, 0); /* QEMU's order */
    assert_int_equal(front_ask(&f, F_GET_STATUS), 8);
    const uint16_t id = front_blk(&f, 0, false, 4, &data);
    front_kick(&f, 0);
    front_expect_used(&f, 0, id, 513);
    status = 15;
    front_send(&f, F_SET_STATUS, &status, 8, NULL, 0);
    front_round(&f);
    assert_int_equal(front_ask(&f, F_GET_STATUS), 15);
    status = 0;
    front_send(&f, F_SET_STATUS, &status, 8, NULL, 0);
    assert_int_equal(front_ask(&f, F_GET_STATUS), 0);
    assert_int_equal(avps_device_status(f.back.device), 0);
    front_close(&f);
}

/* ---- kicks and calls ---- */

static void test_vhost_takes_and_gives_notifications_in_band(void **state)
{
    front_open(&f, &(struct front_options){.device = FRONT_RNG});
    front_negotiate(&f, P_REPLY_ACK | P_BACKEND_REQ | P_INBAND,
                    FRONT_BASIC | FRONT_PROTOCOL | (test_is_packed(state) ? FRONT_PACKED : 0U));
    front_backend_channel(&f);
    front_give_memory(&f);
    front_ring_new(&f, 0);
    front_ring_num(&f, 0);
    front_ring_base(&f, 0, f.packed ? 0x80008000U : 0U);
    front_ring_addr(&f, 0, 0, FRONT_NOTHING);
    front_ring_enable(&f, 0, 1);
    const avps_gpa buffer = test_mem_alloc(&f.mem, 8, 1);
    const struct test_desc table[] = {{buffer, 8, TEST_WRITE}};
    const uint16_t id = test_ring_add(&f.ring[0], table, 1);
    const uint32_t kick[2] = {0, 0};
    struct front_message m;
    unsigned int calls = 0;

    assert_int_equal(front_ack(&f, F_VRING_KICK, kick, sizeof kick, NULL, 0), 0);
    front_expect_used(&f, 0, id, 8);
    while (front_read(f.backend[0], &m)) {
        assert_int_equal(m.header.request, 4);
        assert_int_equal(m.header.flags, FRONT_VERSION | FRONT_NEED_REPLY);
        assert_int_equal(m.payload.u64, 0);
        calls++;
    }
    assert_int_equal(calls, 2); /* one for a ring that starts, one for the buffer */
    front_close(&f);
}

/* A ring without a kick descriptor is polled, and so is every ring with busy_poll; drivers are told
 * not to kick. */
static void test_vhost_polls_a_ring_without_kicks(void **state)
{
    front_open(&f, &(struct front_options){.device = FRONT_BLK, .busy_poll = true});
    front_start(&f, test_is_packed(state), 0);
    avps_gpa data = 0;

    for (unsigned int i = 0; i < 5U; i++) {
        const uint16_t id = front_blk(&f, 0, false, i, &data);
        front_step(&f);
        front_expect_used(&f, 0, id, 513);
        assert_false(test_ring_wants_kick(&f.ring[0]));
    }
    assert_int_equal(avps_vu_counters(f.back.vu)->kicks, 0);
    front_close(&f);
}

static void test_vhost_polls_after_nofd(void **state)
{
    open_started(state, FRONT_BLK, false);
    const uint64_t nofd = 0x100;
    avps_gpa data = 0;

    front_send(&f, F_SET_VRING_KICK, &nofd, 8, NULL, 0);
    const uint16_t id = front_blk(&f, 0, false, 3, &data);
    front_step(&f);
    front_expect_used(&f, 0, id, 513);
    front_ring_kick(&f, 0); /* back to kicks */
    front_round(&f);
    front_close(&f);
}

/* A broken chain: the error descriptor rings, the status says so, the connection stays. */
static void test_vhost_reports_a_guest_fault(void **state)
{
    front_open(&f, &(struct front_options){.device = FRONT_BLK});
    front_start(&f, test_is_packed(state), P_STATUS);
    const struct test_desc bad[] = {{TEST_HOLE_GPA, 16, 0}, {TEST_HOLE_GPA, 1, TEST_WRITE}};
    uint64_t status = 15;
    const uint64_t index = 0;

    front_send(&f, F_SET_STATUS, &status, 8, NULL, 0);
    front_send(&f, F_SET_VRING_ERR, &index, 8, &f.call[1], 1);
    (void)front_calls(&f, 1);
    (void)test_ring_add(&f.ring[0], bad, 2);
    front_kick(&f, 0);
    assert_int_equal(front_calls(&f, 1), 1);
    assert_int_equal(front_ask(&f, F_GET_STATUS), 15 | 64);
    status = 0;
    front_send(&f, F_SET_STATUS, &status, 8, NULL, 0);
    assert_int_equal(front_ask(&f, F_GET_STATUS), 0);
    front_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_vhost_serves_an_entropy_device, NULL, NULL),
        TEST_BOTH(test_vhost_serves_a_block_device, NULL, NULL),
        TEST_BOTH(test_vhost_serves_a_console, NULL, NULL),
        TEST_BOTH(test_vhost_serves_a_network_device, NULL, NULL),
        TEST_BOTH(test_vhost_a_front_end_may_serve_the_control_queue_itself, NULL, NULL),
        TEST_BOTH(test_vhost_stops_at_a_base_and_goes_on_there, NULL, NULL),
        TEST_PACKED(test_vhost_understands_every_packed_base, NULL, NULL),
        TEST_PACKED(test_vhost_mends_the_base_of_a_new_ring_that_is_full, NULL, NULL),
        TEST_BOTH(test_vhost_stops_when_requests_in_flight_are_back, NULL, NULL),
        TEST_BOTH(test_vhost_leaves_a_disabled_ring_alone, NULL, NULL),
        TEST_BOTH(test_vhost_needs_no_protocol_features, NULL, NULL),
        TEST_BOTH(test_vhost_serves_what_is_kicked_before_driver_ok, NULL, NULL),
        TEST_BOTH(test_vhost_takes_and_gives_notifications_in_band, NULL, NULL),
        TEST_BOTH(test_vhost_polls_a_ring_without_kicks, NULL, NULL),
        TEST_BOTH(test_vhost_polls_after_nofd, NULL, NULL),
        TEST_BOTH(test_vhost_reports_a_guest_fault, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
