/* SPDX-License-Identifier: BSD-3-Clause */
/* Block device with a back end that answers later: order, resets with requests in flight, late and
 * double answers, suspend, durability, several queues, two devices, saved state. */
#include "test_blk.h"

static struct blk_test *blk_new_waiting(void **state, enum test_mem_kind kind)
{
    struct blk_test *t = blk_new(state, kind);

    blk_asynchronous(t);
    return t;
}

static uint64_t blk_late_events(const struct blk_test *t)
{
    return t->d.port.events[AVPS_EVENT_LATE_COMPLETION];
}

/* ---- answers ---- */

static void test_blk_answers_when_the_back_end_does(void **state)
{
    for (unsigned int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct blk_test *t = blk_new_waiting(state, (enum test_mem_kind)kind);
        struct test_request r;
        uint8_t bytes[1024];

        blk_start(t);
        blk_send(t, 0, &r, BLK_T_IN, 3, NULL, 0, 1024);
        assert_int_equal(t->logged, 1);
        blk_expect_none(t, 0);
        assert_int_equal(test_driver_poll(&t->d), AVPS_POLL_PENDING);
        assert_int_equal(blk_answer(t), 1);
        blk_expect(t, 0, &r, BLK_OK, 1025);
        test_driver_in(&t->d, &r, 0, bytes, 1024);
        assert_memory_equal(bytes, t->data + 1536, 1024);
        assert_int_equal(test_driver_poll(&t->d), AVPS_POLL_IDLE);
        assert_int_not_equal(test_driver_ack(&t->d) & 1U, 0);
        blk_free(t);
    }
}

static void test_blk_wakes_the_embedder_for_an_answer(void **state)
{
    struct blk_test *t = blk_new_waiting(state, TEST_MEM_REGIONS);
    struct test_request r;

    blk_start(t);
    blk_send(t, 0, &r, BLK_T_OUT, 3, t->data, 512, 0);
    const unsigned int wakes = t->d.port.wakes;
    assert_int_equal(avps_sim_ramdisk_poll(&t->disk), 1);
    assert_int_equal(t->d.port.wakes, wakes + 1U);
    assert_true(avps_has_work(&t->blk.base));
    (void)test_driver_poll(&t->d);
    blk_expect(t, 0, &r, BLK_OK, 1);
    blk_free(t);
}

static void test_blk_returns_requests_as_they_are_answered(void **state)
{
    struct blk_test *t = blk_new_waiting(state, TEST_MEM_REGIONS);
    struct test_request r[3];

    t->disk_config.order = AVPS_SIM_NEWEST_FIRST;
    blk_start(t);
    for (uint32_t i = 0; i < 3U; i++) {
        blk_send(t, 0, &r[i], BLK_T_IN, i, NULL, 0, 512);
    }
    assert_int_equal(blk_answer(t), 3);
    blk_expect(t, 0, &r[2], BLK_OK, 513);
    blk_expect(t, 0, &r[1], BLK_OK, 513);
    blk_expect(t, 0, &r[0], BLK_OK, 513);
    blk_free(t);
}

/* [feat-1.5] */
static void test_blk_in_order_holds_later_requests_back(void **state)
{
    struct blk_test *t = blk_new_waiting(state, TEST_MEM_REGIONS);
    struct test_request r[3];

    avps_features_remove(&t->refuse, AVPS_F_IN_ORDER);
    t->disk_config.order = AVPS_SIM_NEWEST_FIRST;
    blk_start(t);
    for (uint32_t i = 0; i < 3U; i++) {
        blk_send(t, 0, &r[i], BLK_T_IN, i, NULL, 0, 512);
    }
    const uint64_t first = t->log[0].token;
    avps_blk_done(&t->blk, t->log[2].token, AVPS_E_IO);
    avps_blk_done(&t->blk, t->log[1].token, AVPS_E_IO);
    (void)test_driver_poll(&t->d);
    blk_expect_none(t, 0);
    avps_blk_done(&t->blk, t->log[1].token, AVPS_E_IO); /* it waits, but is answered */
    assert_int_equal(avps_blk_counters(&t->blk, 0)->late, 1);
    avps_blk_done(&t->blk, first, AVPS_E_IO);
    (void)test_driver_poll(&t->d);
    for (uint32_t i = 0; i < 3U; i++) {
        blk_expect(t, 0, &r[i], BLK_IOERR, 0);
    }
    blk_free(t);
}

