/* SPDX-License-Identifier: BSD-3-Clause */
/* A platform file, from the leaves up: names -> networks -> devices and the rules between their
 * properties -> guests -> the file. */
#include "avps_common/platform.h"

#include <libfdt.h>
#include <string.h>

#include "avps/blk.h"
#include "property.h"

#define PLATFORM_COUNT(rows) ((uint32_t)(sizeof(rows) / sizeof(rows)[0]))

#define PLATFORM_QUEUE_SIZE (AVPS_QUEUE_SIZE_MAX < 256 ? AVPS_QUEUE_SIZE_MAX : 256) /* defaults */
#define PLATFORM_BUDGET     64U
#define PLATFORM_MTU        1500U
#define PLATFORM_ADDRESSES  64U
#define PLATFORM_AGE_S      300U
#define PLATFORM_BURST_KIB  128U
#define PLATFORM_RNG_BYTES  4096U

/* ---- nodes ---- */

/* The node of this name below another, or -1 without one. */
static int platform_child(const struct reader *reader, int parent, const char *name)
{
    int node = 0;

    fdt_for_each_subnode(node, reader->fdt, parent)
    {
        const char *other = fdt_get_name(reader->fdt, node, NULL);

        if (other != NULL && line_same(other, name)) {
            return node;
        }
    }
    return -1;
}

/* The name of a node that users may choose. @return NULL: it is not fit, or the line says that another
 * node has it already. */
static const char *platform_name(struct reader *reader, int parent, int node)
{
    const char *name = fdt_get_name(reader->fdt, node, NULL);

    if (name == NULL || !property_is_name(name)) {
        (void)property_wrong(reader, parent, name != NULL ? name : "?");
        property_name_expected(reader);
        line_text(&reader->line, ", found a node of another name");
        return NULL;
    }
    if (platform_child(reader, parent, name) != node) {
        (void)property_wrong(reader, parent, name);
        line_text(&reader->line, "one node of this name, found two");
        return NULL;
    }
    return name;
}

/* There is no room for one more node. */
static bool platform_full(struct reader *reader, int parent, const char *name, uint32_t most)
{
    (void)property_wrong(reader, parent, name);
    line_text(&reader->line, "at most ");
    line_number(&reader->line, most);
    line_text(&reader->line, " nodes, found one more");
    return false;
}

/* The nodes below are out of a fixed list. */
static bool platform_nodes(struct reader *reader, int parent, const char *const *names,
                           uint32_t count)
{
    int node = 0;

    fdt_for_each_subnode(node, reader->fdt, parent)
    {
        const char *name = fdt_get_name(reader->fdt, node, NULL);
        uint32_t i = 0;

        while (name != NULL && i < count && !line_same(names[i], name)) {
            i++;
        }
        if (name != NULL && i < count && platform_child(reader, parent, name) == node) {
            continue;
        }
        (void)property_wrong(reader, parent, name != NULL ? name : "?");
        if (count == 0U) {
            line_text(&reader->line, "no nodes here");
        } else {
            line_text(&reader->line, "each node once out of ");
            property_words(reader, names, count);
        }
        line_text(&reader->line, ", found a node");
        return false;
    }
    return true;
}

/* ---- rules between properties ---- */

/* "expected X beside it, found none": `name` makes no sense alone. */
static bool platform_needs(struct reader *reader, int node, const char *name, const char *other)
{
    (void)property_wrong(reader, node, name);
    line_text(&reader->line, other);
    line_text(&reader->line, " beside it, found none");
    return false;
}

/* "expected no X beside it, found one". */
static bool platform_excludes(struct reader *reader, int node, const char *name, const char *other)
{
    (void)property_wrong(reader, node, name);
    line_text(&reader->line, "no ");
    line_text(&reader->line, other);
    line_text(&reader->line, " beside it, found one");
    return false;
}

/* ---- networks ---- */

