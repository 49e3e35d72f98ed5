/* SPDX-License-Identifier: BSD-3-Clause */
/* Network: options -> forwarded ports -> switches -> back ends -> open, ready, close. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avps_common/platform_filter.h"
#include "avps_posix/null.h"
#include "avps_posix/slirp.h"
#include "avps_posix/tap.h"
#include "host.h"

#define NET_PAIRS        8U
#define NET_SWITCH_TABLE 1024U
#define NET_SWITCH_FRAME 65597U
#define NET_SWITCH_AGE   UINT64_C(300000000000)

struct net {
    const char *tap_name;
    bool user;
    const char *switch_name;
    bool loop;
    uint32_t null_len;
    uint8_t mac[6];
    uint32_t mtu;
    uint32_t queues;
    struct option_list forwards;
    bool restricted;
    bool no_offloads;
    struct avps_platform_filter filter; /* of a platform's policies, where there is no switch */
    uint8_t *filter_frame;
    struct avps_posix_tap *tap;
    struct avps_posix_slirp *slirp;
    struct avps_posix_null_net null;
    bool has_null;
    struct net_switch *joined;
    uint16_t switch_port;
    struct avps_queue *queue_storage;
    struct avps_net_pair *pair_storage;
    struct avps_net device;
};

/* Network devices of this program that gave the same name. */
struct net_switch {
    struct net_switch *next;
    const char *name;
    const struct avps_posix_loop *loop;
    uint16_t used;
    struct avps_switch device;
    struct avps_switch_port ports[HOST_DEVICES];
    struct avps_switch_entry table[NET_SWITCH_TABLE];
    uint8_t bounce[2][NET_SWITCH_FRAME];
};

enum { CHOICE_NETWORK = 1 };

static const struct option net_rows[] = {
    {.name = "tap",
     .value = "NAME",
     .type = OPTION_TEXT,
     .offset = offsetof(struct net, tap_name),
     .choice = CHOICE_NETWORK,
     .must = true,
     .help = "tap interface of the host, made if there is none"},
    {.name = "user",
     .type = OPTION_FLAG,
     .offset = offsetof(struct net, user),
     .choice = CHOICE_NETWORK,
     .must = true,
     .help = "user network through sockets of this program (libslirp)"},
    {.name = "switch",
     .value = "NAME",
     .type = OPTION_TEXT,
     .offset = offsetof(struct net, switch_name),
     .choice = CHOICE_NETWORK,
     .must = true,
     .help = "switch between the devices of this program that give this name"},
    {.name = "loop",
     .type = OPTION_FLAG,
     .offset = offsetof(struct net, loop),
     .choice = CHOICE_NETWORK,
     .must = true,
     .help = "every frame goes back to the guest (for measurements)"},
    {.name = "null",
     .value = "LEN",
     .type = OPTION_OPTIONAL,
     .offset = offsetof(struct net, null_len),
     .min = AVPS_POSIX_NULL_FRAME_MIN,
     .max = AVPS_POSIX_NULL_FRAME_MAX,
     .choice = CHOICE_NETWORK,
     .must = true,
     .help = "frames are swallowed; with LEN, frames of LEN bytes come (for measurements)"},
    {.name = "mac",
     .value = "MAC",
     .type = OPTION_MAC,
     .offset = offsetof(struct net, mac),
     .help = "address of the guest (made from what names the device: its socket, its place)"},
    {.name = "mtu",
     .value = "N",
     .type = OPTION_NUMBER,
     .offset = offsetof(struct net, mtu),
     .min = 68,
     .max = 65521,
     .help = "largest packet, told to the guest"},
    {.name = "queues",
     .value = "N",
     .type = OPTION_NUMBER,
     .offset = offsetof(struct net, queues),
     .min = 1,
     .max = NET_PAIRS,
     .help = "queue pairs (1)"},
    {.name = "forward",
     .value = "tcp:H:G",
     .type = OPTION_TEXTS,
     .offset = offsetof(struct net, forwards),
     .needs = "user",
     .help = "port H of 127.0.0.1 leads to port G of the guest; also udp:H:G; repeatable"},
    {.name = "restrict",
     .type = OPTION_FLAG,
     .offset = offsetof(struct net, restricted),
     .needs = "user",
     .help = "the guest reaches nothing; forwarded ports still reach it"},
    {.name = "no-offloads",
     .type = OPTION_FLAG,
     .offset = offsetof(struct net, no_offloads),
     .needs = "tap",
     .help = "whole frames with checksums only"},
};

