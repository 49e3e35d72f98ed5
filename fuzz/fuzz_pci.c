/* SPDX-License-Identifier: BSD-3-Clause */
/* A PCI function behind an ECAM host: any access in any order. The input is a list of operations;
 * with FUZZ_PCI_BAR most of them go to the BAR (common configuration, MSI-X, doorbells), without to
 * configuration space and through the PCI_CFG capability. What the embedder was told is the oracle:
 * the line only changes, a message is sent only on a route that was told and not masked, and the BAR
 * is where it was said to be. */
#include "avps/ecam.h"
#include "avps/pci.h"
#include "entropy.h"
#include "guest.h"

#define VECTORS 4U

/* Offsets that a driver learns from the capability list. */
#define AT_TABLE  0x1000U
#define AT_NOTIFY 0x3000U
#define AT_WINDOW 0x74U

struct route {
    uint64_t address;
    uint32_t data;
    bool masked;
};

struct host {
    bool high;
    struct route routes[VECTORS];
    uint64_t bar;
    bool bar_on;
};

static struct entropy *entropy;
static struct avps_pci pci;
static struct avps_ecam ecam;
static struct host host;

/* ---- what the embedder is told ---- */

static void level(void *ctx, uint32_t line, bool high)
{
    (void)ctx;
    (void)line;
    FUZZ_CHECK(host.high != high);
    host.high = high;
}

static void msi(void *ctx, uint32_t vector, uint64_t address, uint32_t data)
{
    (void)ctx;
    FUZZ_CHECK(vector < VECTORS && !host.routes[vector].masked);
    FUZZ_CHECK(host.routes[vector].address == address && host.routes[vector].data == data);
}

static void msi_route(void *ctx, uint32_t vector, uint64_t address, uint32_t data, bool masked)
{
    (void)ctx;
    FUZZ_CHECK(vector < VECTORS);
    host.routes[vector] = (struct route){address, data, masked};
}

static void bar_changed(void *ctx, uint32_t bar, uint64_t address, bool enabled)
{
    (void)ctx;
    FUZZ_CHECK(bar == AVPS_PCI_BAR);
    host.bar = address;
    host.bar_on = enabled;
}

static const struct avps_irq_ops irq_ops = {.set_level = level, .msi = msi, .msi_route = msi_route};
static const struct avps_pci_ops pci_ops = {.bar_changed = bar_changed};

/* ---- operations ---- */

static uint32_t value_of(struct fuzz_guest *in, uint8_t op)
{
    return (op & 0x80U) != 0U ? fuzz_u32(in) : fuzz_u8(in);
}

static void config_access(struct fuzz_guest *in, uint8_t op)
{
    const uint32_t width = 1U << (op >> 3 & 3U);
    const uint32_t offset = (op & 0x40U) != 0U ? fuzz_u32(in) : fuzz_u8(in);

    if ((op & 0x20U) != 0U) {
        (void)avps_ecam_read(&ecam, offset, width);
    } else {
        avps_ecam_write(&ecam, offset, width, value_of(in, op));
    }
}

static void window_access(struct fuzz_guest *in, uint8_t op)
{
    avps_ecam_write(&ecam, AT_WINDOW + 4U, 1, (op & 0x08U) != 0U ? fuzz_u8(in) : 0U);
    avps_ecam_write(&ecam, AT_WINDOW + 8U, 4, (op & 0x10U) != 0U ? fuzz_u32(in) : fuzz_u8(in));
    avps_ecam_write(&ecam, AT_WINDOW + 12U, 4, fuzz_u8(in));
    if ((op & 0x20U) != 0U) {
        (void)avps_ecam_read(&ecam, AT_WINDOW + 16U, 4);
    } else {
        avps_ecam_write(&ecam, AT_WINDOW + 16U, 4, value_of(in, op));
    }
}

static void bar_access(struct fuzz_guest *in, uint8_t op)
{
    const uint32_t width = 1U << (op >> 3 & 3U);
    const uint64_t offset = (op & 0x40U) != 0U ? fuzz_u32(in) % 0x8000U : fuzz_u8(in) % 0x80U;

    if ((op & 0x20U) != 0U) {
        (void)avps_pci_bar_read(&pci, AVPS_PCI_BAR, offset, width);
    } else {
        avps_pci_bar_write(&pci, AVPS_PCI_BAR, offset, width, value_of(in, op));
    }
}

static void table_access(struct fuzz_guest *in, uint8_t op)
{
    const uint64_t offset = AT_TABLE + fuzz_u8(in) % (16U * VECTORS) / 4U * 4U;

    if ((op & 0x20U) != 0U) {
        (void)avps_pci_bar_read(&pci, AVPS_PCI_BAR, offset, 4);
    } else {
        avps_pci_bar_write(&pci, AVPS_PCI_BAR, offset, (op & 0x10U) != 0U ? 8U : 4U,
                           value_of(in, op));
    }
}

