/* SPDX-License-Identifier: BSD-3-Clause */
/* Device-tree nodes: a node in memory -> virtio-mmio windows -> bounce windows -> PCI hosts ->
 * grants -> into a read-write tree or a sequential one. A node is described once, as a list of properties;
 * the two ways differ only in how they write it. */
#include "avps/fdt.h"

#include <libfdt.h>
#include <stddef.h>

#include "avps/ecam.h"
#include "avps/mmio.h"

#define FDT_PROPS_MAX 15U

/* Cells of all properties: the most are of a PCI host with all pins, whose map has for each of them
 * 3 cells of address, the pin, a phandle, 2 of address and the interrupt. */
#define FDT_MAP_CELLS (AVPS_FDT_PINS_MAX * (7U + AVPS_FDT_PIN_CELLS_MAX))
#define FDT_CELLS_MAX (FDT_MAP_CELLS + AVPS_FDT_WINDOWS_MAX * 7U + 22U)

/* Parts of a PCI address. */
#define FDT_PCI_MEMORY_32    0x02000000U
#define FDT_PCI_MEMORY_64    0x03000000U
#define FDT_PCI_PREFETCHABLE 0x40000000U
#define FDT_PCI_DEVICE(n)    ((uint32_t)(n) << 11)
#define FDT_PCI_REQUESTERS   0x10000U /* requester IDs of a host */

struct fdt_prop {
    const char *name;
    const void *bytes;
    size_t len;
};

struct fdt_node {
    char name[40]; /* a word, "@" and up to 16 digits */
    fdt32_t cells[FDT_CELLS_MAX];
    uint32_t used;  /* cells */
    uint32_t begun; /* first cell of the next property */
    struct fdt_prop props[FDT_PROPS_MAX];
    uint32_t count;
};

/* ---- the node ---- */

/* `word` alone. @return Where its end is. */
static char *fdt_begin_plain(struct fdt_node *node, const char *word)
{
    char *name = node->name;

    node->used = 0;
    node->begun = 0;
    node->count = 0;
    while (*word != '\0') {
        *name++ = *word++;
    }
    *name = '\0';
    return name;
}

/* `word`, "@" and the address in lower-case hexadecimal without leading zeros. */
static void fdt_begin(struct fdt_node *node, const char *word, uint64_t address)
{
    char *name = fdt_begin_plain(node, word);
    unsigned int shift = 60;

    *name++ = '@';
    while (shift != 0U && address >> shift == 0U) {
        shift -= 4U;
    }
    for (unsigned int digits = shift / 4U + 1U; digits != 0U; digits--) {
        *name++ = "0123456789abcdef"[address >> (4U * (digits - 1U)) & 15U];
    }
    *name = '\0';
}

static void fdt_prop(struct fdt_node *node, const char *name, const void *bytes, size_t len)
{
    node->props[node->count] = (struct fdt_prop){name, bytes, len};
    node->count++;
}

static void fdt_flag(struct fdt_node *node, const char *name, bool set)
{
    if (set) {
        fdt_prop(node, name, NULL, 0);
    }
}

static void fdt_cell(struct fdt_node *node, uint32_t value)
{
    fdt32_st(&node->cells[node->used], value);
    node->used++;
}

static void fdt_cells(struct fdt_node *node, const uint32_t *cells, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        fdt_cell(node, cells[i]);
    }
}

/* `value` in one or two cells. */
static void fdt_number(struct fdt_node *node, uint64_t value, int cells)
{
    if (cells == 2) {
        fdt_cell(node, (uint32_t)(value >> 32));
    }
    fdt_cell(node, (uint32_t)(value & UINT32_MAX));
}

/* A property of the cells since the last one. */
static void fdt_prop_cells(struct fdt_node *node, const char *name)
{
    fdt_prop(node, name, &node->cells[node->begun], (node->used - node->begun) * sizeof(fdt32_t));
    node->begun = node->used;
}

static void fdt_prop_cell(struct fdt_node *node, const char *name, uint32_t value)
{
    fdt_cell(node, value);
    fdt_prop_cells(node, name);
}

