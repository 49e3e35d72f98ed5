/* SPDX-License-Identifier: BSD-3-Clause */
/* Activated virtqueues: enable and its checks, then the calls common to both ring formats. */
#include "virtqueue/vq_internal.h"

/* ---- enable ---- */

struct vq_layout {
    uint32_t desc_len;
    uint32_t driver_len;
    uint32_t device_len;
    uint32_t driver_align;
};

static struct vq_layout vq_layout_of(const struct avps_vq_config *config)
{
    struct vq_layout layout = {VIRTQ_DESC_SIZE * config->size, 4, 4, 4};

    if (!config->packed) {
        layout.driver_len = 6U + 2U * config->size;
        layout.device_len = 6U + 8U * config->size;
        layout.driver_align = 2;
    }
    return layout;
}

static bool vq_size_is_valid(const struct avps_vq_config *config)
{
    if (config->size == 0U || config->size > AVPS_QUEUE_SIZE_MAX) {
        return false;
    }
    if (!config->packed) {
        return (config->size & (config->size - 1U)) == 0U;
    }
    return config->avail_start < config->size && config->used_start < config->size;
}

/* What is taken and not returned fits into the ring. */
static bool vq_position_is_valid(const struct avps_vq_config *config)
{
    uint32_t ahead = ((uint32_t)config->avail_start + 0x10000U - config->used_start) & 0xffffU;

    if (config->packed) {
        const uint32_t turn = config->avail_wrap == config->used_wrap ? 0U : config->size;
        ahead = (config->avail_start + turn + 2U * config->size - config->used_start) %
                (2U * config->size);
    }
    return ahead <= config->size;
}

/* Both are known not to wrap. */
static bool vq_ranges_overlap(avps_gpa a, uint32_t a_len, avps_gpa b, uint32_t b_len)
{
    return a <= b ? b - a < a_len : a - b < b_len;
}

/* [I15] Alignment, wrap, overlap. */
static bool vq_areas_are_valid(const struct avps_vq_config *config, const struct vq_layout *layout)
{
    if (config->desc % 16U != 0U || config->driver % layout->driver_align != 0U ||
        config->device % 4U != 0U) {
        return false;
    }
    if (layout->desc_len - 1U > UINT64_MAX - config->desc ||
        layout->driver_len - 1U > UINT64_MAX - config->driver ||
        layout->device_len - 1U > UINT64_MAX - config->device) {
        return false;
    }
    return !vq_ranges_overlap(config->desc, layout->desc_len, config->driver, layout->driver_len) &&
           !vq_ranges_overlap(config->desc, layout->desc_len, config->device, layout->device_len) &&
           !vq_ranges_overlap(config->driver, layout->driver_len, config->device,
                              layout->device_len);
}

/* [split-2.2] The descriptor table of a split queue is attached for reading only. */
static enum avps_status vq_attach(struct avps_vq *vq, const struct avps_vq_config *config,
                                  const struct vq_layout *layout)
{
    enum avps_status status =
        avps_ring_attach(vq->mem, &vq->desc, config->desc, layout->desc_len, 8,
                         config->packed ? AVPS_ACCESS_RW : AVPS_ACCESS_READ);

    if (status == AVPS_OK) {
        status = avps_ring_attach(vq->mem, &vq->driver, config->driver, layout->driver_len,
                                  layout->driver_align, AVPS_ACCESS_READ);
    }
    if (status == AVPS_OK) {
        status = avps_ring_attach(vq->mem, &vq->device, config->device, layout->device_len, 4,
                                  AVPS_ACCESS_WRITE);
    }
    return status;
}

enum avps_status avps_vq_enable(struct avps_vq *vq, struct avps_mem *mem,
                                const struct avps_vq_config *config)
{
    if (vq == NULL || mem == NULL || config == NULL) {
        return AVPS_E_PARAM;
    }
    if (!vq_size_is_valid(config)) {
        return AVPS_E_GUEST_SIZE;
    }
    if (config->packed && avps_mem_caches_rings(mem)) {
        return AVPS_E_UNSUPPORTED;
    }
    const struct vq_layout layout = vq_layout_of(config);
    if (!vq_areas_are_valid(config, &layout) || !vq_position_is_valid(config)) {
        return AVPS_E_GUEST_DESC;
    }
    (void)memset(vq, 0, sizeof *vq);
    vq->mem = mem;
    vq->size = config->size;
    vq->packed = config->packed;
    vq->indirect = config->indirect;
    vq->event_idx = config->event_idx;
    vq->avail_idx = config->avail_start;
    vq->avail_seen = config->avail_start;
    vq->avail_wrap = config->avail_wrap;
    vq->used_idx = config->used_start;
    vq->used_wrap = config->used_wrap;
    vq->published_idx = config->used_start;
    vq->published_wrap = config->used_wrap;
    vq->tracker = config->tracker;
    enum avps_status status = vq_attach(vq, config, &layout);
    vq->live = true;
    if (status == AVPS_OK && vq->tracker != NULL) {
        status = avps_track_start(vq);
    }
    if (status != AVPS_OK) {
        avps_vq_disable(vq);
    }
    return status;
}

void avps_vq_disable(struct avps_vq *vq)
{
    if (!vq->live) {
        return;
    }
    avps_ring_detach(vq->mem, &vq->desc);
    avps_ring_detach(vq->mem, &vq->driver);
    avps_ring_detach(vq->mem, &vq->device);
    vq->live = false;
}

