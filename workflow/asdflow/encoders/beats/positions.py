"""Where a token stands: the convolution before the first block, and the bias of every attention."""

from __future__ import annotations

import math

import torch


class PositionalConvolution:
    """Grouped convolution over the token axis, as products in the frequency domain.

    y[t] = b + sum_k w[k] x[t + k - kernel // 2] for as many outputs as inputs, zeros outside. Overlapping
    segments of `length` tokens are transformed (overlap-save): for a kernel of 128 this takes a fiftieth of
    the operations of the plain sum.

    Parameters
    ----------
    weight : (width, width // groups, kernel) tensor
    bias : (width,) tensor
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, groups: int) -> None:
        width, inner, kernel = weight.shape
        self.kernel, self.groups, self.bias = kernel, groups, bias
        self.length = 3 * kernel  # two segments for 10 s; on a CPU half the time of 2 x kernel
        self.step = self.length - kernel + 1
        spectrum = torch.fft.rfft(weight, n=self.length).conj()  # correlation, not convolution
        spectrum = spectrum.reshape(groups, width // groups, inner, -1)
        self.spectrum = spectrum.permute(3, 0, 2, 1).contiguous()  # (frequency, group, in, out)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, tokens, width) to the same shape."""
        batch, tokens, width = x.shape
        segments = -(-tokens // self.step)
        before = self.kernel // 2
        after = (segments - 1) * self.step + self.length - tokens - before
        padded = torch.nn.functional.pad(x, (0, 0, before, after))
        pieces = padded.unfold(1, self.length, self.step).transpose(2, 3)  # (batch, segments, length, width)
        spectrum = torch.fft.rfft(pieces, dim=2)
        rows = spectrum.reshape(batch * segments, -1, self.groups, width // self.groups).permute(1, 2, 0, 3)
        product = torch.matmul(rows, self.spectrum).permute(2, 0, 1, 3)
        product = product.reshape(batch, segments, -1, width)
        pieces = torch.fft.irfft(product, n=self.length, dim=2)[:, :, : self.step]
        return pieces.reshape(batch, segments * self.step, width)[:, :tokens] + self.bias


def bucket(offset: torch.Tensor, buckets: int, max_distance: int) -> torch.Tensor:
    """Bucket of each offset j - i, integer tensor of any shape (T5's, both directions).

    Half the buckets are for keys after the query. In each half, the first half of the buckets hold one
    distance each, the others grow logarithmically up to `max_distance`; the last one holds all beyond.
    """
    half = buckets // 2
    exact = half // 2
    base = (offset > 0).long() * half
    distance = offset.abs()
    scaled = (distance.float() / exact).log() / math.log(max_distance / exact) * (half - exact)
    far = (exact + scaled.clamp_min(0.0).long()).clamp_max(half - 1)
    return base + torch.where(distance < exact, distance, far)


def relative_bias(table: torch.Tensor, tokens: int, max_distance: int) -> torch.Tensor:
    """(heads, tokens, tokens) bias of query i and key j, from a (buckets, heads) table."""
    offsets = torch.arange(1 - tokens, tokens, device=table.device)
    line = table[bucket(offsets, table.shape[0], max_distance)].T  # (heads, 2 tokens - 1)
    return line.unfold(1, tokens, 1).flip(1).contiguous()
