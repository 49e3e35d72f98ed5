/* SPDX-License-Identifier: BSD-3-Clause */
/* The device as the front end sees it: features -> status -> reset -> guest memory. */
#include "vu_internal.h"

/* ---- features ---- */

#define PROTOCOL_BIT(bit) (UINT64_C(1) << (bit))

/* A device without configuration space has nothing to say about it. */
uint64_t vu_offered_protocol_features(const struct avps_vu *vu)
{
    const uint64_t always = PROTOCOL_BIT(VU_P_MQ) | PROTOCOL_BIT(VU_P_LOG_SHMFD) |
                            PROTOCOL_BIT(VU_P_REPLY_ACK) | PROTOCOL_BIT(VU_P_BACKEND_REQ) |
                            PROTOCOL_BIT(VU_P_INFLIGHT_SHMFD) | PROTOCOL_BIT(VU_P_RESET_DEVICE) |
                            PROTOCOL_BIT(VU_P_INBAND_NOTIFICATIONS) |
                            PROTOCOL_BIT(VU_P_CONFIGURE_MEM_SLOTS) | PROTOCOL_BIT(VU_P_STATUS) |
                            PROTOCOL_BIT(VU_P_DEVICE_STATE);

    return avps_remote_config_size(&vu->remote) == 0U ? always : always | PROTOCOL_BIT(VU_P_CONFIG);
}

/* The protocol knows the first 64 bits. Two bits of the device's range are its own. */
uint64_t vu_offered_features(const struct avps_vu *vu)
{
    struct avps_features set;

    avps_remote_read_features(&vu->remote, &set);
    return set.word[0] | (uint64_t)set.word[1] << 32 | VU_F_PROTOCOL_FEATURES | VU_F_LOG_ALL;
}

#define OWN_FEATURES (VU_F_PROTOCOL_FEATURES | VU_F_LOG_ALL)

static bool device_has_features(const struct avps_vu *vu)
{
    return (avps_device_status(vu->config.device) & AVPS_S_FEATURES_OK) != 0U;
}

/* What the device has accepted, also by a state that was loaded. */
static uint64_t device_accepted(const struct avps_vu *vu)
{
    const struct avps_features *set = avps_device_features(vu->config.device);

    return set->word[0] | (uint64_t)set->word[1] << 32;
}

static enum vu_result device_negotiate(struct avps_vu *vu, uint64_t features)
{
    const struct avps_features set = {
        .word = {(uint32_t)(features & 0xffffffffU), (uint32_t)(features >> 32), 0, 0}};

    avps_remote_write_status(&vu->remote, AVPS_S_ACKNOWLEDGE | AVPS_S_DRIVER);
    if (avps_remote_write_features(&vu->remote, &set) == AVPS_OK) {
        avps_remote_write_status(&vu->remote, AVPS_S_FEATURES_OK);
    }
    if (!device_has_features(vu)) {
        vu_reason(vu, "SET_FEATURES: the device does not accept 0x%llx (VERSION_1 is required)",
                  (unsigned long long)features);
        return VU_FAILED;
    }
    return VU_DONE;
}

/* Without protocol features rings are enabled from the start. */
static void device_enable_rings(struct avps_vu *vu)
{
    for (uint16_t i = 0; i < vu->ring_count; i++) {
        vu->rings[i].enabled = true;
    }
}

static enum vu_result device_clear(struct avps_vu *vu);

/* The same features again change nothing but the dirty log: front ends repeat them for every pair
 * of queues, and when a virtual machine goes on. */
enum vu_result vu_set_features(struct avps_vu *vu, uint64_t features)
{
    const uint64_t device = features & ~OWN_FEATURES;
    const bool log_changes = ((features ^ vu->features) & VU_F_LOG_ALL) != 0U;
    enum vu_result result = VU_DONE;

    if ((features & ~vu_offered_features(vu)) != 0U) {
        vu_reason(vu, "SET_FEATURES: 0x%llx was never offered",
                  (unsigned long long)(features & ~vu_offered_features(vu)));
        return VU_FAILED;
    }
    if (!device_has_features(vu) || device != device_accepted(vu)) {
        if (vu_rings_run(vu)) {
            vu_reason(vu, "SET_FEATURES: changed while rings run");
            return VU_REFUSED;
        }
        result = device_clear(vu);
        result = result == VU_DONE ? device_negotiate(vu, device) : result;
    }
    if (result == VU_DONE && log_changes) {
        result = vu_rings_pause(vu);
    }
    if (result != VU_DONE) {
        return result;
    }
    vu->features = features;
    vu->has_features = true;
    if ((features & VU_F_PROTOCOL_FEATURES) == 0U) {
        device_enable_rings(vu);
    }
    if (!vu_rings_run(vu)) {
        vu_apply_memory(vu);
    }
    return vu_rings_update(vu);
}

/* ---- status ---- */

