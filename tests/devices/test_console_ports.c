/* SPDX-License-Identifier: BSD-3-Clause */
/* Console device with several ports: the control protocol in both directions, hot plug, connection
 * of the host side, hostile drivers, saved state. */
#include "test_console.h"

static int setup(void **state)
{
    struct fixture *fx = fixture_new(state, true);

    fixture_attach(fx);
    *state = fx;
    return 0;
}

/* Port 0 has been through the handshake and is open. */
static int setup_up(void **state)
{
    (void)setup(state);
    bring_up(*state, 0);
    return 0;
}

/* Port 1 too, a plain channel with queues 4 and 5. */
static int setup_two(void **state)
{
    (void)setup(state);
    bring_up(*state, 1);
    return 0;
}

static void add_port(struct fixture *fx, uint32_t port, const char *name)
{
    const struct avps_console_port_config config = plain_port(fx, port, name);

    assert_int_equal(avps_console_add_port(&fx->con, port, &config), AVPS_OK);
}

/* ---- handshake ---- */

/* [console-x1] */
static void test_console_offers_its_number_of_ports(void **state)
{
    struct fixture *fx = *state;

    assert_true(test_driver_offers(&fx->d, F_MULTIPORT));
    assert_int_equal(test_driver_config(&fx->d, 4, 4), PORTS);
    test_driver_set(&fx->d, TEST_QUEUE_SEL, QUEUES - 1U);
    assert_int_equal(test_driver_get(&fx->d, TEST_QUEUE_SIZE_MAX), 16);
    test_driver_set(&fx->d, TEST_QUEUE_SEL, QUEUES);
    assert_int_equal(test_driver_get(&fx->d, TEST_QUEUE_SIZE_MAX), 0);
}

static void test_console_says_nothing_before_device_ready(void **state)
{
    struct fixture *fx = *state;

    add_port(fx, 2, "two");
    test_driver_start(&fx->d);
    give_control_buffers(fx, 4, 64);
    add_port(fx, 1, "one");
    assert_int_equal(avps_console_resize(&fx->con, 0, 1, 1), AVPS_OK);
    assert_int_equal(avps_console_close(&fx->con, 0), AVPS_OK);
    assert_told_nothing(fx);
}

/* [console-2.1] */
static void test_console_announces_every_port_at_device_ready(void **state)
{
    struct fixture *fx = *state;

    add_port(fx, 3, NULL);
    add_port(fx, 1, "one");
    test_driver_start(&fx->d);
    give_control_buffers(fx, 8, 64);
    tell(fx, UINT32_MAX, DEVICE_READY, 1);
    assert_told(fx, 0, DEVICE_ADD, 1, NULL, 0);
    assert_told(fx, 1, DEVICE_ADD, 1, NULL, 0);
    assert_told(fx, 3, DEVICE_ADD, 1, NULL, 0);
    tell(fx, UINT32_MAX, DEVICE_READY, 1); /* once more */
    assert_told_nothing(fx);
    assert_int_equal(avps_console_counters(&fx->con)->control_in, 2);
    assert_int_equal(avps_console_counters(&fx->con)->control_out, 3);
    assert_int_equal(test_driver_ack(&fx->d), 1);
}

/* [console-x3] Two consoles beside each other; the order of the description is fixed. */
static void test_console_describes_a_console_port_when_it_is_ready(void **state)
{
    static const uint8_t size[] = {0x2c, 0x01, 10, 0};
    struct fixture *fx = *state;
    struct avps_console_port_config config = plain_port(fx, 1, NULL);

    config.console = true;
    config.cols = 300;
    config.rows = 10;
    config.open = false;
    assert_int_equal(avps_console_add_port(&fx->con, 1, &config), AVPS_OK);
    assert_told(fx, 1, DEVICE_ADD, 1, NULL, 0);
    tell(fx, 1, PORT_READY, 1);
    assert_told(fx, 1, CONSOLE_PORT, 1, NULL, 0);
    assert_told(fx, 1, RESIZE, 0, size, 4);
    assert_told_nothing(fx);
}

static void test_console_does_not_describe_what_a_port_has_not(void **state)
{
    struct fixture *fx = *state;
    struct avps_console_port_config config = plain_port(fx, 1, "");

    config.cols = 80; /* a size, but no text console */
    config.rows = 25;
    assert_int_equal(avps_console_add_port(&fx->con, 1, &config), AVPS_OK);
    assert_told(fx, 1, DEVICE_ADD, 1, NULL, 0);
    tell(fx, 1, PORT_READY, 1);
    assert_told(fx, 1, PORT_OPEN, 1, NULL, 0);
    assert_told_nothing(fx);
    assert_int_equal(avps_console_resize(&fx->con, 1, 81, 25), AVPS_OK);
    assert_told_nothing(fx);
}

static void test_console_resize_message_follows_the_quirk(void **state)
{
    static const uint8_t rows_first[] = {25, 0, 80, 0};
    struct fixture *fx = *state;

    test_driver_free(&fx->d);
    fixture_prepare(fx, fx->packed, true, TEST_MEM_REGIONS);
    fx->config.resize_rows_first = true;
    fixture_attach(fx);
    test_driver_start(&fx->d);
    give_control_buffers(fx, 4, 64);
    tell(fx, 0, DEVICE_READY, 1);
    assert_told(fx, 0, DEVICE_ADD, 1, NULL, 0);
    tell(fx, 0, PORT_READY, 1);
    assert_told(fx, 0, CONSOLE_PORT, 1, NULL, 0);
    assert_told(fx, 0, RESIZE, 0, rows_first, 4);
    assert_int_equal(test_driver_config(&fx->d, 0, 2), 80); /* the registers keep their order */
    assert_int_equal(test_driver_config(&fx->d, 2, 2), 25);
}

