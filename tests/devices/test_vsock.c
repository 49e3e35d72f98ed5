/* SPDX-License-Identifier: BSD-3-Clause */
/* The socket device: what it is -> connections of the guest -> connections of the host -> data and
 * credit -> ends -> buffers that run out -> packets that make no sense -> resets, events, state,
 * configuration. */
#include "support/driver.h"
#include "support/vsock_packet.h"

#include "avps/vsock.h"

#define CID     42U
#define PEER    9U /* port of the far side */
#define PORT    1000U
#define CONNS   4U
#define ROOM    64U /* of the back end, per connection */
#define HEADER  TEST_VSOCK_HEADER
#define BUFFER  100U /* of the guest: 56 bytes of payload */
#define PAYLOAD (BUFFER - HEADER)

enum { RX, TX, EVENT };
enum { OP_INVALID, REQUEST, RESPONSE, RST, SHUTDOWN, RW, UPDATE, ASK };

/* What the back end was told, and how it answers. */
struct backend {
    enum avps_status answer;
    uint32_t room;
    struct avps_vsock_conn *conn; /* the last one */
    uint32_t requests;
    uint32_t connects;
    uint32_t writables;
    uint32_t closes;
    uint32_t directions;
    uint32_t mark;
    uint32_t len; /* of all data */
    uint8_t data[256];
    bool close_inside; /* from within the next op */
    bool consume;
    uint32_t leave; /* bytes of a packet that are not read */
};

static struct test_driver d;
static struct avps_vsock vsock;
static struct avps_queue queues[3];
static struct avps_vsock_conn conns[CONNS];
static struct avps_vsock_conn *buckets[2];
static struct backend host;
static struct test_request rx[16]; /* buffers of the guest, in order */
static uint32_t rx_sent;
static uint32_t rx_seen;

static void maybe_close(struct avps_vsock_conn *conn)
{
    if (host.close_inside) {
        host.close_inside = false;
        avps_vsock_close(&vsock, conn);
    }
}

static enum avps_status on_request(void *ctx, struct avps_vsock_conn *conn, uint32_t *buf_alloc)
{
    assert_ptr_equal(ctx, &host);
    host.requests++;
    host.conn = conn;
    conn->user = &host;
    *buf_alloc = host.room;
    maybe_close(conn);
    return host.answer;
}

static void on_connected(void *ctx, struct avps_vsock_conn *conn)
{
    (void)ctx;
    host.connects++;
    maybe_close(conn);
}

static void on_receive(void *ctx, struct avps_vsock_conn *conn, uint32_t len, uint32_t mark)
{
    const uint32_t take = len - (host.leave < len ? host.leave : len);

    (void)ctx;
    host.mark = mark;
    assert_int_equal(avps_vsock_read(&vsock, host.data + host.len, len + 1U), AVPS_E_PARAM);
    for (uint32_t i = 0; i < take; i++) {
        if (avps_vsock_read(&vsock, host.data + host.len, 1) != AVPS_OK) {
            return; /* memory fails: the device resets the connection */
        }
        host.len++;
    }
    if (host.consume) {
        avps_vsock_consumed(&vsock, conn, len);
    }
    maybe_close(conn);
}

static void on_writable(void *ctx, struct avps_vsock_conn *conn)
{
    (void)ctx;
    host.writables++;
    maybe_close(conn);
}

static void on_shutdown(void *ctx, struct avps_vsock_conn *conn, uint32_t directions)
{
    (void)ctx;
    host.directions = directions;
    maybe_close(conn);
}

static void on_closed(void *ctx, struct avps_vsock_conn *conn)
{
    (void)ctx;
    assert_non_null(conn);
    host.closes++;
}

static const struct avps_vsock_ops ops = {on_request,  on_connected, on_receive,
                                          on_writable, on_shutdown,  on_closed};

static struct avps_vsock_config good_config(void)
{
    const struct avps_vsock_config config = {.base = test_driver_base(&d, queues, 3, 256),
                                             .ops = &ops,
                                             .ctx = &host,
                                             .guest_cid = CID,
                                             .conns = conns,
                                             .conn_count = CONNS,
                                             .buckets = buckets,
                                             .bucket_count = 2,
                                             .seqpacket = true};

    return config;
}

static void give_buffers(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct test_request *r = &rx[rx_sent % 16U];

        *r = (struct test_request){.in = {BUFFER}};
        (void)test_driver_send(&d, RX, r);
        rx_sent++;
    }
    test_driver_kick(&d, RX);
    (void)test_driver_poll(&d);
}

static void power_on(void)
{
    const struct avps_vsock_config config = good_config();

    host = (struct backend){.answer = AVPS_OK, .room = ROOM};
    rx_sent = 0;
    rx_seen = 0;
    assert_int_equal(avps_vsock_init(&vsock, &config), AVPS_OK);
    test_driver_attach(&d, &vsock.base);
    d.size = 64;
}

static void run_on(void **state, enum test_mem_kind kind, uint32_t buffers)
{
    test_driver_init(&d, kind);
    power_on();
    test_driver_want_all(&d, test_is_packed(state));
    test_driver_start(&d);
    (void)test_driver_poll(&d);
    give_buffers(buffers);
}

static void run(void **state)
{
    run_on(state, TEST_MEM_REGIONS, 8);
}

static void off(void)
{
    test_driver_free(&d);
}

/* ---- packets ---- */

static struct test_vsock_packet packet(uint16_t op)
{
    const struct test_vsock_packet p = {.src_cid = CID,
                                        .dst_cid = AVPS_VSOCK_HOST,
                                        .src_port = PORT,
                                        .dst_port = PEER,
                                        .type = 1,
                                        .op = op,
                                        .buf_alloc = 200};

    return p;
}

/* The guest sends it, and the device takes it in. */
static void send_raw(const struct test_vsock_packet *p, const void *payload, uint32_t len)
{
    struct test_used used = {0, 0};
    uint8_t hdr[HEADER];
    struct test_request r = {.out = {{hdr, HEADER}, {payload, len}}};

    test_vsock_encode(p, hdr);
    (void)test_driver_send(&d, TX, &r);
    test_driver_kick(&d, TX);
    (void)test_driver_poll(&d);
    assert_true(test_driver_reap(&d, TX, &used));
    assert_int_equal(used.id, r.id);
    assert_int_equal(used.len, 0);
}

