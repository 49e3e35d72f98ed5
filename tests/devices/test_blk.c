/* SPDX-License-Identifier: BSD-3-Clause */
/* Block device: reads, writes and the framing of requests; what the back end answers; identity,
 * lifetime, unknown types; malformed requests. */
#include "test_blk.h"

/* ---- reads and writes ---- */

/* [AVPS BLK-1] */
static void test_blk_reads_sectors(void **state)
{
    for (unsigned int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct blk_test *t = blk_new(state, (enum test_mem_kind)kind);
        uint8_t bytes[1536];

        blk_start(t);
        assert_int_equal(blk_read(t, 5, bytes, sizeof bytes), BLK_OK);
        assert_int_equal(t->used_len, 1537);
        assert_memory_equal(bytes, t->data + 5U * 512U, sizeof bytes);
        assert_int_equal(t->logged, 1);
        blk_expect_io(t, 0, AVPS_BLK_READ, 5, 3);
        assert_int_equal(avps_blk_counters(&t->blk, 0)->reads, 1);
        assert_int_equal(avps_blk_counters(&t->blk, 0)->sectors_read, 3);
        blk_free(t);
    }
}

static void test_blk_writes_sectors(void **state)
{
    for (unsigned int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct blk_test *t = blk_new(state, (enum test_mem_kind)kind);
        uint8_t bytes[1024];

        blk_start(t);
        (void)memset(bytes, 0x5e, sizeof bytes);
        assert_int_equal(blk_write(t, 10, bytes, sizeof bytes), BLK_OK);
        assert_int_equal(t->used_len, 1);
        assert_true(blk_disk_is(t, 10, 2, 0x5e));
        assert_true(blk_disk_is_first(t, 0, 10));
        assert_true(blk_disk_is_first(t, 12, BLK_SECTORS - 12U));
        assert_int_equal(t->logged, 1);
        blk_expect_io(t, 0, AVPS_BLK_WRITE, 10, 2);
        assert_int_equal(avps_blk_counters(&t->blk, 0)->writes, 1);
        assert_int_equal(avps_blk_counters(&t->blk, 0)->sectors_written, 2);
        blk_free(t);
    }
}

static void test_blk_copies_where_segments_are_not_wanted(void **state)
{
    for (unsigned int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct blk_test *t = blk_new(state, (enum test_mem_kind)kind);

        t->disk_config.copy_only = true;
        blk_start(t);
        blk_still_works(t);
        assert_int_equal(avps_sim_ramdisk_counters(&t->disk)->zero_copies, 0);
        blk_free(t);
    }
}

static void test_blk_gives_segments_except_for_copied_memory(void **state)
{
    for (unsigned int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct blk_test *t = blk_new(state, (enum test_mem_kind)kind);

        blk_start(t);
        blk_still_works(t);
        assert_int_equal(avps_sim_ramdisk_counters(&t->disk)->zero_copies,
                         kind == TEST_MEM_COPY ? 0 : 2);
        blk_free(t);
    }
}

static void test_blk_reads_and_writes_the_last_sector(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
    uint8_t bytes[512];

    blk_start(t);
    assert_int_equal(blk_read(t, BLK_SECTORS - 1U, bytes, 512), BLK_OK);
    assert_memory_equal(bytes, t->data + (BLK_SECTORS - 1U) * 512U, 512);
    (void)memset(bytes, 0x11, sizeof bytes);
    assert_int_equal(blk_write(t, BLK_SECTORS - 1U, bytes, 512), BLK_OK);
    assert_true(blk_disk_is(t, BLK_SECTORS - 1U, 1, 0x11));
    blk_free(t);
}

static void test_blk_reads_the_whole_disk_in_one_request(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
    static uint8_t bytes[BLK_BYTES];

    blk_start(t);
    assert_int_equal(blk_read(t, 0, bytes, BLK_BYTES), BLK_OK);
    assert_int_equal(t->used_len, BLK_BYTES + 1U);
    assert_memory_equal(bytes, t->data, BLK_BYTES);
    blk_free(t);
}

static void test_blk_answers_empty_transfers_without_the_back_end(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_start(t);
    assert_int_equal(blk_do(t, BLK_T_IN, BLK_SECTORS, NULL, 0, 0), BLK_OK);
    assert_int_equal(t->used_len, 1);
    assert_int_equal(blk_do(t, BLK_T_OUT, 0, NULL, 0, 0), BLK_OK);
    assert_int_equal(t->logged, 0);
    blk_free(t);
}

