/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages on a stream socket: collected piece by piece without waiting, sent whole. */
#ifndef VU_CHANNEL_H
#define VU_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol.h"

struct vu_message {
    struct vu_header header;
    union {
        uint64_t u64;
        uint8_t bytes[VU_PAYLOAD_MAX];
        struct vu_vring_state state;
        struct vu_vring_addr addr;
        struct vu_mem_table table;
        struct vu_single_region single;
        struct vu_log_area log;
        struct vu_iotlb_msg iotlb;
        struct vu_config_head config;
        struct vu_inflight_msg inflight;
        struct vu_transfer_msg transfer;
    } payload;
    int fds[VU_FDS_MAX]; /* -1: taken */
    uint32_t fd_count;
};

/* A message being received. */
struct vu_inbox {
    struct vu_message message;
    size_t got; /* bytes of header and payload so far */
};

enum vu_receive_result {
    VU_RECEIVED,   /* a whole message is in the box: serve it, then vu_inbox_clear */
    VU_INCOMPLETE, /* no more bytes now */
    VU_GONE,       /* the other side closed, between two messages */
    VU_MALFORMED   /* `*why` says what is wrong */
};

void vu_inbox_init(struct vu_inbox *box);

/* Read on. Only the envelope is judged here: version, flags, size, number of descriptors. */
enum vu_receive_result vu_inbox_receive(struct vu_inbox *box, int fd, const char **why);

/* Close what nobody took and start over. */
void vu_inbox_clear(struct vu_inbox *box);

/* Take a descriptor out of a message; the caller closes it. -1 if there is none at `i`. */
int vu_message_take_fd(struct vu_message *message, uint32_t i);

/* Send a message whole, with `fd` unless it is -1; on a pipe without. @return false if the other
 * side is gone or does not read. */
bool vu_send(int fd, const struct vu_header *header, const void *payload, int sent_fd);

#endif
