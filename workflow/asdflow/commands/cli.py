"""The `asdflow` command: what one does beside running the study."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from asdflow.foundation.errors import AsdflowError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Training-free anomalous sound detection. The study itself runs with snakemake.",
)
CONFIG = typer.Option("--configfile", help="The study.", exists=True, dir_okay=False)
OWN_CONFIG = typer.Option("--configfile", help="Default: that of results/.", exists=True, dir_okay=False)
DEFAULT = Path("config/config.yaml")
STORE = Path("data")
REFERENCE = Path("resources/reference/demo_metrics.csv")
# Rounding differs between processors by some 1e-6 in an embedding; one swapped pair of test clips
# moves an AUC of the demo by 1/800.
TOLERANCE = 0.02


def main() -> None:
    """Entry point: an error meant for the user is one line."""
    try:
        app()
    except AsdflowError as error:
        print(f"ERROR {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:  # no permission, a folder where a file should be, a disk that is gone
        print(f"ERROR {error.filename or 'a file'}: {error.strerror or error}.", file=sys.stderr)
        sys.exit(1)


def study_of(configfile: Path):
    """The checked study of a configuration file."""
    from asdflow.config import read

    return read([configfile])


@app.command()
def check(configfile: Annotated[Path, CONFIG] = DEFAULT) -> None:
    """Check a configuration and say how large its grid is."""
    from asdflow.plan.plan import Plan

    study = study_of(configfile)
    plan = Plan(study, Path.cwd())
    machines = sum(len(names) for names in plan.machines.values())
    columns = len(plan.grid.files("metrics"))
    grid = f"{columns} columns (data set x encoder layer x pooling)"
    files = len(plan.all_scores())
    print(
        f"{configfile}: {len(study.datasets)} data sets with {machines} machines, {grid}, "
        f"{len(study.detectors)} detectors, {len(study.fusions)} fusions: {files} score files"
    )


@app.command()
def leaderboard(
    limit: Annotated[int, typer.Option(help="Rows for each data set.")] = 20,
    results: Annotated[Path, typer.Option(help="Folder of results.")] = Path("results"),
) -> None:
    """Print the best systems with their intervals."""
    from asdflow.report import leaderboard_text

    print(leaderboard_text(results, limit))


@app.command()
def encoders(
    name: Annotated[str | None, typer.Argument(help="One encoder or checkpoint, in full.")] = None,
) -> None:
    """List encoders: registered, on disk, verified or not, and where to put a file."""
    import shutil

    from asdflow.commands.encoders_text import full_text, listing_text

    width = shutil.get_terminal_size().columns
    print(full_text(name, width=width, paint=paint) if name else listing_text(width=width, paint=paint))


def paint(text: str, kind: str) -> str:
    """A word in the colour of its kind, in a terminal that is not told otherwise."""
    colours = {"verified": "green", "unverified": "yellow", "wrong file": "red"}
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return typer.style(text, fg=colours.get(kind), bold=kind == "heading")


@app.command()
def docs() -> None:
    """Write config/README.md and config/schemas/config.schema.json anew from the code."""
    from asdflow.config import documentation, schema

    documentation.write("config/README.md")
    schema.write("config/schemas/config.schema.json")


@app.command()
def verify(results: Annotated[Path, typer.Argument(help="Folder of results.")] = Path("results")) -> None:
    """Read every product and say which is damaged or lies under another one's name."""
    from asdflow.products import tables

    files = sorted(file for stage in tables.STAGES for file in (results / stage).rglob("*.parquet"))
    damaged = []
    for file in files:
        try:
            tables.verify(file)
        except AsdflowError as error:
            damaged.append(file)
            print(f"ERROR {error}", file=sys.stderr)
    print(f"{len(files) - len(damaged)} of {len(files)} products in {results} are as they were written")
    if damaged or not files:
        sys.exit(1)


