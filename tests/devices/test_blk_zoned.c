/* SPDX-License-Identifier: BSD-3-Clause */
/* Block device with zones: characteristics, states, resources, writes at the write pointer, append,
 * report, reads of unwritten data, host-aware and drive-managed devices, erase, saved state.
 *
 * The disk of 64 sectors has 8 zones of 8: the first is conventional. */
#include "test_blk.h"

#define ZONE 8U

enum { CFG_ZONED = 72 };

static void zoned_configure(struct blk_test *t, enum avps_blk_zone_model model)
{
    for (uint32_t i = 0; i < BLK_ZONES; i++) {
        t->zones[i] = (struct avps_blk_zone){.wp = (uint64_t)i * ZONE,
                                             .capacity = ZONE,
                                             .type = (uint8_t)(model == AVPS_BLK_ZONED_HOST_MANAGED
                                                                   ? AVPS_BLK_ZONE_SEQ_REQUIRED
                                                                   : AVPS_BLK_ZONE_SEQ_PREFERRED),
                                             .state = AVPS_BLK_ZONE_EMPTY};
    }
    t->zones[0].type = AVPS_BLK_ZONE_CONVENTIONAL;
    t->zones[0].state = AVPS_BLK_ZONE_NOT_WP;
    t->zoned = (struct avps_blk_zoned){.model = model,
                                       .zones = t->zones,
                                       .zone_count = BLK_ZONES,
                                       .zone_sectors = ZONE,
                                       .max_append_sectors = 4};
    t->config.zoned = &t->zoned;
    t->config.erase.alignment = ZONE;
}

static struct blk_test *zoned_new(void **state, enum avps_blk_zone_model model)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    zoned_configure(t, model);
    return t;
}

static struct blk_test *zoned_managed(void **state)
{
    return zoned_new(state, AVPS_BLK_ZONED_HOST_MANAGED);
}

static uint8_t zone_do(struct blk_test *t, uint32_t type, uint32_t zone)
{
    return blk_do(t, type, (uint64_t)zone * ZONE, NULL, 0, 0);
}

static uint8_t zone_write(struct blk_test *t, uint64_t sector, uint32_t count, uint8_t byte)
{
    static uint8_t bytes[BLK_BYTES];

    (void)memset(bytes, byte, sizeof bytes);
    return blk_write(t, sector, bytes, count * 512U);
}

/* Data | append_sector, status. */
static uint8_t zone_append(struct blk_test *t, uint64_t sector, uint32_t bytes, uint64_t *where)
{
    static const uint8_t data[BLK_BYTES] = {0x5a};
    const uint8_t status = blk_do(t, BLK_T_ZONE_APPEND, sector, data, bytes, 8);
    uint8_t answer[8];

    test_driver_in(&t->d, &t->last, 0, answer, 8);
    *where = blk_get(answer, 8);
    return status;
}

static void zone_is(const struct blk_test *t, uint32_t zone, enum avps_blk_zone_state state,
                    uint64_t wp)
{
    assert_int_equal(t->zones[zone].state, state);
    assert_int_equal(t->zones[zone].wp, wp);
}

/* ---- characteristics ---- */

/* [blk-1.8] [blk-1.9] [blk-1.11] [blk-1.12] [blk-1.13] [blk-1.16] [blk-1.17] */
static void test_blk_zoned_shows_its_characteristics(void **state)
{
    struct blk_test *t = zoned_managed(state);

    t->zoned.max_open = 3;
    t->zoned.max_active = 4;
    t->zoned.write_granularity = 1024;
    blk_start(t);
    assert_true(test_driver_offers(&t->d, BLK_F_ZONED));
    assert_int_equal(test_driver_config(&t->d, CFG_ZONED, 4), ZONE);
    assert_int_equal(test_driver_config(&t->d, CFG_ZONED + 4, 4), 3);
    assert_int_equal(test_driver_config(&t->d, CFG_ZONED + 8, 4), 4);
    assert_int_equal(test_driver_config(&t->d, CFG_ZONED + 12, 4), 4);
    assert_int_equal(test_driver_config(&t->d, CFG_ZONED + 16, 4), 1024);
    assert_int_equal(test_driver_config(&t->d, CFG_ZONED + 20, 4), 1); /* model, padding */
    blk_free(t);
}

static void test_blk_zoned_granularity_is_a_sector_by_default(void **state)
{
    struct blk_test *t = zoned_managed(state);

    blk_start(t);
    assert_int_equal(test_driver_config(&t->d, CFG_ZONED + 16, 4), 512);
    blk_free(t);
}

/* [blk-1.7] */
static void test_blk_host_managed_needs_zoned(void **state)
{
    struct blk_test *t = zoned_managed(state);

    blk_refuse(t, BLK_F_ZONED);
    blk_init(t);
    assert_false(test_driver_negotiate(&t->d));
    test_driver_want(&t->d, BLK_F_ZONED);
    test_driver_start(&t->d);
    blk_free(t);
}

/* drv.blk-1.6 */
static void test_blk_host_managed_offers_no_discard(void **state)
{
    struct blk_test *t = zoned_managed(state);

    blk_start(t);
    assert_false(test_driver_offers(&t->d, BLK_F_DISCARD));
    assert_int_equal(blk_do_range(t, BLK_T_DISCARD, 0, 1, 0), BLK_UNSUPP);
    blk_free(t);
}

/* [blk-1.6] */
static void test_blk_host_aware_works_without_zoned(void **state)
{
    struct blk_test *t = zoned_new(state, AVPS_BLK_ZONED_HOST_AWARE);

    blk_refuse(t, BLK_F_ZONED);
    blk_init(t);
    assert_int_equal(test_driver_config(&t->d, CFG_ZONED + 20, 1), 2);
    test_driver_start(&t->d);
    for (uint32_t off = CFG_ZONED; off < 96U; off += 4U) {
        assert_int_equal(test_driver_config(&t->d, off, 4), 0);
    }
    blk_still_works(t);
    blk_free(t);
}

/* [blk-1.6] [blk-1.8] */
static void test_blk_drive_managed_shows_no_zones(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    t->zoned.model = AVPS_BLK_ZONED_NONE;
    t->zoned.zone_sectors = 7;
    t->config.zoned = &t->zoned;
    blk_start(t);
    assert_true(test_driver_offers(&t->d, BLK_F_ZONED));
    for (uint32_t off = CFG_ZONED; off < 96U; off += 4U) {
        assert_int_equal(test_driver_config(&t->d, off, 4), 0);
    }
    assert_int_equal(zone_do(t, BLK_T_ZONE_RESET, 1), BLK_UNSUPP);
    assert_int_equal(blk_do(t, BLK_T_ZONE_REPORT, 0, NULL, 0, 128), BLK_UNSUPP);
    blk_still_works(t);
    blk_free(t);
}

static const uint32_t zone_types[] = {BLK_T_ZONE_APPEND,   BLK_T_ZONE_REPORT, BLK_T_ZONE_OPEN,
                                      BLK_T_ZONE_CLOSE,    BLK_T_ZONE_FINISH, BLK_T_ZONE_RESET,
                                      BLK_T_ZONE_RESET_ALL};

#define ZONE_TYPES (sizeof zone_types / sizeof zone_types[0])

/* [blk-2.16] */
static void test_blk_refuses_zone_requests_without_zoned(void **state)
{
    struct blk_test *t = zoned_new(state, AVPS_BLK_ZONED_HOST_AWARE);

    blk_refuse(t, BLK_F_ZONED);
    blk_start(t);
    for (size_t i = 0; i < ZONE_TYPES; i++) {
        assert_int_equal(zone_do(t, zone_types[i], 1), BLK_UNSUPP);
    }
    blk_free(t);
}

/* ---- writes ---- */

static void test_blk_zone_is_written_at_its_write_pointer(void **state)
{
    struct blk_test *t = zoned_managed(state);

    blk_start(t);
    assert_int_equal(zone_write(t, 8, 3, 1), BLK_OK);
    zone_is(t, 1, AVPS_BLK_ZONE_IMPLICIT_OPEN, 11);
    assert_int_equal(zone_write(t, 11, 5, 2), BLK_OK);
    zone_is(t, 1, AVPS_BLK_ZONE_FULL, 16);
    assert_true(blk_disk_is(t, 8, 3, 1));
    assert_true(blk_disk_is(t, 11, 5, 2));
    assert_int_equal(avps_blk_counters(&t->blk, 0)->sectors_written, 8);
    blk_free(t);
}

/* [blk-2.31] */
static void test_blk_zone_refuses_writes_elsewhere(void **state)
{
    struct blk_test *t = zoned_managed(state);

    blk_start(t);
    assert_int_equal(zone_write(t, 9, 1, 1), BLK_ZONE_UNALIGNED);
    zone_is(t, 1, AVPS_BLK_ZONE_EMPTY, 8);
    assert_int_equal(zone_write(t, 8, 2, 1), BLK_OK);
    assert_int_equal(zone_write(t, 8, 1, 1), BLK_ZONE_UNALIGNED);
    assert_int_equal(zone_write(t, 11, 1, 1), BLK_ZONE_UNALIGNED);
    zone_is(t, 1, AVPS_BLK_ZONE_IMPLICIT_OPEN, 10);
    assert_int_equal(t->logged, 1);
    assert_int_equal(avps_blk_counters(&t->blk, 0)->zone_errors, 3);
    blk_free(t);
}

/* [blk-2.31] */
static void test_blk_zone_refuses_writes_that_are_not_granular(void **state)
{
    struct blk_test *t = zoned_managed(state);

    t->zoned.write_granularity = 2048;
    blk_start(t);
    assert_int_equal(zone_write(t, 8, 3, 1), BLK_ZONE_UNALIGNED);
    assert_int_equal(zone_write(t, 8, 4, 1), BLK_OK);
    assert_int_equal(zone_write(t, 0, 3, 1), BLK_OK); /* conventional */
    blk_free(t);
}

