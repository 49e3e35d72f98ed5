/* SPDX-License-Identifier: BSD-3-Clause */
/* The I2C adapter: what it is -> messages and groups -> failures -> the allow-list -> requests that
 * make no sense -> a bus that takes its time -> resets, state, configuration. */
#include "support/driver.h"

#include "avps/i2c.h"

#define READ 2U /* flags on the wire */
#define NEXT 1U

#define MESSAGES 4U
#define BUFFER   64U
#define HEADER   8U

/* A bus that records the transfers it gets and answers as it is told. */
struct bus {
    struct avps_i2c_msg msgs[8]; /* of all transfers, in order */
    uint8_t bytes[8][BUFFER];    /* what was written; a read gets 0xa0 + its number, and so on */
    uint32_t transfers;
    uint32_t count;    /* messages */
    uint32_t sizes[8]; /* messages of a transfer */
    uint32_t limit;    /* so many of a transfer are carried out */
    enum avps_status answer;
    bool inside; /* answers PENDING from inside the op */
    uint64_t token;
    enum avps_status cancel;
    uint32_t cancels;
};

static struct test_driver d;
static struct avps_i2c i2c;
static struct avps_queue queues[1];
static struct avps_i2c_request requests[MESSAGES];
static struct avps_i2c_msg msgs[MESSAGES];
static uint8_t buffer[BUFFER];
static struct bus bus;

static void bus_read(const struct avps_i2c_msg *msg, uint32_t number)
{
    for (uint32_t i = 0; i < msg->len; i++) {
        assert_int_equal(msg->data[i], 0); /* nothing of an earlier transfer */
        msg->data[i] = (uint8_t)(0xa0U + number + i);
    }
}

static enum avps_status bus_transfer(void *ctx, uint64_t token, const struct avps_i2c_msg *messages,
                                     uint32_t count, uint32_t *done)
{
    struct bus *b = ctx;

    assert_in_range(count, 1, MESSAGES);
    assert_true(b->count + count <= 8U);
    b->sizes[b->transfers] = count;
    b->transfers++;
    b->token = token;
    for (uint32_t i = 0; i < count; i++, b->count++) {
        b->msgs[b->count] = messages[i];
        if (messages[i].read) {
            bus_read(&messages[i], i);
        } else {
            (void)memcpy(b->bytes[b->count], messages[i].data, messages[i].len);
        }
    }
    *done = count < b->limit ? count : b->limit;
    if (b->inside) {
        avps_i2c_done(&i2c, token, *done);
    }
    return b->answer;
}

static enum avps_status bus_cancel(void *ctx)
{
    struct bus *b = ctx;

    b->cancels++;
    return b->cancel;
}

static const struct avps_i2c_ops bus_ops = {bus_transfer, bus_cancel};
static const struct avps_i2c_ops stubborn_ops = {bus_transfer, NULL};

static struct avps_i2c_config good_config(void)
{
    const struct avps_i2c_config config = {.base = test_driver_base(&d, queues, 1, 256),
                                           .ops = &bus_ops,
                                           .ctx = &bus,
                                           .requests = requests,
                                           .msgs = msgs,
                                           .message_count = MESSAGES,
                                           .buffer = buffer,
                                           .buffer_size = BUFFER};

    return config;
}

static void power_on(enum test_mem_kind kind)
{
    test_driver_init(&d, kind);
    bus = (struct bus){.limit = 8};
    (void)memset(buffer, 0xee, sizeof buffer);
}

static void start(void **state, const struct avps_i2c_config *config)
{
    assert_int_equal(avps_i2c_init(&i2c, config), AVPS_OK);
    test_driver_attach(&d, &i2c.base);
    test_driver_want_all(&d, test_is_packed(state));
    d.size = 64;
    test_driver_start(&d);
    (void)test_driver_poll(&d);
}

static void run(void **state)
{
    power_on(TEST_MEM_REGIONS);
    const struct avps_i2c_config config = good_config();

    start(state, &config);
}

static void off(void)
{
    test_driver_free(&d);
}

/* ---- requests ---- */

/* A request and what it is made of. */
struct message {
    struct test_request request;
    uint8_t hdr[HEADER];
};

static void header(struct message *m, uint32_t addr, uint32_t flags)
{
    const uint8_t hdr[HEADER] = {
        (uint8_t)addr,          (uint8_t)(addr >> 8),  0, 0, (uint8_t)flags, (uint8_t)(flags >> 8),
        (uint8_t)(flags >> 16), (uint8_t)(flags >> 24)};

    (void)memset(m, 0, sizeof *m);
    (void)memcpy(m->hdr, hdr, sizeof hdr);
    m->request.out[0] = (struct test_part){m->hdr, HEADER};
}

/* @param addr  As on the wire. */
static void message_write(struct message *m, uint32_t addr, uint32_t flags, const void *bytes,
                          uint32_t len)
{
    header(m, addr, flags);
    m->request.out[1] = (struct test_part){bytes, len};
    m->request.in[0] = 1;
}

