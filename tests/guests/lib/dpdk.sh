# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# DPDK's virtio-user ports as poll-mode clients: numbered frames (dpdk/frames.c) from one to the other
# through a virtual switch of the program, or to itself and back. No huge pages, one processor.
#
# A case is a ring format and words: plain (no mergeable buffers), in-order, vector, jumbo, pairs (two
# queue pairs), poll (the program polls, too), threads (each pair on one), indirect (frames in pieces as
# indirect tables).

DPDK_PACKAGES=(gcc pkg-config libdpdk-dev)

# Frames of each flow: every index of 16 bits wraps, but where the program takes a processor for itself.
dpdk_count() { if dpdk_is poll; then echo 20000; else echo 70000; fi; }

# Any of the processors that this process may use.
dpdk_processors() { echo "0@($(sed -n 's/^Cpus_allowed_list:\s*//p' /proc/self/status))"; }

build_dpdk_program() {
    # shellcheck disable=SC2046 # words
    gcc -std=gnu11 -O2 -Wall -Wextra -Wshadow -Werror $(pkg-config --cflags libdpdk) -o "$BUILD/frames" \
        "$HERE/dpdk/frames.c" $(pkg-config --libs libdpdk) >>"$LOG" 2>&1 ||
        die "dpdk/frames.c does not compile, see $LOG"
}

# DPDK has its packed ring path for vectors on processors with AVX-512 only.
dpdk_has_packed_vectors() { grep -qw avx512f /proc/cpuinfo && grep -qw avx512vl /proc/cpuinfo; }

dpdk_is() { [[ " $DPDK_WORDS " == *" $1 "* ]]; }
dpdk_bit() { dpdk_is "$1" && echo 1 || echo 0; }
dpdk_not() { dpdk_is "$1" && echo 0 || echo 1; }

# The port that the driver makes of socket $1: --vdev's value.
dpdk_port() {
    echo "net_virtio_user$2,path=$1,queue_size=256,queues=$((1 + $(dpdk_bit pairs))),packed_vq=$(dpdk_bit packed)$(
    ),mrg_rxbuf=$(dpdk_not plain),in_order=$(dpdk_bit in-order),vectorized=$(dpdk_bit vector)"
}

# The features of that port: "bit value" lines.
dpdk_features() {
    echo "15 $(dpdk_not plain) mergeable buffers"
    echo "22 $(dpdk_bit pairs) several queue pairs"
    echo "28 1 indirect descriptors"
    echo "32 1 version 1"
    echo "34 $(dpdk_bit packed) packed rings"
    echo "35 $(dpdk_bit in-order) in order"
}

# What DPDK calls the functions that it chose: receive, transmit.
dpdk_paths() {
    local packed='' rx=standard tx=standard
    if dpdk_is vector; then
        rx=vectorized
    elif dpdk_is in-order && ! dpdk_is packed; then
        rx=inorder
    elif ! dpdk_is plain; then
        rx='mergeable buffer'
    fi
    if dpdk_is packed; then
        packed='packed ring '
        dpdk_is vector && tx=vectorized
    elif dpdk_is in-order; then
        tx=inorder
    fi
    echo "using $packed$rx Rx path"
    echo "using $packed$tx Tx path"
}

# expect_dpdk LOG PORTS: all that was sent came as it was, and every port is what the words say.
expect_dpdk() {
    local features bit value name path pairs=$((1 + $(dpdk_bit pairs)))
    grep -q "^GOOD: $2 ports, $pairs queue pairs, $(dpdk_count) frames each" "$1" ||
        fail "$(grep '^WRONG' "$1" || tail -n 5 "$1")"
    mapfile -t features < <(sed -n 's/.*set features: \(0x[0-9a-f]*\).*/\1/p' "$1")
    [ ${#features[@]} -eq "$2" ] || fail "features of $2 ports are wanted: ${features[*]}"
    while read -r bit value name; do
        for features in "${features[@]}"; do
            [ $((features >> bit & 1)) -eq "$value" ] || fail "$name: bit $bit of $features is not $value"
        done
    done < <(dpdk_features)
    while read -r path; do
        [ "$(grep -c "$path on port" "$1")" -eq "$2" ] || fail "not '$path': $(grep 'path on port' "$1")"
    done < <(dpdk_paths)
    grep '^GOOD' "$1"
}

# frames PORT...: send between them; leaves its log.
dpdk_frames() {
    local port vdevs=() longest=1518 pieces=9 pairs=1
    for port in "$@"; do
        vdevs+=(--vdev "$port")
    done
    if dpdk_is indirect; then pieces=5; fi
    if dpdk_is jumbo; then longest=9000; fi
    if dpdk_is pairs; then pairs=2; fi
    "$BUILD/frames" --lcores "$(dpdk_processors)" --no-huge -m 256 --no-shconf --no-pci --no-telemetry --force-max-simd-bitwidth=512 \
        --log-level=pmd.net.virtio.*:info "${vdevs[@]}" -- "$pairs" "$(dpdk_count)" "$longest" "$pieces" \
        </dev/null >"$(log frames)" 2>&1
}

# The options of the program for these words.
dpdk_options() {
    if dpdk_is packed; then echo --packed; else echo --split; fi
    if dpdk_is pairs; then echo --queues 2; fi
    if dpdk_is poll; then echo --poll; fi
    if dpdk_is threads; then echo --threads; fi
}

case_dpdk() {
    DPDK_WORDS=$*
    local options
    options=$(dpdk_options)
    # shellcheck disable=SC2086 # words
    daemon_start left net --switch lan $options + net --socket "$WORK/right.sock" --switch lan $options
    dpdk_frames "$(dpdk_port "$WORK/left.sock" 0)" "$(dpdk_port "$WORK/right.sock" 1)" ||
        fail "$(grep '^WRONG' "$(log frames)" || tail -n 5 "$(log frames)"): $(tail -n 2 "$(log left)")"
    expect_dpdk "$(log frames)" 2
    daemon_stop_all
}

# One port, whose frames come back on the queue pair that they were sent on.
case_dpdk_loop() {
    DPDK_WORDS=$*
    # shellcheck disable=SC2046 # words
    daemon_start loop net --loop $(dpdk_options) --stats "$WORK/stats"
    dpdk_frames "$(dpdk_port "$WORK/loop.sock" 0)" ||
        fail "$(grep '^WRONG' "$(log frames)" || tail -n 5 "$(log frames)"): $(tail -n 2 "$(log loop)")"
    expect_dpdk "$(log frames)" 1
    expect_queues 0 1 2 3
    daemon_stop_all
}
