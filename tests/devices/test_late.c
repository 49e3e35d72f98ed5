/* SPDX-License-Identifier: BSD-3-Clause */
/* An IOMMU that answers late, under all four devices: answers in any order -> never, or no ->
 * invalidation -> small tables -> queues that wait to be started, also over a saved state. */
#include "test_contract.h"

/* ---- answers ---- */

enum order { OLDEST, NEWEST, ANY };

static uint32_t order_pick(enum order order, uint32_t count, uint32_t *seed)
{
    *seed = *seed * 1103515245U + 12345U;
    if (order == ANY) {
        return (*seed >> 16) % count;
    }
    return order == NEWEST ? count - 1U : 0U;
}

/* One answer after each poll that asked for something. @return how many answers it took. */
static uint32_t finish_late(struct subject *s, enum order order)
{
    struct test_iommu *iommu = s->d.mem.iommu;
    uint32_t seed = 1;
    uint32_t answers = 0;

    for (uint32_t steps = 0; !subject_step(s); steps++) {
        assert_true(steps < SUBJECT_STEPS);
        if (iommu->asked_count != 0U) {
            const unsigned int wakes = iommu->wakes;
            const uint32_t open = iommu->tlb.question_count;
            const uint32_t n = order_pick(order, iommu->asked_count, &seed);

            assert_int_equal(test_iommu_answer(iommu, n), AVPS_OK);
            assert_int_equal(iommu->wakes - wakes, iommu->tlb.question_count < open ? 1 : 0);
            answers++;
        }
    }
    return answers;
}

/* [feat-1.3] Rings and every buffer are missed first; nothing is lost, nothing comes twice. */
static void test_late_answers_in_any_order_lose_nothing(void **state)
{
    for (int order = OLDEST; order <= ANY; order++) {
        for (int which = 0; which < SUBJECTS; which++) {
            struct subject *s = subject_new(state, (enum subject_kind)which, TEST_MEM_IOTLB);

            s->d.mem.iommu->page = 256; /* many */
            subject_start(s);
            assert_int_equal(s->d.device->counters.needs_reset, 0);
            for (int round = 0; round < 8; round++) {
                subject_submit(s);
                assert_true(finish_late(s, (enum order)order) >= 1U);
                subject_check(s);
                assert_int_equal(avps_iotlb_counters(&s->d.mem.iommu->tlb)->refused, 0);
            }
            subject_free(s);
        }
    }
}

/* Nothing is known, and every poll is answered at once: the same result. */
static void test_late_answers_to_several_queues_come_together(void **state)
{
    for (int which = 0; which < SUBJECTS; which++) {
        struct subject *s = subject_new(state, (enum subject_kind)which, TEST_MEM_IOTLB);
        uint32_t steps = 0;

        subject_start(s);
        subject_submit(s);
        while (!subject_step(s)) {
            assert_true(++steps < 100U);
            test_iommu_answer_all(s->d.mem.iommu);
        }
        subject_check(s);
        subject_free(s);
    }
}

/* A question is asked once, whatever is polled and kicked meanwhile. */
static void test_late_question_is_asked_once(void **state)
{
    struct subject *s = subject_new(state, SUBJECT_RNG, TEST_MEM_IOTLB);
    struct test_iommu *iommu = s->d.mem.iommu;

    subject_start(s);
    assert_int_equal(avps_poll(s->d.device, 64), AVPS_POLL_PENDING);
    assert_int_equal(iommu->asked_count, 1);
    subject_submit(s);
    for (int i = 0; i < 20; i++) {
        assert_false(subject_step(s));
        test_driver_kick(&s->d, 0);
    }
    assert_int_equal(iommu->asked_count, 1);
    assert_int_equal(iommu->asked[0].iova, s->d.ring[0].desc);
    (void)finish_late(s, OLDEST);
    subject_check(s);
    subject_free(s);
}

/* Answers that nobody asked for, before, twice and over each other. */
static void test_late_unasked_answers_are_kept(void **state)
{
    struct subject *s = subject_new(state, SUBJECT_BLK, TEST_MEM_IOTLB);
    struct test_iommu *iommu = s->d.mem.iommu;
    struct avps_iotlb_range all = {TEST_RAM_GPA, TEST_RAM_SIZE, TEST_RAM_GPA + TEST_IOMMU_SHIFT,
                                   AVPS_ACCESS_RW};

    assert_int_equal(avps_iotlb_update(&iommu->tlb, &all), AVPS_OK);
    assert_int_equal(avps_iotlb_update(&iommu->tlb, &all), AVPS_OK);
    subject_start(s);
    subject_round(s);
    assert_int_equal(avps_iotlb_counters(&iommu->tlb)->misses, 0);
    assert_int_equal(iommu->wakes, 0);
    subject_free(s);
}

