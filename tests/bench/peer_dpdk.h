/* SPDX-License-Identifier: BSD-3-Clause */
/* DPDK's vhost library as a peer: dequeue and enqueue bursts with copies. */
#ifndef AVPS_BENCH_PEER_DPDK_H
#define AVPS_BENCH_PEER_DPDK_H

#include <stdbool.h>
#include <stdint.h>

/* Start DPDK without hugepages, devices or telemetry; one core. Exits with one line on failure. */
void peer_dpdk_init(void);

/* Listen at `path`. */
void peer_dpdk_listen(const char *path);

/* Wait until a front end's queues are up; returns its id. */
int peer_dpdk_wait(void);

/* Take up to `n` packets from queue 1 and free them again; returns how many, adds up the bytes. */
uint32_t peer_dpdk_dequeue(int vid, uint32_t n, uint64_t *bytes);

/* Check of the last dequeue's contents before the free: 0 switches it off (when measuring). */
void peer_dpdk_expect(const uint8_t *payload, uint32_t len);

/* Prepare `n` packets of `len` bytes to be enqueued again and again. */
void peer_dpdk_prepare(const uint8_t *payload, uint32_t len, uint32_t n);

/* Put the prepared packets on queue 0; returns how many were accepted. */
uint32_t peer_dpdk_enqueue(int vid, uint32_t n);

#endif
