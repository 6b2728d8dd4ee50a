# The library itself: every module's objects, exporting only what abi/libshardyfusion.map lists.
set(SHF_ALL_MODULES base formats search rt io snapshot reader writer api)
add_library(shardyfusion SHARED)
shf_link_modules(shardyfusion ${SHF_ALL_MODULES})
target_include_directories(shardyfusion INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
set_target_properties(shardyfusion PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0
  LINK_DEPENDS ${PROJECT_SOURCE_DIR}/abi/libshardyfusion.map)
target_link_options(shardyfusion PRIVATE
  -Wl,--version-script=${PROJECT_SOURCE_DIR}/abi/libshardyfusion.map -Wl,--no-undefined -Wl,-z,relro,-z,now)
if(SHF_SANITIZE)
  # Sanitizer run-time symbols come from the program.
  set_property(TARGET shardyfusion PROPERTY LINK_OPTIONS -Wl,--version-script=${PROJECT_SOURCE_DIR}/abi/libshardyfusion.map)
endif()
