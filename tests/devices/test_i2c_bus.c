/* SPDX-License-Identifier: BSD-3-Clause */
/* The shared I2C bus: turns -> answers from inside, late, wrong -> cancels and resets -> shares, with
 * figures -> configuration. */
#include "support/driver.h"

#include "avps/i2c_bus.h"

#define GUESTS   3U
#define MESSAGES 4U
#define BUFFER   256U
#define HEADER   8U
#define LOG      4096U

struct guest {
    struct test_driver d;
    struct avps_i2c i2c;
    struct avps_queue queues[1];
    struct avps_i2c_request requests[MESSAGES];
    struct avps_i2c_msg msgs[MESSAGES];
    uint8_t buffer[BUFFER];
};

/* The real bus: carries one transfer, which it finishes when told; keeps whose address came when. */
struct wire {
    bool waits; /* for finish() */
    bool inside;
    enum avps_status answer;
    enum avps_status cancel;
    bool busy;
    uint64_t token;
    uint32_t count;
    uint32_t cancels;
    uint32_t transfers;
    uint8_t log[LOG]; /* address of each transfer's first message */
};

static struct guest guests[GUESTS];
static struct avps_i2c_bus_port ports[GUESTS];
static struct avps_i2c_bus bus;
static struct wire wire;

static enum avps_status wire_transfer(void *ctx, uint64_t token, const struct avps_i2c_msg *msgs,
                                      uint32_t count, uint32_t *done)
{
    struct wire *w = ctx;

    assert_false(w->busy); /* one at a time */
    assert_true(w->transfers < LOG);
    w->log[w->transfers] = (uint8_t)msgs[0].address;
    w->transfers++;
    w->token = token;
    w->count = count;
    w->busy = w->waits;
    *done = count;
    if (w->inside) {
        avps_i2c_bus_done(&bus, token, count);
        avps_i2c_bus_done(&bus, token, 0); /* one too many */
    }
    return w->waits || w->inside ? AVPS_PENDING : w->answer;
}

static enum avps_status wire_cancel(void *ctx)
{
    struct wire *w = ctx;

    w->cancels++;
    w->busy = w->busy && w->cancel != AVPS_OK;
    return w->cancel;
}

static const struct avps_i2c_ops wire_ops = {wire_transfer, wire_cancel};

/* The transfer on the wire is over. */
static void finish(void)
{
    assert_true(wire.busy);
    wire.busy = false;
    avps_i2c_bus_done(&bus, wire.token, wire.count);
}

static void guest_start(void **state, uint32_t number, uint32_t share)
{
    struct guest *g = &guests[number];

    test_driver_init(&g->d, TEST_MEM_REGIONS);
    const struct avps_i2c_config config = {.base = test_driver_base(&g->d, g->queues, 1, 256),
                                           .ops = &avps_i2c_bus_ops,
                                           .ctx = &ports[number],
                                           .requests = g->requests,
                                           .msgs = g->msgs,
                                           .message_count = MESSAGES,
                                           .buffer = g->buffer,
                                           .buffer_size = BUFFER};

    assert_int_equal(avps_i2c_init(&g->i2c, &config), AVPS_OK);
    assert_int_equal(avps_i2c_bus_connect(&bus, number, &g->i2c, share), AVPS_OK);
    test_driver_attach(&g->d, &g->i2c.base);
    test_driver_want_all(&g->d, test_is_packed(state));
    g->d.size = 64;
    test_driver_start(&g->d);
}

static void power_on(void)
{
    const struct avps_i2c_bus_config config = {
        .ops = &wire_ops, .ctx = &wire, .ports = ports, .port_count = GUESTS};

    (void)memset(&wire, 0, sizeof wire);
    assert_int_equal(avps_i2c_bus_init(&bus, &config), AVPS_OK);
}

/* All guests, with these shares, on a bus that takes its time. */
static void run(void **state, uint32_t share0, uint32_t share1, uint32_t share2)
{
    power_on();
    wire.waits = true;
    guest_start(state, 0, share0);
    guest_start(state, 1, share1);
    guest_start(state, 2, share2);
}

