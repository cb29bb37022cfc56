"""Distances and the products they are made of: exact values, and the same bits however computed."""

import numpy as np
import pytest

from asdflow.geometry.distances import METRICS, from_products, pairwise
from asdflow.geometry.inner_products import in_blocks, part_count, products, total
from asdflow.geometry.space import Space
from asdflow.references.bank import Bank, Queries


def vectors(count, dimensions, seed=0, offset=0.0, dtype=np.float32):
    values = np.random.default_rng(seed).normal(size=(count, dimensions)) + offset
    return values.astype(dtype)


def by_hand(x, y, metric):
    """In the widest type there is, from the definitions."""
    x, y = x.astype(np.longdouble), y.astype(np.longdouble)
    if metric == "cosine":
        x, y = (rows / np.sqrt(np.square(rows).sum(axis=1, keepdims=True)) for rows in (x, y))
    square = np.array([np.square(row - y).sum(axis=1) for row in x])
    return (square / 4 if metric == "cosine" else np.sqrt(square)).astype(np.float64)


CASES = {
    "plain": (vectors(40, 30), vectors(300, 30, 1)),
    "far from the origin": (vectors(40, 30, 0, 1e3), vectors(50, 30, 1, 1e3)),
    "almost parallel": (1 + 1e-4 * vectors(40, 30), 1 + 1e-4 * vectors(50, 30, 1)),
    "of all lengths": (vectors(40, 30) * np.logspace(-6, 6, 40)[:, None], vectors(50, 30, 1)),
    "one direction, other lengths": (
        np.linspace(0.1, 10, 40)[:, None] * (1 + 1e-5 * vectors(40, 30, dtype=np.float64)),
        np.linspace(0.1, 10, 50)[:, None] * (1 + 1e-5 * vectors(50, 30, 1, dtype=np.float64)),
    ),
    "long": (vectors(5, 6144), vectors(300, 6144, 1)),
}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("case", CASES)
def test_distances_are_those_of_the_definition(case, metric):
    x, y = CASES[case]
    np.testing.assert_allclose(pairwise(x, y, metric), by_hand(x, y, metric), rtol=1e-8)


@pytest.mark.parametrize("metric", METRICS)
def test_copies_are_at_distance_zero_and_near_copies_at_theirs(metric):
    y = vectors(300, 1536, offset=5.0, dtype=np.float64)
    x = y[[3, 290, 7]].copy()
    x[2, 0] += 1e-9
    found = pairwise(x, y, metric)
    assert found[0, 3] == found[1, 290] == 0.0
    np.testing.assert_allclose(found[2, 7], by_hand(x[2:], y[7:8], metric)[0, 0], rtol=1e-6)
    own = pairwise(np.concatenate([y, y[:2]]), None, metric)
    assert (np.diag(own) == 0).all()
    assert own[0, 300] == own[301, 1] == 0.0


@pytest.mark.parametrize("scale", [1e-200, 1e200, 1e-90, 1e90])
def test_the_cosine_of_tiny_and_huge_vectors_is_that_of_their_directions(scale):
    x, y = vectors(4, 10, dtype=np.float64), vectors(9, 10, 1, dtype=np.float64)
    mixed = y.copy()
    mixed[::2] *= scale
    np.testing.assert_allclose(pairwise(scale * x, mixed, "cosine"), pairwise(x, y, "cosine"), rtol=1e-9)
    bank = Bank(mixed)
    np.testing.assert_array_equal(bank.distances(Space("cosine"))[0], pairwise(mixed, None, "cosine"))


@pytest.mark.parametrize("metric", METRICS)
def test_a_set_is_compared_with_itself_by_half(metric, monkeypatch):
    from asdflow.geometry import inner_products

    count = 0
    original = inner_products.Block.times

    def counted(left, right):
        nonlocal count
        count += 1
        return original(left, right)

    monkeypatch.setattr(inner_products.Block, "times", counted)
    band = vectors(700, 90)[:, 30:60]  # not contiguous, so that it is copied first
    whole = pairwise(band, band, metric)
    assert count == 6  # of 3 x 3 blocks
    np.testing.assert_array_equal(whole, whole.T)
    np.testing.assert_array_equal(whole, pairwise(band, band.copy(), metric))


