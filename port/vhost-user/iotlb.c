/* SPDX-License-Identifier: BSD-3-Clause */
/* The IOTLB: misses -> the memory behind it -> what the front end tells. */
#include "vu_internal.h"

/* ---- misses ---- */

/* A channel that is full, or gone for a moment, is tried again at a later poll. */
static enum avps_status iotlb_lookup(void *ctx, avps_gpa iova, enum avps_access access,
                                     struct avps_iotlb_range *range)
{
    struct avps_vu *vu = ctx;
    const struct vu_iotlb_msg msg = {.iova = iova, .perm = (uint8_t)access, .type = VU_IOTLB_MISS};

    (void)range;
    if (vu->backend_fd < 0) {
        return AVPS_E_GUEST_ADDR; /* nobody can be asked */
    }
    if (!vu_tell(vu, VU_BACKEND_IOTLB_MSG, &msg, sizeof msg)) {
        return AVPS_E_IO;
    }
    vu->counters.misses++;
    return AVPS_AGAIN;
}

static void iotlb_wake(void *ctx)
{
    const struct avps_vu *vu = ctx;

    avps_posix_runner_wake(vu->config.runner);
}

/* Rings, too, are logged as the guest addresses that they are at. */
static void iotlb_dirty(void *ctx, avps_gpa gpa, uint64_t len)
{
    struct avps_vu *vu = ctx;

    vu_log_mark(&vu->log, gpa, len);
}

static const struct avps_iotlb_ops iotlb_ops = {.lookup = iotlb_lookup, .wake = iotlb_wake};
static const struct avps_iotlb_ops iotlb_log_ops = {
    .lookup = iotlb_lookup, .wake = iotlb_wake, .dirty = iotlb_dirty};

/* ---- the memory behind it ---- */

enum avps_status vu_iotlb_apply(struct avps_vu *vu, bool logs, struct avps_mem *mem)
{
    const struct avps_iotlb_config config = {.regions = vu->memory.table,
                                             .region_count = vu->memory.count,
                                             .entries = vu->iotlb.entries,
                                             .entry_count = VU_IOTLB_ENTRIES,
                                             .questions = vu->iotlb.questions,
                                             .question_count = VU_IOTLB_QUESTIONS,
                                             .ops = logs ? &iotlb_log_ops : &iotlb_ops,
                                             .ctx = vu};
    const enum avps_status status = avps_iotlb_init(&vu->iotlb.tlb, &config);

    return status == AVPS_OK ? avps_iotlb_mem(&vu->iotlb.tlb, mem) : status;
}

/* ---- what the front end tells ---- */

/* An answer without room is asked for again when a request has made some. */
enum vu_result vu_iotlb_update(struct avps_vu *vu, const struct vu_iotlb_msg *msg)
{
    struct avps_iotlb_range range = {.iova = msg->iova, .size = msg->size, .access = msg->perm};

    if (!vu_memory_guest_of_user(&vu->memory, msg->user_addr, msg->size, &range.gpa) ||
        avps_iotlb_update(&vu->iotlb.tlb, &range) == AVPS_E_PARAM) {
        vu_reason(vu, "IOTLB_MSG: an update that is empty, wraps, or leaves the memory regions");
        return VU_FAILED;
    }
    return vu_rings_update(vu);
}

static bool iotlb_is_in_use(struct avps_vu *vu, const struct vu_iotlb_msg *msg)
{
    return avps_iotlb_invalidate(&vu->iotlb.tlb, msg->iova, msg->size) == AVPS_PENDING;
}

/* Nothing uses the range once this is acknowledged: requests in it are back, rings in it have stopped,
 * others go on. An entry is given up as a whole, so a ring outside the range may be what uses it: then
 * all of them stop. */
enum vu_result vu_iotlb_invalidate(struct avps_vu *vu, const struct vu_iotlb_msg *msg)
{
    enum vu_result result = VU_DONE;

    if (iotlb_is_in_use(vu, msg) || vu->letting_go) {
        result = vu_rings_let_go(vu, msg->iova, msg->size);
    }
    if (result == VU_DONE && iotlb_is_in_use(vu, msg)) {
        result = vu_rings_pause(vu);
    }
    vu->letting_go = result == VU_LATER;
    return result == VU_DONE ? vu_rings_update(vu) : result;
}
