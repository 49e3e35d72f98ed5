/* SPDX-License-Identifier: BSD-3-Clause */
/* Policies in front of a back end that is no switch: what reaches it, in what state, and what not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "avps_common/platform_filter.h"
#include "platform_file.h"
#include "support/port.h"

#define FRAME 64U
#define BURST 8U

/* A back end that remembers. */
struct backend {
    uint8_t last[FRAME + 4U];
    uint32_t last_len;
    uint32_t frames;
    uint32_t room; /* frames it still takes */
    uint32_t ready;
    uint32_t lives;
    bool copied; /* what it got was not the guest's memory */
    enum avps_status status;
};

static struct backend backend;
static struct avps_platform platform;
static union platform_blob blob;
static struct test_port clock_port;
static struct avps_platform_filter filter;
static struct avps_net_config config;
static uint8_t copy[2048];
static uint8_t guest_memory[BURST][FRAME + 4U];
static struct avps_net_packet packets[BURST];

static enum avps_status backend_transmit(void *ctx, uint16_t pair,
                                         const struct avps_net_packet *sent, uint32_t count,
                                         uint32_t *taken)
{
    assert_ptr_equal(ctx, &backend);
    assert_int_equal(pair, 3);
    assert_int_equal(count, 1);
    if (backend.room == 0U) {
        *taken = 0;
        return AVPS_OK;
    }
    backend.room--;
    backend.frames++;
    backend.last_len = sent->len;
    backend.copied = sent->data == copy && sent->segs[0].ptr == copy && sent->seg_count == 1U &&
                     sent->segs[0].len == sent->len && sent->skip == 0U;
    assert_int_equal(avps_net_packet_copy(sent, 0, backend.last, sent->len), AVPS_OK);
    assert_int_equal(sent->offload.gso_size, 77);
    return backend.status;
}

static void backend_ready(void *ctx, uint16_t pair)
{
    assert_ptr_equal(ctx, &backend);
    backend.ready += pair;
}

static bool backend_mac(void *ctx, const uint8_t mac[6])
{
    assert_ptr_equal(ctx, &backend);
    return mac[5] != 3U;
}

static void backend_live(void *ctx, bool live)
{
    assert_ptr_equal(ctx, &backend);
    backend.lives += live ? 1U : 100U;
}

static const struct avps_net_ops all_ops = {.transmit = backend_transmit,
                                            .rx_ready = backend_ready,
                                            .mac_allowed = backend_mac,
                                            .live = backend_live};
static const struct avps_net_ops few_ops = {.transmit = backend_transmit};

static struct avps_platform_device *device(const char *file, uint32_t index)
{
    struct avps_platform_line line;
    const size_t size = platform_file_load(file, &blob);

    assert_int_equal(avps_platform_parse(&platform, blob.bytes, size, &line), AVPS_OK);
    return &platform.guests[0].devices[index];
}

static enum avps_status init(const struct avps_platform_device *of, const struct avps_net_ops *ops)
{
    const struct avps_platform_filter_config with = {.platform = &platform,
                                                     .device = of,
                                                     .port = &clock_port.port,
                                                     .frame = copy,
                                                     .frame_size = sizeof copy};

    test_port_init(&clock_port);
    backend = (struct backend){.room = UINT32_MAX};
    config = (struct avps_net_config){.ops = ops, .ctx = &backend};
    return avps_platform_filter_init(&filter, &with, &config);
}

static void up(const struct avps_platform_device *of)
{
    assert_int_equal(init(of, &all_ops), AVPS_OK);
}

/* Frame n of a burst, from 02:00:00:00:00:`last`. */
static void frame(uint32_t n, uint8_t last, bool tagged)
{
    static const uint8_t tag[] = {0x81, 0, 0, 20};
    const uint8_t mac[] = {2, 0, 0, 0, 0, last};

    memset(guest_memory[n], (int)n, sizeof guest_memory[n]);
    memcpy(guest_memory[n] + 6, mac, sizeof mac);
    if (tagged) {
        memcpy(guest_memory[n] + 12, tag, sizeof tag);
    }
    packets[n] = (struct avps_net_packet){
        .len = FRAME, .data = guest_memory[n], .offload = {.gso_size = 77}};
}

/* @return how many frames of the burst were dealt with. */
static uint32_t send(uint32_t count)
{
    uint32_t taken = count;

    assert_int_equal(config.ops->transmit(config.ctx, 3, packets, count, &taken), backend.status);
    return taken;
}

