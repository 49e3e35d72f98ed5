/* SPDX-License-Identifier: BSD-3-Clause */
/* Uses the installed headers and library: an entropy device answers its identity registers. */
#include <stdio.h>

#include <avps/avps.h>

static struct avps_queue queue;
static struct avps_rng rng;
static struct avps_mmio mmio;
static uint8_t memory[4096];
static unsigned int levels;

static enum avps_status fill(void *ctx, uint8_t *buf, uint32_t len, uint32_t *got)
{
    (void)ctx;
    (void)buf;
    (void)len;
    *got = 0;
    return AVPS_EMPTY;
}

static void set_level(void *ctx, uint32_t line, bool high)
{
    (void)ctx;
    (void)line;
    levels += high ? 1U : 0U;
}

static enum avps_status start(void)
{
    static const struct avps_rng_ops ops = {.fill = fill};
    static const struct avps_irq_ops irq = {.set_level = set_level};
    const struct avps_mem_region region = {
        .gpa = 0x1000, .size = sizeof memory, .host = memory, .access = AVPS_ACCESS_RW};
    struct avps_mem mem;
    enum avps_status status = avps_mem_init_regions(&mem, &region, 1, NULL, NULL);

    if (status == AVPS_OK) {
        const struct avps_rng_config config = {
            .base = {.mem = &mem, .queues = &queue, .queue_count = 1, .queue_size_max = 8},
            .ops = &ops};
        status = avps_rng_init(&rng, &config);
    }
    if (status == AVPS_OK) {
        const struct avps_mmio_config config = {.device = &rng.base, .irq = &irq};
        status = avps_mmio_init(&mmio, &config);
    }
    return status;
}

int main(void)
{
    const enum avps_status status = start();

    if (status != AVPS_OK) {
        (void)printf("start: %s\n", avps_status_name(status));
        return 1;
    }
    const uint64_t magic = avps_mmio_read(&mmio, 0x000, 4);
    const uint64_t id = avps_mmio_read(&mmio, 0x008, 4);

    (void)printf("avps %d.%d.%d: magic %#llx, device %llu\n", AVPS_VERSION_MAJOR,
                 AVPS_VERSION_MINOR, AVPS_VERSION_PATCH, (unsigned long long)magic,
                 (unsigned long long)id);
    return magic == 0x74726976U && id == 4U && levels == 0U ? 0 : 1;
}
