/* SPDX-License-Identifier: BSD-3-Clause */
/* Stopping the guest -> starting it -> memory accesses -> calls -> exits. */
#include "guest.h"

#include <string.h>

#include "clock.h"
#include "csr.h"
#include "devices.h"
#include "guest_map.h"
#include "sbi.h"
#include "uart.h"

#define CAUSE_INTERRUPT           (1ULL << 63)
#define CAUSE_ECALL_VS            10U
#define CAUSE_GUEST_PAGE_EXECUTE  20U
#define CAUSE_GUEST_PAGE_LOAD     21U
#define CAUSE_VIRTUAL_INSTRUCTION 22U
#define CAUSE_GUEST_PAGE_STORE    23U

/* The guest's own affairs: misaligned fetches, illegal instructions, breakpoints, calls from its user
 * mode, its page faults. */
#define GUEST_EXCEPTIONS (1U << 0 | 1U << 2 | 1U << 3 | 1U << 8 | 1U << 12 | 1U << 13 | 1U << 15)

#define GUEST_TIME_SLICE_NS 1000000U /* a guest that never exits does so after this time */

extern const uint8_t guest_image[];
extern const uint8_t guest_image_end[];

static struct vcpu guest_vcpu;
static uint8_t *guest_ram;

_Noreturn void guest_stop(const char *end)
{
    devices_report();
    uart_begin("report end guest=");
    uart_text(end);
    uart_end();
    sbi_reset(SBI_SHUTDOWN);
    for (;;) {
    }
}

/* Stop for a reason that is the guest's fault. */
static _Noreturn void guest_crash(const char *reason, const struct vcpu *vcpu, uint32_t insn)
{
    uart_begin("guest crashed: ");
    uart_text(reason);
    uart_field("cause", vcpu->cause);
    uart_field_hex("pc", vcpu->sepc);
    uart_field_hex("insn", insn);
    uart_field_hex("gpa", vcpu->gpa);
    uart_end();
    guest_stop("crash");
}

/* Everything as after a reset: memory, registers, interrupts. */
static void guest_reset(void)
{
    memset(guest_ram, 0, GUEST_RAM_SIZE);
    memcpy(guest_ram, guest_image, (size_t)(guest_image_end - guest_image));
    csr_fence_guest();
    csr_write_vsstatus(0U);
    csr_write_vsie(0U);
    csr_write_vstvec(0U);
    csr_write_vsscratch(0U);
    csr_write_vsepc(0U);
    csr_write_vscause(0U);
    csr_write_vstval(0U);
    csr_write_vsatp(0U);
    guest_vcpu = (struct vcpu){.sepc = GUEST_RAM,
                               .sstatus = SSTATUS_SPP | SSTATUS_SPIE,
                               .hstatus = HSTATUS_SPV | HSTATUS_SPVP | HSTATUS_VS64};
}

/* [exit] */
static void guest_access(struct vcpu *vcpu)
{
    uint32_t insn = 0;

    if (!rv_fetch(vcpu->sepc, &insn)) {
        guest_crash("its instruction cannot be read", vcpu, insn);
    }
    const uint32_t length = rv_trap(devices_guest(), vcpu->gpa, insn, vcpu->x);

    if (length == 0U) {
        guest_crash("no device at this address, or no load or store", vcpu, insn);
    }
    vcpu->sepc += length;
}
/* [exit] */

/* The guest's firmware is this one function: system reset. */
static void guest_call(struct vcpu *vcpu)
{
    if (vcpu->x[17] != SBI_RESET) {
        vcpu->x[10] = (uint64_t)SBI_NOT_SUPPORTED;
        vcpu->sepc += 4U;
    } else if (vcpu->x[10] == SBI_SHUTDOWN) {
        guest_stop("off");
    } else {
        uart_begin("guest restarts");
        uart_end();
        devices_reset();
        guest_reset();
    }
}

static void guest_exception(struct vcpu *vcpu)
{
    switch (vcpu->cause) {
    case CAUSE_GUEST_PAGE_LOAD:
    case CAUSE_GUEST_PAGE_STORE:
        guest_access(vcpu);
        break;
    case CAUSE_ECALL_VS:
        guest_call(vcpu);
        break;
    case CAUSE_GUEST_PAGE_EXECUTE:
        guest_crash("no memory to execute", vcpu, 0U);
    case CAUSE_VIRTUAL_INSTRUCTION:
        guest_crash("an instruction of a hypervisor", vcpu, (uint32_t)csr_read_stval());
    default:
        guest_crash("unexpected exception", vcpu, 0U);
    }
}

/* An interrupt is the timer, the only one that is enabled. */
void guest_exit(struct vcpu *vcpu)
{
    vcpu->cause = csr_read_scause();
    vcpu->gpa = csr_read_htval() << 2 | (csr_read_stval() & 3U);
    if ((vcpu->cause & CAUSE_INTERRUPT) != 0U) {
        clock_arm_in(GUEST_TIME_SLICE_NS);
    } else {
        guest_exception(vcpu);
    }
    devices_run();
}

_Noreturn void guest_run(uint8_t *ram)
{
    guest_ram = ram;
    guest_reset();
    csr_write_hedeleg(GUEST_EXCEPTIONS);
    csr_write_hideleg(VS_SOFT | VS_TIMER | VS_EXTERNAL);
    csr_write_hvip(0U);
    csr_write_hie(0U);
    csr_write_hcounteren(2U); /* the guest may read the time */
    csr_write_scounteren(0U);
    csr_write_htimedelta(0U);
    csr_write_sie(SIE_TIMER);
    clock_arm_in(GUEST_TIME_SLICE_NS);
    vcpu_enter(&guest_vcpu);
}
