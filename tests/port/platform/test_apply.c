/* SPDX-License-Identifier: BSD-3-Clause */
/* Policies of a platform file on real devices and a real switch: what is offered, what gets through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "avps_common/platform_apply.h"
#include "platform_file.h"
#include "support/driver.h"
#include "support/port.h"

#define QUEUES    9U
#define REQUESTS  4U
#define TABLE     128U
#define FRAME     64U
#define SECTORS   (64U * 2048U)
#define BLK_RO    5U
#define BLK_FLUSH 9U
#define BLK_WCE   11U

static struct avps_platform platform;
static union platform_blob blob;
static struct test_driver driver;
static struct avps_queue queues[QUEUES];

static const struct avps_platform_device *device(const char *file, uint32_t index)
{
    struct avps_platform_line line;
    const size_t size = platform_file_load(file, &blob);

    assert_int_equal(avps_platform_parse(&platform, blob.bytes, size, &line), AVPS_OK);
    assert_true(index < platform.guests[0].device_count);
    return &platform.guests[0].devices[index];
}

static struct avps_device_config base(void)
{
    test_driver_init(&driver, TEST_MEM_REGIONS);
    return test_driver_base(&driver, queues, QUEUES, 1024);
}

/* ---- the common part ---- */

static void test_apply_counts_queues(void **state)
{
    (void)state;
    assert_int_equal(avps_platform_queues(device("good/full", 0)), 4);
    assert_int_equal(avps_platform_queues(device("good/full", 1)), 5);
    assert_int_equal(avps_platform_queues(device("good/full", 3)), 8);
    assert_int_equal(avps_platform_queues(device("good/full", 4)), 1);
    assert_int_equal(avps_platform_queues(device("good/defaults", 1)), 3);
    assert_int_equal(avps_platform_queues(device("good/defaults", 2)), 2);
}

static void test_apply_narrows_the_common_part_down(void **state)
{
    struct avps_device_config config = {.queue_size_max = 1024};
    const struct avps_platform_device *disk = device("good/full", 0);

    (void)state;
    avps_features_add(&config.withhold, 100); /* the port's own wish stays */
    avps_platform_base(disk, &config);
    assert_int_equal(config.queue_count, 4);
    assert_int_equal(config.queue_size_max, 128);
    assert_true(config.access_platform);
    assert_true(avps_features_has(&config.withhold, 100));
    assert_true(avps_features_has(&config.withhold, AVPS_F_RING_PACKED));
    assert_true(avps_features_has(&config.withhold, AVPS_F_IN_ORDER));
    assert_false(avps_features_has(&config.withhold, AVPS_F_EVENT_IDX));
}

static void test_apply_leaves_a_ports_access_platform_alone(void **state)
{
    struct avps_device_config config = {.access_platform = true};

    (void)state;
    avps_platform_base(device("good/defaults", 0), &config);
    assert_true(config.access_platform);
}

/* A request outside the window is a fault of the guest, inside it is served. */
static void test_apply_keeps_devices_to_the_dma_window(void **state)
{
    static uint8_t memory[8U << 20U];
    const uint64_t window = 2U << 20U;
    const struct avps_mem_region ram = {
        .gpa = 0x80000000, .size = sizeof memory, .host = memory, .access = AVPS_ACCESS_RW};
    struct avps_platform_guest guest = {.memory_mib = 8, .dma_window_mib = 2};
    struct avps_mem_region reach = avps_platform_reach(&guest, ram);
    struct avps_mem mem;
    uint8_t byte = 1;

    (void)state;
    assert_int_equal(avps_mem_init_window(&mem, &reach, NULL, NULL), AVPS_OK);
    assert_int_equal(avps_mem_write(&mem, ram.gpa + ram.size - window - 1U, &byte, 1),
                     AVPS_E_GUEST_ADDR);
    assert_int_equal(avps_mem_write(&mem, ram.gpa + ram.size - window, &byte, 1), AVPS_OK);
    assert_int_equal(memory[sizeof memory - window], 1);
    assert_int_equal(memory[sizeof memory - window - 1U], 0);
    guest.dma_window_mib = 0;
    reach = avps_platform_reach(&guest, ram);
    assert_int_equal(reach.gpa, ram.gpa);
    assert_int_equal(reach.size, ram.size);
    assert_ptr_equal(reach.host, ram.host);
    assert_int_equal(reach.access, ram.access);
}

