/* SPDX-License-Identifier: BSD-3-Clause */
/* A disk whose queues share nothing: answering -> keeping -> set-up. */
#include "lanes.h"

#include <string.h>

/* ---- answering ---- */

static enum avps_status lane_transfer(const struct lanes *lanes, const struct avps_blk_io *io)
{
    uint8_t *at = lanes->data + io->sector * AVPS_BLK_SECTOR;
    const uint32_t bytes = (uint32_t)(io->count * AVPS_BLK_SECTOR);

    if (io->op == AVPS_BLK_FLUSH) {
        return AVPS_OK;
    }
    return io->op == AVPS_BLK_WRITE ? avps_blk_io_read(io, at, bytes)
                                    : avps_blk_io_write(io, at, bytes);
}

/* The last first, so that order shows. */
static void lane_answer(void *ctx)
{
    struct lane *lane = ctx;

    while (lane->count != 0U && !atomic_load(&lane->all->held)) {
        const struct avps_blk_io *io = lane->waiting[--lane->count];

        avps_blk_done(lane->all->blk, io->token, lane_transfer(lane->all, io));
    }
}

/* ---- keeping ---- */

static enum avps_status lanes_submit(void *ctx, const struct avps_blk_io *io)
{
    struct lanes *lanes = ctx;
    struct lane *lane = &lanes->lane[io->queue % LANES_MAX];

    if (lane->count == LANE_DEPTH || io->op > AVPS_BLK_FLUSH) {
        return AVPS_E_IO;
    }
    lane->waiting[lane->count++] = io;
    avps_posix_task_defer(&lane->task);
    return AVPS_PENDING;
}

static enum avps_status lanes_cancel(void *ctx, uint32_t queue)
{
    const struct lanes *lanes = ctx;
    uint32_t count = 0;

    (void)queue;
    for (uint32_t i = 0; i < LANES_MAX; i++) {
        count += lanes->lane[i].count;
    }
    return count != 0U ? AVPS_PENDING : AVPS_OK;
}

const struct avps_blk_ops lanes_ops = {.submit = lanes_submit, .cancel = lanes_cancel};

/* ---- set-up ---- */

void lanes_init(struct lanes *lanes, uint8_t *data, struct avps_blk *blk,
                struct avps_posix_worker *workers, uint16_t count)
{
    (void)memset(lanes, 0, sizeof *lanes);
    lanes->data = data;
    lanes->blk = blk;
    for (uint32_t i = 0; i < LANES_MAX; i++) {
        lanes->lane[i].all = lanes;
        lanes->lane[i].worker = &workers[i % count];
        avps_posix_task_init(&lanes->lane[i].task, &workers[i % count].loop, lane_answer,
                             &lanes->lane[i]);
    }
}

void lanes_let_go(struct lanes *lanes)
{
    atomic_store(&lanes->held, false);
    for (uint32_t i = 0; i < LANES_MAX; i++) {
        avps_posix_task_defer(&lanes->lane[i].task);
        avps_posix_worker_wake(lanes->lane[i].worker);
    }
}
