"""Which clips a data set has: their cell, number, operating condition and random streams.

A clip is identified by machine, split, domain, label and number. Everything drawn for it comes from streams
named after the seed and that identity, so that a clip is the same whatever else is generated, in any order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from asdflow.foundation.seeds import generator

DOMAINS = ("source", "target")
LABELS = ("normal", "anomaly")

Condition = Mapping[str, float]
"""Operating condition: attribute name as in the file name (no underscore) to value."""


@dataclass(frozen=True)
class Clip:
    """Identity of one clip."""

    machine: str
    split: str
    domain: str
    label: str
    number: int

    def draw(self, seed: int, purpose: str) -> np.random.Generator:
        """Random stream of this clip for one purpose; streams of different purposes are independent."""
        return generator(
            "factory", seed, self.machine, self.split, self.domain, self.label, self.number, purpose
        )


def clips(machine: str, train_source: int, train_target: int, test_per_cell: int) -> Iterator[Clip]:
    """Every clip of a machine: training clips of both domains, then the four test cells."""
    for domain, count in zip(DOMAINS, (train_source, train_target), strict=True):
        for number in range(count):
            yield Clip(machine, "train", domain, "normal", number)
    for domain in DOMAINS:
        for label in LABELS:
            for number in range(test_per_cell):
                yield Clip(machine, "test", domain, label, number)


def condition(conditions: Mapping[str, Sequence[Condition]], clip: Clip, seed: int) -> Condition:
    """Operating condition of a clip, one of those that the machine module lists for the clip's domain.

    Conditions are dealt like cards: each run of len(conditions) clips holds every condition once, in an order
    of its own. Small sets are balanced, and the first clips of a large set are those of a small one. The
    label has no part in it beyond naming the shuffle.
    """
    choices = conditions[clip.domain]
    deal, place = divmod(clip.number, len(choices))
    shuffle = generator(
        "factory", seed, clip.machine, clip.split, clip.domain, clip.label, "conditions", deal
    )
    return choices[shuffle.permutation(len(choices))[place]]


def severity(low: float, high: float, clip: Clip, seed: int) -> float:
    """Severity of a clip's fault: uniform in [low, high] for an anomaly, 0 for a normal clip."""
    if clip.label == "normal":
        return 0.0
    return float(clip.draw(seed, "severity").uniform(low, high))
