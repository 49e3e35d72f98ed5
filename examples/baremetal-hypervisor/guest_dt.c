/* SPDX-License-Identifier: BSD-3-Clause */
/* The machine that a guest sees, for the tree that port/common writes. */
#include "guest_dt.h"

#include <libfdt.h>

#include "avps_common/platform_tree.h"
#include "guest.h"
#include "guest_map.h"

#define GUEST_DT_LINES (BM_GIC_LINES - BM_GIC_SPI_BASE) /* SPI of line 0 */

static struct avps_platform_machine guest_dt_machine(const struct guest *guest)
{
    const struct avps_platform_machine machine = {
        .ram = GUEST_RAM,
        .distributor = {GUEST_GICD, BM_GIC_DISTRIBUTOR_SIZE},
        .redistributors = {GUEST_GICR, (uint64_t)BM_GIC_REDISTRIBUTOR_SIZE * guest->plan->cpus},
        .msi = AVPS_PLATFORM_V2M,
        .messages = {GUEST_V2M, BM_GIC_FRAME_SIZE},
        .mmio = GUEST_VIRTIO,
        .mmio_spi = GUEST_DT_LINES + guest->devices.groups[AVPS_PLATFORM_MMIO].first_line,
        .ecam = GUEST_ECAM,
        .pci_memory = {GUEST_PCI, GUEST_PCI_SIZE},
        .pci_spi = GUEST_DT_LINES + guest->devices.groups[AVPS_PLATFORM_PCI].first_line};

    return machine;
}

/* A node of ours: which of its lives this is, for programs that count. */
static int guest_dt_life(void *ctx, void *fdt)
{
    const struct guest *guest = ctx;

    return fdt_begin_node(fdt, "avps-guest") | fdt_property_u32(fdt, "life", guest->lives) |
           fdt_end_node(fdt);
}

size_t guest_dt_write(const struct guest_dt *dt, void *buffer, size_t size)
{
    const struct avps_platform_machine machine = guest_dt_machine(dt->guest);
    const struct avps_platform_boot boot = {.model = "libavps bare-metal example",
                                            .bootargs = dt->bootargs,
                                            .initrd = {dt->initrd, dt->initrd_size},
                                            .more = guest_dt_life,
                                            .ctx = (void *)(uintptr_t)dt->guest};
    size_t used = 0;

    return avps_platform_write_tree(dt->guest->plan, &machine, &boot, buffer, size, &used) ==
                   AVPS_OK
               ? used
               : 0U;
}

uint64_t guest_dt_ram_end(const struct guest *guest)
{
    const struct avps_platform_machine machine = guest_dt_machine(guest);

    return avps_platform_ram_end(guest->plan, &machine);
}