/* ---- forwarded ports ---- */

/* tcp:PORT:PORT or udp:PORT:PORT. */
static bool net_read_forward(const char *text, uint32_t *from, uint32_t *to)
{
    if (strncmp(text, "tcp:", 4) != 0 && strncmp(text, "udp:", 4) != 0) {
        return false;
    }
    text = options_number(text + 4, UINT16_MAX, from);
    text = text != NULL && *text == ':' ? options_number(text + 1, UINT16_MAX, to) : NULL;
    return text != NULL && *text == '\0';
}

static enum avps_status net_forward(const struct net *net, const char *text,
                                    struct avps_posix_error *error)
{
    uint32_t from = 0;
    uint32_t to = 0;

    if (!net_read_forward(text, &from, &to)) {
        return host_fail(error, AVPS_E_PARAM,
                         "--forward takes tcp:PORT:PORT or udp:PORT:PORT, not '%s'", text);
    }
    return avps_posix_slirp_forward(net->slirp, text[0] == 'u', (uint16_t)from, (uint16_t)to,
                                    error);
}

/* ---- switches ---- */

/* What the platform file says of a network. @return false: its table is too large for this program. */
static bool switch_apply(const struct host_device *device, struct avps_switch_config *config)
{
    return device->planned == NULL ||
           avps_platform_switch(&device->platform->networks[device->planned->net.network],
                                config) == AVPS_OK;
}

static struct net_switch *switch_make(struct host_device *device, const char *name)
{
    struct net_switch *made = calloc(1, sizeof *made);

    if (made == NULL) {
        return NULL;
    }
    struct avps_switch_config config = {.ports = made->ports,
                                        .port_count = HOST_DEVICES,
                                        .table = made->table,
                                        .table_size = NET_SWITCH_TABLE,
                                        .bounce = made->bounce[0],
                                        .bounce_size = NET_SWITCH_FRAME,
                                        .age = NET_SWITCH_AGE,
                                        .port = &device->runner.port};
    if (!switch_apply(device, &config) || avps_switch_init(&made->device, &config) != AVPS_OK) {
        free(made);
        return NULL;
    }
    made->name = name;
    made->loop = device->loop;
    made->next = device->host->switches;
    device->host->switches = made;
    return made;
}

static struct net_switch *switch_get(struct host_device *device, const char *name)
{
    struct net_switch *at = device->host->switches;

    while (at != NULL && strcmp(at->name, name) != 0) {
        at = at->next;
    }
    return at != NULL ? at : switch_make(device, name);
}

void host_switches_free(struct host *host)
{
    while (host->switches != NULL) {
        struct net_switch *next = host->switches->next;

        free(host->switches);
        host->switches = next;
    }
}

/* ---- back ends ---- */

static enum avps_status open_tap(struct host_device *device, struct avps_net_config *config,
                                 struct avps_posix_error *error)
{
    struct net *net = device->own;
    const struct avps_posix_tap_config tap = {.loop = device->loop,
                                              .name = net->tap_name,
                                              .queues = (uint16_t)net->queues,
                                              .no_offloads = net->no_offloads};
    const enum avps_status status = avps_posix_tap_open(&net->tap, &tap, error);

    if (status == AVPS_OK) {
        avps_posix_tap_describe(net->tap, config);
    }
    return status;
}

static enum avps_status open_user(struct host_device *device, struct avps_net_config *config,
                                  struct avps_posix_error *error)
{
    struct net *net = device->own;
    const struct avps_posix_slirp_config slirp = {
        .loop = device->loop, .mtu = (uint16_t)net->mtu, .restricted = net->restricted};
    enum avps_status status = avps_posix_slirp_open(&net->slirp, &slirp, error);

    for (uint32_t i = 0; i < net->forwards.count && status == AVPS_OK; i++) {
        status = net_forward(net, net->forwards.items[i], error);
    }
    if (status == AVPS_OK) {
        avps_posix_slirp_describe(net->slirp, config);
    }
    return status;
}

static enum avps_status open_switch(struct host_device *device, struct avps_net_config *config,
                                    struct avps_posix_error *error)
{
    struct net *net = device->own;

