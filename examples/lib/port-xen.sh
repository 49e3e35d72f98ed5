# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# The Xen port: QEMU as the machine, Xen, a control domain of Debian's kernel with the tool stack, the
# back end and the scenarios (xen-backend/dom0) in its initramfs, and the guests that it starts.

. "$HERE/lib/build-cache.sh"
. "$HERE/lib/linux-kernel.sh"
. "$HERE/lib/xen-hypervisor.sh"
. "$HERE/lib/table-hosted.sh"

PORT_ABOUT='devices by libavps in a program of the control domain of Xen 4.17'
PORT_PACKAGES=(qemu-system-arm gcc-aarch64-linux-gnu libc6-dev-arm64-cross cmake ninja-build device-tree-compiler
    "${LINUX_PACKAGES[@]}" "${XEN_BUILD_PACKAGES[@]}")

MACHINE_MIB=1536
DOM0_MIB=512
DOM0_KERNEL_AT=0x49000000
DOM0_INITRD_AT=0x4d000000
BOOT_SECONDS=900 # no boot takes this long: something hangs

GUEST_SET=-xen
GUEST_PACKAGES+=(libxen-dev xen-utils-4.17 xen-utils-common libxenmisc4.17 libxencall1
    libxendevicemodel1 libxenevtchn1 libxenforeignmemory1 libxengnttab1 libxenhypfs1 libxenstore4
    libxentoolcore1 libxentoollog1 xenstore-utils libyajl2 zlib1g liblzma5 libbz2-1.0 libzstd1 liblzo2-2
    libfdt1 libnl-3-200 libnl-route-3-200 libtinfo6 libgcc-s1)
GUEST_MODULES+=(xen-privcmd xen-evtchn xen-gntdev xenfs tun)
GUEST_SOURCES+=("$HERE/xen-backend/guest")
XEN_TOOLS=usr/lib/xen-4.17/bin
DOM0_PROGRAMS=("$XEN_TOOLS"/{xl,xenstored,xen-init-dom0,xenconsoled} usr/bin/xenstore-ls)

build_backend() {
    progress "building libavps and avps-xen"
    # A build folder of another source tree would be refused.
    grep -qs "^CMAKE_HOME_DIRECTORY:INTERNAL=$ROOT$" "$BUILD/backend/CMakeCache.txt" ||
        rm -rf "$BUILD/backend"
    cmake -S "$ROOT" -B "$BUILD/backend" -G Ninja \
        --toolchain "$ROOT/cmake/toolchains/aarch64-linux.cmake" -DAVPS_SYSROOT="$GUEST_ROOT" \
        -DCMAKE_EXE_LINKER_FLAGS= -DCMAKE_SKIP_RPATH=ON \
        -DCMAKE_BUILD_TYPE=Release -DAVPS_BUILD_TESTS=OFF -DAVPS_BUILD_SHARED=OFF \
        -DAVPS_WITH_LIBFDT=ON -DAVPS_LIBFDT_LIBRARY="$(find "$GUEST_ROOT/usr/lib" -name libfdt.a)" \
        >>"$LOG" 2>&1 &&
        cmake --build "$BUILD/backend" --target avps-xen --parallel "$(nproc)" >>"$LOG" 2>&1 ||
        die "avps-xen does not build, see $LOG"
}

