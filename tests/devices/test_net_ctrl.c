/* SPDX-License-Identifier: BSD-3-Clause */
/* Network device, control queue: commands good and bad, and the receive filter they set. */
#include "devices/test_net.h"

#define OK  0U
#define ERR 1U

#define RX       0U
#define PROMISC  0U
#define ALLMULTI 1U
#define ALLUNI   2U
#define NOMULTI  3U
#define NOUNI    4U
#define NOBCAST  5U
#define MAC      1U
#define TABLE    0U
#define ADDR     1U
#define VLAN     2U
#define ADD      0U
#define DEL      1U
#define ANNOUNCE 3U
#define MQ       4U
#define OFFLOADS 5U
#define TUNNEL   7U

static uint8_t frame[NIC_BYTES];
static uint8_t got[NIC_BYTES];

static const struct avps_net_ctrl_counters *ctrl_counters(const struct nic *n)
{
    return avps_net_ctrl_counters(&n->net);
}

static struct nic *ctrl_new(void **state, enum test_mem_kind kind)
{
    struct nic *n = nic_new(state, kind, 1);

    want(n, AVPS_NET_F_CTRL_VQ);
    want(n, AVPS_NET_F_CTRL_RX);
    want(n, AVPS_NET_F_CTRL_RX_EXTRA);
    want(n, AVPS_NET_F_CTRL_VLAN);
    want(n, AVPS_NET_F_CTRL_MAC_ADDR);
    want(n, AVPS_NET_F_GUEST_ANNOUNCE);
    want(n, AVPS_NET_F_STATUS);
    want(n, AVPS_NET_F_MAC);
    return n;
}

/* Whether a frame to this address (and VLAN, 0: untagged) comes through. */
static bool arrives_tagged(struct nic *n, const uint8_t *dst, uint16_t vlan)
{
    const uint64_t before = avps_net_counters(&n->net, 0)->rx_filtered;
    struct nic_hdr hdr;

    nic_post(n, 0, 200);
    frame_fill(frame, 60, dst, nic_peer, 1);
    if (vlan != 0U) {
        frame_put16(frame + 12, 0x8100);
        frame_put16(frame + 14, (uint16_t)(vlan | 0x6000U));
    }
    assert_true(nic_give(n, frame, 60));
    const bool arrived = avps_net_counters(&n->net, 0)->rx_filtered == before;
    if (arrived) {
        assert_int_equal(nic_take(n, 0, &hdr, got), 60);
        assert_memory_equal(got, frame, 60);
    }
    if (n->post_count[0] > NIC_POSTED - 2U || n->d.ring[0].free_slots < 2U) {
        fail_msg("the test needs more buffers");
    }
    return arrived;
}

static bool arrives(struct nic *n, const uint8_t *dst)
{
    return arrives_tagged(n, dst, 0);
}

static uint8_t mode(struct nic *n, uint8_t command, uint8_t on)
{
    return nic_ctrl(n, RX, command, &on, 1);
}

/* ---- shape of a command: I33 ---- */

static void test_net_ctrl_an_unknown_command_is_refused_with_one_byte(void **state)
{
    static const uint8_t bad[][2] = {{0, 6}, {1, 2}, {2, 2}, {3, 1}, {4, 3},   {5, 1},
                                     {6, 4}, {7, 1}, {8, 0}, {9, 0}, {255, 0}, {0, 255}};
    struct nic *n = ctrl_new(state, TEST_MEM_REGIONS);
    uint8_t data[64] = {0};

    nic_start(n);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(nic_ctrl(n, bad[i][0], bad[i][1], data, sizeof data), ERR);
    }
    assert_int_equal(ctrl_counters(n)->failed, sizeof bad / sizeof bad[0]);
    assert_int_equal(ctrl_counters(n)->ok, 0);
    nic_free(n);
}

static void test_net_ctrl_only_the_ack_is_written(void **state)
{
    struct nic *n = ctrl_new(state, TEST_MEM_REGIONS);
    const uint8_t on = 1;

    nic_start(n);
    assert_int_equal(nic_ctrl_len(n, RX, PROMISC, &on, 1, 64, 1), OK);
    assert_true(test_mem_is(&n->d.mem, n->request.in_gpa[0] + 1U, TEST_UNWRITTEN, 63));
    nic_free(n);
}

static void test_net_ctrl_a_command_without_room_for_the_ack_faults(void **state)
{
    struct nic *n = ctrl_new(state, TEST_MEM_REGIONS);
    const uint8_t command[3] = {RX, PROMISC, 1};
    struct test_request r = {.out = {{command, 3}}};

    nic_start(n);
    (void)test_driver_send(&n->d, 2, &r);
    test_driver_kick(&n->d, 2);
    (void)test_driver_poll(&n->d);
    test_driver_assert_faulted(&n->d);
    assert_int_equal(n->net.filter.modes, 0); /* not done either */
    nic_free(n);
}

