/* SPDX-License-Identifier: BSD-3-Clause */
/* Grants: batches, refusals, rings; the kernel's table says what is mapped. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "avps_xen/memory.h"
#include "double.h"

#define LIMIT 8U

static struct avps_xen_grants grants;
static uint32_t refs[LIMIT];
static struct avps_mem mem;

static int setup(void **state)
{
    (void)state;
    double_init();
    for (uint32_t i = 0; i < DOUBLE_GRANTS; i++) {
        xen.grants[i] = (struct double_grant){.granted = i < 32U, .page = 599U - i * 3U};
    }
    grants = (struct avps_xen_grants){
        .handle = (void *)&xen, .domain = DOUBLE_DOMAIN, .limit = LIMIT, .refs = refs};
    assert_int_equal(avps_xen_grants_mem(&grants, &mem), AVPS_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(grants.pages.live, double_mapped());
    double_free();
    return 0;
}

static avps_gpa address(uint64_t ref, uint32_t offset)
{
    return AVPS_XEN_GRANT_ADDRESS | ref << 12 | offset;
}

static enum avps_status map(struct avps_seg *segs, uint32_t count, uint32_t readable,
                            uint64_t *handle)
{
    return mem.ops->map(mem.ctx, segs, count, readable, handle);
}

static uint8_t *page_of(uint32_t ref)
{
    return xen.ram + (size_t)xen.grants[ref].page * DOUBLE_PAGE;
}

/* Two readable segments, one across pages, and a writable one: two calls. */
static void test_maps_a_chain_by_two_calls(void **state)
{
    struct avps_seg segs[] = {
        {NULL, address(4, 16), 16}, {NULL, address(10, 4000), 5000}, {NULL, address(20, 1), 1}};
    uint64_t handle = 0;

    (void)state;
    (void)memset(page_of(4) + 16, 0x44, 16);
    (void)memset(page_of(10) + 4000, 0x10, 96);
    (void)memset(page_of(11), 0x11, 4096);
    (void)memset(page_of(12), 0x12, 808);
    assert_int_equal(map(segs, 3, 2, &handle), AVPS_OK);
    assert_int_equal(xen.grant_calls, 2);
    assert_int_equal(double_mapped(), 5);
    assert_int_equal(segs[0].ptr[15], 0x44);
    assert_int_equal(segs[1].ptr[95], 0x10);
    assert_int_equal(segs[1].ptr[96], 0x11);
    assert_int_equal(segs[1].ptr[4999], 0x12);
    segs[2].ptr[0] = 0x99;
    assert_int_equal(page_of(20)[1], 0x99);
    mem.ops->unmap(mem.ctx, handle, segs, 3);
    assert_int_equal(double_mapped(), 0);
    assert_int_equal(xen.grant_pages, 0);
    assert_int_equal(grants.pages.peak, 5);
    assert_int_equal(grants.pages.calls, 4);
}

static void test_maps_a_chain_of_one_direction_by_one_call(void **state)
{
    struct avps_seg segs[] = {{NULL, address(4, 0), 4096}, {NULL, address(6, 0), 1}};
    uint64_t handle = 0;

    (void)state;
    assert_int_equal(map(segs, 2, 0, &handle), AVPS_OK);
    assert_int_equal(xen.grant_calls, 1);
    mem.ops->unmap(mem.ctx, handle, segs, 2);
    assert_int_equal(map(segs, 2, 2, &handle), AVPS_OK);
    assert_int_equal(xen.grant_calls, 2);
    mem.ops->unmap(mem.ctx, handle, segs, 2);
    assert_int_equal(double_mapped(), 0);
}

static void test_keeps_chains_apart(void **state)
{
    struct avps_seg one[] = {{NULL, address(1, 0), 8}};
    struct avps_seg two[] = {{NULL, address(2, 0), 8}};
    uint64_t handles[2];

    (void)state;
    assert_int_equal(map(one, 1, 1, &handles[0]), AVPS_OK);
    assert_int_equal(map(two, 1, 0, &handles[1]), AVPS_OK);
    mem.ops->unmap(mem.ctx, handles[0], one, 1);
    two[0].ptr[7] = 0x22; /* still there */
    assert_int_equal(page_of(2)[7], 0x22);
    mem.ops->unmap(mem.ctx, handles[1], two, 1);
}

/* Read-only grants serve what the device reads, not what it writes. */
static void test_asks_for_no_more_than_it_needs(void **state)
{
    struct avps_seg segs[] = {{NULL, address(3, 0), 8}};
    uint64_t handle = 0;

    (void)state;
    xen.grants[3].read_only = true;
    assert_int_equal(map(segs, 1, 0, &handle), AVPS_E_GUEST_ACCESS);
    assert_int_equal(map(segs, 1, 1, &handle), AVPS_OK);
    mem.ops->unmap(mem.ctx, handle, segs, 1);
}

