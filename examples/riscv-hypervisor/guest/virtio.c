/* SPDX-License-Identifier: BSD-3-Clause */
/* Registers -> start -> queues -> notifications. */
#include "virtio.h"

#define VIRTIO_MAGIC_VALUE 0x74726976U

uint32_t virtio_get(const struct virtio *device, uint32_t offset)
{
    return *(const volatile uint32_t *)(device->base + offset);
}

void virtio_set(const struct virtio *device, uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(device->base + offset) = value;
}

bool virtio_probe(struct virtio *device, uintptr_t base, uint32_t id)
{
    device->base = base;
    return virtio_get(device, VIRTIO_MAGIC) == VIRTIO_MAGIC_VALUE &&
           virtio_get(device, VIRTIO_VERSION) == 2U && virtio_get(device, VIRTIO_DEVICE_ID) == id;
}

static uint64_t virtio_offered(const struct virtio *device)
{
    virtio_set(device, VIRTIO_DEVICE_FEATURES_SEL, 0U);
    const uint32_t low = virtio_get(device, VIRTIO_DEVICE_FEATURES);

    virtio_set(device, VIRTIO_DEVICE_FEATURES_SEL, 1U);
    return (uint64_t)virtio_get(device, VIRTIO_DEVICE_FEATURES) << 32 | low;
}

static void virtio_accept(const struct virtio *device)
{
    for (uint32_t word = 0; word < 2U; word++) {
        virtio_set(device, VIRTIO_DRIVER_FEATURES_SEL, word);
        virtio_set(device, VIRTIO_DRIVER_FEATURES, (uint32_t)(device->features >> (32U * word)));
    }
}

bool virtio_begin(struct virtio *device, bool packed)
{
    const uint32_t found = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER;
    const uint64_t needed = VIRTIO_F_VERSION_1 | (packed ? VIRTIO_F_RING_PACKED : 0U);

    virtio_set(device, VIRTIO_STATUS, 0U);
    while (virtio_get(device, VIRTIO_STATUS) != 0U) {
    }
    virtio_set(device, VIRTIO_STATUS, VIRTIO_STATUS_ACKNOWLEDGE);
    virtio_set(device, VIRTIO_STATUS, found);
    const uint64_t offered = virtio_offered(device);

    device->interrupts = 0;
    device->features = needed | (offered & VIRTIO_F_INDIRECT_DESC);
    virtio_accept(device);
    virtio_set(device, VIRTIO_STATUS, found | VIRTIO_STATUS_FEATURES_OK);
    return (offered & needed) == needed &&
           virtio_get(device, VIRTIO_STATUS) == (found | VIRTIO_STATUS_FEATURES_OK);
}

static void virtio_address(const struct virtio *device, uint32_t offset, uint64_t address)
{
    virtio_set(device, offset, (uint32_t)address);
    virtio_set(device, offset + 4U, (uint32_t)(address >> 32));
}

bool virtio_queue(const struct virtio *device, uint32_t index, struct ring *ring)
{
    ring_init(ring, (device->features & VIRTIO_F_RING_PACKED) != 0U);
    virtio_set(device, VIRTIO_QUEUE_SEL, index);
    if (virtio_get(device, VIRTIO_QUEUE_SIZE_MAX) < RING_SIZE) {
        return false;
    }
    virtio_set(device, VIRTIO_QUEUE_SIZE, RING_SIZE);
    virtio_address(device, VIRTIO_QUEUE_DESC, (uintptr_t)ring->desc);
    virtio_address(device, VIRTIO_QUEUE_DRIVER, (uintptr_t)&ring->driver);
    virtio_address(device, VIRTIO_QUEUE_DEVICE, (uintptr_t)&ring->device);
    virtio_set(device, VIRTIO_QUEUE_READY, 1U);
    return virtio_get(device, VIRTIO_QUEUE_READY) == 1U;
}

void virtio_go(const struct virtio *device)
{
    virtio_set(device, VIRTIO_STATUS, virtio_get(device, VIRTIO_STATUS) | VIRTIO_STATUS_DRIVER_OK);
}

void virtio_kick(const struct virtio *device, uint32_t index)
{
    ring_fence();
    virtio_set(device, VIRTIO_QUEUE_NOTIFY, index);
}

void virtio_interrupt(struct virtio *device)
{
    const uint32_t status = virtio_get(device, VIRTIO_INTERRUPT_STATUS);

    if (status != 0U) {
        virtio_set(device, VIRTIO_INTERRUPT_ACK, status);
        device->interrupts++;
    }
}
