/* SPDX-License-Identifier: BSD-3-Clause */
/* Common configuration structure of the PCI transport: fields and their widths -> reads -> writes.
 * A field is accessed in its own width, a 64-bit one in halves [pci-3.1]; anything else reads 0,
 * writes nothing and is counted. */
#include "transport/pci_internal.h"

enum pci_common_field {
    COMMON_DEVICE_FEATURE_SELECT = 0,
    COMMON_DEVICE_FEATURE = 4,
    COMMON_DRIVER_FEATURE_SELECT = 8,
    COMMON_DRIVER_FEATURE = 12,
    COMMON_CONFIG_MSIX_VECTOR = 16,
    COMMON_NUM_QUEUES = 18,
    COMMON_DEVICE_STATUS = 20,
    COMMON_CONFIG_GENERATION = 21,
    COMMON_QUEUE_SELECT = 22,
    COMMON_QUEUE_SIZE = 24,
    COMMON_QUEUE_MSIX_VECTOR = 26,
    COMMON_QUEUE_ENABLE = 28,
    COMMON_QUEUE_NOTIFY_OFF = 30,
    COMMON_QUEUE_DESC_LOW = 32,
    COMMON_QUEUE_DESC_HIGH = 36,
    COMMON_QUEUE_DRIVER_LOW = 40,
    COMMON_QUEUE_DRIVER_HIGH = 44,
    COMMON_QUEUE_DEVICE_LOW = 48,
    COMMON_QUEUE_DEVICE_HIGH = 52,
    COMMON_QUEUE_NOTIF_CONFIG_DATA = 56,
    COMMON_QUEUE_RESET = 58,
    COMMON_ADMIN_QUEUE_INDEX = 60,
    COMMON_ADMIN_QUEUE_NUM = 62
};

/* ---- fields ---- */

/* Contracts are in ACSL and proved by tests/proofs. */
/* [pci-3.1] Bytes of the field, or half of a field, that begins at `offset`; 0 if none does. */
/*@ assigns \nothing;
  @ ensures \result == 0 || \result == 1 || \result == 2 || \result == 4;
  @ ensures \result != 0 ==> offset + \result <= 64 && offset % \result == 0;
  @ ensures \result == 1 <==> offset == 20 || offset == 21;
  @ ensures \result == 4 <==> offset % 4 == 0 && (offset <= 12 || 32 <= offset <= 52); */
static uint32_t common_field_width(uint32_t offset)
{
    if (offset == COMMON_DEVICE_STATUS || offset == COMMON_CONFIG_GENERATION) {
        return 1;
    }
    if (offset < COMMON_CONFIG_MSIX_VECTOR ||
        (offset >= COMMON_QUEUE_DESC_LOW && offset < COMMON_QUEUE_NOTIF_CONFIG_DATA)) {
        return offset % 4U == 0U ? 4U : 0U;
    }
    return offset <= COMMON_ADMIN_QUEUE_NUM && offset % 2U == 0U ? 2U : 0U;
}

/* [pci-12.8] [pci-12.9] Every vector that exists can be had. */
/*@ requires \valid_read(pci);
  @ assigns \nothing;
  @ ensures vector < pci->vector_count ==> \result == vector;
  @ ensures vector >= pci->vector_count ==> \result == 0xffff; */
uint16_t avps_pci_map_vector(const struct avps_pci *pci, uint32_t vector)
{
    return vector < pci->vector_count ? (uint16_t)vector : (uint16_t)AVPS_NO_VECTOR;
}

/* The selected queue, or NULL if the driver has no such queue. */
static struct avps_queue *common_queue(const struct avps_pci *pci)
{
    struct avps_device *dev = pci->device;
    const bool hidden = avps_device_queue_is_admin(dev, pci->queue_select) &&
                        !avps_device_has(dev, AVPS_F_ADMIN_VQ);

    return hidden ? NULL : avps_device_queue(dev, pci->queue_select);
}

/* ---- reads ---- */

/*@ assigns \nothing;
  @ ensures \result == (address & 0xffffffff); */
static uint32_t common_low(avps_gpa address)
{
    return (uint32_t)(address & 0xffffffffU);
}

/*@ assigns \nothing;
  @ ensures \result == address / 0x100000000; */
