"""What the annotations call np.ndarray: this package never imports numpy.

A vector is any buffer of float32 or float64 (a numpy array, array.array, memoryview) or a sequence of floats; several
are a two-dimensional buffer or a sequence of sequences.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence, Sized
    from typing import Protocol

    from typing_extensions import Buffer

    class _Array(Buffer, Sized, Protocol):
        pass

    class _NumpyArray(Protocol):  # whose stubs tell of the buffer from Python 3.12 on
        def __array__(self) -> Any: ...
        def __len__(self) -> int: ...

    ndarray: TypeAlias = _Array | _NumpyArray | Sequence[float] | Sequence[Sequence[float]]
else:
    ndarray = Any  # for those who evaluate annotations: dataclasses are often made into models of web frameworks
