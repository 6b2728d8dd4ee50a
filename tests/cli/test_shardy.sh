#!/bin/sh
# The program shardy over a snapshot: exact standard output, standard error and exit codes.
# Usage: test_shardy.sh PATH_OF_SHARDY, from the root of the repository.
# shellcheck disable=SC2086,SC2015
set -u
SHARDY=$1
SAMPLE=tests/data/packages-1k
PEER=${SHF_SHARED:-../shared}/fixtures/peer
RUN=d597585d196845f8875aba3ba5395387
T=$(mktemp -d) || exit 1
trap 'rm -rf "$T"' EXIT
export HOME="$T/home" XDG_CACHE_HOME="$T/cache"
mkdir "$HOME"
unset SHARDY_CURRENT SHARDY_CONFIG SHARDY_CREDENTIALS NO_COLOR
checks=0
failures=0

# run ARGUMENTS...: leaves $T/out, $T/err and $code. Times and the place of the repository are made alike.
run() {
    "$SHARDY" "$@" <"$T/in" >"$T/raw" 2>"$T/rawerr"
    code=$?
    what="shardy $*"
    for file in raw rawerr; do
        sed -E -e "s|$PWD|@|g" -e "s|$T|%|g" -e 's/"(latency|current|manifest|shards|search)_ms": ?[0-9.e-]+/"\1_ms":T/g' \
            -e 's/[0-9]+\.[0-9]{3} ms/T ms/g' -e 's/(manifest_age_seconds"?[=:] ?)[0-9.e+]+/\1T/' \
            "$T/$file" >"$T/${file#raw}x"
    done
    mv "$T/x" "$T/out"
    mv "$T/errx" "$T/err"
}
: >"$T/in"

fail() {
    failures=$((failures + 1))
    echo "FAIL: $what: $1"
    sed 's/^/  out: /' "$T/out" | head -20
    sed 's/^/  err: /' "$T/err" | head -20
}

# is CODE OUT ERR: exactly these (newlines at the end apart)
is() {
    checks=$((checks + 1))
    if [ "$code" != "$1" ]; then fail "ended with $code, not $1"; return; fi
    if [ "$(cat "$T/out")" != "$2" ]; then
        fail "standard output is not"
        printf '%s\n' "$2" | sed 's/^/ want: /'
        return
    fi
    if [ "$(cat "$T/err")" != "$3" ]; then
        fail "standard error is not"
        printf '%s\n' "$3" | sed 's/^/ want: /'
    fi
}

# usage PART ARGUMENTS...: wrong usage, with PART in the message
usage() {
    part=$1
    shift
    run "$@"
    checks=$((checks + 1))
    if [ "$code" != 2 ] || [ -s "$T/out" ]; then fail "not a usage error"; return; fi
    if ! head -1 "$T/err" | grep -qF -- "error: $part"; then fail "does not say: $part"; fi
    if ! tail -1 "$T/err" | grep -q '^try: shardy'; then fail "does not name --help"; fi
}

# holds TEXT FILE
holds() {
    checks=$((checks + 1))
    grep -qF -- "$1" "$2" || fail "$(basename "$2") does not hold: $1"
}

DUF='{"version": "0.8.1-1+b6", "section": "utils", "summary": "Disk Usage/Free Utility", "homepage": "https://github.com/muesli/duf", "installed_kb": 2169, "description": "Simple Disk Usage/Free Utility."}'
DUF_JSON=$(printf '%s' "$DUF" | sed 's/"/\\"/g')
DUF_BASE64=$(printf '%s' "$DUF" | base64 -w0)
DUF_HEX=$(printf '%s' "$DUF" | od -An -v -tx1 | tr -d ' \n')
u="-u $SAMPLE"