/* ---- framing: any split is as good as any other (I7) ---- */

static void test_blk_accepts_a_header_in_pieces(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
    uint8_t header[16];

    blk_start(t);
    blk_header(header, BLK_T_IN, 2);
    for (uint32_t cut = 1; cut < 16U; cut++) {
        t->last = (struct test_request){.out = {{header, cut}, {header + cut, 16U - cut}},
                                        .in = {512, 1}};
        assert_int_equal(blk_run(t), BLK_OK);
        assert_int_equal(t->used_len, 513);
        uint8_t bytes[512];
        test_driver_in(&t->d, &t->last, 0, bytes, 512);
        assert_memory_equal(bytes, t->data + 1024, 512);
    }
    blk_free(t);
}

static void test_blk_accepts_header_and_data_in_one_descriptor(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
    uint8_t bytes[16 + 512];

    blk_start(t);
    (void)memset(bytes, 0x77, sizeof bytes);
    blk_header(bytes, BLK_T_OUT, 6);
    t->last = (struct test_request){.out = {{bytes, sizeof bytes}}, .in = {1}};
    assert_int_equal(blk_run(t), BLK_OK);
    assert_int_equal(t->used_len, 1);
    assert_true(blk_disk_is(t, 6, 1, 0x77));
    blk_free(t);
}

static void test_blk_accepts_data_and_status_in_one_descriptor(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
    uint8_t header[16];
    uint8_t bytes[512];

    blk_start(t);
    blk_header(header, BLK_T_IN, 4);
    t->last = (struct test_request){.out = {{header, 16}}, .in = {513}};
    assert_int_equal(blk_run(t), BLK_OK);
    assert_int_equal(t->used_len, 513);
    test_driver_in(&t->d, &t->last, 0, bytes, 512);
    assert_memory_equal(bytes, t->data + 2048, 512);
    blk_free(t);
}

static void test_blk_accepts_data_in_odd_pieces(void **state)
{
    for (unsigned int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct blk_test *t = blk_new(state, (enum test_mem_kind)kind);
        uint8_t header[16];
        uint8_t bytes[1024];

        blk_start(t);
        blk_header(header, BLK_T_IN, 7);
        t->last = (struct test_request){.out = {{header, 16}}, .in = {1, 510, 2, 511, 1}};
        assert_int_equal(blk_run(t), BLK_OK);
        assert_int_equal(t->used_len, 1025);
        test_driver_in(&t->d, &t->last, 0, bytes, 1024);
        assert_memory_equal(bytes, t->data + 7U * 512U, 1024);
        (void)memset(bytes, 0x3c, sizeof bytes);
        blk_header(header, BLK_T_OUT, 20);
        t->last = (struct test_request){
            .out = {{header, 9}, {header + 9, 7}, {bytes, 3}, {bytes + 3, 1000}, {bytes, 21}},
            .in = {1}};
        assert_int_equal(blk_run(t), BLK_OK);
        assert_true(blk_disk_is(t, 20, 2, 0x3c));
        blk_free(t);
    }
}

static void test_blk_accepts_an_indirect_chain(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
    uint8_t header[16];

    blk_start(t);
    blk_header(header, BLK_T_IN, 1);
    t->last = (struct test_request){.out = {{header, 16}}, .in = {256, 256, 1}, .indirect = true};
    assert_int_equal(blk_run(t), BLK_OK);
    assert_int_equal(t->used_len, 513);
    blk_free(t);
}

static void test_blk_reads_each_guest_byte_once(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_COPY);
    uint8_t header[16];
    uint8_t bytes[512];
    struct test_request *r = &t->last;

    blk_start(t);
    (void)memset(bytes, 0x21, sizeof bytes);
    blk_build(r, header, BLK_T_OUT, 33, bytes, sizeof bytes, 0);
    (void)test_driver_send(&t->d, 0, r);
    test_mem_race(&t->d.mem, r->out_gpa[0], 16);
    test_mem_race(&t->d.mem, r->out_gpa[1], 512);
    test_driver_kick(&t->d, 0);
    (void)test_driver_poll(&t->d);
    blk_expect(t, 0, r, BLK_OK, 1);
    assert_int_equal(t->d.mem.rereads, 0);
    assert_true(blk_disk_is(t, 33, 1, 0x21));
    blk_free(t);
}