static void send_op(uint16_t op)
{
    const struct test_vsock_packet p = packet(op);

    send_raw(&p, NULL, 0);
}

static void send_data(const void *bytes, uint32_t len)
{
    struct test_vsock_packet p = packet(RW);

    p.len = len;
    send_raw(&p, bytes, len);
}

/* The next packet that the guest gets. */
static struct test_vsock_packet next(uint8_t payload[PAYLOAD])
{
    struct test_request *r = &rx[rx_seen % 16U];
    struct test_used used = {0, 0};
    uint8_t hdr[HEADER];
    struct test_vsock_packet p;

    assert_true(test_driver_reap(&d, RX, &used));
    assert_int_equal(used.id, r->id);
    test_driver_in(&d, r, 0, hdr, HEADER);
    test_vsock_decode(hdr, &p);
    assert_int_equal(used.len, HEADER + p.len);
    if (payload != NULL) {
        test_driver_in(&d, r, HEADER, payload, p.len);
    }
    assert_int_equal(p.dst_cid, CID);
    rx_seen++;
    return p;
}

static void expect_nothing(void)
{
    struct test_used used = {0, 0};

    assert_false(test_driver_reap(&d, RX, &used));
}

static void expect_op(uint16_t op)
{
    const struct test_vsock_packet p = next(NULL);

    assert_int_equal(p.op, op);
    assert_int_equal(p.src_cid, AVPS_VSOCK_HOST);
    assert_int_equal(p.src_port, PEER);
    assert_int_equal(p.dst_port, PORT);
}

/* A connection of the guest is open. */
static struct avps_vsock_conn *open_guest(void)
{
    send_op(REQUEST);
    expect_op(RESPONSE);
    return host.conn;
}

static const struct avps_vsock_address address = {AVPS_VSOCK_HOST, PEER, PORT, AVPS_VSOCK_STREAM};

static void expect_live(void)
{
    assert_int_equal(test_driver_get(&d, TEST_STATUS), TEST_S_LIVE);
}

/* ---- what it is ---- */

/* [vsock-4.1] [AVPS VSK-1] */
static void test_vsock_is_a_socket_device(void **state)
{
    run(state);
    assert_int_equal(test_driver_get(&d, TEST_DEVICE_ID), 19);
    assert_int_equal(test_driver_config(&d, 0, 4), CID);
    assert_int_equal(test_driver_config(&d, 4, 4), 0);
    off();
}

/* [vsock-1.1] */
static void test_vsock_offers_its_features(void **state)
{
    (void)state;
    test_driver_init(&d, TEST_MEM_REGIONS);
    power_on();
    assert_true(test_driver_offers(&d, 0));
    assert_true(test_driver_offers(&d, 1));
    assert_true(test_driver_offers(&d, 2));
    off();
}

/* Whether a request of this type is accepted under these features. */
static bool accepts(void **state, uint32_t features, uint16_t type)
{
    struct test_vsock_packet p = packet(REQUEST);
    bool yes = false;

    test_driver_init(&d, TEST_MEM_REGIONS);
    power_on();
    if (test_is_packed(state)) {
        test_driver_want(&d, AVPS_F_RING_PACKED);
    }
    for (unsigned int bit = 0; bit < 3U; bit++) {
        if ((features >> bit & 1U) != 0U) {
            test_driver_want(&d, bit);
        }
    }
    test_driver_start(&d);
    (void)test_driver_poll(&d);
    give_buffers(2);
    p.type = type;
    send_raw(&p, NULL, 0);
    p = next(NULL);
    assert_int_equal(p.type, type);
    yes = p.op == RESPONSE;
    assert_true(yes || p.op == RST);
    off();
    return yes;
}

/* [vsock-1.2] [vsock-1.3] [vsock-4.2] */
static void test_vsock_knows_the_types_that_were_negotiated(void **state)
{
    assert_true(accepts(state, 0, 1));
    assert_true(accepts(state, 1, 1));
    assert_true(accepts(state, 2, 1));
    assert_false(accepts(state, 4, 1));
    assert_false(accepts(state, 6, 1));
    assert_true(accepts(state, 5, 1));
    assert_false(accepts(state, 0, 2));
    assert_false(accepts(state, 1, 2));
    assert_true(accepts(state, 2, 2));
    assert_true(accepts(state, 7, 2));
    assert_false(accepts(state, 7, 0));
    assert_false(accepts(state, 7, 3));
    assert_false(accepts(state, 7, 0xffff));
}

/* ---- connections of the guest ---- */

/* [vsock-3.2] */
static void test_vsock_accepts_a_connection_of_the_guest(void **state)
{
    struct test_vsock_packet p;

    run(state);
    send_op(REQUEST);
    assert_int_equal(host.requests, 1);
    assert_int_equal(host.conn->address.peer_cid, AVPS_VSOCK_HOST);
    assert_int_equal(host.conn->address.peer_port, PEER);
    assert_int_equal(host.conn->address.guest_port, PORT);
    p = next(NULL);
    assert_int_equal(p.op, RESPONSE);
    assert_int_equal(p.buf_alloc, ROOM);
    assert_int_equal(p.fwd_cnt, 0);
    assert_int_equal(avps_vsock_open_count(&vsock), 1);
    off();
}

static void test_vsock_refuses_what_the_back_end_refuses(void **state)
{
    run(state);
    host.answer = AVPS_E_IO;
    send_op(REQUEST);
    expect_op(RST);
    assert_int_equal(avps_vsock_open_count(&vsock), 0);
    assert_int_equal(host.closes, 0);
    assert_int_equal(avps_vsock_counters(&vsock)->refused, 1);
    host.answer = AVPS_OK;
    host.room = 0; /* no room is no answer either */
    send_op(REQUEST);
    expect_op(RST);
    assert_int_equal(avps_vsock_open_count(&vsock), 0);
    off();
}

