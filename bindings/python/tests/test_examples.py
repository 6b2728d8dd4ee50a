"""The examples, run as a user would."""

from __future__ import annotations

import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"


@pytest.fixture
def environment(data: pathlib.Path, tmp_path: pathlib.Path) -> dict[str, str]:
    snapshot = str(data / "packages-1k")
    return {**os.environ, "SNAPSHOT": snapshot, "CACHE": str(tmp_path / "cache")}


def test_numpy_batch_search(environment: dict[str, str], samples: pathlib.Path) -> None:
    command = [sys.executable, str(EXAMPLES / "numpy_batch_search.py"), str(samples / "vectors.npy"), "20"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert "rows of 384 floats" in ran.stdout
    assert re.search(r"query 4: \S+ 0\.\d+, \S+ 0\.\d+", ran.stdout)
    assert ran.stdout.rstrip().endswith("in a batch of 20")


def test_the_readme(environment: dict[str, str]) -> None:
    """The one program in Python of the README, as it stands there."""
    text = (EXAMPLES.parents[2] / "README.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    command = [sys.executable, "-W", "error", "-c", program, environment["SNAPSHOT"], environment["CACHE"]]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert "['no-such-package']" in ran.stdout
    assert len(ran.stdout.splitlines()) == 5


def test_uvloop_refresh(environment: dict[str, str], data: pathlib.Path) -> None:
    pytest.importorskip("uvloop")
    key = json.loads((data / "packages-1k-answers.jsonl").read_text().splitlines()[0])["top10"][0]["id"]
    environment |= {"SECONDS": "1", "REFRESH_SECONDS": "0.2"}
    command = [sys.executable, str(EXAMPLES / "uvloop_refresh.py"), key, "no such package"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert "1 of 2 keys found" in ran.stdout
    assert ran.stderr == ""


@pytest.fixture
def service(environment: dict[str, str], tmp_path: pathlib.Path) -> Iterator[str]:
    """URL of the FastAPI example, served by uvicorn on loopback and ended by its process id."""
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(EXAMPLES), "--port", str(port), "fastapi_handler:app"]
    process = subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        for line in process.stderr:  # it says so once it listens
            if "Uvicorn running on" in line:
                break
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode in (0, -15)


def _ask(url: str, body: object | None = None) -> tuple[int, bytes]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_fastapi_handler(service: str, data: pathlib.Path) -> None:
    key = json.loads((data / "packages-1k-answers.jsonl").read_text().splitlines()[0])["top10"][0]["id"]
    status, value = _ask(f"{service}/items/{key}")
    assert status == 200
    assert json.loads(value)
    assert _ask(f"{service}/items/no-such-package")[0] == 404
    status, answer = _ask(f"{service}/neighbours", {"vector": [1.0] + [0.0] * 383, "top_k": 3})
    assert status == 200
    hits = json.loads(answer)
    assert len(hits) == 3
    assert hits[0]["score"] <= hits[1]["score"] <= hits[2]["score"]
    status, answer = _ask(f"{service}/neighbours", {"vector": [1.0, 2.0], "top_k": 3})
    assert status == 422
    assert b"384" in answer
    status, answer = _ask(f"{service}/health")
    assert json.loads(answer)["status"] == "healthy"
