/* SPDX-License-Identifier: BSD-3-Clause */
/* Network device, host to guest: buffers, merging, short rings, offloads, failures. */
#include "devices/test_net.h"

static uint8_t frame[NIC_BYTES];
static uint8_t got[NIC_BYTES];

static const struct avps_net_counters *counters(const struct nic *n)
{
    return avps_net_counters(&n->net, 0);
}

static void fill(uint32_t len, uint8_t seed)
{
    frame_fill(frame, len, nic_mac, nic_peer, seed);
}

/* The next packet is this frame; its header is returned. */
static struct nic_hdr expect(struct nic *n, uint32_t len, uint8_t seed)
{
    struct nic_hdr hdr = {0};

    assert_int_equal(nic_take(n, 0, &hdr, got), len);
    fill(len, seed);
    assert_memory_equal(got, frame, len);
    return hdr;
}

/* ---- buffers ---- */

/* [net-3.1] [net-4.1] [net-4.10] [net-4.11] [net-4.24] [net-4.31] [net-4.34] */
static void test_net_rx_a_frame_arrives_under_every_memory_contract(void **state)
{
    for (int kind = 0; kind < (int)TEST_MEM_KINDS; kind++) {
        struct nic *n = nic_new(state, (enum test_mem_kind)kind, 1);

        nic_start(n);
        nic_post(n, 0, 1600);
        nic_post(n, 0, 12 + 60);
        fill(100, 1);
        assert_true(nic_give(n, frame, 100));
        fill(60, 2);
        assert_true(nic_give(n, frame, 60));
        for (uint8_t i = 0; i < 2U; i++) {
            const struct nic_hdr hdr = expect(n, i == 0U ? 100 : 60, (uint8_t)(i + 1U));
            assert_int_equal(hdr.flags, 0);
            assert_int_equal(hdr.gso_type, 0);
            assert_int_equal(hdr.num_buffers, 1);
            assert_int_equal(hdr.csum_start, 0);
        }
        assert_int_equal(counters(n)->rx_packets, 2);
        assert_int_equal(counters(n)->rx_bytes, 160);
        assert_int_equal(test_mem_live_maps(&n->d.mem), 0);
        nic_free(n);
    }
}

static void test_net_rx_a_frame_may_come_in_pieces(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    uint8_t copy[200];
    uint32_t taken = 0;

    nic_start(n);
    nic_post_many(n, 0, 300, 2);
    fill(200, 5);
    (void)memcpy(copy, frame, 200);
    const struct avps_seg more[] = {{.ptr = copy, .len = 10},
                                    {.ptr = copy + 10, .len = 30},
                                    {.ptr = copy + 40, .len = 60},
                                    {.ptr = copy + 100, .len = 100}};
    const struct avps_net_frame pieces = {
        .data = frame, .data_len = 14, .more = more, .more_count = 4, .more_skip = 14};
    assert_int_equal(avps_net_receive(&n->net, &pieces, 1, &taken), AVPS_OK);
    assert_int_equal(taken, 1);
    (void)expect(n, 200, 5);
    const struct avps_net_frame empty = {
        .data = frame, .data_len = 60, .more = more, .more_count = 4, .more_skip = 200};
    fill(200, 6);
    assert_int_equal(avps_net_receive(&n->net, &empty, 1, &taken), AVPS_OK);
    (void)expect(n, 60, 6);
    nic_free(n);
}

/* [net-4.2] [net-4.3] [net-4.4] */
static void test_net_rx_a_packet_fills_one_buffer_after_the_other(void **state)
{
    for (int kind = 0; kind < (int)TEST_MEM_KINDS; kind++) {
        struct nic *n = nic_new(state, (enum test_mem_kind)kind, 1);
        struct test_used used = {0, 0};

        want(n, AVPS_NET_F_MRG_RXBUF);
        nic_start(n);
        nic_post_many(n, 0, 1000, 5);
        fill(3000, 9);
        assert_true(nic_give(n, frame, 3000));
        assert_int_equal(avps_queue_counters(&n->net.base, 0)->interrupts, 1);
        const struct nic_hdr hdr = expect(n, 3000, 9);
        assert_int_equal(hdr.num_buffers, 4);
        assert_false(test_driver_reap(&n->d, 0, &used)); /* the fifth is still there */
        fill(988, 1);
        assert_true(nic_give(n, frame, 988));
        assert_int_equal(expect(n, 988, 1).num_buffers, 1);
        assert_int_equal(avps_queue_counters(&n->net.base, 0)->chains, 5);
        nic_free(n);
    }
}

static void test_net_rx_all_buffers_but_the_last_are_full(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    static const uint32_t lens[] = {400, 12, 100, 500};
    static const uint32_t used_lens[] = {400, 12, 100, 500};
    struct test_used used = {0, 0};

    want(n, AVPS_NET_F_MRG_RXBUF);
    nic_start(n);
    for (size_t i = 0; i < 4U; i++) {
        nic_post(n, 0, lens[i]);
    }
    fill(1000, 3);
    assert_true(nic_give(n, frame, 1000));
    for (size_t i = 0; i < 4U; i++) {
        assert_true(test_driver_reap(&n->d, 0, &used));
        assert_int_equal(used.len, used_lens[i]);
    }
    nic_free(n);
}