static const struct property_row platform_network_rows[] = {
    {"mtu", &property_number, offsetof(struct avps_platform_network, mtu), 68, 65535, false, NULL},
    {"addresses", &property_power, offsetof(struct avps_platform_network, addresses), 4, 65536,
     false, NULL},
    {"age-s", &property_number, offsetof(struct avps_platform_network, age_s), 0, 1000000, false,
     NULL},
    {"uplink", &property_name, offsetof(struct avps_platform_network, uplink), 0, 0, false, NULL},
    {"uplink-vlan", &property_number, offsetof(struct avps_platform_network, uplink_vlan), 1, 4094,
     false, NULL},
};

static bool platform_network(struct reader *reader, int parent, int node)
{
    struct avps_platform *platform = reader->platform;
    struct avps_platform_network *network = NULL;
    const char *name = platform_name(reader, parent, node);

    if (name == NULL) {
        return false;
    }
    if (platform->network_count == AVPS_PLATFORM_NETWORKS) {
        return platform_full(reader, parent, name, AVPS_PLATFORM_NETWORKS);
    }
    network = &platform->networks[platform->network_count];
    *network = (struct avps_platform_network){.name = name,
                                              .mtu = PLATFORM_MTU,
                                              .addresses = PLATFORM_ADDRESSES,
                                              .age_s = PLATFORM_AGE_S};

    const struct property_table table = {platform_network_rows,
                                         PLATFORM_COUNT(platform_network_rows), network};

    platform->network_count++;
    if (!property_read(reader, node, &table, 1U) || !platform_nodes(reader, node, NULL, 0U)) {
        return false;
    }
    return network->uplink_vlan == 0U || network->uplink != NULL ||
           platform_needs(reader, node, "uplink-vlan", "uplink");
}

static bool platform_networks(struct reader *reader, int parent)
{
    bool is_well = property_read(reader, parent, NULL, 0U);
    int node = 0;

    fdt_for_each_subnode(node, reader->fdt, parent)
    {
        is_well = is_well && platform_network(reader, parent, node);
    }
    return is_well;
}

/* ---- what a device is ---- */

#define AT(member) offsetof(struct avps_platform_device, member)

static const struct property_row platform_kind_row = {"type", &property_kind, AT(kind), 0,
                                                      0,      true,           NULL};

static const struct property_row platform_device_rows[] = {
    {"type", &property_kind, AT(kind), 0, 0, true, NULL},
    {"transport", &property_transport, AT(transport), 0, 0, false, NULL},
    {"rings", &property_rings, AT(packed), 0, 0, false, NULL},
    {"queue-size", &property_power, AT(queue_size), 2, AVPS_QUEUE_SIZE_MAX, false, NULL},
    {"budget", &property_number, AT(budget), 1, 1024, false, NULL},
    {"access-platform", &property_flag, AT(access_platform), 0, 0, false, NULL},
    {"common-features", &property_features, 0, 0, 0, false, &features_common},
};

static const struct property_row platform_blk_rows[] = {
    {"backend", &property_name, AT(backend), 0, 0, true, NULL},
    {"features", &property_features, 0, 0, 0, false, &features_blk},
    {"queues", &property_number, AT(queues), 1, AVPS_BLK_QUEUES, false, NULL},
    {"size-mib", &property_number, AT(blk.size_mib), 1, 4194304, false, NULL},
    {"serial", &property_text, AT(blk.serial), 1, AVPS_BLK_ID_BYTES, false, NULL},
    {"read-only", &property_flag, AT(blk.read_only), 0, 0, false, NULL},
    {"write-through", &property_flag, AT(blk.write_through), 0, 0, false, NULL},
};

