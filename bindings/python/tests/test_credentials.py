"""Credentials, and the environment files that carry them."""

from __future__ import annotations

import logging
import os
import pickle
import stat
import threading
from pathlib import Path

import pytest

from shardyfusion._dotenv import parse_dotenv
from shardyfusion.credentials import (
    CredentialProvider,
    EnvCredentialProvider,
    S3Credentials,
    StaticCredentialProvider,
    apply_env_file,
    materialize_env_file,
    remove_env_file,
    resolve_env_file,
)
from shardyfusion.errors import ConfigValidationError

FIELDS = ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in FIELDS:
        monkeypatch.delenv(f"S3_{field}", raising=False)
        monkeypatch.delenv(f"AWS_{field}", raising=False)


def test_static_credentials() -> None:
    provider = StaticCredentialProvider("key", "secret")
    assert provider.resolve() == S3Credentials("key", "secret", None)
    assert isinstance(provider, CredentialProvider)
    assert pickle.loads(pickle.dumps(provider)) == provider
    for shown in (repr(provider), str(provider.resolve()), f"{StaticCredentialProvider('key', 'secret', 'token')}"):
        assert "key" in shown
        assert "secret'" not in shown
        assert "token" not in shown


def test_credentials_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = EnvCredentialProvider()
    assert provider.resolve() == S3Credentials()
    for field in FIELDS:
        monkeypatch.setenv(f"AWS_{field}", f"aws-{field}")
    monkeypatch.setenv("S3_ACCESS_KEY_ID", "s3-key")
    monkeypatch.setenv("S3_SESSION_TOKEN", "")  # empty counts as absent
    assert provider.resolve() == S3Credentials("s3-key", "aws-SECRET_ACCESS_KEY", "aws-SESSION_TOKEN")


def test_dotenv() -> None:
    text = """
# a comment
A=1
 B = two words \t
export C='quoted'
D="x=y"
E=
F='unclosed"
G="
no equals sign
=no name
A=last
H=# no comment
"""
    assert parse_dotenv(text) == {
        "A": "last",
        "B": "two words",
        "C": "quoted",
        "D": "x=y",
        "E": "",
        "F": "'unclosed\"",
        "G": '"',
        "H": "# no comment",
    }
    assert parse_dotenv("A=1\r\nB=2") == {"A": "1", "B": "2"}


def test_a_file_of_credentials() -> None:
    path = materialize_env_file(
        S3Credentials("key", "sec=ret", "token"),
        connection_options={"endpoint_url": "http://127.0.0.1:1", "region_name": "eu", "addressing_style": "path"},
    )
    try:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert parse_dotenv(Path(path).read_text()) == {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "sec=ret",
            "AWS_SESSION_TOKEN": "token",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "eu",
            "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false",
        }
    finally:
        remove_env_file(path)
    assert not os.path.exists(path)
    with pytest.raises(ConfigValidationError, match="must be one line"):
        materialize_env_file(S3Credentials("key", "a\nAWS_ENDPOINT_URL=http://evil"))


def test_removing_a_file_that_is_not_there_is_logged(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    with caplog.at_level(logging.WARNING, logger="shardyfusion"):
        remove_env_file(str(tmp_path / "none.env"))
    assert "could not be removed" in caplog.text


def test_resolving_a_file() -> None:
    with resolve_env_file(None, None) as none:
        assert none is None
    with resolve_env_file("/given.env", StaticCredentialProvider("a", "b")) as given:
        assert given == "/given.env"
    with resolve_env_file(None, StaticCredentialProvider("a", "b"), {"addressing_style": "virtual"}) as made:
        assert made is not None
        assert parse_dotenv(Path(made).read_text()) == {
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
        }
    assert not os.path.exists(made)


def test_applying_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "a.env"
    file.write_text("AWS_ACCESS_KEY_ID=new\nAWS_SESSION_TOKEN=new")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "old")
    with pytest.raises(ZeroDivisionError), apply_env_file(str(file)):
        assert EnvCredentialProvider().resolve() == S3Credentials("new", None, "new")
        _ = 1 // 0
    assert EnvCredentialProvider().resolve() == S3Credentials("old")
    with apply_env_file(None), apply_env_file(None):
        assert os.environ["AWS_ACCESS_KEY_ID"] == "old"
    with caplog.at_level(logging.WARNING, logger="shardyfusion"), apply_env_file(str(tmp_path / "none.env")):
        assert os.environ["AWS_ACCESS_KEY_ID"] == "old"
    assert "could not be read" in caplog.text


def test_two_threads_do_not_see_each_others_files(tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []
    start = threading.Barrier(2)

    def run(name: str) -> None:
        file = tmp_path / name
        file.write_text(f"AWS_ACCESS_KEY_ID={name}")
        start.wait()
        for _ in range(200):
            with apply_env_file(str(file)):
                seen.append((name, os.environ["AWS_ACCESS_KEY_ID"]))

    threads = [threading.Thread(target=run, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 400
    assert all(name == value for name, value in seen)
    assert "AWS_ACCESS_KEY_ID" not in os.environ
