/* SPDX-License-Identifier: BSD-3-Clause */
/* A disk whose queues share nothing that changes: each keeps its requests and answers them later, in
 * the context and on the loop of its worker, unless they are held. */
#ifndef TEST_VHOST_LANES_H
#define TEST_VHOST_LANES_H

#include "avps/blk.h"
#include "avps_posix/worker.h"

#include <stdatomic.h>

#define LANES_MAX  4U
#define LANE_DEPTH 64U

struct lanes;

struct lane {
    struct lanes *all;
    struct avps_posix_worker *worker;
    struct avps_posix_task task;
    const struct avps_blk_io *waiting[LANE_DEPTH];
    uint32_t count;
};

struct lanes {
    struct avps_blk *blk;
    uint8_t *data;
    atomic_bool held; /* requests are kept */
    struct lane lane[LANES_MAX];
};

extern const struct avps_blk_ops lanes_ops;

/* Queue n answers on the loop of worker n modulo their number. */
void lanes_init(struct lanes *lanes, uint8_t *data, struct avps_blk *blk,
                struct avps_posix_worker *workers, uint16_t count);

/* From now on they are answered; while the workers stand still. */
void lanes_let_go(struct lanes *lanes);

#endif
