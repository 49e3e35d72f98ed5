/* SPDX-License-Identifier: BSD-3-Clause */
/* Virtio over PCI, the function as a whole: interrupts -> the structures in the BAR -> doorbells ->
 * BAR accesses -> init -> reset -> save, load. */
#include "transport/pci_internal.h"

/* ---- interrupts ---- */

/* [pci-7.3] [pci-x22] Without MSI-X one interrupt for all queues and the configuration. */
static void pci_notify_queue(void *ctx, uint16_t queue)
{
    struct avps_pci *pci = ctx;

    if (avps_pci_msix_is_on(pci)) {
        avps_pci_msix_raise(pci, atomic_load(&pci->device->queues[queue].vector));
    } else {
        pci->isr |= VIRTIO_PCI_ISR_QUEUE;
        avps_pci_update_line(pci);
    }
}

/* [pci-7.2] With MSI-X too. */
static void pci_notify_config(void *ctx)
{
    struct avps_pci *pci = ctx;

    pci->isr |= VIRTIO_PCI_ISR_CONFIG;
    if (avps_pci_msix_is_on(pci)) {
        avps_pci_msix_raise(pci, pci->config_vector);
    } else {
        avps_pci_update_line(pci);
    }
}

static void pci_batch_end(void *ctx)
{
    const struct avps_pci *pci = ctx;

    if (pci->irq->batch_end != NULL) {
        pci->irq->batch_end(pci->irq_ctx);
    }
}

/* [pci-12.7] The core has unmapped the queues. The MSI-X table is the bus driver's: it stays. */
static void pci_device_reset(void *ctx)
{
    struct avps_pci *pci = ctx;

    pci->device_feature_select = 0;
    pci->driver_feature_select = 0;
    pci->queue_select = 0;
    pci->config_vector = AVPS_NO_VECTOR;
    pci->isr = 0;
    avps_pci_msix_forget(pci);
    avps_pci_update_line(pci);
}

static const struct avps_transport_ops pci_transport_ops = {
    .notify_queue = pci_notify_queue,
    .notify_config = pci_notify_config,
    .batch_end = pci_batch_end,
    .reset = pci_device_reset,
};

/* [pci-7.5] */
static uint8_t pci_read_isr(struct avps_pci *pci)
{
    const uint8_t isr = pci->isr;

    pci->isr = 0;
    avps_pci_update_line(pci);
    return isr;
}

/* ---- the structures in the BAR ---- */

/* [pci-6.4] [pci-6.5] [pci-6.8] [pci-6.9] One doorbell for each queue. */
static uint32_t pci_notify_length(const struct avps_device *dev)
{
    return VIRTIO_PCI_NOTIFY_SPACING * dev->queue_count;
}

struct pci_extent avps_pci_extent(const struct avps_pci *pci, enum pci_part part)
{
    switch (part) {
    case PCI_PART_COMMON:
        return (struct pci_extent){PCI_COMMON_AT, VIRTIO_PCI_COMMON_SIZE};
    case PCI_PART_ISR:
        return (struct pci_extent){PCI_ISR_AT, 1};
    case PCI_PART_DEVICE:
        return (struct pci_extent){PCI_DEVICE_AT, pci->device->ops->config_size};
    case PCI_PART_NOTIFY: /* [pci-6.2] [pci-6.7] */
        return (struct pci_extent){pci->layout.notify, pci_notify_length(pci->device)};
    case PCI_PART_TABLE:
        return (struct pci_extent){PCI_TABLE_AT, PCI_VECTOR_SIZE * pci->vector_count};
    case PCI_PART_PENDING: /* whole quadwords */
        return (struct pci_extent){pci->layout.pba, (pci->vector_count + 63U) / 64U * 8U};
    case PCI_PART_NONE:
    default:
        return (struct pci_extent){0, 0};
    }
}

/* Contracts are in ACSL and proved by tests/proofs. */
/* Whether all `width` bytes at `offset` are in [at, at + length). */
/*@ requires at + length <= UINT32_MAX;
  @ assigns \nothing;
  @ ensures \result != 0 <==> at <= offset && offset + width <= at + length && width >= 1; */
static bool pci_extent_holds(uint32_t at, uint32_t length, uint64_t offset, uint32_t width)
{
    return width >= 1U && offset >= at && length >= width && offset - at <= length - width;
}

/* A part, and how far into it. */
struct pci_place {
    enum pci_part part;
    uint32_t offset;
};

/* What an aligned access of a possible width hits with all its bytes. */
static struct pci_place pci_decode(const struct avps_pci *pci, uint64_t offset, uint32_t width)
{
    static const enum pci_part parts[] = {PCI_PART_NOTIFY, PCI_PART_COMMON, PCI_PART_ISR,
                                          PCI_PART_DEVICE, PCI_PART_TABLE,  PCI_PART_PENDING};