static void test_blk_reads_each_range_byte_once(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_COPY);
    uint8_t header[16];
    uint8_t ranges[32];
    struct test_request *r = &t->last;

    blk_start(t);
    blk_range(ranges, 3, 1, 0);
    blk_range(ranges + 16, 8, 2, 1);
    blk_build(r, header, BLK_T_WRITE_ZEROES, 0, ranges, sizeof ranges, 0);
    (void)test_driver_send(&t->d, 0, r);
    test_mem_race(&t->d.mem, r->out_gpa[1], 32);
    test_driver_kick(&t->d, 0);
    (void)test_driver_poll(&t->d);
    blk_expect(t, 0, r, BLK_OK, 1);
    assert_int_equal(t->d.mem.rereads, 0);
    blk_expect_io(t, 0, AVPS_BLK_WRITE_ZEROES, 3, 1);
    blk_expect_io(t, 1, AVPS_BLK_WRITE_ZEROES, 8, 2);
    blk_free(t);
}

/* ---- malformed ---- */

/* A request that must be refused without the back end, its data area untouched. */
static void blk_expect_refused(struct blk_test *t, uint32_t type, uint64_t sector, uint32_t out_len,
                               uint32_t in_len, uint8_t status)
{
    static const uint8_t bytes[4096] = {0};
    const size_t mark = test_mem_mark(&t->d.mem);
    const size_t logged = t->logged;

    assert_int_equal(blk_do(t, type, sector, bytes, out_len, in_len), status);
    assert_int_equal(t->used_len, in_len == 0U ? 1 : 0);
    assert_int_equal(t->logged, logged);
    if (in_len != 0U) {
        assert_true(test_mem_is(&t->d.mem, t->last.in_gpa[0], BLK_UNTOUCHED, in_len));
    }
    test_mem_rewind(&t->d.mem, mark);
}

static void test_blk_refuses_ranges_outside_the_capacity(void **state)
{
    static const struct {
        uint64_t sector;
        uint32_t count;
    } bad[] = {{BLK_SECTORS, 1},          {BLK_SECTORS - 1U, 2},  {BLK_SECTORS + 1U, 1},
               {UINT64_MAX, 1},           {UINT64_MAX, 2},        {UINT64_MAX - 1U, 3},
               {UINT64_MAX / 512U, 1},    {UINT64_C(1) << 55, 1}, {UINT64_C(1) << 63, 1},
               {UINT64_C(0x100000000), 1}};
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_start(t);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        blk_expect_refused(t, BLK_T_IN, bad[i].sector, 0, bad[i].count * 512U, BLK_IOERR);
        blk_expect_refused(t, BLK_T_OUT, bad[i].sector, bad[i].count * 512U, 0, BLK_IOERR);
    }
    assert_true(blk_disk_is_first(t, 0, BLK_SECTORS));
    assert_int_equal(avps_blk_counters(&t->blk, 0)->io_errors, 20);
    blk_still_works(t);
    blk_free(t);
}

static void test_blk_refuses_data_that_is_no_whole_sector(void **state)
{
    static const uint32_t bad[] = {1, 511, 513, 1023, 1025, 256};
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_start(t);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        blk_expect_refused(t, BLK_T_IN, 0, 0, bad[i], BLK_IOERR);
        blk_expect_refused(t, BLK_T_OUT, 0, bad[i], 0, BLK_IOERR);
    }
    blk_still_works(t);
    blk_free(t);
}

static void test_blk_refuses_data_the_wrong_way_round(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_start(t);
    blk_expect_refused(t, BLK_T_IN, 0, 512, 0, BLK_IOERR);
    blk_expect_refused(t, BLK_T_IN, 0, 512, 512, BLK_IOERR);
    blk_expect_refused(t, BLK_T_OUT, 0, 0, 512, BLK_IOERR);
    blk_expect_refused(t, BLK_T_OUT, 0, 512, 512, BLK_IOERR);
    blk_expect_refused(t, BLK_T_DISCARD, 0, 16, 16, BLK_IOERR);
    blk_still_works(t);
    blk_free(t);
}

static void test_blk_refuses_a_short_header(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
    uint8_t header[16];

    blk_start(t);
    blk_header(header, BLK_T_OUT, 0);
    for (uint32_t len = 0; len < 16U; len++) {
        t->last = (struct test_request){.out = {{header, len}}, .in = {1}};
        assert_int_equal(blk_run(t), BLK_IOERR);
        assert_int_equal(t->used_len, 1);
    }
    assert_int_equal(t->logged, 0);
    blk_still_works(t);
    blk_free(t);
}

