/* SPDX-License-Identifier: BSD-3-Clause */
/* Console device with one port: configuration, output, back-pressure, input, emergency output,
 * resize, reset, suspend, saved state. Several ports are in test_console_ports.c. */
#include "test_console.h"

static int setup(void **state)
{
    struct fixture *fx = fixture_new(state, false);

    fixture_attach(fx);
    test_driver_start(&fx->d);
    *state = fx;
    return 0;
}

/* Not attached: the test completes the configuration. */
static int setup_bare(void **state)
{
    *state = fixture_new(state, false);
    return 0;
}

/* ---- configuration ---- */

/* [AVPS CON-1] */
static void test_console_is_device_3_and_offers_what_it_can_serve(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(test_driver_get(&fx->d, TEST_DEVICE_ID), 3);
    assert_true(test_driver_offers(&fx->d, F_SIZE));
    assert_false(test_driver_offers(&fx->d, F_MULTIPORT));
    assert_true(test_driver_offers(&fx->d, F_EMERG_WRITE));
    assert_int_equal(test_driver_config(&fx->d, 0, 2), 80);
    assert_int_equal(test_driver_config(&fx->d, 2, 2), 25);
    assert_int_equal(test_driver_config(&fx->d, 4, 4), 0);
    assert_int_equal(test_driver_config(&fx->d, 8, 4), 0);
    assert_int_equal(test_driver_config(&fx->d, 12, 4), 0);
    test_driver_set(&fx->d, TEST_QUEUE_SEL, 2);
    assert_int_equal(test_driver_get(&fx->d, TEST_QUEUE_SIZE_MAX), 0);
}

static void test_console_without_size_or_emergency_op_offers_neither(void **state)
{
    struct fixture *fx = *state;

    fx->config.port0.ops = &silent_ops;
    fx->config.port0.cols = 0;
    fx->config.port0.rows = 0;
    fixture_attach(fx);
    assert_false(test_driver_offers(&fx->d, F_SIZE));
    assert_false(test_driver_offers(&fx->d, F_EMERG_WRITE));
    test_driver_start(&fx->d);
    assert_int_equal(test_driver_config(&fx->d, 0, 4), 0);
    assert_int_equal(avps_console_resize(&fx->con, 0, 100, 40), AVPS_OK);
    assert_int_equal(test_driver_ack(&fx->d), 0); /* no configuration that could have changed */
    test_driver_config_set(&fx->d, 8, 4, 'x');
    assert_int_equal(avps_console_counters(&fx->con)->emergency, 0);
}

static void test_console_init_refuses_bad_configurations(void **state)
{
    static char long_name[1100];
    struct fixture *fx = *state;
    struct avps_console_config bad[12];

    (void)memset(long_name, 'n', sizeof long_name - 1U);
    for (size_t i = 0; i < 12U; i++) {
        bad[i] = fx->config;
    }
    bad[0].ports = NULL;
    bad[1].max_ports = 0;
    bad[2].max_ports = 2; /* without multiport */
    bad[3].base.queue_count = 4;
    bad[4].multiport = true; /* needs 4 queues */
    bad[5].port0.ops = NULL;
    bad[6].port0.cols = 0;
    bad[7].port0.rows = 0;
    bad[8].port0.name = long_name;
    bad[9].base.mem = NULL;
    bad[10].base.queues = NULL;
    bad[11].max_ports = 32767;
    bad[11].multiport = true;
    for (size_t i = 0; i < 12U; i++) {
        assert_int_equal(avps_console_init(&fx->con, &bad[i]), AVPS_E_PARAM);
    }
    assert_int_equal(avps_console_init(NULL, &fx->config), AVPS_E_PARAM);
    assert_int_equal(avps_console_init(&fx->con, NULL), AVPS_E_PARAM);
    long_name[1024] = '\0';
    fx->config.port0.name = long_name;
    assert_int_equal(avps_console_init(&fx->con, &fx->config), AVPS_OK);
}

static void test_console_calls_refuse_unknown_ports(void **state)
{
    struct fixture *fx = *state;
    uint32_t taken = 9;

    assert_int_equal(avps_console_input(&fx->con, 1, "x", 1, &taken), AVPS_E_PARAM);
    assert_int_equal(taken, 0);
    assert_int_equal(avps_console_input(&fx->con, 0, "x", 1, NULL), AVPS_E_PARAM);
    assert_int_equal(avps_console_input(&fx->con, 0, NULL, 1, &taken), AVPS_E_PARAM);
    assert_int_equal(avps_console_input(NULL, 0, "x", 1, &taken), AVPS_E_PARAM);
    assert_int_equal(avps_console_open(&fx->con, 1), AVPS_E_PARAM);
    assert_int_equal(avps_console_close(&fx->con, UINT32_MAX), AVPS_E_PARAM);
    assert_int_equal(avps_console_resize(&fx->con, 1, 1, 1), AVPS_E_PARAM);
    assert_int_equal(avps_console_resize(&fx->con, 0, 0, 1), AVPS_E_PARAM);
    assert_int_equal(avps_console_resize(&fx->con, 0, 1, 0), AVPS_E_PARAM);
    avps_console_output_ready(&fx->con, 1);
    assert_false(avps_console_guest_is_open(&fx->con, 1));
    assert_null(avps_console_port_counters(&fx->con, 1));
    assert_int_equal(fx->d.port.wakes, 0);
}

/* ---- output ---- */

