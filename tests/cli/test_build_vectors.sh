#!/bin/sh
# shardy build --backend vector over the built program: every way of sharding, and what is wrong with options, files and lines.
# Usage: test_build_vectors.sh PATH_OF_SHARDY [URL], from the root of the repository, as test_build.sh.
# shellcheck disable=SC2086,SC2015
set -u
# shellcheck source=tests/cli/build_support.sh
. "$(dirname "$0")/build_support.sh"

vectors() {
    what="shardy build --backend vector $*"
    name=$1
    shift
    run build "$@" --backend vector --output "$OUT/$name"
}

# npy FILE ROWS COLUMNS DATA: little-endian float32, DATA as printf has it
npy() {
    {
        printf '\223NUMPY\001\000\166\000'
        printf '%-118s' "{'descr': '<f4', 'fortran_order': False, 'shape': ($2, $3), }"
        # shellcheck disable=SC2059 # its escapes are bytes
        printf "$4"
    } >"$1"
}
one='\000\000\200\077'
minus='\000\000\200\277'
zero='\000\000\000\000'
nan='\000\000\300\177'

# shards COUNT...: rows of shard 0 and so on
shards() {
    run -u "$OUT/$name" shards --output-format text
    id=0
    for rows in "$@"; do
        holds "db_id=$id rows=$rows " "$T/out"
        id=$((id + 1))
    done
}

# finds ID... -- ARGUMENTS: a search has just these hits, in order
finds() {
    : >"$T/wanted"
    while [ "$1" != -- ]; do
        echo "id=$1" >>"$T/wanted"
        shift
    done
    shift
    run -u "$OUT/$name" search "$@" --output-format text
    ends 0
    grep -v '^# ' "$T/out" | cut -d' ' -f1 >"$T/hits"
    check "not the hits $(tr '\n' ' ' <"$T/wanted")" cmp -s "$T/hits" "$T/wanted"
}

cat >"$T/rows.jsonl" <<'END'
{"key": "east", "vector": [1, 0], "payload": {"b": 0.10, "a": "\u00e9"}, "shard_id": 2, "region": "eu"}
{"key": "north", "value": "left out", "vector": [0, 2], "shard_id": 0, "region": "us"}
{"key": "west", "value": [{"left": "out"}], "vector": [-1, 0.25], "shard_id": 2, "region": "us"}
{"key": "north-east", "vector": [1, 0.5], "payload": null, "shard_id": null, "region": "eu", "id": "ne"}
END
sed 's/, "shard_id": [^,]*//; s/, "region": "[^"]*"//' "$T/rows.jsonl" >"$T/plain.jsonl"
sed 's/, "region": "[^"]*"//; s/"shard_id": null/"shard_id": 0/' "$T/rows.jsonl" >"$T/explicit.jsonl"
sed 's/, "shard_id": [^,]*//' "$T/rows.jsonl" >"$T/regions.jsonl"

# ---- each way ----
npy "$T/centroids.npy" 3 2 "$one$zero$zero$one$minus$zero"
vectors given "$T/plain.jsonl" --centroids "$T/centroids.npy" --num-probes 2 --run-id one
ends 0
holds '"run_id":"one"' "$T/out"
holds '"num_dbs":3,"rows":4,' "$T/out"
holds '"vector_sharding":"cluster","num_probes":2,"shards":[' "$T/out"
check "training, where centroids were given" [ -z "$(grep training "$T/out")" ]
holds 'note: a snapshot of vectors stores ids, vectors and payloads' "$T/err"
check "said more than once" [ "$(wc -l <"$T/err")" = 1 ]
shards 2 1 1
finds east ne north -- 1,0.1 --top-k 9
finds east ne -- 1,0.1 --top-k 9 --num-probes 1
finds west -- 1,0.1 --top-k 9 --shard-ids 2
run -u "$OUT/given" search 1,0 --top-k 1 --output-format jsonl
holds '"payload":{"b":0.1,"a":"\u00e9"}' "$T/out"
run -u "$OUT/given" info --output-format json
holds '"sharding_strategy": "cluster"' "$T/out"
run -u "$OUT/given" get east
ends 1

