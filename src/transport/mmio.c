/* SPDX-License-Identifier: BSD-3-Clause */
/* Virtio over MMIO version 2: interrupts -> register reads -> register writes -> configuration
 * window -> init, save, load. Registers are 32 bits wide; anything else reads 0 and writes nothing. */
#include "avps/mmio.h"

#include "transport/transport_internal.h"

#define MMIO_MAGIC   0x74726976U /* [mmio-1.1] */
#define MMIO_VERSION 2U          /* [mmio-1.2] */

enum mmio_register {
    MMIO_MAGIC_VALUE = 0x000,
    MMIO_VERSION_REG = 0x004,
    MMIO_DEVICE_ID = 0x008,
    MMIO_VENDOR_ID = 0x00c,
    MMIO_DEVICE_FEATURES = 0x010,
    MMIO_DEVICE_FEATURES_SEL = 0x014,
    MMIO_DRIVER_FEATURES = 0x020,
    MMIO_DRIVER_FEATURES_SEL = 0x024,
    MMIO_QUEUE_SEL = 0x030,
    MMIO_QUEUE_SIZE_MAX = 0x034,
    MMIO_QUEUE_SIZE = 0x038,
    MMIO_QUEUE_READY = 0x044,
    MMIO_QUEUE_NOTIFY = AVPS_MMIO_QUEUE_NOTIFY,
    MMIO_INTERRUPT_STATUS = 0x060,
    MMIO_INTERRUPT_ACK = 0x064,
    MMIO_STATUS = 0x070,
    MMIO_QUEUE_DESC_LOW = 0x080,
    MMIO_QUEUE_DESC_HIGH = 0x084,
    MMIO_QUEUE_DRIVER_LOW = 0x090,
    MMIO_QUEUE_DRIVER_HIGH = 0x094,
    MMIO_QUEUE_DEVICE_LOW = 0x0a0,
    MMIO_QUEUE_DEVICE_HIGH = 0x0a4,
    MMIO_SHM_SEL = 0x0ac,
    MMIO_SHM_LEN_LOW = 0x0b0,
    MMIO_SHM_LEN_HIGH = 0x0b4,
    MMIO_SHM_BASE_LOW = 0x0b8,
    MMIO_SHM_BASE_HIGH = 0x0bc,
    MMIO_QUEUE_RESET = 0x0c0,
    MMIO_CONFIG_GENERATION = 0x0fc,
    MMIO_CONFIG = 0x100
};

#define MMIO_INT_USED   1U
#define MMIO_INT_CONFIG 2U

/* ---- interrupts ---- */

/* [mmio-1.3] [mmio-1.4] The line is high as long as an event waits for its acknowledgement. */
static void mmio_update_line(struct avps_mmio *mmio)
{
    const bool high = mmio->interrupt_status != 0U;

    if (high != mmio->raised) {
        mmio->raised = high;
        mmio->irq->set_level(mmio->irq_ctx, mmio->irq_line, high);
    }
}

static void mmio_notify_queue(void *ctx, uint16_t queue)
{
    struct avps_mmio *mmio = ctx;

    (void)queue; /* one interrupt for all queues */
    mmio->interrupt_status |= MMIO_INT_USED;
    mmio_update_line(mmio);
}

static void mmio_notify_config(void *ctx)
{
    struct avps_mmio *mmio = ctx;

    mmio->interrupt_status |= MMIO_INT_CONFIG;
    mmio_update_line(mmio);
}

static void mmio_batch_end(void *ctx)
{
    struct avps_mmio *mmio = ctx;

    if (mmio->irq->batch_end != NULL) {
        mmio->irq->batch_end(mmio->irq_ctx);
    }
}

/* [mmio-1.5] */
static void mmio_reset(void *ctx)
{
    struct avps_mmio *mmio = ctx;

    mmio->interrupt_status = 0;
    mmio_update_line(mmio);
}

static const struct avps_transport_ops mmio_transport_ops = {
    .notify_queue = mmio_notify_queue,
    .notify_config = mmio_notify_config,
    .batch_end = mmio_batch_end,
    .reset = mmio_reset,
};

/* ---- reads ---- */

