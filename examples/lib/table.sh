# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# From a run's log to the table. The guest says what its drivers saw (AVPS-ROW), the hypervisor what
# its devices counted ("hyp: report"); a row holds only if both agree that all is well.

DEVICES=(disk network console entropy)

# Names of the feature bits set in $2 (bit 0 first, as sysfs prints them) for device $1.
feature_names() {
    awk -v device="$1" -v bits="$2" '
    function add(list, n, i, pair) {
        n = split(list, item, " ")
        for (i = 1; i <= n; i++) { split(item[i], pair, ":"); name[pair[1]] = pair[2] }
    }
    BEGIN {
        if (device == "disk") add("0:BARRIER 1:SIZE_MAX 2:SEG_MAX 4:GEOMETRY 5:RO 6:BLK_SIZE 9:FLUSH " \
            "10:TOPOLOGY 11:CONFIG_WCE 12:MQ 13:DISCARD 14:WRITE_ZEROES 15:LIFETIME " \
            "16:SECURE_ERASE 17:ZONED")
        if (device == "network") add("0:CSUM 1:GUEST_CSUM 2:CTRL_GUEST_OFFLOADS 3:MTU 5:MAC " \
            "7:GUEST_TSO4 8:GUEST_TSO6 9:GUEST_ECN 10:GUEST_UFO 11:HOST_TSO4 12:HOST_TSO6 " \
            "13:HOST_ECN 14:HOST_UFO 15:MRG_RXBUF 16:STATUS 17:CTRL_VQ 18:CTRL_RX 19:CTRL_VLAN " \
            "20:CTRL_RX_EXTRA 21:GUEST_ANNOUNCE 22:MQ 23:CTRL_MAC_ADDR 50:DEVICE_STATS " \
            "51:HASH_TUNNEL 52:VQ_NOTF_COAL 53:NOTF_COAL 54:GUEST_USO4 55:GUEST_USO6 56:HOST_USO " \
            "57:HASH_REPORT 59:GUEST_HDRLEN 60:RSS 61:RSC_EXT 62:STANDBY 63:SPEED_DUPLEX")
        if (device == "console") add("0:SIZE 1:MULTIPORT 2:EMERG_WRITE")
        add("28:INDIRECT_DESC 29:EVENT_IDX 32:VERSION_1 33:ACCESS_PLATFORM 34:RING_PACKED " \
            "35:IN_ORDER 36:ORDER_PLATFORM 37:SR_IOV 38:NOTIFICATION_DATA 40:RING_RESET")
        for (i = 0; i < length(bits); i++)
            if (substr(bits, i + 1, 1) == "1") printf "%s ", (i in name) ? name[i] : "bit" i
    }' | sed 's/ $//'
}

# Value of counter $3 in the line of log $1 that starts "hyp: report $2".
counter() {
    sed -n "s/^hyp: report $2.* $3=\([0-9]*\).*/\1/p" "$1" | head -n 1
}

device_slot() {
    case $1 in entropy) echo 'device slot=[0-9]* id=4' ;; disk) echo 'device slot=[0-9]* id=2' ;;
    network) echo 'device slot=[0-9]* id=1' ;; console) echo 'device slot=[0-9]* id=3' ;; esac
}

# What the device side must have counted; prints the first complaint.
device_side() {
    local log=$1 device=$2 slot
    slot=$(device_slot "$device")
    [ "$(counter "$log" "$slot" negotiations)" ] || { echo "no report of the hypervisor"; return; }
    [ "$(counter "$log" "$slot" faults)" = 0 ] || { echo "the device found guest faults"; return; }
    [ "$(counter "$log" "$slot" needs_reset)" = 0 ] || { echo "the device needed a reset"; return; }
    case $device in
    disk) at_least "$log" disk flushes 1 && at_least "$log" disk discards 1 &&
        at_least "$log" disk io_errors 1 ;;
    network) at_least "$log" peer arp 1 && at_least "$log" peer icmp 3 && at_least "$log" peer udp 1 ;;
    console) at_least "$log" console answers 1 && at_least "$log" console echoed 1 ;;
    entropy) at_least "$log" entropy starved 1 && at_least "$log" entropy shortened 1 &&
        at_least "$log" entropy bytes 65536 ;;
    esac
}

at_least() {
    local value
    value=$(counter "$1" "$2" "$3")
    [ "${value:-0}" -ge "$4" ] || { echo "device counted $3=${value:-nothing}"; return 1; }
}

# Print the row of device $3 over ring format $2 from log $1. @return 0 if it holds.
table_row() {
    local log=$1 ring=$2 device=$3 row driver bits workload result millis detail='' packed
    row=$(sed -n "s/^AVPS-ROW $device|//p" "$log" | tail -n 1)
    if [ -z "$row" ]; then
        printf ' %-8s %-7s %-14s %-54s %-6s %s\n' "$device" "$ring" - 'did not get that far' FAIL -
        return 1
    fi
    IFS='|' read -r driver bits workload result millis <<<"$row"
    packed=$([ "$ring" = packed ] && echo 1 || echo 0)
    [ "${bits:34:1}" = "$packed" ] || detail="rings are not $ring"
    [ -n "$detail" ] || detail=$(device_side "$log" "$device")
    [ -z "$detail" ] || result=FAIL
    printf ' %-8s %-7s %-14s %-54s %-6s %d.%02d s\n' "$device" "$ring" "$driver" "${workload:0:54}" \
        "$result" $((millis / 1000)) $((millis % 1000 / 10))
    workload=${workload:54}
    while [ -n "$workload" ]; do
        printf ' %-31s %s\n' '' "${workload:0:54}"
        workload=${workload:54}
    done
    printf ' %-31s features: %s\n' '' "$(feature_names "$device" "$bits")" | fold -s -w 100 |
        sed '2,$s/^/                                /'
    [ -z "$detail" ] || printf ' %-31s reason: %s\n' '' "$detail"
    [ "$result" = ok ]
}

# How the guest ended; an orderly power-off is part of the result.
table_end() {
    local end
    end=$(sed -n 's/^hyp: report end.* guest=\([a-z]*\).*/\1/p' "$1")
    [ "$end" = off ] && return
    printf ' %-8s %-7s %s\n' guest "$2" "did not power off cleanly (${end:-timeout}); log: $1"
    return 1
}
