"""Reader factories, connection options and environment files given to real readers: what they set, what is refused."""

from __future__ import annotations

import os
import pathlib
from typing import Any

import pytest
from readers import Opener

from shardyfusion import VectorSpec
from shardyfusion.composite_adapter import AsyncCompositeReaderFactory, CompositeReaderFactory
from shardyfusion.credentials import StaticCredentialProvider
from shardyfusion.errors import ConfigValidationError, ManifestStoreError
from shardyfusion.reader import AsyncSlateDbReaderFactory, SlateDbReaderFactory
from shardyfusion.sqlite_adapter import AdaptiveSqliteReaderFactory, SqliteFactory, SqliteReaderFactory
from shardyfusion.sqlite_vec_adapter import (
    AdaptiveSqliteVecReaderFactory,
    AsyncAdaptiveSqliteVecReaderFactory,
    AsyncSqliteVecRangeReaderFactory,
    AsyncSqliteVecReaderFactory,
    SqliteVecRangeReaderFactory,
    SqliteVecReaderFactory,
)
from shardyfusion.vector.adapters.lancedb_adapter import AsyncLanceDbReaderFactory, LanceDbReaderFactory

SQLITE = [
    SqliteVecReaderFactory(),
    SqliteVecRangeReaderFactory(),
    AdaptiveSqliteVecReaderFactory(per_shard_threshold=1),
    AsyncSqliteVecReaderFactory(),
    AsyncSqliteVecRangeReaderFactory(),
    AsyncAdaptiveSqliteVecReaderFactory(total_budget=0),
    SqliteReaderFactory(),
]


def name_of(factory: object) -> str:
    return type(factory).__name__


@pytest.mark.parametrize("factory", SQLITE, ids=name_of)
@pytest.mark.parametrize("place", ["files", "s3"])
def test_sqlite(
    open_reader: Opener, data: pathlib.Path, factory: Any, place: str, request: pytest.FixtureRequest
) -> None:
    url: Any = data / "packages-1k"
    if place == "s3":
        url = f"{request.getfixturevalue('s3_data')}/packages-1k"
    reader = open_reader(url, reader_factory=factory)
    assert reader.get(reader.shard_details()[0].min_key) is not None
    assert len(reader.search([1.0] * 384).results) == 10


@pytest.mark.parametrize("place", ["files", "s3"])
def test_composite(open_reader: Opener, data: pathlib.Path, place: str, request: pytest.FixtureRequest) -> None:
    url: Any = data / "composite-120"
    if place == "s3":
        url = f"{request.getfixturevalue('s3_data')}/composite-120"
    factories: list[Any] = [
        CompositeReaderFactory(SlateDbReaderFactory(), LanceDbReaderFactory(), VectorSpec(dim=4)),
        AsyncCompositeReaderFactory(AsyncSlateDbReaderFactory(), AsyncLanceDbReaderFactory(), VectorSpec(dim=4)),
    ]
    for factory in factories:
        reader = open_reader(url, reader_factory=factory)
        assert reader.get("user:0") is not None
        assert len(reader.search([1.0, 0.0, 0.0, 0.0]).results) == 10


def test_keys_of_a_composite_snapshot(open_reader: Opener, data: pathlib.Path) -> None:
    reader = open_reader(data / "composite-120", unified=False, reader_factory=SlateDbReaderFactory())
    assert reader.get("user:0") is not None


class Mine:
    """A factory as the Python project's protocol has it."""

    def __call__(self, *, db_url: str, local_dir: pathlib.Path, checkpoint_id: str | None, manifest: object) -> object:
        raise AssertionError("nobody calls it")


class MineOfTheirs(SqliteReaderFactory):
    def __call__(self, **named: Any) -> Any:
        raise AssertionError("nobody calls it")


class OtherDefaults(SqliteVecReaderFactory):
    pass


@pytest.mark.parametrize("factory", [Mine(), Mine, MineOfTheirs(), lambda **named: None, SqliteFactory(), "sqlite", 5])
def test_factories_that_nobody_would_call(open_reader: Opener, data: pathlib.Path, factory: Any) -> None:
    with pytest.raises(ConfigValidationError, match=r"reader_factory=.*use SqliteReaderFactory") as caught:
        open_reader(data / "packages-1k", reader_factory=factory)
    assert caught.value.retryable is False


