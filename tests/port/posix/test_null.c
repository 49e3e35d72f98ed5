/* SPDX-License-Identifier: BSD-3-Clause */
/* Back ends without input or output: the disk of zeroes, echo, sink, made frames. */
#include "devices/test_net.h"

#include "avps_posix/null.h"

struct fixture {
    struct avps_posix_loop loop;
    struct avps_posix_null_net null;
    struct nic *n;
    uint8_t bytes[NIC_BYTES];
};

static struct fixture fx;

static int setup(void **state)
{
    (void)memset(&fx, 0, sizeof fx);
    assert_int_equal(avps_posix_loop_init(&fx.loop), AVPS_OK);
    fx.n = nic_new(state, TEST_MEM_REGIONS, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    nic_free(fx.n);
    avps_posix_null_net_free(&fx.null);
    avps_posix_loop_free(&fx.loop);
    return 0;
}

static void start(enum avps_posix_null_mode mode, uint32_t frame_len)
{
    const struct avps_posix_null_net_config config = {
        .loop = &fx.loop, .mode = mode, .frame_len = frame_len};

    assert_int_equal(avps_posix_null_net_init(&fx.null, &config), AVPS_OK);
    avps_posix_null_net_describe(&fx.null, &fx.n->config);
    nic_init(fx.n);
    avps_posix_null_net_attach(&fx.null, &fx.n->net);
    nic_up(fx.n);
}

static void rounds(unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) {
        assert_int_equal(avps_posix_loop_step(&fx.loop, false), AVPS_OK);
        (void)test_driver_poll(&fx.n->d);
    }
}

static uint32_t frame_to_guest(uint8_t *frame, uint32_t len)
{
    (void)memcpy(frame, nic_mac, 6);
    (void)memcpy(frame + 6, nic_peer, 6);
    for (uint32_t i = 12; i < len; i++) {
        frame[i] = (uint8_t)(i * 3U);
    }
    return len;
}

static const struct nic_hdr plain = {0};

/* ---- echo ---- */

static void test_null_echo_gives_frames_back(void **state)
{
    uint8_t frame[1514];
    struct nic_hdr hdr;
    const uint32_t len = frame_to_guest(frame, sizeof frame);

    (void)state;
    start(AVPS_POSIX_NULL_ECHO, 0);
    nic_post(fx.n, 0, 1600);
    nic_send(fx.n, 0, &plain, frame, len);
    assert_int_equal(nic_take(fx.n, 0, &hdr, fx.bytes), len);
    assert_memory_equal(fx.bytes, frame, len);
    assert_int_equal(hdr.flags, 0);
}

static void test_null_echo_gives_frames_in_pieces_back(void **state)
{
    static uint8_t raw[12 + 600];
    struct test_request r;
    struct nic_hdr hdr;

    (void)state;
    (void)frame_to_guest(raw + 12, 600);
    start(AVPS_POSIX_NULL_ECHO, 0);
    nic_post(fx.n, 0, 1600);
    r = (struct test_request){.out = {{raw, 12}, {raw + 12, 5}, {raw + 17, 300}, {raw + 317, 295}}};
    (void)test_driver_send(&fx.n->d, 1, &r);
    test_driver_kick(&fx.n->d, 1);
    (void)test_driver_poll(&fx.n->d);
    assert_int_equal(nic_take(fx.n, 0, &hdr, fx.bytes), 600);
    assert_memory_equal(fx.bytes, raw + 12, 600);
}

static void test_null_echo_keeps_what_the_guest_has_no_room_for(void **state)
{
    uint8_t frame[64];
    struct nic_hdr hdr;
    struct test_used used;

    (void)state;
    start(AVPS_POSIX_NULL_ECHO, 0);
    for (uint8_t i = 0; i < 3U; i++) {
        (void)frame_to_guest(frame, sizeof frame);
        frame[20] = i;
        nic_queue(fx.n, 0, &plain, frame, sizeof frame);
    }
    test_driver_kick(&fx.n->d, 1);
    rounds(2);
    assert_false(test_driver_reap(&fx.n->d, 1, &used));
    nic_post_many(fx.n, 0, 128, 3);
    test_driver_kick(&fx.n->d, 0);
    rounds(4);
    for (uint8_t i = 0; i < 3U; i++) {
        assert_int_equal(nic_take(fx.n, 0, &hdr, fx.bytes), sizeof frame);
        assert_int_equal(fx.bytes[20], i);
        assert_true(test_driver_reap(&fx.n->d, 1, &used));
    }
}

/* ---- sink, made frames ---- */

static void test_null_sink_takes_frames_and_gives_none(void **state)
{
    uint8_t frame[3000];
    struct nic_hdr hdr;

    (void)state;
    start(AVPS_POSIX_NULL_SINK, 0);
    nic_post_many(fx.n, 0, 1600, 4);
    for (uint32_t i = 0; i < 100U; i++) {
        nic_send(fx.n, 0, &plain, frame, frame_to_guest(frame, i % 2U == 0U ? 60U : 1500U));
    }
    rounds(2);
    assert_int_equal(avps_net_counters(&fx.n->net, 0)->tx_packets, 100);
    assert_int_equal(nic_take(fx.n, 0, &hdr, fx.bytes), 0);
}

