/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared by the network tests: a device with a recording back end and its driver side.
 *
 *     struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
 *     n->config.mtu = 1500;                       // before nic_start
 *     nic_start(n);                               // want() bits before this
 *     nic_send(n, 0, &hdr, frame, len);           // driver transmits; n->sent[] has the result
 *     nic_post(n, 0, 1600);                       // driver gives a receive buffer
 *     nic_give(n, frame, len);                    // host's frame; nic_take() reads it
 *     nic_free(n); */
#ifndef TEST_NET_H
#define TEST_NET_H

#include "support/driver.h"

#include "avps/net.h"

#define NIC_PAIRS  3U
#define NIC_QUEUES (2U * NIC_PAIRS + 1U)
#define NIC_SENT   80U
#define NIC_BYTES  66000U
#define NIC_POSTED 160U

/* A header as the driver writes it: 12 bytes, or 20 with HASH_REPORT. */
struct nic_hdr {
    uint8_t flags;
    uint8_t gso_type;
    uint16_t hdr_len;
    uint16_t gso_size;
    uint16_t csum_start;
    uint16_t csum_offset;
    uint16_t num_buffers;
    uint32_t hash;
    uint16_t report;
};

/* A frame that the back end was given. */
struct nic_sent {
    struct avps_net_offload offload;
    uint16_t pair;
    uint32_t len;
    bool direct; /* in one piece of host memory */
    enum avps_status copied;
    uint8_t bytes[NIC_BYTES];
};

struct nic {
    struct test_driver d;
    struct avps_net net;
    struct avps_net_config config;
    struct avps_net_pair pairs[NIC_PAIRS];
    struct avps_queue queues[NIC_QUEUES];
    uint32_t hdr_size;

    /* back end */
    struct avps_net_ops ops;
    struct nic_sent sent[NIC_SENT];
    uint32_t sent_count;
    uint32_t bursts;
    uint32_t room;           /* frames it still takes; UINT32_MAX: any number */
    enum avps_status answer; /* of transmit */
    uint32_t ready[NIC_PAIRS];
    bool tolerant;    /* frames may fail to be copied */
    bool echo;        /* give every frame back to the guest at once */
    bool mac_refused; /* policy */
    uint8_t asked[6]; /* last address that the policy was asked about */
    uint32_t went_live;
    uint32_t went_away;

    /* receive buffers, oldest first, per pair */
    struct test_request posted[NIC_PAIRS][NIC_POSTED];
    uint32_t post_count[NIC_PAIRS];
    struct test_request request; /* last sent by nic_send, nic_ctrl */
};

static const uint8_t nic_mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
static const uint8_t nic_peer[6] = {0x52, 0x54, 0x00, 0xab, 0xcd, 0xef};
static const uint8_t nic_broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t nic_group[6] = {0x01, 0x00, 0x5e, 0x01, 0x02, 0x03};

/* ---- back end ---- */

static inline enum avps_status nic_transmit(void *ctx, uint16_t pair,
                                            const struct avps_net_packet *packets, uint32_t count,
                                            uint32_t *taken)
{
    struct nic *n = ctx;
    const uint32_t take = count < n->room ? count : n->room;

    n->bursts++;
    assert_int_equal(*taken, count);
    for (uint32_t i = 0; i < take; i++) {
        const struct avps_net_packet *packet = &packets[i];
        struct nic_sent *sent = &n->sent[n->sent_count++];

        assert_true(n->sent_count <= NIC_SENT);
        assert_true(packet->len <= NIC_BYTES);
        sent->offload = packet->offload;
        sent->pair = pair;
        sent->len = packet->len;
        sent->direct = packet->data != NULL;
        sent->copied = avps_net_packet_copy(packet, 0, sent->bytes, packet->len);
        assert_true(sent->copied == AVPS_OK || n->tolerant);
        if (n->echo) {
            const struct avps_net_frame frame = {.data = sent->bytes, .data_len = sent->len};
            uint32_t done = 0;
            assert_int_equal(avps_net_receive(&n->net, &frame, 1, &done), AVPS_OK);
        }
    }
    n->room -= n->room == UINT32_MAX ? 0U : take;
    *taken = take;
    return n->answer;
}

static inline void nic_rx_ready(void *ctx, uint16_t pair)
{
    ((struct nic *)ctx)->ready[pair]++;
}

static inline bool nic_mac_allowed(void *ctx, const uint8_t mac[6])
{
    struct nic *n = ctx;

    (void)memcpy(n->asked, mac, 6);
    return !n->mac_refused;
}