static void test_blk_waits_with_more_requests_than_slots(void **state)
{
    struct blk_test *t = blk_new_waiting(state, TEST_MEM_REGIONS);
    struct test_request r[BLK_SLOTS + 4];

    t->d.size = 64;
    blk_start(t);
    for (uint32_t i = 0; i < BLK_SLOTS + 4U; i++) {
        blk_send(t, 0, &r[i], BLK_T_IN, i, NULL, 0, 512);
    }
    assert_int_equal(t->logged, BLK_SLOTS);
    assert_int_equal(blk_answer(t), BLK_SLOTS);
    assert_int_equal(t->logged, BLK_SLOTS + 4U);
    assert_int_equal(blk_answer(t), 4);
    for (uint32_t i = 0; i < BLK_SLOTS + 4U; i++) {
        blk_expect(t, 0, &r[i], BLK_OK, 513);
    }
    blk_free(t);
}

static void test_blk_reports_errors_that_come_later(void **state)
{
    struct blk_test *t = blk_new_waiting(state, TEST_MEM_REGIONS);
    struct test_request r[3];

    blk_start(t);
    blk_send(t, 0, &r[0], BLK_T_IN, 0, NULL, 0, 512);
    blk_send(t, 0, &r[1], BLK_T_FLUSH, 0, NULL, 0, 0);
    blk_send(t, 0, &r[2], BLK_T_OUT, 0, t->data, 512, 0);
    avps_blk_done(&t->blk, t->log[0].token, AVPS_E_NOSPACE);
    avps_blk_done(&t->blk, t->log[1].token, AVPS_E_UNSUPPORTED);
    avps_blk_done(&t->blk, t->log[2].token, AVPS_PENDING); /* no answer at all */
    (void)test_driver_poll(&t->d);
    blk_expect(t, 0, &r[0], BLK_IOERR, 0);
    blk_expect(t, 0, &r[1], BLK_UNSUPP, 1);
    blk_expect(t, 0, &r[2], BLK_IOERR, 1);
    avps_sim_ramdisk_power_cut(&t->disk); /* it does not know that all are answered */
    blk_free(t);
}

static void test_blk_carries_ranges_out_one_answer_at_a_time(void **state)
{
    struct blk_test *t = blk_new_waiting(state, TEST_MEM_REGIONS);
    struct test_request r;
    uint8_t ranges[3 * 16];

    blk_start(t);
    for (uint32_t i = 0; i < 3U; i++) {
        blk_range(ranges + 16U * i, 4U * i, 2, 0);
    }
    blk_send(t, 0, &r, BLK_T_WRITE_ZEROES, 0, ranges, sizeof ranges, 0);
    for (uint32_t i = 0; i < 3U; i++) {
        assert_int_equal(t->logged, i + 1U);
        blk_expect_io(t, i, AVPS_BLK_WRITE_ZEROES, 4U * i, 2);
        blk_expect_none(t, 0);
        assert_int_equal(blk_answer(t), 1);
    }
    blk_expect(t, 0, &r, BLK_OK, 1);
    assert_int_not_equal(t->log[0].token, t->log[1].token);
    blk_free(t);
}

static void test_blk_stops_at_the_range_that_fails_later(void **state)
{
    struct blk_test *t = blk_new_waiting(state, TEST_MEM_REGIONS);
    struct test_request r;
    uint8_t ranges[32];

    blk_start(t);
    blk_range(ranges, 0, 2, 0);
    blk_range(ranges + 16, 8, 2, 0);
    blk_send(t, 0, &r, BLK_T_DISCARD, 0, ranges, sizeof ranges, 0);
    avps_blk_done(&t->blk, t->log[0].token, AVPS_E_IO);
    (void)test_driver_poll(&t->d);
    blk_expect(t, 0, &r, BLK_IOERR, 1);
    assert_int_equal(t->logged, 1);
    avps_sim_ramdisk_power_cut(&t->disk);
    blk_free(t);
}

/* Answers inside submit: the back end that did not know better. */
static enum avps_status blk_hasty_submit(void *ctx, const struct avps_blk_io *io)
{
    struct blk_test *t = ctx;
    uint8_t bytes[512] = {0};

    if (io->op == AVPS_BLK_READ) {
        assert_int_equal(avps_blk_io_write(io, bytes, 512), AVPS_OK);
    }
    avps_blk_done(&t->blk, io->token, io->op == AVPS_BLK_FLUSH ? AVPS_E_IO : AVPS_OK);
    avps_blk_done(&t->blk, io->token, AVPS_OK); /* and once more */
    return AVPS_PENDING;
}

static void test_blk_takes_an_answer_from_inside_submit(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    t->ops.submit = blk_hasty_submit;
    blk_start(t);
    assert_int_equal(blk_do(t, BLK_T_IN, 0, NULL, 0, 512), BLK_OK);
    assert_int_equal(t->used_len, 513);
    assert_int_equal(blk_do(t, BLK_T_FLUSH, 0, NULL, 0, 0), BLK_IOERR);
    assert_int_equal(avps_blk_counters(&t->blk, 0)->late, 2);
    blk_free(t);
}

