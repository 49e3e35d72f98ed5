/* SPDX-License-Identifier: BSD-3-Clause */
/* Making guests; loading one; its life, seen from the CPUs that run it; requests. */
#include "guest.h"

#include <stddef.h>

#include "arch.h"
#include "clock.h"
#include "cpu.h"
#include "gic.h"
#include "guest_load.h"
#include "guest_map.h"
#include "interrupt.h"
#include "machine.h"
#include "memory.h"
#include "network.h"
#include "report.h"
#include "uart.h"

#define HCR_VM   (1ULL << 0)
#define HCR_SWIO (1ULL << 1)
#define HCR_FMO  (1ULL << 3)
#define HCR_IMO  (1ULL << 4)
#define HCR_AMO  (1ULL << 5)
#define HCR_TSC  (1ULL << 19)
#define HCR_RW   (1ULL << 31)
#define HCR_APK  (1ULL << 40) /* pointer authentication, where the CPU has it, is the guest's */
#define HCR_API  (1ULL << 41)

#define GUEST_SPSR    0x3c5ULL      /* EL1h, everything masked */
#define GUEST_SCTLR   0x30d00800ULL /* RES1: MMU and caches off */
#define GUEST_CPTR    0x33ffULL     /* RES1: nothing trapped */
#define GUEST_CNTHCTL 1ULL          /* the counter is the guest's, the physical timer is not */
#define GUEST_MPIDR   (1ULL << 31)  /* RES1; the rest is the CPU's number */

static struct guest guest_all[GUEST_MAX];
static uint32_t guest_number;
static atomic_uint guest_alive; /* guests that run, or are about to */

struct guest *guest_at(uint32_t index)
{
    return &guest_all[index];
}

uint32_t guest_count(void)
{
    return guest_number;
}

/* ---- making ---- */

static bool guest_make_memory(struct guest *guest)
{
    guest->ram_size = (uint64_t)guest->plan->memory_mib << 20;
    guest->ram = memory_take(guest->ram_size);
    bm_stage2_init(&guest->map);
    return guest->ram != 0U &&
           bm_stage2_map(&guest->map, GUEST_RAM, guest->ram, guest->ram_size) == AVPS_OK;
}

/* The next free physical CPUs. */
static bool guest_make_cpus(struct guest *guest)
{
    static uint32_t next;

    if (guest->plan->cpus > BM_CPUS || guest->plan->cpus > cpu_count() - next) {
        return false;
    }
    for (uint32_t i = 0; i < guest->plan->cpus; i++) {
        struct vcpu *vcpu = &guest->vcpus[i];

        *vcpu = (struct vcpu){.guest = guest, .cpu = cpu_at(next), .index = i};
        cpu_at(next)->vcpu = vcpu;
        next++;
    }
    return true;
}

static const char *guest_make(struct guest *guest, const struct host *host)
{
    guest->kernel = guest_load_find(host, guest->plan->name);
    if (guest->kernel == NULL) {
        return "no kernel for a guest";
    }
    guest->initrd = &host->initrd;
    guest->is_operator = host_option_value(host, "operator=", guest->plan->name);
    guest->restarts = host_option(host, "restart");
    if (!guest_make_cpus(guest)) {
        return "more CPUs than the machine has";
    }
    if (!guest_make_memory(guest)) {
        return "more memory than the machine has";
    }
    if (!guest_load_fits(guest)) {
        return "its kernel and initramfs do not fit its memory";
    }
    const char *device = devices_init(guest);

    if (device == NULL && !host_option_value(host, "hold=", guest->plan->name)) {
        guest_ask(guest, GUEST_START);
    }
    return device;
}

const char *guest_init(const struct avps_platform *platform, const struct host *host)
{
    if (platform->guest_count > GUEST_MAX) {
        return "more guests than this hypervisor can have";
    }
    guest_number = platform->guest_count;
    for (uint32_t i = 0; i < guest_number; i++) {
        guest_all[i].plan = &platform->guests[i];
        guest_all[i].number = i;

        const char *wrong = guest_make(&guest_all[i], host);

        if (wrong != NULL) {
            return wrong;
        }
    }
    return NULL;
}

/* ---- requests ---- */

