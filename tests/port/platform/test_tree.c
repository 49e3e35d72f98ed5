/* SPDX-License-Identifier: BSD-3-Clause */
/* Guests' device trees: read back with libfdt, and looked at by dtc, which must not find a fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libfdt.h>

#include "avps_common/platform_tree.h"
#include "platform_file.h"

#define TREE_SIZE 16384U

static struct avps_platform platform;
static union platform_blob blob;
static union {
    uint64_t align;
    char bytes[TREE_SIZE];
} tree;

static const struct avps_platform_machine machine_v2m = {
    .ram = 0x80000000,
    .distributor = {0x8000000, 0x10000},
    .redistributors = {0x80a0000, 0x40000},
    .msi = AVPS_PLATFORM_V2M,
    .messages = {0x8020000, 0x1000},
    .mmio = 0xa000000,
    .mmio_spi = 16,
    .ecam = 0x3f000000,
    .pci_memory = {0x10000000, 0x1000000},
    .pci_first = 1,
    .pci_spi = 48,
};

static const struct avps_platform_guest *guest(const char *file, uint32_t index)
{
    struct avps_platform_line line;
    const size_t size = platform_file_load(file, &blob);

    assert_int_equal(avps_platform_parse(&platform, blob.bytes, size, &line), AVPS_OK);
    assert_true(index < platform.guest_count);
    return &platform.guests[index];
}

static void write_with(const struct avps_platform_guest *of,
                       const struct avps_platform_machine *machine,
                       const struct avps_platform_boot *boot)
{
    size_t used = 0;

    assert_int_equal(
        avps_platform_write_tree(of, machine, boot, tree.bytes, sizeof tree.bytes, &used), AVPS_OK);
    assert_int_equal(fdt_check_full(tree.bytes, used), 0);
}

static void write_plain(const struct avps_platform_guest *of,
                        const struct avps_platform_machine *machine)
{
    const struct avps_platform_boot boot = {0};

    write_with(of, machine, &boot);
}

/* ---- reading back ---- */

static int node_at(const char *path)
{
    const int node = fdt_path_offset(tree.bytes, path);

    if (node < 0) {
        fail_msg("there is no %s", path);
    }
    return node;
}

static bool is_there(const char *path)
{
    return fdt_path_offset(tree.bytes, path) >= 0;
}

static void assert_text(const char *path, const char *name, const char *text)
{
    int len = 0;
    const char *value = fdt_getprop(tree.bytes, node_at(path), name, &len);

    assert_non_null(value);
    assert_int_equal(len, strlen(text) + 1U);
    assert_string_equal(value, text);
}

static void assert_cells(const char *path, const char *name, const uint32_t *cells, uint32_t count)
{
    int len = 0;
    const fdt32_t *value = fdt_getprop(tree.bytes, node_at(path), name, &len);

    assert_non_null(value);
    assert_int_equal(len, count * 4U);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(fdt32_ld(&value[i]), cells[i]);
    }
}

static bool has(const char *path, const char *name)
{
    return fdt_getprop(tree.bytes, node_at(path), name, NULL) != NULL;
}

/* dtc reads the tree and has nothing to say. */
static void assert_dtc_is_content(void)
{
    char name[] = "/tmp/avps-tree-XXXXXX";
    char command[512];
    char said[512] = "";
    const int fd = mkstemp(name);
    FILE *file = fdopen(fd, "wb");
    FILE *dtc = NULL;

    assert_non_null(file);
    assert_int_equal(fwrite(tree.bytes, fdt_totalsize(tree.bytes), 1, file), 1);
    assert_int_equal(fclose(file), 0);
    (void)snprintf(command, sizeof command, "%s -I dtb -O dtb %s 2>&1 >/dev/null", AVPS_TEST_DTC,
                   name);
    dtc = popen(command, "r");
    assert_non_null(dtc);
    said[fread(said, 1, sizeof said - 1U, dtc)] = '\0';
    assert_int_equal(pclose(dtc), 0);
    (void)remove(name);
    assert_string_equal(said, "");
}

/* ---- a tree ---- */

