/* SPDX-License-Identifier: BSD-3-Clause */
/* The suite's devices and their driver: a disk as back end -> attaching -> the driver's start ->
 * requests -> interrupts. Each device has one split ring and its memory in the work area. */
#include "suite_internal.h"

#include <string.h>

/* ---- the back end ---- */

static enum avps_status disk_move(struct avps_pc_unit *unit, const struct avps_blk_io *io)
{
    uint8_t *at = unit->disk + io->sector * AVPS_BLK_SECTOR;
    const uint32_t len = io->count * AVPS_BLK_SECTOR;

    if (io->op == AVPS_BLK_WRITE) {
        return avps_blk_io_read(io, at, len);
    }
    return io->op == AVPS_BLK_READ ? avps_blk_io_write(io, at, len) : AVPS_OK;
}

/* A kept operation has moved its data already; only its answer is owed. */
static enum avps_status disk_submit(void *ctx, const struct avps_blk_io *io)
{
    struct avps_pc_unit *unit = ctx;
    const enum avps_status status = disk_move(unit, io);

    unit->submitted++;
    if (unit->ring_inside != NULL) {
        const uint32_t other = unit->ring_inside->index;
        const struct pc_request request = avps_pc_read_request(unit->pc, other, 1);

        unit->ring_inside = NULL;
        (void)avps_pc_put(unit->pc, other, &request);
        avps_pc_kick(unit->pc, other, 0);
    }
    if (status != AVPS_OK || !unit->hold || unit->held_count == AVPS_PC_REQUESTS) {
        return status;
    }
    unit->held[unit->held_count] = io->token;
    unit->held_count++;
    return AVPS_PENDING;
}

static enum avps_status disk_cancel(void *ctx, uint32_t queue)
{
    struct avps_pc_unit *unit = ctx;

    (void)queue;
    if (unit->cancel_waits) {
        return AVPS_PENDING;
    }
    return AVPS_OK; /* tokens are kept, to answer them too late */
}

static const struct avps_blk_ops disk_ops = {.submit = disk_submit, .cancel = disk_cancel};

void avps_pc_answer_held(struct avps_pc *pc, uint32_t unit)
{
    struct avps_pc_unit *u = &pc->units[unit];
    const uint32_t count = u->held_count;

    u->held_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        avps_blk_done(&u->blk, u->held[i], AVPS_OK);
    }
}

/* ---- attaching ---- */

#define RING_SIZE   32U /* descriptors: four for each request */
#define UNIT_BYTES  0x4000U
#define OFF_AVAIL   0x400U
#define OFF_USED    0x800U
#define OFF_HEADERS 0x1000U
#define OFF_DATA    0x2000U
#define SLOT_BYTES  0x100U /* what is read and what is written never share a cache line */
#define OFF_STATUS  0x80U

_Static_assert(RING_SIZE == 4U * AVPS_PC_REQUESTS, "a slot is four descriptors");
_Static_assert(AVPS_PC_DEVICES *UNIT_BYTES == PC_SCRATCH, "the scratch area follows");
_Static_assert(RING_SIZE <= AVPS_QUEUE_SIZE_MAX, "the suite needs queues of 32 descriptors");

static bool unit_init(struct avps_pc *pc, uint32_t index)
{
    struct avps_pc_unit *unit = &pc->units[index];
    const struct avps_blk_config config = {
        .base = {.mem = &pc->wrapped,
                 .port = unit->port,
                 .queues = &unit->queue,
                 .queue_count = 1,
                 .queue_size_max = RING_SIZE,
                 .access_platform = pc->target->access_platform},
        .ops = &disk_ops,
        .ctx = unit,
        .requests = unit->requests,
        .request_count = AVPS_PC_REQUESTS,
        .capacity = AVPS_PC_SECTORS,
    };

    unit->pc = pc;
    unit->index = index;
    unit->base = pc->work + (uint64_t)index * UNIT_BYTES;
    return avps_blk_init(&unit->blk, &config) == AVPS_OK;
}

const char *avps_pc_units_attach(struct avps_pc *pc)
{
    const struct avps_pc_target *t = pc->target;

    for (uint32_t i = 0; i < t->devices; i++) {
        struct avps_pc_unit *unit = &pc->units[i];

        unit->port = t->port != NULL ? t->port(t->ctx, i) : NULL;
        if (!unit_init(pc, i)) {
            return "a device of the suite could not be initialised";
        }
        if (t->attach(t->ctx, i, &unit->blk.base) != AVPS_OK) {
            return "the target did not attach a device";
        }
        unit->attached = true;
    }
    return NULL;
}

/* ---- registers ---- */

enum { REG_FEATURES = 0x020, REG_FEATURES_SEL = 0x024, REG_QUEUE_SEL = 0x030 };
enum { REG_QUEUE_SIZE = 0x038, REG_QUEUE_READY = 0x044 };
enum { REG_DESC = 0x080, REG_DRIVER = 0x090, REG_DEVICE = 0x0a0 };

static uint32_t reg_load(struct avps_pc *pc, uint32_t unit, uint32_t offset)
{
    return (uint32_t)pc->target->load(pc->target->ctx, unit, offset, 4);
}

