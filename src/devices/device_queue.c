/* SPDX-License-Identifier: BSD-3-Clause */
/* The queue loop: doorbells -> pop, serve, push, publish within a budget -> asynchronous completion
 * -> supply queues. Written once for every device. */
#include "devices/device_internal.h"
#include "virtqueue/plain.h"

/* ---- doorbells ---- */

void avps_kick(struct avps_device *dev, uint32_t queue, uint16_t notif_data)
{
    (void)notif_data; /* a hint that needs no trust: the ring itself tells */
    if (queue >= dev->queue_count) {
        (void)atomic_fetch_add_explicit(&dev->spurious, 1U, memory_order_relaxed);
        return;
    }
    (void)atomic_fetch_add_explicit(&dev->queues[queue].kicks, 1U, memory_order_relaxed);
    atomic_store_explicit(&dev->queues[queue].kicked, 1U, memory_order_release);
}

bool avps_has_work(const struct avps_device *dev)
{
    for (uint16_t i = 0; i < dev->queue_count; i++) {
        if (atomic_load_explicit(&dev->queues[i].kicked, memory_order_acquire) != 0U) {
            return true;
        }
    }
    return false;
}

static void queue_count_kicks(struct avps_device *dev, struct avps_queue *queue, bool live)
{
    const unsigned int kicks = atomic_exchange_explicit(&queue->kicks, 0U, memory_order_relaxed);

    if (live) {
        queue->counters.kicks += kicks;
    } else {
        dev->counters.spurious_kicks += kicks;
    }
}

static void device_wake(struct avps_device *dev)
{
    if (dev->in_poll) {
        dev->again = true; /* the poll says so itself */
    } else if (dev->port.event != NULL && dev->port.event->wake != NULL) {
        dev->port.event->wake(dev->port.event_ctx);
    }
}

void avps_device_retry(struct avps_device *dev, uint16_t queue)
{
    atomic_store_explicit(&dev->queues[queue].kicked, 1U, memory_order_release);
    device_wake(dev);
}

void avps_device_wait(struct avps_device *dev, uint16_t queue)
{
    atomic_store_explicit(&dev->queues[queue].kicked, 1U, memory_order_release);
}

/* Whether a queue runs; it may have latched a fault. */
static bool queue_is_started(const struct avps_device *dev, const struct avps_queue *queue)
{
    return avps_device_is_live(dev) && queue->vq.live && !queue->regs.resetting &&
           !queue->regs.stopping;
}

bool avps_device_queue_is_live(const struct avps_device *dev, uint16_t queue)
{
    return queue_is_started(dev, &dev->queues[queue]) && dev->queues[queue].vq.fault == AVPS_OK;
}

/* ---- taking and returning chains ---- */

static void queue_fault(struct avps_device *dev, uint16_t index, enum avps_status status)
{
    avps_device_event(dev, AVPS_EVENT_QUEUE_FAULT, index, (uint64_t)(-(int64_t)status));
    avps_device_fault(dev, status);
}

enum avps_status avps_device_pop_burst(struct avps_device *dev, uint16_t index,
                                       struct avps_chain *chains, uint32_t max, uint32_t *count)
{
    struct avps_queue *queue = &dev->queues[index];

    *count = 0;
    if (!queue_is_started(dev, queue) || !avps_device_is_taking(dev)) {
        return AVPS_EMPTY; /* but a fault that the queue has latched is told */
    }
    const enum avps_status status = avps_vq_pop_burst(&queue->vq, chains, max, count);

    queue->counters.chains += *count;
    for (uint32_t i = 0; i < *count; i++) {
        queue->counters.bytes_read += chains[i].readable_len;
    }
    if (avps_status_is_guest_fault(status)) {
        queue_fault(dev, index, status);
    } else if (status != AVPS_OK && status != AVPS_EMPTY && status != AVPS_AGAIN) {
        queue->counters.port_errors++;
    }
    return status;
}

enum avps_status avps_device_pop(struct avps_device *dev, uint16_t index, struct avps_chain *chain)
{
    uint32_t count = 0;

    return avps_device_pop_burst(dev, index, chain, 1, &count);
}

/* What pop counted, wherever the cursor is now. */
static uint64_t chain_bytes(const struct avps_chain *chain)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < chain->readable_segs; i++) {
        bytes += chain->segs[i].len;
    }
    return bytes;
}

