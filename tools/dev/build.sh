# Building and installing. Sourced.
# shellcheck shell=sh

build_type=${BUILD_TYPE:-RelWithDebInfo}

# build_in DIRECTORY CMAKE-ARGUMENT...
build_in() {
    build_directory=$1
    shift
    cmake -S . -B "$build_directory" -G Ninja "$@" && cmake --build "$build_directory" -j "$jobs"
}

build() {
    # shellcheck disable=SC2086 # a list of names
    need $packages_build
    quietly "built build/shardy and build/libshardyfusion.so" \
        build_in build -DCMAKE_BUILD_TYPE="$build_type" -DSHF_BUILD_TESTS="$1" || die 'the build failed'
}

# A build directory that has the tests keeps them.
verb_build() {
    if [ -f build/CMakeCache.txt ] && grep -q '^SHF_BUILD_TESTS:BOOL=ON' build/CMakeCache.txt; then
        build ON
    else
        build OFF
    fi
}

verb_install() {
    prefix=${PREFIX:-/usr/local}
    verb_build
    say "Installing to $prefix"
    if [ -w "$prefix" ] || { [ ! -e "$prefix" ] && [ -w "$(dirname -- "$prefix")" ]; }; then
        cmake --install build --prefix "$prefix"
    else
        as_root cmake --install build --prefix "$prefix"
    fi
    case $prefix in
        /usr | /usr/local) [ -z "${DESTDIR:-}" ] && as_root ldconfig ;;
    esac
    good "installed; try: $prefix/bin/shardy --help"
}

verb_clean() {
    rm -rf build build-ci
    good 'removed build/ and build-ci/ (the S3 test server stays in the cache folder)'
    note "$cache"
}