/* A reference to another node; 0: none. */
static void fdt_prop_phandle(struct fdt_node *node, const char *name, uint32_t phandle)
{
    if (phandle != 0U) {
        fdt_prop_cell(node, name, phandle);
    }
}

/* Whether a range can be written in the cells of a parent. */
static bool fdt_range_fits(uint64_t base, uint64_t size, int address_cells, int size_cells)
{
    return size != 0U && size - 1U <= UINT64_MAX - base &&
           (address_cells == 2 || (address_cells == 1 && base <= UINT32_MAX)) &&
           (size_cells == 2 || (size_cells == 1 && size <= UINT32_MAX));
}

/* ---- a virtio-mmio window ---- */

static uint64_t fdt_window_size(const struct avps_fdt_mmio *desc)
{
    return desc->size != 0U ? desc->size : AVPS_MMIO_SIZE;
}

static bool fdt_mmio_is_valid(const struct avps_fdt_mmio *desc, int address_cells, int size_cells)
{
    if (desc == NULL || desc->interrupts == NULL || desc->interrupt_cells == 0U ||
        desc->interrupt_cells > AVPS_FDT_CELLS_MAX || desc->iommu_cells > AVPS_FDT_CELLS_MAX ||
        (desc->iommus == NULL) != (desc->iommu_cells == 0U)) {
        return false;
    }
    const uint64_t size = fdt_window_size(desc);

    return size >= AVPS_MMIO_SIZE && fdt_range_fits(desc->base, size, address_cells, size_cells);
}

static void fdt_describe_mmio(struct fdt_node *node, const struct avps_fdt_mmio *desc,
                              int address_cells, int size_cells)
{
    static const char compatible[] = "virtio,mmio";

    fdt_begin(node, "virtio_mmio", desc->base);
    fdt_prop(node, "compatible", compatible, sizeof compatible);
    fdt_number(node, desc->base, address_cells);
    fdt_number(node, fdt_window_size(desc), size_cells);
    fdt_prop_cells(node, "reg");
    fdt_cells(node, desc->interrupts, desc->interrupt_cells);
    fdt_prop_cells(node, "interrupts");
    fdt_prop_phandle(node, "interrupt-parent", desc->interrupt_parent);
    fdt_flag(node, "dma-coherent", desc->dma_coherent);
    fdt_flag(node, "wakeup-source", desc->wakeup_source);
    if (desc->iommus != NULL) {
        fdt_cells(node, desc->iommus, desc->iommu_cells);
        fdt_prop_cells(node, "iommus");
    }
    fdt_prop_phandle(node, "memory-region", desc->memory_region);
}

/* ---- a bounce window ---- */

static bool fdt_window_is_valid(const struct avps_fdt_window *desc, int address_cells,
                                int size_cells)
{
    return desc != NULL && desc->phandle != 0U && desc->phandle != UINT32_MAX &&
           fdt_range_fits(desc->gpa, desc->size, address_cells, size_cells);
}

static void fdt_describe_window(struct fdt_node *node, const struct avps_fdt_window *desc,
                                int address_cells, int size_cells)
{
    static const char compatible[] = "restricted-dma-pool";

    fdt_begin(node, compatible, desc->gpa);
    fdt_prop(node, "compatible", compatible, sizeof compatible);
    fdt_number(node, desc->gpa, address_cells);
    fdt_number(node, desc->size, size_cells);
    fdt_prop_cells(node, "reg");
    fdt_prop_cell(node, "phandle", desc->phandle);
}

/* ---- a PCI host ---- */

static bool fdt_windows_are_valid(const struct avps_fdt_pci *desc, int address_cells)
{
    bool plain = false;

    if (desc->windows == NULL || desc->window_count > AVPS_FDT_WINDOWS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < desc->window_count; i++) {
        const struct avps_fdt_pci_window *window = &desc->windows[i];
        const uint64_t last = window->pci_address + (window->size - 1U);

        if (!fdt_range_fits(window->base, window->size, address_cells, 2) ||
            last < window->pci_address || (!window->wide && last > UINT32_MAX)) {
            return false;
        }
        plain = plain || !window->prefetchable;
    }
    return plain;
}

