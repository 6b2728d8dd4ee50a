# Snapshots that other projects' real packages write, read here. Sourced.
# shellcheck shell=sh

# Oldest and newest that PyPI has a working wheel of; the newest alone in ./dev ci.
interop_newest=0.1.9
interop_versions="0.1.0 0.1.1 0.1.2 0.1.3 0.1.5 0.1.6 0.1.7 0.1.8 $interop_newest"

# interop_environment VERSION: a virtual environment with that sqlite-vec, made once. Debian's own python3, since it
# loads SQLite extensions.
interop_environment() {
    interop_venv=$root/build/interop-venv-$1
    [ -f "$interop_venv/complete" ] && return 0
    rm -rf "$interop_venv"
    /usr/bin/python3 -m venv "$interop_venv" &&
        "$interop_venv/bin/pip" install --quiet --disable-pip-version-check "sqlite-vec==$1" xxhash &&
        touch "$interop_venv/complete"
}

# interop VERSION...
interop() {
    for interop_version; do
        interop_environment "$interop_version" &&
            "$root/build/interop-venv-$interop_version/bin/python" tests/interop/sqlite_vec_peer.py build/shardy || return 1
    done
}

verb_interop() {
    # shellcheck disable=SC2086 # a list of names
    need $packages_build $packages_interop
    verb_build
    # shellcheck disable=SC2086 # a list of versions
    [ $# -gt 0 ] || set -- $interop_versions
    for interop_each; do
        quietly "reads what sqlite-vec $interop_each writes" interop "$interop_each" || die 'answers differ from the peer'
    done
}
