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

struct host_kernel {
    struct host_range image;
    const char *args;
};

#define HOST_CPUS    8U
#define HOST_KERNELS 4U

struct host {
    struct host_range ram;
    struct host_range uart;
    struct host_range distributor;
    struct host_range redistributor;
    uint64_t cpus[HOST_CPUS]; /* their affinities */
    uint32_t cpu_count;
    struct host_kernel kernels[HOST_KERNELS]; /* for guests, as loaded */
    uint32_t kernel_count;
    struct host_range initrd;   /* initramfs of the guests */
    struct host_range platform; /* the compiled platform file; size 0: none */
    uint32_t uart_intid;
    const char *args; /* the hypervisor's own options */
};

/* Read the device tree at `dtb`. @return false if something that is needed is missing. */
bool host_read(struct host *host, const void *dtb);

/* Whether `option` is one of the space-separated words of the hypervisor's options. */
bool host_option(const struct host *host, const char *option);

/* The number behind the option's `name`, "name=12". @return 0: there is none. */
uint32_t host_option_number(const struct host *host, const char *name);

/* Whether `value` stands in the comma-separated list behind the option's `name`, "name=a,b". */
bool host_option_value(const struct host *host, const char *name, const char *value);

#endif