static bool fdt_pins_are_valid(const struct avps_fdt_pci *desc)
{
    if (desc->pins == NULL || desc->pin_count == 0U) {
        return desc->pins == NULL && desc->pin_count == 0U;
    }
    for (uint32_t i = 0; i < desc->pin_count && i < AVPS_FDT_PINS_MAX; i++) {
        if (desc->pins[i].device > 31U || desc->pins[i].pin == 0U || desc->pins[i].pin > 4U) {
            return false;
        }
    }
    return desc->pin_count <= AVPS_FDT_PINS_MAX && desc->interrupt_controller != 0U &&
           desc->controller_address_cells <= 2U && desc->interrupt_cells != 0U &&
           desc->interrupt_cells <= AVPS_FDT_PIN_CELLS_MAX;
}

static bool fdt_pci_is_valid(const struct avps_fdt_pci *desc, int address_cells, int size_cells)
{
    return desc != NULL && desc->bus_count <= 256U &&
           fdt_range_fits(desc->ecam, AVPS_ECAM_SIZE(desc->bus_count), address_cells, size_cells) &&
           fdt_windows_are_valid(desc, address_cells) && fdt_pins_are_valid(desc);
}

/* PCI address, guest address and size of each window. */
static void fdt_prop_windows(struct fdt_node *node, const struct avps_fdt_pci *desc,
                             int address_cells)
{
    for (uint32_t i = 0; i < desc->window_count; i++) {
        const struct avps_fdt_pci_window *window = &desc->windows[i];

        fdt_cell(node, (window->wide ? FDT_PCI_MEMORY_64 : FDT_PCI_MEMORY_32) |
                           (window->prefetchable ? FDT_PCI_PREFETCHABLE : 0U));
        fdt_number(node, window->pci_address, 2);
        fdt_number(node, window->base, address_cells);
        fdt_number(node, window->size, 2);
    }
    fdt_prop_cells(node, "ranges");
}

/* The mask takes device number and pin of a PCI address; the map has a row for each pin. */
static void fdt_prop_pins(struct fdt_node *node, const struct avps_fdt_pci *desc)
{
    static const uint32_t mask[] = {FDT_PCI_DEVICE(31), 0, 0, 7};
    static const uint32_t nothing[2] = {0, 0};

    if (desc->pins == NULL) {
        return;
    }
    fdt_prop_cell(node, "#interrupt-cells", 1);
    fdt_cells(node, mask, 4);
    fdt_prop_cells(node, "interrupt-map-mask");
    for (uint32_t i = 0; i < desc->pin_count; i++) {
        fdt_cell(node, FDT_PCI_DEVICE(desc->pins[i].device));
        fdt_cells(node, nothing, 2);
        fdt_cell(node, desc->pins[i].pin);
        fdt_cell(node, desc->interrupt_controller);
        fdt_cells(node, nothing, desc->controller_address_cells);
        fdt_cells(node, desc->pins[i].interrupt, desc->interrupt_cells);
    }
    fdt_prop_cells(node, "interrupt-map");
}

/* All requester IDs, unchanged, to `phandle`. */
static void fdt_prop_requesters(struct fdt_node *node, const char *name, uint32_t phandle)
{
    const uint32_t map[] = {0, phandle, 0, FDT_PCI_REQUESTERS};

    if (phandle != 0U) {
        fdt_cells(node, map, 4);
        fdt_prop_cells(node, name);
    }
}

static void fdt_describe_pci(struct fdt_node *node, const struct avps_fdt_pci *desc,
                             int address_cells, int size_cells)
{
    static const char compatible[] = "pci-host-ecam-generic";
    static const char type[] = "pci";

    fdt_begin(node, "pcie", desc->ecam);
    fdt_prop(node, "compatible", compatible, sizeof compatible);
    fdt_prop(node, "device_type", type, sizeof type);
    fdt_prop_cell(node, "#address-cells", 3);
    fdt_prop_cell(node, "#size-cells", 2);
    fdt_number(node, desc->ecam, address_cells);
    fdt_number(node, AVPS_ECAM_SIZE(desc->bus_count), size_cells);
    fdt_prop_cells(node, "reg");
    fdt_cell(node, 0);
    fdt_cell(node, desc->bus_count - 1U);
    fdt_prop_cells(node, "bus-range");
    fdt_prop_windows(node, desc, address_cells);
    fdt_prop_pins(node, desc);
    fdt_prop_requesters(node, "msi-map", desc->msi_controller);
    fdt_prop_requesters(node, "iommu-map", desc->iommu);
    fdt_prop_phandle(node, "memory-region", desc->memory_region);
    fdt_flag(node, "dma-coherent", desc->dma_coherent);
}

