/* SPDX-License-Identifier: BSD-3-Clause */
/* A PCI host over a table of functions: places -> ECAM window -> memory window -> init. */
#include "avps/ecam.h"

#include "transport/transport_internal.h"

#define ECAM_DEVICES       32U
#define ECAM_FUNCTIONS     8U
#define ECAM_BUSES         256U
#define ECAM_HEADER_TYPE   0x0eU
#define ECAM_MULTIFUNCTION 0x80U
#define ECAM_BRIDGE_CLASS  0x06000000U /* host bridge, revision 0 */

/* ---- places ---- */

/* Bus, device and function in one number, as in an ECAM address. */
/*@ requires bus < 256 && device < 32 && function < 8;
  @ assigns \nothing;
  @ ensures \result == bus * 256 + device * 8 + function; */
static uint32_t ecam_place(uint32_t bus, uint32_t device, uint32_t function)
{
    return 256U * bus + 8U * device + function;
}

static uint32_t ecam_slot_place(const struct avps_ecam_slot *slot)
{
    return ecam_place(slot->bus, slot->device, slot->function);
}

static const struct avps_ecam_slot *ecam_find(const struct avps_ecam_config *config, uint32_t place)
{
    for (uint32_t i = 0; i < config->slot_count; i++) {
        if (ecam_slot_place(&config->slots[i]) == place) {
            return &config->slots[i];
        }
    }
    return NULL;
}

static bool ecam_has_bridge(const struct avps_ecam_config *config)
{
    return config->bridge_vendor != 0U;
}

/* ---- ECAM window ---- */

/* `width` bytes of ones. */
/*@ assigns \nothing;
  @ ensures width == 8 ==> \result == 0xffffffffffffffff;
  @ ensures width == 4 ==> \result == 0xffffffff;
  @ ensures width == 2 ==> \result == 0xffff;
  @ ensures width == 1 ==> \result == 0xff; */
static uint64_t ecam_ones(uint32_t width)
{
    switch (width) {
    case 1U:
        return 0xffU;
    case 2U:
        return 0xffffU;
    case 4U:
        return 0xffffffffU;
    default:
        return UINT64_MAX;
    }
}

/* A host bridge that has nothing but its identity. */
static uint64_t ecam_read_bridge(const struct avps_ecam_config *config, uint32_t offset,
                                 uint32_t width)
{
    uint32_t word = 0;

    if (width > 4U || !transport_width_is_valid(offset, width)) {
        return 0;
    }
    if (offset < 4U) {
        word = (uint32_t)config->bridge_device << 16 | config->bridge_vendor;
    } else if (offset >= 8U && offset < 12U) {
        word = ECAM_BRIDGE_CLASS;
    }
    return word >> (8U * (offset % 4U)) & ecam_ones(width);
}

/* Where an access goes. */
struct ecam_target {
    struct avps_pci *pci; /* NULL: no function */
    bool bridge;          /* but the host bridge */
    uint32_t offset;      /* in the configuration space */
};

static struct ecam_target ecam_decode(const struct avps_ecam *ecam, uint64_t offset)
{
    struct ecam_target target = {.offset = (uint32_t)(offset % AVPS_PCI_CONFIG_EXTENDED)};

    if (offset >= AVPS_ECAM_SIZE(ecam->config.bus_count)) {
        return target;
    }
    const uint32_t place = (uint32_t)(offset / AVPS_PCI_CONFIG_EXTENDED);
    const struct avps_ecam_slot *slot = ecam_find(&ecam->config, place);

    target.bridge = place == 0U && ecam_has_bridge(&ecam->config);
    if (slot != NULL) {
        target.pci = slot->pci;
    }
    return target;
}

uint64_t avps_ecam_read(struct avps_ecam *ecam, uint64_t offset, uint32_t width)
{
    const struct ecam_target target = ecam_decode(ecam, offset);

    if (target.bridge) {
        return ecam_read_bridge(&ecam->config, target.offset, width);
    }
    return target.pci != NULL ? avps_pci_config_read(target.pci, target.offset, width)
                              : ecam_ones(width);
}