/* Whoever cannot be asked now is asked at a later poll; a look-up that fails costs nothing. */
static void test_late_look_up_that_fails_is_repeated(void **state)
{
    for (int which = 0; which < SUBJECTS; which++) {
        struct subject *s = subject_new(state, (enum subject_kind)which, TEST_MEM_IOTLB);
        struct test_iommu *iommu = s->d.mem.iommu;
        unsigned int n = 0;

        iommu->prompt = true;
        iommu->page = 128;
        subject_start(s);
        do {
            n++;
            (void)test_iommu_unmap(iommu, TEST_RAM_GPA, TEST_RAM_SIZE);
            test_fail_at(&iommu->fail, n, n % 2U == 0U ? AVPS_E_IO : AVPS_AGAIN);
            subject_submit(s);
            for (uint32_t steps = 0; !subject_step(s); steps++) {
                assert_true(steps < 20U);
                (void)!avps_iotlb_clear(&iommu->tlb); /* the question that nobody took down */
            }
            subject_check(s);
        } while (iommu->fail.calls >= n);
        assert_true(n > 3U);
        subject_free(s);
    }
}

/* ---- never, or no ---- */

/* A queue whose answer never comes holds up nobody else, and a reset frees it. */
static void test_late_answer_that_never_comes_holds_up_one_queue(void **state)
{
    struct subject *s = subject_new(state, SUBJECT_CONSOLE, TEST_MEM_IOTLB);
    struct test_iommu *iommu = s->d.mem.iommu;

    subject_start(s);
    while (iommu->asked_count != 0U || avps_poll(s->d.device, 64) != AVPS_POLL_IDLE) {
        test_iommu_answer_all(iommu);
    }
    const struct test_desc lost = {TEST_HIGH_GPA, 8, 0}; /* output that stays away */
    (void)test_ring_add(&s->d.ring[1], &lost, 1);
    test_driver_kick(&s->d, 1);
    assert_int_equal(avps_poll(s->d.device, 64), AVPS_POLL_PENDING);
    assert_int_equal(iommu->asked_count, 1);
    iommu->asked_count = 0; /* forgotten */
    iommu->prompt = true;
    const struct test_desc input = {test_mem_alloc(&s->d.mem, 32, 1), 32, TEST_WRITE};
    struct test_used used;
    uint32_t taken = 0;
    (void)test_ring_add(&s->d.ring[0], &input, 1);
    test_driver_kick(&s->d, 0);
    assert_int_equal(avps_console_input(&s->console, 0, "still", 5, &taken), AVPS_OK);
    assert_int_equal(taken, 5);
    assert_int_equal(avps_poll(s->d.device, 64), AVPS_POLL_PENDING);
    assert_true(test_driver_reap(&s->d, 0, &used));
    assert_int_equal(used.len, 5);
    assert_false(test_driver_reap(&s->d, 1, &used));
    test_driver_reset(&s->d);
    assert_int_equal(avps_iotlb_in_use(&iommu->tlb), 0);
    subject_start(s);
    subject_round(s);
    subject_free(s);
}

/* The embedder's "no" is a fault of the guest, exactly one, and a reset mends it. */
static void test_late_refusal_faults_the_queue(void **state)
{
    for (int which = 0; which < SUBJECTS; which++) {
        struct subject *s = subject_new(state, (enum subject_kind)which, TEST_MEM_IOTLB);
        struct test_iommu *iommu = s->d.mem.iommu;
        const uint16_t queue = which == SUBJECT_NET || which == SUBJECT_CONSOLE ? 1U : 0U;
        const struct test_desc desc = {TEST_HOLE_GPA, 64, which == SUBJECT_RNG ? TEST_WRITE : 0U};

        subject_start(s);
        while (iommu->asked_count != 0U || avps_poll(s->d.device, 64) != AVPS_POLL_IDLE) {
            test_iommu_answer_all(iommu);
        }
        (void)test_ring_add(&s->d.ring[queue], &desc, 1);
        test_driver_kick(&s->d, queue);
        assert_int_equal(avps_poll(s->d.device, 64), AVPS_POLL_PENDING);
        assert_int_equal(test_driver_get(&s->d, TEST_STATUS), TEST_S_LIVE);
        test_iommu_refuse(iommu, 0);
        (void)avps_poll(s->d.device, 64);
        test_driver_assert_faulted(&s->d);
        assert_int_equal(s->d.device->counters.faults[AVPS_FAULT_ADDR], 1);
        assert_int_equal(avps_iotlb_counters(&iommu->tlb)->refused, 1);
        assert_int_equal(avps_iotlb_refuse(&iommu->tlb, TEST_HOLE_GPA, 1), AVPS_EMPTY);
        iommu->prompt = true;
        subject_start(s);
        subject_round(s);
        subject_free(s);
    }
}

