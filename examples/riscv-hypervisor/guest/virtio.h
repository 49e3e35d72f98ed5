/* SPDX-License-Identifier: BSD-3-Clause */
/* Virtio over MMIO from the driver's side. Nothing of the library is used here, not even a header. */
#ifndef GUEST_VIRTIO_H
#define GUEST_VIRTIO_H

#include <stdbool.h>
#include <stdint.h>

#include "ring.h"

enum virtio_register {
    VIRTIO_MAGIC = 0x000,
    VIRTIO_VERSION = 0x004,
    VIRTIO_DEVICE_ID = 0x008,
    VIRTIO_DEVICE_FEATURES = 0x010,
    VIRTIO_DEVICE_FEATURES_SEL = 0x014,
    VIRTIO_DRIVER_FEATURES = 0x020,
    VIRTIO_DRIVER_FEATURES_SEL = 0x024,
    VIRTIO_QUEUE_SEL = 0x030,
    VIRTIO_QUEUE_SIZE_MAX = 0x034,
    VIRTIO_QUEUE_SIZE = 0x038,
    VIRTIO_QUEUE_READY = 0x044,
    VIRTIO_QUEUE_NOTIFY = 0x050,
    VIRTIO_INTERRUPT_STATUS = 0x060,
    VIRTIO_INTERRUPT_ACK = 0x064,
    VIRTIO_STATUS = 0x070,
    VIRTIO_QUEUE_DESC = 0x080,
    VIRTIO_QUEUE_DRIVER = 0x090,
    VIRTIO_QUEUE_DEVICE = 0x0a0,
    VIRTIO_SHM_SIZE_LOW = 0x0b0,
    VIRTIO_CONFIG = 0x100,
    VIRTIO_WINDOW = 0x200
};

#define VIRTIO_ID_CONSOLE 3U
#define VIRTIO_ID_ENTROPY 4U

#define VIRTIO_STATUS_ACKNOWLEDGE 1U
#define VIRTIO_STATUS_DRIVER      2U
#define VIRTIO_STATUS_DRIVER_OK   4U
#define VIRTIO_STATUS_FEATURES_OK 8U
#define VIRTIO_STATUS_NEEDS_RESET 64U

#define VIRTIO_F_INDIRECT_DESC (1ULL << 28)
#define VIRTIO_F_VERSION_1     (1ULL << 32)
#define VIRTIO_F_RING_PACKED   (1ULL << 34)

struct virtio {
    uintptr_t base;
    uint64_t features;   /* accepted */
    uint32_t interrupts; /* taken since the last start */
};

uint32_t virtio_get(const struct virtio *device, uint32_t offset);
void virtio_set(const struct virtio *device, uint32_t offset, uint32_t value);

/* Whether a device of type `id` is at `base`. */
bool virtio_probe(struct virtio *device, uintptr_t base, uint32_t id);

/* Reset, and as far as FEATURES_OK with VERSION_1, INDIRECT_DESC if it is offered, and the format.
 * @return whether the device agreed. */
bool virtio_begin(struct virtio *device, bool packed);

/* Hand a fresh ring over as queue `index`. @return whether the device took it. */
bool virtio_queue(const struct virtio *device, uint32_t index, struct ring *ring);
void virtio_go(const struct virtio *device);
void virtio_kick(const struct virtio *device, uint32_t index);

/* For the interrupt handler: acknowledge what the device signals. */
void virtio_interrupt(struct virtio *device);

#endif
