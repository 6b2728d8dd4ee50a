#!/usr/bin/env python3
"""How much memory `shardy build` takes when its input is many times larger than its budget.

    build_memory.py SHARDY          500 MB at 64 MiB; with SHF_STRESS_FULL=1 5 GB at 256 MiB

The lines come through a pipe, in an order that is not that of the keys. The peak of RssAnon, looked at every few
milliseconds, must stay within 1.2 times the budget; every row must be there afterwards, a sample of them as it was given.
"""

import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

VALUE_BYTES = 1000
ROWS_A_WRITE = 1000
ALLOWED = 1.2


def text_of_values():
    source = random.Random(7)
    return "".join(source.choice("abcdefghijklmnopqrstuvwxyz0123456789 .,-") for _ in range(1 << 20))


def row(index, text):
    key = index * 2654435761 % (1 << 32)  # each index has a key of its own
    at = key * 31 % (len(text) - VALUE_BYTES)
    return key, text[at : at + VALUE_BYTES]


def feed(pipe, rows, text):
    try:
        for first in range(0, rows, ROWS_A_WRITE):
            part = (row(index, text) for index in range(first, min(rows, first + ROWS_A_WRITE)))
            pipe.write("".join(f'{{"key":{key},"value":"{value}"}}\n' for key, value in part).encode())
        pipe.close()
    except BrokenPipeError:
        pass  # the program says why


def anonymous_bytes(process):
    try:
        for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def build(shardy, folder, rows, budget, text):
    process = subprocess.Popen(
        [shardy, "build", "-", "--output", folder / "snapshot", "--num-dbs", "5", "--memory-budget", str(budget)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    feeder = threading.Thread(target=feed, args=(process.stdin, rows, text))
    feeder.start()
    peak = 0
    while process.poll() is None:
        peak = max(peak, anonymous_bytes(process))
        time.sleep(0.003)
    feeder.join()
    if process.returncode != 0:
        sys.exit(f"shardy build ended with {process.returncode}")
    return peak, json.loads(process.stdout.read())


def check_rows(shardy, folder, rows, text):
    sample = [row(index, text) for index in random.Random(11).sample(range(rows), 2000)]
    answers = subprocess.run(
        [shardy, "-u", folder / "snapshot", "multiget", "-", "--flat", "--value-encoding", "utf8"],
        input="".join(f"{key}\n" for key, _ in sample).encode(),
        stdout=subprocess.PIPE,
        check=True,
        env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache")},
    ).stdout.splitlines()
    found = [json.loads(answer)["value"] for answer in answers]
    if found != [value for _, value in sample]:
        sys.exit("rows are not as they were given")


def main():
    shardy = pathlib.Path(sys.argv[1]).resolve()
    total, budget = (5_000_000_000, 256 << 20) if os.environ.get("SHF_STRESS_FULL") else (500_000_000, 64 << 20)
    rows = total // (VALUE_BYTES + 35)
    text = text_of_values()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="shf-build-"))
    try:
        began = time.monotonic()
        peak, summary = build(shardy, folder, rows, budget, text)
        print(
            f"{rows:,} rows, {total / 1e6:,.0f} MB of lines, budget {budget >> 20} MiB: peak RssAnon {peak / (1 << 20):.1f} MiB "
            f"({peak / budget:.2f} of it), {summary.get('spilled_bytes', 0) / 1e6:,.0f} MB spilled, {time.monotonic() - began:.1f} s"
        )
        if summary["rows"] != rows:
            sys.exit(f"{summary['rows']} rows were built")
        if not summary.get("spilled_bytes"):
            sys.exit("nothing was spilled: the input was no larger than the budget")
        check_rows(shardy, folder, rows, text)
        if not 0 < peak <= ALLOWED * budget:
            sys.exit(f"more than {ALLOWED} times the budget")
    finally:
        shutil.rmtree(folder)
    print("1 passed, 0 failed")


main()
