/* SPDX-License-Identifier: BSD-3-Clause */
/* Learning switch: two guests and two host ports; learning, flooding, filters, VLANs, rates,
 * offloads, memory contracts. */
#include "avps/switch.h"
#include "devices/test_net.h"

#define GUEST_A 0U
#define GUEST_B 1U
#define HOST_C  2U
#define HOST_D  3U
#define PORTS   4U
#define BOUNCE  4096U
#define TABLE   16U

static const uint8_t mac_a[6] = {0x52, 0, 0, 0, 0, 0x0a};
static const uint8_t mac_b[6] = {0x52, 0, 0, 0, 0, 0x0b};
static const uint8_t mac_c[6] = {0x52, 0, 0, 0, 0, 0x0c};
static const uint8_t mac_d[6] = {0x52, 0, 0, 0, 0, 0x0d};
static const uint8_t mac_x[6] = {0x52, 0, 0, 0, 0, 0x99};
static const struct nic_hdr plain = {0};

/* What a host port was given. */
struct host {
    uint8_t bytes[BOUNCE];
    uint32_t len;
    uint32_t count;
    struct avps_net_offload offload;
    enum avps_status nested; /* result of sending from deliver */
    bool send;
};

struct lan {
    struct avps_switch sw;
    struct avps_switch_config config;
    struct avps_switch_port ports[PORTS];
    struct avps_switch_entry table[TABLE];
    uint8_t bounce[2U * BOUNCE];
    struct nic *guest[2];
    struct host host[2];
    struct avps_switch_port_config port[PORTS]; /* change before lan_up */
};

static struct lan lan;
static uint8_t frame[BOUNCE];
static uint8_t got[NIC_BYTES];

static void host_deliver(void *ctx, const uint8_t *bytes, uint32_t len,
                         const struct avps_net_offload *offload)
{
    struct host *host = ctx;
    const struct avps_net_frame again = {.data = bytes, .data_len = len};

    assert_true(len <= BOUNCE);
    (void)memcpy(host->bytes, bytes, len);
    host->len = len;
    host->count++;
    host->offload = *offload;
    if (host->send) {
        host->nested = avps_switch_send(&lan.sw, HOST_C, &again, 1);
    }
}

static const struct avps_switch_host_ops host_ops = {.deliver = host_deliver};

/* Switch and devices, nothing connected: change lan.config before, lan.port after. */
static void lan_new_on(void **state, enum test_mem_kind kind)
{
    (void)memset(&lan, 0, sizeof lan);
    for (unsigned int i = 0; i < 2U; i++) {
        struct nic *n = nic_new_at(i, state, kind, 1);

        lan.guest[i] = n;
        n->config.ops = &avps_switch_net_ops;
        n->config.ctx = &lan.ports[i];
        (void)memcpy(n->config.mac, i == 0U ? mac_a : mac_b, 6);
        lan.port[i].net = &n->net;
        lan.port[2U + i].host = &host_ops;
        lan.port[2U + i].host_ctx = &lan.host[i];
    }
    lan.config = (struct avps_switch_config){.ports = lan.ports,
                                             .port_count = PORTS,
                                             .table = lan.table,
                                             .table_size = TABLE,
                                             .bounce = lan.bounce,
                                             .bounce_size = BOUNCE};
}

static void lan_new(void **state)
{
    lan_new_on(state, TEST_MEM_REGIONS);
}

static void lan_up(void)
{
    assert_int_equal(avps_switch_init(&lan.sw, &lan.config), AVPS_OK);
    for (unsigned int i = 0; i < 2U; i++) {
        nic_init(lan.guest[i]);
    }
    for (uint16_t i = 0; i < PORTS; i++) {
        assert_int_equal(avps_switch_connect(&lan.sw, i, &lan.port[i]), AVPS_OK);
    }
    for (unsigned int i = 0; i < 2U; i++) {
        nic_up(lan.guest[i]);
        nic_post_many(lan.guest[i], 0, 2000, 40);
    }
}

static void lan_free(void)
{
    nic_free(lan.guest[0]);
    nic_free(lan.guest[1]);
}

static const struct avps_switch_counters *counters(uint16_t port)
{
    return avps_switch_counters(&lan.sw, port);
}

static void from_guest(unsigned int guest, const uint8_t *dst, const uint8_t *src, uint8_t seed)
{
    frame_fill(frame, 100, dst, src, seed);
    nic_send(lan.guest[guest], 0, &plain, frame, 100);
}

static void from_host(uint16_t port, const uint8_t *dst, const uint8_t *src, uint8_t seed)
{
    const struct avps_net_frame f = {.data = frame, .data_len = 100};

    frame_fill(frame, 100, dst, src, seed);
    assert_int_equal(avps_switch_send(&lan.sw, port, &f, 1), AVPS_OK);
}

/* Which ports got the last frame, one bit each; what they got must be it. */
static unsigned int receivers(void)
{
    unsigned int ports = 0;
    struct nic_hdr hdr;

    for (unsigned int i = 0; i < 2U; i++) {
        if (nic_take(lan.guest[i], 0, &hdr, got) != 0U) {
            assert_memory_equal(got, frame, 100);
            assert_int_equal(hdr.flags, 0);
            ports |= 1U << i;
        }
        if (lan.host[i].len != 0U) {
            assert_int_equal(lan.host[i].len, 100);
            assert_memory_equal(lan.host[i].bytes, frame, 100);
            lan.host[i].len = 0;
            ports |= 4U << i;
        }
    }
    return ports;
}

#define A (1U << GUEST_A)
#define B (1U << GUEST_B)
#define C (1U << HOST_C)
#define D (1U << HOST_D)

/* ---- learning ---- */

