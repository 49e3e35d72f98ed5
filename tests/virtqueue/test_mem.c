/* SPDX-License-Identifier: BSD-3-Clause */
/* Guest memory: handles -> plain copies -> hooks -> contracts with parts missing -> a port that
 * breaks its own contract. */
#include "support/queue.h"

static uint8_t host[4096];

/* ---- handles ---- */

static void test_mem_refuses_bad_region_tables(void **state)
{
    const struct avps_mem_region good = {0x1000, 0x1000, host, AVPS_ACCESS_RW};
    struct avps_mem_region table[2] = {good, {0x2000, 0x800, host, AVPS_ACCESS_READ}};
    struct avps_mem mem;

    (void)state;
    assert_int_equal(avps_mem_init_regions(&mem, table, 2, NULL, NULL), AVPS_OK);
    assert_int_equal(avps_mem_init_regions(NULL, table, 2, NULL, NULL), AVPS_E_PARAM);
    assert_int_equal(avps_mem_init_regions(&mem, NULL, 2, NULL, NULL), AVPS_E_PARAM);
    assert_int_equal(avps_mem_init_regions(&mem, table, 0, NULL, NULL), AVPS_E_PARAM);
    assert_int_equal(avps_mem_init_regions(&mem, table, 0x80000001U, NULL, NULL), AVPS_E_PARAM);
    table[1].gpa = 0x1fff; /* overlap */
    assert_int_equal(avps_mem_init_regions(&mem, table, 2, NULL, NULL), AVPS_E_PARAM);
    table[1].gpa = 0x800; /* order */
    assert_int_equal(avps_mem_init_regions(&mem, table, 2, NULL, NULL), AVPS_E_PARAM);
    table[0].size = 0;
    assert_int_equal(avps_mem_init_regions(&mem, table, 1, NULL, NULL), AVPS_E_PARAM);
    table[0] = good;
    table[0].host = NULL;
    assert_int_equal(avps_mem_init_regions(&mem, table, 1, NULL, NULL), AVPS_E_PARAM);
    table[0] = good;
    table[0].access = 0;
    assert_int_equal(avps_mem_init_regions(&mem, table, 1, NULL, NULL), AVPS_E_PARAM);
    table[0].access = 4;
    assert_int_equal(avps_mem_init_regions(&mem, table, 1, NULL, NULL), AVPS_E_PARAM);
    table[0] = good;
    table[0].gpa = UINT64_MAX - 0xfffU; /* up to 2^64 */
    assert_int_equal(avps_mem_init_regions(&mem, table, 1, NULL, NULL), AVPS_OK);
    table[0].gpa++;
    assert_int_equal(avps_mem_init_regions(&mem, table, 1, NULL, NULL), AVPS_E_PARAM);
}

static enum avps_status dummy_translate(void *ctx, avps_gpa gpa, enum avps_access access,
                                        uint64_t *len, uint8_t **ptr)
{
    (void)ctx;
    (void)gpa;
    (void)access;
    *len = *len < 4U ? *len : 4U;
    *ptr = host;
    return AVPS_OK;
}

static enum avps_status dummy_map(void *ctx, struct avps_seg *segs, uint32_t count,
                                  uint32_t readable, uint64_t *handle)
{
    (void)ctx;
    (void)readable;
    for (uint32_t i = 0; i < count; i++) {
        segs[i].ptr = host;
    }
    *handle = 1;
    return AVPS_OK;
}

static void dummy_unmap(void *ctx, uint64_t handle, const struct avps_seg *segs, uint32_t count)
{
    (void)ctx;
    (void)segs;
    (void)count;
    assert_int_equal(handle, 1);
}

static enum avps_status dummy_pin(void *ctx, avps_gpa gpa, uint64_t len, enum avps_access access,
                                  uint8_t **ptr)
{
    (void)ctx;
    (void)access;
    (void)len;
    *ptr = gpa == 0x3000U ? NULL : host + (gpa & 0xfffU);
    return AVPS_OK;
}

static enum avps_status dummy_read(void *ctx, avps_gpa gpa, void *dst, size_t len)
{
    (void)ctx;
    (void)gpa;
    (void)memset(dst, 0x5a, len);
    return AVPS_OK;
}

