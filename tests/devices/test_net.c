/* SPDX-License-Identifier: BSD-3-Clause */
/* Network device, guest to host: good frames, malformed ones, back-pressure, poll mode. */
#include "devices/test_net.h"

static const struct nic_hdr plain = {0};
static uint8_t frame[NIC_BYTES];

static const struct avps_net_counters *counters(const struct nic *n)
{
    return avps_net_counters(&n->net, 0);
}

/* ---- good frames ---- */

/* [AVPS NET-1] [AVPS NET-2] [net-2.9] [net-2.12] */
static void test_net_a_frame_reaches_the_back_end_under_every_memory_contract(void **state)
{
    for (int kind = 0; kind < (int)TEST_MEM_KINDS; kind++) {
        struct nic *n = nic_new(state, (enum test_mem_kind)kind, 1);

        nic_start(n);
        frame_fill(frame, 100, nic_peer, nic_mac, 1);
        nic_send(n, 0, &plain, frame, 100);
        assert_int_equal(n->sent_count, 1);
        assert_int_equal(n->sent[0].len, 100);
        assert_int_equal(n->sent[0].pair, 0);
        assert_memory_equal(n->sent[0].bytes, frame, 100);
        assert_int_equal(n->sent[0].direct, kind != TEST_MEM_COPY);
        assert_int_equal(counters(n)->tx_packets, 1);
        assert_int_equal(counters(n)->tx_bytes, 100);
        nic_free(n);
    }
}

static void test_net_the_header_may_lie_in_any_descriptors(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    uint8_t raw[20 + 60];

    nic_start(n);
    frame_fill(frame, 60, nic_peer, nic_mac, 2);
    nic_put_hdr(raw, &plain);
    (void)memcpy(raw + 12, frame, 60);
    struct test_request own = {.out = {{raw, 12}, {raw + 12, 60}}};
    struct test_request split = {
        .out = {{raw, 1}, {raw + 1, 5}, {raw + 6, 10}, {raw + 16, 1}, {raw + 17, 55}}};
    struct test_request table = {.out = {{raw, 12}, {raw + 12, 20}, {raw + 32, 40}}};
    assert_int_equal(test_driver_do(&n->d, 1, &own), 0);
    assert_int_equal(test_driver_do(&n->d, 1, &split), 0);
    assert_int_equal(test_driver_do(&n->d, 1, &table), 0);
    assert_int_equal(n->sent_count, 3);
    for (size_t i = 0; i < 3U; i++) {
        assert_int_equal(n->sent[i].len, 60);
        assert_memory_equal(n->sent[i].bytes, frame, 60);
    }
    assert_true(n->sent[0].direct);
    assert_false(n->sent[1].direct);
    nic_free(n);
}

static void test_net_an_indirect_chain_is_a_frame_too(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    uint8_t raw[12] = {0};

    want(n, AVPS_F_INDIRECT_DESC);
    nic_start(n);
    frame_fill(frame, 60, nic_peer, nic_mac, 3);
    struct test_request r = {.out = {{raw, 12}, {frame, 60}}, .indirect = true};
    assert_int_equal(test_driver_do(&n->d, 1, &r), 0);
    assert_int_equal(n->sent_count, 1);
    assert_memory_equal(n->sent[0].bytes, frame, 60);
    nic_free(n);
}

/* The header grows with HASH_REPORT; the frame starts behind it. */
static void test_net_the_header_has_the_negotiated_size(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    want(n, AVPS_NET_F_CTRL_VQ);
    want(n, AVPS_NET_F_HASH_REPORT);
    nic_start(n);
    frame_fill(frame, 64, nic_peer, nic_mac, 4);
    nic_send(n, 0, &plain, frame, 64);
    assert_int_equal(n->sent_count, 1);
    assert_int_equal(n->sent[0].len, 64);
    assert_memory_equal(n->sent[0].bytes, frame, 64);
    struct test_request split = {.out = {{frame, 15}, {frame + 15, 49 + 20}}};
    (void)memset(frame, 0, 20);
    frame_fill(frame + 20, 64, nic_peer, nic_mac, 5);
    assert_int_equal(test_driver_do(&n->d, 1, &split), 0);
    assert_int_equal(n->sent_count, 2);
    assert_memory_equal(n->sent[1].bytes, frame + 20, 64);
    nic_free(n);
}

static void test_net_frames_come_in_bursts_with_one_notification_each(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    struct test_used used = {0, 0};

    nic_start(n);
    for (uint8_t i = 0; i < 40U; i++) {
        frame_fill(frame, 60, nic_peer, nic_mac, i);
        nic_queue(n, 0, &plain, frame, 60);
    }
    test_driver_kick(&n->d, 1);
    (void)test_driver_poll(&n->d);
    assert_int_equal(n->sent_count, 40);
    assert_int_equal(n->bursts, (40U + AVPS_BURST_MAX - 1U) / AVPS_BURST_MAX);
    assert_int_equal(avps_queue_counters(&n->net.base, 1)->interrupts, n->bursts);
    for (uint8_t i = 0; i < 40U; i++) {
        frame_fill(frame, 60, nic_peer, nic_mac, i);
        assert_memory_equal(n->sent[i].bytes, frame, 60);
        assert_true(test_driver_reap(&n->d, 1, &used));
        assert_int_equal(used.len, 0);
    }
    nic_free(n);
}

