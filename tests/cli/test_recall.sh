#!/bin/sh
# shardy recall, over a snapshot of vectors alone that is made of the sample by taking its keys away, and recorded ones.
# Usage: test_recall.sh PATH_OF_SHARDY, from the root of the repository.
# shellcheck disable=SC2086,SC2015
set -u
SHARDY=$1
SAMPLE=tests/data/packages-1k
PEER=${SHF_SHARED:-../shared}/fixtures/peer
T=$(mktemp -d) || exit 1
trap 'chmod -R u+w "$T"; rm -rf "$T"' EXIT
export HOME="$T/home" XDG_CACHE_HOME="$T/cache"
mkdir "$HOME"
unset SHARDY_CURRENT SHARDY_CONFIG SHARDY_CREDENTIALS NO_COLOR
checks=0
failures=0
command -v python3 >/dev/null || {
    echo "SKIP: there is no python3 to make the snapshot with"
    exit 77
}

run() { # ARGUMENTS...: leaves $T/out, $T/err and $code
    "$SHARDY" "$@" <"$T/in" >"$T/out" 2>"$T/err"
    code=$?
    what="shardy $*"
}
: >"$T/in"

fail() {
    failures=$((failures + 1))
    echo "FAIL: $what: $1"
    sed 's/^/  out: /' "$T/out" | head -20
    sed 's/^/  err: /' "$T/err" | head -20
}

# holds TEXT FILE
holds() {
    checks=$((checks + 1))
    grep -qF -- "$1" "$2" || fail "$(basename "$2") does not hold: $1"
}

# refused TEXT ARGUMENTS...: one line of error that holds TEXT, and nothing else
refused() {
    says=$1
    shift
    run "$@" --output-format text
    checks=$((checks + 1))
    [ "$code" = 1 ] && [ ! -s "$T/out" ] && [ "$(wc -l <"$T/err")" = 1 ] && grep -qF -- "error: $says" "$T/err" ||
        fail "does not end with one line: error: $says"
}

# true_of EXPRESSION: in Python, r being the answer in $T/out
true_of() {
    checks=$((checks + 1))
    python3 -c 'import json, sys
r = json.load(open(sys.argv[1]))
points = {p["num_probes"]: p for p in r["results"]}
assert eval(sys.argv[2]), sys.argv[2]' "$T/out" "$1" 2>"$T/why" || fail "$(tail -1 "$T/why")"
}

# ---- the snapshot: two clusters, whose centroids are two of the recorded queries ----
V=$T/vectors
cp -r "$SAMPLE" "$V"
chmod -R u+w "$V"
cat >"$T/make.py" <<'PYTHON'
import base64, glob, json, os, sqlite3, sys
root, strategy = sys.argv[1:]
prefix = "s3://samples/packages-1k"
queries = [json.loads(line) for line in open("tests/data/packages-1k-queries.jsonl")]
vectors = [base64.b64decode(query["vector_base64"]) for query in queries]
custom = {"dim": 384, "metric": "cosine", "sharding_strategy": strategy, "num_probes": 1,
          "centroids_ref": prefix + "/vector_meta/table.npy", "hyperplanes_ref": prefix + "/vector_meta/table.npy",
          "cel_expr": "region", "cel_columns": {"region": "string"}, "routing_values": ["eu", "us"]}
rows = vectors[:2] if strategy == "cluster" else vectors[:1]
os.makedirs(root + "/vector_meta", exist_ok=True)
header = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 384), }" % len(rows)
with open(root + "/vector_meta/table.npy", "wb") as file:
    file.write(b"\x93NUMPY\x01\x00\x76\x00" + header.ljust(117).encode() + b"\n" + b"".join(rows))
manifest = sqlite3.connect(glob.glob(root + "/manifests/*/manifest")[0])
manifest.execute("UPDATE build_meta SET key_encoding = 'raw', custom = ?", [json.dumps({"vector": custom})])
manifest.commit()
PYTHON
python3 "$T/make.py" "$V" cluster || exit 1
v="-u $V"

# ---- what search says of the shards ----
Q=tests/data/packages-1k-queries.jsonl
run $v search --like nginx --top-k 1 --num-probes 2
holds '"num_shards_queried":2,"num_shards_probed":2,"num_dbs":2,"latency_ms":' "$T/out"
run $v search --like nginx --top-k 1 --output-format json
holds '  "num_shards_probed": 1,' "$T/out"
run $v search --like nginx --top-k 1 --output-format text
holds '# 1 of 2 shards probed' "$T/out"
run $v search --like nginx --top-k 1 --output-format table
checks=$((checks + 1))
[ "$(tail -1 "$T/out")" = "1 of 2 shards probed" ] || fail "the table does not end with the shards"
run -u $SAMPLE search --like nginx --top-k 1 --output-format text
checks=$((checks + 1))
grep -q probed "$T/out" && fail "a snapshot that is searched whole needs no such words"

