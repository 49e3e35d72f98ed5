# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# The bare-metal port: QEMU as the machine, with EL2 and GICv3, the hypervisor as its "kernel"; the guests'
# kernels and initramfs, and a platform file, lie in memory, where the machine's device tree tells the
# hypervisor. Scenarios with several guests are in baremetal-guests.sh.

PORT_ABOUT='devices by libavps in a hypervisor at EL2'
PORT_PACKAGES=(qemu-system-arm gcc-aarch64-linux-gnu libc6-dev-arm64-cross cmake ninja-build
    device-tree-compiler)
PORT_SCENARIOS='guests cockpit automotive'
. "$HERE/lib/baremetal-guests.sh"
. "$HERE/lib/baremetal-automotive.sh"
[ "$SCENARIO" != automotive ] || PORT_PACKAGES+=("${LINUX_PACKAGES[@]}")

MACHINE_MIB=1024
KERNEL_AT=0x44200000
INITRD_AT=0x4a000000
BOOT_SECONDS=240 # no boot takes this long: something hangs

# boot_guest OPTIONS ARGS [TIMEOUT-COMMAND...]: hypervisor options, guests' kernel arguments. $MACHINE_MORE are
# further arguments of QEMU.
boot_guest() {
    local options=$1 args=$2
    [ -z "$STATS" ] || options="$options stats=$STATS"
    shift 2
    "$@" qemu-system-aarch64 \
        -M virt,virtualization=on,gic-version=3 -cpu cortex-a57 -m "$MACHINE_MIB" \
        -nodefaults -display none -serial "$SERIAL" -no-reboot \
        -kernel "$HYPERVISOR" -append "$options" \
        -device "guest-loader,addr=$KERNEL_AT,kernel=$GUEST_KERNEL,bootargs=${args//,/,,}" \
        -device "guest-loader,addr=$INITRD_AT,initrd=$INITRAMFS" "${MACHINE_MORE[@]}"
}

MACHINE_MORE=()
GUEST_ARGS='console=hvc0 earlycon=pl011,0x09000000 quiet loglevel=4 panic=-1 random.trust_bootloader=off'
[ "$PCI_INTERRUPTS" = msix ] || GUEST_ARGS="$GUEST_ARGS pci=nomsi"

build_hypervisor() {
    progress "building libavps and the hypervisor"
    # A build folder of another source tree would be refused.
    grep -qs "^CMAKE_HOME_DIRECTORY:INTERNAL=$HERE/baremetal-hypervisor$" \
        "$BUILD/hypervisor/CMakeCache.txt" || rm -rf "$BUILD/hypervisor"
    cmake -S "$HERE/baremetal-hypervisor" -B "$BUILD/hypervisor" -G Ninja \
        --toolchain "$ROOT/cmake/toolchains/aarch64-freestanding.cmake" \
        -DCMAKE_BUILD_TYPE=Release -DAVPS_LIBFDT_INCLUDE="$GUEST_ROOT/usr/include" \
        -DAVPS_LIBFDT_LIBRARY="$(find "$GUEST_ROOT/usr/lib" -name libfdt.a)" >>"$LOG" 2>&1 &&
        cmake --build "$BUILD/hypervisor" --target hypervisor hostile --parallel "$(nproc)" >>"$LOG" 2>&1 ||
        die "the hypervisor does not build, see $LOG"
    HYPERVISOR=$BUILD/hypervisor/hypervisor.elf
}

port_prepare() {
    provide_guest_packages
    [ "$SCENARIO" != automotive ] || provide_automotive_kernel
    build_initramfs
    build_hypervisor
}

# One boot that ends by itself: mode $1 of the guest (test, crash), transport $2, ring format $3, log $4.
# The packed run has to do with two of the interrupt controller's list registers, so that interrupts
# queue up.
run_guest() {
    local options="transport=$2 ring=$3" label="$2 $3"
    [ "$3" = packed ] && options="$options lr=2"
    [ "$1" = test ] || label=$1
    : >"$4"
    SERIAL=stdio
    boot_guest "$options" "$GUEST_ARGS avps.mode=$1" timeout --kill-after=5 "$BOOT_SECONDS" \
        </dev/null 2>&1 | follow "$4" "$(printf '%-11s' "$label")"
}

port_boot() {
    local transport ring
    [ "$SCENARIO" = devices ] || { "boot_$SCENARIO"; return; }
    progress "booting Linux $GUEST_KERNEL_VERSION: ${TRANSPORTS/ / and } with ${RINGS/ / and } rings, and once to be crashed"
    for transport in $TRANSPORTS; do
        for ring in $RINGS; do
            wait_for_cpu
            run_guest test "$transport" "$ring" "$BUILD/console-$transport-$ring.log" &
        done
    done
    wait_for_cpu
    run_guest crash "${TRANSPORTS##* }" split "$BUILD/console-crash.log" &
    wait
}

port_table() {
    local transport ring device log
    [ "$SCENARIO" = devices ] || { "table_$SCENARIO"; return; }
    for transport in $TRANSPORTS; do
        for ring in $RINGS; do
            log=$BUILD/console-$transport-$ring.log
            for device in "${DEVICES[@]}"; do
                count_bad table_device "$log" "$transport" "$ring" "$device"
            done
            count_bad table_together "$log" "$transport" "$ring"
            count_bad table_power_off "$log" "$transport" "$ring"
        done
    done
    count_bad table_crash "$BUILD/console-crash.log"
}

port_shell() {
    echo "Linux shell on virtio-console ($1, $2 rings). 'poweroff' ends it; so does Ctrl-A X."
    SERIAL=mon:stdio
    boot_guest "transport=$1 ring=$2" "$GUEST_ARGS avps.mode=shell"
}
