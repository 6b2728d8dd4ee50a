#!/bin/sh
# The recorded snapshots of the Python project through the program conformance, in place or on an S3 server.
# Usage: run.sh DIRECTORY file|s3 [NAME=VALUE]; DIRECTORY holds the programs. Without the snapshots (SHF_SHARED says
# where they are) or the server it ends with 77, which ctest counts as skipped.
set -u
build=$1
place=$2
[ $# -lt 3 ] || export "${3?}"
cases=${SHF_SHARED:-../shared}/fixtures/peer
if [ ! -d "$cases" ]; then
    echo "SKIP: no recorded snapshots at $cases (set SHF_SHARED)"
    exit 77
fi
cases=$(cd "$cases" && pwd)
set -f # the patterns are for the programs
set -- 'unified-*' 'kv-sqlite-*' 'history-*' 'fallback-*' 'current-*' 'retried-shard*' 'kv-slatedb-*' kv-local-slatedb 'composite-*' 'cel-*' 'vector-*'
case $place in
    file) exec "$build/conformance" "$cases" "file://$cases" "$@" ;;
    # Not the bucket that they were written to, and below another prefix.
    s3) exec "$build/with_s3_server" "$cases" copied other/place "$@" -- \
        "$build/conformance" "$cases" s3://copied/other/place "$@" ;;
esac
exit 2