void avps_ecam_write(struct avps_ecam *ecam, uint64_t offset, uint32_t width, uint64_t value)
{
    const struct ecam_target target = ecam_decode(ecam, offset);

    if (target.pci != NULL) {
        avps_pci_config_write(target.pci, target.offset, width, (uint32_t)(value & 0xffffffffU));
    }
}

/* ---- memory window ---- */

/* A BAR, and how far into it. */
struct ecam_hit {
    struct avps_pci *pci; /* NULL: none decodes */
    uint32_t bar;
    uint64_t offset;
};

/* The BAR of one function that decodes `address`. */
static struct ecam_hit ecam_hit_function(struct avps_pci *pci, uint64_t address)
{
    static const uint32_t bars[] = {AVPS_PCI_BAR, AVPS_PCI_SHM_BAR};

    for (size_t i = 0; i < AVPS_COUNT_OF(bars); i++) {
        const struct avps_pci_range range = avps_pci_bar(pci, bars[i]);

        if (range.enabled && address >= range.address && address - range.address < range.size) {
            return (struct ecam_hit){pci, bars[i], address - range.address};
        }
    }
    return (struct ecam_hit){NULL, 0, 0};
}

static struct ecam_hit ecam_decode_memory(const struct avps_ecam *ecam, uint64_t address)
{
    struct ecam_hit hit = {NULL, 0, 0};

    for (uint32_t i = 0; i < ecam->config.slot_count && hit.pci == NULL; i++) {
        if (ecam->config.slots[i].pci != NULL) {
            hit = ecam_hit_function(ecam->config.slots[i].pci, address);
        }
    }
    return hit;
}

bool avps_ecam_mem_read(struct avps_ecam *ecam, uint64_t address, uint32_t width, uint64_t *value)
{
    const struct ecam_hit hit = ecam_decode_memory(ecam, address);

    *value =
        hit.pci != NULL ? avps_pci_bar_read(hit.pci, hit.bar, hit.offset, width) : ecam_ones(width);
    return hit.pci != NULL;
}

bool avps_ecam_mem_write(struct avps_ecam *ecam, uint64_t address, uint32_t width, uint64_t value)
{
    const struct ecam_hit hit = ecam_decode_memory(ecam, address);

    if (hit.pci != NULL) {
        avps_pci_bar_write(hit.pci, hit.bar, hit.offset, width, value);
    }
    return hit.pci != NULL;
}

/* ---- init ---- */

/* A driver looks for other functions only if function 0 says that there are some. */
static bool ecam_is_found(const struct avps_ecam_config *config, const struct avps_ecam_slot *slot)
{
    if (slot->function == 0U) {
        return true;
    }
    const struct avps_ecam_slot *first = ecam_find(config, ecam_place(slot->bus, slot->device, 0));

    return first != NULL && first->pci != NULL &&
           (avps_pci_config_read(first->pci, ECAM_HEADER_TYPE, 1) & ECAM_MULTIFUNCTION) != 0U;
}

static bool ecam_slot_is_valid(const struct avps_ecam_config *config,
                               const struct avps_ecam_slot *slot)
{
    return slot->bus < config->bus_count && slot->device < ECAM_DEVICES &&
           slot->function < ECAM_FUNCTIONS &&
           ecam_find(config, ecam_slot_place(slot)) == slot && /* no other before it */
           !(ecam_slot_place(slot) == 0U && ecam_has_bridge(config)) && ecam_is_found(config, slot);
}

enum avps_status avps_ecam_init(struct avps_ecam *ecam, const struct avps_ecam_config *config)
{
    if (ecam == NULL || config == NULL || config->slots == NULL || config->bus_count == 0U ||
        config->bus_count > ECAM_BUSES) {
        return AVPS_E_PARAM;
    }
    for (uint32_t i = 0; i < config->slot_count; i++) {
        if (!ecam_slot_is_valid(config, &config->slots[i])) {
            return AVPS_E_PARAM;
        }
    }
    ecam->config = *config;
    return AVPS_OK;
}
