/* SPDX-License-Identifier: BSD-3-Clause */
/* Network device, several queue pairs: automatic steering, receive-side scaling, notification
 * coalescing per queue. */
#include "devices/test_net.h"

#define OK  0U
#define ERR 1U

static uint8_t frame[NIC_BYTES];
static uint8_t got[NIC_BYTES];
static const struct nic_hdr plain = {0};

static struct nic *mq_start(void **state, uint16_t pairs)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, pairs);

    want(n, AVPS_NET_F_CTRL_VQ);
    if (pairs > 1U) {
        want(n, AVPS_NET_F_MQ);
    }
    want(n, AVPS_NET_F_RSS);
    want(n, AVPS_NET_F_NOTF_COAL);
    want(n, AVPS_NET_F_VQ_NOTF_COAL);
    want(n, AVPS_F_RING_RESET);
    nic_start(n);
    for (uint16_t i = 0; i < pairs; i++) {
        nic_post_many(n, i, 200, 30);
    }
    return n;
}

static uint8_t set_pairs(struct nic *n, uint16_t pairs)
{
    const uint8_t data[2] = {(uint8_t)pairs, (uint8_t)(pairs >> 8)};

    return nic_ctrl(n, 4, 0, data, 2);
}

/* A TCP packet of flow `port`; `back`: towards the guest. */
static void tcp(uint16_t port, bool back)
{
    frame_fill(frame, 60, back ? nic_mac : nic_peer, back ? nic_peer : nic_mac, 1);
    frame_put16(frame + 12, 0x0800);
    frame[14] = 0x45;
    frame_put16(frame + 20, 0);
    frame[23] = 6;
    (void)memcpy(frame + 26, back ? "\x0a\0\0\x02" : "\x0a\0\0\x01", 4);
    (void)memcpy(frame + 30, back ? "\x0a\0\0\x01" : "\x0a\0\0\x02", 4);
    frame_put16(frame + 34, back ? 80 : port);
    frame_put16(frame + 36, back ? port : 80);
}

/* Which pair a packet to the guest comes out of; NIC_PAIRS: none. */
static uint16_t arrives_at(struct nic *n)
{
    struct nic_hdr hdr;
    uint16_t pair = NIC_PAIRS;

    assert_true(nic_give(n, frame, 60));
    for (uint16_t i = 0; i < n->config.pair_count; i++) {
        if (n->d.ring[2U * i].mem != NULL && nic_take(n, i, &hdr, got) != 0U) {
            assert_int_equal(pair, NIC_PAIRS);
            pair = i;
        }
    }
    return pair;
}

/* ---- automatic steering ---- */

/* [net-10.1] */
static void test_net_mq_starts_with_the_first_pair(void **state)
{
    struct nic *n = mq_start(state, 3);

    for (uint16_t port = 1; port < 9U; port++) {
        tcp(port, true);
        assert_int_equal(arrives_at(n), 0);
    }
    nic_free(n);
}

/* [net-x20] [net-x21] [net-x22] */
static void test_net_mq_a_flow_comes_back_where_it_went_out(void **state)
{
    struct nic *n = mq_start(state, 3);

    assert_int_equal(set_pairs(n, 3), OK);
    for (uint16_t port = 1000; port < 1006U; port++) {
        tcp(port, false);
        nic_send(n, port % 3U, &plain, frame, 60);
        assert_int_equal(n->sent[n->sent_count - 1U].pair, port % 3U);
        tcp(port, true);
        assert_int_equal(arrives_at(n), port % 3U);
    }
    tcp(1000, false); /* it moves to another queue */
    nic_send(n, 2, &plain, frame, 60);
    tcp(1000, true);
    assert_int_equal(arrives_at(n), 2);
    nic_free(n);
}

/* [net-10.2] [net-x23] */
static void test_net_mq_no_queue_above_the_number_set_is_used(void **state)
{
    struct nic *n = mq_start(state, 3);

    assert_int_equal(set_pairs(n, 3), OK);
    tcp(7, false);
    nic_send(n, 2, &plain, frame, 60);
    assert_int_equal(set_pairs(n, 2), OK);
    for (uint16_t port = 1; port < 20U; port++) {
        tcp(port, true);
        assert_true(arrives_at(n) < 2U);
    }
    assert_int_equal(set_pairs(n, 1), OK);
    for (uint16_t port = 1; port < 5U; port++) {
        tcp(port, true);
        assert_int_equal(arrives_at(n), 0);
    }
    nic_free(n);
}

