# SPDX-License-Identifier: BSD-3-Clause
# Network: the hypervisor answers as 10.0.2.2 on another port of the library's switch.

PEER=10.0.2.2

network_up() {
    ip link set eth0 up && ip addr add 10.0.2.15/24 dev eth0
}

network_arp() {
    ping -c 1 -W 2 $PEER && grep -q "^$PEER .*0x2 " /proc/net/arp
}

# avps.repeats: percent of the transfers that an overloaded machine may delay beyond their time.
begin network 0001
step "address" network_up
step "ARP" network_arp
step "ping, small" ping -c 3 -i 0.1 -W 2 $PEER
step "ping, 1400 bytes" ping -c 3 -i 0.1 -W 2 -s 1400 $PEER
step "UDP echo, 200 datagrams" netbulk $PEER echo 200
step "send 4 MiB, CRC by the peer" netbulk $PEER send 4194304 "$(argument repeats 5)"
step "receive 4 MiB, CRC here" netbulk $PEER receive 4194304 "$(argument repeats 5)"
finish "ARP, ping, UDP echo, 4 MiB each way with CRC"