static void test_vsock_accepts_later(void **state)
{
    run(state);
    host.answer = AVPS_PENDING;
    send_op(REQUEST);
    expect_nothing();
    assert_int_equal(avps_vsock_accept(&vsock, host.conn, 0), AVPS_E_PARAM);
    assert_int_equal(avps_vsock_accept(&vsock, host.conn, ROOM), AVPS_OK);
    expect_op(RESPONSE);
    assert_int_equal(avps_vsock_accept(&vsock, host.conn, ROOM), AVPS_E_STATE);
    off();
}

static void test_vsock_refuses_later(void **state)
{
    run(state);
    host.answer = AVPS_PENDING;
    send_op(REQUEST);
    avps_vsock_close(&vsock, host.conn);
    expect_op(RST);
    assert_int_equal(avps_vsock_open_count(&vsock), 0);
    assert_int_equal(host.closes, 0);
    off();
}

static void test_vsock_refuses_from_inside(void **state)
{
    run(state);
    host.close_inside = true;
    send_op(REQUEST);
    expect_op(RST);
    expect_nothing();
    assert_int_equal(avps_vsock_open_count(&vsock), 0);
    off();
}

/* Any number of requests takes no more than the table. */
static void test_vsock_refuses_more_connections_than_it_has_room_for(void **state)
{
    run_on(state, TEST_MEM_REGIONS, 16);
    for (uint32_t i = 0; i < CONNS + 2U; i++) {
        struct test_vsock_packet p = packet(REQUEST);

        p.src_port = PORT + i;
        send_raw(&p, NULL, 0);
        p = next(NULL);
        assert_int_equal(p.op, i < CONNS ? RESPONSE : RST);
        assert_int_equal(p.dst_port, PORT + i);
    }
    assert_int_equal(avps_vsock_open_count(&vsock), CONNS);
    avps_vsock_close(&vsock, host.conn);
    assert_int_equal(next(NULL).op, RST);
    send_op(REQUEST); /* the first port is still open */
    assert_int_equal(next(NULL).op, RST);
    off();
}

static void test_vsock_resets_a_second_request(void **state)
{
    run(state);
    (void)open_guest();
    send_op(REQUEST);
    expect_op(RST);
    assert_int_equal(host.closes, 1);
    assert_int_equal(avps_vsock_counters(&vsock)->broken, 1);
    (void)open_guest(); /* and all is well again */
    off();
}

/* ---- connections of the host ---- */

static void test_vsock_connects_to_the_guest(void **state)
{
    struct avps_vsock_conn *conn = NULL;
    struct test_vsock_packet p;

    run(state);
    assert_int_equal(avps_vsock_connect(&vsock, &address, ROOM, &conn), AVPS_OK);
    p = next(NULL);
    assert_int_equal(p.op, REQUEST);
    assert_int_equal(p.buf_alloc, ROOM);
    assert_int_equal(avps_vsock_connect(&vsock, &address, ROOM, &conn), AVPS_E_STATE);
    send_op(RESPONSE);
    assert_int_equal(host.connects, 1);
    send_data("hello", 5);
    assert_memory_equal(host.data, "hello", 5);
    off();
}

static void test_vsock_hears_that_the_guest_refuses(void **state)
{
    struct avps_vsock_conn *conn = NULL;

    run(state);
    assert_int_equal(avps_vsock_connect(&vsock, &address, ROOM, &conn), AVPS_OK);
    expect_op(REQUEST);
    send_op(RST);
    assert_int_equal(host.closes, 1);
    assert_int_equal(avps_vsock_open_count(&vsock), 0);
    expect_nothing();
    off();
}

static void test_vsock_connects_to_nothing_that_cannot_be(void **state)
{
    struct avps_vsock_address bad = address;
    struct avps_vsock_conn *conn = NULL;

    run(state);
    assert_int_equal(avps_vsock_connect(&vsock, &address, 0, &conn), AVPS_E_PARAM);
    bad.peer_cid = CID;
    assert_int_equal(avps_vsock_connect(&vsock, &bad, ROOM, &conn), AVPS_E_PARAM);
    bad.peer_cid = UINT64_C(1) << 32;
    assert_int_equal(avps_vsock_connect(&vsock, &bad, ROOM, &conn), AVPS_E_PARAM);
    bad = address;
    bad.type = (enum avps_vsock_type)3;
    assert_int_equal(avps_vsock_connect(&vsock, &bad, ROOM, &conn), AVPS_E_PARAM);
    for (uint32_t i = 0; i < CONNS; i++) {
        bad = address;
        bad.guest_port = i;
        assert_int_equal(avps_vsock_connect(&vsock, &bad, ROOM, &conn), AVPS_OK);
    }
    assert_int_equal(avps_vsock_connect(&vsock, &address, ROOM, &conn), AVPS_E_NOSPACE);
    test_driver_reset(&d);
    assert_int_equal(avps_vsock_connect(&vsock, &address, ROOM, &conn), AVPS_E_STATE);
    off();
}

static void test_vsock_connects_to_the_types_that_the_guest_knows(void **state)
{
    struct avps_vsock_address packets = address;
    struct avps_vsock_conn *conn = NULL;

    (void)state;
    test_driver_init(&d, TEST_MEM_REGIONS);
    power_on();
    test_driver_start(&d);
    packets.type = AVPS_VSOCK_SEQPACKET;
    assert_int_equal(avps_vsock_connect(&vsock, &packets, ROOM, &conn), AVPS_E_UNSUPPORTED);
    off();
}

/* ---- data and credit ---- */

static void test_vsock_carries_bytes_both_ways(void **state)
{
    uint8_t payload[PAYLOAD];
    struct avps_vsock_conn *conn = NULL;
    uint32_t sent = 0;
    struct test_vsock_packet p;

    for (int kind = 0; kind < (int)TEST_MEM_KINDS; kind++) {
        run_on(state, (enum test_mem_kind)kind, 8);
        conn = open_guest();
        send_data("question", 8);
        assert_int_equal(host.len, 8);
        assert_memory_equal(host.data, "question", 8);
        assert_int_equal(avps_vsock_send(&vsock, conn, "answer", 6, 0, &sent), AVPS_OK);
        assert_int_equal(sent, 6);
        p = next(payload);
        assert_int_equal(p.op, RW);
        assert_int_equal(p.len, 6);
        assert_int_equal(p.buf_alloc, ROOM);
        assert_memory_equal(payload, "answer", 6);
        assert_int_equal(avps_vsock_counters(&vsock)->from_guest, 8);
        assert_int_equal(avps_vsock_counters(&vsock)->to_guest, 6);
        off();
    }
}

