/* SPDX-License-Identifier: BSD-3-Clause */
/** @file switch.h
 *  Learning switch: networks between guests, and between guests and the host [AVPS NET-4].
 *
 *  Memory: the caller's; tables and lists are borrowed. Threads: the switch, its network devices
 *  and its host ports share one context. Guest: the Ethernet header is copied before it is judged,
 *  and the copy is what goes out; a frame is copied once, from guest to guest.
 *
 *  Order: avps_switch_init; per guest avps_net_init with `ops` &avps_switch_net_ops and `ctx` the
 *  port in your array; avps_switch_connect. A frame moves within the sender's avps_poll into the
 *  receivers' rings; the receivers' interrupts follow at the end of the burst. A full receiver
 *  loses the frame, the sender is never held up. Nothing is called back into: a host port that
 *  wants to answer sends from its own loop, after `deliver` has returned.
 *  Frames to the addresses 01-80-c2-00-00-0X stay on their link and are dropped.
 */
#ifndef AVPS_SWITCH_H
#define AVPS_SWITCH_H

#include "avps/net.h"

#ifdef __cplusplus
extern "C" {
#endif

struct avps_switch;

/** A port of the host's own. */
struct avps_switch_host_ops {
    /** A frame arrived. The bytes are a private copy, valid during the call.
     *  @param offload  What is left to do; all zero unless the port takes offloads.
     *  Must not call the switch. */
    void (*deliver)(void *ctx, const uint8_t *frame, uint32_t len,
                    const struct avps_net_offload *offload);
};

/** How a port treats VLAN tags. */
enum avps_switch_mode {
    AVPS_SWITCH_PLAIN,  /**< Tags are payload. Plain ports reach plain ports only. */
    AVPS_SWITCH_ACCESS, /**< Untagged member of `vlan`; tagged frames from it are dropped. */
    AVPS_SWITCH_TRUNK   /**< Tagged member of `vlans`, untagged of `vlan` when that is not 0. */
};

/** What is on a port, and what it may do. Copied; pointers are borrowed. */
struct avps_switch_port_config {
    struct avps_net *net;                    /**< A network device, or NULL for a host port. */
    const struct avps_switch_host_ops *host; /**< Required for a host port. */
    void *host_ctx;                          /**< Handed to its op. */
    bool host_offloads;                      /**< It takes partial checksums and large frames. */
    const uint8_t (*macs)[6];                /**< Source addresses allowed; NULL: any that is not
                                                  in another port's list. */
    uint32_t mac_count;                      /**< How many. */
    enum avps_switch_mode mode;              /**< Tags. */
    uint16_t vlan;                           /**< 1..4094 for ACCESS, 0..4094 for TRUNK. */
    const uint16_t *vlans;                   /**< Of a TRUNK, each 1..4094. */
    uint32_t vlan_count;                     /**< How many. */
    uint32_t learn_max;                      /**< Addresses learned at most; 0: no limit. */
    uint64_t rate;                           /**< Bytes per second into the switch; 0: no limit.
                                                  Needs a clock. */
    uint32_t burst;                          /**< Bytes that may come at once; at least 65597 where
                                                  large frames are on, else 1518. */
};

/** Counters of a port; `in` is from the port into the switch. */
struct avps_switch_counters {
    uint64_t in_frames;   /**< Frames accepted. */
    uint64_t in_bytes;    /**< Their bytes. */
    uint64_t out_frames;  /**< Frames given to what is on the port. */
    uint64_t out_bytes;   /**< Their bytes. */
    uint64_t flooded;     /**< Of the accepted: sent to all ports. */
    uint64_t unsent;      /**< Of the accepted: no other port wanted them. */
    uint64_t invalid;     /**< Dropped: no source, reserved destination, malformed. */
    uint64_t spoofed;     /**< Dropped: source address not allowed. */
    uint64_t wrong_vlan;  /**< Dropped: tag not allowed. */
    uint64_t over_rate;   /**< Dropped: over the rate. */
    uint64_t no_bounce;   /**< Dropped: longer than the bounce buffer. */
    uint64_t nested;      /**< Dropped: came while the switch was delivering, or the port is off. */
    uint64_t full;        /**< Not delivered: the receiver's ring was full. */
    uint64_t no_offload;  /**< Not delivered: the host port takes no large frames. */
    uint64_t not_learned; /**< Addresses not learned: limit, or another port's. */
};

/** A port. Private; the storage is the caller's. */
struct avps_switch_port {
    struct avps_switch *owner;             /**< The switch. */
    struct avps_switch_port_config config; /**< What is on it. */
    struct avps_switch_counters counters;  /**< Counters. */
    uint32_t learned;                      /**< Addresses in the table. */
    uint64_t tokens;                       /**< Bytes that may come. */
    uint64_t refilled_ns;                  /**< When tokens were added. */
    bool connected;                        /**< Something is on it. */
    bool touched;                          /**< Its device has frames to be published. */
};

/** A learned address. Private; the storage is the caller's. */
struct avps_switch_entry {
    uint64_t seen;  /**< Time of the last frame. */
    uint16_t port;  /**< Where it is. */
    uint16_t vlan;  /**< In which VLAN; 0: plain. */
    uint8_t mac[6]; /**< Address. */
    bool used;      /**< The entry is valid. */
};

/** Configuration. */
struct avps_switch_config {
    struct avps_switch_port *ports;  /**< Required: storage for `port_count` ports. */
    uint16_t port_count;             /**< 1..1024. */
    struct avps_switch_entry *table; /**< Required: storage for `table_size` addresses. */
    uint32_t table_size;             /**< A power of two, 4..65536. */
    uint8_t *bounce;                 /**< Two buffers of `bounce_size` bytes; needed by host ports
                                          and by guests under the read/write contract. */
    uint32_t bounce_size;            /**< Longest frame for these: 1518, with large ones 65597. */
    uint64_t age;                    /**< Addresses not seen for so long are forgotten:
                                          nanoseconds with a clock, else calls of
                                          avps_switch_tick; 0: never. */
    const struct avps_port *port;    /**< NULL, or with a clock. Copied. */
};

/** A switch. Fields are private. */
struct avps_switch {
    struct avps_switch_port *ports;  /**< Ports. */
    struct avps_switch_entry *table; /**< Addresses. */
    uint8_t *bounce;                 /**< Buffers. */
    uint64_t age;                    /**< Limit. */
    uint64_t ticks;                  /**< Time without a clock. */
    struct avps_port port;           /**< Clock. */
    uint32_t table_size;             /**< Entries. */
    uint32_t bounce_size;            /**< Of one buffer. */
    uint16_t port_count;             /**< How many. */
    bool busy;                       /**< Frames are being forwarded. */
};

/** Back end of the network devices on a switch; their `ctx` is their port. */
extern const struct avps_net_ops avps_switch_net_ops;

/** Initialise, with nothing connected. @return AVPS_OK; AVPS_E_PARAM. */
AVPS_NODISCARD enum avps_status avps_switch_init(struct avps_switch *sw,
                                                 const struct avps_switch_config *config);

/** Put something on a port.
 *  @return AVPS_OK; AVPS_E_PARAM: out of range, a list malformed, a device whose back end is not
 *  this port, or a limit without a clock; AVPS_E_STATE: the port is taken. */
AVPS_NODISCARD enum avps_status avps_switch_connect(struct avps_switch *sw, uint16_t port,
                                                    const struct avps_switch_port_config *config);

/** Take it off again and forget its addresses; frames of its device are dropped from now on. */
void avps_switch_disconnect(struct avps_switch *sw, uint16_t port);

/** Frames from a host port. All are dealt with: forwarded, or dropped and counted.
 *  @return AVPS_OK; AVPS_E_PARAM: no host port; AVPS_E_STATE: called from `deliver`. */
AVPS_NODISCARD enum avps_status avps_switch_send(struct avps_switch *sw, uint16_t port,
                                                 const struct avps_net_frame *frames,
                                                 uint32_t count);

/** One unit of `age` has passed, where there is no clock. */
void avps_switch_tick(struct avps_switch *sw);

/** Where an address is. @param vlan  0 for plain ports.
 *  @return AVPS_OK; AVPS_EMPTY if it is not known. */
AVPS_NODISCARD enum avps_status avps_switch_find(const struct avps_switch *sw, const uint8_t mac[6],
                                                 uint16_t vlan, uint16_t *port);

/** Counters of a port. @return NULL for an unknown port. */
const struct avps_switch_counters *avps_switch_counters(const struct avps_switch *sw,
                                                        uint16_t port);

#ifdef __cplusplus
}
#endif
#endif
