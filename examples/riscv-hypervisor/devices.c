/* SPDX-License-Identifier: BSD-3-Clause */
/* Hooks of the port -> console -> entropy -> set-up -> service -> report. */
#include "devices.h"

#include "avps/console.h"
#include "avps/rng.h"
#include "avps_common/stats.h"
#include "avps_sim/entropy.h"
#include "clock.h"
#include "csr.h"
#include "guest_map.h"
#include "uart.h"

#define DEVICES_QUEUE_SIZE 64U
#define DEVICES_BUDGET     16U /* chains per queue and turn */
#define DEVICES_TURNS      16U /* turns before the guest runs again */
#define DEVICES_EVENTS     64U /* lines about faults at most */

#define CONSOLE_COLS 132U
#define CONSOLE_ROWS 43U
#define CONSOLE_KEYS 64U

#define ENTROPY_SEED      0x6c69626176707321ULL
#define ENTROPY_FIRST     8212U         /* bytes before it runs dry, in the middle of a request */
#define ENTROPY_REFILL    0x1000000000U /* bytes that come then */
#define ENTROPY_OUTAGE_NS 20000000U

struct devices {
    struct rv_guest guest;
    struct avps_console console;
    struct avps_console_port port;
    struct avps_queue console_queues[2];
    uint8_t keys[CONSOLE_KEYS]; /* typed, on the way to the guest */
    uint32_t key_count;
    struct avps_rng rng;
    struct avps_queue rng_queue;
    struct avps_sim_entropy source;
    uint64_t dry_since_ns; /* 0: it is not */
    uint64_t outages;
    uint32_t events;
};

static struct devices devices;

/* ---- hooks ---- */

static void devices_external(void *ctx, bool high)
{
    (void)ctx;
    csr_write_hvip(high ? VS_EXTERNAL : 0U);
}

static uint64_t devices_now_ns(void *ctx)
{
    (void)ctx;
    return clock_now_ns();
}

/* Say when the guest's driver goes wrong; a guest can cause it at will, so not for ever. */
static void devices_event(void *ctx, enum avps_event code, uint64_t a, uint64_t b)
{
    struct devices *all = ctx;
    const bool fault = code == AVPS_EVENT_QUEUE_FAULT || code == AVPS_EVENT_DEVICE_FAULT ||
                       code == AVPS_EVENT_QUEUE_REFUSED || code == AVPS_EVENT_FEATURES_REFUSED;

    if (fault && all->events < DEVICES_EVENTS) {
        all->events++;
        uart_begin("guest fault: ");
        uart_text(avps_event_name(code));
        uart_field_hex("a", a);
        uart_field_hex("b", b);
        uart_end();
    }
}

static const struct rv_hooks devices_hooks = {
    .external = devices_external, .now_ns = devices_now_ns, .event = devices_event};

/* ---- console ---- */

static enum avps_status console_output(void *ctx, uint32_t port, const uint8_t *bytes, uint32_t len,
                                       uint32_t *taken)
{
    (void)ctx;
    (void)port;
    uart_write(bytes, len);
    *taken = len;
    return AVPS_OK;
}

static void console_emergency(void *ctx, uint8_t byte)
{
    (void)ctx;
    uart_write(&byte, 1U);
}

static const struct avps_console_ops console_ops = {.output = console_output,
                                                    .emergency = console_emergency};

/* What the guest does not take stays in the UART: QEMU then reads no more. */
static void console_run(void)
{
    uint32_t taken = 0;

    while (devices.key_count < CONSOLE_KEYS && uart_read(&devices.keys[devices.key_count])) {
        devices.key_count++;
    }
    if (devices.key_count == 0U) {
        return;
    }
    /* What was taken counts, whatever the status. */
    (void)(avps_console_input(&devices.console, 0U, devices.keys, devices.key_count, &taken) ==
           AVPS_OK);
    devices.key_count -= taken;
    for (uint32_t i = 0; i < devices.key_count; i++) {
        devices.keys[i] = devices.keys[taken + i];
    }
}

/* ---- entropy ---- */

