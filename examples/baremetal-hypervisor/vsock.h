/* SPDX-License-Identifier: BSD-3-Clause */
/* The socket device, and what answers for the host: port 5000 sends back what it gets, and a service of the
 * guest's on port 6000 is used once when there is one. See devices.h. */
#ifndef HYP_VSOCK_H
#define HYP_VSOCK_H

#include "avps/vsock.h"

#define VSOCK_CONNS   128U
#define VSOCK_BUCKETS 128U

struct talk;

struct sockets {
    struct avps_vsock vsock;
    struct avps_queue queues[3];
    struct avps_vsock_conn conns[VSOCK_CONNS];
    struct avps_vsock_conn *buckets[VSOCK_BUCKETS];
    struct talk *talks; /* one for each connection */
    bool is_awake;      /* programs of the guest use sockets */
    bool visiting;      /* the guest's service, or trying to */
    bool visited;
    uint64_t visit_ns;
    uint64_t echoed;
    uint64_t visits;   /* whose bytes all came back */
    uint64_t mistakes; /* bytes that came back different, or not at all */
};

extern const struct devices_kind vsock_kind;

#endif
