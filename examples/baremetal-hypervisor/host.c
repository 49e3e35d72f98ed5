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

static void host_cpus(struct host *host, const void *dtb)
{
    int node = -1;

    while ((node = fdt_node_offset_by_prop_value(dtb, node, "device_type", "cpu", 4)) >= 0 &&
           host->cpu_count < HOST_CPUS) {
        int len = 0;
        const fdt32_t *reg = fdt_getprop(dtb, node, "reg", &len);

        if (reg != NULL && len >= 4) { /* the last cell: clusters 0 to 255 */
            host->cpus[host->cpu_count++] = fdt32_ld(&reg[len / 4 - 1]);
        }
    }
}

/* What QEMU's guest-loader put into memory: kernels, an initramfs, and as one more of these the platform
 * file, which is told by its first bytes. */
static bool host_modules(struct host *host, const void *dtb)
{
    struct host_range range;
    int node = -1;

    while ((node = fdt_node_offset_by_compatible(dtb, node, "multiboot,kernel")) >= 0 &&
           host->kernel_count < HOST_KERNELS) {
        struct host_kernel *kernel = &host->kernels[host->kernel_count++];

        kernel->args = host_string(dtb, node, "bootargs");
        if (!host_range(dtb, node, 0U, &kernel->image)) {
            return false;
        }
    }
    node = -1;
    while ((node = fdt_node_offset_by_compatible(dtb, node, "multiboot,ramdisk")) >= 0) {
        if (!host_range(dtb, node, 0U, &range)) {
            return false;
        }
        if (fdt_check_header((const void *)(uintptr_t)range.base) == 0) {
            host->platform = range;
        } else {
            host->initrd = range;
        }
    }
    return host->kernel_count != 0U && host->initrd.size != 0U;
}

bool host_read(struct host *host, const void *dtb)
{
    (void)memset(host, 0, sizeof *host);
    if (fdt_check_header(dtb) != 0 || fdt_address_cells(dtb, 0) != 2 ||
        fdt_size_cells(dtb, 0) != 2) {
        return false;
    }
    const int gic = host_compatible(dtb, "arm,gic-v3");

    host->args = host_string(dtb, fdt_path_offset(dtb, "/chosen"), "bootargs");
    host_cpus(host, dtb);
    return host_uart(host, dtb) && host_memory(host, dtb) &&
           host_range(dtb, gic, 0U, &host->distributor) &&
           host_range(dtb, gic, 1U, &host->redistributor) && host_modules(host, dtb);
}

/* The word of the options that starts with `start`, behind that; NULL: there is none. */
static const char *host_word(const struct host *host, const char *start)
{
    const size_t len = strlen(start);

    for (const char *word = host->args; word != NULL; word = strchr(word, ' ')) {
        word += *word == ' ' ? 1 : 0;
        if (strlen(word) >= len && memcmp(word, start, len) == 0) {
            return word + len;
        }
    }
    return NULL;
}

bool host_option(const struct host *host, const char *option)
{
    const char *rest = host_word(host, option);

    return rest != NULL && (*rest == '\0' || *rest == ' ');
}

uint32_t host_option_number(const struct host *host, const char *name)
{
    const char *at = host_word(host, name);
    uint32_t number = 0;

    while (at != NULL && *at >= '0' && *at <= '9' && number < UINT32_MAX / 10U) {
        number = number * 10U + (uint32_t)(*at - '0');
        at++;
    }
    return number;
}

bool host_option_value(const struct host *host, const char *name, const char *value)
{
    const char *at = host_word(host, name);
    const size_t len = strlen(value);

    while (at != NULL && strlen(at) >= len) {
        const char end = at[len];

        if (memcmp(at, value, len) == 0 && (end == '\0' || end == ' ' || end == ',')) {
            return true;
        }
        while (*at != '\0' && *at != ' ' && *at != ',') {
            at++;
        }
        at = *at == ',' ? at + 1 : NULL;
    }
    return false;
}
