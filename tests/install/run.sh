#!/bin/sh
# Installs a build and uses the copy as somebody else's project would: by pkg-config, by CMake, from C++, and as the
# README says.
#
#     tests/install/run.sh BUILD-DIRECTORY SCRATCH-DIRECTORY
set -eu
build=$(CDPATH='' cd -- "$1" && pwd)
mkdir -p "$2"
scratch=$(CDPATH='' cd -- "$2" && pwd)
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)

rm -rf "${scratch:?}"/*
prefix=$scratch/somewhere/usr
cmake --install "$build" --prefix "$prefix" >"$scratch/install.log"
# Moved after it was installed: neither file may hold the path of the first place.
mv "$scratch/somewhere" "$scratch/elsewhere"
prefix=$scratch/elsewhere/usr
package=$(find "$prefix" -name shardyfusion.pc)
libraries=$(dirname -- "$(dirname -- "$package")")

expect() {
    echo "--- $*"
    "$@" >"$scratch/out.txt" || {
        cat "$scratch/out.txt"
        echo "failed: $*"
        exit 1
    }
    cat "$scratch/out.txt"
}

[ "$(readlink "$libraries/libshardyfusion.so")" = libshardyfusion.so.0 ]
[ "$(readlink "$libraries/libshardyfusion.so.0")" = "libshardyfusion.so.$(PKG_CONFIG_PATH=$libraries/pkgconfig pkg-config --modversion shardyfusion)" ]
[ -f "$prefix/share/man/man1/shardy.1" ]
expect "$prefix/bin/shardy" --version
sample=$scratch/snapshot
expect "$prefix/bin/shardy" build "$root/samples/packages.jsonl" --vectors "$root/samples/vectors.npy" --num-dbs 3 \
    --output "$sample"
expect "$prefix/bin/shardy" -u "$sample" get ncdu --strict

echo '--- pkg-config'
PKG_CONFIG_PATH=$libraries/pkgconfig
export PKG_CONFIG_PATH
# shellcheck disable=SC2046 # flags are words
cc -std=c11 -Wall -Wextra -Wpedantic -Werror "$root/tests/install/consumer.c" -o "$scratch/by-pkg-config" \
    $(pkg-config --cflags --libs shardyfusion) "-Wl,-rpath,$libraries"
expect "$scratch/by-pkg-config" "$sample"

echo '--- C++'
# shellcheck disable=SC2046 # flags are words
c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror "$root/tests/install/consumer.cpp" -o "$scratch/by-cpp" \
    $(pkg-config --cflags --libs shardyfusion) "-Wl,-rpath,$libraries"
expect "$scratch/by-cpp" "$sample"

echo '--- CMake'
cmake -S "$root/tests/install" -B "$scratch/cmake" -G Ninja "-DCMAKE_PREFIX_PATH=$prefix" >"$scratch/cmake.log"
cmake --build "$scratch/cmake" >>"$scratch/cmake.log" || {
    cat "$scratch/cmake.log"
    exit 1
}
expect "$scratch/cmake/consumer" "$sample"

echo '--- the examples, against the installed copy'
cmake -S "$root/examples" -B "$scratch/examples" -G Ninja "-DCMAKE_PREFIX_PATH=$prefix" >"$scratch/examples.log"
cmake --build "$scratch/examples" >>"$scratch/examples.log" || {
    cat "$scratch/examples.log"
    exit 1
}
for example in poll_loop libuv_loop synchronous streaming_gets; do
    expect "$scratch/examples/example_$example" "$sample" ncdu nginx no-such-package
done

expect "$scratch/examples/example_write" "$scratch/colours"
expect "$prefix/bin/shardy" -u "$scratch/colours" search 1,0.5,0.1 --top-k 1 --output-format text
[ "$(cat "$scratch/out.txt")" = 'id=orange score=0.100000 {"web":"#ff8000"}' ]

# block LANGUAGE: the lines of the README's blocks of that kind.
block() { sed -n '/^```'"$1"'$/,/^```$/p' "$root/README.md" | sed '/^```/d'; }

# Lines that begin with "$ " are commands, the others what they print: all of it is compared.
echo '--- the shell lines of the README'
block console >"$scratch/console.txt"
grep -q '^\$ ' "$scratch/console.txt"
mkdir "$scratch/here" # what they build goes there
ln -s "$root/samples" "$scratch/here/samples"
(
    cd "$scratch/here"
    unset SHARDY_CURRENT SHARDY_CONFIG SHARDY_CREDENTIALS
    HOME=$scratch XDG_CACHE_HOME=$scratch/cache PATH=$prefix/bin:$PATH
    export HOME XDG_CACHE_HOME PATH
    sed -n 's/^\$ //p' "$scratch/console.txt" | while IFS= read -r line; do
        printf '$ %s\n' "$line"
        sh -c "$line" 2>&1 </dev/null
    done
) >"$scratch/console-now.txt"
diff "$scratch/console.txt" "$scratch/console-now.txt" || {
    echo 'failed: the shell of the README prints something else now'
    exit 1
}
echo '--- the C program of the README'
block c >"$scratch/readme.c"
[ -s "$scratch/readme.c" ]
# shellcheck disable=SC2046 # flags are words
cc -std=c11 -Wall -Wextra -Wpedantic -Werror "$scratch/readme.c" -o "$scratch/readme" \
    $(pkg-config --cflags --libs shardyfusion) "-Wl,-rpath,$libraries"
expect "$scratch/readme" "$scratch/here/snapshot"
echo 'the installed copy works'
