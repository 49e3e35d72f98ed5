/* SPDX-License-Identifier: BSD-3-Clause */
/* A guest's device tree, written front to back with libfdt's sequential calls; errors add up and are
 * looked at once. Properties -> memory -> CPUs -> interrupts -> devices -> the tree. */
#include "avps_common/platform_tree.h"

#include <libfdt.h>
#include <string.h>

#include "avps/fdt.h"
#include "avps/mmio.h"
#include "line.h"

#define TREE_MSI_PHANDLE   2U
#define TREE_POOL_PHANDLE  3U
#define TREE_GRANT_PHANDLE 4U

#define TREE_SPI   0U /* cells of an interrupt: kind, number, trigger */
#define TREE_PPI   1U
#define TREE_EDGE  1U
#define TREE_LEVEL 4U

#define TREE_MIB 0x100000ULL

/* What the pieces of a tree are made from. */
struct tree {
    void *fdt;
    const struct avps_platform_guest *guest;
    const struct avps_platform_machine *machine;
    const struct avps_platform_boot *boot;
    struct avps_platform_phandles phandles;
};

/* ---- properties ---- */

static int tree_text(void *fdt, const char *name, const char *text)
{
    return fdt_property(fdt, name, text, (int)line_length(text) + 1);
}

static int tree_flag(void *fdt, const char *name)
{
    return fdt_property(fdt, name, NULL, 0);
}

/* `reg` of one or two ranges, in 64-bit cells. */
static int tree_reg(void *fdt, const struct avps_platform_range *ranges, size_t count)
{
    fdt64_t cells[2][2];

    for (size_t i = 0; i < count; i++) {
        fdt64_st(&cells[i][0], ranges[i].base);
        fdt64_st(&cells[i][1], ranges[i].size);
    }
    return fdt_property(fdt, "reg", cells, (int)(count * sizeof cells[0]));
}

/* Begin a node `word`@<address>, the address in hexadecimal. */
static int tree_begin_at(void *fdt, const char *word, uint64_t address)
{
    char name[64];
    struct line line;
    unsigned int shift = 60U;

    line_begin(&line, name, sizeof name);
    line_text(&line, word);
    line_text(&line, "@");
    while (shift != 0U && address >> shift == 0U) {
        shift -= 4U;
    }
    for (unsigned int digits = shift / 4U + 1U; digits != 0U; digits--) {
        const char digit[] = {"0123456789abcdef"[address >> (4U * (digits - 1U)) & 15U], '\0'};

        line_text(&line, digit);
    }
    return fdt_begin_node(fdt, name);
}

static int tree_cells(void *fdt, uint32_t address_cells, uint32_t size_cells)
{
    return fdt_property_u32(fdt, "#address-cells", address_cells) |
           fdt_property_u32(fdt, "#size-cells", size_cells);
}

/* ---- what is chosen, and memory ---- */

/* The guest's part of the command line, then the boot's. */
static int tree_bootargs(const struct tree *tree)
{
    const char *first = tree->guest->bootargs;
    const char *second = tree->boot->bootargs != NULL ? tree->boot->bootargs : "";
    const size_t first_length = line_length(first);
    const size_t second_length = line_length(second);
    const size_t gap = first_length != 0U && second_length != 0U ? 1U : 0U;
    void *place = NULL;
    const int error = fdt_property_placeholder(
        tree->fdt, "bootargs", (int)(first_length + gap + second_length + 1U), &place);

    if (error == 0) {
        char *text = place;

        (void)memcpy(text, first, first_length);
        (void)memset(text + first_length, ' ', gap);
        (void)memcpy(text + first_length + gap, second, second_length);
        text[first_length + gap + second_length] = '\0';
    }
    return error;
}

static int tree_initrd(const struct tree *tree)
{
    const struct avps_platform_range *initrd = &tree->boot->initrd;

    return initrd->size == 0U
               ? 0
               : fdt_property_u64(tree->fdt, "linux,initrd-start", initrd->base) |
                     fdt_property_u64(tree->fdt, "linux,initrd-end", initrd->base + initrd->size);
}

static int tree_chosen(const struct tree *tree)
{
    return fdt_begin_node(tree->fdt, "chosen") | tree_bootargs(tree) | tree_initrd(tree) |
           fdt_end_node(tree->fdt);
}

static uint64_t tree_ram_size(const struct avps_platform_guest *guest)
{
    return (uint64_t)guest->memory_mib * TREE_MIB;
}