static void message_read(struct message *m, uint32_t addr, uint32_t flags, uint32_t len)
{
    header(m, addr, flags | READ);
    m->request.in[0] = len != 0U ? len : 1U;
    m->request.in[1] = len != 0U ? 1U : 0U;
}

static void send(struct message *m)
{
    (void)test_driver_send(&d, 0, &m->request);
}

static void serve(void)
{
    test_driver_kick(&d, 0);
    (void)test_driver_poll(&d);
}

static uint8_t status_of(const struct message *m)
{
    uint8_t status = 0xff;
    uint32_t at = 0;

    for (uint32_t i = 0; i < TEST_PARTS; i++) {
        at += m->request.in[i];
    }
    test_driver_in(&d, &m->request, at - 1U, &status, 1);
    return status;
}

/* The next used element is of this request, with this length and status. */
static void expect(const struct message *m, uint32_t len, uint8_t status)
{
    struct test_used used = {0, 0};

    assert_true(test_driver_reap(&d, 0, &used));
    assert_int_equal(used.id, m->request.id);
    assert_int_equal(used.len, len);
    assert_int_equal(status_of(m), status);
}

static void expect_nothing(void)
{
    struct test_used used = {0, 0};

    assert_false(test_driver_reap(&d, 0, &used));
}

static void expect_message(uint32_t number, uint16_t address, bool read, uint32_t len)
{
    assert_true(number < bus.count);
    assert_int_equal(bus.msgs[number].address, address);
    assert_int_equal(bus.msgs[number].read, read);
    assert_int_equal(bus.msgs[number].len, len);
}

/* ---- what it is ---- */

static void test_i2c_is_an_adapter(void **state)
{
    run(state);
    assert_int_equal(test_driver_get(&d, TEST_DEVICE_ID), 34);
    assert_int_equal(test_driver_config(&d, 0, 4), 0); /* no configuration space */
    off();
}

/* [i2c-1.1] */
static void test_i2c_insists_on_zero_length_requests(void **state)
{
    power_on(TEST_MEM_REGIONS);
    const struct avps_i2c_config config = good_config();

    (void)state;
    assert_int_equal(avps_i2c_init(&i2c, &config), AVPS_OK);
    test_driver_attach(&d, &i2c.base);
    assert_true(test_driver_offers(&d, 0));
    assert_false(test_driver_negotiate(&d));
    test_driver_want(&d, 0);
    assert_true(test_driver_negotiate(&d));
    off();
}

/* ---- messages and groups ---- */

/* [i2c-1.3] [i2c-1.4] */
static void test_i2c_writes(void **state)
{
    static const uint8_t bytes[] = {0x10, 0x20, 0x30};
    uint8_t still[HEADER];
    struct message m;

    run(state);
    message_write(&m, 0xa0, 0, bytes, 3);
    send(&m);
    serve();
    expect(&m, 1, 0);
    assert_int_equal(bus.transfers, 1);
    expect_message(0, 0x50, false, 3);
    assert_memory_equal(bus.bytes[0], bytes, 3);
    test_mem_get(&d.mem, m.request.out_gpa[1], still, 3);
    assert_memory_equal(still, bytes, 3);
    test_mem_get(&d.mem, m.request.out_gpa[0], still, HEADER);
    assert_memory_equal(still, m.hdr, HEADER);
    assert_int_equal(avps_i2c_counters(&i2c)->written, 3);
    off();
}

/* [i2c-1.5] */
static void test_i2c_reads(void **state)
{
    uint8_t bytes[4];
    struct message m;

    run(state);
    message_read(&m, 0x90, 0, 4);
    send(&m);
    serve();
    expect(&m, 5, 0);
    expect_message(0, 0x48, true, 4);
    test_driver_in(&d, &m.request, 0, bytes, 4);
    assert_memory_equal(bytes, "\xa0\xa1\xa2\xa3", 4);
    assert_int_equal(avps_i2c_counters(&i2c)->read, 4);
    off();
}

/* [i2c-1.2] The SMBus "quick" command, both ways. */
static void test_i2c_knows_messages_without_bytes(void **state)
{
    struct message m[2];

    run(state);
    message_write(&m[0], 0x20, 0, NULL, 0);
    message_read(&m[1], 0x22, 0, 0);
    send(&m[0]);
    send(&m[1]);
    serve();
    expect(&m[0], 1, 0);
    expect(&m[1], 1, 0);
    expect_message(0, 0x10, false, 0);
    expect_message(1, 0x11, true, 0);
    off();
}

static void test_i2c_knows_ten_bit_addresses(void **state)
{
    struct message m;

    run(state);
    message_write(&m, 0x55f4U, 0, "x", 1); /* A9 A8 = 10, A7..A0 = 0x55 */
    send(&m);
    serve();
    expect(&m, 1, 0);
    expect_message(0, AVPS_I2C_TEN_BIT | 0x255U, false, 1);
    off();
}

