/* SPDX-License-Identifier: BSD-3-Clause */
/* Queues served by threads beside each other: two at once -> what the threads stand still for -> waiting
 * for requests in flight -> what ends a connection -> poll mode. */
#include "front.h"
#include "vu_internal.h"

#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROUNDS 300U
#define BATCH  4U /* requests of a queue and round: three descriptors each */
#define HALF   (FRONT_SECTORS / 2U)

static struct front f;

/* Guest memory of one request, used again and again. */
struct slot {
    avps_gpa header;
    avps_gpa data;
    uint16_t id;
    uint64_t sector;
};

static struct slot slots[2][BATCH];

static void open_threads(void **state, const struct front_options *options, uint64_t protocol)
{
    front_open(&f, options);
    front_start(&f, test_is_packed(state), protocol);
    for (unsigned int q = 0; q < 2U; q++) {
        for (unsigned int i = 0; i < BATCH; i++) {
            slots[q][i].header = test_mem_alloc(&f.mem, 16, 8);
            slots[q][i].data = test_mem_alloc(&f.mem, 513, 8);
        }
    }
}

static void open_two(void **state)
{
    open_threads(state, &(struct front_options){.device = FRONT_BLK, .workers = 2}, 0);
    assert_true(f.back.vu->threaded);
}

/* ---- requests: queue q owns one half of the disk ---- */

static void add(uint16_t q, struct slot *slot, bool write, uint64_t sector)
{
    const struct test_desc table[] = {{slot->header, 16, 0},
                                      {slot->data, 512, write ? 0 : TEST_WRITE},
                                      {slot->data + 512U, 1, TEST_WRITE}};

    slot->sector = q * HALF + sector % HALF;
    test_mem_put32(&f.mem, slot->header, write ? 1 : 0);
    test_mem_put32(&f.mem, slot->header + 4U, 0);
    test_mem_put64(&f.mem, slot->header + 8U, slot->sector);
    slot->id = test_ring_add(&f.ring[q], table, 3);
}

static void ring_bell(uint16_t q)
{
    const uint64_t one = 1;

    assert_int_equal(write(f.kick[q], &one, sizeof one), sizeof one);
}

/* The loop of the test is the back end's main loop: it has nothing to do meanwhile. */
static bool reap(uint16_t q, struct test_used *used)
{
    for (unsigned int tries = 0; tries < 10U; tries++) {
        struct pollfd call = {.fd = f.call[q], .events = POLLIN};

        if (test_ring_reap(&f.ring[q], used)) {
            return true;
        }
        (void)poll(&call, 1, 1000);
        (void)front_calls(&f, q);
    }
    return false;
}

static const struct slot *slot_of(uint16_t q, uint32_t id)
{
    for (unsigned int i = 0; i < BATCH; i++) {
        if (slots[q][i].id == id) {
            return &slots[q][i];
        }
    }
    fail_msg("queue %u: nobody asked for id %u", q, id);
    return NULL;
}

/* All of a batch, each once. */
static void expect_batch(uint16_t q, bool write, uint8_t value)
{
    unsigned int seen = 0;

    for (unsigned int i = 0; i < BATCH; i++) {
        struct test_used used;

        assert_true(reap(q, &used));
        const struct slot *slot = slot_of(q, used.id);

        seen |= 1U << (unsigned int)(slot - slots[q]);
        assert_int_equal(used.len, write ? 1 : 513);
        assert_true(test_mem_is(&f.mem, slot->data + 512U, 0, 1));
        assert_true(write || test_mem_is(&f.mem, slot->data, (uint8_t)(value + slot->sector), 512));
    }
    assert_int_equal(seen, (1U << BATCH) - 1U);
}

static void add_batch(uint16_t q, bool write, uint64_t first, uint8_t value)
{
    for (unsigned int i = 0; i < BATCH; i++) {
        struct slot *slot = &slots[q][i];
        const uint64_t sector = q * HALF + (first + i) % HALF;

        test_mem_fill(&f.mem, slot->data, write ? (uint8_t)(value + sector) : 0xee, 512);
        test_mem_fill(&f.mem, slot->data + 512U, 0xee, 1);
        add(q, slot, write, first + i);
    }
}

/* Both queues at once: written, then read back. */
static void both(bool write, unsigned int round)
{
    const uint8_t value = (uint8_t)(round / 2U);

    for (uint16_t q = 0; q < 2U; q++) {
        add_batch(q, write, round / 2U * BATCH, value);
    }
    ring_bell(0);
    ring_bell(1);
    for (uint16_t q = 0; q < 2U; q++) {
        expect_batch(q, write, value);
    }
}

static void many_rounds(unsigned int count)
{
    for (unsigned int round = 0; round < count; round++) {
        both(round % 2U == 0U, round);
    }
}

/* ---- two at once ---- */

