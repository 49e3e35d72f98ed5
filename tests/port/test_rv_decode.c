/* SPDX-License-Identifier: BSD-3-Clause */
/* The RISC-V port's decoder on any host. Encodings are those that GNU as gives for the instruction
 * beside them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../port/baremetal-riscv64/rv_decode.c" /* NOLINT(bugprone-suspicious-include) */

#define LOAD(w, s, r, l)                                                                           \
    {                                                                                              \
        .width = (w), .reg = (r), .length = (l), .sign_extend = (s)                                \
    }
#define STORE(w, s, r, l)                                                                          \
    {                                                                                              \
        .width = (w), .reg = (r), .length = (l), .write = true, .sign_extend = (s)                 \
    }

struct encoding {
    const char *text;
    uint32_t insn;
    struct rv_access access;
};

/* A store's sign_extend means nothing and is not compared. */
static const struct encoding good[] = {
    {"lb x5, -1(x6)", 0xfff30283U, LOAD(1, true, 5, 4)},
    {"lh x31, 2(x1)", 0x209f83U, LOAD(2, true, 31, 4)},
    {"lw x10, 4(x11)", 0x45a503U, LOAD(4, true, 10, 4)},
    {"ld x1, 2047(x2)", 0x7ff13083U, LOAD(8, true, 1, 4)},
    {"lbu x7, 0(x0)", 0x4383U, LOAD(1, false, 7, 4)},
    {"lhu x16, -2048(x31)", 0x800fd803U, LOAD(2, false, 16, 4)},
    {"lwu x15, 112(x14)", 0x7076783U, LOAD(4, false, 15, 4)},
    {"lw x0, 0x70(x14)", 0x7072003U, LOAD(4, true, 0, 4)},
    {"sb x5, -1(x6)", 0xfe530fa3U, STORE(1, true, 5, 4)},
    {"sh x31, 2046(x1)", 0x7ff09f23U, STORE(2, true, 31, 4)},
    {"sw x10, -4(x11)", 0xfea5ae23U, STORE(4, true, 10, 4)},
    {"sd x1, 8(x2)", 0x113423U, STORE(8, true, 1, 4)},
    {"sw x0, 80(x15)", 0x407a823U, STORE(4, true, 0, 4)},
    {"c.lw x8, 0(x9)", 0x4080U, LOAD(4, true, 8, 2)},
    {"c.lw x15, 124(x15)", 0x5ffcU, LOAD(4, true, 15, 2)},
    {"c.ld x10, 248(x8)", 0x7c68U, LOAD(8, true, 10, 2)},
    {"c.sw x14, 80(x12)", 0xca38U, STORE(4, true, 14, 2)},
    {"c.sw x8, 0(x15)", 0xc380U, STORE(4, true, 8, 2)},
    {"c.sd x15, 128(x8)", 0xe05cU, STORE(8, true, 15, 2)},
    {"c.lwsp x1, 252(sp)", 0x50feU, LOAD(4, true, 1, 2)},
    {"c.lwsp x31, 0(sp)", 0x4f82U, LOAD(4, true, 31, 2)},
    {"c.ldsp x5, 504(sp)", 0x72feU, LOAD(8, true, 5, 2)},
    {"c.swsp x0, 0(sp)", 0xc002U, STORE(4, true, 0, 2)},
    {"c.swsp x31, 252(sp)", 0xdffeU, STORE(4, true, 31, 2)},
    {"c.sdsp x16, 504(sp)", 0xffc2U, STORE(8, true, 16, 2)},
};

static const struct {
    const char *text;
    uint32_t insn;
} bad[] = {
    {"flw f5, 0(x6)", 0x32287U},
    {"fsd f5, 0(x6)", 0x533027U},
    {"fld f1, 8(x2)", 0x813087U},
    {"lr.w x5, (x6)", 0x100322afU},
    {"sc.d x5, x6, (x7)", 0x1863b2afU},
    {"amoadd.w x5, x6, (x7)", 0x63a2afU},
    {"amoswap.d x0, x6, (x7)", 0x863b02fU},
    {"addi x5, x6, 4", 0x430293U},
    {"jalr x1, 0(x5)", 0x280e7U},
    {"ecall", 0x73U},
    {"csrr x5, 0x105", 0x105022f3U},
    {"fence", 0xff0000fU},
    {"lui x5, 0x3000", 0x30002b7U},
    {"c.fld f8, 0(x8)", 0x2000U},
    {"c.fsd f8, 0(x8)", 0xa000U},
    {"c.fldsp f1, 0(sp)", 0x2082U},
    {"c.fsdsp f1, 0(sp)", 0xa006U},
    {"c.addi4spn x8, sp, 16", 0x800U},
    {"c.addi x8, 3", 0x40dU},
    {"c.j .", 0xa001U},
    {"c.slli x8, 3", 0x40eU},
    {"c.mv x8, x9", 0x8426U},
    {"c.jr x8", 0x8402U},
    {"c.ebreak", 0x9002U},
    {"a load of kind 7", 0x7083U},
    {"a store of kind 4", 0x4023U},
    {"a store of kind 7", 0x7023U},
    {"C.LWSP to x0, reserved", 0x4002U},
    {"C.LDSP to x0, reserved", 0x6002U},
    {"the illegal instruction", 0U},
    {"all ones", 0xffffffffU},
    {"a 48-bit instruction", 0x0000001fU},
};

