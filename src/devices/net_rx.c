/* SPDX-License-Identifier: BSD-3-Clause */
/* Host to guest: a frame's header -> which queue -> buffers -> the bytes -> bursts. A frame is
 * either given to the guest whole, or dropped and counted, or left with the caller when the ring
 * has too few buffers (I32); a buffer too small for it never stays in the way. */
#include "devices/net_internal.h"

#define RX_GROUP 16U /* frames looked at before their buffers are taken */

/* What is to be done with one frame. */
struct rx_item {
    uint64_t *dropped; /* why it is dropped; NULL: it is not */
    uint32_t len;      /* of the frame */
    uint32_t patch_at; /* checksum completed here: offset in the frame; 0: none */
    uint16_t pair;     /* where it goes */
    uint8_t patch[2];  /* the checksum's bytes */
    struct virtio_net_hdr_hash hdr;
};

/* ---- header ---- */

/* [net-4.5] The guest takes no partial checksum: complete it while copying. */
static void rx_complete_checksum(const struct avps_net_frame *frame, struct rx_item *item)
{
    item->patch_at = (uint32_t)frame->offload.csum_start + frame->offload.csum_offset;
    avps_net_checksum(frame, item->patch);
}

/* Whether the guest takes this kind: [net-4.6] [net-4.7] [net-4.8] [net-4.9] [net-4.12] [net-4.21].
 * No tunnel is one [net-4.19] [net-4.20] [net-4.27]. */
static bool rx_kind_is_taken(const struct avps_net *net, uint8_t gso_type,
                             const struct net_peek *peek)
{
    const unsigned int kind = gso_type & ~(unsigned int)AVPS_NET_GSO_ECN;
    const bool ecn = (gso_type & AVPS_NET_GSO_ECN) != 0U;

    if (kind > 7U || (net->rx_kinds >> kind & 1U) == 0U || (ecn && !net->rx_ecn)) {
        return false;
    }
    if (kind == AVPS_NET_GSO_UDP_L4 && !(net->rx_uso4 && net->rx_uso6)) {
        const uint32_t tag = net_be16(peek->bytes + 12) == NET_ETH_VLAN ? NET_VLAN_TAG : 0U;

        return peek->len >= NET_ETH_HEADER + tag &&
               (net_be16(peek->bytes + 12U + tag) == NET_ETH_IPV6) == net->rx_uso6;
    }
    return true;
}

/* [net-4.25] Headers end after the transport header: 8 bytes for UDP, at least 20 for TCP. */
static uint16_t rx_hdr_len(const struct avps_net_offload *o)
{
    const unsigned int kind = o->gso_type & ~(unsigned int)AVPS_NET_GSO_ECN;
    const bool udp = kind == AVPS_NET_GSO_UDP || kind == AVPS_NET_GSO_UDP_L4;
    const uint32_t least = (uint32_t)o->csum_start + (udp ? 8U : 20U);

    return o->hdr_len >= least ? o->hdr_len : (uint16_t)least;
}

/* [net-4.5] [net-4.15] [net-4.26] [net-x8] What the guest may see of the offload. The bits for
 * tunnels, coalesced segments and security are never set [net-4.10] [net-4.11] [net-4.24]
 * [net-4.31] [net-4.34]. */
static void rx_header(const struct avps_net *net, const struct avps_net_frame *frame,
                      struct rx_item *item)
{
    const struct avps_net_offload *o = &frame->offload;
    struct virtio_net_hdr *hdr = &item->hdr.base;

    (void)memset(&item->hdr, 0, sizeof item->hdr);
    hdr->num_buffers = avps_le16_of(1); /* [net-4.1] */
    if ((o->flags | o->gso_type) == 0U) {
        return;
    }
    if (!net->rx_csum) {
        if ((o->flags & AVPS_NET_NEEDS_CSUM) != 0U) {
            rx_complete_checksum(frame, item);
        }
        return;
    }
    hdr->flags = o->flags;
    if ((o->flags & AVPS_NET_NEEDS_CSUM) != 0U) {
        hdr->csum_start = avps_le16_of(o->csum_start);
        hdr->csum_offset = avps_le16_of(o->csum_offset);
    }
    if (o->gso_type != AVPS_NET_GSO_NONE) {
        hdr->gso_type = o->gso_type;
        hdr->gso_size = avps_le16_of(o->gso_size);
        hdr->hdr_len = avps_le16_of(rx_hdr_len(o));
    }
}

