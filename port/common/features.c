/* SPDX-License-Identifier: BSD-3-Clause */
/* The words, then looking them up. */
#include "features.h"

#include "avps/blk.h"
#include "avps/net.h"
#include "line.h"

#define FEATURES_COUNT(rows) ((uint32_t)(sizeof(rows) / sizeof(rows)[0]))

static const struct feature features_common_rows[] = {
    {"indirect-desc", AVPS_F_INDIRECT_DESC, NULL},
    {"event-idx", AVPS_F_EVENT_IDX, NULL},
    {"in-order", AVPS_F_IN_ORDER, NULL},
    {"notification-data", AVPS_F_NOTIFICATION_DATA, NULL},
    {"notif-config-data", AVPS_F_NOTIF_CONFIG_DATA, NULL},
    {"ring-reset", AVPS_F_RING_RESET, NULL},
    {"suspend", AVPS_F_SUSPEND, NULL},
};

/* The library's headers have no names for the bits of some devices. */
static const struct feature features_blk_rows[] = {
    {"size-max", 1U, NULL},       {"seg-max", 2U, NULL},   {"geometry", 4U, NULL},
    {"blk-size", 6U, NULL},       {"flush", 9U, NULL},     {"topology", 10U, NULL},
    {"config-wce", 11U, "flush"}, {"mq", 12U, NULL},       {"discard", 13U, NULL},
    {"write-zeroes", 14U, NULL},  {"lifetime", 15U, NULL}, {"secure-erase", 16U, NULL},
};

static const struct feature features_net_rows[] = {
    {"csum", AVPS_NET_F_CSUM, NULL},
    {"guest-csum", AVPS_NET_F_GUEST_CSUM, NULL},
    {"ctrl-guest-offloads", AVPS_NET_F_CTRL_GUEST_OFFLOADS, "ctrl-vq"},
    {"mtu", AVPS_NET_F_MTU, NULL},
    {"mac", AVPS_NET_F_MAC, NULL},
    {"guest-tso4", AVPS_NET_F_GUEST_TSO4, "guest-csum"},
    {"guest-tso6", AVPS_NET_F_GUEST_TSO6, "guest-csum"},
    {"guest-ecn", AVPS_NET_F_GUEST_ECN, "guest-csum"},
    {"guest-ufo", AVPS_NET_F_GUEST_UFO, "guest-csum"},
    {"host-tso4", AVPS_NET_F_HOST_TSO4, "csum"},
    {"host-tso6", AVPS_NET_F_HOST_TSO6, "csum"},
    {"host-ecn", AVPS_NET_F_HOST_ECN, "csum"},
    {"host-ufo", AVPS_NET_F_HOST_UFO, "csum"},
    {"mrg-rxbuf", AVPS_NET_F_MRG_RXBUF, NULL},
    {"status", AVPS_NET_F_STATUS, NULL},
    {"ctrl-vq", AVPS_NET_F_CTRL_VQ, NULL},
    {"ctrl-rx", AVPS_NET_F_CTRL_RX, "ctrl-vq"},
    {"ctrl-vlan", AVPS_NET_F_CTRL_VLAN, "ctrl-vq"},
    {"ctrl-rx-extra", AVPS_NET_F_CTRL_RX_EXTRA, "ctrl-rx"},
    {"guest-announce", AVPS_NET_F_GUEST_ANNOUNCE, "ctrl-vq"},
    {"mq", AVPS_NET_F_MQ, "ctrl-vq"},
    {"ctrl-mac-addr", AVPS_NET_F_CTRL_MAC_ADDR, "ctrl-vq"},
    {"hash-tunnel", AVPS_NET_F_HASH_TUNNEL, "ctrl-vq"},
    {"vq-notf-coal", AVPS_NET_F_VQ_NOTF_COAL, "ctrl-vq"},
    {"notf-coal", AVPS_NET_F_NOTF_COAL, "ctrl-vq"},
    {"guest-uso4", AVPS_NET_F_GUEST_USO4, "guest-csum"},
    {"guest-uso6", AVPS_NET_F_GUEST_USO6, "guest-csum"},
    {"host-uso", AVPS_NET_F_HOST_USO, "csum"},
    {"hash-report", AVPS_NET_F_HASH_REPORT, NULL},
    {"guest-hdrlen", AVPS_NET_F_GUEST_HDRLEN, NULL},
    {"rss", AVPS_NET_F_RSS, "ctrl-vq"},
    {"speed-duplex", AVPS_NET_F_SPEED_DUPLEX, NULL},
};

static const struct feature features_console_rows[] = {
    {"size", 0U, NULL},
    {"multiport", 1U, NULL},
    {"emerg-write", 2U, NULL},
};

static const struct feature features_vsock_rows[] = {
    {"stream", 0U, NULL},
    {"seqpacket", 1U, NULL},
    {"no-implied-stream", 2U, NULL},
};

const struct feature_set features_common = {features_common_rows,
                                            FEATURES_COUNT(features_common_rows)};
const struct feature_set features_blk = {features_blk_rows, FEATURES_COUNT(features_blk_rows)};
const struct feature_set features_net = {features_net_rows, FEATURES_COUNT(features_net_rows)};
const struct feature_set features_console = {features_console_rows,
                                             FEATURES_COUNT(features_console_rows)};
const struct feature_set features_vsock = {features_vsock_rows,
                                           FEATURES_COUNT(features_vsock_rows)};
static const struct feature_set features_none = {NULL, 0};

const struct feature_set *features_of(enum avps_platform_kind kind)
{
    static const struct feature_set *const sets[] = {
        [AVPS_PLATFORM_BLK] = &features_blk,         [AVPS_PLATFORM_NET] = &features_net,
        [AVPS_PLATFORM_CONSOLE] = &features_console, [AVPS_PLATFORM_RNG] = &features_none,
        [AVPS_PLATFORM_I2C] = &features_none,        [AVPS_PLATFORM_VSOCK] = &features_vsock};

    return sets[kind];
}

const struct feature *features_find(const struct feature_set *set, const char *name)
{
    for (uint32_t i = 0; i < set->count; i++) {
        if (line_same(set->rows[i].name, name)) {
            return &set->rows[i];
        }
    }
    return NULL;
}
