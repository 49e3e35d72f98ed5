/* SPDX-License-Identifier: BSD-3-Clause */
/* Simulated RAM disk: operations, faults, latency, order, cancel, power cut. Driven by hand-made
 * operations that move no data; data is moved in the block device's tests. */
#include "support/mem.h"

#include "avps_sim/ramdisk.h"

#define SECTORS 16U
#define BYTES   (SECTORS * 512U)
#define PLACES  4U

struct disk_test {
    struct avps_sim_ramdisk disk;
    struct avps_sim_ramdisk_config config;
    struct avps_sim_pending pending[PLACES];
    uint8_t data[BYTES];
    uint8_t durable[BYTES];
    struct avps_blk blk; /* nothing of its own in flight: answers are late, and counted */
    struct avps_queue queue;
    struct avps_blk_request request;
    struct avps_mem mem;
    struct avps_mem_region region;
    uint8_t ram[64];
    uint64_t now;
};

static struct disk_test t;

static uint64_t disk_now(void *ctx)
{
    return ((const struct disk_test *)ctx)->now;
}

static int disk_setup(void **state)
{
    (void)state;
    (void)memset(&t, 0, sizeof t);
    (void)memset(t.data, 0x11, sizeof t.data);
    t.config.data = t.data;
    t.config.durable = t.durable;
    t.config.size = BYTES;
    return 0;
}

static void disk_init(void)
{
    struct avps_blk_config config = {0};

    t.region = (struct avps_mem_region){.gpa = 0, .size = 64, .host = t.ram, .access = 3};
    assert_int_equal(avps_mem_init_regions(&t.mem, &t.region, 1, NULL, NULL), AVPS_OK);
    assert_int_equal(avps_sim_ramdisk_init(&t.disk, &t.config), AVPS_OK);
    config.base.mem = &t.mem;
    config.base.queues = &t.queue;
    config.base.queue_count = 1;
    config.base.queue_size_max = 16;
    config.ops = avps_sim_ramdisk_ops();
    config.ctx = &t.disk;
    config.requests = &t.request;
    config.request_count = 1;
    assert_int_equal(avps_blk_init(&t.blk, &config), AVPS_OK);
    avps_sim_ramdisk_attach(&t.disk, &t.blk);
}

static void disk_init_waiting(void)
{
    t.config.pending = t.pending;
    t.config.pending_count = PLACES;
    disk_init();
}

static struct avps_blk_io disk_io(enum avps_blk_op op, uint64_t sector, uint32_t count)
{
    const struct avps_blk_io io = {
        .op = op, .sector = sector, .count = count, .request = &t.request};
    return io;
}

static enum avps_status disk_submit(const struct avps_blk_io *io)
{
    return avps_sim_ramdisk_ops()->submit(&t.disk, io);
}

static bool disk_is(const uint8_t *bytes, uint32_t sector, uint32_t count, uint8_t byte)
{
    for (uint32_t i = sector * 512U; i < (sector + count) * 512U; i++) {
        if (bytes[i] != byte) {
            return false;
        }
    }
    return true;
}

static uint64_t disk_answers(void)
{
    return avps_blk_counters(&t.blk, 0)->late;
}

static void test_sim_ramdisk_refuses_a_bad_configuration(void **state)
{
    (void)state;
    assert_int_equal(avps_sim_ramdisk_init(NULL, &t.config), AVPS_E_PARAM);
    assert_int_equal(avps_sim_ramdisk_init(&t.disk, NULL), AVPS_E_PARAM);
    t.config.data = NULL;
    assert_int_equal(avps_sim_ramdisk_init(&t.disk, &t.config), AVPS_E_PARAM);
    (void)disk_setup(NULL);
    t.config.size = 0;
    assert_int_equal(avps_sim_ramdisk_init(&t.disk, &t.config), AVPS_E_PARAM);
    t.config.size = 1000;
    assert_int_equal(avps_sim_ramdisk_init(&t.disk, &t.config), AVPS_E_PARAM);
    t.config.size = BYTES;
    t.config.pending_count = 1;
    assert_int_equal(avps_sim_ramdisk_init(&t.disk, &t.config), AVPS_E_PARAM);
    t.config.pending_count = 0;
    t.config.pending = t.pending;
    assert_int_equal(avps_sim_ramdisk_init(&t.disk, &t.config), AVPS_E_PARAM);
}