static void test_net_ctrl_a_command_too_short_for_its_head_is_refused(void **state)
{
    struct nic *n = ctrl_new(state, TEST_MEM_REGIONS);
    const uint8_t class = RX;
    struct test_request none = {.in = {1}};
    struct test_request one = {.out = {{&class, 1}}, .in = {1}};
    uint8_t ack = 0xff;

    nic_start(n);
    assert_int_equal(test_driver_do(&n->d, 2, &none), 1);
    test_driver_in(&n->d, &none, 0, &ack, 1);
    assert_int_equal(ack, ERR);
    assert_int_equal(test_driver_do(&n->d, 2, &one), 1);
    test_driver_in(&n->d, &one, 0, &ack, 1);
    assert_int_equal(ack, ERR);
    nic_free(n);
}

static void test_net_ctrl_a_command_may_lie_in_any_descriptors(void **state)
{
    for (int kind = 0; kind < (int)TEST_MEM_KINDS; kind++) {
        struct nic *n = ctrl_new(state, (enum test_mem_kind)kind);
        const uint8_t bytes[] = {MAC, ADDR, 0x02, 1, 2, 3, 4, 5};
        struct test_request r = {
            .out = {{bytes, 1}, {bytes + 1, 2}, {bytes + 3, 1}, {bytes + 4, 4}}, .in = {1}};
        uint8_t ack = 0xff;

        nic_start(n);
        assert_int_equal(test_driver_do(&n->d, 2, &r), 1);
        test_driver_in(&n->d, &r, 0, &ack, 1);
        assert_int_equal(ack, OK);
        assert_memory_equal(avps_net_mac(&n->net), bytes + 2, 6);
        nic_free(n);
    }
}

/* Each command is read once and whole: cut at any byte it is refused and changes nothing. */
static void test_net_ctrl_a_command_that_is_cut_short_changes_nothing(void **state)
{
    static const struct {
        uint8_t class;
        uint8_t command;
        uint8_t len;
        uint8_t data[60];
    } commands[] = {
        {RX, PROMISC, 1, {1}},
        {MAC, TABLE, 20, {1, 0, 0, 0, 2, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0, 94, 0, 0, 1}},
        {MAC, ADDR, 6, {2, 0, 0, 0, 0, 7}},
        {VLAN, ADD, 2, {5, 0}},
        {MQ, 0, 2, {2, 0}},
        {MQ, 1, 15, {2, 0, 0, 0, 0, 0, 1, 0, 1, 0, 2, 0, 2, 9, 8}},
        {MQ, 2, 15, {2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 9, 8}},
        {OFFLOADS, 0, 8, {0}},
        {6, 0, 8, {1, 0, 0, 0, 1, 0, 0, 0}},
        {6, 1, 8, {1, 0, 0, 0, 1, 0, 0, 0}},
        {6, 2, 12, {0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0}},
        {TUNNEL, 0, 4, {1, 0, 0, 0}},
    };
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 2);
    static struct avps_net before;

    n->config.offloads = AVPS_NET_RX_CSUM;
    nic_init(n);
    test_driver_want_all(&n->d, test_is_packed(state));
    avps_features_remove(&n->d.want, AVPS_F_NOTIFICATION_DATA);
    nic_up(n);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        const size_t mark = test_mem_mark(&n->d.mem);

        for (uint8_t len = 0; len < commands[i].len; len++) {
            before = n->net;
            assert_int_equal(
                nic_ctrl(n, commands[i].class, commands[i].command, commands[i].data, len), ERR);
            assert_memory_equal(&before.filter, &n->net.filter, sizeof before.filter);
            assert_memory_equal(&before.rss, &n->net.rss, sizeof before.rss);
            assert_memory_equal(before.mac, n->net.mac, 6);
            assert_int_equal(before.steering, n->net.steering);
            assert_int_equal(before.pairs_in_use, n->net.pairs_in_use);
            assert_int_equal(before.rx_csum, n->net.rx_csum);
            assert_int_equal(before.tunnels, n->net.tunnels);
        }
        assert_int_equal(
            nic_ctrl(n, commands[i].class, commands[i].command, commands[i].data, commands[i].len),
            OK);
        test_mem_rewind(&n->d.mem, mark);
    }
    nic_free(n);
}

