# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Things that take minutes to build are built once per version and configuration, and kept.

# Print a key for all that goes into a build: its version, its files and settings, on stdin.
build_key() { sha256sum | cut -c1-12; }

built_is_intact() { (cd "$1" && sha256sum --check --quiet SHA256SUMS) >>"$LOG" 2>&1; }

# build_once FOLDER COMMAND...: unless the folder holds what was built before, run the command with the
# name of a new folder as its last argument; what files it leaves there, but not below "work", is kept.
build_once() {
    local folder=$1
    shift
    { # another run may be building it: wait, and take what it made
        flock 9
        built_is_intact "$folder" || build_into "$folder" "$@"
    } 9>"$folder.lock"
}

build_into() {
    local folder=$1 new=$1.new
    shift
    rm -rf "$new"
    mkdir -p "$new/work"
    "$@" "$new"
    rm -rf "$new/work"
    (cd "$new" && find . -type f ! -name SHA256SUMS -exec sha256sum {} + >SHA256SUMS)
    rm -rf "$folder"
    mv "$new" "$folder"
}
