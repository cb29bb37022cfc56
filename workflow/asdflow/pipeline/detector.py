"""A detector: one backend and the normalizations around it, fitted on a bank of normal clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np

from asdflow import backends, normalizations
from asdflow.backends._base import Fitted, Remembered
from asdflow.backends._recordings import ByRecording
from asdflow.foundation.errors import AsdflowError, ConfigError
from asdflow.geometry.linear import one_blas_thread
from asdflow.geometry.space import PLAIN, Space
from asdflow.normalizations._base import ORDER, Context
from asdflow.references.bank import Bank, Queries
from asdflow.references.candidates import Candidates
from asdflow.references.references import References

KEYS = ("backend", "normalization")


class Fits:
    """What several detectors fit on one bank: references and backends, made once and kept with this object.

    Parameters
    ----------
    bank : Bank
    """

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        self._references: dict[tuple[Space, tuple[Any, ...]], Candidates] = {}
        self._fitted: dict[tuple[Any, tuple[Any, ...]], Fitted] = {}

    def references(self, space: Space, parts: tuple[Any, ...]) -> Candidates:
        """What normalizations, one after the other, make of the bank in this space."""
        if (space, parts) not in self._references:
            if parts:
                made = parts[-1].change(self.references(space, parts[:-1]))
            else:
                made = References(self.bank, space)
            self._references[space, parts] = made
        return self._references[space, parts]

    def fitted(self, backend: Any, parts: tuple[Any, ...]) -> Fitted:
        """The backend on these references."""
        if (backend, parts) not in self._fitted:
            references = self.references(backend.compares_in or PLAIN, parts)
            fitted = backend.fit(references)
            if self.bank.recording is not None:
                fitted = ByRecording(fitted, self.bank, Refit(backend, parts))
            self._fitted[backend, parts] = Remembered(fitted)
        return self._fitted[backend, parts]


@dataclass(frozen=True)
class Refit:
    """From a bank to the backend behind the same normalizations, fitted on it; can be pickled."""

    backend: Any
    parts: tuple[Any, ...]

    def __call__(self, bank: Bank) -> Fitted:
        return Fits(bank).fitted(self.backend, self.parts)


class Detector:
    """Normal embeddings to anomaly scores; larger is more anomalous.

    Parameters
    ----------
    backend : member of `asdflow.backends`
    parts : sequence of members of `asdflow.normalizations`
        In the order in which they act: on the bank, on distances to references, on scores.

    Raises
    ------
    ConfigError
        A normalization that is meaningless for the backend or stands in the wrong place.
    """

    def __init__(self, backend: Any, parts: Sequence[Any] = ()) -> None:
        self.backend = backend
        self.normalizations = tuple(parts)
        self._simple = tuple(simple for part in parts for simple in part.parts())
        self._check()
        self._bank: Bank | None = None
        self._fitted: Fitted | None = None

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> Detector:
        """Detector from `{"backend": {...}, "normalization": {...} or a list of them, or absent}`.

        Raises ConfigError as the registries do, and for a pair that is meaningless, with the reason.
        """
        if not isinstance(spec, Mapping) or "backend" not in spec:
            raise ConfigError(
                f"detector {spec!r}",
                "has no backend",
                "Write {backend: {name: ...}, normalization: {name: ...}}.",
            )
        unknown = [key for key in spec if key not in KEYS]
        if unknown:
            raise ConfigError(f"detector, key {unknown[0]!r}", "is not known", f"Known: {', '.join(KEYS)}.")
        entry = spec.get("normalization")
        entries = [] if entry is None else [entry] if isinstance(entry, Mapping) else list(entry)
        backend = backends.REGISTRY.build(spec["backend"])
        return cls(backend, [normalizations.REGISTRY.build(part) for part in entries])

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics whose distance matrices `fit` and `score_samples` can be handed."""
        return tuple(self.backend.metrics)

    @property
    def needs_domains(self) -> bool:
        """Uses the domain labels of the bank."""
        return self.backend.needs_domains or any(part.needs_domains for part in self._simple)

    @property
    def transductive(self) -> bool:
        """Uses statistics of the clips to be scored."""
        return any(part.transductive for part in self._simple)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """What it was made with, for `sklearn.base.clone`."""
        return {"backend": self.backend, "parts": self.normalizations}

    def __sklearn_tags__(self):
        """For a scikit-learn pipeline. No outlier detector of its kind: those score the normal higher."""
        from sklearn.utils import Tags, TargetTags

        return Tags(estimator_type=None, target_tags=TargetTags(required=False))

    def __sklearn_is_fitted__(self) -> bool:
        return self._fitted is not None

    def __repr__(self) -> str:
        return "detector " + " + ".join(_written(part) for part in (self.backend, *self.normalizations))

    def fit(
        self,
        bank: np.ndarray | Bank | Fits,
        domain: np.ndarray | None = None,
        distances: Mapping[str, np.ndarray] | None = None,
        recording: np.ndarray | None = None,
    ) -> Detector:
        """Fit on normal clips.

        Parameters
        ----------
        bank : (N, D) float, or a Bank or Fits that several detectors share
        domain : (N,) int, optional
            0 source, 1 target.
        distances : mapping of metric to (N, N) float64, optional
            `pairwise(bank, None, metric)` for metrics of `self.metrics`. Changes no bit of the result.
        recording : (N,) int or str, optional
            Clips of one recording are not independent: the self-score of one leaves all of them out.

        Returns
        -------
        self

        Raises
        ------
        ConfigError
            Parameters that ask for more clips than there are; domains that are needed and absent.
        DataError
            NaN or infinity; shapes that do not fit; a bank without any spread where a spread is needed.
        """
        with self._named():
            if not isinstance(bank, Bank | Fits):
                bank = Bank(bank, domain, distances, recording)
            fits = bank if isinstance(bank, Fits) else Fits(bank)
            self._bank, self._fitted = fits.bank, self._fit(fits, self._of_kind("scores"))
        return self

    def score_samples(
        self, x: np.ndarray | Queries, distances: Mapping[str, np.ndarray] | None = None
    ) -> np.ndarray:
        """Score clips.

        Parameters
        ----------
        x : (M, D) float, or Queries that several detectors share
        distances : mapping of metric to (M, N) float64, optional
            `pairwise(x, bank, metric)`. Changes no bit of the result.

        Returns
        -------
        (M,) float64, larger is more anomalous.
        """
        self._require_fit()
        with self._named():
            queries = x if isinstance(x, Queries) else Queries(x, self._bank, distances)
            return self._fitted.scores(queries)

    def self_scores(self) -> np.ndarray:
        """(N,) float64: every clip of the bank scored as if its recording had not been in the bank."""
        self._require_fit()
        with self._named():
            return self._fitted.self_scores()

    def _fit(self, fits: Fits, scores: Sequence[Any]) -> Fitted:
        """The backend behind all normalizations but those of scores, and these."""
        fitted = fits.fitted(self.backend, tuple(self._of_kind("bank") + self._of_kind("reference")))
        for number, part in enumerate(scores):
            before = scores[:number]
            fitted = part.wrap(fitted, Context(fits.bank, partial(self._refit, fits.bank, before)))
        return fitted

    def _refit(self, bank: Bank, before: Sequence[Any], clips: np.ndarray) -> tuple[Fitted, Bank]:
        """Backend and the score normalizations `before`, fitted on some of the clips."""
        smaller = bank.part(clips)
        return self._fit(Fits(smaller), before), smaller

    def _of_kind(self, kind: str) -> list[Any]:
        return [part for part in self._simple if part.kind == kind]

    def _check(self) -> None:
        """Refuse meaningless pairs and orders."""
        place = [ORDER.index(part.kind) for part in self._simple]
        for first, second in zip(self._simple, self._simple[1:], strict=False):
            if ORDER.index(first.kind) > ORDER.index(second.kind):
                raise ConfigError(
                    f"{self}",
                    f"{second.name} acts on {_ACTS[second.kind]}, so it cannot follow {first.name}, "
                    f"which acts on {_ACTS[first.kind]}",
                    "Order the list: bank first, then distances to references, then scores.",
                )
        if place.count(ORDER.index("reference")) > 1:
            names = [part.name for part in self._simple if part.kind == "reference"]
            raise ConfigError(
                f"{self}",
                f"{' and '.join(names)} both relate a distance to the density around the reference",
                "Keep one of them.",
            )
        for part in self._simple:
            refused = self.backend.refuses
            reason = refused.get(part.name) or refused.get(part.kind) or part.refusal(self.backend)
            if reason:
                raise ConfigError(
                    f"{self}",
                    f"{part.name} is meaningless for {self.backend.name}: {reason}",
                    "Drop the normalization or choose another backend.",
                )

    def _require_fit(self) -> None:
        if self._fitted is None:
            raise ConfigError(f"{self}", "has not seen a bank", "Call fit(bank, domain) first.")

    @contextmanager
    def _named(self):
        """Errors name the detector; BLAS runs in one thread so that bits do not depend on their number."""
        try:
            with one_blas_thread():
                yield
        except AsdflowError as error:
            raise type(error)(f"{self}: {error.where}", error.what, error.remedy) from None


_ACTS = {"bank": "the bank", "reference": "distances to references", "scores": "scores"}


def _written(part: Any) -> str:
    """A member as it is written in a configuration, with its parameters that are set."""
    shown = [f"{field.name}={getattr(part, field.name)!r}" for field in fields(part)]
    return f"{part.name}({', '.join(shown)})" if shown else part.name
