/* SPDX-License-Identifier: BSD-3-Clause */
/* Network device: what is offered, configuration space, link, reset, saved state. */
#include "devices/test_net.h"

#define OK  0U
#define ERR 1U

static uint8_t frame[NIC_BYTES];
static uint8_t got[NIC_BYTES];
static const struct nic_hdr plain = {0};

/* ---- init ---- */

static void test_net_init_checks_its_configuration(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    const struct avps_net_config good = n->config;

    assert_int_equal(avps_net_init(NULL, &good), AVPS_E_PARAM);
    assert_int_equal(avps_net_init(&n->net, NULL), AVPS_E_PARAM);
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        n->config = good;                                                                          \
        change;                                                                                    \
        assert_int_equal(avps_net_init(&n->net, &n->config), AVPS_E_PARAM);                        \
    } while (false)
    REFUSED(n->config.ops = NULL);
    REFUSED(n->config.pairs = NULL);
    REFUSED(n->config.pair_count = 0);
    REFUSED(n->config.pair_count = 2); /* queue_count does not fit */
    REFUSED(n->config.base.queue_count = 2);
    REFUSED(n->config.mac[0] = 1);
    REFUSED(n->config.mtu = 67); /* [net-1.2] */
    REFUSED(n->config.offloads = 1U << 13);
    REFUSED(n->config.speed = 0x80000000U); /* [net-1.10] */
    REFUSED(n->config.duplex = 2);          /* [net-1.11] */
    REFUSED(n->config.base.queues = NULL);
#undef REFUSED
    n->config = good;
    n->config.pair_count = 32768U; /* [net-1.1] */
    n->config.base.queue_count = 1;
    assert_int_equal(avps_net_init(&n->net, &n->config), AVPS_E_PARAM);
    n->config = good;
    n->config.mtu = 68;
    n->config.speed = 0xffffffffU;
    n->config.duplex = 0xff;
    nic_start(n);
    nic_free(n);
}

/* ---- features ---- */

static void test_net_offers_what_the_configuration_can_serve(void **state)
{
    static const uint8_t always[] = {AVPS_NET_F_MRG_RXBUF,     AVPS_NET_F_STATUS,
                                     AVPS_NET_F_CTRL_VQ,       AVPS_NET_F_CTRL_RX,
                                     AVPS_NET_F_CTRL_VLAN,     AVPS_NET_F_CTRL_RX_EXTRA,
                                     AVPS_NET_F_CTRL_MAC_ADDR, AVPS_NET_F_GUEST_ANNOUNCE,
                                     AVPS_NET_F_HASH_REPORT,   AVPS_NET_F_RSS,
                                     AVPS_NET_F_HASH_TUNNEL,   AVPS_NET_F_NOTF_COAL,
                                     AVPS_NET_F_VQ_NOTF_COAL,  AVPS_NET_F_CTRL_GUEST_OFFLOADS};
    static const uint8_t configured[] = {
        AVPS_NET_F_MTU,        AVPS_NET_F_MAC,        AVPS_NET_F_SPEED_DUPLEX,
        AVPS_NET_F_MQ,         AVPS_NET_F_CSUM,       AVPS_NET_F_HOST_TSO4,
        AVPS_NET_F_HOST_TSO6,  AVPS_NET_F_HOST_ECN,   AVPS_NET_F_HOST_UFO,
        AVPS_NET_F_HOST_USO,   AVPS_NET_F_GUEST_CSUM, AVPS_NET_F_GUEST_TSO4,
        AVPS_NET_F_GUEST_TSO6, AVPS_NET_F_GUEST_ECN,  AVPS_NET_F_GUEST_UFO,
        AVPS_NET_F_GUEST_USO4, AVPS_NET_F_GUEST_USO6, AVPS_NET_F_GUEST_HDRLEN};
    static const uint8_t never[] = {4, 6, 41, 42, 50, 61, 62, 64, 65, 66, 67, 68, 69, 70};
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    (void)memset(n->config.mac, 0, 6);
    nic_init(n);
    for (size_t i = 0; i < sizeof always; i++) {
        assert_true(test_driver_offers(&n->d, always[i]));
    }
    for (size_t i = 0; i < sizeof configured; i++) {
        assert_false(test_driver_offers(&n->d, configured[i]));
    }
    nic_free(n);
    n = nic_new(state, TEST_MEM_REGIONS, 2);
    n->config.mtu = 1500;
    n->config.speed_known = true;
    n->config.offloads = 0x1fff;
    nic_init(n);
    for (size_t i = 0; i < sizeof configured; i++) {
        assert_true(test_driver_offers(&n->d, configured[i]));
    }
    for (size_t i = 0; i < sizeof never; i++) {
        assert_false(test_driver_offers(&n->d, never[i]));
    }
    nic_free(n);
}

