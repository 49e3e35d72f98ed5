/* SPDX-License-Identifier: BSD-3-Clause */
/* Simulated terminal: both directions through a console device, with buffers that fill up. */
#include "support/driver.h"

#include "avps_sim/terminal.h"

struct fixture {
    struct test_driver d;
    struct avps_console con;
    struct avps_console_port port;
    struct avps_queue queues[2];
    struct avps_sim_terminal term;
    uint8_t output[8];
    uint8_t input[5];
};

static int setup(void **state)
{
    const bool packed = test_is_packed(state);
    struct fixture *fx = calloc(1, sizeof *fx);

    assert_non_null(fx);
    test_driver_init(&fx->d, TEST_MEM_REGIONS);
    const struct avps_sim_terminal_config terminal = {.console = &fx->con,
                                                      .output = fx->output,
                                                      .output_size = sizeof fx->output,
                                                      .input = fx->input,
                                                      .input_size = sizeof fx->input};
    const struct avps_console_config config = {
        .base = test_driver_base(&fx->d, fx->queues, 2, 16),
        .port0 = {.ops = avps_sim_terminal_ops(), .ctx = &fx->term, .open = true},
        .ports = &fx->port,
        .max_ports = 1};
    assert_int_equal(avps_sim_terminal_init(&fx->term, &terminal), AVPS_OK);
    assert_int_equal(avps_console_init(&fx->con, &config), AVPS_OK);
    test_driver_attach(&fx->d, &fx->con.base);
    test_driver_want_all(&fx->d, packed);
    test_driver_start(&fx->d);
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fx = *state;

    test_driver_free(&fx->d);
    free(fx);
    return 0;
}

/* The guest writes. @return Whether the buffer came back at once. */
static bool guest_writes(struct fixture *fx, const char *text)
{
    struct test_request r = {.out = {{text, (uint32_t)strlen(text)}}};
    struct test_used used;

    (void)test_driver_send(&fx->d, 1, &r);
    test_driver_kick(&fx->d, 1);
    (void)test_driver_poll(&fx->d);
    return test_driver_reap(&fx->d, 1, &used);
}

static void assert_reads(struct fixture *fx, uint32_t len, const char *text)
{
    char got[64] = {0};

    assert_int_equal(avps_sim_terminal_read(&fx->term, got, len), strlen(text));
    assert_string_equal(got, text);
}

/* The guest gives a buffer of `len` and gets `text` in it, at once. */
static void assert_guest_reads(struct fixture *fx, uint32_t len, const char *text)
{
    struct test_request r = {.in = {len}};
    char got[64] = {0};

    assert_int_equal(test_driver_do(&fx->d, 0, &r), strlen(text));
    test_driver_in(&fx->d, &r, 0, got, (uint32_t)strlen(text));
    assert_string_equal(got, text);
}

static void test_terminal_keeps_output_until_it_is_read(void **state)
{
    struct fixture *fx = *state;

    assert_true(guest_writes(fx, "abc"));
    assert_true(guest_writes(fx, "def"));
    assert_int_equal(avps_sim_terminal_pending(&fx->term), 6);
    assert_reads(fx, 4, "abcd");
    assert_true(guest_writes(fx, "ghij")); /* over the end of the buffer */
    assert_reads(fx, 64, "efghij");
    assert_reads(fx, 64, "");
}

static void test_terminal_blocks_the_guest_when_full(void **state)
{
    struct fixture *fx = *state;
    struct test_used used;
    char got[64] = {0};
    uint32_t len = 0;

    assert_false(guest_writes(fx, "the quick brown fox"));
    assert_int_equal(avps_sim_terminal_pending(&fx->term), 8);
    while (!test_driver_reap(&fx->d, 1, &used)) {
        len += avps_sim_terminal_read(&fx->term, got + len, 3);
        (void)test_driver_poll(&fx->d);
    }
    len += avps_sim_terminal_read(&fx->term, got + len, 64U - len);
    assert_int_equal(len, 19);
    assert_string_equal(got, "the quick brown fox");
}

