/* SPDX-License-Identifier: BSD-3-Clause */
/* Seeded entropy source: repeatable, finite, never stretched. */
#include "support/mem.h"

#include "avps_sim/entropy.h"

static enum avps_status fill(struct avps_sim_entropy *source, uint8_t *bytes, uint32_t len,
                             uint32_t *got)
{
    return avps_sim_entropy_ops()->fill(source, bytes, len, got);
}

static void test_sim_entropy_repeats_for_a_seed(void **state)
{
    struct avps_sim_entropy a;
    struct avps_sim_entropy b;
    struct avps_sim_entropy c;
    uint8_t bytes[3][64];
    uint32_t got = 0;

    (void)state;
    avps_sim_entropy_init(&a, 1, 64);
    avps_sim_entropy_init(&b, 1, 64);
    avps_sim_entropy_init(&c, 2, 64);
    assert_int_equal(fill(&a, bytes[0], 64, &got), AVPS_OK);
    for (uint32_t i = 0; i < 64U; i += 16U) { /* in any pieces */
        assert_int_equal(fill(&b, bytes[1] + i, 16, &got), AVPS_OK);
        assert_int_equal(got, 16);
    }
    assert_int_equal(fill(&c, bytes[2], 64, &got), AVPS_OK);
    assert_memory_equal(bytes[0], bytes[1], 64);
    assert_memory_not_equal(bytes[0], bytes[2], 64);
}

/* [AVPS RNG-3] */
static void test_sim_entropy_runs_dry(void **state)
{
    struct avps_sim_entropy source;
    uint8_t bytes[16];
    uint32_t got = 7;

    (void)state;
    (void)memset(bytes, 0xee, sizeof bytes);
    avps_sim_entropy_init(&source, 0, 10);
    assert_int_equal(fill(&source, bytes, 16, &got), AVPS_OK);
    assert_int_equal(got, 10);
    for (size_t i = 10; i < 16U; i++) {
        assert_int_equal(bytes[i], 0xee);
    }
    assert_int_equal(avps_sim_entropy_left(&source), 0);
    assert_int_equal(fill(&source, bytes, 16, &got), AVPS_EMPTY);
    assert_int_equal(got, 0);
    avps_sim_entropy_refill(&source, 3);
    assert_int_equal(avps_sim_entropy_left(&source), 3);
    assert_int_equal(fill(&source, bytes, 16, &got), AVPS_OK);
    assert_int_equal(got, 3);
    assert_int_equal(avps_sim_entropy_delivered(&source), 13);
}

static void test_sim_entropy_fails_on_demand(void **state)
{
    struct avps_sim_entropy source;
    uint8_t bytes[4];
    uint32_t got = 7;

    (void)state;
    avps_sim_entropy_init(&source, 5, 100);
    avps_sim_entropy_fail(&source, 2);
    assert_int_equal(fill(&source, bytes, 4, &got), AVPS_E_IO);
    assert_int_equal(got, 0);
    assert_int_equal(fill(&source, bytes, 4, &got), AVPS_E_IO);
    assert_int_equal(fill(&source, bytes, 4, &got), AVPS_OK);
    assert_int_equal(avps_sim_entropy_left(&source), 96);
}

static void test_sim_entropy_uses_every_byte_value(void **state)
{
    struct avps_sim_entropy source;
    static uint8_t bytes[8192];
    bool seen[256] = {false};
    uint32_t got = 0;

    (void)state;
    avps_sim_entropy_init(&source, 0, sizeof bytes);
    assert_int_equal(fill(&source, bytes, sizeof bytes, &got), AVPS_OK);
    for (size_t i = 0; i < sizeof bytes; i++) {
        seen[bytes[i]] = true;
    }
    for (size_t i = 0; i < 256U; i++) {
        assert_true(seen[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sim_entropy_repeats_for_a_seed),
        cmocka_unit_test(test_sim_entropy_runs_dry),
        cmocka_unit_test(test_sim_entropy_fails_on_demand),
        cmocka_unit_test(test_sim_entropy_uses_every_byte_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
