/* SPDX-License-Identifier: BSD-3-Clause */
/* Learning switch with a hostile guest, host ports of every VLAN mode, filters and rates. What a
 * host port gets is a whole frame that its policy lets through. */
#include <string.h>

#include "avps/switch.h"
#include "guest.h"

#define PORTS  5U
#define TABLE  8U
#define BOUNCE 1600U

static struct {
    struct avps_net net;
    struct avps_net_pair pair;
    struct avps_switch sw;
    struct avps_switch_port ports[PORTS];
    struct avps_switch_entry table[TABLE];
    uint8_t bounce[2U * BOUNCE];
    uint64_t sum;
} run;

static void port_deliver(void *ctx, const uint8_t *frame, uint32_t len,
                         const struct avps_net_offload *offload)
{
    const struct avps_switch_port_config *port = ctx;

    FUZZ_CHECK(len >= 14U && len <= BOUNCE);
    for (uint32_t i = 0; i < len; i++) {
        run.sum += frame[i];
    }
    FUZZ_CHECK(port->host_offloads || (offload->flags == 0U && offload->gso_type == 0U));
    FUZZ_CHECK((frame[6] & 1U) == 0U); /* a group address is no source */
    if (port->mode == AVPS_SWITCH_ACCESS) {
        FUZZ_CHECK(!(frame[12] == 0x81U && frame[13] == 0U) || len > 14U);
    }
}

static const struct avps_switch_host_ops port_ops = {.deliver = port_deliver};

static const uint8_t port_macs[1][6] = {{0x52, 0x54, 0, 0, 0, 1}};
static const uint16_t port_vlans[] = {5, 6};

static const struct avps_switch_port_config port_configs[PORTS] = {
    {.net = &run.net, .macs = port_macs, .mac_count = 1},
    {.host = &port_ops},
    {.host = &port_ops, .host_offloads = true, .learn_max = 2},
    {.host = &port_ops, .mode = AVPS_SWITCH_ACCESS, .vlan = 5, .rate = 100000, .burst = 65597},
    {.host = &port_ops, .mode = AVPS_SWITCH_TRUNK, .vlan = 7, .vlans = port_vlans, .vlan_count = 2},
};

static enum avps_status switch_connect(uint16_t port, uint8_t mode)
{
    struct avps_switch_port_config config = port_configs[port];

    config.host_ctx = (void *)(uintptr_t)&port_configs[port];
    if (port == 0U && mode != 0U) {
        config.mode = mode == 1U ? AVPS_SWITCH_ACCESS : AVPS_SWITCH_TRUNK;
        config.vlan = 5;
        config.vlans = mode == 1U ? NULL : port_vlans;
        config.vlan_count = mode == 1U ? 0U : 2U;
    }
    return avps_switch_connect(&run.sw, port, &config);
}

static bool switch_init(struct fuzz_guest *guest)
{
    const uint8_t kind = fuzz_u8(guest);

    memset(&run, 0, sizeof run);
    const struct avps_switch_config sw = {.ports = run.ports,
                                          .port_count = PORTS,
                                          .table = run.table,
                                          .table_size = TABLE,
                                          .bounce = run.bounce,
                                          .bounce_size = BOUNCE,
                                          .age = 1000000,
                                          .port = &guest->port};
    const struct avps_net_config config = {.base = guest->base,
                                           .ops = &avps_switch_net_ops,
                                           .ctx = &run.ports[0],
                                           .pairs = &run.pair,
                                           .pair_count = 1,
                                           .mac = {0x52, 0x54, 0, 0, 0, 1},
                                           .offloads = (kind & 4U) != 0U ? 0x1fffU : 0U};
    guest->device = &run.net.base;
    if (avps_switch_init(&run.sw, &sw) != AVPS_OK || avps_net_init(&run.net, &config) != AVPS_OK) {
        return false;
    }
    for (uint16_t i = 0; i < PORTS; i++) {
        if (switch_connect(i, i == 0U ? kind % 3U : 0U) != AVPS_OK) {
            return false;
        }
    }
    return true;
}

/* A frame from a host port, or a port that comes or goes. */
static void switch_host(struct fuzz_guest *guest, uint8_t what)
{
    static uint8_t bytes[2048];
    const uint16_t port = (uint16_t)(1U + what % (PORTS - 1U));
    enum avps_status status = AVPS_OK;

    if (what >= 0xf0U) {
        avps_switch_disconnect(&run.sw, port);
    } else if (what >= 0xe0U) {
        status = switch_connect(port, 0);
    } else if (what >= 0xd0U) {
        guest->now_ns += (uint64_t)what << 12;
    } else {
        struct avps_net_frame frame = {.data = bytes, .data_len = fuzz_u32(guest) % sizeof bytes};

        fuzz_bytes(guest, bytes, 20);
        if ((what & 0x10U) != 0U) {
            frame.offload.flags = fuzz_u8(guest);
            frame.offload.gso_type = fuzz_u8(guest);
            frame.offload.gso_size = fuzz_u8(guest);
            frame.offload.csum_start = fuzz_u8(guest);
            frame.offload.csum_offset = fuzz_u8(guest);
        }
        status = avps_switch_send(&run.sw, port, &frame, 1);
    }
    FUZZ_CHECK(status != AVPS_E_INTERNAL);
}

static const struct fuzz_target switch_target = {3, switch_init, switch_host};

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    fuzz_run(&switch_target, input, size);
    return 0;
}
