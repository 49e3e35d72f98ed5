/* SPDX-License-Identifier: BSD-3-Clause */
/* The port: time and events, interrupts, set-up, trap decoding, polling. */
#include "bm_port.h"

#include <stddef.h>

#define BM_NEVER   UINT64_MAX
#define BM_ESR_ISV (1ULL << 24)
#define BM_ESR_SSE (1ULL << 21)
#define BM_ESR_SF  (1ULL << 15)
#define BM_ESR_WNR (1ULL << 6)

static uint64_t bm_now_ns(void *ctx)
{
    const struct bm_slot *slot = ctx;

    return slot->board->hooks->now_ns(slot->board->ctx);
}

static void bm_timer(void *ctx, uint64_t deadline_ns)
{
    struct bm_slot *slot = ctx;

    slot->deadline_ns = deadline_ns == 0U ? BM_NEVER : deadline_ns;
}

static void bm_event(void *ctx, enum avps_event code, uint64_t a, uint64_t b)
{
    const struct bm_slot *slot = ctx;

    if (slot->board->hooks->event != NULL) {
        slot->board->hooks->event(slot->board->ctx, slot->index, code, a, b);
    }
}

static void bm_wake(void *ctx)
{
    struct bm_slot *slot = ctx;

    slot->awake = true;
}

static void bm_set_level(void *ctx, uint32_t line, bool high)
{
    const struct bm_board *board = ctx;

    board->hooks->set_level(board->ctx, line, high);
}

static void bm_msi(void *ctx, uint32_t vector, uint64_t address, uint32_t data)
{
    const struct bm_board *board = ctx;

    (void)vector;
    board->hooks->message(board->ctx, address, data);
}

static const struct avps_sys_ops bm_sys_ops = {
    .now_ns = bm_now_ns, .timer = bm_timer, .event = bm_event};
static const struct avps_event_ops bm_event_ops = {.wake = bm_wake};
const struct avps_irq_ops bm_irq_ops = {.set_level = bm_set_level, .msi = bm_msi};

enum avps_status bm_board_init(struct bm_board *board, const struct bm_hooks *hooks, void *ctx,
                               uint64_t base, struct avps_mem_region ram)
{
    board->hooks = hooks;
    board->ctx = ctx;
    board->base = base;
    board->ram = ram;
    board->count = 0;
    return avps_mem_init_regions(&board->mem, &board->ram, 1U, NULL, NULL);
}

const struct avps_port *bm_port(struct bm_board *board)
{
    const uint32_t index = board->count < BM_DEVICES ? board->count : BM_DEVICES - 1U;
    struct bm_slot *slot = &board->slots[index];
    struct avps_port *port = &board->ports[index];

    slot->board = board;
    slot->index = index;
    slot->deadline_ns = BM_NEVER;
    port->event = &bm_event_ops;
    port->event_ctx = slot;
    port->sys = &bm_sys_ops;
    port->sys_ctx = slot;
    return port;
}

void bm_seat(struct bm_board *board, struct avps_device *device)
{
    board->slots[board->count].device = device;
    board->count++;
}

enum avps_status bm_attach(struct bm_board *board, struct avps_device *device)
{
    if (board->count == BM_DEVICES) {
        return AVPS_E_NOSPACE;
    }
    struct bm_slot *slot = &board->slots[board->count];
    const struct avps_mmio_config config = {.device = device,
                                            .irq = &bm_irq_ops,
                                            .irq_ctx = board,
                                            .irq_line = board->count,
                                            .vendor_id = 0x53505641U}; /* "AVPS" */
    const enum avps_status status = avps_mmio_init(&slot->mmio, &config);

    if (status == AVPS_OK) {
        bm_seat(board, device);
    }
    return status;
}

bool bm_decode(uint64_t esr, struct bm_access *access)
{
    access->width = 1U << ((esr >> 22) & 3U);
    access->reg = (uint32_t)(esr >> 16) & 31U;
    access->write = (esr & BM_ESR_WNR) != 0U;
    access->sign_extend = (esr & BM_ESR_SSE) != 0U;
    access->wide = (esr & BM_ESR_SF) != 0U;
    return (esr & BM_ESR_ISV) != 0U;
}