void avps_device_unpop(struct avps_device *dev, uint16_t index, struct avps_chain *chain)
{
    struct avps_queue *queue = &dev->queues[index];

    queue->counters.chains--;
    queue->counters.bytes_read -= chain_bytes(chain);
    avps_vq_unpop(&queue->vq, chain);
}

void avps_device_refuse(struct avps_device *dev, uint16_t index, struct avps_chain *chain,
                        enum avps_status status)
{
    avps_vq_drop(&dev->queues[index].vq, chain);
    dev->queues[index].vq.fault = status;
    queue_fault(dev, index, status);
}

void avps_device_push_burst(struct avps_device *dev, uint16_t index, struct avps_chain *chains,
                            uint32_t count)
{
    struct avps_queue *queue = &dev->queues[index];

    if (avps_vq_push_burst(&queue->vq, chains, count) != AVPS_OK) {
        queue->counters.port_errors++;
        for (uint32_t i = 0; i < count; i++) {
            avps_vq_drop(&queue->vq, &chains[i]); /* nothing for those that were returned */
        }
        avps_device_fault(dev, AVPS_E_IO); /* the driver would wait for ever: make it reset */
        return;
    }
    queue->counters.used += count;
    for (uint32_t i = 0; i < count; i++) {
        queue->counters.written += chains[i].written;
    }
}

void avps_device_push(struct avps_device *dev, uint16_t index, struct avps_chain *chain)
{
    avps_device_push_burst(dev, index, chain, 1);
}

/* Readable bytes that pop counts. */
static uint64_t plain_bytes(const struct avps_plain *plain, uint32_t count)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < count; i++) {
        bytes += plain[i].seg.len;
    }
    return bytes;
}

uint32_t avps_device_take_plain(struct avps_device *dev, uint16_t index, enum avps_access access,
                                struct avps_plain *plain, uint32_t max)
{
    struct avps_queue *queue = &dev->queues[index];

    if (!queue_is_started(dev, queue) || !avps_device_is_taking(dev)) {
        return 0;
    }
    const uint32_t count = avps_vq_take_plain(&queue->vq, access, plain, max);

    queue->counters.chains += count;
    if (access == AVPS_ACCESS_READ) {
        queue->counters.bytes_read += plain_bytes(plain, count);
    }
    return count;
}

void avps_device_give_plain(struct avps_device *dev, uint16_t index, const struct avps_plain *plain,
                            uint32_t count)
{
    struct avps_queue *queue = &dev->queues[index];

    queue->counters.written += avps_vq_give_plain(&queue->vq, plain, count);
    queue->counters.used += count;
}

void avps_device_put_back_plain(struct avps_device *dev, uint16_t index, enum avps_access access,
                                const struct avps_plain *plain, uint32_t count)
{
    struct avps_queue *queue = &dev->queues[index];

    queue->counters.chains -= count;
    if (access == AVPS_ACCESS_READ) {
        queue->counters.bytes_read -= plain_bytes(plain, count);
    }
    avps_vq_put_back_plain(&queue->vq, plain, count);
}

bool avps_device_publish(struct avps_device *dev, uint16_t index)
{
    struct avps_queue *queue = &dev->queues[index];
    bool notify = false;

    if (queue->vq.live && avps_vq_publish(&queue->vq, &notify) != AVPS_OK) {
        queue->counters.port_errors++;
        atomic_store_explicit(&queue->kicked, 1U, memory_order_release); /* once more later */
    }
    return notify;
}

void avps_device_notify(struct avps_device *dev, uint16_t index)
{
    if (dev->transport == NULL) {
        return;
    }
    dev->queues[index].counters.interrupts++;
    dev->transport->notify_queue(dev->transport_ctx, index);
    if (!dev->in_poll && dev->transport->batch_end != NULL) {
        dev->transport->batch_end(dev->transport_ctx); /* no poll will do it */
    }
}

void avps_device_flush(struct avps_device *dev, uint16_t index)
{
    if (avps_device_publish(dev, index)) {
        avps_device_notify(dev, index);
    }
}

bool avps_device_starve(struct avps_device *dev, uint16_t index)
{
    bool more = false;

    if (!dev->polled && avps_device_queue_is_live(dev, index)) { /* polled: looked at anyway */
        avps_vq_arm(&dev->queues[index].vq, &more);
    }
    return more;
}

enum avps_status avps_device_take_supply(struct avps_device *dev, uint16_t index,
                                         struct avps_chain *chain)
{
    enum avps_status status = avps_device_pop(dev, index, chain);

