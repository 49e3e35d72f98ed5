/* SPDX-License-Identifier: BSD-3-Clause */
/** @file vsock.h
 *  Sockets of a guest as Unix sockets of the host: a back end for avps/vsock.h. Streams only.
 *
 *  Memory: allocated at open and for each connection (48 KiB), given back at close. Threads: the
 *  loop's context. Guest: reaches the Unix sockets beside `path` that somebody listens on, and as
 *  many connections as were configured.
 *
 *  A program of the host that connects to `path` and writes "CONNECT 1234" and a newline is connected
 *  to port 1234 of the guest, if it listens there: it reads "OK", a space, the host's port and a
 *  newline, then what the guest sends; else its connection ends. A guest that connects to port 5000 of
 *  the host is connected to the Unix socket `path` with "_5000" behind it.
 *
 *  Order: avps_posix_vsock_open, avps_posix_vsock_describe into the device's configuration,
 *  avps_vsock_init, avps_posix_vsock_attach; at the end the device is reset, then
 *  avps_posix_vsock_close.
 */
#ifndef AVPS_POSIX_VSOCK_H
#define AVPS_POSIX_VSOCK_H

#include "avps/vsock.h"
#include "avps_posix/error.h"
#include "avps_posix/loop.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Connections at most. */
#define AVPS_POSIX_VSOCK_CONNS 16384U

/** What to open. */
struct avps_posix_vsock_config {
    const char *path;             /**< Required: where programs of the host connect. */
    struct avps_posix_loop *loop; /**< Required. */
    uint32_t connections;         /**< At most, 1..AVPS_POSIX_VSOCK_CONNS. */
};

/** What happened. */
struct avps_posix_vsock_counters {
    uint64_t from_host; /**< Connections that programs of the host asked for. */
    uint64_t no_port;   /**< Requests of the guest for a port that nobody listens on. */
    uint64_t failed;    /**< Connections that ended with an error of the host. */
    int last_error;     /**< errno of the last one; 0: none failed. */
};

/** The guest's sockets. */
struct avps_posix_vsock;

/** Begin to listen.
 *  @return AVPS_OK; AVPS_E_PARAM; AVPS_E_STATE if another program listens there; AVPS_E_IO;
 *  AVPS_E_NOSPACE without memory. */
AVPS_NODISCARD enum avps_status avps_posix_vsock_open(struct avps_posix_vsock **sockets,
                                                      const struct avps_posix_vsock_config *config,
                                                      struct avps_posix_error *error);

/** Fill in ops, ctx and the storage of connections; the guest's context id is yours. */
void avps_posix_vsock_describe(struct avps_posix_vsock *sockets, struct avps_vsock_config *config);

/** Name the device, after avps_vsock_init. */
void avps_posix_vsock_attach(struct avps_posix_vsock *sockets, struct avps_vsock *vsock);

/** Counters; valid until the close. */
const struct avps_posix_vsock_counters *
avps_posix_vsock_counters(const struct avps_posix_vsock *sockets);

/** End all connections and remove the socket. NULL is ignored. */
void avps_posix_vsock_close(struct avps_posix_vsock *sockets);

#ifdef __cplusplus
}
#endif
#endif
