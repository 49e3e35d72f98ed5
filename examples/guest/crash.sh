# SPDX-License-Identifier: BSD-3-Clause
# Store to a physical address where the machine has nothing. Does not return.
echo "AVPS-STEP guest: about to store to 0x0c000000"
devmem 0x0c000000 32 1
