/* SPDX-License-Identifier: BSD-3-Clause */
/* port/baremetal-aarch64 on any host: guest accesses come as syndromes, the hypervisor's hooks are
 * recorded. The same port on its own CPU is in ../el2. */
#include <stdatomic.h>

#include "bm_port.h"

#include "hosted.h"

#define BASE       0x0a000000U
#define ESR_DABT   UINT64_C(0x92000000)
#define ESR_ISV    (UINT64_C(1) << 24)
#define ESR_WNR    (UINT64_C(1) << 6)
#define ESR_SF     (UINT64_C(1) << 15)
#define SAS(width) ((width) == 8U ? 3U : (width) / 2U)

static struct {
    struct hosted_memory memory;
    struct bm_board board;
    struct avps_pc_irq irq[AVPS_PC_DEVICES];
    atomic_ullong due_ns; /* when bm_poll is to be called */
    atomic_bool rung;
} self;

/* ---- the hypervisor ---- */

static void hook_level(void *ctx, uint32_t line, bool high)
{
    struct avps_pc_irq *irq = &self.irq[line];

    (void)ctx;
    irq->count += high && !irq->high ? 1U : 0U;
    irq->high = high;
}

static uint64_t hook_now(void *ctx)
{
    (void)ctx;
    return hosted_now_ns();
}

static void hook_timer(void *ctx, uint64_t deadline_ns)
{
    (void)ctx;
    atomic_store(&self.due_ns, deadline_ns);
}

static void hook_message(void *ctx, uint64_t address, uint32_t data)
{
    (void)ctx;
    self.irq[0].count++;
    self.irq[0].address = address;
    self.irq[0].data = data;
}

static const struct bm_hooks hooks = {
    .set_level = hook_level, .now_ns = hook_now, .timer = hook_timer, .message = hook_message};

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
    return bm_port(&self.board);
}

static enum avps_status attach(void *ctx, uint32_t device, struct avps_device *dev)
{
    (void)ctx;
    (void)device;
    return bm_attach(&self.board, dev);
}

/* The hypervisor calls bm_poll after every exit: that is, each time it is here. */
static void run(void *ctx)
{
    (void)ctx;
    for (uint32_t i = 0; i < 100U && bm_poll(&self.board, 4); i++) {
    }
}

/* What the guest's instruction is to the hypervisor. */
static void trap(uint32_t device, uint32_t offset, uint32_t width, bool write, uint64_t x[31])
{
    const uint64_t esr = ESR_DABT | ESR_ISV | (uint64_t)SAS(width) << 22 | UINT64_C(3) << 16 |
                         ESR_SF | (write ? ESR_WNR : 0U);
    struct bm_access access;

    if (bm_decode(esr, &access)) {
        (void)bm_trap(&self.board, BASE + device * AVPS_MMIO_SIZE + offset, &access, x);
    }
}

static uint64_t load(void *ctx, uint32_t device, uint32_t offset, uint32_t width)
{
    uint64_t x[31] = {0};

    (void)ctx;
    trap(device, offset, width, false, x);
    return x[3];
}

static void store(void *ctx, uint32_t device, uint32_t offset, uint32_t width, uint64_t value)
{
    uint64_t x[31] = {[3] = value};

    (void)ctx;
    trap(device, offset, width, true, x);
}

static void irq(void *ctx, uint32_t device, struct avps_pc_irq *seen)
{
    (void)ctx;
    *seen = self.irq[device];
}

int main(void)
{
    const struct avps_pc_target target = {
        .name = "bare metal, on this host",
        .print = hosted_print,
        .mem = &self.board.mem,
        .spans = self.memory.spans, /* a board has one range */
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
        .irq_ops = &bm_irq_ops,
        .irq_ctx = &self.board,
        .msi_address = UINT64_C(0x8020040),
        .msi_data = 0x50,
        .advance = hosted_skip,
        .start = hosted_start,
        .join = hosted_join,
        .relax = hosted_yield,
    };

    hosted_memory_init(&self.memory);
    if (bm_board_init(&self.board, &hooks, NULL, BASE, self.memory.regions[0]) != AVPS_OK) {
        return 1;
    }
    return hosted_run(&target);
}
