# SPDX-License-Identifier: BSD-3-Clause
# Console: the other side answers questions on the terminal, and echoes bulk data on a second port or
# there.

TERMINAL=/dev/$(argument terminal hvc0)

# The character device of the port that the device calls $1.
console_port() {
    local path
    for path in /sys/class/virtio-ports/*; do
        if [ "$(cat "$path/name" 2>/dev/null)" = "$1" ]; then
            echo "/dev/$(basename "$path")"
            return
        fi
    done
    return 1
}

# Ask on the terminal; the other side types the number plus one.
console_ask() {
    local number answer
    number=$(($$ * 7919 % 10000 + $(now_ms) % 1000))
    echo "AVPS-ASK $number" >&3
    read -r -t 5 answer <&3 || return 1
    echo "asked $number, got $answer"
    [ "$answer" = "AVPS-ANSWER $((number + 1))" ]
}

# The terminal stays open throughout: its last close would throw away an answer on its way.
console_asks() {
    local i status=0
    exec 3<>"$TERMINAL"
    stty -echo <&3
    for i in 1 2 3 4 5; do
        console_ask || status=1
    done
    exec 3>&-
    return $status
}

# Ask the other side to echo $1 bytes on the terminal itself.
console_bulk_on_terminal() {
    local status
    exec 3<>"$TERMINAL"
    stty raw -echo <&3
    echo "AVPS-ECHO $1" >&3
    portbulk "$TERMINAL" "$1"
    status=$?
    exec 3>&-
    return $status
}

# $1 bytes out and back, reading and writing at once: both directions hold each other up.
console_bulk() {
    case $BULK in
    terminal) console_bulk_on_terminal "$1" ;;
    *) portbulk "$(console_port "$BULK")" "$1" ;;
    esac
}

console_size() {
    echo "rows and columns: $(stty size <"$TERMINAL")"
    [ "$(stty size <"$TERMINAL")" = "30 100" ]
}

BULK=$(argument bulk bulk) # name of the port for bulk data, or terminal
workload="dialogue on the terminal"

begin console 0003
step "question and answer" console_asks
if [ "$(argument size yes)" = yes ]; then
    step "terminal size" console_size
    workload="$workload, terminal size"
fi
step "1 MiB out and back ($BULK)" console_bulk 1048576
[ "$BULK" = terminal ] || workload="$workload, second port"
finish "$workload: 1 MiB out and back"