/* A register read: its number is written, then read after a repeated start. */
static void test_i2c_makes_one_transfer_of_a_group(void **state)
{
    struct message m[3];

    run(state);
    message_write(&m[0], 0xa0, NEXT, "\x07", 1);
    message_read(&m[1], 0xa0, 0, 2);
    message_write(&m[2], 0xa2, 0, "z", 1);
    for (uint32_t i = 0; i < 3U; i++) {
        send(&m[i]);
    }
    serve();
    expect(&m[0], 1, 0);
    expect(&m[1], 3, 0);
    expect(&m[2], 1, 0);
    assert_int_equal(bus.transfers, 2);
    assert_int_equal(bus.sizes[0], 2);
    assert_int_equal(bus.sizes[1], 1);
    assert_int_equal(avps_i2c_counters(&i2c)->transfers, 2);
    assert_int_equal(avps_i2c_counters(&i2c)->messages, 3);
    off();
}

/* [i2c-1.6] */
static void test_i2c_keeps_the_order(void **state)
{
    struct message m[8];
    uint8_t bytes[8];

    run(state);
    for (uint32_t i = 0; i < 8U; i++) {
        bytes[i] = (uint8_t)i;
        message_write(&m[i], 0xa0, 0, &bytes[i], 1);
        send(&m[i]);
    }
    serve();
    for (uint32_t i = 0; i < 8U; i++) {
        expect(&m[i], 1, 0);
        assert_int_equal(bus.bytes[i][0], i);
    }
    off();
}

static void test_i2c_splits_a_group_that_is_too_long(void **state)
{
    struct message m[6];

    run(state);
    for (uint32_t i = 0; i < 6U; i++) {
        message_write(&m[i], 0xa0, i < 5U ? NEXT : 0U, "x", 1);
        send(&m[i]);
    }
    serve();
    for (uint32_t i = 0; i < 6U; i++) {
        expect(&m[i], 1, 0);
    }
    assert_int_equal(bus.transfers, 2);
    assert_int_equal(bus.sizes[0], MESSAGES);
    assert_int_equal(bus.sizes[1], 2);
    off();
}

/* A driver that never ends its group does not keep the device busy for ever. */
static void test_i2c_does_not_wait_for_the_end_of_a_group(void **state)
{
    struct message m[2];

    run(state);
    message_write(&m[0], 0xa0, NEXT, "a", 1);
    send(&m[0]);
    serve();
    expect(&m[0], 1, 0);
    message_write(&m[1], 0xa0, 0, "b", 1);
    send(&m[1]);
    serve();
    expect(&m[1], 1, 0);
    assert_int_equal(bus.transfers, 2);
    off();
}

/* A budget that ends within a group does not take it apart. */
static void test_i2c_keeps_a_group_together_over_several_polls(void **state)
{
    struct message m[4];
    uint32_t polls = 0;

    run(state);
    for (uint32_t i = 0; i < 4U; i++) {
        message_write(&m[i], 0xa0, i < 3U ? NEXT : 0U, "x", 1);
        send(&m[i]);
    }
    test_driver_kick(&d, 0);
    while (avps_poll(&i2c.base, 1) == AVPS_POLL_MORE) {
        polls++;
        assert_true(polls < 20U);
    }
    assert_int_equal(bus.transfers, 1);
    assert_int_equal(bus.sizes[0], 4);
    off();
}

/* ---- failures ---- */

/* [i2c-1.7] */
static void test_i2c_fails_the_rest_of_a_group(void **state)
{
    struct message m[4];

    run(state);
    bus.limit = 1;
    for (uint32_t i = 0; i < 4U; i++) {
        message_write(&m[i], 0xa0, i < 2U ? NEXT : 0U, "x", 1); /* three, and another one */
        send(&m[i]);
    }
    serve();
    expect(&m[0], 1, 0);
    expect(&m[1], 1, 1);
    expect(&m[2], 1, 1);
    expect(&m[3], 1, 0); /* a group of its own */
    assert_int_equal(avps_i2c_counters(&i2c)->failed, 2);
    off();
}

static void test_i2c_fails_what_comes_later_of_a_failed_group(void **state)
{
    struct message m[3];

    run(state);
    bus.limit = 0;
    message_write(&m[0], 0xa0, NEXT, "a", 1);
    send(&m[0]);
    serve();
    expect(&m[0], 1, 1);
    bus.limit = 8;
    message_write(&m[1], 0xa0, NEXT, "b", 1);
    send(&m[1]);
    serve();
    expect(&m[1], 1, 1);
    message_write(&m[2], 0xa0, 0, "c", 1);
    send(&m[2]);
    serve();
    expect(&m[2], 1, 1);
    assert_int_equal(bus.transfers, 1); /* none of them was attempted */
    send(&m[2]);
    serve();
    expect(&m[2], 1, 0);
    off();
}

static void test_i2c_reports_a_bus_that_fails(void **state)
{
    static const enum avps_status answers[] = {AVPS_E_IO, AVPS_AGAIN, AVPS_EMPTY, AVPS_E_PARAM};
    struct message m;

    run(state);
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        bus.answer = answers[i];
        message_write(&m, 0xa0, 0, "x", 1);
        send(&m);
        serve();
        expect(&m, 1, 1);
    }
    assert_int_equal(avps_i2c_counters(&i2c)->failed, 4);
    off();
}

