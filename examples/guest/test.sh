# SPDX-License-Identifier: BSD-3-Clause
# The workloads that avps.tests names (all), one device after the other. Every step is named on the
# console; the row at the end of a device is what the table is made of.

now_ms() {
    awk '{ print int($1 * 1000) }' /proc/uptime
}

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
    echo "AVPS-ROW $device|$driver|$features|$1|$result|$(($(now_ms) - began))"
}

stty -echo 2>/dev/null # what the hypervisor types must not come back to it

for test in $(argument tests disk,network,console,entropy,together | tr , ' '); do
    . "/tests/$test.sh"
done
echo AVPS-DONE
