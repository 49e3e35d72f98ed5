/* SPDX-License-Identifier: BSD-3-Clause */
/* Conversations; the echo service; the visit of the guest's service; the device; report. */
#include "vsock.h"

#include <string.h>

#include "avps_common/platform_apply.h"
#include "clock.h"
#include "devices.h"
#include "guest.h"
#include "memory.h"
#include "report.h"
#include "ring.h"
#include "uart.h"

#define VSOCK_ECHO_PORT   5000U
#define VSOCK_VISIT_PORT  6000U /* of the guest */
#define VSOCK_OUR_PORT    1024U
#define VSOCK_VISIT_BYTES 65536U
#define VSOCK_VISIT_NS    50000000ULL /* between two attempts */
#define VSOCK_PIECE       1024U

/* A connection, seen from here. */
struct talk {
    bool used;
    bool is_visit;
    bool has_ended; /* the guest sends no more */
    uint32_t sent;  /* of a visit */
    uint32_t seen;
    struct ring ring; /* of an echo: what has to go back */
};

/* ---- conversations ---- */

/* There is one for each connection of the device. */
static struct talk *vsock_new_talk(struct sockets *sockets)
{
    for (uint32_t i = 0; i < VSOCK_CONNS; i++) {
        struct talk *talk = &sockets->talks[i];

        if (!talk->used) {
            talk->used = true;
            talk->is_visit = false;
            talk->has_ended = false;
            talk->sent = 0;
            talk->seen = 0;
            talk->ring.head = 0;
            talk->ring.tail = 0;
            return talk;
        }
    }
    return NULL;
}

/* Send, as far as the guest has room. @return how many bytes went. */
static uint32_t vsock_send(struct sockets *sockets, struct avps_vsock_conn *conn,
                           const uint8_t *bytes, uint32_t len)
{
    uint32_t sent = 0;

    return avps_vsock_send(&sockets->vsock, conn, bytes, len, 0U, &sent) == AVPS_OK ? sent : 0U;
}

/* ---- echo ---- */

/* Send back what there is; behind the last byte of the guest, an end. */
static void vsock_echo(struct sockets *sockets, struct avps_vsock_conn *conn)
{
    struct talk *talk = conn->user;
    const uint8_t *bytes = NULL;
    uint32_t len = ring_peek(&talk->ring, &bytes);

    while (len != 0U) {
        const uint32_t sent = vsock_send(sockets, conn, bytes, len);

        if (sent == 0U) {
            return;
        }
        ring_drop(&talk->ring, sent);
        avps_vsock_consumed(&sockets->vsock, conn, sent);
        sockets->echoed += sent;
        sockets->is_awake = true;
        len = ring_peek(&talk->ring, &bytes);
    }
    if (talk->has_ended) {
        avps_vsock_shutdown(&sockets->vsock, conn, AVPS_VSOCK_NO_SEND);
    }
}

/* ---- a visit ---- */

static uint8_t vsock_byte_at(uint32_t at)
{
    return (uint8_t)(at * 2654435761U >> 24);
}

static void vsock_visit(struct sockets *sockets, struct avps_vsock_conn *conn)
{
    struct talk *talk = conn->user;
    uint8_t piece[VSOCK_PIECE];
    uint32_t sent = 1U;

    while (talk->sent < VSOCK_VISIT_BYTES && sent != 0U) {
        for (uint32_t i = 0; i < VSOCK_PIECE; i++) {
            piece[i] = vsock_byte_at(talk->sent + i);
        }
        const uint32_t left = VSOCK_VISIT_BYTES - talk->sent;

        sent = vsock_send(sockets, conn, piece, left < VSOCK_PIECE ? left : VSOCK_PIECE);
        talk->sent += sent;
    }
}

static void vsock_compare(struct sockets *sockets, struct avps_vsock_conn *conn,
                          const uint8_t *bytes, uint32_t len)
{
    struct talk *talk = conn->user;

    for (uint32_t i = 0; i < len; i++) {
        sockets->mistakes += bytes[i] != vsock_byte_at(talk->seen + i) ? 1U : 0U;
    }
    talk->seen += len;
    avps_vsock_consumed(&sockets->vsock, conn, len);
    if (talk->seen == VSOCK_VISIT_BYTES) {
        sockets->visits++;
        sockets->visited = true;
        avps_vsock_shutdown(&sockets->vsock, conn, AVPS_VSOCK_NO_SEND);
    }
}

/* Try to reach the guest's service; refused as long as there is none. */
static void vsock_begin_visit(struct sockets *sockets)
{
    const struct avps_vsock_address address = {.peer_cid = AVPS_VSOCK_HOST,
                                               .peer_port = VSOCK_OUR_PORT,
                                               .guest_port = VSOCK_VISIT_PORT,
                                               .type = AVPS_VSOCK_STREAM};
    struct avps_vsock_conn *conn = NULL;

    sockets->visit_ns = clock_now_ns() + VSOCK_VISIT_NS;
    if (avps_vsock_connect(&sockets->vsock, &address, RING_SIZE, &conn) == AVPS_OK) {
        struct talk *talk = vsock_new_talk(sockets);

        talk->is_visit = true;
        conn->user = talk;
        sockets->visiting = true;
    }
}

/* ---- what the device asks ---- */

static enum avps_status vsock_request(void *ctx, struct avps_vsock_conn *conn, uint32_t *buf_alloc)
{
    struct devices_part *part = ctx;

