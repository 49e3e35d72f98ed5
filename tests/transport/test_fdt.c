/* SPDX-License-Identifier: BSD-3-Clause */
/* Device-tree nodes: every property read back with libfdt, both ways of writing, every refusal:
 * virtio-mmio windows -> PCI hosts -> bounce windows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <libfdt.h>

#include "avps/ecam.h"
#include "avps/fdt.h"
#include "avps/mmio.h"

#define TREE_SIZE 2048

static const uint32_t spi[] = {0, 42, 4};

struct tree {
    char fdt[TREE_SIZE];
    int soc; /* parent of the windows */
};

/* A tree with /soc of the given cells. */
static void tree_init(struct tree *tree, uint32_t address_cells, uint32_t size_cells)
{
    assert_int_equal(fdt_create_empty_tree(tree->fdt, TREE_SIZE), 0);
    tree->soc = fdt_add_subnode(tree->fdt, 0, "soc");
    assert_true(tree->soc > 0);
    assert_int_equal(fdt_setprop_u32(tree->fdt, tree->soc, "#address-cells", address_cells), 0);
    assert_int_equal(fdt_setprop_u32(tree->fdt, tree->soc, "#size-cells", size_cells), 0);
}

static struct avps_fdt_mmio window(uint64_t base)
{
    const struct avps_fdt_mmio desc = {.base = base, .interrupts = spi, .interrupt_cells = 3};
    return desc;
}

static int find(const void *fdt, const char *path)
{
    const int node = fdt_path_offset(fdt, path);

    assert_true(node > 0);
    return node;
}

static void assert_cells(const void *fdt, int node, const char *name, const uint32_t *cells,
                         int count)
{
    int len = 0;
    const fdt32_t *value = fdt_getprop(fdt, node, name, &len);

    assert_non_null(value);
    assert_int_equal(len, count * 4);
    for (int i = 0; i < count; i++) {
        assert_int_equal(fdt32_ld(&value[i]), cells[i]);
    }
}

static bool has(const void *fdt, int node, const char *name)
{
    return fdt_getprop(fdt, node, name, NULL) != NULL;
}

static void assert_plain_node(const void *fdt, int node)
{
    const uint32_t reg[] = {0, 0x0a000200, 0, AVPS_MMIO_SIZE};

    assert_int_equal(fdt_node_check_compatible(fdt, node, "virtio,mmio"), 0);
    assert_cells(fdt, node, "reg", reg, 4);
    assert_cells(fdt, node, "interrupts", spi, 3);
    assert_false(has(fdt, node, "interrupt-parent"));
    assert_false(has(fdt, node, "dma-coherent"));
    assert_false(has(fdt, node, "wakeup-source"));
    assert_false(has(fdt, node, "iommus"));
    assert_false(has(fdt, node, "memory-region"));
}

/* [AVPS BOOT-2] [AVPS BOOT-3] */
static void test_fdt_describes_a_window(void **state)
{
    struct tree tree;
    const struct avps_fdt_mmio desc = window(0x0a000200);

    (void)state;
    tree_init(&tree, 2, 2);
    assert_int_equal(avps_fdt_add_mmio(tree.fdt, tree.soc, &desc), AVPS_OK);
    assert_plain_node(tree.fdt, find(tree.fdt, "/soc/virtio_mmio@a000200"));
}

static void test_fdt_writes_every_option(void **state)
{
    static const uint32_t stream[] = {7, 0x100};
    static const uint32_t phandle[] = {3};
    struct tree tree;
    struct avps_fdt_mmio desc = window(0x0a000000);

    (void)state;
    desc.interrupt_parent = 3;
    desc.dma_coherent = true;
    desc.wakeup_source = true;
    desc.iommus = stream;
    desc.iommu_cells = 2;
    desc.memory_region = 7;
    tree_init(&tree, 2, 2);
    assert_int_equal(avps_fdt_add_mmio(tree.fdt, tree.soc, &desc), AVPS_OK);
    const int node = find(tree.fdt, "/soc/virtio_mmio@a000000");
    assert_cells(tree.fdt, node, "interrupt-parent", phandle, 1);
    assert_true(has(tree.fdt, node, "dma-coherent"));
    assert_true(has(tree.fdt, node, "wakeup-source"));
    assert_cells(tree.fdt, node, "iommus", stream, 2);
    assert_cells(tree.fdt, node, "memory-region", &desc.memory_region, 1);
}

static void test_fdt_follows_the_parents_cells(void **state)
{
    static const uint32_t reg[] = {0xfe000000, 0x1000};
    struct tree tree;
    struct avps_fdt_mmio desc = window(0xfe000000);

    (void)state;
    desc.size = 0x1000;
    tree_init(&tree, 1, 1);
    assert_int_equal(avps_fdt_add_mmio(tree.fdt, tree.soc, &desc), AVPS_OK);
    assert_cells(tree.fdt, find(tree.fdt, "/soc/virtio_mmio@fe000000"), "reg", reg, 2);
}

