/* SPDX-License-Identifier: BSD-3-Clause */
/** @file fdt.h
 *  Device-tree nodes by which a guest finds its devices: a node for each virtio-mmio window, or one
 *  for a PCI host; needs libfdt (AVPS_WITH_LIBFDT).
 *
 *  Memory: the tree is in the caller's buffer. Threads: any, one per tree. Guest: reads the tree;
 *  none of it is read back here.
 */
#ifndef AVPS_FDT_H
#define AVPS_FDT_H

#include <stdbool.h>
#include <stdint.h>

#include "avps/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Most cells of `interrupts` and of `iommus`. */
#define AVPS_FDT_CELLS_MAX 8U

/** One register window, as the guest is to see it. */
struct avps_fdt_mmio {
    uint64_t base;              /**< Guest address of the window. */
    uint64_t size;              /**< Bytes; 0: AVPS_MMIO_SIZE. */
    const uint32_t *interrupts; /**< Required: cells in the interrupt parent's format. */
    uint32_t interrupt_cells;   /**< How many, 1..AVPS_FDT_CELLS_MAX. */
    uint32_t interrupt_parent;  /**< Phandle; 0: as inherited from the parent node. */
    bool dma_coherent;          /**< The device's accesses are coherent with the guest's caches:
                                       true unless guest memory has cache hooks. */
    bool wakeup_source;         /**< Its interrupt may wake a suspended guest. */
    const uint32_t *iommus;     /**< Phandle and specifier cells, or NULL. Goes with the device's
                                       ACCESS_PLATFORM. */
    uint32_t iommu_cells;       /**< How many, 1..AVPS_FDT_CELLS_MAX; 0 with NULL. */
    uint32_t memory_region;     /**< Phandle of a `restricted-dma-pool` that the driver is to bounce
                                       through; 0: none. Goes with ACCESS_PLATFORM. */
};

/** Add a node `virtio_mmio@<base>` to a read-write tree.
 *  @param[in,out] fdt     A tree with room, from fdt_open_into or fdt_create_empty_tree.
 *  @param         parent  Offset of the parent; its `#address-cells` and `#size-cells` are heeded.
 *  @param[in]     desc    What to write.
 *  @return AVPS_OK; AVPS_E_PARAM also if an address does not fit the parent's cells or the tree is
 *  malformed; AVPS_E_STATE if there is a node of this name; AVPS_E_NOSPACE if the buffer is full.
 *  Not OK: the tree is as before. Offsets of other nodes change, as with every libfdt write. */
AVPS_NODISCARD enum avps_status avps_fdt_add_mmio(void *fdt, int parent,
                                                  const struct avps_fdt_mmio *desc);

/** The same with libfdt's sequential calls, inside the open parent node.
 *  @param[in,out] fdt            A tree between fdt_begin_node and fdt_end_node of the parent.
 *  @param         address_cells  What the parent's `#address-cells` says, 1 or 2.
 *  @param         size_cells     What its `#size-cells` says, 1 or 2.
 *  @param[in]     desc           What to write.
 *  @return AVPS_OK; AVPS_E_PARAM; AVPS_E_NOSPACE: the tree is unfinished then. */
AVPS_NODISCARD enum avps_status avps_fdt_write_mmio(void *fdt, int address_cells, int size_cells,
                                                    const struct avps_fdt_mmio *desc);

/** A bounce window (avps_mem_init_window()) as the guest is to see it: the only memory in which its
 *  devices' rings and buffers may lie. It is a part of the guest's RAM, of which the `/memory` nodes
 *  tell; Linux 5.15 and later (CONFIG_DMA_RESTRICTED_POOL) allocates rings in it and copies through it. */
struct avps_fdt_window {
    uint64_t gpa;     /**< First guest address. */
    uint64_t size;    /**< Bytes, not 0. Rings and all buffers in flight have to fit: some MiB. */
    uint32_t phandle; /**< For `memory_region` of the devices; yours to choose, unique in the tree,
                           1..0xfffffffe. */
};

/** Add a node `restricted-dma-pool@<gpa>` to `/reserved-memory` of a read-write tree, which is made, with
 *  the cells of the root, if there is none.
 *  @param[in,out] fdt   As for avps_fdt_add_mmio(). @param[in] desc  What to write.
 *  @return As avps_fdt_add_mmio(). */
AVPS_NODISCARD enum avps_status avps_fdt_add_window(void *fdt, const struct avps_fdt_window *desc);

/** The same with libfdt's sequential calls, inside the open node `reserved-memory`, which is yours: it has
 *  the root's `#address-cells` and `#size-cells`, and an empty `ranges`.
 *  @param[in,out] fdt            As for avps_fdt_write_mmio().
 *  @param         address_cells  Likewise. @param size_cells  Likewise.
 *  @param[in]     desc           What to write.
 *  @return As avps_fdt_write_mmio(). */