/* [vsock-3.1] */
static void test_vsock_sends_no_more_than_the_guest_has_room_for(void **state)
{
    static const uint8_t bytes[300];
    struct avps_vsock_conn *conn = NULL;
    struct test_vsock_packet p = packet(UPDATE);
    uint32_t sent = 0;

    run_on(state, TEST_MEM_REGIONS, 16);
    conn = open_guest(); /* 200 bytes */
    assert_int_equal(avps_vsock_send(&vsock, conn, bytes, 300, 0, &sent), AVPS_OK);
    assert_int_equal(sent, 200);
    assert_int_equal(next(NULL).len, PAYLOAD);
    assert_int_equal(next(NULL).len, PAYLOAD);
    assert_int_equal(next(NULL).len, PAYLOAD);
    assert_int_equal(next(NULL).len, 200U - 3U * PAYLOAD);
    expect_op(ASK);
    assert_int_equal(avps_vsock_send(&vsock, conn, bytes, 1, 0, &sent), AVPS_AGAIN);
    expect_op(ASK);
    p.fwd_cnt = 10;
    send_raw(&p, NULL, 0);
    assert_int_equal(host.writables, 1);
    assert_int_equal(avps_vsock_send(&vsock, conn, bytes, 300, 0, &sent), AVPS_OK);
    assert_int_equal(sent, 10);
    off();
}

/* Counters run over 2^32; a guest that lies gets nothing. */
static void test_vsock_counts_credit_modulo_and_believes_no_nonsense(void **state)
{
    struct avps_vsock_conn *conn = NULL;
    struct test_vsock_packet p = packet(UPDATE);
    uint32_t sent = 0;

    run(state);
    conn = open_guest();
    conn->tx_cnt = 0xfffffffcU;
    p.fwd_cnt = 0xfffffffcU;
    send_raw(&p, NULL, 0);
    assert_int_equal(avps_vsock_send(&vsock, conn, "12345678", 8, 0, &sent), AVPS_OK);
    assert_int_equal(conn->tx_cnt, 4);
    (void)next(NULL);
    p.fwd_cnt = 5; /* more than was sent */
    send_raw(&p, NULL, 0);
    assert_int_equal(avps_vsock_send(&vsock, conn, "1", 1, 0, &sent), AVPS_AGAIN);
    p.fwd_cnt = 4;
    p.buf_alloc = 0;
    send_raw(&p, NULL, 0);
    assert_int_equal(host.writables, 0);
    p.buf_alloc = 1;
    send_raw(&p, NULL, 0);
    assert_int_equal(host.writables, 1);
    off();
}

static void test_vsock_resets_a_guest_that_sends_beyond_its_credit(void **state)
{
    static const uint8_t bytes[ROOM + 1U];

    run(state);
    (void)open_guest();
    send_data(bytes, ROOM);
    assert_int_equal(host.len, ROOM);
    send_data(bytes, 1);
    expect_op(RST);
    assert_int_equal(host.len, ROOM);
    assert_int_equal(host.closes, 1);
    assert_int_equal(avps_vsock_counters(&vsock)->broken, 1);
    expect_live();
    off();
}

static void test_vsock_gives_credit_back(void **state)
{
    static const uint8_t bytes[ROOM];
    struct avps_vsock_conn *conn = NULL;
    struct test_vsock_packet p;

    run(state);
    conn = open_guest();
    send_data(bytes, ROOM);
    avps_vsock_consumed(&vsock, conn, ROOM / 4U - 1U);
    expect_nothing(); /* too little to tell */
    avps_vsock_consumed(&vsock, conn, 1);
    p = next(NULL);
    assert_int_equal(p.op, UPDATE);
    assert_int_equal(p.fwd_cnt, ROOM / 4U);
    send_data(bytes, ROOM / 4U);
    avps_vsock_consumed(&vsock, conn, 10U * ROOM); /* more than there is counts as all */
    p = next(NULL);
    assert_int_equal(p.fwd_cnt, ROOM + ROOM / 4U);
    expect_live();
    off();
}

static void test_vsock_tells_its_credit_when_asked(void **state)
{
    struct test_vsock_packet p;

    run(state);
    (void)open_guest();
    send_data("abc", 3);
    send_op(ASK);
    p = next(NULL);
    assert_int_equal(p.op, UPDATE);
    assert_int_equal(p.buf_alloc, ROOM);
    assert_int_equal(p.fwd_cnt, 0);
    off();
}

static void test_vsock_keeps_messages_apart(void **state)
{
    static const uint8_t bytes[PAYLOAD + 4U];
    struct test_vsock_packet p = packet(REQUEST);
    uint32_t sent = 0;

    run(state);
    p.type = 2;
    send_raw(&p, NULL, 0);
    assert_int_equal(next(NULL).op, RESPONSE);
    p.op = RW;
    p.len = 3;
    p.flags = 1;
    send_raw(&p, "abc", 3);
    assert_int_equal(host.mark, AVPS_VSOCK_MESSAGE);
    p.flags = 0xfffffff3U;
    send_raw(&p, "abc", 3);
    assert_int_equal(host.mark, AVPS_VSOCK_MESSAGE | AVPS_VSOCK_RECORD);
    assert_int_equal(avps_vsock_send(&vsock, host.conn, bytes, PAYLOAD + 4U, 3, &sent), AVPS_OK);
    p = next(NULL);
    assert_int_equal(p.flags, 0);
    assert_int_equal(p.type, 2);
    p = next(NULL);
    assert_int_equal(p.len, 4);
    assert_int_equal(p.flags, 3);
    assert_int_equal(avps_vsock_send(&vsock, host.conn, bytes, 1, 4, &sent), AVPS_E_PARAM);
    off();
}

