/* SPDX-License-Identifier: BSD-3-Clause */
/* State of arm64 CPUs -> of the GICv3: list of its registers -> of the ITS -> all of it. What is loaded is
 * checked by the kernel, register by register. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch.h"
#include "arm64.h"
#include "vm.h"

/* ---- CPUs ---- */

#define CPU_REGISTERS         2048U /* more than any kernel has */
#define CPU_REGISTER_MAX      256U  /* bytes of one */
#define CPU_REGISTER_SIZE(id) ((size_t)1 << (((id)&KVM_REG_SIZE_MASK) >> KVM_REG_SIZE_SHIFT))

/* Which registers there are; NULL: the kernel does not say. To be freed. */
static struct kvm_reg_list *cpu_list(const struct vcpu *vcpu)
{
    struct kvm_reg_list *list = calloc(1, sizeof *list + CPU_REGISTERS * sizeof list->reg[0]);

    if (list == NULL) {
        return NULL;
    }
    list->n = CPU_REGISTERS;
    if (ioctl(vcpu->fd, KVM_GET_REG_LIST, list) != 0) {
        free(list);
        return NULL;
    }
    return list;
}

static bool cpu_save_register(const struct vcpu *vcpu, uint64_t id, struct state_out *out)
{
    uint8_t value[CPU_REGISTER_MAX];
    const struct kvm_one_reg reg = {.id = id, .addr = (uint64_t)(uintptr_t)value};

    if (CPU_REGISTER_SIZE(id) > sizeof value || ioctl(vcpu->fd, KVM_GET_ONE_REG, &reg) != 0) {
        return false;
    }
    state_put_u64(out, id);
    state_put(out, value, CPU_REGISTER_SIZE(id));
    return true;
}

enum avps_status arch_save_vcpu(const struct vcpu *vcpu, struct state_out *out)
{
    struct kvm_mp_state power = {0};
    struct kvm_vcpu_events events = {0};
    struct kvm_reg_list *list = cpu_list(vcpu);
    bool is_well = list != NULL && ioctl(vcpu->fd, KVM_GET_MP_STATE, &power) == 0 &&
                   ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &events) == 0;

    state_put_u32(out, power.mp_state);
    state_put(out, &events, sizeof events);
    state_put_u32(out, is_well ? (uint32_t)list->n : 0U);
    for (uint64_t i = 0; is_well && i < list->n; i++) {
        is_well = cpu_save_register(vcpu, list->reg[i], out);
    }
    free(list);
    return is_well ? AVPS_OK : AVPS_E_IO;
}

static bool cpu_load_register(const struct vcpu *vcpu, struct state_in *in)
{
    uint8_t value[CPU_REGISTER_MAX];
    const struct kvm_one_reg reg = {.id = state_get_u64(in), .addr = (uint64_t)(uintptr_t)value};

    if (CPU_REGISTER_SIZE(reg.id) > sizeof value) {
        return false;
    }
    state_get(in, value, CPU_REGISTER_SIZE(reg.id));
    return !in->failed && ioctl(vcpu->fd, KVM_SET_ONE_REG, &reg) == 0;
}

enum avps_status arch_load_vcpu(const struct vcpu *vcpu, struct state_in *in)
{
    struct kvm_mp_state power = {.mp_state = state_get_u32(in)};
    struct kvm_vcpu_events events;

    state_get(in, &events, sizeof events);
    const uint32_t count = state_get_u32(in);
    bool is_well = !in->failed && count <= CPU_REGISTERS;
    for (uint32_t i = 0; is_well && i < count; i++) {
        is_well = cpu_load_register(vcpu, in);
    }
    return is_well && state_is_done(in) && ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &events) == 0 &&
                   ioctl(vcpu->fd, KVM_SET_MP_STATE, &power) == 0
               ? AVPS_OK
               : AVPS_E_PARAM;
}

/* ---- the GICv3: list of its registers ---- */

/* Registers of the distributor and of each redistributor, in the order in which they are loaded. */
struct gic_row {
    uint32_t offset;
    uint32_t count; /* words */
};

#define GICD_CTLR       0x0000U
#define GICD_IGROUPR    0x0080U
#define GICD_ISENABLER  0x0100U
#define GICD_ISPENDR    0x0200U
#define GICD_ISACTIVER  0x0300U
#define GICD_IPRIORITYR 0x0400U
#define GICD_ICFGR      0x0c00U
#define GICD_IROUTER    0x6000U
#define GIC_SPIS        (ARM64_INTERRUPTS - 32U)

