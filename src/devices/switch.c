/* SPDX-License-Identifier: BSD-3-Clause */
/* Learning switch [AVPS NET-4]: address table -> what may come in -> one frame out of a port ->
 * forwarding -> the two kinds of ports -> connection, init. */
#include "avps/switch.h"

#include "devices/net_internal.h"

#define SWITCH_WAYS     4U      /* entries that an address can be in */
#define SWITCH_CSUM_MAX 0xff00U /* of csum_start: a tag can be added */

/* A frame on its way, apart from its tag: what every receiver's copy is made of. */
struct switch_frame {
    uint8_t macs[12];            /* destination, source: a private copy */
    uint8_t type[2];             /* behind the tag, if there was one that counts */
    uint16_t vlan;               /* 0: plain */
    uint16_t priority;           /* top bits of the tag */
    uint16_t from;               /* port */
    uint32_t head;               /* bytes that macs, tag and type took */
    uint32_t len;                /* with them */
    const struct avps_seg *segs; /* the whole frame ... */
    uint32_t seg_count;
    uint32_t skip;                   /* ... behind so many bytes */
    struct avps_net_offload offload; /* offsets with the tag as it came */
};

/* ---- address table ---- */

static uint64_t switch_now(const struct avps_switch *sw)
{
    return sw->port.sys != NULL && sw->port.sys->now_ns != NULL
               ? sw->port.sys->now_ns(sw->port.sys_ctx)
               : sw->ticks;
}

static struct avps_switch_entry *switch_bucket(const struct avps_switch *sw, const uint8_t *mac,
                                               uint16_t vlan)
{
    uint32_t hash = 0x811c9dc5U ^ vlan;

    for (uint32_t i = 0; i < NET_MAC; i++) {
        hash = (hash ^ mac[i]) * 0x01000193U;
    }
    hash ^= hash >> 15;
    return &sw->table[(hash * SWITCH_WAYS) & (sw->table_size - 1U)];
}

static bool switch_is_fresh(const struct avps_switch *sw, const struct avps_switch_entry *entry,
                            uint64_t now)
{
    return entry->used && (sw->age == 0U || now - entry->seen <= sw->age);
}

static struct avps_switch_entry *switch_lookup(const struct avps_switch *sw, const uint8_t *mac,
                                               uint16_t vlan, uint64_t now)
{
    struct avps_switch_entry *bucket = switch_bucket(sw, mac, vlan);

    for (uint32_t i = 0; i < SWITCH_WAYS; i++) {
        if (switch_is_fresh(sw, &bucket[i], now) && bucket[i].vlan == vlan &&
            memcmp(bucket[i].mac, mac, NET_MAC) == 0) {
            return &bucket[i];
        }
    }
    return NULL;
}

static void switch_forget(struct avps_switch *sw, struct avps_switch_entry *entry)
{
    if (entry->used) {
        sw->ports[entry->port].learned--;
        entry->used = false;
    }
}

/* A free, stale or the longest unseen entry of the bucket. */
static struct avps_switch_entry *switch_victim(struct avps_switch *sw, const uint8_t *mac,
                                               uint16_t vlan, uint64_t now)
{
    struct avps_switch_entry *bucket = switch_bucket(sw, mac, vlan);
    struct avps_switch_entry *victim = &bucket[0];

    for (uint32_t i = 0; i < SWITCH_WAYS; i++) {
        if (!switch_is_fresh(sw, &bucket[i], now)) {
            return &bucket[i];
        }
        if (bucket[i].seen < victim->seen) {
            victim = &bucket[i];
        }
    }
    return victim;
}

static bool switch_list_has(const struct avps_switch_port *port, const uint8_t *mac)
{
    for (uint32_t i = 0; i < port->config.mac_count; i++) {
        if (memcmp(port->config.macs[i], mac, NET_MAC) == 0) {
            return true;
        }
    }
    return false;
}

/* Addresses in a port's list are that port's alone. */
static bool switch_may_use(const struct avps_switch *sw, const struct avps_switch_port *port,
                           const uint8_t *mac)
{
    if (port->config.macs != NULL) {
        return switch_list_has(port, mac);
    }
    for (uint16_t i = 0; i < sw->port_count; i++) {
        const struct avps_switch_port *other = &sw->ports[i];

        if (other != port && other->connected && switch_list_has(other, mac)) {
            return false;
        }
    }
    return true;
}

