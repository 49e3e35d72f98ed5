# SPDX-License-Identifier: BSD-3-Clause
# Network traffic while the other side of the virtqueues is killed and comes back now and then: for
# avps.seconds, blocks of 256 KiB each way; a datagram lost in an outage is asked for again.

outage_address() {
    ip link set eth0 up && ip addr add 10.0.2.15/24 dev eth0
}

outage_traffic() {
    local end=$(($(now_ms) + $(argument seconds 5) * 1000)) moved=0
    while [ "$(now_ms)" -lt $end ]; do
        netbulk 10.0.2.2 receive 262144
        netbulk 10.0.2.2 send 262144
        moved=$((moved + 1))
    done
    echo "$moved rounds"
    [ $moved -ge 5 ]
}

begin outage 0001
step "address" outage_address
step "ping before" ping -c 3 -i 0.1 -W 2 10.0.2.2
step "traffic through outages" outage_traffic
step "ping after" ping -c 3 -i 0.1 -W 2 10.0.2.2
step "send 1 MiB, CRC by the peer" netbulk 10.0.2.2 send 1048576
step "receive 1 MiB, CRC here" netbulk 10.0.2.2 receive 1048576
finish "traffic through outages, and whole again afterwards"
