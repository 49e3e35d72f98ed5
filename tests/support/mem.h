/* SPDX-License-Identifier: BSD-3-Clause */
/* Guest memories for tests: one address map behind every memory contract.
 *
 *   RAM (1 MiB by default) | SECOND (adjacent in guest space, elsewhere in the host) | hole |
 *   ROM (devices may only read) | hole | WOM (devices may only write) | hole | HIGH (over 4 GiB) |
 *   hole | TOP (ends at 2^64)
 *
 *     struct test_mem mem;
 *     test_mem_init(&mem, TEST_MEM_MAP);
 *     avps_gpa gpa = test_mem_alloc(&mem, 512, 16);   // canaries on both sides
 *     ... config.mem = &mem.handle ...
 *     test_mem_free(&mem);                            // checks canaries, maps, pins
 *
 * Everything is little-endian in guest memory and independent of the host's order. */
#ifndef TEST_SUPPORT_MEM_H
#define TEST_SUPPORT_MEM_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "avps/mem.h"

/* Contracts. Loop from 0 to TEST_MEM_KINDS for all that behave alike. */
enum test_mem_kind {
    TEST_MEM_REGIONS,     /* region table, inlined translation */
    TEST_MEM_HOOKS,       /* region table with dirty, cache_clean, cache_inval; rings are pinned */
    TEST_MEM_NONCOHERENT, /* region table behind a cache of its own (cache.h); rings are uncached */
    TEST_MEM_TRANSLATE,   /* translate, clipped at page borders; rings are pinned */
    TEST_MEM_MAP,         /* map, unmap, pin, read: every map is a fresh copy, put back at unmap */
    TEST_MEM_COPY,        /* read and write only */
    TEST_MEM_GRANTS,      /* map, unmap, pin: as MAP, and indirect tables are pinned */
    TEST_MEM_KINDS,
    TEST_MEM_CACHED, /* the same, rings too: no packed ones */
    TEST_MEM_IOTLB,  /* an IOMMU whose answers may be late (iommu.h) */
    TEST_MEM_WINDOW, /* of all this only TEST_RAM is shared */
    TEST_MEM_STREAM /* read answers from `stream` (then zeros) for any address; writes are dropped */
};

#define TEST_RAM_GPA  UINT64_C(0x00100000)
#define TEST_ROM_GPA  UINT64_C(0x80000000)
#define TEST_WOM_GPA  UINT64_C(0x90000000)
#define TEST_HIGH_GPA UINT64_C(0x100000000)
#define TEST_TOP_GPA  UINT64_C(0xfffffffffffff000)
#define TEST_HOLE_GPA UINT64_C(0xc0000000) /* nothing here */

#define TEST_RAM_SIZE    0x100000U
#define TEST_SECOND_SIZE 0x10000U
#define TEST_ROM_SIZE    0x1000U
#define TEST_WOM_SIZE    0x1000U
#define TEST_HIGH_SIZE   0x10000U
#define TEST_TOP_SIZE    0x1000U
#define TEST_PAGE        4096U

#define TEST_REGIONS     6U
#define TEST_RACES       8U
#define TEST_CANARY      0xa5U
#define TEST_UNWRITTEN   0xc3U /* what test_mem_alloc fills buffers with */
#define TEST_CANARY_SIZE 16U

struct test_cache;
struct test_iommu;

/* Fails the n-th call of whatever asks test_fail_step. */
struct test_fail {
    unsigned int calls;      /* asked so far */
    unsigned int at;         /* fail when `calls` reaches this; 0: never */
    unsigned int times;      /* how often from there on; 0 means once */
    enum avps_status status; /* with this */
};

/* Count one call. @return the status to fail with, or AVPS_OK. */
enum avps_status test_fail_step(struct test_fail *fail);

/* Arm: the n-th call from now on (1: the next) fails with `status`, once. */
void test_fail_at(struct test_fail *fail, unsigned int n, enum avps_status status);

struct test_buffer {
    avps_gpa gpa;
    uint32_t len;
};

/* Bytes that change right after each read of them (TEST_MEM_COPY). */
struct test_race {
    avps_gpa gpa;
    uint32_t len;
    uint8_t *reads; /* per byte */
};

