/* SPDX-License-Identifier: BSD-3-Clause */
/* Event loop: descriptors, hang-ups, regular files, removal inside callbacks, timers, tasks,
 * pollers, stopping, notifiers, signals, runners, other threads. */
#include "support/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "avps_posix/loop.h"
#include "avps_posix/notify.h"
#include "avps_posix/runner.h"

#define MANY 8U

struct fixture {
    struct avps_posix_loop loop;
    int pair[2];
    struct avps_posix_source source[MANY];
    struct avps_posix_timer timer[MANY];
    struct avps_posix_task task[MANY];
    struct avps_posix_poller poller[2];
    unsigned int calls;
    uint32_t conditions; /* of the last call */
    unsigned int order[64];
    unsigned int ordered;
};

/* A callback that needs to know who it is. */
struct who {
    struct fixture *fx;
    unsigned int number;
};

static int setup(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    assert_non_null(fx);
    assert_int_equal(avps_posix_loop_init(&fx->loop), AVPS_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fx->pair), 0);
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fx = *state;

    avps_posix_loop_free(&fx->loop);
    (void)close(fx->pair[0]);
    (void)close(fx->pair[1]);
    free(fx);
    return 0;
}

static void step(struct fixture *fx, bool wait)
{
    assert_int_equal(avps_posix_loop_step(&fx->loop, wait), AVPS_OK);
}

static void count_conditions(void *ctx, uint32_t conditions)
{
    struct fixture *fx = ctx;

    fx->calls++;
    fx->conditions = conditions;
}

static void count_call(void *ctx)
{
    ((struct fixture *)ctx)->calls++;
}

static void note(void *ctx)
{
    const struct who *who = ctx;

    assert_true(who->fx->ordered < 64U);
    who->fx->order[who->fx->ordered++] = who->number;
}

static void watch(struct fixture *fx, unsigned int n, int fd, uint32_t interest)
{
    assert_int_equal(
        avps_posix_source_add(&fx->source[n], &fx->loop, fd, interest, count_conditions, fx),
        AVPS_OK);
}

/* ---- descriptors ---- */

static void test_loop_reports_what_can_be_read(void **state)
{
    struct fixture *fx = *state;

    watch(fx, 0, fx->pair[0], AVPS_POSIX_READ);
    step(fx, false);
    assert_int_equal(fx->calls, 0);
    assert_int_equal(write(fx->pair[1], "x", 1), 1);
    step(fx, true);
    assert_int_equal(fx->calls, 1);
    assert_int_equal(fx->conditions, AVPS_POSIX_READ);
    step(fx, true); /* it has not been read: level, not edge */
    assert_int_equal(fx->calls, 2);
}

static void test_loop_reports_only_what_is_of_interest(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(write(fx->pair[1], "x", 1), 1);
    watch(fx, 0, fx->pair[0], AVPS_POSIX_WRITE);
    step(fx, true);
    assert_int_equal(fx->conditions, AVPS_POSIX_WRITE);
    assert_int_equal(avps_posix_source_modify(&fx->source[0], AVPS_POSIX_READ | AVPS_POSIX_WRITE),
                     AVPS_OK);
    step(fx, true);
    assert_int_equal(fx->conditions, AVPS_POSIX_READ | AVPS_POSIX_WRITE);
    assert_int_equal(fx->calls, 2);
    assert_int_equal(avps_posix_source_modify(&fx->source[0], 0), AVPS_OK);
    step(fx, false);
    assert_int_equal(fx->calls, 2);
}

static void test_loop_reports_a_hang_up_until_the_interest_ends(void **state)
{
    struct fixture *fx = *state;

    watch(fx, 0, fx->pair[0], AVPS_POSIX_READ);
    (void)close(fx->pair[1]);
    fx->pair[1] = -1;
    step(fx, true);
    assert_int_equal(fx->conditions, AVPS_POSIX_READ | AVPS_POSIX_HANGUP);
    assert_int_equal(avps_posix_source_modify(&fx->source[0], 0), AVPS_OK);
    step(fx, false);
    assert_int_equal(fx->calls, 1);
    assert_int_equal(avps_posix_source_modify(&fx->source[0], AVPS_POSIX_WRITE), AVPS_OK);
    step(fx, true);
    assert_int_equal(fx->calls, 2);
    assert_true((fx->conditions & AVPS_POSIX_HANGUP) != 0U);
}

