/* SPDX-License-Identifier: BSD-3-Clause */
/* Guest memory through the handle, whatever the contract: helpers -> what is there -> what is not
 * -> every length and alignment. */
#include "suite_internal.h"

#include <string.h>

/* ---- helpers ---- */

const struct avps_pc_span *avps_pc_span_of(const struct avps_pc *pc, avps_gpa gpa)
{
    for (uint32_t i = 0; i < pc->target->span_count; i++) {
        const struct avps_pc_span *span = &pc->target->spans[i];

        if (gpa >= span->gpa && gpa - span->gpa < span->size) {
            return span;
        }
    }
    return NULL;
}

uint8_t *avps_pc_guest(const struct avps_pc *pc, avps_gpa gpa)
{
    return pc->target->guest(pc->target->ctx, gpa);
}

uint8_t avps_pc_pattern(avps_gpa gpa, uint32_t seed)
{
    return (uint8_t)(gpa * 167U + (gpa >> 8) * 13U + (uint64_t)seed * 59U + 7U);
}

void avps_pc_make(uint8_t *bytes, avps_gpa gpa, uint32_t len, uint32_t seed)
{
    for (uint32_t i = 0; i < len; i++) {
        bytes[i] = avps_pc_pattern(gpa + i, seed);
    }
}

bool avps_pc_bytes_are(const uint8_t *bytes, avps_gpa gpa, uint32_t len, uint32_t seed)
{
    for (uint32_t i = 0; i < len; i++) {
        if (bytes[i] != avps_pc_pattern(gpa + i, seed)) {
            return false;
        }
    }
    return true;
}

void avps_pc_fill(const struct avps_pc *pc, avps_gpa gpa, uint32_t len, uint32_t seed)
{
    for (uint32_t i = 0; i < len; i++) {
        *avps_pc_guest(pc, gpa + i) = avps_pc_pattern(gpa + i, seed);
    }
}

bool avps_pc_holds(const struct avps_pc *pc, avps_gpa gpa, uint32_t len, uint32_t seed)
{
    for (uint32_t i = 0; i < len; i++) {
        if (*avps_pc_guest(pc, gpa + i) != avps_pc_pattern(gpa + i, seed)) {
            return false;
        }
    }
    return true;
}

uint32_t avps_pc_mapped(const struct avps_pc *pc)
{
    return pc->target->mapped != NULL ? pc->target->mapped(pc->target->ctx) : 0U;
}

#define PC_TRIES 100U

bool avps_pc_again(struct avps_pc *pc, enum avps_status status, uint32_t *tries)
{
    if (status != AVPS_AGAIN || *tries == PC_TRIES) {
        return false;
    }
    (*tries)++;
    avps_pc_turn(pc);
    return true;
}

enum avps_status avps_pc_read(struct avps_pc *pc, avps_gpa gpa, void *dst, uint32_t len)
{
    uint32_t tries = 0;
    enum avps_status status = AVPS_OK;

    do {
        status = avps_mem_read(&pc->mem, gpa, dst, len);
    } while (avps_pc_again(pc, status, &tries));
    return status;
}

/* Where memory is only mapped, as a chain of one segment is written. */
static enum avps_status write_mapped(struct avps_pc *pc, avps_gpa gpa, const void *src,
                                     uint32_t len)
{
    uint64_t handle = 0;

    pc->segs[0] = (struct avps_seg){.gpa = gpa, .len = len};
    if (len - 1U > UINT64_MAX - gpa) {
        return AVPS_E_GUEST_ADDR; /* the library's own check */
    }
    const enum avps_status status = avps_pc_map(pc, 1, 0, &handle);

    if (status == AVPS_OK) {
        (void)memcpy(pc->segs[0].ptr, src, len);
        avps_pc_unmap(pc, handle, 1);
    }
    return status;
}

enum avps_status avps_pc_write(struct avps_pc *pc, avps_gpa gpa, const void *src, uint32_t len)
{
    uint32_t tries = 0;
    enum avps_status status = AVPS_OK;

    if (avps_pc_has(pc, PC_MAP)) {
        return write_mapped(pc, gpa, src, len);
    }
    do {
        status = avps_mem_write(&pc->mem, gpa, src, len);
    } while (avps_pc_again(pc, status, &tries));
    return status;
}

/* ---- what is there ---- */

#define EDGE 64U

static bool edge_is_read(struct avps_pc *pc, avps_gpa gpa)
{
    avps_pc_fill(pc, gpa, EDGE, 1);
    (void)memset(pc->bytes, 0, EDGE);
    return avps_pc_gave(pc, "status of a read", avps_pc_read(pc, gpa, pc->bytes, EDGE), AVPS_OK) &&
           avps_pc_true(pc, "the bytes read are the guest's",
                        avps_pc_bytes_are(pc->bytes, gpa, EDGE, 1));
}

