/* SPDX-License-Identifier: BSD-3-Clause */
/* Windows on vhost-user back ends: sides -> probe -> stopping and going on -> waiting -> measuring. */
#define _GNU_SOURCE
#include "load.h"

#include <dirent.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DRIVER_CPU  0U
#define BACKEND_CPU 1U
#define PROBE_TRIES 20U
#define PROBE_TRIPS 50U
#define PATIENCE_MS 5000
#define WARM_NS     1e6
#define TRIES_MAX   100000000U /* looks at the ring: several seconds */

_Noreturn void load_fail(const struct side *side, const char *what, uint64_t value)
{
    fprintf(stderr, "bench_peers: %c: %s (%" PRIu64 ")\n", side == NULL ? '-' : side->name, what,
            value);
    exit(1);
}

double load_now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

void load_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

/* ---- sides ---- */

void load_parse_side(struct side *side, const char *spec)
{
    char ring[8];
    char mode[8];
    static char paths[2][108];
    static uint32_t used;
    int pid = 0;

    *side = (struct side){.name = '?'};
    if (used == 2U || sscanf(spec, "%c,%d,%7[a-z],%7[a-z],%107s", &side->name, &pid, ring, mode,
                             paths[used]) != 5) {
        load_fail(NULL, "a side is NAME,PID,split|packed,poll|sleep,SOCKET", used);
    }
    side->pid = pid;
    side->packed = strcmp(ring, "packed") == 0;
    side->sleeps = strcmp(mode, "sleep") == 0;
    side->path = paths[used++];
}

static void side_rings(struct side *side, uint32_t queues)
{
    for (uint32_t q = 0; q < queues; q++) {
        const uint64_t at = (uint64_t)q * RING_AREA;

        bench_ring_init(&side->ring[q], side->front.mem + at, LOAD_GUEST + at, side->packed);
        side->areas[q] = (struct vhost_front_queue){
            at + RING_DESC, at + RING_DRIVER, at + RING_DEVICE, RING_SIZE, -1, -1};
    }
}

static void side_connect(struct side *side, const struct load *load)
{
    const uint64_t wanted = load->features | VHOST_F_VERSION_1 | VHOST_F_INDIRECT |
                            (side->sleeps ? VHOST_F_EVENT_IDX : 0U) |
                            (side->packed ? VHOST_F_PACKED : 0U);

    vhost_front_memory(&side->front, LOAD_GUEST, LOAD_QUEUES * RING_AREA + load->memory);
    side_rings(side, load->queues);
    vhost_front_start(&side->front, side->path, wanted, side->areas, load->queues);
    if (side->packed != ((side->front.features & VHOST_F_PACKED) != 0U)) {
        load_fail(side, "the back end has no packed ring", side->front.features);
    }
    for (uint32_t q = 0; q < load->queues; q++) {
        side->ring[q].event_idx = (side->front.features & VHOST_F_EVENT_IDX) != 0U;
        bench_ring_ask_calls(&side->ring[q], false);
        if (write(side->areas[q].kick, &(uint64_t){1}, 8) != 8) { /* starts the queue */
            load_fail(side, "kick", q);
        }
    }
    load->start(side);
}

/* ---- probe: round trips of one cache line between the two cores ---- */

static _Alignas(128) atomic_uint probe_ball;
static _Alignas(128) atomic_bool probe_wanted;
static pthread_mutex_t probe_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t probe_changed = PTHREAD_COND_INITIALIZER;

static void pin(size_t cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        load_fail(NULL, "this machine lacks the core", cpu);
    }
}

static void probe_set(bool wanted)
{
    (void)pthread_mutex_lock(&probe_lock);
    atomic_store(&probe_wanted, wanted);
    (void)pthread_cond_signal(&probe_changed);
    (void)pthread_mutex_unlock(&probe_lock);
}