vectors l2 "$T/plain.jsonl" --centroids "$T/centroids.npy" --metric l2 --num-dbs 3
ends 0
shards 2 1 1

# Centroids that are found: two clouds, and the same from any order of lines.
awk 'BEGIN { for (i = 0; i < 400; i++) {
    x = i % 2 ? 1 : -1; printf "{\"id\": %d, \"vector\": [%d, %.3f], \"payload\": {\"cloud\": %d}}\n", i, x * 10, i / 400, i % 2 } }' >"$T/clouds.jsonl"
vectors trained "$T/clouds.jsonl" --num-dbs 2 --metric l2 --training-rounds 50
ends 0
holds '"vector_sharding":"cluster","num_probes":1,"training":{"rows":400,"rounds":' "$T/out"
holds '"inertia":' "$T/out"
shards 200 200
run -u "$OUT/trained" search 10,0 --top-k 400 --output-format jsonl
check "the other cloud is found" [ "$(grep -o '"cloud":0' "$T/out" | wc -l)" = 0 ]
check "not the whole cloud" [ "$(grep -o '"cloud":1' "$T/out" | wc -l)" = 200 ]
vectors sampled "$T/clouds.jsonl" --num-dbs 2 --training-rows 50 --seed 3
ends 0
holds '"training":{"rows":50,"rounds":' "$T/out"
vectors trained-cosine "$T/clouds.jsonl" # by itself: one shard, as small as this is
ends 0
holds 'note: 1 shard, by the size of the input (--num-dbs says otherwise)' "$T/err"
shards 400
tac "$T/clouds.jsonl" >"$T/in"
vectors piped - # 16, for nobody knows how much will come
ends 0
holds 'note: 16 shards, since the size of the input is not known' "$T/err"
: >"$T/in"
vectors wrong "$T/plain.jsonl" --num-dbs 5
refused 1 "5"
vectors wrong "$T/clouds.jsonl" --num-dbs 2 --training-rows 1
refused 1 "train"
# Two lines with one id, in one shard and in two.
echo '{"id": "ne", "vector": [2, 1]}' >"$T/twice.jsonl"
vectors wrong "$T/plain.jsonl" "$T/twice.jsonl" --centroids "$T/centroids.npy"
refused 1 "$T/plain.jsonl:4 and $T/twice.jsonl:1 have the same id; nothing is published"
vectors replaced "$T/plain.jsonl" "$T/twice.jsonl" --centroids "$T/centroids.npy" --on-duplicate last
ends 0
holds '"replaced":1,' "$T/out"
echo '{"id": "ne", "vector": [-2, 1]}' >"$T/twice.jsonl"
vectors wrong "$T/plain.jsonl" "$T/twice.jsonl" --centroids "$T/centroids.npy"
refused 1 "$T/plain.jsonl:4 and $T/twice.jsonl:1 have the same id; nothing is published"
vectors wrong "$T/plain.jsonl" "$T/twice.jsonl" --centroids "$T/centroids.npy" --on-duplicate last
refused 1 "id"

npy "$T/hyperplanes.npy" 2 2 "$one$zero$zero$one"
vectors lsh "$T/plain.jsonl" --hyperplanes "$T/hyperplanes.npy" --num-dbs 4
ends 0
holds '"vector_sharding":"lsh","num_probes":1,' "$T/out"
shards 0 1 2 1
finds ne -- 1,1 --top-k 9
finds ne east north west -- 1,1 --top-k 9 --num-probes 4
vectors drawn "$T/plain.jsonl" --vector-sharding lsh --num-dbs 4 --seed 7
ends 0
holds '"num_dbs":4,"rows":4,' "$T/out"