static void test_blk_faults_without_a_status_byte(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
    uint8_t header[16];

    blk_start(t);
    blk_header(header, BLK_T_OUT, 0);
    t->last = (struct test_request){.out = {{header, 16}, {t->data, 512}}};
    (void)test_driver_send(&t->d, 0, &t->last);
    test_driver_kick(&t->d, 0);
    (void)test_driver_poll(&t->d);
    test_driver_assert_faulted(&t->d);
    blk_expect_none(t, 0);
    assert_int_equal(avps_device_counters(&t->blk.base)->faults[AVPS_FAULT_SIZE], 1);
    assert_int_equal(t->logged, 0);
    test_driver_start(&t->d);
    blk_still_works(t);
    blk_free(t);
}

static void test_blk_refuses_unknown_and_legacy_types(void **state)
{
    static const uint32_t bad[] = {
        2,  3,  5,  6,          7,          9,          12,         17,         19,        21,
        23, 25, 27, 0x80000000, 0x80000001, 0x80000004, 0x00000100, 0x01000000, UINT32_MAX};
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_start(t);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        blk_expect_refused(t, bad[i], 0, 0, 0, BLK_UNSUPP);
        blk_expect_refused(t, bad[i], 0, 512, 512, BLK_UNSUPP);
    }
    assert_int_equal(avps_blk_counters(&t->blk, 0)->unsupported, 38);
    blk_still_works(t);
    blk_free(t);
}

static void test_blk_limits_a_transfer_to_seg_max_times_size_max(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    t->config.seg_max = 2;
    t->config.size_max = 1024;
    blk_start(t);
    assert_int_equal(blk_do(t, BLK_T_IN, 0, NULL, 0, 2048), BLK_OK);
    blk_expect_refused(t, BLK_T_IN, 0, 0, 2560, BLK_IOERR);
    blk_expect_refused(t, BLK_T_OUT, 0, 2560, 0, BLK_IOERR);
    blk_free(t);
}

/* A chain of more pieces than a slot holds is the guest's fault. */
static void test_blk_faults_on_a_chain_longer_than_a_slot(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
    static struct test_desc table[AVPS_BLK_SEGS + 1U];

    t->config.base.queue_size_max = 256;
    t->d.size = 256;
    blk_start(t);
    const avps_gpa gpa = test_mem_alloc(&t->d.mem, 512, 1);
    for (size_t i = 0; i <= AVPS_BLK_SEGS; i++) {
        table[i] = (struct test_desc){gpa, 1, i < 20U ? 0 : TEST_WRITE};
    }
    (void)test_ring_add(&t->d.ring[0], table, AVPS_BLK_SEGS + 1U);
    test_driver_kick(&t->d, 0);
    (void)test_driver_poll(&t->d);
    test_driver_assert_faulted(&t->d);
    assert_int_equal(t->logged, 0);
    blk_free(t);
}

/* The data's addresses are checked when the chain is taken, or, copied, when they are used. */
static void test_blk_survives_data_in_a_hole(void **state)
{
    for (unsigned int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct blk_test *t = blk_new(state, (enum test_mem_kind)kind);
        uint8_t header[16];

        blk_start(t);
        blk_header(header, BLK_T_IN, 0);
        const avps_gpa hdr = test_mem_alloc(&t->d.mem, 16, 1);
        const avps_gpa status = test_mem_alloc(&t->d.mem, 1, 1);
        test_mem_put(&t->d.mem, hdr, header, 16);
        const struct test_desc table[] = {
            {hdr, 16, 0}, {TEST_HOLE_GPA, 512, TEST_WRITE}, {status, 1, TEST_WRITE}};
        const uint16_t id = test_ring_add(&t->d.ring[0], table, 3);
        struct test_used used = {0, 0};
        test_driver_kick(&t->d, 0);
        (void)test_driver_poll(&t->d);
        if (test_driver_reap(&t->d, 0, &used)) { /* answered in band */
            assert_int_equal(kind, TEST_MEM_COPY);
            assert_int_equal(used.id, id);
            assert_int_equal(used.len, 0);
            assert_true(test_mem_is(&t->d.mem, status, BLK_IOERR, 1));
            blk_still_works(t);
        } else {
            test_driver_assert_faulted(&t->d);
            assert_int_equal(t->logged, 0);
        }
        blk_free(t);
    }
}

/* ---- what the back end answers ---- */

static void blk_fault(struct blk_test *t, uint32_t ops, uint32_t skip, enum avps_status status)
{
    const struct avps_sim_fault fault = {.ops = ops, .skip = skip, .times = 1, .status = status};

    avps_sim_ramdisk_fault(&t->disk, &fault);
}

