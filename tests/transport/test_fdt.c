/* SPDX-License-Identifier: BSD-3-Clause */
/* Device-tree nodes: every property read back with libfdt, both ways of writing, every refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <libfdt.h>

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
    tree_init(&tree, 2, 2);
    assert_int_equal(avps_fdt_add_mmio(tree.fdt, tree.soc, &desc), AVPS_OK);
    const int node = find(tree.fdt, "/soc/virtio_mmio@a000000");
    assert_cells(tree.fdt, node, "interrupt-parent", phandle, 1);
    assert_true(has(tree.fdt, node, "dma-coherent"));
    assert_true(has(tree.fdt, node, "wakeup-source"));
    assert_cells(tree.fdt, node, "iommus", stream, 2);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