static void off(void)
{
    wire.waits = false;
    wire.cancel = AVPS_OK;
    for (uint32_t i = 0; i < GUESTS; i++) {
        test_driver_free(&guests[i].d);
    }
}

static void poll(uint32_t number)
{
    (void)test_driver_poll(&guests[number].d);
}

/* A write of `len` bytes to the chip that is called as the guest, and its poll. */
static void ask(uint32_t number, uint32_t len)
{
    static const uint8_t bytes[BUFFER] = {1};
    const uint8_t hdr[HEADER] = {(uint8_t)((0x10U + number) << 1)};
    struct test_request request = {.out = {{hdr, HEADER}, {bytes, len}}, .in = {1}};

    (void)test_driver_send(&guests[number].d, 0, &request);
    test_driver_kick(&guests[number].d, 0);
    poll(number);
}

/* Requests that came back since the last call; every one has to be a success. */
static uint32_t answered(uint32_t number)
{
    struct test_used used = {0, 0};
    uint32_t count = 0;

    poll(number); /* answers are published by a poll */
    while (test_driver_reap(&guests[number].d, 0, &used)) {
        assert_int_equal(used.len, 1);
        count++;
    }
    return count;
}

static const struct avps_i2c_bus_counters *counters(uint32_t number)
{
    return avps_i2c_bus_counters(&bus, number);
}

/* ---- turns ---- */

static void test_bus_carries_at_once_when_it_is_free(void **state)
{
    run(state, 1, 1, 1);
    wire.waits = false;
    ask(0, 3);
    ask(1, 5);
    assert_int_equal(answered(0), 1);
    assert_int_equal(answered(1), 1);
    assert_int_equal(wire.transfers, 2);
    assert_int_equal(counters(0)->transfers, 1);
    assert_int_equal(counters(0)->load, 4); /* three bytes and an address */
    assert_int_equal(counters(1)->load, 6);
    assert_int_equal(counters(0)->delayed, 0);
    off();
}

static void test_bus_gives_turns_in_rotation(void **state)
{
    run(state, 1, 1, 1);
    for (uint32_t i = 0; i < GUESTS; i++) {
        ask(i, 1);
    }
    assert_int_equal(wire.transfers, 1);
    for (uint32_t i = 0; i < 6U; i++) {
        finish();
        for (uint32_t g = 0; g < GUESTS; g++) {
            if (answered(g) != 0U) {
                ask(g, 1);
            }
        }
    }
    assert_memory_equal(wire.log, "\x10\x11\x12\x10\x11\x12\x10", 7);
    assert_int_equal(counters(1)->delayed, counters(1)->transfers + 1U); /* one waits now */
    off();
}

static void test_bus_begins_the_next_before_it_returns(void **state)
{
    run(state, 1, 1, 1);
    ask(0, 1);
    ask(1, 1);
    assert_int_equal(wire.transfers, 1);
    finish();
    assert_int_equal(wire.transfers, 2);
    assert_int_equal(answered(0), 1);
    assert_int_equal(answered(1), 0);
    assert_int_equal(counters(1)->overtaken, 0); /* the first was there before it */
    finish();
    assert_int_equal(answered(1), 1);
    off();
}

/* ---- answers ---- */

static void test_bus_takes_an_answer_from_inside(void **state)
{
    run(state, 1, 1, 1);
    wire.waits = false;
    wire.inside = true;
    ask(0, 1);
    assert_int_equal(answered(0), 1);
    assert_int_equal(avps_i2c_bus_late(&bus), 1); /* the second answer */
    off();
}

/* Those that wait when a bus stops taking its time go one after another, not one inside another. */
static void test_bus_serves_all_who_wait_in_one_go(void **state)
{
    run(state, 1, 1, 1);
    ask(0, 1);
    ask(1, 1);
    ask(2, 1);
    wire.waits = false;
    wire.inside = true;
    finish();
    assert_int_equal(wire.transfers, 3);
    for (uint32_t i = 0; i < GUESTS; i++) {
        assert_int_equal(answered(i), 1);
    }
    off();
}