/* [net-1.13] [net-1.14] */
static void test_net_without_control_queue_nothing_that_needs_it_is_offered(void **state)
{
    static const uint8_t bits[] = {AVPS_NET_F_CTRL_VQ,
                                   AVPS_NET_F_CTRL_RX,
                                   AVPS_NET_F_CTRL_VLAN,
                                   AVPS_NET_F_CTRL_RX_EXTRA,
                                   AVPS_NET_F_CTRL_MAC_ADDR,
                                   AVPS_NET_F_GUEST_ANNOUNCE,
                                   AVPS_NET_F_HASH_REPORT,
                                   AVPS_NET_F_RSS,
                                   AVPS_NET_F_HASH_TUNNEL,
                                   AVPS_NET_F_NOTF_COAL,
                                   AVPS_NET_F_VQ_NOTF_COAL,
                                   AVPS_NET_F_MQ,
                                   AVPS_NET_F_CTRL_GUEST_OFFLOADS};
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 2);

    avps_features_add(&n->config.base.withhold, AVPS_NET_F_CTRL_VQ);
    nic_init(n);
    for (size_t i = 0; i < sizeof bits; i++) {
        assert_false(test_driver_offers(&n->d, bits[i]));
    }
    assert_int_equal(test_driver_config(&n->d, 17, 1), 0);
    assert_int_equal(test_driver_config(&n->d, 20, 4), 0);
    nic_free(n);
}

static bool accepts(struct nic *n, const uint8_t *bits, size_t count)
{
    (void)memset(&n->d.want, 0, sizeof n->d.want);
    test_driver_want(&n->d, AVPS_F_VERSION_1);
    for (size_t i = 0; i < count; i++) {
        test_driver_want(&n->d, bits[i]);
    }
    return test_driver_negotiate(&n->d);
}

/* Every row of the chapter's requirements: refused alone, accepted with what it needs. */
static void test_net_features_come_with_what_they_need(void **state)
{
    static const uint8_t rows[][3] = {
        {AVPS_NET_F_GUEST_TSO4, AVPS_NET_F_GUEST_CSUM, 0},
        {AVPS_NET_F_GUEST_TSO6, AVPS_NET_F_GUEST_CSUM, 0},
        {AVPS_NET_F_GUEST_UFO, AVPS_NET_F_GUEST_CSUM, 0},
        {AVPS_NET_F_GUEST_USO4, AVPS_NET_F_GUEST_CSUM, 0},
        {AVPS_NET_F_GUEST_USO6, AVPS_NET_F_GUEST_CSUM, 0},
        {AVPS_NET_F_HOST_TSO4, AVPS_NET_F_CSUM, 0},
        {AVPS_NET_F_HOST_TSO6, AVPS_NET_F_CSUM, 0},
        {AVPS_NET_F_HOST_UFO, AVPS_NET_F_CSUM, 0},
        {AVPS_NET_F_HOST_USO, AVPS_NET_F_CSUM, 0},
        {AVPS_NET_F_GUEST_ECN, AVPS_NET_F_GUEST_CSUM, AVPS_NET_F_GUEST_TSO4},
        {AVPS_NET_F_GUEST_ECN, AVPS_NET_F_GUEST_CSUM, AVPS_NET_F_GUEST_TSO6},
        {AVPS_NET_F_HOST_ECN, AVPS_NET_F_CSUM, AVPS_NET_F_HOST_TSO4},
        {AVPS_NET_F_HOST_ECN, AVPS_NET_F_CSUM, AVPS_NET_F_HOST_TSO6},
        {AVPS_NET_F_CTRL_RX, AVPS_NET_F_CTRL_VQ, 0},
        {AVPS_NET_F_CTRL_VLAN, AVPS_NET_F_CTRL_VQ, 0},
        {AVPS_NET_F_GUEST_ANNOUNCE, AVPS_NET_F_CTRL_VQ, 0},
        {AVPS_NET_F_MQ, AVPS_NET_F_CTRL_VQ, 0},
        {AVPS_NET_F_CTRL_MAC_ADDR, AVPS_NET_F_CTRL_VQ, 0},
        {AVPS_NET_F_NOTF_COAL, AVPS_NET_F_CTRL_VQ, 0},
        {AVPS_NET_F_VQ_NOTF_COAL, AVPS_NET_F_CTRL_VQ, 0},
        {AVPS_NET_F_RSS, AVPS_NET_F_CTRL_VQ, 0},
        {AVPS_NET_F_HASH_TUNNEL, AVPS_NET_F_CTRL_VQ, AVPS_NET_F_RSS},
        {AVPS_NET_F_HASH_TUNNEL, AVPS_NET_F_CTRL_VQ, AVPS_NET_F_HASH_REPORT},
    };
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 2);

    n->config.offloads = 0x1fff;
    nic_init(n);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_false(accepts(n, rows[i], 1));
        assert_true(accepts(n, rows[i], rows[i][2] != 0U ? 3 : 2));
        if (rows[i][2] != 0U) {
            assert_false(accepts(n, rows[i], 2));
        }
    }
    const uint8_t alone[] = {AVPS_NET_F_HASH_REPORT, AVPS_NET_F_CTRL_RX_EXTRA,
                             AVPS_NET_F_CTRL_GUEST_OFFLOADS, AVPS_NET_F_GUEST_HDRLEN};
    for (size_t i = 0; i < sizeof alone; i++) {
        assert_true(accepts(n, &alone[i], 1)); /* these stand alone in the standard */
    }
    nic_free(n);
}