static void test_console_output_reaches_the_back_end(void **state)
{
    struct fixture *fx = *state;

    write_output(fx, 1, "hello, ");
    write_output(fx, 1, "world\n");
    assert_host_has(&fx->host[0], "hello, world\n");
    assert_int_equal(avps_console_port_counters(&fx->con, 0)->output, 13);
    assert_int_equal(avps_queue_counters(&fx->con.base, 1)->bytes_read, 13);
    assert_int_equal(test_driver_ack(&fx->d), 1);
}

static void test_console_output_may_be_scattered_and_indirect(void **state)
{
    struct fixture *fx = *state;
    struct test_request r = {.out = {{"ab", 2}, {"c", 1}, {"defg", 4}}, .indirect = true};

    assert_int_equal(test_driver_do(&fx->d, 1, &r), 0);
    r.indirect = false;
    assert_int_equal(test_driver_do(&fx->d, 1, &r), 0);
    assert_host_has(&fx->host[0], "abcdefgabcdefg");
}

static void test_console_long_output_comes_in_bounded_pieces(void **state)
{
    struct fixture *fx = *state;
    uint8_t bytes[1000];

    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7U);
    }
    const uint16_t id = put_output(fx, 1, bytes, sizeof bytes);
    run(fx, 1);
    assert_returned(fx, 1, id);
    assert_int_equal(fx->host[0].out_len, sizeof bytes);
    assert_memory_equal(fx->host[0].out, bytes, sizeof bytes);
    assert_int_equal(fx->host[0].longest, 256);
}

/* drv.console-1.2 */
static void test_console_leaves_writable_bytes_of_output_alone(void **state)
{
    struct fixture *fx = *state;
    struct test_request mixed = {.out = {{"x", 1}}, .in = {8}};
    struct test_request empty = {.in = {8}};

    assert_int_equal(test_driver_do(&fx->d, 1, &mixed), 0);
    assert_int_equal(test_driver_do(&fx->d, 1, &empty), 0);
    assert_true(test_mem_is(&fx->d.mem, mixed.in_gpa[0], TEST_UNWRITTEN, 8));
    assert_true(test_mem_is(&fx->d.mem, empty.in_gpa[0], TEST_UNWRITTEN, 8));
    assert_host_has(&fx->host[0], "x");
    assert_int_equal(test_driver_get(&fx->d, TEST_STATUS), TEST_S_LIVE);
}

static void test_console_output_waits_for_a_blocked_back_end(void **state)
{
    struct fixture *fx = *state;

    fx->host[0].room = 0;
    const uint16_t first = put_output(fx, 1, "first", 5);
    const uint16_t second = put_output(fx, 1, "second", 6);
    run(fx, 1);
    assert_nothing_returned(fx, 1);
    assert_int_equal(fx->host[0].calls, 1);
    fx->host[0].room = UNLIMITED;
    assert_int_equal(test_driver_poll(&fx->d), AVPS_POLL_IDLE);
    assert_int_equal(fx->host[0].calls, 1); /* not before it says that it can take more */
    avps_console_output_ready(&fx->con, 0);
    assert_int_equal(fx->d.port.wakes, 1);
    (void)test_driver_poll(&fx->d);
    assert_returned(fx, 1, first);
    assert_returned(fx, 1, second);
    assert_host_has(&fx->host[0], "firstsecond");
    assert_int_equal(avps_console_port_counters(&fx->con, 0)->blocked, 1);
}

/* Every split of the bytes into what is taken at a time, without loss or repetition. */
static void test_console_output_resumes_at_the_byte_not_taken(void **state)
{
    static const uint32_t steps[] = {1, 3, 100, 255, 256, 257, 600};
    struct fixture *fx = *state;
    uint8_t bytes[700];
    uint64_t total = 0;

    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 13U + i / 256U);
    }
    for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
        const size_t mark = test_mem_mark(&fx->d.mem);
        const uint16_t id = put_output(fx, 1, bytes, sizeof bytes);

        fx->host[0].out_len = 0;
        fx->host[0].room = steps[s];
        run(fx, 1);
        while (fx->host[0].out_len != sizeof bytes) {
            assert_nothing_returned(fx, 1);
            fx->host[0].room = steps[s];
            avps_console_output_ready(&fx->con, 0);
            (void)test_driver_poll(&fx->d);
        }
        assert_returned(fx, 1, id);
        assert_memory_equal(fx->host[0].out, bytes, sizeof bytes);
        total += sizeof bytes;
        assert_int_equal(avps_queue_counters(&fx->con.base, 1)->bytes_read, total);
        assert_int_equal(avps_queue_counters(&fx->con.base, 1)->chains, s + 1U);
        test_mem_rewind(&fx->d.mem, mark);
    }
    assert_int_equal(avps_console_port_counters(&fx->con, 0)->output, total);
}

static void test_console_kicks_while_blocked_neither_lose_nor_repeat(void **state)
{
    struct fixture *fx = *state;
    uint16_t ids[8];

    fx->host[0].room = 3;
    for (unsigned int i = 0; i < 8U; i++) {
        ids[i] = put_output(fx, 1, &"0123456789"[i], 2);
        run(fx, 1);
    }
    assert_returned(fx, 1, ids[0]);
    assert_nothing_returned(fx, 1);
    assert_host_has(&fx->host[0], "011");
    fx->host[0].room = UNLIMITED;
    avps_console_output_ready(&fx->con, 0);
    (void)test_driver_poll(&fx->d);
    for (unsigned int i = 1; i < 8U; i++) {
        assert_returned(fx, 1, ids[i]);
    }
    assert_host_has(&fx->host[0], "0112233445566778");
}