static void test_threads_serve_two_queues_at_once(void **state)
{
    open_two(state);
    many_rounds(ROUNDS);
    assert_true(f.back.vu->threaded);
    avps_vu_pause(f.back.vu);
    assert_int_equal(avps_queue_counters(f.back.device, 0)->chains, ROUNDS * BATCH);
    assert_int_equal(avps_queue_counters(f.back.device, 1)->chains, ROUNDS * BATCH);
    assert_true(avps_vu_resume(f.back.vu));
    assert_in_range(avps_vu_counters(f.back.vu)->kicks, 1,
                    2U * ROUNDS); /* some come too late to count */
    front_close(&f);
}

static void test_threads_serve_more_queues_than_they_are(void **state)
{
    open_threads(state, &(struct front_options){.device = FRONT_BLK, .workers = 1}, 0);
    assert_true(f.back.vu->threaded);
    many_rounds(20);
    front_close(&f);
}

/* ---- what the threads stand still for ---- */

static void test_threads_stand_still_only_as_long_as_a_message_is_served(void **state)
{
    open_two(state);
    many_rounds(2);
    for (unsigned int i = 0; i < 50U; i++) {
        add_batch(0, true, i, 1);
        add_batch(1, true, i, 1);
        ring_bell(0);
        ring_bell(1);
        assert_int_equal(front_ask(&f, F_GET_QUEUE_NUM), 2); /* somewhere in between */
        assert_true(f.back.vu->threaded);
        expect_batch(0, true, 1);
        expect_batch(1, true, 1);
    }
    front_close(&f);
}

static void test_threads_go_on_where_a_ring_was_stopped(void **state)
{
    const uint16_t chains = 2U * BATCH;

    open_two(state);
    many_rounds(2);
    const uint32_t base = front_ring_stop(&f, 1);
    assert_int_equal(base & 0x7fffU, f.packed ? chains * 3U % FRONT_SIZE : chains);
    assert_true(f.back.vu->threaded); /* for the other ring */
    front_ring_base(&f, 1, base);
    front_ring_kick(&f, 1);
    many_rounds(2);
    front_close(&f);
}

static void test_threads_leave_a_logged_ring_to_the_loop(void **state)
{
    open_threads(state, &(struct front_options){.device = FRONT_BLK, .workers = 2}, P_LOG_SHMFD);
    const uint64_t log[2] = {0x2000, 0};
    const int fd = memfd_create("log", MFD_CLOEXEC);

    assert_int_equal(ftruncate(fd, 0x2000), 0);
    front_send(&f, F_SET_LOG_BASE, log, sizeof log, &fd, 1);
    (void)close(fd);
    const uint64_t logged = f.features | FRONT_LOG_ALL;

    assert_true(f.back.vu->threaded);
    front_send(&f, F_SET_FEATURES, &logged, 8, NULL, 0);
    assert_false(f.back.vu->threaded);
    front_send(&f, F_SET_FEATURES, &f.features, 8, NULL, 0);
    assert_true(f.back.vu->threaded);
    many_rounds(2);
    front_close(&f);
}

static void test_threads_leave_in_band_notifications_to_the_loop(void **state)
{
    open_threads(state, &(struct front_options){.device = FRONT_BLK, .workers = 2},
                 P_BACKEND_REQ | P_INBAND);
    assert_false(f.back.vu->threaded);
    add_batch(0, true, 0, 1);
    ring_bell(0);
    front_step(&f);
    expect_batch(0, true, 1);
    front_close(&f);
}

static void test_threads_do_not_serve_a_paused_device(void **state)
{
    open_two(state);
    avps_vu_pause(f.back.vu);
    avps_vu_pause(f.back.vu);
    assert_false(avps_vu_resume(f.back.vu));
    assert_false(f.back.vu->threaded);
    assert_true(avps_vu_resume(f.back.vu));
    many_rounds(2);
    front_close(&f);
}

static bool device_needs_reset(void)
{
    avps_vu_pause(f.back.vu);
    const uint8_t status = avps_device_status(f.back.device);

    (void)avps_vu_resume(f.back.vu);
    return (status & AVPS_S_NEEDS_RESET) != 0U;
}

static void test_threads_tell_of_a_driver_that_broke_a_rule(void **state)
{
    const struct test_desc nowhere[] = {{0, 16, 0}, {0, 1, TEST_WRITE}};
    struct front_message m;

    open_threads(state, &(struct front_options){.device = FRONT_BLK, .workers = 2}, P_BACKEND_REQ);
    front_backend_channel(&f);
    assert_true(f.back.vu->threaded);
    (void)test_ring_add(&f.ring[1], nowhere, 2);
    ring_bell(1);
    for (unsigned int i = 0; i < 1000U && !device_needs_reset(); i++) {
        (void)usleep(1000);
    }
    assert_true(device_needs_reset());
    front_step(&f);
    assert_true(front_read(f.backend[0], &m));
    assert_int_equal(m.header.request, 2); /* the configuration changed */
    front_close(&f);
}