    if (status == AVPS_EMPTY && avps_device_is_taking(dev) && avps_device_starve(dev, index)) {
        status = avps_device_pop(dev, index, chain);
    }
    if (status == AVPS_AGAIN || status == AVPS_E_IO) {
        avps_device_wait(dev, index);
    }
    return status;
}

enum avps_status avps_device_give_supply(struct avps_device *dev, uint16_t index,
                                         struct avps_chain *chain, enum avps_status status)
{
    if (avps_status_is_guest_fault(status)) {
        avps_device_refuse(dev, index, chain, status);
    } else if (chain->written == 0U) {
        avps_device_unpop(dev, index, chain);
        avps_device_wait(dev, index);
    } else {
        avps_device_push(dev, index, chain);
    }
    return status;
}

/* ---- asynchronous requests ---- */

static void queue_append(struct avps_queue *queue, struct avps_request *request, uint16_t index)
{
    request->next = NULL;
    request->queue = index;
    request->busy = true;
    request->done = false;
    request->generation++;
    if (queue->last != NULL) {
        queue->last->next = request;
    } else {
        queue->first = request;
    }
    queue->last = request;
}

static void queue_remove(struct avps_queue *queue, struct avps_request *request)
{
    struct avps_request *previous = NULL;

    for (struct avps_request *r = queue->first; r != request; r = r->next) {
        previous = r;
    }
    if (previous != NULL) {
        previous->next = request->next;
    } else {
        queue->first = request->next;
    }
    if (queue->last == request) {
        queue->last = previous;
    }
    request->next = NULL;
    request->busy = false;
}

void avps_device_abandon(struct avps_device *dev, struct avps_request *request,
                         enum avps_status status)
{
    queue_remove(&dev->queues[request->queue], request);
    avps_device_refuse(dev, request->queue, &request->chain, status);
}

/* [feat-1.5] With IN_ORDER a request waits for all before it. */
static void queue_return_done(struct avps_device *dev, uint16_t index, struct avps_request *request)
{
    struct avps_queue *queue = &dev->queues[index];

    if (!avps_device_has(dev, AVPS_F_IN_ORDER)) {
        queue_remove(queue, request);
        avps_device_push(dev, index, &request->chain);
        return;
    }
    request->done = true;
    while (queue->first != NULL && queue->first->done) {
        struct avps_request *oldest = queue->first;

        queue_remove(queue, oldest);
        avps_device_push(dev, index, &oldest->chain);
    }
}

void avps_device_complete(struct avps_device *dev, struct avps_request *request)
{
    const uint16_t index = request->queue;
    struct avps_queue *queue = &dev->queues[index];

    if (dev->resetting || queue->regs.resetting) {
        avps_vq_drop(&queue->vq, &request->chain); /* [core-5.1] neither used nor notified */
        queue_remove(queue, request);
        avps_device_settle(dev);
        return;
    }
    queue_return_done(dev, index, request);
    if (dev->suspending) {
        avps_device_flush(dev, index);
        avps_device_settle(dev);
        return;
    }
    avps_device_retry(dev, index); /* publishes, and fills the place that is free now */
}

/* ---- serving ---- */

enum queue_step {
    STEP_NEXT,  /* go on */
    STEP_EMPTY, /* nothing available */
    STEP_WAIT   /* something outside must happen first */
};

static enum queue_step queue_finish(struct avps_device *dev, uint16_t index,
                                    struct avps_request *request, struct avps_chain *chain,
                                    enum avps_status status)
{
    struct avps_queue *queue = &dev->queues[index];

    if (status == AVPS_PENDING && request != NULL) {
        return STEP_NEXT;
    }
    if (status == AVPS_AGAIN) {
        if (request != NULL) {
            queue_remove(queue, request);
        }
        avps_device_unpop(dev, index, chain);
        return STEP_WAIT;
    }
    if (avps_status_is_guest_fault(status)) {
        if (request != NULL) {
            queue_remove(queue, request);
        }
        avps_device_refuse(dev, index, chain, status);
        return STEP_WAIT;
    }
    if (status != AVPS_OK) {
        queue->counters.port_errors++;
    }
    if (request != NULL) {
        queue_return_done(dev, index, request);
    } else {
        avps_device_push(dev, index, chain);
    }
    return STEP_NEXT;
}

/* Why no chain was taken. */
static enum queue_step queue_not_taken(struct avps_device *dev, uint16_t index,
                                       enum avps_status status)
{
    if (status == AVPS_AGAIN || status == AVPS_E_IO) {
        avps_device_wait(dev, index);
    }
    return status == AVPS_EMPTY ? STEP_EMPTY : STEP_WAIT;
}

