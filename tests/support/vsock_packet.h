/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets of a socket device, as they are in buffers of the guest. */
#ifndef TEST_SUPPORT_VSOCK_PACKET_H
#define TEST_SUPPORT_VSOCK_PACKET_H

#include <stdint.h>

#define TEST_VSOCK_HEADER 44U

struct test_vsock_packet {
    uint64_t src_cid;
    uint64_t dst_cid;
    uint32_t src_port;
    uint32_t dst_port;
    uint32_t len;
    uint16_t type;
    uint16_t op;
    uint32_t flags;
    uint32_t buf_alloc;
    uint32_t fwd_cnt;
};

static inline void test_put_bytes(uint8_t *at, uint64_t value, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(value >> (8U * i));
    }
}

static inline uint64_t test_get_bytes(const uint8_t *at, uint32_t bytes)
{
    uint64_t value = 0;

    for (uint32_t i = 0; i < bytes; i++) {
        value |= (uint64_t)at[i] << (8U * i);
    }
    return value;
}

static inline void test_vsock_encode(const struct test_vsock_packet *p,
                                     uint8_t hdr[TEST_VSOCK_HEADER])
{
    test_put_bytes(hdr, p->src_cid, 8);
    test_put_bytes(hdr + 8, p->dst_cid, 8);
    test_put_bytes(hdr + 16, p->src_port, 4);
    test_put_bytes(hdr + 20, p->dst_port, 4);
    test_put_bytes(hdr + 24, p->len, 4);
    test_put_bytes(hdr + 28, p->type, 2);
    test_put_bytes(hdr + 30, p->op, 2);
    test_put_bytes(hdr + 32, p->flags, 4);
    test_put_bytes(hdr + 36, p->buf_alloc, 4);
    test_put_bytes(hdr + 40, p->fwd_cnt, 4);
}

static inline void test_vsock_decode(const uint8_t hdr[TEST_VSOCK_HEADER],
                                     struct test_vsock_packet *p)
{
    *p = (struct test_vsock_packet){.src_cid = test_get_bytes(hdr, 8),
                                    .dst_cid = test_get_bytes(hdr + 8, 8),
                                    .src_port = (uint32_t)test_get_bytes(hdr + 16, 4),
                                    .dst_port = (uint32_t)test_get_bytes(hdr + 20, 4),
                                    .len = (uint32_t)test_get_bytes(hdr + 24, 4),
                                    .type = (uint16_t)test_get_bytes(hdr + 28, 2),
                                    .op = (uint16_t)test_get_bytes(hdr + 30, 2),
                                    .flags = (uint32_t)test_get_bytes(hdr + 32, 4),
                                    .buf_alloc = (uint32_t)test_get_bytes(hdr + 36, 4),
                                    .fwd_cnt = (uint32_t)test_get_bytes(hdr + 40, 4)};
}

#endif
