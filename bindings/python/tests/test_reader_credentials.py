"""Credential providers of readers over a real S3 server: who asks them, when, and what their mistakes look like."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import pathlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from readers import Builder, Opener

from shardyfusion.credentials import EnvCredentialProvider, S3Credentials, StaticCredentialProvider
from shardyfusion.errors import ConfigValidationError, ManifestStoreError
from shardyfusion.reader import AsyncShardedReader, AsyncUnifiedShardedReader
from shardyfusion.reader._source import Source


def right() -> S3Credentials:
    return S3Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])


def wrong() -> S3Credentials:
    """The server's own key id: it answers HEAD with 404 to those it does not know."""
    return S3Credentials(right().access_key_id, "aSecretThatIsWrong")


@dataclasses.dataclass(slots=True, frozen=True)
class Expiring(S3Credentials):
    expires_at: Any = None


def expiring(credentials: S3Credentials, seconds: float) -> Expiring:
    end = datetime.now(UTC) + timedelta(seconds=seconds)
    return Expiring(credentials.access_key_id, credentials.secret_access_key, None, end)


class Provider:
    """Gives one answer after another, the last one again and again; an exception is raised."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.asked = 0

    def resolve(self) -> S3Credentials:
        self.asked += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, BaseException):
            raise answer
        credentials: S3Credentials = answer
        return credentials


@pytest.fixture
def url(s3_data: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A snapshot that nobody may read without credentials of their own: those of the environment are wrong from now."""
    provided = right()
    monkeypatch.setattr(f"{__name__}.right", lambda: provided)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDOFTHEENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    return f"{s3_data}/packages-1k"


