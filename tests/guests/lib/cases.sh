# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# The cases: a table, and what each does. A case runs in a network and a set of processes of its own,
# with files in $WORK; its logs are $LOGS/CASE*.log.

# name | seconds at most | function and arguments | what it shows
CASES='
uml-disk-split|120|uml_disk split|User-mode Linux: file system, discard, raw and numbered blocks
uml-disk-packed|120|uml_disk packed|the same over packed rings
uml-debian|120|uml_debian|the same under the kernel of the package user-mode-linux
uml-readonly|120|uml_readonly|User-mode Linux: a disk that must not change
uml-switch-split|120|uml_switch split|two User-mode Linux guests on a virtual switch: ping, UDP, bulk data
uml-switch-packed|120|uml_switch packed|the same over packed rings
uml-user-split|120|uml_network user split|User-mode Linux: network through a user-mode stack to this machine
uml-tap-packed|120|uml_network tap packed|User-mode Linux: network through a tap device to this machine
uml-console-split|120|uml_console split|User-mode Linux: dialogue, terminal size, bulk data on the terminal
uml-console-packed|120|uml_console packed|the same over packed rings
uml-ports-packed|120|uml_ports packed|User-mode Linux: two console ports on Unix sockets of this machine
uml-entropy-split|120|uml_entropy split|User-mode Linux: the hardware entropy source
uml-entropy-packed|120|uml_entropy packed|the same over packed rings
uml-i2c-split|120|uml_i2c split|User-mode Linux: drivers of an EEPROM and a sensor, raw messages
uml-i2c-packed|120|uml_i2c packed|the same over packed rings
uml-vsock-split|120|uml_vsock split|User-mode Linux: sockets to this machine and from it, bulk data, many connections
uml-vsock-packed|120|uml_vsock packed|the same over packed rings
uml-all-packed|120|uml_all packed|User-mode Linux: all four devices, one after the other and at once
mmio-split|240|qemu_all mmio split|QEMU arm64, virtio-mmio: disk, network, entropy source
mmio-packed|240|qemu_all mmio packed|the same over packed rings
pci-split|240|qemu_all pci split|QEMU x86-64, virtio-pci: disk, network, entropy source
pci-packed|240|qemu_all pci packed|the same over packed rings
reconnect-split|240|reconnect pci split|the program is killed under load, five times: no request lost or repeated
reconnect-packed|240|reconnect mmio packed|the same over packed rings
reconnect-network|240|reconnect_network mmio split|the same for a network: traffic goes on
front-end|240|front_end pci packed|the front end is killed under load; the next one finds a sane disk
dpdk-split|60|dpdk split indirect|DPDK virtio-user: every frame counted and compared; mergeable buffers, indirect tables
dpdk-split-plain|60|dpdk split plain|the same without mergeable buffers, frames in chains
dpdk-split-in-order|60|dpdk split in-order indirect|the same in order
dpdk-split-vector|60|dpdk split plain vector indirect|the same with the vectorized receive path
dpdk-split-jumbo|60|dpdk split in-order jumbo|the same with frames up to 9000 bytes, in order
dpdk-split-pairs|60|dpdk split pairs indirect|the same over two queue pairs: each flow on its own
dpdk-packed|60|dpdk packed|DPDK virtio-user over packed rings: mergeable buffers, frames in chains
dpdk-packed-plain|60|dpdk packed plain|the same without mergeable buffers
dpdk-packed-in-order|60|dpdk packed in-order|the same in order
dpdk-packed-vector|60|dpdk packed plain in-order vector|the same with the vectorized paths (AVX-512)
dpdk-packed-jumbo|60|dpdk packed jumbo|the same with frames up to 9000 bytes
dpdk-packed-pairs|60|dpdk packed in-order pairs|the same over two queue pairs: each flow on its own
threads-split|240|qemu_threads mmio split|QEMU arm64, two processors: a disk with two queues, each on a thread
threads-reconnect|240|reconnect_threads mmio packed|the same over packed rings, and the program is killed under load, five times
dpdk-threads-split|60|dpdk_loop split pairs indirect threads|DPDK virtio-user: frames of two queue pairs go back, each pair on a thread
dpdk-threads-packed|60|dpdk_loop packed in-order pairs threads|the same over packed rings, in order
dpdk-threads-poll|60|dpdk_loop packed in-order pairs threads poll|the same with polling threads
dpdk-poll|60|dpdk packed in-order pairs poll|the same with the program in poll mode
'

