/* SPDX-License-Identifier: BSD-3-Clause */
/* Disk on files and block devices, behind a block device: reads, writes, durability, holes, zeroes,
 * direct access, copies, full file systems, short files, locks, both engines. */
#include "sandbox.h"
#include "support/driver.h"

#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include "avps/blk.h"
#include "avps_posix/block.h"
#include "avps_posix/runner.h"

#define SECTORS 2048U
#define BYTES   (SECTORS * 512U)
#define SLOTS   8U

enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_DISCARD = 11, T_WRITE_ZEROES = 13 };
enum { S_OK = 0, S_IOERR = 1, S_UNSUPP = 2 };

struct disk_test {
    struct sandbox box;
    char path[SANDBOX_PATH];
    struct avps_posix_loop loop;
    struct avps_posix_block_config open;
    struct avps_posix_block *block;
    struct avps_posix_error error;
    enum test_mem_kind kind; /* of guest memory */
    bool write_through;
    bool running;
    struct test_driver d;
    struct avps_posix_runner runner;
    struct avps_queue queues[1];
    struct avps_blk_request requests[SLOTS];
    struct avps_blk blk;
    uint32_t skew; /* of the guest's buffers from a page of the host's */
};

/* Every test runs with every engine that is built in. */
static enum avps_posix_block_engine test_sync_engine = AVPS_POSIX_BLOCK_SYNC;
#ifdef AVPS_TEST_LIBURING
static enum avps_posix_block_engine test_uring_engine = AVPS_POSIX_BLOCK_URING;
#endif

static uint8_t first(uint64_t at)
{
    return (uint8_t)(at / 512U * 7U + at);
}

static void make_file(const char *path, uint32_t bytes)
{
    const int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    uint8_t *content = malloc(bytes);

    assert_true(fd >= 0);
    assert_non_null(content);
    for (uint32_t i = 0; i < bytes; i++) {
        content[i] = first(i);
    }
    assert_int_equal(write(fd, content, bytes), bytes);
    free(content);
    (void)close(fd);
}

static int setup(void **state)
{
    struct disk_test *t = calloc(1, sizeof *t);

    assert_non_null(t);
    t->open.engine = *(const enum avps_posix_block_engine *)*state;
    t->open.depth = SLOTS;
    t->open.loop = &t->loop;
    t->open.path = t->path;
    sandbox_make(&t->box);
    (void)sandbox_path(&t->box, t->path, "disk.img");
    make_file(t->path, BYTES);
    assert_int_equal(avps_posix_loop_init(&t->loop), AVPS_OK);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct disk_test *t = *state;

    if (t->running) {
        test_driver_free(&t->d);
    }
    assert_int_equal(avps_posix_block_close(t->block), AVPS_OK);
    avps_posix_loop_free(&t->loop);
    sandbox_remove(&t->box);
    free(t);
    return 0;
}

static void disk_open(struct disk_test *t)
{
    const enum avps_status status = avps_posix_block_open(&t->block, &t->open, &t->error);

    if (status == AVPS_E_UNSUPPORTED) {
        print_message("%s\n", t->error.text);
        skip();
    }
    assert_int_equal(status, AVPS_OK);
    assert_int_equal(avps_posix_block_is_async(t->block), t->open.engine == AVPS_POSIX_BLOCK_URING);
}

static enum avps_poll_result disk_poll(void *ctx)
{
    return avps_poll(ctx, 64);
}

static void disk_start(struct disk_test *t)
{
    const struct avps_posix_runner_config runner = {
        .loop = &t->loop, .poll = disk_poll, .ctx = &t->blk.base};
    struct avps_blk_config config = {.requests = t->requests, .request_count = SLOTS};

    disk_open(t);
    assert_int_equal(avps_posix_runner_init(&t->runner, &runner), AVPS_OK);
    test_driver_init_sized(&t->d, t->kind, 0x400000);
    t->d.size = 64;
    t->running = true;
    config.base = test_driver_base(&t->d, t->queues, 1, 64);
    config.base.port = &t->runner.port;
    config.write_through = t->write_through;
    avps_posix_block_describe(t->block, &config);
    assert_int_equal(avps_blk_init(&t->blk, &config), AVPS_OK);
    avps_posix_block_attach(t->block, &t->blk);
    test_driver_attach(&t->d, &t->blk.base);
    test_driver_want_all(&t->d, false);
    avps_features_remove(&t->d.want, AVPS_F_IN_ORDER);
    test_driver_start(&t->d);
}

/* ---- requests ---- */

static void put(uint8_t *at, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(value >> (8U * i));
    }
}

/* A request that is out. */
struct request {
    avps_gpa header;
    avps_gpa data;
    avps_gpa status;
    uint32_t len;
    uint16_t id;
};