static void test_rv_decodes_every_load_and_store(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        const struct encoding *row = &good[i];
        struct rv_access access;

        memset(&access, 0xff, sizeof access);
        if (!rv_decode(row->insn, &access) || access.width != row->access.width ||
            access.reg != row->access.reg || access.length != row->access.length ||
            access.write != row->access.write ||
            (!access.write && access.sign_extend != row->access.sign_extend)) {
            fail_msg("%s: width %u, register %u, %u bytes, store %d, signed %d", row->text,
                     access.width, access.reg, access.length, access.write, access.sign_extend);
        }
    }
}

static void test_rv_refuses_what_is_no_integer_load_or_store(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct rv_access access;

        if (rv_decode(bad[i].insn, &access)) {
            fail_msg("%s was taken for a load or store", bad[i].text);
        }
    }
}

/* Only the low half of a compressed instruction counts: what follows it in memory does not. */
static void test_rv_ignores_what_follows_a_compressed_instruction(void **state)
{
    struct rv_access access;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if ((good[i].insn & 3U) != 3U) {
            assert_true(rv_decode(good[i].insn | 0xffff0000U, &access));
            assert_int_equal(access.reg, good[i].access.reg);
            assert_int_equal(access.length, 2);
        }
    }
}

/* Whatever a hostile guest puts there: an answer is within bounds, and is the same for all the bits
 * that it does not depend on. */
static void test_rv_keeps_every_answer_within_bounds(void **state)
{
    uint32_t taken = 0;

    (void)state;
    for (uint32_t low = 0; low <= 0xffffU; low++) {
        for (uint32_t high = 0; high <= 0xffffU; high += 0x101U) {
            struct rv_access access;

            if (!rv_decode(high << 16 | low, &access)) {
                continue;
            }
            taken++;
            assert_true(access.reg < 32U);
            assert_true(access.length == ((low & 3U) == 3U ? 4U : 2U));
            assert_true(access.width == 1U || access.width == 2U || access.width == 4U ||
                        access.width == 8U);
            assert_true(access.length == 4U || access.width >= 4U);
        }
    }
    /* Low halves that are a load or store: 4 of 8 kinds in two quadrants of 2^14, less the two times
     * 64 that load into x0 from the stack; 11 of 16 kinds, 64 each, of the two long opcodes. */
    assert_int_equal(taken, 256U * (2U * 8192U - 2U * 64U + 11U * 64U));
}

static void test_rv_extends_what_is_loaded(void **state)
{
    uint64_t x[32] = {0};
    struct rv_access access = LOAD(1, true, 5, 4);

    (void)state;
    rv_loaded(&access, x, 0xffffff80U);
    assert_int_equal(x[5], 0xffffffffffffff80U);
    rv_loaded(&access, x, 0xffffff7fU);
    assert_int_equal(x[5], 0x7f);
    access.sign_extend = false;
    rv_loaded(&access, x, 0xffffff80U);
    assert_int_equal(x[5], 0x80);
    access = (struct rv_access)LOAD(2, true, 5, 4);
    rv_loaded(&access, x, 0x18000U);
    assert_int_equal(x[5], 0xffffffffffff8000U);
    access = (struct rv_access)LOAD(4, true, 5, 2);
    rv_loaded(&access, x, 0x180000000U);
    assert_int_equal(x[5], 0xffffffff80000000U);
    access = (struct rv_access)LOAD(4, false, 5, 4);
    rv_loaded(&access, x, 0x180000000U);
    assert_int_equal(x[5], 0x80000000U);
    access = (struct rv_access)LOAD(8, true, 5, 4);
    rv_loaded(&access, x, 0x8000000000000001U);
    assert_int_equal(x[5], 0x8000000000000001U);
}

static void test_rv_stores_the_low_bytes(void **state)
{
    const uint64_t x[32] = {[0] = 7, [31] = 0x1122334455667788U};
    struct rv_access access = STORE(1, true, 31, 4);

    (void)state;
    assert_int_equal(rv_stored(&access, x), 0x88);
    access.width = 2;
    assert_int_equal(rv_stored(&access, x), 0x7788);
    access.width = 4;
    assert_int_equal(rv_stored(&access, x), 0x55667788);
    access.width = 8;
    assert_int_equal(rv_stored(&access, x), 0x1122334455667788U);
}

static void test_rv_register_zero_stays_zero(void **state)
{
    uint64_t x[32] = {0};
    const struct rv_access load = LOAD(8, true, 0, 4);
    const struct rv_access store = STORE(8, true, 0, 4);

    (void)state;
    rv_loaded(&load, x, 99);
    assert_int_equal(x[0], 0);
    x[0] = 99; /* whatever the exit left there */
    assert_int_equal(rv_stored(&store, x), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rv_decodes_every_load_and_store),
        cmocka_unit_test(test_rv_refuses_what_is_no_integer_load_or_store),
        cmocka_unit_test(test_rv_ignores_what_follows_a_compressed_instruction),
        cmocka_unit_test(test_rv_keeps_every_answer_within_bounds),
        cmocka_unit_test(test_rv_extends_what_is_loaded),
        cmocka_unit_test(test_rv_stores_the_low_bytes),
        cmocka_unit_test(test_rv_register_zero_stays_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
