/* SPDX-License-Identifier: BSD-3-Clause */
/* Register offsets of the GICv3 distributor and redistributor. */
#ifndef HYP_GIC_REGS_H
#define HYP_GIC_REGS_H

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
#define GICD_ICACTIVER  0x0380U
#define GICD_IPRIORITYR 0x0400U
#define GICD_ITARGETSR  0x0800U
#define GICD_ICFGR      0x0c00U
#define GICD_IGRPMODR   0x0d00U
#define GICD_IROUTER    0x6000U
#define GICD_PIDR2      0xffe8U
#define GICD_SIZE       0x10000U

#define GICD_CTLR_GROUP1 (1U << 1)
#define GICD_CTLR_ARE    (1U << 4)
#define GICD_CTLR_DS     (1U << 6)
#define GICD_TYPER_MBIS  (1U << 16)
#define GICD_TYPER_LPIS  (1U << 17)

/* Redistributor, first frame. */
#define GICR_CTLR     0x0000U
#define GICR_IIDR     0x0004U
#define GICR_TYPER    0x0008U
#define GICR_WAKER    0x0014U
#define GICR_SGI_BASE 0x10000U
#define GICR_SIZE     0x20000U

#define GICR_WAKER_SLEEP    (1U << 1)
#define GICR_WAKER_CHILDREN (1U << 2)
#define GICR_TYPER_LPI_BITS 0xbULL /* PLPIS, VLPIS, DirectLPI */
#define GICR_TYPER_LAST     (1ULL << 4)

#endif
