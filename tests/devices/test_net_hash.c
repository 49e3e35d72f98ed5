/* SPDX-License-Identifier: BSD-3-Clause */
/* Network device, hashes: the published Toeplitz vectors, every hash type, tunnels, headers that do
 * not parse. The hash is read from the receive header (HASH_REPORT). */
#include "devices/net_internal.h"
#include "devices/test_net.h"

#define IPV4    0x001U
#define TCPV4   0x002U
#define UDPV4   0x004U
#define IPV6    0x008U
#define TCPV6   0x010U
#define UDPV6   0x020U
#define IP_EX   0x040U
#define TCP_EX  0x080U
#define UDP_EX  0x100U
#define ALL     0x1ffU
#define NO_HASH 0U

static const uint8_t key[40] = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
                                0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
                                0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
                                0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

/* Source and destination as they are published, hash of the addresses, hash with the ports. */
struct vector {
    uint8_t src[16];
    uint8_t dst[16];
    uint16_t src_port;
    uint16_t dst_port;
    uint32_t ip;
    uint32_t tcp;
};

static const struct vector v4[] = {
    {{66, 9, 149, 187}, {161, 142, 100, 80}, 2794, 1766, 0x323e8fc2, 0x51ccc178},
    {{199, 92, 111, 2}, {65, 69, 140, 83}, 14230, 4739, 0xd718262a, 0xc626b0ea},
    {{24, 19, 198, 95}, {12, 22, 207, 184}, 12898, 38024, 0xd2d0a5de, 0x5c2b394a},
    {{38, 27, 205, 30}, {209, 142, 163, 6}, 48228, 2217, 0x82989176, 0xafc7327f},
    {{153, 39, 163, 191}, {202, 188, 127, 2}, 44251, 1303, 0x5d1809c5, 0x10e828a2},
};

static const struct vector v6[] = {
    {{0x3f, 0xfe, 0x25, 0x01, 0x02, 0, 0x1f, 0xff, 0, 0, 0, 0, 0, 0, 0, 7},
     {0x3f, 0xfe, 0x25, 0x01, 0x02, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1},
     2794,
     1766,
     0x2cc18cd5,
     0x40207d3d},
    {{0x3f, 0xfe, 0x05, 0x01, 0, 8, 0, 0, 0x02, 0x60, 0x97, 0xff, 0xfe, 0x40, 0xef, 0xab},
     {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1},
     14230,
     4739,
     0x0f0c461c,
     0xdde51bbf},
    {{0x3f, 0xfe, 0x19, 0, 0x45, 0x45, 0, 3, 0x02, 0, 0xf8, 0xff, 0xfe, 0x21, 0x67, 0xcf},
     {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0x02, 0, 0xf8, 0xff, 0xfe, 0x21, 0x67, 0xcf},
     44251,
     38024,
     0x4b61e985,
     0x02d1feef},
};

/* ---- packets ---- */

static uint8_t packet[600];
static uint32_t packet_len;

static void add(const void *bytes, uint32_t len)
{
    (void)memcpy(packet + packet_len, bytes, len);
    packet_len += len;
}

static void add16(uint16_t value)
{
    frame_put16(packet + packet_len, value);
    packet_len += 2U;
}

static void add_ethernet(uint16_t type)
{
    add(nic_mac, 6);
    add(nic_peer, 6);
    add16(type);
}

static void begin(uint16_t type)
{
    (void)memset(packet, 0, sizeof packet);
    packet_len = 0;
    add_ethernet(type);
}

static void add_ipv4(const struct vector *v, uint8_t proto, uint16_t fragment)
{
    uint8_t header[20] = {0x45, 0, 0, 0, 0, 0, 0, 0, 64, proto};

    frame_put16(header + 6, fragment);
    (void)memcpy(header + 12, v->src, 4);
    (void)memcpy(header + 16, v->dst, 4);
    add(header, 20);
}

