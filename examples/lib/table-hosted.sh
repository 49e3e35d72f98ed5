# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# The table of a port whose devices are in a program, $PORT_PROGRAM: what it counts, in place of what the
# bare-metal hypervisor does.

counter() {
    sed -n "s/^$PORT_PROGRAM: report $2.* $3=\([0-9]*\).*/\1/p" "$1" | head -n 1
}

device_side() {
    local log=$1 device
    device="device name=[a-z0-9]* id=$(device_id "$2")"
    at_least "$log" "$device" negotiations 1 && at_most "$log" "$device" faults 0 &&
        at_most "$log" "$device" needs_reset 0 && at_most "$log" "$device" bad_accesses 0
}

# Sum of a counter over the queues of a device.
queue_sum() {
    sed -n "s/^$PORT_PROGRAM: report queue name=$2[0-9]* .* $3=\([0-9]*\).*/\1/p" "$1" |
        awk '{ sum += $1 } END { print sum + 0 }'
}

# Names in the report: by kind, or those of the cockpit.
device_name() {
    case $log in
    *cockpit*)
        case $1 in disk) echo data ;; network) echo cabin ;; console) echo terminal ;; *) echo "$1" ;; esac
        return
        ;;
    esac
    case $1 in disk) echo blk ;; network) echo net ;; console) echo console ;; entropy) echo rng ;; esac
}

device_story() {
    local name
    name=$(device_name "$2")
    printf '%s doorbells, %s chains used, %s interrupts' "$(queue_sum "$1" "$name" kicks)" \
        "$(queue_sum "$1" "$name" used)" "$(queue_sum "$1" "$name" interrupts)"
}

guest_end() {
    sed -n 's/\r//g; s/^'"$PORT_PROGRAM"': the end: //p' "$1" | head -n 1
}

table_all_at_once() {
    local workload result millis
    IFS='|' read -r _ _ workload result millis \
        < <(said "$1" ROW all | grep . || echo '-|-|all at once: did not get that far|FAIL|0')
    row all "$2" "$3" 'all four' "$workload" "$result" "$(seconds "$millis")"
    [ "$result" = ok ]
}

# The cluster of the cockpit, alone, in log $1: its devices are called as the platform file calls them.
table_cockpit() {
    local log=$1 device workload result millis
    IFS='|' read -r _ _ workload result millis \
        < <(said "$log" ROW contract | grep . || echo '-|-|did not get that far|FAIL|0')
    row cluster mmio packed 'platform file' "$workload" "$result" "$(seconds "$millis")"
    [ "$result" = ok ] || BAD=$((BAD + 1))
    for device in network console; do
        count_bad table_device "$log" mmio packed "$device"
    done
    count_bad table_power_off "$log" mmio packed
}
