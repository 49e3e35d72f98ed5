# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# What guests need from Debian: tools on this machine ($HOST_PACKAGES), and packages of the guest's
# architecture, which are unpacked into a cache and never installed.

GUEST_ARCH=arm64 # as Debian calls it: arm64 or amd64
GUEST_SET="" # names what a port has in $GUEST_PACKAGES and $GUEST_MODULES beyond what is here
GUEST_PACKAGES=(busybox-static e2fsprogs libext2fs2 libcom-err2 libblkid1 libuuid1 libss2 libc6
    libfdt-dev)
GUEST_MODULES=(virtio_mmio virtio_blk failover net_failover virtio_net virtio_console virtio-rng
    libcrc32c crc16 crc32c_generic mbcache jbd2 ext4) # those that the kernel has not built in
RESOLVE_DAYS=1 # how long a resolved version is used without asking again

CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/avps

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "installing packages needs root: run once as root, or install sudo"
    fi
}

install_host_packages() {
    local package missing=()
    for package in "${HOST_PACKAGES[@]}"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' ||
            missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    progress "installing ${missing[*]}"
    as_root apt-get update -qq >>"$LOG" 2>&1 || true # a broken third-party source is not our problem
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o DPkg::Lock::Timeout=120 "${missing[@]}" >>"$LOG" 2>&1 || die "apt-get install failed, see $LOG"
}

# apt for the guest's architecture with state of its own: the machine's dpkg and apt stay as they are.
apt_guest() {
    local tool=$1 state=$CACHE/apt/$GUEST_ARCH
    shift
    mkdir -p "$state"/{state,lists/partial,cache/archives/partial}
    : >"$state/status" # no package is installed
    timeout 240 "$tool" -o Dir::State="$state/state" -o Dir::State::lists="$state/lists" \
        -o Dir::State::status="$state/status" -o Dir::Cache="$state/cache" \
        -o APT::Architecture=$GUEST_ARCH -o APT::Architectures::=$GUEST_ARCH -o Acquire::Languages=none \
        -o APT::Sandbox::User=root -o Debug::NoLocking=1 -o Acquire::Retries=3 \
        -o Acquire::http::Timeout=30 "$@"
}

# Name of the package that the kernel meta package stands for; nothing if it is not available.
kernel_behind() {
    apt_guest apt-cache show --no-all-versions "$1" 2>/dev/null |
        sed -n 's/^Depends: \(linux-image-[^ ,]*\).*/\1/p' | head -n 1
}

# Write "package version sha256" lines to $1, the kernel first.
resolve_packages() {
    local meta kernel=''
    progress "looking up the $GUEST_ARCH packages"
    apt_guest apt-get update -qq >>"$LOG" 2>&1 || true # judged by what can be found afterwards
    for meta in "linux-image-6.12-cloud-$GUEST_ARCH" "linux-image-6.12-$GUEST_ARCH"; do
        kernel=$(kernel_behind "$meta")
        [ -n "$kernel" ] && break
    done
    [ -n "$kernel" ] || return 1
    apt_guest apt-cache show --no-all-versions "$kernel" "${GUEST_PACKAGES[@]}" 2>>"$LOG" | awk '
        /^Package: / { name = $2 } /^Version: / { version = $2 }
        /^SHA256: / { print name, version, $2 }' >"$1.new"
    [ "$(wc -l <"$1.new")" -eq $((1 + ${#GUEST_PACKAGES[@]})) ] && mv "$1.new" "$1"
}

# Unpack one package file into $2, the kernel without the modules that are not needed.
unpack_package() {
    local name module
    name=$(dpkg-deb -f "$1" Package) || return 1
    case $name in
    linux-image-*)
        local patterns=()
        for module in "${GUEST_MODULES[@]}"; do
            patterns+=("--wildcards" "*/$module.ko*")
        done
        dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" ./boot
        dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" "${patterns[@]}" 2>/dev/null || true
        ;;
    *) dpkg-deb -x "$1" "$2" ;;
    esac
}

# Download what $1 lists and unpack it into the folder $2.
fetch_packages() {
    local name version sum file work=$2.new wanted=()
    rm -rf "$work"
    mkdir -p "$work/debs" "$work/root"
    while read -r name version sum; do
        wanted+=("$name=$version")
    done <"$1"
    progress "downloading ${wanted[0]} and ${#GUEST_PACKAGES[@]} small packages for $GUEST_ARCH"
    (cd "$work/debs" && apt_guest apt-get download -qq "${wanted[@]}") >>"$LOG" 2>&1 || return 1
    while read -r name version sum; do
        file=("$work/debs/${name}"_*.deb)
        echo "$sum  ${file[0]}" | sha256sum --check --quiet >>"$LOG" 2>&1 || return 1
        unpack_package "${file[0]}" "$work/root" || return 1
    done <"$1"
    rm -rf "$work/debs"
    (cd "$work/root" && find . -type f ! -path './usr/share/*' -exec sha256sum {} +) >"$work/SHA256SUMS"
    rm -rf "$2"
    mv "$work" "$2"
}

packages_are_intact() {
    [ -f "$1/SHA256SUMS" ] && (cd "$1/root" && sha256sum --check --quiet "$1/SHA256SUMS") >>"$LOG" 2>&1
}

# Leave the unpacked packages in $GUEST_ROOT. Without network, what was resolved before serves.
provide_guest_packages() {
    local list=$CACHE/packages-$GUEST_ARCH$GUEST_SET key
    mkdir -p "$CACHE"
    if [ "$UPDATE" = yes ] || [ -z "$(find "$list" -mtime "-$RESOLVE_DAYS" 2>/dev/null)" ]; then
        resolve_packages "$list" || [ -f "$list" ] ||
            die "Debian's 6.12 kernel for $GUEST_ARCH or a package of the guest was not found, see $LOG"
    fi
    # The modules are part of it: others are not unpacked.
    key=$(head -n 1 "$list" | cut -d' ' -f1)-$(echo "${GUEST_MODULES[*]}" | cat "$list" - |
        sha256sum | cut -c1-12)
    if ! packages_are_intact "$CACHE/$key"; then
        fetch_packages "$list" "$CACHE/$key" || die "download failed or was damaged, see $LOG"
    fi
    GUEST_ROOT=$CACHE/$key/root
    GUEST_KERNEL=$(find "$GUEST_ROOT/boot" -name 'vmlinuz-*' | head -n 1)
    GUEST_KERNEL_VERSION=${GUEST_KERNEL##*/vmlinuz-}
}