static void test_sim_ramdisk_writes_zeroes(void **state)
{
    const struct avps_blk_io io = disk_io(AVPS_BLK_WRITE_ZEROES, 3, 2);

    (void)state;
    disk_init();
    assert_int_equal(disk_submit(&io), AVPS_OK);
    assert_true(disk_is(t.data, 3, 2, 0));
    assert_true(disk_is(t.data, 0, 3, 0x11));
    assert_true(disk_is(t.data, 5, SECTORS - 5U, 0x11));
    assert_int_equal(avps_sim_ramdisk_counters(&t.disk)->ops[AVPS_BLK_WRITE_ZEROES], 1);
}

static void test_sim_ramdisk_keeps_discarded_data(void **state)
{
    const struct avps_blk_io io = disk_io(AVPS_BLK_DISCARD, 0, SECTORS);

    (void)state;
    disk_init();
    assert_int_equal(disk_submit(&io), AVPS_OK);
    assert_true(disk_is(t.data, 0, SECTORS, 0x11));
}

static void test_sim_ramdisk_erases_every_copy(void **state)
{
    const struct avps_blk_io io = disk_io(AVPS_BLK_SECURE_ERASE, 4, 4);

    (void)state;
    disk_init();
    assert_int_equal(disk_submit(&io), AVPS_OK);
    assert_true(disk_is(t.data, 4, 4, 0));
    assert_true(disk_is(t.durable, 4, 4, 0));
    assert_true(disk_is(t.durable, 8, 8, 0x11));
}

static void test_sim_ramdisk_refuses_what_lies_outside(void **state)
{
    static const struct {
        uint64_t sector;
        uint32_t count;
    } bad[] = {
        {SECTORS, 1}, {SECTORS - 1U, 2}, {UINT64_MAX, 1}, {UINT64_C(1) << 55, 1}, {0, UINT32_MAX}};

    (void)state;
    disk_init();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct avps_blk_io io = disk_io(AVPS_BLK_WRITE_ZEROES, bad[i].sector, bad[i].count);
        assert_int_equal(disk_submit(&io), AVPS_E_IO);
    }
    assert_true(disk_is(t.data, 0, SECTORS, 0x11));
}

static void test_sim_ramdisk_loses_at_a_power_cut_what_was_not_flushed(void **state)
{
    const struct avps_blk_io zero = disk_io(AVPS_BLK_WRITE_ZEROES, 0, 4);
    const struct avps_blk_io flush = disk_io(AVPS_BLK_FLUSH, 0, 0);
    struct avps_blk_io fua = disk_io(AVPS_BLK_WRITE_ZEROES, 8, 2);

    (void)state;
    disk_init();
    assert_int_equal(disk_submit(&zero), AVPS_OK);
    avps_sim_ramdisk_power_cut(&t.disk);
    assert_true(disk_is(t.data, 0, SECTORS, 0x11));
    assert_int_equal(disk_submit(&zero), AVPS_OK);
    assert_int_equal(disk_submit(&flush), AVPS_OK);
    fua.fua = true;
    assert_int_equal(disk_submit(&fua), AVPS_OK);
    avps_sim_ramdisk_power_cut(&t.disk);
    assert_true(disk_is(t.data, 0, 4, 0));
    assert_true(disk_is(t.data, 4, 4, 0x11));
    assert_true(disk_is(t.data, 8, 2, 0));
    assert_int_equal(avps_sim_ramdisk_counters(&t.disk)->fua, 1);
}

static void test_sim_ramdisk_without_durable_copy_keeps_everything(void **state)
{
    const struct avps_blk_io zero = disk_io(AVPS_BLK_WRITE_ZEROES, 0, 4);

    (void)state;
    t.config.durable = NULL;
    disk_init();
    assert_int_equal(disk_submit(&zero), AVPS_OK);
    avps_sim_ramdisk_power_cut(&t.disk);
    assert_true(disk_is(t.data, 0, 4, 0));
}

static void test_sim_ramdisk_fails_on_demand(void **state)
{
    const struct avps_blk_io discard = disk_io(AVPS_BLK_DISCARD, 0, 4);
    const struct avps_blk_io flush = disk_io(AVPS_BLK_FLUSH, 0, 0);
    const struct avps_sim_fault fault = {
        .ops = AVPS_SIM_OP(AVPS_BLK_DISCARD), .skip = 1, .times = 2, .status = AVPS_E_NOSPACE};

    (void)state;
    disk_init();
    avps_sim_ramdisk_fault(&t.disk, &fault);
    assert_int_equal(disk_submit(&discard), AVPS_OK);
    assert_int_equal(disk_submit(&flush), AVPS_OK);
    assert_int_equal(disk_submit(&discard), AVPS_E_NOSPACE);
    assert_int_equal(disk_submit(&discard), AVPS_E_NOSPACE);
    assert_int_equal(disk_submit(&discard), AVPS_OK);
    assert_int_equal(avps_sim_ramdisk_counters(&t.disk)->failed, 2);
}

