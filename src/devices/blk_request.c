/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests of a block device: wire format -> planning -> request types -> running on the back end
 * -> answering -> serving one chain -> answers of the back end -> data of an operation.
 *
 * A request is planned as a list of ranges, which are given to the back end one operation at a
 * time, a flush last if the data must be durable. A slot therefore has one operation outstanding
 * at most, and its token names slot and operation. */
#include "devices/blk_internal.h"

#define BLK_NO_FEATURE   0xffU
#define BLK_LIFETIME_EOL 3U
#define BLK_LIFETIME_EST 11U
#define BLK_FLAG_UNMAP   1U

struct virtio_blk_req {
    avps_le32 type;
    avps_le32 reserved;
    avps_le64 sector;
};
AVPS_WIRE_SIZE(struct virtio_blk_req, 16);

struct virtio_blk_discard_write_zeroes {
    avps_le64 sector;
    avps_le32 num_sectors;
    avps_le32 flags;
};
AVPS_WIRE_SIZE(struct virtio_blk_discard_write_zeroes, 16);

struct virtio_blk_lifetime {
    avps_le16 pre_eol_info;
    avps_le16 device_lifetime_est_typ_a;
    avps_le16 device_lifetime_est_typ_b;
};
AVPS_WIRE_SIZE(struct virtio_blk_lifetime, 6);

/* ---- planning a request: each planner returns a status byte ---- */

static uint8_t blk_plan_in(struct avps_blk *blk, struct avps_blk_request *req, uint64_t sector)
{
    const struct avps_chain *chain = &req->base.chain;

    if (avps_chain_readable(chain) != 0U) {
        return VIRTIO_BLK_S_IOERR; /* data the wrong way round */
    }
    return avps_blk_transfer(blk, req, AVPS_BLK_READ, sector, avps_chain_writable(chain));
}

static uint8_t blk_plan_out(struct avps_blk *blk, struct avps_blk_request *req, uint64_t sector)
{
    const struct avps_chain *chain = &req->base.chain;

    if (avps_chain_writable(chain) != 0U) {
        return VIRTIO_BLK_S_IOERR;
    }
    return avps_blk_transfer(blk, req, AVPS_BLK_WRITE, sector, avps_chain_readable(chain));
}

static uint8_t blk_plan_flush(struct avps_blk *blk, struct avps_blk_request *req, uint64_t sector)
{
    (void)blk;
    (void)sector;
    req->flush = true;
    return VIRTIO_BLK_S_OK;
}

static uint8_t blk_give(struct avps_blk_request *req, const void *bytes, uint32_t len)
{
    if (avps_chain_writable(&req->base.chain) != len ||
        avps_chain_write(&req->base.chain, bytes, len) != AVPS_OK) {
        return VIRTIO_BLK_S_IOERR;
    }
    return VIRTIO_BLK_S_OK;
}

static uint8_t blk_plan_id(struct avps_blk *blk, struct avps_blk_request *req, uint64_t sector)
{
    (void)sector;
    return blk_give(req, blk->id, sizeof blk->id);
}

/* [blk-2.15] Reserved values from the back end are an error, not an answer. */
static uint8_t blk_plan_lifetime(struct avps_blk *blk, struct avps_blk_request *req,
                                 uint64_t sector)
{
    struct avps_blk_lifetime lifetime = {0, 0, 0};
    struct virtio_blk_lifetime wire;

    (void)sector;
    if (blk->ops->lifetime(blk->ctx, &lifetime) != AVPS_OK ||
        lifetime.pre_eol_info > BLK_LIFETIME_EOL || lifetime.estimate_a > BLK_LIFETIME_EST ||
        lifetime.estimate_b > BLK_LIFETIME_EST) {
        return VIRTIO_BLK_S_IOERR;
    }
    wire.pre_eol_info = avps_le16_of(lifetime.pre_eol_info);
    wire.device_lifetime_est_typ_a = avps_le16_of(lifetime.estimate_a);
    wire.device_lifetime_est_typ_b = avps_le16_of(lifetime.estimate_b);
    return blk_give(req, &wire, sizeof wire);
}

