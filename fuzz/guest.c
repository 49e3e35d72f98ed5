/* SPDX-License-Identifier: BSD-3-Clause */
/* Input -> memory -> driver steps -> program loop -> invariants. */
#include "guest.h"

#include <stdlib.h>
#include <string.h>

/* ---- input ---- */

uint8_t fuzz_u8(struct fuzz_guest *guest)
{
    return guest->pos < guest->size ? guest->input[guest->pos++] : 0U;
}

uint32_t fuzz_u32(struct fuzz_guest *guest)
{
    uint32_t value = 0;

    for (unsigned int i = 0; i < 4U; i++) {
        value |= (uint32_t)fuzz_u8(guest) << (8U * i);
    }
    return value;
}

void fuzz_bytes(struct fuzz_guest *guest, uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bytes[i] = fuzz_u8(guest);
    }
}

/* ---- memory ---- */

static uint8_t *guest_at(struct fuzz_guest *guest, avps_gpa gpa, size_t len)
{
    if (gpa < FUZZ_GPA || gpa - FUZZ_GPA > FUZZ_RAM || len > FUZZ_RAM - (gpa - FUZZ_GPA)) {
        return NULL;
    }
    return guest->ram + (gpa - FUZZ_GPA);
}

/* While the input lasts, some bytes differ from what memory holds: a driver that writes during the
 * device's walk. */
static enum avps_status guest_read(void *ctx, avps_gpa gpa, void *dst, size_t len)
{
    struct fuzz_guest *guest = ctx;
    const uint8_t *from = guest_at(guest, gpa, len);

    if (from == NULL) {
        return AVPS_E_GUEST_ADDR;
    }
    memcpy(dst, from, len);
    const uint8_t how = fuzz_u8(guest);
    if ((how & 0xf0U) == 0xf0U && len != 0U) {
        ((uint8_t *)dst)[fuzz_u8(guest) % len] = fuzz_u8(guest);
    } else if (how == 0xefU) {
        return AVPS_AGAIN;
    } else if (how == 0xeeU) {
        return AVPS_E_IO;
    }
    return AVPS_OK;
}

static enum avps_status guest_write(void *ctx, avps_gpa gpa, const void *src, size_t len)
{
    uint8_t *to = guest_at(ctx, gpa, len);

    if (to == NULL) {
        return AVPS_E_GUEST_ADDR;
    }
    memcpy(to, src, len);
    return AVPS_OK;
}

static const struct avps_mem_ops guest_copy_ops = {.read = guest_read, .write = guest_write};

/* Two adjacent regions and a read-only one: ranges cross borders and meet refusals. */
static bool guest_make_memory(struct fuzz_guest *guest)
{
    if (guest->stream) {
        return avps_mem_init_ops(&guest->mem, &guest_copy_ops, guest) == AVPS_OK;
    }
    guest->regions[0] = (struct avps_mem_region){FUZZ_GPA, 0x10000U, guest->ram, AVPS_ACCESS_RW};
    guest->regions[1] = (struct avps_mem_region){FUZZ_GPA + 0x10000U, 0xf000U,
                                                 guest->ram + 0x10000U, AVPS_ACCESS_RW};
    guest->regions[2] = (struct avps_mem_region){FUZZ_GPA + 0x1f000U, 0x1000U,
                                                 guest->ram + 0x1f000U, AVPS_ACCESS_READ};
    return avps_mem_init_regions(&guest->mem, guest->regions, 3, NULL, NULL) == AVPS_OK;
}

/* ---- ports ---- */

static void guest_level(void *ctx, uint32_t line, bool high)
{
    (void)ctx;
    (void)line;
    (void)high;
}

static const struct avps_irq_ops guest_irq_ops = {.set_level = guest_level};

static uint64_t guest_now(void *ctx)
{
    struct fuzz_guest *guest = ctx;

    return guest->now_ns += 1000U;
}

static void guest_timer(void *ctx, uint64_t deadline_ns)
{
    (void)ctx;
    (void)deadline_ns;
}

static const struct avps_sys_ops guest_sys_ops = {.now_ns = guest_now, .timer = guest_timer};

/* ---- driver steps ---- */

static void reg_write(struct fuzz_guest *guest, uint32_t offset, uint32_t value)
{
    avps_mmio_write(&guest->mmio, offset, 4, value);
}

/* Queue areas: one 4 KiB block a queue, from the start of memory. */
static avps_gpa queue_gpa(uint16_t queue)
{
    return FUZZ_GPA + 0x1000U * (avps_gpa)queue;
}

static bool guest_is_packed(const struct fuzz_guest *guest)
{
    return avps_features_has(avps_device_features(guest->device), AVPS_F_RING_PACKED);
}

