/* SPDX-License-Identifier: BSD-3-Clause */
/* Device-tree nodes of virtio-mmio windows: cells -> properties of a node -> into a read-write tree
 * or a sequential one. A node is described once, as a list of properties; the two ways differ only
 * in how they write it. */
#include "avps/fdt.h"

#include <libfdt.h>
#include <stddef.h>

#include "avps/mmio.h"

#define FDT_PROPS_MAX 7U

struct fdt_prop {
    const char *name;
    const void *bytes;
    int len;
};

/* A node, with the storage that its properties point into. */
struct fdt_node {
    char name[32]; /* "virtio_mmio@" and up to 16 digits */
    fdt32_t reg[4];
    fdt32_t interrupts[AVPS_FDT_CELLS_MAX];
    fdt32_t iommus[AVPS_FDT_CELLS_MAX];
    fdt32_t interrupt_parent;
    struct fdt_prop props[FDT_PROPS_MAX];
    uint32_t count;
};

/* ---- cells ---- */

static fdt32_t fdt_cell(uint32_t value)
{
    fdt32_t cell;

    fdt32_st(&cell, value);
    return cell;
}

/* `value` in one or two cells. @return the place after it. */
static fdt32_t *fdt_put(fdt32_t *at, uint64_t value, int cells)
{
    if (cells == 2) {
        *at++ = fdt_cell((uint32_t)(value >> 32));
    }
    *at++ = fdt_cell((uint32_t)(value & 0xffffffffU));
    return at;
}

static void fdt_put_cells(fdt32_t *at, const uint32_t *cells, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        at[i] = fdt_cell(cells[i]);
    }
}

static bool fdt_fits(uint64_t value, int cells)
{
    return cells == 2 || (cells == 1 && value <= UINT32_MAX);
}

/* ---- the node ---- */

static uint64_t fdt_window_size(const struct avps_fdt_mmio *desc)
{
    return desc->size != 0U ? desc->size : AVPS_MMIO_SIZE;
}

static bool fdt_desc_is_valid(const struct avps_fdt_mmio *desc, int address_cells, int size_cells)
{
    if (desc == NULL || desc->interrupts == NULL || desc->interrupt_cells == 0U ||
        desc->interrupt_cells > AVPS_FDT_CELLS_MAX || desc->iommu_cells > AVPS_FDT_CELLS_MAX ||
        (desc->iommus == NULL) != (desc->iommu_cells == 0U)) {
        return false;
    }
    const uint64_t size = fdt_window_size(desc);

    return size >= AVPS_MMIO_SIZE && size - 1U <= UINT64_MAX - desc->base &&
           fdt_fits(desc->base, address_cells) && fdt_fits(size, size_cells);
}

/* "virtio_mmio@" and the address in lower-case hexadecimal without leading zeros. */
static void fdt_node_name(char *name, uint64_t base)
{
    static const char prefix[] = "virtio_mmio@";
    unsigned int shift = 60;

    for (const char *from = prefix; *from != '\0'; from++) {
        *name++ = *from;
    }
    while (shift != 0U && base >> shift == 0U) {
        shift -= 4U;
    }
    for (unsigned int digits = shift / 4U + 1U; digits != 0U; digits--) {
        *name++ = "0123456789abcdef"[base >> (4U * (digits - 1U)) & 15U];
    }
    *name = '\0';
}

static void fdt_add_prop(struct fdt_node *node, const char *name, const void *bytes, size_t len)
{
    node->props[node->count] = (struct fdt_prop){name, bytes, (int)len};
    node->count++;
}

static void fdt_describe(struct fdt_node *node, const struct avps_fdt_mmio *desc, int address_cells,
                         int size_cells)
{
    static const char compatible[] = "virtio,mmio";
    const fdt32_t *end =
        fdt_put(fdt_put(node->reg, desc->base, address_cells), fdt_window_size(desc), size_cells);

    node->count = 0;
    fdt_node_name(node->name, desc->base);
    fdt_add_prop(node, "compatible", compatible, sizeof compatible);
    fdt_add_prop(node, "reg", node->reg, (size_t)(end - node->reg) * sizeof *end);
    fdt_put_cells(node->interrupts, desc->interrupts, desc->interrupt_cells);
    fdt_add_prop(node, "interrupts", node->interrupts, desc->interrupt_cells * sizeof *end);
    if (desc->interrupt_parent != 0U) {
        node->interrupt_parent = fdt_cell(desc->interrupt_parent);
        fdt_add_prop(node, "interrupt-parent", &node->interrupt_parent, sizeof *end);
    }
    if (desc->dma_coherent) {
        fdt_add_prop(node, "dma-coherent", NULL, 0);
    }
    if (desc->wakeup_source) {
        fdt_add_prop(node, "wakeup-source", NULL, 0);
    }
    if (desc->iommus != NULL) {
        fdt_put_cells(node->iommus, desc->iommus, desc->iommu_cells);
        fdt_add_prop(node, "iommus", node->iommus, desc->iommu_cells * sizeof *end);
    }
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

/* [AVPS BOOT-2] [AVPS BOOT-3] */
enum avps_status avps_fdt_add_mmio(void *fdt, int parent, const struct avps_fdt_mmio *desc)
{
    struct fdt_node node;

    if (fdt == NULL || fdt_check_header(fdt) != 0) {
        return AVPS_E_PARAM;
    }
    const int address_cells = fdt_address_cells(fdt, parent);
    const int size_cells = fdt_size_cells(fdt, parent);

    if (!fdt_desc_is_valid(desc, address_cells, size_cells)) {
        return AVPS_E_PARAM;
    }
    fdt_describe(&node, desc, address_cells, size_cells);
    const int offset = fdt_add_subnode(fdt, parent, node.name);
    int error = offset;

    for (uint32_t i = 0; i < node.count && error >= 0; i++) {
        error =
            fdt_setprop(fdt, offset, node.props[i].name, node.props[i].bytes, node.props[i].len);
    }
    if (offset >= 0 && error < 0) {
        (void)fdt_del_node(fdt, offset);
    }
    return fdt_status(error);
}

enum avps_status avps_fdt_write_mmio(void *fdt, int address_cells, int size_cells,
                                     const struct avps_fdt_mmio *desc)
{
    struct fdt_node node;

    if (fdt == NULL || !fdt_desc_is_valid(desc, address_cells, size_cells)) {
        return AVPS_E_PARAM;
    }
    fdt_describe(&node, desc, address_cells, size_cells);
    int error = fdt_begin_node(fdt, node.name);

    for (uint32_t i = 0; i < node.count && error >= 0; i++) {
        error = fdt_property(fdt, node.props[i].name, node.props[i].bytes, node.props[i].len);
    }
    return fdt_status(error >= 0 ? fdt_end_node(fdt) : error);
}
