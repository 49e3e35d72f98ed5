/* SPDX-License-Identifier: BSD-3-Clause */
/** @file platform_filter.h
 *  The policies of a network device where there is no switch: a tap interface or a user network that
 *  serves one guest alone. It stands between the device and any back end.
 *
 *  Memory: the caller's. Threads: the device's context. Guest: a frame is copied before it is judged,
 *  and the copy is what goes out.
 *
 *  Freestanding. Judged is what the guest sends: source address [AVPS NET-8], VLAN tag, rate, as on
 *  a port of the switch; what the back end gives goes to the guest as it is.
 *  Order: the back end's `describe` into a configuration, avps_platform_filter_init(), which puts itself
 *  in front, avps_platform_net(), avps_net_init(), the back end's `attach`.
 */
#ifndef AVPS_COMMON_PLATFORM_FILTER_H
#define AVPS_COMMON_PLATFORM_FILTER_H

#include "avps/net.h"
#include "avps_common/platform.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What happened to frames of the guest. */
struct avps_platform_filter_counters {
    uint64_t passed;     /**< Taken by the back end. */
    uint64_t spoofed;    /**< Dropped: source address not allowed. */
    uint64_t wrong_vlan; /**< Dropped: tag not allowed. */
    uint64_t over_rate;  /**< Dropped: over the rate. */
    uint64_t too_long;   /**< Dropped: longer than the buffer, or guest memory failed. */
};

/** What a filter needs. */
struct avps_platform_filter_config {
    const struct avps_platform *platform;      /**< Required; borrowed. */
    const struct avps_platform_device *device; /**< Required, of kind NET; borrowed. */
    const struct avps_port *port;              /**< Clock; needed with a rate. Copied. */
    uint8_t *frame;                            /**< Required: room for one frame; borrowed. */
    uint32_t frame_size;                       /**< Bytes there: 1518, with large frames 65597. */
};

/** A filter. Fields are private. */
struct avps_platform_filter {
    const struct avps_net_ops *ops;                /**< Back end. */
    void *ctx;                                     /**< Its context. */
    const struct avps_platform_net *net;           /**< Policies. */
    struct avps_port port;                         /**< Clock. */
    uint8_t *frame;                                /**< Copy of a frame. */
    uint32_t frame_size;                           /**< Bytes there. */
    uint64_t tokens;                               /**< Bytes that may come. */
    uint64_t refilled_ns;                          /**< When tokens were added. */
    struct avps_net_ops outer;                     /**< What the device is given. */
    struct avps_platform_filter_counters counters; /**< Counters. */
};

/** Put a filter between a device and the back end in its configuration.
 *  @param[in,out] net  Its `ops` and `ctx` are the back end's; then the filter's.
 *  @return AVPS_OK; AVPS_E_PARAM: something is missing, a rate has no clock, or the back end is in poll
 *  mode; AVPS_E_UNSUPPORTED: the device and the uplink of its network are in different VLANs. */
AVPS_NODISCARD enum avps_status
avps_platform_filter_init(struct avps_platform_filter *filter,
                          const struct avps_platform_filter_config *config,
                          struct avps_net_config *net);

/** Counters; valid as long as the filter is. */
const struct avps_platform_filter_counters *
avps_platform_filter_counters(const struct avps_platform_filter *filter);

#ifdef __cplusplus
}
#endif
#endif
