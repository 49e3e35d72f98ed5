/* SPDX-License-Identifier: BSD-3-Clause */
/* Sockets of a guest as Unix sockets: streams -> from the host to the guest -> from the guest to the
 * host -> a program of the host asks -> the device's ops -> open, close.
 *
 * A stream has a buffer for each direction. The one to the host is the room that the guest was told
 * of, so that whatever it may send has a place; bytes are given back as the host takes them. */
#include "avps_posix/vsock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "posix_error.h"
#include "posix_internal.h"
#include "unix_socket.h"

#define VSOCK_ROOM  32768U      /* from the guest */
#define VSOCK_PIECE 16384U      /* to the guest */
#define VSOCK_LINE  32U         /* of a program that asks */
#define VSOCK_PORTS 0x40000000U /* the host's ports of connections from the host: this and above */

enum stream_phase {
    STREAM_ASKING,  /* a program of the host says what it wants */
    STREAM_WAITING, /* the guest has not answered */
    STREAM_OPEN
};

struct stream {
    struct avps_posix_link link;
    struct avps_posix_vsock *owner;
    struct avps_vsock_conn *conn; /* NULL: none yet, or none any more */
    struct avps_posix_source source;
    enum stream_phase phase;
    int fd;
    bool host_ended;   /* the program sends no more */
    bool guest_ended;  /* the guest sends no more */
    uint32_t to_guest; /* bytes in `piece`, from `piece_at` on */
    uint32_t piece_at;
    uint32_t to_host; /* bytes in the ring `room`, from `room_at` on */
    uint32_t room_at;
    uint8_t piece[VSOCK_PIECE];
    uint8_t room[VSOCK_ROOM];
};

struct avps_posix_vsock {
    struct avps_posix_vsock_config config;
    struct avps_vsock *vsock;
    struct avps_posix_source source;
    struct avps_posix_link streams;
    struct avps_vsock_conn *conns;
    struct avps_vsock_conn **buckets;
    uint32_t bucket_count;
    uint32_t stream_count;
    uint32_t next_port;
    int fd;
    char *path;
    struct avps_posix_vsock_counters counters;
};

/* ---- streams ---- */

static void stream_ready(void *ctx, uint32_t conditions);

static struct stream *stream_new(struct avps_posix_vsock *sockets, int fd, enum stream_phase phase)
{
    struct stream *stream =
        sockets->stream_count < sockets->config.connections ? calloc(1, sizeof *stream) : NULL;

    if (stream == NULL) {
        return NULL;
    }
    stream->owner = sockets;
    stream->phase = phase;
    stream->fd = fd;
    if (avps_posix_source_add(&stream->source, sockets->config.loop, fd,
                              phase == STREAM_ASKING ? AVPS_POSIX_READ : 0U, stream_ready,
                              stream) != AVPS_OK) {
        free(stream);
        return NULL;
    }
    posix_link_before(&stream->link, &sockets->streams);
    sockets->stream_count++;
    return stream;
}

/* The program's end is closed; the guest's is the caller's matter. */
static void stream_free(struct stream *stream)
{
    stream->owner->stream_count--;
    posix_link_remove(&stream->link);
    avps_posix_source_remove(&stream->source);
    posix_close(&stream->fd);
    free(stream);
}

static void stream_end(struct stream *stream)
{
    struct avps_vsock_conn *conn = stream->conn;
    struct avps_vsock *vsock = stream->owner->vsock;

    stream_free(stream);
    if (conn != NULL) {
        avps_vsock_close(vsock, conn);
    }
}

static void stream_fail(struct stream *stream, int error)
{
    stream->owner->counters.failed++;
    stream->owner->counters.last_error = error;
    stream_end(stream);
}

/* Wait for what makes sense now. */
static bool stream_watch(struct stream *stream)
{
    uint32_t interest = stream->to_host != 0U ? AVPS_POSIX_WRITE : 0U;

    if (!stream->host_ended && stream->to_guest == 0U && stream->phase != STREAM_WAITING) {
        interest |= AVPS_POSIX_READ;
    }
    if (avps_posix_source_modify(&stream->source, interest) == AVPS_OK) {
        return true;
    }
    stream_fail(stream, errno);
    return false;
}

/* ---- from the host to the guest ---- */

/* The guest is told that no more comes when all that came is with it. */
static void stream_tell_end(struct stream *stream)
{
    if (stream->host_ended && stream->to_guest == 0U) {
        avps_vsock_shutdown(stream->owner->vsock, stream->conn, AVPS_VSOCK_NO_SEND);
        if (stream->guest_ended && stream->to_host == 0U) {
            stream_end(stream);
        }
    }
}

