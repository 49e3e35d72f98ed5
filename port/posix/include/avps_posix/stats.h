/* SPDX-License-Identifier: BSD-3-Clause */
/** @file stats.h
 *  Counters and events of devices on a Unix socket: who connects gets one report (see
 *  avps_common/stats.h) and is hung up on.
 *
 *  Memory: allocated at open, given back at close. Threads: the loop's context, which must be that
 *  of the devices. Guest: never seen here.
 */
#ifndef AVPS_POSIX_STATS_H
#define AVPS_POSIX_STATS_H

#include "avps_common/stats.h"
#include "avps_posix/error.h"
#include "avps_posix/loop.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Devices of one report at most. */
#define AVPS_POSIX_STATS_DEVICES 64U

/** What to serve, and where. */
struct avps_posix_stats_config {
    const char *path; /**< Required: where the socket is made; taken over if nobody listens. */
    struct avps_posix_loop *loop; /**< Required. */
    /** Required: what to report now; fills in at most `most` devices. @return how many. */
    uint32_t (*devices)(void *ctx, struct avps_stats_device *devices, uint32_t most);
    void *ctx; /**< Handed to it. */
};

/** A served socket. */
struct avps_posix_stats;

/** Begin to serve.
 *  @param[out] stats  The server. @param[out] error  Filled on failure.
 *  @return AVPS_OK; AVPS_E_PARAM; AVPS_E_STATE if another program listens there; AVPS_E_IO;
 *  AVPS_E_NOSPACE without memory. */
AVPS_NODISCARD enum avps_status avps_posix_stats_open(const struct avps_posix_stats_config *config,
                                                      struct avps_posix_stats **stats,
                                                      struct avps_posix_error *error);

/** End, and remove the socket. NULL is ignored. */
void avps_posix_stats_close(struct avps_posix_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