static const struct gic_row gic_distributor[] = {
    {GICD_CTLR, 1},
    {GICD_IGROUPR + 4U, GIC_SPIS / 32U},
    {GICD_ICFGR + 8U, GIC_SPIS / 16U},
    {GICD_IPRIORITYR + 32U, GIC_SPIS / 4U},
    {GICD_IROUTER + 256U, GIC_SPIS * 2U},
    {GICD_ISENABLER + 4U, GIC_SPIS / 32U},
    {GICD_ISPENDR + 4U, GIC_SPIS / 32U},
    {GICD_ISACTIVER + 4U, GIC_SPIS / 32U},
};

#define GICR_CTLR     0x00000U
#define GICR_WAKER    0x00014U
#define GICR_PROPBASE 0x00070U
#define GICR_PENDBASE 0x00078U
#define GICR_SGI      0x10000U /* the frame of private interrupts */

static const struct gic_row gic_redistributor[] = {
    {GICR_WAKER, 1},
    {GICR_PROPBASE, 2},
    {GICR_PENDBASE, 2},
    {GICR_CTLR, 1},
    {GICR_SGI + GICD_IGROUPR, 1},
    {GICR_SGI + GICD_ICFGR + 4U, 1},
    {GICR_SGI + GICD_IPRIORITYR, 8},
    {GICR_SGI + GICD_ISENABLER, 1},
    {GICR_SGI + GICD_ISPENDR, 1},
    {GICR_SGI + GICD_ISACTIVER, 1},
};

/* System registers of a CPU's interface: op0, op1, CRn, CRm, op2. */
#define ICC(crn, crm, op2)                                                                         \
    ((UINT64_C(3) << 14U) | ((uint64_t)(crn) << 7U) | ((uint64_t)(crm) << 3U) | (uint64_t)(op2))

static const uint64_t gic_interface[] = {
    ICC(12, 12, 5), /* SRE */
    ICC(12, 12, 4), /* CTLR */
    ICC(4, 6, 0),   /* PMR */
    ICC(12, 8, 3),  /* BPR0 */
    ICC(12, 12, 3), /* BPR1 */
    ICC(12, 8, 4),  /* AP0R0 */
    ICC(12, 9, 0),  /* AP1R0 */
    ICC(12, 12, 6), /* IGRPEN0 */
    ICC(12, 12, 7), /* IGRPEN1 */
};

#define COUNT_OF(list) (uint32_t)(sizeof(list) / sizeof(list)[0])

/* The CPUs are numbered like this: affinity 0 alone. */
static uint64_t gic_cpu(uint32_t cpu)
{
    return (uint64_t)cpu << KVM_DEV_ARM_VGIC_V3_MPIDR_SHIFT;
}

/* Move one value between the kernel and a state; `out` to save, `in` to load. */
static bool gic_move(const struct vm *vm, uint32_t group, uint64_t number, bool wide,
                     struct state_out *out, struct state_in *in)
{
    uint64_t value64 = 0;
    uint32_t value32 = 0;
    void *value = wide ? (void *)&value64 : (void *)&value32;

    if (in != NULL) {
        value64 = state_get_u64(in);
        value32 = (uint32_t)value64;
        return !in->failed &&
               arm64_attribute(vm->irqchip_fd, KVM_SET_DEVICE_ATTR, group, number, value);
    }
    const bool is_well = arm64_attribute(vm->irqchip_fd, KVM_GET_DEVICE_ATTR, group, number, value);
    state_put_u64(out, wide ? value64 : value32);
    return is_well;
}

static bool gic_move_rows(const struct vm *vm, uint32_t group, uint64_t cpu,
                          const struct gic_row *rows, uint32_t count, struct state_out *out,
                          struct state_in *in)
{
    bool is_well = true;

    for (uint32_t row = 0; row < count; row++) {
        for (uint32_t i = 0; i < rows[row].count && is_well; i++) {
            is_well = gic_move(vm, group, cpu | (rows[row].offset + 4U * i), false, out, in);
        }
    }
    return is_well;
}

static bool gic_move_cpu(const struct vm *vm, uint32_t cpu, struct state_out *out,
                         struct state_in *in)
{
    bool is_well = gic_move_rows(vm, KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, gic_cpu(cpu),
                                 gic_redistributor, COUNT_OF(gic_redistributor), out, in);

