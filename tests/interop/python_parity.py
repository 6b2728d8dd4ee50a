#!/usr/bin/env python3
"""Ask our Python package and the Python project the same questions about the same snapshots, and compare the answers.

    python_parity.py OUR_PYTHON WITH_S3_SERVER [NAME...]
    python_parity.py --there                      ends with 77, after a line that says so, where the project is not importable

The project is taken from this Python, or from the one that SHF_PYTHON_PROJECT names; it needs what its extras for SQLite, range
reads, sqlite-vec, LanceDB, SlateDB and CEL need. Snapshots are those of SHF_SHARED/fixtures/peer: each side reads them from an S3
server of its own. Questions are in python_parity_questions.py and python_parity_vectors.py; NAME may be "expressions" and "frames",
too, which ask about the expressions of SHF_SHARED/fixtures/cel. Differences that are
meant are in EXPECTED, each with its reason. Prints how often each was met, then every other difference, then "N passed, N failed" (snapshots);
without the project, the snapshots or a server, one line that says so, and ends with 77.
"""

import collections
import importlib.util
import json
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import building

SKIPPED = 77
ASKS = pathlib.Path(__file__).with_name("python_parity_asks.py")

# What was asked, what the project said (a class of errors, "answer", or what outcomes() names), what ours says, reason. All but the last are patterns.
REFUSED = "InvalidArgumentError"
SEARCH = r"(batch_)?search( \d+|, .*)?"
EXPECTED = [
    (
        "(wrong )?open(, nothing there|, pointer of another name)?",
        "FileNotFoundError",
        "ReaderStateError|ManifestStoreError",
        "no pointer is a matter of state, a pointer to no manifest one of the store: the project lets an error of its store through",
    ),
    (
        "wrong open, (async|sync) workers .*",
        "answer",
        REFUSED,
        "max_concurrency and max_workers below 1 are refused: with 0, the project's multi_get never ends",
    ),
    (
        "closed (snapshot_info|shard_details|route_key|key_encoding)",
        "answer|ValueError",
        "ReaderStateError",
        "a closed reader refuses everything: the project's synchronous one goes on describing its snapshot",
    ),
    (
        "get of a closed handle",
        "answer",
        "ReaderStateError",
        "a closed handle refuses lookups: the project's goes on answering",
    ),
    (
        "(get|multi_get|search,).* routing context",
        "ValueError",
        "answer",
        "a routing context is ignored where shards are by hash",
    ),
    ("wrong (get|route_key) numpy.int64", "ValueError", "answer", "numpy's integers are keys"),
    ("wrong route_key bytearray", "answer", REFUSED, "a bytearray is no key: the project routes it, but does not look it up"),
    ("wrong get empty .*", "Invalid", "answer", "an empty key is looked up like any other: SlateDB refuses it"),
    ("wrong (get|route_key) lone surrogate", "UnicodeEncodeError|RuntimeError", REFUSED, "it is refused as an argument"),
    ("wrong multi_get, one text", "answer", REFUSED, "a text is not taken for a sequence of keys of one letter each"),
    ("wrong search, shard (-1|past the last)", "KeyError", REFUSED, "a shard that is not there is refused before any work"),
    (
        "wrong search, shard (-1|past the last)|wrong search, probes (0|-1)",
        "answer",
        REFUSED,
        "shards that are not there, and probes below 1, are refused in vectors alone too: the project cuts them off",
    ),
    (
        "health before open",
        "answer",
        "answer",
        "a reader that was never opened is not healthy: the project's of vectors alone says so",
    ),
    (
        ".*",
        "failure as text",
        f"ShardAssignmentError|{REFUSED}",
        "an expression that fails is an error: the project takes the text of the failure for what the expression gives",
    ),
    (
        r"(multi_)?get (\d+ )?(with a routing|by (its|one)) context|wrong (multi_)?get .*",
        "nothing",
        f"ShardAssignmentError|{REFUSED}",
        "an expression that fails is an error: its text is no token of the project's, and so there is no such key",
    ),
    ("route result-012", "answer", "ValueError", "a text with blanks is no number of a shard"),
    ("wrong search, shard twice", "answer", REFUSED, "a shard named twice is refused: the project returns its hits twice"),
    (
        "wrong (batch_)?search, (dimension|None|text|one vector)",
        "OperationalError|VectorSearchError|AttributeError",
        REFUSED,
        "what is no query of this dimension is refused before any work",
    ),
    (
        "search, numpy.int64 of top_k",
        "answer",
        "answer",
        "numpy's integers are numbers: sqlite-vec takes one of them for no hits",
    ),
    ("(batch_)?search, list", "AttributeError|VectorSearchError", "answer", "a query may be a list"),
    ("wrong search, top_k (0|-1)", "answer|OperationalError|VectorSearchError", REFUSED, "top_k below 1 is refused"),
    ("wrong search, top_k 5000", "OperationalError", "answer", "top_k has no limit of 4096"),
    ("wrong search, NaN", "answer|TypeError", REFUSED, "NaN in a query is refused"),
    (rf"wrong search, zero|{SEARCH}", "answer|TypeError", REFUSED, "a query of zeros has no cosine distance, and is refused"),
    (
        SEARCH,
        "TypeError",
        "answer",
        "rows of zeros have an undefined cosine distance and come last: the project's search fails at them",
    ),
]
# What cel-expr-python says of an expression that failed.
FAILURE = re.compile(r"""(^|['"])(INVALID_ARGUMENT|OUT_OF_RANGE|UNKNOWN|NOT_FOUND): """)
# The same for both answers in composite snapshots; the hits alone may differ.
LANCE_SEARCH = rf"{SEARCH}|batch_search by itself|search of no shards|search, row of a matrix|wrong search, (top_k 5000|zero|token|column)"
LANCE_REASON = (
    "LanceDB's shards are searched exactly, by the manifest's metric and in its unit: the project takes what an index "
    "tells (cosine distances are doubled there), or squared l2 where there is none"
)


