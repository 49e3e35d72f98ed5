/* SPDX-License-Identifier: BSD-3-Clause */
/* Socket device: features, configuration -> packets from the guest -> what the back end asks for ->
 * resets, events, saved state -> ops, init. Connections and packets to the guest are in vsock_conn.c.
 *
 * No payload is kept here, and what has yet to be sent is a bit per connection and kind of packet, or
 * one of a few resets without a connection: nothing grows with what the guest does. When there is no
 * room for such a reset, packets of the guest wait in their ring until it takes what it was sent. */
#include "devices/vsock_internal.h"

#define VIRTIO_ID_VSOCK 19U /* [AVPS VSK-1] */

#define VIRTIO_VSOCK_F_STREAM            0U
#define VIRTIO_VSOCK_F_SEQPACKET         1U
#define VIRTIO_VSOCK_F_NO_IMPLIED_STREAM 2U

#define VIRTIO_VSOCK_EVENT_TRANSPORT_RESET 0U

struct virtio_vsock_config {
    avps_le64 guest_cid;
};
AVPS_WIRE_SIZE(struct virtio_vsock_config, 8);

struct virtio_vsock_event {
    avps_le32 id;
};
AVPS_WIRE_SIZE(struct virtio_vsock_event, 4);

#define VSOCK_MARKS      3U
#define VSOCK_DIRECTIONS 3U
#define VSOCK_CID_MAX    0xfffffffeU
#define VSOCK_CONNS_MAX  65536U

static struct avps_vsock *vsock_of(struct avps_device *dev)
{
    return AVPS_CONTAINER_OF(dev, struct avps_vsock, base);
}

/* ---- features, configuration ---- */

