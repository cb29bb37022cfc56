"""Transforms of Winograd's F(4 x 4, 3 x 3) by Cook and Toom, from tiles of 6 x 6 to places and back to 4 x 4.

A place is a pair of points, one an axis. Besides 0 and infinity the points are +-a and +-b, so B^T d and A^T
m fall apart into sums over even and over odd indices, which the two points of a pair add and subtract. Each
axis has index (2, 3): of inputs and outputs the parity, then half the index; of places 0, +a, +b, then
infinity, -a, -b. That takes a quarter of the products that the Kronecker squares of the matrices take.
"""

from __future__ import annotations

import torch

TILE, STEP = 6, 4  # inputs and outputs of a tile, along each axis
# Where the polynomials behind the algorithm are evaluated, besides infinity. The usual 0, 1, -1, 2, -2 have
# matrices of small integers but four times the rounding error; with these it is that of the plain sum.
POINTS = (0.0, 0.5**0.5, 2.0**0.5, -(0.5**0.5), -(2.0**0.5))
FIRST, SECOND = [0, 1, 2], [5, 3, 4]  # `matrices` has them in the order 0, a, b, -a, -b, infinity
ODD = [5, 1, 2]  # what stands for the odd half: infinity, whose power is odd, and the pairs
PAIRED = slice(1, 3)


def kernels(weight: torch.Tensor) -> torch.Tensor:
    """(outputs, inputs, 3, 3) to (36 places, inputs, outputs), float64: both parities, then both halves.

    `ahead` gives the places of +a and +b a minus sign, which is taken back here.
    """
    kernel = matrices()[0]
    signed = torch.stack([kernel[FIRST], kernel[SECOND]])
    signed[0, PAIRED] *= -1
    return torch.einsum("pai,qbj,kcij->pqabck", signed, signed, weight).flatten(0, 3).contiguous()


def halves_ahead() -> torch.Tensor:
    """(4, 9, 9) float64: B^T of even and odd inputs, both axes, for `ahead`."""
    matrix = matrices()[1]
    return _both_axes(matrix[FIRST, 0::2], matrix[ODD, 1::2])


def halves_back() -> torch.Tensor:
    """(4, 4, 9) float64: A^T of even and odd outputs, both axes, for `back`."""
    matrix = matrices()[2]
    even = matrix[0::2, FIRST]
    even[:, PAIRED] *= -1  # `back` has the sums with a minus sign
    return _both_axes(even, matrix[1::2, ODD])


def ahead(halves: torch.Tensor, tiles: torch.Tensor, out: torch.Tensor) -> None:
    """B^T d B. Tiles and out: (2, 2, 9, n), parities first; out is then (2, 2, 3, 3, n) places."""
    torch.bmm(halves, tiles.flatten(0, 1), out=out.flatten(0, 1))
    pairs(out.unflatten(2, (3, 3)))


def back(halves: torch.Tensor, places: torch.Tensor, out: torch.Tensor) -> None:
    """A^T m A. Places (2, 2, 9, n) are overwritten; out: (2, 2, 4, n), parities first."""
    pairs(places.unflatten(2, (3, 3)))
    torch.bmm(halves, places.flatten(0, 1), out=out.flatten(0, 1))


def pairs(x: torch.Tensor) -> None:
    """(2, 2, 3, 3, n), in place and along both axes: the pair e, o becomes -(e + o), e - o."""
    for first, second in (
        (x[0, :, PAIRED], x[1, :, PAIRED]),
        (x[:, 0, :, PAIRED], x[:, 1, :, PAIRED]),
    ):
        torch.sub(first, second, out=second)
        torch.sub(second, first, alpha=2, out=first)


def matrices() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """G (6 x 3), B^T (6 x 6) and A^T (4 x 6), float64, in the order of `POINTS`, then infinity.

    With x a point, a row of G is 1, x, x^2, a column of A^T 1, x, x^2, x^3, and B^T the transposed inverse of
    the powers up to x^5. Infinity has the highest power only.
    """

    def powers(count: int) -> torch.Tensor:
        last = [0.0] * (count - 1) + [1.0]
        rows = [[point**power for power in range(count)] for point in POINTS]
        return torch.tensor([*rows, last], dtype=torch.float64)

    return powers(TILE - STEP + 1), torch.linalg.inv(powers(TILE)).T.contiguous(), powers(STEP).T.contiguous()


def _both_axes(even: torch.Tensor, odd: torch.Tensor) -> torch.Tensor:
    return torch.stack([torch.kron(rows, columns) for rows in (even, odd) for columns in (even, odd)])
