/* SPDX-License-Identifier: BSD-3-Clause */
/* Options -> windows -> one device. */
#include <stdlib.h>
#include <string.h>

#include "program.h"

/* ---- options ---- */

const struct option plan_rows[] = {
    {.name = "guest",
     .value = "NAME",
     .type = OPTION_TEXT,
     .offset = offsetof(struct plan_options, guest),
     .must = true,
     .help = "name of the guest, as in its configuration"},
    {.name = "memory",
     .value = "HOW",
     .type = OPTION_TEXT,
     .offset = offsetof(struct plan_options, memory),
     .help = "how guest memory is reached: foreign (the default): any of it, mapped once; "
             "grant: what the guest grants for each request"},
};
const size_t plan_row_count = sizeof plan_rows / sizeof plan_rows[0];

static bool plan_set_memory(struct plan_options *options, struct option_line *line)
{
    const char *memory = options->memory != NULL ? options->memory : "foreign";

    options->grants = strcmp(memory, "grant") == 0;
    return options->grants || strcmp(memory, "foreign") == 0 ||
           options_fail(line, "--memory takes foreign or grant, not '%s'", memory);
}

/* Read the arguments into a device of its kind. */
static bool plan_parse(struct host_device *device, struct plan_options *options,
                       char *const *arguments, size_t count, struct option_line *line)
{
    struct option_group groups[] = {
        device->given,
        device->common,
        {.rows = plan_rows, .count = plan_row_count, .target = options},
    };
    const bool is_well =
        options_parse(groups, sizeof groups / sizeof groups[0], arguments, count, line);

    device->given = groups[0];
    device->common = groups[1];
    return is_well;
}

/* ---- windows ---- */

/* As libxl places its own: one behind the other. */
uint64_t plan_window_base(uint32_t window)
{
    return GUEST_VIRTIO_MMIO_BASE + (uint64_t)window * AVPS_MMIO_SIZE;
}

uint32_t plan_window_irq(uint32_t window)
{
    return GUEST_VIRTIO_MMIO_SPI_FIRST + window;
}

bool plan_is_of(const struct plan_device *device, const char *guest)
{
    return strcmp(device->guest, guest) == 0;
}

/* The next free window. The node of window 0 is the tool stack's, which has no grants for this domain. */
static uint32_t plan_next_window(const struct plan *plan, const struct plan_device *device)
{
    uint32_t next = device->grants ? 1U : 0U;

    for (uint32_t i = 0; i < plan->count; i++) {
        if (plan_is_of(&plan->devices[i], device->guest) && plan->devices[i].window >= next) {
            next = plan->devices[i].window + 1U;
        }
    }
    return next;
}

/* ---- one device ---- */

static struct host_device *plan_make_given(struct host *host, const struct plan_device *device)
{
    struct host_device *made = host_device_new(host, device->kind);
    struct plan_options options = {0};
    struct option_line line;

    /* the arguments were good when they were added */
    if (made != NULL && !plan_parse(made, &options, device->arguments, device->count, &line)) {
        (void)host_device_free(made);
        return NULL;
    }
    return made;
}

struct host_device *plan_make(const struct plan *plan, struct host *host,
                              const struct plan_device *device, struct avps_posix_error *error)
{
    if (plan->platform != NULL) {
        return host_platform_device(plan->platform, host, device->index, error);
    }
    struct host_device *made = plan_make_given(host, device);

    if (made == NULL) {
        (void)host_fail(error, AVPS_E_NOSPACE, "not enough memory");
    }
    return made;
}

bool plan_add(struct plan *plan, struct host *host, char *const *arguments, size_t count,
              struct option_line *line)
{
    const struct host_kind *kind = host_kind_find(arguments[0]);
    struct plan_options options = {0};

    if (kind == NULL) {
        return options_fail(line, "there is no device '%s'", arguments[0]);
    }
    if (plan->count == HOST_DEVICES) {
        return options_fail(line, "there are too many devices for one program");
    }
    struct host_device *trial = host_device_new(host, kind);
    const bool is_well = trial != NULL
                             ? plan_parse(trial, &options, arguments + 1, count - 1U, line) &&
                                   plan_set_memory(&options, line)
                             : options_fail(line, "not enough memory");

    if (trial != NULL) {
        (void)host_device_free(trial);
    }
    if (!is_well || options.guest == NULL) {
        return false; /* --guest is a must: there is none only if that was said already */
    }
    struct plan_device *device = &plan->devices[plan->count];

    *device = (struct plan_device){.kind = kind,
                                   .arguments = arguments + 1,
                                   .count = count - 1U,
                                   .guest = options.guest,
                                   .grants = options.grants};
    device->window = plan_next_window(plan, device);
    plan->count++;
    return device->window < AVPS_XEN_WINDOWS ||
           options_fail(line, "there are too many devices for guest '%s'", device->guest);
}

/* ---- a platform's devices ---- */

static enum avps_status plan_check(const struct avps_platform_device *device,
                                   struct avps_posix_error *error)
{
    if (device->transport != AVPS_PLATFORM_MMIO) {
        return host_fail(error, AVPS_E_UNSUPPORTED,
                         "device %s: this port has virtio-mmio only, no PCI", device->name);
    }
    if (device->access_platform && device->unit == 0U) {
        return host_fail(error, AVPS_E_UNSUPPORTED,
                         "device %s: the first window cannot have access-platform under libxl; let "
                         "another mmio device come first",
                         device->name);
    }
    return AVPS_OK;
}

enum avps_status plan_add_platform(struct plan *plan, const char *path, const char *guest,
                                   const struct option_list *connections,
                                   struct avps_posix_error *error)
{
    enum avps_status status = host_platform_load(&plan->platform, path, guest, connections, error);
    const uint32_t count = status == AVPS_OK ? plan->platform->guest->device_count : 0U;

    for (uint32_t i = 0; i < count && status == AVPS_OK; i++) {
        const struct avps_platform_device *device = &plan->platform->guest->devices[i];

        status = plan_check(device, error);
        plan->devices[plan->count++] = (struct plan_device){.index = i,
                                                            .guest = plan->platform->guest->name,
                                                            .grants = device->access_platform,
                                                            .window = device->unit};
    }
    return status;
}