/* A buffer that lies at `skew` in a page of the host's. */
static avps_gpa disk_buffer(struct disk_test *t, uint32_t len)
{
    const avps_gpa gpa = test_mem_alloc(&t->d.mem, len + 8192U, 1);
    const uintptr_t at = (uintptr_t)test_mem_host(&t->d.mem, gpa, 1);

    return gpa + (4096U - at % 4096U) + t->skew;
}

/* Header | data in two pieces | status. */
static void disk_send(struct disk_test *t, struct request *r, uint32_t type, uint64_t sector,
                      const void *out, uint32_t len)
{
    uint8_t header[16] = {0};
    const uint16_t way = type == T_IN ? TEST_WRITE : 0U;
    const uint32_t half = len / 2U / 4096U * 4096U;
    struct test_desc descs[4] = {{0, 16, 0}};
    uint32_t count = 1;

    put(header, type, 4);
    put(header + 8, sector, 8);
    r->len = len;
    r->header = test_mem_alloc(&t->d.mem, 16, 16);
    r->data = disk_buffer(t, len);
    r->status = test_mem_alloc(&t->d.mem, 1, 1);
    test_mem_put(&t->d.mem, r->header, header, 16);
    if (out != NULL) {
        test_mem_put(&t->d.mem, r->data, out, len);
    }
    descs[0].gpa = r->header;
    if (half != 0U) {
        descs[count++] = (struct test_desc){r->data, half, way};
    }
    if (len != 0U) {
        descs[count++] = (struct test_desc){r->data + half, len - half, way};
    }
    descs[count++] = (struct test_desc){r->status, 1, TEST_WRITE};
    r->id = test_ring_add(&t->d.ring[0], descs, count);
    test_driver_kick(&t->d, 0);
    avps_posix_runner_wake(&t->runner);
}

/* Serve until it is back. @return its status. */
static uint8_t disk_wait(struct disk_test *t, const struct request *r)
{
    struct test_used used = {0, 0};
    uint8_t status = 0;

    while (!test_driver_reap(&t->d, 0, &used)) {
        assert_int_equal(avps_posix_loop_step(&t->loop, true), AVPS_OK);
    }
    assert_int_equal(used.id, r->id);
    test_mem_get(&t->d.mem, r->status, &status, 1);
    return status;
}

static uint8_t disk_write(struct disk_test *t, uint64_t sector, const void *bytes, uint32_t len)
{
    struct request r;

    disk_send(t, &r, T_OUT, sector, bytes, len);
    return disk_wait(t, &r);
}

static uint8_t disk_read(struct disk_test *t, uint64_t sector, void *bytes, uint32_t len)
{
    struct request r;

    disk_send(t, &r, T_IN, sector, NULL, len);
    const uint8_t status = disk_wait(t, &r);
    test_mem_get(&t->d.mem, r.data, bytes, len);
    return status;
}

static uint8_t disk_range(struct disk_test *t, uint32_t type, uint64_t sector, uint32_t count,
                          bool unmap)
{
    uint8_t range[16];
    struct request r;

    put(range, sector, 8);
    put(range + 8, count, 4);
    put(range + 12, unmap ? 1U : 0U, 4);
    disk_send(t, &r, type, 0, range, 16);
    return disk_wait(t, &r);
}

static uint8_t disk_flush(struct disk_test *t)
{
    struct request r;

    disk_send(t, &r, T_FLUSH, 0, NULL, 0);
    return disk_wait(t, &r);
}

static const struct avps_posix_block_counters *counters(const struct disk_test *t)
{
    return avps_posix_block_counters(t->block);
}

/* Opening fails with a line that has `text` in it. */
static void assert_refused(struct disk_test *t, enum avps_status status, const char *text)
{
    struct avps_posix_block *block = NULL;

    (void)memset(&t->error, 0, sizeof t->error);
    assert_int_equal(avps_posix_block_open(&block, &t->open, &t->error), status);
    assert_null(block);
    assert_non_null(strstr(t->error.text, text));
    assert_null(strchr(t->error.text, '\n'));
}

/* ---- what is in the file ---- */

static void file_read(const struct disk_test *t, uint64_t sector, uint8_t *bytes, uint32_t len)
{
    const int fd = open(t->path, O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, bytes, len, (off_t)(sector * 512U)), len);
    (void)close(fd);
}

static void assert_file_is_first(const struct disk_test *t, uint64_t sector, uint32_t count)
{
    uint8_t bytes[512];

    for (uint32_t i = 0; i < count; i++) {
        file_read(t, sector + i, bytes, 512);
        for (uint32_t j = 0; j < 512U; j++) {
            assert_int_equal(bytes[j], first((sector + i) * 512U + j));
        }
    }
}

static void assert_file_is(const struct disk_test *t, uint64_t sector, uint32_t count, uint8_t byte)
{
    uint8_t bytes[512];

    for (uint32_t i = 0; i < count; i++) {
        file_read(t, sector + i, bytes, 512);
        for (uint32_t j = 0; j < 512U; j++) {
            assert_int_equal(bytes[j], byte);
        }
    }
}

