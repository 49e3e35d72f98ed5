/* SPDX-License-Identifier: BSD-3-Clause */
/** @file net.h
 *  Network device (id 1): frames in bursts between a guest and a back end [AVPS NET-1].
 *
 *  Memory: the caller's; the queue pairs are an array of yours. Threads: one context per device, or
 *  one per pair: avps_poll_queue of its two queues, avps_net_tx_burst, avps_net_tx_done,
 *  avps_net_tx_ready_pair and avps_net_rx_burst into it, on a device without coalescing, as it is where
 *  the port has no timer; with the control queue polled where none of these is running.
 *  Guest: headers are checked against the frame's length before a back end sees them; the frame's
 *  bytes stay the guest's and may change while they are being read.
 *
 *  Queues: 2 * pair_count + 1: receive and transmit of each pair, then control. A driver that
 *  accepts neither MQ nor RSS uses the first pair, and queue 2 is control.
 *  Features: see enum avps_net_feature; all are offered unless withheld, but for the offloads
 *  (config.offloads), MTU (config.mtu), MAC (config.mac), SPEED_DUPLEX (config.speed_known), MQ and
 *  RSS steering (more than one pair), and coalescing (a clock and a timer in the port).
 *  Flow filters: with config.flow and an administration virtqueue (net_flow.h, admin.h).
 *  Not served: IPsec, RSS contexts, device statistics, RSC_EXT, STANDBY, segmentation
 *  in UDP tunnels, OUT_NET_HEADER.
 *
 *  Guest to host: the device calls `transmit` with a burst, or you call avps_net_tx_burst. Host to
 *  guest: avps_net_receive filters, steers and copies; a full ring takes no frame and stops nothing:
 *  `rx_ready` says when there are buffers again.
 */
#ifndef AVPS_NET_H
#define AVPS_NET_H

#include "avps/device.h"
#include "avps/net_flow.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Device feature bits, for `avps_device_config.withhold` and reports. */
enum avps_net_feature {
    AVPS_NET_F_CSUM = 0,                /**< Partial checksums from the guest. */
    AVPS_NET_F_GUEST_CSUM = 1,          /**< Partial checksums to the guest. */
    AVPS_NET_F_CTRL_GUEST_OFFLOADS = 2, /**< Receive offloads can be switched. */
    AVPS_NET_F_MTU = 3,                 /**< MTU [AVPS NET-5]. */
    AVPS_NET_F_MAC = 5,                 /**< Address [AVPS NET-6]. */
    AVPS_NET_F_GUEST_TSO4 = 7,          /**< Large TCP over IPv4 to the guest. */
    AVPS_NET_F_GUEST_TSO6 = 8,          /**< Large TCP over IPv6 to the guest. */
    AVPS_NET_F_GUEST_ECN = 9,           /**< These with congestion notification. */
    AVPS_NET_F_GUEST_UFO = 10,          /**< UDP to be fragmented, to the guest. */
    AVPS_NET_F_HOST_TSO4 = 11,          /**< Large TCP over IPv4 from the guest. */
    AVPS_NET_F_HOST_TSO6 = 12,          /**< Large TCP over IPv6 from the guest. */
    AVPS_NET_F_HOST_ECN = 13,           /**< These with congestion notification. */
    AVPS_NET_F_HOST_UFO = 14,           /**< UDP to be fragmented, from the guest. */
    AVPS_NET_F_MRG_RXBUF = 15,          /**< A packet may take several receive buffers. */
    AVPS_NET_F_STATUS = 16,             /**< Link status. */
    AVPS_NET_F_CTRL_VQ = 17,            /**< Control queue. */
    AVPS_NET_F_CTRL_RX = 18,            /**< Receive modes and address tables. */
    AVPS_NET_F_CTRL_VLAN = 19,          /**< VLAN filter. */
    AVPS_NET_F_CTRL_RX_EXTRA = 20,      /**< More receive modes. */
    AVPS_NET_F_GUEST_ANNOUNCE = 21,     /**< The guest announces itself on request. */
    AVPS_NET_F_MQ = 22,                 /**< Several pairs, automatic steering. */
    AVPS_NET_F_CTRL_MAC_ADDR = 23,      /**< The guest may ask for another address [AVPS NET-7]. */
    AVPS_NET_F_HASH_TUNNEL = 51,        /**< Hash of the inner header of tunnels. */
    AVPS_NET_F_VQ_NOTF_COAL = 52,       /**< Notification coalescing per queue. */
    AVPS_NET_F_NOTF_COAL = 53,          /**< Notification coalescing. */
    AVPS_NET_F_GUEST_USO4 = 54,         /**< Large UDP over IPv4 to the guest. */
    AVPS_NET_F_GUEST_USO6 = 55,         /**< Large UDP over IPv6 to the guest. */
    AVPS_NET_F_HOST_USO = 56,           /**< Large UDP from the guest. */
    AVPS_NET_F_HASH_REPORT = 57,        /**< Hash with every packet. */
    AVPS_NET_F_GUEST_HDRLEN = 59,       /**< hdr_len of large packets is exact. */
    AVPS_NET_F_RSS = 60,                /**< Receive-side scaling. */
    AVPS_NET_F_SPEED_DUPLEX = 63        /**< Speed and duplex. */
};