/* [AVPS NET-4] */
static void test_switch_floods_what_it_does_not_know_and_learns(void **state)
{
    uint16_t port = 99;

    lan_new(state);
    lan_up();
    assert_int_equal(avps_switch_find(&lan.sw, mac_a, 0, &port), AVPS_EMPTY);
    from_guest(GUEST_A, mac_b, mac_a, 1);
    assert_int_equal(receivers(), B | C | D);
    assert_int_equal(avps_switch_find(&lan.sw, mac_a, 0, &port), AVPS_OK);
    assert_int_equal(port, GUEST_A);
    from_guest(GUEST_B, mac_a, mac_b, 2);
    assert_int_equal(receivers(), A);
    from_guest(GUEST_A, mac_b, mac_a, 3);
    assert_int_equal(receivers(), B);
    from_host(HOST_C, mac_a, mac_c, 4);
    assert_int_equal(receivers(), A);
    from_guest(GUEST_A, mac_c, mac_a, 5);
    assert_int_equal(receivers(), C);
    assert_int_equal(counters(GUEST_A)->in_frames, 3);
    assert_int_equal(counters(GUEST_A)->in_bytes, 300);
    assert_int_equal(counters(GUEST_A)->out_frames, 2);
    assert_int_equal(counters(GUEST_A)->out_bytes, 200);
    assert_int_equal(counters(GUEST_A)->flooded, 1);
    assert_int_equal(counters(HOST_C)->out_frames, 2);
    assert_null(avps_switch_counters(&lan.sw, PORTS));
    lan_free();
}

static void test_switch_floods_groups_and_broadcasts(void **state)
{
    lan_new(state);
    lan_up();
    from_guest(GUEST_A, nic_broadcast, mac_a, 1);
    assert_int_equal(receivers(), B | C | D);
    from_guest(GUEST_B, nic_group, mac_b, 2);
    assert_int_equal(receivers(), A | C | D);
    from_host(HOST_D, nic_broadcast, mac_d, 3);
    assert_int_equal(receivers(), A | B | C);
    lan_free();
}

static void test_switch_sends_nothing_back(void **state)
{
    lan_new(state);
    lan_up();
    from_guest(GUEST_A, mac_x, mac_a, 1);
    (void)receivers();
    from_guest(GUEST_A, mac_a, mac_x, 2); /* both are on one port */
    assert_int_equal(receivers(), 0);
    assert_int_equal(counters(GUEST_A)->unsent, 1);
    lan_free();
}

static void test_switch_follows_an_address_that_moves(void **state)
{
    uint16_t port = 0;

    lan_new(state);
    lan_up();
    from_guest(GUEST_A, nic_broadcast, mac_x, 1);
    (void)receivers();
    from_guest(GUEST_B, nic_broadcast, mac_x, 2);
    (void)receivers();
    assert_int_equal(avps_switch_find(&lan.sw, mac_x, 0, &port), AVPS_OK);
    assert_int_equal(port, GUEST_B);
    assert_int_equal(lan.ports[GUEST_A].learned, 0);
    assert_int_equal(lan.ports[GUEST_B].learned, 1);
    lan_free();
}

static void test_switch_forgets_what_it_has_not_seen(void **state)
{
    for (unsigned int clock = 0; clock < 2U; clock++) {
        uint16_t port = 0;

        lan_new(state);
        lan.config.age = 10;
        lan.config.port = clock != 0U ? &lan.guest[0]->d.port.port : NULL;
        lan_up();
        from_guest(GUEST_A, nic_broadcast, mac_a, 1);
        (void)receivers();
        for (unsigned int i = 0; i < 10U; i++) {
            lan.guest[0]->d.port.now_ns++;
            avps_switch_tick(&lan.sw);
        }
        assert_int_equal(avps_switch_find(&lan.sw, mac_a, 0, &port), AVPS_OK);
        lan.guest[0]->d.port.now_ns++;
        avps_switch_tick(&lan.sw);
        assert_int_equal(avps_switch_find(&lan.sw, mac_a, 0, &port), AVPS_EMPTY);
        from_guest(GUEST_B, mac_a, mac_b, 2);
        assert_int_equal(receivers(), A | C | D);
        from_guest(GUEST_A, nic_broadcast, mac_a, 3);
        (void)receivers();
        assert_int_equal(avps_switch_find(&lan.sw, mac_a, 0, &port), AVPS_OK);
        assert_int_equal(lan.ports[GUEST_A].learned, 1);
        lan_free();
    }
}

/* More addresses than entries: old ones go, nothing else happens. */
static void test_switch_a_full_table_forgets_the_oldest(void **state)
{
    uint8_t mac[6] = {0x52, 1, 0, 0, 0, 0};
    uint32_t known = 0;
    uint16_t port = 0;

    lan_new(state);
    lan_up();
    for (uint8_t i = 0; i < 100U; i++) {
        mac[5] = i;
        avps_switch_tick(&lan.sw);
        from_host(HOST_C, mac_x, mac, i);
        assert_int_equal(avps_switch_find(&lan.sw, mac, 0, &port), AVPS_OK);
        while (receivers() != 0U) {
        }
        if (i % 16U == 15U) {
            nic_post_many(lan.guest[0], 0, 2000, 16);
            nic_post_many(lan.guest[1], 0, 2000, 16);
        }
    }
    for (uint8_t i = 0; i < 100U; i++) {
        mac[5] = i;
        known += avps_switch_find(&lan.sw, mac, 0, &port) == AVPS_OK ? 1U : 0U;
    }
    assert_int_equal(known, TABLE);
    assert_int_equal(lan.ports[HOST_C].learned, TABLE);
    assert_int_equal(avps_switch_find(&lan.sw, mac, 0, &port), AVPS_OK); /* the newest */
    lan_free();
}

/* A guest that makes up addresses cannot push the others out. */
static void test_switch_a_port_may_have_a_limit_of_addresses(void **state)
{
    uint8_t mac[6] = {0x52, 1, 0, 0, 0, 0};
    uint16_t port = 0;

    lan_new(state);
    lan.port[GUEST_A].learn_max = 2;
    lan_up();
    for (uint8_t i = 0; i < 5U; i++) {
        mac[5] = i;
        from_guest(GUEST_A, nic_broadcast, mac, i);
        assert_int_equal(receivers(), B | C | D); /* its frames pass all the same */
    }
    assert_int_equal(lan.ports[GUEST_A].learned, 2);
    assert_int_equal(counters(GUEST_A)->not_learned, 3);
    assert_int_equal(avps_switch_find(&lan.sw, mac, 0, &port), AVPS_EMPTY);
    mac[5] = 1;
    assert_int_equal(avps_switch_find(&lan.sw, mac, 0, &port), AVPS_OK);
    lan_free();
}