@pytest.fixture
def lazy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards are opened at their first use: by lookups and searches."""
    eager = Source._open
    monkeypatch.setattr(Source, "_open", lambda self, more: eager(self, {**more, "flags": 1}))


def test_static(open_reader: Opener, url: str) -> None:
    credentials = right()
    provider = StaticCredentialProvider(credentials.access_key_id, credentials.secret_access_key)
    assert open_reader(url, credential_provider=provider).snapshot_info().row_count == 1000
    with pytest.raises(ManifestStoreError) as caught:
        open_reader(url)
    assert caught.value.code == "ACCESS"


def test_env(open_reader: Opener, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = right()
    monkeypatch.setenv("S3_ACCESS_KEY_ID", credentials.access_key_id or "")
    monkeypatch.setenv("S3_SECRET_ACCESS_KEY", credentials.secret_access_key or "")
    assert open_reader(url, credential_provider=EnvCredentialProvider()).snapshot_info().row_count == 1000
    assert open_reader(url).snapshot_info().row_count == 1000  # the core looks there too


def test_nothing_means_that_the_core_looks(open_reader: Opener, s3_data: str) -> None:
    provider = Provider(S3Credentials())
    assert open_reader(f"{s3_data}/packages-1k", credential_provider=provider).refresh() is False
    assert provider.asked == 1


def test_asked_once_when_nothing_is_wrong(open_reader: Opener, url: str, lazy: None) -> None:
    provider = Provider(right())
    reader = open_reader(url, credential_provider=provider)
    for detail in reader.shard_details():
        assert reader.get(detail.min_key) is not None
        assert reader.get(detail.max_key) is not None
    reader.refresh()
    reader.search([1.0] * 384)
    assert provider.asked == 1
    far = Provider(expiring(right(), 3600))
    reader = open_reader(url, credential_provider=far)
    reader.refresh()
    reader.refresh()
    assert far.asked == 1


def test_wrong_then_right_at_open(open_reader: Opener, url: str) -> None:
    provider = Provider(wrong(), right())
    reader = open_reader(url, credential_provider=provider)
    assert provider.asked == 2
    assert reader.get(reader.shard_details()[0].min_key) is not None
    assert reader.refresh() is False
    assert provider.asked == 2


def test_always_wrong(open_reader: Opener, url: str) -> None:
    provider = Provider(wrong())
    with pytest.raises(ManifestStoreError) as caught:
        open_reader(url, credential_provider=provider)
    assert caught.value.code == "ACCESS"
    assert "aSecretThatIsWrong" not in repr(caught.value)
    assert provider.asked == 2
    changing = Provider(wrong(), S3Credentials("AKIDOTHER", "also wrong"), right())
    with pytest.raises(ManifestStoreError):
        open_reader(url, credential_provider=changing)
    assert changing.asked == 2  # one more try, not any number


def later_calls() -> dict[str, Callable[[Any], Any]]:
    return {
        "refresh": lambda reader: reader.refresh(),
        "get": lambda reader: reader.get(reader.shard_details()[0].min_key),
        "multi_get": lambda reader: reader.multi_get([detail.min_key for detail in reader.shard_details()]),
        "search": lambda reader: reader.search([1.0] * 384).results,
        "batch_search": lambda reader: reader.batch_search([[1.0] * 384])[0].results,
        "handle": lambda reader: reader.reader_for_key("0ad").get(b"0ad"),
    }


@pytest.mark.parametrize("name", later_calls())
def test_wrong_then_right_later(open_reader: Opener, url: str, lazy: None, name: str, tmp_path: pathlib.Path) -> None:
    """The first credentials are near their end, so the second ones are asked for; the store refuses those."""
    call = later_calls()[name]
    expected = call(open_reader(url, credential_provider=Provider(right())))
    provider = Provider(expiring(right(), 60), wrong(), right())
    reader = open_reader(url, credential_provider=provider, local_root=str(tmp_path / "empty"))
    assert provider.asked == 1
    assert call(reader) == expected
    assert provider.asked == 3
    assert call(reader) == expected
    assert reader.refresh() is False
    assert provider.asked == 3


def test_asked_again_before_the_end(open_reader: Opener, url: str) -> None:
    provider = Provider(expiring(right(), 60), expiring(right(), 3600))
    reader = open_reader(url, credential_provider=provider)
    assert provider.asked == 1
    assert [reader.refresh() for _ in range(3)] == [False] * 3
    assert provider.asked == 2


def test_not_yet_over_and_the_provider_fails(open_reader: Opener, url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Credentials that still hold are used on, while the provider has none; it is left alone for a while."""
    provider = Provider(expiring(right(), 60), ZeroDivisionError("mine"), expiring(right(), 3600))
    reader = open_reader(url, credential_provider=provider)
    caplog.set_level(logging.WARNING, "shardyfusion")
    assert [reader.refresh() for _ in range(3)] == [False] * 3
    assert provider.asked == 2
    assert ["ZeroDivisionError" in record.getMessage() for record in caplog.records] == [True]
    over = Provider(expiring(right(), -60), ZeroDivisionError("mine"))
    reader = open_reader(url, credential_provider=over)
    with pytest.raises(ConfigValidationError, match="ZeroDivisionError"):
        reader.refresh()


def test_a_provider_that_raises(open_reader: Opener, url: str) -> None:
    provider = Provider(ZeroDivisionError("the secret is hunter2"))
    with pytest.raises(ConfigValidationError, match=r"Provider.*resolve\(\) raised ZeroDivisionError") as caught:
        open_reader(url, credential_provider=provider)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert "hunter2" not in str(caught.value)
    later = Provider(wrong(), ZeroDivisionError("mine"))
    with pytest.raises(ConfigValidationError, match="ZeroDivisionError") as caught:
        open_reader(url, credential_provider=later)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_provider_that_is_interrupted(open_reader: Opener, url: str) -> None:
    class Stopped(BaseException):
        pass

    with pytest.raises(Stopped):
        open_reader(url, credential_provider=Provider(Stopped()))


NONSENSE = [
    None,
    ("key", "secret"),
    {"access_key_id": "a", "secret_access_key": "b"},
    S3Credentials("only the id"),
    S3Credentials(None, "only the secret"),
    S3Credentials(None, None, "only the token"),
    S3Credentials(5, "x"),  # type: ignore[arg-type]
    S3Credentials(b"a", b"b"),  # type: ignore[arg-type]
    Expiring("a", "b", None, "tomorrow"),
    Expiring("a", "b", None, datetime(2026, 1, 1)),
    Expiring("a", "b", None, 12345.0),
]


