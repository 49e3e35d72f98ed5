/* SPDX-License-Identifier: BSD-3-Clause */
/* Fixture for block device tests: a device on the simulated RAM disk, whose operations are recorded.
 *
 *     struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
 *     t->config.read_only = true;                   // change anything before
 *     blk_start(t);                                 // all features offered, less t->refuse
 *     assert_int_equal(blk_read(t, 3, bytes, 512), BLK_OK);
 *     assert_int_equal(t->used_len, 513);
 *     blk_free(t); */
#ifndef TEST_BLK_H
#define TEST_BLK_H

#include "support/driver.h"

#include "avps/blk.h"
#include "avps_sim/ramdisk.h"

#define BLK_SECTORS 64U
#define BLK_BYTES   (BLK_SECTORS * 512U)
#define BLK_SLOTS   8U
#define BLK_LOG     64U
#define BLK_ZONES   8U

enum {
    BLK_F_SIZE_MAX = 1,
    BLK_F_SEG_MAX = 2,
    BLK_F_GEOMETRY = 4,
    BLK_F_RO = 5,
    BLK_F_BLK_SIZE = 6,
    BLK_F_FLUSH = 9,
    BLK_F_TOPOLOGY = 10,
    BLK_F_CONFIG_WCE = 11,
    BLK_F_MQ = 12,
    BLK_F_DISCARD = 13,
    BLK_F_WRITE_ZEROES = 14,
    BLK_F_LIFETIME = 15,
    BLK_F_SECURE_ERASE = 16,
    BLK_F_ZONED = 17
};

enum {
    BLK_T_IN = 0,
    BLK_T_OUT = 1,
    BLK_T_FLUSH = 4,
    BLK_T_GET_ID = 8,
    BLK_T_GET_LIFETIME = 10,
    BLK_T_DISCARD = 11,
    BLK_T_WRITE_ZEROES = 13,
    BLK_T_SECURE_ERASE = 14,
    BLK_T_ZONE_APPEND = 15,
    BLK_T_ZONE_REPORT = 16,
    BLK_T_ZONE_OPEN = 18,
    BLK_T_ZONE_CLOSE = 20,
    BLK_T_ZONE_FINISH = 22,
    BLK_T_ZONE_RESET = 24,
    BLK_T_ZONE_RESET_ALL = 26
};

enum {
    BLK_OK = 0,
    BLK_IOERR = 1,
    BLK_UNSUPP = 2,
    BLK_ZONE_INVALID = 3,
    BLK_ZONE_UNALIGNED = 4,
    BLK_ZONE_OPEN = 5,
    BLK_ZONE_ACTIVE = 6,
    BLK_UNTOUCHED = TEST_UNWRITTEN
};

struct blk_test {
    bool packed;
    struct test_driver d;
    struct avps_queue queues[4];
    struct avps_blk_request requests[BLK_SLOTS];
    struct avps_blk blk;
    struct avps_blk_config config;
    struct avps_features refuse;
    struct avps_sim_ramdisk disk;
    struct avps_sim_ramdisk_config disk_config;
    struct avps_sim_pending pending[BLK_SLOTS];
    uint8_t data[BLK_BYTES];
    uint8_t durable[BLK_BYTES];
    struct avps_blk_zone zones[BLK_ZONES];
    struct avps_blk_zoned zoned;
    struct avps_blk_ops ops; /* records, then hands on to the disk */
    struct avps_blk_io log[BLK_LOG];
    size_t logged;
    unsigned int cancels;
    enum avps_status lifetime_status;
    uint32_t used_len; /* of the last request */
    struct test_request last;
    void (*attach)(struct blk_test *t); /* to another transport than MMIO; NULL: MMIO */
};

/* ---- back end ---- */

static inline enum avps_status blk_record_submit(void *ctx, const struct avps_blk_io *io)
{
    struct blk_test *t = ctx;

    assert_true(t->logged < BLK_LOG);
    t->log[t->logged++] = *io;
    return avps_sim_ramdisk_ops()->submit(&t->disk, io);
}

static inline enum avps_status blk_record_cancel(void *ctx, uint32_t queue)
{
    struct blk_test *t = ctx;

    t->cancels++;
    return avps_sim_ramdisk_ops()->cancel(&t->disk, queue);
}

static inline enum avps_status blk_record_lifetime(void *ctx, struct avps_blk_lifetime *lifetime)
{
    struct blk_test *t = ctx;

    (void)avps_sim_ramdisk_ops()->lifetime(&t->disk, lifetime);
    return t->lifetime_status;
}

/* ---- life ---- */

