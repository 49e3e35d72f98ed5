/* SPDX-License-Identifier: BSD-3-Clause */
/* The platform file: every property read, every default, bytes that are no platform; and one case for
 * each malformed file in tests/port/platform/bad, whose second line says what is expected of it. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libfdt.h>

#include "avps_common/platform.h"
#include "platform_file.h"

#define BAD_MAX 128U

static struct avps_platform platform;
static struct avps_platform_line line;
static union platform_blob blob;

static enum avps_status parse(const char *name)
{
    const size_t size = platform_file_load(name, &blob);

    memset(&platform, 0xa5, sizeof platform);
    return avps_platform_parse(&platform, blob.bytes, size, &line);
}

static void good(const char *name)
{
    const enum avps_status status = parse(name);

    if (status != AVPS_OK) {
        fail_msg("%s", line.text);
    }
}

/* ---- what is there ---- */

static void test_platform_reads_networks(void **state)
{
    (void)state;
    good("good/full");
    assert_string_equal(platform.model, "everything");
    assert_int_equal(platform.format, 1);
    assert_int_equal(platform.network_count, 2);

    const struct avps_platform_network *lan = &platform.networks[0];
    const struct avps_platform_network *plain = &platform.networks[1];

    assert_string_equal(lan->name, "lan");
    assert_string_equal(lan->uplink, "outside");
    assert_int_equal(lan->uplink_vlan, 7);
    assert_int_equal(lan->mtu, 9000);
    assert_int_equal(lan->addresses, 128);
    assert_int_equal(lan->age_s, 0);
    assert_string_equal(plain->name, "plain");
    assert_null(plain->uplink);
    assert_int_equal(plain->uplink_vlan, 0);
    assert_int_equal(plain->mtu, 1500);
    assert_int_equal(plain->addresses, 64);
    assert_int_equal(plain->age_s, 300);
}

static void test_platform_reads_guests_before_or_after_networks(void **state)
{
    (void)state;
    good("good/full"); /* has its networks behind its guests */
    assert_int_equal(platform.guest_count, 2);

    const struct avps_platform_guest *big = &platform.guests[0];
    const struct avps_platform_guest *bare = &platform.guests[1];

    assert_string_equal(big->name, "main");
    assert_string_equal(big->bootargs, "quiet panic=-1");
    assert_int_equal(big->cpus, 4);
    assert_int_equal(big->memory_mib, 512);
    assert_int_equal(big->dma_window_mib, 16);
    assert_int_equal(big->device_count, 5);
    assert_string_equal(bare->name, "bare");
    assert_string_equal(bare->bootargs, "");
    assert_int_equal(bare->cpus, 1);
    assert_int_equal(bare->memory_mib, 16);
    assert_int_equal(bare->dma_window_mib, 0);
    assert_int_equal(bare->device_count, 0);
    assert_ptr_equal(avps_platform_find_guest(&platform, "bare"), bare);
    assert_null(avps_platform_find_guest(&platform, "bar"));
}

static void test_platform_reads_a_disk(void **state)
{
    (void)state;
    good("good/full");

    const struct avps_platform_device *disk = &platform.guests[0].devices[0];

    assert_string_equal(disk->name, "disk");
    assert_int_equal(disk->kind, AVPS_PLATFORM_BLK);
    assert_int_equal(disk->transport, AVPS_PLATFORM_PCI);
    assert_string_equal(disk->backend, "image");
    assert_false(disk->packed);
    assert_int_equal(disk->queues, 4);
    assert_int_equal(disk->queue_size, 128);
    assert_int_equal(disk->budget, 16);
    assert_int_equal(disk->blk.size_mib, 32);
    assert_string_equal(disk->blk.serial, "Serial Nr. 1");
    assert_true(disk->blk.read_only);
    assert_true(disk->blk.write_through);
}