static void test_net_mq_unknown_flows_are_spread(void **state)
{
    struct nic *n = mq_start(state, 3);
    unsigned int count[NIC_PAIRS] = {0};

    assert_int_equal(set_pairs(n, 3), OK);
    for (uint16_t port = 1; port < 31U; port++) {
        tcp((uint16_t)(port * 37U), true);
        count[arrives_at(n)]++;
    }
    for (size_t i = 0; i < NIC_PAIRS; i++) {
        assert_int_not_equal(count[i], 0);
    }
    nic_free(n);
}

static void test_net_mq_the_number_of_pairs_is_checked(void **state)
{
    struct nic *n = mq_start(state, 2);

    assert_int_equal(set_pairs(n, 0), ERR);
    assert_int_equal(set_pairs(n, 3), ERR);
    assert_int_equal(set_pairs(n, 0x8000), ERR);
    assert_int_equal(set_pairs(n, 0xffff), ERR);
    assert_int_equal(n->net.pairs_in_use, 1);
    assert_int_equal(set_pairs(n, 2), OK);
    assert_int_equal(n->net.pairs_in_use, 2);
    nic_free(n);
}

static void reset_queue(struct nic *n, uint16_t queue)
{
    test_driver_set(&n->d, TEST_QUEUE_SEL, queue);
    test_driver_set(&n->d, TEST_QUEUE_RESET, 1);
    assert_int_equal(test_driver_get(&n->d, TEST_QUEUE_RESET), 0);
}

/* [net-10.3] [net-10.4] */
static void test_net_mq_a_queue_that_is_reset_is_avoided(void **state)
{
    struct nic *n = mq_start(state, 2);

    assert_int_equal(set_pairs(n, 2), OK);
    tcp(9, false);
    nic_send(n, 1, &plain, frame, 60);
    tcp(9, true);
    assert_int_equal(arrives_at(n), 1);
    reset_queue(n, 2);
    assert_int_equal(arrives_at(n), 0);
    reset_queue(n, 0);
    assert_int_equal(arrives_at(n), NIC_PAIRS);
    assert_int_equal(avps_net_counters(&n->net, 0)->rx_no_queue, 1);
    nic_free(n);
}

static void test_net_mq_a_burst_is_published_on_every_queue_it_touched(void **state)
{
    struct nic *n = mq_start(state, 2);
    static uint8_t bytes[24][60];
    struct avps_net_frame frames[24];
    uint32_t taken = 0;
    uint32_t found = 0;
    struct nic_hdr hdr;

    assert_int_equal(set_pairs(n, 2), OK);
    for (uint16_t port = 0; port < 24U; port++) {
        tcp(port, false);
        nic_queue(n, port % 2U, &plain, frame, 60);
        tcp(port, true);
        (void)memcpy(bytes[port], frame, 60);
        frames[port] = (struct avps_net_frame){.data = bytes[port], .data_len = 60};
    }
    frames[5].data_len = 3; /* dropped on the way */
    test_driver_kick(&n->d, 1);
    test_driver_kick(&n->d, 3);
    (void)test_driver_poll(&n->d);
    assert_int_equal(avps_net_receive(&n->net, frames, 24, &taken), AVPS_OK);
    assert_int_equal(taken, 24);
    for (uint16_t pair = 0; pair < 2U; pair++) {
        assert_int_equal(avps_queue_counters(&n->net.base, (uint16_t)(2U * pair))->interrupts, 1);
        while (nic_take(n, pair, &hdr, got) != 0U) {
            found++;
        }
    }
    assert_int_equal(found, 23);
    nic_free(n);
}

/* A full queue holds its frame, and says so by itself. */
static void test_net_mq_a_full_queue_says_when_it_has_room(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 2);

    want(n, AVPS_NET_F_CTRL_VQ);
    want(n, AVPS_NET_F_MQ);
    nic_start(n);
    nic_post(n, 0, 200);
    assert_int_equal(set_pairs(n, 2), OK);
    tcp(9, false);
    nic_send(n, 1, &plain, frame, 60);
    tcp(9, true);
    assert_false(nic_give(n, frame, 60));
    assert_int_equal(avps_net_counters(&n->net, 1)->rx_blocked, 1);
    nic_post(n, 1, 200);
    test_driver_kick(&n->d, 2);
    (void)test_driver_poll(&n->d);
    assert_int_equal(n->ready[1], 1);
    assert_int_equal(n->ready[0], 0);
    assert_int_equal(arrives_at(n), 1);
    nic_free(n);
}

