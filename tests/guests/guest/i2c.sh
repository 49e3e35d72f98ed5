# SPDX-License-Identifier: BSD-3-Clause
# I2C: Linux's own drivers for an EEPROM and a temperature sensor, and the bus through its device node.
# An EEPROM answers late after a write, as real ones do; a chip that is not allowed is not there.

i2c_bus() {
    local adapter
    for adapter in /sys/bus/i2c/devices/i2c-*; do
        grep -q virtio "$adapter/name" && basename "$adapter" && return
    done
    return 1
}

i2c_new() { # KIND ADDRESS
    echo "$1" "$2" >"/sys/bus/i2c/devices/$bus/new_device"
}

# The driver writes byte by byte and asks again until the chip answers.
i2c_eeprom_keeps() {
    local file=/sys/bus/i2c/devices/${bus#i2c-}-0050/eeprom
    head -c 256 /dev/urandom >/tmp/image
    dd if=/tmp/image of="$file" bs=32 2>/dev/null || return 1
    cmp /tmp/image "$file"
}

i2c_eeprom_reads_anywhere() {
    dd if="/sys/bus/i2c/devices/${bus#i2c-}-0050/eeprom" bs=1 skip=100 count=57 2>/dev/null >/tmp/part
    dd if=/tmp/image bs=1 skip=100 count=57 2>/dev/null | cmp - /tmp/part
}

i2c_sensor_path() {
    echo /sys/bus/i2c/devices/${bus#i2c-}-0048/hwmon/hwmon*
}

i2c_sensor_measures() {
    [ "$(cat "$(i2c_sensor_path)/temp1_input")" = 25000 ]
}

i2c_sensor_remembers_its_limit() {
    echo 42500 >"$(i2c_sensor_path)/temp1_max" && [ "$(cat "$(i2c_sensor_path)/temp1_max")" = 42500 ]
}

# Groups of three messages, and a chip that is not there, through /dev/i2c-N.
i2c_raw() {
    i2craw "/dev/$bus" 0x50 0x49
}

i2c_denied_chip_is_silent() {
    i2c_new 24c02 0x51
    ! cat "/sys/bus/i2c/devices/${bus#i2c-}-0051/eeprom" >/dev/null 2>&1
}

begin i2c 0022
bus=$(i2c_bus)
step "the adapter is there" [ -n "$bus" ]
step "EEPROM driver" i2c_new 24c02 0x50
step "256 bytes written and read back" i2c_eeprom_keeps
step "a part of them" i2c_eeprom_reads_anywhere
step "sensor driver" i2c_new lm75 0x48
step "25 degrees" i2c_sensor_measures
step "limit written and read back" i2c_sensor_remembers_its_limit
step "groups of messages, quick command, no chip" i2c_raw
step "a chip that is not allowed" i2c_denied_chip_is_silent
finish "EEPROM by at24, sensor by lm75, raw messages, a chip that is not allowed"
