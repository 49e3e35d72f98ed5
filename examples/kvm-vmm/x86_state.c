/* SPDX-License-Identifier: BSD-3-Clause */
/* State of x86-64 CPUs: structures, model-specific registers -> of the interrupt controllers, timer and
 * clock. The kernel's structures are stored as they are: they are part of its interface, and checked by it
 * when they are loaded. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch.h"
#include "vm.h"

/* ---- CPUs: structures ---- */

struct cpu_row {
    unsigned long get;
    unsigned long set;
    size_t size;
};

/* In the order in which they are loaded; events come behind what they are about. */
static const struct cpu_row cpu_rows[] = {
    {KVM_GET_SREGS, KVM_SET_SREGS, sizeof(struct kvm_sregs)},
    {KVM_GET_REGS, KVM_SET_REGS, sizeof(struct kvm_regs)},
    {KVM_GET_XSAVE, KVM_SET_XSAVE, sizeof(struct kvm_xsave)},
    {KVM_GET_XCRS, KVM_SET_XCRS, sizeof(struct kvm_xcrs)},
    {KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, sizeof(struct kvm_debugregs)},
    {KVM_GET_LAPIC, KVM_SET_LAPIC, sizeof(struct kvm_lapic_state)},
    {KVM_GET_MP_STATE, KVM_SET_MP_STATE, sizeof(struct kvm_mp_state)},
};

/* The last: pending exceptions, interrupts, SMM. */
static const struct cpu_row cpu_last = {KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS,
                                        sizeof(struct kvm_vcpu_events)};

union cpu_value {
    struct kvm_xsave xsave; /* the largest */
    struct kvm_sregs sregs;
    uint8_t bytes[sizeof(struct kvm_xsave)];
};

static bool cpu_save_row(const struct vcpu *vcpu, const struct cpu_row *row, struct state_out *out)
{
    union cpu_value value;

    (void)memset(&value, 0, sizeof value);
    const bool is_well = ioctl(vcpu->fd, row->get, &value) == 0;
    state_put(out, &value, row->size);
    return is_well;
}

static bool cpu_load_row(const struct vcpu *vcpu, const struct cpu_row *row, struct state_in *in)
{
    union cpu_value value;

    (void)memset(&value, 0, sizeof value);
    state_get(in, &value, row->size);
    return !in->failed && ioctl(vcpu->fd, row->set, &value) == 0;
}

/* ---- CPUs: model-specific registers ---- */

#define MSRS_MAX 512U

/* Which there are; NULL: the kernel does not say. To be freed. */
static struct kvm_msr_list *msr_list(const struct vm *vm)
{
    struct kvm_msr_list *list = calloc(1, sizeof *list + MSRS_MAX * sizeof list->indices[0]);

    if (list == NULL) {
        return NULL;
    }
    list->nmsrs = MSRS_MAX;
    if (ioctl(vm->kvm_fd, KVM_GET_MSR_INDEX_LIST, list) != 0) {
        free(list);
        return NULL;
    }
    return list;
}

