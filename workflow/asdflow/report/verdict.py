"""The first sentences of the report: which system is best, how sure that is, and against what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asdflow.presentation.words import confidence, count, evidence, interval, percent

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
    score, interval : str
        Percent.
    evidence : str
        What the score rests on.
    sentences : tuple of str
        How it compares with plain nearest neighbour, and cautions.
    systems : int
        Among how many it is the best.
    against : str
        What it was compared with; empty where nothing could be.
    resolved : bool
        Whether it is above that beyond the noise of the test clips.
    """

    best: str
    score: str
    interval: str
    confidence: str
    evidence: str
    sentences: tuple[str, ...]
    systems: int
    against: str
    resolved: bool


def verdict(results: Results, dataset: str) -> Verdict:
    """Best system of a data set, compared over common resamples with plain nearest neighbour.

    The reference has the same encoder, layer and pooling, so that only the scoring differs. Where the
    best is plain nearest neighbour itself, or the study has none, the next best system is compared.
    """
    board = results.leaderboard(dataset)
    row = board.row(0, named=True)
    best = results.systems(dataset)[0]
    sentences: list[str] = []
    resolved = False
    other, role = _other(results, dataset, best)
    if other is not None and row["units"]:
        found = difference(results, dataset, best, other)
        resolved = found.low > 0
        sentences.append(_compared(results, best, other, role, found, confidence(row)))
    elif other is not None:
        sentences.append(
            "The test clips come from too few independent recordings to say how sure any comparison is."
        )
    labels = results.traits[best.name].labels
    if labels:
        sentences.append(f"Mind that {best.name} is {_said(labels)}.")
    tied = board.filter(board["official"] == row["official"]).height - 1
    if tied:
        sentences.append(f"It shares the first place with {count(tied, 'other system')} of the same score.")
    if board.height > 1:
        sentences.append(
            f"The best was picked among {count(board.height, 'system')} on the same test clips, so its score "
            "and its lead are somewhat too good."
        )
    return Verdict(
        results.label(best),
        percent(row["official"]),
        interval(row),
        confidence(row),
        evidence(results, dataset),
        tuple(sentences),
        board.height,
        role if row["units"] else "",
        resolved,
    )


def difference(results: Results, dataset: str, first: System, second: System) -> Difference:
    """Official score of one system minus another's, over the resamples that the metrics used."""
    import numpy as np
    import polars as pl

    from asdflow.metrics import paired

    keys = ["machine", "section", "clip"]
    one, two = (
        results.scores(dataset, system).filter(pl.col("split") == "test").sort(keys)
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
    if plain is not None and plain != best.name:
        feature = dict(zip(("encoder", "layer", "pooling"), best.feature, strict=True))
        return results.best(dataset, plain, feature), "plain nearest neighbour"
    systems = results.systems(dataset)
    return (systems[1], "the next best system") if len(systems) > 1 else (None, "")


def _compared(
    results: Results, best: System, other: System, role: str, found: Difference, coverage: str
) -> str:
    same = best.feature == other.feature
    name = f"{other.name}, same encoder and pooling" if same else results.label(other)
    start = "It is itself plain nearest neighbour. " if best.name == results.plain_neighbour else ""
    if found.low == found.value == found.high == 0:
        return f"{start}It does not differ from {role} ({name}): both have the same score in every resample."
    ends = f"{100 * found.low:+.1f} to {100 * found.high:+.1f}".replace("-", "−")
    outcome = (
        "beyond the noise of the test clips"
        if found.low > 0
        else "within the noise of the test clips: the two cannot be told apart"
    )
    lead = f"{abs(100 * found.value):.1f} points {'above' if found.value >= 0 else 'below'}"
    return (
        f"{start}It lies {lead} {role} ({name}); the {coverage} interval of the paired difference is "
        f"{ends}, {outcome}."
    )


def _said(labels: tuple[str, ...]) -> str:
    meaning = {
        "transductive": "transductive: it uses statistics of the test clips",
        "needs domains": "told the domain of every train clip",
        "tuned": "tuned: some of its numbers were chosen by looking at test labels",
    }
    return "; ".join(meaning[label] for label in labels)
