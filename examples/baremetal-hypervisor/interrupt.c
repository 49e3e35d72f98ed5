/* SPDX-License-Identifier: BSD-3-Clause */
/* Each function: take the lock of the guest's controller, change it, release, call the CPUs that have to
 * look. */
#include "interrupt.h"

#include "cpu.h"
#include "gic.h"
#include "guest.h"
#include "guest_map.h"

void interrupt_call(const struct guest *guest, uint32_t set)
{
    for (uint32_t i = 0; i < guest->plan->cpus; i++) {
        const struct cpu *cpu = guest->vcpus[i].cpu;

        if (((set >> i) & 1U) != 0U && cpu != cpu_self()) {
            gic_call(cpu->mpidr);
        }
    }
}

void interrupt_level(struct guest *guest, uint32_t line, bool high)
{
    lock_take(&guest->gic_lock);
    const uint32_t cpus = bm_gic_set_level(&guest->gic, line, high);

    lock_give(&guest->gic_lock);
    interrupt_call(guest, cpus);
}

void interrupt_message(struct guest *guest, uint64_t address, uint32_t data)
{
    lock_take(&guest->gic_lock);
    const uint32_t cpus = bm_gic_message(&guest->gic, address - GUEST_V2M, data);

    lock_give(&guest->gic_lock);
    interrupt_call(guest, cpus);
}

static void interrupt_access(struct vcpu *vcpu, struct bm_gic_access *access,
                             uint32_t (*window)(struct bm_gic *gic, struct bm_gic_access *access))
{
    struct guest *guest = vcpu->guest;

    lock_take(&guest->gic_lock);
    const uint32_t cpus = window(&guest->gic, access);

    lock_give(&guest->gic_lock);
    interrupt_call(guest, cpus);
}

void interrupt_distributor(struct vcpu *vcpu, struct bm_gic_access *access)
{
    interrupt_access(vcpu, access, bm_gic_distributor);
}

void interrupt_redistributor(struct vcpu *vcpu, struct bm_gic_access *access)
{
    interrupt_access(vcpu, access, bm_gic_redistributor);
}

void interrupt_frame(struct vcpu *vcpu, struct bm_gic_access *access)
{
    interrupt_access(vcpu, access, bm_gic_frame);
}

void interrupt_software(struct vcpu *vcpu, uint64_t value)
{
    struct guest *guest = vcpu->guest;

    lock_take(&guest->gic_lock);
    const uint32_t cpus = bm_gic_software(&guest->gic, vcpu->index, value);

    lock_give(&guest->gic_lock);
    interrupt_call(guest, cpus);
}

void interrupt_timer(struct vcpu *vcpu)
{
    gic_forward(GIC_PPI_VIRTUAL_TIMER);
    lock_take(&vcpu->guest->gic_lock);
    bm_gic_timer(&vcpu->guest->gic, vcpu->index);
    lock_give(&vcpu->guest->gic_lock);
}

/* Only list registers that were in use can have changed, and only those that change are written. */
void interrupt_deliver(struct vcpu *vcpu)
{
    struct bm_gic *gic = &vcpu->guest->gic;
    uint64_t *lr = gic->cpus[vcpu->index].lr;
    uint64_t before[BM_GIC_LRS] = {0};

    lock_take(&vcpu->guest->gic_lock);
    for (uint32_t i = 0; i < gic->lr_count; i++) {
        lr[i] = lr[i] != 0U ? gic_lr_read(i) : 0U;
        before[i] = lr[i];
    }
    const bool more = bm_gic_fill(gic, vcpu->index);

    for (uint32_t i = 0; i < gic->lr_count; i++) {
        if (lr[i] != before[i]) {
            gic_lr_write(i, lr[i]);
        }
    }
    lock_give(&vcpu->guest->gic_lock);
    gic_want_empty(more);
}
