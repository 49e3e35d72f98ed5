/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames for the partner are queued when the switch delivers them and answered from network_run: a
 * host port may not send while it is being delivered to. The bystander only counts what it hears: a
 * switch that learns keeps the traffic of the other two away from it. */
#include "network.h"

#include <string.h>

#include "avps/net.h"
#include "avps/switch.h"
#include "clock.h"
#include "devices.h"
#include "peer.h"
#include "transport.h"
#include "uart.h"

#define NETWORK_FRAME  1518U
#define NETWORK_FRAMES 64U /* frames that can wait for the partner */
#define NETWORK_TABLE  16U
#define NETWORK_MTU    1500U
#define NETWORK_SPEED  1000U /* Mbit/s */

enum network_port { NETWORK_GUEST, NETWORK_PEER, NETWORK_BYSTANDER, NETWORK_PORTS };

struct network_frame {
    uint32_t len;
    uint8_t bytes[NETWORK_FRAME];
};

struct network {
    struct avps_net net;
    struct avps_net_pair pair[1];
    struct avps_queue queues[3];

    struct avps_switch lan;
    struct avps_switch_port ports[NETWORK_PORTS];
    struct avps_switch_entry table[NETWORK_TABLE];
    uint8_t bounce[2U * NETWORK_FRAME];

    struct peer peer;
    struct network_frame waiting[NETWORK_FRAMES];
    uint32_t head; /* next frame to answer; runs on */
    uint32_t tail; /* next free place */
    uint64_t missed;
    uint64_t overheard;
};

static struct network network;

static const uint8_t network_guest_mac[6] = {0x02, 0x61, 0x76, 0x70, 0x73, 0x01};
static const uint8_t network_peer_mac[6] = {0x02, 0x61, 0x76, 0x70, 0x73, 0x02};
static const uint8_t network_peer_ip[4] = {10, 0, 2, 2};

/* ---- host ports ---- */

static void network_deliver(void *ctx, const uint8_t *frame, uint32_t len,
                            const struct avps_net_offload *offload)
{
    struct network_frame *place = &network.waiting[network.tail % NETWORK_FRAMES];

    (void)ctx;
    (void)offload; /* this port takes complete frames only */
    if (network.tail - network.head == NETWORK_FRAMES || len > sizeof place->bytes) {
        network.missed++;
        return;
    }
    (void)memcpy(place->bytes, frame, len);
    place->len = len;
    network.tail++;
}

static void network_overhear(void *ctx, const uint8_t *frame, uint32_t len,
                             const struct avps_net_offload *offload)
{
    (void)ctx;
    (void)frame;
    (void)len;
    (void)offload;
    network.overheard++;
}

static const struct avps_switch_host_ops network_peer_ops = {.deliver = network_deliver};
static const struct avps_switch_host_ops network_bystander_ops = {.deliver = network_overhear};

/* What the partner sends. */
static void network_send(void *ctx, const uint8_t *bytes, uint32_t len)
{
    const struct avps_net_frame frame = {.data = bytes, .data_len = len};

    (void)ctx;
    if (avps_switch_send(&network.lan, NETWORK_PEER, &frame, 1U) != AVPS_OK) {
        network.missed++;
    }
}

void network_run(void)
{
    for (; network.head != network.tail; network.head++) {
        const struct network_frame *frame = &network.waiting[network.head % NETWORK_FRAMES];

        peer_receive(&network.peer, frame->bytes, frame->len);
    }
}

uint64_t network_due_ns(void)
{
    return CLOCK_NEVER;
}

/* ---- set-up and report ---- */

static enum avps_status network_connect(void)
{
    const struct avps_switch_port_config guest = {.net = &network.net};
    const struct avps_switch_port_config peer = {.host = &network_peer_ops};
    const struct avps_switch_port_config bystander = {.host = &network_bystander_ops};
    enum avps_status status = avps_switch_connect(&network.lan, NETWORK_GUEST, &guest);

    if (status == AVPS_OK) {
        status = avps_switch_connect(&network.lan, NETWORK_PEER, &peer);
    }
    return status == AVPS_OK ? avps_switch_connect(&network.lan, NETWORK_BYSTANDER, &bystander)
                             : status;
}

static enum avps_status network_add_switch(void)
{
    const struct avps_switch_config config = {.ports = network.ports,
                                              .port_count = NETWORK_PORTS,
                                              .table = network.table,
                                              .table_size = NETWORK_TABLE,
                                              .bounce = network.bounce,
                                              .bounce_size = NETWORK_FRAME};

    network.peer.send = network_send;
    (void)memcpy(network.peer.mac, network_peer_mac, sizeof network_peer_mac);
    (void)memcpy(network.peer.ip, network_peer_ip, sizeof network_peer_ip);
    return avps_switch_init(&network.lan, &config);
}

static enum avps_status network_add_device(void)
{
    struct avps_net_config config = {.base = devices_base(network.queues, 3U),
                                     .ops = &avps_switch_net_ops,
                                     .ctx = &network.ports[NETWORK_GUEST],
                                     .pairs = network.pair,
                                     .pair_count = 1U,
                                     .mtu = NETWORK_MTU,
                                     .offloads = AVPS_NET_TX_CSUM | AVPS_NET_RX_CSUM,
                                     .speed_known = true,
                                     .speed = NETWORK_SPEED,
                                     .duplex = 1U};

    (void)memcpy(config.mac, network_guest_mac, sizeof network_guest_mac);
    return avps_net_init(&network.net, &config);
}

enum avps_status network_add(void)
{
    enum avps_status status = network_add_switch();

    if (status == AVPS_OK) {
        status = network_add_device();
    }
    if (status == AVPS_OK) {
        status = network_connect();
    }
    return status == AVPS_OK ? transport_attach(&network.net.base) : status;
}

void network_report(void)
{
    const struct avps_net_counters *counters = avps_net_counters(&network.net, 0U);
    const struct avps_switch_counters *guest = avps_switch_counters(&network.lan, NETWORK_GUEST);

    uart_begin();
    uart_text("report network");
    uart_field("tx_packets", counters->tx_packets);
    uart_field("rx_packets", counters->rx_packets);
    uart_field("tx_malformed", counters->tx_malformed);
    uart_field("rx_blocked", counters->rx_blocked);
    uart_field("full", guest->full);
    uart_field("flooded", guest->flooded);
    uart_field("commands", avps_net_ctrl_counters(&network.net)->ok);
    uart_field("refused", avps_net_ctrl_counters(&network.net)->failed);
    uart_end();
    uart_begin();
    uart_text("report peer");
    uart_field("arp", network.peer.arp);
    uart_field("icmp", network.peer.icmp);
    uart_field("udp", network.peer.udp);
    uart_field("ignored", network.peer.ignored);
    uart_field("missed", network.missed);
    uart_field("overheard", network.overheard);
    uart_end();
}