/* ---- configuration space ---- */

/* [net-1.1] [net-1.2] [net-1.7] [net-1.8] [net-1.10] [net-1.11] [AVPS NET-5] [AVPS NET-6] */
static void test_net_the_configuration_space_says_what_is_offered(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 2);

    n->config.mtu = 9000;
    n->config.speed_known = true;
    n->config.speed = 10000;
    n->config.duplex = 1;
    nic_init(n);
    for (uint32_t i = 0; i < 6U; i++) {
        assert_int_equal(test_driver_config(&n->d, i, 1), nic_mac[i]);
    }
    assert_int_equal(test_driver_config(&n->d, 6, 2), 1);
    assert_int_equal(test_driver_config(&n->d, 8, 2), 2);
    assert_int_equal(test_driver_config(&n->d, 10, 2), 9000);
    assert_int_equal(test_driver_config(&n->d, 12, 4), 10000);
    assert_int_equal(test_driver_config(&n->d, 16, 1), 1);
    assert_int_equal(test_driver_config(&n->d, 17, 1), 40);
    assert_int_equal(test_driver_config(&n->d, 18, 2), AVPS_NET_RSS_TABLE);
    assert_int_equal(test_driver_config(&n->d, 20, 4), 0x1ff);
    assert_int_equal(test_driver_config(&n->d, 24, 4), 0x1ff);
    nic_free(n);
}

static void test_net_what_is_not_offered_reads_zero(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 2);
    static const uint8_t withheld[] = {AVPS_NET_F_STATUS, AVPS_NET_F_MQ, AVPS_NET_F_RSS,
                                       AVPS_NET_F_HASH_REPORT, AVPS_NET_F_HASH_TUNNEL};

    for (size_t i = 0; i < sizeof withheld; i++) {
        avps_features_add(&n->config.base.withhold, withheld[i]);
    }
    nic_init(n);
    assert_int_equal(test_driver_get(&n->d, TEST_DEVICE_ID), 1);
    for (uint32_t i = 6; i < 28U; i++) {
        assert_int_equal(test_driver_config(&n->d, i, 1), 0);
    }
    nic_free(n);
    n = nic_new(state, TEST_MEM_REGIONS, 2);
    avps_features_add(&n->config.base.withhold, AVPS_NET_F_RSS);
    nic_init(n);
    assert_int_equal(test_driver_config(&n->d, 8, 2), 2);   /* for MQ */
    assert_int_equal(test_driver_config(&n->d, 17, 1), 40); /* for HASH_REPORT */
    assert_int_equal(test_driver_config(&n->d, 18, 2), 0);
    nic_free(n);
}

