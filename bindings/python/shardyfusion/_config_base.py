"""The configuration that all writers of keys share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ._config_parts import (
    KeyValueWriteConfig,
    KvWriteRateLimitConfig,
    WriterLifecycleConfig,
    WriterManifestConfig,
    WriterObservabilityConfig,
    WriterOutputConfig,
    WriterRetryConfig,
    WriterStorageConfig,
    assign,
    check_not_both,
)
from ._config_shared import _SharedFields
from ._config_vectors import VectorSpec, vector_metric_to_str
from .errors import ConfigValidationError
from .sharding_types import DB_ID_COL, KeyEncoding

if TYPE_CHECKING:
    from ._adapter import DbAdapterFactory
    from .credentials import CredentialProvider
    from .metrics import MetricsCollector
    from .run_registry import RunRegistry
    from .type_defs import RetryConfig, S3ConnectionOptions

_PARTS: dict[str, type] = {
    "storage": WriterStorageConfig,
    "output": WriterOutputConfig,
    "manifest": WriterManifestConfig,
    "kv": KeyValueWriteConfig,
    "retry": WriterRetryConfig,
    "rate_limits": KvWriteRateLimitConfig,
    "observability": WriterObservabilityConfig,
    "lifecycle": WriterLifecycleConfig,
}


@dataclass(slots=True, init=False)
class BaseShardedWriteConfig(_SharedFields):
    """What all writers of keys are told.

    Given part by part (storage=WriterStorageConfig(...)) or field by field (s3_prefix=...), not both for one part.
    """

    storage: WriterStorageConfig = field(default_factory=WriterStorageConfig)
    output: WriterOutputConfig = field(default_factory=WriterOutputConfig)
    manifest: WriterManifestConfig = field(default_factory=WriterManifestConfig)
    kv: KeyValueWriteConfig = field(default_factory=KeyValueWriteConfig)
    retry: WriterRetryConfig = field(default_factory=WriterRetryConfig)
    rate_limits: KvWriteRateLimitConfig = field(default_factory=KvWriteRateLimitConfig)
    observability: WriterObservabilityConfig = field(default_factory=WriterObservabilityConfig)
    lifecycle: WriterLifecycleConfig = field(default_factory=WriterLifecycleConfig)
    vector: VectorSpec | None = None
    shard_id_col: str = DB_ID_COL

    def __init__(
        self,
        *,
        storage: WriterStorageConfig | None = None,
        output: WriterOutputConfig | None = None,
        manifest: WriterManifestConfig | None = None,
        kv: KeyValueWriteConfig | None = None,
        retry: WriterRetryConfig | None = None,
        rate_limits: KvWriteRateLimitConfig | None = None,
        observability: WriterObservabilityConfig | None = None,
        lifecycle: WriterLifecycleConfig | None = None,
        vector: VectorSpec | None = None,
        shard_id_col: str = DB_ID_COL,
        s3_prefix: str | None = None,
        key_encoding: KeyEncoding | None = None,
        batch_size: int | None = None,
        adapter_factory: DbAdapterFactory | None = None,
        metrics_collector: MetricsCollector | None = None,
        run_registry: RunRegistry | None = None,
        shard_retry: RetryConfig | None = None,
        credential_provider: CredentialProvider | None = None,
        s3_connection_options: S3ConnectionOptions | None = None,
        vector_spec: VectorSpec | None = None,
        max_writes_per_second: float | None = None,
        max_write_bytes_per_second: float | None = None,
    ) -> None:
        check_not_both(
            "storage",
            storage,
            s3_prefix=s3_prefix,
            credential_provider=credential_provider,
            s3_connection_options=s3_connection_options,
        )
        check_not_both("kv", kv, key_encoding=key_encoding, batch_size=batch_size, adapter_factory=adapter_factory)
        check_not_both("retry", retry, shard_retry=shard_retry)
        check_not_both(
            "rate_limits",
            rate_limits,
            max_writes_per_second=max_writes_per_second,
            max_write_bytes_per_second=max_write_bytes_per_second,
        )
        check_not_both("observability", observability, metrics_collector=metrics_collector)
        check_not_both("lifecycle", lifecycle, run_registry=run_registry)
        check_not_both("vector", vector, vector_spec=vector_spec)
        self.storage = storage or WriterStorageConfig(s3_prefix or "", credential_provider, s3_connection_options)
        self.output = output or WriterOutputConfig()
        self.manifest = manifest or WriterManifestConfig()
        self.kv = kv or KeyValueWriteConfig(
            KeyEncoding.U64BE if key_encoding is None else key_encoding,
            50_000 if batch_size is None else batch_size,
            adapter_factory,
        )
        self.retry = retry or WriterRetryConfig(shard_retry)
        self.rate_limits = rate_limits or KvWriteRateLimitConfig(max_writes_per_second, max_write_bytes_per_second)
        self.observability = observability or WriterObservabilityConfig(metrics_collector)
        self.lifecycle = lifecycle or WriterLifecycleConfig(run_registry)
        self.vector = vector if vector is not None else vector_spec
        self.shard_id_col = shard_id_col
        self.validate()

    def validate(self) -> None:
        """Raises ConfigValidationError when a part, or something in one, is wrong."""
        for name, part in _PARTS.items():
            value = getattr(self, name)
            if not isinstance(value, part):
                raise ConfigValidationError(f"{name} must be a {part.__name__}, got {type(value).__name__}")
            value.validate()  # type: ignore[attr-defined]
        if not isinstance(self.shard_id_col, str) or not self.shard_id_col:
            raise ConfigValidationError(f"shard_id_col must be a text that is not empty, got {self.shard_id_col!r}")
        if self.vector is None:
            return
        if not isinstance(self.vector, VectorSpec):
            raise ConfigValidationError(f"vector must be a VectorSpec, got {type(self.vector).__name__}")
        dim = self.vector.dim
        if not isinstance(dim, int) or isinstance(dim, bool) or dim <= 0:
            raise ConfigValidationError(f"vector.dim must be a whole number > 0, got {dim!r}")
        self.vector.metric = vector_metric_to_str(self.vector.metric)

    @property
    def key_encoding(self) -> KeyEncoding:
        """kv.key_encoding"""
        return self.kv.key_encoding

    @key_encoding.setter
    def key_encoding(self, value: KeyEncoding) -> None:
        assign(self.kv, "key_encoding", value)

    @property
    def batch_size(self) -> int:
        """kv.batch_size"""
        return self.kv.batch_size

    @batch_size.setter
    def batch_size(self, value: int) -> None:
        assign(self.kv, "batch_size", value)

    @property
    def adapter_factory(self) -> DbAdapterFactory | None:
        """kv.adapter_factory"""
        return self.kv.adapter_factory

    @adapter_factory.setter
    def adapter_factory(self, value: DbAdapterFactory | None) -> None:
        assign(self.kv, "adapter_factory", value)

    @property
    def shard_retry(self) -> RetryConfig | None:
        """retry.shard_retry"""
        return self.retry.shard_retry

    @shard_retry.setter
    def shard_retry(self, value: RetryConfig | None) -> None:
        self.retry.shard_retry = value

    @property
    def vector_spec(self) -> VectorSpec | None:
        """The vectors beside the keys."""
        return self.vector

    @vector_spec.setter
    def vector_spec(self, value: VectorSpec | None) -> None:
        assign(self, "vector", value)