/** What a back end can take and give; OR them into `avps_net_config.offloads`. */
enum avps_net_backend_offload {
    AVPS_NET_TX_CSUM = 1 << 0,  /**< Takes frames whose checksum is to be completed. */
    AVPS_NET_TX_TSO4 = 1 << 1,  /**< Takes large TCP over IPv4. */
    AVPS_NET_TX_TSO6 = 1 << 2,  /**< Takes large TCP over IPv6. */
    AVPS_NET_TX_ECN = 1 << 3,   /**< Takes these with ECN. */
    AVPS_NET_TX_UFO = 1 << 4,   /**< Takes UDP to be fragmented. */
    AVPS_NET_TX_USO = 1 << 5,   /**< Takes large UDP. */
    AVPS_NET_RX_CSUM = 1 << 6,  /**< May give frames with partial checksum or checked ones. */
    AVPS_NET_RX_TSO4 = 1 << 7,  /**< May give large TCP over IPv4. */
    AVPS_NET_RX_TSO6 = 1 << 8,  /**< May give large TCP over IPv6. */
    AVPS_NET_RX_ECN = 1 << 9,   /**< May give these with ECN. */
    AVPS_NET_RX_UFO = 1 << 10,  /**< May give UDP to be fragmented. */
    AVPS_NET_RX_USO4 = 1 << 11, /**< May give large UDP over IPv4. */
    AVPS_NET_RX_USO6 = 1 << 12  /**< May give large UDP over IPv6. */
};

/** Bits of `avps_net_offload.flags`. */
enum avps_net_flag {
    /** Complete the checksum: csum_start, csum_offset say where. To the guest: checksums in front of
     *  this one were found good [net-4.16], and its field holds the pseudo header's sum [net-4.17]. */
    AVPS_NET_NEEDS_CSUM = 1,
    AVPS_NET_DATA_VALID = 2 /**< To the guest: the checksum was found good. */
};

/** Kinds of large frames, `avps_net_offload.gso_type` without AVPS_NET_GSO_ECN. */
enum avps_net_gso {
    AVPS_NET_GSO_NONE = 0,   /**< One frame. */
    AVPS_NET_GSO_TCPV4 = 1,  /**< TCP over IPv4. */
    AVPS_NET_GSO_UDP = 3,    /**< UDP fragments. */
    AVPS_NET_GSO_TCPV6 = 4,  /**< TCP over IPv6. */
    AVPS_NET_GSO_UDP_L4 = 5, /**< UDP datagrams. */
    AVPS_NET_GSO_ECN = 0x80  /**< May be added to the TCP kinds. */
};

/** What is still to be done to a frame. All zero: it is complete. */
struct avps_net_offload {
    uint8_t flags;        /**< OR of enum avps_net_flag. */
    uint8_t gso_type;     /**< One of enum avps_net_gso, perhaps with AVPS_NET_GSO_ECN. */
    uint16_t hdr_len;     /**< Bytes of headers; a hint, exact for large frames with HDRLEN. */
    uint16_t gso_size;    /**< Payload per segment; not 0 in large frames. */
    uint16_t csum_start;  /**< With NEEDS_CSUM: the sum starts at this byte of the frame ... */
    uint16_t csum_offset; /**< ... and goes so many bytes behind that, inside the frame. */
};

