/* SPDX-License-Identifier: BSD-3-Clause */
/* What the transports share: access rules, halves of 64-bit registers, the reset of a queue, saved
 * state. */
#ifndef AVPS_TRANSPORT_INTERNAL_H
#define AVPS_TRANSPORT_INTERNAL_H

#include "devices/device_internal.h"

/* Contracts are in ACSL and proved by tests/proofs. */
/*@ assigns \nothing;
  @ ensures \result != 0 <==>
  @   (width == 1 || width == 2 || width == 4 || width == 8) && offset % width == 0; */
static inline bool transport_width_is_valid(uint64_t offset, uint32_t width)
{
    const bool power = width == 1U || width == 2U || width == 4U || width == 8U;

    return power && offset % width == 0U;
}

/*@ requires \valid(address);
  @ assigns *address;
  @ ensures *address == ((\old(*address) & 0xffffffff00000000) | value); */
static inline void transport_set_low(uint64_t *address, uint32_t value)
{
    *address = (*address & 0xffffffff00000000U) | value;
}

/*@ requires \valid(address);
  @ assigns *address;
  @ ensures *address == ((\old(*address) & 0xffffffff) | (value << 32)); */
static inline void transport_set_high(uint64_t *address, uint32_t value)
{
    *address = (*address & 0xffffffffU) | (uint64_t)value << 32;
}

/* A driver writes the reset register of a queue. */
static inline void transport_reset_queue(struct avps_device *dev, uint16_t queue, uint32_t value)
{
    if (value == 1U && avps_device_has(dev, AVPS_F_RING_RESET)) {
        avps_device_reset_queue(dev, queue);
    }
}

/* Events happen to devices that run or have run. */
static inline bool transport_can_interrupt(const struct avps_device *dev)
{
    return (avps_device_read_status(dev) & (VIRTIO_STATUS_DRIVER_OK | VIRTIO_STATUS_SUSPEND)) != 0U;
}

/* Save the device behind the transport's own part, which is written or counted in `own`. */
static inline enum avps_status transport_save_device(struct avps_device *dev,
                                                     const struct avps_state *own, size_t *used)
{
    *used = 0;
    const bool counts = own->out == NULL;
    const enum avps_status status =
        counts ? avps_save(dev, NULL, 0, used)
               : avps_save(dev, own->out + own->pos, own->size - own->pos, used);

    *used += own->pos;
    return status == AVPS_OK && own->failed ? AVPS_E_NOSPACE : status;
}

#endif
