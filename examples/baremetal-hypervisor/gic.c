/* SPDX-License-Identifier: BSD-3-Clause */
/* Distributor, redistributor, CPU interface, list registers. */
#include "gic.h"

#include "arch.h"
#include "cpu.h"

/* Distributor; those of a redistributor's second frame are laid out alike. */
#define GICD_CTLR       0x0000U
#define GICD_TYPER      0x0004U
#define GICD_IGROUPR    0x0080U
#define GICD_ISENABLER  0x0100U
#define GICD_ICENABLER  0x0180U
#define GICD_ICACTIVER  0x0380U
#define GICD_IPRIORITYR 0x0400U
#define GICD_IROUTER    0x6000U

#define GICD_CTLR_GROUP1 (1U << 1)
#define GICD_CTLR_ARE    (1U << 4)

#define GICR_TYPER    0x0008U
#define GICR_WAKER    0x0014U
#define GICR_SGI_BASE 0x10000U
#define GICR_SIZE     0x20000U

#define GICR_TYPER_LAST     (1ULL << 4)
#define GICR_WAKER_SLEEP    (1U << 1)
#define GICR_WAKER_CHILDREN (1U << 2)

#define ICH_HCR_EN  (1ULL << 0)
#define ICH_HCR_UIE (1ULL << 1) /* maintenance interrupt when at most one is in use */

#define GIC_LR_MAX       16U
#define GIC_PRIORITY     0x80U
#define GIC_AFFINITY     0xff00ffffffULL
#define GIC_OWN_SOFTWARE (1U << GIC_SGI_LOOK)
#define GIC_OWN_PRIVATE                                                                            \
    ((1U << GIC_PPI_MAINTENANCE) | (1U << GIC_PPI_HYP_TIMER) | (1U << GIC_PPI_VIRTUAL_TIMER))

static uintptr_t gic_distributor;
static uint32_t gic_lrs_used;

/* The list registers are numbered in their names, so access goes through a table. */
#define GIC_LR(n) ARCH_SYSREG(ich_lr##n##_el2)
GIC_LR(0)
GIC_LR(1)
GIC_LR(2)
GIC_LR(3)
GIC_LR(4)
GIC_LR(5)
GIC_LR(6)
GIC_LR(7)
GIC_LR(8)
GIC_LR(9)
GIC_LR(10)
GIC_LR(11)
GIC_LR(12)
GIC_LR(13)
GIC_LR(14)
GIC_LR(15)

struct gic_lr {
    uint64_t (*read)(void);
    void (*write)(uint64_t value);
};

#define GIC_LR_ROW(n)                                                                              \
    {                                                                                              \
        arch_read_ich_lr##n##_el2, arch_write_ich_lr##n##_el2                                      \
    }
static const struct gic_lr gic_lrs[GIC_LR_MAX] = {
    GIC_LR_ROW(0),  GIC_LR_ROW(1),  GIC_LR_ROW(2),  GIC_LR_ROW(3),  GIC_LR_ROW(4),  GIC_LR_ROW(5),
    GIC_LR_ROW(6),  GIC_LR_ROW(7),  GIC_LR_ROW(8),  GIC_LR_ROW(9),  GIC_LR_ROW(10), GIC_LR_ROW(11),
    GIC_LR_ROW(12), GIC_LR_ROW(13), GIC_LR_ROW(14), GIC_LR_ROW(15),
};

/* ---- set up ---- */

/* Offset of the word that holds the bit of `intid` in an array of bits. */
static uintptr_t gic_word(uint32_t intid)
{
    return (uintptr_t)(intid / 32U) * sizeof(uint32_t);
}

void gic_init(uintptr_t distributor)
{
    gic_distributor = distributor;
    gic_lrs_used = (uint32_t)(arch_read_ich_vtr_el2() & 31U) + 1U;

    const uint32_t spi_words = arch_mmio_read32(distributor + GICD_TYPER) & 31U;

    arch_mmio_write32(distributor + GICD_CTLR, GICD_CTLR_ARE | GICD_CTLR_GROUP1);
    for (uint32_t word = 1; word <= spi_words; word++) {
        arch_mmio_write32(distributor + GICD_ICENABLER + gic_word(word * 32U), UINT32_MAX);
        arch_mmio_write32(distributor + GICD_IGROUPR + gic_word(word * 32U), UINT32_MAX);
    }
}