static void test_blk_reports_back_end_errors(void **state)
{
    static const enum avps_status bad[] = {AVPS_E_IO, AVPS_E_NOSPACE, AVPS_E_PARAM, AVPS_AGAIN,
                                           AVPS_E_GUEST_ADDR};
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_start(t);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        blk_fault(t, AVPS_SIM_OP(AVPS_BLK_READ), 0, bad[i]);
        assert_int_equal(blk_do(t, BLK_T_IN, 0, NULL, 0, 512), BLK_IOERR);
        assert_int_equal(t->used_len, 0);
        blk_fault(t, AVPS_SIM_OP(AVPS_BLK_WRITE), 0, bad[i]);
        assert_int_equal(blk_do(t, BLK_T_OUT, 0, t->data, 512, 0), BLK_IOERR);
        assert_int_equal(t->used_len, 1);
        blk_fault(t, AVPS_SIM_OP(AVPS_BLK_FLUSH), 0, bad[i]);
        assert_int_equal(blk_do(t, BLK_T_FLUSH, 0, NULL, 0, 0), BLK_IOERR);
    }
    assert_int_equal(avps_blk_counters(&t->blk, 0)->io_errors, 15);
    blk_still_works(t);
    blk_free(t);
}

static void test_blk_reports_what_the_back_end_does_not_support(void **state)
{
    static const uint32_t types[] = {BLK_T_DISCARD, BLK_T_WRITE_ZEROES, BLK_T_SECURE_ERASE};
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_start(t);
    for (size_t i = 0; i < 3U; i++) {
        blk_fault(t, UINT32_MAX, 0, AVPS_E_UNSUPPORTED);
        assert_int_equal(blk_do_range(t, types[i], 8, 8, 0), BLK_UNSUPP);
    }
    blk_still_works(t);
    blk_free(t);
}

static enum avps_status blk_lazy_submit(void *ctx, const struct avps_blk_io *io)
{
    static const uint8_t bytes[256] = {0};
    uint8_t sink[256];

    (void)ctx;
    return io->op == AVPS_BLK_READ ? avps_blk_io_write(io, bytes, sizeof bytes)
                                   : avps_blk_io_read(io, sink, sizeof sink);
}

/* I31 */
static void test_blk_takes_a_short_transfer_as_an_error(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    t->ops.submit = blk_lazy_submit;
    blk_start(t);
    assert_int_equal(blk_do(t, BLK_T_IN, 0, NULL, 0, 512), BLK_IOERR);
    assert_int_equal(t->used_len, 256); /* what was written, no more (I8) */
    assert_int_equal(blk_do(t, BLK_T_OUT, 0, t->data, 512, 0), BLK_IOERR);
    blk_free(t);
}

static const struct avps_blk_io *blk_greedy_io;

static enum avps_status blk_greedy_submit(void *ctx, const struct avps_blk_io *io)
{
    uint8_t bytes[512] = {0};
    struct avps_seg segs[1];
    uint32_t count = 7;

    (void)ctx;
    blk_greedy_io = io;
    if (io->op == AVPS_BLK_FLUSH) {
        assert_int_equal(avps_blk_io_write(io, bytes, 1), AVPS_E_STATE);
        assert_int_equal(avps_blk_io_read(io, bytes, 1), AVPS_E_STATE);
        return AVPS_OK;
    }
    assert_int_equal(avps_blk_io_segments(io, segs, 1, &count), AVPS_E_NOSPACE);
    assert_int_equal(count, 1);
    if (io->op == AVPS_BLK_READ) {
        assert_int_equal(avps_blk_io_read(io, bytes, 1), AVPS_E_STATE);
        assert_int_equal(avps_blk_io_write(io, bytes, 513), AVPS_E_PARAM);
        assert_int_equal(avps_blk_io_write(io, bytes, 512), AVPS_OK);
        assert_int_equal(avps_blk_io_write(io, bytes, 1), AVPS_E_PARAM);
    } else {
        assert_int_equal(avps_blk_io_write(io, bytes, 1), AVPS_E_STATE);
        assert_int_equal(avps_blk_io_read(io, bytes, 513), AVPS_E_PARAM);
        assert_int_equal(avps_blk_io_read(io, bytes, 512), AVPS_OK);
        assert_int_equal(avps_blk_io_read(io, bytes, 1), AVPS_E_PARAM);
    }
    return AVPS_OK;
}