EXPRESSIONS, FRAMES = "expressions", "frames"  # no snapshots: questions about expressions, also over pandas and pyarrow


def packages_of(about):
    """What the project imports to read a snapshot."""
    if about["kind"] == EXPRESSIONS:
        return ["cel_expr_python"] + (["pandas", "pyarrow"] if about["name"] == FRAMES else [])
    needs = {"sqlite-vec": ["sqlite_vec"], "lancedb": ["lancedb"]}.get(about["backend"], [])
    needs = needs + (["cel_expr_python"] if "cel" in about["name"] else [])
    return needs + (["slatedb"] if about["kv_backend"] == "slatedb" else ["apsw", "zstandard"])


def near(score, other):
    return math.isclose(score, other) or building.close(score, other)


def same_hits(ours, theirs):
    """Scores in order, and what is found: where scores are nearly the same, which comes first, or is the last, is not told."""
    if len(ours) != len(theirs) or not all(near(hit[1], other[1]) for hit, other in zip(ours, theirs)):
        return False
    if not ours:
        return True
    sure = {json.dumps(hit[0]) for hit in theirs if not near(hit[1], theirs[-1][1])}
    payloads = {json.dumps(hit[0]): hit[2:] for hit in theirs}
    found = {json.dumps(hit[0]): hit[2:] for hit in ours}
    return sure <= found.keys() and all(found[name] == payloads[name] for name in found.keys() & payloads.keys())


def same_answers(ours, theirs):
    if isinstance(theirs, dict) and "hits" in theirs:
        return without_hits(ours) == without_hits(theirs) and same_hits(ours["hits"], theirs["hits"])
    if isinstance(theirs, list) and theirs and isinstance(theirs[0], dict) and "hits" in theirs[0]:
        return len(ours) == len(theirs) and all(same_answers(one, other) for one, other in zip(ours, theirs))
    return ours == theirs


def same(ours, theirs):
    """An error is the same when who catches the project's class catches ours."""
    if "error" in theirs:
        return "error" in ours and theirs["error"][0] in ours["error"][:-1]
    return "answer" in ours and same_answers(ours["answer"], theirs["answer"])