static blkcnt_t file_blocks(const struct disk_test *t)
{
    struct stat about;

    assert_int_equal(stat(t->path, &about), 0);
    return about.st_blocks;
}

/* ---- reads and writes ---- */

static void test_block_reads_what_is_in_the_file(void **state)
{
    struct disk_test *t = *state;
    uint8_t *bytes = malloc(65536);

    assert_non_null(bytes);
    disk_start(t);
    assert_int_equal(disk_read(t, 5, bytes, 65536), S_OK);
    for (uint32_t i = 0; i < 65536U; i++) {
        assert_int_equal(bytes[i], first(5U * 512U + i));
    }
    assert_int_equal(counters(t)->copies, 0);
    assert_int_equal(counters(t)->operations, 1);
    assert_int_equal(disk_read(t, SECTORS - 1U, bytes, 512), S_OK);
    assert_int_equal(bytes[511], first(BYTES - 1U));
    assert_int_equal(disk_read(t, SECTORS, bytes, 512), S_IOERR); /* the device refuses it */
    assert_int_equal(counters(t)->operations, 2);
    free(bytes);
}

static void test_block_writes_into_the_file_and_nowhere_else(void **state)
{
    struct disk_test *t = *state;
    uint8_t bytes[16384];

    (void)memset(bytes, 0x5a, sizeof bytes);
    disk_start(t);
    assert_int_equal(disk_write(t, 64, bytes, sizeof bytes), S_OK);
    assert_file_is(t, 64, 32, 0x5a);
    assert_file_is_first(t, 0, 64);
    assert_file_is_first(t, 96, 64);
    assert_int_equal(disk_flush(t), S_OK);
    assert_int_equal(counters(t)->failed, 0);
}

static void test_block_serves_many_requests_at_once(void **state)
{
    struct disk_test *t = *state;
    struct request r[SLOTS];
    uint8_t bytes[4096];
    struct test_used used = {0, 0};
    unsigned int back = 0;

    disk_start(t);
    for (uint32_t i = 0; i < SLOTS; i++) {
        disk_send(t, &r[i], T_IN, i * 8U, NULL, 4096);
    }
    while (back < SLOTS) {
        assert_int_equal(avps_posix_loop_step(&t->loop, true), AVPS_OK);
        while (test_driver_reap(&t->d, 0, &used)) {
            assert_int_equal(used.len, 4097);
            back++;
        }
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
        test_mem_get(&t->d.mem, r[i].data, bytes, 4096);
        for (uint32_t j = 0; j < 4096U; j++) {
            assert_int_equal(bytes[j], first(i * 4096U + j));
        }
    }
    if (t->open.engine == AVPS_POSIX_BLOCK_URING) {
        assert_int_equal(counters(t)->submits, 1); /* all in one call */
    }
}

static void test_block_copies_for_guests_whose_memory_is_not_mapped(void **state)
{
    struct disk_test *t = *state;
    uint8_t *bytes = malloc(200000);

    assert_non_null(bytes);
    t->kind = TEST_MEM_COPY;
    disk_start(t);
    assert_int_equal(disk_read(t, 3, bytes, 153600), S_OK);
    for (uint32_t i = 0; i < 153600U; i++) {
        assert_int_equal(bytes[i], first(3U * 512U + i));
    }
    (void)memset(bytes, 0x77, 153600);
    assert_int_equal(disk_write(t, 10, bytes, 153600), S_OK);
    assert_file_is(t, 10, 300, 0x77);
    assert_file_is_first(t, 310, 2);
    assert_int_equal(counters(t)->copies, 2);
    free(bytes);
}

static void test_block_writes_through_when_the_guest_has_no_cache(void **state)
{
    struct disk_test *t = *state;
    uint8_t bytes[4096];

    (void)memset(bytes, 0x33, sizeof bytes);
    t->write_through = true;
    disk_start(t);
    assert_false(avps_blk_is_writeback(&t->blk));
    assert_int_equal(disk_write(t, 0, bytes, sizeof bytes), S_OK);
    assert_file_is(t, 0, 8, 0x33);
    const uint64_t calls = counters(t)->calls;
    assert_true(calls == 1U || calls == 3U); /* RWF_DSYNC; or refused, written, synced behind */
    assert_int_equal(disk_range(t, T_WRITE_ZEROES, 0, 8, true), S_OK);
    assert_file_is(t, 0, 8, 0);
    assert_int_equal(counters(t)->calls, calls + 2U); /* hole, fdatasync */
}

/* ---- holes and zeroes ---- */