/* I21 */
static void test_net_a_poll_takes_no_more_than_its_budget(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    nic_start(n);
    frame_fill(frame, 60, nic_peer, nic_mac, 0);
    for (uint32_t i = 0; i < 10U; i++) {
        nic_queue(n, 0, &plain, frame, 60);
    }
    test_driver_kick(&n->d, 1);
    assert_int_equal(avps_poll(&n->net.base, 4), AVPS_POLL_MORE);
    assert_int_equal(n->sent_count, 4);
    assert_int_equal(avps_poll(&n->net.base, 6), AVPS_POLL_MORE);
    assert_int_equal(n->sent_count, 10);
    assert_int_equal(avps_poll(&n->net.base, 6), AVPS_POLL_IDLE);
    nic_free(n);
}

static void test_net_the_writable_half_of_a_transmit_chain_stays_as_it_is(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    uint8_t raw[12 + 60] = {0};

    nic_start(n);
    frame_fill(raw + 12, 60, nic_peer, nic_mac, 3);
    struct test_request r = {.out = {{raw, sizeof raw}}, .in = {64}};
    assert_int_equal(test_driver_do(&n->d, 1, &r), 0);
    assert_int_equal(n->sent_count, 1);
    assert_int_equal(n->sent[0].len, 60);
    assert_true(test_mem_is(&n->d.mem, r.in_gpa[0], TEST_UNWRITTEN, 64));
    nic_free(n);
}

/* I1: no byte of the header is read twice. */
static void test_net_each_header_byte_is_read_once(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_COPY, 1);

    nic_start(n);
    frame_fill(frame, 60, nic_peer, nic_mac, 3);
    nic_queue(n, 0, &plain, frame, 60);
    test_mem_race(&n->d.mem, n->request.out_gpa[0], 12);
    test_driver_kick(&n->d, 1);
    (void)test_driver_poll(&n->d);
    assert_int_equal(n->d.mem.rereads, 0);
    assert_int_equal(n->sent_count, 1);
    nic_free(n);
}

static void test_net_a_back_end_may_answer_from_transmit(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    struct nic_hdr hdr;
    uint8_t got[64];

    n->echo = true;
    nic_start(n);
    nic_post(n, 0, 200);
    frame_fill(frame, 60, nic_broadcast, nic_mac, 3);
    nic_send(n, 0, &plain, frame, 60);
    assert_int_equal(nic_take(n, 0, &hdr, got), 60);
    assert_memory_equal(got, frame, 60);
    nic_free(n);
}

/* ---- malformed frames: dropped, counted, the queue goes on ---- */

static void expect_malformed(struct nic *n, const struct nic_hdr *hdr, uint32_t len)
{
    const uint64_t before = counters(n)->tx_malformed;
    const uint32_t sent = n->sent_count;

    nic_send(n, 0, hdr, frame, len);
    assert_int_equal(counters(n)->tx_malformed, before + 1U);
    assert_int_equal(n->sent_count, sent);
}

static const struct nic_sent *expect_sent(struct nic *n, const struct nic_hdr *hdr, uint32_t len)
{
    const uint32_t sent = n->sent_count;

    nic_send(n, 0, hdr, frame, len);
    assert_int_equal(n->sent_count, sent + 1U);
    assert_int_equal(n->sent[sent].len, len);
    return &n->sent[sent];
}

static void test_net_a_frame_that_is_too_short_is_dropped(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    uint8_t raw[40] = {0};

    nic_start(n);
    frame_fill(frame, 60, nic_peer, nic_mac, 3);
    expect_malformed(n, &plain, 0);
    expect_malformed(n, &plain, 13);
    (void)expect_sent(n, &plain, 14);
    struct test_request half = {.out = {{raw, 7}}};
    struct test_request none = {.in = {64}};
    assert_int_equal(test_driver_do(&n->d, 1, &half), 0);
    assert_int_equal(test_driver_do(&n->d, 1, &none), 0);
    assert_int_equal(counters(n)->tx_malformed, 4);
    assert_int_equal(test_driver_get(&n->d, TEST_STATUS), TEST_S_LIVE);
    (void)expect_sent(n, &plain, 60);
    nic_free(n);
}

static void tx_offload_start(struct nic *n)
{
    n->config.offloads = AVPS_NET_TX_CSUM | AVPS_NET_TX_TSO4 | AVPS_NET_TX_TSO6 | AVPS_NET_TX_ECN |
                         AVPS_NET_TX_UFO | AVPS_NET_TX_USO;
    want(n, AVPS_NET_F_CSUM);
    want(n, AVPS_NET_F_HOST_TSO4);
    want(n, AVPS_NET_F_HOST_TSO6);
    want(n, AVPS_NET_F_HOST_UFO);
    want(n, AVPS_NET_F_HOST_USO);
    frame_fill(frame, 60000, nic_peer, nic_mac, 3);
}

/* I30, CVE-2021-... class: offsets inside the frame only. */
static void test_net_checksum_offsets_must_lie_in_the_frame(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    struct nic_hdr hdr = {.flags = AVPS_NET_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16};

    tx_offload_start(n);
    nic_start(n);
    const struct nic_sent *sent = expect_sent(n, &hdr, 52);
    assert_int_equal(sent->offload.flags, AVPS_NET_NEEDS_CSUM);
    assert_int_equal(sent->offload.csum_start, 34);
    assert_int_equal(sent->offload.csum_offset, 16);
    expect_malformed(n, &hdr, 51);
    hdr.csum_start = 0xffff;
    hdr.csum_offset = 0xffff;
    expect_malformed(n, &hdr, 60);
    hdr.csum_start = 0;
    expect_malformed(n, &hdr, 60);
    hdr.csum_offset = 58;
    (void)expect_sent(n, &hdr, 60);
    nic_free(n);
}

