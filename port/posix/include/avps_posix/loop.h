/* SPDX-License-Identifier: BSD-3-Clause */
/** @file loop.h
 *  Event loop: file descriptors, timers, deferred calls and busy polling, in one context.
 *
 *  Memory: the caller's; the loop and what is registered with it stay where they are until removed.
 *  Threads: one context per loop; avps_posix_loop_stop, avps_posix_notifier_set and the clock may be
 *  used from any thread; another thread may borrow the context of a shared loop. Guest: never seen here.
 *
 *  Inside a callback everything may be called but avps_posix_loop_run, _step and _free: in
 *  particular a source, timer, task or poller may be removed, also the one that is running or one
 *  whose event is already known; its callback does not come any more and its storage is free.
 */
#ifndef AVPS_POSIX_LOOP_H
#define AVPS_POSIX_LOOP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "avps/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Events that are taken from the kernel in one go. */
#define AVPS_POSIX_BATCH 32U

/** Busy polling: rounds between two looks at the file descriptors. */
#define AVPS_POSIX_SPINS 64U

/** A place in a list. Private. */
struct avps_posix_link {
    struct avps_posix_link *next; /**< NULL: in no list. */
    struct avps_posix_link *prev; /**< Likewise. */
};

/** Conditions of a file descriptor. */
enum avps_posix_io {
    AVPS_POSIX_READ = 1,  /**< Bytes, a connection, a count or the end of the stream is there. */
    AVPS_POSIX_WRITE = 2, /**< Room is there. */
    AVPS_POSIX_HANGUP = 4 /**< The other side went away, or an error: reported unasked with the
                               others, again and again until the source is removed or its interest
                               set to 0. */
};

struct avps_posix_loop;

/** A file descriptor that is watched. All zero: not watched. Fields are private. */
struct avps_posix_source {
    struct avps_posix_link link;                   /**< Among those that are always ready. */
    struct avps_posix_loop *loop;                  /**< NULL: not watched. */
    void (*ready)(void *ctx, uint32_t conditions); /**< Callback. */
    void *ctx;                                     /**< Its context. */
    int fd;                                        /**< Descriptor. */
    uint32_t interest;                             /**< OR of enum avps_posix_io. */
    bool steady; /**< A regular file: the kernel does not watch it. */
};

/** A point in time. Set up with avps_posix_timer_init. Fields are private. */
struct avps_posix_timer {
    struct avps_posix_link link;  /**< In the order of time. */
    struct avps_posix_loop *loop; /**< Loop. */
    uint64_t deadline_ns;         /**< When. */
    void (*expired)(void *ctx);   /**< Callback. */
    void *ctx;                    /**< Its context. */
};

/** A call that is made once, soon. Set up with avps_posix_task_init. Fields are private. */
struct avps_posix_task {
    struct avps_posix_link link;  /**< In the order of asking. */
    struct avps_posix_loop *loop; /**< Loop. */
    void (*run)(void *ctx);       /**< Callback. */
    void *ctx;                    /**< Its context. */
};

/** Something that is polled all the time. Set up with avps_posix_poller_start. Private. */
struct avps_posix_poller {
    struct avps_posix_link link; /**< Among the pollers. */
    void (*poll)(void *ctx);     /**< Callback. */
    void *ctx;                   /**< Its context. */
};

/** Event loop. Fields are private. */
struct avps_posix_loop {
    int epoll_fd;                          /**< epoll. */
    int timer_fd;                          /**< timerfd. */
    int wake_fd;                           /**< eventfd. */
    atomic_bool stopping;                  /**< avps_posix_loop_stop was called. */
    bool shared;                           /**< avps_posix_loop_share was called. */
    pthread_mutex_t context;               /**< Shared: held by who has the context. */
    pthread_mutex_t queue;                 /**< Shared: held by who is next to have it. */
    uint32_t removals;                     /**< Sources removed so far. */
    struct avps_posix_source timer_source; /**< Watches timer_fd. */
    struct avps_posix_source wake_source;  /**< Watches wake_fd. */
    struct avps_posix_link timers;         /**< Armed timers, the earliest first. */
    struct avps_posix_link due;            /**< Timers being called. */
    struct avps_posix_link tasks;          /**< Calls to be made. */
    struct avps_posix_link running;        /**< Calls being made. */
    struct avps_posix_link steady;         /**< Regular files with an interest. */
    struct avps_posix_link visited;        /**< Those being called. */
    struct avps_posix_link pollers;        /**< Pollers. */
    struct avps_posix_link followers;      /**< Followers. */
    struct avps_posix_link polled;         /**< Those called in this round. */
    uint64_t armed_ns;                     /**< What timer_fd is set to; 0: nothing. */
    uint32_t spins;                        /**< Rounds without a look. */
    uint32_t batch_next;                   /**< Next event to be reported. */
    uint32_t batch_count;                  /**< Events known. */
    uint32_t conditions[AVPS_POSIX_BATCH]; /**< Of the events. */
    struct avps_posix_source *batch[AVPS_POSIX_BATCH]; /**< Whose; NULL: removed meanwhile. */
};

/* ---- the loop ---- */

/** Initialise. @return AVPS_OK; AVPS_E_IO if the system has no descriptors left (errno says why):
 *  nothing is kept then. */
