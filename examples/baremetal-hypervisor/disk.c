/* SPDX-License-Identifier: BSD-3-Clause */
/* libavps' block device over its simulated RAM disk; requests wait in the back end for their time. */
#include "disk.h"

#include <string.h>

#include "avps/blk.h"
#include "avps_sim/ramdisk.h"
#include "clock.h"
#include "devices.h"
#include "guest_map.h"
#include "transport.h"
#include "uart.h"

#define DISK_SECTORS    131072U /* 64 MiB */
#define DISK_REQUESTS   32U
#define DISK_LATENCY_NS 50000U
#define DISK_ID         "libavps-ram-disk"

/* The last MiB but its second half cannot be read, so that the guest meets an error. */
#define DISK_BAD_SECTOR (DISK_SECTORS - 2048U)
#define DISK_BAD_COUNT  1024U

_Static_assert(HOST_DISK + DISK_SECTORS * (uint64_t)AVPS_BLK_SECTOR <= HOST_GUEST_RAM,
               "the disk reaches into the guest's memory");

struct disk {
    struct avps_blk blk;
    struct avps_queue queue[1];
    struct avps_blk_request requests[DISK_REQUESTS];
    struct avps_sim_ramdisk ram;
    struct avps_sim_pending pending[DISK_REQUESTS];
};

static struct disk disk;

static uint64_t disk_now_ns(void *ctx)
{
    (void)ctx;
    return clock_now_ns();
}

static enum avps_status disk_add_medium(void)
{
    uint8_t *medium = (uint8_t *)HOST_DISK;
    const struct avps_sim_ramdisk_config config = {.data = medium,
                                                   .size = (uint64_t)DISK_SECTORS * AVPS_BLK_SECTOR,
                                                   .pending = disk.pending,
                                                   .pending_count = DISK_REQUESTS,
                                                   .now_ns = disk_now_ns,
                                                   .latency_ns = DISK_LATENCY_NS,
                                                   .order = AVPS_SIM_NEWEST_FIRST};
    const struct avps_sim_fault fault = {.ops = AVPS_SIM_OP(AVPS_BLK_READ),
                                         .sector = DISK_BAD_SECTOR,
                                         .count = DISK_BAD_COUNT,
                                         .status = AVPS_E_IO};
    const enum avps_status status = avps_sim_ramdisk_init(&disk.ram, &config);

    (void)memset(medium, 0, (size_t)config.size);
    if (status == AVPS_OK) {
        avps_sim_ramdisk_fault(&disk.ram, &fault);
        avps_sim_ramdisk_attach(&disk.ram, &disk.blk);
    }
    return status;
}

enum avps_status disk_add(void)
{
    const struct avps_blk_limits limits = {.max_sectors = DISK_SECTORS, .alignment = 8U};
    const struct avps_blk_config config = {
        .base = devices_base(disk.queue, 1U),
        .ops = avps_sim_ramdisk_ops(),
        .ctx = &disk.ram,
        .requests = disk.requests,
        .request_count = DISK_REQUESTS,
        .capacity = DISK_SECTORS,
        .block_size = AVPS_BLK_SECTOR,
        .topology = {.physical_block_exp = 3U, .min_io_size = 8U, .opt_io_size = 128U},
        .discard = limits,
        .zeroes = limits,
        .zeroes_may_unmap = true,
        .id = DISK_ID};
    enum avps_status status = avps_blk_init(&disk.blk, &config);

    if (status == AVPS_OK) {
        status = disk_add_medium();
    }
    return status == AVPS_OK ? transport_attach(&disk.blk.base) : status;
}

void disk_run(void)
{
    (void)avps_sim_ramdisk_poll(&disk.ram);
}

uint64_t disk_due_ns(void)
{
    return avps_sim_ramdisk_due_ns(&disk.ram);
}

void disk_report(void)
{
    const struct avps_blk_counters *counters = avps_blk_counters(&disk.blk, 0U);
    const struct avps_sim_ramdisk_counters *ram = avps_sim_ramdisk_counters(&disk.ram);

    uart_begin();
    uart_text("report disk");
    uart_field("reads", counters->reads);
    uart_field("writes", counters->writes);
    uart_field("flushes", counters->flushes);
    uart_field("discards", ram->ops[AVPS_BLK_DISCARD]);
    uart_field("zeroes", ram->ops[AVPS_BLK_WRITE_ZEROES]);
    uart_field("sectors_read", counters->sectors_read);
    uart_field("sectors_written", counters->sectors_written);
    uart_field("zero_copies", ram->zero_copies);
    uart_field("io_errors", counters->io_errors);
    uart_field("unsupported", counters->unsupported);
    uart_end();
}