/* ---- which queue ---- */

/* Whether frames for a pair may wait for it: its queue is live, or will be when it can be reached. */
static bool rx_pair_is_open(const struct avps_net *net, uint16_t pair)
{
    const uint16_t queue = net_rx_queue(pair);

    return avps_device_queue_is_live(&net->base, queue) || net->base.queues[queue].regs.starting;
}

/* [net-10.3] [net-10.4] Another queue of those in use; NET_STEER: none. */
static uint16_t rx_open_pair(const struct avps_net *net, uint16_t pair)
{
    for (uint16_t i = 0; i < net->pairs_in_use; i++) {
        const uint16_t candidate = (uint16_t)((pair + i) % net->pairs_in_use);

        if (rx_pair_is_open(net, candidate)) {
            return candidate;
        }
    }
    return NET_STEER;
}

/* [net-x22] A flow not yet sent on goes to any pair [net-x23]. */
static uint16_t rx_steer_auto(const struct avps_net *net, const struct net_peek *peek)
{
    const uint32_t flow = avps_net_flow(peek->bytes, peek->len);
    const unsigned int seen =
        atomic_load_explicit(&net->flows[flow & (AVPS_NET_FLOWS - 1U)], memory_order_relaxed);

    if (seen != 0U && seen <= net->pairs_in_use) {
        return rx_open_pair(net, (uint16_t)(seen - 1U));
    }
    return rx_open_pair(net, (uint16_t)(flow % net->pairs_in_use));
}

/* [net-11.1] [net-11.2] */
static uint16_t rx_steer_rss(const struct avps_net *net, struct net_hash hash)
{
    const uint16_t pair =
        hash.report != 0U ? net->rss.table[hash.value & net->rss.mask] : net->rss.unclassified;

    return rx_pair_is_open(net, pair) ? pair : NET_STEER;
}

/* [net-10.1] [net-10.2] [net-x21] */
static uint16_t rx_steer(const struct avps_net *net, const struct net_peek *peek,
                         struct net_hash hash)
{
    switch (net->steering) {
    case AVPS_NET_STEER_AUTO:
        return rx_steer_auto(net, peek);
    case AVPS_NET_STEER_RSS:
        return rx_steer_rss(net, hash);
    case AVPS_NET_STEER_ONE:
    default:
        return rx_open_pair(net, 0);
    }
}

/* ---- one frame, before it meets the ring ---- */

/* Bytes to look at before it is known where a frame goes: the headers, or Ethernet with a tag. */
static uint32_t rx_peek_wanted(const struct avps_net *net, uint16_t pair)
{
    const bool deep = net->hash_wanted || net_has_flow_rules(net) ||
                      (pair == NET_STEER && net->steering == AVPS_NET_STEER_AUTO);

    return deep ? NET_PEEK_MAX : NET_ETH_HEADER + NET_VLAN_TAG;
}

/* [net-15.18] Flow filters, then the caller's or the driver's steering. [net-15.10]
 * @return the counter to drop it into, or NULL. */
static uint64_t *rx_choose_pair(const struct avps_net *net, struct avps_net_counters *counters,
                                const struct net_peek *peek, struct net_hash hash, uint16_t wanted,
                                uint16_t *pair)
{
    const enum net_flow_verdict verdict =
        net_has_flow_rules(net) ? avps_net_flow_apply(net, peek, pair) : NET_FLOW_NONE;

    if (verdict == NET_FLOW_DROP) {
        return &counters->rx_flow_dropped;
    }
    if (verdict == NET_FLOW_NONE) {
        *pair = wanted == NET_STEER ? rx_steer(net, peek, hash) : wanted;
    }
    return *pair == NET_STEER || !rx_pair_is_open(net, *pair) ? &counters->rx_no_queue : NULL;
}

/* [net-1.5] */
static bool rx_is_oversize(const struct avps_net *net, const struct avps_net_frame *frame,
                           uint32_t len)
{
    const uint32_t tag = net_be16(frame->data + 12) == NET_ETH_VLAN ? NET_VLAN_TAG : 0U;

    return frame->offload.gso_type == AVPS_NET_GSO_NONE && len > net->frame_max + tag;
}

/* Which counter a frame is dropped into; NULL: it is not dropped. Filter, then steer [net-15.20];
 * the first reason to drop it is the last thing looked at [net-15.19]. */