static void test_blk_holds_the_back_end_to_its_operation(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
    uint8_t header[16];
    struct avps_seg segs[4];
    uint32_t count = 7;

    t->ops.submit = blk_greedy_submit;
    blk_start(t);
    blk_header(header, BLK_T_IN, 0);
    t->last = (struct test_request){.out = {{header, 16}}, .in = {500, 12, 1}};
    assert_int_equal(blk_run(t), BLK_OK);
    blk_header(header, BLK_T_OUT, 0);
    t->last =
        (struct test_request){.out = {{header, 16}, {t->data, 12}, {t->data, 500}}, .in = {1}};
    assert_int_equal(blk_run(t), BLK_OK);
    /* answered: its data is out of reach */
    assert_int_equal(avps_blk_io_segments(blk_greedy_io, segs, 4, &count), AVPS_E_STATE);
    assert_int_equal(count, 0);
    assert_int_equal(avps_blk_io_read(blk_greedy_io, header, 1), AVPS_E_STATE);
    assert_int_equal(blk_do(t, BLK_T_FLUSH, 0, NULL, 0, 0), BLK_OK);
    blk_free(t);
}

static enum avps_status blk_break_status;
static struct test_fail *blk_break_fail;

/* Serves well, and lets the next access to guest memory, the status byte, fail. */
static enum avps_status blk_breaking_submit(void *ctx, const struct avps_blk_io *io)
{
    struct blk_test *t = ctx;
    const enum avps_status status = blk_record_submit(t, io);

    test_fail_at(blk_break_fail, 1, blk_break_status);
    return status;
}

/* What stands in the status byte must not be taken for the answer: the request stays away. */
static void test_blk_withholds_a_request_whose_status_cannot_be_written(void **state)
{
    static const enum avps_status bad[] = {AVPS_E_IO, AVPS_E_GUEST_ACCESS};

    for (size_t i = 0; i < 2U; i++) {
        struct blk_test *t = blk_new(state, TEST_MEM_COPY);

        blk_break_status = bad[i];
        blk_break_fail = &t->d.mem.fail;
        t->ops.submit = blk_breaking_submit;
        blk_start(t);
        blk_send(t, 0, &t->last, BLK_T_IN, 0, NULL, 0, 512);
        assert_int_equal(t->logged, 1);
        test_driver_assert_faulted(&t->d);
        blk_expect_none(t, 0);
        assert_int_equal(blk_status(t, &t->last), BLK_UNTOUCHED);
        t->ops.submit = blk_record_submit;
        test_driver_start(&t->d);
        blk_still_works(t);
        blk_free(t);
    }
}

/* ---- identity, lifetime, flush ---- */

static void test_blk_gives_its_identity(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
    uint8_t id[20];

    blk_start(t);
    assert_int_equal(blk_do(t, BLK_T_GET_ID, 0, NULL, 0, 20), BLK_OK);
    assert_int_equal(t->used_len, 21);
    test_driver_in(&t->d, &t->last, 0, id, 20);
    assert_memory_equal(id, "disk-0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
    assert_int_equal(avps_blk_counters(&t->blk, 0)->others, 1);
    assert_int_equal(t->logged, 0);
    blk_free(t);
}

static void test_blk_gives_an_identity_of_twenty_characters(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
    uint8_t id[20];

    (void)memcpy(t->config.id, "ABCDEFGHIJKLMNOPQRST", 20);
    blk_start(t);
    assert_int_equal(blk_do(t, BLK_T_GET_ID, 0, NULL, 0, 20), BLK_OK);
    test_driver_in(&t->d, &t->last, 0, id, 20);
    assert_memory_equal(id, "ABCDEFGHIJKLMNOPQRST", 20);
    blk_free(t);
}

static void test_blk_refuses_an_identity_request_of_another_length(void **state)
{
    static const uint32_t bad[] = {0, 1, 19, 21, 512};
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_start(t);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        blk_expect_refused(t, BLK_T_GET_ID, 0, 0, bad[i], BLK_IOERR);
    }
    blk_still_works(t);
    blk_free(t);
}

/* [blk-2.13] */
static void test_blk_gives_the_lifetime_of_its_medium(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
    uint8_t bytes[6];

    t->disk_config.lifetime = (struct avps_blk_lifetime){3, 11, 11};
    blk_start(t);
    assert_true(test_driver_offers(&t->d, BLK_F_LIFETIME));
    assert_int_equal(blk_do(t, BLK_T_GET_LIFETIME, 0, NULL, 0, 6), BLK_OK);
    assert_int_equal(t->used_len, 7);
    test_driver_in(&t->d, &t->last, 0, bytes, 6);
    assert_memory_equal(bytes, "\3\0\13\0\13\0", 6);
    blk_free(t);
}

