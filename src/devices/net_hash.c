/* SPDX-License-Identifier: BSD-3-Clause */
/* Hashes: Toeplitz -> headers of a packet -> tunnels -> which hash by the enabled types -> the flow
 * of automatic steering. Parses at most the first NET_PEEK_MAX bytes, every step bounded by them;
 * what does not parse has no hash. */
#include "devices/net_internal.h"

#define VIRTIO_NET_HASH_REPORT_NONE     0U
#define VIRTIO_NET_HASH_REPORT_IPv4     1U
#define VIRTIO_NET_HASH_REPORT_TCPv4    2U
#define VIRTIO_NET_HASH_REPORT_UDPv4    3U
#define VIRTIO_NET_HASH_REPORT_IPv6     4U
#define VIRTIO_NET_HASH_REPORT_TCPv6    5U
#define VIRTIO_NET_HASH_REPORT_UDPv6    6U
#define VIRTIO_NET_HASH_REPORT_IPv6_EX  7U
#define VIRTIO_NET_HASH_REPORT_TCPv6_EX 8U
#define VIRTIO_NET_HASH_REPORT_UDPv6_EX 9U

#define VIRTIO_NET_HASH_TUNNEL_TYPE_GRE_2784  0x001U
#define VIRTIO_NET_HASH_TUNNEL_TYPE_GRE_2890  0x002U
#define VIRTIO_NET_HASH_TUNNEL_TYPE_GRE_7676  0x004U
#define VIRTIO_NET_HASH_TUNNEL_TYPE_GRE_UDP   0x008U
#define VIRTIO_NET_HASH_TUNNEL_TYPE_VXLAN     0x010U
#define VIRTIO_NET_HASH_TUNNEL_TYPE_VXLAN_GPE 0x020U
#define VIRTIO_NET_HASH_TUNNEL_TYPE_GENEVE    0x040U
#define VIRTIO_NET_HASH_TUNNEL_TYPE_IPIP      0x080U
#define VIRTIO_NET_HASH_TUNNEL_TYPE_NVGRE     0x100U

#define PROTO_HOPOPTS  0U
#define PROTO_IPV4     4U
#define PROTO_IPV6     41U
#define PROTO_ROUTING  43U
#define PROTO_FRAGMENT 44U
#define PROTO_GRE      47U
#define PROTO_AH       51U
#define PROTO_DSTOPTS  60U
#define PROTO_NONE     0xffU

#define ETH_BRIDGED  0x6558U /* Ethernet inside GRE, VXLAN-GPE, Geneve */
#define OPT_HOME     0xc9U   /* home address option */
#define EXT_HEADERS  8U      /* followed at most */
#define PORT_GRE_UDP 4754U
#define PORT_VXLAN   4789U
#define PORT_GPE     4790U
#define PORT_GENEVE  6081U

/* ---- Toeplitz ---- */

/* The 32 key bits at the place of each set bit of `byte`; `window` holds 40 of them. */
static uint32_t hash_byte(uint64_t window, uint8_t byte)
{
    uint32_t hash = 0;

    for (uint32_t bit = 0; bit < 8U; bit++) {
        if (((uint32_t)byte >> (7U - bit) & 1U) != 0U) {
            hash ^= (uint32_t)(window >> (8U - bit));
        }
    }
    return hash;
}

/* Beyond the key there are zeroes. */
uint32_t avps_net_toeplitz(const uint8_t *key, uint32_t key_len, const uint8_t *bytes, uint32_t len)
{
    uint64_t window = 0;
    uint32_t hash = 0;

    for (uint32_t i = 0; i < 4U; i++) {
        window = window << 8 | (i < key_len ? key[i] : 0U);
    }
    for (uint32_t i = 0; i < len; i++) {
        window = window << 8 | (i + 4U < key_len ? key[i + 4U] : 0U);
        hash ^= hash_byte(window, bytes[i]);
    }
    return hash;
}

/* ---- headers ---- */

