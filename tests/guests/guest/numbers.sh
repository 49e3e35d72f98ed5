# SPDX-License-Identifier: BSD-3-Clause
# Numbered blocks under load, for as many seconds as avps.seconds says. What the numbers were at the
# end goes to the host, which looks at the disk's image.

numbers_run() {
    blkseq /dev/vda run "$(argument seconds 2)" >/tmp/numbers
    local status=$?
    cat /tmp/numbers
    return $status
}

begin numbers 0002
step "numbered blocks, 8 requests under way" numbers_run
sed 's/^/AVPS-NUMBERS /' /tmp/numbers
finish "numbered blocks, written and read, 8 requests under way"