static void test_switch_forgets_a_guest_that_is_reset(void **state)
{
    uint16_t port = 0;

    lan_new(state);
    lan_up();
    from_guest(GUEST_A, nic_broadcast, mac_a, 1);
    from_guest(GUEST_B, nic_broadcast, mac_b, 1);
    assert_int_equal(avps_switch_find(&lan.sw, mac_a, 0, &port), AVPS_OK);
    test_driver_reset(&lan.guest[0]->d);
    assert_int_equal(avps_switch_find(&lan.sw, mac_a, 0, &port), AVPS_EMPTY);
    assert_int_equal(avps_switch_find(&lan.sw, mac_b, 0, &port), AVPS_OK);
    assert_int_equal(lan.ports[GUEST_A].learned, 0);
    lan_free();
}

/* ---- what may come in ---- */

static void test_switch_drops_frames_without_a_station_as_source(void **state)
{
    static const uint8_t zero[6] = {0};

    lan_new(state);
    lan_up();
    from_guest(GUEST_A, mac_b, nic_group, 1);
    from_guest(GUEST_A, mac_b, nic_broadcast, 1);
    from_guest(GUEST_A, mac_b, zero, 1);
    assert_int_equal(receivers(), 0);
    assert_int_equal(counters(GUEST_A)->invalid, 3);
    assert_int_equal(counters(GUEST_A)->in_frames, 0);
    lan_free();
}

static void test_switch_keeps_reserved_addresses_on_their_link(void **state)
{
    uint8_t dst[6] = {0x01, 0x80, 0xc2, 0, 0, 0};

    lan_new(state);
    lan_up();
    for (uint8_t i = 0; i < 16U; i++) {
        dst[5] = i;
        from_guest(GUEST_A, dst, mac_a, 1);
        assert_int_equal(receivers(), 0);
    }
    assert_int_equal(counters(GUEST_A)->invalid, 16);
    dst[5] = 16;
    from_guest(GUEST_A, dst, mac_a, 1);
    assert_int_equal(receivers(), B | C | D);
    lan_free();
}

static void test_switch_a_port_sends_from_its_own_addresses_only(void **state)
{
    uint16_t port = 0;

    lan_new(state);
    lan.port[GUEST_A].macs = &mac_a;
    lan.port[GUEST_A].mac_count = 1;
    lan_up();
    from_guest(GUEST_A, nic_broadcast, mac_x, 1);
    assert_int_equal(receivers(), 0);
    assert_int_equal(counters(GUEST_A)->spoofed, 1);
    from_guest(GUEST_A, nic_broadcast, mac_a, 1);
    assert_int_equal(receivers(), B | C | D);
    from_guest(GUEST_B, nic_broadcast, mac_a, 1); /* and nobody else may use them */
    assert_int_equal(receivers(), 0);
    assert_int_equal(counters(GUEST_B)->spoofed, 1);
    assert_int_equal(avps_switch_find(&lan.sw, mac_a, 0, &port), AVPS_OK);
    assert_int_equal(port, GUEST_A);
    lan_free();
}

/* [AVPS NET-8] The same lists decide what address a guest may take. */
static void test_switch_is_the_policy_for_addresses(void **state)
{
    static const uint8_t allowed[2][6] = {{0x52, 0, 0, 0, 0, 0x0a}, {0x52, 0, 0, 0, 0, 0x1a}};

    lan_new(state);
    lan.port[GUEST_A].macs = allowed;
    lan.port[GUEST_A].mac_count = 2;
    for (unsigned int i = 0; i < 2U; i++) {
        want(lan.guest[i], AVPS_NET_F_CTRL_VQ);
        want(lan.guest[i], AVPS_NET_F_CTRL_MAC_ADDR);
    }
    lan_up();
    assert_int_equal(nic_ctrl(lan.guest[0], 1, 1, mac_x, 6), 1);
    assert_int_equal(nic_ctrl(lan.guest[0], 1, 1, allowed[1], 6), 0);
    assert_int_equal(nic_ctrl(lan.guest[1], 1, 1, allowed[1], 6), 1);
    assert_int_equal(nic_ctrl(lan.guest[1], 1, 1, mac_x, 6), 0);
    lan_free();
}

/* The guest flips the source address between two looks: what goes out is what was judged. */
static void test_switch_judges_and_sends_the_same_header(void **state)
{
    struct nic_hdr hdr;

    lan_new_on(state, TEST_MEM_COPY);
    lan.port[GUEST_A].macs = &mac_a;
    lan.port[GUEST_A].mac_count = 1;
    lan_up();
    frame_fill(frame, 100, mac_b, mac_a, 1);
    nic_queue(lan.guest[0], 0, &plain, frame, 100);
    test_mem_race(&lan.guest[0]->d.mem, lan.guest[0]->request.out_gpa[0] + 12U, 14);
    test_driver_kick(&lan.guest[0]->d, 1);
    (void)test_driver_poll(&lan.guest[0]->d);
    if (nic_take(lan.guest[1], 0, &hdr, got) != 0U) {
        assert_memory_equal(got + 6, mac_a, 6);
    } else {
        assert_int_equal(counters(GUEST_A)->in_frames, 0);
    }
    lan_free();
}

static void test_switch_holds_a_port_to_its_rate(void **state)
{
    lan_new(state);
    lan.config.port = &lan.guest[0]->d.port.port;
    lan.port[GUEST_A].rate = 1000000;
    lan.port[GUEST_A].burst = 250;
    lan_up();
    for (unsigned int i = 0; i < 3U; i++) {
        from_guest(GUEST_A, nic_broadcast, mac_a, 1);
        assert_int_equal(receivers(), i < 2U ? B | C | D : 0U);
    }
    assert_int_equal(counters(GUEST_A)->over_rate, 1);
    lan.guest[0]->d.port.now_ns += 49000; /* 49 bytes: 99 in all */
    from_guest(GUEST_A, nic_broadcast, mac_a, 1);
    assert_int_equal(receivers(), 0);
    lan.guest[0]->d.port.now_ns += 1000;
    from_guest(GUEST_A, nic_broadcast, mac_a, 1);
    assert_int_equal(receivers(), B | C | D);
    lan.guest[0]->d.port.now_ns += 5000000000ULL; /* no more than a burst is saved up */
    for (unsigned int i = 0; i < 3U; i++) {
        from_guest(GUEST_A, nic_broadcast, mac_a, 1);
        assert_int_equal(receivers(), i < 2U ? B | C | D : 0U);
    }
    from_guest(GUEST_B, nic_broadcast, mac_b, 1); /* others are not concerned */
    assert_int_equal(receivers(), A | C | D);
    lan_free();
}

