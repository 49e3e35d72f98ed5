/* SPDX-License-Identifier: BSD-3-Clause */
/* What the guest does that needs the hypervisor, in the order of the code: memory accesses, calls and
 * registers, then the exits that vectors.S calls. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch.h"
#include "bm_port.h"
#include "cpu.h"
#include "guest.h"
#include "guest_map.h"
#include "interrupt.h"
#include "report.h"
#include "uart.h"

#define ESR_EC(esr)      ((uint32_t)((esr) >> 26) & 0x3fU)
#define ESR_EC_UNKNOWN   0x00U
#define ESR_EC_HVC       0x16U
#define ESR_EC_SMC       0x17U
#define ESR_EC_SYSREG    0x18U
#define ESR_EC_DABT      0x24U
#define ESR_EC_IABT      0x20U
#define ESR_IL           (1ULL << 25)
#define ESR_SYSREG_READ  (1U << 0)
#define ESR_SYSREG_ID    0x3ffc1eU /* op0, op2, op1, CRn, CRm */
#define ESR_ICC_SGI1R    0x3a3016U
#define ESR_SYSREG_RT(e) ((uint32_t)((e) >> 5) & 31U)

#define SPSR_MODE        0xfU
#define SPSR_EL1T        0x4U
#define SPSR_EL1H        0x5U
#define SPSR_TAKEN       0x3c5ULL /* EL1h, everything masked */
#define VECTOR_CURRENT_0 0x000U   /* synchronous, from EL1 with EL0's stack pointer */
#define VECTOR_CURRENT   0x200U   /* from EL1 */
#define VECTOR_LOWER     0x400U   /* from EL0 */

#define UART_DR_OFFSET 0U
#define UART_SIZE      0x1000U

/* Called by vectors.S. */
void exit_sync(struct regs *regs);
void exit_irq(struct regs *regs);
void exit_serror(struct regs *regs);

/* The guest did what it must not: say where, and end its life. */
static void exits_crash(const char *reason, struct vcpu *vcpu, const struct regs *regs,
                        uint64_t ipa)
{
    uart_begin();
    uart_text("guest crashed: ");
    uart_text(reason);
    uart_text(" esr=");
    uart_hex(arch_read_esr_el2());
    uart_text(" elr=");
    uart_hex(regs->elr);
    uart_text(" far=");
    uart_hex(arch_read_far_el2());
    uart_text(" ipa=");
    uart_hex(ipa);
    report_end(vcpu->guest);
    guest_end(vcpu, "crash", true);
}

/* ---- memory accesses ---- */

/* Early console of the guest: what it writes to the data register is printed, all reads are 0
 * ("ready"). */
static void exits_early_uart(struct vcpu *vcpu, struct bm_gic_access *access)
{
    if (access->write && access->offset == UART_DR_OFFSET) {
        lock_take(&vcpu->guest->lock);
        terminal_early(vcpu->guest, (char)(access->value & 0xffU));
        lock_give(&vcpu->guest->lock);
    }
    access->value = 0U;
}

/* Registers emulated here rather than by the library. */
struct exits_window {
    uint64_t base;
    uint64_t size;
    void (*access)(struct vcpu *vcpu, struct bm_gic_access *access);
};

static const struct exits_window exits_windows[] = {
    {GUEST_GICD, BM_GIC_DISTRIBUTOR_SIZE, interrupt_distributor},
    {GUEST_GICR, (uint64_t)BM_GIC_REDISTRIBUTOR_SIZE *BM_CPUS, interrupt_redistributor},
    {GUEST_V2M, BM_GIC_FRAME_SIZE, interrupt_frame},
    {GUEST_UART, UART_SIZE, exits_early_uart},
};

static const struct exits_window *exits_find(uint64_t ipa)
{
    for (size_t i = 0; i < sizeof exits_windows / sizeof exits_windows[0]; i++) {
        if (ipa - exits_windows[i].base < exits_windows[i].size) {
            return &exits_windows[i];
        }
    }
    return NULL;
}

/* @return false: nothing is at `ipa`. */
static bool exits_platform_access(struct vcpu *vcpu, uint64_t ipa, const struct bm_access *how,
                                  uint64_t x[31])
{
    const struct exits_window *window = exits_find(ipa);

    if (window == NULL) {
        return false;
    }
    struct bm_gic_access access = {ipa - window->base, how->width, how->write,
                                   how->write ? bm_stored(how, x) : 0U};

    window->access(vcpu, &access);
    if (!how->write) {
        bm_loaded(how, x, access.value);
    }
    return true;
}

