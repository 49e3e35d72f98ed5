/* SPDX-License-Identifier: BSD-3-Clause */
/* Raising, registers, list registers. Whatever a register does not offer reads 0 and takes no store: group
 * 0, LPIs, active bits, the pending bits of lines. */
#include "bm_gic.h"

#include <stddef.h>

#define ALL_SOFTWARE 0xffffU
#define PRIVATE      (ALL_SOFTWARE | (1U << BM_GIC_TIMER)) /* private interrupts that exist */
#define NO_CPU       0U

/* List registers. */
#define LR_INTID(lr)    ((uint32_t)(lr))
#define LR_STATE        (3ULL << 62)
#define LR_PENDING      (1ULL << 62)
#define LR_HW           (1ULL << 61)
#define LR_GROUP1       (1ULL << 60)
#define LR_PRIORITY(p)  ((uint64_t)(p) << 48)
#define LR_PHYSICAL(id) ((uint64_t)(id) << 32)
#define LR_EOI          (1ULL << 41) /* maintenance interrupt when the guest is done */
#define LR_EDGE         0ULL         /* nothing to do then */

/* Distributor; from IGROUPR to ICFGR also the redistributor's second frame. */
#define GICD_CTLR       0x0000U
#define GICD_TYPER      0x0004U
#define GICD_IIDR       0x0008U
#define GICD_IGROUPR    0x0080U
#define GICD_ISENABLER  0x0100U
#define GICD_ICENABLER  0x0180U
#define GICD_ISPENDR    0x0200U
#define GICD_ICPENDR    0x0280U
#define GICD_ISACTIVER  0x0300U
#define GICD_IPRIORITYR 0x0400U
#define GICD_ITARGETSR  0x0800U
#define GICD_ICFGR      0x0c00U
#define GICD_IGRPMODR   0x0d00U
#define GICD_IROUTER    0x6000U
#define GICD_PIDR2      0xffe8U

#define GICD_CTLR_GROUP1 (1U << 1)
#define GICD_CTLR_ARE    (1U << 4)
#define GICD_CTLR_DS     (1U << 6)

/* 10 bits of interrupt numbers, no routing to any CPU of several, BM_GIC_WORDS words. */
#define GICD_TYPER_VALUE ((1U << 25) | (9U << 19) | (BM_GIC_WORDS - 1U))
#define GIC_IIDR_VALUE   0x43bU /* Arm */
#define GIC_PIDR2_VALUE  0x3bU  /* GICv3 */

#define GICR_IIDR       0x0004U
#define GICR_TYPER      0x0008U
#define GICR_SGI_BASE   0x10000U
#define GICR_TYPER_LAST (1ULL << 4)

/* The message frame, as in Arm's Server Base System Architecture, appendix on the GICv2m. */
#define FRAME_TYPER      0x008U /* first interrupt in bits 25..16, how many in bits 9..0 */
#define FRAME_SETSPI_NS  0x040U
#define FRAME_TYPER_BASE 16U
#define FRAME_NO_MESSAGE 0U

#define BITS_EDGE 0xaaaaaaaaU /* ICFGR of 16 edges */

_Static_assert(BM_CPUS >= 1U && BM_CPUS <= 16U, "one cluster");

static uint32_t gic_all_cpus(const struct bm_gic *gic)
{
    return (1U << gic->cpu_count) - 1U;
}

void bm_gic_reset(struct bm_gic *gic, uint32_t cpu_count, uint32_t lr_count)
{
    *gic = (struct bm_gic){.cpu_count = cpu_count, .lr_count = lr_count, .counters = gic->counters};
}

/* ---- raising ---- */

uint32_t bm_gic_set_level(struct bm_gic *gic, uint32_t line, bool high)
{
    const uint32_t bit = 1U << (line % BM_GIC_COUNT);

    gic->level = high ? gic->level | bit : gic->level & ~bit;
    return high ? 1U << gic->route[BM_GIC_LINES + line % BM_GIC_COUNT] : NO_CPU;
}