/* ---- VLANs ---- */

static void put_tag(uint8_t *bytes, uint16_t tci)
{
    (void)memmove(bytes + 16, bytes + 12, 84);
    frame_put16(bytes + 12, 0x8100);
    frame_put16(bytes + 14, tci);
}

/* [AVPS NET-4] Two networks on one switch. */
static void test_switch_access_ports_of_one_vlan_see_each_other(void **state)
{
    lan_new(state);
    for (unsigned int i = 0; i < PORTS; i++) {
        lan.port[i].mode = AVPS_SWITCH_ACCESS;
        lan.port[i].vlan = i == GUEST_A || i == HOST_C ? 10 : 20;
    }
    lan_up();
    from_guest(GUEST_A, nic_broadcast, mac_a, 1);
    assert_int_equal(receivers(), C);
    from_guest(GUEST_B, nic_broadcast, mac_b, 1);
    assert_int_equal(receivers(), D);
    from_guest(GUEST_B, mac_a, mac_b, 1); /* known, but in another VLAN */
    assert_int_equal(receivers(), D);
    frame_fill(frame, 100, nic_broadcast, mac_a, 1);
    put_tag(frame, 20); /* a tag would be a way into it */
    nic_send(lan.guest[0], 0, &plain, frame, 100);
    assert_int_equal(receivers(), 0);
    assert_int_equal(counters(GUEST_A)->wrong_vlan, 1);
    lan_free();
}

static void test_switch_a_trunk_carries_tagged_frames(void **state)
{
    static const uint16_t vlans[] = {10, 30};
    struct nic_hdr hdr;

    lan_new(state);
    lan.port[GUEST_A].mode = AVPS_SWITCH_ACCESS;
    lan.port[GUEST_A].vlan = 10;
    lan.port[GUEST_B].mode = AVPS_SWITCH_TRUNK;
    lan.port[GUEST_B].vlans = vlans;
    lan.port[GUEST_B].vlan_count = 2;
    lan.port[HOST_C].mode = AVPS_SWITCH_TRUNK;
    lan.port[HOST_C].vlans = vlans;
    lan.port[HOST_C].vlan_count = 1;
    lan.port[HOST_C].vlan = 30;
    lan_up();
    from_guest(GUEST_A, nic_broadcast, mac_a, 1); /* gets a tag on the trunks */
    assert_int_equal(nic_take(lan.guest[1], 0, &hdr, got), 104);
    assert_memory_equal(got, frame, 12);
    assert_int_equal(got[12] << 8 | got[13], 0x8100);
    assert_int_equal(got[14] << 8 | got[15], 10);
    assert_memory_equal(got + 16, frame + 12, 88);
    assert_int_equal(lan.host[0].len, 104);
    assert_memory_equal(lan.host[0].bytes, got, 104);
    assert_int_equal(lan.host[1].len, 0); /* a plain port is apart */
    /* tagged in, untagged out */
    frame_fill(frame, 100, mac_a, mac_b, 2);
    put_tag(frame, 0xa000U | 10U);
    nic_send(lan.guest[1], 0, &plain, frame, 100);
    assert_int_equal(nic_take(lan.guest[0], 0, &hdr, got), 96);
    assert_memory_equal(got, frame, 12);
    assert_memory_equal(got + 12, frame + 16, 84);
    /* native VLAN of the other trunk: untagged there */
    frame_fill(frame, 100, nic_broadcast, mac_b, 2);
    put_tag(frame, 30);
    nic_send(lan.guest[1], 0, &plain, frame, 100);
    assert_int_equal(lan.host[0].len, 96);
    assert_memory_equal(lan.host[0].bytes + 12, frame + 16, 84);
    from_host(HOST_C, nic_broadcast, mac_c, 3); /* untagged: VLAN 30, so A does not get it */
    assert_int_equal(nic_take(lan.guest[0], 0, &hdr, got), 0);
    assert_int_equal(nic_take(lan.guest[1], 0, &hdr, got), 104);
    assert_int_equal(got[14] << 8 | got[15], 30);
    lan_free();
}

/* The priority bits go along. */
static void test_switch_keeps_the_priority_between_trunks(void **state)
{
    static const uint16_t vlans[] = {10};
    struct nic_hdr hdr;

    lan_new(state);
    for (unsigned int i = 0; i < 2U; i++) {
        lan.port[i].mode = AVPS_SWITCH_TRUNK;
        lan.port[i].vlans = vlans;
        lan.port[i].vlan_count = 1;
    }
    lan_up();
    frame_fill(frame, 100, nic_broadcast, mac_a, 2);
    put_tag(frame, 0xe000U | 10U);
    nic_send(lan.guest[0], 0, &plain, frame, 100);
    assert_int_equal(nic_take(lan.guest[1], 0, &hdr, got), 100);
    assert_memory_equal(got, frame, 100);
    lan_free();
}

static void test_switch_a_trunk_takes_only_its_own_vlans(void **state)
{
    static const uint16_t vlans[] = {10};

    lan_new(state);
    lan.port[GUEST_A].mode = AVPS_SWITCH_TRUNK;
    lan.port[GUEST_A].vlans = vlans;
    lan.port[GUEST_A].vlan_count = 1;
    lan.port[GUEST_B].mode = AVPS_SWITCH_ACCESS;
    lan.port[GUEST_B].vlan = 10;
    lan_up();
    frame_fill(frame, 100, nic_broadcast, mac_a, 2);
    put_tag(frame, 11);
    nic_send(lan.guest[0], 0, &plain, frame, 100);
    from_guest(GUEST_A, nic_broadcast, mac_a, 1); /* untagged without a native VLAN */
    frame_put16(frame + 12, 0x8100);
    frame_put16(frame + 14, 0);
    nic_send(lan.guest[0], 0, &plain, frame, 100); /* a priority alone */
    frame_put16(frame + 14, 10);
    nic_send(lan.guest[0], 0, &plain, frame, 17); /* a tag that is cut off */
    assert_int_equal(receivers(), 0);
    assert_int_equal(counters(GUEST_A)->wrong_vlan, 4);
    lan_free();
}