/* A translation that does not grant the access is one, too. */
static void test_late_answer_without_the_right_faults_the_queue(void **state)
{
    struct subject *s = subject_new(state, SUBJECT_RNG, TEST_MEM_IOTLB);
    const struct test_desc desc = {TEST_ROM_GPA, 64, TEST_WRITE};

    s->d.mem.iommu->prompt = true;
    subject_start(s);
    (void)test_ring_add(&s->d.ring[0], &desc, 1);
    test_driver_kick(&s->d, 0);
    (void)avps_poll(s->d.device, 64);
    test_driver_assert_faulted(&s->d);
    assert_int_equal(s->d.device->counters.faults[AVPS_FAULT_ACCESS], 1);
    subject_free(s);
}

/* ---- invalidation ---- */

/* I17: memory that requests in flight use is not given up before they are back, and is not looked up
 * again meanwhile */
static void test_late_invalidation_waits_for_requests_in_flight(void **state)
{
    struct subject *s = subject_new_slow_disk(state, TEST_MEM_IOTLB, AVPS_SIM_CANCEL_LATER);
    struct test_iommu *iommu = s->d.mem.iommu;

    iommu->page = 64; /* a buffer has translations of its own */
    iommu->prompt = true;
    subject_start(s);
    subject_submit(s);
    assert_false(subject_step(s)); /* both wait in the back end */
    iommu->prompt = false;
    const avps_gpa read = s->items[1].request.in_gpa[0];
    const avps_gpa status = s->items[0].request.in_gpa[0];
    assert_int_equal(test_iommu_unmap(iommu, read, 700), AVPS_PENDING);
    assert_int_equal(test_iommu_unmap(iommu, status, 1), AVPS_PENDING);
    assert_int_equal(test_iommu_unmap(iommu, read, 700), AVPS_PENDING); /* ask again */
    assert_int_equal(iommu->released, 0);
    s->quiet = false;
    subject_finish(s);
    subject_check(s); /* they were served as if nothing had been */
    assert_int_equal(test_iommu_unmap(iommu, read, 700), AVPS_OK);
    assert_true(iommu->released >= 11U && iommu->released_bytes >= 700U);
    assert_int_equal(iommu->asked_count, 0);
    const struct test_desc again[] = {{read, 16, 0}, {status, 1, TEST_WRITE}};
    (void)test_ring_add(&s->d.ring[0], again, 2);
    test_driver_kick(&s->d, 0);
    assert_int_equal(avps_poll(s->d.device, 64), AVPS_POLL_PENDING);
    assert_int_equal(iommu->asked_count, 1); /* and nobody remembers it */
    subject_free(s);
}

/* The same memory is mapped anew while requests use the old mapping: each leaves its own. */
static void test_late_requests_before_and_after_a_remap_are_kept_apart(void **state)
{
    struct subject *s = subject_new_slow_disk(state, TEST_MEM_IOTLB, AVPS_SIM_CANCEL_LATER);
    struct test_iommu *iommu = s->d.mem.iommu;
    static uint8_t hdr[16] = {[8] = 3};
    struct test_request old = {.out = {{hdr, 16}}, .in = {512, 1}};
    struct test_used used;

    iommu->prompt = true;
    subject_start(s);
    (void)test_driver_send(&s->d, 0, &old);
    test_driver_kick(&s->d, 0);
    (void)avps_poll(s->d.device, 64);
    const uint32_t rings = avps_iotlb_in_use(&iommu->tlb);
    assert_int_equal(test_iommu_unmap(iommu, TEST_RAM_GPA, TEST_RAM_SIZE), AVPS_PENDING);
    assert_int_equal(avps_iotlb_in_use(&iommu->tlb), rings);
    const struct test_desc again[] = {
        {old.out_gpa[0], 16, 0}, {old.in_gpa[0], 512, TEST_WRITE}, {old.in_gpa[1], 1, TEST_WRITE}};
    (void)test_ring_add(&s->d.ring[0], again, 3);
    test_driver_kick(&s->d, 0);
    (void)avps_poll(s->d.device, 64);
    assert_true(avps_iotlb_in_use(&iommu->tlb) > rings); /* the new mapping is in use as well */
    assert_int_equal(avps_sim_ramdisk_poll(&s->disk), 2);
    (void)avps_poll(s->d.device, 64);
    assert_true(test_driver_reap(&s->d, 0, &used) && test_driver_reap(&s->d, 0, &used));
    assert_int_equal(test_iommu_unmap(iommu, old.in_gpa[0], 1), AVPS_PENDING); /* the rings' page */
    test_driver_reset(&s->d);
    assert_int_equal(avps_iotlb_in_use(&iommu->tlb), 0);
    assert_int_equal(test_iommu_unmap(iommu, TEST_RAM_GPA, TEST_RAM_SIZE), AVPS_OK);
    subject_free(s);
}

