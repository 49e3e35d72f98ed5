# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# From a run's log to the table. The guest says what its drivers saw (AVPS-ROW, AVPS-SEEN), the
# hypervisor what its devices counted ("hyp: report"); a row holds only if both agree that all is well.

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
        if (device == "i2c") add("0:ZERO_LENGTH_REQUEST")
        if (device == "vsock") add("0:STREAM 1:SEQPACKET 2:NO_IMPLIED_STREAM")
        if (device == "console") add("0:SIZE 1:MULTIPORT 2:EMERG_WRITE")
        add("28:INDIRECT_DESC 29:EVENT_IDX 32:VERSION_1 33:ACCESS_PLATFORM 34:RING_PACKED " \
            "35:IN_ORDER 36:ORDER_PLATFORM 37:SR_IOV 38:NOTIFICATION_DATA 40:RING_RESET")
        for (i = 0; i < length(bits); i++)
            if (substr(bits, i + 1, 1) == "1") printf "%s ", (i in name) ? name[i] : "bit" i
    }' | sed 's/ $//'
}

# Value of counter $3 in the last line of log $1 that starts "hyp: report $2" or "hyp: $2".
counter() {
    sed -n "s/^hyp: \(report \)\{0,1\}$2.* $3=\([0-9]*\).*/\2/p" "$1" | tail -n 1
}

# Virtio device id, as the hypervisor's report names it.
device_id() {
    case $1 in network) echo 1 ;; disk) echo 2 ;; console) echo 3 ;; entropy) echo 4 ;;
    vsock) echo 19 ;; i2c) echo 34 ;; esac
}

at_least() {
    local value
    value=$(counter "$1" "$2" "$3")
    [ "${value:-0}" -ge "$4" ] || { echo "the device side counted $3=${value:-nothing}"; return 1; }
}

at_most() {
    local value
    value=$(counter "$1" "$2" "$3")
    [ "${value:-999999}" -le "$4" ] || { echo "the device side counted $3=${value:-nothing}"; return 1; }
}

# What the device side must have counted for device $2 in log $1; prints the first complaint.
device_side() {
    local log=$1 device
    device="device name=[^ ]* id=$(device_id "$2") "
    at_least "$log" "$device" negotiations 1 && at_most "$log" "$device" faults 0 &&
        at_most "$log" "$device" needs_reset 0 && at_most "$log" "$device" bad_accesses 0 || return
    case $2 in
    disk) at_least "$log" disk flushes 1 && at_least "$log" disk discards 1 &&
        at_least "$log" disk io_errors 1 ;;
    network) at_least "$log" peer arp 1 && at_least "$log" peer icmp 3 &&
        at_least "$log" peer udp 4000 && at_most "$log" peer overheard 100 ;;
    console) at_least "$log" console answers 5 && at_least "$log" console echoed 1048576 &&
        at_least "$log" console blocked 1 ;;
    i2c) at_least "$log" i2c written 256 && at_least "$log" i2c read 256 &&
        at_least "$log" i2c denied 1 && at_most "$log" i2c malformed 0 ;;
    vsock) at_least "$log" vsock echoed 8388608 && at_least "$log" vsock visits 1 &&
        at_least "$log" vsock established 1102 && at_most "$log" vsock mistakes 0 &&
        at_most "$log" vsock broken 0 && at_most "$log" vsock malformed 0 ;;
    entropy) at_least "$log" entropy bytes 65536 && at_least "$log" entropy shortened 1 &&
        at_least "$log" entropy outages 1 ;;
    esac
}

# The counters worth showing of device $2 in log $1.
device_story() {
    case $2 in
    disk) story "$1" disk reads reads writes writes flushes flushes discards discards \
        'write-zeroes' zeroes 'read errors' io_errors ;;
    network) story "$1" network 'frames sent' tx_packets 'received' rx_packets \
        'control commands' commands; story "$1" peer 'frames a third port overheard' overheard ;;
    console) story "$1" console 'questions answered' answers 'bytes echoed' echoed \
        'times held back' blocked ;;
    i2c) story "$1" i2c transfers transfers 'bytes written' written 'read' read \
        'messages failed' failed 'of these not allowed' denied ;;
    vsock) story "$1" vsock connections established refused refused 'bytes sent back' echoed \
        "visits of the guest's service" visits ;;
    entropy) story "$1" entropy bytes bytes 'answers cut short' shortened 'times dry' outages ;;
    esac
}