static inline void blk_prepare(struct blk_test *t, bool packed, enum test_mem_kind kind)
{
    (void)memset(t, 0, sizeof *t);
    t->packed = packed;
    test_driver_init(&t->d, kind);
    t->ops.submit = blk_record_submit;
    t->ops.cancel = blk_record_cancel;
    t->ops.lifetime = blk_record_lifetime;
    t->config.base = test_driver_base(&t->d, t->queues, 1, 64);
    t->config.ops = &t->ops;
    t->config.ctx = t;
    t->config.requests = t->requests;
    t->config.request_count = BLK_SLOTS;
    t->config.capacity = BLK_SECTORS;
    t->config.discard =
        (struct avps_blk_limits){.max_sectors = 32, .max_ranges = 4, .alignment = 8};
    t->config.zeroes = (struct avps_blk_limits){.max_sectors = 16, .max_ranges = 3};
    t->config.erase = (struct avps_blk_limits){.max_sectors = 24, .max_ranges = 2, .alignment = 8};
    t->config.zeroes_may_unmap = true;
    (void)memcpy(t->config.id, "disk-0", 6);
    t->disk_config.data = t->data;
    t->disk_config.durable = t->durable;
    t->disk_config.size = BLK_BYTES;
    for (uint32_t i = 0; i < BLK_BYTES; i++) {
        t->data[i] = (uint8_t)(i / 512U + i);
    }
    avps_features_add(&t->refuse, AVPS_F_IN_ORDER);
}

static inline struct blk_test *blk_new(void **state, enum test_mem_kind kind)
{
    struct blk_test *t = malloc(sizeof *t);

    assert_non_null(t);
    blk_prepare(t, test_is_packed(state), kind);
    return t;
}

/* Operations wait for blk_answer. */
static inline void blk_asynchronous(struct blk_test *t)
{
    t->disk_config.pending = t->pending;
    t->disk_config.pending_count = BLK_SLOTS;
}

static inline void blk_init(struct blk_test *t)
{
    assert_int_equal(avps_sim_ramdisk_init(&t->disk, &t->disk_config), AVPS_OK);
    (void)memset(&t->blk, 0xee, sizeof t->blk); /* storage need not be clean */
    (void)memset(t->requests, 0xee, sizeof t->requests);
    (void)memset(t->queues, 0xee, sizeof t->queues);
    assert_int_equal(avps_blk_init(&t->blk, &t->config), AVPS_OK);
    avps_sim_ramdisk_attach(&t->disk, &t->blk);
    if (t->attach != NULL) {
        t->attach(t);
    } else {
        test_driver_attach(&t->d, &t->blk.base);
    }
    test_driver_want_all(&t->d, t->packed);
    for (unsigned int bit = 0; bit < 128U; bit++) {
        if (avps_features_has(&t->refuse, bit)) {
            avps_features_remove(&t->d.want, bit);
        }
    }
}

static inline void blk_refuse(struct blk_test *t, unsigned int bit)
{
    avps_features_add(&t->refuse, bit);
}

static inline void blk_start(struct blk_test *t)
{
    blk_init(t);
    test_driver_start(&t->d);
}

static inline void blk_free(struct blk_test *t)
{
    test_driver_free(&t->d);
    free(t);
}

/* Let the disk answer, then the device publish. @return operations answered. */
static inline uint32_t blk_answer(struct blk_test *t)
{
    const uint32_t answered = avps_sim_ramdisk_poll(&t->disk);

    (void)test_driver_poll(&t->d);
    return answered;
}

/* ---- requests ---- */

static inline void blk_put(uint8_t *at, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(value >> (8U * i));
    }
}

static inline uint64_t blk_get(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;

    for (size_t i = bytes; i > 0U; i--) {
        value = value << 8 | at[i - 1U];
    }
    return value;
}

static inline void blk_header(uint8_t *header, uint32_t type, uint64_t sector)
{
    blk_put(header, type, 4);
    blk_put(header + 4, 0x5a5a5a5a, 4); /* reserved: any */
    blk_put(header + 8, sector, 8);
}

/* Bytes that the driver may write to. */
static inline uint32_t blk_in_bytes(const struct test_request *r)
{
    uint32_t bytes = 0;

    for (size_t i = 0; i < TEST_PARTS && r->in[i] != 0U; i++) {
        bytes += r->in[i];
    }
    return bytes;
}

/* The status byte of a request: the last writable one. */
static inline uint8_t blk_status(struct blk_test *t, const struct test_request *r)
{
    uint8_t status = 0;

    test_driver_in(&t->d, r, blk_in_bytes(r) - 1U, &status, 1);
    return status;
}

/* Send what is in t->last; it must come back at once. @return the status byte. */
static inline uint8_t blk_run(struct blk_test *t)
{
    t->used_len = test_driver_do(&t->d, 0, &t->last);
    return blk_status(t, &t->last);
}