/* ---- grants of a Xen guest ---- */

/* Phandles are neither of the two that stand for none. */
static bool fdt_phandle_is_valid(uint32_t phandle)
{
    return phandle != 0U && phandle != UINT32_MAX;
}

/* The one cell of a device's specifier is the domain that gets the grants. */
static void fdt_describe_grants(struct fdt_node *node, uint32_t phandle)
{
    static const char compatible[] = "xen,grant-dma";

    (void)fdt_begin_plain(node, "iommu");
    fdt_prop(node, "compatible", compatible, sizeof compatible);
    fdt_prop_cell(node, "#iommu-cells", 1);
    fdt_prop_cell(node, "phandle", phandle);
}

/* ---- writing it ---- */

static enum avps_status fdt_status(int error)
{
    if (error >= 0) {
        return AVPS_OK;
    }
    if (error == -FDT_ERR_NOSPACE) {
        return AVPS_E_NOSPACE;
    }
    return error == -FDT_ERR_EXISTS ? AVPS_E_STATE : AVPS_E_PARAM;
}

static enum avps_status fdt_add(void *fdt, int parent, const struct fdt_node *node)
{
    const int offset = fdt_add_subnode(fdt, parent, node->name);
    int error = offset;

    for (uint32_t i = 0; i < node->count && error >= 0; i++) {
        const struct fdt_prop *prop = &node->props[i];

        error = fdt_setprop(fdt, offset, prop->name, prop->bytes, (int)prop->len);
    }
    if (offset >= 0 && error < 0) {
        (void)fdt_del_node(fdt, offset);
    }
    return fdt_status(error);
}

static enum avps_status fdt_write(void *fdt, const struct fdt_node *node)
{
    int error = fdt_begin_node(fdt, node->name);

    for (uint32_t i = 0; i < node->count && error >= 0; i++) {
        const struct fdt_prop *prop = &node->props[i];

        error = fdt_property(fdt, prop->name, prop->bytes, (int)prop->len);
    }
    return fdt_status(error >= 0 ? fdt_end_node(fdt) : error);
}

static bool fdt_is_tree(const void *fdt)
{
    return fdt != NULL && fdt_check_header(fdt) == 0;
}

/* [AVPS BOOT-2] [AVPS BOOT-3] */
enum avps_status avps_fdt_add_mmio(void *fdt, int parent, const struct avps_fdt_mmio *desc)
{
    struct fdt_node node;

    if (!fdt_is_tree(fdt)) {
        return AVPS_E_PARAM;
    }
    const int address_cells = fdt_address_cells(fdt, parent);
    const int size_cells = fdt_size_cells(fdt, parent);

    if (!fdt_mmio_is_valid(desc, address_cells, size_cells)) {
        return AVPS_E_PARAM;
    }
    fdt_describe_mmio(&node, desc, address_cells, size_cells);
    return fdt_add(fdt, parent, &node);
}

enum avps_status avps_fdt_write_mmio(void *fdt, int address_cells, int size_cells,
                                     const struct avps_fdt_mmio *desc)
{
    struct fdt_node node;

    if (fdt == NULL || !fdt_mmio_is_valid(desc, address_cells, size_cells)) {
        return AVPS_E_PARAM;
    }
    fdt_describe_mmio(&node, desc, address_cells, size_cells);
    return fdt_write(fdt, &node);
}

/* [AVPS BOOT-2] [AVPS BOOT-3] */
enum avps_status avps_fdt_add_pci(void *fdt, int parent, const struct avps_fdt_pci *desc)
{
    struct fdt_node node;

