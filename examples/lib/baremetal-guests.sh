# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Several guests on the bare-metal hypervisor: booting them from a platform file, and what came of it.

PLATFORM_AT=0x4ff00000
HOSTILE_AT=0x4fe00000
GUEST_CPUS=6
GUESTS_SECONDS=900 # they take one minute on two idle CPUs; more of them hang

# boot_platform PLATFORM OPTIONS ARGS: boot the platform's guests; the log is $BUILD/console-PLATFORM.log.
boot_platform() {
    local log=$BUILD/console-$1.log
    dtc -q -I dts -O dtb -o "$BUILD/$1.dtb" "$HERE/platforms/$1.dts" >>"$LOG" 2>&1 ||
        die "$1.dts does not compile, see $LOG"
    progress "booting the guests of examples/platforms/$1.dts, $GUEST_CPUS CPUs"
    : >"$log"
    SERIAL=stdio
    MACHINE_MORE=(-smp "$GUEST_CPUS" -device "guest-loader,addr=$PLATFORM_AT,initrd=$BUILD/$1.dtb"
        -device "guest-loader,addr=$HOSTILE_AT,kernel=$BUILD/hypervisor/hostile.bin,bootargs=guest=hostile")
    boot_guest "$2" "$GUEST_ARGS avps.mode=neighbours $3" timeout --kill-after=5 "$GUESTS_SECONDS" \
        </dev/null 2>&1 | follow_guests "$log"
}

# Show what matters of all guests; everything goes to the log $1.
follow_guests() {
    local line
    while IFS= read -r line; do
        line=${line%$'\r'}
        printf '%s\n' "$line" >>"$1"
        case $line in
        *AVPS-PHASE\ * | *AVPS-ROW\ * | *AVPS-STEP\ * | *AVPS-HOSTILE\ * | *'fault in the hypervisor'* | *'Kernel panic'* | \
            'hyp: guest starts again'* | 'hyp: report boot'* | 'hyp: cannot start'*) progress "$line" ;;
        esac
        [ "$VERBOSE" = yes ] && printf '    | %s\n' "$line" >&2
    done
}

boot_guests() {
    boot_platform neighbours 'hold=hostile operator=cluster restart' ''
}

boot_cockpit() {
    boot_platform cockpit 'operator=cluster' 'avps.third=none'
}

# ---- from the log to rows ----

# vm_counter LOG GUEST WHAT COUNTER: sum over what the guest has of that kind; of a device the last line counts.
vm_counter() {
    awk -v vm="vm=$2" -v names="name=$2/" -v what="$3" -v name="$4=" '
        function value(i) {
            for (i = 4; i <= NF; i++) if (index($i, name) == 1) return substr($i, length(name) + 1)
            return 0
        }
        $1 != "hyp:" { next }
        $2 == "report" && $3 == what && $NF == vm { sum += value() }
        $2 == what && index($3, names) == 1 { last[$3] = value() }
        END { for (i in last) sum += last[i]; print sum + 0 }' "$1"
}

phase_field() {
    sed -n "s/^\[cluster\] AVPS-PHASE $2|//p" "$1" | cut -d'|' -f"$3"
}

# row_phase LOG PHASE TEXT: how long a round of the workload took.
row_phase() {
    local result millis
    result=$(phase_field "$1" "$2" 1)
    millis=$(phase_field "$1" "$2" 2)
    row guests both both 'disk, network' "$3" "${result:-FAIL}" "$(seconds "${millis:-0}")"
    table_note 'TCP' "$(phase_field "$1" "$2" 3) bytes between the guests, each checked"
    [ "$result" = ok ]
}

# How often the last row's number is that of the other phase: in percent, 0 if there is none.
slowdown() {
    local before after
    before=$(phase_field "$1" "$2" 2)
    after=$(phase_field "$1" "$3" 2)
    [ -n "$before" ] && [ -n "$after" ] && [ "$before" -gt 0 ] && echo $((after * 100 / before)) || echo 0
}

# The guest's boot, and what of it the hypervisor took.
row_boot() {
    local line first total hypervisor
    line=$(grep "^hyp: report boot life=1 .* vm=$2$" "$1" | head -n 1)
    if [ -z "$line" ]; then
        row guest - - "$2" 'boot: its first process was not seen' FAIL -
        return 1
    fi
    first=$(sed -n 's/.*reset_to_start_us=\([0-9]*\).*/\1/p' <<<"$line")
    total=$((first + $(sed -n 's/.*start_to_init_us=\([0-9]*\).*/\1/p' <<<"$line")))
    hypervisor=$((first + $(sed -n 's/.*in_exits_us=\([0-9]*\).*/\1/p' <<<"$line")))
    row guest - - "$2" 'boot: from reset to the first process' ok "$(seconds $((total / 1000)))"
    table_note hypervisor "$((hypervisor * 100 / total)) %: $((first / 1000)) ms before the guest's first instruction, $(((hypervisor - first) / 1000)) ms in $(sed -n 's/.*exits=\([0-9]*\).*/\1/p' <<<"$line") exits"
}

