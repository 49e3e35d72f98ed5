/* SPDX-License-Identifier: BSD-3-Clause */
/* Disk operations through io_uring: preparing steps -> taking results -> handing over -> opening ->
 * closing. Steps gather during a round of the loop and are handed over in one call at its end. */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>

#include "block_internal.h"

struct block_uring {
    struct io_uring ring;
    struct avps_posix_block *block;
    struct avps_posix_source source; /* the ring is readable when there are results ... */
    struct avps_posix_poller look;   /* ... which can be seen in it, too */
    struct avps_posix_task submit;
};

/* ---- preparing ---- */

static void uring_prepare(struct io_uring_sqe *sqe, const struct block_slot *slot)
{
    const uint32_t left = slot->iov_count - slot->iov_first;
    const uint32_t count = left < BLOCK_IOV_MAX ? left : BLOCK_IOV_MAX;
    const struct iovec *iov = slot->iov + slot->iov_first;

    switch (slot->call) {
    case BLOCK_READV:
        io_uring_prep_readv2(sqe, slot->fd, iov, count, slot->offset, slot->flags);
        break;
    case BLOCK_WRITEV:
        io_uring_prep_writev2(sqe, slot->fd, iov, count, slot->offset, slot->flags);
        break;
    case BLOCK_FALLOCATE:
        io_uring_prep_fallocate(sqe, slot->fd, slot->flags, (off_t)slot->offset, (off_t)slot->left);
        break;
    case BLOCK_FDATASYNC:
    case BLOCK_DISCARD_DEVICE: /* is carried out at once */
    default:
        io_uring_prep_fsync(sqe, slot->fd, IORING_FSYNC_DATASYNC);
        break;
    }
}

/* There are as many entries as slots, and a slot is in one entry at most. */
void block_uring_start(struct avps_posix_block *block, struct block_slot *slot)
{
    struct block_uring *uring = block->uring;
    struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);

    uring_prepare(sqe, slot);
    io_uring_sqe_set_data(sqe, slot);
    block->counters.calls++;
    avps_posix_task_defer(&uring->submit);
}

/* ---- taking results ---- */

/* @return whether an operation was answered. */
static bool uring_take(struct avps_posix_block *block, struct block_slot *slot, int result)
{
    const uint64_t token = slot->token;
    enum avps_status status = AVPS_OK;

    if (!block_next(block, slot, result, &status)) {
        block_uring_start(block, slot);
        return false;
    }
    block_finished(block, slot, status);
    if (block->blk != NULL) {
        avps_blk_done(block->blk, token, status);
    }
    return true;
}

/* At most one ring full, however fast answers cause new operations. */
uint32_t block_uring_poll(struct avps_posix_block *block)
{
    struct io_uring *ring = &block->uring->ring;
    uint32_t left = io_uring_cq_ready(ring);
    struct io_uring_cqe *cqe = NULL;
    uint32_t answered = 0;

    for (; left != 0U && io_uring_peek_cqe(ring, &cqe) == 0; left--) {
        struct block_slot *slot = io_uring_cqe_get_data(cqe);
        const int result = cqe->res;

        io_uring_cqe_seen(ring, cqe);
        answered += uring_take(block, slot, result) ? 1U : 0U;
    }
    return answered;
}

/* ---- handing over ---- */

/* What the kernel could do without waiting, such as reading what it has in memory, is done when it
 * comes back. */
static void uring_submit(void *ctx)
{
    struct block_uring *uring = ctx;
    const int count = io_uring_submit(&uring->ring);

    uring->block->counters.submits++;
    if (count < 0) {
        avps_posix_task_defer(&uring->submit); /* the kernel is short of something: again */
    }
    (void)block_uring_poll(uring->block);
}

static void uring_look(void *ctx)
{
    (void)block_uring_poll(ctx);
}

static void uring_ready(void *ctx, uint32_t conditions)
{
    (void)conditions;
    uring_look(ctx);
}

/* ---- opening ---- */

/* fallocate came last of what is used. */
static bool uring_can_all(struct io_uring *ring)
{
    struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
    const bool can = probe != NULL && io_uring_opcode_supported(probe, IORING_OP_FALLOCATE) != 0 &&
                     io_uring_opcode_supported(probe, IORING_OP_WRITEV) != 0;

    io_uring_free_probe(probe);
    return can;
}

static enum avps_status uring_setup(struct block_uring *uring, struct avps_posix_loop *loop,
                                    uint32_t depth)
{
    if (io_uring_queue_init(depth, &uring->ring, 0) != 0) {
        return AVPS_E_UNSUPPORTED;
    }
    if (!uring_can_all(&uring->ring) ||
        avps_posix_source_add(&uring->source, loop, uring->ring.ring_fd, AVPS_POSIX_READ,
                              uring_ready, uring->block) != AVPS_OK) {
        io_uring_queue_exit(&uring->ring);
        return AVPS_E_UNSUPPORTED;
    }
    avps_posix_task_init(&uring->submit, loop, uring_submit, uring);
    avps_posix_follower_start(&uring->look, loop, uring_look, uring->block);
    return AVPS_OK;
}

enum avps_status block_uring_open(struct avps_posix_block *block, struct avps_posix_loop *loop,
                                  uint32_t depth)
{
    struct block_uring *uring = calloc(1, sizeof *uring);

    if (uring == NULL) {
        return AVPS_E_NOSPACE;
    }
    uring->block = block;
    const enum avps_status status = uring_setup(uring, loop, depth);
    if (status != AVPS_OK) {
        free(uring);
        return status;
    }
    block->uring = uring;
    return AVPS_OK;
}

/* ---- closing ---- */

/* Memory that the kernel works on must not go away. */
static void uring_drain(struct avps_posix_block *block)
{
    struct io_uring *ring = &block->uring->ring;

    block->blk = NULL;
    while (block->outstanding != 0U) {
        (void)io_uring_submit_and_wait(ring, 1);
        (void)block_uring_poll(block);
    }
}

void block_uring_close(struct avps_posix_block *block)
{
    struct block_uring *uring = block->uring;

    if (uring == NULL) {
        return;
    }
    uring_drain(block);
    avps_posix_task_cancel(&uring->submit);
    avps_posix_poller_stop(&uring->look);
    avps_posix_source_remove(&uring->source);
    io_uring_queue_exit(&uring->ring);
    free(uring);
    block->uring = NULL;
}
