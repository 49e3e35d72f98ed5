# SPDX-License-Identifier: BSD-3-Clause
# The workloads that avps.tests names (all), one device after the other. Every step is named on the
# console; the row at the end of a device is what the table is made of.

. /tests/test-lib.sh

# The virtio device with id $1 (four hex digits), as virtioN.
virtio_device() {
    local path
    for path in /sys/bus/virtio/devices/*; do
        if [ "$(cat "$path/device")" = "0x$1" ]; then
            basename "$path"
            return
        fi
    done
    echo none
}

# virtio_transport VIRTIO: pci or mmio, by the driver of the device that it sits on.
virtio_transport() {
    case $(readlink -f "/sys/bus/virtio/devices/$1/../driver") in
    */virtio-pci) echo pci ;;
    */virtio-mmio) echo mmio ;;
    *) echo none ;;
    esac
}

# interrupts_taken NUMBER...: sum of the counts of these interrupts, which are by CPU.
interrupts_taken() {
    local number
    for number in "$@"; do
        awk -v number="$number:" '$1 == number {
            for (i = 2; i <= NF && $i ~ /^[0-9]+$/; i++) print $i }' /proc/interrupts
    done | awk '{ sum += $1 } END { print sum + 0 }'
}

# virtio_interrupts VIRTIO: kind, how many, how often they were taken. PCI says itself what kind its
# messages are; wired interrupts are found by the name of the device that asked for them.
virtio_interrupts() {
    local numbers kind messages=/sys/bus/virtio/devices/$1/../msi_irqs
    if [ -d "$messages" ]; then
        numbers=$(ls "$messages")
        kind=$(cat "$messages"/* | sort -u)
    else
        numbers=$(awk -v name="$1" '$NF == name { sub(":", "", $1); print $1 }' /proc/interrupts)
        kind=wired
    fi
    # shellcheck disable=SC2086
    echo "$kind|$(echo $numbers | wc -w)|$(interrupts_taken $numbers)"
}

# step NAME COMMAND...: run it; its output is shown only if it fails. After a failure the rest of
# the device's steps are skipped.
step() {
    local name=$1
    shift
    [ "$result" = ok ] || return 1
    if "$@" >/tmp/step 2>&1; then
        echo "AVPS-STEP $device: $name: ok"
    else
        result=FAIL
        echo "AVPS-STEP $device: $name: FAIL"
        sed 's/^/    /' /tmp/step
    fi
}

# begin DEVICE ID; then steps; then finish WORKLOAD.
begin() {
    device=$1
    virtio=$(virtio_device "$2")
    result=ok
    began=$(now_ms)
    step "driver bound" [ -e "/sys/bus/virtio/devices/$virtio/driver" ]
}

finish() {
    local path=/sys/bus/virtio/devices/$virtio driver=none features=none
    [ -e "$path/driver" ] && driver=$(basename "$(readlink "$path/driver")")
    [ -e "$path/features" ] && features=$(cat "$path/features")
    echo "AVPS-SEEN $device|$(virtio_transport "$virtio")|$(virtio_interrupts "$virtio")"
    echo "AVPS-ROW $device|$driver|$features|$1|$result|$(($(now_ms) - began))"
}

stty -echo 2>/dev/null # what the hypervisor types must not come back to it

for test in $(argument tests disk,network,console,entropy,together | tr , ' '); do
    . "/tests/$test.sh"
done
# Where the kernel bounces, if it has to.
dmesg | sed -n 's/.*created restricted DMA pool at/AVPS-POOL at/p'
echo AVPS-DONE