static void test_console_blocked_output_does_not_stop_input(void **state)
{
    struct fixture *fx = *state;
    const struct test_request r = put_buffer(fx, 0, 16);

    fx->host[0].room = 0;
    (void)put_output(fx, 1, "stuck", 5);
    run(fx, 1);
    assert_int_equal(give_input(fx, 0, "in"), 2);
    assert_filled(fx, 0, &r, "in", 2);
}

static void test_console_counts_what_a_failing_back_end_loses(void **state)
{
    struct fixture *fx = *state;

    fx->host[0].status = AVPS_E_IO;
    write_output(fx, 1, "lost");
    fx->host[0].status = AVPS_OK;
    fx->host[0].lie = 1; /* more than it was given */
    write_output(fx, 1, "lost too");
    fx->host[0].lie = 0;
    fx->host[0].out_len = 0;
    write_output(fx, 1, "good");
    assert_host_has(&fx->host[0], "good");
    assert_int_equal(avps_console_port_counters(&fx->con, 0)->failures, 2);
    assert_int_equal(avps_console_port_counters(&fx->con, 0)->discarded, 12);
    assert_int_equal(avps_queue_counters(&fx->con.base, 1)->port_errors, 2);
    assert_int_equal(test_driver_get(&fx->d, TEST_STATUS), TEST_S_LIVE);
}

static void test_console_again_from_a_back_end_means_nothing_taken(void **state)
{
    struct fixture *fx = *state;

    fx->host[0].status = AVPS_AGAIN;
    const uint16_t id = put_output(fx, 1, "later", 5);
    run(fx, 1);
    assert_nothing_returned(fx, 1);
    fx->host[0].status = AVPS_OK;
    avps_console_output_ready(&fx->con, 0);
    (void)test_driver_poll(&fx->d);
    assert_returned(fx, 1, id);
    assert_host_has(&fx->host[0], "later");
}

static void test_console_without_output_op_discards(void **state)
{
    struct fixture *fx = *state;

    fx->config.port0.ops = &silent_ops;
    fixture_attach(fx);
    test_driver_start(&fx->d);
    write_output(fx, 1, "nobody");
    assert_int_equal(avps_console_port_counters(&fx->con, 0)->discarded, 6);
}

static void test_console_discards_output_while_the_host_is_closed(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(avps_console_close(&fx->con, 0), AVPS_OK);
    write_output(fx, 1, "nobody");
    assert_int_equal(fx->host[0].calls, 0);
    assert_int_equal(avps_console_port_counters(&fx->con, 0)->discarded, 6);
    assert_int_equal(avps_console_open(&fx->con, 0), AVPS_OK);
    write_output(fx, 1, "me");
    assert_host_has(&fx->host[0], "me");
}

/* What waits when the listener goes does not reach the next one. */
static void test_console_close_returns_output_that_waits(void **state)
{
    struct fixture *fx = *state;

    fx->host[0].room = 2;
    const uint16_t first = put_output(fx, 1, "first", 5);
    const uint16_t second = put_output(fx, 1, "second", 6);
    run(fx, 1);
    assert_int_equal(avps_console_close(&fx->con, 0), AVPS_OK);
    fx->host[0].room = UNLIMITED;
    assert_int_equal(avps_console_open(&fx->con, 0), AVPS_OK);
    (void)test_driver_poll(&fx->d);
    assert_returned(fx, 1, first);
    assert_returned(fx, 1, second);
    write_output(fx, 1, "new");
    assert_host_has(&fx->host[0], "finew");
    assert_int_equal(avps_console_port_counters(&fx->con, 0)->discarded, 9);
}

/* While output is blocked kicks are off; the guest must not be left without. */
static void test_console_close_asks_for_kicks_again(void **state)
{
    struct fixture *fx = *state;
    struct test_ring *tx = &fx->d.ring[1];

    fx->host[0].room = 0;
    (void)put_output(fx, 1, "stuck", 5);
    assert_true(test_ring_wants_kick(tx));
    run(fx, 1);
    assert_int_equal(avps_console_close(&fx->con, 0), AVPS_OK);
    (void)test_driver_poll(&fx->d);
    (void)put_output(fx, 1, "more", 4);
    assert_true(test_ring_wants_kick(tx));
}

static void test_console_back_end_may_close_inside_its_output_op(void **state)
{
    struct fixture *fx = *state;

    fx->host[0].room = 2;
    fx->host[0].close_in_output = true;
    const uint16_t first = put_output(fx, 1, "first", 5);
    const uint16_t second = put_output(fx, 1, "second", 6);
    run(fx, 1);
    assert_returned(fx, 1, first);
    assert_returned(fx, 1, second);
    assert_host_has(&fx->host[0], "fi");
    assert_int_equal(avps_console_port_counters(&fx->con, 0)->discarded, 9);
    assert_int_equal(avps_queue_counters(&fx->con.base, 1)->used, 2);
}

static void test_console_reads_each_byte_of_output_once(void **state)
{
    struct fixture *fx = *state;
    struct test_request r = {.out = {{"steady bytes", 12}}};

    test_driver_free(&fx->d);
    fixture_prepare(fx, fx->packed, false, TEST_MEM_COPY);
    fixture_attach(fx);
    test_driver_start(&fx->d);
    (void)test_driver_send(&fx->d, 1, &r);
    test_mem_race(&fx->d.mem, r.out_gpa[0], 12);
    run(fx, 1);
    assert_returned(fx, 1, r.id);
    assert_host_has(&fx->host[0], "steady bytes");
    assert_int_equal(fx->d.mem.rereads, 0);
}

