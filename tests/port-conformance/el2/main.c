/* SPDX-License-Identifier: BSD-3-Clause */
/* port/baremetal-aarch64 at EL2: every access of the suite's driver is an instruction at EL1, which
 * stage 2 traps; a second CPU; the machine's counter. Order: the guest's accesses, the hypervisor,
 * the second CPU, the target, the start. */
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "arch.h"
#include "bm_port.h"
#include "bm_stage2.h"
#include "clock.h"
#include "fault.h"
#include "machine.h"
#include "mmu.h"
#include "uart.h"

#include "avps_port_conformance/suite.h"

#define UART_BASE  0x09000000U
#define WINDOWS    0x0a000000U /* in guest addresses */
#define RAM_HOST   0x50000000U /* in the machine */
#define RAM_GPA    0x80000000U /* in guest addresses: not the same */
#define RAM_SIZE   0x400000U
#define CODE_SIZE  0x1000U /* the guest's program, at the end of its memory */
#define CODE_GPA   (RAM_GPA + RAM_SIZE - CODE_SIZE)
#define HCR_VM     (1ULL << 0)
#define HCR_SWIO   (1ULL << 1)
#define HCR_RW     (1ULL << 31)
#define SCTLR_EL1  0x30d00800U /* RES1 bits: MMU and caches off */
#define ESR_EC(e)  ((e) >> 26)
#define EC_HVC     0x16U
#define EC_DABT    0x24U
#define SECOND_CPU 1U /* its affinity */

/* guest.S knows the offsets. */
struct guest_regs {
    uint64_t x[31];
    uint64_t pc;
};

_Static_assert(offsetof(struct guest_regs, pc) == 248, "guest.S");

uint64_t guest_run(struct guest_regs *regs);
extern const uint8_t guest_code[];
extern const uint8_t guest_code_end[];
extern uint8_t hyp_stacks[];

void hyp_main(void);
void cpu_entry(void);
void cpu_started(void);

static struct {
    struct bm_board board;
    struct bm_stage2 map;
    struct avps_pc suite;
    struct avps_pc_irq irq[AVPS_PC_DEVICES];
} self;

static _Noreturn void stop(const char *why)
{
    uart_begin_anyway();
    uart_text(why);
    uart_text("\r\n");
    machine_off();
}

_Noreturn void hyp_fault(uint64_t esr, uint64_t elr, uint64_t far)
{
    uart_begin_anyway();
    uart_text("fault esr=");
    uart_hex(esr);
    uart_text(" elr=");
    uart_hex(elr);
    uart_text(" far=");
    uart_hex(far);
    stop("");
}

/* ---- the guest's accesses ---- */

static void guest_init_cpu(void)
{
    arch_write_vtcr_el2(bm_stage2_vtcr((uint32_t)arch_read_id_aa64mmfr0_el1() & 7U));
    arch_write_vttbr_el2(bm_stage2_vttbr(&self.map, 1));
    arch_write_sctlr_el1(SCTLR_EL1);
    arch_write_hcr_el2(HCR_VM | HCR_SWIO | HCR_RW);
    arch_isb();
}

/* One instruction of the guest's program. It must trap once, at the address that was meant. */
static uint64_t guest_access(uint64_t gpa, uint32_t width, bool write, uint64_t value)
{
    const uint32_t log2 = width == 8U ? 3U : width / 2U;
    struct guest_regs regs = {.x = {[1] = gpa, [3] = value},
                              .pc = CODE_GPA + (log2 + (write ? 4U : 0U)) * 8U};
    struct bm_access access;
    const uint64_t esr = guest_run(&regs);
    const uint64_t ipa = (arch_read_hpfar_el2() & ~0xfULL) << 8 | (arch_read_far_el2() & 0xfffU);

    if (ESR_EC(esr) != EC_DABT || !bm_decode(esr, &access) || ipa != gpa ||
        !bm_trap(&self.board, ipa, &access, regs.x)) {
        stop("an access of the guest did not trap as it should");
    }
    regs.pc += 4U;
    if (ESR_EC(guest_run(&regs)) != EC_HVC) {
        stop("the guest did not go on after its access");
    }
    return regs.x[3];
}

static uint64_t load(void *ctx, uint32_t device, uint32_t offset, uint32_t width)
{
    (void)ctx;
    return guest_access(WINDOWS + device * AVPS_MMIO_SIZE + offset, width, false, 0);
}