static void test_net_ctrl_a_command_needs_its_feature(void **state)
{
    static const struct {
        uint8_t class;
        uint8_t command;
        uint8_t len;
        uint8_t data[16];
    } commands[] = {
        {RX, PROMISC, 1, {1}},
        {RX, ALLUNI, 1, {1}},
        {RX, NOBCAST, 1, {1}},
        {MAC, TABLE, 8, {0}},
        {MAC, ADDR, 6, {2, 0, 0, 0, 0, 7}},
        {VLAN, ADD, 2, {5, 0}},
        {ANNOUNCE, 0, 1, {0}},
        {MQ, 0, 2, {1, 0}},
        {MQ, 1, 15, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 9, 8}},
        {MQ, 2, 15, {2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 9, 8}},
        {OFFLOADS, 0, 8, {0}},
        {6, 0, 8, {0}},
        {6, 1, 8, {0}},
        {6, 2, 12, {0}},
        {6, 3, 4, {0}},
        {TUNNEL, 0, 4, {0}},
    };
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    want(n, AVPS_NET_F_CTRL_VQ);
    nic_start(n);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        assert_int_equal(
            nic_ctrl(n, commands[i].class, commands[i].command, commands[i].data, commands[i].len),
            ERR);
    }
    nic_free(n);
}

static void test_net_ctrl_memory_that_fails_is_an_error_of_the_command(void **state)
{
    unsigned int refused = 0;

    for (unsigned int at = 1; at < 16U; at++) {
        struct nic *n = ctrl_new(state, TEST_MEM_COPY);
        const uint8_t bytes[] = {RX, PROMISC, 1};
        struct test_request r = {.out = {{bytes, 2}, {bytes + 2, 1}}, .in = {1}};
        struct test_used used;
        uint8_t ack = 0xff;

        nic_start(n);
        (void)test_driver_send(&n->d, 2, &r);
        test_driver_kick(&n->d, 2);
        test_fail_at(&n->d.mem.fail, at, AVPS_E_IO);
        (void)test_driver_poll(&n->d);
        n->d.mem.fail.at = 0;
        (void)test_driver_poll(&n->d);
        if (test_driver_reap(&n->d, 2, &used) && used.len == 1U) {
            test_driver_in(&n->d, &r, 0, &ack, 1);
            assert_true(ack <= 1U);
            assert_int_equal(n->net.filter.modes, ack == OK ? 1 : 0);
            refused += ack == ERR ? 1U : 0U;
        }
        nic_free(n);
    }
    assert_int_equal(refused, 2); /* the reads of head and data */
}

/* ---- receive modes ---- */

static const uint8_t other[6] = {0x52, 0x54, 0x00, 0x00, 0x00, 0x99};

/* [net-7.1] [net-7.4] */
static void test_net_filter_starts_with_the_own_address_and_broadcasts(void **state)
{
    struct nic *n = ctrl_new(state, TEST_MEM_REGIONS);

    nic_start(n);
    assert_true(arrives(n, nic_mac));
    assert_true(arrives(n, nic_broadcast));
    assert_false(arrives(n, other));
    assert_false(arrives(n, nic_group));
    nic_free(n);
}

/* A driver that cannot ask for groups gets them; one whose address is unknown gets all. */
static void test_net_filter_without_features_lets_all_in_that_may_be_wanted(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    nic_start(n);
    assert_true(arrives(n, other));
    assert_true(arrives(n, nic_group));
    test_driver_reset(&n->d);
    want(n, AVPS_NET_F_MAC);
    nic_up(n);
    assert_false(arrives(n, other));
    assert_true(arrives(n, nic_mac));
    assert_true(arrives(n, nic_group));
    nic_free(n);
}

/* [net-6.1] [net-6.2] [net-6.3] */
static void test_net_filter_promiscuous_takes_everything(void **state)
{
    struct nic *n = ctrl_new(state, TEST_MEM_REGIONS);

    nic_start(n);
    assert_int_equal(mode(n, NOUNI, 1), OK);
    assert_int_equal(mode(n, NOMULTI, 1), OK);
    assert_int_equal(mode(n, NOBCAST, 1), OK);
    assert_int_equal(mode(n, PROMISC, 1), OK);
    assert_true(arrives(n, other));
    assert_true(arrives(n, nic_group));
    assert_true(arrives(n, nic_broadcast));
    assert_true(arrives_tagged(n, nic_mac, 77));
    assert_int_equal(mode(n, PROMISC, 0), OK);
    assert_false(arrives(n, nic_mac));
    assert_false(arrives(n, nic_broadcast));
    nic_free(n);
}

/* [net-6.4] */
static void test_net_filter_all_multicast(void **state)
{
    struct nic *n = ctrl_new(state, TEST_MEM_REGIONS);

    nic_start(n);
    assert_int_equal(mode(n, ALLMULTI, 1), OK);
    assert_true(arrives(n, nic_group));
    assert_false(arrives(n, other));
    assert_int_equal(mode(n, ALLMULTI, 0), OK);
    assert_false(arrives(n, nic_group));
    nic_free(n);
}