/* What the parser knows of a packet; offsets lie in the bytes that it was given. */
struct hash_packet {
    const uint8_t *bytes;
    uint32_t len;
    uint32_t src;     /* of the source address */
    uint32_t dst;     /* of the destination address */
    uint32_t payload; /* behind the IP headers */
    uint8_t addr_len; /* 4 or 16; 0: not IP */
    uint8_t proto;    /* PROTO_NONE: none or a fragment */
    uint8_t last;     /* what the last IP or extension header names */
    bool extended;    /* IPv6 with extension headers */
    uint32_t ex_src;  /* home address, or src */
    uint32_t ex_dst;  /* routing header's address, or dst */
};

static bool hash_has(const struct hash_packet *packet, uint32_t at, uint32_t n)
{
    return at <= packet->len && n <= packet->len - at;
}

/* Skip up to two tags. @return the type behind them, `*at` behind that; 0: too short. */
static uint16_t hash_ethernet(const struct hash_packet *packet, uint32_t *at)
{
    uint32_t type_at = *at + 12U;

    for (uint32_t tags = 0; hash_has(packet, type_at, 2); tags++) {
        const uint16_t type = net_be16(packet->bytes + type_at);

        if ((type != NET_ETH_VLAN && type != NET_ETH_QINQ) || tags == 2U) {
            *at = type_at + 2U;
            return type;
        }
        type_at += NET_VLAN_TAG;
    }
    return 0;
}

static void hash_ipv4(struct hash_packet *packet, uint32_t at)
{
    if (!hash_has(packet, at, 20)) {
        return;
    }
    const uint8_t *header = packet->bytes + at;
    const uint32_t size = (uint32_t)(header[0] & 0xfU) * 4U;

    if (header[0] >> 4 != 4U || size < 20U) {
        return;
    }
    packet->src = at + 12U;
    packet->dst = at + 16U;
    packet->payload = at + size;
    packet->addr_len = 4;
    packet->last = header[9];
    packet->proto = (net_be16(header + 6) & 0x3fffU) == 0U ? header[9] : PROTO_NONE;
}

/* The home address option of a destination options header at [at, at + size). */
static void hash_home_address(struct hash_packet *packet, uint32_t at, uint32_t size)
{
    uint32_t option = at + 2U;

    while (option < at + size) {
        const uint8_t type = packet->bytes[option];

        if (type == 0U) { /* one byte of padding */
            option++;
            continue;
        }
        if (option + 1U >= at + size) {
            return;
        }
        const uint32_t len = packet->bytes[option + 1U];
        if (type == OPT_HOME && len == 16U && option + 2U + len <= at + size) {
            packet->ex_src = option + 2U;
            return;
        }
        option += 2U + len;
    }
}

static uint32_t hash_extension_size(const struct hash_packet *packet, uint8_t proto, uint32_t at)
{
    const uint32_t units = packet->bytes[at + 1U];

    if (proto == PROTO_FRAGMENT) {
        return 8;
    }
    return proto == PROTO_AH ? (units + 2U) * 4U : (units + 1U) * 8U;
}

static bool hash_is_extension(uint8_t proto)
{
    return proto == PROTO_HOPOPTS || proto == PROTO_ROUTING || proto == PROTO_FRAGMENT ||
           proto == PROTO_AH || proto == PROTO_DSTOPTS;
}

/* One extension header. @return its size; 0: it is not all there. */
static uint32_t hash_extension(struct hash_packet *packet, uint8_t proto, uint32_t at)
{
    if (!hash_has(packet, at, 8)) {
        return 0;
    }
    const uint32_t size = hash_extension_size(packet, proto, at);
    if (!hash_has(packet, at, size)) {
        return 0;
    }
    if (proto == PROTO_DSTOPTS) {
        hash_home_address(packet, at, size);
    } else if (proto == PROTO_ROUTING && packet->bytes[at + 2U] == 2U && size == 24U) {
        packet->ex_dst = at + 8U;
    }
    return size;
}