uint32_t bm_gic_message(struct bm_gic *gic, uint64_t offset, uint32_t data)
{
    const uint32_t n = data - BM_GIC_MESSAGES;

    if (offset != FRAME_SETSPI_NS || n >= BM_GIC_COUNT) {
        gic->counters.messages_lost++;
        return NO_CPU;
    }
    gic->counters.messages++;
    gic->edge |= 1U << n;
    return 1U << gic->route[data];
}

/* The CPUs are 0..cpu_count-1 of cluster 0; targets elsewhere do not exist. */
uint32_t bm_gic_software(struct bm_gic *gic, uint32_t from, uint64_t value)
{
    const uint32_t sgi = (uint32_t)(value >> 24) & 15U;
    const bool all_but_self = ((value >> 40) & 1U) != 0U;
    const bool cluster0 = (value & 0x00fff0ff00ff0000ULL) == 0U;
    const uint32_t listed = cluster0 ? (uint32_t)value & 0xffffU : NO_CPU;
    const uint32_t targets = (all_but_self ? ~(1U << from) : listed) & gic_all_cpus(gic);

    for (uint32_t cpu = 0; cpu < gic->cpu_count; cpu++) {
        gic->cpus[cpu].pending |= ((targets >> cpu) & 1U) << sgi;
    }
    return targets;
}

void bm_gic_timer(struct bm_gic *gic, uint32_t cpu)
{
    gic->cpus[cpu].pending |= 1U << BM_GIC_TIMER;
}

/* ---- registers ---- */

/* Which interrupts of word `word` exist. */
static uint32_t gic_existing(uint32_t word)
{
    uint32_t mask = 0;

    for (uint32_t n = 0; n < 32U; n++) {
        const uint32_t intid = word * 32U + n;

        if (intid - BM_GIC_LINES < BM_GIC_COUNT || intid - BM_GIC_MESSAGES < BM_GIC_COUNT) {
            mask |= 1U << n;
        }
    }
    return word == 0U ? PRIVATE : mask;
}

static bool gic_exists(uint64_t intid)
{
    return intid < BM_GIC_INTIDS &&
           ((gic_existing((uint32_t)intid / 32U) >> (intid % 32U)) & 1U) != 0U;
}

/* A register whose ones set, or clear, bits that read back alike. */
static void gic_bits(uint32_t *word, uint32_t mask, bool set, struct bm_gic_access *access)
{
    if (!access->write) {
        access->value = *word & mask;
    } else if (set) {
        *word |= (uint32_t)access->value & mask;
    } else {
        *word &= ~((uint32_t)access->value & mask);
    }
}

/* Pending bits of the messages, which a guest sets to repeat one that it put off. */
static void gic_message_bits(struct bm_gic *gic, uint32_t word, bool set,
                             struct bm_gic_access *access)
{
    if (word == BM_GIC_MESSAGES / 32U) {
        gic_bits(&gic->edge, UINT32_MAX, set, access);
    }
}

/* One register of bits, at `offset`; `enabled` is the word that it covers. */
static void gic_one_word(struct bm_gic *gic, uint32_t *enabled, uint32_t offset,
                         struct bm_gic_access *access)
{
    const uint32_t word = offset % 0x80U / 4U;
    const uint32_t mask = gic_existing(word);

    switch (offset & ~0x7fU) {
    case GICD_IGROUPR: /* all of the guest's are group 1 */
        access->value = mask;
        break;
    case GICD_ISENABLER:
    case GICD_ICENABLER:
        gic_bits(enabled, mask, (offset & ~0x7fU) == GICD_ISENABLER, access);
        break;
    case GICD_ISPENDR:
    case GICD_ICPENDR:
        gic_message_bits(gic, word, (offset & ~0x7fU) == GICD_ISPENDR, access);
        break;
    default:
        break;
    }
}

/* Priorities, 1 or 4 of them, of interrupts from `first` on. */
static void gic_priorities(uint8_t *table, uint64_t first, struct bm_gic_access *access)
{
    uint64_t value = 0;

    for (uint32_t n = 0; n < access->width; n++) {
        if (access->write && gic_exists(first + n)) {
            table[first + n] = (uint8_t)(access->value >> (8U * n));
        }
        value |= (uint64_t)table[first + n] << (8U * n);
    }
    access->value = value;
}

