/* SPDX-License-Identifier: BSD-3-Clause */
/* Saved state of the network device: what control commands have set, and the link. Read as hostile:
 * everything is checked as the command would have been (I28). */
#include "devices/net_internal.h"

/* ---- filter ---- */

static void state_put_table(struct avps_state *state, const uint8_t (*table)[6], uint32_t count,
                            bool all)
{
    avps_state_put_int(state, all ? 1U : 0U, 1);
    avps_state_put_int(state, count, 4);
    for (uint32_t i = 0; i < count; i++) {
        avps_state_put(state, table[i], NET_MAC);
    }
}

static void state_get_table(struct avps_state *state, bool group, uint8_t (*table)[6],
                            uint32_t *count, bool *all)
{
    *all = avps_state_get_bool(state);
    *count = (uint32_t)avps_state_get_int(state, 4);
    if (*count > AVPS_NET_MACS) {
        *count = 0;
        state->failed = true;
    }
    for (uint32_t i = 0; i < *count; i++) {
        avps_state_get(state, table[i], NET_MAC);
        state->failed = state->failed || net_mac_is_group(table[i]) != group;
    }
}

static void state_put_filter(struct avps_state *state, const struct avps_net_filter *filter)
{
    avps_state_put_int(state, filter->modes, 1);
    state_put_table(state, filter->unicast, filter->unicast_count, filter->all_unicast);
    state_put_table(state, filter->multicast, filter->multicast_count, filter->all_multicast);
    for (size_t i = 0; i < AVPS_COUNT_OF(filter->vlans); i++) {
        avps_state_put_int(state, filter->vlans[i], 4);
    }
}

static void state_get_filter(struct avps_state *state, struct avps_net_filter *filter)
{
    filter->modes = (uint8_t)avps_state_get_int(state, 1);
    state->failed = state->failed || filter->modes >> (VIRTIO_NET_CTRL_RX_NOBCAST + 1U) != 0U;
    state_get_table(state, false, filter->unicast, &filter->unicast_count, &filter->all_unicast);
    state_get_table(state, true, filter->multicast, &filter->multicast_count,
                    &filter->all_multicast);
    for (size_t i = 0; i < AVPS_COUNT_OF(filter->vlans); i++) {
        filter->vlans[i] = (uint32_t)avps_state_get_int(state, 4);
    }
}

/* ---- steering ---- */

static void state_put_rss(struct avps_state *state, const struct avps_net *net)
{
    avps_state_put_int(state, (uint64_t)net->steering, 1);
    avps_state_put_int(state, net->pairs_in_use, 2);
    avps_state_put_int(state, net->tunnels, 4);
    avps_state_put_int(state, net->rss.types, 4);
    avps_state_put_int(state, net->rss.mask, 2);
    avps_state_put_int(state, net->rss.unclassified, 2);
    for (uint32_t i = 0; i <= net->rss.mask; i++) {
        avps_state_put_int(state, net->rss.table[i], 2);
    }
    avps_state_put_int(state, net->rss.key_len, 1);
    avps_state_put(state, net->rss.key, sizeof net->rss.key);
}

static bool state_steering_is_possible(const struct avps_net *net)
{
    if (net->pairs_in_use == 0U || net->pairs_in_use > net_pairs_usable(net)) {
        return false;
    }
    switch (net->steering) {
    case AVPS_NET_STEER_ONE:
        return net->pairs_in_use == 1U;
    case AVPS_NET_STEER_AUTO:
        return net->pairs_in_use > 1U;
    case AVPS_NET_STEER_RSS:
        return avps_device_has(&net->base, AVPS_NET_F_RSS);
    default:
        return false;
    }
}

static void state_get_table_of_pairs(struct avps_state *state, struct avps_net *net)
{
    struct avps_net_rss *rss = &net->rss;

    if (rss->mask >= AVPS_NET_RSS_TABLE || (rss->mask & (rss->mask + 1U)) != 0U) {
        rss->mask = 0;
        state->failed = true;
    }
    state->failed = state->failed || rss->unclassified >= net->pair_count;
    for (uint32_t i = 0; i <= rss->mask; i++) {
        rss->table[i] = (uint16_t)avps_state_get_int(state, 2);
        state->failed = state->failed || rss->table[i] >= net->pair_count;
    }
}