/* Poll mode and own steering: each pair for itself. */
static void test_net_mq_pairs_can_be_driven_one_by_one(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 2);
    const struct avps_net_packet *packets = NULL;
    const struct avps_net_frame f = {.data = frame, .data_len = 60};
    uint32_t count = 0;
    struct nic_hdr hdr;

    n->ops.transmit = NULL;
    want(n, AVPS_NET_F_CTRL_VQ);
    want(n, AVPS_NET_F_MQ);
    nic_start(n);
    assert_int_equal(set_pairs(n, 2), OK);
    nic_post(n, 1, 200);
    tcp(1, false);
    nic_queue(n, 1, &plain, frame, 60);
    assert_int_equal(avps_net_tx_burst(&n->net, 1, 8, &packets, &count), AVPS_OK);
    assert_int_equal(count, 1);
    assert_int_equal(avps_net_tx_done(&n->net, 1, 1), AVPS_OK);
    assert_int_equal(avps_poll_queue(&n->net.base, 1, 8), AVPS_POLL_IDLE);
    tcp(1, true);
    assert_int_equal(avps_net_rx_burst(&n->net, 1, &f, 1, &count), AVPS_OK);
    assert_int_equal(count, 1);
    assert_int_equal(nic_take(n, 1, &hdr, got), 60);
    nic_free(n);
}

/* The control queue is served by the far side of the transport, which starts the pairs that the driver
 * asked for there. */
static void test_net_mq_pairs_that_are_started_are_used_without_a_control_queue(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 3);

    nic_init(n);
    avps_features_add(&n->net.base.elsewhere, AVPS_NET_F_CTRL_VQ);
    want(n, AVPS_NET_F_MQ);
    want(n, AVPS_NET_F_GUEST_ANNOUNCE);
    want(n, AVPS_F_RING_RESET);
    nic_up(n);
    for (uint16_t i = 0; i < 3U; i++) {
        nic_post_many(n, i, 200, 30);
    }
    for (uint16_t port = 1000; port < 1003U; port++) {
        tcp(port, false);
        nic_send(n, port % 3U, &plain, frame, 60);
        tcp(port, true);
        assert_int_equal(arrives_at(n), port % 3U);
    }
    reset_queue(n, 4); /* pair 2 was port 1001's */
    tcp(1001, true);
    assert_int_not_equal(arrives_at(n), 2);
    nic_free(n);
}

/* ---- receive-side scaling ---- */

static const uint8_t key[40] = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
                                0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
                                0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
                                0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

struct rss {
    uint32_t types;
    uint16_t mask;
    uint16_t entries; /* written, whatever the mask says */
    uint16_t unclassified;
    uint16_t table[300];
    uint16_t max_tx;
    uint8_t key_len;
};

static uint8_t set_rss(struct nic *n, const struct rss *rss)
{
    static uint8_t data[1000];
    uint32_t at = 8;

    (void)memset(data, 0, sizeof data);
    data[0] = (uint8_t)rss->types;
    data[1] = (uint8_t)(rss->types >> 8);
    data[4] = (uint8_t)rss->mask;
    data[5] = (uint8_t)(rss->mask >> 8);
    data[6] = (uint8_t)rss->unclassified;
    data[7] = (uint8_t)(rss->unclassified >> 8);
    for (uint32_t i = 0; i < rss->entries; i++) {
        data[at++] = (uint8_t)rss->table[i];
        data[at++] = (uint8_t)(rss->table[i] >> 8);
    }
    data[at++] = (uint8_t)rss->max_tx;
    data[at++] = (uint8_t)(rss->max_tx >> 8);
    data[at++] = rss->key_len;
    (void)memcpy(data + at, key, rss->key_len < 40U ? rss->key_len : 40U);
    return nic_ctrl(n, 4, 1, data, at + rss->key_len);
}

static struct rss good_rss(void)
{
    struct rss rss = {
        .types = 2, .mask = 127, .entries = 128, .unclassified = 2, .max_tx = 3, .key_len = 40};

    for (uint16_t i = 0; i < 128U; i++) {
        rss.table[i] = i % 3U;
    }
    return rss;
}

