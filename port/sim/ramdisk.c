/* SPDX-License-Identifier: BSD-3-Clause */
/* RAM disk: moving data -> faults -> one operation -> waiting operations -> cancel and power cut ->
 * ops, init. Data moves when an operation is answered, so a cancelled one leaves no trace. */
#include "avps_sim/ramdisk.h"

#include <string.h>

#define RAMDISK_NEVER UINT64_MAX

/* ---- moving data ---- */

static uint64_t ramdisk_bytes(const struct avps_blk_io *io)
{
    return (uint64_t)io->count * AVPS_BLK_SECTOR;
}

/* Piece by piece between the guest's segments and `at`. */
static void ramdisk_move_segments(const struct avps_sim_ramdisk *disk, uint32_t count, uint8_t *at,
                                  bool to_guest)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct avps_seg *seg = &disk->segs[i];

        if (to_guest) {
            (void)memcpy(seg->ptr, at, seg->len);
        } else {
            (void)memcpy(at, seg->ptr, seg->len);
        }
        at += seg->len;
    }
}

static enum avps_status ramdisk_move(struct avps_sim_ramdisk *disk, const struct avps_blk_io *io,
                                     uint8_t *at)
{
    const bool to_guest = io->op == AVPS_BLK_READ;
    const uint32_t len = (uint32_t)ramdisk_bytes(io); /* of one request: below 2^32 */
    uint32_t count = 0;

    if (!disk->config.copy_only &&
        avps_blk_io_segments(io, disk->segs, AVPS_BLK_SEGS, &count) == AVPS_OK) {
        ramdisk_move_segments(disk, count, at, to_guest);
        disk->counters.zero_copies++;
        return AVPS_OK;
    }
    return to_guest ? avps_blk_io_write(io, at, len) : avps_blk_io_read(io, at, len);
}

/* Make bytes survive a power cut. */
static void ramdisk_commit(struct avps_sim_ramdisk *disk, uint64_t off, uint64_t len)
{
    if (disk->config.durable != NULL) {
        (void)memcpy(disk->config.durable + off, disk->config.data + off, (size_t)len);
    }
}

/* ---- faults ---- */

static bool ramdisk_fault_hits(const struct avps_sim_fault *fault, const struct avps_blk_io *io)
{
    if ((fault->ops & AVPS_SIM_OP(io->op)) == 0U) {
        return false;
    }
    return fault->count == 0U || io->op == AVPS_BLK_FLUSH ||
           (io->sector < fault->sector + fault->count && fault->sector < io->sector + io->count);
}

/* Whether this operation is to fail; uses the fault up. */
static bool ramdisk_fails(struct avps_sim_ramdisk *disk, const struct avps_blk_io *io)
{
    struct avps_sim_fault *fault = &disk->fault;

    if (!ramdisk_fault_hits(fault, io)) {
        return false;
    }
    if (fault->skip != 0U) {
        fault->skip--;
        return false;
    }
    if (fault->times != 0U) {
        fault->times--;
        if (fault->times == 0U) {
            fault->ops = 0;
        }
    }
    disk->counters.failed++;
    return true;
}

/* ---- one operation ---- */

/* An erase must leave no copy behind. */
static void ramdisk_erase(struct avps_sim_ramdisk *disk, uint64_t off, uint64_t len)
{
    (void)memset(disk->config.data + off, 0, (size_t)len);
    ramdisk_commit(disk, off, len);
}

static enum avps_status ramdisk_serve(struct avps_sim_ramdisk *disk, const struct avps_blk_io *io)
{
    const uint64_t off = io->sector * AVPS_BLK_SECTOR;
    const uint64_t len = ramdisk_bytes(io);
    enum avps_status status = AVPS_OK;

    if (ramdisk_fails(disk, io)) {
        return disk->fault.status;
    }
    if (io->sector > disk->config.size / AVPS_BLK_SECTOR || len > disk->config.size - off) {
        return AVPS_E_IO; /* the device is larger than the disk */
    }
    switch (io->op) {
    case AVPS_BLK_READ:
    case AVPS_BLK_WRITE:
        status = ramdisk_move(disk, io, disk->config.data + off);
        break;
    case AVPS_BLK_FLUSH:
        ramdisk_commit(disk, 0, disk->config.size);
        break;
    case AVPS_BLK_WRITE_ZEROES:
        (void)memset(disk->config.data + off, 0, (size_t)len);
        break;
    case AVPS_BLK_SECURE_ERASE:
        ramdisk_erase(disk, off, len);
        break;
    case AVPS_BLK_DISCARD: /* nothing to give back */
    default:
        break;
    }
    if (status == AVPS_OK && io->fua) {
        ramdisk_commit(disk, off, len);
    }
    return status;
}

/* ---- waiting operations ---- */

static uint64_t ramdisk_now(const struct avps_sim_ramdisk *disk)
{
    return disk->config.now_ns != NULL ? disk->config.now_ns(disk->config.now_ctx) : 0U;
}

static enum avps_status ramdisk_queue(struct avps_sim_ramdisk *disk, const struct avps_blk_io *io)
{
    for (uint32_t i = 0; i < disk->config.pending_count; i++) {
        struct avps_sim_pending *pending = &disk->config.pending[i];

        if (pending->io == NULL) {
            pending->io = io;
            pending->token = io->token;
            pending->serial = disk->serial;
            pending->due_ns =
                disk->config.now_ns != NULL ? ramdisk_now(disk) + disk->config.latency_ns : 0U;
            disk->waiting++;
            return AVPS_PENDING;
        }
    }
    return AVPS_E_NOSPACE;
}