/* One at a time: those that this processor lacks are passed over. */
static bool msr_call(const struct vcpu *vcpu, unsigned long request, uint32_t index,
                     uint64_t *value)
{
    union {
        struct kvm_msrs head;
        uint8_t bytes[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
    } one;
    struct kvm_msr_entry entry = {.index = index, .data = *value};

    (void)memset(&one, 0, sizeof one);
    one.head.nmsrs = 1;
    (void)memcpy(one.bytes + sizeof one.head, &entry, sizeof entry);
    const bool is_well = ioctl(vcpu->fd, request, &one.head) == 1;
    (void)memcpy(&entry, one.bytes + sizeof one.head, sizeof entry);
    *value = entry.data;
    return is_well;
}

static bool msrs_save(const struct vcpu *vcpu, struct state_out *out)
{
    struct kvm_msr_list *list = msr_list(vcpu->vm);
    struct state_out rows = {0};
    uint32_t count = 0;

    if (list == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < list->nmsrs; i++) {
        uint64_t value = 0;

        if (msr_call(vcpu, KVM_GET_MSRS, list->indices[i], &value)) {
            state_put_u32(&rows, list->indices[i]);
            state_put_u64(&rows, value);
            count++;
        }
    }
    state_put_u32(out, count);
    state_put(out, rows.bytes, rows.size);
    out->failed = out->failed || rows.failed;
    free(rows.bytes);
    free(list);
    return true;
}

/* A register that may be read only, and holds what it does anyway, is as well. */
static bool msr_load(const struct vcpu *vcpu, struct state_in *in)
{
    const uint32_t index = state_get_u32(in);
    const uint64_t wanted = state_get_u64(in);
    uint64_t value = wanted;

    if (in->failed || msr_call(vcpu, KVM_SET_MSRS, index, &value)) {
        return !in->failed;
    }
    value = 0;
    return msr_call(vcpu, KVM_GET_MSRS, index, &value) && value == wanted;
}

static bool msrs_load(const struct vcpu *vcpu, struct state_in *in)
{
    const uint32_t count = state_get_u32(in);
    bool is_well = count <= MSRS_MAX;

    for (uint32_t i = 0; i < count && is_well; i++) {
        is_well = msr_load(vcpu, in);
    }
    return is_well;
}

/* ---- CPUs: all of it ---- */

enum avps_status arch_save_vcpu(const struct vcpu *vcpu, struct state_out *out)
{
    bool is_well = true;

    for (size_t i = 0; i < sizeof cpu_rows / sizeof cpu_rows[0] && is_well; i++) {
        is_well = cpu_save_row(vcpu, &cpu_rows[i], out);
    }
    is_well = is_well && msrs_save(vcpu, out) && cpu_save_row(vcpu, &cpu_last, out);
    return is_well ? AVPS_OK : AVPS_E_IO;
}

enum avps_status arch_load_vcpu(const struct vcpu *vcpu, struct state_in *in)
{
    bool is_well = true;

    for (size_t i = 0; i < sizeof cpu_rows / sizeof cpu_rows[0] && is_well; i++) {
        is_well = cpu_load_row(vcpu, &cpu_rows[i], in);
    }
    is_well = is_well && msrs_load(vcpu, in) && cpu_load_row(vcpu, &cpu_last, in);
    return is_well && state_is_done(in) ? AVPS_OK : AVPS_E_PARAM;
}

/* ---- interrupt controllers, timer, clock ---- */

#define CHIPS 3U /* both 8259s and the I/O APIC */

enum avps_status arch_save_irqchip(const struct vm *vm, struct state_out *out)
{
    struct kvm_pit_state2 timer = {0};
    struct kvm_clock_data clock = {0};
    bool is_well = true;

    for (uint32_t i = 0; i < CHIPS && is_well; i++) {
        struct kvm_irqchip chip = {.chip_id = i};

        is_well = ioctl(vm->fd, KVM_GET_IRQCHIP, &chip) == 0;
        state_put(out, &chip, sizeof chip);
    }
    is_well = is_well && ioctl(vm->fd, KVM_GET_PIT2, &timer) == 0 &&
              ioctl(vm->fd, KVM_GET_CLOCK, &clock) == 0;
    state_put(out, &timer, sizeof timer);
    state_put_u64(out, clock.clock);
    state_put_u32(out, atomic_load(&vm->events));
    return is_well ? AVPS_OK : AVPS_E_IO;
}

enum avps_status arch_load_irqchip(struct vm *vm, struct state_in *in)
{
    struct kvm_pit_state2 timer;
    struct kvm_clock_data clock = {0};
    bool is_well = true;

    for (uint32_t i = 0; i < CHIPS && is_well; i++) {
        struct kvm_irqchip chip;

        state_get(in, &chip, sizeof chip);
        is_well = !in->failed && chip.chip_id == i && ioctl(vm->fd, KVM_SET_IRQCHIP, &chip) == 0;
    }
    state_get(in, &timer, sizeof timer);
    clock.clock = state_get_u64(in);
    atomic_store(&vm->events, state_get_u32(in));
    return is_well && state_is_done(in) && ioctl(vm->fd, KVM_SET_PIT2, &timer) == 0 &&
                   ioctl(vm->fd, KVM_SET_CLOCK, &clock) == 0
               ? AVPS_OK
               : AVPS_E_PARAM;
}