/** A frame from the guest. Valid during `transmit`, or until avps_net_tx_done or a reset. */
struct avps_net_packet {
    struct avps_net_offload offload; /**< Checked: every offset lies in the frame. */
    uint32_t len;                    /**< Bytes of the frame, at least 14. */
    const uint8_t *data;             /**< The frame if it is one piece of host memory, else NULL. */
    const struct avps_seg *segs;    /**< Its pieces; `ptr` is NULL under the read/write contract. */
    uint32_t seg_count;             /**< How many. */
    uint32_t skip;                  /**< Bytes of segs[0] that precede the frame. */
    const struct avps_chain *chain; /**< Private. */
};

/** A frame for the guest: `data`, then the pieces in `more`. Read during the call only. */
struct avps_net_frame {
    const uint8_t *data;             /**< First bytes, at least the 14 of the Ethernet header. */
    const struct avps_seg *more;     /**< More pieces (ptr and len count); NULL when none. */
    uint32_t data_len;               /**< Bytes of `data`. */
    uint32_t more_count;             /**< Pieces in `more`. */
    uint32_t more_skip;              /**< Bytes of the pieces in `more` to leave out in front. */
    struct avps_net_offload offload; /**< All zero for a complete frame. */
};

/** The back end. */
struct avps_net_ops {
    /** Frames from the guest. Be done with the bytes when it returns.
     *  @param      pair   Queue pair they came from.
     *  @param[out] taken  How many of packets[0 .. count) were taken, set to count before the call.
     *                     Fewer: the rest stays in the ring until avps_net_tx_ready.
     *  @return AVPS_OK; anything else is counted. May call avps_net_receive, also for this device;
     *  no other call of this device.
     *  NULL: poll mode, you call avps_net_tx_burst. */
    enum avps_status (*transmit)(void *ctx, uint16_t pair, const struct avps_net_packet *packets,
                                 uint32_t count, uint32_t *taken);
    /** A pair whose ring was too short for a frame has new buffers. May be NULL. */
    void (*rx_ready)(void *ctx, uint16_t pair);
    /** May the guest have this address [AVPS NET-8]? It is neither zero nor a group address.
     *  NULL: any. */
    bool (*mac_allowed)(void *ctx, const uint8_t mac[6]);
    /** The driver went live or went away: frames flow, or not. May be NULL. */
    void (*live)(void *ctx, bool live);
};

/** Counters of a queue pair; they run on through resets. */
struct avps_net_counters {
    uint64_t tx_packets;      /**< Frames taken by the back end. */
    uint64_t tx_bytes;        /**< Their bytes. */
    uint64_t tx_malformed;    /**< Dropped: bad header or offsets, or too short for a frame. */
    uint64_t tx_oversize;     /**< Dropped: longer than the MTU or than any frame. */
    uint64_t tx_link_down;    /**< Dropped: no link. */
    uint64_t tx_errors;       /**< The back end returned an error. */
    uint64_t tx_blocked;      /**< The back end took less than a burst. */
    uint64_t rx_packets;      /**< Frames given to the guest. */
    uint64_t rx_bytes;        /**< Their bytes. */
    uint64_t rx_filtered;     /**< Not wanted by the guest. */
    uint64_t rx_flow_dropped; /**< Dropped by a flow filter rule of the guest. */
    uint64_t rx_oversize;     /**< Dropped: longer than the MTU, or too long for the buffers. */
    uint64_t rx_invalid;      /**< Dropped: your frame or its offload is malformed. */
    uint64_t rx_no_offload;   /**< Dropped: the guest does not take this kind of large frame. */
    uint64_t rx_no_queue;     /**< Dropped: no link, driver or queue. */
    uint64_t rx_errors;       /**< Dropped: guest memory failed. */
    uint64_t rx_blocked;      /**< Times that the ring had too few buffers. */
    uint64_t rx_csum_done;    /**< Checksums completed here because the guest cannot. */
};

