/* SPDX-License-Identifier: BSD-3-Clause */
/* What the two halves of the socket device share: its packets, and the connections of vsock_conn.c. */
#ifndef AVPS_VSOCK_INTERNAL_H
#define AVPS_VSOCK_INTERNAL_H

#include "avps/vsock.h"

#include "devices/device_internal.h"

enum vsock_op {
    VIRTIO_VSOCK_OP_INVALID,
    VIRTIO_VSOCK_OP_REQUEST,
    VIRTIO_VSOCK_OP_RESPONSE,
    VIRTIO_VSOCK_OP_RST,
    VIRTIO_VSOCK_OP_SHUTDOWN,
    VIRTIO_VSOCK_OP_RW,
    VIRTIO_VSOCK_OP_CREDIT_UPDATE,
    VIRTIO_VSOCK_OP_CREDIT_REQUEST
};

struct virtio_vsock_hdr {
    avps_le64 src_cid;
    avps_le64 dst_cid;
    avps_le32 src_port;
    avps_le32 dst_port;
    avps_le32 len;
    avps_le16 type;
    avps_le16 op;
    avps_le32 flags;
    avps_le32 buf_alloc;
    avps_le32 fwd_cnt;
};
AVPS_WIRE_SIZE(struct virtio_vsock_hdr, 44);

enum vsock_queue { QUEUE_RX, QUEUE_TX, QUEUE_EVENT, QUEUE_COUNT };

enum vsock_state {
    CONN_FREE,
    CONN_GUEST_ASKED, /* the back end has not answered */
    CONN_HOST_ASKED,  /* the guest has not answered */
    CONN_OPEN,
    CONN_CLOSING /* the back end is through with it; the guest has yet to be told */
};

/* Packets that a connection owes the guest, in the order in which they go. */
#define OWED_REQUEST        1U
#define OWED_RESPONSE       2U
#define OWED_RST            4U
#define OWED_SHUTDOWN       8U
#define OWED_CREDIT_UPDATE  16U
#define OWED_CREDIT_REQUEST 32U

/* The connection with an address, or NULL. */
struct avps_vsock_conn *avps_vsock_find(const struct avps_vsock *vsock,
                                        const struct avps_vsock_address *address);
/* A connection with an address that is not in the table; NULL: all are in use. */
struct avps_vsock_conn *avps_vsock_add(struct avps_vsock *vsock,
                                       const struct avps_vsock_address *address,
                                       enum vsock_state state);
void avps_vsock_remove(struct avps_vsock *vsock, struct avps_vsock_conn *conn);
/* No connection is left, whatever there was. */
void avps_vsock_clear(struct avps_vsock *vsock);

/* The guest has to get packets, an OR of OWED_. */
void avps_vsock_owe(struct avps_vsock *vsock, struct avps_vsock_conn *conn, uint8_t what);
/* A reset without a connection; there is room for it. */
void avps_vsock_reply(struct avps_vsock *vsock, const struct avps_vsock_address *address,
                      uint16_t type);
/* What has to go to the guest, goes. @return whether nothing is left. */
bool avps_vsock_pay(struct avps_vsock *vsock);

/* The back end does not know it any more; the guest has yet to be told. */
void avps_vsock_end(struct avps_vsock *vsock, struct avps_vsock_conn *conn);
/* The guest broke a rule: both are told. */
void avps_vsock_break(struct avps_vsock *vsock, struct avps_vsock_conn *conn);
/* The guest reset it: the back end is told. */
void avps_vsock_gone(struct avps_vsock *vsock, struct avps_vsock_conn *conn);

/* A send found no room: the back end is told when there is some. */
void avps_vsock_block(struct avps_vsock *vsock, struct avps_vsock_conn *conn);
/* If it is blocked and the guest has credit: tell. */
void avps_vsock_unblock(struct avps_vsock *vsock, struct avps_vsock_conn *conn);
/* The same for all, once each. */
void avps_vsock_unblock_all(struct avps_vsock *vsock);
/* One packet of `left` bytes, as far as buffer and credit allow.
 *  AVPS_OK, with `*sent` bytes; AVPS_AGAIN: no room; AVPS_E_IO. */
enum avps_status avps_vsock_send_one(struct avps_vsock *vsock, struct avps_vsock_conn *conn,
                                     const uint8_t *bytes, uint32_t left, uint32_t mark,
                                     uint32_t *sent);

#endif
