"""Commands about scores: judge files of scores, write those of a study, and list its recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from asdflow.commands.app import MADE_OF, STORE, app, study_of


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
    configfile: Annotated[Path | None, MADE_OF] = None,
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
    exported = write(Plan(study, Path.cwd()), folder, chosen, quantile, rule)
    for place, system in exported.written.items():
        print(f"{place}: {len(system.files)} files")
        for (machine, section), threshold in system.thresholds.items():
            print(f"  {machine} {section}: threshold {threshold}")
    for place, reason in exported.refused.items():
        print(f"{place}: not written, since it is not computed: {reason}")


@app.command()
def recordings(
    file: Annotated[Path, typer.Argument(help="Where the table goes.")] = Path("results/recordings.csv"),
    dataset: Annotated[list[str] | None, typer.Option(help="Only this data set; repeat for more.")] = None,
    encoder: Annotated[list[str] | None, typer.Option(help="Only this encoder.")] = None,
    layer: Annotated[list[str] | None, typer.Option(help="Only this layer.")] = None,
    pooling: Annotated[list[str] | None, typer.Option(help="Only this pooling.")] = None,
    system: Annotated[list[str] | None, typer.Option(help="Only this detector or fusion.")] = None,
    configfile: Annotated[Path | None, MADE_OF] = None,
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