/* What was read goes on, as far as the guest has room. @return whether the stream is still there. */
static bool stream_push(struct stream *stream)
{
    uint32_t sent = 0;
    enum avps_status status = AVPS_OK;

    if (stream->to_guest == 0U) {
        return true;
    }
    status = avps_vsock_send(stream->owner->vsock, stream->conn, stream->piece + stream->piece_at,
                             stream->to_guest, 0, &sent);
    stream->piece_at += sent;
    stream->to_guest -= sent;
    if (status == AVPS_OK || status == AVPS_AGAIN) {
        return true;
    }
    stream_end(stream); /* the guest takes no more */
    return false;
}

static void stream_pull(struct stream *stream)
{
    const ssize_t got = read(stream->fd, stream->piece, sizeof stream->piece);

    if (got < 0) {
        if (errno != EAGAIN && errno != EINTR) {
            stream_fail(stream, errno);
        }
        return;
    }
    stream->host_ended = got == 0;
    stream->piece_at = 0;
    stream->to_guest = (uint32_t)got;
    if (stream_push(stream) && stream_watch(stream)) {
        stream_tell_end(stream);
    }
}

/* ---- from the guest to the host ---- */

/* When the guest sends no more and the program has it all, the program is told so; when it sends no
 * more either, that was it. @return whether the stream is still there. */
static bool stream_pass_end(struct stream *stream)
{
    if (!stream->guest_ended || stream->to_host != 0U) {
        return true;
    }
    if (stream->host_ended && stream->to_guest == 0U) {
        stream_end(stream);
        return false;
    }
    (void)shutdown(stream->fd, SHUT_WR);
    return true;
}

