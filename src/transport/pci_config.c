/* SPDX-License-Identifier: BSD-3-Clause */
/* Configuration space of the PCI transport: registers -> building header and capabilities -> what the
 * driver's bits mean -> BARs -> PCI_CFG access -> reads and writes -> reset, save, load.
 *
 * The space is 256 bytes as they are read and a mask of the bits that a driver may write; a write is
 * merged under the mask, then everything that depends on the space is brought up to date. */
#include "transport/pci_internal.h"

enum pci_register {
    PCI_VENDOR_ID = 0x00,
    PCI_DEVICE_ID = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_REVISION_ID = 0x08,
    PCI_CLASS_CODE = 0x09,
    PCI_CACHE_LINE_SIZE = 0x0c,
    PCI_HEADER_TYPE = 0x0e,
    PCI_BASE_ADDRESS = 0x10,
    PCI_SUBSYSTEM_VENDOR_ID = 0x2c,
    PCI_SUBSYSTEM_ID = 0x2e,
    PCI_CAPABILITIES = 0x34,
    PCI_INTERRUPT_LINE = 0x3c,
    PCI_INTERRUPT_PIN = 0x3d,
    PCI_FIRST_CAPABILITY = 0x40
};

#define PCI_COMMAND_MEMORY       0x0002U
#define PCI_COMMAND_MASTER       0x0004U
#define PCI_COMMAND_INTX_DISABLE 0x0400U
#define PCI_COMMAND_WRITABLE     0x0546U /* those, parity and SERR reporting */
#define PCI_STATUS_INTERRUPT     0x08U
#define PCI_STATUS_CAP_LIST      0x10U
#define PCI_MULTIFUNCTION        0x80U
#define PCI_BAR_64BIT            0x04U
#define PCI_BAR_PREFETCHABLE     0x08U
#define PCI_BAR_FLAGS            0x0fU

/* Capabilities: ids, lengths, and places within. */
#define PCI_CAP_POWER           0x01U
#define PCI_CAP_VENDOR          0x09U
#define PCI_CAP_EXPRESS         0x10U
#define PCI_CAP_MSIX            0x11U
#define PCI_CAP_ADVANCED        0x13U
#define PCI_POWER_LENGTH        8U
#define PCI_POWER_CONTROL       4U
#define PCI_POWER_STATE         0x03U
#define PCI_POWER_D3HOT         0x03U
#define PCI_POWER_NO_SOFT_RESET 0x08U
#define PCI_EXPRESS_LENGTH      0x2cU
#define PCI_EXPRESS_CONTROL     8U
#define PCI_EXPRESS_FLR         0x80U /* in the high byte of device control */
#define PCI_EXPRESS_DEFAULT     0x2810U
#define PCI_ADVANCED_LENGTH     6U
#define PCI_ADVANCED_CONTROL    4U
#define PCI_ADVANCED_FLR        0x01U
#define PCI_MSIX_LENGTH         12U
#define PCI_MSIX_CONTROL        3U /* the high byte of message control */
#define PCI_MSIX_ENABLE         0x80U
#define PCI_MSIX_FUNCTION_MASK  0x40U

/* Virtio structures (cfg_type), capability layout. */
#define VIRTIO_PCI_CAP_COMMON_CFG        1U
#define VIRTIO_PCI_CAP_NOTIFY_CFG        2U
#define VIRTIO_PCI_CAP_ISR_CFG           3U
#define VIRTIO_PCI_CAP_DEVICE_CFG        4U
#define VIRTIO_PCI_CAP_PCI_CFG           5U
#define VIRTIO_PCI_CAP_SHARED_MEMORY_CFG 8U
#define VIRTIO_PCI_CAP_VENDOR_CFG        9U
#define VIRTIO_PCI_CAP_LENGTH            16U
#define VIRTIO_PCI_CAP_BAR               4U
#define VIRTIO_PCI_CAP_ID                5U
#define VIRTIO_PCI_CAP_OFFSET            8U
#define VIRTIO_PCI_CAP_SIZE              12U
#define VIRTIO_PCI_CAP_MORE              16U /* what a type has beyond the common part */
#define VIRTIO_PCI_VENDOR_DATA           6U

