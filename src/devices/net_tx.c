/* SPDX-License-Identifier: BSD-3-Clause */
/* Guest to host: one header -> a burst from the ring -> the burst back -> the two ways to drive it
 * (queue loop, poll mode). A chain that holds no good frame is dropped and returned unread: there
 * is no answer to give on a transmit queue. */
#include "devices/net_internal.h"

enum tx_verdict { TX_GOOD, TX_MALFORMED, TX_OVERSIZE, TX_LINK_DOWN };

/* ---- one header ---- */

/* [net-2.6] [net-2.7] A hint is clipped; [net-2.5] an exact length that cannot be is refused. */
static bool tx_hdr_len_is_good(const struct avps_net *net, struct avps_net_offload *o, uint32_t len)
{
    if (o->hdr_len <= len) {
        return true;
    }
    o->hdr_len = (uint16_t)len; /* len < 65536 here */
    return !net->tx_hdrlen || o->gso_type == AVPS_NET_GSO_NONE;
}

/* [net-2.8] The bits of tunnels were never negotiated: no kind has them. */
static bool tx_gso_is_good(const struct avps_net *net, const struct avps_net_offload *o)
{
    const unsigned int kind = o->gso_type & ~(unsigned int)AVPS_NET_GSO_ECN;
    const bool ecn = (o->gso_type & AVPS_NET_GSO_ECN) != 0U;

    if (o->gso_type == AVPS_NET_GSO_NONE) {
        return true;
    }
    if (kind > 7U || (net->tx_kinds >> kind & 1U) == 0U || o->gso_size == 0U) {
        return false;
    }
    if (ecn && (!net->tx_ecn || (kind != AVPS_NET_GSO_TCPV4 && kind != AVPS_NET_GSO_TCPV6))) {
        return false;
    }
    return (o->flags & AVPS_NET_NEEDS_CSUM) != 0U;
}

/* I30. [net-2.2] Without NEEDS_CSUM the two fields are not looked at, nor passed on. */
static bool tx_csum_is_good(const struct avps_net *net, struct avps_net_offload *o, uint32_t len)
{
    if ((o->flags & AVPS_NET_NEEDS_CSUM) == 0U) {
        o->csum_start = 0;
        o->csum_offset = 0;
        return true;
    }
    return net->tx_csum && (uint32_t)o->csum_start + o->csum_offset + 2U <= len;
}

/* [net-2.1] Flags that mean nothing from a driver are taken off; whether a checksum without
 * NEEDS_CSUM is good the back end is not told [net-2.11]. */
static enum tx_verdict tx_check(const struct avps_net *net, const struct virtio_net_hdr *hdr,
                                struct avps_net_offload *o, uint32_t len)
{
    o->flags = hdr->flags & AVPS_NET_NEEDS_CSUM;
    o->gso_type = hdr->gso_type;
    o->hdr_len = avps_le16_get(hdr->hdr_len);
    o->gso_size = avps_le16_get(hdr->gso_size);
    o->csum_start = avps_le16_get(hdr->csum_start);
    o->csum_offset = avps_le16_get(hdr->csum_offset);
    if ((hdr->flags & VIRTIO_NET_HDR_F_UDP_TUNNEL_CSUM) != 0U) {
        return TX_MALFORMED; /* [net-2.10] there is never a tunnel */
    }
    if (!tx_csum_is_good(net, o, len) || !tx_gso_is_good(net, o) ||
        !tx_hdr_len_is_good(net, o, len)) {
        return TX_MALFORMED;
    }
    if (o->gso_type == AVPS_NET_GSO_NONE) {
        o->gso_size = 0;
    }
    return TX_GOOD;
}

/* Nothing is asked of the device: no kind, no checksum, no hint. */
static inline bool tx_is_plain(const struct virtio_net_hdr *hdr)
{
    static const struct virtio_net_hdr plain;

    return memcmp(hdr, &plain, offsetof(struct virtio_net_hdr, num_buffers)) == 0;
}

/* [net-1.6] The MTU does not count the Ethernet header, nor tags. */
static uint32_t tx_plain_max(const struct avps_net *net)
{
    return net->frame_max + 2U * NET_VLAN_TAG;
}

static bool tx_link_is_up(const struct avps_net *net)
{
    return (net->status & VIRTIO_NET_S_LINK_UP) != 0U;
}