/* The longest run in the ring. @return bytes written; negative: an error. */
static ssize_t stream_write_run(struct stream *stream)
{
    const uint32_t to_end = VSOCK_ROOM - stream->room_at;
    const uint32_t len = stream->to_host < to_end ? stream->to_host : to_end;

    return send(stream->fd, stream->room + stream->room_at, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* @return whether the stream is still there. */
static bool stream_write(struct stream *stream)
{
    while (stream->to_host != 0U) {
        const ssize_t put = stream_write_run(stream);

        if (put < 0 && (errno == EAGAIN || errno == EINTR)) {
            break;
        }
        if (put < 0) {
            stream_fail(stream, errno);
            return false;
        }
        stream->room_at = (stream->room_at + (uint32_t)put) % VSOCK_ROOM;
        stream->to_host -= (uint32_t)put;
        avps_vsock_consumed(stream->owner->vsock, stream->conn, (uint32_t)put);
    }
    return stream_pass_end(stream);
}

/* ---- a program of the host asks ---- */

/* "CONNECT PORT". @return whether it is that. */
static bool ask_parse(const char *line, uint32_t *port)
{
    char *end = NULL;

    if (strncmp(line, "CONNECT ", 8) != 0 || line[8] < '0' || line[8] > '9') {
        return false;
    }
    errno = 0;
    const unsigned long long number = strtoull(line + 8, &end, 10);

    *port = (uint32_t)number;
    return errno == 0 && number < UINT32_MAX && *end == '\0';
}

static bool ask_guest(struct stream *stream, uint32_t port)
{
    struct avps_posix_vsock *sockets = stream->owner;
    const struct avps_vsock_address address = {.peer_cid = AVPS_VSOCK_HOST,
                                               .peer_port = sockets->next_port,
                                               .guest_port = port,
                                               .type = AVPS_VSOCK_STREAM};

    sockets->next_port =
        sockets->next_port == UINT32_MAX - 1U ? VSOCK_PORTS : sockets->next_port + 1U;
    sockets->counters.from_host++;
    stream->phase = STREAM_WAITING;
    if (sockets->vsock == NULL ||
        avps_vsock_connect(sockets->vsock, &address, VSOCK_ROOM, &stream->conn) != AVPS_OK) {
        return false;
    }
    stream->conn->user = stream;
    (void)stream_watch(stream);
    return true;
}

/* One byte at a time: what is behind the line is for the guest. */
static void ask_read(struct stream *stream)
{
    uint32_t port = 0;

    for (;;) {
        char *at = (char *)stream->piece + stream->to_guest;
        const ssize_t got = read(stream->fd, at, 1);

        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (got <= 0 || stream->to_guest + 1U == VSOCK_LINE) {
            stream_end(stream);
            return;
        }
        if (*at == '\n') {
            *at = '\0';
            break;
        }
        stream->to_guest++;
    }
    stream->to_guest = 0;
    if (!ask_parse((const char *)stream->piece, &port) || !ask_guest(stream, port)) {
        stream_end(stream);
    }
}

static void stream_ready(void *ctx, uint32_t conditions)
{
    struct stream *stream = ctx;

    if (stream->phase == STREAM_ASKING) {
        ask_read(stream);
        return;
    }
    if ((conditions & AVPS_POSIX_WRITE) != 0U && (!stream_write(stream) || !stream_watch(stream))) {
        return;
    }
    if ((conditions & AVPS_POSIX_READ) != 0U) {
        stream_pull(stream);
    } else if ((conditions & AVPS_POSIX_HANGUP) != 0U && stream->to_guest == 0U) {
        stream_end(stream); /* the program is gone, both ways */
    }
}

static void sockets_ready(void *ctx, uint32_t conditions)
{
    struct avps_posix_vsock *sockets = ctx;
    int fd = accept4(sockets->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)conditions;
    if (fd >= 0 && stream_new(sockets, fd, STREAM_ASKING) == NULL) {
        posix_close(&fd);
    }
}

/* ---- the device's ops ---- */

/* The Unix socket of a port. @return its descriptor; -1: nobody listens there. */
static int port_connect(const struct avps_posix_vsock *sockets, uint32_t port)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = -1;
    const int length =
        snprintf(address.sun_path, sizeof address.sun_path, "%s_%u", sockets->path, port);

    if (length < 0 || (size_t)length >= sizeof address.sun_path) {
        return -1;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        posix_close(&fd);
    }
    return fd;
}

static enum avps_status op_request(void *ctx, struct avps_vsock_conn *conn, uint32_t *buf_alloc)
{
    struct avps_posix_vsock *sockets = ctx;
    struct stream *stream = NULL;
    int fd = -1;

    if (conn->address.peer_cid != AVPS_VSOCK_HOST || conn->address.type != AVPS_VSOCK_STREAM) {
        return AVPS_E_UNSUPPORTED;
    }
    fd = port_connect(sockets, conn->address.peer_port);
    stream = fd >= 0 ? stream_new(sockets, fd, STREAM_OPEN) : NULL;
    if (stream == NULL) {
        sockets->counters.no_port++;
        posix_close(&fd);
        return AVPS_E_IO;
    }
    stream->conn = conn;
    conn->user = stream;
    *buf_alloc = VSOCK_ROOM;
    /* Not watched yet: the guest is to get the answer first. */
    return avps_posix_source_modify(&stream->source, AVPS_POSIX_READ) == AVPS_OK ? AVPS_OK
                                                                                 : AVPS_E_IO;
}

static void op_connected(void *ctx, struct avps_vsock_conn *conn)
{
    struct stream *stream = conn->user;
    char line[VSOCK_LINE];
    const int length = snprintf(line, sizeof line, "OK %u\n", conn->address.peer_port);

    (void)ctx;
    stream->phase = STREAM_OPEN;
    if (send(stream->fd, line, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL) != length) {
        stream_fail(stream, errno);
        return;
    }
    (void)stream_watch(stream);
}

static void op_receive(void *ctx, struct avps_vsock_conn *conn, uint32_t len, uint32_t mark)
{
    const struct avps_posix_vsock *sockets = ctx;
    struct stream *stream = conn->user;
    const uint32_t end = (stream->room_at + stream->to_host) % VSOCK_ROOM;
    const uint32_t first = len < VSOCK_ROOM - end ? len : VSOCK_ROOM - end;

    (void)mark;
    if (avps_vsock_read(sockets->vsock, stream->room + end, first) != AVPS_OK ||
        avps_vsock_read(sockets->vsock, stream->room, len - first) != AVPS_OK) {
        return; /* the device ends the connection */
    }
    stream->to_host += len;
    if (stream_write(stream)) {
        (void)stream_watch(stream);
    }
}

static void op_writable(void *ctx, struct avps_vsock_conn *conn)
{
    struct stream *stream = conn->user;

    (void)ctx;
    if (stream_push(stream) && stream_watch(stream)) {
        stream_tell_end(stream);
    }
}

static void op_shutdown(void *ctx, struct avps_vsock_conn *conn, uint32_t directions)
{
    struct stream *stream = conn->user;

    (void)ctx;
    if ((directions & AVPS_VSOCK_NO_RECEIVE) != 0U) {
        stream->host_ended = true; /* nobody is there for what it still sends */
        stream->to_guest = 0;
    }
    stream->guest_ended = (directions & AVPS_VSOCK_NO_SEND) != 0U;
    if (stream_pass_end(stream)) {
        (void)stream_watch(stream);
    }
}

static void op_closed(void *ctx, struct avps_vsock_conn *conn)
{
    struct stream *stream = conn->user;

    (void)ctx;
    if (stream != NULL) {
        stream->conn = NULL;
        stream_free(stream);
    }
}

static const struct avps_vsock_ops vsock_ops = {.request = op_request,
                                                .connected = op_connected,
                                                .receive = op_receive,
                                                .writable = op_writable,
                                                .shutdown = op_shutdown,
                                                .closed = op_closed};

/* ---- open, close ---- */

static enum avps_status sockets_allocate(struct avps_posix_vsock *sockets,
                                         struct avps_posix_error *error)
{
    sockets->bucket_count = 1;
    while (sockets->bucket_count < sockets->config.connections) {
        sockets->bucket_count *= 2U;
    }
    sockets->path = strdup(sockets->config.path);
    sockets->conns = calloc(sockets->config.connections, sizeof *sockets->conns);
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): a table of pointers is meant */
    sockets->buckets = calloc(sockets->bucket_count, sizeof *sockets->buckets);
    return sockets->path != NULL && sockets->conns != NULL && sockets->buckets != NULL
               ? AVPS_OK
               : posix_fail(error, AVPS_E_NOSPACE, "not enough memory");
}

