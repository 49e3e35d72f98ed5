# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Xen for arm64, from Debian's source package: its own build has no IOREQ_SERVER. Needs packages.sh and
# build-cache.sh.

XEN_BUILD_PACKAGES=(build-essential dpkg-dev flex bison python3 gcc-aarch64-linux-gnu)

# apt for source packages, wherever this machine takes its binary ones from.
apt_source() {
    local tool=$1 state=$CACHE/apt/source
    shift
    timeout 240 "$tool" -o Dir::Etc::SourceList="$state/sources.list" \
        -o Dir::Etc::SourceParts="$state/sources.list.d" -o Dir::State="$state/state" \
        -o Dir::State::lists="$state/lists" -o Dir::Cache="$state/cache" -o Acquire::Languages=none \
        -o APT::Sandbox::User=root -o Debug::NoLocking=1 -o Acquire::Retries=3 \
        -o Acquire::http::Timeout=30 "$@"
}

# The machine's sources, asked for source packages.
source_lists() {
    local state=$CACHE/apt/source file
    mkdir -p "$state"/{sources.list.d,state,lists/partial,cache/archives/partial}
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources}; do
        [ -f "$file" ] || continue
        sed 's/^Types:.*/Types: deb-src/; s/^deb /deb-src /' "$file" \
            >"$state/sources.list.d/$(basename "$file")"
    done
    apt_source apt-get update -qq >>"$LOG" 2>&1 || true # judged by what can be found afterwards
}

# Print the versions of Xen's source that are offered, the newest first.
xen_versions() {
    apt_source apt-cache madison xen 2>>"$LOG" | awk -F '[ |]+' '$NF == "Sources" { print $3 }' |
        sort -rV
}

# Leave the newest source that can be had in "source" of the folder $1, and its version in "version":
# a source package may be gone from the archive while the list still names it.
xen_fetch_source() {
    local version
    source_lists
    for version in $(xen_versions); do
        rm -rf "$1/source"
        (cd "$1" && apt_source apt-get source -qq --only-source "xen=$version") >>"$LOG" 2>&1 ||
            continue
        mv "$1"/xen-*/ "$1/source" && echo "$version" >"$1/version" && return
    done
    return 1
}

xen_make() {
    nice -n 15 make -C "$1/xen" XEN_TARGET_ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- -j2 \
        "${@:2}" >>"$LOG" 2>&1
}

# xen_configure SOURCE FRAGMENT
xen_configure() {
    xen_make "$1" defconfig || return 1
    cat "$2" >>"$1/xen/.config"
    xen_make "$1" olddefconfig || return 1
    ! grep '^CONFIG_' "$2" | grep -vxFf "$1/xen/.config" >>"$LOG"
}

# xen_build FRAGMENT FOLDER: leave "xen" and "version" in the folder.
xen_build() {
    local work=$2/work
    progress "building Xen with IOREQ_SERVER, about a minute"
    xen_fetch_source "$work" || die "no source of Xen, see $LOG"
    xen_configure "$work/source" "$1" || die "the configuration of Xen does not hold, see $LOG"
    xen_make "$work/source" || die "Xen does not build, see $LOG"
    cp "$work/source/xen/xen" "$2/xen"
    cp "$work/version" "$2/version"
}

# Leave Xen's path in $XEN_HYPERVISOR. One build serves all versions of the day's list: the tool stack
# of any 4.17 fits.
provide_xen() {
    local folder
    folder=$CACHE/xen-4.17-arm64-$(build_key <"$1")
    build_once "$folder" xen_build "$1"
    XEN_HYPERVISOR=$folder/xen
}
