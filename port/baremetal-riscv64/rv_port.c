/* SPDX-License-Identifier: BSD-3-Clause */
/* Interrupts -> events and time -> memory -> devices -> traps -> polling, as in port/template. */
#include "rv_port.h"

#include "rv_decode.h"

/* [interrupt] */
static void rv_set_level(void *ctx, uint32_t line, bool high)
{
    struct rv_guest *guest = ctx;
    const uint32_t bit = 1U << line;

    guest->lines = high ? guest->lines | bit : guest->lines & ~bit;
    guest->hooks->external(guest->ctx, guest->lines != 0U);
}

static const struct avps_irq_ops rv_irq_ops = {.set_level = rv_set_level};
/* [interrupt] */

static void rv_wake(void *ctx)
{
    struct rv_guest *guest = ctx;

    guest->awake = true;
}

static const struct avps_event_ops rv_event_ops = {.wake = rv_wake};

static uint64_t rv_now_ns(void *ctx)
{
    const struct rv_guest *guest = ctx;

    return guest->hooks->now_ns(guest->ctx);
}

static void rv_event(void *ctx, enum avps_event code, uint64_t a, uint64_t b)
{
    const struct rv_guest *guest = ctx;

    guest->hooks->event(guest->ctx, code, a, b);
}

static const struct avps_sys_ops rv_sys_ops = {.now_ns = rv_now_ns, .event = rv_event};

enum avps_status rv_init(struct rv_guest *guest, const struct rv_hooks *hooks, void *ctx,
                         uint64_t base, struct avps_mem_region ram)
{
    *guest = (struct rv_guest){.hooks = hooks, .ctx = ctx, .base = base, .ram = ram};
    guest->port = (struct avps_port){
        .event = &rv_event_ops, .event_ctx = guest, .sys = &rv_sys_ops, .sys_ctx = guest};
    return avps_mem_init_regions(&guest->mem, &guest->ram, 1U, NULL, NULL);
}

enum avps_status rv_add(struct rv_guest *guest, struct avps_device *device)
{
    if (guest->count == RV_DEVICES) {
        return AVPS_E_NOSPACE;
    }
    const struct avps_mmio_config config = {
        .device = device, .irq = &rv_irq_ops, .irq_ctx = guest, .irq_line = guest->count};
    const enum avps_status status = avps_mmio_init(&guest->windows[guest->count], &config);

    if (status == AVPS_OK) {
        guest->devices[guest->count] = device;
        guest->count++;
    }
    return status;
}

/* [trap] */
uint32_t rv_trap(struct rv_guest *guest, uint64_t gpa, uint32_t insn, uint64_t x[32])
{
    const uint64_t offset = gpa - guest->base;
    struct rv_access access;

    if (gpa < guest->base || offset / AVPS_MMIO_SIZE >= guest->count || !rv_decode(insn, &access)) {
        return 0;
    }
    struct avps_mmio *window = &guest->windows[offset / AVPS_MMIO_SIZE];

    if (access.write) {
        avps_mmio_write(window, offset % AVPS_MMIO_SIZE, access.width, rv_stored(&access, x));
    } else {
        rv_loaded(&access, x, avps_mmio_read(window, offset % AVPS_MMIO_SIZE, access.width));
    }
    return access.length;
}
/* [trap] */

/* [poll] */
bool rv_poll(struct rv_guest *guest, uint32_t budget)
{
    bool more = false;

    guest->awake = false;
    for (uint32_t i = 0; i < guest->count; i++) {
        more = avps_poll(guest->devices[i], budget) == AVPS_POLL_MORE || more;
    }
    return more || guest->awake;
}
/* [poll] */
