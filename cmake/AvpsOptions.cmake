# SPDX-License-Identifier: BSD-3-Clause
# Every switch of the build, with its default. Tests, ports and examples are on only when this is
# the top-level project: a product that embeds the library gets the library alone.
if(CMAKE_SYSTEM_NAME STREQUAL "Generic")
    set(AVPS_HOSTED OFF)
else()
    set(AVPS_HOSTED ON)
endif()
if(PROJECT_IS_TOP_LEVEL AND AVPS_HOSTED)
    set(avps_top_hosted ON)
else()
    set(avps_top_hosted OFF)
endif()
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES AND PROJECT_IS_TOP_LEVEL)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
endif()

option(BUILD_SHARED_LIBS "Make the target avps a shared library" OFF)
cmake_dependent_option(AVPS_BUILD_SHARED "Build the target avps_shared beside a static avps"
    ${avps_top_hosted} "NOT BUILD_SHARED_LIBS" OFF)
option(AVPS_BUILD_PORTS "Build the ports: template, sim, and posix on Linux" ${avps_top_hosted})
option(AVPS_BUILD_TESTS "Build the tests (needs cmocka)" ${avps_top_hosted})
option(AVPS_BUILD_EXAMPLES "Build the example programs" ${avps_top_hosted})
option(AVPS_BUILD_FUZZ "Build the fuzz targets (needs clang)" OFF)
option(AVPS_BUILD_DOCS "Add the target docs (needs Doxygen)" OFF)
option(AVPS_INSTALL "Add the installation rules" ${PROJECT_IS_TOP_LEVEL})

option(AVPS_DEVICE_RNG "Entropy device" ON)
option(AVPS_DEVICE_BLK "Block device" ON)
option(AVPS_DEVICE_NET "Network device and learning switch" ON)
option(AVPS_DEVICE_CONSOLE "Console device" ON)
option(AVPS_DEVICE_I2C "I2C adapter" ON)
option(AVPS_DEVICE_VSOCK "Socket device" ON)
cmake_dependent_option(AVPS_BUILD_PORT_CONFORMANCE "Build the suite that a port is checked with"
    ${PROJECT_IS_TOP_LEVEL} "AVPS_DEVICE_BLK" OFF)
option(AVPS_WITH_LIBFDT "Device-tree node generator (needs libfdt)" OFF)

option(AVPS_WERROR "Treat warnings as errors" ${PROJECT_IS_TOP_LEVEL})
option(AVPS_ASSERTS "Trap when an invariant of the library does not hold" OFF)
option(AVPS_COVERAGE "Instrument for gcov" OFF)
set(AVPS_SANITIZE "" CACHE STRING "Sanitizers for all targets, for example address;undefined")
set(AVPS_CONFIG_HEADER "" CACHE STRING "Header with the product's limits, as in #include")
set(AVPS_PORT_ARCH_HEADER "" CACHE STRING "Header with the barriers of the CPU, as in #include")
set(AVPS_CMOCKA_ROOT "" CACHE PATH "Where cmocka is, if not with the system's libraries")
