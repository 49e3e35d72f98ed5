/* SPDX-License-Identifier: BSD-3-Clause */
/* avps-xen: everything that its parts share. plan.c: what the command line says. domain.c: a guest that
 * runs. tree.c: the device tree that shows a guest its windows. store.c: the tool stack. Threads: one. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avps_posix/notify.h"
#include "avps_xen/guest.h"
#include "avps_xen/memory.h"
#include "host.h"
#include "platform.h"
#include "store.h"

#define PROGRAM_NAME "avps-xen"

/* Exit statuses. */
enum program_exit {
    EXIT_WELL = 0,  /* ended as asked, everything is durable, no page left mapped */
    EXIT_START = 1, /* cannot serve here */
    EXIT_USAGE = 2, /* the command line makes no sense */
    EXIT_RUN = 3    /* something failed later; data may be lost */
};

/* ---- plan ---- */

/* Options that every device has here, beside those of host.h. */
struct plan_options {
    const char *guest;
    const char *memory;
    bool grants; /* what `memory` says */
};

/* One device of the command line, or of a platform file. It is made anew for each life of its guest. */
struct plan_device {
    const struct host_kind *kind; /* of the command line */
    char *const *arguments;
    size_t count;
    uint32_t index; /* in the platform */
    const char *guest;
    bool grants;
    uint32_t window; /* its number among the guest's */
};

struct plan {
    struct host_platform *platform; /* NULL: the command line says all */
    struct plan_device devices[HOST_DEVICES];
    uint32_t count;
};

extern const struct option plan_rows[];
extern const size_t plan_row_count;

/* Add a device: its name, then its options. @return false: `line` says what is wrong. */
bool plan_add(struct plan *plan, struct host *host, char *const *arguments, size_t count,
              struct option_line *line);

/* All devices of a guest of a platform file; see platform.h. A device with ACCESS_PLATFORM gets grants. */
enum avps_status plan_add_platform(struct plan *plan, const char *path, const char *guest,
                                   const struct option_list *connections,
                                   struct avps_posix_error *error);

/* Make a device, not open yet. @return NULL: `error` says why. */
struct host_device *plan_make(const struct plan *plan, struct host *host,
                              const struct plan_device *device, struct avps_posix_error *error);

/* Whether a device is of the guest with this name. */
bool plan_is_of(const struct plan_device *device, const char *guest);

/* Where window n of a guest is. Window 0 is that of the disk which the tool stack announces. */
uint64_t plan_window_base(uint32_t window);
uint32_t plan_window_irq(uint32_t window);

/* ---- tree ---- */

/* Write FOLDER/GUEST.dtb for each guest of the plan: for `device_tree` in its configuration.
 * @param backend  The domain whose program is granted access. */
enum avps_status tree_write_all(const struct plan *plan, const char *folder, uint32_t backend,
                                struct avps_posix_error *error);

/* ---- domains ---- */

struct domain;

/* Everything. */
struct program {
    struct host host;
    struct avps_posix_loop loop;
    struct avps_posix_signals signals;
    struct plan plan;
    struct store *store;
    xendevicemodel_handle *model;
    xenforeignmemory_handle *memory;
    xengnttab_handle *grants;
    struct xentoollog_logger *quiet; /* of `grants`: a guest's bad reference is no news */
    struct domain *domains;
    bool stopping;
    bool failed;
};

/* Serve a guest that arrived. The tool stack is answered. */
void domain_open(struct program *program, const struct store_guest *guest);

/* Let go of it when no request is in flight any more, then answer the tool stack. */
void domain_leave(struct program *program, uint32_t id, uint32_t device);

/* The same for all guests, which see their devices vanish; the loop stops when the last is gone. */
void domain_leave_all(struct program *program);

#endif