/** Counters of the control queue. */
struct avps_net_ctrl_counters {
    uint64_t ok;          /**< Commands done. */
    uint64_t failed;      /**< Commands refused or malformed. */
    uint64_t mac_refused; /**< Of these: addresses that the policy did not allow. */
};

/** Guest to host half of a pair. Private. */
struct avps_net_tx {
    struct avps_chain chains[AVPS_BURST_MAX];            /**< Chains of the burst. */
    struct avps_net_packet packets[AVPS_BURST_MAX];      /**< Good frames among them. */
    struct avps_plain plain[AVPS_BURST_MAX];             /**< ... and plain ones before them. */
    uint16_t origin[AVPS_BURST_MAX];                     /**< Chain of each frame. */
    uint8_t verdict[AVPS_BURST_MAX];                     /**< Why a chain is no frame, or 0. */
    uint32_t plain_count;                                /**< Plain chains held. */
    uint32_t chain_count;                                /**< Other chains held. */
    uint32_t packet_count;                               /**< Frames held. */
    bool blocked;                                        /**< Waits for avps_net_tx_ready. */
    bool out;                                            /**< Waits for avps_net_tx_done. */
    struct avps_seg segs[AVPS_BURST_MAX][AVPS_NET_SEGS]; /**< Segments of the chains. */
};

/** Host to guest half of a pair. Private. */
struct avps_net_rx {
    struct avps_chain chains[AVPS_NET_MERGE];            /**< Buffers being filled. */
    struct avps_plain plain[AVPS_BURST_MAX];             /**< The same, plain ones. */
    bool starving;                                       /**< rx_ready is owed. */
    uint32_t pushed;                                     /**< Chains to be published. */
    struct avps_seg segs[AVPS_NET_MERGE][AVPS_NET_SEGS]; /**< Their segments. */
};

/** Notification coalescing of one queue. Private. */
struct avps_net_coal {
    uint32_t max_packets; /**< As the driver set it. */
    uint32_t max_usecs;   /**< As the driver set it. */
    uint32_t packets;     /**< Chains returned since the last notification. */
    uint64_t since_ns;    /**< When it was first due; meaningful while `owed`. */
    bool owed;            /**< A notification is held back. */
};

/** A receive and a transmit queue. Private; the storage is the caller's. */
struct avps_net_pair {
    struct avps_net_tx tx;             /**< Guest to host. */
    struct avps_net_rx rx;             /**< Host to guest. */
    struct avps_net_coal coal[2];      /**< Of the receive and of the transmit queue. */
    struct avps_net_counters counters; /**< Counters. */
};

/** Configuration. */
struct avps_net_config {
    struct avps_device_config base; /**< queue_count 2 * pair_count + 1. */
    const struct avps_net_ops *ops; /**< Required; outlives the device. */
    void *ctx;                      /**< Handed to the ops. */
    struct avps_net_pair *pairs;    /**< Required: storage for `pair_count` pairs. */
    uint16_t pair_count;            /**< 1..32767 [net-1.1]. */
    uint8_t mac[6];                 /**< Address of the guest; all zero: MAC is not offered. */
    uint16_t mtu;                   /**< 68..65535, better 1280 or more; 0: MTU is not offered. */
    uint32_t offloads;              /**< OR of enum avps_net_backend_offload. */
    bool speed_known;               /**< Offer SPEED_DUPLEX with the next two. */
    uint32_t speed;                 /**< Mbit/s, 0..0x7fffffff, or 0xffffffff: unknown. */
    uint8_t duplex;                 /**< 0, 1 or 0xff as in `duplex` of the configuration space;
                                         Linux takes 1 as full duplex. */
    bool link_down;                 /**< Start without link. */
    struct avps_net_flow *flow;     /**< Storage for flow filters, used with `base.admin`; NULL: not
                                         offered. Borrowed. */
};