/* A failed read gives no bytes, neither the bus's nor anybody's. */
static void test_i2c_gives_no_bytes_of_a_failed_read(void **state)
{
    uint8_t bytes[4];
    struct message m;

    run(state);
    bus.limit = 0;
    message_read(&m, 0xa0, 0, 4);
    send(&m);
    serve();
    expect(&m, 0, 1); /* a used length covers written bytes only */
    test_driver_in(&d, &m.request, 0, bytes, 4);
    for (uint32_t i = 0; i < 4U; i++) {
        assert_int_equal(bytes[i], TEST_UNWRITTEN);
    }
    off();
}

static void test_i2c_believes_no_bus_that_did_more_than_it_was_told(void **state)
{
    struct message m;

    run(state);
    bus.limit = 8;
    bus.answer = AVPS_PENDING;
    message_write(&m, 0xa0, 0, "x", 1);
    send(&m);
    serve();
    expect_nothing();
    avps_i2c_done(&i2c, bus.token, 2);
    (void)test_driver_poll(&d);
    expect(&m, 1, 1);
    off();
}

/* ---- the allow-list ---- */

static void test_i2c_keeps_guests_away_from_other_chips(void **state)
{
    static const uint16_t chips[] = {0x50, AVPS_I2C_TEN_BIT | 0x123};
    struct message m[3];

    power_on(TEST_MEM_REGIONS);
    struct avps_i2c_config config = good_config();

    config.addresses = chips;
    config.address_count = 2;
    start(state, &config);
    message_write(&m[0], 0xa0, 0, "a", 1);
    message_write(&m[1], 0xa2, 0, "b", 1);
    message_write(&m[2], 0x23f2, 0, "c", 1); /* 0x123 */
    for (uint32_t i = 0; i < 3U; i++) {
        send(&m[i]);
    }
    serve();
    expect(&m[0], 1, 0);
    expect(&m[1], 1, 1);
    expect(&m[2], 1, 0);
    assert_int_equal(bus.count, 2);
    assert_int_equal(avps_i2c_counters(&i2c)->denied, 1);
    off();
}

static void test_i2c_cuts_a_group_at_a_chip_that_is_not_allowed(void **state)
{
    static const uint16_t chips[] = {0x50};
    struct message m[3];

    power_on(TEST_MEM_REGIONS);
    struct avps_i2c_config config = good_config();

    config.addresses = chips;
    config.address_count = 1;
    start(state, &config);
    message_write(&m[0], 0xa0, NEXT, "a", 1);
    message_write(&m[1], 0xa2, NEXT, "b", 1);
    message_write(&m[2], 0xa0, 0, "c", 1);
    for (uint32_t i = 0; i < 3U; i++) {
        send(&m[i]);
    }
    serve();
    expect(&m[0], 1, 0);
    expect(&m[1], 1, 1);
    expect(&m[2], 1, 1);
    assert_int_equal(bus.count, 1);
    off();
}

static void test_i2c_with_an_empty_list_reaches_no_chip(void **state)
{
    static const uint16_t none[1];
    struct message m;

    power_on(TEST_MEM_REGIONS);
    struct avps_i2c_config config = good_config();

    config.addresses = none;
    config.address_count = 0;
    start(state, &config);
    message_write(&m, 0, 0, "a", 1); /* the general call, too */
    send(&m);
    serve();
    expect(&m, 1, 1);
    assert_int_equal(bus.transfers, 0);
    off();
}

/* ---- requests that make no sense ---- */

static void expect_refused(struct message *m, uint32_t len)
{
    send(m);
    serve();
    expect(m, len, 1);
    assert_int_equal(bus.transfers, 0);
    assert_int_equal(avps_i2c_counters(&i2c)->malformed, 1);
    assert_int_equal(test_driver_get(&d, TEST_STATUS), TEST_S_LIVE);
}

static void test_i2c_refuses_flags_that_it_does_not_know(void **state)
{
    static const uint32_t flags[] = {4, 0x80000000U, 0x10000};

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        struct message m;

        run(state);
        message_write(&m, 0xa0, flags[i], "x", 1);
        expect_refused(&m, 1);
        off();
    }
}

static void test_i2c_refuses_addresses_that_are_none(void **state)
{
    static const uint32_t addresses[] = {0xa1, 0x1a0, 0xffff, 0x12f1, 0x0100, 0x12f8};

    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        struct message m;

        run(state);
        message_write(&m, addresses[i], 0, "x", 1);
        expect_refused(&m, 1);
        off();
    }
}

static void test_i2c_refuses_a_write_with_room_for_bytes(void **state)
{
    struct message m;

    run(state);
    message_write(&m, 0xa0, 0, "x", 1);
    m.request.in[0] = 5;
    send(&m);
    serve();
    expect(&m, 0, 1);
    assert_int_equal(bus.transfers, 0);
    off();
}