static void test_vsock_streams_have_no_marks(void **state)
{
    struct test_vsock_packet p = packet(RW);
    uint32_t sent = 0;

    run(state);
    (void)open_guest();
    host.mark = 99;
    p.len = 1;
    p.flags = 3;
    send_raw(&p, "x", 1);
    assert_int_equal(host.mark, 0);
    assert_int_equal(avps_vsock_send(&vsock, host.conn, "x", 1, 1, &sent), AVPS_E_PARAM);
    assert_int_equal(avps_vsock_send(&vsock, host.conn, "x", 0, 0, &sent), AVPS_E_PARAM);
    assert_int_equal(avps_vsock_send(&vsock, host.conn, NULL, 1, 0, &sent), AVPS_E_PARAM);
    off();
}

static void test_vsock_resets_a_back_end_that_leaves_bytes(void **state)
{
    run(state);
    (void)open_guest();
    host.leave = 1;
    send_data("abc", 3);
    expect_op(RST);
    assert_int_equal(host.closes, 1);
    assert_int_equal(avps_vsock_counters(&vsock)->unread, 1);
    assert_int_equal(avps_vsock_read(&vsock, host.data, 1), AVPS_E_STATE);
    off();
}

/* ---- ends ---- */

static void test_vsock_passes_shutdowns_on(void **state)
{
    struct avps_vsock_conn *conn = NULL;
    struct test_vsock_packet p = packet(SHUTDOWN);
    uint32_t sent = 0;

    run(state);
    conn = open_guest();
    p.flags = 1; /* the guest will receive no more */
    send_raw(&p, NULL, 0);
    assert_int_equal(host.directions, AVPS_VSOCK_NO_RECEIVE);
    assert_int_equal(avps_vsock_send(&vsock, conn, "x", 1, 0, &sent), AVPS_E_STATE);
    send_data("still", 5);
    assert_int_equal(host.len, 5);
    p.flags = 2; /* the first is not taken back */
    send_raw(&p, NULL, 0);
    assert_int_equal(host.directions, AVPS_VSOCK_NO_RECEIVE | AVPS_VSOCK_NO_SEND);
    avps_vsock_close(&vsock, conn);
    expect_op(RST);
    assert_int_equal(avps_vsock_open_count(&vsock), 0);
    assert_int_equal(host.closes, 0);
    off();
}

static void test_vsock_tells_shutdowns(void **state)
{
    struct avps_vsock_conn *conn = NULL;
    struct test_vsock_packet p;
    uint32_t sent = 0;

    run(state);
    conn = open_guest();
    avps_vsock_shutdown(&vsock, conn, AVPS_VSOCK_NO_SEND);
    p = next(NULL);
    assert_int_equal(p.op, SHUTDOWN);
    assert_int_equal(p.flags, 2);
    assert_int_equal(avps_vsock_send(&vsock, conn, "x", 1, 0, &sent), AVPS_E_STATE);
    avps_vsock_shutdown(&vsock, conn, AVPS_VSOCK_NO_SEND); /* nothing new */
    expect_nothing();
    avps_vsock_shutdown(&vsock, conn, AVPS_VSOCK_NO_RECEIVE);
    assert_int_equal(next(NULL).flags, 3);
    send_data("x", 1); /* it was told */
    expect_op(RST);
    assert_int_equal(host.len, 0);
    off();
}

static void test_vsock_resets_data_after_a_shutdown(void **state)
{
    struct test_vsock_packet p = packet(SHUTDOWN);

    run(state);
    (void)open_guest();
    p.flags = 2;
    send_raw(&p, NULL, 0);
    send_data("x", 1);
    expect_op(RST);
    assert_int_equal(host.len, 0);
    assert_int_equal(host.closes, 1);
    off();
}

static void test_vsock_hears_that_the_guest_is_gone(void **state)
{
    run(state);
    (void)open_guest();
    send_op(RST);
    assert_int_equal(host.closes, 1);
    expect_nothing(); /* a reset is not answered */
    assert_int_equal(avps_vsock_open_count(&vsock), 0);
    send_op(RST);
    expect_nothing();
    assert_int_equal(host.closes, 1);
    off();
}

static void test_vsock_may_be_closed_from_inside_every_op(void **state)
{
    static const uint16_t last[] = {RW, SHUTDOWN, UPDATE};

    for (size_t i = 0; i < 3U; i++) {
        struct test_vsock_packet p = packet(last[i]);
        struct avps_vsock_conn *conn = NULL;
        static const uint8_t bytes[200];
        uint32_t sent = 0;

        run_on(state, TEST_MEM_REGIONS, 12);
        conn = open_guest();
        if (last[i] == UPDATE) { /* a send waits */
            assert_int_equal(avps_vsock_send(&vsock, conn, bytes, 200, 0, &sent), AVPS_OK);
            assert_int_equal(avps_vsock_send(&vsock, conn, bytes, 1, 0, &sent), AVPS_AGAIN);
            for (uint32_t k = 0; k < 5U; k++) {
                (void)next(NULL);
            }
            p.fwd_cnt = 200;
        }
        host.close_inside = true;
        p.len = last[i] == RW ? 1U : 0U;
        send_raw(&p, "x", p.len);
        assert_false(host.close_inside);
        expect_op(RST);
        expect_nothing();
        assert_int_equal(avps_vsock_open_count(&vsock), 0);
        off();
    }
}

/* ---- buffers that run out ---- */

/* [vsock-2.1] */
static void test_vsock_takes_packets_while_the_guest_gives_no_buffers(void **state)
{
    run_on(state, TEST_MEM_REGIONS, 1);
    (void)open_guest(); /* that was the buffer */
    for (uint32_t i = 0; i < 20U; i++) {
        send_op(ASK);
    }
    send_data("abc", 3);
    assert_int_equal(host.len, 3);
    give_buffers(4);
    expect_op(UPDATE); /* one answer says it all */
    expect_nothing();
    off();
}

