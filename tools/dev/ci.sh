# Everything that a change must pass, leg by leg. Sourced.
# shellcheck shell=sh

legs_passed=0
legs_failed=0
legs_names=''

# leg NAME COMMAND...: runs it, counts it, goes on.
leg() {
    leg_name=$1
    if quietly "$@"; then
        legs_passed=$((legs_passed + 1))
    else
        legs_failed=$((legs_failed + 1))
        legs_names="$legs_names
  $leg_name"
    fi
}

# The last line of every run; exit 1 when a leg failed.
legs_end() {
    if [ "$legs_failed" -gt 0 ]; then
        printf '%sfailed:%s%s\n' "$red" "$plain" "$legs_names"
    fi
    echo "$legs_passed passed, $legs_failed failed"
    [ "$legs_failed" -eq 0 ]
}

ci_build() { build_in "build-ci/$1" -DSHF_WERROR=ON "-DCMAKE_C_COMPILER=$2" "-DCMAKE_BUILD_TYPE=$3"; }

ci_sanitizer() {
    build_in "build-ci/$1" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS=-O1 "-DSHF_SANITIZE=$2" -DSHF_BUILD_EXAMPLES=OFF
}

ci_install() { tests/install/run.sh build build-ci/install; }

ci_legs() {
    leg 'the test command of the README: ./dev test' ./dev test
    leg 'the demo: ./dev demo' ./dev demo
    leg 'gcc, warnings are errors, release' ci_build gcc gcc Release
    leg 'clang, warnings are errors' ci_build clang clang Debug
    leg 'address and undefined-behaviour sanitizers: build' ci_sanitizer address 'address;undefined'
    leg 'address and undefined-behaviour sanitizers: tests' run_tests build-ci/address
    leg 'thread sanitizer: build' ci_sanitizer thread thread
    leg 'thread sanitizer: tests' run_tests build-ci/thread -LE pure
    lint_legs
    leg "reads what sqlite-vec $interop_newest writes" interop "$interop_newest"
    leg 'install; consumers by pkg-config, CMake and C++' ci_install
}

ci_begin() {
    # shellcheck disable=SC2086 # a list of names
    need $packages_ci
    s3server_need
    ci_started=$(now)
}

ci_finish() {
    say "$(($(now) - ci_started)) seconds"
    legs_end
}

verb_ci() {
    ci_begin
    ci_legs
    ci_finish
}

verb_ci_full() {
    ci_begin
    ci_legs
    # shellcheck disable=SC2086 # a list of versions
    leg "reads what sqlite-vec $interop_versions writes" interop $interop_versions
    leg "fuzzing, ${SECONDS_EACH:-300} seconds a fuzzer" fuzz_all "${SECONDS_EACH:-300}"
    ci_finish
}

fuzz_all() {
    build_in build-ci/fuzz -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSHF_BUILD_FUZZ=ON \
        '-DSHF_SANITIZE=address;undefined' -DSHF_BUILD_TESTS=OFF -DSHF_BUILD_EXAMPLES=OFF || return 1
    fuzzers=$(find build-ci/fuzz -maxdepth 1 -name 'fuzz_*' -type f -perm -u+x | sort)
    [ -n "$fuzzers" ] || return 1
    for fuzzer in $fuzzers; do
        name=$(basename "$fuzzer")
        found=build-ci/fuzz/found-$name
        mkdir -p "$found"
        echo "== $name"
        corpus=fuzz/corpus/${name#fuzz_}
        [ -d "$corpus" ] || corpus=''
        # New inputs go to the first folder; the tracked corpus is read only.
        # shellcheck disable=SC2086 # absent when empty
        "$fuzzer" -max_total_time="$1" -timeout=25 -rss_limit_mb=2048 -artifact_prefix="$found/" "$found" $corpus || return 1
    done
}

verb_fuzz() {
    # shellcheck disable=SC2086 # a list of names
    need $packages_fuzz
    fuzz_all "${SECONDS_EACH:-60}" || die 'a fuzzer failed, or there is none'
}