static void switch_learn(struct avps_switch *sw, const struct switch_frame *frame, uint64_t now)
{
    struct avps_switch_port *port = &sw->ports[frame->from];
    const uint8_t *mac = frame->macs + NET_MAC;
    struct avps_switch_entry *entry = switch_lookup(sw, mac, frame->vlan, now);

    if (entry != NULL && entry->port == frame->from) {
        entry->seen = now;
        return;
    }
    if (port->config.learn_max != 0U && port->learned >= port->config.learn_max) {
        port->counters.not_learned++;
        return;
    }
    if (entry == NULL) {
        entry = switch_victim(sw, mac, frame->vlan, now);
    }
    switch_forget(sw, entry);
    *entry = (struct avps_switch_entry){
        .seen = now, .port = frame->from, .vlan = frame->vlan, .used = true};
    (void)memcpy(entry->mac, mac, NET_MAC);
    port->learned++;
}

/* ---- what may come in ---- */

static bool switch_trunk_has(const struct avps_switch_port_config *config, uint16_t vlan)
{
    for (uint32_t i = 0; i < config->vlan_count; i++) {
        if (config->vlans[i] == vlan) {
            return true;
        }
    }
    return false;
}

/* Which VLAN a frame from this port is in; false: none. `tag` are the four bytes behind the
 * addresses. */
static bool switch_classify(const struct avps_switch_port_config *config, const uint8_t *tag,
                            struct switch_frame *frame)
{
    const bool tagged = net_be16(tag) == NET_ETH_VLAN;

    frame->head = NET_ETH_HEADER;
    if (config->mode == AVPS_SWITCH_PLAIN) {
        return true;
    }
    frame->vlan = config->vlan;
    if (tagged) {
        const uint16_t tci = net_be16(tag + 2);

        if (frame->len < NET_ETH_HEADER + NET_VLAN_TAG) {
            return false;
        }
        frame->head = NET_ETH_HEADER + NET_VLAN_TAG;
        frame->priority = tci & 0xf000U;
        if ((tci & 0xfffU) != 0U) { /* 0: a priority alone */
            frame->vlan = tci & 0xfffU;
            return config->mode == AVPS_SWITCH_TRUNK && switch_trunk_has(config, frame->vlan);
        }
    }
    return frame->vlan != 0U;
}

/* Token bucket; bounded arithmetic: at most one second is credited. */
static bool switch_is_over_rate(const struct avps_switch *sw, struct avps_switch_port *port,
                                uint32_t len)
{
    if (port->config.rate == 0U) {
        return false;
    }
    const uint64_t now = switch_now(sw);
    const uint64_t passed = now - port->refilled_ns;
    const uint64_t credit = passed >= 1000000000U
                                ? port->config.rate
                                : (port->config.rate / 1000U) * (passed / 1000U) / 1000U;

    if (credit != 0U) {
        port->tokens =
            port->tokens + credit < port->config.burst ? port->tokens + credit : port->config.burst;
        port->refilled_ns = now;
    }
    if (port->tokens < len) {
        return true;
    }
    port->tokens -= len;
    return false;
}

/* IEEE 802.1D reserved addresses: never forwarded. */
static bool switch_is_reserved(const uint8_t *mac)
{
    static const uint8_t prefix[5] = {0x01, 0x80, 0xc2, 0x00, 0x00};

    return memcmp(mac, prefix, sizeof prefix) == 0 && mac[5] <= 0x0fU;
}

/* The counter a frame is dropped into; NULL: it may pass. `l2` has its first 18 bytes, zeroes where
 * it is shorter. */
static uint64_t *switch_judge(struct avps_switch *sw, const uint8_t *l2, struct switch_frame *frame)
{
    struct avps_switch_port *port = &sw->ports[frame->from];
    const uint8_t *source = l2 + NET_MAC;

    if (net_mac_is_group(source) || net_mac_is_zero(source) || switch_is_reserved(l2)) {
        return &port->counters.invalid;
    }
    if (!switch_may_use(sw, port, source)) {
        return &port->counters.spoofed;
    }
    if (!switch_classify(&port->config, l2 + 12, frame)) {
        return &port->counters.wrong_vlan;
    }
    if ((frame->offload.flags & AVPS_NET_NEEDS_CSUM) != 0U &&
        (frame->offload.csum_start < frame->head || frame->offload.csum_start > SWITCH_CSUM_MAX)) {
        return &port->counters.invalid;
    }
    if (switch_is_over_rate(sw, port, frame->len)) {
        return &port->counters.over_rate;
    }
    (void)memcpy(frame->macs, l2, sizeof frame->macs);
    (void)memcpy(frame->type, l2 + frame->head - 2U, sizeof frame->type);
    return NULL;
}

