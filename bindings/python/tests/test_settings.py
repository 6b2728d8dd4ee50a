"""What the arguments of readers mean to the core, and what is refused."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from shardyfusion import S3Credentials, StaticCredentialProvider, VectorSpec
from shardyfusion._settings import ReaderSettings, reader_settings
from shardyfusion.composite_adapter import AsyncCompositeReaderFactory, CompositeReaderFactory
from shardyfusion.errors import ConfigValidationError
from shardyfusion.reader import AsyncSlateDbReaderFactory, SlateDbReaderFactory
from shardyfusion.sqlite_adapter import (
    AdaptiveSqliteReaderFactory,
    AsyncAdaptiveSqliteReaderFactory,
    AsyncSqliteRangeReaderFactory,
    SqliteAdapterError,
    SqliteFactory,
    SqliteRangeReaderFactory,
    SqliteReaderFactory,
    decide_access_mode,
    make_async_sqlite_reader_factory,
    make_sqlite_reader_factory,
    make_threshold_policy,
)
from shardyfusion.sqlite_vec_adapter import (
    AdaptiveSqliteVecReaderFactory,
    AsyncSqliteVecReaderFactory,
    SqliteVecAdapterError,
    SqliteVecFactory,
    SqliteVecRangeReaderFactory,
    make_sqlite_vec_reader_factory,
)
from shardyfusion.vector.adapters.lancedb_adapter import AsyncLanceDbReaderFactory, LanceDbReaderFactory

SPEC = VectorSpec(dim=8)
CALL: dict[str, Any] = {"db_url": "", "local_dir": Path(), "checkpoint_id": None, "manifest": None}


def settings(factory: object = None, options: Any = None, provider: Any = None, env: Any = None) -> ReaderSettings:
    return reader_settings(factory, s3_connection_options=options, credential_provider=provider, slate_env_file=env)


class Provider:
    def __init__(self, result: object) -> None:
        self.result = result

    def resolve(self) -> Any:
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def test_nothing_said() -> None:
    assert settings() == ReaderSettings("auto", 16 << 20, 2 << 30, {}, None, None)


@pytest.mark.parametrize(
    ("factory", "backend", "mode"),
    [
        (SqliteReaderFactory(), "sqlite", "download"),
        (AsyncSqliteRangeReaderFactory(), "sqlite", "range"),
        (AdaptiveSqliteReaderFactory(), "sqlite", "auto"),
        (AsyncSqliteVecReaderFactory(), "sqlite-vec", "download"),
        (SqliteVecRangeReaderFactory(), "sqlite-vec", "range"),
        (AdaptiveSqliteVecReaderFactory(), "sqlite-vec", "auto"),
        (SlateDbReaderFactory(), "slatedb", "auto"),
        (AsyncSlateDbReaderFactory(), "slatedb", "auto"),
        (CompositeReaderFactory(SqliteRangeReaderFactory(), LanceDbReaderFactory(), SPEC), "composite", "range"),
        (
            AsyncCompositeReaderFactory(AsyncSlateDbReaderFactory(), AsyncLanceDbReaderFactory(), SPEC),
            "composite",
            "auto",
        ),
    ],
)
def test_what_factories_choose(factory: object, backend: str, mode: str) -> None:
    chosen = settings(factory)
    assert (chosen.backend, chosen.access_mode) == (backend, mode)
    assert (chosen.auto_per_shard_bytes, chosen.auto_total_bytes) == (16 << 20, 2 << 30)


def test_factories_go_between_processes() -> None:
    connected = AdaptiveSqliteReaderFactory(total_budget=5, credential_provider=StaticCredentialProvider("a", "b"))
    for factory in (
        connected,
        SqliteReaderFactory(7),
        CompositeReaderFactory(SlateDbReaderFactory(), LanceDbReaderFactory(), SPEC),
    ):
        again = pickle.loads(pickle.dumps(factory))
        assert type(again) is type(factory)
        assert settings(again) == settings(factory)


def test_thresholds() -> None:
    own = settings(AdaptiveSqliteReaderFactory(per_shard_threshold=5, total_budget=9))
    assert (own.auto_per_shard_bytes, own.auto_total_bytes) == (5, 9)
    policy = make_threshold_policy(per_shard_threshold=7, total_budget=8)
    assert policy.decide([6]) == "download"
    by_policy = settings(AsyncAdaptiveSqliteReaderFactory(policy=policy, per_shard_threshold=1))
    assert (by_policy.access_mode, by_policy.auto_per_shard_bytes, by_policy.auto_total_bytes) == ("auto", 7, 8)
    never: Any = float("inf")
    assert settings(AdaptiveSqliteReaderFactory(total_budget=never)).auto_total_bytes == 2**63 - 1
    # 0 means "the default" to the core, but "always range" here.
    assert settings(AdaptiveSqliteReaderFactory(per_shard_threshold=0)).access_mode == "range"


@pytest.mark.parametrize("wrong", ["1", True, None, float("nan")])
def test_thresholds_that_are_no_numbers(wrong: Any) -> None:
    with pytest.raises(ConfigValidationError, match="per_shard_threshold must be a number of bytes"):
        AdaptiveSqliteReaderFactory(per_shard_threshold=wrong)


@pytest.mark.parametrize(
    ("sizes", "mode"),
    [
        ([], "download"),
        ([9], "download"),
        ([10], "range"),
        ([9, 9], "download"),
        ([9, 9, 2], "range"),
        ([0], "download"),
    ],
)
def test_decide_access_mode(sizes: list[int], mode: str) -> None:
    assert decide_access_mode(db_bytes_per_shard=sizes, per_shard_threshold=10, total_budget=20) == mode


def test_policies_and_factories_of_ones_own_are_refused() -> None:
    class Policy:
        def decide(self, db_bytes_per_shard: Sequence[int]) -> Literal["download", "range"]:
            return "range"

    class Overriding(SqliteReaderFactory):
        def __call__(self, **named: Any) -> Any:
            return None

    class Defaults(SqliteRangeReaderFactory):
        pass

    def function(**named: Any) -> Any:
        return None

    with pytest.raises(ConfigValidationError, match="use make_threshold_policy"):
        AdaptiveSqliteReaderFactory(policy=Policy())
    for factory in (Overriding(), function, object(), SqliteReaderFactory, SqliteFactory()):
        with pytest.raises(ConfigValidationError, match=r"is not a factory of this package.*use SqliteR"):
            settings(factory)
    assert settings(Defaults()).access_mode == "range"


def test_composites_are_of_what_the_core_reads() -> None:
    wrong: Any = SqliteVecRangeReaderFactory()
    with pytest.raises(ConfigValidationError, match="kv_factory=SqliteVecRangeReaderFactory"):
        settings(CompositeReaderFactory(wrong, LanceDbReaderFactory(), SPEC))
    with pytest.raises(ConfigValidationError, match="vector_factory=SqliteVecRangeReaderFactory"):
        settings(CompositeReaderFactory(SlateDbReaderFactory(), wrong, SPEC))
    with pytest.raises(ConfigValidationError, match="give it to CompositeReaderFactory"):
        settings(LanceDbReaderFactory())


def test_factories_are_not_called() -> None:
    for factory in (SqliteReaderFactory(), AdaptiveSqliteVecReaderFactory(), SlateDbReaderFactory()):
        with pytest.raises(ConfigValidationError, match="give it to a reader or writer as reader_factory="):
            factory(**CALL)
    with pytest.raises(ConfigValidationError, match="AsyncSqliteVecReaderFactory is a setting"):
        asyncio.run(AsyncSqliteVecReaderFactory()(**CALL))
    with pytest.raises(ConfigValidationError, match="adapter_factory="):
        SqliteFactory()(db_url="", local_dir=Path())


def test_factory_functions() -> None:
    assert make_sqlite_reader_factory(mode="download", mmap_size=1) == SqliteReaderFactory(mmap_size=1)
    assert make_async_sqlite_reader_factory(mode="range") == AsyncSqliteRangeReaderFactory()
    wrong: Any = "auto"
    with pytest.raises(SqliteAdapterError, match="for 'auto' use an adaptive factory"):
        make_sqlite_reader_factory(mode=wrong)
    with pytest.raises(SqliteVecAdapterError):
        make_sqlite_vec_reader_factory(mode=wrong)
    with pytest.raises(ConfigValidationError, match="iterator_chunk_size"):
        SlateDbReaderFactory(iterator_chunk_size=0)


def test_writer_settings() -> None:
    assert (SqliteFactory().page_size, SqliteFactory(page_size="auto").page_size) == (4096, "auto")
    assert SqliteFactory().vec_payload_bytes_in_kv_db() == 0
    assert SqliteVecFactory(SPEC).vec_payload_bytes_in_kv_db() >= 4 * 8
    for wrong in (512, 5000, "big", 4096.5):
        with pytest.raises(ConfigValidationError, match="page_size must be 'auto' or one of 4096"):
            SqliteFactory(page_size=wrong)  # type: ignore[arg-type]


def test_connection_options() -> None:
    options = {
        "endpoint_url": "http://127.0.0.1:9000",
        "region_name": "eu-west-1",
        "addressing_style": "path",
        "signature_version": "s3v4",
        "verify_ssl": "/etc/ca.pem",
        "connect_timeout": 1.5,
        "read_timeout": 60,
        "max_attempts": 3,
    }
    assert settings(options=options).s3 == {
        "endpoint_url": "http://127.0.0.1:9000",
        "region": "eu-west-1",
        "addressing": "path",
        "ca_bundle": "/etc/ca.pem",
        "connect_timeout_ms": 1500,
        "read_timeout_ms": 60_000,
        "max_attempts": 3,
    }
    assert settings(options={"verify_ssl": False}).s3 == {"insecure_skip_verify": True}
    assert settings(options={"verify_ssl": True, "region_name": None, "endpoint_url": ""}).s3 == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"endpoint": "http://x"}, "unknown key 'endpoint'; the keys are: addressing_style"),
        ({"signature_version": "s3"}, "only signature version 's3v4'"),
        ({"endpoint_url": 5}, "must be a text"),
        ({"addressing_style": "dns"}, "'auto', 'path' or 'virtual'"),
        ({"connect_timeout": 0}, "number of seconds"),
        ({"read_timeout": True}, "number of seconds"),
        ({"read_timeout": 10**9}, "number of seconds"),
        ({"connect_timeout": float("nan")}, "number of seconds"),
        ({"max_attempts": 0}, "whole number from 1"),
        ({"max_attempts": 2.0}, "whole number from 1"),
        ({"verify_ssl": 7}, "path of a file of CA certificates"),
        (["endpoint_url"], "must be a dict"),
    ],
)
def test_connection_options_that_cannot_be_honoured(options: Any, message: str) -> None:
    with pytest.raises(ConfigValidationError, match=message):
        settings(options=options)
    with pytest.raises(ConfigValidationError, match=message):
        settings(SqliteReaderFactory(s3_connection_options=options))


def test_credentials() -> None:
    static = settings(provider=StaticCredentialProvider("key", "secret", "token"))
    assert static.s3 == {"access_key_id": "key", "secret_access_key": "secret", "session_token": "token"}
    assert static.credential_provider is None  # they cannot change
    assert "secret" not in repr(static)
    own = Provider(S3Credentials("key", "secret"))
    assert settings(provider=own).credential_provider is own
    assert settings(SqliteReaderFactory(credential_provider=own)).s3["access_key_id"] == "key"
    assert settings(provider=Provider(S3Credentials())).s3 == {}  # the core searches


@pytest.mark.parametrize(
    ("provider", "message"),
    [
        (object(), "has no method resolve"),
        (Provider(None), "returned NoneType"),
        (Provider(("key", "secret")), "returned tuple"),
        (Provider(S3Credentials("key")), "belong together"),
        (Provider(S3Credentials(session_token="token")), "session_token needs both"),
        (Provider(S3Credentials(5, "secret")), "access_key_id must be a text"),  # type: ignore[arg-type]
    ],
)
def test_credentials_that_cannot_be_used(provider: object, message: str) -> None:
    with pytest.raises(ConfigValidationError, match=message):
        settings(provider=provider)


def test_a_provider_that_raises_is_chained() -> None:
    with pytest.raises(ConfigValidationError, match="raised OSError") as caught:
        settings(provider=Provider(OSError("secret-token")))
    assert isinstance(caught.value.__cause__, OSError)
    assert "secret-token" not in str(caught.value)


def test_an_async_resolve_is_refused() -> None:
    class Async:
        async def resolve(self) -> S3Credentials:
            return S3Credentials()

    with pytest.raises(ConfigValidationError, match="returned coroutine; it must be an ordinary method"):
        settings(provider=Async())


def test_reader_and_factory_make_one_connection() -> None:
    options: Any = {"region_name": "eu"}
    same = settings(SqliteReaderFactory(s3_connection_options={"region_name": "eu"}), options)
    assert same.s3 == {"region": "eu"}
    with pytest.raises(ConfigValidationError, match="of the reader and of SqliteReaderFactory differ"):
        settings(SqliteReaderFactory(s3_connection_options={"region_name": "us"}), options)
    static = StaticCredentialProvider("a", "b")
    assert settings(SqliteReaderFactory(credential_provider=static), provider=StaticCredentialProvider("a", "b")).s3
    with pytest.raises(ConfigValidationError, match="credential_provider of the reader and of"):
        settings(SqliteReaderFactory(credential_provider=static), provider=StaticCredentialProvider("a", "c"))
    with pytest.raises(ConfigValidationError, match="of SlateDbReaderFactory and of LanceDbReaderFactory differ"):
        settings(
            CompositeReaderFactory(
                SlateDbReaderFactory(s3_connection_options={"max_attempts": 1}),
                LanceDbReaderFactory(s3_connection_options={"max_attempts": 2}),
                SPEC,
            )
        )


def test_environment_files_say_what_is_left_open(tmp_path: Path) -> None:
    file = tmp_path / "slate.env"
    file.write_text(
        "AWS_ACCESS_KEY_ID=file-key\nAWS_SECRET_ACCESS_KEY='file secret'\nAWS_ENDPOINT_URL=http://file\n"
        "AWS_REGION=file-region\nAWS_VIRTUAL_HOSTED_STYLE_REQUEST=false\nAWS_ALLOW_HTTP=true\n"
    )
    from_file = settings(env=str(file)).s3
    assert from_file == {
        "access_key_id": "file-key",
        "secret_access_key": "file secret",
        "endpoint_url": "http://file",
        "region": "file-region",
        "addressing": "path",
    }
    assert settings(SlateDbReaderFactory(env_file=str(file))).s3 == from_file
    both = settings(None, {"region_name": "mine"}, StaticCredentialProvider("a", "b", "c"), str(file)).s3
    assert both == {**from_file, "region": "mine", "access_key_id": "a", "secret_access_key": "b", "session_token": "c"}
    file.write_text("AWS_SKIP_SIGNATURE=true\n")
    assert settings(env=str(file)).s3 == {"anonymous": True}
    with pytest.raises(ConfigValidationError, match=r"none\.env' could not be read"):
        settings(env=str(tmp_path / "none.env"))
