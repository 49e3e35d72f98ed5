# SPDX-License-Identifier: BSD-3-Clause
# Entropy: 64 KiB through the kernel's hwrng; on the way the source runs dry and comes back.

entropy_selected() {
    grep -q virtio_rng /sys/class/misc/hw_random/rng_current
}

begin entropy 0004
step "source selected" entropy_selected
step "64 KiB, evenly distributed" entropy 65536
finish "64 KiB from /dev/hwrng, evenly distributed"