static void test_tree_describes_memory_and_cpus(void **state)
{
    static const uint32_t ram[] = {0, 0x80000000U, 0, 512U << 20};
    static const uint32_t third[] = {3};

    (void)state;
    write_plain(guest("good/full", 0), &machine_v2m);
    assert_cells("/memory@80000000", "reg", ram, 4);
    assert_text("/memory@80000000", "device_type", "memory");
    assert_cells("/cpus/cpu@3", "reg", third, 1);
    assert_text("/cpus/cpu@3", "enable-method", "psci");
    assert_false(is_there("/cpus/cpu@4"));
    assert_text("/psci", "method", "hvc");
    assert_true(is_there("/timer"));
    assert_true(fdt_node_offset_by_compatible(tree.bytes, -1, "xen,grant-dma") < 0);
}

static void test_tree_joins_the_command_lines(void **state)
{
    struct avps_platform_boot boot = {.bootargs = "console=hvc0", .model = "board"};
    const struct avps_platform_guest *both = guest("good/full", 0);

    (void)state;
    write_with(both, &machine_v2m, &boot);
    assert_text("/chosen", "bootargs", "quiet panic=-1 console=hvc0");
    assert_text("/", "model", "board");
    boot.bootargs = NULL;
    write_with(both, &machine_v2m, &boot);
    assert_text("/chosen", "bootargs", "quiet panic=-1");
    write_with(&platform.guests[1], &machine_v2m, &boot);
    assert_text("/chosen", "bootargs", "");
    boot.bootargs = "console=hvc0";
    write_with(&platform.guests[1], &machine_v2m, &boot);
    assert_text("/chosen", "bootargs", "console=hvc0");
}

static void test_tree_says_where_the_initramfs_is(void **state)
{
    static const uint32_t start[] = {0, 0x84000000U};
    static const uint32_t end[] = {0, 0x84123456U};
    struct avps_platform_boot boot = {.initrd = {0x84000000, 0x123456}};
    const struct avps_platform_guest *bare = guest("good/full", 1);

    (void)state;
    write_with(bare, &machine_v2m, &boot);
    assert_cells("/chosen", "linux,initrd-start", start, 2);
    assert_cells("/chosen", "linux,initrd-end", end, 2);
    boot.initrd.size = 0;
    write_with(bare, &machine_v2m, &boot);
    assert_false(has("/chosen", "linux,initrd-start"));
}

static void test_tree_has_a_window_for_each_mmio_device(void **state)
{
    static const uint32_t first[] = {0, 16, 4};
    static const uint32_t second[] = {0, 17, 4};
    struct avps_platform_machine wide = machine_v2m;
    const struct avps_platform_guest *full = guest("good/full", 0);

    (void)state;
    write_plain(full, &machine_v2m);
    assert_cells("/virtio_mmio@a000000", "interrupts", first, 3);
    assert_cells("/virtio_mmio@a000200", "interrupts", second, 3);
    assert_true(has("/virtio_mmio@a000000", "dma-coherent"));
    assert_false(is_there("/virtio_mmio@a000400"));
    wide.mmio_stride = 0x1000;
    wide.no_coherent_dma = true;
    write_plain(full, &wide);
    assert_cells("/virtio_mmio@a001000", "interrupts", second, 3);
    assert_false(has("/virtio_mmio@a000000", "dma-coherent"));
    assert_false(has("/pcie@3f000000", "dma-coherent"));
}

static void test_tree_has_one_bus_for_all_pci_devices(void **state)
{
    static const uint32_t map[] = {
        1U << 11, 0, 0, 1, 1, 0, 0, 0, 48, 4, /* number, INTA, GIC, SPI */
        2U << 11, 0, 0, 1, 1, 0, 0, 0, 49, 4, 3U << 11, 0, 0, 1, 1, 0, 0, 0, 50, 4};
    static const uint32_t messages[] = {0, 2, 0, 0x10000};

    (void)state;
    write_plain(guest("good/full", 0), &machine_v2m);
    assert_cells("/pcie@3f000000", "interrupt-map", map, 30);
    assert_cells("/pcie@3f000000", "msi-map", messages, 4);
    assert_text("/interrupt-controller@8000000/v2m@8020000", "compatible", "arm,gic-v2m-frame");
}

static void test_tree_has_no_bus_for_mmio_devices(void **state)
{
    (void)state;
    write_plain(guest("good/defaults", 0), &machine_v2m);
    assert_false(is_there("/pcie@3f000000"));
    assert_false(is_there("/interrupt-controller@8000000/v2m@8020000"));
    assert_true(is_there("/virtio_mmio@a000600"));
}

