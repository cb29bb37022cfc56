"""The first sentences of the report: which system is best, how sure that is, and against what."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from asdflow.presentation.evidence import evidence, told
from asdflow.presentation.words import confidence, count, interval, percent, signed

if TYPE_CHECKING:
    from asdflow.metrics import Difference
    from asdflow.presentation.results import Results, System


@dataclass(frozen=True)
class Verdict:
    """What a data set says.

    Attributes
    ----------
    best : str
        Full name of the best system.
    score, interval, confidence : str
        Percent.
    evidence : str
        What the score rests on.
    caution : str
        What few recordings mean for the interval; empty where there are enough.
    sentences : tuple of str
        How it compares with plain nearest neighbour, and cautions.
    systems : int
        Among how many it is the best.
    level : int
        Other systems that have the same score.
    against : str
        What it was compared with; empty where nothing could be.
    clear : bool
        Whether it is above that beyond the noise of the test clips and the choice among `systems`, as far
        as the recordings can tell.
    """

    best: str
    score: str
    interval: str
    confidence: str
    evidence: str
    caution: str
    sentences: tuple[str, ...]
    systems: int
    level: int
    against: str
    clear: bool

    @property
    def place(self) -> str:
        """The word before the system's name."""
        if self.systems == 1:
            return "Only system"
        return f"Best, level with {count(self.level, 'other')}" if self.level else "Best"


def verdict(results: Results, dataset: str) -> Verdict:
    """Best system of a data set, compared over common resamples with plain nearest neighbour.

    The reference has the same encoder, layer and pooling, so that only the scoring differs. Where the
    best is plain nearest neighbour itself, or the study has none, the next best system is compared.
    """
    board = results.leaderboard(dataset)
    row = board.row(0, named=True)
    best = results.systems(dataset)[0]
    rests = evidence(results, dataset)
    level = board.filter(board["official"] == row["official"]).height - 1
    other, role = _other(results, dataset, best)
    sentences: list[str] = []
    clear = False
    if other is not None and row["units"]:
        found = difference(results, dataset, best, other)
        outcome = judged(found, board.height, row["confidence"], rests.few)
        clear = outcome.clear
        start = "It is itself plain nearest neighbour. " if best.name == results.plain_neighbour else ""
        name = f"{other.name}, same encoder and pooling" if best.feature == other.feature else None
        sentences.append(
            start + compared(f"{role} ({name or results.label(other)})", found, outcome, confidence(row))
        )
    elif other is not None:
        sentences.append(
            "The test clips come from too few independent recordings to say how sure any comparison is."
        )
    if row["units"] and row["official_low"] == row["official_high"]:
        sentences.append(
            "Every resample gives it the same score, so its interval has no width: not certainty."
        )
    labels = results.traits[best.name].labels
    if labels:
        sentences.append(f"Mind that {best.name} is {_said(labels)}.")
    if level:
        sentences.append(f"It shares the first place with {count(level, 'other system')} of the same score.")
    if board.height > 1:
        sentences.append(
            f"The best was picked among {count(board.height, 'system')} on the same test clips, so its score "
            f"{'is' if level else 'and its lead are'} somewhat too good."
        )
    return Verdict(
        results.label(best),
        percent(row["official"]),
        interval(row),
        confidence(row),
        told(results, dataset),
        rests.caution,
        tuple(sentences),
        board.height,
        level,
        role if row["units"] else "",
        clear,
    )


def difference(results: Results, dataset: str, first: System, second: System) -> Difference:
    """Official score of one system minus another's, over the resamples that the metrics used."""
    import numpy as np
    import polars as pl

    from asdflow.metrics import paired

    keys = ["machine", "section", "clip"]
    one, two = (
        results.of_judged(dataset, results.scores(dataset, system))
        .filter(pl.col("split") == "test")
        .sort(keys)
        for system in (first, second)
    )
    options = results.study.metrics
    domains = one["domain"].to_list()
    return paired(
        one["score"].to_numpy(),
        two["score"].to_numpy(),
        anomaly=np.array(one["label"].to_list(), dtype=object),
        domain=None if None in domains else np.array(domains, dtype=object),
        machine=np.array(one["machine"].to_list()),
        section=np.array(one["section"].to_list()),
        recording=np.array(one["recording"].to_list()),
        rounds=options["rounds"],
        confidence=options["confidence"],
        seed_name=f"metrics/{dataset}",
    )


def _other(results: Results, dataset: str, best: System) -> tuple[System | None, str]:
    """System to compare the best with, and what it is."""
    plain = results.plain_neighbour
    systems = results.systems(dataset)
    for one in systems:  # absent where it was refused
        if one.name == plain != best.name and one.feature == best.feature:
            return one, "plain nearest neighbour"
    return (systems[1], "the next best system") if len(systems) > 1 else (None, "")


@dataclass(frozen=True)
class Outcome:
    """What a paired difference of the best of several systems says.

    Attributes
    ----------
    above : bool
        Its interval lies above 0.
    low : float
        Lower end once the choice of the first system among all is allowed for.
    systems : int
        How many these were.
    few : bool
        The interval rests on too few recordings.
    """

    above: bool
    low: float
    systems: int
    few: bool

    @property
    def clear(self) -> bool:
        """Above 0 on every count."""
        return self.above and self.low > 0 and not self.few


def judged(found: Difference, systems: int, coverage: float, few: bool) -> Outcome:
    """Allow for the choice: the lower half of the interval grows as a normal one's from 1 - a to 1 - a / m.

    m = systems - 1 comparisons could have been the one that is reported (Dunn 1961, known as Bonferroni).
    """
    normal = NormalDist()
    tail = (1.0 - coverage) / 2.0
    wider = normal.inv_cdf(1.0 - tail / max(1, systems - 1)) / normal.inv_cdf(1.0 - tail)
    return Outcome(found.low > 0, found.value - wider * (found.value - found.low), systems, few)


def compared(other: str, found: Difference, outcome: Outcome, coverage: str) -> str:
    """Sentence on the best system against another one."""
    if found.low == found.value == found.high == 0:
        return f"It does not differ from {other}: both have the same score in every resample."
    points = f"{abs(100 * found.value):.1f}"
    lead = f"lies {points} points {'above' if found.value > 0 else 'below'}"
    lead = "is level with" if points == "0.0" else lead
    ends = f"{signed(found.low)} to {signed(found.high)}"
    says = f"It {lead} {other}; the {coverage} interval of the paired difference is {ends}, "
    if not outcome.above:
        return f"{says}within the noise of the test clips: the two cannot be told apart."
    if outcome.few:
        return f"{says}above 0, but it rests on too few recordings to be relied on."
    choice = f"the choice among {count(outcome.systems, 'system')}"
    if not outcome.clear:
        return f"{says}above 0, but no longer so ({signed(outcome.low)}) when {choice} is allowed for."
    also = f", also when {choice} is allowed for ({signed(outcome.low)})" if outcome.systems > 2 else ""
    return f"{says}beyond the noise of the test clips{also}."


def _said(labels: tuple[str, ...]) -> str:
    meaning = {
        "transductive": "transductive: it uses statistics of the test clips",
        "needs domains": "told the domain of every train clip",
        "tuned": "tuned: some of its numbers were chosen by looking at test labels",
    }
    return "; ".join(meaning[label] for label in labels)
