"""Readers of both ways under one face: an asynchronous one is asked through an event loop of the test's own."""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import os
import pathlib
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

from shardyfusion.reader import (
    AsyncShardedReader,
    AsyncShardReaderHandle,
    AsyncUnifiedShardedReader,
    ShardedReader,
    UnifiedShardedReader,
)


class InLoop:
    """An asynchronous object whose methods are called as if they were not; what they return is awaited in `runner`."""

    def __init__(self, runner: asyncio.Runner, inner: Any) -> None:
        self.runner = runner
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        member = getattr(self.inner, name)
        return self._asking(member) if callable(member) else member

    def _asking(self, method: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*arguments: Any, **named: Any) -> Any:
            answer = method(*arguments, **named)
            return await answer if inspect.isawaitable(answer) else answer

        return lambda *arguments, **named: self._faced(self.runner.run(call(*arguments, **named)))

    def _faced(self, answer: Any) -> Any:
        if isinstance(answer, AsyncShardReaderHandle):
            return InLoop(self.runner, answer)
        if isinstance(answer, dict):
            return {key: self._faced(value) for key, value in answer.items()}
        return answer


class Opener:
    """Opens readers of one way, "sync" or "async", and closes them at the end of the test."""

    def __init__(self, how: str, local_root: pathlib.Path) -> None:
        self.is_async = how == "async"
        self._local_root = local_root
        self._runner = asyncio.Runner()
        self._opened: list[Any] = []

    def __call__(self, url: object, *, unified: bool = True, **options: Any) -> Any:
        """A reader of `url`, which may be a path of a folder."""
        options = {"local_root": str(self._local_root), **options}
        options["s3_prefix"] = f"file://{url}" if isinstance(url, pathlib.Path) else url
        reader: Any
        if self.is_async:
            kind = AsyncUnifiedShardedReader if unified else AsyncShardedReader
            reader = InLoop(self._runner, self._runner.run(kind.open(**options)))
        else:
            reader = (UnifiedShardedReader if unified else ShardedReader)(**options)
        self._opened.append(reader)
        return reader

    def close(self) -> None:
        for reader in self._opened:
            reader.close()
        self._runner.close()


def lines(path: pathlib.Path) -> Iterator[dict[str, Any]]:
    """The objects of a file with one JSON text a line."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def key_of(recorded: dict[str, Any]) -> int | str | bytes:
    """A key as the recordings write it: {"int": 1}, {"str": "a"} or {"bytes": base64}."""
    if "bytes" in recorded:
        return base64.b64decode(recorded["bytes"])
    key: int | str = next(iter(recorded.values()))
    return key


def value_of(recorded: str | None) -> bytes | None:
    """A value as the recordings write it: base64, or null for a key that is absent."""
    return None if recorded is None else base64.b64decode(recorded)


def floats_of(recorded: str) -> list[float]:
    """A vector as the recordings write it: base64 of little-endian float32."""
    data = base64.b64decode(recorded)
    return list(struct.unpack(f"<{len(data) // 4}f", data))


def environment_of_programs() -> dict[str, str]:
    """The environment of programs that are not Python: a sanitizer that is preloaded is for the extension."""
    return {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}


class Builder:
    """Publishes snapshots with the program shardy."""

    def __init__(self, shardy: str, scratch: pathlib.Path) -> None:
        self._shardy = shardy
        self._scratch = scratch

    def __call__(self, rows: list[dict[str, Any]], output: object, *options: str) -> None:
        """Publishes {"key", "value", "vector"...} rows at `output`, a URL or a path of a folder."""
        source = self._scratch / "rows.jsonl"
        source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        command = [self._shardy, "build", str(source), "--output", str(output), *options]
        subprocess.run(command, check=True, capture_output=True, env=environment_of_programs())


def copy_of(snapshot: pathlib.Path, scratch: pathlib.Path) -> pathlib.Path:
    """A copy of a snapshot in files, to be spoilt."""
    copy = scratch / "copy"
    shutil.copytree(snapshot, copy)
    return copy


def manifest_of(snapshot: pathlib.Path) -> pathlib.Path:
    """The file of the manifest that is current."""
    ref: str = json.loads((snapshot / "_CURRENT").read_bytes())["manifest_ref"]
    return snapshot / "manifests" / ref.rpartition("/manifests/")[2]
