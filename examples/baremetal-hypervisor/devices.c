/* SPDX-License-Identifier: BSD-3-Clause */
/* One device of each kind behind the board; then time, interrupts and the service loop. */
#include "devices.h"

#include <stddef.h>

#include "arch.h"
#include "entropy.h"
#include "gic.h"
#include "guest_map.h"
#include "uart.h"

#define DEVICES_QUEUE_SIZE 256U
#define DEVICES_BUDGET     64U /* chains per device and turn */
#define DEVICES_TURNS      64U /* turns before the guest runs again */

#define DEVICES_ENTROPY_SEED  0x6c69626176707321ULL
#define DEVICES_ENTROPY_FIRST 8192U /* bytes before the source runs dry */

struct devices {
    struct bm_board board;
    struct avps_features withhold;

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
           devices_add_rng() == AVPS_OK;
}

void devices_interrupt(uint32_t intid)
{
    if (intid == GIC_PPI_HYP_TIMER) {
        arch_write_cnthp_ctl_el2(0U); /* devices_run arms it again */
    }
}

void devices_run(void)
{
    if (entropy_refill(&devices.entropy, arch_read_cntpct_el0())) {
        avps_rng_refilled(&devices.rng);
    }
    for (uint32_t turn = 0; turn < DEVICES_TURNS; turn++) {
        if (!bm_poll(&devices.board, DEVICES_BUDGET)) {
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

void devices_report(void)
{
    devices_report_rng();
}
