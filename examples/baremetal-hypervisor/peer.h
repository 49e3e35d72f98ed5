/* SPDX-License-Identifier: BSD-3-Clause */
/* The guest's partner on the network: ARP, ping, and UDP services that check every byte.
 *
 * UDP 7 echoes. UDP 9001 takes datagrams {window, index, count, payload} and answers the last of a
 * window with {window, datagrams seen, CRC-32 over their payloads}. UDP 9002 is asked {window,
 * count} and sends that many datagrams {window, index, CRC-32 of payload, payload}. */
#ifndef HYP_PEER_H
#define HYP_PEER_H

#include <stdint.h>

#define PEER_FRAME_MAX 1514U
#define PEER_COUNT_MAX 64U /* datagrams that one request can ask for */

struct peer {
    /* Send a frame to the guest. */
    void (*send)(void *ctx, const uint8_t *frame, uint32_t len);
    void *ctx;
    uint8_t mac[6];
    uint8_t ip[4];

    uint32_t window; /* of the datagrams taken by 9001 */
    uint32_t seen;
    uint32_t crc;
    uint8_t out[PEER_FRAME_MAX];

    uint64_t arp; /* answered */
    uint64_t icmp;
    uint64_t udp;
    uint64_t ignored; /* not for us, or malformed */
};

/* A frame from the network. */
void peer_receive(struct peer *peer, const uint8_t *frame, uint32_t len);

#endif
