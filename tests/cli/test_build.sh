#!/bin/sh
# shardy build over the built program: what was written is read back with it. Everything is made here.
# Usage: test_build.sh PATH_OF_SHARDY [URL], from the root of the repository. Snapshots go below URL (s3://bucket/prefix),
# else into files.
# shellcheck disable=SC2086,SC2015
set -u
# shellcheck source=tests/cli/build_support.sh
. "$(dirname "$0")/build_support.sh"
DEMO=${SHF_SHARED:-../shared}/fixtures/demo

# same NAME: the answers to every key of $T/keys are those in $T/answers
same() {
    "$SHARDY" -u "$OUT/$1" multiget - --flat --value-encoding hex --key-format text <"$T/keys" >"$T/out" 2>"$T/err"
    check "not the rows that were written" cmp -s "$T/out" "$T/answers"
}

# ---- keys and values ----
cat >"$T/rows.jsonl" <<'END'
{"key": "nginx", "value": "web \u00e9 \"server\""}

{"value": "", "key": "empty"}
{"key": "\ud83d\ude00", "value": "a\u0000b"}
END
printf 'nginx\nempty\n😀\nnope\n' >"$T/keys"
cat >"$T/answers" <<'END'
{"key":"nginx","found":true,"value":"77656220c3a9202273657276657222"}
{"key":"empty","found":true,"value":""}
{"key":"😀","found":true,"value":"610062"}
{"key":"nope","found":false,"value":null}
END
build plain "$T/rows.jsonl" --run-id first --num-dbs 2
ends 0
check "the summary is not one line" [ "$(wc -l <"$T/out")" = 1 ]
check "the summary has another shape" grep -qE '^\{"op":"build","run_id":"first","manifest_ref":"[^"]*/manifests/[^"]*_run_id=first/manifest","num_dbs":2,"rows":3,"bytes":[0-9]+,"seconds":[0-9.e-]+,"shards":\[\{"db_id":0,"row_count":[0-3],"db_bytes":[0-9]+,"attempt":0,"db_url":(null|"[^"]*"),"min_key":[^]]*\},\{"db_id":1,[^]]*\}\]\}$' "$T/out"
check "it said something" [ ! -s "$T/err" ]
same plain
run -u "$OUT/plain" info --output-format text
for line in run_id=first num_dbs=2 sharding=hash key_encoding=utf8 row_count=3; do holds "$line" "$T/out"; done

build pretty "$T/rows.jsonl" --output-format json
ends 0
holds '  "op": "build",' "$T/out"
holds 'note: 1 shard, by the size of the input' "$T/err"
build quiet "$T/rows.jsonl" -q
ends 0
check "it said something" [ ! -s "$T/err" ]

# ---- the same from elsewhere ----
gzip -c "$T/rows.jsonl" >"$T/rows.gz"
build gzip "$T/rows.gz"
ends 0
same gzip
if command -v zstd >/dev/null; then
    zstd -q "$T/rows.jsonl" -o "$T/rows.zst"
    build zstd "$T/rows.zst"
    ends 0
    same zstd
fi
{ head -1 "$T/rows.jsonl" | gzip -c; tail -3 "$T/rows.jsonl" | gzip -c; } >"$T/in"
build stdin -
ends 0
holds 'note: the size of the input is not known: at most 1000000 keys a shard' "$T/err"
same stdin
: >"$T/in"
head -1 "$T/rows.jsonl" >"$T/one"
tail -3 "$T/rows.jsonl" | gzip -c >"$T/two"
build several "$T/one" "$T/two"
ends 0
same several