static void test_console_name_is_cut_at_a_character(void **state)
{
    struct fixture *fx = *state;

    give_control_buffers(fx, 1, 64); /* one of 64, then short ones */
    while (fx->ctl_taken + 1U < fx->ctl_given) {
        assert_int_equal(avps_console_resize(&fx->con, 0, (uint16_t)(fx->ctl_taken + 1U), 1),
                         AVPS_OK);
        const uint8_t size[] = {(uint8_t)(fx->ctl_taken + 1U), 0, 1, 0};
        assert_told(fx, 0, RESIZE, 0, size, 4);
    }
    give_control_buffers(fx, 1, 8 + 4);
    add_port(fx, 1, "ab\xc3\xa4\xe2\x82\xac"); /* characters of 1, 1, 2, 3 bytes */
    assert_told(fx, 1, DEVICE_ADD, 1, NULL, 0);
    tell(fx, 1, PORT_READY, 1);
    assert_told(fx, 1, PORT_NAME, 1, "ab\xc3\xa4", 4);
    give_control_buffers(fx, 1, 8);
    assert_told(fx, 1, PORT_OPEN, 1, NULL, 0);
    assert_int_equal(avps_console_remove_port(&fx->con, 1), AVPS_OK);
    give_control_buffers(fx, 2, 8);
    assert_told(fx, 1, DEVICE_REMOVE, 1, NULL, 0);
    add_port(fx, 1, "\xe2\x82\xac");
    assert_told(fx, 1, DEVICE_ADD, 1, NULL, 0);
    tell(fx, 1, PORT_READY, 1);
    give_control_buffers(fx, 1, 8 + 2);
    assert_told(fx, 1, PORT_NAME, 1, NULL, 0); /* no character fits */
}

static void test_console_leaves_a_port_alone_that_the_driver_refused(void **state)
{
    struct fixture *fx = *state;

    add_port(fx, 1, "one");
    assert_told(fx, 1, DEVICE_ADD, 1, NULL, 0);
    tell(fx, 1, PORT_READY, 0);
    assert_told_nothing(fx);
    assert_int_equal(avps_console_counters(&fx->con)->refused, 1);
    assert_int_equal(avps_console_counters(&fx->con)->ignored, 0);
    assert_int_equal(avps_console_remove_port(&fx->con, 1), AVPS_OK);
    assert_told(fx, 1, DEVICE_REMOVE, 1, NULL, 0);
}

static void test_console_driver_that_failed_gets_no_more_ports(void **state)
{
    struct fixture *fx = *state;

    test_driver_start(&fx->d);
    give_control_buffers(fx, 4, 64);
    tell(fx, UINT32_MAX, DEVICE_READY, 0);
    add_port(fx, 1, "one");
    assert_told_nothing(fx);
    assert_int_equal(avps_console_counters(&fx->con)->refused, 1);
}

/* ---- the guest opens and closes ---- */

static void test_console_reports_open_and_close_once_each(void **state)
{
    struct fixture *fx = *state;

    assert_true(avps_console_guest_is_open(&fx->con, 1));
    tell(fx, 1, PORT_OPEN, 1);
    assert_int_equal(fx->host[1].opened, 1);
    tell(fx, 1, PORT_OPEN, 0);
    tell(fx, 1, PORT_OPEN, 0);
    assert_int_equal(fx->host[1].closed, 1);
    assert_false(avps_console_guest_is_open(&fx->con, 1));
    assert_true(avps_console_guest_is_open(&fx->con, 0));
}

static void test_console_input_waits_until_the_guest_opens_the_port(void **state)
{
    struct fixture *fx = *state;
    const struct test_request r = put_buffer(fx, 4, 16);

    tell(fx, 1, PORT_OPEN, 0);
    run(fx, 4);
    assert_int_equal(give_input(fx, 1, "patience"), 0);
    assert_int_equal(fx->host[1].ready, 0);
    fx->host[1].input_when_ready = "patience";
    tell(fx, 1, PORT_OPEN, 1);
    assert_int_equal(fx->host[1].ready, 1);
    assert_filled(fx, 4, &r, "patience", 8);
}

static void test_console_ports_do_not_disturb_each_other(void **state)
{
    struct fixture *fx = *state;
    const struct test_request r = put_buffer(fx, 0, 16);

    fx->host[1].room = 1;
    (void)put_output(fx, 5, "bulk", 4);
    run(fx, 5);
    write_output(fx, 1, "prompt");
    assert_int_equal(give_input(fx, 1, "x"), 0);
    assert_int_equal(give_input(fx, 0, "ls"), 2);
    assert_filled(fx, 0, &r, "ls", 2);
    assert_host_has(&fx->host[0], "prompt");
    assert_host_has(&fx->host[1], "b");
    fx->host[1].room = UNLIMITED;
    avps_console_output_ready(&fx->con, 1);
    (void)test_driver_poll(&fx->d);
    assert_host_has(&fx->host[1], "bulk");
    assert_int_equal(avps_console_port_counters(&fx->con, 1)->blocked, 1);
    assert_int_equal(avps_console_port_counters(&fx->con, 0)->blocked, 0);
}

static void test_console_carries_bulk_data_both_ways(void **state)
{
    struct fixture *fx = *state;
    uint8_t bytes[2000];
    uint32_t sent = 0;

    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 31U + i / 256U);
    }
    const uint16_t id = put_output(fx, 5, bytes, sizeof bytes);
    run(fx, 5);
    assert_returned(fx, 5, id);
    assert_int_equal(fx->host[1].out_len, sizeof bytes);
    assert_memory_equal(fx->host[1].out, bytes, sizeof bytes);
    while (sent != sizeof bytes) {
        const struct test_request r = put_buffer(fx, 4, 333);
        const uint32_t left = (uint32_t)sizeof bytes - sent;
        uint32_t taken = 0;

        assert_int_equal(avps_console_input(&fx->con, 1, bytes + sent, left, &taken), AVPS_OK);
        assert_int_equal(taken, left < 333U ? left : 333U);
        assert_filled(fx, 4, &r, bytes + sent, taken);
        sent += taken;
    }
}

