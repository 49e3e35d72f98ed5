/* SPDX-License-Identifier: BSD-3-Clause */
/* Control queue: one function per command -> table -> one request. A command is read and checked
 * whole before it changes anything; it is answered with one byte, OK or ERR (I33). */
#include "devices/net_internal.h"

#define VIRTIO_NET_OK  0U
#define VIRTIO_NET_ERR 1U

#define VIRTIO_NET_CTRL_RX                 0U
#define VIRTIO_NET_CTRL_MAC                1U
#define VIRTIO_NET_CTRL_MAC_TABLE_SET      0U
#define VIRTIO_NET_CTRL_MAC_ADDR_SET       1U
#define VIRTIO_NET_CTRL_VLAN               2U
#define VIRTIO_NET_CTRL_VLAN_ADD           0U
#define VIRTIO_NET_CTRL_VLAN_DEL           1U
#define VIRTIO_NET_CTRL_ANNOUNCE           3U
#define VIRTIO_NET_CTRL_ANNOUNCE_ACK       0U
#define VIRTIO_NET_CTRL_MQ                 4U
#define VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET    0U
#define VIRTIO_NET_CTRL_MQ_RSS_CONFIG      1U
#define VIRTIO_NET_CTRL_MQ_HASH_CONFIG     2U
#define VIRTIO_NET_CTRL_GUEST_OFFLOADS     5U
#define VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET 0U
#define VIRTIO_NET_CTRL_NOTF_COAL          6U
#define VIRTIO_NET_CTRL_NOTF_COAL_TX_SET   0U
#define VIRTIO_NET_CTRL_NOTF_COAL_RX_SET   1U
#define VIRTIO_NET_CTRL_NOTF_COAL_VQ_SET   2U
#define VIRTIO_NET_CTRL_NOTF_COAL_VQ_GET   3U
#define VIRTIO_NET_CTRL_HASH_TUNNEL        7U
#define VIRTIO_NET_CTRL_HASH_TUNNEL_SET    0U

struct virtio_net_ctrl {
    uint8_t class;
    uint8_t command;
};
AVPS_WIRE_SIZE(struct virtio_net_ctrl, 2);

/* A command being served: its data, and room for the result behind the ack. */
struct ctrl_call {
    struct avps_chain *chain;
    uint8_t command;
    uint8_t result[8];
    uint32_t result_len;
};

static bool ctrl_read(struct ctrl_call *call, void *dst, uint32_t len)
{
    return avps_chain_read(call->chain, dst, len) == AVPS_OK;
}

static bool ctrl_read16(struct ctrl_call *call, uint16_t *value)
{
    avps_le16 raw = {{0}};
    const bool good = ctrl_read(call, &raw, sizeof raw);

    *value = avps_le16_get(raw);
    return good;
}

static bool ctrl_read32(struct ctrl_call *call, uint32_t *value)
{
    avps_le32 raw = {{0}};
    const bool good = ctrl_read(call, &raw, sizeof raw);

    *value = avps_le32_get(raw);
    return good;
}

/* ---- receive filter ---- */

/* [net-6.1] [net-6.5] */
static bool ctrl_rx_mode(struct avps_net *net, struct ctrl_call *call)
{
    uint8_t on = 0;

    if (!ctrl_read(call, &on, sizeof on) || on > 1U) {
        return false;
    }
    const unsigned int bit = 1U << call->command;
    net->filter.modes = (uint8_t)(on != 0U ? net->filter.modes | bit : net->filter.modes & ~bit);
    return true;
}

/* One table; more entries than fit mean "all of this kind". */
static bool ctrl_mac_table(struct ctrl_call *call, bool group, uint8_t (*table)[6], uint32_t *count,
                           bool *all)
{
    uint32_t entries = 0;

    if (!ctrl_read32(call, &entries) || entries > avps_chain_readable(call->chain) / NET_MAC) {
        return false;
    }
    *all = entries > AVPS_NET_MACS;
    *count = *all ? 0U : entries;
    if (*all) {
        return avps_chain_skip(call->chain, entries * NET_MAC) == AVPS_OK;
    }
    for (uint32_t i = 0; i < entries; i++) {
        if (!ctrl_read(call, table[i], NET_MAC) || net_mac_is_group(table[i]) != group) {
            return false;
        }
    }
    return true;
}

