# SPDX-License-Identifier: BSD-3-Clause
# What scenarios are made of: a back end, guests, and what both say on the machine's console.

# Everything on standard input with a label, line by line, as "[LABEL] ...".
label() {
    local line
    while IFS= read -r line; do
        echo "[$1] $line"
    done
}

# The other end of networks on the tap interface tap0, 10.0.2.2.
network_start() {
    mkdir -p /dev/net
    [ -c /dev/net/tun ] || mknod /dev/net/tun c 10 200
    tunctl -t tap0 >/dev/null
    ip addr add 10.0.2.2/24 dev tap0
    ip link set tap0 up
    netpeer >/dev/null &
}

# backend_start ARGUMENT...: avps-xen, in the background as $BACKEND.
backend_start() {
    : >/run/backend.log
    avps-xen --trees /run/trees "$@" 2>/run/backend.log &
    BACKEND=$!
    wait_for 50 grep -q 'waiting for guests' /run/backend.log || echo "AVPS-DOM0 no back end"
}

# It must end in order; then its log is told, labelled "backend".
backend_stop() {
    kill "$BACKEND"
    wait "$BACKEND"
    echo "AVPS-DOM0 backend status=$?"
    label backend </run/backend.log
}

# guest_configure NAME KERNEL ARGUMENTS [REBOOT]: write /run/NAME.cfg; what a reboot leads to is destroy
# or restart.
guest_configure() {
    cat >"/run/$1.cfg" <<END
name = "$1"
kernel = "/images/$2"
ramdisk = "/images/guest.gz"
extra = "console=hvc0 quiet loglevel=4 panic=-1 random.trust_bootloader=off $3"
memory = 192
vcpus = 2
disk = ['format=raw,vdev=xvda,access=rw,backendtype=standalone,specification=virtio,target=/run/$1.img']
device_tree = "/run/trees/$1.dtb"
on_crash = "destroy"
on_reboot = "${4:-destroy}"
END
}

# How many lives of guest $1 are over, for the back end. This is asked often: it must not cost much.
lives_over() { grep -c "guest $1, .* report pages by=foreign" /run/backend.log; }

guest_is_gone() { [ "$(lives_over "$1")" -gt "$(cat "/run/$1.lives")" ]; }

# guest_start NAME: its console is labelled with its name.
guest_start() {
    local log=/var/log/xen/console/guest-$1.log
    if [ ! -e "$log" ]; then
        : >"$log"
        tail -f "$log" | label "$1" &
    fi
    lives_over "$1" >"/run/$1.lives"
    xl create "/run/$1.cfg" >"/run/$1.xl" 2>&1 || {
        echo "AVPS-DOM0 no guest $1"
        label "$1" <"/run/$1.xl"
    }
}

# guest_ends NAME SECONDS: by itself.
guest_ends() {
    wait_for $(($2 * 5)) guest_is_gone "$1" && echo "AVPS-DOM0 guest $1 ended" && return
    echo "AVPS-DOM0 guest $1 does not end"
    xl destroy "$1"
}