static void add_ipv6(const struct vector *v, uint8_t proto)
{
    uint8_t header[40] = {0x60, 0, 0, 0, 0, 0, proto, 64};

    (void)memcpy(header + 8, v->src, 16);
    (void)memcpy(header + 24, v->dst, 16);
    add(header, 40);
}

/* A transport header of 20 bytes. */
static void add_ports(const struct vector *v)
{
    const uint8_t rest[16] = {0};

    add16(v->src_port);
    add16(v->dst_port);
    add(rest, 16);
}

static void tcp4(const struct vector *v)
{
    begin(0x0800);
    add_ipv4(v, 6, 0x4000); /* do not fragment */
    add_ports(v);
}

/* ---- device ---- */

static uint8_t configure(struct nic *n, uint32_t types)
{
    uint8_t data[13 + 40] = {0};

    data[0] = (uint8_t)types;
    data[1] = (uint8_t)(types >> 8);
    data[12] = 40;
    (void)memcpy(data + 13, key, 40);
    return nic_ctrl(n, 4, 2, data, sizeof data);
}

static struct nic *hash_start(void **state, uint32_t types)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    n->d.size = 128;
    want(n, AVPS_NET_F_CTRL_VQ);
    want(n, AVPS_NET_F_HASH_REPORT);
    want(n, AVPS_NET_F_HASH_TUNNEL);
    nic_start(n);
    nic_post_many(n, 0, 700, 100);
    assert_int_equal(configure(n, types), 0);
    return n;
}

/* The packet's hash as the driver sees it. */
static void expect_hash(struct nic *n, uint16_t report, uint32_t value)
{
    static uint8_t got[700];
    struct nic_hdr hdr;

    assert_true(nic_give(n, packet, packet_len));
    assert_int_equal(nic_take(n, 0, &hdr, got), packet_len);
    assert_memory_equal(got, packet, packet_len);
    assert_int_equal(hdr.report, report);
    assert_int_equal(hdr.hash, value);
    assert_int_equal(hdr.num_buffers, 1);
}

/* ---- vectors ---- */

static void test_net_hash_the_published_vectors_come_out(void **state)
{
    uint8_t input[36];

    (void)state;
    for (size_t i = 0; i < sizeof v4 / sizeof v4[0]; i++) {
        (void)memcpy(input, v4[i].src, 4);
        (void)memcpy(input + 4, v4[i].dst, 4);
        frame_put16(input + 8, v4[i].src_port);
        frame_put16(input + 10, v4[i].dst_port);
        assert_int_equal(avps_net_toeplitz(key, 40, input, 8), v4[i].ip);
        assert_int_equal(avps_net_toeplitz(key, 40, input, 12), v4[i].tcp);
    }
    for (size_t i = 0; i < sizeof v6 / sizeof v6[0]; i++) {
        (void)memcpy(input, v6[i].src, 16);
        (void)memcpy(input + 16, v6[i].dst, 16);
        frame_put16(input + 32, v6[i].src_port);
        frame_put16(input + 34, v6[i].dst_port);
        assert_int_equal(avps_net_toeplitz(key, 40, input, 32), v6[i].ip);
        assert_int_equal(avps_net_toeplitz(key, 40, input, 36), v6[i].tcp);
    }
}

