"""The models of a manifest. The one module that imports pydantic; shardyfusion.manifest brings its names on demand."""

# No `from __future__ import annotations` here: the fields of these models are recorded with evaluated annotations, and
# pydantic would look for their names in the module that the classes say they are of.

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from .manifest import WriterInfo
from .sharding_types import (
    KeyEncoding,
    RoutingValue,
    ShardHashAlgorithm,
    ShardingStrategy,
    validate_routing_values,
)


class ManifestShardingSpec(BaseModel):
    """How keys are spread over shards. Unlike everywhere else, a field that is not known is an error."""

    __module__ = "shardyfusion.manifest"
    model_config = ConfigDict(extra="forbid")

    strategy: ShardingStrategy = ShardingStrategy.HASH
    routing_values: list[RoutingValue] | None = None
    cel_expr: str | None = None
    cel_columns: dict[str, str] | None = None
    hash_algorithm: ShardHashAlgorithm

    @field_validator("hash_algorithm", mode="before")
    @classmethod
    def _known_algorithm(cls, value: Any) -> ShardHashAlgorithm:
        return ShardHashAlgorithm.from_value(value)

    @model_validator(mode="after")
    def _fields_of_strategy(self) -> Self:
        if self.strategy is ShardingStrategy.CEL:
            if not self.cel_expr or not self.cel_columns:
                raise ValueError("strategy cel needs cel_expr and cel_columns")
            if self.routing_values is not None:
                validate_routing_values(self.routing_values)
            return self
        for name in ("routing_values", "cel_expr", "cel_columns"):
            if getattr(self, name) is not None:
                raise ValueError(f"strategy {self.strategy.value} has no {name}")
        return self


class RequiredBuildMeta(BaseModel):
    """What a manifest says of the snapshot as a whole."""

    __module__ = "shardyfusion.manifest"

    run_id: str
    created_at: datetime
    num_dbs: int = Field(gt=0)
    s3_prefix: str
    key_col: str
    sharding: ManifestShardingSpec
    db_path_template: str
    shard_prefix: str
    format_version: int = 4
    key_encoding: KeyEncoding = KeyEncoding.U64BE


class RequiredShardMeta(BaseModel):
    """What a manifest says of one shard.

    db_url None: an empty shard. row_count counts rows written, repeated keys included. db_bytes is a hint, and min_key
    and max_key are informational. checkpoint_id is opaque: with db_url it is the identity of locally cached files.
    """

    __module__ = "shardyfusion.manifest"

    db_id: int = Field(ge=0)
    db_url: str | None = None
    attempt: int = Field(ge=0)
    row_count: int = Field(ge=0)
    db_bytes: int = Field(ge=0)
    min_key: int | str | bytes | None = None
    max_key: int | str | bytes | None = None
    checkpoint_id: str | None = None
    writer_info: WriterInfo = Field(default_factory=WriterInfo)


class ParsedManifest(BaseModel):
    """A whole manifest. required_build is called "required" where the model is read from, or written to, a dict."""

    __module__ = "shardyfusion.manifest"
    model_config = ConfigDict(populate_by_name=True)

    required_build: RequiredBuildMeta = Field(validation_alias="required", serialization_alias="required")
    shards: list[RequiredShardMeta]
    custom: dict[str, Any] = Field(default_factory=dict)


class CurrentPointer(BaseModel):
    """What _CURRENT holds: which manifest is the current one."""

    __module__ = "shardyfusion.manifest"

    manifest_ref: str
    manifest_content_type: str
    run_id: str
    updated_at: datetime
    format_version: int = 1