uint64_t avps_platform_ram_end(const struct avps_platform_guest *guest,
                               const struct avps_platform_machine *machine)
{
    return machine->ram + tree_ram_size(guest) - (uint64_t)guest->dma_window_mib * TREE_MIB;
}

static int tree_memory(const struct tree *tree)
{
    const struct avps_platform_range ram = {tree->machine->ram, tree_ram_size(tree->guest)};

    return tree_begin_at(tree->fdt, "memory", ram.base) |
           tree_text(tree->fdt, "device_type", "memory") | tree_reg(tree->fdt, &ram, 1U) |
           fdt_end_node(tree->fdt);
}

/* A node that the library writes. @return 0, or an error of libfdt's kind. */
static int tree_error(enum avps_status status)
{
    return status == AVPS_OK ? 0 : -FDT_ERR_NOSPACE;
}

/* All that devices reach. */
static int tree_pool(const struct tree *tree)
{
    const struct avps_fdt_window window = {.gpa = avps_platform_ram_end(tree->guest, tree->machine),
                                           .size = (uint64_t)tree->guest->dma_window_mib * TREE_MIB,
                                           .phandle = tree->phandles.memory_region};
    void *fdt = tree->fdt;

    if (window.size == 0U) {
        return 0;
    }
    return fdt_begin_node(fdt, "reserved-memory") | tree_cells(fdt, 2U, 2U) |
           tree_flag(fdt, "ranges") | tree_error(avps_fdt_write_window(fdt, 2, 2, &window)) |
           fdt_end_node(fdt);
}

/* ---- CPUs ---- */

static int tree_cpu(void *fdt, uint32_t index)
{
    return tree_begin_at(fdt, "cpu", index) | tree_text(fdt, "device_type", "cpu") |
           tree_text(fdt, "compatible", "arm,armv8") | tree_text(fdt, "enable-method", "psci") |
           fdt_property_u32(fdt, "reg", index) | fdt_end_node(fdt);
}

static int tree_cpus(const struct tree *tree)
{
    int error = fdt_begin_node(tree->fdt, "cpus") | tree_cells(tree->fdt, 1U, 0U);

    for (uint32_t i = 0; i < tree->guest->cpus; i++) {
        error |= tree_cpu(tree->fdt, i);
    }
    return error | fdt_end_node(tree->fdt);
}

static int tree_psci(const struct tree *tree)
{
    static const char compatible[] = "arm,psci-1.0\0arm,psci-0.2";

    return fdt_begin_node(tree->fdt, "psci") |
           fdt_property(tree->fdt, "compatible", compatible, sizeof compatible) |
           tree_text(tree->fdt, "method", tree->machine->psci_smc ? "smc" : "hvc") |
           fdt_end_node(tree->fdt);
}

/* ---- interrupts ---- */

/* Secure, physical, virtual and hypervisor timer, where Arm recommends them to be. */
static int tree_timer(const struct tree *tree)
{
    static const uint32_t numbers[] = {13U, 14U, 11U, 10U};
    fdt32_t cells[12];

    for (size_t i = 0; i < 4U; i++) {
        fdt32_st(&cells[i * 3U], TREE_PPI);
        fdt32_st(&cells[i * 3U + 1U], numbers[i]);
        fdt32_st(&cells[i * 3U + 2U], TREE_LEVEL);
    }
    return fdt_begin_node(tree->fdt, "timer") |
           tree_text(tree->fdt, "compatible", "arm,armv8-timer") |
           fdt_property(tree->fdt, "interrupts", cells, sizeof cells) |
           tree_flag(tree->fdt, "always-on") | fdt_end_node(tree->fdt);
}

/* Where PCI functions send their messages: below the GIC. */
static int tree_messages(const struct tree *tree)
{
    const struct avps_platform_machine *machine = tree->machine;
    const bool its = machine->msi == AVPS_PLATFORM_ITS;
    void *fdt = tree->fdt;

    if (tree->phandles.msi == 0U) {
        return 0;
    }
    return fdt_property_u32(fdt, "#size-cells", tree->phandles.gic_cells) |
           tree_flag(fdt, "ranges") |
           tree_begin_at(fdt, its ? "msi-controller" : "v2m", machine->messages.base) |
           tree_text(fdt, "compatible", its ? "arm,gic-v3-its" : "arm,gic-v2m-frame") |
           tree_reg(fdt, &machine->messages, 1U) | tree_flag(fdt, "msi-controller") |
           (its ? fdt_property_u32(fdt, "#msi-cells", 1U) : 0) |
           fdt_property_u32(fdt, "phandle", tree->phandles.msi) | fdt_end_node(fdt);
}

