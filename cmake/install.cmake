# Installing: the library, its headers, shardy, the man page, a pkg-config file and a CMake package.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/shardyfusion)
install(TARGETS shardyfusion EXPORT shardyfusion-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/shardyfusion DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(EXPORT shardyfusion-targets NAMESPACE shardyfusion:: DESTINATION ${package_dir})
add_library(shardyfusion::shardyfusion ALIAS shardyfusion)

configure_package_config_file(cmake/shardyfusion-config.cmake.in ${CMAKE_BINARY_DIR}/shardyfusion-config.cmake
  INSTALL_DESTINATION ${package_dir})
# Until 1.0 a minor version may change the API.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/shardyfusion-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/shardyfusion-config.cmake ${CMAKE_BINARY_DIR}/shardyfusion-config-version.cmake
  DESTINATION ${package_dir})

# Computed when the package is used, so that a moved tree (--prefix, DESTDIR) still works.
file(RELATIVE_PATH SHF_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" SHF_PC_PREFIX "${SHF_PC_PREFIX}")
configure_file(cmake/shardyfusion.pc.in ${CMAKE_BINARY_DIR}/shardyfusion.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/shardyfusion.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

if(TARGET shardy)
  install(TARGETS shardy RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(FILES docs/shardy.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 OPTIONAL)
endif()