/* The source is empty once; after a while it has bytes again, and the request that waits is served. */
static void entropy_run(void)
{
    if (avps_sim_entropy_left(&devices.source) != 0U) {
        return;
    }
    if (devices.dry_since_ns == 0U) {
        devices.dry_since_ns = clock_now_ns();
        devices.outages++;
    } else if (clock_now_ns() - devices.dry_since_ns >= ENTROPY_OUTAGE_NS) {
        devices.dry_since_ns = 0;
        avps_sim_entropy_refill(&devices.source, ENTROPY_REFILL);
        avps_rng_refilled(&devices.rng);
    }
}

/* ---- set-up ---- */

static struct avps_device_config devices_base(struct avps_queue *queues, uint16_t count)
{
    return (struct avps_device_config){.mem = &devices.guest.mem,
                                       .port = &devices.guest.port,
                                       .queues = queues,
                                       .queue_count = count,
                                       .queue_size_max = DEVICES_QUEUE_SIZE};
}

static enum avps_status console_add(void)
{
    const struct avps_console_config config = {.base = devices_base(devices.console_queues, 2U),
                                               .port0 = {.ops = &console_ops,
                                                         .cols = CONSOLE_COLS,
                                                         .rows = CONSOLE_ROWS,
                                                         .console = true,
                                                         .open = true},
                                               .ports = &devices.port,
                                               .max_ports = 1U};
    const enum avps_status status = avps_console_init(&devices.console, &config);

    return status == AVPS_OK ? rv_add(&devices.guest, &devices.console.base) : status;
}

/* [entropy] */
static enum avps_status entropy_add(void)
{
    const struct avps_rng_config config = {.base = devices_base(&devices.rng_queue, 1U),
                                           .ops = avps_sim_entropy_ops(),
                                           .ctx = &devices.source};
    const enum avps_status status = avps_rng_init(&devices.rng, &config);

    avps_sim_entropy_init(&devices.source, ENTROPY_SEED, ENTROPY_FIRST);
    return status == AVPS_OK ? rv_add(&devices.guest, &devices.rng.base) : status;
}
/* [entropy] */

bool devices_init(uint8_t *ram) /* NOLINT(readability-non-const-parameter) */
{
    const struct avps_mem_region region = {
        .gpa = GUEST_RAM, .size = GUEST_RAM_SIZE, .host = ram, .access = AVPS_ACCESS_RW};

    return rv_init(&devices.guest, &devices_hooks, &devices, GUEST_VIRTIO, region) == AVPS_OK &&
           console_add() == AVPS_OK && entropy_add() == AVPS_OK;
}

struct rv_guest *devices_guest(void)
{
    return &devices.guest;
}

/* ---- service ---- */

void devices_run(void)
{
    bool more = true;

    console_run();
    entropy_run();
    for (uint32_t turn = 0; turn < DEVICES_TURNS && more; turn++) {
        more = rv_poll(&devices.guest, DEVICES_BUDGET);
    }
}

/* Neither device keeps requests, so a reset is complete at once. */
void devices_reset(void)
{
    for (uint32_t i = 0; i < devices.guest.count; i++) {
        (void)(avps_reset(devices.guest.devices[i]) == AVPS_OK);
    }
}

/* ---- report ---- */

static void report_all(void)
{
    const struct avps_stats_device all[] = {
        {.name = "console", .device = &devices.console.base},
        {.name = "entropy", .device = &devices.rng.base},
    };
    char text[AVPS_STATS_LINE];
    struct avps_stats stats;

    avps_stats_begin(&stats, all, sizeof all / sizeof all[0]);
    while (avps_stats_next(&stats, text, sizeof text)) {
        uart_begin("report ");
        uart_text(text);
        uart_end();
    }
}

void devices_report(void)
{
    const struct avps_rng_counters *rng = avps_rng_counters(&devices.rng);
    const struct avps_console_port_counters *console =
        avps_console_port_counters(&devices.console, 0U);

    report_all();
    uart_begin("report source");
    uart_field("bytes", rng->bytes);
    uart_field("requests", rng->requests);
    uart_field("starved", rng->starved);
    uart_field("outages", devices.outages);
    uart_end();
    uart_begin("report terminal");
    uart_field("output", console->output);
    uart_field("input", console->input);
    uart_field("starved", console->starved);
    uart_end();
}
