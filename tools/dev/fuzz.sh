# Fuzzing: every target that fuzz/ builds, and a table of what each did. Sourced.
# shellcheck shell=sh

# The longest inputs that are made: more would be slower, and say nothing new.
fuzz_longest() {
    case $1 in
        lance_file) echo 4096 ;;
        manifest) echo 5120 ;;
        pages) echo 4104 ;;
        shard) echo 10240 ;;
        slatedb_manifest) echo 3072 ;;
        cache_record | sidecar) echo 512 ;;
        *) echo 2048 ;;
    esac
}

# fuzz_measure SECONDS: how much each target does, in words; RUNS_EACH goes before SECONDS_EACH, and that before SECONDS.
fuzz_measure() {
    if [ -n "${RUNS_EACH:-}" ]; then
        echo "$RUNS_EACH inputs a fuzzer"
    else
        echo "${SECONDS_EACH:-$1} seconds a fuzzer"
    fi
}

fuzz_build() {
    build_in build-ci/fuzz -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSHF_BUILD_FUZZ=ON \
        '-DSHF_SANITIZE=address;undefined' -DSHF_BUILD_TESTS=OFF -DSHF_BUILD_EXAMPLES=OFF
}

# fuzz_statistic NAME LOG: a number of libFuzzer's own account.
fuzz_statistic() { sed -n "s/^stat::$1: *//p" "$2" | tail -n 1; }

# fuzz_edges WORD LOG: "cov:" of the line with this word.
fuzz_edges() { sed -n "s/^#[0-9]*[[:space:]]*$1 *cov: \([0-9]*\).*/\1/p" "$2" | tail -n 1; }

# fuzz_one NAME SECONDS: one row of the table; fails when something was found, or when there were too few runs.
fuzz_one() {
    name=$1
    found=build-ci/fuzz/found-fuzz_$name
    log=build-ci/fuzz/fuzz_$name.log
    corpus=fuzz/corpus/$name
    mkdir -p "$found"
    [ -d "$corpus" ] || corpus=''
    bound=-max_total_time=${SECONDS_EACH:-$2}
    [ -z "${RUNS_EACH:-}" ] || bound=-runs=$RUNS_EACH
    fuzz_result=0
    # New inputs go to the first folder; the tracked corpus is read only.
    # shellcheck disable=SC2086 # absent when empty
    "build-ci/fuzz/fuzz_$name" "$bound" -max_len="$(fuzz_longest "$name")" -timeout=25 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="$found/" "$found" $corpus >"$log" 2>&1 || fuzz_result=$?
    runs=$(fuzz_statistic number_of_executed_units "$log")
    runs=${runs:-0}
    fuzz_total=$((fuzz_total + runs))
    verdict=ok
    [ -z "${RUNS_EACH:-}" ] || [ "$runs" -ge "$RUNS_EACH" ] || verdict='too few runs'
    [ "$fuzz_result" -eq 0 ] || verdict="found something; see $log"
    printf '%-14s %12s %8s -> %-8s %s\n' "$name" "$runs" "$(fuzz_edges INITED "$log")" "$(fuzz_edges DONE "$log")" "$verdict"
    [ "$verdict" = ok ]
}

# fuzz_run SECONDS [NAME...]: those targets, or all that were built; then the table's last line.
fuzz_run() {
    fuzz_seconds=$1
    shift
    if [ $# -eq 0 ]; then
        # shellcheck disable=SC2046 # names without spaces
        set -- $(find build-ci/fuzz -maxdepth 1 -name 'fuzz_*' -type f -perm -u+x | sed 's/.*fuzz_//' | sort)
        [ $# -gt 0 ] || return 1
    fi
    fuzz_total=0
    fuzz_failed=0
    printf '%-14s %12s %20s\n' target runs 'edges'
    for target; do fuzz_one "$target" "$fuzz_seconds" || fuzz_failed=$((fuzz_failed + 1)); done
    printf '%-14s %12s %s\n' total "$fuzz_total" "in $# targets, $fuzz_failed failed"
    [ "$fuzz_failed" -eq 0 ]
}

# fuzz_all SECONDS
fuzz_all() { fuzz_build && fuzz_run "$1"; }

verb_fuzz() {
    # shellcheck disable=SC2086 # a list of names
    need $packages_fuzz
    quietly 'built build-ci/fuzz' fuzz_build || die 'the build failed'
    say "$(fuzz_measure 60)"
    fuzz_run 60 "$@" || die 'a fuzzer failed, or there is none'
}
