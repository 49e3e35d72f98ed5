/* SPDX-License-Identifier: BSD-3-Clause */
/* Rings: notifications out -> kicks in -> where a ring is -> where it starts -> start and stop. */
#include "vu_internal.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* ---- notifications out ---- */

static void ring_signal(int fd)
{
    const uint64_t one = 1;

    (void)!write(fd, &one, sizeof one); /* full: the other side has not read the last one yet */
}

static void ring_call(struct vu_ring *ring)
{
    struct avps_vu *vu = ring->vu;
    const struct vu_vring_state state = {.index = ring->index};

    if (ring->call_fd >= 0) {
        ring->calls++;
        ring_signal(ring->call_fd);
    } else if (vu_has_protocol(vu, VU_P_INBAND_NOTIFICATIONS) &&
               vu_tell(vu, VU_BACKEND_VRING_CALL, &state, sizeof state)) {
        ring->calls++;
    }
}

static void ring_report_error(struct vu_ring *ring)
{
    const struct vu_vring_state state = {.index = ring->index};

    if (ring->err_fd >= 0) {
        ring_signal(ring->err_fd);
    } else if (vu_has_protocol(ring->vu, VU_P_INBAND_NOTIFICATIONS)) {
        (void)vu_tell(ring->vu, VU_BACKEND_VRING_ERR, &state, sizeof state);
    }
}

static void rings_op_notify_queue(void *ctx, uint16_t queue)
{
    struct avps_vu *vu = ctx;

    ring_call(&vu->rings[queue]);
}

void vu_tell_config(struct avps_vu *vu)
{
    if (vu_has_protocol(vu, VU_P_CONFIG)) {
        (void)vu_tell(vu, VU_BACKEND_CONFIG_CHANGE, NULL, 0);
    }
    for (uint16_t i = 0; i < vu->ring_count; i++) {
        if (avps_remote_queue_has_fault(&vu->remote, i)) {
            ring_report_error(&vu->rings[i]);
        }
    }
}

/* From a worker: a queue has a fault. The other queues are none of its business. */
static void rings_op_notify_config(void *ctx)
{
    struct avps_vu *vu = ctx;

    if (vu->threaded) {
        atomic_store(&vu->config_due, true);
        avps_posix_notifier_set(&vu->bell);
    } else {
        vu_tell_config(vu);
    }
}

/* While workers run no message waits and nothing is logged: see vu_release. */
void vu_polled(struct avps_vu *vu)
{
    if (vu->threaded) {
        if (vu->losses != vu_mapping_losses()) {
            avps_posix_notifier_set(&vu->bell);
        }
        return;
    }
    if (vu->log.touched && vu->log.event_fd >= 0) {
        ring_signal(vu->log.event_fd);
    }
    vu->log.touched = false;
    if (vu->deferred || vu->stopping || vu->log.short_of || vu->losses != vu_mapping_losses() ||
        vu_linger_is_due(vu)) {
        vu_wake(vu);
    }
}

static void rings_op_batch_end(void *ctx)
{
    vu_polled(ctx);
}

static void rings_op_reset(void *ctx)
{
    vu_wake(ctx);
}

const struct avps_remote_ops vu_remote_ops = {
    .notify_queue = rings_op_notify_queue,
    .notify_config = rings_op_notify_config,
    .batch_end = rings_op_batch_end,
    .reset = rings_op_reset,
};

/* ---- kicks in ---- */

void vu_ring_kick(struct vu_ring *ring)
{
    struct avps_vu *vu = ring->vu;

    ring->kicks++;
    if (!ring->started) {
        ring->started = true;
        if (vu_ring_update(ring) == VU_REFUSED) {
            vu_break(vu);
            return;
        }
    }
    avps_kick(vu->config.device, ring->index, 0);
    avps_posix_runner_wake(vu->config.runner);
}

