/* SPDX-License-Identifier: BSD-3-Clause */
/* One served device: its connection, rings and memory; what the files of this port share.
 *
 *   channel.c   bytes -> messages             memory.c, mapping.c  regions, look-up, dirty log
 *   messages.c  messages -> calls             iotlb.c              I/O virtual addresses
 *   rings.c     start, stop, kicks, calls     inflight.c           the in-flight region
 *   device.c    features, status, memory      transfer.c           device state
 *   backend.c   sockets, life cycle           polling.c            poll mode, lingering
 *   threads.c   queues beside each other */
#ifndef VU_INTERNAL_H
#define VU_INTERNAL_H

#include <stdatomic.h>

#include "avps/remote.h"
#include "avps_posix/notify.h"
#include "avps_vhost_user/backend.h"

#include "channel.h"
#include "inflight.h"
#include "iotlb.h"
#include "memory.h"
#include "transfer.h"

#define VU_NAME_MAX   64U
#define VU_REASON_MAX 160U

/* One vring. What the front end told is kept apart from what is in force. */
struct vu_ring {
    struct avps_vu *vu;
    uint16_t index;
    uint32_t size;
    struct vu_vring_addr addr;
    bool has_addr;
    struct avps_remote_position avail; /* where it starts, or stopped */
    struct avps_remote_position used;
    bool started; /* a kick descriptor was set, or a kick came */
    bool enabled;
    bool waiting;  /* its start waits for an IOTLB entry */
    bool stopping; /* its stop waits for requests in flight */
    bool nofd;     /* SET_VRING_KICK without a descriptor: poll */
    int kick_fd;   /* -1: none */
    int call_fd;
    int err_fd;
    uint64_t kicks; /* counted by whoever serves the queue */
    uint64_t calls;
    struct avps_posix_source kick_source;
    avps_gpa used_gpa; /* device area of the running ring, as the library knows it */
    uint64_t used_len;
    struct vu_inflight_queue inflight;
};

enum vu_phase {
    VU_PHASE_IDLE,      /* no front end */
    VU_PHASE_CONNECTED, /* serving */
    VU_PHASE_CLOSING    /* the front end is gone, the device's reset is not finished */
};

enum vu_polling {
    VU_POLLING_OFF,    /* waiting for kicks */
    VU_POLLING_LINGER, /* for a while after work */
    VU_POLLING_ALWAYS
};

struct vu_linger {
    uint64_t ns;       /* how long, as learnt so far; 0: not at all */
    uint64_t until_ns; /* end of the present one, if no more work comes */
    uint64_t idle_ns;  /* when there was work last */
    uint64_t work;     /* chains taken and returned by then */
};

/* A worker of this device. */
struct vu_thread {
    struct avps_vu *vu;
    uint16_t index;
    struct avps_posix_poller poller; /* in poll mode */
};

struct avps_vu {
    struct avps_vu_config config;
    char name[VU_NAME_MAX];
    struct avps_remote remote;
    struct avps_vu_counters counters;
    char reason[VU_REASON_MAX]; /* of the message being refused */

    /* sockets */
    int listen_fd;
    struct avps_posix_source listen_source;
    char path[108]; /* removed at the end; empty: not ours */
    enum vu_phase phase;
    enum vu_polling polling;
    int fd;
    int backend_fd;
    struct avps_posix_source source;
    struct vu_inbox inbox;
    struct avps_posix_source backend_source;
    struct vu_inbox backend_inbox;
    struct avps_posix_task task; /* something below is to be looked at */
    struct avps_posix_poller poller;
    struct vu_linger linger;
    bool deferred; /* the message in the inbox waits for requests in flight */
    bool stopping; /* avps_vu_stop was called */
    bool broken;   /* `reason` says why the connection must be closed */
    bool reset_asked;
    bool threaded;          /* workers run; changes only while they do not */
    atomic_bool config_due; /* a worker has seen a fault: the configuration changed */
    bool letting_go;        /* an invalidation waits for rings to stop */
    uint32_t losses;        /* vu_mapping_losses when it was last looked at */
    uint32_t holds;         /* who wants them still */

    /* what was negotiated */
    uint64_t features; /* SET_FEATURES, with the protocol's own bits */
    bool has_features;
    uint64_t protocol_features;
    uint8_t status; /* SET_STATUS */

    /* memory */
    struct vu_memory memory;
    struct avps_mem mem; /* as the device has it */
    struct vu_iotlb iotlb;
    struct vu_log log;
    struct vu_inflight inflight;
    struct vu_transfer transfer;

    uint16_t ring_count;
    struct vu_ring *rings;

