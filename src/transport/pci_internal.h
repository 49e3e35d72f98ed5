/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside of the PCI transport, from the bus down to the device:
 *   pci_config.c  configuration space: header, capabilities, BARs, PCI_CFG access, function reset
 *   pci.c         the BAR: which structure an access hits; ISR, doorbells; init, save, load
 *   pci_common.c  common configuration: features, status, queues
 *   pci_msix.c    MSI-X table, pending bits, sending
 * None of them calls one above it, but that pci.c is called for a PCI_CFG access. */
#ifndef AVPS_PCI_INTERNAL_H
#define AVPS_PCI_INTERNAL_H

#include "avps/pci.h"
#include "transport/transport_internal.h"

#define VIRTIO_PCI_VENDOR         0x1af4U /* [pci-2.1] */
#define VIRTIO_PCI_DEVICE_BASE    0x1040U
#define VIRTIO_PCI_ISR_QUEUE      1U
#define VIRTIO_PCI_ISR_CONFIG     2U
#define VIRTIO_PCI_COMMON_SIZE    64U
#define VIRTIO_PCI_NOTIFY_SPACING 4U /* notify_off_multiplier [pci-6.3] [pci-6.6] */

/* Places of the structures in the BAR: fixed ones; pending bits and doorbells follow the table. The
 * table and the pending bits have pages of their own, as PCI recommends. */
#define PCI_COMMON_AT 0x000U /* [pci-5.1] */
#define PCI_ISR_AT    0x100U
#define PCI_DEVICE_AT 0x200U /* [pci-8.1] */
#define PCI_TABLE_AT  0x1000U
#define PCI_PAGE      0x1000U

#define PCI_VECTOR_SIZE 16U

/* ---- structures in the BAR ---- */

enum pci_part {
    PCI_PART_NONE,
    PCI_PART_COMMON,
    PCI_PART_ISR,
    PCI_PART_DEVICE,
    PCI_PART_NOTIFY,
    PCI_PART_TABLE,
    PCI_PART_PENDING
};

/* Where a part is: [at, at + length). */
struct pci_extent {
    uint32_t at;
    uint32_t length;
};

/* Extent of a part; length 0 for one that is not there. */
struct pci_extent avps_pci_extent(const struct avps_pci *pci, enum pci_part part);

/* Which virtio structure holds all `width` bytes at `offset`; the MSI-X structures are none. */
bool avps_pci_hits_structure(const struct avps_pci *pci, uint64_t offset, uint32_t width);

/* Level of INTx as it is to be now. */
void avps_pci_update_line(struct avps_pci *pci);

/* ---- configuration space ---- */

/* Build header and capabilities; AVPS_E_NOSPACE if they need more than 256 bytes. */
enum avps_status avps_pci_space_init(struct avps_pci *pci, const struct avps_pci_config *config);
/* As at power-on. */
void avps_pci_space_reset(struct avps_pci *pci);
/* Bring what follows from configuration space up to date: MSI-X, chains, INTx, BARs. `before`: what
 * the embedder knows of the BARs, or NULL to tell it anew. */
struct pci_bars {
    struct avps_pci_range structures;
    struct avps_pci_range shm;
};
struct pci_bars avps_pci_bars(const struct avps_pci *pci);
void avps_pci_settle(struct avps_pci *pci, const struct pci_bars *before);
/* Save and load the bits that a driver may write; all others must be as they are here. */
void avps_pci_space_save(const struct avps_pci *pci, struct avps_state *state);
void avps_pci_space_load(struct avps_pci *pci, struct avps_state *state);

/* ---- common configuration ---- */

uint32_t avps_pci_common_read(struct avps_pci *pci, uint32_t offset, uint32_t width);
void avps_pci_common_write(struct avps_pci *pci, uint32_t offset, uint32_t width, uint32_t value);

/* The vector that an event is mapped to when the driver asks for `vector`. */
uint16_t avps_pci_map_vector(const struct avps_pci *pci, uint32_t vector);

/* ---- MSI-X ---- */

/* Bits of avps_pci.msix. */
#define PCI_MSIX_ON   1U /* enabled: INTx is not used */
#define PCI_MSIX_OPEN 2U /* and neither the function mask nor the bus keeps messages back */

static inline bool avps_pci_msix_is_on(const struct avps_pci *pci)
{
    return (atomic_load(&pci->msix) & PCI_MSIX_ON) != 0U;
}

/* All entries masked and empty, nothing pending. */
void avps_pci_msix_reset(struct avps_pci *pci);
/* Forget messages that wait. */
void avps_pci_msix_forget(struct avps_pci *pci);
/* The function-wide state became `state`; told and delivered where that changes something. */
void avps_pci_msix_set(struct avps_pci *pci, unsigned int state);
/* An event mapped to `vector` happened; any CPU. AVPS_NO_VECTOR: nobody wants to know. */
void avps_pci_msix_raise(struct avps_pci *pci, uint32_t vector);
uint64_t avps_pci_table_read(struct avps_pci *pci, uint32_t offset, uint32_t width);
void avps_pci_table_write(struct avps_pci *pci, uint32_t offset, uint32_t width, uint64_t value);
uint64_t avps_pci_pending_read(struct avps_pci *pci, uint32_t offset, uint32_t width);
void avps_pci_msix_save(const struct avps_pci *pci, struct avps_state *state);
void avps_pci_msix_load(struct avps_pci *pci, struct avps_state *state);
/* Whether a message waits. */
bool avps_pci_msix_has_pending(const struct avps_pci *pci);

#endif
