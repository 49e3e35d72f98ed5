# SPDX-License-Identifier: BSD-3-Clause
# avps_export_public(TARGET): a shared library exports the functions that the public headers declare.
file(GLOB avps_public_headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/avps/*.h")
set(avps_exports "")
foreach(header IN LISTS avps_public_headers)
    set_property(DIRECTORY "${PROJECT_SOURCE_DIR}" APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${header}")
    file(STRINGS "${header}" lines REGEX "^[A-Za-z].*avps_[a-z0-9_]+\\(")
    list(FILTER lines EXCLUDE REGEX "^static ")
    foreach(line IN LISTS lines)
        string(REGEX REPLACE "^.*[ *](avps_[a-z0-9_]+)\\(.*$" "\\1" name "${line}")
        list(APPEND avps_exports "${name}")
    endforeach()
endforeach()
list(FILTER avps_exports INCLUDE REGEX "^avps_")
list(REMOVE_DUPLICATES avps_exports)
list(SORT avps_exports)
list(JOIN avps_exports "$<SEMICOLON>\n        " avps_exports)
file(GENERATE OUTPUT "${PROJECT_BINARY_DIR}/avps.map" CONTENT
    "{\n    global:\n        ${avps_exports}$<SEMICOLON>\n    local:\n        *$<SEMICOLON>\n}$<SEMICOLON>\n")

function(avps_export_public target)
    target_link_options(${target} PRIVATE
        "LINKER:--version-script=${PROJECT_BINARY_DIR}/avps.map")
    set_target_properties(${target} PROPERTIES LINK_DEPENDS "${PROJECT_BINARY_DIR}/avps.map")
endfunction()