# ---- formats of keys and values ----
printf '{"key":"00ff","value":"AAH/"}\n{"key":"","value":""}\n' >"$T/hex.jsonl"
build hex "$T/hex.jsonl" --key-format hex --value-format base64
ends 0
run -u "$OUT/hex" get 00ff --key-format hex --value-encoding hex --output-format text
holds '00ff=0001ff' "$T/out"
run -u "$OUT/hex" info --output-format text
holds 'key_encoding=raw' "$T/out"
printf '{"key":7,"value":{"a" : [1, 2.50]}}\n{"key":9223372036854775807,"value":null}\n' >"$T/integers.jsonl"
build integers "$T/integers.jsonl" --value-format json
ends 0
run -u "$OUT/integers" get 7 --raw
check "not the JSON text" [ "$(cat "$T/out")" = '{"a":[1,2.50]}' ]
run -u "$OUT/integers" get 9223372036854775807 --raw
check "not the JSON text" [ "$(cat "$T/out")" = null ]
run -u "$OUT/integers" info --output-format text
holds 'key_encoding=u64be' "$T/out"
printf '{"key":7,"value":"x"}\n' >"$T/u32.jsonl"
build u32 "$T/u32.jsonl" --key-encoding u32be --page-size 8192 --no-sidecar
ends 0
run -u "$OUT/u32" get 7 --raw
check "not the value" [ "$(cat "$T/out")" = x ]

# ---- vectors ----
cat >"$T/vectors.jsonl" <<'END'
{"key": "a", "value": "A", "id": 10, "vector": [1, 0], "payload": {"b": 0.10, "a": "\u00e9"}}
{"key": "b", "value": "B", "id": 20, "vector": [0, 1.0]}
{"key": "c", "value": "C", "id": 30, "vector": [-1, 0e0], "payload": null}
END
cat >"$T/hits" <<'END'
id=10 score=0.000000 {"b":0.1,"a":"\u00e9"}
id=20 score=1.414214 null
id=30 score=2.000000 null
END
hits() {
    run -u "$OUT/$1" search --like 10 --top-k 5 --output-format text
    check "not the rows in their order" cmp -s "$T/out" "$T/hits"
}
build inline "$T/vectors.jsonl" --metric l2
ends 0
hits inline
run -u "$OUT/inline" get b --raw
check "not the value" [ "$(cat "$T/out")" = B ]
sed 's/, "vector": \[[^]]*\]//' "$T/vectors.jsonl" >"$T/bare.jsonl"
{
    printf '\223NUMPY\001\000\166\000'
    printf '%-118s' "{'descr': '<f2', 'fortran_order': False, 'shape': (3, 2), }"
    printf '\000\074\000\000\000\000\000\074\000\274\000\000'
} >"$T/vectors.npy"
build npy "$T/bare.jsonl" --vectors "$T/vectors.npy" --metric l2
ends 0
hits npy
{
    printf '\002\000\000\000\000\000\200\077\000\000\000\000'
    printf '\002\000\000\000\000\000\000\000\000\000\200\077'
    printf '\002\000\000\000\000\000\200\277\000\000\000\000'
} | gzip -c >"$T/vectors.fvecs.gz"
build fvecs "$T/bare.jsonl" --vectors "$T/vectors.fvecs.gz" --metric l2 --num-dbs 3
ends 0
hits fvecs
build onlykv "$T/vectors.jsonl" --backend kv
ends 0
holds 'warning: a kv snapshot stores keys and values' "$T/err"
head -2 "$T/bare.jsonl" >"$T/fewer.jsonl"
build fewer "$T/fewer.jsonl" --vectors "$T/vectors.npy"
refused 1 'vectors.npy has 3 vectors, but there are 2 lines'
build more "$T/bare.jsonl" "$T/bare.jsonl" --vectors "$T/vectors.npy"
refused 1 'vectors.npy has 3 vectors, but there are 6 lines'

# ---- sharded by an expression ----
cat >"$T/regions.jsonl" <<'END'
{"key": "a", "value": "A", "region": "us", "tier": 2}
{"key": "b", "value": "B", "routing_context": {"region": "eu", "tier": 1, "extra": [null]}}
{"key": "c", "value": "C", "region": "\u65e5\u672c", "routing_context": {"tier": 1}}
{"key": "d", "value": "D", "region": "us", "tier": 1}
END
regions="--cel-column region:string --cel-column tier:int"
build inferred "$T/regions.jsonl" --cel-expr 'region + ":" + string(tier)' $regions --infer-routing-values --run-id first
ends 0
holds '"run_id":"first"' "$T/out"
holds '"num_dbs":4,"rows":4,' "$T/out"
check "it said something" [ ! -s "$T/err" ]
check "not in the order of the values" grep -qF '{"db_id":0,"row_count":1,' "$T/out"
for row in 'b 0 eu 1 B' 'd 1 us 1 D' 'a 2 us 2 A' 'c 3 日本 1 C'; do
    set -- $row
    run -u "$OUT/inferred" route "$1" --routing-context "region=$3" --routing-context "tier=$4" --output-format text
    holds "$1 -> shard $2" "$T/out"
    run -u "$OUT/inferred" get "$1" --routing-context "region=$3" --routing-context "tier=$4" --raw
    check "not the value" [ "$(cat "$T/out")" = "$5" ]