static void test_platform_reads_a_network_device(void **state)
{
    static const uint8_t macs[][6] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, {2, 0, 0, 0, 0, 3}};
    static const uint16_t vlans[] = {20, 30};

    (void)state;
    good("good/full");

    const struct avps_platform_device *device = &platform.guests[0].devices[1];
    const struct avps_platform_net *net = &device->net;

    assert_int_equal(device->kind, AVPS_PLATFORM_NET);
    assert_null(device->backend);
    assert_int_equal(device->queues, 2);
    assert_int_equal(net->network, 0);
    assert_memory_equal(net->mac, macs[0], 6);
    assert_int_equal(net->mac_count, 3);
    assert_memory_equal(net->macs, macs, sizeof macs);
    assert_false(net->mac_any);
    assert_int_equal(net->vlan, 10);
    assert_int_equal(net->vlans.count, 2);
    assert_memory_equal(net->vlans.items, vlans, sizeof vlans);
    assert_int_equal(net->learn_max, 5);
    assert_int_equal(net->rate_kbit, 1000);
    assert_int_equal(net->burst_kib, 256);
    assert_int_equal(net->speed_mbit, 100);
}

static void test_platform_allows_any_address_only_where_the_file_says_so(void **state)
{
    (void)state;
    good("good/full");
    assert_true(platform.guests[0].devices[2].net.mac_any);
    assert_int_equal(platform.guests[0].devices[2].net.mac_count, 0);
    good("good/defaults");
    assert_false(platform.guests[0].devices[1].net.mac_any);
    assert_int_equal(platform.guests[0].devices[1].net.mac_count, 1);
}

static void test_platform_reads_a_console(void **state)
{
    (void)state;
    good("good/full");

    const struct avps_platform_console *console = &platform.guests[0].devices[3].console;

    assert_int_equal(console->columns, 132);
    assert_int_equal(console->rows, 50);
    assert_int_equal(console->port_count, 2);
    assert_string_equal(console->ports[0], "log");
    assert_string_equal(console->ports[1], "bulk");
}

static void test_platform_reads_an_entropy_device(void **state)
{
    (void)state;
    good("good/full");
    assert_int_equal(platform.guests[0].devices[4].kind, AVPS_PLATFORM_RNG);
    assert_int_equal(platform.guests[0].devices[4].rng.max_bytes, 512);
    assert_string_equal(avps_platform_kind_name(AVPS_PLATFORM_RNG), "rng");
}

static void test_platform_reads_an_i2c_adapter(void **state)
{
    static const uint16_t allowed[] = {0x50, 0x48, 0x49};

    (void)state;
    good("examples/automotive");

    const struct avps_platform_device *bus = &platform.guests[0].devices[4];

    assert_int_equal(bus->kind, AVPS_PLATFORM_I2C);
    assert_string_equal(bus->backend, "front-sensors");
    assert_int_equal(bus->i2c.allowed.count, 3);
    assert_memory_equal(bus->i2c.allowed.items, allowed, sizeof allowed);
}

static void test_platform_reads_a_socket_device(void **state)
{
    (void)state;
    good("examples/automotive");

    const struct avps_platform_device *sockets = &platform.guests[2].devices[5];

    assert_int_equal(sockets->kind, AVPS_PLATFORM_VSOCK);
    assert_int_equal(sockets->vsock.cid, 43);
    assert_int_equal(sockets->vsock.peers.count, 0);
    assert_true(sockets->access_platform);
}

static void test_platform_has_defaults(void **state)
{
    (void)state;
    good("good/defaults");

    const struct avps_platform_guest *guest = &platform.guests[0];

    assert_int_equal(guest->device_count, 4);
    for (uint32_t i = 0; i < guest->device_count; i++) {
        const struct avps_platform_device *device = &guest->devices[i];
        static const struct avps_features none = {{0}};

        assert_int_equal(device->transport, AVPS_PLATFORM_MMIO);
        assert_true(device->packed);
        assert_false(device->access_platform);
        assert_int_equal(device->queues, 1);
        assert_int_equal(device->queue_size, 256);
        assert_int_equal(device->budget, 64);
        assert_memory_equal(&device->withhold, &none, sizeof none);
        assert_memory_equal(&device->promise, &none, sizeof none);
    }
    assert_int_equal(guest->devices[0].blk.size_mib, 0);
    assert_string_equal(guest->devices[0].blk.serial, "disk");
    assert_false(guest->devices[0].blk.read_only);
    assert_false(guest->devices[0].blk.write_through);
    assert_int_equal(guest->devices[1].net.vlan, 0);
    assert_int_equal(guest->devices[1].net.burst_kib, 0);
    assert_int_equal(guest->devices[2].console.port_count, 0);
    assert_int_equal(guest->devices[3].rng.max_bytes, 4096);
}

