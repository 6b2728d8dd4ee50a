"""Every name that is offered is as the Python project was recorded; the others stand in the README's table."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest
import signatures

import shardyfusion

RECORDED = signatures.load() if signatures.recording() is not None else {}
MISSING = signatures.not_offered()
FOLDER = Path(shardyfusion.__file__).parent

needs_recording = pytest.mark.skipif(
    not RECORDED, reason="signatures.json is neither below SHF_SHARED nor in ../shared: nothing to compare with"
)


def is_there(module: str, name: str) -> bool:
    try:
        return hasattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        return False


@needs_recording
def test_the_table_names_only_what_is_recorded() -> None:
    unknown = {
        f"{module}.{name}" for module, names in MISSING.items() for name in names - set(RECORDED.get(module, {}))
    }
    assert not unknown


@needs_recording
@pytest.mark.parametrize("module", sorted(RECORDED) or [""])
def test_offered_and_not_offered_are_all(module: str) -> None:
    absent = {name for name in RECORDED[module] if not is_there(module, name)}
    assert absent == MISSING.get(module, set())


@needs_recording
@pytest.mark.parametrize("module", sorted(RECORDED) or [""])
def test_offered_names_are_as_recorded(module: str) -> None:
    offered = {name: told for name, told in RECORDED[module].items() if name not in MISSING.get(module, set())}
    found = [line for name, told in offered.items() for line in signatures.differences(module, name, told)]
    assert not found, "\n" + "\n".join(found)


@needs_recording
def test_a_name_is_one_object_in_all_its_modules() -> None:
    for module, names in RECORDED.items():
        for name in names:
            if is_there(module, name) and is_there("shardyfusion", name):
                theirs = getattr(importlib.import_module(module), name)
                assert theirs is getattr(shardyfusion, name), f"{module}.{name}"


@pytest.mark.parametrize("package", ["shardyfusion", "shardyfusion.reader", "shardyfusion.vector"])
def test_type_checkers_see_the_names_that_are_brought_on_demand(package: str) -> None:
    file = FOLDER.joinpath(*package.split(".")[1:], "__init__.py")
    imported: dict[str, list[str]] = {}
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{package}."):
            home = (node.module or "").removeprefix(f"{package}.")
            if home != "_lazy":
                imported.setdefault(home, []).extend(alias.name for alias in node.names)
    homes = vars(importlib.import_module(package))["_NAMES_OF"]
    assert {home: sorted(names) for home, names in imported.items()} == homes


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'shardyfusion' has no attribute 'Nothing'"):
        shardyfusion.Nothing  # type: ignore[attr-defined] # noqa: B018
    assert {"KeyEncoding", "__version__", "AsyncUnifiedShardedReader"} <= set(dir(shardyfusion))