static void test_fdt_names_addresses_over_4_gib_and_zero(void **state)
{
    static const uint32_t high[] = {0xfedcba98, 0x76543000, 0, AVPS_MMIO_SIZE};
    static const uint32_t zero[] = {0, 0, 0, AVPS_MMIO_SIZE};
    struct tree tree;
    struct avps_fdt_mmio desc = window(UINT64_C(0xfedcba9876543000));

    (void)state;
    tree_init(&tree, 2, 2);
    assert_int_equal(avps_fdt_add_mmio(tree.fdt, tree.soc, &desc), AVPS_OK);
    desc.base = 0;
    assert_int_equal(avps_fdt_add_mmio(tree.fdt, tree.soc, &desc), AVPS_OK);
    assert_cells(tree.fdt, find(tree.fdt, "/soc/virtio_mmio@fedcba9876543000"), "reg", high, 4);
    assert_cells(tree.fdt, find(tree.fdt, "/soc/virtio_mmio@0"), "reg", zero, 4);
}

static void test_fdt_adds_several_windows(void **state)
{
    struct tree tree;
    struct avps_fdt_mmio desc = window(0x1000);

    (void)state;
    tree_init(&tree, 2, 2);
    for (unsigned int i = 0; i < 4U; i++) {
        desc.base = 0x1000U + i * AVPS_MMIO_SIZE;
        assert_int_equal(avps_fdt_add_mmio(tree.fdt, tree.soc, &desc), AVPS_OK);
    }
    (void)find(tree.fdt, "/soc/virtio_mmio@1000");
    (void)find(tree.fdt, "/soc/virtio_mmio@1600");
}

static void test_fdt_refuses_a_second_node_of_one_name(void **state)
{
    struct tree tree;
    const struct avps_fdt_mmio desc = window(0x0a000200);

    (void)state;
    tree_init(&tree, 2, 2);
    assert_int_equal(avps_fdt_add_mmio(tree.fdt, tree.soc, &desc), AVPS_OK);
    assert_int_equal(avps_fdt_add_mmio(tree.fdt, tree.soc, &desc), AVPS_E_STATE);
    assert_plain_node(tree.fdt, find(tree.fdt, "/soc/virtio_mmio@a000200"));
}

/* Whatever room is missing: either all of the node is there, or none of it. */
static void test_fdt_leaves_a_full_tree_as_it_was(void **state)
{
    const struct avps_fdt_mmio desc = window(0x0a000200);
    struct tree small;
    unsigned int refused = 0;
    unsigned int added = 0;

    (void)state;
    tree_init(&small, 2, 2);
    assert_int_equal(fdt_pack(small.fdt), 0);
    for (int extra = 0; extra < 256; extra += 4) {
        struct tree tree = {.soc = small.soc};
        const int size = (int)fdt_totalsize(small.fdt) + extra;

        assert_int_equal(fdt_open_into(small.fdt, tree.fdt, size), 0);
        const enum avps_status status = avps_fdt_add_mmio(tree.fdt, tree.soc, &desc);
        if (status == AVPS_OK) {
            added++;
            assert_plain_node(tree.fdt, find(tree.fdt, "/soc/virtio_mmio@a000200"));
        } else {
            refused++;
            assert_int_equal(status, AVPS_E_NOSPACE);
            assert_int_equal(fdt_first_subnode(tree.fdt, tree.soc), -FDT_ERR_NOTFOUND);
            assert_int_equal(fdt_address_cells(tree.fdt, tree.soc), 2);
        }
    }
    assert_true(refused > 10U);
    assert_true(added > 10U);
}

static void test_fdt_refuses_a_bad_description(void **state)
{
    static const uint32_t cells[AVPS_FDT_CELLS_MAX + 1U] = {0};
    const struct avps_fdt_mmio good = window(0x1000);
    struct avps_fdt_mmio bad[10];
    struct tree tree;

    (void)state;
    tree_init(&tree, 2, 2);
    for (size_t i = 0; i < 10U; i++) {
        bad[i] = good;
    }
    bad[0].interrupts = NULL;
    bad[1].interrupt_cells = 0;
    bad[2].interrupts = cells;
    bad[2].interrupt_cells = AVPS_FDT_CELLS_MAX + 1U;
    bad[3].iommus = cells;
    bad[4].iommu_cells = 1;
    bad[5].iommus = cells;
    bad[5].iommu_cells = AVPS_FDT_CELLS_MAX + 1U;
    bad[6].size = AVPS_MMIO_SIZE - 1U;
    bad[7].base = UINT64_MAX - AVPS_MMIO_SIZE + 2U;
    bad[8].base = 1;
    bad[8].size = UINT64_MAX;
    bad[9].size = 1;
    for (size_t i = 0; i < 10U; i++) {
        if (i == 8U) {
            continue; /* ends at 2^64 - 1: allowed, see below */
        }
        assert_int_equal(avps_fdt_add_mmio(tree.fdt, tree.soc, &bad[i]), AVPS_E_PARAM);
        assert_int_equal(avps_fdt_write_mmio(tree.fdt, 2, 2, &bad[i]), AVPS_E_PARAM);
    }
    assert_int_equal(fdt_first_subnode(tree.fdt, tree.soc), -FDT_ERR_NOTFOUND);
    assert_int_equal(avps_fdt_add_mmio(tree.fdt, tree.soc, &bad[8]), AVPS_OK);
    assert_int_equal(avps_fdt_add_mmio(tree.fdt, tree.soc, NULL), AVPS_E_PARAM);
    assert_int_equal(avps_fdt_add_mmio(NULL, 0, &good), AVPS_E_PARAM);
    assert_int_equal(avps_fdt_write_mmio(NULL, 2, 2, &good), AVPS_E_PARAM);
    assert_int_equal(avps_fdt_write_mmio(tree.fdt, 2, 2, NULL), AVPS_E_PARAM);
}

