/* SPDX-License-Identifier: BSD-3-Clause */
/* The vhost-user protocol as QEMU's docs/interop/vhost-user.rst defines it: numbers and layouts.
 * All fields are in the host's byte order. */
#ifndef VU_PROTOCOL_H
#define VU_PROTOCOL_H

#include <stdint.h>

/* ---- header ---- */

#define VU_FLAG_VERSION      1U
#define VU_FLAG_VERSION_MASK 3U
#define VU_FLAG_REPLY        4U
#define VU_FLAG_NEED_REPLY   8U
#define VU_FLAG_KNOWN        15U

#define VU_FDS_MAX     8U   /* in one message */
#define VU_PAYLOAD_MAX 512U /* the longest: 8 regions, or 256 bytes of configuration */

struct vu_header {
    uint32_t request;
    uint32_t flags;
    uint32_t size; /* of the payload */
};

enum vu_request {
    VU_GET_FEATURES = 1,
    VU_SET_FEATURES = 2,
    VU_SET_OWNER = 3,
    VU_RESET_OWNER = 4,
    VU_SET_MEM_TABLE = 5,
    VU_SET_LOG_BASE = 6,
    VU_SET_LOG_FD = 7,
    VU_SET_VRING_NUM = 8,
    VU_SET_VRING_ADDR = 9,
    VU_SET_VRING_BASE = 10,
    VU_GET_VRING_BASE = 11,
    VU_SET_VRING_KICK = 12,
    VU_SET_VRING_CALL = 13,
    VU_SET_VRING_ERR = 14,
    VU_GET_PROTOCOL_FEATURES = 15,
    VU_SET_PROTOCOL_FEATURES = 16,
    VU_GET_QUEUE_NUM = 17,
    VU_SET_VRING_ENABLE = 18,
    VU_SET_BACKEND_REQ_FD = 21,
    VU_IOTLB_MSG = 22,
    VU_GET_CONFIG = 24,
    VU_SET_CONFIG = 25,
    VU_GET_INFLIGHT_FD = 31,
    VU_SET_INFLIGHT_FD = 32,
    VU_RESET_DEVICE = 34,
    VU_VRING_KICK = 35,
    VU_GET_MAX_MEM_SLOTS = 36,
    VU_ADD_MEM_REG = 37,
    VU_REM_MEM_REG = 38,
    VU_SET_STATUS = 39,
    VU_GET_STATUS = 40,
    VU_SET_DEVICE_STATE_FD = 42,
    VU_CHECK_DEVICE_STATE = 43,
    VU_REQUESTS
};

enum vu_backend_request {
    VU_BACKEND_IOTLB_MSG = 1,
    VU_BACKEND_CONFIG_CHANGE = 2,
    VU_BACKEND_VRING_CALL = 4,
    VU_BACKEND_VRING_ERR = 5
};

/* ---- feature bits ---- */

#define VU_F_LOG_ALL           (UINT64_C(1) << 26)
#define VU_F_PROTOCOL_FEATURES (UINT64_C(1) << 30)

enum vu_protocol_feature {
    VU_P_MQ = 0,
    VU_P_LOG_SHMFD = 1,
    VU_P_REPLY_ACK = 3,
    VU_P_BACKEND_REQ = 5,
    VU_P_CONFIG = 9,
    VU_P_INFLIGHT_SHMFD = 12,
    VU_P_RESET_DEVICE = 13,
    VU_P_INBAND_NOTIFICATIONS = 14,
    VU_P_CONFIGURE_MEM_SLOTS = 15,
    VU_P_STATUS = 16,
    VU_P_DEVICE_STATE = 19
};

/* ---- payloads ---- */

#define VU_VRING_INDEX_MASK UINT64_C(0xff)
#define VU_VRING_NOFD       UINT64_C(0x100)
#define VU_VRING_F_LOG      1U

struct vu_vring_state {
    uint32_t index;
    uint32_t num;
};

struct vu_vring_addr {
    uint32_t index;
    uint32_t flags;
    uint64_t descriptor;
    uint64_t used;
    uint64_t available;
    uint64_t log;
};

struct vu_region {
    uint64_t guest_addr;
    uint64_t size;
    uint64_t user_addr;
    uint64_t mmap_offset;
};

#define VU_TABLE_REGIONS 8U

struct vu_mem_table {
    uint32_t count;
    uint32_t padding;
    struct vu_region regions[VU_TABLE_REGIONS];
};

struct vu_single_region {
    uint64_t padding;
    struct vu_region region;
};

struct vu_log_area {
    uint64_t size;
    uint64_t offset;
};

#define VU_IOTLB_MISS       1U
#define VU_IOTLB_UPDATE     2U
#define VU_IOTLB_INVALIDATE 3U

struct vu_iotlb_msg {
    uint64_t iova;
    uint64_t size;
    uint64_t user_addr;
    uint8_t perm;
    uint8_t type;
    uint8_t padding[6];
};

#define VU_CONFIG_MAX       256U
#define VU_CONFIG_WRITABLE  0U
#define VU_CONFIG_MIGRATION 1U

struct vu_config_head {
    uint32_t offset;
    uint32_t size;
    uint32_t flags;
};

struct vu_inflight_msg {
    uint64_t mmap_size;
    uint64_t mmap_offset;
    uint16_t queues;
    uint16_t queue_size;
    uint32_t padding;
};

#define VU_TRANSFER_SAVE  0U
#define VU_TRANSFER_LOAD  1U
#define VU_TRANSFER_NOFD  UINT64_C(0x100)
#define VU_TRANSFER_ERROR UINT64_C(1)

struct vu_transfer_msg {
    uint32_t direction;
    uint32_t phase;
};

/* ---- the in-flight region, one after the other per queue ---- */

#define VU_INFLIGHT_VERSION 1U
#define VU_INFLIGHT_ALIGN   64U

struct vu_split_entry {
    uint8_t inflight;
    uint8_t padding[5];
    uint16_t next;
    uint64_t counter;
};

struct vu_split_region {
    uint64_t features;
    uint16_t version;
    uint16_t desc_num;
    uint16_t last_batch_head;
    uint16_t used_idx;
    struct vu_split_entry desc[];
};

struct vu_packed_entry {
    uint8_t inflight;
    uint8_t padding;
    uint16_t next;
    uint16_t last;
    uint16_t num;
    uint64_t counter;
    uint16_t id;
    uint16_t flags;
    uint32_t len;
    uint64_t addr;
};

struct vu_packed_region {
    uint64_t features;
    uint16_t version;
    uint16_t desc_num;
    uint16_t free_head;
    uint16_t old_free_head;
    uint16_t used_idx;
    uint16_t old_used_idx;
    uint8_t used_wrap_counter;
    uint8_t old_used_wrap_counter;
    uint8_t padding[7];
    struct vu_packed_entry desc[];
};

#endif
