/* SPDX-License-Identifier: BSD-3-Clause */
/* A cache that the guest does not share: lines -> the ops -> life. */
#include "support/cache.h"

/* ---- lines ---- */

static uint8_t *cache_memory(const struct test_cache *cache, size_t region, size_t off)
{
    return cache->mem->region[region].host + off;
}

static bool line_is_dirty(const struct test_cache *cache, size_t region, size_t off)
{
    return memcmp(cache->lines[region] + off, cache->filled[region] + off, TEST_LINE) != 0;
}

static void line_write_back(struct test_cache *cache, size_t region, size_t off)
{
    if (!line_is_dirty(cache, region, off)) {
        return;
    }
    if (cache->on_write_back != NULL) {
        cache->on_write_back(cache->ctx);
    }
    (void)memcpy(cache_memory(cache, region, off), cache->lines[region] + off, TEST_LINE);
    (void)memcpy(cache->filled[region] + off, cache->lines[region] + off, TEST_LINE);
    cache->write_backs++;
}

static void line_fill(struct test_cache *cache, size_t region, size_t off)
{
    if (line_is_dirty(cache, region, off)) {
        cache->lost++;
        line_write_back(cache, region, off);
    }
    (void)memcpy(cache->lines[region] + off, cache_memory(cache, region, off), TEST_LINE);
    (void)memcpy(cache->filled[region] + off, cache->lines[region] + off, TEST_LINE);
}

/* The region that a device's pointer is in; it must be one. */
static size_t cache_region(const struct test_cache *cache, const uint8_t *ptr, size_t len)
{
    size_t i = 0;

    while (i < TEST_REGIONS &&
           ((uintptr_t)ptr < (uintptr_t)cache->lines[i] ||
            (uintptr_t)ptr - (uintptr_t)cache->lines[i] >= cache->region[i].size)) {
        i++;
    }
    assert_true(i < TEST_REGIONS);
    assert_true(len != 0U && len <= cache->region[i].size - (size_t)(ptr - cache->lines[i]));
    return i;
}

static void cache_each_line(struct test_cache *cache, const uint8_t *ptr, size_t len,
                            void (*act)(struct test_cache *, size_t, size_t))
{
    const size_t region = cache_region(cache, ptr, len);
    const size_t first = (size_t)(ptr - cache->lines[region]) / TEST_LINE * TEST_LINE;

    for (size_t off = first; off < (size_t)(ptr - cache->lines[region]) + len; off += TEST_LINE) {
        act(cache, region, off);
    }
}

unsigned int test_cache_dirty(const struct test_cache *cache)
{
    unsigned int dirty = 0;

    for (size_t i = 0; i < TEST_REGIONS; i++) {
        for (size_t off = 0; off < cache->region[i].size; off += TEST_LINE) {
            dirty += line_is_dirty(cache, i, off) ? 1U : 0U;
        }
    }
    return dirty;
}

/* ---- the ops ---- */

static void op_clean(void *ctx, const uint8_t *ptr, size_t len)
{
    struct test_cache *cache = ctx;

    cache->mem->cleans++;
    cache_each_line(cache, ptr, len, line_write_back);
}

static void op_inval(void *ctx, const uint8_t *ptr, size_t len)
{
    struct test_cache *cache = ctx;

    cache->mem->invals++;
    cache_each_line(cache, ptr, len, line_fill);
}

/* Uncached: memory itself. */
static enum avps_status op_pin(void *ctx, avps_gpa gpa, uint64_t len, enum avps_access access,
                               uint8_t **ptr)
{
    struct test_cache *cache = ctx;
    const enum avps_status status = test_fail_step(&cache->mem->fail);

    for (size_t i = 0; status == AVPS_OK && i < TEST_REGIONS; i++) {
        const struct avps_mem_region *region = &cache->region[i];

        if (gpa - region->gpa < region->size && len <= region->size - (gpa - region->gpa)) {
            if ((region->access & (uint32_t)access) != (uint32_t)access) {
                return AVPS_E_GUEST_ACCESS;
            }
            *ptr = cache_memory(cache, i, (size_t)(gpa - region->gpa));
            cache->mem->pins++;
            return AVPS_OK;
        }
    }
    return status == AVPS_OK ? AVPS_E_GUEST_ADDR : status;
}

static void op_unpin(void *ctx, avps_gpa gpa, uint64_t len, uint8_t *ptr)
{
    struct test_cache *cache = ctx;

    assert_ptr_equal(ptr, test_mem_host(cache->mem, gpa, len));
    cache->mem->unpins++;
}

static const struct avps_mem_ops cached_ops = {.cache_clean = op_clean, .cache_inval = op_inval};
static const struct avps_mem_ops uncached_ops = {.cache_clean = op_clean,
                                                 .cache_inval = op_inval,
                                                 .pin = op_pin,
                                                 .unpin = op_unpin,
                                                 .rings_uncached = true};

/* ---- life ---- */

struct test_cache *test_cache_new(struct test_mem *mem, bool cached_rings)
{
    struct test_cache *cache = calloc(1, sizeof *cache);

    assert_non_null(cache);
    cache->mem = mem;
    for (size_t i = 0; i < TEST_REGIONS; i++) {
        const size_t size = (size_t)mem->region[i].size;

        assert_int_equal(size % TEST_LINE, 0);
        cache->lines[i] = malloc(size);
        cache->filled[i] = malloc(size);
        assert_true(cache->lines[i] != NULL && cache->filled[i] != NULL);
        (void)memset(cache->lines[i], 0xee, size); /* from an earlier life */
        (void)memset(cache->filled[i], 0xee, size);
        cache->region[i] = mem->region[i];
        cache->region[i].host = cache->lines[i];
    }
    assert_int_equal(avps_mem_init_regions(&mem->handle, cache->region, TEST_REGIONS,
                                           cached_rings ? &cached_ops : &uncached_ops, cache),
                     AVPS_OK);
    return cache;
}

void test_cache_free(struct test_cache *cache)
{
    assert_int_equal(test_cache_dirty(cache), 0);
    for (size_t i = 0; i < TEST_REGIONS; i++) {
        free(cache->lines[i]);
        free(cache->filled[i]);
    }
    free(cache);
}
