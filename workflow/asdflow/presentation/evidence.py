"""What the numbers of a data set rest on: its test clips, and the recordings that they were cut from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asdflow.presentation.words import count, grouped, listed

if TYPE_CHECKING:
    from asdflow.presentation.results import Results

FEW = 10  # recordings of a stratum; over fewer an interval is too short (docs/metrics.md)


@dataclass(frozen=True)
class Evidence:
    """Labelled test clips of a data set and the recordings that they were cut from.

    Attributes
    ----------
    normal, anomaly : int
        Clips.
    recordings : int
        Recordings of all these clips; those of two machines are never the same.
    normal_recordings, anomaly_recordings : int
        Recordings with a normal, with an anomalous clip. One that runs from normal to anomalous is in both.
    fewest_recordings : int
        Recordings of the smallest stratum: those of one machine that cover the same sections, domains and
        labels, which the bootstrap draws among themselves (`asdflow.metrics.resampling.Units`).
    """

    normal: int
    anomaly: int
    recordings: int
    normal_recordings: int
    anomaly_recordings: int
    fewest_recordings: int

    @property
    def cut(self) -> bool:
        """Whether some recording gave several clips."""
        return self.recordings < self.normal + self.anomaly

    @property
    def few(self) -> bool:
        """Whether there are too few recordings for an interval to be as wide as it should be."""
        return self.fewest_recordings < FEW

    @property
    def text(self) -> str:
        """For example "40 normal and 70 anomalous test clips of 22 recordings (8 normal, 14 anomalous)"."""
        clips = f"{grouped(self.normal)} normal and {count(self.anomaly, 'anomalous test clip')}"
        if not self.cut:
            return f"{clips}, each a recording of its own"
        normal, anomaly = grouped(self.normal_recordings), grouped(self.anomaly_recordings)
        of = f"{clips} of {count(self.recordings, 'recording')}"
        if self.normal_recordings + self.anomaly_recordings == self.recordings:
            return f"{of} ({normal} normal, {anomaly} anomalous)"
        return f"{of} ({normal} with normal clips, {anomaly} with anomalous ones)"

    @property
    def caution(self) -> str:
        """What so few recordings mean for every interval; empty where there are enough."""
        if not self.few:
            return ""
        if self.fewest_recordings == 1:
            return (
                "Few recordings: all clips of some machine, domain and label come from a single one, whose "
                "variation is unknown and not in the intervals: these are too short (docs/metrics.md)."
            )
        return (
            f"Few recordings: some machine, domain and label has only {self.fewest_recordings}, and "
            f"intervals over fewer than {FEW} are too short (docs/metrics.md)."
        )


def evidence(results: Results, dataset: str) -> Evidence:
    """Counted in the clips tables, of the machines and sections that have values."""
    import polars as pl

    test = results.of_judged(dataset, results.clips(dataset)).filter(pl.col("split") == "test")
    return counted(test.select("machine", "recording", "section", "domain", "label").iter_rows())


def counted(clips: Iterable[tuple[str, str, str, str | None, str]]) -> Evidence:
    """`Evidence` of clips, each (machine, recording, section, domain, label)."""
    labels: Counter[str] = Counter()
    cells: dict[tuple[str, str], set[tuple]] = {}
    for machine, recording, section, domain, label in clips:
        labels[label] += 1
        cells.setdefault((machine, recording), set()).add((section, domain, label))
    strata = Counter((machine, frozenset(covered)) for (machine, _), covered in cells.items())
    normal, anomaly = (
        sum(any(one == label for _, _, one in covered) for covered in cells.values())
        for label in ("normal", "anomaly")
    )
    fewest = min(strata.values(), default=0)
    return Evidence(labels["normal"], labels["anomaly"], len(cells), normal, anomaly, fewest)


def no_values(results: Results, dataset: str) -> str:
    """Why no system of a data set has values; empty where one has.

    Of several reasons that which most systems have, the first of them where these are equally many.
    """
    if results.systems(dataset):
        return ""
    rows = results.refused(dataset)
    order = list(results.kinds)
    whole = rows.filter(rows["machine"] == "all").to_dicts()
    reasons = [row["refused"] for row in sorted(whole, key=lambda row: order.index(row["system"]))]
    return Counter(reasons).most_common(1)[0][0]


def beside(results: Results, dataset: str) -> str:
    """What the values of a data set do not cover: "Not in these numbers: machine pump, section 00: ..."."""
    parts: dict[str, list[str]] = {}
    for (machine, section), reason in results.left_out(dataset).items():
        parts.setdefault(reason, []).append(f"machine {machine}, section {section}")
    told = [f"{listed(where)}: {reason.removesuffix('.')}" for reason, where in parts.items()]
    return f"Not in these numbers: {'; '.join(told)}." if told else ""


def told(results: Results, dataset: str) -> str:
    """What stands behind the overall numbers, e.g. "5 machines, 400 normal and ..."."""
    return f"{count(len(results.judged(dataset)), 'machine')}, {evidence(results, dataset).text}"


def uncomputed(results: Results, dataset: str) -> str:
    """Which systems have no values where others have: "Not computed: a and b; the leaderboard says why."."""
    rows = results.refused(dataset)
    names = list(dict.fromkeys(rows.filter(rows["machine"] == "all")["system"]))
    if not names or not results.systems(dataset):
        return ""
    most = 6
    more = [f"{len(names) - most} more"] if len(names) > most else []
    return f"Not computed: {listed([*names[:most], *more])}; the leaderboard says why."


def untold(results: Results, dataset: str) -> str:
    """What there is to score where nothing can be evaluated: "1 machine, 8 test clips of 4 recordings"."""
    import polars as pl

    test = results.clips(dataset).filter(pl.col("split") == "test")
    recordings = test.select("machine", "recording").n_unique()
    clips = f"{count(len(results.machines(dataset)), 'machine')}, {count(test.height, 'test clip')}"
    each = recordings == test.height
    return f"{clips}, each a recording of its own" if each else f"{clips} of {count(recordings, 'recording')}"


def cautioned(results: Results, dataset: str, *notes: str) -> str:
    """Notes of a picture that shows intervals, with the caution about few recordings behind them."""
    return " ".join(filter(None, (*notes, evidence(results, dataset).caution)))
