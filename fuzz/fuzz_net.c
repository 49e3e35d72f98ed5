/* SPDX-License-Identifier: BSD-3-Clause */
/* Network device with two pairs, a control queue, a clock and every offload: the back end takes
 * some of a burst, gives frames of any shape, and checks that what the guest sends is what the
 * interface promises. */
#include <string.h>

#include "avps/net.h"
#include "guest.h"

#define PAIRS 2U

static struct {
    struct avps_net net;
    struct avps_net_pair pairs[PAIRS];
    uint64_t sum;
} run;

/* I30: every offset lies in the frame. */
static void net_check_packet(const struct avps_net_packet *packet)
{
    const struct avps_net_offload *offload = &packet->offload;
    uint8_t bytes[64];
    const uint32_t some = packet->len < sizeof bytes ? packet->len : (uint32_t)sizeof bytes;

    FUZZ_CHECK(packet->len >= 14U);
    if ((offload->flags & AVPS_NET_NEEDS_CSUM) != 0U) {
        FUZZ_CHECK((uint64_t)offload->csum_start + offload->csum_offset + 2U <= packet->len);
    }
    FUZZ_CHECK((offload->gso_type & 0x7fU) == AVPS_NET_GSO_NONE || offload->gso_size != 0U);
    if (avps_net_packet_copy(packet, packet->len - some, bytes, some) == AVPS_OK) {
        run.sum += bytes[some - 1U];
    }
    FUZZ_CHECK(avps_net_packet_copy(packet, packet->len, bytes, 1) == AVPS_E_PARAM);
    for (uint32_t i = 0; packet->data != NULL && i < packet->len; i++) {
        run.sum += packet->data[i];
    }
}

static enum avps_status net_transmit(void *ctx, uint16_t pair,
                                     const struct avps_net_packet *packets, uint32_t count,
                                     uint32_t *taken)
{
    const uint8_t how = fuzz_u8(ctx);

    FUZZ_CHECK(pair < PAIRS && count != 0U && count <= AVPS_BURST_MAX);
    for (uint32_t i = 0; i < count; i++) {
        net_check_packet(&packets[i]);
    }
    if (how >= 0xc0U) {
        *taken = how % (count + 1U);
    }
    return how == 0xffU ? AVPS_E_IO : AVPS_OK;
}

static void net_rx_ready(void *ctx, uint16_t pair)
{
    (void)ctx;
    FUZZ_CHECK(pair < PAIRS);
}

static bool net_mac_allowed(void *ctx, const uint8_t mac[6])
{
    (void)ctx;
    FUZZ_CHECK((mac[0] & 1U) == 0U);
    return mac[5] != 0x13U;
}

static void net_live(void *ctx, bool live)
{
    (void)ctx;
    (void)live;
}

static const struct avps_net_ops net_ops = {.transmit = net_transmit,
                                            .rx_ready = net_rx_ready,
                                            .mac_allowed = net_mac_allowed,
                                            .live = net_live};
static const struct avps_net_ops net_poll_ops = {.rx_ready = net_rx_ready};

static bool net_init(struct fuzz_guest *guest)
{
    const uint8_t kind = fuzz_u8(guest);

    memset(&run, 0, sizeof run);
    const struct avps_net_config config = {
        .base = guest->base,
        .ops = (kind & 1U) != 0U ? &net_poll_ops : &net_ops,
        .ctx = guest,
        .pairs = run.pairs,
        .pair_count = PAIRS,
        .mac = {0x52, 0x54, 0, 0, 0, 1},
        .mtu = 1500,
        .offloads = (kind & 2U) != 0U ? 0U : 0x1fffU,
        .speed_known = true,
        .speed = 1000,
        .duplex = 1,
        .link_down = (kind & 4U) != 0U,
    };
    guest->device = &run.net.base;
    return avps_net_init(&run.net, &config) == AVPS_OK;
}

/* A burst to the guest: lengths, headers and pieces from the input. */
static void net_deliver(struct fuzz_guest *guest, uint8_t what)
{
    static uint8_t bytes[2048];
    struct avps_net_frame frames[3];
    uint32_t taken = 0;
    const uint32_t count = 1U + what % 3U;
    const struct avps_seg more = {bytes, 0, 700};

    fuzz_bytes(guest, bytes, 48);
    for (uint32_t i = 0; i < count; i++) {
        frames[i] = (struct avps_net_frame){.data = bytes,
                                            .data_len = fuzz_u32(guest) % sizeof bytes,
                                            .more = (what & 8U) != 0U ? &more : NULL,
                                            .more_count = (what & 8U) != 0U ? 1U : 0U,
                                            .more_skip = what & 7U};
        if ((what & 4U) != 0U) {
            frames[i].offload.flags = fuzz_u8(guest);
            frames[i].offload.gso_type = fuzz_u8(guest);
            frames[i].offload.gso_size = fuzz_u8(guest);
            frames[i].offload.csum_start = fuzz_u8(guest);
            frames[i].offload.csum_offset = fuzz_u8(guest);
            frames[i].offload.hdr_len = fuzz_u8(guest);
        }
    }
    const enum avps_status status =
        (what & 0x40U) != 0U ? avps_net_rx_burst(&run.net, what & 1U, frames, count, &taken)
                             : avps_net_receive(&run.net, frames, count, &taken);
    FUZZ_CHECK(status == AVPS_OK && taken <= count);
}

static void net_poll_mode(uint8_t what)
{
    const struct avps_net_packet *packets = NULL;
    uint32_t count = 0;
    const uint16_t pair = what & 1U;

    if (avps_net_tx_burst(&run.net, pair, 1U + (what & 7U), &packets, &count) != AVPS_OK) {
        return;
    }
    FUZZ_CHECK(count <= 1U + (what & 7U));
    for (uint32_t i = 0; i < count; i++) {
        net_check_packet(&packets[i]);
    }
    const enum avps_status status =
        avps_net_tx_done(&run.net, pair, (what & 0x10U) != 0U ? count / 2U : count);
    FUZZ_CHECK(status == AVPS_OK);
    (void)avps_net_tx_arm(&run.net, pair);
}

static void net_host(struct fuzz_guest *guest, uint8_t what)
{
    enum avps_status status = AVPS_OK;

    switch (what >> 5) {
    case 0:
    case 1:
    case 2:
        net_deliver(guest, what);
        break;
    case 3:
        avps_net_tx_ready(&run.net);
        break;
    case 4:
        avps_net_set_link(&run.net, (what & 1U) != 0U);
        break;
    case 5:
        status = avps_net_announce(&run.net);
        break;
    case 6:
        guest->now_ns += (uint64_t)what * 100000U;
        break;
    default:
        net_poll_mode(what);
        break;
    }
    FUZZ_CHECK(status != AVPS_E_INTERNAL);
}

static const struct fuzz_target net_target = {2U * PAIRS + 1U, net_init, net_host};

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    fuzz_run(&net_target, input, size);
    return 0;
}