/* ---- out of a port ---- */

static bool switch_is_member(const struct avps_switch_port *port, uint16_t vlan)
{
    switch (port->config.mode) {
    case AVPS_SWITCH_ACCESS:
        return port->config.vlan == vlan;
    case AVPS_SWITCH_TRUNK:
        return vlan != 0U && (port->config.vlan == vlan || switch_trunk_has(&port->config, vlan));
    case AVPS_SWITCH_PLAIN:
    default:
        return vlan == 0U;
    }
}

/* The header as this port gets it. @return its bytes: 14, or 18 with a tag. */
static uint32_t switch_head(const struct avps_switch_port *port, const struct switch_frame *frame,
                            uint8_t *head)
{
    uint32_t at = sizeof frame->macs;

    (void)memcpy(head, frame->macs, sizeof frame->macs);
    if (port->config.mode == AVPS_SWITCH_TRUNK && frame->vlan != port->config.vlan) {
        const uint16_t tci = (uint16_t)(frame->priority | frame->vlan);

        head[at++] = (uint8_t)(NET_ETH_VLAN >> 8);
        head[at++] = (uint8_t)(NET_ETH_VLAN & 0xffU);
        head[at++] = (uint8_t)(tci >> 8);
        head[at++] = (uint8_t)(tci & 0xffU);
    }
    (void)memcpy(head + at, frame->type, sizeof frame->type);
    return at + (uint32_t)sizeof frame->type;
}

/* Offsets move with the tag. */
static struct avps_net_offload switch_shift(const struct switch_frame *frame, uint32_t head)
{
    struct avps_net_offload o = frame->offload;

    if ((o.flags & AVPS_NET_NEEDS_CSUM) != 0U) {
        o.csum_start = (uint16_t)(o.csum_start + head - frame->head);
    }
    if (o.hdr_len >= frame->head && o.hdr_len <= SWITCH_CSUM_MAX) {
        o.hdr_len = (uint16_t)(o.hdr_len + head - frame->head);
    }
    return o;
}

/* Copy the frame behind its header. */
static void switch_copy_rest(const struct switch_frame *frame, uint8_t *dst)
{
    uint32_t skip = frame->skip + frame->head;

    for (uint32_t i = 0; i < frame->seg_count; i++) {
        const struct avps_seg *seg = &frame->segs[i];
        const uint32_t off = skip < seg->len ? skip : seg->len;

        skip -= off;
        (void)memcpy(dst, seg->ptr + off, seg->len - off);
        dst += seg->len - off;
    }
}

/* A private copy for the host, complete unless it takes offloads. */
static void switch_to_host(struct avps_switch *sw, struct avps_switch_port *port,
                           const struct switch_frame *frame)
{
    uint8_t *out = sw->bounce + sw->bounce_size;
    struct avps_net_offload offload = {0, 0, 0, 0, 0, 0};
    uint8_t head[NET_ETH_HEADER + NET_VLAN_TAG];
    const uint32_t head_len = switch_head(port, frame, head);
    const uint32_t len = frame->len - frame->head + head_len;

    if (sw->bounce == NULL || len > sw->bounce_size) {
        port->counters.no_bounce++;
        return;
    }
    if (frame->offload.gso_type != AVPS_NET_GSO_NONE && !port->config.host_offloads) {
        port->counters.no_offload++;
        return;
    }
    (void)memcpy(out, head, head_len);
    switch_copy_rest(frame, out + head_len);
    if (port->config.host_offloads) {
        offload = switch_shift(frame, head_len);
    } else if ((frame->offload.flags & AVPS_NET_NEEDS_CSUM) != 0U) {
        const struct avps_net_offload shifted = switch_shift(frame, head_len);

        avps_net_complete_checksum(out, len, &shifted);
    }
    port->counters.out_frames++;
    port->counters.out_bytes += len;
    port->config.host->deliver(port->config.host_ctx, out, len, &offload);
}