static void hash_ipv6(struct hash_packet *packet, uint32_t at)
{
    if (!hash_has(packet, at, 40) || packet->bytes[at] >> 4 != 6U) {
        return;
    }
    uint8_t proto = packet->bytes[at + 6U];
    uint32_t next = at + 40U;
    bool fragment = false;

    packet->src = at + 8U;
    packet->dst = at + 24U;
    packet->ex_src = packet->src;
    packet->ex_dst = packet->dst;
    packet->addr_len = 16;
    for (uint32_t i = 0; i < EXT_HEADERS && hash_is_extension(proto); i++) {
        const uint32_t size = hash_extension(packet, proto, next);

        packet->extended = true;
        if (size == 0U) {
            break;
        }
        fragment = fragment || (proto == PROTO_FRAGMENT &&
                                (net_be16(packet->bytes + next + 2U) & 0xfff9U) != 0U);
        proto = packet->bytes[next];
        next += size;
    }
    packet->payload = next;
    packet->last = proto;
    packet->proto = fragment || hash_is_extension(proto) ? PROTO_NONE : proto;
}

/* Headers of the packet of this type at `at`. */
static struct hash_packet hash_parse(const uint8_t *bytes, uint32_t len, uint16_t type, uint32_t at)
{
    struct hash_packet packet = {.bytes = bytes, .len = len, .proto = PROTO_NONE};

    if (type == ETH_BRIDGED) {
        type = hash_ethernet(&packet, &at);
    }
    if (type == NET_ETH_IPV4) {
        hash_ipv4(&packet, at);
    } else if (type == NET_ETH_IPV6) {
        hash_ipv6(&packet, at);
    }
    return packet;
}

struct net_headers avps_net_headers(const struct net_peek *peek)
{
    const struct hash_packet packet =
        hash_parse(peek->bytes, peek->len, net_be16(peek->bytes + 12), NET_ETH_HEADER);
    const struct net_headers headers = {
        .type = packet.addr_len == 0U   ? 0U
                : packet.addr_len == 4U ? NET_ETH_IPV4
                                        : NET_ETH_IPV6,
        .last = packet.last,
        .proto = packet.proto,
        .payload = packet.payload,
    };

    return headers;
}

/* ---- tunnels ---- */

/* What is inside: tunnel types that match, the inner packet's type and place. */
struct hash_tunnel {
    uint32_t types;
    uint16_t inner;
    uint32_t at;
};

/* A GRE header at `at`. */
static struct hash_tunnel hash_gre(const struct hash_packet *outer, uint32_t at)
{
    struct hash_tunnel tunnel = {0, 0, at};

    if (!hash_has(outer, at, 4) || (outer->bytes[at] & 0x40U) != 0U ||
        (outer->bytes[at + 1U] & 7U) != 0U) {
        return tunnel; /* routing is obsolete; versions above 0 are something else */
    }
    const uint8_t flags = outer->bytes[at];
    const bool key = (flags & 0x20U) != 0U;
    const bool sequence = (flags & 0x10U) != 0U;
    const bool sum = (flags & 0x80U) != 0U;

    tunnel.inner = net_be16(outer->bytes + at + 2U);
    tunnel.at = at + 4U + (sum ? 4U : 0U) + (key ? 4U : 0U) + (sequence ? 4U : 0U);
    if (key || sequence) {
        tunnel.types = VIRTIO_NET_HASH_TUNNEL_TYPE_GRE_2890;
    } else if (outer->addr_len == 4U) {
        tunnel.types = VIRTIO_NET_HASH_TUNNEL_TYPE_GRE_2784;
    }
    if (key && !sequence && !sum && tunnel.inner == ETH_BRIDGED) {
        tunnel.types |= VIRTIO_NET_HASH_TUNNEL_TYPE_NVGRE;
    }
    if (outer->addr_len == 16U || tunnel.inner == NET_ETH_IPV6) {
        tunnel.types |= VIRTIO_NET_HASH_TUNNEL_TYPE_GRE_7676;
    }
    return tunnel;
}

