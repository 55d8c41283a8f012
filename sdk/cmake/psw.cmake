# SPDX-License-Identifier: Apache-2.0
# psw_add_plugin(NAME SOURCES ... [LINKS ...] [DEFINES ...] [TARGET_MINOR n] [OUTPUT folder])
#
# Builds the plugin NAME.so with one exported symbol. Every flag is set here, on the target, so that
# their order cannot be wrong. It lands in OUTPUT, or in PROMPTSWEEP_PLUGIN_OUTPUT when that is set.
# Visibility alone is not enough: without the version script and --exclude-libs the symbols of
# statically linked libraries are exported and may be bound to another library's.

function(psw_add_plugin name)
  set(sdk "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/..")
  cmake_parse_arguments(P "" "TARGET_MINOR;OUTPUT" "SOURCES;LINKS;DEFINES" ${ARGN})
  if(P_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "psw_add_plugin(${name}): unknown arguments ${P_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT P_OUTPUT AND PROMPTSWEEP_PLUGIN_OUTPUT)
    set(P_OUTPUT "${PROMPTSWEEP_PLUGIN_OUTPUT}")
  endif()

  add_library(${name} MODULE ${P_SOURCES})
  target_include_directories(${name} PRIVATE "${sdk}/include")
  target_compile_features(${name} PRIVATE cxx_std_17)
  target_compile_definitions(${name} PRIVATE ${P_DEFINES})
  if(DEFINED P_TARGET_MINOR)
    # All units of a plugin must agree on it: set it here and nowhere else.
    target_compile_definitions(${name} PRIVATE PSW_TARGET_MINOR=${P_TARGET_MINOR})
  endif()
  target_link_libraries(${name} PRIVATE ${P_LINKS})
  set_target_properties(${name} PROPERTIES PREFIX "" SUFFIX ".so"
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  if(P_OUTPUT)
    set_target_properties(${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${P_OUTPUT}")
  endif()

  if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    set(map "${sdk}/cmake/psw.map")
    target_compile_options(${name} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
    target_link_options(${name} PRIVATE "LINKER:--version-script=${map}"
      "LINKER:--exclude-libs,ALL" "LINKER:-z,now")
    # A sanitizer's runtime is in the executable, so its symbols are undefined here.
    if(NOT PROMPTSWEEP_SANITIZE AND NOT "${CMAKE_CXX_FLAGS} ${CMAKE_SHARED_LINKER_FLAGS}" MATCHES "-fsanitize")
      target_link_options(${name} PRIVATE "LINKER:-z,defs")
    endif()
    set_property(TARGET ${name} APPEND PROPERTY LINK_DEPENDS "${map}")
  endif()
endfunction()
