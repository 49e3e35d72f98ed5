/* SPDX-License-Identifier: BSD-3-Clause */
/* The least vhost-user front end that brings a network back end up: one memory region, one queue
 * pair, notifications off. For comparing with peers in one process. */
#ifndef AVPS_BENCH_VHOST_FRONT_H
#define AVPS_BENCH_VHOST_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vhost_front {
    int sock;
    uint8_t *mem; /* shared memory, `size` bytes at guest address `gpa` */
    size_t size;
    int memfd;
    uint64_t gpa;
    bool packed;
};

/* One queue's areas, as offsets into the memory. */
struct vhost_front_queue {
    uint64_t desc;
    uint64_t driver;
    uint64_t device;
    uint32_t num;
};

/* Create the shared memory. Exits with one line on failure, like all calls here. */
void vhost_front_memory(struct vhost_front *front, uint64_t gpa, size_t size);

/* Connect to the back end at `path` and start queues 0 and 1. */
void vhost_front_start(struct vhost_front *front, const char *path, bool packed,
                       const struct vhost_front_queue queues[2]);

#endif