/* ---- bytes ---- */

static uint32_t space_get(const struct avps_pci *pci, uint32_t at, uint32_t bytes)
{
    uint32_t value = 0;

    for (uint32_t i = bytes; i > 0U; i--) {
        value = value << 8 | pci->space[at + i - 1U];
    }
    return value;
}

static void space_put(struct avps_pci *pci, uint32_t at, uint64_t value, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        pci->space[at + i] = (uint8_t)(value >> (8U * i) & 0xffU);
    }
}

static void space_allow(struct avps_pci *pci, uint32_t at, uint64_t mask, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        pci->writable[at + i] = (uint8_t)(mask >> (8U * i) & 0xffU);
    }
}

/* ---- building ---- */

/* What a driver that knows no virtio sees the device as. */
static uint32_t space_class_code(uint32_t device_id)
{
    switch (device_id) {
    case 1U:
        return 0x020000U; /* network: Ethernet */
    case 2U:
        return 0x018000U; /* mass storage: other */
    case 3U:
        return 0x078000U; /* communication: other */
    case 16U:
        return 0x038000U; /* display: other */
    case 18U:
        return 0x098000U; /* input: other */
    case 20U:
        return 0x108000U; /* encryption: other */
    case 23U:
        return 0x080600U; /* system: IOMMU */
    case 25U:
        return 0x040100U; /* multimedia: audio */
    default:
        return 0xff0000U; /* none of the defined ones */
    }
}

static uint32_t value_or(uint32_t value, uint32_t otherwise)
{
    return value != 0U ? value : otherwise;
}

/* [pci-2.1] [pci-2.2] [pci-2.3] [pci-2.4] [pci-2.5] [pci-2.6] */
static void space_put_header(struct avps_pci *pci, const struct avps_pci_config *config)
{
    const uint32_t id = avps_device_id(pci->device);

    space_put(pci, PCI_VENDOR_ID, VIRTIO_PCI_VENDOR, 2);
    space_put(pci, PCI_DEVICE_ID, VIRTIO_PCI_DEVICE_BASE + id, 2);
    space_allow(pci, PCI_COMMAND, PCI_COMMAND_WRITABLE, 2);
    space_put(pci, PCI_STATUS, PCI_STATUS_CAP_LIST, 1);
    space_put(pci, PCI_REVISION_ID, value_or(config->revision, 1), 1);
    space_put(pci, PCI_CLASS_CODE, value_or(config->class_code, space_class_code(id)), 3);
    space_allow(pci, PCI_CACHE_LINE_SIZE, 0xff, 1);
    space_put(pci, PCI_HEADER_TYPE, config->multifunction ? PCI_MULTIFUNCTION : 0U, 1);
    space_put(pci, PCI_SUBSYSTEM_VENDOR_ID, value_or(config->subsystem_vendor, VIRTIO_PCI_VENDOR),
              2);
    space_put(pci, PCI_SUBSYSTEM_ID, value_or(config->subsystem_id, VIRTIO_PCI_DEVICE_BASE + id),
              2);
    space_allow(pci, PCI_INTERRUPT_LINE, 0xff, 1);
    space_put(pci, PCI_INTERRUPT_PIN, config->pin, 1);
}

/* A 64-bit BAR: the driver may write the address bits that its size leaves. */
static void space_put_bar(struct avps_pci *pci, uint32_t bar, uint64_t size, uint32_t flags)
{
    const uint32_t at = PCI_BASE_ADDRESS + 4U * bar;

    space_put(pci, at, flags, 8);
    space_allow(pci, at, ~(size - 1U), 8);
}

/* The capability list while it grows. */
struct pci_list {
    struct avps_pci *pci;
    uint32_t next; /* first free byte */
    uint32_t link; /* where the place of the next capability is to be written */
    bool full;
};

/* Append a capability. @return its place, 0 if there is no room. */
static uint32_t list_add(struct pci_list *list, uint32_t id, uint32_t length)
{
    const uint32_t at = list->next;

    if (list->full || length > AVPS_PCI_CONFIG_SIZE - at) {
        list->full = true;
        return 0;
    }
    space_put(list->pci, list->link, at, 1);
    space_put(list->pci, at, id, 1);
    list->link = at + 1U;
    list->next = (at + length + 3U) & ~3U;
    return at;
}

