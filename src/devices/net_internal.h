/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the network device share: wire format, queue numbers, calls between them.
 * net.c configuration and life, net_tx.c guest to host, net_rx.c host to guest, net_frame.c frames
 * of the host, net_filter.c which of them the guest wants, net_ctrl.c control queue, net_hash.c
 * hashes, net_flow.c flow filters, net_coal.c notifications, net_state.c saved state. */
#ifndef AVPS_NET_INTERNAL_H
#define AVPS_NET_INTERNAL_H

#include "avps/net.h"
#include "devices/device_internal.h"
#include "virtqueue/plain.h"

#define VIRTIO_ID_NETWORK 1U /* [AVPS NET-1] [AVPS NET-2] */

#define VIRTIO_NET_S_LINK_UP  1U
#define VIRTIO_NET_S_ANNOUNCE 2U

#define VIRTIO_NET_HDR_F_UDP_TUNNEL_CSUM 8U

#define VIRTIO_NET_CTRL_RX_PROMISC  0U
#define VIRTIO_NET_CTRL_RX_ALLMULTI 1U
#define VIRTIO_NET_CTRL_RX_ALLUNI   2U
#define VIRTIO_NET_CTRL_RX_NOMULTI  3U
#define VIRTIO_NET_CTRL_RX_NOUNI    4U
#define VIRTIO_NET_CTRL_RX_NOBCAST  5U

#define NET_HDR_SIZE      12U /* [drv.net] without HASH_REPORT */
#define NET_HDR_SIZE_HASH 20U
#define NET_HDR_SIZE_MAX  20U

#define NET_ETH_HEADER 14U
#define NET_VLAN_TAG   4U
#define NET_MAC        6U
#define NET_ETH_VLAN   0x8100U
#define NET_ETH_QINQ   0x88a8U
#define NET_ETH_IPV4   0x0800U
#define NET_ETH_IPV6   0x86ddU
/* 65535 bytes of IPv6 payload, its header, Ethernet with two tags. */
#define NET_FRAME_MAX (65535U + 40U + NET_ETH_HEADER + 2U * NET_VLAN_TAG)
/* Bytes of a frame that filters and hashes look at. */
#define NET_PEEK_MAX 384U

/* Bytes that name a flow for automatic steering: Ethernet, a tag, IPv6, ports. */
#define NET_FLOW_BYTES (NET_ETH_HEADER + NET_VLAN_TAG + 40U + 4U)

#define NET_PROTO_TCP 6U
#define NET_PROTO_UDP 17U
#define NET_PROTO_ESP 50U

#define NET_HASH_TYPES   0x1ffU /* every type of the chapter */
#define NET_HASH_TUNNELS 0x1ffU

#define NET_RX           0U /* halves of a pair, and index of its coalescing parameters */
#define NET_TX           1U
#define NET_STEER        0xffffU
#define NET_ALL_OFFLOADS 0x1fffU

struct virtio_net_hdr {
    uint8_t flags;
    uint8_t gso_type;
    avps_le16 hdr_len;
    avps_le16 gso_size;
    avps_le16 csum_start;
    avps_le16 csum_offset;
    avps_le16 num_buffers;
};
AVPS_WIRE_SIZE(struct virtio_net_hdr, 12);

struct virtio_net_hdr_hash {
    struct virtio_net_hdr base;
    avps_le32 hash_value;
    avps_le16 hash_report;
    avps_le16 padding_reserved;
};
AVPS_WIRE_SIZE(struct virtio_net_hdr_hash, 20);

static inline struct avps_net *net_of(struct avps_device *dev)
{
    return AVPS_CONTAINER_OF(dev, struct avps_net, base);
}

static inline const struct avps_net *net_of_const(const struct avps_device *dev)
{
    return (const struct avps_net *)(const void *)((const uint8_t *)dev -
                                                   offsetof(struct avps_net, base));
}

static inline uint16_t net_rx_queue(uint16_t pair)
{
    return (uint16_t)(2U * pair);
}

