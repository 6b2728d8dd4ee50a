"""Snapshots that the Python project wrote, with what its readers answered, and how answers are compared with those.

They are below SHF_SHARED/fixtures/peer, described by the README there.
"""

from __future__ import annotations

import base64
import functools
import inspect
import json
import math
import os
import pathlib
from typing import Any

import numpy

from shardyfusion import InvalidArgumentError, ShardAssignmentError
from shardyfusion.cel import UnknownRoutingTokenError

Record = dict[str, Any]


def folder() -> pathlib.Path | None:
    """Where the snapshots are, or None when SHF_SHARED does not lead to them."""
    shared = os.environ.get("SHF_SHARED")
    path = pathlib.Path(shared or ".") / "fixtures" / "peer"
    return path.resolve() if shared and path.is_dir() else None


class Case:
    """One snapshot and its record."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.name = path.name
        self.about: Record = json.loads((path / "case.json").read_text(encoding="utf-8"))
        self.kind: str = self.about["kind"]
        self.url = f"file://{path / 'snapshot'}"

    def __repr__(self) -> str:
        return self.name

    @property
    def has_vectors(self) -> bool:
        return self.kind in ("unified", "composite", "vector-only")

    @functools.cached_property
    def info(self) -> Record:
        """snapshot_info, shard_details, vector_meta. The ref is that of this copy; db_urls are as in the manifest."""
        loaded: Record = json.loads((self.path / "info.json").read_text(encoding="utf-8"))
        snapshot = loaded["snapshot_info"]
        snapshot["manifest_ref"] = snapshot["manifest_ref"].replace(self.about["s3_prefix"], self.url, 1)
        return loaded

    @functools.cached_property
    def keys(self) -> list[Record]:
        """Records of single keys, each with what the key is in Python as "given" and what was found as "bytes"."""
        records = self._lines("expected.jsonl")
        for record in records:
            ((kind, key),) = record["key"].items()
            record["given"] = base64.b64decode(key) if kind == "bytes" else key
            record["bytes"] = None if record["value"] is None else base64.b64decode(record["value"])
        return records

    @functools.cached_property
    def queries(self) -> list[Record]:
        """Records of searches, each with its vector as "given"."""
        records = self._lines("queries.jsonl") if self.has_vectors else []
        for record in records:
            record["given"] = numpy.frombuffer(base64.b64decode(record["query"]), dtype="<f4")
        return records

    def _lines(self, name: str) -> list[Record]:
        return [json.loads(line) for line in (self.path / name).read_text(encoding="utf-8").splitlines()]


def cases() -> list[Case]:
    """All of them; none when they are not there."""
    path = folder()
    return [] if path is None else [Case(name) for name in sorted(path.iterdir()) if (name / "case.json").is_file()]


def routing_error(record: Record) -> type[Exception] | None:
    """What routing raises here for a record, if anything.

    The Python project takes the text of an expression's error for a token: a ValueError of int(), or an unknown token.
    """
    recorded = record.get("route_error") or record.get("error")
    if recorded is None:
        return None
    if "requires routing_context" in recorded["message"]:
        return InvalidArgumentError
    if failed_to_evaluate(recorded):
        return ShardAssignmentError
    return UnknownRoutingTokenError if recorded["class"] == "UnknownRoutingTokenError" else None


def failed_to_evaluate(recorded: Record | None) -> bool:
    """Whether a recorded error is one of the expression's evaluation."""
    return recorded is not None and ("INVALID_ARGUMENT: " in recorded["message"] or "UNKNOWN: " in recorded["message"])


async def settled(answer: Any) -> Any:
    """The answer of a reader, whether synchronous or not."""
    return await answer if inspect.isawaitable(answer) else answer


def close(score: float, exact: float) -> bool:
    """Whether two scores are the same."""
    return abs(score - exact) <= 1e-6 + 1e-5 * abs(exact)


def check_hits(results: Any, record: Record, what: str) -> None:
    """Scores are the exact ones, in the recorded order of score, shard, position; undefined ones last, in any order."""
    exact = record["exact"]
    assert len(results) == len(exact), f"{what}: {len(results)} hits, {len(exact)} recorded"
    for hit, wanted in zip(results, exact, strict=True):
        if wanted["score"] == "nan":
            assert math.isnan(hit.score), f"{what}: an undefined score given as {hit.score}"
        else:
            assert hit.id == wanted["id"] and close(hit.score, wanted["score"]), f"{what}: {hit}, not {wanted}"
    assert {hit.id for hit in results} == {hit["id"] for hit in exact}, what
    payloads = {hit["id"]: hit.get("payload") for hit in record["hits"] or []}
    for hit in results:
        assert hit.vector is None
        assert hit.payload == payloads.get(hit.id, hit.payload), f"{what}: payload of {hit.id!r}"