/* [blk-2.26] */
static void test_blk_zone_refuses_writes_beyond_its_capacity(void **state)
{
    struct blk_test *t = zoned_managed(state);

    t->zones[1].capacity = 6;
    blk_start(t);
    assert_int_equal(zone_write(t, 8, 7, 1), BLK_ZONE_INVALID);
    assert_int_equal(zone_write(t, 8, 4, 1), BLK_OK);
    assert_int_equal(zone_write(t, 12, 3, 1), BLK_ZONE_INVALID);
    assert_int_equal(zone_write(t, 12, 2, 1), BLK_OK);
    zone_is(t, 1, AVPS_BLK_ZONE_FULL, 14);
    assert_int_equal(zone_write(t, 14, 1, 1), BLK_ZONE_INVALID);
    assert_int_equal(t->logged, 2);
    blk_free(t);
}

/* [blk-2.30] */
static void test_blk_zone_refuses_transfers_over_its_end(void **state)
{
    struct blk_test *t = zoned_managed(state);

    blk_start(t);
    assert_int_equal(zone_write(t, 8, 9, 1), BLK_ZONE_INVALID);
    assert_int_equal(zone_write(t, 7, 2, 1), BLK_ZONE_INVALID); /* from the conventional one */
    assert_int_equal(blk_do(t, BLK_T_IN, 15, NULL, 0, 1024), BLK_ZONE_INVALID);
    assert_int_equal(t->used_len, 0);
    assert_int_equal(blk_do(t, BLK_T_IN, 7, NULL, 0, 1024), BLK_ZONE_INVALID);
    assert_int_equal(blk_do(t, BLK_T_IN, 0, NULL, 0, 4096), BLK_OK);
    assert_int_equal(t->logged, 1);
    blk_free(t);
}

static void test_blk_conventional_zone_is_written_anywhere(void **state)
{
    struct blk_test *t = zoned_managed(state);

    blk_start(t);
    assert_int_equal(zone_write(t, 5, 2, 1), BLK_OK);
    assert_int_equal(zone_write(t, 0, 1, 2), BLK_OK);
    assert_true(blk_disk_is(t, 5, 2, 1));
    assert_true(blk_disk_is(t, 0, 1, 2));
    zone_is(t, 0, AVPS_BLK_ZONE_NOT_WP, 0);
    blk_free(t);
}

static void test_blk_empty_write_opens_no_zone(void **state)
{
    struct blk_test *t = zoned_managed(state);

    blk_start(t);
    assert_int_equal(zone_write(t, 8, 0, 1), BLK_OK);
    zone_is(t, 1, AVPS_BLK_ZONE_EMPTY, 8);
    blk_free(t);
}

/* Queued writes are accepted in order before the first is answered. */
static void test_blk_zone_takes_writes_one_behind_the_other(void **state)
{
    struct blk_test *t = zoned_managed(state);
    struct test_request r[3];

    blk_asynchronous(t);
    t->disk_config.order = AVPS_SIM_NEWEST_FIRST;
    blk_start(t);
    for (uint32_t i = 0; i < 3U; i++) {
        blk_send(t, 0, &r[i], BLK_T_OUT, 8U + i, t->data + 512U * i, 512, 0);
    }
    zone_is(t, 1, AVPS_BLK_ZONE_IMPLICIT_OPEN, 11);
    assert_int_equal(blk_answer(t), 3);
    for (uint32_t i = 3; i > 0U; i--) {
        blk_expect(t, 0, &r[i - 1U], BLK_OK, 1);
    }
    blk_free(t);
}

static void test_blk_write_zeroes_follows_the_write_pointer(void **state)
{
    struct blk_test *t = zoned_managed(state);

    blk_start(t);
    assert_int_equal(blk_do_range(t, BLK_T_WRITE_ZEROES, 9, 1, 0), BLK_ZONE_UNALIGNED);
    assert_int_equal(blk_do_range(t, BLK_T_WRITE_ZEROES, 8, 9, 0), BLK_ZONE_INVALID);
    assert_int_equal(blk_do_range(t, BLK_T_WRITE_ZEROES, 8, 2, 1), BLK_OK);
    assert_true(t->log[0].unmap);
    zone_is(t, 1, AVPS_BLK_ZONE_IMPLICIT_OPEN, 10);
    assert_int_equal(blk_do_range(t, BLK_T_WRITE_ZEROES, 3, 2, 0), BLK_OK);
    assert_true(blk_disk_is(t, 3, 2, 0));
    blk_free(t);
}

/* ---- unwritten data ---- */

/* [blk-2.35] [blk-2.36] */
static void test_blk_unwritten_sectors_read_as_zeroes(void **state)
{
    for (unsigned int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct blk_test *t = blk_new(state, (enum test_mem_kind)kind);
        static uint8_t bytes[8U * 512U];
        static const uint8_t zeroes[8U * 512U] = {0};

        zoned_configure(t, AVPS_BLK_ZONED_HOST_MANAGED);
        blk_start(t);
        assert_int_equal(blk_read(t, 8, bytes, sizeof bytes), BLK_OK);
        assert_int_equal(t->used_len, sizeof bytes + 1U);
        assert_memory_equal(bytes, zeroes, sizeof bytes);
        assert_int_equal(t->logged, 0); /* though the medium holds something */
        assert_int_equal(zone_write(t, 8, 3, 0x77), BLK_OK);
        assert_int_equal(blk_read(t, 9, bytes, 7U * 512U), BLK_OK);
        assert_true(test_mem_is(&t->d.mem, t->last.in_gpa[0], 0x77, 1024));
        assert_memory_equal(bytes + 1024, zeroes, 5U * 512U);
        blk_expect_io(t, 1, AVPS_BLK_READ, 9, 2);
        assert_int_equal(avps_blk_counters(&t->blk, 0)->sectors_read, 15);
        blk_free(t);
    }
}

/* [blk-2.35] A finished zone is full, but what was never written is still not there. */
static void test_blk_finished_zone_reads_as_zeroes_where_it_was_not_written(void **state)
{
    struct blk_test *t = zoned_managed(state);
    uint8_t bytes[2048];
    static const uint8_t zeroes[1024] = {0};

    blk_start(t);
    assert_int_equal(zone_write(t, 8, 2, 0x31), BLK_OK);
    assert_int_equal(zone_do(t, BLK_T_ZONE_FINISH, 1), BLK_OK);
    assert_int_equal(blk_read(t, 8, bytes, sizeof bytes), BLK_OK);
    assert_int_equal(bytes[1023], 0x31);
    assert_memory_equal(bytes + 1024, zeroes, 1024);
    blk_free(t);
}

static void test_blk_reset_zone_shows_nothing_of_its_past(void **state)
{
    struct blk_test *t = zoned_managed(state);
    uint8_t bytes[512];
    static const uint8_t zeroes[512] = {0};

    blk_start(t);
    assert_int_equal(zone_write(t, 8, 8, 0x31), BLK_OK);
    assert_int_equal(zone_do(t, BLK_T_ZONE_RESET, 1), BLK_OK);
    assert_int_equal(blk_read(t, 8, bytes, 512), BLK_OK);
    assert_memory_equal(bytes, zeroes, 512);
    blk_free(t);
}

static void test_blk_reports_zeroes_that_cannot_be_given(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_COPY);
    uint8_t header[16];
    struct test_used used = {0, 0};

    zoned_configure(t, AVPS_BLK_ZONED_HOST_MANAGED);
    blk_start(t);
    blk_header(header, BLK_T_IN, 8);
    const avps_gpa hdr = test_mem_alloc(&t->d.mem, 16, 1);
    const avps_gpa status = test_mem_alloc(&t->d.mem, 1, 1);
    test_mem_put(&t->d.mem, hdr, header, 16);
    const struct test_desc table[] = {
        {hdr, 16, 0}, {TEST_HOLE_GPA, 512, TEST_WRITE}, {status, 1, TEST_WRITE}};
    (void)test_ring_add(&t->d.ring[0], table, 3);
    test_driver_kick(&t->d, 0);
    (void)test_driver_poll(&t->d);
    assert_true(test_driver_reap(&t->d, 0, &used));
    assert_true(test_mem_is(&t->d.mem, status, BLK_IOERR, 1));
    blk_free(t);
}

/* ---- states ---- */

#define ANY 99U /* the request fails */

/* Bring zone 1 into a state: the write pointer is at 8 (empty, reset) or 10. */
static void zone_force(struct blk_test *t, enum avps_blk_zone_state state)
{
    assert_int_equal(zone_do(t, BLK_T_ZONE_RESET, 1), BLK_OK);
    switch (state) {
    case AVPS_BLK_ZONE_EMPTY:
        break;
    case AVPS_BLK_ZONE_IMPLICIT_OPEN:
        assert_int_equal(zone_write(t, 8, 2, 1), BLK_OK);
        break;
    case AVPS_BLK_ZONE_EXPLICIT_OPEN:
        assert_int_equal(zone_write(t, 8, 2, 1), BLK_OK);
        assert_int_equal(zone_do(t, BLK_T_ZONE_OPEN, 1), BLK_OK);
        break;
    case AVPS_BLK_ZONE_CLOSED:
        assert_int_equal(zone_write(t, 8, 2, 1), BLK_OK);
        assert_int_equal(zone_do(t, BLK_T_ZONE_CLOSE, 1), BLK_OK);
        break;
    case AVPS_BLK_ZONE_FULL:
        assert_int_equal(zone_write(t, 8, 8, 1), BLK_OK);
        break;
    case AVPS_BLK_ZONE_READ_ONLY:
    case AVPS_BLK_ZONE_OFFLINE:
        assert_int_equal(avps_blk_fail_zone(&t->blk, 1, state), AVPS_OK);
        break;
    case AVPS_BLK_ZONE_NOT_WP:
    default:
        assert_true(false);
        break;
    }
    assert_int_equal(t->zones[1].state, state);
}