/* Without a connection each packet needs an answer of its own: then the ring waits. */
static void test_vsock_stops_when_it_has_no_room_for_an_answer(void **state)
{
    uint8_t hdr[HEADER];
    const struct test_vsock_packet p = packet(RW);
    struct test_request r[AVPS_VSOCK_REPLIES + 1U];
    struct test_used used = {0, 0};

    run_on(state, TEST_MEM_REGIONS, 0);
    test_vsock_encode(&p, hdr);
    for (uint32_t i = 0; i <= AVPS_VSOCK_REPLIES; i++) {
        r[i] = (struct test_request){.out = {{hdr, HEADER}}};
        (void)test_driver_send(&d, TX, &r[i]);
    }
    test_driver_kick(&d, TX);
    (void)test_driver_poll(&d);
    for (uint32_t i = 0; i < AVPS_VSOCK_REPLIES; i++) {
        assert_true(test_driver_reap(&d, TX, &used));
    }
    assert_false(test_driver_reap(&d, TX, &used));
    give_buffers(1);
    assert_int_equal(next(NULL).op, RST);
    assert_true(test_driver_reap(&d, TX, &used));
    give_buffers(16);
    for (uint32_t i = 0; i < 16U; i++) {
        assert_int_equal(next(NULL).op, RST);
    }
    off();
}

static void test_vsock_sends_on_when_buffers_come(void **state)
{
    static const uint8_t bytes[150];
    struct avps_vsock_conn *conn = NULL;
    uint32_t sent = 0;

    run_on(state, TEST_MEM_REGIONS, 2);
    conn = open_guest();
    assert_int_equal(avps_vsock_send(&vsock, conn, bytes, 150, 0, &sent), AVPS_OK);
    assert_int_equal(sent, PAYLOAD);
    assert_int_equal(avps_vsock_send(&vsock, conn, bytes, 150, 0, &sent), AVPS_AGAIN);
    assert_int_equal(sent, 0);
    assert_int_equal(host.writables, 0);
    give_buffers(1);
    assert_int_equal(host.writables, 1);
    give_buffers(1);
    assert_int_equal(host.writables, 1); /* nobody waits */
    off();
}

static void test_vsock_sends_a_response_before_data(void **state)
{
    struct avps_vsock_conn *conn = NULL;
    uint32_t sent = 0;

    run_on(state, TEST_MEM_REGIONS, 0);
    send_op(REQUEST);
    conn = host.conn;
    assert_int_equal(avps_vsock_send(&vsock, conn, "x", 1, 0, &sent), AVPS_AGAIN);
    give_buffers(1);
    expect_op(RESPONSE);
    assert_int_equal(host.writables, 1);
    off();
}

/* A slot is free only when the guest was told: it could reuse the ports and be told then. */
static void test_vsock_keeps_a_closed_connection_until_the_guest_was_told(void **state)
{
    run_on(state, TEST_MEM_REGIONS, 1);
    avps_vsock_close(&vsock, open_guest());
    assert_int_equal(avps_vsock_open_count(&vsock), 1);
    send_op(RW);
    send_op(REQUEST); /* of the new one */
    assert_int_equal(host.requests, 1);
    give_buffers(3);
    expect_op(RST);
    expect_nothing();
    assert_int_equal(avps_vsock_open_count(&vsock), 0);
    off();
}

static void test_vsock_needs_buffers_for_a_header(void **state)
{
    struct test_request r = {.in = {HEADER - 1U}};

    run_on(state, TEST_MEM_REGIONS, 0);
    (void)test_driver_send(&d, RX, &r);
    test_driver_kick(&d, RX);
    send_op(RW);
    test_driver_assert_faulted(&d);
    off();
}

static void test_vsock_needs_buffers_for_a_byte(void **state)
{
    struct test_request r = {.in = {HEADER}};
    uint32_t sent = 0;

    run_on(state, TEST_MEM_REGIONS, 1);
    (void)open_guest();
    (void)test_driver_send(&d, RX, &r);
    test_driver_kick(&d, RX);
    (void)test_driver_poll(&d);
    assert_int_equal(avps_vsock_send(&vsock, host.conn, "x", 1, 0, &sent), AVPS_E_IO);
    test_driver_assert_faulted(&d);
    off();
}

/* ---- packets that make no sense ---- */

static void expect_dropped(const struct test_vsock_packet *p, uint32_t len)
{
    static const uint8_t bytes[64];

    send_raw(p, bytes, len);
    expect_nothing();
    assert_int_equal(avps_vsock_counters(&vsock)->malformed, 1);
    assert_int_equal(host.requests, 0);
    expect_live();
}

static void test_vsock_drops_packets_with_a_wrong_source(void **state)
{
    static const uint64_t cids[] = {0, 1, 2, CID + 1U, UINT64_C(0x10000002a), UINT64_MAX};

    for (size_t i = 0; i < sizeof cids / sizeof cids[0]; i++) {
        struct test_vsock_packet p = packet(REQUEST);

        run(state);
        p.src_cid = cids[i];
        expect_dropped(&p, 0);
        off();
    }
}

static void test_vsock_drops_packets_to_no_context(void **state)
{
    struct test_vsock_packet p = packet(REQUEST);

    run(state);
    p.dst_cid = UINT64_C(0x100000002);
    expect_dropped(&p, 0);
    off();
}

static void test_vsock_drops_short_packets(void **state)
{
    for (uint32_t len = 1; len < HEADER; len += 6U) {
        static const uint8_t bytes[HEADER];
        struct test_request r = {.out = {{bytes, len}}};

        run(state);
        assert_int_equal(test_driver_do(&d, TX, &r), 0);
        assert_int_equal(avps_vsock_counters(&vsock)->malformed, 1);
        expect_nothing();
        expect_live();
        off();
    }
}

static void test_vsock_drops_packets_without_anything_to_read(void **state)
{
    struct test_request r = {.in = {8}};

    run(state);
    assert_int_equal(test_driver_do(&d, TX, &r), 0);
    assert_int_equal(avps_vsock_counters(&vsock)->malformed, 1);
    expect_live();
    off();
}

/* A stream that lost bytes is no stream. */
static void test_vsock_resets_a_connection_that_claims_more_bytes_than_it_sends(void **state)
{
    struct test_vsock_packet p = packet(RW);

    run(state);
    (void)open_guest();
    p.len = 4;
    send_raw(&p, "abc", 3);
    expect_op(RST);
    assert_int_equal(host.len, 0);
    assert_int_equal(host.closes, 1);
    assert_int_equal(avps_vsock_counters(&vsock)->malformed, 1);
    off();
}