static int tree_gic(const struct tree *tree)
{
    const struct avps_platform_machine *machine = tree->machine;
    const struct avps_platform_range reg[] = {machine->distributor, machine->redistributors};
    void *fdt = tree->fdt;

    return tree_begin_at(fdt, "interrupt-controller", machine->distributor.base) |
           tree_text(fdt, "compatible", machine->gic_v2 ? "arm,gic-400" : "arm,gic-v3") |
           tree_reg(fdt, reg, 2U) | tree_flag(fdt, "interrupt-controller") |
           fdt_property_u32(fdt, "#interrupt-cells", 3U) |
           fdt_property_u32(fdt, "#address-cells", tree->phandles.gic_cells) |
           fdt_property_u32(fdt, "phandle", tree->phandles.gic) | tree_messages(tree) |
           fdt_end_node(fdt);
}

/* What stands for the domain that memory is granted to. */
static int tree_grants(const struct tree *tree)
{
    const uint32_t phandle = tree->phandles.xen_grants;

    return phandle != 0U ? tree_error(avps_fdt_write_xen_grants(tree->fdt, phandle)) : 0;
}

/* ---- devices ---- */

static enum avps_status tree_window(const struct tree *tree,
                                    const struct avps_platform_device *device)
{
    const struct avps_platform_machine *machine = tree->machine;
    const uint64_t stride = machine->mmio_stride != 0U ? machine->mmio_stride : AVPS_MMIO_SIZE;
    const uint32_t interrupt[] = {TREE_SPI, machine->mmio_spi + device->unit,
                                  machine->mmio_edge ? TREE_EDGE : TREE_LEVEL};
    const uint32_t grants[] = {tree->phandles.xen_grants, machine->xen_backend};
    const bool granted = tree->phandles.xen_grants != 0U;
    const struct avps_fdt_mmio window = {.base = machine->mmio + device->unit * stride,
                                         .interrupts = interrupt,
                                         .interrupt_cells = 3U,
                                         .dma_coherent = !machine->no_coherent_dma,
                                         .iommus = granted ? grants : NULL,
                                         .iommu_cells = granted ? 2U : 0U,
                                         .memory_region = tree->phandles.memory_region};

    return avps_fdt_write_mmio(tree->fdt, 2, 2, &window);
}

static enum avps_status tree_windows(const struct tree *tree)
{
    enum avps_status status = AVPS_OK;

    for (uint32_t i = 0; i < tree->guest->device_count && status == AVPS_OK; i++) {
        const struct avps_platform_device *device = &tree->guest->devices[i];

        if (device->transport == AVPS_PLATFORM_MMIO && device->unit >= tree->machine->mmio_skip) {
            status = tree_window(tree, device);
        }
    }
    return status;
}

/* The wire of each PCI device of the guest. @return how many. */
static uint32_t tree_pins(const struct tree *tree, struct avps_fdt_pci_pin *pins)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < tree->guest->device_count; i++) {
        const struct avps_platform_device *device = &tree->guest->devices[i];

        if (device->transport == AVPS_PLATFORM_PCI) {
            pins[count] = (struct avps_fdt_pci_pin){
                .device = (uint8_t)(tree->machine->pci_first + device->unit),
                .pin = 1U,
                .interrupt = {TREE_SPI, tree->machine->pci_spi + device->unit, TREE_LEVEL}};
            count++;
        }
    }
    return count;
}

static struct avps_fdt_pci_window tree_pci_window(const struct avps_platform_range *range,
                                                  bool wide)
{
    return (struct avps_fdt_pci_window){.base = range->base,
                                        .pci_address = range->base,
                                        .size = range->size,
                                        .wide = wide,
                                        .prefetchable = wide};
}

