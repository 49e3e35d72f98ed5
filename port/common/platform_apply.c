/* SPDX-License-Identifier: BSD-3-Clause */
/* The common part -> one section for each kind -> networks -> promises. */
#include "avps_common/platform_apply.h"

#include <string.h>

#include "features.h"
#include "line.h"

#define APPLY_MIB           0x100000ULL
#define APPLY_MIB_SECTORS   2048U
#define APPLY_KBIT_BYTES    125U
#define APPLY_KIB           1024U
#define APPLY_FULL_DUPLEX   1U
#define APPLY_NS_PER_SECOND 1000000000ULL
#define APPLY_VSOCK_QUEUES  3U

/* ---- the common part ---- */

uint16_t avps_platform_queues(const struct avps_platform_device *device)
{
    switch (device->kind) {
    case AVPS_PLATFORM_NET:
        return (uint16_t)(2U * device->queues + 1U);
    case AVPS_PLATFORM_CONSOLE:
        return device->console.port_count == 0U
                   ? 2U
                   : (uint16_t)(2U * (device->console.port_count + 1U) + 2U);
    case AVPS_PLATFORM_VSOCK:
        return APPLY_VSOCK_QUEUES;
    case AVPS_PLATFORM_BLK:
    case AVPS_PLATFORM_RNG:
    case AVPS_PLATFORM_I2C:
    default:
        return (uint16_t)device->queues;
    }
}

struct avps_mem_region avps_platform_reach(const struct avps_platform_guest *guest,
                                           struct avps_mem_region ram)
{
    const uint64_t window = guest->dma_window_mib * APPLY_MIB;

    if (window != 0U && window < ram.size) {
        ram.gpa += ram.size - window;
        ram.host += ram.size - window;
        ram.size = window;
    }
    return ram;
}

void avps_platform_base(const struct avps_platform_device *device,
                        struct avps_device_config *config)
{
    config->queue_count = avps_platform_queues(device);
    config->queue_size_max = (uint16_t)device->queue_size;
    config->access_platform = config->access_platform || device->access_platform;
    for (uint32_t i = 0; i < sizeof config->withhold.word / sizeof config->withhold.word[0]; i++) {
        config->withhold.word[i] |= device->withhold.word[i];
    }
}

/* ---- kinds ---- */

enum avps_status avps_platform_blk(const struct avps_platform_device *device,
                                   struct avps_blk_config *config)
{
    const uint64_t sectors = (uint64_t)device->blk.size_mib * APPLY_MIB_SECTORS;
    const size_t length = line_length(device->blk.serial);

    avps_platform_base(device, &config->base);
    if (sectors > config->capacity) {
        return AVPS_E_NOSPACE;
    }
    config->capacity = sectors != 0U ? sectors : config->capacity;
    config->read_only = config->read_only || device->blk.read_only;
    config->write_through = device->blk.write_through;
    (void)memset(config->id, 0, sizeof config->id);
    (void)memcpy(config->id, device->blk.serial,
                 length < sizeof config->id ? length : sizeof config->id);
    return AVPS_OK;
}

void avps_platform_net(const struct avps_platform *platform,
                       const struct avps_platform_device *device, struct avps_net_config *config)
{
    const struct avps_platform_net *net = &device->net;

    avps_platform_base(device, &config->base);
    config->pair_count = (uint16_t)device->queues;
    config->mtu = (uint16_t)platform->networks[net->network].mtu;
    (void)memcpy(config->mac, net->mac, sizeof config->mac);
    if (net->speed_mbit != 0U) {
        config->speed_known = true;
        config->speed = net->speed_mbit;
        config->duplex = APPLY_FULL_DUPLEX;
    }
}

void avps_platform_console(const struct avps_platform_device *device,
                           struct avps_console_config *config)
{
    const struct avps_platform_console *console = &device->console;

    avps_platform_base(device, &config->base);
    config->max_ports = 1U + console->port_count;
    config->multiport = console->port_count != 0U;
    if (console->columns != 0U) {
        config->port0.cols = (uint16_t)console->columns;
        config->port0.rows = (uint16_t)console->rows;
    }
}