static void test_fdt_refuses_an_address_that_does_not_fit(void **state)
{
    struct tree tree;
    struct avps_fdt_mmio desc = window(UINT64_C(0x100000000));

    (void)state;
    tree_init(&tree, 1, 1);
    assert_int_equal(avps_fdt_add_mmio(tree.fdt, tree.soc, &desc), AVPS_E_PARAM);
    desc = window(0);
    desc.size = UINT64_C(0x100000000);
    assert_int_equal(avps_fdt_add_mmio(tree.fdt, tree.soc, &desc), AVPS_E_PARAM);
    desc.size = 0x80000000U;
    assert_int_equal(avps_fdt_add_mmio(tree.fdt, tree.soc, &desc), AVPS_OK);
}

static void test_fdt_refuses_a_bad_tree_or_parent(void **state)
{
    struct tree tree;
    const struct avps_fdt_mmio desc = window(0x1000);

    (void)state;
    tree_init(&tree, 2, 2);
    assert_int_equal(avps_fdt_add_mmio(tree.fdt, tree.soc + 2, &desc), AVPS_E_PARAM);
    assert_int_equal(avps_fdt_add_mmio(tree.fdt, TREE_SIZE * 4, &desc), AVPS_E_PARAM);
    tree_init(&tree, 3, 2);
    assert_int_equal(avps_fdt_add_mmio(tree.fdt, tree.soc, &desc), AVPS_E_PARAM);
    tree_init(&tree, 2, 0);
    assert_int_equal(avps_fdt_add_mmio(tree.fdt, tree.soc, &desc), AVPS_E_PARAM);
    tree.fdt[0] = 0;
    assert_int_equal(avps_fdt_add_mmio(tree.fdt, tree.soc, &desc), AVPS_E_PARAM);
}

/* A sequential tree of `size` bytes with one window in its root. */
static enum avps_status write_tree(char *fdt, int size, const struct avps_fdt_mmio *desc)
{
    assert_int_equal(fdt_create(fdt, size), 0);
    assert_int_equal(fdt_finish_reservemap(fdt), 0);
    assert_int_equal(fdt_begin_node(fdt, ""), 0);
    return avps_fdt_write_mmio(fdt, 2, 2, desc);
}

static void test_fdt_writes_the_same_node_sequentially(void **state)
{
    static char fdt[TREE_SIZE];
    const struct avps_fdt_mmio desc = window(0x0a000200);

    (void)state;
    assert_int_equal(write_tree(fdt, TREE_SIZE, &desc), AVPS_OK);
    assert_int_equal(fdt_end_node(fdt), 0);
    assert_int_equal(fdt_finish(fdt), 0);
    assert_plain_node(fdt, find(fdt, "/virtio_mmio@a000200"));
}

static void test_fdt_reports_a_full_sequential_tree(void **state)
{
    static char fdt[TREE_SIZE];
    const struct avps_fdt_mmio desc = window(0x0a000200);
    unsigned int refused = 0;
    int size = 128;

    (void)state;
    for (; write_tree(fdt, size, &desc) != AVPS_OK; size += 4) {
        assert_int_equal(write_tree(fdt, size, &desc), AVPS_E_NOSPACE);
        refused++;
    }
    assert_true(refused > 10U);
    assert_int_equal(avps_fdt_write_mmio(fdt, 3, 2, &desc), AVPS_E_PARAM);
    assert_int_equal(avps_fdt_write_mmio(fdt, 2, 3, &desc), AVPS_E_PARAM);
}

static void test_fdt_refuses_a_finished_sequential_tree(void **state)
{
    static char fdt[TREE_SIZE];
    const struct avps_fdt_mmio desc = window(0x0a000200);

    (void)state;
    assert_int_equal(write_tree(fdt, TREE_SIZE, &desc), AVPS_OK);
    assert_int_equal(fdt_end_node(fdt), 0);
    assert_int_equal(fdt_finish(fdt), 0);
    assert_int_equal(avps_fdt_write_mmio(fdt, 2, 2, &desc), AVPS_E_PARAM);
}

/* ---- grants of a Xen guest ---- */

static void assert_grants_node(const void *fdt)
{
    const int node = find(fdt, "/soc/iommu");
    const uint32_t one = 1;

    assert_int_equal(fdt_node_check_compatible(fdt, node, "xen,grant-dma"), 0);
    assert_cells(fdt, node, "#iommu-cells", &one, 1);
    assert_int_equal(fdt_get_phandle(fdt, node), 77);
    assert_int_equal(fdt_node_offset_by_phandle(fdt, 77), node);
}

