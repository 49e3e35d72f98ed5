/* SPDX-License-Identifier: BSD-3-Clause */
/* Hooks of the port; making devices; accesses; the service loop; restart and report. */
#include "devices.h"

#include <stddef.h>
#include <string.h>

#include "avps_common/platform_apply.h"
#include "clock.h"
#include "guest.h"
#include "guest_map.h"
#include "interrupt.h"
#include "report.h"
#include "uart.h"

#define DEVICES_EVENTS 32U /* lines about faults at most, per guest */
#define DEVICES_TURNS  64U /* turns before the guest runs again */
#define DEVICES_SECOND 1000000000ULL

static uint64_t devices_live_ns; /* between two live reports; 0: there are none */

static const struct devices_kind *const devices_kinds[] = {
    [AVPS_PLATFORM_BLK] = &disk_kind,         [AVPS_PLATFORM_NET] = &network_kind,
    [AVPS_PLATFORM_CONSOLE] = &terminal_kind, [AVPS_PLATFORM_RNG] = &entropy_kind,
    [AVPS_PLATFORM_I2C] = &i2c_kind,          [AVPS_PLATFORM_VSOCK] = &vsock_kind,
};

/* ---- hooks: their context is a group ---- */

static void devices_level(void *ctx, uint32_t line, bool high)
{
    const struct devices_group *group = ctx;

    interrupt_level(group->guest, group->first_line + line, high);
}

static uint64_t devices_now_ns(void *ctx)
{
    (void)ctx;
    return clock_now_ns();
}

static void devices_timer(void *ctx, uint64_t deadline_ns)
{
    struct devices_group *group = ctx;

    group->deadline_ns = deadline_ns;
}

/* Say when a guest's driver goes wrong; a guest can cause it at will, so not for ever. */
static void devices_event(void *ctx, uint32_t device, enum avps_event code, uint64_t a, uint64_t b)
{
    struct devices_group *group = ctx;
    struct guest *guest = group->guest;
    const bool fault = code == AVPS_EVENT_QUEUE_FAULT || code == AVPS_EVENT_DEVICE_FAULT ||
                       code == AVPS_EVENT_QUEUE_REFUSED || code == AVPS_EVENT_FEATURES_REFUSED;

    avps_stats_note(&group->events[device], code, a, b);
    if (!fault || guest->events_said >= DEVICES_EVENTS) {
        return;
    }
    guest->events_said++;
    uart_begin();
    uart_text("guest fault");
    uart_field("slot", device);
    uart_field("event", (uint64_t)code);
    uart_field("a", a);
    uart_field("b", b);
    report_end(guest);
}

static void devices_message(void *ctx, uint64_t address, uint32_t data)
{
    interrupt_message(((const struct devices_group *)ctx)->guest, address, data);
}

static const struct bm_hooks devices_hooks = {.set_level = devices_level,
                                              .now_ns = devices_now_ns,
                                              .timer = devices_timer,
                                              .event = devices_event,
                                              .message = devices_message};

/* ---- making devices ---- */

static enum avps_status devices_add_group(struct guest *guest, uint32_t index)
{
    struct devices_group *group = &guest->devices.groups[index];
    const struct avps_mem_region ram = {.gpa = GUEST_RAM,
                                        .size = guest->ram_size,
                                        .host = (uint8_t *)(uintptr_t)guest->ram,
                                        .access = AVPS_ACCESS_RW};

    group->guest = guest;
    group->first_line = index * BM_DEVICES;
    group->deadline_ns = CLOCK_NEVER;
    const enum avps_status status = bm_board_init(
        &group->board, &devices_hooks, group, GUEST_VIRTIO, avps_platform_reach(guest->plan, ram));

    if (status != AVPS_OK || guest->plan->dma_window_mib == 0U) {
        return status;
    }
    return avps_mem_init_window(&group->board.mem, &group->board.ram, NULL, NULL);
}

static enum avps_status devices_add_part(struct guest *guest, struct devices_part *part,
                                         const struct avps_platform_device *plan)
{
    part->kind = devices_kinds[plan->kind];
    part->guest = guest;
    part->plan = plan;
    part->board = &guest->devices.groups[plan->transport].board;
    return part->kind->add(part);
}

const char *devices_init(struct guest *guest)
{
    static const struct bm_pci_map map = {
        .ecam = GUEST_ECAM, .memory = GUEST_PCI, .memory_size = GUEST_PCI_SIZE};
    struct devices *all = &guest->devices;

    for (uint32_t i = 0; i < DEVICES_GROUPS; i++) {
        if (devices_add_group(guest, i) != AVPS_OK) {
            return "board";
        }
    }
    if (bm_pci_init(&all->bus, &all->groups[AVPS_PLATFORM_PCI].board, map) != AVPS_OK) {
        return "bus";
    }
    for (uint32_t i = 0; i < guest->plan->device_count; i++) {
        const struct avps_platform_device *plan = &guest->plan->devices[i];

        if (all->count == DEVICES_MAX ||
            devices_add_part(guest, &all->parts[all->count], plan) != AVPS_OK) {
            return plan->name;
        }
        all->count++;
    }
    return NULL;
}

struct avps_device_config devices_base(struct devices_part *part, struct avps_queue *queues)
{
    const struct avps_device_config base = {
        .mem = &part->board->mem, .port = bm_port(part->board), .queues = queues};

    return base;
}