/* How interrupts are triggered is given: software ones and messages are edges, the rest levels. */
static uint32_t gic_trigger(uint64_t offset)
{
    const uint64_t first = (offset - GICD_ICFGR) * 4U;

    return first == 0U || first - BM_GIC_MESSAGES < BM_GIC_COUNT ? BITS_EDGE : 0U;
}

/* The registers that both frames lay out alike, IGROUPR to ICFGR, for interrupts from `first` to
 * `end`. */
static void gic_arrays(struct bm_gic *gic, uint32_t *enabled, uint8_t *priority, uint32_t first,
                       uint32_t end, struct bm_gic_access *access)
{
    const uint64_t offset = access->offset;
    const uint64_t row = offset % 0x80U * 8U; /* first interrupt of a register of bits */

    if (offset >= GICD_IPRIORITYR && offset < GICD_ITARGETSR) {
        const uint64_t at = offset - GICD_IPRIORITYR;

        if (access->width <= 4U && at >= first && at + access->width <= end) {
            gic_priorities(priority, at, access);
        }
    } else if (access->width != 4U) {
        return;
    } else if (offset >= GICD_ICFGR && offset < GICD_IGRPMODR) {
        access->value = (offset - GICD_ICFGR) * 4U < end ? gic_trigger(offset) : 0U;
    } else if (offset < GICD_IPRIORITYR && row >= first && row < end) {
        gic_one_word(gic, &enabled[row / 32U], (uint32_t)offset, access);
    }
}

/* Where a shared interrupt goes: to a CPU of the guest, else it stays as it is. */
static void gic_router(struct bm_gic *gic, struct bm_gic_access *access)
{
    const uint64_t intid = (access->offset - GICD_IROUTER) / 8U;
    const bool low = access->offset % 8U == 0U;

    if (!gic_exists(intid) || intid < BM_GIC_SPI_BASE || access->width < 4U || !low) {
        return;
    }
    if (!access->write) {
        access->value = gic->route[intid];
    } else if (access->value < gic->cpu_count) {
        gic->route[intid] = (uint8_t)access->value;
    }
}

static void gic_distributor_word(struct bm_gic *gic, struct bm_gic_access *access)
{
    switch (access->offset) {
    case GICD_CTLR:
        if (access->write) {
            gic->on = (access->value & GICD_CTLR_GROUP1) != 0U;
        }
        access->value = (gic->on ? GICD_CTLR_GROUP1 : 0U) | GICD_CTLR_ARE | GICD_CTLR_DS;
        break;
    case GICD_TYPER:
        access->value = GICD_TYPER_VALUE;
        break;
    case GICD_IIDR:
        access->value = GIC_IIDR_VALUE;
        break;
    case GICD_PIDR2:
        access->value = GIC_PIDR2_VALUE;
        break;
    default:
        break;
    }
}

/* Forget the stored value of a load, refuse what is not aligned. */
static bool gic_usable(struct bm_gic_access *access)
{
    access->value = access->write ? access->value : 0U;
    return access->width != 0U && access->offset % access->width == 0U;
}

uint32_t bm_gic_distributor(struct bm_gic *gic, struct bm_gic_access *access)
{
    const uint64_t offset = access->offset;

    if (!gic_usable(access)) {
        return NO_CPU;
    }
    if (offset >= GICD_IGROUPR && offset < GICD_IGRPMODR) {
        gic_arrays(gic, gic->enabled, gic->priority, BM_GIC_SPI_BASE, BM_GIC_INTIDS, access);
    } else if (offset >= GICD_IROUTER && offset < GICD_IROUTER + BM_GIC_INTIDS * 8U) {
        gic_router(gic, access);
    } else if (access->width == 4U) {
        gic_distributor_word(gic, access);
    }
    return access->write ? gic_all_cpus(gic) : NO_CPU;
}