AVPS_NODISCARD enum avps_status avps_posix_loop_init(struct avps_posix_loop *loop);

/** Give the loop's descriptors back. What is still registered is forgotten. */
void avps_posix_loop_free(struct avps_posix_loop *loop);

/** Serve until avps_posix_loop_stop; at once when that came before.
 *  @return AVPS_OK; AVPS_E_IO if the kernel refuses to wait (errno says why). */
AVPS_NODISCARD enum avps_status avps_posix_loop_run(struct avps_posix_loop *loop);

/** Serve what is there; with `wait`, wait until there is something.
 *  @return AVPS_OK; AVPS_E_IO as above. */
AVPS_NODISCARD enum avps_status avps_posix_loop_step(struct avps_posix_loop *loop, bool wait);

/** Let avps_posix_loop_run return after the present round. Any thread, also a signal handler. */
void avps_posix_loop_stop(struct avps_posix_loop *loop);

/* ---- other threads ---- */

/** Let other threads borrow the context, for as long as the loop exists: while it waits, and once in
 *  every round. Before avps_posix_loop_run. A loop that is not shared takes no lock.
 *  @return AVPS_OK; AVPS_E_STATE if it is shared already; AVPS_E_NOSPACE. */
AVPS_NODISCARD enum avps_status avps_posix_loop_share(struct avps_posix_loop *loop);

/** Have the context of a shared loop, as if in one of its callbacks, until avps_posix_loop_return.
 *  Waits for its turn, which comes after one round at the latest. Not from the loop's own callbacks,
 *  and not twice. */
void avps_posix_loop_borrow(struct avps_posix_loop *loop);

/** Give it back. The loop looks at what was asked for meanwhile: tasks, timers, sources. */
void avps_posix_loop_return(struct avps_posix_loop *loop);

/* ---- file descriptors ---- */

/** Watch `fd`, which stays yours. A regular file or directory, which the kernel does not watch, is
 *  always ready.
 *  @param interest  OR of AVPS_POSIX_READ and AVPS_POSIX_WRITE; 0: nothing for now, not even
 *                   AVPS_POSIX_HANGUP.
 *  @param ready     Called with what is the case, AVPS_POSIX_HANGUP included.
 *  @return AVPS_OK; AVPS_E_PARAM; AVPS_E_STATE if the source is in use; AVPS_E_IO (errno). */
AVPS_NODISCARD enum avps_status
avps_posix_source_add(struct avps_posix_source *source, struct avps_posix_loop *loop, int fd,
                      uint32_t interest, void (*ready)(void *ctx, uint32_t conditions), void *ctx);

/** Change the interest; cheap when it is the same.
 *  @return AVPS_OK; AVPS_E_PARAM; AVPS_E_STATE if the source is not watched; AVPS_E_IO (errno). */
AVPS_NODISCARD enum avps_status avps_posix_source_modify(struct avps_posix_source *source,
                                                         uint32_t interest);

/** Do not watch it any more; before its descriptor is closed. Nothing happens if it is not watched. */
void avps_posix_source_remove(struct avps_posix_source *source);

/* ---- time ---- */

/** Nanoseconds of CLOCK_MONOTONIC. Any thread. */
uint64_t avps_posix_now_ns(void);

/** Nanoseconds of UTC since 1970. Any thread. */
uint64_t avps_posix_wall_ns(void);

/** Set up, not armed. */
void avps_posix_timer_init(struct avps_posix_timer *timer, struct avps_posix_loop *loop,
                           void (*expired)(void *ctx), void *ctx);

/** Call back once at `deadline_ns` of avps_posix_now_ns, or in the next round if that is past;
 *  replaces an earlier deadline. 0 disarms. */
void avps_posix_timer_set(struct avps_posix_timer *timer, uint64_t deadline_ns);

/* ---- deferred calls ---- */

/** Set up, not asked for. */
void avps_posix_task_init(struct avps_posix_task *task, struct avps_posix_loop *loop,
                          void (*run)(void *ctx), void *ctx);

/** Call back once, after the callbacks of this round; asked for in a task, in the next round.
 *  Asking again before that changes nothing. In the loop's context. */
void avps_posix_task_defer(struct avps_posix_task *task);

/** Do not call any more. */
void avps_posix_task_cancel(struct avps_posix_task *task);

/* ---- busy polling ---- */

/** Call `poll` in every round. As long as there is a poller, the loop never waits, and looks at its
 *  descriptors every AVPS_POSIX_SPINS rounds only. This keeps a processor busy. */
void avps_posix_poller_start(struct avps_posix_poller *poller, struct avps_posix_loop *loop,
                             void (*poll)(void *ctx), void *ctx);

/** Call `poll` in every round in which a poller is called, after those: a follower looks at what can
 *  be seen without the kernel and is watched as a descriptor otherwise. It keeps nobody busy alone. */
void avps_posix_follower_start(struct avps_posix_poller *poller, struct avps_posix_loop *loop,
                               void (*poll)(void *ctx), void *ctx);

/** Stop calling, of either. Nothing happens if it was not started and is all zero. */
void avps_posix_poller_stop(struct avps_posix_poller *poller);

#ifdef __cplusplus
}
#endif
#endif