static void test_fdt_adds_the_iommu_of_granted_memory(void **state)
{
    struct tree tree;

    (void)state;
    tree_init(&tree, 2, 2);
    assert_int_equal(avps_fdt_add_xen_grants(tree.fdt, tree.soc, 77), AVPS_OK);
    assert_grants_node(tree.fdt);
    assert_int_equal(avps_fdt_add_xen_grants(tree.fdt, tree.soc, 78), AVPS_E_STATE);
}

static void test_fdt_writes_the_iommu_of_granted_memory(void **state)
{
    char fdt[TREE_SIZE];

    (void)state;
    assert_int_equal(fdt_create(fdt, TREE_SIZE), 0);
    assert_int_equal(fdt_finish_reservemap(fdt), 0);
    assert_int_equal(fdt_begin_node(fdt, ""), 0);
    assert_int_equal(fdt_begin_node(fdt, "soc"), 0);
    assert_int_equal(avps_fdt_write_xen_grants(fdt, 77), AVPS_OK);
    assert_int_equal(fdt_end_node(fdt), 0);
    assert_int_equal(fdt_end_node(fdt), 0);
    assert_int_equal(fdt_finish(fdt), 0);
    assert_grants_node(fdt);
}

static void test_fdt_refuses_a_bad_phandle_of_granted_memory(void **state)
{
    struct tree tree;

    (void)state;
    tree_init(&tree, 2, 2);
    assert_int_equal(avps_fdt_add_xen_grants(tree.fdt, tree.soc, 0), AVPS_E_PARAM);
    assert_int_equal(avps_fdt_add_xen_grants(tree.fdt, tree.soc, UINT32_MAX), AVPS_E_PARAM);
    assert_int_equal(avps_fdt_add_xen_grants(NULL, 0, 77), AVPS_E_PARAM);
    assert_int_equal(avps_fdt_write_xen_grants(tree.fdt, 0), AVPS_E_PARAM);
    assert_int_equal(avps_fdt_write_xen_grants(tree.fdt, UINT32_MAX), AVPS_E_PARAM);
    assert_int_equal(avps_fdt_write_xen_grants(NULL, 77), AVPS_E_PARAM);
    assert_true(fdt_path_offset(tree.fdt, "/soc/iommu") < 0);
}

/* ---- PCI hosts ---- */

static const struct avps_fdt_pci_window low = {
    .base = 0x10000000, .pci_address = 0x10000000, .size = 0x01000000};
static const struct avps_fdt_pci_pin two_pins[] = {
    {.device = 0, .pin = 1, .interrupt = {0, 16, 4}},
    {.device = 31, .pin = 4, .interrupt = {0, 17, 4}}};

/* What every host needs: one bus, one window. */
static struct avps_fdt_pci host(void)
{
    const struct avps_fdt_pci desc = {
        .ecam = 0x3f000000, .bus_count = 1, .windows = &low, .window_count = 1};
    return desc;
}

static struct avps_fdt_pci host_with_pins(void)
{
    struct avps_fdt_pci desc = host();

    desc.pins = two_pins;
    desc.pin_count = 2;
    desc.interrupt_controller = 1;
    desc.interrupt_cells = 3;
    return desc;
}

static void assert_plain_host(const void *fdt, int node)
{
    static const uint32_t reg[] = {0, 0x3f000000, 0, 0x100000};
    static const uint32_t buses[] = {0, 0};
    static const uint32_t ranges[] = {0x02000000, 0, 0x10000000, 0, 0x10000000, 0, 0x01000000};

    assert_int_equal(fdt_node_check_compatible(fdt, node, "pci-host-ecam-generic"), 0);
    assert_string_equal(fdt_getprop(fdt, node, "device_type", NULL), "pci");
    assert_int_equal(fdt_address_cells(fdt, node), 3);
    assert_int_equal(fdt_size_cells(fdt, node), 2);
    assert_cells(fdt, node, "reg", reg, 4);
    assert_cells(fdt, node, "bus-range", buses, 2);
    assert_cells(fdt, node, "ranges", ranges, 7);
    assert_false(has(fdt, node, "interrupt-map"));
    assert_false(has(fdt, node, "msi-map"));
    assert_false(has(fdt, node, "iommu-map"));
    assert_false(has(fdt, node, "memory-region"));
    assert_false(has(fdt, node, "dma-coherent"));
}

/* [AVPS BOOT-2] [AVPS BOOT-3] */
static void test_fdt_describes_a_pci_host(void **state)
{
    struct tree tree;
    const struct avps_fdt_pci desc = host();

    (void)state;
    tree_init(&tree, 2, 2);
    assert_int_equal(avps_fdt_add_pci(tree.fdt, tree.soc, &desc), AVPS_OK);
    assert_plain_host(tree.fdt, find(tree.fdt, "/soc/pcie@3f000000"));
    assert_int_equal(avps_fdt_add_pci(tree.fdt, tree.soc, &desc), AVPS_E_STATE);
}

