# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# What all boots have in common: following what a guest reports, and sharing out this machine's CPUs.

# Show what the guest reports as it happens, labelled $2; everything goes to the log $1.
follow() {
    local line
    while IFS= read -r line; do
        line=${line%$'\r'}
        printf '%s\n' "$line" >>"$1"
        case $line in
        AVPS-STEP\ *) progress "$2  ${line#AVPS-STEP }" ;;
        *'guest crashed'* | *'Kernel panic'* | *'fault in the hypervisor'*) progress "$2  $line" ;;
        esac
        [ "$VERBOSE" = yes ] && printf '    | %s\n' "$line" >&2
    done
}

# Before one more boot in the background: wait until fewer run than this machine has CPUs, two at least.
wait_for_cpu() {
    local most
    most=$(nproc)
    while [ "$(jobs -rp | wc -l)" -ge $((most > 2 ? most : 2)) ]; do
        wait -n
    done
}