/* ---- the host connects and disconnects ---- */

static void test_console_tells_of_connection_changes(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(avps_console_close(&fx->con, 1), AVPS_OK);
    assert_told(fx, 1, PORT_OPEN, 0, NULL, 0);
    assert_int_equal(avps_console_close(&fx->con, 1), AVPS_OK);
    assert_told_nothing(fx);
    write_output(fx, 5, "nobody");
    assert_host_has(&fx->host[1], "");
    assert_int_equal(avps_console_open(&fx->con, 1), AVPS_OK);
    assert_told(fx, 1, PORT_OPEN, 1, NULL, 0);
    assert_int_equal(avps_console_open(&fx->con, 1), AVPS_OK);
    assert_told_nothing(fx);
}

/* Use up all buffers for control messages. */
static void exhaust_control_buffers(struct fixture *fx)
{
    for (uint16_t n = 1; fx->ctl_taken != fx->ctl_given; n++) {
        const uint8_t size[] = {(uint8_t)n, 0, 1, 0};

        assert_int_equal(avps_console_resize(&fx->con, 0, n, 1), AVPS_OK);
        assert_told(fx, 0, RESIZE, 0, size, 4);
    }
}

/* The guest sees that the other side went, and that there is one again; not every flap. */
static void test_console_flapping_connection_is_told_as_close_and_open(void **state)
{
    struct fixture *fx = *state;

    exhaust_control_buffers(fx);
    for (unsigned int i = 0; i < 5U; i++) {
        assert_int_equal(avps_console_close(&fx->con, 1), AVPS_OK);
        assert_int_equal(avps_console_open(&fx->con, 1), AVPS_OK);
    }
    give_control_buffers(fx, 4, 64);
    assert_told(fx, 1, PORT_OPEN, 0, NULL, 0);
    assert_told(fx, 1, PORT_OPEN, 1, NULL, 0);
    assert_told_nothing(fx);
}

static void test_console_open_and_close_unseen_is_not_told(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(avps_console_close(&fx->con, 1), AVPS_OK);
    assert_told(fx, 1, PORT_OPEN, 0, NULL, 0);
    exhaust_control_buffers(fx);
    assert_int_equal(avps_console_open(&fx->con, 1), AVPS_OK);
    assert_int_equal(avps_console_close(&fx->con, 1), AVPS_OK);
    give_control_buffers(fx, 2, 64);
    assert_told_nothing(fx);
}

static void test_console_resizes_without_buffers_are_told_as_the_last(void **state)
{
    static const uint8_t size[] = {0x34, 0x12, 0x78, 0x56};
    struct fixture *fx = *state;

    exhaust_control_buffers(fx);
    for (uint16_t n = 100; n < 200U; n++) {
        assert_int_equal(avps_console_resize(&fx->con, 0, n, n), AVPS_OK);
    }
    assert_int_equal(avps_console_resize(&fx->con, 0, 0x1234, 0x5678), AVPS_OK);
    give_control_buffers(fx, 2, 64);
    assert_told(fx, 0, RESIZE, 0, size, 4);
    assert_told_nothing(fx);
    assert_int_equal(test_driver_config(&fx->d, 0, 2), 0x1234);
}

static void test_console_close_does_not_hide_a_resize(void **state)
{
    static const uint8_t size[] = {0xe8, 3, 0xe8, 3};
    struct fixture *fx = *state;

    exhaust_control_buffers(fx);
    assert_int_equal(avps_console_resize(&fx->con, 0, 1000, 1000), AVPS_OK);
    assert_int_equal(avps_console_close(&fx->con, 0), AVPS_OK);
    give_control_buffers(fx, 4, 64);
    assert_told(fx, 0, RESIZE, 0, size, 4);
    assert_told(fx, 0, PORT_OPEN, 0, NULL, 0);
    assert_told_nothing(fx);
}

static void test_console_messages_wait_for_buffers_one_at_a_time(void **state)
{
    struct fixture *fx = *state;

    exhaust_control_buffers(fx);
    add_port(fx, 1, "one");
    give_control_buffers(fx, 1, 64);
    assert_told(fx, 1, DEVICE_ADD, 1, NULL, 0);
    tell(fx, 1, PORT_READY, 1);
    give_control_buffers(fx, 1, 64);
    assert_told(fx, 1, PORT_NAME, 1, "one", 3);
    assert_told_nothing(fx);
    give_control_buffers(fx, 1, 64);
    assert_told(fx, 1, PORT_OPEN, 1, NULL, 0);
}

/* ---- hot plug ---- */

/* [console-2.1] [console-2.2] */
static void test_console_plugs_and_unplugs_a_port_at_run_time(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(avps_console_remove_port(&fx->con, 1), AVPS_OK);
    assert_told(fx, 1, DEVICE_REMOVE, 1, NULL, 0);
    assert_told_nothing(fx);
    assert_false(avps_console_guest_is_open(&fx->con, 1));
    write_output(fx, 5, "late");
    assert_int_equal(fx->host[1].calls, 0);
    add_port(fx, 1, "again");
    assert_told(fx, 1, DEVICE_ADD, 1, NULL, 0);
    tell(fx, 1, PORT_READY, 1);
    assert_told(fx, 1, PORT_NAME, 1, "again", 5);
    assert_told(fx, 1, PORT_OPEN, 1, NULL, 0);
    write_output(fx, 5, "new");
    assert_host_has(&fx->host[1], "new");
}

/* [console-2.2] */
static void test_console_does_not_remove_what_it_did_not_add(void **state)
{
    struct fixture *fx = *state;

    exhaust_control_buffers(fx);
    add_port(fx, 1, "short-lived");
    assert_int_equal(avps_console_remove_port(&fx->con, 1), AVPS_OK);
    give_control_buffers(fx, 2, 64);
    assert_told_nothing(fx);
}