/* ---- late answers (I17) ---- */

static void test_blk_drops_answers_that_name_nothing(void **state)
{
    struct blk_test *t = blk_new_waiting(state, TEST_MEM_REGIONS);
    struct test_request r;

    blk_start(t);
    blk_send(t, 0, &r, BLK_T_IN, 0, NULL, 0, 512);
    const uint64_t token = t->log[0].token;
    avps_blk_done(&t->blk, token + 1U, AVPS_OK);                            /* another slot */
    avps_blk_done(&t->blk, token + (UINT64_C(1) << 32), AVPS_OK);           /* a later operation */
    avps_blk_done(&t->blk, token - (UINT64_C(1) << 32), AVPS_OK);           /* an earlier one */
    avps_blk_done(&t->blk, (token & ~UINT64_C(0xff)) | BLK_SLOTS, AVPS_OK); /* no slot */
    avps_blk_done(&t->blk, UINT64_MAX, AVPS_OK);
    (void)test_driver_poll(&t->d);
    blk_expect_none(t, 0);
    assert_int_equal(avps_blk_counters(&t->blk, 0)->late, 5);
    assert_int_equal(avps_queue_counters(&t->blk.base, 0)->late, 5);
    assert_int_equal(blk_late_events(t), 5);
    assert_int_equal(blk_answer(t), 1);
    blk_expect(t, 0, &r, BLK_OK, 513);
    blk_free(t);
}

static void test_blk_drops_the_second_answer(void **state)
{
    struct blk_test *t = blk_new_waiting(state, TEST_MEM_REGIONS);
    struct test_request r[2];

    blk_start(t);
    blk_send(t, 0, &r[0], BLK_T_IN, 0, NULL, 0, 512);
    const uint64_t token = t->log[0].token;
    assert_int_equal(blk_answer(t), 1);
    blk_expect(t, 0, &r[0], BLK_OK, 513);
    avps_blk_done(&t->blk, token, AVPS_OK);
    assert_int_equal(blk_late_events(t), 1);
    blk_send(t, 0, &r[1], BLK_T_IN, 0, NULL, 0, 512); /* the slot again */
    avps_blk_done(&t->blk, token, AVPS_OK);
    (void)test_driver_poll(&t->d);
    blk_expect_none(t, 0);
    assert_int_equal(blk_late_events(t), 2);
    assert_int_equal(blk_answer(t), 1);
    blk_expect(t, 0, &r[1], BLK_OK, 513);
    blk_free(t);
}

static void test_blk_drops_an_answer_to_what_was_done_at_once(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_start(t);
    assert_int_equal(blk_do(t, BLK_T_FLUSH, 0, NULL, 0, 0), BLK_OK);
    avps_blk_done(&t->blk, t->log[0].token, AVPS_E_IO);
    assert_int_equal(blk_late_events(t), 1);
    assert_int_equal(avps_blk_counters(&t->blk, 0)->late, 1);
    blk_still_works(t);
    blk_free(t);
}

/* ---- reset ---- */

/* [core-3.2] With a back end that can cancel, at once; nothing touches memory afterwards. */
static void test_blk_reset_cancels_requests_in_flight(void **state)
{
    for (unsigned int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct blk_test *t = blk_new_waiting(state, (enum test_mem_kind)kind);
        struct test_request r[3];
        uint64_t token[3];

        blk_start(t);
        for (uint32_t i = 0; i < 3U; i++) {
            blk_send(t, 0, &r[i], BLK_T_IN, i, NULL, 0, 512);
            token[i] = t->log[i].token;
        }
        const unsigned int cancels = t->cancels;
        test_driver_reset(&t->d);
        assert_int_equal(t->cancels, cancels + 1U);
        assert_int_equal(avps_sim_ramdisk_counters(&t->disk)->cancelled, 3);
        assert_int_equal(test_mem_live_maps(&t->d.mem), 0);
        test_mem_freeze(&t->d.mem);
        for (uint32_t i = 0; i < 3U; i++) {
            avps_blk_done(&t->blk, token[i], AVPS_OK);
        }
        assert_int_equal(test_mem_changed(&t->d.mem, NULL, 0), 0);
        assert_int_equal(blk_late_events(t), 3);
        test_driver_start(&t->d);
        for (uint32_t i = 0; i < 3U; i++) {
            avps_blk_done(&t->blk, token[i], AVPS_OK);
        }
        assert_int_equal(blk_late_events(t), 6);
        blk_send(t, 0, &r[0], BLK_T_IN, 9, NULL, 0, 512);
        assert_int_equal(blk_answer(t), 1);
        blk_expect(t, 0, &r[0], BLK_OK, 513);
        blk_free(t);
    }
}