static void test_switch_a_priority_tag_on_an_access_port_is_taken_off(void **state)
{
    struct nic_hdr hdr;

    lan_new(state);
    for (unsigned int i = 0; i < 2U; i++) {
        lan.port[i].mode = AVPS_SWITCH_ACCESS;
        lan.port[i].vlan = 10;
    }
    lan_up();
    frame_fill(frame, 100, nic_broadcast, mac_a, 2);
    put_tag(frame, 0x6000);
    nic_send(lan.guest[0], 0, &plain, frame, 100);
    assert_int_equal(nic_take(lan.guest[1], 0, &hdr, got), 96);
    assert_memory_equal(got + 12, frame + 16, 84);
    lan_free();
}

static void test_switch_plain_ports_pass_tags_as_they_are(void **state)
{
    lan_new(state);
    lan_up();
    frame_fill(frame, 100, nic_broadcast, mac_a, 2);
    put_tag(frame, 77);
    nic_send(lan.guest[0], 0, &plain, frame, 100);
    assert_int_equal(receivers(), B | C | D);
    lan_free();
}

/* ---- offloads ---- */

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

static const struct nic_hdr partial = {
    .flags = AVPS_NET_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16};

/* A sends with a partial checksum: B takes it as it is, C gets it complete, D takes it too. */
static void test_switch_completes_checksums_for_those_that_cannot(void **state)
{
    struct nic_hdr hdr;

    lan_new(state);
    lan.guest[0]->config.offloads = AVPS_NET_TX_CSUM;
    lan.guest[1]->config.offloads = AVPS_NET_RX_CSUM;
    want(lan.guest[0], AVPS_NET_F_CSUM);
    want(lan.guest[1], AVPS_NET_F_GUEST_CSUM);
    lan.port[HOST_D].host_offloads = true;
    lan_up();
    frame_fill(frame, 100, nic_broadcast, mac_a, 2);
    nic_send(lan.guest[0], 0, &partial, frame, 100);
    assert_int_equal(nic_take(lan.guest[1], 0, &hdr, got), 100);
    assert_memory_equal(got, frame, 100);
    assert_int_equal(hdr.flags, AVPS_NET_NEEDS_CSUM);
    assert_int_equal(hdr.csum_start, 34);
    assert_int_equal(hdr.csum_offset, 16);
    assert_int_equal(lan.host[0].bytes[50] << 8 | lan.host[0].bytes[51],
                     0xffffU ^ folded(frame, 34, 100));
    assert_memory_equal(lan.host[0].bytes + 52, frame + 52, 48);
    assert_int_equal(lan.host[0].offload.flags, 0);
    assert_memory_equal(lan.host[1].bytes, frame, 100);
    assert_int_equal(lan.host[1].offload.flags, AVPS_NET_NEEDS_CSUM);
    assert_int_equal(lan.host[1].offload.csum_start, 34);
    /* a guest without GUEST_CSUM gets it complete as well */
    test_driver_reset(&lan.guest[1]->d);
    avps_features_remove(&lan.guest[1]->d.want, AVPS_NET_F_GUEST_CSUM);
    nic_up(lan.guest[1]);
    nic_post(lan.guest[1], 0, 200);
    nic_send(lan.guest[0], 0, &partial, frame, 100);
    assert_int_equal(nic_take(lan.guest[1], 0, &hdr, got), 100);
    assert_int_equal(hdr.flags, 0);
    assert_int_equal(got[50] << 8 | got[51], 0xffffU ^ folded(frame, 34, 100));
    lan_free();
}

/* A tag moves the offsets. */
static void test_switch_offsets_move_with_the_tag(void **state)
{
    static const uint16_t vlans[] = {10};
    struct nic_hdr hdr;

    lan_new(state);
    lan.guest[0]->config.offloads = AVPS_NET_TX_CSUM;
    lan.guest[1]->config.offloads = AVPS_NET_RX_CSUM;
    want(lan.guest[0], AVPS_NET_F_CSUM);
    want(lan.guest[1], AVPS_NET_F_GUEST_CSUM);
    lan.port[GUEST_A].mode = AVPS_SWITCH_ACCESS;
    lan.port[GUEST_A].vlan = 10;
    lan.port[GUEST_B].mode = AVPS_SWITCH_TRUNK;
    lan.port[GUEST_B].vlans = vlans;
    lan.port[GUEST_B].vlan_count = 1;
    lan.port[HOST_C] = lan.port[HOST_D];
    lan.port[HOST_C].host_ctx = &lan.host[0];
    lan.port[HOST_C].mode = AVPS_SWITCH_TRUNK;
    lan.port[HOST_C].vlans = vlans;
    lan.port[HOST_C].vlan_count = 1;
    lan_up();
    frame_fill(frame, 100, nic_broadcast, mac_a, 2);
    nic_send(lan.guest[0], 0, &partial, frame, 100);
    assert_int_equal(nic_take(lan.guest[1], 0, &hdr, got), 104);
    assert_int_equal(hdr.csum_start, 38);
    assert_int_equal(hdr.csum_offset, 16);
    assert_int_equal(lan.host[0].bytes[54] << 8 | lan.host[0].bytes[55],
                     0xffffU ^ folded(frame, 34, 100));
    lan_free();
}

static void test_switch_offsets_in_the_header_are_refused(void **state)
{
    const struct nic_hdr low = {.flags = AVPS_NET_NEEDS_CSUM, .csum_start = 13, .csum_offset = 16};

    lan_new(state);
    lan.guest[0]->config.offloads = AVPS_NET_TX_CSUM;
    want(lan.guest[0], AVPS_NET_F_CSUM);
    lan_up();
    frame_fill(frame, 100, nic_broadcast, mac_a, 2);
    nic_send(lan.guest[0], 0, &low, frame, 100);
    assert_int_equal(receivers(), 0);
    assert_int_equal(counters(GUEST_A)->invalid, 1);
    lan_free();
}

