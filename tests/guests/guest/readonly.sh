# SPDX-License-Identifier: BSD-3-Clause
# A disk that must not change: it says so, a write fails, the content is what the host has.

readonly_said() { [ "$(cat /sys/block/vda/ro)" = 1 ]; }

readonly_kept() { ! dd if=/dev/zero of=/dev/vda bs=4k count=1 oflag=direct; }

readonly_content() { [ "$(md5sum </dev/vda)" = "$(argument md5)  -" ]; }

begin readonly 0002
step "says that it is read-only" readonly_said
step "a write fails" readonly_kept
step "content" readonly_content
finish "read-only disk, content as the host has it"