/* [net-2.2] [net-2.11] */
static void test_net_without_needs_csum_the_offsets_are_not_used(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    const struct nic_hdr hdr = {.csum_start = 0xffff, .csum_offset = 0xffff};

    tx_offload_start(n);
    nic_start(n);
    const struct nic_sent *sent = expect_sent(n, &hdr, 60);
    assert_int_equal(sent->offload.flags, 0);
    assert_int_equal(sent->offload.csum_start, 0);
    assert_int_equal(sent->offload.csum_offset, 0);
    nic_free(n);
}

/* [net-2.1] */
static void test_net_unknown_flags_are_ignored(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    const struct nic_hdr hdr = {.flags = 0xf6};

    nic_start(n);
    frame_fill(frame, 60, nic_peer, nic_mac, 3);
    const struct nic_sent *sent = expect_sent(n, &hdr, 60);
    assert_int_equal(sent->offload.flags, 0);
    nic_free(n);
}

static void test_net_a_partial_checksum_needs_the_feature(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    const struct nic_hdr hdr = {.flags = AVPS_NET_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16};

    nic_start(n);
    frame_fill(frame, 60, nic_peer, nic_mac, 3);
    expect_malformed(n, &hdr, 60);
    nic_free(n);
}

/* [net-2.5] */
static void test_net_large_frames_of_every_negotiated_kind_pass(void **state)
{
    static const uint8_t kinds[] = {AVPS_NET_GSO_TCPV4, AVPS_NET_GSO_UDP, AVPS_NET_GSO_TCPV6,
                                    AVPS_NET_GSO_UDP_L4};
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    tx_offload_start(n);
    want(n, AVPS_NET_F_MTU);
    n->config.mtu = 1500;
    nic_start(n);
    for (size_t i = 0; i < sizeof kinds; i++) {
        const struct nic_hdr hdr = {.flags = AVPS_NET_NEEDS_CSUM,
                                    .gso_type = kinds[i],
                                    .hdr_len = 54,
                                    .gso_size = 1448,
                                    .csum_start = 34,
                                    .csum_offset = 16};
        const struct nic_sent *sent = expect_sent(n, &hdr, 60000);
        assert_int_equal(sent->offload.gso_type, kinds[i]);
        assert_int_equal(sent->offload.gso_size, 1448);
        assert_int_equal(sent->offload.hdr_len, 54);
    }
    nic_free(n);
}

static void test_net_large_frames_need_feature_size_and_checksum(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    const struct nic_hdr good = {.flags = AVPS_NET_NEEDS_CSUM,
                                 .gso_type = AVPS_NET_GSO_TCPV4,
                                 .gso_size = 1000,
                                 .csum_start = 34,
                                 .csum_offset = 16};
    struct nic_hdr hdr = good;

    n->config.offloads = AVPS_NET_TX_CSUM | AVPS_NET_TX_TSO4;
    want(n, AVPS_NET_F_CSUM);
    want(n, AVPS_NET_F_HOST_TSO4);
    nic_start(n);
    frame_fill(frame, 3000, nic_peer, nic_mac, 3);
    (void)expect_sent(n, &hdr, 3000);
    hdr.gso_size = 0;
    expect_malformed(n, &hdr, 3000);
    hdr = good;
    hdr.flags = 0;
    expect_malformed(n, &hdr, 3000);
    for (unsigned int type = 2; type < 0x80U; type++) {
        hdr = good;
        hdr.gso_type = (uint8_t)type;
        expect_malformed(n, &hdr, 3000);
    }
    nic_free(n);
}

/* [net-2.10] */
static void test_net_an_outer_checksum_without_a_tunnel_is_refused(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    const struct nic_hdr hdr = {.flags = 8};

    nic_start(n);
    frame_fill(frame, 60, nic_peer, nic_mac, 3);
    expect_malformed(n, &hdr, 60);
    nic_free(n);
}

/* [net-2.8] Never negotiated, so never accepted. */
static void test_net_tunnel_segmentation_is_refused(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    static const uint8_t types[] = {0x20, 0x40, 0x60, 0x21, 0x41, 0x61, 0x24, 0x45, 0xa1, 0xc4};

    tx_offload_start(n);
    want(n, AVPS_NET_F_HOST_ECN);
    nic_start(n);
    for (size_t i = 0; i < sizeof types; i++) {
        const struct nic_hdr hdr = {.flags = AVPS_NET_NEEDS_CSUM,
                                    .gso_type = types[i],
                                    .gso_size = 1000,
                                    .csum_start = 84,
                                    .csum_offset = 16};
        expect_malformed(n, &hdr, 3000);
    }
    nic_free(n);
}

static void test_net_ecn_goes_with_tcp_and_the_feature(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    struct nic_hdr hdr = {.flags = AVPS_NET_NEEDS_CSUM,
                          .gso_type = AVPS_NET_GSO_TCPV4 | AVPS_NET_GSO_ECN,
                          .gso_size = 1000,
                          .csum_start = 34,
                          .csum_offset = 16};

    tx_offload_start(n);
    nic_start(n);
    expect_malformed(n, &hdr, 3000);
    test_driver_reset(&n->d);
    want(n, AVPS_NET_F_HOST_ECN);
    nic_up(n);
    (void)expect_sent(n, &hdr, 3000);
    hdr.gso_type = AVPS_NET_GSO_TCPV6 | AVPS_NET_GSO_ECN;
    (void)expect_sent(n, &hdr, 3000);
    hdr.gso_type = AVPS_NET_GSO_UDP_L4 | AVPS_NET_GSO_ECN;
    expect_malformed(n, &hdr, 3000);
    hdr.gso_type = AVPS_NET_GSO_ECN;
    expect_malformed(n, &hdr, 3000);
    nic_free(n);
}