AVPS_NODISCARD enum avps_status avps_fdt_write_window(void *fdt, int address_cells, int size_cells,
                                                      const struct avps_fdt_window *desc);

/** Most windows of a PCI host. */
#define AVPS_FDT_WINDOWS_MAX 3U

/** Most interrupt pins of a PCI host: one for each device of a bus. */
#define AVPS_FDT_PINS_MAX 32U

/** Most interrupt cells of a pin. */
#define AVPS_FDT_PIN_CELLS_MAX 4U

/** A memory window of a PCI host, in which the guest places BARs. */
struct avps_fdt_pci_window {
    uint64_t base;        /**< Guest address. */
    uint64_t pci_address; /**< What a BAR holds there; usually the same. */
    uint64_t size;        /**< Bytes, not 0. */
    bool wide;         /**< 64-bit memory space; else all of it is below 4 GiB of PCI addresses. */
    bool prefetchable; /**< For prefetchable BARs only. */
};

/** Where a pin of a device on the first bus is wired to. */
struct avps_fdt_pci_pin {
    uint8_t device;                             /**< 0..31. */
    uint8_t pin;                                /**< 1..4: INTA..INTD. */
    uint32_t interrupt[AVPS_FDT_PIN_CELLS_MAX]; /**< In the interrupt controller's format. */
};

/** A host with an ECAM window (ecam.h), as the guest is to see it. */
struct avps_fdt_pci {
    uint64_t ecam;                             /**< Guest address of the ECAM window. */
    uint16_t bus_count;                        /**< Buses in it, 1..256. */
    const struct avps_fdt_pci_window *windows; /**< Required; not all of them prefetchable. */
    uint32_t window_count;                     /**< 1..AVPS_FDT_WINDOWS_MAX. */
    const struct avps_fdt_pci_pin *pins;       /**< NULL: no INTx. */
    uint32_t pin_count;                        /**< 1..AVPS_FDT_PINS_MAX; 0 with NULL. */
    uint32_t interrupt_controller;             /**< Its phandle; needed with pins. */
    uint32_t controller_address_cells;         /**< Its `#address-cells`, 0..2; 0 if it has none. */
    uint32_t interrupt_cells; /**< Its `#interrupt-cells`, 1..AVPS_FDT_PIN_CELLS_MAX;
                                                    unused without pins. */
    uint32_t msi_controller;  /**< Phandle of what takes the messages of all
                                                    functions, by their requester ID if it tells
                                                    them apart; 0: none, no MSI-X. */
    uint32_t iommu; /**< Phandle of the IOMMU of all functions, by requester ID; 0: none. Goes
                            with ACCESS_PLATFORM. */
    uint32_t memory_region; /**< As for avps_fdt_mmio, for all functions. */
    bool dma_coherent;      /**< As for avps_fdt_mmio. */
};

/** Add a node `pcie@<ecam>`, "pci-host-ecam-generic", to a read-write tree.
 *  @param[in,out] fdt     As for avps_fdt_add_mmio(). @param parent  Likewise.
 *  @param[in]     desc    What to write.
 *  @return As avps_fdt_add_mmio(). */
AVPS_NODISCARD enum avps_status avps_fdt_add_pci(void *fdt, int parent,
                                                 const struct avps_fdt_pci *desc);

/** The same with libfdt's sequential calls.
 *  @param[in,out] fdt            As for avps_fdt_write_mmio().
 *  @param         address_cells  Likewise. @param size_cells  Likewise.
 *  @param[in]     desc           What to write.
 *  @return As avps_fdt_write_mmio(). */
AVPS_NODISCARD enum avps_status avps_fdt_write_pci(void *fdt, int address_cells, int size_cells,
                                                   const struct avps_fdt_pci *desc);

/** Add a node `iommu`, "xen,grant-dma", to a read-write tree: what the devices of a Xen guest name as
 *  their IOMMU whose memory is reached by grants. Such a device has `iommus` of two cells: this phandle
 *  and the domain whose program serves it; and ACCESS_PLATFORM. One node serves all devices of a guest.
 *  @param[in,out] fdt      As for avps_fdt_add_mmio(). @param parent  Likewise.
 *  @param         phandle  Of the node: unique in the tree, 1..0xfffffffe.
 *  @return As avps_fdt_add_mmio(). */
AVPS_NODISCARD enum avps_status avps_fdt_add_xen_grants(void *fdt, int parent, uint32_t phandle);

/** The same with libfdt's sequential calls.
 *  @param[in,out] fdt  As for avps_fdt_write_mmio(). @param phandle  As above.
 *  @return As avps_fdt_write_mmio(). */
AVPS_NODISCARD enum avps_status avps_fdt_write_xen_grants(void *fdt, uint32_t phandle);

#ifdef __cplusplus
}
#endif
#endif