static const struct property_row platform_net_rows[] = {
    {"network", &property_network, AT(net.network), 0, 0, true, NULL},
    {"features", &property_features, 0, 0, 0, false, &features_net},
    {"queues", &property_number, AT(queues), 1, 8, false, NULL},
    {"mac", &property_mac, AT(net.mac), 0, 0, true, NULL},
    {"mac-allowed", &property_macs, AT(net), 0, 0, false, NULL},
    {"mac-any", &property_flag, AT(net.mac_any), 0, 0, false, NULL},
    {"vlan", &property_number, AT(net.vlan), 1, 4094, false, NULL},
    {"vlans", &property_numbers, AT(net.vlans), 1, 4094, false, NULL},
    {"learn-max", &property_number, AT(net.learn_max), 1, 65536, false, NULL},
    {"rate-kbit", &property_number, AT(net.rate_kbit), 1, 100000000, false, NULL},
    {"burst-kib", &property_number, AT(net.burst_kib), 65, 65536, false, NULL},
    {"speed-mbit", &property_number, AT(net.speed_mbit), 1, 1000000, false, NULL},
};

static const struct property_row platform_console_rows[] = {
    {"backend", &property_name, AT(backend), 0, 0, true, NULL},
    {"features", &property_features, 0, 0, 0, false, &features_console},
    {"columns", &property_number, AT(console.columns), 1, 1000, false, NULL},
    {"rows", &property_number, AT(console.rows), 1, 1000, false, NULL},
    {"ports", &property_ports, AT(console), 0, 0, false, NULL},
};

static const struct property_row platform_rng_rows[] = {
    {"backend", &property_name, AT(backend), 0, 0, true, NULL},
    {"max-bytes", &property_number, AT(rng.max_bytes), 1, 65536, false, NULL},
};

static const struct property_row platform_i2c_rows[] = {
    {"backend", &property_name, AT(backend), 0, 0, true, NULL},
    {"allowed", &property_numbers, AT(i2c.allowed), 1, 127, false, NULL},
};

static const struct property_row platform_vsock_rows[] = {
    {"backend", &property_name, AT(backend), 0, 0, true, NULL},
    {"features", &property_features, 0, 0, 0, false, &features_vsock},
    {"cid", &property_number, AT(vsock.cid), 3, 65535, true, NULL},
    {"peers", &property_numbers, AT(vsock.peers), 2, 65535, false, NULL},
};

#define ROWS(rows)                                                                                 \
    {                                                                                              \
        rows, PLATFORM_COUNT(rows), NULL                                                           \
    }

static const struct property_table platform_kinds[] = {
    [AVPS_PLATFORM_BLK] = ROWS(platform_blk_rows),
    [AVPS_PLATFORM_NET] = ROWS(platform_net_rows),
    [AVPS_PLATFORM_CONSOLE] = ROWS(platform_console_rows),
    [AVPS_PLATFORM_RNG] = ROWS(platform_rng_rows),
    [AVPS_PLATFORM_I2C] = ROWS(platform_i2c_rows),
    [AVPS_PLATFORM_VSOCK] = ROWS(platform_vsock_rows),
};

/* ---- rules between the properties of a device ---- */

/* Features that cannot stand alone. */
static bool platform_features_rule(struct reader *reader, int node,
                                   const struct avps_platform_device *device)
{
    const struct feature_set *set = features_of(device->kind);

    if (fdt_getprop(reader->fdt, node, "features", NULL) == NULL) {
        return true;
    }
    for (uint32_t i = 0; i < set->count; i++) {
        const struct feature *feature = &set->rows[i];

        if (feature->needs != NULL && !avps_features_has(&device->withhold, feature->bit) &&
            avps_features_has(&device->withhold, features_find(set, feature->needs)->bit)) {
            (void)property_wrong(reader, node, "features");
            line_text(&reader->line, feature->needs);
            line_text(&reader->line, " beside ");
            line_text(&reader->line, feature->name);
            line_text(&reader->line, ", found ");
            line_text(&reader->line, feature->name);
            line_text(&reader->line, " alone");
            return false;
        }
    }
    return true;
}