static uint32_t hash_of(const uint8_t *packet)
{
    uint32_t hash = 0;

    for (uint32_t i = 0; i < 96U; i++) {
        if (((uint32_t)packet[26U + i / 8U] >> (7U - i % 8U) & 1U) != 0U) {
            for (uint32_t b = 0; b < 32U; b++) {
                const uint32_t at = i + b;
                hash ^= ((uint32_t)key[at / 8U] >> (7U - at % 8U) & 1U) << (31U - b);
            }
        }
    }
    return hash;
}

/* [net-11.1] [net-x11] */
static void test_net_rss_the_table_picks_the_queue(void **state)
{
    struct nic *n = mq_start(state, 3);
    const struct rss rss = good_rss();

    assert_int_equal(set_rss(n, &rss), OK);
    for (uint16_t port = 1; port < 25U; port++) {
        tcp((uint16_t)(port * 111U), true);
        assert_int_equal(arrives_at(n), rss.table[hash_of(frame) & 127U]);
    }
    frame_put16(frame + 12, 0x0806); /* no hash */
    assert_int_equal(arrives_at(n), 2);
    nic_free(n);
}

/* [net-11.2] */
static void test_net_rss_a_packet_for_a_queue_that_is_reset_is_dropped(void **state)
{
    struct nic *n = mq_start(state, 3);
    struct rss rss = good_rss();

    rss.mask = 0;
    rss.entries = 1;
    rss.table[0] = 1;
    assert_int_equal(set_rss(n, &rss), OK);
    tcp(5, true);
    assert_int_equal(arrives_at(n), 1);
    reset_queue(n, 2);
    assert_int_equal(arrives_at(n), NIC_PAIRS);
    assert_int_equal(avps_net_counters(&n->net, 0)->rx_no_queue, 1);
    nic_free(n);
}

/* CVE-2024-6505 class: no index leaves the table, no entry the queues. */
static void test_net_rss_bad_parameters_are_refused(void **state)
{
    struct nic *n = mq_start(state, 3);
    struct rss rss = good_rss();

    assert_int_equal(set_rss(n, &rss), OK);
    rss.mask = 126; /* not a power of two entries */
    rss.entries = 127;
    assert_int_equal(set_rss(n, &rss), ERR);
    rss = good_rss();
    rss.mask = 255; /* over rss_max_indirection_table_length */
    rss.entries = 256;
    assert_int_equal(set_rss(n, &rss), ERR);
    rss.mask = 0xffff;
    assert_int_equal(set_rss(n, &rss), ERR);
    rss = good_rss();
    rss.table[77] = 3;
    assert_int_equal(set_rss(n, &rss), ERR);
    rss.table[77] = 0x8001;
    assert_int_equal(set_rss(n, &rss), ERR);
    rss = good_rss();
    rss.unclassified = 3;
    assert_int_equal(set_rss(n, &rss), ERR);
    rss = good_rss();
    rss.max_tx = 4;
    assert_int_equal(set_rss(n, &rss), ERR);
    rss.max_tx = 0;
    assert_int_equal(set_rss(n, &rss), ERR);
    rss = good_rss();
    rss.key_len = 41;
    assert_int_equal(set_rss(n, &rss), ERR);
    rss = good_rss();
    rss.types = 0x200;
    assert_int_equal(set_rss(n, &rss), ERR);
    rss = good_rss();
    rss.entries = 64; /* the rest is missing */
    assert_int_equal(set_rss(n, &rss), ERR);
    tcp(5, true);
    assert_int_equal(arrives_at(n), good_rss().table[hash_of(frame) & 127U]);
    nic_free(n);
}

/* [net-x16] [net-x17] Both modes are there; the last command decides. */
static void test_net_rss_and_automatic_steering_replace_each_other(void **state)
{
    struct nic *n = mq_start(state, 3);
    struct rss rss = good_rss();

    rss.types = 0;
    assert_int_equal(set_rss(n, &rss), OK);
    tcp(5, true);
    assert_int_equal(arrives_at(n), 2); /* nothing is classified */
    assert_int_equal(set_pairs(n, 2), OK);
    tcp(5, false);
    nic_send(n, 1, &plain, frame, 60);
    tcp(5, true);
    assert_int_equal(arrives_at(n), 1);
    assert_int_equal(set_rss(n, &rss), OK);
    assert_int_equal(arrives_at(n), 2);
    test_driver_reset(&n->d);
    nic_up(n);
    for (uint16_t i = 0; i < 3U; i++) {
        nic_post(n, i, 200);
    }
    assert_int_equal(arrives_at(n), 0);
    nic_free(n);
}

