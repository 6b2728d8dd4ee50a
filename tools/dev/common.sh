# Messages, logs and clean-up, for ./dev. Sourced.
# shellcheck shell=sh

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    bold=$(printf '\033[1m') dim=$(printf '\033[2m') red=$(printf '\033[31m') green=$(printf '\033[32m')
    cyan=$(printf '\033[36m') plain=$(printf '\033[0m') on_terminal=1
else
    bold='' dim='' red='' green='' cyan='' plain='' on_terminal=''
fi

jobs=${JOBS:-$(nproc 2>/dev/null || echo 2)}
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/shardyfusion-dev

say() { printf '%s==>%s %s\n' "$cyan" "$plain" "$*"; }
good() { printf '%s ok%s %s\n' "$green" "$plain" "$*"; }
bad() { printf '%sbad%s %s\n' "$red" "$plain" "$*"; }
note() { printf '%s    %s%s\n' "$dim" "$*" "$plain"; }
die() {
    printf '%serror:%s %s\n' "$red" "$plain" "$*" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Temporary files and background processes of this run; all gone at its end, whatever ends it.
scratch=''
children='' # process ids; -ID means the group
scratch_make() {
    [ -n "$scratch" ] || scratch=$(mktemp -d "${TMPDIR:-/tmp}/shardyfusion-dev.XXXXXX")
}
at_end() {
    status=$?
    trap - EXIT
    for child in $children; do
        kill -s TERM -- "$child" 2>/dev/null || continue # -s: dash takes no -- after -TERM
        wait "${child#-}" 2>/dev/null || :
    done
    [ -z "$scratch" ] || rm -rf "$scratch"
    exit "$status"
}
trap at_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

now() { date +%s; }

# quietly WHAT COMMAND...: shows one line with the time it took; the whole output only when the command fails.
quietly() {
    what=$1
    shift
    scratch_make
    started=$(now)
    [ -z "$on_terminal" ] || printf '%s  .%s %s ...' "$dim" "$plain" "$what"
    if "$@" >"$scratch/quietly.log" 2>&1 </dev/null; then
        [ -z "$on_terminal" ] || printf '\r\033[K'
        good "$what ${dim}($(($(now) - started)) s)${plain}"
        return 0
    fi
    [ -z "$on_terminal" ] || printf '\r\033[K'
    bad "$what; the end of what it printed:"
    tail -n 40 "$scratch/quietly.log" >&2
    return 1
}
