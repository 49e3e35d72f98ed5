/* SPDX-License-Identifier: BSD-3-Clause */
/* The program: devices of the command line, what each kind of device supplies, what all share. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avps/avps.h"
#include "avps_posix/error.h"
#include "avps_posix/loop.h"
#include "avps_posix/notify.h"
#include "avps_posix/runner.h"
#include "avps_posix/turn.h"
#include "avps_vhost_user/backend.h"
#include "options.h"

#define PROGRAM_NAME    "avps-vhost-user"
#define PROGRAM_DEVICES 32U

/* Exit statuses, as in the manual. */
enum program_exit {
    EXIT_WELL = 0,  /* ended as asked, everything is durable */
    EXIT_START = 1, /* a device cannot be started */
    EXIT_USAGE = 2, /* the command line makes no sense */
    EXIT_RUN = 3    /* something failed later; data may be lost */
};

enum program_log { LOG_NONE, LOG_ERROR, LOG_INFO };

struct device;
struct net_switch;

/* Everything. */
struct program {
    struct avps_posix_loop loop;
    struct avps_posix_signals signals;
    struct avps_posix_timer patience; /* for requests in flight at the end */
    struct device *devices[PROGRAM_DEVICES];
    uint32_t device_count;
    struct net_switch *switches;
    struct option_group globals; /* options of the program, while the command line is read */
    enum program_log log;
    bool once; /* end with the first front end */
    bool stopping;
    bool failed;
};

/* Options that every device has. */
struct device_options {
    const char *socket;
    uint32_t fd;
    uint32_t queue_size;
    uint32_t linger_us;
    bool poll;
    bool packed;
    bool split;
};

/* A kind of device. */
struct device_kind {
    const char *name;
    const char *summary;
    uint32_t id; /* virtio device id */
    const struct option *rows;
    size_t row_count;
    size_t size; /* of device->own, the rows' target, all zero at first */
    /* Bounds of the chains per queue and turn (see avps_posix/turn.h). */
    uint32_t turn_least;
    uint32_t turn_most;
    /* Open what is behind it and initialise it; sets device->base. */
    enum avps_status (*open)(struct device *device, struct avps_posix_error *error);
    /* It is open: name what it answers. May be NULL. */
    void (*ready)(struct device *device);
    /* Close what open opened, also after it failed half-way. @return false: data may be lost. */
    bool (*close)(struct device *device);
    /* SIGHUP: look at the medium again. May be NULL. */
    void (*reload)(struct device *device);
    /* SIGWINCH. May be NULL. */
    void (*resized)(struct device *device);
};

/* One device of the command line. */
struct device {
    struct program *program;
    const struct device_kind *kind;
    struct device_options options;
    struct option_group given; /* of the kind's rows */
    struct option_group common;
    void *own;
    char label[160]; /* kind and socket */
    struct avps_mem mem;
    struct avps_posix_runner runner;
    struct avps_posix_turn turn;
    struct avps_device *base;
    struct avps_vu *vu;
    uint64_t event_ns; /* last guest fault in the log */
    bool gone;         /* at the end: no front end, nothing in flight */
};

extern const struct device_kind blk_kind;
extern const struct device_kind net_kind;
extern const struct device_kind console_kind;
extern const struct device_kind rng_kind;

/* Options of every device. */
extern const struct option device_rows[];
extern const size_t device_row_count;

/* Common part of a device's configuration. */
struct avps_device_config device_base(struct device *device, struct avps_queue *queues,
                                      uint16_t count);

/* Fill in an error; @return `status`, for a return statement. */
__attribute__((format(printf, 3, 4))) enum avps_status
device_fail(struct avps_posix_error *error, enum avps_status status, const char *format, ...);

/* Start a device: its back end, itself, its socket. */
enum avps_status device_start(struct device *device, struct avps_posix_error *error);

/* End it and free it. @return false: data may be lost. */
bool device_end(struct device *device);

/* A device for one part of the command line; NULL: no memory. */
struct device *device_new(struct program *program, const struct device_kind *kind);

/* End the program: front ends go, requests in flight are waited for. */
void program_stop(struct program *program);

/* A line for the log. */
__attribute__((format(printf, 3, 4))) void
program_say(const struct program *program, enum program_log level, const char *format, ...);

/* Switches are shared by devices; freed when all devices are. */
void net_switches_free(struct program *program);

#endif