static void ring_kicked(void *ctx, uint32_t conditions)
{
    struct vu_ring *ring = ctx;
    uint64_t counts[8]; /* a pipe may hold several */
    const ssize_t n = read(ring->kick_fd, counts, sizeof counts);

    (void)conditions;
    if (n > 0) {
        vu_ring_kick(ring);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        avps_posix_source_remove(&ring->kick_source); /* nothing will come any more */
    }
}

/* In poll mode nobody looks at kicks. */
void vu_ring_watch_kicks(struct vu_ring *ring)
{
    struct avps_vu *vu = ring->vu;

    avps_posix_source_remove(&ring->kick_source);
    if (ring->kick_fd >= 0 && !vu->config.busy_poll &&
        avps_posix_source_add(&ring->kick_source, vu_ring_loop(ring), ring->kick_fd,
                              AVPS_POSIX_READ, ring_kicked, ring) != AVPS_OK) {
        vu_reason(vu, "vring %u: the kick descriptor cannot be watched: %s", ring->index,
                  strerror(errno));
        vu_break(vu);
    }
}

/* ---- where a ring is ---- */

static bool ring_is_packed(const struct vu_ring *ring)
{
    return avps_features_has(avps_device_features(ring->vu->config.device), AVPS_F_RING_PACKED);
}

/* Addresses and lengths of the three areas, as the library names them. */
struct ring_areas {
    avps_gpa desc;
    avps_gpa driver;
    avps_gpa device;
    uint64_t driver_len;
    uint64_t device_len;
};

static bool ring_find_area(const struct vu_ring *ring, uint64_t told, uint64_t len, avps_gpa *gpa)
{
    if (vu_uses_iotlb(ring->vu)) {
        *gpa = told; /* an I/O virtual address: the library asks for it */
        return true;
    }
    return vu_memory_guest_of_user(&ring->vu->memory, told, len, gpa);
}

static bool ring_find(const struct vu_ring *ring, struct ring_areas *areas)
{
    const bool packed = ring_is_packed(ring);

    areas->driver_len = packed ? 4U : 6U + UINT64_C(2) * ring->size;
    areas->device_len = packed ? 4U : 6U + UINT64_C(8) * ring->size;
    return ring_find_area(ring, ring->addr.descriptor, UINT64_C(16) * ring->size, &areas->desc) &&
           ring_find_area(ring, ring->addr.available, areas->driver_len, &areas->driver) &&
           ring_find_area(ring, ring->addr.used, areas->device_len, &areas->device);
}

/* ---- where it starts ---- */

static bool ring_flags_at(void *ctx, uint16_t idx, uint16_t *flags)
{
    struct vu_ring *ring = ctx;
    struct ring_areas areas;
    uint16_t raw = 0;

    if (!ring_find(ring, &areas) ||
        avps_mem_read(&ring->vu->mem, areas.desc + 16U * (uint64_t)idx + 14U, &raw, sizeof raw) !=
            AVPS_OK) {
        return false;
    }
    *flags = le16toh(raw);
    return true;
}

#define PACKED_USED 0x8000U

/* Whether no lap with counter 1 was ever finished: such a lap leaves the descriptor that returned its
 * last chain behind, marked as used; in its first lap a driver marks none so. */
static bool ring_is_new(struct vu_ring *ring)
{
    uint16_t flags = 0;

    for (uint32_t i = 0; i < ring->size; i++) {
        if (!ring_flags_at(ring, (uint16_t)i, &flags) || (flags & PACKED_USED) != 0U) {
            return false;
        }
    }
    return true;
}

/* A front end that knows nothing of packed bases (User-mode Linux) says 0 for a new ring, which is
 * position 0 of a lap with counter 0. The ring tells the two apart. */
static void ring_mend_base(struct vu_ring *ring)
{
    if (ring_is_packed(ring) && ring->avail.idx == 0U && !ring->avail.wrap && ring_is_new(ring)) {
        ring->avail.wrap = true;
        ring->used.wrap = true;
    }
}

/* Split: what the driver has got back is in the used ring, whatever else was told. AVPS_AGAIN: the
 * IOTLB does not know it yet. */