# ---- get ----
run $u get duf
is 0 "{\"op\":\"get\",\"key\":\"duf\",\"found\":true,\"value\":\"$DUF_BASE64\"}" ""
run get duf $u --value-encoding utf8
is 0 "{\"op\":\"get\",\"key\":\"duf\",\"found\":true,\"value\":\"$DUF_JSON\"}" ""
run get duf $u --value-encoding hex --output-format text
is 0 "duf=$DUF_HEX" ""
run $u get duf --value-encoding utf8 --output-format json
is 0 "{
  \"op\": \"get\",
  \"key\": \"duf\",
  \"found\": true,
  \"value\": \"$DUF_JSON\"
}" ""
run $u get duf --value-encoding utf8 --output-format table
is 0 "KEY  VALUE
-----$(printf '%s' "$DUF" | tr -c '' '-')
duf  $DUF" ""
run $u get duf --raw
is 0 "$DUF" ""
run $u get no-such-package
is 0 '{"op":"get","key":"no-such-package","found":false,"value":"null"}' ""
run $u get no-such-package --strict
is 1 '{"op":"get","key":"no-such-package","found":false,"value":"null"}' ""
run $u get no-such-package --strict --output-format text
is 1 'no-such-package=null' ""
run $u get no-such-package --raw --strict
is 1 "" ""
run $u get 'né
w' --output-format text
is 0 'né\nw=null' ""
run $u get -- --help
is 0 '{"op":"get","key":"--help","found":false,"value":"null"}' ""
run $u get 647566 --key-format hex --output-format text --value-encoding hex
is 0 "647566=$DUF_HEX" ""
run $u get ZHVm --key-format base64
is 0 "{\"op\":\"get\",\"key\":\"ZHVm\",\"found\":true,\"value\":\"$DUF_BASE64\"}" ""
run $u get '"d\u0075f"' --key-format json
is 0 "{\"op\":\"get\",\"key\":\"d\\u0075f\",\"found\":true,\"value\":\"$DUF_BASE64\"}" ""
run $u get xyz --key-format hex
is 1 "" "{\"op\":\"get\",\"error\":\"key 'xyz' is not hex (pairs of digits)\",\"key\":\"xyz\"}"
run $u get xyz --key-format hex --output-format text
is 1 "" "error: key 'xyz' is not hex (pairs of digits)"
run $u get duf --routing-context lang=de --routing-context year=2026
is 0 "{\"op\":\"get\",\"key\":\"duf\",\"found\":true,\"value\":\"$DUF_BASE64\"}" ""
run -u "file://$PWD/$SAMPLE/_CURRENT" get duf --strict --raw
is 0 "$DUF" ""
run -u "$PWD/$SAMPLE/" get duf --timeout 5 --max-concurrency 1 --memory-budget 100000000 --raw
is 0 "$DUF" ""
SHARDY_CURRENT=$SAMPLE run get duf --raw
is 0 "$DUF" ""

