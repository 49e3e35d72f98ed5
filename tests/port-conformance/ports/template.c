/* SPDX-License-Identifier: BSD-3-Clause */
/* port/template: its hypervisor's four calls are answered here, its traps and polls are driven. */
#include <stdatomic.h>

#include "hypervisor.h"
#include "port.h"

#include "hosted.h"

#define GUEST      7U
#define WINDOW(i)  (0x0a000000U + (uint64_t)(i)*AVPS_MMIO_SIZE)
#define FIRST_LINE 32U

static struct {
    struct hosted_memory memory;
    struct template_guest guest;
    struct avps_pc_irq irq[AVPS_PC_DEVICES];
    atomic_bool scheduled;
} self;

/* ---- the hypervisor ---- */

void hv_set_irq(uint32_t guest, uint32_t line, bool high)
{
    struct avps_pc_irq *irq = &self.irq[line - FIRST_LINE];

    if (guest == GUEST) {
        irq->count += high && !irq->high ? 1U : 0U;
        irq->high = high;
    }
}

void hv_schedule(uint32_t guest)
{
    if (guest == GUEST) {
        atomic_store(&self.scheduled, true);
    }
}

uint64_t hv_now_ns(void)
{
    return hosted_now_ns();
}

void hv_trace(uint32_t guest, uint32_t code, uint64_t a, uint64_t b)
{
    (void)guest;
    (void)code;
    (void)a;
    (void)b;
}

/* ---- the target ---- */

static uint8_t *guest_at(void *ctx, avps_gpa gpa)
{
    (void)ctx;
    return hosted_memory_at(&self.memory, gpa);
}

static const struct avps_port *port(void *ctx, uint32_t device)
{
    (void)ctx;
    (void)device;
    return &self.guest.port;
}

static enum avps_status attach(void *ctx, uint32_t device, struct avps_device *dev)
{
    (void)ctx;
    return template_add(&self.guest, dev, WINDOW(device), FIRST_LINE + device);
}

static void run(void *ctx)
{
    (void)ctx;
    for (uint32_t i = 0; i < 100U && atomic_exchange(&self.scheduled, false); i++) {
        if (template_poll(&self.guest, 4)) {
            atomic_store(&self.scheduled, true);
        }
    }
}

static uint64_t load(void *ctx, uint32_t device, uint32_t offset, uint32_t width)
{
    struct template_trap trap = {.gpa = WINDOW(device) + offset, .width = width};

    (void)ctx;
    (void)template_access(&self.guest, &trap);
    return trap.value;
}

static void store(void *ctx, uint32_t device, uint32_t offset, uint32_t width, uint64_t value)
{
    struct template_trap trap = {
        .gpa = WINDOW(device) + offset, .width = width, .is_write = true, .value = value};

    (void)ctx;
    (void)template_access(&self.guest, &trap);
}

static void irq(void *ctx, uint32_t device, struct avps_pc_irq *seen)
{
    (void)ctx;
    *seen = self.irq[device];
}

int main(void)
{
    const struct avps_pc_target target = {
        .name = "template",
        .print = hosted_print,
        .mem = &self.guest.mem,
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
        .advance = hosted_skip,
        .start = hosted_start,
        .join = hosted_join,
        .relax = hosted_yield,
    };

    hosted_memory_init(&self.memory);
    if (template_init(&self.guest, GUEST, self.memory.regions, HOSTED_SPANS) != AVPS_OK) {
        return 1;
    }
    return hosted_run(&target);
}
