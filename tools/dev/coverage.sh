# Line coverage of the tests, module by module. Sourced.
# shellcheck shell=sh

# Threads count at once: counters are atomic.
coverage_build() {
    build_in build-ci/coverage -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Debug \
        '-DCMAKE_C_FLAGS=--coverage -fprofile-update=atomic -O1 -DSHF_COVERAGE' -DSHF_BUILD_EXAMPLES=OFF -DSHF_BUILD_DEMO=OFF || return 1
    # What runs of before have counted.
    find build-ci/coverage -name '*.gcda' -exec rm -f {} +
}

# coverage ARGUMENT...: of tools/coverage.py.
coverage() { coverage_build && run_tests build-ci/coverage && python3 tools/coverage.py build-ci/coverage "$@"; }

# ./dev coverage [--missing [MODULE...]]
verb_coverage() {
    # shellcheck disable=SC2086 # a list of names
    need $packages_test
    s3server_need
    s3server_build || die 'the tests need the S3 server'
    quietly 'built build-ci/coverage' coverage_build || die 'the build failed'
    quietly 'ran the tests' run_tests build-ci/coverage || die 'tests failed'
    python3 tools/coverage.py build-ci/coverage "$@" || die 'the tests reach too few lines'
}
