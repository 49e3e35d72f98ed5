/* SPDX-License-Identifier: BSD-3-Clause */
/** @file vsock.h
 *  Socket device (id 19): streams and sequenced packets between a guest and the host or other guests,
 *  without a network [AVPS VSK-1].
 *
 *  Memory: the caller's; data is held by neither side of the device: what the guest sends goes to the
 *  back end within the call, what the back end sends goes into the guest's buffers. Threads: one
 *  context. Guest: can open as many connections as the table has; sends no more than a connection's
 *  credit, or loses it.
 *  Queues: 3 (to the guest, from the guest, events). Features of its own: STREAM, SEQPACKET,
 *  NO_IMPLIED_STREAM.
 *
 *  A connection begins with `request` (the guest's) or avps_vsock_connect (yours), and ends with
 *  `closed`, or with your avps_vsock_close. In between both sides send as far as the other's credit
 *  goes; credit is room that the receiver has: you state it once per connection, and give it back
 *  with avps_vsock_consumed.
 */
#ifndef AVPS_VSOCK_H
#define AVPS_VSOCK_H

#include "avps/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The host's context id. */
#define AVPS_VSOCK_HOST 2U

/** Kind of a socket. */
enum avps_vsock_type {
    AVPS_VSOCK_STREAM = 1,   /**< Bytes in order. */
    AVPS_VSOCK_SEQPACKET = 2 /**< Messages in order. */
};

/** Boundary behind the bytes of avps_vsock_send and `receive`; SEQPACKET only. */
enum avps_vsock_mark {
    AVPS_VSOCK_MESSAGE = 1, /**< A message ends here. */
    AVPS_VSOCK_RECORD = 2   /**< So does a record. */
};

/** Directions, seen from whoever shuts them down. */
enum avps_vsock_direction {
    AVPS_VSOCK_NO_RECEIVE = 1, /**< It will take no more data. */
    AVPS_VSOCK_NO_SEND = 2     /**< It will send no more data. */
};

/** Address of a connection; the guest's context id is the device's. */
struct avps_vsock_address {
    uint64_t peer_cid;         /**< AVPS_VSOCK_HOST, or another guest's. */
    uint32_t peer_port;        /**< The far side's port. */
    uint32_t guest_port;       /**< The guest's. */
    enum avps_vsock_type type; /**< Kind. */
};

/** A connection. The storage is the caller's; all fields but `user` are private. */
struct avps_vsock_conn {
    struct avps_vsock_address address; /**< Who talks to whom. */
    void *user;                        /**< Yours; NULL at first. */
    struct avps_vsock_conn *next;      /**< In its hash chain, or in the list of free ones. */
    struct avps_vsock_conn *owing;     /**< Next that owes the guest a packet. */
    uint32_t buf_alloc;                /**< Room that you have. */
    uint32_t rx_cnt;                   /**< Bytes that the guest sent. */
    uint32_t fwd_cnt;                  /**< Of these, consumed. */
    uint32_t told_fwd;                 /**< fwd_cnt in the last packet to the guest. */
    uint32_t peer_buf_alloc;           /**< Room that the guest has. */
    uint32_t peer_fwd_cnt;             /**< Bytes that it consumed. */
    uint32_t tx_cnt;                   /**< Bytes sent to it. */
    uint8_t state;                     /**< Where it is in its life. */
    uint8_t owed;                      /**< Packets that the guest has yet to get. */
    uint8_t guest_shut;                /**< Directions that the guest shut down. */
    uint8_t host_shut;                 /**< Directions that you shut down. */
    bool is_owing;                     /**< In the list of those that owe. */
    bool is_blocked;                   /**< A send found no room. */
};

/** What is behind the sockets. Ops are called from avps_poll; they may call everything below but
 *  avps_vsock_init. */