static enum avps_status dummy_write(void *ctx, avps_gpa gpa, const void *src, size_t len)
{
    (void)ctx;
    (void)gpa;
    (void)src;
    (void)len;
    return AVPS_OK;
}

static void test_mem_refuses_incomplete_ops(void **state)
{
    const struct avps_mem_ops full = {
        .map = dummy_map, .unmap = dummy_unmap, .pin = dummy_pin, .read = dummy_read};
    struct avps_mem_ops ops = {.translate = dummy_translate};
    struct avps_mem mem;

    (void)state;
    assert_int_equal(avps_mem_init_ops(&mem, &ops, NULL), AVPS_OK);
    assert_int_equal(avps_mem_init_ops(NULL, &ops, NULL), AVPS_E_PARAM);
    assert_int_equal(avps_mem_init_ops(&mem, NULL, NULL), AVPS_E_PARAM);
    ops = (struct avps_mem_ops){.pin = dummy_pin};
    assert_int_equal(avps_mem_init_ops(&mem, &ops, NULL), AVPS_E_PARAM);
    ops = full;
    assert_int_equal(avps_mem_init_ops(&mem, &ops, NULL), AVPS_OK);
    ops.unmap = NULL;
    assert_int_equal(avps_mem_init_ops(&mem, &ops, NULL), AVPS_E_PARAM);
    ops = full;
    ops.map = NULL;
    assert_int_equal(avps_mem_init_ops(&mem, &ops, NULL), AVPS_E_PARAM);
    ops = full;
    ops.pin = NULL;
    assert_int_equal(avps_mem_init_ops(&mem, &ops, NULL), AVPS_E_PARAM);
    ops = full;
    ops.read = NULL;
    assert_int_equal(avps_mem_init_ops(&mem, &ops, NULL), AVPS_OK);
    ops = (struct avps_mem_ops){.translate = dummy_translate, .rings_uncached = true};
    assert_int_equal(avps_mem_init_ops(&mem, &ops, NULL), AVPS_E_PARAM);
    ops.pin = dummy_pin;
    assert_int_equal(avps_mem_init_ops(&mem, &ops, NULL), AVPS_OK);
    ops = (struct avps_mem_ops){.read = dummy_read};
    assert_int_equal(avps_mem_init_ops(&mem, &ops, NULL), AVPS_E_PARAM);
    ops.write = dummy_write;
    assert_int_equal(avps_mem_init_ops(&mem, &ops, NULL), AVPS_OK);
}

/* ---- plain copies ---- */

static void test_mem_copies_under_every_contract(void **state)
{
    (void)state;
    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        static uint8_t bytes[0x3000];
        struct test_mem mem;
        const bool maps = kind == TEST_MEM_MAP || kind == TEST_MEM_GRANTS;
        const enum avps_status want = maps ? AVPS_E_UNSUPPORTED : AVPS_OK;

        test_mem_init(&mem, (enum test_mem_kind)kind);
        const avps_gpa gpa = TEST_RAM_GPA + TEST_RAM_SIZE - 0x1800U; /* over a region border */
        (void)memset(bytes, 0x42, sizeof bytes);
        assert_int_equal(avps_mem_write(&mem.handle, gpa, bytes, sizeof bytes), want);
        assert_true(test_mem_is(&mem, gpa, want == AVPS_OK ? 0x42 : 0, 0x1800));
        test_mem_put(&mem, gpa + 0x1700U, "0123", 4);
        (void)memset(bytes, 0, sizeof bytes);
        assert_int_equal(avps_mem_read(&mem.handle, gpa, bytes, sizeof bytes), AVPS_OK);
        assert_memory_equal(bytes + 0x1700, "0123", 4);
        assert_int_equal(avps_mem_read(&mem.handle, TEST_HOLE_GPA, bytes, 0), AVPS_OK);
        assert_int_equal(avps_mem_write(&mem.handle, TEST_HOLE_GPA, NULL, 0), AVPS_OK);
        assert_int_equal(avps_mem_read(&mem.handle, TEST_HOLE_GPA, NULL, 0), AVPS_OK);
        test_mem_free(&mem);
    }
}