static void test_block_discard_gives_space_back(void **state)
{
    struct disk_test *t = *state;
    const blkcnt_t before = file_blocks(t);

    disk_start(t);
    assert_int_equal(disk_range(t, T_DISCARD, 256, 1024, false), S_OK);
    assert_true(file_blocks(t) <= before - 1024);
    assert_file_is(t, 256, 1024, 0);
    assert_file_is_first(t, 255, 1);
    assert_file_is_first(t, 1280, 1);
}

static void test_block_zeroes_keep_space_unless_they_may_unmap(void **state)
{
    struct disk_test *t = *state;
    const blkcnt_t before = file_blocks(t);

    disk_start(t);
    assert_int_equal(disk_range(t, T_WRITE_ZEROES, 256, 512, false), S_OK);
    assert_file_is(t, 256, 512, 0);
    assert_true(file_blocks(t) >= before);
    assert_int_equal(disk_range(t, T_WRITE_ZEROES, 1024, 512, true), S_OK);
    assert_file_is(t, 1024, 512, 0);
    assert_true(file_blocks(t) <= before - 512);
    assert_file_is_first(t, 255, 1);
    assert_file_is_first(t, 768, 1);
    assert_file_is_first(t, 1023, 1);
    assert_file_is_first(t, 1536, 1);
}

/* tmpfs cannot zero a range and keep it. */
static void test_block_writes_zeroes_where_the_file_system_cannot(void **state)
{
    struct disk_test *t = *state;

    sandbox_mount(&t->box, "size=8m");
    make_file(t->path, BYTES);
    disk_start(t);
    assert_int_equal(disk_range(t, T_WRITE_ZEROES, 1, 2000, false), S_OK);
    assert_file_is(t, 1, 2000, 0);
    assert_file_is_first(t, 0, 1);
    assert_file_is_first(t, 2001, 1);
}

/* ---- direct access ---- */

static void test_block_direct_moves_aligned_memory_without_a_copy(void **state)
{
    struct disk_test *t = *state;
    uint8_t *bytes = malloc(65536);

    assert_non_null(bytes);
    t->open.direct = true;
    disk_start(t);
    assert_int_equal(disk_read(t, 8, bytes, 65536), S_OK);
    assert_int_equal(bytes[0], first(4096));
    assert_int_equal(bytes[65535], first(4096U + 65535U));
    (void)memset(bytes, 0x44, 65536);
    assert_int_equal(disk_write(t, 16, bytes, 65536), S_OK);
    assert_file_is(t, 16, 128, 0x44);
    assert_file_is_first(t, 144, 1);
    assert_int_equal(counters(t)->copies, 0);
    assert_int_equal(counters(t)->buffered, 0);
    free(bytes);
}

static void test_block_direct_copies_memory_that_is_not_aligned(void **state)
{
    struct disk_test *t = *state;
    uint8_t bytes[8192];

    (void)memset(bytes, 0x44, sizeof bytes);
    t->open.direct = true;
    t->skew = 2;
    disk_start(t);
    assert_int_equal(disk_write(t, 16, bytes, sizeof bytes), S_OK);
    assert_file_is(t, 16, 16, 0x44);
    assert_int_equal(disk_read(t, 32, bytes, sizeof bytes), S_OK);
    assert_int_equal(bytes[100], first(32U * 512U + 100U));
    assert_int_equal(counters(t)->copies, 2);
}

static void test_block_direct_serves_small_requests_too(void **state)
{
    struct disk_test *t = *state;
    uint8_t bytes[512];

    (void)memset(bytes, 0x66, sizeof bytes);
    t->open.direct = true;
    disk_start(t);
    assert_int_equal(disk_write(t, 3, bytes, 512), S_OK);
    assert_int_equal(disk_flush(t), S_OK);
    assert_file_is(t, 3, 1, 0x66);
    assert_file_is_first(t, 0, 3);
    assert_file_is_first(t, 4, 10);
    assert_int_equal(disk_read(t, 4, bytes, 512), S_OK);
    assert_int_equal(bytes[0], first(2048));
}

static void test_block_says_that_there_is_no_direct_access(void **state)
{
    struct disk_test *t = *state;

    t->open.direct = true;
    t->open.read_only = true;
    t->open.path = "/sys/devices/system/cpu/online"; /* a regular file, but not on a medium */
    assert_refused(t, AVPS_E_UNSUPPORTED, "has no direct access");
}

/* ---- faults ---- */

static void test_block_reports_a_full_file_system_and_goes_on(void **state)
{
    struct disk_test *t = *state;
    uint8_t bytes[32768];
    unsigned int written = 0;
    unsigned int refused = 0;

    sandbox_mount(&t->box, "size=256k");
    const int fd = open(t->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(fd, BYTES), 0);
    (void)close(fd);
    (void)memset(bytes, 0x12, sizeof bytes);
    disk_start(t);
    for (uint32_t i = 0; i < 16U; i++) {
        if (disk_write(t, i * 64U, bytes, sizeof bytes) == S_OK) {
            written++;
        } else {
            refused++;
        }
    }
    assert_int_equal(written + refused, 16);
    assert_int_equal(written, 8); /* 256 KiB */
    assert_int_equal(counters(t)->last_error, ENOSPC);
    assert_int_equal(counters(t)->failed, refused);
    assert_int_equal(disk_range(t, T_DISCARD, 0, 64, false), S_OK);
    assert_int_equal(disk_write(t, 512, bytes, sizeof bytes), S_OK);
    assert_file_is(t, 512, 64, 0x12);
}

