# SPDX-License-Identifier: BSD-3-Clause
# The fuzz targets, one a line; read by CMake and by fuzz/run.
set(AVPS_FUZZ_TARGETS
    split
    packed
    runs
    mmio
    pci
    pci_common
    state
    rng
    blk
    iotlb
    console
    net
    switch
    admin
    i2c
    vsock
    platform
    vhost_user
    inflight
)
