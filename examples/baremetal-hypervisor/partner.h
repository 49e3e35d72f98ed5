/* SPDX-License-Identifier: BSD-3-Clause */
/* Who else is on a network: a partner that answers guests (peer.h), and a bystander that counts what it
 * hears, which a switch that learns keeps small. */
#ifndef HYP_PARTNER_H
#define HYP_PARTNER_H

#include <stdint.h>

#include "avps/switch.h"
#include "avps_common/platform.h"
#include "peer.h"

#define PARTNER_FRAME  1518U
#define PARTNER_FRAMES 64U /* that can wait for the partner */
#define PARTNER_PORTS  2U

struct partner_frame {
    uint32_t len;
    uint8_t bytes[PARTNER_FRAME];
};

struct partner {
    struct peer peer;
    struct avps_switch *lan;
    struct partner_frame waiting[PARTNER_FRAMES];
    uint32_t head; /* next frame to answer; runs on */
    uint32_t tail; /* next free place */
    uint64_t missed;
    uint64_t overheard;
};

/* Take the first PARTNER_PORTS ports of `lan`, as the uplink of `network`. */
AVPS_NODISCARD enum avps_status partner_init(struct partner *partner, struct avps_switch *lan,
                                             const struct avps_platform_network *network);

/* Answer what came. */
void partner_run(struct partner *partner);

#endif