static void state_get_rss(struct avps_state *state, struct avps_net *net)
{
    net->steering = (enum avps_net_steering)avps_state_get_int(state, 1);
    net->pairs_in_use = (uint16_t)avps_state_get_int(state, 2);
    net->tunnels = (uint32_t)avps_state_get_int(state, 4);
    net->rss.types = (uint32_t)avps_state_get_int(state, 4);
    net->rss.mask = (uint16_t)avps_state_get_int(state, 2);
    net->rss.unclassified = (uint16_t)avps_state_get_int(state, 2);
    state_get_table_of_pairs(state, net);
    net->rss.key_len = (uint8_t)avps_state_get_int(state, 1);
    avps_state_get(state, net->rss.key, sizeof net->rss.key);
    state->failed = state->failed || !state_steering_is_possible(net) ||
                    (net->tunnels & ~NET_HASH_TUNNELS) != 0U ||
                    (net->rss.types & ~NET_HASH_TYPES) != 0U ||
                    net->rss.key_len > sizeof net->rss.key;
    avps_net_update_hash(net);
}

/* ---- notification coalescing ---- */

static void state_put_coal(struct avps_state *state, const struct avps_net_coal *coal)
{
    for (size_t half = 0; half < 2U; half++) {
        avps_state_put_int(state, coal[half].max_packets, 4);
        avps_state_put_int(state, coal[half].max_usecs, 4);
        avps_state_put_int(state, coal[half].packets, 4);
        avps_state_put_int(state, coal[half].owed ? 1U : 0U, 1);
    }
}

/* A notification that was held back waits anew, and only where the driver may ask for that. */
static void state_get_coal(struct avps_state *state, struct avps_net *net,
                           struct avps_net_coal *coal)
{
    const bool allowed = avps_device_has(&net->base, AVPS_NET_F_NOTF_COAL) ||
                         avps_device_has(&net->base, AVPS_NET_F_VQ_NOTF_COAL);

    for (size_t half = 0; half < 2U; half++) {
        coal[half].max_packets = (uint32_t)avps_state_get_int(state, 4);
        coal[half].max_usecs = (uint32_t)avps_state_get_int(state, 4);
        coal[half].packets = (uint32_t)avps_state_get_int(state, 4);
        coal[half].owed = avps_state_get_bool(state);
        coal[half].since_ns = avps_device_now_ns(&net->base);
        state->failed =
            state->failed || (!allowed && (coal[half].owed || coal[half].max_packets != 0U ||
                                           coal[half].max_usecs != 0U));
    }
}

/* Also counts what is owed; the timer is set by the first poll. */
static void state_get_all_coal(struct avps_state *state, struct avps_net *net)
{
    state_get_coal(state, net, net->coal_default);
    net->coal_owed = 0;
    for (uint16_t i = 0; i < net->pair_count; i++) {
        state_get_coal(state, net, net->pairs[i].coal);
        for (size_t half = 0; half < 2U; half++) {
            net->coal_owed += net->pairs[i].coal[half].owed ? 1U : 0U;
        }
    }
}

/* ---- the whole ---- */

void avps_net_save(struct avps_device *dev, struct avps_state *state)
{
    const struct avps_net *net = net_of(dev);

    avps_state_put_int(state, net->status, 2);
    avps_state_put(state, net->mac, NET_MAC);
    avps_state_put_int(state, net->mac_known ? 1U : 0U, 1);
    for (size_t i = 0; i < 2U; i++) {
        avps_state_put_int(state, net->guest_offloads.word[i], 4);
    }
    state_put_filter(state, &net->filter);
    state_put_rss(state, net);
    state_put_coal(state, net->coal_default);
    for (uint16_t i = 0; i < net->pair_count; i++) {
        state_put_coal(state, net->pairs[i].coal);
    }
    avps_net_flow_save(net, state);
}

void avps_net_load(struct avps_device *dev, struct avps_state *state)
{
    struct avps_net *net = net_of(dev);
    struct avps_features offloads = {{0}};

    net->status = (uint16_t)avps_state_get_int(state, 2);
    avps_state_get(state, net->mac, NET_MAC);
    net->mac_known = avps_state_get_bool(state);
    offloads.word[0] = (uint32_t)avps_state_get_int(state, 4);
    offloads.word[1] = (uint32_t)avps_state_get_int(state, 4);
    avps_net_set_offloads(net, &offloads);
    state_get_filter(state, &net->filter);
    state_get_rss(state, net);
    state_get_all_coal(state, net);
    avps_net_flow_load(net, state);
    state->failed = state->failed || !avps_net_offloads_are_negotiated(net, &offloads) ||
                    net_mac_is_group(net->mac) ||
                    (net->status & ~(VIRTIO_NET_S_LINK_UP | VIRTIO_NET_S_ANNOUNCE)) != 0U;
    net->loaded = true;
}