/* [net-6.5] [net-6.6] */
static void test_net_filter_all_unicast(void **state)
{
    struct nic *n = ctrl_new(state, TEST_MEM_REGIONS);

    nic_start(n);
    assert_int_equal(mode(n, ALLUNI, 1), OK);
    assert_true(arrives(n, other));
    assert_false(arrives(n, nic_group));
    nic_free(n);
}

/* [net-6.7] [net-6.8] [net-6.9] */
static void test_net_filter_no_multicast_is_stronger_than_all(void **state)
{
    struct nic *n = ctrl_new(state, TEST_MEM_REGIONS);

    nic_start(n);
    assert_int_equal(mode(n, ALLMULTI, 1), OK);
    assert_int_equal(mode(n, NOMULTI, 1), OK);
    assert_false(arrives(n, nic_group));
    assert_true(arrives(n, nic_broadcast));
    nic_free(n);
}

/* [net-6.10] [net-6.11] */
static void test_net_filter_no_unicast_is_stronger_than_all(void **state)
{
    struct nic *n = ctrl_new(state, TEST_MEM_REGIONS);

    nic_start(n);
    assert_int_equal(mode(n, ALLUNI, 1), OK);
    assert_int_equal(mode(n, NOUNI, 1), OK);
    assert_false(arrives(n, nic_mac));
    assert_false(arrives(n, other));
    assert_true(arrives(n, nic_broadcast));
    nic_free(n);
}

/* [net-6.12] [net-6.13] */
static void test_net_filter_no_broadcast_is_stronger_than_all_multicast(void **state)
{
    struct nic *n = ctrl_new(state, TEST_MEM_REGIONS);

    nic_start(n);
    assert_int_equal(mode(n, ALLMULTI, 1), OK);
    assert_int_equal(mode(n, NOBCAST, 1), OK);
    assert_false(arrives(n, nic_broadcast));
    assert_true(arrives(n, nic_group));
    nic_free(n);
}

/* [net-15.18] [net-15.19] The filter comes first: what it drops no queue is looked for. */
static void test_net_filter_drops_before_a_queue_is_chosen(void **state)
{
    struct nic *n = ctrl_new(state, TEST_MEM_REGIONS);

    want(n, AVPS_F_RING_RESET);
    nic_start(n);
    test_driver_set(&n->d, TEST_QUEUE_SEL, 0);
    test_driver_set(&n->d, TEST_QUEUE_RESET, 1); /* no queue is left to choose */
    frame_fill(frame, 60, other, nic_peer, 1);
    assert_true(nic_give(n, frame, 60));
    assert_int_equal(avps_net_counters(&n->net, 0)->rx_filtered, 1);
    assert_int_equal(avps_net_counters(&n->net, 0)->rx_no_queue, 0);
    frame_fill(frame, 60, nic_mac, nic_peer, 1);
    assert_true(nic_give(n, frame, 60));
    assert_int_equal(avps_net_counters(&n->net, 0)->rx_filtered, 1);
    assert_int_equal(avps_net_counters(&n->net, 0)->rx_no_queue, 1);
    nic_free(n);
}

static void test_net_filter_a_mode_is_on_or_off(void **state)
{
    struct nic *n = ctrl_new(state, TEST_MEM_REGIONS);

    nic_start(n);
    for (uint8_t command = PROMISC; command <= NOBCAST; command++) {
        assert_int_equal(mode(n, command, 2), ERR);
        assert_int_equal(mode(n, command, 0xff), ERR);
    }
    assert_int_equal(n->net.filter.modes, 0);
    nic_free(n);
}

/* ---- address tables ---- */

static uint32_t put_table(uint8_t *at, uint32_t entries, uint32_t count, uint8_t first)
{
    at[0] = (uint8_t)entries;
    at[1] = (uint8_t)(entries >> 8);
    at[2] = (uint8_t)(entries >> 16);
    at[3] = (uint8_t)(entries >> 24);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t mac[6] = {first, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i};
        (void)memcpy(at + 4U + 6U * i, mac, 6);
    }
    return 4U + 6U * count;
}

static uint8_t set_tables(struct nic *n, uint32_t unicast, uint32_t multicast)
{
    static uint8_t data[16384];
    uint32_t len = put_table(data, unicast, unicast, 0x02);

    len += put_table(data + len, multicast, multicast, 0x03);
    return nic_ctrl(n, MAC, TABLE, data, len);
}

static const uint8_t uni1[6] = {0x02, 0, 0, 0, 0, 1};
static const uint8_t uni9[6] = {0x02, 0, 0, 0, 0, 9};
static const uint8_t multi1[6] = {0x03, 0, 0, 0, 0, 1};
static const uint8_t multi9[6] = {0x03, 0, 0, 0, 0, 9};

