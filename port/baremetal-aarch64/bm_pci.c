/* SPDX-License-Identifier: BSD-3-Clause */
/* Virtio-pci for a board: set-up, then the two windows. */
#include "bm_pci.h"

_Static_assert(BM_DEVICES <= 32U, "one bus has places for 32 devices");

enum avps_status bm_pci_init(struct bm_pci *bus, struct bm_board *board, struct bm_pci_map map)
{
    const struct avps_ecam_config config = {
        .slots = bus->places, .slot_count = BM_DEVICES, .bus_count = 1U};

    bus->board = board;
    bus->map = map;
    for (uint32_t i = 0; i < BM_DEVICES; i++) {
        bus->places[i] = (struct avps_ecam_slot){.device = (uint8_t)i};
    }
    return avps_ecam_init(&bus->host, &config);
}

enum avps_status bm_pci_attach(struct bm_pci *bus, struct avps_device *device)
{
    struct bm_board *board = bus->board;

    if (board->count == BM_DEVICES) {
        return AVPS_E_NOSPACE;
    }
    struct bm_pci_function *function = &bus->functions[board->count];
    const bool messages = board->hooks->message != NULL;
    const struct avps_pci_config config = {.device = device,
                                           .irq = &bm_irq_ops,
                                           .irq_ctx = board,
                                           .irq_line = board->count,
                                           .pin = 1U,
                                           .vectors = messages ? function->vectors : NULL,
                                           .vector_count = messages ? BM_PCI_VECTORS : 0U};
    const enum avps_status status = avps_pci_init(&function->pci, &config);

    if (status == AVPS_OK) {
        bus->places[board->count].pci = &function->pci;
        bm_seat(board, device);
    }
    return status;
}

static void bm_pci_configuration(struct bm_pci *bus, uint64_t offset,
                                 const struct bm_access *access, uint64_t x[31])
{
    if (access->write) {
        avps_ecam_write(&bus->host, offset, access->width, bm_stored(access, x));
    } else {
        bm_loaded(access, x, avps_ecam_read(&bus->host, offset, access->width));
    }
}

/* Where no BAR decodes, a load gives all ones and a store is lost, as on a bus. */
static void bm_pci_memory(struct bm_pci *bus, uint64_t address, const struct bm_access *access,
                          uint64_t x[31])
{
    uint64_t value = 0;

    if (access->write) {
        (void)avps_ecam_mem_write(&bus->host, address, access->width, bm_stored(access, x));
    } else {
        (void)avps_ecam_mem_read(&bus->host, address, access->width, &value);
        bm_loaded(access, x, value);
    }
}

bool bm_pci_trap(struct bm_pci *bus, uint64_t ipa, const struct bm_access *access, uint64_t x[31])
{
    if (ipa - bus->map.ecam < AVPS_ECAM_SIZE(1)) {
        bm_pci_configuration(bus, ipa - bus->map.ecam, access, x);
    } else if (ipa - bus->map.memory < bus->map.memory_size) {
        bm_pci_memory(bus, ipa, access, x);
    } else {
        return false;
    }
    return true;
}
