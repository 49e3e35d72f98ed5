/* SPDX-License-Identifier: BSD-3-Clause */
/* Guest memory: checks of a region -> the sorted table -> look-up -> dirty log. */
#include "memory.h"

#include <string.h>

/* ---- checks ---- */

static bool ranges_overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
    return a <= b ? b - a < a_size : a - b < b_size;
}

static const char *region_check(const struct vu_memory *memory, const struct vu_region *region)
{
    if (region->size == 0U) {
        return "is empty";
    }
    if (region->size - 1U > UINT64_MAX - region->guest_addr) {
        return "wraps in the guest's address space";
    }
    if (region->size - 1U > UINT64_MAX - region->user_addr) {
        return "wraps in the front end's address space";
    }
    for (uint32_t i = 0; i < memory->count; i++) {
        const struct vu_region *other = &memory->slots[i].told;

        if (ranges_overlap(region->guest_addr, region->size, other->guest_addr, other->size)) {
            return "overlaps another one in the guest's address space";
        }
        if (ranges_overlap(region->user_addr, region->size, other->user_addr, other->size)) {
            return "overlaps another one in the front end's address space";
        }
    }
    return memory->count < VU_SLOTS ? NULL : "is one too many";
}

/* ---- the table ---- */

/* Rows from `from` on move to `to`. */
static void table_move(struct vu_memory *memory, uint32_t to, uint32_t from)
{
    const size_t rows = memory->count - from;

    (void)memmove(&memory->slots[to], &memory->slots[from], rows * sizeof memory->slots[0]);
    (void)memmove(&memory->table[to], &memory->table[from], rows * sizeof memory->table[0]);
}

const char *vu_memory_add(struct vu_memory *memory, const struct vu_region *region, int fd)
{
    struct vu_mapping mapping = {0};
    const char *why = region_check(memory, region);

    if (why == NULL) {
        why = vu_mapping_map(&mapping, fd, region->mmap_offset, region->size);
    }
    if (why != NULL) {
        return why;
    }
    uint32_t at = 0;
    while (at < memory->count && memory->table[at].gpa < region->guest_addr) {
        at++;
    }
    table_move(memory, at + 1U, at);
    memory->slots[at] = (struct vu_slot){*region, mapping};
    memory->table[at] = (struct avps_mem_region){.gpa = region->guest_addr,
                                                 .size = region->size,
                                                 .host = mapping.data,
                                                 .access = AVPS_ACCESS_RW};
    memory->count++;
    return NULL;
}

bool vu_memory_remove(struct vu_memory *memory, const struct vu_region *region)
{
    for (uint32_t i = 0; i < memory->count; i++) {
        const struct vu_region *told = &memory->slots[i].told;

        if (told->guest_addr == region->guest_addr && told->user_addr == region->user_addr &&
            told->size == region->size) {
            vu_mapping_unmap(&memory->slots[i].mapping);
            table_move(memory, i, i + 1U);
            memory->count--;
            return true;
        }
    }
    return false;
}

void vu_memory_clear(struct vu_memory *memory)
{
    for (uint32_t i = 0; i < memory->count; i++) {
        vu_mapping_unmap(&memory->slots[i].mapping);
    }
    memory->count = 0;
}

/* ---- look-up ---- */

bool vu_memory_guest_of_user(const struct vu_memory *memory, uint64_t user, uint64_t len,
                             avps_gpa *gpa)
{
    for (uint32_t i = 0; i < memory->count; i++) {
        const struct vu_region *told = &memory->slots[i].told;
        const uint64_t off = user - told->user_addr; /* large if it is below */

        if (off < told->size && len <= told->size - off) {
            *gpa = told->guest_addr + off;
            return true;
        }
    }
    return false;
}

uint8_t *vu_memory_host(const struct vu_memory *memory, avps_gpa gpa, uint64_t len)
{
    for (uint32_t i = 0; i < memory->count; i++) {
        const struct avps_mem_region *row = &memory->table[i];
        const uint64_t off = gpa - row->gpa;

        if (off < row->size && len <= row->size - off) {
            return row->host + off;
        }
    }
    return NULL;
}

bool vu_memory_is_lost(const struct vu_memory *memory)
{
    for (uint32_t i = 0; i < memory->count; i++) {
        if (vu_mapping_is_lost(&memory->slots[i].mapping)) {
            return true;
        }
    }
    return false;
}

/* ---- dirty log ---- */

#define LOG_PAGE UINT64_C(4096)

void vu_log_mark(struct vu_log *log, uint64_t addr, uint64_t len)
{
    if (log->mapping.base == NULL || len == 0U) {
        return;
    }
    const uint64_t last = (addr + (len - 1U)) / LOG_PAGE;

    for (uint64_t page = addr / LOG_PAGE; page <= last; page++) {
        if (page / 8U >= log->mapping.size) {
            log->short_of = true;
            return;
        }
        /* the front end takes bits away at the same time */
        (void)__atomic_fetch_or(&log->mapping.data[page / 8U], (uint8_t)(1U << (page % 8U)),
                                __ATOMIC_RELEASE);
        log->touched = true;
    }
}
