"""The network of the YAMNet file in torch: its front end, MobileNet v1, and the class scores.

Arrays are (patch, time, band, channel) throughout: a pointwise convolution is then one matrix product over
all positions, and a layer's output needs no transposition to become frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from asdflow.encoders.yamnet import _tflite as tflite
from asdflow.foundation.errors import DataError

FRAME, HOP, FFT = 400, 160, 512  # samples
PATCH_FRAMES = 96
# (blocks, patches that go through them together): few where the activations of more would leave the cache,
# many where the matrix products of fewer would be too small. No stage may begin with a block of stride 2.
STAGES = ((range(1, 6), 8), (range(6, 15), 32))


@dataclass(frozen=True)
class Rounding:
    """The int8 grid on which the file's runtime keeps one activation."""

    scale: float
    zero_point: int

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Nearest value of the grid, ends included."""
        steps = torch.clamp(torch.round(x / self.scale) + self.zero_point, -128, 127)
        return (steps - self.zero_point) * self.scale


@dataclass(frozen=True)
class Convolution:
    """One convolution with its batch norm folded in, then ReLU6.

    weight is (9, channels) for the first 3 x 3 convolution on one channel, (channels, 1, 3, 3) for a
    depthwise one and (inputs, outputs) for a pointwise one.
    """

    kind: str  # "full", "depthwise", "pointwise"
    weight: torch.Tensor
    bias: torch.Tensor
    stride: int
    rounding: Rounding | None
    margin: bool = False  # the next one has a stride of 2 and wants a zero row and column behind its input


def load(path: Path, rounded: bool) -> Network:
    """The network of a file. Raises DataError for one that is damaged, or of another network."""
    try:
        return Network(tflite.read(path), rounded)
    except (LookupError, ValueError, RuntimeError) as error:
        raise DataError(path, f"is no YAMNet: {error}", "Provide the registered file.") from None


class Network:
    """YAMNet with the weights of one file, dequantised to float32.

    Parameters
    ----------
    graph : Graph
        The parsed file.
    rounded : bool
        Round activations to int8 wherever the file's runtime does.
    """

    def __init__(self, graph: tflite.Graph, rounded: bool) -> None:
        tensors, operators = graph.tensors, graph.operators

        def only(code: int, index: int = 0) -> tflite.Operator:
            found = [operator for operator in operators if operator.code == code]
            if len(found) <= index:
                raise DataError("YAMNet file", f"lacks operator {code}", "Provide the registered file.")
            return found[index]

        def constant(operator: tflite.Operator, number: int) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(tensors[operator.inputs[number]].values))

        def grid(operator: tflite.Operator) -> Rounding | None:
            output = tensors[operator.outputs[0]]
            return Rounding(float(output.scale[0]), int(output.zero_point[0])) if rounded else None

        mel, classes = only(tflite.FULLY_CONNECTED), only(tflite.FULLY_CONNECTED, 1)
        self.window = constant(only(tflite.MUL), 1)
        self.mel, self.offset = constant(mel, 1).T.contiguous(), constant(mel, 2)
        self.input_rounding = grid(only(tflite.QUANTIZE))
        found = [
            operator for operator in operators if operator.code in (tflite.CONV_2D, tflite.DEPTHWISE_CONV_2D)
        ]
        self.convolutions = [
            _convolution(operator, constant(operator, 1), constant(operator, 2), grid(operator), margin)
            for operator, margin in zip(
                found, [one.stride == (2, 2) for one in found[1:]] + [False], strict=True
            )
        ]
        self.embedding_rounding = grid(only(tflite.MEAN))
        self.classes, self.class_bias = constant(classes, 1), constant(classes, 2)
        self.logit_rounding = grid(classes)

    def log_mel(self, waveform: torch.Tensor) -> torch.Tensor:
        """(samples,) to (frames, 64): log(mel(|STFT|) + 0.001), Hann window 25 ms, hop 10 ms, no padding."""
        frames = waveform.unfold(0, FRAME, HOP) * self.window
        magnitude = torch.fft.rfft(frames, FFT).abs()
        return torch.log(torch.addmm(self.offset, magnitude, self.mel))

    def layers(self, patches: torch.Tensor, wanted: frozenset[str]) -> dict[str, torch.Tensor]:
        """Outputs of the wanted layers for (patches, 96, 64) log-mel patches; stops after the deepest one.

        `layerN` is (patches, time, bands, channels) after the ReLU6 of block N, `embedding` the mean over
        time and bands of the last one, (patches, 1, 1, 1024).
        """
        deepest = 14 if "embedding" in wanted else max(int(layer.removeprefix("layer")) for layer in wanted)
        outputs: dict[str, torch.Tensor] = {}
        x = patches if self.input_rounding is None else self.input_rounding(patches)
        for blocks, together in STAGES:
            needed = [number for number in blocks if number <= deepest]
            parts = [self._blocks(part, needed, wanted) for part in x.split(together)]
            x = torch.cat([last for last, _ in parts])
            outputs |= {layer: torch.cat([kept[layer] for _, kept in parts]) for layer in parts[0][1]}
        if "embedding" in wanted:
            x = x.mean((1, 2), keepdim=True)
            outputs["embedding"] = x if self.embedding_rounding is None else self.embedding_rounding(x)
        return outputs

    def _blocks(
        self, x: torch.Tensor, numbers: list[int], wanted: frozenset[str]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Output of the last of these blocks, and of the wanted ones among them."""
        kept: dict[str, torch.Tensor] = {}
        for (
            number
        ) in numbers:  # the first block is one convolution, every other a depthwise and a pointwise one
            for convolution in self.convolutions[max(0, 2 * number - 3) : 2 * number - 1]:
                x = _apply(convolution, x)
            if f"layer{number}" in wanted:
                kept[f"layer{number}"] = x
        return x, kept

    def logits(self, embedding: torch.Tensor) -> torch.Tensor:
        """(..., 1024) to (..., 521): the class scores before the sigmoid."""
        x = F.linear(embedding, self.classes, self.class_bias)
        return x if self.logit_rounding is None else self.logit_rounding(x)