static enum avps_status ramdisk_submit(void *ctx, const struct avps_blk_io *io)
{
    struct avps_sim_ramdisk *disk = ctx;

    disk->serial++;
    disk->counters.ops[io->op]++;
    disk->counters.fua += io->fua ? 1U : 0U;
    return disk->config.pending != NULL ? ramdisk_queue(disk, io) : ramdisk_serve(disk, io);
}

/* The one to be answered next among those due and not newer than `last`; NULL: none. */
static struct avps_sim_pending *ramdisk_next(const struct avps_sim_ramdisk *disk, uint64_t now,
                                             uint64_t last)
{
    struct avps_sim_pending *found = NULL;

    for (uint32_t i = 0; i < disk->config.pending_count; i++) {
        struct avps_sim_pending *pending = &disk->config.pending[i];

        if (pending->io == NULL || pending->due_ns > now || pending->serial > last) {
            continue;
        }
        if (found == NULL ||
            (pending->serial < found->serial) == (disk->config.order == AVPS_SIM_OLDEST_FIRST)) {
            found = pending;
        }
    }
    return found;
}

/* What an answer starts anew waits for the next poll. */
uint32_t avps_sim_ramdisk_poll(struct avps_sim_ramdisk *disk)
{
    const uint64_t now = ramdisk_now(disk);
    const uint64_t last = disk->serial;
    uint32_t answered = 0;

    for (;;) {
        struct avps_sim_pending *pending = ramdisk_next(disk, now, last);

        if (pending == NULL) {
            return answered;
        }
        const struct avps_blk_io *io = pending->io;
        const uint64_t token = pending->token;
        const enum avps_status status = ramdisk_serve(disk, io);

        pending->io = NULL;
        disk->waiting--;
        answered++;
        avps_blk_done(disk->blk, token, status);
    }
}

uint64_t avps_sim_ramdisk_due_ns(const struct avps_sim_ramdisk *disk)
{
    uint64_t due = RAMDISK_NEVER;

    for (uint32_t i = 0; i < disk->config.pending_count; i++) {
        const struct avps_sim_pending *pending = &disk->config.pending[i];

        if (pending->io != NULL && pending->due_ns < due) {
            due = pending->due_ns;
        }
    }
    return due;
}

/* ---- cancel and power cut ---- */

static void ramdisk_forget(struct avps_sim_ramdisk *disk, uint32_t queue)
{
    for (uint32_t i = 0; i < disk->config.pending_count; i++) {
        struct avps_sim_pending *pending = &disk->config.pending[i];

        if (pending->io != NULL && (queue == AVPS_BLK_ALL_QUEUES || pending->io->queue == queue)) {
            pending->io = NULL;
            disk->waiting--;
            disk->counters.cancelled++;
        }
    }
}

static enum avps_status ramdisk_cancel(void *ctx, uint32_t queue)
{
    struct avps_sim_ramdisk *disk = ctx;

    if (disk->config.cancel == AVPS_SIM_CANCEL_LATER && disk->waiting != 0U) {
        return AVPS_PENDING;
    }
    ramdisk_forget(disk, queue);
    return AVPS_OK;
}

void avps_sim_ramdisk_power_cut(struct avps_sim_ramdisk *disk)
{
    ramdisk_forget(disk, AVPS_BLK_ALL_QUEUES);
    if (disk->config.durable != NULL) {
        (void)memcpy(disk->config.data, disk->config.durable, (size_t)disk->config.size);
    }
}

/* ---- ops, init ---- */

static enum avps_status ramdisk_lifetime(void *ctx, struct avps_blk_lifetime *lifetime)
{
    const struct avps_sim_ramdisk *disk = ctx;

    *lifetime = disk->config.lifetime;
    return AVPS_OK;
}

static const struct avps_blk_ops ramdisk_ops = {
    .submit = ramdisk_submit,
    .cancel = ramdisk_cancel,
    .lifetime = ramdisk_lifetime,
};

const struct avps_blk_ops *avps_sim_ramdisk_ops(void)
{
    return &ramdisk_ops;
}

void avps_sim_ramdisk_attach(struct avps_sim_ramdisk *disk, struct avps_blk *blk)
{
    disk->blk = blk;
}

void avps_sim_ramdisk_fault(struct avps_sim_ramdisk *disk, const struct avps_sim_fault *fault)
{
    disk->fault = *fault;
}

void avps_sim_ramdisk_set_latency(struct avps_sim_ramdisk *disk, uint64_t latency_ns)
{
    disk->config.latency_ns = latency_ns;
}

const struct avps_sim_ramdisk_counters *
avps_sim_ramdisk_counters(const struct avps_sim_ramdisk *disk)
{
    return &disk->counters;
}

enum avps_status avps_sim_ramdisk_init(struct avps_sim_ramdisk *disk,
                                       const struct avps_sim_ramdisk_config *config)
{
    if (disk == NULL || config == NULL || config->data == NULL || config->size == 0U ||
        config->size % AVPS_BLK_SECTOR != 0U ||
        (config->pending != NULL) != (config->pending_count != 0U)) {
        return AVPS_E_PARAM;
    }
    (void)memset(disk, 0, sizeof *disk);
    disk->config = *config;
    if (config->pending != NULL) {
        (void)memset(config->pending, 0, config->pending_count * sizeof *config->pending);
    }
    ramdisk_commit(disk, 0, config->size);
    return AVPS_OK;
}
