"""What the transformer encoders share at their door: numbered layers, and clips of unequal length."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from asdflow.encoders.base import Encoder, is_torch
from asdflow.foundation.errors import ConfigError, DataError

NumberedLayers = Annotated[
    tuple[str | int, ...],
    Field(
        strict=False,
        min_length=1,
        description="Layers whose frames are kept, all from one pass: last, or layer0 (the input of the "
        "first block) to layerN. A number alone means the layer of that number.",
    ),
]

_NUMBERED = re.compile(r"(?:layer)?(\d+)")


def canonical_layers(name: str, layers: Sequence[str | int]) -> tuple[str, ...]:
    """Layers as they are named in paths: "last" or "layer7", also when given as 7 or "7".

    Raises ConfigError for anything else, and for a layer given twice.
    """
    where = f"encoder {name!r}, parameter 'layers'"
    result = []
    for layer in layers:
        match = _NUMBERED.fullmatch(str(layer))
        if layer != "last" and (match is None or isinstance(layer, bool)):
            raise ConfigError(where, f"{layer!r} is not known", "Known: last, layer0, layer1 and so on.")
        result.append("last" if match is None else f"layer{int(match[1])}")
    repeated = sorted({layer for layer in result if result.count(layer) > 1})
    if repeated:
        raise ConfigError(where, f"names {repeated[0]!r} more than once", "Name each layer once.")
    return tuple(result)


def numbered(depth: int) -> tuple[str, ...]:
    """Names of the layers of a network of that many blocks, from input to output."""
    return (*(f"layer{number}" for number in range(depth + 1)), "last")


def layer_number(layer: str, depth: int) -> int:
    """Number of a canonical layer in a network of that many blocks."""
    return depth if layer == "last" else int(layer.removeprefix("layer"))


class UnequalClips(Encoder):
    """An encoder that also takes clips of unequal length, as a list or as a padded batch with their lengths.

    The result is then, for each layer, a list of (time, bands, channels) arrays in the order of the clips.
    Clips of one length go through the network together; padding is cut away first, so each clip's frames are
    those it has alone.
    """

    def layer_frames(self, waveforms: Any, lengths: Sequence[int] | None = None) -> dict[str, Any]:
        """As `Encoder.layer_frames`, and for clips of unequal length.

        Parameters
        ----------
        waveforms : (batch, samples) array, or list of (samples,) arrays
        lengths : sequence of int, optional
            Samples of each clip where the batch is padded at the end.

        Raises
        ------
        DataError
            Also when a clip of the list is no waveform, or a length does not fit.
        """
        if lengths is not None:
            waveforms = self._unpadded(waveforms, lengths)
        if not isinstance(waveforms, (list, tuple)):
            return super().layer_frames(waveforms)
        groups: dict[int, list[int]] = defaultdict(list)
        for index, clip in enumerate(waveforms):
            shape = tuple(getattr(clip, "shape", ()))
            if len(shape) != 1:
                raise DataError(
                    f"encoder {self.name!r}, clip {index} of the list",
                    f"has shape {shape}, expected (samples,)",
                    "Give each clip as a mono waveform.",
                )
            groups[shape[0]].append(index)
        result: dict[str, list[Any]] = {layer: [None] * len(waveforms) for layer in self.layers}
        for length in sorted(groups):
            indices = groups[length]
            frames = super().layer_frames(_stack([waveforms[index] for index in indices]))
            for layer in self.layers:
                for row, index in enumerate(indices):
                    result[layer][index] = frames[layer][row]
        return result

    def frames(self, waveforms: Any, lengths: Sequence[int] | None = None) -> Any:
        """Frames of the one selected layer (see `layer_frames`). ConfigError when several are selected."""
        return self.layer_frames(waveforms, lengths)[self.one_layer()]

    def _unpadded(self, waveforms: Any, lengths: Sequence[int]) -> list[Any]:
        if len(lengths) != len(waveforms) or any(not 0 < length <= waveforms.shape[-1] for length in lengths):
            raise DataError(
                f"encoder {self.name!r}, lengths",
                f"{list(lengths)} do not fit {len(waveforms)} waveforms of {waveforms.shape[-1]} samples",
                "Give one length for each clip, no longer than the batch.",
            )
        return [clip[:length] for clip, length in zip(waveforms, lengths, strict=True)]


def _stack(clips: list[Any]) -> Any:
    if is_torch(clips[0]):
        import torch

        return torch.stack(clips)
    import numpy as np

    return np.stack(clips)