/* ---- disks ---- */

static enum avps_status never_submit(void *ctx, const struct avps_blk_io *io)
{
    (void)ctx;
    (void)io;
    return AVPS_E_IO;
}

static const struct avps_blk_ops blk_ops = {.submit = never_submit};
static struct avps_blk blk;
static struct avps_blk_request requests[REQUESTS];

static struct avps_blk_config blk_config(void)
{
    const struct avps_blk_limits limits = {.max_sectors = 1024};

    return (struct avps_blk_config){.base = base(),
                                    .ops = &blk_ops,
                                    .requests = requests,
                                    .request_count = REQUESTS,
                                    .capacity = SECTORS,
                                    .discard = limits,
                                    .zeroes = limits};
}

static void blk_up(const struct avps_blk_config *config)
{
    assert_int_equal(avps_blk_init(&blk, config), AVPS_OK);
    test_driver_attach(&driver, &blk.base);
}

static void test_apply_offers_of_a_disk_what_the_file_names(void **state)
{
    struct avps_platform_device named = *device("good/full", 0);
    struct avps_blk_config config = blk_config();

    (void)state;
    named.blk.read_only = false;
    assert_int_equal(avps_platform_blk(&named, &config), AVPS_OK);
    blk_up(&config);
    assert_true(test_driver_offers(&driver, BLK_FLUSH));
    assert_true(test_driver_offers(&driver, 13)); /* discard */
    assert_false(test_driver_offers(&driver, BLK_WCE));
    assert_false(test_driver_offers(&driver, 14)); /* write zeroes */
    assert_true(test_driver_offers(&driver, AVPS_F_EVENT_IDX));
    assert_false(test_driver_offers(&driver, AVPS_F_INDIRECT_DESC));
    assert_false(test_driver_offers(&driver, AVPS_F_RING_PACKED));
    assert_true(test_driver_offers(&driver, AVPS_F_ACCESS_PLATFORM));
    assert_null(avps_platform_missing(&named, &blk.base));
    test_driver_free(&driver);
}

static void test_apply_makes_a_disk_read_only(void **state)
{
    const struct avps_platform_device *disk = device("good/full", 0);
    struct avps_blk_config config = blk_config();

    (void)state;
    assert_int_equal(avps_platform_blk(disk, &config), AVPS_OK);
    assert_true(config.read_only && config.write_through);
    assert_memory_equal(config.id, "Serial Nr. 1\0\0\0\0\0\0\0", 20);
    blk_up(&config);
    assert_true(test_driver_offers(&driver, BLK_RO));
    test_driver_free(&driver);
}