# The control domain's initramfs, with the guests' kernels and initramfs in it. It is not compressed:
# the emulated machine is slow.
build_dom0() {
    local program
    progress "building the control domain's initramfs"
    cp "$TREE/bin"/{netpeer,consolepeer} "$BUILD/"
    TREE=$BUILD/dom0
    DOM0_INITRAMFS=$BUILD/dom0.cpio
    rm -rf "$TREE"
    mkdir -p "$TREE"/{bin,dev,images,lib,modules,proc,run,scenarios,sys,tmp,var}
    install -m 755 "$GUEST_ROOT/bin/busybox" "$BUILD"/{netpeer,consolepeer} \
        "$BUILD/backend/examples/xen-backend/avps-xen" "$TREE/bin/"
    copy_libraries "$TREE/bin/avps-xen"
    install -m 755 "$GUEST_ROOT/lib/$(guest_triplet)/libgcc_s.so.1" "$TREE/lib/" # to end threads
    for program in "${DOM0_PROGRAMS[@]}"; do
        copy_program "$program"
    done
    copy_modules "$GUEST_ROOT/lib/modules" "$GUEST_KERNEL_VERSION"
    install -m 755 "$HERE/xen-backend/dom0/init" "$TREE/init"
    install -m 644 "$HERE/xen-backend/dom0"/*.sh "$TREE/scenarios/"
    ln "$GUEST_KERNEL" "$TREE/images/debian" 2>/dev/null || cp "$GUEST_KERNEL" "$TREE/images/debian"
    cp "$KERNEL_FOLDER/Image" "$TREE/images/own"
    cp "$INITRAMFS" "$TREE/images/guest.gz"
    dtc -q -O dtb -o "$TREE/images/cockpit.dtb" "$HERE/platforms/cockpit.dts" >>"$LOG" 2>&1 ||
        die "the platform file does not compile, see $LOG"
    (cd "$TREE" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) >"$DOM0_INITRAMFS"
}

port_prepare() {
    provide_guest_packages
    provide_xen "$HERE/xen-backend/hypervisor.config"
    provide_kernel linux-avps-xen 'Linux with virtio by grants' arm64 arch/arm64/boot/Image \
        "$HERE/xen-backend/guest-kernel.config"
    build_initramfs
    build_backend
    build_dom0
}

# boot_xen ARGUMENTS [TIMEOUT-COMMAND...]: the control domain's kernel arguments.
boot_xen() {
    local arguments=$1
    shift
    "$@" qemu-system-aarch64 \
        -M virt,virtualization=on,gic-version=3 -cpu cortex-a57 -m "$MACHINE_MIB" \
        -nodefaults -display none -serial "$SERIAL" -no-reboot \
        -kernel "$XEN_HYPERVISOR" \
        -append "dom0_mem=${DOM0_MIB}M dom0_max_vcpus=1 console=dtuart noreboot sched_ratelimit_us=0" \
        -device "guest-loader,addr=$DOM0_KERNEL_AT,kernel=$GUEST_KERNEL,bootargs=console=hvc0 quiet loglevel=4 panic=-1 ${arguments//,/,,}" \
        -device "guest-loader,addr=$DOM0_INITRD_AT,initrd=$DOM0_INITRAMFS"
}

# boot_scenario NAME LOG [ARGUMENT...]: one that ends by itself.
boot_scenario() {
    local name=$1 log=$2
    shift 2
    : >"$log"
    SERIAL=stdio
    boot_xen "avps.scenario=$name $*" timeout --kill-after=5 "$BOOT_SECONDS" </dev/null 2>&1 |
        follow_dom0 "$log" "$(printf '%-7s' "${1:-$name}" | sed 's/^avps.ring=//')"
}

# As follow does, for lines that begin with [GUEST].
follow_dom0() {
    local line
    while IFS= read -r line; do
        line=${line//$'\r'/}
        printf '%s\n' "$line" >>"$1"
        case $line in
        \[*\]\ AVPS-STEP\ *) progress "$2  $(printf '%-9s' "${line%%]*}]")  ${line#*AVPS-STEP }" ;;
        *AVPS-DOM0\ no\ * | *'does not end'*) progress "$2  $line" ;;
        esac
        [ "$VERBOSE" = yes ] && printf '    | %s\n' "$line" >&2
    done
}

port_boot() {
    local ring
    progress "booting Linux $GUEST_KERNEL_VERSION and a kernel with grants as guests: ${RINGS/ / and } rings; and guests that end badly"
    for ring in $RINGS; do
        wait_for_cpu
        boot_scenario test "$BUILD/console-$ring.log" "avps.ring=$ring" &
    done
    wait_for_cpu
    boot_scenario life "$BUILD/console-life.log" &
    wait_for_cpu
    boot_scenario cockpit "$BUILD/console-cockpit.log" &
    wait
}

# --- the table ------------------------------------------------------------------------------------------

PORT_PROGRAM=avps-xen

# guest_log LOG NAME: what is of that guest in a log of the control domain, as if it had a machine alone.
guest_log() {
    local log=${1%.log}-$2.log
    sed -n "s/^\[$2\] //p; s/^\[backend\] avps-xen: guest $2, domain [0-9]*: report/avps-xen: report/p
        s/^AVPS-DOM0 guest $2 ended/avps-xen: the end: off/p; /^AVPS-DOM0 backend/p" "$1" >"$log"
    echo "$log"
}

# table_pages LOG RING WAY: that way to memory was used, and nothing stayed mapped.
table_pages() {
    local log=$1 way result=ok story=''
    for way in foreign grant; do
        [ "$(counter "$log" "pages by=$way" live)" = 0 ] || result=FAIL
        story="$story$way: $(counter "$log" "pages by=$way" peak) pages at most in $(counter "$log" "pages by=$way" calls) calls, $(counter "$log" "pages by=$way" live) left; "
    done
    [ "$(counter "$log" "pages by=$3" peak)" -gt 0 ] 2>/dev/null || result=FAIL
    grep -q '^AVPS-DOM0 backend status=0' "$log" || result=FAIL
    row memory mmio "$2" "$3" 'nothing stays mapped when the guest is gone' $result -
    table_note pages "${story%; }"
    [ $result = ok ]
}

table_speed() {
    local workload result millis
    IFS='|' read -r _ _ workload result millis \
        < <(said "$1" ROW speed | grep . || echo '-|-|8 MiB of reads: did not get that far|FAIL|0')
    row disk mmio "$2" virtio_blk "$workload" "$result" "$(seconds "$millis")"
    [ "$result" = ok ]
}

# table_guest LOG RING WAY
table_guest() {
    local log device
    log=$(guest_log "$1" "$3")
    for device in "${DEVICES[@]}"; do
        count_bad table_device "$log" mmio "$2" "$device"
    done
    count_bad table_speed "$log" "$2"
    count_bad table_all_at_once "$log" mmio "$2"
    count_bad table_power_off "$log" mmio "$2"
    count_bad table_pages "$log" "$2" "$3"
}

# table_life LOG TEXT COUNT PATTERN: so many lines at least.
table_life() {
    local seen result=ok
    seen=$(grep -c "$4" "$1")
    [ "$seen" -ge "$3" ] || result=FAIL
    row guests mmio mixed - "$2 (seen: $seen)" $result -
    [ $result = ok ]
}

table_leaks() {
    local closed left
    closed=$(grep -c 'report pages by=foreign' "$1")
    left=$(grep 'report pages by=' "$1" | grep -vc ' live=0 ')
    row guests mmio mixed - "after $closed lives of guests: $left of $((2 * closed)) counts of mapped pages not zero" \
        "$([ "$closed" -ge 6 ] && [ "$left" = 0 ] && echo ok || echo FAIL)" -
    [ "$closed" -ge 6 ] && [ "$left" = 0 ]
}

port_table() {
    local ring log
    for ring in $RINGS; do
        echo " guest memory by foreign mappings, kept ($GUEST_KERNEL_VERSION):"
        table_guest "$BUILD/console-$ring.log" "$ring" foreign
        echo " guest memory by grants ($(cat "$KERNEL_FOLDER/release")):"
        table_guest "$BUILD/console-$ring.log" "$ring" grant
    done
    log=$BUILD/console-life.log
    echo " two guests at once, each with a device of either kind of memory:"
    count_bad table_life "$log" 'workloads on both at the same time' 4 '^\[[a-z]*\] AVPS-ROW.*|ok|'
    count_bad table_life "$log" 'under load when destroyed, crashed, rebooted' 3 'AVPS-STEP life: under load: ok'
    count_bad table_life "$log" 'a second life after a reboot' 1 'AVPS-STEP life: second life: ok'
    count_bad table_leaks "$log"
    echo " the cluster of the cockpit's platform file:"
    log=$(guest_log "$BUILD/console-cockpit.log" cluster)
    table_cockpit "$log"
    count_bad table_pages "$log" packed foreign
}

port_shell() {
    die "a shell in a guest is there with --port baremetal and --port kvm only"
}
