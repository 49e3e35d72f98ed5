/* SPDX-License-Identifier: BSD-3-Clause */
/** @file platform_tree.h
 *  The device tree that a guest of a platform boots with, on AArch64: memory, CPUs, PSCI, timer,
 *  GIC, and the guest's devices as the platform file has them.
 *
 *  Memory: the tree is in the caller's buffer. Threads: any, one per tree. Guest: reads the tree;
 *  none of it is read back.
 *
 *  Freestanding; needs libfdt. The file says what the guest gets, your machine where it is: that is
 *  struct avps_platform_machine. A device is found by its `unit`: windows at `mmio` + unit *
 *  `mmio_stride` with SPI `mmio_spi` + unit; PCI devices at number `pci_first` + unit, pin INTA, with
 *  SPI `pci_spi` + unit.
 */
#ifndef AVPS_COMMON_PLATFORM_TREE_H
#define AVPS_COMMON_PLATFORM_TREE_H

#include "avps_common/platform.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Phandle of the interrupt controller in trees of avps_platform_write_tree(). */
#define AVPS_PLATFORM_GIC_PHANDLE 1U

/** A range of guest addresses. */
struct avps_platform_range {
    uint64_t base; /**< First address. */
    uint64_t size; /**< Bytes. */
};

/** What takes the messages of PCI functions. */
enum avps_platform_msi {
    AVPS_PLATFORM_NO_MSI, /**< Nothing: functions use their interrupt pins. */
    AVPS_PLATFORM_V2M,    /**< A GICv2m frame. */
    AVPS_PLATFORM_ITS     /**< A GICv3 interrupt translation service. */
};

/** What a port's machine looks like to a guest. */
struct avps_platform_machine {
    uint64_t ram;                              /**< First address of the guest's memory. */
    struct avps_platform_range distributor;    /**< GICD. */
    struct avps_platform_range redistributors; /**< GICR, or the CPU interface of a GICv2. */
    struct avps_platform_range messages;       /**< Frame or ITS. */
    uint64_t mmio;                             /**< Window of unit 0. */
    uint64_t mmio_stride;                  /**< From one window to the next; 0: as long as one. */
    uint64_t ecam;                         /**< Configuration space of the PCI bus. */
    struct avps_platform_range pci_memory; /**< For BARs, below 4 GiB. */
    struct avps_platform_range pci_wide;   /**< 64-bit prefetchable; size 0: none. */
    enum avps_platform_msi msi;            /**< Where `messages` are taken. */
    uint32_t mmio_spi;                     /**< SPI of unit 0, from 0 (interrupt ID less 32). */
    uint32_t
        mmio_skip; /**< The first so many windows are described by somebody else, a toolstack. */
    uint32_t pci_first;   /**< Device number of unit 0. */
    uint32_t pci_spi;     /**< SPI of its pin. */
    uint32_t xen_backend; /**< Domain that memory is granted to. */
    uint16_t pci_buses;   /**< Buses in `ecam`; 0: 1. */
    bool gic_v2;          /**< GICv2, else GICv3. */
    bool psci_smc;        /**< PSCI calls by SMC, else by HVC. */
    bool mmio_edge;       /**< Windows' SPIs rise for each event, else they are levels. */
    bool no_coherent_dma; /**< Devices need cache maintenance: see the cache hooks in mem.h. */
    bool xen_grants;      /**< Drivers of windows share memory by grants; the devices need
                               access_platform. */
};

/** What a boot of a guest adds. */
struct avps_platform_boot {
    const char *model;                 /**< Of the tree; NULL: "libavps platform". */
    const char *bootargs;              /**< Behind the guest's own; may be NULL. */
    struct avps_platform_range initrd; /**< Guest addresses; size 0: none. */
    /** Adds nodes of your machine's own below the root, with libfdt's sequential calls. May be NULL.
     *  @return 0, or a libfdt error. */
    int (*more)(void *ctx, void *fdt);
    void *ctx; /**< Handed to it. */
};

/** Write a guest's tree. With a dma_window_mib, that many MiB at the end of memory are a
 *  restricted-dma-pool: keep kernel, initramfs and tree out of it.
 *  @param[in]  guest    Of a parsed platform. @param[in] machine  Yours. @param[in] boot  This time.
 *  @param[out] buffer   Aligned to 8 bytes. @param size  Bytes there; 16 KiB are enough.
 *  @param[out] used     Bytes of the tree.
 *  @return AVPS_OK; AVPS_E_NOSPACE; AVPS_E_PARAM: an address does not fit. */
AVPS_NODISCARD enum avps_status avps_platform_write_tree(
    const struct avps_platform_guest *guest, const struct avps_platform_machine *machine,
    const struct avps_platform_boot *boot, void *buffer, size_t size, size_t *used);

/** References of device nodes to others. 0: none. */
struct avps_platform_phandles {
    uint32_t gic;           /**< Interrupt controller, of 3 interrupt cells. */
    uint32_t gic_cells;     /**< Its `address-cells`, for the interrupt map of a PCI host. */
    uint32_t msi;           /**< What takes messages. */
    uint32_t memory_region; /**< restricted-dma-pool. */
    uint32_t xen_grants;    /**< "xen,grant-dma" node of one cell. */
};

/** Write only the guest's devices, for trees that a toolstack makes: inside an open node with 2
 *  address and 2 size cells whose interrupt parent is the GIC.
 *  @param[in,out] fdt  Between fdt_begin_node and fdt_end_node of the parent.
 *  @return AVPS_OK; AVPS_E_NOSPACE; AVPS_E_PARAM: an address does not fit. */
AVPS_NODISCARD enum avps_status
avps_platform_write_devices(void *fdt, const struct avps_platform_guest *guest,
                            const struct avps_platform_machine *machine,
                            const struct avps_platform_phandles *phandles);

/** The first address behind the memory that a boot may use: its end, or the start of the
 *  restricted-dma-pool. */
uint64_t avps_platform_ram_end(const struct avps_platform_guest *guest,
                               const struct avps_platform_machine *machine);

#ifdef __cplusplus
}
#endif
#endif
