"""How many test clips, and recordings that these were cut from, stand behind a number of an evaluation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asdflow.metrics.measure import Measure, Scope

if TYPE_CHECKING:
    from asdflow.exchange.labelling import Clip

ALL = "all"
FEW = 10  # recordings of a stratum; over fewer an interval is too short (docs/metrics.md)


@dataclass(frozen=True)
class Counts:
    """Clips of each label and their recordings; one that runs from normal to anomalous is in both."""

    normal: int
    anomaly: int
    normal_recordings: int
    anomaly_recordings: int


def behind(
    clips: Iterable[Clip], measure: Measure, metric: str, machine: str = ALL, section: str = ALL
) -> Counts:
    """Behind a metric of a machine's section, or of all.

    A term of the measure counts the clips of its domains, the measure's own name those of all its terms;
    any other metric all clips, or with `_source` or `_target` in its name those of a domain.
    """
    scopes = _scopes(measure, metric)
    normal, anomaly = set(), set()
    for clip in clips:
        if machine not in (ALL, clip.machine) or section not in (ALL, clip.section):
            continue
        identity = ((clip.machine, clip.recording), clip.section, clip.name)
        if clip.label == "normal" and any(_within(clip, scope) for scope, _ in scopes):
            normal.add(identity)
        if clip.label == "anomaly" and any(_within(clip, scope) for _, scope in scopes):
            anomaly.add(identity)
    recordings = (len({recording for recording, *_ in kind}) for kind in (normal, anomaly))
    return Counts(len(normal), len(anomaly), *recordings)


def fewest_recordings(clips: Iterable[Clip]) -> int:
    """Recordings of the smallest stratum: those of a machine that cover the same sections, domains, labels.

    The bootstrap draws each stratum by itself (`asdflow.metrics.resampling.Units`).
    """
    cells: dict[tuple[str, str], set[tuple]] = {}
    for clip in clips:
        cell = (clip.section, clip.domain, clip.label)
        cells.setdefault((clip.machine, clip.recording), set()).add(cell)
    return min(Counter((machine, frozenset(covered)) for (machine, _), covered in cells.items()).values())


def _scopes(measure: Measure, metric: str) -> list[tuple[Scope, Scope]]:
    """Domains of the normal and of the anomalous clips behind a metric."""
    terms = [term for term in measure.terms if metric in (term.name, measure.name)]
    if terms:
        return [(term.normals, term.anomalies) for term in terms]
    one: Scope = next((scope for scope in ("source", "target") if f"_{scope}" in metric), "all")
    return [(one, one)]


def _within(clip: Clip, scope: Scope) -> bool:
    """Whether a clip is of the domain that a term asks for; one without domain counts as source."""
    return scope == "all" or (clip.domain or "source") == scope
