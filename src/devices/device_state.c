/* SPDX-License-Identifier: BSD-3-Clause */
/* Saved state: one layout for every device, parsed as hostile input (I28).
 *
 *   magic, version, device id, queue count     status, accepted features, wanted features,
 *   per queue {size, 3 addresses, live, position}   configuration generation, the model's own
 *   part, the administration virtqueue's, end mark
 */
#include "devices/device_internal.h"

#define STATE_MAGIC   0x53505641U /* "AVPS" */
#define STATE_VERSION 1U
#define STATE_END     0x21444e45U /* "END!" */

/* Nothing in flight, nothing used that the driver cannot see. */
static bool queue_is_settled(const struct avps_vq *vq)
{
    return vq->in_flight == 0U && vq->used_idx == vq->published_idx &&
           vq->used_wrap == vq->published_wrap;
}

static bool device_is_quiet(const struct avps_device *dev)
{
    for (uint16_t i = 0; i < dev->queue_count; i++) {
        const struct avps_queue *queue = &dev->queues[i];

        if (queue->first != NULL || (queue->vq.live && !queue_is_settled(&queue->vq))) {
            return false;
        }
    }
    return !dev->resetting && !dev->suspending;
}

/* ---- save ---- */

static void state_put_features(struct avps_state *state, const struct avps_features *set)
{
    for (size_t i = 0; i < AVPS_COUNT_OF(set->word); i++) {
        avps_state_put_int(state, set->word[i], 4);
    }
}

static void state_put_queue(struct avps_state *state, const struct avps_queue *queue)
{
    avps_state_put_int(state, queue->regs.size, 4);
    avps_state_put_int(state, queue->regs.desc, 8);
    avps_state_put_int(state, queue->regs.driver, 8);
    avps_state_put_int(state, queue->regs.device, 8);
    const bool enabled = avps_queue_is_enabled(queue);
    const uint16_t idx = queue->vq.live ? queue->vq.avail_idx : queue->regs.stop_idx;
    const bool wrap = queue->vq.live ? queue->vq.avail_wrap : queue->regs.stop_wrap;

    avps_state_put_int(state, enabled ? 1U : 0U, 1);
    avps_state_put_int(state, enabled ? idx : 0U, 2);
    avps_state_put_int(state, enabled && wrap ? 1U : 0U, 1);
}

enum avps_status avps_save(struct avps_device *dev, void *buffer, size_t size, size_t *used)
{
    if (dev == NULL || used == NULL) {
        return AVPS_E_PARAM;
    }
    if (!device_is_quiet(dev)) {
        return AVPS_E_STATE;
    }
    struct avps_state state = {.out = buffer, .size = size};

    avps_state_put_int(&state, STATE_MAGIC, 4);
    avps_state_put_int(&state, STATE_VERSION, 2);
    avps_state_put_int(&state, dev->ops->device_id, 4);
    avps_state_put_int(&state, dev->queue_count, 2);
    avps_state_put_int(&state, dev->status, 1);
    avps_state_put_int(&state, dev->config_pending ? 1U : 0U, 1);
    avps_state_put_int(&state, dev->config_generation, 4);
    state_put_features(&state, &dev->accepted);
    state_put_features(&state, &dev->wanted);
    for (uint16_t i = 0; i < dev->queue_count; i++) {
        state_put_queue(&state, &dev->queues[i]);
    }
    if (dev->ops->save != NULL) {
        dev->ops->save(dev, &state);
    }
    if (dev->admin != NULL) {
        dev->admin->ops->save(dev, &state);
    }
    avps_state_put_int(&state, STATE_END, 4);
    *used = state.pos;
    return state.failed ? AVPS_E_NOSPACE : AVPS_OK;
}

/* ---- load ---- */

static void state_get_features(struct avps_state *state, struct avps_features *set)
{
    for (size_t i = 0; i < AVPS_COUNT_OF(set->word); i++) {
        set->word[i] = (uint32_t)avps_state_get_int(state, 4);
    }
}

static void state_check(struct avps_state *state, bool good)
{
    if (!good) {
        state->failed = true;
    }
}

static void state_get_header(const struct avps_device *dev, struct avps_state *state)
{
    state_check(state, avps_state_get_int(state, 4) == STATE_MAGIC);
    state_check(state, avps_state_get_int(state, 2) == STATE_VERSION);
    state_check(state, avps_state_get_int(state, 4) == dev->ops->device_id);
    state_check(state, avps_state_get_int(state, 2) == dev->queue_count);
}

