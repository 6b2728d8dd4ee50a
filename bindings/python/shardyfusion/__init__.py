"""Reads sharded snapshots of keys, values and vectors from object storage, with the C core of libshardyfusion.

The names here are imported from their modules when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shardyfusion._lazy import lazy_names

if TYPE_CHECKING:
    from shardyfusion._adapter import DbAdapter as DbAdapter
    from shardyfusion._adapter import DbAdapterFactory as DbAdapterFactory
    from shardyfusion._rate_limiter import AcquireResult as AcquireResult
    from shardyfusion._rate_limiter import RateLimiter as RateLimiter
    from shardyfusion._rate_limiter import ThreadSafeTokenBucket as ThreadSafeTokenBucket
    from shardyfusion._rate_limiter import TokenBucket as TokenBucket
    from shardyfusion._runtime import configure_runtime as configure_runtime
    from shardyfusion._runtime import runtime_stats as runtime_stats
    from shardyfusion.async_manifest_store import AsyncManifestStore as AsyncManifestStore
    from shardyfusion.async_manifest_store import AsyncS3ManifestStore as AsyncS3ManifestStore
    from shardyfusion.cel import CelColumn as CelColumn
    from shardyfusion.cel import CelType as CelType
    from shardyfusion.cel import cel_sharding as cel_sharding
    from shardyfusion.cel import cel_sharding_by_columns as cel_sharding_by_columns
    from shardyfusion.config import BaseShardedWriteConfig as BaseShardedWriteConfig
    from shardyfusion.config import BufferingOptions as BufferingOptions
    from shardyfusion.config import CelShardedWriteConfig as CelShardedWriteConfig
    from shardyfusion.config import CelShardingConfig as CelShardingConfig
    from shardyfusion.config import ColumnWriteInput as ColumnWriteInput
    from shardyfusion.config import HashShardedWriteConfig as HashShardedWriteConfig
    from shardyfusion.config import HashShardingConfig as HashShardingConfig
    from shardyfusion.config import KeyValueWriteConfig as KeyValueWriteConfig
    from shardyfusion.config import KvWriteRateLimitConfig as KvWriteRateLimitConfig
    from shardyfusion.config import PythonRecordInput as PythonRecordInput
    from shardyfusion.config import PythonWriteOptions as PythonWriteOptions
    from shardyfusion.config import SharedMemoryOptions as SharedMemoryOptions
    from shardyfusion.config import UnifiedVectorWriteConfig as UnifiedVectorWriteConfig
    from shardyfusion.config import VectorColumnInput as VectorColumnInput
    from shardyfusion.config import VectorSpec as VectorSpec
    from shardyfusion.config import VectorWriteRateLimitConfig as VectorWriteRateLimitConfig
    from shardyfusion.config import WriterLifecycleConfig as WriterLifecycleConfig
    from shardyfusion.config import WriterManifestConfig as WriterManifestConfig
    from shardyfusion.config import WriterObservabilityConfig as WriterObservabilityConfig
    from shardyfusion.config import WriterOutputConfig as WriterOutputConfig
    from shardyfusion.config import WriterRetryConfig as WriterRetryConfig
    from shardyfusion.config import WriterStorageConfig as WriterStorageConfig
    from shardyfusion.credentials import CredentialProvider as CredentialProvider
    from shardyfusion.credentials import EnvCredentialProvider as EnvCredentialProvider
    from shardyfusion.credentials import S3Credentials as S3Credentials
    from shardyfusion.credentials import StaticCredentialProvider as StaticCredentialProvider
    from shardyfusion.errors import ConfigValidationError as ConfigValidationError
    from shardyfusion.errors import DbAdapterError as DbAdapterError
    from shardyfusion.errors import InvalidArgumentError as InvalidArgumentError
    from shardyfusion.errors import ManifestBuildError as ManifestBuildError
    from shardyfusion.errors import ManifestParseError as ManifestParseError
    from shardyfusion.errors import ManifestStoreError as ManifestStoreError
    from shardyfusion.errors import OperationCancelledError as OperationCancelledError
    from shardyfusion.errors import OperationTimeoutError as OperationTimeoutError
    from shardyfusion.errors import PoolExhaustedError as PoolExhaustedError
    from shardyfusion.errors import PublishCurrentError as PublishCurrentError
    from shardyfusion.errors import PublishManifestError as PublishManifestError
    from shardyfusion.errors import ReaderStateError as ReaderStateError
    from shardyfusion.errors import S3TransientError as S3TransientError
    from shardyfusion.errors import ShardAssignmentError as ShardAssignmentError
    from shardyfusion.errors import ShardCoverageError as ShardCoverageError
    from shardyfusion.errors import ShardWriteError as ShardWriteError
    from shardyfusion.errors import ShardyfusionError as ShardyfusionError
    from shardyfusion.logging import FailureSeverity as FailureSeverity
    from shardyfusion.logging import JsonFormatter as JsonFormatter
    from shardyfusion.logging import LogContext as LogContext
    from shardyfusion.logging import configure_logging as configure_logging
    from shardyfusion.logging import get_logger as get_logger
    from shardyfusion.manifest import SQLITE_MANIFEST_CONTENT_TYPE as SQLITE_MANIFEST_CONTENT_TYPE
    from shardyfusion.manifest import BuildDurations as BuildDurations
    from shardyfusion.manifest import BuildResult as BuildResult
    from shardyfusion.manifest import BuildStats as BuildStats
    from shardyfusion.manifest import CurrentPointer as CurrentPointer
    from shardyfusion.manifest import ManifestArtifact as ManifestArtifact
    from shardyfusion.manifest import ManifestRef as ManifestRef
    from shardyfusion.manifest import ManifestShardingSpec as ManifestShardingSpec
    from shardyfusion.manifest import ParsedManifest as ParsedManifest
    from shardyfusion.manifest import RequiredBuildMeta as RequiredBuildMeta
    from shardyfusion.manifest import RequiredShardMeta as RequiredShardMeta
    from shardyfusion.manifest import SqliteManifestBuilder as SqliteManifestBuilder
    from shardyfusion.manifest import WriterInfo as WriterInfo
    from shardyfusion.manifest_store import InMemoryManifestStore as InMemoryManifestStore
    from shardyfusion.manifest_store import ManifestStore as ManifestStore
    from shardyfusion.manifest_store import S3ManifestStore as S3ManifestStore
    from shardyfusion.manifest_store import SqliteShardLookup as SqliteShardLookup
    from shardyfusion.manifest_store import load_sqlite_build_meta as load_sqlite_build_meta
    from shardyfusion.manifest_store import parse_manifest_payload as parse_manifest_payload
    from shardyfusion.manifest_store import parse_sqlite_manifest as parse_sqlite_manifest
    from shardyfusion.metrics import MetricEvent as MetricEvent
    from shardyfusion.metrics import MetricsCollector as MetricsCollector
    from shardyfusion.reader._factories import AsyncSlateDbReaderFactory as AsyncSlateDbReaderFactory
    from shardyfusion.reader._factories import SlateDbReaderFactory as SlateDbReaderFactory
    from shardyfusion.reader._results import ReaderHealth as ReaderHealth
    from shardyfusion.reader._results import ShardDetail as ShardDetail
    from shardyfusion.reader._results import SnapshotInfo as SnapshotInfo
    from shardyfusion.reader.async_reader import AsyncShardedReader as AsyncShardedReader
    from shardyfusion.reader.async_reader import AsyncShardReaderHandle as AsyncShardReaderHandle
    from shardyfusion.reader.async_unified_reader import AsyncUnifiedShardedReader as AsyncUnifiedShardedReader
    from shardyfusion.reader.concurrent_reader import ConcurrentShardedReader as ConcurrentShardedReader
    from shardyfusion.reader.reader import ShardedReader as ShardedReader
    from shardyfusion.reader.reader import ShardReaderHandle as ShardReaderHandle
    from shardyfusion.reader.unified_reader import UnifiedShardedReader as UnifiedShardedReader
    from shardyfusion.routing import ShardLookup as ShardLookup
    from shardyfusion.run_registry import InMemoryRunRegistry as InMemoryRunRegistry
    from shardyfusion.run_registry import RunRecord as RunRecord
    from shardyfusion.run_registry import RunRegistry as RunRegistry
    from shardyfusion.run_registry import RunStatus as RunStatus
    from shardyfusion.serde import ValueSpec as ValueSpec
    from shardyfusion.sharding_types import CelShardingSpec as CelShardingSpec
    from shardyfusion.sharding_types import HashShardingSpec as HashShardingSpec
    from shardyfusion.sharding_types import KeyEncoding as KeyEncoding
    from shardyfusion.sharding_types import ShardHashAlgorithm as ShardHashAlgorithm
    from shardyfusion.sharding_types import ShardingSpec as ShardingSpec
    from shardyfusion.sharding_types import ShardingStrategy as ShardingStrategy
    from shardyfusion.type_defs import AsyncShardReader as AsyncShardReader
    from shardyfusion.type_defs import AsyncShardReaderFactory as AsyncShardReaderFactory
    from shardyfusion.type_defs import RetryConfig as RetryConfig
    from shardyfusion.type_defs import S3ConnectionOptions as S3ConnectionOptions
    from shardyfusion.type_defs import ShardReader as ShardReader
    from shardyfusion.type_defs import ShardReaderFactory as ShardReaderFactory

_NAMES_OF = {
    "_adapter": ["DbAdapter", "DbAdapterFactory"],
    "_rate_limiter": ["AcquireResult", "RateLimiter", "ThreadSafeTokenBucket", "TokenBucket"],
    "_runtime": ["configure_runtime", "runtime_stats"],
    "async_manifest_store": ["AsyncManifestStore", "AsyncS3ManifestStore"],
    "cel": ["CelColumn", "CelType", "cel_sharding", "cel_sharding_by_columns"],
    "config": [
        "BaseShardedWriteConfig",
        "BufferingOptions",
        "CelShardedWriteConfig",
        "CelShardingConfig",
        "ColumnWriteInput",
        "HashShardedWriteConfig",
        "HashShardingConfig",
        "KeyValueWriteConfig",
        "KvWriteRateLimitConfig",
        "PythonRecordInput",
        "PythonWriteOptions",
        "SharedMemoryOptions",
        "UnifiedVectorWriteConfig",
        "VectorColumnInput",
        "VectorSpec",
        "VectorWriteRateLimitConfig",
        "WriterLifecycleConfig",
        "WriterManifestConfig",
        "WriterObservabilityConfig",
        "WriterOutputConfig",
        "WriterRetryConfig",
        "WriterStorageConfig",
    ],
    "credentials": ["CredentialProvider", "EnvCredentialProvider", "S3Credentials", "StaticCredentialProvider"],
    "errors": [
        "ConfigValidationError",
        "DbAdapterError",
        "InvalidArgumentError",
        "ManifestBuildError",
        "ManifestParseError",
        "ManifestStoreError",
        "OperationCancelledError",
        "OperationTimeoutError",
        "PoolExhaustedError",
        "PublishCurrentError",
        "PublishManifestError",
        "ReaderStateError",
        "S3TransientError",
        "ShardAssignmentError",
        "ShardCoverageError",
        "ShardWriteError",
        "ShardyfusionError",
    ],
    "logging": ["FailureSeverity", "JsonFormatter", "LogContext", "configure_logging", "get_logger"],
    "manifest": [
        "BuildDurations",
        "BuildResult",
        "BuildStats",
        "CurrentPointer",
        "ManifestArtifact",
        "ManifestRef",
        "ManifestShardingSpec",
        "ParsedManifest",
        "RequiredBuildMeta",
        "RequiredShardMeta",
        "SQLITE_MANIFEST_CONTENT_TYPE",
        "SqliteManifestBuilder",
        "WriterInfo",
    ],
    "manifest_store": [
        "InMemoryManifestStore",
        "ManifestStore",
        "S3ManifestStore",
        "SqliteShardLookup",
        "load_sqlite_build_meta",
        "parse_manifest_payload",
        "parse_sqlite_manifest",
    ],
    "metrics": ["MetricEvent", "MetricsCollector"],
    "reader._factories": ["AsyncSlateDbReaderFactory", "SlateDbReaderFactory"],
    "reader._results": ["ReaderHealth", "ShardDetail", "SnapshotInfo"],
    "reader.async_reader": ["AsyncShardReaderHandle", "AsyncShardedReader"],
    "reader.async_unified_reader": ["AsyncUnifiedShardedReader"],
    "reader.concurrent_reader": ["ConcurrentShardedReader"],
    "reader.reader": ["ShardReaderHandle", "ShardedReader"],
    "reader.unified_reader": ["UnifiedShardedReader"],
    "routing": ["ShardLookup"],
    "run_registry": ["InMemoryRunRegistry", "RunRecord", "RunRegistry", "RunStatus"],
    "serde": ["ValueSpec"],
    "sharding_types": [
        "CelShardingSpec",
        "HashShardingSpec",
        "KeyEncoding",
        "ShardHashAlgorithm",
        "ShardingSpec",
        "ShardingStrategy",
    ],
    "type_defs": [
        "AsyncShardReader",
        "AsyncShardReaderFactory",
        "RetryConfig",
        "S3ConnectionOptions",
        "ShardReader",
        "ShardReaderFactory",
    ],
}

__version__ = "0.1.0"
__accelerated__ = True
"""True: this is the package with the core in C, not the one in Python with the same names."""

# Hidden from type checkers, which would take any name for one of this module.
if not TYPE_CHECKING:
    __all__ = [name for names in _NAMES_OF.values() for name in names]
    __getattr__, __dir__ = lazy_names(
        __name__, {name: f"shardyfusion.{home}" for home, names in _NAMES_OF.items() for name in names}
    )
