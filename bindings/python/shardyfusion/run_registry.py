"""Records of runs: which writer is at work, and how runs ended."""

from __future__ import annotations

import uuid
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from ._lazy import lazy_names

if TYPE_CHECKING:
    from ._run_models import RunRecord
else:
    __getattr__, __dir__ = lazy_names(__name__, {"RunRecord": "shardyfusion._run_models"})

__all__ = ["InMemoryRunRegistry", "RunRecord", "RunRegistry", "RunStatus"]


class RunStatus(str, Enum):
    """Where a run stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class RunRegistry(Protocol):
    """Keeps records of runs."""

    def create(self, record: RunRecord) -> str:
        """Keeps a new record, and returns its ref."""

    def update(self, ref: str, record: RunRecord) -> None:
        """Puts another record in its place."""

    def load(self, ref: str) -> RunRecord:
        """Returns a record."""


class InMemoryRunRegistry:
    """Records in memory, for tests. A ref that it does not know is a KeyError."""

    def __init__(self) -> None:
        self._records: dict[str, RunRecord] = {}

    def create(self, record: RunRecord) -> str:
        """Keeps a new record, and returns its ref."""
        ref = f"mem://runs/run_id={record.run_id}_{uuid.uuid4().hex}/run.yaml"
        self._records[ref] = record.model_copy(deep=True)
        return ref

    def update(self, ref: str, record: RunRecord) -> None:
        """Puts another record in its place."""
        if ref not in self._records:
            raise KeyError(f"no record {ref!r} in this registry")
        self._records[ref] = record.model_copy(deep=True)

    def load(self, ref: str) -> RunRecord:
        """Returns a record."""
        return self._records[ref].model_copy(deep=True)
