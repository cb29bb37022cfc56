"""The leaderboard as a file for programs and as text for a terminal."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asdflow.foundation.errors import ProductError, together
from asdflow.foundation.files import whole_file
from asdflow.presentation.evidence import Evidence, beside, evidence, no_values
from asdflow.presentation.results import ALL, METRIC_NAMES, OFFICIAL, Results, Traits
from asdflow.presentation.words import SIMULATED, count, interval, percent

if TYPE_CHECKING:
    import polars as pl

IDENTITY = ("dataset", "rank", "encoder", "layer", "pooling", "kind", "system")
RESTS_ON = tuple(field.name for field in fields(Evidence))
COUNTS = ("confidence", *RESTS_ON, "units")
TRAITS = (*Traits.__dataclass_fields__, "simulated")


def table(results: Results) -> pl.DataFrame:
    """Leaderboards of all data sets, one below the other; a metric that a data set lacks is null.

    Behind the metrics the columns of `Evidence`: test clips, and the recordings that they were cut from.
    Systems without values stand last in each, without rank and numbers; `refused` says why. `left_out` says
    which machines and sections the values of the others do not cover.

    Raises DataError where no system has a score on any data set: there is nothing to lay out.
    """
    import polars as pl

    require_scores(results)
    boards = [
        pl.concat([_judged(results, dataset), _refused(results, dataset)], how="diagonal")
        for dataset in results.datasets
    ]
    metrics = [name for name in METRIC_NAMES if any(name in board.columns for board in boards)]
    values = [f"{metric}{end}" for metric in metrics for end in ("", "_low", "_high")]
    return pl.concat(boards, how="diagonal").select(
        *IDENTITY, *values, *COUNTS, *TRAITS, "refused", "left_out"
    )


def require_scores(results: Results) -> None:
    """Raise DataError, with the reason of each data set, where no system has a score on any of them."""
    if any(results.systems(name) or results.scored(name) for name in results.datasets):
        return
    reasons = [f"data set {name}: {no_values(results, name)}" for name in results.datasets]
    raise together(
        "the study",
        "no system has a score",
        reasons,
        "Choose other detectors or data that they can work with.",
    )


def _judged(results: Results, dataset: str) -> pl.DataFrame:
    """Leaderboard of a data set with what its numbers rest on."""
    import polars as pl

    rests = asdict(evidence(results, dataset)) | {"left_out": beside(results, dataset) or None}
    return results.leaderboard(dataset).with_columns(
        pl.lit(value, pl.String if name == "left_out" else pl.Int32).alias(name)
        for name, value in rests.items()
    )


def _refused(results: Results, dataset: str) -> pl.DataFrame:
    """One row a system without values."""
    import polars as pl

    rows = results.refused(dataset).filter(pl.col("machine") == ALL)
    traits = [results.traits[name] for name in rows["system"]]
    return rows.drop("machine", "section").with_columns(
        *(
            pl.Series(name, [getattr(one, name) for one in traits], dtype=pl.Boolean)
            for name in Traits.__dataclass_fields__
        ),
        pl.lit(results.simulated(dataset)).alias("simulated"),
    )


def csv_text(results: Results) -> str:
    """Comma-separated values, one row a system: metrics in [0, 1], true or false, empty for none."""
    rows = table(results)
    file = StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(rows.columns)
    writer.writerows([_cell(value) for value in row] for row in rows.iter_rows())
    return file.getvalue()


def write_leaderboard(results: Results, path: str | Path) -> None:
    """Write `csv_text` to a file."""
    with whole_file(path) as partial:
        partial.write_text(csv_text(results), encoding="utf-8", newline="")


def leaderboard_text(results: Results | str | Path, limit: int = 20) -> str:
    """The best `limit` systems of each data set, in aligned columns for a terminal.

    Parameters
    ----------
    results : Results, or the folder `results`
        From a folder its leaderboard.csv is read. Raises ProductError when it is not there.
    """
    if isinstance(results, Results):
        rows: Iterable[Mapping[str, Any]] = table(results).to_dicts()
    else:
        rows = _read(Path(results) / "leaderboard.csv")
    blocks: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        blocks.setdefault(row["dataset"], []).append(row)
    return "\n\n".join(_block(dataset, block, limit) for dataset, block in blocks.items())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6f}" if isinstance(value, float) else str(value)


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        raise ProductError(path, "does not exist", "Run snakemake to build it.") from None
    if not rows or not {*IDENTITY, *COUNTS} <= set(rows[0]):
        raise ProductError(path, "is not a leaderboard", "Delete the file and run snakemake to rebuild it.")
    return [{name: _value(name, text) for name, text in row.items()} for row in rows]


def _value(name: str, text: str) -> Any:
    if name in TRAITS:
        return text == "true"
    if name in ("rank", "units", *RESTS_ON):
        return int(text) if text else None
    if name in (*IDENTITY, "refused", "left_out"):
        return text
    return float(text) if text else None


def _block(dataset: str, rows: list[Mapping[str, Any]], limit: int) -> str:
    refused = [row for row in rows if row.get("refused")]
    rows = [row for row in rows if not row.get("refused")]
    missing = _not_computed(refused, limit)
    if not rows:
        title = f"{dataset}: no system has values"
        notes = [SIMULATED] if refused[0]["simulated"] else []
        return "\n".join([title, "-" * len(title), *notes, *missing])
    first = rows[0]
    terms = [name for name in METRIC_NAMES if name != OFFICIAL and first.get(name) is not None]
    names = (
        {"auc_source": "source", "auc_target": "target"} if "auc_target" in terms else {"auc_source": "AUC"}
    )
    head = [
        "#",
        "system",
        "encoder",
        "layer",
        "pooling",
        "official",
        f"{100 * first['confidence']:g} % interval",
    ]
    head += [names.get(term, METRIC_NAMES[term]) for term in terms]
    body = [
        [
            *(str(row[name]) for name in ("rank", "system", "encoder", "layer", "pooling")),
            percent(row[OFFICIAL]),
            interval(row),
            *(percent(row[term]) for term in terms),
        ]
        for row in rows[:limit]
    ]
    traits = Traits.__dataclass_fields__
    marks = [", ".join(Traits(*(row[name] for name in traits)).labels) for row in rows[:limit]]
    if any(marks):
        head.append("note")
        body = [[*row, mark] for row, mark in zip(body, marks, strict=True)]
    right = {0, 5, *range(7, 7 + len(terms))}
    widths = [max(len(row[column]) for row in [head, *body]) for column in range(len(head))]
    lines = [
        "  ".join(
            text.rjust(width) if column in right else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [head, *body]
    ]
    rests = Evidence(**{name: first[name] for name in RESTS_ON})
    title = f"{dataset}: {count(len(rows), 'system')}, {rests.text}"
    notes = [SIMULATED] if first["simulated"] else []
    notes += [rests.caution] if rests.few else []
    notes += [first["left_out"]] if first.get("left_out") else []
    if len(rows) > limit:
        notes.append(f"{len(rows) - limit} more in leaderboard.csv.")
    return "\n".join([title, "-" * len(title), *lines, *notes, *missing])


def _not_computed(refused: list[Mapping[str, Any]], limit: int) -> list[str]:
    """A line for each system without values; one for all systems that say the same."""
    by_reason: dict[str, list[str]] = {}
    for row in refused:
        feature = " ".join(row[name] for name in ("encoder", "layer", "pooling"))
        by_reason.setdefault(row["refused"], []).append(f"{row['system']} on {feature}")
    notes = []
    for reason, systems in by_reason.items():
        who = systems[0] if len(systems) == 1 else f"{count(len(systems), 'system')}, {systems[0]} first"
        notes.append(f"Not computed: {who}: {reason}")
    more = len(notes) - limit
    return notes[:limit] + ([f"{more} more reasons in leaderboard.csv."] if more > 0 else [])
