"""What the tests share. `./dev test` runs them in build/venv, with an S3 server of their own."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(scope="session")
def s3_data() -> str:
    """URL of the snapshots of tests/data on the S3 server that the environment leads to."""
    if not os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://127.0.0.1:"):
        pytest.skip("there is no S3 server; ./dev test brings one")
    return "s3://python/data"