static void test_loop_refuses_bad_sources(void **state)
{
    struct fixture *fx = *state;
    struct avps_posix_source *source = &fx->source[0];

    assert_int_equal(avps_posix_source_modify(source, AVPS_POSIX_READ), AVPS_E_STATE);
    assert_int_equal(
        avps_posix_source_add(source, &fx->loop, -1, AVPS_POSIX_READ, count_conditions, fx),
        AVPS_E_PARAM);
    assert_int_equal(
        avps_posix_source_add(source, &fx->loop, fx->pair[0], AVPS_POSIX_READ, NULL, fx),
        AVPS_E_PARAM);
    assert_int_equal(avps_posix_source_add(source, &fx->loop, fx->pair[0], AVPS_POSIX_HANGUP,
                                           count_conditions, fx),
                     AVPS_E_PARAM);
    assert_int_equal(
        avps_posix_source_add(source, &fx->loop, 987654, AVPS_POSIX_READ, count_conditions, fx),
        AVPS_E_IO);
    avps_posix_source_remove(source); /* was never added */
    watch(fx, 0, fx->pair[0], AVPS_POSIX_READ);
    assert_int_equal(avps_posix_source_add(source, &fx->loop, fx->pair[1], AVPS_POSIX_READ,
                                           count_conditions, fx),
                     AVPS_E_STATE);
    assert_int_equal(avps_posix_source_modify(source, 8), AVPS_E_PARAM);
}

static void test_loop_forgets_a_removed_source(void **state)
{
    struct fixture *fx = *state;

    watch(fx, 0, fx->pair[0], AVPS_POSIX_WRITE);
    avps_posix_source_remove(&fx->source[0]);
    step(fx, false);
    assert_int_equal(fx->calls, 0);
    watch(fx, 0, fx->pair[0], AVPS_POSIX_WRITE);
    step(fx, true);
    assert_int_equal(fx->calls, 1);
}

/* Whichever is called first removes all: of several known events one is reported. */
static void remove_all(void *ctx, uint32_t conditions)
{
    struct fixture *fx = ctx;

    count_conditions(fx, conditions);
    for (unsigned int i = 0; i < MANY; i++) {
        avps_posix_source_remove(&fx->source[i]);
        (void)memset(&fx->source[i], 0xee, sizeof fx->source[i]); /* the storage is free */
    }
}

static void test_loop_does_not_report_what_was_removed_meanwhile(void **state)
{
    struct fixture *fx = *state;
    int fds[MANY];

    for (unsigned int i = 0; i < MANY; i++) {
        fds[i] = dup(fx->pair[0]);
        assert_int_equal(avps_posix_source_add(&fx->source[i], &fx->loop, fds[i], AVPS_POSIX_WRITE,
                                               remove_all, fx),
                         AVPS_OK);
    }
    step(fx, true);
    assert_int_equal(fx->calls, 1);
    step(fx, false);
    assert_int_equal(fx->calls, 1);
    for (unsigned int i = 0; i < MANY; i++) {
        (void)close(fds[i]);
    }
}

static void test_loop_takes_regular_files_as_always_ready(void **state)
{
    struct fixture *fx = *state;
    FILE *file = tmpfile();

    assert_non_null(file);
    watch(fx, 0, fileno(file), AVPS_POSIX_READ);
    step(fx, true);
    step(fx, true);
    assert_int_equal(fx->calls, 2);
    assert_int_equal(fx->conditions, AVPS_POSIX_READ);
    assert_int_equal(avps_posix_source_modify(&fx->source[0], 0), AVPS_OK);
    step(fx, false);
    assert_int_equal(fx->calls, 2);
    assert_int_equal(avps_posix_source_modify(&fx->source[0], AVPS_POSIX_WRITE), AVPS_OK);
    step(fx, true);
    assert_int_equal(fx->conditions, AVPS_POSIX_WRITE);
    avps_posix_source_remove(&fx->source[0]);
    step(fx, false);
    assert_int_equal(fx->calls, 3);
    (void)fclose(file);
}

