/* SPDX-License-Identifier: BSD-3-Clause */
/* Which frames the guest wants: receive modes, address tables, VLANs, as the driver set them. */
#include "devices/net_internal.h"

static bool filter_mode(const struct avps_net *net, unsigned int command)
{
    return (net->filter.modes >> command & 1U) != 0U;
}

static bool filter_table_has(const uint8_t (*table)[6], uint32_t count, const uint8_t *mac)
{
    for (uint32_t i = 0; i < count; i++) {
        if (memcmp(table[i], mac, NET_MAC) == 0) {
            return true;
        }
    }
    return false;
}

static bool filter_is_broadcast(const uint8_t *mac)
{
    return (mac[0] & mac[1] & mac[2] & mac[3] & mac[4] & mac[5]) == 0xffU;
}

/* [net-8.1] [net-8.2] */
static bool filter_wants_vlan(const struct avps_net *net, const struct net_peek *peek)
{
    if (!avps_device_has(&net->base, AVPS_NET_F_CTRL_VLAN) ||
        net_be16(peek->bytes + 12) != NET_ETH_VLAN) {
        return true;
    }
    if (peek->len < NET_ETH_HEADER + NET_VLAN_TAG) {
        return false; /* a tag that is not all there */
    }
    const uint32_t vlan = net_be16(peek->bytes + 14) & 0xfffU;
    return (net->filter.vlans[vlan / 32U] >> (vlan % 32U) & 1U) != 0U;
}

/* [net-6.9] [net-6.12] [net-6.13] Broadcasts obey their own mode alone. [net-6.4] [net-6.7]
 * [net-6.8] Without CTRL_RX a driver cannot ask for groups, so it gets all. */
static bool filter_wants_group(const struct avps_net *net, const uint8_t *mac)
{
    const struct avps_net_filter *filter = &net->filter;

    if (filter_is_broadcast(mac)) {
        return !filter_mode(net, VIRTIO_NET_CTRL_RX_NOBCAST);
    }
    if (filter_mode(net, VIRTIO_NET_CTRL_RX_NOMULTI)) {
        return false;
    }
    return filter_mode(net, VIRTIO_NET_CTRL_RX_ALLMULTI) || filter->all_multicast ||
           !avps_device_has(&net->base, AVPS_NET_F_CTRL_RX) ||
           filter_table_has(filter->multicast, filter->multicast_count, mac);
}

/* [net-6.6] [net-6.10] [net-6.11] [net-7.4] A driver whose address is unknown gets all. */
static bool filter_wants_unicast(const struct avps_net *net, const uint8_t *mac)
{
    const struct avps_net_filter *filter = &net->filter;

    if (filter_mode(net, VIRTIO_NET_CTRL_RX_NOUNI)) {
        return false;
    }
    return filter_mode(net, VIRTIO_NET_CTRL_RX_ALLUNI) || filter->all_unicast || !net->mac_known ||
           memcmp(net->mac, mac, NET_MAC) == 0 ||
           filter_table_has(filter->unicast, filter->unicast_count, mac);
}

/* [net-6.2] [net-6.3] `peek` has at least the Ethernet header. */
bool avps_net_wants(const struct avps_net *net, const struct net_peek *peek)
{
    if (filter_mode(net, VIRTIO_NET_CTRL_RX_PROMISC)) {
        return true;
    }
    if (!filter_wants_vlan(net, peek)) {
        return false;
    }
    return net_mac_is_group(peek->bytes) ? filter_wants_group(net, peek->bytes)
                                         : filter_wants_unicast(net, peek->bytes);
}

/* What avps_net_wants says of most frames, for all frames of a burst: it takes every one [net-6.2],
 * every unicast, those for the guest's address, or none without a second look. */
struct net_glance avps_net_glance(const struct avps_net *net)
{
    const struct avps_net_filter *filter = &net->filter;
    struct net_glance glance = {1, 0, avps_device_has(&net->base, AVPS_NET_F_CTRL_VLAN)};
    uint8_t value[sizeof glance.value] = {0};
    uint8_t mask[sizeof glance.mask] = {1}; /* the bit of a group address */

    if (filter_mode(net, VIRTIO_NET_CTRL_RX_PROMISC)) {
        return (struct net_glance){0, 0, false};
    }
    if (filter_mode(net, VIRTIO_NET_CTRL_RX_NOUNI)) {
        return glance; /* no bytes under an empty mask are 1 */
    }
    if (!filter_mode(net, VIRTIO_NET_CTRL_RX_ALLUNI) && !filter->all_unicast && net->mac_known) {
        (void)memcpy(value, net->mac, NET_MAC);
        (void)memset(mask, 0xff, NET_MAC);
    }
    (void)memcpy(&glance.value, value, sizeof value);
    (void)memcpy(&glance.mask, mask, sizeof mask);
    return glance;
}

/* [net-7.1] */
void avps_net_filter_reset(struct avps_net *net)
{
    (void)memset(&net->filter, 0, sizeof net->filter);
}
