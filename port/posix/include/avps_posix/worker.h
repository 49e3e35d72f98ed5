/* SPDX-License-Identifier: BSD-3-Clause */
/** @file worker.h
 *  A thread with an event loop of its own, which its owner can make stand still: for queues of a device
 *  that are polled beside each other (avps_poll_queue).
 *
 *  Memory: the caller's. Threads: all calls come from the owner, the context of the loop given at init,
 *  but avps_posix_worker_self and avps_posix_worker_wake. Guest: never seen here.
 *
 *  While a worker stands still, its loop is served by the owner's, in the owner's context: whatever is
 *  registered with it goes on, one after the other with everything else. So what needs all queues at
 *  rest (control messages, resets, waiting for requests in flight) needs nothing special but a
 *  worker that stands still. While it runs, nobody else touches its loop or what is registered there.
 *  No lock is taken in between.
 */
#ifndef AVPS_POSIX_WORKER_H
#define AVPS_POSIX_WORKER_H

#include <pthread.h>
#include <stdbool.h>

#include "avps_posix/loop.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A worker. Fields but `loop` are private. */
struct avps_posix_worker {
    struct avps_posix_loop loop;     /**< For sources, timers, tasks and pollers of its queues:
                                           registered and removed while it stands still, or by
                                           itself. */
    struct avps_posix_loop *owner;   /**< The owner's loop. */
    struct avps_posix_source source; /**< Standing still: something is ready in its loop. */
    struct avps_posix_task again;    /**< Standing still: its loop is to be looked at. */
    struct avps_posix_task task;     /**< It is to poll. */
    void (*poll)(void *ctx);         /**< What it polls. */
    void *ctx;                       /**< Its context. */
    bool still;                      /**< As the owner knows it. */
    pthread_t thread;                /**< Thread. */
    pthread_mutex_t mutex;           /**< Protects the two below. */
    pthread_cond_t changed;          /**< One of them changed. */
    bool running;                    /**< It serves its loop. */
    bool ending;                     /**< It is to end. */
};

/** Make a thread, which stands still. It inherits the signals that are blocked.
 *  @param owner  The loop of the calling context.
 *  @return AVPS_OK; AVPS_E_IO (errno): nothing is kept then. */
AVPS_NODISCARD enum avps_status avps_posix_worker_init(struct avps_posix_worker *worker,
                                                       struct avps_posix_loop *owner);

/** What avps_posix_worker_wake asks for; while it stands still. NULL: nothing. */
void avps_posix_worker_set_poll(struct avps_posix_worker *worker, void (*poll)(void *ctx),
                                void *ctx);

/** Let workers run. Those that do go on. */
void avps_posix_workers_go(struct avps_posix_worker *workers, uint32_t count);

/** Make workers stand still: waits for the round that each is in, which is bounded. */
void avps_posix_workers_halt(struct avps_posix_worker *workers, uint32_t count);

/** End the thread and give its loop back. What is still registered there is forgotten. Nothing happens
 *  if it was not set up and is all zero. */
void avps_posix_worker_end(struct avps_posix_worker *worker);

/** The worker whose loop the calling context serves, be it the worker itself or its owner; NULL: none.
 *  Any thread. */
struct avps_posix_worker *avps_posix_worker_self(void);

/** Poll soon. The worker itself, or its owner while it stands still. */
void avps_posix_worker_wake(struct avps_posix_worker *worker);

#ifdef __cplusplus
}
#endif
#endif
