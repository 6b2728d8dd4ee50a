"""The model of a run's record; shardyfusion.run_registry brings it on demand, since it needs pydantic."""

# No `from __future__ import annotations` here, as in _manifest_models.

from datetime import datetime

from pydantic import BaseModel

from .run_registry import RunStatus


class RunRecord(BaseModel):
    """One run of a writer. A running one whose lease_expires_at is past is dead."""

    __module__ = "shardyfusion.run_registry"

    format_version: int = 1
    run_id: str
    writer_type: str
    status: RunStatus
    started_at: datetime
    updated_at: datetime
    lease_expires_at: datetime
    s3_prefix: str
    shard_prefix: str
    db_path_template: str
    manifest_ref: str | None = None
    error_type: str | None = None
    error_message: str | None = None
