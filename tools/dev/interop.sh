# Other projects' real packages: what they write is read here, what is built here is read by them. Sourced.
# shellcheck shell=sh

# Released versions that PyPI has working wheels of, oldest to newest; the newest alone in ./dev ci. Those of LanceDB are the
# ones that differ in what they write. An environment of LanceDB takes some 450 MB of build/.
interop_sqlite_vec_newest=0.1.9
interop_sqlite_vec="0.1.0 0.1.1 0.1.2 0.1.3 0.1.5 0.1.6 0.1.7 0.1.8 $interop_sqlite_vec_newest"
interop_slatedb_project=0.13.1 # which the Python project writes with
interop_slatedb_newest=0.17.0
interop_slatedb="0.12.1 $interop_slatedb_project 0.14.1 0.15.0 0.16.0 $interop_slatedb_newest"
interop_lancedb_newest=0.40.0
interop_lancedb="0.17.0 0.24.2 0.25.3 0.27.1 0.30.2 0.33.0 0.38.0 $interop_lancedb_newest"
# What all of those were seen to work with, the oldest too, whose own limits would let anything in.
interop_lancedb_needs='numpy==2.4.6 overrides==7.7.0 pyarrow==26.0.1 pydantic==2.14.4 xxhash'

# interop_environment PACKAGE VERSION: a virtual environment with it, made once. Debian's own python3, since it loads SQLite
# extensions.
interop_environment() {
    interop_venv=$root/build/interop-venv-$1-$2
    interop_packages="$1==$2"
    case $1 in
        sqlite-vec) interop_packages="$interop_packages pyyaml xxhash" ;;
        lancedb)
            interop_packages="$interop_packages $interop_lancedb_needs"
            [ "$2" != "$interop_lancedb_newest" ] || interop_packages="$interop_packages slatedb==$interop_slatedb_newest"
            ;;
        *) interop_packages="$interop_packages xxhash" ;;
    esac
    [ "$(cat "$interop_venv/complete" 2>/dev/null)" = "$interop_packages" ] && return 0
    rm -rf "$interop_venv"
    # shellcheck disable=SC2086 # a list of names
    /usr/bin/python3 -m venv "$interop_venv" &&
        "$interop_venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: $interop_packages &&
        echo "$interop_packages" >"$interop_venv/complete"
}

# interop PACKAGE VERSION SCRIPT [ARGUMENT...]
interop() {
    interop_environment "$1" "$2" || return 1
    interop_script=$3
    shift 3
    "$interop_venv/bin/python" "tests/interop/$interop_script" build/shardy "$@"
}

# interop_leg RUNNER WHAT COMMAND...: and what a version could not write, which is no failure.
interop_leg() {
    "$@"
    grep -s ': skipped: ' "$scratch/quietly.log" || :
}

# interop_legs RUNNER PACKAGE VERSION...: RUNNER is given what each script shows, and the call of it.
interop_legs() {
    interop_runner=$1
    interop_package=$2
    shift 2
    for interop_version; do
        set -- "$interop_package" "$interop_version"
        case $1 in
            sqlite-vec)
                interop_leg "$interop_runner" "reads what sqlite-vec $2 writes" interop "$@" sqlite_vec_peer.py
                interop_leg "$interop_runner" "sqlite-vec $2 reads what is built" interop "$@" sqlite_vec_reads.py
                ;;
            slatedb) interop_leg "$interop_runner" "reads what SlateDB $2 writes" interop "$@" slatedb_writes.py ;;
            lancedb)
                interop_leg "$interop_runner" "reads what LanceDB $2 writes, with keys in SQLite" interop "$@" lancedb_writes.py
                [ "$2" != "$interop_lancedb_newest" ] ||
                    interop_leg "$interop_runner" "reads what LanceDB $2 and SlateDB $interop_slatedb_newest write" \
                        interop "$@" lancedb_writes.py --slatedb
                ;;
        esac
    done
}

