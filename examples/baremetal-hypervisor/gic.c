/* SPDX-License-Identifier: BSD-3-Clause */
/* GICv3 at EL2. Four kinds of interrupts reach the guest, each with its own pending set here:
 * virtual lines (level), messages and software interrupts (edge), and forwarded timers (linked to
 * the physical one by the list register's HW bit). gic_deliver moves as many as fit into list
 * registers. */
#include "gic.h"

#include <stddef.h>

#include "arch.h"
#include "gic_regs.h"

#define LR_MAX          16U
#define LR_INTID(lr)    ((uint32_t)(lr))
#define LR_STATE        (3ULL << 62)
#define LR_PENDING      (1ULL << 62)
#define LR_ACTIVE       (2ULL << 62)
#define LR_HW           (1ULL << 61)
#define LR_GROUP1       (1ULL << 60)
#define LR_PRIORITY(p)  ((uint64_t)(p) << 48)
#define LR_PHYSICAL(id) ((uint64_t)(id) << 32)
#define LR_EOI          (1ULL << 41) /* maintenance interrupt when the guest is done */
#define LR_EDGE         0ULL         /* nothing to do then */

#define ICH_HCR_EN  (1ULL << 0)
#define ICH_HCR_UIE (1ULL << 1) /* maintenance interrupt when at most one is in use */

#define GIC_HYP_PRIORITY 0x80U

struct gic_state {
    uintptr_t distributor;
    uintptr_t redistributor;
    uint32_t lr_count;
    uint32_t level;   /* virtual lines that are high */
    uint32_t message; /* messages to deliver */
    uint32_t sgi;     /* software interrupts to deliver */
    uint32_t private; /* forwarded private interrupts to deliver, by number */
    bool guest_on;
    uint64_t waited;
};

static struct gic_state gic;

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
static const struct gic_lr gic_lrs[LR_MAX] = {
    GIC_LR_ROW(0),  GIC_LR_ROW(1),  GIC_LR_ROW(2),  GIC_LR_ROW(3),  GIC_LR_ROW(4),  GIC_LR_ROW(5),
    GIC_LR_ROW(6),  GIC_LR_ROW(7),  GIC_LR_ROW(8),  GIC_LR_ROW(9),  GIC_LR_ROW(10), GIC_LR_ROW(11),
    GIC_LR_ROW(12), GIC_LR_ROW(13), GIC_LR_ROW(14), GIC_LR_ROW(15),
};

uintptr_t gic_distributor(void)
{
    return gic.distributor;
}

uintptr_t gic_redistributor(void)
{
    return gic.redistributor;
}

uint64_t gic_waited(void)
{
    return gic.waited;
}

/* Frame that holds the per-interrupt registers of `intid`. */
static uintptr_t gic_frame(uint32_t intid)
{
    return intid < GIC_SPI_BASE ? gic.redistributor + GICR_SGI_BASE : gic.distributor;
}

/* Offset of the word that holds the bit of `intid` in an array of bits. */
static uintptr_t gic_word(uint32_t intid)
{
    return (uintptr_t)(intid / 32U) * sizeof(uint32_t);
}

static bool gic_enabled(uint32_t intid)
{
    const uint32_t bits = arch_mmio_read32(gic_frame(intid) + GICD_ISENABLER + gic_word(intid));

    return ((bits >> (intid % 32U)) & 1U) != 0U;
}

static uint8_t gic_priority(uint32_t intid)
{
    return arch_mmio_read8(gic_frame(intid) + GICD_IPRIORITYR + intid);
}

static void gic_init_physical(void)
{
    const uintptr_t waker = gic.redistributor + GICR_WAKER;
    const uint32_t spi_words = arch_mmio_read32(gic.distributor + GICD_TYPER) & 31U;

    arch_mmio_write32(gic.distributor + GICD_CTLR, GICD_CTLR_ARE | GICD_CTLR_GROUP1);
    for (uint32_t word = 1; word <= spi_words; word++) {
        arch_mmio_write32(gic.distributor + GICD_ICENABLER + gic_word(word * 32U), UINT32_MAX);
        arch_mmio_write32(gic.distributor + GICD_IGROUPR + gic_word(word * 32U), UINT32_MAX);
    }
    arch_mmio_write32(waker, arch_mmio_read32(waker) & ~GICR_WAKER_SLEEP);
    while ((arch_mmio_read32(waker) & GICR_WAKER_CHILDREN) != 0U) {
    }
    arch_mmio_write32(gic.redistributor + GICR_SGI_BASE + GICD_ICENABLER, UINT32_MAX);
    arch_mmio_write32(gic.redistributor + GICR_SGI_BASE + GICD_IGROUPR, UINT32_MAX);
}

static void gic_init_cpu(void)
{
    arch_write_icc_sre_el2(0xfU);
    arch_isb();
    arch_write_icc_pmr_el1(0xffU);
    arch_write_icc_ctlr_el1(1U << 1); /* ending an interrupt only drops the priority */
    arch_write_icc_igrpen1_el1(1U);
    gic.lr_count = (uint32_t)(arch_read_ich_vtr_el2() & 31U) + 1U;
    for (uint32_t i = 0; i < gic.lr_count; i++) {
        gic_lrs[i].write(0U);
    }
    arch_write_ich_vmcr_el2(0U);
    arch_write_ich_hcr_el2(ICH_HCR_EN);
    arch_isb();
}