/* Judge a frame of `len` bytes by its header, and say so in the packet. [net-2.9] [net-2.12] The
 * header has its negotiated size: no fields of tunnels or security. */
static enum tx_verdict tx_judge(const struct avps_net *net, const struct virtio_net_hdr *hdr,
                                uint32_t len, struct avps_net_packet *packet)
{
    packet->offload = (struct avps_net_offload){0};
    packet->len = len;
    if (len > NET_FRAME_MAX) {
        return TX_OVERSIZE;
    }
    if (!tx_is_plain(hdr)) {
        const enum tx_verdict verdict = tx_check(net, hdr, &packet->offload, len);
        if (verdict != TX_GOOD) {
            return verdict;
        }
    }
    if (packet->offload.gso_type == AVPS_NET_GSO_NONE && len > tx_plain_max(net)) {
        return TX_OVERSIZE;
    }
    return tx_link_is_up(net) ? TX_GOOD : TX_LINK_DOWN;
}

/* Where a frame starts in its chain. */
struct tx_start {
    uint32_t seg;
    uint32_t off;
};

/* The chain's own cursor stays where it is, so that the chain can be put back. */
static enum avps_status tx_read_header(const struct avps_net *net, const struct avps_chain *chain,
                                       struct virtio_net_hdr *hdr, struct tx_start *start)
{
    const struct avps_seg *seg = &chain->segs[0];
    const uint32_t size = net->hdr_size;

    if (AVPS_LIKELY(seg->ptr != NULL && seg->len >= size)) {
        avps_arch_copy_in(hdr, seg->ptr, sizeof *hdr);
        start->seg = seg->len == size ? 1U : 0U;
        start->off = seg->len == size ? 0U : size;
        return AVPS_OK;
    }
    struct avps_chain cursor = *chain;
    enum avps_status status = avps_chain_read(&cursor, hdr, sizeof *hdr);

    if (status == AVPS_OK) {
        status = avps_chain_skip(&cursor, size - (uint32_t)sizeof *hdr);
    }
    start->seg = cursor.read_seg;
    start->off = cursor.read_off;
    return status;
}

/* Fill one packet from a chain. */
static enum tx_verdict tx_parse(struct avps_net *net, uint16_t pair, const struct avps_chain *chain,
                                struct avps_net_packet *packet)
{
    struct virtio_net_hdr hdr; /* snapshot */
    struct tx_start start;

    if (chain->readable_len < net->hdr_size + NET_ETH_HEADER) {
        return TX_MALFORMED;
    }
    const enum avps_status status = tx_read_header(net, chain, &hdr, &start);
    if (AVPS_UNLIKELY(status != AVPS_OK)) {
        if (avps_status_is_guest_fault(status)) {
            avps_net_fault(net, net_tx_queue(pair), status);
        }
        return TX_MALFORMED;
    }
    packet->segs = &chain->segs[start.seg];
    packet->seg_count = chain->readable_segs - start.seg;
    packet->skip = start.off;
    packet->data = packet->seg_count == 1U && packet->segs[0].ptr != NULL
                       ? packet->segs[0].ptr + packet->skip
                       : NULL;
    packet->chain = chain;
    return tx_judge(net, &hdr, chain->readable_len - net->hdr_size, packet);
}

/* What is the same for all frames of a burst. */
struct tx_burst {
    uint32_t hdr_size;
    uint32_t easy_max; /* longest frame that needs no second look; 0: all need one */
};

static struct tx_burst tx_burst_of(const struct avps_net *net)
{
    const struct tx_burst burst = {net->hdr_size, tx_link_is_up(net) ? tx_plain_max(net) : 0U};

    return burst;
}

/* Fill one packet from a plain chain. */
static inline enum tx_verdict tx_parse_plain(const struct avps_net *net,
                                             const struct tx_burst *burst,
                                             const struct avps_plain *plain,
                                             struct avps_net_packet *packet)
{
    const uint32_t size = burst->hdr_size;
    struct virtio_net_hdr hdr; /* snapshot */

