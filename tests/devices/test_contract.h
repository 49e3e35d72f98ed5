/* SPDX-License-Identifier: BSD-3-Clause */
/* Fixture for memory contracts: each of the four devices with a workload that uses every kind of
 * buffer (direct and indirect, read and written, supplied ahead), step by step, so that memory may
 * fail or be late in between, and an exact oracle at the end.
 *
 *     struct subject *s = subject_new(state, SUBJECT_NET, TEST_MEM_MAP);
 *     subject_start(s);
 *     subject_submit(s);
 *     while (!subject_step(s)) { ... }       // one poll each
 *     subject_check(s);
 *     subject_free(s); */
#ifndef TEST_CONTRACT_H
#define TEST_CONTRACT_H

#include "support/cache.h"
#include "support/driver.h"
#include "support/iommu.h"

#include "avps/blk.h"
#include "avps/console.h"
#include "avps/net.h"
#include "avps/rng.h"
#include "avps_sim/ramdisk.h"

enum subject_kind { SUBJECT_RNG, SUBJECT_BLK, SUBJECT_NET, SUBJECT_CONSOLE, SUBJECTS };

#define SUBJECT_ITEMS  8U
#define SUBJECT_QUEUES 3U
#define SUBJECT_STEPS  4000U
#define SUBJECT_DISK   16384U

/* One request, and what must come of it. */
struct subject_item {
    struct test_request request;
    uint16_t queue;
    uint32_t want_len; /* used length */
    uint8_t want[1100];
    uint32_t used_len;
    bool done;
};

struct subject {
    enum subject_kind which;
    bool packed;
    struct test_driver d;
    struct avps_queue queues[SUBJECT_QUEUES];
    struct subject_item items[SUBJECT_ITEMS];
    uint32_t item_count;
    uint32_t submitted; /* rounds */
    uint32_t left;
    bool quiet; /* the host has nothing to say for now */
    bool full;  /* ... and takes nothing, and gives no entropy */

    struct avps_rng rng;
    uint8_t entropy; /* the next byte */

    struct avps_blk blk;
    struct avps_blk_request requests[SUBJECT_ITEMS];
    struct avps_sim_ramdisk disk;
    struct avps_sim_ramdisk_config disk_config;
    struct avps_sim_pending pending[SUBJECT_ITEMS];
    uint8_t data[SUBJECT_DISK];
    uint8_t sector[1024]; /* what was written last */

    struct avps_net net;
    struct avps_net_pair pairs[1];
    uint8_t sent[2][256];
    uint32_t sent_len[2];
    uint32_t sent_count;
    uint8_t frame[2][90];
    uint32_t given;

    struct avps_console console;
    struct avps_console_port ports[1];
    uint8_t text[64];
    uint32_t text_len;
    uint32_t typed;
};

static const uint8_t subject_mac[6] = {0x52, 0x54, 0, 1, 2, 3};

/* ---- back ends ---- */

static inline enum avps_status subject_fill(void *ctx, uint8_t *buf, uint32_t len, uint32_t *got)
{
    struct subject *s = ctx;

    if (s->full) {
        return AVPS_EMPTY;
    }
    for (uint32_t i = 0; i < len; i++) {
        buf[i] = s->entropy++;
    }
    *got = len;
    return AVPS_OK;
}

static inline enum avps_status subject_transmit(void *ctx, uint16_t pair,
                                                const struct avps_net_packet *packets,
                                                uint32_t count, uint32_t *taken)
{
    struct subject *s = ctx;

    (void)pair;
    *taken = s->full ? 0U : count;
    for (uint32_t i = 0; i < *taken; i++) {
        assert_true(s->sent_count < 2U && packets[i].len <= sizeof s->sent[0]);
        s->sent_len[s->sent_count] = packets[i].len;
        assert_int_equal(
            avps_net_packet_copy(&packets[i], 0, s->sent[s->sent_count], packets[i].len), AVPS_OK);
        s->sent_count++;
    }
    return AVPS_OK;
}

static inline enum avps_status subject_output(void *ctx, uint32_t port, const uint8_t *bytes,
                                              uint32_t len, uint32_t *taken)
{
    struct subject *s = ctx;

    (void)port;
    *taken = s->full ? 0U : len;
    assert_true(s->text_len + *taken <= sizeof s->text);
    (void)memcpy(s->text + s->text_len, bytes, *taken);
    s->text_len += *taken;
    return AVPS_OK;
}