static void test_sim_ramdisk_fails_where_it_is_told(void **state)
{
    static const struct {
        uint64_t sector;
        uint32_t count;
        enum avps_status status;
    } rows[] = {{0, 4, AVPS_OK},   {0, 5, AVPS_E_IO}, {5, 1, AVPS_E_IO},
                {4, 2, AVPS_E_IO}, {6, 2, AVPS_OK},   {0, 16, AVPS_E_IO}};
    const struct avps_blk_io flush = disk_io(AVPS_BLK_FLUSH, 0, 0);
    const struct avps_sim_fault fault = {
        .ops = UINT32_MAX, .sector = 4, .count = 2, .status = AVPS_E_IO};

    (void)state;
    disk_init();
    avps_sim_ramdisk_fault(&t.disk, &fault);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct avps_blk_io io = disk_io(AVPS_BLK_DISCARD, rows[i].sector, rows[i].count);
        assert_int_equal(disk_submit(&io), rows[i].status);
    }
    assert_int_equal(disk_submit(&flush), AVPS_E_IO);
}

static void test_sim_ramdisk_takes_its_time(void **state)
{
    const struct avps_blk_io io = disk_io(AVPS_BLK_WRITE_ZEROES, 0, 1);

    (void)state;
    t.config.now_ns = disk_now;
    t.config.now_ctx = &t;
    t.config.latency_ns = 100;
    t.now = 1000;
    disk_init_waiting();
    assert_true(avps_sim_ramdisk_due_ns(&t.disk) == UINT64_MAX);
    assert_int_equal(disk_submit(&io), AVPS_PENDING);
    avps_sim_ramdisk_set_latency(&t.disk, 10);
    assert_int_equal(avps_sim_ramdisk_due_ns(&t.disk), 1100);
    t.now = 1099;
    assert_int_equal(avps_sim_ramdisk_poll(&t.disk), 0);
    assert_true(disk_is(t.data, 0, 1, 0x11)); /* not yet */
    t.now = 1100;
    assert_int_equal(avps_sim_ramdisk_poll(&t.disk), 1);
    assert_true(disk_is(t.data, 0, 1, 0));
    assert_int_equal(disk_answers(), 1);
    assert_int_equal(disk_submit(&io), AVPS_PENDING);
    assert_int_equal(avps_sim_ramdisk_due_ns(&t.disk), 1110);
}

static void test_sim_ramdisk_refuses_more_than_it_has_places(void **state)
{
    const struct avps_blk_io io = disk_io(AVPS_BLK_FLUSH, 0, 0);

    (void)state;
    disk_init_waiting();
    for (uint32_t i = 0; i < PLACES; i++) {
        assert_int_equal(disk_submit(&io), AVPS_PENDING);
    }
    assert_int_equal(disk_submit(&io), AVPS_E_NOSPACE);
    assert_int_equal(avps_sim_ramdisk_poll(&t.disk), PLACES);
    assert_int_equal(disk_submit(&io), AVPS_PENDING);
}

/* Of two writes to one sector the one answered last stays. */
static void test_sim_ramdisk_answers_in_the_order_it_is_told(void **state)
{
    for (int order = AVPS_SIM_OLDEST_FIRST; order <= AVPS_SIM_NEWEST_FIRST; order++) {
        const struct avps_sim_fault fault = {.ops = UINT32_MAX, .times = 1, .status = AVPS_E_IO};
        const struct avps_blk_io first = disk_io(AVPS_BLK_WRITE_ZEROES, 0, 1);
        const struct avps_blk_io second = disk_io(AVPS_BLK_WRITE_ZEROES, 1, 1);

        (void)disk_setup(state);
        t.config.order = (enum avps_sim_order)order;
        disk_init_waiting();
        assert_int_equal(disk_submit(&first), AVPS_PENDING);
        assert_int_equal(disk_submit(&second), AVPS_PENDING);
        avps_sim_ramdisk_fault(&t.disk, &fault); /* hits what is answered first */
        assert_int_equal(avps_sim_ramdisk_poll(&t.disk), 2);
        assert_true(disk_is(t.data, order == AVPS_SIM_OLDEST_FIRST ? 1 : 0, 1, 0));
        assert_true(disk_is(t.data, order == AVPS_SIM_OLDEST_FIRST ? 0 : 1, 1, 0x11));
    }
}

