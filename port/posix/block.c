/* SPDX-License-Identifier: BSD-3-Clause */
/* Disk: carrying a step out -> copying -> one operation -> ops -> opening (file, lock, size, direct
 * access) -> closing -> what is asked of it. */
#include "avps_posix/block.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "block_internal.h"
#include "posix_error.h"
#include "posix_internal.h"

/* ---- carrying a step out ---- */

static ssize_t perform_transfer(const struct block_slot *slot)
{
    const uint32_t left = slot->iov_count - slot->iov_first;
    const int count = (int)(left < BLOCK_IOV_MAX ? left : BLOCK_IOV_MAX);
    const struct iovec *iov = slot->iov + slot->iov_first;
    const off_t offset = (off_t)slot->offset;

    return slot->call == BLOCK_READV ? preadv2(slot->fd, iov, count, offset, slot->flags)
                                     : pwritev2(slot->fd, iov, count, offset, slot->flags);
}

static int perform_discard_device(const struct block_slot *slot)
{
    const uint64_t range[2] = {slot->offset, slot->left};

    return ioctl(slot->fd, BLKDISCARD, range);
}

int64_t block_perform(struct avps_posix_block *block, const struct block_slot *slot)
{
    int64_t result = 0;

    block->counters.calls++;
    switch (slot->call) {
    case BLOCK_READV:
    case BLOCK_WRITEV:
        result = perform_transfer(slot);
        break;
    case BLOCK_FALLOCATE:
        result = fallocate(slot->fd, slot->flags, (off_t)slot->offset, (off_t)slot->left);
        break;
    case BLOCK_DISCARD_DEVICE:
        result = perform_discard_device(slot);
        break;
    case BLOCK_FDATASYNC:
    default:
        result = fdatasync(slot->fd);
        break;
    }
    return result < 0 ? -(int64_t)errno : result;
}

static enum avps_status block_run(struct avps_posix_block *block, struct block_slot *slot)
{
    enum avps_status status = AVPS_OK;

    while (!block_next(block, slot, block_perform(block, slot), &status)) {
    }
    return status;
}

/* ---- copying ---- */

/* One buffer full. The device counts what was copied, so a piece is asked for once. */
static enum avps_status copy_piece(struct avps_posix_block *block, struct block_slot *slot,
                                   uint64_t offset, uint32_t bytes)
{
    const bool is_write = slot->io->op == AVPS_BLK_WRITE;
    enum avps_status status = AVPS_OK;

    if (is_write) {
        status = avps_blk_io_read(slot->io, block->bounce, bytes);
    }
    slot->offset = offset;
    slot->left = bytes;
    slot->iov[0] = (struct iovec){block->bounce, bytes};
    slot->iov_first = 0;
    slot->iov_count = 1;
    if (status == AVPS_OK) {
        status = block_run(block, slot);
    }
    if (status == AVPS_OK && !is_write) {
        status = avps_blk_io_write(slot->io, block->bounce, bytes);
    }
    return status;
}

static enum avps_status block_copy(struct avps_posix_block *block, struct block_slot *slot)
{
    const uint64_t end = slot->offset + slot->left;
    uint64_t offset = slot->offset;
    enum avps_status status = AVPS_OK;

    block->counters.copies++;
    while (status == AVPS_OK && offset < end) {
        const uint64_t left = end - offset;
        const uint32_t bytes = left < BLOCK_BUFFER ? (uint32_t)left : BLOCK_BUFFER;

        status = copy_piece(block, slot, offset, bytes);
        offset += bytes;
    }
    return status;
}

/* ---- one operation ---- */

static bool is_transfer(const struct avps_blk_io *io)
{
    return io->op == AVPS_BLK_READ || io->op == AVPS_BLK_WRITE;
}