/* ---- what follows ---- */

static void test_platform_withholds_what_a_list_leaves_out(void **state)
{
    (void)state;
    good("good/full");

    const struct avps_platform_device *disk = &platform.guests[0].devices[0];
    const struct avps_platform_device *net = &platform.guests[0].devices[1];

    /* features = "flush", "discard"; common-features = "event-idx"; rings = "split" */
    assert_int_equal(disk->promise.word[0], 1U << 9 | 1U << 13 | 1U << 29);
    assert_int_equal(disk->promise.word[1], 0);
    assert_int_equal(disk->withhold.word[0], 0x1001dc56U);
    assert_int_equal(disk->withhold.word[1], 0x9ccU); /* packed rings among them */
    /* features; : none at all, and what is common stays */
    assert_int_equal(net->promise.word[0] | net->promise.word[1], 0);
    assert_int_equal(net->withhold.word[0], 0x00ffffafU);
    assert_int_equal(net->withhold.word[1], 0x9bf80000U);
}

static void test_platform_counts_units_per_transport(void **state)
{
    static const uint32_t units[] = {0, 0, 1, 1, 2}; /* pci, mmio, mmio, pci, pci */

    (void)state;
    good("good/full");
    for (uint32_t i = 0; i < 5U; i++) {
        assert_int_equal(platform.guests[0].devices[i].unit, units[i]);
    }
}

static void test_platform_a_dma_window_needs_access_platform_everywhere(void **state)
{
    (void)state;
    good("good/full");
    for (uint32_t i = 0; i < 5U; i++) {
        assert_true(platform.guests[0].devices[i].access_platform);
    }
}

static void test_platform_examples_are_platforms(void **state)
{
    (void)state;
    good("examples/minimal");
    assert_int_equal(platform.guest_count, 1);
    good("examples/cockpit");
    assert_int_equal(platform.guest_count, 2);
    assert_int_equal(platform.network_count, 1);
}

/* ---- bytes that are no platform ---- */

static void assert_no_tree(const void *bytes, size_t size)
{
    assert_int_equal(avps_platform_parse(&platform, bytes, size, &line), AVPS_E_PARAM);
    assert_string_equal(line.text,
                        "expected a device-tree blob as dtc writes it, found other bytes");
}

static void test_platform_refuses_what_is_no_tree(void **state)
{
    const size_t size = platform_file_load("good/full", &blob);

    (void)state;
    assert_no_tree(NULL, size);
    assert_no_tree(blob.bytes, 0);
    assert_no_tree(blob.bytes, sizeof(struct fdt_header) - 1U);
    assert_no_tree(blob.bytes, size - 1U);
    memmove(blob.bytes + 1, blob.bytes, size);
    assert_no_tree(blob.bytes + 1, size);
    memset(&blob, 0, sizeof blob);
    assert_no_tree(blob.bytes, size);
    assert_int_equal(avps_platform_parse(NULL, blob.bytes, size, &line), AVPS_E_PARAM);
}

/* A tree of version 3, whose root has no name: libfdt 1.6.1 would follow a NULL. */
static void test_platform_refuses_an_old_version(void **state)
{
    const size_t size = platform_file_load("good/full", &blob);

    (void)state;
    fdt_set_version(blob.bytes, 3);
    fdt_set_last_comp_version(blob.bytes, 2);
    assert_no_tree(blob.bytes, size);
}

static void test_platform_needs_no_line(void **state)
{
    size_t size = platform_file_load("bad/misspelt-rings", &blob);

    (void)state;
    assert_int_equal(avps_platform_parse(&platform, blob.bytes, size, NULL), AVPS_E_PARAM);
    size = platform_file_load("good/full", &blob);
    assert_int_equal(avps_platform_parse(&platform, blob.bytes, size, NULL), AVPS_OK);
}

