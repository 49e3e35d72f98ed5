/* SPDX-License-Identifier: BSD-3-Clause */
/* Ethernet, IPv4, UDP and ARP by hand, for the network back ends' tests. */
#ifndef TEST_POSIX_PACKET_H
#define TEST_POSIX_PACKET_H

#include <stdint.h>
#include <string.h>

#define PACKET_ETH 14U
#define PACKET_IP  20U
#define PACKET_UDP 8U

/* Where the parts of a UDP frame are. */
#define PACKET_AT_IP   PACKET_ETH
#define PACKET_AT_UDP  (PACKET_ETH + PACKET_IP)
#define PACKET_AT_DATA (PACKET_ETH + PACKET_IP + PACKET_UDP)

struct packet_end {
    uint8_t mac[6];
    uint8_t ip[4];
    uint16_t port;
};

static inline void packet_put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8U);
    at[1] = (uint8_t)value;
}

static inline uint16_t packet_get16(const uint8_t *at)
{
    return (uint16_t)((unsigned int)at[0] << 8U | at[1]);
}

/* Sum of 16-bit words, folded, not complemented. */
static inline uint16_t packet_sum(const uint8_t *bytes, uint32_t len, uint32_t sum)
{
    for (uint32_t i = 0; i + 1U < len; i += 2U) {
        sum += packet_get16(bytes + i);
    }
    if (len % 2U != 0U) {
        sum += (uint32_t)bytes[len - 1U] << 8U;
    }
    while (sum > 0xffffU) {
        sum = (sum & 0xffffU) + (sum >> 16U);
    }
    return (uint16_t)sum;
}

static inline void packet_eth(uint8_t *frame, const uint8_t *to, const uint8_t *from, uint16_t type)
{
    (void)memcpy(frame, to, 6);
    (void)memcpy(frame + 6, from, 6);
    packet_put16(frame + 12, type);
}

static inline uint16_t packet_pseudo_sum(const uint8_t *frame, uint32_t udp_len)
{
    return packet_sum(frame + PACKET_AT_IP + 12, 8, 17U + udp_len);
}

/* A UDP frame. @param partial  the checksum holds the pseudo header's sum only.
 * @return its length. */
static inline uint32_t packet_udp(uint8_t *frame, const struct packet_end *from,
                                  const struct packet_end *to, const void *data, uint32_t len,
                                  bool partial)
{
    uint8_t *ip = frame + PACKET_AT_IP;
    uint8_t *udp = frame + PACKET_AT_UDP;
    const uint32_t udp_len = PACKET_UDP + len;

    packet_eth(frame, to->mac, from->mac, 0x0800);
    (void)memset(ip, 0, PACKET_IP);
    ip[0] = 0x45;
    packet_put16(ip + 2, PACKET_IP + udp_len);
    ip[8] = 64;
    ip[9] = 17;
    (void)memcpy(ip + 12, from->ip, 4);
    (void)memcpy(ip + 16, to->ip, 4);
    packet_put16(ip + 10, (uint16_t)~packet_sum(ip, PACKET_IP, 0));
    packet_put16(udp, from->port);
    packet_put16(udp + 2, to->port);
    packet_put16(udp + 4, udp_len);
    packet_put16(udp + 6, packet_pseudo_sum(frame, udp_len));
    (void)memcpy(udp + PACKET_UDP, data, len);
    if (!partial) {
        const uint16_t sum = packet_sum(udp, udp_len, 0);

        packet_put16(udp + 6, (uint16_t)~sum);
    }
    return PACKET_AT_DATA + len;
}

/* Whether a frame's UDP checksum is right. */
static inline bool packet_udp_is_good(const uint8_t *frame)
{
    const uint32_t udp_len = packet_get16(frame + PACKET_AT_UDP + 4);

    return packet_sum(frame + PACKET_AT_UDP, udp_len, packet_pseudo_sum(frame, udp_len)) == 0xffffU;
}

/* Who has `ip`? @return its length. */
static inline uint32_t packet_arp(uint8_t *frame, const struct packet_end *from, const uint8_t *ip)
{
    static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t head[8] = {0, 1, 8, 0, 6, 4, 0, 1};

    packet_eth(frame, all, from->mac, 0x0806);
    (void)memset(frame + PACKET_ETH, 0, 28);
    (void)memcpy(frame + PACKET_ETH, head, 8);
    (void)memcpy(frame + PACKET_ETH + 8, from->mac, 6);
    (void)memcpy(frame + PACKET_ETH + 14, from->ip, 4);
    (void)memcpy(frame + PACKET_ETH + 24, ip, 4);
    return PACKET_ETH + 28U;
}

#endif
