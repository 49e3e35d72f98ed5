/* SPDX-License-Identifier: BSD-3-Clause */
/* Mediated GIC registers: the state of the guest's own interrupts is kept in the physical GIC, every
 * access is cut down to those, and nothing else of the GIC is reachable. Not offered: LPIs,
 * messages to the distributor (v2m.c has a frame of its own), pending bits of virtual lines, active
 * bits of what is virtual. */
#include "vgic.h"

#include <stdbool.h>

#include "arch.h"
#include "gic.h"
#include "gic_regs.h"

/* Private interrupts of the guest: 16 software ones and the two timers. */
#define VGIC_PRIVATE (0xffffU | (1U << GIC_PPI_VIRTUAL_TIMER) | (1U << GIC_PPI_TIMER))

/* The words with the pending bits of the message interrupts. */
#define VGIC_SET_MESSAGES  (GICD_ISPENDR + GIC_MESSAGE_BASE / 8U)
#define VGIC_DROP_MESSAGES (GICD_ICPENDR + GIC_MESSAGE_BASE / 8U)

static uint32_t vgic_ctlr; /* as the guest wrote it */

static bool vgic_owns(uint64_t intid)
{
    if (intid < GIC_SPI_BASE) {
        return ((VGIC_PRIVATE >> intid) & 1U) != 0U;
    }
    return (intid >= GIC_VIRTUAL_BASE && intid < GIC_VIRTUAL_BASE + GIC_VIRTUAL_COUNT) ||
           (intid >= GIC_MESSAGE_BASE && intid < GIC_MESSAGE_BASE + GIC_MESSAGE_COUNT);
}

/* Mask over a register that starts at interrupt `first` with `bits` bits per interrupt. */
static uint32_t vgic_mask(uint64_t first, uint32_t bits, uint32_t width)
{
    uint32_t mask = 0;

    for (uint32_t n = 0; n < width * 8U / bits; n++) {
        if (vgic_owns(first + n)) {
            mask |= ((bits == 8U ? 0xffU : (1U << bits) - 1U)) << (n * bits);
        }
    }
    return mask;
}

static uint32_t vgic_load(uintptr_t address, uint32_t width)
{
    return width == 1U ? arch_mmio_read8(address) : arch_mmio_read32(address);
}

static void vgic_store(uintptr_t address, uint32_t width, uint32_t value)
{
    if (width == 1U) {
        arch_mmio_write8(address, (uint8_t)value);
    } else {
        arch_mmio_write32(address, value);
    }
}

/* A register whose ones act (set and clear registers): other interrupts' bits are dropped. */
static uint32_t vgic_action(uintptr_t address, uint32_t mask, int write, uint32_t value)
{
    if (write == 0) {
        return arch_mmio_read32(address) & mask;
    }
    arch_mmio_write32(address, value & mask);
    return 0U;
}

/* A register that holds values: other interrupts' fields are kept. */
static uint32_t vgic_fields(uintptr_t address, uint32_t width, uint32_t mask, int write,
                            uint32_t value)
{
    const uint32_t old = vgic_load(address, width);

    if (write == 0) {
        return old & mask;
    }
    vgic_store(address, width, (old & ~mask) | (value & mask));
    return 0U;
}

/* Pending bits of the message interrupts, which a guest sets to repeat one that it put off. */
static uint32_t vgic_messages(uint64_t offset, int write, uint32_t value)
{
    if (write == 0) {
        return gic_messages();
    }
    if (offset == VGIC_SET_MESSAGES) {
        gic_send_messages(value);
    } else {
        gic_drop_messages(value);
    }
    return 0U;
}

/* The registers that both frames lay out alike, IGROUPR to ICFGR. */
static uint64_t vgic_interrupts(uintptr_t frame, uint64_t offset, uint32_t width, int write,
                                uint32_t value)
{
    const uintptr_t address = frame + (uintptr_t)offset;
    const uint64_t row = offset & 0x7fU;

    if (offset >= GICD_IPRIORITYR && offset < GICD_ITARGETSR && (width == 1U || width == 4U)) {
        const uint64_t first = offset - GICD_IPRIORITYR;
        return vgic_fields(address, width, vgic_mask(first, 8U, width), write, value);
    }
    if (width != 4U) {
        return 0U;
    }
    if (offset >= GICD_ICFGR && offset < GICD_IGRPMODR) {
        return vgic_fields(address, 4U, vgic_mask((offset - GICD_ICFGR) * 4U, 2U, 4U), write,
                           value);
    }
    const uint32_t mask = vgic_mask(row * 8U, 1U, 4U);
    if (offset >= GICD_IGROUPR && offset < GICD_ISENABLER) {
        return write != 0 ? 0U : mask; /* all of the guest's are group 1 */
    }
    if (offset >= GICD_ISENABLER && offset < GICD_ISPENDR) {
        return vgic_action(address, mask, write, value);
    }
    if (offset >= GICD_ISPENDR && offset < GICD_IPRIORITYR && row == 0U &&
        frame != gic_distributor()) {
        return vgic_action(address, mask & ~0xffffU, write, value);
    }
    return 0U;
}

static uint64_t vgic_control(int write, uint64_t value)
{
    if (write == 0) {
        return vgic_ctlr | GICD_CTLR_ARE | GICD_CTLR_DS;
    }
    vgic_ctlr = (uint32_t)value & GICD_CTLR_GROUP1;
    gic_guest_enable(vgic_ctlr != 0U);
    return 0U;
}

/* Identification: the physical values without what the guest does not get. */
static uint64_t vgic_identity(uint64_t offset)
{
    const uint32_t value = arch_mmio_read32(gic_distributor() + (uintptr_t)offset);

    return offset == GICD_TYPER ? value & ~(GICD_TYPER_MBIS | GICD_TYPER_LPIS) : value;
}

uint64_t vgic_distributor(uint64_t offset, uint32_t width, int write, uint64_t value)
{
    if (offset % width != 0U) {
        return 0U;
    }
    if (width == 4U && (offset == VGIC_SET_MESSAGES || offset == VGIC_DROP_MESSAGES)) {
        return vgic_messages(offset, write, (uint32_t)value);
    }
    if (offset >= GICD_IGROUPR + 4U && offset < GICD_IGRPMODR) {
        return vgic_interrupts(gic_distributor(), offset, width, write, (uint32_t)value);
    }
    if (width != 4U) {
        return 0U; /* routing: one CPU, nothing to choose */
    }
    switch (offset) {
    case GICD_CTLR:
        return vgic_control(write, value);
    case GICD_TYPER:
    case GICD_IIDR:
    case GICD_PIDR2:
        return write != 0 ? 0U : vgic_identity(offset);
    default:
        return 0U;
    }
}

uint64_t vgic_redistributor(uint64_t offset, uint32_t width, int write, uint64_t value)
{
    const uintptr_t base = gic_redistributor();

    if (offset % width != 0U) {
        return 0U;
    }
    if (offset >= GICR_SGI_BASE) {
        return vgic_interrupts(base + GICR_SGI_BASE, offset - GICR_SGI_BASE, width, write,
                               (uint32_t)value);
    }
    if (write != 0) {
        return 0U;
    }
    if (offset == GICR_TYPER && width == 8U) {
        return (arch_mmio_read64(base + GICR_TYPER) & ~GICR_TYPER_LPI_BITS) | GICR_TYPER_LAST;
    }
    if (width == 4U && (offset == GICR_IIDR || offset == GICD_PIDR2)) {
        return arch_mmio_read32(base + (uintptr_t)offset);
    }
    return 0U;
}