/* [console-2.1] */
static void test_console_removes_before_it_adds_again(void **state)
{
    struct fixture *fx = *state;

    exhaust_control_buffers(fx);
    for (unsigned int i = 0; i < 3U; i++) {
        assert_int_equal(avps_console_remove_port(&fx->con, 1), AVPS_OK);
        add_port(fx, 1, "next");
    }
    tell(fx, 1, PORT_OPEN, 1); /* meant for the port that went */
    tell(fx, 1, PORT_READY, 1);
    assert_int_equal(avps_console_counters(&fx->con)->ignored, 2);
    assert_false(avps_console_guest_is_open(&fx->con, 1));
    give_control_buffers(fx, 4, 64);
    assert_told(fx, 1, DEVICE_REMOVE, 1, NULL, 0);
    assert_told(fx, 1, DEVICE_ADD, 1, NULL, 0);
    assert_told_nothing(fx);
}

static void test_console_new_port_does_not_get_output_for_the_old(void **state)
{
    struct fixture *fx = *state;

    fx->host[1].room = 2;
    const uint16_t first = put_output(fx, 5, "first", 5);
    const uint16_t second = put_output(fx, 5, "second", 6);
    run(fx, 5);
    assert_int_equal(avps_console_remove_port(&fx->con, 1), AVPS_OK);
    fx->host[1].room = UNLIMITED;
    add_port(fx, 1, NULL);
    (void)test_driver_poll(&fx->d);
    assert_returned(fx, 5, first);
    assert_returned(fx, 5, second);
    assert_told(fx, 1, DEVICE_REMOVE, 1, NULL, 0);
    assert_told(fx, 1, DEVICE_ADD, 1, NULL, 0);
    tell(fx, 1, PORT_READY, 1);
    write_output(fx, 5, "new");
    assert_host_has(&fx->host[1], "finew");
}

static void test_console_new_port_is_not_asked_for_input_of_the_old(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(give_input(fx, 1, "old"), 0);
    assert_int_equal(avps_console_remove_port(&fx->con, 1), AVPS_OK);
    assert_told(fx, 1, DEVICE_REMOVE, 1, NULL, 0);
    add_port(fx, 1, NULL);
    assert_told(fx, 1, DEVICE_ADD, 1, NULL, 0);
    tell(fx, 1, PORT_READY, 1);
    tell(fx, 1, PORT_OPEN, 1);
    (void)put_buffer(fx, 4, 8);
    run(fx, 4);
    assert_int_equal(fx->host[1].ready, 0);
    assert_true(avps_console_guest_is_open(&fx->con, 1));
}

static void test_console_plug_calls_refuse_misuse(void **state)
{
    struct fixture *fx = *state;
    const struct avps_console_port_config good = plain_port(fx, 2, NULL);
    struct avps_console_port_config bad = good;
    uint32_t taken = 9;

    assert_int_equal(avps_console_add_port(&fx->con, 0, &good), AVPS_E_STATE);
    assert_int_equal(avps_console_add_port(&fx->con, PORTS, &good), AVPS_E_PARAM);
    assert_int_equal(avps_console_add_port(NULL, 2, &good), AVPS_E_PARAM);
    assert_int_equal(avps_console_add_port(&fx->con, 2, NULL), AVPS_E_PARAM);
    bad.ops = NULL;
    assert_int_equal(avps_console_add_port(&fx->con, 2, &bad), AVPS_E_PARAM);
    assert_int_equal(avps_console_remove_port(&fx->con, 0), AVPS_E_PARAM);
    assert_int_equal(avps_console_remove_port(&fx->con, 2), AVPS_E_STATE);
    assert_int_equal(avps_console_remove_port(&fx->con, PORTS), AVPS_E_PARAM);
    assert_int_equal(avps_console_open(&fx->con, 2), AVPS_E_STATE);
    assert_int_equal(avps_console_close(&fx->con, 2), AVPS_E_STATE);
    assert_int_equal(avps_console_resize(&fx->con, 2, 1, 1), AVPS_E_STATE);
    assert_int_equal(avps_console_input(&fx->con, 2, "x", 1, &taken), AVPS_E_STATE);
    assert_int_equal(taken, 0);
    assert_told_nothing(fx);
}

/* ---- hostile drivers ---- */

static void assert_ignores(struct fixture *fx, uint32_t id, uint32_t event, uint32_t value)
{
    const uint64_t ignored = avps_console_counters(&fx->con)->ignored;

    tell(fx, id, event, value);
    assert_int_equal(avps_console_counters(&fx->con)->ignored, ignored + 1U);
    assert_told_nothing(fx);
}

static void test_console_ignores_messages_before_device_ready(void **state)
{
    struct fixture *fx = *state;

    test_driver_start(&fx->d);
    give_control_buffers(fx, 4, 64);
    assert_ignores(fx, 0, PORT_READY, 1);
    assert_ignores(fx, 0, PORT_OPEN, 1);
    assert_int_equal(fx->host[0].opened, 0);
    write_output(fx, 1, "x"); /* nor output of a port that it does not know */
    assert_int_equal(fx->host[0].calls, 0);
}