/* Contracts are in ACSL and proved by tests/proofs. */
/*@ predicate mmio_is_sound(struct avps_mmio *m) =
      \valid_read(m) && \valid_read(m->device) && \valid_read(m->device->ops) &&
      \valid_read(m->device->queues + (0 .. m->device->queue_count - 1)); */

/*@ requires mmio_is_sound(mmio);
  @ assigns \nothing;
  @ ensures mmio->queue_sel >= mmio->device->queue_count ==> \result == 0;
  @ ensures offset == 0x044 || offset == 0x0c0 ==> \result <= 1;
  @ ensures \result <= 1 || (offset == 0x034 && \result == mmio->device->queue_size_max); */
static uint32_t mmio_read_queue(const struct avps_mmio *mmio, uint32_t offset)
{
    const struct avps_queue *queue = avps_device_queue(mmio->device, mmio->queue_sel);

    if (queue == NULL) {
        return 0; /* I5: QueueSizeMax 0 says that there is no such queue */
    }
    switch (offset) {
    case MMIO_QUEUE_SIZE_MAX:
        return mmio->device->queue_size_max;
    case MMIO_QUEUE_READY:
        return avps_queue_is_enabled(queue) ? 1U
                                            : 0U; /* until the last request is back [mmio-1.7] */
    case MMIO_QUEUE_RESET:
        return queue->regs.resetting ? 1U : 0U; /* [mmio-1.8] [mmio-1.9] [mmio-1.11] */
    default:
        return 0;
    }
}

/*@ requires mmio_is_sound(mmio);
  @ assigns \nothing;
  @ ensures offset == 0x000 ==> \result == 0x74726976;
  @ ensures offset == 0x004 ==> \result == 2;
  @ ensures offset == 0x060 ==> \result == mmio->interrupt_status;
  @ ensures 0x0b0 <= offset <= 0x0bc && offset % 4 == 0 ==> \result == 0xffffffff;
  @ ensures offset == 0x034 && mmio->queue_sel >= mmio->device->queue_count ==> \result == 0; */
static uint32_t mmio_read_register(const struct avps_mmio *mmio, uint32_t offset)
{
    switch (offset) {
    case MMIO_MAGIC_VALUE:
        return MMIO_MAGIC;
    case MMIO_VERSION_REG:
        return MMIO_VERSION;
    case MMIO_DEVICE_ID:
        return avps_device_id(mmio->device);
    case MMIO_VENDOR_ID:
        return mmio->vendor_id;
    case MMIO_DEVICE_FEATURES:
        return avps_device_offered_word(mmio->device, mmio->device_features_sel);
    case MMIO_INTERRUPT_STATUS:
        return mmio->interrupt_status;
    case MMIO_STATUS:
        return avps_device_read_status(mmio->device);
    case MMIO_SHM_LEN_LOW:
    case MMIO_SHM_LEN_HIGH:
    case MMIO_SHM_BASE_LOW:
    case MMIO_SHM_BASE_HIGH:
        return 0xffffffffU; /* [shm-1.1] no device here has a shared memory region */
    case MMIO_CONFIG_GENERATION:
        return mmio->device->config_generation;
    default:
        break;
    }
    return mmio_read_queue(mmio, offset);
}

/* ---- writes ---- */

/*@ requires \valid(regs);
  @ assigns regs->size, regs->desc, regs->driver, regs->device;
  @ ensures regs->size == (offset == 0x038 ? value : \old(regs->size));
  @ ensures offset != 0x080 && offset != 0x084 ==> regs->desc == \old(regs->desc);
  @ ensures offset != 0x090 && offset != 0x094 ==> regs->driver == \old(regs->driver);
  @ ensures offset != 0x0a0 && offset != 0x0a4 ==> regs->device == \old(regs->device); */
static void mmio_write_queue_regs(struct avps_queue_regs *regs, uint32_t offset, uint32_t value)
{
    switch (offset) {
    case MMIO_QUEUE_SIZE:
        regs->size = value;
        break;
    case MMIO_QUEUE_DESC_LOW:
        transport_set_low(&regs->desc, value);
        break;
    case MMIO_QUEUE_DESC_HIGH:
        transport_set_high(&regs->desc, value);
        break;
    case MMIO_QUEUE_DRIVER_LOW:
        transport_set_low(&regs->driver, value);
        break;
    case MMIO_QUEUE_DRIVER_HIGH:
        transport_set_high(&regs->driver, value);
        break;
    case MMIO_QUEUE_DEVICE_LOW:
        transport_set_low(&regs->device, value);
        break;
    case MMIO_QUEUE_DEVICE_HIGH:
        transport_set_high(&regs->device, value);
        break;
    default:
        break;
    }
}

