# Benchmarks against LMDB, libsqlite3, sqlite-vec, faiss, SlateDB, LanceDB, cel-expr-python and scikit-learn, and of the Python package. Sourced.
# shellcheck shell=sh

bench_venv=build/bench-venv
bench_data=build/bench-data

# The peers that come from PyPI, in an environment of their own.
bench_install_peers() {
    [ -x "$bench_venv/bin/pip" ] || /usr/bin/python3 -m venv "$bench_venv" || return 1
    "$bench_venv/bin/pip" install --quiet --disable-pip-version-check sqlite-vec || return 1
    "$bench_venv/bin/pip" install --quiet --disable-pip-version-check --upgrade faiss-cpu
}

# bench_install_in VENV REQUIREMENT...: peers that need an environment of their own.
bench_install_in() {
    bench_own_venv=$1
    shift
    [ -x "$bench_own_venv/bin/pip" ] || /usr/bin/python3 -m venv "$bench_own_venv" || return 1
    "$bench_own_venv/bin/pip" install --quiet --disable-pip-version-check --upgrade "$@"
}

# bench_prepare_part PART: one that a package of its own writes, and reads as the peer.
bench_prepare_part() {
    case $1 in
        slatedb-*) bench_wanted="slatedb==${1#slatedb-}.*" bench_own=$1 ;;
        lance) bench_wanted='lancedb numpy' bench_own=lancedb ;;
        cel) bench_wanted='cel-expr-python xxhash' bench_own=cel ;;
        kmeans) bench_wanted='scikit-learn' bench_own=kmeans ;;
    esac
    # shellcheck disable=SC2086 # a list of names
    quietly "$bench_wanted from PyPI in $bench_venv-$bench_own" bench_install_in "$bench_venv-$bench_own" $bench_wanted ||
        die 'the peers could not be installed'
    case $1 in cel | kmeans) return 0 ;; esac # their rows are made as they are needed
    quietly "$1 in $bench_data" "$bench_venv-$bench_own/bin/python3" bench/make_data.py "$bench_data" "$1" ||
        die 'the data could not be made'
}

# The parts of the data that the named benchmarks need, made where they are not there already.
bench_prepare() {
    bench_parts=$(build/shf-bench --parts "$@" | tr ' ' '\n' | sort -u) || die 'no such benchmark'
    bench_python=/usr/bin/python3 bench_shared='' bench_own_parts=''
    for bench_part in $bench_parts; do
        case $bench_part in
            slatedb-* | lance | cel | kmeans) bench_own_parts="$bench_own_parts $bench_part" ;;
            *) bench_shared="$bench_shared $bench_part" ;;
        esac
    done
    # What the Python package is measured with has a part of its own.
    case " $(echo "$bench_parts" | tr '\n' ' ') " in *' py '*) python_install ;; esac
    case $bench_parts in
        *vectors*)
            quietly "sqlite-vec and faiss from PyPI in $bench_venv" bench_install_peers || die 'the peers could not be installed'
            bench_python=$bench_venv/bin/python3
            ;;
    esac
    # shellcheck disable=SC2086 # a list of names
    quietly "snapshots in $bench_data" "$bench_python" bench/make_data.py "$bench_data" $bench_shared ||
        die 'the data could not be made'
    # These last: lance holds the vectors of another part.
    for bench_part in $bench_own_parts; do bench_prepare_part "$bench_part"; done
}

# bench_run OPTION... [NAME...]
bench_run() {
    build/shf-bench --data "$bench_data" --python "$bench_venv/bin/python3" --package "$python_venv/bin/python3" \
        --venvs "$bench_venv" "$@"
}

bench_build() {
    # shellcheck disable=SC2086 # a list of names
    need $packages_bench
    # A build directory that has the tests keeps them.
    bench_tests=OFF
    grep -qs '^SHF_BUILD_TESTS:BOOL=ON' build/CMakeCache.txt && bench_tests=ON
    quietly 'built build/shf-bench' build_in build -DCMAKE_BUILD_TYPE="$build_type" -DSHF_BUILD_TESTS="$bench_tests" \
        -DSHF_BUILD_BENCH=ON || die 'the build failed'
    [ "$build_type" = RelWithDebInfo ] || [ "$build_type" = Release ] ||
        note "a $build_type build: its figures say nothing about the library"
}

# ./dev bench [NAME...]: those whose name begins so.
verb_bench() {
    bench_build
    bench_prepare "$@"
    say 'Taking turns, several rounds each; a ratio above 1 means that ours is better'
    bench_run "$@" || die 'a benchmark failed'
}

verb_bench_json() {
    bench_build
    bench_prepare "$@"
    say 'Measuring, some minutes'
    bench_run --json build/bench.json "$@" || die 'a benchmark failed'
    good 'build/bench.json (plots and table of docs/: python3 bench/report.py build/bench.json docs)'
}
