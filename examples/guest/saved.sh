# SPDX-License-Identifier: BSD-3-Clause
# Disk and network under load while the machine is saved and goes on from the file. AVPS-SAVE asks for it;
# the load goes on for avps.seconds of this guest's time, and for some rounds at least.

saved_is_over() { [ -e /tmp/saved-over ]; }

# Rounds of $1 are counted in a file.
saved_round() { echo x >>"/tmp/saved-$1"; }

saved_rounds() { wc -l <"/tmp/saved-$1"; }

# Files that are written, dropped from the cache, and read back.
saved_disk() {
    local i=0
    until saved_is_over; do
        i=$((i % 8 + 1))
        head -c $((131072 + i * 4097)) /dev/urandom >"/mnt/$i" && md5sum "/mnt/$i" >/tmp/saved-sum || return 1
        sync && echo 3 >/proc/sys/vm/drop_caches && md5sum -c /tmp/saved-sum || return 1
        saved_round disk
    done
}

# 128 KiB with checksums. A datagram that comes too late is asked for again; where that happens often,
# as in the gap that a save is, once more.
saved_move() {
    netbulk 10.0.2.2 "$1" 131072 || netbulk 10.0.2.2 "$1" 131072 || netbulk 10.0.2.2 "$1" 131072
}

saved_network() {
    until saved_is_over; do
        saved_move receive && saved_move send || return 1
        saved_round network
    done
}

saved_setup() {
    ip link set eth0 up && ip addr add 10.0.2.15/24 dev eth0 &&
        mkfs.ext4 -q -F /dev/vda 62M && mount -t ext4 /dev/vda /mnt &&
        until ping -c 1 -W 1 10.0.2.2; do :; done
}

# saved_wait DISK NETWORK: until there were so many rounds of each.
saved_wait() {
    until [ "$(saved_rounds disk)" -ge "$1" ] && [ "$(saved_rounds network)" -ge "$2" ]; do
        kill -0 $disk && kill -0 $network || return 1
        usleep 50000
    done
}

saved_load() {
    local disk network before_disk before_network status=0
    : >/tmp/saved-disk
    : >/tmp/saved-network
    saved_disk &
    disk=$!
    saved_network &
    network=$!
    saved_wait 2 2 || return 1
    before_disk=$(saved_rounds disk)
    before_network=$(saved_rounds network)
    echo AVPS-SAVE >&9
    usleep $(($(argument seconds 4) * 1000000))
    saved_wait $((before_disk + 3)) $((before_network + 3)) || status=1
    : >/tmp/saved-over
    wait $disk || status=1
    wait $network || status=1
    echo "rounds: disk $before_disk, then $(saved_rounds disk); network $before_network, then $(saved_rounds network)"
    return $status
}

saved_check() { umount /mnt && /sbin/e2fsck -f -n /dev/vda; }

exec 9>&1 # a step's own output is kept for its failure
begin saved 0002
step "disk and network ready" saved_setup
step "checksums of disk and network under load, saved and restored meanwhile" saved_load
step "fsck finds nothing" saved_check
finish "saved under disk and network load, restored: all checksums hold"
exec 9>&-
