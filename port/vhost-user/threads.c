/* SPDX-License-Identifier: BSD-3-Clause */
/* Queues beside each other: who serves which -> a worker's turn -> what a worker has seen -> when
 * workers may run -> holding and releasing -> poll mode -> init and free.
 *
 * Workers run only while there is nothing to do but to serve queues: connected, every watched ring
 * started, no message waiting for requests in flight, no dirty log, no IOTLB, no in-band
 * notifications. Else they stand still and their loops are served in the context of the main loop, where
 * all code of this port is as if there were no threads. */
#include "vu_internal.h"

#include "avps_posix/worker.h"

#include <stdlib.h>

/* ---- who serves which ---- */

#define DEVICE_ID_NET 1U

/* The two queues of a pair share a worker: one network back end serves both. */
static uint16_t thread_of(const struct avps_vu *vu, uint16_t ring)
{
    const uint16_t share = avps_device_id(vu->config.device) == DEVICE_ID_NET ? ring / 2U : ring;

    return share % vu->config.worker_count;
}

struct avps_posix_loop *vu_ring_loop(const struct vu_ring *ring)
{
    const struct avps_vu_config *config = &ring->vu->config;

    return config->workers != NULL ? &config->workers[thread_of(ring->vu, ring->index)].loop
                                   : config->loop;
}

/* ---- a worker's turn ---- */

static bool thread_serve(const struct vu_thread *thread)
{
    const struct avps_vu *vu = thread->vu;
    bool more = false;

    for (uint16_t i = 0; i < vu->ring_count; i++) {
        if (thread_of(vu, i) == thread->index) {
            more = vu->config.poll_queue(vu->config.ctx, i) == AVPS_POLL_MORE || more;
        }
    }
    return more;
}

static void thread_poll(void *ctx)
{
    const struct vu_thread *thread = ctx;

    if (thread_serve(thread)) {
        avps_posix_worker_wake(&thread->vu->config.workers[thread->index]);
    }
    vu_polled(thread->vu);
}

/* Called in each round, whatever is left. */
static void thread_poll_always(void *ctx)
{
    const struct vu_thread *thread = ctx;

    (void)thread_serve(thread);
    vu_polled(thread->vu);
}

/* ---- what a worker has seen ---- */

static void threads_bell(void *ctx)
{
    struct avps_vu *vu = ctx;

    vu_hold(vu);
    if (atomic_exchange(&vu->config_due, false) && vu->phase == VU_PHASE_CONNECTED) {
        vu_tell_config(vu);
    }
    vu_work(vu);
    vu_release(vu);
}

/* ---- when workers may run ---- */

/* A kick on a ring that has not been started starts it. */
static bool ring_is_simple(const struct vu_ring *ring)
{
    return (ring->kick_fd < 0 || ring->started) && !ring->waiting;
}

static bool threads_may_run(const struct avps_vu *vu)
{
    if (vu->threads == NULL || vu->phase != VU_PHASE_CONNECTED || vu->deferred || vu->broken ||
        vu->stopping || vu->reset_asked || (vu->features & VU_F_LOG_ALL) != 0U ||
        vu_uses_iotlb(vu) || vu_has_protocol(vu, VU_P_INBAND_NOTIFICATIONS)) {
        return false;
    }
    for (uint16_t i = 0; i < vu->ring_count; i++) {
        if (!ring_is_simple(&vu->rings[i])) {
            return false;
        }
    }
    return vu_rings_run(vu);
}

/* ---- holding and releasing ---- */

void vu_hold(struct avps_vu *vu)
{
    vu->holds++;
    if (vu->threaded) {
        avps_posix_workers_halt(vu->config.workers, vu->config.worker_count);
        vu->threaded = false;
    }
}

/* Whatever was done meanwhile may have made work for any queue. */
static void threads_go(struct avps_vu *vu)
{
    for (uint16_t i = 0; i < vu->config.worker_count; i++) {
        avps_posix_worker_wake(&vu->config.workers[i]);
    }
    vu->threaded = true;
    avps_posix_workers_go(vu->config.workers, vu->config.worker_count);
}

void vu_release(struct avps_vu *vu)
{
    vu->holds--;
    if (vu->holds == 0U && threads_may_run(vu)) {
        threads_go(vu);
    }
}

void avps_vu_pause(struct avps_vu *vu)
{
    vu_hold(vu);
}

bool avps_vu_resume(struct avps_vu *vu)
{
    vu_release(vu);
    return vu->threaded;
}

/* ---- poll mode ---- */

void vu_threads_start_pollers(struct avps_vu *vu)
{
    for (uint16_t i = 0; i < vu->config.worker_count; i++) {
        avps_posix_poller_start(&vu->threads[i].poller, &vu->config.workers[i].loop,
                                thread_poll_always, &vu->threads[i]);
    }
}

void vu_threads_stop_pollers(struct avps_vu *vu)
{
    for (uint16_t i = 0; i < vu->config.worker_count; i++) {
        avps_posix_poller_stop(&vu->threads[i].poller);
    }
}

/* ---- init and free ---- */

enum avps_status vu_threads_init(struct avps_vu *vu)
{
    if (vu->config.workers == NULL) {
        return AVPS_OK;
    }
    vu->config.linger_us = 0; /* it is the device that lingers, not a queue */
    vu->threads = calloc(vu->config.worker_count, sizeof *vu->threads);
    if (vu->threads == NULL ||
        avps_posix_notifier_init(&vu->bell, vu->config.loop, threads_bell, vu) != AVPS_OK) {
        free(vu->threads);
        return AVPS_E_NOSPACE;
    }
    for (uint16_t i = 0; i < vu->config.worker_count; i++) {
        vu->threads[i] = (struct vu_thread){.vu = vu, .index = i};
        avps_posix_worker_set_poll(&vu->config.workers[i], thread_poll, &vu->threads[i]);
    }
    return AVPS_OK;
}

void vu_threads_free(struct avps_vu *vu)
{
    if (vu->threads == NULL) {
        return;
    }
    vu_threads_stop_pollers(vu);
    for (uint16_t i = 0; i < vu->config.worker_count; i++) {
        avps_posix_worker_set_poll(&vu->config.workers[i], NULL, NULL);
    }
    avps_posix_notifier_free(&vu->bell);
    free(vu->threads);
}