/* [blk-2.19] [blk-2.21] [blk-2.22] [blk-2.23] Every request in every state. */
static void test_blk_zone_states_follow_their_table(void **state)
{
    static const struct {
        enum avps_blk_zone_state from;
        unsigned int open, close, finish, reset;
    } rows[] = {
        {AVPS_BLK_ZONE_EMPTY, AVPS_BLK_ZONE_EXPLICIT_OPEN, ANY, AVPS_BLK_ZONE_FULL,
         AVPS_BLK_ZONE_EMPTY},
        {AVPS_BLK_ZONE_IMPLICIT_OPEN, AVPS_BLK_ZONE_EXPLICIT_OPEN, AVPS_BLK_ZONE_CLOSED,
         AVPS_BLK_ZONE_FULL, AVPS_BLK_ZONE_EMPTY},
        {AVPS_BLK_ZONE_EXPLICIT_OPEN, AVPS_BLK_ZONE_EXPLICIT_OPEN, AVPS_BLK_ZONE_CLOSED,
         AVPS_BLK_ZONE_FULL, AVPS_BLK_ZONE_EMPTY},
        {AVPS_BLK_ZONE_CLOSED, AVPS_BLK_ZONE_EXPLICIT_OPEN, AVPS_BLK_ZONE_CLOSED,
         AVPS_BLK_ZONE_FULL, AVPS_BLK_ZONE_EMPTY},
        {AVPS_BLK_ZONE_FULL, ANY, ANY, AVPS_BLK_ZONE_FULL, AVPS_BLK_ZONE_EMPTY},
        {AVPS_BLK_ZONE_READ_ONLY, ANY, ANY, ANY, ANY},
        {AVPS_BLK_ZONE_OFFLINE, ANY, ANY, ANY, ANY},
    };
    static const uint32_t types[] = {BLK_T_ZONE_OPEN, BLK_T_ZONE_CLOSE, BLK_T_ZONE_FINISH,
                                     BLK_T_ZONE_RESET};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const unsigned int to[] = {rows[i].open, rows[i].close, rows[i].finish, rows[i].reset};

        for (size_t n = 0; n < 4U; n++) {
            struct blk_test *t = zoned_managed(state);

            blk_start(t);
            zone_force(t, rows[i].from);
            const struct avps_blk_zone before = t->zones[1];
            assert_int_equal(zone_do(t, types[n], 1), to[n] == ANY ? BLK_ZONE_INVALID : BLK_OK);
            assert_int_equal(t->used_len, 1);
            if (to[n] == ANY) {
                zone_is(t, 1, (enum avps_blk_zone_state)before.state, before.wp);
            } else {
                assert_int_equal(t->zones[1].state, to[n]);
            }
            blk_free(t);
        }
    }
}

static void test_blk_closing_an_unwritten_zone_empties_it(void **state)
{
    struct blk_test *t = zoned_managed(state);

    blk_start(t);
    assert_int_equal(zone_do(t, BLK_T_ZONE_OPEN, 1), BLK_OK);
    zone_is(t, 1, AVPS_BLK_ZONE_EXPLICIT_OPEN, 8);
    assert_int_equal(zone_do(t, BLK_T_ZONE_CLOSE, 1), BLK_OK);
    zone_is(t, 1, AVPS_BLK_ZONE_EMPTY, 8);
    blk_free(t);
}

static void test_blk_writes_leave_an_explicitly_open_zone_so(void **state)
{
    struct blk_test *t = zoned_managed(state);

    blk_start(t);
    assert_int_equal(zone_do(t, BLK_T_ZONE_OPEN, 1), BLK_OK);
    assert_int_equal(zone_write(t, 8, 2, 1), BLK_OK);
    zone_is(t, 1, AVPS_BLK_ZONE_EXPLICIT_OPEN, 10);
    assert_int_equal(zone_do(t, BLK_T_ZONE_CLOSE, 1), BLK_OK);
    assert_int_equal(zone_write(t, 10, 1, 1), BLK_OK);
    zone_is(t, 1, AVPS_BLK_ZONE_IMPLICIT_OPEN, 11);
    blk_free(t);
}

static void test_blk_resets_all_zones(void **state)
{
    struct blk_test *t = zoned_managed(state);

    blk_start(t);
    assert_int_equal(zone_write(t, 8, 2, 1), BLK_OK);
    assert_int_equal(zone_do(t, BLK_T_ZONE_OPEN, 2), BLK_OK);
    assert_int_equal(zone_write(t, 24, 2, 1), BLK_OK);
    assert_int_equal(zone_do(t, BLK_T_ZONE_CLOSE, 3), BLK_OK);
    assert_int_equal(zone_write(t, 32, 8, 1), BLK_OK);
    assert_int_equal(avps_blk_fail_zone(&t->blk, 5, AVPS_BLK_ZONE_READ_ONLY), AVPS_OK);
    assert_int_equal(avps_blk_fail_zone(&t->blk, 6, AVPS_BLK_ZONE_OFFLINE), AVPS_OK);
    assert_int_equal(blk_do(t, BLK_T_ZONE_RESET_ALL, 12345, NULL, 0, 0), BLK_OK);
    zone_is(t, 0, AVPS_BLK_ZONE_NOT_WP, 0);
    for (uint32_t i = 1; i <= 4U; i++) {
        zone_is(t, i, AVPS_BLK_ZONE_EMPTY, (uint64_t)i * ZONE);
    }
    assert_int_equal(t->zones[5].state, AVPS_BLK_ZONE_READ_ONLY);
    assert_int_equal(t->zones[6].state, AVPS_BLK_ZONE_OFFLINE);
    zone_is(t, 7, AVPS_BLK_ZONE_EMPTY, 56);
    blk_free(t);
}

/* [blk-2.17] */
static void test_blk_refuses_to_manage_conventional_zones(void **state)
{
    static const uint32_t types[] = {BLK_T_ZONE_OPEN, BLK_T_ZONE_CLOSE, BLK_T_ZONE_FINISH,
                                     BLK_T_ZONE_RESET};
    struct blk_test *t = zoned_managed(state);

    blk_start(t);
    for (size_t i = 0; i < 4U; i++) {
        assert_int_equal(zone_do(t, types[i], 0), BLK_ZONE_INVALID);
    }
    zone_is(t, 0, AVPS_BLK_ZONE_NOT_WP, 0);
    blk_free(t);
}

static void test_blk_refuses_zone_requests_that_name_no_zone(void **state)
{
    static const uint32_t types[] = {BLK_T_ZONE_OPEN, BLK_T_ZONE_CLOSE, BLK_T_ZONE_FINISH,
                                     BLK_T_ZONE_RESET};
    static const uint64_t bad[] = {9, 15, 63, 64, 72, UINT64_MAX, UINT64_MAX - 7U};
    struct blk_test *t = zoned_managed(state);

    blk_start(t);
    for (size_t i = 0; i < 4U; i++) {
        for (size_t n = 0; n < sizeof bad / sizeof bad[0]; n++) {
            assert_int_equal(blk_do(t, types[i], bad[n], NULL, 0, 0), BLK_ZONE_INVALID);
        }
    }
    for (uint32_t i = 1; i < BLK_ZONES; i++) {
        zone_is(t, i, AVPS_BLK_ZONE_EMPTY, (uint64_t)i * ZONE);
    }
    blk_free(t);
}

static void test_blk_refuses_data_with_zone_requests(void **state)
{
    struct blk_test *t = zoned_managed(state);

    blk_start(t);
    for (size_t i = 2; i < ZONE_TYPES; i++) {
        assert_int_equal(blk_do(t, zone_types[i], 8, t->data, 512, 0), BLK_ZONE_INVALID);
        assert_int_equal(blk_do(t, zone_types[i], 8, NULL, 0, 512), BLK_ZONE_INVALID);
    }
    zone_is(t, 1, AVPS_BLK_ZONE_EMPTY, 8);
    blk_free(t);
}

/* [blk-2.33] */
static void test_blk_read_only_zone_is_only_read(void **state)
{
    struct blk_test *t = zoned_managed(state);
    uint8_t bytes[1024];
    uint64_t where = 0;

    blk_start(t);
    assert_int_equal(zone_write(t, 8, 2, 0x44), BLK_OK);
    assert_int_equal(avps_blk_fail_zone(&t->blk, 1, AVPS_BLK_ZONE_READ_ONLY), AVPS_OK);
    assert_int_equal(zone_write(t, 10, 1, 1), BLK_ZONE_INVALID);
    assert_int_equal(zone_append(t, 8, 512, &where), BLK_ZONE_INVALID);
    assert_int_equal(blk_do_range(t, BLK_T_SECURE_ERASE, 8, 8, 0), BLK_ZONE_INVALID);
    assert_int_equal(blk_do_range(t, BLK_T_WRITE_ZEROES, 8, 8, 0), BLK_ZONE_INVALID);
    assert_int_equal(blk_read(t, 8, bytes, sizeof bytes), BLK_OK);
    assert_int_equal(bytes[1023], 0x44);
    blk_free(t);
}

