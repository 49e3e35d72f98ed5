/* SPDX-License-Identifier: BSD-3-Clause */
/* Load on a vhost-user back end, measured in windows: what network and block loads share. A back end
 * runs only while its window lasts; all others are stopped, so that two that poll can share a core.
 * Between windows the cache line ping-pong of the two cores is probed, because the host moves them.
 * All calls exit with one line on failure. */
#ifndef AVPS_BENCH_LOAD_H
#define AVPS_BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ring.h"
#include "vhost_front.h"

#define LOAD_GUEST  0x40000000ULL /* guest address of the shared memory */
#define LOAD_QUEUES 2U
#define LOAD_STRIDE 2368U /* of frame buffers: 37 lines, so that they use all sets of a cache */
#define LOAD_SPANS  4096U /* most parts of a window */

/* One back end and the driver's state towards it. */
struct side {
    char name;        /* of its lines in the output */
    pid_t pid;        /* 0: not ours to stop */
    const char *path; /* of its socket */
    bool packed;
    bool sleeps; /* the driver asks for calls and sleeps; otherwise it polls */
    struct vhost_front front;
    struct vhost_front_queue areas[LOAD_QUEUES];
    struct bench_ring ring[LOAD_QUEUES];
    uint64_t kicks;
    uint64_t calls;
    uint64_t done;           /* frames or requests of this window */
    uint64_t polls;          /* looks at the used ring in this window that found something ... */
    uint64_t idle;           /* ... and that found nothing */
    uint64_t total;          /* frames or requests of earlier windows */
    double span[LOAD_SPANS]; /* nanoseconds per frame or request, of the window's parts */
    uint32_t spans;
    void *load; /* of the load's own */
};

struct load {
    uint64_t features; /* wanted beside VERSION_1 and the ring's */
    uint32_t queues;
    uint64_t memory; /* bytes behind the rings */
    void (*start)(struct side *side);
    void (*window)(struct side *side, double until_ns); /* leaves nothing in flight */
    void (*finish)(struct side *side);                  /* may be NULL: last checks */
};

/* `spec` is NAME,PID,split|packed,poll|sleep,SOCKET. */
void load_parse_side(struct side *side, const char *spec);

/* Connect, start the load, measure, finish the load.
 * `rounds` x { A B B A } of windows of `window_ms`, one line of output each:
 * name, ns, done, kicks, calls, idle share, ping-pong before and after in ns, time that the driver
 * and the back end waited for a core in us. Last, per side: name, "total" and what was done in all.
 * With one side: "ready" when the load has been started, then a line of input is waited for, then
 * `rounds` windows. */
void load_measure(struct side *sides, uint32_t count, const struct load *load, uint32_t rounds,
                  uint32_t window_ms);

double load_now_ns(void);
void load_pause(void);
void load_span(struct side *side, double ns);
void load_kick(struct side *side, uint32_t queue);
/* Nothing was found in `queue`: pause, or sleep until the back end calls. `tries` counts from 0. */
void load_wait(struct side *side, uint32_t queue, uint32_t *tries);
_Noreturn void load_fail(const struct side *side, const char *what, uint64_t value);

#endif