/* Header | out | in | status, a descriptor each. */
static inline void blk_build(struct test_request *r, uint8_t *header, uint32_t type,
                             uint64_t sector, const void *out, uint32_t out_len, uint32_t in_len)
{
    (void)memset(r, 0, sizeof *r);
    blk_header(header, type, sector);
    r->out[0] = (struct test_part){header, 16};
    r->out[1] = (struct test_part){out, out_len};
    r->in[0] = in_len != 0U ? in_len : 1U;
    r->in[1] = in_len != 0U ? 1U : 0U;
}

static inline uint8_t blk_do(struct blk_test *t, uint32_t type, uint64_t sector, const void *out,
                             uint32_t out_len, uint32_t in_len)
{
    uint8_t header[16];
    const size_t mark = test_mem_mark(&t->d.mem);

    blk_build(&t->last, header, type, sector, out, out_len, in_len);
    const uint8_t status = blk_run(t);
    if (in_len == 0U) {
        test_mem_rewind(&t->d.mem, mark);
    }
    return status;
}

static inline uint8_t blk_read(struct blk_test *t, uint64_t sector, uint8_t *bytes, uint32_t len)
{
    const uint8_t status = blk_do(t, BLK_T_IN, sector, NULL, 0, len);

    test_driver_in(&t->d, &t->last, 0, bytes, len);
    return status;
}

static inline uint8_t blk_write(struct blk_test *t, uint64_t sector, const uint8_t *bytes,
                                uint32_t len)
{
    return blk_do(t, BLK_T_OUT, sector, bytes, len, 0);
}

/* Start one of t's requests without waiting; `header` must live on. */
static inline void blk_send(struct blk_test *t, uint16_t queue, struct test_request *r,
                            uint32_t type, uint64_t sector, const void *out, uint32_t out_len,
                            uint32_t in_len)
{
    uint8_t header[16];

    blk_build(r, header, type, sector, out, out_len, in_len);
    (void)test_driver_send(&t->d, queue, r);
    test_driver_kick(&t->d, queue);
    (void)test_driver_poll(&t->d);
}

/* The next request that came back must be this one, with this. */
static inline void blk_expect(struct blk_test *t, uint16_t queue, const struct test_request *r,
                              uint8_t status, uint32_t len)
{
    struct test_used used = {0, 0};

    assert_true(test_driver_reap(&t->d, queue, &used));
    assert_int_equal(used.id, r->id);
    assert_int_equal(used.len, len);
    assert_int_equal(blk_status(t, r), status);
}

static inline void blk_expect_none(struct blk_test *t, uint16_t queue)
{
    struct test_used used = {0, 0};

    assert_false(test_driver_reap(&t->d, queue, &used));
}

/* One range of discard, write zeroes, secure erase. */
static inline void blk_range(uint8_t *at, uint64_t sector, uint32_t count, uint32_t flags)
{
    blk_put(at, sector, 8);
    blk_put(at + 8, count, 4);
    blk_put(at + 12, flags, 4);
}

static inline uint8_t blk_do_range(struct blk_test *t, uint32_t type, uint64_t sector,
                                   uint32_t count, uint32_t flags)
{
    uint8_t range[16];

    blk_range(range, sector, count, flags);
    return blk_do(t, type, 0, range, 16, 0);
}

/* A good write and a good read, to the byte. */
static inline void blk_still_works(struct blk_test *t)
{
    uint8_t bytes[1024];
    uint8_t back[1024];
    const size_t mark = test_mem_mark(&t->d.mem);

    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7U + t->logged);
    }
    assert_int_equal(blk_write(t, 9, bytes, sizeof bytes), BLK_OK);
    assert_int_equal(t->used_len, 1);
    assert_int_equal(blk_read(t, 9, back, sizeof back), BLK_OK);
    assert_int_equal(t->used_len, 1025);
    assert_memory_equal(bytes, back, sizeof bytes);
    test_mem_rewind(&t->d.mem, mark);
}

/* What `sector` holds from the start. */
static inline uint8_t blk_first(uint64_t off)
{
    return (uint8_t)(off / 512U + off);
}

static inline bool blk_disk_is(const struct blk_test *t, uint64_t sector, uint32_t count,
                               uint8_t byte)
{
    for (uint64_t i = sector * 512U; i < (sector + count) * 512U; i++) {
        if (t->data[i] != byte) {
            return false;
        }
    }
    return true;
}

/* Sectors hold what they held at the start. */
static inline bool blk_disk_is_first(const struct blk_test *t, uint64_t sector, uint32_t count)
{
    for (uint64_t i = sector * 512U; i < (sector + count) * 512U; i++) {
        if (t->data[i] != blk_first(i)) {
            return false;
        }
    }
    return true;
}

/* Operation `index` of the log. */
static inline void blk_expect_io(const struct blk_test *t, size_t index, enum avps_blk_op op,
                                 uint64_t sector, uint32_t count)
{
    assert_true(index < t->logged);
    assert_int_equal(t->log[index].op, op);
    assert_int_equal(t->log[index].sector, sector);
    assert_int_equal(t->log[index].count, count);
}

#endif