static void test_fdt_wires_the_pins_of_a_pci_host(void **state)
{
    static const uint32_t one[] = {1};
    static const uint32_t mask[] = {0xf800, 0, 0, 7};
    static const uint32_t map[] = {0x0000, 0, 0, 1, 1, 0, 16, 4, 0xf800, 0, 0, 4, 1, 0, 17, 4};
    static const uint32_t addressed[] = {0x0000, 0, 0, 1, 1, 0, 0, 0, 16, 4,
                                         0xf800, 0, 0, 4, 1, 0, 0, 0, 17, 4};
    struct tree tree;
    struct avps_fdt_pci desc = host_with_pins();

    (void)state;
    tree_init(&tree, 2, 2);
    assert_int_equal(avps_fdt_add_pci(tree.fdt, tree.soc, &desc), AVPS_OK);
    int node = find(tree.fdt, "/soc/pcie@3f000000");
    assert_cells(tree.fdt, node, "#interrupt-cells", one, 1);
    assert_cells(tree.fdt, node, "interrupt-map-mask", mask, 4);
    assert_cells(tree.fdt, node, "interrupt-map", map, 16);
    tree_init(&tree, 2, 2);
    desc.controller_address_cells = 2;
    assert_int_equal(avps_fdt_add_pci(tree.fdt, tree.soc, &desc), AVPS_OK);
    node = find(tree.fdt, "/soc/pcie@3f000000");
    assert_cells(tree.fdt, node, "interrupt-map", addressed, 20);
}

static void test_fdt_routes_messages_and_translations_of_a_pci_host(void **state)
{
    static const uint32_t messages[] = {0, 7, 0, 0x10000};
    static const uint32_t iommu[] = {0, 9, 0, 0x10000};
    struct tree tree;
    struct avps_fdt_pci desc = host();

    (void)state;
    desc.msi_controller = 7;
    desc.iommu = 9;
    desc.memory_region = 11;
    desc.dma_coherent = true;
    tree_init(&tree, 2, 2);
    assert_int_equal(avps_fdt_add_pci(tree.fdt, tree.soc, &desc), AVPS_OK);
    const int node = find(tree.fdt, "/soc/pcie@3f000000");
    assert_cells(tree.fdt, node, "msi-map", messages, 4);
    assert_cells(tree.fdt, node, "iommu-map", iommu, 4);
    assert_cells(tree.fdt, node, "memory-region", &desc.memory_region, 1);
    assert_true(has(tree.fdt, node, "dma-coherent"));
}

static void test_fdt_describes_every_kind_of_pci_window(void **state)
{
    static const struct avps_fdt_pci_window windows[] = {
        {.base = 0x10000000, .pci_address = 0x80000000, .size = 0x80000000},
        {.base = UINT64_C(0x8000000000),
         .pci_address = UINT64_C(0x4000000000),
         .size = UINT64_C(0x4000000000),
         .wide = true},
        {.base = UINT64_C(0xc000000000),
         .pci_address = UINT64_C(0xc000000000),
         .size = 0x100000,
         .wide = true,
         .prefetchable = true}};
    static const uint32_t reg[] = {0x40, 0, 0, 0x10000000};
    static const uint32_t buses[] = {0, 255};
    static const uint32_t ranges[] = {0x02000000, 0,          0x80000000, 0,    0x10000000, 0,
                                      0x80000000, 0x03000000, 0x40,       0,    0x80,       0,
                                      0x40,       0,          0x43000000, 0xc0, 0,          0xc0,
                                      0,          0,          0x100000};
    struct tree tree;
    struct avps_fdt_pci desc = host();

    (void)state;
    desc.ecam = UINT64_C(0x4000000000);
    desc.bus_count = 256;
    desc.windows = windows;
    desc.window_count = 3;
    tree_init(&tree, 2, 2);
    assert_int_equal(avps_fdt_add_pci(tree.fdt, tree.soc, &desc), AVPS_OK);
    const int node = find(tree.fdt, "/soc/pcie@4000000000");
    assert_cells(tree.fdt, node, "reg", reg, 4);
    assert_cells(tree.fdt, node, "bus-range", buses, 2);
    assert_cells(tree.fdt, node, "ranges", ranges, 21);
}

static void test_fdt_follows_the_cells_of_a_pci_hosts_parent(void **state)
{
    static const uint32_t reg[] = {0x3f000000, 0x100000};
    static const uint32_t ranges[] = {0x02000000, 0, 0x10000000, 0x10000000, 0, 0x01000000};
    struct avps_fdt_pci_window high = low;
    struct tree tree;
    struct avps_fdt_pci desc = host();

    (void)state;
    tree_init(&tree, 1, 1);
    assert_int_equal(avps_fdt_add_pci(tree.fdt, tree.soc, &desc), AVPS_OK);
    const int node = find(tree.fdt, "/soc/pcie@3f000000");
    assert_cells(tree.fdt, node, "reg", reg, 2);
    assert_cells(tree.fdt, node, "ranges", ranges, 6);
    high.base = UINT64_C(0x100000000);
    desc.windows = &high;
    assert_int_equal(avps_fdt_add_pci(tree.fdt, tree.soc, &desc), AVPS_E_PARAM);
    desc.windows = &low;
    desc.ecam = UINT64_C(0x100000000);
    assert_int_equal(avps_fdt_add_pci(tree.fdt, tree.soc, &desc), AVPS_E_PARAM);
}

