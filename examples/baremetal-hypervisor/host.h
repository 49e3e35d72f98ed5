/* SPDX-License-Identifier: BSD-3-Clause */
/* The machine that the hypervisor runs on, from the device tree that QEMU leaves in memory. */
#ifndef HYP_HOST_H
#define HYP_HOST_H

#include <stdbool.h>
#include <stdint.h>

struct host_range {
    uint64_t base;
    uint64_t size;
};

struct host {
    struct host_range ram;
    struct host_range uart;
    struct host_range distributor;
    struct host_range redistributor;
    struct host_range kernel; /* the guest's Image, as loaded */
    struct host_range initrd; /* its initramfs */
    uint32_t uart_intid;
    const char *guest_args; /* kernel command line of the guest */
    const char *args;       /* the hypervisor's own options */
};

/* Read the device tree at `dtb`. @return false if something that is needed is missing. */
bool host_read(struct host *host, const void *dtb);

/* Whether `option` is one of the space-separated words of the hypervisor's options. */
bool host_option(const struct host *host, const char *option);

#endif
