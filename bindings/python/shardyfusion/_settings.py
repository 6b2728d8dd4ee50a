"""What a reader is told by its arguments, in the terms of the core."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shardyfusion._reader_choice import (
    AUTO_PER_SHARD_BYTES,
    AUTO_TOTAL_BYTES,
    AccessMode,
    Backend,
    Connection,
    ReaderChoice,
    choice_of,
)
from shardyfusion._s3_options import ask, core_options, env_file_options
from shardyfusion.credentials import StaticCredentialProvider
from shardyfusion.errors import ConfigValidationError

if TYPE_CHECKING:
    from shardyfusion.credentials import CredentialProvider
    from shardyfusion.type_defs import S3ConnectionOptions

_MAX_BYTES = 2**63 - 1


@dataclass(slots=True, frozen=True)
class ReaderSettings:
    """Access mode and thresholds in bytes, S3 options of the core, and what the snapshot is expected to hold.

    s3 has those of the keys endpoint_url, region, access_key_id, secret_access_key, session_token, addressing,
    ca_bundle, insecure_skip_verify, anonymous, connect_timeout_ms, read_timeout_ms and max_attempts that were said; the
    core looks for the others itself. credential_provider is to be asked again (credentials_of) when credentials near
    their end; None when they cannot change. backend is None when any will do.
    """

    access_mode: AccessMode = "auto"
    auto_per_shard_bytes: int = AUTO_PER_SHARD_BYTES
    auto_total_bytes: int = AUTO_TOTAL_BYTES
    # Not shown: it holds secrets.
    s3: dict[str, object] = field(default_factory=dict, repr=False)
    credential_provider: CredentialProvider | None = field(default=None, repr=False)
    backend: Backend | None = None


def credentials_of(provider: CredentialProvider) -> dict[str, object]:
    """Returns what a provider says now: access_key_id, secret_access_key, session_token, or {}; see reader_settings."""
    return ask(provider)


def _only(what: str, values: list[tuple[str, object]], user: str) -> object:
    """Returns the one value that is given, perhaps by several; the core has one connection, so they must be equal."""
    given = [(owner, value) for owner, value in values if value is not None]
    for owner, value in given[1:]:
        if value is not given[0][1] and value != given[0][1]:
            raise ConfigValidationError(
                f"{what} of {given[0][0]} and of {owner} differ, but a {user} has one connection: give it to the "
                f"{user} alone"
            )
    return given[0][1] if given else None


def s3_settings(
    connections: list[Connection], user: str = "reader"
) -> tuple[dict[str, object], CredentialProvider | None]:
    """Returns the S3 options of the core that connections of one user together mean, and who is to be asked again."""
    # Core options are compared, not the dicts: {"region_name": None} and {} say the same.
    given = [(each.owner, core_options(each.options) or None) for each in connections]
    options = _only("s3_connection_options", given, user)  # type: ignore[arg-type]
    provider = _only("credential_provider", [(each.owner, each.credential_provider) for each in connections], user)
    env_file = _only("env_file", [(each.owner, each.env_file) for each in connections], user)
    connection, identity = env_file_options(env_file) if env_file is not None else ({}, {})  # type: ignore[arg-type]
    if provider is not None:
        identity = ask(provider)  # type: ignore[arg-type]
    s3 = {**connection, **(options or {}), **identity}  # type: ignore[dict-item]
    return s3, provider  # type: ignore[return-value]


def _bytes(value: float) -> int:
    return _MAX_BYTES if value >= _MAX_BYTES else -int(-value // 1)


def _check_backend(backend: Backend, name: str, vectors_alone: bool) -> None:
    if vectors_alone and backend not in ("sqlite-vec", "lancedb"):
        raise ConfigValidationError(
            f"reader_factory={name} does not read shards of vectors alone; use a factory of sqlite_vec_adapter or of "
            "vector.adapters.lancedb_adapter, or leave it out"
        )
    if not vectors_alone and backend == "lancedb":
        raise ConfigValidationError(
            f"reader_factory={name} reads vectors alone; give it to CompositeReaderFactory as vector_factory, or leave "
            "reader_factory out"
        )


def reader_settings(
    factory: object | None,
    *,
    s3_connection_options: S3ConnectionOptions | None,
    credential_provider: CredentialProvider | None,
    slate_env_file: str | None,
    vectors_alone: bool = False,
) -> ReaderSettings:
    """Returns what the arguments of a reader mean, and asks the credential provider for the first time.

    The reader's own arguments and those of its factory together make one connection; an environment file says what they
    leave open. vectors_alone: the reader is one of vector-only snapshots. ConfigValidationError for what the core
    cannot honour, with what to use instead.
    """
    connections = [Connection("the reader", s3_connection_options, credential_provider, slate_env_file)]
    choice: ReaderChoice | None = None
    if factory is not None:
        choice = choice_of(factory, "reader_factory")
        connections += choice.connections
    if choice is not None:
        _check_backend(choice.backend, type(factory).__name__, vectors_alone)
    s3, provider = s3_settings(connections)
    if type(provider) is StaticCredentialProvider:
        provider = None
    if choice is None:
        return ReaderSettings(s3=s3, credential_provider=provider)
    return ReaderSettings(
        access_mode=choice.access_mode,
        auto_per_shard_bytes=_bytes(choice.auto_per_shard_bytes),
        auto_total_bytes=_bytes(choice.auto_total_bytes),
        s3=s3,
        credential_provider=provider,
        backend=choice.backend,
    )
