/* SPDX-License-Identifier: BSD-3-Clause */
/* Look up the few nodes that matter by their `compatible`. QEMU's root uses two cells for addresses
 * and two for sizes; anything else is refused. */
#include "host.h"

#include <libfdt.h>
#include <stddef.h>
#include <string.h>

#define HOST_SPI 32U /* first shared interrupt */

static bool host_range(const void *dtb, int node, size_t index, struct host_range *range)
{
    int len = 0;
    const fdt64_t *reg = node < 0 ? NULL : fdt_getprop(dtb, node, "reg", &len);

    if (reg == NULL || (size_t)len < (index + 1U) * 2U * sizeof *reg) {
        return false;
    }
    range->base = fdt64_ld(&reg[index * 2U]);
    range->size = fdt64_ld(&reg[index * 2U + 1U]);
    return true;
}

static int host_compatible(const void *dtb, const char *name)
{
    return fdt_node_offset_by_compatible(dtb, -1, name);
}

/* A string property, or "". */
static const char *host_string(const void *dtb, int node, const char *name)
{
    const char *text = node < 0 ? NULL : fdt_getprop(dtb, node, name, NULL);

    return text != NULL ? text : "";
}

static bool host_uart(struct host *host, const void *dtb)
{
    const int node = host_compatible(dtb, "arm,pl011");
    int len = 0;
    const fdt32_t *interrupt = node < 0 ? NULL : fdt_getprop(dtb, node, "interrupts", &len);

    if (interrupt == NULL || len != 12 || fdt32_ld(&interrupt[0]) != 0U) {
        return false;
    }
    host->uart_intid = fdt32_ld(&interrupt[1]) + HOST_SPI;
    return host_range(dtb, node, 0U, &host->uart);
}

static bool host_memory(struct host *host, const void *dtb)
{
    return host_range(dtb, fdt_node_offset_by_prop_value(dtb, -1, "device_type", "memory", 7), 0U,
                      &host->ram);
}

/* The guest's kernel and initramfs, where QEMU's guest-loader put them. */
static bool host_modules(struct host *host, const void *dtb)
{
    const int kernel = host_compatible(dtb, "multiboot,kernel");

    host->guest_args = host_string(dtb, kernel, "bootargs");
    return host_range(dtb, kernel, 0U, &host->kernel) &&
           host_range(dtb, host_compatible(dtb, "multiboot,ramdisk"), 0U, &host->initrd);
}

bool host_read(struct host *host, const void *dtb)
{
    if (fdt_check_header(dtb) != 0 || fdt_address_cells(dtb, 0) != 2 ||
        fdt_size_cells(dtb, 0) != 2) {
        return false;
    }
    const int gic = host_compatible(dtb, "arm,gic-v3");

    host->args = host_string(dtb, fdt_path_offset(dtb, "/chosen"), "bootargs");
    return host_uart(host, dtb) && host_memory(host, dtb) &&
           host_range(dtb, gic, 0U, &host->distributor) &&
           host_range(dtb, gic, 1U, &host->redistributor) && host_modules(host, dtb);
}

bool host_option(const struct host *host, const char *option)
{
    const size_t len = strlen(option);

    for (const char *word = host->args; word != NULL; word = strchr(word, ' ')) {
        word += *word == ' ' ? 1 : 0;
        if (strlen(word) >= len && memcmp(word, option, len) == 0 &&
            (word[len] == '\0' || word[len] == ' ')) {
            return true;
        }
    }
    return false;
}