/* [net-7.2] */
static void test_net_filter_tables_are_in_force_when_the_command_is_back(void **state)
{
    struct nic *n = ctrl_new(state, TEST_MEM_REGIONS);

    nic_start(n);
    assert_int_equal(set_tables(n, 2, 2), OK);
    assert_true(arrives(n, uni1));
    assert_true(arrives(n, multi1));
    assert_true(arrives(n, nic_mac));
    assert_false(arrives(n, uni9));
    assert_false(arrives(n, multi9));
    assert_int_equal(set_tables(n, 0, 0), OK);
    assert_false(arrives(n, uni1));
    assert_false(arrives(n, multi1));
    nic_free(n);
}

/* [net-7.1] */
static void test_net_filter_tables_are_empty_after_a_reset(void **state)
{
    struct nic *n = ctrl_new(state, TEST_MEM_REGIONS);
    const uint8_t vlan[2] = {5, 0};

    nic_start(n);
    assert_int_equal(set_tables(n, 2, 2), OK);
    assert_int_equal(mode(n, ALLUNI, 1), OK);
    assert_int_equal(nic_ctrl(n, VLAN, ADD, vlan, 2), OK);
    test_driver_reset(&n->d);
    nic_up(n);
    assert_false(arrives(n, uni1));
    assert_false(arrives(n, multi1));
    assert_false(arrives(n, other));
    assert_false(arrives_tagged(n, nic_mac, 5));
    nic_free(n);
}

static void test_net_filter_too_many_entries_let_all_of_their_kind_in(void **state)
{
    struct nic *n = ctrl_new(state, TEST_MEM_REGIONS);

    nic_start(n);
    assert_int_equal(set_tables(n, AVPS_NET_MACS, AVPS_NET_MACS), OK);
    assert_false(arrives(n, other));
    assert_false(arrives(n, nic_group));
    assert_int_equal(set_tables(n, AVPS_NET_MACS + 1U, 0), OK);
    assert_true(arrives(n, other));
    assert_false(arrives(n, nic_group));
    assert_int_equal(set_tables(n, 0, AVPS_NET_MACS + 1U), OK);
    assert_false(arrives(n, other));
    assert_true(arrives(n, nic_group));
    nic_free(n);
}

/* CVE-2014-0150 class. */
static void test_net_filter_bad_tables_are_refused_and_the_old_ones_stay(void **state)
{
    struct nic *n = ctrl_new(state, TEST_MEM_REGIONS);
    uint8_t data[200];

    nic_start(n);
    assert_int_equal(set_tables(n, 2, 2), OK);
    static const uint32_t huge[] = {0xffffffffU, 0x2aaaaaabU, 0x15555556U, 0x80000000U, 4};
    for (size_t i = 0; i < sizeof huge / sizeof huge[0]; i++) {
        uint32_t len = put_table(data, huge[i], 2, 0x02);
        len += put_table(data + len, 0, 0, 0);
        assert_int_equal(nic_ctrl(n, MAC, TABLE, data, len), ERR);
        len = put_table(data, 0, 0, 0);
        len += put_table(data + len, huge[i], 2, 0x03);
        assert_int_equal(nic_ctrl(n, MAC, TABLE, data, len), ERR);
    }
    uint32_t len = put_table(data, 1, 1, 0x03); /* a group among unicast addresses */
    len += put_table(data + len, 0, 0, 0);
    assert_int_equal(nic_ctrl(n, MAC, TABLE, data, len), ERR);
    len = put_table(data, 0, 0, 0);
    len += put_table(data + len, 1, 1, 0x02);
    assert_int_equal(nic_ctrl(n, MAC, TABLE, data, len), ERR);
    len = put_table(data, 1, 1, 0x02); /* bytes behind the tables */
    len += put_table(data + len, 0, 1, 0x03);
    assert_int_equal(nic_ctrl(n, MAC, TABLE, data, len), ERR);
    assert_true(arrives(n, uni1));
    assert_true(arrives(n, multi1));
    assert_false(arrives(n, uni9));
    nic_free(n);
}

/* ---- address ---- */

/* [net-7.3] [AVPS NET-6] [AVPS NET-7] */
static void test_net_mac_the_guest_changes_its_address(void **state)
{
    struct nic *n = ctrl_new(state, TEST_MEM_REGIONS);

    nic_start(n);
    const uint32_t generation = test_driver_get(&n->d, TEST_CONFIG_GENERATION);
    assert_int_equal(nic_ctrl(n, MAC, ADDR, other, 6), OK);
    assert_memory_equal(n->asked, other, 6);
    for (uint32_t i = 0; i < 6U; i++) {
        assert_int_equal(test_driver_config(&n->d, i, 1), other[i]);
    }
    assert_int_not_equal(test_driver_get(&n->d, TEST_CONFIG_GENERATION), generation);
    assert_memory_equal(avps_net_mac(&n->net), other, 6);
    assert_true(arrives(n, other));
    assert_false(arrives(n, nic_mac));
    test_driver_reset(&n->d);
    assert_int_equal(test_driver_config(&n->d, 5, 1), nic_mac[5]); /* the first one again */
    nic_free(n);
}

