/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of devices; making them; then time, interrupts and the service loop. */
#include "devices.h"

#include "clock.h"
#include "disk.h"
#include "entropy.h"
#include "gic.h"
#include "guest_map.h"
#include "network.h"
#include "terminal.h"
#include "transport.h"
#include "uart.h"
#include "v2m.h"

#define DEVICES_QUEUE_SIZE 256U
#define DEVICES_BUDGET     64U /* chains per device and turn */
#define DEVICES_EVENTS     32U /* lines about faults at most */
#define DEVICES_TURNS      64U /* turns before the guest runs again */

struct devices_row {
    enum avps_status (*add)(void);
    void (*run)(void);        /* serve the back end; after every turn */
    uint64_t (*due_ns)(void); /* when it must run next at the latest */
    void (*report)(void);
};

static const struct devices_row devices_table[] = {
    {disk_add, disk_run, disk_due_ns, disk_report},
    {network_add, network_run, network_due_ns, network_report},
    {terminal_add, terminal_run, terminal_due_ns, terminal_report},
    {entropy_add, entropy_run, entropy_due_ns, entropy_report},
};

#define DEVICES_COUNT (sizeof devices_table / sizeof devices_table[0])

static struct bm_board devices_all;
static struct avps_features devices_withhold;

struct bm_board *devices_board(void)
{
    return &devices_all;
}

struct avps_device_config devices_base(struct avps_queue *queues, uint16_t count)
{
    const struct avps_device_config base = {.mem = &devices_all.mem,
                                            .port = bm_port(&devices_all),
                                            .queues = queues,
                                            .queue_count = count,
                                            .queue_size_max = DEVICES_QUEUE_SIZE,
                                            .withhold = devices_withhold};

    return base;
}

/* The port asks for `deadline_ns`; a back end may need the timer earlier. */
static void devices_timer(uint64_t deadline_ns)
{
    for (uint32_t i = 0; i < DEVICES_COUNT; i++) {
        const uint64_t due = devices_table[i].due_ns();

        deadline_ns = due < deadline_ns ? due : deadline_ns;
    }
    clock_arm(deadline_ns);
}

/* Say when a guest's driver goes wrong; a guest can cause it at will, so not for ever. */
static void devices_event(uint32_t device, enum avps_event code, uint64_t a, uint64_t b)
{
    static uint32_t said;
    const bool fault = code == AVPS_EVENT_QUEUE_FAULT || code == AVPS_EVENT_DEVICE_FAULT ||
                       code == AVPS_EVENT_QUEUE_REFUSED || code == AVPS_EVENT_FEATURES_REFUSED;

    if (!fault || said == DEVICES_EVENTS) {
        return;
    }
    said++;
    uart_begin();
    uart_text("guest fault");
    uart_field("slot", device);
    uart_field("event", (uint64_t)code);
    uart_field("a", a);
    uart_field("b", b);
    uart_end();
}

static const struct bm_hooks devices_hooks = {.set_level = gic_set_level,
                                              .now_ns = clock_now_ns,
                                              .timer = devices_timer,
                                              .event = devices_event,
                                              .message = v2m_send};

bool devices_init(const struct host *host, uint64_t ram_size)
{
    const struct avps_mem_region ram = {.gpa = GUEST_RAM,
                                        .size = ram_size,
                                        .host = (uint8_t *)HOST_GUEST_RAM,
                                        .access = AVPS_ACCESS_RW};

    if (!host_option(host, "ring=packed")) {
        avps_features_add(&devices_withhold, AVPS_F_RING_PACKED);
    }
    bool made = bm_board_init(&devices_all, &devices_hooks, GUEST_VIRTIO, ram) == AVPS_OK &&
                transport_init(host, &devices_all) == AVPS_OK;

    for (uint32_t i = 0; i < DEVICES_COUNT; i++) {
        made = made && devices_table[i].add() == AVPS_OK;
    }
    return made;
}

void devices_interrupt(uint32_t intid)
{
    if (intid == GIC_PPI_HYP_TIMER) {
        clock_quiet(); /* devices_run arms it again */
    } else if (intid >= GIC_SPI_BASE) {
        terminal_typed();
    }
}

void devices_run(void)
{
    bool more = true;

    for (uint32_t turn = 0; turn < DEVICES_TURNS && more; turn++) {
        for (uint32_t i = 0; i < DEVICES_COUNT; i++) {
            devices_table[i].run();
        }
        more = bm_poll(&devices_all, DEVICES_BUDGET);
    }
}

void devices_report(void)
{
    for (uint32_t i = 0; i < DEVICES_COUNT; i++) {
        devices_table[i].report();
    }
}
