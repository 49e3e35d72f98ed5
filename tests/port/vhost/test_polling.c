/* SPDX-License-Identifier: BSD-3-Clause */
/* Lingering over vhost-user: how long -> requests without kicks -> back to kicks. */
#include "front.h"
#include "vu_internal.h"

#define FOR_EVER_US 4000000000U
#define BRIEF_US    2000U
#define SECOND_NS   UINT64_C(1000000000)

static struct front f;

/* ---- how long ---- */

static void test_linger_grows_with_pauses_that_it_would_have_bridged(void **state)
{
    (void)state;
    assert_int_equal(vu_linger_learn(0, 800, 799), 100);
    assert_int_equal(vu_linger_learn(100, 800, 0), 200);
    assert_int_equal(vu_linger_learn(200, 800, 5), 400);
    assert_int_equal(vu_linger_learn(400, 800, 5), 800);
    assert_int_equal(vu_linger_learn(800, 800, 5), 800);
    assert_int_equal(vu_linger_learn(399, 800, 5), 798);
}

static void test_linger_shrinks_to_nothing_with_long_pauses(void **state)
{
    (void)state;
    assert_int_equal(vu_linger_learn(800, 800, 800), 400);
    assert_int_equal(vu_linger_learn(400, 800, SECOND_NS), 200);
    assert_int_equal(vu_linger_learn(200, 800, SECOND_NS), 100);
    assert_int_equal(vu_linger_learn(100, 800, SECOND_NS), 0);
    assert_int_equal(vu_linger_learn(0, 800, SECOND_NS), 0);
}

/* ---- requests without kicks ---- */

static void open_lingering(void **state, uint32_t linger_us)
{
    front_open(&f, &(struct front_options){.device = FRONT_BLK, .linger_us = linger_us});
    front_start(&f, test_is_packed(state), 0);
}

static uint64_t kicks(void)
{
    return avps_vu_counters(f.back.vu)->kicks;
}

static void unkicked_round(uint64_t sector)
{
    avps_gpa data = 0;
    const uint16_t id = front_blk(&f, 0, false, sector, &data);

    front_step(&f);
    front_expect_used(&f, 0, id, 513);
}

static void test_linger_serves_a_driver_that_comes_back_without_a_kick(void **state)
{
    open_lingering(state, FOR_EVER_US);
    front_round(&f);
    front_round(&f); /* soon after the first */
    const uint64_t before = kicks();

    for (unsigned int i = 0; i < 5U; i++) {
        assert_false(test_ring_wants_kick(&f.ring[0]));
        unkicked_round(i);
    }
    assert_int_equal(kicks(), before);
    front_close(&f);
}

static void test_linger_of_no_time_asks_for_every_kick(void **state)
{
    open_lingering(state, 0);
    for (unsigned int i = 0; i < 5U; i++) {
        front_round(&f);
        assert_true(test_ring_wants_kick(&f.ring[0]));
    }
    front_close(&f);
}

/* ---- back to kicks ---- */

static void step_until_kicks_are_wanted(void)
{
    const uint64_t deadline = avps_posix_now_ns() + 10U * SECOND_NS;

    while (!test_ring_wants_kick(&f.ring[0]) && avps_posix_now_ns() < deadline) {
        assert_int_equal(avps_posix_loop_step(&f.loop, false), AVPS_OK);
    }
}

static void test_linger_ends_and_kicks_are_wanted_again(void **state)
{
    open_lingering(state, BRIEF_US);
    for (unsigned int i = 0; i < 3U; i++) {
        front_round(&f);
    }
    step_until_kicks_are_wanted();
    assert_true(test_ring_wants_kick(&f.ring[0]));
    const uint64_t before = kicks();

    front_round(&f);
    assert_int_equal(kicks(), before + 1U);
    front_close(&f);
}

/* What was made available while kicks were not wanted is served by the last poll. */
static void test_linger_leaves_no_request_behind_when_it_ends(void **state)
{
    avps_gpa data = 0;

    open_lingering(state, BRIEF_US);
    for (unsigned int i = 0; i < 20U; i++) {
        front_round(&f);
        const uint16_t id = front_blk(&f, 0, false, i, &data);
        if (test_ring_wants_kick(&f.ring[0])) {
            front_kick(&f, 0);
        }
        step_until_kicks_are_wanted();
        front_expect_used(&f, 0, id, 513);
    }
    front_close(&f);
}

static void test_linger_ends_with_the_connection(void **state)
{
    open_lingering(state, FOR_EVER_US);
    front_round(&f);
    front_round(&f);
    front_back_free(&f);
    front_back_new(&f);
    front_start(&f, test_is_packed(state), 0);
    front_round(&f);
    front_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linger_grows_with_pauses_that_it_would_have_bridged),
        cmocka_unit_test(test_linger_shrinks_to_nothing_with_long_pauses),
        TEST_BOTH(test_linger_serves_a_driver_that_comes_back_without_a_kick, NULL, NULL),
        TEST_BOTH(test_linger_of_no_time_asks_for_every_kick, NULL, NULL),
        TEST_BOTH(test_linger_ends_and_kicks_are_wanted_again, NULL, NULL),
        TEST_BOTH(test_linger_leaves_no_request_behind_when_it_ends, NULL, NULL),
        TEST_BOTH(test_linger_ends_with_the_connection, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
