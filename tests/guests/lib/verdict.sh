# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# What a case says, and how a guest's log is judged.

fail() {
    printf 'FAILED: %s\n' "$*"
    exit 1
}

# The features that the driver of workload $2 negotiated in log $1, bit 0 first.
row_features() {
    sed -n "s/^AVPS-ROW $2|[^|]*|\([01]*\)|.*/\1/p" "$1" | tail -n 1
}

# The driver that must have served workload $1; "all" uses several.
driver_of() {
    case $1 in
    disk | numbers | readonly) echo virtio_blk ;;
    network | outage) echo virtio_net ;;
    console) echo virtio_console ;;
    entropy) echo virtio_rng ;;
    i2c) echo i2c_virtio ;;
    vsock) echo vmw_vsock_virtio_transport ;;
    all) echo none ;;
    esac
}

# expect_row LOG WORKLOAD RING: it ran once, all was well, with the right driver and ring format.
expect_row() {
    local row
    row=$(grep "^AVPS-ROW $2|" "$1" | tr -d '\r') || fail "'$2' did not get that far: $(tail -n 8 "$1")"
    [[ $row == "AVPS-ROW $2|$(driver_of "$2")|"*'|ok|'* && $row != *$'\n'* ]] ||
        fail "$row: $(grep -A 6 FAIL "$1")"
    [ "$2" = all ] || expect_features "$1" "$2" "$3"
    echo "$row"
}

expect_features() {
    local features packed=0
    [ "$3" = packed ] && packed=1
    features=$(row_features "$1" "$2")
    [ "${features:34:1}" = $packed ] || fail "$2: ring format is not $3 (features $features)"
    [ "${features:32:1}" = 1 ] || fail "$2: not VERSION_1 (features $features)"
}

# Words of the kernel that mean a device misbehaved.
COMPLAINTS='is not a head|BAD_RING|id [0-9]* out of range|I/O error|Call Trace|WARNING:|BUG:|Kernel panic|blocked for more than'

expect_no_complaint() {
    ! grep -aE "$COMPLAINTS" "$1" || fail "the guest's kernel complains"
}
