"""What the configurations of all writers say field by field as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._config_parts import WriterLifecycleConfig, WriterObservabilityConfig, WriterStorageConfig, assign

if TYPE_CHECKING:
    from .credentials import CredentialProvider
    from .metrics import MetricsCollector
    from .run_registry import RunRegistry
    from .type_defs import S3ConnectionOptions


class _SharedFields:
    """Fields of the parts that every configuration has."""

    __slots__ = ()

    storage: WriterStorageConfig
    observability: WriterObservabilityConfig
    lifecycle: WriterLifecycleConfig

    @property
    def s3_prefix(self) -> str:
        """storage.s3_prefix"""
        return self.storage.s3_prefix

    @s3_prefix.setter
    def s3_prefix(self, value: str) -> None:
        assign(self.storage, "s3_prefix", value)

    @property
    def credential_provider(self) -> CredentialProvider | None:
        """storage.credential_provider"""
        return self.storage.credential_provider

    @credential_provider.setter
    def credential_provider(self, value: CredentialProvider | None) -> None:
        self.storage.credential_provider = value

    @property
    def s3_connection_options(self) -> S3ConnectionOptions | None:
        """storage.s3_connection_options"""
        return self.storage.s3_connection_options

    @s3_connection_options.setter
    def s3_connection_options(self, value: S3ConnectionOptions | None) -> None:
        self.storage.s3_connection_options = value

    @property
    def metrics_collector(self) -> MetricsCollector | None:
        """observability.metrics_collector"""
        return self.observability.metrics_collector

    @metrics_collector.setter
    def metrics_collector(self, value: MetricsCollector | None) -> None:
        self.observability.metrics_collector = value

    @property
    def run_registry(self) -> RunRegistry | None:
        """lifecycle.run_registry"""
        return self.lifecycle.run_registry

    @run_registry.setter
    def run_registry(self, value: RunRegistry | None) -> None:
        self.lifecycle.run_registry = value