/* [pci-4.1] A virtio structure capability of `length` bytes, for `extent` of BAR `bar`. */
static uint32_t list_add_virtio(struct pci_list *list, uint32_t type, uint32_t length, uint32_t bar,
                                struct pci_extent extent)
{
    const uint32_t at = list_add(list, PCI_CAP_VENDOR, length);

    if (at != 0U) {
        space_put(list->pci, at + 2U, length, 1);
        space_put(list->pci, at + 3U, type, 1);
        space_put(list->pci, at + VIRTIO_PCI_CAP_BAR, bar, 1);
        space_put(list->pci, at + VIRTIO_PCI_CAP_OFFSET, extent.at, 4);
        space_put(list->pci, at + VIRTIO_PCI_CAP_SIZE, extent.length, 4);
    }
    return at;
}

/* [pci-5.2] [pci-6.1] [pci-7.1] [pci-x8] */
static void list_add_structures(struct pci_list *list)
{
    struct avps_pci *pci = list->pci;
    const struct pci_extent device = avps_pci_extent(pci, PCI_PART_DEVICE);

    (void)list_add_virtio(list, VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_PCI_CAP_LENGTH, AVPS_PCI_BAR,
                          avps_pci_extent(pci, PCI_PART_COMMON));
    const uint32_t notify =
        list_add_virtio(list, VIRTIO_PCI_CAP_NOTIFY_CFG, VIRTIO_PCI_CAP_LENGTH + 4U, AVPS_PCI_BAR,
                        avps_pci_extent(pci, PCI_PART_NOTIFY));
    if (notify != 0U) {
        space_put(pci, notify + VIRTIO_PCI_CAP_MORE, VIRTIO_PCI_NOTIFY_SPACING, 4);
    }
    (void)list_add_virtio(list, VIRTIO_PCI_CAP_ISR_CFG, VIRTIO_PCI_CAP_LENGTH, AVPS_PCI_BAR,
                          avps_pci_extent(pci, PCI_PART_ISR));
    if (device.length != 0U) {
        (void)list_add_virtio(list, VIRTIO_PCI_CAP_DEVICE_CFG, VIRTIO_PCI_CAP_LENGTH, AVPS_PCI_BAR,
                              device);
    }
}

/* [pci-11.1] bar, offset, length and data are the driver's. */
static void list_add_window(struct pci_list *list)
{
    struct avps_pci *pci = list->pci;
    const uint32_t at = list_add_virtio(list, VIRTIO_PCI_CAP_PCI_CFG, VIRTIO_PCI_CAP_LENGTH + 4U,
                                        AVPS_PCI_BAR, (struct pci_extent){0, 0});

    if (at != 0U) {
        pci->window_cap = (uint8_t)at;
        space_allow(pci, at + VIRTIO_PCI_CAP_BAR, 0xff, 1);
        space_allow(pci, at + VIRTIO_PCI_CAP_OFFSET, UINT64_MAX, 8); /* and length */
        space_allow(pci, at + VIRTIO_PCI_CAP_MORE, 0xffffffffU, 4);
    }
}

/* [pci-9.1] [pci-9.2] were checked at init. */
static void list_add_shm(struct pci_list *list, const struct avps_pci_shm *shm)
{
    struct avps_pci *pci = list->pci;
    const struct pci_extent low = {(uint32_t)(shm->offset & 0xffffffffU),
                                   (uint32_t)(shm->length & 0xffffffffU)};
    const uint32_t at = list_add_virtio(list, VIRTIO_PCI_CAP_SHARED_MEMORY_CFG,
                                        VIRTIO_PCI_CAP_LENGTH + 8U, AVPS_PCI_SHM_BAR, low);

    if (at != 0U) {
        space_put(pci, at + VIRTIO_PCI_CAP_ID, shm->id, 1);
        space_put(pci, at + VIRTIO_PCI_CAP_MORE, shm->offset >> 32, 4);
        space_put(pci, at + VIRTIO_PCI_CAP_MORE + 4U, shm->length >> 32, 4);
    }
}