/* Give the slot the guest's memory. @return whether the step can work on it. */
static bool slot_map(struct avps_posix_block *block, struct block_slot *slot)
{
    uintptr_t bits = 0;
    uint32_t count = 0;

    if (avps_blk_io_segments(slot->io, block->segs, AVPS_BLK_SEGS, &count) != AVPS_OK) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        slot->iov[i] = (struct iovec){block->segs[i].ptr, block->segs[i].len};
        bits |= (uintptr_t)block->segs[i].ptr | block->segs[i].len;
    }
    slot->iov_first = 0;
    slot->iov_count = count;
    return slot->fd != block->direct_fd || (bits & (block->memory - 1U)) == 0U;
}

void block_finished(struct avps_posix_block *block, struct block_slot *slot,
                    enum avps_status status)
{
    if (status != AVPS_OK) {
        block->counters.failed++;
        block->counters.last_error = slot->error;
    }
    block->outstanding--;
    slot->io = NULL;
    slot->next_free = block->free;
    block->free = slot;
}

static struct block_slot *slot_take(struct avps_posix_block *block, const struct avps_blk_io *io)
{
    struct block_slot *slot = block->free;

    if (slot != NULL) {
        block->free = slot->next_free;
        block->outstanding++;
        slot->io = io;
        slot->error = 0;
        slot->token = io->token;
    }
    return slot;
}

static bool is_outside(const struct avps_posix_block *block, const struct avps_blk_io *io)
{
    return io->op != AVPS_BLK_FLUSH &&
           (io->sector > block->sectors || io->count > block->sectors - io->sector);
}

/* @return AVPS_PENDING, or the answer. */
static enum avps_status block_start(struct avps_posix_block *block, struct block_slot *slot)
{
    if (is_outside(block, slot->io)) {
        return AVPS_E_IO; /* the disk became smaller than the device says */
    }
    if (!block_first(block, slot)) {
        return AVPS_E_UNSUPPORTED;
    }
    block->counters.buffered +=
        block->direct_fd >= 0 && is_transfer(slot->io) && slot->fd != block->direct_fd ? 1U : 0U;
    if (is_transfer(slot->io) && !slot_map(block, slot)) {
        return block_copy(block, slot);
    }
    if (block->uring == NULL || slot->call == BLOCK_DISCARD_DEVICE) {
        return block_run(block, slot);
    }
    block_uring_start(block, slot);
    return AVPS_PENDING;
}

/* ---- ops ---- */

/* All queues have one lane, or each its own. */
static struct avps_posix_block *block_lane(const struct avps_posix_block *block, uint32_t queue)
{
    return block->lanes[queue < block->lane_count ? queue : 0U];
}

static enum avps_status block_submit(void *ctx, const struct avps_blk_io *io)
{
    struct avps_posix_block *block = block_lane(ctx, io->queue);
    struct block_slot *slot = slot_take(block, io);

    if (slot == NULL) {
        return AVPS_E_NOSPACE;
    }
    block->counters.operations++;
    const enum avps_status status = block_start(block, slot);
    if (status != AVPS_PENDING) {
        block_finished(block, slot, status);
    }
    return status;
}

/* What the kernel has is not taken back: it is on its way to the medium. */
static enum avps_status block_cancel(void *ctx, uint32_t queue)
{
    const struct avps_posix_block *block = ctx;
    uint32_t outstanding = 0;

    (void)queue;
    for (uint16_t i = 0; i < block->lane_count; i++) {
        outstanding += block->lanes[i]->outstanding;
    }
    return outstanding != 0U ? AVPS_PENDING : AVPS_OK;
}

static const struct avps_blk_ops block_ops = {.submit = block_submit, .cancel = block_cancel};

/* ---- opening ---- */

/* The same open file, and with it the lock. */
static enum avps_status open_beside(struct avps_posix_block *block,
                                    const struct avps_posix_block *beside,
                                    struct avps_posix_error *error)
{
    block->device = beside->device;
    block->fd = fcntl(beside->fd, F_DUPFD_CLOEXEC, 0);
    return block->fd >= 0 ? AVPS_OK
                          : posix_fail_errno(error, AVPS_E_IO, "cannot open again", "the disk");
}