/* [net-1.4] */
static void test_net_the_driver_cannot_write_the_configuration(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    n->config.mtu = 1500;
    nic_start(n);
    for (uint32_t i = 0; i < 28U; i++) {
        const uint64_t before = test_driver_config(&n->d, i, 1);
        test_driver_config_set(&n->d, i, 1, 0x5a);
        assert_int_equal(test_driver_config(&n->d, i, 1), before);
    }
    avps_net_set_link(&n->net, false);
    avps_net_set_link(&n->net, true);
    test_driver_reset(&n->d);
    assert_int_equal(test_driver_config(&n->d, 10, 2), 1500);
    nic_free(n);
}

/* ---- link ---- */

static void test_net_the_driver_is_told_about_the_link(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    want(n, AVPS_NET_F_STATUS);
    n->config.link_down = true;
    nic_start(n);
    assert_int_equal(test_driver_config(&n->d, 6, 2), 0);
    const uint32_t generation = test_driver_get(&n->d, TEST_CONFIG_GENERATION);
    avps_net_set_link(&n->net, true);
    assert_int_equal(test_driver_ack(&n->d), 2);
    assert_int_equal(test_driver_config(&n->d, 6, 2), 1);
    assert_int_not_equal(test_driver_get(&n->d, TEST_CONFIG_GENERATION), generation);
    avps_net_set_link(&n->net, true); /* no change, no word */
    assert_int_equal(test_driver_ack(&n->d), 0);
    test_driver_reset(&n->d);
    assert_int_equal(test_driver_config(&n->d, 6, 2), 1); /* the link stays up */
    nic_free(n);
}

/* [net-1.12] */
static void test_net_the_speed_changes_only_without_link(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    n->config.speed_known = true;
    n->config.speed = 1000;
    nic_start(n);
    assert_int_equal(avps_net_set_speed(&n->net, 100, 0), AVPS_E_STATE);
    assert_int_equal(test_driver_config(&n->d, 12, 4), 1000);
    avps_net_set_link(&n->net, false);
    assert_int_equal(avps_net_set_speed(&n->net, 0x80000000U, 0), AVPS_E_PARAM);
    assert_int_equal(avps_net_set_speed(&n->net, 100, 2), AVPS_E_PARAM);
    assert_int_equal(avps_net_set_speed(&n->net, 100, 1), AVPS_OK);
    assert_int_equal(test_driver_config(&n->d, 12, 4), 100);
    assert_int_equal(test_driver_config(&n->d, 16, 1), 1);
    assert_int_equal(avps_net_set_speed(&n->net, 0xffffffffU, 0xff), AVPS_OK);
    assert_int_equal(test_driver_config(&n->d, 12, 4), 0xffffffffU);
    nic_free(n);
    n = nic_new(state, TEST_MEM_REGIONS, 1);
    nic_start(n);
    assert_int_equal(avps_net_set_speed(&n->net, 100, 0), AVPS_E_UNSUPPORTED);
    nic_free(n);
}

static void test_net_the_back_end_hears_of_the_driver(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    nic_start(n);
    assert_int_equal(n->went_live, 1);
    const uint32_t away = n->went_away;
    test_driver_reset(&n->d);
    assert_int_equal(n->went_away, away + 1U);
    nic_up(n);
    assert_int_equal(n->went_live, 2);
    nic_free(n);
}

/* The control queue is behind the pairs that were negotiated. */
static void test_net_the_control_queue_follows_the_pairs(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 3);
    const uint8_t on = 1;

    want(n, AVPS_NET_F_CTRL_VQ);
    want(n, AVPS_NET_F_CTRL_RX);
    nic_start(n);
    assert_int_equal(n->net.control, 2);
    assert_int_equal(nic_ctrl(n, 0, 0, &on, 1), OK);
    test_driver_reset(&n->d);
    want(n, AVPS_NET_F_RSS);
    nic_up(n);
    assert_int_equal(n->net.control, 6);
    assert_int_equal(nic_ctrl(n, 0, 0, &on, 1), OK);
    test_driver_reset(&n->d);
    (void)memset(&n->d.want, 0, sizeof n->d.want);
    want(n, AVPS_F_VERSION_1);
    if (test_is_packed(state)) {
        want(n, AVPS_F_RING_PACKED);
    }
    nic_up(n);
    assert_int_equal(n->net.control, 0); /* none */
    struct test_request r = {.out = {{&on, 1}}, .in = {1}};
    (void)test_driver_send(&n->d, 2, &r);
    test_driver_kick(&n->d, 2);
    (void)test_driver_poll(&n->d);
    struct test_used used;
    assert_false(test_driver_reap(&n->d, 2, &used));
    nic_free(n);
}