@pytest.mark.parametrize("answer", NONSENSE, ids=range(len(NONSENSE)))
def test_a_provider_that_returns_nonsense(open_reader: Opener, url: str, answer: Any) -> None:
    with pytest.raises(ConfigValidationError, match="credential_provider=Provider"):
        open_reader(url, credential_provider=Provider(answer))


@pytest.mark.parametrize("text", ["a\0b", "a\nb", "\ud800"])
def test_credentials_that_no_request_can_carry(open_reader: Opener, url: str, text: str) -> None:
    for answer in (S3Credentials(text, "x"), S3Credentials("x", text), S3Credentials("x", "y", text)):
        with pytest.raises((ConfigValidationError, ManifestStoreError)) as caught:
            open_reader(url, credential_provider=Provider(answer))
        assert caught.value.retryable is False
        assert repr(text)[1:-1] not in str(caught.value)


def test_an_asynchronous_provider(open_reader: Opener, url: str) -> None:
    class Awaited:
        async def resolve(self) -> S3Credentials:
            return right()

    with pytest.raises(ConfigValidationError, match=r"Awaited.*returned coroutine.*ordinary method"):
        open_reader(url, credential_provider=Awaited())


@pytest.mark.parametrize("provider", [5, "text", object(), S3Credentials("a", "b"), lambda: None, Provider])
def test_what_is_no_provider(open_reader: Opener, url: str, provider: Any) -> None:
    with pytest.raises(ConfigValidationError, match="credential_provider"):
        open_reader(url, credential_provider=provider)


def test_a_loop_is_not_held_up_by_a_provider(url: str, tmp_path: Any) -> None:
    """Asked again, it runs in another thread, and the loop goes on meanwhile."""
    main_thread = threading.get_ident()
    loop_ran = threading.Event()

    class Slow:
        asked = 0

        def resolve(self) -> S3Credentials:
            self.asked += 1
            if self.asked == 1:
                return wrong()
            assert threading.get_ident() != main_thread
            assert loop_ran.wait(30)
            return right()

    async def main() -> None:
        opening = asyncio.create_task(
            AsyncShardedReader.open(s3_prefix=url, local_root=str(tmp_path), credential_provider=Slow())
        )
        while not opening.done():
            await asyncio.sleep(0.001)
            loop_ran.set()
        await (await opening).close()

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["gets", "searches"])
def test_many_operations_ask_once(url: str, lazy: None, tmp_path: pathlib.Path, kind: str) -> None:
    """All of them fail with the old credentials; one of them asks for new ones, and all succeed with these."""

    async def main() -> None:
        provider = Provider(expiring(right(), 60), wrong(), right())
        reader: Any = await AsyncUnifiedShardedReader.open(
            s3_prefix=url,
            local_root=str(tmp_path),
            credential_provider=provider,
        )
        async with reader:
            if kind == "gets":
                keys = [key for detail in reader.shard_details() for key in (detail.min_key, detail.max_key)]
                assert None not in await asyncio.gather(*(reader.get(key) for key in keys * 10))
            else:
                found = await asyncio.gather(*(reader.search([1.0] * 384) for _ in range(20)))
                assert [len(response.results) for response in found] == [10] * 20
            assert provider.asked == 3

    asyncio.run(main())


def test_rotation_while_a_snapshot_is_published(
    open_reader: Opener, build: Builder, s3_bucket: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, credentials = f"{s3_bucket}/rotation-{open_reader.is_async}", right()
    with monkeypatch.context() as context:
        context.setenv("AWS_ACCESS_KEY_ID", credentials.access_key_id or "")
        context.setenv("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key or "")
        build([{"key": "a", "value": "one"}], place)
        provider = Provider(expiring(credentials, 1), expiring(credentials, 2), credentials)
        reader = open_reader(place, unified=False, credential_provider=provider)
        assert reader.get("a") == b"one"
        build([{"key": "a", "value": "two"}], place)
    assert reader.refresh() is True
    assert reader.get("a") == b"two"
