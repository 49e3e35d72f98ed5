/* SPDX-License-Identifier: BSD-3-Clause */
/* Disk operations as steps: which call comes first, and what follows from each result. */
#include "support/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/uio.h>

#include "block_internal.h"

#define FILE_FD   11
#define DIRECT_FD 12

struct step_test {
    struct avps_posix_block block;
    struct block_slot slot;
    struct avps_blk_io io;
    uint8_t memory[8][4096];
    enum avps_status status;
};

static int setup(void **state)
{
    struct step_test *t = calloc(1, sizeof *t);

    assert_non_null(t);
    t->block.fd = FILE_FD;
    t->block.direct_fd = -1;
    t->block.align = 512;
    t->block.sectors = 1000;
    t->block.zeroes = t->memory[7];
    t->slot.io = &t->io;
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void start(struct step_test *t, enum avps_blk_op op, uint64_t sector, uint32_t count)
{
    t->io.op = op;
    t->io.sector = sector;
    t->io.count = count;
    assert_true(block_first(&t->block, &t->slot));
}

/* Give a transfer its memory: pieces of these lengths. */
static void pieces(struct step_test *t, const size_t *lens, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        t->slot.iov[i] = (struct iovec){t->memory[i], lens[i]};
    }
    t->slot.iov_first = 0;
    t->slot.iov_count = count;
}

static bool next(struct step_test *t, int64_t result)
{
    return block_next(&t->block, &t->slot, result, &t->status);
}

static void assert_over(struct step_test *t, int64_t result, enum avps_status status)
{
    assert_true(next(t, result));
    assert_int_equal(t->status, status);
}

/* ---- transfers ---- */

static void test_block_step_reads_in_one_call(void **state)
{
    struct step_test *t = *state;
    static const size_t lens[] = {1024};

    start(t, AVPS_BLK_READ, 3, 2);
    pieces(t, lens, 1);
    assert_int_equal(t->slot.call, BLOCK_READV);
    assert_int_equal(t->slot.fd, FILE_FD);
    assert_int_equal(t->slot.flags, 0);
    assert_int_equal(t->slot.offset, 1536);
    assert_int_equal(t->slot.left, 1024);
    assert_over(t, 1024, AVPS_OK);
}

static void test_block_step_goes_on_after_a_short_transfer(void **state)
{
    struct step_test *t = *state;
    static const size_t lens[] = {512, 1024, 512};

    start(t, AVPS_BLK_WRITE, 0, 4);
    pieces(t, lens, 3);
    assert_false(next(t, 700)); /* inside the second piece */
    assert_int_equal(t->slot.call, BLOCK_WRITEV);
    assert_int_equal(t->slot.offset, 700);
    assert_int_equal(t->slot.left, 1348);
    assert_int_equal(t->slot.iov_first, 1);
    assert_ptr_equal(t->slot.iov[1].iov_base, t->memory[1] + 188);
    assert_int_equal(t->slot.iov[1].iov_len, 836);
    assert_false(next(t, 836)); /* to its end */
    assert_int_equal(t->slot.iov_first, 2);
    assert_int_equal(t->slot.iov[2].iov_len, 512);
    assert_over(t, 512, AVPS_OK);
}

static void test_block_step_fails_when_nothing_moves(void **state)
{
    struct step_test *t = *state;
    static const size_t lens[] = {1024};

    start(t, AVPS_BLK_READ, 0, 2);
    pieces(t, lens, 1);
    assert_false(next(t, 512));
    assert_over(t, 0, AVPS_E_IO); /* the file ends here */
}

static void test_block_step_does_not_believe_more_than_was_asked(void **state)
{
    struct step_test *t = *state;
    static const size_t lens[] = {512};

    start(t, AVPS_BLK_READ, 0, 1);
    pieces(t, lens, 1);
    assert_over(t, 513, AVPS_E_IO);
}

static void test_block_step_moves_nothing_for_an_empty_transfer(void **state)
{
    struct step_test *t = *state;

    start(t, AVPS_BLK_READ, 0, 0);
    pieces(t, NULL, 0);
    assert_over(t, 0, AVPS_OK);
}

static void test_block_step_repeats_an_interrupted_call(void **state)
{
    struct step_test *t = *state;
    static const size_t lens[] = {512};

    start(t, AVPS_BLK_READ, 0, 1);
    pieces(t, lens, 1);
    for (unsigned int i = 0; i < BLOCK_RETRIES; i++) {
        assert_false(next(t, i % 2U == 0U ? -EINTR : -EAGAIN));
    }
    assert_over(t, -EAGAIN, AVPS_E_IO); /* not for ever */
}