static void assert_dropped(uint64_t spoofed, uint64_t wrong_vlan, uint64_t over_rate,
                           uint64_t too_long)
{
    const struct avps_platform_filter_counters *counters = avps_platform_filter_counters(&filter);

    assert_int_equal(counters->spoofed, spoofed);
    assert_int_equal(counters->wrong_vlan, wrong_vlan);
    assert_int_equal(counters->over_rate, over_rate);
    assert_int_equal(counters->too_long, too_long);
    assert_int_equal(counters->passed, backend.frames);
}

/* [AVPS NET-8] */
static void test_filter_lets_listed_addresses_through(void **state)
{
    (void)state;
    up(device("good/defaults", 1));
    frame(0, 1, false);
    frame(1, 2, false); /* somebody else's */
    frame(2, 1, false);
    assert_int_equal(send(3), 3);
    assert_int_equal(backend.frames, 2);
    assert_memory_equal(backend.last, guest_memory[2], FRAME);
    assert_dropped(1, 0, 0, 0);
}

/* What was judged is what goes out: the guest cannot change it in between. */
static void test_filter_sends_its_own_copy(void **state)
{
    (void)state;
    up(device("good/defaults", 1));
    frame(0, 1, false);
    assert_int_equal(send(1), 1);
    assert_true(backend.copied);
    assert_int_equal(backend.last_len, FRAME);
}

/* [AVPS NET-8] */
static void test_filter_is_the_policy_for_new_addresses(void **state)
{
    static const uint8_t mine[] = {2, 0, 0, 0, 0, 1};
    static const uint8_t other[] = {2, 0, 0, 0, 0, 9};
    static const uint8_t third[] = {2, 0, 0, 0, 0, 3}; /* listed, and refused by the back end */
    struct avps_platform_device *trunk = device("good/full", 1);

    (void)state;
    trunk->net.vlan = 7;
    up(trunk);
    assert_true(config.ops->mac_allowed(config.ctx, mine));
    assert_false(config.ops->mac_allowed(config.ctx, other));
    assert_false(config.ops->mac_allowed(config.ctx, third));
    assert_int_equal(init(trunk, &few_ops), AVPS_OK);
    assert_true(config.ops->mac_allowed(config.ctx, third));
    assert_false(config.ops->mac_allowed(config.ctx, other));
    assert_null(config.ops->live);
    assert_null(config.ops->rx_ready);
}

/* [AVPS NET-4]: the uplink is untagged, so what is tagged is for others. */
static void test_filter_keeps_tags_from_an_uplink_with_a_vlan(void **state)
{
    struct avps_platform_device *trunk = device("good/full", 1);

    (void)state;
    trunk->net.vlan = 7; /* the uplink's */
    up(trunk);
    frame(0, 1, true);
    frame(1, 1, false);
    assert_int_equal(send(2), 2);
    assert_int_equal(backend.frames, 1);
    assert_dropped(0, 1, 0, 0);
}

static void test_filter_leaves_tags_alone_where_there_are_no_vlans(void **state)
{
    (void)state;
    up(device("good/defaults", 1));
    frame(0, 1, true);
    assert_int_equal(send(1), 1);
    assert_int_equal(backend.frames, 1);
}

static void test_filter_refuses_an_uplink_in_another_vlan(void **state)
{
    (void)state;
    assert_int_equal(init(device("good/full", 1), &all_ops), AVPS_E_UNSUPPORTED); /* 10, not 7 */
    assert_ptr_equal(config.ops, &all_ops);
}

/* 8000 kbit/s are a byte in a microsecond; 128 KiB may come at once. */
static void test_filter_limits_the_rate(void **state)
{
    const uint32_t at_once = 128U * 1024U / FRAME;

    (void)state;
    up(device("good/full", 2));
    frame(0, 1, false);
    for (uint32_t i = 0; i < at_once + 5U; i++) {
        assert_int_equal(send(1), 1);
    }
    assert_int_equal(backend.frames, at_once);
    assert_dropped(0, 0, 5, 0);
    for (uint32_t i = 0; i < FRAME; i++) {
        clock_port.now_ns += 1000U;
        assert_int_equal(send(1), 1);
    }
    assert_int_equal(backend.frames, at_once + 1U);
    clock_port.now_ns += 1000000000000ULL; /* more than ever fits */
    for (uint32_t i = 0; i < at_once + 1U; i++) {
        assert_int_equal(send(1), 1);
    }
    assert_int_equal(backend.frames, 2U * at_once + 1U);
}

