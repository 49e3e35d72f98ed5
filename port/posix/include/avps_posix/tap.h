/* SPDX-License-Identifier: BSD-3-Clause */
/** @file tap.h
 *  Network through a tap interface of the host, with its offloads, for avps/net.h.
 *
 *  Memory: allocated at open, given back at close. Threads: the loop's context. Guest: frames go to
 *  the host's kernel straight from its memory; headers of offloads are the ones that the library
 *  checked.
 *
 *  A guest that gives no buffers holds the interface's queue up, a full interface holds the guest up.
 */
#ifndef AVPS_POSIX_TAP_H
#define AVPS_POSIX_TAP_H

#include "avps/net.h"
#include "avps_posix/error.h"
#include "avps_posix/loop.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Most queues of an interface. */
#define AVPS_POSIX_TAP_QUEUES 16U

/** What to open. */
struct avps_posix_tap_config {
    struct avps_posix_loop *loop; /**< Required. */
    const char *name; /**< Interface, at most 15 characters; made if there is none. NULL:
                                       the kernel finds a name. */
    uint16_t queues;  /**< 1..AVPS_POSIX_TAP_QUEUES; above 1 the interface must be, or
                                       becomes, a multi-queue one. 0: 1. */
    bool no_offloads; /**< Whole frames with checksums only. */
};

/** What happened. */
struct avps_posix_tap_counters {
    uint64_t sent;     /**< Frames given to the host. */
    uint64_t received; /**< Frames taken from the host. */
    uint64_t refused;  /**< Frames of the guest that the host did not take: bad offload, or the
                            interface is down. */
    uint64_t held;     /**< Times that the guest had too few buffers. */
};

/** An open interface. */
struct avps_posix_tap;

/** Open, and set the interface up where that is allowed.
 *  @param[out] tap    Yours to close.
 *  @param[out] error  Why not. May be NULL.
 *  @return AVPS_OK; AVPS_E_PARAM: configuration; AVPS_E_STATE: in use elsewhere; AVPS_E_NOSPACE;
 *  AVPS_E_IO: anything else. */
AVPS_NODISCARD enum avps_status avps_posix_tap_open(struct avps_posix_tap **tap,
                                                    const struct avps_posix_tap_config *config,
                                                    struct avps_posix_error *error);

/** Close. An interface that was made by open goes away. NULL is allowed. */
void avps_posix_tap_close(struct avps_posix_tap *tap);

/** Fill in ops, ctx and offloads, and withhold CTRL_GUEST_OFFLOADS: the interface is told at the
 *  driver's start what the guest takes. */
void avps_posix_tap_describe(struct avps_posix_tap *tap, struct avps_net_config *config);

/** Name the device, after avps_net_init. Frames flow from now on. */
void avps_posix_tap_attach(struct avps_posix_tap *tap, struct avps_net *net);

/** Name of the interface. Valid until close. */
const char *avps_posix_tap_name(const struct avps_posix_tap *tap);

/** Counters; valid until close. */
const struct avps_posix_tap_counters *avps_posix_tap_counters(const struct avps_posix_tap *tap);

#ifdef __cplusplus
}
#endif
#endif
