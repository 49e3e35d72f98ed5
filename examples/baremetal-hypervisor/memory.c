/* SPDX-License-Identifier: BSD-3-Clause */
#include "memory.h"

#include "guest_map.h"

#define MEMORY_GRAIN 0x200000ULL

static uint64_t memory_next;
static uint64_t memory_end;

void memory_init(uint64_t end)
{
    memory_next = HOST_POOL;
    memory_end = end < HOST_END ? end : HOST_END;
}

/* The machine's memory is zero when the hypervisor starts, and this part was not used since. */
uint64_t memory_take(uint64_t size)
{
    const uint64_t at = memory_next;
    const uint64_t whole = (size + MEMORY_GRAIN - 1U) & ~(MEMORY_GRAIN - 1U);

    if (memory_end < at || size > memory_end - at || whole > memory_end - at) {
        return 0U;
    }
    memory_next += whole;
    return at;
}