static void test_i2c_refuses_a_read_with_bytes(void **state)
{
    struct message m;

    run(state);
    message_read(&m, 0xa0, 0, 4);
    m.request.out[1] = (struct test_part){"abc", 3};
    expect_refused(&m, 0);
    off();
}

static void test_i2c_refuses_a_short_header(void **state)
{
    for (uint32_t len = 1; len < HEADER; len++) {
        struct message m;

        run(state);
        message_write(&m, 0xa0, 0, NULL, 0);
        m.request.out[0].len = len;
        expect_refused(&m, 1);
        off();
    }
}

static void test_i2c_refuses_no_header_at_all(void **state)
{
    struct message m;

    run(state);
    message_write(&m, 0xa0, 0, NULL, 0);
    m.request.out[0].len = 0;
    expect_refused(&m, 1);
    off();
}

static void test_i2c_without_room_for_the_status_needs_a_reset(void **state)
{
    struct message m;

    run(state);
    message_write(&m, 0xa0, 0, "x", 1);
    m.request.in[0] = 0;
    send(&m);
    test_driver_kick(&d, 0);
    (void)test_driver_poll(&d);
    test_driver_assert_faulted(&d);
    assert_int_equal(bus.transfers, 0);
    off();
}

/* Requests that were taken in front of the bad one are given back with the reset. */
static void test_i2c_faults_with_requests_collected(void **state)
{
    struct message m[3];

    run(state);
    message_write(&m[0], 0xa0, NEXT, "x", 1);
    message_write(&m[1], 0xa0, NEXT, "x", 1);
    m[1].request.in[0] = 0;
    message_write(&m[2], 0xa0, 0, "x", 1);
    for (uint32_t i = 0; i < 3U; i++) {
        send(&m[i]);
    }
    test_driver_kick(&d, 0);
    (void)test_driver_poll(&d);
    assert_int_equal(test_driver_get(&d, TEST_STATUS), TEST_S_LIVE | TEST_S_NEEDS_RESET);
    expect_nothing();
    assert_int_equal(bus.transfers, 0);
    test_driver_reset(&d);
    test_driver_start(&d);
    message_write(&m[0], 0xa0, 0, "x", 1);
    send(&m[0]);
    serve();
    expect(&m[0], 1, 0);
    assert_int_equal(bus.sizes[bus.transfers - 1U], 1);
    off();
}

static void test_i2c_refuses_more_bytes_than_the_buffer_has(void **state)
{
    static uint8_t bytes[BUFFER + 1U];
    struct message m;

    run(state);
    message_write(&m, 0xa0, 0, bytes, BUFFER + 1U);
    expect_refused(&m, 1);
    message_write(&m, 0xa0, 0, bytes, BUFFER);
    send(&m);
    serve();
    expect(&m, 1, 0);
    off();
}

static void test_i2c_refuses_a_huge_read(void **state)
{
    struct message m;

    run(state);
    message_read(&m, 0xa0, 0, 70000);
    expect_refused(&m, 0);
    off();
}

/* The buffer is shared by a transfer's messages, and free again after it. */
static void test_i2c_counts_the_bytes_of_a_whole_transfer(void **state)
{
    static uint8_t bytes[BUFFER];
    struct message m[3];

    run(state);
    message_write(&m[0], 0xa0, NEXT, bytes, BUFFER - 1U);
    message_read(&m[1], 0xa0, 0, 2);
    send(&m[0]);
    send(&m[1]);
    serve();
    expect(&m[0], 1, 0);
    expect(&m[1], 0, 1);
    message_write(&m[2], 0xa0, 0, bytes, BUFFER);
    send(&m[2]);
    serve();
    expect(&m[2], 1, 0);
    off();
}

static void test_i2c_takes_bytes_in_pieces(void **state)
{
    uint8_t read[5];
    struct message m[2];

    run(state);
    message_write(&m[0], 0xa0, NEXT, "ab", 2);
    m[0].request.out[2] = (struct test_part){"c", 1};
    m[0].request.out[3] = (struct test_part){"de", 2};
    message_read(&m[1], 0xa0, 0, 2);
    m[1].request.in[1] = 3;
    m[1].request.in[2] = 1;
    send(&m[0]);
    send(&m[1]);
    serve();
    expect(&m[0], 1, 0);
    expect(&m[1], 6, 0);
    assert_memory_equal(bus.bytes[0], "abcde", 5);
    test_driver_in(&d, &m[1].request, 0, read, 5);
    assert_memory_equal(read, "\xa1\xa2\xa3\xa4\xa5", 5);
    off();
}

/* Header and bytes in one piece; status and bytes in one piece. */
static void test_i2c_takes_any_layout(void **state)
{
    uint8_t all[HEADER + 2U] = {0xa0, 0, 0, 0, 0, 0, 0, 0, 'x', 'y'};
    struct message m;

    run(state);
    message_write(&m, 0xa0, 0, NULL, 0);
    m.request.out[0] = (struct test_part){all, sizeof all};
    send(&m);
    serve();
    expect(&m, 1, 0);
    assert_memory_equal(bus.bytes[0], "xy", 2);
    message_read(&m, 0xa0, 0, 3);
    m.request.in[0] = 4;
    m.request.in[1] = 0;
    send(&m);
    serve();
    expect(&m, 4, 0);
    off();
}