/* What changes nothing is not asked: stopping a guest that is off, starting one that is not. */
void guest_ask(struct guest *guest, enum guest_request request)
{
    const bool off = guest->state == GUEST_OFF;

    if ((request == GUEST_STOP && off) || (request == GUEST_START && !off)) {
        return;
    }
    const unsigned int before = atomic_exchange(&guest->request, (unsigned int)request);

    if (off && before == GUEST_NOTHING) {
        atomic_fetch_add(&guest_alive, 1U);
    }
    interrupt_call(guest, UINT32_MAX);
}

bool guest_is_running(const struct guest *guest)
{
    return guest->state == GUEST_RUNNING;
}

void guest_booted(struct guest *guest)
{
    const uint64_t now = arch_read_cntpct_el0();
    uint64_t exits = 0;
    uint64_t hypervisor = 0;

    if (guest->booted) {
        return;
    }
    guest->booted = true;
    for (uint32_t i = 0; i < guest->plan->cpus; i++) {
        exits += guest->vcpus[i].exits;
        hypervisor += guest->vcpus[i].hypervisor;
    }
    report_begin("boot");
    uart_field("life", guest->lives);
    uart_field("reset_to_start_us", clock_us(guest->started));
    uart_field("start_to_init_us", clock_us(now - guest->started));
    uart_field("exits", exits);
    uart_field("in_exits_us", clock_us(hypervisor));
    report_end(guest);
}

/* ---- a life begins ---- */

static void guest_begin(struct guest *guest)
{
    lock_take(&guest->lock);
    guest->lives++;
    guest->booted = false;
    guest_load(guest);
    bm_psci_init(&guest->psci, guest->plan->cpus, guest_load_entry(guest), GUEST_RAM);
    bm_psci_memory(&guest->psci, GUEST_RAM, guest->ram_size);
    bm_gic_reset(&guest->gic, guest->plan->cpus, gic_lr_count());
    for (uint32_t i = 0; i < guest->plan->cpus; i++) {
        guest->vcpus[i].exits = 0;
        guest->vcpus[i].hypervisor = 0;
    }
    guest->started = arch_read_cntpct_el0();
    guest->state = GUEST_RUNNING;
    lock_give(&guest->lock);
}

void guest_init_cpu(struct vcpu *vcpu)
{
    const uint32_t pa_range = (uint32_t)arch_read_id_aa64mmfr0_el1() & 7U;

    arch_write_hcr_el2(HCR_VM | HCR_SWIO | HCR_FMO | HCR_IMO | HCR_AMO | HCR_TSC | HCR_RW |
                       HCR_APK | HCR_API);
    arch_write_vtcr_el2(bm_stage2_vtcr(pa_range));
    arch_write_vttbr_el2(bm_stage2_vttbr(&vcpu->guest->map, (uint8_t)(vcpu->guest->number + 1U)));
    arch_write_cnthctl_el2(GUEST_CNTHCTL);
    arch_write_cptr_el2(GUEST_CPTR);
    arch_write_mdcr_el2(0U);
    arch_write_hstr_el2(0U);
    arch_write_vmpidr_el2(GUEST_MPIDR | vcpu->index);
    arch_write_vpidr_el2(arch_read_midr_el1());
    arch_isb();
}

static _Noreturn void guest_enter(struct vcpu *vcpu)
{
    const struct bm_psci_cpu *begin = &vcpu->guest->psci.cpus[vcpu->index];
    const struct regs regs = {.x = {begin->context}, .elr = begin->entry, .spsr = GUEST_SPSR};

    gic_reset_guest();
    arch_write_sctlr_el1(GUEST_SCTLR);
    arch_write_cntvoff_el2(vcpu->guest->started);
    arch_flush_guest();
    vcpu->cpu->exited = arch_read_cntpct_el0();
    guest_return(vcpu);
    vcpu_enter(&regs);
}

/* Whether PSCI, or the beginning of a life, started this virtual CPU. */
static bool guest_starts(struct vcpu *vcpu)
{
    struct guest *guest = vcpu->guest;

    lock_take(&guest->lock);
    const bool starts = guest->state == GUEST_RUNNING && bm_psci_begin(&guest->psci, vcpu->index);

    guest->inside += starts ? 1U : 0U;
    lock_give(&guest->lock);
    return starts;
}

