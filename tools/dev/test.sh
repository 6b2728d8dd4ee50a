# Running the tests. Sourced.
# shellcheck shell=sh

# Recorded snapshots of the Python project, kept beside the checkout.
shared=${SHF_SHARED:-../shared}
peer_cases="unified-* kv-sqlite-* history-* fallback-* current-* retried-shard cel-* vector-*"

# run_tests DIRECTORY CTEST-ARGUMENT...
run_tests() {
    tests_directory=$1
    shift
    SHF_SHARED=$shared SHF_VERSITYGW=$s3server
    export SHF_SHARED SHF_VERSITYGW
    ctest --test-dir "$tests_directory" --output-on-failure --no-tests=error -j $((jobs + 1)) "$@" # some of them wait
}

check_peer() {
    if [ ! -f "$shared/tools/check_peer.py" ]; then
        note "SKIP: no recorded snapshots of the Python project at $shared (set SHF_SHARED to where they are)"
        return 0
    fi
    say 'Snapshots that the Python project wrote: every key, vector and recorded outcome'
    set -f
    # shellcheck disable=SC2086 # a list of patterns for the script, not for the shell
    python3 "$shared/tools/check_peer.py" "$shared/fixtures/peer" $peer_cases
    peer_result=$?
    set +f
    return $peer_result
}

# ./dev test [CTEST-ARGUMENT...]: with arguments, just those tests.
verb_test() {
    # shellcheck disable=SC2086 # a list of names
    need $packages_test $packages_python
    s3server_build_behind
    build ON
    [ $# -gt 0 ] || python_install
    s3server_wait || die 'the tests need the S3 server'
    say 'Running the tests'
    run_tests build "$@" || die 'tests failed'
    [ $# -eq 0 ] || return 0
    check_peer || die 'answers differ from the recorded ones'
    say 'The Python package'
    python_test "$python_venv" || die 'tests of the Python package failed'
    good 'all tests passed'
}
