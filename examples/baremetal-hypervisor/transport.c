/* SPDX-License-Identifier: BSD-3-Clause */
/* One section for each transport, then the choice. */
#include "transport.h"

#include <stddef.h>

#include "avps/fdt.h"
#include "bm_pci.h"
#include "gic.h"
#include "guest_map.h"

#define TRANSPORT_SPI   0U /* cells of an interrupt: kind, number, trigger */
#define TRANSPORT_LEVEL 4U
#define TRANSPORT_LINE  (GIC_VIRTUAL_BASE - GIC_SPI_BASE) /* number of slot 0 */

static struct bm_board *transport_board;

/* ---- virtio-mmio ---- */

static enum avps_status transport_mmio_init(void)
{
    return AVPS_OK; /* a board is made of windows */
}

static enum avps_status transport_mmio_attach(struct avps_device *device)
{
    return bm_attach(transport_board, device);
}

static bool transport_mmio_trap(uint64_t ipa, const struct bm_access *access, uint64_t x[31])
{
    return bm_trap(transport_board, ipa, access, x);
}

static int transport_mmio_describe(void *fdt, const struct transport_parents *parents)
{
    (void)parents; /* the interrupt parent is inherited */
    for (uint32_t i = 0; i < transport_board->count; i++) {
        const uint32_t interrupt[] = {TRANSPORT_SPI, TRANSPORT_LINE + i, TRANSPORT_LEVEL};
        const struct avps_fdt_mmio window = {.base = GUEST_VIRTIO + (uint64_t)i * AVPS_MMIO_SIZE,
                                             .interrupts = interrupt,
                                             .interrupt_cells = 3U,
                                             .dma_coherent = true};

        if (avps_fdt_write_mmio(fdt, 2, 2, &window) != AVPS_OK) {
            return -1;
        }
    }
    return 0;
}

/* ---- virtio-pci ---- */

static struct bm_pci transport_bus;

static enum avps_status transport_pci_init(void)
{
    const struct bm_pci_map map = {
        .ecam = GUEST_ECAM, .memory = GUEST_PCI, .memory_size = GUEST_PCI_SIZE};

    return bm_pci_init(&transport_bus, transport_board, map);
}

static enum avps_status transport_pci_attach(struct avps_device *device)
{
    return bm_pci_attach(&transport_bus, device);
}

static bool transport_pci_trap(uint64_t ipa, const struct bm_access *access, uint64_t x[31])
{
    return bm_pci_trap(&transport_bus, ipa, access, x);
}

/* One host for all slots; each function has its pin on the line of its slot. */
static int transport_pci_describe(void *fdt, const struct transport_parents *parents)
{
    const struct avps_fdt_pci_window window = {
        .base = GUEST_PCI, .pci_address = GUEST_PCI, .size = GUEST_PCI_SIZE};
    struct avps_fdt_pci_pin pins[BM_DEVICES];
    const struct avps_fdt_pci host = {.ecam = GUEST_ECAM,
                                      .bus_count = 1U,
                                      .windows = &window,
                                      .window_count = 1U,
                                      .pins = pins,
                                      .pin_count = transport_board->count,
                                      .interrupt_controller = parents->gic,
                                      .controller_address_cells = 2U,
                                      .interrupt_cells = 3U,
                                      .msi_controller = parents->messages,
                                      .dma_coherent = true};

    for (uint32_t i = 0; i < transport_board->count; i++) {
        pins[i] = (struct avps_fdt_pci_pin){
            .device = (uint8_t)i,
            .pin = 1U,
            .interrupt = {TRANSPORT_SPI, TRANSPORT_LINE + i, TRANSPORT_LEVEL}};
    }
    return avps_fdt_write_pci(fdt, 2, 2, &host) == AVPS_OK ? 0 : -1;
}

/* ---- the choice ---- */

struct transport {
    enum avps_status (*init)(void);
    enum avps_status (*attach)(struct avps_device *device);
    bool (*trap)(uint64_t ipa, const struct bm_access *access, uint64_t x[31]);
    int (*describe)(void *fdt, const struct transport_parents *parents);
};

static const struct transport transport_mmio = {transport_mmio_init, transport_mmio_attach,
                                                transport_mmio_trap, transport_mmio_describe};
static const struct transport transport_pci = {transport_pci_init, transport_pci_attach,
                                               transport_pci_trap, transport_pci_describe};

static const struct transport *transport;

enum avps_status transport_init(const struct host *host, struct bm_board *board)
{
    transport = host_option(host, "transport=pci") ? &transport_pci : &transport_mmio;
    transport_board = board;
    return transport->init();
}

enum avps_status transport_attach(struct avps_device *device)
{
    return transport->attach(device);
}

bool transport_trap(uint64_t ipa, const struct bm_access *access, uint64_t x[31])
{
    return transport->trap(ipa, access, x);
}

int transport_describe(void *fdt, const struct transport_parents *parents)
{
    return transport->describe(fdt, parents);
}