static const struct avps_rng_ops subject_rng_ops = {.fill = subject_fill};
static const struct avps_net_ops subject_net_ops = {.transmit = subject_transmit};
static const struct avps_console_ops subject_console_ops = {.output = subject_output};

/* ---- life ---- */

static inline struct avps_device *subject_init_rng(struct subject *s)
{
    const struct avps_rng_config config = {
        .base = test_driver_base(&s->d, s->queues, 1, 16), .ops = &subject_rng_ops, .ctx = s};

    assert_int_equal(avps_rng_init(&s->rng, &config), AVPS_OK);
    return &s->rng.base;
}

static inline struct avps_device *subject_init_blk(struct subject *s)
{
    const struct avps_blk_config config = {.base = test_driver_base(&s->d, s->queues, 1, 16),
                                           .ops = avps_sim_ramdisk_ops(),
                                           .ctx = &s->disk,
                                           .requests = s->requests,
                                           .request_count = SUBJECT_ITEMS,
                                           .capacity = SUBJECT_DISK / 512U};

    s->disk_config.data = s->data;
    s->disk_config.size = SUBJECT_DISK;
    assert_int_equal(avps_sim_ramdisk_init(&s->disk, &s->disk_config), AVPS_OK);
    assert_int_equal(avps_blk_init(&s->blk, &config), AVPS_OK);
    avps_sim_ramdisk_attach(&s->disk, &s->blk);
    return &s->blk.base;
}

static inline struct avps_device *subject_init_net(struct subject *s)
{
    struct avps_net_config config = {.base = test_driver_base(&s->d, s->queues, 3, 16),
                                     .ops = &subject_net_ops,
                                     .ctx = s,
                                     .pairs = s->pairs,
                                     .pair_count = 1};

    (void)memcpy(config.mac, subject_mac, sizeof subject_mac);
    assert_int_equal(avps_net_init(&s->net, &config), AVPS_OK);
    return &s->net.base;
}

static inline struct avps_device *subject_init_console(struct subject *s)
{
    const struct avps_console_config config = {
        .base = test_driver_base(&s->d, s->queues, 2, 16),
        .port0 = {.ops = &subject_console_ops, .ctx = s, .console = true, .open = true},
        .ports = s->ports,
        .max_ports = 1};

    assert_int_equal(avps_console_init(&s->console, &config), AVPS_OK);
    return &s->console.base;
}

static inline void subject_attach(struct subject *s)
{
    struct avps_device *(*const inits[SUBJECTS])(struct subject *) = {
        subject_init_rng, subject_init_blk, subject_init_net, subject_init_console};

    test_driver_attach(&s->d, inits[s->which](s));
    test_driver_want(&s->d, AVPS_F_INDIRECT_DESC);
    test_driver_want(&s->d, AVPS_F_EVENT_IDX);
    if (s->packed) {
        test_driver_want(&s->d, AVPS_F_RING_PACKED);
    }
}

/* Storage: one at a time. The device is initialised, not started. */
static inline struct subject *subject_new_bare(void **state, enum subject_kind which,
                                               enum test_mem_kind kind)
{
    static struct subject subject;

    (void)memset(&subject, 0, sizeof subject);
    subject.which = which;
    subject.packed = test_is_packed(state);
    test_driver_init(&subject.d, kind);
    return &subject;
}

static inline struct subject *subject_new(void **state, enum subject_kind which,
                                          enum test_mem_kind kind)
{
    struct subject *s = subject_new_bare(state, which, kind);

    subject_attach(s);
    return s;
}

/* A disk whose requests wait as long as it is `quiet`. */
static inline struct subject *subject_new_slow_disk(void **state, enum test_mem_kind kind,
                                                    enum avps_sim_cancel cancel)
{
    struct subject *s = subject_new_bare(state, SUBJECT_BLK, kind);

    s->disk_config.pending = s->pending;
    s->disk_config.pending_count = SUBJECT_ITEMS;
    s->disk_config.cancel = cancel;
    s->quiet = true;
    subject_attach(s);
    return s;
}