void avps_platform_rng(const struct avps_platform_device *device, struct avps_rng_config *config)
{
    avps_platform_base(device, &config->base);
    config->max_bytes = device->rng.max_bytes;
}

void avps_platform_i2c(const struct avps_platform_device *device, struct avps_i2c_config *config)
{
    const struct avps_platform_numbers *allowed = &device->i2c.allowed;

    avps_platform_base(device, &config->base);
    config->addresses = allowed->count != 0U ? allowed->items : NULL;
    config->address_count = allowed->count;
}

void avps_platform_vsock(const struct avps_platform_device *device,
                         struct avps_vsock_config *config)
{
    avps_platform_base(device, &config->base);
    config->guest_cid = device->vsock.cid;
}

bool avps_platform_vsock_allows(const struct avps_platform_device *device, uint64_t peer_cid)
{
    const struct avps_platform_numbers *peers = &device->vsock.peers;
    bool allowed = peers->count == 0U && peer_cid == AVPS_VSOCK_HOST;

    for (uint32_t i = 0; i < peers->count; i++) {
        allowed = allowed || peers->items[i] == peer_cid;
    }
    return allowed;
}

/* ---- networks ---- */

/* [AVPS NET-4] */
enum avps_status avps_platform_switch(const struct avps_platform_network *network,
                                      struct avps_switch_config *config)
{
    const bool clock =
        config->port != NULL && config->port->sys != NULL && config->port->sys->now_ns != NULL;

    if (config->table_size < network->addresses) {
        return AVPS_E_NOSPACE;
    }
    config->table_size = network->addresses;
    config->age = network->age_s * (clock ? APPLY_NS_PER_SECOND : 1U);
    return AVPS_OK;
}

/* Tagged in `vlans`, untagged in `vlan`, each if there is one. */
static void apply_vlans(struct avps_switch_port_config *config, uint32_t vlan,
                        const uint16_t *vlans, uint32_t count)
{
    config->mode = vlan != 0U ? AVPS_SWITCH_ACCESS : AVPS_SWITCH_PLAIN;
    config->mode = count != 0U ? AVPS_SWITCH_TRUNK : config->mode;
    config->vlan = (uint16_t)vlan;
    config->vlans = count != 0U ? vlans : NULL;
    config->vlan_count = count;
}

/* [AVPS NET-4] [AVPS NET-8] */
void avps_platform_switch_port(const struct avps_platform_device *device,
                               struct avps_switch_port_config *config)
{
    const struct avps_platform_net *net = &device->net;

    config->macs = net->mac_count != 0U ? net->macs : NULL;
    config->mac_count = net->mac_count;
    config->learn_max = net->learn_max;
    config->rate = (uint64_t)net->rate_kbit * APPLY_KBIT_BYTES;
    config->burst = net->burst_kib * APPLY_KIB;
    apply_vlans(config, net->vlan, net->vlans.items, net->vlans.count);
}

void avps_platform_uplink_port(const struct avps_platform_network *network,
                               struct avps_switch_port_config *config)
{
    apply_vlans(config, network->uplink_vlan, NULL, 0U);
}

/* ---- promises ---- */

static const char *apply_missing(const struct feature_set *set, const struct avps_features *promise,
                                 const struct avps_features *offered)
{
    for (uint32_t i = 0; i < set->count; i++) {
        if (avps_features_has(promise, set->rows[i].bit) &&
            !avps_features_has(offered, set->rows[i].bit)) {
            return set->rows[i].name;
        }
    }
    return NULL;
}

const char *avps_platform_missing(const struct avps_platform_device *device,
                                  const struct avps_device *made)
{
    const struct avps_features *offered = avps_device_offered(made);
    const char *name = apply_missing(features_of(device->kind), &device->promise, offered);

    return name != NULL ? name : apply_missing(&features_common, &device->promise, offered);
}