/* A driver that changes a buffer behind the device's back harms only itself. */
static void test_console_survives_a_chain_that_shrinks_while_blocked(void **state)
{
    struct fixture *fx = *state;
    struct test_request r = {.out = {{"0123456789", 10}}};

    fx->host[0].room = 6;
    (void)test_driver_send(&fx->d, 1, &r);
    run(fx, 1);
    assert_host_has(&fx->host[0], "012345");
    test_mem_put32(&fx->d.mem, test_ring_desc_at(&fx->d.ring[1], 0) + 8U, 4); /* its length */
    fx->host[0].room = UNLIMITED;
    avps_console_output_ready(&fx->con, 0);
    (void)test_driver_poll(&fx->d);
    assert_returned(fx, 1, r.id);
    assert_host_has(&fx->host[0], "012345");
    write_output(fx, 1, "ok");
    assert_host_has(&fx->host[0], "012345ok");
    assert_int_equal(avps_console_port_counters(&fx->con, 0)->discarded, 0);
}

/* ---- input ---- */

static void test_console_input_fills_the_guests_buffer(void **state)
{
    struct fixture *fx = *state;
    const struct test_request r = put_buffer(fx, 0, 32);

    run(fx, 0);
    assert_int_equal(give_input(fx, 0, "typed"), 5);
    assert_filled(fx, 0, &r, "typed", 5);
    assert_int_equal(test_driver_ack(&fx->d), 1);
    assert_int_equal(avps_console_port_counters(&fx->con, 0)->input, 5);
    assert_int_equal(fx->host[0].ready, 0);
    assert_int_not_equal(fx->d.port.batch_ends, 0);
}

static void test_console_input_spans_buffers_and_keeps_the_rest(void **state)
{
    struct fixture *fx = *state;
    struct test_request r[3];

    for (unsigned int i = 0; i < 3U; i++) {
        r[i] = put_buffer(fx, 0, 4);
    }
    run(fx, 0);
    assert_int_equal(give_input(fx, 0, "0123456789abcdef"), 12);
    assert_filled(fx, 0, &r[0], "0123", 4);
    assert_filled(fx, 0, &r[1], "4567", 4);
    assert_filled(fx, 0, &r[2], "89ab", 4);
    assert_int_equal(fx->host[0].ready, 0);
    r[0] = put_buffer(fx, 0, 16);
    run(fx, 0);
    assert_int_equal(fx->host[0].ready, 1);
    assert_int_equal(give_input(fx, 0, "cdef"), 4);
    assert_filled(fx, 0, &r[0], "cdef", 4);
    assert_int_equal(avps_console_port_counters(&fx->con, 0)->starved, 1);
}

static void test_console_input_without_buffers_is_announced_later_once(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(give_input(fx, 0, "early"), 0);
    (void)test_driver_poll(&fx->d);
    assert_int_equal(fx->host[0].ready, 0);
    (void)put_buffer(fx, 0, 8);
    run(fx, 0);
    (void)put_buffer(fx, 0, 8);
    run(fx, 0);
    assert_int_equal(fx->host[0].ready, 1);
}

static void test_console_input_may_be_given_inside_input_ready(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(give_input(fx, 0, "now"), 0);
    fx->host[0].input_when_ready = "now";
    const struct test_request r = put_buffer(fx, 0, 8);
    run(fx, 0);
    assert_int_equal(fx->host[0].taken_when_ready, 3);
    assert_filled(fx, 0, &r, "now", 3);
    assert_int_equal(test_driver_ack(&fx->d), 1);
}

static void test_console_input_before_the_driver_waits_for_it(void **state)
{
    struct fixture *fx = *state;
    uint32_t taken = 9;

    fixture_attach(fx);
    assert_int_equal(avps_console_input(&fx->con, 0, "early", 5, &taken), AVPS_OK);
    assert_int_equal(taken, 0);
    assert_false(avps_console_guest_is_open(&fx->con, 0));
    assert_int_equal(fx->host[0].opened, 0);
    test_driver_start(&fx->d);
    assert_true(avps_console_guest_is_open(&fx->con, 0));
    assert_int_equal(fx->host[0].opened, 1);
    const struct test_request r = put_buffer(fx, 0, 8);
    fx->host[0].input_when_ready = "early";
    run(fx, 0);
    assert_filled(fx, 0, &r, "early", 5);
}

static void test_console_input_of_no_bytes_takes_no_buffer(void **state)
{
    struct fixture *fx = *state;

    (void)put_buffer(fx, 0, 8);
    assert_int_equal(give_input(fx, 0, ""), 0);
    assert_nothing_returned(fx, 0);
    run(fx, 0);
    assert_int_equal(fx->host[0].ready, 0);
    assert_int_equal(avps_console_port_counters(&fx->con, 0)->starved, 0);
}

static struct test_request put_buffer_after_reaping(struct fixture *fx)
{
    struct test_used used;

    while (test_driver_reap(&fx->d, 0, &used)) {
        assert_int_equal(used.len, 1);
    }
    return put_buffer(fx, 0, 8);
}

static void test_console_input_takes_at_most_a_queue_of_buffers(void **state)
{
    struct fixture *fx = *state;

    for (unsigned int i = 0; i < 16U; i++) {
        (void)put_buffer(fx, 0, 1);
    }
    run(fx, 0);
    assert_int_equal(give_input(fx, 0, "0123456789abcdefghij"), 16);
    (void)test_driver_poll(&fx->d);
    assert_int_equal(fx->host[0].ready, 0);
    (void)put_buffer_after_reaping(fx);
    run(fx, 0);
    assert_int_equal(fx->host[0].ready, 1);
    assert_int_equal(give_input(fx, 0, "ghij"), 4);
}

