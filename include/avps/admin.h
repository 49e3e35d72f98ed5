/* SPDX-License-Identifier: BSD-3-Clause */
/** @file admin.h
 *  The administration virtqueue of a device [admin-2.7]: one more queue, behind the device's own, by
 *  which its driver learns and sets capabilities and manages resource objects (self group).
 *
 *  Memory: the caller's. Threads: the device's context. Guest: commands are copied out of guest
 *  memory as a whole, then checked; one that is refused changes nothing.
 *
 *  Give an initialised `struct avps_admin` to a device by `avps_device_config.admin`, and one more
 *  element in `avps_device_config.queues` than `queue_count` says: the administration virtqueue is
 *  the last. A transport that knows such queues, PCI, then offers ADMIN_VQ; behind another one the
 *  queue cannot be enabled.
 *  Group types: self. The SR-IOV group, and with it device parts and the legacy interface, exist
 *  only for functions with that capability, and none is modelled here.
 */
#ifndef AVPS_ADMIN_H
#define AVPS_ADMIN_H

#include <stdint.h>

#include "avps/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Bytes of a command's data that count; what a longer one holds behind them is ignored. The longest
 *  that is defined for a device here is a flow filter rule. */
#define AVPS_ADMIN_DATA_MAX 320U

struct avps_admin_ops;

/** Counters; they run on through resets. */
struct avps_admin_counters {
    uint64_t commands; /**< Commands answered. */
    uint64_t refused;  /**< Of these: with another status than OK. */
};

/** An administration virtqueue's state. Fields are private. */
struct avps_admin {
    const struct avps_admin_ops *ops;    /**< How the device core serves it. */
    uint64_t used;                       /**< Commands that the driver uses, a bit each. */
    struct avps_admin_counters counters; /**< Counters. */
    uint8_t data[AVPS_ADMIN_DATA_MAX];   /**< The command's private copy. */
    uint8_t result[AVPS_ADMIN_DATA_MAX]; /**< The answer. */
};

/** Initialise; then name it in the configuration of one device. @return AVPS_OK; AVPS_E_PARAM. */
AVPS_NODISCARD enum avps_status avps_admin_init(struct avps_admin *admin);

/** Counters, valid as long as `admin` is. */
const struct avps_admin_counters *avps_admin_counters(const struct avps_admin *admin);

#ifdef __cplusplus
}
#endif
#endif