static inline uint16_t net_tx_queue(uint16_t pair)
{
    return (uint16_t)(2U * pair + 1U);
}

/* Pairs that the negotiated features give the driver. */
static inline uint16_t net_pairs_usable(const struct avps_net *net)
{
    return avps_device_has(&net->base, AVPS_NET_F_MQ) || avps_device_has(&net->base, AVPS_NET_F_RSS)
               ? net->pair_count
               : 1U;
}

/* Network byte order. */
static inline uint16_t net_be16(const uint8_t *p)
{
    return (uint16_t)((unsigned int)p[0] << 8 | p[1]);
}

static inline bool net_mac_is_group(const uint8_t *mac)
{
    return (mac[0] & 1U) != 0U;
}

static inline bool net_mac_is_zero(const uint8_t *mac)
{
    return (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]) == 0U;
}

/* The first bytes of a frame in one piece: `bytes` points into the frame or to `copy`. */
struct net_peek {
    const uint8_t *bytes;
    uint32_t len;
};

/* Frames that are wanted at a glance, the same for a whole burst: under `mask` the first 8 bytes are
 * `value`, and there is no tag if tags matter. */
struct net_glance {
    uint64_t value;
    uint64_t mask;
    bool tags_matter;
};

/* memcpy of a frame of at least an Ethernet header: short ones in place, as two blocks that may
 * overlap. */
static inline void net_copy(uint8_t *to, const uint8_t *from, uint32_t len)
{
    if (len > 128U || len < 32U) {
        (void)memcpy(to, from, len);
    } else if (len > 64U) {
        (void)memcpy(to, from, 64);
        (void)memcpy(to + len - 64U, from + len - 64U, 64);
    } else {
        (void)memcpy(to, from, 32);
        (void)memcpy(to + len - 32U, from + len - 32U, 32);
    }
}

/* The same out of guest memory. */
static inline void net_copy_in(uint8_t *to, const uint8_t *from, uint32_t len)
{
    net_copy(to, from, len);
    atomic_signal_fence(memory_order_seq_cst); /* as avps_arch_copy_in */
}

/* Reads a frame's pieces one after the other. */
struct net_reader {
    const struct avps_net_frame *frame;
    uint32_t next; /* index in frame->more */
    uint32_t skip; /* bytes of it still to leave out */
    const uint8_t *ptr;
    uint32_t len;
};

/* A hash and how it was made. */
struct net_hash {
    uint32_t value;
    uint16_t report; /* 0: none */
};

/* Where the headers of a frame without tags are. */
struct net_headers {
    uint16_t type;    /* NET_ETH_IPV4, NET_ETH_IPV6, or 0: not IP */
    uint8_t last;     /* protocol that the last IP or extension header names */
    uint8_t proto;    /* the same, if a header of it is there: not in fragments */
    uint32_t payload; /* behind the IP headers */
};

/* What flow filters say of a frame. */
enum net_flow_verdict {
    NET_FLOW_NONE,  /* nothing: it is steered as usual */
    NET_FLOW_DROP,  /* drop it */
    NET_FLOW_DIRECT /* it goes to a certain pair */
};

/* net_tx.c */
bool avps_net_tx_run(struct avps_device *dev, uint16_t queue, uint32_t *budget);
void avps_net_tx_drop(struct avps_net *net, uint16_t pair);

/* net_rx.c: one frame without publishing, and the publishing, for the switch. AVPS_EMPTY: the ring
 * has too few buffers, nothing was done. */
enum avps_status avps_net_rx_one(struct avps_net *net, const struct avps_net_frame *frame);
void avps_net_rx_flush(struct avps_net *net);
void avps_net_rx_supply(struct avps_device *dev, uint16_t queue);

