/* SPDX-License-Identifier: BSD-3-Clause */
/* The platform file if there is one, else the single guest. */
#include "plan.h"

#include <stddef.h>

#define PLAN_RAM_MIB    384U
#define PLAN_QUEUE_SIZE 256U
#define PLAN_BUDGET     64U
#define PLAN_MTU        1500U
#define PLAN_ADDRESSES  16U
#define PLAN_SPEED      1000U
#define PLAN_DISK_MIB   64U

static struct avps_platform plan;

static const struct avps_platform_device plan_devices[] = {
    {.name = "disk",
     .kind = AVPS_PLATFORM_BLK,
     .backend = "disk",
     .queues = 1U,
     .blk = {.size_mib = PLAN_DISK_MIB, .serial = "libavps-ram-disk"}},
    {.name = "network",
     .kind = AVPS_PLATFORM_NET,
     .queues = 1U,
     .net = {.mac = {0x02, 0x61, 0x76, 0x70, 0x73, 0x01},
             .mac_any = true,
             .speed_mbit = PLAN_SPEED}},
    {.name = "console",
     .kind = AVPS_PLATFORM_CONSOLE,
     .backend = "terminal",
     .queues = 1U,
     .console = {.columns = 100U, .rows = 30U, .ports = {"bulk"}, .port_count = 1U}},
    {.name = "entropy", .kind = AVPS_PLATFORM_RNG, .backend = "entropy", .queues = 1U},
};

#define PLAN_DEVICES (sizeof plan_devices / sizeof plan_devices[0])

/* One guest, transport and ring format as the options say. */
static const struct avps_platform *plan_single(const struct host *host)
{
    const bool packed = host_option(host, "ring=packed");
    struct avps_platform_guest *guest = &plan.guests[0];

    guest->name = "linux";
    guest->bootargs = "";
    guest->cpus = 1U;
    guest->memory_mib = PLAN_RAM_MIB;
    guest->device_count = PLAN_DEVICES;
    for (uint32_t i = 0; i < PLAN_DEVICES; i++) {
        struct avps_platform_device *device = &guest->devices[i];

        *device = plan_devices[i];
        device->transport =
            host_option(host, "transport=pci") ? AVPS_PLATFORM_PCI : AVPS_PLATFORM_MMIO;
        device->unit = i;
        device->packed = packed;
        device->queue_size = PLAN_QUEUE_SIZE;
        device->budget = PLAN_BUDGET;
        if (!packed) {
            avps_features_add(&device->withhold, AVPS_F_RING_PACKED);
        }
    }
    plan.guest_count = 1U;
    plan.networks[0] = (struct avps_platform_network){
        .name = "lan", .uplink = "partner", .mtu = PLAN_MTU, .addresses = PLAN_ADDRESSES};
    plan.network_count = 1U;
    return &plan;
}

const struct avps_platform *plan_read(const struct host *host, struct avps_platform_line *line)
{
    if (host->platform.size == 0U) {
        return plan_single(host);
    }
    const void *blob = (const void *)(uintptr_t)host->platform.base;

    return avps_platform_parse(&plan, blob, (size_t)host->platform.size, line) == AVPS_OK ? &plan
                                                                                          : NULL;
}
