/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared by blk.c (the device), blk_request.c and blk_zoned.c: the wire constants of requests, and
 * what each file asks of the others. Results are status bytes as the driver gets them. */
#ifndef AVPS_BLK_INTERNAL_H
#define AVPS_BLK_INTERNAL_H

#include "avps/blk.h"

#include "devices/device_internal.h"

#define VIRTIO_BLK_F_SIZE_MAX     1U
#define VIRTIO_BLK_F_SEG_MAX      2U
#define VIRTIO_BLK_F_GEOMETRY     4U
#define VIRTIO_BLK_F_RO           5U
#define VIRTIO_BLK_F_BLK_SIZE     6U
#define VIRTIO_BLK_F_FLUSH        9U
#define VIRTIO_BLK_F_TOPOLOGY     10U
#define VIRTIO_BLK_F_CONFIG_WCE   11U
#define VIRTIO_BLK_F_MQ           12U
#define VIRTIO_BLK_F_DISCARD      13U
#define VIRTIO_BLK_F_WRITE_ZEROES 14U
#define VIRTIO_BLK_F_LIFETIME     15U
#define VIRTIO_BLK_F_SECURE_ERASE 16U
#define VIRTIO_BLK_F_ZONED        17U

#define VIRTIO_BLK_T_IN             0U
#define VIRTIO_BLK_T_OUT            1U
#define VIRTIO_BLK_T_FLUSH          4U
#define VIRTIO_BLK_T_GET_ID         8U
#define VIRTIO_BLK_T_GET_LIFETIME   10U
#define VIRTIO_BLK_T_DISCARD        11U
#define VIRTIO_BLK_T_WRITE_ZEROES   13U
#define VIRTIO_BLK_T_SECURE_ERASE   14U
#define VIRTIO_BLK_T_ZONE_APPEND    15U
#define VIRTIO_BLK_T_ZONE_REPORT    16U
#define VIRTIO_BLK_T_ZONE_OPEN      18U
#define VIRTIO_BLK_T_ZONE_CLOSE     20U
#define VIRTIO_BLK_T_ZONE_FINISH    22U
#define VIRTIO_BLK_T_ZONE_RESET     24U
#define VIRTIO_BLK_T_ZONE_RESET_ALL 26U

#define VIRTIO_BLK_S_OK                   0U
#define VIRTIO_BLK_S_IOERR                1U
#define VIRTIO_BLK_S_UNSUPP               2U
#define VIRTIO_BLK_S_ZONE_INVALID_CMD     3U
#define VIRTIO_BLK_S_ZONE_UNALIGNED_WP    4U
#define VIRTIO_BLK_S_ZONE_OPEN_RESOURCE   5U
#define VIRTIO_BLK_S_ZONE_ACTIVE_RESOURCE 6U

/* Where an operation of a slot stands. */
enum blk_state {
    BLK_IDLE,       /* none outstanding */
    BLK_SUBMITTING, /* inside submit */
    BLK_PENDING,    /* with the back end */
    BLK_ANSWERED    /* answered inside submit, which has not returned yet */
};

/* blk_request.c: serve one chain, as `avps_device_ops.request`. */
enum avps_status avps_blk_serve(struct avps_device *dev, uint16_t queue, struct avps_chain *chain);
/* Fill in the slot's next operation. */
void avps_blk_prepare(struct avps_blk_request *req, enum avps_blk_op op, uint64_t sector,
                      uint32_t count);
/* `bytes` of data at `sector`: a whole number of sectors, not too long, in capacity (I2);
 * makes it the request's range. */
uint8_t avps_blk_transfer(const struct avps_blk *blk, struct avps_blk_request *req,
                          enum avps_blk_op op, uint64_t sector, uint32_t bytes);

/* blk_zoned.c */
static inline bool avps_blk_has_zones(const struct avps_blk *blk)
{
    return blk->zoned.zone_count != 0U;
}

/* Check and take over the zones; capacity, limits and read_only are set. */
enum avps_status avps_blk_zones_init(struct avps_blk *blk, const struct avps_blk_zoned *zoned);
/* Close what the driver left open. */
void avps_blk_zones_reset(struct avps_blk *blk);
/* A zone request: append makes a range, the others are done at once. */
uint8_t avps_blk_zone_request(struct avps_blk *blk, struct avps_blk_request *req, uint64_t sector);
/* Whether the zones of a range let the operation begin. */
uint8_t avps_blk_zone_check(const struct avps_blk *blk, enum avps_blk_op op,
                            const struct avps_blk_range *range);

/* What a range needs next. */
enum blk_step {
    BLK_STEP_ISSUE, /* an operation is prepared */
    BLK_STEP_NEXT,  /* served without one: look again */
    BLK_STEP_FAIL   /* `*result` says why */
};
/* Take the next piece off a range that is not empty. */
enum blk_step avps_blk_zone_step(struct avps_blk *blk, struct avps_blk_request *req,
                                 struct avps_blk_range *range, uint8_t *result);

void avps_blk_zones_save(const struct avps_blk *blk, struct avps_state *state);
void avps_blk_zones_load(struct avps_blk *blk, struct avps_state *state);

#endif
