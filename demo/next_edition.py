#!/usr/bin/env python3
"""Make the next edition of the sample packages: one value changed, one package added, one removed.

    next_edition.py SAMPLES FOLDER    reads SAMPLES, writes packages.jsonl and vectors.npy into FOLDER, and prints
                                      what differs: sign, package and text, with tabs between

The added package is described by one of the recorded questions, word for word, so that its embedding is at hand.
"""

import base64
import json
import pathlib
import struct
import sys

CHANGED, ADDED, REMOVED = "ncdu", "office-pranks", "duf"
CHANGES = {"version": "2.3-1", "summary": "disk usage viewer, rewritten in Zig"}
QUESTION = "something silly to make my colleagues laugh"
DIMENSION = 384


def lines_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def read_vectors(path):
    """The bytes of each vector of float16."""
    data = path.read_bytes()
    start, size = 10 + int.from_bytes(data[8:10], "little"), 2 * DIMENSION
    return [data[at : at + size] for at in range(start, len(data), size)]


def write_vectors(path, vectors):
    header = "{'descr': '<f2', 'fortran_order': False, 'shape': (%d, %d), }" % (len(vectors), DIMENSION)
    text = header.ljust(117) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + b"".join(vectors))


def row_of(key, value):
    payload = {"section": value["section"], "summary": value["summary"]}
    return {"key": key, "value": json.dumps(value, ensure_ascii=False), "id": key, "payload": payload}


def embedding_of_question(samples):
    answers = lines_of(samples / "answers.jsonl")
    at = next(i for i, answer in enumerate(answers) if answer["text"] == QUESTION)
    floats = base64.b64decode(lines_of(samples / "queries.jsonl")[at]["vector_base64"])
    return struct.pack("<%de" % DIMENSION, *struct.unpack("<%df" % DIMENSION, floats))


def main(samples, folder):
    rows = {row["key"]: row for row in lines_of(samples / "packages.jsonl")}
    vectors = dict(zip(rows, read_vectors(samples / "vectors.npy"), strict=True))

    old = json.loads(rows[CHANGED]["value"])
    new = old | CHANGES
    rows[CHANGED] = row_of(CHANGED, new)
    print("~", CHANGED, f"{old['version']} becomes {new['version']}: {new['summary']}", sep="\t")

    added = {"version": "1.0-1", "section": "games", "summary": QUESTION, "homepage": "", "installed_kb": 42}
    rows[ADDED] = row_of(ADDED, added | {"description": ""})
    vectors[ADDED] = embedding_of_question(samples)
    print("+", ADDED, QUESTION, sep="\t")

    removed = json.loads(rows.pop(REMOVED)["value"])
    print("-", REMOVED, removed["summary"], sep="\t")

    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "packages.jsonl", "w", encoding="utf-8") as file:
        for key in sorted(rows):
            print(json.dumps(rows[key], ensure_ascii=False), file=file)
    write_vectors(folder / "vectors.npy", [vectors[key] for key in sorted(rows)])


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