static inline void nic_live(void *ctx, bool live)
{
    struct nic *n = ctx;

    n->went_live += live ? 1U : 0U;
    n->went_away += live ? 0U : 1U;
}

/* ---- life ---- */

/* Storage number `which`, 0 or 1; not initialised as a device yet: change n->config, n->ops. */
static inline struct nic *nic_new_at(unsigned int which, void **state, enum test_mem_kind kind,
                                     uint16_t pairs)
{
    static struct nic storage[2];
    struct nic *n = &storage[which];

    (void)memset(n, 0, sizeof *n);
    test_driver_init(&n->d, kind);
    if (test_is_packed(state)) {
        test_driver_want(&n->d, AVPS_F_RING_PACKED);
    }
    n->room = UINT32_MAX;
    n->ops = (struct avps_net_ops){.transmit = nic_transmit,
                                   .rx_ready = nic_rx_ready,
                                   .mac_allowed = nic_mac_allowed,
                                   .live = nic_live};
    n->config = (struct avps_net_config){
        .base = test_driver_base(&n->d, n->queues, (uint16_t)(2U * pairs + 1U), 256),
        .ops = &n->ops,
        .ctx = n,
        .pairs = n->pairs,
        .pair_count = pairs};
    (void)memcpy(n->config.mac, nic_mac, 6);
    n->d.size = 64;
    return n;
}

static inline struct nic *nic_new(void **state, enum test_mem_kind kind, uint16_t pairs)
{
    return nic_new_at(0, state, kind, pairs);
}

static inline void nic_init(struct nic *n)
{
    assert_int_equal(avps_net_init(&n->net, &n->config), AVPS_OK);
    test_driver_attach(&n->d, &n->net.base);
}

static inline void want(struct nic *n, unsigned int bit)
{
    test_driver_want(&n->d, bit);
}

/* The driver's side of the start, also after a reset. */
static inline void nic_up(struct nic *n)
{
    (void)memset(n->post_count, 0, sizeof n->post_count);
    n->hdr_size = avps_features_has(&n->d.want, AVPS_NET_F_HASH_REPORT) ? 20U : 12U;
    test_driver_start(&n->d);
    (void)test_driver_poll(&n->d);
    (void)test_driver_ack(&n->d);
}

static inline void nic_start(struct nic *n)
{
    nic_init(n);
    nic_up(n);
}

static inline void nic_free(struct nic *n)
{
    test_driver_free(&n->d);
}

/* ---- driver: transmit ---- */

static inline void nic_put_hdr(uint8_t *raw, const struct nic_hdr *hdr)
{
    const uint16_t fields[5] = {hdr->hdr_len, hdr->gso_size, hdr->csum_start, hdr->csum_offset,
                                hdr->num_buffers};

    (void)memset(raw, 0, 20);
    raw[0] = hdr->flags;
    raw[1] = hdr->gso_type;
    for (size_t i = 0; i < 5U; i++) {
        raw[2U + 2U * i] = (uint8_t)fields[i];
        raw[3U + 2U * i] = (uint8_t)(fields[i] >> 8);
    }
}

static inline struct nic_hdr nic_get_hdr(const uint8_t *raw)
{
    const struct nic_hdr hdr = {
        .flags = raw[0],
        .gso_type = raw[1],
        .hdr_len = (uint16_t)(raw[2] | raw[3] << 8),
        .gso_size = (uint16_t)(raw[4] | raw[5] << 8),
        .csum_start = (uint16_t)(raw[6] | raw[7] << 8),
        .csum_offset = (uint16_t)(raw[8] | raw[9] << 8),
        .num_buffers = (uint16_t)(raw[10] | raw[11] << 8),
        .hash = (uint32_t)raw[12] | (uint32_t)raw[13] << 8 | (uint32_t)raw[14] << 16 |
                (uint32_t)raw[15] << 24,
        .report = (uint16_t)(raw[16] | raw[17] << 8),
    };

    return hdr;
}

/* Make one frame available: header and frame in one descriptor. */
static inline void nic_queue(struct nic *n, uint16_t pair, const struct nic_hdr *hdr,
                             const uint8_t *frame, uint32_t len)
{
    static uint8_t raw[20U + NIC_BYTES];

    nic_put_hdr(raw, hdr);
    (void)memcpy(raw + n->hdr_size, frame, len);
    n->request = (struct test_request){.out = {{raw, n->hdr_size + len}}};
    (void)test_driver_send(&n->d, (uint16_t)(2U * pair + 1U), &n->request);
}