/* [net-2.6] [net-2.7] */
static void test_net_a_header_length_is_only_a_hint(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    struct nic_hdr hdr = {.hdr_len = 0xffff};

    tx_offload_start(n);
    nic_start(n);
    assert_int_equal(expect_sent(n, &hdr, 60)->offload.hdr_len, 60);
    hdr = (struct nic_hdr){.flags = AVPS_NET_NEEDS_CSUM,
                           .gso_type = AVPS_NET_GSO_TCPV4,
                           .hdr_len = 4000,
                           .gso_size = 1000,
                           .csum_start = 34,
                           .csum_offset = 16};
    assert_int_equal(expect_sent(n, &hdr, 3000)->offload.hdr_len, 3000);
    nic_free(n);
}

/* [net-2.5] An exact length outside the frame is a lie. */
static void test_net_an_exact_header_length_must_lie_in_the_frame(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    struct nic_hdr hdr = {.hdr_len = 0xffff};

    tx_offload_start(n);
    want(n, AVPS_NET_F_GUEST_HDRLEN);
    nic_start(n);
    assert_int_equal(expect_sent(n, &hdr, 60)->offload.hdr_len, 60);
    hdr = (struct nic_hdr){.flags = AVPS_NET_NEEDS_CSUM,
                           .gso_type = AVPS_NET_GSO_TCPV4,
                           .hdr_len = 3000,
                           .gso_size = 1000,
                           .csum_start = 34,
                           .csum_offset = 16};
    (void)expect_sent(n, &hdr, 3000);
    hdr.hdr_len = 3001;
    expect_malformed(n, &hdr, 3000);
    nic_free(n);
}

/* [net-1.6] [AVPS NET-5] */
static void test_net_frames_up_to_the_mtu_are_forwarded_whole(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    n->config.mtu = 1280;
    want(n, AVPS_NET_F_MTU);
    nic_start(n);
    frame_fill(frame, 1400, nic_peer, nic_mac, 3);
    (void)expect_sent(n, &plain, 1280 + 14);
    (void)expect_sent(n, &plain, 1280 + 14 + 8); /* two tags */
    nic_send(n, 0, &plain, frame, 1280 + 14 + 9);
    assert_int_equal(counters(n)->tx_oversize, 1);
    assert_int_equal(n->sent_count, 2);
    nic_free(n);
}

static void test_net_without_mtu_only_the_largest_frame_is_a_limit(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    n->config.mtu = 1280;
    nic_start(n); /* the driver does not accept MTU */
    frame_fill(frame, 65600, nic_peer, nic_mac, 3);
    (void)expect_sent(n, &plain, 9000);
    (void)expect_sent(n, &plain, 65597);
    nic_send(n, 0, &plain, frame, 65598);
    assert_int_equal(counters(n)->tx_oversize, 1);
    nic_free(n);
}

static void test_net_a_chain_with_too_many_segments_latches_the_queue(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    struct test_desc table[AVPS_NET_SEGS + 1U];

    n->d.size = 128;
    nic_start(n);
    const avps_gpa gpa = test_mem_alloc(&n->d.mem, 4096, 1);
    for (uint32_t i = 0; i <= AVPS_NET_SEGS; i++) {
        table[i] = (struct test_desc){gpa + i, 1, 0};
    }
    (void)test_ring_add(&n->d.ring[1], table, AVPS_NET_SEGS + 1U);
    test_driver_kick(&n->d, 1);
    (void)test_driver_poll(&n->d);
    test_driver_assert_faulted(&n->d);
    assert_int_equal(n->sent_count, 0);
    nic_free(n);
}

/* Two that are good go out before the third faults. */
static void test_net_a_fault_loses_no_frame_before_it(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    const struct test_desc bad = {TEST_HOLE_GPA, 100, 0};
    struct test_used used;

    nic_start(n);
    frame_fill(frame, 60, nic_peer, nic_mac, 3);
    nic_queue(n, 0, &plain, frame, 60);
    nic_queue(n, 0, &plain, frame, 60);
    (void)test_ring_add(&n->d.ring[1], &bad, 1);
    test_driver_kick(&n->d, 1);
    (void)test_driver_poll(&n->d);
    test_driver_assert_faulted(&n->d);
    assert_int_equal(n->sent_count, 2);
    assert_true(test_driver_reap(&n->d, 1, &used));
    assert_true(test_driver_reap(&n->d, 1, &used));
    assert_false(test_driver_reap(&n->d, 1, &used));
    assert_int_equal(n->net.base.counters.faults[AVPS_FAULT_ADDR], 1);
    nic_free(n);
}

/* ---- memory that fails ---- */

/* Every read and write of one transmission fails once: the frame is served, or dropped and counted,
 * or the device asks for a reset because a used element could not be written. */
static void test_net_a_port_that_fails_anywhere_loses_one_frame_at_most(void **state)
{
    unsigned int dropped = 0;

    for (unsigned int at = 1; at < 16U; at++) {
        struct nic *n = nic_new(state, TEST_MEM_COPY, 1);
        struct test_used used;

        n->tolerant = true;
        nic_start(n);
        frame_fill(frame, 60, nic_peer, nic_mac, 3);
        nic_queue(n, 0, &plain, frame, 60);
        test_driver_kick(&n->d, 1);
        test_fail_at(&n->d.mem.fail, at, AVPS_E_IO);
        (void)test_driver_poll(&n->d);
        (void)test_driver_poll(&n->d);
        dropped += (unsigned int)counters(n)->tx_malformed;
        assert_int_equal(n->sent_count + counters(n)->tx_malformed, 1);
        if (test_driver_get(&n->d, TEST_STATUS) == TEST_S_LIVE) {
            assert_true(test_driver_reap(&n->d, 1, &used));
        } else {
            assert_int_equal(n->net.base.counters.needs_reset, 1);
        }
        nic_free(n);
    }
    assert_int_equal(dropped, 1); /* by the read of its header */
}