/* Take and serve one chain, which does not outlast the call. */
static enum queue_step queue_serve_chain(struct avps_device *dev, uint16_t index)
{
    struct avps_queue *queue = &dev->queues[index];
    struct avps_chain *chain = &queue->scratch;
    const enum avps_status status = avps_device_pop(dev, index, chain);

    if (status != AVPS_OK) {
        return queue_not_taken(dev, index, status);
    }
    return queue_finish(dev, index, NULL, chain,
                        avps_device_queue_is_admin(dev, index)
                            ? dev->admin->ops->request(dev, chain)
                            : dev->ops->request(dev, index, chain));
}

/* Requests are taken a few at a time, so that the head of each is on its way from memory, or from
 * the driver's CPU, while the others are taken. */
#define QUEUE_AHEAD 4U

struct queue_taken {
    struct avps_request *requests[QUEUE_AHEAD];
    uint32_t count;
};

/* @return why no more were taken; STEP_NEXT: `max` were. */
static enum queue_step queue_take(struct avps_device *dev, uint16_t index, uint32_t max,
                                  struct queue_taken *taken)
{
    struct avps_queue *queue = &dev->queues[index];

    for (taken->count = 0; taken->count < max; taken->count++) {
        struct avps_request *request = dev->ops->get_request(dev, index);

        if (request == NULL) {
            return STEP_WAIT;
        }
        const enum avps_status status = avps_device_pop(dev, index, &request->chain);
        if (status != AVPS_OK) {
            return queue_not_taken(dev, index, status);
        }
        queue_append(queue, request, index);
        AVPS_PREFETCH(request->chain.segs[0].ptr);
        taken->requests[taken->count] = request;
    }
    return STEP_NEXT;
}

/* Those from `first` on go back to the ring: the last one taken first. */
static void queue_put_back(struct avps_device *dev, uint16_t index, struct queue_taken *taken,
                           uint32_t first)
{
    while (taken->count > first) {
        struct avps_request *request = taken->requests[--taken->count];

        queue_remove(&dev->queues[index], request);
        avps_device_unpop(dev, index, &request->chain);
    }
}

/* Take and serve some requests, at most `max`; *served tells how many. One that cannot be served
 * sends those behind it back, as if they had not been looked at. */
static enum queue_step queue_serve_requests(struct avps_device *dev, uint16_t index, uint32_t max,
                                            uint32_t *served)
{
    struct queue_taken taken;
    const enum queue_step end =
        queue_take(dev, index, max < QUEUE_AHEAD ? max : QUEUE_AHEAD, &taken);

    for (*served = 0; *served < taken.count; (*served)++) {
        struct avps_request *request = taken.requests[*served];
        const enum avps_status status = dev->ops->request(dev, index, &request->chain);

        if (status == AVPS_AGAIN || avps_status_is_guest_fault(status)) {
            queue_put_back(dev, index, &taken, *served + 1U);
        }
        if (queue_finish(dev, index, request, &request->chain, status) == STEP_WAIT) {
            return STEP_WAIT;
        }
    }
    return end;
}

/* ---- the loop ---- */

/* [I21] At most `*budget` chains, those without a kick of their own too [split-x7] [packed-x2].
 * @return whether chains may be left. */
static bool queue_run(struct avps_device *dev, uint16_t index, uint32_t *budget)
{
    struct avps_queue *queue = &dev->queues[index];
    const bool keeps = dev->ops->get_request != NULL && !avps_device_queue_is_admin(dev, index);

    avps_vq_suppress(&queue->vq);
    while (*budget != 0U) {
        uint32_t served = 1;
        const enum queue_step step = keeps ? queue_serve_requests(dev, index, *budget, &served)
                                           : queue_serve_chain(dev, index);
        const bool dry = step == STEP_EMPTY && (dev->paused || !avps_device_starve(dev, index));

        if (step == STEP_WAIT || dry) {
            return false;
        }
        *budget -= served != 0U ? served : 1U;
    }
    return true;
}

/* Serve a live queue as its kind asks. @return whether chains may be left. */
static bool queue_serve_kind(struct avps_device *dev, uint16_t index, uint32_t *budget)
{
    const enum avps_queue_kind kind =
        dev->ops->queue_kind == NULL || avps_device_queue_is_admin(dev, index)
            ? AVPS_QUEUE_REQUEST
            : dev->ops->queue_kind(dev, index);

    if (kind == AVPS_QUEUE_REQUEST) {
        return queue_run(dev, index, budget);
    }
    if (kind == AVPS_QUEUE_BURST) {
        return dev->ops->burst(dev, index, budget);
    }
    if (dev->ops->supply != NULL) {
        dev->ops->supply(dev, index);
    }
    return false;
}

