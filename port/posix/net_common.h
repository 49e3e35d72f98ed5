/* SPDX-License-Identifier: BSD-3-Clause */
/* Sizes that the network back ends share. */
#ifndef NET_COMMON_H
#define NET_COMMON_H

#define NET_ETHERNET  14U    /* bytes of an Ethernet header */
#define NET_FRAME_MAX 65568U /* longest frame: 65535 behind the header, VLAN tag, rounded */

#endif