static enum avps_status open_file(struct avps_posix_block *block,
                                  const struct avps_posix_block_config *config,
                                  struct avps_posix_error *error)
{
    const int access = config->read_only ? O_RDONLY : O_RDWR;
    struct stat about;

    if (stat(config->path, &about) == 0) {
        block->device = S_ISBLK(about.st_mode);
        if (!block->device && !S_ISREG(about.st_mode)) {
            return posix_fail(error, AVPS_E_PARAM, "%s is neither a file nor a block device",
                              config->path);
        }
    }
    /* an exclusive open of a block device fails while it is mounted */
    block->fd =
        open(config->path, access | O_CLOEXEC | (block->device && !config->read_only ? O_EXCL : 0));
    if (block->fd >= 0) {
        return AVPS_OK;
    }
    if (errno == EBUSY) {
        return posix_fail(error, AVPS_E_STATE, "%s is mounted or in use: unmount it first",
                          config->path);
    }
    if (errno == ENOENT) {
        return posix_fail(error, AVPS_E_IO,
                          "%s does not exist: create it, for example with truncate -s 1G %s",
                          config->path, config->path);
    }
    return posix_fail_errno(error, AVPS_E_IO, "cannot open", config->path);
}

/* A lock of the open file, so that it ends with it and also holds within one process. */
static enum avps_status open_lock(const struct avps_posix_block *block,
                                  const struct avps_posix_block_config *config,
                                  struct avps_posix_error *error)
{
    struct flock lock = {.l_type = config->read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};

    if (fcntl(block->fd, F_OFD_SETLK, &lock) == 0) {
        return AVPS_OK;
    }
    if (errno == EAGAIN || errno == EACCES) {
        return posix_fail(
            error, AVPS_E_STATE,
            "%s is in use by another program: stop that, or open it read-only in both",
            config->path);
    }
    return posix_fail_errno(error, AVPS_E_IO, "cannot lock", config->path);
}

static enum avps_status open_bytes(const struct avps_posix_block *block, uint64_t *bytes)
{
    struct stat about;

    if (block->device) {
        return ioctl(block->fd, BLKGETSIZE64, bytes) == 0 ? AVPS_OK : AVPS_E_IO;
    }
    if (fstat(block->fd, &about) != 0) {
        return AVPS_E_IO;
    }
    *bytes = (uint64_t)about.st_size;
    return AVPS_OK;
}

static enum avps_status open_size(struct avps_posix_block *block, const char *path,
                                  struct avps_posix_error *error)
{
    uint64_t bytes = 0;
    int sector_size = 0;

    if (open_bytes(block, &bytes) != AVPS_OK) {
        return posix_fail_errno(error, AVPS_E_IO, "cannot tell the size of", path);
    }
    if (bytes == 0U) {
        return posix_fail(error, AVPS_E_PARAM,
                          "%s is empty: give it a size, with truncate -s 1G %s", path, path);
    }
    if (bytes % AVPS_BLK_SECTOR != 0U) {
        return posix_fail(error, AVPS_E_PARAM,
                          "%s has %llu bytes, which are no whole sectors: extend it with "
                          "truncate -s %%512 %s",
                          path, (unsigned long long)bytes, path);
    }
    block->sectors = bytes / AVPS_BLK_SECTOR;
    block->block_size = AVPS_BLK_SECTOR;
    if (block->device && ioctl(block->fd, BLKSSZGET, &sector_size) == 0 &&
        sector_size > (int)AVPS_BLK_SECTOR) {
        block->block_size = (uint32_t)sector_size;
    }
    return AVPS_OK;
}

static bool is_alignment(uint32_t value)
{
    return value != 0U && value <= BLOCK_ALIGN_MAX && (value & (value - 1U)) == 0U;
}

