/* SPDX-License-Identifier: BSD-3-Clause */
/* In place of peer_dpdk.c where the library is run alone, and DPDK need not be installed. */
#include "peer_dpdk.h"

#include <stdio.h>
#include <stdlib.h>

static void no_peer(void)
{
    fprintf(stderr, "bench_net: built without a peer: only ROUNDS CASE and --names work\n");
    exit(1);
}

void peer_dpdk_init(void)
{
    no_peer();
}

void peer_dpdk_listen(const char *path)
{
    (void)path;
    no_peer();
}

int peer_dpdk_wait(void)
{
    no_peer();
    return -1;
}

void peer_dpdk_expect(const uint8_t *payload, uint32_t len)
{
    (void)payload;
    (void)len;
    no_peer();
}

uint32_t peer_dpdk_dequeue(int vid, uint32_t n, uint64_t *bytes)
{
    (void)vid;
    (void)n;
    (void)bytes;
    no_peer();
    return 0;
}

void peer_dpdk_prepare(const uint8_t *payload, uint32_t len, uint32_t n)
{
    (void)payload;
    (void)len;
    (void)n;
    no_peer();
}

uint32_t peer_dpdk_enqueue(int vid, uint32_t n)
{
    (void)vid;
    (void)n;
    no_peer();
    return 0;
}