static void test_loop_removes_regular_files_while_reporting_them(void **state)
{
    struct fixture *fx = *state;
    FILE *file = tmpfile();

    assert_non_null(file);
    for (unsigned int i = 0; i < 3U; i++) {
        assert_int_equal(avps_posix_source_add(&fx->source[i], &fx->loop, fileno(file),
                                               AVPS_POSIX_READ, remove_all, fx),
                         AVPS_OK);
    }
    step(fx, true);
    assert_int_equal(fx->calls, 1);
    (void)fclose(file);
}

/* ---- time ---- */

static void test_loop_calls_timers_in_the_order_of_time(void **state)
{
    struct fixture *fx = *state;
    static const unsigned int later[] = {3, 1, 2, 1};
    struct who who[4];
    const uint64_t now = avps_posix_now_ns();

    for (unsigned int i = 0; i < 4U; i++) {
        who[i] = (struct who){fx, i};
        avps_posix_timer_init(&fx->timer[i], &fx->loop, note, &who[i]);
        avps_posix_timer_set(&fx->timer[i], now + later[i] * 2000000U);
    }
    step(fx, false);
    while (fx->ordered < 4U) {
        step(fx, true);
    }
    assert_true(avps_posix_now_ns() >= now + 6000000U);
    assert_int_equal(fx->order[0], 1);
    assert_int_equal(fx->order[1], 3); /* as long, set later */
    assert_int_equal(fx->order[2], 2);
    assert_int_equal(fx->order[3], 0);
    step(fx, false);
    assert_int_equal(fx->ordered, 4); /* once each */
}

static void test_loop_does_not_call_a_timer_early(void **state)
{
    struct fixture *fx = *state;
    const uint64_t deadline = avps_posix_now_ns() + 3000000U;

    avps_posix_timer_init(&fx->timer[0], &fx->loop, count_call, fx);
    avps_posix_timer_set(&fx->timer[0], deadline);
    while (fx->calls == 0U) {
        step(fx, true);
    }
    assert_true(avps_posix_now_ns() >= deadline);
}

static void test_loop_moves_and_disarms_timers(void **state)
{
    struct fixture *fx = *state;

    avps_posix_timer_init(&fx->timer[0], &fx->loop, count_call, fx);
    avps_posix_timer_set(&fx->timer[0], 1);
    avps_posix_timer_set(&fx->timer[0], 0);
    avps_posix_timer_set(&fx->timer[0], 0);
    step(fx, false);
    assert_int_equal(fx->calls, 0);
    avps_posix_timer_set(&fx->timer[0], avps_posix_now_ns() + UINT64_C(3600000000000));
    step(fx, false);
    avps_posix_timer_set(&fx->timer[0], 1);
    step(fx, true);
    assert_int_equal(fx->calls, 1);
    step(fx, false);
    assert_int_equal(fx->calls, 1);
}

struct chain {
    struct fixture *fx;
    unsigned int disarms;
};

static void rearm_and_disarm(void *ctx)
{
    struct chain *chain = ctx;

    chain->fx->calls++;
    avps_posix_timer_set(&chain->fx->timer[0], 1); /* past at once */
    avps_posix_timer_set(&chain->fx->timer[chain->disarms], 0);
}

static void test_loop_calls_a_rearmed_timer_in_the_next_round(void **state)
{
    struct fixture *fx = *state;
    struct chain chain = {fx, 1};

    avps_posix_timer_init(&fx->timer[0], &fx->loop, rearm_and_disarm, &chain);
    avps_posix_timer_init(&fx->timer[1], &fx->loop, count_call, fx);
    avps_posix_timer_set(&fx->timer[0], 1);
    avps_posix_timer_set(&fx->timer[1], 2); /* due too, but disarmed by the first */
    step(fx, true);
    assert_int_equal(fx->calls, 1);
    step(fx, true);
    assert_int_equal(fx->calls, 2);
    avps_posix_timer_set(&fx->timer[0], 0);
}

static void test_loop_clocks_are_those_of_the_system(void **state)
{
    struct timespec wall;
    const uint64_t first = avps_posix_now_ns();

    (void)state;
    assert_true(avps_posix_now_ns() >= first);
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &wall), 0);
    assert_true(avps_posix_wall_ns() / 1000000000U - (uint64_t)wall.tv_sec <= 1U);
}

/* ---- tasks ---- */

