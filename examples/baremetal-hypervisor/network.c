/* SPDX-License-Identifier: BSD-3-Clause */
/* Switches; their lock; a guest's device and its port; report. */
#include "network.h"

#include <stddef.h>

#include "avps_common/platform_apply.h"
#include "clock.h"
#include "devices.h"
#include "guest.h"
#include "lock.h"
#include "partner.h"
#include "report.h"
#include "uart.h"

#define NETWORK_FRAME 1518U
#define NETWORK_TABLE 64U
#define NETWORK_PORTS (GUEST_MAX + PARTNER_PORTS)
#define NETWORK_MAX   3U
#define NETWORK_BURST                                                                              \
    (64U * 1024U) /* bytes that may come at once where the platform says nothing */

struct network {
    const struct avps_platform_network *plan;
    struct avps_switch lan;
    struct avps_switch_port ports[NETWORK_PORTS];
    uint16_t used; /* ports */
    struct avps_switch_entry table[NETWORK_TABLE];
    uint8_t bounce[2U * NETWORK_FRAME];
    struct partner partner;
};

static struct network network_all[NETWORK_MAX];
static const struct avps_platform *network_platform;
static struct fair_lock network_lock;

static void network_enter(void)
{
    fair_lock_take(&network_lock);
}

static void network_leave(void)
{
    fair_lock_give(&network_lock);
}

static const struct bm_guard network_guard = {network_enter, network_leave};

/* ---- switches ---- */

static uint64_t network_now_ns(void *ctx)
{
    (void)ctx;
    return clock_now_ns();
}

static const struct avps_sys_ops network_clock = {.now_ns = network_now_ns};
static const struct avps_port network_port = {.sys = &network_clock};

static enum avps_status network_add_switch(struct network *network)
{
    struct avps_switch_config config = {.ports = network->ports,
                                        .port_count = NETWORK_PORTS,
                                        .table = network->table,
                                        .table_size = NETWORK_TABLE,
                                        .bounce = network->bounce,
                                        .bounce_size = NETWORK_FRAME,
                                        .port = &network_port};
    enum avps_status status = avps_platform_switch(network->plan, &config);

    if (status == AVPS_OK) {
        status = avps_switch_init(&network->lan, &config);
    }
    if (status == AVPS_OK && network->plan->uplink != NULL) {
        status = partner_init(&network->partner, &network->lan, network->plan);
        network->used = PARTNER_PORTS;
    }
    return status;
}

const char *network_init(const struct avps_platform *platform)
{
    network_platform = platform;
    for (uint32_t i = 0; i < platform->network_count; i++) {
        if (i == NETWORK_MAX) {
            return platform->networks[i].name;
        }
        network_all[i].plan = &platform->networks[i];
        if (network_add_switch(&network_all[i]) != AVPS_OK) {
            return platform->networks[i].name;
        }
    }
    return NULL;
}

/* ---- a guest's device ---- */

static enum avps_status network_add_device(struct devices_part *part)
{
    struct card *card = &part->card;
    struct avps_net_config config = {.base = devices_base(part, card->queues),
                                     .ops = &avps_switch_net_ops,
                                     .ctx = &card->network->ports[card->port],
                                     .pairs = card->pair,
                                     .pair_count = 1U,
                                     .offloads = AVPS_NET_TX_CSUM | AVPS_NET_RX_CSUM};

    avps_platform_net(network_platform, part->plan, &config);
    return avps_net_init(&card->net, &config);
}

static enum avps_status network_add_port(struct devices_part *part)
{
    struct card *card = &part->card;
    struct avps_switch_port_config config = {.net = &card->net};

    avps_platform_switch_port(part->plan, &config);
    return avps_switch_connect(&card->network->lan, card->port, &config);
}

static enum avps_status network_add(struct devices_part *part)
{
    struct card *card = &part->card;

    card->network = &network_all[part->plan->net.network];
    if (card->network->used == NETWORK_PORTS || part->plan->queues != 1U) {
        return AVPS_E_NOSPACE;
    }
    card->port = card->network->used++;
    enum avps_status status = network_add_device(part);

    if (status == AVPS_OK) {
        status = network_add_port(part);
    }
    if (status == AVPS_OK) {
        status = devices_attach(part, &card->net.base);
    }
    if (status == AVPS_OK) {
        bm_guard(part->board, &network_guard);
    }
    return status;
}

/* Whoever runs first answers for the partner. */
static void network_run(struct devices_part *part)
{
    struct partner *partner = &part->card.network->partner;

    if (part->card.network->plan->uplink != NULL) {
        network_enter();
        partner_run(partner);
        network_leave();
    }
}

static uint64_t network_due_ns(const struct devices_part *part)
{
    (void)part;
    return CLOCK_NEVER;
}

static void network_restart(struct devices_part *part)
{
    (void)part;
}

/* ---- report ---- */

static void network_report_partner(const struct guest *guest, const struct partner *partner)
{
    report_begin("peer");
    uart_field("arp", partner->peer.arp);
    uart_field("icmp", partner->peer.icmp);
    uart_field("udp", partner->peer.udp);
    uart_field("ignored", partner->peer.ignored);
    uart_field("missed", partner->missed);
    uart_field("overheard", partner->overheard);
    report_end(guest);
}

static void network_report_port(const struct guest *guest, const struct avps_switch_counters *port)
{
    report_begin("port");
    uart_field("in_frames", port->in_frames);
    uart_field("out_frames", port->out_frames);
    uart_field("invalid", port->invalid);
    uart_field("spoofed", port->spoofed);
    uart_field("wrong_vlan", port->wrong_vlan);
    uart_field("over_rate", port->over_rate);
    uart_field("not_learned", port->not_learned);
    uart_field("unsent", port->unsent);
    report_end(guest);
}

static void network_report(const struct devices_part *part)
{
    const struct card *card = &part->card;
    const struct avps_net_counters *counters = avps_net_counters(&card->net, 0U);
    const struct avps_switch_counters *port = avps_switch_counters(&card->network->lan, card->port);

    network_enter();
    report_begin("network");
    uart_field("tx_packets", counters->tx_packets);
    uart_field("rx_packets", counters->rx_packets);
    uart_field("tx_malformed", counters->tx_malformed);
    uart_field("rx_blocked", counters->rx_blocked);
    uart_field("full", port->full);
    uart_field("flooded", port->flooded);
    uart_field("commands", avps_net_ctrl_counters(&card->net)->ok);
    uart_field("refused", avps_net_ctrl_counters(&card->net)->failed);
    report_end(part->guest);
    network_report_port(part->guest, port);
    if (card->network->plan->uplink != NULL) {
        network_report_partner(part->guest, &card->network->partner);
    }
    network_leave();
}

const struct devices_kind network_kind = {network_add, network_run, network_due_ns, network_restart,
                                          network_report};
