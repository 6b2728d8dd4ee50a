"""ShardedReader: lookups in a snapshot, synchronous."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shardyfusion.reader._sync import ShardReaderHandle as ShardReaderHandle
from shardyfusion.reader._sync import _BaseShardedReader

if TYPE_CHECKING:
    from shardyfusion._rate_limiter import RateLimiter
    from shardyfusion.credentials import CredentialProvider
    from shardyfusion.manifest_store import ManifestStore
    from shardyfusion.metrics import MetricsCollector
    from shardyfusion.type_defs import S3ConnectionOptions, ShardReaderFactory


class ShardedReader(_BaseShardedReader):
    """Looks keys up in the snapshot under `s3_prefix` (s3:// or file://) that is current when the reader is made.

    Thread-safe: calls of several threads run side by side. See AsyncShardedReader for the arguments; `max_workers`
    bounds shard operations in flight.
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
        max_workers: int | None = None,
        max_fallback_attempts: int = 3,
        metrics_collector: MetricsCollector | None = None,
        rate_limiter: RateLimiter | None = None,
    ) -> None:
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