/* [net-3.2] CVE-2015-7295: it must not stall the queue. */
static void test_net_rx_a_frame_too_long_for_its_buffer_is_dropped_alone(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    nic_start(n);
    nic_post_many(n, 0, 112, 2);
    fill(101, 3);
    assert_true(nic_give(n, frame, 101));
    assert_int_equal(counters(n)->rx_oversize, 1);
    fill(100, 4);
    assert_true(nic_give(n, frame, 100));
    assert_true(nic_give(n, frame, 100));
    (void)expect(n, 100, 4);
    (void)expect(n, 100, 4);
    nic_free(n);
}

static void test_net_rx_buffers_may_have_several_parts(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    struct test_request r = {.in = {5, 7, 1, 40, 200}};
    struct test_used used = {0, 0};

    nic_start(n);
    (void)test_driver_send(&n->d, 0, &r);
    fill(150, 8);
    assert_true(nic_give(n, frame, 150));
    assert_true(test_driver_reap(&n->d, 0, &used));
    assert_int_equal(used.len, 162);
    test_driver_in(&n->d, &r, 12, got, 150);
    assert_memory_equal(got, frame, 150);
    nic_free(n);
}

/* What a driver puts in front of its buffer for the device to read is not a place for bytes. */
static void test_net_rx_the_readable_half_of_a_buffer_is_skipped(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    struct test_request r = {.out = {{frame, 30}}, .in = {100}};
    struct test_used used = {0, 0};

    nic_start(n);
    fill(60, 8);
    (void)test_driver_send(&n->d, 0, &r);
    assert_true(nic_give(n, frame, 60));
    assert_true(test_driver_reap(&n->d, 0, &used));
    assert_int_equal(used.len, 72);
    test_driver_in(&n->d, &r, 12, got, 60);
    assert_memory_equal(got, frame, 60);
    nic_free(n);
}

/* CVE-2019-3900 class: a buffer without room for a header is no buffer. */
static void test_net_rx_a_buffer_without_room_for_a_header_faults(void **state)
{
    for (unsigned int merge = 0; merge < 2U; merge++) {
        struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

        if (merge != 0U) {
            want(n, AVPS_NET_F_MRG_RXBUF);
        }
        nic_start(n);
        nic_post(n, 0, 11);
        nic_post(n, 0, 200);
        fill(60, 8);
        assert_true(nic_give(n, frame, 60));
        test_driver_assert_faulted(&n->d);
        assert_int_equal(counters(n)->rx_errors, 1);
        assert_int_equal(n->net.base.counters.faults[AVPS_FAULT_SIZE], 1);
        assert_true(nic_give(n, frame, 60)); /* dropped from now on */
        assert_int_equal(counters(n)->rx_no_queue, 1);
        nic_free(n);
    }
}

static void test_net_rx_a_buffer_for_reading_only_faults(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    struct test_request r = {.out = {{frame, 100}}};

    nic_start(n);
    (void)test_driver_send(&n->d, 0, &r);
    fill(60, 8);
    assert_true(nic_give(n, frame, 60));
    test_driver_assert_faulted(&n->d);
    nic_free(n);
}

static void test_net_rx_a_buffer_outside_memory_faults(void **state)
{
    const struct test_desc bad = {TEST_HOLE_GPA, 200, TEST_WRITE};

    for (int kind = 0; kind < (int)TEST_MEM_KINDS; kind++) {
        struct nic *n = nic_new(state, (enum test_mem_kind)kind, 1);

        nic_start(n);
        (void)test_ring_add(&n->d.ring[0], &bad, 1);
        fill(60, 8);
        assert_true(nic_give(n, frame, 60));
        test_driver_assert_faulted(&n->d);
        assert_int_equal(test_mem_live_maps(&n->d.mem), 0);
        assert_int_equal(n->d.port.events[AVPS_EVENT_QUEUE_FAULT], 1);
        nic_free(n);
    }
}

/* ---- bursts ---- */

static void give_many(struct nic *n, uint32_t count, uint32_t len, uint32_t expected)
{
    static uint8_t bytes[100][2048];
    struct avps_net_frame frames[100];
    uint32_t taken = 0;

    (void)memset(frames, 0, sizeof frames);
    for (uint32_t i = 0; i < count; i++) {
        frame_fill(bytes[i], len, nic_mac, nic_peer, (uint8_t)i);
        frames[i] = (struct avps_net_frame){.data = bytes[i], .data_len = len};
    }
    assert_int_equal(avps_net_receive(&n->net, frames, count, &taken), AVPS_OK);
    assert_int_equal(taken, expected);
}

static void test_net_rx_a_burst_is_one_notification(void **state)
{
    for (int kind = 0; kind < (int)TEST_MEM_KINDS; kind++) {
        struct nic *n = nic_new(state, (enum test_mem_kind)kind, 1);

        nic_start(n);
        nic_post_many(n, 0, 200, 50);
        give_many(n, 40, 100, 40);
        assert_int_equal(avps_queue_counters(&n->net.base, 0)->interrupts, 1);
        for (uint8_t i = 0; i < 40U; i++) {
            (void)expect(n, 100, i);
        }
        assert_int_equal(avps_queue_counters(&n->net.base, 0)->chains, 40);
        nic_free(n);
    }
}

/* More buffers than fit in one go. */
static void test_net_rx_a_burst_of_merged_packets_is_split(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    n->d.size = 256;
    want(n, AVPS_NET_F_MRG_RXBUF);
    nic_start(n);
    nic_post_many(n, 0, 200, 150);
    give_many(n, 14, 1900, 14);
    for (uint8_t i = 0; i < 14U; i++) {
        assert_int_equal(expect(n, 1900, i).num_buffers, 10);
    }
    assert_int_equal(avps_queue_counters(&n->net.base, 0)->chains, 140);
    nic_free(n);
}