/* [core-3.1] [mmio-1.5] Without, the reset is over with the last answer. */
static void test_blk_reset_waits_for_a_back_end_that_cannot_cancel(void **state)
{
    for (unsigned int has_op = 0; has_op < 2U; has_op++) {
        struct blk_test *t = blk_new_waiting(state, TEST_MEM_REGIONS);
        struct test_request r[2];

        t->disk_config.cancel = AVPS_SIM_CANCEL_LATER;
        if (has_op == 0U) {
            t->ops.cancel = NULL;
        }
        blk_start(t);
        blk_send(t, 0, &r[0], BLK_T_IN, 0, NULL, 0, 512);
        blk_send(t, 0, &r[1], BLK_T_OUT, 1, t->data, 512, 0);
        test_driver_set(&t->d, TEST_STATUS, 0);
        assert_int_not_equal(test_driver_get(&t->d, TEST_STATUS), 0);
        avps_blk_done(&t->blk, t->log[0].token, AVPS_OK);
        assert_int_not_equal(test_driver_get(&t->d, TEST_STATUS), 0);
        avps_blk_done(&t->blk, t->log[1].token, AVPS_OK);
        assert_int_equal(test_driver_get(&t->d, TEST_STATUS), 0);
        assert_int_equal(blk_status(t, &r[0]), BLK_UNTOUCHED);
        assert_int_equal(blk_status(t, &r[1]), BLK_UNTOUCHED);
        assert_int_equal(t->d.port.events[AVPS_EVENT_RESET], 2);
        avps_sim_ramdisk_power_cut(&t->disk);
        test_driver_start(&t->d);
        blk_send(t, 0, &r[0], BLK_T_IN, 0, NULL, 0, 512);
        assert_int_equal(blk_answer(t), 1);
        blk_expect(t, 0, &r[0], BLK_OK, 513);
        blk_free(t);
    }
}

static void test_blk_reset_does_not_go_on_with_a_request(void **state)
{
    struct blk_test *t = blk_new_waiting(state, TEST_MEM_REGIONS);
    struct test_request r;
    uint8_t ranges[32];

    t->ops.cancel = NULL;
    blk_start(t);
    blk_range(ranges, 0, 2, 0);
    blk_range(ranges + 16, 8, 2, 0);
    blk_send(t, 0, &r, BLK_T_DISCARD, 0, ranges, sizeof ranges, 0);
    test_driver_set(&t->d, TEST_STATUS, 0);
    assert_int_equal(avps_sim_ramdisk_poll(&t->disk), 1);
    assert_int_equal(t->logged, 1); /* the second range is not begun */
    assert_int_equal(test_driver_get(&t->d, TEST_STATUS), 0);
    assert_int_equal(blk_status(t, &r), BLK_UNTOUCHED);
    blk_free(t);
}

/* Requests that are answered but held back by IN_ORDER must not hold a reset. */
static void test_blk_reset_ends_with_answers_held_back(void **state)
{
    struct blk_test *t = blk_new_waiting(state, TEST_MEM_REGIONS);
    struct test_request r[3];

    avps_features_remove(&t->refuse, AVPS_F_IN_ORDER);
    t->ops.cancel = NULL;
    blk_start(t);
    for (uint32_t i = 0; i < 3U; i++) {
        blk_send(t, 0, &r[i], BLK_T_IN, i, NULL, 0, 512);
    }
    avps_blk_done(&t->blk, t->log[1].token, AVPS_E_IO);
    test_driver_set(&t->d, TEST_STATUS, 0);
    assert_int_not_equal(test_driver_get(&t->d, TEST_STATUS), 0);
    avps_blk_done(&t->blk, t->log[2].token, AVPS_E_IO);
    assert_int_not_equal(test_driver_get(&t->d, TEST_STATUS), 0);
    avps_blk_done(&t->blk, t->log[0].token, AVPS_E_IO);
    assert_int_equal(test_driver_get(&t->d, TEST_STATUS), 0);
    avps_sim_ramdisk_power_cut(&t->disk);
    blk_free(t);
}

