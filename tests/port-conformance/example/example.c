/* SPDX-License-Identifier: BSD-3-Clause */
/* The suite linked against a port of yours, complete: a small port of one guest, then what the suite
 * needs of it. Replace the first half by your port. */
#include <stdio.h>

#include <avps/mmio.h>
#include <avps_port_conformance/suite.h>

/* ---- your port ---- */

#define RAM_GPA  0x80000000U
#define RAM_SIZE 0x20000U

static struct my_port {
    _Alignas(4096) uint8_t ram[RAM_SIZE];
    struct avps_mem mem;
    struct avps_mmio window;
    struct avps_device *device;
    bool poll_wanted;
    bool line_is_high;
    uint32_t interrupts;
} my;

static void my_set_level(void *ctx, uint32_t line, bool high)
{
    (void)ctx;
    (void)line;
    my.interrupts +=
        high && !my.line_is_high ? 1U : 0U; /* in truth: tell the vGIC, the APIC, ... */
    my.line_is_high = high;
}

static void my_wake(void *ctx)
{
    (void)ctx;
    my.poll_wanted = true;
}

static const struct avps_irq_ops my_irq_ops = {.set_level = my_set_level};
static const struct avps_event_ops my_event_ops = {.wake = my_wake};
static const struct avps_port my_port = {.event = &my_event_ops};
static const struct avps_mem_region my_ram = {RAM_GPA, RAM_SIZE, my.ram, AVPS_ACCESS_RW};

static void my_trap(uint32_t offset, uint32_t width, bool write, uint64_t *value)
{
    if (write) {
        avps_mmio_write(&my.window, offset, width, *value);
    } else {
        *value = avps_mmio_read(&my.window, offset, width);
    }
    my.poll_wanted = my.poll_wanted || avps_has_work(my.device);
}

static void my_scheduler(void)
{
    for (uint32_t i = 0; i < 100U && my.poll_wanted; i++) {
        my.poll_wanted = false;
        my.poll_wanted = avps_poll(my.device, 16) == AVPS_POLL_MORE || my.poll_wanted;
    }
}

/* ---- what the suite needs of it ---- */

static void print(void *ctx, const char *line)
{
    (void)ctx;
    (void)puts(line);
}

static uint8_t *guest(void *ctx, avps_gpa gpa)
{
    (void)ctx;
    return my.ram + (gpa - RAM_GPA);
}

static const struct avps_port *port(void *ctx, uint32_t device)
{
    (void)ctx;
    (void)device;
    return &my_port;
}

static enum avps_status attach(void *ctx, uint32_t device, struct avps_device *dev)
{
    const struct avps_mmio_config config = {.device = dev, .irq = &my_irq_ops, .irq_line = 32};

    (void)ctx;
    (void)device;
    my.device = dev;
    return avps_mmio_init(&my.window, &config);
}

static void run(void *ctx)
{
    (void)ctx;
    my_scheduler();
}

static uint64_t load(void *ctx, uint32_t device, uint32_t offset, uint32_t width)
{
    uint64_t value = 0;

    (void)ctx;
    (void)device;
    my_trap(offset, width, false, &value);
    return value;
}

static void store(void *ctx, uint32_t device, uint32_t offset, uint32_t width, uint64_t value)
{
    (void)ctx;
    (void)device;
    my_trap(offset, width, true, &value);
}

static void irq(void *ctx, uint32_t device, struct avps_pc_irq *seen)
{
    (void)ctx;
    (void)device;
    seen->count = my.interrupts;
    seen->high = my.line_is_high;
}

static const struct avps_pc_span spans[] = {{RAM_GPA, RAM_SIZE, AVPS_ACCESS_RW}};

/* [target] */
static const struct avps_pc_target target = {
    .name = "my port",
    .print = print,
    .mem = &my.mem,
    .spans = spans,
    .span_count = 1,
    .guest = guest,
    .devices = 1,
    .port = port,
    .attach = attach,
    .run = run,
    .load = load,
    .store = store,
    .irq = irq,
    .wired = true,
};

int main(void)
{
    static struct avps_pc suite;

    if (avps_mem_init_regions(&my.mem, &my_ram, 1, NULL, NULL) != AVPS_OK) {
        return 1;
    }
    return avps_pc_run(&suite, &target) == 0U ? 0 : 1;
}
/* [target] */