static void mmio_write_ready(struct avps_mmio *mmio, uint32_t value)
{
    const uint16_t queue = (uint16_t)mmio->queue_sel;

    if (value == 1U) {
        avps_device_enable_queue(mmio->device, queue);
    } else if (value == 0U) {
        avps_device_disable_queue(mmio->device, queue);
    } else {
        mmio->device->counters.bad_accesses++;
    }
}

static void mmio_write_queue(struct avps_mmio *mmio, uint32_t offset, uint32_t value)
{
    struct avps_queue *queue = avps_device_queue(mmio->device, mmio->queue_sel);

    if (queue == NULL) {
        mmio->device->counters.bad_accesses++;
    } else if (offset == MMIO_QUEUE_READY) {
        mmio_write_ready(mmio, value);
    } else if (offset == MMIO_QUEUE_RESET) {
        transport_reset_queue(mmio->device, (uint16_t)mmio->queue_sel, value);
    } else if (avps_device_queue_is_open(mmio->device, queue)) {
        mmio_write_queue_regs(&queue->regs, offset, value);
    }
}

/* QueueNotify: an index, or with NOTIFICATION_DATA an index and where the driver has got to. */
static void mmio_write_notify(struct avps_mmio *mmio, uint32_t value)
{
    if (avps_device_has(mmio->device, AVPS_F_NOTIFICATION_DATA)) {
        avps_kick(mmio->device, value & 0xffffU, (uint16_t)(value >> 16));
    } else {
        avps_kick(mmio->device, value, 0);
    }
}

static void mmio_write_register(struct avps_mmio *mmio, uint32_t offset, uint32_t value)
{
    switch (offset) {
    case MMIO_DEVICE_FEATURES_SEL:
        mmio->device_features_sel = value;
        break;
    case MMIO_DRIVER_FEATURES:
        avps_device_write_features(mmio->device, mmio->driver_features_sel, value);
        break;
    case MMIO_DRIVER_FEATURES_SEL:
        mmio->driver_features_sel = value;
        break;
    case MMIO_QUEUE_SEL:
        mmio->queue_sel = value;
        break;
    case MMIO_QUEUE_NOTIFY:
        mmio_write_notify(mmio, value);
        break;
    case MMIO_INTERRUPT_ACK:
        mmio->interrupt_status &= ~value;
        mmio_update_line(mmio);
        break;
    case MMIO_STATUS:
        avps_device_write_status(mmio->device, value);
        break;
    case MMIO_SHM_SEL:
        mmio->shm_sel = value;
        break;
    default:
        mmio_write_queue(mmio, offset, value);
        break;
    }
}

/* ---- the window ---- */

/* Which part an access hits, if it is allowed at all. */
enum mmio_part { MMIO_PART_NONE, MMIO_PART_REGISTERS, MMIO_PART_CONFIG };

/*@ assigns \nothing;
  @ ensures \result == MMIO_PART_CONFIG ==> 0x100 <= offset <= UINT32_MAX - 8 &&
  @   offset % width == 0 && (width == 1 || width == 2 || width == 4 || width == 8);
  @ ensures \result == MMIO_PART_REGISTERS <==> width == 4 && offset < 0x100 && offset % 4 == 0;
  @ ensures \result == MMIO_PART_NONE || \result == MMIO_PART_REGISTERS ||
  @   \result == MMIO_PART_CONFIG; */
static enum mmio_part mmio_decode(uint64_t offset, uint32_t width)
{
    if (!transport_width_is_valid(offset, width) || offset > UINT32_MAX - 8U) {
        return MMIO_PART_NONE;
    }
    if (offset >= MMIO_CONFIG) {
        return MMIO_PART_CONFIG;
    }
    return width == 4U ? MMIO_PART_REGISTERS : MMIO_PART_NONE;
}

