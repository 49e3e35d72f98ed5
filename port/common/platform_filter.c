/* SPDX-License-Identifier: BSD-3-Clause */
/* Judging one frame -> sending it -> a burst -> the other ops -> init. */
#include "avps_common/platform_filter.h"

#include <string.h>

#define FILTER_MAC         6U
#define FILTER_HEADER      14U
#define FILTER_KBIT_BYTES  125U
#define FILTER_KIB         1024U
#define FILTER_NS_PER_BYTE 1000000000ULL

/* ---- one frame, copied ---- */

static bool filter_mac_is_listed(const struct avps_platform_net *net, const uint8_t *mac)
{
    bool listed = net->mac_any;

    for (uint32_t i = 0; i < net->mac_count; i++) {
        listed = listed || memcmp(net->macs[i], mac, FILTER_MAC) == 0;
    }
    return listed;
}

/* A tag is payload where there are no VLANs; else it leads to others than the uplink. */
static bool filter_tag_is_allowed(const struct avps_platform_net *net, const uint8_t *frame)
{
    const bool tagged = frame[12] == 0x81U && frame[13] == 0x00U;

    return !tagged || (net->vlan == 0U && net->vlans.count == 0U);
}

static void filter_refill(struct avps_platform_filter *filter)
{
    const uint64_t burst = (uint64_t)filter->net->burst_kib * FILTER_KIB;
    const uint64_t rate = (uint64_t)filter->net->rate_kbit * FILTER_KBIT_BYTES;
    const uint64_t now = filter->port.sys->now_ns(filter->port.sys_ctx);
    const uint64_t full_ns = burst * FILTER_NS_PER_BYTE / rate + 1U;
    const uint64_t passed = now - filter->refilled_ns;
    const uint64_t bytes = passed >= full_ns ? burst : passed * rate / FILTER_NS_PER_BYTE;

    if (bytes != 0U) { /* else the time is not lost */
        filter->refilled_ns = now;
        filter->tokens = filter->tokens + bytes < burst ? filter->tokens + bytes : burst;
    }
}

static bool filter_rate_allows(struct avps_platform_filter *filter, uint32_t len)
{
    if (filter->net->rate_kbit == 0U) {
        return true;
    }
    filter_refill(filter);
    return filter->tokens >= len;
}

/* Whether a frame may go out; if not, why is counted. */
static bool filter_allows(struct avps_platform_filter *filter, uint32_t len)
{
    struct avps_platform_filter_counters *counters = &filter->counters;

    if (!filter_mac_is_listed(filter->net, filter->frame + FILTER_MAC)) {
        counters->spoofed++;
        return false;
    }
    if (!filter_tag_is_allowed(filter->net, filter->frame)) {
        counters->wrong_vlan++;
        return false;
    }
    if (!filter_rate_allows(filter, len)) {
        counters->over_rate++;
        return false;
    }
    return true;
}

/* ---- sending ---- */

/* Give the copy to the back end. @return false: it has no room. */
static bool filter_send(struct avps_platform_filter *filter, uint16_t pair,
                        const struct avps_net_packet *packet, enum avps_status *status)
{
    const struct avps_seg seg = {.ptr = filter->frame, .len = packet->len};
    const struct avps_net_packet copy = {.offload = packet->offload,
                                         .len = packet->len,
                                         .data = filter->frame,
                                         .segs = &seg,
                                         .seg_count = 1U};
    uint32_t taken = 1U;

    *status = filter->ops->transmit(filter->ctx, pair, &copy, 1U, &taken);
    if (taken == 0U) {
        return false;
    }
    filter->counters.passed++;
    if (filter->net->rate_kbit != 0U) {
        filter->tokens -= packet->len;
    }
    return true;
}

/* One frame of a burst: dropped, or sent. @return false: the back end has no room. */
static bool filter_serve(struct avps_platform_filter *filter, uint16_t pair,
                         const struct avps_net_packet *packet, enum avps_status *status)
{
    if (packet->len > filter->frame_size ||
        avps_net_packet_copy(packet, 0, filter->frame, packet->len) != AVPS_OK) {
        filter->counters.too_long++;
        return true;
    }
    return !filter_allows(filter, packet->len) || filter_send(filter, pair, packet, status);
}

/* ---- ops ---- */

static enum avps_status filter_transmit(void *ctx, uint16_t pair,
                                        const struct avps_net_packet *packets, uint32_t count,
                                        uint32_t *taken)
{
    struct avps_platform_filter *filter = ctx;
    enum avps_status result = AVPS_OK;

    for (uint32_t i = 0; i < count; i++) {
        enum avps_status status = AVPS_OK;

        if (!filter_serve(filter, pair, &packets[i], &status)) {
            *taken = i;
            return result;
        }
        result = result == AVPS_OK ? status : result;
    }
    return result;
}

static void filter_rx_ready(void *ctx, uint16_t pair)
{
    const struct avps_platform_filter *filter = ctx;

    filter->ops->rx_ready(filter->ctx, pair);
}

/* [AVPS NET-8] */
static bool filter_mac_allowed(void *ctx, const uint8_t mac[6])
{
    const struct avps_platform_filter *filter = ctx;

    return filter_mac_is_listed(filter->net, mac) &&
           (filter->ops->mac_allowed == NULL || filter->ops->mac_allowed(filter->ctx, mac));
}

static void filter_live(void *ctx, bool live)
{
    const struct avps_platform_filter *filter = ctx;

    filter->ops->live(filter->ctx, live);
}

/* ---- init ---- */

static bool filter_is_valid(const struct avps_platform_filter_config *config,
                            const struct avps_net_config *net)
{
    const struct avps_port *port = config->port;
    const bool clock = port != NULL && port->sys != NULL && port->sys->now_ns != NULL;

    return config->platform != NULL && config->device != NULL &&
           config->device->kind == AVPS_PLATFORM_NET && config->frame != NULL &&
           config->frame_size >= FILTER_HEADER && net->ops != NULL && net->ops->transmit != NULL &&
           (clock || config->device->net.rate_kbit == 0U);
}

enum avps_status avps_platform_filter_init(struct avps_platform_filter *filter,
                                           const struct avps_platform_filter_config *config,
                                           struct avps_net_config *net)
{
    if (filter == NULL || config == NULL || net == NULL || !filter_is_valid(config, net)) {
        return AVPS_E_PARAM;
    }

    const struct avps_platform_net *policy = &config->device->net;

    if (policy->vlan != config->platform->networks[policy->network].uplink_vlan) {
        return AVPS_E_UNSUPPORTED;
    }
    *filter = (struct avps_platform_filter){
        .ops = net->ops,
        .ctx = net->ctx,
        .net = policy,
        .frame = config->frame,
        .frame_size = config->frame_size,
        .tokens = (uint64_t)policy->burst_kib * FILTER_KIB,
        .outer = {.transmit = filter_transmit,
                  .rx_ready = net->ops->rx_ready != NULL ? filter_rx_ready : NULL,
                  .mac_allowed = filter_mac_allowed,
                  .live = net->ops->live != NULL ? filter_live : NULL}};
    if (config->port != NULL) {
        filter->port = *config->port;
    }
    if (policy->rate_kbit != 0U) {
        filter->refilled_ns = filter->port.sys->now_ns(filter->port.sys_ctx);
    }
    net->ops = &filter->outer;
    net->ctx = filter;
    return AVPS_OK;
}

const struct avps_platform_filter_counters *
avps_platform_filter_counters(const struct avps_platform_filter *filter)
{
    return &filter->counters;
}
