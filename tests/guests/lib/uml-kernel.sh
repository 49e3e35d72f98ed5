# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# The kernel of the User-mode Linux guests: built from Debian's source package, once per source
# version and configuration, and kept in the cache.

UML_PACKAGES=(build-essential flex bison bc xz-utils)
UML_SOURCE=linux-source-6.12
UML_DEBIAN=/usr/bin/linux.uml # of the package user-mode-linux: older, but ready-made

# Print "version sha256" of the source package.
uml_resolve_source() {
    apt_guest apt-cache show --no-all-versions "$UML_SOURCE" 2>>"$LOG" | awk '
        /^Version: / { version = $2 } /^SHA256: / { sum = $2 }
        END { if (sum == "") exit 1; print version, sum }'
}

# Download version $1 with checksum $2 and unpack it into the folder $3.
uml_fetch_source() {
    local package
    (cd "$3" && apt_guest apt-get download -qq "$UML_SOURCE=$1") >>"$LOG" 2>&1 || return 1
    package=("$3/$UML_SOURCE"_*.deb)
    echo "$2  ${package[0]}" | sha256sum --check --quiet >>"$LOG" 2>&1 || return 1
    dpkg-deb --fsys-tarfile "${package[0]}" | tar -xO "./usr/src/$UML_SOURCE.tar.xz" |
        xz -dc | tar -x -C "$3" --strip-components=1
}

uml_make() { nice -n 15 make -C "$1" ARCH=um -j2 "${@:2}" >>"$LOG" 2>&1; }

# Print the lines of the fragment that the configuration of the source tree $1 does not hold.
uml_lost_options() {
    grep '^CONFIG_' "$HERE/uml.config" | grep -vxFf "$1/.config"
}

uml_configure() {
    uml_make "$1" KCONFIG_ALLCONFIG="$HERE/uml.config" allnoconfig || return 1
    ! uml_lost_options "$1" >>"$LOG"
}

# Build version $1 with checksum $2 into the folder $3.
uml_build() {
    local work=$3.new
    rm -rf "$work"
    mkdir -p "$work/source"
    progress "building User-mode Linux $1, some minutes"
    uml_fetch_source "$1" "$2" "$work/source" || die "no source of User-mode Linux, see $LOG"
    uml_configure "$work/source" || die "the configuration does not hold, see $LOG"
    uml_make "$work/source" linux || die "User-mode Linux does not build, see $LOG"
    strip -o "$work/linux" "$work/source/linux"
    rm -rf "$work/source"
    (cd "$work" && sha256sum linux >SHA256SUMS)
    rm -rf "$3"
    mv "$work" "$3"
}

uml_is_intact() { (cd "$1" && sha256sum --check --quiet SHA256SUMS) >>"$LOG" 2>&1; }

# Leave the kernel in $UML_KERNEL.
provide_uml_kernel() {
    local resolved version sum folder
    resolved=$(uml_resolve_source) || die "Debian's $UML_SOURCE was not found, see $LOG"
    read -r version sum <<<"$resolved"
    folder=$CACHE/uml-$version-$({ echo "$sum"; cat "$HERE/uml.config"; } | sha256sum | cut -c1-12)
    { # another run may be building it: wait, and take what it made
        flock 9
        uml_is_intact "$folder" || uml_build "$version" "$sum" "$folder"
    } 9>"$folder.lock"
    UML_KERNEL=$folder/linux
}
