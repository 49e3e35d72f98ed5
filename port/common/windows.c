/* SPDX-License-Identifier: BSD-3-Clause */
/* Windows of virtio-mmio devices: adding, a window without a device, accesses. */
#include "avps_common/windows.h"

#include <stddef.h>

/* Registers of a window without a device: all the others are 0, DeviceID too. */
#define AT_MAGIC   0x000U
#define AT_VERSION 0x004U
#define MAGIC      0x74726976U
#define VERSION    2U

enum avps_status avps_windows_add(struct avps_windows *windows,
                                  const struct avps_mmio_config *config, avps_gpa gpa)
{
    if (windows->count == windows->capacity) {
        return AVPS_E_NOSPACE;
    }
    struct avps_window *window = &windows->windows[windows->count];
    const enum avps_status status =
        config->device != NULL ? avps_mmio_init(&window->mmio, config) : AVPS_OK;

    if (status == AVPS_OK) {
        window->gpa = gpa;
        window->device = config->device;
        windows->count++;
    }
    return status;
}

static uint64_t empty_read(uint64_t offset, uint32_t width)
{
    if (width != sizeof(uint32_t)) {
        return 0;
    }
    return offset == AT_MAGIC ? MAGIC : offset == AT_VERSION ? VERSION : 0U;
}

static void window_access(struct avps_window *window, struct avps_window_access *access)
{
    const uint64_t offset = access->gpa - window->gpa;

    if (access->is_write) {
        if (window->device != NULL) {
            avps_mmio_write(&window->mmio, offset, access->width, access->value);
        }
    } else {
        access->value = window->device != NULL
                            ? avps_mmio_read(&window->mmio, offset, access->width)
                            : empty_read(offset, access->width);
    }
}

static struct avps_window *windows_find(const struct avps_windows *windows, avps_gpa gpa)
{
    for (uint32_t i = 0; i < windows->count; i++) {
        if (gpa - windows->windows[i].gpa < AVPS_MMIO_SIZE) {
            return &windows->windows[i];
        }
    }
    return NULL;
}

bool avps_windows_access(struct avps_windows *windows, struct avps_window_access *access,
                         struct avps_device **work)
{
    struct avps_window *window = windows_find(windows, access->gpa);

    *work = NULL;
    if (window == NULL) {
        return false;
    }
    window_access(window, access);
    if (window->device != NULL && avps_has_work(window->device)) {
        *work = window->device;
    }
    return true;
}