static void test_console_ignores_messages_that_make_no_sense(void **state)
{
    struct fixture *fx = *state;

    assert_ignores(fx, 1, PORT_READY, 1);     /* there is no port 1 */
    assert_ignores(fx, PORTS, PORT_READY, 1); /* there can be no such port */
    assert_ignores(fx, UINT32_MAX, PORT_OPEN, 1);
    assert_ignores(fx, 0x01000000, PORT_OPEN, 1);
    assert_ignores(fx, 0, PORT_READY, 1); /* it is ready already */
    assert_ignores(fx, 0, PORT_READY, 0);
    assert_ignores(fx, 0, PORT_OPEN, 2);
    assert_ignores(fx, 0, DEVICE_READY, 0xffff);
    assert_ignores(fx, 0, DEVICE_ADD, 1); /* for the device to send */
    assert_ignores(fx, 0, DEVICE_REMOVE, 1);
    assert_ignores(fx, 0, CONSOLE_PORT, 1);
    assert_ignores(fx, 0, RESIZE, 0);
    assert_ignores(fx, 0, PORT_NAME, 1);
    assert_ignores(fx, 0, 8, 1);
    assert_ignores(fx, 0, 0xffff, 1);
    assert_int_equal(test_driver_get(&fx->d, TEST_STATUS), TEST_S_LIVE);
    write_output(fx, 1, "alive");
    assert_host_has(&fx->host[0], "alive");
}

static void test_console_ignores_open_before_port_ready(void **state)
{
    struct fixture *fx = *state;

    add_port(fx, 1, "one");
    assert_told(fx, 1, DEVICE_ADD, 1, NULL, 0);
    assert_ignores(fx, 1, PORT_OPEN, 1);
    assert_int_equal(fx->host[1].opened, 0);
}

static void test_console_faults_on_a_short_control_message(void **state)
{
    struct fixture *fx = *state;

    (void)put_output(fx, CTL_TX, "\0\0\0\0\0\0\1", 7);
    run(fx, CTL_TX);
    test_driver_assert_faulted(&fx->d);
    assert_int_equal(avps_device_counters(&fx->con.base)->faults[AVPS_FAULT_SIZE], 1);
    assert_int_equal(avps_console_resize(&fx->con, 0, 7, 7), AVPS_OK);
    assert_told_nothing(fx);
}

static void test_console_reads_only_the_header_of_a_long_control_message(void **state)
{
    struct fixture *fx = *state;
    uint8_t bytes[300] = {0};

    control_bytes(bytes, 0, PORT_OPEN, 0);
    const uint16_t id = put_output(fx, CTL_TX, bytes, sizeof bytes);
    run(fx, CTL_TX);
    assert_returned(fx, CTL_TX, id);
    assert_int_equal(fx->host[0].closed, 1);
}

static void test_console_control_message_may_be_scattered(void **state)
{
    struct fixture *fx = *state;
    uint8_t bytes[8];
    struct test_request r = {.out = {{bytes, 3}, {bytes + 3, 2}, {bytes + 5, 3}}};

    control_bytes(bytes, 0, PORT_OPEN, 0);
    assert_int_equal(test_driver_do(&fx->d, CTL_TX, &r), 0);
    assert_int_equal(fx->host[0].closed, 1);
}

static void test_console_faults_on_a_control_buffer_without_room(void **state)
{
    struct fixture *fx = *state;

    exhaust_control_buffers(fx);
    assert_int_equal(avps_console_resize(&fx->con, 0, 500, 500), AVPS_OK);
    give_control_buffers(fx, 1, 11); /* 12 are needed */
    test_driver_assert_faulted(&fx->d);
    assert_told_nothing(fx);
}

static void test_console_faults_on_a_control_buffer_for_reading(void **state)
{
    struct fixture *fx = *state;

    exhaust_control_buffers(fx);
    assert_int_equal(avps_console_resize(&fx->con, 0, 500, 500), AVPS_OK);
    (void)put_output(fx, CTL_RX, "01234567", 8);
    run(fx, CTL_RX);
    test_driver_assert_faulted(&fx->d);
}

/* A flood finds no memory to fill: what is owed is state, not a queue. */
static void test_console_flood_of_messages_leaves_the_latest_state(void **state)
{
    struct fixture *fx = *state;

    exhaust_control_buffers(fx);
    for (uint32_t i = 0; i < 2000U; i++) {
        tell(fx, i % 7U, i % 9U, i % 3U);
    }
    tell(fx, UINT32_MAX, DEVICE_READY, 1);
    tell(fx, 0, PORT_OPEN, 0);
    tell(fx, 0, PORT_OPEN, 1);
    assert_true(avps_console_guest_is_open(&fx->con, 0));
    give_control_buffers(fx, 8, 64);
    assert_told_nothing(fx);
    assert_int_equal(fx->host[0].opened, fx->host[0].closed + 1U);
    write_output(fx, 1, "alive");
    assert_host_has(&fx->host[0], "alive");
}

static void test_console_control_queues_exist_with_multiport_only(void **state)
{
    static const uint16_t queues[] = {CTL_TX, 5};
    struct fixture *fx = *state;

    avps_features_remove(&fx->d.want, F_MULTIPORT);
    for (unsigned int i = 0; i < 2U; i++) {
        test_driver_start(&fx->d);
        assert_int_equal(fx->host[0].opened, i + 1U);
        write_output(fx, 1, "x");
        give_control_buffers(fx, 1, 64); /* never used */
        (void)put_buffer(fx, 4, 64);
        run(fx, 4);
        assert_int_equal(avps_console_resize(&fx->con, 0, (uint16_t)(i + 1U), 1), AVPS_OK);
        assert_told_nothing(fx);
        (void)put_output(fx, queues[i], "01234567", 8);
        run(fx, queues[i]);
        test_driver_assert_faulted(&fx->d);
        assert_int_equal(avps_device_counters(&fx->con.base)->faults[AVPS_FAULT_PROTOCOL], i + 1U);
    }
    assert_host_has(&fx->host[0], "xx");
}

static void test_console_port_in_use_without_multiport_stays_unseen(void **state)
{
    struct fixture *fx = *state;
    uint32_t taken = 9;

    avps_features_remove(&fx->d.want, F_MULTIPORT);
    test_driver_start(&fx->d);
    add_port(fx, 1, "one");
    assert_int_equal(avps_console_input(&fx->con, 1, "x", 1, &taken), AVPS_OK);
    assert_int_equal(taken, 0);
    assert_int_equal(avps_console_remove_port(&fx->con, 1), AVPS_OK);
    assert_int_equal(fx->host[1].opened, 0);
    write_output(fx, 1, "x");
    assert_host_has(&fx->host[0], "x");
}