/* [blk-2.34] */
static void test_blk_offline_zone_refuses_everything(void **state)
{
    struct blk_test *t = zoned_managed(state);
    uint64_t where = 0;

    blk_start(t);
    assert_int_equal(zone_write(t, 8, 2, 0x44), BLK_OK);
    assert_int_equal(avps_blk_fail_zone(&t->blk, 1, AVPS_BLK_ZONE_OFFLINE), AVPS_OK);
    assert_int_equal(blk_do(t, BLK_T_IN, 8, NULL, 0, 512), BLK_ZONE_INVALID);
    assert_int_equal(zone_write(t, 10, 1, 1), BLK_ZONE_INVALID);
    assert_int_equal(zone_append(t, 8, 512, &where), BLK_ZONE_INVALID);
    assert_int_equal(blk_do_range(t, BLK_T_SECURE_ERASE, 8, 8, 0), BLK_ZONE_INVALID);
    assert_int_equal(blk_do_range(t, BLK_T_WRITE_ZEROES, 10, 1, 0), BLK_ZONE_INVALID);
    assert_int_equal(t->logged, 1);
    blk_free(t);
}

/* A zone that fails while a request is at work stays failed. */
static void test_blk_zone_that_fails_stops_an_erase_on_its_way(void **state)
{
    struct blk_test *t = zoned_managed(state);
    struct test_request r;
    uint8_t ranges[32];

    blk_asynchronous(t);
    blk_start(t);
    blk_range(ranges, 8, 8, 0);
    blk_range(ranges + 16, 16, 8, 0);
    blk_send(t, 0, &r, BLK_T_SECURE_ERASE, 0, ranges, sizeof ranges, 0);
    assert_int_equal(avps_blk_fail_zone(&t->blk, 2, AVPS_BLK_ZONE_OFFLINE), AVPS_OK);
    assert_int_equal(blk_answer(t), 1);
    blk_expect(t, 0, &r, BLK_ZONE_INVALID, 1);
    assert_int_equal(t->zones[2].state, AVPS_BLK_ZONE_OFFLINE);
    assert_int_equal(t->logged, 1);
    blk_free(t);
}

static void test_blk_zone_that_fails_stops_a_write_on_its_way(void **state)
{
    static const uint64_t firsts[] = {12, 18}; /* it is the second zone, or the first with a gap */

    for (size_t i = 0; i < 2U; i++) {
        struct blk_test *t = zoned_new(state, AVPS_BLK_ZONED_HOST_AWARE);
        struct test_request r;

        blk_asynchronous(t);
        blk_start(t);
        blk_send(t, 0, &r, BLK_T_OUT, firsts[i], t->data, 8U * 512U, 0);
        assert_int_equal(avps_blk_fail_zone(&t->blk, 2, AVPS_BLK_ZONE_READ_ONLY), AVPS_OK);
        while (blk_answer(t) != 0U) {
        }
        blk_expect(t, 0, &r, BLK_ZONE_INVALID, 1);
        assert_int_equal(t->zones[2].state, AVPS_BLK_ZONE_READ_ONLY);
        blk_free(t);
    }
}

static void test_blk_only_sequential_zones_fail(void **state)
{
    struct blk_test *t = zoned_managed(state);

    blk_start(t);
    assert_int_equal(avps_blk_fail_zone(&t->blk, 0, AVPS_BLK_ZONE_OFFLINE), AVPS_E_PARAM);
    assert_int_equal(avps_blk_fail_zone(&t->blk, 8, AVPS_BLK_ZONE_OFFLINE), AVPS_E_PARAM);
    assert_int_equal(avps_blk_fail_zone(&t->blk, 1, AVPS_BLK_ZONE_FULL), AVPS_E_PARAM);
    assert_int_equal(avps_blk_fail_zone(&t->blk, 1, AVPS_BLK_ZONE_READ_ONLY), AVPS_OK);
    assert_int_equal(avps_blk_fail_zone(&t->blk, 1, AVPS_BLK_ZONE_OFFLINE), AVPS_OK);
    assert_int_equal(avps_blk_fail_zone(&t->blk, 1, AVPS_BLK_ZONE_READ_ONLY), AVPS_E_STATE);
    blk_free(t);
}

/* ---- resources ---- */

/* [blk-2.32] */
static void test_blk_closes_an_implicitly_open_zone_to_open_another(void **state)
{
    struct blk_test *t = zoned_managed(state);

    t->zoned.max_open = 1;
    blk_start(t);
    assert_int_equal(zone_write(t, 8, 1, 1), BLK_OK);
    assert_int_equal(zone_write(t, 16, 1, 1), BLK_OK);
    zone_is(t, 1, AVPS_BLK_ZONE_CLOSED, 9);
    zone_is(t, 2, AVPS_BLK_ZONE_IMPLICIT_OPEN, 17);
    assert_int_equal(zone_do(t, BLK_T_ZONE_OPEN, 3), BLK_OK);
    zone_is(t, 2, AVPS_BLK_ZONE_CLOSED, 17);
    zone_is(t, 3, AVPS_BLK_ZONE_EXPLICIT_OPEN, 24);
    blk_free(t);
}

/* [blk-2.20] [blk-2.24] */
static void test_blk_refuses_to_open_too_many_zones(void **state)
{
    struct blk_test *t = zoned_managed(state);
    uint64_t where = 0;

    t->zoned.max_open = 1;
    blk_start(t);
    assert_int_equal(zone_do(t, BLK_T_ZONE_OPEN, 1), BLK_OK);
    assert_int_equal(zone_do(t, BLK_T_ZONE_OPEN, 2), BLK_ZONE_OPEN);
    assert_int_equal(zone_write(t, 16, 1, 1), BLK_ZONE_OPEN);
    assert_int_equal(zone_append(t, 16, 512, &where), BLK_ZONE_OPEN);
    zone_is(t, 2, AVPS_BLK_ZONE_EMPTY, 16);
    assert_int_equal(t->logged, 0);
    assert_int_equal(zone_do(t, BLK_T_ZONE_OPEN, 1), BLK_OK); /* it is open */
    assert_int_equal(zone_do(t, BLK_T_ZONE_CLOSE, 1), BLK_OK);
    assert_int_equal(zone_write(t, 16, 1, 1), BLK_OK);
    blk_free(t);
}

/* [blk-2.20] [blk-2.24] */
static void test_blk_refuses_too_many_active_zones(void **state)
{
    struct blk_test *t = zoned_managed(state);

    t->zoned.max_active = 2;
    blk_start(t);
    assert_int_equal(zone_write(t, 8, 1, 1), BLK_OK);
    assert_int_equal(zone_do(t, BLK_T_ZONE_CLOSE, 1), BLK_OK);
    assert_int_equal(zone_do(t, BLK_T_ZONE_OPEN, 2), BLK_OK);
    assert_int_equal(zone_do(t, BLK_T_ZONE_OPEN, 3), BLK_ZONE_ACTIVE);
    assert_int_equal(zone_write(t, 24, 1, 1), BLK_ZONE_ACTIVE);
    zone_is(t, 3, AVPS_BLK_ZONE_EMPTY, 24);
    assert_int_equal(zone_write(t, 9, 1, 1), BLK_OK); /* active already */
    assert_int_equal(zone_do(t, BLK_T_ZONE_FINISH, 1), BLK_OK);
    assert_int_equal(zone_write(t, 24, 1, 1), BLK_OK);
    blk_free(t);
}

static void test_blk_names_the_active_limit_when_both_are_reached(void **state)
{
    struct blk_test *t = zoned_managed(state);

    t->zoned.max_open = 1;
    t->zoned.max_active = 1;
    blk_start(t);
    assert_int_equal(zone_do(t, BLK_T_ZONE_OPEN, 1), BLK_OK);
    assert_int_equal(zone_do(t, BLK_T_ZONE_OPEN, 2), BLK_ZONE_ACTIVE);
    blk_free(t);
}

static void test_blk_zones_give_their_resources_back(void **state)
{
    static const uint32_t types[] = {BLK_T_ZONE_FINISH, BLK_T_ZONE_RESET, BLK_T_ZONE_RESET_ALL};

    for (size_t i = 0; i < 4U; i++) {
        struct blk_test *t = zoned_managed(state);

        t->zoned.max_open = 1;
        t->zoned.max_active = 1;
        blk_start(t);
        assert_int_equal(zone_do(t, BLK_T_ZONE_OPEN, 1), BLK_OK);
        if (i < 3U) {
            assert_int_equal(zone_do(t, types[i], 1), BLK_OK);
        } else {
            assert_int_equal(avps_blk_fail_zone(&t->blk, 1, AVPS_BLK_ZONE_OFFLINE), AVPS_OK);
        }
        assert_int_equal(zone_do(t, BLK_T_ZONE_OPEN, 2), BLK_OK);
        blk_free(t);
    }
}

static void test_blk_device_reset_closes_zones(void **state)
{
    struct blk_test *t = zoned_managed(state);

    t->zoned.max_open = 2;
    blk_start(t);
    assert_int_equal(zone_write(t, 8, 1, 1), BLK_OK);
    assert_int_equal(zone_do(t, BLK_T_ZONE_OPEN, 2), BLK_OK);
    test_driver_start(&t->d);
    zone_is(t, 1, AVPS_BLK_ZONE_CLOSED, 9);
    zone_is(t, 2, AVPS_BLK_ZONE_EMPTY, 16);
    assert_int_equal(zone_do(t, BLK_T_ZONE_OPEN, 3), BLK_OK);
    assert_int_equal(zone_do(t, BLK_T_ZONE_OPEN, 4), BLK_OK);
    blk_free(t);
}

/* ---- append ---- */

/* [blk-2.27] */
static void test_blk_append_tells_where_it_wrote(void **state)
{
    for (unsigned int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct blk_test *t = blk_new(state, (enum test_mem_kind)kind);
        uint64_t where = 0;

        zoned_configure(t, AVPS_BLK_ZONED_HOST_MANAGED);
        blk_start(t);
        assert_int_equal(zone_append(t, 16, 1024, &where), BLK_OK);
        assert_int_equal(t->used_len, 9);
        assert_int_equal(where, 16);
        assert_int_equal(zone_append(t, 16, 512, &where), BLK_OK);
        assert_int_equal(where, 18);
        zone_is(t, 2, AVPS_BLK_ZONE_IMPLICIT_OPEN, 19);
        blk_expect_io(t, 1, AVPS_BLK_WRITE, 18, 1);
        assert_int_equal(t->data[18 * 512], 0x5a);
        assert_int_equal(avps_blk_counters(&t->blk, 0)->writes, 2);
        blk_free(t);
    }
}

