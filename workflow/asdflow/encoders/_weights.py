"""Reading files of weights without running anything in them, and checking that every tensor is there."""

from __future__ import annotations

import json
import pickle
import struct
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asdflow.foundation.errors import FetchError

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
    except (RuntimeError, EOFError, ValueError) as error:
        reason = str(error).partition("\n")[0].strip()
        raise FetchError(
            path, f"is not a readable torch checkpoint: {reason}", "Fetch or copy it again."
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


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Tensors of a safetensors file: 8 bytes of header length, a JSON header, then the values.

    Raises FetchError when the file does not keep to that format.
    """
    import torch

    content = bytearray(path.read_bytes())
    try:
        (length,) = struct.unpack_from("<Q", content)
        header = json.loads(content[8 : 8 + length])
        header.pop("__metadata__", None)
        start, tensors = 8 + length, {}
        for name, entry in header.items():
            dtype = getattr(torch, _SAFE_TYPES[entry["dtype"]])
            begin, end = entry["data_offsets"]
            count = (end - begin) // dtype.itemsize
            if start + end > len(content):
                raise ValueError(f"ends before tensor {name!r} does")
            if count == 0:
                tensors[name] = torch.empty(entry["shape"], dtype=dtype)
                continue
            values = torch.frombuffer(content, dtype=dtype, count=count, offset=start + begin)
            tensors[name] = values.reshape(entry["shape"])
    except (struct.error, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise FetchError(
            path, f"is not a readable safetensors file: {error}", "Fetch or copy it again."
        ) from None
    return tensors


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