/* Copy one range in. [blk-2.4] [blk-2.5] Its flags are checked here, its place later. */
static uint8_t blk_take_range(const struct avps_blk *blk, struct avps_blk_request *req)
{
    struct avps_blk_range *range = &req->ranges[req->range_count];
    struct virtio_blk_discard_write_zeroes wire;

    if (avps_chain_read(&req->base.chain, &wire, sizeof wire) != AVPS_OK) {
        return VIRTIO_BLK_S_IOERR;
    }
    const uint32_t flags = avps_le32_get(wire.flags);
    const uint32_t known = req->op == AVPS_BLK_WRITE_ZEROES ? BLK_FLAG_UNMAP : 0U;

    if ((flags & ~known) != 0U) {
        return VIRTIO_BLK_S_UNSUPP;
    }
    range->sector = avps_le64_get(wire.sector);
    range->count = avps_le32_get(wire.num_sectors);
    range->unmap = flags != 0U && blk->zeroes_may_unmap;
    req->range_count++;
    return VIRTIO_BLK_S_OK;
}

static uint8_t blk_check_ranges(const struct avps_blk *blk, const struct avps_blk_request *req,
                                uint32_t max_sectors)
{
    for (uint8_t i = 0; i < req->range_count; i++) {
        const struct avps_blk_range *range = &req->ranges[i];

        if (range->count > max_sectors || range->sector > blk->capacity ||
            range->count > blk->capacity - range->sector) {
            return VIRTIO_BLK_S_IOERR;
        }
        const uint8_t result = avps_blk_zone_check(blk, (enum avps_blk_op)req->op, range);
        if (result != VIRTIO_BLK_S_OK) {
            return result;
        }
    }
    return VIRTIO_BLK_S_OK;
}

/* All ranges are copied and checked before the first is carried out. */
static uint8_t blk_plan_ranges(const struct avps_blk *blk, struct avps_blk_request *req,
                               enum avps_blk_op op, const struct avps_blk_limits *limits)
{
    const uint32_t size = (uint32_t)sizeof(struct virtio_blk_discard_write_zeroes);
    const uint32_t bytes = avps_chain_readable(&req->base.chain);

    if (avps_chain_writable(&req->base.chain) != 0U || bytes == 0U || bytes % size != 0U ||
        bytes / size > limits->max_ranges) {
        return VIRTIO_BLK_S_IOERR;
    }
    req->op = (uint8_t)op;
    for (uint32_t i = 0; i < bytes / size; i++) {
        const uint8_t result = blk_take_range(blk, req);
        if (result != VIRTIO_BLK_S_OK) {
            return result;
        }
    }
    return blk_check_ranges(blk, req, limits->max_sectors);
}

/* [blk-2.6] The back end may deallocate. */
static uint8_t blk_plan_discard(struct avps_blk *blk, struct avps_blk_request *req, uint64_t sector)
{
    (void)sector;
    return blk_plan_ranges(blk, req, AVPS_BLK_DISCARD, &blk->discard);
}

/* [blk-2.7] `unmap` is handed on; [blk-2.8] zeroes are read back with it or without. */
static uint8_t blk_plan_zeroes(struct avps_blk *blk, struct avps_blk_request *req, uint64_t sector)
{
    (void)sector;
    return blk_plan_ranges(blk, req, AVPS_BLK_WRITE_ZEROES, &blk->zeroes);
}

static uint8_t blk_plan_erase(struct avps_blk *blk, struct avps_blk_request *req, uint64_t sector)
{
    (void)sector;
    return blk_plan_ranges(blk, req, AVPS_BLK_SECURE_ERASE, &blk->erase);
}

uint8_t avps_blk_transfer(const struct avps_blk *blk, struct avps_blk_request *req,
                          enum avps_blk_op op, uint64_t sector, uint32_t bytes)
{
    const uint32_t count = bytes / AVPS_BLK_SECTOR;
    /* A driver that keeps seg_max and size_max cannot exceed this, however memory is cut up. */
    const uint64_t most =
        blk->size_max != 0U ? (uint64_t)blk->seg_max * blk->size_max : (uint64_t)UINT32_MAX;