static bool edge_is_written(struct avps_pc *pc, avps_gpa gpa)
{
    avps_pc_fill(pc, gpa, EDGE, 2);
    avps_pc_make(pc->bytes, gpa, EDGE, 3);
    return avps_pc_gave(pc, "status of a write", avps_pc_write(pc, gpa, pc->bytes, EDGE),
                        AVPS_OK) &&
           avps_pc_true(pc, "the guest finds the bytes written", avps_pc_holds(pc, gpa, EDGE, 3));
}

/* Both ends of every span that allows `access`. */
static void each_edge(struct avps_pc *pc, uint32_t access,
                      bool (*check)(struct avps_pc *pc, avps_gpa gpa))
{
    for (uint32_t i = 0; i < pc->target->span_count; i++) {
        const struct avps_pc_span *span = &pc->target->spans[i];

        if ((span->access & access) != 0U &&
            (!check(pc, span->gpa) || !check(pc, span->gpa + (span->size - EDGE)))) {
            return;
        }
    }
}

static void case_reads(struct avps_pc *pc)
{
    each_edge(pc, AVPS_ACCESS_READ, edge_is_read);
}

static void case_writes(struct avps_pc *pc)
{
    each_edge(pc, AVPS_ACCESS_WRITE, edge_is_written);
}

static void case_adjacent(struct avps_pc *pc)
{
    for (uint32_t i = 0; i + 1U < pc->target->span_count; i++) {
        const struct avps_pc_span *span = &pc->target->spans[i];
        const avps_gpa border = pc->target->spans[i + 1U].gpa;

        if (span->gpa + span->size == border && span->access == AVPS_ACCESS_RW &&
            pc->target->spans[i + 1U].access == AVPS_ACCESS_RW &&
            (!edge_is_read(pc, border - 5U) || !edge_is_written(pc, border - 59U))) {
            return;
        }
    }
}

static void case_bulk(struct avps_pc *pc)
{
    const avps_gpa gpa = pc->work + PC_SCRATCH;
    const uint32_t piece = (uint32_t)sizeof pc->bytes;

    for (uint32_t off = 0; off < PC_SCRATCH_SIZE; off += piece) {
        avps_pc_make(pc->bytes, gpa + off, piece, 4);
        if (!avps_pc_gave(pc, "status of a write", avps_pc_write(pc, gpa + off, pc->bytes, piece),
                          AVPS_OK)) {
            return;
        }
    }
    avps_pc_true(pc, "the guest finds all that was written",
                 avps_pc_holds(pc, gpa, PC_SCRATCH_SIZE, 4));
}

/* ---- what is not there ---- */

/* Addresses on either side of a span where there is no memory. */
static bool edge_is_closed(struct avps_pc *pc, avps_gpa outside)
{
    uint8_t byte = 0;

    return avps_pc_refused(pc, "status of a read outside", avps_pc_read(pc, outside, &byte, 1),
                           AVPS_E_GUEST_ADDR) &&
           avps_pc_refused(pc, "status of a write outside", avps_pc_write(pc, outside, &byte, 1),
                           AVPS_E_GUEST_ADDR);
}

static void case_closed(struct avps_pc *pc)
{
    for (uint32_t i = 0; i < pc->target->span_count; i++) {
        const struct avps_pc_span *span = &pc->target->spans[i];
        const avps_gpa after = span->gpa + span->size; /* 0 at the top of the address space */

        if (span->gpa != 0U && avps_pc_span_of(pc, span->gpa - 1U) == NULL &&
            !edge_is_closed(pc, span->gpa - 1U)) {
            return;
        }
        if (after != 0U && avps_pc_span_of(pc, after) == NULL && !edge_is_closed(pc, after)) {
            return;
        }
    }
}

/* `len` bytes that are not all memory. */
static bool range_is_refused(struct avps_pc *pc, avps_gpa gpa, uint32_t len)
{
    (void)memset(pc->bytes, 0x5a, len);
    return avps_pc_refused(pc, "status of a read that leaves memory",
                           avps_pc_read(pc, gpa, pc->bytes, len), AVPS_E_GUEST_ADDR) &&
           avps_pc_refused(pc, "status of a write that leaves memory",
                           avps_pc_write(pc, gpa, pc->bytes, len), AVPS_E_GUEST_ADDR);
}

static void case_crossing(struct avps_pc *pc)
{
    for (uint32_t i = 0; i < pc->target->span_count; i++) {
        const struct avps_pc_span *span = &pc->target->spans[i];
        const avps_gpa after = span->gpa + span->size;

        if (span->access == AVPS_ACCESS_RW && after != 0U && avps_pc_span_of(pc, after) == NULL &&
            (!range_is_refused(pc, after - 1U, 2) || !range_is_refused(pc, after - 100U, 200))) {
            return;
        }
    }
}

