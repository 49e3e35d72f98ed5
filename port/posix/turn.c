/* SPDX-License-Identifier: BSD-3-Clause */
/* Turns: counting -> learning -> polling. */
#include "avps_posix/turn.h"

#define TURN_PART 4U   /* of what comes in a run */
#define TURN_LONG 256U /* chains of a run that needs no end to be called long */

static uint64_t turn_chains(const struct avps_device *dev)
{
    uint64_t chains = 0;

    for (uint16_t i = 0; i < dev->queue_count; i++) {
        chains += avps_queue_counters(dev, i)->chains;
    }
    return chains;
}

static uint32_t turn_clamp(const struct avps_posix_turn *turn, uint64_t budget)
{
    if (budget < turn->least) {
        return turn->least;
    }
    return budget < turn->most ? (uint32_t)budget : turn->most;
}

static void turn_learn(struct avps_posix_turn *turn, uint64_t served, bool more)
{
    turn->run += served;
    if (turn->run != 0U && (!more || turn->run >= TURN_LONG)) {
        turn->budget = turn_clamp(turn, turn->run / TURN_PART);
        turn->run = 0;
    }
}

void avps_posix_turn_init(struct avps_posix_turn *turn, uint32_t least, uint32_t most)
{
    *turn = (struct avps_posix_turn){.least = least, .most = most, .budget = least};
}

enum avps_poll_result avps_posix_turn_poll(struct avps_posix_turn *turn, struct avps_device *dev)
{
    const uint64_t before = turn_chains(dev);
    const enum avps_poll_result result = avps_poll(dev, turn->budget);

    turn_learn(turn, turn_chains(dev) - before, result == AVPS_POLL_MORE);
    return result;
}

enum avps_poll_result avps_posix_turn_poll_queue(struct avps_posix_turn *turn,
                                                 struct avps_device *dev, uint16_t queue)
{
    const struct avps_queue_counters *counters = avps_queue_counters(dev, queue);
    const uint64_t before = counters->chains;
    const enum avps_poll_result result = avps_poll_queue(dev, queue, turn->budget);

    turn_learn(turn, counters->chains - before, result == AVPS_POLL_MORE);
    return result;
}
