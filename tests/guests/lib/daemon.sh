# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# The program under test: started, awaited, ended by its process id.

declare -A DAEMON_PID DAEMON_ARGS

# wait_until SECONDS COMMAND...: try again until it succeeds.
wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.05
    done
}

process_is_gone() { ! kill -0 "$1" 2>/dev/null; }

# daemon_start NAME DEVICE ARGUMENT...: serve $WORK/NAME.sock. Standard input and output of the program
# are $DAEMON_IN and $DAEMON_OUT, if set.
daemon_start() {
    DAEMON_ARGS[$1]=${*:2}
    daemon_run "$1"
}

daemon_run() {
    local name=$1 log arguments
    log=$(log "$1")
    read -ra arguments <<<"${DAEMON_ARGS[$name]}"
    "$PROGRAM" "${arguments[0]}" --socket "$WORK/$name.sock" "${arguments[@]:1}" \
        <"${DAEMON_IN:-/dev/null}" >>"${DAEMON_OUT:-$log}" 2>>"$log" &
    DAEMON_PID[$name]=$!
    wait_until 30 daemon_listens "$name" || fail "$name does not listen: $(tail -n 3 "$log")"
}

# Whether the kernel's table has the socket as a listening one of a living process.
daemon_listens() {
    grep -q "00010000 .* $WORK/$1.sock\$" /proc/net/unix
}

# Each of these queues of the device that tells its counters at $WORK/stats has served chains.
expect_queues() {
    local queue counters
    counters=$(socat -t 5 - "UNIX-CONNECT:$WORK/stats" </dev/null) || fail "no counters"
    for queue in "$@"; do
        grep -qE "^queue name=[a-z0-9]* queue=$queue .*chains=[1-9]" <<<"$counters" ||
            fail "queue $queue served nothing: $counters"
    done
}

# Without a chance to tidy up.
daemon_kill() {
    kill -KILL "${DAEMON_PID[$1]}"
    wait "${DAEMON_PID[$1]}" 2>/dev/null
}

# As a service manager ends it: it must go, with status 0.
daemon_stop() {
    local status
    kill -TERM "${DAEMON_PID[$1]}" 2>/dev/null
    wait_until 30 process_is_gone "${DAEMON_PID[$1]}" || fail "$1 does not end on SIGTERM"
    wait "${DAEMON_PID[$1]}"
    status=$?
    unset "DAEMON_PID[$1]"
    [ $status -eq 0 ] || fail "$1 ended with status $status: $(tail -n 20 "$(log "$1")")"
}

daemon_stop_all() {
    local name
    for name in "${!DAEMON_PID[@]}"; do
        daemon_stop "$name"
    done
}