    if (bytes % AVPS_BLK_SECTOR != 0U || bytes > most || sector > blk->capacity ||
        count > blk->capacity - sector) {
        return VIRTIO_BLK_S_IOERR; /* drv.blk-2.2, drv.blk-2.6 (I29) */
    }
    req->op = (uint8_t)op;
    req->ranges[0] = (struct avps_blk_range){.sector = sector, .count = count};
    req->range_count = 1;
    return avps_blk_zone_check(blk, op, &req->ranges[0]);
}

/* ---- request types ---- */

struct blk_type {
    uint32_t type;
    uint8_t feature; /* that the driver must have accepted */
    bool changes;    /* the medium: refused when it is read-only */
    bool durable;    /* the change must survive in write-through mode */
    uint8_t (*plan)(struct avps_blk *blk, struct avps_blk_request *req, uint64_t sector);
};

/* [blk-2.16] Zone requests need ZONED. Legacy SCSI and barrier types are not in the table. */
static const struct blk_type blk_types[] = {
    {VIRTIO_BLK_T_IN, BLK_NO_FEATURE, false, false, blk_plan_in},
    {VIRTIO_BLK_T_OUT, BLK_NO_FEATURE, true, true, blk_plan_out},
    {VIRTIO_BLK_T_FLUSH, VIRTIO_BLK_F_FLUSH, false, false, blk_plan_flush},
    {VIRTIO_BLK_T_GET_ID, BLK_NO_FEATURE, false, false, blk_plan_id},
    {VIRTIO_BLK_T_GET_LIFETIME, VIRTIO_BLK_F_LIFETIME, false, false, blk_plan_lifetime},
    {VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_F_DISCARD, true, false, blk_plan_discard},
    {VIRTIO_BLK_T_WRITE_ZEROES, VIRTIO_BLK_F_WRITE_ZEROES, true, true, blk_plan_zeroes},
    {VIRTIO_BLK_T_SECURE_ERASE, VIRTIO_BLK_F_SECURE_ERASE, true, true, blk_plan_erase},
    {VIRTIO_BLK_T_ZONE_APPEND, VIRTIO_BLK_F_ZONED, true, true, avps_blk_zone_request},
    {VIRTIO_BLK_T_ZONE_REPORT, VIRTIO_BLK_F_ZONED, false, false, avps_blk_zone_request},
    {VIRTIO_BLK_T_ZONE_OPEN, VIRTIO_BLK_F_ZONED, true, false, avps_blk_zone_request},
    {VIRTIO_BLK_T_ZONE_CLOSE, VIRTIO_BLK_F_ZONED, true, false, avps_blk_zone_request},
    {VIRTIO_BLK_T_ZONE_FINISH, VIRTIO_BLK_F_ZONED, true, false, avps_blk_zone_request},
    {VIRTIO_BLK_T_ZONE_RESET, VIRTIO_BLK_F_ZONED, true, false, avps_blk_zone_request},
    {VIRTIO_BLK_T_ZONE_RESET_ALL, VIRTIO_BLK_F_ZONED, true, false, avps_blk_zone_request},
};

static const struct blk_type *blk_type_of(uint32_t type)
{
    for (size_t i = 0; i < AVPS_COUNT_OF(blk_types); i++) {
        if (blk_types[i].type == type) {
            return &blk_types[i];
        }
    }
    return NULL;
}

