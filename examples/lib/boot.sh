# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Start QEMU as the bare machine: EL2, GICv3, one CPU, the hypervisor as its "kernel"; the guest's
# kernel and initramfs lie in memory, where the machine's device tree tells the hypervisor.

MACHINE_MIB=512
KERNEL_AT=0x48200000
INITRD_AT=0x50000000
BOOT_SECONDS=240 # no boot takes this long: something hangs

# boot_guest OPTIONS ARGS [TIMEOUT-COMMAND...]: hypervisor options, guest's kernel arguments.
boot_guest() {
    local options=$1 args=$2
    shift 2
    "$@" qemu-system-aarch64 \
        -M virt,virtualization=on,gic-version=3 -cpu cortex-a57 -m "$MACHINE_MIB" \
        -nodefaults -display none -serial "$SERIAL" -no-reboot \
        -kernel "$HYPERVISOR" -append "$options" \
        -device "guest-loader,addr=$KERNEL_AT,kernel=$GUEST_KERNEL,bootargs=${args//,/,,}" \
        -device "guest-loader,addr=$INITRD_AT,initrd=$INITRAMFS"
}

GUEST_ARGS='console=hvc0 earlycon=pl011,0x09000000 quiet loglevel=4 panic=-1 random.trust_bootloader=off'

# Show what the guest reports as it happens, labelled $2; everything goes to the log $1.
follow() {
    local line
    while IFS= read -r line; do
        line=${line%$'\r'}
        printf '%s\n' "$line" >>"$1"
        case $line in
        AVPS-STEP\ *) progress "$2  ${line#AVPS-STEP }" ;;
        *'guest crashed'* | *'Kernel panic'* | *'fault in the hypervisor'*) progress "$2  $line" ;;
        esac
        [ "$VERBOSE" = yes ] && printf '    | %s\n' "$line" >&2
    done
}

# One boot that ends by itself: mode $1 of the guest (test, crash), ring format $2, log $3. The packed
# run has to do with two of the interrupt controller's list registers, so that interrupts queue up.
run_guest() {
    local options=ring=$2
    [ "$2" = packed ] && options="$options lr=2"
    : >"$3"
    SERIAL=stdio
    boot_guest "$options" "$GUEST_ARGS avps.mode=$1" timeout --kill-after=5 "$BOOT_SECONDS" \
        </dev/null 2>&1 | follow "$3" "$(printf '%-6s' "$([ "$1" = test ] && echo "$2" || echo "$1")")"
}

run_shell() {
    echo "Linux shell on virtio-console ($1 rings). 'poweroff' ends it; so does Ctrl-A X."
    SERIAL=mon:stdio
    boot_guest "ring=$1" "$GUEST_ARGS avps.mode=shell"
}
