/* SPDX-License-Identifier: BSD-3-Clause */
/* A register file that lives elsewhere: notifications -> memory, features, status -> queues ->
 * configuration -> init. The rules are the device core's; nothing here knows a protocol. */
#include "avps/remote.h"

#include "devices/device_internal.h"

/* ---- notifications ---- */

static void remote_notify_queue(void *ctx, uint16_t queue)
{
    const struct avps_remote *remote = ctx;

    remote->ops->notify_queue(remote->ctx, queue);
}

static void remote_notify_config(void *ctx)
{
    const struct avps_remote *remote = ctx;

    remote->ops->notify_config(remote->ctx);
}

static void remote_batch_end(void *ctx)
{
    const struct avps_remote *remote = ctx;

    if (remote->ops->batch_end != NULL) {
        remote->ops->batch_end(remote->ctx);
    }
}

static void remote_reset(void *ctx)
{
    const struct avps_remote *remote = ctx;

    if (remote->ops->reset != NULL) {
        remote->ops->reset(remote->ctx);
    }
}

static const struct avps_transport_ops remote_transport_ops = {
    .notify_queue = remote_notify_queue,
    .notify_config = remote_notify_config,
    .batch_end = remote_batch_end,
    .reset = remote_reset,
};

/* ---- memory, features, status ---- */

enum avps_status avps_remote_set_mem(struct avps_remote *remote, const struct avps_mem *mem)
{
    if (remote == NULL || mem == NULL) {
        return AVPS_E_PARAM;
    }
    return avps_device_set_mem(remote->device, mem);
}

void avps_remote_read_features(const struct avps_remote *remote, struct avps_features *set)
{
    for (uint32_t i = 0; i < AVPS_COUNT_OF(set->word); i++) {
        set->word[i] = avps_device_offered_word(remote->device, i);
    }
}

enum avps_status avps_remote_write_features(struct avps_remote *remote,
                                            const struct avps_features *set)
{
    if ((avps_device_read_status(remote->device) & VIRTIO_STATUS_FEATURES_OK) != 0U ||
        remote->device->resetting) {
        return AVPS_E_STATE;
    }
    for (uint32_t i = 0; i < AVPS_COUNT_OF(set->word); i++) {
        avps_device_write_features(remote->device, i, set->word[i]);
    }
    return AVPS_OK;
}

void avps_remote_write_status(struct avps_remote *remote, uint8_t value)
{
    avps_device_write_status(remote->device, value);
}

/* ---- queues ---- */

uint16_t avps_remote_queue_count(const struct avps_remote *remote)
{
    return remote->device->model_queues;
}

uint16_t avps_remote_queue_size_max(const struct avps_remote *remote)
{
    return remote->device->queue_size_max;
}

bool avps_remote_queue_is_enabled(const struct avps_remote *remote, uint32_t queue)
{
    const struct avps_queue *q = avps_device_queue(remote->device, queue);

    return q != NULL && q->vq.live;
}

bool avps_remote_queue_has_fault(const struct avps_remote *remote, uint32_t queue)
{
    const struct avps_queue *q = avps_device_queue(remote->device, queue);

    return q != NULL && q->vq.live && q->vq.fault != AVPS_OK;
}

/* What belongs to a queue is good for going on at the same place only. */
static void remote_forget_stop(struct avps_device *dev, uint16_t index,
                               const struct avps_remote_position *at)
{
    struct avps_queue_regs *regs = &dev->queues[index].regs;

    if (regs->stopped && (regs->stop_idx != at->idx || regs->stop_wrap != at->wrap) &&
        dev->ops->queue_reset != NULL) {
        dev->ops->queue_reset(dev, index);
    }
    regs->stopped = false;
}

enum avps_status avps_remote_start_queue(struct avps_remote *remote, uint32_t queue,
                                         const struct avps_remote_queue *config)
{
    struct avps_device *dev = remote->device;
    struct avps_queue *q = avps_device_queue(dev, queue);

    if (q == NULL || config == NULL) {
        return AVPS_E_PARAM;
    }
    if (!avps_device_queue_is_open(dev, q) ||
        (avps_device_read_status(dev) & VIRTIO_STATUS_FEATURES_OK) == 0U) {
        return AVPS_E_STATE;
    }
    q->regs.size = config->size;
    q->regs.desc = config->desc;
    q->regs.driver = config->driver;
    q->regs.device = config->device;
    struct avps_vq_config vq = avps_device_queue_config(dev, &q->regs);

    vq.avail_start = config->avail.idx;
    vq.avail_wrap = config->avail.wrap;
    vq.used_start = config->used.idx;
    vq.used_wrap = config->used.wrap;
    vq.tracker = config->tracker;
    const enum avps_status status = avps_device_start_queue(dev, (uint16_t)queue, &vq);

    if (status == AVPS_OK) {
        remote_forget_stop(dev, (uint16_t)queue, &config->avail);
    }
    return status;
}

enum avps_status avps_remote_stop_queue(struct avps_remote *remote, uint32_t queue,
                                        struct avps_remote_position *at)
{
    const struct avps_queue *q = avps_device_queue(remote->device, queue);

    if (q == NULL || at == NULL) {
        return AVPS_E_PARAM;
    }
    const enum avps_status status = avps_device_stop_queue(remote->device, (uint16_t)queue);

    if (status == AVPS_OK) {
        *at = (struct avps_remote_position){q->regs.stop_idx, q->regs.stop_wrap};
    }
    return status;
}

/* ---- configuration ---- */

uint32_t avps_remote_config_size(const struct avps_remote *remote)
{
    return remote->device->ops->config_size;
}

void avps_remote_read_config(const struct avps_remote *remote, uint32_t off, uint8_t *bytes,
                             uint32_t len)
{
    avps_device_config_read(remote->device, off, bytes, len);
}

enum avps_status avps_remote_write_config(struct avps_remote *remote, uint32_t off,
                                          const uint8_t *bytes, uint32_t len)
{
    const uint32_t size = remote->device->ops->config_size;

    if (off > size || len > size - off) {
        return AVPS_E_GUEST_SIZE;
    }
    if (remote->device->ops->config_put == NULL) {
        return AVPS_E_UNSUPPORTED;
    }
    avps_device_config_write(remote->device, off, bytes, len);
    return AVPS_OK;
}

/* ---- init ---- */

enum avps_status avps_remote_init(struct avps_remote *remote,
                                  const struct avps_remote_config *config)
{
    if (remote == NULL || config == NULL || config->device == NULL || config->ops == NULL ||
        config->ops->notify_queue == NULL || config->ops->notify_config == NULL) {
        return AVPS_E_PARAM;
    }
    *remote =
        (struct avps_remote){.device = config->device, .ops = config->ops, .ctx = config->ctx};
    const enum avps_status status =
        avps_device_attach(config->device, &remote_transport_ops, remote);

    if (status == AVPS_OK) {
        config->device->elsewhere = config->elsewhere;
    }
    return status;
}