/* What the device would read back to its driver. */
uint8_t vu_get_status(const struct avps_vu *vu)
{
    const uint8_t device = avps_device_status(vu->config.device);
    const uint8_t own = AVPS_S_FEATURES_OK | AVPS_S_SUSPEND | AVPS_S_NEEDS_RESET;
    const uint8_t told = (uint8_t)(vu->status & ~(AVPS_S_SUSPEND | AVPS_S_NEEDS_RESET));
    const uint8_t shown = (uint8_t)(device & (own & ~AVPS_S_FEATURES_OK));

    if ((told & AVPS_S_FEATURES_OK) != 0U && (device & AVPS_S_FEATURES_OK) == 0U) {
        return (uint8_t)((told & ~AVPS_S_FEATURES_OK) | shown);
    }
    return (uint8_t)(told | shown);
}

/* Front ends write bits in their own order; FEATURES_OK was decided when the features came. */
enum vu_result vu_set_status(struct avps_vu *vu, uint8_t status)
{
    if (status == 0U) {
        return vu_reset_device(vu);
    }
    const uint8_t passed = status & (AVPS_S_SUSPEND | AVPS_S_FAILED | AVPS_S_DRIVER_OK);

    vu->status = status;
    if (passed != 0U) {
        avps_remote_write_status(&vu->remote, passed);
    }
    return vu_rings_update(vu);
}

/* ---- reset ---- */

/* Requests in flight are cancelled, which may take its time. */
static enum vu_result device_clear(struct avps_vu *vu)
{
    const struct avps_device *dev = vu->config.device;

    if (!vu->reset_asked && (avps_device_status(dev) != 0U || vu_rings_run(vu))) {
        vu->reset_asked = true;
        (void)avps_reset(vu->config.device);
    }
    if (avps_device_status(dev) != 0U || vu_rings_run(vu)) {
        return VU_LATER;
    }
    vu->reset_asked = false;
    return VU_DONE;
}

enum vu_result vu_reset_device(struct avps_vu *vu)
{
    if (device_clear(vu) == VU_LATER) {
        return VU_LATER;
    }
    vu->status = 0;
    for (uint16_t i = 0; i < vu->ring_count; i++) {
        vu->rings[i].started = false;
        vu->rings[i].waiting = false;
        vu_inflight_stop(&vu->rings[i].inflight);
    }
    return VU_DONE;
}

/* ---- guest memory ---- */

bool vu_uses_iotlb(const struct avps_vu *vu)
{
    return (vu->features & (UINT64_C(1) << AVPS_F_ACCESS_PLATFORM)) != 0U;
}

/* The used ring has its own address in the log, or is not logged at all. */
static bool memory_is_used_ring(const struct avps_vu *vu, avps_gpa gpa, uint64_t len,
                                uint64_t *logged, bool *is_logged)
{
    for (uint16_t i = 0; i < vu->ring_count; i++) {
        const struct vu_ring *ring = &vu->rings[i];
        const uint64_t off = gpa - ring->used_gpa;

        if (avps_remote_queue_is_enabled(&vu->remote, i) && off < ring->used_len &&
            len <= ring->used_len - off) {
            *is_logged = (ring->addr.flags & VU_VRING_F_LOG) != 0U;
            *logged = ring->addr.log + off;
            return true;
        }
    }
    return false;
}

static void memory_op_dirty(void *ctx, avps_gpa gpa, uint64_t len)
{
    struct avps_vu *vu = ctx;
    uint64_t logged = gpa;
    bool is_logged = true;

    if (memory_is_used_ring(vu, gpa, len, &logged, &is_logged)) {
        if (is_logged) {
            vu_log_mark(&vu->log, logged, len);
        }
    } else {
        vu_log_mark(&vu->log, gpa, len);
    }
}

static enum avps_status memory_op_nothing(void *ctx, avps_gpa gpa, enum avps_access access,
                                          uint64_t *len, uint8_t **ptr)
{
    (void)ctx;
    (void)gpa;
    (void)access;
    *len = 0;
    *ptr = NULL;
    return AVPS_E_GUEST_ADDR;
}

static const struct avps_mem_ops memory_nothing_ops = {.translate = memory_op_nothing};
static const struct avps_mem_ops memory_log_ops = {.dirty = memory_op_dirty};

void avps_vu_no_memory(struct avps_mem *mem)
{
    (void)!avps_mem_init_ops(mem, &memory_nothing_ops, NULL);
}

/* Hooks slow rings down, so they are there only while pages are logged. */
void vu_apply_memory(struct avps_vu *vu)
{
    const bool logs = (vu->features & VU_F_LOG_ALL) != 0U;
    enum avps_status status = AVPS_E_PARAM;

    if (vu_uses_iotlb(vu)) {
        status = vu_iotlb_apply(vu, logs, &vu->mem);
    } else if (vu->memory.count != 0U) {
        status = avps_mem_init_regions(&vu->mem, vu->memory.table, vu->memory.count,
                                       logs ? &memory_log_ops : NULL, vu);
    }
    if (status != AVPS_OK) {
        avps_vu_no_memory(&vu->mem);
    }
    (void)!avps_remote_set_mem(&vu->remote, &vu->mem); /* no ring runs */
}
