"""write_hash_sharded and write_cel_sharded: records in, a published snapshot out."""

# No `from __future__ import annotations` here: the signature of the function is recorded with evaluated annotations.

from collections.abc import Iterable
from typing import TypeVar

from shardyfusion.config import CelShardedWriteConfig, HashShardedWriteConfig, PythonRecordInput, PythonWriteOptions
from shardyfusion.manifest import BuildResult
from shardyfusion.writer.python._plan import plan_of
from shardyfusion.writer.python._run import run

T = TypeVar("T")


def write_hash_sharded(
    records: Iterable[T],
    config: HashShardedWriteConfig,
    input: PythonRecordInput[T],
    options: PythonWriteOptions | None = None,
) -> BuildResult:
    """Writes a snapshot whose keys are spread over shards by hash, and publishes it.

    records is gone through once, and never held as a whole: what does not fit into memory is sorted on the local disk.
    With repeated keys the last record counts. The shards are SQLite files; with config.vector they hold the vectors as
    well, each id belonging to one key. Readers see nothing before all is written: whatever is raised, by the functions
    of input, too, they keep what they had.

    Accepted and without effect: kv.batch_size above 4096, index_type, index_params, quantization and sharding of the
    vectors, pauses of retry.shard_retry, shard_id_col, cache_size_pages, and of options all but buffering (shards are
    built on the threads of the core in any case; see configure_runtime).

    ConfigValidationError: something in config, or a row, is wrong or not supported (the message tells which), or the
    run id was used before. ShardWriteError: a shard could not be written. PublishManifestError: the manifest could not
    be stored. PublishCurrentError: _CURRENT could not be made to name it, or names what another writer published
    meanwhile. ManifestStoreError, S3TransientError: the store refused, or could not be reached, at the beginning.
    """
    return run(records, config, input, plan_of(config, input, options or PythonWriteOptions()))


def write_cel_sharded(
    records: Iterable[T],
    config: CelShardedWriteConfig,
    input: PythonRecordInput[T],
    options: PythonWriteOptions | None = None,
) -> BuildResult:
    """Writes a snapshot whose rows go to the shards that a CEL expression gives, and publishes it.

    The expression reads the columns of input.columns_fn, without that the key alone, as "key". Without routing values
    its result is the shard's number, and every number up to the highest must occur; with them, the place among them.
    Inferred ones are those that the records have, sorted. records is gone through once in any case.

    All else is as of write_hash_sharded. ShardAssignmentError: the expression fails for a row (the message tells which,
    and the column), gives none of the routing values, or leaves shards out. ConfigValidationError: it does not compile.
    """
    return run(records, config, input, plan_of(config, input, options or PythonWriteOptions()))
