/* SPDX-License-Identifier: BSD-3-Clause */
/* Exits, in the order of the code: stopping the guest, memory accesses, calls and registers,
 * interrupts, and the set-up of EL1. */
#include "guest.h"

#include <stdbool.h>
#include <stddef.h>

#include "arch.h"
#include "bm_port.h"
#include "devices.h"
#include "gic.h"
#include "gic_regs.h"
#include "guest_map.h"
#include "psci.h"
#include "report.h"
#include "transport.h"
#include "uart.h"
#include "v2m.h"
#include "vgic.h"

#define ESR_EC(esr)      ((uint32_t)((esr) >> 26) & 0x3fU)
#define ESR_EC_HVC       0x16U
#define ESR_EC_SMC       0x17U
#define ESR_EC_SYSREG    0x18U
#define ESR_EC_DABT      0x24U
#define ESR_EC_IABT      0x20U
#define ESR_SYSREG_READ  (1U << 0)
#define ESR_SYSREG_ID    0x3ffc1eU /* op0, op2, op1, CRn, CRm */
#define ESR_ICC_SGI1R    0x3a3016U
#define ESR_SYSREG_RT(e) ((uint32_t)((e) >> 5) & 31U)

#define HCR_VM   (1ULL << 0)
#define HCR_SWIO (1ULL << 1)
#define HCR_FMO  (1ULL << 3)
#define HCR_IMO  (1ULL << 4)
#define HCR_AMO  (1ULL << 5)
#define HCR_TSC  (1ULL << 19)
#define HCR_RW   (1ULL << 31)
#define HCR_APK  (1ULL << 40) /* pointer authentication, where the CPU has it, is the guest's */
#define HCR_API  (1ULL << 41)

#define GUEST_SPSR  0x3c5ULL      /* EL1h, everything masked */
#define GUEST_SCTLR 0x30d00800ULL /* RES1: MMU and caches off */
#define GUEST_CPTR  0x33ffULL     /* RES1: nothing trapped */

#define UART_DR_OFFSET 0U
#define UART_SIZE      0x1000U

/* Stop for a reason that is the guest's fault or ours: say where, then end the run. */
static _Noreturn void guest_crash(const char *reason, const struct vcpu *vcpu, uint64_t ipa)
{
    uart_begin();
    uart_text("guest crashed: ");
    uart_text(reason);
    uart_text(" esr=");
    uart_hex(arch_read_esr_el2());
    uart_text(" elr=");
    uart_hex(vcpu->elr);
    uart_text(" far=");
    uart_hex(arch_read_far_el2());
    uart_text(" ipa=");
    uart_hex(ipa);
    uart_end();
    report_and_stop("crash");
}

/* Early console of the guest: what it writes to the data register is printed, all reads are 0
 * ("ready"). */
static uint64_t guest_early_uart(uint64_t offset, uint32_t width, int write, uint64_t value)
{
    (void)width;
    if (write != 0 && offset == UART_DR_OFFSET) {
        const char byte = (char)(value & 0xffU);

        uart_write(&byte, 1U);
    }
    return 0U;
}

/* Registers emulated here rather than by the library. */
struct guest_window {
    uint64_t base;
    uint64_t size;
    uint64_t (*access)(uint64_t offset, uint32_t width, int write, uint64_t value);
};

static const struct guest_window guest_windows[] = {
    {GUEST_GICD, GICD_SIZE, vgic_distributor},
    {GUEST_GICR, GICR_SIZE, vgic_redistributor},
    {GUEST_V2M, V2M_SIZE, v2m_access},
    {GUEST_UART, UART_SIZE, guest_early_uart},
};

/* @return false: nothing is at `ipa`. */
static bool guest_platform_access(uint64_t ipa, const struct bm_access *access, uint64_t x[31])
{
    const uint64_t stored = access->write ? bm_stored(access, x) : 0U;

    for (size_t i = 0; i < sizeof guest_windows / sizeof guest_windows[0]; i++) {
        const struct guest_window *window = &guest_windows[i];

        if (ipa - window->base < window->size) {
            const uint64_t value =
                window->access(ipa - window->base, access->width, access->write ? 1 : 0, stored);

            if (!access->write) {
                bm_loaded(access, x, value);
            }
            return true;
        }
    }
    return false;
}