/* [net-7.2] */
static bool ctrl_mac_table_set(struct avps_net *net, struct ctrl_call *call)
{
    struct avps_net_filter *next = &net->next_filter;

    *next = net->filter;
    if (!ctrl_mac_table(call, false, next->unicast, &next->unicast_count, &next->all_unicast) ||
        !ctrl_mac_table(call, true, next->multicast, &next->multicast_count,
                        &next->all_multicast) ||
        avps_chain_readable(call->chain) != 0U) {
        return false;
    }
    net->filter = *next;
    return true;
}

/* [net-7.3] [AVPS NET-7] [AVPS NET-8] */
static bool ctrl_mac_addr_set(struct avps_net *net, struct ctrl_call *call)
{
    uint8_t mac[NET_MAC];

    if (!ctrl_read(call, mac, sizeof mac) || net_mac_is_group(mac) || net_mac_is_zero(mac)) {
        return false;
    }
    if (net->ops->mac_allowed != NULL && !net->ops->mac_allowed(net->ctx, mac)) {
        net->ctrl_counters.mac_refused++;
        return false;
    }
    (void)memcpy(net->mac, mac, sizeof net->mac);
    net->mac_known = true;
    net->base.config_generation++;
    return true;
}

static bool ctrl_vlan(struct avps_net *net, struct ctrl_call *call)
{
    uint16_t vlan = 0;

    if (!ctrl_read16(call, &vlan) || vlan > 4095U) {
        return false;
    }
    uint32_t *word = &net->filter.vlans[vlan / 32U];
    const uint32_t bit = (uint32_t)1 << (vlan % 32U);
    *word = call->command == VIRTIO_NET_CTRL_VLAN_ADD ? *word | bit : *word & ~bit;
    return true;
}

/* [net-9.1] */
static bool ctrl_announce_ack(struct avps_net *net, struct ctrl_call *call)
{
    (void)call;
    net->status &= (uint16_t)~VIRTIO_NET_S_ANNOUNCE;
    net->base.config_generation++;
    return true;
}

/* ---- queues and hashes ---- */

/* Whether a hash is computed at all. */
void avps_net_update_hash(struct avps_net *net)
{
    net->hash_wanted =
        net->rss.types != 0U && (net->steering == AVPS_NET_STEER_RSS ||
                                 avps_device_has(&net->base, AVPS_NET_F_HASH_REPORT));
}

void avps_net_steer_auto(struct avps_net *net, uint16_t pairs)
{
    net->pairs_in_use = pairs;
    net->steering = pairs > 1U ? AVPS_NET_STEER_AUTO : AVPS_NET_STEER_ONE;
    for (size_t i = 0; i < AVPS_NET_FLOWS; i++) {
        atomic_store_explicit(&net->flows[i], 0U, memory_order_relaxed);
    }
    avps_net_update_hash(net);
}

/* [net-10.2] [net-x20] */
static bool ctrl_pairs_set(struct avps_net *net, struct ctrl_call *call)
{
    uint16_t pairs = 0;

    if (!ctrl_read16(call, &pairs) || pairs == 0U || pairs > net->pair_count) {
        return false;
    }
    avps_net_steer_auto(net, pairs);
    return true;
}

static bool ctrl_read_key(struct ctrl_call *call, struct avps_net_rss *rss)
{
    (void)memset(rss->key, 0, sizeof rss->key);
    return ctrl_read(call, &rss->key_len, sizeof rss->key_len) && rss->key_len <= sizeof rss->key &&
           ctrl_read(call, rss->key, rss->key_len);
}

static bool ctrl_read_types(struct ctrl_call *call, struct avps_net_rss *rss)
{
    return ctrl_read32(call, &rss->types) && (rss->types & ~NET_HASH_TYPES) == 0U;
}

/* A queue that does not exist is refused here, one that is not enabled when a packet comes. */
static bool ctrl_read_pair(const struct avps_net *net, struct ctrl_call *call, uint16_t *pair)
{
    return ctrl_read16(call, pair) && *pair < net->pair_count;
}

static bool ctrl_read_table(const struct avps_net *net, struct ctrl_call *call,
                            struct avps_net_rss *rss)
{
    if (!ctrl_read16(call, &rss->mask) || rss->mask >= AVPS_NET_RSS_TABLE ||
        (rss->mask & (rss->mask + 1U)) != 0U || !ctrl_read_pair(net, call, &rss->unclassified)) {
        return false;
    }
    for (uint32_t i = 0; i <= rss->mask; i++) {
        if (!ctrl_read_pair(net, call, &rss->table[i])) {
            return false;
        }
    }
    return true;
}

