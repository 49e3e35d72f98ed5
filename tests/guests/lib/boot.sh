# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Guests: their command lines. All run the same initramfs of their architecture, with the terminal
# on standard output and what to do in the kernel's arguments (examples/guest/init).

GUEST_ARGS='quiet loglevel=4 panic=-1 random.trust_bootloader=off'
GUEST_MIB=256

# uml LOG ARGUMENT...: a User-mode Linux, in the background as $GUEST_PID. Its memory is a file
# without a name in /dev/shm, which the back end maps.
uml() {
    local log=$1
    shift
    # shellcheck disable=SC2086 # one word per argument
    TMPDIR=/dev/shm "$UML_KERNEL" "mem=${GUEST_MIB}M" "initrd=$INITRAMFS_amd64" uml_dir="$WORK/uml" con=null con0=null,fd:1 \
        avps.console=tty0 $GUEST_ARGS "$@" </dev/null >"$log" 2>&1 &
    GUEST_PID=$!
}

# The arguments that give a UML the devices NAME:ID...; NAME is that of a running daemon.
uml_devices() {
    local device
    for device in "$@"; do
        echo "virtio_uml.device=$WORK/${device%:*}.sock:${device#*:}"
    done
}

# qemu MACHINE LOG ARGUMENTS DEVICE...: a machine "mmio" (arm64) or "pci" (x86-64) in the background
# as $GUEST_PID; DEVICE... are options of QEMU.
qemu() {
    local machine=$1 log=$2 arguments=$3 command
    shift 3
    case $machine in
    mmio) command=(qemu-system-aarch64 -M "virt,gic-version=3,memory-backend=mem" -cpu cortex-a57
        -global virtio-mmio.force-legacy=false -kernel "$KERNEL_arm64" -initrd "$INITRAMFS_arm64"
        -append "console=ttyAMA0 avps.console=ttyAMA0 $GUEST_ARGS $arguments") ;;
    pci) command=(qemu-system-x86_64 -M "q35,memory-backend=mem" -kernel "$KERNEL_amd64"
        -initrd "$INITRAMFS_amd64" -append "console=ttyS0 avps.console=ttyS0 no_timer_check $GUEST_ARGS $arguments") ;;
    esac
    "${command[@]}" -accel tcg -m "$GUEST_MIB" \
        -object "memory-backend-memfd,id=mem,size=${GUEST_MIB}M,share=on" \
        -nodefaults -display none -serial stdio -no-reboot "$@" </dev/null >"$log" 2>&1 &
    GUEST_PID=$!
}

# qemu_model MACHINE RING MODEL: a virtio device on that machine's bus, with that ring format.
qemu_model() {
    local suffix=''
    case $1-$3 in pci-*) suffix=-pci ;; mmio-virtio-*) suffix=-device ;; esac
    echo "$3$suffix,packed=$([ "$2" = packed ] && echo on || echo off)"
}

# The guest of log $1 must switch itself off in time.
guest_ends() {
    wait_until "$(case_limit "$CASE")" process_is_gone "$GUEST_PID" ||
        fail "the guest does not end: $(tail -n 5 "$1")"
    wait "$GUEST_PID" || fail "the guest ended with status $?: $(tail -n 5 "$1")"
}