interop_newest_legs() {
    interop_legs "$1" sqlite-vec "$interop_sqlite_vec_newest"
    interop_legs "$1" slatedb "$interop_slatedb_project" "$interop_slatedb_newest"
    interop_legs "$1" lancedb "$interop_lancedb_newest"
}

# interop_all_legs RUNNER [PACKAGE...]
interop_all_legs() {
    interop_with=$1
    shift
    for interop_name; do
        # shellcheck disable=SC2086 # lists of versions
        case $interop_name in
            sqlite-vec) interop_legs "$interop_with" sqlite-vec $interop_sqlite_vec ;;
            slatedb) interop_legs "$interop_with" slatedb $interop_slatedb ;;
            lancedb) interop_legs "$interop_with" lancedb $interop_lancedb ;;
            sqlite-vec==* | slatedb==* | lancedb==*) interop_legs "$interop_with" "${interop_name%%==*}" "${interop_name#*==}" ;;
            *) die "no such package here: $interop_name (sqlite-vec, slatedb or lancedb, and ==VERSION if wanted)" ;;
        esac
    done
}

interop_must() { quietly "$@" || die 'what one side wrote, the other does not find'; }

# interop_python_project ARGUMENT...: the Python project reads what was built, where its package is: in the environment
# of the newest version, or in the Python that SHF_PYTHON_PROJECT names.
interop_python_project() {
    interop_environment sqlite-vec "$interop_sqlite_vec_newest" &&
        SHF_VERSITYGW=$s3server SHF_SHARED=$shared "$interop_venv/bin/python" \
            tests/interop/python_project_reads.py "$@"
}

# Else it prints a line that says that this leg did not run.
interop_python_project_is_there() {
    interop_result=0
    interop_python_project --there || interop_result=$?
    [ "$interop_result" -ne 77 ]
}

# interop_python_parity SCRIPT ARGUMENT...: the package in build/venv and the Python project, taken as above, do the same.
interop_python_parity() {
    interop_environment sqlite-vec "$interop_sqlite_vec_newest" || return 1
    interop_script=$1
    shift
    SHF_VERSITYGW=$s3server SHF_SHARED=$shared "$interop_venv/bin/python" "tests/interop/$interop_script" "$@"
}

interop_python_parity_is_there() {
    interop_result=0
    interop_python_parity python_parity.py --there || interop_result=$?
    [ "$interop_result" -ne 77 ]
}

# interop_parity_legs RUNNER: and what they did not compare, and which differences were expected.
interop_parity_legs() {
    "$1" 'the example of the Python project gets the same from both packages' \
        interop_python_parity python_parity_example.py "$python_venv/bin/python" build/with_s3_server build/shardy
    "$1" 'the Python project finds the vectors that our Python package wrote' \
        interop_python_parity python_parity_written.py "$python_venv/bin/python" build/with_s3_server
    "$1" 'our Python package and the Python project give the same answers' \
        interop_python_parity python_parity.py "$python_venv/bin/python" build/with_s3_server
    grep -s -e ': not compared: ' -e ' differ as expected: ' -e ' passed, ' "$scratch/quietly.log" || :
}

verb_interop() {
    # shellcheck disable=SC2086 # a list of names
    need $packages_build $packages_interop
    verb_build
    if [ $# -gt 0 ]; then
        interop_all_legs interop_must "$@"
        return
    fi
    interop_all_legs interop_must sqlite-vec slatedb lancedb
    interop_python_project_is_there || return 0
    # shellcheck disable=SC2086 # lists of names
    need $packages_test $packages_python
    s3server_build_behind
    build ON
    s3server_wait || die 'reading from S3 needs the S3 server'
    quietly 'the Python project reads what is built' interop_python_project build/shardy build/with_s3_server ||
        die 'the peer finds something else than what was built'
    interop_python_parity_is_there || return 0
    python_install
    interop_parity_legs interop_must
}
