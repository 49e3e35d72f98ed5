# SPDX-License-Identifier: BSD-3-Clause
# Disk: a file system is made, filled, checked after a remount, trimmed; raw I/O past the cache.

DISK=/dev/vda

disk_fill() {
    local i
    mkdir -p /mnt/files
    for i in $(seq 1 32); do
        head -c $((i * 16 * 1024 + i)) /dev/urandom >"/mnt/files/$i" || return 1
    done
    (cd /mnt/files && md5sum *) >/tmp/sums
}

disk_remount() {
    umount /mnt && echo 3 >/proc/sys/vm/drop_caches && mount -t ext4 "$DISK" /mnt
}

disk_check() {
    (cd /mnt/files && md5sum -c /tmp/sums)
}

disk_trim() {
    rm -r /mnt/files && sync && fstrim -v /mnt
}

# 4 MiB of noise, written and read back in blocks of 64 KiB that no cache sees.
disk_raw() {
    head -c 4194304 /dev/urandom >/tmp/noise
    dd if=/tmp/noise of=$DISK bs=64k oflag=direct &&
        dd if=$DISK of=/tmp/back bs=64k count=64 iflag=direct && cmp /tmp/noise /tmp/back
}

# The hypervisor's disk has a spot that cannot be read; the error must arrive, and stay there.
disk_bad_spot() {
    ! dd if=$DISK of=/dev/null bs=4k skip=16128 count=1 iflag=direct &&
        dd if=$DISK of=/dev/null bs=4k skip=16127 count=1 iflag=direct
}

begin disk 0002
step "mkfs.ext4" mkfs.ext4 -q -F $DISK 62M
step "mount" mount -t ext4 -o discard $DISK /mnt
step "write 32 files, 8.5 MB" disk_fill
step "sync" sync
step "unmount, drop caches, mount again" disk_remount
step "checksums" disk_check
step "delete, discard (fstrim)" disk_trim
step "unmount" umount /mnt
step "fsck finds nothing" /sbin/e2fsck -f -n $DISK
step "discard the whole disk (blkdiscard)" blkdiscard $DISK
step "4 MiB raw, past the cache, both ways" disk_raw
workload="mkfs.ext4, 32 files, sync, remount, checksums, fsck, discard, flush, raw I/O"
if [ "$(argument bad_spot yes)" = yes ]; then
    step "read error reported, neighbour intact" disk_bad_spot
    workload="$workload, a read error"
fi
rm -f /tmp/noise /tmp/back
finish "$workload"