static void test_net_rx_a_packet_that_needs_too_many_buffers_is_dropped(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    n->d.size = 256;
    want(n, AVPS_NET_F_MRG_RXBUF);
    nic_start(n);
    nic_post_many(n, 0, 20, AVPS_NET_MERGE + 10U);
    fill(20U * AVPS_NET_MERGE - 11U, 1);
    assert_true(nic_give(n, frame, 20U * AVPS_NET_MERGE - 11U));
    assert_int_equal(counters(n)->rx_oversize, 1);
    fill(20U * AVPS_NET_MERGE - 12U, 2);
    assert_true(nic_give(n, frame, 20U * AVPS_NET_MERGE - 12U));
    assert_int_equal(expect(n, 20U * AVPS_NET_MERGE - 12U, 2).num_buffers, AVPS_NET_MERGE);
    nic_free(n);
}

/* Dropped frames in a burst take no buffer. */
static void test_net_rx_dropped_frames_of_a_burst_take_no_buffer(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    struct avps_net_frame frames[3];
    uint32_t taken = 0;

    nic_start(n);
    nic_post_many(n, 0, 200, 2);
    fill(60, 1);
    frames[0] = (struct avps_net_frame){.data = frame, .data_len = 13};
    frames[1] = (struct avps_net_frame){.data = frame, .data_len = 60};
    frames[2] = (struct avps_net_frame){.data = NULL, .data_len = 60};
    assert_int_equal(avps_net_receive(&n->net, frames, 3, &taken), AVPS_OK);
    assert_int_equal(taken, 3);
    assert_int_equal(counters(n)->rx_invalid, 2);
    (void)expect(n, 60, 1);
    assert_int_equal(avps_queue_counters(&n->net.base, 0)->used, 1);
    nic_free(n);
}

/* ---- short rings: I32 ---- */

static void test_net_rx_an_empty_ring_takes_nothing_and_says_when_it_is_filled(void **state)
{
    for (unsigned int event_idx = 0; event_idx < 2U; event_idx++) {
        struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

        if (event_idx != 0U) {
            want(n, AVPS_F_EVENT_IDX);
        }
        nic_start(n);
        fill(100, 1);
        assert_false(nic_give(n, frame, 100));
        assert_int_equal(counters(n)->rx_blocked, 1);
        assert_int_equal(n->ready[0], 0);
        nic_post(n, 0, 200);
        assert_true(test_ring_wants_kick(&n->d.ring[0]));
        test_driver_kick(&n->d, 0);
        (void)test_driver_poll(&n->d);
        assert_int_equal(n->ready[0], 1);
        assert_true(nic_give(n, frame, 100));
        (void)expect(n, 100, 1);
        nic_post(n, 0, 200);
        test_driver_kick(&n->d, 0); /* nobody waits: no call */
        (void)test_driver_poll(&n->d);
        assert_int_equal(n->ready[0], 1);
        nic_free(n);
    }
}

static void test_net_rx_with_buffers_no_kick_is_asked_for(void **state)
{
    for (unsigned int event_idx = 0; event_idx < 2U; event_idx++) {
        struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

        if (event_idx != 0U) {
            want(n, AVPS_F_EVENT_IDX);
        }
        nic_start(n);
        nic_post_many(n, 0, 200, 4);
        (void)test_ring_wants_kick(&n->d.ring[0]);
        fill(100, 1);
        assert_true(nic_give(n, frame, 100));
        nic_post(n, 0, 200);
        assert_false(test_ring_wants_kick(&n->d.ring[0]));
        nic_free(n);
    }
}

static void test_net_rx_a_burst_stops_where_the_ring_ends(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    nic_start(n);
    nic_post_many(n, 0, 200, 20);
    give_many(n, 30, 100, 20);
    for (uint8_t i = 0; i < 20U; i++) {
        (void)expect(n, 100, i);
    }
    assert_int_equal(counters(n)->rx_blocked, 1);
    nic_free(n);
}

/* With EVENT_IDX the driver must be asked while what there is has been looked at. */
static void test_net_rx_too_few_buffers_wait_for_more(void **state)
{
    for (unsigned int event_idx = 0; event_idx < 2U; event_idx++) {
        struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
        struct test_used used;

        if (event_idx != 0U) {
            want(n, AVPS_F_EVENT_IDX);
        }
        want(n, AVPS_NET_F_MRG_RXBUF);
        nic_start(n);
        nic_post_many(n, 0, 500, 2);
        (void)test_ring_wants_kick(&n->d.ring[0]);
        fill(1400, 1);
        assert_false(nic_give(n, frame, 1400));
        assert_false(test_driver_reap(&n->d, 0, &used));
        nic_post(n, 0, 500);
        assert_true(test_ring_wants_kick(&n->d.ring[0]));
        test_driver_kick(&n->d, 0);
        (void)test_driver_poll(&n->d);
        assert_int_equal(n->ready[0], 1);
        assert_true(nic_give(n, frame, 1400));
        assert_int_equal(expect(n, 1400, 1).num_buffers, 3);
        nic_free(n);
    }
}

static void test_net_rx_who_waits_is_told_after_a_reset_too(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    nic_start(n);
    fill(100, 1);
    assert_false(nic_give(n, frame, 100));
    test_driver_reset(&n->d);
    assert_true(nic_give(n, frame, 100)); /* no driver: dropped */
    assert_int_equal(counters(n)->rx_no_queue, 1);
    nic_up(n);
    assert_int_equal(n->ready[0], 1);
    nic_post(n, 0, 200);
    assert_true(nic_give(n, frame, 100));
    (void)expect(n, 100, 1);
    nic_free(n);
}

