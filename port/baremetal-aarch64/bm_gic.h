/* SPDX-License-Identifier: BSD-3-Clause */
/* A GICv3 for one guest: its distributor, a redistributor per virtual CPU, and what belongs into each
 * CPU's list registers. All state is here, nothing of it in the physical GIC, so that guests share
 * nothing and this runs on any host. Order: numbers, state, set-up, raising, registers, delivery.
 *
 * Memory: the caller's. Threads: one lock of yours around all calls for one guest. A call that returns
 * a set of virtual CPUs (bit n: CPU n) asks you to have these call bm_gic_fill soon: interrupt the
 * physical CPU that runs them. Guest: may access any register with any width and value. */
#ifndef BM_GIC_H
#define BM_GIC_H

#include <stdbool.h>
#include <stdint.h>

/* Virtual CPUs of one guest. */
#ifndef BM_CPUS
#define BM_CPUS 4U
#endif

#define BM_GIC_SPI_BASE 32U  /* below: 16 software and 16 private interrupts per CPU */
#define BM_GIC_INTIDS   128U /* of the guest */
#define BM_GIC_WORDS    (BM_GIC_INTIDS / 32U)

/* Wired interrupts, levels; and message interrupts, edges. The other shared ones do not exist. */
#define BM_GIC_LINES    48U
#define BM_GIC_MESSAGES 96U
#define BM_GIC_COUNT    32U /* of each */

/* Private interrupt of the virtual timer: the physical one, which the guest ends itself. */
#define BM_GIC_TIMER 27U

#define BM_GIC_LRS 16U

/* Sizes of the register windows. */
#define BM_GIC_DISTRIBUTOR_SIZE   0x10000U
#define BM_GIC_REDISTRIBUTOR_SIZE 0x20000U /* per CPU, one after the other */
#define BM_GIC_FRAME_SIZE         0x1000U

/* One virtual CPU's part. */
struct bm_gic_cpu {
    uint32_t enabled; /* private interrupts */
    uint32_t pending; /* of these, those that wait for a list register */
    uint8_t priority[BM_GIC_SPI_BASE];
    uint64_t lr[BM_GIC_LRS]; /* as the physical CPU has them, or is to get them */
};

struct bm_gic_counters {
    uint64_t waited;        /* times that an interrupt found no free list register */
    uint64_t messages;      /* taken */
    uint64_t messages_lost; /* to another place than the frame's register, or with another number */
};

struct bm_gic {
    uint32_t cpu_count;
    uint32_t lr_count;
    bool on; /* the guest switched the distributor on */
    uint32_t enabled[BM_GIC_WORDS];
    uint32_t level; /* lines that are high */
    uint32_t edge;  /* messages that wait */
    uint8_t priority[BM_GIC_INTIDS];
    uint8_t route[BM_GIC_INTIDS]; /* CPU that a shared interrupt goes to */
    uint8_t held[BM_GIC_INTIDS];  /* CPU that has it in a list register, plus 1; 0: none */
    struct bm_gic_cpu cpus[BM_CPUS];
    struct bm_gic_counters counters;
};

/* As after power-on, with no line high; counters run on from what they are, at first 0. `cpu_count`
 * 1..BM_CPUS, `lr_count` 2..BM_GIC_LRS. */
void bm_gic_reset(struct bm_gic *gic, uint32_t cpu_count, uint32_t lr_count);

/* Level of wired interrupt `line`, 0..BM_GIC_COUNT-1. @return CPUs that should look. */
uint32_t bm_gic_set_level(struct bm_gic *gic, uint32_t line, bool high);

/* A device of the guest stores the message `data` at `offset` of the message frame. Both were chosen by the
 * guest: all that they can do is to make one of its own messages pending. @return CPUs that should look. */
uint32_t bm_gic_message(struct bm_gic *gic, uint64_t offset, uint32_t data);

/* CPU `from` wrote `value` to ICC_SGI1R_EL1. @return CPUs that should look. */
uint32_t bm_gic_software(struct bm_gic *gic, uint32_t from, uint64_t value);

/* The physical timer interrupt of `cpu` is there, and stays active until the guest ends it. */
void bm_gic_timer(struct bm_gic *gic, uint32_t cpu);

/* A guest's access to a register window, at `offset`; any width, value and place. */
struct bm_gic_access {
    uint64_t offset;
    uint32_t width; /* bytes */
    bool write;
    uint64_t value; /* stored, or loaded on return */
};

/* @return CPUs that should look: after a store, all of them. */
uint32_t bm_gic_distributor(struct bm_gic *gic, struct bm_gic_access *access);
uint32_t bm_gic_redistributor(struct bm_gic *gic, struct bm_gic_access *access);

/* The message frame: a GICv2m, which a GICv3 without LPIs may have beside it; Linux looks for it there since
 * 5.7. */
uint32_t bm_gic_frame(struct bm_gic *gic, struct bm_gic_access *access);

/* Take back what the guest ended, fill lr[] of `cpu`: before each return to the guest, with lr[] as the
 * physical list registers are. @return true: more waits, have a maintenance interrupt when they run
 * empty. */
bool bm_gic_fill(struct bm_gic *gic, uint32_t cpu);

#endif