static void *probe_partner(void *unused)
{
    (void)unused;
    pin(BACKEND_CPU);
    for (;;) {
        (void)pthread_mutex_lock(&probe_lock);
        while (!atomic_load(&probe_wanted)) {
            (void)pthread_cond_wait(&probe_changed, &probe_lock);
        }
        (void)pthread_mutex_unlock(&probe_lock);
        while (atomic_load_explicit(&probe_wanted, memory_order_relaxed)) {
            const unsigned ball = atomic_load_explicit(&probe_ball, memory_order_acquire);

            if ((ball & 1U) != 0U) {
                atomic_store_explicit(&probe_ball, ball + 1U, memory_order_release);
            }
        }
    }
    return NULL;
}

static void start_probe(void)
{
    pthread_t thread;

    pin(DRIVER_CPU);
    if (pthread_create(&thread, NULL, probe_partner, NULL) != 0) {
        load_fail(NULL, "no thread for the probe", 0);
    }
}

static void probe_trip(void)
{
    const unsigned ball = atomic_load_explicit(&probe_ball, memory_order_relaxed) + 1U;

    atomic_store_explicit(&probe_ball, ball, memory_order_release);
    while (atomic_load_explicit(&probe_ball, memory_order_acquire) == ball) {
    }
}

/* Nanoseconds of a round trip: the quickest of several tries, so that a try that was interrupted
 * does not count. */
static double probe(void)
{
    double best = 1e12;

    probe_set(true);
    probe_trip();
    for (uint32_t t = 0; t < PROBE_TRIES; t++) {
        const double start = load_now_ns();

        for (uint32_t i = 0; i < PROBE_TRIPS; i++) {
            probe_trip();
        }
        const double trip = (load_now_ns() - start) / PROBE_TRIPS;
        best = trip < best ? trip : best;
    }
    probe_set(false);
    return best;
}

/* ---- one back end at a time ---- */

/* Call `read` with the open file `name` of each thread of the process, add up what it gives. */
static double threads_sum(pid_t pid, const char *name, double (*take)(FILE *file))
{
    char path[300];
    double sum = 0;

    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *threads = opendir(path);
    for (struct dirent *t = threads == NULL ? NULL : readdir(threads); t; t = readdir(threads)) {
        (void)snprintf(path, sizeof path, "/proc/%d/task/%s/%s", (int)pid, t->d_name, name);
        FILE *file = fopen(path, "r");
        if (file != NULL) {
            sum += take(file);
            (void)fclose(file);
        }
    }
    if (threads != NULL) {
        (void)closedir(threads);
    }
    return sum;
}

/* stat: 1 if the thread may run still. */
static double take_running(FILE *file)
{
    char line[256];
    const char *name_end = fgets(line, sizeof line, file) == NULL ? NULL : strrchr(line, ')');

    return name_end != NULL && name_end[2] != 'T' ? 1 : 0;
}

/* schedstat: microseconds that the thread was ready to run but had no core. */
static double take_delay_us(FILE *file)
{
    double ran = 0;
    double waited = 0;

    return fscanf(file, "%lf %lf", &ran, &waited) == 2 ? waited / 1e3 : 0;
}

static double delay_us(pid_t pid)
{
    return threads_sum(pid, "schedstat", take_delay_us);
}

static void side_stop(const struct side *side)
{
    if (side->pid == 0) {
        return;
    }
    if (kill(side->pid, SIGSTOP) != 0) {
        load_fail(side, "the back end is gone", (uint64_t)side->pid);
    }
    while (threads_sum(side->pid, "stat", take_running) > 0) {
        (void)usleep(20);
    }
}

static void side_continue(const struct side *side)
{
    if (side->pid != 0 && kill(side->pid, SIGCONT) != 0) {
        load_fail(side, "the back end is gone", (uint64_t)side->pid);
    }
}

/* ---- waiting ---- */

void load_span(struct side *side, double ns)
{
    if (side->spans < LOAD_SPANS) {
        side->span[side->spans++] = ns;
    }
}

void load_kick(struct side *side, uint32_t queue)
{
    if (!bench_ring_wants_kick(&side->ring[queue])) {
        return;
    }
    side->kicks++;
    if (write(side->areas[queue].kick, &(uint64_t){1}, 8) != 8) {
        load_fail(side, "kick", queue);
    }
}