static uint64_t bm_mask(uint32_t width)
{
    return width == 8U ? UINT64_MAX : (1ULL << (width * 8U)) - 1U;
}

uint64_t bm_stored(const struct bm_access *access, const uint64_t x[31])
{
    return access->reg == 31U ? 0U : x[access->reg] & bm_mask(access->width);
}

void bm_loaded(const struct bm_access *access, uint64_t x[31], uint64_t value)
{
    const uint64_t sign = 1ULL << (access->width * 8U - 1U);

    value &= bm_mask(access->width);
    if (access->sign_extend && (value & sign) != 0U) {
        value |= ~bm_mask(access->width);
    }
    if (access->reg != 31U) {
        x[access->reg] = access->wide ? value : value & UINT32_MAX;
    }
}

void bm_guard(struct bm_board *board, const struct bm_guard *guard)
{
    board->slots[board->count - 1U].guard = guard;
}

static void bm_enter(const struct bm_slot *slot)
{
    if (slot->guard != NULL) {
        slot->guard->enter();
    }
}

static void bm_leave(const struct bm_slot *slot)
{
    if (slot->guard != NULL) {
        slot->guard->leave();
    }
}

bool bm_trap(struct bm_board *board, uint64_t ipa, const struct bm_access *access, uint64_t x[31])
{
    const uint64_t offset = ipa - board->base;

    if (ipa < board->base || offset / AVPS_MMIO_SIZE >= board->count) {
        return false;
    }
    struct bm_slot *slot = &board->slots[offset / AVPS_MMIO_SIZE];

    if (access->write && offset % AVPS_MMIO_SIZE == AVPS_MMIO_QUEUE_NOTIFY) { /* any context may */
        avps_mmio_write(&slot->mmio, AVPS_MMIO_QUEUE_NOTIFY, access->width, bm_stored(access, x));
        return true;
    }
    bm_enter(slot);
    if (access->write) {
        avps_mmio_write(&slot->mmio, offset % AVPS_MMIO_SIZE, access->width, bm_stored(access, x));
    } else {
        bm_loaded(access, x, avps_mmio_read(&slot->mmio, offset % AVPS_MMIO_SIZE, access->width));
    }
    bm_leave(slot);
    return true;
}

/* Serve one device if it rang, woke or its time came. @return true if it needs another turn. */
static bool bm_poll_slot(struct bm_slot *slot, uint32_t budget, uint64_t now)
{
    if (now >= slot->deadline_ns) {
        slot->deadline_ns = BM_NEVER;
        slot->awake = true;
    }
    if (!slot->awake && !avps_has_work(slot->device)) {
        return false;
    }
    bm_enter(slot);
    slot->awake = false;
    const bool more = avps_poll(slot->device, budget) == AVPS_POLL_MORE;

    bm_leave(slot);
    return more || slot->awake;
}

bool bm_poll(struct bm_board *board, uint32_t budget)
{
    const uint64_t now = board->hooks->now_ns(board->ctx);
    uint64_t next = BM_NEVER;
    bool more = false;

    for (uint32_t i = 0; i < board->count; i++) {
        more = bm_poll_slot(&board->slots[i], budget, now) || more;
    }
    for (uint32_t i = 0; i < board->count; i++) {
        const struct bm_slot *slot = &board->slots[i];
        const uint64_t deadline_ns = slot->deadline_ns;

        next = deadline_ns < next ? deadline_ns : next;
        more = more || slot->awake || avps_has_work(slot->device);
    }
    board->hooks->timer(board->ctx, more ? 0U : next);
    return more;
}

bool bm_reset(struct bm_board *board)
{
    bool done = true;

    for (uint32_t i = 0; i < board->count; i++) {
        struct bm_slot *slot = &board->slots[i];

        bm_enter(slot);
        done = avps_reset(slot->device) == AVPS_OK && done;
        slot->deadline_ns = BM_NEVER;
        bm_leave(slot);
    }
    return done;
}
