/* SPDX-License-Identifier: BSD-3-Clause */
/* A port that fails at the n-th call, for every n, under every contract that can fail: nothing is
 * lost, leaked or done twice. */
#include "support/queue.h"

/* One request from available to used, again and again until it is through. @return attempts that
 * failed. */
static unsigned int push_through(struct test_vq *q, enum avps_status expected)
{
    const size_t mark = test_mem_mark(&q->mem);
    const avps_gpa gpa = test_mem_alloc(&q->mem, 16, 1);
    const struct test_desc inner[] = {{gpa, 8, 0}, {gpa + 8U, 8, TEST_WRITE}};
    const struct test_desc outer = {test_ring_table(&q->ring, inner, 2), 32, TEST_INDIRECT};
    struct avps_chain *chain = &q->chain[0];
    enum avps_status status = AVPS_E_STATE;
    unsigned int failures = 0;
    uint8_t bytes[8] = {0};
    bool notify = false;

    test_mem_put(&q->mem, gpa, "question", 8);
    const uint16_t id = test_ring_add(&q->ring, &outer, 1);
    for (int i = 0; i < 3 && (status = test_vq_pop(q, 0)) != AVPS_OK; i++) {
        assert_int_equal(status, expected);
        assert_int_equal(q->vq.in_flight, 0);
        assert_int_equal(test_mem_live_maps(&q->mem), 0);
        failures++;
    }
    assert_int_equal(status, AVPS_OK);
    assert_int_equal(chain->id, id);
    status = avps_chain_read(chain, bytes, 8);
    failures += status == AVPS_OK ? 0U : 1U;
    if (status == AVPS_OK) {
        assert_memory_equal(bytes, "question", 8);
    }
    for (int i = 0; i < 3 && (status = avps_chain_write(chain, "answer", 6)) != AVPS_OK; i++) {
        assert_int_equal(status, expected);
        failures++;
    }
    for (int i = 0; i < 3 && (status = avps_vq_push(&q->vq, chain)) != AVPS_OK; i++) {
        assert_int_equal(status, expected);
        assert_int_equal(q->vq.in_flight, 1); /* still ours */
        test_vq_expect_none(q);
        failures++;
    }
    assert_int_equal(status, AVPS_OK);
    for (int i = 0; i < 3 && (status = avps_vq_publish(&q->vq, &notify)) != AVPS_OK; i++) {
        assert_int_equal(status, expected);
        failures++;
        if (notify) {
            break; /* published, only the driver's wishes are unknown */
        }
    }
    assert_true(notify);
    test_vq_expect_used(q, id, 6);
    test_vq_expect_none(q);
    assert_memory_equal(test_mem_host(&q->mem, gpa + 8U, 6), "answer", 6);
    test_mem_rewind(&q->mem, mark);
    return failures;
}

static void fail_everywhere(void **state, enum avps_status status)
{
    for (int kind = TEST_MEM_TRANSLATE; kind < TEST_MEM_KINDS; kind++) {
        struct test_vq *q = test_vq_new(state, (enum test_mem_kind)kind, 8);
        unsigned int n = 0;
        q->config.indirect = true;
        test_vq_enable(q);

        do {
            n++;
            test_fail_at(&q->mem.fail, n, status);
            assert_true(push_through(q, status) <= 1U);
        } while (q->mem.fail.calls >= n);
        assert_true(n > (kind == TEST_MEM_COPY ? 7U : 2U)); /* it did fail that often */
        test_vq_free(q);
    }
}

/* I19: a failure of the host is no fault of the guest: reported, retried, never latched */
static void test_fault_io_error_at_every_call_is_survived(void **state)
{
    fail_everywhere(state, AVPS_E_IO);
}

static void test_fault_again_at_every_call_is_survived(void **state)
{
    fail_everywhere(state, AVPS_AGAIN);
}