static void switch_to_net(struct avps_switch_port *port, const struct switch_frame *frame)
{
    uint8_t head[NET_ETH_HEADER + NET_VLAN_TAG];
    const uint32_t head_len = switch_head(port, frame, head);
    const struct avps_net_frame out = {.data = head,
                                       .data_len = head_len,
                                       .more = frame->segs,
                                       .more_count = frame->seg_count,
                                       .more_skip = frame->skip + frame->head,
                                       .offload = switch_shift(frame, head_len)};

    if (avps_net_rx_one(port->config.net, &out) != AVPS_OK) {
        port->counters.full++;
        return;
    }
    port->touched = true;
    port->counters.out_frames++;
    port->counters.out_bytes += frame->len - frame->head + head_len;
}

static void switch_emit(struct avps_switch *sw, uint16_t index, const struct switch_frame *frame)
{
    struct avps_switch_port *port = &sw->ports[index];

    if (port->config.net != NULL) {
        switch_to_net(port, frame);
    } else {
        switch_to_host(sw, port, frame);
    }
}

/* ---- forwarding ---- */

static bool switch_takes(const struct avps_switch *sw, uint16_t index,
                         const struct switch_frame *frame)
{
    return index != frame->from && sw->ports[index].connected &&
           switch_is_member(&sw->ports[index], frame->vlan);
}

static void switch_flood(struct avps_switch *sw, const struct switch_frame *frame)
{
    bool sent = false;

    for (uint16_t i = 0; i < sw->port_count; i++) {
        if (switch_takes(sw, i, frame)) {
            sent = true;
            switch_emit(sw, i, frame);
        }
    }
    sw->ports[frame->from].counters.flooded++;
    sw->ports[frame->from].counters.unsent += sent ? 0U : 1U;
}

/* [AVPS NET-4] One frame that came in: judge, learn, send. */
static void switch_forward(struct avps_switch *sw, const uint8_t *l2, struct switch_frame *frame)
{
    struct avps_switch_port *port = &sw->ports[frame->from];
    uint64_t *dropped = switch_judge(sw, l2, frame);

    if (dropped != NULL) {
        (*dropped)++;
        return;
    }
    const uint64_t now = switch_now(sw);

    port->counters.in_frames++;
    port->counters.in_bytes += frame->len;
    switch_learn(sw, frame, now);
    const struct avps_switch_entry *entry =
        net_mac_is_group(frame->macs) ? NULL : switch_lookup(sw, frame->macs, frame->vlan, now);
    if (entry == NULL) {
        switch_flood(sw, frame);
    } else if (switch_takes(sw, entry->port, frame)) {
        switch_emit(sw, entry->port, frame);
    } else {
        port->counters.unsent++; /* it is where it came from */
    }
}

static void switch_begin(struct avps_switch *sw)
{
    sw->busy = true;
}

/* One notification per receiver and burst. */
static void switch_end(struct avps_switch *sw)
{
    for (uint16_t i = 0; i < sw->port_count; i++) {
        if (sw->ports[i].touched) {
            sw->ports[i].touched = false;
            avps_net_rx_flush(sw->ports[i].config.net);
        }
    }
    sw->busy = false;
}

/* ---- ports with a network device ---- */

/* Bytes that only the port can read come into the first bounce buffer. */
static bool switch_fetch(struct avps_switch *sw, const struct avps_net_packet *packet,
                         struct switch_frame *frame, struct avps_seg *seg)
{
    frame->segs = packet->segs;
    frame->seg_count = packet->seg_count;
    frame->skip = packet->skip;
    if (packet->segs[0].ptr != NULL) {
        return true;
    }
    if (sw->bounce == NULL || packet->len > sw->bounce_size ||
        avps_net_packet_copy(packet, 0, sw->bounce, packet->len) != AVPS_OK) {
        return false;
    }
    *seg = (struct avps_seg){.ptr = sw->bounce, .len = packet->len};
    frame->segs = seg;
    frame->seg_count = 1;
    frame->skip = 0;
    return true;
}