static void test_vsock_ignores_bytes_behind_the_payload(void **state)
{
    struct test_vsock_packet p = packet(RW);

    run(state);
    (void)open_guest();
    p.len = 3;
    send_raw(&p, "abcdef", 6);
    assert_int_equal(host.len, 3);
    off();
}

static void test_vsock_answers_operations_that_belong_to_nothing(void **state)
{
    static const uint16_t every[] = {OP_INVALID, RESPONSE, SHUTDOWN, RW, UPDATE, ASK, 8, 0xffff};

    for (size_t i = 0; i < sizeof every / sizeof every[0]; i++) {
        run(state);
        send_op(every[i]);
        expect_op(RST);
        expect_nothing();
        off();
    }
}

static void test_vsock_resets_operations_that_there_are_none_of(void **state)
{
    static const uint16_t bad[] = {OP_INVALID, RESPONSE, 8, 0xffff};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        run(state);
        (void)open_guest();
        send_op(bad[i]);
        expect_op(RST);
        assert_int_equal(host.closes, 1);
        assert_int_equal(avps_vsock_counters(&vsock)->broken, 1);
        off();
    }
}

static void test_vsock_resets_data_of_a_connection_that_is_not_open(void **state)
{
    struct avps_vsock_conn *conn = NULL;

    run(state);
    assert_int_equal(avps_vsock_connect(&vsock, &address, ROOM, &conn), AVPS_OK);
    expect_op(REQUEST);
    send_data("x", 1);
    expect_op(RST);
    assert_int_equal(host.len, 0);
    host.answer = AVPS_PENDING;
    send_op(REQUEST);
    send_op(SHUTDOWN);
    expect_op(RST);
    assert_int_equal(host.closes, 2);
    off();
}

/* Neither port, type nor context id of another's connection. */
static void test_vsock_tells_connections_apart(void **state)
{
    struct test_vsock_packet p = packet(RW);

    run_on(state, TEST_MEM_REGIONS, 16);
    (void)open_guest();
    p.len = 1;
    p.src_port = PORT + 1U;
    send_raw(&p, "x", 1);
    assert_int_equal(next(NULL).op, RST);
    p.src_port = PORT;
    p.dst_port = PEER + 1U;
    send_raw(&p, "x", 1);
    assert_int_equal(next(NULL).op, RST);
    p.dst_port = PEER;
    p.dst_cid = 3;
    send_raw(&p, "x", 1);
    assert_int_equal(next(NULL).src_cid, 3);
    p.dst_cid = AVPS_VSOCK_HOST;
    p.type = 2;
    send_raw(&p, "x", 1);
    assert_int_equal(next(NULL).type, 2);
    assert_int_equal(host.len, 0);
    p.type = 1;
    send_raw(&p, "x", 1);
    assert_int_equal(host.len, 1);
    off();
}

static void test_vsock_takes_a_packet_without_bytes(void **state)
{
    run(state);
    (void)open_guest();
    send_data(NULL, 0);
    assert_int_equal(host.len, 0);
    expect_nothing();
    off();
}

/* Every call of the memory ops is refused once: no byte is lost, doubled or made up, or the connection
 * is reset, or the device says that it needs one. */
static void sweep_memory(void **state, enum avps_status refusal)
{
    for (unsigned int n = 1; n < 60U; n++) {
        uint8_t hdr[HEADER];
        struct test_vsock_packet p = packet(RW);
        struct test_request r = {.out = {{hdr, HEADER}, {"abc", 3}}};

        run_on(state, TEST_MEM_COPY, 8);
        (void)open_guest();
        p.len = 3;
        test_vsock_encode(&p, hdr);
        (void)test_driver_send(&d, TX, &r);
        test_driver_kick(&d, TX);
        test_fail_at(&d.mem.fail, n, refusal);
        for (uint32_t polls = 0; polls < 8U; polls++) {
            (void)avps_poll(&vsock.base, 64);
        }
        test_fail_at(&d.mem.fail, 0, AVPS_OK);
        assert_true(host.len <= 3U);
        assert_memory_equal(host.data, "abc", host.len);
        if (test_driver_get(&d, TEST_STATUS) == TEST_S_LIVE && host.closes == 0U) {
            assert_int_equal(host.len, 3);
        }
        off();
    }
}

static void test_vsock_waits_for_memory_that_is_busy(void **state)
{
    sweep_memory(state, AVPS_AGAIN);
}

static void test_vsock_survives_memory_that_fails(void **state)
{
    sweep_memory(state, AVPS_E_IO);
}

/* ---- resets, events, state, configuration ---- */

static void test_vsock_reset_closes_everything(void **state)
{
    run(state);
    (void)open_guest();
    test_driver_reset(&d);
    assert_int_equal(host.closes, 1);
    assert_int_equal(avps_vsock_open_count(&vsock), 0);
    rx_sent = 0;
    rx_seen = 0;
    test_driver_start(&d);
    (void)test_driver_poll(&d);
    give_buffers(2);
    expect_nothing();
    (void)open_guest();
    off();
}

static void test_vsock_tells_of_a_transport_reset(void **state)
{
    struct test_request r = {.in = {4}};
    struct test_used used = {0, 0};
    uint32_t id = 99;

    run(state);
    (void)open_guest();
    assert_int_equal(avps_vsock_transport_reset(&vsock, 2), AVPS_E_PARAM);
    assert_int_equal(avps_vsock_transport_reset(&vsock, 77), AVPS_OK);
    assert_int_equal(host.closes, 1);
    assert_int_equal(test_driver_config(&d, 0, 4), 77);
    (void)test_driver_send(&d, EVENT, &r);
    test_driver_kick(&d, EVENT);
    (void)test_driver_poll(&d);
    assert_true(test_driver_reap(&d, EVENT, &used));
    assert_int_equal(used.len, 4);
    test_driver_in(&d, &r, 0, &id, 4);
    assert_int_equal(id, 0);
    (void)test_driver_send(&d, EVENT, &r); /* once */
    test_driver_kick(&d, EVENT);
    (void)test_driver_poll(&d);
    assert_false(test_driver_reap(&d, EVENT, &used));
    off();
}

