/* SPDX-License-Identifier: BSD-3-Clause */
/* Guest memory as a front end tells it: regions with a guest address and an address in the front
 * end's own space, and the log of pages written. */
#ifndef VU_MEMORY_H
#define VU_MEMORY_H

#include "avps/mem.h"

#include "mapping.h"
#include "protocol.h"

#define VU_SLOTS 128U /* regions at most: what GET_MAX_MEM_SLOTS answers */

/* Rows of `table` and `slots` correspond: sorted by guest address. */
struct vu_memory {
    uint32_t count;
    struct avps_mem_region table[VU_SLOTS]; /* for the library */
    struct vu_slot {
        struct vu_region told;
        struct vu_mapping mapping;
    } slots[VU_SLOTS];
};

/* Map one more region. @return NULL, or why not, as the rest of a sentence about the region. */
const char *vu_memory_add(struct vu_memory *memory, const struct vu_region *region, int fd);

/* Remove the region with these addresses and this size. @return whether there was one. */
bool vu_memory_remove(struct vu_memory *memory, const struct vu_region *region);

void vu_memory_clear(struct vu_memory *memory);

/* Guest address of `len` >= 1 bytes at `user` in the front end's space, in one region. */
bool vu_memory_guest_of_user(const struct vu_memory *memory, uint64_t user, uint64_t len,
                             avps_gpa *gpa);

/* Host address of [gpa, gpa + len), in one region; NULL if there is none. */
uint8_t *vu_memory_host(const struct vu_memory *memory, avps_gpa gpa, uint64_t len);

/* Whether a region's file was cut short. */
bool vu_memory_is_lost(const struct vu_memory *memory);

/* ---- dirty log: one bit a page of 4 KiB ---- */

struct vu_log {
    struct vu_mapping mapping; /* not mapped: no log */
    int event_fd;              /* SET_LOG_FD, or -1 */
    bool touched;              /* bits were set since the last signal */
    bool short_of;             /* a page lay outside */
};

/* Mark [addr, addr + len) dirty. */
void vu_log_mark(struct vu_log *log, uint64_t addr, uint64_t len);

#endif