/* Hash report and steering use the same parameters. [net-x10] */
static void test_net_rss_the_hash_is_reported_too(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 3);
    const struct rss rss = good_rss();
    struct nic_hdr hdr;

    want(n, AVPS_NET_F_CTRL_VQ);
    want(n, AVPS_NET_F_RSS);
    want(n, AVPS_NET_F_HASH_REPORT);
    nic_start(n);
    for (uint16_t i = 0; i < 3U; i++) {
        nic_post(n, i, 200);
    }
    assert_int_equal(set_rss(n, &rss), OK);
    tcp(99, true);
    assert_true(nic_give(n, frame, 60));
    const uint16_t pair = rss.table[hash_of(frame) & 127U];
    assert_int_equal(nic_take(n, pair, &hdr, got), 60);
    assert_int_equal(hdr.report, 2);
    assert_int_equal(hdr.hash, hash_of(frame));
    nic_free(n);
}

/* ---- notification coalescing ---- */

static uint8_t set_all(struct nic *n, uint8_t command, uint32_t packets, uint32_t usecs)
{
    const uint8_t data[8] = {(uint8_t)packets, (uint8_t)(packets >> 8), 0, 0,
                             (uint8_t)usecs,   (uint8_t)(usecs >> 8),   0, 0};

    return nic_ctrl(n, 6, command, data, 8);
}

static uint8_t set_one(struct nic *n, uint16_t queue, uint32_t packets, uint32_t usecs)
{
    const uint8_t data[12] = {(uint8_t)queue,
                              (uint8_t)(queue >> 8),
                              0xaa,
                              0x55, /* [net-13.1] */
                              (uint8_t)packets,
                              0,
                              0,
                              0,
                              (uint8_t)usecs,
                              0,
                              0,
                              0};

    return nic_ctrl(n, 6, 2, data, 12);
}

/* @return ack; the values, if it is OK. */
static uint8_t get_one(struct nic *n, uint16_t queue, uint32_t *packets, uint32_t *usecs)
{
    const uint8_t data[4] = {(uint8_t)queue, (uint8_t)(queue >> 8), 0xff, 0xff};
    const uint8_t head[2] = {6, 3};
    uint8_t result[9] = {0};

    n->request = (struct test_request){.out = {{head, 2}, {data, 4}}, .in = {1, 8}};
    const uint32_t len = test_driver_do(&n->d, n->net.control, &n->request);
    test_driver_in(&n->d, &n->request, 0, result, 9);
    assert_int_equal(len, result[0] == OK ? 9 : 1);
    *packets = result[1];
    *usecs = (uint32_t)(result[5] | result[6] << 8);
    return result[0];
}

static uint64_t interrupts(const struct nic *n, uint16_t queue)
{
    return avps_queue_counters(&n->net.base, queue)->interrupts;
}

static void receive(struct nic *n, uint32_t count)
{
    frame_fill(frame, 60, nic_mac, nic_peer, 1);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(nic_give(n, frame, 60));
    }
}

/* [net-13.7] */
static void test_net_coal_a_notification_waits_for_packets(void **state)
{
    struct nic *n = mq_start(state, 1);
    struct test_used used;

    n->d.port.now_ns = 1000;
    assert_int_equal(set_all(n, 1, 4, 100), OK);
    receive(n, 3);
    assert_int_equal(interrupts(n, 0), 0);
    assert_true(test_driver_reap(&n->d, 0, &used)); /* but the buffers are used */
    assert_int_equal(n->d.port.deadline_ns, 101000);
    receive(n, 1);
    assert_int_equal(interrupts(n, 0), 1);
    receive(n, 4);
    assert_int_equal(interrupts(n, 0), 2);
    (void)test_driver_poll(&n->d);
    assert_int_equal(n->d.port.deadline_ns, 0); /* nothing is owed: disarmed */
    nic_free(n);
}

