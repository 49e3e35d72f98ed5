/* SPDX-License-Identifier: BSD-3-Clause */
/* Address spaces: which part of the machine answers a guest's access. Filled before virtual CPUs run, read
 * only afterwards. */
#ifndef BUS_H
#define BUS_H

#include <stdbool.h>
#include <stdint.h>

#define BUS_RANGES 48U

/* One access, of 1, 2, 4 or 8 bytes. A write's value, or where a read's goes. */
struct bus_access {
    uint64_t offset; /* from the range's start */
    uint32_t width;
    bool is_write;
    uint64_t value;
};

/* Serves an access; may come from any virtual CPU, from several at once. */
typedef void (*bus_serve)(void *ctx, struct bus_access *access);

struct bus_range {
    uint64_t base;
    uint64_t size;
    bus_serve serve;
    void *ctx;
};

struct bus {
    struct bus_range ranges[BUS_RANGES];
    uint32_t count;
};

/* @return false: it overlaps another range, or there are too many. */
bool bus_add(struct bus *bus, uint64_t base, uint64_t size, bus_serve serve, void *ctx);

/* An access at `address`, `access->offset` is filled in. All bits of what nothing answers read as one.
 * @return Whether something answered: a range that has all of it. */
bool bus_serve_at(const struct bus *bus, uint64_t address, struct bus_access *access);

#endif
