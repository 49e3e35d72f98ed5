/* SPDX-License-Identifier: BSD-3-Clause */
/* Event loop: sources -> timers -> tasks -> pollers -> other threads -> one round -> running -> init and free. Lists
 * are moved aside before their members are called, so that what a callback adds waits for the next
 * round and what it removes is gone. */
#include "avps_posix/loop.h"

#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>

#include "posix_internal.h"

#define NS_PER_S UINT64_C(1000000000)

/* ---- sources ---- */

static uint32_t source_epoll_events(uint32_t interest)
{
    return ((interest & AVPS_POSIX_READ) != 0U ? (uint32_t)EPOLLIN : 0U) |
           ((interest & AVPS_POSIX_WRITE) != 0U ? (uint32_t)EPOLLOUT : 0U);
}

static uint32_t source_conditions(uint32_t epoll_events)
{
    return ((epoll_events & (uint32_t)EPOLLIN) != 0U ? (uint32_t)AVPS_POSIX_READ : 0U) |
           ((epoll_events & (uint32_t)EPOLLOUT) != 0U ? (uint32_t)AVPS_POSIX_WRITE : 0U) |
           ((epoll_events & (uint32_t)(EPOLLHUP | EPOLLERR)) != 0U ? (uint32_t)AVPS_POSIX_HANGUP
                                                                   : 0U);
}

static bool source_control(const struct avps_posix_loop *loop, int operation,
                           struct avps_posix_source *source, uint32_t interest)
{
    struct epoll_event event = {.events = source_epoll_events(interest), .data.ptr = source};

    return epoll_ctl(loop->epoll_fd, operation, source->fd, &event) == 0;
}

static void source_set_steady(struct avps_posix_source *source, uint32_t interest)
{
    posix_link_remove(&source->link);
    if (interest != 0U) {
        posix_link_before(&source->link, &source->loop->steady);
    }
}

/* Without interest the kernel would still report a hang-up: then it does not get the descriptor. */
static bool source_change(struct avps_posix_source *source, uint32_t interest)
{
    int operation = EPOLL_CTL_MOD;

    if (source->interest == 0U) {
        operation = EPOLL_CTL_ADD;
    } else if (interest == 0U) {
        operation = EPOLL_CTL_DEL;
    }
    return source_control(source->loop, operation, source, interest);
}

enum avps_status avps_posix_source_modify(struct avps_posix_source *source, uint32_t interest)
{
    if ((interest & ~(uint32_t)(AVPS_POSIX_READ | AVPS_POSIX_WRITE)) != 0U) {
        return AVPS_E_PARAM;
    }
    if (source->loop == NULL) {
        return AVPS_E_STATE;
    }
    if (interest == source->interest) {
        return AVPS_OK;
    }
    if (!source->steady && !source_change(source, interest)) {
        if (errno != EPERM) {
            return AVPS_E_IO;
        }
        source->steady = true;
    }
    if (source->steady) {
        source_set_steady(source, interest);
    }
    source->interest = interest;
    return AVPS_OK;
}

enum avps_status avps_posix_source_add(struct avps_posix_source *source,
                                       struct avps_posix_loop *loop, int fd, uint32_t interest,
                                       void (*ready)(void *ctx, uint32_t conditions), void *ctx)
{
    if (fd < 0 || ready == NULL) {
        return AVPS_E_PARAM;
    }
    if (source->loop != NULL) {
        return AVPS_E_STATE;
    }
    *source = (struct avps_posix_source){.loop = loop, .ready = ready, .ctx = ctx, .fd = fd};
    const enum avps_status status = avps_posix_source_modify(source, interest);
    if (status != AVPS_OK) {
        source->loop = NULL;
    }
    return status;
}

/* An event of it that is already known must not be reported. */
static void source_forget(const struct avps_posix_source *source)
{
    struct avps_posix_loop *loop = source->loop;

    for (uint32_t i = loop->batch_next; i < loop->batch_count; i++) {
        if (loop->batch[i] == source) {
            loop->batch[i] = NULL;
        }
    }
}

void avps_posix_source_remove(struct avps_posix_source *source)
{
    if (source->loop == NULL) {
        return;
    }
    posix_link_remove(&source->link);
    if (!source->steady && source->interest != 0U) {
        (void)source_control(source->loop, EPOLL_CTL_DEL, source, 0);
    }
    source_forget(source);
    source->loop->removals++;
    source->loop = NULL;
}