/* [net-x10] [net-x11] */
static bool ctrl_rss_config(struct avps_net *net, struct ctrl_call *call)
{
    struct avps_net_rss *next = &net->next_rss;
    uint16_t max_tx = 0;

    if (!ctrl_read_types(call, next) || !ctrl_read_table(net, call, next) ||
        !ctrl_read16(call, &max_tx) || max_tx == 0U || max_tx > net->pair_count ||
        !ctrl_read_key(call, next)) {
        return false;
    }
    net->rss = *next;
    net->pairs_in_use = max_tx;
    net->steering = AVPS_NET_STEER_RSS;
    avps_net_update_hash(net);
    return true;
}

/* [net-x10] [net-x12] [net-x25] [net-x26] The layout has four zero fields where RSS has its table. */
static bool ctrl_hash_config(struct avps_net *net, struct ctrl_call *call)
{
    static const uint8_t zeroes[8] = {0};
    struct avps_net_rss *next = &net->next_rss;
    uint8_t reserved[8];

    *next = net->rss;
    if (!ctrl_read_types(call, next) || !ctrl_read(call, reserved, sizeof reserved) ||
        memcmp(reserved, zeroes, sizeof reserved) != 0 || !ctrl_read_key(call, next)) {
        return false;
    }
    net->rss = *next;
    avps_net_steer_auto(net, net->pairs_in_use);
    return true;
}

/* [net-5.2] [net-5.3] */
static bool ctrl_hash_tunnel(struct avps_net *net, struct ctrl_call *call)
{
    uint32_t tunnels = 0;

    if (!ctrl_read32(call, &tunnels) || (tunnels & ~NET_HASH_TUNNELS) != 0U) {
        return false;
    }
    net->tunnels = tunnels;
    return true;
}

/* ---- offloads ---- */

/* Only what was negotiated can be switched on. */
static bool ctrl_offloads(struct avps_net *net, struct ctrl_call *call)
{
    struct avps_features set = {{0}};

    if (!ctrl_read32(call, &set.word[0]) || !ctrl_read32(call, &set.word[1]) ||
        !avps_net_offloads_are_negotiated(net, &set)) {
        return false;
    }
    avps_net_set_offloads(net, &set);
    return true;
}

/* ---- notification coalescing ---- */

struct virtio_net_ctrl_coal {
    avps_le32 max_packets;
    avps_le32 max_usecs;
};
AVPS_WIRE_SIZE(struct virtio_net_ctrl_coal, 8);

static bool ctrl_read_coal(struct ctrl_call *call, struct avps_net_coal *values)
{
    return ctrl_read32(call, &values->max_packets) && ctrl_read32(call, &values->max_usecs);
}

/* [net-13.2] */
static bool ctrl_coal_all(struct avps_net *net, struct ctrl_call *call)
{
    struct avps_net_coal values = {0};

    if (!ctrl_read_coal(call, &values)) {
        return false;
    }
    avps_net_coal_set_all(net, call->command == VIRTIO_NET_CTRL_NOTF_COAL_RX_SET ? NET_RX : NET_TX,
                          &values);
    return true;
}

/* [net-13.1] The field behind the index is not looked at. [net-13.4] */
static const struct avps_net_coal *ctrl_coal_queue(struct avps_net *net, struct ctrl_call *call,
                                                   uint16_t *queue)
{
    uint16_t reserved = 0;

    return ctrl_read16(call, queue) && ctrl_read16(call, &reserved) ? avps_net_coal_get(net, *queue)
                                                                    : NULL;
}

/* [net-13.3] */
static bool ctrl_coal_set(struct avps_net *net, struct ctrl_call *call)
{
    struct avps_net_coal values = {0};
    uint16_t queue = 0;

    if (ctrl_coal_queue(net, call, &queue) == NULL || !ctrl_read_coal(call, &values)) {
        return false;
    }
    avps_net_coal_set(net, queue, &values);
    return true;
}

/* The result goes behind the ack; without room for it there is no answer to give. */
static bool ctrl_coal_get(struct avps_net *net, struct ctrl_call *call)
{
    uint16_t queue = 0;
    const struct avps_net_coal *values = ctrl_coal_queue(net, call, &queue);
    struct virtio_net_ctrl_coal result;

    if (values == NULL || avps_chain_writable(call->chain) < 1U + sizeof result) {
        return false;
    }
    result.max_packets = avps_le32_of(values->max_packets);
    result.max_usecs = avps_le32_of(values->max_usecs);
    (void)memcpy(call->result, &result, sizeof result);
    call->result_len = sizeof result;
    return true;
}