static void test_blk_append_fills_a_zone(void **state)
{
    struct blk_test *t = zoned_managed(state);
    uint64_t where = 0;

    blk_start(t);
    assert_int_equal(zone_append(t, 8, 2048, &where), BLK_OK);
    assert_int_equal(zone_append(t, 8, 2048, &where), BLK_OK);
    zone_is(t, 1, AVPS_BLK_ZONE_FULL, 16);
    assert_int_equal(zone_append(t, 8, 512, &where), BLK_ZONE_INVALID);
    blk_free(t);
}

/* A request that fails leaves the answer's place alone. */
static void append_fails(struct blk_test *t, uint64_t sector, uint32_t bytes, uint8_t status)
{
    uint64_t where = 0;
    const size_t logged = t->logged;

    assert_int_equal(zone_append(t, sector, bytes, &where), status);
    assert_int_equal(t->used_len, 0);
    assert_true(where == UINT64_C(0xc3c3c3c3c3c3c3c3));
    assert_int_equal(t->logged, logged);
}

/* [blk-2.25] */
static void test_blk_append_names_the_start_of_a_zone(void **state)
{
    static const uint64_t bad[] = {9, 15, 17, 63, 64, 72, UINT64_MAX};
    struct blk_test *t = zoned_managed(state);

    blk_start(t);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        append_fails(t, bad[i], 512, BLK_ZONE_INVALID);
    }
    blk_free(t);
}

/* [blk-2.18] */
static void test_blk_append_is_for_write_required_zones(void **state)
{
    struct blk_test *t = zoned_managed(state);

    blk_start(t);
    append_fails(t, 0, 512, BLK_ZONE_INVALID);
    blk_free(t);
    t = zoned_new(state, AVPS_BLK_ZONED_HOST_AWARE);
    blk_start(t);
    append_fails(t, 8, 512, BLK_ZONE_INVALID);
    blk_free(t);
}

/* [blk-2.29] */
static void test_blk_append_has_a_limit(void **state)
{
    struct blk_test *t = zoned_managed(state);
    uint64_t where = 0;

    blk_start(t);
    append_fails(t, 8, 5U * 512U, BLK_ZONE_INVALID);
    assert_int_equal(zone_append(t, 8, 2048, &where), BLK_OK);
    blk_free(t);
}

/* [blk-1.15] [blk-2.28] */
static void test_blk_append_can_be_absent(void **state)
{
    struct blk_test *t = zoned_managed(state);

    t->zoned.max_append_sectors = 0;
    blk_start(t);
    assert_int_equal(test_driver_config(&t->d, CFG_ZONED + 12, 4), 0);
    append_fails(t, 8, 512, BLK_UNSUPP);
    blk_free(t);
}

/* [blk-2.26] [blk-2.31] */
static void test_blk_append_keeps_size_granularity_and_capacity(void **state)
{
    struct blk_test *t = zoned_managed(state);
    uint64_t where = 0;

    t->zoned.write_granularity = 1024;
    t->zones[1].capacity = 6;
    blk_start(t);
    append_fails(t, 8, 0, BLK_ZONE_INVALID);
    append_fails(t, 8, 100, BLK_IOERR);
    append_fails(t, 8, 512, BLK_ZONE_UNALIGNED);
    assert_int_equal(zone_append(t, 8, 2048, &where), BLK_OK);
    append_fails(t, 8, 2048, BLK_ZONE_INVALID);
    zone_is(t, 1, AVPS_BLK_ZONE_IMPLICIT_OPEN, 12);
    blk_free(t);
}

static void test_blk_append_needs_room_for_its_answer(void **state)
{
    static const uint32_t bad[] = {0, 1, 7, 9, 512};
    struct blk_test *t = zoned_managed(state);

    blk_start(t);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(blk_do(t, BLK_T_ZONE_APPEND, 8, t->data, 512, bad[i]), BLK_IOERR);
    }
    zone_is(t, 1, AVPS_BLK_ZONE_EMPTY, 8);
    blk_free(t);
}

static void test_blk_append_that_fails_moves_the_write_pointer_all_the_same(void **state)
{
    const struct avps_sim_fault fault = {
        .ops = AVPS_SIM_OP(AVPS_BLK_WRITE), .times = 1, .status = AVPS_E_IO};
    struct blk_test *t = zoned_managed(state);
    uint64_t where = 0;

    blk_start(t);
    avps_sim_ramdisk_fault(&t->disk, &fault);
    assert_int_equal(zone_append(t, 8, 512, &where), BLK_IOERR);
    assert_int_equal(t->used_len, 0);
    zone_is(t, 1, AVPS_BLK_ZONE_IMPLICIT_OPEN, 9);
    assert_int_equal(zone_append(t, 8, 512, &where), BLK_OK);
    assert_int_equal(where, 9);
    blk_free(t);
}

static void test_blk_append_is_durable_in_write_through(void **state)
{
    struct blk_test *t = zoned_managed(state);
    uint64_t where = 0;

    t->config.write_through = true;
    blk_start(t);
    assert_int_equal(zone_append(t, 8, 512, &where), BLK_OK);
    assert_int_equal(t->logged, 2);
    blk_expect_io(t, 1, AVPS_BLK_FLUSH, 0, 0);
    assert_int_equal(where, 8);
    blk_free(t);
}

/* ---- report ---- */

static uint64_t report64(struct blk_test *t, uint32_t off)
{
    uint8_t bytes[8];

    test_driver_in(&t->d, &t->last, off, bytes, 8);
    return blk_get(bytes, 8);
}

static void test_blk_reports_its_zones(void **state)
{
    struct blk_test *t = zoned_managed(state);
    uint8_t tail[38];
    static const uint8_t zeroes[38] = {0};

    t->zones[2].capacity = 5;
    blk_start(t);
    assert_int_equal(zone_write(t, 8, 3, 1), BLK_OK);
    assert_int_equal(blk_do(t, BLK_T_ZONE_REPORT, 0, NULL, 0, 64 + 64 * 8), BLK_OK);
    assert_int_equal(t->used_len, 64 + 64 * 8 + 1);
    assert_int_equal(report64(t, 0), 8);
    for (uint32_t i = 0; i < 8U; i++) {
        const uint32_t at = 64U + 64U * i;
        uint8_t kind[2];

        assert_int_equal(report64(t, at), i == 2U ? 5 : ZONE);
        assert_int_equal(report64(t, at + 8U), i * ZONE);
        test_driver_in(&t->d, &t->last, at + 24U, kind, 2);
        assert_int_equal(kind[0], i == 0U ? 1 : 2);
        assert_int_equal(kind[1], i == 0U ? 0 : i == 1U ? 2 : 1);
        if (i != 0U) {
            assert_int_equal(report64(t, at + 16U), i == 1U ? 11 : i * ZONE);
        }
        test_driver_in(&t->d, &t->last, at + 26U, tail, 38);
        assert_memory_equal(tail, zeroes, 38);
    }
    for (uint32_t off = 8; off < 64U; off += 8U) {
        assert_true(report64(t, off) == 0U);
    }
    blk_free(t);
}

static void test_blk_reports_from_the_zone_of_any_sector(void **state)
{
    struct blk_test *t = zoned_managed(state);

    blk_start(t);
    assert_int_equal(blk_do(t, BLK_T_ZONE_REPORT, 61, NULL, 0, 64 + 64 * 3), BLK_OK);
    assert_int_equal(report64(t, 0), 1);
    assert_int_equal(report64(t, 64 + 8), 56);
    assert_int_equal(t->used_len, 128); /* no more was written */
    assert_true(test_mem_is(&t->d.mem, t->last.in_gpa[0] + 128U, BLK_UNTOUCHED, 128));
    blk_free(t);
}

static void test_blk_reports_as_many_zones_as_fit(void **state)
{
    static const struct {
        uint32_t room;
        uint32_t zones;
    } rows[] = {{64, 0}, {127, 0}, {128, 1}, {191, 1}, {192, 2}, {64 + 64 * 7 + 63, 7}};
    struct blk_test *t = zoned_managed(state);

    blk_start(t);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(blk_do(t, BLK_T_ZONE_REPORT, 0, NULL, 0, rows[i].room), BLK_OK);
        assert_int_equal(report64(t, 0), rows[i].zones);
    }
    blk_free(t);
}

static void test_blk_refuses_reports_that_cannot_be(void **state)
{
    struct blk_test *t = zoned_managed(state);

    blk_start(t);
    assert_int_equal(blk_do(t, BLK_T_ZONE_REPORT, 64, NULL, 0, 128), BLK_ZONE_INVALID);
    assert_int_equal(blk_do(t, BLK_T_ZONE_REPORT, UINT64_MAX, NULL, 0, 128), BLK_ZONE_INVALID);
    assert_int_equal(blk_do(t, BLK_T_ZONE_REPORT, 0, NULL, 0, 63), BLK_ZONE_INVALID);
    assert_int_equal(blk_do(t, BLK_T_ZONE_REPORT, 0, NULL, 0, 0), BLK_ZONE_INVALID);
    assert_int_equal(blk_do(t, BLK_T_ZONE_REPORT, 0, t->data, 16, 128), BLK_ZONE_INVALID);
    assert_int_equal(t->used_len, 0);
    blk_free(t);
}

