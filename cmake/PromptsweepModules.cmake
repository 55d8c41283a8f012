# SPDX-License-Identifier: Apache-2.0
# One static library a core module. A module links exactly the modules that core/LAYERS lets it
# include: promptsweep_module reads LAYERS and refuses any other link.

set(PROMPTSWEEP_LAYERS "${CMAKE_CURRENT_LIST_DIR}/../core/LAYERS")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${PROMPTSWEEP_LAYERS}")

function(promptsweep_allowed_links module out)
  file(STRINGS "${PROMPTSWEEP_LAYERS}" rows REGEX "^${module}:")
  if(NOT rows)
    message(FATAL_ERROR "core/LAYERS has no row for the module ${module}")
  endif()
  string(REGEX REPLACE "^${module}:[ ]*" "" names "${rows}")
  separate_arguments(names)
  set(${out} ${names} PARENT_SCOPE)
endfunction()

# promptsweep_module(NAME store SOURCES a.cc b.cc LINKS base records LIBS SQLite::SQLite3)
function(promptsweep_module)
  cmake_parse_arguments(M "" "NAME" "SOURCES;LINKS;LIBS" ${ARGN})
  promptsweep_allowed_links(${M_NAME} allowed)
  set(target "promptsweep_${M_NAME}")
  add_library(${target} STATIC ${M_SOURCES})
  target_link_libraries(${target} PRIVATE promptsweep_warnings)
  foreach(name IN LISTS M_LINKS)
    if(NOT name IN_LIST allowed)
      message(FATAL_ERROR "${M_NAME} may not link ${name}: core/LAYERS does not allow it")
    endif()
    target_link_libraries(${target} PUBLIC promptsweep_${name})
  endforeach()
  # Includes are written from the core root; the root itself is no secret between modules, so the
  # layer test checks includes file by file.
  target_include_directories(${target} PUBLIC "${PROJECT_SOURCE_DIR}/core")
  target_link_libraries(${target} PRIVATE ${M_LIBS})
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
endfunction()

# promptsweep_test(NAME test_store SOURCES a_test.cc LINKS store LIBS ... LABELS fast TIMEOUT 60)
# A Boost.Test program; one of its sources defines BOOST_TEST_MODULE.
function(promptsweep_test)
  cmake_parse_arguments(T "" "NAME;TIMEOUT" "SOURCES;LINKS;LIBS;LABELS;DEFINES" ${ARGN})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 120)
  endif()
  add_executable(${T_NAME} ${T_SOURCES})
  foreach(name IN LISTS T_LINKS)
    target_link_libraries(${T_NAME} PRIVATE promptsweep_${name})
  endforeach()
  target_link_libraries(${T_NAME} PRIVATE promptsweep_warnings Boost::unit_test_framework ${T_LIBS})
  target_compile_definitions(${T_NAME} PRIVATE BOOST_TEST_DYN_LINK
    PROMPTSWEEP_SOURCE_DIR="${PROJECT_SOURCE_DIR}" ${T_DEFINES})
  target_include_directories(${T_NAME} PRIVATE "${PROJECT_SOURCE_DIR}/core" "${PROJECT_SOURCE_DIR}/tests")
  add_test(NAME ${T_NAME} COMMAND ${T_NAME})
  set_tests_properties(${T_NAME} PROPERTIES LABELS "${T_LABELS}" TIMEOUT ${T_TIMEOUT})
endfunction()