struct avps_vsock_ops {
    /** The guest wants a connection. Look at conn->address, set conn->user.
     *  @param[out] buf_alloc  With AVPS_OK: bytes that you can hold for it, at least 1.
     *  @return AVPS_OK: accepted; AVPS_PENDING: avps_vsock_accept or avps_vsock_close will follow;
     *  anything else: refused. */
    enum avps_status (*request)(void *ctx, struct avps_vsock_conn *conn, uint32_t *buf_alloc);
    /** The guest accepted your avps_vsock_connect. */
    void (*connected)(void *ctx, struct avps_vsock_conn *conn);
    /** The guest sent bytes: take them all, with avps_vsock_read, within the call. They fit into the
     *  room that you stated.
     *  @param len   1.. bytes.
     *  @param mark  OR of enum avps_vsock_mark, 0 for streams. */
    void (*receive)(void *ctx, struct avps_vsock_conn *conn, uint32_t len, uint32_t mark);
    /** After a send that found no room: there may be some now. */
    void (*writable)(void *ctx, struct avps_vsock_conn *conn);
    /** The guest shut directions down.
     *  @param directions  OR of enum avps_vsock_direction, from the guest's side; all so far. With
     *  both, finish what you have and avps_vsock_close. */
    void (*shutdown)(void *ctx, struct avps_vsock_conn *conn, uint32_t directions);
    /** The connection is gone: refused or reset by the guest, or by a fault of the guest, or with
     *  all others by a reset of the device. It is free when the op returns. */
    void (*closed)(void *ctx, struct avps_vsock_conn *conn);
};

/** Configuration. */
struct avps_vsock_config {
    struct avps_device_config base;   /**< queue_count 3. */
    const struct avps_vsock_ops *ops; /**< Required, all of them; outlives the device. */
    void *ctx;                        /**< Handed to the ops. */
    uint64_t guest_cid;               /**< 3 to 0xfffffffe. */
    struct avps_vsock_conn *conns;    /**< Required: storage for `conn_count` connections. */
    uint32_t conn_count;              /**< 1..65536. */
    struct avps_vsock_conn **buckets; /**< Required: storage of the hash table. */
    uint32_t bucket_count;            /**< A power of two, 1..65536; about `conn_count`. */
    bool seqpacket;                   /**< Offer SEQPACKET. */
};

/** Counters of a socket device. */
struct avps_vsock_counters {
    uint64_t requests;    /**< Connections that the guest asked for. */
    uint64_t connects;    /**< Connections that you asked for. */
    uint64_t established; /**< Connections that came about. */
    uint64_t refused;     /**< Requests of the guest that were refused, for lack of room too. */
    uint64_t resets;      /**< Reset packets sent to the guest. */
    uint64_t from_guest;  /**< Payload bytes. */
    uint64_t to_guest;    /**< Payload bytes. */
    uint64_t
        malformed;   /**< Packets dropped: too short, too long, a source that is not the guest. */
    uint64_t broken; /**< Connections reset because the guest broke a rule: credit, state,
                               an operation or type that there is none of. */
    uint64_t unread; /**< `receive` did not take all bytes; the connection was reset. */
};

/** Reset packets without a connection that wait for a buffer of the guest. */
#define AVPS_VSOCK_REPLIES 32U

/** A reset packet without a connection. Private. */
struct avps_vsock_reply {
    struct avps_vsock_address address; /**< To whom. */
    uint16_t type;                     /**< As it came. */
};

/** A socket device. Fields are private. */
struct avps_vsock {
    struct avps_device base;                             /**< The device. */
    const struct avps_vsock_ops *ops;                    /**< Back end. */
    void *ctx;                                           /**< Its context. */
    uint64_t guest_cid;                                  /**< The guest. */
    struct avps_vsock_conn **buckets;                    /**< Hash table. */
    uint32_t bucket_count;                               /**< Its size. */
    struct avps_vsock_conn *conns;                       /**< All connections. */
    uint32_t conn_count;                                 /**< How many. */
    uint32_t open_count;                                 /**< In use. */
    struct avps_vsock_conn *unused;                      /**< Those that are free. */
    struct avps_vsock_conn *owing;                       /**< Oldest that owes packets. */
    struct avps_vsock_conn *owing_last;                  /**< Newest. */
    struct avps_vsock_reply replies[AVPS_VSOCK_REPLIES]; /**< A ring of them. */
    uint32_t reply_first;                                /**< Oldest. */
    uint32_t reply_count;                                /**< How many. */
    uint32_t blocked;                                    /**< Connections with a blocked send. */
    bool reset_event;                    /**< The guest has to be told of a reset. */
    bool forgetting;                     /**< All connections are being closed. */
    struct avps_chain *reading;          /**< Packet that `receive` reads. */
    uint32_t reading_left;               /**< Of its payload. */
    struct avps_vsock_counters counters; /**< Counters. */
};