void gic_init(uintptr_t distributor, uintptr_t redistributor)
{
    gic.distributor = distributor;
    gic.redistributor = redistributor;
    gic_init_physical();
    gic_init_cpu();
    gic_enable(GIC_PPI_MAINTENANCE);
    gic_enable(GIC_PPI_HYP_TIMER);
}

void gic_limit(uint32_t count)
{
    gic.lr_count = count < gic.lr_count ? count : gic.lr_count;
}

void gic_enable(uint32_t intid)
{
    const uintptr_t frame = gic_frame(intid);

    arch_mmio_write8(frame + GICD_IPRIORITYR + intid, GIC_HYP_PRIORITY);
    if (intid >= GIC_SPI_BASE) {
        arch_mmio_write64(frame + GICD_IROUTER + (uintptr_t)intid * 8U,
                          arch_read_mpidr_el1() & 0xff00ffffffU);
    }
    arch_mmio_write32(frame + GICD_ISENABLER + gic_word(intid), 1U << (intid % 32U));
}

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
    gic.private |= 1U << intid;
    arch_write_icc_eoir1_el1(intid); /* stays active until the guest deactivates it */
}

void gic_set_level(uint32_t line, bool high)
{
    const uint32_t bit = 1U << line;

    gic.level = high ? gic.level | bit : gic.level & ~bit;
}

void gic_send_messages(uint32_t set)
{
    gic.message |= set;
}

void gic_drop_messages(uint32_t set)
{
    gic.message &= ~set;
}

uint32_t gic_messages(void)
{
    return gic.message;
}

void gic_send_sgi(uint32_t sgi)
{
    gic.sgi |= 1U << sgi;
}

void gic_guest_enable(bool on)
{
    gic.guest_on = on;
}

/* Find the list register that holds `intid`; lr_count if none does. */
static uint32_t gic_find(uint32_t intid)
{
    for (uint32_t i = 0; i < gic.lr_count; i++) {
        const uint64_t lr = gic_lrs[i].read();

        if ((lr & LR_STATE) != 0U && LR_INTID(lr) == intid) {
            return i;
        }
    }
    return gic.lr_count;
}

static bool gic_is_line(uint32_t intid)
{
    return intid >= GIC_VIRTUAL_BASE && intid < GIC_VIRTUAL_BASE + GIC_VIRTUAL_COUNT;
}

static bool gic_line_fell(uint32_t intid)
{
    return gic_is_line(intid) && ((gic.level >> (intid - GIC_VIRTUAL_BASE)) & 1U) == 0U;
}

/* Empty the list registers of ended interrupts, and of lines that fell before they were taken. */
static void gic_retire(void)
{
    for (uint32_t i = 0; i < gic.lr_count; i++) {
        const uint64_t lr = gic_lrs[i].read();
        const uint64_t state = lr & LR_STATE;

        if (lr != 0U && (state == 0U || (state == LR_PENDING && gic_line_fell(LR_INTID(lr))))) {
            gic_lrs[i].write(0U);
        }
    }
}

/* Put `intid` into a free list register. @return false when all are taken. */
static bool gic_load(uint32_t intid, uint64_t extra)
{
    const uint64_t value =
        LR_PENDING | LR_GROUP1 | LR_PRIORITY(gic_priority(intid)) | extra | intid;

    for (uint32_t i = 0; i < gic.lr_count; i++) {
        if (gic_lrs[i].read() == 0U) {
            gic_lrs[i].write(value);
            return true;
        }
    }
    return false;
}

/* Deliver `intid`. @return false if it has to stay: disabled, without a free list register, or still
 * in one. An edge goes on top of one in service, so that the guest takes it again; a level is looked
 * at when the guest is done (LR_EOI), a physical interrupt cannot come twice. */
static bool gic_put(uint32_t intid, uint64_t extra, bool *full)
{
    if (!gic_enabled(intid)) {
        return false;
    }
    const uint32_t at = gic_find(intid);

    if (at < gic.lr_count && extra == LR_EDGE) {
        gic_lrs[at].write(gic_lrs[at].read() | LR_PENDING);
        return true;
    }
    if (at < gic.lr_count) {
        return false;
    }
    const bool loaded = gic_load(intid, extra | ((extra & LR_HW) != 0U ? LR_PHYSICAL(intid) : 0U));

    *full = *full || !loaded;
    return loaded;
}

/* Deliver the interrupts `first + n` for every bit n of `set`. @return The bits that stay. */
static uint32_t gic_deliver_set(uint32_t set, uint32_t first, uint64_t extra, bool *full)
{
    uint32_t left = 0;

    for (uint32_t n = 0; n < 32U && set >> n != 0U; n++) {
        if (((set >> n) & 1U) != 0U && !gic_put(first + n, extra, full)) {
            left |= 1U << n;
        }
    }
    return left;
}

void gic_deliver(void)
{
    bool full = false;

    gic_retire();
    if (gic.guest_on) {
        gic.private = gic_deliver_set(gic.private, 0U, LR_HW, &full);
        gic.sgi = gic_deliver_set(gic.sgi, 0U, LR_EDGE, &full);
        gic.message = gic_deliver_set(gic.message, GIC_MESSAGE_BASE, LR_EDGE, &full);
        (void)gic_deliver_set(gic.level, GIC_VIRTUAL_BASE, LR_EOI, &full);
    }
    gic.waited += full ? 1U : 0U;
    /* With a single list register "at most one" would always hold: there, the next exit has to do. */
    arch_write_ich_hcr_el2(ICH_HCR_EN | (full && gic.lr_count > 1U ? ICH_HCR_UIE : 0U));
}
