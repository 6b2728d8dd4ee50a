#!/usr/bin/env python3
"""Line coverage, module by module, from the counters that the tests of a --coverage build left.

    tools/coverage.py BUILD-DIRECTORY [--missing MODULE...]

Fails when a module reaches less than it must. --missing lists the lines that no test reached, of all modules or of those
named. A line counts once, whichever programs it was compiled into.
"""
import collections
import gzip
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# Percent of lines that the tests must reach, at least.
LEAST = {
    "base": 95, "formats": 95, "snapshot": 95, "rt": 95,
    "search": 85, "reader": 85, "io": 85, "api": 85, "cli": 85,
}


def module_of(path):
    parts = path.split("/")
    if parts[0] == "src" and len(parts) > 2:
        return parts[1]
    return "cli" if parts[0] == "cli" else None


def counters(directory):
    """Every file of counters below the directory whose program's source is the product's."""
    for folder, _, names in os.walk(directory):
        for name in names:
            if name.endswith(".gcda") and ("/src/" in folder or "/cli" in folder):
                yield os.path.abspath(os.path.join(folder, name))


def read_lines(directory):
    """{file: {line: times it ran}}, paths relative to the project."""
    lines = collections.defaultdict(lambda: collections.defaultdict(int))
    found = sorted(counters(directory))
    with tempfile.TemporaryDirectory() as scratch:
        for start in range(0, len(found), 40):
            subprocess.run(["gcov", "--json-format", "--hash-filenames", *found[start:start + 40]], cwd=scratch, check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for name in os.listdir(scratch):
            with gzip.open(os.path.join(scratch, name)) as report:
                described = json.load(report)
            for file in described["files"]:
                path = os.path.normpath(os.path.join(described["current_working_directory"], file["file"]))
                path = os.path.relpath(path, ROOT)
                if module_of(path):
                    for line in file["lines"]:
                        lines[path][line["line_number"]] += line["count"]
    return lines


def ranges(numbers):
    """[3, 4, 5, 9] as '3-5 9'."""
    spans = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)


def main():
    if len(sys.argv) < 2 or (len(sys.argv) > 2 and sys.argv[2] != "--missing"):
        sys.exit(__doc__)
    lines = read_lines(sys.argv[1])
    for path in sorted(lines):
        missing = [number for number, count in lines[path].items() if not count]
        if len(sys.argv) > 2 and missing and (len(sys.argv) == 3 or module_of(path) in sys.argv[3:]):
            print(f"{path}: {ranges(missing)}")
    failed = False
    print(f"{'module':10} {'reached':>8} {'lines':>6} {'percent':>8} {'least':>6}")
    for module, least in LEAST.items():
        counts = [count for path in lines if module_of(path) == module for count in lines[path].values()]
        reached = sum(1 for count in counts if count)
        percent = 100 * reached / len(counts) if counts else 0
        note = "" if percent >= least else "  too few"
        failed = failed or bool(note)
        print(f"{module:10} {reached:8} {len(counts):6} {percent:8.1f} {least:6}{note}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
