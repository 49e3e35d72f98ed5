/* SPDX-License-Identifier: BSD-3-Clause */
/* Publishing what was pushed on a queue, and its notification. */
#include "devices/net_internal.h"

void avps_net_publish(struct avps_net *net, uint16_t pair, unsigned int half, uint32_t chains)
{
    (void)chains;
    avps_device_flush(&net->base, half == NET_RX ? net_rx_queue(pair) : net_tx_queue(pair));
}