static void test_block_step_counts_interruptions_from_the_last_progress(void **state)
{
    struct step_test *t = *state;
    static const size_t lens[] = {1024};

    start(t, AVPS_BLK_READ, 0, 2);
    pieces(t, lens, 1);
    for (unsigned int i = 0; i < BLOCK_RETRIES; i++) {
        assert_false(next(t, -EINTR));
    }
    assert_false(next(t, 512));
    assert_false(next(t, -EINTR));
    assert_over(t, 512, AVPS_OK);
}

static void test_block_step_answers_errors_with_their_status(void **state)
{
    struct step_test *t = *state;
    static const struct {
        int number;
        enum avps_status status;
    } rows[] = {{EIO, AVPS_E_IO},
                {ENOSPC, AVPS_E_NOSPACE},
                {EDQUOT, AVPS_E_NOSPACE},
                {EBADF, AVPS_E_IO},
                {EOPNOTSUPP, AVPS_E_UNSUPPORTED}};
    static const size_t lens[] = {512};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start(t, AVPS_BLK_WRITE, 0, 1);
        pieces(t, lens, 1);
        assert_over(t, -rows[i].number, rows[i].status);
    }
}

static void test_block_step_writes_through_when_asked_to(void **state)
{
    struct step_test *t = *state;

    t->io.fua = true;
    start(t, AVPS_BLK_WRITE, 0, 1);
    assert_int_equal(t->slot.flags, RWF_DSYNC);
    start(t, AVPS_BLK_READ, 0, 1);
    assert_int_equal(t->slot.flags, 0);
}

static void test_block_step_syncs_behind_a_write_that_cannot_go_through(void **state)
{
    struct step_test *t = *state;
    static const size_t lens[] = {512};

    t->io.fua = true;
    start(t, AVPS_BLK_WRITE, 0, 1);
    pieces(t, lens, 1);
    assert_false(next(t, -EOPNOTSUPP));
    assert_int_equal(t->slot.call, BLOCK_WRITEV);
    assert_int_equal(t->slot.flags, 0);
    assert_int_equal(t->slot.left, 512);
    assert_false(next(t, 512));
    assert_int_equal(t->slot.call, BLOCK_FDATASYNC);
    assert_over(t, 0, AVPS_OK);
}

static void test_block_step_takes_direct_access_for_whole_units(void **state)
{
    struct step_test *t = *state;

    t->block.direct_fd = DIRECT_FD;
    t->block.align = 4096;
    start(t, AVPS_BLK_WRITE, 8, 16);
    assert_int_equal(t->slot.fd, DIRECT_FD);
    start(t, AVPS_BLK_WRITE, 8, 15);
    assert_int_equal(t->slot.fd, FILE_FD);
    start(t, AVPS_BLK_READ, 7, 16);
    assert_int_equal(t->slot.fd, FILE_FD);
}

/* ---- flush, discard ---- */

static void test_block_step_flushes(void **state)
{
    struct step_test *t = *state;

    start(t, AVPS_BLK_FLUSH, 0, 0);
    assert_int_equal(t->slot.call, BLOCK_FDATASYNC);
    assert_over(t, 0, AVPS_OK);
    start(t, AVPS_BLK_FLUSH, 0, 0);
    assert_over(t, -EIO, AVPS_E_IO);
}

static void test_block_step_discards_by_holes_or_by_the_device(void **state)
{
    struct step_test *t = *state;

    start(t, AVPS_BLK_DISCARD, 8, 16);
    assert_int_equal(t->slot.call, BLOCK_FALLOCATE);
    assert_int_equal(t->slot.flags, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE);
    assert_int_equal(t->slot.offset, 4096);
    assert_int_equal(t->slot.left, 8192);
    assert_over(t, 0, AVPS_OK);
    t->block.device = true;
    start(t, AVPS_BLK_DISCARD, 8, 16);
    assert_int_equal(t->slot.call, BLOCK_DISCARD_DEVICE);
    assert_over(t, 0, AVPS_OK);
}

static void test_block_step_takes_discard_for_a_hint(void **state)
{
    struct step_test *t = *state;

    start(t, AVPS_BLK_DISCARD, 0, 8);
    assert_over(t, -EOPNOTSUPP, AVPS_OK);
    start(t, AVPS_BLK_DISCARD, 0, 8);
    assert_over(t, -EIO, AVPS_E_IO);
}

static void test_block_step_knows_no_secure_erase(void **state)
{
    struct step_test *t = *state;

    t->io.op = AVPS_BLK_SECURE_ERASE;
    assert_false(block_first(&t->block, &t->slot));
}

/* ---- zeroes ---- */

static void test_block_step_zeroes_keep_their_space_unless_allowed(void **state)
{
    struct step_test *t = *state;

    start(t, AVPS_BLK_WRITE_ZEROES, 8, 8);
    assert_int_equal(t->slot.call, BLOCK_FALLOCATE);
    assert_int_equal(t->slot.flags, FALLOC_FL_KEEP_SIZE | FALLOC_FL_ZERO_RANGE);
    assert_over(t, 0, AVPS_OK);
    t->io.unmap = true;
    start(t, AVPS_BLK_WRITE_ZEROES, 8, 8);
    assert_int_equal(t->slot.flags, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE);
    assert_over(t, 0, AVPS_OK);
}