done
build given "$T/regions.jsonl" --cel-expr region $regions --routing-values 'us,eu,,日本'
ends 0
run -u "$OUT/given" info --output-format text
for line in num_dbs=4 sharding=cel row_count=4; do holds "$line" "$T/out"; done
run -u "$OUT/given" shards --output-format text
holds 'db_id=0 rows=2' "$T/out"
holds 'db_id=2 rows=0' "$T/out"
build mars "$T/regions.jsonl" --cel-expr region $regions --routing-values us,eu
refused 1 "$T/regions.jsonl:3: "
holds 'is none of the snapshot' "$T/err"
build mars "$T/regions.jsonl" --cel-expr region $regions --routing-values us,eu --on-error skip
ends 0
holds '"rows":3,' "$T/out"
holds '"skipped":1,' "$T/out"
build wrong "$T/regions.jsonl" --cel-expr 'region + tier' $regions
refused 1 'offset 7'
build wrong "$T/regions.jsonl" --cel-expr region $regions --routing-values 1,2
refused 1 'the routing values are integers, but the result of the expression is of type string'
build wrong "$T/regions.jsonl" --cel-expr 'tier * 2' $regions
refused 1 'no row belongs to shard 0'
build wrong "$T/regions.jsonl" --cel-expr 'other' --cel-column other:int
refused 1 'there is no member'
build wrong "$T/rows.jsonl" --cel-expr region $regions
refused 1 "$T/rows.jsonl:1: "
holds 'the row has no routing context' "$T/err"
sed 's/"tier": 2/"tier": "2"/' "$T/regions.jsonl" >"$T/misfit.jsonl"
build wrong "$T/misfit.jsonl" --cel-expr 'tier - 1' $regions
refused 1 "$T/misfit.jsonl:1: "
holds 'tier' "$T/err"
build keyed "$T/integers.jsonl" --value-format json --cel-expr 'shard_hash(key) % 3u' --cel-column key:int --num-dbs 3
ends 0
holds '"num_dbs":3,' "$T/out"
run -u "$OUT/keyed" get 7 --raw
check "not the JSON text" [ "$(cat "$T/out")" = '{"a":[1,2.50]}' ]
build nul "$T/hex.jsonl" --key-format hex --value-format base64 --cel-expr 'shard_hash(key) % 2u' --cel-column key:bytes --num-dbs 2
ends 0
holds '"rows_cut":1,' "$T/out"
holds 'warning: 1 of 2 rows' "$T/err"
run -u "$OUT/nul" get 00ff --key-format hex --value-encoding hex --output-format text
holds '00ff=0001ff' "$T/out"
sed 's/}$/, "region": "eu"}/' "$T/vectors.jsonl" >"$T/placed.jsonl"
build placed "$T/placed.jsonl" --metric l2 --cel-expr 'region == "eu" && key < "c" ? 0 : 1' --cel-column region:string --cel-column key:string
ends 0
holds '"num_dbs":2,' "$T/out"
hits placed
run -u "$OUT/placed" search --like 10 --top-k 5 --shard-ids 0 --output-format text
check "not the rows of one shard" [ "$(wc -l <"$T/out")" = 2 ]