static void test_blk_reports_failed_zones(void **state)
{
    struct blk_test *t = zoned_managed(state);
    uint8_t kind = 0;

    blk_start(t);
    assert_int_equal(avps_blk_fail_zone(&t->blk, 1, AVPS_BLK_ZONE_OFFLINE), AVPS_OK);
    assert_int_equal(blk_do(t, BLK_T_ZONE_REPORT, 8, NULL, 0, 128), BLK_OK);
    test_driver_in(&t->d, &t->last, 64 + 25, &kind, 1);
    assert_int_equal(kind, AVPS_BLK_ZONE_OFFLINE);
    blk_free(t);
}

static void test_blk_reports_where_a_report_cannot_be_written(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_COPY);
    uint8_t header[16];
    struct test_used used = {0, 0};

    zoned_configure(t, AVPS_BLK_ZONED_HOST_MANAGED);
    blk_start(t);
    blk_header(header, BLK_T_ZONE_REPORT, 8);
    const avps_gpa hdr = test_mem_alloc(&t->d.mem, 16, 1);
    const avps_gpa status = test_mem_alloc(&t->d.mem, 1, 1);
    test_mem_put(&t->d.mem, hdr, header, 16);
    const struct test_desc table[] = {
        {hdr, 16, 0}, {TEST_HOLE_GPA, 512, TEST_WRITE}, {status, 1, TEST_WRITE}};
    (void)test_ring_add(&t->d.ring[0], table, 3);
    test_driver_kick(&t->d, 0);
    (void)test_driver_poll(&t->d);
    assert_true(test_driver_reap(&t->d, 0, &used));
    assert_true(test_mem_is(&t->d.mem, status, BLK_IOERR, 1));
    blk_free(t);
}

/* ---- erase ---- */

/* [blk-2.39] */
static void test_blk_erase_resets_the_zones_it_covers(void **state)
{
    struct blk_test *t = zoned_managed(state);

    blk_start(t);
    assert_int_equal(zone_write(t, 8, 8, 1), BLK_OK);
    assert_int_equal(zone_write(t, 16, 3, 1), BLK_OK);
    assert_int_equal(blk_do_range(t, BLK_T_SECURE_ERASE, 8, 16, 0), BLK_OK);
    zone_is(t, 1, AVPS_BLK_ZONE_EMPTY, 8);
    zone_is(t, 2, AVPS_BLK_ZONE_EMPTY, 16);
    blk_expect_io(t, 2, AVPS_BLK_SECURE_ERASE, 8, 16);
    assert_true(blk_disk_is(t, 8, 16, 0));
    blk_free(t);
}

/* [blk-2.38] [blk-2.39] */
static void test_blk_erase_covers_whole_sequential_zones(void **state)
{
    static const struct {
        uint64_t sector;
        uint32_t count;
    } bad[] = {{9, 8}, {8, 7}, {8, 9}, {8, 4}, {0, 8}, {0, 16}};
    struct blk_test *t = zoned_managed(state);

    blk_start(t);
    assert_int_equal(zone_write(t, 8, 8, 1), BLK_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(blk_do_range(t, BLK_T_SECURE_ERASE, bad[i].sector, bad[i].count, 0),
                         BLK_ZONE_INVALID);
    }
    zone_is(t, 1, AVPS_BLK_ZONE_FULL, 16);
    assert_int_equal(t->logged, 1);
    blk_free(t);
}

/* [blk-2.37] */
static void test_blk_erase_alignment_is_a_multiple_of_the_zone_size(void **state)
{
    static const uint32_t bad[] = {0, 1, 4, 12};
    struct blk_test *t = zoned_managed(state);

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        t->config.erase.alignment = bad[i];
        assert_int_equal(avps_blk_init(&t->blk, &t->config), AVPS_E_PARAM);
    }
    t->config.erase.alignment = 2U * ZONE;
    blk_start(t);
    assert_int_equal(test_driver_config(&t->d, 68, 4) % ZONE, 0);
    blk_free(t);
}

/* ---- host-aware ---- */

static void test_blk_host_aware_zones_are_written_anywhere(void **state)
{
    struct blk_test *t = zoned_new(state, AVPS_BLK_ZONED_HOST_AWARE);

    blk_start(t);
    assert_int_equal(zone_write(t, 8, 2, 1), BLK_OK);
    assert_int_equal(zone_write(t, 8, 1, 2), BLK_OK); /* below the write pointer */
    zone_is(t, 1, AVPS_BLK_ZONE_IMPLICIT_OPEN, 10);
    assert_int_equal(zone_write(t, 9, 3, 3), BLK_OK); /* across */
    zone_is(t, 1, AVPS_BLK_ZONE_IMPLICIT_OPEN, 12);
    assert_int_equal(zone_write(t, 12, 4, 4), BLK_OK);
    zone_is(t, 1, AVPS_BLK_ZONE_FULL, 16);
    assert_int_equal(zone_write(t, 10, 1, 5), BLK_OK); /* full ones too */
    zone_is(t, 1, AVPS_BLK_ZONE_FULL, 16);
    assert_true(blk_disk_is(t, 8, 1, 2));
    assert_true(blk_disk_is(t, 10, 1, 5));
    blk_free(t);
}

/* What lies between becomes zeroes: it may be old data. */
static void test_blk_host_aware_write_past_the_pointer_leaves_zeroes(void **state)
{
    struct blk_test *t = zoned_new(state, AVPS_BLK_ZONED_HOST_AWARE);
    static uint8_t bytes[8U * 512U];
    static const uint8_t zeroes[8U * 512U] = {0};

    blk_start(t);
    assert_int_equal(zone_write(t, 12, 2, 0x61), BLK_OK);
    assert_int_equal(t->logged, 2);
    blk_expect_io(t, 0, AVPS_BLK_WRITE_ZEROES, 8, 4);
    blk_expect_io(t, 1, AVPS_BLK_WRITE, 12, 2);
    zone_is(t, 1, AVPS_BLK_ZONE_IMPLICIT_OPEN, 14);
    assert_int_equal(avps_blk_counters(&t->blk, 0)->sectors_written, 2);
    assert_int_equal(blk_read(t, 8, bytes, sizeof bytes), BLK_OK);
    assert_memory_equal(bytes, zeroes, 4U * 512U);
    assert_int_equal(bytes[4 * 512], 0x61);
    assert_memory_equal(bytes + 6U * 512U, zeroes, 1024);
    blk_free(t);
}

static void test_blk_host_aware_transfers_cross_zones(void **state)
{
    for (unsigned int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct blk_test *t = blk_new(state, (enum test_mem_kind)kind);
        static uint8_t bytes[16U * 512U];
        static const uint8_t zeroes[512] = {0};

        zoned_configure(t, AVPS_BLK_ZONED_HOST_AWARE);
        blk_start(t);
        assert_int_equal(zone_write(t, 6, 12, 0x62), BLK_OK);
        assert_int_equal(t->logged, 3);
        blk_expect_io(t, 0, AVPS_BLK_WRITE, 6, 2);
        blk_expect_io(t, 1, AVPS_BLK_WRITE, 8, 8);
        blk_expect_io(t, 2, AVPS_BLK_WRITE, 16, 2);
        assert_true(blk_disk_is(t, 6, 12, 0x62));
        zone_is(t, 1, AVPS_BLK_ZONE_FULL, 16);
        zone_is(t, 2, AVPS_BLK_ZONE_IMPLICIT_OPEN, 18);
        assert_int_equal(blk_read(t, 12, bytes, sizeof bytes), BLK_OK);
        assert_int_equal(bytes[0], 0x62);
        assert_int_equal(bytes[6 * 512 - 1], 0x62);
        for (uint32_t i = 6; i < 16U; i++) {
            assert_memory_equal(bytes + i * 512U, zeroes, 512);
        }
        assert_int_equal(t->used_len, sizeof bytes + 1U);
        blk_free(t);
    }
}

static void test_blk_host_aware_finished_zone_is_written_on(void **state)
{
    struct blk_test *t = zoned_new(state, AVPS_BLK_ZONED_HOST_AWARE);

    blk_start(t);
    assert_int_equal(zone_do(t, BLK_T_ZONE_FINISH, 1), BLK_OK);
    assert_int_equal(zone_write(t, 8, 2, 1), BLK_OK);
    zone_is(t, 1, AVPS_BLK_ZONE_FULL, 10);
    blk_free(t);
}

static void test_blk_host_aware_discards(void **state)
{
    struct blk_test *t = zoned_new(state, AVPS_BLK_ZONED_HOST_AWARE);

    blk_start(t);
    assert_true(test_driver_offers(&t->d, BLK_F_DISCARD));
    assert_int_equal(blk_do_range(t, BLK_T_DISCARD, 6, 20, 0), BLK_OK);
    blk_expect_io(t, 0, AVPS_BLK_DISCARD, 6, 20);
    assert_int_equal(avps_blk_fail_zone(&t->blk, 2, AVPS_BLK_ZONE_READ_ONLY), AVPS_OK);
    assert_int_equal(blk_do_range(t, BLK_T_DISCARD, 6, 20, 0), BLK_ZONE_INVALID);
    blk_free(t);
}

/* Zone errors are not for a driver that does not know zones. */
static void test_blk_zone_errors_are_io_errors_without_zoned(void **state)
{
    struct blk_test *t = zoned_new(state, AVPS_BLK_ZONED_HOST_AWARE);

    blk_refuse(t, BLK_F_ZONED);
    blk_start(t);
    assert_int_equal(avps_blk_fail_zone(&t->blk, 1, AVPS_BLK_ZONE_OFFLINE), AVPS_OK);
    assert_int_equal(zone_write(t, 8, 1, 1), BLK_IOERR);
    assert_int_equal(avps_blk_counters(&t->blk, 0)->io_errors, 1);
    blk_free(t);
}

