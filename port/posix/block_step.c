/* SPDX-License-Identifier: BSD-3-Clause */
/* Disk operations as steps: transfers -> zeroes -> discard and flush -> first step -> next step. No
 * system call is made here. */
#include <errno.h>
#include <fcntl.h>

#include "block_internal.h"
#include "posix_error.h"

/* ---- transfers ---- */

static uint64_t step_bytes(const struct avps_blk_io *io)
{
    return (uint64_t)io->count * AVPS_BLK_SECTOR;
}

static bool step_is_aligned(const struct avps_posix_block *block, const struct block_slot *slot)
{
    return ((slot->offset | slot->left) & (block->align - 1U)) == 0U;
}

/* What direct access cannot do goes through the page cache: smaller than its unit, so that no direct
 * access can be about the same unit at the same time. */
static void step_choose_fd(const struct avps_posix_block *block, struct block_slot *slot)
{
    slot->fd = block->direct_fd >= 0 && step_is_aligned(block, slot) ? block->direct_fd : block->fd;
}

static void step_transfer(const struct avps_posix_block *block, struct block_slot *slot)
{
    const bool is_write = slot->io->op == AVPS_BLK_WRITE;

    slot->call = is_write ? BLOCK_WRITEV : BLOCK_READV;
    slot->flags = is_write && slot->io->fua ? RWF_DSYNC : 0;
    step_choose_fd(block, slot);
}

/* `bytes` of what is left were moved. */
static void step_advance(struct block_slot *slot, uint64_t bytes)
{
    slot->offset += bytes;
    slot->left -= bytes;
    while (bytes != 0U) {
        struct iovec *iov = &slot->iov[slot->iov_first];
        const size_t moved = bytes < iov->iov_len ? (size_t)bytes : iov->iov_len;

        iov->iov_base = (uint8_t *)iov->iov_base + moved;
        iov->iov_len -= moved;
        bytes -= moved;
        slot->iov_first += iov->iov_len == 0U ? 1U : 0U;
    }
}

/* A file that ends early, or a medium that takes nothing, is an error. */
static bool step_transferred(struct block_slot *slot, uint64_t bytes, enum avps_status *status)
{
    if (bytes > slot->left || (bytes == 0U && slot->left != 0U)) {
        *status = AVPS_E_IO;
        return true;
    }
    step_advance(slot, bytes);
    *status = AVPS_OK;
    return slot->left == 0U;
}

/* ---- zeroes ---- */

/* The kernel zeroes a range, and may give its space back only if the guest allows it. */
static void step_zero_range(const struct avps_posix_block *block, struct block_slot *slot)
{
    slot->call = BLOCK_FALLOCATE;
    slot->fd = block->fd;
    slot->flags =
        FALLOC_FL_KEEP_SIZE | (slot->io->unmap ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE);
    slot->must_sync = slot->io->fua;
}

/* It cannot: zeroes are written. */
static void step_zero_writes(const struct avps_posix_block *block, struct block_slot *slot)
{
    uint64_t bytes = slot->left;

    slot->call = BLOCK_WRITEV;
    slot->flags = 0;
    slot->iov_first = 0;
    slot->iov_count = 0;
    while (bytes != 0U && slot->iov_count < BLOCK_ZERO_IOVS && slot->iov_count < AVPS_BLK_SEGS) {
        const size_t piece = bytes < BLOCK_BUFFER ? (size_t)bytes : BLOCK_BUFFER;

        slot->iov[slot->iov_count++] = (struct iovec){block->zeroes, piece};
        bytes -= piece;
    }
    step_choose_fd(block, slot);
}

static bool step_zeroed(const struct avps_posix_block *block, struct block_slot *slot,
                        int64_t result, enum avps_status *status)
{
    if (slot->call == BLOCK_FALLOCATE && result >= 0) {
        *status = AVPS_OK;
        return true;
    }
    if (slot->call == BLOCK_WRITEV && step_transferred(slot, (uint64_t)result, status)) {
        return true;
    }
    step_zero_writes(block, slot);
    return false;
}