static void guest_start_queue(struct fuzz_guest *guest, uint16_t queue)
{
    const avps_gpa at = queue_gpa(queue);

    reg_write(guest, 0x030, queue);
    reg_write(guest, 0x038, FUZZ_QUEUE_SIZE);
    reg_write(guest, 0x080, (uint32_t)at);
    reg_write(guest, 0x090, (uint32_t)at + 0x400U);
    reg_write(guest, 0x0a0, (uint32_t)at + 0x800U);
    memset(guest->ram + (at - FUZZ_GPA), 0, 0x1000U);
    guest->avail[queue] = 0;
    guest->wrap[queue] = true;
    guest->next_desc[queue] = 0;
    reg_write(guest, 0x044, 1);
}

/* The regular way up; features are the offered ones under a mask from the input. */
static void guest_start(struct fuzz_guest *guest)
{
    reg_write(guest, 0x070, 0);
    reg_write(guest, 0x070, 3);
    for (uint32_t word = 0; word < 4U; word++) {
        reg_write(guest, 0x014, word);
        const uint32_t offered = (uint32_t)avps_mmio_read(&guest->mmio, 0x010, 4);
        reg_write(guest, 0x024, word);
        reg_write(guest, 0x020, (offered & ~fuzz_u32(guest)) | (word == 1U ? 1U : 0U));
    }
    reg_write(guest, 0x070, 11);
    for (uint16_t i = 0; i < guest->target->queue_count; i++) {
        guest_start_queue(guest, i);
    }
    reg_write(guest, 0x070, 15);
}

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static void put_desc(uint8_t *at, uint64_t addr, uint32_t len, uint32_t third, uint32_t fourth)
{
    for (unsigned int i = 0; i < 8U; i++) {
        at[i] = (uint8_t)(addr >> (8U * i));
    }
    put16(at + 8, len & 0xffffU);
    put16(at + 10, len >> 16);
    put16(at + 12, third);
    put16(at + 14, fourth);
}

struct guest_desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags;
};

/* One descriptor from the input: mostly in memory, sometimes anywhere. */
static struct guest_desc guest_descriptor(struct fuzz_guest *guest)
{
    const uint8_t kind = fuzz_u8(guest);
    struct guest_desc desc;

    guest->next_buffer = (guest->next_buffer + 0x400U) & 0xffffU;
    desc.addr = FUZZ_GPA + 0xf000U + guest->next_buffer;
    desc.len = fuzz_u8(guest);
    desc.flags = kind & 2U;
    if ((kind & 0x0cU) == 0x0cU) {
        desc.len = desc.len << 8 | fuzz_u8(guest);
    }
    if ((kind & 0xf0U) == 0xf0U) {
        desc.addr = (uint64_t)fuzz_u32(guest) << (kind & 1U ? 32 : 0);
    } else if ((kind & 0xf0U) == 0xe0U) {
        desc.flags = fuzz_u8(guest);
        desc.len = fuzz_u32(guest);
    } else if (desc.flags == 0U) {
        uint8_t *bytes = guest_at(guest, desc.addr, desc.len);
        if (bytes != NULL && (kind & 0x10U) == 0U) {
            fuzz_bytes(guest, bytes, desc.len < 64U ? desc.len : 64U);
        }
    }
    return desc;
}

static void guest_add_split(struct fuzz_guest *guest, uint16_t queue, uint32_t count)
{
    uint8_t *area = guest->ram + (queue_gpa(queue) - FUZZ_GPA);
    const uint16_t head = guest->next_desc[queue];

    for (uint32_t i = 0; i < count; i++) {
        const struct guest_desc desc = guest_descriptor(guest);
        const uint16_t at = guest->next_desc[queue];
        const uint32_t next = i + 1U < count ? 1U : 0U;

        guest->next_desc[queue] = (uint16_t)((at + 1U) % FUZZ_QUEUE_SIZE);
        put_desc(area + 16U * at, desc.addr, desc.len, desc.flags | next, guest->next_desc[queue]);
    }
    put16(area + 0x404U + 2U * (guest->avail[queue] % FUZZ_QUEUE_SIZE), head);
    guest->avail[queue]++;
    put16(area + 0x402U, guest->avail[queue]);
}

static void guest_add_packed(struct fuzz_guest *guest, uint16_t queue, uint32_t count)
{
    uint8_t *area = guest->ram + (queue_gpa(queue) - FUZZ_GPA);

    for (uint32_t i = 0; i < count; i++) {
        const struct guest_desc desc = guest_descriptor(guest);
        const uint32_t next = i + 1U < count ? 1U : 0U;
        const uint32_t bits = guest->wrap[queue] ? 0x80U : 0x8000U;

        put_desc(area + 16U * guest->avail[queue], desc.addr, desc.len, guest->next_desc[queue],
                 desc.flags | next | bits);
        guest->avail[queue]++;
        if (guest->avail[queue] == FUZZ_QUEUE_SIZE) {
            guest->avail[queue] = 0;
            guest->wrap[queue] = !guest->wrap[queue];
        }
    }
    guest->next_desc[queue] = (uint16_t)((guest->next_desc[queue] + 1U) % FUZZ_QUEUE_SIZE);
}

