"""Clipped samples: at full scale, or in flat tops at the clip's own extreme.

Two rules, since sound is clipped before it is stored: 16 bits may lie in a container of 24 or in floats,
and a gain may have been applied afterwards.

* *At full scale*: three or more samples in a row of a channel at the largest code of the container, or, in a
  wider one, at or above that of 16 bits (1 - 2^-15).
* *Flat tops*: three or more runs, each of three or more equal samples at the channel's largest or smallest
  value, and each with an edge: a sample beside it lies at least 1 % of that value inside. The value is above
  -20 dBFS. A smooth peak of 16 bits also repeats its largest code, but leaves it by single steps; quiet sound
  repeats codes by chance. Codings of 8 bits have too few codes to tell, and only the first rule.
"""

from __future__ import annotations

import numpy as np

RUN = 3
"""Equal samples in a row that are a run."""

TOPS = 3
"""Runs that are more than chance."""

EDGE = 0.01
LEVEL = 0.1  # -20 dBFS
SIXTEEN_BITS = 1.0 - 2.0**-15
CODES = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
COARSE = ("PCM_S8", "PCM_U8", "ULAW", "ALAW")


def full_scale(subtype: str) -> float:
    """Smallest magnitude at full scale of a coding as libsndfile calls it; 1 - 2^-15 beyond 16 bits."""
    bits = CODES.get(subtype)
    return 1.0 - 2.0 ** (1 - bits) if bits in (8, 16) else SIXTEEN_BITS


class FullScale:
    """Samples in runs of three or more at full scale, counted block by block."""

    def __init__(self, channels: int, limit: float) -> None:
        self.limit, self.samples = limit, 0
        self._full = np.zeros((RUN, channels), dtype=bool)

    def add(self, block: np.ndarray) -> None:
        """(frames, channels).

        A run of n samples has n - 2 places where three in a row are full, and one where that begins.
        """
        full = self._full = np.concatenate([self._full[-RUN:], np.abs(block) >= self.limit])
        triple = full[2:] & full[1:-1] & full[:-2]
        begins = triple[1:] & ~triple[:-1]
        self.samples += int(triple[1:].sum() + 2 * begins.sum())


class FlatTops:
    """Flat tops of one channel at one of its extremes, found block by block.

    `sign` is 1 for the largest value, -1 for the smallest. While a larger value may still come, the runs at
    the largest so far are counted; a larger one forgets them.
    """

    def __init__(self, sign: int) -> None:
        self.sign, self.value = sign, -np.inf
        self._runs = self._samples = 0
        self._open, self._edge = 0, False  # the run that reaches the end of what was seen
        self._last: float | None = None

    def add(self, samples: np.ndarray) -> None:
        """(frames,) the next samples of the channel."""
        samples = samples * self.sign
        top = float(samples.max())
        if top > self.value:
            self.value, self._runs, self._samples, self._open, self._edge = top, 0, 0, 0, False
        if top < self.value:
            self._close(float(samples[0]))
        else:
            places = np.flatnonzero(samples == self.value)
            breaks = np.flatnonzero(np.diff(places) > 1)
            first = places[np.concatenate([[0], breaks + 1])]
            last = places[np.concatenate([breaks, [len(places) - 1]])]
            if first[0] > 0:
                self._close(float(samples[0]))
            for begin, end in zip(first.tolist(), last.tolist(), strict=True):
                if begin > 0 or not self._open:
                    before = samples[begin - 1] if begin else self._last
                    self._open, self._edge = 0, before is not None and self._far(before)
                self._open += end - begin + 1
                if end + 1 < len(samples):
                    self._close(float(samples[end + 1]))
        self._last = float(samples[-1])

    @property
    def samples(self) -> int:
        """Samples in flat tops; 0 where there are too few runs to be more than chance."""
        runs, samples = self._runs, self._samples
        if self._open >= RUN and self._edge:
            runs, samples = runs + 1, samples + self._open
        return samples if runs >= TOPS and self.value >= LEVEL else 0

    def _close(self, after: float) -> None:
        if self._open >= RUN and (self._edge or self._far(after)):
            self._runs += 1
            self._samples += self._open
        self._open, self._edge = 0, False

    def _far(self, neighbour: float) -> bool:
        return self.value - neighbour >= EDGE * abs(self.value)