/* (d) row 15, I2 */
static void test_mem_copies_only_allowed_ranges(void **state)
{
    static const avps_gpa outside[] = {0, TEST_RAM_GPA - 1U, TEST_HOLE_GPA,
                                       TEST_HIGH_GPA + TEST_HIGH_SIZE - 8U, UINT64_MAX - 14U};

    (void)state;
    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct test_mem mem;
        uint8_t bytes[16] = {0};
        const bool no_write = kind == TEST_MEM_MAP || kind == TEST_MEM_GRANTS;

        test_mem_init(&mem, (enum test_mem_kind)kind);
        for (size_t i = 0; i < 5U; i++) {
            assert_int_equal(avps_mem_read(&mem.handle, outside[i], bytes, 16), AVPS_E_GUEST_ADDR);
            assert_int_equal(avps_mem_write(&mem.handle, outside[i], bytes, 16),
                             no_write && i != 4U ? AVPS_E_UNSUPPORTED : AVPS_E_GUEST_ADDR);
        }
        assert_int_equal(avps_mem_read(&mem.handle, TEST_WOM_GPA, bytes, 16), AVPS_E_GUEST_ACCESS);
        assert_int_equal(avps_mem_write(&mem.handle, TEST_ROM_GPA, bytes, 16),
                         no_write ? AVPS_E_UNSUPPORTED : AVPS_E_GUEST_ACCESS);
        assert_int_equal(avps_mem_read(NULL, TEST_RAM_GPA, bytes, 1), AVPS_E_PARAM);
        assert_int_equal(avps_mem_read(&mem.handle, TEST_RAM_GPA, NULL, 1), AVPS_E_PARAM);
        assert_int_equal(avps_mem_write(NULL, TEST_RAM_GPA, bytes, 1), AVPS_E_PARAM);
        assert_int_equal(avps_mem_write(&mem.handle, TEST_RAM_GPA, NULL, 1), AVPS_E_PARAM);
        assert_true(test_mem_is(&mem, TEST_ROM_GPA, 0, 16));
        test_mem_free(&mem);
    }
}

/* Rows are found by bisection, whatever was looked up before. */
static void test_mem_finds_every_row_of_a_table(void **state)
{
    enum { ROWS = 13 };
    static uint8_t rows[ROWS][16];
    struct avps_mem_region table[ROWS];
    struct avps_mem mem;
    uint8_t byte = 0;

    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        rows[i][5] = (uint8_t)(i + 1U);
        table[i] = (struct avps_mem_region){0x100U * (i + 1U), 16, rows[i], AVPS_ACCESS_RW};
    }
    assert_int_equal(avps_mem_init_regions(&mem, table, ROWS, NULL, NULL), AVPS_OK);
    for (size_t i = 0; i < ROWS * ROWS; i++) {
        const size_t row = i * 7U % ROWS;
        assert_int_equal(avps_mem_read(&mem, 0x100U * (row + 1U) + 5U, &byte, 1), AVPS_OK);
        assert_int_equal(byte, row + 1U);
        assert_int_equal(avps_mem_read(&mem, 0x100U * (row + 1U) + 16U, &byte, 1),
                         AVPS_E_GUEST_ADDR);
    }
}

/* ---- hooks ---- */

