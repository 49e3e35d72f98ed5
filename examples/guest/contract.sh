# SPDX-License-Identifier: BSD-3-Clause
# What the platform file examples/platforms/cockpit.dts says of the guest that avps.guest names, seen from
# inside: CPUs, memory, disks and who may write them, the address that cannot be changed.

guest=$(argument guest cluster)
case $guest in
cluster) mib=192 mac=02:61:76:70:73:01 cache='write through' ;;
*) mib=256 mac=02:61:76:70:73:02 cache='write back' ;;
esac

is() {
    echo "$2, expected $1"
    [ "$1" = "$2" ]
}

# The kernel keeps some of it for itself.
contract_memory() {
    local kib
    kib=$(awk '$1 == "MemTotal:" { print $2 }' /proc/meminfo)
    echo "$kib KiB of $mib MiB"
    [ "$kib" -le $((mib * 1024)) ] && [ "$kib" -ge $((mib * 1024 * 3 / 5)) ]
}

contract_read_only() {
    is 1 "$(cat /sys/block/vdb/ro)" &&
        dd if=/dev/vdb of=/dev/null bs=1M count=8 iflag=direct &&
        ! dd if=/dev/zero of=/dev/vdb bs=512 count=1 oflag=direct
}

# Of its own the guest has only one; the device refuses another.
contract_address() {
    is "$mac" "$(cat /sys/class/net/eth0/address)" && ip link set eth0 down &&
        ! ip link set eth0 address 02:61:76:70:73:77 &&
        is "$mac" "$(cat /sys/class/net/eth0/address)"
}

begin contract 0002
step "two CPUs" is 2 "$(nproc)"
step "$mib MiB" contract_memory
step "disk of 64 MiB" is 131072 "$(cat /sys/block/vda/size)"
step "$cache" is "$cache" "$(cat /sys/block/vda/cache_type)"
step "maps of 8 MiB" is 16384 "$(cat /sys/block/vdb/size)"
step "maps are read-only" contract_read_only
step "MTU 1500" is 1500 "$(cat /sys/class/net/eth0/mtu)"
step "its address, and no other" contract_address
finish "2 CPUs, $mib MiB, disk $cache, maps read-only, MAC address refused"
