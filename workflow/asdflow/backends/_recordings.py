"""Clips cut from one recording are not independent: for the self-score of one, all of them are left out.

A sibling in the bank is nearly a copy: with it, self-scores of cut recordings are many times too small, and
so is every threshold made of them. There are few recordings, so that what is left is simply fitted anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from asdflow.backends._base import Fitted
from asdflow.foundation.errors import AsdflowError
from asdflow.references.bank import Bank, Queries

#: From a bank to the backend fitted on it.
Fit = Callable[[Bank], Fitted]


@dataclass(frozen=True)
class ByRecording(Fitted):
    """A fitted backend whose self-scores leave out the recording.

    A recording of one clip keeps the backend's own self-score, which is exact; the clips of a larger one are
    scored by a fit on all others.
    """

    inner: Fitted
    bank: Bank
    fit: Fit

    def scores(self, queries: Queries) -> np.ndarray:
        """(M,) scores."""
        return self.inner.scores(queries)

    def domain_scores(self, queries: Queries) -> np.ndarray:
        """(2, M) scores against each domain."""
        return self.inner.domain_scores(queries)

    def self_scores(self) -> np.ndarray:
        """(N,) scores of each clip without its recording. Raises as the backend does on what is left."""
        return self._each(self.inner.self_scores, lambda fitted, clips: fitted.scores(clips))

    def domain_self_scores(self) -> np.ndarray:
        """(2, N) scores against each domain of each clip without its recording."""
        return self._each(self.inner.domain_self_scores, lambda fitted, clips: fitted.domain_scores(clips))

    def _each(
        self, of_single: Callable[[], np.ndarray], of_others: Callable[[Fitted, Queries], np.ndarray]
    ) -> np.ndarray:
        groups = self.bank.recordings
        alone = [len(clips) == 1 for clips in groups]
        result: Any = of_single() if any(alone) else None
        for clips in groups:
            if len(clips) == 1:
                continue
            rest, queries = self.bank.apart(clips)
            try:
                found = of_others(self.fit(rest), queries)
            except AsdflowError as error:
                where = f"a bank without one recording of {len(clips)} clips: {error.where}"
                remedy = f"{error.remedy} Or give more recordings: self-scores leave out all clips of one."
                raise type(error)(where, error.what, remedy) from None
            if result is None:
                result = np.empty((*found.shape[:-1], self.bank.size))
            result[..., clips] = found
        return result