/* [pci-4.1] [pci-4.2] [pci-10.2] [pci-10.3] [pci-x5] [pci-x9] Whole words of constant bytes. */
static void list_add_vendor(struct pci_list *list, const struct avps_pci_config *config)
{
    struct avps_pci *pci = list->pci;
    const uint32_t length =
        config->vendor_size > AVPS_PCI_CONFIG_SIZE
            ? AVPS_PCI_CONFIG_SIZE
            : (VIRTIO_PCI_VENDOR_DATA + (uint32_t)config->vendor_size + 3U) & ~3U;
    const uint32_t at = list_add(list, PCI_CAP_VENDOR, length);

    if (at != 0U) {
        space_put(pci, at + 2U, length, 1);
        space_put(pci, at + 3U, VIRTIO_PCI_CAP_VENDOR_CFG, 1);
        space_put(pci, at + 4U, config->vendor_id, 2);
        for (uint32_t i = 0; i < config->vendor_size; i++) {
            pci->space[at + VIRTIO_PCI_VENDOR_DATA + i] = config->vendor_data[i];
        }
    }
}

/* [pci-12.1] [pci-12.2] [pci-12.3] */
static void list_add_msix(struct pci_list *list)
{
    struct avps_pci *pci = list->pci;
    const uint32_t at = list_add(list, PCI_CAP_MSIX, PCI_MSIX_LENGTH);

    if (at != 0U) {
        pci->msix_cap = (uint8_t)at;
        space_put(pci, at + 2U, pci->vector_count - 1U, 2);
        space_allow(pci, at + PCI_MSIX_CONTROL, PCI_MSIX_ENABLE | PCI_MSIX_FUNCTION_MASK, 1);
        space_put(pci, at + 4U, PCI_TABLE_AT | AVPS_PCI_BAR, 4);
        space_put(pci, at + 8U, pci->layout.pba | AVPS_PCI_BAR, 4);
    }
}

/* D0 and D3hot, nothing lost between them. */
static void list_add_power(struct pci_list *list)
{
    struct avps_pci *pci = list->pci;
    const uint32_t at = list_add(list, PCI_CAP_POWER, PCI_POWER_LENGTH);

    if (at != 0U) {
        pci->power_cap = (uint8_t)at;
        space_put(pci, at + 2U, 3, 2); /* version 3: PCI Power Management 1.2 */
        space_put(pci, at + PCI_POWER_CONTROL, PCI_POWER_NO_SOFT_RESET, 1);
        space_allow(pci, at + PCI_POWER_CONTROL, PCI_POWER_STATE, 1);
    }
}

/* The capability with function level reset. */
static void list_add_flr(struct pci_list *list)
{
    struct avps_pci *pci = list->pci;
    const bool express = !pci->conventional;
    const uint32_t at = express ? list_add(list, PCI_CAP_EXPRESS, PCI_EXPRESS_LENGTH)
                                : list_add(list, PCI_CAP_ADVANCED, PCI_ADVANCED_LENGTH);

    if (at == 0U) {
        return;
    }
    pci->flr_cap = (uint8_t)at;
    if (express) {
        space_put(pci, at + 2U, 0x0092, 2);     /* version 2, root complex integrated endpoint */
        space_put(pci, at + 4U, 0x10008000, 4); /* function level reset, role-based errors */
        space_put(pci, at + PCI_EXPRESS_CONTROL, PCI_EXPRESS_DEFAULT, 2);
        space_allow(pci, at + PCI_EXPRESS_CONTROL, 0x781f, 2);
    } else {
        space_put(pci, at + 2U, PCI_ADVANCED_LENGTH, 1);
        space_put(pci, at + 3U, 3, 1); /* transactions pending and function level reset */
    }
}

/* [pci-1.1] Each structure is there once. */
enum avps_status avps_pci_space_init(struct avps_pci *pci, const struct avps_pci_config *config)
{
    struct pci_list list = {.pci = pci, .next = PCI_FIRST_CAPABILITY, .link = PCI_CAPABILITIES};

