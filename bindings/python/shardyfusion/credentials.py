"""Who asks the store: S3 credentials and where they come from."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, runtime_checkable

from shardyfusion._dotenv import parse_dotenv
from shardyfusion.errors import ConfigValidationError
from shardyfusion.logging import get_logger
from shardyfusion.type_defs import S3ConnectionOptions

_logger = get_logger(__name__)

# os.environ belongs to the whole process: whoever changes it for a while does so alone.
_environment_lock = threading.Lock()


@dataclass(slots=True, frozen=True)
class S3Credentials:
    """An S3 identity. All fields None: the core looks for one itself (environment, then the AWS files).

    Its repr leaves the secrets out, so that it may stand in logs.
    """

    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)


@runtime_checkable
class CredentialProvider(Protocol):
    """An object that is asked for credentials, at the opening of a reader and again when they may have expired.

    resolve() may be called from any thread and must not block for long. A provider that is given to a parallel writer
    must be picklable, as StaticCredentialProvider and EnvCredentialProvider are.
    """

    def resolve(self) -> S3Credentials:
        """Returns the credentials to use from now on."""


@dataclass(slots=True, frozen=True)
class StaticCredentialProvider:
    """Credentials that never change."""

    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)

    def resolve(self) -> S3Credentials:
        """Returns the fields."""
        return S3Credentials(self.access_key_id, self.secret_access_key, self.session_token)


@dataclass(slots=True, frozen=True)
class EnvCredentialProvider:
    """Credentials of the environment: S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY, S3_SESSION_TOKEN, else AWS_* of each."""

    def resolve(self) -> S3Credentials:
        """Returns what the environment holds now; empty variables count as absent."""

        def variable(name: str) -> str | None:
            return os.environ.get(f"S3_{name}") or os.environ.get(f"AWS_{name}") or None

        return S3Credentials(variable("ACCESS_KEY_ID"), variable("SECRET_ACCESS_KEY"), variable("SESSION_TOKEN"))


def _dotenv_lines(creds: S3Credentials, options: S3ConnectionOptions) -> list[str]:
    endpoint = options.get("endpoint_url")
    virtual = {"path": "false", "virtual": "true"}.get(options.get("addressing_style") or "")
    pairs = {
        "AWS_ACCESS_KEY_ID": creds.access_key_id,
        "AWS_SECRET_ACCESS_KEY": creds.secret_access_key,
        "AWS_SESSION_TOKEN": creds.session_token,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true" if endpoint and endpoint.startswith("http://") else None,
        "AWS_REGION": options.get("region_name"),
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": virtual,
    }
    for name, value in pairs.items():
        if value and any(character in value for character in "\r\n\0"):
            raise ConfigValidationError(f"{name} must be one line to stand in an environment file")
    return [f"{name}={value}" for name, value in pairs.items() if value]


def materialize_env_file(
    creds: S3Credentials,
    *,
    connection_options: S3ConnectionOptions | None = None,
) -> str:
    """Writes credentials and connection options to a new file of AWS_* lines, and returns its path.

    Only its owner may read the file. The caller removes it with remove_env_file.
    """
    lines = _dotenv_lines(creds, connection_options or {})
    descriptor, path = tempfile.mkstemp(prefix="shardyfusion-", suffix=".env")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write("\n".join(lines))
    return path


def remove_env_file(path: str) -> None:
    """Removes a file of materialize_env_file; a failure is logged, not raised."""
    try:
        os.unlink(path)
    except OSError as error:
        _logger.warning("The environment file %s could not be removed: %s", path, error.strerror)


class _EnvFileContext:
    """The path of an environment file, which is removed at the end when it was made at the beginning."""

    __slots__ = ("_env_file", "_made", "_make")

    def __init__(self, env_file: str | None, make: Callable[[], str] | None) -> None:
        self._env_file = env_file
        self._make = make
        self._made: str | None = None

    def __enter__(self) -> str | None:
        if self._env_file is not None or self._make is None:
            return self._env_file
        self._made = self._make()
        return self._made

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        made, self._made = self._made, None
        if made is not None:
            remove_env_file(made)


def resolve_env_file(
    env_file: str | None,
    credential_provider: CredentialProvider | None,
    connection_options: S3ConnectionOptions | None = None,
) -> _EnvFileContext:
    """Returns a context manager that yields the path of an environment file, or None when nothing was given.

    env_file is yielded as it is and the rest is ignored; otherwise a file is made of the provider's credentials and
    the options, and removed at the end.
    """
    if credential_provider is None and connection_options is None:
        return _EnvFileContext(env_file, None)

    def make() -> str:
        creds = credential_provider.resolve() if credential_provider is not None else S3Credentials()
        return materialize_env_file(creds, connection_options=connection_options)

    return _EnvFileContext(env_file, make)


class _AppliedEnvContext:
    """The variables of an environment file in os.environ, put back at the end."""

    __slots__ = ("_before", "_env_file")

    def __init__(self, env_file: str | None) -> None:
        self._env_file = env_file
        self._before: dict[str, str | None] | None = None

    def __enter__(self) -> None:
        variables = self._variables()
        if not variables:
            return
        _environment_lock.acquire()
        try:
            self._before = {name: os.environ.get(name) for name in variables}
            os.environ.update(variables)
        except BaseException:
            self._put_back()
            raise

    def _variables(self) -> dict[str, str]:
        if self._env_file is None:
            return {}
        try:
            with open(self._env_file, encoding="utf-8") as file:
                return parse_dotenv(file.read())
        except (OSError, UnicodeDecodeError) as error:
            _logger.warning("The environment file %s could not be read: %s", self._env_file, error)
            return {}

    def _put_back(self) -> None:
        before, self._before = self._before, None
        try:
            for name, value in (before or {}).items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
        finally:
            _environment_lock.release()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            self._put_back()


def apply_env_file(env_file: str | None) -> _AppliedEnvContext:
    """Returns a context manager that sets the variables of a file in os.environ, and puts the old ones back.

    None does nothing; a file that cannot be read is logged and does nothing. Two such contexts never overlap in time,
    so they must not be nested in one thread.
    """
    return _AppliedEnvContext(env_file)