static uint64_t *rx_examine(struct avps_net *net, struct avps_net_counters *counters,
                            const struct avps_net_frame *frame, uint16_t pair, struct rx_item *item)
{
    uint8_t copy[NET_PEEK_MAX];
    struct net_hash hash = {0, 0};

    item->len = avps_net_frame_len(frame);
    if (item->len == 0U || !avps_net_offload_is_valid(&frame->offload, item->len)) {
        return &counters->rx_invalid;
    }
    const struct net_peek peek = avps_net_peek(frame, rx_peek_wanted(net, pair), copy);
    if (!avps_net_wants(net, &peek)) {
        return &counters->rx_filtered;
    }
    if (rx_is_oversize(net, frame, item->len)) {
        return &counters->rx_oversize;
    }
    if (frame->offload.gso_type != AVPS_NET_GSO_NONE &&
        !rx_kind_is_taken(net, frame->offload.gso_type, &peek)) {
        return &counters->rx_no_offload;
    }
    if (net->hash_wanted) {
        hash = avps_net_hash(net, &peek);
    }
    uint64_t *drop = rx_choose_pair(net, counters, &peek, hash, pair, &item->pair);
    if (drop != NULL) {
        return drop;
    }
    item->patch_at = 0;
    rx_header(net, frame, item);
    item->hdr.hash_value = avps_le32_of(hash.value);
    item->hdr.hash_report = avps_le16_of(hash.report);
    return NULL;
}

static void rx_prepare(struct avps_net *net, const struct avps_net_frame *frame, uint16_t pair,
                       struct rx_item *item)
{
    struct avps_net_counters *counters = &net->pairs[pair == NET_STEER ? 0U : pair].counters;

    item->dropped = rx_examine(net, counters, frame, pair, item);
}

/* Frames that were dealt with: those dropped are counted now, not each time that they are offered. */
static void rx_count_dropped(const struct rx_item *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (items[i].dropped != NULL) {
            (*items[i].dropped)++;
        }
    }
}

/* ---- the bytes ---- */

/* Writes over one buffer after the other. [net-4.3] Each is filled before the next is begun. */
struct rx_writer {
    struct avps_chain *chain;
};

static enum avps_status rx_put(struct rx_writer *writer, const uint8_t *bytes, uint32_t len)
{
    while (len != 0U) {
        const uint32_t room = writer->chain->writable_len;
        const uint32_t n = len < room ? len : room;

        if (n == 0U) {
            writer->chain++;
            continue;
        }
        const enum avps_status status = avps_chain_write(writer->chain, bytes, n);
        if (status != AVPS_OK) {
            return status;
        }
        bytes += n;
        len -= n;
    }
    return AVPS_OK;
}

/* The frame up to the byte `until`; the reader goes on from there. */
static enum avps_status rx_put_until(struct rx_writer *writer, struct net_reader *reader,
                                     uint32_t *at, uint32_t until)
{
    enum avps_status status = AVPS_OK;

    while (status == AVPS_OK && *at < until && avps_net_reader_fill(reader)) {
        const uint32_t rest = until - *at;
        const uint32_t n = reader->len < rest ? reader->len : rest;

        status = rx_put(writer, reader->ptr, n);
        avps_net_reader_take(reader, n);
        *at += n;
    }
    return status;
}

/* Leave out what the patch replaces. */
static void rx_skip(struct net_reader *reader, uint32_t *at, uint32_t len)
{
    while (len != 0U && avps_net_reader_fill(reader)) {
        const uint32_t n = reader->len < len ? reader->len : len;

        avps_net_reader_take(reader, n);
        *at += n;
        len -= n;
    }
}

static enum avps_status rx_write_slow(const struct avps_net *net, struct avps_chain *chains,
                                      const struct avps_net_frame *frame,
                                      const struct rx_item *item)
{
    struct rx_writer writer = {chains};
    struct net_reader reader = avps_net_reader_of(frame);
    uint32_t at = 0;
    enum avps_status status = rx_put(&writer, (const uint8_t *)&item->hdr, net->hdr_size);

    if (status == AVPS_OK && item->patch_at != 0U) {
        status = rx_put_until(&writer, &reader, &at, item->patch_at);
        if (status == AVPS_OK) {
            status = rx_put(&writer, item->patch, sizeof item->patch);
        }
        rx_skip(&reader, &at, sizeof item->patch);
    }
    return status == AVPS_OK ? rx_put_until(&writer, &reader, &at, item->len) : status;
}

