/* SPDX-License-Identifier: BSD-3-Clause */
/* Written front to back with libfdt's sequential calls; errors add up and are looked at once. */
#include "guest_dt.h"

#include <libfdt.h>
#include <string.h>

#include "gic.h"
#include "gic_regs.h"
#include "guest_map.h"
#include "transport.h"
#include "v2m.h"

#define GUEST_DT_GIC   1U /* phandles */
#define GUEST_DT_V2M   2U
#define GUEST_DT_PPI   1U
#define GUEST_DT_LEVEL 4U

/* A `reg` of `count` pairs of 64-bit address and size. */
static int guest_dt_reg(void *fdt, const uint64_t *values, size_t count)
{
    fdt64_t cells[4];

    for (size_t i = 0; i < count * 2U; i++) {
        fdt64_st(&cells[i], values[i]);
    }
    return fdt_property(fdt, "reg", cells, (int)(count * 2U * sizeof cells[0]));
}

static int guest_dt_text(void *fdt, const char *name, const char *text)
{
    return fdt_property(fdt, name, text, (int)strlen(text) + 1);
}

static int guest_dt_strings(void *fdt, const char *name, const char *list, size_t size)
{
    return fdt_property(fdt, name, list, (int)size);
}

static int guest_dt_root(void *fdt)
{
    return fdt_property_u32(fdt, "#address-cells", 2U) | fdt_property_u32(fdt, "#size-cells", 2U) |
           fdt_property_u32(fdt, "interrupt-parent", GUEST_DT_GIC) |
           guest_dt_text(fdt, "compatible", "linux,dummy-virt") |
           guest_dt_text(fdt, "model", "libavps bare-metal example");
}

static int guest_dt_chosen(void *fdt, const struct guest_dt *dt)
{
    return fdt_begin_node(fdt, "chosen") | guest_dt_text(fdt, "bootargs", dt->bootargs) |
           fdt_property_u64(fdt, "linux,initrd-start", dt->initrd_start) |
           fdt_property_u64(fdt, "linux,initrd-end", dt->initrd_end) | fdt_end_node(fdt);
}

static int guest_dt_memory(void *fdt, const struct guest_dt *dt)
{
    const uint64_t reg[] = {GUEST_RAM, dt->ram_size};

    return fdt_begin_node(fdt, "memory@80000000") | guest_dt_text(fdt, "device_type", "memory") |
           guest_dt_reg(fdt, reg, 1U) | fdt_end_node(fdt);
}

static int guest_dt_cpu(void *fdt)
{
    static const char psci[] = "arm,psci-1.0\0arm,psci-0.2";

    return fdt_begin_node(fdt, "cpus") | fdt_property_u32(fdt, "#address-cells", 1U) |
           fdt_property_u32(fdt, "#size-cells", 0U) | fdt_begin_node(fdt, "cpu@0") |
           guest_dt_text(fdt, "device_type", "cpu") |
           guest_dt_text(fdt, "compatible", "arm,armv8") |
           guest_dt_text(fdt, "enable-method", "psci") | fdt_property_u32(fdt, "reg", 0U) |
           fdt_end_node(fdt) | fdt_end_node(fdt) | fdt_begin_node(fdt, "psci") |
           guest_dt_strings(fdt, "compatible", psci, sizeof psci) |
           guest_dt_text(fdt, "method", "hvc") | fdt_end_node(fdt);
}

/* Secure, physical, virtual and hypervisor timer; the guest owns the second and the third. */
static int guest_dt_timer(void *fdt)
{
    static const uint32_t numbers[] = {29U, GIC_PPI_TIMER, GIC_PPI_VIRTUAL_TIMER,
                                       GIC_PPI_HYP_TIMER};
    fdt32_t cells[12];

    for (size_t i = 0; i < 4U; i++) {
        fdt32_st(&cells[i * 3U], GUEST_DT_PPI);
        fdt32_st(&cells[i * 3U + 1U], numbers[i] - 16U);
        fdt32_st(&cells[i * 3U + 2U], GUEST_DT_LEVEL);
    }
    return fdt_begin_node(fdt, "timer") | guest_dt_text(fdt, "compatible", "arm,armv8-timer") |
           fdt_property(fdt, "interrupts", cells, sizeof cells) |
           fdt_property(fdt, "always-on", NULL, 0) | fdt_end_node(fdt);
}

/* Where PCI functions send their messages. */
static int guest_dt_v2m(void *fdt)
{
    const uint64_t reg[] = {GUEST_V2M, V2M_SIZE};

    return fdt_begin_node(fdt, "v2m@8020000") |
           guest_dt_text(fdt, "compatible", "arm,gic-v2m-frame") | guest_dt_reg(fdt, reg, 1U) |
           fdt_property(fdt, "msi-controller", NULL, 0) |
           fdt_property_u32(fdt, "phandle", GUEST_DT_V2M) | fdt_end_node(fdt);
}

static int guest_dt_gic(void *fdt)
{
    const uint64_t reg[] = {GUEST_GICD, GICD_SIZE, GUEST_GICR, GICR_SIZE};

    return fdt_begin_node(fdt, "interrupt-controller@8000000") |
           guest_dt_text(fdt, "compatible", "arm,gic-v3") | guest_dt_reg(fdt, reg, 2U) |
           fdt_property(fdt, "interrupt-controller", NULL, 0) |
           fdt_property_u32(fdt, "#interrupt-cells", 3U) |
           fdt_property_u32(fdt, "#address-cells", 2U) | fdt_property_u32(fdt, "#size-cells", 2U) |
           fdt_property(fdt, "ranges", NULL, 0) | fdt_property_u32(fdt, "phandle", GUEST_DT_GIC) |
           guest_dt_v2m(fdt) | fdt_end_node(fdt);
}

static int guest_dt_devices(void *fdt)
{
    const struct transport_parents parents = {.gic = GUEST_DT_GIC, .messages = GUEST_DT_V2M};

    return transport_describe(fdt, &parents);
}

size_t guest_dt_write(const struct guest_dt *dt, void *buffer, size_t size)
{
    const int error = fdt_create(buffer, (int)size) | fdt_finish_reservemap(buffer) |
                      fdt_begin_node(buffer, "") | guest_dt_root(buffer) |
                      guest_dt_chosen(buffer, dt) | guest_dt_memory(buffer, dt) |
                      guest_dt_cpu(buffer) | guest_dt_timer(buffer) | guest_dt_gic(buffer) |
                      guest_dt_devices(buffer) | fdt_end_node(buffer) | fdt_finish(buffer);

    return error != 0 ? 0U : fdt_totalsize(buffer);
}
