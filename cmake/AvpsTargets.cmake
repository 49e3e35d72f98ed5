# SPDX-License-Identifier: BSD-3-Clause
# avps_target_defaults(TARGET): language level, warnings and instrumentation of every own target.
set(AVPS_WARNINGS
    -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wcast-qual -Wswitch-enum
    -Wundef -Wvla -Wmissing-prototypes -Wstrict-prototypes)

set(avps_instrument_compile "")
set(avps_instrument_link "")
if(AVPS_SANITIZE)
    list(JOIN AVPS_SANITIZE "," avps_sanitizers)
    list(APPEND avps_instrument_compile "-fsanitize=${avps_sanitizers}" -fno-sanitize-recover=all
        -fno-omit-frame-pointer)
    list(APPEND avps_instrument_link "-fsanitize=${avps_sanitizers}")
endif()
if(AVPS_COVERAGE)
    list(APPEND avps_instrument_compile --coverage -fprofile-update=atomic)
    list(APPEND avps_instrument_link --coverage)
endif()
add_compile_options(${avps_instrument_compile})
add_link_options(${avps_instrument_link})

function(avps_target_defaults target)
    set_target_properties(${target} PROPERTIES
        C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF)
    target_compile_options(${target} PRIVATE ${AVPS_WARNINGS} $<$<BOOL:${AVPS_WERROR}>:-Werror>)
endfunction()