/* Another network device of a guest with the address of `device`. @return NULL: there is none. */
static const struct avps_platform_device *
platform_same_mac(const struct avps_platform_guest *guest,
                  const struct avps_platform_device *device)
{
    for (uint32_t i = 0; i < guest->device_count; i++) {
        const struct avps_platform_device *other = &guest->devices[i];

        if (other != device && other->kind == AVPS_PLATFORM_NET &&
            memcmp(other->net.mac, device->net.mac, sizeof device->net.mac) == 0) {
            return other;
        }
    }
    return NULL;
}

/* The value of a property is nobody else's on the whole platform; `same` finds a device that has it. */
static bool platform_unique_rule(
    struct reader *reader, int node, const char *name, const struct avps_platform_device *device,
    const struct avps_platform_device *(*same)(const struct avps_platform_guest *guest,
                                               const struct avps_platform_device *device))
{
    const struct avps_platform *platform = reader->platform;

    for (uint32_t i = 0; i < platform->guest_count; i++) {
        const struct avps_platform_guest *guest = &platform->guests[i];
        const struct avps_platform_device *other = same(guest, device);

        if (other != NULL) {
            (void)property_wrong(reader, node, name);
            line_text(&reader->line, "a value of its own, found that of ");
            line_text(&reader->line, guest->name);
            line_text(&reader->line, "/");
            line_text(&reader->line, other->name);
            return false;
        }
    }
    return true;
}

static bool platform_net_rule(struct reader *reader, int node, struct avps_platform_device *device)
{
    struct avps_platform_net *net = &device->net;

    if (net->mac_any && net->mac_count != 0U) {
        return platform_excludes(reader, node, "mac-any", "mac-allowed");
    }
    if (net->rate_kbit == 0U && net->burst_kib != 0U) {
        return platform_needs(reader, node, "burst-kib", "rate-kbit");
    }
    if (!net->mac_any && net->mac_count == 0U) {
        (void)memcpy(net->macs[0], net->mac, sizeof net->mac);
        net->mac_count = 1U;
    }
    if (net->rate_kbit != 0U && net->burst_kib == 0U) {
        net->burst_kib = PLATFORM_BURST_KIB;
    }
    return platform_unique_rule(reader, node, "mac", device, platform_same_mac);
}

static bool platform_console_rule(struct reader *reader, int node,
                                  const struct avps_platform_device *device)
{
    const struct avps_platform_console *console = &device->console;
    const uint32_t multiport = features_find(&features_console, "multiport")->bit;

    if ((console->columns == 0U) != (console->rows == 0U)) {
        return console->rows == 0U ? platform_needs(reader, node, "columns", "rows")
                                   : platform_needs(reader, node, "rows", "columns");
    }
    if (console->port_count != 0U && avps_features_has(&device->withhold, multiport)) {
        return platform_needs(reader, node, "ports", "the feature multiport");
    }
    return true;
}

/* Another socket device with the context id of `device`. @return NULL: there is none. */
static const struct avps_platform_device *
platform_same_cid(const struct avps_platform_guest *guest,
                  const struct avps_platform_device *device)
{
    for (uint32_t i = 0; i < guest->device_count; i++) {
        const struct avps_platform_device *other = &guest->devices[i];

        if (other != device && other->kind == AVPS_PLATFORM_VSOCK &&
            other->vsock.cid == device->vsock.cid) {
            return other;
        }
    }
    return NULL;
}

static bool platform_rules(struct reader *reader, int node, struct avps_platform_device *device)
{
    if (!platform_features_rule(reader, node, device)) {
        return false;
    }
    switch (device->kind) {
    case AVPS_PLATFORM_NET:
        return platform_net_rule(reader, node, device);
    case AVPS_PLATFORM_CONSOLE:
        return platform_console_rule(reader, node, device);
    case AVPS_PLATFORM_VSOCK:
        return platform_unique_rule(reader, node, "cid", device, platform_same_cid);
    case AVPS_PLATFORM_BLK:
    case AVPS_PLATFORM_RNG:
    case AVPS_PLATFORM_I2C:
    default:
        return true;
    }
}