static inline void subject_start(struct subject *s)
{
    s->item_count = 0;
    s->left = 0;
    test_driver_start(&s->d);
}

/* Resets: nothing may stay mapped, pinned or translated. */
static inline void subject_free(struct subject *s)
{
    test_driver_free(&s->d);
}

/* ---- one round of requests ---- */

static inline struct subject_item *subject_add(struct subject *s, uint16_t queue, bool indirect)
{
    struct subject_item *item = &s->items[s->item_count++];

    assert_true(s->item_count <= SUBJECT_ITEMS);
    *item = (struct subject_item){.queue = queue};
    item->request.indirect = indirect;
    return item;
}

static inline void subject_submit_rng(struct subject *s)
{
    uint8_t next = s->entropy;

    for (uint32_t n = 0; n < 2U; n++) {
        struct subject_item *item = subject_add(s, 0, n == 1U);

        item->request.in[0] = 61;
        item->request.in[1] = 39;
        item->want_len = 100;
        for (uint32_t i = 0; i < 100U; i++) {
            item->want[i] = next++;
        }
    }
}

static inline void subject_submit_blk(struct subject *s)
{
    static uint8_t hdr[2][16]; /* in, out: of sector 3 */
    struct subject_item *write = subject_add(s, 0, false);
    struct subject_item *read = subject_add(s, 0, true);

    (void)memset(hdr, 0, sizeof hdr);
    hdr[0][8] = 3;
    hdr[1][8] = 3;
    hdr[1][0] = 1;
    for (uint32_t i = 0; i < 1024U; i++) {
        s->sector[i] = (uint8_t)(i * 7U + s->submitted);
    }
    write->request.out[0] = (struct test_part){hdr[1], 16};
    write->request.out[1] = (struct test_part){s->sector, 512};
    write->request.out[2] = (struct test_part){s->sector + 512, 512};
    write->request.in[0] = 1;
    write->want_len = 1;
    read->request.out[0] = (struct test_part){hdr[0], 16};
    read->request.in[0] = 700;
    read->request.in[1] = 324;
    read->request.in[2] = 1;
    read->want_len = 1025;
    (void)memcpy(read->want, s->sector, 1024);
}

static inline void subject_submit_net(struct subject *s)
{
    static const uint8_t hdr[12];

    for (uint32_t n = 0; n < 2U; n++) {
        struct subject_item *give = subject_add(s, 0, n == 1U);
        struct subject_item *send = subject_add(s, 1, n == 1U);
        uint8_t *frame = s->frame[n];

        for (uint32_t i = 0; i < sizeof s->frame[n]; i++) {
            frame[i] = (uint8_t)(i * 3U + n + s->submitted);
        }
        (void)memcpy(frame, subject_mac, 6);
        give->request.in[0] = 20;
        give->request.in[1] = 180;
        give->want_len = 12U + (uint32_t)sizeof s->frame[n];
        give->want[10] = 1; /* num_buffers */
        (void)memcpy(give->want + 12, frame, sizeof s->frame[n]);
        send->request.out[0] = (struct test_part){hdr, 12};
        send->request.out[1] = (struct test_part){frame, 33};
        send->request.out[2] = (struct test_part){frame + 33, sizeof s->frame[n] - 33U};
    }
    s->sent_count = 0;
    s->given = 0;
}

static inline void subject_submit_console(struct subject *s)
{
    struct subject_item *in = subject_add(s, 0, true);
    struct subject_item *out = subject_add(s, 1, false);
    struct subject_item *more = subject_add(s, 1, true);

    in->request.in[0] = 3;
    in->request.in[1] = 30;
    in->want_len = 11;
    (void)memcpy(in->want, "hello guest", 11);
    out->request.out[0] = (struct test_part){"hel", 3};
    out->request.out[1] = (struct test_part){"lo ", 3};
    more->request.out[0] = (struct test_part){"host", 4};
    s->text_len = 0;
    s->typed = 0;
}

