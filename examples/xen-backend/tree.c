/* SPDX-License-Identifier: BSD-3-Clause */
/* The device tree that `xl create` merges into the one it makes: all of a guest's windows but the first,
 * which is announced as a disk and has its node from libxl. Nodes -> a tree -> a file. */
#include <errno.h>
#include <fcntl.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "avps/fdt.h"
#include "program.h"

#define TREE_SIZE     8192
#define TREE_PATH     256U
#define PHANDLE_GIC   65000U /* libxl's, documented for passing devices through */
#define PHANDLE_IOMMU 60000U /* ours; libxl has none there */
#define SPI           0U     /* kind of interrupt */
#define SPI_FIRST     32U
#define EDGE_RISING   1U /* what Xen's interrupt controller makes of the device-model call */

/* ---- nodes ---- */

static enum avps_status tree_window(void *tree, const struct plan_device *device, uint32_t backend)
{
    const uint32_t interrupt[] = {SPI, plan_window_irq(device->window) - SPI_FIRST, EDGE_RISING};
    const uint32_t grants[] = {PHANDLE_IOMMU, backend};
    const struct avps_fdt_mmio desc = {.base = plan_window_base(device->window),
                                       .interrupts = interrupt,
                                       .interrupt_cells = 3,
                                       .interrupt_parent = PHANDLE_GIC,
                                       .dma_coherent = true,
                                       .iommus = device->grants ? grants : NULL,
                                       .iommu_cells = device->grants ? 2U : 0U};

    return avps_fdt_write_mmio(tree, 2, 2, &desc);
}

static enum avps_status tree_windows(void *tree, const struct plan *plan, const char *guest,
                                     uint32_t backend)
{
    enum avps_status status = avps_fdt_write_xen_grants(tree, PHANDLE_IOMMU);

    for (uint32_t i = 0; i < plan->count && status == AVPS_OK; i++) {
        if (plan->devices[i].window != 0U && plan_is_of(&plan->devices[i], guest)) {
            status = tree_window(tree, &plan->devices[i], backend);
        }
    }
    return status;
}

/* ---- a tree ---- */

/* libxl takes over what is below /passthrough, whatever it is. */
static enum avps_status tree_make(void *tree, const struct plan *plan, const char *guest,
                                  uint32_t backend)
{
    const bool begun =
        fdt_create(tree, TREE_SIZE) == 0 && fdt_finish_reservemap(tree) == 0 &&
        fdt_begin_node(tree, "") == 0 && fdt_property_u32(tree, "#address-cells", 2) == 0 &&
        fdt_property_u32(tree, "#size-cells", 2) == 0 && fdt_begin_node(tree, "passthrough") == 0 &&
        fdt_property_string(tree, "compatible", "simple-bus") == 0 &&
        fdt_property_u32(tree, "#address-cells", 2) == 0 &&
        fdt_property_u32(tree, "#size-cells", 2) == 0 && fdt_property(tree, "ranges", NULL, 0) == 0;
    enum avps_status status = begun ? tree_windows(tree, plan, guest, backend) : AVPS_E_NOSPACE;

    for (uint32_t open = 0; open < 2U && status == AVPS_OK; open++) { /* passthrough, the root */
        status = fdt_end_node(tree) == 0 ? AVPS_OK : AVPS_E_NOSPACE;
    }
    return status == AVPS_OK && fdt_finish(tree) != 0 ? AVPS_E_NOSPACE : status;
}

/* ---- a file ---- */

static bool tree_save(const void *tree, const char *path)
{
    const size_t size = fdt_totalsize(tree);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0) {
        return false;
    }
    const bool written = write(fd, tree, size) == (ssize_t)size;

    return close(fd) == 0 && written;
}

static enum avps_status tree_write(const struct plan *plan, const char *folder, const char *guest,
                                   uint32_t backend, struct avps_posix_error *error)
{
    _Alignas(8) char tree[TREE_SIZE];
    char path[TREE_PATH];
    const int len = snprintf(path, sizeof path, "%s/%s.dtb", folder, guest);

    if (len >= (int)sizeof path) {
        return host_fail(error, AVPS_E_PARAM, "--trees: the folder's name is too long");
    }
    const enum avps_status status = tree_make(tree, plan, guest, backend);

    if (status != AVPS_OK) {
        return host_fail(error, status, "no device tree for guest %s: %s", guest,
                         avps_status_name(status));
    }
    return tree_save(tree, path)
               ? AVPS_OK
               : host_fail(error, AVPS_E_IO, "cannot write %s: %s", path, strerror(errno));
}

enum avps_status tree_write_all(const struct plan *plan, const char *folder, uint32_t backend,
                                struct avps_posix_error *error)
{
    enum avps_status status = AVPS_OK;

    for (uint32_t i = 0; i < plan->count && status == AVPS_OK; i++) {
        /* once for each guest would do; a few more are no harm */
        status = tree_write(plan, folder, plan->devices[i].guest, backend, error);
    }
    return status;
}