/* drv.console-1.1 */
static void test_console_ignores_readable_bytes_of_an_input_buffer(void **state)
{
    struct fixture *fx = *state;
    struct test_request r = {.out = {{"odd", 3}}, .in = {4, 4}};

    (void)test_driver_send(&fx->d, 0, &r);
    assert_int_equal(give_input(fx, 0, "abcdef"), 6);
    assert_filled(fx, 0, &r, "abcdef", 6);
}

static void test_console_faults_on_an_input_buffer_without_room(void **state)
{
    struct fixture *fx = *state;
    uint32_t taken = 9;

    (void)put_output(fx, 0, "odd", 3);
    run(fx, 0);
    assert_int_equal(avps_console_input(&fx->con, 0, "x", 1, &taken), AVPS_E_GUEST_SIZE);
    assert_int_equal(taken, 0);
    test_driver_assert_faulted(&fx->d);
    assert_int_equal(avps_device_counters(&fx->con.base)->faults[AVPS_FAULT_SIZE], 1);
    assert_int_equal(fx->d.port.events[AVPS_EVENT_QUEUE_FAULT], 1);
    assert_int_equal(give_input(fx, 0, "x"), 0);
}

static void test_console_faults_on_an_input_buffer_outside_memory(void **state)
{
    struct fixture *fx = *state;
    const struct test_desc hole = {TEST_HOLE_GPA, 16, TEST_WRITE};

    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        uint32_t taken = 9;

        test_driver_free(&fx->d);
        fixture_prepare(fx, fx->packed, false, (enum test_mem_kind)kind);
        fixture_attach(fx);
        test_driver_start(&fx->d);
        (void)test_ring_add(&fx->d.ring[0], &hole, 1);
        assert_int_equal(avps_console_input(&fx->con, 0, "x", 1, &taken), AVPS_E_GUEST_ADDR);
        assert_int_equal(taken, 0);
        test_driver_assert_faulted(&fx->d);
        assert_int_equal(avps_device_counters(&fx->con.base)->faults[AVPS_FAULT_ADDR], 1);
    }
}

static void test_console_works_over_every_kind_of_memory(void **state)
{
    struct fixture *fx = *state;

    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        test_driver_free(&fx->d);
        fixture_prepare(fx, fx->packed, false, (enum test_mem_kind)kind);
        fixture_attach(fx);
        test_driver_start(&fx->d);
        fx->host[0].room = 3;
        const uint16_t id = put_output(fx, 1, "outgoing", 8);
        run(fx, 1);
        fx->host[0].room = UNLIMITED;
        avps_console_output_ready(&fx->con, 0);
        (void)test_driver_poll(&fx->d);
        assert_returned(fx, 1, id);
        assert_host_has(&fx->host[0], "outgoing");
        const struct test_request r = put_buffer(fx, 0, 16);
        assert_int_equal(give_input(fx, 0, "incoming"), 8);
        assert_filled(fx, 0, &r, "incoming", 8);
    }
}

/* Give "incoming" as often as the back end is asked to, until it is all there. */
static uint32_t insist(struct fixture *fx, uint32_t *failures)
{
    const char *text = "incoming";
    uint32_t done = 0;

    for (unsigned int i = 0; i < 10U && done != 8U; i++) {
        uint32_t taken = 0;
        const enum avps_status status =
            avps_console_input(&fx->con, 0, text + done, 8U - done, &taken);

        assert_true(status == AVPS_OK || status == AVPS_E_IO);
        *failures += status == AVPS_E_IO ? 1U : 0U;
        done += taken;
        (void)test_driver_poll(&fx->d);
    }
    return done;
}

/* Fail each memory access of an input in turn, with both statuses that a port may return. */
static void test_console_input_survives_failing_memory_without_loss(void **state)
{
    static const enum avps_status statuses[] = {AVPS_E_IO, AVPS_AGAIN};
    struct fixture *fx = *state;

    for (unsigned int n = 1; n <= 8U; n++) {
        const enum avps_status status = statuses[n % 2U];
        uint32_t failures = 0;
        char got[16] = {0};
        uint32_t len = 0;

        test_driver_free(&fx->d);
        fixture_prepare(fx, fx->packed, false, TEST_MEM_COPY);
        fixture_attach(fx);
        test_driver_start(&fx->d);
        struct test_request r[2] = {put_buffer(fx, 0, 6), put_buffer(fx, 0, 6)};
        test_fail_at(&fx->d.mem.fail, n, status);
        const uint32_t done = insist(fx, &failures);
        (void)test_driver_poll(&fx->d);
        if ((test_driver_get(&fx->d, TEST_STATUS) & TEST_S_NEEDS_RESET) != 0U) {
            continue; /* a used element was not written: the driver is made to reset */
        }
        assert_int_equal(done, 8);
        for (unsigned int i = 0; i < 2U; i++) {
            struct test_used used = {0, 0};

            assert_true(test_driver_reap(&fx->d, 0, &used));
            test_driver_in(&fx->d, &r[i], 0, got + len, used.len);
            len += used.len;
        }
        assert_string_equal(got, "incoming");
    }
}

