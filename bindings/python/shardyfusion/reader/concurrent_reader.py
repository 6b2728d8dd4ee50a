"""ConcurrentShardedReader: the synchronous reader under the name that promises threads."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from shardyfusion.errors import ConfigValidationError
from shardyfusion.reader._sync import _BaseShardedReader

if TYPE_CHECKING:
    from shardyfusion._rate_limiter import RateLimiter
    from shardyfusion.credentials import CredentialProvider
    from shardyfusion.manifest_store import ManifestStore
    from shardyfusion.metrics import MetricsCollector
    from shardyfusion.type_defs import S3ConnectionOptions, ShardReaderFactory


class ConcurrentShardedReader(_BaseShardedReader):
    """The same as ShardedReader, which any number of threads may share too.

    `thread_safety` and `pool_checkout_timeout` are accepted and change nothing: no call takes a lock or a reader out of
    a pool.
    """

    def __init__(
        self,
        *,
        s3_prefix: str,
        local_root: str,
        manifest_store: ManifestStore | None = None,
        current_pointer_key: str = "_CURRENT",
        reader_factory: ShardReaderFactory | None = None,
        slate_env_file: str | None = None,
        credential_provider: CredentialProvider | None = None,
        s3_connection_options: S3ConnectionOptions | None = None,
        thread_safety: Literal["lock", "pool"] = "lock",
        pool_checkout_timeout: timedelta = timedelta(seconds=30),
        max_workers: int | None = None,
        max_fallback_attempts: int = 3,
        metrics_collector: MetricsCollector | None = None,
        rate_limiter: RateLimiter | None = None,
    ) -> None:
        if thread_safety not in ("lock", "pool"):
            raise ConfigValidationError(f"thread_safety must be 'lock' or 'pool', not {thread_safety!r}")
        if not isinstance(pool_checkout_timeout, timedelta) or pool_checkout_timeout <= timedelta(0):
            raise ConfigValidationError(
                f"pool_checkout_timeout must be a positive timedelta, not {pool_checkout_timeout!r}"
            )
        super().__init__(
            s3_prefix=s3_prefix,
            local_root=local_root,
            manifest_store=manifest_store,
            current_pointer_key=current_pointer_key,
            reader_factory=reader_factory,
            slate_env_file=slate_env_file,
            credential_provider=credential_provider,
            s3_connection_options=s3_connection_options,
            max_workers=max_workers,
            max_fallback_attempts=max_fallback_attempts,
            metrics_collector=metrics_collector,
            rate_limiter=rate_limiter,
        )