static void test_loop_runs_a_task_once_and_in_order(void **state)
{
    struct fixture *fx = *state;
    struct who who[3];

    for (unsigned int i = 0; i < 3U; i++) {
        who[i] = (struct who){fx, i};
        avps_posix_task_init(&fx->task[i], &fx->loop, note, &who[i]);
    }
    avps_posix_task_defer(&fx->task[2]);
    avps_posix_task_defer(&fx->task[0]);
    avps_posix_task_defer(&fx->task[1]);
    avps_posix_task_defer(&fx->task[2]);
    avps_posix_task_cancel(&fx->task[0]);
    avps_posix_task_cancel(&fx->task[0]);
    step(fx, true); /* does not wait */
    assert_int_equal(fx->ordered, 2);
    assert_int_equal(fx->order[0], 2);
    assert_int_equal(fx->order[1], 1);
    step(fx, false);
    assert_int_equal(fx->ordered, 2);
}

static void defer_again(void *ctx)
{
    struct fixture *fx = ctx;

    fx->calls++;
    avps_posix_task_defer(&fx->task[0]);
    avps_posix_task_cancel(&fx->task[1]);
}

static void test_loop_runs_a_task_deferred_by_a_task_in_the_next_round(void **state)
{
    struct fixture *fx = *state;

    avps_posix_task_init(&fx->task[0], &fx->loop, defer_again, fx);
    avps_posix_task_init(&fx->task[1], &fx->loop, count_call, fx);
    avps_posix_task_defer(&fx->task[0]);
    avps_posix_task_defer(&fx->task[1]); /* is cancelled by the first */
    step(fx, true);
    assert_int_equal(fx->calls, 1);
    step(fx, true);
    assert_int_equal(fx->calls, 2);
    avps_posix_task_cancel(&fx->task[0]);
}

/* ---- polling ---- */

static void poll_and_stop_the_other(void *ctx)
{
    struct fixture *fx = ctx;

    fx->calls++;
    if (fx->calls == 3U) {
        avps_posix_poller_stop(&fx->poller[0]);
        avps_posix_poller_stop(&fx->poller[1]);
    }
}

static void test_loop_polls_in_every_round_and_looks_now_and_then(void **state)
{
    struct fixture *fx = *state;
    struct fixture seen = {0};

    avps_posix_poller_start(&fx->poller[0], &fx->loop, count_call, fx);
    assert_int_equal(avps_posix_source_add(&fx->source[0], &fx->loop, fx->pair[0], AVPS_POSIX_WRITE,
                                           count_conditions, &seen),
                     AVPS_OK);
    for (unsigned int i = 0; i < 3U * AVPS_POSIX_SPINS; i++) {
        step(fx, true);
    }
    assert_int_equal(fx->calls, 3U * AVPS_POSIX_SPINS);
    assert_int_equal(seen.calls, 3);
    avps_posix_poller_stop(&fx->poller[0]);
    step(fx, true);
    assert_int_equal(fx->calls, 3U * AVPS_POSIX_SPINS);
    assert_int_equal(seen.calls, 4);
}

static void do_nothing(void *ctx)
{
    (void)ctx;
}

static void test_loop_pollers_stop_themselves_and_others(void **state)
{
    struct fixture *fx = *state;

    avps_posix_poller_stop(&fx->poller[0]); /* was never started */
    avps_posix_poller_start(&fx->poller[0], &fx->loop, poll_and_stop_the_other, fx);
    avps_posix_poller_start(&fx->poller[1], &fx->loop, poll_and_stop_the_other, fx);
    step(fx, false);
    assert_int_equal(fx->calls, 2);
    step(fx, false); /* the first stops both */
    assert_int_equal(fx->calls, 3);
    step(fx, false);
    assert_int_equal(fx->calls, 3);
}

/* A follower is called along with pollers, and alone it lets the loop wait. */
static void test_loop_followers_are_called_while_others_poll(void **state)
{
    struct fixture *fx = *state;

    avps_posix_follower_start(&fx->poller[0], &fx->loop, count_call, fx);
    step(fx, false);
    assert_int_equal(fx->calls, 0);
    avps_posix_timer_init(&fx->timer[0], &fx->loop, count_call, fx);
    avps_posix_timer_set(&fx->timer[0], avps_posix_now_ns() + 1000000U);
    step(fx, true); /* waits for the timer */
    assert_int_equal(fx->calls, 1);
    avps_posix_poller_start(&fx->poller[1], &fx->loop, do_nothing, NULL);
    step(fx, true);
    step(fx, true);
    assert_int_equal(fx->calls, 3);
    avps_posix_poller_stop(&fx->poller[0]);
    step(fx, true);
    assert_int_equal(fx->calls, 3);
    avps_posix_poller_stop(&fx->poller[1]);
}