static void test_console_output_survives_memory_that_is_busy(void **state)
{
    struct fixture *fx = *state;

    for (unsigned int n = 1; n <= 8U; n++) {
        test_driver_free(&fx->d);
        fixture_prepare(fx, fx->packed, false, TEST_MEM_COPY);
        fixture_attach(fx);
        test_driver_start(&fx->d);
        const uint16_t id = put_output(fx, 1, "outgoing", 8);
        test_fail_at(&fx->d.mem.fail, n, AVPS_AGAIN);
        run(fx, 1);
        (void)test_driver_poll(&fx->d);
        if ((test_driver_get(&fx->d, TEST_STATUS) & TEST_S_NEEDS_RESET) == 0U) {
            assert_host_has(&fx->host[0], "outgoing");
            assert_returned(fx, 1, id);
        }
    }
}

static void test_console_asks_for_kicks_only_when_input_waits(void **state)
{
    struct fixture *fx = *state;
    struct test_ring *rx = &fx->d.ring[0];

    test_driver_reset(&fx->d);
    avps_features_add(&fx->d.want, AVPS_F_EVENT_IDX);
    test_driver_start(&fx->d);
    (void)put_buffer(fx, 0, 4);
    assert_true(test_ring_wants_kick(rx));
    run(fx, 0);
    (void)put_buffer(fx, 0, 4);
    assert_false(test_ring_wants_kick(rx));
    assert_int_equal(give_input(fx, 0, "0123456789"), 8);
    (void)put_buffer(fx, 0, 4);
    assert_true(test_ring_wants_kick(rx));
    run(fx, 0);
    assert_int_equal(fx->host[0].ready, 1);
}

/* ---- emergency output ---- */

/* [console-1.1] [console-1.2] */
static void test_console_emergency_output_needs_no_driver(void **state)
{
    struct fixture *fx = *state;

    fixture_attach(fx);
    test_driver_config_set(&fx->d, 8, 4, UINT64_C(0xffffff00) | 'a');
    test_driver_config_set(&fx->d, 8, 2, 'b');
    test_driver_config_set(&fx->d, 8, 1, 'c');
    test_driver_set(&fx->d, TEST_STATUS, TEST_S_ACKNOWLEDGE);
    test_driver_config_set(&fx->d, 8, 4, 'd');
    test_driver_start(&fx->d);
    test_driver_config_set(&fx->d, 8, 4, 'e');
    test_driver_set(&fx->d, TEST_STATUS, TEST_S_LIVE | TEST_S_FAILED);
    test_driver_config_set(&fx->d, 8, 4, 'f');
    assert_int_equal(fx->host[0].emergency_len, 6);
    assert_memory_equal(fx->host[0].emergency, "abcdef", 6);
    assert_int_equal(avps_console_counters(&fx->con)->emergency, 6);
    assert_int_equal(test_driver_config(&fx->d, 8, 4), 0);
}

static void test_console_emergency_output_works_on_a_faulted_device(void **state)
{
    struct fixture *fx = *state;

    (void)put_output(fx, 0, "odd", 3);
    run(fx, 0);
    uint32_t taken = 0;
    assert_int_equal(avps_console_input(&fx->con, 0, "x", 1, &taken), AVPS_E_GUEST_SIZE);
    test_driver_config_set(&fx->d, 8, 4, '!');
    assert_int_equal(fx->host[0].emergency_len, 1);
}

static void test_console_other_configuration_writes_do_nothing(void **state)
{
    struct fixture *fx = *state;

    test_driver_config_set(&fx->d, 0, 4, 0x00010001);
    test_driver_config_set(&fx->d, 4, 4, 99);
    test_driver_config_set(&fx->d, 9, 1, 'x');
    test_driver_config_set(&fx->d, 10, 2, 'x');
    test_driver_config_set(&fx->d, 8, 8, 'x'); /* beyond the end */
    test_driver_config_set(&fx->d, 12, 4, 'x');
    assert_int_equal(test_driver_config(&fx->d, 0, 2), 80);
    assert_int_equal(test_driver_config(&fx->d, 2, 2), 25);
    assert_int_equal(test_driver_config(&fx->d, 4, 4), 0);
    assert_int_equal(fx->host[0].emergency_len, 0);
}

/* ---- resize ---- */

static void test_console_resize_changes_the_configuration(void **state)
{
    struct fixture *fx = *state;
    const uint32_t generation = test_driver_get(&fx->d, TEST_CONFIG_GENERATION);

    assert_int_equal(avps_console_resize(&fx->con, 0, 132, 43), AVPS_OK);
    assert_int_equal(test_driver_ack(&fx->d), 2);
    assert_int_equal(test_driver_config(&fx->d, 0, 2), 132);
    assert_int_equal(test_driver_config(&fx->d, 2, 2), 43);
    assert_int_not_equal(test_driver_get(&fx->d, TEST_CONFIG_GENERATION), generation);
    assert_int_equal(avps_console_resize(&fx->con, 0, 132, 43), AVPS_OK);
    assert_int_equal(test_driver_ack(&fx->d), 0); /* nothing new */
    assert_int_equal(avps_console_resize(&fx->con, 0, 132, 44), AVPS_OK);
    assert_int_equal(test_driver_ack(&fx->d), 2);
}

/* ---- reset, suspend, saved state ---- */

static void test_console_reset_forgets_a_partly_taken_buffer(void **state)
{
    struct fixture *fx = *state;

    fx->host[0].room = 3;
    (void)put_output(fx, 1, "abcdef", 6);
    run(fx, 1);
    test_driver_reset(&fx->d);
    assert_int_equal(fx->host[0].closed, 1);
    assert_false(avps_console_guest_is_open(&fx->con, 0));
    fx->host[0].room = UNLIMITED;
    avps_console_output_ready(&fx->con, 0);
    assert_int_equal(avps_poll(&fx->con.base, 64), AVPS_POLL_IDLE);
    test_driver_start(&fx->d);
    assert_int_equal(fx->host[0].opened, 2);
    write_output(fx, 1, "xyz");
    assert_host_has(&fx->host[0], "abcxyz");
}

