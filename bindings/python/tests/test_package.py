"""What is installed: its metadata, its files, what importing it brings along."""

from __future__ import annotations

import importlib.metadata
import pathlib
import subprocess
import sys

import pytest
from readers import environment_of_programs

import shardyfusion
from shardyfusion import _shardyfusion

DISTRIBUTION = importlib.metadata.distribution("shardyfusion")
FOLDER = pathlib.Path(shardyfusion.__file__).parent


def test_versions_agree() -> None:
    assert shardyfusion.__version__ == DISTRIBUTION.version == _shardyfusion.version() == "0.1.0"
    assert shardyfusion.__accelerated__ is True


def test_what_it_requires() -> None:
    assert DISTRIBUTION.metadata["Requires-Python"] == ">=3.11"
    assert DISTRIBUTION.requires == ["pydantic>=2.4"]


@pytest.mark.parametrize("extra", ["unified-vector", "unified-vector-sqlite", "read-async", "sqlite-range", "all"])
def test_extras_of_the_python_project_are_accepted(extra: str) -> None:
    assert extra in (DISTRIBUTION.metadata.get_all("Provides-Extra") or [])


def test_it_is_typed() -> None:
    assert (FOLDER / "py.typed").is_file()
    assert (FOLDER / "_shardyfusion.pyi").is_file()


def test_one_wheel_for_all_versions() -> None:
    wheel = DISTRIBUTION.read_text("WHEEL") or ""
    assert "Tag: cp311-abi3-" in wheel
    assert pathlib.Path(_shardyfusion.__file__ or "").name == "_shardyfusion.abi3.so"


def test_the_extension_exports_its_entry_alone() -> None:
    command = ["nm", "--dynamic", "--defined-only", "--format=just-symbols", _shardyfusion.__file__ or ""]
    environment = environment_of_programs()
    symbols = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.split()
    assert symbols == ["PyInit__shardyfusion"]


def test_importing_it_brings_no_other_package() -> None:
    code = "import shardyfusion, sys; print(sorted({'numpy', 'pydantic', 'asyncio'} & set(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert printed == "[]\n"