case_field() { awk -F'|' -v name="$1" -v field="$2" '$1 == name { print $field }' <<<"$CASES"; }
case_names() {
    local name
    for name in $(awk -F'|' 'NF > 1 { print $1 }' <<<"$CASES"); do
        case $name in
        uml-entropy* | uml-i2c* | uml-vsock* | uml-all*) [ "$UML" != debian ] || continue ;;
        dpdk-packed-vector) dpdk_has_packed_vectors || continue ;;
        esac
        echo "$name"
    done
}
case_list() { awk -F'|' 'NF > 1 { printf "%-20s %s\n", $1, $4 }' <<<"$CASES"; }
case_limit() { case_field "$1" 2; }

# Names that fit one of the comma-separated patterns.
case_choose() {
    local name pattern patterns
    IFS=, read -ra patterns <<<"$1"
    for name in $(case_names); do
        for pattern in "${patterns[@]}"; do
            # shellcheck disable=SC2053 # a pattern is wanted
            [[ $name == $pattern ]] && echo "$name" && break
        done
    done
}

case_inside() {
    CASE=$1
    ip link set lo up
    # shellcheck disable=SC2046 # function and arguments
    case_$(case_field "$CASE" 3)
}

log() { echo "$LOGS/$CASE-$1.log"; }

# With --packed the program says when a driver does not use packed rings.
ring_option() { echo "--$1"; }

# judge RING WORKLOAD...: the guest ends in time, its workloads went well over that ring format,
# and every daemon ends as it should.
judge() {
    local log ring=$1 workload
    log=$(log guest)
    shift
    guest_ends "$log"
    for workload in "$@"; do
        expect_row "$log" "$workload" "$ring"
    done
    expect_no_complaint "$log"
    # shellcheck disable=SC2086 # words
    [ -z "${QUEUES_USED:-}" ] || expect_queues $QUEUES_USED
    daemon_stop_all
}

# --- disk -----------------------------------------------------------------------------------------

# Where the source tree is: $WORK may lie in memory, which cannot be reached past the page cache.
disk_image() {
    IMAGE=$BUILD/$CASE.img
    truncate -s 64M "$IMAGE"
}

# The numbers that the guest of log $1 wrote at last must be in the image.
disk_image_agrees() {
    local said found
    said=$(sed -n 's/^AVPS-NUMBERS state //p' "$1" | tr -d '\r')
    found=$("$BUILD/blkseq" "$IMAGE" check) || fail "image: $found"
    [ "$found" = "state $said" ] || fail "the guest says state $said, the image has $found"
    grep '^AVPS-NUMBERS' "$1"
}

case_uml_disk() {
    disk_image
    daemon_start disk blk --file "$IMAGE" $(ring_option "$1")
    uml "$(log guest)" avps.tests=disk,numbers avps.bad_spot=no $(uml_devices disk:2)
    judge "$1" disk numbers
    disk_image_agrees "$(log guest)"
}

case_uml_debian() { UML_KERNEL=$UML_DEBIAN case_uml_disk split; }

case_uml_readonly() {
    disk_image
    head -c 65536 /dev/urandom | dd of="$IMAGE" conv=notrunc status=none
    daemon_start disk blk --file "$IMAGE" --readonly --split
    uml "$(log guest)" avps.tests=readonly "avps.md5=$(md5sum <"$IMAGE" | cut -d' ' -f1)" $(uml_devices disk:2)
    judge split readonly
}

# --- network --------------------------------------------------------------------------------------

# This machine answers the network workload, in the case's own network.
host_peer() { "$BUILD/netpeer" >"$(log peer)" 2>&1 & }

case_uml_switch() {
    local peer
    daemon_start left net --switch lan $(ring_option "$1") \
        + net --socket "$WORK/right.sock" --switch lan $(ring_option "$1")
    uml "$(log peer)" avps.mode=peer $(uml_devices right:1)
    peer=$GUEST_PID
    uml "$(log guest)" avps.tests=network $(uml_devices left:1)
    judge "$1" network
    kill -KILL "$peer" # a User-mode Linux does not end on anything less
}

# A network to this machine: "user" through a user-mode stack, "tap" through a device of this kernel.
network_start() {
    host_peer
    case $1 in
    user) daemon_start network net --user $(ring_option "$2") ;;
    tap)
        { ip tuntap add dev tap0 mode tap && ip addr add 10.0.2.2/24 dev tap0 && ip link set tap0 up; } ||
            fail "no tap device"
        daemon_start network net --tap tap0 $(ring_option "$2")
        ;;
    esac
}