def answers_of(python, server, snapshots, records, names, output, path):
    """The answers of one package, by (snapshot, reader, question), with what PYTHONPATH is to be; its log goes where ours goes."""
    environment = os.environ | {"AWS_ALLOW_HTTP": "true", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": path}
    command = [server, snapshots, "fixtures", "peer", "*", "--", python, str(ASKS), str(records), *names]
    with open(output, "w", encoding="utf-8") as file:
        code = subprocess.run(command, stdout=file, env=environment, timeout=3000).returncode
    lines = [line for line in output.read_text(encoding="utf-8").splitlines()]
    if code == SKIPPED:
        skip(lines[-1] if lines else "there is no S3 server (SHF_VERSITYGW)")
    loaded = [json.loads(line) for line in lines]
    if code != 0 or not loaded:
        sys.exit(f"{python} ended with {code} after {len(loaded)} answers")
    return loaded[0], {(line["case"], line["reader"], line["ask"]): line for line in loaded[1:] if "ask" in line}


def outcomes(line):
    """What the patterns of EXPECTED may call it."""
    said = line["error"][-1] if "error" in line else line["answer"]
    named = [line["error"][0] if "error" in line else "answer"]
    if named[0] in ("answer", "ValueError", "UnknownRoutingTokenError") and isinstance(said, str) and FAILURE.search(said):
        named = ["failure as text"]
    if said is None or (isinstance(said, list) and said and all(isinstance(one, list) and one[1:] == [None] for one in said)):
        named.append("nothing")
    return named


def is_called(line, pattern):
    return any(re.fullmatch(pattern, name) for name in outcomes(line))


def reason_of(kind, ask, ours, theirs):
    """Why the two differ, where that is expected."""
    if kind in ("composite", "vector-only-lancedb") and re.fullmatch(LANCE_SEARCH, ask) and "answer" in ours and "answer" in theirs:
        return LANCE_REASON if alike_but_for_ranks(ours["answer"], theirs["answer"]) else None
    for asked, said, says, reason in EXPECTED:
        if re.fullmatch(asked, ask) and is_called(theirs, said) and is_called(ours, says):
            return reason
    return None


def without_hits(answer):
    if isinstance(answer, list):
        return [without_hits(one) for one in answer]
    return {name: entry for name, entry in answer.items() if name != "hits"}


def alike_but_for_ranks(ours, theirs):
    """As many hits, and of those that both have the same payloads."""
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(alike_but_for_ranks(one, other) for one, other in zip(ours, theirs))
    payloads = [{json.dumps(hit[0]): hit[2:] for hit in answer["hits"]} for answer in (ours, theirs)]
    common = payloads[0].keys() & payloads[1].keys()
    return (
        without_hits(ours) == without_hits(theirs)
        and len(ours["hits"]) == len(theirs["hits"])
        and all(payloads[0][name] == payloads[1][name] for name in common)
    )


def show(line):
    return "not asked" if line is None else json.dumps(line.get("answer", line.get("error")), ensure_ascii=False)[:300]


def compare(kinds, ours, theirs):
    """Returns the snapshots with a difference that is not expected; prints how many are expected, and those that are not."""
    wrong, met = {}, collections.Counter()
    for key in sorted(theirs.keys() | ours.keys()):
        one, other = ours.get(key), theirs.get(key)
        if one and other and same(one, other):
            continue
        reason = one and other and reason_of(kinds[key[0]], key[2], one, other)
        if reason:
            met[reason] += 1
            continue
        wrong.setdefault(key[0], []).append(f"{', '.join(key)}\n    ours: {show(one)}\n    theirs: {show(other)}")
    for reason in [reason for _, _, _, reason in EXPECTED] + [LANCE_REASON]:
        print(f"{met[reason]} answers differ as expected: {reason}")
    print(*(difference for differences in wrong.values() for difference in differences), sep="\n", end="\n" * bool(wrong))
    return wrong


def skip(why):
    print(f"{why}: this leg did not run")
    sys.exit(SKIPPED)


def importable(python, names):
    code = "import importlib.util, sys; print(*(name for name in sys.argv[1:] if importlib.util.find_spec(name) is None))"
    ran = subprocess.run([python, "-c", code, *names], capture_output=True, text=True, check=True)
    return sorted(set(names) - set(ran.stdout.split()))


def chosen_cases(records, our_python, project, wanted):
    """What is asked about, and why not about the others."""
    cases, needs = {}, {"sqlite_vec", "lancedb", "slatedb", "apsw", "zstandard", "cel_expr_python"}
    frames = {"pandas", "pyarrow"} & set(importable(our_python, ["pandas", "pyarrow"]))
    there = importable(project, sorted(needs | frames))
    abouts = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(records.glob("*/case.json"))]
    abouts += [{"name": name, "kind": EXPRESSIONS} for name in (EXPRESSIONS, FRAMES)]
    for about in abouts:
        missing = [name for name in packages_of(about) if name not in there]
        if wanted and about["name"] not in wanted:
            continue
        if missing:
            print(f"{about['name']}: not compared: the Python project, or ours, has no {' and no '.join(missing)}")
        else:
            lance = "-lancedb" if about["kind"] == "vector-only" and about["backend"] == "lancedb" else ""
            cases[about["name"]] = about["kind"] + lance
    return cases


def run(our_python, server, project, records, wanted):
    cases = chosen_cases(records, our_python, project, wanted)
    with tempfile.TemporaryDirectory() as empty:
        folder = pathlib.Path(empty)
        for case in cases.keys() - {EXPRESSIONS, FRAMES}:
            shutil.copytree(records / case / "snapshot", folder / "snapshots" / case)
        (head, ours), (other_head, theirs) = (
            answers_of(python, server, str(folder / "snapshots"), records, list(cases), folder / name, path)
            for python, name, path in ((our_python, "ours", ""), (project, "theirs", os.environ.get("PYTHONPATH", "")))
        )
    building.expect(
        head["accelerated"] and not other_head["accelerated"], f"these are not the two packages: {head}, {other_head}"
    )
    wrong = compare(cases, ours, theirs)
    errors = sum("error" in line for line in theirs.values())
    print(f"{len(theirs)} answers of the Python project compared, {errors} of them errors")
    print(f"{len(cases) - len(wrong)} passed, {len(wrong)} failed")
    return 1 if wrong or not cases else 0


def project_python():
    """The Python that has the project."""
    project = os.environ.get("SHF_PYTHON_PROJECT")
    if not project and importlib.util.find_spec("shardyfusion") is None:
        skip("the Python project shardyfusion is not importable here")
    return project or sys.executable


def main():
    if len(sys.argv) < 3 and sys.argv[1:] != ["--there"]:
        sys.exit(__doc__)
    project = project_python()
    shared = os.environ.get("SHF_SHARED") or "../shared"
    records = pathlib.Path(shared).resolve() / "fixtures" / "peer"
    if not records.is_dir():
        skip(f"no recorded snapshots at {records} (set SHF_SHARED)")
    if sys.argv[1:] != ["--there"]:
        server = str(pathlib.Path(sys.argv[2]).resolve())
        sys.exit(run(sys.argv[1], server, project, records, sys.argv[3:]))


if __name__ == "__main__":
    main()