static void test_block_reports_a_file_that_ends_early(void **state)
{
    struct disk_test *t = *state;
    uint8_t bytes[4096];

    disk_start(t);
    assert_int_equal(truncate(t->path, 8192 + 512), 0);
    assert_int_equal(disk_read(t, 16, bytes, 512), S_OK);
    assert_int_equal(disk_read(t, 16, bytes, 4096), S_IOERR); /* some of it */
    assert_int_equal(disk_read(t, 32, bytes, 4096), S_IOERR); /* nothing of it */
    assert_int_equal(disk_read(t, 8, bytes, 4096), S_OK);
    assert_int_equal(counters(t)->failed, 2);
}

static void test_block_fails_what_its_descriptor_does_not_allow(void **state)
{
    struct disk_test *t = *state;
    struct avps_blk_config config = {.requests = t->requests};
    const struct avps_blk_io io = {.op = AVPS_BLK_WRITE_ZEROES, .sector = 0, .count = 8};

    t->open.read_only = true;
    disk_open(t);
    avps_posix_block_describe(t->block, &config);
    assert_true(config.read_only);
    assert_int_equal(config.discard.max_sectors, 0);
    assert_int_equal(config.zeroes.max_sectors, 0);
    enum avps_status status = config.ops->submit(config.ctx, &io);
    if (status == AVPS_PENDING) {
        while (counters(t)->failed == 0U) {
            assert_int_equal(avps_posix_loop_step(&t->loop, true), AVPS_OK);
        }
        status = AVPS_E_IO;
    }
    assert_int_equal(status, AVPS_E_IO);
    assert_int_equal(counters(t)->last_error, EBADF);
    assert_file_is_first(t, 0, 8);
}

static void test_block_refuses_what_lies_outside(void **state)
{
    struct disk_test *t = *state;
    struct avps_blk_config config = {.requests = t->requests};
    static const struct {
        uint64_t sector;
        uint32_t count;
    } bad[] = {{SECTORS, 1}, {SECTORS - 1U, 2}, {UINT64_MAX, 1}, {UINT64_C(1) << 55U, 1}};

    disk_open(t);
    avps_posix_block_describe(t->block, &config);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct avps_blk_io io = {
            .op = AVPS_BLK_WRITE_ZEROES, .sector = bad[i].sector, .count = bad[i].count};
        assert_int_equal(config.ops->submit(config.ctx, &io), AVPS_E_IO);
    }
    const struct avps_blk_io erase = {.op = AVPS_BLK_SECURE_ERASE, .sector = 0, .count = 1};
    assert_int_equal(config.ops->submit(config.ctx, &erase), AVPS_E_UNSUPPORTED);
    assert_int_equal(counters(t)->calls, 0);
    assert_file_is_first(t, SECTORS - 2U, 2);
}

static void test_block_refuses_more_than_its_depth(void **state)
{
    struct disk_test *t = *state;
    struct avps_blk_config config = {.requests = t->requests};
    const struct avps_blk_io io = {.op = AVPS_BLK_FLUSH};

    if (t->open.engine != AVPS_POSIX_BLOCK_URING) {
        return; /* at once: there is never more than one */
    }
    disk_open(t);
    avps_posix_block_describe(t->block, &config);
    for (uint32_t i = 0; i < SLOTS; i++) {
        assert_int_equal(config.ops->submit(config.ctx, &io), AVPS_PENDING);
    }
    assert_int_equal(config.ops->submit(config.ctx, &io), AVPS_E_NOSPACE);
    assert_int_equal(config.ops->cancel(config.ctx, AVPS_BLK_ALL_QUEUES), AVPS_PENDING);
    uint32_t back = 0;
    while (back < SLOTS) {
        assert_int_equal(avps_posix_loop_step(&t->loop, false), AVPS_OK);
        back += avps_posix_block_poll(t->block);
        back = avps_posix_block_counters(t->block)->operations == SLOTS &&
                       config.ops->cancel(config.ctx, 0) == AVPS_OK
                   ? SLOTS
                   : back;
    }
    assert_int_equal(config.ops->cancel(config.ctx, AVPS_BLK_ALL_QUEUES), AVPS_OK);
}