# ---- bad lines ----
printf '{"key":"a","value":"1"}\n{"key":"b"}\n' >"$T/bad.jsonl"
build bad "$T/rows.jsonl" "$T/bad.jsonl" --output-format text
refused 1 "error: $T/bad.jsonl:2: it has no value"
build bad "$T/rows.jsonl" "$T/bad.jsonl"
refused 1 "{\"op\":\"build\",\"error\":\"$T/bad.jsonl:2: it has no value\"}"
build skipped "$T/rows.jsonl" "$T/bad.jsonl" --on-error skip
ends 0
holds '"rows":4,' "$T/out"
holds '"skipped":1,' "$T/out"
holds "warning: $T/bad.jsonl:2: it has no value; skipped" "$T/err"
same skipped
printf '{"key":"a","value":"1"}\n{"key":5,"value":""}\n{"key":"\303(","value":""}\n{"key":"b","value":"2"}\n' >"$T/bad.jsonl"
build kinds "$T/bad.jsonl" --on-error skip
ends 0
holds '"rows":2,' "$T/out"
holds "bad.jsonl:2: key: an integer, but the first key is text; skipped" "$T/err"
holds "bad.jsonl:3: key: not UTF-8" "$T/err"
yes '{"key":1}' | head -30 >"$T/bad.jsonl"
build allbad "$T/bad.jsonl" --on-error skip
refused 1 'every line is bad'
check "not ten bad lines and a word of the others" [ "$(grep -c '^warning: ' "$T/err")" = 11 ]
head -c 60 "$T/rows.gz" >"$T/cut.gz"
build cut "$T/cut.gz" --on-error skip
refused 1 'cut.gz: cut short: it ends within its gzip data'
build absent "$T/no-such-file"
refused 1 'no-such-file: No such file or directory'
head -c 2000000 /dev/zero | tr '\0' 'x' >"$T/long"
{ cat "$T/rows.jsonl"; printf '{"key":"long","value":"'; cat "$T/long"; printf '"}\n'; } >"$T/long.jsonl"
build long "$T/long.jsonl" --memory-budget 2MiB
refused 1 'long.jsonl:5: a line of more than '
build long "$T/long.jsonl"
ends 0
same long
run -u "$OUT/long" get long --raw
check "not the long value" cmp -s "$T/out" "$T/long"

# ---- the same key twice ----
printf '{"key":"a","value":"1"}\n{"key":"b","value":"2"}\n\n{"key":"a","value":"3"}\n' >"$T/twice.jsonl"
build twice "$T/rows.jsonl" "$T/twice.jsonl"
refused 1 "$T/twice.jsonl:1 and $T/twice.jsonl:4 have the same key (--on-duplicate last takes the later one)"
build last "$T/twice.jsonl" --on-duplicate last
ends 0
holds '"rows":2,' "$T/out"
holds '"replaced":1,' "$T/out"
run -u "$OUT/last" get a --raw
check "not the last value" [ "$(cat "$T/out")" = 3 ]
printf '{"key":"a","value":"1","id":1,"vector":[1]}\n{"key":"b","value":"2","id":1,"vector":[1]}\n' >"$T/twice.jsonl"
build twoids "$T/twice.jsonl"
refused 1 "$T/twice.jsonl:1 and $T/twice.jsonl:2 have the same id"

# ---- runs ----
build dry "$T/rows.jsonl" --dry-run
ends 0
holds '"manifest_ref":null,' "$T/out"
holds '"dry_run":true,' "$T/out"
holds '"rows":3,' "$T/out"
"$SHARDY" -u "$OUT/dry" info >"$T/out" 2>&1
check "a dry run published" [ $? = 1 ]
[ -n "${2:-}" ] || check "a dry run left something" [ -z "$(ls -A "$OUT/dry" 2>/dev/null)" ]
build plain "$T/vectors.jsonl" --backend kv --run-id first
ends 1
same plain
build plain "$T/rows.jsonl" --run-id first --resume
ends 1
same plain
build plain "$T/twice.jsonl" --run-id second --backend kv
ends 0
run -u "$OUT/plain" get nginx --strict
ends 1
run -u "$OUT/plain" history --output-format text
holds 'offset=1 run_id=first' "$T/out"
: >"$T/empty"
build nothing "$T/empty"
ends 0
holds 'warning: there are no rows' "$T/err"
run -u "$OUT/nothing" get x
ends 0