/* Header and bytes into the buffers. The plain case, one piece into one segment, is two copies. */
static enum avps_status rx_write(const struct avps_net *net, struct avps_chain *chains,
                                 uint32_t count, const struct avps_net_frame *frame,
                                 struct rx_item *item)
{
    const struct avps_seg *seg = &chains[0].segs[chains[0].readable_segs];
    const uint32_t size = net->hdr_size;

    item->hdr.base.num_buffers = avps_le16_of((uint16_t)count); /* [net-3.1] [net-4.2] */
    if (AVPS_LIKELY(count == 1U && seg->ptr != NULL && seg->len >= size + item->len &&
                    frame->more_count == 0U && item->patch_at == 0U)) {
        if (size == NET_HDR_SIZE) {
            (void)memcpy(seg->ptr, &item->hdr, NET_HDR_SIZE);
        } else {
            (void)memcpy(seg->ptr, &item->hdr, NET_HDR_SIZE_HASH);
        }
        (void)memcpy(seg->ptr + size, frame->data, item->len);
        chains[0].written = size + item->len;
        return AVPS_OK;
    }
    return rx_write_slow(net, chains, frame, item);
}

/* ---- buffers ---- */

/* Buffers of one queue being filled: chains[first .. have) are popped and empty. */
struct rx_ring {
    struct avps_net *net;
    struct avps_net_pair *pair;
    uint16_t queue;
    uint32_t first; /* chains before it are full */
    uint32_t have;
    enum avps_status last; /* why the last pop gave less than asked */
};

static void rx_pop(struct rx_ring *ring, uint32_t max)
{
    const uint32_t room = AVPS_NET_MERGE - ring->have;
    struct avps_chain *chains = &ring->pair->rx.chains[ring->have];
    uint32_t count = 0;

    if (room == 0U) {
        ring->last = AVPS_E_NOSPACE;
        return;
    }
    ring->last = avps_device_pop_burst(&ring->net->base, ring->queue, chains,
                                       max < room ? max : room, &count);
    for (uint32_t i = 0; i < count; i++) {
        const struct avps_seg *seg = &chains[i].segs[chains[i].readable_segs];

        if (chains[i].writable_segs != 0U && seg->ptr != NULL) {
            AVPS_PREFETCH_WRITE(seg->ptr);
        }
    }
    ring->have += count;
}

enum rx_result {
    RX_DONE,    /* given to the guest */
    RX_DROPPED, /* counted */
    RX_SPLIT,   /* no room in the array: return what is full, and try again */
    RX_BROKEN,  /* dropped, and the buffers popped are to be put back */
    RX_DRY      /* too few buffers in the ring */
};

static enum rx_result rx_drop(uint64_t *counter, enum rx_result result)
{
    (*counter)++;
    return result;
}

static enum rx_result rx_fault(struct rx_ring *ring, enum avps_status status)
{
    avps_net_fault(ring->net, ring->queue, status);
    return rx_drop(&ring->pair->counters.rx_errors, RX_BROKEN);
}

/* One more buffer. When there is none the driver is asked to say so, while all that it gave is
 * popped: it will be heard with the first new one. */
static bool rx_pop_one(struct rx_ring *ring)
{
    const uint32_t have = ring->have;

    rx_pop(ring, 1);
    if (ring->last == AVPS_EMPTY && avps_device_is_taking(&ring->net->base) &&
        avps_device_starve(&ring->net->base, ring->queue)) {
        rx_pop(ring, 1);
    }
    return ring->have != have;
}

static enum rx_result rx_too_few(struct rx_ring *ring)
{
    if (ring->last != AVPS_E_NOSPACE) {
        return RX_DRY;
    }
    return ring->first != 0U ? RX_SPLIT : rx_drop(&ring->pair->counters.rx_oversize, RX_DROPPED);
}

/* Pop until `need` bytes fit. @param[out] count  Buffers for it, from ring->first on. */
static enum rx_result rx_gather(struct rx_ring *ring, uint32_t need, uint32_t *count)
{
    const struct avps_net *net = ring->net;
    uint64_t room = 0;