    space_put_header(pci, config);
    space_put_bar(pci, AVPS_PCI_BAR, pci->layout.size, PCI_BAR_64BIT);
    if (pci->shm_size != 0U) {
        space_put_bar(pci, AVPS_PCI_SHM_BAR, pci->shm_size, PCI_BAR_64BIT | PCI_BAR_PREFETCHABLE);
    }
    list_add_structures(&list);
    list_add_window(&list);
    for (uint32_t i = 0; i < config->shm_count; i++) {
        list_add_shm(&list, &config->shm[i]);
    }
    if (config->vendor_id != 0U) {
        list_add_vendor(&list, config);
    }
    if (pci->vector_count != 0U) {
        list_add_msix(&list);
    }
    list_add_power(&list);
    list_add_flr(&list);
    return list.full ? AVPS_E_NOSPACE : AVPS_OK;
}

/* ---- what the driver's bits mean ---- */

static uint32_t space_command(const struct avps_pci *pci)
{
    return space_get(pci, PCI_COMMAND, 2);
}

/* In D3hot the function answers nothing but configuration accesses and sends nothing. */
static bool space_is_awake(const struct avps_pci *pci)
{
    return (pci->space[pci->power_cap + PCI_POWER_CONTROL] & PCI_POWER_STATE) == 0U;
}

static bool space_may_master(const struct avps_pci *pci)
{
    return space_is_awake(pci) && (space_command(pci) & PCI_COMMAND_MASTER) != 0U;
}

static unsigned int space_msix_state(const struct avps_pci *pci)
{
    const uint32_t control =
        pci->msix_cap != 0U ? pci->space[pci->msix_cap + PCI_MSIX_CONTROL] : 0U;

    if ((control & PCI_MSIX_ENABLE) == 0U) {
        return 0;
    }
    const bool open = (control & PCI_MSIX_FUNCTION_MASK) == 0U && space_may_master(pci);

    return PCI_MSIX_ON | (open ? PCI_MSIX_OPEN : 0U);
}

/* [pci-7.4] */
static bool space_has_interrupt(const struct avps_pci *pci)
{
    return pci->isr != 0U && !avps_pci_msix_is_on(pci);
}

void avps_pci_update_line(struct avps_pci *pci)
{
    const bool high = space_has_interrupt(pci) && space_is_awake(pci) &&
                      pci->space[PCI_INTERRUPT_PIN] != 0U &&
                      (space_command(pci) & PCI_COMMAND_INTX_DISABLE) == 0U;

    if (high != pci->raised) {
        pci->raised = high;
        pci->irq->set_level(pci->irq_ctx, pci->irq_line, high);
    }
}

/* ---- BARs ---- */

/* Whether [address, address + size) does not wrap around. */
/*@ requires size >= 1;
  @ assigns \nothing;
  @ ensures \result != 0 <==> address + (size - 1) <= UINT64_MAX; */
static bool pci_range_is_valid(uint64_t address, uint64_t size)
{
    return size - 1U <= UINT64_MAX - address;
}

struct avps_pci_range avps_pci_bar(const struct avps_pci *pci, uint32_t bar)
{
    struct avps_pci_range range = {.address = 0};

    if (bar == AVPS_PCI_BAR) {
        range.size = pci->layout.size;
    } else if (bar == AVPS_PCI_SHM_BAR) {
        range.size = pci->shm_size;
    }
    if (range.size == 0U) {
        return range;
    }
    const uint32_t at = PCI_BASE_ADDRESS + 4U * bar;

    range.address =
        (uint64_t)space_get(pci, at + 4U, 4) << 32 | (space_get(pci, at, 4) & ~PCI_BAR_FLAGS);
    range.enabled = space_is_awake(pci) && (space_command(pci) & PCI_COMMAND_MEMORY) != 0U &&
                    pci_range_is_valid(range.address, range.size);
    return range;
}

struct pci_bars avps_pci_bars(const struct avps_pci *pci)
{
    return (struct pci_bars){avps_pci_bar(pci, AVPS_PCI_BAR), avps_pci_bar(pci, AVPS_PCI_SHM_BAR)};
}

