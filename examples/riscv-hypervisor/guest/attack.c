/* SPDX-License-Identifier: BSD-3-Clause */
/* Doorbells and registers -> chains. */
#include "attack.h"

#include <stddef.h>

#include "../guest_map.h"
#include "entropy.h"
#include "machine.h"

#define ATTACK_FLOOD  2000U
#define ATTACK_PARTS  RING_SIZE
#define ATTACK_RAM    ((uint64_t)GUEST_RAM)
#define ATTACK_END    ((uint64_t)GUEST_RAM + GUEST_RAM_SIZE)
#define ATTACK_BUFFER (ATTACK_END - 0x100000U) /* unused memory */

/* The device answers a proper request. */
static bool attack_works(void)
{
    uint8_t bytes[64];

    return entropy_read(bytes, sizeof bytes);
}

/* ---- doorbells and registers ---- */

static const uint32_t attack_doorbells[] = {1U, 2U, 0xffffU, 0x10000U, 0x80000000U, UINT32_MAX};

static void attack_flood(void)
{
    for (uint32_t i = 0; i < ATTACK_FLOOD; i++) {
        virtio_set(&machine_entropy, VIRTIO_QUEUE_NOTIFY, 0U);
    }
}

/* All widths at all offsets, aligned or not: of a load nothing may come but a value. */
static void attack_loads(void)
{
    for (uintptr_t at = machine_entropy.base; at < machine_entropy.base + VIRTIO_WINDOW; at++) {
        (void)*(const volatile uint8_t *)at;
        (void)*(const volatile uint16_t *)(at & ~(uintptr_t)1);
        (void)*(const volatile uint32_t *)(at & ~(uintptr_t)3);
        (void)*(const volatile uint64_t *)(at & ~(uintptr_t)7);
    }
}

/* The same with stores of ones: the device may be in any state after this, but for a reset. */
static void attack_stores(void)
{
    for (uintptr_t at = machine_entropy.base; at < machine_entropy.base + VIRTIO_WINDOW; at++) {
        *(volatile uint8_t *)at = UINT8_MAX;
        *(volatile uint16_t *)(at & ~(uintptr_t)1) = UINT16_MAX;
        *(volatile uint32_t *)(at & ~(uintptr_t)3) = UINT32_MAX;
        *(volatile uint64_t *)(at & ~(uintptr_t)7) = UINT64_MAX;
    }
}

const char *attack_registers(bool packed, uint32_t *count)
{
    const uint32_t doorbells = sizeof attack_doorbells / sizeof attack_doorbells[0];

    *count = doorbells + ATTACK_FLOOD + 8U * VIRTIO_WINDOW;
    if (!entropy_start(packed)) {
        return "start";
    }
    for (uint32_t i = 0; i < doorbells; i++) {
        virtio_set(&machine_entropy, VIRTIO_QUEUE_NOTIFY, attack_doorbells[i]);
    }
    attack_flood();
    if (!attack_works()) {
        return "doorbells";
    }
    attack_loads();
    if (!attack_works()) {
        return "loads";
    }
    attack_stores();
    return entropy_start(packed) && attack_works() ? NULL : "stores";
}

/* ---- chains ---- */

struct attack {
    const char *name;
    bool split;  /* in which formats it can be made */
    bool packed; /* */
    uint32_t count;
    struct ring_part parts[ATTACK_PARTS];
};

#define ATTACK_LINK(n)                                                                             \
    {                                                                                              \
        ATTACK_BUFFER, 16U, RING_WRITE | RING_NEXT, (n)                                            \
    }

static const struct attack attacks[] = {
    {"memory that is not there", true, true, 1U, {{0x1000U, 16U, RING_WRITE, 0U}}},
    {"a device's registers", true, true, 1U, {{GUEST_VIRTIO, 16U, RING_WRITE, 0U}}},
    {"past the end of memory", true, true, 1U, {{ATTACK_END - 8U, 16U, RING_WRITE, 0U}}},
    {"before the start of memory", true, true, 1U, {{ATTACK_RAM - 8U, 16U, RING_WRITE, 0U}}},
    {"round the end of addresses", true, true, 1U, {{UINT64_MAX - 7U, 16U, RING_WRITE, 0U}}},
    {"4 GiB long", true, true, 1U, {{ATTACK_BUFFER, UINT32_MAX, RING_WRITE, 0U}}},
    {"nothing to write to", true, true, 1U, {{ATTACK_BUFFER, 16U, 0U, 0U}}},
    {"to be read after to be written",
     true,
     true,
     2U,
     {ATTACK_LINK(1U), {ATTACK_BUFFER, 16U, 0U, 0U}}},
    {"a table of one and a half descriptors",
     true,
     true,
     1U,
     {{ATTACK_BUFFER, 24U, RING_INDIRECT, 0U}}},
    {"a table outside of memory", true, true, 1U, {{0x1000U, 16U, RING_INDIRECT, 0U}}},
    {"a chain that is its own end", true, false, 1U, {ATTACK_LINK(0U)}},
    {"a chain that goes round", true, false, 2U, {ATTACK_LINK(1U), ATTACK_LINK(0U)}},
    {"a chain that leaves the ring", true, false, 1U, {ATTACK_LINK(RING_SIZE)}},
    {"a chain without end",
     false,
     true,
     RING_SIZE,
     {ATTACK_LINK(0U), ATTACK_LINK(0U), ATTACK_LINK(0U), ATTACK_LINK(0U), ATTACK_LINK(0U),
      ATTACK_LINK(0U), ATTACK_LINK(0U), ATTACK_LINK(0U)}},
};

static void attack_head_outside(struct ring *ring)
{
    ring_publish(ring, UINT16_MAX);
}

static void attack_index_far_ahead(struct ring *ring)
{
    ring->driver.index = (uint16_t)(ring->next + 0x4000U);
}

static const struct {
    const char *name;
    void (*make)(struct ring *ring);
} attack_indices[] = {
    {"a head that is not in the ring", attack_head_outside},
    {"an index far ahead", attack_index_far_ahead},
};

/* Ring, and see the device stop; then reset it and see it work. */
static bool attack_is_caught(bool packed)
{
    virtio_kick(&machine_entropy, 0U);
    return (virtio_get(&machine_entropy, VIRTIO_STATUS) & VIRTIO_STATUS_NEEDS_RESET) != 0U &&
           entropy_start(packed) && attack_works();
}

const char *attack_chains(bool packed, uint32_t *count)
{
    *count = 0;
    if (!entropy_start(packed)) {
        return "start";
    }
    for (uint32_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++) {
        if (!(packed ? attacks[i].packed : attacks[i].split)) {
            continue;
        }
        ring_post(entropy_ring(), 0U, attacks[i].parts, attacks[i].count);
        if (!attack_is_caught(packed)) {
            return attacks[i].name;
        }
        ++*count;
    }
    for (uint32_t i = 0; !packed && i < sizeof attack_indices / sizeof attack_indices[0]; i++) {
        attack_indices[i].make(entropy_ring());
        if (!attack_is_caught(packed)) {
            return attack_indices[i].name;
        }
        ++*count;
    }
    return NULL;
}