/* ---- chains ---- */

static enum avps_status vq_pop_ring(struct avps_vq *vq, struct avps_chain *chains, uint32_t max,
                                    uint32_t *count)
{
    return vq->packed ? avps_packed_pop(vq, chains, max, count)
                      : avps_split_pop(vq, chains, max, count);
}

/* What a tracker hands out again comes before what the ring holds. */
static enum avps_status vq_pop_replayed(struct avps_vq *vq, struct avps_chain *chains, uint32_t max,
                                        uint32_t *count)
{
    uint32_t more = 0;
    enum avps_status status = avps_track_pop(vq, chains, max, count);

    if (status == AVPS_EMPTY) {
        status = vq_pop_ring(vq, chains + *count, max - *count, &more);
        *count += more;
    }
    return vq_latch(vq, status);
}

enum avps_status avps_vq_pop_burst(struct avps_vq *vq, struct avps_chain *chains, uint32_t max,
                                   uint32_t *count)
{
    *count = 0;
    if (AVPS_UNLIKELY(!vq->live)) {
        return AVPS_E_STATE;
    }
    if (AVPS_UNLIKELY(vq->fault != AVPS_OK)) {
        return vq->fault; /* I19 */
    }
    if (AVPS_UNLIKELY(vq->replaying)) {
        return vq_pop_replayed(vq, chains, max, count);
    }
    return vq_latch(vq, vq_pop_ring(vq, chains, max, count));
}

enum avps_status avps_vq_pop(struct avps_vq *vq, struct avps_chain *chain)
{
    uint32_t count = 0;

    return avps_vq_pop_burst(vq, chain, 1, &count);
}

void avps_vq_unpop(struct avps_vq *vq, struct avps_chain *chain)
{
    if (!vq_holds(vq, chain)) {
        return;
    }
    vq_release(chain);
    vq_forget(vq, chain);
    if (AVPS_UNLIKELY(vq->tracker != NULL) && avps_track_unpop(vq, chain)) {
        return;
    }
    if (vq->packed) {
        avps_packed_unpop(vq, chain);
    } else {
        avps_split_unpop(vq, chain);
    }
}

enum avps_status avps_vq_push_burst(struct avps_vq *vq, struct avps_chain *chains, uint32_t count)
{
    return vq->packed ? avps_packed_push(vq, chains, count) : avps_split_push(vq, chains, count);
}

enum avps_status avps_vq_push(struct avps_vq *vq, struct avps_chain *chain)
{
    return avps_vq_push_burst(vq, chain, 1);
}

void avps_vq_drop(struct avps_vq *vq, struct avps_chain *chain)
{
    if (!vq_holds(vq, chain)) {
        return;
    }
    vq_release(chain);
    vq_forget(vq, chain);
    if (vq->tracker != NULL) {
        avps_track_forget(vq, chain->id);
    }
    if (vq->packed) {
        vq->slots_in_flight = (uint16_t)(vq->slots_in_flight - chain->slots);
    }
}

/* ---- notifications ---- */

enum avps_status avps_vq_publish(struct avps_vq *vq, bool *notify)
{
    *notify = false;
    if (!vq->live) {
        return AVPS_E_STATE;
    }
    if (AVPS_UNLIKELY(vq->tracker != NULL)) {
        return avps_track_publish(vq, notify);
    }
    return vq->packed ? avps_packed_publish(vq, notify) : avps_split_publish(vq, notify);
}

#define AVAIL_FLAGS 0U /* in the driver area, split */
#define EVENT_FLAGS 2U /* in the driver area, packed */
#define EVENT_MASK  3U
#define FLAGS_MUTED 1U /* both formats */

/* [net-13.8] */
bool avps_vq_is_muted(const struct avps_vq *vq)
{
    uint16_t flags = 0;

    if (!vq->live) {
        return true;
    }
    if (vq->packed) {
        return ring_load16(vq, &vq->driver, EVENT_FLAGS, &flags) == AVPS_OK &&
               (flags & EVENT_MASK) == FLAGS_MUTED;
    }
    return !vq->event_idx && ring_load16(vq, &vq->driver, AVAIL_FLAGS, &flags) == AVPS_OK &&
           (flags & FLAGS_MUTED) != 0U;
}

static enum avps_status vq_set_kicks(struct avps_vq *vq, bool wanted)
{
    const enum avps_status status =
        vq->packed ? avps_packed_set_kicks(vq, wanted) : avps_split_set_kicks(vq, wanted);

    vq->suppressed = status == AVPS_OK && !wanted;
    return vq_latch(vq, status);
}

void avps_vq_suppress(struct avps_vq *vq)
{
    if (vq->live && !vq->suppressed) {
        (void)vq_set_kicks(vq, false); /* a guest fault is latched: the next pop tells */
    }
}

void avps_vq_arm(struct avps_vq *vq, bool *more)
{
    *more = false;
    if (!vq->live || vq->fault != AVPS_OK) {
        return;
    }
    const bool asked = vq_set_kicks(vq, true) == AVPS_OK;
    avps_arch_fence_full();                 /* I25: ask first, then look */
    *more = !asked || avps_vq_has_work(vq); /* who could not ask must look again */
}

bool avps_vq_has_work(struct avps_vq *vq)
{
    if (!vq->live || vq->fault != AVPS_OK) {
        return false;
    }
    if (vq->replaying) {
        return true;
    }
    return vq->packed ? avps_packed_has_work(vq) : avps_split_has_work(vq);
}