static uint32_t common_high(avps_gpa address)
{
    return (uint32_t)(address / 0x100000000U);
}

static uint32_t common_read_address(const struct avps_queue_regs *regs, uint32_t offset)
{
    switch (offset) {
    case COMMON_QUEUE_DESC_LOW:
        return common_low(regs->desc);
    case COMMON_QUEUE_DESC_HIGH:
        return common_high(regs->desc);
    case COMMON_QUEUE_DRIVER_LOW:
        return common_low(regs->driver);
    case COMMON_QUEUE_DRIVER_HIGH:
        return common_high(regs->driver);
    case COMMON_QUEUE_DEVICE_LOW:
        return common_low(regs->device);
    case COMMON_QUEUE_DEVICE_HIGH:
        return common_high(regs->device);
    default:
        return 0;
    }
}

/* [pci-5.14] All of it is 0 for a queue that does not exist. */
static uint32_t common_read_queue(const struct avps_pci *pci, uint32_t offset)
{
    const struct avps_queue *queue = common_queue(pci);

    if (queue == NULL) {
        return offset == COMMON_QUEUE_MSIX_VECTOR ? AVPS_NO_VECTOR : 0U;
    }
    switch (offset) {
    case COMMON_QUEUE_SIZE:
        return queue->regs.size;
    case COMMON_QUEUE_MSIX_VECTOR:
        return atomic_load(&queue->vector); /* [pci-12.6] */
    case COMMON_QUEUE_ENABLE:
        return avps_queue_is_enabled(queue) ? 1U : 0U; /* [pci-5.8] [pci-5.13] */
    case COMMON_QUEUE_NOTIFY_OFF:
        return pci->queue_select;
    case COMMON_QUEUE_NOTIF_CONFIG_DATA:
        return avps_device_has(pci->device, AVPS_F_NOTIF_CONFIG_DATA) ? pci->queue_select : 0U;
    case COMMON_QUEUE_RESET:
        return queue->regs.resetting ? 1U : 0U; /* [pci-5.9] [pci-5.10] [pci-5.12] [pci-5.13] */
    default:
        return common_read_address(&queue->regs, offset);
    }
}

static uint32_t common_read_field(const struct avps_pci *pci, uint32_t offset)
{
    switch (offset) {
    case COMMON_DEVICE_FEATURE_SELECT:
        return pci->device_feature_select;
    case COMMON_DEVICE_FEATURE:
        return avps_device_offered_word(pci->device, pci->device_feature_select); /* [pci-5.3] */
    case COMMON_DRIVER_FEATURE_SELECT:
        return pci->driver_feature_select;
    case COMMON_DRIVER_FEATURE: /* [pci-5.4] [pci-5.5] */
        return avps_device_wanted_word(pci->device, pci->driver_feature_select);
    case COMMON_CONFIG_MSIX_VECTOR:
        return pci->config_vector; /* [pci-12.6] */
    case COMMON_NUM_QUEUES: /* [pci-5.16] without the administration virtqueue, behind all others */
        return pci->device->model_queues;
    case COMMON_DEVICE_STATUS:
        return avps_device_read_status(pci->device); /* [pci-5.7] */
    case COMMON_CONFIG_GENERATION:
        return pci->device->config_generation & 0xffU; /* [pci-5.6] */
    case COMMON_QUEUE_SELECT:
        return pci->queue_select;
    case COMMON_ADMIN_QUEUE_INDEX:
        return avps_device_has(pci->device, AVPS_F_ADMIN_VQ) ? pci->device->model_queues : 0U;
    case COMMON_ADMIN_QUEUE_NUM:
        return avps_device_has(pci->device, AVPS_F_ADMIN_VQ) ? 1U : 0U;
    default:
        return common_read_queue(pci, offset);
    }
}

uint32_t avps_pci_common_read(struct avps_pci *pci, uint32_t offset, uint32_t width)
{
    if (common_field_width(offset) != width) {
        pci->device->counters.bad_accesses++;
        return 0;
    }
    return common_read_field(pci, offset);
}

/* ---- writes ---- */

static void common_refuse(struct avps_pci *pci)
{
    pci->device->counters.bad_accesses++;
}