/* Identification, in the first frame. */
static void gic_redistributor_identity(const struct bm_gic *gic, uint32_t cpu, uint64_t offset,
                                       struct bm_gic_access *access)
{
    const uint64_t last = cpu + 1U == gic->cpu_count ? GICR_TYPER_LAST : 0U;
    const uint64_t type = (uint64_t)cpu << 32 | (uint64_t)cpu << 8 | last;

    if (offset == GICR_TYPER && access->width >= 4U) {
        access->value = access->width == 8U ? type : type & UINT32_MAX;
    } else if (offset == GICR_TYPER + 4U && access->width == 4U) {
        access->value = type >> 32;
    } else if (offset == GICR_IIDR && access->width == 4U) {
        access->value = GIC_IIDR_VALUE;
    } else if (offset == GICD_PIDR2 && access->width == 4U) {
        access->value = GIC_PIDR2_VALUE;
    }
}

uint32_t bm_gic_redistributor(struct bm_gic *gic, struct bm_gic_access *access)
{
    const uint64_t cpu = access->offset / BM_GIC_REDISTRIBUTOR_SIZE;
    const uint64_t offset = access->offset % BM_GIC_REDISTRIBUTOR_SIZE;
    struct bm_gic_access inner = *access;

    if (!gic_usable(&inner) || cpu >= gic->cpu_count) {
        access->value = 0U;
        return NO_CPU;
    }
    if (offset >= GICR_SGI_BASE) {
        struct bm_gic_cpu *own = &gic->cpus[cpu];

        inner.offset = offset - GICR_SGI_BASE;
        if (inner.offset >= GICD_IGROUPR && inner.offset < GICD_IGRPMODR) {
            gic_arrays(gic, &own->enabled, own->priority, 0U, BM_GIC_SPI_BASE, &inner);
        }
    } else if (!inner.write) {
        gic_redistributor_identity(gic, (uint32_t)cpu, offset, &inner);
    }
    access->value = inner.value;
    return access->write ? gic_all_cpus(gic) : NO_CPU;
}

uint32_t bm_gic_frame(struct bm_gic *gic, struct bm_gic_access *access)
{
    const bool word = access->width == 4U;

    if (access->write) {
        return bm_gic_message(gic, access->offset,
                              word ? (uint32_t)access->value : FRAME_NO_MESSAGE);
    }
    access->value = word && access->offset == FRAME_TYPER
                        ? BM_GIC_MESSAGES << FRAME_TYPER_BASE | BM_GIC_COUNT
                        : 0U;
    return NO_CPU;
}

/* ---- list registers ---- */

static bool gic_is_line(uint32_t intid)
{
    return intid - BM_GIC_LINES < BM_GIC_COUNT;
}

static bool gic_enabled(const struct bm_gic *gic, uint32_t cpu, uint32_t intid)
{
    const uint32_t word =
        intid < BM_GIC_SPI_BASE ? gic->cpus[cpu].enabled : gic->enabled[intid / 32U];

    return gic->on && ((word >> (intid % 32U)) & 1U) != 0U;
}

/* Put an interrupt back that the guest did not take. A line is looked at again anyway. */
static void gic_put_back(struct bm_gic *gic, uint32_t cpu, uint32_t intid)
{
    if (intid < BM_GIC_SPI_BASE) {
        gic->cpus[cpu].pending |= 1U << intid;
    } else if (!gic_is_line(intid)) {
        gic->edge |= 1U << (intid - BM_GIC_MESSAGES);
    }
}

/* Whether an interrupt that was not taken yet should no longer be seen. */
static bool gic_withdrawn(const struct bm_gic *gic, uint32_t cpu, uint32_t intid)
{
    const bool fell = gic_is_line(intid) && ((gic->level >> (intid - BM_GIC_LINES)) & 1U) == 0U;
    const bool moved = intid >= BM_GIC_SPI_BASE && gic->route[intid] != cpu;

    return fell || moved || !gic_enabled(gic, cpu, intid);
}