/* [blk-2.15] */
static void test_blk_never_sends_reserved_lifetime_values(void **state)
{
    static const struct avps_blk_lifetime bad[] = {
        {4, 0, 0}, {0, 12, 0}, {0, 0, 12}, {0xffff, 0xffff, 0xffff}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

        t->disk_config.lifetime = bad[i];
        blk_start(t);
        blk_expect_refused(t, BLK_T_GET_LIFETIME, 0, 0, 6, BLK_IOERR);
        blk_free(t);
    }
}

static void test_blk_reports_a_lifetime_that_cannot_be_had(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_start(t);
    t->lifetime_status = AVPS_E_IO;
    blk_expect_refused(t, BLK_T_GET_LIFETIME, 0, 0, 6, BLK_IOERR);
    t->lifetime_status = AVPS_OK;
    blk_expect_refused(t, BLK_T_GET_LIFETIME, 0, 0, 5, BLK_IOERR);
    blk_expect_refused(t, BLK_T_GET_LIFETIME, 0, 0, 8, BLK_IOERR);
    blk_free(t);
}

/* [blk-2.14] */
static void test_blk_without_wear_data_offers_no_lifetime(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    t->ops.lifetime = NULL;
    blk_start(t);
    assert_false(test_driver_offers(&t->d, BLK_F_LIFETIME));
    blk_expect_refused(t, BLK_T_GET_LIFETIME, 0, 0, 6, BLK_UNSUPP);
    blk_free(t);
}

/* [AVPS BLK-2] */
static void test_blk_flushes(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_start(t);
    assert_int_equal(blk_do(t, BLK_T_FLUSH, 0, NULL, 0, 0), BLK_OK);
    assert_int_equal(t->used_len, 1);
    assert_int_equal(t->logged, 1);
    blk_expect_io(t, 0, AVPS_BLK_FLUSH, 0, 0);
    assert_int_equal(avps_blk_counters(&t->blk, 0)->flushes, 1);
    blk_free(t);
}

static void test_blk_ignores_sector_and_data_of_a_flush(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_start(t);
    assert_int_equal(blk_do(t, BLK_T_FLUSH, UINT64_MAX, t->data, 100, 0), BLK_OK);
    blk_expect_io(t, 0, AVPS_BLK_FLUSH, 0, 0);
    blk_free(t);
}

/* Whatever the driver did not accept is not there. */
static void test_blk_refuses_types_that_were_not_negotiated(void **state)
{
    static const struct {
        unsigned int bit;
        uint32_t type;
    } bad[] = {{BLK_F_FLUSH, BLK_T_FLUSH},
               {BLK_F_LIFETIME, BLK_T_GET_LIFETIME},
               {BLK_F_DISCARD, BLK_T_DISCARD},
               {BLK_F_WRITE_ZEROES, BLK_T_WRITE_ZEROES},
               {BLK_F_SECURE_ERASE, BLK_T_SECURE_ERASE}};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

        blk_refuse(t, bad[i].bit);
        blk_start(t);
        assert_true(test_driver_offers(&t->d, bad[i].bit));
        blk_expect_refused(t, bad[i].type, 0, 0, 0, BLK_UNSUPP);
        blk_free(t);
    }
}

/* ---- read-only ---- */

/* [blk-2.3] */
static void test_blk_read_only_refuses_writes_and_keeps_the_data(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
    uint8_t bytes[512];

    t->config.read_only = true;
    blk_start(t);
    assert_true(test_driver_offers(&t->d, BLK_F_RO));
    blk_expect_refused(t, BLK_T_OUT, 0, 512, 0, BLK_IOERR);
    blk_expect_refused(t, BLK_T_OUT, 0, 0, 0, BLK_IOERR);
    assert_true(blk_disk_is_first(t, 0, BLK_SECTORS));
    assert_int_equal(blk_read(t, 0, bytes, 512), BLK_OK);
    assert_int_equal(blk_do(t, BLK_T_FLUSH, 0, NULL, 0, 0), BLK_OK);
    blk_free(t);
}

/* [blk-2.3] Offered is enough: the driver need not accept it. */
static void test_blk_read_only_does_not_depend_on_the_driver(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    t->config.read_only = true;
    blk_refuse(t, BLK_F_RO);
    blk_start(t);
    blk_expect_refused(t, BLK_T_OUT, 0, 512, 0, BLK_IOERR);
    blk_free(t);
}