static void test_net_coal_a_notification_waits_for_time(void **state)
{
    struct nic *n = mq_start(state, 1);

    n->d.port.now_ns = 5000;
    assert_int_equal(set_all(n, 1, 10, 20), OK);
    receive(n, 1);
    n->d.port.now_ns = 15000;
    receive(n, 1); /* the time runs from the first */
    (void)test_driver_poll(&n->d);
    assert_int_equal(interrupts(n, 0), 0);
    assert_int_equal(n->d.port.deadline_ns, 25000);
    n->d.port.now_ns = 25000;
    (void)test_driver_poll(&n->d);
    assert_int_equal(interrupts(n, 0), 1);
    assert_int_equal(n->d.port.deadline_ns, 0);
    receive(n, 1);
    assert_int_equal(interrupts(n, 0), 1);
    n->d.port.now_ns = 50000; /* also found late by the next frame */
    receive(n, 1);
    assert_int_equal(interrupts(n, 0), 2);
    nic_free(n);
}

static void test_net_coal_the_transmit_queue_has_its_own_count(void **state)
{
    struct nic *n = mq_start(state, 1);

    assert_int_equal(set_all(n, 0, 3, 100), OK);
    frame_fill(frame, 60, nic_peer, nic_mac, 1);
    nic_send(n, 0, &plain, frame, 60);
    nic_send(n, 0, &plain, frame, 60);
    assert_int_equal(interrupts(n, 1), 0);
    receive(n, 1);
    assert_int_equal(interrupts(n, 0), 1); /* receive is not coalesced */
    nic_send(n, 0, &plain, frame, 60);
    assert_int_equal(interrupts(n, 1), 1);
    nic_free(n);
}

/* Two queues are due at different times: the timer is set to the first. */
static void test_net_coal_the_timer_is_set_to_what_is_due_first(void **state)
{
    struct nic *n = mq_start(state, 1);

    n->d.port.now_ns = 1000;
    assert_int_equal(set_all(n, 1, 10, 50), OK);
    assert_int_equal(set_all(n, 0, 10, 20), OK);
    receive(n, 1);
    assert_int_equal(n->d.port.deadline_ns, 51000);
    frame_fill(frame, 60, nic_peer, nic_mac, 1);
    nic_send(n, 0, &plain, frame, 60);
    assert_int_equal(n->d.port.deadline_ns, 21000);
    n->d.port.now_ns = 21000;
    (void)test_driver_poll(&n->d);
    assert_int_equal(interrupts(n, 1), 1);
    assert_int_equal(interrupts(n, 0), 0);
    assert_int_equal(n->d.port.deadline_ns, 51000);
    n->d.port.now_ns = 51000;
    (void)test_driver_poll(&n->d);
    assert_int_equal(interrupts(n, 0), 1);
    nic_free(n);
}

/* [net-13.8] */
static void test_net_coal_a_driver_that_mutes_its_queue_is_left_alone(void **state)
{
    struct nic *n = mq_start(state, 1);

    assert_int_equal(set_all(n, 1, 4, 10), OK);
    receive(n, 1);
    test_ring_interrupts(&n->d.ring[0], false);
    n->d.port.now_ns = 1000000;
    (void)test_driver_poll(&n->d);
    assert_int_equal(interrupts(n, 0), 0);
    receive(n, 8);
    assert_int_equal(interrupts(n, 0), 0);
    assert_int_equal(n->net.coal_owed, 0);
    test_ring_interrupts(&n->d.ring[0], true);
    receive(n, 3);
    assert_int_equal(interrupts(n, 0), 0); /* counted from here on */
    receive(n, 1);
    assert_int_equal(interrupts(n, 0), 1);
    nic_free(n);
}

static void test_net_coal_zero_of_either_is_every_packet(void **state)
{
    struct nic *n = mq_start(state, 1);

    assert_int_equal(set_all(n, 1, 0, 50), OK);
    receive(n, 2);
    assert_int_equal(interrupts(n, 0), 2);
    assert_int_equal(set_all(n, 1, 50, 0), OK);
    receive(n, 2);
    assert_int_equal(interrupts(n, 0), 4);
    nic_free(n);
}

static void test_net_coal_new_parameters_may_be_met_at_once(void **state)
{
    struct nic *n = mq_start(state, 1);

    assert_int_equal(set_all(n, 1, 15, 100), OK);
    receive(n, 10);
    assert_int_equal(interrupts(n, 0), 0);
    assert_int_equal(set_all(n, 1, 12, 100), OK);
    assert_int_equal(interrupts(n, 0), 0);
    assert_int_equal(set_all(n, 1, 8, 100), OK);
    assert_int_equal(interrupts(n, 0), 1);
    receive(n, 1);
    assert_int_equal(set_all(n, 1, 8, 0), OK);
    assert_int_equal(interrupts(n, 0), 2);
    nic_free(n);
}