static void test_net_hash_a_short_key_goes_on_with_zeroes(void **state)
{
    const uint8_t ones[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                              0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    uint8_t padded[40] = {0};

    (void)state;
    assert_int_equal(avps_net_toeplitz(key, 0, ones, 16), 0);
    for (uint32_t len = 1; len <= 40U; len++) {
        (void)memset(padded, 0, sizeof padded);
        (void)memcpy(padded, key, len);
        assert_int_equal(avps_net_toeplitz(key, len, ones, 16),
                         avps_net_toeplitz(padded, 40, ones, 16));
    }
}

/* [net-x12] [net-x25] */
static void test_net_hash_is_reported_for_ipv4(void **state)
{
    struct nic *n = hash_start(state, ALL);

    for (size_t i = 0; i < sizeof v4 / sizeof v4[0]; i++) {
        tcp4(&v4[i]);
        expect_hash(n, 2, v4[i].tcp);
        begin(0x0800);
        add_ipv4(&v4[i], 17, 0);
        add_ports(&v4[i]);
        expect_hash(n, 3, v4[i].tcp);
        begin(0x0800);
        add_ipv4(&v4[i], 1, 0);
        add_ports(&v4[i]);
        expect_hash(n, 1, v4[i].ip);
    }
    nic_free(n);
}

static void test_net_hash_is_reported_for_ipv6(void **state)
{
    struct nic *n = hash_start(state, ALL);

    for (size_t i = 0; i < sizeof v6 / sizeof v6[0]; i++) {
        begin(0x86dd);
        add_ipv6(&v6[i], 6);
        add_ports(&v6[i]);
        expect_hash(n, 5, v6[i].tcp);
        begin(0x86dd);
        add_ipv6(&v6[i], 17);
        add_ports(&v6[i]);
        expect_hash(n, 6, v6[i].tcp);
        begin(0x86dd);
        add_ipv6(&v6[i], 58);
        add_ports(&v6[i]);
        expect_hash(n, 4, v6[i].ip);
    }
    nic_free(n);
}

/* ---- types ---- */

static void test_net_hash_only_enabled_types_count(void **state)
{
    struct nic *n = hash_start(state, 0);

    tcp4(&v4[0]);
    expect_hash(n, 0, NO_HASH);
    assert_int_equal(configure(n, UDPV4), 0);
    expect_hash(n, 0, NO_HASH);
    assert_int_equal(configure(n, UDPV4 | IPV4), 0);
    expect_hash(n, 1, v4[0].ip);
    assert_int_equal(configure(n, TCPV4), 0);
    expect_hash(n, 2, v4[0].tcp);
    assert_int_equal(configure(n, TCPV6 | IPV6 | UDPV6), 0);
    expect_hash(n, 0, NO_HASH);
    begin(0x86dd);
    add_ipv6(&v6[0], 17);
    add_ports(&v6[0]);
    assert_int_equal(configure(n, TCPV6 | IPV6), 0);
    expect_hash(n, 4, v6[0].ip);
    assert_int_equal(configure(n, TCPV6), 0);
    expect_hash(n, 0, NO_HASH);
    nic_free(n);
}

static void test_net_hash_parameters_are_checked(void **state)
{
    struct nic *n = hash_start(state, TCPV4);
    uint8_t data[13 + 41] = {0};

    assert_int_equal(configure(n, 0x200), 1);
    data[0] = TCPV4;
    for (uint32_t i = 4; i < 12U; i++) {
        data[i] = 1; /* [net-x26] */
        assert_int_equal(nic_ctrl(n, 4, 2, data, sizeof data), 1);
        data[i] = 0;
    }
    data[12] = 41;
    assert_int_equal(nic_ctrl(n, 4, 2, data, sizeof data), 1);
    tcp4(&v4[0]);
    expect_hash(n, 2, v4[0].tcp); /* the old parameters are in force */
    data[12] = 0;
    assert_int_equal(nic_ctrl(n, 4, 2, data, 13), 0);
    expect_hash(n, 2, 0); /* no key: all zeroes */
    nic_free(n);
}

static void test_net_hash_is_off_after_a_reset(void **state)
{
    struct nic *n = hash_start(state, ALL);

    tcp4(&v4[0]);
    expect_hash(n, 2, v4[0].tcp);
    test_driver_reset(&n->d);
    nic_up(n);
    nic_post(n, 0, 700);
    expect_hash(n, 0, NO_HASH);
    nic_free(n);
}

/* ---- headers ---- */

static void test_net_hash_looks_behind_vlan_tags(void **state)
{
    struct nic *n = hash_start(state, ALL);

    begin(0x88a8);
    add16(5);
    add16(0x8100);
    add16(6);
    add16(0x0800);
    add_ipv4(&v4[1], 6, 0);
    add_ports(&v4[1]);
    expect_hash(n, 2, v4[1].tcp);
    begin(0x8100);
    add16(5);
    add16(0x8100);
    add16(6);
    add16(0x8100); /* a third tag is too much */
    add16(7);
    add16(0x0800);
    add_ipv4(&v4[1], 6, 0);
    add_ports(&v4[1]);
    expect_hash(n, 0, NO_HASH);
    nic_free(n);
}

static void test_net_hash_of_a_fragment_has_no_ports(void **state)
{
    struct nic *n = hash_start(state, ALL);

    begin(0x0800);
    add_ipv4(&v4[0], 6, 0x2000); /* more fragments */
    add_ports(&v4[0]);
    expect_hash(n, 1, v4[0].ip);
    begin(0x0800);
    add_ipv4(&v4[0], 17, 0x0010);
    add_ports(&v4[0]);
    expect_hash(n, 1, v4[0].ip);
    begin(0x86dd);
    add_ipv6(&v6[0], 44);
    const uint8_t fragment[8] = {6, 0, 0, 1};
    add(fragment, 8);
    add_ports(&v6[0]);
    expect_hash(n, 7, v6[0].ip);
    begin(0x86dd);
    add_ipv6(&v6[0], 44);
    const uint8_t whole[8] = {6, 0, 0, 0}; /* an atomic fragment is no fragment */
    add(whole, 8);
    add_ports(&v6[0]);
    expect_hash(n, 8, v6[0].tcp);
    nic_free(n);
}

static void test_net_hash_honours_ipv4_options(void **state)
{
    struct nic *n = hash_start(state, ALL);
    const uint8_t options[8] = {1, 1, 1, 1, 1, 1, 1, 0};

    begin(0x0800);
    add_ipv4(&v4[2], 6, 0);
    packet[14] = 0x47;
    add(options, 8);
    add_ports(&v4[2]);
    expect_hash(n, 2, v4[2].tcp);
    packet[14] = 0x44; /* a header shorter than a header */
    expect_hash(n, 0, NO_HASH);
    packet[14] = 0x57; /* not version 4 */
    expect_hash(n, 0, NO_HASH);
    nic_free(n);
}

/* Extension headers: hop-by-hop, destination options with a home address, routing type 2. */
static void add_extensions(const struct vector *home)
{
    const uint8_t hop[8] = {60, 0};
    uint8_t options[24] = {43, 2, 0, 1, 0, 0, 0xc9, 16}; /* padding 1, padding 2, home address */
    uint8_t routing[24] = {6, 2, 2, 1};

    options[2] = 0;
    options[3] = 0; /* two bytes of padding, one by one */
    options[4] = 1;
    options[5] = 0; /* a padding option without data */
    (void)memcpy(options + 8, home->src, 16);
    (void)memcpy(routing + 8, home->dst, 16);
    add(hop, 8);
    add(options, 24);
    add(routing, 24);
}

static void test_net_hash_with_extension_headers_takes_the_home_address(void **state)
{
    struct nic *n = hash_start(state, ALL);

    begin(0x86dd);
    add_ipv6(&v6[0], 0);
    add_extensions(&v6[1]);
    add_ports(&v6[1]);
    expect_hash(n, 8, v6[1].tcp);
    assert_int_equal(configure(n, IP_EX | TCPV6), 0);
    expect_hash(n, 7, v6[1].ip);
    nic_free(n);
}

/* Without the types for extension headers the plain ones are used, on the plain addresses. */
static void test_net_hash_may_skip_extension_headers(void **state)
{
    struct nic *n = hash_start(state, TCPV6 | IPV6);

    begin(0x86dd);
    add_ipv6(&v6[1], 0);
    add_extensions(&v6[0]);
    add_ports(&v6[1]);
    expect_hash(n, 5, v6[1].tcp);
    assert_int_equal(configure(n, IPV6), 0);
    expect_hash(n, 4, v6[1].ip);
    assert_int_equal(configure(n, UDP_EX), 0);
    expect_hash(n, 0, NO_HASH);
    nic_free(n);
}

static void test_net_hash_of_udp_behind_extension_headers(void **state)
{
    struct nic *n = hash_start(state, UDP_EX);
    const uint8_t auth[12] = {17, 1};

    begin(0x86dd);
    add_ipv6(&v6[2], 51);
    add(auth, 12);
    add_ports(&v6[2]);
    expect_hash(n, 9, v6[2].tcp);
    nic_free(n);
}

/* The walk is bounded: what lies behind too many headers is not looked at. */
static void test_net_hash_follows_a_bounded_number_of_headers(void **state)
{
    struct nic *n = hash_start(state, ALL);
    uint8_t hop[8] = {0};

    for (unsigned int count = 7; count <= 9U; count++) {
        begin(0x86dd);
        add_ipv6(&v6[0], 0);
        for (unsigned int i = 0; i < count; i++) {
            hop[0] = i + 1U == count ? 6 : 0;
            add(hop, 8);
        }
        add_ports(&v6[0]);
        expect_hash(n, count <= 8U ? 8 : 7, count <= 8U ? v6[0].tcp : v6[0].ip);
    }
    nic_free(n);
}

static void test_net_hash_of_malformed_extension_headers_ends_there(void **state)
{
    struct nic *n = hash_start(state, ALL);
    uint8_t options[16] = {6, 1, 0xc9, 15}; /* a home address must have 16 bytes */

    begin(0x86dd);
    add_ipv6(&v6[0], 60);
    add(options, 16);
    add_ports(&v6[0]);
    expect_hash(n, 8, v6[0].tcp);
    options[2] = 5; /* an option that runs over the end */
    options[3] = 200;
    (void)memcpy(packet + 54, options, 16);
    expect_hash(n, 8, v6[0].tcp);
    options[2] = 0;
    options[3] = 1; /* padding up to a type without length in the last byte */
    options[4] = 11;
    options[15] = 9;
    (void)memcpy(packet + 54, options, 16);
    packet[54 + 5] = 0;
    expect_hash(n, 8, v6[0].tcp);
    packet[54 + 1] = 250; /* longer than the packet */
    expect_hash(n, 7, v6[0].ip);
    packet_len = 54 + 4; /* cut in the header */
    expect_hash(n, 7, v6[0].ip);
    packet[14] = 0x50; /* not version 6 */
    expect_hash(n, 0, NO_HASH);
    nic_free(n);
}

/* Every cut of a packet: a hash only of what is there. */
static void test_net_hash_of_a_packet_that_is_cut(void **state)
{
    struct nic *n = hash_start(state, ALL);

    for (uint32_t len = 14; len <= 60U; len++) {
        tcp4(&v4[3]);
        packet_len = len < 54U ? len : 54U;
        if (len < 34U) {
            expect_hash(n, 0, NO_HASH);
        } else {
            expect_hash(n, len < 38U ? 1 : 2, len < 38U ? v4[3].ip : v4[3].tcp);
        }
    }
    begin(0x86dd);
    add_ipv6(&v6[0], 6);
    packet_len--;
    expect_hash(n, 0, NO_HASH);
    begin(0x0806);
    add_ports(&v4[0]);
    expect_hash(n, 0, NO_HASH);
    nic_free(n);
}

static void test_net_hash_is_the_same_in_pieces(void **state)
{
    struct nic *n = hash_start(state, ALL);
    static uint8_t copy[600];
    static uint8_t got[700];
    struct nic_hdr hdr;
    uint32_t taken = 0;

    tcp4(&v4[4]);
    (void)memcpy(copy, packet, sizeof copy);
    const struct avps_seg more[] = {{.ptr = copy, .len = 20},
                                    {.ptr = copy + 20, .len = 16},
                                    {.ptr = copy + 36, .len = packet_len - 36U}};
    const struct avps_net_frame pieces = {
        .data = packet, .data_len = 14, .more = more, .more_count = 3, .more_skip = 14};
    assert_int_equal(avps_net_receive(&n->net, &pieces, 1, &taken), AVPS_OK);
    assert_int_equal(nic_take(n, 0, &hdr, got), packet_len);
    assert_memory_equal(got, packet, packet_len);
    assert_int_equal(hdr.report, 2);
    assert_int_equal(hdr.hash, v4[4].tcp);
    nic_free(n);
}

/* ---- tunnels ---- */

#define GRE_2784  0x001U
#define GRE_2890  0x002U
#define GRE_7676  0x004U
#define GRE_UDP   0x008U
#define VXLAN     0x010U
#define VXLAN_GPE 0x020U
#define GENEVE    0x040U
#define IPIP      0x080U
#define NVGRE     0x100U

static uint8_t tunnels(struct nic *n, uint32_t types)
{
    const uint8_t data[4] = {(uint8_t)types, (uint8_t)(types >> 8), (uint8_t)(types >> 16),
                             (uint8_t)(types >> 24)};

    return nic_ctrl(n, 7, 0, data, 4);
}

static void add_inner(bool ethernet)
{
    if (ethernet) {
        add_ethernet(0x0800);
    }
    add_ipv4(&v4[1], 6, 0);
    add_ports(&v4[1]);
}

static void add_udp(uint16_t port)
{
    add16(50000);
    add16(port);
    add16(0);
    add16(0);
}

/* What is on the wire in front of the inner packet, for each type. */
static void add_tunnel(uint32_t type)
{
    static const uint8_t gre[4] = {0x00, 0, 0x08, 0};
    static const uint8_t gre_sum[8] = {0x80, 0, 0x08, 0};
    static const uint8_t gre_key[12] = {0x30, 0, 0x08, 0};
    static const uint8_t nvgre[8] = {0x20, 0, 0x65, 0x58};
    static const uint8_t vxlan[8] = {0x08};
    static const uint8_t gpe[8] = {0x0c, 0, 0, 1};
    static const uint8_t geneve[16] = {0x02, 0, 0x65, 0x58};

    begin(type == GRE_7676 ? 0x86dd : 0x0800);
    if (type == GRE_7676) {
        add_ipv6(&v6[0], 47);
    } else {
        const bool ip = type == IPIP;
        const bool in_gre = (type & (GRE_2784 | GRE_2890 | NVGRE)) != 0U;
        add_ipv4(&v4[0], ip ? 4 : in_gre ? 47 : 17, 0);
    }
    switch (type) {
    case GRE_2784:
        add(gre_sum, 8);
        break;
    case GRE_2890:
        add(gre_key, 12);
        break;
    case GRE_7676:
        add(gre, 4);
        break;
    case GRE_UDP:
        add_udp(4754);
        add(gre, 4);
        break;
    case VXLAN:
        add_udp(4789);
        add(vxlan, 8);
        break;
    case VXLAN_GPE:
        add_udp(4790);
        add(gpe, 8);
        break;
    case GENEVE:
        add_udp(6081);
        add(geneve, 16);
        break;
    case NVGRE:
        add(nvgre, 8);
        break;
    default:
        break;
    }
    add_inner((type & (VXLAN | GENEVE | NVGRE)) != 0U);
}

static void test_net_hash_takes_the_inner_header_of_enabled_tunnels(void **state)
{
    struct nic *n = hash_start(state, IPV4 | TCPV4 | IPV6);

    for (uint32_t type = 1; type <= NVGRE; type <<= 1) {
        const bool v6_outside = type == GRE_7676;

        add_tunnel(type);
        assert_int_equal(tunnels(n, type), 0);
        expect_hash(n, 2, v4[1].tcp);
        assert_int_equal(tunnels(n, ALL & ~type & ~(type == NVGRE ? GRE_2890 : 0U)), 0);
        expect_hash(n, v6_outside ? 4 : 1, v6_outside ? v6[0].ip : v4[0].ip);
        assert_int_equal(tunnels(n, 0), 0); /* [net-5.3] */
        expect_hash(n, v6_outside ? 4 : 1, v6_outside ? v6[0].ip : v4[0].ip);
    }
    nic_free(n);
}

/* [net-5.2] */
static void test_net_hash_unknown_tunnels_are_refused(void **state)
{
    struct nic *n = hash_start(state, ALL);

    assert_int_equal(tunnels(n, ALL), 0);
    assert_int_equal(tunnels(n, 0x200), 1);
    assert_int_equal(tunnels(n, 0x80000001U), 1);
    assert_int_equal(n->net.tunnels, ALL);
    test_driver_reset(&n->d);
    assert_int_equal(n->net.tunnels, 0); /* [net-5.3] */
    nic_free(n);
}

/* [net-5.1] */
static void test_net_hash_takes_the_outer_header_of_all_else(void **state)
{
    struct nic *n = hash_start(state, TCPV4 | IPV4 | UDPV4);

    assert_int_equal(tunnels(n, ALL), 0);
    tcp4(&v4[2]);
    expect_hash(n, 2, v4[2].tcp);
    begin(0x0800);
    add_ipv4(&v4[2], 17, 0);
    add_ports(&v4[2]);
    expect_hash(n, 3, v4[2].tcp); /* no tunnel port */
    begin(0x0806);
    add_ports(&v4[2]);
    expect_hash(n, 0, NO_HASH);
    nic_free(n);
}

static void test_net_hash_of_malformed_tunnels_is_the_outer_one(void **state)
{
    struct nic *n = hash_start(state, IPV4 | TCPV4);

    assert_int_equal(tunnels(n, ALL), 0);
    add_tunnel(GRE_2784);
    packet[34] = 0x40; /* routing */
    expect_hash(n, 1, v4[0].ip);
    add_tunnel(GRE_2784);
    packet[35] = 1; /* version 1 */
    expect_hash(n, 1, v4[0].ip);
    add_tunnel(GRE_2784);
    packet_len = 36; /* cut in the header */
    expect_hash(n, 1, v4[0].ip);
    add_tunnel(GRE_UDP);
    packet[43] = 2; /* version 2 */
    expect_hash(n, 1, v4[0].ip);
    add_tunnel(VXLAN);
    packet_len = 47;
    expect_hash(n, 1, v4[0].ip);
    add_tunnel(VXLAN);
    packet_len = 40; /* cut in the UDP header */
    expect_hash(n, 1, v4[0].ip);
    add_tunnel(VXLAN_GPE);
    packet[42] = 0x08; /* no next protocol */
    expect_hash(n, 1, v4[0].ip);
    add_tunnel(VXLAN_GPE);
    packet[45] = 4; /* an unknown one */
    expect_hash(n, 1, v4[0].ip);
    add_tunnel(GENEVE);
    packet[42] = 0x42; /* version 1 */
    expect_hash(n, 1, v4[0].ip);
    add_tunnel(GENEVE);
    packet_len = 49;
    expect_hash(n, 1, v4[0].ip);
    nic_free(n);
}

/* The tunnel is good, what is inside is not: there is no hash to take from it. */
static void test_net_hash_of_an_inner_packet_that_does_not_parse(void **state)
{
    struct nic *n = hash_start(state, ALL);

    assert_int_equal(tunnels(n, ALL), 0);
    add_tunnel(GENEVE);
    packet[42] = 0x3f; /* options up to behind the packet */
    expect_hash(n, 0, NO_HASH);
    add_tunnel(IPIP);
    packet_len = 50;
    expect_hash(n, 0, NO_HASH);
    add_tunnel(GRE_2784);
    frame_put16(packet + 36, 0x0806);
    expect_hash(n, 0, NO_HASH);
    nic_free(n);
}

static void test_net_hash_of_ipv6_in_tunnels(void **state)
{
    struct nic *n = hash_start(state, ALL);
    static const uint8_t gre[4] = {0, 0, 0x86, 0xdd};

    assert_int_equal(tunnels(n, IPIP | GRE_7676), 0);
    begin(0x0800);
    add_ipv4(&v4[0], 41, 0);
    add_ipv6(&v6[2], 6);
    add_ports(&v6[2]);
    expect_hash(n, 5, v6[2].tcp);
    begin(0x0800);
    add_ipv4(&v4[0], 47, 0);
    add(gre, 4);
    add_ipv6(&v6[2], 6);
    add_ports(&v6[2]);
    expect_hash(n, 5, v6[2].tcp);
    nic_free(n);
}

/* ---- flows ---- */

static void test_net_flow_is_the_same_in_both_directions(void **state)
{
    struct vector back = v4[0];
    uint8_t forward[54];

    (void)state;
    (void)memcpy(back.src, v4[0].dst, 4);
    (void)memcpy(back.dst, v4[0].src, 4);
    back.src_port = v4[0].dst_port;
    back.dst_port = v4[0].src_port;
    tcp4(&v4[0]);
    (void)memcpy(forward, packet, 54);
    tcp4(&back);
    assert_int_equal(avps_net_flow(forward, 54), avps_net_flow(packet, 54));
    tcp4(&v4[1]);
    assert_int_not_equal(avps_net_flow(forward, 54), avps_net_flow(packet, 54));
    tcp4(&v4[0]);
    packet[35]++; /* another port */
    assert_int_not_equal(avps_net_flow(forward, 54), avps_net_flow(packet, 54));
    begin(0x0806);
    const uint32_t arp = avps_net_flow(packet, 14);
    assert_int_not_equal(arp, avps_net_flow(packet, 11)); /* too short for addresses */
    begin(0x86dd);
    add_ipv6(&v6[0], 58);
    assert_int_not_equal(avps_net_flow(packet, packet_len), arp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_net_hash_the_published_vectors_come_out),
        cmocka_unit_test(test_net_hash_a_short_key_goes_on_with_zeroes),
        cmocka_unit_test(test_net_flow_is_the_same_in_both_directions),
        TEST_BOTH(test_net_hash_is_reported_for_ipv4, NULL, NULL),
        TEST_BOTH(test_net_hash_is_reported_for_ipv6, NULL, NULL),
        TEST_BOTH(test_net_hash_only_enabled_types_count, NULL, NULL),
        TEST_BOTH(test_net_hash_parameters_are_checked, NULL, NULL),
        TEST_BOTH(test_net_hash_is_off_after_a_reset, NULL, NULL),
        TEST_BOTH(test_net_hash_looks_behind_vlan_tags, NULL, NULL),
        TEST_BOTH(test_net_hash_of_a_fragment_has_no_ports, NULL, NULL),
        TEST_BOTH(test_net_hash_honours_ipv4_options, NULL, NULL),
        TEST_BOTH(test_net_hash_with_extension_headers_takes_the_home_address, NULL, NULL),
        TEST_BOTH(test_net_hash_may_skip_extension_headers, NULL, NULL),
        TEST_BOTH(test_net_hash_of_udp_behind_extension_headers, NULL, NULL),
        TEST_BOTH(test_net_hash_follows_a_bounded_number_of_headers, NULL, NULL),
        TEST_BOTH(test_net_hash_of_malformed_extension_headers_ends_there, NULL, NULL),
        TEST_BOTH(test_net_hash_of_a_packet_that_is_cut, NULL, NULL),
        TEST_BOTH(test_net_hash_is_the_same_in_pieces, NULL, NULL),
        TEST_BOTH(test_net_hash_takes_the_inner_header_of_enabled_tunnels, NULL, NULL),
        TEST_BOTH(test_net_hash_unknown_tunnels_are_refused, NULL, NULL),
        TEST_BOTH(test_net_hash_takes_the_outer_header_of_all_else, NULL, NULL),
        TEST_BOTH(test_net_hash_of_malformed_tunnels_is_the_outer_one, NULL, NULL),
        TEST_BOTH(test_net_hash_of_an_inner_packet_that_does_not_parse, NULL, NULL),
        TEST_BOTH(test_net_hash_of_ipv6_in_tunnels, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