/* ---- saved state ---- */

/* The driver's whole configuration, on a device with two pairs. */
static struct nic *configured(void **state)
{
    static const uint8_t tables[] = {1, 0, 0, 0, 2, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0, 94, 0, 0, 9};
    static const uint8_t mac[] = {2, 2, 2, 2, 2, 2};
    static const uint8_t vlan[] = {9, 0};
    static const uint8_t coal[] = {5, 0, 0, 0, 200, 0, 0, 0};
    static const uint8_t rss[] = {2, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 2, 0, 2, 9, 8};
    static const uint8_t tunnels[] = {0x10, 0, 0, 0};
    static const uint8_t offloads[8] = {2};
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 2);
    const uint8_t on = 1;

    n->config.offloads = 0x1fff;
    n->config.mtu = 1500;
    nic_init(n);
    test_driver_want_all(&n->d, test_is_packed(state));
    avps_features_remove(&n->d.want, AVPS_F_NOTIFICATION_DATA);
    nic_up(n);
    assert_int_equal(nic_ctrl(n, 0, 1, &on, 1), OK);
    assert_int_equal(nic_ctrl(n, 1, 0, tables, sizeof tables), OK);
    assert_int_equal(nic_ctrl(n, 1, 1, mac, 6), OK);
    assert_int_equal(nic_ctrl(n, 2, 0, vlan, 2), OK);
    assert_int_equal(nic_ctrl(n, 6, 1, coal, 8), OK);
    assert_int_equal(nic_ctrl(n, 7, 0, tunnels, 4), OK);
    assert_int_equal(nic_ctrl(n, 5, 0, offloads, 8), OK);
    assert_int_equal(nic_ctrl(n, 4, 1, rss, sizeof rss), OK);
    assert_int_equal(avps_net_announce(&n->net), AVPS_OK);
    return n;
}

static uint8_t saved[4096];

static size_t save(struct nic *n)
{
    size_t size = 0;

    (void)test_driver_ack(&n->d); /* the line belongs to the register file */
    assert_int_equal(avps_quiesce(&n->net.base), AVPS_OK);
    assert_int_equal(avps_save(&n->net.base, NULL, 0, &size), AVPS_OK);
    assert_true(size <= sizeof saved);
    size_t used = 0;
    assert_int_equal(avps_save(&n->net.base, saved, size, &used), AVPS_OK);
    assert_int_equal(used, size);
    assert_int_equal(avps_save(&n->net.base, saved, size - 1U, &used), AVPS_E_NOSPACE);
    assert_int_equal(avps_save(&n->net.base, saved, size, &used), AVPS_OK);
    return size;
}

/* A fresh device on the same memory, with the same configuration. */
static void rebirth(struct nic *n)
{
    struct avps_mmio *mmio = &n->d.mmio;

    assert_int_equal(avps_net_init(&n->net, &n->config), AVPS_OK);
    const struct avps_mmio_config config = {.device = &n->net.base,
                                            .irq = &test_port_irq,
                                            .irq_ctx = &n->d.port,
                                            .irq_line = TEST_PORT_LINE,
                                            .vendor_id = TEST_VENDOR};
    assert_int_equal(avps_mmio_init(mmio, &config), AVPS_OK);
}

