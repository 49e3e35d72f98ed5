/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections of a socket device: their table -> packets to the guest -> packets that are owed -> ends
 * -> credit and sending. */
#include "devices/vsock_internal.h"

/* ---- table of connections ---- */

static struct avps_vsock_conn **table_bucket(const struct avps_vsock *vsock,
                                             const struct avps_vsock_address *address)
{
    uint32_t mix = address->guest_port * 0x9e3779b1U;

    mix = (mix ^ (mix >> 15)) + address->peer_port * 0x85ebca6bU;
    mix = (mix ^ (mix >> 13)) + (uint32_t)address->peer_cid * 0xc2b2ae35U + address->type;
    return &vsock->buckets[(mix ^ (mix >> 16)) & (vsock->bucket_count - 1U)];
}

static bool address_is_same(const struct avps_vsock_address *a, const struct avps_vsock_address *b)
{
    return a->peer_cid == b->peer_cid && a->peer_port == b->peer_port &&
           a->guest_port == b->guest_port && a->type == b->type;
}

struct avps_vsock_conn *avps_vsock_find(const struct avps_vsock *vsock,
                                        const struct avps_vsock_address *address)
{
    struct avps_vsock_conn *conn = *table_bucket(vsock, address);

    while (conn != NULL && !address_is_same(&conn->address, address)) {
        conn = conn->next;
    }
    return conn;
}

/* A connection with this address, which is not in the table; NULL: all are in use. */
struct avps_vsock_conn *avps_vsock_add(struct avps_vsock *vsock,
                                       const struct avps_vsock_address *address,
                                       enum vsock_state state)
{
    struct avps_vsock_conn *conn = vsock->unused;
    struct avps_vsock_conn **bucket = table_bucket(vsock, address);

    if (conn == NULL) {
        return NULL;
    }
    vsock->unused = conn->next;
    *conn = (struct avps_vsock_conn){.address = *address, .next = *bucket, .state = (uint8_t)state};
    *bucket = conn;
    vsock->open_count++;
    return conn;
}

void avps_vsock_remove(struct avps_vsock *vsock, struct avps_vsock_conn *conn)
{
    struct avps_vsock_conn **link = table_bucket(vsock, &conn->address);

    while (*link != conn) {
        link = &(*link)->next;
    }
    *link = conn->next;
    conn->state = CONN_FREE;
    conn->next = vsock->unused;
    vsock->unused = conn;
    vsock->open_count--;
}

void avps_vsock_clear(struct avps_vsock *vsock)
{
    vsock->unused = NULL;
    vsock->open_count = 0;
    for (uint32_t i = 0; i < vsock->bucket_count; i++) {
        vsock->buckets[i] = NULL;
    }
    for (uint32_t i = vsock->conn_count; i > 0U; i--) {
        struct avps_vsock_conn *conn = &vsock->conns[i - 1U];

        *conn = (struct avps_vsock_conn){.next = vsock->unused};
        vsock->unused = conn;
    }
}

/* ---- packets to the guest ---- */

/* A packet on its way: who, what, and how much of which bytes. */
struct vsock_packet {
    const struct avps_vsock_address *address;
    enum vsock_op op;
    uint16_t type; /* as on the wire: a reply has that of what it answers */
    uint32_t flags;
    uint32_t buf_alloc;
    uint32_t fwd_cnt;
    const uint8_t *bytes;
    uint32_t len;
};

/* [vsock-3.2] */
static struct vsock_packet packet_of(const struct avps_vsock_conn *conn, enum vsock_op op)
{
    return (struct vsock_packet){.address = &conn->address,
                                 .op = op,
                                 .type = (uint16_t)conn->address.type,
                                 .buf_alloc = conn->buf_alloc,
                                 .fwd_cnt = conn->fwd_cnt};
}

static void packet_header(const struct avps_vsock *vsock, const struct vsock_packet *packet,
                          struct virtio_vsock_hdr *hdr)
{
    hdr->src_cid = avps_le64_of(packet->address->peer_cid);
    hdr->dst_cid = avps_le64_of(vsock->guest_cid);
    hdr->src_port = avps_le32_of(packet->address->peer_port);
    hdr->dst_port = avps_le32_of(packet->address->guest_port);
    hdr->len = avps_le32_of(packet->len);
    hdr->type = avps_le16_of(packet->type);
    hdr->op = avps_le16_of((uint16_t)packet->op);
    hdr->flags = avps_le32_of(packet->flags);
    hdr->buf_alloc = avps_le32_of(packet->buf_alloc);
    hdr->fwd_cnt = avps_le32_of(packet->fwd_cnt);
}

/* The buffer of the guest that is being filled. */
static struct avps_chain *rx_chain(const struct avps_vsock *vsock)
{
    return &vsock->base.queues[QUEUE_RX].scratch;
}

/* Into the buffer that was taken, all of the packet or nothing. */
static enum avps_status vsock_write(struct avps_vsock *vsock, const struct vsock_packet *packet)
{
    struct avps_chain *chain = rx_chain(vsock);
    struct virtio_vsock_hdr hdr;
    enum avps_status status = AVPS_OK;

