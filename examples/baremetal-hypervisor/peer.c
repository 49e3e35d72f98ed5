/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers and checksums, ARP, IPv4, ICMP, UDP services. An answer is made from a copy of the request
 * in `out`, with addresses swapped. Frames come from the guest: every length is checked. */
#include "peer.h"

#include <stdbool.h>
#include <string.h>

#define ETH_DST  0U
#define ETH_SRC  6U
#define ETH_TYPE 12U
#define ETH_SIZE 14U

#define ETH_TYPE_ARP  0x0806U
#define ETH_TYPE_IPV4 0x0800U

#define ARP_OPERATION  (ETH_SIZE + 6U)
#define ARP_SENDER_MAC (ETH_SIZE + 8U)
#define ARP_SENDER_IP  (ETH_SIZE + 14U)
#define ARP_TARGET_MAC (ETH_SIZE + 18U)
#define ARP_TARGET_IP  (ETH_SIZE + 24U)
#define ARP_END        (ETH_SIZE + 28U)
#define ARP_REQUEST    1U
#define ARP_REPLY      2U

#define IP_LENGTH   (ETH_SIZE + 2U)
#define IP_FRAGMENT (ETH_SIZE + 6U)
#define IP_PROTOCOL (ETH_SIZE + 9U)
#define IP_CHECKSUM (ETH_SIZE + 10U)
#define IP_SOURCE   (ETH_SIZE + 12U)
#define IP_TARGET   (ETH_SIZE + 16U)
#define IP_SIZE     20U
#define IP_END      (ETH_SIZE + IP_SIZE)
#define IP_PLAIN    0x45U /* version 4, no options */
#define IP_ICMP     1U
#define IP_UDP      17U

#define ICMP_CHECKSUM (IP_END + 2U)
#define ICMP_SIZE     8U
#define ICMP_REQUEST  8U
#define ICMP_REPLY    0U

#define UDP_SOURCE   IP_END
#define UDP_TARGET   (IP_END + 2U)
#define UDP_LENGTH   (IP_END + 4U)
#define UDP_CHECKSUM (IP_END + 6U)
#define UDP_SIZE     8U
#define UDP_DATA     (IP_END + UDP_SIZE)

#define PEER_PORT_ECHO   7U
#define PEER_PORT_SINK   9001U
#define PEER_PORT_SOURCE 9002U
#define PEER_HEADER      12U
#define PEER_PAYLOAD     1024U

/* ---- numbers and checksums ---- */

static uint32_t peer_get16(const uint8_t *at)
{
    return ((uint32_t)at[0] << 8) | at[1];
}

static void peer_put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static uint32_t peer_get32(const uint8_t *at)
{
    return (peer_get16(at) << 16) | peer_get16(at + 2);
}

static void peer_put32(uint8_t *at, uint32_t value)
{
    peer_put16(at, value >> 16);
    peer_put16(at + 2, value & 0xffffU);
}

/* Internet checksum of `len` bytes, on top of `sum`. */
static uint32_t peer_checksum(const uint8_t *data, uint32_t len, uint32_t sum)
{
    for (uint32_t i = 0; i + 1U < len; i += 2U) {
        sum += peer_get16(&data[i]);
    }
    if (len % 2U != 0U) {
        sum += (uint32_t)data[len - 1U] << 8;
    }
    while (sum >> 16 != 0U) {
        sum = (sum & 0xffffU) + (sum >> 16);
    }
    return ~sum & 0xffffU;
}

static uint32_t peer_crc(uint32_t crc, const uint8_t *data, uint32_t len)
{
    crc = ~crc;
    for (uint32_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0xedb88320U & (0U - (crc & 1U)));
        }
    }
    return ~crc;
}

/* ---- ARP ---- */

static bool peer_arp(struct peer *peer, uint32_t len)
{
    uint8_t *out = peer->out;

    if (len < ARP_END || peer_get16(&out[ARP_OPERATION]) != ARP_REQUEST ||
        memcmp(&out[ARP_TARGET_IP], peer->ip, 4U) != 0) {
        return false;
    }
    memcpy(&out[ETH_DST], &out[ETH_SRC], 6U);
    memcpy(&out[ETH_SRC], peer->mac, 6U);
    peer_put16(&out[ARP_OPERATION], ARP_REPLY);
    memcpy(&out[ARP_TARGET_MAC], &out[ARP_SENDER_MAC], 10U); /* address and IP */
    memcpy(&out[ARP_SENDER_MAC], peer->mac, 6U);
    memcpy(&out[ARP_SENDER_IP], peer->ip, 4U);
    peer->send(peer->ctx, out, ARP_END);
    peer->arp++;
    return true;
}

/* ---- IPv4 ---- */

/* Send `out`, a request turned into its answer, with `len` bytes behind the IP header. */
static void peer_answer(struct peer *peer, uint32_t len)
{
    uint8_t *out = peer->out;

    memcpy(&out[ETH_DST], &out[ETH_SRC], 6U);
    memcpy(&out[ETH_SRC], peer->mac, 6U);
    memcpy(&out[IP_TARGET], &out[IP_SOURCE], 4U);
    memcpy(&out[IP_SOURCE], peer->ip, 4U);
    peer_put16(&out[IP_LENGTH], IP_SIZE + len);
    peer_put16(&out[IP_CHECKSUM], 0U);
    peer_put16(&out[IP_CHECKSUM], peer_checksum(&out[ETH_SIZE], IP_SIZE, 0U));
    peer->send(peer->ctx, out, IP_END + len);
}

