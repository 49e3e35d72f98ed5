/* SPDX-License-Identifier: BSD-3-Clause */
/** @file platform_apply.h
 *  From a platform's tables to the library's configurations: the one place where the policies of a
 *  platform file take effect, whatever the port.
 *
 *  Memory: na value of its own; the platform's tables are borrowed by what is configured, and have to
 *  outlive it. Threads: any. Guest: what it is offered follows from here.
 *
 *  Freestanding. For each device: fill in a configuration with what your back end gives and needs
 *  (its `describe`, ops, storage), hand it to avps_platform_<kind>(), which narrows it down to what
 *  the file says, call avps_<kind>_init, attach its transport, and ask avps_platform_missing().
 */
#ifndef AVPS_COMMON_PLATFORM_APPLY_H
#define AVPS_COMMON_PLATFORM_APPLY_H

#include "avps/blk.h"
#include "avps/console.h"
#include "avps/i2c.h"
#include "avps/net.h"
#include "avps/rng.h"
#include "avps/switch.h"
#include "avps/vsock.h"
#include "avps_common/platform.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Virtqueues of a device: the places that `base.queues` has to have, and one more with an
 *  administration virtqueue. */
uint16_t avps_platform_queues(const struct avps_platform_device *device);

/** The part of a guest's memory that its devices may reach: all of it, or with a dma_window_mib the
 *  window at its end. Initialise their memory handles with this row alone: avps_mem_init_regions(), or
 *  avps_mem_init_window(), which sees to it that the device has ACCESS_PLATFORM.
 *  @param ram  The guest's memory, in one piece of memory_mib MiB. @return The row for the handle. */
struct avps_mem_region avps_platform_reach(const struct avps_platform_guest *guest,
                                           struct avps_mem_region ram);

/** The common part alone: queue count and size, features withheld, ACCESS_PLATFORM. The functions
 *  below do it too. What was withheld stays so. */
void avps_platform_base(const struct avps_platform_device *device,
                        struct avps_device_config *config);

/** A block device: capacity, identity, read-only, cache mode.
 *  @param[in,out] config  With the back end's capacity; it may be read-only itself.
 *  @return AVPS_OK; AVPS_E_NOSPACE if the back end is smaller than the file says. */
AVPS_NODISCARD enum avps_status avps_platform_blk(const struct avps_platform_device *device,
                                                  struct avps_blk_config *config);

/** A network device: address, MTU, pairs, speed. Its `pairs` has to have a place for each of
 *  `device->queues`. */
void avps_platform_net(const struct avps_platform *platform,
                       const struct avps_platform_device *device, struct avps_net_config *config);

/** A console device: size and number of ports. Its `ports` has to have 1 + console.port_count
 *  places; add the further ports with avps_console_add_port, number 1 + i for console.ports[i]. */
void avps_platform_console(const struct avps_platform_device *device,
                           struct avps_console_config *config);

/** An entropy device. */
void avps_platform_rng(const struct avps_platform_device *device, struct avps_rng_config *config);

/** An I2C adapter: chips that the guest may talk to. */
void avps_platform_i2c(const struct avps_platform_device *device, struct avps_i2c_config *config);

/** A socket device: the guest's context id. */
void avps_platform_vsock(const struct avps_platform_device *device,
                         struct avps_vsock_config *config);

/** Whether the guest of a socket device may talk to a context id: ask it in your `request`, and before
 *  avps_vsock_connect. */
bool avps_platform_vsock_allows(const struct avps_platform_device *device, uint64_t peer_cid);

/** A network: size of the table and age of its entries [AVPS NET-4].
 *  @param[in,out] config  `table_size`: places there are; then those to be used. Without a clock,
 *                         `age` counts seconds: call avps_switch_tick once in each.
 *  @return AVPS_OK; AVPS_E_NOSPACE if there are too few places. */
AVPS_NODISCARD enum avps_status avps_platform_switch(const struct avps_platform_network *network,
                                                     struct avps_switch_config *config);

/** The switch port of a network device: addresses allowed [AVPS NET-8], VLANs, rate, limit of
 *  learning. Set `net` yourself. A rate needs a switch with a clock. */
void avps_platform_switch_port(const struct avps_platform_device *device,
                               struct avps_switch_port_config *config);

/** The switch port of a network's uplink: its VLAN. Set `host` and so on yourself. */
void avps_platform_uplink_port(const struct avps_platform_network *network,
                               struct avps_switch_port_config *config);

/** A feature that the file names and the device, with its transport, does not offer, because the back end
 *  or the build cannot: the platform does not keep what it promises.
 *  @return Its name in the file; NULL: all are there. */
const char *avps_platform_missing(const struct avps_platform_device *device,
                                  const struct avps_device *made);

#ifdef __cplusplus
}
#endif
#endif
