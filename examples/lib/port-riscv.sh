# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# The smallest port: a RISC-V machine, OpenSBI, a hypervisor in HS mode with its guest inside. The
# guest is no Linux but a program with drivers of its own, and a monitor on the virtio console at which
# this script types. Virtio-mmio only.

PORT_GUEST='A bare-metal guest in VS mode'
PORT_ABOUT='devices by libavps in a hypervisor in HS mode (RISC-V)'
PORT_PACKAGES=(qemu-system-misc opensbi gcc-riscv64-linux-gnu cmake ninja-build)

MACHINE_MIB=128
BOOT_SECONDS=30 # no boot takes this long: something hangs
TYPED='star comedy by democrats, 0123456789 and so on, for more than one buffer'
TYPED_BACK='reffub eno naht erom rof ,no os dna 9876543210 ,starcomed yb ydemoc rats'

# boot_riscv PROGRAM [TIMEOUT-COMMAND...]
boot_riscv() {
    local program=$1
    shift
    "$@" qemu-system-riscv64 -M virt -cpu rv64,h=true -m "$MACHINE_MIB" -smp 1 \
        -nodefaults -display none -serial "$SERIAL" -no-reboot \
        -kernel "$BUILD/hypervisor/$program.elf"
}

port_prepare() {
    local source=$HERE/riscv-hypervisor
    progress "building libavps, the hypervisor and its guest"
    # A build folder of another source tree would be refused.
    grep -qs "^CMAKE_HOME_DIRECTORY:INTERNAL=$source$" "$BUILD/hypervisor/CMakeCache.txt" ||
        rm -rf "$BUILD/hypervisor"
    cmake -S "$source" -B "$BUILD/hypervisor" -G Ninja -DCMAKE_BUILD_TYPE=Release \
        --toolchain "$ROOT/cmake/toolchains/riscv64-freestanding.cmake" >>"$LOG" 2>&1 &&
        cmake --build "$BUILD/hypervisor" --target hypervisor conformance --parallel "$(nproc)" >>"$LOG" 2>&1 ||
        die "the hypervisor does not build, see $LOG"
}

# expect LOG COUNT PATTERN: until there are so many such lines. @return 1: the machine is gone, or
# will be, as $BOOT_END is over.
expect() {
    until [ "$(grep -c "$3" "$1")" -ge "$2" ]; do
        [ $SECONDS -lt "$BOOT_END" ] && ! grep -q 'report end guest=' "$1" || return 1
        sleep 0.05
    done
}

# The operator of a test boot, who waits for what the log $1 shows before he types on.
type_tests() {
    local done=0 ring
    for ring in $RINGS; do
        done=$((done + 1))
        expect "$1" 1 'try help' && echo "test $ring"
        expect "$1" $done '^AVPS-TYPE' && echo "$TYPED"
        expect "$1" $done '^AVPS-DONE' || return
    done
    echo reboot
    expect "$1" 2 'try help' && echo entropy
    expect "$1" 1 '^> [0-9a-f]\{32\}$' && echo off
}

# run_riscv MODE: one boot that ends by itself, tests or a command that the guest does not survive.
run_riscv() {
    local log=$BUILD/console-$1.log
    : >"$log"
    SERIAL=stdio BOOT_END=$((SECONDS + BOOT_SECONDS))
    if [ "$1" = tests ]; then
        type_tests "$log"
    else
        expect "$log" 1 'try help' && echo "$1"
    fi | boot_riscv hypervisor timeout --kill-after=5 "$BOOT_SECONDS" 2>&1 | follow "$log" "$1"
}

# The suite for ports in the hypervisor's place.
run_conformance() {
    local log=$BUILD/console-conformance.log
    : >"$log"
    SERIAL=stdio
    boot_riscv conformance timeout --kill-after=5 120 </dev/null 2>&1 | follow "$log" conformance
}

port_boot() {
    [ "$TRANSPORTS" != pci ] || die "the RISC-V port has virtio-mmio only"
    progress "booting four times: tests with ${RINGS/ / and } rings, twice a guest to be stopped, port conformance"
    run_riscv tests
    run_riscv crash
    run_riscv vanish
    run_conformance
}

# The rows that the guest printed in its test of ring format $2.
rows_of() { sed -n "/AVPS-TEST $2/,/^AVPS-DONE/p" "$1"; }

# Row $3 of ring format $2 in log $1: bits|count|problem|milliseconds|interrupts
guest_row() { rows_of "$1" "$2" | sed -n "s/^AVPS-ROW $3|//p"; }

# The first complaint about a row: format, bits, result, interrupts seen and needed.
row_complaint() {
    local packed=0
    [ "$1" = packed ] && packed=1
    if [ "$3" != ok ]; then
        echo "the guest says: $3"
    elif [ "${2:34:1}" != $packed ]; then
        echo "the driver did not negotiate $1 rings"
    elif [ "$4" -lt "$5" ]; then
        echo "$4 interrupts, needed $5"
    fi
}

