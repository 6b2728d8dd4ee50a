"""Where a reader reads from: its settings, its credentials, its manifests. The steps of open and refresh."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from shardyfusion._runtime import Waiting
from shardyfusion._settings import ReaderSettings, credentials_of, reader_settings
from shardyfusion._shardyfusion import Reader
from shardyfusion.errors import ConfigValidationError, InvalidArgumentError, ManifestParseError, ShardyfusionError
from shardyfusion.reader._manifests import CallerManifests

if TYPE_CHECKING:
    from shardyfusion.credentials import CredentialProvider
    from shardyfusion.type_defs import S3ConnectionOptions

_OPEN_LAZY = 1 << 0  # SHF_OPEN_LAZY
_ACCESS_MODES = {"auto": 0, "download": 1, "range": 2}
_ADDRESSING = {"auto": 0, "path": 1, "virtual": 2}
_IDENTITY = ("access_key_id", "secret_access_key", "session_token", "expires_at")
#: Credentials that say when they expire are asked for again this long before.
_RENEW_BEFORE = timedelta(minutes=5)
#: While they hold, the provider is not asked more often than that.
_RENEW_PAUSE_SECONDS = 10.0

_logger = logging.getLogger("shardyfusion")


def _count(name: str, value: int | None, least: int) -> int:
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= 2**31 - 1:
        raise InvalidArgumentError(f"{name} must be an int of at least {least}, not {value!r}")
    return value


class Source:
    """Everything that a reader was given but its hooks."""

    def __init__(
        self,
        waiting: Waiting,
        *,
        s3_prefix: str,
        local_root: str,
        manifest_store: object | None,
        current_pointer_key: str,
        reader_factory: object | None,
        slate_env_file: str | None,
        credential_provider: CredentialProvider | None,
        s3_connection_options: S3ConnectionOptions | None,
        max_concurrency: int | None,
        max_fallback_attempts: int,
        vectors_alone: bool = False,
        opens_shards_late: bool = False,
        max_open_shards: int = 0,
    ) -> None:
        for name, text in (("s3_prefix", s3_prefix), ("local_root", local_root)):
            if not isinstance(text, str) or not text:
                raise InvalidArgumentError(f"{name} must be text, and not empty; got {text!r}")
        self._waiting = waiting
        self.max_fallback_attempts = _count("max_fallback_attempts", max_fallback_attempts, 0)
        self._settings: ReaderSettings = reader_settings(
            reader_factory,
            s3_connection_options=s3_connection_options,
            credential_provider=credential_provider,
            slate_env_file=slate_env_file,
            vectors_alone=vectors_alone,
        )
        self.manifests = None if manifest_store is None else CallerManifests(manifest_store, waiting)
        self._options: dict[str, Any] = {
            "url": s3_prefix,
            "local_root": local_root,
            "flags": _OPEN_LAZY if opens_shards_late else 0,
            "max_open_shards": max_open_shards,
            "current_pointer_key": current_pointer_key,
            "max_concurrency": _count("max_concurrency" if waiting.is_async else "max_workers", max_concurrency, 1),
            "max_fallback_attempts": self.max_fallback_attempts or -1,
            "access_mode": _ACCESS_MODES[self._settings.access_mode],
            "auto_per_shard_bytes": self._settings.auto_per_shard_bytes,
            "auto_total_bytes": self._settings.auto_total_bytes,
        }
        self._s3 = dict(self._settings.s3)
        self._renewals = 0
        self._renewing = threading.RLock()
        self._asked_enough_until = 0.0
        self._s3["addressing"] = _ADDRESSING[str(self._s3.get("addressing") or "auto")]

    # -- open and refresh

    async def open(self) -> Reader:
        """The core's reader of the snapshot that is current."""
        if self.manifests is None:
            return await self._open({})

        async def serve(ref: str, manifest: bytes) -> Reader:
            return await self._open({"manifest_ref": ref, "manifest": manifest})

        core: Reader = await self.manifests.first_valid(self.max_fallback_attempts, serve)
        return core

    async def _open(self, more: dict[str, Any]) -> Reader:
        # A renewal changes self._s3 itself, so the second attempt has what is new.
        core: Reader = await self._attempt(None, Reader.submit_open, {**self._options, "s3": self._s3, **more})
        return core

    async def refresh(self, core: Reader, is_overtaken: Callable[[], bool]) -> bool:
        """Whether another snapshot is served now. A malformed manifest leaves the old one.

        A manifest store may take long: a refresh that a later one has overtaken meanwhile changes nothing.
        """
        if self.manifests is None:
            return bool(await self.call(core, core.submit_refresh))
        ref = await self.manifests.current_ref()
        if ref == core.snapshot().info()["manifest_ref"]:
            return False
        try:
            manifest = await self.manifests.manifest_bytes(ref)
            if is_overtaken():
                return False
            return bool(await self.call(core, core.submit_refresh, ref, manifest))
        except ManifestParseError as error:
            _logger.warning("the manifest %s is malformed, and the one before is served on: %s", ref, error)
            return False

    # -- credentials

    async def call(self, core: Reader, submit: Any, *arguments: Any) -> Any:
        """Runs an operation of the core; once more with new credentials when the store refuses those it has."""
        if self._settings.credential_provider is not None:
            await self._renew_before_expiry(core)
        return await self._attempt(core, submit, *arguments)

    async def _attempt(self, core: Reader | None, submit: Any, *arguments: Any) -> Any:
        seen = self._renewals
        try:
            return await self._waiting.call(submit, *arguments)
        except ShardyfusionError as error:
            if error.code != "ACCESS" or not await self._renewed(seen, core):
                raise
        return await self._waiting.call(submit, *arguments)

    async def _renew_before_expiry(self, core: Reader) -> None:
        """Asks the provider when the credentials are near their end; until then those at hand will do if it fails."""
        expires = self._s3.get("expires_at")
        left = expires - datetime.now(UTC) if isinstance(expires, datetime) else _RENEW_BEFORE
        do_hold = left > timedelta(0)
        if left >= _RENEW_BEFORE or (do_hold and time.monotonic() < self._asked_enough_until):
            return
        self._asked_enough_until = time.monotonic() + _RENEW_PAUSE_SECONDS
        try:
            await self._renewed(self._renewals, core)
        except ConfigValidationError as error:
            if not do_hold:
                raise
            _logger.warning("%s; the credentials at hand are used until they expire", error)

    async def _renewed(self, seen: int, core: Reader | None) -> bool:
        """Whether there are other credentials than those of renewal `seen`; asks the provider if need be."""
        if self._settings.credential_provider is not None:
            await self._waiting.ask(self._renew, self._settings.credential_provider, seen, core)
        return self._renewals != seen

    def _renew(self, provider: CredentialProvider, seen: int, core: Reader | None) -> None:
        # Many operations may fail at once: one of them asks, the others find what it was told.
        with self._renewing:
            if self._renewals != seen:
                return
            answer = credentials_of(provider)
            fresh: dict[str, Any] = {name: answer.get(name) for name in _IDENTITY}
            if all(self._s3.get(name) == value for name, value in fresh.items()):
                return
            if core is not None:
                core.set_credentials(fresh["access_key_id"], fresh["secret_access_key"], fresh["session_token"])
            self._s3.update(fresh)
            self._renewals += 1
