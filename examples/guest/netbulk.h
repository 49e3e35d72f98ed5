/* SPDX-License-Identifier: BSD-3-Clause */
/* What netbulk and its peer say to each other, in datagrams of numbers in network order.
 *
 * Port 7 echoes. Port 9001 takes {window, index, count, payload}; after the last of a window it
 * answers {window, datagrams seen, CRC-32 over their payloads in order}. Port 9002 is asked {window,
 * count} and sends count datagrams {window, index, CRC-32 of payload, payload}. */
#ifndef GUEST_NETBULK_H
#define GUEST_NETBULK_H

#define NETBULK_PORT_ECHO   7U
#define NETBULK_PORT_SINK   9001U
#define NETBULK_PORT_SOURCE 9002U

#define NETBULK_HEADER  12U
#define NETBULK_REQUEST 8U
#define NETBULK_PAYLOAD 1024U

#endif