/* A BAR that is off and was off is nobody's business. */
static void pci_tell_bar(const struct avps_pci *pci, uint32_t bar,
                         const struct avps_pci_range *before)
{
    const struct avps_pci_range now = avps_pci_bar(pci, bar);
    const bool moved = before == NULL || now.address != before->address;

    if (pci->ops != NULL && pci->ops->bar_changed != NULL && now.size != 0U &&
        (before == NULL || now.enabled != before->enabled || (now.enabled && moved))) {
        pci->ops->bar_changed(pci->ops_ctx, bar, now.address, now.enabled);
    }
}

void avps_pci_settle(struct avps_pci *pci, const struct pci_bars *before)
{
    avps_pci_msix_set(pci, space_msix_state(pci));
    avps_device_hold(pci->device, !space_may_master(pci));
    avps_pci_update_line(pci);
    pci_tell_bar(pci, AVPS_PCI_BAR, before != NULL ? &before->structures : NULL);
    pci_tell_bar(pci, AVPS_PCI_SHM_BAR, before != NULL ? &before->shm : NULL);
}

/* ---- accesses ---- */

/* Whether an access to [offset, offset + width) touches [at, at + length). */
/*@ requires width <= 4 && length <= 4 && offset <= 256 && at <= 256;
  @ assigns \nothing;
  @ ensures \result != 0 <==> offset < at + length && at < offset + width; */
static bool pci_touches(uint32_t offset, uint32_t width, uint32_t at, uint32_t length)
{
    return offset < at + length && at < offset + width;
}

/* Which access to configuration space is one. */
/*@ assigns \nothing;
  @ ensures \result != 0 <==> (width == 1 || width == 2 || width == 4) &&
  @   offset % width == 0 && offset < 4096; */
static bool pci_space_access_is_valid(uint32_t offset, uint32_t width)
{
    return width <= 4U && transport_width_is_valid(offset, width) &&
           offset < AVPS_PCI_CONFIG_EXTENDED;
}

/* Where a PCI_CFG access goes: aligned, inside one virtio structure. */
struct pci_window {
    uint32_t offset;
    uint32_t length; /* 0: nowhere */
};

static struct pci_window pci_window_of(const struct avps_pci *pci)
{
    const uint32_t at = pci->window_cap;
    const struct pci_window window = {space_get(pci, at + VIRTIO_PCI_CAP_OFFSET, 4),
                                      space_get(pci, at + VIRTIO_PCI_CAP_SIZE, 4)};
    const bool valid = window.length <= 4U && pci->space[at + VIRTIO_PCI_CAP_BAR] == AVPS_PCI_BAR &&
                       avps_pci_hits_structure(pci, window.offset, window.length);

    if (!valid) {
        pci->device->counters.bad_accesses++;
    }
    return valid ? window : (struct pci_window){0, 0};
}

static bool pci_touches_window(const struct avps_pci *pci, uint32_t offset, uint32_t width)
{
    return pci_touches(offset, width, pci->window_cap + VIRTIO_PCI_CAP_MORE, 4);
}

/* [pci-11.3] The value is in the data field afterwards; 0 for an access that leads nowhere. */
static void pci_window_read(struct avps_pci *pci)
{
    const struct pci_window window = pci_window_of(pci);
    const uint32_t data = pci->window_cap + VIRTIO_PCI_CAP_MORE;

    if (window.length == 0U) {
        space_put(pci, data, 0, 4);
    } else {
        space_put(pci, data, avps_pci_bar_read(pci, AVPS_PCI_BAR, window.offset, window.length),
                  window.length);
    }
}

/* [pci-11.2] The first `length` bytes of the data field. */
static void pci_window_write(struct avps_pci *pci)
{
    const struct pci_window window = pci_window_of(pci);

    if (window.length != 0U) {
        avps_pci_bar_write(pci, AVPS_PCI_BAR, window.offset, window.length,
                           space_get(pci, pci->window_cap + VIRTIO_PCI_CAP_MORE, window.length));
    }
}