    for (*count = 0; room < need; (*count)++) {
        if (ring->first + *count == ring->have && !rx_pop_one(ring)) {
            return rx_too_few(ring);
        }
        const struct avps_chain *chain = &ring->pair->rx.chains[ring->first + *count];
        if (chain->writable_len < net->hdr_size) {
            return rx_fault(ring, AVPS_E_GUEST_SIZE); /* no buffer at all */
        }
        room += chain->writable_len;
        if (room < need && !net->mergeable) { /* [net-3.2] the buffer stays for the next frame */
            return rx_drop(&ring->pair->counters.rx_oversize, RX_DROPPED);
        }
    }
    return RX_DONE;
}

/* One frame into the ring. */
static enum rx_result rx_place(struct rx_ring *ring, const struct avps_net_frame *frame,
                               struct rx_item *item)
{
    uint32_t count = 0;
    const enum rx_result result = rx_gather(ring, ring->net->hdr_size + item->len, &count);

    if (result != RX_DONE) {
        return result;
    }
    const enum avps_status status =
        rx_write(ring->net, &ring->pair->rx.chains[ring->first], count, frame, item);
    if (AVPS_UNLIKELY(status != AVPS_OK)) {
        return avps_status_is_guest_fault(status)
                   ? rx_fault(ring, status)
                   : rx_drop(&ring->pair->counters.rx_errors, RX_BROKEN);
    }
    ring->first += count;
    ring->pair->counters.rx_packets++;
    ring->pair->counters.rx_bytes += item->len;
    ring->pair->counters.rx_csum_done += item->patch_at != 0U ? 1U : 0U;
    return RX_DONE;
}

/* [net-4.4] What is full goes back together; what is empty stays in the ring. */
static void rx_close(struct rx_ring *ring)
{
    struct avps_net_rx *rx = &ring->pair->rx;

    for (uint32_t i = ring->have; i > ring->first; i--) {
        avps_device_unpop(&ring->net->base, ring->queue, &rx->chains[i - 1U]);
    }
    if (ring->first != 0U) {
        avps_device_push_burst(&ring->net->base, ring->queue, rx->chains, ring->first);
        rx->pushed += ring->first;
    }
    ring->first = 0;
    ring->have = 0;
}

/* A port that could not give what is there is asked again without a kick. */
static void rx_look_again(const struct rx_ring *ring)
{
    if (ring->last != AVPS_EMPTY) {
        avps_device_wait(&ring->net->base, ring->queue);
    }
}

/* Frames of one queue, as many as its buffers allow. @return frames dealt with. */
static uint32_t rx_run(struct avps_net *net, uint16_t pair, const struct avps_net_frame *frames,
                       struct rx_item *items, uint32_t count)
{
    struct rx_ring ring = {net, &net->pairs[pair], net_rx_queue(pair), 0, 0, AVPS_OK};
    uint32_t done = 0;

    avps_vq_suppress(&net->base.queues[ring.queue].vq);
    rx_pop(&ring, count);
    while (done < count) {
        const enum rx_result result =
            items[done].dropped != NULL ? RX_DROPPED : rx_place(&ring, &frames[done], &items[done]);

        if (result == RX_DRY) {
            rx_look_again(&ring);
            break;
        }
        if (result == RX_SPLIT || result == RX_BROKEN) {
            rx_close(&ring);
        }
        done += result == RX_SPLIT ? 0U : 1U;
    }
    rx_close(&ring);
    return done;
}

/* ---- plain frames ---- */

static inline void rx_put_plain(uint8_t *to, uint32_t hdr_size, const uint8_t *data, uint32_t len)
{
    static const struct virtio_net_hdr_hash hdr = {.base = {.num_buffers = {{1, 0}}}};

    if (AVPS_LIKELY(hdr_size == NET_HDR_SIZE)) {
        (void)memcpy(to, &hdr, NET_HDR_SIZE);
    } else {
        (void)memcpy(to, &hdr, NET_HDR_SIZE_HASH);
    }
    net_copy(to + hdr_size, data, len);
}

/* Whether a frame goes into a buffer as it is: one piece, nothing left to do, not too long, wanted.
 * The first that does not is left to the general path. */
static inline bool rx_is_easy(const struct avps_net *net, const struct net_glance *glance,
                              const struct avps_net_frame *frame, uint32_t longest)
{
    const struct avps_net_offload *o = &frame->offload;

    if (frame->data == NULL || frame->more_count != 0U || frame->data_len < NET_ETH_HEADER ||
        frame->data_len > longest || (o->flags | o->gso_type | o->hdr_len) != 0) {
        return false;
    }
    return net_is_wanted(net, glance, frame->data, frame->data_len);
}

