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

ci_build() { build_in "build-ci/$1" -DSHF_WERROR=ON -DSHF_BUILD_BENCH=ON "-DCMAKE_C_COMPILER=$2" "-DCMAKE_BUILD_TYPE=$3"; }

ci_sanitizer() {
    build_in "build-ci/$1" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS=-O1 "-DSHF_SANITIZE=$2" -DSHF_BUILD_EXAMPLES=OFF
}

# Every fault instead of a sample of them.
ci_faults() (
    SHF_FAULT_EXHAUSTIVE=1
    export SHF_FAULT_EXHAUSTIVE
    run_tests build -R '^test_fault'
)

ci_install() { tests/install/run.sh build build-ci/install; }

ci_legs() {
    leg 'the test command of the README: ./dev test' ./dev test
    leg 'the demo: ./dev demo' ./dev demo
    leg 'the demo of the Python package: ./dev demo-python' ./dev demo-python
    leg 'gcc, warnings are errors, release' ci_build gcc gcc Release
    leg 'clang, warnings are errors' ci_build clang clang Debug
    leg 'address and undefined-behaviour sanitizers: build' ci_sanitizer address 'address;undefined'
    leg 'address and undefined-behaviour sanitizers: tests' run_tests build-ci/address
    leg 'thread sanitizer: build' ci_sanitizer thread thread
    leg 'thread sanitizer: tests' run_tests build-ci/thread -LE 'pure|hostile' # damage is the same in every thread
    lint_legs
    interop_newest_legs leg
    if interop_python_project_is_there; then
        leg 'the Python project reads what is built' interop_python_project build/shardy build/with_s3_server
    fi
    python_legs
    if interop_python_parity_is_there; then interop_parity_legs leg; fi
    leg 'install; consumers by pkg-config, CMake and C++' ci_install
}

ci_begin() {
    # shellcheck disable=SC2086 # a list of names
    need $packages_ci $packages_bench
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

# One after the other: they measure memory, and how long things take.
stress_full() { SHF_STRESS_FULL=1 ctest --test-dir build --output-on-failure --no-tests=error -L stress; }

verb_ci_full() {
    ci_begin
    ci_legs
    interop_all_legs leg sqlite-vec slatedb lancedb
    leg 'thread sanitizer: hostile tests' run_tests build-ci/thread -L hostile
    leg 'faults: allocations, system calls, requests, answers; all of them' ci_faults
    leg 'lines that the tests reach' coverage
    leg 'stress tests with their full numbers' stress_full
    leg "fuzzing, $(fuzz_measure 300)" fuzz_all 300
    ci_finish
}