@app.command()
def compare(first: Path, second: Path) -> None:
    """Compare two builds byte by byte."""
    from asdflow.commands import reproduce as work

    outcome = work.compare(first, second)
    for label in ("different", "only_first", "only_second"):
        for name in getattr(outcome, label):
            print(f"{label}: {name}")
    print(f"{len(outcome.same)} files are the same in {first} and {second}")
    if not outcome.equal:
        sys.exit(1)


@app.command()
def reproduce(
    configfile: Annotated[Path, CONFIG] = Path("config/demo.yaml"),
    folder: Annotated[Path, typer.Option(help="Where the two builds go.")] = Path("results/reproduce"),
    reference: Annotated[Path, typer.Option(help="Committed metrics.")] = REFERENCE,
    tolerance: Annotated[float, typer.Option(help="Largest accepted deviation of a metric.")] = TOLERANCE,
) -> None:
    """Build twice, with one core and with all, and compare every result; then compare with the reference."""
    from asdflow.commands import reproduce as work

    first, second = work.build_twice(configfile, folder)
    compare(first, second)
    worst = work.check_reference(first, reference, tolerance)
    print(f"Metrics agree with {reference}: largest deviation {worst:.6f}, tolerance {tolerance:g}")


@app.command()
def reference(
    results: Annotated[Path, typer.Option(help="Folder of results.")] = Path("results"),
    path: Annotated[Path, typer.Option(help="The committed table.")] = REFERENCE,
) -> None:
    """Write the reference table anew from a build: a change of numbers is a deliberate commit."""
    from asdflow.commands import reproduce as work

    path.parent.mkdir(parents=True, exist_ok=True)
    work.write_reference(results, path)
    print(f"Wrote {path}")


@app.command()
def evaluate(
    folder: Annotated[Path, typer.Argument(help="Score files, one sub-folder a system.")],
    dataset: Annotated[
        str, typer.Option(help="Data set of the study whose clips table knows the labels.")
    ] = "",
    clips: Annotated[
        Path | None, typer.Option(help="Clips table, or folder of them, that knows them.")
    ] = None,
    year: Annotated[int | None, typer.Option(help="Year of the organisers' list that knows them.")] = None,
    labels: Annotated[Path | None, typer.Option(help="With --year: your own list instead.")] = None,
    machine: Annotated[list[str] | None, typer.Option(help="Only this machine; repeat for more.")] = None,
    no_decisions: Annotated[
        bool, typer.Option("--no-decisions", help="Leave files of decisions unread: no F1.")
    ] = False,
    by_machine: Annotated[bool, typer.Option("--by-machine", help="A table for every system too.")] = False,
    reference: Annotated[str, typer.Option(help="Compare every other system with this one, in pairs.")] = "",
    measure: Annotated[str, typer.Option(help="Default: the official score of the year.")] = "",
    rounds: Annotated[int, typer.Option(help="Resamples behind an interval.")] = 1000,
    confidence: Annotated[float, typer.Option(help="Coverage of the intervals.")] = 0.95,
    csv: Annotated[Path | None, typer.Option(help="Write every value and interval to this file.")] = None,
    store: Annotated[Path, typer.Option(help="Where the organisers' list lies, or is put.")] = STORE,
) -> None:
    """Score a folder of anomaly_score_<machine>_section_<nn>_test.csv files, any number of systems.

    Labels come from the file names (development) or from one of --dataset, --clips and --year (evaluation).
    """
    from asdflow import exchange, metrics

    found = exchange.evaluate_folder(
        folder,
        exchange.labels_from(dataset, clips, year, store, labels),
        machine or None,
        rounds,
        confidence,
        measure=measure or metrics.measure_of_year(year),
        reference=reference or None,
        decisions=not no_decisions,
    )
    parts = [str(found)]
    if reference:
        parts.append(exchange.differences(found))
    if by_machine:
        parts.append(exchange.machine_tables(found))
    print("\n\n".join(parts))
    if csv:
        exchange.write_long_table(found, csv)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Where the systems' folders go.")],
    dataset: Annotated[list[str] | None, typer.Option(help="Only this data set; repeat for more.")] = None,
    encoder: Annotated[list[str] | None, typer.Option(help="Only this encoder.")] = None,
    layer: Annotated[list[str] | None, typer.Option(help="Only this layer.")] = None,
    pooling: Annotated[list[str] | None, typer.Option(help="Only this pooling.")] = None,
    system: Annotated[list[str] | None, typer.Option(help="Only this detector or fusion.")] = None,
    rule: Annotated[
        str,
        typer.Option(help="Threshold of decisions, from the scores of training clips: gamma or quantile."),
    ] = "gamma",
    quantile: Annotated[float, typer.Option(help="Share of normal clips below the threshold.")] = 0.9,
    configfile: Annotated[Path | None, OWN_CONFIG] = None,
) -> None:
    """Write scores and decisions of finished systems in the evaluators' format.

    One folder a system; without options, every system of the study. Thresholds are printed with the share of
    training clips above them, and kept in thresholds.json.
    """
    from asdflow.config import remembered
    from asdflow.exchange.exporting import export as write
    from asdflow.plan.plan import Plan

    chosen = {"dataset": dataset, "encoder": encoder, "layer": layer, "pooling": pooling, "system": system}
    study = study_of(configfile or remembered.find())
    written = write(Plan(study, Path.cwd()), folder, chosen, quantile, rule)
    for place, system in written.systems.items():
        print(f"{place}: {len(system.files)} files")
        for (machine, section), threshold in system.thresholds.items():
            print(f"  {machine} {section}: threshold {threshold}")
    for place, reason in written.refused.items():
        print(f"{place}: not written, since it is not computed: {reason}")