static void test_blk_read_only_offers_nothing_that_changes_the_medium(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    t->config.read_only = true;
    blk_start(t);
    assert_false(test_driver_offers(&t->d, BLK_F_DISCARD));
    assert_false(test_driver_offers(&t->d, BLK_F_WRITE_ZEROES));
    assert_false(test_driver_offers(&t->d, BLK_F_SECURE_ERASE));
    assert_true(test_driver_offers(&t->d, BLK_F_FLUSH));
    blk_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_blk_reads_sectors, NULL, NULL),
        TEST_BOTH(test_blk_writes_sectors, NULL, NULL),
        TEST_BOTH(test_blk_copies_where_segments_are_not_wanted, NULL, NULL),
        TEST_BOTH(test_blk_gives_segments_except_for_copied_memory, NULL, NULL),
        TEST_BOTH(test_blk_reads_and_writes_the_last_sector, NULL, NULL),
        TEST_BOTH(test_blk_reads_the_whole_disk_in_one_request, NULL, NULL),
        TEST_BOTH(test_blk_answers_empty_transfers_without_the_back_end, NULL, NULL),
        TEST_BOTH(test_blk_accepts_a_header_in_pieces, NULL, NULL),
        TEST_BOTH(test_blk_accepts_header_and_data_in_one_descriptor, NULL, NULL),
        TEST_BOTH(test_blk_accepts_data_and_status_in_one_descriptor, NULL, NULL),
        TEST_BOTH(test_blk_accepts_data_in_odd_pieces, NULL, NULL),
        TEST_BOTH(test_blk_accepts_an_indirect_chain, NULL, NULL),
        TEST_BOTH(test_blk_reads_each_guest_byte_once, NULL, NULL),
        TEST_BOTH(test_blk_reads_each_range_byte_once, NULL, NULL),
        TEST_BOTH(test_blk_refuses_ranges_outside_the_capacity, NULL, NULL),
        TEST_BOTH(test_blk_refuses_data_that_is_no_whole_sector, NULL, NULL),
        TEST_BOTH(test_blk_refuses_data_the_wrong_way_round, NULL, NULL),
        TEST_BOTH(test_blk_refuses_a_short_header, NULL, NULL),
        TEST_BOTH(test_blk_faults_without_a_status_byte, NULL, NULL),
        TEST_BOTH(test_blk_refuses_unknown_and_legacy_types, NULL, NULL),
        TEST_BOTH(test_blk_limits_a_transfer_to_seg_max_times_size_max, NULL, NULL),
        TEST_BOTH(test_blk_faults_on_a_chain_longer_than_a_slot, NULL, NULL),
        TEST_BOTH(test_blk_survives_data_in_a_hole, NULL, NULL),
        TEST_BOTH(test_blk_reports_back_end_errors, NULL, NULL),
        TEST_BOTH(test_blk_reports_what_the_back_end_does_not_support, NULL, NULL),
        TEST_BOTH(test_blk_takes_a_short_transfer_as_an_error, NULL, NULL),
        TEST_BOTH(test_blk_holds_the_back_end_to_its_operation, NULL, NULL),
        TEST_BOTH(test_blk_withholds_a_request_whose_status_cannot_be_written, NULL, NULL),
        TEST_BOTH(test_blk_gives_its_identity, NULL, NULL),
        TEST_BOTH(test_blk_gives_an_identity_of_twenty_characters, NULL, NULL),
        TEST_BOTH(test_blk_refuses_an_identity_request_of_another_length, NULL, NULL),
        TEST_BOTH(test_blk_gives_the_lifetime_of_its_medium, NULL, NULL),
        TEST_BOTH(test_blk_never_sends_reserved_lifetime_values, NULL, NULL),
        TEST_BOTH(test_blk_reports_a_lifetime_that_cannot_be_had, NULL, NULL),
        TEST_BOTH(test_blk_without_wear_data_offers_no_lifetime, NULL, NULL),
        TEST_BOTH(test_blk_flushes, NULL, NULL),
        TEST_BOTH(test_blk_ignores_sector_and_data_of_a_flush, NULL, NULL),
        TEST_BOTH(test_blk_refuses_types_that_were_not_negotiated, NULL, NULL),
        TEST_BOTH(test_blk_read_only_refuses_writes_and_keeps_the_data, NULL, NULL),
        TEST_BOTH(test_blk_read_only_does_not_depend_on_the_driver, NULL, NULL),
        TEST_BOTH(test_blk_read_only_offers_nothing_that_changes_the_medium, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