/* ---- memory ---- */

static void test_console_control_works_over_every_kind_of_memory(void **state)
{
    struct fixture *fx = *state;

    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        test_driver_free(&fx->d);
        fixture_prepare(fx, fx->packed, true, (enum test_mem_kind)kind);
        fixture_attach(fx);
        bring_up(fx, 1);
        write_output(fx, 5, "bulk");
        assert_host_has(&fx->host[1], "bulk");
    }
}

/* Fail each memory access of one message in turn: it arrives all the same, once. */
static void test_console_message_survives_failing_memory(void **state)
{
    static const uint8_t size[] = {9, 0, 9, 0};
    static const enum avps_status statuses[] = {AVPS_E_IO, AVPS_AGAIN};
    struct fixture *fx = *state;

    for (unsigned int n = 1; n <= 10U; n++) {
        test_driver_free(&fx->d);
        fixture_prepare(fx, fx->packed, true, TEST_MEM_COPY);
        fixture_attach(fx);
        bring_up(fx, 0);
        test_fail_at(&fx->d.mem.fail, n, statuses[n % 2U]);
        assert_int_equal(avps_console_resize(&fx->con, 0, 9, 9), AVPS_OK);
        (void)test_driver_poll(&fx->d);
        (void)test_driver_poll(&fx->d);
        if ((test_driver_get(&fx->d, TEST_STATUS) & TEST_S_NEEDS_RESET) == 0U) {
            assert_told(fx, 0, RESIZE, 0, size, 4);
            assert_told_nothing(fx);
        }
    }
}

static void test_console_guest_message_survives_memory_that_is_busy(void **state)
{
    struct fixture *fx = *state;

    for (unsigned int n = 1; n <= 10U; n++) {
        uint8_t bytes[8];

        test_driver_free(&fx->d);
        fixture_prepare(fx, fx->packed, true, TEST_MEM_COPY);
        fixture_attach(fx);
        bring_up(fx, 0);
        control_bytes(bytes, 0, PORT_OPEN, 0);
        const uint16_t id = put_output(fx, CTL_TX, bytes, 8);
        test_fail_at(&fx->d.mem.fail, n, AVPS_AGAIN);
        run(fx, CTL_TX);
        (void)test_driver_poll(&fx->d);
        if ((test_driver_get(&fx->d, TEST_STATUS) & TEST_S_NEEDS_RESET) == 0U) {
            assert_returned(fx, CTL_TX, id);
            assert_int_equal(fx->host[0].closed, 1);
        }
    }
}

static void test_console_reads_each_byte_of_a_control_message_once(void **state)
{
    struct fixture *fx = *state;
    uint8_t bytes[8];
    struct test_request r = {.out = {{bytes, 8}}};

    test_driver_free(&fx->d);
    fixture_prepare(fx, fx->packed, true, TEST_MEM_COPY);
    fixture_attach(fx);
    bring_up(fx, 0);
    control_bytes(bytes, 0, PORT_OPEN, 0);
    (void)test_driver_send(&fx->d, CTL_TX, &r);
    test_mem_race(&fx->d.mem, r.out_gpa[0], 8);
    run(fx, CTL_TX);
    assert_returned(fx, CTL_TX, r.id);
    assert_int_equal(fx->host[0].closed, 1);
    assert_int_equal(fx->d.mem.rereads, 0);
}

/* ---- reset, saved state ---- */

static void test_console_reset_starts_the_protocol_anew(void **state)
{
    struct fixture *fx = *state;

    test_driver_reset(&fx->d);
    assert_int_equal(fx->host[0].closed, 1);
    assert_int_equal(fx->host[1].closed, 1);
    assert_false(avps_console_guest_is_open(&fx->con, 1));
    fx->ctl_taken = fx->ctl_given;
    test_driver_start(&fx->d);
    give_control_buffers(fx, 12, 64);
    assert_told_nothing(fx);
    tell(fx, UINT32_MAX, DEVICE_READY, 1);
    assert_told(fx, 0, DEVICE_ADD, 1, NULL, 0);
    assert_told(fx, 1, DEVICE_ADD, 1, NULL, 0);
    assert_told_nothing(fx);
    tell(fx, 1, PORT_READY, 1);
    assert_told(fx, 1, PORT_NAME, 1, "org.example.bulk", 16);
    assert_told(fx, 1, PORT_OPEN, 1, NULL, 0);
    assert_told_nothing(fx);
}

static void test_console_control_queues_can_be_reset(void **state)
{
    static const uint8_t size[] = {3, 0, 3, 0};
    struct fixture *fx = *state;

    fx->host[0].room = 2;
    const uint16_t id = put_output(fx, 1, "abcd", 4);
    run(fx, 1);
    for (uint16_t queue = CTL_RX; queue <= CTL_TX; queue++) {
        test_driver_set(&fx->d, TEST_QUEUE_SEL, queue);
        test_driver_set(&fx->d, TEST_QUEUE_RESET, 1);
        assert_int_equal(test_driver_get(&fx->d, TEST_QUEUE_READY), 0);
    }
    assert_int_equal(avps_console_resize(&fx->con, 0, 3, 3), AVPS_OK);
    assert_true(test_driver_queue(&fx->d, CTL_RX, 16));
    assert_true(test_driver_queue(&fx->d, CTL_TX, 16));
    fx->ctl_taken = fx->ctl_given;
    give_control_buffers(fx, 2, 64);
    assert_told(fx, 0, RESIZE, 0, size, 4);
    tell(fx, 0, PORT_OPEN, 0);
    assert_int_equal(fx->host[0].closed, 1);
    fx->host[0].room = UNLIMITED;
    avps_console_output_ready(&fx->con, 0);
    (void)test_driver_poll(&fx->d);
    assert_returned(fx, 1, id);
    assert_host_has(&fx->host[0], "abcd"); /* the place in the output is kept */
}