/* dirty names what was written, cache_clean follows a write, cache_inval comes before a read. */
static void test_mem_hooks_see_every_access(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_HOOKS, 8);
    const avps_gpa gpa = test_mem_alloc(&q->mem, 64, 1);
    const struct test_desc table[] = {{gpa, 16, 0}, {gpa + 16U, 48, TEST_WRITE}};
    const uint16_t id = test_ring_add(&q->ring, table, 2);

    assert_null(q->vq.desc.fast); /* memory with hooks is never accessed behind their back */
    const unsigned int invals = q->mem.invals;
    struct avps_chain *chain = test_vq_take(q, 0);
    assert_true(q->mem.invals > invals + 1U);
    const unsigned int cleans = q->mem.cleans;
    const uint64_t dirty = q->mem.dirty_bytes;
    assert_int_equal(avps_chain_write(chain, "dirty", 5), AVPS_OK);
    (void)test_vq_finish(q, 0);
    assert_true(q->mem.cleans > cleans);
    assert_true(q->mem.dirty_bytes >= dirty + 5U);
    test_vq_expect_used(q, id, 5);
    const unsigned int dirties = q->mem.dirties;
    assert_int_equal(avps_mem_write(&q->mem.handle, gpa, "x", 1), AVPS_OK);
    assert_int_equal(q->mem.dirties, dirties + 1U);
    assert_int_equal(avps_mem_write(&q->mem.handle, TEST_HOLE_GPA, "x", 1), AVPS_E_GUEST_ADDR);
    assert_int_equal(q->mem.dirties, dirties + 1U);
    test_vq_free(q);
}

/* I17, I19: mapped chains are unmapped exactly once, whatever becomes of them */
static void test_mem_unmaps_every_chain_once(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_MAP, 8);
    const avps_gpa gpa = test_mem_alloc(&q->mem, 8, 1);
    const struct test_desc table[] = {{gpa, 8, 0}};
    const struct test_desc bad[] = {{gpa, 8, 0}, {TEST_HOLE_GPA, 8, TEST_WRITE}};

    for (int i = 0; i < 3; i++) {
        (void)test_ring_add(&q->ring, table, 1);
        (void)test_vq_take(q, (size_t)i);
    }
    assert_int_equal(test_mem_live_maps(&q->mem), 3);
    avps_vq_unpop(&q->vq, &q->chain[2]);
    assert_int_equal(test_mem_live_maps(&q->mem), 2);
    (void)test_vq_finish(q, 0);
    assert_int_equal(test_mem_live_maps(&q->mem), 1);
    avps_vq_drop(&q->vq, &q->chain[1]);
    assert_int_equal(test_mem_live_maps(&q->mem), 0);
    test_vq_restart(q);
    (void)test_ring_add(&q->ring, bad, 2);
    test_vq_expect_fault(q, AVPS_E_GUEST_ADDR); /* all or nothing */
    test_vq_free(q);
}

/* ---- contracts with parts missing ---- */

/* The ring's own memory, as the ops below see it. */
static struct test_mem *the_mem;

static enum avps_status plain_translate(void *ctx, avps_gpa gpa, enum avps_access access,
                                        uint64_t *len, uint8_t **ptr)
{
    (void)ctx;
    (void)access;
    (void)len; /* all of it */
    if (gpa < TEST_RAM_GPA || gpa - TEST_RAM_GPA >= TEST_RAM_SIZE) {
        return AVPS_E_GUEST_ADDR;
    }
    *ptr = test_mem_host(the_mem, gpa, 1);
    return AVPS_OK;
}

/* translate without pin: rings are translated once, too */
static void test_mem_translate_without_pin_serves_rings(void **state)
{
    static const struct avps_mem_ops ops = {.translate = plain_translate};
    struct test_vq *q = test_vq_new(state, TEST_MEM_REGIONS, 8);

    the_mem = &q->mem;
    assert_int_equal(avps_mem_init_ops(&q->mem.handle, &ops, NULL), AVPS_OK);
    test_vq_enable(q);
    assert_non_null(q->vq.desc.fast);
    for (int i = 0; i < 20; i++) {
        test_vq_round(q);
    }
    test_vq_free(q);
}