static bool exits_device_access(struct vcpu *vcpu, uint64_t ipa, const struct bm_access *how,
                                uint64_t x[31])
{
    lock_take(&vcpu->guest->lock);
    const bool ours = devices_trap(vcpu->guest, ipa, how, x);

    lock_give(&vcpu->guest->lock);
    return ours;
}

static void exits_data_abort(struct vcpu *vcpu, struct regs *regs, uint64_t esr)
{
    const uint64_t page = (arch_read_hpfar_el2() & 0xfffffffff0ULL) << 8;
    const uint64_t ipa = page | (arch_read_far_el2() & 0xfffU);
    struct bm_access access;

    if (!bm_decode(esr, &access)) {
        exits_crash("access without a syndrome", vcpu, regs, ipa);
    } else if (!exits_device_access(vcpu, ipa, &access, regs->x) &&
               !exits_platform_access(vcpu, ipa, &access, regs->x)) {
        exits_crash("nothing at this address", vcpu, regs, ipa);
    }
    regs->elr += 4U;
}

/* ---- calls and registers ---- */

static void exits_call(struct vcpu *vcpu, struct regs *regs)
{
    struct guest *guest = vcpu->guest;

    lock_take(&guest->lock);
    const enum bm_psci_action action = bm_psci_call(&guest->psci, vcpu->index, regs->x);
    const uint32_t target = guest->psci.target;

    lock_give(&guest->lock);
    switch (action) {
    case BM_PSCI_OFF:
        guest_end(vcpu, "off", false);
        break;
    case BM_PSCI_RESET:
        guest_end(vcpu, "reset", true);
        break;
    case BM_PSCI_START:
        interrupt_call(guest, 1U << target);
        break;
    case BM_PSCI_PARK:
        guest_park(vcpu);
    case BM_PSCI_RESUME:
        break;
    }
}

/* What the CPU does with an instruction that it does not know: the guest's own exception. */
static void exits_undefined(struct regs *regs)
{
    const uint64_t mode = regs->spsr & SPSR_MODE;
    const uint64_t vector = mode == SPSR_EL1H   ? VECTOR_CURRENT
                            : mode == SPSR_EL1T ? VECTOR_CURRENT_0
                                                : VECTOR_LOWER;

    arch_write_elr_el1(regs->elr);
    arch_write_spsr_el1(regs->spsr);
    arch_write_esr_el1((uint64_t)ESR_EC_UNKNOWN << 26 | ESR_IL);
    regs->elr = arch_read_vbar_el1() + vector;
    regs->spsr = SPSR_TAKEN;
}

/* Of the trapped registers the guest has one, to send software interrupts. */
static void exits_system_register(struct vcpu *vcpu, struct regs *regs, uint64_t esr)
{
    const uint32_t rt = ESR_SYSREG_RT(esr);

    if ((esr & ESR_SYSREG_READ) != 0U || (esr & ESR_SYSREG_ID) != ESR_ICC_SGI1R) {
        exits_undefined(regs);
        return;
    }
    interrupt_software(vcpu, rt == 31U ? 0U : regs->x[rt]);
    regs->elr += 4U;
}

/* ---- exits ---- */

/* The virtual CPU that the calling CPU came out of. */
static struct vcpu *exits_begin(void)
{
    struct cpu *cpu = cpu_self();

    cpu->exited = arch_read_cntpct_el0();
    cpu->vcpu->exits++;
    return cpu->vcpu;
}

void exit_sync(struct regs *regs)
{
    struct vcpu *vcpu = exits_begin();
    const uint64_t esr = arch_read_esr_el2();

    switch (ESR_EC(esr)) {
    case ESR_EC_DABT:
        exits_data_abort(vcpu, regs, esr);
        break;
    case ESR_EC_HVC:
        exits_call(vcpu, regs);
        break;
    case ESR_EC_SMC:
        regs->elr += 4U;
        exits_call(vcpu, regs);
        break;
    case ESR_EC_SYSREG:
        exits_system_register(vcpu, regs, esr);
        break;
    case ESR_EC_IABT:
        exits_crash("no memory to execute", vcpu, regs,
                    (arch_read_hpfar_el2() & 0xfffffffff0ULL) << 8);
        break;
    default:
        exits_crash("unexpected exception", vcpu, regs, 0U);
        break;
    }
    guest_return(vcpu);
}

void exit_irq(struct regs *regs)
{
    struct vcpu *vcpu = exits_begin();

    (void)regs;
    guest_interrupts(vcpu);
    guest_return(vcpu);
}

void exit_serror(struct regs *regs)
{
    struct vcpu *vcpu = exits_begin();

    exits_crash("system error", vcpu, regs, 0U);
    guest_return(vcpu);
}
