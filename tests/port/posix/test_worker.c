/* SPDX-License-Identifier: BSD-3-Clause */
/* Workers: in whose context their loop is served, going, standing still, ending. */
#include "avps_posix/worker.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "support/driver.h"

#define COUNT 3U

/* What a worker's callbacks saw. Not atomic: that is the point. */
struct seen {
    struct avps_posix_worker *worker;
    unsigned long polls;
    unsigned long reads;
    pthread_t last; /* thread of the last callback */
    bool is_self;   /* it was that worker's context each time */
    int fd;
    struct avps_posix_source source;
};

static struct avps_posix_loop loop;
static struct avps_posix_worker workers[COUNT];
static struct seen seen[COUNT];

static void note(struct seen *s)
{
    s->last = pthread_self();
    s->is_self = s->is_self && avps_posix_worker_self() == s->worker;
}

static void poll_noted(void *ctx)
{
    struct seen *s = ctx;

    s->polls++;
    note(s);
}

static void read_noted(void *ctx, uint32_t conditions)
{
    struct seen *s = ctx;
    uint64_t count = 0;

    (void)conditions;
    if (read(s->fd, &count, sizeof count) == (ssize_t)sizeof count) {
        s->reads++;
    }
    note(s);
}

static int setup(void **state)
{
    (void)state;
    assert_int_equal(avps_posix_loop_init(&loop), AVPS_OK);
    for (unsigned int i = 0; i < COUNT; i++) {
        struct seen *s = &seen[i];

        *s = (struct seen){.worker = &workers[i], .is_self = true};
        assert_int_equal(avps_posix_worker_init(&workers[i], &loop), AVPS_OK);
        avps_posix_worker_set_poll(&workers[i], poll_noted, s);
        s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        assert_int_equal(avps_posix_source_add(&s->source, &workers[i].loop, s->fd, AVPS_POSIX_READ,
                                               read_noted, s),
                         AVPS_OK);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < COUNT; i++) {
        avps_posix_worker_end(&workers[i]);
        (void)close(seen[i].fd);
    }
    avps_posix_loop_free(&loop);
    return 0;
}

static void step(void)
{
    for (unsigned int i = 0; i < 8U; i++) {
        assert_int_equal(avps_posix_loop_step(&loop, false), AVPS_OK);
    }
}

static void ring(unsigned int i)
{
    const uint64_t one = 1;

    assert_int_equal(write(seen[i].fd, &one, sizeof one), sizeof one);
}

/* Let them run until `done` holds; they stand still when it is asked, and afterwards. */
static void run_until(bool (*done)(void))
{
    for (unsigned int tries = 0; tries < 5000U; tries++) {
        avps_posix_workers_go(workers, COUNT);
        (void)usleep(100);
        avps_posix_workers_halt(workers, COUNT);
        if (done()) {
            return;
        }
    }
    fail_msg("the workers do nothing");
}

static bool all_have_read(void)
{
    return seen[0].reads != 0U && seen[1].reads != 0U && seen[2].reads != 0U;
}

/* ---- tests ---- */

static void test_worker_that_stands_still_is_served_by_its_owner(void **state)
{
    (void)state;
    ring(1);
    avps_posix_worker_wake(&workers[2]);
    step();
    assert_int_equal(seen[1].reads, 1);
    assert_int_equal(seen[2].polls, 1);
    assert_true(pthread_equal(seen[1].last, pthread_self()) != 0);
    assert_true(seen[1].is_self && seen[2].is_self);
    assert_null(avps_posix_worker_self());
}

static void test_worker_that_runs_serves_its_loop_itself(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < COUNT; i++) {
        ring(i);
    }
    run_until(all_have_read);
    for (unsigned int i = 0; i < COUNT; i++) {
        assert_int_equal(seen[i].reads, 1);
        assert_true(pthread_equal(seen[i].last, pthread_self()) == 0);
        assert_true(pthread_equal(seen[i].last, seen[(i + 1U) % COUNT].last) == 0);
        assert_true(seen[i].is_self);
    }
}

static bool all_have_polled(void)
{
    return seen[0].polls != 0U && seen[1].polls != 0U && seen[2].polls != 0U;
}

static void test_worker_polls_what_was_asked_for_while_it_stood(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < COUNT; i++) {
        avps_posix_worker_wake(&workers[i]);
    }
    run_until(all_have_polled);
    assert_int_equal(seen[0].polls, 1);
    assert_true(pthread_equal(seen[0].last, pthread_self()) == 0);
}

/* What each side wrote is seen by the other: ThreadSanitizer knows no more than the program. */
static void test_worker_and_owner_take_turns(void **state)
{
    unsigned long expected = 0;

    (void)state;
    for (unsigned int i = 0; i < 500U; i++) {
        avps_posix_workers_go(workers, COUNT);
        avps_posix_workers_halt(workers, COUNT);
        seen[0].polls++;
        expected++;
        avps_posix_worker_wake(&workers[0]);
        step();
        expected++;
        assert_int_equal(seen[0].polls, expected);
    }
}

static void test_worker_goes_and_halts_any_number_of_times(void **state)
{
    (void)state;
    avps_posix_workers_halt(workers, COUNT);
    avps_posix_workers_halt(workers, COUNT);
    avps_posix_workers_go(workers, COUNT);
    avps_posix_workers_go(workers, COUNT);
    avps_posix_workers_halt(workers, COUNT);
    ring(0);
    step();
    assert_int_equal(seen[0].reads, 1);
}

static void poll_again(void *ctx)
{
    struct seen *s = ctx;

    poll_noted(s);
    if (s->polls < 100U) {
        avps_posix_worker_wake(avps_posix_worker_self());
    }
}

static void test_worker_wakes_itself(void **state)
{
    (void)state;
    avps_posix_worker_set_poll(&workers[0], poll_again, &seen[0]);
    avps_posix_worker_wake(&workers[0]);
    for (unsigned int i = 0; i < 100U; i++) {
        step();
    }
    assert_int_equal(seen[0].polls, 100);
}

static void test_worker_can_end_while_it_runs_and_twice(void **state)
{
    (void)state;
    avps_posix_workers_go(workers, COUNT);
    for (unsigned int i = 0; i < COUNT; i++) {
        avps_posix_worker_end(&workers[i]);
        avps_posix_worker_end(&workers[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_worker_that_stands_still_is_served_by_its_owner, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_worker_that_runs_serves_its_loop_itself, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_worker_polls_what_was_asked_for_while_it_stood, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_worker_and_owner_take_turns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_worker_goes_and_halts_any_number_of_times, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_worker_wakes_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(test_worker_can_end_while_it_runs_and_twice, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
