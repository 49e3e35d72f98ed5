# SPDX-License-Identifier: BSD-3-Clause
# avps_requirements(FILE): write the AVPS requirements of docs/spec/avps.tsv as a C header: an id for
# each (REQUIREMENT_BLK_1) and REQUIREMENT_ROWS, initialisers of {id, section, keyword, text} in the
# same order. The list has one home; a requirement added there that nobody judges fails a test.
function(avps_requirements file)
    set(table "${PROJECT_SOURCE_DIR}/docs/spec/avps.tsv")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${table}")
    file(STRINGS "${table}" lines)
    set(row "^([A-Z]+)-([0-9]+)\t([^\t]*)\t([^\t]*)\t[^\t]*\t[^\t]*\t(.*)$")
    set(ids "")
    set(rows "")
    foreach(line IN LISTS lines)
        if(line MATCHES "${row}")
            string(APPEND ids "    REQUIREMENT_${CMAKE_MATCH_1}_${CMAKE_MATCH_2},\n")
            string(APPEND rows " \\\n    {\"${CMAKE_MATCH_1}-${CMAKE_MATCH_2}\", \"${CMAKE_MATCH_3}\", "
                "\"${CMAKE_MATCH_4}\", \"${CMAKE_MATCH_5}\"},")
        endif()
    endforeach()
    file(CONFIGURE OUTPUT "${file}" @ONLY CONTENT
"/* SPDX-License-Identifier: BSD-3-Clause */
/* Made from docs/spec/avps.tsv by cmake/AvpsRequirements.cmake. */
enum requirement {
@ids@    REQUIREMENTS
};
#define REQUIREMENT_ROWS@rows@
")
endfunction()