static uint32_t fuzz_u16(struct fuzz_guest *in)
{
    const uint32_t low = fuzz_u8(in);

    return low | (uint32_t)fuzz_u8(in) << 8;
}

static void poke(struct fuzz_guest *in)
{
    const uint32_t offset = fuzz_u16(in) % (ENTROPY_RAM - 16U);

    fuzz_bytes(in, entropy->ram + offset, fuzz_u8(in) % 16U);
}

/* Save, maybe damage one byte, load: accepted or refused, never inconsistent. */
static void save_load(struct fuzz_guest *in, uint8_t op)
{
    static uint8_t blob[2048];
    static uint8_t again[2048];
    size_t used = 0;
    size_t second = 0;

    if (avps_pci_save(&pci, blob, sizeof blob, &used) != AVPS_OK) {
        return;
    }
    FUZZ_CHECK(avps_pci_reset(&pci) == AVPS_OK && !host.high && !host.bar_on);
    if ((op & 0x08U) != 0U) {
        blob[fuzz_u16(in) % used] ^= fuzz_u8(in);
    }
    if (avps_pci_load(&pci, blob, used) == AVPS_OK) {
        FUZZ_CHECK(avps_pci_save(&pci, again, sizeof again, &second) == AVPS_OK && second == used);
    } else {
        FUZZ_CHECK((op & 0x08U) != 0U && avps_device_status(&entropy->rng.base) == 0U);
    }
}

static void step(struct fuzz_guest *in)
{
    const uint8_t op = fuzz_u8(in);

    switch (op & 7U) {
    case 0:
    case 1:
        FUZZ_PCI_BAR ? bar_access(in, op) : config_access(in, op);
        break;
    case 2:
        FUZZ_PCI_BAR ? table_access(in, op) : window_access(in, op);
        break;
    case 3:
        FUZZ_PCI_BAR ? config_access(in, op) : bar_access(in, op);
        break;
    case 4:
        poke(in);
        break;
    case 5:
        avps_pci_bar_write(&pci, AVPS_PCI_BAR, AT_NOTIFY + (op >> 5), 1U << (op >> 3 & 3U),
                           fuzz_u8(in));
        break;
    case 6:
        save_load(in, op);
        break;
    default:
        (void)avps_poll(&entropy->rng.base, 1U + (op >> 5));
        break;
    }
}

/* ---- what always holds ---- */

static void check(void)
{
    const struct avps_pci_range bar = avps_pci_bar(&pci, AVPS_PCI_BAR);
    const uint64_t pending = avps_pci_bar_read(&pci, AVPS_PCI_BAR, 0x2000, 8);

    FUZZ_CHECK(avps_ecam_read(&ecam, 0, 4) == 0x10441af4U);
    FUZZ_CHECK(avps_ecam_read(&ecam, 0x34, 1) == 0x40U);
    FUZZ_CHECK(avps_ecam_read(&ecam, AT_WINDOW, 1) == 9U);
    FUZZ_CHECK(bar.enabled == host.bar_on && (!bar.enabled || bar.address == host.bar));
    FUZZ_CHECK(!host.high || (avps_ecam_read(&ecam, 6, 1) & 8U) != 0U);
    FUZZ_CHECK(pending >> VECTORS == 0U);
    for (uint32_t i = 0; i < VECTORS; i++) {
        FUZZ_CHECK((pending >> i & 1U) == 0U || host.routes[i].masked);
    }
}

static void power_on(void)
{
    static struct avps_pci_vector vectors[VECTORS];
    static struct avps_ecam_slot slot;

    entropy = fuzz_entropy();
    host = (struct host){.high = false};
    for (uint32_t i = 0; i < VECTORS; i++) {
        host.routes[i].masked = true;
    }
    const struct avps_pci_config config = {.device = &entropy->rng.base,
                                           .irq = &irq_ops,
                                           .pin = 1,
                                           .vectors = vectors,
                                           .vector_count = VECTORS,
                                           .ops = &pci_ops};
    FUZZ_CHECK(avps_pci_init(&pci, &config) == AVPS_OK);
    slot = (struct avps_ecam_slot){.pci = &pci};
    const struct avps_ecam_config host_config = {.slots = &slot, .slot_count = 1, .bus_count = 1};
    FUZZ_CHECK(avps_ecam_init(&ecam, &host_config) == AVPS_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static struct fuzz_guest in;

    in.input = input;
    in.size = size;
    in.pos = 0;
    power_on();
    for (uint32_t steps = 0; steps < 500U && in.pos < in.size; steps++) {
        step(&in);
        check();
    }
    FUZZ_CHECK(avps_pci_reset(&pci) == AVPS_OK && !host.high && !host.bar_on);
    return 0;
}