/* [core-5.1] I18 */
static void test_blk_queue_reset_leaves_the_other_queue_alone(void **state)
{
    struct blk_test *t = blk_new_waiting(state, TEST_MEM_REGIONS);
    struct test_request r[2];

    t->config.base = test_driver_base(&t->d, t->queues, 2, 64);
    blk_start(t);
    blk_send(t, 0, &r[0], BLK_T_IN, 0, NULL, 0, 512);
    blk_send(t, 1, &r[1], BLK_T_IN, 1, NULL, 0, 512);
    assert_int_equal(t->log[1].queue, 1);
    test_driver_set(&t->d, TEST_QUEUE_SEL, 0);
    test_driver_set(&t->d, TEST_QUEUE_RESET, 1);
    assert_int_equal(test_driver_get(&t->d, TEST_QUEUE_RESET), 0);
    assert_int_equal(test_driver_get(&t->d, TEST_QUEUE_READY), 0);
    assert_int_equal(avps_sim_ramdisk_counters(&t->disk)->cancelled, 1);
    avps_blk_done(&t->blk, t->log[0].token, AVPS_OK);
    assert_int_equal(avps_blk_counters(&t->blk, 0)->late, 1);
    assert_int_equal(blk_answer(t), 1);
    blk_expect(t, 1, &r[1], BLK_OK, 513);
    assert_int_equal(blk_status(t, &r[0]), BLK_UNTOUCHED);
    assert_true(test_driver_queue(&t->d, 0, 16));
    blk_send(t, 0, &r[0], BLK_T_IN, 0, NULL, 0, 512);
    assert_int_equal(blk_answer(t), 1);
    blk_expect(t, 0, &r[0], BLK_OK, 513);
    blk_free(t);
}

/* [mmio-1.11] [mmio-1.12] */
static void test_blk_queue_reset_waits_for_a_back_end_that_cannot_cancel(void **state)
{
    struct blk_test *t = blk_new_waiting(state, TEST_MEM_REGIONS);
    struct test_request r;

    t->ops.cancel = NULL;
    blk_start(t);
    blk_send(t, 0, &r, BLK_T_IN, 0, NULL, 0, 512);
    test_driver_set(&t->d, TEST_QUEUE_SEL, 0);
    test_driver_set(&t->d, TEST_QUEUE_RESET, 1);
    assert_int_equal(test_driver_get(&t->d, TEST_QUEUE_RESET), 1);
    assert_int_equal(avps_sim_ramdisk_poll(&t->disk), 1);
    assert_int_equal(test_driver_get(&t->d, TEST_QUEUE_RESET), 0);
    assert_int_equal(blk_status(t, &r), BLK_UNTOUCHED);
    assert_true(test_driver_queue(&t->d, 0, 16));
    blk_send(t, 0, &r, BLK_T_IN, 0, NULL, 0, 512);
    assert_int_equal(blk_answer(t), 1);
    blk_expect(t, 0, &r, BLK_OK, 513);
    blk_free(t);
}

static void test_blk_survives_a_hundred_resets_with_requests_in_flight(void **state)
{
    struct blk_test *t = blk_new_waiting(state, TEST_MEM_REGIONS);
    struct test_request r;

    blk_start(t);
    for (uint32_t i = 0; i < 100U; i++) {
        const size_t mark = test_mem_mark(&t->d.mem);

        t->logged = 0;
        blk_send(t, 0, &r, BLK_T_IN, 0, NULL, 0, 512);
        assert_int_equal(t->logged, 1);
        test_mem_rewind(&t->d.mem, mark);
        test_driver_start(&t->d);
    }
    assert_int_equal(avps_sim_ramdisk_counters(&t->disk)->cancelled, 100);
    assert_int_equal(avps_device_counters(&t->blk.base)->needs_reset, 0);
    blk_free(t);
}

/* ---- a status byte that cannot be written ---- */

static void test_blk_withholds_a_late_answer_that_cannot_be_written(void **state)
{
    struct blk_test *t = blk_new_waiting(state, TEST_MEM_COPY);
    struct test_request r[1];

    blk_start(t);
    blk_send(t, 0, &r[0], BLK_T_OUT, 0, t->data, 512, 0);
    test_fail_at(&t->d.mem.fail, 1, AVPS_E_IO);
    avps_blk_done(&t->blk, t->log[0].token, AVPS_E_IO);
    test_driver_assert_faulted(&t->d);
    blk_expect_none(t, 0);
    assert_int_equal(blk_status(t, &r[0]), BLK_UNTOUCHED);
    avps_blk_done(&t->blk, t->log[0].token, AVPS_OK); /* it is gone */
    assert_int_equal(avps_blk_counters(&t->blk, 0)->late, 1);
    avps_sim_ramdisk_power_cut(&t->disk);
    test_driver_start(&t->d);
    blk_send(t, 0, &r[0], BLK_T_IN, 0, NULL, 0, 512);
    assert_int_equal(blk_answer(t), 1);
    blk_expect(t, 0, &r[0], BLK_OK, 513);
    blk_free(t);
}

