/* SPDX-License-Identifier: BSD-3-Clause */
/* port/baremetal-riscv64 on any host: guest accesses come as instructions, the one interrupt of all
 * devices is recorded. */
#include "rv_port.h"

#include "hosted.h"

#define BASE      0x10008000U
#define RD(n)     ((uint32_t)(n) << 7)
#define RS2(n)    ((uint32_t)(n) << 20)
#define FUNCT3(n) ((uint32_t)(n) << 12)
#define OP_LOAD   0x03U
#define OP_STORE  0x23U
#define LOG2(n)   ((n) == 8U ? 3U : (n) / 2U)
#define UNSIGNED  4U

static struct {
    struct hosted_memory memory;
    struct rv_guest guest;
    struct avps_pc_irq irq;
} self;

static void hook_external(void *ctx, bool high)
{
    (void)ctx;
    self.irq.count += high && !self.irq.high ? 1U : 0U;
    self.irq.high = high;
}

static uint64_t hook_now(void *ctx)
{
    (void)ctx;
    return hosted_now_ns();
}

static void hook_event(void *ctx, enum avps_event code, uint64_t a, uint64_t b)
{
    (void)ctx;
    (void)code;
    (void)a;
    (void)b;
}

static const struct rv_hooks hooks = {hook_external, hook_now, hook_event};

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
    (void)device;
    return rv_add(&self.guest, dev);
}

/* Before every return to the guest: each time it is here. */
static void run(void *ctx)
{
    (void)ctx;
    for (uint32_t i = 0; i < 100U && rv_poll(&self.guest, 4); i++) {
    }
}

static uint64_t load(void *ctx, uint32_t device, uint32_t offset, uint32_t width)
{
    const uint32_t funct3 = LOG2(width) | (width == 8U ? 0U : UNSIGNED);
    uint64_t x[32] = {0};

    (void)ctx;
    (void)rv_trap(&self.guest, BASE + (uint64_t)device * AVPS_MMIO_SIZE + offset,
                  OP_LOAD | FUNCT3(funct3) | RD(10), x);
    return x[10];
}

static void store(void *ctx, uint32_t device, uint32_t offset, uint32_t width, uint64_t value)
{
    uint64_t x[32] = {[10] = value};

    (void)ctx;
    (void)rv_trap(&self.guest, BASE + (uint64_t)device * AVPS_MMIO_SIZE + offset,
                  OP_STORE | FUNCT3(LOG2(width)) | RS2(10), x);
}

static void irq(void *ctx, uint32_t device, struct avps_pc_irq *seen)
{
    (void)ctx;
    (void)device;
    *seen = self.irq;
}

int main(void)
{
    const struct avps_pc_target target = {
        .name = "RISC-V, on this host",
        .print = hosted_print,
        .mem = &self.guest.mem,
        .spans = self.memory.spans, /* a guest has one range */
        .span_count = 1,
        .guest = guest_at,
        .devices = 2,
        .port = port,
        .attach = attach,
        .run = run,
        .load = load,
        .store = store,
        .irq = irq,
        .wired = true,
        .shared = true,
        .advance = hosted_skip,
        .start = hosted_start,
        .join = hosted_join,
        .relax = hosted_yield,
    };

    hosted_memory_init(&self.memory);
    if (rv_init(&self.guest, &hooks, NULL, BASE, self.memory.regions[0]) != AVPS_OK) {
        return 1;
    }
    return hosted_run(&target);
}