static void test_console_queue_reset_forgets_a_partly_taken_buffer(void **state)
{
    struct fixture *fx = *state;

    fx->host[0].room = 3;
    (void)put_output(fx, 1, "abcdef", 6);
    run(fx, 1);
    test_driver_set(&fx->d, TEST_QUEUE_SEL, 1);
    test_driver_set(&fx->d, TEST_QUEUE_RESET, 1);
    assert_int_equal(test_driver_get(&fx->d, TEST_QUEUE_RESET), 0);
    assert_int_equal(test_driver_get(&fx->d, TEST_QUEUE_READY), 0);
    fx->host[0].room = UNLIMITED;
    assert_true(test_driver_queue(&fx->d, 1, 16));
    write_output(fx, 1, "xyz");
    assert_host_has(&fx->host[0], "abcxyz");
}

static void test_console_reset_of_the_input_queue_leaves_output_alone(void **state)
{
    struct fixture *fx = *state;

    fx->host[0].room = 3;
    const uint16_t id = put_output(fx, 1, "abcdef", 6);
    run(fx, 1);
    test_driver_set(&fx->d, TEST_QUEUE_SEL, 0);
    test_driver_set(&fx->d, TEST_QUEUE_RESET, 1);
    fx->host[0].room = UNLIMITED;
    avps_console_output_ready(&fx->con, 0);
    (void)test_driver_poll(&fx->d);
    assert_returned(fx, 1, id);
    assert_host_has(&fx->host[0], "abcdef");
    assert_int_equal(give_input(fx, 0, "x"), 0);
    assert_true(test_driver_queue(&fx->d, 0, 16));
    const struct test_request r = put_buffer(fx, 0, 4);
    fx->host[0].input_when_ready = "x";
    run(fx, 0);
    assert_filled(fx, 0, &r, "x", 1);
}

static void test_console_suspends_at_once_while_output_is_blocked(void **state)
{
    struct fixture *fx = *state;

    fx->host[0].room = 3;
    const uint16_t id = put_output(fx, 1, "abcdef", 6);
    run(fx, 1);
    test_driver_set(&fx->d, TEST_STATUS, TEST_S_LIVE | TEST_S_SUSPEND);
    assert_int_equal(test_driver_get(&fx->d, TEST_STATUS),
                     (TEST_S_LIVE & ~TEST_S_DRIVER_OK) | TEST_S_SUSPEND);
    fx->host[0].room = UNLIMITED;
    avps_console_output_ready(&fx->con, 0);
    (void)test_driver_poll(&fx->d);
    assert_int_equal(give_input(fx, 0, "x"), 0);
    assert_host_has(&fx->host[0], "abc");
    assert_int_equal(avps_console_resize(&fx->con, 0, 1, 1), AVPS_OK);
    assert_int_equal(test_driver_ack(&fx->d) & 2U, 0);
    test_driver_set(&fx->d, TEST_STATUS, TEST_S_LIVE);
    assert_int_equal(test_driver_ack(&fx->d) & 2U, 2);
    (void)test_driver_poll(&fx->d);
    assert_returned(fx, 1, id);
    assert_host_has(&fx->host[0], "abcdef");
    assert_int_equal(fx->host[0].opened, 1);
}

static void test_console_quiesce_holds_input_back(void **state)
{
    struct fixture *fx = *state;
    const struct test_request r = put_buffer(fx, 0, 8);

    run(fx, 0);
    assert_int_equal(avps_quiesce(&fx->con.base), AVPS_OK);
    assert_int_equal(give_input(fx, 0, "x"), 0);
    (void)put_output(fx, 1, "held", 4);
    run(fx, 0);
    run(fx, 1);
    assert_int_equal(fx->host[0].calls, 0);
    assert_int_equal(fx->host[0].ready, 0);
    fx->host[0].input_when_ready = "x";
    avps_resume(&fx->con.base);
    (void)test_driver_poll(&fx->d);
    assert_filled(fx, 0, &r, "x", 1);
    assert_host_has(&fx->host[0], "held");
}

/* A second device on the same guest memory takes over in the middle of a buffer. */
static void test_console_saved_state_goes_on_at_the_byte_not_taken(void **state)
{
    static uint8_t image[1024];
    struct fixture *fx = *state;
    size_t used = 0;

    fx->host[0].room = 3;
    const uint16_t id = put_output(fx, 1, "abcdef", 6);
    run(fx, 1);
    assert_int_equal(avps_save(&fx->con.base, image, sizeof image, &used), AVPS_OK);
    (void)avps_reset(&fx->con.base);
    assert_int_equal(fx->host[0].closed, 1);
    fx->host[0].room = UNLIMITED;
    assert_int_equal(avps_load(&fx->con.base, image, used), AVPS_OK);
    assert_int_equal(fx->host[0].opened, 2);
    assert_true(avps_console_guest_is_open(&fx->con, 0));
    (void)test_driver_poll(&fx->d);
    assert_returned(fx, 1, id);
    assert_host_has(&fx->host[0], "abcdef");
    const struct test_request r = put_buffer(fx, 0, 8);
    assert_int_equal(give_input(fx, 0, "in"), 2);
    assert_filled(fx, 0, &r, "in", 2);
}