/** Initialise. @return AVPS_OK; AVPS_E_PARAM. */
AVPS_NODISCARD enum avps_status avps_vsock_init(struct avps_vsock *vsock,
                                                const struct avps_vsock_config *config);

/** Ask the guest for a connection. `connected` follows, or `closed`.
 *  @param buf_alloc  Bytes that you can hold for it, at least 1.
 *  @param[out] conn  The connection; set its `user` at once.
 *  @return AVPS_OK; AVPS_E_PARAM: an address that cannot be, or no room; AVPS_E_STATE: it exists, or
 *  the guest's driver is not there; AVPS_E_UNSUPPORTED: the guest knows no such sockets;
 *  AVPS_E_NOSPACE: the table is full. */
AVPS_NODISCARD enum avps_status avps_vsock_connect(struct avps_vsock *vsock,
                                                   const struct avps_vsock_address *address,
                                                   uint32_t buf_alloc,
                                                   struct avps_vsock_conn **conn);

/** Accept what `request` left pending. @return AVPS_OK; AVPS_E_PARAM; AVPS_E_STATE. */
AVPS_NODISCARD enum avps_status avps_vsock_accept(struct avps_vsock *vsock,
                                                  struct avps_vsock_conn *conn, uint32_t buf_alloc);

/** Copy the next bytes of the packet that `receive` is about; only inside it.
 *  @return AVPS_OK; AVPS_E_PARAM: more than are left; AVPS_E_STATE: not inside; AVPS_E_IO or a guest
 *  fault: memory did not give them, and the connection will be reset. */
AVPS_NODISCARD enum avps_status avps_vsock_read(struct avps_vsock *vsock, void *dst, uint32_t len);

/** Bytes that you received were passed on: the guest may send as many more. More than were received
 *  count as all. */
void avps_vsock_consumed(struct avps_vsock *vsock, struct avps_vsock_conn *conn, uint32_t len);

/** Send bytes.
 *  @param mark       OR of enum avps_vsock_mark behind the last byte; 0 for streams.
 *  @param[out] sent  How many went; with fewer than `len`, `writable` follows, and the rest, with its
 *                    mark, is to be sent then.
 *  @return AVPS_OK; AVPS_AGAIN: none went, `writable` follows; AVPS_E_PARAM; AVPS_E_STATE: not
 *  connected, or a direction was shut down; AVPS_E_IO: the guest's memory failed. */
AVPS_NODISCARD enum avps_status avps_vsock_send(struct avps_vsock *vsock,
                                                struct avps_vsock_conn *conn, const void *bytes,
                                                uint32_t len, uint32_t mark, uint32_t *sent);

/** Tell the guest that directions are shut down, for good.
 *  @param directions  OR of enum avps_vsock_direction, from your side. */
void avps_vsock_shutdown(struct avps_vsock *vsock, struct avps_vsock_conn *conn,
                         uint32_t directions);

/** End a connection, or refuse one that is pending: the guest gets a reset. It is free when the call
 *  returns; `closed` is not called. */
void avps_vsock_close(struct avps_vsock *vsock, struct avps_vsock_conn *conn);

/** Connections open now. */
uint32_t avps_vsock_open_count(const struct avps_vsock *vsock);

/** The guest was moved, or its peers were: all connections are closed (`closed`), and the driver is
 *  told to read its context id again.
 *  @param guest_cid  The new one, or the old one. @return AVPS_OK; AVPS_E_PARAM. */
AVPS_NODISCARD enum avps_status avps_vsock_transport_reset(struct avps_vsock *vsock,
                                                           uint64_t guest_cid);

/** Counters; valid as long as the device is. */
const struct avps_vsock_counters *avps_vsock_counters(const struct avps_vsock *vsock);

#ifdef __cplusplus
}
#endif
#endif
