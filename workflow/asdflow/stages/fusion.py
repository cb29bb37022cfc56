"""Scores of several detectors to one score: one fusion over every section of every machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from asdflow.foundation.errors import AsdflowError, ProductError
from asdflow.pipeline.build import fusion as build_fusion

KEYS = ("machine", "section", "split", "clip")


def fuse_columns(scores: Mapping[str, pa.Table], fusion: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Columns of schema "scores" of the fused system.

    Where a detector has no scores in a section, the fusion has none either, and says which and why; so it
    does where its own rule cannot work with a section.

    Parameters
    ----------
    scores : mapping of detector name to table of schema "scores"
        Any number of machines, with the same rows.
    fusion : mapping
        Specification of the fusion.
    name : str
        Entry of the configuration.

    Notes
    -----
    Self-scores are fused by the same rule. They are in sample with regard to the few statistics of the
    fusion itself (a mean and a deviation for each detector), not with regard to the bank.
    """
    tables = [scores[name] for name in sorted(scores)]
    first = tables[0].select(KEYS)
    if any(not table.select(KEYS).equals(first) for table in tables[1:]):
        raise ProductError(
            ", ".join(sorted(scores)), "do not score the same clips", "Rebuild them: snakemake -R scores."
        )
    parts = list(zip(*(first.column(name).to_pylist() for name in ("machine", "section")), strict=True))
    number = {part: place for place, part in enumerate(sorted(set(parts)))}
    unit = np.array([number[part] for part in parts])
    train = np.array(first.column("split").to_pylist(), dtype=object) == "train"
    domains = np.array(tables[0].column("domain").to_pylist(), dtype=object)
    values = np.stack([table.column("score").to_numpy() for table in tables])  # NaN where refused
    refused = _refused(scores)
    fused = np.zeros(len(train))
    rule = build_fusion(fusion)
    for place in number.values():
        if refused[unit == place].any():
            reason = next(filter(None, refused[unit == place]))
            refused[unit == place] = reason
            continue
        bank, test = (unit == place) & train, (unit == place) & ~train
        known = domains[bank]
        domain = None if None in set(known) else (known == "target").astype(np.int64)
        try:
            fused[bank] = rule.combine(values[:, bank], values[:, bank], domain)
            fused[test] = rule.combine(values[:, test], values[:, bank], domain)
        except AsdflowError as error:
            refused[unit == place] = " ".join(str(error).split())  # one line
    columns = {key: tables[0].column(key) for key in tables[0].column_names}
    return columns | {
        "detector": [name] * len(train),
        "score": pa.array(fused, mask=np.array([reason is not None for reason in refused], dtype=bool)),
        "refused": refused.tolist(),
    }


def _refused(scores: Mapping[str, pa.Table]) -> np.ndarray:
    """(clips,) object: which detector has no score and why; None where all have one."""
    found = None
    for name in sorted(scores):
        reasons = scores[name].column("refused").to_pylist()
        named = np.array([reason and f"needs {name}: {reason}" for reason in reasons], dtype=object)
        found = named if found is None else np.where(np.equal(found, None), named, found)
    return found