/* A ring is used until its queue is reset. */
static void test_late_invalidation_of_a_ring_waits_for_its_reset(void **state)
{
    for (int which = 0; which < SUBJECTS; which++) {
        struct subject *s = subject_new(state, (enum subject_kind)which, TEST_MEM_IOTLB);
        struct test_iommu *iommu = s->d.mem.iommu;

        iommu->prompt = true;
        subject_start(s);
        subject_round(s);
        const struct test_ring *ring = &s->d.ring[0];
        assert_int_equal(test_iommu_unmap(iommu, ring->desc, 1), AVPS_PENDING);
        subject_round(s); /* served on: the memory is still there */
        assert_int_equal(test_iommu_unmap(iommu, ring->desc, 1), AVPS_PENDING);
        test_driver_reset(&s->d);
        assert_int_equal(test_iommu_unmap(iommu, ring->desc, 1), AVPS_OK);
        subject_start(s);
        subject_round(s);
        subject_free(s);
    }
}

/* ---- small tables ---- */

/* Translations are thrown out all the time, and one question at a time is remembered. */
static void test_late_small_tables_still_get_there(void **state)
{
    for (int prompt = 0; prompt < 2; prompt++) {
        for (int which = 0; which < SUBJECTS; which++) {
            struct subject *s = subject_new(state, (enum subject_kind)which, TEST_MEM_IOTLB);
            struct test_iommu *iommu = s->d.mem.iommu;

            iommu->page = 256;
            iommu->prompt = prompt != 0;
            test_iommu_limit(iommu, 20, 1);
            subject_start(s);
            for (int round = 0; round < 30; round++) {
                uint32_t steps = 0;

                subject_submit(s);
                while (!subject_step(s)) {
                    assert_true(++steps < SUBJECT_STEPS);
                    test_iommu_answer_all(iommu);
                }
                subject_check(s);
            }
            assert_true(avps_iotlb_counters(&iommu->tlb)->evicted != 0U);
            subject_free(s);
        }
    }
}

/* ---- queues that wait to be started ---- */

/* The driver reads "enabled", and its doorbells count; a reset while it waits leaves nothing. */
static void test_late_ring_is_enabled_and_starts_later(void **state)
{
    struct subject *s = subject_new(state, SUBJECT_RNG, TEST_MEM_IOTLB);
    struct test_iommu *iommu = s->d.mem.iommu;

    assert_true(test_driver_negotiate(&s->d));
    assert_true(test_driver_queue(&s->d, 0, 8));
    assert_int_equal(s->d.port.attached[0], 0);
    test_driver_set(&s->d, TEST_QUEUE_DESC_LOW, 0x1000); /* I14: frozen all the same */
    assert_int_equal(s->d.device->queues[0].regs.desc, s->d.ring[0].desc);
    assert_int_equal(avps_poll(s->d.device, 64), AVPS_POLL_PENDING);
    test_driver_set(&s->d, TEST_QUEUE_READY, 0);
    assert_int_equal(test_driver_get(&s->d, TEST_QUEUE_READY), 0);
    assert_int_equal(avps_poll(s->d.device, 64), AVPS_POLL_IDLE);
    assert_true(test_driver_enable(&s->d, 0));
    test_driver_ok(&s->d);
    test_iommu_answer_all(iommu);
    subject_submit(s);
    (void)finish_late(s, OLDEST);
    subject_check(s);
    assert_int_equal(s->d.port.attached[0], 1);
    test_driver_reset(&s->d);
    assert_int_equal(s->d.port.detached[0], 1);
    assert_true(test_driver_negotiate(&s->d));
    (void)test_iommu_unmap(iommu, TEST_RAM_GPA, TEST_RAM_SIZE);
    assert_true(test_driver_enable(&s->d, 0));
    test_driver_reset(&s->d);
    assert_int_equal(avps_iotlb_in_use(&iommu->tlb), 0);
    assert_int_equal(s->d.port.attached[0], 1);
    subject_free(s);
}

