/* SPDX-License-Identifier: BSD-3-Clause */
/* Devices with the back ends of port/posix, for a program that serves guests: what its user can choose
 * of each (options.h), its back end, the device itself, the loop that polls it. What carries the device to
 * a guest - a vhost-user socket, a register window - is the program's.
 *
 *     struct host_device *device = host_device_new(&host, host_kind_find("blk"));
 *     ... options_parse with device->given and device->common among the groups ...
 *     device->loop = &loop;  device->mem = mem;  snprintf(device->label, ...);
 *     host_device_open(device, &error);     // device->base is initialised now
 *     ... a transport: avps_mmio_init, avps_pci_init, avps_vu_new ...
 *     host_device_ready(device);            // the back end may call the device from now on
 *     ... avps_kick, then host_device_wake(device) ...
 *     host_device_free(device);             // false: the last writes may be lost
 *
 * Threads: a device belongs to the context of its loop; devices of one switch or bus share a loop. With
 * device->threads, set before it is opened, its queues are polled beside each other by workers. */
#ifndef HOST_H
#define HOST_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avps/avps.h"
#include "avps_common/platform_apply.h"
#include "avps_common/stats.h"
#include "avps_posix/error.h"
#include "avps_posix/loop.h"
#include "avps_posix/runner.h"
#include "avps_posix/turn.h"
#include "avps_posix/worker.h"
#include "options.h"

#define HOST_DEVICES 32U /* of one program, at most */
#define HOST_QUEUES  17U /* of one device, at most */

enum host_log { LOG_NONE, LOG_ERROR, LOG_INFO };

struct host_device;
struct i2c_wire;
struct net_switch;

/* What the devices of a program share. */
struct host {
    /* A line for the log, without newline. */
    void (*say)(void *ctx, enum host_log level, const char *line);
    void *say_ctx;
    /* The user asked for the end, on a terminal. */
    void (*stop)(void *ctx);
    void *stop_ctx;
    struct net_switch *switches;
    struct i2c_wire *i2c_wires;
};

/* How the queues of a device are polled beside each other. */
struct host_threads {
    struct avps_posix_worker *workers; /* one for each share: a queue, or pair, of the kind */
    uint16_t count;
    void (*pause)(void *ctx);  /* make them stand still; nests */
    bool (*resume)(void *ctx); /* whether they go on */
    void *ctx;
};

/* Options that every device has. */
struct host_device_options {
    uint32_t queue_size;
    bool packed;
    bool split;
};

/* A kind of device. */
struct host_kind {
    const char *name;
    const char *summary;
    uint32_t id; /* virtio device id */
    const struct option *rows;
    size_t row_count;
    size_t size; /* of device->own, the rows' target, all zero at first */
    /* Bounds of the chains per queue and turn (see avps_posix/turn.h). */
    uint32_t turn_least;
    uint32_t turn_most;
    /* How many queues, or pairs, can be polled beside each other, after options; 0, with a line that
     * says why: they cannot. NULL: never. */
    uint32_t (*shares)(const struct host_device *device, struct avps_posix_error *error);
    /* Open what is behind it and initialise it; sets device->base. */
    enum avps_status (*open)(struct host_device *device, struct avps_posix_error *error);
    /* It is open and has its transport: name what it answers. May be NULL. */
    void (*ready)(struct host_device *device);
    /* Close what open opened, also after it failed half-way. @return false: data may be lost. */
    bool (*close)(struct host_device *device);
    /* Look at the medium again. May be NULL. */
    void (*reload)(struct host_device *device);
    /* The guest goes on here, from a saved state: tell whom it concerns. May be NULL. */
    void (*moved)(struct host_device *device);
    /* The program's terminal has another size. May be NULL. */
    void (*resized)(struct host_device *device);
};

/* One device. Whoever makes it sets the fields of the first part before it is opened. */
struct host_device {
    struct avps_posix_loop *loop; /* whose context it lives in */
    struct avps_mem mem;          /* its way to guest memory */
    char label[160];              /* for the log; a network without --mac makes its address of it */
    char name[32];                /* in reports of counters, without spaces */
    bool busy_poll;               /* the loop polls it all the time: so are its completions */
    bool access_platform;         /* offer and require ACCESS_PLATFORM */
    struct avps_features withhold;        /* features not to offer */
    const struct avps_platform *platform; /* see platform.h; NULL: the options say all */
    const struct avps_platform_device
        *planned;                       /* what it is on the platform; goes before options */
    const struct host_threads *threads; /* NULL: the loop serves all queues */

    struct host *host;
    const struct host_kind *kind;
    struct host_device_options options;
    struct option_group given; /* of the kind's rows */
    struct option_group common;
    void *own;
    struct avps_posix_runner runner;
    struct avps_posix_turn turn;
    struct avps_posix_turn turns[HOST_QUEUES]; /* with threads: each queue's */
    struct avps_device *base;                  /* NULL until it is open */
    pthread_mutex_t event_mutex;               /* protects the two below from several workers */
    uint64_t event_ns;                         /* last guest fault in the log */
    struct avps_stats_events events;
};

/* The kinds that there are. */
extern const struct host_kind *const host_kinds[];
extern const size_t host_kind_count;

/* By its name, or NULL. */
const struct host_kind *host_kind_find(const char *name);

/* Options of every device. */
extern const struct option host_device_rows[];
extern const size_t host_device_row_count;

/* A device, all options at their defaults; NULL: no memory. */
struct host_device *host_device_new(struct host *host, const struct host_kind *kind);

/* Check the options, open the back end, initialise the device. */
enum avps_status host_device_open(struct host_device *device, struct avps_posix_error *error);

/* It has its transport: whether it offers what its platform file names. */
enum avps_status host_device_keeps_promise(const struct host_device *device,
                                           struct avps_posix_error *error);

/* It has its transport: what is behind it may come. */
void host_device_ready(struct host_device *device);

/* Its place in a report of counters. It is open. */
struct avps_stats_device host_device_stats(const struct host_device *device);

/* Poll it soon: after avps_kick, in the loop's context. */
void host_device_wake(struct host_device *device);

/* With threads: poll one queue, in the context of its worker. */
enum avps_poll_result host_device_poll_queue(struct host_device *device, uint16_t queue);

/* With threads: have no queue polled between the two; they nest. */
void host_device_pause(struct host_device *device);
void host_device_resume(struct host_device *device);

/* Close the back end and free the device. It takes no chains and nothing is in flight, or the back end
 * waits for it. @return false: data may be lost. */
bool host_device_free(struct host_device *device);

/* Switches are shared by devices; freed when all devices are. */
void host_switches_free(struct host *host);

/* A line for the log. */
__attribute__((format(printf, 3, 4))) void host_say(const struct host *host, enum host_log level,
                                                    const char *format, ...);

/* Fill in an error; @return `status`, for a return statement. */
__attribute__((format(printf, 3, 4))) enum avps_status
host_fail(struct avps_posix_error *error, enum avps_status status, const char *format, ...);

/* ---- for the kinds ---- */

extern const struct host_kind blk_kind;
extern const struct host_kind net_kind;
extern const struct host_kind console_kind;
extern const struct host_kind rng_kind;
extern const struct host_kind i2c_kind;
extern const struct host_kind vsock_kind;

/* The loop on which queue, or pair of queues, `share` is served. */
struct avps_posix_loop *host_device_loop(const struct host_device *device, uint32_t share);

/* Common part of a device's configuration. */
struct avps_device_config host_device_base(struct host_device *device, struct avps_queue *queues,
                                           uint16_t count);

#endif