    for (size_t i = 0; transport_width_is_valid(offset, width) && i < AVPS_COUNT_OF(parts); i++) {
        const struct pci_extent extent = avps_pci_extent(pci, parts[i]);

        if (pci_extent_holds(extent.at, extent.length, offset, width)) {
            return (struct pci_place){parts[i], (uint32_t)(offset - extent.at)};
        }
    }
    return (struct pci_place){PCI_PART_NONE, 0};
}

bool avps_pci_hits_structure(const struct avps_pci *pci, uint64_t offset, uint32_t width)
{
    switch (pci_decode(pci, offset, width).part) {
    case PCI_PART_COMMON:
    case PCI_PART_ISR:
    case PCI_PART_DEVICE:
    case PCI_PART_NOTIFY:
        return true;
    case PCI_PART_TABLE:
    case PCI_PART_PENDING:
    case PCI_PART_NONE:
    default:
        return false;
    }
}

/* ---- doorbells ---- */

uint64_t avps_pci_doorbell(const struct avps_pci *pci, uint16_t queue)
{
    return pci->layout.notify + (uint64_t)VIRTIO_PCI_NOTIFY_SPACING * queue;
}

/* A doorbell is 16 bits wide, or 32 with NOTIFICATION_DATA, and names its queue by index, which is
 * its queue_notif_config_data too. What does not is counted where any context may count. */
static void pci_ring(struct avps_pci *pci, uint32_t offset, uint32_t width, uint64_t value)
{
    const bool with_data = avps_device_has(pci->device, AVPS_F_NOTIFICATION_DATA);
    const uint32_t queue = offset / VIRTIO_PCI_NOTIFY_SPACING;
    const bool good = offset % VIRTIO_PCI_NOTIFY_SPACING == 0U && width == (with_data ? 4U : 2U) &&
                      (value & 0xffffU) == queue;

    avps_kick(pci->device, good ? queue : UINT32_MAX, (uint16_t)(value >> 16 & 0xffffU));
}

/* ---- BAR accesses ---- */

uint64_t avps_pci_bar_read(struct avps_pci *pci, uint32_t bar, uint64_t offset, uint32_t width)
{
    avps_le64 bytes = {{0}};
    const struct pci_place place =
        bar == AVPS_PCI_BAR ? pci_decode(pci, offset, width) : (struct pci_place){PCI_PART_NONE, 0};

    switch (place.part) {
    case PCI_PART_COMMON:
        return avps_pci_common_read(pci, place.offset, width);
    case PCI_PART_ISR:
        return pci_read_isr(pci);
    case PCI_PART_DEVICE:
        avps_device_config_read(pci->device, place.offset, bytes.b, width);
        return avps_le64_get(bytes);
    case PCI_PART_TABLE:
        return avps_pci_table_read(pci, place.offset, width);
    case PCI_PART_PENDING:
        return avps_pci_pending_read(pci, place.offset, width);
    case PCI_PART_NOTIFY:
        return 0;
    case PCI_PART_NONE:
    default:
        pci->device->counters.bad_accesses++;
        return 0;
    }
}

void avps_pci_bar_write(struct avps_pci *pci, uint32_t bar, uint64_t offset, uint32_t width,
                        uint64_t value)
{
    const avps_le64 bytes = avps_le64_of(value);
    const struct pci_place place =
        bar == AVPS_PCI_BAR ? pci_decode(pci, offset, width) : (struct pci_place){PCI_PART_NONE, 0};

    switch (place.part) {
    case PCI_PART_NOTIFY:
        pci_ring(pci, place.offset, width, value);
        break;
    case PCI_PART_COMMON:
        avps_pci_common_write(pci, place.offset, width, (uint32_t)(value & 0xffffffffU));
        break;
    case PCI_PART_DEVICE:
        avps_device_config_write(pci->device, place.offset, bytes.b, width);
        break;
    case PCI_PART_TABLE:
        avps_pci_table_write(pci, place.offset, width, value);
        break;
    case PCI_PART_ISR:
    case PCI_PART_PENDING:
    case PCI_PART_NONE:
    default:
        pci->device->counters.bad_accesses++;
        break;
    }
}

/* ---- init ---- */

/* The smallest power of two that is at least `size`, which is at most 2^63. */
static uint64_t pci_power_of_two(uint64_t size)
{
    uint64_t power = PCI_PAGE;

    while (power < size) {
        power <<= 1;
    }
    return power;
}

