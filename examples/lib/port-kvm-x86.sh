# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# The KVM port on x86-64: QEMU emulates a processor with SVM, on which Debian's Linux runs avps-kvm, whose
# guest is Debian's Linux again.

. "$HERE/lib/port-kvm.sh"

PORT_PACKAGES=(qemu-system-x86 device-tree-compiler gcc libc6-dev cmake ninja-build)
GUEST_ARCH=amd64
GUEST_MODULES+=(irqbypass ccp kvm kvm-amd)
VMM_TOOLCHAIN=(-DCMAKE_EXE_LINKER_FLAGS=-static)
OUTER_SERIAL=ttyS0
OUTER_MACHINE=(qemu-system-x86_64 -M q35 -cpu EPYC,+svm,+npt)
OUTER_ARGS=no_timer_check # the emulated one is late now and then
COCKPIT=no                # it is told by a device tree
