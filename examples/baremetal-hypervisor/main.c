/* SPDX-License-Identifier: BSD-3-Clause */
/* A small type 1 hypervisor: one Linux guest, whose disk, network, console and entropy come from
 * libavps. Reads the machine's device tree, prepares the guest and enters it. */
#include <stdbool.h>
#include <stdint.h>

#include "devices.h"
#include "gic.h"
#include "guest.h"
#include "guest_dt.h"
#include "guest_map.h"
#include "host.h"
#include "mmu.h"
#include "psci.h"
#include "stage2.h"
#include "uart.h"

#define MAIN_UART_FALLBACK 0x09000000U /* to say that the device tree is unusable */
#define MAIN_DTB_SIZE      0x10000U    /* room for the guest's device tree, at its first address */

extern const char hyp_host_dtb[];

void hyp_main(void);

static _Noreturn void main_stop(const char *reason)
{
    uart_begin();
    uart_text("cannot start: ");
    uart_text(reason);
    uart_end();
    psci_machine_off();
}

static uint64_t main_guest_address(uint64_t host_address)
{
    return host_address - HOST_GUEST_RAM + GUEST_RAM;
}

static bool main_inside_guest(struct host_range range, uint64_t ram_size)
{
    return range.base >= HOST_GUEST_RAM + MAIN_DTB_SIZE && range.size <= ram_size &&
           range.base - HOST_GUEST_RAM <= ram_size - range.size;
}

static uint64_t main_guest_ram(const struct host *host)
{
    const uint64_t end = host->ram.base + host->ram.size;
    const uint64_t size = end > HOST_GUEST_RAM ? end - HOST_GUEST_RAM : 0U;

    if (size < STAGE2_GRAIN || end > 0x80000000U) {
        main_stop("needs 160 MiB to 1 GiB of memory");
    }
    return size & ~(STAGE2_GRAIN - 1U);
}

static void main_write_dt(const struct host *host, uint64_t ram_size)
{
    const struct guest_dt dt = {
        .ram_size = ram_size,
        .initrd_start = main_guest_address(host->initrd.base),
        .initrd_end = main_guest_address(host->initrd.base + host->initrd.size),
        .bootargs = host->guest_args,
    };
    void *dtb = (void *)(uintptr_t)HOST_GUEST_RAM;

    if (guest_dt_write(&dt, dtb, MAIN_DTB_SIZE) == 0U) {
        main_stop("the guest's device tree does not fit");
    }
    mmu_clean(dtb, MAIN_DTB_SIZE);
}

static void main_banner(const struct host *host, uint64_t ram_size)
{
    uart_begin();
    uart_text("libavps bare-metal example at EL2, guest memory MiB");
    uart_field("size", ram_size >> 20);
    uart_field("devices", devices_board()->count);
    uart_text(" options=");
    uart_text(host->args);
    uart_end();
}

void hyp_main(void)
{
    struct host host;

    mmu_init();
    uart_init(MAIN_UART_FALLBACK);
    if (!host_read(&host, hyp_host_dtb)) {
        main_stop("no usable device tree");
    }
    const uint64_t ram_size = main_guest_ram(&host);

    if (!main_inside_guest(host.kernel, ram_size) || !main_inside_guest(host.initrd, ram_size)) {
        main_stop("kernel or initramfs outside the guest's memory");
    }
    uart_init(host.uart.base);
    gic_init(host.distributor.base, host.redistributor.base);
    gic_enable(host.uart_intid);
    if (host_option(&host, "lr=2")) {
        gic_limit(2U);
    }
    stage2_init(GUEST_RAM, HOST_GUEST_RAM, ram_size);
    if (!devices_init(&host, ram_size)) {
        main_stop("a device could not be made");
    }
    main_write_dt(&host, ram_size);
    main_banner(&host, ram_size);
    guest_run(main_guest_address(host.kernel.base), GUEST_RAM);
}