vectors explicit "$T/explicit.jsonl" --vector-sharding explicit --num-dbs 4
ends 0
holds '"vector_sharding":"explicit","num_probes":1,' "$T/out"
shards 2 0 2 0
finds east west -- 1,0 --top-k 9 --shard-ids 2
finds -- 1,0 --shard-ids 3
run -u "$OUT/explicit" search 1,0
ends 1
holds 'shard_ids' "$T/err"

region="--cel-expr region --cel-column region:string"
vectors categorical "$T/regions.jsonl" $region --routing-values us,eu,asia
ends 0
holds '"num_dbs":3,"rows":4,' "$T/out"
holds '"vector_sharding":"cel"' "$T/out"
shards 2 2 0
finds east ne -- 1,0 --routing-context region=eu
vectors inferred "$T/regions.jsonl" $region --infer-routing-values
ends 0
shards 2 2
finds north west -- 0,1 --routing-context region=us
vectors direct "$T/regions.jsonl" --cel-expr 'size(region + key) % 3' --cel-column region:string --cel-column key:string \
    --num-dbs 3
ends 0
finds east ne west -- 1,0 --routing-context region=eu --routing-context key=east

# ---- rows: integers, vectors of a file, packed input ----
sed 's/{"key": "[a-z-]*"/{"id": -1/; s/, "vector": \[[^]]*\]//' "$T/plain.jsonl" | awk '{ sub("-1", NR - 3); print }' |
    sed 's/, "id": "ne"//' | gzip -c >"$T/integers.jsonl.gz"
npy "$T/vectors.npy" 4 2 "$one$zero$zero$one$minus$zero$one$one"
vectors integers "$T/integers.jsonl.gz" --vectors "$T/vectors.npy" --centroids "$T/centroids.npy"
ends 0
finds -2 1 -- 1,0 --top-k 9
finds -2 -- --like=-2 --top-k 1

# ---- dry run, skipped lines, runs ----
vectors dry "$T/plain.jsonl" --centroids "$T/centroids.npy" --dry-run
ends 0
holds '"manifest_ref":null' "$T/out"
holds '"dry_run":true' "$T/out"
check "a dry run published" [ -z "$("$SHARDY" -u "$OUT/dry" info 2>"$T/err")" ]
vectors explicit-skip "$T/rows.jsonl" --vector-sharding explicit --num-dbs 2 --on-error skip
refused 1 'every line is bad' # region is no member here
sed 's/, "region": "[^"]*"//' "$T/rows.jsonl" >"$T/some.jsonl"
vectors explicit-skip "$T/some.jsonl" --vector-sharding explicit --num-dbs 2 --on-error skip
ends 0
holds '"rows":1,' "$T/out"
holds '"skipped":3,' "$T/out"
holds "$T/some.jsonl:1: " "$T/err"
holds "$T/some.jsonl:4: it has no shard_id" "$T/err"
vectors given "$T/plain.jsonl" --centroids "$T/centroids.npy" --run-id one
ends 1
holds 'one' "$T/err"
vectors given "$T/plain.jsonl" --centroids "$T/centroids.npy" --run-id two --no-sidecar --page-size 4096
ends 0
shards 2 1 1

