"""Poolings against their formulas in plain loops, and what each promises."""

from __future__ import annotations

import math

import numpy as np
import pytest

from asdflow import poolings
from asdflow.foundation.errors import ConfigError, DataError
from asdflow.pipeline import build


def weights(frames, gamma):
    """(1 + d_t / max d)^gamma of (time, values), summing to 1."""
    mean = [sum(column) / len(frames) for column in zip(*frames, strict=True)]
    away = [math.dist(frame, mean) for frame in frames]
    largest = max(away)
    raw = [(1 + (d / largest if largest else 0.0)) ** gamma for d in away]
    return [w / sum(raw) for w in raw]


def over_time(rule):
    """Formula of one dimension's values to a formula of (time, bands, channels)."""

    def whole(frames):
        _, bands, channels = frames.shape
        return [rule(frames[:, b, c].tolist()) for b in range(bands) for c in range(channels)]

    return whole


def weighted(gamma, per_band, rule):
    """`rule(values, weights)` with the weights of relative deviation pooling."""

    def whole(frames):
        time, bands, channels = frames.shape
        result = []
        for b in range(bands):
            seen = frames[:, b] if per_band else frames.reshape(time, -1)
            w = weights(seen.tolist(), gamma)
            result += [rule(frames[:, b, c].tolist(), w) for c in range(channels)]
        return result

    return whole


def mean(values):
    return sum(values) / len(values)


def gwrp(r):
    def rule(values):
        w = [r**rank for rank in range(len(values))]
        return sum(a * b for a, b in zip(w, sorted(values, reverse=True), strict=True)) / sum(w)

    return rule


def power(p, clamp=0.0):
    return lambda values, w: sum(a * max(v, clamp) ** p for a, v in zip(w, values, strict=True)) ** (1 / p)


def even(rule):
    return lambda values: rule(values, [1 / len(values)] * len(values))


def average(values, w):
    return sum(a * v for a, v in zip(w, values, strict=True))


CASES = {
    "mean": ({"name": "mean"}, over_time(mean)),
    "max": ({"name": "max"}, over_time(max)),
    "gwrp": ({"name": "gwrp", "r": 0.6}, over_time(gwrp(0.6))),
    "gem": ({"name": "gem", "p": 3.0}, over_time(even(power(3)))),
    "gem high": ({"name": "gem", "p": 10.0}, over_time(even(power(10)))),
    "gem clamped": ({"name": "gem", "p": 2.5, "clamp": 0.2}, over_time(even(power(2.5, 0.2)))),
    "rdp joint": ({"name": "rdp", "gamma": 10.0}, weighted(10, False, average)),
    "rdp band": ({"name": "rdp", "gamma": 4.0, "weights": "band"}, weighted(4, True, average)),
    "rdp_gem joint": ({"name": "rdp_gem", "gamma": 9.0, "p": 3.0}, weighted(9, False, power(3))),
    "rdp_gem band": (
        {"name": "rdp_gem", "gamma": 2.0, "p": 4.0, "weights": "band"},
        weighted(2, True, power(4)),
    ),
}


@pytest.fixture(scope="module")
def frames():
    """(batch, time, bands, channels), with negative values."""
    return np.random.default_rng(0).normal(0.3, 1.0, size=(3, 11, 4, 5))


def test_the_poolings_are_those_of_the_issue():
    assert set(poolings.REGISTRY.names()) >= {"mean", "max", "gwrp", "gem", "rdp", "rdp_gem", "statistics"}


@pytest.mark.parametrize("name", CASES)
def test_a_vector_is_that_of_the_formula(name, frames):
    spec, formula = CASES[name]
    np.testing.assert_allclose(build.pooling(spec)(frames), [formula(clip) for clip in frames], rtol=1e-11)