uint64_t avps_mmio_read(struct avps_mmio *mmio, uint64_t offset, uint32_t width)
{
    avps_le64 bytes = {{0}};

    switch (mmio_decode(offset, width)) {
    case MMIO_PART_REGISTERS:
        return mmio_read_register(mmio, (uint32_t)offset);
    case MMIO_PART_CONFIG:
        avps_device_config_read(mmio->device, (uint32_t)offset - MMIO_CONFIG, bytes.b, width);
        return avps_le64_get(bytes);
    case MMIO_PART_NONE:
    default:
        mmio->device->counters.bad_accesses++;
        return 0;
    }
}

void avps_mmio_write(struct avps_mmio *mmio, uint64_t offset, uint32_t width, uint64_t value)
{
    const avps_le64 bytes = avps_le64_of(value);

    switch (mmio_decode(offset, width)) {
    case MMIO_PART_REGISTERS:
        mmio_write_register(mmio, (uint32_t)offset, (uint32_t)(value & 0xffffffffU));
        break;
    case MMIO_PART_CONFIG:
        avps_device_config_write(mmio->device, (uint32_t)offset - MMIO_CONFIG, bytes.b, width);
        break;
    case MMIO_PART_NONE:
    default:
        mmio->device->counters.bad_accesses++;
        break;
    }
}

/* ---- init, save, load ---- */

enum avps_status avps_mmio_init(struct avps_mmio *mmio, const struct avps_mmio_config *config)
{
    if (mmio == NULL || config == NULL || config->device == NULL || config->irq == NULL ||
        config->irq->set_level == NULL) {
        return AVPS_E_PARAM;
    }
    *mmio = (struct avps_mmio){
        .device = config->device,
        .irq = config->irq,
        .irq_ctx = config->irq_ctx,
        .irq_line = config->irq_line,
        .vendor_id = config->vendor_id,
    };
    return avps_device_attach(config->device, &mmio_transport_ops, mmio);
}

#define MMIO_STATE_SIZE 20U

enum avps_status avps_mmio_save(struct avps_mmio *mmio, void *buffer, size_t size, size_t *used)
{
    if (mmio == NULL || used == NULL) {
        return AVPS_E_PARAM;
    }
    struct avps_state state = {.out = buffer, .size = size};

    avps_state_put_int(&state, mmio->device_features_sel, 4);
    avps_state_put_int(&state, mmio->driver_features_sel, 4);
    avps_state_put_int(&state, mmio->queue_sel, 4);
    avps_state_put_int(&state, mmio->shm_sel, 4);
    avps_state_put_int(&state, mmio->interrupt_status, 4);
    return transport_save_device(mmio->device, &state, used);
}

enum avps_status avps_mmio_load(struct avps_mmio *mmio, const void *buffer, size_t size)
{
    if (mmio == NULL || buffer == NULL || size < MMIO_STATE_SIZE) {
        return AVPS_E_PARAM;
    }
    struct avps_state state = {.in = buffer, .size = MMIO_STATE_SIZE};
    const uint32_t device_sel = (uint32_t)avps_state_get_int(&state, 4);
    const uint32_t driver_sel = (uint32_t)avps_state_get_int(&state, 4);
    const uint32_t queue_sel = (uint32_t)avps_state_get_int(&state, 4);
    const uint32_t shm_sel = (uint32_t)avps_state_get_int(&state, 4);
    const uint32_t interrupts = (uint32_t)avps_state_get_int(&state, 4);

    if ((interrupts & ~(MMIO_INT_USED | MMIO_INT_CONFIG)) != 0U) {
        return AVPS_E_PARAM;
    }
    enum avps_status status =
        avps_load(mmio->device, (const uint8_t *)buffer + MMIO_STATE_SIZE, size - MMIO_STATE_SIZE);

    if (status == AVPS_OK && interrupts != 0U && !transport_can_interrupt(mmio->device)) {
        (void)avps_reset(mmio->device);
        status = AVPS_E_PARAM;
    }
    if (status == AVPS_OK) {
        mmio->device_features_sel = device_sel;
        mmio->driver_features_sel = driver_sel;
        mmio->queue_sel = queue_sel;
        mmio->shm_sel = shm_sel;
        mmio->interrupt_status = interrupts;
        mmio_update_line(mmio);
    }
    return status;
}