static void test_net_a_header_outside_memory_faults_the_device(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_COPY, 1);
    const struct test_desc bad = {TEST_HOLE_GPA, 100, 0};

    nic_start(n);
    (void)test_ring_add(&n->d.ring[1], &bad, 1);
    test_driver_kick(&n->d, 1);
    (void)test_driver_poll(&n->d);
    test_driver_assert_faulted(&n->d);
    assert_int_equal(n->sent_count, 0);
    assert_int_equal(n->d.port.events[AVPS_EVENT_QUEUE_FAULT], 1);
    nic_free(n);
}

static void test_net_a_map_that_is_not_ready_is_tried_again(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_MAP, 1);

    nic_start(n);
    frame_fill(frame, 60, nic_peer, nic_mac, 3);
    nic_queue(n, 0, &plain, frame, 60);
    test_driver_kick(&n->d, 1);
    test_fail_at(&n->d.mem.fail, 1, AVPS_AGAIN);
    assert_int_not_equal(avps_poll(&n->net.base, 8), AVPS_POLL_IDLE);
    assert_int_equal(n->sent_count, 0);
    (void)test_driver_poll(&n->d);
    assert_int_equal(n->sent_count, 1);
    nic_free(n);
}

/* ---- back-pressure ---- */

static void queue_numbered(struct nic *n, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        frame_fill(frame, 60, nic_peer, nic_mac, (uint8_t)i);
        nic_queue(n, 0, &plain, frame, 60);
    }
    test_driver_kick(&n->d, 1);
}

static void expect_numbered(const struct nic *n, uint32_t count)
{
    assert_int_equal(n->sent_count, count);
    for (uint32_t i = 0; i < count; i++) {
        frame_fill(frame, 60, nic_peer, nic_mac, (uint8_t)i);
        assert_memory_equal(n->sent[i].bytes, frame, 60);
    }
}

static void test_net_frames_that_are_not_taken_stay_in_the_ring(void **state)
{
    for (int kind = 0; kind < (int)TEST_MEM_KINDS; kind++) {
        struct nic *n = nic_new(state, (enum test_mem_kind)kind, 1);
        struct test_used used;

        nic_start(n);
        n->room = 2;
        queue_numbered(n, 5);
        assert_int_equal(test_driver_poll(&n->d), AVPS_POLL_IDLE);
        expect_numbered(n, 2);
        assert_int_equal(counters(n)->tx_blocked, 1);
        assert_true(test_driver_reap(&n->d, 1, &used));
        assert_true(test_driver_reap(&n->d, 1, &used));
        assert_false(test_driver_reap(&n->d, 1, &used));
        test_driver_kick(&n->d, 1); /* a kick does not unblock */
        (void)test_driver_poll(&n->d);
        expect_numbered(n, 2);
        n->room = UINT32_MAX;
        const unsigned int wakes = n->d.port.wakes;
        avps_net_tx_ready(&n->net);
        assert_int_equal(n->d.port.wakes, wakes + 1U);
        (void)test_driver_poll(&n->d);
        expect_numbered(n, 5);
        assert_int_equal(avps_queue_counters(&n->net.base, 1)->chains, 5);
        assert_int_equal(avps_queue_counters(&n->net.base, 1)->bytes_read, 5U * 72U);
        avps_net_tx_ready(&n->net); /* nothing is blocked: nothing happens */
        assert_int_equal(n->d.port.wakes, wakes + 1U);
        nic_free(n);
    }
}

static void test_net_a_back_end_that_takes_nothing_blocks(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    struct test_used used;

    nic_start(n);
    n->room = 0;
    queue_numbered(n, 3);
    (void)test_driver_poll(&n->d);
    assert_false(test_driver_reap(&n->d, 1, &used));
    n->room = UINT32_MAX;
    avps_net_tx_ready(&n->net);
    (void)test_driver_poll(&n->d);
    expect_numbered(n, 3);
    nic_free(n);
}

static void test_net_a_pair_goes_on_alone(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    struct test_used used;

    nic_start(n);
    n->room = 0;
    queue_numbered(n, 3);
    (void)test_driver_poll(&n->d);
    n->room = UINT32_MAX;
    avps_net_tx_ready_pair(&n->net, 1); /* there is none */
    (void)test_driver_poll(&n->d);
    assert_false(test_driver_reap(&n->d, 1, &used));
    avps_net_tx_ready_pair(&n->net, 0);
    assert_int_equal(avps_poll_queue(&n->net.base, 1, 64), AVPS_POLL_IDLE);
    expect_numbered(n, 3);
    nic_free(n);
}

/* A malformed frame keeps its place in the order of used chains. [feat-1.5] */
static void test_net_dropped_frames_are_returned_in_order(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    const struct nic_hdr bad = {.gso_type = AVPS_NET_GSO_TCPV4};
    uint16_t ids[5];
    struct test_used used;

    want(n, AVPS_F_IN_ORDER);
    nic_start(n);
    n->room = 1;
    frame_fill(frame, 60, nic_peer, nic_mac, 0);
    for (uint32_t i = 0; i < 5U; i++) {
        nic_queue(n, 0, i == 0U || i == 2U ? &bad : &plain, frame, 60);
        ids[i] = n->request.id;
    }
    test_driver_kick(&n->d, 1);
    (void)test_driver_poll(&n->d);
    /* 0 dropped, 1 sent, 2 dropped; 3 was not taken */
    for (uint32_t i = 0; i < 3U; i++) {
        assert_true(test_driver_reap(&n->d, 1, &used));
        assert_int_equal(used.id, ids[i]);
    }
    assert_false(test_driver_reap(&n->d, 1, &used));
    assert_int_equal(counters(n)->tx_malformed, 2);
    n->room = UINT32_MAX;
    avps_net_tx_ready(&n->net);
    (void)test_driver_poll(&n->d);
    assert_int_equal(n->sent_count, 3);
    assert_int_equal(counters(n)->tx_malformed, 2);
    nic_free(n);
}

