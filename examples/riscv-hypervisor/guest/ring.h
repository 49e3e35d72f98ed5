/* SPDX-License-Identifier: BSD-3-Clause */
/* A virtqueue of either format, from the driver's side. A chain is written as it is given, so that it
 * can be a bad one. */
#ifndef GUEST_RING_H
#define GUEST_RING_H

#include <stdbool.h>
#include <stdint.h>

#define RING_SIZE 8U

#define RING_NEXT     1U
#define RING_WRITE    2U /* the device writes */
#define RING_INDIRECT 4U
#define RING_AVAIL    0x0080U /* packed */
#define RING_USED     0x8000U

struct ring_desc {
    uint64_t address;
    uint32_t len;
    uint16_t a; /* split: flags; packed: buffer id */
    uint16_t b; /* split: next; packed: flags */
};

/* The areas that the device sees, and where the driver is in them. A packed ring uses the first words
 * of `driver` and `device` alone, which mean something else there. */
struct ring {
    struct ring_desc desc[RING_SIZE] __attribute__((aligned(16)));
    struct {
        uint16_t flags;
        uint16_t index;
        uint16_t heads[RING_SIZE];
        uint16_t event;
    } driver __attribute__((aligned(4)));
    struct {
        uint16_t flags;
        uint16_t index;
        struct {
            uint32_t id;
            uint32_t len;
        } elements[RING_SIZE];
        uint16_t event;
    } device __attribute__((aligned(4)));
    bool packed;
    uint16_t next;  /* split: running index; packed: position */
    uint16_t used;  /* the same of what is taken back */
    bool next_wrap; /* packed */
    bool used_wrap;
    uint16_t spans[RING_SIZE]; /* packed: descriptors of each buffer id */
};

/* One descriptor of a chain; `flags` without RING_AVAIL and RING_USED. `next` is for split rings. */
struct ring_part {
    uint64_t address;
    uint32_t len;
    uint16_t flags;
    uint16_t next;
};

static inline void ring_fence(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Empty, in the given format. */
void ring_init(struct ring *ring, bool packed);

/* Make a chain available under `id`, 0..RING_SIZE - 1, which is not in use; in a split ring its
 * descriptors are those from `id` on. */
void ring_post(struct ring *ring, uint16_t id, const struct ring_part *parts, uint32_t count);

/* Split: put any number into the available ring. */
void ring_publish(struct ring *ring, uint16_t head);

/* Take back what the device used, oldest first. @return false: nothing. */
bool ring_take(struct ring *ring, uint16_t *id, uint32_t *len);

#endif
