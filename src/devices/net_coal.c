/* SPDX-License-Identifier: BSD-3-Clause */
/* Notification coalescing: when one is due -> publishing -> time -> the driver's parameters. Used
 * chains are published at once; only the notification waits, for `max_packets` chains or
 * `max_usecs` since the first, whichever comes first. */
#include "devices/net_internal.h"

static struct avps_net_coal *coal_of(struct avps_net *net, uint16_t queue)
{
    return &net->pairs[queue / 2U].coal[queue & 1U];
}

/* ---- when one is due ---- */

static uint64_t coal_deadline(const struct avps_net_coal *coal)
{
    return coal->since_ns + (uint64_t)coal->max_usecs * 1000U;
}

/* [net-13.7] Never later than a whole ring of chains. */
static bool coal_is_due(const struct avps_net *net, uint16_t queue,
                        const struct avps_net_coal *coal, uint64_t now)
{
    return coal->packets >= coal->max_packets || coal->max_usecs == 0U ||
           coal->packets >= net->base.queues[queue].vq.size || now >= coal_deadline(coal);
}

/* [net-13.8] The driver may have switched notifications off since. */
static void coal_fire(struct avps_net *net, uint16_t queue, struct avps_net_coal *coal)
{
    coal->packets = 0;
    coal->owed = false;
    net->coal_owed--;
    if (!avps_vq_is_muted(&net->base.queues[queue].vq)) {
        avps_device_notify(&net->base, queue);
    }
}

static void coal_arm(struct avps_net *net, uint64_t deadline)
{
    if (net->coal_timer_ns != deadline) {
        net->coal_timer_ns = deadline;
        net->base.port.sys->timer(net->base.port.sys_ctx, deadline);
    }
}

/* ---- publishing ---- */

/* A notification was due: hold it back. */
static void coal_hold(struct avps_net *net, struct avps_net_coal *coal)
{
    if (!coal->owed) {
        coal->owed = true;
        coal->since_ns = avps_device_now_ns(&net->base);
        net->coal_owed++;
    }
}

void avps_net_publish(struct avps_net *net, uint16_t pair, unsigned int half, uint32_t chains)
{
    const uint16_t queue = half == NET_RX ? net_rx_queue(pair) : net_tx_queue(pair);
    struct avps_net_coal *coal = &net->pairs[pair].coal[half];

    if (AVPS_LIKELY(coal->max_packets == 0U || coal->max_usecs == 0U)) {
        avps_device_flush(&net->base, queue);
        return;
    }
    coal->packets = chains < UINT32_MAX - coal->packets ? coal->packets + chains : UINT32_MAX;
    if (avps_device_publish(&net->base, queue)) {
        coal_hold(net, coal);
    }
    if (!coal->owed) {
        coal->packets = 0; /* the driver does not want one */
        return;
    }
    if (coal_is_due(net, queue, coal, avps_device_now_ns(&net->base))) {
        coal_fire(net, queue, coal);
    } else if (net->coal_timer_ns == 0U || coal_deadline(coal) < net->coal_timer_ns) {
        coal_arm(net, coal_deadline(coal));
    }
}

/* ---- time ---- */

/* Send what is due; the timer is set to what is due next. */
void avps_net_coal_work(struct avps_net *net)
{
    const uint32_t queues = net->coal_owed != 0U ? 2U * (uint32_t)net->pair_count : 0U;
    const uint64_t now = queues != 0U ? avps_device_now_ns(&net->base) : 0U;
    uint64_t next = 0;

    for (uint32_t i = 0; i < queues; i++) {
        const uint16_t queue = (uint16_t)i;
        struct avps_net_coal *coal = coal_of(net, queue);

        if (!coal->owed) {
            continue;
        }
        if (coal_is_due(net, queue, coal, now)) {
            coal_fire(net, queue, coal);
        } else if (next == 0U || coal_deadline(coal) < next) {
            next = coal_deadline(coal);
        }
    }
    if (net->coal_timer_ns != next) {
        coal_arm(net, next);
    }
}

/* ---- parameters ---- */

/* New parameters may make a notification due at once. */
static void coal_set(struct avps_net *net, uint16_t queue, const struct avps_net_coal *values)
{
    struct avps_net_coal *coal = coal_of(net, queue);

    coal->max_packets = values->max_packets;
    coal->max_usecs = values->max_usecs;
    if (coal->owed && coal_is_due(net, queue, coal, avps_device_now_ns(&net->base))) {
        coal_fire(net, queue, coal);
    }
}

void avps_net_coal_set_all(struct avps_net *net, unsigned int half,
                           const struct avps_net_coal *values)
{
    net->coal_default[half].max_packets = values->max_packets;
    net->coal_default[half].max_usecs = values->max_usecs;
    for (uint16_t i = 0; i < net->pair_count; i++) {
        coal_set(net, half == NET_RX ? net_rx_queue(i) : net_tx_queue(i), values);
    }
}

/* [net-13.4] Of a receive or transmit queue that is enabled; NULL for any other. */
const struct avps_net_coal *avps_net_coal_get(struct avps_net *net, uint16_t queue)
{
    const bool exists = queue < 2U * (uint32_t)net_pairs_usable(net);

    return exists && net->base.queues[queue].vq.live ? coal_of(net, queue) : NULL;
}

/* The queue is one that avps_net_coal_get knows. */
void avps_net_coal_set(struct avps_net *net, uint16_t queue, const struct avps_net_coal *values)
{
    coal_set(net, queue, values);
}

/* [net-13.5] [net-13.6] The next life of the queue starts with what was set for all. */
void avps_net_coal_queue_reset(struct avps_net *net, uint16_t queue)
{
    struct avps_net_coal *coal = coal_of(net, queue);

    net->coal_owed -= coal->owed ? 1U : 0U;
    *coal = (struct avps_net_coal){.max_packets = net->coal_default[queue & 1U].max_packets,
                                   .max_usecs = net->coal_default[queue & 1U].max_usecs};
}
