/* SPDX-License-Identifier: BSD-3-Clause */
/** @file backend.h
 *  One libavps device served to vhost-user front ends (QEMU, User-mode Linux, DPDK) over a socket.
 *
 *  Memory: avps_vu_new allocates; guest memory is mapped while a front end is connected.
 *  Threads: the loop's context for everything. One process may serve any number of devices on one
 *  loop. With `workers` queues are polled by threads beside each other, as long as nothing but that
 *  is to be done: for every message, and for all that follows from it, they stand still, and the loop
 *  serves the queues. Guest and front end: hostile. Every message is checked; a front end that breaks the
 *  protocol loses its connection with one line to `report`, and the device is as new for the next.
 *
 *  Use:
 *
 *      avps_vu_no_memory(&mem);                     // base.mem = &mem
 *      avps_posix_runner_init(&runner, ...);        // base.port = &runner.port
 *      avps_<name>_init(&dev, &config);
 *      avps_vu_new(&(struct avps_vu_config){...}, &vu);
 *      avps_vu_listen(vu, path);
 *      avps_posix_loop_run(&loop);
 *      avps_vu_free(vu);
 */
#ifndef AVPS_VHOST_USER_BACKEND_H
#define AVPS_VHOST_USER_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "avps/device.h"
#include "avps/mem.h"
#include "avps_posix/loop.h"
#include "avps_posix/runner.h"
#include "avps_posix/worker.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A served device. */
struct avps_vu;

/** What a line to `report` is about. */
enum avps_vu_level {
    AVPS_VU_INFO, /**< A front end came or went. */
    AVPS_VU_ERROR /**< A front end broke the protocol, or the system refused something. */
};

/** What the embedder chooses. Copied at avps_vu_new; pointers are borrowed. */
struct avps_vu_config {
    struct avps_device *device;       /**< Required: initialised, without a transport. Its memory
                                           is what avps_vu_no_memory gave. */
    struct avps_posix_loop *loop;     /**< Required. */
    struct avps_posix_runner *runner; /**< Required: polls the device; its port is the device's. */
    const char *name; /**< Begins every report; at most 63 bytes. NULL: "vhost-user". */
    /** One line without line end about this device. May be NULL. */
    void (*report)(void *ctx, enum avps_vu_level level, const char *line);
    /** The front end is gone and the device is reset; another may come if a socket listens.
     *  May be NULL. */
    void (*disconnected)(void *ctx);
    void *ctx; /**< Handed to both. */
    bool
        busy_poll; /**< Poll all the time instead of waiting for kicks, and ask drivers for none. */
    /** Poll on for up to so many microseconds after the last work before kicks are waited for again;
     *  how long is learnt from the pauses between work. 0: never. 50 is good for speed: drivers whose
     *  requests follow each other need few kicks then. */
    uint32_t linger_us;
    /** Workers on `loop`, standing still, for this device alone: queue n is served on the loop of
     *  worker n (a network device's: n / 2, for the two queues of a pair), modulo their number; that
     *  the device and what is behind it can do so is the embedder's to know. They end after
     *  avps_vu_free. No lingering then. NULL: `loop` serves all queues. */
    struct avps_posix_worker *workers;
    uint16_t worker_count; /**< Workers. */
    /** With workers, required: serve one queue, as avps_poll_queue does. In a worker's context. */
    enum avps_poll_result (*poll_queue)(void *ctx, uint16_t queue);
};

/** What happened so far. */
struct avps_vu_counters {
    uint64_t connections; /**< Front ends accepted. */
    uint64_t refused;     /**< Connections closed for an error of the front end. */
    uint64_t messages;    /**< Messages served. */
    uint64_t kicks;       /**< Kick descriptors read, in-band kicks included. */
    uint64_t calls;       /**< Call descriptors written, in-band calls included. */
    uint64_t misses;      /**< IOTLB misses sent. */
    uint64_t resubmitted; /**< Chains taken over from an in-flight region. */
};

/** A memory handle for a device's init that knows no address, until a front end tells its memory. */
void avps_vu_no_memory(struct avps_mem *mem);

/** Serve a device. Ignores SIGPIPE in this process from now on, and catches SIGBUS: a front end may
 *  cut a file short under a mapping.
 *  @return AVPS_OK; AVPS_E_PARAM; AVPS_E_STATE if the device has a transport; AVPS_E_NOSPACE if
 *  memory or descriptors ran out. */
AVPS_NODISCARD enum avps_status avps_vu_new(const struct avps_vu_config *config,
                                            struct avps_vu **out);

/** Listen at `path` for front ends, which are served one after the other. An old socket there is
 *  removed if nobody listens on it.
 *  @return AVPS_OK; AVPS_E_PARAM if the path is too long; AVPS_E_STATE if it has a socket already;
 *  AVPS_E_IO (errno says why; EADDRINUSE: another process listens there). */
AVPS_NODISCARD enum avps_status avps_vu_listen(struct avps_vu *vu, const char *path);

/** Listen on a socket that was made elsewhere (systemd), or serve a connected one; taken over, also
 *  on failure. @return AVPS_OK; AVPS_E_PARAM if it is no stream socket; AVPS_E_STATE; AVPS_E_IO. */
AVPS_NODISCARD enum avps_status avps_vu_adopt(struct avps_vu *vu, int fd);

/** Connect to a front end that listens at `path`. @return as avps_vu_listen. */
AVPS_NODISCARD enum avps_status avps_vu_connect(struct avps_vu *vu, const char *path);

/** Stop: no connection is accepted and no chain taken any more; those in flight are returned first.
 *  `disconnected` tells the end, at once or later. For a clean exit. */
void avps_vu_stop(struct avps_vu *vu);

/** Whether a front end is connected. */
bool avps_vu_is_connected(const struct avps_vu *vu);

/** Counters as they are now; valid as long as `vu` is. */
const struct avps_vu_counters *avps_vu_counters(struct avps_vu *vu);

/** Make the workers stand still, for calls on the device that need all queues at rest; calls nest.
 *  Without workers nothing happens. */
void avps_vu_pause(struct avps_vu *vu);

/** Let them go on, if they may. @return whether they do, and look at all queues at once. */
bool avps_vu_resume(struct avps_vu *vu);

/** Close everything and free. Requests in flight are cancelled; a back end that cannot cancel at
 *  once must have completed them first (avps_vu_stop). NULL is allowed. */
void avps_vu_free(struct avps_vu *vu);

#ifdef __cplusplus
}
#endif
#endif