/* [AVPS NET-8] */
static void test_net_mac_the_host_may_refuse_an_address(void **state)
{
    struct nic *n = ctrl_new(state, TEST_MEM_REGIONS);

    n->mac_refused = true;
    nic_start(n);
    assert_int_equal(nic_ctrl(n, MAC, ADDR, other, 6), ERR);
    assert_memory_equal(n->asked, other, 6);
    assert_memory_equal(avps_net_mac(&n->net), nic_mac, 6);
    assert_int_equal(test_driver_config(&n->d, 5, 1), nic_mac[5]);
    assert_int_equal(ctrl_counters(n)->mac_refused, 1);
    assert_true(arrives(n, nic_mac));
    assert_false(arrives(n, other));
    nic_free(n);
}

static void test_net_mac_without_a_policy_any_station_address_will_do(void **state)
{
    struct nic *n = ctrl_new(state, TEST_MEM_REGIONS);
    static const uint8_t zero[6] = {0};

    n->ops.mac_allowed = NULL;
    nic_start(n);
    assert_int_equal(nic_ctrl(n, MAC, ADDR, zero, 6), ERR);
    assert_int_equal(nic_ctrl(n, MAC, ADDR, nic_group, 6), ERR);
    assert_int_equal(nic_ctrl(n, MAC, ADDR, nic_broadcast, 6), ERR);
    assert_int_equal(nic_ctrl(n, MAC, ADDR, other, 6), OK);
    assert_int_equal(ctrl_counters(n)->mac_refused, 0);
    nic_free(n);
}

/* A driver that made up its own address tells it. */
static void test_net_mac_an_address_that_is_told_is_filtered_by(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    (void)memset(n->config.mac, 0, 6);
    want(n, AVPS_NET_F_CTRL_VQ);
    want(n, AVPS_NET_F_CTRL_MAC_ADDR);
    nic_start(n);
    assert_true(arrives(n, nic_mac));
    assert_true(arrives(n, other));
    assert_int_equal(nic_ctrl(n, MAC, ADDR, nic_mac, 6), OK);
    assert_true(arrives(n, nic_mac));
    assert_false(arrives(n, other));
    nic_free(n);
}

/* ---- VLANs ---- */

/* [net-8.2] */
static void test_net_vlan_only_listed_tags_come_in(void **state)
{
    struct nic *n = ctrl_new(state, TEST_MEM_REGIONS);
    uint8_t id[2] = {0x23, 0x01};

    nic_start(n);
    assert_true(arrives(n, nic_mac));
    assert_false(arrives_tagged(n, nic_mac, 0x123));
    assert_int_equal(nic_ctrl(n, VLAN, ADD, id, 2), OK);
    assert_true(arrives_tagged(n, nic_mac, 0x123));
    assert_false(arrives_tagged(n, nic_mac, 0x124));
    assert_false(arrives_tagged(n, other, 0x123)); /* the address counts as well */
    assert_int_equal(nic_ctrl(n, VLAN, DEL, id, 2), OK);
    assert_false(arrives_tagged(n, nic_mac, 0x123));
    id[0] = 0xff;
    id[1] = 0x0f;
    assert_int_equal(nic_ctrl(n, VLAN, ADD, id, 2), OK);
    assert_true(arrives_tagged(n, nic_mac, 4095));
    nic_free(n);
}

/* [net-8.1] */
static void test_net_vlan_without_the_feature_every_tag_comes_in(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    nic_start(n);
    assert_true(arrives_tagged(n, nic_mac, 1));
    assert_true(arrives_tagged(n, nic_mac, 4094));
    nic_free(n);
}

static void test_net_vlan_ids_end_at_4095(void **state)
{
    struct nic *n = ctrl_new(state, TEST_MEM_REGIONS);
    static const uint8_t bad[][2] = {{0x00, 0x10}, {0xff, 0xff}, {0x00, 0x80}};

    nic_start(n);
    for (size_t i = 0; i < 3U; i++) {
        assert_int_equal(nic_ctrl(n, VLAN, ADD, bad[i], 2), ERR);
        assert_int_equal(nic_ctrl(n, VLAN, DEL, bad[i], 2), ERR);
    }
    nic_free(n);
}