case_uml_network() {
    network_start "$1" "$2"
    uml "$(log guest)" avps.tests=network $(uml_devices network:1)
    judge "$2" network
}

# --- entropy --------------------------------------------------------------------------------------

case_uml_entropy() {
    daemon_start entropy rng $(ring_option "$1")
    uml "$(log guest)" avps.tests=entropy $(uml_devices entropy:4)
    judge "$1" entropy
}

# --- I2C ------------------------------------------------------------------------------------------

# The EEPROM at 0x51 is on the bus, and not for this guest. On a busy machine the driver's patience
# of 25 ms would not do.
case_uml_i2c() {
    daemon_start i2c i2c $(ring_option "$1") --chip eeprom@0x50 --chip lm75@0x48 \
        --chip eeprom@0x51 --allow 0x50 --allow 0x48 --allow 0x49 --write-cycle 2
    uml "$(log guest)" avps.tests=i2c at24.write_timeout=5000 $(uml_devices i2c:34)
    judge "$1" i2c
}

# --- sockets --------------------------------------------------------------------------------------

# A program of this machine uses the guest's service: what it sends comes back, and then the end.
vsock_client() {
    local size=2097152
    wait_until 60 grep -q AVPS-SERVING "$(log guest)" || return 1
    head -c $size /dev/urandom >"$WORK/sent"
    { echo "CONNECT 6000"; cat "$WORK/sent"; } |
        timeout 60 socat -t 30 - "UNIX-CONNECT:$WORK/guest.vsock" >"$WORK/back"
    grep -aq '^OK [0-9]*$' <(head -n 1 "$WORK/back") &&
        cmp <(tail -n +2 "$WORK/back") "$WORK/sent"
}

case_uml_vsock() {
    socat "UNIX-LISTEN:$WORK/guest.vsock_5000,fork,backlog=200" EXEC:cat &
    daemon_start vsock vsock $(ring_option "$1") --path "$WORK/guest.vsock" --cid 42
    uml "$(log guest)" avps.tests=vsock $(uml_devices vsock:19)
    vsock_client || fail "the guest's service did not answer as it should"
    judge "$1" vsock
}

# --- console --------------------------------------------------------------------------------------

# This machine's end of the console, on standard input and output: answers the console workload.
console_host() {
    local word number
    while read -r word number; do
        number=${number%$'\r'}
        case $word in
        AVPS-ASK) echo "AVPS-ANSWER $((number + 1))" ;;
        AVPS-ECHO) head -c "$number" ;;
        esac
    done
}

# A console on two pipes, which has neither a size nor a second port.
console_start() {
    mkfifo "$WORK/typed" "$WORK/shown"
    console_host >"$WORK/typed" <"$WORK/shown" &
    DAEMON_IN=$WORK/typed DAEMON_OUT=$WORK/shown daemon_start console console --stdio $(ring_option "$1")
}

CONSOLE_ON_PIPES='avps.size=unknown avps.bulk=terminal'

case_uml_console() {
    console_start "$1"
    uml "$(log guest)" avps.tests=console $CONSOLE_ON_PIPES $(uml_devices console:3)
    judge "$1" console
}

# Two ports on Unix sockets: one with the dialogue, one that echoes.
case_uml_ports() {
    daemon_start console console --unix "$WORK/port" --ports 2 $(ring_option "$1")
    export -f console_host
    socat "UNIX-CONNECT:$WORK/port" EXEC:"bash -c console_host" &
    socat "UNIX-CONNECT:$WORK/port.1" EXEC:cat &
    uml "$(log guest)" avps.tests=console avps.size=unknown avps.bulk=avps.1 $(uml_devices console:3)
    judge "$1" console
}

# --- all at once ----------------------------------------------------------------------------------

case_uml_all() {
    disk_image
    daemon_start disk blk --file "$IMAGE" $(ring_option "$1")
    network_start user "$1"
    console_start "$1"
    daemon_start entropy rng $(ring_option "$1")
    uml "$(log guest)" avps.bad_spot=no $CONSOLE_ON_PIPES \
        $(uml_devices disk:2 network:1 console:3 entropy:4)
    judge "$1" disk network console entropy all
}

# --- QEMU -----------------------------------------------------------------------------------------