    for (uint32_t i = 0; i < COUNT_OF(gic_interface) && is_well; i++) {
        is_well = gic_move(vm, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, gic_cpu(cpu) | gic_interface[i],
                           true, out, in);
    }
    return is_well;
}

/* Levels of wires, 32 interrupts at a time: of each CPU's private ones, and of SPIs. */
static bool gic_move_levels(const struct vm *vm, struct state_out *out, struct state_in *in)
{
    const uint64_t info = (uint64_t)VGIC_LEVEL_INFO_LINE_LEVEL
                          << KVM_DEV_ARM_VGIC_LINE_LEVEL_INFO_SHIFT;
    bool is_well = true;

    for (uint32_t i = 0; i < vm->options.cpus && is_well; i++) {
        is_well = gic_move(vm, KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO, gic_cpu(i) | info, false, out, in);
    }
    for (uint32_t i = 32; i < ARM64_INTERRUPTS && is_well; i += 32U) {
        is_well = gic_move(vm, KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO, info | i, false, out, in);
    }
    return is_well;
}

static bool gic_move_all(const struct vm *vm, struct state_out *out, struct state_in *in)
{
    bool is_well = gic_move_rows(vm, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, 0, gic_distributor,
                                 COUNT_OF(gic_distributor), out, in);

    for (uint32_t i = 0; i < vm->options.cpus && is_well; i++) {
        is_well = gic_move_cpu(vm, i, out, in);
    }
    return is_well && gic_move_levels(vm, out, in);
}

/* ---- the ITS ---- */

#define ITS_CTLR    0x0000U
#define ITS_IIDR    0x0004U
#define ITS_CBASER  0x0080U
#define ITS_CREADR  0x0090U
#define ITS_CWRITER 0x0088U
#define ITS_BASER   0x0100U /* eight of them */

static bool its_move(const struct vm *vm, uint64_t offset, struct state_out *out,
                     struct state_in *in)
{
    uint64_t value = in != NULL ? state_get_u64(in) : 0U;

    if (in != NULL) {
        return !in->failed && arm64_attribute(vm->its_fd, KVM_SET_DEVICE_ATTR,
                                              KVM_DEV_ARM_VGIC_GRP_ITS_REGS, offset, &value);
    }
    const bool is_well = arm64_attribute(vm->its_fd, KVM_GET_DEVICE_ATTR,
                                         KVM_DEV_ARM_VGIC_GRP_ITS_REGS, offset, &value);
    state_put_u64(out, value);
    return is_well;
}

/* In the order that loading needs; the tables go between these and ITS_CTLR. */
static bool its_move_registers(const struct vm *vm, struct state_out *out, struct state_in *in)
{
    bool is_well = its_move(vm, ITS_IIDR, out, in) && its_move(vm, ITS_CBASER, out, in) &&
                   its_move(vm, ITS_CREADR, out, in) && its_move(vm, ITS_CWRITER, out, in);

    for (uint32_t i = 0; i < 8U && is_well; i++) {
        is_well = its_move(vm, ITS_BASER + 8U * i, out, in);
    }
    return is_well;
}

static bool its_tables(const struct vm *vm, uint64_t what)
{
    return arm64_attribute(vm->its_fd, KVM_SET_DEVICE_ATTR, KVM_DEV_ARM_VGIC_GRP_CTRL, what, NULL);
}

/* ---- all of it ---- */

enum avps_status arch_save_irqchip(const struct vm *vm, struct state_out *out)
{
    const bool is_well =
        arm64_attribute(vm->irqchip_fd, KVM_SET_DEVICE_ATTR, KVM_DEV_ARM_VGIC_GRP_CTRL,
                        KVM_DEV_ARM_VGIC_SAVE_PENDING_TABLES, NULL) &&
        its_tables(vm, KVM_DEV_ARM_ITS_SAVE_TABLES) && gic_move_all(vm, out, NULL) &&
        its_move_registers(vm, out, NULL) && its_move(vm, ITS_CTLR, out, NULL);

    return is_well ? AVPS_OK : AVPS_E_IO;
}

enum avps_status arch_load_irqchip(struct vm *vm, struct state_in *in)
{
    const bool is_well = gic_move_all(vm, NULL, in) && its_move_registers(vm, NULL, in) &&
                         its_tables(vm, KVM_DEV_ARM_ITS_RESTORE_TABLES) &&
                         its_move(vm, ITS_CTLR, NULL, in);

    return is_well && state_is_done(in) ? AVPS_OK : AVPS_E_PARAM;
}
