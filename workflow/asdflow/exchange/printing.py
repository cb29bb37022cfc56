"""An evaluation as text for a terminal, in percent, and as a file for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from asdflow.exchange.counting import ALL, FEW, Counts, behind, fewest_recordings
from asdflow.foundation.files import whole_file

if TYPE_CHECKING:
    from asdflow.exchange.evaluating import Evaluation

WORDS = {
    "auc": "AUC",
    "pauc": "pAUC",
    "auc_source": "AUC source",
    "auc_target": "AUC target",
    "pauc_source": "pAUC source",
    "pauc_target": "pAUC target",
    "official_2020": "official 2020",
    "official_2021": "official 2021",
}


def leaderboard(found: Evaluation) -> str:
    """One line a system, best first: the score with its interval, each term's mean, F1 of its decisions.

    The score has four decimals, to be compared with published ones; its interval says how many of them count.
    """
    ends = {
        system: f"[{100.0 * low:.2f}, {100.0 * high:.2f}]"
        for system, machine, metric, low, high in _columns(
            found, "system", "machine", "metric", "low", "high"
        )
        if machine == "all" and metric == found.measure.name
    }
    terms = [term.name for term in found.measure.terms]
    level = 100.0 * found.metrics["confidence"][0]
    rows = [["system", _word(found.measure.name), f"[{level:g} % interval]", *map(_word, terms), "mean F1"]]
    for name in found.ranking():
        score, alarms = found.scores[name], found.alarms.get(name)
        means = [_percent(score.means.get(term)) for term in terms]
        f1 = _percent(alarms.means["f1"] if alarms else None)
        rows.append([name, _percent(score.overall, digits=4), ends[name], *means, f1])
    lines = [_aligned(rows, left=1)]
    first = next(iter(found.scores.values()))
    if first.domains != "source and target" and any("_" in term for term in terms):
        lines.append(f"Domains with normal test clips: {first.domains}; terms of the others are left out.")
    if found.alarms:
        lines.append(
            "mean F1: arithmetic mean of the sections' F1, by each system's own decisions on all clips."
        )
    counts = behind(found.clips, found.measure, ALL)
    lines.append(f"Behind each system: {_clips(counts)}.")
    if (fewest := fewest_recordings(found.clips)) < FEW:
        lines.append(
            f"Few recordings: some machine, section, domain and label has only {fewest}. Intervals over so "
            "few are too short: at 95 % they held the true AUC in 82 % of simulated data sets of 4 "
            "recordings each, in 91 % of 8, in 94 % of 20."
        )
    return "\n".join(lines)


def machine_tables(found: Evaluation) -> str:
    """A table for each system, best first: every machine and section with its terms and their mean.

    Behind them the test clips, and the recordings that these were cut from.
    """
    terms = [term.name for term in found.measure.terms]
    tables = []
    for name in found.ranking():
        head = ["machine", "section", *map(_word, terms), _word(found.measure.name)]
        rows = [[*head, "normal clips", "of recordings", "anomalous clips", "of recordings"]]
        for row in found.scores[name].table.to_pylist():
            numbers = [_percent(row[column]) for column in (*terms, found.measure.name)]
            counts = behind(found.clips, found.measure, ALL, row["machine"], row["section"])
            told = (counts.normal, counts.normal_recordings, counts.anomaly, counts.anomaly_recordings)
            rows.append([row["machine"], row["section"], *numbers, *map(str, told)])
        tables.append(f"{name}\n{_aligned(rows, left=2)}")
    return "\n\n".join(tables)


def differences(found: Evaluation) -> str:
    """Every other system minus the reference: the overall score, largest gain first."""
    overall = [each for each in found.differences if each.metric == found.measure.name]
    level = 100.0 * found.metrics["confidence"][0]
    rows = [["system", f"minus {overall[0].reference}" if overall else "", f"[{level:g} % interval]", "p"]]
    for each in sorted(overall, key=lambda each: (-each.value, each.system)):
        interval = f"[{100.0 * each.low:+.2f}, {100.0 * each.high:+.2f}]"
        rows.append([each.system, f"{100.0 * each.value:+.2f}", interval, f"{each.p_value:.3f}"])
    return _aligned(rows, left=1)


def write_long_table(found: Evaluation, path: str | Path) -> None:
    """Every value with its interval as comma-separated values in [0, 1].

    Columns as of `metrics.evaluate`, and `normal_recordings` and `anomaly_recordings`, from which the clips
    were cut. Behind the metrics of the measure stand precision, recall and F1 of the decisions, without
    intervals: of each section, and with machine "all" their `..._arithmetic_mean` over the sections that have
    them and `f1_harmonic_mean`.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*found.metrics, "normal_recordings", "anomaly_recordings"])
    for row in zip(*found.metrics.values(), strict=True):
        _, machine, section, metric = row[:4]
        counts = behind(found.clips, found.measure, metric, machine, section)
        writer.writerow([*row, counts.normal_recordings, counts.anomaly_recordings])
    for where, value in _alarms(found):
        _, machine, section, metric = where
        counts = behind(found.clips, found.measure, metric, machine, section)
        clips = (counts.normal, counts.anomaly)
        recordings = (counts.normal_recordings, counts.anomaly_recordings)
        writer.writerow([*where, value, "", "", "", *clips, "", *recordings])
    with whole_file(path) as partial:
        partial.write_text(text.getvalue(), encoding="utf-8")


def _alarms(found: Evaluation) -> Iterator[tuple[tuple[str, str, str, str], float]]:
    """(system, machine, section, metric) and value of everything that judges decisions."""
    for system, alarms in sorted(found.alarms.items()):
        for row in alarms.table.to_pylist():
            machine, section = row.pop("machine"), row.pop("section")
            for metric, value in row.items():
                if value is not None:
                    yield (system, machine, section, metric), value
        for metric, value in alarms.means.items():
            yield (system, ALL, ALL, f"{metric}_arithmetic_mean"), value
        yield (system, ALL, ALL, "f1_harmonic_mean"), alarms.overall


def _clips(counts: Counts) -> str:
    """For example "100 normal test clips of 4 recordings and 60 anomalous ones of 3 recordings"."""
    words = []
    for number, recordings, word in (
        (counts.normal, counts.normal_recordings, "normal test clips"),
        (counts.anomaly, counts.anomaly_recordings, "anomalous ones"),
    ):
        of = "each a recording of its own" if recordings == number else f"of {recordings} recordings"
        words.append(f"{number} {word} {of}")
    return " and ".join(words)


def _columns(found: Evaluation, *names: str):
    return zip(*(found.metrics[name] for name in names), strict=True)


def _word(name: str) -> str:
    return WORDS.get(name, name)


def _percent(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{100.0 * value:.{digits}f}"


def _aligned(rows: Sequence[Sequence[str]], left: int) -> str:
    """Columns two spaces apart, the first `left` of them aligned to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