/** Receive filter as the driver set it. Private. */
struct avps_net_filter {
    uint8_t modes;                       /**< One bit per receive mode command. */
    bool all_unicast;                    /**< The unicast table overflowed. */
    bool all_multicast;                  /**< The multicast table overflowed. */
    uint32_t unicast_count;              /**< Entries. */
    uint32_t multicast_count;            /**< Entries. */
    uint8_t unicast[AVPS_NET_MACS][6];   /**< Table. */
    uint8_t multicast[AVPS_NET_MACS][6]; /**< Table. */
    uint32_t vlans[128];                 /**< One bit per VLAN id. */
};

/** Hash and steering parameters as the driver set them. Private. */
struct avps_net_rss {
    uint32_t types;                     /**< Hash types. */
    uint16_t mask;                      /**< Of the table. */
    uint16_t unclassified;              /**< Pair for packets without hash. */
    uint8_t key_len;                    /**< Bytes of the key. */
    uint8_t key[40];                    /**< Key. */
    uint16_t table[AVPS_NET_RSS_TABLE]; /**< Pairs. */
};

/** How frames find their queue. Private. */
enum avps_net_steering {
    AVPS_NET_STEER_ONE,  /**< The first pair. */
    AVPS_NET_STEER_AUTO, /**< By the flow's last transmission. */
    AVPS_NET_STEER_RSS   /**< By hash and table. */
};

/** A network device. Fields are private. */
struct avps_net {
    struct avps_device base;              /**< The device. */
    const struct avps_net_ops *ops;       /**< Back end. */
    void *ctx;                            /**< Its context. */
    struct avps_net_pair *pairs;          /**< Pairs. */
    uint16_t pair_count;                  /**< How many. */
    uint16_t pairs_in_use;                /**< 1, or as the driver enabled. */
    uint16_t control;                     /**< Index of the control queue, 0: none. */
    uint16_t mtu;                         /**< 0: none. */
    uint16_t status;                      /**< Link and announce bits. */
    uint8_t hdr_size;                     /**< Of the negotiated header: 12 or 20. */
    uint8_t duplex;                       /**< Of the configuration space. */
    uint32_t speed;                       /**< Of the configuration space. */
    uint8_t mac[6];                       /**< Address now. */
    uint8_t first_mac[6];                 /**< Address of the configuration. */
    bool mac_known;                       /**< `mac` is what the driver uses. */
    uint8_t tx_kinds;                     /**< Large frames taken: one bit per type. */
    uint8_t rx_kinds;                     /**< Large frames given: one bit per type. */
    bool tx_csum;                         /**< Partial checksums are taken. */
    bool tx_ecn;                          /**< With ECN too. */
    bool tx_hdrlen;                       /**< hdr_len is exact. */
    bool rx_csum;                         /**< Partial checksums are given. */
    bool rx_ecn;                          /**< With ECN too. */
    bool rx_uso4;                         /**< Large UDP over IPv4. */
    bool rx_uso6;                         /**< Large UDP over IPv6. */
    bool mergeable;                       /**< MRG_RXBUF. */
    bool hash_wanted;                     /**< A hash is computed. */
    bool loaded;                          /**< The switches come from a saved state. */
    struct avps_features guest_offloads;  /**< Receive offloads switched on. */
    uint32_t frame_max;                   /**< Bytes without VLAN tag; large frames excepted. */
    uint32_t tunnels;                     /**< Tunnel types hashed by the inner header. */
    enum avps_net_steering steering;      /**< Mode. */
    struct avps_net_coal coal_default[2]; /**< For queues enabled later. */
    uint32_t coal_owed;                   /**< Queues with a notification held back. */
    uint64_t coal_timer_ns;               /**< What the timer is set to, 0: nothing. */
    struct avps_net_filter filter;        /**< Filter in force. */
    struct avps_net_filter next_filter;   /**< Being parsed. */
    struct avps_net_rss rss;              /**< Hash parameters in force. */
    struct avps_net_rss next_rss;         /**< Being parsed. */
    struct avps_net_flow *flow;           /**< Flow filters, or NULL. */
    atomic_ushort flows[AVPS_NET_FLOWS];  /**< Pair + 1 of the flows seen, 0: none. */
    struct avps_net_ctrl_counters ctrl_counters; /**< Counters. */
};

/** Initialise.
 *  @return AVPS_OK; AVPS_E_PARAM: an argument is missing or out of range. */