static size_t save(struct fixture *fx, uint8_t *image, size_t size)
{
    size_t used = 0;

    assert_int_equal(avps_save(&fx->con.base, image, size, &used), AVPS_OK);
    return used;
}

static void test_console_saved_state_keeps_what_the_guest_knows(void **state)
{
    static uint8_t image[4096];
    static const uint8_t size[] = {5, 0, 5, 0};
    struct fixture *fx = *state;

    exhaust_control_buffers(fx);
    assert_int_equal(avps_console_resize(&fx->con, 0, 5, 5), AVPS_OK);
    assert_int_equal(avps_console_close(&fx->con, 1), AVPS_OK);
    assert_int_equal(avps_console_open(&fx->con, 1), AVPS_OK);
    fx->host[1].room = 2;
    const uint16_t id = put_output(fx, 5, "abcd", 4);
    run(fx, 5);
    const size_t used = save(fx, image, sizeof image);
    (void)avps_reset(&fx->con.base);
    fx->host[1].room = UNLIMITED;
    assert_int_equal(avps_load(&fx->con.base, image, used), AVPS_OK);
    assert_int_equal(fx->host[1].opened, 2);
    (void)test_driver_poll(&fx->d);
    assert_returned(fx, 5, id);
    assert_host_has(&fx->host[1], "abcd");
    give_control_buffers(fx, 4, 64);
    assert_told(fx, 0, RESIZE, 0, size, 4);
    assert_told(fx, 1, PORT_OPEN, 0, NULL, 0);
    assert_told(fx, 1, PORT_OPEN, 1, NULL, 0);
    assert_told_nothing(fx);
}

/* [console-2.2] */
static void test_console_port_missing_after_a_load_is_removed(void **state)
{
    static uint8_t image[4096];
    struct fixture *fx = *state;
    const size_t used = save(fx, image, sizeof image);

    (void)avps_reset(&fx->con.base);
    assert_int_equal(avps_console_remove_port(&fx->con, 1), AVPS_OK);
    add_port(fx, 2, "two");
    assert_int_equal(avps_load(&fx->con.base, image, used), AVPS_OK);
    (void)test_driver_poll(&fx->d);
    assert_told(fx, 1, DEVICE_REMOVE, 1, NULL, 0);
    assert_told(fx, 2, DEVICE_ADD, 1, NULL, 0);
    assert_told_nothing(fx);
    assert_int_equal(fx->host[1].opened, 1);
}

static void test_console_removal_that_the_guest_has_not_seen_is_saved(void **state)
{
    static uint8_t image[4096];
    struct fixture *fx = *state;

    exhaust_control_buffers(fx);
    assert_int_equal(avps_console_remove_port(&fx->con, 1), AVPS_OK);
    const size_t used = save(fx, image, sizeof image);
    (void)avps_reset(&fx->con.base);
    add_port(fx, 1, "next");
    assert_int_equal(avps_load(&fx->con.base, image, used), AVPS_OK);
    give_control_buffers(fx, 3, 64);
    assert_told(fx, 1, DEVICE_REMOVE, 1, NULL, 0);
    assert_told(fx, 1, DEVICE_ADD, 1, NULL, 0);
    assert_told_nothing(fx);
}

/* Flags of one port, owed messages, whether such a state can have come about. */
struct port_state {
    uint8_t flags;
    uint8_t owed;
    bool possible;
};

#define KNOWN      1U
#define READY      2U
#define TOLD_OPEN  4U
#define GUEST_OPEN 8U

static void test_console_load_refuses_impossible_port_states(void **state)
{
    static const struct port_state states[] = {
        {0, 0, true},
        {KNOWN, 0, true},
        {KNOWN, 1, true}, /* to be removed */
        {KNOWN | READY, 0, true},
        {KNOWN | READY, 14, true},
        {KNOWN | READY | TOLD_OPEN, 16, true},
        {KNOWN | READY | TOLD_OPEN | GUEST_OPEN, 30, true},
        {READY, 0, false},
        {TOLD_OPEN, 0, false},
        {GUEST_OPEN, 0, false},
        {KNOWN | TOLD_OPEN, 0, false},
        {KNOWN | GUEST_OPEN, 0, false},
        {KNOWN | READY, 1, false},
        {KNOWN, 2, false},
        {0, 1, false},
        {0, 8, false},
        {KNOWN | READY, 16, false},
        {KNOWN | READY, 32, false},
        {16, 0, false},
        {0xff, 0xff, false},
    };
    static uint8_t image[4096];
    struct fixture *fx = *state;
    const size_t used = save(fx, image, sizeof image);
    uint8_t *port1 = &image[used - 4U - 3U * 6U]; /* end mark, ports 1 to 3 */

    assert_int_equal(port1[0], KNOWN | READY | TOLD_OPEN | GUEST_OPEN);
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        port1[0] = states[i].flags;
        port1[1] = states[i].owed;
        (void)avps_reset(&fx->con.base);
        assert_int_equal(avps_load(&fx->con.base, image, used),
                         states[i].possible ? AVPS_OK : AVPS_E_PARAM);
        assert_int_equal(avps_device_status(&fx->con.base), states[i].possible ? TEST_S_LIVE : 0);
    }
}

/* Every byte of a state, changed in every bit: refused, or a device that works. Rings elsewhere are
 * the driver's own harm, so only states with the right rings are put to work. */
