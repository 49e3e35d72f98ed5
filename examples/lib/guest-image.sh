# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# The guest's initramfs: busybox, mkfs and fsck with their libraries, the kernel's modules, the tests.

CROSS=aarch64-linux-gnu

# The Image itself: most arm64 kernels are, some are compressed.
unpack_kernel() {
    if [ "$(head -c 2 "$GUEST_KERNEL" | od -An -tx1 | tr -d ' ')" = 1f8b ]; then
        gzip -dc "$GUEST_KERNEL" >"$BUILD/Image"
        GUEST_KERNEL=$BUILD/Image
    fi
}

# Copy the program $1 and, again and again, the libraries that it names.
copy_program() {
    local file library
    install -D -m 755 "$GUEST_ROOT/$1" "$TREE/$1"
    for library in $($CROSS-readelf -d "$GUEST_ROOT/$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
        file=$(cd "$GUEST_ROOT" && find lib usr/lib -name "$library" | head -n 1)
        [ -n "$file" ] || die "no package of the guest has $library, which $1 needs"
        [ -e "$TREE/lib/$library" ] && continue
        copy_library "$file" "$library"
    done
}

copy_library() {
    install -D -m 755 "$GUEST_ROOT/$1" "$TREE/lib/$2"
    local library
    for library in $($CROSS-readelf -d "$GUEST_ROOT/$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
        [ -e "$TREE/lib/$library" ] || copy_library \
            "$(cd "$GUEST_ROOT" && find lib usr/lib -name "$library" | head -n 1)" "$library"
    done
}

copy_modules() {
    local module file
    : >"$TREE/modules/order"
    for module in "${GUEST_MODULES[@]}"; do
        file=$(find "$GUEST_ROOT/lib/modules" -name "$module.ko*" | head -n 1)
        case $file in
        '') continue ;; # built in
        *.xz) xz -dc "$file" >"$TREE/modules/$module.ko" ;;
        *) cp "$file" "$TREE/modules/$module.ko" ;;
        esac
        echo "$module" >>"$TREE/modules/order"
    done
}

compile_guest_programs() {
    local source
    for source in "$HERE"/guest/*.c; do
        $CROSS-gcc -std=c11 -D_GNU_SOURCE -Os -static -Wall -Wextra -Wpedantic -Wconversion \
            -Wshadow -Werror -o "$TREE/bin/$(basename "$source" .c)" "$source" >>"$LOG" 2>&1 ||
            die "$source does not compile, see $LOG"
    done
}

build_initramfs() {
    TREE=$BUILD/initramfs
    INITRAMFS=$BUILD/initramfs.gz
    progress "building the guest's initramfs"
    rm -rf "$TREE"
    mkdir -p "$TREE"/{bin,dev,etc,lib,mnt,modules,proc,root,sbin,sys,tmp,tests}
    unpack_kernel
    install -m 755 "$GUEST_ROOT/bin/busybox" "$TREE/bin/busybox"
    copy_program sbin/mke2fs
    ln -s mke2fs "$TREE/sbin/mkfs.ext4" # busybox has a mke2fs of its own, without ext4
    copy_program sbin/e2fsck
    cp "$GUEST_ROOT/etc/mke2fs.conf" "$TREE/etc/"
    copy_modules
    compile_guest_programs
    install -m 755 "$HERE/guest/init" "$TREE/init"
    install -m 644 "$HERE"/guest/*.sh "$TREE/tests/"
    (cd "$TREE" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) | gzip -1n >"$INITRAMFS"
}

build_hypervisor() {
    progress "building libavps and the hypervisor"
    # A build folder of another source tree would be refused.
    grep -qs "^CMAKE_HOME_DIRECTORY:INTERNAL=$HERE/baremetal-hypervisor$" \
        "$BUILD/hypervisor/CMakeCache.txt" || rm -rf "$BUILD/hypervisor"
    cmake -S "$HERE/baremetal-hypervisor" -B "$BUILD/hypervisor" -G Ninja \
        --toolchain "$ROOT/cmake/toolchains/aarch64-freestanding.cmake" \
        -DCMAKE_BUILD_TYPE=Release -DAVPS_LIBFDT_INCLUDE="$GUEST_ROOT/usr/include" \
        -DAVPS_LIBFDT_LIBRARY="$(find "$GUEST_ROOT/usr/lib" -name libfdt.a)" >>"$LOG" 2>&1 &&
        cmake --build "$BUILD/hypervisor" --target hypervisor --parallel "$(nproc)" >>"$LOG" 2>&1 ||
        die "the hypervisor does not build, see $LOG"
    HYPERVISOR=$BUILD/hypervisor/hypervisor.elf
}