static void test_blk_zoned_read_only_disk_is_not_managed(void **state)
{
    struct blk_test *t = zoned_managed(state);
    uint64_t where = 0;

    t->config.read_only = true;
    blk_start(t);
    assert_int_equal(zone_do(t, BLK_T_ZONE_OPEN, 1), BLK_IOERR);
    assert_int_equal(zone_do(t, BLK_T_ZONE_RESET_ALL, 0), BLK_IOERR);
    assert_int_equal(zone_append(t, 8, 512, &where), BLK_IOERR);
    assert_int_equal(blk_do(t, BLK_T_ZONE_REPORT, 0, NULL, 0, 128), BLK_OK);
    blk_free(t);
}

/* ---- the table ---- */

static unsigned int zone_changes[BLK_ZONES];

static void zone_record(void *ctx, uint32_t index, const struct avps_blk_zone *zone)
{
    const struct blk_test *t = ctx;

    assert_ptr_equal(zone, &t->zones[index]);
    zone_changes[index]++;
}

static void test_blk_tells_the_back_end_of_zone_changes(void **state)
{
    struct blk_test *t = zoned_managed(state);

    t->ops.zone_changed = zone_record;
    blk_start(t);
    (void)memset(zone_changes, 0, sizeof zone_changes);
    assert_int_equal(zone_write(t, 8, 1, 1), BLK_OK); /* opened, and moved */
    assert_int_equal(zone_changes[1], 2);
    assert_int_equal(zone_do(t, BLK_T_ZONE_RESET, 1), BLK_OK);
    assert_int_equal(zone_changes[1], 3);
    assert_int_equal(zone_do(t, BLK_T_ZONE_OPEN, 0), BLK_ZONE_INVALID);
    assert_int_equal(zone_changes[0], 0);
    blk_free(t);
}

/* [blk-1.10] */
static void test_blk_last_zone_may_be_smaller(void **state)
{
    struct blk_test *t = zoned_managed(state);

    t->config.capacity = 61;
    t->zones[7].capacity = 5;
    blk_start(t);
    assert_int_equal(zone_write(t, 56, 6, 1), BLK_IOERR); /* beyond the disk */
    assert_int_equal(zone_write(t, 56, 5, 1), BLK_OK);
    zone_is(t, 7, AVPS_BLK_ZONE_FULL, 61);
    assert_int_equal(avps_blk_set_capacity(&t->blk, 64), AVPS_E_UNSUPPORTED);
    blk_free(t);
}

static void zoned_expect_bad(struct blk_test *t)
{
    assert_int_equal(avps_blk_init(&t->blk, &t->config), AVPS_E_PARAM);
    zoned_configure(t, AVPS_BLK_ZONED_HOST_MANAGED);
    t->config.capacity = BLK_SECTORS;
    t->config.size_max = 0;
}

static void test_blk_init_refuses_zones_that_do_not_fit(void **state)
{
    struct blk_test *t = zoned_managed(state);

    t->zoned.zones = NULL;
    zoned_expect_bad(t);
    t->zoned.zone_count = 7;
    zoned_expect_bad(t);
    t->zoned.zone_count = 0;
    zoned_expect_bad(t);
    t->zoned.zone_sectors = 0;
    zoned_expect_bad(t);
    t->zoned.write_granularity = 511;
    zoned_expect_bad(t);
    t->zoned.write_granularity = 3U * 512U;
    zoned_expect_bad(t);
    t->zoned.model = (enum avps_blk_zone_model)3;
    zoned_expect_bad(t);
    t->config.capacity = 0;
    zoned_expect_bad(t);
    t->config.capacity = 65;
    zoned_expect_bad(t);
    t->zoned.model = AVPS_BLK_ZONED_HOST_AWARE;
    zoned_expect_bad(t); /* its zones are of another type */
    zoned_configure(t, AVPS_BLK_ZONED_HOST_AWARE);
    t->zoned.max_open = 1;
    zoned_expect_bad(t);
    zoned_configure(t, AVPS_BLK_ZONED_HOST_AWARE);
    t->zoned.max_active = 1;
    zoned_expect_bad(t);
    zoned_configure(t, AVPS_BLK_ZONED_HOST_AWARE);
    t->zones[1].capacity = 7;
    zoned_expect_bad(t);
    assert_int_equal(avps_blk_init(&t->blk, &t->config), AVPS_OK);
    blk_free(t);
}

/* [blk-1.14] */
static void test_blk_init_refuses_appends_longer_than_a_request(void **state)
{
    struct blk_test *t = zoned_managed(state);

    t->config.seg_max = 2;
    t->config.size_max = 1024;
    t->zoned.max_append_sectors = 5;
    zoned_expect_bad(t);
    t->config.size_max = 1024;
    assert_int_equal(avps_blk_init(&t->blk, &t->config), AVPS_OK);
    blk_free(t);
}

static void test_blk_init_refuses_zones_that_contradict_themselves(void **state)
{
    static const struct avps_blk_zone bad[] = {
        {.wp = 8, .capacity = 8, .type = 0, .state = 1},
        {.wp = 8, .capacity = 8, .type = 4, .state = 1},
        {.wp = 8, .capacity = 8, .type = 3, .state = 1},
        {.wp = 8, .capacity = 8, .type = 1, .state = 1},
        {.wp = 9, .capacity = 8, .type = 1, .state = 0},
        {.wp = 8, .capacity = 7, .type = 1, .state = 0},
        {.wp = 8, .capacity = 8, .type = 2, .state = 0},
        {.wp = 8, .capacity = 8, .type = 2, .state = 5},
        {.wp = 8, .capacity = 8, .type = 2, .state = 12},
        {.wp = 8, .capacity = 8, .type = 2, .state = 255},
        {.wp = 8, .capacity = 0, .type = 2, .state = 1},
        {.wp = 8, .capacity = 9, .type = 2, .state = 1},
        {.wp = 7, .capacity = 8, .type = 2, .state = 1},
        {.wp = 9, .capacity = 8, .type = 2, .state = 1},
        {.wp = 8, .capacity = 8, .type = 2, .state = 2},
        {.wp = 16, .capacity = 8, .type = 2, .state = 2},
        {.wp = 16, .capacity = 8, .type = 2, .state = 3},
        {.wp = 8, .capacity = 8, .type = 2, .state = 4},
        {.wp = 17, .capacity = 8, .type = 2, .state = 14},
        {.wp = 15, .capacity = 6, .type = 2, .state = 14},
        {.wp = UINT64_MAX, .capacity = 8, .type = 2, .state = 15}};
    struct blk_test *t = zoned_managed(state);

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        t->zones[1] = bad[i];
        zoned_expect_bad(t);
    }
    t->zoned.write_granularity = 1024;
    t->zones[1] = (struct avps_blk_zone){.wp = 9, .capacity = 8, .type = 2, .state = 4};
    zoned_expect_bad(t);
    t->zoned.write_granularity = 1024;
    t->zones[1].capacity = 7;
    zoned_expect_bad(t);
    blk_free(t);
}

static void test_blk_init_takes_zones_over_and_closes_them(void **state)
{
    struct blk_test *t = zoned_managed(state);

    t->zones[1] = (struct avps_blk_zone){.wp = 10, .capacity = 8, .type = 2, .state = 2};
    t->zones[2] = (struct avps_blk_zone){.wp = 16, .capacity = 8, .type = 2, .state = 3};
    t->zones[3] = (struct avps_blk_zone){.wp = 26, .capacity = 8, .type = 2, .state = 4};
    t->zoned.max_active = 3;
    t->zoned.max_open = 1;
    blk_start(t);
    zone_is(t, 1, AVPS_BLK_ZONE_CLOSED, 10);
    zone_is(t, 2, AVPS_BLK_ZONE_EMPTY, 16);
    assert_int_equal(zone_do(t, BLK_T_ZONE_OPEN, 4), BLK_OK);
    assert_int_equal(zone_do(t, BLK_T_ZONE_OPEN, 5), BLK_ZONE_ACTIVE);
    assert_int_equal(zone_do(t, BLK_T_ZONE_CLOSE, 4), BLK_OK);
    blk_free(t);
    t = zoned_managed(state);
    t->zones[1] = (struct avps_blk_zone){.wp = 10, .capacity = 8, .type = 2, .state = 4};
    t->zones[2] = (struct avps_blk_zone){.wp = 18, .capacity = 8, .type = 2, .state = 4};
    t->zoned.max_active = 1;
    assert_int_equal(avps_blk_init(&t->blk, &t->config), AVPS_E_PARAM);
    blk_free(t);
}

/* ---- saved state ---- */

#define SAVED_ZONES (BLK_ZONES * 9U)

static uint8_t saved[4096];

static size_t zoned_save(struct blk_test *t)
{
    size_t used = 0;

    assert_int_equal(avps_save(&t->blk.base, saved, sizeof saved, &used), AVPS_OK);
    return used;
}

static void test_blk_zones_live_on_from_a_saved_state(void **state)
{
    struct blk_test *from = zoned_managed(state);
    struct blk_test *to = zoned_managed(state);

    from->zoned.max_open = 2;
    from->zoned.max_active = 2;
    to->zoned = from->zoned;
    to->zoned.zones = to->zones;
    blk_start(from);
    assert_int_equal(zone_write(from, 24, 8, 1), BLK_OK);
    assert_int_equal(zone_write(from, 8, 3, 1), BLK_OK);
    assert_int_equal(zone_do(from, BLK_T_ZONE_OPEN, 2), BLK_OK); /* both limits are reached */
    const size_t used = zoned_save(from);
    to->config.base.mem = &from->d.mem.handle;
    blk_init(to);
    assert_int_equal(avps_load(&to->blk.base, saved, used), AVPS_OK);
    assert_memory_equal(to->zones, from->zones, sizeof to->zones);
    assert_int_equal(to->blk.open_zones, from->blk.open_zones);
    assert_int_equal(to->blk.active_zones, from->blk.active_zones);
    test_driver_reset(&to->d);
    blk_free(to);
    blk_free(from);
}