# On virtio-mmio the driver may choose a larger queue than QEMU has room for in its record of requests
# in flight, unless it is told.
qemu_disk() {
    echo -chardev "socket,id=disk,path=$WORK/disk.sock,reconnect=1" \
        -device "$(qemu_model "$1" "$2" vhost-user-blk),chardev=disk,queue-size=1024"
}

# On virtio-pci without MSI-X: QEMU 7.2 crashes when it unmasks such a vector without KVM.
qemu_network() {
    local vectors=''
    [ "$1" != pci ] || vectors=,vectors=0
    echo -chardev "socket,id=network,path=$WORK/network.sock,reconnect=1" \
        -netdev vhost-user,id=lan,chardev=network \
        -device "$(qemu_model "$1" "$2" virtio-net),netdev=lan$vectors"
}

qemu_entropy() {
    echo -chardev "socket,id=entropy,path=$WORK/entropy.sock" \
        -device "$(qemu_model "$1" "$2" vhost-user-rng),chardev=entropy"
}

case_qemu_all() {
    disk_image
    daemon_start disk blk --file "$IMAGE" $(ring_option "$2")
    network_start user "$2"
    daemon_start entropy rng $(ring_option "$2")
    qemu "$1" "$(log guest)" 'avps.tests=disk,network,entropy avps.bad_spot=no' \
        $(qemu_disk "$1" "$2") $(qemu_network "$1" "$2") $(qemu_entropy "$1" "$2")
    judge "$2" disk network entropy
}

# --- killed and back ------------------------------------------------------------------------------

step_is_done() { grep -q "^AVPS-STEP $2: ok" "$1"; }

await_step() {
    wait_until "$(case_limit "$CASE")" step_is_done "$1" "$2" || fail "no '$2': $(tail -n 5 "$1")"
}

# Kill daemon $1 and start it again, five times in seven seconds.
kill_and_restart() {
    local i
    for i in 1 2 3 4 5; do
        sleep 0.7
        daemon_kill "$1"
        sleep 0.2
        daemon_run "$1"
        sleep 0.5
    done
    echo "killed $i times"
}

# Past the page cache, so that requests take a while and some are under way when the program dies.
case_reconnect() {
    disk_image
    daemon_start disk blk --file "$IMAGE" --direct $(ring_option "$2")
    qemu "$1" "$(log guest)" 'avps.tests=numbers avps.seconds=10' $(qemu_disk "$1" "$2")
    await_step "$(log guest)" 'numbers: driver bound'
    kill_and_restart disk
    judge "$2" numbers
    disk_image_agrees "$(log guest)"
}

# --- queues on threads ------------------------------------------------------------------------------

# A disk with two queues, for a guest with two processors, which have to use both.
threads_start() {
    disk_image
    QUEUES_USED='0 1'
    daemon_start disk blk --file "$IMAGE" --queues 2 --threads "${@:2}" --stats "$WORK/stats" $(ring_option "$1")
}

threads_boot() {
    qemu "$1" "$(log guest)" "avps.tests=$3" -smp 2 $(qemu_disk "$1" "$2"),num-queues=2
}

case_qemu_threads() {
    threads_start "$2"
    threads_boot "$1" "$2" 'disk,numbers avps.bad_spot=no'
    judge "$2" disk numbers
    disk_image_agrees "$(log guest)"
}

case_reconnect_threads() {
    threads_start "$2" --direct
    threads_boot "$1" "$2" 'numbers avps.seconds=10'
    await_step "$(log guest)" 'numbers: driver bound'
    kill_and_restart disk
    judge "$2" numbers
    disk_image_agrees "$(log guest)"
}

case_reconnect_network() {
    network_start user "$2"
    qemu "$1" "$(log guest)" 'avps.tests=outage avps.seconds=10' $(qemu_network "$1" "$2")
    await_step "$(log guest)" 'outage: ping before'
    kill_and_restart network
    judge "$2" outage
}

case_front_end() {
    disk_image
    daemon_start disk blk --file "$IMAGE" $(ring_option "$2")
    qemu "$1" "$(log killed)" 'avps.tests=numbers avps.seconds=30' $(qemu_disk "$1" "$2")
    await_step "$(log killed)" 'numbers: driver bound'
    sleep 2
    kill -KILL "$GUEST_PID"
    wait "$GUEST_PID" 2>/dev/null
    "$BUILD/blkseq" "$IMAGE" check || fail "a write was torn"
    qemu "$1" "$(log guest)" 'avps.tests=numbers' $(qemu_disk "$1" "$2")
    judge "$2" numbers
    disk_image_agrees "$(log guest)"
}
