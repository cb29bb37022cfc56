"""The self-score of a clip leaves out all clips cut from its recording: by refitting, every detector."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from asdflow import backends, normalizations
from asdflow.foundation.errors import ConfigError, DataError
from asdflow.normalizations._base import Context
from asdflow.pipeline import build
from asdflow.references.bank import Bank

BANDS = 2
OPTIONS = {"beam": {"bands": BANDS}, "adabeam": {"bands": BANDS}, "gmm": {"components": 2}}
SMALL = {
    "smote": {"k": 2, "ratio": 0.8},
    "source_means": {"n": 3},
    "domain_density": {"k_source": 3, "k_target": 2},
}
#: Recordings of 16 source and 8 target clips: of three, two and one clip each.
RECORDINGS = np.array([*"aaabbbcccddefghi", *"rrrsst", "u", "v"])


def cells():
    for backend in backends.REGISTRY.names():
        for normalization in normalizations.REGISTRY.names():
            spec = {
                "backend": {"name": backend, **OPTIONS.get(backend, {})},
                "normalization": {"name": normalization, **SMALL.get(normalization, {})},
            }
            try:
                build.detector(spec)
            except ConfigError:
                continue
            yield pytest.param(spec, id=f"{backend}-{normalization}")


@pytest.fixture(scope="module")
def bank():
    """Clips of one recording are near to each other, in no order."""
    random = np.random.default_rng(5)
    middles = {name: random.normal(size=8) for name in sorted(set(RECORDINGS))}
    vectors = np.array([middles[name] + 0.1 * random.normal(size=8) for name in RECORDINGS])
    domain = np.repeat([0, 1], [16, 8])
    order = random.permutation(len(RECORDINGS))
    return vectors[order].astype(np.float32), domain[order], RECORDINGS[order]


def without_scores(spec):
    """The same detector without its normalization where that is one of scores."""
    part = build.normalization(spec["normalization"])
    return {"backend": spec["backend"]} if part.parts() and part.parts()[0].kind == "scores" else spec


def expected(spec, vectors, domain, recording, by_domain=False):
    """Self-scores by refitting without each recording; of a lone clip, the detector's own."""
    alone = build.detector(spec).fit(vectors, domain)
    own = alone._fitted.domain_self_scores() if by_domain else alone.self_scores()
    for name in sorted(set(recording)):
        clips = np.flatnonzero(recording == name)
        if len(clips) > 1:
            rest = build.detector(spec).fit(np.delete(vectors, clips, axis=0), np.delete(domain, clips))
            if by_domain:
                from asdflow.references.bank import Queries

                own[:, clips] = rest._fitted.domain_scores(Queries(vectors[clips], rest._bank))
            else:
                own[clips] = rest.score_samples(vectors[clips])
    return own


class Given:
    """A fitted backend with these self-scores."""

    def __init__(self, own, by_domain) -> None:
        self.own, self.by_domain = own, by_domain

    def self_scores(self):
        return self.own

    def domain_self_scores(self):
        return self.by_domain


@pytest.mark.parametrize("spec", [*cells()])
def test_self_scores_are_those_of_fits_without_the_recording(spec, bank):
    vectors, domain, recording = bank
    found = build.detector(spec).fit(vectors, domain, recording=recording)
    plain = without_scores(spec)
    wanted = expected(plain, *bank)
    part = build.normalization(spec["normalization"])
    if plain is not spec and part.parts()[0].kind == "scores":
        by_domain = (
            expected(plain, *bank, by_domain=True) if build.backend(spec["backend"]).by_domain else None
        )
        context = Context(Bank(vectors, domain, recording=recording), None)
        wanted = part.parts()[0].wrap(Given(wanted, by_domain), context).self_scores()
    np.testing.assert_allclose(found.self_scores(), wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("spec", [cell for cell in cells() if without_scores(*cell.values) is cell.values[0]])
def test_scores_that_are_not_made_of_self_scores_do_not_know_of_recordings(spec, bank):
    vectors, domain, recording = bank
    new = np.random.default_rng(1).normal(size=(5, 8)).astype(np.float32)
    grouped = build.detector(spec).fit(vectors, domain, recording=recording).score_samples(new)
    np.testing.assert_array_equal(grouped, build.detector(spec).fit(vectors, domain).score_samples(new))


def test_siblings_in_the_bank_made_self_scores_many_times_too_small(bank):
    vectors, domain, recording = bank
    spec = {"backend": {"name": "knn", "metric": "euclidean"}}
    grouped = build.detector(spec).fit(vectors, domain, recording=recording).self_scores()
    alone = build.detector(spec).fit(vectors, domain).self_scores()
    cut = np.isin(recording, list("abcdrs"))
    assert np.median(grouped[cut] / alone[cut]) > 4
    np.testing.assert_array_equal(grouped[~cut], alone[~cut])


def test_recordings_of_one_clip_each_change_nothing(bank):
    vectors, domain, _ = bank
    spec = {"backend": {"name": "mahalanobis"}, "normalization": {"name": "zscore"}}
    names = [f"clip {number}" for number in range(len(vectors))]
    lone = build.detector(spec).fit(vectors, domain, recording=names).self_scores()
    np.testing.assert_array_equal(lone, build.detector(spec).fit(vectors, domain).self_scores())


def test_the_order_of_the_bank_does_not_matter(bank):
    vectors, domain, recording = bank
    order = np.random.default_rng(2).permutation(len(vectors))
    for spec in (
        {"backend": {"name": "pca_residual", "rank": 3}},
        {"backend": {"name": "knn"}, "normalization": {"name": "zscore", "self_scores": "kfold", "folds": 3}},
    ):
        first = build.detector(spec).fit(vectors, domain, recording=recording).self_scores()
        other = build.detector(spec).fit(vectors[order], domain[order], recording=recording[order])
        np.testing.assert_allclose(other.self_scores(), first[order], rtol=1e-9)


def test_folds_keep_recordings_together(bank, monkeypatch):
    vectors, domain, recording = bank
    apart = []
    original = Bank.part

    def part(self, clips):
        gone = np.setdiff1d(np.arange(self.size), clips)
        apart.append(set(recording[gone]) & set(recording[clips]))
        return original(self, clips)

    monkeypatch.setattr(Bank, "part", part)
    spec = {"backend": {"name": "knn"}, "normalization": {"name": "zscore", "self_scores": "kfold"}}
    build.detector(spec).fit(vectors, domain, recording=recording)
    assert len(apart) >= 5 and not set.union(*apart)


def test_one_recording_of_a_domain_is_refused_where_domains_are_needed(bank):
    vectors, domain, recording = bank
    one = np.where(domain == 1, "r", recording)
    spec = {"backend": {"name": "domain_knn"}}
    fitted = build.detector(spec).fit(vectors, domain, recording=one)
    assert np.isfinite(fitted.score_samples(vectors)).all()
    with pytest.raises(ConfigError, match=r"without one recording of 8 clips.*Or give more recordings"):
        fitted.self_scores()


def test_names_of_another_number_than_clips_are_refused(bank):
    vectors, domain, recording = bank
    with pytest.raises(DataError, match=r"recording: has shape \(3,\)"):
        build.detector({"backend": {"name": "knn"}}).fit(vectors, domain, recording=recording[:3])


def test_it_survives_a_pickle(bank):
    vectors, domain, recording = bank
    fitted = build.detector({"backend": {"name": "gmm", "components": 2}}).fit(
        vectors, domain, recording=recording
    )
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.self_scores(), fitted.self_scores())
