/* SPDX-License-Identifier: BSD-3-Clause */
/* The template: memory -> interrupts -> events and time -> devices -> traps -> polling. The marked
 * parts are what docs/porting.md shows. */
#include "port.h"

#include "hypervisor.h"

static uint32_t guest_id(const void *ctx)
{
    const struct template_guest *guest = ctx;

    return guest->id;
}

/* [interrupt] */
static void set_level(void *ctx, uint32_t line, bool high)
{
    hv_set_irq(guest_id(ctx), line, high);
}

static const struct avps_irq_ops irq_ops = {.set_level = set_level};
/* [interrupt] */

/* [wake] */
static void wake(void *ctx)
{
    hv_schedule(guest_id(ctx)); /* its context calls template_poll; not from here */
}

static const struct avps_event_ops event_ops = {.wake = wake};
/* [wake] */

/* [clock] */
static uint64_t now_ns(void *ctx)
{
    (void)ctx;
    return hv_now_ns();
}

static void event(void *ctx, enum avps_event code, uint64_t a, uint64_t b)
{
    hv_trace(guest_id(ctx), (uint32_t)code, a, b);
}

static const struct avps_sys_ops sys_ops = {.now_ns = now_ns, .event = event};
/* [clock] */

/* [memory] */
enum avps_status template_init(struct template_guest *guest, uint32_t id,
                               const struct avps_mem_region *ram, uint32_t count)
{
    guest->id = id;
    guest->count = 0;
    guest->port = (struct avps_port){
        .event = &event_ops, .event_ctx = guest, .sys = &sys_ops, .sys_ctx = guest};
    return avps_mem_init_regions(&guest->mem, ram, count, NULL, NULL);
}
/* [memory] */

/* [device] */
enum avps_status template_add(struct template_guest *guest, struct avps_device *device,
                              uint64_t gpa, uint32_t line)
{
    if (guest->count == TEMPLATE_DEVICES) {
        return AVPS_E_NOSPACE;
    }
    struct template_window *window = &guest->windows[guest->count];
    const struct avps_mmio_config config = {
        .device = device, .irq = &irq_ops, .irq_ctx = guest, .irq_line = line};
    const enum avps_status status = avps_mmio_init(&window->mmio, &config);

    if (status == AVPS_OK) {
        window->gpa = gpa;
        window->device = device;
        guest->count++;
    }
    return status;
}
/* [device] */

/* [trap] */
bool template_access(struct template_guest *guest, struct template_trap *trap)
{
    for (uint32_t i = 0; i < guest->count; i++) {
        struct template_window *window = &guest->windows[i];
        const uint64_t offset = trap->gpa - window->gpa;

        if (offset >= AVPS_MMIO_SIZE) {
            continue;
        }
        if (trap->is_write) {
            avps_mmio_write(&window->mmio, offset, trap->width, trap->value);
        } else {
            trap->value = avps_mmio_read(&window->mmio, offset, trap->width);
        }
        if (avps_has_work(window->device)) {
            hv_schedule(guest->id);
        }
        return true;
    }
    return false;
}
/* [trap] */

/* [poll] */
bool template_poll(struct template_guest *guest, uint32_t budget)
{
    bool more = false;

    for (uint32_t i = 0; i < guest->count; i++) {
        more = avps_poll(guest->windows[i].device, budget) == AVPS_POLL_MORE || more;
    }
    return more;
}
/* [poll] */