static enum avps_status ring_read_used(struct vu_ring *ring, const struct ring_areas *areas,
                                       uint16_t *idx)
{
    uint16_t raw = 0;
    const enum avps_status status =
        avps_mem_read(&ring->vu->mem, areas->device + 2U, &raw, sizeof raw);

    *idx = le16toh(raw);
    return status;
}

/* What was taken and not returned before is either in the in-flight region, or taken once more. */
static enum avps_status ring_positions(struct vu_ring *ring, const struct ring_areas *areas,
                                       struct avps_remote_queue *queue)
{
    struct avps_vu *vu = ring->vu;
    struct vu_inflight_ring told = {.packed = ring_is_packed(ring),
                                    .size = (uint16_t)ring->size,
                                    .base = ring->used,
                                    .flags_at = ring_flags_at,
                                    .ctx = ring};
    const enum avps_status status =
        told.packed ? AVPS_OK : ring_read_used(ring, areas, &told.used_idx);

    if (status != AVPS_OK) {
        return status;
    }
    if (vu->inflight.mapping.base == NULL) {
        queue->used = ring->used;
        if (!told.packed) {
            queue->used = (struct avps_remote_position){told.used_idx, true};
        }
        queue->avail = queue->used;
        return AVPS_OK;
    }
    const char *why = vu_inflight_start(&vu->inflight, ring->index, &ring->inflight, &told,
                                        &queue->avail, &queue->used);
    if (why != NULL) {
        vu_reason(vu, "vring %u: the in-flight region %s", ring->index, why);
        return AVPS_E_PARAM;
    }
    vu->counters.resubmitted += ring->inflight.replay_count;
    queue->tracker = &ring->inflight.tracker;
    return AVPS_OK;
}

/* ---- start and stop ---- */

/* Also where STATUS is spoken a kick counts, and not DRIVER_OK: QEMU says that for some devices only. */
static bool ring_is_wanted(const struct vu_ring *ring)
{
    const struct avps_vu *vu = ring->vu;
    const uint8_t status = avps_device_status(vu->config.device);

    return vu->phase == VU_PHASE_CONNECTED && !vu->stopping && ring->started && ring->enabled &&
           ring->has_addr && ring->size != 0U && (status & AVPS_S_FEATURES_OK) != 0U;
}

static enum vu_result ring_started(struct vu_ring *ring, const struct ring_areas *areas)
{
    struct avps_vu *vu = ring->vu;
    const uint8_t status = avps_device_status(vu->config.device);

    ring->waiting = false;
    ring->used_gpa = areas->device;
    ring->used_len = areas->device_len;
    if ((status & AVPS_S_DRIVER_OK) == 0U) {
        avps_remote_write_status(&vu->remote, (uint8_t)(status | AVPS_S_DRIVER_OK));
    }
    ring_call(ring); /* what a predecessor returned last may have been told to nobody */
    avps_posix_runner_wake(vu->config.runner);
    return VU_DONE;
}

static enum vu_result ring_failed(struct vu_ring *ring, enum avps_status status)
{
    vu_inflight_stop(&ring->inflight);
    if (status == AVPS_AGAIN || status == AVPS_E_IO) { /* not told yet, or it could not be asked */
        ring->waiting = true;
        return VU_DONE;
    }
    if (status != AVPS_E_PARAM) {
        vu_reason(ring->vu, "vring %u cannot be started: %s", ring->index,
                  avps_status_name(status));
    }
    return VU_REFUSED;
}

static enum vu_result ring_start(struct vu_ring *ring)
{
    struct ring_areas areas;
    struct avps_remote_queue queue = {.size = ring->size};

    if (ring->size > avps_remote_queue_size_max(&ring->vu->remote) || !ring_find(ring, &areas)) {
        vu_reason(ring->vu, "vring %u is not in guest memory, or too large", ring->index);
        return VU_REFUSED;
    }
    ring_mend_base(ring);
    queue.desc = areas.desc;
    queue.driver = areas.driver;
    queue.device = areas.device;
    enum avps_status status = ring_positions(ring, &areas, &queue);
    if (status == AVPS_OK) {
        status = avps_remote_start_queue(&ring->vu->remote, ring->index, &queue);
    }
    return status == AVPS_OK ? ring_started(ring, &areas) : ring_failed(ring, status);
}

