/* SPDX-License-Identifier: BSD-3-Clause */
#include "bus.h"

#include <stddef.h>

static bool ranges_meet(const struct bus_range *range, uint64_t base, uint64_t size)
{
    return base < range->base + range->size && range->base < base + size;
}

bool bus_add(struct bus *bus, uint64_t base, uint64_t size, bus_serve serve, void *ctx)
{
    for (uint32_t i = 0; i < bus->count; i++) {
        if (ranges_meet(&bus->ranges[i], base, size)) {
            return false;
        }
    }
    if (bus->count == BUS_RANGES) {
        return false;
    }
    bus->ranges[bus->count++] =
        (struct bus_range){.base = base, .size = size, .serve = serve, .ctx = ctx};
    return true;
}

static const struct bus_range *bus_find(const struct bus *bus, uint64_t address, uint32_t width)
{
    for (uint32_t i = 0; i < bus->count; i++) {
        const struct bus_range *range = &bus->ranges[i];

        if (address >= range->base && address - range->base <= range->size - width) {
            return range;
        }
    }
    return NULL;
}

bool bus_serve_at(const struct bus *bus, uint64_t address, struct bus_access *access)
{
    const struct bus_range *range = bus_find(bus, address, access->width);

    if (range == NULL) {
        access->value = UINT64_MAX;
        return false;
    }
    access->offset = address - range->base;
    range->serve(range->ctx, access);
    return true;
}
