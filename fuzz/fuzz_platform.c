/* SPDX-License-Identifier: BSD-3-Clause */
/* Platform files: any bytes are refused with a line, or become tables that hold together, from which
 * configurations and guests' device trees follow that libfdt can read. */
#include <libfdt.h>
#include <string.h>

#include "avps_common/platform_apply.h"
#include "avps_common/platform_tree.h"
#include "guest.h"

#define BLOB_MAX  8192U
#define TREE_SIZE 32768U

static struct avps_platform platform;
static union {
    uint64_t align;
    uint8_t bytes[TREE_SIZE];
} tree;

static const struct avps_platform_machine machine = {
    .ram = 0x40000000,
    .distributor = {0x08000000, 0x10000},
    .redistributors = {0x080a0000, 0x200000},
    .msi = AVPS_PLATFORM_V2M,
    .messages = {0x08020000, 0x1000},
    .mmio = 0x0a000000,
    .ecam = 0x3f000000,
    .pci_memory = {0x10000000, 0x1000000},
};

/* A text inside the blob, or a constant. */
static void check_text(const char *text, size_t most)
{
    FUZZ_CHECK(text != NULL && strnlen(text, most + 1U) <= most);
}

static void check_name(const char *name)
{
    check_text(name, AVPS_PLATFORM_NAME);
    FUZZ_CHECK(name[0] >= 'a' && name[0] <= 'z');
    FUZZ_CHECK(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name));
}

static void check_blk(const struct avps_platform_device *device)
{
    struct avps_blk_config config = {.capacity = UINT64_MAX};

    check_name(device->backend);
    check_text(device->blk.serial, AVPS_PLATFORM_NAME);
    FUZZ_CHECK(avps_platform_blk(device, &config) == AVPS_OK);
    FUZZ_CHECK(device->blk.size_mib == 0U || config.capacity == device->blk.size_mib * 2048ULL);
}

static void check_net(const struct avps_platform_device *device)
{
    const struct avps_platform_net *net = &device->net;
    struct avps_net_config config = {.mtu = 0};
    struct avps_switch_port_config port = {.mac_count = 0};

    FUZZ_CHECK(net->network < platform.network_count);
    FUZZ_CHECK(net->mac_count <= AVPS_PLATFORM_LIST && net->vlans.count <= AVPS_PLATFORM_LIST);
    FUZZ_CHECK(net->mac_any == (net->mac_count == 0U));
    avps_platform_net(&platform, device, &config);
    FUZZ_CHECK(config.mtu >= 68U && (config.mac[0] & 1U) == 0U);
    avps_platform_switch_port(device, &port);
    FUZZ_CHECK((port.mode == AVPS_SWITCH_PLAIN) == (port.vlan == 0U && port.vlan_count == 0U));
    FUZZ_CHECK(port.rate == 0U || port.burst >= 65597U);
}

static void check_console(const struct avps_platform_device *device)
{
    struct avps_console_config config = {.max_ports = 0};

    check_name(device->backend);
    FUZZ_CHECK(device->console.port_count <= AVPS_PLATFORM_PORTS);
    for (uint32_t i = 0; i < device->console.port_count; i++) {
        check_name(device->console.ports[i]);
    }
    avps_platform_console(device, &config);
    FUZZ_CHECK((config.base.queue_count == 2U) == (config.max_ports == 1U));
}

static void check_i2c(const struct avps_platform_device *device)
{
    struct avps_i2c_config config = {.address_count = 0};

    check_name(device->backend);
    avps_platform_i2c(device, &config);
    FUZZ_CHECK(config.base.queue_count == 1U && config.address_count <= AVPS_PLATFORM_LIST);
    for (uint32_t i = 0; i < config.address_count; i++) {
        FUZZ_CHECK(config.addresses[i] >= 1U && config.addresses[i] <= 127U);
    }
}

static void check_vsock(const struct avps_platform_device *device)
{
    struct avps_vsock_config config = {.guest_cid = 0};

    check_name(device->backend);
    avps_platform_vsock(device, &config);
    FUZZ_CHECK(config.base.queue_count == 3U && config.guest_cid > AVPS_VSOCK_HOST);
    FUZZ_CHECK(!avps_platform_vsock_allows(device, 0));
}

static void check_device(const struct avps_platform_device *device)
{
    check_name(device->name);
    FUZZ_CHECK(device->queues >= 1U && device->budget >= 1U);
    FUZZ_CHECK(device->queue_size >= 2U && (device->queue_size & (device->queue_size - 1U)) == 0U);
    for (uint32_t i = 0; i < 4U; i++) {
        FUZZ_CHECK((device->promise.word[i] & device->withhold.word[i]) == 0U);
    }
    switch (device->kind) {
    case AVPS_PLATFORM_BLK:
        check_blk(device);
        break;
    case AVPS_PLATFORM_NET:
        check_net(device);
        break;
    case AVPS_PLATFORM_CONSOLE:
        check_console(device);
        break;
    case AVPS_PLATFORM_I2C:
        check_i2c(device);
        break;
    case AVPS_PLATFORM_VSOCK:
        check_vsock(device);
        break;
    case AVPS_PLATFORM_RNG:
    default:
        check_name(device->backend);
        break;
    }
}

static void check_guest(const struct avps_platform_guest *guest)
{
    const struct avps_platform_boot boot = {.bootargs = "fuzz"};
    size_t used = 0;

    check_name(guest->name);
    check_text(guest->bootargs, 1024);
    FUZZ_CHECK(guest->cpus >= 1U && guest->cpus <= AVPS_PLATFORM_CPUS);
    FUZZ_CHECK(guest->dma_window_mib <= guest->memory_mib / 2U);
    FUZZ_CHECK(guest->device_count <= AVPS_PLATFORM_DEVICES);
    for (uint32_t i = 0; i < guest->device_count; i++) {
        check_device(&guest->devices[i]);
    }
    FUZZ_CHECK(avps_platform_find_guest(&platform, guest->name) == guest);
    FUZZ_CHECK(avps_platform_write_tree(guest, &machine, &boot, tree.bytes, sizeof tree.bytes,
                                        &used) == AVPS_OK);
    FUZZ_CHECK(used <= sizeof tree.bytes && fdt_check_full(tree.bytes, used) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static union {
        uint64_t align;
        uint8_t bytes[BLOB_MAX];
    } blob;
    struct avps_platform_line line;

    size = size < sizeof blob.bytes ? size : sizeof blob.bytes;
    memset(&blob, 0xa5, sizeof blob); /* what lies behind the input is no end of a text */
    memcpy(blob.bytes, input, size);
    if (avps_platform_parse(&platform, blob.bytes, size, &line) != AVPS_OK) {
        const size_t length = strnlen(line.text, sizeof line.text);

        FUZZ_CHECK(length > 10U && length < sizeof line.text);
        FUZZ_CHECK(strchr(line.text, '\n') == NULL);
        return 0;
    }
    FUZZ_CHECK(platform.guest_count >= 1U && platform.guest_count <= AVPS_PLATFORM_GUESTS);
    FUZZ_CHECK(platform.network_count <= AVPS_PLATFORM_NETWORKS);
    for (uint32_t i = 0; i < platform.guest_count; i++) {
        check_guest(&platform.guests[i]);
    }
    return 0;
}
