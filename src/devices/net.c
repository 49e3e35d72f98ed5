/* SPDX-License-Identifier: BSD-3-Clause */
/* Network device: features -> configuration space -> link and announcements -> life -> ops, init.
 * The other files are listed in net_internal.h. */
#include "devices/net_internal.h"

/* ---- features ---- */

static const struct avps_feature net_features[] = {
    AVPS_FEATURE(AVPS_NET_F_CSUM, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE(AVPS_NET_F_GUEST_CSUM, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE(AVPS_NET_F_CTRL_GUEST_OFFLOADS, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE(AVPS_NET_F_MTU, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE(AVPS_NET_F_MAC, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE_NEEDS(AVPS_NET_F_GUEST_TSO4, AVPS_FEATURE_OFFERED, AVPS_NET_F_GUEST_CSUM),
    AVPS_FEATURE_NEEDS(AVPS_NET_F_GUEST_TSO6, AVPS_FEATURE_OFFERED, AVPS_NET_F_GUEST_CSUM),
    AVPS_FEATURE_NEEDS_ANY(AVPS_NET_F_GUEST_ECN, AVPS_FEATURE_OFFERED, AVPS_NET_F_GUEST_TSO4,
                           AVPS_NET_F_GUEST_TSO6),
    AVPS_FEATURE_NEEDS(AVPS_NET_F_GUEST_UFO, AVPS_FEATURE_OFFERED, AVPS_NET_F_GUEST_CSUM),
    AVPS_FEATURE_NEEDS(AVPS_NET_F_HOST_TSO4, AVPS_FEATURE_OFFERED, AVPS_NET_F_CSUM),
    AVPS_FEATURE_NEEDS(AVPS_NET_F_HOST_TSO6, AVPS_FEATURE_OFFERED, AVPS_NET_F_CSUM),
    AVPS_FEATURE_NEEDS_ANY(AVPS_NET_F_HOST_ECN, AVPS_FEATURE_OFFERED, AVPS_NET_F_HOST_TSO4,
                           AVPS_NET_F_HOST_TSO6),
    AVPS_FEATURE_NEEDS(AVPS_NET_F_HOST_UFO, AVPS_FEATURE_OFFERED, AVPS_NET_F_CSUM),
    AVPS_FEATURE(AVPS_NET_F_MRG_RXBUF, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE(AVPS_NET_F_STATUS, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE(AVPS_NET_F_CTRL_VQ, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE_NEEDS(AVPS_NET_F_CTRL_RX, AVPS_FEATURE_OFFERED, AVPS_NET_F_CTRL_VQ),
    AVPS_FEATURE_NEEDS(AVPS_NET_F_CTRL_VLAN, AVPS_FEATURE_OFFERED, AVPS_NET_F_CTRL_VQ),
    AVPS_FEATURE(AVPS_NET_F_CTRL_RX_EXTRA, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE_NEEDS(AVPS_NET_F_GUEST_ANNOUNCE, AVPS_FEATURE_OFFERED, AVPS_NET_F_CTRL_VQ),
    AVPS_FEATURE_NEEDS(AVPS_NET_F_MQ, AVPS_FEATURE_OFFERED, AVPS_NET_F_CTRL_VQ),
    AVPS_FEATURE_NEEDS(AVPS_NET_F_CTRL_MAC_ADDR, AVPS_FEATURE_OFFERED, AVPS_NET_F_CTRL_VQ),
    AVPS_FEATURE_NEEDS_AND_ANY(AVPS_NET_F_HASH_TUNNEL, AVPS_FEATURE_OFFERED, AVPS_NET_F_CTRL_VQ,
                               AVPS_NET_F_RSS, AVPS_NET_F_HASH_REPORT),
    AVPS_FEATURE_NEEDS(AVPS_NET_F_VQ_NOTF_COAL, AVPS_FEATURE_OFFERED, AVPS_NET_F_CTRL_VQ),
    AVPS_FEATURE_NEEDS(AVPS_NET_F_NOTF_COAL, AVPS_FEATURE_OFFERED, AVPS_NET_F_CTRL_VQ),
    AVPS_FEATURE_NEEDS(AVPS_NET_F_GUEST_USO4, AVPS_FEATURE_OFFERED, AVPS_NET_F_GUEST_CSUM),
    AVPS_FEATURE_NEEDS(AVPS_NET_F_GUEST_USO6, AVPS_FEATURE_OFFERED, AVPS_NET_F_GUEST_CSUM),
    AVPS_FEATURE_NEEDS(AVPS_NET_F_HOST_USO, AVPS_FEATURE_OFFERED, AVPS_NET_F_CSUM),
    AVPS_FEATURE(AVPS_NET_F_HASH_REPORT, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE(AVPS_NET_F_GUEST_HDRLEN, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE_NEEDS(AVPS_NET_F_RSS, AVPS_FEATURE_OFFERED, AVPS_NET_F_CTRL_VQ),
    AVPS_FEATURE(AVPS_NET_F_SPEED_DUPLEX, AVPS_FEATURE_OFFERED),
};

/* Bit n of config.offloads stands for this feature. */
static const uint8_t net_offload_features[] = {
    AVPS_NET_F_CSUM,       AVPS_NET_F_HOST_TSO4, AVPS_NET_F_HOST_TSO6,  AVPS_NET_F_HOST_ECN,
    AVPS_NET_F_HOST_UFO,   AVPS_NET_F_HOST_USO,  AVPS_NET_F_GUEST_CSUM, AVPS_NET_F_GUEST_TSO4,
    AVPS_NET_F_GUEST_TSO6, AVPS_NET_F_GUEST_ECN, AVPS_NET_F_GUEST_UFO,  AVPS_NET_F_GUEST_USO4,
    AVPS_NET_F_GUEST_USO6,
};

#define NET_GUEST_OFFLOADS 6U /* the first of those that the guest receives */

static void net_offer_offloads(const struct avps_net_config *config, struct avps_features *offer)
{
    for (size_t i = 0; i < AVPS_COUNT_OF(net_offload_features); i++) {
        if ((config->offloads >> i & 1U) != 0U) {
            avps_features_add(offer, net_offload_features[i]);
        }
    }
    if ((config->offloads &
         (AVPS_NET_TX_TSO4 | AVPS_NET_TX_TSO6 | AVPS_NET_TX_UFO | AVPS_NET_TX_USO)) != 0U) {
        avps_features_add(offer, AVPS_NET_F_GUEST_HDRLEN);
    }
}

/* [net-1.13] [net-1.14] Some features make no sense without a control queue, though the standard
 * lets a driver accept them so; they are not offered. */
static void net_offer_control(const struct avps_net_config *config, struct avps_features *offer)
{
    static const uint8_t bits[] = {
        AVPS_NET_F_CTRL_VQ,       AVPS_NET_F_CTRL_RX,
        AVPS_NET_F_CTRL_VLAN,     AVPS_NET_F_CTRL_RX_EXTRA,
        AVPS_NET_F_CTRL_MAC_ADDR, AVPS_NET_F_GUEST_ANNOUNCE,
        AVPS_NET_F_HASH_REPORT,   AVPS_NET_F_CTRL_GUEST_OFFLOADS,
        AVPS_NET_F_RSS,           AVPS_NET_F_HASH_TUNNEL,
    };

    if (avps_features_has(&config->base.withhold, AVPS_NET_F_CTRL_VQ)) {
        return;
    }
    for (size_t i = 0; i < AVPS_COUNT_OF(bits); i++) {
        avps_features_add(offer, bits[i]);
    }
    if (config->pair_count > 1U) { /* [net-x16] [net-x17] RSS above, or MQ, or both */
        avps_features_add(offer, AVPS_NET_F_MQ);
    }
    const struct avps_port *port = config->base.port;
    if (port != NULL && port->sys != NULL && port->sys->now_ns != NULL &&
        port->sys->timer != NULL) {
        avps_features_add(offer, AVPS_NET_F_NOTF_COAL);
        avps_features_add(offer, AVPS_NET_F_VQ_NOTF_COAL);
    }
}

static void net_offer(const struct avps_net_config *config, struct avps_features *offer)
{
    avps_features_add(offer, AVPS_NET_F_MRG_RXBUF);
    avps_features_add(offer, AVPS_NET_F_STATUS);
    if (!net_mac_is_zero(config->mac)) {
        avps_features_add(offer, AVPS_NET_F_MAC); /* [AVPS NET-6] */
    }
    if (config->mtu != 0U) {
        avps_features_add(offer, AVPS_NET_F_MTU); /* [AVPS NET-5] */
    }
    if (config->speed_known) {
        avps_features_add(offer, AVPS_NET_F_SPEED_DUPLEX);
    }
    net_offer_offloads(config, offer);
    net_offer_control(config, offer);
}

/* Whether a set has nothing but receive offloads, all of them accepted by the driver. */
bool avps_net_offloads_are_negotiated(const struct avps_net *net, const struct avps_features *set)
{
    struct avps_features rest = *set;

    for (size_t i = NET_GUEST_OFFLOADS; i < AVPS_COUNT_OF(net_offload_features); i++) {
        if (avps_device_has(&net->base, net_offload_features[i])) {
            avps_features_remove(&rest, net_offload_features[i]);
        }
    }
    return (rest.word[0] | rest.word[1] | rest.word[2] | rest.word[3]) == 0U;
}

/* Which kinds of large frames a set of features stands for. */
void avps_net_set_offloads(struct avps_net *net, const struct avps_features *set)
{
    net->guest_offloads = *set;
    net->rx_csum = avps_features_has(set, AVPS_NET_F_GUEST_CSUM);
    net->rx_ecn = avps_features_has(set, AVPS_NET_F_GUEST_ECN);
    net->rx_uso4 = avps_features_has(set, AVPS_NET_F_GUEST_USO4);
    net->rx_uso6 = avps_features_has(set, AVPS_NET_F_GUEST_USO6);
    net->rx_kinds = 0;
    if (!net->rx_csum) {
        return; /* a large frame always has a partial checksum */
    }
    net->rx_kinds =
        (uint8_t)((avps_features_has(set, AVPS_NET_F_GUEST_TSO4) ? 1U << AVPS_NET_GSO_TCPV4 : 0U) |
                  (avps_features_has(set, AVPS_NET_F_GUEST_TSO6) ? 1U << AVPS_NET_GSO_TCPV6 : 0U) |
                  (avps_features_has(set, AVPS_NET_F_GUEST_UFO) ? 1U << AVPS_NET_GSO_UDP : 0U) |
                  (net->rx_uso4 || net->rx_uso6 ? 1U << AVPS_NET_GSO_UDP_L4 : 0U));
}

/* Negotiated offloads are on until the driver switches them. */
static void net_default_offloads(struct avps_net *net)
{
    struct avps_features set = {{0}};

    for (size_t i = NET_GUEST_OFFLOADS; i < AVPS_COUNT_OF(net_offload_features); i++) {
        if (avps_device_has(&net->base, net_offload_features[i])) {
            avps_features_add(&set, net_offload_features[i]);
        }
    }
    avps_net_set_offloads(net, &set);
}

static void net_latch_tx(struct avps_net *net)
{
    const struct avps_features *set = &net->base.accepted;

    net->tx_csum = avps_features_has(set, AVPS_NET_F_CSUM);
    net->tx_ecn = avps_features_has(set, AVPS_NET_F_HOST_ECN);
    net->tx_hdrlen = avps_features_has(set, AVPS_NET_F_GUEST_HDRLEN);
    net->tx_kinds =
        (uint8_t)((avps_features_has(set, AVPS_NET_F_HOST_TSO4) ? 1U << AVPS_NET_GSO_TCPV4 : 0U) |
                  (avps_features_has(set, AVPS_NET_F_HOST_TSO6) ? 1U << AVPS_NET_GSO_TCPV6 : 0U) |
                  (avps_features_has(set, AVPS_NET_F_HOST_UFO) ? 1U << AVPS_NET_GSO_UDP : 0U) |
                  (avps_features_has(set, AVPS_NET_F_HOST_USO) ? 1U << AVPS_NET_GSO_UDP_L4 : 0U));
}

/* ---- configuration space ---- */

struct virtio_net_config {
    uint8_t mac[6];
    avps_le16 status;
    avps_le16 max_virtqueue_pairs;
    avps_le16 mtu;
    avps_le32 speed;
    uint8_t duplex;
    uint8_t rss_max_key_size;
    avps_le16 rss_max_indirection_table_length;
    avps_le32 supported_hash_types;
    avps_le32 supported_tunnel_types;
};
AVPS_WIRE_SIZE(struct virtio_net_config, 28);

/* [net-1.1] [net-1.2] [net-1.7] [net-1.8] [net-1.10] [net-1.11] What is not offered reads 0. */
static void net_config_get(const struct avps_device *dev, uint8_t *image)
{
    const struct avps_net *net =
        (const struct avps_net *)(const void *)((const uint8_t *)dev -
                                                offsetof(struct avps_net, base));
    const struct avps_features *offered = &dev->offered;
    const bool rss = avps_features_has(offered, AVPS_NET_F_RSS);
    const bool hash = rss || avps_features_has(offered, AVPS_NET_F_HASH_REPORT);
    struct virtio_net_config config;

    (void)memset(&config, 0, sizeof config);
    (void)memcpy(config.mac, net->mac, sizeof config.mac);
    if (avps_features_has(offered, AVPS_NET_F_STATUS)) {
        config.status = avps_le16_of(net->status);
    }
    if (rss || avps_features_has(offered, AVPS_NET_F_MQ)) {
        config.max_virtqueue_pairs = avps_le16_of(net->pair_count);
    }
    if (avps_features_has(offered, AVPS_NET_F_MTU)) {
        config.mtu = avps_le16_of(net->mtu); /* [net-1.4] never written again */
    }
    if (avps_features_has(offered, AVPS_NET_F_SPEED_DUPLEX)) {
        config.speed = avps_le32_of(net->speed);
        config.duplex = net->duplex;
    }
    if (hash) {
        config.rss_max_key_size = (uint8_t)sizeof net->rss.key;
        config.supported_hash_types = avps_le32_of(NET_HASH_TYPES);
    }
    if (rss) {
        config.rss_max_indirection_table_length = avps_le16_of(AVPS_NET_RSS_TABLE);
    }
    if (avps_features_has(offered, AVPS_NET_F_HASH_TUNNEL)) {
        config.supported_tunnel_types = avps_le32_of(NET_HASH_TUNNELS);
    }
    (void)memcpy(image, &config, sizeof config);
}

/* ---- link and announcements ---- */

void avps_net_set_link(struct avps_net *net, bool up)
{
    const uint16_t bit = up ? VIRTIO_NET_S_LINK_UP : 0U;

    if ((net->status & VIRTIO_NET_S_LINK_UP) != bit) {
        net->status = (uint16_t)(net->status ^ VIRTIO_NET_S_LINK_UP);
        avps_device_config_changed(&net->base);
    }
}

/* [net-1.12] */
enum avps_status avps_net_set_speed(struct avps_net *net, uint32_t speed, uint8_t duplex)
{
    if (!avps_features_has(&net->base.offered, AVPS_NET_F_SPEED_DUPLEX)) {
        return AVPS_E_UNSUPPORTED;
    }
    if ((speed > 0x7fffffffU && speed != 0xffffffffU) || (duplex > 1U && duplex != 0xffU)) {
        return AVPS_E_PARAM;
    }
    if ((net->status & VIRTIO_NET_S_LINK_UP) != 0U) {
        return AVPS_E_STATE;
    }
    net->speed = speed;
    net->duplex = duplex;
    avps_device_config_changed(&net->base);
    return AVPS_OK;
}

enum avps_status avps_net_announce(struct avps_net *net)
{
    if (!avps_device_has(&net->base, AVPS_NET_F_GUEST_ANNOUNCE) ||
        !avps_device_has(&net->base, AVPS_NET_F_STATUS)) {
        return AVPS_E_UNSUPPORTED;
    }
    if (!avps_device_is_live(&net->base)) {
        return AVPS_E_STATE;
    }
    net->status |= VIRTIO_NET_S_ANNOUNCE;
    avps_device_config_changed(&net->base);
    return AVPS_OK;
}

/* ---- life ---- */

static enum avps_queue_kind net_queue_kind(const struct avps_device *dev, uint16_t queue)
{
    const struct avps_net *net =
        (const struct avps_net *)(const void *)((const uint8_t *)dev -
                                                offsetof(struct avps_net, base));

    if (net->control != 0U && queue == net->control) {
        return AVPS_QUEUE_REQUEST;
    }
    return (queue & 1U) != 0U ? AVPS_QUEUE_BURST : AVPS_QUEUE_SUPPLY;
}

static enum avps_status net_request(struct avps_device *dev, uint16_t queue,
                                    struct avps_chain *chain)
{
    (void)queue;
    return avps_net_control(dev, chain);
}

void avps_net_fault(struct avps_net *net, uint16_t queue, enum avps_status status)
{
    net->base.queues[queue].vq.fault = status;
    avps_device_event(&net->base, AVPS_EVENT_QUEUE_FAULT, queue, (uint64_t)(-(int64_t)status));
    avps_device_fault(&net->base, status);
}

/* Everything that the features decide is latched here, once (I27). */
static void net_activate(struct avps_device *dev)
{
    struct avps_net *net = net_of(dev);
    const bool hash = avps_device_has(dev, AVPS_NET_F_HASH_REPORT);

    net->hdr_size = hash ? NET_HDR_SIZE_HASH : NET_HDR_SIZE;
    net->mergeable = avps_device_has(dev, AVPS_NET_F_MRG_RXBUF);
    net->control =
        avps_device_has(dev, AVPS_NET_F_CTRL_VQ) ? (uint16_t)(2U * net_pairs_usable(net)) : 0U;
    net->mac_known = net->mac_known || avps_device_has(dev, AVPS_NET_F_MAC);
    net->frame_max = avps_device_has(dev, AVPS_NET_F_MTU) ? net->mtu + NET_ETH_HEADER
                                                          : NET_FRAME_MAX - 2U * NET_VLAN_TAG;
    net_latch_tx(net);
    if (!net->loaded) {
        net_default_offloads(net);
    }
    if (!net->loaded && net->control == 0U) {
        avps_net_steer_auto(net, net_pairs_usable(net)); /* of these, the ones that are started */
    }
    if (net->ops->live != NULL) {
        net->ops->live(net->ctx, true);
    }
}

static enum avps_status net_cancel(struct avps_device *dev, uint32_t which)
{
    struct avps_net *net = net_of(dev);

    for (uint16_t i = 0; i < net->pair_count; i++) {
        if (which == AVPS_ALL_QUEUES || which == net_tx_queue(i)) {
            avps_net_tx_drop(net, i);
        }
    }
    return AVPS_OK;
}

static void net_queue_reset(struct avps_device *dev, uint16_t queue)
{
    struct avps_net *net = net_of(dev);
    const uint16_t pair = (uint16_t)(queue / 2U);

    if (pair < net->pair_count) {
        net->pairs[pair].tx.blocked = (queue & 1U) == 0U && net->pairs[pair].tx.blocked;
        avps_net_coal_queue_reset(net, queue);
    }
}

/* [net-5.3] [net-7.1] [net-10.1] [net-13.9] */
static void net_reset(struct avps_device *dev)
{
    struct avps_net *net = net_of(dev);

    net->pairs_in_use = 1;
    net->control = 0;
    net->steering = AVPS_NET_STEER_ONE;
    net->hash_wanted = false;
    net->tunnels = 0;
    net->mac_known = false;
    net->loaded = false;
    net->status &= (uint16_t)~VIRTIO_NET_S_ANNOUNCE;
    (void)memcpy(net->mac, net->first_mac, sizeof net->mac);
    (void)memset(&net->rss, 0, sizeof net->rss);
    (void)memset(net->coal_default, 0, sizeof net->coal_default);
    avps_net_filter_reset(net);
    avps_net_flow_reset(net);
    net->coal_owed = 0;
    for (uint16_t i = 0; i < net->pair_count; i++) {
        (void)memset(net->pairs[i].coal, 0, sizeof net->pairs[i].coal);
    }
    for (size_t i = 0; i < AVPS_NET_FLOWS; i++) {
        atomic_store_explicit(&net->flows[i], 0U, memory_order_relaxed);
    }
    if (net->ops->live != NULL) {
        net->ops->live(net->ctx, false);
    }
}

static bool net_work(struct avps_device *dev, uint32_t budget)
{
    struct avps_net *net = net_of(dev);

    (void)budget;
    if (net->coal_owed != 0U || net->coal_timer_ns != 0U) {
        avps_net_coal_work(net);
    }
    return false;
}

/* ---- ops, init ---- */

static const struct avps_device_ops net_device_ops = {
    .device_id = VIRTIO_ID_NETWORK,
    .config_size = sizeof(struct virtio_net_config),
    .features = net_features,
    .feature_count = AVPS_COUNT_OF(net_features),
    .queue_kind = net_queue_kind,
    .config_get = net_config_get,
    .activate = net_activate,
    .request = net_request,
    .supply = avps_net_rx_supply,
    .burst = avps_net_tx_run,
    .work = net_work,
    .cancel = net_cancel,
    .reset = net_reset,
    .queue_reset = net_queue_reset,
    .save = avps_net_save,
    .load = avps_net_load,
    .admin = avps_net_flow_model,
};

static bool net_config_is_valid(const struct avps_net_config *config)
{
    return config->ops != NULL && config->pairs != NULL && config->pair_count != 0U &&
           config->pair_count <= 32767U &&
           config->base.queue_count == 2U * config->pair_count + 1U &&
           !net_mac_is_group(config->mac) && (config->mtu == 0U || config->mtu >= 68U) &&
           (config->offloads & ~NET_ALL_OFFLOADS) == 0U &&
           (config->flow == NULL || config->base.admin != NULL) &&
           (config->speed <= 0x7fffffffU || config->speed == 0xffffffffU) &&
           (config->duplex <= 1U || config->duplex == 0xffU);
}

static void net_pair_init(struct avps_net_pair *pair)
{
    (void)memset(pair, 0, sizeof *pair);
    for (uint32_t i = 0; i < AVPS_BURST_MAX; i++) {
        avps_chain_init(&pair->tx.chains[i], pair->tx.segs[i], AVPS_NET_SEGS);
    }
    for (uint32_t i = 0; i < AVPS_NET_MERGE; i++) {
        avps_chain_init(&pair->rx.chains[i], pair->rx.segs[i], AVPS_NET_SEGS);
    }
}

enum avps_status avps_net_init(struct avps_net *net, const struct avps_net_config *config)
{
    struct avps_features offer = {{0}};

    if (net == NULL || config == NULL || !net_config_is_valid(config)) {
        return AVPS_E_PARAM;
    }
    (void)memset(net, 0, sizeof *net);
    net->ops = config->ops;
    net->ctx = config->ctx;
    net->pairs = config->pairs;
    net->pair_count = config->pair_count;
    net->pairs_in_use = 1;
    net->mtu = config->mtu;
    net->status = (uint16_t)(config->link_down ? 0U : VIRTIO_NET_S_LINK_UP);
    net->speed = config->speed;
    net->duplex = config->duplex;
    net->hdr_size = NET_HDR_SIZE;
    (void)memcpy(net->first_mac, config->mac, sizeof net->first_mac);
    (void)memcpy(net->mac, config->mac, sizeof net->mac);
    for (uint16_t i = 0; i < config->pair_count; i++) {
        net_pair_init(&config->pairs[i]);
    }
    for (size_t i = 0; i < AVPS_NET_FLOWS; i++) {
        atomic_init(&net->flows[i], 0U);
    }
    net->flow = config->flow;
    avps_net_flow_reset(net);
    net_offer(config, &offer);
    return avps_device_init(&net->base, &net_device_ops, &config->base, &offer);
}

const uint8_t *avps_net_mac(const struct avps_net *net)
{
    return net->mac;
}

const struct avps_net_counters *avps_net_counters(const struct avps_net *net, uint16_t pair)
{
    return pair < net->pair_count ? &net->pairs[pair].counters : NULL;
}

const struct avps_net_ctrl_counters *avps_net_ctrl_counters(const struct avps_net *net)
{
    return &net->ctrl_counters;
}
