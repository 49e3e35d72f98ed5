# SPDX-License-Identifier: BSD-3-Clause
# Headers, libraries, the CMake package and avps.pc.
if(NOT AVPS_INSTALL)
    return()
endif()
include(CMakePackageConfigHelpers)

set(avps_cmake_dir "${CMAKE_INSTALL_LIBDIR}/cmake/avps")
set(avps_install_targets avps)
if(AVPS_BUILD_SHARED)
    list(APPEND avps_install_targets avps_shared)
endif()

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/avps" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
    FILES_MATCHING PATTERN "*.h")
install(TARGETS ${avps_install_targets} EXPORT avpsTargets)
install(EXPORT avpsTargets NAMESPACE avps:: DESTINATION "${avps_cmake_dir}")

configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/avpsConfig.cmake.in"
    "${PROJECT_BINARY_DIR}/avpsConfig.cmake" INSTALL_DESTINATION "${avps_cmake_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/avpsConfigVersion.cmake"
    COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/avpsConfig.cmake"
    "${PROJECT_BINARY_DIR}/avpsConfigVersion.cmake" DESTINATION "${avps_cmake_dir}")

set(avps_pc_cflags "")
foreach(name IN ITEMS AVPS_CONFIG_HEADER AVPS_PORT_ARCH_HEADER)
    if(${name})
        string(APPEND avps_pc_cflags " -D${name}='\"${${name}}\"'")
    endif()
endforeach()
set(avps_pc_libs "")
if(AVPS_WITH_LIBFDT)
    set(avps_pc_libs "-lfdt")
endif()
configure_file("${CMAKE_CURRENT_LIST_DIR}/avps.pc.in" "${PROJECT_BINARY_DIR}/avps.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/avps.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
