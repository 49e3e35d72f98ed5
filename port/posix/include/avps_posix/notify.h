/* SPDX-License-Identifier: BSD-3-Clause */
/** @file notify.h
 *  What reaches a loop from outside its context: a call from another thread, and signals.
 *
 *  Memory: the caller's. Threads: the loop's context, but for avps_posix_notifier_set.
 *  Guest: never seen here.
 */
#ifndef AVPS_POSIX_NOTIFY_H
#define AVPS_POSIX_NOTIFY_H

#include "avps_posix/loop.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A bell that any thread can ring. All zero: not set up. Fields are private. */
struct avps_posix_notifier {
    struct avps_posix_source source; /**< Watches the eventfd. */
    void (*rung)(void *ctx);         /**< Callback. */
    void *ctx;                       /**< Its context. */
    int fd;                          /**< eventfd. */
};

/** Set up.
 *  @param rung  Called in the loop's context, once for any number of rings since the last call.
 *  @return AVPS_OK; AVPS_E_IO (errno). */
AVPS_NODISCARD enum avps_status avps_posix_notifier_init(struct avps_posix_notifier *notifier,
                                                         struct avps_posix_loop *loop,
                                                         void (*rung)(void *ctx), void *ctx);

/** Ring. Any thread, also a signal handler; never waits. */
void avps_posix_notifier_set(const struct avps_posix_notifier *notifier);

/** The descriptor to hand to the kernel or another process, which rings by adding to its count. */
int avps_posix_notifier_fd(const struct avps_posix_notifier *notifier);

/** Give it back. Nothing happens if it was not set up. */
void avps_posix_notifier_free(struct avps_posix_notifier *notifier);

/** Signals that come as calls. All zero: not set up. Fields are private. */
struct avps_posix_signals {
    struct avps_posix_source source;      /**< Watches the signalfd. */
    void (*caught)(void *ctx, int signo); /**< Callback. */
    void *ctx;                            /**< Its context. */
    uint64_t blocked;                     /**< Signals 1..64 that this blocked. */
    int fd;                               /**< signalfd. */
};

/** Take over signals: they are blocked in the calling thread and in those it starts afterwards.
 *  @param signals  Zero, or freed.
 *  @param list     Signal numbers, 1..64.
 *  @param count    How many.
 *  @param caught   Called in the loop's context, once per signal taken.
 *  @return AVPS_OK; AVPS_E_PARAM for a bad number; AVPS_E_IO (errno). */
AVPS_NODISCARD enum avps_status avps_posix_signals_init(struct avps_posix_signals *signals,
                                                        struct avps_posix_loop *loop,
                                                        const int *list, uint32_t count,
                                                        void (*caught)(void *ctx, int signo),
                                                        void *ctx);

/** Give them back; those that were not blocked before are unblocked. Nothing happens if it was not
 *  set up. */
void avps_posix_signals_free(struct avps_posix_signals *signals);

#ifdef __cplusplus
}
#endif
#endif