static void reg_store(struct avps_pc *pc, uint32_t unit, uint32_t offset, uint32_t value)
{
    pc->target->store(pc->target->ctx, unit, offset, 4, value);
}

static void reg_store_address(struct avps_pc *pc, uint32_t unit, uint32_t offset, avps_gpa gpa)
{
    reg_store(pc, unit, offset, (uint32_t)(gpa & UINT32_MAX));
    reg_store(pc, unit, offset + 4U, (uint32_t)(gpa >> 32));
}

uint8_t avps_pc_status(struct avps_pc *pc, uint32_t unit)
{
    const struct avps_pc_target *t = pc->target;

    return t->front != NULL ? t->front->status(t->ctx, unit)
                            : (uint8_t)reg_load(pc, unit, PC_REG_STATUS);
}

void avps_pc_reset(struct avps_pc *pc, uint32_t unit)
{
    const struct avps_pc_target *t = pc->target;

    if (t->front != NULL) {
        t->front->reset(t->ctx, unit);
    } else {
        reg_store(pc, unit, PC_REG_STATUS, 0);
    }
}

void avps_pc_kick(struct avps_pc *pc, uint32_t unit, uint32_t queue)
{
    const struct avps_pc_target *t = pc->target;

    if (t->front != NULL) {
        t->front->kick(t->ctx, unit, queue);
    } else {
        reg_store(pc, unit, AVPS_MMIO_QUEUE_NOTIFY, queue);
    }
}

/* ---- the driver's start ---- */

static bool start_window(struct avps_pc *pc, uint32_t unit, const struct avps_pc_rings *rings)
{
    const uint32_t features = 1U | (pc->target->access_platform ? 2U : 0U); /* bits 32 and 33 */

    reg_store(pc, unit, PC_REG_STATUS, 1);
    reg_store(pc, unit, PC_REG_STATUS, 3);
    reg_store(pc, unit, REG_FEATURES_SEL, 0);
    reg_store(pc, unit, REG_FEATURES, 0);
    reg_store(pc, unit, REG_FEATURES_SEL, 1);
    reg_store(pc, unit, REG_FEATURES, features);
    reg_store(pc, unit, PC_REG_STATUS, 11);
    reg_store(pc, unit, REG_QUEUE_SEL, 0);
    reg_store(pc, unit, REG_QUEUE_SIZE, rings->size);
    reg_store_address(pc, unit, REG_DESC, rings->desc);
    reg_store_address(pc, unit, REG_DRIVER, rings->driver);
    reg_store_address(pc, unit, REG_DEVICE, rings->device);
    reg_store(pc, unit, REG_QUEUE_READY, 1);
    if (reg_load(pc, unit, REG_QUEUE_READY) != 1U) {
        return false;
    }
    reg_store(pc, unit, PC_REG_STATUS, PC_STATUS_OK);
    return reg_load(pc, unit, PC_REG_STATUS) == PC_STATUS_OK;
}

static void ring_clear(const struct avps_pc *pc, const struct avps_pc_unit *unit)
{
    for (uint32_t off = 0; off < OFF_HEADERS; off += 4096U) {
        (void)memset(avps_pc_guest(pc, unit->base + off), 0, 4096);
    }
}

bool avps_pc_unit_start(struct avps_pc *pc, uint32_t unit)
{
    struct avps_pc_unit *u = &pc->units[unit];
    const struct avps_pc_target *t = pc->target;
    const struct avps_pc_rings rings = {.size = RING_SIZE,
                                        .desc = u->base,
                                        .driver = u->base + OFF_AVAIL,
                                        .device = u->base + OFF_USED};

    ring_clear(pc, u);
    u->avail = 0;
    u->used = 0;
    u->hold = false;
    u->cancel_waits = false;
    u->ring_inside = NULL;
    u->held_count = 0;
    const bool started =
        t->front != NULL ? t->front->start(t->ctx, unit, &rings) : start_window(pc, unit, &rings);

    return avps_pc_true(pc, "the device accepts the driver's start", started);
}

bool avps_pc_units_start(struct avps_pc *pc)
{
    pc->wrap.fail_at = 0;
    for (uint32_t i = 0; i < pc->target->devices; i++) {
        avps_pc_answer_held(pc, i);
        avps_pc_reset(pc, i);
        avps_pc_turn(pc);
        if (!avps_pc_equal(pc, "status after a reset", avps_pc_status(pc, i), 0) ||
            !avps_pc_unit_start(pc, i)) {
            return false;
        }
        avps_pc_turn(pc);
        avps_pc_ack(pc, i);
    }
    return true;
}

/* ---- requests ---- */

static void guest_put(const struct avps_pc *pc, avps_gpa gpa, uint64_t value, uint32_t bytes)
{
    uint8_t *at = avps_pc_guest(pc, gpa);

    for (uint32_t i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(value >> (8U * i));
    }
}

