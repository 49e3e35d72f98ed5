# SPDX-License-Identifier: BSD-3-Clause
# Console: the hypervisor answers a question on hvc0, and echoes bulk data on a second port.

# The character device of the port that the device calls "bulk".
console_port() {
    local path
    for path in /sys/class/virtio-ports/*; do
        if [ "$(cat "$path/name" 2>/dev/null)" = bulk ]; then
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
    echo "AVPS-ASK $number" >/dev/hvc0
    read -r -t 5 answer </dev/hvc0 || return 1
    echo "asked $number, got $answer"
    [ "$answer" = "AVPS-ANSWER $((number + 1))" ]
}

console_asks() {
    local i
    for i in 1 2 3 4 5; do
        console_ask || return 1
    done
}

# 1 MiB out and back; reading and writing at once, so both directions hold each other up.
console_bulk() {
    local port reader
    port=$(console_port) || return 1
    head -c 1048576 /dev/urandom >/tmp/out
    exec 3<>"$port"
    head -c 1048576 <&3 >/tmp/in &
    reader=$!
    timeout 30 cat /tmp/out >&3 || return 1
    timeout 30 sh -c "while kill -0 $reader 2>/dev/null; do usleep 20000; done" || return 1
    exec 3>&-
    md5sum /tmp/out /tmp/in && cmp /tmp/out /tmp/in
}

console_size() {
    echo "rows and columns: $(stty size </dev/hvc0)"
    [ "$(stty size </dev/hvc0)" = "30 100" ]
}

begin console 0003
step "question and answer on hvc0" console_asks
step "terminal size" console_size
step "1 MiB out and back on the second port" console_bulk
rm -f /tmp/in /tmp/out
finish "dialogue on hvc0, terminal size, second port: 1 MiB out and back"
