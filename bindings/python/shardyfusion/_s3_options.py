"""From S3ConnectionOptions, credentials and environment files to the S3 options of the core (shf_s3_options)."""

from __future__ import annotations

import math
import os
from datetime import datetime
from typing import TYPE_CHECKING

from shardyfusion._dotenv import parse_dotenv
from shardyfusion.credentials import S3Credentials
from shardyfusion.errors import ConfigValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shardyfusion.credentials import CredentialProvider
    from shardyfusion.type_defs import S3ConnectionOptions

MAX_TIMEOUT_SECONDS = 86_400
MAX_ATTEMPTS = 100


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ConfigValidationError(f"s3_connection_options[{name!r}] must be a text, got {value!r}")
    return value


def _timeout(name: str, value: object) -> int:
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan
    if not 0 < number <= MAX_TIMEOUT_SECONDS:
        raise ConfigValidationError(
            f"s3_connection_options[{name!r}] must be a number of seconds above 0 and up to {MAX_TIMEOUT_SECONDS}, "
            f"got {value!r}"
        )
    return max(1, round(number * 1000))


def _attempts(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_ATTEMPTS:
        raise ConfigValidationError(
            f"s3_connection_options[{name!r}] must be a whole number from 1 to {MAX_ATTEMPTS}, got {value!r}"
        )
    return value


def _addressing(name: str, value: object) -> str:
    if value not in ("auto", "path", "virtual"):
        raise ConfigValidationError(
            f"s3_connection_options[{name!r}] must be 'auto', 'path' or 'virtual', got {value!r}"
        )
    return str(value)


def _signature(name: str, value: object) -> None:
    if value != "s3v4":
        raise ConfigValidationError(
            f"s3_connection_options[{name!r}]={value!r}: only signature version 's3v4' is spoken; leave it out"
        )


# Key of S3ConnectionOptions -> (key of the core, what makes the core's value of it).
_OPTIONS: dict[str, tuple[str, Callable[[str, object], object]]] = {
    "endpoint_url": ("endpoint_url", _text),
    "region_name": ("region", _text),
    "addressing_style": ("addressing", _addressing),
    "signature_version": ("", _signature),
    "connect_timeout": ("connect_timeout_ms", _timeout),
    "read_timeout": ("read_timeout_ms", _timeout),
    "max_attempts": ("max_attempts", _attempts),
}


def _verify(value: object) -> dict[str, object]:
    if isinstance(value, bool):
        return {} if value else {"insecure_skip_verify": True}
    if isinstance(value, (str, os.PathLike)) and os.fspath(value):
        return {"ca_bundle": os.fsdecode(value)}
    raise ConfigValidationError(
        "s3_connection_options['verify_ssl'] must be True, False or the path of a file of CA certificates, got "
        f"{value!r}"
    )


def core_options(options: S3ConnectionOptions | None) -> dict[str, object]:
    """Returns what connection options mean to the core; None and empty text mean that nothing is said.

    ConfigValidationError for what is no mapping, for unknown keys and for values that cannot be honoured.
    """
    if options is None:
        return {}
    if not isinstance(options, dict):
        raise ConfigValidationError(
            f"s3_connection_options must be a dict with the keys of S3ConnectionOptions, got {type(options).__name__}"
        )
    core: dict[str, object] = {}
    for name, value in options.items():
        if value is None or value == "":
            continue
        if name == "verify_ssl":
            core |= _verify(value)
        elif name in _OPTIONS:
            key, convert = _OPTIONS[name]
            converted = convert(name, value)
            if converted is not None:
                core[key] = converted
        else:
            known = ", ".join(sorted([*_OPTIONS, "verify_ssl"]))
            raise ConfigValidationError(f"s3_connection_options has the unknown key {name!r}; the keys are: {known}")
    return core


def ask(provider: CredentialProvider) -> dict[str, object]:
    """Returns the credentials of a provider as options of the core, {} when it leaves them to the core.

    Credentials of a class of its own may say in `expires_at` (a datetime with a time zone) when to ask again.
    ConfigValidationError when the provider has no resolve(), raises, or returns something that is no S3Credentials.
    """
    name = type(provider).__name__
    resolve = getattr(provider, "resolve", None)
    if not callable(resolve):
        raise ConfigValidationError(
            f"credential_provider={name} has no method resolve(); use StaticCredentialProvider, EnvCredentialProvider "
            "or an object whose resolve() returns S3Credentials"
        )
    try:
        credentials = resolve()
    except Exception as error:
        raise ConfigValidationError(
            f"credential_provider={name}: its resolve() raised {type(error).__name__}; make it return S3Credentials "
            "(S3Credentials() leaves the search for them to the core)"
        ) from error
    if not isinstance(credentials, S3Credentials):
        if hasattr(credentials, "close") and hasattr(credentials, "__await__"):
            credentials.close()
        raise ConfigValidationError(
            f"credential_provider={name}: its resolve() returned {type(credentials).__name__}; it must be an ordinary "
            "method that returns S3Credentials"
        )
    identity = _identity(
        f"credential_provider={name}",
        credentials.access_key_id,
        credentials.secret_access_key,
        credentials.session_token,
    )
    expires_at = getattr(credentials, "expires_at", None)
    return identity if expires_at is None else {**identity, "expires_at": _moment(name, expires_at)}


def _moment(name: str, expires_at: object) -> datetime:
    if isinstance(expires_at, datetime) and expires_at.tzinfo is not None:
        return expires_at
    raise ConfigValidationError(
        f"credential_provider={name}: expires_at must be a datetime with a time zone, got {expires_at!r}"
    )


def _identity(owner: str, key_id: object, secret: object, token: object) -> dict[str, object]:
    given = {"access_key_id": key_id, "secret_access_key": secret, "session_token": token}
    for field, value in given.items():
        if value is not None and not isinstance(value, str):
            raise ConfigValidationError(f"{owner}: {field} must be a text or None, got {type(value).__name__}")
    if bool(key_id) != bool(secret) or (token and not key_id):
        raise ConfigValidationError(
            f"{owner}: access_key_id and secret_access_key belong together, and session_token needs both"
        )
    return {field: value for field, value in given.items() if value}


def _first(variables: Mapping[str, str], *names: str) -> str | None:
    return next((variables[name] for name in names if variables.get(name)), None)


def _is_true(value: str | None) -> bool | None:
    return None if value is None else value.lower() in ("1", "true", "yes", "on")


def env_file_options(path: str) -> tuple[dict[str, object], dict[str, object]]:
    """Returns (connection, identity) of an environment file of AWS_* lines, as options of the core."""
    try:
        with open(path, encoding="utf-8") as file:
            variables = parse_dotenv(file.read())
    except (OSError, UnicodeDecodeError, TypeError) as error:
        raise ConfigValidationError(f"The environment file {path!r} could not be read: {error}") from error
    virtual = _is_true(_first(variables, "AWS_VIRTUAL_HOSTED_STYLE_REQUEST"))
    connection: dict[str, object] = {
        "endpoint_url": _first(variables, "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
        "region": _first(variables, "AWS_REGION", "AWS_DEFAULT_REGION"),
        "addressing": None if virtual is None else ("virtual" if virtual else "path"),
    }
    identity = _identity(
        f"environment file {path!r}",
        _first(variables, "AWS_ACCESS_KEY_ID"),
        _first(variables, "AWS_SECRET_ACCESS_KEY"),
        _first(variables, "AWS_SESSION_TOKEN", "AWS_TOKEN"),
    )
    if not identity and _is_true(_first(variables, "AWS_SKIP_SIGNATURE")):
        identity = {"anonymous": True}
    return {name: value for name, value in connection.items() if value is not None}, identity