# riscv_row LOG RING WHAT DEVICE INTERRUPTS WORKLOAD: # in the workload is what the guest counted.
riscv_row() {
    local bits count problem ms interrupts complaint result=ok
    if ! IFS='|' read -r bits count problem ms interrupts < <(guest_row "$1" "$2" "$3"); then
        row "$4" mmio "$2" - 'did not get that far' FAIL -
        return 1
    fi
    complaint=$(row_complaint "$2" "$bits" "$problem" "$interrupts" "$5")
    if [ "$3" = console ] && ! rows_of "$1" "$2" | grep -qxF "AVPS-BACK $TYPED_BACK"; then
        complaint='the line that was typed did not come back'
    fi
    [ -z "$complaint" ] || result=FAIL
    row "$4" mmio "$2" 'its own' "${6/\#/$count}" $result "$(seconds "$ms")"
    [ "$5" = 0 ] || table_note features "$(feature_names "$4" "$bits")"
    [ "$5" = 0 ] || table_note interrupts "VSEIP, taken $interrupts times"
    [ -z "$complaint" ] || table_note 'not good' "$complaint"
    [ $result = ok ]
}

# Every bad chain has latched the device once, as one fault, and nothing else has.
riscv_faults() {
    local ring bad=0 device='device name=entropy' complaint result=ok
    for ring in $RINGS; do
        bad=$((bad + $(guest_row "$1" "$ring" chains | cut -d'|' -f2 | grep . || echo 1000000)))
    done
    complaint=$(at_least "$1" "$device" needs_reset $bad && at_most "$1" "$device" needs_reset $bad &&
        at_least "$1" "$device" faults $bad && at_most "$1" "$device" faults $bad &&
        at_least "$1" "$device" spurious_kicks 6 && at_least "$1" "$device" bad_accesses 1000 &&
        at_most "$1" 'device name=console' faults 0 && at_least "$1" source outages 1)
    [ -z "$complaint" ] || result=FAIL
    row entropy mmio all - 'the device counted all of this' $result -
    table_note 'device side' "$(counter "$1" "$device" faults) faults (address $(counter "$1" "$device" fault_addr), descriptor $(counter "$1" "$device" fault_desc), size $(counter "$1" "$device" fault_size)), $(counter "$1" "$device" spurious_kicks) doorbells of no queue, $(counter "$1" "$device" bad_accesses) bad accesses, $(counter "$1" source bytes) bytes, $(counter "$1" source outages) time dry"
    [ -z "$complaint" ] || table_note 'not good' "$complaint"
    [ $result = ok ]
}

riscv_end() {
    local end result=ok
    end=$(guest_end "$1")
    [ "$end" = off ] && grep -q '^hyp: guest restarts' "$1" || result=FAIL
    row guest - - SBI "restarts, works again, powers itself off (seen: ${end:-nothing in time})" $result -
    [ $result = ok ]
}

# A guest that was to be stopped: mode $1, what the report has to say $2, workload $3.
riscv_stopped() {
    local log=$BUILD/console-$1.log report result=ok
    report=$(sed -n 's/^hyp: guest crashed: //p' "$log")
    # shellcheck disable=SC2053 # a pattern
    [ "$(guest_end "$log")" = crash ] && [[ $report == $2 ]] || result=FAIL
    row guest - - - "$3: stopped" $result -
    table_note hypervisor "${report:-no report}"
    [ $result = ok ]
}

# No promise of a port may be broken.
riscv_conforms() {
    local log=$BUILD/console-conformance.log report result=ok
    report=$(sed -n 's/^# .*: \([0-9]* passed, [0-9]* failed, [0-9]* skipped\)$/\1/p' "$log")
    [[ $report == *' 0 failed,'* ]] && [ "$(guest_end "$log")" = conforms ] || result=FAIL
    row port - - - 'conformance suite, accesses by a guest' $result -
    table_note promises "${report:-no report}"
    [ $result = ok ] || table_note 'not good' "$(grep -A 1 '^not ok' "$log" | head -n 2)"
    [ $result = ok ]
}

port_table() {
    local ring log=$BUILD/console-tests.log
    for ring in $RINGS; do
        count_bad riscv_row "$log" "$ring" entropy entropy 128 '# bytes, evenly distributed'
        count_bad riscv_row "$log" "$ring" console console 10 'a line typed, and sent back from its end'
        count_bad riscv_row "$log" "$ring" access CPU 0 '# loads and stores, compressed ones too, all widths'
        count_bad riscv_row "$log" "$ring" registers entropy 0 '# senseless doorbells, loads and stores, then works'
        count_bad riscv_row "$log" "$ring" chains entropy 0 '# hostile chains: latched, reset, works again'
    done
    count_bad riscv_faults "$log"
    count_bad riscv_end "$log"
    count_bad riscv_stopped crash '*gpa=0x000000000c000000*' 'stores to an address where nothing is'
    count_bad riscv_stopped vanish '*cannot be read*' 'touches a device by an instruction that is gone'
    count_bad riscv_conforms
}

port_shell() {
    echo "The guest's monitor on virtio-console. 'off' ends it; so does Ctrl-A X."
    SERIAL=mon:stdio
    boot_riscv hypervisor
}
