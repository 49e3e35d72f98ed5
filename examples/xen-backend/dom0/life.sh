# SPDX-License-Identifier: BSD-3-Clause
# Several guests at once, each device with memory of another kind, and guests that end badly: nothing of
# theirs may stay mapped.
truncate -s 64M /run/one.img /run/two.img

backend_start blk --guest one --file /run/one.img + rng --guest one --memory grant \
    + blk --guest two --memory grant --file /run/two.img --packed + rng --guest two --packed
guest_configure one own 'avps.bad_spot=no avps.tests=disk,entropy'
guest_configure two own 'avps.bad_spot=no avps.tests=disk,entropy'
guest_start one
guest_start two
guest_ends one 240
guest_ends two 240

# says NAME WHAT
says() { grep -q "$2: ok" "/var/log/xen/console/guest-$1.log"; }

# again NAME LIFE [REBOOT]: configure and start it anew.
again() {
    guest_configure "$1" own "avps.mode=life avps.life=$2" "$3"
    guest_start "$1"
}

again one load
again two crash
wait_for 300 says one 'under load'
guest_ends two 120
xl destroy one 2>/dev/null
guest_ends one 60

again one reboot restart
wait_for 300 says one 'second life'
backend_stop
