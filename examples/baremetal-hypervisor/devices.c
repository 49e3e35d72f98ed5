/* SPDX-License-Identifier: BSD-3-Clause */
/* One device of each kind behind the board; then time, interrupts and the service loop. */
#include "devices.h"

#include <stddef.h>

#include "arch.h"
#include "entropy.h"
#include "gic.h"
#include "guest_map.h"
#include "terminal.h"
#include "uart.h"

#define DEVICES_QUEUE_SIZE 256U
#define DEVICES_PORTS      2U
#define DEVICES_BUDGET     64U /* chains per device and turn */
#define DEVICES_TURNS      64U /* turns before the guest runs again */

#define DEVICES_ENTROPY_SEED  0x6c69626176707321ULL
#define DEVICES_ENTROPY_FIRST 8192U /* bytes before the source runs dry */

struct devices {
    struct bm_board board;
    struct avps_features withhold;

    struct avps_console console;
    struct avps_console_port console_port[DEVICES_PORTS];
    struct avps_queue console_queue[2U * DEVICES_PORTS + 2U];
    struct terminal terminal;

    struct avps_rng rng;
    struct avps_queue rng_queue[1];
    struct entropy entropy;
};

static struct devices devices;

struct bm_board *devices_board(void)
{
    return &devices.board;
}

/* The next interrupt of the hypervisor's timer: for the devices, or to refill the entropy source. */
static void devices_timer(uint64_t ticks)
{
    const uint64_t refill = devices.entropy.refill_at;
    const uint64_t next = refill < ticks ? refill : ticks;

    arch_write_cnthp_cval_el2(next);
    arch_write_cnthp_ctl_el2(next == UINT64_MAX ? 0U : 1U);
}

static const struct bm_hooks devices_hooks = {.set_level = gic_set_level, .timer = devices_timer};

/* What all devices share. */
static struct avps_device_config devices_base(struct avps_queue *queues, uint16_t count)
{
    const struct avps_device_config base = {.mem = &devices.board.mem,
                                            .port = bm_port(&devices.board),
                                            .queues = queues,
                                            .queue_count = count,
                                            .queue_size_max = DEVICES_QUEUE_SIZE,
                                            .withhold = devices.withhold};

    return base;
}

static enum avps_status devices_add_rng(void)
{
    const struct avps_rng_config config = {
        .base = devices_base(devices.rng_queue, 1U), .ops = &entropy_ops, .ctx = &devices.entropy};
    const enum avps_status status = avps_rng_init(&devices.rng, &config);

    entropy_init(&devices.entropy, DEVICES_ENTROPY_SEED, DEVICES_ENTROPY_FIRST);
    return status != AVPS_OK ? status : bm_attach(&devices.board, &devices.rng.base);
}

static enum avps_status devices_add_console(void)
{
    const struct avps_console_config config = {
        .base = devices_base(devices.console_queue, 2U * DEVICES_PORTS + 2U),
        .port0 = terminal_port0(&devices.terminal),
        .ports = devices.console_port,
        .max_ports = DEVICES_PORTS,
        .multiport = true};
    const struct avps_console_port_config bulk = terminal_port1(&devices.terminal);
    enum avps_status status = avps_console_init(&devices.console, &config);

    devices.terminal.console = &devices.console;
    if (status == AVPS_OK) {
        status = avps_console_add_port(&devices.console, TERMINAL_BULK, &bulk);
    }
    return status != AVPS_OK ? status : bm_attach(&devices.board, &devices.console.base);
}

bool devices_init(const struct host *host, uint64_t ram_size)
{
    const struct avps_mem_region ram = {.gpa = GUEST_RAM,
                                        .size = ram_size,
                                        .host = (uint8_t *)HOST_GUEST_RAM,
                                        .access = AVPS_ACCESS_RW};

    if (!host_option(host, "ring=packed")) {
        avps_features_add(&devices.withhold, AVPS_F_RING_PACKED);
    }
    return bm_board_init(&devices.board, &devices_hooks, GUEST_VIRTIO, ram) == AVPS_OK &&
           devices_add_console() == AVPS_OK && devices_add_rng() == AVPS_OK;
}

void devices_interrupt(uint32_t intid)
{
    if (intid == GIC_PPI_HYP_TIMER) {
        arch_write_cnthp_ctl_el2(0U); /* devices_run arms it again */
    } else if (intid >= GIC_SPI_BASE) {
        terminal_typed(&devices.terminal);
    }
}

void devices_run(void)
{
    if (entropy_refill(&devices.entropy, arch_read_cntpct_el0())) {
        avps_rng_refilled(&devices.rng);
    }
    for (uint32_t turn = 0; turn < DEVICES_TURNS; turn++) {
        const bool more = bm_poll(&devices.board, DEVICES_BUDGET);

        terminal_pump(&devices.terminal);
        if (!more) {
            break;
        }
    }
}

static void devices_report_rng(void)
{
    const struct avps_rng_counters *counters = avps_rng_counters(&devices.rng);

    uart_begin();
    uart_text("report rng");
    uart_field("bytes", counters->bytes);
    uart_field("requests", counters->requests);
    uart_field("shortened", counters->shortened);
    uart_field("starved", counters->starved);
    uart_field("outages", devices.entropy.outages);
    uart_end();
}

static void devices_report_console(void)
{
    const struct avps_console_counters *counters = avps_console_counters(&devices.console);
    const struct avps_console_port_counters *bulk =
        avps_console_port_counters(&devices.console, TERMINAL_BULK);

    uart_begin();
    uart_text("report console");
    uart_field("answers", devices.terminal.answers);
    uart_field("echoed", devices.terminal.echoed);
    uart_field("blocked", bulk->blocked);
    uart_field("starved", bulk->starved);
    uart_field("control_in", counters->control_in);
    uart_field("control_out", counters->control_out);
    uart_field("ignored", counters->ignored);
    uart_end();
}

void devices_report(void)
{
    devices_report_console();
    devices_report_rng();
}
