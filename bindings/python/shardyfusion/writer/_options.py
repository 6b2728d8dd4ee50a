"""What the configurations of all writers have in common, in the terms of the core."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from shardyfusion._config_parts import WriterOutputConfig
from shardyfusion._settings import s3_settings
from shardyfusion.errors import ConfigValidationError

if TYPE_CHECKING:
    from shardyfusion._config_parts import WriterLifecycleConfig, WriterManifestConfig, WriterStorageConfig
    from shardyfusion._reader_choice import Connection

# As in shardyfusion/writer.h.
MOST_SHARDS = 32_768
MOST_DIMENSIONS = 8_192
NO_SIDECAR = 1 << 4
_RUN_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
_ADDRESSING = {"auto": 0, "path": 1, "virtual": 2}

#: Rows, and bytes of them, that are handed over at once: enough that the crossing costs nothing.
BATCH_ROWS = 4_096
BATCH_BYTES = 4 << 20


class _Config(Protocol):
    @property
    def storage(self) -> WriterStorageConfig: ...
    @property
    def output(self) -> WriterOutputConfig: ...
    @property
    def manifest(self) -> WriterManifestConfig: ...
    @property
    def lifecycle(self) -> WriterLifecycleConfig: ...


def refuse_hooks(config: _Config) -> None:
    """ConfigValidationError for what the core does itself."""
    if config.manifest.store is not None:
        raise ConfigValidationError(
            "manifest.store: the core stores the manifest and _CURRENT itself, below s3_prefix; leave store out, and "
            "publish elsewhere what the result says"
        )
    if config.lifecycle.run_registry is not None:
        raise ConfigValidationError(
            "lifecycle.run_registry: the core keeps the record of the run itself, below s3_prefix/runs; leave it out"
        )


def _check_output(output: WriterOutputConfig) -> None:
    # The names that readers of every version know.
    usual = WriterOutputConfig()
    for name in ("db_path_template", "shard_prefix", "run_registry_prefix"):
        if getattr(output, name) != getattr(usual, name):
            raise ConfigValidationError(f"output.{name} can only be {getattr(usual, name)!r}: leave it out")
    if output.run_id is not None and not _RUN_ID.fullmatch(output.run_id):
        raise ConfigValidationError(
            "output.run_id must be 1 to 128 of A-Z a-z 0-9 . _ - and not begin with a dot, got "
            f"{output.run_id!r}; None makes a new one"
        )


def _custom(fields: object) -> str | None:
    try:
        return json.dumps(fields, allow_nan=False) if fields else None
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigValidationError(f"manifest.custom_manifest_fields cannot be written as JSON: {error}") from error


def place_options(config: _Config, connections: list[Connection]) -> dict[str, Any]:
    """Returns where the snapshot goes, under which names, and how to get there."""
    _check_output(config.output)
    s3: dict[str, Any] = s3_settings(connections, "writer")[0]
    options: dict[str, Any] = {
        "url": config.storage.s3_prefix,
        "s3": {**s3, "addressing": _ADDRESSING[s3.get("addressing") or "auto"]},
        "run_id": config.output.run_id,
        "custom": _custom(config.manifest.custom_manifest_fields),
    }
    if config.output.local_root != WriterOutputConfig().local_root:
        options["local_root"] = config.output.local_root
    return options


def routing_values_text(values: Sequence[int | str | bytes] | None) -> str | None:
    """Returns them as JSON; ConfigValidationError for bytes that are no text."""
    try:
        texts = None if values is None else [v.decode() if isinstance(v, bytes) else v for v in values]
    except UnicodeDecodeError as error:
        raise ConfigValidationError(
            f"sharding.routing_values: {error.object!r} is not valid UTF-8, and a manifest holds text"
        ) from error
    return None if texts is None else json.dumps(texts)
