# SPDX-License-Identifier: BSD-3-Clause
# AArch64 without an operating system or C library: what a type 1 hypervisor at EL2 is built with.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_ASM_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)
set(avps_freestanding_flags "-ffreestanding -fno-pic -fno-pie -mgeneral-regs-only -mstrict-align")
string(APPEND avps_freestanding_flags " -mno-outline-atomics -fno-stack-protector")
set(CMAKE_C_FLAGS_INIT "${avps_freestanding_flags}")
set(CMAKE_ASM_FLAGS_INIT "${avps_freestanding_flags}")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-nostdlib -static -no-pie")