/* Room for the largest host: all pins with the longest interrupts, all windows, everything else. */
static void test_fdt_describes_the_largest_pci_host(void **state)
{
    static char fdt[2U * TREE_SIZE];
    struct avps_fdt_pci_window windows[AVPS_FDT_WINDOWS_MAX] = {low, low, low};
    struct avps_fdt_pci_pin pins[AVPS_FDT_PINS_MAX];
    struct avps_fdt_pci desc = host_with_pins();
    int len = 0;

    (void)state;
    for (uint8_t i = 0; i < AVPS_FDT_PINS_MAX; i++) {
        pins[i] = (struct avps_fdt_pci_pin){.device = i, .pin = 1, .interrupt = {0, i, 4, 0xf00}};
    }
    desc.windows = windows;
    desc.window_count = AVPS_FDT_WINDOWS_MAX;
    desc.pins = pins;
    desc.pin_count = AVPS_FDT_PINS_MAX;
    desc.interrupt_cells = AVPS_FDT_PIN_CELLS_MAX;
    desc.controller_address_cells = 2;
    desc.msi_controller = 2;
    desc.iommu = 3;
    desc.memory_region = 4;
    desc.dma_coherent = true;
    assert_int_equal(fdt_create(fdt, sizeof fdt), 0);
    assert_int_equal(fdt_finish_reservemap(fdt), 0);
    assert_int_equal(fdt_begin_node(fdt, ""), 0);
    assert_int_equal(avps_fdt_write_pci(fdt, 2, 2, &desc), AVPS_OK);
    assert_int_equal(fdt_end_node(fdt), 0);
    assert_int_equal(fdt_finish(fdt), 0);
    const fdt32_t *map = fdt_getprop(fdt, find(fdt, "/pcie@3f000000"), "interrupt-map", &len);
    assert_non_null(map);
    assert_int_equal(len, 32 * 11 * 4);
    assert_int_equal(fdt32_ld(&map[31 * 11]), 31U << 11);
    assert_int_equal(fdt32_ld(&map[31 * 11 + 8]), 31);
    assert_int_equal(fdt32_ld(&map[31 * 11 + 10]), 0xf00);
    assert_true(has(fdt, find(fdt, "/pcie@3f000000"), "dma-coherent"));
}

static void assert_refused(const struct avps_fdt_pci *desc)
{
    struct tree tree;

    tree_init(&tree, 2, 2);
    assert_int_equal(avps_fdt_add_pci(tree.fdt, tree.soc, desc), AVPS_E_PARAM);
    assert_int_equal(avps_fdt_write_pci(tree.fdt, 2, 2, desc), AVPS_E_PARAM);
    assert_int_equal(fdt_first_subnode(tree.fdt, tree.soc), -FDT_ERR_NOTFOUND);
}

static void test_fdt_refuses_a_bad_pci_host(void **state)
{
    struct avps_fdt_pci bad[6];

    (void)state;
    for (size_t i = 0; i < 6U; i++) {
        bad[i] = host();
    }
    bad[0].bus_count = 0;
    bad[1].bus_count = 257;
    bad[2].ecam = UINT64_MAX - AVPS_ECAM_SIZE(1) + 2U;
    bad[3].windows = NULL;
    bad[4].window_count = 0;
    bad[5].window_count = AVPS_FDT_WINDOWS_MAX + 1U;
    for (size_t i = 0; i < 6U; i++) {
        assert_refused(&bad[i]);
    }
    assert_refused(NULL);
    bad[0] = host();
    assert_int_equal(avps_fdt_add_pci(NULL, 0, &bad[0]), AVPS_E_PARAM);
    assert_int_equal(avps_fdt_write_pci(NULL, 2, 2, &bad[0]), AVPS_E_PARAM);
}

static void test_fdt_refuses_a_bad_pci_window(void **state)
{
    struct avps_fdt_pci_window bad[6] = {low, low, low, low, low, low};
    struct avps_fdt_pci desc = host();

    (void)state;
    bad[0].size = 0;
    bad[1].base = UINT64_MAX - low.size + 2U;
    bad[2].pci_address = UINT64_MAX - low.size + 2U;
    bad[2].wide = true;
    bad[3].pci_address = UINT64_C(0x100000000) - low.size + 1U;
    bad[4].pci_address = UINT64_C(0x100000000);
    bad[5].prefetchable = true;
    for (size_t i = 0; i < 6U; i++) {
        desc.windows = &bad[i];
        assert_refused(&desc);
    }
    bad[3].pci_address--;
    desc.windows = &bad[3];
    struct tree tree;
    tree_init(&tree, 2, 2);
    assert_int_equal(avps_fdt_add_pci(tree.fdt, tree.soc, &desc), AVPS_OK);
}

static void test_fdt_refuses_bad_pins_of_a_pci_host(void **state)
{
    struct avps_fdt_pci_pin pins[3][2];
    struct avps_fdt_pci bad[10];

    (void)state;
    for (size_t i = 0; i < 3U; i++) {
        memcpy(pins[i], two_pins, sizeof two_pins);
    }
    for (size_t i = 0; i < 10U; i++) {
        bad[i] = host_with_pins();
    }
    pins[0][1].device = 32;
    pins[1][1].pin = 0;
    pins[2][1].pin = 5;
    for (size_t i = 0; i < 3U; i++) {
        bad[i].pins = pins[i];
    }
    bad[3].pins = NULL;
    bad[4].pin_count = 0;
    bad[5].interrupt_controller = 0;
    bad[6].controller_address_cells = 3;
    bad[7].interrupt_cells = 0;
    bad[8].interrupt_cells = AVPS_FDT_PIN_CELLS_MAX + 1U;
    static struct avps_fdt_pci_pin many[AVPS_FDT_PINS_MAX + 1U];
    for (size_t i = 0; i <= AVPS_FDT_PINS_MAX; i++) {
        many[i] = two_pins[0];
    }
    bad[9].pins = many;
    bad[9].pin_count = AVPS_FDT_PINS_MAX + 1U;
    for (size_t i = 0; i < 10U; i++) {
        assert_refused(&bad[i]);
    }
}

