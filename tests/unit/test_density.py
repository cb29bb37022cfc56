"""Densities with one neighbour left out, all at once, are those found one by one."""

from __future__ import annotations

import numpy as np
import pytest

from asdflow.references.density import DecayingMean


def plain(distances: list[float], r: float) -> float:
    """Weighted mean of the finite distances, a term at a time; NaN where there is none."""
    finite = [distance for distance in distances if np.isfinite(distance)]
    weights = [r**rank for rank in range(len(finite))]
    return sum(w * d for w, d in zip(weights, finite, strict=True)) / sum(weights) if finite else float("nan")


@pytest.mark.parametrize("r", [0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize(("count", "length"), [(1, 1), (1, 2), (5, 5), (5, 6), (7, 9)])
def test_leaving_out_each_entry_of_a_list_is_the_mean_of_the_others(r, count, length):
    ascending = np.sort(np.random.default_rng(3).random((2, 4, length)), axis=-1)
    ascending[0, 0, -1] = np.inf
    ascending[1, 1, min(2, length) :] = np.inf
    ascending[1, 2] = 0.25  # copies
    found = DecayingMean(r).dropped(ascending, count)
    assert found.shape == (2, 4, count)
    for band, row in np.ndindex(2, 4):
        for place in range(count):
            rest = [*ascending[band, row, :place], *ascending[band, row, place + 1 :]][:count]
            assert found[band, row, place] == pytest.approx(plain(rest, r), rel=1e-13, nan_ok=True)