static void test_net_rx_a_back_end_need_not_wait(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    n->ops.rx_ready = NULL;
    n->ops.live = NULL;
    nic_start(n);
    fill(100, 1);
    assert_false(nic_give(n, frame, 100));
    nic_post(n, 0, 200);
    test_driver_kick(&n->d, 0);
    (void)test_driver_poll(&n->d);
    assert_true(nic_give(n, frame, 100));
    (void)expect(n, 100, 1);
    nic_free(n);
}

/* ---- no way to the guest ---- */

static void test_net_rx_without_driver_link_or_queue_frames_are_dropped(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    nic_init(n);
    fill(100, 1);
    assert_true(nic_give(n, frame, 100));
    assert_int_equal(counters(n)->rx_no_queue, 1);
    nic_up(n);
    nic_post(n, 0, 200);
    avps_net_set_link(&n->net, false);
    assert_true(nic_give(n, frame, 100));
    assert_int_equal(counters(n)->rx_no_queue, 2);
    avps_net_set_link(&n->net, true);
    test_driver_set(&n->d, TEST_QUEUE_SEL, 0);
    test_driver_set(&n->d, TEST_QUEUE_READY, 0);
    assert_true(nic_give(n, frame, 100));
    assert_int_equal(counters(n)->rx_no_queue, 3);
    nic_free(n);
}

static void test_net_rx_a_suspended_device_drops_frames(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    struct test_used used;

    want(n, AVPS_F_SUSPEND);
    nic_start(n);
    nic_post(n, 0, 200);
    test_driver_set(&n->d, TEST_STATUS, TEST_S_LIVE | TEST_S_SUSPEND);
    fill(100, 1);
    assert_true(nic_give(n, frame, 100));
    assert_false(test_driver_reap(&n->d, 0, &used));
    test_driver_set(&n->d, TEST_STATUS, TEST_S_LIVE);
    assert_true(nic_give(n, frame, 100));
    (void)expect(n, 100, 1);
    nic_free(n);
}

static void test_net_rx_a_quiet_device_leaves_frames_with_the_caller(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    nic_start(n);
    nic_post(n, 0, 200);
    assert_int_equal(avps_quiesce(&n->net.base), AVPS_OK);
    fill(100, 1);
    assert_false(nic_give(n, frame, 100));
    avps_resume(&n->net.base);
    (void)test_driver_poll(&n->d);
    assert_int_equal(n->ready[0], 1);
    assert_true(nic_give(n, frame, 100));
    (void)expect(n, 100, 1);
    nic_free(n);
}

static void test_net_rx_calls_are_checked(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 2);
    const struct avps_net_frame f = {.data = frame, .data_len = 60};
    uint32_t taken = 0;

    nic_start(n);
    fill(60, 1);
    assert_int_equal(avps_net_receive(NULL, &f, 1, &taken), AVPS_E_PARAM);
    assert_int_equal(avps_net_receive(&n->net, NULL, 1, &taken), AVPS_E_PARAM);
    assert_int_equal(avps_net_receive(&n->net, &f, 1, NULL), AVPS_E_PARAM);
    assert_int_equal(avps_net_rx_burst(NULL, 0, &f, 1, &taken), AVPS_E_PARAM);
    assert_int_equal(avps_net_rx_burst(&n->net, 0, NULL, 1, &taken), AVPS_E_PARAM);
    assert_int_equal(avps_net_rx_burst(&n->net, 0, &f, 1, NULL), AVPS_E_PARAM);
    assert_int_equal(avps_net_rx_burst(&n->net, 2, &f, 1, &taken), AVPS_E_PARAM);
    assert_int_equal(avps_net_rx_burst(&n->net, 1, &f, 1, &taken), AVPS_OK); /* no MQ */
    assert_int_equal(taken, 1);
    assert_int_equal(avps_net_counters(&n->net, 1)->rx_no_queue, 1);
    assert_null(avps_net_counters(&n->net, 2));
    nic_post(n, 0, 200);
    assert_int_equal(avps_net_rx_burst(&n->net, 0, &f, 1, &taken), AVPS_OK);
    assert_int_equal(taken, 1);
    (void)expect(n, 60, 1);
    nic_free(n);
}

/* ---- lengths ---- */

/* [net-1.5] [AVPS NET-5] */
static void test_net_rx_no_frame_exceeds_the_negotiated_mtu(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    n->config.mtu = 1500;
    want(n, AVPS_NET_F_MTU);
    nic_start(n);
    nic_post_many(n, 0, 4000, 4);
    fill(1515, 1);
    assert_true(nic_give(n, frame, 1515));
    assert_int_equal(counters(n)->rx_oversize, 1);
    fill(1514, 1);
    assert_true(nic_give(n, frame, 1514));
    (void)expect(n, 1514, 1);
    fill(1519, 1);
    frame_put16(frame + 12, 0x8100);
    assert_true(nic_give(n, frame, 1519));
    assert_int_equal(counters(n)->rx_oversize, 2);
    assert_true(nic_give(n, frame, 1518)); /* the tag does not count */
    assert_int_equal(counters(n)->rx_oversize, 2);
    assert_int_equal(counters(n)->rx_packets, 2);
    nic_free(n);
}