# ---- multiget ----
ABC="{\"op\":\"multiget\",\"results\":[{\"key\":\"duf\",\"found\":true,\"value\":\"$DUF_BASE64\"},{\"key\":\"nope\",\"found\":false},{\"key\":\"duf\",\"found\":true,\"value\":\"$DUF_BASE64\"}]}"
run $u multiget duf nope duf
is 0 "$ABC" ""
printf 'duf\nnope\nduf' >"$T/in"
run $u multiget -
is 0 "$ABC" ""
run $u multiget - --flat
is 0 "{\"key\":\"duf\",\"found\":true,\"value\":\"$DUF_BASE64\"}
{\"key\":\"nope\",\"found\":false,\"value\":null}
{\"key\":\"duf\",\"found\":true,\"value\":\"$DUF_BASE64\"}" ""
run $u multiget - --flat --output-format text --value-encoding utf8
is 0 "duf=$DUF
nope=null
duf=$DUF" ""
run $u multiget nope naught --output-format table
is 0 "KEY     VALUE
-------------
nope    null
naught  null" ""
run $u multiget nope naught --output-format text
is 0 "nope=null
naught=null" ""
run $u multiget nope --output-format json
is 0 '{
  "op": "multiget",
  "results": [
    {
      "key": "nope",
      "found": false
    }
  ]
}' ""
printf '"duf"\nbad\n\n"nope"\n7\n' >"$T/in"
run $u multiget - --flat --key-format json
is 1 "{\"key\":\"duf\",\"found\":true,\"value\":\"$DUF_BASE64\"}
{\"op\":\"multiget\",\"error\":\"key 'bad' is not a JSON string or 64-bit integer\",\"key\":\"bad\"}
{\"op\":\"multiget\",\"error\":\"key '' is not a JSON string or 64-bit integer\",\"key\":\"\"}
{\"key\":\"nope\",\"found\":false,\"value\":null}
$(tail -1 "$T/out")" ""
holds '{"op":"multiget","error":"' "$T/out"
checks=$((checks + 1))
tail -1 "$T/out" | grep -q '"key":7}$' || fail "the key of the wrong kind has no error in its place"
run $u multiget - --key-format json
is 1 "" "{\"op\":\"multiget\",\"error\":\"key 'bad' is not a JSON string or 64-bit integer\",\"key\":\"bad\"}"
: >"$T/in"
run $u multiget -
is 0 '{"op":"multiget","results":[]}' ""
run $u multiget - --flat
is 0 "" ""
seq 1 5000 | sed 's/^/key-/' >"$T/in"
run $u multiget - --flat
checks=$((checks + 1))
sed 's/.*/{"key":"&","found":false,"value":null}/' "$T/in" | cmp -s - "$T/out" || fail "5,000 absent keys"
: >"$T/in"

# ---- search ----
like() { run $u search --like nginx --top-k 2 "$@"; }
like
is 0 '{"op":"search","top_k":2,"num_shards_queried":2,"latency_ms":T,"results":[{"id":"nginx","score":0.0,"payload":{"section":"httpd","summary":"small, powerful, scalable web/proxy server"}},{"id":"nginx-light","score":0.05449720973025607,"payload":{"section":"httpd","summary":"nginx web/proxy server (basic version)"}}]}' ""
like --output-format text
is 0 'id=nginx score=0.000000 {"section":"httpd","summary":"small, powerful, scalable web/proxy server"}
id=nginx-light score=0.054497 {"section":"httpd","summary":"nginx web/proxy server (basic version)"}' ""
like --output-format table
is 0 'ID              SCORE  SECTION  SUMMARY
--------------------------------------------------------------------------
nginx        0.000000  httpd    small, powerful, scalable web/proxy server
nginx-light  0.054497  httpd    nginx web/proxy server (basic version)' ""
like --output-format json
is 0 '{
  "op": "search",
  "top_k": 2,
  "num_shards_queried": 2,
  "latency_ms":T,
  "results": [
    {
      "id": "nginx",
      "score": 0.0,
      "payload": {"section":"httpd","summary":"small, powerful, scalable web/proxy server"}
    },
    {
      "id": "nginx-light",
      "score": 0.05449720973025607,
      "payload": {"section":"httpd","summary":"nginx web/proxy server (basic version)"}
    }
  ]
}' ""
like --explain --output-format text
checks=$((checks + 1))
[ "$(tail -2 "$T/out")" = 'plan: exact scan of 1000 rows in 2 of 2 shards, 384 dimensions, cosine
time: _CURRENT T ms, manifest T ms, shards T ms (2 opened, 0 bytes downloaded), search T ms' ] || fail "no plan"
like --explain --exact
holds '],"explain":{"plan":"exact scan","metric":"cosine","dimension":384,"num_dbs":2,"num_shards_queried":2,"rows_scanned":1000,"current_ms":T,"manifest_ms":T,"shards_ms":T,"search_ms":T,"shards_opened":2,"downloaded_bytes":0}}' "$T/out"
like --shard-ids ""
is 0 '{"op":"search","top_k":2,"num_shards_queried":0,"latency_ms":T,"results":[]}' ""
run $u search --like no-such-id
holds '{"op":"search","error":"' "$T/err"
holds '"key":"no-such-id"}' "$T/err"
is 1 "" "$(cat "$T/err")"
run $u search 1,2,3
holds '384' "$T/err"
is 1 "" "$(cat "$T/err")"
run $u search 1,x
is 1 "" "{\"op\":\"search\",\"error\":\"QUERY: 'x' is not a number (floats separated by commas are wanted, as in 0.1,-2)\"}"
run $u search --like nginx --shard-ids 2
is 1 "" "$(cat "$T/err")"
holds '"op":"search","error":"' "$T/err"

# Recorded queries: ids in their order and distances, by every form of a query.
head -3 tests/data/packages-1k-queries.jsonl >"$T/in"
run $u search --queries - --top-k 3
checks=$((checks + 1))
[ "$code" = 0 ] && [ "$(wc -l <"$T/out")" = 3 ] || fail "not three answers"
holds '"results":[{"id":"ncdu","score":0.388760843278142' "$T/out"
cp "$T/out" "$T/three"
run $u search --queries tests/data/packages-1k-queries.jsonl
checks=$((checks + 1))
[ "$code" = 0 ] || fail "the recorded queries"
ids() { grep -oE '"id":"[^"]*"' "$1"; }
ids "$T/out" >"$T/ids"
ids tests/data/packages-1k-answers.jsonl | cmp -s - "$T/ids" || fail "other rows than the recorded ones"
: >"$T/in"

# A float32 .npy of two rows, made of the recorded queries.
npy() { # HEADER FILE: prefix and header, padded to 128 bytes
    printf '\223NUMPY\001\000\166\000' >"$2"
    printf '%-117s\n' "$1" >>"$2"
}
base64_of() { sed -n "$1p" tests/data/packages-1k-queries.jsonl | sed -E 's/.*"vector_base64": ?"([^"]*)".*/\1/' | base64 -d; }
npy "{'descr': '<f4', 'fortran_order': False, 'shape': (384,), }" "$T/one.npy"
base64_of 3 >>"$T/one.npy"
npy "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 384), }" "$T/two.npy"
{ base64_of 1; base64_of 3; } >>"$T/two.npy"
run $u search --vector-file "$T/one.npy" --top-k 2 --output-format text
is 0 'id=ncdu score=0.388761 {"section":"admin","summary":"ncurses disk usage viewer"}
id=duf score=0.452259 {"section":"utils","summary":"Disk Usage/Free Utility"}' ""
run $u search --queries "$T/two.npy" --top-k 2 --output-format text
is 0 '# query 0
id=lighttpd score=0.528852 {"section":"httpd","summary":"fast webserver with minimal memory footprint"}
id=apache2-bin score=0.564019 {"section":"httpd","summary":"Apache HTTP Server (modules and other binary files)"}

# query 1
id=ncdu score=0.388761 {"section":"admin","summary":"ncurses disk usage viewer"}
id=duf score=0.452259 {"section":"utils","summary":"Disk Usage/Free Utility"}' ""
run $u search --queries "$T/two.npy" --top-k 1 --output-format table
is 0 'query 0
ID           SCORE  SECTION  SUMMARY
-------------------------------------------------------------------------
lighttpd  0.528852  httpd    fast webserver with minimal memory footprint

query 1
ID       SCORE  SECTION  SUMMARY
--------------------------------------------------
ncdu  0.388761  admin    ncurses disk usage viewer' ""
run $u search --queries "$T/two.npy" --top-k 1 --output-format json
checks=$((checks + 1))
[ "$(head -1 "$T/out")$(tail -1 "$T/out")" = '[]' ] || fail "json of many is not an array"
run $u search --vector-file "$T/two.npy"
is 1 "" '{"op":"search","error":"%/two.npy: 2 vectors; --vector-file wants one, --queries takes many"}'
run $u search --vector-file "$T/missing.npy"
is 1 "" '{"op":"search","error":"%/missing.npy: No such file or directory"}'
head -c 1000 "$T/one.npy" >"$T/cut.npy"
run $u search --vector-file "$T/cut.npy" --output-format text
is 1 "" "error: %/cut.npy: it is cut short: 1 rows do not fit into 1000 bytes"

# Wrong queries have their error in place, the others are answered.
{
    echo '{"vector":[1,2]}'
    sed -n 3p tests/data/packages-1k-queries.jsonl | sed 's/}$/,"note":"x"}/'
    echo 'nonsense'
    sed -n 3p tests/data/packages-1k-queries.jsonl | sed -E 's/"top_k": ?[0-9]+/"shard_ids":[9],"top_k":1/'
    sed -n 3p tests/data/packages-1k-queries.jsonl | sed -E 's/"top_k": ?[0-9]+/"shard_ids":[],"top_k":1/'
} >"$T/in"
run $u search --queries - --top-k 1
checks=$((checks + 1))
[ "$code" = 1 ] && [ "$(wc -l <"$T/out")" = 5 ] || fail "not five answers and 1"
checks=$((checks + 1))
[ "$(cut -c1-21 "$T/out" | tr '\n' ' ')" = '{"op":"search","error {"op":"search","top_k {"op":"search","error {"op":"search","error {"op":"search","top_k ' ] ||
    fail "errors are not in their places"
holds 'standard input: line 3: not JSON' "$T/out"
holds "warning: queries: unknown member 'note', ignored" "$T/err"
run $u search --queries - -q
checks=$((checks + 1))
[ ! -s "$T/err" ] || fail "-q is not quiet"
: >"$T/in"

# ---- info, shards, route, history, health ----
M="manifests/2026-11-22T07:29:27.503984Z_run_id=$RUN/manifest"
run $u info
is 0 "{\"op\":\"info\",\"run_id\":\"$RUN\",\"num_dbs\":2,\"sharding\":\"hash\",\"created_at\":\"2026-11-22T07:29:27.496636+00:00\",\"manifest_ref\":\"file://@/$SAMPLE/$M\",\"key_encoding\":\"utf8\",\"row_count\":1000,\"hash_algorithm\":\"xxh3_64\",\"kind\":\"unified\",\"published_at\":\"2026-11-22T07:29:27.503984+00:00\",\"vector_meta\":{\"dim\":384,\"metric\":\"cosine\",\"index_type\":\"hnsw\",\"quantization\":null,\"index_params\":{},\"backend\":\"sqlite-vec\",\"kv_backend\":\"sqlite-vec\"}}" ""
run $u info --output-format text
is 0 "run_id=$RUN
num_dbs=2
sharding=hash
created_at=2026-11-22T07:29:27.496636+00:00
manifest_ref=file://@/$SAMPLE/$M
key_encoding=utf8
row_count=1000
hash_algorithm=xxh3_64
kind=unified
published_at=2026-11-22T07:29:27.503984+00:00
vector_meta.dim=384
vector_meta.metric=cosine
vector_meta.index_type=hnsw
vector_meta.quantization=null
vector_meta.index_params={}
vector_meta.backend=sqlite-vec
vector_meta.kv_backend=sqlite-vec" ""
run $u info --output-format table
holds 'row_count                 1000' "$T/out"
run $u info --output-format json
holds '  "num_dbs": 2,' "$T/out"
D="s3://samples/packages-1k/shards/run_id=$RUN"
run $u shards
is 0 "{\"op\":\"shards\",\"shards\":[{\"db_id\":0,\"row_count\":491,\"min_key\":\"0ad\",\"max_key\":\"yard\",\"db_url\":\"$D/db=00000/attempt=00\",\"db_bytes\":1941504},{\"db_id\":1,\"row_count\":509,\"min_key\":\"abiword\",\"max_key\":\"yad\",\"db_url\":\"$D/db=00001/attempt=00\",\"db_bytes\":1945600}]}" ""
run $u shards --output-format text
is 0 'db_id=0 rows=491 min=0ad max=yard
db_id=1 rows=509 min=abiword max=yad' ""
run $u shards --output-format table
is 0 "SHARD  ROWS  MIN      MAX     BYTES  URL
$(printf '%0128d' 0 | tr 0 -)
    0   491  0ad      yard  1941504  $D/db=00000/attempt=00
    1   509  abiword  yad   1945600  $D/db=00001/attempt=00" ""
run $u route 0ad
is 0 '{"op":"route","key":"0ad","db_id":0}' ""
run $u route yad --output-format text
is 0 'yad -> shard 1' ""
run $u route yad --output-format table
is 0 'KEY  SHARD
----------
yad      1' ""
run $u history
is 0 "{\"op\":\"history\",\"manifests\":[{\"offset\":0,\"run_id\":\"$RUN\",\"published_at\":\"2026-11-22T07:29:27.503984+00:00\",\"ref\":\"file://@/$SAMPLE/$M\"}]}" ""
run $u history --limit 1 --output-format text
is 0 "offset=0 run_id=$RUN published_at=2026-11-22T07:29:27.503984+00:00 ref=file://@/$SAMPLE/$M" ""
run $u history --output-format table
holds "     0  $RUN  2026-11-22T07:29:27.503984+00:00  file://@/$SAMPLE/$M" "$T/out"
HEALTHY="\"manifest_ref\":\"file://@/$SAMPLE/$M\",\"manifest_age_seconds\":T,\"num_shards\":2,\"is_closed\":false}"
run $u health
is 0 "{\"op\":\"health\",\"status\":\"healthy\",$HEALTHY" ""
run $u health --staleness-threshold 0.001
is 1 "{\"op\":\"health\",\"status\":\"degraded\",$HEALTHY" ""
run $u health --output-format text
is 0 "status=healthy
manifest_ref=file://@/$SAMPLE/$M
manifest_age_seconds=T
num_shards=2
is_closed=false" ""
run -u "$T/nothing" health
is 2 "" "$(cat "$T/err")"
holds '{"op":"health","error":"' "$T/err"

# ---- pinned manifests ----
run $u --offset 0 get duf --raw
is 0 "$DUF" ""
run $u --ref "$M" get duf --raw
is 0 "$DUF" ""
run $u --offset 1 get duf
is 1 "" "$(cat "$T/err")"
holds '{"op":"get","error":"' "$T/err"
run $u --ref manifests/none/manifest get duf
is 1 "" "$(cat "$T/err")"
holds '{"op":"get","error":"' "$T/err"

# ---- where it is not ----
run -u "$T/nothing" get duf
is 1 "" "$(cat "$T/err")"
holds '_CURRENT' "$T/err"
run -u ftp://host/x get duf
is 1 "" "$(cat "$T/err")"
holds 'ftp://host/x' "$T/err"

# ---- configuration files ----
mkdir -p "$HOME/.config/shardy"
printf '[reader]\ncurrent_url = "%s"\nthread_safety = "lock"\ncolour = "x"\n[output]\nformat = "text"\nvalue_encoding = "hex"\nnull_repr = "(none)"\n' \
    "$PWD/$SAMPLE" >"$HOME/.config/shardy/reader.toml"
run get nope
is 0 "nope=(none)" "warning: %/home/.config/shardy/reader.toml: line 4: unknown key 'colour' in [reader], ignored"
run get duf -q
is 0 "duf=$DUF_HEX" ""
run get duf -q --output-format jsonl --value-encoding base64
is 0 "{\"op\":\"get\",\"key\":\"duf\",\"found\":true,\"value\":\"$DUF_BASE64\"}" ""
run get duf -v
holds 'note: %/home/.config/shardy/reader.toml: [reader] thread_safety has no effect here: one reader serves any number of threads' "$T/err"
holds 'this version has no range reads' "$T/err"
run get duf --sqlite-mode download -v
checks=$((checks + 1))
! grep -q 'range reads' "$T/err" || fail "speaks of range reads under download"
printf '[default]\naccess_key_id = "AK"\nsecret_access_key = "hush-hush"\n' >"$HOME/.config/shardy/credentials.toml"
chmod 644 "$HOME/.config/shardy/credentials.toml"
run get nope
holds 'warning: %/home/.config/shardy/credentials.toml: others than its owner may use this file (mode 0644): chmod 600 it' "$T/err"
chmod 600 "$HOME/.config/shardy/credentials.toml"
run get nope -vv
checks=$((checks + 1))
! grep -q 'hush-hush' "$T/out" "$T/err" || fail "a secret was printed"
printf '[reader]\ncredentials_profile = "prod"\n' >"$T/reader.toml"
run --config "$T/reader.toml" $u get nope
is 1 "" '{"op":"get","error":"%/home/.config/shardy/credentials.toml: there is no profile [prod]"}'
run --config "$T/reader.toml" --credentials "$T/none.toml" $u get nope
is 1 "" '{"op":"get","error":"%/none.toml: No such file or directory"}'
rm "$HOME/.config/shardy/credentials.toml"
run --config "$T/reader.toml" $u get nope
is 1 "" '{"op":"get","error":"%/reader.toml: credentials_profile is \"prod\", but there is no credentials.toml"}'
printf '[reader]\n\ncurrent_url = s3://b\n' >"$T/reader.toml"
run --config "$T/reader.toml" $u get nope --output-format text
is 1 "" "error: %/reader.toml: line 3: current_url: a value is \"text\", 'text', a decimal integer, true or false"
printf '[manifest_store]\nbackend = "postgres"\n' >"$T/reader.toml"
SHARDY_CONFIG=$T/reader.toml run $u get nope --output-format text
is 1 "" 'error: %/reader.toml: line 2: [manifest_store] backend "postgres" is not supported: this version reads manifests from the snapshot'"'"'s own store ("s3")'
rm -r "$HOME/.config"

# ---- usage ----
usage 'a command is missing'
usage "which snapshot?" get x
usage "the command 'verify' is not in this version of shardy" verify
usage "there is no command 'fetch'" fetch
usage "build needs --output URL" build rows.jsonl
usage "--backend composite is not in this version" build rows.jsonl --output x --backend composite
usage "--current-url is not a flag of build" build rows.jsonl --output x $u
usage "there is no flag --frob" get x --frob
usage "--ref and --offset exclude one another" $u info --ref a --offset 1
usage "--timeout: 'soon' is not a number of seconds" $u info --timeout soon
usage "--recall is not in this version" $u search 1 --recall 0.9
usage "--s3-option secret_access_key: other users can see the command line" $u info --s3-option secret_access_key=hush
usage "--s3-option colour: unknown" $u info --s3-option colour=red
usage "--s3-option max_attempts: '0' is not a number from 1 to 100" $u info --s3-option max_attempts=0
usage "--routing-context: 'x' is not KEY=VALUE" $u get a --routing-context x

# ---- help and version ----
run --help
checks=$((checks + 1))
[ "$code" = 0 ] && sed -n 3p "$T/out" | grep -q '^Examples:' || fail "help does not lead with examples"
for command in get multiget search info shards route health history build recall; do
    run $command --help
    checks=$((checks + 1))
    [ "$code" = 0 ] && head -1 "$T/out" | grep -q '^Example' && grep -q "^Usage: shardy $command" "$T/out" ||
        fail "help of $command"
done
run --version
checks=$((checks + 1))
[ "$code" = 0 ] && grep -qE '^shardy [0-9]+\.[0-9]+\.[0-9]+ \(libshardyfusion ' "$T/out" || fail "version"
run $u get nope --color always --output-format table
checks=$((checks + 1))
head -1 "$T/raw" | grep -q "$(printf '\033')\[1m" || fail "no colour with --color always"

# ---- pipes and interrupts ----
seq 1 200000 | "$SHARDY" $u multiget - --flat 2>"$T/err" | head -1 >"$T/out"
what="multiget | head"
is 0 '{"key":"1","found":false,"value":null}' ""
what="multiget, one key at a time"
mkfifo "$T/keys" "$T/answers"
"$SHARDY" $u multiget - --flat --output-format text <"$T/keys" >"$T/answers" 2>"$T/err" &
pid=$!
exec 3>"$T/keys" 4<"$T/answers"
code=0
: >"$T/out"
for key in a b; do
    echo "no-$key" >&3
    read -r answer <&4 || code=1
    echo "$answer" >>"$T/out"
done
is 0 "no-a=null
no-b=null" ""
# A shell starts background jobs with SIGINT ignored, so this one gets SIGTERM; they share the way.
kill -TERM $pid
wait $pid
code=$?
: >"$T/out"
what="multiget, terminated while it waits for keys"
is 143 "" ""
exec 3>&- 4<&-
if [ $((0x$(sed -n 's/^SigIgn:[^0-9a-f]*//p' /proc/self/status) & 2)) = 0 ]; then
    what="multiget, interrupted"
    exec 3<>"$T/keys" # a writer that says nothing
    timeout --preserve-status -s INT 0.5 "$SHARDY" $u multiget - --flat <"$T/keys" >"$T/out" 2>"$T/err"
    code=$?
    exec 3>&-
    is 130 "" ""
fi

# A composite snapshot: keys in SlateDB, vectors in LanceDB.
C=tests/data/composite-120
run -u $C info --output-format text
holds 'kind=composite' "$T/out"
holds 'vector_meta.metric=dot_product' "$T/out"
holds 'vector_meta.backend=lancedb' "$T/out"
holds 'vector_meta.kv_backend=slatedb' "$T/out"
run -u $C get user:0
is 0 '{"op":"get","key":"user:0","found":true,"value":"8sN1N8/MpOHcf/9WnIZXZVY1v8LhYaeiu4N7XYgE8KXNdf9YZA5oGWPaP5YT2YUNKlqzlYJJlDa4+b7xl3O7UPEXSNpS"}' ""
run -u $C get ""
is 0 '{"op":"get","key":"","found":false,"value":"null"}' ""
run -u $C search --like doc-44 --top-k 2 --output-format text
holds 'id=doc-44 score=-8.274968' "$T/out"
run -u $C search 1,2,3
is 1 "" "$(cat "$T/err")"
holds 'the query has 3 dimensions, the vectors of this snapshot have 4' "$T/err"

# ---- other snapshots, where they are at hand ----
if [ -d "$PEER" ]; then
    run -u "$PEER/kv-sqlite-u64be/snapshot" get abc --output-format text
    is 1 "" "error: key 'abc' is not an integer that fits in 64 bits; keys of this snapshot are u64be"
    run -u "$PEER/kv-sqlite-u64be/snapshot" get 0
    is 0 "$(sed -n 1p "$PEER/kv-sqlite-u64be/expected.jsonl" | sed -E 's/.*"value": "([^"]*)".*/{"op":"get","key":"0","found":true,"value":"\1"}/')" ""
    run -u "$PEER/kv-sqlite-u64be/snapshot" get 0 --value-encoding utf8 --output-format text
    [ "$code" = 0 ] || is 1 "" "error: the value is not UTF-8: use --value-encoding base64 or hex"
    run -u "$PEER/kv-sqlite-raw/snapshot" get AAAAMQ== --key-format base64 --value-encoding utf8
    is 1 "" '{"op":"get","error":"the value is not UTF-8: use --value-encoding base64 or hex","key":"AAAAMQ=="}'
    run -u "$PEER/kv-sqlite-u64be/snapshot" info --output-format text
    holds 'vector_meta=null' "$T/out"
    run -u "$PEER/kv-sqlite-u64be/snapshot" search 1,2
    is 1 "" "$(cat "$T/err")"
    run -u "$PEER/unified-l2-int/snapshot" search --like 177 --top-k 1 --output-format text
    holds 'id=177 score=0.000000 ' "$T/out"
    run -u "$PEER/history-good/snapshot" history --output-format text
    checks=$((checks + 1))
    [ "$(sed 's/ .*//' "$T/out" | tr '\n' ' ')" = 'offset=0 offset=1 offset=2 offset=3 ' ] || fail "history of four"
    holds 'offset=1 run_id=run-03-71 published_at=2026-11-22T07:32:30.958385+00:00 ' "$T/out"
    run -u "$PEER/history-good/snapshot" --offset 2 info --output-format text
    holds 'run_id=run-02-71' "$T/out"
    run -u "$PEER/fallback-one-bad/snapshot" info --output-format text
    checks=$((checks + 1))
    [ "$code" = 0 ] && grep -q '^warning: ' "$T/err" || fail "no word about the fallback"
    run -u "$PEER/current-dangling/snapshot" info
    is 1 "" "$(cat "$T/err")"
    # Snapshots of vectors only.
    V="$PEER/vector-cluster-sqlitevec/snapshot"
    run -u "$V" info
    holds '"sharding":"cluster",' "$T/out"
    holds '"kind":"vector-only",' "$T/out"
    holds '"backend":"sqlite-vec","kv_backend":null,"sharding_strategy":"cluster","num_probes":2}' "$T/out"
    run -u "$V" search 1,0,0,0,0,0,0,0 --num-probes 1 --explain
    holds '"num_shards_queried":1,"num_shards_probed":1,"num_dbs":3,"latency_ms"' "$T/out"
    holds '"num_dbs":3,"num_shards_probed":1,"num_shards_queried":1,' "$T/out"
    run -u "$V" search 1,0,0,0,0,0,0,0
    holds '"num_shards_queried":2,"num_shards_probed":2,"num_dbs":3,"latency_ms"' "$T/out"
    run -u "$V" search 1,0,0,0,0,0,0,0 --num-probes 50 --explain --output-format text
    holds ' rows in 3 of 3 shards, 8 dimensions, l2, 3 probed' "$T/out"
    run -u "$V" search 1,0,0,0,0,0,0,0
    cp "$T/out" "$T/unbounded"
    run -u "$V" search 1,0,0,0,0,0,0,0 --max-open-shards 1
    sed 's/"latency_ms":[^,}]*//' "$T/out" > "$T/bounded"
    sed 's/"latency_ms":[^,}]*//' "$T/unbounded" | cmp -s - "$T/bounded" || fail "other hits with --max-open-shards"
    run -u "$V" get abc
    holds 'is a vector-only snapshot: it has no keys to look up' "$T/err"
    run -u "$V" route abc
    holds 'is a vector-only snapshot: no key leads to a shard' "$T/err"
    run -u "$PEER/vector-explicit/snapshot" search 1,0,0,0
    holds 'EXPLICIT sharding: shard_ids must be given' "$T/err"
    run -u "$PEER/vector-explicit/snapshot" search 1,0,0,0 --shard-ids 0,2
    holds '"num_shards_queried":2,' "$T/out"
    run -u "$PEER/unified-l2-int/snapshot" search --like 177 --num-probes 2
    holds 'num_probes is for vector-only snapshots' "$T/err"
    run -u "$PEER/unified-ties/snapshot" search 1,0,0,0 --top-k 1000
    holds '"score":null' "$T/out"

    # Sharded by expressions: values are read as of the types that the snapshot declares.
    E="$PEER/cel-context/snapshot"
    run -u "$E" info --output-format text
    holds 'sharding=cel' "$T/out"
    run -u "$E" route user:0 --routing-context region=eu --routing-context tier=3 --output-format text
    is 0 "user:0 -> shard 2" ""
    run -u "$E" get user:0
    is 1 "" '{"op":"get","error":"the snapshot is sharded by a CEL expression; give a routing_context with the columns region, tier","key":"user:0"}'
    run -u "$E" get user:0 --routing-context region=eu --routing-context tier=x --output-format text
    is 1 "" "error: --routing-context: the column 'tier' is an int, which 'x' is not"
    run -u "$E" route k --routing-context region=7 --routing-context tier=0 --output-format text
    is 0 "k -> shard 1" ""
    run -u "$E" multiget user:0 x --routing-context region=eu --routing-context tier=0
    holds '"results":[{"key":"user:0","found":true,"value":"Y4cAUUs3' "$T/out"
    printf 'user:0\nx\n' >"$T/in"
    run -u "$E" multiget - --flat --routing-context region=eu --routing-context tier=0 <"$T/in"
    holds '{"key":"user:0","found":true,"value":"Y4cAUUs3' "$T/out"
    holds '{"key":"x","found":false,"value":null}' "$T/out"
    run -u "$PEER/cel-categorical-str/snapshot" get k --routing-context region=mars --output-format text
    is 0 "k=null" ""
    run -u "$PEER/cel-categorical-str/snapshot" route k --routing-context region=mars --output-format text
    is 1 "" "error: the routing token \"mars\" is none of the snapshot's routing values; no shard has such rows"
    run -u "$PEER/cel-unified/snapshot" search 1,2,3,4 --top-k 1
    holds '"num_shards_queried":3,' "$T/out"
    holds '"id":"doc-127"' "$T/out"
    run -u "$PEER/cel-unified/snapshot" search 1,2,3,4 --top-k 1 --routing-context region=eu
    holds '"num_shards_queried":1,' "$T/out"
    holds '"id":"doc-18"' "$T/out"
    echo '{"vector":[1,2,3,4],"top_k":1,"routing_context":{"region":"eu"}}' >"$T/in"
    run -u "$PEER/cel-unified/snapshot" search --queries "$T/in"
    holds '"num_shards_queried":1,' "$T/out"
    holds '"id":"doc-18"' "$T/out"
else
    echo "SKIP: $PEER is not there: nothing of other snapshots was checked"
fi

echo "$checks checks, $failures failures"
[ "$failures" = 0 ]