/* net_frame.c */
struct net_reader avps_net_reader_of(const struct avps_net_frame *frame);
bool avps_net_reader_fill(struct net_reader *reader);
void avps_net_reader_take(struct net_reader *reader, uint32_t len);
struct net_peek avps_net_peek(const struct avps_net_frame *frame, uint32_t wanted, uint8_t *copy);
void avps_net_checksum(const struct avps_net_frame *frame, uint8_t *bytes);
uint32_t avps_net_frame_len(const struct avps_net_frame *frame);
uint32_t avps_net_frame_copy(const struct avps_net_frame *frame, uint8_t *dst, uint32_t len);
bool avps_net_offload_is_valid(const struct avps_net_offload *o, uint32_t len);
void avps_net_complete_checksum(uint8_t *bytes, uint32_t len,
                                const struct avps_net_offload *offload);

/* net.c: offloads that the driver has and has switched on. */
void avps_net_set_offloads(struct avps_net *net, const struct avps_features *set);
bool avps_net_offloads_are_negotiated(const struct avps_net *net, const struct avps_features *set);
/* The guest broke its ring memory while a chain was held: latch and drop. */
void avps_net_fault(struct avps_net *net, uint16_t queue, enum avps_status status);

/* net_filter.c */
struct net_glance avps_net_glance(const struct avps_net *net);
bool avps_net_wants(const struct avps_net *net, const struct net_peek *peek);
void avps_net_filter_reset(struct avps_net *net);

/* avps_net_wants for a frame whose first `len` bytes, at least an Ethernet header, are at `bytes`. */
static inline bool net_is_wanted(const struct avps_net *net, const struct net_glance *glance,
                                 const uint8_t *bytes, uint32_t len)
{
    uint64_t first;

    (void)memcpy(&first, bytes, sizeof first);
    if (AVPS_LIKELY((first & glance->mask) == glance->value &&
                    (!glance->tags_matter || net_be16(bytes + 12) != NET_ETH_VLAN))) {
        return true;
    }
    const struct net_peek peek = {bytes, len};

    return avps_net_wants(net, &peek);
}

/* net_ctrl.c */
void avps_net_update_hash(struct avps_net *net);

/* Use the first `pairs` pairs, each flow on the one it is sent from. */
void avps_net_steer_auto(struct avps_net *net, uint16_t pairs);
enum avps_status avps_net_control(struct avps_device *dev, struct avps_chain *chain);

/* net_hash.c */
struct net_hash avps_net_hash(const struct avps_net *net, const struct net_peek *peek);
uint32_t avps_net_flow(const uint8_t *bytes, uint32_t len);
struct net_headers avps_net_headers(const struct net_peek *peek);
uint32_t avps_net_toeplitz(const uint8_t *key, uint32_t key_len, const uint8_t *bytes,
                           uint32_t len);

/* net_flow.c; `net->flow` is not NULL for apply */
const struct avps_admin_model *avps_net_flow_model(const struct avps_device *dev);
enum net_flow_verdict avps_net_flow_apply(const struct avps_net *net, const struct net_peek *peek,
                                          uint16_t *pair);
void avps_net_flow_reset(struct avps_net *net);
void avps_net_flow_save(const struct avps_net *net, struct avps_state *state);
void avps_net_flow_load(struct avps_net *net, struct avps_state *state);

/* Whether flow filters have a say now. */
static inline bool net_has_flow_rules(const struct avps_net *net)
{
    return net->flow != NULL && net->flow->order_count != 0U;
}

/* net_coal.c */
void avps_net_publish(struct avps_net *net, uint16_t pair, unsigned int half, uint32_t chains);
void avps_net_coal_work(struct avps_net *net);
void avps_net_coal_set_all(struct avps_net *net, unsigned int half,
                           const struct avps_net_coal *values);
const struct avps_net_coal *avps_net_coal_get(struct avps_net *net, uint16_t queue);
void avps_net_coal_set(struct avps_net *net, uint16_t queue, const struct avps_net_coal *values);
void avps_net_coal_queue_reset(struct avps_net *net, uint16_t queue);

/* net_state.c */
void avps_net_save(struct avps_device *dev, struct avps_state *state);
void avps_net_load(struct avps_device *dev, struct avps_state *state);

#endif
