"""From a file of OpenL3's weights, Keras (h5, also gzipped) or torchopenl3, to the network."""

from __future__ import annotations

import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from asdflow.encoders._weights import check_tensors, read_torch
from asdflow.encoders.openl3.network import Parameters
from asdflow.foundation.errors import FetchError

LAYERS = 8  # batch norms, and convolutions
HDF5, GZIP = b"\x89HDF", b"\x1f\x8b"
MEL = "speclayer.mel_basis"
# Windowed sines as weights, for which a Fourier transform stands here; and counters of training.
IGNORED = (
    "speclayer.dft_real_kernels",
    "speclayer.dft_imag_kernels",
    *(f"batch_normalization_{number}.num_batches_tracked" for number in range(1, LAYERS + 1)),
)
NORM = ("weight", "bias", "running_mean", "running_var")
BINS = 1025
MOST = 1 << 26
"""Numbers of a file that are read, 268 MB; OpenL3 has 5 million, a small file can announce any."""


@dataclass(frozen=True)
class Stored:
    """What a file holds.

    mel : (bands, 1025) float32, None where the file has none
    picture : name of the picture that the weights were trained on, None where the file does not tell
    """

    parameters: Parameters
    mel: np.ndarray | None
    picture: str | None


def read(path: Path) -> Stored:
    """Weights in the order of the network. Raises FetchError when it is neither of the two, or incomplete."""
    with open(path, "rb") as file:
        start = file.read(4)
    if start == HDF5 or start[:2] == GZIP:
        return _read_keras(path, zipped=start != HDF5)
    return _read_torch(path)


def _read_torch(path: Path) -> Stored:
    content = read_torch(path)
    if not isinstance(content, dict):
        raise _other(path, f"holds a {type(content).__name__}, expected tensors by name")
    names = [*(f"conv2d_{number}" for number in range(1, LAYERS)), "audio_embedding_layer"]
    shapes: dict[str, tuple[int, ...]] = {}
    inputs = 1
    for number, name in enumerate(names):
        weight = content.get(f"{name}.weight")
        outputs = len(weight) if isinstance(weight, torch.Tensor) and weight.ndim == 4 else inputs
        norm = f"batch_normalization_{number + 1}"
        for part in NORM:
            shapes[f"{norm}.{part}"] = (inputs,)
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (outputs, inputs, 3, 3), (outputs,)
        inputs = outputs
    mel = content.get(MEL)
    if isinstance(mel, torch.Tensor):
        shapes[MEL] = (len(mel) if mel.ndim else 0, BINS)
    state = check_tensors(path, content, shapes, IGNORED)
    norms = tuple(
        tuple(state[f"batch_normalization_{number}.{part}"] for part in NORM)
        for number in range(1, LAYERS + 1)
    )
    convolutions = tuple((state[f"{name}.weight"], state[f"{name}.bias"]) for name in names)
    stored = state[MEL].numpy() if MEL in state else None
    return Stored(Parameters(norms, convolutions), stored, _picture(path, stored))


def _read_keras(path: Path, zipped: bool) -> Stored:
    """Layers by their order: their names carry numbers that changed from version to version."""
    layers = _keras_layers(path, zipped)
    mel = picture = None
    if layers and "spectrogram" in layers[0][0]:  # files before 0.4 begin with the picture
        matrices = [value for value in layers[0][1] if value.ndim == 2]
        mel = np.ascontiguousarray(matrices[0].T) if matrices else None
        picture = _picture(path, mel)
        layers = layers[1:]
    if len(layers) != 2 * LAYERS:
        raise _other(path, f"has {len(layers)} layers with weights, expected {2 * LAYERS}")
    inputs = 1
    for norm, convolution in zip(layers[0::2], layers[1::2], strict=True):
        outputs = convolution[1][-1].shape[-1]
        _require_shapes(path, *norm, [(inputs,)] * 4)
        _require_shapes(path, *convolution, [(3, 3, inputs, outputs), (outputs,)])
        inputs = outputs
    tensors = [[torch.from_numpy(np.ascontiguousarray(value)) for value in values] for _, values in layers]
    norms = tuple(tuple(values) for values in tensors[0::2])
    convolutions = tuple((kernel.permute(3, 2, 0, 1).contiguous(), bias) for kernel, bias in tensors[1::2])
    return Stored(Parameters(norms, convolutions), mel, picture)


def _require_shapes(
    path: Path, layer: str, values: list[np.ndarray], expected: list[tuple[int, ...]]
) -> None:
    found = [value.shape for value in values]
    if found != expected:
        raise _other(path, f"its layer {layer!r} has weights of shapes {found}, expected {expected}")


def _keras_layers(path: Path, zipped: bool) -> list[tuple[str, list[np.ndarray]]]:
    """Name and weights, float32, of every layer that has any, in the order of the model."""
    import h5py

    try:
        with h5py.File(io.BytesIO(_unzipped(path)) if zipped else path, "r") as file:
            layers, total = [], 0
            for layer in _texts(file.attrs["layer_names"]):
                names = _texts(_inside(file, layer).attrs["weight_names"])
                found = [_inside(file, f"{layer}/{name}") for name in names]
                total += sum(weights.size for weights in found)
                if total > MOST:
                    raise _other(path, f"announces more than {MOST} weights, {total}")
                if found:
                    layers.append((layer, [np.asarray(weights, dtype=np.float32) for weights in found]))
            return layers
    # A damaged file makes the library stumble in many ways, RuntimeError among them.
    except (OSError, EOFError, zlib.error, LookupError, TypeError, ValueError, RuntimeError) as error:
        raise _other(path, f"is not a readable Keras file of weights: {error}") from None
    except (AttributeError, MemoryError) as error:  # a group where weights should be, or no end of them
        raise _other(path, f"is not a readable Keras file of weights: {error}") from None


def _inside(file: Any, name: str) -> Any:
    """A member of the file itself: links to other files, or bytes that lie elsewhere, are not followed."""
    import h5py

    place = file
    for part in name.split("/"):
        if not isinstance(place.get(part, getlink=True), h5py.HardLink):
            raise ValueError(f"{name} is not in the file")
        place = place[part]
    if isinstance(place, h5py.Dataset) and (place.external or place.is_virtual):
        raise ValueError(f"{name} lies in another file")
    return place


def _unzipped(path: Path) -> bytes:
    with gzip.open(path) as file:
        data = file.read(4 * MOST + 1)
    if len(data) > 4 * MOST:
        raise _other(path, f"unpacks to more than {4 * MOST} bytes")
    return data


def _picture(path: Path, mel: np.ndarray | None) -> str:
    """Of a file that would hold mel filters if its picture had any."""
    if mel is None:
        return "linear"
    if mel.shape not in ((128, BINS), (256, BINS)):
        raise _other(path, f"has mel filters of shape {mel.shape}, expected 128 or 256 x {BINS}")
    return f"mel{len(mel)}"


def _texts(names) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _other(path: Path, what: str) -> FetchError:
    return FetchError(path, what, "Check that it is a file of OpenL3's audio network, and complete.")