/* I28 A bad row anywhere, and the table stays as it was. */
static void test_blk_refuses_saved_zones_that_cannot_be(void **state)
{
    struct blk_test *from = zoned_managed(state);
    struct blk_test *to = zoned_managed(state);

    from->zoned.max_open = 1;
    to->zoned.max_open = 1;
    to->zoned.max_active = 1;
    from->zoned.max_active = 1;
    blk_start(from);
    const size_t used = zoned_save(from);
    const size_t rows = used - 4U - SAVED_ZONES;
    to->config.base.mem = &from->d.mem.handle;
    blk_init(to);
    struct avps_blk_zone before[BLK_ZONES];
    (void)memcpy(before, to->zones, sizeof before);
    for (uint32_t i = 0; i < BLK_ZONES; i++) {
        static const uint8_t bad[] = {5, 12, 16, 255};

        for (size_t n = 0; n < sizeof bad; n++) {
            const uint8_t good = saved[rows + 9U * i];

            saved[rows + 9U * i] = bad[n];
            assert_int_equal(avps_load(&to->blk.base, saved, used), AVPS_E_PARAM);
            saved[rows + 9U * i] = good;
        }
        saved[rows + 9U * i + 8U] ^= 0x80; /* the write pointer's top bit */
        assert_int_equal(avps_load(&to->blk.base, saved, used), AVPS_E_PARAM);
        saved[rows + 9U * i + 8U] ^= 0x80;
        assert_memory_equal(to->zones, before, sizeof before);
    }
    assert_int_equal(avps_load(&to->blk.base, saved, used), AVPS_OK);
    test_driver_reset(&to->d);
    blk_free(to);
    blk_free(from);
}

/* I28 */
static void test_blk_refuses_saved_zones_over_the_limits(void **state)
{
    for (unsigned int active = 0; active < 2U; active++) {
        struct blk_test *from = zoned_managed(state);
        struct blk_test *to = zoned_managed(state);

        to->zoned.max_open = active == 0U ? 1 : 0;
        to->zoned.max_active = active;
        blk_start(from);
        assert_int_equal(zone_do(from, BLK_T_ZONE_OPEN, 1), BLK_OK);
        assert_int_equal(zone_do(from, BLK_T_ZONE_OPEN, 2), BLK_OK);
        const size_t used = zoned_save(from);
        to->config.base.mem = &from->d.mem.handle;
        blk_init(to);
        assert_int_equal(avps_load(&to->blk.base, saved, used), AVPS_E_PARAM);
        zone_is(to, 1, AVPS_BLK_ZONE_EMPTY, 8);
        blk_free(to);
        blk_free(from);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_blk_zoned_shows_its_characteristics, NULL, NULL),
        TEST_BOTH(test_blk_zoned_granularity_is_a_sector_by_default, NULL, NULL),
        TEST_BOTH(test_blk_host_managed_needs_zoned, NULL, NULL),
        TEST_BOTH(test_blk_host_managed_offers_no_discard, NULL, NULL),
        TEST_BOTH(test_blk_host_aware_works_without_zoned, NULL, NULL),
        TEST_BOTH(test_blk_drive_managed_shows_no_zones, NULL, NULL),
        TEST_BOTH(test_blk_refuses_zone_requests_without_zoned, NULL, NULL),
        TEST_BOTH(test_blk_zone_is_written_at_its_write_pointer, NULL, NULL),
        TEST_BOTH(test_blk_zone_refuses_writes_elsewhere, NULL, NULL),
        TEST_BOTH(test_blk_zone_refuses_writes_that_are_not_granular, NULL, NULL),
        TEST_BOTH(test_blk_zone_refuses_writes_beyond_its_capacity, NULL, NULL),
        TEST_BOTH(test_blk_zone_refuses_transfers_over_its_end, NULL, NULL),
        TEST_BOTH(test_blk_conventional_zone_is_written_anywhere, NULL, NULL),
        TEST_BOTH(test_blk_empty_write_opens_no_zone, NULL, NULL),
        TEST_BOTH(test_blk_zone_takes_writes_one_behind_the_other, NULL, NULL),
        TEST_BOTH(test_blk_write_zeroes_follows_the_write_pointer, NULL, NULL),
        TEST_BOTH(test_blk_unwritten_sectors_read_as_zeroes, NULL, NULL),
        TEST_BOTH(test_blk_finished_zone_reads_as_zeroes_where_it_was_not_written, NULL, NULL),
        TEST_BOTH(test_blk_reset_zone_shows_nothing_of_its_past, NULL, NULL),
        TEST_BOTH(test_blk_reports_zeroes_that_cannot_be_given, NULL, NULL),
        TEST_BOTH(test_blk_zone_states_follow_their_table, NULL, NULL),
        TEST_BOTH(test_blk_closing_an_unwritten_zone_empties_it, NULL, NULL),
        TEST_BOTH(test_blk_writes_leave_an_explicitly_open_zone_so, NULL, NULL),
        TEST_BOTH(test_blk_resets_all_zones, NULL, NULL),
        TEST_BOTH(test_blk_refuses_to_manage_conventional_zones, NULL, NULL),
        TEST_BOTH(test_blk_refuses_zone_requests_that_name_no_zone, NULL, NULL),
        TEST_BOTH(test_blk_refuses_data_with_zone_requests, NULL, NULL),
        TEST_BOTH(test_blk_read_only_zone_is_only_read, NULL, NULL),
        TEST_BOTH(test_blk_offline_zone_refuses_everything, NULL, NULL),
        TEST_BOTH(test_blk_zone_that_fails_stops_an_erase_on_its_way, NULL, NULL),
        TEST_BOTH(test_blk_zone_that_fails_stops_a_write_on_its_way, NULL, NULL),
        TEST_BOTH(test_blk_only_sequential_zones_fail, NULL, NULL),
        TEST_BOTH(test_blk_closes_an_implicitly_open_zone_to_open_another, NULL, NULL),
        TEST_BOTH(test_blk_refuses_to_open_too_many_zones, NULL, NULL),
        TEST_BOTH(test_blk_refuses_too_many_active_zones, NULL, NULL),
        TEST_BOTH(test_blk_names_the_active_limit_when_both_are_reached, NULL, NULL),
        TEST_BOTH(test_blk_zones_give_their_resources_back, NULL, NULL),
        TEST_BOTH(test_blk_device_reset_closes_zones, NULL, NULL),
        TEST_BOTH(test_blk_append_tells_where_it_wrote, NULL, NULL),
        TEST_BOTH(test_blk_append_fills_a_zone, NULL, NULL),
        TEST_BOTH(test_blk_append_names_the_start_of_a_zone, NULL, NULL),
        TEST_BOTH(test_blk_append_is_for_write_required_zones, NULL, NULL),
        TEST_BOTH(test_blk_append_has_a_limit, NULL, NULL),
        TEST_BOTH(test_blk_append_can_be_absent, NULL, NULL),
        TEST_BOTH(test_blk_append_keeps_size_granularity_and_capacity, NULL, NULL),
        TEST_BOTH(test_blk_append_needs_room_for_its_answer, NULL, NULL),
        TEST_BOTH(test_blk_append_that_fails_moves_the_write_pointer_all_the_same, NULL, NULL),
        TEST_BOTH(test_blk_append_is_durable_in_write_through, NULL, NULL),
        TEST_BOTH(test_blk_reports_its_zones, NULL, NULL),
        TEST_BOTH(test_blk_reports_from_the_zone_of_any_sector, NULL, NULL),
        TEST_BOTH(test_blk_reports_as_many_zones_as_fit, NULL, NULL),
        TEST_BOTH(test_blk_refuses_reports_that_cannot_be, NULL, NULL),
        TEST_BOTH(test_blk_reports_failed_zones, NULL, NULL),
        TEST_BOTH(test_blk_reports_where_a_report_cannot_be_written, NULL, NULL),
        TEST_BOTH(test_blk_erase_resets_the_zones_it_covers, NULL, NULL),
        TEST_BOTH(test_blk_erase_covers_whole_sequential_zones, NULL, NULL),
        TEST_BOTH(test_blk_erase_alignment_is_a_multiple_of_the_zone_size, NULL, NULL),
        TEST_BOTH(test_blk_host_aware_zones_are_written_anywhere, NULL, NULL),
        TEST_BOTH(test_blk_host_aware_write_past_the_pointer_leaves_zeroes, NULL, NULL),
        TEST_BOTH(test_blk_host_aware_transfers_cross_zones, NULL, NULL),
        TEST_BOTH(test_blk_host_aware_finished_zone_is_written_on, NULL, NULL),
        TEST_BOTH(test_blk_host_aware_discards, NULL, NULL),
        TEST_BOTH(test_blk_zone_errors_are_io_errors_without_zoned, NULL, NULL),
        TEST_BOTH(test_blk_zoned_read_only_disk_is_not_managed, NULL, NULL),
        TEST_BOTH(test_blk_tells_the_back_end_of_zone_changes, NULL, NULL),
        TEST_BOTH(test_blk_last_zone_may_be_smaller, NULL, NULL),
        TEST_BOTH(test_blk_init_refuses_zones_that_do_not_fit, NULL, NULL),
        TEST_BOTH(test_blk_init_refuses_appends_longer_than_a_request, NULL, NULL),
        TEST_BOTH(test_blk_init_refuses_zones_that_contradict_themselves, NULL, NULL),
        TEST_BOTH(test_blk_init_takes_zones_over_and_closes_them, NULL, NULL),
        TEST_BOTH(test_blk_zones_live_on_from_a_saved_state, NULL, NULL),
        TEST_BOTH(test_blk_refuses_saved_zones_that_cannot_be, NULL, NULL),
        TEST_BOTH(test_blk_refuses_saved_zones_over_the_limits, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