/* What turns out wrong after the driver was told "enabled" is a fault. */
static void test_late_ring_that_is_refused_faults_the_device(void **state)
{
    struct subject *s = subject_new(state, SUBJECT_RNG, TEST_MEM_IOTLB);
    struct test_iommu *iommu = s->d.mem.iommu;

    subject_start(s);
    test_iommu_refuse(iommu, 0);
    assert_int_equal(avps_poll(s->d.device, 64), AVPS_POLL_IDLE);
    test_driver_assert_faulted(&s->d);
    assert_int_equal(s->d.device->counters.faults[AVPS_FAULT_ADDR], 1);
    assert_int_equal(test_driver_get(&s->d, TEST_QUEUE_READY), 0);
    iommu->prompt = true;
    subject_start(s);
    subject_round(s);
    subject_free(s);
}

/* I28: a state is saved and loaded while queues wait, and goes on where it was. */
static void test_late_rings_survive_a_saved_state(void **state)
{
    for (int which = 0; which < SUBJECTS; which++) {
        static uint8_t blob[8192];
        size_t used = 0;
        struct subject *s = subject_new(state, (enum subject_kind)which, TEST_MEM_IOTLB);
        struct test_iommu *iommu = s->d.mem.iommu;

        iommu->prompt = true;
        subject_start(s);
        subject_round(s);
        assert_int_equal(avps_quiesce(s->d.device), AVPS_OK);
        assert_int_equal(avps_save(s->d.device, blob, sizeof blob, &used), AVPS_OK);
        (void)avps_reset(s->d.device);
        assert_int_equal(test_iommu_unmap(iommu, TEST_RAM_GPA, TEST_RAM_SIZE), AVPS_OK);
        iommu->prompt = false; /* on another host nothing is known */
        for (int times = 0; times < 2; times++) {
            assert_int_equal(avps_load(s->d.device, blob, used), AVPS_OK);
            avps_resume(s->d.device);
            assert_int_equal(test_driver_get(&s->d, TEST_STATUS), TEST_S_LIVE);
            assert_int_equal(avps_poll(s->d.device, 64), AVPS_POLL_PENDING);
            if (times == 0) { /* and once more, while they wait */
                assert_int_equal(avps_quiesce(s->d.device), AVPS_OK);
                assert_int_equal(avps_save(s->d.device, blob, sizeof blob, &used), AVPS_OK);
                (void)avps_reset(s->d.device);
                (void)!avps_iotlb_clear(&iommu->tlb);
                iommu->asked_count = 0;
            }
        }
        subject_submit(s);
        (void)finish_late(s, ANY);
        subject_check(s);
        subject_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_late_answers_in_any_order_lose_nothing, NULL, NULL),
        TEST_BOTH(test_late_answers_to_several_queues_come_together, NULL, NULL),
        TEST_BOTH(test_late_question_is_asked_once, NULL, NULL),
        TEST_BOTH(test_late_unasked_answers_are_kept, NULL, NULL),
        TEST_BOTH(test_late_look_up_that_fails_is_repeated, NULL, NULL),
        TEST_BOTH(test_late_answer_that_never_comes_holds_up_one_queue, NULL, NULL),
        TEST_BOTH(test_late_refusal_faults_the_queue, NULL, NULL),
        TEST_BOTH(test_late_answer_without_the_right_faults_the_queue, NULL, NULL),
        TEST_BOTH(test_late_invalidation_waits_for_requests_in_flight, NULL, NULL),
        TEST_BOTH(test_late_requests_before_and_after_a_remap_are_kept_apart, NULL, NULL),
        TEST_BOTH(test_late_invalidation_of_a_ring_waits_for_its_reset, NULL, NULL),
        TEST_BOTH(test_late_small_tables_still_get_there, NULL, NULL),
        TEST_BOTH(test_late_ring_is_enabled_and_starts_later, NULL, NULL),
        TEST_BOTH(test_late_ring_that_is_refused_faults_the_device, NULL, NULL),
        TEST_BOTH(test_late_rings_survive_a_saved_state, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