/* ---- discard and flush ---- */

static void step_discard(const struct avps_posix_block *block, struct block_slot *slot)
{
    slot->call = block->device ? BLOCK_DISCARD_DEVICE : BLOCK_FALLOCATE;
    slot->fd = block->fd;
    slot->flags = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE;
}

static void step_sync(const struct avps_posix_block *block, struct block_slot *slot)
{
    slot->call = BLOCK_FDATASYNC;
    slot->fd = block->fd;
    slot->must_sync = false;
}

/* ---- first step ---- */

bool block_first(const struct avps_posix_block *block, struct block_slot *slot)
{
    slot->offset = slot->io->sector * AVPS_BLK_SECTOR;
    slot->left = step_bytes(slot->io);
    slot->must_sync = false;
    slot->tries = 0;
    slot->error = 0;
    switch (slot->io->op) {
    case AVPS_BLK_READ:
    case AVPS_BLK_WRITE:
        step_transfer(block, slot);
        return true;
    case AVPS_BLK_FLUSH:
        step_sync(block, slot);
        return true;
    case AVPS_BLK_DISCARD:
        step_discard(block, slot);
        return true;
    case AVPS_BLK_WRITE_ZEROES:
        step_zero_range(block, slot);
        return true;
    case AVPS_BLK_SECURE_ERASE: /* copies of the host's are out of reach */
    default:
        return false;
    }
}

/* ---- next step ---- */

static bool step_is_interrupted(struct block_slot *slot, int64_t result)
{
    return (result == -EINTR || result == -EAGAIN) && slot->tries++ < BLOCK_RETRIES;
}

/* A step that failed. @return whether the operation failed with it. */
static bool step_failed(const struct avps_posix_block *block, struct block_slot *slot,
                        int64_t result, enum avps_status *status)
{
    const bool cannot = result == -EOPNOTSUPP || result == -EINVAL || result == -ENODEV;

    slot->error = (int)-result;
    *status = posix_status(slot->error);
    if (slot->call == BLOCK_WRITEV && slot->flags != 0 && result == -EOPNOTSUPP) {
        slot->flags = 0; /* this kernel does not write through: it syncs behind */
        slot->must_sync = true;
        return false;
    }
    if (slot->io->op == AVPS_BLK_WRITE_ZEROES && slot->call == BLOCK_FALLOCATE && cannot) {
        step_zero_writes(block, slot);
        return false;
    }
    if (slot->io->op == AVPS_BLK_DISCARD && cannot) {
        *status = AVPS_OK; /* a hint that this medium has no use for */
    }
    return true;
}

static bool step_succeeded(const struct avps_posix_block *block, struct block_slot *slot,
                           int64_t result, enum avps_status *status)
{
    *status = AVPS_OK;
    if (slot->call == BLOCK_FDATASYNC) {
        return true;
    }
    switch (slot->io->op) {
    case AVPS_BLK_READ:
    case AVPS_BLK_WRITE:
        return step_transferred(slot, (uint64_t)result, status);
    case AVPS_BLK_WRITE_ZEROES:
        return step_zeroed(block, slot, result, status);
    case AVPS_BLK_FLUSH:
    case AVPS_BLK_DISCARD:
    case AVPS_BLK_SECURE_ERASE:
    default:
        return true;
    }
}

bool block_next(const struct avps_posix_block *block, struct block_slot *slot, int64_t result,
                enum avps_status *status)
{
    if (step_is_interrupted(slot, result)) {
        return false;
    }
    slot->tries = 0;
    const bool is_over = result < 0 ? step_failed(block, slot, result, status)
                                    : step_succeeded(block, slot, result, status);
    if (is_over && *status == AVPS_OK && slot->must_sync) {
        step_sync(block, slot);
        return false;
    }
    return is_over;
}
