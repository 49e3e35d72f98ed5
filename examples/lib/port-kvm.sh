# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# The KVM port: QEMU emulates a machine with EL2, on which Debian's Linux runs avps-kvm, whose guest is
# Debian's Linux again. Both boot the same kernel and initramfs; the outer one has avps-kvm beside it.

. "$HERE/lib/table-hosted.sh"

PORT_ABOUT='devices by libavps in a virtual machine monitor on KVM, all of it emulated'
PORT_PACKAGES=(qemu-system-arm device-tree-compiler gcc-aarch64-linux-gnu libc6-dev-arm64-cross cmake ninja-build)

KVM_MIB=1024
KVM_SECONDS=900 # no boot takes this long, even on a loaded machine: something hangs

# What port-kvm-x86.sh has otherwise.
VMM_TOOLCHAIN=(--toolchain "$ROOT/cmake/toolchains/aarch64-linux.cmake")
OUTER_SERIAL=ttyAMA0
OUTER_MACHINE=(qemu-system-aarch64 -M "virt,virtualization=on,gic-version=3"
    -cpu "max,pauth-impdef=on")
OUTER_ARGS=''
COCKPIT=yes # boot the cluster of examples/platforms/cockpit.dts, too

GUEST_MODULES+=(tun)
GUEST_SOURCES+=("$HERE/kvm-vmm/host")

# avps-kvm for the outer machine, linked statically, in the tree's own build folder.
build_vmm() {
    progress "building libavps and avps-kvm"
    grep -qs "^CMAKE_HOME_DIRECTORY:INTERNAL=$ROOT$" "$BUILD/vmm/CMakeCache.txt" || rm -rf "$BUILD/vmm"
    cmake -S "$ROOT" -B "$BUILD/vmm" -G Ninja "${VMM_TOOLCHAIN[@]}" -DCMAKE_BUILD_TYPE=Release \
        -DAVPS_BUILD_TESTS=OFF -DAVPS_BUILD_SHARED=OFF -DAVPS_INSTALL=OFF -DAVPS_WITH_LIBFDT=ON \
        -DAVPS_WITH_LIBURING=OFF -DAVPS_WITH_LIBSLIRP=OFF \
        -DAVPS_LIBFDT_INCLUDE="$GUEST_ROOT/usr/include" \
        -DAVPS_LIBFDT_LIBRARY="$(find "$GUEST_ROOT/usr/lib" -name libfdt.a)" >>"$LOG" 2>&1 &&
        cmake --build "$BUILD/vmm" --target avps-kvm --parallel "$(nproc)" >>"$LOG" 2>&1 ||
        die "avps-kvm does not build, see $LOG"
}

# The outer machine's initramfs: the guest's, and behind it what avps-kvm needs, not compressed: that
# has to begin at a multiple of four.
build_outer_initramfs() {
    local tree=$BUILD/outer
    OUTER_INITRAMFS=$BUILD/outer.img
    rm -rf "$tree"
    mkdir -p "$tree/kvm"
    cp "$GUEST_KERNEL" "$tree/kvm/kernel"
    cp "$INITRAMFS" "$tree/kvm/initramfs.gz"
    cp "$BUILD/vmm/examples/kvm-vmm/avps-kvm" "$tree/kvm/"
    dtc -q -O dtb -o "$tree/kvm/cockpit.dtb" "$HERE/platforms/cockpit.dts" >>"$LOG" 2>&1 ||
        die "the platform file does not compile, see $LOG"
    cp "$INITRAMFS" "$OUTER_INITRAMFS"
    truncate -s %4 "$OUTER_INITRAMFS"
    (cd "$tree" && find . | sort | cpio -o -H newc -R 0:0 --quiet) >>"$OUTER_INITRAMFS"
}

port_prepare() {
    provide_guest_packages
    build_initramfs
    build_vmm
    build_outer_initramfs
}

# boot_outer ARGUMENTS [TIMEOUT-COMMAND...]
boot_outer() {
    local args=$1
    shift
    "$@" "${OUTER_MACHINE[@]}" -smp 2 -m "$KVM_MIB" -nodefaults -display none -serial "$SERIAL" -no-reboot \
        -kernel "$GUEST_KERNEL" -initrd "$OUTER_INITRAMFS" \
        -append "console=$OUTER_SERIAL avps.console=$OUTER_SERIAL quiet loglevel=4 panic=-1 avps.mode=kvm $OUTER_ARGS $args"
}

# boot_log LABEL LOG ARGUMENT...: one that ends by itself.
boot_log() {
    local label=$1 log=$2
    shift 2
    : >"$log"
    SERIAL=stdio
    boot_outer "$PCI_ARGUMENT $*" timeout --kill-after=5 "$KVM_SECONDS" </dev/null 2>&1 |
        follow "$log" "$(printf '%-11s' "$label")"
}

PCI_ARGUMENT=
[ "$PCI_INTERRUPTS" = msix ] || PCI_ARGUMENT=avps.append=pci=nomsi

port_boot() {
    local transport ring
    progress "booting Linux $GUEST_KERNEL_VERSION on it: ${TRANSPORTS/ / and } with ${RINGS/ / and } rings"
    for transport in $TRANSPORTS; do
        for ring in $RINGS; do
            wait_for_cpu
            boot_log "$transport $ring" "$BUILD/console-$transport-$ring.log" \
                "avps.transport=$transport avps.ring=$ring avps.guests=test,saved" &
        done
    done
    if [ "$COCKPIT" = yes ]; then
        wait_for_cpu
        boot_log cockpit "$BUILD/console-cockpit.log" avps.guests=cockpit &
    fi
    wait
}

PORT_PROGRAM=avps-kvm

# A guest that was saved under load, and goes on from the file in another process.
table_saved() {
    local log=$1 driver bits workload result millis complaint=''
    if ! IFS='|' read -r driver bits workload result millis < <(said "$log" ROW saved); then
        row saved "$2" "$3" - 'did not get that far' FAIL -
        return 1
    fi
    grep -q '^avps-kvm: the end: saved to ' "$log" || complaint='it was not saved'
    grep -q '^avps-kvm: restored from ' "$log" || complaint='it was not restored'
    [ -z "$complaint" ] || result=FAIL
    row saved "$2" "$3" "$driver" "$workload" "$result" "$(seconds "$millis")"
    table_note features "$(feature_names disk "$bits")"
    [ -z "$complaint" ] || table_note 'not good' "$complaint"
    [ "$result" = ok ]
}

port_table() {
    local transport ring device log
    for transport in $TRANSPORTS; do
        for ring in $RINGS; do
            log=$BUILD/console-$transport-$ring.log
            for device in "${DEVICES[@]}"; do
                count_bad table_device "$log" "$transport" "$ring" "$device"
            done
            count_bad table_all_at_once "$log" "$transport" "$ring"
            count_bad table_power_off "$log" "$transport" "$ring"
            count_bad table_saved "$log" "$transport" "$ring"
        done
    done
    if [ "$COCKPIT" = yes ]; then
        table_cockpit "$BUILD/console-cockpit.log"
    fi
}

port_shell() {
    echo "Linux shell on virtio-console ($1, $2 rings). 'poweroff' ends it; so does Ctrl-A X."
    SERIAL=mon:stdio
    boot_outer "avps.transport=$1 avps.ring=$2 avps.guests=shell"
}