static void wait_for_call(struct side *side, uint32_t queue)
{
    uint64_t count = 0;
    struct pollfd ready = {.fd = side->areas[queue].call, .events = POLLIN};

    if (poll(&ready, 1, PATIENCE_MS) != 1) {
        load_fail(side, "no call for 5 s: what was made available did not come back", queue);
    }
    if (read(ready.fd, &count, sizeof count) == (ssize_t)sizeof count) {
        side->calls += count;
    }
}

void load_wait(struct side *side, uint32_t queue, uint32_t *tries)
{
    side->idle++;
    if (++*tries == TRIES_MAX) {
        load_fail(side, "what was made available did not come back; done in this window",
                  side->done);
    }
    if (side->sleeps) {
        bench_ring_ask_calls(&side->ring[queue], true);
        if (!bench_ring_ready(&side->ring[queue])) {
            wait_for_call(side, queue);
        }
        bench_ring_ask_calls(&side->ring[queue], false);
        return;
    }
    for (uint32_t i = 0; i < 4U; i++) {
        load_pause();
    }
}

/* ---- measuring ---- */

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;

    return (x > y) - (x < y);
}

static void run(struct side *side, const struct load *load, double for_ns)
{
    side->total += side->done;
    side->spans = 0;
    side->kicks = side->calls = side->done = side->polls = side->idle = 0;
    load->window(side, load_now_ns() + for_ns);
    if (side->spans == 0U) {
        load_fail(side, "nothing was done in a window", side->done);
    }
}

static double window(struct side *side, const struct load *load, double before, double window_ns)
{
    side_continue(side);
    run(side, load, WARM_NS);
    const double driver_us = delay_us(getpid());
    const double backend_us = delay_us(side->pid);
    run(side, load, window_ns);
    const double driver_late_us = delay_us(getpid()) - driver_us;
    const double backend_late_us = delay_us(side->pid) - backend_us;
    side_stop(side);
    const double after = probe();
    qsort(side->span, side->spans, sizeof side->span[0], compare);
    printf("%c %.2f %" PRIu64 " %" PRIu64 " %" PRIu64 " %.3f %.0f %.0f %.0f %.0f\n", side->name,
           side->span[side->spans / 2U], side->done, side->kicks, side->calls,
           (double)side->idle / (double)(side->polls + side->idle), before, after, driver_late_us,
           backend_late_us);
    return after;
}

static void each_alone(struct side *sides, uint32_t count, const struct load *load,
                       void (*act)(struct side *side, const struct load *load))
{
    for (uint32_t i = 0; i < count; i++) {
        side_continue(&sides[i]);
        act(&sides[i], load);
        side_stop(&sides[i]);
    }
}

static void side_finish(struct side *side, const struct load *load)
{
    if (load->finish != NULL) {
        load->finish(side);
    }
    printf("%c total %" PRIu64 "\n", side->name, side->total + side->done);
}

/* So that somebody may begin to count what the back end does from here on. */
static void wait_for_go(struct side *side)
{
    (void)puts("ready");
    (void)fflush(stdout);
    (void)getchar();
    side->total = side->done = 0;
}

void load_measure(struct side *sides, uint32_t count, const struct load *load, uint32_t rounds,
                  uint32_t window_ms)
{
    static const uint32_t order[4] = {0, 1, 1, 0};
    const uint32_t windows = count == 1U ? rounds : 4U * rounds;

    start_probe();
    for (uint32_t i = 0; i < count; i++) {
        side_stop(&sides[i]);
    }
    each_alone(sides, count, load, side_connect);
    if (count == 1U) {
        wait_for_go(&sides[0]);
    }
    double ping = probe();
    for (uint32_t w = 0; w < windows; w++) {
        ping = window(&sides[count == 1U ? 0U : order[w % 4U]], load, ping, window_ms * 1e6);
    }
    each_alone(sides, count, load, side_finish);
}