    if (!fdt_is_tree(fdt)) {
        return AVPS_E_PARAM;
    }
    const int address_cells = fdt_address_cells(fdt, parent);
    const int size_cells = fdt_size_cells(fdt, parent);

    if (!fdt_pci_is_valid(desc, address_cells, size_cells)) {
        return AVPS_E_PARAM;
    }
    fdt_describe_pci(&node, desc, address_cells, size_cells);
    return fdt_add(fdt, parent, &node);
}

enum avps_status avps_fdt_write_pci(void *fdt, int address_cells, int size_cells,
                                    const struct avps_fdt_pci *desc)
{
    struct fdt_node node;

    if (fdt == NULL || !fdt_pci_is_valid(desc, address_cells, size_cells)) {
        return AVPS_E_PARAM;
    }
    fdt_describe_pci(&node, desc, address_cells, size_cells);
    return fdt_write(fdt, &node);
}

/* `/reserved-memory`, made if it is missing. @return its offset, or an error of libfdt. */
static int fdt_reserved_memory(void *fdt, bool *made)
{
    const int old = fdt_path_offset(fdt, "/reserved-memory");
    const uint32_t address_cells = (uint32_t)fdt_address_cells(fdt, 0);
    const uint32_t size_cells = (uint32_t)fdt_size_cells(fdt, 0);

    *made = old == -FDT_ERR_NOTFOUND;
    if (!*made) {
        return old;
    }
    const int node = fdt_add_subnode(fdt, 0, "reserved-memory");
    int error = node < 0 ? node : fdt_setprop_u32(fdt, node, "#address-cells", address_cells);

    if (error >= 0) {
        error = fdt_setprop_u32(fdt, node, "#size-cells", size_cells);
    }
    if (error >= 0) {
        error = fdt_setprop(fdt, node, "ranges", NULL, 0);
    }
    if (node >= 0 && error < 0) {
        (void)fdt_del_node(fdt, node);
    }
    return error < 0 ? error : node;
}

/* [AVPS BOOT-2] */
enum avps_status avps_fdt_add_window(void *fdt, const struct avps_fdt_window *desc)
{
    struct fdt_node node;
    bool made = false;

    if (!fdt_is_tree(fdt) ||
        !fdt_window_is_valid(desc, fdt_address_cells(fdt, 0), fdt_size_cells(fdt, 0))) {
        return AVPS_E_PARAM;
    }
    const int parent = fdt_reserved_memory(fdt, &made);
    if (parent < 0) {
        return fdt_status(parent);
    }
    const int address_cells = fdt_address_cells(fdt, parent);
    const int size_cells = fdt_size_cells(fdt, parent);
    enum avps_status status = AVPS_E_PARAM;

    if (fdt_window_is_valid(desc, address_cells, size_cells)) {
        fdt_describe_window(&node, desc, address_cells, size_cells);
        status = fdt_add(fdt, parent, &node);
    }
    if (status != AVPS_OK && made) {
        (void)fdt_del_node(fdt, fdt_path_offset(fdt, "/reserved-memory"));
    }
    return status;
}

enum avps_status avps_fdt_write_window(void *fdt, int address_cells, int size_cells,
                                       const struct avps_fdt_window *desc)
{
    struct fdt_node node;

    if (fdt == NULL || !fdt_window_is_valid(desc, address_cells, size_cells)) {
        return AVPS_E_PARAM;
    }
    fdt_describe_window(&node, desc, address_cells, size_cells);
    return fdt_write(fdt, &node);
}

enum avps_status avps_fdt_add_xen_grants(void *fdt, int parent, uint32_t phandle)
{
    struct fdt_node node;

    if (!fdt_is_tree(fdt) || !fdt_phandle_is_valid(phandle)) {
        return AVPS_E_PARAM;
    }
    fdt_describe_grants(&node, phandle);
    return fdt_add(fdt, parent, &node);
}

enum avps_status avps_fdt_write_xen_grants(void *fdt, uint32_t phandle)
{
    struct fdt_node node;

    if (fdt == NULL || !fdt_phandle_is_valid(phandle)) {
        return AVPS_E_PARAM;
    }
    fdt_describe_grants(&node, phandle);
    return fdt_write(fdt, &node);
}
