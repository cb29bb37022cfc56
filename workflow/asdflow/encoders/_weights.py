"""Reading files of weights without running anything in them, and checking that every tensor is there."""

from __future__ import annotations

import math
import pickle
import struct
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asdflow.foundation.documents import parse_json
from asdflow.foundation.errors import FetchError, out_of_memory

if TYPE_CHECKING:
    import torch

LISTED = 8  # names shown in an error; a file of another model would fill pages


def read_torch(path: Path) -> Any:
    """Content of a `torch.save` file: tensors, numbers, text and containers, nothing else.

    Raises FetchError when the file holds any other object (unpickling such a thing can run code), or is no
    checkpoint at all.
    """
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).partition("\n")[0].strip()
        raise FetchError(
            path,
            f"holds more than tensors and plain values, so loading it could run code: {reason}",
            "It was not loaded. Get the file from its official source, or save cfg and model alone with "
            "torch.save.",
        ) from None
    except Exception as error:  # a damaged file makes torch stumble in every way there is
        reason = str(error).partition("\n")[0].strip()
        raise FetchError(
            path,
            f"is not a readable torch checkpoint: {type(error).__name__}, {reason}",
            ("Run with fewer jobs at once. " if out_of_memory(error) else "") + "Fetch or copy it again.",
        ) from None


_SAFE_TYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}


LONGEST_HEADER = 100_000_000  # bytes; the format's own limit


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Tensors of a safetensors file: 8 bytes of header length, a JSON header, then the values.

    Raises FetchError when the file does not keep to that format: a header that is longer than the file, a
    tensor whose bytes are not those of its shape, bytes that two tensors share or none has.
    """
    import torch

    content = bytearray(path.read_bytes())
    try:
        entries, start = _safetensors_header(content)
        tensors, place = {}, start
        for name, entry in sorted(entries.items(), key=lambda pair: tuple(pair[1]["data_offsets"])):
            dtype, shape = getattr(torch, _SAFE_TYPES[entry["dtype"]]), tuple(entry["shape"])
            if not all(type(size) is int and size >= 0 for size in shape):
                raise ValueError(f"tensor {name!r} has shape {shape}")
            count = math.prod(shape)
            begin, end = (start + offset for offset in entry["data_offsets"])
            if begin != place or end != begin + count * dtype.itemsize or end > len(content):
                raise ValueError(f"tensor {name!r} of shape {shape} has bytes {begin} to {end}")
            place = end
            if count == 0:
                tensors[name] = torch.empty(shape, dtype=dtype)
            else:
                values = torch.frombuffer(content, dtype=dtype, count=count, offset=begin)
                tensors[name] = values.reshape(shape)
        if place != len(content):
            raise ValueError(f"{len(content) - place} bytes belong to no tensor")
    except (struct.error, ValueError, LookupError, TypeError, AttributeError, RuntimeError) as error:
        raise FetchError(
            path, f"is not a readable safetensors file: {error}", "Fetch or copy it again."
        ) from None
    return {name: tensors[name] for name in entries}


def _safetensors_header(content: bytearray) -> tuple[dict[str, Any], int]:
    """Entries of the header by name, and the first byte of the values."""
    (length,) = struct.unpack_from("<Q", content)
    if length > min(LONGEST_HEADER, len(content) - 8):
        raise ValueError(f"its header would have {length} bytes, the file has {len(content)}")
    entries = dict(parse_json(bytes(content[8 : 8 + length])))
    entries.pop("__metadata__", None)
    return entries, 8 + length


def check_tensors(
    where: object,
    found: Mapping[str, Any],
    expected: Mapping[str, tuple[int, ...]],
    ignored: Collection[str] = (),
) -> dict[str, torch.Tensor]:
    """The expected tensors of a checkpoint, floating ones as float32.

    Parameters
    ----------
    found : mapping of name to tensor
    expected : mapping of name to shape
    ignored : names or prefixes (ending in ".") that the file may hold besides

    Raises FetchError that lists all missing and unexpected names and all wrong shapes at once.
    """
    import torch

    def is_ignored(name: str) -> bool:
        return any(name == one or (one.endswith(".") and name.startswith(one)) for one in ignored)

    missing = [name for name in expected if name not in found]
    unexpected = [name for name in found if name not in expected and not is_ignored(name)]
    wrong = []
    for name, shape in expected.items():
        if name in found:
            value = found[name]
            if not isinstance(value, torch.Tensor):
                wrong.append(f"{name} is a {type(value).__name__}")
            elif tuple(value.shape) != tuple(shape):
                wrong.append(f"{name} is {_text(value.shape)} instead of {_text(shape)}")
    problems = [
        f"{title} {listed(names)}"
        for title, names in (("missing:", missing), ("unexpected:", unexpected), ("wrong shape:", wrong))
        if names
    ]
    if problems:
        raise FetchError(
            where,
            "does not hold the tensors that its configuration promises; " + "; ".join(problems),
            "Check that the file belongs to this encoder and is complete.",
        )
    return {
        name: found[name].float() if found[name].is_floating_point() else found[name] for name in expected
    }


def _text(shape: Collection[int]) -> str:
    return "x".join(str(size) for size in shape) or "a single number"


def listed(names: list[str]) -> str:
    """Number of names and the first of them, for an error."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return f"{len(names)} ({', '.join(names[:LISTED])}{more})"