static void put_desc(const struct avps_pc *pc, avps_gpa at, avps_gpa gpa, uint32_t len,
                     uint32_t flags, uint32_t next)
{
    guest_put(pc, at, gpa, 8);
    guest_put(pc, at + 8U, len, 4);
    guest_put(pc, at + 12U, flags, 2);
    guest_put(pc, at + 14U, next, 2);
}

static avps_gpa header_at(const struct avps_pc *pc, uint32_t unit, uint32_t slot)
{
    return pc->units[unit].base + OFF_HEADERS + (uint64_t)slot * SLOT_BYTES;
}

struct pc_request avps_pc_read_request(const struct avps_pc *pc, uint32_t unit, uint32_t sector)
{
    return (struct pc_request){.sector = sector,
                               .data = pc->units[unit].base + OFF_DATA +
                                       (uint64_t)(sector % 16U) * AVPS_BLK_SECTOR,
                               .len = AVPS_BLK_SECTOR};
}

/* Header, data, status, in the slot's descriptors; then the head is made available. */
uint32_t avps_pc_put(struct avps_pc *pc, uint32_t unit, const struct pc_request *request)
{
    struct avps_pc_unit *u = &pc->units[unit];
    const uint32_t slot = u->avail % AVPS_PC_REQUESTS;
    const uint32_t head = slot * 4U;
    const avps_gpa desc = u->base + (uint64_t)head * 16U;
    const avps_gpa header = header_at(pc, unit, slot);

    guest_put(pc, header, request->write ? 1U : 0U, 8);
    guest_put(pc, header + 8U, request->sector, 8);
    guest_put(pc, header + OFF_STATUS, 0xee, 1);
    put_desc(pc, desc, header, 16, 1, head + 1U);
    put_desc(pc, desc + 16U, request->data, request->len, request->write ? 1U : 3U, head + 2U);
    put_desc(pc, desc + 32U, header + OFF_STATUS, 1, 2, 0);
    guest_put(pc, u->base + OFF_AVAIL + 4U + (uint64_t)(u->avail % RING_SIZE) * 2U, head, 2);
    u->avail++;
    avps_arch_store16_release(avps_pc_guest(pc, u->base + OFF_AVAIL + 2U), u->avail);
    avps_arch_fence_full();
    return slot;
}

uint16_t avps_pc_used(struct avps_pc *pc, uint32_t unit)
{
    const struct avps_pc_unit *u = &pc->units[unit];

    return (uint16_t)(avps_arch_load16_acquire(avps_pc_guest(pc, u->base + OFF_USED + 2U)) -
                      u->used);
}

bool avps_pc_reap(struct avps_pc *pc, uint32_t unit, uint32_t *slot)
{
    struct avps_pc_unit *u = &pc->units[unit];

    if (avps_pc_used(pc, unit) == 0U) {
        return false;
    }
    *slot = avps_arch_load32(
                avps_pc_guest(pc, u->base + OFF_USED + 4U + (uint64_t)(u->used % RING_SIZE) * 8U)) /
            4U;
    u->used++;
    return true;
}

uint8_t avps_pc_answer(const struct avps_pc *pc, uint32_t unit, uint32_t slot)
{
    return *avps_pc_guest(pc, header_at(pc, unit, slot) + OFF_STATUS);
}

#define PC_TURNS 200U

bool avps_pc_served(struct avps_pc *pc, uint32_t unit, uint32_t slot)
{
    uint32_t seen = AVPS_PC_REQUESTS;

    for (uint32_t i = 0; i < PC_TURNS && avps_pc_used(pc, unit) == 0U; i++) {
        avps_pc_turn(pc);
    }
    return avps_pc_equal(pc, "requests returned to the driver", avps_pc_used(pc, unit), 1) &&
           avps_pc_true(pc, "a used element is there", avps_pc_reap(pc, unit, &seen)) &&
           avps_pc_equal(pc, "the request returned", seen, slot) &&
           avps_pc_equal(pc, "its status byte", avps_pc_answer(pc, unit, slot), 0);
}

bool avps_pc_do(struct avps_pc *pc, uint32_t unit, const struct pc_request *request)
{
    const uint32_t slot = avps_pc_put(pc, unit, request);

    avps_pc_kick(pc, unit, 0);
    avps_pc_turn(pc);
    return avps_pc_served(pc, unit, slot);
}

/* ---- interrupts ---- */

struct avps_pc_irq avps_pc_irq(struct avps_pc *pc, uint32_t unit)
{
    struct avps_pc_irq seen = {0};

    if (pc->target->irq != NULL) {
        pc->target->irq(pc->target->ctx, unit, &seen);
    }
    return seen;
}

void avps_pc_ack(struct avps_pc *pc, uint32_t unit)
{
    if (pc->target->front == NULL) {
        reg_store(pc, unit, PC_REG_ISR_ACK, reg_load(pc, unit, PC_REG_ISR));
    }
}

void avps_pc_irq_wanted(struct avps_pc *pc, uint32_t unit, bool wanted)
{
    const uint16_t flags = (uint16_t)(wanted ? 0U : 1U);

    avps_arch_store16_release(avps_pc_guest(pc, pc->units[unit].base + OFF_AVAIL), flags);
    avps_arch_fence_full();
}
