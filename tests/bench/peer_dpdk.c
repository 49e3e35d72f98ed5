/* SPDX-License-Identifier: BSD-3-Clause */
/* DPDK's vhost library as a peer. */
#include "peer_dpdk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_vhost.h>

#define BURST 32U

static struct rte_mempool *peer_pool;
static struct rte_mbuf *peer_tx[BURST];
static volatile int peer_vid = -1;
static const uint8_t *peer_payload;
static uint32_t peer_payload_len;

static void die(const char *what)
{
    fprintf(stderr, "dpdk peer: %s\n", what);
    exit(1);
}

void peer_dpdk_init(void)
{
    static char options[][16] = {"bench", "--no-huge",      "-m",          "256", "--no-pci", "-l",
                                 "0",     "--no-telemetry", "--log-level", "3"};
    static char *args[sizeof options / sizeof options[0] + 1U];
    const int count = (int)(sizeof options / sizeof options[0]);

    for (int i = 0; i < count; i++) {
        args[i] = options[i];
    }
    if (rte_eal_init(count, args) < 0) {
        die("rte_eal_init failed");
    }
    peer_pool = rte_pktmbuf_pool_create("bench", 1023, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, -1);
    if (peer_pool == NULL) {
        die("no packet pool");
    }
}

static int peer_new_device(int vid)
{
    (void)rte_vhost_enable_guest_notification(vid, 0, 0);
    (void)rte_vhost_enable_guest_notification(vid, 1, 0);
    peer_vid = vid;
    return 0;
}

static void peer_destroy_device(int vid)
{
    (void)vid;
    peer_vid = -1;
}

static const struct rte_vhost_device_ops peer_ops = {.new_device = peer_new_device,
                                                     .destroy_device = peer_destroy_device};

void peer_dpdk_listen(const char *path)
{
    (void)unlink(path);
    peer_vid = -1;
    if (rte_vhost_driver_register(path, RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS) != 0 ||
        rte_vhost_driver_callback_register(path, &peer_ops) != 0 ||
        rte_vhost_driver_start(path) != 0) {
        die("cannot listen");
    }
}

int peer_dpdk_wait(void)
{
    for (uint32_t i = 0; i < 5000U && peer_vid < 0; i++) {
        (void)usleep(1000);
    }
    if (peer_vid < 0) {
        die("the queues did not come up");
    }
    return peer_vid;
}

void peer_dpdk_expect(const uint8_t *payload, uint32_t len)
{
    peer_payload = payload;
    peer_payload_len = len;
}

static void peer_check(const struct rte_mbuf *packet)
{
    if (peer_payload_len != 0U &&
        (rte_pktmbuf_pkt_len(packet) != peer_payload_len ||
         memcmp(rte_pktmbuf_mtod(packet, const void *), peer_payload, peer_payload_len) != 0)) {
        die("wrong contents");
    }
}

uint32_t peer_dpdk_dequeue(int vid, uint32_t n, uint64_t *bytes)
{
    struct rte_mbuf *packets[BURST];
    const uint16_t got = rte_vhost_dequeue_burst(vid, 1, peer_pool, packets, (uint16_t)n);

    for (uint16_t i = 0; i < got; i++) {
        *bytes += rte_pktmbuf_pkt_len(packets[i]);
        peer_check(packets[i]);
    }
    rte_pktmbuf_free_bulk(packets, got);
    return got;
}

void peer_dpdk_prepare(const uint8_t *payload, uint32_t len, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (peer_tx[i] != NULL) {
            rte_pktmbuf_free(peer_tx[i]);
        }
        peer_tx[i] = rte_pktmbuf_alloc(peer_pool);
        if (peer_tx[i] == NULL) {
            die("no packet");
        }
        memcpy(rte_pktmbuf_append(peer_tx[i], (uint16_t)len), payload, len);
    }
}

uint32_t peer_dpdk_enqueue(int vid, uint32_t n)
{
    return rte_vhost_enqueue_burst(vid, 0, peer_tx, (uint16_t)n);
}