/* Snapshot the header, find the type, plan. */
static uint8_t blk_plan(struct avps_blk *blk, struct avps_blk_request *req)
{
    struct virtio_blk_req hdr;

    if (avps_chain_read(&req->base.chain, &hdr, sizeof hdr) != AVPS_OK) {
        return VIRTIO_BLK_S_IOERR;
    }
    req->type = avps_le32_get(hdr.type);
    const struct blk_type *type = blk_type_of(req->type);

    if (type == NULL ||
        (type->feature != BLK_NO_FEATURE && !avps_device_has(&blk->base, type->feature))) {
        return VIRTIO_BLK_S_UNSUPP;
    }
    if (type->changes && blk->read_only) {
        return VIRTIO_BLK_S_IOERR; /* [blk-2.3] */
    }
    const uint8_t result = type->plan(blk, req, avps_le64_get(hdr.sector));

    /* [blk-2.11] [blk-2.12] Durable before it is answered: by FUA, or by a flush of its own. */
    if (type->durable && !avps_blk_is_writeback(blk)) {
        req->fua = blk->fua;
        req->flush = !blk->fua;
    }
    return result;
}

/* ---- running it ---- */

void avps_blk_prepare(struct avps_blk_request *req, enum avps_blk_op op, uint64_t sector,
                      uint32_t count)
{
    req->io.op = op;
    req->io.sector = sector;
    req->io.count = count;
    req->io.unmap = false;
    req->io.fua = req->fua;
    req->io_left = op == AVPS_BLK_READ || op == AVPS_BLK_WRITE ? count * AVPS_BLK_SECTOR : 0U;
}

/* Take the next piece off a range that is not empty. */
static enum blk_step blk_step(struct avps_blk *blk, struct avps_blk_request *req,
                              struct avps_blk_range *range, uint8_t *result)
{
    if (avps_blk_has_zones(blk)) {
        return avps_blk_zone_step(blk, req, range, result);
    }
    avps_blk_prepare(req, (enum avps_blk_op)req->op, range->sector, range->count);
    req->io.unmap = range->unmap;
    range->count = 0;
    return BLK_STEP_ISSUE;
}

/* Prepare the next operation. @return false: none is left, or `*result` says why not. */
static bool blk_next(struct avps_blk *blk, struct avps_blk_request *req, uint8_t *result)
{
    while (req->range_next < req->range_count) {
        struct avps_blk_range *range = &req->ranges[req->range_next];
        enum blk_step step = BLK_STEP_NEXT;

        if (range->count == 0U) {
            req->range_next++;
        } else {
            step = blk_step(blk, req, range, result);
        }
        if (step != BLK_STEP_NEXT) {
            return step == BLK_STEP_ISSUE;
        }
    }
    if (!req->flush) {
        return false;
    }
    req->flush = false;
    avps_blk_prepare(req, AVPS_BLK_FLUSH, 0, 0);
    return true;
}

static enum avps_status blk_submit(struct avps_blk *blk, struct avps_blk_request *req)
{
    req->generation++;
    req->io.queue = req->base.queue;
    req->io.request = req;
    req->io.token = (uint64_t)req->generation << 32 | (uint64_t)(req - blk->requests);
    req->zero_copy = false;
    req->state = BLK_SUBMITTING;
    const enum avps_status status = blk->ops->submit(blk->ctx, &req->io);

    if (status != AVPS_PENDING) {
        req->state = BLK_IDLE;
        return status;
    }
    if (req->state == BLK_ANSWERED) {
        req->state = BLK_IDLE;
        return req->answer;
    }
    req->state = BLK_PENDING;
    return AVPS_PENDING;
}

/* The back end had the segments: move the cursors as it did. */
static enum avps_status blk_move_past(struct avps_blk_request *req)
{
    const uint32_t left = req->io_left;

    req->io_left = 0;
    if (!req->zero_copy) {
        return left == 0U ? AVPS_OK : AVPS_E_IO; /* it moved less than it claims (I31) */
    }
    return req->io.op == AVPS_BLK_READ ? avps_chain_wrote(&req->base.chain, left)
                                       : avps_chain_skip(&req->base.chain, left);
}

/* What an answered operation means for the request. */
static uint8_t blk_io_result(struct avps_blk_request *req, enum avps_status status)
{
    if (status == AVPS_E_UNSUPPORTED) {
        return VIRTIO_BLK_S_UNSUPP;
    }
    if (status != AVPS_OK || blk_move_past(req) != AVPS_OK) {
        return VIRTIO_BLK_S_IOERR;
    }
    req->sectors += req->io.count;
    return VIRTIO_BLK_S_OK;
}