static void source_report(const struct avps_posix_source *source, uint32_t conditions)
{
    const uint32_t wanted = conditions & (source->interest | (uint32_t)AVPS_POSIX_HANGUP);

    if (wanted != 0U && source->interest != 0U) {
        source->ready(source->ctx, wanted);
    }
}

static void sources_report_steady(struct avps_posix_loop *loop)
{
    posix_list_move(&loop->steady, &loop->visited);
    while (!posix_list_is_empty(&loop->visited)) {
        struct avps_posix_source *source =
            POSIX_CONTAINER_OF(loop->visited.next, struct avps_posix_source, link);

        source_set_steady(source, source->interest);
        source_report(source, source->interest);
    }
}

/* ---- timers ---- */

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now = {0};

    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t avps_posix_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t avps_posix_wall_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}

static struct avps_posix_timer *timer_of(struct avps_posix_link *link)
{
    return POSIX_CONTAINER_OF(link, struct avps_posix_timer, link);
}

void avps_posix_timer_init(struct avps_posix_timer *timer, struct avps_posix_loop *loop,
                           void (*expired)(void *ctx), void *ctx)
{
    *timer = (struct avps_posix_timer){.loop = loop, .expired = expired, .ctx = ctx};
}

/* Behind those of the same deadline. */
void avps_posix_timer_set(struct avps_posix_timer *timer, uint64_t deadline_ns)
{
    struct avps_posix_link *head = &timer->loop->timers;

    posix_link_remove(&timer->link);
    timer->deadline_ns = deadline_ns;
    if (deadline_ns == 0U) {
        return;
    }
    struct avps_posix_link *at = head->next;
    while (at != head && timer_of(at)->deadline_ns <= deadline_ns) {
        at = at->next;
    }
    posix_link_before(&timer->link, at);
}

static void timers_collect(struct avps_posix_loop *loop, uint64_t now)
{
    while (!posix_list_is_empty(&loop->timers) && timer_of(loop->timers.next)->deadline_ns <= now) {
        struct avps_posix_link *link = loop->timers.next;

        posix_link_remove(link);
        posix_link_before(link, &loop->due);
    }
}

static void timers_expire(struct avps_posix_loop *loop)
{
    if (posix_list_is_empty(&loop->timers)) {
        return;
    }
    timers_collect(loop, avps_posix_now_ns());
    while (!posix_list_is_empty(&loop->due)) {
        struct avps_posix_timer *timer = timer_of(loop->due.next);

        posix_link_remove(&timer->link);
        timer->expired(timer->ctx);
    }
}

/* The earliest deadline; 0: none. */
static uint64_t timers_first(const struct avps_posix_loop *loop)
{
    return posix_list_is_empty(&loop->timers) ? 0U : timer_of(loop->timers.next)->deadline_ns;
}