static void test_block_close_waits_for_what_is_on_its_way(void **state)
{
    struct disk_test *t = *state;
    struct avps_blk_config config = {.requests = t->requests};
    struct avps_blk_io io[SLOTS];

    disk_open(t);
    avps_posix_block_describe(t->block, &config);
    for (uint32_t i = 0; i < SLOTS; i++) {
        io[i] = (struct avps_blk_io){
            .op = AVPS_BLK_WRITE_ZEROES, .sector = i * 8U, .count = 8, .fua = true};
        const enum avps_status status = config.ops->submit(config.ctx, &io[i]);
        assert_true(status == AVPS_OK || status == AVPS_PENDING);
    }
    assert_int_equal(avps_posix_block_close(t->block), AVPS_OK);
    t->block = NULL;
    assert_file_is(t, 0, SLOTS * 8U, 0);
    assert_file_is_first(t, SLOTS * 8U, 8);
}

/* A driver that resets with requests in flight gets its device back when they are done. */
static void test_block_lets_a_reset_wait_for_the_medium(void **state)
{
    struct disk_test *t = *state;
    struct request r;
    uint8_t bytes[4096];

    disk_start(t);
    disk_send(t, &r, T_IN, 0, NULL, 4096);
    (void)avps_poll(&t->blk.base, 64); /* handed over, or done */
    test_driver_set(&t->d, TEST_STATUS, 0);
    while (test_driver_get(&t->d, TEST_STATUS) != 0U) {
        assert_int_equal(avps_posix_loop_step(&t->loop, true), AVPS_OK);
    }
    test_driver_reset(&t->d);
    test_driver_start(&t->d);
    assert_int_equal(disk_read(t, 9, bytes, 4096), S_OK);
    assert_int_equal(bytes[1], first(9U * 512U + 1U));
}

/* ---- opening ---- */

static void test_block_says_what_is_wrong_with_a_file(void **state)
{
    struct disk_test *t = *state;
    char other[SANDBOX_PATH];

    t->open.path = sandbox_path(&t->box, other, "missing.img");
    assert_refused(t, AVPS_E_IO, "does not exist: create it");
    t->open.path = t->box.folder;
    assert_refused(t, AVPS_E_PARAM, "neither a file nor a block device");
    t->open.path = "/dev/zero";
    assert_refused(t, AVPS_E_PARAM, "neither a file nor a block device");
    t->open.path = t->path;
    assert_int_equal(truncate(t->path, 1000), 0);
    assert_refused(t, AVPS_E_PARAM, "has 1000 bytes, which are no whole sectors");
    assert_int_equal(truncate(t->path, 0), 0);
    assert_refused(t, AVPS_E_PARAM, "is empty");
    assert_int_equal(truncate(t->path, 512), 0);
    disk_open(t);
}

static void test_block_refuses_a_bad_configuration(void **state)
{
    struct disk_test *t = *state;

    t->open.depth = 0;
    assert_refused(t, AVPS_E_PARAM, "depth");
    t->open.depth = 4097;
    assert_refused(t, AVPS_E_PARAM, "depth");
    t->open.depth = 1;
    t->open.path = NULL;
    assert_refused(t, AVPS_E_PARAM, "path");
    t->open.path = t->path;
    t->open.loop = NULL;
    t->open.engine = AVPS_POSIX_BLOCK_AUTO;
    assert_refused(t, AVPS_E_PARAM, "loop");
    assert_int_equal(avps_posix_block_open(&t->block, &t->open, NULL), AVPS_E_PARAM);
}

static void test_block_is_written_by_one_and_read_by_many(void **state)
{
    struct disk_test *t = *state;
    struct avps_posix_block *reader = NULL;
    struct avps_posix_block_config read = t->open;

    read.read_only = true;
    disk_open(t);
    assert_refused(t, AVPS_E_STATE, "in use by another program");
    t->open.read_only = true;
    assert_refused(t, AVPS_E_STATE, "in use by another program");
    assert_int_equal(avps_posix_block_close(t->block), AVPS_OK);
    disk_open(t);
    assert_int_equal(avps_posix_block_open(&reader, &read, NULL), AVPS_OK);
    t->open.read_only = false;
    assert_refused(t, AVPS_E_STATE, "in use by another program");
    assert_int_equal(avps_posix_block_close(reader), AVPS_OK);
    assert_int_equal(avps_posix_block_close(NULL), AVPS_OK);
}

/* Lanes share the lock of the first, and go with it. */
static void test_block_lanes_are_one_disk(void **state)
{
    struct disk_test *t = *state;
    struct avps_posix_block_config lane = t->open;
    struct avps_posix_block *opened = NULL;

    disk_open(t);
    lane.beside = t->block;
    for (unsigned int i = 1; i < AVPS_BLK_QUEUES; i++) {
        assert_int_equal(avps_posix_block_open(&opened, &lane, &t->error), AVPS_OK);
    }
    assert_int_equal(avps_posix_block_open(&opened, &lane, NULL), AVPS_E_PARAM);
    assert_refused(t, AVPS_E_STATE, "in use by another program");
    assert_int_equal(avps_posix_block_close(t->block), AVPS_OK);
    t->block = NULL;
    disk_open(t); /* nobody holds the lock any more */
}