/* The answer's bytes lie where the driver may not let the device write: latched, nothing returned. */
static void test_i2c_cannot_answer_into_read_only_memory(void **state)
{
    struct test_desc table[2];
    struct message m;

    run(state);
    header(&m, 0xa0, 0);
    table[0] = (struct test_desc){test_mem_alloc(&d.mem, HEADER, 8), HEADER, 0};
    test_mem_put(&d.mem, table[0].gpa, m.hdr, HEADER);
    table[1] = (struct test_desc){TEST_ROM_GPA, 1, TEST_WRITE};
    (void)test_ring_add(&d.ring[0], table, 2);
    test_driver_kick(&d, 0);
    (void)test_driver_poll(&d);
    test_driver_assert_faulted(&d);
    assert_int_equal(bus.transfers, 0);
    off();
}

static void run_on(void **state, enum test_mem_kind kind)
{
    power_on(kind);
    const struct avps_i2c_config config = good_config();

    start(state, &config);
}

static void test_i2c_works_on_every_kind_of_memory(void **state)
{
    for (int kind = 0; kind < (int)TEST_MEM_KINDS; kind++) {
        uint8_t bytes[2];
        struct message m[2];

        run_on(state, (enum test_mem_kind)kind);
        message_write(&m[0], 0xa0, NEXT, "\x07", 1);
        message_read(&m[1], 0xa0, 0, 2);
        send(&m[0]);
        send(&m[1]);
        serve();
        expect(&m[0], 1, 0);
        expect(&m[1], 3, 0);
        test_driver_in(&d, &m[1].request, 0, bytes, 2);
        assert_memory_equal(bytes, "\xa1\xa2", 2);
        off();
    }
}

/* Every call of the memory ops is refused once: the message is carried out once and answered, or the
 * driver is told that the device needs a reset. */
static void sweep_memory(void **state, enum avps_status refusal)
{
    for (unsigned int n = 1; n < 40U; n++) {
        struct test_used used = {0, 0};
        struct message m;

        run_on(state, TEST_MEM_COPY);
        message_write(&m, 0xa0, 0, "x", 1);
        send(&m);
        test_driver_kick(&d, 0);
        test_fail_at(&d.mem.fail, n, refusal);
        for (uint32_t polls = 0; polls < 6U; polls++) {
            (void)avps_poll(&i2c.base, 64);
        }
        test_fail_at(&d.mem.fail, 0, AVPS_OK);
        assert_true(bus.count <= 1U);
        if (test_driver_get(&d, TEST_STATUS) == TEST_S_LIVE) {
            assert_true(test_driver_reap(&d, 0, &used));
            assert_int_equal(used.id, m.request.id);
            assert_int_equal(status_of(&m), bus.count == 1U ? 0 : 1);
        }
        expect_nothing();
        off();
    }
}

static void test_i2c_waits_for_memory_that_is_busy(void **state)
{
    sweep_memory(state, AVPS_AGAIN);
}

static void test_i2c_survives_memory_that_fails(void **state)
{
    sweep_memory(state, AVPS_E_IO);
}

/* ---- a bus that takes its time ---- */

static void test_i2c_waits_for_the_bus(void **state)
{
    struct message m[2];

    run(state);
    bus.answer = AVPS_PENDING;
    message_write(&m[0], 0xa0, 0, "a", 1);
    message_read(&m[1], 0xa0, 0, 1);
    send(&m[0]);
    send(&m[1]);
    serve();
    expect_nothing();
    assert_int_equal(bus.transfers, 1); /* one at a time */
    avps_i2c_done(&i2c, bus.token, 1);
    assert_int_equal(d.port.wakes, 1);
    (void)test_driver_poll(&d);
    expect(&m[0], 1, 0);
    assert_int_equal(bus.transfers, 2);
    avps_i2c_done(&i2c, bus.token, 0);
    (void)test_driver_poll(&d);
    expect(&m[1], 0, 1);
    off();
}

static void test_i2c_may_be_answered_from_inside(void **state)
{
    struct message m;

    run(state);
    bus.answer = AVPS_PENDING;
    bus.inside = true;
    message_read(&m, 0xa0, 0, 2);
    send(&m);
    serve();
    expect(&m, 3, 0);
    assert_int_equal(avps_i2c_counters(&i2c)->late, 0);
    off();
}

static void test_i2c_ignores_answers_that_nobody_waits_for(void **state)
{
    struct message m;

    run(state);
    avps_i2c_done(&i2c, 0, 1);
    bus.answer = AVPS_PENDING;
    message_write(&m, 0xa0, 0, "a", 1);
    send(&m);
    serve();
    avps_i2c_done(&i2c, bus.token + 1U, 1);
    expect_nothing();
    avps_i2c_done(&i2c, bus.token, 1);
    avps_i2c_done(&i2c, bus.token, 1);
    (void)test_driver_poll(&d);
    expect(&m, 1, 0);
    expect_nothing();
    assert_int_equal(avps_i2c_counters(&i2c)->late, 3);
    assert_int_equal(d.port.events[AVPS_EVENT_LATE_COMPLETION], 3);
    off();
}