/* The kernel wakes the loop at the earliest deadline. */
static void timers_arm(struct avps_posix_loop *loop)
{
    const uint64_t first = timers_first(loop);
    const struct itimerspec at = {
        .it_value = {.tv_sec = (time_t)(first / NS_PER_S), .tv_nsec = (long)(first % NS_PER_S)}};

    if (first == loop->armed_ns) {
        return;
    }
    loop->armed_ns = first;
    (void)timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static void timer_fd_ready(void *ctx, uint32_t conditions)
{
    struct avps_posix_loop *loop = ctx;
    uint64_t count = 0;

    (void)conditions;
    loop->armed_ns = 0;
    (void)!read(loop->timer_fd, &count, sizeof count); /* timers_expire looks at the clock */
}

/* ---- tasks ---- */

void avps_posix_task_init(struct avps_posix_task *task, struct avps_posix_loop *loop,
                          void (*run)(void *ctx), void *ctx)
{
    *task = (struct avps_posix_task){.loop = loop, .run = run, .ctx = ctx};
}

void avps_posix_task_defer(struct avps_posix_task *task)
{
    if (!posix_link_is_listed(&task->link)) {
        posix_link_before(&task->link, &task->loop->tasks);
    }
}

void avps_posix_task_cancel(struct avps_posix_task *task)
{
    posix_link_remove(&task->link);
}

static void tasks_run(struct avps_posix_loop *loop)
{
    posix_list_move(&loop->tasks, &loop->running);
    while (!posix_list_is_empty(&loop->running)) {
        struct avps_posix_task *task =
            POSIX_CONTAINER_OF(loop->running.next, struct avps_posix_task, link);

        posix_link_remove(&task->link);
        task->run(task->ctx);
    }
}

/* ---- pollers ---- */

static void poller_start(struct avps_posix_poller *poller, struct avps_posix_link *list,
                         void (*poll)(void *ctx), void *ctx)
{
    *poller = (struct avps_posix_poller){.poll = poll, .ctx = ctx};
    posix_link_before(&poller->link, list);
}

void avps_posix_poller_start(struct avps_posix_poller *poller, struct avps_posix_loop *loop,
                             void (*poll)(void *ctx), void *ctx)
{
    poller_start(poller, &loop->pollers, poll, ctx);
}

void avps_posix_follower_start(struct avps_posix_poller *poller, struct avps_posix_loop *loop,
                               void (*poll)(void *ctx), void *ctx)
{
    poller_start(poller, &loop->followers, poll, ctx);
}

void avps_posix_poller_stop(struct avps_posix_poller *poller)
{
    posix_link_remove(&poller->link);
}

/* Each is moved back before it is called, so that it may stop itself or another one. */
static void pollers_call(struct avps_posix_loop *loop, struct avps_posix_link *list)
{
    posix_list_move(list, &loop->polled);
    while (!posix_list_is_empty(&loop->polled)) {
        struct avps_posix_poller *poller =
            POSIX_CONTAINER_OF(loop->polled.next, struct avps_posix_poller, link);

        posix_link_remove(&poller->link);
        posix_link_before(&poller->link, list);
        poller->poll(poller->ctx);
    }
}

static void pollers_run(struct avps_posix_loop *loop)
{
    if (!posix_list_is_empty(&loop->pollers)) {
        pollers_call(loop, &loop->pollers);
        pollers_call(loop, &loop->followers);
    }
}

/* ---- other threads ---- */

/* Whoever wants the context queues up first: a thread that gives it back and wants it again at once
 * finds those before it that came meanwhile. */
static void context_take(struct avps_posix_loop *loop)
{
    if (loop->shared) {
        (void)pthread_mutex_lock(&loop->queue);
        (void)pthread_mutex_lock(&loop->context);
        (void)pthread_mutex_unlock(&loop->queue);
    }
}

static void context_give(struct avps_posix_loop *loop)
{
    if (loop->shared) {
        (void)pthread_mutex_unlock(&loop->context);
    }
}

enum avps_status avps_posix_loop_share(struct avps_posix_loop *loop)
{
    if (loop->shared) {
        return AVPS_E_STATE;
    }
    if (pthread_mutex_init(&loop->context, NULL) != 0) {
        return AVPS_E_NOSPACE;
    }
    if (pthread_mutex_init(&loop->queue, NULL) != 0) {
        (void)pthread_mutex_destroy(&loop->context);
        return AVPS_E_NOSPACE;
    }
    loop->shared = true;
    return AVPS_OK;
}

void avps_posix_loop_borrow(struct avps_posix_loop *loop)
{
    context_take(loop);
}

static void loop_wake(const struct avps_posix_loop *loop)
{
    const uint64_t one = 1;

    (void)!write(loop->wake_fd, &one, sizeof one); /* full: it is awake already */
}

/* It may be about to wait, with its mind made up. Sources are the kernel's business already. */
void avps_posix_loop_return(struct avps_posix_loop *loop)
{
    if (!posix_list_is_empty(&loop->tasks) || !posix_list_is_empty(&loop->steady) ||
        !posix_list_is_empty(&loop->pollers) || timers_first(loop) != loop->armed_ns) {
        loop_wake(loop);
    }
    context_give(loop);
}

/* ---- one round ---- */

static bool loop_may_wait(struct avps_posix_loop *loop)
{
    return posix_list_is_empty(&loop->tasks) && posix_list_is_empty(&loop->steady) &&
           posix_list_is_empty(&loop->pollers) &&
           !atomic_load_explicit(&loop->stopping, memory_order_acquire);
}

static enum avps_status loop_fetch(struct avps_posix_loop *loop, bool wait)
{
    struct epoll_event events[AVPS_POSIX_BATCH];
    const uint32_t removals = loop->removals;

    context_give(loop);
    const int count = epoll_wait(loop->epoll_fd, events, (int)AVPS_POSIX_BATCH, wait ? -1 : 0);
    const int error = errno;
    context_take(loop);
    if (count < 0) {
        errno = error;
        return error == EINTR ? AVPS_OK : AVPS_E_IO;
    }
    if (removals != loop->removals) {
        return AVPS_OK; /* some of the sources may be gone: the kernel tells the others again */
    }
    for (int i = 0; i < count; i++) {
        loop->batch[i] = events[i].data.ptr;
        loop->conditions[i] = source_conditions(events[i].events);
    }
    loop->batch_count = (uint32_t)count;
    return AVPS_OK;
}

static void loop_dispatch(struct avps_posix_loop *loop)
{
    for (loop->batch_next = 0; loop->batch_next < loop->batch_count;) {
        const uint32_t i = loop->batch_next++;

        if (loop->batch[i] != NULL) {
            source_report(loop->batch[i], loop->conditions[i]);
        }
    }
    loop->batch_count = 0;
}

static enum avps_status loop_look(struct avps_posix_loop *loop, bool wait)
{
    timers_arm(loop);
    const enum avps_status status = loop_fetch(loop, wait && loop_may_wait(loop));
    loop_dispatch(loop);
    sources_report_steady(loop);
    return status;
}

static enum avps_status loop_round(struct avps_posix_loop *loop, bool wait)
{
    enum avps_status status = AVPS_OK;

    pollers_run(loop);
    loop->spins++;
    if (posix_list_is_empty(&loop->pollers) || loop->spins >= AVPS_POSIX_SPINS) {
        loop->spins = 0;
        status = loop_look(loop, wait);
    }
    timers_expire(loop);
    tasks_run(loop);
    return status;
}

enum avps_status avps_posix_loop_step(struct avps_posix_loop *loop, bool wait)
{
    context_take(loop);
    const enum avps_status status = loop_round(loop, wait);
    context_give(loop);
    return status;
}

/* ---- running ---- */

enum avps_status avps_posix_loop_run(struct avps_posix_loop *loop)
{
    enum avps_status status = AVPS_OK;

    while (status == AVPS_OK && !atomic_load_explicit(&loop->stopping, memory_order_acquire)) {
        status = avps_posix_loop_step(loop, true);
    }
    atomic_store_explicit(&loop->stopping, false, memory_order_release);
    return status;
}

void avps_posix_loop_stop(struct avps_posix_loop *loop)
{
    const int saved = errno;

    atomic_store_explicit(&loop->stopping, true, memory_order_release);
    loop_wake(loop);
    errno = saved;
}

static void wake_fd_ready(void *ctx, uint32_t conditions)
{
    const struct avps_posix_loop *loop = ctx;
    uint64_t count = 0;

    (void)conditions;
    (void)!read(loop->wake_fd, &count, sizeof count);
}

/* ---- init and free ---- */

static void loop_init_lists(struct avps_posix_loop *loop)
{
    posix_list_init(&loop->timers);
    posix_list_init(&loop->due);
    posix_list_init(&loop->tasks);
    posix_list_init(&loop->running);
    posix_list_init(&loop->steady);
    posix_list_init(&loop->visited);
    posix_list_init(&loop->pollers);
    posix_list_init(&loop->followers);
    posix_list_init(&loop->polled);
}

enum avps_status avps_posix_loop_init(struct avps_posix_loop *loop)
{
    (void)memset(loop, 0, sizeof *loop);
    atomic_init(&loop->stopping, false);
    loop_init_lists(loop);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->epoll_fd < 0 || loop->timer_fd < 0 || loop->wake_fd < 0 ||
        avps_posix_source_add(&loop->timer_source, loop, loop->timer_fd, AVPS_POSIX_READ,
                              timer_fd_ready, loop) != AVPS_OK ||
        avps_posix_source_add(&loop->wake_source, loop, loop->wake_fd, AVPS_POSIX_READ,
                              wake_fd_ready, loop) != AVPS_OK) {
        avps_posix_loop_free(loop);
        return AVPS_E_IO;
    }
    return AVPS_OK;
}

void avps_posix_loop_free(struct avps_posix_loop *loop)
{
    posix_close(&loop->epoll_fd);
    posix_close(&loop->timer_fd);
    posix_close(&loop->wake_fd);
    if (loop->shared) {
        (void)pthread_mutex_destroy(&loop->context);
        (void)pthread_mutex_destroy(&loop->queue);
        loop->shared = false;
    }
}
