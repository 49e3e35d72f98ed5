/* SPDX-License-Identifier: BSD-3-Clause */
/* A cache between the device and guest memory that the guest does not share: the device's pointers
 * lead to lines, which are filled by cache_inval and written back by cache_clean and by nothing else.
 *
 * - a missed inval before a read gives the device old bytes;
 * - a missed clean after a write leaves the driver's bytes as they were;
 * - a missed inval before a write that fills a line in part writes old bytes back over its neighbours
 *   (canaries), since lines go back as a whole.
 *
 * TEST_MEM_CACHED reaches rings through the lines too; TEST_MEM_NONCOHERENT pins them uncached. */
#ifndef TEST_SUPPORT_CACHE_H
#define TEST_SUPPORT_CACHE_H

#include "support/mem.h"

#define TEST_LINE 64U

struct test_cache {
    struct test_mem *mem;
    struct avps_mem_region region[TEST_REGIONS]; /* as the device sees them */
    uint8_t *lines[TEST_REGIONS];
    uint8_t *filled[TEST_REGIONS]; /* what each line held when it was filled or written back */
    unsigned int write_backs;
    unsigned int lost; /* invals of lines that were dirty */
    void (*on_write_back)(void *ctx);
    void *ctx;
};

/* The device's handle for `mem`, whose regions exist. */
struct test_cache *test_cache_new(struct test_mem *mem, bool cached_rings);
/* Checks that no line is dirty. */
void test_cache_free(struct test_cache *cache);

/* Lines that were written and not written back. */
unsigned int test_cache_dirty(const struct test_cache *cache);

#endif
