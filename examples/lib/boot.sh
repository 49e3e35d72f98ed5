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
[ "$PCI_INTERRUPTS" = msix ] || GUEST_ARGS="$GUEST_ARGS pci=nomsi"

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

# Before one more boot in the background: wait until fewer run than this machine has CPUs, two at least.
wait_for_cpu() {
    local most
    most=$(nproc)
    while [ "$(jobs -rp | wc -l)" -ge $((most > 2 ? most : 2)) ]; do
        wait -n
    done
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

run_shell() {
    echo "Linux shell on virtio-console ($1, $2 rings). 'poweroff' ends it; so does Ctrl-A X."
    SERIAL=mon:stdio
    boot_guest "transport=$1 ring=$2" "$GUEST_ARGS avps.mode=shell"
}