/* One live map of TEST_MEM_MAP. */
struct test_map {
    bool live;
    uint32_t count;
    uint32_t readable;
    uint8_t **copies;
    struct avps_seg *segs;
};

struct test_mem {
    struct avps_mem handle; /* for the library */
    enum test_mem_kind kind;
    struct avps_mem_region region[TEST_REGIONS];
    uint8_t *block[TEST_REGIONS];  /* host memory with canaries around */
    uint8_t *frozen[TEST_REGIONS]; /* test_mem_freeze */
    struct test_cache *cache;      /* TEST_MEM_NONCOHERENT, TEST_MEM_CACHED */
    struct test_iommu *iommu;      /* TEST_MEM_IOTLB */
    uint32_t ram_size;
    avps_gpa next; /* allocator */
    struct test_buffer *buffers;
    size_t buffer_count;
    size_t buffer_cap;
    struct test_race races[TEST_RACES];
    size_t race_count;
    struct test_map *maps;
    size_t map_count;
    const uint8_t *stream;
    size_t stream_len;
    size_t stream_pos;
    struct test_fail fail; /* every fallible op asks it */
    unsigned int reads;    /* calls of read */
    unsigned int writes;   /* calls of write */
    unsigned int translates;
    unsigned int map_calls; /* successful ones */
    unsigned int unmap_calls;
    unsigned int pins;
    uint8_t *pin_copy; /* a scattered range that is pinned */
    unsigned int unpins;
    unsigned int cleans;
    unsigned int invals;
    unsigned int dirties;
    uint64_t dirty_bytes;
    unsigned int rereads; /* racing bytes that were read more than once */
};

void test_mem_init(struct test_mem *mem, enum test_mem_kind kind);
void test_mem_init_sized(struct test_mem *mem, enum test_mem_kind kind, uint32_t ram_size);

/* Checks all canaries; that nothing is mapped or pinned; frees. */
void test_mem_free(struct test_mem *mem);

/* Check canaries now. */
void test_mem_check(const struct test_mem *mem);

/* Maps that are live. */
unsigned int test_mem_live_maps(const struct test_mem *mem);

/* RAM with canaries around, filled with TEST_UNWRITTEN. Fails the test when full. */
avps_gpa test_mem_alloc(struct test_mem *mem, uint32_t len, uint32_t align);

/* Give back everything allocated since test_mem_mark (checks its canaries). */
size_t test_mem_mark(const struct test_mem *mem);
void test_mem_rewind(struct test_mem *mem, size_t mark);

/* The driver's own accesses: any region, whatever devices may do there. */
uint8_t *test_mem_host(const struct test_mem *mem, avps_gpa gpa, uint64_t len);
void test_mem_put(struct test_mem *mem, avps_gpa gpa, const void *bytes, size_t len);
void test_mem_get(const struct test_mem *mem, avps_gpa gpa, void *bytes, size_t len);
void test_mem_fill(struct test_mem *mem, avps_gpa gpa, uint8_t byte, size_t len);
void test_mem_put16(struct test_mem *mem, avps_gpa gpa, uint16_t value);
void test_mem_put32(struct test_mem *mem, avps_gpa gpa, uint32_t value);
void test_mem_put64(struct test_mem *mem, avps_gpa gpa, uint64_t value);
uint16_t test_mem_get16(const struct test_mem *mem, avps_gpa gpa);
uint32_t test_mem_get32(const struct test_mem *mem, avps_gpa gpa);
uint64_t test_mem_get64(const struct test_mem *mem, avps_gpa gpa);

/* Whether all `len` bytes have the value. */
bool test_mem_is(const struct test_mem *mem, avps_gpa gpa, uint8_t byte, size_t len);

/* Remember all of guest memory; then count bytes changed since, outside `allowed`. */
void test_mem_freeze(struct test_mem *mem);
size_t test_mem_changed(const struct test_mem *mem, const struct test_buffer *allowed,
                        size_t count);

/* Put back what test_mem_freeze remembered. */
void test_mem_thaw(struct test_mem *mem);

/* TEST_MEM_COPY: each byte of the range changes after each read of it; see `rereads`. */
void test_mem_race(struct test_mem *mem, avps_gpa gpa, uint32_t len);

#endif