AVPS_NODISCARD enum avps_status avps_net_init(struct avps_net *net,
                                              const struct avps_net_config *config);

/** Copy bytes of a frame out, under any memory contract.
 *  @param offset, len  A part of the frame: offset + len <= packet->len.
 *  @return AVPS_OK; AVPS_E_PARAM if the part is not inside; what the port's read op returns. */
AVPS_NODISCARD enum avps_status avps_net_packet_copy(const struct avps_net_packet *packet,
                                                     uint32_t offset, void *dst, uint32_t len);

/** The back end can take frames again after it took less than a burst: the device is polled. */
void avps_net_tx_ready(struct avps_net *net);

/** The same for one pair, in its context. An unknown pair is ignored. */
void avps_net_tx_ready_pair(struct avps_net *net, uint16_t pair);

/** Poll mode: take up to `max` frames of a pair (at most AVPS_BURST_MAX).
 *  @param[out] packets  The library's array, valid until avps_net_tx_done or a reset.
 *  @param[out] count    Frames there; 0 is no error.
 *  @return AVPS_OK: give them back with avps_net_tx_done, also when count is 0; AVPS_E_PARAM;
 *  AVPS_E_STATE if the last burst was not given back. */
AVPS_NODISCARD enum avps_status avps_net_tx_burst(struct avps_net *net, uint16_t pair, uint32_t max,
                                                  const struct avps_net_packet **packets,
                                                  uint32_t *count);

/** Give a burst back: the first `taken` frames were sent, the rest stays in the ring.
 *  @return AVPS_OK; AVPS_E_PARAM; AVPS_E_STATE if nothing is out, as after a reset. */
AVPS_NODISCARD enum avps_status avps_net_tx_done(struct avps_net *net, uint16_t pair,
                                                 uint32_t taken);

/** Poll mode: ask the guest for a doorbell before you stop polling.
 *  @return Whether frames are there already: keep polling. */
bool avps_net_tx_arm(struct avps_net *net, uint16_t pair);

/** Frames for the guest: filtered, steered, copied, published with one notification per queue.
 *  @param[out] taken  Frames dealt with, from the first on: given to the guest, or dropped and
 *                     counted. Fewer than count: a ring is full; keep or drop the rest, `rx_ready`
 *                     will be called.
 *  @return AVPS_OK; AVPS_E_PARAM. */
AVPS_NODISCARD enum avps_status avps_net_receive(struct avps_net *net,
                                                 const struct avps_net_frame *frames,
                                                 uint32_t count, uint32_t *taken);

/** The same into one pair, for those who steer themselves; frames for a pair that the driver has
 *  not enabled are dropped. */
AVPS_NODISCARD enum avps_status avps_net_rx_burst(struct avps_net *net, uint16_t pair,
                                                  const struct avps_net_frame *frames,
                                                  uint32_t count, uint32_t *taken);

/** Link up or down; the driver is told if it changed. Without link frames are dropped. */
void avps_net_set_link(struct avps_net *net, bool up);

/** Change speed and duplex, while the link is down [net-1.12].
 *  @return AVPS_OK; AVPS_E_STATE while the link is up; AVPS_E_UNSUPPORTED if not offered;
 *  AVPS_E_PARAM. */
AVPS_NODISCARD enum avps_status avps_net_set_speed(struct avps_net *net, uint32_t speed,
                                                   uint8_t duplex);

/** Ask the guest to announce itself, after a migration. @return AVPS_OK; AVPS_E_UNSUPPORTED if the
 *  driver did not accept GUEST_ANNOUNCE and STATUS; AVPS_E_STATE if it is not live. */
AVPS_NODISCARD enum avps_status avps_net_announce(struct avps_net *net);

/** The address that the guest uses now: 6 bytes, valid as long as the device is. */
const uint8_t *avps_net_mac(const struct avps_net *net);

/** Counters of a pair. @return NULL for an unknown pair. */
const struct avps_net_counters *avps_net_counters(const struct avps_net *net, uint16_t pair);

/** Counters of the control queue. */
const struct avps_net_ctrl_counters *avps_net_ctrl_counters(const struct avps_net *net);

#ifdef __cplusplus
}
#endif
#endif