static void test_block_step_writes_zeroes_where_the_file_system_cannot(void **state)
{
    struct step_test *t = *state;
    const uint64_t bytes = 5000U * 512U; /* two steps and a bit */

    start(t, AVPS_BLK_WRITE_ZEROES, 2, 5000);
    assert_false(next(t, -EOPNOTSUPP));
    assert_int_equal(t->slot.call, BLOCK_WRITEV);
    assert_int_equal(t->slot.flags, 0);
    assert_int_equal(t->slot.iov_count, BLOCK_ZERO_IOVS);
    assert_ptr_equal(t->slot.iov[0].iov_base, t->block.zeroes);
    assert_int_equal(t->slot.iov[BLOCK_ZERO_IOVS - 1U].iov_len, BLOCK_BUFFER);
    assert_int_equal(t->slot.offset, 1024);
    assert_false(next(t, (int64_t)BLOCK_ZERO_IOVS * BLOCK_BUFFER));
    assert_int_equal(t->slot.offset, 1024 + BLOCK_ZERO_IOVS * BLOCK_BUFFER);
    assert_false(next(t, 100)); /* short: the buffers are as new */
    assert_int_equal(t->slot.iov_first, 0);
    assert_ptr_equal(t->slot.iov[0].iov_base, t->block.zeroes);
    const uint64_t left = bytes - BLOCK_ZERO_IOVS * BLOCK_BUFFER - 100U;
    assert_int_equal(t->slot.left, left);
    assert_false(next(t, (int64_t)BLOCK_ZERO_IOVS * BLOCK_BUFFER));
    assert_int_equal(t->slot.left, left - BLOCK_ZERO_IOVS * BLOCK_BUFFER);
    assert_over(t, (int64_t)t->slot.left, AVPS_OK);
}

static void test_block_step_fails_zeroes_that_cannot_be_written(void **state)
{
    struct step_test *t = *state;

    start(t, AVPS_BLK_WRITE_ZEROES, 0, 8);
    assert_over(t, -ENOSPC, AVPS_E_NOSPACE);
    start(t, AVPS_BLK_WRITE_ZEROES, 0, 8);
    assert_false(next(t, -EINVAL));
    assert_over(t, -EINVAL, AVPS_E_IO);
    start(t, AVPS_BLK_WRITE_ZEROES, 0, 8);
    assert_false(next(t, -EOPNOTSUPP));
    assert_over(t, 0, AVPS_E_IO);
}

static void test_block_step_syncs_zeroes_that_must_be_durable(void **state)
{
    struct step_test *t = *state;

    t->io.fua = true;
    start(t, AVPS_BLK_WRITE_ZEROES, 0, 8);
    assert_false(next(t, 0));
    assert_int_equal(t->slot.call, BLOCK_FDATASYNC);
    assert_over(t, 0, AVPS_OK);
    start(t, AVPS_BLK_WRITE_ZEROES, 0, 8);
    assert_false(next(t, -EOPNOTSUPP));
    assert_false(next(t, 4096));
    assert_int_equal(t->slot.call, BLOCK_FDATASYNC);
    assert_over(t, -EIO, AVPS_E_IO);
    start(t, AVPS_BLK_WRITE_ZEROES, 0, 8);
    assert_over(t, -EIO, AVPS_E_IO); /* nothing to be synced */
}

#define TEST(f) cmocka_unit_test_setup_teardown((f), setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_block_step_reads_in_one_call),
        TEST(test_block_step_goes_on_after_a_short_transfer),
        TEST(test_block_step_fails_when_nothing_moves),
        TEST(test_block_step_does_not_believe_more_than_was_asked),
        TEST(test_block_step_moves_nothing_for_an_empty_transfer),
        TEST(test_block_step_repeats_an_interrupted_call),
        TEST(test_block_step_counts_interruptions_from_the_last_progress),
        TEST(test_block_step_answers_errors_with_their_status),
        TEST(test_block_step_writes_through_when_asked_to),
        TEST(test_block_step_syncs_behind_a_write_that_cannot_go_through),
        TEST(test_block_step_takes_direct_access_for_whole_units),
        TEST(test_block_step_flushes),
        TEST(test_block_step_discards_by_holes_or_by_the_device),
        TEST(test_block_step_takes_discard_for_a_hint),
        TEST(test_block_step_knows_no_secure_erase),
        TEST(test_block_step_zeroes_keep_their_space_unless_allowed),
        TEST(test_block_step_writes_zeroes_where_the_file_system_cannot),
        TEST(test_block_step_fails_zeroes_that_cannot_be_written),
        TEST(test_block_step_syncs_zeroes_that_must_be_durable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
