"""What a study cannot compute, as far as names and tables tell it before the first job. No sound is read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from asdflow.clips.rows import ClipRow
from asdflow.datasets.base import Recordings
from asdflow.foundation.errors import AsdflowError, together
from asdflow.pipeline import build
from asdflow.presentation.words import count, listed
from asdflow.products.study import Study
from asdflow.stages.metrics import why_not

if TYPE_CHECKING:
    from asdflow.plan.plan import Plan

Part = tuple[str, str]
"""Machine and section."""


def foresee(plan: Plan) -> list[str]:
    """One sentence for each thing that is known not to be computed; what is not known yet is not spoken of.

    Raises ConfigError where it is known of every data set that no detector can work with it.
    """
    told, hopeless = [], []
    for name in plan.study.datasets:
        parts, whole = _parts(plan, name)
        domains = _by_reason({part: _lacking(rows) for part, rows in parts.items()})
        for reason, places in domains.items():
            refused = _needing(plan.study, "no domains" in reason)
            if refused:
                verb = "is" if len(refused) == 1 else "are"
                where = _where(name, places, parts)
                told.append(
                    f"{where}: the train clips have {reason}, so {listed(refused)} {verb} not computed"
                )
            if whole and set(plan.study.detectors) <= set(refused) and set(places) == set(parts):
                hopeless.append(
                    f"data set {name}: every detector needs domains, and the train clips have {reason}"
                )
        labels = _by_reason({part: _unjudged(rows, part) for part, rows in parts.items()})
        for reason, places in labels.items():
            told.append(f"{_where(name, places, parts)} gets scores and no AUC: {reason.removesuffix('.')}")
    if len(hopeless) == len(plan.study.datasets):
        raise together(
            "the study",
            "nothing can be computed",
            hopeless,
            "Give the train clips their domains, or add a detector that needs none.",
        )
    return told


def _parts(plan: Plan, name: str) -> tuple[dict[Part, list[ClipRow]], bool]:
    """Planned clips by machine and section, and whether those of every machine are known by now."""
    data, found, whole = plan.datasets[name], {}, True
    for machine in plan.machines[name]:
        try:
            rows = data.clip_rows(name, plan.base, machine) if isinstance(data, Recordings) else None
        except (
            AsdflowError
        ):  # not there yet; what is wrong with it is the word of the rule that makes the clips
            rows = None
        whole = whole and rows is not None
        for row in rows or ():
            found.setdefault((machine, row.section), []).append(row)
    return found, whole


def _lacking(rows: Sequence[ClipRow]) -> str | None:
    """What domains a bank has where it lacks one; None where it has both, or there is no bank."""
    domains = {row.domain for row in rows if row.split == "train"}
    known = domains - {None}
    if not domains or len(known) == 2:
        return None
    return f"the domain {known.pop()} only" if known else "no domains"


def _unjudged(rows: Sequence[ClipRow], part: Part) -> str | None:
    """Why the test clips give no AUC; None where they do, or there are none."""
    test = [row for row in rows if row.split == "test"]
    label, domain = (np.array([getattr(row, key) for row in test], object) for key in ("label", "domain"))
    return why_not(label, domain, *part) if test else None


def _needing(study: Study, without: bool) -> list[str]:
    """Detectors and fusions that a bank `without` domains, or with one only, leaves nothing to work with."""
    refused = [name for name in study.detectors if study.traits[name].needs_domains]
    for name, spec in study.fusions.items():
        own = without and build.fusion(spec).needs_domains
        if own or set(study.members[name]) & set(refused):
            refused.append(name)
    return refused


def _by_reason(reasons: Mapping[Part, str | None]) -> dict[str, list[Part]]:
    found: dict[str, list[Part]] = {}
    for part, reason in reasons.items():
        if reason is not None:
            found.setdefault(reason, []).append(part)
    return found


def _where(name: str, places: Sequence[Part], parts: Collection[Part]) -> str:
    """The data set, or the machines and sections of it that a sentence is about."""
    if len(places) == len(parts):
        return f"data set {name}"
    return f"data set {name}, {'; '.join(_named(places))}"


def _named(places: Sequence[Part], most: int = 3) -> Iterator[str]:
    for machine, section in places[:most]:
        yield f"machine {machine}, section {section}"
    if len(places) > most:
        yield count(len(places) - most, "more section")
