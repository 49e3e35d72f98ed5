# SPDX-License-Identifier: BSD-3-Clause
# RV64 without an operating system, C library or floating point: what a hypervisor in HS mode is
# built with. medany: it is linked above 2 GiB. The folder freestanding/ holds the one header of a C
# library that the core includes; of the compiler's own it uses those of every freestanding C11.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR riscv64)
set(CMAKE_C_COMPILER riscv64-linux-gnu-gcc)
set(CMAKE_ASM_COMPILER riscv64-linux-gnu-gcc)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)
set(avps_freestanding_flags "-ffreestanding -fno-pic -fno-pie -march=rv64imac_zicsr -mabi=lp64")
string(APPEND avps_freestanding_flags " -mcmodel=medany -mstrict-align -fno-stack-protector")
string(APPEND avps_freestanding_flags " -isystem \"${CMAKE_CURRENT_LIST_DIR}/freestanding\"")
set(CMAKE_C_FLAGS_INIT "${avps_freestanding_flags}")
set(CMAKE_ASM_FLAGS_INIT "${avps_freestanding_flags}")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-nostdlib -static -no-pie")
