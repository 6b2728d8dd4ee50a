"""Statuses of the core become exceptions."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

from shardyfusion import _errors, errors

TYPES_H = Path(__file__).resolve().parents[3] / "include" / "shardyfusion" / "types.h"


def test_every_status_of_the_core_is_known() -> None:
    numbers = re.findall(r"SHF_E_(\w+) = (-\d+)", TYPES_H.read_text(encoding="utf-8"))
    assert len(numbers) == 20
    for name, number in numbers:
        assert _errors.make(int(number), "", False, None, None, None).code == name


@pytest.mark.parametrize(
    ("status", "error_class"),
    [
        (-1, errors.InvalidArgumentError),
        (-2, errors.ConfigValidationError),
        (-3, errors.ShardAssignmentError),
        (-4, errors.ManifestParseError),
        (-6, errors.ReaderStateError),
        (-9, errors.ManifestStoreError),
        (-11, errors.S3TransientError),
        (-12, errors.DbAdapterError),
        (-13, errors.VectorIndexError),
        (-14, errors.PoolExhaustedError),
        (-17, errors.OperationTimeoutError),
        (-18, errors.OperationCancelledError),
        (-99, errors.DbAdapterError),
    ],
)
def test_class_of_a_status(status: int, error_class: type[errors.ShardyfusionError]) -> None:
    assert type(_errors.make(status, "what, where", False, None, None, None)) is error_class


def test_wrong_arguments_are_value_errors() -> None:
    """The Python project raises ValueError for some wrong keys, ConfigValidationError for others."""
    error = _errors.make(-1, "no such key", False, None, None, None)
    assert isinstance(error, ValueError) and isinstance(error, errors.ConfigValidationError)
    assert (str(error), error.retryable, error.code) == ("no such key", False, "INVALID")
    assert not isinstance(_errors.make(-2, "cel", False, None, None, None), ValueError)


def test_particulars_of_the_core() -> None:
    error = _errors.make(-11, "slow down", True, 3, 503, "s3://bucket/key")
    assert str(error) == "slow down"
    assert (error.code, error.retryable, error.shard_id) == ("STORE_RETRY", True, 3)
    assert (error.http_status, error.object_url) == (503, "s3://bucket/key")
    none = _errors.make(-10, "no", False, -1, 0, "")
    assert (none.retryable, none.shard_id, none.http_status, none.object_url) == (False, None, None, None)
    assert errors.ManifestStoreError.retryable is True  # of the class; the instance has the core's


def test_an_absent_object_of_a_shard_is_an_error_of_the_shard() -> None:
    assert type(_errors.make(-8, "gone", False, None, 404, None)) is errors.ManifestStoreError
    assert type(_errors.make(-8, "gone", False, 0, 404, None)) is errors.DbAdapterError


def test_a_timeout_is_a_timeout_error() -> None:
    with pytest.raises(TimeoutError, match="late"):
        raise _errors.make(-17, "late", True, None, None, None)


def test_errors_go_between_processes() -> None:
    error = pickle.loads(pickle.dumps(_errors.make(-12, "bad page", False, 2, None, "s3://b/k")))
    assert (type(error), str(error), error.code, error.shard_id) == (errors.DbAdapterError, "bad page", "CORRUPT", 2)
    published = pickle.loads(pickle.dumps(errors.PublishCurrentError("lost", manifest_ref="s3://b/m")))
    assert published.manifest_ref == "s3://b/m"