/* Bits that a driver's writes and the device's faults can have produced together (I16). */
static bool state_status_is_possible(uint8_t status, bool suspend)
{
    const bool acknowledged = (status & VIRTIO_STATUS_ACKNOWLEDGE) != 0U;
    const bool driver = (status & VIRTIO_STATUS_DRIVER) != 0U;
    const bool features = (status & VIRTIO_STATUS_FEATURES_OK) != 0U;
    const bool running = (status & VIRTIO_STATUS_DRIVER_OK) != 0U;
    const bool suspended = (status & VIRTIO_STATUS_SUSPEND) != 0U;

    return (status & 32U) == 0U && (!driver || acknowledged) && (!features || driver) &&
           (!running || features) && (!suspended || (features && !running && suspend));
}

/* Negotiation is repeated as if the driver wrote it. */
static void state_load_status(struct avps_device *dev, struct avps_state *state)
{
    struct avps_features accepted;
    const uint8_t status = (uint8_t)avps_state_get_int(state, 1);
    const uint8_t steps =
        status & (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK);

    dev->config_pending = avps_state_get_bool(state);
    dev->config_generation = (uint32_t)avps_state_get_int(state, 4);
    state_get_features(state, &accepted);
    state_get_features(state, &dev->wanted);
    state_check(state,
                state_status_is_possible(status, avps_features_has(&accepted, AVPS_F_SUSPEND)));
    state_check(state, !dev->config_pending || (status & VIRTIO_STATUS_SUSPEND) != 0U);
    if (state->failed) {
        return;
    }
    if ((steps & VIRTIO_STATUS_FEATURES_OK) != 0U) { /* frozen since then */
        state_check(state, memcmp(&dev->wanted, &accepted, sizeof accepted) == 0);
    }
    if (steps != 0U) {
        avps_device_write_status(dev, steps);
    }
    state_check(state, dev->status == steps);
    state_check(state, memcmp(&dev->accepted, &accepted, sizeof accepted) == 0);
    dev->status = status;
}

static void state_get_queue(struct avps_device *dev, uint16_t index, struct avps_state *state)
{
    struct avps_queue_regs *regs = &dev->queues[index].regs;

    regs->size = (uint32_t)avps_state_get_int(state, 4);
    regs->desc = avps_state_get_int(state, 8);
    regs->driver = avps_state_get_int(state, 8);
    regs->device = avps_state_get_int(state, 8);
    const bool live = avps_state_get_bool(state);
    const uint16_t position = (uint16_t)avps_state_get_int(state, 2);
    const bool wrap = avps_state_get_bool(state);

    state_check(state, !live || (dev->status & VIRTIO_STATUS_FEATURES_OK) != 0U);
    state_check(state, live || (position == 0U && !wrap));
    if (state->failed || !live) {
        return;
    }
    struct avps_vq_config config = avps_device_queue_config(dev, regs);

    config.avail_start = position;
    config.used_start = position;
    config.avail_wrap = wrap;
    config.used_wrap = wrap;
    const enum avps_status status = avps_device_begin_queue(dev, index, &config);

    state_check(state, status == AVPS_OK || status == AVPS_AGAIN);
}

static void state_load(struct avps_device *dev, struct avps_state *state)
{
    state_get_header(dev, state);
    state_load_status(dev, state);
    for (uint16_t i = 0; i < dev->queue_count && !state->failed; i++) {
        state_get_queue(dev, i, state);
    }
    if (!state->failed && dev->ops->load != NULL) {
        dev->ops->load(dev, state);
    }
    if (!state->failed && dev->admin != NULL) {
        dev->admin->ops->load(dev, state);
    }
    state_check(state, avps_state_get_int(state, 4) == STATE_END);
    state_check(state, state->pos == state->size);
    if (!state->failed && (dev->status & VIRTIO_STATUS_SUSPEND) != 0U) {
        avps_device_freeze_config(dev);
    }
}

enum avps_status avps_load(struct avps_device *dev, const void *buffer, size_t size)
{
    if (dev == NULL || buffer == NULL) {
        return AVPS_E_PARAM;
    }
    if (dev->status != 0U || dev->resetting) {
        return AVPS_E_STATE;
    }
    struct avps_state state = {.in = buffer, .size = size};

    state_load(dev, &state);
    if (state.failed) {
        (void)avps_reset(dev);
        return AVPS_E_PARAM;
    }
    if ((dev->status & VIRTIO_STATUS_DRIVER_OK) != 0U && dev->ops->activate != NULL) {
        dev->ops->activate(dev);
    }
    return AVPS_OK;
}