static void test_net_vlan_a_tag_that_is_cut_off_is_no_tag(void **state)
{
    struct nic *n = ctrl_new(state, TEST_MEM_REGIONS);

    nic_start(n);
    nic_post(n, 0, 200);
    frame_fill(frame, 16, nic_mac, nic_peer, 1);
    frame_put16(frame + 12, 0x8100);
    assert_true(nic_give(n, frame, 16));
    assert_int_equal(avps_net_counters(&n->net, 0)->rx_filtered, 1);
    nic_free(n);
}

/* ---- announcements ---- */

/* [net-9.1] */
static void test_net_announce_is_asked_for_and_acknowledged(void **state)
{
    struct nic *n = ctrl_new(state, TEST_MEM_REGIONS);

    nic_start(n);
    assert_int_equal(test_driver_config(&n->d, 6, 2), 1);
    assert_int_equal(avps_net_announce(&n->net), AVPS_OK);
    assert_int_equal(test_driver_ack(&n->d), 2);
    assert_int_equal(test_driver_config(&n->d, 6, 2), 3);
    assert_int_equal(nic_ctrl(n, ANNOUNCE, 0, NULL, 0), OK);
    assert_int_equal(test_driver_config(&n->d, 6, 2), 1);
    assert_int_equal(avps_net_announce(&n->net), AVPS_OK);
    test_driver_reset(&n->d);
    assert_int_equal(test_driver_config(&n->d, 6, 2), 1);
    assert_int_equal(avps_net_announce(&n->net), AVPS_E_UNSUPPORTED);
    nic_free(n);
}

static void test_net_announce_needs_a_driver_that_can(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    want(n, AVPS_NET_F_CTRL_VQ);
    want(n, AVPS_NET_F_GUEST_ANNOUNCE);
    nic_start(n);
    assert_int_equal(avps_net_announce(&n->net), AVPS_E_UNSUPPORTED); /* no STATUS */
    test_driver_reset(&n->d);
    want(n, AVPS_NET_F_STATUS);
    assert_true(test_driver_negotiate(&n->d));
    assert_int_equal(avps_net_announce(&n->net), AVPS_E_STATE);
    nic_up(n);
    assert_int_equal(avps_net_announce(&n->net), AVPS_OK);
    nic_free(n);
}

/* ---- offloads ---- */

static uint8_t set_offloads(struct nic *n, uint64_t bits)
{
    uint8_t raw[8];

    for (size_t i = 0; i < 8U; i++) {
        raw[i] = (uint8_t)(bits >> (8U * i));
    }
    return nic_ctrl(n, OFFLOADS, 0, raw, sizeof raw);
}

static void test_net_offloads_can_be_switched_off_and_on(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    const struct avps_net_offload large = {.flags = AVPS_NET_NEEDS_CSUM,
                                           .gso_type = AVPS_NET_GSO_TCPV4,
                                           .gso_size = 500,
                                           .csum_start = 34,
                                           .csum_offset = 16};
    const struct avps_net_offload partial = {
        .flags = AVPS_NET_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16};
    struct nic_hdr hdr;

    n->config.offloads = AVPS_NET_RX_CSUM | AVPS_NET_RX_TSO4;
    want(n, AVPS_NET_F_CTRL_VQ);
    want(n, AVPS_NET_F_CTRL_GUEST_OFFLOADS);
    want(n, AVPS_NET_F_GUEST_CSUM);
    want(n, AVPS_NET_F_GUEST_TSO4);
    nic_start(n);
    nic_post_many(n, 0, 2000, 6);
    frame_fill(frame, 1400, nic_mac, nic_peer, 1);
    assert_true(nic_give_offload(n, frame, 1400, &large));
    assert_int_equal(nic_take(n, 0, &hdr, got), 1400);
    assert_int_equal(set_offloads(n, 1U << AVPS_NET_F_GUEST_CSUM), OK);
    assert_true(nic_give_offload(n, frame, 1400, &large));
    assert_int_equal(avps_net_counters(&n->net, 0)->rx_no_offload, 1);
    assert_true(nic_give_offload(n, frame, 1400, &partial));
    assert_int_equal(nic_take(n, 0, &hdr, got), 1400);
    assert_int_equal(hdr.flags, AVPS_NET_NEEDS_CSUM);
    assert_int_equal(set_offloads(n, 0), OK);
    assert_true(nic_give_offload(n, frame, 1400, &partial));
    assert_int_equal(nic_take(n, 0, &hdr, got), 1400);
    assert_int_equal(hdr.flags, 0);
    assert_int_equal(set_offloads(n, 1U << AVPS_NET_F_GUEST_TSO4), OK); /* without checksum */
    assert_true(nic_give_offload(n, frame, 1400, &large));
    assert_int_equal(avps_net_counters(&n->net, 0)->rx_no_offload, 2);
    test_driver_reset(&n->d);
    nic_up(n); /* all on again */
    nic_post_many(n, 0, 2000, 1);
    assert_true(nic_give_offload(n, frame, 1400, &large));
    assert_int_equal(nic_take(n, 0, &hdr, got), 1400);
    nic_free(n);
}