static void test_switch_large_frames_reach_those_that_take_them(void **state)
{
    const struct nic_hdr large = {.flags = AVPS_NET_NEEDS_CSUM,
                                  .gso_type = AVPS_NET_GSO_TCPV4,
                                  .hdr_len = 54,
                                  .gso_size = 500,
                                  .csum_start = 34,
                                  .csum_offset = 16};
    struct nic_hdr hdr;

    lan_new(state);
    lan.guest[0]->config.offloads = AVPS_NET_TX_CSUM | AVPS_NET_TX_TSO4;
    lan.guest[1]->config.offloads = AVPS_NET_RX_CSUM | AVPS_NET_RX_TSO4;
    want(lan.guest[0], AVPS_NET_F_CSUM);
    want(lan.guest[0], AVPS_NET_F_HOST_TSO4);
    want(lan.guest[1], AVPS_NET_F_GUEST_CSUM);
    want(lan.guest[1], AVPS_NET_F_GUEST_TSO4);
    lan.port[HOST_D].host_offloads = true;
    lan_up();
    frame_fill(frame, 1900, nic_broadcast, mac_a, 2);
    nic_send(lan.guest[0], 0, &large, frame, 1900);
    assert_int_equal(nic_take(lan.guest[1], 0, &hdr, got), 1900);
    assert_memory_equal(got, frame, 1900);
    assert_int_equal(hdr.gso_type, AVPS_NET_GSO_TCPV4);
    assert_int_equal(hdr.gso_size, 500);
    assert_int_equal(hdr.hdr_len, 54);
    assert_int_equal(lan.host[0].count, 0);
    assert_int_equal(counters(HOST_C)->no_offload, 1);
    assert_int_equal(lan.host[1].len, 1900);
    assert_int_equal(lan.host[1].offload.gso_type, AVPS_NET_GSO_TCPV4);
    assert_int_equal(lan.host[1].offload.hdr_len, 54);
    lan_free();
}

/* ---- memory and rings ---- */

static void test_switch_works_under_every_memory_contract(void **state)
{
    for (int kind = 0; kind < (int)TEST_MEM_KINDS; kind++) {
        lan_new_on(state, (enum test_mem_kind)kind);
        lan_up();
        from_guest(GUEST_A, mac_b, mac_a, 1);
        assert_int_equal(receivers(), B | C | D);
        from_guest(GUEST_B, mac_a, mac_b, 2);
        assert_int_equal(receivers(), A);
        from_host(HOST_C, nic_broadcast, mac_c, 3);
        assert_int_equal(receivers(), A | B | D);
        assert_int_equal(test_mem_live_maps(&lan.guest[0]->d.mem), 0);
        lan_free();
    }
}

static void test_switch_without_a_bounce_buffer_only_mapped_guests_send(void **state)
{
    lan_new_on(state, TEST_MEM_COPY);
    lan.config.bounce_size = 99;
    lan_up();
    from_guest(GUEST_A, mac_b, mac_a, 1);
    assert_int_equal(receivers(), 0);
    assert_int_equal(counters(GUEST_A)->no_bounce, 1);
    lan_free();
    lan_new(state);
    lan.config.bounce_size = 99;
    lan_up();
    from_guest(GUEST_A, mac_b, mac_a, 1);
    assert_int_equal(receivers(), B);
    assert_int_equal(counters(HOST_C)->no_bounce, 1);
    from_host(HOST_C, mac_a, mac_c, 1);
    assert_int_equal(counters(HOST_C)->no_bounce, 2);
    lan_free();
}

static void test_switch_memory_that_fails_drops_the_frame(void **state)
{
    unsigned int dropped = 0;

    for (unsigned int at = 4; at < 9U; at++) {
        lan_new_on(state, TEST_MEM_COPY);
        lan_up();
        frame_fill(frame, 100, mac_b, mac_a, 1);
        nic_queue(lan.guest[0], 0, &plain, frame, 100);
        test_driver_kick(&lan.guest[0]->d, 1);
        test_fail_at(&lan.guest[0]->d.mem.fail, at, AVPS_E_IO);
        (void)test_driver_poll(&lan.guest[0]->d);
        lan.guest[0]->d.mem.fail.at = 0;
        dropped += (unsigned int)(counters(GUEST_A)->no_bounce + counters(GUEST_A)->invalid);
        lan_free();
    }
    assert_int_equal(dropped, 2); /* the frame, and its header */
}

/* I32: the sender never waits for the receiver. */
static void test_switch_a_full_receiver_loses_the_frame(void **state)
{
    lan_new(state);
    lan_up();
    from_guest(GUEST_B, nic_broadcast, mac_b, 1);
    (void)receivers();
    test_driver_reset(&lan.guest[1]->d);
    nic_up(lan.guest[1]);
    from_guest(GUEST_B, nic_broadcast, mac_b, 1);
    (void)receivers();
    from_guest(GUEST_A, mac_b, mac_a, 1);
    assert_int_equal(receivers(), 0);
    assert_int_equal(counters(GUEST_B)->full, 1);
    nic_post(lan.guest[1], 0, 200);
    from_guest(GUEST_A, mac_b, mac_a, 2);
    assert_int_equal(receivers(), B);
    lan_free();
}

static void test_switch_a_burst_is_one_notification_per_receiver(void **state)
{
    struct nic_hdr hdr;

    lan_new(state);
    lan_up();
    for (uint8_t i = 0; i < 10U; i++) {
        frame_fill(frame, 100, nic_broadcast, mac_a, i);
        nic_queue(lan.guest[0], 0, &plain, frame, 100);
    }
    test_driver_kick(&lan.guest[0]->d, 1);
    (void)test_driver_poll(&lan.guest[0]->d);
    assert_int_equal(avps_queue_counters(&lan.guest[1]->net.base, 0)->interrupts, 1);
    for (uint8_t i = 0; i < 10U; i++) {
        frame_fill(frame, 100, nic_broadcast, mac_a, i);
        assert_int_equal(nic_take(lan.guest[1], 0, &hdr, got), 100);
        assert_memory_equal(got, frame, 100);
    }
    assert_int_equal(lan.host[0].count, 10);
    lan_free();
}