static void test_apply_never_makes_a_read_only_back_end_writable(void **state)
{
    struct avps_blk_config config = blk_config();

    (void)state;
    config.read_only = true;
    config.write_through = true;
    assert_int_equal(avps_platform_blk(device("good/defaults", 0), &config), AVPS_OK);
    assert_true(config.read_only);
    assert_false(config.write_through);
    assert_memory_equal(config.id, "disk\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
    test_driver_free(&driver);
}

static void test_apply_gives_a_disk_the_size_of_the_file(void **state)
{
    const struct avps_platform_device *sized = device("good/full", 0); /* 32 MiB */
    struct avps_blk_config config = blk_config();

    (void)state;
    assert_int_equal(avps_platform_blk(sized, &config), AVPS_OK);
    assert_int_equal(config.capacity, 32U * 2048U);
    assert_int_equal(avps_platform_blk(sized, &config), AVPS_OK); /* just as large */
    config.capacity--;
    assert_int_equal(avps_platform_blk(sized, &config), AVPS_E_NOSPACE);
    assert_int_equal(avps_platform_blk(device("good/defaults", 0), &config), AVPS_OK);
    assert_int_equal(config.capacity, 32U * 2048U - 1U);
    test_driver_free(&driver);
}

static void test_apply_names_the_feature_that_a_back_end_cannot_give(void **state)
{
    struct avps_platform_device named = *device("good/full", 0);
    struct avps_blk_config config = blk_config();

    (void)state;
    named.blk.read_only = false;
    config.discard.max_sectors = 0;
    assert_int_equal(avps_platform_blk(&named, &config), AVPS_OK);
    blk_up(&config);
    assert_string_equal(avps_platform_missing(&named, &blk.base), "discard");
    test_driver_free(&driver);
}

/* NOTIF_CONFIG_DATA is for PCI only. */
static void test_apply_names_the_common_feature_that_a_transport_cannot_give(void **state)
{
    struct avps_platform_device named = *device("good/defaults", 0);
    struct avps_blk_config config = blk_config();

    (void)state;
    avps_features_add(&named.promise, AVPS_F_NOTIF_CONFIG_DATA);
    assert_int_equal(avps_platform_blk(&named, &config), AVPS_OK);
    blk_up(&config);
    assert_string_equal(avps_platform_missing(&named, &blk.base), "notif-config-data");
    test_driver_free(&driver);
}

/* ---- network devices, consoles, entropy ---- */

static const struct avps_net_ops net_ops;

static void test_apply_gives_a_network_device_its_address_and_limits(void **state)
{
    static const uint8_t mac[] = {2, 0, 0, 0, 0, 1};
    static struct avps_net net;
    static struct avps_net_pair pairs[2];
    const struct avps_platform_device *trunk = device("good/full", 1);
    struct avps_net_config config = {.base = base(), .ops = &net_ops, .pairs = pairs};

    (void)state;
    avps_platform_net(&platform, trunk, &config);
    assert_int_equal(config.pair_count, 2);
    assert_int_equal(config.mtu, 9000);
    assert_memory_equal(config.mac, mac, 6);
    assert_true(config.speed_known);
    assert_int_equal(config.speed, 100);
    assert_int_equal(config.duplex, 1);
    assert_int_equal(avps_net_init(&net, &config), AVPS_OK);
    test_driver_attach(&driver, &net.base);
    for (uint32_t bit = 0; bit < 28U; bit++) {
        assert_false(test_driver_offers(&driver, bit)); /* features; */
    }
    test_driver_free(&driver);
}

static void test_apply_offers_a_network_device_all_where_the_file_is_silent(void **state)
{
    static struct avps_net net;
    static struct avps_net_pair pair;
    const struct avps_platform_device *lan = device("good/defaults", 1);
    struct avps_net_config config = {.base = base(), .ops = &net_ops, .pairs = &pair};

    (void)state;
    avps_platform_net(&platform, lan, &config);
    assert_false(config.speed_known);
    assert_int_equal(avps_net_init(&net, &config), AVPS_OK);
    test_driver_attach(&driver, &net.base);
    assert_true(test_driver_offers(&driver, AVPS_NET_F_MTU));
    assert_true(test_driver_offers(&driver, AVPS_NET_F_MAC));
    assert_true(test_driver_offers(&driver, AVPS_NET_F_CTRL_MAC_ADDR));
    test_driver_free(&driver);
}

static void test_apply_gives_a_console_its_ports_and_size(void **state)
{
    struct avps_console_config config = {.port0 = {.cols = 1, .rows = 2}};

    (void)state;
    avps_platform_console(device("good/full", 3), &config);
    assert_int_equal(config.max_ports, 3);
    assert_true(config.multiport);
    assert_int_equal(config.port0.cols, 132);
    assert_int_equal(config.port0.rows, 50);
    config = (struct avps_console_config){.port0 = {.cols = 1, .rows = 2}};
    avps_platform_console(device("good/defaults", 2), &config);
    assert_int_equal(config.max_ports, 1);
    assert_false(config.multiport);
    assert_int_equal(config.port0.cols, 1); /* as the port knows it */
}

static void test_apply_limits_an_entropy_device(void **state)
{
    struct avps_rng_config config = {.max_bytes = 65536};

    (void)state;
    avps_platform_rng(device("good/full", 4), &config);
    assert_int_equal(config.max_bytes, 512);
    assert_int_equal(config.base.queue_count, 1);
}

/* ---- a switch of host ports with the policies of network devices ---- */

struct end {
    uint32_t frames;
    uint16_t vlan; /* of the last frame; 0: untagged */
};

struct lan {
    struct avps_switch sw;
    struct avps_switch_port ports[2];
    struct avps_switch_entry table[TABLE];
    uint8_t bounce[2U * 2048U];
    struct test_port clock;
    struct end ends[2];
};

static struct lan lan;

static void deliver(void *ctx, const uint8_t *frame, uint32_t len,
                    const struct avps_net_offload *offload)
{
    struct end *end = ctx;

    (void)offload;
    assert_true(len >= FRAME);
    end->frames++;
    end->vlan = frame[12] == 0x81U ? (uint16_t)(frame[14] << 8 | frame[15]) : 0U;
}

static const struct avps_switch_host_ops end_ops = {.deliver = deliver};

/* Port 0 with a device's policy, port 1 with `other`. */
static void lan_up(const struct avps_platform_device *guest,
                   const struct avps_switch_port_config *other)
{
    struct avps_switch_config config = {.ports = lan.ports,
                                        .port_count = 2,
                                        .table = lan.table,
                                        .table_size = TABLE,
                                        .bounce = lan.bounce,
                                        .bounce_size = 2048,
                                        .port = &lan.clock.port};
    struct avps_switch_port_config ports[2] = {{0}, *other};

    memset(&lan, 0, sizeof lan);
    test_port_init(&lan.clock);
    assert_int_equal(avps_platform_switch(&platform.networks[0], &config), AVPS_OK);
    assert_int_equal(avps_switch_init(&lan.sw, &config), AVPS_OK);
    avps_platform_switch_port(guest, &ports[0]);
    for (uint16_t i = 0; i < 2U; i++) {
        ports[i].host = &end_ops;
        ports[i].host_ctx = &lan.ends[i];
        assert_int_equal(avps_switch_connect(&lan.sw, i, &ports[i]), AVPS_OK);
    }
}

/* A broadcast from port 0; vlan 0: untagged. */
static void send_from(uint8_t last, uint16_t vlan)
{
    const uint8_t tag[] = {0x81, 0, (uint8_t)(vlan >> 8), (uint8_t)vlan};
    const uint8_t mac[] = {2, 0, 0, 0, 0, last};
    uint8_t frame[FRAME + 4U] = {0};
    const struct avps_net_frame sent = {.data = frame, .data_len = sizeof frame};

    memset(frame, 0xff, 6);
    memcpy(frame + 6, mac, 6);
    if (vlan != 0U) {
        memcpy(frame + 12, tag, sizeof tag);
    }
    assert_int_equal(avps_switch_send(&lan.sw, 0, &sent, 1), AVPS_OK);
}

/* [AVPS NET-8] */
static void test_apply_lets_listed_addresses_through_and_no_others(void **state)
{
    const struct avps_switch_port_config plain = {0};
    const struct avps_platform_device *guest = device("good/defaults", 1);

    (void)state;
    lan_up(guest, &plain);
    send_from(1, 0);
    assert_int_equal(lan.ends[1].frames, 1);
    send_from(2, 0);
    assert_int_equal(lan.ends[1].frames, 1);
    assert_int_equal(avps_switch_counters(&lan.sw, 0)->spoofed, 1);
}

static void test_apply_lets_further_addresses_through_that_are_allowed(void **state)
{
    struct avps_switch_port_config trunk = {0};
    const struct avps_platform_device *guest = device("good/full", 1);

    (void)state;
    avps_platform_switch_port(guest, &trunk);
    trunk.macs = NULL;
    trunk.mac_count = 0;
    lan_up(guest, &trunk);
    for (uint8_t last = 1; last <= 4U; last++) {
        send_from(last, 20);
    }
    assert_int_equal(lan.ends[1].frames, 3);
    assert_int_equal(avps_switch_counters(&lan.sw, 0)->spoofed, 1);
}

static void test_apply_lets_any_address_through_where_the_file_says_so(void **state)
{
    const struct avps_switch_port_config plain = {0};
    const struct avps_platform_device *guest = device("good/full", 2);

    (void)state;
    lan_up(guest, &plain);
    send_from(0x77, 0);
    assert_int_equal(lan.ends[1].frames, 1);
}

/* [AVPS NET-4] */
static void test_apply_keeps_a_trunk_to_its_vlans(void **state)
{
    struct avps_switch_port_config trunk = {0};
    const struct avps_platform_device *guest = device("good/full", 1);

    (void)state;
    avps_platform_switch_port(guest, &trunk);
    lan_up(guest, &trunk);
    send_from(1, 20);
    assert_int_equal(lan.ends[1].vlan, 20);
    send_from(1, 30);
    assert_int_equal(lan.ends[1].vlan, 30);
    send_from(1, 0); /* 10, untagged on both */
    assert_int_equal(lan.ends[1].vlan, 0);
    assert_int_equal(lan.ends[1].frames, 3);
    send_from(1, 40);
    assert_int_equal(lan.ends[1].frames, 3);
    assert_int_equal(avps_switch_counters(&lan.sw, 0)->wrong_vlan, 1);
}

static void test_apply_connects_an_uplink_to_its_vlan(void **state)
{
    struct avps_platform_device guest = *device("good/defaults", 1);
    struct avps_platform_network network = platform.networks[0];
    struct avps_switch_port_config uplink = {0};

    (void)state;
    guest.net.vlan = 10;
    network.uplink_vlan = 10;
    avps_platform_uplink_port(&network, &uplink);
    lan_up(&guest, &uplink);
    send_from(1, 0);
    assert_int_equal(lan.ends[1].frames, 1);
    network.uplink_vlan = 0;
    avps_platform_uplink_port(&network, &uplink);
    lan_up(&guest, &uplink); /* a plain port is not in VLAN 10 */
    send_from(1, 0);
    assert_int_equal(lan.ends[1].frames, 0);
}

/* 8000 kbit/s are a byte in a microsecond; 128 KiB may come at once. */
static void test_apply_limits_the_rate(void **state)
{
    const struct avps_switch_port_config plain = {0};
    const struct avps_platform_device *guest = device("good/full", 2);
    const uint32_t at_once = 128U * 1024U / (FRAME + 4U);

    (void)state;
    lan_up(guest, &plain);
    for (uint32_t i = 0; i < at_once + 10U; i++) {
        send_from(1, 0);
    }
    assert_int_equal(lan.ends[1].frames, at_once);
    assert_int_equal(avps_switch_counters(&lan.sw, 0)->over_rate, 10);
    lan.clock.now_ns += (FRAME + 4U) * 1000U;
    send_from(1, 0);
    send_from(1, 0);
    assert_int_equal(lan.ends[1].frames, at_once + 1U);
}

static void test_apply_limits_what_is_learned(void **state)
{
    struct avps_platform_device guest = *device("good/full", 2);
    const struct avps_switch_port_config plain = {0};

    (void)state;
    guest.net.learn_max = 3;
    guest.net.rate_kbit = 0;
    lan_up(&guest, &plain);
    for (uint8_t last = 1; last <= 5U; last++) {
        send_from(last, 0);
    }
    assert_int_equal(lan.ends[1].frames, 5);
    assert_int_equal(avps_switch_counters(&lan.sw, 0)->not_learned, 2);
}

static void test_apply_sizes_a_switch(void **state)
{
    struct test_port clock;
    struct avps_switch_config config = {.table_size = TABLE, .port = &clock.port};

    (void)state;
    (void)device("good/full", 0);
    test_port_init(&clock);
    assert_int_equal(avps_platform_switch(&platform.networks[1], &config), AVPS_OK);
    assert_int_equal(config.table_size, 64);
    assert_true(config.age == 300000000000ULL);
    config.port = NULL; /* seconds by avps_switch_tick */
    assert_int_equal(avps_platform_switch(&platform.networks[1], &config), AVPS_OK);
    assert_int_equal(config.age, 300);
    assert_int_equal(avps_platform_switch(&platform.networks[0], &config), AVPS_E_NOSPACE);
    config.table_size = TABLE;
    assert_int_equal(avps_platform_switch(&platform.networks[0], &config), AVPS_OK);
    assert_int_equal(config.age, 0);
}

/* ---- buses and sockets ---- */

static void test_apply_limits_an_i2c_adapter_to_its_chips(void **state)
{
    struct avps_i2c_config config = {.address_count = 0};
    struct avps_platform_device bus = *device("examples/automotive", 4);

    (void)state;
    avps_platform_i2c(&bus, &config);
    assert_int_equal(config.base.queue_count, 1);
    assert_int_equal(config.address_count, 3);
    assert_int_equal(config.addresses[0], 0x50);
    assert_int_equal(config.addresses[2], 0x49);
    bus.i2c.allowed.count = 0; /* without a list: all */
    avps_platform_i2c(&bus, &config);
    assert_int_equal(config.address_count, 0);
    assert_null(config.addresses);
}

static void test_apply_gives_a_socket_device_its_context_id(void **state)
{
    struct avps_vsock_config config = {.guest_cid = 0};

    (void)state;
    avps_platform_vsock(device("examples/automotive", 5), &config);
    assert_int_equal(config.guest_cid, 41);
    assert_int_equal(config.base.queue_count, 3);
    assert_true(avps_features_has(&config.base.withhold, AVPS_F_RING_PACKED));
}

static void test_apply_lets_a_socket_device_talk_to_its_peers_only(void **state)
{
    struct avps_platform_device sockets = *device("examples/automotive", 5);

    (void)state;
    assert_true(avps_platform_vsock_allows(&sockets, AVPS_VSOCK_HOST));
    assert_false(avps_platform_vsock_allows(&sockets, 42));
    sockets.vsock.peers = (struct avps_platform_numbers){{42}, 1};
    assert_true(avps_platform_vsock_allows(&sockets, 42));
    assert_false(avps_platform_vsock_allows(&sockets, AVPS_VSOCK_HOST));
    assert_false(avps_platform_vsock_allows(&sockets, 42 + (1ULL << 32)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_apply_limits_an_i2c_adapter_to_its_chips),
        cmocka_unit_test(test_apply_gives_a_socket_device_its_context_id),
        cmocka_unit_test(test_apply_lets_a_socket_device_talk_to_its_peers_only),
        cmocka_unit_test(test_apply_counts_queues),
        cmocka_unit_test(test_apply_narrows_the_common_part_down),
        cmocka_unit_test(test_apply_leaves_a_ports_access_platform_alone),
        cmocka_unit_test(test_apply_keeps_devices_to_the_dma_window),
        cmocka_unit_test(test_apply_offers_of_a_disk_what_the_file_names),
        cmocka_unit_test(test_apply_makes_a_disk_read_only),
        cmocka_unit_test(test_apply_never_makes_a_read_only_back_end_writable),
        cmocka_unit_test(test_apply_gives_a_disk_the_size_of_the_file),
        cmocka_unit_test(test_apply_names_the_feature_that_a_back_end_cannot_give),
        cmocka_unit_test(test_apply_names_the_common_feature_that_a_transport_cannot_give),
        cmocka_unit_test(test_apply_gives_a_network_device_its_address_and_limits),
        cmocka_unit_test(test_apply_offers_a_network_device_all_where_the_file_is_silent),
        cmocka_unit_test(test_apply_gives_a_console_its_ports_and_size),
        cmocka_unit_test(test_apply_limits_an_entropy_device),
        cmocka_unit_test(test_apply_lets_listed_addresses_through_and_no_others),
        cmocka_unit_test(test_apply_lets_further_addresses_through_that_are_allowed),
        cmocka_unit_test(test_apply_lets_any_address_through_where_the_file_says_so),
        cmocka_unit_test(test_apply_keeps_a_trunk_to_its_vlans),
        cmocka_unit_test(test_apply_connects_an_uplink_to_its_vlan),
        cmocka_unit_test(test_apply_limits_the_rate),
        cmocka_unit_test(test_apply_limits_what_is_learned),
        cmocka_unit_test(test_apply_sizes_a_switch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
