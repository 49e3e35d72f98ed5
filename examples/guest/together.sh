# SPDX-License-Identifier: BSD-3-Clause
# All devices at the same time: interrupts of several devices meet.

together_port() {
    local port reader status
    port=$(console_port) || return 1
    exec 3<>"$port"
    head -c 524288 <&3 | md5sum >/tmp/together &
    reader=$!
    timeout 30 head -c 524288 /dev/zero >&3
    wait $reader
    status=$?
    exec 3>&-
    [ $status -eq 0 ] && [ "$(cat /tmp/together)" = "$(head -c 524288 /dev/zero | md5sum)" ]
}

# Every job's status counts.
together() {
    local jobs='' job status=0
    netbulk $PEER receive 2097152 &
    jobs="$jobs $!"
    netbulk $PEER send 1048576 &
    jobs="$jobs $!"
    entropy 65536 &
    jobs="$jobs $!"
    dd if=$DISK of=/dev/null bs=64k count=200 iflag=direct &
    jobs="$jobs $!"
    together_port &
    jobs="$jobs $!"
    for job in $jobs; do
        wait "$job" || status=1
    done
    return $status
}

device=all
virtio=none
result=ok
began=$(now_ms)
step "disk, network, console and entropy at once" together
finish "disk, network, console and entropy at once"