/* ---- stopping ---- */

static void stop_loop(void *ctx)
{
    struct fixture *fx = ctx;

    fx->calls++;
    avps_posix_loop_stop(&fx->loop);
}

static void test_loop_runs_until_it_is_stopped(void **state)
{
    struct fixture *fx = *state;

    avps_posix_timer_init(&fx->timer[0], &fx->loop, stop_loop, fx);
    avps_posix_timer_set(&fx->timer[0], avps_posix_now_ns() + 1000000U);
    assert_int_equal(avps_posix_loop_run(&fx->loop), AVPS_OK);
    assert_int_equal(fx->calls, 1);
}

static void test_loop_stopped_before_it_runs_returns_once(void **state)
{
    struct fixture *fx = *state;

    avps_posix_loop_stop(&fx->loop);
    avps_posix_task_init(&fx->task[0], &fx->loop, stop_loop, fx);
    avps_posix_task_defer(&fx->task[0]);
    assert_int_equal(avps_posix_loop_run(&fx->loop), AVPS_OK);
    assert_int_equal(fx->calls, 0);
    assert_int_equal(avps_posix_loop_run(&fx->loop), AVPS_OK);
    assert_int_equal(fx->calls, 1);
}

static void *stop_from_outside(void *ctx)
{
    (void)usleep(2000);
    avps_posix_loop_stop(ctx);
    return NULL;
}

static void test_loop_is_stopped_from_another_thread(void **state)
{
    struct fixture *fx = *state;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, stop_from_outside, &fx->loop), 0);
    assert_int_equal(avps_posix_loop_run(&fx->loop), AVPS_OK); /* waits: nothing else is there */
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void test_loop_says_that_it_cannot_wait(void **state)
{
    struct fixture *fx = *state;

    (void)close(fx->loop.epoll_fd);
    fx->loop.epoll_fd = -1;
    assert_int_equal(avps_posix_loop_run(&fx->loop), AVPS_E_IO);
    assert_int_equal(errno, EBADF);
}

static void test_loop_init_fails_without_descriptors(void **state)
{
    struct avps_posix_loop loop;
    struct rlimit before;
    const int lowest = dup(0);

    (void)state;
    (void)close(lowest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (rlim_t room = 0; room < 3U; room++) {
        const struct rlimit few = {(rlim_t)lowest + room, before.rlim_max};

        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        const enum avps_status status = avps_posix_loop_init(&loop);
        assert_int_equal(errno, EMFILE);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_int_equal(status, AVPS_E_IO);
        const int next = dup(0); /* nothing was kept */
        assert_int_equal(next, lowest);
        (void)close(next);
    }
}

/* ---- notifiers ---- */

static void *ring_many_times(void *ctx)
{
    for (unsigned int i = 0; i < 1000U; i++) {
        avps_posix_notifier_set(ctx);
    }
    return NULL;
}

static void test_notifier_calls_once_for_many_rings(void **state)
{
    struct fixture *fx = *state;
    struct avps_posix_notifier notifier = {0};

    avps_posix_notifier_free(&notifier); /* was never set up */
    assert_int_equal(avps_posix_notifier_init(&notifier, &fx->loop, count_call, fx), AVPS_OK);
    step(fx, false);
    assert_int_equal(fx->calls, 0);
    ring_many_times(&notifier);
    step(fx, true);
    assert_int_equal(fx->calls, 1);
    step(fx, false);
    assert_int_equal(fx->calls, 1);
    const uint64_t one = 1;
    assert_int_equal(write(avps_posix_notifier_fd(&notifier), &one, sizeof one), 8);
    step(fx, true);
    assert_int_equal(fx->calls, 2);
    avps_posix_notifier_free(&notifier);
    step(fx, false);
}

static void test_notifier_is_rung_from_another_thread(void **state)
{
    struct fixture *fx = *state;
    struct avps_posix_notifier notifier = {0};
    pthread_t thread;

    assert_int_equal(avps_posix_notifier_init(&notifier, &fx->loop, stop_loop, fx), AVPS_OK);
    assert_int_equal(pthread_create(&thread, NULL, ring_many_times, &notifier), 0);
    assert_int_equal(avps_posix_loop_run(&fx->loop), AVPS_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(fx->calls >= 1U);
    avps_posix_notifier_free(&notifier);
}

/* ---- signals ---- */

struct caught {
    int signo[4];
    unsigned int count;
};

static void catch_signal(void *ctx, int signo)
{
    struct caught *caught = ctx;

    assert_true(caught->count < 4U);
    caught->signo[caught->count++] = signo;
}

static bool is_blocked(int signo)
{
    sigset_t now;

    assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &now), 0);
    return sigismember(&now, signo) == 1;
}

