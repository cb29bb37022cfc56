"""Files of weights: torch pickles, safetensors, Keras and TFLite, read up to the tensors."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import torch
from harness import Parser

from asdflow.encoders._weights import read_safetensors
from asdflow.encoders.beats import checkpoint as beats
from asdflow.encoders.openl3 import checkpoint as openl3
from asdflow.encoders.yamnet import _tflite
from tiny_encoders import beats_content, eat_hugging_face

TORCH_WORDS = (b"PK\x03\x04", b"\x80\x02", b"cos\nsystem\n", b"R.", b"}", b"q\x00", b"ctorch\n")
SAFE_WORDS = (
    b'"F32"',
    b'"data_offsets":[0,-8]',
    b"[" * 50_000,
    b"-1",
    b"[0,0]",
    b"null",
    b"9" * 30,
    b"\xff" * 8,
)


def beats_files(_: Path) -> list[bytes]:
    """A tiny one in the format of today, and one in that before torch 1.6."""
    found = []
    for zipped in (True, False):
        buffer = io.BytesIO()
        torch.save(beats_content(), buffer, _use_new_zipfile_serialization=zipped)
        found.append(buffer.getvalue())
    return found


def safetensors_files(folder: Path) -> list[bytes]:
    """A tiny EAT, and three tensors by hand."""
    header = (
        b'{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},'
        b'"b":{"dtype":"I8","shape":[3],"data_offsets":[16,19]},"c":{"dtype":"F16","shape":[0],'
        b'"data_offsets":[19,19]}}'
    )
    by_hand = len(header).to_bytes(8, "little") + header + bytes(range(19))
    return [by_hand, eat_hugging_face(folder / "eat").read_bytes()]


def keras_files(folder: Path) -> list[bytes]:
    """A file of the right layers, of one number each, plain and zipped."""
    import h5py

    with h5py.File(folder / "keras.h5", "w") as file:
        names = []
        for number in range(2 * openl3.LAYERS):
            name = f"layer_{number}"
            group = file.create_group(name)
            shapes = [(1,)] * 4 if number % 2 == 0 else [(3, 3, 1, 1), (1,)]
            parts = [f"weight_{part}" for part in range(len(shapes))]
            group.attrs["weight_names"] = [part.encode() for part in parts]
            for part, shape in zip(parts, shapes, strict=True):
                group.create_dataset(part, data=np.ones(shape, np.float32))
            names.append(name.encode())
        file.attrs["layer_names"] = names
    plain = (folder / "keras.h5").read_bytes()
    return [gzip.compress(plain, mtime=0), plain]


def tflite_file(_: Path) -> list[bytes]:
    """A model of one subgraph: a quantised tensor of 2 x 3 numbers, and a convolution with its options."""
    import flatbuffers

    builder = flatbuffers.Builder(256)
    buffer = _table(builder, {0: builder.CreateByteVector(bytes(range(6)))})
    scales = builder.CreateNumpyVector(np.array([0.5, 0.25, 0.125], dtype=np.float32))
    zeros = builder.CreateNumpyVector(np.array([0, 1, 2], dtype=np.int64))
    quantization = _table(builder, {2: scales, 3: zeros}, {6: 1})
    shape = builder.CreateNumpyVector(np.array([2, 3], dtype=np.int32))
    name = builder.CreateString("weights")
    tensor = _table(builder, {0: shape, 3: name, 4: quantization}, {1: 9})
    inputs = builder.CreateNumpyVector(np.array([0], dtype=np.int32))
    options = _table(builder, {}, {1: 2, 2: 2, 3: 3})
    operator = _table(builder, {1: inputs, 2: inputs, 4: options})
    code = _table(builder, {}, {0: 3, 3: 3})
    subgraph = _table(builder, {0: _offsets(builder, tensor), 3: _offsets(builder, operator)})
    parts = {1: _offsets(builder, code), 2: _offsets(builder, subgraph), 4: _offsets(builder, buffer)}
    builder.Finish(_table(builder, parts), file_identifier=_tflite.IDENTIFIER)
    return [bytes(builder.Output())]


def _table(builder, offsets: dict[int, int], numbers: dict[int, int] | None = None) -> int:
    builder.StartObject(8)
    for slot, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    for slot, number in (numbers or {}).items():
        builder.PrependInt32Slot(slot, number, 0)
    return builder.EndObject()


def _offsets(builder, offset: int) -> int:
    builder.StartVector(4, 1, 4)
    builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def constants(path: Path) -> None:
    """Every tensor of the file, dequantised."""
    for tensor in _tflite.read(path).tensors:
        if tensor.stored is not None:
            _ = tensor.values


PARSERS = [
    Parser("beats", "beats.pt", beats_files, beats.read, TORCH_WORDS),
    Parser("safetensors", "model.safetensors", safetensors_files, read_safetensors, SAFE_WORDS),
    Parser("keras", "openl3.h5", keras_files, openl3.read),
    Parser("tflite", "yamnet.tflite", tflite_file, constants, (b"TFL3", b"\xff\xff\xff\x7f", bytes(8))),
]
