/* SPDX-License-Identifier: BSD-3-Clause */
/* Socket device: a back end that accepts, waits, refuses, reads all or less, sends, closes at any
 * time, as the input says. The oracle: it is told of no connection that it does not have, gets no
 * more than the room that it stated, and every connection ends. */
#include <string.h>

#include "avps/vsock.h"
#include "guest.h"

#define CONNS 6U
#define ROOM  4096U

/* What the back end knows of a connection. */
struct known {
    struct avps_vsock_conn *conn; /* NULL: none */
    bool open;
    uint32_t held; /* bytes that were not consumed */
};

static struct avps_vsock vsock;
static struct avps_vsock_conn conns[CONNS];
static struct avps_vsock_conn *buckets[4];
static struct known known[CONNS];
static struct fuzz_guest *guest;

static struct known *find(const struct avps_vsock_conn *conn)
{
    for (uint32_t i = 0; i < CONNS; i++) {
        if (known[i].conn == conn) {
            return &known[i];
        }
    }
    FUZZ_CHECK(false);
    return NULL;
}

static void learn(struct avps_vsock_conn *conn, bool open)
{
    struct known *free = NULL;

    for (uint32_t i = 0; i < CONNS; i++) {
        FUZZ_CHECK(known[i].conn != conn);
        free = known[i].conn == NULL ? &known[i] : free;
    }
    FUZZ_CHECK(free != NULL);
    *free = (struct known){.conn = conn, .open = open};
}

static void forget(const struct avps_vsock_conn *conn)
{
    *find(conn) = (struct known){.conn = NULL};
}

/* Something that a back end may do to a connection at any time. */
static void act(struct known *k, uint8_t what)
{
    static const uint8_t bytes[300] = {1};
    uint32_t sent = 0;

    switch (what % 6U) {
    case 0:
        avps_vsock_close(&vsock, k->conn);
        *k = (struct known){.conn = NULL};
        break;
    case 1:
        avps_vsock_shutdown(&vsock, k->conn, what >> 6);
        break;
    case 2:
        avps_vsock_consumed(&vsock, k->conn, k->held);
        k->held = 0;
        break;
    case 3:
        if (!k->open) {
            k->open = avps_vsock_accept(&vsock, k->conn, ROOM) == AVPS_OK;
        }
        break;
    default:
        FUZZ_CHECK(avps_vsock_send(&vsock, k->conn, bytes, 1U + what, what >> 7, &sent) !=
                       AVPS_OK ||
                   (sent != 0U && sent <= 1U + what));
        break;
    }
}

static void maybe_act(const struct avps_vsock_conn *conn)
{
    const uint8_t what = fuzz_u8(guest);

    if (what >= 0xc0U) {
        act(find(conn), what);
    }
}

static enum avps_status on_request(void *ctx, struct avps_vsock_conn *conn, uint32_t *buf_alloc)
{
    const uint8_t how = fuzz_u8(guest);

    (void)ctx;
    if ((how & 3U) == 3U) {
        return AVPS_E_IO;
    }
    *buf_alloc = ROOM;
    learn(conn, (how & 3U) != 1U);
    return (how & 3U) == 1U ? AVPS_PENDING : AVPS_OK;
}

static void on_connected(void *ctx, struct avps_vsock_conn *conn)
{
    (void)ctx;
    FUZZ_CHECK(!find(conn)->open);
    find(conn)->open = true;
    maybe_act(conn);
}

static void on_receive(void *ctx, struct avps_vsock_conn *conn, uint32_t len, uint32_t mark)
{
    struct known *k = find(conn);
    static uint8_t bytes[ROOM];

    (void)ctx;
    (void)mark;
    FUZZ_CHECK(k->open && len <= ROOM - k->held);
    k->held += len;
    if (fuzz_u8(guest) < 0xf8U && len != 0U && avps_vsock_read(&vsock, bytes, len) != AVPS_OK) {
        return; /* the device resets the connection */
    }
    maybe_act(conn);
}

static void on_writable(void *ctx, struct avps_vsock_conn *conn)
{
    (void)ctx;
    FUZZ_CHECK(find(conn)->open);
    maybe_act(conn);
}

static void on_shutdown(void *ctx, struct avps_vsock_conn *conn, uint32_t directions)
{
    (void)ctx;
    FUZZ_CHECK(find(conn)->open && directions <= 3U);
    maybe_act(conn);
}

static void on_closed(void *ctx, struct avps_vsock_conn *conn)
{
    (void)ctx;
    forget(conn);
}

static const struct avps_vsock_ops ops = {on_request,  on_connected, on_receive,
                                          on_writable, on_shutdown,  on_closed};

static bool vsock_init(struct fuzz_guest *g)
{
    const struct avps_vsock_config config = {.base = g->base,
                                             .ops = &ops,
                                             .guest_cid = 3,
                                             .conns = conns,
                                             .conn_count = CONNS,
                                             .buckets = buckets,
                                             .bucket_count = 4,
                                             .seqpacket = true};

    guest = g;
    memset(known, 0, sizeof known);
    g->device = &vsock.base;
    return avps_vsock_init(&vsock, &config) == AVPS_OK;
}

static void vsock_host(struct fuzz_guest *g, uint8_t what)
{
    const struct avps_vsock_address address = {2, what & 3U, fuzz_u8(g) & 3U,
                                               (what & 4U) != 0U ? AVPS_VSOCK_SEQPACKET
                                                                 : AVPS_VSOCK_STREAM};
    struct avps_vsock_conn *conn = NULL;
    struct known *k = &known[what % CONNS];

    if (what >= 0xfcU) {
        FUZZ_CHECK(avps_vsock_transport_reset(&vsock, 3) == AVPS_OK);
    } else if (what >= 0xe0U) {
        if (avps_vsock_connect(&vsock, &address, ROOM, &conn) == AVPS_OK) {
            learn(conn, false);
        }
    } else if (k->conn != NULL) {
        act(k, fuzz_u8(g));
    }
    FUZZ_CHECK(avps_vsock_open_count(&vsock) <= CONNS);
}

static const struct fuzz_target vsock_target = {3, vsock_init, vsock_host};

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    fuzz_run(&vsock_target, input, size);
    return 0;
}