    if (!avps_platform_vsock_allows(part->plan, conn->address.peer_cid) ||
        conn->address.peer_cid != AVPS_VSOCK_HOST || conn->address.peer_port != VSOCK_ECHO_PORT) {
        return AVPS_E_UNSUPPORTED;
    }
    conn->user = vsock_new_talk(&part->sockets);
    *buf_alloc = RING_SIZE;
    return conn->user != NULL ? AVPS_OK : AVPS_E_NOSPACE;
}

static void vsock_writable(void *ctx, struct avps_vsock_conn *conn)
{
    struct devices_part *part = ctx;
    const struct talk *talk = conn->user;

    if (talk->is_visit) {
        vsock_visit(&part->sockets, conn);
    } else {
        vsock_echo(&part->sockets, conn);
    }
}

static void vsock_receive(void *ctx, struct avps_vsock_conn *conn, uint32_t len, uint32_t mark)
{
    struct devices_part *part = ctx;
    struct talk *talk = conn->user;
    uint8_t piece[VSOCK_PIECE];

    (void)mark; /* streams only */
    while (len != 0U) {
        const uint32_t some = len < VSOCK_PIECE ? len : VSOCK_PIECE;

        if (avps_vsock_read(&part->sockets.vsock, piece, some) != AVPS_OK) {
            return; /* the device ends the connection */
        }
        if (talk->is_visit) {
            vsock_compare(&part->sockets, conn, piece, some);
        } else {
            (void)ring_put(&talk->ring, piece, some); /* fits: the guest keeps to its credit */
        }
        len -= some;
    }
    vsock_writable(ctx, conn);
}

static void vsock_forget(struct sockets *sockets, struct talk *talk)
{
    sockets->visiting = sockets->visiting && !talk->is_visit;
    talk->used = false;
}

static void vsock_shutdown(void *ctx, struct avps_vsock_conn *conn, uint32_t directions)
{
    struct devices_part *part = ctx;
    struct talk *talk = conn->user;

    talk->has_ended = (directions & AVPS_VSOCK_NO_SEND) != 0U;
    if ((directions & AVPS_VSOCK_NO_RECEIVE) != 0U) { /* nothing can go back */
        vsock_forget(&part->sockets, talk);
        avps_vsock_close(&part->sockets.vsock, conn);
    } else if (!talk->is_visit) {
        vsock_echo(&part->sockets, conn);
    }
}

static void vsock_closed(void *ctx, struct avps_vsock_conn *conn)
{
    struct devices_part *part = ctx;

    if (conn->user != NULL) {
        vsock_forget(&part->sockets, conn->user);
    }
}

static const struct avps_vsock_ops vsock_ops = {.request = vsock_request,
                                                .connected = vsock_writable,
                                                .receive = vsock_receive,
                                                .writable = vsock_writable,
                                                .shutdown = vsock_shutdown,
                                                .closed = vsock_closed};

/* ---- the device ---- */

static enum avps_status vsock_add(struct devices_part *part)
{
    struct sockets *sockets = &part->sockets;
    struct avps_vsock_config config = {.base = devices_base(part, sockets->queues),
                                       .ops = &vsock_ops,
                                       .ctx = part,
                                       .conns = sockets->conns,
                                       .conn_count = VSOCK_CONNS,
                                       .buckets = sockets->buckets,
                                       .bucket_count = VSOCK_BUCKETS};

    sockets->talks = (struct talk *)(uintptr_t)memory_take(VSOCK_CONNS * sizeof(struct talk));
    if (sockets->talks == NULL) {
        return AVPS_E_NOSPACE;
    }
    avps_platform_vsock(part->plan, &config);
    const enum avps_status status = avps_vsock_init(&sockets->vsock, &config);

    return status == AVPS_OK ? devices_attach(part, &sockets->vsock.base) : status;
}

static bool vsock_is_to_visit(const struct sockets *sockets)
{
    return sockets->is_awake && !sockets->visiting && !sockets->visited;
}

static void vsock_run(struct devices_part *part)
{
    struct sockets *sockets = &part->sockets;

    if (vsock_is_to_visit(sockets) && clock_now_ns() >= sockets->visit_ns) {
        vsock_begin_visit(sockets);
    }
}

static uint64_t vsock_due_ns(const struct devices_part *part)
{
    return vsock_is_to_visit(&part->sockets) ? part->sockets.visit_ns : CLOCK_NEVER;
}

/* The reset closed all connections; the next life is visited again. */
static void vsock_restart(struct devices_part *part)
{
    part->sockets.is_awake = false;
    part->sockets.visited = false;
}

static void vsock_report(const struct devices_part *part)
{
    const struct sockets *sockets = &part->sockets;
    const struct avps_vsock_counters *counters = avps_vsock_counters(&sockets->vsock);

    report_begin("vsock");
    uart_field("established", counters->established);
    uart_field("refused", counters->refused);
    uart_field("from_guest", counters->from_guest);
    uart_field("to_guest", counters->to_guest);
    uart_field("malformed", counters->malformed);
    uart_field("broken", counters->broken);
    uart_field("echoed", sockets->echoed);
    uart_field("visits", sockets->visits);
    uart_field("mistakes", sockets->mistakes);
    report_end(part->guest);
}

const struct devices_kind vsock_kind = {vsock_add, vsock_run, vsock_due_ns, vsock_restart,
                                        vsock_report};