@app.command()
def recordings(
    file: Annotated[Path, typer.Argument(help="Where the table goes.")] = Path("results/recordings.csv"),
    dataset: Annotated[list[str] | None, typer.Option(help="Only this data set; repeat for more.")] = None,
    encoder: Annotated[list[str] | None, typer.Option(help="Only this encoder.")] = None,
    layer: Annotated[list[str] | None, typer.Option(help="Only this layer.")] = None,
    pooling: Annotated[list[str] | None, typer.Option(help="Only this pooling.")] = None,
    system: Annotated[list[str] | None, typer.Option(help="Only this detector or fusion.")] = None,
    configfile: Annotated[Path | None, OWN_CONFIG] = None,
) -> None:
    """Write a row a test recording and system: its mean score, and the AUCs that it takes part in.

    Without options, every system of the study.
    """
    from asdflow.config import remembered
    from asdflow.presentation.results import Results
    from asdflow.products.layout import RESULTS
    from asdflow.report import by_recording

    chosen = {"dataset": dataset, "encoder": encoder, "layer": layer, "pooling": pooling, "system": system}
    results = Results(RESULTS, study_of(configfile or remembered.find()))
    rows = by_recording.write(results, by_recording.choose(results, chosen), file)
    print(f"{file}: {rows} rows")


@app.command()
def data(
    years: Annotated[list[int] | None, typer.Argument(help="Only these years.")] = None,
    store: Annotated[Path, typer.Option(help="Folder of downloads.")] = STORE,
    pin: Annotated[bool, typer.Option("--pin", help="Ask for sizes and checksums, and pin them.")] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="Ask whether the records are still as they were pinned.")
    ] = False,
) -> None:
    """List the DCASE data sets: records, machines, what is on disk, how each file is checked, licence."""
    from asdflow.datasets.dcase import overview, registry

    known = registry.load()
    years = list(years or known.years)
    if pin:
        overview.pin_records(known, years)
    if compare:
        overview.compare_records(known, years)
    print(overview.text(known, years, store))


if __name__ == "__main__":
    main()