static void test_maps_nothing_of_a_chain_with_a_bad_grant(void **state)
{
    struct avps_seg segs[] = {{NULL, address(4, 0), 8}, {NULL, address(31, 4095), 2}};
    uint64_t handle = 0;

    (void)state;
    assert_int_equal(map(segs, 2, 1, &handle), AVPS_E_GUEST_ACCESS); /* 32 is not granted */
    assert_int_equal(double_mapped(), 0);
    assert_int_equal(grants.pages.live, 0);
    assert_int_equal(grants.pages.refused, 1);
}

static void test_refuses_addresses_that_are_no_grants(void **state)
{
    const avps_gpa bad[] = {0,
                            0x40000000,
                            AVPS_XEN_GRANT_ADDRESS | (avps_gpa)1 << 44,
                            address(UINT32_MAX, 4095),
                            UINT64_MAX,
                            ~AVPS_XEN_GRANT_ADDRESS};
    uint64_t handle = 0;
    uint8_t *ptr = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct avps_seg seg = {NULL, bad[i], 2};

        assert_int_equal(map(&seg, 1, 1, &handle), AVPS_E_GUEST_ADDR);
        assert_int_equal(mem.ops->pin(mem.ctx, bad[i], 2, AVPS_ACCESS_RW, &ptr), AVPS_E_GUEST_ADDR);
    }
    assert_int_equal(xen.grant_calls, 0);
}

/* Sixteen segments of 4 GiB each: refused by their number of pages, before any call. */
static void test_bounds_the_pages_of_a_chain(void **state)
{
    struct avps_seg segs[16];
    uint64_t handle = 0;

    (void)state;
    for (uint32_t i = 0; i < 16U; i++) {
        segs[i] = (struct avps_seg){NULL, address(0, 0), UINT32_MAX};
    }
    assert_int_equal(map(segs, 16, 16, &handle), AVPS_E_GUEST_ADDR);
    for (uint32_t i = 0; i < 16U; i++) {
        segs[i] = (struct avps_seg){NULL, address(i, 0), 1};
    }
    assert_int_equal(map(segs, LIMIT + 1U, LIMIT + 1U, &handle), AVPS_E_GUEST_ADDR);
    assert_int_equal(xen.grant_calls, 0);
    assert_int_equal(map(segs, LIMIT, LIMIT, &handle), AVPS_OK);
    mem.ops->unmap(mem.ctx, handle, segs, LIMIT);
}

static void test_waits_when_the_host_is_short_of_room(void **state)
{
    struct avps_seg segs[] = {{NULL, address(4, 0), 8}};
    uint64_t handle = 0;

    (void)state;
    xen.grant_errno = ENOMEM;
    assert_int_equal(map(segs, 1, 1, &handle), AVPS_AGAIN);
    xen.grant_errno = EPERM;
    assert_int_equal(map(segs, 1, 1, &handle), AVPS_E_IO);
    assert_int_equal(grants.pages.refused, 0);
}

static void test_pins_a_ring_until_it_is_given_back(void **state)
{
    uint8_t *ring = NULL;
    uint8_t *used = NULL;

    (void)state;
    assert_int_equal(mem.ops->pin(mem.ctx, address(8, 512), 8000, AVPS_ACCESS_READ, &ring),
                     AVPS_OK);
    assert_int_equal(mem.ops->pin(mem.ctx, address(8, 64), 4, AVPS_ACCESS_RW, &used), AVPS_OK);
    assert_int_equal(grants.pages.live, 4);
    used[0] = 0x12;
    assert_int_equal(page_of(8)[64], 0x12);
    page_of(9)[0] = 0x34;
    assert_int_equal(ring[4096 - 512], 0x34);
    mem.ops->unpin(mem.ctx, address(8, 512), 8000, ring);
    mem.ops->unpin(mem.ctx, address(8, 64), 4, used);
    assert_int_equal(double_mapped(), 0);
}

/* What Xen did not let go of is still counted. */
static void test_counts_what_could_not_be_unmapped(void **state)
{
    struct avps_seg segs[] = {{NULL, address(4, 0), 8}};
    uint64_t handle = 0;

    (void)state;
    assert_int_equal(map(segs, 1, 1, &handle), AVPS_OK);
    xen.unmap_errno = EBUSY;
    mem.ops->unmap(mem.ctx, handle, segs, 1);
    assert_int_equal(grants.pages.live, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_maps_a_chain_by_two_calls),
        TEST(test_maps_a_chain_of_one_direction_by_one_call),
        TEST(test_keeps_chains_apart),
        TEST(test_asks_for_no_more_than_it_needs),
        TEST(test_maps_nothing_of_a_chain_with_a_bad_grant),
        TEST(test_refuses_addresses_that_are_no_grants),
        TEST(test_bounds_the_pages_of_a_chain),
        TEST(test_waits_when_the_host_is_short_of_room),
        TEST(test_pins_a_ring_until_it_is_given_back),
        TEST(test_counts_what_could_not_be_unmapped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
