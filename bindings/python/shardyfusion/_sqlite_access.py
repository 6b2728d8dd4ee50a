"""How SQLite shards are got at: download or range, and what decides between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, runtime_checkable

from shardyfusion._reader_choice import AUTO_PER_SHARD_BYTES, AUTO_TOTAL_BYTES, AccessMode, Connection, ReaderChoice
from shardyfusion.credentials import CredentialProvider
from shardyfusion.errors import ConfigValidationError
from shardyfusion.type_defs import S3ConnectionOptions


def decide_access_mode(
    *,
    db_bytes_per_shard: Sequence[int],
    per_shard_threshold: int = AUTO_PER_SHARD_BYTES,
    total_budget: int = AUTO_TOTAL_BYTES,
) -> Literal["download", "range"]:
    """Returns "range" when a shard has per_shard_threshold bytes, or all of them total_budget, else "download"."""
    if any(size >= per_shard_threshold for size in db_bytes_per_shard):
        return "range"
    return "range" if db_bytes_per_shard and sum(db_bytes_per_shard) >= total_budget else "download"


@runtime_checkable
class SqliteAccessPolicy(Protocol):
    """What decides between download and range. Readers take those of make_threshold_policy only."""

    def decide(self, db_bytes_per_shard: Sequence[int]) -> Literal["download", "range"]:
        """Returns how shards of these sizes are to be read."""


@dataclass(slots=True)
class _ThresholdPolicy:
    per_shard_threshold: int
    total_budget: int

    def decide(self, db_bytes_per_shard: Sequence[int]) -> Literal["download", "range"]:
        return decide_access_mode(
            db_bytes_per_shard=db_bytes_per_shard,
            per_shard_threshold=self.per_shard_threshold,
            total_budget=self.total_budget,
        )


def make_threshold_policy(
    *,
    per_shard_threshold: int = AUTO_PER_SHARD_BYTES,
    total_budget: int = AUTO_TOTAL_BYTES,
) -> SqliteAccessPolicy:
    """Returns the policy that decide_access_mode is with these thresholds, in bytes."""
    return _ThresholdPolicy(per_shard_threshold, total_budget)


def adaptive_choice(
    backend: Literal["sqlite", "sqlite-vec"],
    connection: Connection,
    policy: SqliteAccessPolicy | None,
    per_shard_threshold: float,
    total_budget: float,
) -> ReaderChoice:
    """Returns what an adaptive factory chooses; ConfigValidationError for a policy that is not of this package."""
    if policy is not None:
        if type(policy) is not _ThresholdPolicy:
            raise ConfigValidationError(
                f"{connection.owner}: policy={type(policy).__qualname__} decides by code of yours, which the core does "
                "not call; use make_threshold_policy(per_shard_threshold=..., total_budget=...)"
            )
        per_shard_threshold, total_budget = policy.per_shard_threshold, policy.total_budget
    for name, value in (("per_shard_threshold", per_shard_threshold), ("total_budget", total_budget)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
            raise ConfigValidationError(f"{connection.owner}: {name} must be a number of bytes, got {value!r}")
    # A threshold that every shard reaches.
    mode: AccessMode = "range" if min(per_shard_threshold, total_budget) <= 0 else "auto"
    return ReaderChoice(backend, (connection,), mode, per_shard_threshold, total_budget)


class _AdaptiveSetting:
    """The constructor of the adaptive factories, which are of one backend each."""

    __slots__ = ("_choice",)
    _backend: ClassVar[Literal["sqlite", "sqlite-vec"]]

    def __init__(
        self,
        *,
        policy: SqliteAccessPolicy | None = None,
        per_shard_threshold: int = AUTO_PER_SHARD_BYTES,
        total_budget: int = AUTO_TOTAL_BYTES,
        mmap_size: int = 268_435_456,
        page_cache_pages: int = 1024,
        s3_connection_options: S3ConnectionOptions | None = None,
        credential_provider: CredentialProvider | None = None,
    ) -> None:
        connection = Connection(type(self).__name__, s3_connection_options, credential_provider)
        self._choice = adaptive_choice(self._backend, connection, policy, per_shard_threshold, total_budget)
