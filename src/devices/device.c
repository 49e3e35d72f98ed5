/* SPDX-License-Identifier: BSD-3-Clause */
/* The device core: init -> features -> status machine -> reset and suspend -> configuration space
 * -> queue registers -> small queries. The queue loop is in device_queue.c, saved state in
 * device_state.c. */
#include "devices/device_internal.h"
#include "virtqueue/vq_internal.h"

void avps_device_event(const struct avps_device *dev, enum avps_event code, uint64_t a, uint64_t b)
{
    if (dev->port.sys != NULL && dev->port.sys->event != NULL) {
        dev->port.sys->event(dev->port.sys_ctx, code, a, b);
    }
}

/* ---- features ---- */

/* Features that the core itself serves on every transport. [feat-1.1] */
static const struct avps_feature device_features[] = {
    AVPS_FEATURE(AVPS_F_INDIRECT_DESC, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE(AVPS_F_EVENT_IDX, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE(AVPS_F_VERSION_1, AVPS_FEATURE_REQUIRED), /* [feat-1.2] */
    AVPS_FEATURE(AVPS_F_ACCESS_PLATFORM, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE(AVPS_F_RING_PACKED, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE(AVPS_F_IN_ORDER, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE(AVPS_F_ORDER_PLATFORM, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE(AVPS_F_NOTIFICATION_DATA, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE(AVPS_F_RING_RESET, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE(AVPS_F_SUSPEND, AVPS_FEATURE_OFFERED),
};

static bool feature_needs_are_met(const struct avps_feature *feature,
                                  const struct avps_features *set)
{
    if (feature->needs != 0U && !avps_features_has(set, feature->needs - 1U)) {
        return false;
    }
    return feature->any[0] == 0U || avps_features_has(set, feature->any[0] - 1U) ||
           avps_features_has(set, feature->any[1] - 1U);
}

/* Drop what cannot stand in `set` without its needs. */
static void features_drop_unmet(const struct avps_feature *table, size_t count,
                                struct avps_features *set)
{
    for (size_t i = 0; i < count; i++) {
        if (!feature_needs_are_met(&table[i], set)) {
            avps_features_remove(set, table[i].bit);
        }
    }
}

/* The same for chains of needs, which are no longer than the table. */
static void features_close(const struct avps_feature *table, size_t count,
                           struct avps_features *set)
{
    for (size_t round = 0; round < count; round++) {
        features_drop_unmet(table, count, set);
    }
}

/* `all`: what the driver has, `set` and what is served elsewhere. */
static bool features_are_consistent(const struct avps_feature *table, size_t count,
                                    const struct avps_features *set,
                                    const struct avps_features *all)
{
    for (size_t i = 0; i < count; i++) {
        const bool has = avps_features_has(set, table[i].bit);

        if (has ? !feature_needs_are_met(&table[i], all)
                : (table[i].flags & AVPS_FEATURE_REQUIRED) != 0U) {
            return false;
        }
    }
    return true;
}

/* [core-2.1] [core-2.3] The offer: core features and the model's, less what is withheld. */
static void device_offer(struct avps_device *dev, const struct avps_device_config *config,
                         const struct avps_features *offer)
{
    for (size_t i = 0; i < AVPS_COUNT_OF(device_features); i++) {
        avps_features_add(&dev->offered, device_features[i].bit);
    }
    for (size_t i = 0; i < dev->ops->feature_count; i++) {
        if (avps_features_has(offer, dev->ops->features[i].bit)) {
            avps_features_add(&dev->offered, dev->ops->features[i].bit);
        }
    }
    if (!config->access_platform) {
        avps_features_remove(&dev->offered, AVPS_F_ACCESS_PLATFORM); /* [feat-1.3] */
    }
    if (!config->order_platform) {
        avps_features_remove(&dev->offered, AVPS_F_ORDER_PLATFORM);
    }
    if (avps_mem_caches_rings(&dev->mem)) {
        avps_features_remove(&dev->offered, AVPS_F_RING_PACKED); /* mem.h: rings_uncached */
    }
    dev->withheld = config->withhold;
    for (size_t i = 0; i < AVPS_COUNT_OF(dev->offered.word); i++) {
        dev->offered.word[i] &= ~dev->withheld.word[i];
    }
    avps_features_add(&dev->offered, AVPS_F_VERSION_1); /* [feat-1.1] */
    features_close(dev->ops->features, dev->ops->feature_count, &dev->offered);
}

void avps_device_offer(struct avps_device *dev, unsigned int bit)
{
    if (!avps_features_has(&dev->withheld, bit)) {
        avps_features_add(&dev->offered, bit);
    }
}

/* [core-2.2] [core-2.4] Depends on the set alone, so the same set is accepted every time. */
static bool device_accepts(const struct avps_device *dev, const struct avps_features *set)
{
    struct avps_features all = *set;

    for (size_t i = 0; i < AVPS_COUNT_OF(set->word); i++) {
        if ((set->word[i] & ~dev->offered.word[i]) != 0U) {
            return false; /* I27 */
        }
        all.word[i] |= dev->offered.word[i] & dev->elsewhere.word[i];
    }
    if (dev->access_required && !avps_features_has(set, AVPS_F_ACCESS_PLATFORM)) {
        return false; /* [feat-1.4] */
    }
    return features_are_consistent(device_features, AVPS_COUNT_OF(device_features), set, &all) &&
           features_are_consistent(dev->ops->features, dev->ops->feature_count, set, &all) &&
           (dev->ops->features_ok == NULL || dev->ops->features_ok(dev, set));
}

uint32_t avps_device_offered_word(const struct avps_device *dev, uint32_t selector)
{
    return selector < AVPS_COUNT_OF(dev->offered.word) ? dev->offered.word[selector] : 0U;
}

uint32_t avps_device_wanted_word(const struct avps_device *dev, uint32_t selector)
{
    return selector < AVPS_COUNT_OF(dev->wanted.word) ? dev->wanted.word[selector] : 0U;
}

void avps_device_write_features(struct avps_device *dev, uint32_t selector, uint32_t value)
{
    if (selector < AVPS_COUNT_OF(dev->wanted.word) &&
        (dev->status & VIRTIO_STATUS_FEATURES_OK) == 0U && !dev->resetting) {
        dev->wanted.word[selector] = value;
    }
}

/* ---- init ---- */

static bool device_mem_is_valid(const struct avps_mem *mem)
{
    return mem != NULL && (mem->region_count != 0U || mem->ops != NULL);
}

static bool device_config_is_valid(const struct avps_device_config *config)
{
    return device_mem_is_valid(config->mem) &&
           (!config->mem->platform || config->access_platform) && config->queues != NULL &&
           config->queue_count != 0U && config->queue_count != UINT16_MAX &&
           (config->admin == NULL || config->admin->ops != NULL) && config->queue_size_max >= 2U &&
           config->queue_size_max <= AVPS_QUEUE_SIZE_MAX &&
           (config->queue_size_max & (config->queue_size_max - 1U)) == 0U;
}

static void queue_init(struct avps_queue *queue)
{
    (void)memset(queue, 0, sizeof *queue);
    atomic_init(&queue->kicked, 0U);
    atomic_init(&queue->kicks, 0U);
    atomic_init(&queue->vector, AVPS_NO_VECTOR);
    avps_chain_init(&queue->scratch, queue->segs, AVPS_CHAIN_SEGS);
}

enum avps_status avps_device_init(struct avps_device *dev, const struct avps_device_ops *ops,
                                  const struct avps_device_config *config,
                                  const struct avps_features *offer)
{
    AVPS_ASSERT(ops->config_size <= AVPS_CONFIG_SPACE_MAX);
    if (!device_config_is_valid(config)) {
        return AVPS_E_PARAM;
    }
    (void)memset(dev, 0, sizeof *dev);
    dev->ops = ops;
    dev->mem = *config->mem;
    if (config->port != NULL) {
        dev->port = *config->port;
    }
    dev->queues = config->queues;
    dev->admin = config->admin;
    dev->model_queues = config->queue_count;
    dev->queue_count = (uint16_t)(config->queue_count + (config->admin != NULL ? 1U : 0U));
    dev->queue_size_max = config->queue_size_max;
    dev->access_required = config->access_platform;
    atomic_init(&dev->spurious, 0U);
    for (uint16_t i = 0; i < dev->queue_count; i++) {
        queue_init(&dev->queues[i]);
        dev->queues[i].regs.size = dev->queue_size_max;
    }
    device_offer(dev, config, offer);
    return AVPS_OK;
}

enum avps_status avps_device_attach(struct avps_device *dev, const struct avps_transport_ops *ops,
                                    void *ctx)
{
    if (dev->transport != NULL) {
        return AVPS_E_STATE;
    }
    dev->transport = ops;
    dev->transport_ctx = ctx;
    return AVPS_OK;
}

/* ---- notifications about the device ---- */

static void device_notify_config(struct avps_device *dev)
{
    dev->counters.config_interrupts++;
    if (dev->transport != NULL) {
        dev->transport->notify_config(dev->transport_ctx);
    }
}

/* [init-1.3] Not while suspended. */
bool avps_device_is_live(const struct avps_device *dev)
{
    const uint32_t mask = VIRTIO_STATUS_DRIVER_OK | VIRTIO_STATUS_NEEDS_RESET |
                          VIRTIO_STATUS_FAILED | VIRTIO_STATUS_SUSPEND;

    return (dev->status & mask) == VIRTIO_STATUS_DRIVER_OK && !dev->suspending && !dev->resetting;
}

static void device_count_fault(struct avps_device *dev, enum avps_status status)
{
    static const enum avps_status classes[AVPS_FAULT_CLASSES] = {
        [AVPS_FAULT_ADDR] = AVPS_E_GUEST_ADDR,
        [AVPS_FAULT_ACCESS] = AVPS_E_GUEST_ACCESS,
        [AVPS_FAULT_DESC] = AVPS_E_GUEST_DESC,
        [AVPS_FAULT_SIZE] = AVPS_E_GUEST_SIZE,
        [AVPS_FAULT_PROTOCOL] = AVPS_E_GUEST_PROTOCOL};

    for (size_t i = 0; i < AVPS_COUNT_OF(classes); i++) {
        if (classes[i] == status) {
            dev->counters.faults[i]++;
        }
    }
}

void avps_device_fault(struct avps_device *dev, enum avps_status status)
{
    device_count_fault(dev, status);
    if ((dev->status & VIRTIO_STATUS_NEEDS_RESET) != 0U) {
        return;
    }
    dev->status |= VIRTIO_STATUS_NEEDS_RESET; /* [core-1.2] */
    dev->counters.needs_reset++;
    avps_device_event(dev, AVPS_EVENT_DEVICE_FAULT, (uint64_t)(-(int64_t)status), 0);
    if ((dev->status & VIRTIO_STATUS_DRIVER_OK) != 0U) {
        device_notify_config(dev); /* [core-1.3] */
    }
}

/* [init-1.4] [init-1.5] While suspended the driver reads what was there before, and the notification
 * is owed until the device resumes. */
void avps_device_config_changed(struct avps_device *dev)
{
    if ((dev->status & VIRTIO_STATUS_SUSPEND) == 0U) {
        dev->config_generation++; /* [mmio-1.6] [pci-5.6] */
    }
    if ((dev->status & VIRTIO_STATUS_SUSPEND) != 0U || dev->suspending) {
        dev->config_pending = true;
    } else if (avps_device_is_live(dev)) {
        device_notify_config(dev);
    }
}

/* ---- reset ---- */

static bool device_has_requests(const struct avps_device *dev)
{
    for (uint16_t i = 0; i < dev->queue_count; i++) {
        if (dev->queues[i].first != NULL) {
            return true;
        }
    }
    return false;
}

/* All of a queue's requests, or those that are answered and only wait for their turn. */
static void queue_drop_requests(struct avps_queue *queue, bool all)
{
    struct avps_request **link = &queue->first;

    queue->last = NULL;
    while (*link != NULL) {
        struct avps_request *request = *link;

        if (all || request->done) {
            avps_vq_drop(&queue->vq, &request->chain);
            *link = request->next;
            request->next = NULL;
            request->busy = false;
            request->done = false;
        } else {
            queue->last = request;
            link = &request->next;
        }
    }
}

/* Nothing is in flight: the activated queue is gone. */
static void device_close_queue(struct avps_device *dev, uint16_t index)
{
    struct avps_queue *queue = &dev->queues[index];
    const bool was_live = queue->vq.live;

    avps_vq_disable(&queue->vq);
    queue->vq.fault = AVPS_OK;
    atomic_store_explicit(&queue->kicked, 0U, memory_order_relaxed);
    dev->counters.spurious_kicks +=
        atomic_exchange_explicit(&queue->kicks, 0U, memory_order_relaxed);
    if (was_live && dev->port.event != NULL && dev->port.event->doorbell_detach != NULL) {
        dev->port.event->doorbell_detach(dev->port.event_ctx, index);
    }
}

/* And its registers are as at power-on. [core-5.2] */
static void device_finish_queue_reset(struct avps_device *dev, uint16_t index)
{
    device_close_queue(dev, index);
    dev->queues[index].regs = (struct avps_queue_regs){.size = dev->queue_size_max};
    atomic_store_explicit(&dev->queues[index].vector, AVPS_NO_VECTOR,
                          memory_order_relaxed); /* [pci-12.7] */
    if (dev->ops->queue_reset != NULL && !avps_device_queue_is_admin(dev, index)) {
        dev->ops->queue_reset(dev, index);
    }
}

/* Cancel what is in flight on one or all queues. @return whether that is finished. */
static bool device_cancel(struct avps_device *dev, uint32_t which)
{
    const bool gone = dev->ops->cancel == NULL || which == dev->model_queues ||
                      dev->ops->cancel(dev, which) == AVPS_OK;

    for (uint16_t i = 0; i < dev->queue_count; i++) {
        if (which == AVPS_ALL_QUEUES || which == i) {
            queue_drop_requests(&dev->queues[i], gone);
        }
    }
    return which == AVPS_ALL_QUEUES ? !device_has_requests(dev) : dev->queues[which].first == NULL;
}

/* [core-3.1] [core-3.2] [mmio-1.5] */
static void device_finish_reset(struct avps_device *dev)
{
    for (uint16_t i = 0; i < dev->queue_count; i++) {
        device_finish_queue_reset(dev, i);
    }
    dev->status = 0;
    dev->resetting = false;
    dev->suspending = false;
    dev->config_pending = false;
    (void)memset(&dev->wanted, 0, sizeof dev->wanted);
    (void)memset(&dev->accepted, 0, sizeof dev->accepted);
    dev->reset_generation++;
    dev->counters.resets++;
    if (dev->ops->reset != NULL) {
        dev->ops->reset(dev);
    }
    if (dev->admin != NULL) {
        dev->admin->ops->reset(dev);
    }
    if (dev->transport != NULL) {
        dev->transport->reset(dev->transport_ctx);
    }
    avps_device_event(dev, AVPS_EVENT_RESET, dev->reset_generation, 0);
}

enum avps_status avps_reset(struct avps_device *dev)
{
    if (dev == NULL) {
        return AVPS_E_PARAM;
    }
    dev->resetting = true;
    if (!device_cancel(dev, AVPS_ALL_QUEUES)) {
        return AVPS_PENDING;
    }
    if (dev->resetting) { /* else the last completion, inside the cancel, has finished it */
        device_finish_reset(dev);
    }
    return AVPS_OK;
}

/* A completion or a cancel may have been what a reset or a suspend waited for. */
void avps_device_settle(struct avps_device *dev)
{
    if (dev->resetting) {
        if (!device_has_requests(dev)) {
            device_finish_reset(dev);
        }
        return;
    }
    for (uint16_t i = 0; i < dev->queue_count; i++) {
        if (dev->queues[i].regs.resetting && dev->queues[i].first == NULL) {
            device_finish_queue_reset(dev, i); /* [mmio-1.12] */
        }
    }
    if (dev->suspending && !device_has_requests(dev)) {
        dev->suspending = false; /* [init-1.8] */
        avps_device_freeze_config(dev);
        dev->status = (uint8_t)((dev->status & ~VIRTIO_STATUS_DRIVER_OK) | VIRTIO_STATUS_SUSPEND);
        avps_device_event(dev, AVPS_EVENT_SUSPENDED, 0, 0);
    }
}

/* ---- status machine ---- */

void avps_device_kick_all(struct avps_device *dev)
{
    for (uint16_t i = 0; i < dev->queue_count; i++) {
        if (dev->queues[i].vq.live) {
            atomic_store_explicit(&dev->queues[i].kicked, 1U, memory_order_release);
        }
    }
}

static bool status_enter_features_ok(struct avps_device *dev)
{
    if (!device_accepts(dev, &dev->wanted)) {
        dev->counters.refusals++;
        avps_device_event(dev, AVPS_EVENT_FEATURES_REFUSED, 0, 0);
        return false;
    }
    dev->accepted = dev->wanted;
    dev->counters.negotiations++;
    return true;
}

static bool status_enter_driver_ok(struct avps_device *dev)
{
    const bool resumed = (dev->status & VIRTIO_STATUS_SUSPEND) != 0U;

    dev->status = (uint8_t)((dev->status & ~VIRTIO_STATUS_SUSPEND) | VIRTIO_STATUS_DRIVER_OK);
    if (resumed) {
        avps_device_event(dev, AVPS_EVENT_RESUMED, 0, 0); /* [init-1.7] */
        if (dev->config_pending) {
            dev->config_pending = false;
            avps_device_config_changed(dev); /* [init-1.5] */
        }
    } else {
        if (dev->ops->activate != NULL) {
            dev->ops->activate(dev);
        }
        avps_device_event(dev, AVPS_EVENT_DRIVER_OK, dev->accepted.word[0], dev->accepted.word[1]);
    }
    avps_device_kick_all(dev); /* chains may have been made available before */
    return true;
}

/* [init-1.6] Chains stop being taken now; the bit shows when the last request is back. */
static bool status_enter_suspend(struct avps_device *dev)
{
    if (avps_features_has(&dev->accepted, AVPS_F_SUSPEND) && avps_device_is_live(dev)) {
        dev->suspending = true;
        for (uint16_t i = 0; i < dev->queue_count; i++) {
            avps_device_flush(dev, i);
        }
        avps_device_settle(dev);
    }
    return false; /* the bit is set by settle */
}

/* Bits that a driver may set, in the order in which one write is applied: a bit is entered when
 * all of `needs` are set and `enter` agrees. Everything else in a write is ignored (I16). */
struct status_rule {
    uint8_t bit;
    uint8_t needs;
    bool (*enter)(struct avps_device *dev);
};

static const struct status_rule status_rules[] = {
    {.bit = VIRTIO_STATUS_ACKNOWLEDGE},
    {.bit = VIRTIO_STATUS_DRIVER, .needs = VIRTIO_STATUS_ACKNOWLEDGE},
    {.bit = VIRTIO_STATUS_FEATURES_OK,
     .needs = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER,
     .enter = status_enter_features_ok},
    {.bit = VIRTIO_STATUS_SUSPEND, /* [init-1.1] */
     .needs = VIRTIO_STATUS_DRIVER_OK,
     .enter = status_enter_suspend},
    {.bit = VIRTIO_STATUS_DRIVER_OK,
     .needs = VIRTIO_STATUS_FEATURES_OK,
     .enter = status_enter_driver_ok},
    {.bit = VIRTIO_STATUS_FAILED},
};

uint8_t avps_device_read_status(const struct avps_device *dev)
{
    return dev->status;
}

void avps_device_write_status(struct avps_device *dev, uint32_t value)
{
    const uint8_t before = dev->status;

    if (dev->resetting) {
        return;
    }
    if (value == 0U) {
        (void)avps_reset(dev);
        return;
    }
    for (size_t i = 0; i < AVPS_COUNT_OF(status_rules); i++) {
        const struct status_rule *rule = &status_rules[i];

        if ((value & rule->bit) == 0U || (before & rule->bit) != 0U ||
            (dev->status & rule->needs) != rule->needs ||
            (dev->suspending && rule->bit == VIRTIO_STATUS_SUSPEND)) {
            continue;
        }
        if (rule->enter == NULL || rule->enter(dev)) {
            dev->status |= rule->bit;
        }
    }
}

/* ---- configuration space ---- */

/* What `config_get` fills is its model's part: the proofs take this contract for granted. */
/*@ requires \valid_read(dev) && \valid(image + (0 .. 127)) && dev->ops->config_size <= 128;
  @ assigns image[0 .. 127]; */
static void device_config_image(const struct avps_device *dev, uint8_t *image)
{
    (void)memset(image, 0, AVPS_CONFIG_SPACE_MAX);
    if (dev->ops->config_get != NULL) {
        dev->ops->config_get(dev, image);
    }
}

/* [init-1.3] No field changes while suspended. */
void avps_device_freeze_config(struct avps_device *dev)
{
    device_config_image(dev, dev->frozen);
}

/* [core-4.1] At any time; bytes outside the space read as 0 (I13). */
void avps_device_config_read(const struct avps_device *dev, uint32_t off, uint8_t *bytes,
                             uint32_t len)
{
    uint8_t image[AVPS_CONFIG_SPACE_MAX];

    (void)memset(bytes, 0, len);
    if (off >= dev->ops->config_size) {
        return;
    }
    const uint32_t room = dev->ops->config_size - off;
    const bool suspended = (dev->status & VIRTIO_STATUS_SUSPEND) != 0U;
    if (!suspended) {
        device_config_image(dev, image);
    }
    (void)memcpy(bytes, (suspended ? dev->frozen : image) + off, len < room ? len : room);
}

/* The model writes itself: the proofs take this contract for granted, and `*dev` for the model. */
/*@ requires \valid(dev) && \valid_read(dev->ops) && dev->ops->config_put != \null;
  @ requires off < dev->ops->config_size && off + len <= dev->ops->config_size;
  @ requires \valid_read(bytes + (0 .. len - 1)) && !dev->resetting && (dev->status & 16) == 0;
  @ assigns *dev; */
static void device_config_put(struct avps_device *dev, uint32_t off, const uint8_t *bytes,
                              uint32_t len)
{
    dev->ops->config_put(dev, off, bytes, len);
}

/* [init-1.2] Ignored while suspended; ignored unless all of it is inside the space. */
void avps_device_config_write(struct avps_device *dev, uint32_t off, const uint8_t *bytes,
                              uint32_t len)
{
    if (dev->ops->config_put == NULL || off >= dev->ops->config_size ||
        len > dev->ops->config_size - off || dev->resetting ||
        (dev->status & VIRTIO_STATUS_SUSPEND) != 0U) {
        return;
    }
    device_config_put(dev, off, bytes, len);
}

/* ---- queue registers ---- */

struct avps_queue *avps_device_queue(struct avps_device *dev, uint32_t queue)
{
    return queue < dev->queue_count ? &dev->queues[queue] : NULL;
}

/* I14: registers of an enabled queue are frozen. */
bool avps_device_queue_is_open(const struct avps_device *dev, const struct avps_queue *queue)
{
    return !avps_queue_is_enabled(queue) && !queue->regs.resetting && !dev->resetting;
}

struct avps_vq_config avps_device_queue_config(const struct avps_device *dev,
                                               const struct avps_queue_regs *regs)
{
    const struct avps_vq_config config = {
        .size = regs->size,
        .desc = regs->desc,
        .driver = regs->driver,
        .device = regs->device,
        .packed = avps_device_has(dev, AVPS_F_RING_PACKED),
        .indirect = avps_device_has(dev, AVPS_F_INDIRECT_DESC),
        .event_idx = avps_device_has(dev, AVPS_F_EVENT_IDX),
        .avail_wrap = true,
        .used_wrap = true,
    };
    return config;
}

/* Without ADMIN_VQ the last queue does not exist for the driver. */
static enum avps_status device_may_start(const struct avps_device *dev, uint16_t index,
                                         const struct avps_vq_config *config)
{
    if (avps_device_queue_is_admin(dev, index) && !avps_device_has(dev, AVPS_F_ADMIN_VQ)) {
        return AVPS_E_GUEST_PROTOCOL;
    }
    return config->size <= dev->queue_size_max ? AVPS_OK : AVPS_E_GUEST_SIZE;
}

static enum avps_status device_try_queue(struct avps_device *dev, uint16_t index,
                                         const struct avps_vq_config *config)
{
    struct avps_queue *queue = &dev->queues[index];

    queue->mem = dev->mem;
    enum avps_status status = device_may_start(dev, index, config);
    if (status == AVPS_OK) {
        status = avps_vq_enable(&queue->vq, &queue->mem, config);
    }
    if (status != AVPS_OK) {
        return status;
    }
    atomic_store_explicit(&queue->kicked, 1U, memory_order_release);
    if (dev->port.event != NULL && dev->port.event->doorbell_attach != NULL) {
        dev->port.event->doorbell_attach(dev->port.event_ctx, index);
    }
    return AVPS_OK;
}

/* Enable with the given start position; used by the transports and by a load. */
enum avps_status avps_device_start_queue(struct avps_device *dev, uint16_t index,
                                         const struct avps_vq_config *config)
{
    const enum avps_status status = device_try_queue(dev, index, config);

    if (status != AVPS_OK && status != AVPS_AGAIN) {
        device_count_fault(dev, status);
        avps_device_event(dev, AVPS_EVENT_QUEUE_REFUSED, index, (uint64_t)(-(int64_t)status));
    }
    return status;
}

enum avps_status avps_device_begin_queue(struct avps_device *dev, uint16_t index,
                                         const struct avps_vq_config *config)
{
    struct avps_queue *queue = &dev->queues[index];
    const enum avps_status status = avps_device_start_queue(dev, index, config);

    queue->regs.starting = status == AVPS_AGAIN;
    if (queue->regs.starting) {
        queue->regs.stop_idx = config->avail_start;
        queue->regs.stop_wrap = config->avail_wrap;
        avps_device_wait(dev, index);
    }
    return status;
}

/* The driver was told that the queue is enabled: what turns out wrong now is a fault. */
void avps_device_retry_start(struct avps_device *dev, uint16_t index)
{
    struct avps_queue *queue = &dev->queues[index];
    struct avps_vq_config config = avps_device_queue_config(dev, &queue->regs);

    config.avail_start = queue->regs.stop_idx;
    config.avail_wrap = queue->regs.stop_wrap;
    config.used_start = config.avail_start;
    config.used_wrap = config.avail_wrap;
    const enum avps_status status = device_try_queue(dev, index, &config);

    if (status == AVPS_AGAIN || status == AVPS_E_IO) {
        queue->counters.port_errors += status == AVPS_E_IO ? 1U : 0U;
        avps_device_wait(dev, index);
        return;
    }
    queue->regs.starting = false;
    if (status != AVPS_OK) {
        avps_device_event(dev, AVPS_EVENT_QUEUE_FAULT, index, (uint64_t)(-(int64_t)status));
        avps_device_fault(dev, status);
    }
}

/* [core-6.1] The register file is read now, checked, and copied. */
void avps_device_enable_queue(struct avps_device *dev, uint16_t index)
{
    const struct avps_queue *queue = &dev->queues[index];

    if (avps_device_queue_is_open(dev, queue) && (dev->status & VIRTIO_STATUS_FEATURES_OK) != 0U) {
        const struct avps_vq_config config = avps_device_queue_config(dev, &queue->regs);
        (void)avps_device_begin_queue(dev, index, &config);
    }
}

/* [mmio-1.7] The addresses stay as the driver wrote them. */
void avps_device_disable_queue(struct avps_device *dev, uint16_t index)
{
    struct avps_queue *queue = &dev->queues[index];
    const struct avps_queue_regs regs = queue->regs;

    if (!avps_queue_is_enabled(queue) || regs.resetting || dev->resetting) {
        return;
    }
    avps_device_reset_queue(dev, index);
    if (!queue->regs.resetting) {
        queue->regs = regs;
        queue->regs.starting = false;
    }
}

/* [core-5.1] [mmio-1.10] [mmio-1.11] */
void avps_device_reset_queue(struct avps_device *dev, uint16_t index)
{
    struct avps_queue *queue = &dev->queues[index];

    if (queue->regs.resetting || dev->resetting) {
        return;
    }
    queue->regs.resetting = true;
    if (device_cancel(dev, index) && queue->regs.resetting) {
        device_finish_queue_reset(dev, index);
    }
}

enum avps_status avps_device_stop_queue(struct avps_device *dev, uint16_t index)
{
    struct avps_queue *queue = &dev->queues[index];
    const struct avps_vq *vq = &queue->vq;

    if (!vq->live || queue->regs.resetting || dev->resetting) {
        return AVPS_E_STATE;
    }
    queue->regs.stopping = true;
    avps_device_flush(dev, index);
    if (vq->in_flight != 0U || vq->used_idx != vq->published_idx ||
        vq->used_wrap != vq->published_wrap) {
        return AVPS_PENDING;
    }
    queue->regs.stop_idx = vq->used_idx;
    queue->regs.stop_wrap = vq->used_wrap;
    queue->regs.stopping = false;
    queue->regs.stopped = true;
    device_close_queue(dev, index);
    return AVPS_OK;
}

/* ---- memory ---- */

enum avps_status avps_device_set_mem(struct avps_device *dev, const struct avps_mem *mem)
{
    if (!device_mem_is_valid(mem)) {
        return AVPS_E_PARAM;
    }
    for (uint16_t i = 0; i < dev->queue_count; i++) {
        if (avps_queue_is_enabled(&dev->queues[i])) {
            return AVPS_E_STATE;
        }
    }
    dev->mem = *mem;
    return AVPS_OK;
}

/* ---- queries ---- */

uint32_t avps_device_id(const struct avps_device *dev)
{
    return dev->ops->device_id;
}

uint8_t avps_device_status(const struct avps_device *dev)
{
    return dev->status;
}

const struct avps_features *avps_device_offered(const struct avps_device *dev)
{
    return &dev->offered;
}

const struct avps_features *avps_device_features(const struct avps_device *dev)
{
    return &dev->accepted;
}

const struct avps_device_counters *avps_device_counters(const struct avps_device *dev)
{
    return &dev->counters;
}

/*@ requires \valid_read(dev) && \valid_read(dev->queues + (0 .. dev->queue_count - 1));
  @ assigns \nothing;
  @ ensures queue >= dev->queue_count ==> \result == \null;
  @ ensures queue < dev->queue_count ==> \result == &dev->queues[queue].counters; */
const struct avps_queue_counters *avps_queue_counters(const struct avps_device *dev, uint16_t queue)
{
    return queue < dev->queue_count ? &dev->queues[queue].counters : NULL;
}