/* ---- devices ---- */

/* What holds where the file is silent. */
static struct avps_platform_device platform_device_defaults(const char *name)
{
    const struct avps_platform_device device = {.name = name,
                                                .packed = true,
                                                .queues = 1U,
                                                .queue_size = (uint32_t)PLATFORM_QUEUE_SIZE,
                                                .budget = PLATFORM_BUDGET,
                                                .blk.serial = name,
                                                .rng.max_bytes = PLATFORM_RNG_BYTES};

    return device;
}

/* What follows from the values together. */
static void platform_device_end(struct avps_platform_guest *guest,
                                struct avps_platform_device *device)
{
    if (!device->packed) {
        avps_features_add(&device->withhold, AVPS_F_RING_PACKED);
    }
    device->access_platform = device->access_platform || guest->dma_window_mib != 0U;
    for (const struct avps_platform_device *other = guest->devices; other != device; other++) {
        device->unit += other->transport == device->transport ? 1U : 0U;
    }
}

static bool platform_device(struct reader *reader, int parent, int node,
                            struct avps_platform_guest *guest)
{
    struct avps_platform_device *device = NULL;
    const char *name = platform_name(reader, parent, node);

    if (name == NULL) {
        return false;
    }
    if (guest->device_count == AVPS_PLATFORM_DEVICES) {
        return platform_full(reader, parent, name, AVPS_PLATFORM_DEVICES);
    }
    device = &guest->devices[guest->device_count];
    *device = platform_device_defaults(name);
    if (!property_read_row(reader, node, &platform_kind_row, device)) {
        return false;
    }

    const struct property_table tables[] = {
        {platform_device_rows, PLATFORM_COUNT(platform_device_rows), device},
        {platform_kinds[device->kind].rows, platform_kinds[device->kind].count, device}};

    if (!property_read(reader, node, tables, PLATFORM_COUNT(tables)) ||
        !platform_nodes(reader, node, NULL, 0U) || !platform_rules(reader, node, device)) {
        return false;
    }
    platform_device_end(guest, device);
    guest->device_count++;
    return true;
}

static bool platform_devices(struct reader *reader, int parent, struct avps_platform_guest *guest)
{
    bool is_well = property_read(reader, parent, NULL, 0U);
    int node = 0;

    fdt_for_each_subnode(node, reader->fdt, parent)
    {
        is_well = is_well && platform_device(reader, parent, node, guest);
    }
    return is_well;
}

/* ---- guests ---- */

static const struct property_row platform_guest_rows[] = {
    {"memory-mib", &property_number, offsetof(struct avps_platform_guest, memory_mib), 16, 1048576,
     true, NULL},
    {"cpus", &property_number, offsetof(struct avps_platform_guest, cpus), 1, AVPS_PLATFORM_CPUS,
     false, NULL},
    {"bootargs", &property_text, offsetof(struct avps_platform_guest, bootargs), 1, 1024, false,
     NULL},
    {"dma-window-mib", &property_number, offsetof(struct avps_platform_guest, dma_window_mib), 1,
     1024, false, NULL},
};

static bool platform_guest_rule(struct reader *reader, int node,
                                const struct avps_platform_guest *guest)
{
    if (guest->dma_window_mib <= guest->memory_mib / 2U) {
        return true;
    }
    (void)property_wrong(reader, node, "dma-window-mib");
    line_text(&reader->line, "at most half of memory-mib, ");
    line_number(&reader->line, guest->memory_mib / 2U);
    line_text(&reader->line, ", found ");
    line_number(&reader->line, guest->dma_window_mib);
    return false;
}

