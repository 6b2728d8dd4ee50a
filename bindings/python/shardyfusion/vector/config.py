"""What a writer of vectors alone is told, and settings of vector indexes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .._config_parts import (
    VectorWriteRateLimitConfig,
    WriterLifecycleConfig,
    WriterManifestConfig,
    WriterObservabilityConfig,
    WriterOutputConfig,
    WriterStorageConfig,
    assign,
    check_not_both,
    check_positive,
)
from .._config_shared import _SharedFields
from ..errors import ConfigValidationError
from ..sharding_types import VECTOR_DB_ID_COL
from ._index_config import (
    VectorIndexConfig,
    VectorShardingConfig,
    VectorShardingSpec,
    VectorSpecSharding,
    check_index,
    check_sharding,
)
from .types import VectorIndexWriterFactory, VectorShardReaderFactory

if TYPE_CHECKING:
    from ..credentials import CredentialProvider
    from ..metrics import MetricsCollector
    from ..run_registry import RunRegistry
    from ..type_defs import S3ConnectionOptions

__all__ = [
    "VectorAdapterConfig",
    "VectorIndexConfig",
    "VectorRecordInput",
    "VectorShardedWriteConfig",
    "VectorShardingConfig",
    "VectorShardingSpec",
    "VectorSpecSharding",
    "VectorWriteOptions",
]


@dataclass(slots=True)
class VectorAdapterConfig:
    """What makes the shards (None: sqlite-vec with its defaults), and how many rows are one write of the rate limit.

    reader_factory is not used.
    """

    adapter_factory: VectorIndexWriterFactory | None = None
    reader_factory: VectorShardReaderFactory | None = None
    batch_size: int = 10_000

    def __post_init__(self) -> None:
        self.validate()

    def validate(self) -> None:
        """Raises ConfigValidationError when batch_size is not above 0."""
        check_positive(self.batch_size, "adapter.batch_size", optional=False)


@dataclass(slots=True)
class VectorRecordInput:
    """Says that the records are VectorRecords."""

    def validate(self) -> None:
        """Has nothing to check."""


@dataclass(slots=True)
class VectorWriteOptions:
    """How one call of a writer of vectors runs. verify_routing is for distributed writers."""

    verify_routing: bool = True

    def validate(self) -> None:
        """Has nothing to check."""


@dataclass(slots=True, init=False)
class VectorShardedWriteConfig(_SharedFields):
    """What a writer of vectors alone is told; index_config is needed, with its dimensions.

    Given part by part (storage=WriterStorageConfig(...)) or field by field (s3_prefix=...), not both for one part.
    """

    index_config: VectorIndexConfig = field(default_factory=lambda: VectorIndexConfig(dim=0))
    sharding: VectorShardingConfig = field(default_factory=VectorShardingConfig)
    storage: WriterStorageConfig = field(default_factory=WriterStorageConfig)
    output: WriterOutputConfig = field(default_factory=WriterOutputConfig)
    manifest: WriterManifestConfig = field(default_factory=WriterManifestConfig)
    adapter: VectorAdapterConfig = field(default_factory=VectorAdapterConfig)
    rate_limits: VectorWriteRateLimitConfig = field(default_factory=VectorWriteRateLimitConfig)
    observability: WriterObservabilityConfig = field(default_factory=WriterObservabilityConfig)
    lifecycle: WriterLifecycleConfig = field(default_factory=WriterLifecycleConfig)
    shard_id_col: str = VECTOR_DB_ID_COL

    def __init__(
        self,
        *,
        index_config: VectorIndexConfig | None = None,
        sharding: VectorShardingConfig | None = None,
        storage: WriterStorageConfig | None = None,
        output: WriterOutputConfig | None = None,
        manifest: WriterManifestConfig | None = None,
        adapter: VectorAdapterConfig | None = None,
        rate_limits: VectorWriteRateLimitConfig | None = None,
        observability: WriterObservabilityConfig | None = None,
        lifecycle: WriterLifecycleConfig | None = None,
        shard_id_col: str = VECTOR_DB_ID_COL,
        num_dbs: int | None = None,
        s3_prefix: str | None = None,
        adapter_factory: VectorIndexWriterFactory | None = None,
        reader_factory: VectorShardReaderFactory | None = None,
        batch_size: int | None = None,
        max_writes_per_second: float | None = None,
        credential_provider: CredentialProvider | None = None,
        s3_connection_options: S3ConnectionOptions | None = None,
        metrics_collector: MetricsCollector | None = None,
        run_registry: RunRegistry | None = None,
    ) -> None:
        check_not_both(
            "storage",
            storage,
            s3_prefix=s3_prefix,
            credential_provider=credential_provider,
            s3_connection_options=s3_connection_options,
        )
        check_not_both(
            "adapter",
            adapter,
            adapter_factory=adapter_factory,
            reader_factory=reader_factory,
            batch_size=batch_size,
        )
        check_not_both("rate_limits", rate_limits, max_writes_per_second=max_writes_per_second)
        check_not_both("observability", observability, metrics_collector=metrics_collector)
        check_not_both("lifecycle", lifecycle, run_registry=run_registry)
        if sharding is None:
            sharding = VectorShardingConfig()
        if num_dbs is not None:
            if sharding.num_dbs not in (None, num_dbs):
                raise ConfigValidationError(f"num_dbs is {num_dbs}, and sharding.num_dbs {sharding.num_dbs}: give one")
            sharding.num_dbs = num_dbs
        self.index_config = index_config or VectorIndexConfig(dim=0)
        self.sharding = sharding
        # What is missing is told of first: without it nothing else can be right.
        check_index(self.index_config)
        self.storage = storage or WriterStorageConfig(s3_prefix or "", credential_provider, s3_connection_options)
        self.output = output or WriterOutputConfig()
        self.manifest = manifest or WriterManifestConfig()
        self.adapter = adapter or VectorAdapterConfig(
            adapter_factory, reader_factory, 10_000 if batch_size is None else batch_size
        )
        self.rate_limits = rate_limits or VectorWriteRateLimitConfig(max_writes_per_second)
        self.observability = observability or WriterObservabilityConfig(metrics_collector)
        self.lifecycle = lifecycle or WriterLifecycleConfig(run_registry)
        self.shard_id_col = shard_id_col
        self.validate()

    def validate(self) -> None:
        """Turns metric and strategy into their enumerations; raises ConfigValidationError when something is wrong."""
        check_index(self.index_config)
        check_sharding(self.sharding)
        if not isinstance(self.shard_id_col, str) or not self.shard_id_col:
            raise ConfigValidationError(f"shard_id_col must be a text that is not empty, got {self.shard_id_col!r}")
        for part in (
            self.storage,
            self.output,
            self.manifest,
            self.adapter,
            self.rate_limits,
            self.observability,
            self.lifecycle,
        ):
            part.validate()

    @property
    def num_dbs(self) -> int | None:
        """sharding.num_dbs"""
        return self.sharding.num_dbs

    @property
    def adapter_factory(self) -> VectorIndexWriterFactory | None:
        """adapter.adapter_factory"""
        return self.adapter.adapter_factory

    @adapter_factory.setter
    def adapter_factory(self, value: VectorIndexWriterFactory | None) -> None:
        self.adapter.adapter_factory = value

    @property
    def reader_factory(self) -> VectorShardReaderFactory | None:
        """adapter.reader_factory"""
        return self.adapter.reader_factory

    @reader_factory.setter
    def reader_factory(self, value: VectorShardReaderFactory | None) -> None:
        self.adapter.reader_factory = value

    @property
    def batch_size(self) -> int:
        """adapter.batch_size"""
        return self.adapter.batch_size

    @batch_size.setter
    def batch_size(self, value: int) -> None:
        assign(self.adapter, "batch_size", value)