/* At most a ring of them, however much the driver asks for. */
static void test_net_coal_no_more_than_a_ring_of_packets_waits(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    n->d.size = 16;
    want(n, AVPS_NET_F_CTRL_VQ);
    want(n, AVPS_NET_F_NOTF_COAL);
    nic_start(n);
    nic_post_many(n, 0, 200, 16);
    const uint8_t data[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    assert_int_equal(nic_ctrl(n, 6, 1, data, 8), OK);
    receive(n, 15);
    assert_int_equal(interrupts(n, 0), 0);
    receive(n, 1);
    assert_int_equal(interrupts(n, 0), 1);
    nic_free(n);
}

/* [net-13.2] [net-13.3] [net-13.4] */
static void test_net_coal_parameters_are_kept_per_queue(void **state)
{
    struct nic *n = mq_start(state, 2);
    uint32_t packets = 0;
    uint32_t usecs = 0;

    assert_int_equal(set_all(n, 1, 3, 30), OK);
    assert_int_equal(set_one(n, 0, 5, 50), OK);
    assert_int_equal(get_one(n, 0, &packets, &usecs), OK);
    assert_int_equal(packets, 5);
    assert_int_equal(usecs, 50);
    assert_int_equal(get_one(n, 2, &packets, &usecs), OK);
    assert_int_equal(packets, 3);
    assert_int_equal(usecs, 30);
    assert_int_equal(set_one(n, 1, 7, 70), OK);
    assert_int_equal(get_one(n, 3, &packets, &usecs), OK);
    assert_int_equal(packets, 0);
    assert_int_equal(set_all(n, 0, 9, 90), OK);
    assert_int_equal(get_one(n, 1, &packets, &usecs), OK);
    assert_int_equal(packets, 9);
    assert_int_equal(usecs, 90);
    nic_free(n);
}

/* [net-13.4] */
static void test_net_coal_only_enabled_data_queues_have_parameters(void **state)
{
    struct nic *n = mq_start(state, 2);
    static const uint16_t bad[] = {4, 5, 100, 0xffff}; /* 4 is control */
    uint32_t packets = 0;
    uint32_t usecs = 0;

    for (size_t i = 0; i < 4U; i++) {
        assert_int_equal(set_one(n, bad[i], 1, 1), ERR);
        assert_int_equal(get_one(n, bad[i], &packets, &usecs), ERR);
    }
    reset_queue(n, 2);
    assert_int_equal(set_one(n, 2, 1, 1), ERR);
    assert_int_equal(get_one(n, 2, &packets, &usecs), ERR);
    const uint8_t data[4] = {0, 0, 0, 0}; /* no room for the result */
    assert_int_equal(nic_ctrl_len(n, 6, 3, data, 4, 8, 1), ERR);
    nic_free(n);
}

/* [net-13.5] [net-13.6] */
static void test_net_coal_an_enabled_queue_has_what_was_set_for_all(void **state)
{
    struct nic *n = mq_start(state, 1);
    uint32_t packets = 0;
    uint32_t usecs = 0;

    assert_int_equal(set_all(n, 0, 3, 30), OK);
    for (uint16_t queue = 0; queue < 2U; queue++) {
        assert_int_equal(set_one(n, queue, 5, 50), OK);
        reset_queue(n, queue);
        assert_true(test_driver_queue(&n->d, queue, 64));
        assert_int_equal(get_one(n, queue, &packets, &usecs), OK);
        assert_int_equal(packets, queue == 1U ? 3 : 0);
        assert_int_equal(usecs, queue == 1U ? 30 : 0);
    }
    nic_free(n);
}

/* [net-13.9] */
static void test_net_coal_a_reset_forgets_parameters_and_debts(void **state)
{
    struct nic *n = mq_start(state, 1);
    uint32_t packets = 1;
    uint32_t usecs = 1;

    assert_int_equal(set_all(n, 1, 3, 30), OK);
    receive(n, 1);
    assert_int_equal(n->net.coal_owed, 1);
    test_driver_reset(&n->d);
    assert_int_equal(n->net.coal_owed, 0);
    nic_up(n);
    assert_int_equal(n->d.port.deadline_ns, 0); /* disarmed by the first poll */
    assert_int_equal(get_one(n, 0, &packets, &usecs), OK);
    assert_int_equal(packets, 0);
    assert_int_equal(usecs, 0);
    assert_int_equal(set_one(n, 0, 3, 30), OK);
    receive(n, 0);
    nic_post(n, 0, 200);
    receive(n, 1);
    reset_queue(n, 0);
    assert_int_equal(n->net.coal_owed, 0);
    nic_free(n);
}

static void test_net_coal_needs_a_clock_and_a_timer(void **state)
{
    for (unsigned int missing = 0; missing < 4U; missing++) {
        struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
        static struct avps_sys_ops sys;
        struct avps_port port = n->d.port.port;

        sys = *n->d.port.port.sys;
        sys.now_ns = missing == 0U ? NULL : sys.now_ns;
        sys.timer = missing == 1U ? NULL : sys.timer;
        port.sys = missing == 2U ? NULL : &sys;
        n->config.base.port = missing == 3U ? NULL : &port;
        nic_init(n);
        assert_false(test_driver_offers(&n->d, AVPS_NET_F_NOTF_COAL));
        assert_false(test_driver_offers(&n->d, AVPS_NET_F_VQ_NOTF_COAL));
        nic_free(n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_net_mq_starts_with_the_first_pair, NULL, NULL),
        TEST_BOTH(test_net_mq_a_flow_comes_back_where_it_went_out, NULL, NULL),
        TEST_BOTH(test_net_mq_no_queue_above_the_number_set_is_used, NULL, NULL),
        TEST_BOTH(test_net_mq_unknown_flows_are_spread, NULL, NULL),
        TEST_BOTH(test_net_mq_the_number_of_pairs_is_checked, NULL, NULL),
        TEST_BOTH(test_net_mq_a_queue_that_is_reset_is_avoided, NULL, NULL),
        TEST_BOTH(test_net_mq_a_burst_is_published_on_every_queue_it_touched, NULL, NULL),
        TEST_BOTH(test_net_mq_a_full_queue_says_when_it_has_room, NULL, NULL),
        TEST_BOTH(test_net_mq_pairs_can_be_driven_one_by_one, NULL, NULL),
        TEST_BOTH(test_net_mq_pairs_that_are_started_are_used_without_a_control_queue, NULL, NULL),
        TEST_BOTH(test_net_rss_the_table_picks_the_queue, NULL, NULL),
        TEST_BOTH(test_net_rss_a_packet_for_a_queue_that_is_reset_is_dropped, NULL, NULL),
        TEST_BOTH(test_net_rss_bad_parameters_are_refused, NULL, NULL),
        TEST_BOTH(test_net_rss_and_automatic_steering_replace_each_other, NULL, NULL),
        TEST_BOTH(test_net_rss_the_hash_is_reported_too, NULL, NULL),
        TEST_BOTH(test_net_coal_a_notification_waits_for_packets, NULL, NULL),
        TEST_BOTH(test_net_coal_a_notification_waits_for_time, NULL, NULL),
        TEST_BOTH(test_net_coal_the_transmit_queue_has_its_own_count, NULL, NULL),
        TEST_BOTH(test_net_coal_the_timer_is_set_to_what_is_due_first, NULL, NULL),
        TEST_BOTH(test_net_coal_a_driver_that_mutes_its_queue_is_left_alone, NULL, NULL),
        TEST_BOTH(test_net_coal_zero_of_either_is_every_packet, NULL, NULL),
        TEST_BOTH(test_net_coal_new_parameters_may_be_met_at_once, NULL, NULL),
        TEST_BOTH(test_net_coal_no_more_than_a_ring_of_packets_waits, NULL, NULL),
        TEST_BOTH(test_net_coal_parameters_are_kept_per_queue, NULL, NULL),
        TEST_BOTH(test_net_coal_only_enabled_data_queues_have_parameters, NULL, NULL),
        TEST_BOTH(test_net_coal_an_enabled_queue_has_what_was_set_for_all, NULL, NULL),
        TEST_BOTH(test_net_coal_a_reset_forgets_parameters_and_debts, NULL, NULL),
        TEST_BOTH(test_net_coal_needs_a_clock_and_a_timer, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