static void test_net_offloads_that_were_not_negotiated_are_refused(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    n->config.offloads = AVPS_NET_RX_CSUM | AVPS_NET_RX_TSO4 | AVPS_NET_RX_USO4;
    want(n, AVPS_NET_F_CTRL_VQ);
    want(n, AVPS_NET_F_CTRL_GUEST_OFFLOADS);
    want(n, AVPS_NET_F_GUEST_CSUM);
    nic_start(n);
    for (unsigned int bit = 0; bit < 64U; bit++) {
        assert_int_equal(set_offloads(n, (uint64_t)1 << bit),
                         bit == AVPS_NET_F_GUEST_CSUM ? OK : ERR);
        if (bit % 16U == 15U) {
            (void)test_driver_ack(&n->d);
        }
    }
    assert_true(n->net.rx_csum);
    nic_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_net_ctrl_an_unknown_command_is_refused_with_one_byte, NULL, NULL),
        TEST_BOTH(test_net_ctrl_only_the_ack_is_written, NULL, NULL),
        TEST_BOTH(test_net_ctrl_a_command_without_room_for_the_ack_faults, NULL, NULL),
        TEST_BOTH(test_net_ctrl_a_command_too_short_for_its_head_is_refused, NULL, NULL),
        TEST_BOTH(test_net_ctrl_a_command_may_lie_in_any_descriptors, NULL, NULL),
        TEST_BOTH(test_net_ctrl_a_command_that_is_cut_short_changes_nothing, NULL, NULL),
        TEST_BOTH(test_net_ctrl_a_command_needs_its_feature, NULL, NULL),
        TEST_BOTH(test_net_ctrl_memory_that_fails_is_an_error_of_the_command, NULL, NULL),
        TEST_BOTH(test_net_filter_starts_with_the_own_address_and_broadcasts, NULL, NULL),
        TEST_BOTH(test_net_filter_without_features_lets_all_in_that_may_be_wanted, NULL, NULL),
        TEST_BOTH(test_net_filter_promiscuous_takes_everything, NULL, NULL),
        TEST_BOTH(test_net_filter_all_multicast, NULL, NULL),
        TEST_BOTH(test_net_filter_all_unicast, NULL, NULL),
        TEST_BOTH(test_net_filter_no_multicast_is_stronger_than_all, NULL, NULL),
        TEST_BOTH(test_net_filter_no_unicast_is_stronger_than_all, NULL, NULL),
        TEST_BOTH(test_net_filter_no_broadcast_is_stronger_than_all_multicast, NULL, NULL),
        TEST_BOTH(test_net_filter_drops_before_a_queue_is_chosen, NULL, NULL),
        TEST_BOTH(test_net_filter_a_mode_is_on_or_off, NULL, NULL),
        TEST_BOTH(test_net_filter_tables_are_in_force_when_the_command_is_back, NULL, NULL),
        TEST_BOTH(test_net_filter_tables_are_empty_after_a_reset, NULL, NULL),
        TEST_BOTH(test_net_filter_too_many_entries_let_all_of_their_kind_in, NULL, NULL),
        TEST_BOTH(test_net_filter_bad_tables_are_refused_and_the_old_ones_stay, NULL, NULL),
        TEST_BOTH(test_net_mac_the_guest_changes_its_address, NULL, NULL),
        TEST_BOTH(test_net_mac_the_host_may_refuse_an_address, NULL, NULL),
        TEST_BOTH(test_net_mac_without_a_policy_any_station_address_will_do, NULL, NULL),
        TEST_BOTH(test_net_mac_an_address_that_is_told_is_filtered_by, NULL, NULL),
        TEST_BOTH(test_net_vlan_only_listed_tags_come_in, NULL, NULL),
        TEST_BOTH(test_net_vlan_without_the_feature_every_tag_comes_in, NULL, NULL),
        TEST_BOTH(test_net_vlan_ids_end_at_4095, NULL, NULL),
        TEST_BOTH(test_net_vlan_a_tag_that_is_cut_off_is_no_tag, NULL, NULL),
        TEST_BOTH(test_net_announce_is_asked_for_and_acknowledged, NULL, NULL),
        TEST_BOTH(test_net_announce_needs_a_driver_that_can, NULL, NULL),
        TEST_BOTH(test_net_offloads_can_be_switched_off_and_on, NULL, NULL),
        TEST_BOTH(test_net_offloads_that_were_not_negotiated_are_refused, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