static void switch_from_net(struct avps_switch *sw, struct avps_switch_port *port,
                            const struct avps_net_packet *packet)
{
    uint8_t l2[NET_ETH_HEADER + NET_VLAN_TAG] = {0};
    const uint32_t n = packet->len < sizeof l2 ? packet->len : (uint32_t)sizeof l2;
    struct switch_frame frame = {
        .from = (uint16_t)(port - sw->ports), .len = packet->len, .offload = packet->offload};
    struct avps_seg seg;

    if (!switch_fetch(sw, packet, &frame, &seg)) {
        port->counters.no_bounce++;
        return;
    }
    if (avps_net_packet_copy(packet, 0, l2, n) != AVPS_OK) {
        port->counters.invalid++;
        return;
    }
    switch_forward(sw, l2, &frame);
}

static enum avps_status switch_transmit(void *ctx, uint16_t pair,
                                        const struct avps_net_packet *packets, uint32_t count,
                                        uint32_t *taken)
{
    struct avps_switch_port *port = ctx;
    struct avps_switch *sw = port->owner;

    (void)pair;
    *taken = count; /* a full receiver loses frames, it does not hold up the sender */
    if (sw->busy || !port->connected) {
        port->counters.nested += count;
        return AVPS_OK;
    }
    switch_begin(sw);
    for (uint32_t i = 0; i < count; i++) {
        switch_from_net(sw, port, &packets[i]);
    }
    switch_end(sw);
    return AVPS_OK;
}

/* [AVPS NET-8] The guest may take the addresses that it may send from. */
static bool switch_mac_allowed(void *ctx, const uint8_t mac[6])
{
    const struct avps_switch_port *port = ctx;

    return switch_may_use(port->owner, port, mac);
}

static void switch_forget_port(struct avps_switch *sw, uint16_t port)
{
    for (uint32_t i = 0; i < sw->table_size; i++) {
        if (sw->table[i].used && sw->table[i].port == port) {
            switch_forget(sw, &sw->table[i]);
        }
    }
}

static void switch_live(void *ctx, bool live)
{
    const struct avps_switch_port *port = ctx;

    if (!live) {
        switch_forget_port(port->owner, (uint16_t)(port - port->owner->ports));
    }
}

const struct avps_net_ops avps_switch_net_ops = {
    .transmit = switch_transmit,
    .mac_allowed = switch_mac_allowed,
    .live = switch_live,
};

/* ---- host ports ---- */

static void switch_from_host(struct avps_switch *sw, uint16_t port, const struct avps_net_frame *in)
{
    uint8_t l2[NET_ETH_HEADER + NET_VLAN_TAG] = {0};
    const uint32_t len = avps_net_frame_len(in);
    const struct avps_seg seg = {.ptr = sw->bounce, .len = len};
    struct switch_frame frame = {
        .from = port, .len = len, .segs = &seg, .seg_count = 1, .offload = in->offload};

    if (len == 0U || !avps_net_offload_is_valid(&in->offload, len)) {
        sw->ports[port].counters.invalid++;
        return;
    }
    if (len > sw->bounce_size) {
        sw->ports[port].counters.no_bounce++;
        return;
    }
    avps_net_frame_copy(in, sw->bounce, len);
    (void)memcpy(l2, sw->bounce, len < sizeof l2 ? len : sizeof l2);
    switch_forward(sw, l2, &frame);
}

enum avps_status avps_switch_send(struct avps_switch *sw, uint16_t port,
                                  const struct avps_net_frame *frames, uint32_t count)
{
    if (sw == NULL || frames == NULL || port >= sw->port_count || !sw->ports[port].connected ||
        sw->ports[port].config.net != NULL) {
        return AVPS_E_PARAM;
    }
    if (sw->busy) {
        return AVPS_E_STATE;
    }
    switch_begin(sw);
    for (uint32_t i = 0; i < count; i++) {
        switch_from_host(sw, port, &frames[i]);
    }
    switch_end(sw);
    return AVPS_OK;
}

/* ---- connection ---- */

static bool switch_macs_are_valid(const struct avps_switch_port_config *config)
{
    if (config->macs == NULL) {
        return config->mac_count == 0U;
    }
    for (uint32_t i = 0; i < config->mac_count; i++) {
        if (net_mac_is_group(config->macs[i]) || net_mac_is_zero(config->macs[i])) {
            return false;
        }
    }
    return true;
}