/* Empty the list registers of interrupts that ended, and of those that are withdrawn. */
static void gic_retire(struct bm_gic *gic, uint32_t cpu)
{
    uint64_t *lr = gic->cpus[cpu].lr;

    for (uint32_t i = 0; i < gic->lr_count; i++) {
        const uint32_t intid = LR_INTID(lr[i]);
        const uint64_t state = lr[i] & LR_STATE;
        const bool back = state == LR_PENDING && gic_withdrawn(gic, cpu, intid);

        if (lr[i] == 0U || (state != 0U && !back)) {
            continue;
        }
        if (back) {
            gic_put_back(gic, cpu, intid);
        }
        lr[i] = 0U;
        gic->held[intid] = 0U;
    }
}

/* The list register that holds `intid`, or one that is empty; NULL if there is none. */
static uint64_t *gic_find(struct bm_gic *gic, uint32_t cpu, uint32_t intid, bool empty)
{
    uint64_t *lr = gic->cpus[cpu].lr;

    for (uint32_t i = 0; i < gic->lr_count; i++) {
        if (empty ? lr[i] == 0U : lr[i] != 0U && LR_INTID(lr[i]) == intid) {
            return &lr[i];
        }
    }
    return NULL;
}

static uint8_t gic_priority(const struct bm_gic *gic, uint32_t cpu, uint32_t intid)
{
    return intid < BM_GIC_SPI_BASE ? gic->cpus[cpu].priority[intid] : gic->priority[intid];
}

/* Give `intid` to `cpu`. @return false if it has to stay: disabled, routed elsewhere, without a free
 * list register, or still in one. An edge goes on top of one in service, so that the guest takes it
 * again; a level is looked at when the guest is done (LR_EOI), the timer cannot come twice. */
static bool gic_put(struct bm_gic *gic, uint32_t cpu, uint32_t intid, uint64_t kind, bool *full)
{
    const bool shared = intid >= BM_GIC_SPI_BASE;

    if (!gic_enabled(gic, cpu, intid) || (shared && gic->route[intid] != cpu) ||
        (shared && gic->held[intid] != 0U && gic->held[intid] != cpu + 1U)) {
        return false;
    }
    uint64_t *lr = gic_find(gic, cpu, intid, false);

    if (lr != NULL) {
        *lr |= kind == LR_EDGE ? LR_PENDING : 0U;
        return kind == LR_EDGE;
    }
    lr = gic_find(gic, cpu, 0U, true);
    if (lr == NULL) {
        *full = true;
        return false;
    }
    *lr = LR_PENDING | LR_GROUP1 | LR_PRIORITY(gic_priority(gic, cpu, intid)) | kind | intid |
          (kind == LR_HW ? LR_PHYSICAL(intid) : 0U);
    gic->held[intid] = shared ? (uint8_t)(cpu + 1U) : 0U;
    return true;
}

/* Give `first + n` for every bit n of `set`. @return The bits that stay. */
static uint32_t gic_put_set(struct bm_gic *gic, uint32_t cpu, uint32_t set, uint32_t first,
                            uint64_t kind, bool *full)
{
    uint32_t left = 0;

    for (uint32_t n = 0; n < 32U && set >> n != 0U; n++) {
        if (((set >> n) & 1U) != 0U && !gic_put(gic, cpu, first + n, kind, full)) {
            left |= 1U << n;
        }
    }
    return left;
}

bool bm_gic_fill(struct bm_gic *gic, uint32_t cpu)
{
    struct bm_gic_cpu *own = &gic->cpus[cpu];
    bool full = false;

    gic_retire(gic, cpu);
    const uint32_t software = own->pending & ALL_SOFTWARE;

    own->pending = gic_put_set(gic, cpu, own->pending & ~ALL_SOFTWARE, 0U, LR_HW, &full);
    own->pending |= gic_put_set(gic, cpu, software, 0U, LR_EDGE, &full);
    gic->edge = gic_put_set(gic, cpu, gic->edge, BM_GIC_MESSAGES, LR_EDGE, &full);
    (void)gic_put_set(gic, cpu, gic->level, BM_GIC_LINES, LR_EOI, &full);
    gic->counters.waited += full ? 1U : 0U;
    return full;
}
