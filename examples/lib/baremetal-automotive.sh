# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# The devices of a vehicle: the guests of examples/platforms/automotive.dts, with a kernel that has drivers
# for them. They test at the same time; their workloads for i2c and vsock are those of tests/guests.
. "$HERE/lib/build-cache.sh"
. "$HERE/lib/linux-kernel.sh"

AUTOMOTIVE_DEVICES=(disk network entropy i2c vsock)

provide_automotive_kernel() {
    provide_kernel linux-avps-automotive 'Linux with automotive drivers' arm64 arch/arm64/boot/Image \
        "$HERE/baremetal-hypervisor/automotive-kernel.config"
    GUEST_KERNEL=$KERNEL_FOLDER/Image
    GUEST_KERNEL_VERSION=$(cat "$KERNEL_FOLDER/release")
    GUEST_SOURCES+=("$ROOT/tests/guests/guest")
}

boot_automotive() {
    boot_platform automotive '' ''
}

# guest_log LOG GUEST: the part of the log that is about one of the guests, as if it were alone.
guest_log() {
    sed -n "s/^\\[$2\\] //p; /^hyp: .* vm=$2\$/p; /^hyp: [a-z]* name=$2\\//p" "$1" >"$BUILD/console-automotive-$2.log"
    echo "$BUILD/console-automotive-$2.log"
}

# table_guest GUEST TRANSPORT RING
table_guest() {
    local log device
    log=$(guest_log "$BUILD/console-automotive.log" "$1")
    for device in "${AUTOMOTIVE_DEVICES[@]}"; do
        count_bad table_device "$log" "$2" "$3" "$device"
    done
    count_bad table_power_off "$log" "$2" "$3"
}

# The kernel made the pool, where the hypervisor's devices reach, and all devices demanded its use; an access
# outside of it would have been a fault, which the rows of the devices would show.
row_window() {
    local log=$BUILD/console-automotive-window.log result=ok pool demanded
    pool=$(sed -n 's/^AVPS-POOL //p' "$log" | tail -n 1)
    demanded=$(grep -cE '^AVPS-ROW [a-z0-9]+\|[a-z_0-9]+\|[01]{33}1' "$log")
    [[ $pool == *'size 16 MiB' ]] && [ "$demanded" -eq ${#AUTOMOTIVE_DEVICES[@]} ] || result=FAIL
    row window mmio packed swiotlb 'its devices reach 16 MiB of 160, and the rows above hold' $result -
    table_note 'restricted DMA pool' "${pool:-none seen}"
    table_note 'ACCESS_PLATFORM' "$demanded of ${#AUTOMOTIVE_DEVICES[@]} drivers"
    [ $result = ok ]
}

table_automotive() {
    table_guest split mmio split
    table_guest packed pci packed
    table_guest window mmio packed
    count_bad row_window
}
