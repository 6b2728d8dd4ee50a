#!/usr/bin/env python3
"""Run the example of the Python project's page, unchanged, with our Python package and with the project, and compare what it gets.

    python_parity_example.py OUR_PYTHON WITH_S3_SERVER SHARDY

The example is bindings/python/examples/seed_example.py; it reads 3,000 rows that SHARDY builds from samples/ on a real S3 server.
The project is taken as python_parity.py does, and without it, or without a server, this ends with 77 like that, after a line.
"""

import json
import os
import pathlib
import runpy
import shutil
import subprocess
import sys
import tempfile

import building
import python_parity

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "bindings" / "python" / "examples" / "seed_example.py"
CACHE = pathlib.Path("/tmp/unified")  # as the example says
PREFIX = "s3://my-bucket/snapshots/items"


def record():
    """In one of the two Pythons: what the calls of the example return, a line of JSON each."""
    import numpy
    import python_parity_questions
    import shardyfusion
    from shardyfusion.reader.async_unified_reader import AsyncUnifiedShardedReader

    print(json.dumps(bool(getattr(shardyfusion, "__accelerated__", False))))

    def recorded(name, original, described):
        async def call(self, *arguments, **more):
            returned = await original(self, *arguments, **more)
            print(json.dumps([name, python_parity_questions.plain(described(returned))]))
            return returned

        return call

    for name, described in {
        "get": lambda value: value,
        "search": python_parity_questions.hits,
        "close": lambda nothing: nothing,
    }.items():
        setattr(AsyncUnifiedShardedReader, name, recorded(name, getattr(AsyncUnifiedShardedReader, name), described))
    numpy.random.seed(20261127)
    runpy.run_path(str(EXAMPLE), run_name="__main__")


def recorded_by(python, path):
    environment = os.environ | {"AWS_ALLOW_HTTP": "true", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": path}
    was_there = CACHE.exists()
    try:
        printed = subprocess.run(
            [python, __file__, "--record"], env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=600
        )
    finally:
        if not was_there:
            shutil.rmtree(CACHE, ignore_errors=True)
    return [json.loads(line) for line in printed.stdout.splitlines()]


def inside(our_python, project, shardy):
    """On the server that the environment speaks of."""
    samples = ROOT / "samples"
    with tempfile.TemporaryDirectory() as folder:
        rows = pathlib.Path(folder) / "rows.jsonl"
        count = len((samples / "packages.jsonl").read_text(encoding="utf-8").splitlines())
        rows.write_text(
            "".join(json.dumps({"key": f"item-{number}", "value": f"value {number}"}) + "\n" for number in range(count))
        )
        building.call(
            [shardy, "build", str(rows), "--vectors", str(samples / "vectors.npy"), "--num-dbs", "4", "--output", PREFIX]
        )
    ours, theirs = recorded_by(our_python, ""), recorded_by(project, os.environ.get("PYTHONPATH", ""))
    building.expect(ours.pop(0) and not theirs.pop(0), "these are not the two packages")
    building.expect(
        [name for name, _ in ours] == [name for name, _ in theirs] == ["get", "search", "close"], f"calls: {ours}, {theirs}"
    )
    building.expect(theirs[0][1] is not None and len(theirs[1][1]["hits"]) == 10, f"the Python project found {theirs}")
    for (name, answer), (_, other) in zip(ours, theirs):
        building.expect(python_parity.same_answers(answer, other), f"{name}\n    ours: {answer}\n    theirs: {other}")
    print(
        "the example of the project's page, unchanged, gets the same value and the same 10 hits from both\n1 passed, 0 failed"
    )


def main():
    if sys.argv[1:] == ["--record"]:
        record()
    elif sys.argv[1:2] == ["--inside"]:
        inside(*sys.argv[2:])
    elif len(sys.argv) != 4:
        sys.exit(__doc__)
    else:
        project, server, shardy = python_parity.project_python(), *(str(pathlib.Path(path).resolve()) for path in sys.argv[2:])
        with tempfile.TemporaryDirectory() as empty:
            command = [
                server,
                empty,
                "my-bucket",
                "-",
                "--",
                sys.executable,
                __file__,
                "--inside",
                sys.argv[1],
                project,
                shardy,
            ]
            code = subprocess.run(command, timeout=1800).returncode
        if code == python_parity.SKIPPED:
            python_parity.skip("there is no S3 server (SHF_VERSITYGW)")
        sys.exit(code)


main()