static void test_net_rx_no_frame_is_longer_than_any(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    const struct avps_seg more = {.ptr = frame, .len = 65000};
    const struct avps_net_frame f = {
        .data = frame, .data_len = 1000, .more = &more, .more_count = 1};
    const struct avps_net_frame skipped = {
        .data = frame, .data_len = 14, .more = &more, .more_count = 1, .more_skip = 65001};
    uint32_t taken = 0;

    nic_start(n);
    fill(1000, 1);
    assert_int_equal(avps_net_receive(&n->net, &f, 1, &taken), AVPS_OK);
    assert_int_equal(avps_net_receive(&n->net, &skipped, 1, &taken), AVPS_OK);
    assert_int_equal(counters(n)->rx_invalid, 2);
    nic_free(n);
}

/* ---- checksums ---- */

static const struct avps_net_offload partial = {
    .flags = AVPS_NET_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16};

/* Ones' complement sum of [start, len), folded: 0xffff when the checksum in it is right. */
static uint32_t folded(const uint8_t *bytes, uint32_t start, uint32_t len)
{
    uint32_t sum = 0;

    for (uint32_t i = start; i < len; i++) {
        sum += (i - start) % 2U == 0U ? (uint32_t)bytes[i] << 8 : bytes[i];
    }
    while (sum > 0xffffU) {
        sum = (sum & 0xffffU) + (sum >> 16);
    }
    return sum;
}

/* [net-4.15] [net-4.16] [net-4.17] [net-4.18] [net-4.26] */
static void test_net_rx_partial_checksums_reach_a_guest_that_takes_them(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    const struct avps_net_offload valid = {.flags = AVPS_NET_DATA_VALID};

    n->config.offloads = AVPS_NET_RX_CSUM;
    want(n, AVPS_NET_F_GUEST_CSUM);
    nic_start(n);
    nic_post_many(n, 0, 200, 2);
    fill(100, 1);
    assert_true(nic_give_offload(n, frame, 100, &partial));
    struct nic_hdr hdr = expect(n, 100, 1);
    assert_int_equal(hdr.flags, AVPS_NET_NEEDS_CSUM);
    assert_int_equal(hdr.csum_start, 34);
    assert_int_equal(hdr.csum_offset, 16);
    assert_int_equal(hdr.gso_type, 0);
    assert_true(nic_give_offload(n, frame, 100, &valid));
    hdr = expect(n, 100, 1);
    assert_int_equal(hdr.flags, AVPS_NET_DATA_VALID);
    assert_int_equal(hdr.csum_start, 0);
    assert_int_equal(counters(n)->rx_csum_done, 0);
    nic_free(n);
}

/* [net-4.5] */
static void test_net_rx_other_guests_get_complete_checksums(void **state)
{
    for (int kind = 0; kind < (int)TEST_MEM_KINDS; kind++) {
        struct nic *n = nic_new(state, (enum test_mem_kind)kind, 1);
        const struct avps_net_offload valid = {.flags = AVPS_NET_DATA_VALID};
        struct nic_hdr hdr;

        n->config.offloads = AVPS_NET_RX_CSUM; /* the driver does not accept it */
        nic_start(n);
        nic_post_many(n, 0, 200, 3);
        for (uint32_t len = 99; len < 101U; len++) {
            fill(len, 1);
            assert_true(nic_give_offload(n, frame, len, &partial));
            assert_int_equal(nic_take(n, 0, &hdr, got), len);
            assert_int_equal(hdr.flags, 0);
            assert_int_equal(hdr.csum_start, 0);
            assert_int_equal(got[50] << 8 | got[51],
                             0xffffU ^ folded(frame, 34, len)); /* it counted the seed */
            assert_memory_equal(got, frame, 50);
            assert_memory_equal(got + 52, frame + 52, len - 52U);
        }
        assert_int_equal(counters(n)->rx_csum_done, 2);
        assert_true(nic_give_offload(n, frame, 60, &valid));
        assert_int_equal(nic_take(n, 0, &hdr, got), 60);
        assert_int_equal(hdr.flags, 0);
        nic_free(n);
    }
}

static void test_net_rx_a_checksum_is_completed_across_pieces_and_buffers(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    const struct avps_seg more[] = {{.ptr = frame + 40, .len = 11}, {.ptr = frame + 51, .len = 49}};
    const struct avps_net_frame f = {
        .data = frame, .data_len = 40, .more = more, .more_count = 2, .offload = partial};
    struct nic_hdr hdr;
    uint32_t taken = 0;

    want(n, AVPS_NET_F_MRG_RXBUF);
    nic_start(n);
    nic_post(n, 0, 12 + 51); /* the two bytes are in two buffers */
    nic_post(n, 0, 100);
    fill(100, 3);
    assert_int_equal(avps_net_receive(&n->net, &f, 1, &taken), AVPS_OK);
    assert_int_equal(nic_take(n, 0, &hdr, got), 100);
    assert_int_equal(hdr.num_buffers, 2);
    assert_int_equal(got[50] << 8 | got[51], 0xffffU ^ folded(frame, 34, 100));
    assert_memory_equal(got + 52, frame + 52, 48);
    nic_free(n);
}

/* A UDP checksum of zero would mean "none". */
static void test_net_rx_a_udp_checksum_of_zero_is_sent_as_ones(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    struct avps_net_offload udp = {
        .flags = AVPS_NET_NEEDS_CSUM, .csum_start = 34, .csum_offset = 6};
    struct nic_hdr hdr;

    nic_start(n);
    nic_post_many(n, 0, 200, 2);
    fill(60, 0);
    (void)memset(frame + 34, 0, 26);
    frame_put16(frame + 50, 0xffff);
    assert_true(nic_give_offload(n, frame, 60, &udp));
    assert_int_equal(nic_take(n, 0, &hdr, got), 60);
    assert_int_equal(got[40] << 8 | got[41], 0xffff);
    udp.csum_offset = 10; /* no UDP: zero is zero */
    assert_true(nic_give_offload(n, frame, 60, &udp));
    assert_int_equal(nic_take(n, 0, &hdr, got), 60);
    assert_int_equal(got[44] << 8 | got[45], 0);
    nic_free(n);
}