static enum avps_status sockets_listen(struct avps_posix_vsock *sockets,
                                       struct avps_posix_error *error)
{
    const enum avps_status status = posix_listen(sockets->path, &sockets->fd, error);

    if (status != AVPS_OK) {
        return status;
    }
    return avps_posix_source_add(&sockets->source, sockets->config.loop, sockets->fd,
                                 AVPS_POSIX_READ, sockets_ready, sockets) == AVPS_OK
               ? AVPS_OK
               : posix_fail_errno(error, AVPS_E_IO, "cannot watch", sockets->path);
}

enum avps_status avps_posix_vsock_open(struct avps_posix_vsock **sockets,
                                       const struct avps_posix_vsock_config *config,
                                       struct avps_posix_error *error)
{
    struct avps_posix_vsock *made = NULL;
    enum avps_status status = AVPS_OK;

    if (config->path == NULL || config->loop == NULL || config->connections == 0U ||
        config->connections > AVPS_POSIX_VSOCK_CONNS) {
        return posix_fail(error, AVPS_E_PARAM, "sockets need a path and 1 to %u connections",
                          AVPS_POSIX_VSOCK_CONNS);
    }
    made = calloc(1, sizeof *made);
    if (made == NULL) {
        return posix_fail(error, AVPS_E_NOSPACE, "not enough memory");
    }
    made->config = *config;
    made->fd = -1;
    made->next_port = VSOCK_PORTS;
    posix_list_init(&made->streams);
    status = sockets_allocate(made, error);
    status = status == AVPS_OK ? sockets_listen(made, error) : status;
    if (status != AVPS_OK) {
        avps_posix_vsock_close(made);
        return status;
    }
    *sockets = made;
    return AVPS_OK;
}

void avps_posix_vsock_describe(struct avps_posix_vsock *sockets, struct avps_vsock_config *config)
{
    config->ops = &vsock_ops;
    config->ctx = sockets;
    config->conns = sockets->conns;
    config->conn_count = sockets->config.connections;
    config->buckets = sockets->buckets;
    config->bucket_count = sockets->bucket_count;
}

void avps_posix_vsock_attach(struct avps_posix_vsock *sockets, struct avps_vsock *vsock)
{
    sockets->vsock = vsock;
}

const struct avps_posix_vsock_counters *
avps_posix_vsock_counters(const struct avps_posix_vsock *sockets)
{
    return &sockets->counters;
}

void avps_posix_vsock_close(struct avps_posix_vsock *sockets)
{
    if (sockets == NULL) {
        return;
    }
    for (struct avps_posix_link *at = sockets->streams.next; at != &sockets->streams;) {
        struct avps_posix_link *next = at->next;

        stream_free(POSIX_CONTAINER_OF(at, struct stream, link));
        at = next;
    }
    avps_posix_source_remove(&sockets->source);
    if (sockets->fd >= 0) {
        (void)unlink(sockets->path);
        posix_close(&sockets->fd);
    }
    free(sockets->path);
    free(sockets->conns);
    free(sockets->buckets);
    free(sockets);
}