static void test_console_state_saved_while_suspended_resumes(void **state)
{
    static uint8_t image[1024];
    struct fixture *fx = *state;
    size_t used = 0;

    test_driver_set(&fx->d, TEST_STATUS, TEST_S_LIVE | TEST_S_SUSPEND);
    assert_int_equal(avps_save(&fx->con.base, image, sizeof image, &used), AVPS_OK);
    (void)avps_reset(&fx->con.base);
    assert_int_equal(avps_load(&fx->con.base, image, used), AVPS_OK);
    assert_true(avps_console_guest_is_open(&fx->con, 0));
    test_driver_set(&fx->d, TEST_STATUS, TEST_S_LIVE);
    write_output(fx, 1, "back");
    assert_host_has(&fx->host[0], "back");
}

static void test_console_two_instances_do_not_share_anything(void **state)
{
    struct fixture *fx = *state;
    struct fixture *other = calloc(1, sizeof *other);

    assert_non_null(other);
    fixture_prepare(other, fx->packed, false, TEST_MEM_TRANSLATE);
    fixture_attach(other);
    test_driver_start(&other->d);
    fx->host[0].room = 0;
    (void)put_output(fx, 1, "stuck", 5);
    run(fx, 1);
    write_output(other, 1, "free");
    assert_host_has(&other->host[0], "free");
    assert_host_has(&fx->host[0], "");
    test_driver_reset(&fx->d);
    write_output(other, 1, "!");
    assert_host_has(&other->host[0], "free!");
    test_driver_free(&other->d);
    free(other);
}

static void test_console_serves_a_back_end_without_optional_ops(void **state)
{
    struct fixture *fx = *state;

    fx->config.port0.ops = &silent_ops;
    fixture_attach(fx);
    test_driver_start(&fx->d);
    assert_int_equal(give_input(fx, 0, "x"), 0);
    const struct test_request r = put_buffer(fx, 0, 4);
    run(fx, 0);
    assert_int_equal(give_input(fx, 0, "x"), 1);
    assert_filled(fx, 0, &r, "x", 1);
    test_driver_reset(&fx->d);
    assert_false(avps_console_guest_is_open(&fx->con, 0));
}

#define LIVE(test) TEST_BOTH(test, setup, fixture_teardown)
#define BARE(test) TEST_BOTH(test, setup_bare, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE(test_console_is_device_3_and_offers_what_it_can_serve),
        BARE(test_console_without_size_or_emergency_op_offers_neither),
        BARE(test_console_init_refuses_bad_configurations),
        LIVE(test_console_calls_refuse_unknown_ports),
        LIVE(test_console_output_reaches_the_back_end),
        LIVE(test_console_output_may_be_scattered_and_indirect),
        LIVE(test_console_long_output_comes_in_bounded_pieces),
        LIVE(test_console_leaves_writable_bytes_of_output_alone),
        LIVE(test_console_output_waits_for_a_blocked_back_end),
        LIVE(test_console_output_resumes_at_the_byte_not_taken),
        LIVE(test_console_kicks_while_blocked_neither_lose_nor_repeat),
        LIVE(test_console_blocked_output_does_not_stop_input),
        LIVE(test_console_counts_what_a_failing_back_end_loses),
        LIVE(test_console_again_from_a_back_end_means_nothing_taken),
        BARE(test_console_without_output_op_discards),
        LIVE(test_console_discards_output_while_the_host_is_closed),
        LIVE(test_console_close_returns_output_that_waits),
        LIVE(test_console_back_end_may_close_inside_its_output_op),
        LIVE(test_console_reads_each_byte_of_output_once),
        LIVE(test_console_survives_a_chain_that_shrinks_while_blocked),
        LIVE(test_console_input_fills_the_guests_buffer),
        LIVE(test_console_input_spans_buffers_and_keeps_the_rest),
        LIVE(test_console_input_without_buffers_is_announced_later_once),
        LIVE(test_console_input_may_be_given_inside_input_ready),
        BARE(test_console_input_before_the_driver_waits_for_it),
        LIVE(test_console_input_of_no_bytes_takes_no_buffer),
        LIVE(test_console_input_takes_at_most_a_queue_of_buffers),
        LIVE(test_console_ignores_readable_bytes_of_an_input_buffer),
        LIVE(test_console_faults_on_an_input_buffer_without_room),
        LIVE(test_console_faults_on_an_input_buffer_outside_memory),
        LIVE(test_console_works_over_every_kind_of_memory),
        LIVE(test_console_input_survives_failing_memory_without_loss),
        LIVE(test_console_output_survives_memory_that_is_busy),
        LIVE(test_console_asks_for_kicks_only_when_input_waits),
        BARE(test_console_emergency_output_needs_no_driver),
        LIVE(test_console_emergency_output_works_on_a_faulted_device),
        LIVE(test_console_other_configuration_writes_do_nothing),
        LIVE(test_console_resize_changes_the_configuration),
        LIVE(test_console_reset_forgets_a_partly_taken_buffer),
        LIVE(test_console_queue_reset_forgets_a_partly_taken_buffer),
        LIVE(test_console_reset_of_the_input_queue_leaves_output_alone),
        LIVE(test_console_close_asks_for_kicks_again),
        LIVE(test_console_suspends_at_once_while_output_is_blocked),
        LIVE(test_console_quiesce_holds_input_back),
        LIVE(test_console_saved_state_goes_on_at_the_byte_not_taken),
        LIVE(test_console_state_saved_while_suspended_resumes),
        LIVE(test_console_two_instances_do_not_share_anything),
        BARE(test_console_serves_a_back_end_without_optional_ops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