static void test_net_rx_offloads_that_make_no_sense_are_dropped(void **state)
{
    static const struct avps_net_offload bad[] = {
        {.flags = AVPS_NET_NEEDS_CSUM, .csum_start = 13, .csum_offset = 16},
        {.flags = AVPS_NET_NEEDS_CSUM, .csum_start = 34, .csum_offset = 25},
        {.flags = AVPS_NET_NEEDS_CSUM, .csum_start = 0xffff, .csum_offset = 0xffff},
        {.flags = 4},
        {.flags = 0x10},
        {.hdr_len = 61},
        {.gso_type = AVPS_NET_GSO_TCPV4, .gso_size = 1},
        {.flags = AVPS_NET_NEEDS_CSUM,
         .csum_start = 34,
         .csum_offset = 16,
         .gso_type = AVPS_NET_GSO_TCPV4}};
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    n->config.offloads = AVPS_NET_RX_CSUM | AVPS_NET_RX_TSO4;
    want(n, AVPS_NET_F_GUEST_CSUM);
    want(n, AVPS_NET_F_GUEST_TSO4);
    nic_start(n);
    nic_post(n, 0, 200);
    fill(60, 1);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_true(nic_give_offload(n, frame, 60, &bad[i]));
        assert_int_equal(counters(n)->rx_invalid, i + 1U);
    }
    assert_int_equal(counters(n)->rx_packets, 0);
    nic_free(n);
}

/* ---- large frames ---- */

static const struct avps_net_offload large = {.flags = AVPS_NET_NEEDS_CSUM,
                                              .gso_type = AVPS_NET_GSO_TCPV4,
                                              .hdr_len = 66,
                                              .gso_size = 1448,
                                              .csum_start = 34,
                                              .csum_offset = 16};

static bool kind_arrives(struct nic *n, uint8_t gso_type, uint16_t ethertype)
{
    struct avps_net_offload o = large;
    struct nic_hdr hdr;

    o.gso_type = gso_type;
    fill(5000, 1);
    frame_put16(frame + 12, ethertype);
    const uint64_t before = counters(n)->rx_no_offload;
    assert_true(nic_give_offload(n, frame, 5000, &o));
    if (nic_take(n, 0, &hdr, got) == 0U) {
        assert_int_equal(counters(n)->rx_no_offload, before + 1U);
        return false;
    }
    assert_int_equal(hdr.gso_type, gso_type);
    assert_int_equal(hdr.flags, AVPS_NET_NEEDS_CSUM);
    assert_int_equal(hdr.gso_size, 1448);
    nic_post(n, 0, 6000);
    return true;
}

static const uint8_t rx_features[] = {AVPS_NET_F_GUEST_TSO4, AVPS_NET_F_GUEST_TSO6,
                                      AVPS_NET_F_GUEST_UFO,  AVPS_NET_F_GUEST_USO4,
                                      AVPS_NET_F_GUEST_USO6, AVPS_NET_F_GUEST_ECN};

static struct nic *large_start(void **state, size_t feature)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    n->config.offloads = AVPS_NET_RX_CSUM | AVPS_NET_RX_TSO4 | AVPS_NET_RX_TSO6 | AVPS_NET_RX_ECN |
                         AVPS_NET_RX_UFO | AVPS_NET_RX_USO4 | AVPS_NET_RX_USO6;
    n->config.mtu = 1500;
    want(n, AVPS_NET_F_MTU);
    want(n, AVPS_NET_F_GUEST_CSUM);
    if (feature < sizeof rx_features) {
        want(n, rx_features[feature]);
    }
    nic_start(n);
    nic_post_many(n, 0, 6000, 2);
    return n;
}

/* [net-4.6] [net-4.7] [net-4.8] [net-4.9] [net-4.21] [net-4.22] [net-x8] */
static void test_net_rx_large_frames_need_their_own_feature(void **state)
{
    static const uint8_t kinds[] = {AVPS_NET_GSO_TCPV4, AVPS_NET_GSO_TCPV6, AVPS_NET_GSO_UDP,
                                    AVPS_NET_GSO_UDP_L4};
    /* which kinds each of the first five features admits; USO with the IP version it is for */
    static const bool admits[6][4] = {{true, false, false, false},  {false, true, false, false},
                                      {false, false, true, false},  {false, false, false, true},
                                      {false, false, false, false}, {false, false, false, false}};

    for (size_t feature = 0; feature < 6U; feature++) {
        struct nic *n = large_start(state, feature == 5U ? 99U : feature);

        for (size_t kind = 0; kind < 4U; kind++) {
            assert_int_equal(kind_arrives(n, kinds[kind], 0x0800), admits[feature][kind]);
            assert_false(kind_arrives(n, kinds[kind] | AVPS_NET_GSO_ECN, 0x0800));
        }
        nic_free(n);
    }
}