/* ---- resets, state, configuration ---- */

static void test_i2c_reset_cancels_a_transfer(void **state)
{
    struct message m;

    run(state);
    bus.answer = AVPS_PENDING;
    message_write(&m, 0xa0, NEXT, "a", 1);
    send(&m);
    serve();
    test_driver_set(&d, TEST_STATUS, 0);
    assert_int_equal(test_driver_get(&d, TEST_STATUS), 0);
    assert_int_equal(bus.cancels, 1);
    avps_i2c_done(&i2c, bus.token, 1);
    assert_int_equal(avps_i2c_counters(&i2c)->late, 1);
    off();
}

static void test_i2c_reset_waits_for_a_bus_that_cannot_cancel(void **state)
{
    struct message m;

    power_on(TEST_MEM_REGIONS);
    struct avps_i2c_config config = good_config();

    config.ops = &stubborn_ops;
    start(state, &config);
    bus.answer = AVPS_PENDING;
    message_read(&m, 0xa0, 0, 4);
    send(&m);
    serve();
    test_driver_set(&d, TEST_STATUS, 0);
    assert_int_not_equal(test_driver_get(&d, TEST_STATUS), 0);
    avps_i2c_done(&i2c, bus.token, 1);
    assert_int_equal(test_driver_get(&d, TEST_STATUS), 0);
    assert_int_equal(status_of(&m), TEST_UNWRITTEN); /* guest memory was left alone */
    assert_int_equal(avps_i2c_counters(&i2c)->messages, 0);
    off();
}

static void test_i2c_reset_forgets_a_failed_group(void **state)
{
    struct message m;

    run(state);
    bus.limit = 0;
    message_write(&m, 0xa0, NEXT, "a", 1);
    send(&m);
    serve();
    expect(&m, 1, 1);
    bus.limit = 8;
    test_driver_reset(&d);
    test_driver_start(&d);
    message_write(&m, 0xa0, 0, "b", 1);
    send(&m);
    serve();
    expect(&m, 1, 0);
    off();
}

static void test_i2c_queue_reset_starts_anew(void **state)
{
    struct message m;

    run(state);
    bus.answer = AVPS_PENDING;
    message_write(&m, 0xa0, 0, "a", 1);
    send(&m);
    serve();
    test_driver_set(&d, TEST_QUEUE_SEL, 0);
    test_driver_set(&d, TEST_QUEUE_RESET, 1);
    assert_int_equal(test_driver_get(&d, TEST_QUEUE_RESET), 0);
    test_ring_reset(&d.ring[0]);
    assert_true(test_driver_enable(&d, 0));
    bus.answer = AVPS_OK;
    message_write(&m, 0xa0, 0, "b", 1);
    send(&m);
    serve();
    expect(&m, 1, 0);
    off();
}

/* Quiescing is not held up by a group that the driver left open. */
static void test_i2c_quiesces_with_a_group_left_open(void **state)
{
    struct message m;

    run(state);
    message_write(&m, 0xa0, NEXT, "a", 1);
    send(&m);
    test_driver_kick(&d, 0);
    (void)avps_poll(&i2c.base, 1);
    assert_int_equal(avps_quiesce(&i2c.base), AVPS_PENDING);
    (void)test_driver_poll(&d);
    assert_int_equal(avps_quiesce(&i2c.base), AVPS_OK);
    expect(&m, 1, 0);
    off();
}

static void test_i2c_state_carries_a_failed_group(void **state)
{
    static uint8_t blob[1024];
    struct message m;
    size_t used = 0;

    run(state);
    bus.limit = 0;
    message_write(&m, 0xa0, NEXT, "a", 1);
    send(&m);
    serve();
    expect(&m, 1, 1);
    bus.limit = 8;
    (void)test_driver_ack(&d);
    assert_int_equal(avps_quiesce(&i2c.base), AVPS_OK);
    assert_int_equal(avps_mmio_save(&d.mmio, blob, sizeof blob, &used), AVPS_OK);
    const struct avps_i2c_config config = good_config();

    assert_int_equal(avps_i2c_init(&i2c, &config), AVPS_OK);
    test_driver_attach(&d, &i2c.base);
    assert_int_equal(avps_mmio_load(&d.mmio, blob, used), AVPS_OK);
    message_write(&m, 0xa0, 0, "b", 1);
    send(&m);
    serve();
    expect(&m, 1, 1); /* the last of the group that failed before */
    send(&m);
    serve();
    expect(&m, 1, 0);
    off();
}