static bool switch_vlans_are_valid(const struct avps_switch_port_config *config)
{
    if (config->mode == AVPS_SWITCH_PLAIN) {
        return config->vlan == 0U && config->vlan_count == 0U;
    }
    if (config->mode == AVPS_SWITCH_ACCESS) {
        return config->vlan != 0U && config->vlan <= 4094U && config->vlan_count == 0U;
    }
    for (uint32_t i = 0; i < config->vlan_count; i++) {
        if (config->vlans == NULL || config->vlans[i] == 0U || config->vlans[i] > 4094U) {
            return false;
        }
    }
    return config->mode == AVPS_SWITCH_TRUNK && config->vlan <= 4094U;
}

static bool switch_end_is_valid(const struct avps_switch *sw, const struct avps_switch_port *port,
                                const struct avps_switch_port_config *config)
{
    if (config->net != NULL) {
        return config->host == NULL && config->net->ops == &avps_switch_net_ops &&
               config->net->ctx == port;
    }
    return config->host != NULL && config->host->deliver != NULL && sw->bounce != NULL;
}

static bool switch_rate_is_valid(const struct avps_switch *sw,
                                 const struct avps_switch_port_config *config)
{
    return config->rate == 0U ||
           (config->burst != 0U && sw->port.sys != NULL && sw->port.sys->now_ns != NULL);
}

/* [AVPS NET-4] */
enum avps_status avps_switch_connect(struct avps_switch *sw, uint16_t port,
                                     const struct avps_switch_port_config *config)
{
    if (sw == NULL || config == NULL || port >= sw->port_count) {
        return AVPS_E_PARAM;
    }
    struct avps_switch_port *p = &sw->ports[port];

    if (p->connected) {
        return AVPS_E_STATE;
    }
    if (!switch_end_is_valid(sw, p, config) || !switch_macs_are_valid(config) ||
        !switch_vlans_are_valid(config) || !switch_rate_is_valid(sw, config)) {
        return AVPS_E_PARAM;
    }
    p->config = *config;
    p->tokens = config->burst;
    p->refilled_ns = switch_now(sw);
    p->connected = true;
    return AVPS_OK;
}

void avps_switch_disconnect(struct avps_switch *sw, uint16_t port)
{
    if (sw != NULL && port < sw->port_count) {
        switch_forget_port(sw, port);
        sw->ports[port].connected = false;
        sw->ports[port].touched = false;
    }
}

/* ---- time, queries, init ---- */

void avps_switch_tick(struct avps_switch *sw)
{
    sw->ticks++;
}

enum avps_status avps_switch_find(const struct avps_switch *sw, const uint8_t mac[6], uint16_t vlan,
                                  uint16_t *port)
{
    const struct avps_switch_entry *entry = switch_lookup(sw, mac, vlan, switch_now(sw));

    if (entry == NULL) {
        return AVPS_EMPTY;
    }
    *port = entry->port;
    return AVPS_OK;
}

const struct avps_switch_counters *avps_switch_counters(const struct avps_switch *sw, uint16_t port)
{
    return port < sw->port_count ? &sw->ports[port].counters : NULL;
}

enum avps_status avps_switch_init(struct avps_switch *sw, const struct avps_switch_config *config)
{
    if (sw == NULL || config == NULL || config->ports == NULL || config->table == NULL ||
        config->port_count == 0U || config->port_count > 1024U ||
        config->table_size < SWITCH_WAYS || config->table_size > 65536U ||
        (config->table_size & (config->table_size - 1U)) != 0U ||
        (config->bounce == NULL) != (config->bounce_size == 0U)) {
        return AVPS_E_PARAM;
    }
    *sw = (struct avps_switch){.ports = config->ports,
                               .table = config->table,
                               .bounce = config->bounce,
                               .age = config->age,
                               .table_size = config->table_size,
                               .bounce_size = config->bounce_size,
                               .port_count = config->port_count};
    if (config->port != NULL) {
        sw->port = *config->port;
    }
    (void)memset(config->table, 0, config->table_size * sizeof *config->table);
    for (uint16_t i = 0; i < config->port_count; i++) {
        config->ports[i] = (struct avps_switch_port){.owner = sw};
    }
    return AVPS_OK;
}