    if (AVPS_UNLIKELY(plain->seg.len < size + NET_ETH_HEADER)) {
        return TX_MALFORMED;
    }
    avps_arch_copy_in(&hdr, plain->seg.ptr, sizeof hdr);
    const uint32_t len = plain->seg.len - size;
    packet->offload = (struct avps_net_offload){0};
    packet->len = len;
    packet->data = plain->seg.ptr + size;
    packet->segs = &plain->seg;
    packet->seg_count = 1;
    packet->skip = size;
    packet->chain = NULL;
    return AVPS_LIKELY(len <= burst->easy_max && tx_is_plain(&hdr))
               ? TX_GOOD
               : tx_judge(net, &hdr, len, packet);
}

/* By the cursor of a copy of the chain. */
static enum avps_status packet_copy_pieces(const struct avps_net_packet *packet, uint32_t offset,
                                           void *dst, uint32_t len)
{
    struct avps_chain cursor = *packet->chain;

    cursor.read_seg = (uint32_t)(packet->segs - cursor.segs);
    cursor.read_off = packet->skip;
    cursor.readable_len = packet->len;
    const enum avps_status status = avps_chain_skip(&cursor, offset);

    return status == AVPS_OK ? avps_chain_read(&cursor, dst, len) : status;
}

enum avps_status avps_net_packet_copy(const struct avps_net_packet *packet, uint32_t offset,
                                      void *dst, uint32_t len)
{
    if (packet == NULL || dst == NULL || offset > packet->len || len > packet->len - offset) {
        return AVPS_E_PARAM;
    }
    if (AVPS_UNLIKELY(packet->data == NULL)) {
        return packet_copy_pieces(packet, offset, dst, len);
    }
    net_copy_in(dst, packet->data + offset, len);
    return AVPS_OK;
}

/* ---- a burst ---- */

/* After a transmission the flow's packets come back to the same pair [net-x22]. */
static void tx_learn_flow(struct avps_net *net, uint16_t pair, const struct avps_net_packet *packet)
{
    uint8_t bytes[NET_FLOW_BYTES];
    const uint32_t len = packet->len < sizeof bytes ? packet->len : (uint32_t)sizeof bytes;

    if (avps_net_packet_copy(packet, 0, bytes, len) == AVPS_OK) {
        const uint32_t flow = avps_net_flow(bytes, len) & (AVPS_NET_FLOWS - 1U);

        atomic_store_explicit(&net->flows[flow], (unsigned short)(pair + 1U), memory_order_relaxed);
    }
}

static void tx_learn_flows(struct avps_net *net, uint16_t pair)
{
    const struct avps_net_tx *tx = &net->pairs[pair].tx;

    for (uint32_t i = 0; i < tx->packet_count; i++) {
        tx_learn_flow(net, pair, &tx->packets[i]);
    }
}

static void tx_prefetch(const struct avps_net_tx *tx)
{
    for (uint32_t i = 0; i < tx->chain_count; i++) {
        if (tx->chains[i].readable_segs != 0U && tx->chains[i].segs[0].ptr != NULL) {
            AVPS_PREFETCH(tx->chains[i].segs[0].ptr);
        }
    }
}

/* What was found of chain `index` of the burst: a good one is the next packet. */
static inline void tx_accept(struct avps_net_tx *tx, uint32_t index, enum tx_verdict verdict)
{
    tx->verdict[index] = (uint8_t)verdict;
    if (AVPS_LIKELY(verdict == TX_GOOD)) {
        tx->origin[tx->packet_count++] = (uint16_t)index;
    }
}

/* Look at the headers of what was taken. Chains are numbered in ring order, plain ones first. */
static void tx_look(struct avps_net *net, uint16_t pair)
{
    struct avps_net_tx *tx = &net->pairs[pair].tx;
    const struct tx_burst burst = tx_burst_of(net);

    tx->packet_count = 0;
    for (uint32_t i = 0; i < tx->plain_count; i++) {
        tx_accept(tx, i,
                  tx_parse_plain(net, &burst, &tx->plain[i], &tx->packets[tx->packet_count]));
    }
    for (uint32_t i = 0; i < tx->chain_count; i++) {
        tx_accept(tx, tx->plain_count + i,
                  tx_parse(net, pair, &tx->chains[i], &tx->packets[tx->packet_count]));
    }
    if (net->steering == AVPS_NET_STEER_AUTO) {
        tx_learn_flows(net, pair);
    }
}

