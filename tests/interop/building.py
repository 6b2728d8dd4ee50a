"""Rows made from a seed, `shardy build` over them, and what a snapshot of them must answer. The standard library alone."""

import array
import base64
import json
import math
import operator
import pathlib
import random
import struct
import subprocess

INT64_MOST = 2**63 - 1
SMALL = (0, 1, 7, 90, 400)
LARGE = (0, 60, 900, 1100, 5000, 70_000)


class Wrong(Exception):
    """What was written is not what was meant."""


def expect(holds, what):
    if not holds:
        raise Wrong(what)


class Row:
    __slots__ = ("key", "stored_key", "value", "vector", "id", "payload")


class Case:
    """What to build. dimension 0: key-value only. vectors: the .npy type, or "lines" for vectors in the JSON lines."""

    def __init__(self, name, rows, dimension=0, metric="cosine", shards=1, page_size="auto", encoding="u64be", keys=None,
                 ids=None, payloads=True, values=SMALL, vectors="<f4", huge=0, sidecar=True):
        self.name, self.rows, self.dimension, self.metric, self.shards = name, rows, dimension, metric, shards
        self.page_size, self.encoding, self.ids, self.payloads = page_size, encoding, ids, payloads
        self.keys = keys or {"u64be": "int", "u32be": "int", "utf8": "text", "raw": "text"}[encoding]
        self.values, self.vectors, self.huge, self.sidecar = values, vectors, huge, sidecar


# ---- rows ----

def integer_keys(source, count, most):
    """Both ends, small ones and any."""
    keys = {0, most} if count > 1 else set()
    while len(keys) < count:
        keys.add(source.randrange(min(most, 70_000)) if len(keys) % 2 else source.randrange(most))
    keys = sorted(keys)
    source.shuffle(keys)
    return keys


def text_keys(source, count):
    """The empty one, a control character, characters of one to four bytes, and lengths up to some hundred bytes."""
    keys = [""] if count > 1 else []
    while len(keys) < count:
        number = len(keys)
        tail = ("", "é", "漢字", "🦆\x01", "\n\t\"\\")[number % 5] * (1 + (40 if number % 50 == 7 else 0))
        keys.append(f"key-{number:05d}-{tail}")
    source.shuffle(keys)
    return keys


def bytes_keys(source, count):
    keys = {b"", b"\0"} if count > 2 else set()
    while len(keys) < count:
        keys.add(source.randbytes(source.choice((1, 3, 8, 33))))
    keys = sorted(keys)
    source.shuffle(keys)
    return keys


def stored(case, key):
    if isinstance(key, int):
        return key.to_bytes(4 if case.encoding == "u32be" else 8, "big")
    return key.encode() if isinstance(key, str) else key


def payload_of(number):
    if number % 5 == 0:
        return None
    if number % 5 == 1:
        return {}
    if number % 5 == 2:
        return {"n": number, "text": f"päyload {number} 漢字 🦆 \\ \" \x01"}
    return {"deep": {"list": [1, -2.5, True, None, {"größe": [[]]}]}, "n": number}


def vectors_of(source, count, dimension, kind):
    """Numbers that the type of the file holds exactly: eighths that often tie, or sixteen bits."""
    if kind == "<f2":
        flat = array.array("b", source.randbytes(count * dimension))
        scale = 1 / 8
    else:
        flat = array.array("h", source.randbytes(2 * count * dimension))
        scale = 1 / 8192
    result = []
    for i in range(count):
        vector = [number * scale for number in flat[i * dimension:(i + 1) * dimension]]
        vector[0] = vector[0] or scale  # a distance to a zero vector is undefined under cosine
        result.append(vector)
    return result


def rows_of(case):
    source = random.Random(case.name)
    most = 2**32 - 1 if case.encoding == "u32be" else INT64_MOST
    keys = {"int": lambda: integer_keys(source, case.rows, most), "text": lambda: text_keys(source, case.rows),
            "bytes": lambda: bytes_keys(source, case.rows)}[case.keys]()
    vectors = vectors_of(source, case.rows, case.dimension, case.vectors) if case.dimension else [None] * case.rows
    rows = []
    for number, key in enumerate(keys):
        row = Row()
        row.key, row.stored_key, row.vector = key, stored(case, key), vectors[number]
        size = 300_000 if number < case.huge else source.choice(case.values)
        row.value = source.randbytes(size)
        row.payload = payload_of(number) if case.payloads and case.dimension else None
        row.id = {None: key, "int": number * 3 - 1500, "text": f"id-{number}-ü"}[case.ids]
        rows.append(row)
    return rows


