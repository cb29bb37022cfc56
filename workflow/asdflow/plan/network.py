"""Whether a run can fetch what it lacks, asked once before its first job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from asdflow import checkpoints
from asdflow.checkpoints.registry import HttpsSource, HubSource, PypiSource, hub_address
from asdflow.datasets.dcase import of_store, registry
from asdflow.datasets.dcase.store import sources
from asdflow.download.reach import unreachable
from asdflow.foundation.errors import OfflineError

if TYPE_CHECKING:
    from asdflow.plan.plan import Plan

FETCHING = {
    "obtain": (
        "archives of DCASE",
        "Archives: name the folder of your zips or unpacked folders as `data_dir` in the data set's entry.",
    ),
    "labels": ("lists of labels", "Labels: name your own list as `labels` in the data set's entry."),
    "checkpoint": (
        "checkpoints",
        "Checkpoints: put the files into {checkpoints} (or the folder that $ASDFLOW_CHECKPOINTS names); "
        "`asdflow encoders` tells their names.",
    ),
    "hub_model": (
        "models of the hub",
        "Models: give `model` a folder of your own, without `revision`.",
    ),
}
"""Rules that fetch: what they fetch, and how to bring one's own instead."""


def require_hosts(plan: Plan, jobs: Iterable[tuple[str, Any]]) -> None:
    """Raise OfflineError when some job of a run would ask only hosts whose names cannot be resolved.

    Parameters
    ----------
    plan : Plan
    jobs : iterable of (rule, wildcards)
        The jobs that are to run; others than those of `FETCHING` need no network.

    One message names the hosts, what is missing, and how to bring it along: such a name is no passing fault.
    """
    needed = [
        (rule, names, urls)
        for rule, names in jobs
        if rule in FETCHING
        for urls in _sources(plan, rule, names)
    ]
    lost = unreachable({url for _, _, urls in needed for url in urls})
    missing = [(rule, names) for rule, names, urls in needed if all(url in lost for url in urls)]
    if not missing:
        return
    hosts = ", ".join(sorted(set(lost.values())))
    counts = Counter(rule for rule, _ in dict.fromkeys((rule, str(names)) for rule, names in missing))
    told = ", ".join(f"{counts[rule]} {what}" for rule, (what, _) in FETCHING.items() if counts[rule])
    remedies = [remedy for rule, (_, remedy) in FETCHING.items() if counts[rule]]
    raise OfflineError(
        hosts,
        f"cannot be reached (no network, or no such name), and the run lacks {told}",
        " ".join(["Connect and run the same command again, or bring your own copies.", *remedies]).format(
            checkpoints=plan.weights.folder
        ),
    )


def _sources(plan: Plan, rule: str, names: Any) -> Iterator[tuple[str, ...]]:
    """Addresses that a job would ask, in groups of which one must answer."""
    known = registry.load()
    if rule == "obtain":
        data = of_store(plan.study.datasets, names.store, names.year)
        own = plan.base / data.data_dir if data.data_dir else None
        archive = known.archive(data.year, names.part, names.machine)
        yield from sources(known, archive, plan.base / data.store, own)
    elif rule == "labels":
        yield known.labels_urls(int(names.year))
    elif rule == "hub_model":
        yield (hub_address(),)
    else:
        found = checkpoints.checkpoint(plan.weights.entry(names)["name"]).sources
        if not any(isinstance(source, PypiSource) for source in found):  # only pip knows its index
            yield tuple(source.url for source in found if isinstance(source, HttpsSource | HubSource))
