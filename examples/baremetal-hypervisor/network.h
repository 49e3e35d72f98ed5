/* SPDX-License-Identifier: BSD-3-Clause */
/* Networks between guests: a switch of the library each, and the network devices on them. A switch and all
 * of its devices share one context: one lock guards all networks, and is taken around every access to a
 * network device and every turn of it. See devices.h. */
#ifndef HYP_NETWORK_H
#define HYP_NETWORK_H

#include "avps/net.h"
#include "avps/switch.h"
#include "avps_common/platform.h"

struct network;

/* A network device and its port. */
struct card {
    struct avps_net net;
    struct avps_net_pair pair[1];
    struct avps_queue queues[3];
    struct network *network;
    uint16_t port;
};

extern const struct devices_kind network_kind;

/* Make the networks of the platform, before devices. @return NULL, or the name of the one that cannot be
 * made. */
const char *network_init(const struct avps_platform *platform);

#endif