static void test_net_state_survives_a_move(void **state)
{
    struct nic *n = configured(state);
    static struct avps_net before;
    struct nic_hdr hdr;

    nic_post_many(n, 0, 400, 3);
    nic_post_many(n, 1, 400, 3);
    frame_fill(frame, 60, avps_net_mac(&n->net), nic_peer, 1);
    assert_true(nic_give(n, frame, 60));
    assert_int_equal(nic_take(n, 1, &hdr, got), 60); /* unclassified */
    before = n->net;
    const size_t size = save(n);
    rebirth(n);
    assert_int_equal(avps_load(&n->net.base, saved, size), AVPS_OK);
    assert_memory_equal(&before.filter, &n->net.filter, sizeof before.filter);
    assert_memory_equal(&before.rss, &n->net.rss, sizeof before.rss);
    assert_memory_equal(before.mac, n->net.mac, 6);
    assert_int_equal(before.steering, n->net.steering);
    assert_int_equal(before.pairs_in_use, n->net.pairs_in_use);
    assert_int_equal(before.tunnels, n->net.tunnels);
    assert_int_equal(before.status, n->net.status);
    assert_int_equal(before.hash_wanted, n->net.hash_wanted);
    assert_int_equal(before.rx_kinds, n->net.rx_kinds);
    assert_int_equal(before.rx_csum, n->net.rx_csum);
    assert_int_equal(before.hdr_size, n->net.hdr_size);
    assert_int_equal(before.control, n->net.control);
    assert_int_equal(before.coal_owed, 1);
    assert_int_equal(n->net.coal_owed, 1);
    /* it goes on where it was, and the debt is paid in time */
    (void)test_driver_poll(&n->d);
    assert_int_equal(n->d.port.deadline_ns, n->d.port.now_ns + 200000U);
    n->d.port.now_ns += 200000U;
    (void)test_driver_poll(&n->d);
    assert_int_equal(avps_queue_counters(&n->net.base, 2)->interrupts, 1);
    assert_true(nic_give(n, frame, 60));
    assert_int_equal(nic_take(n, 1, &hdr, got), 60);
    assert_memory_equal(got, frame, 60);
    frame_fill(frame, 60, nic_peer, avps_net_mac(&n->net), 1);
    nic_send(n, 1, &plain, frame, 60);
    assert_int_equal(n->sent_count, 1);
    nic_free(n);
}

/* I28, CVE-2013-4149 class: every byte changed, every length: loaded or refused, never worse; what
 * is refused leaves a device that works. */
static void test_net_state_that_is_damaged_harms_nobody(void **state)
{
    struct nic *n = configured(state);
    const size_t size = save(n);
    static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    unsigned int refused = 0;

    for (size_t at = 0; at < size; at++) {
        const uint8_t good = saved[at];

        for (size_t i = 0; i < sizeof values; i++) {
            saved[at] = values[i];
            rebirth(n);
            if (avps_load(&n->net.base, saved, size) != AVPS_OK) {
                refused++;
                assert_int_equal(avps_device_status(&n->net.base), 0);
                continue;
            }
            assert_true(n->net.pairs_in_use >= 1U && n->net.pairs_in_use <= 2U);
            assert_true(n->net.rss.mask < AVPS_NET_RSS_TABLE && n->net.rss.unclassified < 2U);
            assert_true(n->net.filter.unicast_count <= AVPS_NET_MACS);
            assert_true(n->net.filter.multicast_count <= AVPS_NET_MACS);
            assert_true(n->net.rss.key_len <= 40U);
            assert_false(n->net.mac[0] & 1U);
            assert_int_equal(avps_reset(&n->net.base), AVPS_OK);
        }
        saved[at] = good;
    }
    for (size_t len = 0; len < size; len++) {
        rebirth(n);
        assert_int_equal(avps_load(&n->net.base, saved, len), AVPS_E_PARAM);
    }
    assert_int_not_equal(refused, 0);
    rebirth(n);
    assert_int_equal(avps_load(&n->net.base, saved, size), AVPS_OK);
    nic_free(n);
}