static uint32_t pci_page_up(uint32_t offset)
{
    return (offset + PCI_PAGE - 1U) & ~(PCI_PAGE - 1U);
}

static void pci_place_structures(struct avps_pci *pci)
{
    const uint32_t table_end = PCI_TABLE_AT + PCI_VECTOR_SIZE * pci->vector_count;

    pci->layout.pba = pci_page_up(table_end);
    pci->layout.notify = pci->layout.pba + (pci->vector_count != 0U ? PCI_PAGE : 0U);
    pci->layout.size =
        (uint32_t)pci_power_of_two(pci->layout.notify + (uint64_t)pci_notify_length(pci->device));
}

/* [pci-12.1] Vectors, or a pin, or both, and the op that each needs. */
static bool pci_interrupts_are_valid(const struct avps_pci_config *config)
{
    const bool vectors = config->vector_count != 0U;

    return config->irq != NULL && config->pin <= 4U && (vectors || config->pin != 0U) &&
           (config->vectors != NULL) == vectors && config->vector_count != 1U &&
           config->vector_count <= AVPS_PCI_VECTORS_MAX && (!vectors || config->irq->msi != NULL) &&
           (config->pin == 0U || config->irq->set_level != NULL);
}

static bool pci_identity_is_valid(const struct avps_pci_config *config)
{
    return (config->kind == AVPS_PCI_INTEGRATED || config->kind == AVPS_PCI_CONVENTIONAL) &&
           config->class_code <= 0xffffffU &&
           (config->subsystem_id == 0U || config->subsystem_id >= 0x40U) &&
           config->vendor_id != VIRTIO_PCI_VENDOR && /* [pci-10.1] */
           (config->vendor_id != 0U || config->vendor_size == 0U) &&
           (config->vendor_data != NULL) == (config->vendor_size != 0U);
}

/* A region that is there, can be addressed, and has an id of its own. [pci-9.1] [pci-9.2] */
static bool pci_shm_is_valid(const struct avps_pci_config *config, uint32_t index)
{
    const struct avps_pci_shm *shm = &config->shm[index];

    for (uint32_t i = 0; i < index; i++) {
        if (config->shm[i].id == shm->id) {
            return false;
        }
    }
    return shm->length != 0U && shm->length <= UINT64_MAX / 2U &&
           shm->offset <= UINT64_MAX / 2U - shm->length;
}

/* End of the last shared memory region; 0 if one is not valid. */
static uint64_t pci_shm_end(const struct avps_pci_config *config)
{
    uint64_t end = 0;

    for (uint32_t i = 0; i < config->shm_count; i++) {
        if (!pci_shm_is_valid(config, i)) {
            return 0;
        }
        const uint64_t this_end = config->shm[i].offset + config->shm[i].length;

        end = this_end > end ? this_end : end;
    }
    return end;
}

/* Size of the shared memory BAR. @return false if it cannot be as it was asked for. */
static bool pci_size_shm(struct avps_pci *pci, const struct avps_pci_config *config)
{
    const uint64_t asked = config->shm_bar_size;

    if (config->shm_count == 0U) {
        return asked == 0U;
    }
    if (config->shm == NULL) {
        return false;
    }
    const uint64_t end = pci_shm_end(config);

    pci->shm_size = asked != 0U ? asked : pci_power_of_two(end);
    return end != 0U && pci->shm_size >= PCI_PAGE && (pci->shm_size & (pci->shm_size - 1U)) == 0U &&
           pci->shm_size >= end;
}

enum avps_status avps_pci_init(struct avps_pci *pci, const struct avps_pci_config *config)
{
    if (pci == NULL || config == NULL || config->device == NULL ||
        !pci_interrupts_are_valid(config) || !pci_identity_is_valid(config)) {
        return AVPS_E_PARAM;
    }
    *pci = (struct avps_pci){
        .device = config->device,
        .irq = config->irq,
        .irq_ctx = config->irq_ctx,
        .irq_line = config->irq_line,
        .ops = config->ops,
        .ops_ctx = config->ops_ctx,
        .vectors = config->vectors,
        .vector_count = config->vector_count,
        .conventional = config->kind == AVPS_PCI_CONVENTIONAL,
        .config_vector = AVPS_NO_VECTOR,
    };
    if (!pci_size_shm(pci, config)) {
        return AVPS_E_PARAM;
    }
    pci_place_structures(pci);
    avps_pci_msix_reset(pci);
    enum avps_status status = avps_pci_space_init(pci, config);

    if (status == AVPS_OK) {
        status = avps_device_attach(config->device, &pci_transport_ops, pci);
    }
    if (status == AVPS_OK) {
        avps_device_offer(config->device, AVPS_F_NOTIF_CONFIG_DATA);
        if (config->device->admin != NULL) {
            avps_device_offer(config->device, AVPS_F_ADMIN_VQ);
        }
        avps_device_hold(config->device, true); /* until it may be a bus master */
    }
    return status;
}

