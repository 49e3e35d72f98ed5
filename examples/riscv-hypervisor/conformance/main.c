/* SPDX-License-Identifier: BSD-3-Clause */
/* The port conformance suite on this hypervisor. The suite's loads and stores are made by a guest in
 * VS mode, so that they come back through page faults, rv_fetch and the decoder; its interrupts are
 * looked at in hvip. Order: the guest's step -> the suite's target -> start. */
#include <string.h>

#include "avps_port_conformance/suite.h"

#include "../clock.h"
#include "../csr.h"
#include "../guest_map.h"
#include "../sbi.h"
#include "../stage2.h"
#include "../uart.h"
#include "line.h"
#include "rv_port.h"
#include "step.h"

#define CAUSE_ECALL_VS         10U
#define CAUSE_GUEST_PAGE_LOAD  21U
#define CAUSE_GUEST_PAGE_STORE 23U

/* The guest's code lies behind what devices may reach. */
#define RAM_SIZE 0x100000U
#define CODE_AT  (GUEST_RAM + RAM_SIZE)

#define BUDGET 4U
#define TURNS  1000U
#define STACK  65536U

extern uint8_t hyp_guest_ram[];

_Noreturn void hyp_main(void);
void guest_exit(struct vcpu *vcpu);

static struct {
    struct rv_guest guest;
    struct vcpu vcpu;
    struct avps_pc_irq irq;
    struct avps_pc suite;
    bool more; /* work was left by a poll */
    uint8_t stack[STACK] __attribute__((aligned(16)));
} self;

/* ---- the guest's step ---- */

static _Noreturn void stop(void)
{
    sbi_reset(SBI_SHUTDOWN);
    for (;;) {
    }
}

static void guest_access(struct vcpu *vcpu)
{
    uint32_t insn = 0;
    const uint64_t gpa = csr_read_htval() << 2 | (csr_read_stval() & 3U);
    const uint32_t length =
        rv_fetch(vcpu->sepc, &insn) ? rv_trap(&self.guest, gpa, insn, vcpu->x) : 0U;

    if (length == 0U) {
        uart_begin("an access was not taken");
        uart_field_hex("gpa", gpa);
        uart_field_hex("insn", insn);
        uart_end();
        stop();
    }
    vcpu->sepc += length;
}

void guest_exit(struct vcpu *vcpu)
{
    const uint64_t cause = csr_read_scause();

    switch (cause) {
    case CAUSE_GUEST_PAGE_LOAD:
    case CAUSE_GUEST_PAGE_STORE:
        guest_access(vcpu);
        break;
    case CAUSE_ECALL_VS:
        step_done();
    default:
        uart_begin("unexpected exit");
        uart_field("cause", cause);
        uart_field_hex("pc", vcpu->sepc);
        uart_end();
        stop();
    }
}

/* Let the guest make the access at `code`. @return what it loaded. */
static uint64_t guest_step(const uint8_t *code, uint32_t device, uint32_t offset, uint64_t value)
{
    struct vcpu *vcpu = &self.vcpu;

    *vcpu = (struct vcpu){.sepc = CODE_AT + (uint64_t)(code - step_code),
                          .sstatus = SSTATUS_SPP,
                          .hstatus = HSTATUS_SPV | HSTATUS_SPVP | HSTATUS_VS64};
    vcpu->x[10] = GUEST_VIRTIO + (uint64_t)device * AVPS_MMIO_SIZE + offset;
    vcpu->x[11] = value;
    step_run(vcpu);
    return vcpu->x[11];
}

/* ---- hooks ---- */

static void hook_external(void *ctx, bool high)
{
    (void)ctx;
    self.irq.count += high && csr_read_hvip() == 0U ? 1U : 0U;
    csr_write_hvip(high ? VS_EXTERNAL : 0U);
}

static uint64_t hook_now_ns(void *ctx)
{
    (void)ctx;
    return clock_now_ns();
}

static void hook_event(void *ctx, enum avps_event code, uint64_t a, uint64_t b)
{
    (void)ctx;
    (void)code;
    (void)a;
    (void)b;
}

