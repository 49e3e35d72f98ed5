# SPDX-License-Identifier: BSD-3-Clause
# The machine that avps-kvm runs on, itself emulated: the other ends of the guest's devices, then the
# guest, and once more one that is saved to a file and goes on from it. Said by the kernel's arguments:
# avps.transport, avps.ring, avps.guests (a list of test, saved, cockpit, shell), avps.cpus, avps.options (of
# avps-kvm) and avps.append (to the guest's kernel), with commas for spaces.

KVM=/kvm
WORK=/tmp/kvm
SERIAL=$(argument console)
RING=--$(argument ring packed)

# Addresses of the tap interface, as soon as it is there: the same ones whenever it is made anew.
network_address() {
    until ip link set avps0 address 02:61:76:70:73:02 2>/dev/null; do
        usleep 20000
    done
    ip addr add 10.0.2.2/24 dev avps0
}

# What the guest's consoles are: a shell has the terminal for itself.
console_options() {
    case $GUEST in
    shell) echo --stdio ;;
    *) echo "--unix $WORK/port --ports 2 --size 100x30" ;;
    esac
}

serial_option() { [ "$GUEST" = shell ] && echo --serial none; }

# vmm ARGUMENT...: the guest with its devices.
vmm() {
    # shellcheck disable=SC2046 # one word per option
    "$KVM/avps-kvm" --memory 192M --cpus "$(argument cpus 2)" --no-reboot \
        --transport "$(argument transport mmio)" $(serial_option) \
        $(argument options | tr , ' ') "$@" \
        blk --file "$WORK/disk.img" --serial libavps "$RING" \
        + net --tap avps0 --mac 52:54:00:12:34:56 "$RING" \
        + console $(console_options) "$RING" \
        + rng "$RING"
}

# vmm_boot TODO ARGUMENT...: what the guest is to do, in kernel arguments.
vmm_boot() {
    local todo=$1
    shift
    vmm --kernel "$KVM/kernel" --initrd "$KVM/initramfs.gz" --append "console=$SERIAL quiet loglevel=4 \
panic=-1 random.trust_bootloader=off avps.console=$SERIAL avps.bad_spot=no avps.bulk=avps.1 avps.repeats=30 $todo \
$(argument append | tr , ' ')" "$@"
}

guest_test() {
    network_address &
    consolepeer "$WORK/port" "$WORK/port.1" &
    vmm_boot avps.mode=test
}

# The cluster of the cockpit: what it has says the platform file; what is behind its resources is said
# here.
guest_cockpit() {
    truncate -s 8M "$WORK/maps.img"
    network_address &
    consolepeer "$WORK/port" "$WORK/port.1" &
    "$KVM/avps-kvm" --platform "$KVM/cockpit.dtb" --guest cluster --no-reboot \
        --connect "cluster-terminal=unix=$WORK/port" --connect "cluster-data=file=$WORK/disk.img" \
        --connect "maps=file=$WORK/maps.img" --connect gateway=tap=avps0 \
        --kernel "$KVM/kernel" --initrd "$KVM/initramfs.gz" \
        --append "console=$SERIAL quiet loglevel=4 panic=-1 random.trust_bootloader=off \
avps.console=$SERIAL avps.bad_spot=no avps.mode=test avps.guest=cluster \
avps.tests=contract,network,console"
}

guest_shell() {
    network_address &
    vmm_boot avps.mode=shell
}

# The guest says when; what it says before and behind it comes here in one piece.
guest_saved() {
    local line
    network_address &
    vmm_boot "avps.mode=test avps.tests=saved" --save "$WORK/state" 2>&1 | while IFS= read -r line; do
        echo "$line"
        case $line in AVPS-SAVE*) kill -USR1 "$(pidof avps-kvm)" ;; esac
    done
    ls -l "$WORK/state"
    network_address &
    vmm --restore "$WORK/state"
}

mkdir -p "$WORK" /dev/net
[ -c /dev/net/tun ] || mknod /dev/net/tun c 10 200
netpeer &
for GUEST in $(argument guests test | tr , ' '); do
    rm -f "$WORK"/disk.img
    truncate -s 64M "$WORK/disk.img"
    "guest_$GUEST"
done