/* ---- reset ---- */

/* All but the device. */
static void pci_power_on(struct avps_pci *pci)
{
    const struct pci_bars before = avps_pci_bars(pci);

    avps_pci_space_reset(pci);
    avps_pci_msix_reset(pci);
    pci_device_reset(pci);
    avps_pci_settle(pci, &before);
}

/* The device first: what is in flight is cancelled while messages can still be sent. */
enum avps_status avps_pci_reset(struct avps_pci *pci)
{
    if (pci == NULL) {
        return AVPS_E_PARAM;
    }
    const enum avps_status status = avps_reset(pci->device);

    pci_power_on(pci);
    return status;
}

/* ---- save, load ---- */

#define PCI_STATE_MAGIC 0x31494350U /* "PCI1" */

enum avps_status avps_pci_save(struct avps_pci *pci, void *buffer, size_t size, size_t *used)
{
    if (pci == NULL || used == NULL) {
        return AVPS_E_PARAM;
    }
    struct avps_state state = {.out = buffer, .size = size};

    avps_state_put_int(&state, PCI_STATE_MAGIC, 4);
    avps_state_put_int(&state, pci->vector_count, 2);
    avps_state_put_int(&state, pci->device->queue_count, 2);
    avps_pci_space_save(pci, &state);
    avps_state_put_int(&state, pci->device_feature_select, 4);
    avps_state_put_int(&state, pci->driver_feature_select, 4);
    avps_state_put_int(&state, pci->queue_select, 2);
    avps_state_put_int(&state, pci->config_vector, 2);
    avps_state_put_int(&state, pci->isr, 1);
    for (uint16_t i = 0; i < pci->device->queue_count; i++) {
        avps_state_put_int(&state, atomic_load(&pci->device->queues[i].vector), 2);
    }
    avps_pci_msix_save(pci, &state);
    return transport_save_device(pci->device, &state, used);
}

/* A vector that avps_pci_map_vector can have given. */
static uint16_t pci_load_vector(const struct avps_pci *pci, struct avps_state *state)
{
    const uint16_t vector = (uint16_t)avps_state_get_int(state, 2);

    if (avps_pci_map_vector(pci, vector) != vector) {
        state->failed = true;
    }
    return vector;
}

/* The transport's own part, checked as far as it can be without the device. */
static void pci_load_own(struct avps_pci *pci, struct avps_state *state)
{
    if (avps_state_get_int(state, 4) != PCI_STATE_MAGIC ||
        avps_state_get_int(state, 2) != pci->vector_count ||
        avps_state_get_int(state, 2) != pci->device->queue_count) {
        state->failed = true;
    }
    avps_pci_space_load(pci, state);
    pci->device_feature_select = (uint32_t)avps_state_get_int(state, 4);
    pci->driver_feature_select = (uint32_t)avps_state_get_int(state, 4);
    pci->queue_select = (uint16_t)avps_state_get_int(state, 2);
    pci->config_vector = pci_load_vector(pci, state);
    pci->isr = (uint8_t)avps_state_get_int(state, 1);
    if ((pci->isr & ~(VIRTIO_PCI_ISR_QUEUE | VIRTIO_PCI_ISR_CONFIG)) != 0U) {
        state->failed = true;
    }
    for (uint16_t i = 0; i < pci->device->queue_count && !state->failed; i++) {
        atomic_store(&pci->device->queues[i].vector, pci_load_vector(pci, state));
    }
    avps_pci_msix_load(pci, state);
}

enum avps_status avps_pci_load(struct avps_pci *pci, const void *buffer, size_t size)
{
    if (pci == NULL || buffer == NULL) {
        return AVPS_E_PARAM;
    }
    if (avps_device_read_status(pci->device) != 0U || pci->device->resetting) {
        return AVPS_E_STATE;
    }
    struct avps_state state = {.in = buffer, .size = size};
    enum avps_status status = AVPS_E_PARAM;

    pci_power_on(pci);
    pci_load_own(pci, &state);
    if (!state.failed) {
        status = avps_load(pci->device, (const uint8_t *)buffer + state.pos, size - state.pos);
    }
    const bool waits = pci->isr != 0U || avps_pci_msix_has_pending(pci);

    if (status != AVPS_OK || (waits && !transport_can_interrupt(pci->device))) {
        (void)avps_pci_reset(pci);
        return AVPS_E_PARAM;
    }
    avps_pci_settle(pci, NULL);
    return AVPS_OK;
}
