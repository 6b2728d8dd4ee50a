#!/usr/bin/env python3
"""Real packages through `shardy build` and back: every row to the bit, every recorded answer in its order.

    round_trip.py SHARDY [S3_URL]     without S3_URL the snapshots lie in a temporary directory

SHF_ROUND_TRIP=demo takes the smaller data alone. The data (3,000 and 20,000 rows) lie where SHF_SHARED says; without them it ends with 77, which ctest counts as skipped.
"""

import base64
import gzip
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

SKIPPED = 77
ENCODINGS = ("utf8", "raw", "u64be", "u32be")
# data, backend, key encoding, metric, shards
BUILDS = [("demo", "unified", encoding, "cosine", shards) for shards, encoding in enumerate(ENCODINGS, 1)]
BUILDS += [("demo", "kv", encoding, None, shards) for shards, encoding in enumerate(ENCODINGS, 2)]
BUILDS += [("packages20k", "unified", encoding, "cosine", shards) for shards, encoding in enumerate(ENCODINGS, 1)]
BUILDS += [("packages20k", "unified", encoding, "l2", shards) for shards, encoding in enumerate(ENCODINGS, 2)]
BUILDS += [("packages20k", "kv", encoding, None, shards) for shards, encoding in enumerate(ENCODINGS, 3)]


class Wrong(Exception):
    pass


def expect(holds, what):
    if not holds:
        raise Wrong(what)


def read_lines(path):
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


class Data:
    def __init__(self, folder):
        self.rows_file = next(path for path in (folder / "packages.jsonl", folder / "packages.jsonl.gz") if path.exists())
        self.vectors = folder / "vectors.npy"
        self.rows = read_lines(self.rows_file)
        queries = next(path for path in (folder / "queries.jsonl", folder / "queries.jsonl.gz") if path.exists())
        self.queries = read_lines(queries)
        self.payloads = {row["id"]: row["payload"] for row in self.rows}

    def answers(self, query, metric):
        """Recorded ids and distances; those of l2 are squares."""
        if "top10" in query:
            return [(hit["id"], hit["distance"]) for hit in query["top10"]]
        return [(hit["id"], hit["distance"] ** 0.5 if metric == "l2" else hit["distance"]) for hit in query[metric]["top10"]]


def call(command, text=None):
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=300)
    expect(done.returncode == 0, f"{command[1]} ended with {done.returncode}: {(done.stderr or done.stdout)[-400:]}")
    return done.stdout


def input_of(data, folder, encoding):
    """As it lies there for text keys; the number of the line as the key otherwise."""
    if encoding in ("utf8", "raw"):
        return data.rows_file, [row["key"] for row in data.rows]
    numbered = folder / "numbered.jsonl.gz"
    with gzip.open(numbered, "wt", encoding="utf-8", compresslevel=1) as file:
        for number, row in enumerate(data.rows):
            file.write(json.dumps({**row, "key": number}, ensure_ascii=False) + "\n")
    return numbered, list(range(len(data.rows)))


def check_rows(shardy, url, cache, data, keys):
    absent = [len(keys), len(keys) + 7] if isinstance(keys[0], int) else ["no-such-package", "0"]
    text = call([shardy, "multiget", "-", "--flat", "-u", url, "--local-root", cache, "--output-format", "jsonl",
                 "--value-encoding", "base64"], "".join(f"{key}\n" for key in keys + absent))
    answers = [json.loads(line) for line in text.splitlines()]
    expect(len(answers) == len(keys + absent), f"{len(answers)} answers for {len(keys + absent)} keys")
    expect(not any(answer["found"] for answer in answers[len(keys):]), f"absent keys are found: {answers[len(keys):]}")
    for key, row, answer in zip(keys, data.rows, answers):
        expect(answer["found"] and base64.b64decode(answer["value"]) == row["value"].encode(), f"key {key}: {answer}")


def check_queries(shardy, url, cache, data, metric):
    lines = "".join(json.dumps({"vector_base64": query["vector"], "top_k": 10}) + "\n" for query in data.queries)
    text = call([shardy, "search", "--queries", "-", "-u", url, "--local-root", cache, "--output-format", "jsonl"], lines)
    answers = [json.loads(line)["results"] for line in text.splitlines()]
    expect(len(answers) == len(data.queries), f"{len(answers)} answers to {len(data.queries)} queries")
    for query, answer in zip(data.queries, answers):
        wanted = data.answers(query, metric)
        expect([hit["id"] for hit in answer] == [identity for identity, _ in wanted], f"{query['text']}: {answer}")
        for hit, (_, distance) in zip(answer, wanted):
            expect(abs(hit["score"] - distance) <= 1e-6, f"{query['text']}: {hit['id']} at {hit['score']}, not {distance}")
            expect(hit["payload"] == data.payloads[hit["id"]], f"{query['text']}: the payload of {hit['id']} differs")


def round_trip(shardy, place, data, build, number):
    _, backend, encoding, metric, shards = build
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        url = f"{place}/{number}" if place else str(folder / "snapshot")
        rows_file, keys = input_of(data, folder, encoding)
        command = [shardy, "build", str(rows_file), "--output", url, "--backend", backend, "--num-dbs", str(shards),
                   "--key-encoding", encoding, "--local-root", str(folder / "work")]
        command += ["--vectors", str(data.vectors), "--metric", metric] if metric else []
        summary = json.loads(call(command))
        expect(summary["rows"] == len(keys) and sum(s["row_count"] for s in summary["shards"]) == len(keys), "rows are missing")
        check_rows(shardy, url, str(folder / "cache"), data, keys)
        if metric:
            check_queries(shardy, url, str(folder / "cache"), data, metric)
        return summary["seconds"]


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    fixtures = pathlib.Path(os.environ.get("SHF_SHARED", "../shared")) / "fixtures"
    missing = [name for name in ("demo", "packages20k") if not (fixtures / name).is_dir()]
    if missing:
        print(f"SKIP: no {' and '.join(missing)} at {fixtures} (set SHF_SHARED)")
        sys.exit(SKIPPED)
    shardy = str(pathlib.Path(sys.argv[1]).resolve())
    data = {name: Data(fixtures / name) for name in ("demo", "packages20k")}
    failed = 0
    builds = [build for build in BUILDS if os.environ.get("SHF_ROUND_TRIP", build[0]) == build[0]]
    for number, build in enumerate(builds):
        began = time.monotonic()
        try:
            seconds = round_trip(shardy, sys.argv[2] if len(sys.argv) > 2 else None, data[build[0]], build, number)
            print(f"{' '.join(map(str, build))}: built in {seconds} s, {time.monotonic() - began:.1f} s in all", flush=True)
        except (Wrong, OSError, ValueError, KeyError, subprocess.SubprocessError) as problem:
            failed += 1
            print(f"{' '.join(map(str, build))}: {problem}", flush=True)
    print(f"{len(builds) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
