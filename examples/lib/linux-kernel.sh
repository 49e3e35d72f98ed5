# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Linux kernels with the few things that guests need, from Debian's source package: allnoconfig and a
# fragment. Needs packages.sh and build-cache.sh.

LINUX_PACKAGES=(build-essential flex bison bc xz-utils)
LINUX_SOURCE=linux-source-6.12

# Print "version sha256" of the source package.
linux_resolve_source() {
    apt_guest apt-cache show --no-all-versions "$LINUX_SOURCE" 2>>"$LOG" | awk '
        /^Version: / { version = $2 } /^SHA256: / { sum = $2 }
        END { if (sum == "") exit 1; print version, sum }'
}

# Download version $1 with checksum $2 and unpack it into the folder $3.
linux_fetch_source() {
    local package
    (cd "$3" && apt_guest apt-get download -qq "$LINUX_SOURCE=$1") >>"$LOG" 2>&1 || return 1
    package=("$3/$LINUX_SOURCE"_*.deb)
    echo "$2  ${package[0]}" | sha256sum --check --quiet >>"$LOG" 2>&1 || return 1
    dpkg-deb --fsys-tarfile "${package[0]}" | tar -xO "./usr/src/$LINUX_SOURCE.tar.xz" |
        xz -dc | tar -x -C "$3" --strip-components=1
}

# linux_make SOURCE ARCH ARGUMENT...
linux_make() {
    local cross=()
    [ "$2" = arm64 ] && cross=(CROSS_COMPILE=aarch64-linux-gnu-)
    nice -n 15 make -C "$1" ARCH="$2" "${cross[@]}" -j2 "${@:3}" >>"$LOG" 2>&1
}

# Print the lines of the fragment $2 that the configuration of the source tree $1 does not hold.
linux_lost_options() {
    grep '^CONFIG_' "$2" | grep -vxFf "$1/.config"
}

# linux_configure SOURCE ARCH FRAGMENT
linux_configure() {
    linux_make "$1" "$2" KCONFIG_ALLCONFIG="$3" allnoconfig || return 1
    ! linux_lost_options "$1" "$3" >>"$LOG"
}

# linux_build NAME ARCH TARGET FRAGMENT VERSION CHECKSUM FOLDER: leave the file of target $3 in the
# folder, and "release", what the kernel calls itself.
linux_build() {
    local source=$7/work file
    progress "building $1 $5, some minutes"
    linux_fetch_source "$5" "$6" "$source" || die "no source of $1, see $LOG"
    linux_configure "$source" "$2" "$4" || die "the configuration of $1 does not hold, see $LOG"
    linux_make "$source" "$2" "${3##*/}" || die "$1 does not build, see $LOG"
    file=$7/${3##*/}
    cp "$source/$3" "$file"
    [ "$2" != um ] || strip "$file"
    cp "$source/include/config/kernel.release" "$7/release"
}

# provide_kernel KEY NAME ARCH TARGET FRAGMENT: leave the folder of the kernel in $KERNEL_FOLDER. The
# key begins the folder's name; the target is its path in the source tree.
provide_kernel() {
    local resolved version sum
    resolved=$(linux_resolve_source) || die "Debian's $LINUX_SOURCE was not found, see $LOG"
    read -r version sum <<<"$resolved"
    KERNEL_FOLDER=$CACHE/$1-$version-$({ echo "$sum"; cat "$5"; } | build_key)
    build_once "$KERNEL_FOLDER" linux_build "$2" "$3" "$4" "$5" "$version" "$sum"
}