def test_a_vector_of_zeros_has_no_direction():
    x, y = np.zeros((2, 3)), np.array([[1.0, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(pairwise(x, y, "cosine"), [[0.5, 0.0], [0.5, 0.0]])
    np.testing.assert_array_equal(pairwise(y, None, "cosine"), [[0.0, 0.5], [0.5, 0.0]])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dimensions", [7, 768, 1536, 3072])
def test_bits_depend_on_the_two_vectors_alone(dimensions, metric):
    x, y = vectors(270, dimensions), vectors(300, dimensions, 1)
    whole = pairwise(x, y, metric)
    np.testing.assert_array_equal(pairwise(x, y, metric, threads=2, keep=dimensions), whole)
    np.testing.assert_array_equal(pairwise(x[200:], y, metric), whole[200:])
    order = np.random.default_rng(2).permutation(len(y))
    np.testing.assert_array_equal(pairwise(x, y[order], metric), whole[:, order])
    np.testing.assert_array_equal(pairwise(y, None, metric).T, pairwise(y, None, metric))


@pytest.mark.parametrize(
    "dimensions, count", [(768, 1), (1535, 1), (1536, 2), (6144, 8), (6145, 1), (12288, 16)]
)
def test_long_vectors_are_cut_into_equal_parts(dimensions, count):
    assert part_count(dimensions) == count


@pytest.mark.parametrize("bands", [1, 2, 4, 8, 3])
def test_bands_and_whole_vectors_share_products_bit_for_bit(bands):
    y, x = vectors(70, 6144, offset=1.0), vectors(20, 6144, 1, offset=1.0)
    bank = Bank(y)
    queries = Queries(x, bank)
    width = 6144 // bands
    for metric in METRICS:
        for band in range(bands):
            of_x, of_y = (rows[:, band * width : (band + 1) * width] for rows in (x, y))
            of_band = bank.distances(Space(metric, bands))[band]
            np.testing.assert_array_equal(of_band, pairwise(of_y, None, metric))
            np.testing.assert_array_equal(
                queries.distances(Space(metric, bands))[band], pairwise(of_x, of_y, metric)
            )


def _both_in(count, x, y):
    return zip(np.split(x, count, 1), np.split(y, count, 1), strict=True)


def test_products_are_centred_and_their_sums_are_those_of_the_parts():
    x, y = vectors(30, 3072, offset=3.0), vectors(40, 3072, 1, offset=3.0)
    whole = products(x, y)
    centre = y.astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(whole.inner, (x - centre) @ (y - centre).T, rtol=1e-2, atol=1.0)
    halves = [products(part_x, part_y) for part_x, part_y in _both_in(2, x, y)]
    fourths = [products(a, b) for a, b in _both_in(4, x, y)]
    summed = total(fourths, x, y)
    np.testing.assert_array_equal(summed.inner, whole.inner)
    np.testing.assert_array_equal(summed.left.norm, whole.left.norm)
    np.testing.assert_allclose(total(halves, x, y).inner, whole.inner, rtol=1e-12, atol=1e-9)
    for metric in METRICS:
        np.testing.assert_array_equal(from_products(whole, metric), pairwise(x, y, metric))


def test_the_rows_are_described_about_the_centre():
    y = vectors(300, 12, offset=2.0, dtype=np.float64)
    _, left, right = in_blocks(y, y, lambda left, right, block, diagonal: block)
    assert left is right
    mantissa, exponent = np.frexp(y.mean(axis=0))
    centre = np.ldexp(np.round(mantissa * 2**12) / 2**12, exponent)
    np.testing.assert_allclose(left.square, np.square(y - centre).sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(left.norm, np.square(y).sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(left.excess, left.norm - np.square(centre).sum(), rtol=1e-9)
    np.testing.assert_allclose(left.length, np.linalg.norm(y, axis=1), rtol=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_part_of_a_bank_keeps_its_distances_and_has_products_about_its_own_centre(metric):
    bank = Bank(vectors(50, 20, offset=3.0))
    known = bank.distances(Space(metric))
    some = np.array([3, 40, 7])
    part = bank.part(some)
    np.testing.assert_array_equal(part.distances(Space(metric))[0], known[0][np.ix_(some, some)])
    of_part, alone = part.products(), products(bank.vectors[some], bank.vectors[some])
    np.testing.assert_allclose(of_part.inner, alone.inner, rtol=1e-12)
    with_queries = Queries(vectors(4, 20, 1), part).products()
    np.testing.assert_array_equal(with_queries.right.square, of_part.right.square)