row_end() {
    local end result=ok
    end=$(sed -n "s/^hyp: report end.* guest=\([a-z]*\) vm=$2$/\1/p" "$1")
    [ "$end" = "$3" ] || result=FAIL
    row guest - - "$2" "$4 (seen: ${end:-nothing in time})" $result -
    [ $result = ok ]
}

# What the third guest's devices counted, and that the others' counted no fault.
row_hostile() {
    local log=$1 faults lives passes class text='' result=ok
    faults=$(vm_counter "$log" hostile device faults)
    lives=$(vm_counter "$log" hostile end lives)
    for class in addr access desc size protocol; do
        text="$text$(vm_counter "$log" hostile device "fault_$class") $class, "
    done
    passes=$(grep -cE '^hyp: guest starts again after: (crash|reset) vm=hostile' "$log")
    [ "$faults" -gt 0 ] && [ "$passes" -gt 0 ] || result=FAIL
    grep -q 'AVPS-HOSTILE survived' "$log" && result=FAIL
    [ $(($(vm_counter "$log" cluster device faults) + $(vm_counter "$log" infotainment device faults))) -eq 0 ] || result=FAIL
    grep -q '^hyp: fault in the hypervisor' "$log" && result=FAIL
    row guest mmio split hostile "$passes times the catalogue of $(sed -n 's/.*AVPS-HOSTILE attacks=\([0-9]*\).*/\1/p' "$log" | head -n 1) attacks, in $lives lives" $result -
    table_note 'its faults' "${text%, }; $(vm_counter "$log" hostile device needs_reset) times DEVICE_NEEDS_RESET"
    table_note 'its port' "$(vm_counter "$log" hostile port spoofed) spoofed, $(vm_counter "$log" hostile port wrong_vlan) wrong VLAN, $(vm_counter "$log" hostile port over_rate) over the rate, $(vm_counter "$log" hostile port in_frames) accepted"
    table_note 'also' "$(vm_counter "$log" hostile device bad_accesses) accesses dropped, $(vm_counter "$log" hostile device spurious_kicks) doorbells of no queue, $(vm_counter "$log" hostile end messages_lost) messages lost, $(vm_counter "$log" hostile console unprinted) bytes not printed"
    table_note 'the others' 'no fault, no byte wrong'
    [ $result = ok ]
}

SLOWDOWN_MOST=300 # percent of the time beside a guest that is only busy; six virtual CPUs may share two real ones

row_slowdown() {
    local percent result=ok
    percent=$(slowdown "$1" busy attacked)
    [ "$percent" -gt 0 ] && [ "$percent" -le $SLOWDOWN_MOST ] || result=FAIL
    row guests - - - "under attack: $percent % of the time beside a busy guest, $(slowdown "$1" alone attacked) % of the time alone; at most $SLOWDOWN_MOST %" $result -
    [ $result = ok ]
}

table_guests() {
    local log=$BUILD/console-neighbours.log
    count_bad row_boot "$log" cluster
    count_bad row_boot "$log" infotainment
    count_bad row_phase "$log" alone 'disks and TCP of two guests, by themselves'
    count_bad row_phase "$log" busy 'beside a third guest that is busy on its CPUs'
    count_bad row_phase "$log" attacked 'beside a third guest that attacks'
    count_bad row_slowdown "$log"
    count_bad row_phase "$log" restart 'the second guest is restarted, the first works'
    count_bad row_phase "$log" again 'and once more under attack'
    count_bad row_hostile "$log"
    count_bad row_end "$log" hostile stopped 'is stopped by the hypervisor'
    count_bad row_end "$log" infotainment off 'powers itself off'
    count_bad row_end "$log" cluster off 'powers itself off'
}

table_cockpit() {
    local log=$BUILD/console-cockpit.log
    count_bad row_boot "$log" cluster
    count_bad row_boot "$log" infotainment
    count_bad row_phase "$log" alone 'disks and TCP of two guests'
    count_bad row_phase "$log" restart 'the second guest is restarted, the first works'
    count_bad row_end "$log" infotainment off 'powers itself off'
    count_bad row_end "$log" cluster off 'powers itself off'
}
