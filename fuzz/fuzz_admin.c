/* SPDX-License-Identifier: BSD-3-Clause */
/* Administration virtqueue of a network device with flow filters: commands from the input, frames of
 * the host that the rules are tried on, and what the device keeps is looked at after each. */
#include <string.h>

#include "avps/admin.h"
#include "avps/net.h"
#include "guest.h"

#define PAIRS  2U
#define QUEUES (2U * PAIRS + 1U)

static struct {
    struct avps_net net;
    struct avps_net_pair pairs[PAIRS];
    struct avps_admin admin;
    struct avps_net_flow flow;
} run;

static enum avps_status admin_transmit(void *ctx, uint16_t pair,
                                       const struct avps_net_packet *packets, uint32_t count,
                                       uint32_t *taken)
{
    (void)ctx;
    (void)packets;
    *taken = count;
    FUZZ_CHECK(pair < PAIRS);
    return AVPS_OK;
}

static const struct avps_net_ops net_ops = {.transmit = admin_transmit};

static bool admin_init(struct fuzz_guest *guest)
{
    memset(&run, 0, sizeof run);
    FUZZ_CHECK(avps_admin_init(&run.admin) == AVPS_OK);
    guest->base.queue_count = QUEUES;
    guest->base.admin = &run.admin;
    const struct avps_net_config config = {
        .base = guest->base,
        .ops = &net_ops,
        .ctx = guest,
        .pairs = run.pairs,
        .pair_count = PAIRS,
        .mac = {0x52, 0x54, 0, 0, 0, 1},
        .flow = &run.flow,
    };
    const enum avps_status status = avps_net_init(&run.net, &config);

    guest->device = &run.net.base;
    avps_features_add(&run.net.base.offered, AVPS_F_ADMIN_VQ); /* as a PCI function would */
    return status == AVPS_OK;
}

/* Objects agree with each other, whatever was asked for. */
static void admin_check(void)
{
    uint32_t rules = 0;
    uint32_t in_groups = 0;
    uint32_t by_classifiers = 0;

    for (uint32_t i = 0; i < AVPS_NET_FF_RULES; i++) {
        const struct avps_net_ff_rule *rule = &run.flow.rules[i];

        if (rule->used) {
            rules++;
            FUZZ_CHECK(rule->group < AVPS_NET_FF_GROUPS && run.flow.groups[rule->group].used);
            FUZZ_CHECK(rule->classifier < AVPS_NET_FF_CLASSIFIERS);
            FUZZ_CHECK(run.flow.classifiers[rule->classifier].used);
            FUZZ_CHECK(run.flow.classifiers[rule->classifier].key_len == rule->key_len);
        }
    }
    for (uint32_t i = 0; i < AVPS_NET_FF_GROUPS; i++) {
        in_groups += run.flow.groups[i].rules;
    }
    for (uint32_t i = 0; i < AVPS_NET_FF_CLASSIFIERS; i++) {
        FUZZ_CHECK(run.flow.classifiers[i].key_len <= AVPS_NET_FF_KEY);
        by_classifiers += run.flow.classifiers[i].rules;
    }
    FUZZ_CHECK(rules == in_groups && rules == by_classifiers && rules == run.flow.order_count);
}

/* A frame whose headers are the input's. */
static void admin_host(struct fuzz_guest *guest, uint8_t what)
{
    static uint8_t bytes[256];
    uint32_t taken = 0;

    fuzz_bytes(guest, bytes, 96);
    const struct avps_net_frame frame = {.data = bytes, .data_len = 14U + what};
    const enum avps_status status = (what & 1U) != 0U
                                        ? avps_net_rx_burst(&run.net, 0, &frame, 1, &taken)
                                        : avps_net_receive(&run.net, &frame, 1, &taken);

    FUZZ_CHECK(status == AVPS_OK && taken <= 1U);
    admin_check();
}

static const struct fuzz_target admin_target = {QUEUES + 1U, admin_init, admin_host};

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    fuzz_run(&admin_target, input, size);
    admin_check();
    return 0;
}
