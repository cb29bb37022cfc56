"""What removing a vector leaves of a principal subspace is what a new decomposition finds."""

import numpy as np
import pytest

from asdflow.covariance.removal import poles

SPECTRA = {
    "decaying": np.geomspace(1.0, 1e-6, 40),
    "flat": 1.0 - 1e-4 * np.arange(40),
    "equal": np.repeat([3.0, 2.0, 1.0, 0.5], 10),
    "one large": np.r_[1e6, np.linspace(1, 0.5, 39)],
}


def decomposed(matrix: np.ndarray, z: np.ndarray, number: int) -> tuple[float, float, float]:
    """Squared length of z off the leading axes, sum and last of their eigenvalues."""
    values, axes = np.linalg.eigh(matrix)
    values, axes = values[::-1], axes[:, ::-1]
    return np.square(axes[:, number:].T @ z).sum(), values[:number].sum(), values[number - 1]


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("number", [1, 7, 20, 39])
def test_one_vector_removed(spectrum, number):
    value = SPECTRA[spectrum]
    draw = np.random.default_rng(4)
    z = draw.normal(size=(12, 40)) * np.sqrt(value / 40)
    z[0] *= 1e-6
    beta = 0.6 * min(1 / (np.square(row) / value).sum() for row in z)
    groups = poles(value)
    cut = groups.cut(groups.weights(z), beta, number)
    for row, lost, kept, smallest in zip(z, cut.lost, cut.kept, cut.smallest, strict=True):
        expected = decomposed(np.diag(value) - beta * np.outer(row, row), row, number)
        scale = np.square(row).sum()
        if spectrum != "equal" or number == 20:  # within equal eigenvalues any axes are right
            assert lost == pytest.approx(expected[0], rel=1e-9, abs=1e-11 * scale)
        assert kept == pytest.approx(expected[1], rel=1e-12)
        assert smallest == pytest.approx(expected[2], rel=1e-11)
