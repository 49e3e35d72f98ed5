# SPDX-License-Identifier: BSD-3-Clause
# arm64 programs for Linux, linked statically. AVPS_SYSROOT: a folder with the libraries of packages for
# arm64, usr/include and usr/lib/aarch64-linux-gnu; the C library is that of the compiler.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES AVPS_SYSROOT)
set(CMAKE_FIND_ROOT_PATH "${AVPS_SYSROOT}")
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static")
