"""Reads tensors and operators out of a TFLite flatbuffer: no more of its schema than needed."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asdflow.foundation.errors import DataError

IDENTIFIER = b"TFL3"
REMEDY = "Fetch it again."

# Numbers of the schema's enumerations.
CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED, MUL, MEAN, QUANTIZE = 3, 4, 9, 18, 40, 114
SAME_PADDING, RELU6 = 0, 3
_TYPES = {0: np.float32, 1: np.float16, 2: np.int32, 3: np.uint8, 4: np.int64, 7: np.int16, 9: np.int8}


@dataclass(frozen=True)
class Tensor:
    """A tensor of the graph; `stored` is None where it is computed at run time."""

    name: str
    shape: tuple[int, ...]
    stored: np.ndarray | None
    scale: np.ndarray  # empty where not quantised
    zero_point: np.ndarray
    axis: int  # that `scale` runs along, where it has more than one entry

    @property
    def values(self) -> np.ndarray:
        """Stored numbers, dequantised to float32: scale * (stored - zero_point)."""
        if self.stored is None:
            raise DataError(f"tensor {self.name!r}", "holds no constant", "Provide the registered file.")
        values = self.stored.copy()
        if self.scale.size:
            shape = [1] * len(self.shape)
            shape[self.axis] = self.scale.size
            scale, zero = self.scale.reshape(shape), self.zero_point.reshape(shape)
            with np.errstate(over="ignore", invalid="ignore"):
                values = (scale * (values.astype(np.float64) - zero)).astype(np.float32)
        if not np.isfinite(values).all():
            raise DataError(f"tensor {self.name!r}", "holds numbers that are not finite", REMEDY)
        return values


@dataclass(frozen=True)
class Operator:
    """A node of the graph: its code and the indices of its tensors."""

    code: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    padding: int = 0
    stride: tuple[int, int] = (1, 1)  # height, width
    activation: int = 0


@dataclass(frozen=True)
class Graph:
    """The first subgraph of a file; operators in the order of execution."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]


def read(path: str | Path) -> Graph:
    """Tensors and operators of a TFLite file. DataError when it is not one, or damaged."""
    data = Path(path).read_bytes()
    if data[4:8] != IDENTIFIER:
        raise DataError(path, f"begins with {data[:8]!r}, which is no TFLite file", REMEDY)
    try:
        return _graph(data)
    # Offsets of a damaged file lead anywhere: beyond its end, into text, in circles.
    except (struct.error, ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        raise DataError(path, f"is damaged: {type(error).__name__}, {error}", REMEDY) from None


def _graph(data: bytes) -> Graph:
    from flatbuffers import encode, packer
    from flatbuffers.table import Table

    model = _Fields(Table(data, encode.Get(packer.uoffset, data, 0)))
    graph, buffers = model.tables(2)[0], model.tables(4)
    # A code above 126 stands in the newer field; the older one then holds 127.
    codes = [max(code.int8(0), code.int32(3)) for code in model.tables(1)]
    return Graph(
        tuple(_tensor(fields, buffers) for fields in graph.tables(0)),
        tuple(_operator(fields, codes) for fields in graph.tables(3)),
    )


def _tensor(fields: _Fields, buffers: list[_Fields]) -> Tensor:
    shape = tuple(int(size) for size in fields.int32s(0))
    data = buffers[fields.uint32(2)].uint8s(0)
    kind, quantization = _TYPES.get(fields.int8(1)), fields.table(4)
    stored = None
    if data.size and kind is not None:
        stored = data.view(np.dtype(kind).newbyteorder("<")).reshape(shape)
    scale = quantization.float32s(2) if quantization else np.empty(0, np.float32)
    zero_point = quantization.int64s(3) if quantization else np.empty(0, np.int64)
    axis = quantization.int32(6) if quantization else 0
    if scale.size and stored is not None:
        along = shape[axis] if axis in range(len(shape)) else 0
        if scale.size not in (1, along) or zero_point.size != scale.size or not along:
            raise ValueError(f"a tensor of shape {shape} has {scale.size} scales along axis {axis}")
    return Tensor(fields.text(3), shape, stored, scale, zero_point, axis)


def _operator(fields: _Fields, codes: list[int]) -> Operator:
    code = codes[fields.uint32(0)]
    inputs, outputs = tuple(map(int, fields.int32s(1))), tuple(map(int, fields.int32s(2)))
    options = fields.table(4)
    if code not in (CONV_2D, DEPTHWISE_CONV_2D) or options is None:
        return Operator(code, inputs, outputs)
    activation = options.int8(3 if code == CONV_2D else 4)  # a depthwise one has its multiplier at 3
    stride = options.int32(2), options.int32(1)
    return Operator(code, inputs, outputs, options.int8(0), stride, activation)


class _Fields:
    """A flatbuffer table: field n of the schema lies behind slot 4 + 2n; absent fields are 0 or empty."""

    def __init__(self, table) -> None:
        self.table_ = table

    def _at(self, number: int) -> int:
        return self.table_.Offset(4 + 2 * number)

    def _scalar(self, number: int, flags) -> int:
        at = self._at(number)
        return self.table_.Get(flags, self.table_.Pos + at) if at else 0

    def _vector(self, number: int, dtype: str) -> np.ndarray:
        at = self._at(number)
        if not at:
            return np.empty(0, dtype)
        start, length = self.table_.Vector(at), self.table_.VectorLen(at)
        return np.frombuffer(self.table_.Bytes, dtype, length, start)

    def int8(self, number: int) -> int:
        from flatbuffers.number_types import Int8Flags

        return self._scalar(number, Int8Flags)

    def int32(self, number: int) -> int:
        from flatbuffers.number_types import Int32Flags

        return self._scalar(number, Int32Flags)

    def uint32(self, number: int) -> int:
        from flatbuffers.number_types import Uint32Flags

        return self._scalar(number, Uint32Flags)

    def text(self, number: int) -> str:
        at = self._at(number)
        return self.table_.String(self.table_.Pos + at).decode() if at else ""

    def uint8s(self, number: int) -> np.ndarray:
        return self._vector(number, "u1")

    def int32s(self, number: int) -> np.ndarray:
        return self._vector(number, "<i4")

    def int64s(self, number: int) -> np.ndarray:
        return self._vector(number, "<i8")

    def float32s(self, number: int) -> np.ndarray:
        return self._vector(number, "<f4")

    def table(self, number: int) -> _Fields | None:
        at = self._at(number)
        return self._sub(self.table_.Pos + at) if at else None

    def tables(self, number: int) -> list[_Fields]:
        at = self._at(number)
        if not at:
            return []
        start = self.table_.Vector(at)
        return [self._sub(start + 4 * index) for index in range(self.table_.VectorLen(at))]

    def _sub(self, position: int) -> _Fields:
        from flatbuffers.table import Table

        return _Fields(Table(self.table_.Bytes, self.table_.Indirect(position)))