uintptr_t gic_find_redistributor(uintptr_t base, uint64_t size, uint64_t mpidr)
{
    const uint64_t wanted = (mpidr & 0xffffffU) | (mpidr >> 32 & 0xffU) << 24;
    uint64_t type = 0;

    for (uintptr_t at = base; at - base < size && (type & GICR_TYPER_LAST) == 0U; at += GICR_SIZE) {
        type = arch_mmio_read64(at + GICR_TYPER);
        if (type >> 32 == wanted) {
            return at;
        }
    }
    return 0U;
}

static void gic_init_redistributor(uintptr_t base)
{
    const uintptr_t waker = base + GICR_WAKER;
    const uintptr_t frame = base + GICR_SGI_BASE;

    arch_mmio_write32(waker, arch_mmio_read32(waker) & ~GICR_WAKER_SLEEP);
    while ((arch_mmio_read32(waker) & GICR_WAKER_CHILDREN) != 0U) {
    }
    arch_mmio_write32(frame + GICD_ICENABLER, UINT32_MAX);
    arch_mmio_write32(frame + GICD_IGROUPR, UINT32_MAX);
    for (uint32_t intid = 0; intid < GIC_SPI_BASE; intid++) {
        arch_mmio_write8(frame + GICD_IPRIORITYR + intid, GIC_PRIORITY);
    }
    arch_mmio_write32(frame + GICD_ISENABLER, GIC_OWN_SOFTWARE | GIC_OWN_PRIVATE);
}

void gic_init_cpu(void)
{
    gic_init_redistributor(cpu_self()->redistributor);
    arch_write_icc_sre_el2(0xfU);
    arch_isb();
    arch_write_icc_pmr_el1(0xffU);
    arch_write_icc_ctlr_el1(1U << 1); /* ending an interrupt only drops the priority */
    arch_write_icc_igrpen1_el1(1U);
    gic_reset_guest();
}

void gic_enable(uint32_t intid)
{
    arch_mmio_write8(gic_distributor + GICD_IPRIORITYR + intid, GIC_PRIORITY);
    arch_mmio_write64(gic_distributor + GICD_IROUTER + (uintptr_t)intid * 8U,
                      arch_read_mpidr_el1() & GIC_AFFINITY);
    arch_mmio_write32(gic_distributor + GICD_ISENABLER + gic_word(intid), 1U << (intid % 32U));
}

/* ---- take ---- */

uint32_t gic_take(void)
{
    return (uint32_t)arch_read_icc_iar1_el1() & 0xffffffU;
}

void gic_finish(uint32_t intid)
{
    arch_write_icc_eoir1_el1(intid);
    arch_write_icc_dir_el1(intid);
    arch_isb();
}

void gic_forward(uint32_t intid)
{
    arch_write_icc_eoir1_el1(intid);
}

void gic_call(uint64_t mpidr)
{
    const uint64_t cluster =
        (mpidr & 0xff00U) << 8 | (mpidr & 0xff0000U) << 16 | (mpidr & 0xff00000000ULL) << 16;

    arch_dsb(); /* what it is to look at is visible before */
    arch_write_icc_sgi1r_el1(cluster | (uint64_t)GIC_SGI_LOOK << 24 | 1ULL << (mpidr & 15U));
    arch_isb();
}

/* ---- list registers ---- */

void gic_reset_guest(void)
{
    for (uint32_t i = 0; i < gic_lrs_used; i++) {
        gic_lrs[i].write(0U);
    }
    arch_write_ich_ap0r0_el2(0U);
    arch_write_ich_ap1r0_el2(0U);
    arch_write_ich_vmcr_el2(0U);
    arch_write_ich_hcr_el2(ICH_HCR_EN);
    arch_write_cntv_ctl_el0(0U);
    arch_isb();
    arch_mmio_write32(cpu_self()->redistributor + GICR_SGI_BASE + GICD_ICACTIVER,
                      1U << GIC_PPI_VIRTUAL_TIMER);
}

uint32_t gic_lr_count(void)
{
    return gic_lrs_used;
}

uint64_t gic_lr_read(uint32_t n)
{
    return gic_lrs[n].read();
}

void gic_lr_write(uint32_t n, uint64_t value)
{
    gic_lrs[n].write(value);
}

void gic_want_empty(bool on)
{
    /* With a single list register "at most one" would always hold: there, the next exit has to do. */
    arch_write_ich_hcr_el2(ICH_HCR_EN | (on && gic_lrs_used > 1U ? ICH_HCR_UIE : 0U));
}

void gic_limit(uint32_t count)
{
    gic_lrs_used = count < gic_lrs_used ? count : gic_lrs_used;
}