static void test_block_auto_takes_an_engine_that_works(void **state)
{
    struct disk_test *t = *state;
    uint8_t bytes[512];

    t->open.engine = AVPS_POSIX_BLOCK_AUTO;
    assert_int_equal(avps_posix_block_open(&t->block, &t->open, &t->error), AVPS_OK);
    const bool is_async = avps_posix_block_is_async(t->block);
    assert_int_equal(avps_posix_block_close(t->block), AVPS_OK);
    t->block = NULL;
    t->open.engine = is_async ? AVPS_POSIX_BLOCK_URING : AVPS_POSIX_BLOCK_SYNC;
    disk_start(t);
    assert_int_equal(disk_read(t, 1, bytes, 512), S_OK);
}

static void test_block_auto_is_synchronous_for_a_file_in_memory(void **state)
{
    struct disk_test *t = *state;
    uint8_t bytes[512];
    char path[32];
    const int fd = memfd_create("disk", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, BYTES), 0);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    t->open.path = path;
    t->open.engine = AVPS_POSIX_BLOCK_AUTO;
    disk_start(t); /* asserts that it is not asynchronous */
    (void)memset(bytes, 0x5a, sizeof bytes);
    assert_int_equal(disk_write(t, 3, bytes, 512), S_OK);
    assert_int_equal(pread(fd, bytes, 1, 3L * 512), 1);
    assert_int_equal(bytes[0], 0x5a);
    (void)close(fd);
}

static bool is_read_without_waiting(const char *path)
{
    uint8_t byte = 0;
    struct iovec iov = {&byte, 1};
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const bool is = preadv2(fd, &iov, 1, 0, RWF_NOWAIT) == 1;

    (void)close(fd);
    return is;
}

static void poll_nothing(void *ctx)
{
    (void)ctx;
}

/* A loop that polls seldom looks at its descriptors: the answer must not wait for that. */
static void test_block_takes_at_once_what_the_kernel_has_in_memory(void **state)
{
    struct disk_test *t = *state;
    struct avps_posix_poller poller = {0};
    struct request r;
    struct test_used used;
    uint32_t rounds = 0;

    if (!is_read_without_waiting(t->path)) {
        print_message("this file system cannot read without waiting\n");
        skip();
    }
    disk_start(t);
    avps_posix_poller_start(&poller, &t->loop, poll_nothing, NULL);
    for (uint32_t i = 0; i < SLOTS; i++) {
        disk_send(t, &r, T_IN, i * 8U, NULL, 4096);
        while (!test_driver_reap(&t->d, 0, &used)) {
            assert_int_equal(avps_posix_loop_step(&t->loop, true), AVPS_OK);
            rounds++;
        }
    }
    avps_posix_poller_stop(&poller);
    assert_in_range(rounds, SLOTS, 4U * SLOTS);
}

/* An operation that a thread of the kernel does is answered by a loop that polls before that looks at
 * its descriptors. */
static void test_block_is_answered_while_the_loop_polls(void **state)
{
    struct disk_test *t = *state;
    struct avps_posix_poller poller = {0};
    struct request r;
    struct test_used used;

    disk_start(t);
    avps_posix_poller_start(&poller, &t->loop, poll_nothing, NULL);
    for (uint32_t i = 0; i < SLOTS; i++) {
        disk_send(t, &r, T_FLUSH, 0, NULL, 0);
        while (!test_driver_reap(&t->d, 0, &used)) {
            t->loop.spins = 0; /* it never looks */
            assert_int_equal(avps_posix_loop_step(&t->loop, true), AVPS_OK);
        }
        assert_int_equal(used.id, r.id);
    }
    avps_posix_poller_stop(&poller);
}

static void test_block_follows_a_file_that_grows(void **state)
{
    struct disk_test *t = *state;
    uint64_t sectors = 0;
    uint8_t bytes[512];

    disk_start(t);
    assert_int_equal(truncate(t->path, BYTES + 4096), 0);
    assert_int_equal(avps_posix_block_resize(t->block, &sectors), AVPS_OK);
    assert_int_equal(sectors, SECTORS + 8U);
    assert_int_equal(avps_blk_set_capacity(&t->blk, sectors), AVPS_OK);
    assert_int_equal(disk_read(t, SECTORS + 7U, bytes, 512), S_OK);
    assert_int_equal(bytes[0], 0);
}

/* ---- block devices ---- */

/* A loop device on the image, gone when nobody has it open. @return its descriptor; -1 where this
 * user may have none. */