/* What the kernel says about direct access; where it does not know, a page is safe. */
static void open_alignment(struct avps_posix_block *block)
{
    struct statx about = {0};

    block->align = BLOCK_ALIGN_MAX;
    block->memory = BLOCK_ALIGN_MAX;
#ifdef STATX_DIOALIGN
    if (statx(block->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &about) == 0 &&
        (about.stx_mask & STATX_DIOALIGN) != 0U && is_alignment(about.stx_dio_offset_align) &&
        is_alignment(about.stx_dio_mem_align)) {
        block->align = about.stx_dio_offset_align;
        block->memory = about.stx_dio_mem_align;
    }
#else
    (void)about;
    if (block->device && is_alignment(block->block_size)) {
        block->align = block->block_size;
        block->memory = block->block_size;
    }
#endif
}

static enum avps_status open_direct(struct avps_posix_block *block,
                                    const struct avps_posix_block_config *config,
                                    struct avps_posix_error *error)
{
    if (!config->direct) {
        return AVPS_OK;
    }
    block->direct_fd =
        open(config->path, (config->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_DIRECT);
    if (block->direct_fd < 0) {
        return posix_fail(error, AVPS_E_UNSUPPORTED,
                          "the file system of %s has no direct access: leave that option out",
                          config->path);
    }
    open_alignment(block);
    return AVPS_OK;
}

/* A file system in memory has no medium to wait for: io_uring would only hand each operation to a
 * thread. */
static bool is_in_memory(int fd)
{
    struct statfs about;

    if (fstatfs(fd, &about) != 0) {
        return false;
    }
    const uint32_t type = (uint32_t)about.f_type; /* signed or not, as the processor has it */
    return type == TMPFS_MAGIC || type == RAMFS_MAGIC;
}

static enum avps_status open_engine(struct avps_posix_block *block,
                                    const struct avps_posix_block_config *config,
                                    struct avps_posix_error *error)
{
    enum avps_status status = AVPS_OK;

    if (config->engine == AVPS_POSIX_BLOCK_SYNC ||
        (config->engine == AVPS_POSIX_BLOCK_AUTO && is_in_memory(block->fd))) {
        return AVPS_OK;
    }
    status = block_uring_open(block, config->loop, config->depth);
    if (status == AVPS_OK || config->engine == AVPS_POSIX_BLOCK_AUTO) {
        return AVPS_OK;
    }
    return posix_fail(error, AVPS_E_UNSUPPORTED,
                      "io_uring is not available here: use synchronous access");
}

static enum avps_status open_storage(struct avps_posix_block *block, uint32_t depth,
                                     struct avps_posix_error *error)
{
    block->slots = calloc(depth, sizeof *block->slots);
    block->bounce = aligned_alloc(BLOCK_ALIGN_MAX, BLOCK_BUFFER);
    block->zeroes = aligned_alloc(BLOCK_ALIGN_MAX, BLOCK_BUFFER);
    if (block->slots == NULL || block->bounce == NULL || block->zeroes == NULL) {
        return posix_fail(error, AVPS_E_NOSPACE, "not enough memory for a disk");
    }
    (void)memset(block->zeroes, 0, BLOCK_BUFFER);
    for (uint32_t i = 0; i < depth; i++) {
        block->slots[i].next_free = block->free;
        block->free = &block->slots[i];
    }
    return AVPS_OK;
}

static enum avps_status open_all(struct avps_posix_block *block,
                                 const struct avps_posix_block_config *config,
                                 struct avps_posix_error *error)
{
    enum avps_status status = open_storage(block, config->depth, error);