static const struct rv_hooks hooks = {hook_external, hook_now_ns, hook_event};

/* ---- the suite's target ---- */

static void print(void *ctx, const char *line)
{
    (void)ctx;
    uart_write((const uint8_t *)line, (uint32_t)line_length(line));
    uart_write((const uint8_t *)"\r\n", 2U);
}

static uint8_t *guest_at(void *ctx, avps_gpa gpa)
{
    (void)ctx;
    return &hyp_guest_ram[gpa - GUEST_RAM];
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

/* Polls that were asked for: rv_poll itself would also hide a lost wake-up. */
static void run(void *ctx)
{
    (void)ctx;
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        bool asked = self.more || self.guest.awake;

        for (uint32_t i = 0; i < self.guest.count; i++) {
            asked = asked || avps_has_work(self.guest.devices[i]);
        }
        if (!asked) {
            return;
        }
        self.more = rv_poll(&self.guest, BUDGET);
    }
}

static uint64_t load(void *ctx, uint32_t device, uint32_t offset, uint32_t width)
{
    static const uint8_t *const code[] = {
        [1] = step_load1, [2] = step_load2, [4] = step_load4, [8] = step_load8};
    const uint64_t value = guest_step(code[width], device, offset, 0U);

    (void)ctx;
    return width == 4U ? value & UINT32_MAX : value; /* c.lw extends the sign */
}

static void store(void *ctx, uint32_t device, uint32_t offset, uint32_t width, uint64_t value)
{
    static const uint8_t *const code[] = {
        [1] = step_store1, [2] = step_store2, [4] = step_store4, [8] = step_store8};

    (void)ctx;
    (void)guest_step(code[width], device, offset, value);
}

static void irq(void *ctx, uint32_t device, struct avps_pc_irq *seen)
{
    (void)ctx;
    (void)device;
    self.irq.high = (csr_read_hvip() & VS_EXTERNAL) != 0U;
    *seen = self.irq;
}

static void advance(void *ctx, uint64_t ns)
{
    const uint64_t start = clock_now_ns();

    (void)ctx;
    while (clock_now_ns() - start < ns) {
    }
}

static void conformance_main(void)
{
    static const struct avps_pc_span spans[] = {{GUEST_RAM, RAM_SIZE, AVPS_ACCESS_RW}};
    const struct avps_pc_target target = {.name = "RISC-V, in HS mode",
                                          .print = print,
                                          .mem = &self.guest.mem,
                                          .spans = spans,
                                          .span_count = 1U,
                                          .guest = guest_at,
                                          .devices = 2U,
                                          .port = port,
                                          .attach = attach,
                                          .run = run,
                                          .load = load,
                                          .store = store,
                                          .irq = irq,
                                          .wired = true,
                                          .shared = true,
                                          .advance = advance};
    const uint32_t failed = avps_pc_run(&self.suite, &target);

    uart_begin("report end guest=");
    uart_text(failed == 0U ? "conforms" : "fails");
    uart_end();
    stop();
}

/* ---- start ---- */

_Noreturn void hyp_main(void)
{
    const struct avps_mem_region ram = {
        .gpa = GUEST_RAM, .size = RAM_SIZE, .host = hyp_guest_ram, .access = AVPS_ACCESS_RW};

    stage2_init(GUEST_RAM, (uintptr_t)hyp_guest_ram);
    memcpy(&hyp_guest_ram[RAM_SIZE], step_code, (size_t)(step_code_end - step_code));
    csr_fence_guest();
    csr_write_hvip(0U);
    csr_write_hedeleg(0U);
    csr_write_hideleg(VS_SOFT | VS_TIMER | VS_EXTERNAL);
    csr_write_vsatp(0U);
    csr_write_vsstatus(0U);
    csr_write_vsie(0U);
    if (rv_init(&self.guest, &hooks, NULL, GUEST_VIRTIO, ram) != AVPS_OK) {
        stop();
    }
    step_begin(conformance_main, &self.stack[STACK]);
}
