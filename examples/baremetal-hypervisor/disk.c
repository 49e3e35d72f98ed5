/* SPDX-License-Identifier: BSD-3-Clause */
/* libavps' block device over its simulated RAM disk; requests wait in the back end for their time. */
#include "disk.h"

#include <string.h>

#include "avps_common/platform_apply.h"
#include "clock.h"
#include "devices.h"
#include "guest.h"
#include "memory.h"
#include "report.h"
#include "uart.h"

#define DISK_DEFAULT_MIB 16U
#define DISK_LATENCY_NS  50000U

/* The last MiB but its second half cannot be read, so that the guest meets an error. */
#define DISK_BAD_FROM_END 2048U
#define DISK_BAD_COUNT    1024U

/* Memory of a disk, by its resource's name. */
struct disk_medium {
    const char *name;
    uint64_t address;
    uint64_t size;
    bool read_only; /* nobody writes it */
};

static struct disk_medium disk_media[GUEST_MAX * DEVICES_MAX];
static uint32_t disk_media_count;

static bool disk_same(const char *a, const char *b)
{
    return strlen(a) == strlen(b) && memcmp(a, b, strlen(a)) == 0;
}

/* The medium of a name: several guests may read one, a writer has it alone. @return NULL: not so, or there is
 * no memory. */
static const struct disk_medium *disk_find_medium(const struct devices_part *part, uint64_t size)
{
    const bool read_only = part->plan->blk.read_only;

    for (uint32_t i = 0; i < disk_media_count; i++) {
        const struct disk_medium *medium = &disk_media[i];

        if (disk_same(medium->name, part->plan->backend)) {
            return medium->read_only && read_only && medium->size == size ? medium : NULL;
        }
    }
    struct disk_medium *medium = &disk_media[disk_media_count++];

    *medium = (struct disk_medium){part->plan->backend, memory_take(size), size, read_only};
    return medium->address != 0U ? medium : NULL;
}

static uint64_t disk_sectors(const struct devices_part *part)
{
    const uint64_t mib = part->plan->blk.size_mib;

    return (mib != 0U ? mib : DISK_DEFAULT_MIB) * (0x100000U / AVPS_BLK_SECTOR);
}

static uint64_t disk_now_ns(void *ctx)
{
    (void)ctx;
    return clock_now_ns();
}

static enum avps_status disk_add_medium(struct devices_part *part, uint64_t sectors)
{
    struct disk *disk = &part->disk;
    const struct disk_medium *medium = disk_find_medium(part, sectors * AVPS_BLK_SECTOR);

    if (medium == NULL) {
        return AVPS_E_NOSPACE;
    }
    const struct avps_sim_ramdisk_config config = {.data = (uint8_t *)medium->address,
                                                   .size = medium->size,
                                                   .pending = disk->pending,
                                                   .pending_count = DISK_REQUESTS,
                                                   .now_ns = disk_now_ns,
                                                   .latency_ns = DISK_LATENCY_NS,
                                                   .order = AVPS_SIM_NEWEST_FIRST};
    const struct avps_sim_fault fault = {.ops = AVPS_SIM_OP(AVPS_BLK_READ),
                                         .sector = sectors - DISK_BAD_FROM_END,
                                         .count = DISK_BAD_COUNT,
                                         .status = AVPS_E_IO};
    const enum avps_status status = avps_sim_ramdisk_init(&disk->ram, &config);

    if (status == AVPS_OK) {
        avps_sim_ramdisk_fault(&disk->ram, &fault);
        avps_sim_ramdisk_attach(&disk->ram, &disk->blk);
    }
    return status;
}

static enum avps_status disk_add_device(struct devices_part *part, uint64_t sectors)
{
    struct disk *disk = &part->disk;
    const struct avps_blk_limits limits = {.max_sectors = (uint32_t)sectors, .alignment = 8U};
    struct avps_blk_config config = {
        .base = devices_base(part, disk->queue),
        .ops = avps_sim_ramdisk_ops(),
        .ctx = &disk->ram,
        .requests = disk->requests,
        .request_count = DISK_REQUESTS,
        .capacity = sectors,
        .block_size = AVPS_BLK_SECTOR,
        .topology = {.physical_block_exp = 3U, .min_io_size = 8U, .opt_io_size = 128U},
        .discard = limits,
        .zeroes = limits,
        .zeroes_may_unmap = true};
    const enum avps_status status = avps_platform_blk(part->plan, &config);

    return status == AVPS_OK ? avps_blk_init(&disk->blk, &config) : status;
}

static enum avps_status disk_add(struct devices_part *part)
{
    const uint64_t sectors = disk_sectors(part);
    enum avps_status status = part->plan->queues <= DISK_QUEUES ? AVPS_OK : AVPS_E_NOSPACE;

    if (status == AVPS_OK) {
        status = disk_add_device(part, sectors);
    }
    if (status == AVPS_OK) {
        status = disk_add_medium(part, sectors);
    }
    return status == AVPS_OK ? devices_attach(part, &part->disk.blk.base) : status;
}

static void disk_run(struct devices_part *part)
{
    (void)avps_sim_ramdisk_poll(&part->disk.ram);
}

static uint64_t disk_due_ns(const struct devices_part *part)
{
    return avps_sim_ramdisk_due_ns(&part->disk.ram);
}

/* What a guest wrote stays for its next life. */
static void disk_restart(struct devices_part *part)
{
    (void)part;
}

static void disk_report(const struct devices_part *part)
{
    const struct avps_blk_counters *counters = avps_blk_counters(&part->disk.blk, 0U);
    const struct avps_sim_ramdisk_counters *ram = avps_sim_ramdisk_counters(&part->disk.ram);

    report_begin("disk");
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
    report_end(part->guest);
}

const struct devices_kind disk_kind = {disk_add, disk_run, disk_due_ns, disk_restart, disk_report};