    /* workers */
    struct vu_thread *threads;       /* one for each */
    struct avps_posix_notifier bell; /* a worker has seen something */
};

/* What came of a message. */
enum vu_result {
    VU_DONE,    /* served; acknowledged if the front end asked for that */
    VU_REPLIED, /* served and answered */
    VU_FAILED,  /* cannot be done: told if the front end asked, else the connection is closed */
    VU_REFUSED, /* breaks the protocol: the connection is closed */
    VU_LATER    /* requests are in flight: ask again after the next poll */
};

/* messages.c */
void vu_dispatch(struct avps_vu *vu);

/* device.c */
uint64_t vu_offered_protocol_features(const struct avps_vu *vu);
uint64_t vu_offered_features(const struct avps_vu *vu);
enum vu_result vu_set_features(struct avps_vu *vu, uint64_t features);
enum vu_result vu_set_status(struct avps_vu *vu, uint8_t status);
uint8_t vu_get_status(const struct avps_vu *vu);
enum vu_result vu_reset_device(struct avps_vu *vu);
/* Give the device the memory that is known; no ring runs. */
void vu_apply_memory(struct avps_vu *vu);
bool vu_uses_iotlb(const struct avps_vu *vu);

/* rings.c */
void vu_ring_init(struct vu_ring *ring, struct avps_vu *vu, uint16_t index);
/* As before the first message: descriptors closed. The queue is not enabled. */
void vu_ring_clear(struct vu_ring *ring);
/* Start it if all that is needed is there. VU_DONE, also when it has to wait; VU_REFUSED. */
enum vu_result vu_ring_update(struct vu_ring *ring);
enum vu_result vu_rings_update(struct avps_vu *vu);
/* Stop it with nothing in flight: VU_DONE, VU_LATER. */
enum vu_result vu_ring_pause(struct vu_ring *ring);
enum vu_result vu_rings_pause(struct avps_vu *vu);
/* Stop those that have a part in [iova, iova + size), and those whose stop was begun: VU_DONE, VU_LATER. */
enum vu_result vu_rings_let_go(struct avps_vu *vu, uint64_t iova, uint64_t size);
bool vu_rings_run(const struct avps_vu *vu);
void vu_ring_kick(struct vu_ring *ring);
void vu_ring_watch_kicks(struct vu_ring *ring);
/* The queues were polled: what waits for that is to be looked at. */
void vu_polled(struct avps_vu *vu);
void vu_tell_config(struct avps_vu *vu);
extern const struct avps_remote_ops vu_remote_ops;

/* iotlb.c */
/* A handle for the device, over the memory that is known: empty. */
enum avps_status vu_iotlb_apply(struct avps_vu *vu, bool logs, struct avps_mem *mem);
enum vu_result vu_iotlb_update(struct avps_vu *vu, const struct vu_iotlb_msg *msg);
enum vu_result vu_iotlb_invalidate(struct avps_vu *vu, const struct vu_iotlb_msg *msg);

/* polling.c */
void vu_polling_update(struct avps_vu *vu);
/* There was work while kicks were waited for: vu_linger is to be called. */
bool vu_linger_is_due(const struct avps_vu *vu);
void vu_linger(struct avps_vu *vu);
/* How long to linger from now on, after a pause of `pause_ns` that work ended. */
uint64_t vu_linger_learn(uint64_t linger_ns, uint64_t longest_ns, uint64_t pause_ns);

/* threads.c: without workers all of it does nothing, and the loop is the loop */
enum avps_status vu_threads_init(struct avps_vu *vu);
void vu_threads_free(struct avps_vu *vu);
/* The workers stand still between the two; they nest. */
void vu_hold(struct avps_vu *vu);
void vu_release(struct avps_vu *vu);
/* Whose loop serves a ring. */
struct avps_posix_loop *vu_ring_loop(const struct vu_ring *ring);
void vu_threads_start_pollers(struct avps_vu *vu);
void vu_threads_stop_pollers(struct avps_vu *vu);

/* backend.c */
/* What is to be looked at again after messages and polls. */
void vu_work(struct avps_vu *vu);
void vu_say(struct avps_vu *vu, enum avps_vu_level level, const char *line);
/* Write down why. */
void vu_reason(struct avps_vu *vu, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Close the connection as soon as the loop is back, for `vu->reason`. */
void vu_break(struct avps_vu *vu);
void vu_wake(struct avps_vu *vu);
bool vu_has_protocol(const struct avps_vu *vu, enum vu_protocol_feature bit);
/* Send over the back end's own channel. */
bool vu_tell(struct avps_vu *vu, uint32_t request, const void *payload, uint32_t size);
void vu_close_fd(int *fd);

#endif