/* (d) row 59: an address error of the platform at any call of a pop latches; nothing leaks */
static void test_fault_address_error_at_every_call_is_latched(void **state)
{
    for (int kind = TEST_MEM_TRANSLATE; kind < TEST_MEM_KINDS; kind++) {
        for (unsigned int n = 1;; n++) {
            struct test_vq *q = test_vq_new(state, (enum test_mem_kind)kind, 8);
            q->config.indirect = true;
            test_vq_enable(q);
            const struct test_desc inner[] = {{TEST_RAM_GPA, 8, 0}, {TEST_RAM_GPA, 8, TEST_WRITE}};
            const struct test_desc outer = {test_ring_table(&q->ring, inner, 2), 32, TEST_INDIRECT};

            (void)test_ring_add(&q->ring, &outer, 1);
            test_fail_at(&q->mem.fail, n, AVPS_E_GUEST_ADDR);
            const enum avps_status status = test_vq_pop(q, 0);
            const unsigned int calls = q->mem.fail.calls;
            if (status == AVPS_OK) {
                assert_true(calls < n);
                test_vq_free(q);
                break;
            }
            assert_int_equal(status, AVPS_E_GUEST_ADDR);
            assert_int_equal(test_vq_pop(q, 0), AVPS_E_GUEST_ADDR);
            assert_int_equal(q->mem.fail.calls, calls); /* not looked at again */
            assert_int_equal(test_mem_live_maps(&q->mem), 0);
            test_vq_restart(q);
            test_vq_round(q);
            test_vq_free(q);
        }
    }
}

/* I25: when the driver's wishes cannot be read it is notified */
static void test_fault_unreadable_suppression_notifies(void **state)
{
    for (int event_idx = 0; event_idx < 2; event_idx++) {
        for (unsigned int n = 2; n <= 3U; n++) {
            struct test_vq *q = test_vq_new(state, TEST_MEM_COPY, 8);
            const struct test_desc table[] = {{TEST_RAM_GPA, 8, 0}};
            bool notify = false;
            q->config.event_idx = event_idx != 0;
            test_vq_enable(q);
            if (q->config.packed) { /* would all mean "no" if they could be read */
                test_ring_event(&q->ring, 5, true, event_idx != 0 ? 2 : 1);
            } else {
                test_ring_interrupts(&q->ring, false);
                test_ring_used_event(&q->ring, 5);
            }
            (void)test_ring_add(&q->ring, table, 1);
            (void)test_vq_take(q, 0);
            assert_int_equal(avps_vq_push(&q->vq, &q->chain[0]), AVPS_OK);
            test_fail_at(&q->mem.fail, n, AVPS_E_IO); /* 1 is the publishing write */
            const enum avps_status status = avps_vq_publish(&q->vq, &notify);
            assert_int_equal(notify, status != AVPS_OK);
            assert_int_equal(status, q->mem.fail.calls >= n ? AVPS_E_IO : AVPS_OK);
            assert_true(n == 3U || status == AVPS_E_IO);
            test_vq_expect_used(q, q->chain[0].id, 0); /* visible either way */
            test_vq_free(q);
        }
    }
}

/* I25: a ring that cannot be armed or looked at is looked at again */
static void test_fault_failed_arm_asks_for_another_look(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_COPY, 8);
    bool more = false;

    test_fail_at(&q->mem.fail, 1, AVPS_E_IO); /* asking */
    avps_vq_arm(&q->vq, &more);
    assert_true(more);
    test_fail_at(&q->mem.fail, 2, AVPS_E_IO); /* looking */
    avps_vq_arm(&q->vq, &more);
    assert_true(more);
    test_fail_at(&q->mem.fail, 1, AVPS_E_IO);
    assert_true(avps_vq_has_work(&q->vq));
    assert_int_equal(test_vq_pop(q, 0), AVPS_EMPTY);
    avps_vq_arm(&q->vq, &more);
    assert_false(more);
    assert_true(test_ring_wants_kick(&q->ring) || q->config.packed);
    test_vq_round(q);
    test_vq_free(q);
}

/* A failed suppression is no suppression: the next attempt writes again. */
static void test_fault_failed_suppression_is_repeated(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_COPY, 8);
    const struct test_desc table[] = {{TEST_RAM_GPA, 8, 0}};

    test_fail_at(&q->mem.fail, 1, AVPS_E_IO);
    avps_vq_suppress(&q->vq);
    avps_vq_suppress(&q->vq);
    (void)test_ring_add(&q->ring, table, 1);
    assert_false(test_ring_wants_kick(&q->ring));
    (void)test_vq_take(q, 0);
    test_vq_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_fault_io_error_at_every_call_is_survived, NULL, NULL),
        TEST_BOTH(test_fault_again_at_every_call_is_survived, NULL, NULL),
        TEST_BOTH(test_fault_address_error_at_every_call_is_latched, NULL, NULL),
        TEST_BOTH(test_fault_unreadable_suppression_notifies, NULL, NULL),
        TEST_BOTH(test_fault_failed_arm_asks_for_another_look, NULL, NULL),
        TEST_BOTH(test_fault_failed_suppression_is_repeated, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
