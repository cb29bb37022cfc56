"""What every encoder shares: its protocol, the checks at its door, and the change between NumPy and torch."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from asdflow import checkpoints
from asdflow.foundation.errors import ConfigError, DataError, nearest

Layers = Annotated[
    tuple[str, ...],
    Field(strict=False, min_length=1, description="Layers whose frames are kept; all come from one pass."),
]

Storage = Annotated[
    Literal["float32", "float16"],
    Field(description="Precision to which stored frames are rounded; float16 halves the files."),
]

StoredBands = Annotated[
    Literal["keep", "mean"],
    Field(description="Whether stored frames keep their frequency bands or hold the mean over them."),
]

CPU_BATCH = 4  # little memory, and enough for as many cores
GPU_BATCH = 64  # of 10 s: the products of a base-size network then fill any GPU
FLOAT16_MAX = float(np.finfo(np.float16).max)


class Encoder(ABC):
    """Waveforms to frozen features.

    A member is a frozen dataclass that inherits from this class. Its fields are its parameters, `layers` is
    one of them. Building it is cheap; weights load on first use (`functools.cached_property`).

    A member supplies `sample_rate`, `layers`, `available_layers`, `min_samples`, `output_shape`,
    `frame_times` and `_forward`; everything else is here.
    """

    #: What `_forward` is given: float32 arrays of this library.
    library: ClassVar[Literal["numpy", "torch"]] = "torch"
    #: Whether the clips of a batch run side by side, each on one thread: bits then do not depend on torch's
    #: number of threads, and the extraction lets it have all of its own.
    side_by_side: ClassVar[bool] = False
    #: Whether files have to be at `sample_rate`, as the resampling of others belongs to the encoder itself.
    exact_rate: ClassVar[bool] = False
    #: Name in the registry, set by `register`.
    name: ClassVar[str]

    sample_rate: int  # Hz
    layers: tuple[str, ...]  # selected, in the order of the configuration
    # What the extraction stores; a member may make these parameters.
    storage: str = "float32"
    stored_bands: str = "keep"

    @property
    def runs_on(self) -> str:
        """Kind of device that computes, "cpu" or "cuda", by the parameter `device` where there is one."""
        device = getattr(self, "device", "cpu")
        if device == "auto":
            import torch

            return "cuda" if torch.cuda.device_count() else "cpu"
        return device.partition(":")[0]

    @property
    def batch(self) -> int:
        """Clips of equal length in one call that suit the encoder where it runs."""
        return CPU_BATCH if self.runs_on == "cpu" else GPU_BATCH

    @property
    @abstractmethod
    def available_layers(self) -> tuple[str, ...]:
        """Every layer that may be selected, from input to output."""

    @property
    @abstractmethod
    def min_samples(self) -> int:
        """Shortest legal clip, in samples at `sample_rate`."""

    @abstractmethod
    def output_shape(self, layer: str, samples: int) -> tuple[int, int, int]:
        """(time, bands, channels) of a layer for a clip of that many samples, without computing it."""

    @abstractmethod
    def frame_times(self, samples: int, layer: str | None = None) -> np.ndarray:
        """(time,) float64: centre of each frame in seconds from the start of the clip.

        `layer` may be left out when exactly one is selected.
        """

    @abstractmethod
    def _forward(self, waveforms: Any) -> dict[str, Any]:
        """(batch, samples) float32 of `library`, checked, to {layer: (batch, time, bands, channels)}."""

    def weight_files(self) -> list[str]:
        """Files (or a folder that a rule makes) whose change must redo the frames; none without weights."""
        reference = getattr(self, "checkpoint", None)
        return [] if reference is None else [str(checkpoints.path_of(reference))]

    def layer_frames(self, waveforms: Any) -> dict[str, Any]:
        """Frames of every selected layer, from one pass.

        Parameters
        ----------
        waveforms : (batch, samples) array or torch tensor, floating
            Mono, full scale 1, at `sample_rate`, all of one length.

        Returns
        -------
        dict of layer to (batch, time, bands, channels) float32
            NumPy for NumPy, torch (CPU) for torch.

        Raises
        ------
        DataError
            Wrong number of axes, not floating, too short, or not finite.
        """
        as_torch = is_torch(waveforms)
        outputs = self._forward(self._admit(waveforms))
        kind = "torch" if as_torch else "numpy"
        return {layer: convert(outputs[layer], kind) for layer in self.layers}

    def frames(self, waveforms: Any) -> Any:
        """Frames of the one selected layer (see `layer_frames`). ConfigError when several are selected."""
        return self.layer_frames(waveforms)[self.one_layer()]

    def stored(self, frames: np.ndarray, layer: str, where: object = "frames") -> np.ndarray:
        """Frames as the extraction stores them: bands kept or averaged, then rounded to `storage`.

        Parameters
        ----------
        frames : (time, bands, channels) float32
        layer : str
            What an error calls the layer.
        where : object
            What an error calls the frames, e.g. their clip.

        Returns
        -------
        (time, bands or 1, channels) float32; with `storage` float16 each value is one that float16 has.

        Raises
        ------
        DataError
            A value is beyond the range of float16.
        """
        if self.stored_bands == "mean":
            frames = frames.mean(axis=1, keepdims=True)
        if self.storage == "float32":
            return np.ascontiguousarray(frames, dtype=np.float32)
        largest = float(np.abs(frames).max(initial=0))
        if largest > FLOAT16_MAX:
            raise DataError(
                where,
                f"has a value of magnitude {largest:g} in layer {layer!r}, float16 ends at {FLOAT16_MAX:g}",
                "Set `storage: float32` for this encoder.",
            )
        return np.ascontiguousarray(frames.astype(np.float16), dtype=np.float32)

    def one_layer(self, layer: str | None = None) -> str:
        """`layer`, or the only selected one. ConfigError when it is left out and several are selected."""
        if layer is not None:
            return layer
        if len(self.layers) != 1:
            raise ConfigError(
                f"encoder {self.name!r}",
                f"has {len(self.layers)} layers selected ({', '.join(self.layers)}), but one is asked for",
                "Name the layer, use layer_frames, or select a single one in `layers`.",
            )
        return self.layers[0]

    def _admit(self, waveforms: Any) -> Any:
        """Check waveforms and hand them over as float32 of `library`."""
        check_waveforms(waveforms, self.name, self.min_samples, self.sample_rate)
        return convert(waveforms, self.library)


def check_waveforms(
    waveforms: Any, name: str, min_samples: int, sample_rate: int, where: object = None
) -> None:
    """Raise DataError unless waveforms are (batch, samples), floating, long enough and finite.

    `where` names what is at fault in the message, for example the file; default: the encoder's input.
    """
    where = where or f"encoder {name!r}, waveforms"
    shape = tuple(getattr(waveforms, "shape", ()))
    if len(shape) != 2:
        raise DataError(
            where,
            f"have shape {shape}, expected (batch, samples)",
            "Mix channels down to one, and write a single clip as waveform[None, :].",
        )
    torch_input = is_torch(waveforms)
    floating = waveforms.is_floating_point() if torch_input else np.issubdtype(waveforms.dtype, np.floating)
    if not floating:
        raise DataError(
            where,
            f"are of type {waveforms.dtype}, expected floating point",
            "Divide 16-bit samples by 32768.",
        )
    if shape[1] < min_samples:
        raise DataError(
            where,
            f"{shape[1] / sample_rate:.4g} s long ({shape[1]} samples), but {name} needs at least "
            f"{min_samples / sample_rate:.4g} s ({min_samples} samples at {sample_rate} Hz)",
            "Remove the clip, or set a length rule that pads it.",
        )
    finite = waveforms.isfinite() if torch_input else np.isfinite(waveforms)
    if not bool(finite.all()):
        row = int((~finite).any(1).nonzero()[0] if torch_input else np.flatnonzero((~finite).any(axis=1))[0])
        count = int((~finite).sum())
        raise DataError(
            where,
            f"hold {count} values that are not finite, first in row {row}",
            "Remove that clip, or repair its file.",
        )


def check_layers(name: str, layers: tuple[str, ...], available: tuple[str, ...]) -> None:
    """Raise ConfigError for an unknown or repeated layer. For `__post_init__` of a member."""
    where = f"encoder {name!r}, parameter 'layers'"
    for layer in layers:
        if layer not in available:
            raise ConfigError(where, f"{layer!r} is not known", nearest(layer, available))
    repeated = sorted({layer for layer in layers if layers.count(layer) > 1})
    if repeated:
        raise ConfigError(where, f"names {repeated[0]!r} more than once", "Name each layer once.")


def is_torch(array: Any) -> bool:
    """Whether it is a torch tensor, without importing torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)


def convert(array: Any, kind: str) -> Any:
    """Contiguous float32 array of "numpy" or "torch" (on the CPU), without a copy where possible."""
    if kind == "numpy":
        if is_torch(array):
            array = array.detach().cpu().numpy()
        return np.ascontiguousarray(array, dtype=np.float32)
    import torch

    if not is_torch(array):
        array = np.ascontiguousarray(array, dtype=np.float32)
        if not array.flags.writeable:  # torch warns about shared read-only memory
            array = array.copy()
        array = torch.from_numpy(array)
    return array.detach().to("cpu", torch.float32).contiguous()
