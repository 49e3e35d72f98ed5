# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# The guest's initramfs: busybox, mkfs and fsck with their libraries, the kernel's modules, and from
# each folder of $GUEST_SOURCES the programs and scripts; the first of them has the init.

GUEST_OTHER_MODULES=() # folders with the modules of other kernels, called as their releases

# Prefix of the tools that make programs for the guest.
guest_triplet() {
    case $GUEST_ARCH in arm64) echo aarch64-linux-gnu ;; amd64) echo x86_64-linux-gnu ;; esac
}

# The Image itself: most arm64 kernels are, some are compressed.
unpack_kernel() {
    if [ "$(head -c 2 "$GUEST_KERNEL" | od -An -tx1 | tr -d ' ')" = 1f8b ]; then
        gzip -dc "$GUEST_KERNEL" >"$BUILD/Image"
        GUEST_KERNEL=$BUILD/Image
    fi
}

# Copy the libraries that the program or library $1 names, and those that they name.
copy_libraries() {
    local file library
    for library in $("$(guest_triplet)-readelf" -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
        [ -e "$TREE/lib/$library" ] && continue
        file=$(cd "$GUEST_ROOT" && find lib usr/lib -name "$library" | head -n 1)
        [ -n "$file" ] || die "no package of the guest has $library, which $1 needs"
        install -D -m 755 "$GUEST_ROOT/$file" "$TREE/lib/$library"
        copy_libraries "$GUEST_ROOT/$file"
    done
}

# Copy the program $1 of a package.
copy_program() {
    install -D -m 755 "$GUEST_ROOT/$1" "$TREE/$1"
    copy_libraries "$GUEST_ROOT/$1"
}

# Copy the modules that are needed from below the folder $1. In the initramfs they lie in a folder per
# kernel release, $2: it can serve several kernels.
copy_modules() {
    local module file folder=$TREE/modules/$2
    mkdir -p "$folder"
    : >"$folder/order"
    for module in "${GUEST_MODULES[@]}"; do
        file=$(find "$1" -name "$module.ko*" | head -n 1)
        case $file in
        '') continue ;; # built in
        *.xz) xz -dc "$file" >"$folder/$module.ko" ;;
        *) cp "$file" "$folder/$module.ko" ;;
        esac
        echo "$module" >>"$folder/order"
    done
}

# compile_program COMPILER SOURCE OUTPUT: for this machine or for the guest.
compile_program() {
    "$1" -std=c11 -D_GNU_SOURCE -Os -static -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror \
        -I "${GUEST_SOURCES[0]}" -o "$3" "$2" >>"$LOG" 2>&1 || die "$2 does not compile, see $LOG"
}

compile_guest_programs() {
    local folder source
    for folder in "${GUEST_SOURCES[@]}"; do
        for source in "$folder"/*.c; do
            [ -e "$source" ] || continue
            compile_program "$(guest_triplet)-gcc" "$source" "$TREE/bin/$(basename "$source" .c)"
        done
    done
}

build_initramfs() {
    local folder
    TREE=$BUILD/initramfs
    INITRAMFS=$BUILD/initramfs.gz
    progress "building the guest's initramfs"
    rm -rf "$TREE"
    mkdir -p "$TREE"/{bin,dev,etc,lib,mnt,modules,proc,root,sbin,sys,tmp,tests}
    unpack_kernel
    ln -s lib "$TREE/lib64" # where programs for amd64 look for their loader
    install -m 755 "$GUEST_ROOT/bin/busybox" "$TREE/bin/busybox"
    copy_program sbin/mke2fs
    ln -s mke2fs "$TREE/sbin/mkfs.ext4" # busybox has a mke2fs of its own, without ext4
    copy_program sbin/e2fsck
    cp "$GUEST_ROOT/etc/mke2fs.conf" "$TREE/etc/"
    copy_modules "$GUEST_ROOT/lib/modules" "$GUEST_KERNEL_VERSION"
    for folder in "${GUEST_OTHER_MODULES[@]}"; do
        copy_modules "$folder" "${folder##*/}"
    done
    compile_guest_programs
    install -m 755 "${GUEST_SOURCES[0]}/init" "$TREE/init"
    for folder in "${GUEST_SOURCES[@]}"; do
        install -m 644 "$folder"/*.sh "$TREE/tests/"
    done
    (cd "$TREE" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) | gzip -1n >"$INITRAMFS"
}