static void test_tree_knows_every_interrupt_controller(void **state)
{
    struct avps_platform_machine machine = machine_v2m;
    const struct avps_platform_guest *full = guest("good/full", 0);

    (void)state;
    machine.msi = AVPS_PLATFORM_ITS;
    write_plain(full, &machine);
    assert_text("/interrupt-controller@8000000/msi-controller@8020000", "compatible",
                "arm,gic-v3-its");
    assert_true(has("/interrupt-controller@8000000/msi-controller@8020000", "#msi-cells"));
    machine.msi = AVPS_PLATFORM_NO_MSI;
    write_plain(full, &machine);
    assert_false(has("/pcie@3f000000", "msi-map"));
    machine.gic_v2 = true;
    machine.psci_smc = true;
    write_plain(full, &machine);
    assert_text("/interrupt-controller@8000000", "compatible", "arm,gic-400");
    assert_text("/psci", "method", "smc");
}

static void test_tree_keeps_devices_to_a_dma_window(void **state)
{
    static const uint32_t pool[] = {0, 0x80000000U + (496U << 20), 0, 16U << 20};
    const struct avps_platform_guest *full = guest("good/full", 0);
    int node = 0;

    (void)state;
    write_plain(full, &machine_v2m);
    fdt_for_each_subnode(node, tree.bytes, node_at("/reserved-memory"))
    {
        char path[128];
        uint32_t phandle = fdt_get_phandle(tree.bytes, node);

        assert_int_equal(fdt_get_path(tree.bytes, node, path, sizeof path), 0);
        assert_text(path, "compatible", "restricted-dma-pool");
        assert_cells(path, "reg", pool, 4);
        assert_cells("/virtio_mmio@a000000", "memory-region", &phandle, 1);
        assert_cells("/pcie@3f000000", "memory-region", &phandle, 1);
    }
    assert_true(avps_platform_ram_end(full, &machine_v2m) == 0x80000000ULL + (496ULL << 20));
    write_plain(&platform.guests[1], &machine_v2m);
    assert_false(is_there("/reserved-memory"));
    assert_true(avps_platform_ram_end(&platform.guests[1], &machine_v2m) ==
                0x80000000ULL + (16ULL << 20));
}

static void test_tree_names_the_domain_that_memory_is_granted_to(void **state)
{
    struct avps_platform_machine machine = machine_v2m;
    const struct avps_platform_guest *mmio = guest("good/defaults", 0);
    uint32_t cells[2] = {0, 5};

    (void)state;
    machine.xen_grants = true;
    machine.xen_backend = 5;
    write_plain(mmio, &machine);
    cells[0] =
        fdt_get_phandle(tree.bytes, fdt_node_offset_by_compatible(tree.bytes, -1, "xen,grant-dma"));
    assert_cells("/virtio_mmio@a000000", "iommus", cells, 2);
    assert_dtc_is_content();
}

static int more_ok(void *ctx, void *fdt)
{
    (void)ctx;
    return fdt_begin_node(fdt, "board") | fdt_end_node(fdt);
}

static int more_fails(void *ctx, void *fdt)
{
    (void)fdt;
    return *(int *)ctx;
}

static void test_tree_takes_nodes_of_the_port(void **state)
{
    struct avps_platform_boot boot = {.more = more_ok};
    int error = -FDT_ERR_NOSPACE;
    size_t used = 0;

    (void)state;
    write_with(guest("good/defaults", 0), &machine_v2m, &boot);
    assert_true(is_there("/board"));
    boot.more = more_fails;
    boot.ctx = &error;
    assert_int_equal(avps_platform_write_tree(&platform.guests[0], &machine_v2m, &boot, tree.bytes,
                                              sizeof tree.bytes, &used),
                     AVPS_E_NOSPACE);
}

/* [AVPS BOOT-3] */
static void test_tree_of_every_guest_and_machine_has_no_warning_of_dtc(void **state)
{
    static const char *const files[] = {"good/full", "good/defaults", "examples/minimal",
                                        "examples/cockpit"};

    (void)state;
    for (uint32_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        (void)guest(files[i], 0);
        for (uint32_t g = 0; g < platform.guest_count; g++) {
            struct avps_platform_machine machine = machine_v2m;

            for (uint32_t msi = 0; msi < 3U; msi++) {
                machine.msi = (enum avps_platform_msi)msi;
                machine.gic_v2 = msi == 0U;
                machine.pci_wide.size = msi == 1U ? 1ULL << 32 : 0U;
                machine.pci_wide.base = 1ULL << 36;
                write_plain(&platform.guests[g], &machine);
                assert_dtc_is_content();
            }
        }
    }
}