enum vu_result vu_ring_update(struct vu_ring *ring)
{
    if (!ring_is_wanted(ring) || avps_remote_queue_is_enabled(&ring->vu->remote, ring->index)) {
        return VU_DONE;
    }
    return ring_start(ring);
}

enum vu_result vu_rings_update(struct avps_vu *vu)
{
    enum vu_result result = VU_DONE;

    for (uint16_t i = 0; i < vu->ring_count && result == VU_DONE; i++) {
        result = vu_ring_update(&vu->rings[i]);
    }
    return result;
}

enum vu_result vu_ring_pause(struct vu_ring *ring)
{
    struct avps_remote_position at;
    const enum avps_status status = avps_remote_stop_queue(&ring->vu->remote, ring->index, &at);

    ring->waiting = false;
    ring->stopping = status == AVPS_PENDING;
    if (status == AVPS_PENDING) {
        return VU_LATER;
    }
    if (status == AVPS_OK) {
        ring->avail = at;
        ring->used = at;
        vu_inflight_stop(&ring->inflight);
    }
    return VU_DONE;
}

enum vu_result vu_rings_pause(struct avps_vu *vu)
{
    enum vu_result result = VU_DONE;

    for (uint16_t i = 0; i < vu->ring_count; i++) {
        if (vu_ring_pause(&vu->rings[i]) == VU_LATER) {
            result = VU_LATER;
        }
    }
    return result;
}

/* Whether an area that was told has a part in a range; neither is empty. */
static bool area_is_in(uint64_t area, uint64_t len, uint64_t iova, uint64_t size)
{
    return area <= iova ? iova - area < len : area - iova < size;
}

static bool ring_is_in(const struct vu_ring *ring, uint64_t iova, uint64_t size)
{
    struct ring_areas areas;

    return ring_find(ring, &areas) &&
           (area_is_in(areas.desc, UINT64_C(16) * ring->size, iova, size) ||
            area_is_in(areas.driver, areas.driver_len, iova, size) ||
            area_is_in(areas.device, areas.device_len, iova, size));
}

enum vu_result vu_rings_let_go(struct avps_vu *vu, uint64_t iova, uint64_t size)
{
    enum vu_result result = VU_DONE;

    for (uint16_t i = 0; i < vu->ring_count; i++) {
        struct vu_ring *ring = &vu->rings[i];

        if (avps_remote_queue_is_enabled(&vu->remote, i) &&
            (ring->stopping || ring_is_in(ring, iova, size)) && vu_ring_pause(ring) == VU_LATER) {
            result = VU_LATER;
        }
    }
    return result;
}

bool vu_rings_run(const struct avps_vu *vu)
{
    for (uint16_t i = 0; i < vu->ring_count; i++) {
        if (avps_remote_queue_is_enabled(&vu->remote, i)) {
            return true;
        }
    }
    return false;
}

/* ---- set-up ---- */

void vu_ring_init(struct vu_ring *ring, struct avps_vu *vu, uint16_t index)
{
    *ring = (struct vu_ring){
        .vu = vu,
        .index = index,
        .kick_fd = -1,
        .call_fd = -1,
        .err_fd = -1,
        .avail = {0, true},
        .used = {0, true},
    };
}

void vu_ring_clear(struct vu_ring *ring)
{
    avps_posix_source_remove(&ring->kick_source);
    vu_close_fd(&ring->kick_fd);
    vu_close_fd(&ring->call_fd);
    vu_close_fd(&ring->err_fd);
    vu_inflight_stop(&ring->inflight);
    ring->vu->counters.kicks += ring->kicks;
    ring->vu->counters.calls += ring->calls;
    vu_ring_init(ring, ring->vu, ring->index);
}