static void test_net_rx_large_udp_follows_the_ip_version(void **state)
{
    struct nic *n = large_start(state, 3);

    assert_true(kind_arrives(n, AVPS_NET_GSO_UDP_L4, 0x0800));
    assert_false(kind_arrives(n, AVPS_NET_GSO_UDP_L4, 0x86dd));
    nic_free(n);
    n = large_start(state, 4);
    assert_false(kind_arrives(n, AVPS_NET_GSO_UDP_L4, 0x0800));
    assert_true(kind_arrives(n, AVPS_NET_GSO_UDP_L4, 0x86dd));
    test_driver_reset(&n->d);
    want(n, AVPS_NET_F_GUEST_USO4);
    nic_up(n);
    nic_post_many(n, 0, 6000, 2);
    assert_true(kind_arrives(n, AVPS_NET_GSO_UDP_L4, 0x0800));
    assert_true(kind_arrives(n, AVPS_NET_GSO_UDP_L4, 0x86dd));
    nic_free(n);
}

/* The IP version is behind the tag. */
static void test_net_rx_large_udp_may_be_tagged(void **state)
{
    struct nic *n = large_start(state, 4);
    struct avps_net_offload o = large;
    struct nic_hdr hdr;

    o.gso_type = AVPS_NET_GSO_UDP_L4;
    o.csum_start = 58;
    fill(5000, 1);
    frame_put16(frame + 12, 0x8100);
    frame_put16(frame + 16, 0x0800);
    assert_true(nic_give_offload(n, frame, 5000, &o));
    assert_int_equal(nic_take(n, 0, &hdr, got), 0);
    frame_put16(frame + 16, 0x86dd);
    assert_true(nic_give_offload(n, frame, 5000, &o));
    assert_int_equal(nic_take(n, 0, &hdr, got), 5000);
    nic_free(n);
}

/* [net-4.12] */
static void test_net_rx_ecn_needs_its_feature(void **state)
{
    struct nic *n = large_start(state, 0);

    assert_false(kind_arrives(n, AVPS_NET_GSO_TCPV4 | AVPS_NET_GSO_ECN, 0x0800));
    test_driver_reset(&n->d);
    want(n, AVPS_NET_F_GUEST_ECN);
    nic_up(n);
    nic_post_many(n, 0, 6000, 2);
    assert_true(kind_arrives(n, AVPS_NET_GSO_TCPV4 | AVPS_NET_GSO_ECN, 0x0800));
    assert_true(kind_arrives(n, AVPS_NET_GSO_TCPV4, 0x0800));
    nic_free(n);
}

/* [net-4.19] [net-4.20] [net-4.27] Tunnel bits are no kind that was negotiated. */
static void test_net_rx_tunnel_segmentation_is_not_passed_on(void **state)
{
    struct nic *n = large_start(state, 0);

    assert_false(kind_arrives(n, AVPS_NET_GSO_TCPV4 | 0x20U, 0x0800));
    assert_false(kind_arrives(n, AVPS_NET_GSO_TCPV4 | 0x40U, 0x0800));
    nic_free(n);
}

/* [net-4.25] */
static void test_net_rx_a_header_length_covers_the_headers(void **state)
{
    struct nic *n = large_start(state, 0);
    struct avps_net_offload o = large;
    struct nic_hdr hdr;

    fill(5000, 1);
    assert_true(nic_give_offload(n, frame, 5000, &o));
    assert_int_not_equal(nic_take(n, 0, &hdr, got), 0);
    assert_int_equal(hdr.hdr_len, 66);
    o.hdr_len = 0;
    assert_true(nic_give_offload(n, frame, 5000, &o));
    assert_int_not_equal(nic_take(n, 0, &hdr, got), 0);
    assert_int_equal(hdr.hdr_len, 54);
    nic_free(n);
    n = large_start(state, 3);
    o.gso_type = AVPS_NET_GSO_UDP_L4;
    o.csum_offset = 6;
    frame_put16(frame + 12, 0x0800);
    assert_true(nic_give_offload(n, frame, 5000, &o));
    assert_int_not_equal(nic_take(n, 0, &hdr, got), 0);
    assert_int_equal(hdr.hdr_len, 42);
    nic_free(n);
}

/* ---- memory that fails ---- */

static void test_net_rx_a_port_that_fails_anywhere_harms_nothing_else(void **state)
{
    uint64_t errors = 0;

    for (unsigned int at = 1; at < 24U; at++) {
        struct nic *n = nic_new(state, TEST_MEM_COPY, 1);

        nic_start(n);
        nic_post_many(n, 0, 200, 2);
        fill(100, 1);
        test_fail_at(&n->d.mem.fail, at, AVPS_E_IO);
        const bool first = nic_give(n, frame, 100);
        n->d.mem.fail.at = 0;
        errors += counters(n)->rx_errors;
        (void)test_driver_poll(&n->d);
        if (test_driver_get(&n->d, TEST_STATUS) == TEST_S_LIVE) {
            assert_int_equal(first, counters(n)->rx_blocked == 0U);
            assert_true(nic_give(n, frame, 100));
            (void)expect(n, 100, 1);
            if (first && counters(n)->rx_errors == 0U) {
                (void)expect(n, 100, 1);
            }
        } else {
            assert_int_equal(n->net.base.counters.needs_reset, 1);
        }
        nic_free(n);
    }
    assert_int_equal(errors, 2); /* the writes of header and frame */
}

static void test_net_rx_a_map_that_is_not_ready_leaves_the_frame(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_MAP, 1);

    nic_start(n);
    nic_post_many(n, 0, 200, 2);
    fill(100, 1);
    test_fail_at(&n->d.mem.fail, 1, AVPS_AGAIN);
    n->d.mem.fail.times = 5; /* every look at the ring */
    assert_false(nic_give(n, frame, 100));
    n->d.mem.fail.at = 0;
    (void)test_driver_poll(&n->d);
    assert_int_equal(n->ready[0], 1); /* tried again without a kick */
    assert_true(nic_give(n, frame, 100));
    (void)expect(n, 100, 1);
    nic_free(n);
}