/* ---- suspend, quiesce ---- */

/* [init-1.6] [init-1.8] */
static void test_blk_suspend_waits_for_requests_in_flight(void **state)
{
    struct blk_test *t = blk_new_waiting(state, TEST_MEM_REGIONS);
    struct test_request r[2];

    blk_start(t);
    blk_send(t, 0, &r[0], BLK_T_IN, 0, NULL, 0, 512);
    test_driver_set(&t->d, TEST_STATUS, TEST_S_LIVE | TEST_S_SUSPEND);
    assert_int_equal(test_driver_get(&t->d, TEST_STATUS) & TEST_S_SUSPEND, 0);
    blk_send(t, 0, &r[1], BLK_T_IN, 0, NULL, 0, 512); /* not taken any more */
    assert_int_equal(t->logged, 1);
    assert_int_equal(avps_sim_ramdisk_poll(&t->disk), 1);
    assert_int_equal(test_driver_get(&t->d, TEST_STATUS),
                     (TEST_S_LIVE & ~TEST_S_DRIVER_OK) | TEST_S_SUSPEND);
    blk_expect(t, 0, &r[0], BLK_OK, 513);
    test_driver_set(&t->d, TEST_STATUS, TEST_S_LIVE);
    (void)test_driver_poll(&t->d);
    assert_int_equal(blk_answer(t), 1);
    blk_expect(t, 0, &r[1], BLK_OK, 513);
    blk_free(t);
}

static void test_blk_quiesce_waits_for_requests_in_flight(void **state)
{
    struct blk_test *t = blk_new_waiting(state, TEST_MEM_REGIONS);
    struct test_request r[2];
    size_t used = 0;

    blk_start(t);
    blk_send(t, 0, &r[0], BLK_T_IN, 0, NULL, 0, 512);
    assert_int_equal(avps_quiesce(&t->blk.base), AVPS_PENDING);
    assert_int_equal(avps_save(&t->blk.base, NULL, 0, &used), AVPS_E_STATE);
    blk_send(t, 0, &r[1], BLK_T_IN, 1, NULL, 0, 512);
    assert_int_equal(t->logged, 1);
    assert_int_equal(avps_sim_ramdisk_poll(&t->disk), 1);
    assert_int_equal(avps_quiesce(&t->blk.base), AVPS_OK);
    blk_expect(t, 0, &r[0], BLK_OK, 513);
    avps_resume(&t->blk.base);
    (void)test_driver_poll(&t->d);
    assert_int_equal(blk_answer(t), 1);
    blk_expect(t, 0, &r[1], BLK_OK, 513);
    blk_free(t);
}

/* ---- several queues ---- */

static void test_blk_serves_every_queue(void **state)
{
    struct blk_test *t = blk_new_waiting(state, TEST_MEM_REGIONS);
    struct test_request r[4];

    t->config.base = test_driver_base(&t->d, t->queues, 4, 64);
    blk_start(t);
    for (uint16_t i = 0; i < 4U; i++) {
        blk_send(t, i, &r[i], BLK_T_IN, i, NULL, 0, 512);
        assert_int_equal(t->log[i].queue, i);
    }
    assert_int_equal(blk_answer(t), 4);
    for (uint16_t i = 0; i < 4U; i++) {
        blk_expect(t, i, &r[i], BLK_OK, 513);
        assert_int_equal(avps_blk_counters(&t->blk, i)->reads, 1);
    }
    blk_free(t);
}

/* I35 One queue cannot take the slots of another. */
static void test_blk_gives_each_queue_its_own_slots(void **state)
{
    struct blk_test *t = blk_new_waiting(state, TEST_MEM_REGIONS);
    struct test_request r[6];
    struct test_request other;

    t->config.base = test_driver_base(&t->d, t->queues, 2, 64);
    t->d.size = 64;
    blk_start(t);
    for (uint32_t i = 0; i < 6U; i++) {
        blk_send(t, 0, &r[i], BLK_T_IN, i, NULL, 0, 512);
    }
    assert_int_equal(t->logged, BLK_SLOTS / 2U);
    blk_send(t, 1, &other, BLK_T_IN, 7, NULL, 0, 512);
    assert_int_equal(t->logged, BLK_SLOTS / 2U + 1U);
    assert_int_equal(t->log[BLK_SLOTS / 2U].queue, 1);
    assert_int_equal(blk_answer(t), BLK_SLOTS / 2U + 1U);
    assert_int_equal(blk_answer(t), 2);
    blk_expect(t, 1, &other, BLK_OK, 513);
    for (uint32_t i = 0; i < 6U; i++) {
        blk_expect(t, 0, &r[i], BLK_OK, 513);
    }
    blk_free(t);
}