static void test_sim_ramdisk_cancels_one_queue_or_all(void **state)
{
    struct avps_blk_io io[2] = {disk_io(AVPS_BLK_WRITE_ZEROES, 0, 1),
                                disk_io(AVPS_BLK_WRITE_ZEROES, 1, 1)};
    const struct avps_blk_ops *ops = avps_sim_ramdisk_ops();

    (void)state;
    disk_init_waiting();
    io[1].queue = 1;
    assert_int_equal(disk_submit(&io[0]), AVPS_PENDING);
    assert_int_equal(disk_submit(&io[1]), AVPS_PENDING);
    assert_int_equal(ops->cancel(&t.disk, 1), AVPS_OK);
    assert_int_equal(avps_sim_ramdisk_counters(&t.disk)->cancelled, 1);
    assert_int_equal(avps_sim_ramdisk_poll(&t.disk), 1);
    assert_true(disk_is(t.data, 0, 1, 0));
    assert_true(disk_is(t.data, 1, 1, 0x11));
    assert_int_equal(disk_submit(&io[0]), AVPS_PENDING);
    assert_int_equal(disk_submit(&io[1]), AVPS_PENDING);
    assert_int_equal(ops->cancel(&t.disk, AVPS_BLK_ALL_QUEUES), AVPS_OK);
    assert_int_equal(avps_sim_ramdisk_poll(&t.disk), 0);
    assert_int_equal(avps_sim_ramdisk_counters(&t.disk)->cancelled, 3);
}

static void test_sim_ramdisk_can_refuse_to_cancel(void **state)
{
    const struct avps_blk_io io = disk_io(AVPS_BLK_FLUSH, 0, 0);
    const struct avps_blk_ops *ops = avps_sim_ramdisk_ops();

    (void)state;
    t.config.cancel = AVPS_SIM_CANCEL_LATER;
    disk_init_waiting();
    assert_int_equal(ops->cancel(&t.disk, AVPS_BLK_ALL_QUEUES), AVPS_OK); /* nothing waits */
    assert_int_equal(disk_submit(&io), AVPS_PENDING);
    assert_int_equal(ops->cancel(&t.disk, AVPS_BLK_ALL_QUEUES), AVPS_PENDING);
    assert_int_equal(avps_sim_ramdisk_poll(&t.disk), 1);
    assert_int_equal(ops->cancel(&t.disk, AVPS_BLK_ALL_QUEUES), AVPS_OK);
}

static void test_sim_ramdisk_gives_its_lifetime(void **state)
{
    struct avps_blk_lifetime lifetime = {9, 9, 9};

    (void)state;
    t.config.lifetime = (struct avps_blk_lifetime){1, 2, 3};
    disk_init();
    assert_int_equal(avps_sim_ramdisk_ops()->lifetime(&t.disk, &lifetime), AVPS_OK);
    assert_int_equal(lifetime.pre_eol_info, 1);
    assert_int_equal(lifetime.estimate_a, 2);
    assert_int_equal(lifetime.estimate_b, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_sim_ramdisk_refuses_a_bad_configuration, disk_setup),
        cmocka_unit_test_setup(test_sim_ramdisk_writes_zeroes, disk_setup),
        cmocka_unit_test_setup(test_sim_ramdisk_keeps_discarded_data, disk_setup),
        cmocka_unit_test_setup(test_sim_ramdisk_erases_every_copy, disk_setup),
        cmocka_unit_test_setup(test_sim_ramdisk_refuses_what_lies_outside, disk_setup),
        cmocka_unit_test_setup(test_sim_ramdisk_loses_at_a_power_cut_what_was_not_flushed,
                               disk_setup),
        cmocka_unit_test_setup(test_sim_ramdisk_without_durable_copy_keeps_everything, disk_setup),
        cmocka_unit_test_setup(test_sim_ramdisk_fails_on_demand, disk_setup),
        cmocka_unit_test_setup(test_sim_ramdisk_fails_where_it_is_told, disk_setup),
        cmocka_unit_test_setup(test_sim_ramdisk_takes_its_time, disk_setup),
        cmocka_unit_test_setup(test_sim_ramdisk_refuses_more_than_it_has_places, disk_setup),
        cmocka_unit_test_setup(test_sim_ramdisk_answers_in_the_order_it_is_told, disk_setup),
        cmocka_unit_test_setup(test_sim_ramdisk_cancels_one_queue_or_all, disk_setup),
        cmocka_unit_test_setup(test_sim_ramdisk_can_refuse_to_cancel, disk_setup),
        cmocka_unit_test_setup(test_sim_ramdisk_gives_its_lifetime, disk_setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