static void test_tree_does_not_leave_its_buffer(void **state)
{
    const struct avps_platform_guest *full = guest("good/full", 0);
    const struct avps_platform_boot boot = {.bootargs = "x"};
    size_t needed = 0;
    size_t used = 0;

    (void)state;
    assert_int_equal(
        avps_platform_write_tree(full, &machine_v2m, &boot, tree.bytes, sizeof tree.bytes, &needed),
        AVPS_OK);
    for (size_t size = 0; size < needed; size += 8U) {
        memset(&tree, 0xa5, sizeof tree);
        assert_int_equal(
            avps_platform_write_tree(full, &machine_v2m, &boot, tree.bytes, size, &used),
            AVPS_E_NOSPACE);
        for (size_t i = size; i < sizeof tree.bytes; i++) {
            assert_int_equal((uint8_t)tree.bytes[i], 0xa5);
        }
    }
}

static void test_tree_refuses_addresses_that_do_not_fit(void **state)
{
    struct avps_platform_machine machine = machine_v2m;
    const struct avps_platform_boot boot = {0};
    const struct avps_platform_guest *full = guest("good/full", 0);
    size_t used = 0;

    (void)state;
    machine.mmio = UINT64_MAX - 0x100U;
    assert_int_equal(
        avps_platform_write_tree(full, &machine, &boot, tree.bytes, sizeof tree.bytes, &used),
        AVPS_E_PARAM);
    machine = machine_v2m;
    machine.pci_first = 30; /* the third device has no number */
    assert_int_equal(
        avps_platform_write_tree(full, &machine, &boot, tree.bytes, sizeof tree.bytes, &used),
        AVPS_E_PARAM);
}

/* The form for a toolstack that makes the rest of the tree. */
static void test_tree_writes_devices_into_a_node_of_another(void **state)
{
    const struct avps_platform_guest *mmio = guest("good/defaults", 0);
    const struct avps_platform_phandles phandles = {.gic = 65000, .xen_grants = 7};
    struct avps_platform_machine machine = machine_v2m;
    const uint32_t cells[] = {7, 0};
    const uint32_t interrupt[] = {0, 19, 1};
    void *fdt = tree.bytes;

    (void)state;
    machine.mmio_edge = true;
    machine.mmio_skip = 1; /* the toolstack's own */
    assert_int_equal(fdt_create(fdt, sizeof tree.bytes) | fdt_finish_reservemap(fdt) |
                         fdt_begin_node(fdt, "") | fdt_begin_node(fdt, "passthrough"),
                     0);
    assert_int_equal(avps_platform_write_devices(fdt, mmio, &machine, &phandles), AVPS_OK);
    assert_int_equal(fdt_end_node(fdt) | fdt_end_node(fdt) | fdt_finish(fdt), 0);
    assert_cells("/passthrough/virtio_mmio@a000600", "iommus", cells, 2);
    assert_cells("/passthrough/virtio_mmio@a000600", "interrupts", interrupt, 3);
    assert_true(is_there("/passthrough/virtio_mmio@a000200"));
    assert_false(is_there("/passthrough/virtio_mmio@a000000"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree_describes_memory_and_cpus),
        cmocka_unit_test(test_tree_joins_the_command_lines),
        cmocka_unit_test(test_tree_says_where_the_initramfs_is),
        cmocka_unit_test(test_tree_has_a_window_for_each_mmio_device),
        cmocka_unit_test(test_tree_has_one_bus_for_all_pci_devices),
        cmocka_unit_test(test_tree_has_no_bus_for_mmio_devices),
        cmocka_unit_test(test_tree_knows_every_interrupt_controller),
        cmocka_unit_test(test_tree_keeps_devices_to_a_dma_window),
        cmocka_unit_test(test_tree_names_the_domain_that_memory_is_granted_to),
        cmocka_unit_test(test_tree_takes_nodes_of_the_port),
        cmocka_unit_test(test_tree_of_every_guest_and_machine_has_no_warning_of_dtc),
        cmocka_unit_test(test_tree_does_not_leave_its_buffer),
        cmocka_unit_test(test_tree_refuses_addresses_that_do_not_fit),
        cmocka_unit_test(test_tree_writes_devices_into_a_node_of_another),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
