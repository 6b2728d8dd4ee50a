"""The parts that the configuration of a writer is made of."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from ._adapter import DbAdapterFactory
from .credentials import CredentialProvider
from .errors import ConfigValidationError
from .metrics import MetricsCollector
from .sharding_types import KeyEncoding
from .type_defs import JsonObject, RetryConfig, S3ConnectionOptions

if TYPE_CHECKING:
    from .manifest_store import ManifestStore
    from .run_registry import RunRegistry

_SEGMENT_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
DEFAULT_PAGE_SIZE = 4096


class ValidatableConfig(Protocol):
    """A configuration that can check itself."""

    def validate(self) -> None:
        """Raises ConfigValidationError when something in it is wrong."""


def validate_configs(*configs: ValidatableConfig) -> None:
    """Checks configurations, one after the other."""
    for config in configs:
        config.validate()


def check_not_both(part: str, given: object, **fields: object) -> None:
    """Raises ConfigValidationError when a part is given and one of its fields by itself, too."""
    also = [name for name, value in fields.items() if value is not None]
    if given is not None and also:
        raise ConfigValidationError(f"{part} is given and so is {', '.join(also)}: put that into {part}")


def assign(part: ValidatableConfig, name: str, value: object) -> None:
    """Sets a field of a part, or leaves it as it was and raises ConfigValidationError."""
    before = getattr(part, name)
    setattr(part, name, value)
    try:
        part.validate()
    except ConfigValidationError:
        setattr(part, name, before)
        raise


def check_positive(value: object, name: str, *, optional: bool = True) -> None:
    """Raises ConfigValidationError unless value is a number above 0, or None where that is allowed."""
    if value is None and optional:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise ConfigValidationError(f"{name} must be > 0{' when set' if optional else ''}, got {value!r}")


def check_callable(value: Any, name: str, *, optional: bool = False) -> None:
    """Raises ConfigValidationError unless value can be called, or is None where that is allowed."""
    if not callable(value) and not (optional and value is None):
        raise ConfigValidationError(f"{name} must be callable, got {type(value).__name__}")


def _check_prefix(prefix: object) -> None:
    url = urlsplit(prefix) if isinstance(prefix, str) else urlsplit("")
    named = bool(url.netloc) if url.scheme == "s3" else url.scheme == "file" and url.netloc in ("", "localhost")
    if not named or not url.path.strip("/"):
        raise ConfigValidationError(f"s3_prefix must be s3://bucket/prefix or file:///directory, got {prefix!r}")


def _check_segment(value: object, name: str) -> None:
    text = value if isinstance(value, str) else ""
    if not text or ".." in text or not _SEGMENT_CHARACTERS.issuperset(text):
        raise ConfigValidationError(
            f"{name} must be one segment of a path of letters, digits, '.', '_' and '-', without '..', got {value!r}"
        )


@dataclass(slots=True)
class WriterStorageConfig:
    """Where the snapshot goes: s3://bucket/prefix or file:///directory, and how to get there."""

    s3_prefix: str = ""
    credential_provider: CredentialProvider | None = None
    s3_connection_options: S3ConnectionOptions | None = None

    def __post_init__(self) -> None:
        self.validate()

    def validate(self) -> None:
        """Raises ConfigValidationError when the prefix is not such a URL."""
        _check_prefix(self.s3_prefix)


@dataclass(slots=True)
class WriterOutputConfig:
    """Names within the snapshot. run_id None: a new one. local_root is where shards stand while they are written."""

    run_id: str | None = None
    db_path_template: str = "db={db_id:05d}"
    shard_prefix: str = "shards"
    run_registry_prefix: str = "runs"
    local_root: str = field(default_factory=lambda: str(Path(tempfile.gettempdir()) / "shardyfusion"))

    def __post_init__(self) -> None:
        self.validate()

    def validate(self) -> None:
        """Raises ConfigValidationError when a name cannot stand in a path."""
        _check_segment(self.shard_prefix, "output.shard_prefix")
        _check_segment(self.run_registry_prefix, "output.run_registry_prefix")
        if self.run_id is not None and (not isinstance(self.run_id, str) or not self.run_id or "/" in self.run_id):
            raise ConfigValidationError(f"output.run_id must be a text without '/', got {self.run_id!r}")
        try:
            self.db_path_template.format(db_id=0)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise ConfigValidationError(
                f"output.db_path_template must take db_id alone, as 'db={{db_id:05d}}' does, got "
                f"{self.db_path_template!r}"
            ) from error


