"""Snapshots that are sharded by expressions, written and read back."""

from __future__ import annotations

import json
import pathlib
import sqlite3
from typing import Any

import numpy
import pytest
from readers import Opener, manifest_of

from shardyfusion import (
    CelColumn,
    CelShardedWriteConfig,
    CelShardingConfig,
    CelShardingSpec,
    CelType,
    ConfigValidationError,
    KeyEncoding,
    PythonRecordInput,
    ShardAssignmentError,
    VectorSpec,
    cel_sharding,
    cel_sharding_by_columns,
)
from shardyfusion.manifest import BuildResult
from shardyfusion.writer.python import write_cel_sharded

Record = dict[str, Any]

REGIONS = ["us", "eu", "", "日本"]
ROWS: list[Record] = [
    {"key": f"user:{n}", "value": b"%d" % n, "region": REGIONS[n * n % 5 % 4], "tier": n % 3, "note": object()}
    for n in range(300)
]
BY_KEY: PythonRecordInput[Record] = PythonRecordInput(lambda row: row["key"], lambda row: row["value"])
BY_COLUMNS: PythonRecordInput[Record] = PythonRecordInput(
    lambda row: row["key"], lambda row: row["value"], columns_fn=lambda row: row
)


def write(place: pathlib.Path, rows: list[Record], input: PythonRecordInput[Record], **config: Any) -> BuildResult:
    config = {"key_encoding": KeyEncoding.UTF8, **config}
    return write_cel_sharded(iter(rows), CelShardedWriteConfig(s3_prefix=f"file://{place}", **config), input)


def sharding_of(place: pathlib.Path) -> dict[str, Any]:
    connection = sqlite3.connect(manifest_of(place))
    told: dict[str, Any] = json.loads(connection.execute("SELECT sharding FROM build_meta").fetchone()[0])
    connection.close()
    return told


def read_all(reader: Any, rows: list[Record], names: list[str]) -> None:
    for row in rows:
        context = {name: row[name] for name in names}
        assert reader.get(row["key"], routing_context=context) == row["value"]


def test_inferred_values(tmp_path: pathlib.Path, open_reader: Opener) -> None:
    spec = cel_sharding_by_columns("region", CelColumn("tier", CelType.INT))
    result = write(
        tmp_path,
        ROWS,
        BY_COLUMNS,
        cel_expr=spec.cel_expr,
        cel_columns=spec.cel_columns,
        infer_routing_values_from_data=spec.infer_routing_values_from_data,
    )
    tokens = sorted({f"{row['region']}:{row['tier']}" for row in ROWS})
    told = sharding_of(tmp_path)
    assert told["routing_values"] == tokens
    assert (told["strategy"], told["cel_columns"]) == ("cel", {"region": "string", "tier": "int"})
    for winner in result.winners:
        of_shard = [row for row in ROWS if f"{row['region']}:{row['tier']}" == tokens[winner.db_id]]
        assert winner.row_count == len(of_shard)
    reader = open_reader(f"file://{tmp_path}", unified=False)
    read_all(reader, ROWS, ["region", "tier"])
    assert reader.get("user:0", routing_context={"region": "mars", "tier": 0}) is None


@pytest.mark.parametrize("values", [["eu", "us", "unused", "日本", ""], [value.encode() for value in REGIONS]])
def test_given_values(tmp_path: pathlib.Path, open_reader: Opener, values: list[Any]) -> None:
    write(tmp_path, ROWS, BY_COLUMNS, cel_expr="region", cel_columns={"region": "string"}, routing_values=values)
    assert sharding_of(tmp_path)["routing_values"] == [v.decode() if isinstance(v, bytes) else v for v in values]
    reader = open_reader(f"file://{tmp_path}", unified=False)
    assert reader.snapshot_info().num_dbs == len(values)
    read_all(reader, ROWS, ["region"])


def test_the_key_decides(tmp_path: pathlib.Path, open_reader: Opener) -> None:
    rows: list[Record] = [{"key": n * 7, "value": b"%d" % n} for n in range(200)]
    sharding = CelShardingConfig("key % 3", {"key": "int"})
    result = write(tmp_path, rows, BY_KEY, sharding=sharding, key_encoding=KeyEncoding.U64BE)
    assert [winner.row_count for winner in result.winners] == [
        sum(row["key"] % 3 == s for row in rows) for s in range(3)
    ]
    reader = open_reader(f"file://{tmp_path}", unified=False)
    assert reader.multi_get([row["key"] for row in rows]) == {row["key"]: row["value"] for row in rows}


def test_vectors(tmp_path: pathlib.Path, open_reader: Opener) -> None:
    rows: list[Record] = [{**row, "vector": numpy.eye(4, dtype="f4")[n % 4] + n} for n, row in enumerate(ROWS[:40])]
    write(
        tmp_path,
        rows,
        BY_COLUMNS,
        cel_expr="tier",
        cel_columns={"tier": "int"},
        vector_spec=VectorSpec(dim=4, metric="l2", vector_col="vector"),
    )
    reader = open_reader(f"file://{tmp_path}", unified=True)
    found = reader.search(rows[4]["vector"], 40, routing_context={"tier": 1})
    assert found.results[0].id == "user:4"
    assert {hit.id for hit in found.results} == {row["key"] for row in rows if row["tier"] == 1}