static void test_bus_ignores_answers_to_nothing(void **state)
{
    run(state, 1, 1, 1);
    avps_i2c_bus_done(&bus, 0, 1);
    ask(0, 1);
    avps_i2c_bus_done(&bus, wire.token + 1U, 1);
    assert_int_equal(avps_i2c_bus_late(&bus), 2);
    assert_int_equal(answered(0), 0);
    finish();
    avps_i2c_bus_done(&bus, wire.token, 1);
    assert_int_equal(avps_i2c_bus_late(&bus), 3);
    assert_int_equal(answered(0), 1);
    off();
}

static void test_bus_passes_a_failure_on(void **state)
{
    struct test_used used = {0, 0};

    run(state, 1, 1, 1);
    wire.waits = false;
    wire.answer = AVPS_E_IO;
    ask(0, 1);
    poll(0);
    assert_true(test_driver_reap(&guests[0].d, 0, &used));
    assert_int_equal(avps_i2c_counters(&guests[0].i2c)->failed, 1);
    ask(1, 1);
    assert_int_equal(avps_i2c_counters(&guests[1].i2c)->failed, 1);
    off();
}

/* More than the transfer had is believed by no adapter. */
static void test_bus_lets_the_adapter_judge_the_answer(void **state)
{
    run(state, 1, 1, 1);
    ask(0, 1);
    wire.busy = false;
    avps_i2c_bus_done(&bus, wire.token, 9);
    assert_int_equal(avps_i2c_counters(&guests[0].i2c)->failed, 1);
    off();
}

/* ---- cancels and resets ---- */

static void test_bus_forgets_a_guest_that_waits_and_is_reset(void **state)
{
    run(state, 1, 1, 1);
    ask(0, 1);
    ask(1, 1);
    ask(2, 1);
    test_driver_set(&guests[1].d, TEST_STATUS, 0);
    assert_int_equal(wire.cancels, 0); /* it was not on the wire */
    assert_int_equal(counters(1)->cancelled, 1);
    finish();
    finish();
    assert_memory_equal(wire.log, "\x10\x12", 2);
    assert_int_equal(wire.transfers, 2);
    off();
}

static void test_bus_goes_on_after_a_cancel_on_the_wire(void **state)
{
    run(state, 1, 1, 1);
    ask(0, 1);
    ask(1, 1);
    test_driver_set(&guests[0].d, TEST_STATUS, 0);
    assert_int_equal(wire.cancels, 1);
    assert_int_equal(counters(0)->cancelled, 1);
    assert_int_equal(wire.transfers, 2);
    finish();
    assert_int_equal(answered(1), 1);
    off();
}

static void test_bus_waits_for_a_wire_that_cannot_cancel(void **state)
{
    run(state, 1, 1, 1);
    wire.cancel = AVPS_PENDING;
    ask(0, 1);
    ask(1, 1);
    test_driver_set(&guests[0].d, TEST_STATUS, 0);
    assert_int_equal(wire.transfers, 1);
    assert_int_equal(avps_i2c_bus_disconnect(&bus, 0), AVPS_E_STATE);
    finish();
    assert_int_equal(wire.transfers, 2);
    assert_int_equal(avps_i2c_bus_disconnect(&bus, 0), AVPS_OK);
    finish();
    assert_int_equal(answered(1), 1);
    off();
}

static void test_bus_refuses_an_adapter_without_a_port(void **state)
{
    run(state, 1, 1, 1);
    assert_int_equal(avps_i2c_bus_disconnect(&bus, 2), AVPS_OK);
    ask(2, 1);
    assert_int_equal(avps_i2c_counters(&guests[2].i2c)->failed, 1);
    assert_int_equal(wire.transfers, 0);
    assert_int_equal(avps_i2c_bus_connect(&bus, 2, &guests[2].i2c, 1), AVPS_OK);
    ask(2, 1);
    assert_int_equal(wire.transfers, 1);
    off();
}

/* ---- shares ---- */

