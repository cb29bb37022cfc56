"""Every system of a folder, scored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from asdflow import metrics
from asdflow.exchange.labelling import Clip, clips_of_list, clips_of_names, clips_of_table
from asdflow.exchange.reading import WITHOUT, Submission, Unit, read_folder, stem
from asdflow.foundation.errors import ConfigError, DataError

if TYPE_CHECKING:
    from asdflow.clips.dcase_names import ClipName


@dataclass(frozen=True)
class Evaluation:
    """Systems of a folder, evaluated; printing it gives a leaderboard in percent.

    Attributes
    ----------
    measure : metrics.Measure
        What was computed.
    clips : tuple of Clip
        Every test clip with its label and recording.
    scores : dict of str to metrics.Score
        Overall score of each system and its table by machine and section.
    metrics : dict of str to list
        Long table with intervals, columns as of `metrics.evaluate`.
    alarms : dict of str to metrics.Alarms
        Precision, recall and F1 of the systems that handed in decisions.
    differences : list of metrics.Difference
        Every other system against the reference, if one was named; a row a term, the overall score last.
    """

    measure: metrics.Measure
    clips: tuple[Clip, ...]
    scores: dict[str, metrics.Score]
    metrics: dict[str, list]
    alarms: dict[str, metrics.Alarms]
    differences: list[metrics.Difference] = field(default_factory=list)

    def ranking(self) -> list[str]:
        """Names of the systems, the best overall score first."""
        return sorted(self.scores, key=lambda name: (-self.scores[name].overall, name))

    def __str__(self) -> str:
        from asdflow.exchange.printing import leaderboard

        return leaderboard(self)


def evaluate_folder(
    path: str | Path,
    clips: pa.Table | str | Path | Mapping[str, Mapping[str, ClipName]] | None = None,
    machines: Sequence[str] | None = None,
    rounds: int = 1000,
    confidence: float = 0.95,
    seed_name: str = "exchange",
    method: str = "percentile",
    measure: str = "official",
    reference: str | None = None,
    decisions: bool = True,
) -> Evaluation:
    """Scores, with intervals, of every system under a folder.

    Parameters
    ----------
    path : path
        Sub-folders of score files, one a system (see `read_folder`).
    clips : pyarrow.Table, path or mapping, optional
        Clips table that knows labels, domains and recordings; or the organisers' list of evaluation labels as
        `datasets.dcase.labels.read_labels` gives it, for machines whose file names carry no label. Left out,
        all file names must carry the labels, and the machines are those that any system scores.
    machines : sequence of str, optional
        Only these; files and labels of the others are not looked at.
    rounds, confidence, seed_name, method
        Of the intervals, as for `metrics.evaluate`.
    measure : str
        A key of `metrics.MEASURES`.
    reference : str, optional
        A system that every other one is compared with, on the same resamples.
    decisions : bool
        Whether decisions are judged too, where a system has them.

    Raises
    ------
    DataError
        What `read_folder` raises; a system lacks a machine, section or clip that the others or the table
        have, or scores a clip that the table does not know; unknown labels; a clip that the labels have
        twice.
    ConfigError
        An unknown measure or reference.
    """
    if measure not in metrics.MEASURES:
        raise ConfigError("measure", f"is {measure!r}", f"Use one of {', '.join(metrics.MEASURES)}.")
    submissions = read_folder(path, machines, decisions)
    known = _of_machines(machines, _labelled(clips, submissions))
    chosen = metrics.MEASURES[measure]
    labels = {
        "anomaly": [clip.label for clip in known],
        "domain": [clip.domain for clip in known],
        "machine": [clip.machine for clip in known],
        "section": [clip.section for clip in known],
    }
    options = {
        "recording": [clip.recording for clip in known],
        "rounds": rounds,
        "confidence": confidence,
        "seed_name": seed_name,
        "method": method,
        "measure": chosen,
    }
    scores = {name: _aligned(name, s.scores, known, "scores") for name, s in submissions.items()}
    alarms = {
        name: _aligned(name, s.decisions, known, "decisions")
        for name, s in submissions.items()
        if s.decisions
    }
    return Evaluation(
        measure=chosen,
        clips=tuple(known),
        scores={name: metrics.compute(chosen, score, **labels) for name, score in scores.items()},
        metrics=metrics.evaluate(scores, **labels, **options),
        alarms={name: metrics.f1(alarm, **labels) for name, alarm in alarms.items()},
        differences=metrics.compare(scores, reference, **labels, **options) if reference else [],
    )


def _labelled(clips, submissions: Mapping[str, Submission]) -> list[Clip]:
    if clips is None:
        return clips_of_names(submissions)
    if isinstance(clips, Mapping):
        return clips_of_list(clips, submissions)
    return clips_of_table(clips)


def _of_machines(machines: Sequence[str] | None, known: list[Clip]) -> list[Clip]:
    """The labels of some machines, each clip once. Raises DataError for a machine that they lack."""
    there = {clip.machine for clip in known}
    absent = sorted(set(machines or ()) - there)
    if absent:
        have = ", ".join(sorted(there))
        raise DataError(f"machine {absent[0]!r}", "has no labelled test clip", f"There are: {have}.")
    if machines is not None:
        known = [clip for clip in known if clip.machine in machines]
    counts = Counter((clip.machine, clip.section, clip.name) for clip in known)
    for (machine, section, name), count in counts.items():
        if count > 1:
            raise DataError(
                f"labels of machine {machine!r}, section {section!r}",
                f"have the test clip {name!r} {count} times",
                "Give each clip one line, and a name of its own.",
            )
    return known


def _aligned(
    system: str, units: Mapping[Unit, Mapping[str, float]], known: list[Clip], word: str
) -> np.ndarray:
    """(M,) numbers in the order of the clips; raises DataError for what is missing, unknown or ambiguous."""
    expected = sorted({clip.unit for clip in known})
    also = f" Or {WITHOUT}" if word == "decisions" else ""
    for unit in expected:
        if unit not in units:
            raise DataError(
                f"system {system!r}",
                f"has no {word} of machine {unit[0]!r}, section {unit[1]!r}",
                f"Add the file, or leave the machine out of the evaluation for all systems.{also}",
            )
    given: dict[tuple[str, str, str], float] = {}
    for unit in sorted(units):
        if unit not in expected:
            raise DataError(
                f"system {system!r}",
                f"has {word} of machine {unit[0]!r}, section {unit[1]!r}, which the labels do not know",
                f"Known: {', '.join(f'{machine} {section}' for machine, section in expected)}.{also}",
            )
        for name, number in units[unit].items():
            given[*unit, stem(name)] = number
    wanted = [(clip.machine, clip.section, clip.name) for clip in known]
    missing = [key for key in wanted if key not in given]
    if missing:
        machine, _, name = missing[0]
        raise DataError(
            f"system {system!r}",
            f"lacks {word} of {len(missing)} of {len(wanted)} clips, first {name!r} of machine {machine!r}",
            f"Every system needs one for every test clip.{also}",
        )
    unknown = sorted(set(given) - set(wanted))
    if unknown:
        machine, _, name = unknown[0]
        raise DataError(
            f"system {system!r}",
            f"has {word} of {len(unknown)} unknown clips, first {name!r} of machine {machine!r}",
            f"Check the file name, and that the labels belong to this data set.{also}",
        )
    return np.array([given[key] for key in wanted])