/* How many easy frames come first. */
static uint32_t rx_count_easy(const struct avps_net *net, const struct avps_net_frame *frames,
                              uint32_t max)
{
    const struct net_glance glance = avps_net_glance(net);
    const uint32_t longest = net->frame_max;
    uint32_t count = 0;

    while (count < max && rx_is_easy(net, &glance, &frames[count], longest)) {
        count++;
    }
    return count;
}

/* Easy frames into buffers, one each, up to the first that is too short. @return how many. */
static uint32_t rx_fill(struct avps_net *net, struct avps_net_pair *pair,
                        const struct avps_net_frame *frames, uint32_t count)
{
    struct avps_plain *plain = pair->rx.plain;
    const uint32_t size = net->hdr_size;
    uint64_t bytes = 0;
    uint32_t done = 0;

    for (; done < count; done++) {
        const uint32_t len = frames[done].data_len;

        if (plain[done].seg.len < size + len) {
            break;
        }
        rx_put_plain(plain[done].seg.ptr, size, frames[done].data, len);
        plain[done].written = size + len;
        bytes += len;
    }
    pair->counters.rx_packets += done;
    pair->counters.rx_bytes += bytes;
    return done;
}

/* The fast path: easy frames into plain buffers of one queue. @return frames given to the guest. */
static uint32_t rx_run_plain(struct avps_net *net, uint16_t pair,
                             const struct avps_net_frame *frames, uint32_t count)
{
    struct avps_net_pair *p = &net->pairs[pair];
    struct avps_plain *plain = p->rx.plain;
    const uint16_t queue = net_rx_queue(pair);

    if (count == 0U || net->hash_wanted || !rx_pair_is_open(net, pair)) {
        return 0;
    }
    const uint32_t easy =
        rx_count_easy(net, frames, count < AVPS_BURST_MAX ? count : AVPS_BURST_MAX);
    if (easy == 0U) {
        return 0;
    }
    avps_vq_suppress(&net->base.queues[queue].vq);
    const uint32_t have = avps_device_take_plain(&net->base, queue, AVPS_ACCESS_WRITE, plain, easy);
    const uint32_t done = rx_fill(net, p, frames, have);

    if (done < have) {
        avps_device_put_back_plain(&net->base, queue, AVPS_ACCESS_WRITE, &plain[done], have - done);
    }
    avps_device_give_plain(&net->base, queue, plain, done);
    p->rx.pushed += done;
    return done;
}

/* The queue that all frames go to without a look at them; NET_STEER if it takes one. */
static uint16_t rx_fixed_pair(const struct avps_net *net, uint16_t pair)
{
    if (net_has_flow_rules(net)) {
        return NET_STEER;
    }
    return pair == NET_STEER && net->steering == AVPS_NET_STEER_ONE ? 0U : pair;
}

/* ---- bursts ---- */

/* The ring is short: rx_ready will be called. A queue that is gone takes the frame, and drops it. */
static bool rx_is_blocked(struct avps_net *net, uint16_t pair)
{
    struct avps_net_pair *p = &net->pairs[pair];

    if (!rx_pair_is_open(net, pair)) {
        p->counters.rx_no_queue++;
        return false;
    }
    p->rx.starving = true;
    p->counters.rx_blocked++;
    return true;
}

/* Frames that go to one queue, from the first on; those that are dropped go with any. */
static uint32_t rx_run_length(const struct rx_item *items, uint32_t count, uint16_t *pair)
{
    uint32_t n = 0;

    *pair = NET_STEER;
    while (n < count &&
           (items[n].dropped != NULL || *pair == NET_STEER || items[n].pair == *pair)) {
        *pair = items[n].dropped != NULL ? *pair : items[n].pair;
        n++;
    }
    return n;
}

/* The next frames that go to one queue. @return frames dealt with; 0: the ring is short. */
static uint32_t rx_step(struct avps_net *net, const struct avps_net_frame *frames,
                        struct rx_item *items, uint32_t count)
{
    uint16_t target = NET_STEER;
    const uint32_t n = rx_run_length(items, count, &target);