uint32_t avps_pci_config_read(struct avps_pci *pci, uint32_t offset, uint32_t width)
{
    if (!pci_space_access_is_valid(offset, width)) {
        pci->device->counters.bad_accesses++;
        return 0;
    }
    if (offset >= AVPS_PCI_CONFIG_SIZE) {
        return 0; /* no extended capability */
    }
    if (pci_touches_window(pci, offset, width)) {
        pci_window_read(pci);
    }
    uint32_t value = space_get(pci, offset, width);

    if (pci_touches(offset, width, PCI_STATUS, 1) && space_has_interrupt(pci)) {
        value |= PCI_STATUS_INTERRUPT << (8U * (PCI_STATUS - offset));
    }
    return value;
}

/* Whether a write sets bits of `mask` in the byte at `at`. */
static bool pci_sets(uint32_t offset, uint32_t width, uint32_t value, uint32_t at, uint32_t mask)
{
    return pci_touches(offset, width, at, 1) && (value >> (8U * (at - offset)) & mask) != 0U;
}

static bool pci_starts_reset(const struct avps_pci *pci, uint32_t offset, uint32_t width,
                             uint32_t value)
{
    return pci->conventional ? pci_sets(offset, width, value, pci->flr_cap + PCI_ADVANCED_CONTROL,
                                        PCI_ADVANCED_FLR)
                             : pci_sets(offset, width, value,
                                        pci->flr_cap + PCI_EXPRESS_CONTROL + 1U, PCI_EXPRESS_FLR);
}

static void space_merge(struct avps_pci *pci, uint32_t offset, uint32_t width, uint32_t value)
{
    uint8_t *power = &pci->space[pci->power_cap + PCI_POWER_CONTROL];
    const uint8_t power_before = *power;

    for (uint32_t i = 0; i < width; i++) {
        const uint32_t mask = pci->writable[offset + i];

        pci->space[offset + i] =
            (uint8_t)((pci->space[offset + i] & ~mask) | ((value >> (8U * i)) & mask));
    }
    if ((*power & PCI_POWER_STATE) != PCI_POWER_D3HOT && !space_is_awake(pci)) {
        *power = power_before; /* D1 and D2 do not exist */
    }
}

void avps_pci_config_write(struct avps_pci *pci, uint32_t offset, uint32_t width, uint32_t value)
{
    if (!pci_space_access_is_valid(offset, width)) {
        pci->device->counters.bad_accesses++;
        return;
    }
    if (offset >= AVPS_PCI_CONFIG_SIZE) {
        return;
    }
    if (pci_starts_reset(pci, offset, width, value)) {
        (void)avps_pci_reset(pci);
        return;
    }
    const struct pci_bars before = avps_pci_bars(pci);

    space_merge(pci, offset, width, value);
    avps_pci_settle(pci, &before);
    if (pci_touches_window(pci, offset, width)) {
        pci_window_write(pci);
    }
}

/* ---- reset, save, load ---- */

void avps_pci_space_reset(struct avps_pci *pci)
{
    for (uint32_t i = 0; i < AVPS_PCI_CONFIG_SIZE; i++) {
        pci->space[i] &= (uint8_t)~pci->writable[i];
    }
    if (!pci->conventional) {
        space_put(pci, pci->flr_cap + PCI_EXPRESS_CONTROL, PCI_EXPRESS_DEFAULT, 2);
    }
}

void avps_pci_space_save(const struct avps_pci *pci, struct avps_state *state)
{
    avps_state_put(state, pci->space, sizeof pci->space);
}

void avps_pci_space_load(struct avps_pci *pci, struct avps_state *state)
{
    for (uint32_t i = 0; i < AVPS_PCI_CONFIG_SIZE; i++) {
        const uint8_t byte = (uint8_t)avps_state_get_int(state, 1);

        if (((byte ^ pci->space[i]) & ~pci->writable[i] & 0xffU) != 0U) {
            state->failed = true; /* another function, or bits that no driver can have set */
        } else if (!state->failed) {
            pci->space[i] = byte;
        }
    }
    const uint32_t power = pci->space[pci->power_cap + PCI_POWER_CONTROL] & PCI_POWER_STATE;

    if (power != 0U && power != PCI_POWER_D3HOT) {
        state->failed = true;
    }
}
