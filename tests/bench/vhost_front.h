/* SPDX-License-Identifier: BSD-3-Clause */
/* The least vhost-user front end that brings a back end up: one memory region, a few queues, an
 * eventfd each way per queue. For comparing back ends. */
#ifndef AVPS_BENCH_VHOST_FRONT_H
#define AVPS_BENCH_VHOST_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VHOST_F_INDIRECT  (1ULL << 28)
#define VHOST_F_EVENT_IDX (1ULL << 29)
#define VHOST_F_VERSION_1 (1ULL << 32)
#define VHOST_F_PACKED    (1ULL << 34)
#define VHOST_F_IN_ORDER  (1ULL << 35)

struct vhost_front {
    int sock;
    uint8_t *mem; /* shared memory, `size` bytes at guest address `gpa` */
    size_t size;
    int memfd;
    uint64_t gpa;
    uint64_t features; /* as negotiated */
};

/* One queue's areas, as offsets into the memory, and its eventfds (made by vhost_front_start). */
struct vhost_front_queue {
    uint64_t desc;
    uint64_t driver;
    uint64_t device;
    uint32_t num;
    int kick;
    int call; /* does not block */
};

/* Create the shared memory. Exits with one line on failure, like all calls here. */
void vhost_front_memory(struct vhost_front *front, uint64_t gpa, size_t size);

/* Connect to the back end at `path`, take of its features those `wanted`, start `count` queues. */
void vhost_front_start(struct vhost_front *front, const char *path, uint64_t wanted,
                       struct vhost_front_queue *queues, uint32_t count);

#endif
