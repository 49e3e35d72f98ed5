/* SPDX-License-Identifier: BSD-3-Clause */
/* Uses the installed headers and library: an entropy device answers its identity registers. The
 * part between the marks is what the README shows. */
#include <stdio.h>

/* [embed] */
#include <avps/avps.h>

static uint8_t guest_ram[4096];
static struct avps_queue queue;
static struct avps_rng rng;
static struct avps_mmio mmio;

enum avps_status my_entropy(void *ctx, uint8_t *buf, uint32_t len, uint32_t *got);
void my_interrupt(void *ctx, uint32_t line, bool high);

static const struct avps_rng_ops rng_ops = {.fill = my_entropy};
static const struct avps_irq_ops irq_ops = {.set_level = my_interrupt};
static const struct avps_mem_region regions[] = {
    {.gpa = 0x40000000, .size = sizeof guest_ram, .host = guest_ram, .access = AVPS_ACCESS_RW}};

static enum avps_status start(void)
{
    struct avps_mem mem;
    enum avps_status status = avps_mem_init_regions(&mem, regions, 1, NULL, NULL);
    const struct avps_rng_config config = {
        .base = {.mem = &mem, .queues = &queue, .queue_count = 1, .queue_size_max = 256},
        .ops = &rng_ops};
    const struct avps_mmio_config mmio_config = {
        .device = &rng.base, .irq = &irq_ops, .irq_line = 48};

    status = status == AVPS_OK ? avps_rng_init(&rng, &config) : status;
    return status == AVPS_OK ? avps_mmio_init(&mmio, &mmio_config) : status;
}

/* The guest touched [window, window + AVPS_MMIO_SIZE). */
static uint64_t on_trap(uint64_t offset, uint32_t width, bool is_write, uint64_t value)
{
    if (!is_write) {
        return avps_mmio_read(&mmio, offset, width);
    }
    avps_mmio_write(&mmio, offset, width, value);
    while (avps_has_work(&rng.base) && avps_poll(&rng.base, 64) == AVPS_POLL_MORE) {
    }
    return 0;
}
/* [embed] */

static unsigned int interrupts;

enum avps_status my_entropy(void *ctx, uint8_t *buf, uint32_t len, uint32_t *got)
{
    (void)ctx;
    (void)buf;
    (void)len;
    *got = 0;
    return AVPS_EMPTY;
}

void my_interrupt(void *ctx, uint32_t line, bool high)
{
    (void)ctx;
    (void)line;
    interrupts += high ? 1U : 0U;
}

int main(void)
{
    const enum avps_status status = start();

    if (status != AVPS_OK) {
        (void)printf("start: %s\n", avps_status_name(status));
        return 1;
    }
    const uint64_t magic = on_trap(0x000, 4, false, 0);
    const uint64_t id = on_trap(0x008, 4, false, 0);

    (void)on_trap(0x070, 4, true, 1); /* the driver acknowledges the device */
    (void)printf("avps %d.%d.%d: magic %#llx, device %llu\n", AVPS_VERSION_MAJOR,
                 AVPS_VERSION_MINOR, AVPS_VERSION_PATCH, (unsigned long long)magic,
                 (unsigned long long)id);
    return magic == 0x74726976U && id == 4U && on_trap(0x070, 4, false, 0) == 1U && interrupts == 0U
               ? 0
               : 1;
}