/* Every guest in `greedy` always has a request of `len` bytes waiting, for `turns` transfers. */
static void compete(uint32_t turns, const uint32_t len[GUESTS], uint64_t load[GUESTS])
{
    for (uint32_t g = 0; g < GUESTS; g++) {
        if (len[g] != 0U) {
            ask(g, len[g]);
        }
    }
    for (uint32_t i = 0; i < turns; i++) {
        finish();
        for (uint32_t g = 0; g < GUESTS; g++) {
            if (answered(g) != 0U) {
                ask(g, len[g]);
            }
        }
    }
    for (uint32_t g = 0; g < GUESTS; g++) {
        load[g] = counters(g)->load;
    }
}

/* 200 bytes a time against 50 bytes a time: each gets the same of the bus, within one transfer. */
static void test_bus_is_shared_by_bytes_and_not_by_requests(void **state)
{
    const uint32_t len[GUESTS] = {200, 50, 50};
    uint64_t load[GUESTS] = {0, 0, 0};

    run(state, 1, 1, 1);
    compete(1000, len, load);
    print_message("load of 200 byte writes %u, of 50 byte writes %u and %u\n",
                  (unsigned int)load[0], (unsigned int)load[1], (unsigned int)load[2]);
    assert_in_range(load[0], load[1] - 201U, load[1] + 201U);
    assert_in_range(load[0], load[2] - 201U, load[2] + 201U);
    off();
}

static void test_bus_keeps_to_shares(void **state)
{
    const uint32_t len[GUESTS] = {9, 9, 9};
    uint64_t load[GUESTS] = {0, 0, 0};

    run(state, 5, 3, 2);
    compete(1000, len, load);
    assert_in_range(load[0], 4980, 5020); /* of 10000 */
    assert_in_range(load[1], 2980, 3020);
    assert_in_range(load[2], 1980, 2020);
    off();
}

/* Two guests ask for more whenever they can; the third now and then. It never waits for more than
 * the transfer on the wire and one of the other guest's. */
static void test_bus_lets_no_greedy_guest_starve_another(void **state)
{
    uint32_t worst = 0;

    run(state, 1, 1, 1);
    ask(0, 200);
    ask(1, 200);
    for (uint32_t i = 0; i < 300U; i++) {
        const uint32_t before = wire.transfers;

        ask(2, 1);
        while (answered(2) == 0U) {
            finish();
            for (uint32_t g = 0; g < 2U; g++) {
                if (answered(g) != 0U) {
                    ask(g, 200);
                }
            }
        }
        worst = wire.transfers - before > worst ? wire.transfers - before : worst;
    }
    print_message("transfers begun before the modest guest was answered: %u at most\n", worst);
    assert_in_range(worst, 1, 3); /* one of another, its own, and the one begun after it */
    assert_int_equal(counters(2)->transfers, 300);
    off();
}

/* Who was silent has saved nothing. */
static void test_bus_gives_no_credit_for_a_rest(void **state)
{
    uint32_t of_second = 0;

    run(state, 1, 1, 1);
    for (uint32_t i = 0; i < 100U; i++) {
        ask(0, 10);
        finish();
        assert_int_equal(answered(0), 1);
    }
    ask(0, 10);
    ask(1, 10);
    const uint32_t from = wire.transfers;

    for (uint32_t i = 0; i < 10U; i++) {
        finish();
        for (uint32_t g = 0; g < 2U; g++) {
            if (answered(g) != 0U) {
                ask(g, 10);
            }
        }
    }
    for (uint32_t i = from; i < wire.transfers; i++) {
        of_second += wire.log[i] == 0x11U ? 1U : 0U;
    }
    assert_in_range(of_second, 5, 6); /* of ten */
    off();
}

/* ---- configuration ---- */

