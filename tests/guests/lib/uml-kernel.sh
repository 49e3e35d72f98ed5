# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# The kernel of the User-mode Linux guests.

UML_DEBIAN=/usr/bin/linux.uml # of the package user-mode-linux: older, but ready-made

# Leave the kernel in $UML_KERNEL.
provide_uml_kernel() {
    provide_kernel uml 'User-mode Linux' um linux "$HERE/uml.config"
    UML_KERNEL=$KERNEL_FOLDER/linux
}
