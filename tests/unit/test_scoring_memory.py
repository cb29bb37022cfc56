"""What the detectors of a section share is gone before the next section begins."""

import gc

import numpy as np

from asdflow.references import bank
from asdflow.stages import scores


def test_of_two_sections_one_bank_lives_at_a_time(monkeypatch):
    draw = np.random.default_rng(0)
    alive = []
    names = {"first": {"train": np.arange(12), "test": np.arange(12, 15)}}

    class Section:
        machine, name = "fan", "00"
        train, test = names["first"]["train"], names["first"]["test"]

    def shared(*_):
        alive.append(sum(type(one) is bank.Bank for one in gc.get_objects()))
        clips = draw.normal(size=(15, 8))
        made = bank.Bank(clips[:12], np.repeat([0, 1], [8, 4]))
        return made, bank.Queries(clips[12:], made)

    class Table:
        def take(self, rows):
            return self

    monkeypatch.setattr(scores, "sections", lambda _: [Section, Section, Section])
    monkeypatch.setattr(scores, "_shared", shared)
    monkeypatch.setattr(scores, "_with_labels", lambda clips, rows: {})
    detectors = {
        "knn": {
            "backend": {"name": "knn"},
            "normalization": [{"name": "memmixup"}, {"name": "density_ratio"}],
        }
    }
    scores.score_columns(None, Table(), detectors, {})  # what is compiled now leaves tracebacks behind
    alive.clear()
    gc.collect()
    gc.disable()
    try:
        found = scores.score_columns(None, Table(), detectors, {})
    finally:
        gc.enable()
    assert len(found["score"]) == 45
    assert alive[1:] == alive[:1] * 2