static void test_console_load_survives_any_changed_byte(void **state)
{
    static uint8_t image[4096];
    struct fixture *fx = *state;
    const size_t used = save(fx, image, sizeof image);
    unsigned int refused = 0;

    for (size_t i = 0; i < used * 8U; i++) {
        (void)avps_reset(&fx->con.base);
        image[i / 8U] ^= (uint8_t)(1U << i % 8U);
        if (avps_load(&fx->con.base, image, used) != AVPS_OK) {
            refused++;
            assert_int_equal(avps_device_status(&fx->con.base), 0);
        } else if (i / 8U >= used - 4U - 5U - PORTS * 6U) {
            (void)test_driver_poll(&fx->d);
        }
        image[i / 8U] ^= (uint8_t)(1U << i % 8U);
    }
    assert_true(refused > used);
    (void)avps_reset(&fx->con.base);
    for (size_t len = 0; len < used; len++) {
        assert_int_equal(avps_load(&fx->con.base, image, len), AVPS_E_PARAM);
    }
    assert_int_equal(avps_load(&fx->con.base, image, used), AVPS_OK);
}

/* What may be said without MULTIPORT, or before the driver is ready: nothing about ports. */
static void test_console_load_refuses_port_states_without_multiport(void **state)
{
    static uint8_t image[4096];
    struct fixture *fx = *state;

    avps_features_remove(&fx->d.want, F_MULTIPORT);
    test_driver_start(&fx->d);
    const size_t used = save(fx, image, sizeof image);
    uint8_t *ports = &image[used - 4U - PORTS * 6U];

    for (unsigned int i = 0; i < 6U; i++) {
        uint8_t *at =
            (uint8_t *[]){ports - 1, ports, ports + 1, ports + 6, ports + 6, ports - 2}[i];
        const uint8_t before = *at;

        *at = (uint8_t[]){1, KNOWN, 2, KNOWN, GUEST_OPEN, 9}[i];
        (void)avps_reset(&fx->con.base);
        assert_int_equal(avps_load(&fx->con.base, image, used), AVPS_E_PARAM);
        *at = before;
    }
    assert_int_equal(avps_load(&fx->con.base, image, used), AVPS_OK);
    assert_true(avps_console_guest_is_open(&fx->con, 0));
    test_driver_reset(&fx->d);
    assert_true(test_driver_negotiate(&fx->d));
    const size_t early = save(fx, image, sizeof image);
    (void)avps_reset(&fx->con.base);
    assert_int_equal(avps_load(&fx->con.base, image, early), AVPS_OK);
    image[early - 4U - PORTS * 6U] = GUEST_OPEN;
    (void)avps_reset(&fx->con.base);
    assert_int_equal(avps_load(&fx->con.base, image, early), AVPS_E_PARAM);
}

#define NEW(test) TEST_BOTH(test, setup, fixture_teardown)
#define UP(test)  TEST_BOTH(test, setup_up, fixture_teardown)
#define TWO(test) TEST_BOTH(test, setup_two, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NEW(test_console_offers_its_number_of_ports),
        NEW(test_console_says_nothing_before_device_ready),
        NEW(test_console_announces_every_port_at_device_ready),
        UP(test_console_describes_a_console_port_when_it_is_ready),
        UP(test_console_does_not_describe_what_a_port_has_not),
        NEW(test_console_resize_message_follows_the_quirk),
        UP(test_console_name_is_cut_at_a_character),
        UP(test_console_leaves_a_port_alone_that_the_driver_refused),
        NEW(test_console_driver_that_failed_gets_no_more_ports),
        TWO(test_console_reports_open_and_close_once_each),
        TWO(test_console_input_waits_until_the_guest_opens_the_port),
        TWO(test_console_ports_do_not_disturb_each_other),
        TWO(test_console_carries_bulk_data_both_ways),
        TWO(test_console_tells_of_connection_changes),
        TWO(test_console_flapping_connection_is_told_as_close_and_open),
        TWO(test_console_open_and_close_unseen_is_not_told),
        UP(test_console_resizes_without_buffers_are_told_as_the_last),
        UP(test_console_messages_wait_for_buffers_one_at_a_time),
        TWO(test_console_plugs_and_unplugs_a_port_at_run_time),
        UP(test_console_does_not_remove_what_it_did_not_add),
        TWO(test_console_removes_before_it_adds_again),
        TWO(test_console_new_port_does_not_get_output_for_the_old),
        TWO(test_console_new_port_is_not_asked_for_input_of_the_old),
        UP(test_console_close_does_not_hide_a_resize),
        UP(test_console_plug_calls_refuse_misuse),
        NEW(test_console_ignores_messages_before_device_ready),
        UP(test_console_ignores_messages_that_make_no_sense),
        UP(test_console_ignores_open_before_port_ready),
        UP(test_console_faults_on_a_short_control_message),
        UP(test_console_reads_only_the_header_of_a_long_control_message),
        UP(test_console_control_message_may_be_scattered),
        UP(test_console_faults_on_a_control_buffer_without_room),
        UP(test_console_faults_on_a_control_buffer_for_reading),
        UP(test_console_flood_of_messages_leaves_the_latest_state),
        NEW(test_console_control_queues_exist_with_multiport_only),
        NEW(test_console_port_in_use_without_multiport_stays_unseen),
        NEW(test_console_control_works_over_every_kind_of_memory),
        NEW(test_console_message_survives_failing_memory),
        NEW(test_console_guest_message_survives_memory_that_is_busy),
        NEW(test_console_reads_each_byte_of_a_control_message_once),
        TWO(test_console_reset_starts_the_protocol_anew),
        UP(test_console_control_queues_can_be_reset),
        TWO(test_console_saved_state_keeps_what_the_guest_knows),
        TWO(test_console_port_missing_after_a_load_is_removed),
        TWO(test_console_removal_that_the_guest_has_not_seen_is_saved),
        TWO(test_console_load_refuses_impossible_port_states),
        TWO(test_console_load_survives_any_changed_byte),
        NEW(test_console_load_refuses_port_states_without_multiport),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