@dataclass(slots=True)
class WriterManifestConfig:
    """Where the manifest goes (store None: beside the shards), and fields of the caller's in it."""

    store: ManifestStore | None = None
    custom_manifest_fields: JsonObject = field(default_factory=dict)
    credential_provider: CredentialProvider | None = None
    s3_connection_options: S3ConnectionOptions | None = None

    def validate(self) -> None:
        """Raises ConfigValidationError when the fields are no dict."""
        if not isinstance(self.custom_manifest_fields, dict):
            raise ConfigValidationError("manifest.custom_manifest_fields must be a dict")


@dataclass(slots=True)
class KeyValueWriteConfig:
    """How keys are stored, how many rows are handed over at once, and what makes the shards.

    adapter_factory is a setting such as SqliteFactory; None: SQLite with its defaults.
    profile_value_sizes_for_page_size is for distributed writers, and excludes a page size of the factory's.
    """

    key_encoding: KeyEncoding = KeyEncoding.U64BE
    batch_size: int = 50_000
    adapter_factory: DbAdapterFactory | None = None
    profile_value_sizes_for_page_size: bool = False

    def __post_init__(self) -> None:
        self.validate()

    def validate(self) -> None:
        """Turns key_encoding into a KeyEncoding; raises ConfigValidationError when something is wrong."""
        try:
            self.key_encoding = KeyEncoding.from_value(self.key_encoding)
        except ValueError as error:
            raise ConfigValidationError(f"kv.key_encoding: {error}") from None
        check_positive(self.batch_size, "kv.batch_size", optional=False)
        if not self.profile_value_sizes_for_page_size:
            return
        # The shards of a composite are those of its factory for keys.
        factory = getattr(self.adapter_factory, "kv_factory", self.adapter_factory)
        page_size = getattr(factory, "page_size", DEFAULT_PAGE_SIZE)
        if page_size != DEFAULT_PAGE_SIZE:
            raise ConfigValidationError(
                f"kv.profile_value_sizes_for_page_size and a factory with page_size={page_size!r} both choose the page "
                "size: use one of them"
            )


@dataclass(slots=True)
class WriterRetryConfig:
    """How often a failed shard is written again; None: not at all."""

    shard_retry: RetryConfig | None = None

    def validate(self) -> None:
        """Has nothing to check."""


@dataclass(slots=True)
class KvWriteRateLimitConfig:
    """Most rows, and most bytes of keys and values, written in a second; None: no limit."""

    max_writes_per_second: float | None = None
    max_write_bytes_per_second: float | None = None

    def __post_init__(self) -> None:
        self.validate()

    def validate(self) -> None:
        """Raises ConfigValidationError when a limit is not above 0."""
        check_positive(self.max_writes_per_second, "rate_limits.max_writes_per_second")
        check_positive(self.max_write_bytes_per_second, "rate_limits.max_write_bytes_per_second")


@dataclass(slots=True)
class VectorWriteRateLimitConfig:
    """Most vectors written in a second; None: no limit."""

    max_writes_per_second: float | None = None

    def __post_init__(self) -> None:
        self.validate()

    def validate(self) -> None:
        """Raises ConfigValidationError when the limit is not above 0."""
        check_positive(self.max_writes_per_second, "rate_limits.max_writes_per_second")


@dataclass(slots=True)
class WriterObservabilityConfig:
    """Who is told of events."""

    metrics_collector: MetricsCollector | None = None

    def validate(self) -> None:
        """Has nothing to check."""


@dataclass(slots=True)
class WriterLifecycleConfig:
    """Who keeps the record of the run; None: a file beside the snapshot."""

    run_registry: RunRegistry | None = None

    def validate(self) -> None:
        """Has nothing to check."""