static void test_i2c_refuses_a_state_that_makes_no_sense(void **state)
{
    static uint8_t blob[1024];
    size_t used = 0;

    run(state);
    assert_int_equal(avps_quiesce(&i2c.base), AVPS_OK);
    assert_int_equal(avps_save(&i2c.base, blob, sizeof blob, &used), AVPS_OK);
    const struct avps_i2c_config config = good_config();

    blob[used - 1U] = 2;
    assert_int_equal(avps_i2c_init(&i2c, &config), AVPS_OK);
    test_driver_attach(&d, &i2c.base);
    assert_int_equal(avps_load(&i2c.base, blob, used), AVPS_E_PARAM);
    assert_int_equal(avps_device_status(&i2c.base), 0);
    off();
}

static void test_i2c_checks_its_configuration(void **state)
{
    static const struct avps_i2c_ops no_ops = {NULL, NULL};
    struct avps_i2c_config bad[12];

    (void)state;
    power_on(TEST_MEM_REGIONS);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        bad[i] = good_config();
    }
    bad[0].ops = NULL;
    bad[1].ops = &no_ops;
    bad[2].requests = NULL;
    bad[3].msgs = NULL;
    bad[4].message_count = 0;
    bad[5].message_count = AVPS_I2C_MESSAGES_MAX + 1U;
    bad[6].buffer = NULL;
    bad[7].buffer_size = 0;
    bad[8].base.queue_count = 2;
    bad[9].address_count = 1;
    avps_features_add(&bad[10].base.withhold, 0);
    bad[11].base.mem = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(avps_i2c_init(&i2c, &bad[i]), AVPS_E_PARAM);
    }
    bad[0] = good_config();
    assert_int_equal(avps_i2c_init(NULL, &bad[0]), AVPS_E_PARAM);
    assert_int_equal(avps_i2c_init(&i2c, NULL), AVPS_E_PARAM);
    assert_int_equal(avps_i2c_init(&i2c, &bad[0]), AVPS_OK);
    test_driver_attach(&d, &i2c.base);
    off();
}

#define BOTH(f) TEST_BOTH(f, NULL, NULL)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_i2c_is_an_adapter),
        BOTH(test_i2c_insists_on_zero_length_requests),
        BOTH(test_i2c_writes),
        BOTH(test_i2c_reads),
        BOTH(test_i2c_knows_messages_without_bytes),
        BOTH(test_i2c_knows_ten_bit_addresses),
        BOTH(test_i2c_makes_one_transfer_of_a_group),
        BOTH(test_i2c_keeps_the_order),
        BOTH(test_i2c_splits_a_group_that_is_too_long),
        BOTH(test_i2c_does_not_wait_for_the_end_of_a_group),
        BOTH(test_i2c_keeps_a_group_together_over_several_polls),
        BOTH(test_i2c_fails_the_rest_of_a_group),
        BOTH(test_i2c_fails_what_comes_later_of_a_failed_group),
        BOTH(test_i2c_reports_a_bus_that_fails),
        BOTH(test_i2c_gives_no_bytes_of_a_failed_read),
        BOTH(test_i2c_believes_no_bus_that_did_more_than_it_was_told),
        BOTH(test_i2c_keeps_guests_away_from_other_chips),
        BOTH(test_i2c_cuts_a_group_at_a_chip_that_is_not_allowed),
        BOTH(test_i2c_with_an_empty_list_reaches_no_chip),
        BOTH(test_i2c_refuses_flags_that_it_does_not_know),
        BOTH(test_i2c_refuses_addresses_that_are_none),
        BOTH(test_i2c_refuses_a_write_with_room_for_bytes),
        BOTH(test_i2c_refuses_a_read_with_bytes),
        BOTH(test_i2c_refuses_a_short_header),
        BOTH(test_i2c_refuses_no_header_at_all),
        BOTH(test_i2c_without_room_for_the_status_needs_a_reset),
        BOTH(test_i2c_faults_with_requests_collected),
        BOTH(test_i2c_refuses_more_bytes_than_the_buffer_has),
        BOTH(test_i2c_refuses_a_huge_read),
        BOTH(test_i2c_counts_the_bytes_of_a_whole_transfer),
        BOTH(test_i2c_takes_bytes_in_pieces),
        BOTH(test_i2c_takes_any_layout),
        BOTH(test_i2c_cannot_answer_into_read_only_memory),
        BOTH(test_i2c_works_on_every_kind_of_memory),
        BOTH(test_i2c_waits_for_memory_that_is_busy),
        BOTH(test_i2c_survives_memory_that_fails),
        BOTH(test_i2c_waits_for_the_bus),
        BOTH(test_i2c_may_be_answered_from_inside),
        BOTH(test_i2c_ignores_answers_that_nobody_waits_for),
        BOTH(test_i2c_reset_cancels_a_transfer),
        BOTH(test_i2c_reset_waits_for_a_bus_that_cannot_cancel),
        BOTH(test_i2c_reset_forgets_a_failed_group),
        BOTH(test_i2c_queue_reset_starts_anew),
        BOTH(test_i2c_quiesces_with_a_group_left_open),
        BOTH(test_i2c_state_carries_a_failed_group),
        BOTH(test_i2c_refuses_a_state_that_makes_no_sense),
        BOTH(test_i2c_checks_its_configuration),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