def test_a_subclass_with_other_defaults(open_reader: Opener, data: pathlib.Path) -> None:
    assert open_reader(data / "packages-1k", reader_factory=OtherDefaults()).get("none") is None


def test_a_policy_that_nobody_would_call() -> None:
    class Policy:
        def decide(self, db_bytes_per_shard: Any) -> Any:
            raise AssertionError("nobody calls it")

    for kind in (AdaptiveSqliteReaderFactory, AdaptiveSqliteVecReaderFactory):
        with pytest.raises(ConfigValidationError, match=r"Policy.*use make_threshold_policy"):
            kind(policy=Policy())


def test_a_factory_for_vectors_alone(open_reader: Opener, data: pathlib.Path) -> None:
    with pytest.raises(ConfigValidationError, match="CompositeReaderFactory"):
        open_reader(data / "composite-120", reader_factory=LanceDbReaderFactory())


@pytest.fixture
def connection(s3_data: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """Options and credentials of the server, which the environment does not say any more."""
    endpoint, region = os.environ["AWS_ENDPOINT_URL"], os.environ["AWS_REGION"]
    provider = StaticCredentialProvider(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
    for name in ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    return {"endpoint_url": endpoint, "region_name": region}, provider


def test_the_readers_connection(open_reader: Opener, s3_data: str, connection: tuple[Any, Any]) -> None:
    options, provider = connection
    more = {"addressing_style": "path", "signature_version": "s3v4", "verify_ssl": True, "connect_timeout": 5}
    for given in (options, {**options, **more, "read_timeout": 2.5, "max_attempts": 2}):
        reader = open_reader(f"{s3_data}/packages-1k", s3_connection_options=given, credential_provider=provider)
        assert reader.snapshot_info().row_count == 1000


def test_the_factorys_connection(open_reader: Opener, s3_data: str, connection: tuple[Any, Any]) -> None:
    options, provider = connection
    factory = SqliteVecReaderFactory(s3_connection_options=options, credential_provider=provider)
    reader = open_reader(f"{s3_data}/packages-1k", reader_factory=factory)
    assert reader.snapshot_info().row_count == 1000
    with pytest.raises(ConfigValidationError, match="s3_connection_options"):
        other = {**options, "region_name": "eu-elsewhere-1"}
        open_reader(f"{s3_data}/packages-1k", reader_factory=factory, s3_connection_options=other)


def test_an_environment_file(
    open_reader: Opener, s3_data: str, connection: tuple[Any, Any], tmp_path: pathlib.Path
) -> None:
    options, provider = connection
    file = tmp_path / "slate.env"
    file.write_text(
        f"# comment\nexport AWS_ENDPOINT_URL={options['endpoint_url']}\nAWS_REGION='{options['region_name']}'\n"
        f'AWS_ACCESS_KEY_ID="{provider.access_key_id}"\nAWS_SECRET_ACCESS_KEY={provider.secret_access_key}\n'
        "CLOUD_PROVIDER=aws\n"
    )
    reader = open_reader(f"{s3_data}/composite-120", slate_env_file=str(file))
    assert reader.get("user:0") is not None
    factory = SlateDbReaderFactory(env_file=str(file))
    assert open_reader(f"{s3_data}/composite-120", reader_factory=factory).get("user:0") is not None
    file.write_text("AWS_ACCESS_KEY_ID=only-the-id\n")
    with pytest.raises(ConfigValidationError, match="belong together"):
        open_reader(f"{s3_data}/composite-120", slate_env_file=str(file))
    with pytest.raises((ConfigValidationError, ManifestStoreError), match=r"credentials|AWS_ACCESS_KEY"):
        open_reader(f"{s3_data}/composite-120", s3_connection_options={"max_attempts": 1, **options})


def test_settings_do_not_change_what_was_given(open_reader: Opener, s3_data: str, connection: tuple[Any, Any]) -> None:
    options, provider = connection
    before = dict(options)
    reader = open_reader(f"{s3_data}/packages-1k", s3_connection_options=options, credential_provider=provider)
    options["endpoint_url"] = "http://127.0.0.1:9"  # no longer the reader's
    assert reader.refresh() is False
    assert {**options, "endpoint_url": before["endpoint_url"]} == before
