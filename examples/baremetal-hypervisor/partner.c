/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames are queued when the switch delivers them and answered from partner_run: a host port may not send
 * while it is being delivered to. */
#include "partner.h"

#include <string.h>

#include "avps_common/platform_apply.h"

#define PARTNER_PEER      0U /* ports */
#define PARTNER_BYSTANDER 1U

static const uint8_t partner_mac[6] = {0x02, 0x61, 0x76, 0x70, 0x73, 0xfe};
static const uint8_t partner_ip[4] = {10, 0, 2, 2};

static void partner_deliver(void *ctx, const uint8_t *frame, uint32_t len,
                            const struct avps_net_offload *offload)
{
    struct partner *partner = ctx;
    struct partner_frame *place = &partner->waiting[partner->tail % PARTNER_FRAMES];

    (void)offload; /* this port takes complete frames only */
    if (partner->tail - partner->head == PARTNER_FRAMES || len > sizeof place->bytes) {
        partner->missed++;
        return;
    }
    (void)memcpy(place->bytes, frame, len);
    place->len = len;
    partner->tail++;
}

static void partner_overhear(void *ctx, const uint8_t *frame, uint32_t len,
                             const struct avps_net_offload *offload)
{
    struct partner *partner = ctx;

    (void)frame;
    (void)len;
    (void)offload;
    partner->overheard++;
}

static const struct avps_switch_host_ops partner_ops = {.deliver = partner_deliver};
static const struct avps_switch_host_ops partner_bystander_ops = {.deliver = partner_overhear};

static void partner_send(void *ctx, const uint8_t *bytes, uint32_t len)
{
    struct partner *partner = ctx;
    const struct avps_net_frame frame = {.data = bytes, .data_len = len};

    if (avps_switch_send(partner->lan, PARTNER_PEER, &frame, 1U) != AVPS_OK) {
        partner->missed++;
    }
}

void partner_run(struct partner *partner)
{
    for (; partner->head != partner->tail; partner->head++) {
        const struct partner_frame *frame = &partner->waiting[partner->head % PARTNER_FRAMES];

        peer_receive(&partner->peer, frame->bytes, frame->len);
    }
}

static enum avps_status partner_connect(struct partner *partner, uint16_t port,
                                        const struct avps_switch_host_ops *ops,
                                        const struct avps_platform_network *network)
{
    struct avps_switch_port_config config = {.host = ops, .host_ctx = partner};

    avps_platform_uplink_port(network, &config);
    return avps_switch_connect(partner->lan, port, &config);
}

enum avps_status partner_init(struct partner *partner, struct avps_switch *lan,
                              const struct avps_platform_network *network)
{
    partner->lan = lan;
    partner->peer.send = partner_send;
    partner->peer.ctx = partner;
    (void)memcpy(partner->peer.mac, partner_mac, sizeof partner_mac);
    (void)memcpy(partner->peer.ip, partner_ip, sizeof partner_ip);
    const enum avps_status status = partner_connect(partner, PARTNER_PEER, &partner_ops, network);

    return status == AVPS_OK
               ? partner_connect(partner, PARTNER_BYSTANDER, &partner_bystander_ops, network)
               : status;
}