/* Make a round of requests available, and ring every doorbell. */
static inline void subject_submit(struct subject *s)
{
    void (*const submits[SUBJECTS])(struct subject *) = {
        subject_submit_rng, subject_submit_blk, subject_submit_net, subject_submit_console};

    s->item_count = 0;
    s->submitted++;
    submits[s->which](s);
    s->left = s->item_count;
    for (uint32_t i = 0; i < s->item_count; i++) {
        (void)test_driver_send(&s->d, s->items[i].queue, &s->items[i].request);
    }
    for (uint16_t i = 0; i < s->d.queue_count; i++) {
        test_driver_kick(&s->d, i);
    }
}

/* ---- going on ---- */

/* What the host has to say: frames, typed text, finished disk operations. */
static inline void subject_host(struct subject *s)
{
    uint32_t taken = 0;

    if (s->quiet) {
        return;
    }
    if (s->which == SUBJECT_NET && s->given < 2U && s->left != 0U) {
        const struct avps_net_frame frame = {.data = s->frame[s->given],
                                             .data_len = sizeof s->frame[0]};

        assert_int_equal(avps_net_receive(&s->net, &frame, 1, &taken), AVPS_OK);
        s->given += taken;
    }
    if (s->which == SUBJECT_CONSOLE && s->typed < 11U && s->left != 0U) {
        (void)!avps_console_input(&s->console, 0, &"hello guest"[s->typed], 11U - s->typed, &taken);
        s->typed += taken;
    }
    if (s->which == SUBJECT_BLK) {
        (void)avps_sim_ramdisk_poll(&s->disk);
    }
}

static inline void subject_reap(struct subject *s)
{
    struct test_used used;

    for (uint16_t queue = 0; queue < s->d.queue_count; queue++) {
        while (test_driver_reap(&s->d, queue, &used)) {
            uint32_t i = 0;

            while (i < s->item_count && (s->items[i].done || s->items[i].queue != queue ||
                                         s->items[i].request.id != used.id)) {
                i++;
            }
            assert_true(i < s->item_count);
            s->items[i].done = true;
            s->items[i].used_len = used.len;
            s->left--;
        }
    }
}

/* One poll, and what follows from it. @return whether all requests came back. */
static inline bool subject_step(struct subject *s)
{
    (void)avps_poll(s->d.device, 64);
    subject_host(s);
    subject_reap(s);
    return s->left == 0U;
}

/* Until all came back; fails the test if they do not. */
static inline void subject_finish(struct subject *s)
{
    uint32_t steps = 0;

    while (!subject_step(s)) {
        assert_true(++steps < SUBJECT_STEPS);
    }
}

/* The host has room again. */
static inline void subject_go_on(struct subject *s)
{
    s->full = false;
    s->quiet = false;
    if (s->which == SUBJECT_RNG) {
        avps_rng_refilled(&s->rng);
    } else if (s->which == SUBJECT_NET) {
        avps_net_tx_ready(&s->net);
    } else if (s->which == SUBJECT_CONSOLE) {
        avps_console_output_ready(&s->console, 0);
    }
}

/* ---- oracles ---- */

static inline void subject_check(struct subject *s)
{
    assert_int_equal(test_driver_get(&s->d, TEST_STATUS), TEST_S_LIVE);
    for (uint32_t i = 0; i < s->item_count; i++) {
        const struct subject_item *item = &s->items[i];
        uint8_t bytes[1100];

        assert_true(item->done);
        assert_int_equal(item->used_len, item->want_len);
        test_driver_in(&s->d, &item->request, 0, bytes, item->want_len);
        assert_memory_equal(bytes, item->want, item->want_len);
    }
    if (s->which == SUBJECT_BLK) {
        assert_memory_equal(s->data + 1536, s->sector, 1024);
    }
    if (s->which == SUBJECT_NET) {
        assert_int_equal(s->sent_count, 2);
        for (uint32_t n = 0; n < 2U; n++) {
            assert_int_equal(s->sent_len[n], sizeof s->frame[n]);
            assert_memory_equal(s->sent[n], s->frame[n], sizeof s->frame[n]);
        }
    }
    if (s->which == SUBJECT_CONSOLE) {
        assert_int_equal(s->text_len, 10);
        assert_memory_equal(s->text, "hello host", 10);
    }
    test_mem_check(&s->d.mem);
}

/* A round from beginning to end. */
static inline void subject_round(struct subject *s)
{
    subject_submit(s);
    subject_finish(s);
    subject_check(s);
}

#endif
