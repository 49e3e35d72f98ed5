/* SPDX-License-Identifier: BSD-3-Clause */
/* Turns: how much a poll serves at first, after short and long runs, and after pauses. */
#include "support/fake.h"

#include "avps_posix/turn.h"

#define LEAST 2U
#define MOST  16U

static struct test_driver d;
static struct test_fake fake;
static struct avps_posix_turn turn;

static int setup(void **state)
{
    test_driver_init_sized(&d, TEST_MEM_REGIONS, 0x400000);
    d.size = 256;
    test_fake_init(&fake, &d, TEST_FAKE_SYNC);
    if (test_is_packed(state)) {
        test_driver_want(&d, AVPS_F_RING_PACKED);
    }
    test_driver_start(&d);
    (void)test_driver_poll(&d);
    avps_posix_turn_init(&turn, LEAST, MOST);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_driver_free(&d);
    return 0;
}

static void send(unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) {
        struct test_request r = {.out = {{"ping", 4}}, .in = {4}};

        (void)test_driver_send(&d, 0, &r);
    }
    test_driver_kick(&d, 0);
}

/* Requests that one poll serves. */
static unsigned int poll_once(enum avps_poll_result expected)
{
    const unsigned int before = fake.served;

    assert_int_equal(avps_posix_turn_poll(&turn, &fake.base), expected);
    return fake.served - before;
}

/* Serve until there is nothing to do. */
static void serve_all(unsigned int count)
{
    struct test_used used;
    const unsigned int before = fake.served;

    while (avps_posix_turn_poll(&turn, &fake.base) == AVPS_POLL_MORE) {
    }
    assert_int_equal(fake.served - before, count);
    while (test_driver_reap(&d, 0, &used)) {
    }
}

static void run_of(unsigned int count)
{
    send(count);
    serve_all(count);
}

static void test_turn_begins_with_the_least(void **state)
{
    (void)state;
    send(5);
    assert_int_equal(poll_once(AVPS_POLL_MORE), LEAST);
    assert_int_equal(poll_once(AVPS_POLL_MORE), LEAST);
    assert_int_equal(poll_once(AVPS_POLL_IDLE), 1);
}

static void test_turn_is_a_quarter_of_a_run(void **state)
{
    (void)state;
    run_of(40);
    send(40);
    assert_int_equal(poll_once(AVPS_POLL_MORE), 10);
    serve_all(30);
}

static void test_turn_keeps_to_its_bounds(void **state)
{
    (void)state;
    run_of(100);
    send(40);
    assert_int_equal(poll_once(AVPS_POLL_MORE), MOST);
    serve_all(24);
    run_of(1);
    send(40);
    assert_int_equal(poll_once(AVPS_POLL_MORE), LEAST);
    serve_all(38);
}

/* A driver that is never waited for: the run counts as long before it ends. */
static void test_turn_grows_in_a_run_without_an_end(void **state)
{
    struct test_used used;

    (void)state;
    send(LEAST);
    for (unsigned int i = 0; i < 256U / LEAST; i++) {
        send(LEAST);
        assert_int_equal(poll_once(AVPS_POLL_MORE), LEAST);
        while (test_driver_reap(&d, 0, &used)) {
        }
    }
    send(40);
    assert_int_equal(poll_once(AVPS_POLL_MORE), MOST);
}

static void test_turn_is_not_forgotten_in_a_pause(void **state)
{
    (void)state;
    run_of(40);
    for (unsigned int i = 0; i < 10U; i++) {
        assert_int_equal(poll_once(AVPS_POLL_IDLE), 0);
    }
    send(40);
    assert_int_equal(poll_once(AVPS_POLL_MORE), 10);
}

static void test_turn_of_one_size_is_not_learnt(void **state)
{
    (void)state;
    avps_posix_turn_init(&turn, 7, 7);
    run_of(1);
    run_of(100);
    send(20);
    assert_int_equal(poll_once(AVPS_POLL_MORE), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_turn_begins_with_the_least, setup, teardown),
        TEST_BOTH(test_turn_is_a_quarter_of_a_run, setup, teardown),
        TEST_BOTH(test_turn_keeps_to_its_bounds, setup, teardown),
        TEST_BOTH(test_turn_grows_in_a_run_without_an_end, setup, teardown),
        TEST_BOTH(test_turn_is_not_forgotten_in_a_pause, setup, teardown),
        TEST_BOTH(test_turn_of_one_size_is_not_learnt, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