/* ---- bounce windows ---- */

static const struct avps_fdt_window pool = {.gpa = 0x48000000, .size = 0x400000, .phandle = 9};

static void assert_pool(const void *fdt, const char *path)
{
    static const uint32_t reg[] = {0, 0x48000000, 0, 0x400000};
    const int node = find(fdt, path);

    assert_int_equal(fdt_node_check_compatible(fdt, node, "restricted-dma-pool"), 0);
    assert_cells(fdt, node, "reg", reg, 4);
    assert_int_equal(fdt_get_phandle(fdt, node), 9);
    assert_int_equal(fdt_node_offset_by_phandle(fdt, 9), node);
    assert_false(has(fdt, node, "no-map")); /* the kernel bounces through its own mapping */
}

static void root_init(struct tree *tree, uint32_t cells)
{
    tree_init(tree, 2, 2);
    assert_int_equal(fdt_setprop_u32(tree->fdt, 0, "#address-cells", cells), 0);
    assert_int_equal(fdt_setprop_u32(tree->fdt, 0, "#size-cells", cells), 0);
}

/* [feat-1.3] the window, and the devices that are confined to it */
static void test_fdt_describes_a_bounce_window(void **state)
{
    static const uint32_t phandle[] = {9};
    struct tree tree;
    struct avps_fdt_mmio desc = window(0x0a000200);
    struct avps_fdt_pci pci = host_with_pins();

    (void)state;
    root_init(&tree, 2);
    assert_int_equal(avps_fdt_add_window(tree.fdt, &pool), AVPS_OK);
    const int parent = find(tree.fdt, "/reserved-memory");
    assert_int_equal(fdt_address_cells(tree.fdt, parent), 2);
    assert_int_equal(fdt_size_cells(tree.fdt, parent), 2);
    assert_true(has(tree.fdt, parent, "ranges"));
    assert_pool(tree.fdt, "/reserved-memory/restricted-dma-pool@48000000");
    desc.memory_region = 9;
    pci.memory_region = 9;
    pci.msi_controller = 7;
    pci.iommu = 8;
    pci.dma_coherent = true;
    tree.soc = find(tree.fdt, "/soc");
    assert_int_equal(avps_fdt_add_mmio(tree.fdt, tree.soc, &desc), AVPS_OK);
    assert_int_equal(avps_fdt_add_pci(tree.fdt, tree.soc, &pci), AVPS_OK);
    assert_cells(tree.fdt, find(tree.fdt, "/soc/virtio_mmio@a000200"), "memory-region", phandle, 1);
    assert_cells(tree.fdt, find(tree.fdt, "/soc/pcie@3f000000"), "memory-region", phandle, 1);
}

static void test_fdt_adds_a_bounce_window_to_reserved_memory_that_is_there(void **state)
{
    static const uint32_t reg[] = {0x50000000, 0x1000};
    struct tree tree;
    struct avps_fdt_window second = {.gpa = 0x50000000, .size = 0x1000, .phandle = 10};

    (void)state;
    root_init(&tree, 1);
    second.gpa = UINT64_C(0x100000000); /* does not fit one cell */
    assert_int_equal(avps_fdt_add_window(tree.fdt, &second), AVPS_E_PARAM);
    assert_int_equal(fdt_path_offset(tree.fdt, "/reserved-memory"), -FDT_ERR_NOTFOUND);
    second.gpa = 0x50000000;
    assert_int_equal(avps_fdt_add_window(tree.fdt, &pool), AVPS_OK);
    assert_int_equal(avps_fdt_add_window(tree.fdt, &second), AVPS_OK);
    assert_cells(tree.fdt, find(tree.fdt, "/reserved-memory/restricted-dma-pool@50000000"), "reg",
                 reg, 2);
    assert_int_equal(avps_fdt_add_window(tree.fdt, &second), AVPS_E_STATE);
    assert_true(find(tree.fdt, "/reserved-memory/restricted-dma-pool@48000000") > 0);
}

static void test_fdt_leaves_a_tree_too_full_for_a_bounce_window_as_it_was(void **state)
{
    struct tree small;
    unsigned int refused = 0;
    unsigned int added = 0;

    (void)state;
    root_init(&small, 2);
    assert_int_equal(fdt_pack(small.fdt), 0);
    for (int extra = 0; extra < 320; extra += 4) {
        struct tree tree = small;
        const int size = (int)fdt_totalsize(small.fdt) + extra;

        assert_int_equal(fdt_open_into(small.fdt, tree.fdt, size), 0);
        const enum avps_status status = avps_fdt_add_window(tree.fdt, &pool);
        if (status == AVPS_OK) {
            added++;
            assert_pool(tree.fdt, "/reserved-memory/restricted-dma-pool@48000000");
        } else {
            refused++;
            assert_int_equal(status, AVPS_E_NOSPACE);
            assert_int_equal(fdt_path_offset(tree.fdt, "/reserved-memory"), -FDT_ERR_NOTFOUND);
            assert_true(find(tree.fdt, "/soc") > 0);
        }
    }
    assert_true(refused > 10U);
    assert_true(added > 10U);
}