static const struct avps_feature vsock_features[] = {
    AVPS_FEATURE(VIRTIO_VSOCK_F_STREAM, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE(VIRTIO_VSOCK_F_SEQPACKET, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE(VIRTIO_VSOCK_F_NO_IMPLIED_STREAM, AVPS_FEATURE_OFFERED), /* [vsock-1.1] */
};

/* [vsock-1.2] [vsock-1.3] Streams go without saying unless the driver accepted that they do not. */
static bool vsock_knows_type(const struct avps_vsock *vsock, uint32_t type)
{
    const struct avps_device *dev = &vsock->base;

    if (type == AVPS_VSOCK_STREAM) {
        return avps_device_has(dev, VIRTIO_VSOCK_F_STREAM) ||
               !avps_device_has(dev, VIRTIO_VSOCK_F_NO_IMPLIED_STREAM);
    }
    return type == AVPS_VSOCK_SEQPACKET && avps_device_has(dev, VIRTIO_VSOCK_F_SEQPACKET);
}

/* [vsock-4.1] */
static bool vsock_cid_is_valid(uint64_t cid)
{
    return cid > AVPS_VSOCK_HOST && cid <= VSOCK_CID_MAX;
}

_Static_assert(offsetof(struct avps_vsock, base) == 0, "base is the first member");

static void vsock_config_get(const struct avps_device *dev, uint8_t *image)
{
    const struct avps_vsock *vsock = (const void *)dev;
    const struct virtio_vsock_config config = {avps_le64_of(vsock->guest_cid)};

    (void)memcpy(image, &config, sizeof config);
}

/* ---- packets from the guest ---- */

/* Payload that the back end has room for. */
static uint32_t credit_of_host(const struct avps_vsock_conn *conn)
{
    return conn->buf_alloc - (conn->rx_cnt - conn->fwd_cnt);
}

/* A packet of the guest: its header, checked, and where its payload is. */
struct vsock_received {
    struct avps_vsock_address address;
    uint32_t op;
    uint32_t type;
    uint32_t flags;
    uint32_t len;
    uint32_t buf_alloc;
    uint32_t fwd_cnt;
    struct avps_chain *chain;
};

/* @return AVPS_OK; AVPS_E_GUEST_PROTOCOL: a packet to be dropped; what memory says. */
static enum avps_status vsock_parse(const struct avps_vsock *vsock, struct avps_chain *chain,
                                    struct vsock_received *received)
{
    struct virtio_vsock_hdr hdr;

    if (avps_chain_readable(chain) < sizeof hdr) {
        return AVPS_E_GUEST_PROTOCOL;
    }
    const enum avps_status status = avps_chain_read(chain, &hdr, sizeof hdr);

    if (status != AVPS_OK) {
        return status;
    }
    const uint64_t peer_cid = avps_le64_get(hdr.dst_cid);

    *received = (struct vsock_received){.address = {.peer_cid = peer_cid,
                                                    .peer_port = avps_le32_get(hdr.dst_port),
                                                    .guest_port = avps_le32_get(hdr.src_port)},
                                        .op = avps_le16_get(hdr.op),
                                        .type = avps_le16_get(hdr.type),
                                        .flags = avps_le32_get(hdr.flags),
                                        .len = avps_le32_get(hdr.len),
                                        .buf_alloc = avps_le32_get(hdr.buf_alloc),
                                        .fwd_cnt = avps_le32_get(hdr.fwd_cnt),
                                        .chain = chain};
    received->address.type =
        received->type == AVPS_VSOCK_SEQPACKET ? AVPS_VSOCK_SEQPACKET : AVPS_VSOCK_STREAM;
    return avps_le64_get(hdr.src_cid) == vsock->guest_cid && peer_cid <= UINT32_MAX
               ? AVPS_OK
               : AVPS_E_GUEST_PROTOCOL;
}

static void conn_open(struct avps_vsock *vsock, struct avps_vsock_conn *conn)
{
    conn->state = CONN_OPEN;
    vsock->counters.established++;
}

static void vsock_refuse(struct avps_vsock *vsock, const struct vsock_received *received)
{
    vsock->counters.refused++;
    avps_vsock_reply(vsock, &received->address, (uint16_t)received->type);
}

/* The guest wants a connection that there is not. */
static void receive_request(struct avps_vsock *vsock, const struct vsock_received *received)
{
    uint32_t buf_alloc = 0;
    struct avps_vsock_conn *conn = avps_vsock_add(vsock, &received->address, CONN_GUEST_ASKED);

    vsock->counters.requests++;
    if (conn == NULL) {
        vsock_refuse(vsock, received);
        return;
    }
    conn->peer_buf_alloc = received->buf_alloc;
    conn->peer_fwd_cnt = received->fwd_cnt;
    const enum avps_status status = vsock->ops->request(vsock->ctx, conn, &buf_alloc);

    if (conn->state != CONN_GUEST_ASKED || status == AVPS_PENDING) {
        return; /* accepted or closed from inside, or later */
    }
    if (status != AVPS_OK || avps_vsock_accept(vsock, conn, buf_alloc) != AVPS_OK) {
        avps_vsock_remove(vsock, conn);
        vsock_refuse(vsock, received);
    }
}

static void receive_response(struct avps_vsock *vsock, struct avps_vsock_conn *conn)
{
    if (conn->state != CONN_HOST_ASKED) {
        avps_vsock_break(vsock, conn);
        return;
    }
    conn_open(vsock, conn);
    vsock->ops->connected(vsock->ctx, conn);
}

static void receive_shutdown(struct avps_vsock *vsock, struct avps_vsock_conn *conn,
                             uint32_t directions)
{
    if (conn->state != CONN_OPEN) {
        avps_vsock_break(vsock, conn);
        return;
    }
    conn->guest_shut |= (uint8_t)(directions & VSOCK_DIRECTIONS);
    vsock->ops->shutdown(vsock->ctx, conn, conn->guest_shut);
}

/* Whether the guest may send so much now. */
static bool conn_takes(const struct avps_vsock_conn *conn, uint32_t len)
{
    return conn->state == CONN_OPEN && (conn->guest_shut & AVPS_VSOCK_NO_SEND) == 0U &&
           (conn->host_shut & AVPS_VSOCK_NO_RECEIVE) == 0U && len <= credit_of_host(conn);
}

static void receive_data(struct avps_vsock *vsock, struct avps_vsock_conn *conn,
                         const struct vsock_received *received)
{
    const uint32_t mark =
        conn->address.type == AVPS_VSOCK_SEQPACKET ? received->flags & VSOCK_MARKS : 0U;

    if (!conn_takes(conn, received->len)) {
        avps_vsock_break(vsock, conn);
        return;
    }
    if (received->len == 0U && mark == 0U) {
        return;
    }
    conn->rx_cnt += received->len;
    vsock->counters.from_guest += received->len;
    vsock->reading = received->chain;
    vsock->reading_left = received->len;
    vsock->ops->receive(vsock->ctx, conn, received->len, mark);
    vsock->reading = NULL;
    if (vsock->reading_left != 0U && conn->state == CONN_OPEN) {
        vsock->counters.unread++;
        vsock->ops->closed(vsock->ctx, conn);
        avps_vsock_end(vsock, conn);
    }
}

/* A packet of a connection that the back end knows. */
static void receive_known(struct avps_vsock *vsock, struct avps_vsock_conn *conn,
                          const struct vsock_received *received)
{
    conn->peer_buf_alloc = received->buf_alloc;
    conn->peer_fwd_cnt = received->fwd_cnt;
    switch (received->op) {
    case VIRTIO_VSOCK_OP_RESPONSE:
        receive_response(vsock, conn);
        break;
    case VIRTIO_VSOCK_OP_RST:
        avps_vsock_gone(vsock, conn);
        break;
    case VIRTIO_VSOCK_OP_SHUTDOWN:
        receive_shutdown(vsock, conn, received->flags);
        break;
    case VIRTIO_VSOCK_OP_RW:
        receive_data(vsock, conn, received);
        break;
    case VIRTIO_VSOCK_OP_CREDIT_UPDATE:
        break;
    case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
        avps_vsock_owe(vsock, conn, OWED_CREDIT_UPDATE);
        break;
    default: /* a second request, or an operation that there is none of */
        avps_vsock_break(vsock, conn);
        return;
    }
    avps_vsock_unblock(vsock, conn);
}

/* [vsock-4.2] What belongs to nothing is answered with a reset, but a reset with nothing. */
static void vsock_receive(struct avps_vsock *vsock, const struct vsock_received *received)
{
    struct avps_vsock_conn *conn =
        vsock_knows_type(vsock, received->type) ? avps_vsock_find(vsock, &received->address) : NULL;

    if (conn != NULL && conn->state == CONN_CLOSING) {
        if (received->op == VIRTIO_VSOCK_OP_RST) {
            avps_vsock_gone(vsock, conn);
        }
        return; /* the reset that it is owed answers everything */
    }
    if (conn != NULL) {
        receive_known(vsock, conn, received);
    } else if (received->op == VIRTIO_VSOCK_OP_REQUEST && vsock_knows_type(vsock, received->type)) {
        receive_request(vsock, received);
    } else if (received->op != VIRTIO_VSOCK_OP_RST) {
        avps_vsock_reply(vsock, &received->address, (uint16_t)received->type);
    }
}

/* A stream that lost a packet is no stream any more. */
static void vsock_drop(struct avps_vsock *vsock, const struct vsock_received *received)
{
    struct avps_vsock_conn *conn = avps_vsock_find(vsock, &received->address);

    vsock->counters.malformed++;
    if (conn != NULL && conn->state != CONN_CLOSING && received->op == VIRTIO_VSOCK_OP_RW) {
        avps_vsock_break(vsock, conn);
    }
}

/* [vsock-2.1] Packets of the guest wait only when there is no room for an answer. */
static enum avps_status vsock_request(struct avps_device *dev, uint16_t queue,
                                      struct avps_chain *chain)
{
    struct avps_vsock *vsock = vsock_of(dev);
    struct vsock_received received;

    if (vsock->reply_count == AVPS_VSOCK_REPLIES && !avps_vsock_pay(vsock) &&
        vsock->reply_count == AVPS_VSOCK_REPLIES) {
        return AVPS_AGAIN;
    }
    const enum avps_status status = vsock_parse(vsock, chain, &received);

    if (status == AVPS_AGAIN || status == AVPS_E_IO) {
        avps_device_wait(dev, queue);
        return AVPS_AGAIN;
    }
    if (status != AVPS_OK) {
        vsock->counters.malformed++;
    } else if (received.len > avps_chain_readable(chain)) {
        vsock_drop(vsock, &received);
    } else {
        vsock_receive(vsock, &received);
    }
    (void)avps_vsock_pay(vsock);
    return AVPS_OK;
}

/* ---- what the back end asks for ---- */

enum avps_status avps_vsock_connect(struct avps_vsock *vsock,
                                    const struct avps_vsock_address *address, uint32_t buf_alloc,
                                    struct avps_vsock_conn **conn)
{
    if (address->peer_cid > UINT32_MAX || address->peer_cid == vsock->guest_cid ||
        buf_alloc == 0U ||
        (address->type != AVPS_VSOCK_STREAM && address->type != AVPS_VSOCK_SEQPACKET)) {
        return AVPS_E_PARAM;
    }
    if (!avps_device_is_live(&vsock->base) || vsock->forgetting ||
        avps_vsock_find(vsock, address) != NULL) {
        return AVPS_E_STATE;
    }
    if (!vsock_knows_type(vsock, address->type)) {
        return AVPS_E_UNSUPPORTED;
    }
    *conn = avps_vsock_add(vsock, address, CONN_HOST_ASKED);
    if (*conn == NULL) {
        return AVPS_E_NOSPACE;
    }
    (*conn)->buf_alloc = buf_alloc;
    vsock->counters.connects++;
    avps_vsock_owe(vsock, *conn, OWED_REQUEST);
    (void)avps_vsock_pay(vsock);
    return AVPS_OK;
}

enum avps_status avps_vsock_accept(struct avps_vsock *vsock, struct avps_vsock_conn *conn,
                                   uint32_t buf_alloc)
{
    if (buf_alloc == 0U) {
        return AVPS_E_PARAM;
    }
    if (conn->state != CONN_GUEST_ASKED) {
        return AVPS_E_STATE;
    }
    conn->buf_alloc = buf_alloc;
    conn_open(vsock, conn);
    avps_vsock_owe(vsock, conn, OWED_RESPONSE);
    (void)avps_vsock_pay(vsock);
    return AVPS_OK;
}

enum avps_status avps_vsock_read(struct avps_vsock *vsock, void *dst, uint32_t len)
{
    if (vsock->reading == NULL) {
        return AVPS_E_STATE;
    }
    if (len > vsock->reading_left) {
        return AVPS_E_PARAM;
    }
    const enum avps_status status = avps_chain_read(vsock->reading, dst, len);

    vsock->reading_left -= status == AVPS_OK ? len : 0U;
    return status;
}

/* A quarter of the room is worth a packet, and so is the end of none. */
void avps_vsock_consumed(struct avps_vsock *vsock, struct avps_vsock_conn *conn, uint32_t len)
{
    const uint32_t held = conn->rx_cnt - conn->fwd_cnt;

    conn->fwd_cnt += len < held ? len : held;
    if (conn->state == CONN_OPEN && conn->fwd_cnt != conn->told_fwd &&
        conn->fwd_cnt - conn->told_fwd >= conn->buf_alloc / 4U) {
        avps_vsock_owe(vsock, conn, OWED_CREDIT_UPDATE);
        (void)avps_vsock_pay(vsock);
    }
}

static bool conn_sends(const struct avps_vsock_conn *conn)
{
    return conn->state == CONN_OPEN && (conn->host_shut & AVPS_VSOCK_NO_SEND) == 0U &&
           (conn->guest_shut & AVPS_VSOCK_NO_RECEIVE) == 0U;
}

enum avps_status avps_vsock_send(struct avps_vsock *vsock, struct avps_vsock_conn *conn,
                                 const void *bytes, uint32_t len, uint32_t mark, uint32_t *sent)
{
    enum avps_status status = AVPS_OK;

    *sent = 0;
    if (bytes == NULL || (mark & ~VSOCK_MARKS) != 0U || (len == 0U && mark == 0U) ||
        (mark != 0U && conn->address.type != AVPS_VSOCK_SEQPACKET)) {
        return AVPS_E_PARAM;
    }
    if (!conn_sends(conn)) {
        return AVPS_E_STATE;
    }
    if (conn->is_owing && !avps_vsock_pay(vsock)) {
        status = AVPS_AGAIN; /* first things first */
    }
    while (status == AVPS_OK) {
        uint32_t went = 0;

        status = avps_vsock_send_one(vsock, conn, (const uint8_t *)bytes + *sent, len - *sent, mark,
                                     &went);
        *sent += went;
        if (*sent == len) {
            break;
        }
    }
    avps_device_flush(&vsock->base, QUEUE_RX);
    if (status != AVPS_OK) {
        avps_vsock_block(vsock, conn);
    }
    return *sent != 0U ? AVPS_OK : status;
}

void avps_vsock_shutdown(struct avps_vsock *vsock, struct avps_vsock_conn *conn,
                         uint32_t directions)
{
    if (conn->state != CONN_OPEN || (directions & VSOCK_DIRECTIONS & ~conn->host_shut) == 0U) {
        return;
    }
    conn->host_shut |= (uint8_t)(directions & VSOCK_DIRECTIONS);
    avps_vsock_owe(vsock, conn, OWED_SHUTDOWN);
    (void)avps_vsock_pay(vsock);
}

void avps_vsock_close(struct avps_vsock *vsock, struct avps_vsock_conn *conn)
{
    if (conn->state == CONN_FREE || conn->state == CONN_CLOSING) {
        return;
    }
    vsock->counters.refused += conn->state == CONN_GUEST_ASKED ? 1U : 0U;
    avps_vsock_end(vsock, conn);
    (void)avps_vsock_pay(vsock);
}

uint32_t avps_vsock_open_count(const struct avps_vsock *vsock)
{
    return vsock->open_count;
}

const struct avps_vsock_counters *avps_vsock_counters(const struct avps_vsock *vsock)
{
    return &vsock->counters;
}

/* ---- resets, events, saved state ---- */

/* All connections end, and nothing is owed. */
static void vsock_forget(struct avps_vsock *vsock)
{
    vsock->forgetting = true;
    for (uint32_t i = 0; i < vsock->conn_count; i++) {
        struct avps_vsock_conn *conn = &vsock->conns[i];

        if (conn->state != CONN_FREE && conn->state != CONN_CLOSING) {
            vsock->ops->closed(vsock->ctx, conn);
        }
        conn->state = CONN_CLOSING; /* what the ops still ask of it is ignored */
    }
    vsock->owing = NULL;
    vsock->owing_last = NULL;
    vsock->reply_count = 0;
    vsock->blocked = 0;
    avps_vsock_clear(vsock);
    vsock->forgetting = false;
}

static void vsock_reset(struct avps_device *dev)
{
    vsock_forget(vsock_of(dev));
    vsock_of(dev)->reset_event = false;
}

static void vsock_send_event(struct avps_vsock *vsock)
{
    const struct virtio_vsock_event event = {avps_le32_of(VIRTIO_VSOCK_EVENT_TRANSPORT_RESET)};
    struct avps_chain *chain = &vsock->base.queues[QUEUE_EVENT].scratch;

    if (!vsock->reset_event ||
        avps_device_take_supply(&vsock->base, QUEUE_EVENT, chain) != AVPS_OK) {
        return;
    }
    const enum avps_status status = avps_chain_write(chain, &event, sizeof event);

    if (avps_device_give_supply(&vsock->base, QUEUE_EVENT, chain, status) == AVPS_OK) {
        vsock->reset_event = false;
    }
    avps_device_flush(&vsock->base, QUEUE_EVENT);
}

enum avps_status avps_vsock_transport_reset(struct avps_vsock *vsock, uint64_t guest_cid)
{
    if (!vsock_cid_is_valid(guest_cid)) {
        return AVPS_E_PARAM;
    }
    vsock->guest_cid = guest_cid;
    vsock_forget(vsock);
    vsock->reset_event = true;
    vsock_send_event(vsock);
    return AVPS_OK;
}

/* Buffers of the guest: first for what is owed, then for those who wait. */
static void vsock_supply(struct avps_device *dev, uint16_t queue)
{
    struct avps_vsock *vsock = vsock_of(dev);

    if (queue == QUEUE_EVENT) {
        vsock_send_event(vsock);
        return;
    }
    if (avps_vsock_pay(vsock)) {
        avps_vsock_unblock_all(vsock);
    }
    avps_device_retry(dev, QUEUE_TX); /* it may have waited for room */
}

/* Connections do not move with the guest: it is told so. */
static void vsock_load(struct avps_device *dev, struct avps_state *state)
{
    (void)state;
    vsock_of(dev)->reset_event = true;
}

static void vsock_activate(struct avps_device *dev)
{
    if (vsock_of(dev)->reset_event) {
        avps_device_retry(dev, QUEUE_EVENT);
    }
}

/* ---- ops, init ---- */

static enum avps_queue_kind vsock_queue_kind(const struct avps_device *dev, uint16_t queue)
{
    (void)dev;
    return queue == QUEUE_TX ? AVPS_QUEUE_REQUEST : AVPS_QUEUE_SUPPLY;
}

static const struct avps_device_ops vsock_device_ops = {
    .device_id = VIRTIO_ID_VSOCK,
    .config_size = sizeof(struct virtio_vsock_config),
    .features = vsock_features,
    .feature_count = AVPS_COUNT_OF(vsock_features),
    .queue_kind = vsock_queue_kind,
    .config_get = vsock_config_get,
    .activate = vsock_activate,
    .request = vsock_request,
    .supply = vsock_supply,
    .reset = vsock_reset,
    .load = vsock_load,
};

static bool vsock_ops_are_complete(const struct avps_vsock_ops *ops)
{
    return ops != NULL && ops->request != NULL && ops->connected != NULL && ops->receive != NULL &&
           ops->writable != NULL && ops->shutdown != NULL && ops->closed != NULL;
}

static bool vsock_config_is_valid(const struct avps_vsock_config *config)
{
    return vsock_ops_are_complete(config->ops) && config->base.queue_count == QUEUE_COUNT &&
           vsock_cid_is_valid(config->guest_cid) && config->conns != NULL &&
           config->conn_count != 0U && config->conn_count <= VSOCK_CONNS_MAX &&
           config->buckets != NULL && config->bucket_count != 0U &&
           config->bucket_count <= VSOCK_CONNS_MAX &&
           (config->bucket_count & (config->bucket_count - 1U)) == 0U;
}

enum avps_status avps_vsock_init(struct avps_vsock *vsock, const struct avps_vsock_config *config)
{
    struct avps_features offer = {{0}};

    if (vsock == NULL || config == NULL || !vsock_config_is_valid(config)) {
        return AVPS_E_PARAM;
    }
    (void)memset(vsock, 0, sizeof *vsock);
    vsock->ops = config->ops;
    vsock->ctx = config->ctx;
    vsock->guest_cid = config->guest_cid;
    vsock->conns = config->conns;
    vsock->conn_count = config->conn_count;
    vsock->buckets = config->buckets;
    vsock->bucket_count = config->bucket_count;
    avps_vsock_clear(vsock);
    avps_features_add(&offer, VIRTIO_VSOCK_F_STREAM);
    avps_features_add(&offer, VIRTIO_VSOCK_F_NO_IMPLIED_STREAM);
    if (config->seqpacket) {
        avps_features_add(&offer, VIRTIO_VSOCK_F_SEQPACKET);
    }
    return avps_device_init(&vsock->base, &vsock_device_ops, &config->base, &offer);
}
