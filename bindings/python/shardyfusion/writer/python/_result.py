"""What the core says of a published snapshot, as the result of a writer."""

from __future__ import annotations

import json
from typing import Any

from shardyfusion.manifest import BuildDurations, BuildResult, BuildStats, RequiredShardMeta, WriterInfo

_NS_A_MS = 1_000_000


def _key(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _winner(shard: dict[str, Any]) -> RequiredShardMeta:
    return RequiredShardMeta(
        db_id=shard["db_id"],
        db_url=shard["db_url"],
        attempt=shard["attempt"],
        row_count=shard["row_count"],
        min_key=_key(shard["min_key"]),
        max_key=_key(shard["max_key"]),
        checkpoint_id=shard["checkpoint_id"],
        writer_info=WriterInfo(attempt=shard["attempt"]),
        db_bytes=shard["db_bytes"],
    )


def result_of(published: dict[str, Any], total_ms: int) -> BuildResult:
    """Returns the result of a run that took total_ms. None of them are for sharding: it is part of writing."""
    winners = [_winner(shard) for shard in published["shards"]]
    manifest_ms = min(published["publish_ns"] // _NS_A_MS, total_ms)
    return BuildResult(
        run_id=published["run_id"],
        winners=winners,
        manifest_ref=published["manifest_ref"],
        stats=BuildStats(
            durations=BuildDurations(
                sharding_ms=0, write_ms=total_ms - manifest_ms, manifest_ms=manifest_ms, total_ms=total_ms
            ),
            num_attempt_results=published["num_dbs"] + published["shard_retries"],
            num_winners=len(winners),
            rows_written=published["rows"],
        ),
        run_record_ref=published["run_record"],
    )
