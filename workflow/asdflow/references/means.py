"""Clips of a bank or weighted means of them, in one space: how far it is to them, also without a clip.

Distances to means follow from the distances between clips, without the vectors (`mixed_distances`).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np

from asdflow.foundation.memory import Lean
from asdflow.geometry.neighbours import as_slice, in_order
from asdflow.geometry.order import canonical_order
from asdflow.geometry.space import Space
from asdflow.references.bank import Bank, Embedded
from asdflow.references.mixed_distances import Affine, finished, from_clips, of_means, without
from asdflow.references.recipes import NOBODY, Pairs, Recipe


class Means(Lean):
    """Clips of a bank, or weighted means of them, and how far it is to them in one space.

    Parameters
    ----------
    bank : Bank
    space : Space
    recipe : Recipe, optional
        How they are made of the clips; default: they are the clips.
    """

    def __init__(self, bank: Bank, space: Space, recipe: Recipe | None = None) -> None:
        self.bank, self.space = bank, space
        self.recipe = Recipe.of_clips(bank.size, bank.domain) if recipe is None else recipe

    @property
    def size(self) -> int:
        """Number of references R."""
        return self.recipe.size

    @property
    def domain(self) -> np.ndarray | None:
        """(R,) 0 source, 1 target; or None."""
        return self.recipe.domain

    @property
    def owners(self) -> np.ndarray:
        """(R, P) clips that take a reference away when they are left out; NOBODY fills up."""
        return self.recipe.owners

    @property
    def vectors(self) -> np.ndarray:
        """(R, D) float."""
        vectors = self.bank.vectors
        return vectors[self.clips] if self.clips is not None else self.mixed(vectors.astype(np.float64))

    @property
    def order(self) -> np.ndarray:
        """(R,) their numbers in an order that depends on their vectors alone."""
        return self.bank.order if self.clips == slice(0, self.bank.size) else canonical_order(self.vectors)

    @cached_property
    def clips(self) -> slice | np.ndarray | None:
        """Numbers of the clips that these are; None where some are means of several."""
        if (np.count_nonzero(self.recipe.weights, axis=1) > 1).any():
            return None
        place = self.recipe.weights.argmax(axis=1)
        return as_slice(self.recipe.parents[np.arange(self.size), place])

    def mixed(self, rows: np.ndarray) -> np.ndarray:
        """(R, n) weighted means of (N, n) rows of the clips."""
        return self.weights @ rows

    @cached_property
    def weights(self):
        """(R, N) sparse."""
        return self.recipe.sparse(self.bank.size)

    @cached_property
    def variance(self) -> np.ndarray:
        """(bands, R): h, of the parents of each reference; 0 for a clip."""
        result = np.zeros((self.space.bands, self.size))
        if self.clips is not None:
            return result
        two = self.recipe.weights.shape[1] == 2
        for out, known in zip(result, self.bank.distances(self.space), strict=True):
            if two:
                apart = self.space.squares(known[*self.recipe.parents.T])
                out[:] = self.recipe.weights.prod(axis=1) * apart
            else:
                out[:] = 0.5 * self.weights.multiply(self.mixed(self.space.squares(known))).sum(axis=1)
        return result

    @cached_property
    def affine(self) -> list[Affine]:
        """Of each band what makes distances to the references of mean squared distances to their parents."""
        return [from_clips(h, self.recipe.rescaled, self.space.metric) for h in self.variance]

    # -- distances -------------------------------------------------------------------------------------------

    def to(self, clips: Embedded, rows: slice = slice(None)) -> np.ndarray:
        """(bands, rows, R) distances from clips. Not to be written to."""
        known = clips.distances(self.space)[:, rows]
        return known[:, :, self.clips] if self.clips is not None else self._from_squares(self._squares(known))

    def left_out(self, rows: slice = slice(None)) -> np.ndarray:
        """(bands, rows, R) distances from clips of the bank, each left out.

        Infinite to references that a clip takes away; it is taken out of means of which it is a part.
        """
        start, stop, _ = rows.indices(self.bank.size)
        if not self.moves:
            result = np.array(self.to(self.bank, rows))
        else:
            square = self._squares(self.bank.distances(self.space)[:, rows])
            result = self._from_squares(square)
            clips, references, weight = self._removed
            some = slice(*np.searchsorted(clips, (start, stop)))
            at, rescaled = (clips[some] - start, references[some]), self.recipe.rescaled[references[some]]
            for out, of_band, h in zip(result, square, self.variance, strict=True):
                out[at] = without(weight[some], of_band[at], h[at[1]], rescaled, self.space.metric)
        clips, references = self.owned(start, stop)
        result[:, clips - start, references] = np.inf
        return result

    def at(self, clips: Embedded, band: int, rows: np.ndarray, references: np.ndarray) -> np.ndarray:
        """(n,) distances, pair by pair; those of the bank's own clips as of `left_out`."""
        if clips is self.bank and self.moves:
            return self.left_out()[band, rows, references]
        scale, shift = self.affine[band]
        square = self._mean_squares(clips, band, rows, references)
        return finished(scale[references] * square - shift[references], self.space.metric)

    def among(self, rows: slice | np.ndarray = slice(None)) -> np.ndarray:
        """(bands, rows, R) distances from some references to all. Not to be written to."""
        known = self.bank.distances(self.space)
        if self.clips is not None:
            return known[:, np.arange(self.bank.size)[self.clips][rows]][:, :, self.clips]
        result = np.empty((self.space.bands, len(np.arange(self.size)[rows]), self.size))
        rescaled = self.recipe.rescaled
        for out, of_band, h in zip(result, known, self.variance, strict=True):
            to_clips = self.weights[rows] @ self.space.squares(of_band)
            out[...] = self.mixed(to_clips.T).T
            of_means(out, (h[rows, None], h), (rescaled[rows, None], rescaled), self.space.metric)
        return result

    def _squares(self, known: np.ndarray) -> np.ndarray:
        """(bands, n, R) mean squared distances to the parents, from (bands, n, N) distances to the clips."""
        return np.stack([self.mixed(self.space.squares(of_band).T).T for of_band in known])

    def _from_squares(self, squares: np.ndarray) -> np.ndarray:
        """(bands, n, R) distances of what `_squares` gives."""
        values = [scale * square - shift for square, (scale, shift) in zip(squares, self.affine, strict=True)]
        return finished(np.stack(values), self.space.metric)

    def _mean_squares(
        self, clips: Embedded, band: int, rows: np.ndarray, references: np.ndarray
    ) -> np.ndarray:
        """(n,) mean squared distance of each clip to the parents of each reference, pair by pair."""
        known, recipe = clips.distances(self.space)[band], self.recipe.take(references)
        total = np.zeros(len(rows))
        for parents, weights in zip(recipe.parents.T, recipe.weights.T, strict=True):
            total += weights * self.space.squares(known[rows, parents])
        return total

    # -- leaving a clip out ----------------------------------------------------------------------------------

    def owned(self, start: int, stop: int) -> Pairs:
        """Pairs (clip, reference that it takes away) of the clips from `start` to before `stop`."""
        clips, references = self._owned
        some = slice(*np.searchsorted(clips, (start, stop)))
        return clips[some], references[some]

    @property
    def moves(self) -> bool:
        """Whether leaving a clip out moves references: means of which it is a part."""
        return len(self._removed[0]) > 0

    @cached_property
    def _owned(self) -> Pairs:
        references, places = np.nonzero(self.owners != NOBODY)
        clips = self.owners[references, places]
        order = in_order(clips)
        return clips[order], references[order]

    @cached_property
    def _removed(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Clip, reference and weight where a clip is taken out of a mean, by clip."""
        some = replace(self.recipe, weights=np.where(self.recipe.removable, self.recipe.weights, 0.0))
        parts = some.sparse(self.bank.size).tocsc().tocoo()
        clips, references, shares = parts.col, parts.row, parts.data
        partly = shares < 1
        return clips[partly], references[partly], shares[partly]