/* Operation after operation. @return whether the request is finished, with `*result`. */
static bool blk_run(struct avps_blk *blk, struct avps_blk_request *req, uint8_t *result)
{
    while (blk_next(blk, req, result)) {
        const enum avps_status status = blk_submit(blk, req);

        if (status == AVPS_PENDING) {
            return false;
        }
        *result = blk_io_result(req, status);
        if (*result != VIRTIO_BLK_S_OK) {
            return true;
        }
    }
    return true;
}

/* ---- answering ---- */

static void blk_count(struct avps_blk_counters *counters, const struct avps_blk_request *req,
                      uint8_t result)
{
    if (result == VIRTIO_BLK_S_IOERR) {
        counters->io_errors++;
    } else if (result == VIRTIO_BLK_S_UNSUPP) {
        counters->unsupported++;
    } else if (result != VIRTIO_BLK_S_OK) {
        counters->zone_errors++;
    } else if (req->type == VIRTIO_BLK_T_IN) {
        counters->reads++;
        counters->sectors_read += req->sectors;
    } else if (req->type == VIRTIO_BLK_T_OUT || req->type == VIRTIO_BLK_T_ZONE_APPEND) {
        counters->writes++;
        counters->sectors_written += req->sectors;
    } else if (req->type == VIRTIO_BLK_T_FLUSH) {
        counters->flushes++;
    } else if (req->range_count != 0U) {
        counters->ranges++;
    } else {
        counters->others++;
    }
}

/* [blk-2.27] The append's place goes before the status byte. */
static enum avps_status blk_write_append(struct avps_blk_request *req)
{
    const avps_le64 sector = avps_le64_of(req->append_sector);

    return avps_chain_write(&req->base.chain, &sector, sizeof sector);
}

/* The status byte, always the last writable one. */
static enum avps_status blk_finish(struct avps_blk *blk, struct avps_blk_request *req,
                                   uint8_t result)
{
    enum avps_status status = AVPS_OK;

    if (result > VIRTIO_BLK_S_UNSUPP && !avps_device_has(&blk->base, VIRTIO_BLK_F_ZONED)) {
        result = VIRTIO_BLK_S_IOERR; /* the driver does not know zone errors */
    }
    if (result == VIRTIO_BLK_S_OK && req->type == VIRTIO_BLK_T_ZONE_APPEND) {
        status = blk_write_append(req);
    }
    if (status == AVPS_OK) {
        status = avps_chain_write_tail(&req->base.chain, &result, sizeof result);
    }
    blk_count(&blk->lanes[req->base.queue].counters, req, result);
    return status;
}

/* ---- serving one chain ---- */

static void blk_begin(struct avps_blk_request *req)
{
    req->state = BLK_IDLE;
    req->type = UINT32_MAX;
    req->range_count = 0;
    req->range_next = 0;
    req->sectors = 0;
    req->flush = false;
    req->fua = false;
}

/* A request whose status byte could not be written must not be returned: the driver would take
 * what stands there for the answer. */
enum avps_status avps_blk_serve(struct avps_device *dev, uint16_t queue, struct avps_chain *chain)
{
    struct avps_blk *blk = AVPS_CONTAINER_OF(dev, struct avps_blk, base);
    struct avps_request *base = AVPS_CONTAINER_OF(chain, struct avps_request, chain);
    struct avps_blk_request *req = AVPS_CONTAINER_OF(base, struct avps_blk_request, base);

    if (queue != 0U && !avps_device_has(dev, VIRTIO_BLK_F_MQ)) {
        return AVPS_E_GUEST_PROTOCOL;
    }
    if (avps_chain_reserve_tail(chain, 1) != AVPS_OK) {
        return AVPS_E_GUEST_SIZE; /* nowhere to put the status */
    }
    blk_begin(req);
    uint8_t result = blk_plan(blk, req);