static void test_null_makes_frames_as_long_as_there_are_buffers(void **state)
{
    struct nic_hdr hdr;
    uint64_t expected = 0;

    (void)state;
    fx.n->d.size = 128;
    start(AVPS_POSIX_NULL_SINK, 60);
    nic_post_many(fx.n, 0, 256, 70);
    test_driver_kick(&fx.n->d, 0);
    rounds(8);
    for (unsigned int i = 0; i < 70U; i++, expected++) {
        assert_int_equal(nic_take(fx.n, 0, &hdr, fx.bytes), 60);
        assert_memory_equal(fx.bytes, nic_broadcast, 6);
        assert_int_equal(fx.bytes[12] << 8 | fx.bytes[13], 0x88b5);
        assert_int_equal(fx.bytes[16], expected);
        for (unsigned int at = 17; at < 60U; at++) {
            assert_int_equal(fx.bytes[at], 0);
        }
    }
    assert_int_equal(nic_take(fx.n, 0, &hdr, fx.bytes), 0);
    nic_post(fx.n, 0, 256); /* goes on where it stopped */
    test_driver_kick(&fx.n->d, 0);
    rounds(3);
    assert_int_equal(nic_take(fx.n, 0, &hdr, fx.bytes), 60);
    assert_int_equal(fx.bytes[16], expected);
}

static void test_null_makes_no_frames_without_a_driver(void **state)
{
    (void)state;
    start(AVPS_POSIX_NULL_SINK, 60);
    test_driver_reset(&fx.n->d);
    rounds(3);
    assert_int_equal(fx.null.sequence, 0);
}

static void test_null_net_refuses_a_bad_configuration(void **state)
{
    static const struct avps_posix_null_net_config bad[] = {
        {.loop = NULL, .mode = AVPS_POSIX_NULL_ECHO},
        {.loop = &fx.loop, .mode = AVPS_POSIX_NULL_ECHO, .frame_len = 60},
        {.loop = &fx.loop, .mode = AVPS_POSIX_NULL_SINK, .frame_len = 23},
        {.loop = &fx.loop, .mode = AVPS_POSIX_NULL_SINK, .frame_len = 9217}};

    (void)state;
    start(AVPS_POSIX_NULL_SINK, 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct avps_posix_null_net null = {0};

        assert_int_equal(avps_posix_null_net_init(&null, &bad[i]), AVPS_E_PARAM);
    }
}

/* ---- disk ---- */

static void test_null_disk_reads_zeroes_and_drops_writes(void **state)
{
    static const struct {
        uint32_t type;
        uint32_t out;
        uint32_t in;
    } rows[] = {{0, 0, 1024}, {1, 1024, 0}, {4, 0, 0}, {0, 0, 1024}};
    static const enum test_mem_kind kinds[] = {TEST_MEM_REGIONS, TEST_MEM_COPY};
    static struct avps_blk blk;
    static struct avps_blk_request requests[4];
    static uint8_t data[1024];
    struct avps_queue queue;

    (void)state;
    start(AVPS_POSIX_NULL_SINK, 0); /* for the teardown */
    for (size_t kind = 0; kind < 2U; kind++) {
        struct test_driver d;
        struct avps_blk_config config = {.requests = requests, .request_count = 4};

        test_driver_init(&d, kinds[kind]);
        config.base = test_driver_base(&d, &queue, 1, 16);
        avps_posix_null_disk(&config, 100);
        assert_int_equal(avps_blk_init(&blk, &config), AVPS_OK);
        test_driver_attach(&d, &blk.base);
        test_driver_want_all(&d, false);
        test_driver_start(&d);
        assert_int_equal(test_driver_config(&d, 0, 8), 100);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            uint8_t header[16] = {(uint8_t)rows[i].type};
            struct test_request r = {.out = {{header, 16}, {data, rows[i].out}}};
            uint8_t bytes[1025];

            (void)memset(data, 0x55, sizeof data);
            r.in[0] = rows[i].in != 0U ? rows[i].in : 1U;
            r.in[1] = rows[i].in != 0U ? 1U : 0U;
            assert_int_equal(test_driver_do(&d, 0, &r), rows[i].in + 1U);
            test_driver_in(&d, &r, 0, bytes, rows[i].in + 1U);
            for (uint32_t at = 0; at <= rows[i].in; at++) {
                assert_int_equal(bytes[at], 0); /* zeroes, and the status "well" */
            }
        }
        test_driver_free(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_null_echo_gives_frames_back, setup, teardown),
        TEST_BOTH(test_null_echo_gives_frames_in_pieces_back, setup, teardown),
        TEST_BOTH(test_null_echo_keeps_what_the_guest_has_no_room_for, setup, teardown),
        TEST_BOTH(test_null_sink_takes_frames_and_gives_none, setup, teardown),
        TEST_BOTH(test_null_makes_frames_as_long_as_there_are_buffers, setup, teardown),
        TEST_SPLIT(test_null_makes_no_frames_without_a_driver, setup, teardown),
        TEST_SPLIT(test_null_net_refuses_a_bad_configuration, setup, teardown),
        TEST_SPLIT(test_null_disk_reads_zeroes_and_drops_writes, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