# ---- many rows ----
awk 'BEGIN { for (i = 0; i < 30000; i++) printf "{\"key\":%d,\"value\":\"value %d of many\"}\n", i * 7919 % 30011, i * 7919 % 30011 }' >"$T/many.jsonl"
build many "$T/many.jsonl" --max-keys-per-shard 7000 --jobs 2 --memory-budget 32MiB
ends 0
holds '"num_dbs":5,"rows":30000,' "$T/out"
awk 'BEGIN { for (i = 0; i < 30000; i++) print i * 7919 % 30011 }' >"$T/keys"
"$SHARDY" -u "$OUT/many" multiget - --flat --value-encoding utf8 <"$T/keys" >"$T/out" 2>"$T/err"
awk '{ printf "{\"key\":\"%d\",\"found\":true,\"value\":\"value %d of many\"}\n", $1, $1 }' "$T/keys" >"$T/answers"
check "not the rows that were written" cmp -s "$T/out" "$T/answers"

# ---- interrupts ----
mkfifo "$T/pipe"
exec 3<>"$T/pipe"
head -20000 "$T/many.jsonl" >"$T/part.jsonl"
name=stopped
what="shardy build, terminated while it waits for lines"
: >"$T/out"
: >"$T/err"
"$SHARDY" build "$T/part.jsonl" - --output "$OUT/stopped" <"$T/pipe" >"$T/out" 2>"$T/err" &
pid=$!
cat "$T/one" >&3
# It speaks before it reads, and once the run's record is there it has rows. A shell starts background jobs with SIGINT
# ignored, so it gets SIGTERM.
tries=0
until grep -q '^note: ' "$T/err" || [ $tries = 5000 ]; do tries=$((tries + 1)); done
until [ -n "${2:-}" ] || ls "$OUT"/stopped/runs/*/run.yaml >"$T/record" 2>&1 || [ $tries = 5000 ]; do tries=$((tries + 1)); done
kill -TERM $pid
wait $pid
code=$?
exec 3>&-
ends 143
check "a result on standard output" [ ! -s "$T/out" ]
"$SHARDY" -u "$OUT/stopped" info >"$T/out" 2>&1
check "an interrupted build published" [ $? = 1 ]
[ -n "${2:-}" ] || check "the run's record was not ended" grep -q '^status: failed' "$(tail -1 "$T/record")"

# ---- the demonstration, where it is at hand ----
if [ -d "$DEMO" ]; then
    build demo "$DEMO/packages.jsonl" --vectors "$DEMO/vectors.npy" --num-dbs 4
    ends 0
    holds '"num_dbs":4,"rows":3000,' "$T/out"
    sed 's/^{"key": "\([^"]*\)".*/\1/' "$DEMO/packages.jsonl" >"$T/keys"
    "$SHARDY" -u "$OUT/demo" multiget - --flat --value-encoding utf8 <"$T/keys" >"$T/out" 2>"$T/err"
    check "not the rows that were written" python3 - "$DEMO" "$T/out" <<'END'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1] + "/packages.jsonl")]
answers = [json.loads(line) for line in open(sys.argv[2])]
wanted = [{"key": row["key"], "found": True, "value": row["value"]} for row in rows]
sys.exit(answers != wanted)
END
    python3 - "$DEMO" >"$T/queries.jsonl" <<'END'
import json, sys
for line in open(sys.argv[1] + "/queries.jsonl"):
    print(json.dumps({"vector_base64": json.loads(line)["vector"]}))
END
    run -u "$OUT/demo" search --queries "$T/queries.jsonl"
    check "not the nearest rows" python3 - "$DEMO" "$T/out" <<'END'
import json, sys
payloads = {row["id"]: row["payload"] for row in map(json.loads, open(sys.argv[1] + "/packages.jsonl"))}
wanted = [json.loads(line)["top10"] for line in open(sys.argv[1] + "/queries.jsonl")]
answers = [json.loads(line)["results"] for line in open(sys.argv[2])]
assert len(wanted) == len(answers)
for want, got in zip(wanted, answers):
    assert [hit["id"] for hit in want] == [hit["id"] for hit in got], (want, got)
    assert all(abs(a["distance"] - b["score"]) < 1e-9 for a, b in zip(want, got)), (want, got)
    assert all(hit["payload"] == payloads[hit["id"]] for hit in got)
END
else
    echo "SKIP: $DEMO is not there: the demonstration's rows were not built"
fi

echo "$checks checks, $failures failures"
[ "$failures" = 0 ]