/* Two devices share nothing. I35 */
static void test_net_rx_two_devices_do_not_meet(void **state)
{
    struct nic *a = nic_new_at(0, state, TEST_MEM_REGIONS, 1);
    struct nic *b = nic_new_at(1, state, TEST_MEM_REGIONS, 1);
    const struct nic_hdr plain = {0};
    struct test_used used;

    nic_start(a);
    nic_start(b);
    nic_post(a, 0, 200);
    nic_post(b, 0, 11); /* b's driver is broken */
    fill(100, 1);
    assert_true(nic_give(b, frame, 100));
    test_driver_assert_faulted(&b->d);
    assert_true(nic_give(a, frame, 100));
    (void)expect(a, 100, 1);
    nic_send(a, 0, &plain, frame, 100);
    assert_int_equal(a->sent_count, 1);
    assert_int_equal(b->sent_count, 0);
    assert_false(test_driver_reap(&b->d, 0, &used));
    nic_free(a);
    nic_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_net_rx_a_frame_arrives_under_every_memory_contract, NULL, NULL),
        TEST_BOTH(test_net_rx_a_frame_may_come_in_pieces, NULL, NULL),
        TEST_BOTH(test_net_rx_a_packet_fills_one_buffer_after_the_other, NULL, NULL),
        TEST_BOTH(test_net_rx_all_buffers_but_the_last_are_full, NULL, NULL),
        TEST_BOTH(test_net_rx_a_frame_too_long_for_its_buffer_is_dropped_alone, NULL, NULL),
        TEST_BOTH(test_net_rx_buffers_may_have_several_parts, NULL, NULL),
        TEST_BOTH(test_net_rx_the_readable_half_of_a_buffer_is_skipped, NULL, NULL),
        TEST_BOTH(test_net_rx_a_buffer_without_room_for_a_header_faults, NULL, NULL),
        TEST_BOTH(test_net_rx_a_buffer_for_reading_only_faults, NULL, NULL),
        TEST_BOTH(test_net_rx_a_buffer_outside_memory_faults, NULL, NULL),
        TEST_BOTH(test_net_rx_a_burst_is_one_notification, NULL, NULL),
        TEST_BOTH(test_net_rx_a_burst_of_merged_packets_is_split, NULL, NULL),
        TEST_BOTH(test_net_rx_a_packet_that_needs_too_many_buffers_is_dropped, NULL, NULL),
        TEST_BOTH(test_net_rx_dropped_frames_of_a_burst_take_no_buffer, NULL, NULL),
        TEST_BOTH(test_net_rx_an_empty_ring_takes_nothing_and_says_when_it_is_filled, NULL, NULL),
        TEST_BOTH(test_net_rx_with_buffers_no_kick_is_asked_for, NULL, NULL),
        TEST_BOTH(test_net_rx_a_burst_stops_where_the_ring_ends, NULL, NULL),
        TEST_BOTH(test_net_rx_too_few_buffers_wait_for_more, NULL, NULL),
        TEST_BOTH(test_net_rx_who_waits_is_told_after_a_reset_too, NULL, NULL),
        TEST_BOTH(test_net_rx_a_back_end_need_not_wait, NULL, NULL),
        TEST_BOTH(test_net_rx_without_driver_link_or_queue_frames_are_dropped, NULL, NULL),
        TEST_BOTH(test_net_rx_a_suspended_device_drops_frames, NULL, NULL),
        TEST_BOTH(test_net_rx_a_quiet_device_leaves_frames_with_the_caller, NULL, NULL),
        TEST_BOTH(test_net_rx_calls_are_checked, NULL, NULL),
        TEST_BOTH(test_net_rx_no_frame_exceeds_the_negotiated_mtu, NULL, NULL),
        TEST_BOTH(test_net_rx_no_frame_is_longer_than_any, NULL, NULL),
        TEST_BOTH(test_net_rx_partial_checksums_reach_a_guest_that_takes_them, NULL, NULL),
        TEST_BOTH(test_net_rx_other_guests_get_complete_checksums, NULL, NULL),
        TEST_BOTH(test_net_rx_a_checksum_is_completed_across_pieces_and_buffers, NULL, NULL),
        TEST_BOTH(test_net_rx_a_udp_checksum_of_zero_is_sent_as_ones, NULL, NULL),
        TEST_BOTH(test_net_rx_offloads_that_make_no_sense_are_dropped, NULL, NULL),
        TEST_BOTH(test_net_rx_large_frames_need_their_own_feature, NULL, NULL),
        TEST_BOTH(test_net_rx_large_udp_follows_the_ip_version, NULL, NULL),
        TEST_BOTH(test_net_rx_large_udp_may_be_tagged, NULL, NULL),
        TEST_BOTH(test_net_rx_ecn_needs_its_feature, NULL, NULL),
        TEST_BOTH(test_net_rx_tunnel_segmentation_is_not_passed_on, NULL, NULL),
        TEST_BOTH(test_net_rx_a_header_length_covers_the_headers, NULL, NULL),
        TEST_BOTH(test_net_rx_a_port_that_fails_anywhere_harms_nothing_else, NULL, NULL),
        TEST_BOTH(test_net_rx_a_map_that_is_not_ready_leaves_the_frame, NULL, NULL),
        TEST_BOTH(test_net_rx_two_devices_do_not_meet, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