/* I35 */
static void test_switch_a_faulty_receiver_does_not_touch_the_others(void **state)
{
    lan_new(state);
    lan_up();
    test_driver_reset(&lan.guest[1]->d);
    nic_up(lan.guest[1]);
    nic_post(lan.guest[1], 0, 5); /* no room for a header */
    from_guest(GUEST_A, nic_broadcast, mac_a, 1);
    test_driver_assert_faulted(&lan.guest[1]->d);
    assert_int_equal(receivers(), C | D);
    from_guest(GUEST_A, nic_broadcast, mac_a, 2);
    assert_int_equal(receivers(), C | D);
    assert_int_equal(test_driver_get(&lan.guest[0]->d, TEST_STATUS), TEST_S_LIVE);
    lan_free();
}

/* ---- host ports ---- */

static void test_switch_a_host_port_cannot_send_from_deliver(void **state)
{
    lan_new(state);
    lan_up();
    lan.host[0].send = true;
    from_guest(GUEST_A, mac_c, mac_a, 1);
    assert_int_equal(lan.host[0].nested, AVPS_E_STATE);
    assert_int_equal(receivers(), B | C | D);
    lan_free();
}

static void test_switch_host_frames_may_come_in_pieces(void **state)
{
    lan_new(state);
    lan_up();
    frame_fill(frame, 100, mac_a, mac_c, 5);
    const struct avps_seg more[] = {{.ptr = frame + 20, .len = 30}, {.ptr = frame + 50, .len = 50}};
    const struct avps_net_frame f = {.data = frame, .data_len = 20, .more = more, .more_count = 2};
    assert_int_equal(avps_switch_send(&lan.sw, HOST_C, &f, 1), AVPS_OK);
    assert_int_equal(receivers(), A | B | D);
    lan_free();
}

static void test_switch_host_frames_are_checked(void **state)
{
    struct avps_net_frame f = {.data = frame, .data_len = 13};

    lan_new(state);
    lan_up();
    frame_fill(frame, 100, mac_a, mac_c, 5);
    assert_int_equal(avps_switch_send(&lan.sw, HOST_C, &f, 1), AVPS_OK);
    f.data_len = 100;
    f.offload.flags = 4;
    assert_int_equal(avps_switch_send(&lan.sw, HOST_C, &f, 1), AVPS_OK);
    assert_int_equal(counters(HOST_C)->invalid, 2);
    assert_int_equal(avps_switch_send(NULL, HOST_C, &f, 1), AVPS_E_PARAM);
    assert_int_equal(avps_switch_send(&lan.sw, HOST_C, NULL, 1), AVPS_E_PARAM);
    assert_int_equal(avps_switch_send(&lan.sw, PORTS, &f, 1), AVPS_E_PARAM);
    assert_int_equal(avps_switch_send(&lan.sw, GUEST_A, &f, 1), AVPS_E_PARAM);
    avps_switch_disconnect(&lan.sw, HOST_C);
    assert_int_equal(avps_switch_send(&lan.sw, HOST_C, &f, 1), AVPS_E_PARAM);
    lan_free();
}

/* ---- connection ---- */

static void test_switch_a_port_can_be_taken_off_and_used_again(void **state)
{
    uint16_t port = 0;

    lan_new(state);
    lan_up();
    from_guest(GUEST_B, nic_broadcast, mac_b, 1);
    (void)receivers();
    avps_switch_disconnect(&lan.sw, GUEST_B);
    avps_switch_disconnect(&lan.sw, PORTS);
    avps_switch_disconnect(NULL, 0);
    assert_int_equal(avps_switch_find(&lan.sw, mac_b, 0, &port), AVPS_EMPTY);
    from_guest(GUEST_A, nic_broadcast, mac_a, 1);
    assert_int_equal(receivers(), C | D);
    from_guest(GUEST_B, nic_broadcast, mac_b, 1);
    assert_int_equal(receivers(), 0);
    assert_int_equal(counters(GUEST_B)->nested, 1);
    assert_int_equal(avps_switch_connect(&lan.sw, GUEST_B, &lan.port[GUEST_B]), AVPS_OK);
    assert_int_equal(avps_switch_connect(&lan.sw, GUEST_B, &lan.port[GUEST_B]), AVPS_E_STATE);
    from_guest(GUEST_B, nic_broadcast, mac_b, 1);
    assert_int_equal(receivers(), A | C | D);
    lan_free();
}

static void test_switch_init_checks_its_configuration(void **state)
{
    lan_new(state);
    const struct avps_switch_config good = lan.config;

    assert_int_equal(avps_switch_init(NULL, &good), AVPS_E_PARAM);
    assert_int_equal(avps_switch_init(&lan.sw, NULL), AVPS_E_PARAM);
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        lan.config = good;                                                                         \
        change;                                                                                    \
        assert_int_equal(avps_switch_init(&lan.sw, &lan.config), AVPS_E_PARAM);                    \
    } while (false)
    REFUSED(lan.config.ports = NULL);
    REFUSED(lan.config.table = NULL);
    REFUSED(lan.config.port_count = 0);
    REFUSED(lan.config.port_count = 1025);
    REFUSED(lan.config.table_size = 2);
    REFUSED(lan.config.table_size = 12);
    REFUSED(lan.config.table_size = 0x20000);
    REFUSED(lan.config.bounce = NULL);
    REFUSED(lan.config.bounce_size = 0);
#undef REFUSED
    lan.config = good;
    lan_up();
    lan_free();
}