static void guest_add(struct fuzz_guest *guest)
{
    const uint16_t queue = (uint16_t)(fuzz_u8(guest) % guest->target->queue_count);
    const uint32_t count = 1U + fuzz_u8(guest) % 5U;

    if (guest_is_packed(guest)) {
        guest_add_packed(guest, queue, count);
    } else {
        guest_add_split(guest, queue, count);
    }
    reg_write(guest, 0x050, queue);
}

static void guest_poke(struct fuzz_guest *guest)
{
    const uint32_t offset = fuzz_u32(guest) % (FUZZ_RAM - 16U);

    fuzz_bytes(guest, guest->ram + offset, fuzz_u8(guest) % 16U);
}

/* ---- saved state ---- */

/* Save, maybe damage one byte, load: accepted or refused, never inconsistent. */
static void guest_save_load(struct fuzz_guest *guest)
{
    static uint8_t blob[65536];
    size_t used = 0;
    const uint8_t damage = fuzz_u8(guest);

    if (avps_quiesce(guest->device) != AVPS_OK ||
        avps_mmio_save(&guest->mmio, blob, sizeof blob, &used) != AVPS_OK) {
        avps_resume(guest->device);
        return;
    }
    avps_resume(guest->device);
    if (avps_reset(guest->device) != AVPS_OK) {
        return;
    }
    if ((damage & 1U) != 0U) {
        blob[fuzz_u32(guest) % used] ^= fuzz_u8(guest);
    }
    const enum avps_status status =
        avps_mmio_load(&guest->mmio, blob, (damage & 2U) != 0U ? fuzz_u32(guest) % used : used);
    FUZZ_CHECK(status == AVPS_OK || avps_device_status(guest->device) == 0U);
}

/* ---- the program ---- */

/* Whatever the guest did, these hold. */
static void guest_check(struct fuzz_guest *guest)
{
    for (uint16_t i = 0; i < guest->target->queue_count; i++) {
        const struct avps_vq *vq = &guest->queues[i].vq;

        FUZZ_CHECK(!vq->live || (vq->size >= 1U && vq->size <= FUZZ_QUEUE_SIZE * 4U));
        FUZZ_CHECK(!vq->live || vq->in_flight <= vq->size);
        FUZZ_CHECK(!vq->live || vq->slots_in_flight <= vq->size);
    }
    if ((avps_device_status(guest->device) & 4U) != 0U) {
        FUZZ_CHECK((avps_device_status(guest->device) & 8U) != 0U);
    }
}

static void guest_step(struct fuzz_guest *guest)
{
    const uint8_t op = fuzz_u8(guest);

    switch (op % 12U) {
    case 0:
        guest_start(guest);
        break;
    case 1:
    case 2:
    case 3:
        guest_add(guest);
        break;
    case 4:
        reg_write(guest, 0x050, fuzz_u32(guest));
        break;
    case 5:
    case 6:
        (void)avps_poll(guest->device, 1U + op / 12U);
        break;
    case 7: {
        const uint32_t offset = fuzz_u32(guest) & 0x3ffU;
        avps_mmio_write(&guest->mmio, offset, 1U << (op / 12U % 4U), fuzz_u32(guest));
        break;
    }
    case 8:
        (void)avps_mmio_read(&guest->mmio, fuzz_u32(guest) & 0x3ffU, 1U << (op / 12U % 4U));
        break;
    case 9:
        guest_poke(guest);
        break;
    case 10:
        guest->target->host(guest, fuzz_u8(guest));
        break;
    default:
        guest_save_load(guest);
        break;
    }
}

void fuzz_run(const struct fuzz_target *target, const uint8_t *input, size_t size)
{
    static struct fuzz_guest guest;
    uint8_t *ram = calloc(1, FUZZ_RAM);

    FUZZ_CHECK(ram != NULL);
    memset(&guest, 0, sizeof guest);
    guest.target = target;
    guest.input = input;
    guest.size = size;
    guest.ram = ram;
    guest.stream = (fuzz_u8(&guest) & 1U) != 0U;
    guest.port = (struct avps_port){.sys = &guest_sys_ops, .sys_ctx = &guest};
    FUZZ_CHECK(guest_make_memory(&guest));
    guest.base = (struct avps_device_config){
        .mem = &guest.mem,
        .port = &guest.port,
        .queues = guest.queues,
        .queue_count = target->queue_count,
        .queue_size_max = FUZZ_QUEUE_SIZE * 4U,
        .access_platform = false,
    };
    FUZZ_CHECK(target->init(&guest));
    const struct avps_mmio_config config = {.device = guest.device, .irq = &guest_irq_ops};
    FUZZ_CHECK(avps_mmio_init(&guest.mmio, &config) == AVPS_OK);
    guest_start(&guest);
    for (uint32_t steps = 0; steps < 200U && guest.pos < guest.size; steps++) {
        guest_step(&guest);
        guest_check(&guest);
    }
    (void)avps_poll(guest.device, 64);
    (void)avps_reset(guest.device);
    free(ram);
}
