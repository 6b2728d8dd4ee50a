"""Describes names of a module in the terms of signatures.json, and compares the two descriptions.

signatures.json is a recording of the Python project: module -> name -> description.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import json
import os
import re
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[3]
TABLE = Path(__file__).resolve().parents[1] / "README.md"
TABLE_HEADING = "## Names not offered yet"

Description = dict[str, Any]
_SPECIAL = ("__call__", "__enter__", "__exit__", "__aenter__", "__aexit__")


def recording() -> Path | None:
    """Returns the path of signatures.json below SHF_SHARED or ../shared, or None when it is not there."""
    shared = Path(os.environ.get("SHF_SHARED") or REPOSITORY.parent / "shared")
    path = shared / "fixtures" / "python-api" / "signatures.json"
    return path if path.is_file() else None


def load() -> dict[str, dict[str, Description]]:
    """Returns the recording."""
    path = recording()
    assert path is not None
    loaded: dict[str, dict[str, Description]] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def not_offered() -> dict[str, set[str]]:
    """Returns module -> names of the table in README.md. Its rows are | `module` | `name`, `name` | why |."""
    text = TABLE.read_text(encoding="utf-8").partition(TABLE_HEADING)[2].partition("\n## ")[0]
    table: dict[str, set[str]] = {}
    for line in text.splitlines():
        cells = [re.findall(r"`([^`]+)`", cell) for cell in line.strip("| ").split("|")]
        if len(cells) >= 2 and len(cells[0]) == 1:
            table.setdefault(cells[0][0], set()).update(cells[1])
    return table


def _signature(value: Any) -> str | None:
    try:
        return str(inspect.signature(value)).replace("pathlib._local.", "pathlib.")  # CPython 3.13 has it there
    except (ValueError, TypeError):
        return None


def _function(value: Any, kind: str) -> Description:
    return {"async": inspect.iscoroutinefunction(value), "kind": kind, "signature": _signature(value)}


def _member(owner: type, name: str) -> object:
    """Returns the description of a method or property, or None for what is neither."""
    value = inspect.getattr_static(owner, name)
    if isinstance(value, property):
        return "property"
    if isinstance(value, (classmethod, staticmethod)):
        kind = type(value).__name__
        described = _function(value.__func__, kind)
        return described
    return _function(value, "method") if inspect.isfunction(value) else None


def _members(owner: type) -> Description:
    if issubclass(owner, enum.Enum):
        return {name: member.value for name, member in owner.__members__.items()}
    found: Description = {}
    for name in dir(owner):
        if name.startswith("_") and name not in _SPECIAL:
            continue
        described = _member(owner, name)
        if described is not None:
            found[name] = described
    return found


def _default(field: dataclasses.Field[Any]) -> str | None:
    if field.default_factory is not dataclasses.MISSING:
        return "factory"
    return None if field.default is dataclasses.MISSING else repr(field.default)


def _type(annotation: object) -> str:
    return annotation if isinstance(annotation, str) else str(annotation)


def _dataclass(owner: Any) -> Description:
    return {
        "fields": [[f.name, _type(f.type), _default(f), f.kw_only] for f in dataclasses.fields(owner)],
        "frozen": owner.__dataclass_params__.frozen,
        "slots": "__slots__" in vars(owner),
    }


def _class(owner: Any) -> Description:
    described: Description = {
        "kind": "class",
        "bases": [base.__name__ for base in owner.__bases__ if base is not object],
    }
    if isinstance(owner, type) and issubclass(owner, BaseException):
        described["init"] = _signature(owner.__init__)
        described["retryable"] = getattr(owner, "retryable", None)
        return described
    described["members"] = _members(owner)
    if hasattr(owner, "model_fields"):
        described["model_fields"] = {
            name: [str(field.annotation), repr(field.default)] for name, field in owner.model_fields.items()
        }
    elif dataclasses.is_dataclass(owner):
        described["dataclass"] = _dataclass(owner)
    elif not issubclass(owner, enum.Enum):
        described["init"] = _signature(owner)
    return described


def describe(value: Any) -> Description:
    """Returns the description of a class, function or constant."""
    if inspect.isclass(value):
        return _class(value)
    if inspect.isfunction(value):
        return _function(value, "function")
    return {"kind": type(value).__name__, "value": repr(value)}


def _comparable(description: Description) -> Description:
    """Leaves out private bases, an inner matter of either side, and keeps of pydantic's own members the names:
    their signatures change with its versions."""
    compared = dict(description)
    if "bases" in compared:
        compared["bases"] = [base for base in compared["bases"] if not base.startswith("_")]
    if "model_fields" in compared:
        from pydantic import BaseModel

        own = {name: "pydantic's" for name in compared["members"] if hasattr(BaseModel, name)}
        compared["members"] = {**compared["members"], **own}
    return compared


def _flat(description: object, path: str = "") -> dict[str, object]:
    if not isinstance(description, dict):
        return {path: description}
    leaves: dict[str, object] = {}
    for key, value in description.items():
        leaves |= _flat(value, f"{path}.{key}" if path else str(key))
    return leaves or {path: {}}


def differences(module: str, name: str, recorded: Description) -> list[str]:
    """Returns a line for each thing in which a name differs from its recording."""
    ours = _comparable(describe(getattr(importlib.import_module(module), name)))
    theirs = _comparable(recorded)
    mine, other = _flat(ours), _flat(theirs)
    return [
        f"{module}.{name}: {key}: {mine.get(key, 'absent')!r}, recorded {other.get(key, 'absent')!r}"
        for key in sorted({*mine, *other})
        if mine.get(key, "absent") != other.get(key, "absent")
    ]
