/* SPDX-License-Identifier: BSD-3-Clause */
/** @file net_flow.h
 *  Flow filters of a network device: rules by which the guest drops frames or steers them to a
 *  receive queue, ahead of hash steering [net-15.18].
 *
 *  Memory: the caller's: one `struct avps_net_flow` a device, named in `avps_net_config.flow`.
 *  Threads: the device's context. Guest: rules are checked when they are made; each frame is
 *  matched on a private copy of its headers, with at most AVPS_NET_FF_RULES comparisons.
 *
 *  The driver makes groups, classifiers and rules by administration commands, so the device needs an
 *  administration virtqueue too (admin.h). Headers that can be matched: Ethernet, IPv4, IPv6, TCP,
 *  UDP, ESP, every field, with partial masks. Actions: drop, direct to a receive queue.
 */
#ifndef AVPS_NET_FLOW_H
#define AVPS_NET_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "avps/config.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Selectors of a classifier: Ethernet, then IPv4 or IPv6, then TCP, UDP or ESP. */
#define AVPS_NET_FF_SELECTORS 3U

/** Bytes of a key: Ethernet, IPv6 and TCP header. */
#define AVPS_NET_FF_KEY 74U

/** Kinds of headers: one more than the highest selector type. */
#define AVPS_NET_FF_TYPES 7U

/** Longest header of a selector, in bytes. */
#define AVPS_NET_FF_HEADER 40U

/** A group. Private. */
struct avps_net_ff_group {
    bool used;         /**< It exists. */
    uint16_t priority; /**< Higher ones first. */
    uint16_t rules;    /**< Rules in it. */
};

/** Which headers are compared, and which of their bits. Private. */
struct avps_net_ff_classifier {
    bool used;                            /**< It exists. */
    uint8_t count;                        /**< Selectors. */
    uint8_t types[AVPS_NET_FF_SELECTORS]; /**< Their types. */
    uint8_t flags[AVPS_NET_FF_SELECTORS]; /**< Their flags. */
    uint8_t key_len;                      /**< Bytes of mask and key. */
    uint8_t mask[AVPS_NET_FF_KEY];        /**< Masks, one behind the other. */
    uint16_t rules;                       /**< Rules that use it. */
};

/** A rule. Private. */
struct avps_net_ff_rule {
    bool used;                    /**< It exists. */
    uint8_t priority;             /**< Higher ones first. */
    uint8_t action;               /**< Drop or direct. */
    uint8_t key_len;              /**< As the classifier's. */
    uint16_t queue;               /**< Virtqueue index. */
    uint32_t group;               /**< Group id. */
    uint32_t classifier;          /**< Classifier id. */
    uint8_t key[AVPS_NET_FF_KEY]; /**< Keys, one behind the other. */
};

/** What a selector may compare. Private. */
struct avps_net_ff_selector {
    uint8_t length;                   /**< 0: not this type. */
    uint8_t flags;                    /**< Partial masks. */
    uint8_t mask[AVPS_NET_FF_HEADER]; /**< Bits. */
};

/** Limits in force: 0 until the driver has set them [admin-caps-1.10]. Private. */
struct avps_net_ff_limits {
    uint32_t groups;          /**< Groups. */
    uint32_t classifiers;     /**< Classifiers. */
    uint32_t rules;           /**< Rules in all. */
    uint32_t rules_per_group; /**< Rules in a group. */
    uint8_t last_priority;    /**< Rule priorities are below it. */
    uint8_t selectors;        /**< Selectors of a classifier. */
};

/** Flow filters of one device. Private; the storage is the caller's. */
struct avps_net_flow {
    struct avps_net_ff_limits limits;                                   /**< Resource capability. */
    struct avps_net_ff_selector selectors[AVPS_NET_FF_TYPES];           /**< Selector capability. */
    uint8_t actions;                                                    /**< Action capability. */
    struct avps_net_ff_group groups[AVPS_NET_FF_GROUPS];                /**< By id. */
    struct avps_net_ff_classifier classifiers[AVPS_NET_FF_CLASSIFIERS]; /**< By id. */
    struct avps_net_ff_rule rules[AVPS_NET_FF_RULES];                   /**< By id. */
    uint16_t order[AVPS_NET_FF_RULES]; /**< Rules by group and rule priority. */
    uint16_t order_count;              /**< How many there are. */
};

#ifdef __cplusplus
}
#endif
#endif