def test_what_is_refused(tmp_path: pathlib.Path) -> None:
    columns = {"tier": "int"}
    with pytest.raises(ConfigValidationError, match="offset 5"):
        write(tmp_path, ROWS, BY_COLUMNS, cel_expr="tier + 'a'", cel_columns=columns)
    with pytest.raises(ConfigValidationError, match="column tier"):
        write(tmp_path, ROWS, BY_COLUMNS, cel_expr="tier", cel_columns={"tier": "integer"})
    with pytest.raises(ConfigValidationError, match="no routing context"):
        write(tmp_path, ROWS, BY_KEY, cel_expr="tier", cel_columns=columns)
    with pytest.raises(ShardAssignmentError, match=r"row 1: .*none of the snapshot's routing values"):
        write(tmp_path, ROWS, BY_COLUMNS, cel_expr="tier", cel_columns=columns, routing_values=[1, 2])
    with pytest.raises(ShardAssignmentError, match=r"row 2: .*tier"):
        rows = [ROWS[0], {**ROWS[1], "tier": "1"}]
        write(tmp_path, rows, BY_COLUMNS, cel_expr="tier", cel_columns=columns)
    with pytest.raises(ShardAssignmentError, match="no row belongs to shard 1"):
        write(tmp_path, ROWS, BY_COLUMNS, cel_expr="tier * 2", cel_columns=columns)
    with pytest.raises(ConfigValidationError, match="not valid UTF-8"):
        write(tmp_path, ROWS, BY_COLUMNS, cel_expr="b'a'", cel_columns=columns, routing_values=[b"\xff"])
    assert not (tmp_path / "_CURRENT").exists()


def test_configurations() -> None:
    for wrong in ({"cel_columns": {"a": "int"}}, {"cel_expr": "a"}):
        with pytest.raises(ConfigValidationError, match=r"cel_expr|cel_columns"):
            CelShardingConfig(**wrong)
    good: dict[str, Any] = {"cel_expr": "a", "cel_columns": {"a": "int"}}
    with pytest.raises(ConfigValidationError, match="not both"):
        CelShardingConfig(**good, routing_values=[1], infer_routing_values_from_data=True)
    with pytest.raises(ConfigValidationError, match="unique"):
        CelShardedWriteConfig(s3_prefix="s3://b/p", **good, routing_values=[1, 1])
    with pytest.raises(ConfigValidationError, match="put that into sharding"):
        CelShardedWriteConfig(s3_prefix="s3://b/p", sharding=CelShardingConfig(**good), cel_expr="b")
    with pytest.raises(ConfigValidationError, match="must be a CelShardingConfig"):
        CelShardedWriteConfig(s3_prefix="s3://b/p", sharding={"cel_expr": "a"})  # type: ignore[arg-type]
    config = CelShardedWriteConfig(s3_prefix="s3://b/p", **good, routing_values=[3, 1])
    assert (config.cel_expr, config.cel_columns, config.routing_values) == ("a", {"a": "int"}, [3, 1])
    assert config.infer_routing_values_from_data is False


def test_helpers() -> None:
    assert cel_sharding("key % 4", {"key": CelType.INT}, routing_values=(1, 2)) == CelShardingSpec(
        "key % 4", {"key": "int"}, [1, 2]
    )
    assert cel_sharding_by_columns("region", num_shards=10) == CelShardingSpec(
        "shard_hash(region) % 10u", {"region": "string"}
    )
    assert cel_sharding_by_columns("a", CelColumn("b", CelType.INT), num_shards=8, separator='"').cel_expr == (
        'shard_hash(a + "\\"" + string(b)) % 8u'
    )
    assert cel_sharding_by_columns(CelColumn("x", CelType.BOOL)).cel_expr == "string(x)"
    assert cel_sharding_by_columns(CelColumn("x", CelType.BYTES)).infer_routing_values_from_data
    with pytest.raises(ConfigValidationError, match="none of int, string"):
        cel_sharding("a", {"a": "text"})
    with pytest.raises(ConfigValidationError, match="at least one column"):
        cel_sharding("a", {})
    with pytest.raises(ConfigValidationError, match="at least one column"):
        cel_sharding_by_columns()
    with pytest.raises(ConfigValidationError, match="num_shards"):
        cel_sharding_by_columns("a", num_shards=0)
    with pytest.raises(ConfigValidationError, match="str or a CelColumn"):
        cel_sharding_by_columns(7)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not both"):
        CelShardingSpec("a", {"a": "int"}, [1], infer_routing_values_from_data=True)
    with pytest.raises(ValueError, match="needs cel_expr"):
        CelShardingSpec("a")
    assert cel_sharding("a", {"a": "int"}).to_manifest_dict() == {
        "strategy": "cel",
        "hash_algorithm": "xxh3_64",
        "cel_expr": "a",
        "cel_columns": {"a": "int"},
    }