def _convolution(
    operator: tflite.Operator,
    weight: torch.Tensor,
    bias: torch.Tensor,
    rounding: Rounding | None,
    margin: bool,
) -> Convolution:
    if operator.padding != tflite.SAME_PADDING or operator.activation != tflite.RELU6:
        raise DataError("YAMNet file", f"has an unexpected {operator}", "Provide the registered file.")
    stride = operator.stride[0]
    if operator.code == tflite.DEPTHWISE_CONV_2D:  # stored (1, 3, 3, channels)
        weight = weight.permute(3, 0, 1, 2).contiguous(memory_format=torch.channels_last)
        return Convolution("depthwise", weight, bias, stride, rounding, margin)
    if weight.shape[1:3] == (1, 1):  # stored (outputs, 1, 1, inputs)
        return Convolution("pointwise", weight[:, 0, 0, :].T.contiguous(), bias, stride, rounding, margin)
    return Convolution("full", weight.reshape(len(weight), -1).T.contiguous(), bias, stride, rounding, margin)


def _apply(convolution: Convolution, x: torch.Tensor) -> torch.Tensor:
    """Convolution, ReLU6 and rounding.

    TensorFlow's "same" padding puts the odd zero of a convolution of stride 2 behind the input, never before
    it. With a margin the output lies in an array that already has that zero row and column, for the next.
    """
    if convolution.kind == "full":
        x = F.pad(x, (0, 1, 0, 1)).unfold(1, 3, 2).unfold(2, 3, 2).flatten(3)
    if convolution.kind == "depthwise":
        if convolution.stride == 2:
            x, padding = _with_margin(x), 0
        else:
            padding = 1
        weight, bias = convolution.weight, convolution.bias
        y = F.conv2d(x.permute(0, 3, 1, 2), weight, bias, convolution.stride, padding, groups=len(weight))
        y = y.permute(0, 2, 3, 1)
    else:
        y = torch.addmm(convolution.bias, x.flatten(0, 2), convolution.weight).view(*x.shape[:3], -1)
    if convolution.rounding is not None:
        y = convolution.rounding(torch.clamp(y, 0, 6))
    if not convolution.margin:
        return y.clamp_(0, 6)
    patches, time, bands, channels = y.shape
    padded = y.new_empty(patches, time + 1, bands + 1, channels)
    padded[:, time].zero_()
    padded[:, :, bands].zero_()
    inside = padded[:, :time, :bands]
    return torch.clamp(y, 0, 6, out=inside)


def _with_margin(x: torch.Tensor) -> torch.Tensor:
    """The array of which `x` is the part without its zero row and column (see `_apply`)."""
    patches, time, bands, channels = x.shape
    return x.as_strided(
        (patches, time + 1, bands + 1, channels),
        ((time + 1) * (bands + 1) * channels, (bands + 1) * channels, channels, 1),
    )
