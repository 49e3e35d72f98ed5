/* SPDX-License-Identifier: BSD-3-Clause */
/* The devices of a board behind virtio-pci: one function each on bus 0, with MSI-X if the hook
 * `message` is there, and an interrupt pin. bm_pci_attach and bm_pci_trap take the places of bm_attach
 * and bm_trap, for all devices of the board; the rest is as bm_port.h says. */
#ifndef BM_PCI_H
#define BM_PCI_H

#include "avps/ecam.h"
#include "avps/pci.h"
#include "bm_port.h"

/* MSI-X vectors of a function: the configuration's and one a queue, for devices with up to 7. */
#ifndef BM_PCI_VECTORS
#define BM_PCI_VECTORS 8U
#endif

/* Guest addresses to trap: AVPS_ECAM_SIZE(1) bytes from `ecam` on, and the memory window in which the
 * guest places BARs. */
struct bm_pci_map {
    uint64_t ecam;
    uint64_t memory;
    uint64_t memory_size;
};

struct bm_pci_function {
    struct avps_pci pci;
    struct avps_pci_vector vectors[BM_PCI_VECTORS];
};

/* Slot n is device number n. */
struct bm_pci {
    struct bm_board *board;
    struct bm_pci_map map;
    struct avps_ecam host;
    struct avps_ecam_slot places[BM_DEVICES];
    struct bm_pci_function functions[BM_DEVICES];
};

/* Set up an empty bus; the board is borrowed. @return AVPS_OK; what avps_ecam_init returns. */
AVPS_NODISCARD enum avps_status bm_pci_init(struct bm_pci *bus, struct bm_board *board,
                                            struct bm_pci_map map);

/* Put an initialised device into the next slot.
 * @return AVPS_OK; AVPS_E_NOSPACE; what avps_pci_init returns. */
AVPS_NODISCARD enum avps_status bm_pci_attach(struct bm_pci *bus, struct avps_device *device);

/* A guest access at `ipa`. @return false outside of the two windows: not ours. */
bool bm_pci_trap(struct bm_pci *bus, uint64_t ipa, const struct bm_access *access, uint64_t x[31]);

/* As bm_reset, and power-on values for the configuration spaces. */
bool bm_pci_reset(struct bm_pci *bus);

#endif