/* One wrong field at a time, at its place behind the queues. */
static void test_net_state_with_impossible_fields_is_refused(void **state)
{
    struct nic *n = configured(state);
    const size_t size = save(n);
    const size_t filter = 512; /* of the VLAN bits */
    /* from the end: mark, coalescing, key, key length, table, unclassified ... */
    const size_t coal = size - 4U - 3U * 26U;
    const size_t rss = coal - 40U - 1U - 4U - 2U - 2U - 4U - 4U - 2U - 1U;
    const struct {
        size_t at;
        uint8_t value;
    } bad[] = {
        {rss, 3},                           /* steering */
        {rss, 0},                           /* one pair, but two in use */
        {rss + 1, 0},                       /* pairs */
        {rss + 1, 3},                       /* pairs */
        {rss + 3 + 1, 2},                   /* tunnel types */
        {rss + 7 + 1, 2},                   /* hash types */
        {rss + 11, 2},                      /* mask */
        {rss + 12, 1},                      /* mask */
        {rss + 13, 2},                      /* unclassified */
        {rss + 15, 2},                      /* table */
        {rss + 19, 41},                     /* key length */
        {coal + 12, 2},                     /* owed */
        {rss - filter - 11 - 11 - 1, 0x40}, /* modes */
        {rss - filter - 11 - 11, 2},        /* all unicast */
        {rss - filter - 11 - 11 + 3, 1},    /* entries */
        {rss - filter - 11 - 11 + 5, 1},    /* a group among unicast */
        {rss - filter - 11 + 5, 2},         /* no group among multicast */
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const uint8_t good = saved[bad[i].at];

        saved[bad[i].at] = bad[i].value;
        rebirth(n);
        assert_int_equal(avps_load(&n->net.base, saved, size), AVPS_E_PARAM);
        saved[bad[i].at] = good;
    }
    rebirth(n);
    assert_int_equal(avps_load(&n->net.base, saved, size), AVPS_OK);
    nic_free(n);
}

/* Steering and coalescing that the driver's features do not allow. */
static void test_net_state_beyond_the_features_is_refused(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 2);

    want(n, AVPS_NET_F_CTRL_VQ);
    want(n, AVPS_NET_F_MQ);
    nic_start(n);
    const size_t size = save(n);
    const size_t coal = size - 4U - 3U * 26U;
    const size_t rss = coal - 40U - 1U - 2U - 2U - 2U - 4U - 4U - 2U - 1U;
    const size_t offloads = rss - 512U - 5U - 5U - 1U - 8U;
    const size_t at[] = {rss, coal, coal + 4U, coal + 12U, offloads};
    const uint8_t value[] = {2, 1, 1, 1, 2};

    for (size_t i = 0; i < 5U; i++) {
        saved[at[i]] ^= value[i];
        rebirth(n);
        assert_int_equal(avps_load(&n->net.base, saved, size), AVPS_E_PARAM);
        saved[at[i]] ^= value[i];
    }
    saved[rss] = 1; /* automatic, with two pairs */
    saved[rss + 1U] = 2;
    rebirth(n);
    assert_int_equal(avps_load(&n->net.base, saved, size), AVPS_OK);
    assert_int_equal(n->net.steering, AVPS_NET_STEER_AUTO);
    saved[rss + 1U] = 1; /* automatic needs two */
    rebirth(n);
    assert_int_equal(avps_load(&n->net.base, saved, size), AVPS_E_PARAM);
    nic_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_net_init_checks_its_configuration, NULL, NULL),
        TEST_BOTH(test_net_offers_what_the_configuration_can_serve, NULL, NULL),
        TEST_BOTH(test_net_without_control_queue_nothing_that_needs_it_is_offered, NULL, NULL),
        TEST_BOTH(test_net_features_come_with_what_they_need, NULL, NULL),
        TEST_BOTH(test_net_the_configuration_space_says_what_is_offered, NULL, NULL),
        TEST_BOTH(test_net_what_is_not_offered_reads_zero, NULL, NULL),
        TEST_BOTH(test_net_the_driver_cannot_write_the_configuration, NULL, NULL),
        TEST_BOTH(test_net_the_driver_is_told_about_the_link, NULL, NULL),
        TEST_BOTH(test_net_the_speed_changes_only_without_link, NULL, NULL),
        TEST_BOTH(test_net_the_back_end_hears_of_the_driver, NULL, NULL),
        TEST_BOTH(test_net_the_control_queue_follows_the_pairs, NULL, NULL),
        TEST_BOTH(test_net_state_survives_a_move, NULL, NULL),
        TEST_BOTH(test_net_state_that_is_damaged_harms_nobody, NULL, NULL),
        TEST_BOTH(test_net_state_with_impossible_fields_is_refused, NULL, NULL),
        TEST_BOTH(test_net_state_beyond_the_features_is_refused, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