static void test_vsock_tells_a_guest_that_was_moved(void **state)
{
    static uint8_t blob[2048];
    struct test_request r = {.in = {4}};
    struct test_used used = {0, 0};
    size_t size = 0;

    run(state);
    (void)open_guest();
    (void)test_driver_send(&d, EVENT, &r);
    (void)test_driver_ack(&d);
    assert_int_equal(avps_quiesce(&vsock.base), AVPS_OK);
    assert_int_equal(avps_mmio_save(&d.mmio, blob, sizeof blob, &size), AVPS_OK);
    const struct avps_vsock_config config = good_config();

    assert_int_equal(avps_vsock_init(&vsock, &config), AVPS_OK);
    test_driver_attach(&d, &vsock.base);
    assert_int_equal(avps_mmio_load(&d.mmio, blob, size), AVPS_OK);
    (void)test_driver_poll(&d);
    assert_true(test_driver_reap(&d, EVENT, &used));
    assert_int_equal(used.len, 4);
    send_data("x", 1); /* the connection is not known here */
    expect_op(RST);
    off();
}

static void test_vsock_checks_its_configuration(void **state)
{
    static struct avps_vsock_ops partial[6];
    struct avps_vsock_config bad[19];

    (void)state;
    test_driver_init(&d, TEST_MEM_REGIONS);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        bad[i] = good_config();
    }
    for (size_t i = 0; i < 6U; i++) {
        partial[i] = ops;
        bad[i].ops = &partial[i];
    }
    partial[0].request = NULL;
    partial[1].connected = NULL;
    partial[2].receive = NULL;
    partial[3].writable = NULL;
    partial[4].shutdown = NULL;
    partial[5].closed = NULL;
    bad[6].ops = NULL;
    bad[7].base.queue_count = 2;
    bad[8].guest_cid = 0;
    bad[9].guest_cid = 1;
    bad[10].guest_cid = 2;
    bad[11].guest_cid = 0xffffffffU;
    bad[12].guest_cid = UINT64_MAX;
    bad[13].conns = NULL;
    bad[14].conn_count = 0;
    bad[15].buckets = NULL;
    bad[16].bucket_count = 0;
    bad[17].bucket_count = 3;
    bad[18].conn_count = 65537;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(avps_vsock_init(&vsock, &bad[i]), AVPS_E_PARAM);
    }
    assert_int_equal(avps_vsock_init(NULL, &bad[0]), AVPS_E_PARAM);
    assert_int_equal(avps_vsock_init(&vsock, NULL), AVPS_E_PARAM);
    power_on();
    off();
}

#define BOTH(f) TEST_BOTH(f, NULL, NULL)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_vsock_is_a_socket_device),
        BOTH(test_vsock_offers_its_features),
        BOTH(test_vsock_knows_the_types_that_were_negotiated),
        BOTH(test_vsock_accepts_a_connection_of_the_guest),
        BOTH(test_vsock_refuses_what_the_back_end_refuses),
        BOTH(test_vsock_accepts_later),
        BOTH(test_vsock_refuses_later),
        BOTH(test_vsock_refuses_from_inside),
        BOTH(test_vsock_refuses_more_connections_than_it_has_room_for),
        BOTH(test_vsock_resets_a_second_request),
        BOTH(test_vsock_connects_to_the_guest),
        BOTH(test_vsock_hears_that_the_guest_refuses),
        BOTH(test_vsock_connects_to_nothing_that_cannot_be),
        BOTH(test_vsock_connects_to_the_types_that_the_guest_knows),
        BOTH(test_vsock_carries_bytes_both_ways),
        BOTH(test_vsock_sends_no_more_than_the_guest_has_room_for),
        BOTH(test_vsock_counts_credit_modulo_and_believes_no_nonsense),
        BOTH(test_vsock_resets_a_guest_that_sends_beyond_its_credit),
        BOTH(test_vsock_gives_credit_back),
        BOTH(test_vsock_tells_its_credit_when_asked),
        BOTH(test_vsock_keeps_messages_apart),
        BOTH(test_vsock_streams_have_no_marks),
        BOTH(test_vsock_resets_a_back_end_that_leaves_bytes),
        BOTH(test_vsock_passes_shutdowns_on),
        BOTH(test_vsock_tells_shutdowns),
        BOTH(test_vsock_resets_data_after_a_shutdown),
        BOTH(test_vsock_hears_that_the_guest_is_gone),
        BOTH(test_vsock_may_be_closed_from_inside_every_op),
        BOTH(test_vsock_takes_packets_while_the_guest_gives_no_buffers),
        BOTH(test_vsock_stops_when_it_has_no_room_for_an_answer),
        BOTH(test_vsock_sends_on_when_buffers_come),
        BOTH(test_vsock_sends_a_response_before_data),
        BOTH(test_vsock_keeps_a_closed_connection_until_the_guest_was_told),
        BOTH(test_vsock_needs_buffers_for_a_header),
        BOTH(test_vsock_needs_buffers_for_a_byte),
        BOTH(test_vsock_drops_packets_with_a_wrong_source),
        BOTH(test_vsock_drops_packets_to_no_context),
        BOTH(test_vsock_drops_short_packets),
        BOTH(test_vsock_drops_packets_without_anything_to_read),
        BOTH(test_vsock_resets_a_connection_that_claims_more_bytes_than_it_sends),
        BOTH(test_vsock_ignores_bytes_behind_the_payload),
        BOTH(test_vsock_answers_operations_that_belong_to_nothing),
        BOTH(test_vsock_resets_operations_that_there_are_none_of),
        BOTH(test_vsock_resets_data_of_a_connection_that_is_not_open),
        BOTH(test_vsock_tells_connections_apart),
        BOTH(test_vsock_takes_a_packet_without_bytes),
        BOTH(test_vsock_waits_for_memory_that_is_busy),
        BOTH(test_vsock_survives_memory_that_fails),
        BOTH(test_vsock_reset_closes_everything),
        BOTH(test_vsock_tells_of_a_transport_reset),
        BOTH(test_vsock_tells_a_guest_that_was_moved),
        BOTH(test_vsock_checks_its_configuration),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