/* ---- waiting for requests in flight ---- */

/* Requests are with the disk, which keeps them. */
static void hold_requests(void)
{
    atomic_store(&f.back.lanes.held, true);
    add_batch(0, false, 0, 0);
    add_batch(1, false, 0, 0);
    ring_bell(0);
    ring_bell(1);
    for (unsigned int i = 0; i < 1000U; i++) {
        avps_vu_pause(f.back.vu);
        const uint32_t count = f.back.lanes.lane[0].count + f.back.lanes.lane[1].count;
        (void)avps_vu_resume(f.back.vu);
        if (count == 2U * BATCH) {
            return;
        }
        (void)usleep(1000);
    }
    fail_msg("the threads do not take requests");
}

static void test_threads_stop_a_ring_when_its_last_request_is_back(void **state)
{
    const uint32_t index[2] = {1, 0};
    struct front_message m;

    open_two(state);
    hold_requests();
    front_send(&f, F_GET_VRING_BASE, index, sizeof index, NULL, 0);
    assert_false(front_read(f.fd, &m));
    assert_false(f.back.vu->threaded);
    lanes_let_go(&f.back.lanes);
    front_step(&f);
    front_expect_reply(&f, F_GET_VRING_BASE, &m);
    expect_batch(0, false, 0);
    expect_batch(1, false, 0);
    assert_true(f.back.vu->threaded); /* for ring 0 */
    front_close(&f);
}

static void test_threads_end_with_requests_in_flight(void **state)
{
    open_two(state);
    hold_requests();
    avps_vu_stop(f.back.vu);
    front_step(&f);
    assert_int_equal(f.back.disconnects, 0);
    lanes_let_go(&f.back.lanes);
    front_step(&f);
    assert_int_equal(f.back.disconnects, 1);
    expect_batch(0, false, 0);
    expect_batch(1, false, 0);
    front_close(&f);
}

/* ---- what ends a connection ---- */

static void test_threads_are_still_when_the_front_end_is_gone(void **state)
{
    open_two(state);
    hold_requests();
    (void)close(f.fd);
    f.fd = -1;
    front_step(&f);
    assert_false(f.back.vu->threaded);
    assert_int_equal(f.back.disconnects, 0); /* the disk has requests */
    lanes_let_go(&f.back.lanes);
    front_step(&f);
    assert_int_equal(f.back.disconnects, 1);
    assert_int_equal(avps_device_status(f.back.device), 0);
    front_close(&f);
}

static void test_threads_stand_still_for_a_reset(void **state)
{
    open_threads(state, &(struct front_options){.device = FRONT_BLK, .workers = 2}, P_RESET_DEVICE);
    many_rounds(2);
    front_send(&f, F_RESET_DEVICE, NULL, 0, NULL, 0);
    assert_false(f.back.vu->threaded);
    assert_int_equal(avps_device_status(f.back.device), 0);
    front_close(&f);
}

/* ---- poll mode ---- */

static void test_threads_poll_without_kicks(void **state)
{
    open_threads(state,
                 &(struct front_options){.device = FRONT_BLK, .workers = 2, .busy_poll = true}, 0);
    assert_true(f.back.vu->threaded);
    for (unsigned int round = 0; round < 50U; round++) {
        add_batch(0, false, 0, 0);
        add_batch(1, false, 0, 0);
        expect_batch(0, false, 0);
        expect_batch(1, false, 0);
    }
    assert_int_equal(avps_vu_counters(f.back.vu)->kicks, 0);
    front_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_threads_serve_two_queues_at_once, NULL, NULL),
        TEST_BOTH(test_threads_serve_more_queues_than_they_are, NULL, NULL),
        TEST_BOTH(test_threads_stand_still_only_as_long_as_a_message_is_served, NULL, NULL),
        TEST_BOTH(test_threads_go_on_where_a_ring_was_stopped, NULL, NULL),
        TEST_BOTH(test_threads_leave_a_logged_ring_to_the_loop, NULL, NULL),
        TEST_BOTH(test_threads_leave_in_band_notifications_to_the_loop, NULL, NULL),
        TEST_BOTH(test_threads_do_not_serve_a_paused_device, NULL, NULL),
        TEST_BOTH(test_threads_tell_of_a_driver_that_broke_a_rule, NULL, NULL),
        TEST_BOTH(test_threads_stop_a_ring_when_its_last_request_is_back, NULL, NULL),
        TEST_BOTH(test_threads_end_with_requests_in_flight, NULL, NULL),
        TEST_BOTH(test_threads_are_still_when_the_front_end_is_gone, NULL, NULL),
        TEST_BOTH(test_threads_stand_still_for_a_reset, NULL, NULL),
        TEST_BOTH(test_threads_poll_without_kicks, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
