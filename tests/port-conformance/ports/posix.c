/* SPDX-License-Identifier: BSD-3-Clause */
/* port/posix as a VMM uses it: a runner for each device on one event loop, register windows that a
 * virtual CPU's thread traps into, a notifier that it rings. */
#include <pthread.h>

#include "avps/mmio.h"
#include "avps_posix/notify.h"
#include "avps_posix/runner.h"

#include "hosted.h"

#define ROUNDS 20U /* of the loop: enough for what one round asks of the next */

struct unit {
    struct avps_device *device;
    struct avps_mmio mmio;
    struct avps_posix_runner runner;
    struct avps_posix_notifier bell;
    struct avps_pc_irq irq;
};

static struct {
    struct hosted_memory memory;
    struct avps_mem mem;
    struct avps_posix_loop loop;
    struct unit units[AVPS_PC_DEVICES];
    pthread_t loop_thread;
} self;

static enum avps_poll_result poll_unit(void *ctx)
{
    const struct unit *unit = ctx;

    return avps_poll(unit->device, 4);
}

static void bell_rung(void *ctx)
{
    struct unit *unit = ctx;

    avps_posix_runner_wake(&unit->runner);
}

static void set_level(void *ctx, uint32_t line, bool high)
{
    struct avps_pc_irq *irq = &self.units[line].irq;

    (void)ctx;
    irq->count += high && !irq->high ? 1U : 0U;
    irq->high = high;
}

static const struct avps_irq_ops irq_ops = {.set_level = set_level};

static uint8_t *guest_at(void *ctx, avps_gpa gpa)
{
    (void)ctx;
    return hosted_memory_at(&self.memory, gpa);
}

static const struct avps_port *port(void *ctx, uint32_t device)
{
    struct unit *unit = &self.units[device];
    const struct avps_posix_runner_config config = {
        .loop = &self.loop, .poll = poll_unit, .ctx = unit};

    (void)ctx;
    if (avps_posix_runner_init(&unit->runner, &config) != AVPS_OK ||
        avps_posix_notifier_init(&unit->bell, &self.loop, bell_rung, unit) != AVPS_OK) {
        return NULL;
    }
    return &unit->runner.port;
}

static enum avps_status attach(void *ctx, uint32_t device, struct avps_device *dev)
{
    const struct avps_mmio_config config = {.device = dev, .irq = &irq_ops, .irq_line = device};

    (void)ctx;
    self.units[device].device = dev;
    return avps_mmio_init(&self.units[device].mmio, &config);
}

static void run(void *ctx)
{
    (void)ctx;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        if (avps_posix_loop_step(&self.loop, false) != AVPS_OK) {
            return;
        }
    }
}

static uint64_t load(void *ctx, uint32_t device, uint32_t offset, uint32_t width)
{
    (void)ctx;
    return avps_mmio_read(&self.units[device].mmio, offset, width);
}

static void store(void *ctx, uint32_t device, uint32_t offset, uint32_t width, uint64_t value)
{
    struct unit *unit = &self.units[device];

    (void)ctx;
    avps_mmio_write(&unit->mmio, offset, width, value);
    if (avps_has_work(unit->device) || offset == AVPS_MMIO_QUEUE_NOTIFY) {
        if (pthread_equal(pthread_self(), self.loop_thread) != 0) {
            avps_posix_runner_wake(&unit->runner);
        } else {
            avps_posix_notifier_set(&unit->bell);
        }
    }
}

static void irq(void *ctx, uint32_t device, struct avps_pc_irq *seen)
{
    (void)ctx;
    *seen = self.units[device].irq;
}

int main(void)
{
    const struct avps_pc_target target = {
        .name = "posix",
        .print = hosted_print,
        .mem = &self.mem,
        .spans = self.memory.spans,
        .span_count = HOSTED_SPANS,
        .guest = guest_at,
        .devices = 2,
        .port = port,
        .attach = attach,
        .run = run,
        .load = load,
        .store = store,
        .irq = irq,
        .wired = true,
        .irq_ops = &irq_ops,
        .advance = hosted_sleep,
        .start = hosted_start,
        .join = hosted_join,
        .relax = hosted_yield,
    };

    self.loop_thread = pthread_self();
    hosted_memory_init(&self.memory);
    if (avps_mem_init_regions(&self.mem, self.memory.regions, HOSTED_SPANS, NULL, NULL) !=
            AVPS_OK ||
        avps_posix_loop_init(&self.loop) != AVPS_OK) {
        return 1;
    }
    return hosted_run(&target);
}
