/* SPDX-License-Identifier: BSD-3-Clause */
/* Foreign mappings: what is mapped when, holes, rings, flushing; the kernel's table says what is mapped. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "avps_xen/memory.h"
#include "double.h"

#define SIZE (DOUBLE_PAGES * DOUBLE_PAGE)

struct fixture {
    struct avps_xen_foreign foreign;
    struct avps_mem mem;
};

static struct fixture fixture;

static int setup(void **state)
{
    double_init();
    assert_int_equal(
        avps_xen_foreign_open(&fixture.foreign, (void *)&xen, DOUBLE_DOMAIN, DOUBLE_GPA, SIZE),
        AVPS_OK);
    assert_int_equal(avps_xen_foreign_mem(&fixture.foreign, &fixture.mem), AVPS_OK);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    avps_xen_foreign_close(&fixture.foreign);
    assert_int_equal(double_mapped(), 0);
    double_free();
    return 0;
}

static const struct avps_xen_pages *pages(void)
{
    return &fixture.foreign.pages;
}

static void test_maps_nothing_before_it_is_needed(void **state)
{
    (void)state;
    assert_int_equal(xen.map_calls, 0);
    assert_int_equal(double_mapped(), 0);
}

static void test_maps_a_piece_once_and_keeps_it(void **state)
{
    uint32_t value = 0;

    (void)state;
    for (uint32_t i = 0; i < 100U; i++) {
        assert_int_equal(avps_mem_read(&fixture.mem, DOUBLE_GPA + i * DOUBLE_PAGE, &value, 4),
                         AVPS_OK);
    }
    assert_int_equal(xen.map_calls, 1);
    assert_int_equal(pages()->live, 256);
    assert_int_equal(double_mapped(), 256);
}

/* 256 + 256 + 88 pages; a copy across all of them is one piece of memory. */
static void test_reaches_all_of_the_guest(void **state)
{
    static uint8_t bytes[SIZE];

    (void)state;
    for (uint32_t i = 0; i < SIZE; i++) {
        bytes[i] = (uint8_t)(i * 7U + i / DOUBLE_PAGE);
    }
    assert_int_equal(avps_mem_write(&fixture.mem, DOUBLE_GPA, bytes, SIZE), AVPS_OK);
    assert_memory_equal(xen.ram, bytes, SIZE);
    assert_int_equal(xen.map_calls, 3);
    assert_int_equal(pages()->live, DOUBLE_PAGES);
    assert_int_equal(double_mapped(), DOUBLE_PAGES);
}

static void test_gives_contiguous_memory_across_pieces(void **state)
{
    uint64_t len = 300U * DOUBLE_PAGE;
    uint8_t *ptr = NULL;

    (void)state;
    assert_int_equal(
        fixture.mem.ops->translate(fixture.mem.ctx, DOUBLE_GPA + 5U, AVPS_ACCESS_RW, &len, &ptr),
        AVPS_OK);
    assert_int_equal(len, 300U * DOUBLE_PAGE);
    xen.ram[5U + 299U * DOUBLE_PAGE] = 0x5a;
    assert_int_equal(ptr[299U * DOUBLE_PAGE], 0x5a);
}

static void test_refuses_what_is_outside(void **state)
{
    const avps_gpa outside[] = {0, DOUBLE_GPA - 1U, DOUBLE_GPA + SIZE, UINT64_MAX,
                                (avps_gpa)1 << 63 | DOUBLE_GPA};
    uint8_t byte = 0;

    (void)state;
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        assert_int_equal(avps_mem_read(&fixture.mem, outside[i], &byte, 1), AVPS_E_GUEST_ADDR);
    }
    assert_int_equal(avps_mem_read(&fixture.mem, DOUBLE_GPA + SIZE - 1U, &byte, 1), AVPS_OK);
    assert_int_equal(pages()->refused, sizeof outside / sizeof outside[0]);
}

static void test_clips_at_a_hole_and_refuses_it(void **state)
{
    uint64_t len = 8U * DOUBLE_PAGE;
    uint8_t *ptr = NULL;
    uint8_t byte = 0;

    (void)state;
    xen.hole[3] = true;
    assert_int_equal(
        fixture.mem.ops->translate(fixture.mem.ctx, DOUBLE_GPA, AVPS_ACCESS_READ, &len, &ptr),
        AVPS_OK);
    assert_int_equal(len, 3U * DOUBLE_PAGE);
    assert_int_equal(avps_mem_read(&fixture.mem, DOUBLE_GPA + 3U * DOUBLE_PAGE, &byte, 1),
                     AVPS_E_GUEST_ADDR);
    assert_int_equal(avps_mem_read(&fixture.mem, DOUBLE_GPA + 4U * DOUBLE_PAGE, &byte, 1), AVPS_OK);
    assert_int_equal(pages()->live, 255);
    assert_int_equal(double_mapped(), 255);
}

