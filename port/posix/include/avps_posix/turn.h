/* SPDX-License-Identifier: BSD-3-Clause */
/** @file turn.h
 *  How many chains a device serves per poll. What was served is seen by the driver at the end of a
 *  poll: with turns of a part of what is on its way, driver and device work at the same time instead
 *  of one after the other. The size is learnt from how much comes between two moments without work.
 *
 *  Memory: the caller's. Threads: the device's context. Guest: decides how much comes; any amount is
 *  served in bounded turns.
 */
#ifndef AVPS_POSIX_TURN_H
#define AVPS_POSIX_TURN_H

#include "avps/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Size of the turns of one device. Fields are private. */
struct avps_posix_turn {
    uint32_t least;  /**< Bounds of the budget. */
    uint32_t most;   /**< Likewise. */
    uint32_t budget; /**< Chains per queue in the next poll. */
    uint64_t run;    /**< Chains since there was nothing to do. */
};

/** Set up. @param least, most  Bounds, 1 <= least <= most; the same: nothing is learnt. */
void avps_posix_turn_init(struct avps_posix_turn *turn, uint32_t least, uint32_t most);

/** avps_poll with the budget that was learnt. @return what it returns. */
enum avps_poll_result avps_posix_turn_poll(struct avps_posix_turn *turn, struct avps_device *dev);

/** The same for one queue with a turn of its own, in the context that polls it. */
enum avps_poll_result avps_posix_turn_poll_queue(struct avps_posix_turn *turn,
                                                 struct avps_device *dev, uint16_t queue);

#ifdef __cplusplus
}
#endif
#endif