static void guest_data_abort(struct vcpu *vcpu, uint64_t esr)
{
    const uint64_t page = (arch_read_hpfar_el2() & 0xfffffffff0ULL) << 8;
    const uint64_t ipa = page | (arch_read_far_el2() & 0xfffU);
    struct bm_access access;

    if (!bm_decode(esr, &access)) {
        guest_crash("access without a syndrome", vcpu, ipa);
    }
    if (!transport_trap(ipa, &access, vcpu->x) && !guest_platform_access(ipa, &access, vcpu->x)) {
        guest_crash("nothing at this address", vcpu, ipa);
    }
    vcpu->elr += 4U;
}

static void guest_call(struct vcpu *vcpu)
{
    switch (psci_call(vcpu)) {
    case PSCI_OFF:
        uart_say("guest powered off");
        report_and_stop("off");
    case PSCI_RESET:
        uart_say("guest asked for a reset");
        report_and_stop("reset");
    case PSCI_RESUME:
        break;
    }
}

/* The only trapped register: the guest sends software interrupts, here always to itself. */
static void guest_system_register(struct vcpu *vcpu, uint64_t esr)
{
    const uint32_t rt = ESR_SYSREG_RT(esr);

    if ((esr & ESR_SYSREG_READ) != 0U || (esr & ESR_SYSREG_ID) != ESR_ICC_SGI1R) {
        guest_crash("system register", vcpu, 0U);
    }
    const uint64_t value = rt == 31U ? 0U : vcpu->x[rt];
    const bool all_but_self = ((value >> 40) & 1U) != 0U;

    if (!all_but_self && (value & 1U) != 0U) {
        gic_send_sgi((uint32_t)(value >> 24) & 15U);
    }
    vcpu->elr += 4U;
}

/* Before every return: let the devices work and show the guest their interrupts. */
static void guest_return(void)
{
    devices_run();
    gic_deliver();
}

void guest_exit_sync(struct vcpu *vcpu)
{
    const uint64_t esr = arch_read_esr_el2();

    switch (ESR_EC(esr)) {
    case ESR_EC_DABT:
        guest_data_abort(vcpu, esr);
        break;
    case ESR_EC_HVC:
        guest_call(vcpu);
        break;
    case ESR_EC_SMC:
        vcpu->elr += 4U;
        guest_call(vcpu);
        break;
    case ESR_EC_SYSREG:
        guest_system_register(vcpu, esr);
        break;
    case ESR_EC_IABT:
        guest_crash("no memory to execute", vcpu, (arch_read_hpfar_el2() & 0xfffffffff0ULL) << 8);
    default:
        guest_crash("unexpected exception", vcpu, 0U);
    }
    guest_return();
}

void guest_exit_irq(struct vcpu *vcpu)
{
    const uint32_t intid = gic_take();

    (void)vcpu;
    if (intid == GIC_PPI_VIRTUAL_TIMER || intid == GIC_PPI_TIMER) {
        gic_forward(intid);
    } else if (intid < GIC_SPURIOUS) {
        devices_interrupt(intid);
        gic_finish(intid);
    }
    guest_return();
}

void guest_exit_serror(struct vcpu *vcpu)
{
    guest_crash("system error", vcpu, 0U);
}

static void guest_init_cpu(void)
{
    arch_write_hcr_el2(HCR_VM | HCR_SWIO | HCR_FMO | HCR_IMO | HCR_AMO | HCR_TSC | HCR_RW |
                       HCR_APK | HCR_API);
    arch_write_cnthctl_el2(3U); /* counter and physical timer are the guest's */
    arch_write_cntvoff_el2(0U);
    arch_write_cptr_el2(GUEST_CPTR);
    arch_write_mdcr_el2(0U);
    arch_write_hstr_el2(0U);
    arch_write_sctlr_el1(GUEST_SCTLR);
    arch_write_vmpidr_el2(arch_read_mpidr_el1());
    arch_write_vpidr_el2(arch_read_midr_el1());
    arch_isb();
}

_Noreturn void guest_run(uint64_t entry, uint64_t dtb)
{
    const struct vcpu vcpu = {.x = {dtb}, .elr = entry, .spsr = GUEST_SPSR};

    guest_init_cpu();
    gic_deliver();
    vcpu_enter(&vcpu);
}
