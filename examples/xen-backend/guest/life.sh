# SPDX-License-Identifier: BSD-3-Clause
# Lives of a guest that end badly, with requests in flight; avps.life says which: load goes on until
# somebody ends it, crash panics under load, reboot starts again once.
DISK=/dev/vda

load() {
    while true; do
        dd if=$DISK of=/dev/null bs=64k count=64 iflag=direct 2>/dev/null
        dd if=/dev/zero of=$DISK bs=64k seek=64 count=64 oflag=direct 2>/dev/null
    done &
    while true; do
        dd if=/dev/hwrng of=/dev/null bs=64 count=64 2>/dev/null
    done &
    sleep 2
    echo "AVPS-STEP life: under load: ok"
}

case $(argument life load) in
load)
    load
    sleep 1000
    ;;
crash)
    load
    echo c >/proc/sysrq-trigger
    ;;
reboot)
    if [ "$(head -c 5 $DISK)" = again ]; then
        echo "AVPS-STEP life: second life: ok"
    else
        printf again | dd of=$DISK conv=fsync 2>/dev/null
        load
        reboot -f
    fi
    ;;
esac