static void test_blk_polls_one_queue_alone(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
    struct test_request r[2];
    uint8_t header[16];

    t->config.base = test_driver_base(&t->d, t->queues, 2, 64);
    blk_start(t);
    for (uint16_t i = 0; i < 2U; i++) {
        blk_build(&r[i], header, BLK_T_IN, 0, NULL, 0, 512);
        (void)test_driver_send(&t->d, i, &r[i]);
        test_driver_kick(&t->d, i);
    }
    assert_int_equal(avps_poll_queue(&t->blk.base, 1, 8), AVPS_POLL_IDLE);
    blk_expect_none(t, 0);
    blk_expect(t, 1, &r[1], BLK_OK, 513);
    assert_int_equal(avps_poll_queue(&t->blk.base, 0, 8), AVPS_POLL_IDLE);
    blk_expect(t, 0, &r[0], BLK_OK, 513);
    blk_free(t);
}

static void test_blk_faults_on_a_second_queue_without_mq(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
    struct test_request r;

    t->config.base = test_driver_base(&t->d, t->queues, 2, 64);
    blk_refuse(t, BLK_F_MQ);
    blk_start(t);
    blk_send(t, 1, &r, BLK_T_IN, 0, NULL, 0, 512);
    test_driver_assert_faulted(&t->d);
    assert_int_equal(avps_device_counters(&t->blk.base)->faults[AVPS_FAULT_PROTOCOL], 1);
    assert_int_equal(t->logged, 0);
    blk_free(t);
}

/* I35 */
static void test_blk_two_devices_do_not_meet(void **state)
{
    struct blk_test *a = blk_new_waiting(state, TEST_MEM_REGIONS);
    struct blk_test *b = blk_new_waiting(state, TEST_MEM_TRANSLATE);
    struct test_request ra;
    struct test_request rb;

    b->config.read_only = true;
    blk_start(a);
    blk_start(b);
    blk_send(a, 0, &ra, BLK_T_OUT, 5, b->data, 512, 0);
    blk_send(b, 0, &rb, BLK_T_IN, 5, NULL, 0, 512);
    test_mem_freeze(&b->d.mem);
    assert_int_equal(blk_answer(a), 1);
    blk_expect(a, 0, &ra, BLK_OK, 1);
    test_driver_reset(&a->d);
    assert_int_equal(test_mem_changed(&b->d.mem, NULL, 0), 0);
    assert_int_equal(avps_blk_counters(&b->blk, 0)->reads, 0);
    assert_int_equal(blk_answer(b), 1);
    blk_expect(b, 0, &rb, BLK_OK, 513);
    assert_true(blk_disk_is_first(b, 0, BLK_SECTORS));
    blk_free(a);
    blk_free(b);
}

/* ---- saved state ---- */

static uint8_t saved[4096];

/* Let `to`, a fresh device of the same kind, live on in the driver and memory of `from`. */
static enum avps_status blk_move(struct blk_test *from, struct blk_test *to, size_t size)
{
    to->config.base.mem = &from->d.mem.handle;
    blk_init(to);
    return avps_load(&to->blk.base, saved, size);
}

static void test_blk_lives_on_from_a_saved_state(void **state)
{
    struct blk_test *from = blk_new(state, TEST_MEM_REGIONS);
    struct blk_test *to = blk_new(state, TEST_MEM_REGIONS);
    struct test_request r;
    uint8_t header[16];
    size_t used = 0;

    blk_start(from);
    blk_still_works(from);
    test_driver_config_set(&from->d, 32, 1, 0);
    assert_int_equal(avps_quiesce(&from->blk.base), AVPS_OK);
    assert_int_equal(avps_save(&from->blk.base, saved, sizeof saved, &used), AVPS_OK);
    assert_int_equal(blk_move(from, to, used), AVPS_OK);
    assert_false(avps_blk_is_writeback(&to->blk));
    assert_int_equal(test_driver_config(&to->d, 32, 1), 0);
    blk_build(&r, header, BLK_T_OUT, 2, from->data, 512, 0);
    (void)test_driver_send(&from->d, 0, &r);
    avps_kick(&to->blk.base, 0, 0);
    (void)avps_poll(&to->blk.base, 8);
    blk_expect(from, 0, &r, BLK_OK, 1);
    assert_int_equal(to->logged, 2); /* the write, and the flush that it needs now */
    test_driver_reset(&to->d);
    blk_free(to);
    blk_free(from);
}