static void test_net_an_error_of_the_back_end_is_counted(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    nic_start(n);
    n->answer = AVPS_E_IO;
    frame_fill(frame, 60, nic_peer, nic_mac, 0);
    nic_send(n, 0, &plain, frame, 60);
    assert_int_equal(counters(n)->tx_errors, 1);
    assert_int_equal(test_driver_get(&n->d, TEST_STATUS), TEST_S_LIVE);
    nic_free(n);
}

static void test_net_without_link_frames_are_dropped(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    nic_start(n);
    avps_net_set_link(&n->net, false);
    frame_fill(frame, 60, nic_peer, nic_mac, 0);
    nic_send(n, 0, &plain, frame, 60);
    assert_int_equal(n->sent_count, 0);
    assert_int_equal(counters(n)->tx_link_down, 1);
    avps_net_set_link(&n->net, true);
    nic_send(n, 0, &plain, frame, 60);
    assert_int_equal(n->sent_count, 1);
    nic_free(n);
}

/* ---- resets and pauses ---- */

static void test_net_a_queue_reset_unblocks_and_starts_anew(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_MAP, 1);

    want(n, AVPS_F_RING_RESET);
    nic_start(n);
    n->room = 0;
    queue_numbered(n, 3);
    (void)test_driver_poll(&n->d);
    test_driver_set(&n->d, TEST_QUEUE_SEL, 1);
    test_driver_set(&n->d, TEST_QUEUE_RESET, 1);
    assert_int_equal(test_driver_get(&n->d, TEST_QUEUE_RESET), 0);
    assert_int_equal(test_mem_live_maps(&n->d.mem), 0);
    assert_true(test_driver_queue(&n->d, 1, 64));
    n->room = UINT32_MAX;
    queue_numbered(n, 2);
    (void)test_driver_poll(&n->d);
    expect_numbered(n, 2);
    nic_free(n);
}

static void test_net_a_suspended_device_takes_no_frame(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    want(n, AVPS_F_SUSPEND);
    nic_start(n);
    test_driver_set(&n->d, TEST_STATUS, TEST_S_LIVE | TEST_S_SUSPEND);
    queue_numbered(n, 2);
    (void)test_driver_poll(&n->d);
    assert_int_equal(n->sent_count, 0);
    test_driver_set(&n->d, TEST_STATUS, TEST_S_LIVE);
    (void)test_driver_poll(&n->d);
    expect_numbered(n, 2);
    nic_free(n);
}

static void test_net_a_quiet_device_takes_no_frame(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    nic_start(n);
    assert_int_equal(avps_quiesce(&n->net.base), AVPS_OK);
    queue_numbered(n, 2);
    assert_int_equal(test_driver_poll(&n->d), AVPS_POLL_IDLE);
    assert_int_equal(n->sent_count, 0);
    avps_resume(&n->net.base);
    (void)test_driver_poll(&n->d);
    expect_numbered(n, 2);
    nic_free(n);
}

/* Without MQ the second pair does not exist, whatever the driver enables. */
static void test_net_a_pair_that_was_not_negotiated_is_not_served(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 2);

    nic_start(n);
    frame_fill(frame, 60, nic_peer, nic_mac, 0);
    nic_queue(n, 1, &plain, frame, 60);
    test_driver_kick(&n->d, 3);
    (void)test_driver_poll(&n->d);
    assert_int_equal(n->sent_count, 0);
    test_driver_kick(&n->d, 2);
    test_driver_kick(&n->d, 4);
    (void)test_driver_poll(&n->d);
    assert_int_equal(test_driver_get(&n->d, TEST_STATUS), TEST_S_LIVE);
    nic_free(n);
}

/* ---- poll mode ---- */

static struct nic *poll_mode(void **state, enum test_mem_kind kind)
{
    struct nic *n = nic_new(state, kind, 1);

    n->ops.transmit = NULL;
    nic_start(n);
    return n;
}

static void test_net_poll_mode_hands_out_and_takes_back_a_burst(void **state)
{
    for (int kind = 0; kind < (int)TEST_MEM_KINDS; kind++) {
        struct nic *n = poll_mode(state, (enum test_mem_kind)kind);
        const struct avps_net_packet *packets = NULL;
        uint8_t bytes[60];
        uint32_t count = 9;
        struct test_used used;

        assert_int_equal(avps_net_tx_burst(&n->net, 0, 8, &packets, &count), AVPS_OK);
        assert_int_equal(count, 0);
        assert_int_equal(avps_net_tx_done(&n->net, 0, 0), AVPS_OK);
        queue_numbered(n, 5);
        (void)test_driver_poll(&n->d); /* the loop leaves them alone */
        assert_int_equal(avps_net_tx_burst(&n->net, 0, 4, &packets, &count), AVPS_OK);
        assert_int_equal(count, 4);
        for (uint32_t i = 0; i < count; i++) {
            frame_fill(frame, 60, nic_peer, nic_mac, (uint8_t)i);
            assert_int_equal(avps_net_packet_copy(&packets[i], 0, bytes, 60), AVPS_OK);
            assert_memory_equal(bytes, frame, 60);
            assert_int_equal(avps_net_packet_copy(&packets[i], 20, bytes, 13), AVPS_OK);
            assert_memory_equal(bytes, frame + 20, 13);
        }
        assert_int_equal(avps_net_tx_done(&n->net, 0, 3), AVPS_OK);
        for (uint32_t i = 0; i < 3U; i++) {
            assert_true(test_driver_reap(&n->d, 1, &used));
        }
        assert_false(test_driver_reap(&n->d, 1, &used));
        assert_int_equal(avps_net_tx_burst(&n->net, 0, 1000, &packets, &count), AVPS_OK);
        assert_int_equal(count, 2);
        assert_int_equal(avps_net_tx_done(&n->net, 0, 2), AVPS_OK);
        assert_true(test_driver_reap(&n->d, 1, &used));
        assert_int_equal(counters(n)->tx_packets, 5);
        nic_free(n);
    }
}

