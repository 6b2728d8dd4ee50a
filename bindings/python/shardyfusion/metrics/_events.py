"""The events."""

from __future__ import annotations

from enum import Enum, unique


@unique
class MetricEvent(str, Enum):
    """An event that a collector is told of. More may come: a collector ignores what it does not know."""

    # writing key-value shards
    BATCH_WRITTEN = "write.batch_written"
    CURRENT_PUBLISHED = "write.current_published"
    MANIFEST_PUBLISHED = "write.manifest_published"
    SHARDING_COMPLETED = "write.sharding_completed"
    SHARD_WRITES_COMPLETED = "write.shards_completed"
    SHARD_WRITE_COMPLETED = "write.shard.completed"
    SHARD_WRITE_RETRIED = "write.shard.retried"
    SHARD_WRITE_RETRY_EXHAUSTED = "write.shard.retry_exhausted"
    SHARD_WRITE_STARTED = "write.shard.started"
    WRITE_COMPLETED = "write.completed"
    WRITE_STARTED = "write.started"

    # reading
    READER_CLOSED = "reader.closed"
    READER_GET = "reader.get"
    READER_INITIALIZED = "reader.initialized"
    READER_MULTI_GET = "reader.multi_get"
    READER_REFRESHED = "reader.refreshed"

    # writing vectors
    VECTOR_SHARD_WRITE_COMPLETED = "vector.write.shard.completed"
    VECTOR_WRITE_COMPLETED = "vector.write.completed"
    VECTOR_WRITE_STARTED = "vector.write.started"

    # searching vectors
    VECTOR_READER_CLOSED = "vector.reader.closed"
    VECTOR_READER_INITIALIZED = "vector.reader.initialized"
    VECTOR_READER_REFRESHED = "vector.reader.refreshed"
    VECTOR_SEARCH = "vector.reader.search"
    VECTOR_SHARD_SEARCH = "vector.reader.shard_search"

    # store and rate limits
    RATE_LIMITER_DENIED = "rate_limiter.denied"
    RATE_LIMITER_THROTTLED = "rate_limiter.throttled"
    S3_RETRY = "s3.retry"
    S3_RETRY_EXHAUSTED = "s3.retry_exhausted"