/* Take up to `max` chains and look at their headers. Nothing may be held before. */
static enum avps_status tx_collect(struct avps_net *net, uint16_t pair, uint32_t max)
{
    struct avps_net_tx *tx = &net->pairs[pair].tx;
    const uint16_t queue = net_tx_queue(pair);
    const uint32_t limit = max < AVPS_BURST_MAX ? max : AVPS_BURST_MAX;
    enum avps_status status = AVPS_OK;

    tx->chain_count = 0;
    tx->plain_count = avps_device_take_plain(&net->base, queue, AVPS_ACCESS_READ, tx->plain, limit);
    if (tx->plain_count < limit) {
        status = avps_device_pop_burst(&net->base, queue, tx->chains, limit - tx->plain_count,
                                       &tx->chain_count);
    }
    tx_prefetch(tx);
    tx_look(net, pair);
    return status;
}

static void tx_count(struct avps_net_pair *pair, uint32_t taken, uint32_t returned)
{
    struct avps_net_counters *counters = &pair->counters;

    counters->tx_packets += taken;
    for (uint32_t i = 0; i < taken; i++) {
        counters->tx_bytes += pair->tx.packets[i].len;
    }
    if (taken == returned) {
        return; /* every chain was a frame */
    }
    for (uint32_t i = 0; i < returned; i++) {
        counters->tx_malformed += pair->tx.verdict[i] == TX_MALFORMED ? 1U : 0U;
        counters->tx_oversize += pair->tx.verdict[i] == TX_OVERSIZE ? 1U : 0U;
        counters->tx_link_down += pair->tx.verdict[i] == TX_LINK_DOWN ? 1U : 0U;
    }
}

/* Put back what was taken last, newest first, until `kept` chains are left. */
static void tx_put_back(struct avps_net *net, uint16_t pair, uint32_t kept)
{
    struct avps_net_tx *tx = &net->pairs[pair].tx;
    const uint16_t queue = net_tx_queue(pair);

    while (tx->chain_count != 0U && tx->plain_count + tx->chain_count > kept) {
        tx->chain_count--;
        avps_device_unpop(&net->base, queue, &tx->chains[tx->chain_count]);
    }
    if (tx->plain_count > kept) {
        avps_device_put_back_plain(&net->base, queue, AVPS_ACCESS_READ, &tx->plain[kept],
                                   tx->plain_count - kept);
        tx->plain_count = kept;
    }
}

/* Return what was sent or dropped, in order; put the rest back. @return chains returned. */
static uint32_t tx_finish(struct avps_net *net, uint16_t pair, uint32_t taken)
{
    struct avps_net_tx *tx = &net->pairs[pair].tx;
    const uint16_t queue = net_tx_queue(pair);
    const uint32_t returned =
        taken < tx->packet_count ? tx->origin[taken] : tx->plain_count + tx->chain_count;

    tx_count(&net->pairs[pair], taken, returned);
    tx_put_back(net, pair, returned);
    if (tx->plain_count != 0U) {
        avps_device_give_plain(&net->base, queue, tx->plain, tx->plain_count);
    }
    if (tx->chain_count != 0U) {
        avps_device_push_burst(&net->base, queue, tx->chains, tx->chain_count);
    }
    if (returned != 0U) {
        avps_net_publish(net, pair, NET_TX, returned);
    }
    tx->plain_count = 0;
    tx->chain_count = 0;
    tx->packet_count = 0;
    return returned;
}

/* Forget a burst that is out: the queue goes away. */
void avps_net_tx_drop(struct avps_net *net, uint16_t pair)
{
    struct avps_net_tx *tx = &net->pairs[pair].tx;
    struct avps_vq *vq = &net->base.queues[net_tx_queue(pair)].vq;

    avps_vq_drop_plain(vq, tx->plain, tx->plain_count);
    for (uint32_t i = 0; i < tx->chain_count; i++) {
        avps_vq_drop(vq, &tx->chains[i]);
    }
    tx->plain_count = 0;
    tx->chain_count = 0;
    tx->packet_count = 0;
    tx->out = false;
}

/* ---- queue loop ---- */