/* [pci-5.15] A split queue's size is a power of two, and no queue's is 0. */
/*@ assigns \nothing;
  @ ensures \result != 0 ==> 1 <= size <= max;
  @ ensures packed && 1 <= size <= max ==> \result != 0; */
static bool common_size_is_valid(uint32_t size, uint32_t max, bool packed)
{
    return size != 0U && size <= max && (packed || (size & (size - 1U)) == 0U);
}

static void common_write_size(struct avps_pci *pci, struct avps_queue_regs *regs, uint32_t value)
{
    const bool packed = avps_device_has(pci->device, AVPS_F_RING_PACKED);

    if (common_size_is_valid(value, pci->device->queue_size_max, packed)) {
        regs->size = value;
    } else {
        common_refuse(pci);
    }
}

/* Of a queue that is not enabled. */
static void common_write_setup(struct avps_pci *pci, struct avps_queue_regs *regs, uint32_t offset,
                               uint32_t value)
{
    switch (offset) {
    case COMMON_QUEUE_SIZE:
        common_write_size(pci, regs, value);
        break;
    case COMMON_QUEUE_DESC_LOW:
        transport_set_low(&regs->desc, value);
        break;
    case COMMON_QUEUE_DESC_HIGH:
        transport_set_high(&regs->desc, value);
        break;
    case COMMON_QUEUE_DRIVER_LOW:
        transport_set_low(&regs->driver, value);
        break;
    case COMMON_QUEUE_DRIVER_HIGH:
        transport_set_high(&regs->driver, value);
        break;
    case COMMON_QUEUE_DEVICE_LOW:
        transport_set_low(&regs->device, value);
        break;
    case COMMON_QUEUE_DEVICE_HIGH:
        transport_set_high(&regs->device, value);
        break;
    default:
        common_refuse(pci); /* queue_notify_off and queue_notif_config_data are read-only */
        break;
    }
}

static void common_write_queue(struct avps_pci *pci, uint32_t offset, uint32_t value)
{
    struct avps_queue *queue = common_queue(pci);

    if (queue == NULL || (offset == COMMON_QUEUE_ENABLE && value != 1U)) {
        common_refuse(pci); /* drv.pci-4.6: queues are stopped by queue_reset */
    } else if (offset == COMMON_QUEUE_MSIX_VECTOR) { /* [pci-12.4] [pci-12.5] */
        atomic_store(&queue->vector, avps_pci_map_vector(pci, value));
    } else if (offset == COMMON_QUEUE_ENABLE) {
        avps_device_enable_queue(pci->device, pci->queue_select);
    } else if (offset == COMMON_QUEUE_RESET) {
        transport_reset_queue(pci->device, pci->queue_select, value); /* [pci-5.11] */
    } else if (avps_device_queue_is_open(pci->device, queue)) {
        common_write_setup(pci, &queue->regs, offset, value);
    }
}

static void common_write_field(struct avps_pci *pci, uint32_t offset, uint32_t value)
{
    switch (offset) {
    case COMMON_DEVICE_FEATURE_SELECT:
        pci->device_feature_select = value;
        break;
    case COMMON_DRIVER_FEATURE_SELECT:
        pci->driver_feature_select = value;
        break;
    case COMMON_DRIVER_FEATURE:
        avps_device_write_features(pci->device, pci->driver_feature_select, value);
        break;
    case COMMON_CONFIG_MSIX_VECTOR: /* [pci-12.4] [pci-12.5] */
        pci->config_vector = avps_pci_map_vector(pci, value);
        break;
    case COMMON_DEVICE_STATUS:
        avps_device_write_status(pci->device, value);
        break;
    case COMMON_QUEUE_SELECT:
        pci->queue_select = (uint16_t)value;
        break;
    case COMMON_DEVICE_FEATURE:
    case COMMON_NUM_QUEUES:
    case COMMON_CONFIG_GENERATION:
    case COMMON_ADMIN_QUEUE_INDEX:
    case COMMON_ADMIN_QUEUE_NUM:
        common_refuse(pci); /* read-only */
        break;
    default:
        common_write_queue(pci, offset, value);
        break;
    }
}

void avps_pci_common_write(struct avps_pci *pci, uint32_t offset, uint32_t width, uint32_t value)
{
    if (common_field_width(offset) == width) {
        common_write_field(pci, offset, value);
    } else {
        common_refuse(pci);
    }
}