static bool peer_icmp(struct peer *peer, uint32_t len)
{
    uint8_t *out = peer->out;

    if (len < ICMP_SIZE || out[IP_END] != ICMP_REQUEST ||
        peer_checksum(&out[IP_END], len, 0U) != 0U) {
        return false;
    }
    out[IP_END] = ICMP_REPLY;
    peer_put16(&out[ICMP_CHECKSUM], 0U);
    peer_put16(&out[ICMP_CHECKSUM], peer_checksum(&out[IP_END], len, 0U));
    peer_answer(peer, len);
    peer->icmp++;
    return true;
}

/* ---- UDP ---- */

/* Answer with `len` bytes of data, which are in place. */
static void peer_udp_answer(struct peer *peer, uint32_t port, uint32_t to, uint32_t len)
{
    uint8_t *out = peer->out;
    const uint32_t total = UDP_SIZE + len;

    peer_put16(&out[UDP_SOURCE], port);
    peer_put16(&out[UDP_TARGET], to);
    peer_put16(&out[UDP_LENGTH], total);
    peer_put16(&out[UDP_CHECKSUM], 0U);
    /* Both addresses are in the pseudo header, so their order does not matter. */
    uint32_t sum = IP_UDP + total;
    for (uint32_t i = 0; i < 8U; i += 2U) {
        sum += peer_get16(&out[IP_SOURCE + i]);
    }
    sum = peer_checksum(&out[IP_END], total, sum);
    peer_put16(&out[UDP_CHECKSUM], sum == 0U ? 0xffffU : sum);
    peer_answer(peer, total);
}

/* A datagram of a window; the last one is answered. */
static void peer_sink(struct peer *peer, uint32_t from, uint32_t len)
{
    uint8_t *data = &peer->out[UDP_DATA];
    const uint32_t index = peer_get32(data + 4);
    const uint32_t count = peer_get32(data + 8);

    if (index == 0U) {
        peer->window = peer_get32(data);
        peer->seen = 0;
        peer->crc = 0;
    }
    if (peer_get32(data) == peer->window) {
        peer->crc = peer_crc(peer->crc, data + PEER_HEADER, len - PEER_HEADER);
        peer->seen++;
    }
    if (index + 1U == count) {
        peer_put32(data, peer->window);
        peer_put32(data + 4, peer->seen);
        peer_put32(data + 8, peer->crc);
        peer_udp_answer(peer, PEER_PORT_SINK, from, PEER_HEADER);
    }
}

/* Send a window of noise. `out` is turned round by every answer, so it is set up again each time. */
static void peer_source(struct peer *peer, uint32_t from)
{
    uint8_t head[IP_END];
    uint8_t *data = &peer->out[UDP_DATA];
    const uint32_t window = peer_get32(data);
    const uint32_t asked = peer_get32(data + 4);
    const uint32_t count = asked < PEER_COUNT_MAX ? asked : PEER_COUNT_MAX;
    uint32_t noise = window;

    memcpy(head, peer->out, sizeof head);
    for (uint32_t index = 0; index < count; index++) {
        memcpy(peer->out, head, sizeof head);
        for (uint32_t i = 0; i < PEER_PAYLOAD; i++) {
            noise = noise * 1664525U + 1013904223U;
            data[PEER_HEADER + i] = (uint8_t)(noise >> 24);
        }
        peer_put32(data, window);
        peer_put32(data + 4, index);
        peer_put32(data + 8, peer_crc(0U, data + PEER_HEADER, PEER_PAYLOAD));
        peer_udp_answer(peer, PEER_PORT_SOURCE, from, PEER_HEADER + PEER_PAYLOAD);
    }
}

static bool peer_udp(struct peer *peer, uint32_t len)
{
    const uint32_t from = peer_get16(&peer->out[UDP_SOURCE]);
    const uint32_t to = peer_get16(&peer->out[UDP_TARGET]);

    if (len < UDP_SIZE || peer_get16(&peer->out[UDP_LENGTH]) != len) {
        return false;
    }
    const uint32_t data = len - UDP_SIZE;

    if (to == PEER_PORT_ECHO) {
        peer_udp_answer(peer, to, from, data);
    } else if (to == PEER_PORT_SINK && data >= PEER_HEADER) {
        peer_sink(peer, from, data);
    } else if (to == PEER_PORT_SOURCE && data >= 8U) {
        peer_source(peer, from);
    } else {
        return false;
    }
    peer->udp++;
    return true;
}

static bool peer_ipv4(struct peer *peer, uint32_t len)
{
    const uint8_t *out = peer->out;
    const uint32_t total = peer_get16(&out[IP_LENGTH]);

    if (len < IP_END + UDP_SIZE || out[ETH_SIZE] != IP_PLAIN || total < IP_SIZE ||
        total > len - ETH_SIZE || (peer_get16(&out[IP_FRAGMENT]) & 0xbfffU) != 0U ||
        memcmp(&out[IP_TARGET], peer->ip, 4U) != 0 ||
        peer_checksum(&out[ETH_SIZE], IP_SIZE, 0U) != 0U) {
        return false;
    }
    if (out[IP_PROTOCOL] == IP_ICMP) {
        return peer_icmp(peer, total - IP_SIZE);
    }
    return out[IP_PROTOCOL] == IP_UDP && peer_udp(peer, total - IP_SIZE);
}

void peer_receive(struct peer *peer, const uint8_t *frame, uint32_t len)
{
    bool answered = false;

    if (len >= ETH_SIZE && len <= PEER_FRAME_MAX) {
        memcpy(peer->out, frame, len);
        switch (peer_get16(&frame[ETH_TYPE])) {
        case ETH_TYPE_ARP:
            answered = peer_arp(peer, len);
            break;
        case ETH_TYPE_IPV4:
            answered = peer_ipv4(peer, len);
            break;
        default:
            break;
        }
    }
    peer->ignored += answered ? 0U : 1U;
}