static void test_bus_refuses_a_wrong_configuration(void **state)
{
    const struct avps_i2c_bus_config good = {
        .ops = &wire_ops, .ctx = &wire, .ports = ports, .port_count = GUESTS};
    static const struct avps_i2c_ops no_ops;
    struct avps_i2c_bus_config config = good;

    (void)state;
    assert_int_equal(avps_i2c_bus_init(NULL, &good), AVPS_E_PARAM);
    assert_int_equal(avps_i2c_bus_init(&bus, NULL), AVPS_E_PARAM);
    config.ops = NULL;
    assert_int_equal(avps_i2c_bus_init(&bus, &config), AVPS_E_PARAM);
    config.ops = &no_ops;
    assert_int_equal(avps_i2c_bus_init(&bus, &config), AVPS_E_PARAM);
    config.ops = &avps_i2c_bus_ops; /* no buses on buses */
    assert_int_equal(avps_i2c_bus_init(&bus, &config), AVPS_E_PARAM);
    config = good;
    config.ports = NULL;
    assert_int_equal(avps_i2c_bus_init(&bus, &config), AVPS_E_PARAM);
    config = good;
    config.port_count = 0;
    assert_int_equal(avps_i2c_bus_init(&bus, &config), AVPS_E_PARAM);
    config.port_count = AVPS_I2C_BUS_PORTS_MAX + 1U;
    assert_int_equal(avps_i2c_bus_init(&bus, &config), AVPS_E_PARAM);
}

static void test_bus_refuses_a_wrong_connection(void **state)
{
    struct avps_i2c *const i2c = &guests[0].i2c;

    (void)state;
    power_on();
    assert_int_equal(avps_i2c_bus_connect(&bus, GUESTS, i2c, 1), AVPS_E_PARAM);
    assert_int_equal(avps_i2c_bus_connect(&bus, 0, NULL, 1), AVPS_E_PARAM);
    assert_int_equal(avps_i2c_bus_connect(&bus, 0, i2c, 0), AVPS_E_PARAM);
    assert_int_equal(avps_i2c_bus_connect(&bus, 0, i2c, AVPS_I2C_BUS_SHARE_MAX + 1U), AVPS_E_PARAM);
    assert_int_equal(avps_i2c_bus_connect(&bus, 0, i2c, 1), AVPS_OK);
    assert_int_equal(avps_i2c_bus_connect(&bus, 0, i2c, 1), AVPS_E_STATE);
    assert_int_equal(avps_i2c_bus_disconnect(&bus, GUESTS), AVPS_E_PARAM);
    assert_null(avps_i2c_bus_counters(&bus, GUESTS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_bus_carries_at_once_when_it_is_free, NULL, NULL),
        TEST_BOTH(test_bus_gives_turns_in_rotation, NULL, NULL),
        TEST_BOTH(test_bus_begins_the_next_before_it_returns, NULL, NULL),
        TEST_BOTH(test_bus_takes_an_answer_from_inside, NULL, NULL),
        TEST_BOTH(test_bus_serves_all_who_wait_in_one_go, NULL, NULL),
        TEST_BOTH(test_bus_ignores_answers_to_nothing, NULL, NULL),
        TEST_BOTH(test_bus_passes_a_failure_on, NULL, NULL),
        TEST_BOTH(test_bus_lets_the_adapter_judge_the_answer, NULL, NULL),
        TEST_BOTH(test_bus_forgets_a_guest_that_waits_and_is_reset, NULL, NULL),
        TEST_BOTH(test_bus_goes_on_after_a_cancel_on_the_wire, NULL, NULL),
        TEST_BOTH(test_bus_waits_for_a_wire_that_cannot_cancel, NULL, NULL),
        TEST_BOTH(test_bus_refuses_an_adapter_without_a_port, NULL, NULL),
        TEST_BOTH(test_bus_is_shared_by_bytes_and_not_by_requests, NULL, NULL),
        TEST_BOTH(test_bus_keeps_to_shares, NULL, NULL),
        TEST_BOTH(test_bus_lets_no_greedy_guest_starve_another, NULL, NULL),
        TEST_BOTH(test_bus_gives_no_credit_for_a_rest, NULL, NULL),
        cmocka_unit_test(test_bus_refuses_a_wrong_configuration),
        cmocka_unit_test(test_bus_refuses_a_wrong_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
