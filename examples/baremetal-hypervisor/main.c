/* SPDX-License-Identifier: BSD-3-Clause */
/* A small type 1 hypervisor: guests on CPUs of their own, whose disks, networks, consoles and entropy come
 * from libavps. Reads the machine's device tree and the platform file, makes the guests, starts the
 * CPUs. */
#include <stdbool.h>
#include <stdint.h>

#include "arch.h"
#include "cpu.h"
#include "devices.h"
#include "gic.h"
#include "guest.h"
#include "guest_map.h"
#include "host.h"
#include "machine.h"
#include "memory.h"
#include "mmu.h"
#include "network.h"
#include "plan.h"
#include "uart.h"

#define MAIN_UART_FALLBACK 0x09000000U /* to say that the device tree is unusable */

extern const char hyp_host_dtb[];

void hyp_main(void);

static _Noreturn void main_stop(const char *reason)
{
    uart_begin();
    uart_text("cannot start: ");
    uart_text(reason);
    uart_end();
    machine_off();
}

static void main_expect(const char *wrong)
{
    if (wrong != NULL) {
        main_stop(wrong);
    }
}

static bool main_is_loaded(const struct host_range *range)
{
    return range->size == 0U ||
           (range->base >= HOST_LOADED && range->size <= HOST_POOL - HOST_LOADED &&
            range->base <= HOST_POOL - range->size);
}

/* What was loaded must not lie where the hypervisor or its pool is. */
static void main_check_modules(const struct host *host)
{
    bool good = main_is_loaded(&host->initrd) && main_is_loaded(&host->platform);

    for (uint32_t i = 0; i < host->kernel_count; i++) {
        good = good && main_is_loaded(&host->kernels[i].image);
    }
    main_expect(good ? NULL : "load kernels, initramfs and platform between 44000000 and 50000000");
}

static void main_find_cpus(const struct host *host)
{
    const uint64_t self = arch_read_mpidr_el1() & 0xff00ffffffULL;

    cpu_init(self);
    for (uint32_t i = 0; i < host->cpu_count; i++) {
        if (host->cpus[i] != self) {
            cpu_add(host->cpus[i]);
        }
    }
    for (uint32_t i = 0; i < cpu_count(); i++) {
        struct cpu *cpu = cpu_at(i);

        cpu->redistributor =
            gic_find_redistributor(host->redistributor.base, host->redistributor.size, cpu->mpidr);
        main_expect(cpu->redistributor != 0U ? NULL : "a CPU without a redistributor");
    }
}

static void main_banner(const struct host *host)
{
    uart_begin();
    uart_text("libavps bare-metal example at EL2");
    uart_field("cpus", cpu_count());
    uart_text(" options=");
    uart_text(host->args);
    uart_end();
    for (uint32_t i = 0; i < guest_count(); i++) {
        const struct guest *guest = guest_at(i);

        uart_begin();
        uart_text("guest ");
        uart_text(guest->plan->name);
        uart_field("cpus", guest->plan->cpus);
        uart_field("memory", guest->plan->memory_mib);
        uart_field("devices", guest->devices.count);
        uart_end();
    }
}

static void main_make_guests(const struct host *host)
{
    struct avps_platform_line line;
    const struct avps_platform *platform = plan_read(host, &line);

    main_expect(platform == NULL ? line.text : NULL);
    main_expect(network_init(platform) != NULL ? "a network cannot be made" : NULL);
    main_expect(guest_init(platform, host));
}

void hyp_main(void)
{
    static struct host host; /* guests keep pointers into it; this stack is reused */

    mmu_init();
    uart_init(MAIN_UART_FALLBACK);
    main_expect(host_read(&host, hyp_host_dtb) ? NULL : "no usable device tree");
    main_check_modules(&host);
    uart_init(host.uart.base);
    main_find_cpus(&host);
    gic_init(host.distributor.base);
    gic_init_cpu();
    gic_enable(host.uart_intid);
    if (host_option(&host, "lr=2")) {
        gic_limit(2U);
    }
    memory_init(host.ram.base + host.ram.size);
    devices_report_live(host_option_number(&host, "stats="));
    main_make_guests(&host);
    main_banner(&host);
    main_expect(cpu_start_all());
    cpu_main();
}