    if (target == NET_STEER) {
        return n;
    }
    const uint32_t ran = rx_run(net, target, frames, items, n);
    if (ran != 0U || rx_is_blocked(net, target)) {
        return ran;
    }
    return 1;
}

/* At most RX_GROUP frames. @return frames dealt with. */
static uint32_t rx_group(struct avps_net *net, uint16_t pair, const struct avps_net_frame *frames,
                         uint32_t count)
{
    struct rx_item items[RX_GROUP];
    uint32_t done = 0;
    uint32_t step = 1;

    (void)memset(items, 0, sizeof items);
    for (uint32_t i = 0; i < count; i++) {
        rx_prepare(net, &frames[i], pair, &items[i]);
    }
    while (done < count && step != 0U) {
        step = rx_step(net, &frames[done], &items[done], count - done);
        rx_count_dropped(&items[done], step);
        done += step;
    }
    return done;
}

static void rx_publish(struct avps_net *net, uint16_t pair)
{
    const uint32_t chains = net->pairs[pair].rx.pushed;

    if (chains != 0U) {
        net->pairs[pair].rx.pushed = 0;
        avps_net_publish(net, pair, NET_RX, chains);
    }
}

void avps_net_rx_flush(struct avps_net *net)
{
    const bool few = net->steering == AVPS_NET_STEER_ONE && net->flow == NULL;
    const uint16_t pairs = few ? net->pairs_in_use : net->pair_count;

    for (uint16_t i = 0; i < pairs; i++) {
        rx_publish(net, i);
    }
}

static bool rx_is_deaf(const struct avps_net *net)
{
    return !avps_device_is_live(&net->base) || (net->status & VIRTIO_NET_S_LINK_UP) == 0U;
}

static uint32_t rx_frames(struct avps_net *net, uint16_t pair, const struct avps_net_frame *frames,
                          uint32_t count)
{
    const uint16_t fixed = rx_fixed_pair(net, pair);
    uint32_t done = 0;
    uint32_t n = 0;
    uint32_t ran = 0;

    if (rx_is_deaf(net)) {
        net->pairs[pair == NET_STEER ? 0U : pair].counters.rx_no_queue += count;
        return count;
    }
    do {
        done += fixed != NET_STEER ? rx_run_plain(net, fixed, &frames[done], count - done) : 0U;
        n = count - done < RX_GROUP ? count - done : RX_GROUP;
        ran = n != 0U ? rx_group(net, pair, &frames[done], n) : 0U;
        done += ran;
    } while (ran == n && done < count);
    return done;
}

enum avps_status avps_net_receive(struct avps_net *net, const struct avps_net_frame *frames,
                                  uint32_t count, uint32_t *taken)
{
    if (net == NULL || frames == NULL || taken == NULL) {
        return AVPS_E_PARAM;
    }
    *taken = rx_frames(net, NET_STEER, frames, count);
    avps_net_rx_flush(net);
    return AVPS_OK;
}

enum avps_status avps_net_rx_burst(struct avps_net *net, uint16_t pair,
                                   const struct avps_net_frame *frames, uint32_t count,
                                   uint32_t *taken)
{
    if (net == NULL || frames == NULL || taken == NULL || pair >= net->pair_count) {
        return AVPS_E_PARAM;
    }
    if (pair >= net_pairs_usable(net)) {
        net->pairs[pair].counters.rx_no_queue += count;
        *taken = count;
        return AVPS_OK;
    }
    *taken = rx_frames(net, pair, frames, count);
    if (net_has_flow_rules(net)) {
        avps_net_rx_flush(net);
    } else {
        rx_publish(net, pair);
    }
    return AVPS_OK;
}

enum avps_status avps_net_rx_one(struct avps_net *net, const struct avps_net_frame *frame)
{
    return rx_frames(net, NET_STEER, frame, 1) == 1U ? AVPS_OK : AVPS_EMPTY;
}

/* New buffers: whoever waits for them is told. */
void avps_net_rx_supply(struct avps_device *dev, uint16_t queue)
{
    struct avps_net *net = net_of(dev);
    const uint16_t pair = (uint16_t)(queue / 2U);

    if (pair < net_pairs_usable(net) && net->pairs[pair].rx.starving) {
        net->pairs[pair].rx.starving = false;
        if (net->ops->rx_ready != NULL) {
            net->ops->rx_ready(net->ctx, pair);
        }
    }
}