static void test_signals_come_as_calls(void **state)
{
    struct fixture *fx = *state;
    static const int list[] = {SIGTERM, SIGINT};
    struct avps_posix_signals signals = {0};
    struct caught caught = {{0}, 0};

    avps_posix_signals_free(&signals); /* was never set up */
    assert_int_equal(avps_posix_signals_init(&signals, &fx->loop, list, 2, catch_signal, &caught),
                     AVPS_OK);
    assert_int_equal(raise(SIGINT), 0);
    assert_int_equal(raise(SIGTERM), 0);
    step(fx, true);
    step(fx, false);
    assert_int_equal(caught.count, 2);
    assert_int_equal(caught.signo[0] + caught.signo[1], SIGTERM + SIGINT);
    assert_true(is_blocked(SIGTERM));
    avps_posix_signals_free(&signals);
    assert_false(is_blocked(SIGTERM));
    assert_false(is_blocked(SIGINT));
}

static void test_signals_keep_what_was_blocked_before(void **state)
{
    struct fixture *fx = *state;
    static const int list[] = {SIGUSR1, SIGUSR2};
    struct avps_posix_signals signals = {0};
    struct caught caught = {{0}, 0};
    sigset_t before;

    (void)sigemptyset(&before);
    (void)sigaddset(&before, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &before, NULL);
    assert_int_equal(avps_posix_signals_init(&signals, &fx->loop, list, 2, catch_signal, &caught),
                     AVPS_OK);
    avps_posix_signals_free(&signals);
    assert_true(is_blocked(SIGUSR1));
    assert_false(is_blocked(SIGUSR2));
    (void)sigprocmask(SIG_UNBLOCK, &before, NULL);
}

static void test_signals_refuses_bad_lists(void **state)
{
    struct fixture *fx = *state;
    static const int bad[] = {0, 65, -1};
    struct avps_posix_signals signals = {0};

    assert_int_equal(avps_posix_signals_init(&signals, &fx->loop, bad, 0, catch_signal, NULL),
                     AVPS_E_PARAM);
    for (unsigned int i = 0; i < 3U; i++) {
        assert_int_equal(
            avps_posix_signals_init(&signals, &fx->loop, &bad[i], 1, catch_signal, NULL),
            AVPS_E_PARAM);
    }
}

/* ---- runners ---- */

struct run_test {
    struct avps_posix_runner runner;
    unsigned int polls;
    unsigned int more; /* so many times */
    unsigned int events;
};

static enum avps_poll_result run_poll(void *ctx)
{
    struct run_test *t = ctx;

    t->polls++;
    if (t->more == 0U) {
        return AVPS_POLL_IDLE;
    }
    t->more--;
    return AVPS_POLL_MORE;
}

static void run_event(void *ctx, enum avps_event code, uint64_t a, uint64_t b)
{
    assert_int_equal(code, AVPS_EVENT_RESET);
    assert_int_equal(a, 7);
    assert_int_equal(b, 9);
    ((struct run_test *)ctx)->events++;
}

static void test_runner_polls_as_long_as_there_is_more(void **state)
{
    struct fixture *fx = *state;
    struct run_test t = {.more = 2};
    const struct avps_posix_runner_config config = {
        .loop = &fx->loop, .poll = run_poll, .event = run_event, .ctx = &t};

    assert_int_equal(avps_posix_runner_init(&t.runner, &config), AVPS_OK);
    step(fx, false);
    assert_int_equal(t.polls, 0);
    t.runner.port.event->wake(t.runner.port.event_ctx);
    for (unsigned int i = 1; i <= 3U; i++) {
        step(fx, true);
        assert_int_equal(t.polls, i);
    }
    step(fx, false);
    assert_int_equal(t.polls, 3);
    t.runner.port.sys->event(t.runner.port.sys_ctx, AVPS_EVENT_RESET, 7, 9);
    assert_int_equal(t.events, 1);
}

