/* SPDX-License-Identifier: BSD-3-Clause */
/* Runner: the device's requests (wake, clock, timer, events) -> polling -> set-up. */
#include "avps_posix/runner.h"

#include "avps_posix/worker.h"

#include "posix_internal.h"

/* ---- what the device asks for ---- */

static void runner_op_wake(void *ctx)
{
    avps_posix_runner_wake(ctx);
}

static uint64_t runner_op_now(void *ctx)
{
    (void)ctx;
    return avps_posix_now_ns();
}

static uint64_t runner_op_wall(void *ctx)
{
    (void)ctx;
    return avps_posix_wall_ns();
}

static void runner_op_timer(void *ctx, uint64_t deadline_ns)
{
    struct avps_posix_runner *runner = ctx;

    avps_posix_timer_set(&runner->timer, deadline_ns);
}

static void runner_op_event(void *ctx, enum avps_event code, uint64_t a, uint64_t b)
{
    const struct avps_posix_runner *runner = ctx;

    if (runner->config.event != NULL) {
        runner->config.event(runner->config.ctx, code, a, b);
    }
}

static const struct avps_event_ops runner_event_ops = {.wake = runner_op_wake};

static const struct avps_sys_ops runner_worker_sys_ops = {
    .now_ns = runner_op_now,
    .wall_ns = runner_op_wall,
    .event = runner_op_event,
};

static const struct avps_sys_ops runner_sys_ops = {
    .now_ns = runner_op_now,
    .wall_ns = runner_op_wall,
    .timer = runner_op_timer,
    .event = runner_op_event,
};

/* ---- polling ---- */

static void runner_poll(void *ctx)
{
    struct avps_posix_runner *runner = ctx;

    if (runner->config.poll(runner->config.ctx) == AVPS_POLL_MORE) {
        avps_posix_task_defer(&runner->task);
    }
}

void avps_posix_runner_wake(struct avps_posix_runner *runner)
{
    struct avps_posix_worker *self = avps_posix_worker_self();

    if (runner->config.workers && self != NULL) {
        avps_posix_worker_wake(self);
    } else {
        avps_posix_task_defer(&runner->task);
    }
}

void avps_posix_runner_stop(struct avps_posix_runner *runner)
{
    avps_posix_task_cancel(&runner->task);
    avps_posix_timer_set(&runner->timer, 0);
}

/* ---- set-up ---- */

enum avps_status avps_posix_runner_init(struct avps_posix_runner *runner,
                                        const struct avps_posix_runner_config *config)
{
    if (config->loop == NULL || config->poll == NULL) {
        return AVPS_E_PARAM;
    }
    runner->config = *config;
    runner->port =
        (struct avps_port){.event = &runner_event_ops,
                           .event_ctx = runner,
                           .sys = config->workers ? &runner_worker_sys_ops : &runner_sys_ops,
                           .sys_ctx = runner};
    avps_posix_task_init(&runner->task, config->loop, runner_poll, runner);
    avps_posix_timer_init(&runner->timer, config->loop, runner_poll, runner);
    return AVPS_OK;
}