static void store(void *ctx, uint32_t device, uint32_t offset, uint32_t width, uint64_t value)
{
    (void)ctx;
    (void)guest_access(WINDOWS + device * AVPS_MMIO_SIZE + offset, width, true, value);
}

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
    return clock_now_ns();
}

static void hook_timer(void *ctx, uint64_t deadline_ns)
{
    (void)ctx;
    (void)deadline_ns; /* run comes by anyway */
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

static void run(void *ctx)
{
    (void)ctx;
    for (uint32_t i = 0; i < 100U && bm_poll(&self.board, 4); i++) {
    }
}

static uint8_t *guest_at(void *ctx, avps_gpa gpa)
{
    (void)ctx;
    return (uint8_t *)(uintptr_t)RAM_HOST + (gpa - RAM_GPA);
}

static void irq(void *ctx, uint32_t device, struct avps_pc_irq *seen)
{
    (void)ctx;
    *seen = self.irq[device];
}

static void wait_for(void *ctx, uint64_t ns)
{
    const uint64_t end = clock_now_ns() + ns;

    (void)ctx;
    while (clock_now_ns() < end) {
    }
}

static void print(void *ctx, const char *line)
{
    (void)ctx;
    uart_take();
    uart_text(line);
    uart_end();
}

/* ---- the second CPU ---- */

/* start.S knows the first. */
static struct {
    uintptr_t stack_top;
    void (*run)(void *arg);
    void *arg;
    atomic_uint asked;
    atomic_uint done;
} second;

void cpu_started(void)
{
    mmu_enter();
    guest_init_cpu();
    for (unsigned int job = 1;; job++) {
        while (atomic_load(&second.asked) != job) {
        }
        second.run(second.arg);
        atomic_store(&second.done, job);
    }
}

static bool start(void *ctx, void (*job)(void *arg), void *arg)
{
    (void)ctx;
    second.run = job;
    second.arg = arg;
    (void)atomic_fetch_add(&second.asked, 1U);
    return true;
}

static void join(void *ctx)
{
    (void)ctx;
    while (atomic_load(&second.done) != atomic_load(&second.asked)) {
    }
}

static void relax(void *ctx)
{
    (void)ctx;
    __asm__ volatile("yield");
}

/* ---- the target ---- */

/* All but the guest's program. */
static const struct avps_pc_span spans[] = {{RAM_GPA, RAM_SIZE - CODE_SIZE, AVPS_ACCESS_RW}};

static const struct avps_pc_target target = {
    .name = "bare metal, at EL2",
    .print = print,
    .mem = &self.board.mem,
    .spans = spans,
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
    .msi_address = 0x08020040U,
    .msi_data = 0x50,
    .advance = wait_for,
    .start = start,
    .join = join,
    .relax = relax,
};

/* ---- the start ---- */

static void load_guest(void)
{
    const size_t size = (size_t)(guest_code_end - guest_code);
    uint8_t *at = guest_at(NULL, CODE_GPA);

    (void)memcpy(at, guest_code, size);
    mmu_clean(at, size);
    bm_stage2_init(&self.map);
    if (bm_stage2_map(&self.map, RAM_GPA, RAM_HOST, RAM_SIZE) != AVPS_OK) {
        stop("the guest's memory cannot be mapped");
    }
    mmu_clean(&self.map, sizeof self.map);
    guest_init_cpu();
}

void hyp_main(void)
{
    const struct avps_mem_region ram = {RAM_GPA, RAM_SIZE - CODE_SIZE,
                                        (uint8_t *)(uintptr_t)RAM_HOST, AVPS_ACCESS_RW};

    mmu_init();
    uart_init(UART_BASE);
    load_guest();
    second.stack_top = (uintptr_t)hyp_stacks + 2U * 0x11000U; /* hypervisor.ld */
    mmu_clean(&second, sizeof second);
    if (!machine_cpu_on(SECOND_CPU, (uintptr_t)cpu_entry, (uintptr_t)&second)) {
        stop("the second CPU does not start");
    }
    if (bm_board_init(&self.board, &hooks, NULL, WINDOWS, ram) != AVPS_OK) {
        stop("the board cannot be made");
    }
    (void)!avps_pc_run(&self.suite, &target);
    machine_off();
}