/* A back end without room: the rest of the burst stays, and costs nothing yet. */
static void test_filter_holds_frames_that_the_back_end_has_no_room_for(void **state)
{
    const uint64_t all = 128U * 1024U;

    (void)state;
    up(device("good/full", 2));
    backend.room = 2;
    for (uint32_t n = 0; n < 4U; n++) {
        frame(n, 1, false);
    }
    assert_int_equal(send(4), 2);
    assert_int_equal(filter.tokens, all - 2U * FRAME);
    backend.room = 2;
    assert_int_equal(send(2), 2);
    assert_int_equal(backend.frames, 4);
    assert_dropped(0, 0, 0, 0);
}

/* Dropped frames in front of one that has to wait are dealt with. */
static void test_filter_counts_a_dropped_frame_once(void **state)
{
    (void)state;
    up(device("good/defaults", 1));
    backend.room = 0;
    frame(0, 2, false);
    frame(1, 1, false);
    assert_int_equal(send(2), 1);
    assert_dropped(1, 0, 0, 0);
}

static void test_filter_drops_what_it_cannot_copy(void **state)
{
    (void)state;
    up(device("good/defaults", 1));
    frame(0, 1, false);
    packets[0].len = sizeof copy + 1U;
    frame(1, 1, false);
    assert_int_equal(send(2), 2);
    assert_int_equal(backend.frames, 1);
    assert_dropped(0, 0, 0, 1);
}

static void test_filter_passes_the_rest_on(void **state)
{
    (void)state;
    up(device("good/defaults", 1));
    config.ops->rx_ready(config.ctx, 5);
    config.ops->live(config.ctx, true);
    config.ops->live(config.ctx, false);
    assert_int_equal(backend.ready, 5);
    assert_int_equal(backend.lives, 101);
    backend.status = AVPS_E_IO;
    frame(0, 1, false);
    assert_int_equal(send(1), 1);
}

static void test_filter_refuses_what_it_cannot_work_with(void **state)
{
    static const struct avps_net_ops poll_mode;
    struct avps_platform_device *limited = device("good/full", 2);
    struct avps_platform_filter_config bad = {
        .platform = &platform, .device = limited, .frame = copy, .frame_size = sizeof copy};

    (void)state;
    config = (struct avps_net_config){.ops = &all_ops, .ctx = &backend};
    assert_int_equal(avps_platform_filter_init(&filter, &bad, &config), AVPS_E_PARAM); /* clock */
    limited->net.rate_kbit = 0;
    assert_int_equal(avps_platform_filter_init(&filter, &bad, &config), AVPS_OK);
    config.ops = &poll_mode;
    assert_int_equal(avps_platform_filter_init(&filter, &bad, &config), AVPS_E_PARAM);
    config.ops = &all_ops;
    bad.frame_size = 13;
    assert_int_equal(avps_platform_filter_init(&filter, &bad, &config), AVPS_E_PARAM);
    bad.frame_size = sizeof copy;
    bad.device = &platform.guests[0].devices[0];
    assert_int_equal(avps_platform_filter_init(&filter, &bad, &config), AVPS_E_PARAM);
    assert_int_equal(avps_platform_filter_init(&filter, &bad, NULL), AVPS_E_PARAM);
    assert_int_equal(avps_platform_filter_init(NULL, &bad, &config), AVPS_E_PARAM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filter_lets_listed_addresses_through),
        cmocka_unit_test(test_filter_sends_its_own_copy),
        cmocka_unit_test(test_filter_is_the_policy_for_new_addresses),
        cmocka_unit_test(test_filter_keeps_tags_from_an_uplink_with_a_vlan),
        cmocka_unit_test(test_filter_leaves_tags_alone_where_there_are_no_vlans),
        cmocka_unit_test(test_filter_refuses_an_uplink_in_another_vlan),
        cmocka_unit_test(test_filter_limits_the_rate),
        cmocka_unit_test(test_filter_holds_frames_that_the_back_end_has_no_room_for),
        cmocka_unit_test(test_filter_counts_a_dropped_frame_once),
        cmocka_unit_test(test_filter_drops_what_it_cannot_copy),
        cmocka_unit_test(test_filter_passes_the_rest_on),
        cmocka_unit_test(test_filter_refuses_what_it_cannot_work_with),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