    net->joined = switch_get(device, net->switch_name);
    if (net->joined == NULL) {
        return host_fail(error, AVPS_E_NOSPACE,
                         "not enough memory for a switch, or more than %u addresses asked of it",
                         NET_SWITCH_TABLE);
    }
    if (net->joined->loop != device->loop) {
        net->joined = NULL;
        return host_fail(
            error, AVPS_E_PARAM,
            "the devices of switch '%s' must run in one thread: leave it to the program",
            net->switch_name);
    }
    net->switch_port = net->joined->used++;
    config->ops = &avps_switch_net_ops;
    config->ctx = &net->joined->ports[net->switch_port];
    config->offloads = AVPS_NET_TX_CSUM | AVPS_NET_TX_TSO4 | AVPS_NET_TX_TSO6 | AVPS_NET_RX_CSUM |
                       AVPS_NET_RX_TSO4 | AVPS_NET_RX_TSO6;
    return AVPS_OK;
}

static enum avps_status open_null(struct host_device *device, struct avps_net_config *config,
                                  struct avps_posix_error *error)
{
    struct net *net = device->own;
    const struct avps_posix_null_net_config null = {
        .loop = device->loop,
        .workers = device->threads != NULL ? device->threads->workers : NULL,
        .worker_count = device->threads != NULL ? device->threads->count : (uint16_t)0,
        .mode = net->loop ? AVPS_POSIX_NULL_ECHO : AVPS_POSIX_NULL_SINK,
        .frame_len = net->null_len};
    const enum avps_status status = avps_posix_null_net_init(&net->null, &null);

    if (status != AVPS_OK) {
        return host_fail(error, status, "not enough memory for frames");
    }
    net->has_null = true;
    avps_posix_null_net_describe(&net->null, config);
    return AVPS_OK;
}

static enum avps_status open_network(struct host_device *device, struct avps_net_config *config,
                                     struct avps_posix_error *error)
{
    const struct net *net = device->own;

    if (net->tap_name != NULL) {
        return open_tap(device, config, error);
    }
    if (net->user) {
        return open_user(device, config, error);
    }
    if (net->switch_name != NULL) {
        return open_switch(device, config, error);
    }
    return open_null(device, config, error);
}

/* ---- a platform's policies ---- */

/* Queues, MTU, and where nothing else is connected a switch of the network's name. */
static void net_plan(struct host_device *device)
{
    struct net *net = device->own;
    const struct avps_platform_network *network = NULL;

    if (device->planned == NULL) {
        return;
    }
    network = &device->platform->networks[device->planned->net.network];
    net->queues = device->planned->queues;
    net->mtu = network->mtu;
    if (net->tap_name == NULL && !net->user && !net->loop &&
        !options_given(&device->given, "null")) {
        net->switch_name = network->name;
    }
}

/* On a switch its port has the policies; elsewhere a filter in front of the back end. */
static enum avps_status net_apply(struct host_device *device, struct avps_net_config *config,
                                  struct avps_posix_error *error)
{
    struct net *net = device->own;
    struct avps_platform_filter_config filter = {.platform = device->platform,
                                                 .device = device->planned,
                                                 .port = &device->runner.port,
                                                 .frame_size = NET_SWITCH_FRAME};

    if (device->planned == NULL) {
        return AVPS_OK;
    }
    avps_platform_net(device->platform, device->planned, config);
    if (net->switch_name != NULL) {
        return AVPS_OK;
    }
    net->filter_frame = malloc(NET_SWITCH_FRAME);
    if (net->filter_frame == NULL) {
        return host_fail(error, AVPS_E_NOSPACE, "not enough memory for a frame");
    }
    filter.frame = net->filter_frame;
    return avps_platform_filter_init(&net->filter, &filter, config) == AVPS_OK
               ? AVPS_OK
               : host_fail(error, AVPS_E_UNSUPPORTED,
                           "%s and the uplink of its network are in different VLANs: only a switch "
                           "can tell them apart",
                           device->label);
}

/* ---- open, ready, close ---- */