static void case_wrapping(struct avps_pc *pc)
{
    static const struct {
        avps_gpa gpa;
        uint32_t len;
    } ranges[] = {{UINT64_MAX, 2}, {UINT64_MAX - 6U, 8}, {UINT64_MAX - 63U, 4096}};

    for (size_t i = 0; i < PC_COUNT_OF(ranges); i++) {
        if (!range_is_refused(pc, ranges[i].gpa, ranges[i].len)) {
            return;
        }
    }
}

/* The span with just this access. */
static const struct avps_pc_span *span_with(const struct avps_pc *pc, uint32_t access)
{
    const struct avps_pc_span *found = NULL;

    for (uint32_t i = 0; i < pc->target->span_count && found == NULL; i++) {
        found = pc->target->spans[i].access == access ? &pc->target->spans[i] : NULL;
    }
    return found;
}

static void case_read_only(struct avps_pc *pc)
{
    const avps_gpa gpa = span_with(pc, AVPS_ACCESS_READ)->gpa;

    avps_pc_fill(pc, gpa, EDGE, 5);
    avps_pc_make(pc->bytes, gpa, EDGE, 6);
    avps_pc_gave(pc, "status of a write", avps_pc_write(pc, gpa, pc->bytes, EDGE),
                 AVPS_E_GUEST_ACCESS);
    avps_pc_true(pc, "nothing was written", avps_pc_holds(pc, gpa, EDGE, 5));
}

static void case_write_only(struct avps_pc *pc)
{
    const avps_gpa gpa = span_with(pc, AVPS_ACCESS_WRITE)->gpa;

    avps_pc_gave(pc, "status of a read", avps_pc_read(pc, gpa, pc->bytes, EDGE),
                 AVPS_E_GUEST_ACCESS);
}

/* ---- every length and alignment ---- */

#define ODD_AREA 96U

static bool odd_is_exact(struct avps_pc *pc, avps_gpa area, uint32_t off, uint32_t len)
{
    const avps_gpa gpa = area + off;

    avps_pc_fill(pc, area, ODD_AREA, 7);
    avps_pc_make(pc->bytes, gpa, len, 8);
    if (!avps_pc_gave(pc, "status of a write", avps_pc_write(pc, gpa, pc->bytes, len), AVPS_OK)) {
        return false;
    }
    (void)memset(pc->bytes, 0, sizeof pc->bytes);
    return avps_pc_true(pc, "bytes before the range are untouched",
                        avps_pc_holds(pc, area, off, 7)) &&
           avps_pc_true(pc, "the guest finds the bytes written", avps_pc_holds(pc, gpa, len, 8)) &&
           avps_pc_true(pc, "bytes after the range are untouched",
                        avps_pc_holds(pc, gpa + len, ODD_AREA - off - len, 7)) &&
           avps_pc_gave(pc, "status of a read", avps_pc_read(pc, gpa, pc->bytes, len), AVPS_OK) &&
           avps_pc_true(pc, "the bytes read are the guest's",
                        avps_pc_bytes_are(pc->bytes, gpa, len, 8)) &&
           avps_pc_equal(pc, "byte behind those asked for", pc->bytes[len], 0);
}

static void odd_area(struct avps_pc *pc, avps_gpa area)
{
    for (uint32_t off = 0; off < 9U; off++) {
        for (uint32_t len = 1; len <= 33U && pc->what == NULL; len++) {
            (void)odd_is_exact(pc, area, off, len);
        }
    }
}

/* In the middle of a page, and across two. */
static void case_odd(struct avps_pc *pc)
{
    odd_area(pc, pc->work + PC_SCRATCH + 64U);
    odd_area(pc, pc->work + PC_SCRATCH + 4096U - 20U);
}

static const struct pc_case cases[] = {
    {"both ends of every span of memory are read", "avps/mem.h: struct avps_mem", 0, case_reads},
    {"both ends of every span of memory are written", "avps/mem.h: struct avps_mem", 0,
     case_writes},
    {"a range across two adjacent spans is whole", "avps/mem.h: struct avps_mem", PC_ADJACENT,
     case_adjacent},
    {"a transfer of many pages is whole", "avps/mem.h: avps_mem_write", 0, case_bulk},
    {"every length and alignment is exact", "avps/mem.h: avps_mem_read", 0, case_odd},
    {"the bytes beside memory are refused", "avps/mem.h: AVPS_E_GUEST_ADDR", 0, case_closed},
    {"a range that leaves memory is refused", "avps/mem.h: AVPS_E_GUEST_ADDR", 0, case_crossing},
    {"a range that wraps is refused", "avps/mem.h: AVPS_E_GUEST_ADDR", 0, case_wrapping},
    {"memory that devices may only read is not written", "avps/mem.h: AVPS_E_GUEST_ACCESS",
     PC_READ_ONLY, case_read_only},
    {"memory that devices may only write is not read", "avps/mem.h: AVPS_E_GUEST_ACCESS",
     PC_ONE_WAY, case_write_only},
};

const struct pc_group avps_pc_mem_group = {cases, PC_COUNT_OF(cases)};
