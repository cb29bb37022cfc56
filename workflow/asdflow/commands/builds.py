"""Commands about builds: are they whole, are two the same, do they agree with the committed numbers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from asdflow.commands.app import CONFIG, app
from asdflow.foundation.errors import AsdflowError

REFERENCE = Path("resources/reference/demo_metrics.csv")
# Rounding differs between processors by some 1e-6 in an embedding; one swapped pair of test clips
# moves an AUC of the demo by 1/800.
TOLERANCE = 0.02


@app.command()
def verify(results: Annotated[Path, typer.Argument(help="Folder of results.")] = Path("results")) -> None:
    """Read every product and say which is damaged or lies under another one's name."""
    from asdflow.products import layout, tables

    files = sorted(file for stage in layout.STAGES for file in (results / stage).rglob("*.parquet"))
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

    builds = {"one": "1", "all": "all"}
    weights = Path(os.environ.get("ASDFLOW_CHECKPOINTS", "resources/checkpoints")).resolve()
    for name, cores in builds.items():
        print(f"Building with --cores {cores} in {folder / name}", flush=True)
        command = ["snakemake", "--cores", cores, "--nolock", "--directory", str(folder / name)]
        command += ["--snakefile", "Snakefile", f"--configfile={configfile}", "all"]
        outcome = subprocess.run(
            [sys.executable, "-m", *command], env=os.environ | {"ASDFLOW_CHECKPOINTS": str(weights)}
        )
        if outcome.returncode:
            sys.exit(outcome.returncode)
    first, second = (folder / name / "results" for name in builds)
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