void guest_interrupts(struct vcpu *vcpu)
{
    const uint32_t intid = gic_take();

    if (intid == GIC_PPI_VIRTUAL_TIMER) {
        interrupt_timer(vcpu);
        return;
    }
    if (intid >= GIC_SPURIOUS) {
        return;
    }
    if (intid == GIC_PPI_HYP_TIMER) {
        clock_quiet(); /* devices_run arms it again */
    } else if (intid >= GIC_SPI_BASE) {
        lock_take(&guest_all[0].lock);
        terminal_typed(&guest_all[0]);
        lock_give(&guest_all[0].lock);
    }
    gic_finish(intid);
}

/* The first CPU of a guest that is off looks whether it was asked to start it. */
static void guest_serve_request(struct vcpu *vcpu)
{
    struct guest *guest = vcpu->guest;

    if (vcpu->index != 0U || guest->state != GUEST_OFF) {
        return;
    }
    const unsigned int request = atomic_exchange(&guest->request, GUEST_NOTHING);

    if (request == GUEST_START || request == GUEST_RESTART) {
        guest_begin(guest);
    }
}

_Noreturn void guest_run(struct vcpu *vcpu)
{
    for (;;) {
        guest_interrupts(vcpu);
        guest_serve_request(vcpu);
        if (guest_starts(vcpu)) {
            guest_enter(vcpu);
        }
        cpu_wait();
    }
}

/* ---- and ends ---- */

/* All is off: the last counters, and the machine. */
static void guest_check_all_off(void)
{
    if (atomic_fetch_sub(&guest_alive, 1U) == 1U) {
        machine_off();
    }
}

static void guest_report(struct guest *guest)
{
    devices_report(guest);
    report_begin("end");
    uart_field("irq_waited", guest->gic.counters.waited);
    uart_field("messages", guest->gic.counters.messages);
    uart_field("messages_lost", guest->gic.counters.messages_lost);
    uart_field("lives", guest->lives);
    uart_text(" guest=");
    uart_text(guest->end);
    report_end(guest);
}

/* The last CPU has left; the lock is held. */
static void guest_finish(struct guest *guest)
{
    devices_restart(guest);
    guest->state = GUEST_OFF;
    if (guest->again) {
        uart_begin();
        uart_text("guest starts again after: ");
        uart_text(guest->end);
        report_end(guest);
        atomic_store(&guest->request, GUEST_START);
        interrupt_call(guest, 1U);
        return;
    }
    guest_report(guest);
    guest_check_all_off();
}

/* Out of the guest. Whoever is left looks, because the timer for the devices may have been here. */
static _Noreturn void guest_leave(struct vcpu *vcpu)
{
    struct guest *guest = vcpu->guest;

    lock_take(&guest->lock);
    guest->inside--;
    if (guest->inside == 0U && guest->state == GUEST_ENDING) {
        guest_finish(guest);
    }
    lock_give(&guest->lock);
    interrupt_call(guest, UINT32_MAX);
    gic_reset_guest();
    cpu_rest();
}

_Noreturn void guest_park(struct vcpu *vcpu)
{
    guest_leave(vcpu);
}

static void guest_end_as(struct guest *guest, const char *end, bool again)
{
    lock_take(&guest->lock);
    if (guest->state == GUEST_RUNNING) {
        guest->state = GUEST_ENDING;
        guest->end = end;
        guest->again = again;
    }
    lock_give(&guest->lock);
    interrupt_call(guest, UINT32_MAX);
}

void guest_end(struct vcpu *vcpu, const char *end, bool again)
{
    guest_end_as(vcpu->guest, end, again && vcpu->guest->restarts);
}

void guest_return(struct vcpu *vcpu)
{
    struct guest *guest = vcpu->guest;
    const unsigned int request = guest->request;

    if (request == GUEST_STOP || request == GUEST_RESTART) {
        atomic_store(&guest->request, GUEST_NOTHING);
        guest_end_as(guest, "stopped", request == GUEST_RESTART);
    }
    if (guest->state != GUEST_RUNNING) {
        guest_leave(vcpu);
    }
    lock_take(&guest->lock);
    devices_run(guest);
    lock_give(&guest->lock);
    interrupt_deliver(vcpu);
    vcpu->hypervisor += arch_read_cntpct_el0() - vcpu->cpu->exited;
}