/* Hand a burst to the back end. @return frames taken. */
static uint32_t tx_transmit(struct avps_net *net, uint16_t pair)
{
    struct avps_net_pair *p = &net->pairs[pair];
    uint32_t taken = p->tx.packet_count;

    if (taken == 0U) {
        return 0;
    }
    if (net->ops->transmit(net->ctx, pair, p->tx.packets, p->tx.packet_count, &taken) != AVPS_OK) {
        p->counters.tx_errors++;
    }
    if (taken >= p->tx.packet_count) {
        return p->tx.packet_count;
    }
    p->tx.blocked = true;
    p->counters.tx_blocked++;
    return taken;
}

/* Nothing came: ask for kicks. @return whether chains came meanwhile. */
static bool tx_rearm(struct avps_net *net, uint16_t queue, enum avps_status status)
{
    if (status == AVPS_AGAIN || status == AVPS_E_IO) {
        avps_device_wait(&net->base, queue);
        return false;
    }
    return avps_device_is_taking(&net->base) && avps_device_starve(&net->base, queue);
}

/* One burst. @return whether to go on; `*budget` is what is left. */
static bool tx_round(struct avps_net *net, uint16_t pair, uint32_t *budget)
{
    struct avps_net_tx *tx = &net->pairs[pair].tx;
    const enum avps_status status = tx_collect(net, pair, *budget);
    const uint32_t chains = tx->plain_count + tx->chain_count;

    if (chains == 0U) {
        (*budget)--;
        return tx_rearm(net, net_tx_queue(pair), status);
    }
    *budget -= chains;
    (void)tx_finish(net, pair, tx_transmit(net, pair));
    return !tx->blocked;
}

bool avps_net_tx_run(struct avps_device *dev, uint16_t queue, uint32_t *budget)
{
    struct avps_net *net = net_of(dev);
    const uint16_t pair = (uint16_t)(queue / 2U);

    if (pair >= net_pairs_usable(net) || net->ops->transmit == NULL ||
        net->pairs[pair].tx.blocked) {
        return false;
    }
    avps_vq_suppress(&dev->queues[queue].vq);
    while (*budget != 0U) {
        if (!tx_round(net, pair, budget)) {
            return false;
        }
    }
    return true;
}

void avps_net_tx_ready_pair(struct avps_net *net, uint16_t pair)
{
    if (pair < net->pair_count && net->pairs[pair].tx.blocked) {
        net->pairs[pair].tx.blocked = false;
        avps_device_retry(&net->base, net_tx_queue(pair));
    }
}

void avps_net_tx_ready(struct avps_net *net)
{
    for (uint16_t i = 0; i < net->pair_count; i++) {
        avps_net_tx_ready_pair(net, i);
    }
}

/* ---- poll mode ---- */

enum avps_status avps_net_tx_burst(struct avps_net *net, uint16_t pair, uint32_t max,
                                   const struct avps_net_packet **packets, uint32_t *count)
{
    if (net == NULL || packets == NULL || count == NULL || max == 0U || pair >= net->pair_count ||
        net->ops->transmit != NULL) {
        return AVPS_E_PARAM;
    }
    struct avps_net_tx *tx = &net->pairs[pair].tx;

    if (tx->out) {
        return AVPS_E_STATE;
    }
    *packets = tx->packets;
    *count = 0;
    if (pair < net_pairs_usable(net)) {
        avps_vq_suppress(&net->base.queues[net_tx_queue(pair)].vq);
        (void)tx_collect(net, pair, max); /* faults are latched and counted below */
        *count = tx->packet_count;
    }
    tx->out = true;
    return AVPS_OK;
}

enum avps_status avps_net_tx_done(struct avps_net *net, uint16_t pair, uint32_t taken)
{
    if (net == NULL || pair >= net->pair_count) {
        return AVPS_E_PARAM;
    }
    struct avps_net_tx *tx = &net->pairs[pair].tx;

    if (!tx->out) {
        return AVPS_E_STATE;
    }
    if (taken > tx->packet_count) {
        return AVPS_E_PARAM;
    }
    tx->out = false;
    (void)tx_finish(net, pair, taken);
    return AVPS_OK;
}

bool avps_net_tx_arm(struct avps_net *net, uint16_t pair)
{
    return net != NULL && pair < net->pair_count && avps_device_is_taking(&net->base) &&
           avps_device_starve(&net->base, net_tx_queue(pair));
}
