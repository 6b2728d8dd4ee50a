# What the tests of `shardy build` share: PATH_OF_SHARDY and, if it is not files, the URL below which snapshots go. Sourced.
# shellcheck shell=sh disable=SC2034
SHARDY=$1
T=$(mktemp -d) || exit 1
trap 'rm -rf "$T"' EXIT
OUT=${2:-$T/snapshots}
export HOME="$T/home" XDG_CACHE_HOME="$T/cache"
mkdir "$HOME"
unset SHARDY_CURRENT SHARDY_CONFIG SHARDY_CREDENTIALS NO_COLOR
checks=0
failures=0

fail() {
    failures=$((failures + 1))
    echo "FAIL: $what: $1"
    sed 's/^/  out: /' "$T/out" | cut -c1-400 | head -20
    sed 's/^/  err: /' "$T/err" | cut -c1-400 | head -20
}

# run ARGUMENTS...: leaves $T/out, $T/err and $code. $T/in is standard input.
: >"$T/in"
run() {
    what="shardy $*"
    "$SHARDY" "$@" <"$T/in" >"$T/out" 2>"$T/err"
    code=$?
}

# build NAME INPUT... [FLAGS]: to $OUT/NAME
build() {
    name=$1
    shift
    run build "$@" --output "$OUT/$name"
}

# check WHAT COMMAND...: the command succeeds
check() {
    told=$1
    shift
    checks=$((checks + 1))
    "$@" || fail "$told"
}

ends() { check "ended with $code, not $1" [ "$code" = "$1" ]; }
holds() { check "$(basename "$2") does not hold: $1" grep -qF -- "$1" "$2"; }

# refused CODE TEXT: it failed so, said TEXT, and there is no snapshot of that name
refused() {
    ends "$1"
    holds "$2" "$T/err"
    check "a result on standard output" [ ! -s "$T/out" ]
    "$SHARDY" -u "$OUT/$name" info >"$T/info" 2>&1
    check "something was published" [ $? = 1 ]
}