static void test_fdt_refuses_a_bad_bounce_window(void **state)
{
    struct tree tree;
    struct avps_fdt_window bad[4] = {pool, pool, pool, pool};

    (void)state;
    bad[0].size = 0;
    bad[1].phandle = 0;
    bad[2].phandle = UINT32_MAX;
    bad[3].gpa = UINT64_MAX - pool.size + 2U;
    root_init(&tree, 2);
    for (size_t i = 0; i < 4U; i++) {
        assert_int_equal(avps_fdt_add_window(tree.fdt, &bad[i]), AVPS_E_PARAM);
        assert_int_equal(avps_fdt_write_window(tree.fdt, 2, 2, &bad[i]), AVPS_E_PARAM);
    }
    assert_int_equal(avps_fdt_add_window(tree.fdt, NULL), AVPS_E_PARAM);
    assert_int_equal(avps_fdt_add_window(NULL, &pool), AVPS_E_PARAM);
    assert_int_equal(avps_fdt_write_window(NULL, 2, 2, &pool), AVPS_E_PARAM);
    assert_int_equal(avps_fdt_write_window(tree.fdt, 3, 2, &pool), AVPS_E_PARAM);
    assert_int_equal(fdt_path_offset(tree.fdt, "/reserved-memory"), -FDT_ERR_NOTFOUND);
}

static void test_fdt_writes_the_same_bounce_window_sequentially(void **state)
{
    static char fdt[TREE_SIZE];

    (void)state;
    assert_int_equal(fdt_create(fdt, TREE_SIZE), 0);
    assert_int_equal(fdt_finish_reservemap(fdt), 0);
    assert_int_equal(fdt_begin_node(fdt, ""), 0);
    assert_int_equal(fdt_begin_node(fdt, "reserved-memory"), 0);
    assert_int_equal(avps_fdt_write_window(fdt, 2, 2, &pool), AVPS_OK);
    assert_int_equal(fdt_end_node(fdt), 0);
    assert_int_equal(fdt_end_node(fdt), 0);
    assert_int_equal(fdt_finish(fdt), 0);
    assert_pool(fdt, "/reserved-memory/restricted-dma-pool@48000000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fdt_describes_a_window),
        cmocka_unit_test(test_fdt_writes_every_option),
        cmocka_unit_test(test_fdt_follows_the_parents_cells),
        cmocka_unit_test(test_fdt_names_addresses_over_4_gib_and_zero),
        cmocka_unit_test(test_fdt_adds_several_windows),
        cmocka_unit_test(test_fdt_refuses_a_second_node_of_one_name),
        cmocka_unit_test(test_fdt_leaves_a_full_tree_as_it_was),
        cmocka_unit_test(test_fdt_refuses_a_bad_description),
        cmocka_unit_test(test_fdt_refuses_an_address_that_does_not_fit),
        cmocka_unit_test(test_fdt_refuses_a_bad_tree_or_parent),
        cmocka_unit_test(test_fdt_writes_the_same_node_sequentially),
        cmocka_unit_test(test_fdt_reports_a_full_sequential_tree),
        cmocka_unit_test(test_fdt_refuses_a_finished_sequential_tree),
        cmocka_unit_test(test_fdt_adds_the_iommu_of_granted_memory),
        cmocka_unit_test(test_fdt_writes_the_iommu_of_granted_memory),
        cmocka_unit_test(test_fdt_refuses_a_bad_phandle_of_granted_memory),
        cmocka_unit_test(test_fdt_describes_a_pci_host),
        cmocka_unit_test(test_fdt_wires_the_pins_of_a_pci_host),
        cmocka_unit_test(test_fdt_routes_messages_and_translations_of_a_pci_host),
        cmocka_unit_test(test_fdt_describes_every_kind_of_pci_window),
        cmocka_unit_test(test_fdt_follows_the_cells_of_a_pci_hosts_parent),
        cmocka_unit_test(test_fdt_describes_the_largest_pci_host),
        cmocka_unit_test(test_fdt_refuses_a_bad_pci_host),
        cmocka_unit_test(test_fdt_refuses_a_bad_pci_window),
        cmocka_unit_test(test_fdt_refuses_bad_pins_of_a_pci_host),
        cmocka_unit_test(test_fdt_describes_a_bounce_window),
        cmocka_unit_test(test_fdt_adds_a_bounce_window_to_reserved_memory_that_is_there),
        cmocka_unit_test(test_fdt_leaves_a_tree_too_full_for_a_bounce_window_as_it_was),
        cmocka_unit_test(test_fdt_refuses_a_bad_bounce_window),
        cmocka_unit_test(test_fdt_writes_the_same_bounce_window_sequentially),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
