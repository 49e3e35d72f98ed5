/* SPDX-License-Identifier: BSD-3-Clause */
/* Stage 2 tables of the bare-metal port: what is mapped is found where it was put, everything else traps, and
 * no mapping changes another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../port/baremetal-aarch64/bm_stage2.c" /* NOLINT(bugprone-suspicious-include) */

#define RAM  0x80000000ULL
#define HOST 0x50000000ULL
#define MIB  0x100000ULL

static struct bm_stage2 map;

static int setup(void **state)
{
    (void)state;
    memset(&map, 0xff, sizeof map);
    bm_stage2_init(&map);
    return 0;
}

static uint64_t found(uint64_t ipa)
{
    uint64_t host = 0;

    return bm_stage2_find(&map, ipa, &host) == AVPS_OK ? host : 0U;
}

static void test_stage2_maps_what_it_is_told_and_nothing_around_it(void **state)
{
    (void)state;
    assert_int_equal(bm_stage2_map(&map, RAM, HOST, 4U * MIB), AVPS_OK);
    assert_int_equal(found(RAM), HOST);
    assert_int_equal(found(RAM + 4U * MIB - 1U), HOST + 4U * MIB - 1U);
    assert_int_equal(found(RAM - 1U), 0);
    assert_int_equal(found(RAM + 4U * MIB), 0);
    assert_int_equal(found(HOST), 0);
    assert_int_equal(found(0), 0);
    assert_int_equal(found(UINT64_MAX), 0);
    assert_int_equal(found(BM_STAGE2_LIMIT + RAM), 0);
}

static void test_stage2_makes_blocks_of_plain_memory(void **state)
{
    (void)state;
    assert_int_equal(bm_stage2_map(&map, RAM, HOST, 2U * MIB), AVPS_OK);
    assert_int_equal(map.level1[2], (uintptr_t)map.level2[0] | 3U);
    /* block, write-back, read and write, inner shareable, accessed */
    assert_int_equal(map.level2[0][0], HOST | 1U | 0xfU << 2 | 3U << 6 | 3U << 8 | 1U << 10);
}

static void test_stage2_crosses_a_gib(void **state)
{
    (void)state;
    assert_int_equal(bm_stage2_map(&map, 0xbfe00000U, HOST, 4U * MIB), AVPS_OK);
    assert_int_equal(found(0xbfffffffU), HOST + 2U * MIB - 1U);
    assert_int_equal(found(0xc0000000U), HOST + 2U * MIB);
}

static void test_stage2_never_maps_twice(void **state)
{
    (void)state;
    assert_int_equal(bm_stage2_map(&map, RAM + 2U * MIB, HOST, 2U * MIB), AVPS_OK);
    assert_int_equal(bm_stage2_map(&map, RAM, HOST + 8U * MIB, 8U * MIB), AVPS_E_PARAM);
    assert_int_equal(found(RAM), 0);
    assert_int_equal(found(RAM + 2U * MIB), HOST);
}

static void test_stage2_refuses_what_is_not_whole_blocks(void **state)
{
    (void)state;
    assert_int_equal(bm_stage2_map(&map, RAM + MIB, HOST, 2U * MIB), AVPS_E_PARAM);
    assert_int_equal(bm_stage2_map(&map, RAM, HOST + MIB, 2U * MIB), AVPS_E_PARAM);
    assert_int_equal(bm_stage2_map(&map, RAM, HOST, 3U * MIB), AVPS_E_PARAM);
    assert_int_equal(bm_stage2_map(&map, RAM, HOST, 0), AVPS_E_PARAM);
    assert_int_equal(bm_stage2_map(&map, BM_STAGE2_LIMIT, HOST, 2U * MIB), AVPS_E_PARAM);
    assert_int_equal(bm_stage2_map(&map, BM_STAGE2_LIMIT - 2U * MIB, HOST, 4U * MIB), AVPS_E_PARAM);
    assert_int_equal(bm_stage2_map(&map, RAM, UINT64_MAX - 2U * MIB + 1U, 2U * MIB), AVPS_E_PARAM);
    assert_int_equal(map.tables, 0);
}

static void test_stage2_says_when_its_tables_are_used_up(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < BM_STAGE2_TABLES; i++) {
        assert_int_equal(bm_stage2_map(&map, RAM + i * BM_STAGE2_WINDOW, HOST, 2U * MIB), AVPS_OK);
    }
    assert_int_equal(bm_stage2_map(&map, 0x4000000000ULL, HOST, 2U * MIB), AVPS_E_NOSPACE);
    assert_int_equal(found(0x4000000000ULL), 0);
    assert_int_equal(found(RAM), HOST);
}

static void test_stage2_gives_each_guest_its_registers(void **state)
{
    (void)state;
    assert_int_equal(bm_stage2_vttbr(&map, 3), (uintptr_t)map.level1 | 3ULL << 48);
    assert_int_equal((uintptr_t)map.level1 % 4096U, 0);
    assert_int_equal(bm_stage2_vtcr(4) >> 16 & 7U, 4);
    assert_int_equal(bm_stage2_vtcr(4) & 0x3fU, 64 - 39);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_stage2_maps_what_it_is_told_and_nothing_around_it, setup),
        cmocka_unit_test_setup(test_stage2_makes_blocks_of_plain_memory, setup),
        cmocka_unit_test_setup(test_stage2_crosses_a_gib, setup),
        cmocka_unit_test_setup(test_stage2_never_maps_twice, setup),
        cmocka_unit_test_setup(test_stage2_refuses_what_is_not_whole_blocks, setup),
        cmocka_unit_test_setup(test_stage2_says_when_its_tables_are_used_up, setup),
        cmocka_unit_test_setup(test_stage2_gives_each_guest_its_registers, setup),
    };

    return cmocka_run_group_tests_name("port/bm_stage2", tests, NULL, NULL);
}
