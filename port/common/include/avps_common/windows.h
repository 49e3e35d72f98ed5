/* SPDX-License-Identifier: BSD-3-Clause */
/** @file windows.h
 *  The virtio-mmio windows of one guest: which device a trapped access is for.
 *
 *  Memory: the caller's. Threads: as avps/mmio.h, for all devices of the guest together.
 *  Guest: any access to any address is safe.
 */
#ifndef AVPS_COMMON_WINDOWS_H
#define AVPS_COMMON_WINDOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "avps/mmio.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One window. Private. */
struct avps_window {
    avps_gpa gpa;               /**< Where it begins. */
    struct avps_device *device; /**< NULL: none. */
    struct avps_mmio mmio;      /**< Its registers. */
};

/** All of a guest. Set `windows` and `capacity`, the rest 0. */
struct avps_windows {
    struct avps_window *windows; /**< Storage, the caller's. */
    uint32_t capacity;           /**< How many fit. */
    uint32_t count;              /**< How many there are. */
};

/** A trapped load or store. */
struct avps_window_access {
    avps_gpa gpa;   /**< Guest address, any value. */
    uint64_t value; /**< Stored; of a load, filled in. */
    uint32_t width; /**< Bytes: 1, 2, 4 or 8. */
    bool is_write;  /**< A store, else a load. */
};

/** Show a device to the guest.
 *  @param config  As for avps_mmio_init. `device` NULL: a window that is there and has no device, which
 *                 a driver leaves alone.
 *  @param gpa     Where its AVPS_MMIO_SIZE bytes begin; overlaps no other window.
 *  @return AVPS_OK; AVPS_E_NOSPACE: no storage; what avps_mmio_init returns. */
AVPS_NODISCARD enum avps_status
avps_windows_add(struct avps_windows *windows, const struct avps_mmio_config *config, avps_gpa gpa);

/** Serve an access.
 *  @param[in,out] access  `value` of a load is filled in.
 *  @param[out] work       The device to poll soon, or NULL.
 *  @return Whether the address is in a window; if not, nothing is changed but `work`. */
bool avps_windows_access(struct avps_windows *windows, struct avps_window_access *access,
                         struct avps_device **work);

#ifdef __cplusplus
}
#endif
#endif
