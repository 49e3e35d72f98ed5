/* SPDX-License-Identifier: BSD-3-Clause */
/* The program: devices of the command line, each served on a socket. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avps_posix/loop.h"
#include "avps_posix/notify.h"
#include "avps_posix/stats.h"
#include "avps_vhost_user/backend.h"
#include "command.h"
#include "host.h"

#define PROGRAM_NAME "avps-vhost-user"

/* Exit statuses, as in the manual. */
enum program_exit {
    EXIT_WELL = 0,  /* ended as asked, everything is durable */
    EXIT_START = 1, /* a device cannot be started */
    EXIT_USAGE = 2, /* the command line makes no sense */
    EXIT_RUN = 3    /* something failed later; data may be lost */
};

struct device;

/* Everything. */
struct program {
    struct host host;
    struct avps_posix_loop loop;
    struct avps_posix_signals signals;
    struct avps_posix_timer patience; /* for requests in flight at the end */
    struct device *devices[HOST_DEVICES];
    uint32_t device_count;
    const char *stats_path; /* NULL: counters are not served */
    struct avps_posix_stats *stats;
    struct avps_posix_task resume; /* devices are paused while their counters are read */
    bool paused;
    bool once; /* end with the first front end */
    bool stopping;
    bool failed;
};

/* Options that every device has here, beside those of host.h. */
struct device_options {
    const char *socket;
    uint32_t fd;
    uint32_t linger_us;
    bool poll;
    bool threads;
};

/* One device of the command line. */
struct device {
    struct program *program;
    struct host_device *host;
    struct device_options options;
    struct host_threads threads; /* count 0: none */
    struct avps_vu *vu;
    bool gone; /* at the end: no front end, nothing in flight */
};

/* Options of every device. */
extern const struct option device_rows[];
extern const size_t device_row_count;

/* A device for one part of the command line; NULL: no memory. */
struct device *device_new(struct program *program, const struct host_kind *kind);

/* Start a device: its back end, itself, its socket. */
enum avps_status device_start(struct device *device, struct avps_posix_error *error);

/* Have no queue of it polled by a thread between the two. */
void device_pause(struct device *device);
void device_resume(struct device *device);

/* End it and free it. @return false: data may be lost. */
bool device_end(struct device *device);

/* End the program: front ends go, requests in flight are waited for. */
void program_stop(struct program *program);

#endif
