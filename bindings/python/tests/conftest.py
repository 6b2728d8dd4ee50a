"""What the tests share. `./dev test` runs them in build/venv, with an S3 server of their own."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator

import pytest
from readers import Builder, Opener

ROOT = pathlib.Path(__file__).parents[3]


@pytest.fixture(scope="session")
def s3_bucket() -> str:
    """URL of an empty place on the S3 server that the environment leads to; a test writes below a prefix of its own."""
    if not os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://127.0.0.1:"):
        pytest.skip("there is no S3 server; ./dev test brings one")
    return "s3://python/written"


@pytest.fixture(scope="session")
def s3_data(s3_bucket: str) -> str:
    """URL of the snapshots of tests/data on the same server: packages-1k, composite-120, snapshot."""
    return s3_bucket.replace("/written", "/data")


@pytest.fixture(scope="session")
def data() -> pathlib.Path:
    """The folder tests/data of the repository, with the same snapshots in files."""
    return ROOT / "tests" / "data"


@pytest.fixture(scope="session")
def samples() -> pathlib.Path:
    """The folder samples of the repository: 3,000 rows with vectors, questions and answers."""
    return ROOT / "samples"


@pytest.fixture(scope="session")
def shardy() -> str:
    """Path of the program shardy, which builds snapshots."""
    path = os.environ.get("SHF_SHARDY", str(ROOT / "build" / "shardy"))
    if not os.access(path, os.X_OK):
        pytest.skip("build/shardy is not there; ./dev build makes it")
    return path


@pytest.fixture(scope="session")
def shared() -> pathlib.Path:
    """The folder of recorded snapshots of the Python project."""
    path = os.environ.get("SHF_SHARED")
    if not path:
        pytest.skip("SHF_SHARED does not name the recorded snapshots of the Python project")
    return pathlib.Path(path)


@pytest.fixture(params=["sync", "async"])
def open_reader(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[Opener]:
    """Opens readers, first synchronous ones, then asynchronous ones; they are closed when the test ends."""
    opener = Opener(request.param, tmp_path / "cache")
    yield opener
    opener.close()


@pytest.fixture
def build(shardy: str, tmp_path: pathlib.Path) -> Builder:
    """Publishes snapshots with the program shardy."""
    return Builder(shardy, tmp_path)
