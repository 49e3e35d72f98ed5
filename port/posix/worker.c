/* SPDX-License-Identifier: BSD-3-Clause */
/* Workers: whose loop is served -> the thread -> standing still -> go and halt -> init and end. */
#include "avps_posix/worker.h"

#include "posix_internal.h"

/* ---- whose loop is served ---- */

static _Thread_local struct avps_posix_worker *worker_self;

struct avps_posix_worker *avps_posix_worker_self(void)
{
    return worker_self;
}

void avps_posix_worker_wake(struct avps_posix_worker *worker)
{
    avps_posix_task_defer(&worker->task);
    if (worker->still) {
        avps_posix_task_defer(&worker->again);
    }
}

static void worker_poll(void *ctx)
{
    const struct avps_posix_worker *worker = ctx;

    if (worker->poll != NULL) {
        worker->poll(worker->ctx);
    }
}

void avps_posix_worker_set_poll(struct avps_posix_worker *worker, void (*poll)(void *ctx),
                                void *ctx)
{
    worker->poll = poll;
    worker->ctx = ctx;
}

/* ---- the thread ---- */

/* @return false: end. */
static bool worker_is_let_go(struct avps_posix_worker *worker)
{
    (void)pthread_mutex_lock(&worker->mutex);
    while (!worker->running && !worker->ending) {
        (void)pthread_cond_wait(&worker->changed, &worker->mutex);
    }
    const bool goes = !worker->ending;

    (void)pthread_mutex_unlock(&worker->mutex);
    return goes;
}

static void worker_stands(struct avps_posix_worker *worker)
{
    (void)pthread_mutex_lock(&worker->mutex);
    worker->running = false;
    (void)pthread_cond_signal(&worker->changed);
    (void)pthread_mutex_unlock(&worker->mutex);
}

static void *worker_main(void *arg)
{
    struct avps_posix_worker *worker = arg;

    worker_self = worker;
    while (worker_is_let_go(worker)) {
        (void)!avps_posix_loop_run(&worker->loop); /* until the owner stops it */
        worker_stands(worker);
    }
    return NULL;
}

/* ---- standing still ---- */

/* One round of its loop. What it leaves to be done is not seen in descriptors. */
static void worker_step(void *ctx)
{
    struct avps_posix_worker *worker = ctx;
    struct avps_posix_worker *before = worker_self;

    worker_self = worker;
    (void)!avps_posix_loop_step(&worker->loop, false);
    worker_self = before;
    if (!posix_list_is_empty(&worker->loop.tasks) || !posix_list_is_empty(&worker->loop.pollers) ||
        !posix_list_is_empty(&worker->loop.steady)) {
        avps_posix_task_defer(&worker->again);
    }
}

static void worker_ready(void *ctx, uint32_t conditions)
{
    (void)conditions;
    worker_step(ctx);
}

static void worker_serve(struct avps_posix_worker *worker)
{
    worker->still = true;
    (void)!avps_posix_source_modify(&worker->source, AVPS_POSIX_READ);
    avps_posix_task_defer(&worker->again);
}

/* ---- go and halt ---- */

static void worker_go(struct avps_posix_worker *worker)
{
    worker->still = false;
    (void)!avps_posix_source_modify(&worker->source, 0);
    avps_posix_task_cancel(&worker->again);
    (void)pthread_mutex_lock(&worker->mutex);
    worker->running = true;
    (void)pthread_cond_signal(&worker->changed);
    (void)pthread_mutex_unlock(&worker->mutex);
}

void avps_posix_workers_go(struct avps_posix_worker *workers, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (workers[i].still) {
            worker_go(&workers[i]);
        }
    }
}

static void worker_wait(struct avps_posix_worker *worker)
{
    (void)pthread_mutex_lock(&worker->mutex);
    while (worker->running) {
        (void)pthread_cond_wait(&worker->changed, &worker->mutex);
    }
    (void)pthread_mutex_unlock(&worker->mutex);
}

/* All are asked before the first is waited for. */
void avps_posix_workers_halt(struct avps_posix_worker *workers, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!workers[i].still) {
            avps_posix_loop_stop(&workers[i].loop);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!workers[i].still) {
            worker_wait(&workers[i]);
            worker_serve(&workers[i]);
        }
    }
}

/* ---- init and end ---- */

static bool worker_start(struct avps_posix_worker *worker)
{
    if (avps_posix_source_add(&worker->source, worker->owner, worker->loop.epoll_fd,
                              AVPS_POSIX_READ, worker_ready, worker) != AVPS_OK) {
        return false;
    }
    const int error = pthread_create(&worker->thread, NULL, worker_main, worker);

    if (error != 0) {
        avps_posix_source_remove(&worker->source);
        errno = error;
    }
    return error == 0;
}

enum avps_status avps_posix_worker_init(struct avps_posix_worker *worker,
                                        struct avps_posix_loop *owner)
{
    *worker = (struct avps_posix_worker){.owner = owner, .still = true};
    if (avps_posix_loop_init(&worker->loop) != AVPS_OK) {
        worker->owner = NULL;
        return AVPS_E_IO;
    }
    avps_posix_task_init(&worker->again, owner, worker_step, worker);
    avps_posix_task_init(&worker->task, &worker->loop, worker_poll, worker);
    (void)pthread_mutex_init(&worker->mutex, NULL);
    (void)pthread_cond_init(&worker->changed, NULL);
    if (!worker_start(worker)) {
        avps_posix_loop_free(&worker->loop);
        worker->owner = NULL;
        return AVPS_E_IO;
    }
    return AVPS_OK;
}

void avps_posix_worker_end(struct avps_posix_worker *worker)
{
    if (worker->owner == NULL) {
        return;
    }
    avps_posix_workers_halt(worker, 1);
    (void)pthread_mutex_lock(&worker->mutex);
    worker->ending = true;
    (void)pthread_cond_signal(&worker->changed);
    (void)pthread_mutex_unlock(&worker->mutex);
    (void)pthread_join(worker->thread, NULL);
    avps_posix_task_cancel(&worker->again);
    avps_posix_source_remove(&worker->source);
    (void)pthread_cond_destroy(&worker->changed);
    (void)pthread_mutex_destroy(&worker->mutex);
    avps_posix_loop_free(&worker->loop);
    worker->owner = NULL;
}