static void test_switch_connect_checks_its_configuration(void **state)
{
    static const uint16_t vlans[] = {1, 4095};
    static const uint16_t zero[] = {0};

    lan_new(state);
    assert_int_equal(avps_switch_init(&lan.sw, &lan.config), AVPS_OK);
    nic_init(lan.guest[0]);
    nic_init(lan.guest[1]);
    const struct avps_switch_port_config net = lan.port[GUEST_A];
    const struct avps_switch_port_config host = lan.port[HOST_C];
    struct avps_switch_port_config bad = net;
    static const struct avps_switch_host_ops none = {NULL};

#define REFUSED(base, change)                                                                      \
    do {                                                                                           \
        bad = base;                                                                                \
        change;                                                                                    \
        assert_int_equal(avps_switch_connect(&lan.sw, GUEST_A, &bad), AVPS_E_PARAM);               \
    } while (false)
    assert_int_equal(avps_switch_connect(NULL, 0, &net), AVPS_E_PARAM);
    assert_int_equal(avps_switch_connect(&lan.sw, 0, NULL), AVPS_E_PARAM);
    assert_int_equal(avps_switch_connect(&lan.sw, PORTS, &net), AVPS_E_PARAM);
    REFUSED(net, bad.host = &host_ops);
    REFUSED(net, bad.net = &lan.guest[1]->net); /* its back end is another port */
    REFUSED(host, bad.host = NULL);
    REFUSED(host, bad.host = &none);
    REFUSED(net, bad.mac_count = 1);
    REFUSED(net, bad.macs = &nic_group; bad.mac_count = 1);
    REFUSED(net, bad.vlan = 1);
    REFUSED(net, bad.vlan_count = 1);
    REFUSED(net, bad.mode = AVPS_SWITCH_ACCESS);
    REFUSED(net, bad.mode = AVPS_SWITCH_ACCESS; bad.vlan = 4095);
    REFUSED(net, bad.mode = AVPS_SWITCH_ACCESS; bad.vlan = 1; bad.vlan_count = 1);
    REFUSED(net, bad.mode = AVPS_SWITCH_TRUNK; bad.vlan = 4095);
    REFUSED(net, bad.mode = AVPS_SWITCH_TRUNK; bad.vlan_count = 1);
    REFUSED(net, bad.mode = AVPS_SWITCH_TRUNK; bad.vlans = vlans; bad.vlan_count = 2);
    REFUSED(net, bad.mode = AVPS_SWITCH_TRUNK; bad.vlans = zero; bad.vlan_count = 1);
    REFUSED(net, bad.mode = (enum avps_switch_mode)3);
    REFUSED(net, bad.rate = 1; bad.burst = 1); /* no clock */
#undef REFUSED
    lan.config.port = &lan.guest[0]->d.port.port;
    assert_int_equal(avps_switch_init(&lan.sw, &lan.config), AVPS_OK);
    bad = net;
    bad.rate = 1; /* no burst */
    assert_int_equal(avps_switch_connect(&lan.sw, GUEST_A, &bad), AVPS_E_PARAM);
    lan.config.bounce = NULL;
    lan.config.bounce_size = 0;
    assert_int_equal(avps_switch_init(&lan.sw, &lan.config), AVPS_OK);
    assert_int_equal(avps_switch_connect(&lan.sw, HOST_C, &host), AVPS_E_PARAM);
    lan_free();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_switch_floods_what_it_does_not_know_and_learns, NULL, NULL),
        TEST_BOTH(test_switch_floods_groups_and_broadcasts, NULL, NULL),
        TEST_BOTH(test_switch_sends_nothing_back, NULL, NULL),
        TEST_BOTH(test_switch_follows_an_address_that_moves, NULL, NULL),
        TEST_BOTH(test_switch_forgets_what_it_has_not_seen, NULL, NULL),
        TEST_BOTH(test_switch_a_full_table_forgets_the_oldest, NULL, NULL),
        TEST_BOTH(test_switch_a_port_may_have_a_limit_of_addresses, NULL, NULL),
        TEST_BOTH(test_switch_forgets_a_guest_that_is_reset, NULL, NULL),
        TEST_BOTH(test_switch_drops_frames_without_a_station_as_source, NULL, NULL),
        TEST_BOTH(test_switch_keeps_reserved_addresses_on_their_link, NULL, NULL),
        TEST_BOTH(test_switch_a_port_sends_from_its_own_addresses_only, NULL, NULL),
        TEST_BOTH(test_switch_is_the_policy_for_addresses, NULL, NULL),
        TEST_BOTH(test_switch_judges_and_sends_the_same_header, NULL, NULL),
        TEST_BOTH(test_switch_holds_a_port_to_its_rate, NULL, NULL),
        TEST_BOTH(test_switch_access_ports_of_one_vlan_see_each_other, NULL, NULL),
        TEST_BOTH(test_switch_a_trunk_carries_tagged_frames, NULL, NULL),
        TEST_BOTH(test_switch_keeps_the_priority_between_trunks, NULL, NULL),
        TEST_BOTH(test_switch_a_trunk_takes_only_its_own_vlans, NULL, NULL),
        TEST_BOTH(test_switch_a_priority_tag_on_an_access_port_is_taken_off, NULL, NULL),
        TEST_BOTH(test_switch_plain_ports_pass_tags_as_they_are, NULL, NULL),
        TEST_BOTH(test_switch_completes_checksums_for_those_that_cannot, NULL, NULL),
        TEST_BOTH(test_switch_offsets_move_with_the_tag, NULL, NULL),
        TEST_BOTH(test_switch_offsets_in_the_header_are_refused, NULL, NULL),
        TEST_BOTH(test_switch_large_frames_reach_those_that_take_them, NULL, NULL),
        TEST_BOTH(test_switch_works_under_every_memory_contract, NULL, NULL),
        TEST_BOTH(test_switch_without_a_bounce_buffer_only_mapped_guests_send, NULL, NULL),
        TEST_BOTH(test_switch_memory_that_fails_drops_the_frame, NULL, NULL),
        TEST_BOTH(test_switch_a_full_receiver_loses_the_frame, NULL, NULL),
        TEST_BOTH(test_switch_a_burst_is_one_notification_per_receiver, NULL, NULL),
        TEST_BOTH(test_switch_a_faulty_receiver_does_not_touch_the_others, NULL, NULL),
        TEST_BOTH(test_switch_a_host_port_cannot_send_from_deliver, NULL, NULL),
        TEST_BOTH(test_switch_host_frames_may_come_in_pieces, NULL, NULL),
        TEST_BOTH(test_switch_host_frames_are_checked, NULL, NULL),
        TEST_BOTH(test_switch_a_port_can_be_taken_off_and_used_again, NULL, NULL),
        TEST_BOTH(test_switch_init_checks_its_configuration, NULL, NULL),
        TEST_BOTH(test_switch_connect_checks_its_configuration, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