static void test_net_poll_mode_checks_its_calls(void **state)
{
    struct nic *n = poll_mode(state, TEST_MEM_REGIONS);
    const struct avps_net_packet *packets = NULL;
    uint8_t byte = 0;
    uint32_t count = 0;

    assert_int_equal(avps_net_tx_burst(NULL, 0, 1, &packets, &count), AVPS_E_PARAM);
    assert_int_equal(avps_net_tx_burst(&n->net, 1, 1, &packets, &count), AVPS_E_PARAM);
    assert_int_equal(avps_net_tx_burst(&n->net, 0, 0, &packets, &count), AVPS_E_PARAM);
    assert_int_equal(avps_net_tx_burst(&n->net, 0, 1, NULL, &count), AVPS_E_PARAM);
    assert_int_equal(avps_net_tx_burst(&n->net, 0, 1, &packets, NULL), AVPS_E_PARAM);
    assert_int_equal(avps_net_tx_done(&n->net, 0, 0), AVPS_E_STATE);
    assert_int_equal(avps_net_tx_done(NULL, 0, 0), AVPS_E_PARAM);
    assert_int_equal(avps_net_tx_done(&n->net, 1, 0), AVPS_E_PARAM);
    queue_numbered(n, 2);
    assert_int_equal(avps_net_tx_burst(&n->net, 0, 8, &packets, &count), AVPS_OK);
    assert_int_equal(count, 2);
    assert_int_equal(avps_net_tx_burst(&n->net, 0, 8, &packets, &count), AVPS_E_STATE);
    assert_int_equal(avps_net_tx_done(&n->net, 0, 3), AVPS_E_PARAM);
    assert_int_equal(avps_net_packet_copy(NULL, 0, &byte, 1), AVPS_E_PARAM);
    assert_int_equal(avps_net_packet_copy(&packets[0], 0, NULL, 1), AVPS_E_PARAM);
    assert_int_equal(avps_net_packet_copy(&packets[0], 61, &byte, 0), AVPS_E_PARAM);
    assert_int_equal(avps_net_packet_copy(&packets[0], 60, &byte, 1), AVPS_E_PARAM);
    assert_int_equal(avps_net_packet_copy(&packets[0], 59, &byte, 1), AVPS_OK);
    assert_int_equal(avps_net_tx_done(&n->net, 0, 2), AVPS_OK);
    nic_free(n);

    n = nic_new(state, TEST_MEM_REGIONS, 1);
    nic_start(n); /* with a transmit op there is no poll mode */
    assert_int_equal(avps_net_tx_burst(&n->net, 0, 1, &packets, &count), AVPS_E_PARAM);
    nic_free(n);
}

static void test_net_a_reset_takes_a_burst_that_is_out(void **state)
{
    for (int kind = 0; kind < (int)TEST_MEM_KINDS; kind++) {
        struct nic *n = poll_mode(state, (enum test_mem_kind)kind);
        const struct avps_net_packet *packets = NULL;
        uint32_t count = 0;
        size_t size = 0;

        queue_numbered(n, 3);
        assert_int_equal(avps_net_tx_burst(&n->net, 0, 8, &packets, &count), AVPS_OK);
        assert_int_equal(count, 3);
        assert_int_equal(avps_quiesce(&n->net.base), AVPS_PENDING);
        assert_int_equal(avps_save(&n->net.base, NULL, 0, &size), AVPS_E_STATE);
        test_driver_reset(&n->d);
        assert_int_equal(test_mem_live_maps(&n->d.mem), 0);
        assert_int_equal(avps_net_tx_done(&n->net, 0, 3), AVPS_E_STATE);
        avps_resume(&n->net.base);
        nic_up(n);
        queue_numbered(n, 1);
        assert_int_equal(avps_net_tx_burst(&n->net, 0, 8, &packets, &count), AVPS_OK);
        assert_int_equal(count, 1);
        assert_int_equal(avps_net_tx_done(&n->net, 0, 1), AVPS_OK);
        nic_free(n);
    }
}

static void test_net_poll_mode_can_ask_for_a_doorbell(void **state)
{
    struct nic *n = poll_mode(state, TEST_MEM_REGIONS);
    const struct avps_net_packet *packets = NULL;
    uint32_t count = 0;

    assert_false(avps_net_tx_arm(NULL, 0));
    assert_false(avps_net_tx_arm(&n->net, 1));
    assert_int_equal(avps_net_tx_burst(&n->net, 0, 8, &packets, &count), AVPS_OK);
    assert_int_equal(avps_net_tx_done(&n->net, 0, 0), AVPS_OK);
    queue_numbered(n, 1);
    assert_false(test_ring_wants_kick(&n->d.ring[1]));
    assert_true(avps_net_tx_arm(&n->net, 0)); /* one is there */
    assert_int_equal(avps_net_tx_burst(&n->net, 0, 8, &packets, &count), AVPS_OK);
    assert_int_equal(avps_net_tx_done(&n->net, 0, 1), AVPS_OK);
    assert_false(avps_net_tx_arm(&n->net, 0));
    queue_numbered(n, 1);
    assert_true(test_ring_wants_kick(&n->d.ring[1]));
    nic_free(n);
}

