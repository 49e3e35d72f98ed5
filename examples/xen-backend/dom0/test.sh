# SPDX-License-Identifier: BSD-3-Clause
# All devices, once by foreign mappings and once by grants; avps.ring names the ring format.
ring=$(argument ring split)

network_start

# devices NAME MEMORY: what the back end serves to that guest.
devices() {
    local common="--guest $1 --memory $2 --$ring"
    echo "blk $common --file /run/$1.img + rng $common + net $common --tap tap0" \
        "+ console $common --unix /run/$1.port --ports 2 --size 100x30"
}

# run NAME KERNEL: a guest with memory of the kind that is its name.
run() {
    truncate -s 64M "/run/$1.img"
    # shellcheck disable=SC2046 # arguments
    backend_start $(devices "$1" "$1")
    guest_configure "$1" "$2" "avps.terminal=hvc1 avps.bulk=avps.1 avps.bad_spot=no avps.tests=$(argument tests disk,speed,network,console,entropy,together)"
    guest_start "$1"
    consolepeer "/run/$1.port" "/run/$1.port.1" &
    guest_ends "$1" 240
    backend_stop
    rm -f "/run/$1.img"
}

for way in $(argument ways foreign,grant | tr , ' '); do
    case $way in
    foreign) run foreign debian ;;
    grant) run grant own ;;
    esac
done