    packet_header(vsock, packet, &hdr);
    status = avps_chain_write(chain, &hdr, sizeof hdr);
    if (status == AVPS_OK && packet->len != 0U) {
        status = avps_chain_write(chain, packet->bytes, packet->len);
    }
    if (status != AVPS_OK) {
        chain->written = 0;
    }
    return avps_device_give_supply(&vsock->base, QUEUE_RX, chain, status);
}

/* Take a buffer of the guest. @param[out] room  Payload that it has room for. */
static enum avps_status vsock_take(struct avps_vsock *vsock, uint32_t *room)
{
    struct avps_chain *chain = rx_chain(vsock);
    const enum avps_status status = avps_device_take_supply(&vsock->base, QUEUE_RX, chain);

    if (status != AVPS_OK) {
        return status;
    }
    if (avps_chain_writable(chain) < sizeof(struct virtio_vsock_hdr)) {
        avps_device_refuse(&vsock->base, QUEUE_RX, chain, AVPS_E_GUEST_SIZE);
        return AVPS_E_GUEST_SIZE;
    }
    *room = avps_chain_writable(chain) - (uint32_t)sizeof(struct virtio_vsock_hdr);
    return AVPS_OK;
}

/* A packet without payload. @return whether it went. */
static bool vsock_put(struct avps_vsock *vsock, const struct vsock_packet *packet)
{
    uint32_t room = 0;

    return vsock_take(vsock, &room) == AVPS_OK && vsock_write(vsock, packet) == AVPS_OK;
}

/* ---- packets that are owed ---- */

void avps_vsock_owe(struct avps_vsock *vsock, struct avps_vsock_conn *conn, uint8_t what)
{
    conn->owed |= what;
    if (conn->is_owing) {
        return;
    }
    conn->is_owing = true;
    conn->owing = NULL;
    if (vsock->owing_last != NULL) {
        vsock->owing_last->owing = conn;
    } else {
        vsock->owing = conn;
    }
    vsock->owing_last = conn;
}

/* The first in the list owes nothing more. */
static void vsock_owes_nothing(struct avps_vsock *vsock, struct avps_vsock_conn *conn)
{
    vsock->owing = conn->owing;
    vsock->owing_last = vsock->owing != NULL ? vsock->owing_last : NULL;
    conn->owing = NULL;
    conn->is_owing = false;
    if (conn->state == CONN_CLOSING) {
        avps_vsock_remove(vsock, conn);
    }
}

static enum vsock_op owed_op(uint32_t what)
{
    switch (what) {
    case OWED_REQUEST:
        return VIRTIO_VSOCK_OP_REQUEST;
    case OWED_RESPONSE:
        return VIRTIO_VSOCK_OP_RESPONSE;
    case OWED_SHUTDOWN:
        return VIRTIO_VSOCK_OP_SHUTDOWN;
    case OWED_CREDIT_UPDATE:
        return VIRTIO_VSOCK_OP_CREDIT_UPDATE;
    case OWED_CREDIT_REQUEST:
        return VIRTIO_VSOCK_OP_CREDIT_REQUEST;
    default:
        return VIRTIO_VSOCK_OP_RST;
    }
}

/* One packet of the connection's. @return whether it went. */
static bool vsock_pay_one(struct avps_vsock *vsock, struct avps_vsock_conn *conn)
{
    const uint32_t what = conn->owed & (~(uint32_t)conn->owed + 1U); /* lowest bit */
    struct vsock_packet packet = packet_of(conn, owed_op(what));

    packet.flags = what == OWED_SHUTDOWN ? conn->host_shut : 0U;
    if (!vsock_put(vsock, &packet)) {
        return false;
    }
    conn->owed &= (uint8_t)~what;
    conn->told_fwd = conn->fwd_cnt;
    vsock->counters.resets += what == OWED_RST ? 1U : 0U;
    return true;
}

/* Everything that a connection owes. @return whether nothing is left. */
static bool vsock_pay_conn(struct avps_vsock *vsock, struct avps_vsock_conn *conn)
{
    while (conn->owed != 0U) {
        if (!vsock_pay_one(vsock, conn)) {
            return false;
        }
    }
    return true;
}

static bool vsock_pay_conns(struct avps_vsock *vsock)
{
    while (vsock->owing != NULL) {
        struct avps_vsock_conn *conn = vsock->owing;

        if (!vsock_pay_conn(vsock, conn)) {
            return false;
        }
        vsock_owes_nothing(vsock, conn);
    }
    return true;
}

static bool vsock_pay_replies(struct avps_vsock *vsock)
{
    while (vsock->reply_count != 0U) {
        const struct avps_vsock_reply *reply = &vsock->replies[vsock->reply_first];
        const struct vsock_packet packet = {
            .address = &reply->address, .op = VIRTIO_VSOCK_OP_RST, .type = reply->type};

        if (!vsock_put(vsock, &packet)) {
            return false;
        }
        vsock->counters.resets++;
        vsock->reply_first = (vsock->reply_first + 1U) % AVPS_VSOCK_REPLIES;
        vsock->reply_count--;
    }
    return true;
}