static int loop_device(struct disk_test *t, char *path)
{
    const int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    const int image = open(t->path, O_RDWR | O_CLOEXEC);
    struct loop_config config = {.fd = (uint32_t)image, .info = {.lo_flags = LO_FLAGS_AUTOCLEAR}};
    int number = -1;
    int fd = -1;

    if (control >= 0) {
        number = ioctl(control, LOOP_CTL_GET_FREE);
        (void)close(control);
    }
    if (number >= 0) {
        (void)snprintf(path, SANDBOX_PATH, "/dev/loop%d", number);
        (void)mknod(path, S_IFBLK | 0600U, makedev(7, (unsigned int)number));
        fd = open(path, O_RDWR | O_CLOEXEC);
    }
    if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &config) != 0) {
        (void)close(fd);
        fd = -1;
    }
    (void)close(image);
    return fd;
}

static void test_block_serves_a_block_device(void **state)
{
    struct disk_test *t = *state;
    char device[SANDBOX_PATH];
    uint8_t bytes[8192];
    const int fd = loop_device(t, device);

    if (fd < 0) {
        print_message("no loop device: needs root\n");
        skip();
    }
    t->open.path = device;
    t->open.direct = true;
    disk_start(t);
    assert_int_equal(t->blk.capacity, SECTORS);
    assert_int_equal(disk_read(t, 16, bytes, 8192), S_OK);
    assert_int_equal(bytes[5], first(16U * 512U + 5U));
    (void)memset(bytes, 0x21, sizeof bytes);
    assert_int_equal(disk_write(t, 16, bytes, 8192), S_OK);
    assert_int_equal(disk_range(t, T_WRITE_ZEROES, 24, 8, false), S_OK);
    assert_int_equal(disk_range(t, T_DISCARD, 64, 64, false), S_OK);
    assert_int_equal(disk_flush(t), S_OK);
    assert_file_is(t, 16, 8, 0x21);
    assert_file_is(t, 24, 8, 0);
    assert_file_is(t, 64, 64, 0); /* the loop device punches a hole */
    assert_file_is_first(t, 32, 32);
    (void)close(fd);
}

static void test_block_refuses_a_block_device_that_is_taken(void **state)
{
    struct disk_test *t = *state;
    char device[SANDBOX_PATH];
    const int fd = loop_device(t, device);

    if (fd < 0) {
        print_message("no loop device: needs root\n");
        skip();
    }
    const int holder = open(device, O_RDWR | O_EXCL | O_CLOEXEC); /* as a mount does */
    assert_true(holder >= 0);
    t->open.path = device;
    assert_refused(t, AVPS_E_STATE, "mounted or in use");
    t->open.read_only = true;
    disk_open(t);
    (void)close(holder);
    (void)close(fd);
}

#define ROW(f, name, engine)                                                                       \
    {                                                                                              \
#f name, (f), setup, teardown, &(engine)                                                   \
    }
#ifdef AVPS_TEST_LIBURING
#define TEST(f) ROW(f, "_sync", test_sync_engine), ROW(f, "_uring", test_uring_engine)
#else
#define TEST(f) ROW(f, "_sync", test_sync_engine)
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_block_reads_what_is_in_the_file),
        TEST(test_block_writes_into_the_file_and_nowhere_else),
        TEST(test_block_serves_many_requests_at_once),
        TEST(test_block_copies_for_guests_whose_memory_is_not_mapped),
        TEST(test_block_writes_through_when_the_guest_has_no_cache),
        TEST(test_block_discard_gives_space_back),
        TEST(test_block_zeroes_keep_space_unless_they_may_unmap),
        TEST(test_block_direct_moves_aligned_memory_without_a_copy),
        TEST(test_block_direct_copies_memory_that_is_not_aligned),
        TEST(test_block_direct_serves_small_requests_too),
        TEST(test_block_says_that_there_is_no_direct_access),
        TEST(test_block_reports_a_file_that_ends_early),
        TEST(test_block_fails_what_its_descriptor_does_not_allow),
        TEST(test_block_refuses_what_lies_outside),
        TEST(test_block_refuses_more_than_its_depth),
        TEST(test_block_close_waits_for_what_is_on_its_way),
        TEST(test_block_lets_a_reset_wait_for_the_medium),
        TEST(test_block_says_what_is_wrong_with_a_file),
        TEST(test_block_refuses_a_bad_configuration),
        TEST(test_block_is_written_by_one_and_read_by_many),
        TEST(test_block_lanes_are_one_disk),
        TEST(test_block_auto_takes_an_engine_that_works),
        TEST(test_block_auto_is_synchronous_for_a_file_in_memory),
        TEST(test_block_takes_at_once_what_the_kernel_has_in_memory),
        TEST(test_block_is_answered_while_the_loop_polls),
        TEST(test_block_follows_a_file_that_grows),
        TEST(test_block_serves_a_block_device),
        TEST(test_block_refuses_a_block_device_that_is_taken),
        TEST(test_block_writes_zeroes_where_the_file_system_cannot),
        TEST(test_block_reports_a_full_file_system_and_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
