# SPDX-License-Identifier: BSD-3-Clause
# All devices at the same time: interrupts of several devices meet.

# Every job's status counts.
together() {
    local jobs='' job status=0
    netbulk $PEER receive 2097152 "$(argument repeats 5)" &
    jobs="$jobs $!"
    netbulk $PEER send 1048576 "$(argument repeats 5)" &
    jobs="$jobs $!"
    entropy 65536 &
    jobs="$jobs $!"
    dd if=$DISK of=/dev/null bs=64k count=200 iflag=direct &
    jobs="$jobs $!"
    console_bulk 524288 &
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
