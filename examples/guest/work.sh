#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What a guest does while its neighbours do something else: 1 MiB of noise to the disk and back past the
# cache, checksums, some entropy. The exit status says whether all was right.
file=/tmp/work.$$
head -c 1048576 /dev/urandom >$file &&
    dd if=$file of=/dev/vda bs=64k oflag=direct 2>/dev/null &&
    dd if=/dev/vda of=$file.back bs=64k count=16 iflag=direct 2>/dev/null &&
    [ "$(md5sum <$file)" = "$(md5sum <$file.back)" ] &&
    head -c 2048 /dev/hwrng >/dev/null
status=$?
rm -f $file $file.back
exit $status