/* I28 */
static void test_blk_refuses_a_saved_cache_mode_that_cannot_be(void **state)
{
    for (unsigned int n = 0; n < 3U; n++) {
        struct blk_test *from = blk_new(state, TEST_MEM_REGIONS);
        struct blk_test *to = blk_new(state, TEST_MEM_REGIONS);
        size_t used = 0;

        if (n != 0U) {
            blk_refuse(from, BLK_F_CONFIG_WCE);
        }
        blk_start(from);
        assert_int_equal(avps_save(&from->blk.base, saved, sizeof saved, &used), AVPS_OK);
        assert_int_equal(saved[used - 5U], 2); /* before the end mark: not written */
        saved[used - 5U] = (uint8_t)(n == 0U ? 3U : n - 1U);
        assert_int_equal(blk_move(from, to, used), AVPS_E_PARAM);
        assert_int_equal(avps_device_status(&to->blk.base), 0);
        assert_true(atomic_load(&to->blk.writeback) == 2U);
        blk_free(to);
        blk_free(from);
    }
}

static void test_blk_refuses_every_truncated_state(void **state)
{
    struct blk_test *from = blk_new(state, TEST_MEM_REGIONS);
    struct blk_test *to = blk_new(state, TEST_MEM_REGIONS);
    size_t used = 0;

    blk_start(from);
    assert_int_equal(avps_save(&from->blk.base, saved, sizeof saved, &used), AVPS_OK);
    to->config.base.mem = &from->d.mem.handle;
    blk_init(to);
    for (size_t size = 0; size < used; size++) {
        assert_int_equal(avps_load(&to->blk.base, saved, size), AVPS_E_PARAM);
        assert_int_equal(avps_device_status(&to->blk.base), 0);
    }
    assert_int_equal(avps_load(&to->blk.base, saved, used), AVPS_OK);
    test_driver_reset(&to->d);
    blk_free(to);
    blk_free(from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_blk_answers_when_the_back_end_does, NULL, NULL),
        TEST_BOTH(test_blk_wakes_the_embedder_for_an_answer, NULL, NULL),
        TEST_BOTH(test_blk_returns_requests_as_they_are_answered, NULL, NULL),
        TEST_BOTH(test_blk_in_order_holds_later_requests_back, NULL, NULL),
        TEST_BOTH(test_blk_waits_with_more_requests_than_slots, NULL, NULL),
        TEST_BOTH(test_blk_reports_errors_that_come_later, NULL, NULL),
        TEST_BOTH(test_blk_carries_ranges_out_one_answer_at_a_time, NULL, NULL),
        TEST_BOTH(test_blk_stops_at_the_range_that_fails_later, NULL, NULL),
        TEST_BOTH(test_blk_takes_an_answer_from_inside_submit, NULL, NULL),
        TEST_BOTH(test_blk_drops_answers_that_name_nothing, NULL, NULL),
        TEST_BOTH(test_blk_drops_the_second_answer, NULL, NULL),
        TEST_BOTH(test_blk_drops_an_answer_to_what_was_done_at_once, NULL, NULL),
        TEST_BOTH(test_blk_reset_cancels_requests_in_flight, NULL, NULL),
        TEST_BOTH(test_blk_reset_waits_for_a_back_end_that_cannot_cancel, NULL, NULL),
        TEST_BOTH(test_blk_reset_does_not_go_on_with_a_request, NULL, NULL),
        TEST_BOTH(test_blk_reset_ends_with_answers_held_back, NULL, NULL),
        TEST_BOTH(test_blk_queue_reset_leaves_the_other_queue_alone, NULL, NULL),
        TEST_BOTH(test_blk_queue_reset_waits_for_a_back_end_that_cannot_cancel, NULL, NULL),
        TEST_BOTH(test_blk_survives_a_hundred_resets_with_requests_in_flight, NULL, NULL),
        TEST_BOTH(test_blk_withholds_a_late_answer_that_cannot_be_written, NULL, NULL),
        TEST_BOTH(test_blk_suspend_waits_for_requests_in_flight, NULL, NULL),
        TEST_BOTH(test_blk_quiesce_waits_for_requests_in_flight, NULL, NULL),
        TEST_BOTH(test_blk_serves_every_queue, NULL, NULL),
        TEST_BOTH(test_blk_gives_each_queue_its_own_slots, NULL, NULL),
        TEST_BOTH(test_blk_polls_one_queue_alone, NULL, NULL),
        TEST_BOTH(test_blk_faults_on_a_second_queue_without_mq, NULL, NULL),
        TEST_BOTH(test_blk_two_devices_do_not_meet, NULL, NULL),
        TEST_BOTH(test_blk_lives_on_from_a_saved_state, NULL, NULL),
        TEST_BOTH(test_blk_refuses_a_saved_cache_mode_that_cannot_be, NULL, NULL),
        TEST_BOTH(test_blk_refuses_every_truncated_state, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