static void test_terminal_types_as_fast_as_the_guest_reads(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(avps_sim_terminal_write(&fx->term, "hello world", 11), 5);
    assert_guest_reads(fx, 3, "hel");
    assert_int_equal(avps_sim_terminal_write(&fx->term, " world", 6), 3); /* over the end */
    assert_guest_reads(fx, 64, "lo");                                     /* a piece a buffer */
    assert_guest_reads(fx, 64, " wo");
    assert_int_equal(avps_sim_terminal_write(&fx->term, "rld", 3), 3);
    assert_guest_reads(fx, 64, "rl");
    assert_guest_reads(fx, 64, "d");
}

static void test_terminal_forgets_a_blocked_guest_that_resets(void **state)
{
    struct fixture *fx = *state;

    assert_true(fx->term.guest_open);
    assert_false(guest_writes(fx, "123456789"));
    test_driver_reset(&fx->d);
    assert_false(fx->term.guest_open);
    assert_reads(fx, 64, "12345678");
    assert_int_equal(fx->d.port.wakes, 0);
}

static void test_terminal_fails_when_told_to(void **state)
{
    struct fixture *fx = *state;

    avps_sim_terminal_fail(&fx->term, 1);
    assert_true(guest_writes(fx, "lost"));
    assert_true(guest_writes(fx, "kept"));
    assert_reads(fx, 64, "kept");
    assert_int_equal(avps_console_port_counters(&fx->con, 0)->discarded, 4);
}

static void test_terminal_counts_emergency_output_it_has_no_room_for(void **state)
{
    struct fixture *fx = *state;

    for (unsigned int i = 0; i < 10U; i++) {
        test_driver_config_set(&fx->d, 8, 1, 'a' + i);
    }
    assert_reads(fx, 64, "abcdefgh");
    assert_int_equal(fx->term.emergency, 10);
    assert_int_equal(fx->term.emergency_lost, 2);
}

static void test_terminal_input_outlives_failing_memory(void **state)
{
    struct fixture *fx = *state;
    const struct test_desc hole = {TEST_HOLE_GPA, 8, TEST_WRITE};

    (void)test_ring_add(&fx->d.ring[0], &hole, 1);
    assert_int_equal(avps_sim_terminal_write(&fx->term, "kept", 4), 4);
    test_driver_assert_faulted(&fx->d);
    test_driver_start(&fx->d);
    assert_guest_reads(fx, 8, "kept");
}

static void test_terminal_init_refuses_what_is_missing(void **state)
{
    struct fixture *fx = *state;
    const struct avps_sim_terminal_config good = {.console = &fx->con,
                                                  .output = fx->output,
                                                  .output_size = 1,
                                                  .input = fx->input,
                                                  .input_size = 1};
    struct avps_sim_terminal_config bad[5] = {good, good, good, good, good};

    bad[0].console = NULL;
    bad[1].output = NULL;
    bad[2].output_size = 0;
    bad[3].input = NULL;
    bad[4].input_size = 0;
    for (size_t i = 0; i < 5U; i++) {
        assert_int_equal(avps_sim_terminal_init(&fx->term, &bad[i]), AVPS_E_PARAM);
    }
    assert_int_equal(avps_sim_terminal_init(NULL, &good), AVPS_E_PARAM);
    assert_int_equal(avps_sim_terminal_init(&fx->term, NULL), AVPS_E_PARAM);
    assert_int_equal(avps_sim_terminal_init(&fx->term, &good), AVPS_OK);
}

#define BOTH(test) TEST_BOTH(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_terminal_keeps_output_until_it_is_read),
        BOTH(test_terminal_blocks_the_guest_when_full),
        BOTH(test_terminal_types_as_fast_as_the_guest_reads),
        BOTH(test_terminal_forgets_a_blocked_guest_that_resets),
        BOTH(test_terminal_fails_when_told_to),
        BOTH(test_terminal_counts_emergency_output_it_has_no_room_for),
        BOTH(test_terminal_input_outlives_failing_memory),
        BOTH(test_terminal_init_refuses_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