static void test_runner_polls_at_the_device_s_deadline(void **state)
{
    struct fixture *fx = *state;
    struct run_test t = {.more = 0};
    const struct avps_posix_runner_config config = {.loop = &fx->loop, .poll = run_poll, .ctx = &t};

    assert_int_equal(avps_posix_runner_init(&t.runner, &config), AVPS_OK);
    const struct avps_sys_ops *sys = t.runner.port.sys;
    sys->event(t.runner.port.sys_ctx, AVPS_EVENT_RESET, 0, 0); /* nobody wants it */
    const uint64_t deadline = sys->now_ns(t.runner.port.sys_ctx) + 1000000U;
    assert_true(sys->wall_ns(t.runner.port.sys_ctx) > UINT64_C(1600000000000000000));
    sys->timer(t.runner.port.sys_ctx, deadline);
    while (t.polls == 0U) {
        step(fx, true);
    }
    assert_true(avps_posix_now_ns() >= deadline);
    sys->timer(t.runner.port.sys_ctx, 1);
    avps_posix_runner_wake(&t.runner);
    avps_posix_runner_stop(&t.runner);
    step(fx, false);
    assert_int_equal(t.polls, 1);
}

static void test_runner_refuses_a_bad_configuration(void **state)
{
    struct fixture *fx = *state;
    struct run_test t = {.more = 0};
    struct avps_posix_runner_config config = {.loop = &fx->loop};

    assert_int_equal(avps_posix_runner_init(&t.runner, &config), AVPS_E_PARAM);
    config.poll = run_poll;
    config.loop = NULL;
    assert_int_equal(avps_posix_runner_init(&t.runner, &config), AVPS_E_PARAM);
}

#define TEST(f) cmocka_unit_test_setup_teardown((f), setup, teardown)

/* ---- other threads ---- */

struct borrower {
    struct fixture *fx;
    unsigned int rounds;
    unsigned int inside; /* threads that have the context */
    unsigned int most;
    unsigned int tasks;
};

static void borrowed_task(void *ctx)
{
    struct borrower *b = ctx;

    b->tasks++;
    if (b->tasks == b->rounds) {
        avps_posix_loop_stop(&b->fx->loop);
    }
}

/* Asks for a task in each round, which wakes the waiting loop, and waits until it has been run. */
static void *borrow(void *ctx)
{
    struct borrower *b = ctx;

    for (unsigned int i = 0; i < b->rounds; i++) {
        unsigned int done = 0;

        avps_posix_loop_borrow(&b->fx->loop);
        avps_posix_task_defer(&b->fx->task[0]);
        avps_posix_loop_return(&b->fx->loop);
        while (done <= i) {
            avps_posix_loop_borrow(&b->fx->loop);
            done = b->tasks;
            avps_posix_loop_return(&b->fx->loop);
        }
    }
    return NULL;
}