static void test_keeps_no_piece_that_the_guest_has_nothing_of(void **state)
{
    uint8_t byte = 0;

    (void)state;
    (void)memset(xen.hole, 1, 256);
    for (uint32_t i = 0; i < 3U; i++) {
        assert_int_equal(avps_mem_read(&fixture.mem, DOUBLE_GPA, &byte, 1), AVPS_E_GUEST_ADDR);
    }
    assert_int_equal(pages()->live, 0);
    assert_int_equal(double_mapped(), 0);
}

/* The host's trouble is not the guest's fault, and passes. */
static void test_tries_again_when_the_host_could_not_map(void **state)
{
    uint8_t byte = 0;

    (void)state;
    xen.map_errno = ENOMEM;
    assert_int_equal(avps_mem_read(&fixture.mem, DOUBLE_GPA, &byte, 1), AVPS_E_IO);
    xen.map_errno = 0;
    assert_int_equal(avps_mem_read(&fixture.mem, DOUBLE_GPA, &byte, 1), AVPS_OK);
    assert_int_equal(pages()->refused, 0);
}

static void test_flushes_all_but_the_rings(void **state)
{
    uint8_t *ring = NULL;
    uint8_t byte = 0;

    (void)state;
    assert_int_equal(fixture.mem.ops->pin(fixture.mem.ctx, DOUBLE_GPA + 300U * DOUBLE_PAGE,
                                          2U * DOUBLE_PAGE, AVPS_ACCESS_RW, &ring),
                     AVPS_OK);
    assert_int_equal(avps_mem_read(&fixture.mem, DOUBLE_GPA, &byte, 1), AVPS_OK);
    assert_int_equal(pages()->live, 512);
    avps_xen_foreign_flush(&fixture.foreign);
    assert_int_equal(pages()->live, 256);
    assert_int_equal(double_mapped(), 256);
    ring[0] = 0x77; /* still there */
    assert_int_equal(xen.ram[300U * DOUBLE_PAGE], 0x77);
    fixture.mem.ops->unpin(fixture.mem.ctx, DOUBLE_GPA + 300U * DOUBLE_PAGE, 2U * DOUBLE_PAGE,
                           ring);
    avps_xen_foreign_flush(&fixture.foreign);
    assert_int_equal(pages()->live, 0);
    assert_int_equal(double_mapped(), 0);
}

/* A page that was given back and taken again elsewhere is seen anew. */
static void test_maps_again_after_a_flush(void **state)
{
    uint8_t byte = 0;

    (void)state;
    assert_int_equal(avps_mem_read(&fixture.mem, DOUBLE_GPA, &byte, 1), AVPS_OK);
    avps_xen_foreign_flush(&fixture.foreign);
    xen.hole[0] = true;
    assert_int_equal(avps_mem_read(&fixture.mem, DOUBLE_GPA, &byte, 1), AVPS_E_GUEST_ADDR);
    avps_xen_foreign_flush(&fixture.foreign);
    xen.hole[0] = false;
    xen.ram[0] = 0x31;
    assert_int_equal(avps_mem_read(&fixture.mem, DOUBLE_GPA, &byte, 1), AVPS_OK);
    assert_int_equal(byte, 0x31);
    assert_int_equal(pages()->peak, 256);
}

static void test_pins_no_ring_with_a_hole(void **state)
{
    uint8_t *ring = NULL;

    (void)state;
    xen.hole[257] = true;
    assert_int_equal(fixture.mem.ops->pin(fixture.mem.ctx, DOUBLE_GPA + 255U * DOUBLE_PAGE,
                                          3U * DOUBLE_PAGE, AVPS_ACCESS_RW, &ring),
                     AVPS_E_GUEST_ADDR);
    avps_xen_foreign_flush(&fixture.foreign); /* nothing is pinned */
    assert_int_equal(pages()->live, 0);
}

static void test_opens_whole_pages_only(void **state)
{
    const struct {
        avps_gpa gpa;
        uint64_t bytes;
        enum avps_status status;
    } cases[] = {
        {0x40000001, 4096, AVPS_E_PARAM},       {0x40000000, 4095, AVPS_E_PARAM},
        {0x40000000, 0, AVPS_E_PARAM},          {UINT64_MAX - 4095U, 8192, AVPS_E_PARAM},
        {0, (uint64_t)1 << 60, AVPS_E_NOSPACE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct avps_xen_foreign foreign;

        assert_int_equal(
            avps_xen_foreign_open(&foreign, (void *)&xen, 1, cases[i].gpa, cases[i].bytes),
            cases[i].status);
        avps_xen_foreign_close(&foreign);
        avps_xen_foreign_close(&foreign);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_maps_nothing_before_it_is_needed),
        TEST(test_maps_a_piece_once_and_keeps_it),
        TEST(test_reaches_all_of_the_guest),
        TEST(test_gives_contiguous_memory_across_pieces),
        TEST(test_refuses_what_is_outside),
        TEST(test_clips_at_a_hole_and_refuses_it),
        TEST(test_keeps_no_piece_that_the_guest_has_nothing_of),
        TEST(test_tries_again_when_the_host_could_not_map),
        TEST(test_flushes_all_but_the_rings),
        TEST(test_maps_again_after_a_flush),
        TEST(test_pins_no_ring_with_a_hole),
        TEST(test_opens_whole_pages_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