/* The same device has the same address at every start (FNV-1a of its label). */
static void net_make_mac(const struct host_device *device, uint8_t mac[6])
{
    uint32_t hash = UINT32_C(2166136261);

    for (const char *at = device->label; *at != '\0'; at++) {
        hash = (hash ^ (uint8_t)*at) * UINT32_C(16777619);
    }
    mac[0] = 0x52;
    mac[1] = 0x54;
    for (unsigned int i = 0; i < 4U; i++) {
        mac[2U + i] = (uint8_t)(hash >> (8U * i));
    }
}

static enum avps_status net_storage(struct net *net, struct avps_posix_error *error)
{
    net->queue_storage = calloc(2U * net->queues + 1U, sizeof *net->queue_storage);
    net->pair_storage = calloc(net->queues, sizeof *net->pair_storage);
    return net->queue_storage != NULL && net->pair_storage != NULL
               ? AVPS_OK
               : host_fail(error, AVPS_E_NOSPACE, "not enough memory for %u queue pairs",
                           net->queues);
}

static enum avps_status net_init(struct host_device *device, struct avps_net_config *config,
                                 struct avps_posix_error *error)
{
    struct net *net = device->own;

    if (!options_given(&device->given, "mac")) {
        net_make_mac(device, net->mac);
    }
    if (device->planned == NULL) {
        (void)memcpy(config->mac, net->mac, sizeof config->mac);
    }
    device->base = &net->device.base;
    return avps_net_init(&net->device, config) == AVPS_OK
               ? AVPS_OK
               : host_fail(error, AVPS_E_PARAM, "the network device cannot be set up");
}

/* The other networks have one context for all pairs. */
static uint32_t net_shares(const struct host_device *device, struct avps_posix_error *error)
{
    const struct net *net = device->own;

    if (!net->loop) {
        (void)host_fail(error, AVPS_E_PARAM, "--threads goes with --loop");
        return 0;
    }
    return net->queues != 0U ? net->queues : 1U;
}

static enum avps_status net_open(struct host_device *device, struct avps_posix_error *error)
{
    struct net *net = device->own;
    struct avps_net_config config = {0};

    net_plan(device);
    config.mtu = (uint16_t)net->mtu;
    net->queues = net->queues != 0U ? net->queues : 1U;
    enum avps_status status = net_storage(net, error);
    if (status != AVPS_OK) {
        return status;
    }
    config.base = host_device_base(device, net->queue_storage, (uint16_t)(2U * net->queues + 1U));
    config.pairs = net->pair_storage;
    config.pair_count = (uint16_t)net->queues;
    status = open_network(device, &config, error);
    status = status == AVPS_OK ? net_apply(device, &config, error) : status;
    return status == AVPS_OK ? net_init(device, &config, error) : status;
}

static void net_ready(struct host_device *device)
{
    struct net *net = device->own;

    if (net->tap != NULL) {
        avps_posix_tap_attach(net->tap, &net->device);
    } else if (net->slirp != NULL) {
        avps_posix_slirp_attach(net->slirp, &net->device);
    } else if (net->joined != NULL) {
        struct avps_switch_port_config port = {.net = &net->device};

        if (device->planned != NULL) {
            avps_platform_switch_port(device->planned, &port);
        }
        (void)!avps_switch_connect(&net->joined->device, net->switch_port, &port);
    } else {
        avps_posix_null_net_attach(&net->null, &net->device);
    }
}

static bool net_close(struct host_device *device)
{
    struct net *net = device->own;

    if (net->joined != NULL) {
        avps_switch_disconnect(&net->joined->device, net->switch_port);
    }
    avps_posix_tap_close(net->tap);
    avps_posix_slirp_close(net->slirp);
    if (net->has_null) {
        avps_posix_null_net_free(&net->null);
    }
    free(net->queue_storage);
    free(net->pair_storage);
    free(net->filter_frame);
    return true;
}

/* Where the guest is found has changed: it says so, if its driver can. */
static void net_moved(struct host_device *device)
{
    struct net *net = device->own;

    (void)!avps_net_announce(&net->device);
}

const struct host_kind net_kind = {
    .name = "net",
    .summary = "network on a tap interface, user network or switch",
    .id = 1,
    .rows = net_rows,
    .row_count = sizeof net_rows / sizeof net_rows[0],
    .size = sizeof(struct net),
    .turn_least = 64,
    .turn_most = 64,
    .shares = net_shares,
    .open = net_open,
    .ready = net_ready,
    .close = net_close,
    .moved = net_moved,
};
