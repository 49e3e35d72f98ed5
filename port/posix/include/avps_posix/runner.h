/* SPDX-License-Identifier: BSD-3-Clause */
/** @file runner.h
 *  Between a device and an event loop: polls the device when it asks for it, and gives it the time.
 *
 *  Memory: the caller's. Threads: the loop's context. Guest: never seen here.
 *
 *  The shortest use: avps_posix_runner_init, `port` of the runner as `avps_device_config.port`,
 *  avps_posix_runner_wake after avps_kick.
 */
#ifndef AVPS_POSIX_RUNNER_H
#define AVPS_POSIX_RUNNER_H

#include "avps/device.h"
#include "avps_posix/loop.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What is run. Copied. */
struct avps_posix_runner_config {
    struct avps_posix_loop *loop; /**< Required. */
    /** Required: serve the device, as avps_poll does. AVPS_POLL_MORE: it is called again in the next
     *  round, after others have had their turn. */
    enum avps_poll_result (*poll)(void *ctx);
    /** A coded event of the device. May be NULL. */
    void (*event)(void *ctx, enum avps_event code, uint64_t a, uint64_t b);
    void *ctx; /**< Handed to both. */
    /** Queues are polled by workers (worker.h): a wake in a worker's context is for that worker, and
     *  the device has no timer. `poll` then is called with all workers still, or makes them so. */
    bool workers;
};

/** Polls one device. Fields but `port` are private. */
struct avps_posix_runner {
    struct avps_port port;                  /**< For `avps_device_config.port`. */
    struct avps_posix_runner_config config; /**< As configured. */
    struct avps_posix_task task;            /**< A poll is due. */
    struct avps_posix_timer timer;          /**< A poll is due at a time. */
};

/** Set up; nothing is polled yet. @return AVPS_OK; AVPS_E_PARAM. */
AVPS_NODISCARD enum avps_status
avps_posix_runner_init(struct avps_posix_runner *runner,
                       const struct avps_posix_runner_config *config);

/** Poll soon: the device, or in a worker's context the queues of that worker. */
void avps_posix_runner_wake(struct avps_posix_runner *runner);

/** Do not poll any more, until the next wake. */
void avps_posix_runner_stop(struct avps_posix_runner *runner);

#ifdef __cplusplus
}
#endif
#endif