@pytest.mark.parametrize("name", CASES)
def test_averaged_bands_are_averaged_before_pooling(name, frames):
    spec, formula = CASES[name]
    averaged = frames.mean(axis=2, keepdims=True)
    found = build.pooling(spec | {"bands": "mean"})(frames)
    np.testing.assert_allclose(found, [formula(clip) for clip in averaged], rtol=1e-11)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("time", [1, 7])
def test_frames_that_are_all_alike_return_the_frame(name, time, frames):
    spec, _ = CASES[name]
    frame = np.abs(frames[:, :1]) + 0.5
    constant = np.repeat(frame, time, axis=1)
    np.testing.assert_allclose(build.pooling(spec)(constant), frame.reshape(len(frame), -1), rtol=1e-13)


@pytest.mark.parametrize("name", CASES)
def test_single_precision_is_within_a_ten_thousandth(name, frames):
    spec, _ = CASES[name]
    single = build.pooling(spec)(frames.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, build.pooling(spec)(frames), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_a_clip_is_pooled_the_same_alone_and_in_a_batch(name, frames, monkeypatch):
    spec, _ = CASES[name]
    together = build.pooling(spec)(frames)
    monkeypatch.setattr("asdflow.poolings._base.BATCH", 1)
    np.testing.assert_array_equal(build.pooling(spec)(frames), together)


@pytest.mark.parametrize("name", ["mean", "max", "gwrp", "gem", "rdp joint", "rdp_gem band"])
def test_the_order_of_frames_does_not_matter(name, frames):
    spec, _ = CASES[name]
    backwards = build.pooling(spec)(frames[:, ::-1])
    np.testing.assert_allclose(backwards, build.pooling(spec)(frames), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize(
    ("limit", "same"),
    [
        ({"name": "gwrp", "r": 1.0}, {"name": "mean"}),
        ({"name": "gwrp", "r": 0.0}, {"name": "max"}),
        ({"name": "rdp", "gamma": 0.0}, {"name": "mean"}),
        ({"name": "rdp_gem", "gamma": 0.0, "p": 3.0}, {"name": "gem", "p": 3.0}),
    ],
    ids=lambda spec: spec["name"],
)
def test_a_parameter_at_its_limit_is_the_simpler_pooling(limit, same, frames):
    np.testing.assert_allclose(build.pooling(limit)(frames), build.pooling(same)(frames), rtol=1e-12)


def test_no_power_overflows(frames):
    huge = 1e30 * np.abs(frames)
    found = build.pooling({"name": "gem", "p": 60.0})(huge)
    assert np.isfinite(found).all()
    assert (found <= huge.max(axis=1).reshape(found.shape) * (1 + 1e-12)).all()


def test_statistics_stand_side_by_side_in_every_band(frames):
    found = build.pooling({"name": "statistics"})(frames).reshape(3, 4, 2, 5)
    np.testing.assert_allclose(found[:, :, 0], frames.mean(axis=1), rtol=1e-12)
    spread = np.sqrt(np.square(frames - frames.mean(axis=1, keepdims=True)).mean(axis=1))
    np.testing.assert_allclose(found[:, :, 1], spread, rtol=1e-12)
    both = build.pooling({"name": "statistics", "parts": ["mean", "max"]})(frames).reshape(3, 4, 2, 5)
    np.testing.assert_array_equal(both[:, :, 1], frames.max(axis=1))


def test_a_statistic_named_twice_is_refused():
    with pytest.raises(ConfigError, match="once"):
        build.pooling({"name": "statistics", "parts": ["mean", "mean"]})


@pytest.mark.parametrize("name", poolings.REGISTRY.names())
def test_frames_that_are_not_finite_name_the_clip(name, frames):
    broken = frames.copy()
    broken[2, 3, 1, 0] = np.nan
    with pytest.raises(DataError, match="clip 2"):
        build.pooling({"name": name})(broken)


@pytest.mark.parametrize("name", poolings.REGISTRY.names())
def test_frames_of_another_shape_are_refused(name, frames):
    with pytest.raises(DataError, match="shape"):
        build.pooling({"name": name})(frames[0])