static void test_a_task_of_a_borrower_wakes_the_waiting_loop(void **state)
{
    struct fixture *fx = *state;
    struct borrower b = {.fx = fx, .rounds = 200};
    pthread_t thread;

    assert_int_equal(avps_posix_loop_share(&fx->loop), AVPS_OK);
    assert_int_equal(avps_posix_loop_share(&fx->loop), AVPS_E_STATE);
    avps_posix_task_init(&fx->task[0], &fx->loop, borrowed_task, &b);
    assert_int_equal(pthread_create(&thread, NULL, borrow, &b), 0);
    assert_int_equal(avps_posix_loop_run(&fx->loop), AVPS_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(b.tasks, 200);
}

static void borrowed_poll(void *ctx)
{
    struct borrower *b = ctx;

    b->tasks++; /* no lock: the context is the lock */
}

static void *borrow_while_polled(void *ctx)
{
    struct borrower *b = ctx;

    for (unsigned int i = 0; i < b->rounds; i++) {
        avps_posix_loop_borrow(&b->fx->loop);
        b->most++;
        avps_posix_loop_return(&b->fx->loop);
    }
    avps_posix_loop_stop(&b->fx->loop);
    return NULL;
}

static void test_a_loop_that_never_waits_lends_its_context(void **state)
{
    struct fixture *fx = *state;
    struct borrower b = {.fx = fx, .rounds = 100};
    pthread_t thread;

    assert_int_equal(avps_posix_loop_share(&fx->loop), AVPS_OK);
    avps_posix_poller_start(&fx->poller[0], &fx->loop, borrowed_poll, &b);
    assert_int_equal(pthread_create(&thread, NULL, borrow_while_polled, &b), 0);
    assert_int_equal(avps_posix_loop_run(&fx->loop), AVPS_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(b.most, 100);
    assert_true(b.tasks > 0U);
}

static void removed_ready(void *ctx, uint32_t conditions)
{
    struct borrower *b = ctx;

    (void)conditions;
    b->inside++;
}

/* Makes a source ready and removes it, both while the loop waits or has just been woken by it. */
static void *borrow_and_remove(void *ctx)
{
    struct borrower *b = ctx;
    struct avps_posix_source *source = &b->fx->source[0];

    for (unsigned int i = 0; i < b->rounds; i++) {
        avps_posix_loop_borrow(&b->fx->loop);
        if (avps_posix_source_add(source, &b->fx->loop, b->fx->pair[0], AVPS_POSIX_READ,
                                  removed_ready, b) != AVPS_OK ||
            write(b->fx->pair[1], "x", 1) != 1) {
            b->most++;
        }
        avps_posix_source_remove(source);
        (void)memset(source, 0, sizeof *source);
        avps_posix_loop_return(&b->fx->loop);
    }
    avps_posix_loop_stop(&b->fx->loop);
    return NULL;
}

static void test_a_source_that_a_borrower_removes_is_not_reported(void **state)
{
    struct fixture *fx = *state;
    struct borrower b = {.fx = fx, .rounds = 200};
    pthread_t thread;

    assert_int_equal(avps_posix_loop_share(&fx->loop), AVPS_OK);
    assert_int_equal(pthread_create(&thread, NULL, borrow_and_remove, &b), 0);
    assert_int_equal(avps_posix_loop_run(&fx->loop), AVPS_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(b.inside, 0);
    assert_int_equal(b.most, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_loop_reports_what_can_be_read),
        TEST(test_loop_reports_only_what_is_of_interest),
        TEST(test_loop_reports_a_hang_up_until_the_interest_ends),
        TEST(test_loop_refuses_bad_sources),
        TEST(test_loop_forgets_a_removed_source),
        TEST(test_loop_does_not_report_what_was_removed_meanwhile),
        TEST(test_loop_takes_regular_files_as_always_ready),
        TEST(test_loop_removes_regular_files_while_reporting_them),
        TEST(test_loop_calls_timers_in_the_order_of_time),
        TEST(test_loop_does_not_call_a_timer_early),
        TEST(test_loop_moves_and_disarms_timers),
        TEST(test_loop_calls_a_rearmed_timer_in_the_next_round),
        TEST(test_loop_clocks_are_those_of_the_system),
        TEST(test_loop_runs_a_task_once_and_in_order),
        TEST(test_loop_runs_a_task_deferred_by_a_task_in_the_next_round),
        TEST(test_loop_polls_in_every_round_and_looks_now_and_then),
        TEST(test_loop_pollers_stop_themselves_and_others),
        TEST(test_loop_followers_are_called_while_others_poll),
        TEST(test_loop_runs_until_it_is_stopped),
        TEST(test_loop_stopped_before_it_runs_returns_once),
        TEST(test_loop_is_stopped_from_another_thread),
        TEST(test_loop_says_that_it_cannot_wait),
        TEST(test_loop_init_fails_without_descriptors),
        TEST(test_notifier_calls_once_for_many_rings),
        TEST(test_notifier_is_rung_from_another_thread),
        TEST(test_signals_come_as_calls),
        TEST(test_signals_keep_what_was_blocked_before),
        TEST(test_signals_refuses_bad_lists),
        TEST(test_runner_polls_as_long_as_there_is_more),
        TEST(test_runner_polls_at_the_device_s_deadline),
        TEST(test_runner_refuses_a_bad_configuration),
        TEST(test_a_task_of_a_borrower_wakes_the_waiting_loop),
        TEST(test_a_loop_that_never_waits_lends_its_context),
        TEST(test_a_source_that_a_borrower_removes_is_not_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
