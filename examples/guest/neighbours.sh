# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Several guests at once. The guest called cluster conducts: it works together with the one called
# infotainment, alone and beside a third one that is first busy and then hostile, has the second one
# restarted, and ends it all. avps.third=none: there is no third one.
. /tests/test-lib.sh

PORT=9100
BULK=1048576 # bytes each way over TCP
CLUSTER=10.0.3.1
INFOTAINMENT=10.0.3.2

# Ask the hypervisor's operator; prints what it says, without "AVPS-DONE".
operator() {
    local answer
    echo "AVPS-DO $*" >&3
    read -r -t 20 answer <&3 || return 1
    echo "${answer#AVPS-DONE }"
}

# Both disks and both directions of the network at once, some times over.
round() {
    local jobs='' job status=0
    sh /tests/work.sh & jobs="$jobs $!"
    tcpbulk $INFOTAINMENT $PORT run >/tmp/there & jobs="$jobs $!"
    tcpbulk $INFOTAINMENT $PORT send $BULK & jobs="$jobs $!"
    tcpbulk $INFOTAINMENT $PORT receive $BULK & jobs="$jobs $!"
    for job in $jobs; do
        wait "$job" || status=1
    done
    return $status
}

# phase NAME ROUNDS: the time of the middle one of the rounds counts.
phase() {
    local i began times='' status=ok
    for i in $(seq "$2"); do
        began=$(now_ms)
        round >/tmp/round 2>&1 || { status=FAIL; cat /tmp/round; }
        times="$times $(($(now_ms) - began))"
    done
    # shellcheck disable=SC2086
    echo "AVPS-PHASE $1|$status|$(printf '%s\n' $times | sort -n | sed -n "$((($2 + 1) / 2))p")|$((2 * BULK * $2))|$times"
}

# Wait until the other guest answers, $1 times a tenth of a second at most.
wait_for_infotainment() {
    local i
    for i in $(seq "$1"); do
        ping -c 1 -W 1 $INFOTAINMENT >/dev/null 2>&1 &&
            tcpbulk $INFOTAINMENT $PORT receive 1 2>/dev/null && return
        usleep 100000
    done
    return 1
}

# The other guest starts again while this one goes on working.
restart() {
    local began status=ok
    began=$(now_ms)
    [ "$(operator restart infotainment)" = yes ] || status=FAIL
    sh /tests/work.sh || status=FAIL
    wait_for_infotainment 600 || status=FAIL
    tcpbulk $INFOTAINMENT $PORT send $BULK || status=FAIL
    echo "AVPS-PHASE restart|$status|$(($(now_ms) - began))|$BULK|"
}

conduct() {
    exec 3<>/dev/hvc0
    stty -echo <&3
    wait_for_infotainment 600 || echo "AVPS-STEP infotainment does not answer: FAIL"
    phase alone 3
    if [ "$(argument third hostile)" != none ]; then
        operator start hostile
        phase busy 5
        operator restart hostile
        phase attacked 5
    fi
    restart
    if [ "$(argument third hostile)" != none ]; then
        phase again 1
        operator stop hostile
    fi
    tcpbulk $INFOTAINMENT $PORT end
    echo AVPS-DONE
}

case $(argument guest none) in
cluster)
    ip link set eth0 up && ip addr add $CLUSTER/24 dev eth0
    conduct
    ;;
*)
    ip link set eth0 up && ip addr add $INFOTAINMENT/24 dev eth0
    tcpbulk serve $PORT 'sh /tests/work.sh'
    ;;
esac