/* The same, kicked and polled; must come back with used length 0. */
static inline void nic_send(struct nic *n, uint16_t pair, const struct nic_hdr *hdr,
                            const uint8_t *frame, uint32_t len)
{
    struct test_used used = {0, 1};

    nic_queue(n, pair, hdr, frame, len);
    test_driver_kick(&n->d, (uint16_t)(2U * pair + 1U));
    (void)test_driver_poll(&n->d);
    assert_true(test_driver_reap(&n->d, (uint16_t)(2U * pair + 1U), &used));
    assert_int_equal(used.id, n->request.id);
    assert_int_equal(used.len, 0);
}

/* ---- driver: receive ---- */

static inline void nic_post(struct nic *n, uint16_t pair, uint32_t len)
{
    struct test_request *request = &n->posted[pair][n->post_count[pair]++];

    assert_true(n->post_count[pair] <= NIC_POSTED);
    *request = (struct test_request){.in = {len}};
    (void)test_driver_send(&n->d, (uint16_t)(2U * pair), request);
}

static inline void nic_post_many(struct nic *n, uint16_t pair, uint32_t len, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        nic_post(n, pair, len);
    }
}

/* One packet that the device put into the pair's buffers: header, bytes. @return its length, 0 if
 * there is none. */
static inline uint32_t nic_take(struct nic *n, uint16_t pair, struct nic_hdr *hdr, uint8_t *bytes)
{
    static uint8_t raw[20U + NIC_BYTES];
    uint32_t len = 0;
    uint32_t buffers = 1;
    struct test_used used = {0, 0};

    for (uint32_t i = 0; i < buffers; i++) {
        if (!test_driver_reap(&n->d, (uint16_t)(2U * pair), &used)) {
            assert_int_equal(i, 0);
            return 0;
        }
        const struct test_request *request = NULL;
        for (uint32_t j = 0; j < n->post_count[pair]; j++) {
            if (n->posted[pair][j].id == used.id && n->posted[pair][j].in_gpa[0] != 0U) {
                request = &n->posted[pair][j];
                break;
            }
        }
        assert_non_null(request);
        test_driver_in(&n->d, request, 0, raw + len, used.len);
        n->posted[pair][request - n->posted[pair]].in_gpa[0] = 0;
        len += used.len;
        if (i == 0U) {
            assert_true(used.len >= n->hdr_size);
            *hdr = nic_get_hdr(raw);
            buffers = hdr->num_buffers;
        }
    }
    (void)memcpy(bytes, raw + n->hdr_size, len - n->hdr_size);
    return len - n->hdr_size;
}

/* ---- host ---- */

/* One frame for the guest. @return whether it was dealt with. */
static inline bool nic_give_offload(struct nic *n, const uint8_t *bytes, uint32_t len,
                                    const struct avps_net_offload *offload)
{
    const struct avps_net_frame frame = {.data = bytes, .data_len = len, .offload = *offload};
    uint32_t taken = 0;

    assert_int_equal(avps_net_receive(&n->net, &frame, 1, &taken), AVPS_OK);
    return taken == 1U;
}

static inline bool nic_give(struct nic *n, const uint8_t *bytes, uint32_t len)
{
    const struct avps_net_offload none = {0, 0, 0, 0, 0, 0};

    return nic_give_offload(n, bytes, len, &none);
}

/* ---- frames ---- */

/* An Ethernet frame of `len` bytes with a counting pattern behind the header. */
static inline void frame_fill(uint8_t *frame, uint32_t len, const uint8_t *dst, const uint8_t *src,
                              uint8_t seed)
{
    for (uint32_t i = 0; i < len; i++) {
        frame[i] = (uint8_t)(i * 7U + seed);
    }
    (void)memcpy(frame, dst, 6);
    (void)memcpy(frame + 6, src, 6);
    frame[12] = 0x88; /* local experiment */
    frame[13] = 0xb5;
}

static inline void frame_put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* ---- control queue ---- */

/* One command. @return its ack, or 0xff if the used length is not `expected` (1 for most). */
static inline uint8_t nic_ctrl_len(struct nic *n, uint8_t class, uint8_t command, const void *data,
                                   uint32_t len, uint32_t room, uint32_t expected)
{
    const uint8_t head[2] = {class, command};
    const uint16_t queue = n->net.control;
    uint8_t ack = 0xff;

    n->request = (struct test_request){.out = {{head, 2}, {data, len}}, .in = {room}};
    if (test_driver_do(&n->d, queue, &n->request) != expected) {
        return 0xff;
    }
    test_driver_in(&n->d, &n->request, 0, &ack, 1);
    return ack;
}

static inline uint8_t nic_ctrl(struct nic *n, uint8_t class, uint8_t command, const void *data,
                               uint32_t len)
{
    return nic_ctrl_len(n, class, command, data, len, 1, 1);
}

#endif