# ---- files ----

def write_npy(path, vectors, dimension, kind):
    """Version 1.0 of the format, by hand."""
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': ({len(vectors)}, {dimension}), }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    letter = {"<f2": "e", "<f4": "f", "<f8": "d"}[kind]
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        for vector in vectors:
            file.write(struct.pack(f"<{dimension}{letter}", *vector))


def line_of(case, row, number):
    key = base64.b64encode(row.key).decode() if isinstance(row.key, bytes) else row.key
    line = {"key": key, "value": base64.b64encode(row.value).decode()}
    if case.dimension and case.ids:
        line["id"] = row.id
    if row.payload is not None or (case.dimension and number % 2):
        line["payload"] = row.payload  # null or absent
    if case.dimension and case.vectors == "lines":
        line["vector"] = row.vector
    return json.dumps(line, ensure_ascii=number % 3 == 0)


def write_input(folder, case, rows):
    lines, vectors = folder / "rows.jsonl", None
    with open(lines, "w", encoding="utf-8", newline="\n") as file:
        for number, row in enumerate(rows):
            file.write(line_of(case, row, number) + "\n")
    if case.dimension and case.vectors != "lines":
        vectors = folder / "vectors.npy"
        write_npy(vectors, [row.vector for row in rows], case.dimension, case.vectors)
    return lines, vectors


def call(command, text=None, timeout=300):
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=timeout)
    if done.returncode:
        raise Wrong(f"{pathlib.Path(command[0]).name} {command[1]} ended with {done.returncode}: "
                    f"{(done.stderr.strip() or done.stdout[-300:])[:600]}")
    return done.stdout


def build(shardy, folder, case, rows, url, *more):
    """Builds them and returns the summary. more: further arguments."""
    lines, vectors = write_input(folder, case, rows)
    command = [shardy, "build", str(lines), "--output", url, "--num-dbs", str(case.shards), "--page-size",
               str(case.page_size), "--value-format", "base64", "--key-encoding", case.encoding,
               "--local-root", str(folder / "work"), *more]
    command += ["--key-format", "base64"] if case.keys == "bytes" else []
    command += [] if case.sidecar else ["--no-sidecar"]
    if case.dimension:
        command += ["--metric", case.metric, "--backend", "unified"]
        command += ["--vectors", str(vectors)] if vectors else []
    return json.loads(call(command))


# ---- what it must answer ----

def packed(vector):
    return struct.pack(f"<{len(vector)}f", *vector)


def exact(metric, query, vector):
    """In float64."""
    if metric == "l2":
        return math.dist(query, vector)
    norms = math.hypot(*query) * math.hypot(*vector)
    return 1 - sum(map(operator.mul, query, vector)) / norms


def close(score, wanted):
    return abs(score - wanted) <= 1e-5 * max(1.0, abs(wanted))


def check_hits(what, hits, distances, top_k):
    """hits: (id, score) as answered. distances: id -> exact. Equal ones may come in any order, and be cut off anywhere."""
    wanted = sorted(distances.values())[:top_k]
    expect(len(hits) == len(wanted), f"{what}: {len(hits)} hits, not {len(wanted)}")
    expect(len({identity for identity, _ in hits}) == len(hits), f"{what}: an id comes twice")
    for place, ((identity, score), distance) in enumerate(zip(hits, wanted)):
        expect(identity in distances, f"{what}, hit {place}: there is no id {identity!r}")
        expect(close(score, distance), f"{what}, hit {place}: distance {score}, an exact scan has {distance}")
        expect(close(score, distances[identity]), f"{what}, hit {place}: {identity!r} is {distances[identity]} away, not {score}")


def queries_of(case, rows):
    """Any two, and one that is a row."""
    queries = vectors_of(random.Random(case.name + "?"), 2, case.dimension, "<f4")
    return queries + [row.vector for row in rows[len(rows) // 2:][:1]]


def each_distance(case, query, rows):
    return {row.id: exact(case.metric, query, row.vector) for row in rows}