/* A VXLAN header, or that of its generic extension, at `at`. */
static struct hash_tunnel hash_vxlan(const struct hash_packet *outer, uint32_t at, bool generic)
{
    static const uint16_t inner[] = {0, NET_ETH_IPV4, NET_ETH_IPV6, ETH_BRIDGED};
    struct hash_tunnel tunnel = {0, 0, at + 8U};

    if (!hash_has(outer, at, 8)) {
        return tunnel;
    }
    if (!generic) {
        tunnel.types = VIRTIO_NET_HASH_TUNNEL_TYPE_VXLAN;
        tunnel.inner = ETH_BRIDGED;
    } else if ((outer->bytes[at] & 4U) != 0U && outer->bytes[at + 3U] < AVPS_COUNT_OF(inner)) {
        tunnel.types = VIRTIO_NET_HASH_TUNNEL_TYPE_VXLAN_GPE;
        tunnel.inner = inner[outer->bytes[at + 3U]];
    }
    return tunnel;
}

static struct hash_tunnel hash_geneve(const struct hash_packet *outer, uint32_t at)
{
    struct hash_tunnel tunnel = {0, 0, at};

    if (hash_has(outer, at, 8) && outer->bytes[at] >> 6 == 0U) {
        tunnel.types = VIRTIO_NET_HASH_TUNNEL_TYPE_GENEVE;
        tunnel.inner = net_be16(outer->bytes + at + 2U);
        tunnel.at = at + 8U + (uint32_t)(outer->bytes[at] & 0x3fU) * 4U;
    }
    return tunnel;
}

static struct hash_tunnel hash_udp_tunnel(const struct hash_packet *outer)
{
    const struct hash_tunnel none = {0, 0, 0};
    const uint32_t at = outer->payload + 8U;

    if (!hash_has(outer, outer->payload, 8)) {
        return none;
    }
    switch (net_be16(outer->bytes + outer->payload + 2U)) {
    case PORT_GRE_UDP: {
        struct hash_tunnel tunnel = hash_gre(outer, at);
        tunnel.types = tunnel.types != 0U ? VIRTIO_NET_HASH_TUNNEL_TYPE_GRE_UDP : 0U;
        return tunnel;
    }
    case PORT_VXLAN:
        return hash_vxlan(outer, at, false);
    case PORT_GPE:
        return hash_vxlan(outer, at, true);
    case PORT_GENEVE:
        return hash_geneve(outer, at);
    default:
        return none;
    }
}

static struct hash_tunnel hash_find_tunnel(const struct hash_packet *outer)
{
    struct hash_tunnel tunnel = {0, 0, outer->payload};

    switch (outer->proto) {
    case PROTO_IPV4:
    case PROTO_IPV6:
        tunnel.types = VIRTIO_NET_HASH_TUNNEL_TYPE_IPIP;
        tunnel.inner = outer->proto == PROTO_IPV4 ? NET_ETH_IPV4 : NET_ETH_IPV6;
        return tunnel;
    case PROTO_GRE:
        return hash_gre(outer, outer->payload);
    case NET_PROTO_UDP:
        return hash_udp_tunnel(outer);
    default:
        return tunnel;
    }
}

/* ---- which hash ---- */

/* Reports in order of preference: TCP, UDP, addresses alone; 0: none of the types is enabled. */
static uint16_t hash_choose(const struct hash_packet *packet, uint32_t types, uint16_t tcp,
                            uint16_t udp, uint16_t ip)
{
    const bool ports = hash_has(packet, packet->payload, 4);

    if (packet->proto == NET_PROTO_TCP && ports && (types >> (tcp - 1U) & 1U) != 0U) {
        return tcp;
    }
    if (packet->proto == NET_PROTO_UDP && ports && (types >> (udp - 1U) & 1U) != 0U) {
        return udp;
    }
    return (types >> (ip - 1U) & 1U) != 0U ? ip : VIRTIO_NET_HASH_REPORT_NONE;
}