    if (status == AVPS_OK) {
        status = config->beside != NULL ? open_beside(block, config->beside, error)
                                        : open_file(block, config, error);
    }
    status = status == AVPS_OK ? open_lock(block, config, error) : status;
    status = status == AVPS_OK ? open_size(block, config->path, error) : status;
    status = status == AVPS_OK ? open_direct(block, config, error) : status;
    return status == AVPS_OK ? open_engine(block, config, error) : status;
}

static void block_free(struct avps_posix_block *block)
{
    posix_close(&block->direct_fd);
    posix_close(&block->fd);
    free(block->slots);
    free(block->bounce);
    free(block->zeroes);
    free(block);
}

/* The first lane knows them all. */
static void block_join(struct avps_posix_block *block, struct avps_posix_block *beside)
{
    struct avps_posix_block *first = beside != NULL ? beside : block;

    first->lanes[first->lane_count++] = block;
}

enum avps_status avps_posix_block_open(struct avps_posix_block **block,
                                       const struct avps_posix_block_config *config,
                                       struct avps_posix_error *error)
{
    if (config->path == NULL || config->depth == 0U || config->depth > 4096U ||
        (config->loop == NULL && config->engine != AVPS_POSIX_BLOCK_SYNC) ||
        (config->beside != NULL && config->beside->lane_count == AVPS_BLK_QUEUES)) {
        return posix_fail(error, AVPS_E_PARAM, "a disk needs a path, a depth of 1..4096, a loop");
    }
    struct avps_posix_block *opened = calloc(1, sizeof *opened);
    if (opened == NULL) {
        return posix_fail(error, AVPS_E_NOSPACE, "not enough memory for a disk");
    }
    opened->fd = -1;
    opened->direct_fd = -1;
    opened->read_only = config->read_only;
    const enum avps_status status = open_all(opened, config, error);
    if (status != AVPS_OK) {
        block_free(opened);
        return status;
    }
    block_join(opened, config->beside);
    *block = opened;
    return AVPS_OK;
}

/* ---- closing ---- */

static enum avps_status lane_close(struct avps_posix_block *block)
{
    enum avps_status status = AVPS_OK;

    block_uring_close(block);
    if (!block->read_only && fdatasync(block->fd) != 0) {
        status = AVPS_E_IO;
    }
    block_free(block);
    return status;
}

/* The first lane last: it has the list. */
enum avps_status avps_posix_block_close(struct avps_posix_block *block)
{
    enum avps_status status = AVPS_OK;

    if (block == NULL) {
        return AVPS_OK;
    }
    for (uint16_t i = block->lane_count; i > 0U; i--) {
        if (lane_close(block->lanes[i - 1U]) != AVPS_OK) {
            status = AVPS_E_IO;
        }
    }
    return status;
}

/* ---- what is asked of it ---- */

void avps_posix_block_describe(struct avps_posix_block *block, struct avps_blk_config *config)
{
    config->ops = &block_ops;
    config->ctx = block;
    config->capacity = block->sectors;
    config->block_size = block->block_size;
    config->read_only = block->read_only;
    config->fua = true;
    if (!block->read_only) {
        config->discard = (struct avps_blk_limits){.max_sectors = 1U << 22U,
                                                   .alignment = 4096U / AVPS_BLK_SECTOR};
        config->zeroes = (struct avps_blk_limits){.max_sectors = BLOCK_ZERO_LIMIT};
        config->zeroes_may_unmap = true;
    }
}

void avps_posix_block_attach(struct avps_posix_block *block, struct avps_blk *blk)
{
    for (uint16_t i = 0; i < block->lane_count; i++) {
        block->lanes[i]->blk = blk;
    }
}

uint32_t avps_posix_block_poll(struct avps_posix_block *block)
{
    return block->uring != NULL ? block_uring_poll(block) : 0U;
}

enum avps_status avps_posix_block_resize(struct avps_posix_block *block, uint64_t *sectors)
{
    uint64_t bytes = 0;
    const enum avps_status status = open_bytes(block, &bytes);

    if (status == AVPS_OK) {
        *sectors = bytes / AVPS_BLK_SECTOR;
        for (uint16_t i = 0; i < block->lane_count; i++) {
            block->lanes[i]->sectors = *sectors;
        }
    }
    return status;
}

bool avps_posix_block_is_async(const struct avps_posix_block *block)
{
    return block->uring != NULL;
}

const struct avps_posix_block_counters *
avps_posix_block_counters(const struct avps_posix_block *block)
{
    return &block->counters;
}