/* Host memory that is not aligned as the guest's: accesses go through copies. */
static void test_mem_unaligned_host_memory_works(void **state)
{
    static uint8_t space[65536 + 1];
    struct test_vq *q = test_vq_new(state, TEST_MEM_REGIONS, 8);
    uint8_t *odd = space + (1U - ((uintptr_t)space & 1U)); /* an odd address */
    const struct avps_mem_region region = {TEST_RAM_GPA, 65536, odd, AVPS_ACCESS_RW};
    struct avps_mem_region saved = q->mem.region[0];

    (void)memset(odd, 0, 65536);
    q->mem.region[0] = region; /* the driver sees the same bytes */
    assert_int_equal(avps_mem_init_regions(&q->mem.handle, q->mem.region, 1, NULL, NULL), AVPS_OK);
    test_vq_enable(q);
    assert_null(q->vq.desc.fast);
    assert_non_null(q->vq.desc.ptr);
    const struct test_desc table[] = {{TEST_RAM_GPA + 0x8001U, 9, TEST_WRITE}};
    for (int i = 0; i < 20; i++) {
        const uint16_t id = test_ring_add(&q->ring, table, 1);
        assert_int_equal(avps_chain_write(test_vq_take(q, 0), "unaligned", 9), AVPS_OK);
        assert_true(test_vq_finish(q, 0));
        test_vq_expect_used(q, id, 9);
        assert_memory_equal(odd + 0x8001U, "unaligned", 9);
    }
    avps_vq_disable(&q->vq);
    q->mem.region[0] = saved;
    test_vq_free(q);
}

/* ---- ports that break the contract ---- */

static uint64_t bad_len;
static uint8_t *bad_ptr;

static enum avps_status bad_translate(void *ctx, avps_gpa gpa, enum avps_access access,
                                      uint64_t *len, uint8_t **ptr)
{
    (void)ctx;
    (void)gpa;
    (void)access;
    *len = bad_len;
    *ptr = bad_ptr;
    return AVPS_OK;
}

/* A translate that gives nothing, too much, or no pointer is an error, not a loop. */
static void test_mem_distrusts_translate(void **state)
{
    static const struct avps_mem_ops ops = {.translate = bad_translate};
    struct avps_mem mem;
    uint8_t bytes[8];

    (void)state;
    assert_int_equal(avps_mem_init_ops(&mem, &ops, NULL), AVPS_OK);
    bad_ptr = host;
    bad_len = 0;
    assert_int_equal(avps_mem_read(&mem, 0, bytes, 8), AVPS_E_IO);
    bad_len = 9;
    assert_int_equal(avps_mem_read(&mem, 0, bytes, 8), AVPS_E_IO);
    bad_len = 8;
    assert_int_equal(avps_mem_read(&mem, 0, bytes, 8), AVPS_OK);
    bad_ptr = NULL;
    assert_int_equal(avps_mem_read(&mem, 0, bytes, 8), AVPS_E_IO);
}

static void test_mem_distrusts_pin(void **state)
{
    static const struct avps_mem_ops ops = {
        .map = dummy_map, .unmap = dummy_unmap, .pin = dummy_pin, .read = dummy_read};
    static struct avps_vq vq;
    struct avps_mem mem;
    struct avps_vq_config config = {.size = 8,
                                    .desc = 0x1000,
                                    .driver = 0x2100,
                                    .device = 0x2200,
                                    .packed = test_is_packed(state),
                                    .avail_wrap = true,
                                    .used_wrap = true};

    assert_int_equal(avps_mem_init_ops(&mem, &ops, NULL), AVPS_OK);
    assert_int_equal(avps_vq_enable(&vq, &mem, &config), AVPS_OK);
    avps_vq_disable(&vq); /* without unpin: fine */
    config.device = 0x3000;
    assert_int_equal(avps_vq_enable(&vq, &mem, &config), AVPS_E_IO);
    assert_false(vq.live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mem_refuses_bad_region_tables),
        cmocka_unit_test(test_mem_refuses_incomplete_ops),
        cmocka_unit_test(test_mem_copies_under_every_contract),
        cmocka_unit_test(test_mem_copies_only_allowed_ranges),
        cmocka_unit_test(test_mem_finds_every_row_of_a_table),
        TEST_BOTH(test_mem_hooks_see_every_access, NULL, NULL),
        TEST_BOTH(test_mem_unmaps_every_chain_once, NULL, NULL),
        TEST_BOTH(test_mem_translate_without_pin_serves_rings, NULL, NULL),
        TEST_BOTH(test_mem_unaligned_host_memory_works, NULL, NULL),
        cmocka_unit_test(test_mem_distrusts_translate),
        TEST_BOTH(test_mem_distrusts_pin, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
