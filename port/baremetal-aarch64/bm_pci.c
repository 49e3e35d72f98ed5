/* SPDX-License-Identifier: BSD-3-Clause */
/* Virtio-pci for a board: set-up, then the two windows. */
#include "bm_pci.h"

#include <stddef.h>

#define BM_PCI_DEVICE 0x8000U /* bytes of configuration space from one device to the next */

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

/* The guard of the function that an access is for: by its number, or by where its BAR is. NULL: none. */
static const struct bm_guard *bm_pci_guard(const struct bm_pci *bus, uint64_t ipa)
{
    const struct bm_board *board = bus->board;
    const bool configuration = ipa - bus->map.ecam < AVPS_ECAM_SIZE(1);

    for (uint32_t i = 0; i < board->count; i++) {
        const struct avps_pci_range bar = avps_pci_bar(&bus->functions[i].pci, AVPS_PCI_BAR);
        const bool number = (ipa - bus->map.ecam) / BM_PCI_DEVICE == i;

        if (configuration ? number : ipa - bar.address < bar.size) {
            return board->slots[i].guard;
        }
    }
    return NULL;
}

/* @return false outside of the two windows. */
static bool bm_pci_access(struct bm_pci *bus, uint64_t ipa, const struct bm_access *access,
                          uint64_t x[31])
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

static void bm_pci_enter(const struct bm_guard *guard)
{
    if (guard != NULL) {
        guard->enter();
    }
}

static void bm_pci_leave(const struct bm_guard *guard)
{
    if (guard != NULL) {
        guard->leave();
    }
}

bool bm_pci_trap(struct bm_pci *bus, uint64_t ipa, const struct bm_access *access, uint64_t x[31])
{
    const struct bm_guard *guard = bm_pci_guard(bus, ipa);

    bm_pci_enter(guard);
    const bool ours = bm_pci_access(bus, ipa, access, x);

    bm_pci_leave(guard);
    return ours;
}

bool bm_pci_reset(struct bm_pci *bus)
{
    for (uint32_t i = 0; i < bus->board->count; i++) {
        const struct bm_guard *guard = bus->board->slots[i].guard;

        bm_pci_enter(guard);
        (void)avps_pci_reset(&bus->functions[i].pci); /* whether it is over is asked below */
        bm_pci_leave(guard);
    }
    return bm_reset(bus->board);
}
