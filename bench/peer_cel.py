#!/usr/bin/env python3
"""The peer of the cel benchmarks: Google's evaluator through cel-expr-python, used as the Python project does.

    peer_cel.py NAME EXPRESSION

Compiles once; each row is a dictionary, evaluated to a plain value. Reads requests from standard input, answers each with
one line:

    describe             version
    answers FIRST COUNT  shards of these rows
    round FIRST COUNT    median nanoseconds of a row
"""

import struct
import sys
import time
from importlib import metadata

import xxhash
from cel_expr_python import cel

MASK = (1 << 64) - 1
SEED = 7
REGIONS = ["us-west", "us-east", "eu-west", "eu-north", "ap-south", "ap-east", "sa-east", "af-south"]


def shard_hash(value):
    if isinstance(value, int):
        value = struct.pack("<q", value)
    return xxhash.xxh3_64_intdigest(value.encode() if isinstance(value, str) else value)


def random_numbers(state):
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
        yield z ^ z >> 31


def make_rows(count):
    return [{"key": number % 100, "region": REGIONS[number >> 32 & 7], "tier": number >> 40 & 15}
            for number, _ in zip(random_numbers(SEED), range(count))]


def compile_expression(text):
    types = {"int": cel.Type.INT, "uint": cel.Type.UINT, "string": cel.Type.STRING, "bytes": cel.Type.BYTES}
    overloads = [cel.Overload("shard_hash_" + name, return_type=cel.Type.UINT, parameters=[argument], is_member=False, impl=shard_hash)
                 for name, argument in types.items()]
    environment = cel.NewEnv(variables={"key": cel.Type.INT, "region": cel.Type.STRING, "tier": cel.Type.INT},
                             functions=[cel.FunctionDecl("shard_hash", overloads)])
    return environment.compile(text)


def median_time(expression, rows):
    times = []
    for row in rows:
        begin = time.perf_counter_ns()
        expression.eval(data=row).plain_value()
        times.append(time.perf_counter_ns() - begin)
    return sorted(times)[len(times) // 2]


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    expression = compile_expression(sys.argv[2])
    for line in sys.stdin:
        verb, first, count = line.split()
        rows = make_rows(int(first) + int(count))[int(first):]
        if verb == "describe":
            answer = "cel-expr-python " + metadata.version("cel-expr-python")
        elif verb == "answers":
            answer = " ".join(str(expression.eval(data=row).plain_value()) for row in rows)
        else:
            answer = str(median_time(expression, rows))
        print(answer, flush=True)


if __name__ == "__main__":
    main()