# ---- recall against what search finds and what was recorded ----
run $v recall --queries $Q --num-probes 2,1,2 --output-format jsonl
cp "$T/out" "$T/measured"
"$SHARDY" $v search --queries $Q --num-probes 1 --top-k 10 >"$T/found" || fail "search"
checks=$((checks + 1))
python3 - "$T/measured" "$T/found" tests/data/packages-1k-answers.jsonl <<'PYTHON' >"$T/out" 2>&1 || fail "other recall than search has"
import json, sys
measured, found, recorded = [[json.loads(line) for line in open(name)] for name in sys.argv[1:]]
(measured,) = measured
recalls = []
for answer, exact in zip(found, recorded, strict=True):
    ids = {hit["id"] for hit in answer["results"]}
    recalls.append(sum(hit["id"] in ids for hit in exact["top10"]) / 10)
one, two = measured["results"]
recalls.sort()
mean = sum(recalls) / len(recalls)
assert 0.2 < mean < 1, mean
assert measured["queries"] == len(recalls) and measured["seed"] is None and measured["top_k"] == 10, measured
assert measured["rows"] == 1000 and measured["num_dbs"] == 2 and measured["own_num_probes"] == 1, measured
assert one["num_probes"] == 1 and one["num_shards_probed"] == 1, one
assert abs(one["recall"] - mean) < 1e-9, (one, mean)
assert one["recall_min"] == recalls[0] and one["recall_p05"] == recalls[-(-len(recalls) // 20) - 1], (one, recalls)
assert abs(one["full_recall_share"] - recalls.count(1) / len(recalls)) < 1e-9, (one, recalls)
assert 0 < one["rows_scanned_share"] < 1, one
assert two["num_probes"] == 2 and two["recall"] == two["recall_min"] == 1 and two["rows_scanned_share"] == 1, two
assert 0 < two["latency_p50_ms"] <= two["latency_p99_ms"] and two["queries_per_second"] > 0, two
assert measured["smallest_num_probes"] == 2 and measured["target"] == 0.95, measured
PYTHON
refused "standard input: there is no query in it" $v recall --queries -
cp $Q "$T/in"
run $v recall --queries - --num-probes 1
: >"$T/in"
true_of 'points[1]["recall"] == json.load(open("'"$T/measured"'"))["results"][0]["recall"]'

# ---- stored vectors ----
run $v recall --sample 50 --plot "$T/plot.svg" --output-format json
cp "$T/out" "$T/first"
true_of 'r["queries"] == 50 and r["seed"] == 42 and r["rows"] == 1000 and list(points) == [1, 2]'
true_of '0.3 < points[1]["recall"] < 1 and points[2]["recall"] == 1 and not r["always_exact"]'
true_of 'r["sharding_strategy"] == "cluster" and r["kind"] == "vector-only" and r["metric"] == "cosine"'
run $v recall --queries 50 --output-format jsonl
true_of 'points[1]["recall"] == json.load(open("'"$T/first"'"))["results"][0]["recall"]'
run $v recall --sample 50 --seed 43
true_of 'points[1]["recall"] != json.load(open("'"$T/first"'"))["results"][0]["recall"] or points[1]["rows_scanned_share"] != json.load(open("'"$T/first"'"))["results"][0]["rows_scanned_share"]'
run $v recall --sample 5000 --num-probes 1
true_of 'r["queries"] == 1000'
holds 'there are 1000 stored vectors to search for; all of them are asked' "$T/err"
# The row itself is left out: with one hit of a search in all shards nothing of it is left but the nearest other.
run $v recall --sample 100 --num-probes 2 --top-k 1
true_of 'points[2]["recall"] == 1'
run $v recall --sample 20 --top-k 999 --num-probes 2
true_of 'points[2]["recall"] == 1'
run $v recall --sample 30 --target 0.01
true_of 'r["smallest_num_probes"] == 1'
run $v recall --sample 30 --num-probes 1 --target 1
true_of 'r["smallest_num_probes"] is None'
run $v recall --sample 30 --num-probes 50
true_of 'points[50]["num_shards_probed"] == 2 and points[50]["recall"] == 1'
run $v recall --sample 30 --shard-ids 1
true_of 'points[None]["num_shards_probed"] == 1 and 0 < points[None]["recall"] < 1'
run $v recall --sample 50 --max-open-shards 1
true_of 'points[1]["recall"] == json.load(open("'"$T/first"'"))["results"][0]["recall"] and points[2]["recall"] == 1'
run $v recall --sample 30 --output-format table
checks=$((checks + 1))
head -1 "$T/out" | grep -q '^NUM_PROBES  *SHARDS  *ROWS  *RECALL  *RECALL P5  *LOWEST  *FULL  *P50 MS  *P99 MS  *PER SECOND$' || fail "the columns"
holds '1 of 2' "$T/out"
holds 'recall@10 of 30 stored vectors, each without itself (seed 42), among 1000 vectors of 384 dimensions, cosine; run ' "$T/out"
holds "num_probes 2 is the smallest of these that reaches 0.95; the snapshot's own is 1" "$T/out"
run $v recall --sample 30 --output-format text
holds 'num_probes=2 shards_probed=2/2 rows_scanned=1.0000 recall=1.0000 recall_p05=1.0000 recall_min=1.0000 full_recall=1.0000 p50_ms=' "$T/out"
holds 'num_probes=exact shards_probed=2/2 ' "$T/out"

# ---- the plot ----
what="the plot"
checks=$((checks + 1))
python3 - "$T/plot.svg" <<'PYTHON' 2>"$T/err" || fail "not the picture that is wanted"
import sys
import xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
svg = "{http://www.w3.org/2000/svg}"
assert root.tag == svg + "svg", root.tag
words = [text.text for text in root.iter(svg + "text")]
assert "Recall@10 and latency by num_probes" in words and "num_probes 2 reaches 0.95" in words, words
width, height = float(root.get("width")), float(root.get("height"))
for dot in root.iter(svg + "circle"):
    assert 0 < float(dot.get("cx")) < width and 0 < float(dot.get("cy")) < height, dot.attrib
assert not any("http" in value for node in root.iter() for value in node.attrib.values())
PYTHON
refused "--plot $T/none/f.svg: No such file or directory" -u "$T/no-snapshot" recall --plot "$T/none/f.svg"
refused "--plot $T: Is a directory" $v recall --plot "$T"
refused "" -u "$T/no-snapshot" recall --plot "$T/left.svg"
checks=$((checks + 1))
[ ! -e "$T/left.svg" ] || fail "an empty plot is left behind"
echo "an older picture, which is longer than nothing" >"$T/old.svg"
refused "" -u "$T/no-snapshot" recall --plot "$T/old.svg"
holds 'an older picture' "$T/old.svg"
run $v recall --sample 5 --plot "$T/old.svg"
checks=$((checks + 1))
[ "$code" = 0 ] && [ "$(tail -1 "$T/old.svg")" = "</svg>" ] && ! grep -q older "$T/old.svg" || fail "the older picture stays"
if [ -e /dev/full ]; then
    run $v recall --sample 5 --plot /dev/full --output-format text
    checks=$((checks + 1))
    [ "$code" = 1 ] && grep -q "error: --plot /dev/full: No space left on device" "$T/err" || fail "a full disk"
fi

# ---- what can not be measured ----
echo '{"vector":[1,2,3]}' >"$T/three.jsonl"
refused "the queries have 3 dimensions, the vectors of this snapshot have 384" $v recall --queries "$T/three.jsonl"
printf '{"vector":[1,2,3]}\n{"vector":[1,2]}\n' >"$T/mixed.jsonl"
refused "query 1 has 2 dimensions, the ones before have 3" $v recall --queries "$T/mixed.jsonl"
: >"$T/none.jsonl"
refused "$T/none.jsonl: there is no query in it" $v recall --queries "$T/none.jsonl"
refused "$T/missing.npy: No such file or directory" $v recall --queries "$T/missing.npy"
echo nonsense >"$T/bad.jsonl"
refused "$T/bad.jsonl: line 1: not JSON" $v recall --queries "$T/bad.jsonl"
python3 -c 'print({"vector": [0] * 384})' | tr "'" '"' >"$T/zero.jsonl"
refused "query 0: " $v recall --queries "$T/zero.jsonl"
refused "--top-k 1000: there are only 1000 vectors, one of which is the query" $v recall --sample 5 --top-k 1000
refused "--top-k 1001: there are only 1000 vectors" $v recall --queries $Q --top-k 1001
refused "shard id 2 is out of range: the snapshot has shards 0 to 1" $v recall --shard-ids 0,2
refused "shard id 1 is given twice" $v recall --shard-ids 1,1
refused "there are no stored vectors to draw from" $v recall --shard-ids ""
head -1 $Q | sed 's/}$/,"num_probes":1}/' >"$T/more.jsonl"
run $v recall --queries "$T/more.jsonl"
holds 'warning: queries: recall takes their vectors alone' "$T/err"

# ---- other kinds ----
run -u $SAMPLE recall --sample 40 --output-format text --plot "$T/exact.svg"
checks=$((checks + 1))
[ "$code" = 0 ] && grep -qE '^every search of this unified snapshot is exact: recall@10 1\.0000 of 40 stored vectors, p50 [0-9.]+ ms, p99 [0-9.]+ ms, [0-9]+ a second$' "$T/out" &&
    [ "$(wc -l <"$T/out")" = 1 ] || fail "not one line"
holds 'warning: --plot: nothing to choose from, so nothing was drawn' "$T/err"
checks=$((checks + 1))
[ ! -e "$T/exact.svg" ] || fail "an empty plot is left behind"
run -u $SAMPLE recall --sample 40
true_of 'r["always_exact"] and r["kind"] == "unified" and points[None]["recall"] == 1 and r["smallest_num_probes"] is None'
true_of 'points[None]["latency_p50_ms"] > 0 and r["own_num_probes"] is None and r["sharding_strategy"] is None'
run -u tests/data/composite-120 recall --sample 200 --top-k 3
true_of 'r["always_exact"] and r["kind"] == "composite" and r["queries"] == 120 and points[None]["recall"] == 1'
refused "--num-probes: no vector leads to the shards of this unified snapshot" -u $SAMPLE recall --num-probes 1
python3 "$T/make.py" "$V" explicit
refused "EXPLICIT sharding: a search must say where; give --shard-ids" $v recall
run $v recall --sample 30 --shard-ids 0
true_of 'points[None]["num_shards_probed"] == 1 and 0 < points[None]["recall"] < 1 and not r["always_exact"]'
python3 "$T/make.py" "$V" cel
refused "the snapshot is sharded by a CEL expression: give a routing context" $v recall
run $v recall --routing-context region=us --sample 600
true_of 'r["always_exact"] and points[None]["recall"] == 1 and points[None]["num_shards_probed"] == 1 and 100 < r["rows"] < 900 and r["queries"] == min(r["rows"], 600)'
refused "the routing token \"mars\" is none of" $v recall --routing-context region=mars
python3 "$T/make.py" "$V" lsh
run $v recall --sample 50
true_of 'list(points) == [1, 2] and points[1]["recall"] < 1 and points[2]["recall"] == 1'

# ---- recorded snapshots, where they are at hand ----
if [ -d "$PEER" ]; then
    run -u "$PEER/kv-sqlite-u64be/snapshot" recall --output-format text
    holds 'is a key-value snapshot: it has no vectors to search' "$T/err"
    run -u "$PEER/vector-cluster-sqlitevec/snapshot" recall
    true_of 'list(points) == [1, 2, 3] and points[1]["recall"] < points[2]["recall"] < points[3]["recall"] == 1'
    run -u "$PEER/vector-cluster-lancedb/snapshot" recall
    true_of 'list(points) == [1, 2] and 0.3 < points[1]["recall"] < 1 and points[2]["recall"] == 1'
    run -u "$PEER/vector-lsh-sqlitevec/snapshot" recall --num-probes 1,5,60000
    true_of 'points[5]["num_shards_probed"] < 5 and points[5]["num_shards_probed"] == points[60000]["num_shards_probed"]'
    true_of 'points[1]["recall"] < points[5]["recall"] < 1'
    # Zero vectors under cosine are no queries: others are drawn. Equal distances count as found.
    run -u "$PEER/unified-ties/snapshot" recall --top-k 20
    true_of 'r["always_exact"] and r["queries"] < r["rows"] == 90 and points[None]["recall"] == 1'
    run -u "$PEER/unified-sparse-shards/snapshot" recall --top-k 4
    true_of 'r["queries"] == 5 and r["num_dbs"] == 16 and points[None]["recall"] == 1'
else
    echo "SKIP: $PEER is not there: nothing of recorded snapshots was checked"
fi

echo "$checks checks, $failures failures"
[ "$failures" = 0 ]