    if (result == VIRTIO_BLK_S_OK && !blk_run(blk, req, &result)) {
        return AVPS_PENDING;
    }
    const enum avps_status status = blk_finish(blk, req, result);
    if (status != AVPS_OK) {
        avps_device_abandon(dev, base, status);
        return AVPS_PENDING;
    }
    return AVPS_OK;
}

/* ---- answers of the back end ---- */

static void blk_late(struct avps_blk *blk, uint16_t queue)
{
    blk->lanes[queue].counters.late++;
    blk->base.queues[queue].counters.late++;
    avps_device_event(&blk->base, AVPS_EVENT_LATE_COMPLETION, queue, 0);
}

/* The request is to be given up: no more operations, no more guest memory. */
static bool blk_is_cancelled(const struct avps_device *dev, uint16_t queue)
{
    return dev->resetting || dev->queues[queue].regs.resetting;
}

static void blk_answered(struct avps_blk *blk, struct avps_blk_request *req,
                         enum avps_status status)
{
    struct avps_device *dev = &blk->base;

    req->state = BLK_IDLE;
    if (!blk_is_cancelled(dev, req->base.queue)) {
        uint8_t result = blk_io_result(req, status);

        if (result == VIRTIO_BLK_S_OK && !blk_run(blk, req, &result)) {
            return;
        }
        const enum avps_status sent = blk_finish(blk, req, result);
        if (sent != AVPS_OK) {
            avps_device_abandon(dev, &req->base, sent);
            return;
        }
    }
    avps_device_complete(dev, &req->base);
}

/* I17: slot and generation must name an operation that is outstanding now. */
void avps_blk_done(struct avps_blk *blk, uint64_t token, enum avps_status status)
{
    const uint64_t slot = token & UINT32_MAX;

    if (slot >= (uint64_t)blk->lane_slots * blk->base.model_queues) {
        blk_late(blk, 0);
        return;
    }
    struct avps_blk_request *req = &blk->requests[slot];

    if (req->base.busy && req->generation == token >> 32 && req->state == BLK_PENDING) {
        blk_answered(blk, req, status);
    } else if (req->generation == token >> 32 && req->state == BLK_SUBMITTING) {
        req->answer = status;
        req->state = BLK_ANSWERED;
    } else {
        blk_late(blk, (uint16_t)(slot / blk->lane_slots));
    }
}

/* ---- data of an operation ---- */

static bool blk_io_is_open(const struct avps_blk_io *io)
{
    const struct avps_blk_request *req = io->request;

    return req->base.busy && (req->state == BLK_SUBMITTING || req->state == BLK_PENDING);
}

enum avps_status avps_blk_io_segments(const struct avps_blk_io *io, struct avps_seg *segs,
                                      uint32_t max, uint32_t *count)
{
    struct avps_blk_request *req = io->request;

    *count = 0;
    if (!blk_io_is_open(io)) {
        return AVPS_E_STATE;
    }
    const enum avps_status status = avps_chain_segments(&req->base.chain, io->op == AVPS_BLK_READ,
                                                        segs, max, req->io_left, count);

    req->zero_copy = status == AVPS_OK;
    return status;
}

enum avps_status avps_blk_io_read(const struct avps_blk_io *io, void *dst, uint32_t len)
{
    struct avps_blk_request *req = io->request;

    if (io->op != AVPS_BLK_WRITE || !blk_io_is_open(io)) {
        return AVPS_E_STATE;
    }
    if (len > req->io_left) {
        return AVPS_E_PARAM;
    }
    const enum avps_status status = avps_chain_read(&req->base.chain, dst, len);

    if (status == AVPS_OK) {
        req->io_left -= len;
    }
    return status;
}

enum avps_status avps_blk_io_write(const struct avps_blk_io *io, const void *src, uint32_t len)
{
    struct avps_blk_request *req = io->request;

    if (io->op != AVPS_BLK_READ || !blk_io_is_open(io)) {
        return AVPS_E_STATE;
    }
    if (len > req->io_left) {
        return AVPS_E_PARAM;
    }
    const enum avps_status status = avps_chain_write(&req->base.chain, src, len);

    if (status == AVPS_OK) {
        req->io_left -= len;
    }
    return status;
}