# ---- one error each, with its place ----
vectors wrong "$T/explicit.jsonl" --vector-sharding explicit --num-dbs 2
refused 1 "$T/explicit.jsonl:1: "
vectors wrong "$T/rows.jsonl" --vector-sharding explicit --num-dbs 3
refused 1 "$T/rows.jsonl:1: there is no member"
vectors wrong "$T/explicit.jsonl" --centroids "$T/centroids.npy"
refused 1 "$T/explicit.jsonl:1: shard_id: it counts with --vector-sharding explicit alone, and this is cluster"
vectors wrong "$T/plain.jsonl" "$T/plain.jsonl" --centroids "$T/centroids.npy"
refused 1 "have the same id"
holds "$T/plain.jsonl:" "$T/err"
echo '{"vector": [1, 2]}' >"$T/bad.jsonl"
vectors wrong "$T/plain.jsonl" "$T/bad.jsonl" --centroids "$T/centroids.npy"
refused 1 "$T/bad.jsonl:1: it has neither id nor key"
echo '{"id": 5, "vector": [1, 2]}' >"$T/bad.jsonl"
vectors wrong "$T/plain.jsonl" "$T/bad.jsonl" --centroids "$T/centroids.npy"
refused 1 "$T/bad.jsonl:1: "
echo '{"id": "a", "vector": [1, 2, 3]}' >"$T/bad.jsonl"
vectors wrong "$T/plain.jsonl" "$T/bad.jsonl" --vector-sharding lsh --num-dbs 2
refused 1 "$T/bad.jsonl:1: its vector has 3 numbers, the first has 2"
vectors wrong "$T/bad.jsonl" --centroids "$T/centroids.npy"
refused 1 "$T/bad.jsonl:1: its vector has 3 numbers, those of --centroids have 2"
vectors wrong "$T/bad.jsonl" --hyperplanes "$T/hyperplanes.npy" --num-dbs 2
refused 1 "those of --hyperplanes have 2"
vectors wrong "$T/plain.jsonl" --centroids "$T/centroids.npy" --num-dbs 4
refused 1 "centroids.npy has 3 rows, but --num-dbs is 4"
vectors wrong "$T/plain.jsonl" --hyperplanes "$T/hyperplanes.npy" --hash-bits 3
refused 1 "hyperplanes.npy has 2 rows, but --hash-bits is 3"
npy "$T/other.npy" 2 3 "$one$zero$zero$one$minus$zero"
zcat "$T/integers.jsonl.gz" >"$T/integers.jsonl"
vectors wrong "$T/integers.jsonl" --vectors "$T/vectors.npy" --centroids "$T/other.npy"
refused 1 "other.npy has rows of 3 numbers, but the vectors of $T/vectors.npy have 2"
npy "$T/nan.npy" 3 2 "$one$zero$zero$nan$minus$zero"
vectors wrong "$T/plain.jsonl" --centroids "$T/nan.npy"
refused 1 "--centroids: $T/nan.npy: row 2 has an element that is not a finite float32"
vectors wrong "$T/plain.jsonl" --hyperplanes "$T/nan.npy"
refused 1 "--hyperplanes: $T/nan.npy: row 2"
vectors wrong "$T/integers.jsonl" --vectors "$T/nan.npy" --vector-sharding lsh
refused 1 "number 2 of $T/nan.npy"
vectors wrong "$T/plain.jsonl" --centroids "$T/plain.jsonl"
refused 1 "plain.jsonl: neither .npy nor .fvecs"
vectors wrong "$T/regions.jsonl" $region --routing-values us
refused 1 "$T/regions.jsonl:1: "
holds 'eu\" is none' "$T/err"
# expressions
for case in 'offset 7|region+|region:string' 'offset 0|zone|region:string' 'no number of a shard|region|region:string' \
    'zero|1 / (size(region) - 2)|region:string' 'the result is out of range|9223372036854775807 + size(region)|region:string' \
    'region|region % 2|region:int' 'shard 2, and there are 2|size(region)|region:string'; do
    says=${case%%|*}
    rest=${case#*|}
    vectors wrong "$T/regions.jsonl" --cel-expr "${rest%%|*}" --cel-column "${rest#*|}" --num-dbs 2
    refused 1 "$says"
done
deep=$(printf '%0100d' 0 | tr 0 '(')
vectors wrong "$T/regions.jsonl" --cel-expr "${deep}1" --cel-column region:string --num-dbs 2
refused 1 "nested more than 64 deep"
vectors wrong "$T/plain.jsonl" $region --num-dbs 2
refused 1 "$T/plain.jsonl:1: "
vectors wrong "$T/plain.jsonl" --vector-sharding explicit
refused 2 "--vector-sharding explicit needs --num-dbs"

echo "$checks checks, $failures failures"
[ "$failures" = 0 ]
