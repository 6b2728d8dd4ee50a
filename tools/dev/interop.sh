# Other projects' real packages: what they write is read here, what is built here is read by them. Sourced.
# shellcheck shell=sh

# Oldest and newest that PyPI has a working wheel of; the newest alone in ./dev ci.
interop_newest=0.1.9
interop_versions="0.1.0 0.1.1 0.1.2 0.1.3 0.1.5 0.1.6 0.1.7 0.1.8 $interop_newest"

# interop_environment VERSION: a virtual environment with that sqlite-vec, made once. Debian's own python3, since it
# loads SQLite extensions.
interop_environment() {
    interop_venv=$root/build/interop-venv-$1
    interop_packages="sqlite-vec==$1 xxhash pyyaml"
    [ "$(cat "$interop_venv/complete" 2>/dev/null)" = "$interop_packages" ] && return 0
    rm -rf "$interop_venv"
    # shellcheck disable=SC2086 # a list of names
    /usr/bin/python3 -m venv "$interop_venv" &&
        "$interop_venv/bin/pip" install --quiet --disable-pip-version-check $interop_packages &&
        echo "$interop_packages" >"$interop_venv/complete"
}

# interop SCRIPT VERSION...
interop() {
    interop_script=$1
    shift
    for interop_version; do
        interop_environment "$interop_version" &&
            "$root/build/interop-venv-$interop_version/bin/python" "tests/interop/$interop_script" build/shardy || return 1
    done
}

# interop_python_project ARGUMENT...: the Python project reads what was built, where its package is: in the environment
# of the newest version, or in the Python that SHF_PYTHON_PROJECT names.
interop_python_project() {
    interop_environment "$interop_newest" &&
        SHF_VERSITYGW=$s3server SHF_SHARED=$shared "$root/build/interop-venv-$interop_newest/bin/python" \
            tests/interop/python_project_reads.py "$@"
}

# Else it prints a line that says that this leg did not run.
interop_python_project_is_there() {
    interop_result=0
    interop_python_project --there || interop_result=$?
    [ "$interop_result" -ne 77 ]
}

verb_interop() {
    # shellcheck disable=SC2086 # a list of names
    need $packages_build $packages_interop
    verb_build
    # shellcheck disable=SC2086 # a list of versions
    [ $# -gt 0 ] || set -- $interop_versions
    for interop_each; do
        quietly "reads what sqlite-vec $interop_each writes" interop sqlite_vec_peer.py "$interop_each" ||
            die 'answers differ from the peer'
        quietly "sqlite-vec $interop_each reads what is built" interop sqlite_vec_reads.py "$interop_each" ||
            die 'the peer finds something else than what was built'
    done
    interop_python_project_is_there || return 0
    # shellcheck disable=SC2086 # a list of names
    need $packages_test
    s3server_build_behind
    build ON
    s3server_wait || die 'reading from S3 needs the S3 server'
    quietly 'the Python project reads what is built' interop_python_project build/shardy build/with_s3_server ||
        die 'the peer finds something else than what was built'
}