/* [core-1.1] [split-6.5] Nothing is touched unless the queue is live. */
static bool queue_poll(struct avps_device *dev, uint16_t index, uint32_t *budget)
{
    struct avps_queue *queue = &dev->queues[index];
    const bool kicked = atomic_load_explicit(&queue->kicked, memory_order_relaxed) != 0U &&
                        atomic_exchange_explicit(&queue->kicked, 0U, memory_order_acquire) != 0U;

    if (!kicked && !dev->polled) {
        return false;
    }
    if (AVPS_UNLIKELY(queue->regs.starting)) {
        avps_device_retry_start(dev, index);
    }
    const bool live = avps_device_queue_is_live(dev, index);
    if (kicked) {
        queue_count_kicks(dev, queue, live);
    }
    if (!live || !avps_device_is_taking(dev)) {
        return false;
    }
    const bool more = queue_serve_kind(dev, index, budget);
    avps_device_flush(dev, index);
    if (more) {
        atomic_store_explicit(&queue->kicked, 1U, memory_order_release);
    }
    return more;
}

static enum avps_poll_result device_poll_result(const struct avps_device *dev, bool more)
{
    if (more) {
        return AVPS_POLL_MORE;
    }
    for (uint16_t i = 0; i < dev->queue_count; i++) {
        if (dev->queues[i].first != NULL) {
            return AVPS_POLL_PENDING;
        }
    }
    return avps_has_work(dev) ? AVPS_POLL_PENDING : AVPS_POLL_IDLE;
}

static void device_batch_end(struct avps_device *dev)
{
    dev->counters.spurious_kicks +=
        atomic_exchange_explicit(&dev->spurious, 0U, memory_order_relaxed);
    if (dev->transport != NULL && dev->transport->batch_end != NULL) {
        dev->transport->batch_end(dev->transport_ctx);
    }
}

enum avps_poll_result avps_poll(struct avps_device *dev, uint32_t budget)
{
    bool more = false;

    if (dev == NULL || dev->in_poll || budget == 0U) {
        return AVPS_POLL_IDLE; /* I23 */
    }
    dev->in_poll = true;
    if (avps_device_is_live(dev) && dev->ops->work != NULL) {
        more = dev->ops->work(dev, budget);
    }
    for (uint16_t i = 0; i < dev->queue_count; i++) {
        uint32_t share = budget;
        more = queue_poll(dev, i, &share) || more;
    }
    device_batch_end(dev);
    dev->in_poll = false;
    more = more || dev->again;
    dev->again = false;
    return device_poll_result(dev, more);
}

enum avps_poll_result avps_poll_queue(struct avps_device *dev, uint16_t queue, uint32_t budget)
{
    if (dev == NULL || queue >= dev->queue_count || budget == 0U) {
        return AVPS_POLL_IDLE;
    }
    if (queue_poll(dev, queue, &budget)) {
        return AVPS_POLL_MORE;
    }
    return dev->queues[queue].first != NULL ? AVPS_POLL_PENDING : AVPS_POLL_IDLE;
}

/* ---- poll mode, quiesce ---- */

void avps_poll_always(struct avps_device *dev, bool on)
{
    dev->polled = on;
    avps_device_kick_all(dev); /* a queue that runs dry is armed only when it is looked at */
}

enum avps_status avps_quiesce(struct avps_device *dev)
{
    if (dev == NULL) {
        return AVPS_E_PARAM;
    }
    dev->paused = true;
    for (uint16_t i = 0; i < dev->queue_count; i++) {
        avps_device_flush(dev, i);
        if (dev->queues[i].vq.live && dev->queues[i].vq.in_flight != 0U) {
            return AVPS_PENDING;
        }
    }
    return AVPS_OK;
}

/* Look at every live queue again. */
static void device_retry_all(struct avps_device *dev)
{
    avps_device_kick_all(dev);
    device_wake(dev);
}

void avps_resume(struct avps_device *dev)
{
    dev->paused = false;
    device_retry_all(dev);
}

void avps_device_hold(struct avps_device *dev, bool held)
{
    if (dev->held != held) {
        dev->held = held;
        if (!held) {
            device_retry_all(dev);
        }
    }
}