static uint16_t hash_report(const struct hash_packet *packet, uint32_t types)
{
    uint16_t report = VIRTIO_NET_HASH_REPORT_NONE;

    if (packet->addr_len == 4U) {
        return hash_choose(packet, types, VIRTIO_NET_HASH_REPORT_TCPv4,
                           VIRTIO_NET_HASH_REPORT_UDPv4, VIRTIO_NET_HASH_REPORT_IPv4);
    }
    if (packet->extended) {
        report = hash_choose(packet, types, VIRTIO_NET_HASH_REPORT_TCPv6_EX,
                             VIRTIO_NET_HASH_REPORT_UDPv6_EX, VIRTIO_NET_HASH_REPORT_IPv6_EX);
    }
    return report != VIRTIO_NET_HASH_REPORT_NONE
               ? report
               : hash_choose(packet, types, VIRTIO_NET_HASH_REPORT_TCPv6,
                             VIRTIO_NET_HASH_REPORT_UDPv6, VIRTIO_NET_HASH_REPORT_IPv6);
}

static struct net_hash hash_compute(const struct avps_net *net, const struct hash_packet *packet)
{
    struct net_hash hash = {0, VIRTIO_NET_HASH_REPORT_NONE};
    uint8_t input[36];
    const size_t n = packet->addr_len;

    if (n == 0U) {
        return hash;
    }
    hash.report = hash_report(packet, net->rss.types);
    if (hash.report == VIRTIO_NET_HASH_REPORT_NONE) {
        return hash;
    }
    const bool ex = hash.report >= VIRTIO_NET_HASH_REPORT_IPv6_EX;
    const bool ports = hash.report != VIRTIO_NET_HASH_REPORT_IPv4 &&
                       hash.report != VIRTIO_NET_HASH_REPORT_IPv6 &&
                       hash.report != VIRTIO_NET_HASH_REPORT_IPv6_EX;

    (void)memcpy(input, packet->bytes + (ex ? packet->ex_src : packet->src), n);
    (void)memcpy(input + n, packet->bytes + (ex ? packet->ex_dst : packet->dst), n);
    if (ports) {
        (void)memcpy(input + 2U * n, packet->bytes + packet->payload, 4);
    }
    hash.value = avps_net_toeplitz(net->rss.key, net->rss.key_len, input,
                                   (uint32_t)(2U * n + (ports ? 4U : 0U)));
    return hash;
}

/* [net-5.1] The inner header counts when its tunnel is enabled; one level only. */
struct net_hash avps_net_hash(const struct avps_net *net, const struct net_peek *peek)
{
    const struct hash_packet outer = hash_parse(peek->bytes, peek->len, ETH_BRIDGED, 0);

    if (net->tunnels != 0U && outer.addr_len != 0U) {
        const struct hash_tunnel tunnel = hash_find_tunnel(&outer);

        if ((tunnel.types & net->tunnels) != 0U) {
            const struct hash_packet inner =
                hash_parse(peek->bytes, peek->len, tunnel.inner, tunnel.at);
            return hash_compute(net, &inner);
        }
    }
    return hash_compute(net, &outer);
}

/* ---- flows ---- */

static uint32_t flow_mix(uint32_t sum, const uint8_t *a, const uint8_t *b, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        sum = (sum ^ (uint32_t)(a[i] ^ b[i])) * 0x01000193U;
    }
    return sum;
}

/* The same number for both directions of a flow. */
uint32_t avps_net_flow(const uint8_t *bytes, uint32_t len)
{
    const struct hash_packet packet = hash_parse(bytes, len, ETH_BRIDGED, 0);
    uint32_t sum = 0x811c9dc5U;

    if (packet.addr_len == 0U) {
        return len >= 12U ? flow_mix(sum, bytes, bytes + 6, 6) : sum;
    }
    sum = flow_mix(sum, bytes + packet.src, bytes + packet.dst, packet.addr_len);
    if ((packet.proto == NET_PROTO_TCP || packet.proto == NET_PROTO_UDP) &&
        hash_has(&packet, packet.payload, 4)) {
        sum = flow_mix(sum, bytes + packet.payload, bytes + packet.payload + 2U, 2);
    }
    return sum ^ sum >> 16;
}
