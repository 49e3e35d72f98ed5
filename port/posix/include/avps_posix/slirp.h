/* SPDX-License-Identifier: BSD-3-Clause */
/** @file slirp.h
 *  User network: the guest reaches the host's networks through sockets of this process, without any
 *  right or interface; for avps/net.h. Needs libslirp.
 *
 *  Memory: allocated at open, given back at close. Threads: the loop's context. Guest: libslirp
 *  parses its frames, on private copies; it runs with this process's rights, so run this process
 *  with few. The guest can reach everything that this process can, the host's loopback included
 *  (as 10.0.2.2), unless `restricted`.
 *
 *  The guest's network is 10.0.2.0/24 and fec0::/64: DHCP gives 10.0.2.15, the host is 10.0.2.2, its
 *  name server 10.0.2.3. Frames that the guest has no buffers for are dropped.
 */
#ifndef AVPS_POSIX_SLIRP_H
#define AVPS_POSIX_SLIRP_H

#include "avps/net.h"
#include "avps_posix/error.h"
#include "avps_posix/loop.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What to open. */
struct avps_posix_slirp_config {
    struct avps_posix_loop *loop; /**< Required. */
    uint16_t mtu;                 /**< Bytes of an IP packet, 68..65521; 0: 1500. */
    bool restricted;              /**< Nothing outside is reached; only forwarded ports reach in. */
};

/** What happened. */
struct avps_posix_slirp_counters {
    uint64_t sent;     /**< Frames from the guest. */
    uint64_t received; /**< Frames for the guest. */
    uint64_t dropped;  /**< Of these: the guest had no buffers or no driver. */
    uint64_t errors;   /**< Frames of the guest that libslirp complained of. */
};

/** An open network. */
struct avps_posix_slirp;

/** Open.
 *  @param[out] slirp  Yours to close.
 *  @param[out] error  Why not. May be NULL.
 *  @return AVPS_OK; AVPS_E_PARAM; AVPS_E_NOSPACE; AVPS_E_UNSUPPORTED: built without libslirp. */
AVPS_NODISCARD enum avps_status avps_posix_slirp_open(struct avps_posix_slirp **slirp,
                                                      const struct avps_posix_slirp_config *config,
                                                      struct avps_posix_error *error);

/** Close; connections of the guest end. NULL is allowed. */
void avps_posix_slirp_close(struct avps_posix_slirp *slirp);

/** A port of the host's loopback address leads to a port of the guest (10.0.2.15).
 *  @param udp         UDP, else TCP.
 *  @param host_port   1..65535.
 *  @param guest_port  1..65535.
 *  @return AVPS_OK; AVPS_E_PARAM; AVPS_E_IO: the port cannot be had. */
AVPS_NODISCARD enum avps_status avps_posix_slirp_forward(struct avps_posix_slirp *slirp, bool udp,
                                                         uint16_t host_port, uint16_t guest_port,
                                                         struct avps_posix_error *error);

/** Fill in ops, ctx and offloads (none). */
void avps_posix_slirp_describe(struct avps_posix_slirp *slirp, struct avps_net_config *config);

/** Name the device, after avps_net_init. */
void avps_posix_slirp_attach(struct avps_posix_slirp *slirp, struct avps_net *net);

/** Counters; valid until close. */
const struct avps_posix_slirp_counters *
avps_posix_slirp_counters(const struct avps_posix_slirp *slirp);

#ifdef __cplusplus
}
#endif
#endif