# story LOG WHAT (TEXT COUNTER)...
story() {
    local log=$1 what=$2
    shift 2
    while [ $# -gt 1 ]; do
        printf '%s %s, ' "$(counter "$log" "$what" "$2")" "$1"
        shift 2
    done
}

ROW=' %-8s %-5s %-7s %-15s %-46s %-6s %s\n'
WORKLOAD=46 # width of that column
INDENT=40   # where it starts

# row DEVICE TRANSPORT RING DRIVER WORKLOAD RESULT TIME, the workload wrapped.
row() {
    local lines more
    mapfile -t lines < <(fold -s -w $WORKLOAD <<<"$5" | sed 's/ *$//')
    # shellcheck disable=SC2059
    printf "$ROW" "$1" "$2" "$3" "$4" "${lines[0]}" "$6" "$7"
    for more in "${lines[@]:1}"; do
        printf "%${INDENT}s%s\n" '' "$more"
    done
}

table_head() {
    row device via ring 'Linux driver' workload result time
    row ------ --- ---- ------------ -------- ------ ----
}

seconds() {
    printf '%d.%02d s' $(($1 / 1000)) $(($1 % 1000 / 10))
}

# A line below a row, wrapped.
table_note() {
    printf '%s: %s\n' "$1" "$2" | fold -s -w 62 | sed "s/^/$(printf '%*s' $INDENT '')/; s/ *$//"
}

# What the guest saw against what it was given: $1 and $2 transport, $3 feature bits and $4 ring format,
# $5 kind and $6 number of interrupts, $7 how often they were taken; prints the first complaint.
guest_side() {
    local packed=0 kind=wired least=1
    [ "$4" = packed ] && packed=1
    [ "$2" = pci ] && kind=$PCI_INTERRUPTS
    [ "$kind" = msix ] && least=2
    if [ "$1" != "$2" ]; then
        echo "the driver found its device on $1"
    elif [ "${3:34:1}" != $packed ]; then
        echo "the driver did not negotiate $4 rings"
    elif [ "$5" != "$kind" ] || [ "$6" -lt $least ] || [ "$7" -lt 1 ]; then
        echo "expected $kind interrupts: $5, $6 of them, taken $7 times"
    fi
}

interrupt_story() {
    case $1 in
    msix) echo "MSI-X, $2 vectors, taken $3 times" ;;
    *) echo "$1, $2 line, taken $3 times" ;;
    esac
}

# What the guest of log $1 said last about device $3 in a line of kind $2.
said() {
    sed -n "s/^AVPS-$2 $3|//p" "$1" | tail -n 1
}

# Print the row of device $4 over transport $2 and ring format $3 from log $1. @return 0 if it holds.
table_device() {
    local log=$1 transport=$2 ring=$3 device=$4
    local seen kind count taken driver bits workload result millis complaint story
    if ! IFS='|' read -r driver bits workload result millis < <(said "$log" ROW "$device"); then
        row "$device" "$transport" "$ring" - 'did not get that far' FAIL -
        return 1
    fi
    IFS='|' read -r seen kind count taken < <(said "$log" SEEN "$device")
    complaint=$(guest_side "$seen" "$transport" "$bits" "$ring" "$kind" "$count" "$taken")
    [ -n "$complaint" ] || complaint=$(device_side "$log" "$device")
    [ -z "$complaint" ] || result=FAIL
    row "$device" "$transport" "$ring" "$driver" "$workload" "$result" "$(seconds "$millis")"
    table_note features "$(feature_names "$device" "$bits")"
    table_note interrupts "$(interrupt_story "$kind" "$count" "$taken")"
    story=$(device_story "$log" "$device")
    table_note 'device side' "${story%, }"
    [ -z "$complaint" ] || table_note 'not good' "$complaint"
    [ "$result" = ok ]
}

# All devices at once, over transport $2 and ring format $3; no message may have gone astray.
table_together() {
    local workload result millis complaint
    IFS='|' read -r _ _ workload result millis \
        < <(said "$1" ROW all | grep . || echo '-|-|all at once: did not get that far|FAIL|0')
    complaint=$(at_most "$1" end messages_lost 0)
    [ -z "$complaint" ] || result=FAIL
    row all "$2" "$3" 'all four' "$workload" "$result" "$(seconds "$millis")"
    table_note hypervisor "$(counter "$1" end messages) messages sent, $(counter "$1" end irq_waited) times an interrupt waited for a list register"
    [ -z "$complaint" ] || table_note 'not good' "$complaint"
    [ "$result" = ok ]
}

# How the guest of log $1 ended; an orderly power-off is part of the result.
guest_end() {
    sed -n 's/^hyp: report end.* guest=\([a-z]*\).*/\1/p' "$1"
}

table_power_off() {
    local end result=ok
    end=$(guest_end "$1")
    [ "$end" = off ] || result=FAIL
    row guest "$2" "$3" PSCI "powers itself off (seen: ${end:-nothing in time})" $result -
    [ $result = ok ]
}

# A guest that touches an address where nothing is must be stopped, with a report.
table_crash() {
    local report result=ok
    report=$(sed -n 's/^hyp: guest crashed: //p' "$1")
    [ "$(guest_end "$1")" = crash ] && [[ $report == *ipa=0x000000000c000000* ]] || result=FAIL
    row guest - - - 'stores to an address where nothing is: stopped' $result -
    table_note hypervisor "${report:-no report}"
    [ $result = ok ]
}