static bool platform_guest(struct reader *reader, int parent, int node)
{
    static const char *const nodes[] = {"devices"};
    struct avps_platform *platform = reader->platform;
    struct avps_platform_guest *guest = NULL;
    const char *name = platform_name(reader, parent, node);

    if (name == NULL) {
        return false;
    }
    if (platform->guest_count == AVPS_PLATFORM_GUESTS) {
        return platform_full(reader, parent, name, AVPS_PLATFORM_GUESTS);
    }
    guest = &platform->guests[platform->guest_count];
    *guest = (struct avps_platform_guest){.name = name, .bootargs = "", .cpus = 1U};

    const struct property_table table = {platform_guest_rows, PLATFORM_COUNT(platform_guest_rows),
                                         guest};

    platform->guest_count++;
    if (!property_read(reader, node, &table, 1U) || !platform_guest_rule(reader, node, guest) ||
        !platform_nodes(reader, node, nodes, PLATFORM_COUNT(nodes))) {
        return false;
    }

    const int devices = platform_child(reader, node, "devices");

    return devices < 0 || platform_devices(reader, devices, guest);
}

static bool platform_guests(struct reader *reader, int parent)
{
    bool is_well = property_read(reader, parent, NULL, 0U);
    int node = 0;

    fdt_for_each_subnode(node, reader->fdt, parent)
    {
        is_well = is_well && platform_guest(reader, parent, node);
    }
    return is_well;
}

/* ---- the file ---- */

static const struct property_row platform_rows[] = {
    {"compatible", &property_format, offsetof(struct avps_platform, format), 0, 0, true, NULL},
    {"model", &property_text, offsetof(struct avps_platform, model), 1, 64, true, NULL},
};

static bool platform_root(struct reader *reader)
{
    static const char *const nodes[] = {"networks", "guests"};
    const struct property_table table = {platform_rows, PLATFORM_COUNT(platform_rows),
                                         reader->platform};

    if (!property_read(reader, 0, &table, 1U) ||
        !platform_nodes(reader, 0, nodes, PLATFORM_COUNT(nodes))) {
        return false;
    }

    const int networks = platform_child(reader, 0, "networks");
    const int guests = platform_child(reader, 0, "guests");

    if ((networks >= 0 && !platform_networks(reader, networks)) ||
        (guests >= 0 && !platform_guests(reader, guests))) {
        return false;
    }
    if (reader->platform->guest_count == 0U) {
        (void)property_wrong(reader, 0, "guests");
        line_text(&reader->line, "at least one guest, found none");
        return false;
    }
    return true;
}

/* Whether libfdt can walk the blob without leaving it. Versions before 17 are not written any more, and
 * libfdt up to 1.6.1 at least follows a NULL in some of them. */
static bool platform_is_tree(const void *blob, size_t size)
{
    return blob != NULL && (uintptr_t)blob % 8U == 0U && size >= sizeof(struct fdt_header) &&
           fdt_version(blob) >= 17U && fdt_check_full(blob, size) == 0;
}

enum avps_status avps_platform_parse(struct avps_platform *platform, const void *blob, size_t size,
                                     struct avps_platform_line *line)
{
    struct avps_platform_line unread;
    struct reader reader = {.fdt = blob, .platform = platform};

    if (platform == NULL) {
        return AVPS_E_PARAM;
    }
    line = line != NULL ? line : &unread;
    line_begin(&reader.line, line->text, sizeof line->text);
    *platform = (struct avps_platform){0};
    if (!platform_is_tree(blob, size)) {
        line_text(&reader.line, "expected a device-tree blob as dtc writes it, found other bytes");
        return AVPS_E_PARAM;
    }
    return platform_root(&reader) ? AVPS_OK : AVPS_E_PARAM;
}

const struct avps_platform_guest *avps_platform_find_guest(const struct avps_platform *platform,
                                                           const char *name)
{
    for (uint32_t i = 0; i < platform->guest_count; i++) {
        if (line_same(platform->guests[i].name, name)) {
            return &platform->guests[i];
        }
    }
    return NULL;
}
