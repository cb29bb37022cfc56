"""The official score of every system of a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from asdflow import metrics
from asdflow.errors import DataError
from asdflow.exchange.labelling import Clip, clips_of_names, clips_of_table, stem
from asdflow.exchange.reading import Submission, Unit, read_folder


@dataclass(frozen=True)
class Evaluation:
    """Systems of a folder, evaluated; printing it gives a leaderboard in percent.

    Attributes
    ----------
    official : dict of str to metrics.Score
        Official score of each system and its table by machine and section.
    metrics : dict of str to list
        Long table with intervals, columns as of `metrics.evaluate`.
    alarms : dict of str to metrics.Alarms
        Precision, recall and F1 of the systems that handed in decisions.
    """

    official: dict[str, metrics.Score]
    metrics: dict[str, list]
    alarms: dict[str, metrics.Alarms]

    def ranking(self) -> list[str]:
        """Names of the systems, the best official score first."""
        return sorted(self.official, key=lambda name: (-self.official[name].overall, name))

    def __str__(self) -> str:
        ends = {
            system: (100.0 * low, 100.0 * high)
            for system, machine, metric, low, high in zip(
                *(self.metrics[name] for name in ("system", "machine", "metric", "low", "high")), strict=True
            )
            if machine == "all" and metric == "official"
        }
        width = max(len("system"), *map(len, self.official))
        level = 100.0 * self.metrics["confidence"][0]
        lines = [
            f"{'system':<{width}}  official  {f'[{level:g} % interval]':>16}  "
            f"{'AUC source':>10}  {'AUC target':>10}  {'pAUC':>6}  {'F1':>6}"
        ]
        for name in self.ranking():
            score = self.official[name]
            low, high = ends[name]
            terms = (score.means.get(term) for term in ("auc_source", "auc_target", "pauc"))
            f1 = self.alarms[name].means["f1"] if name in self.alarms else None
            cells = [
                f"{'-' if v is None else f'{100 * v:.2f}':>{w}}"
                for v, w in zip((*terms, f1), (10, 10, 6, 6), strict=True)
            ]
            interval = f"[{low:.2f}, {high:.2f}]"
            lines.append(
                f"{name:<{width}}  {100 * score.overall:8.2f}  {interval:>16}  {'  '.join(cells)}".rstrip()
            )
        first = next(iter(self.official.values()))
        if first.domains != "source and target":
            lines.append(
                f"Domains with normal test clips: {first.domains}; terms of the others are left out."
            )
        return "\n".join(lines)


def evaluate_folder(
    path: str | Path,
    clips: pa.Table | str | Path | None = None,
    machines: Sequence[str] | None = None,
    rounds: int = 1000,
    confidence: float = 0.95,
    seed_name: str = "exchange",
    method: str = "percentile",
) -> Evaluation:
    """Official score, with intervals, of every system under a folder.

    Parameters
    ----------
    path : path
        Sub-folders of score files, one a system (see `read_folder`).
    clips : pyarrow.Table or path, optional
        Clips table that knows labels, domains and recordings. Left out, the file names must carry the labels,
        and the machines are those that any system scores.
    machines : sequence of str, optional
        Only these.
    rounds, confidence, seed_name, method
        Of the intervals, as for `metrics.evaluate`.

    Raises
    ------
    DataError
        What `read_folder` raises; a system lacks a machine, section or clip that the others or the table
        have, or scores a clip that the table does not know; unknown labels.
    """
    submissions = read_folder(path)
    known = clips_of_names(submissions) if clips is None else clips_of_table(clips)
    submissions, known = _only(machines, submissions, known)
    labels = {
        "anomaly": [clip.label for clip in known],
        "domain": [clip.domain for clip in known],
        "machine": [clip.machine for clip in known],
        "section": [clip.section for clip in known],
    }
    scores = {name: _aligned(name, s.scores, known, "scores") for name, s in submissions.items()}
    decisions = {
        name: _aligned(name, s.decisions, known, "decisions")
        for name, s in submissions.items()
        if s.decisions
    }
    return Evaluation(
        official={name: metrics.official(score, **labels) for name, score in scores.items()},
        metrics=metrics.evaluate(
            scores,
            **labels,
            recording=[clip.recording for clip in known],
            rounds=rounds,
            confidence=confidence,
            seed_name=seed_name,
            method=method,
        ),
        alarms={name: metrics.f1(decision, **labels) for name, decision in decisions.items()},
    )


def _only(
    machines: Sequence[str] | None, submissions: Mapping[str, Submission], known: list[Clip]
) -> tuple[Mapping[str, Submission], list[Clip]]:
    if machines is None:
        return submissions, known
    absent = sorted(set(machines) - {clip.machine for clip in known})
    if absent:
        have = ", ".join(sorted({clip.machine for clip in known}))
        raise DataError(f"machine {absent[0]!r}", "has no labelled test clip", f"There are: {have}.")
    chosen = {
        name: Submission(
            *(
                {unit: rows for unit, rows in part.items() if unit[0] in machines}
                for part in (s.scores, s.decisions)
            ),
            s.domains,
        )
        for name, s in submissions.items()
    }
    return chosen, [clip for clip in known if clip.machine in machines]


def _aligned(
    system: str, units: Mapping[Unit, Mapping[str, float]], known: list[Clip], word: str
) -> np.ndarray:
    """(M,) numbers in the order of the clips; raises DataError for what is missing, unknown or ambiguous."""
    expected = sorted({clip.unit for clip in known})
    for unit in expected:
        if unit not in units:
            raise DataError(
                f"system {system!r}",
                f"has no {word} of machine {unit[0]!r}, section {unit[1]!r}",
                "Add the file, or leave the machine out of the evaluation for all systems.",
            )
    given: dict[tuple[str, str, str], float] = {}
    for unit in sorted(units):
        if unit not in expected:
            raise DataError(
                f"system {system!r}",
                f"has {word} of machine {unit[0]!r}, section {unit[1]!r}, which the labels do not know",
                f"Known: {', '.join(f'{machine} {section}' for machine, section in expected)}.",
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
            "Every system needs one for every test clip.",
        )
    unknown = sorted(set(given) - set(wanted))
    if unknown:
        machine, _, name = unknown[0]
        raise DataError(
            f"system {system!r}",
            f"has {word} of {len(unknown)} unknown clips, first {name!r} of machine {machine!r}",
            "Check the file name, and that the labels belong to this data set.",
        )
    return np.array([given[key] for key in wanted])