/* ---- one request ---- */

struct ctrl_command {
    uint8_t class;
    uint8_t command;
    uint8_t feature;
    bool (*run)(struct avps_net *net, struct ctrl_call *call);
};

static const struct ctrl_command ctrl_commands[] = {
    {VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, AVPS_NET_F_CTRL_RX, ctrl_rx_mode},
    {VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLMULTI, AVPS_NET_F_CTRL_RX, ctrl_rx_mode},
    {VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLUNI, AVPS_NET_F_CTRL_RX_EXTRA, ctrl_rx_mode},
    {VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOMULTI, AVPS_NET_F_CTRL_RX_EXTRA, ctrl_rx_mode},
    {VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOUNI, AVPS_NET_F_CTRL_RX_EXTRA, ctrl_rx_mode},
    {VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOBCAST, AVPS_NET_F_CTRL_RX_EXTRA, ctrl_rx_mode},
    {VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, AVPS_NET_F_CTRL_RX, ctrl_mac_table_set},
    {VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, AVPS_NET_F_CTRL_MAC_ADDR,
     ctrl_mac_addr_set},
    {VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, AVPS_NET_F_CTRL_VLAN, ctrl_vlan},
    {VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_DEL, AVPS_NET_F_CTRL_VLAN, ctrl_vlan},
    {VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCE_ACK, AVPS_NET_F_GUEST_ANNOUNCE,
     ctrl_announce_ack},
    {VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, AVPS_NET_F_MQ, ctrl_pairs_set},
    {VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_RSS_CONFIG, AVPS_NET_F_RSS, ctrl_rss_config},
    {VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_HASH_CONFIG, AVPS_NET_F_HASH_REPORT, ctrl_hash_config},
    {VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET,
     AVPS_NET_F_CTRL_GUEST_OFFLOADS, ctrl_offloads},
    {VIRTIO_NET_CTRL_NOTF_COAL, VIRTIO_NET_CTRL_NOTF_COAL_TX_SET, AVPS_NET_F_NOTF_COAL,
     ctrl_coal_all},
    {VIRTIO_NET_CTRL_NOTF_COAL, VIRTIO_NET_CTRL_NOTF_COAL_RX_SET, AVPS_NET_F_NOTF_COAL,
     ctrl_coal_all},
    {VIRTIO_NET_CTRL_NOTF_COAL, VIRTIO_NET_CTRL_NOTF_COAL_VQ_SET, AVPS_NET_F_VQ_NOTF_COAL,
     ctrl_coal_set},
    {VIRTIO_NET_CTRL_NOTF_COAL, VIRTIO_NET_CTRL_NOTF_COAL_VQ_GET, AVPS_NET_F_VQ_NOTF_COAL,
     ctrl_coal_get},
    {VIRTIO_NET_CTRL_HASH_TUNNEL, VIRTIO_NET_CTRL_HASH_TUNNEL_SET, AVPS_NET_F_HASH_TUNNEL,
     ctrl_hash_tunnel},
};

static bool ctrl_run(struct avps_net *net, struct avps_chain *chain, struct ctrl_call *call)
{
    struct virtio_net_ctrl ctrl;

    if (avps_chain_read(chain, &ctrl, sizeof ctrl) != AVPS_OK) {
        return false;
    }
    call->command = ctrl.command;
    for (size_t i = 0; i < AVPS_COUNT_OF(ctrl_commands); i++) {
        const struct ctrl_command *entry = &ctrl_commands[i];

        if (entry->class == ctrl.class && entry->command == ctrl.command) {
            return avps_device_has(&net->base, entry->feature) && entry->run(net, call);
        }
    }
    return false;
}

enum avps_status avps_net_control(struct avps_device *dev, struct avps_chain *chain)
{
    struct avps_net *net = net_of(dev);
    struct ctrl_call call = {.chain = chain};

    if (avps_chain_writable(chain) == 0U) {
        return AVPS_E_GUEST_SIZE; /* nowhere to answer */
    }
    const bool good = ctrl_run(net, chain, &call);
    const uint8_t ack = (uint8_t)(good ? VIRTIO_NET_OK : VIRTIO_NET_ERR);

    if (good) {
        net->ctrl_counters.ok++;
    } else {
        net->ctrl_counters.failed++;
    }
    const enum avps_status status = avps_chain_write(chain, &ack, sizeof ack);

    return status == AVPS_OK && good ? avps_chain_write(chain, call.result, call.result_len)
                                     : status;
}