/* One bus for all functions, if there are any. */
static enum avps_status tree_bus(const struct tree *tree)
{
    const struct avps_platform_machine *machine = tree->machine;
    const struct avps_fdt_pci_window windows[] = {tree_pci_window(&machine->pci_memory, false),
                                                  tree_pci_window(&machine->pci_wide, true)};
    struct avps_fdt_pci_pin pins[AVPS_PLATFORM_DEVICES];
    const struct avps_fdt_pci host = {.ecam = machine->ecam,
                                      .bus_count =
                                          machine->pci_buses != 0U ? machine->pci_buses : 1U,
                                      .windows = windows,
                                      .window_count = machine->pci_wide.size != 0U ? 2U : 1U,
                                      .pins = pins,
                                      .pin_count = tree_pins(tree, pins),
                                      .interrupt_controller = tree->phandles.gic,
                                      .controller_address_cells = tree->phandles.gic_cells,
                                      .interrupt_cells = 3U,
                                      .msi_controller = tree->phandles.msi,
                                      .memory_region = tree->phandles.memory_region,
                                      .dma_coherent = !machine->no_coherent_dma};

    return host.pin_count != 0U ? avps_fdt_write_pci(tree->fdt, 2, 2, &host) : AVPS_OK;
}

/* [AVPS BOOT-3] */
enum avps_status avps_platform_write_devices(void *fdt, const struct avps_platform_guest *guest,
                                             const struct avps_platform_machine *machine,
                                             const struct avps_platform_phandles *phandles)
{
    const struct tree tree = {
        .fdt = fdt, .guest = guest, .machine = machine, .phandles = *phandles};
    const enum avps_status status = tree_windows(&tree);

    return status == AVPS_OK ? tree_bus(&tree) : status;
}

/* ---- the tree ---- */

static int tree_root(const struct tree *tree)
{
    const char *model = tree->boot->model != NULL ? tree->boot->model : "libavps platform";

    return tree_cells(tree->fdt, 2U, 2U) |
           fdt_property_u32(tree->fdt, "interrupt-parent", tree->phandles.gic) |
           tree_text(tree->fdt, "compatible", "linux,dummy-virt") |
           tree_text(tree->fdt, "model", model);
}

static int tree_more(const struct tree *tree)
{
    return tree->boot->more != NULL ? tree->boot->more(tree->boot->ctx, tree->fdt) : 0;
}

static bool tree_has_pci(const struct avps_platform_guest *guest)
{
    bool found = false;

    for (uint32_t i = 0; i < guest->device_count; i++) {
        found = found || guest->devices[i].transport == AVPS_PLATFORM_PCI;
    }
    return found;
}

static struct avps_platform_phandles tree_phandles(const struct avps_platform_guest *guest,
                                                   const struct avps_platform_machine *machine)
{
    const bool msi = machine->msi != AVPS_PLATFORM_NO_MSI && tree_has_pci(guest);
    const struct avps_platform_phandles phandles = {
        .gic = AVPS_PLATFORM_GIC_PHANDLE,
        .gic_cells = msi ? 2U : 0U,
        .msi = msi ? TREE_MSI_PHANDLE : 0U,
        .memory_region = guest->dma_window_mib != 0U ? TREE_POOL_PHANDLE : 0U,
        .xen_grants = machine->xen_grants ? TREE_GRANT_PHANDLE : 0U};

    return phandles;
}

/* [AVPS BOOT-3] */
enum avps_status avps_platform_write_tree(const struct avps_platform_guest *guest,
                                          const struct avps_platform_machine *machine,
                                          const struct avps_platform_boot *boot, void *buffer,
                                          size_t size, size_t *used)
{
    const struct tree tree = {.fdt = buffer,
                              .guest = guest,
                              .machine = machine,
                              .boot = boot,
                              .phandles = tree_phandles(guest, machine)};
    const int begun = fdt_create(buffer, (int)size) | fdt_finish_reservemap(buffer) |
                      fdt_begin_node(buffer, "") | tree_root(&tree) | tree_chosen(&tree) |
                      tree_memory(&tree) | tree_pool(&tree) | tree_cpus(&tree) | tree_psci(&tree) |
                      tree_timer(&tree) | tree_gic(&tree) | tree_grants(&tree) | tree_more(&tree);
    enum avps_status status = AVPS_E_NOSPACE;

    if (begun == 0) {
        status = avps_platform_write_devices(buffer, guest, machine, &tree.phandles);
    }
    if (status == AVPS_OK && (fdt_end_node(buffer) | fdt_finish(buffer)) != 0) {
        status = AVPS_E_NOSPACE;
    }
    if (status == AVPS_OK) {
        *used = fdt_totalsize(buffer);
    }
    return status;
}