static void devices_name(struct devices_part *part)
{
    const char *guest = part->guest->plan->name;
    const size_t length = strlen(guest);

    (void)memcpy(part->name, guest, length);
    part->name[length] = '/';
    (void)memcpy(&part->name[length + 1U], part->plan->name, strlen(part->plan->name) + 1U);
}

/* The part that is being made has the device in the board's last slot. */
static void devices_count(struct devices_part *part, const struct avps_device *device)
{
    struct devices *all = &part->guest->devices;
    struct devices_group *group = &all->groups[part->plan->transport];

    devices_name(part);
    all->stats[all->count] =
        (struct avps_stats_device){part->name, device, &group->events[group->board.count - 1U]};
}

/* What the platform names has to be there. */
enum avps_status devices_attach(struct devices_part *part, struct avps_device *device)
{
    const enum avps_status status = part->plan->transport == AVPS_PLATFORM_PCI
                                        ? bm_pci_attach(&part->guest->devices.bus, device)
                                        : bm_attach(part->board, device);

    if (status == AVPS_OK) {
        devices_count(part, device);
    }
    if (status == AVPS_OK && avps_platform_missing(part->plan, device) != NULL) {
        return AVPS_E_UNSUPPORTED;
    }
    return status;
}

/* ---- running ---- */

bool devices_trap(struct guest *guest, uint64_t ipa, const struct bm_access *access, uint64_t x[31])
{
    struct devices *all = &guest->devices;

    return bm_trap(&all->groups[AVPS_PLATFORM_MMIO].board, ipa, access, x) ||
           (all->groups[AVPS_PLATFORM_PCI].board.count != 0U &&
            bm_pci_trap(&all->bus, ipa, access, x));
}

/* Chains per device and turn: of a guest's devices the smallest number counts. */
static uint32_t devices_budget(const struct devices *all)
{
    uint32_t budget = all->parts[0].plan->budget;

    for (uint32_t i = 1; i < all->count; i++) {
        budget = all->parts[i].plan->budget < budget ? all->parts[i].plan->budget : budget;
    }
    return budget;
}

static bool devices_poll(struct devices *all)
{
    const uint32_t budget = devices_budget(all);
    bool more = false;

    for (uint32_t i = 0; i < all->count; i++) {
        all->parts[i].kind->run(&all->parts[i]);
    }
    for (uint32_t i = 0; i < DEVICES_GROUPS; i++) {
        more = bm_poll(&all->groups[i].board, budget) || more;
    }
    return more;
}

/* The calling CPU's timer is for whatever of the guest's devices is due first. */
static void devices_arm(const struct devices *all)
{
    uint64_t first = CLOCK_NEVER;

    for (uint32_t i = 0; i < DEVICES_GROUPS; i++) {
        first = all->groups[i].deadline_ns < first ? all->groups[i].deadline_ns : first;
    }
    if (devices_live_ns != 0U) {
        first = all->live_ns < first ? all->live_ns : first;
    }
    for (uint32_t i = 0; i < all->count; i++) {
        const uint64_t due = all->parts[i].kind->due_ns(&all->parts[i]);

        first = due < first ? due : first;
    }
    clock_arm(first);
}

/* ---- live reports ---- */

void devices_report_live(uint32_t seconds)
{
    devices_live_ns = seconds * DEVICES_SECOND;
}

/* Of the guests that run, the first ends a report, on the devices of all. */
static bool devices_is_first(const struct guest *guest, uint32_t *count)
{
    bool first = true;

    *count = 0;
    for (uint32_t i = 0; i < guest_count(); i++) {
        const bool runs = guest_at(i) == guest || guest_is_running(guest_at(i));

        first = first && (!runs || guest->number <= i);
        *count += runs ? guest_at(i)->devices.count : 0U;
    }
    return first;
}

/* Each guest's devices are reported in their own context, all at the same time; the end comes with the next
 * lines of the first guest. */
static void devices_live(struct guest *guest)
{
    struct devices *all = &guest->devices;
    uint32_t count = 0;

    if (devices_live_ns == 0U || clock_now_ns() < all->live_ns) {
        return;
    }
    if (all->live_ns != 0U && devices_is_first(guest, &count)) {
        report_devices_end(count);
    }
    report_devices(all->stats, all->count);
    all->live_ns = (clock_now_ns() / devices_live_ns + 1U) * devices_live_ns;
}

void devices_run(struct guest *guest)
{
    struct devices *all = &guest->devices;
    bool more = all->count != 0U;

    for (uint32_t turn = 0; turn < DEVICES_TURNS && more; turn++) {
        more = devices_poll(all);
    }
    devices_live(guest);
    devices_arm(all);
}

/* ---- restart and report ---- */

/* Requests that a back end cannot cancel at once are waited for: their time is bounded. */
void devices_restart(struct guest *guest)
{
    struct devices *all = &guest->devices;

    while (!bm_reset(&all->groups[AVPS_PLATFORM_MMIO].board) || !bm_pci_reset(&all->bus)) {
        (void)devices_poll(all);
    }
    for (uint32_t i = 0; i < all->count; i++) {
        all->parts[i].kind->restart(&all->parts[i]);
    }
}

void devices_report(struct guest *guest)
{
    const struct devices *all = &guest->devices;

    report_devices(all->stats, all->count);
    report_devices_end(all->count);
    for (uint32_t i = 0; i < all->count; i++) {
        all->parts[i].kind->report(&all->parts[i]);
    }
}