static void test_net_kicks_are_asked_for_when_the_ring_is_empty(void **state)
{
    for (unsigned int event_idx = 0; event_idx < 2U; event_idx++) {
        struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

        if (event_idx != 0U) {
            want(n, AVPS_F_EVENT_IDX);
        }
        nic_start(n);
        queue_numbered(n, 3);
        assert_true(test_ring_wants_kick(&n->d.ring[1]));
        (void)test_driver_poll(&n->d);
        expect_numbered(n, 3);
        queue_numbered(n, 1);
        assert_true(test_ring_wants_kick(&n->d.ring[1]));
        nic_free(n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_net_a_frame_reaches_the_back_end_under_every_memory_contract, NULL, NULL),
        TEST_BOTH(test_net_the_header_may_lie_in_any_descriptors, NULL, NULL),
        TEST_BOTH(test_net_an_indirect_chain_is_a_frame_too, NULL, NULL),
        TEST_BOTH(test_net_the_header_has_the_negotiated_size, NULL, NULL),
        TEST_BOTH(test_net_frames_come_in_bursts_with_one_notification_each, NULL, NULL),
        TEST_BOTH(test_net_a_poll_takes_no_more_than_its_budget, NULL, NULL),
        TEST_BOTH(test_net_the_writable_half_of_a_transmit_chain_stays_as_it_is, NULL, NULL),
        TEST_BOTH(test_net_each_header_byte_is_read_once, NULL, NULL),
        TEST_BOTH(test_net_a_back_end_may_answer_from_transmit, NULL, NULL),
        TEST_BOTH(test_net_a_frame_that_is_too_short_is_dropped, NULL, NULL),
        TEST_BOTH(test_net_checksum_offsets_must_lie_in_the_frame, NULL, NULL),
        TEST_BOTH(test_net_without_needs_csum_the_offsets_are_not_used, NULL, NULL),
        TEST_BOTH(test_net_unknown_flags_are_ignored, NULL, NULL),
        TEST_BOTH(test_net_a_partial_checksum_needs_the_feature, NULL, NULL),
        TEST_BOTH(test_net_large_frames_of_every_negotiated_kind_pass, NULL, NULL),
        TEST_BOTH(test_net_large_frames_need_feature_size_and_checksum, NULL, NULL),
        TEST_BOTH(test_net_an_outer_checksum_without_a_tunnel_is_refused, NULL, NULL),
        TEST_BOTH(test_net_tunnel_segmentation_is_refused, NULL, NULL),
        TEST_BOTH(test_net_ecn_goes_with_tcp_and_the_feature, NULL, NULL),
        TEST_BOTH(test_net_a_header_length_is_only_a_hint, NULL, NULL),
        TEST_BOTH(test_net_an_exact_header_length_must_lie_in_the_frame, NULL, NULL),
        TEST_BOTH(test_net_frames_up_to_the_mtu_are_forwarded_whole, NULL, NULL),
        TEST_BOTH(test_net_without_mtu_only_the_largest_frame_is_a_limit, NULL, NULL),
        TEST_BOTH(test_net_a_chain_with_too_many_segments_latches_the_queue, NULL, NULL),
        TEST_BOTH(test_net_a_fault_loses_no_frame_before_it, NULL, NULL),
        TEST_BOTH(test_net_a_port_that_fails_anywhere_loses_one_frame_at_most, NULL, NULL),
        TEST_BOTH(test_net_a_header_outside_memory_faults_the_device, NULL, NULL),
        TEST_BOTH(test_net_a_map_that_is_not_ready_is_tried_again, NULL, NULL),
        TEST_BOTH(test_net_frames_that_are_not_taken_stay_in_the_ring, NULL, NULL),
        TEST_BOTH(test_net_a_back_end_that_takes_nothing_blocks, NULL, NULL),
        TEST_BOTH(test_net_a_pair_goes_on_alone, NULL, NULL),
        TEST_BOTH(test_net_dropped_frames_are_returned_in_order, NULL, NULL),
        TEST_BOTH(test_net_an_error_of_the_back_end_is_counted, NULL, NULL),
        TEST_BOTH(test_net_without_link_frames_are_dropped, NULL, NULL),
        TEST_BOTH(test_net_a_queue_reset_unblocks_and_starts_anew, NULL, NULL),
        TEST_BOTH(test_net_a_suspended_device_takes_no_frame, NULL, NULL),
        TEST_BOTH(test_net_a_quiet_device_takes_no_frame, NULL, NULL),
        TEST_BOTH(test_net_a_pair_that_was_not_negotiated_is_not_served, NULL, NULL),
        TEST_BOTH(test_net_poll_mode_hands_out_and_takes_back_a_burst, NULL, NULL),
        TEST_BOTH(test_net_poll_mode_checks_its_calls, NULL, NULL),
        TEST_BOTH(test_net_a_reset_takes_a_burst_that_is_out, NULL, NULL),
        TEST_BOTH(test_net_poll_mode_can_ask_for_a_doorbell, NULL, NULL),
        TEST_BOTH(test_net_kicks_are_asked_for_when_the_ring_is_empty, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