/* Two nodes of one name, which dtc would not write. */
static void test_platform_refuses_two_nodes_of_one_name(void **state)
{
    const size_t size = platform_file_load("good/full", &blob);

    (void)state;
    for (size_t i = 0; i + 8U < size; i++) {
        if (memcmp(blob.bytes + i, "\0\0\0\1bare", 9U) == 0) {
            memcpy(blob.bytes + i + 4U, "main", 5U);
        }
    }
    assert_int_equal(avps_platform_parse(&platform, blob.bytes, size, &line), AVPS_E_PARAM);
    assert_string_equal(line.text, "/guests: main: expected one node of this name, found two");
}

/* Wherever a blob is cut or changed by one bit: a platform, or a line; never a stray access, which
 * the sanitizers see. */
static void test_platform_survives_any_changed_bit(void **state)
{
    const size_t size = platform_file_load("good/full", &blob);
    uint32_t refused = 0;

    (void)state;
    for (size_t bit = 0; bit < size * 8U; bit++) {
        blob.bytes[bit / 8U] ^= (uint8_t)(1U << bit % 8U);
        line.text[0] = '\0';
        if (avps_platform_parse(&platform, blob.bytes, size, &line) != AVPS_OK) {
            refused++;
            assert_true(strlen(line.text) > 10U);
        }
        blob.bytes[bit / 8U] ^= (uint8_t)(1U << bit % 8U);
    }
    assert_true(refused > size); /* most bits matter */
}

/* ---- malformed files ---- */

static void bad(void **state)
{
    const char *name = *state;
    char path[256];
    char expected[AVPS_PLATFORM_LINE];

    (void)snprintf(path, sizeof path, "bad/%s", name);
    platform_file_expected(path, expected, sizeof expected);
    assert_int_equal(parse(path), AVPS_E_PARAM);
    assert_string_equal(line.text, expected);
}

static char bad_names[BAD_MAX][128];
static char bad_titles[BAD_MAX][160];

/* One case for each file. @return how many. */
static size_t list_bad(struct CMUnitTest *tests)
{
    DIR *folder = opendir(AVPS_TEST_PLATFORM_SOURCES "/bad");
    const struct dirent *entry = NULL;
    size_t count = 0;

    while (folder != NULL && (entry = readdir(folder)) != NULL && count < BAD_MAX) {
        const size_t length = strlen(entry->d_name);

        if (length < 5U || length >= sizeof bad_names[0] ||
            strcmp(entry->d_name + length - 4U, ".dts") != 0) {
            continue;
        }
        memcpy(bad_names[count], entry->d_name, length - 4U);
        (void)snprintf(bad_titles[count], sizeof bad_titles[count], "test_platform_refuses_%s",
                       bad_names[count]);
        tests[count] = (struct CMUnitTest){
            .name = bad_titles[count], .test_func = bad, .initial_state = bad_names[count]};
        count++;
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    return count;
}

int main(void)
{
    static struct CMUnitTest refusals[BAD_MAX];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_platform_reads_networks),
        cmocka_unit_test(test_platform_reads_guests_before_or_after_networks),
        cmocka_unit_test(test_platform_reads_a_disk),
        cmocka_unit_test(test_platform_reads_a_network_device),
        cmocka_unit_test(test_platform_allows_any_address_only_where_the_file_says_so),
        cmocka_unit_test(test_platform_reads_a_console),
        cmocka_unit_test(test_platform_reads_an_entropy_device),
        cmocka_unit_test(test_platform_reads_an_i2c_adapter),
        cmocka_unit_test(test_platform_reads_a_socket_device),
        cmocka_unit_test(test_platform_has_defaults),
        cmocka_unit_test(test_platform_withholds_what_a_list_leaves_out),
        cmocka_unit_test(test_platform_counts_units_per_transport),
        cmocka_unit_test(test_platform_a_dma_window_needs_access_platform_everywhere),
        cmocka_unit_test(test_platform_examples_are_platforms),
        cmocka_unit_test(test_platform_refuses_what_is_no_tree),
        cmocka_unit_test(test_platform_refuses_an_old_version),
        cmocka_unit_test(test_platform_needs_no_line),
        cmocka_unit_test(test_platform_refuses_two_nodes_of_one_name),
        cmocka_unit_test(test_platform_survives_any_changed_bit),
    };
    const size_t count = list_bad(refusals);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);

    return count < 20U
               ? 1
               : failed + _cmocka_run_group_tests("malformed files", refusals, count, NULL, NULL);
}