/* What has to go to the guest, goes. @return whether nothing is left. */
bool avps_vsock_pay(struct avps_vsock *vsock)
{
    const bool is_paid = vsock_pay_replies(vsock) && vsock_pay_conns(vsock);

    avps_device_flush(&vsock->base, QUEUE_RX);
    return is_paid;
}

/* A reset without a connection; there is room for it. */
void avps_vsock_reply(struct avps_vsock *vsock, const struct avps_vsock_address *address,
                      uint16_t type)
{
    const uint32_t at = (vsock->reply_first + vsock->reply_count) % AVPS_VSOCK_REPLIES;

    vsock->replies[at] = (struct avps_vsock_reply){*address, type};
    vsock->reply_count++;
}

/* ---- ends of connections ---- */

/* The back end does not know it any more. The guest is to be told. */
void avps_vsock_end(struct avps_vsock *vsock, struct avps_vsock_conn *conn)
{
    vsock->blocked -= conn->is_blocked ? 1U : 0U;
    conn->is_blocked = false;
    conn->state = CONN_CLOSING;
    conn->owed = 0;
    conn->user = NULL;
    avps_vsock_owe(vsock, conn, OWED_RST);
}

/* The guest broke a rule. */
void avps_vsock_break(struct avps_vsock *vsock, struct avps_vsock_conn *conn)
{
    vsock->counters.broken++;
    vsock->ops->closed(vsock->ctx, conn);
    avps_vsock_end(vsock, conn);
}

/* The guest reset it. */
void avps_vsock_gone(struct avps_vsock *vsock, struct avps_vsock_conn *conn)
{
    if (conn->state != CONN_CLOSING) {
        vsock->ops->closed(vsock->ctx, conn);
    }
    avps_vsock_end(vsock, conn);
    conn->owed = 0; /* it knows */
}

/* ---- credit ---- */

/* Payload that the guest has room for. [vsock-3.1] Counters that make no sense give none. */
static uint32_t vsock_guest_credit(const struct avps_vsock_conn *conn)
{
    const uint32_t on_the_way = conn->tx_cnt - conn->peer_fwd_cnt;

    return on_the_way < conn->peer_buf_alloc ? conn->peer_buf_alloc - on_the_way : 0U;
}

/* A blocked send may go on. */
void avps_vsock_unblock(struct avps_vsock *vsock, struct avps_vsock_conn *conn)
{
    if (conn->is_blocked && conn->state == CONN_OPEN && vsock_guest_credit(conn) != 0U) {
        conn->is_blocked = false;
        vsock->blocked--;
        vsock->ops->writable(vsock->ctx, conn);
    }
}

/* Buffers came: every blocked connection is asked once, as long as there are buffers. */
void avps_vsock_unblock_all(struct avps_vsock *vsock)
{
    for (uint32_t i = 0; i < vsock->conn_count && vsock->blocked != 0U; i++) {
        avps_vsock_unblock(vsock, &vsock->conns[i]);
    }
}

void avps_vsock_block(struct avps_vsock *vsock, struct avps_vsock_conn *conn)
{
    vsock->blocked += conn->is_blocked ? 0U : 1U;
    conn->is_blocked = true;
    if (vsock_guest_credit(conn) == 0U) {
        avps_vsock_owe(vsock, conn, OWED_CREDIT_REQUEST);
        (void)avps_vsock_pay(vsock);
    }
}

/* One packet of what is left, as long as buffer and credit allow. */
enum avps_status avps_vsock_send_one(struct avps_vsock *vsock, struct avps_vsock_conn *conn,
                                     const uint8_t *bytes, uint32_t left, uint32_t mark,
                                     uint32_t *sent)
{
    const uint32_t credit = vsock_guest_credit(conn);
    struct vsock_packet packet = packet_of(conn, VIRTIO_VSOCK_OP_RW);
    uint32_t room = 0;

    if (credit == 0U && left != 0U) {
        return AVPS_AGAIN;
    }
    enum avps_status status = vsock_take(vsock, &room);

    if (status != AVPS_OK) {
        return status == AVPS_EMPTY || status == AVPS_AGAIN ? AVPS_AGAIN : AVPS_E_IO;
    }
    room = room < credit ? room : credit;
    packet.bytes = bytes;
    packet.len = left < room ? left : room;
    packet.flags = packet.len == left ? mark : 0U;
    if (packet.len == 0U && left != 0U) { /* a buffer without room for a byte */
        avps_device_refuse(&vsock->base, QUEUE_RX, rx_chain(vsock), AVPS_E_GUEST_SIZE);
        return AVPS_E_IO;
    }
    status = vsock_write(vsock, &packet);
    if (status == AVPS_OK) {
        *sent = packet.len;
        conn->tx_cnt += packet.len;
        conn->told_fwd = conn->fwd_cnt;
        vsock->counters.to_guest += packet.len;
    }
    return status == AVPS_OK || status == AVPS_AGAIN ? status : AVPS_E_IO;
}
