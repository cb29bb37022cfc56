"""The self-contained HTML page: everything a study found, in one file that needs no network."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asdflow.foundation import libraries
from asdflow.foundation.errors import ConfigError
from asdflow.foundation.files import whole_file
from asdflow.presentation import words
from asdflow.presentation.colours import MARKERS, marks, tokens
from asdflow.presentation.evidence import FEW, beside, no_values, uncomputed, untold
from asdflow.presentation.results import METRIC_NAMES, OFFICIAL, Results, Traits
from asdflow.presentation.words import SIMULATED
from asdflow.report import facts, sound
from asdflow.report.by_recording import Recording, by_recording
from asdflow.report.drawing import Drawing, inline
from asdflow.report.leaderboard import csv_text, table
from asdflow.report.verdict import Verdict, verdict

if TYPE_CHECKING:
    from asdflow.presentation.results import System
    from asdflow.report.sound import Audio, Machine

SECONDS, LIMIT_MB = 10.0, 8.0
RECORDINGS = 200  # most that are listed of a data set
HERE = Path(__file__).parent

HEADINGS = {
    "leaderboard": "Best systems",
    "heatmap": "Systems and machines",
    "effects": "What matters most",
    "distributions": "Scores by domain and label",
    "source_target": "Source against target",
    "sensitivity": "Values of parameters",
}
TRAIT_MEANING = {
    "transductive": "Uses statistics of the test clips; these are not scored one by one.",
    "needs domains": "Uses the domain label of every train clip.",
    "tuned": "Some of its numbers were chosen by looking at test labels.",
}


def build(
    results: Results,
    figures: Mapping[str, Mapping[str, str | Path]],
    out: str | Path,
    audio: Audio | None = None,
    base: str | Path = ".",
    seconds: float = SECONDS,
    limit_mb: float = LIMIT_MB,
    weights: Mapping[str, str] | None = None,
) -> None:
    """Write the report.

    Equal products give equal bytes: no date, host, user or path of this machine is on the page.

    Parameters
    ----------
    results : Results
    figures : mapping of data set to mapping of figure to SVG file
        In the order in which they are shown; every data set of the study has its own.
    out : path
        The HTML file.
    audio : Audio, optional
        Reads the waveform of a clip; by default from the recordings, as the encoders heard them.
    base : path
        Working directory, which relative paths of the configuration refer to.
    seconds : float
        Longest piece of a clip that is played, seconds.
    limit_mb : float
        What sound and spectrograms may take, 10^6 bytes of the page; clips are shortened to fit.
    weights : mapping of encoder to text, optional
        Hash of its checkpoint.

    Raises
    ------
    ConfigError
        Figures of a data set are missing.
    ProductError, DataError
        A product or a recording cannot be read.
    """
    missing = [dataset for dataset in results.datasets if dataset not in figures]
    if missing:
        raise ConfigError(
            "figures", f"lack the data sets {missing}", "Hand in the figures of every data set."
        )
    each = int(results.study.report.get("clips", 2))
    if audio is None:
        heard = [name for name in results.datasets if not results.given(name)]
        longest = {name: float(results.clips(name)["duration_s"].max()) for name in heard}
        audio = sound.recordings(results.study, base, longest)
    featured = {name: results.featured(name) for name in results.datasets}
    chosen = {
        name: sound.choose(results, name, system, each) if each and system and not results.given(name) else {}
        for name, system in featured.items()
    }
    machines, _ = sound.machines(chosen, audio, seconds, int(limit_mb * 1e6))
    pages = [
        _dataset(results, name, figures[name], machines[name], featured[name]) for name in results.datasets
    ]
    page = (
        _environment()
        .get_template("page.html.j2")
        .render(
            title=results.study.title,
            simulated_sentence=SIMULATED,
            grid=facts.grid(results),
            datasets=pages,
            board=_board(results),
            cautions=_cautions(pages),
            csv=base64.b64encode(csv_text(results).encode()).decode(),
            entries=facts.entries(results),
            origins=facts.origins(results, weights),
            versions=list(libraries.versions().items()),
            configuration=facts.configuration(results.study),
            options=results.study.metrics,
            coverage=words.coverage(results.study.metrics["confidence"]),
            few=FEW,
            trait_meaning=TRAIT_MEANING,
            tokens=tokens(),
            shapes=_SHAPES,
            style=(HERE / "style.css").read_text(encoding="utf-8"),
            script=(HERE / "page.js").read_text(encoding="utf-8"),
        )
    )
    with whole_file(out) as partial:
        partial.write_text(page, encoding="utf-8", newline="\n")


@dataclass(frozen=True)
class DatasetPage:
    """Everything that the page says about one data set.

    `verdict` is None where no system has values: then `nothing` says why, `untold` what there is to score,
    and `undrawn` names the figures that would show values. `featured` is empty where none has scores either.
    `beside` says which machines and sections the values do not cover, `uncomputed` which systems have none.
    """

    name: str
    simulated: bool
    given: bool
    verdict: Verdict | None
    nothing: str
    untold: str
    beside: str
    uncomputed: str
    undrawn: tuple[str, ...]
    drawings: tuple[tuple[str, Drawing], ...]
    machines: tuple[Machine, ...]
    featured: str
    counts: tuple[facts.ClipCounts, ...]
    oddities: facts.Oddities
    recordings: tuple[Recording, ...]
    all_recordings: int
    of_machine: int


def _dataset(
    results: Results, name: str, files: Mapping[str, str | Path], machines, featured: System | None
) -> DatasetPage:
    number = results.datasets.index(name)
    drawings = tuple(
        (
            HEADINGS.get(figure, words.capital(figure.replace("_", " "))),
            inline(figure, path, f"f{number}-{index}"),
        )
        for index, (figure, path) in enumerate(files.items())
    )
    recordings = by_recording(results, name, featured) if featured else []
    nothing = no_values(results, name)
    of_machine = max(1, RECORDINGS // len(results.machines(name)))
    listed = recordings if len(recordings) <= RECORDINGS else _most_anomalous(recordings, of_machine)
    return DatasetPage(
        name,
        results.simulated(name),
        bool(results.given(name)),
        None if nothing else verdict(results, name),
        nothing,
        untold(results, name) if nothing else "",
        beside(results, name),
        uncomputed(results, name),
        tuple(heading for heading, drawing in drawings if nothing and not drawing.svg),
        tuple(one for one in drawings if one[1].svg or not nothing),
        tuple(machines),
        results.label(featured) if featured else "",
        tuple(facts.clip_counts(results, name)),
        facts.oddities(results, name),
        tuple(listed),
        len(recordings),
        of_machine,
    )


def _most_anomalous(recordings: Sequence[Recording], of_machine: int) -> list[Recording]:
    """The recordings of each machine with the largest mean scores."""
    chosen: dict[str, list[Recording]] = {}
    for one in sorted(recordings, key=lambda one: -one.mean):
        chosen.setdefault(one.machine, []).append(one)
    kept = {id(one) for several in chosen.values() for one in several[:of_machine]}
    return [one for one in recordings if id(one) in kept]


def _cautions(pages: Sequence[DatasetPage]) -> list[str]:
    """Each caution about few recordings once, with the data sets that it concerns."""
    concerned: dict[str, list[str]] = {}
    for page in pages:
        if page.verdict and page.verdict.caution:
            concerned.setdefault(page.verdict.caution, []).append(page.name)
    everywhere = len(pages) == 1
    return [text if everywhere else f"{words.listed(names)}: {text}" for text, names in concerned.items()]


def _board(results: Results) -> dict[str, Any]:
    """Rows and columns of the table of all systems."""
    rows = table(results).to_dicts()
    metrics = [name for name in METRIC_NAMES if name in rows[0]]
    ends = [row[OFFICIAL] for row in rows if not row["refused"]]
    ends += [row[f"{OFFICIAL}_{end}"] for row in rows if row["units"] for end in ("low", "high")]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    drawn = marks(results.kinds)
    order = {name: index for index, name in enumerate(results.kinds)}
    for row in rows:
        row["feature"] = results.feature_name(row["encoder"], row["layer"])
        row["labels"] = Traits(*(row[name] for name in Traits.__dataclass_fields__)).labels
        row["interval"] = f"not computed: {row['refused']}" if row["refused"] else words.interval(row)
        row["shape"] = MARKERS.index(drawn[row["system"]].marker)
        row["colour"] = order[row["system"]] % len([name for name in tokens() if name.startswith("system-")])
        row["left"], row["dot"], row["right"] = (
            None if row[key] is None else round(100 * (row[key] - low) / (high - low or 1.0), 1)
            for key in (f"{OFFICIAL}_low", OFFICIAL, f"{OFFICIAL}_high")
        )
    no_target = "auc_target" not in metrics
    names = METRIC_NAMES | ({"auc_source": "AUC"} if no_target else {})
    return {
        "rows": rows,
        "metrics": [(name, words.capital(names[name])) for name in metrics],
        "choices": [
            (label, key, list(dict.fromkeys(row[key] for row in sorted(rows, key=_place(results, key)))))
            for label, key in (
                ("Data set", "dataset"),
                ("Encoder", "feature"),
                ("Pooling", "pooling"),
                ("System", "system"),
            )
        ],
        "some_labels": sorted({label for row in rows for label in row["labels"]}),
    }


def _place(results: Results, key: str):
    """Sorts choices in the order of the configuration."""
    features = [results.feature_name(encoder, layer) for encoder, layer, _ in results.features()]
    order = {
        "dataset": results.datasets,
        "feature": features,
        "pooling": [pooling for _, _, pooling in results.features()],
        "system": list(results.kinds),
    }[key]
    return lambda row: order.index(row[key])


def _environment():
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": words.percent,
        "grouped": words.grouped,
        "capital": words.capital,
        "base64": lambda data: base64.b64encode(data).decode(),
        "safe_text": lambda text: jinja2.utils.markupsafe.Markup(text),
    }
    environment.globals["count"] = words.count
    return environment


# Outlines of the markers in a box of 10 by 10, in the order of MARKERS.
_SHAPES = (
    "M5 .8a4.2 4.2 0 1 0 0 8.4a4.2 4.2 0 1 0 0-8.4z",
    "M1.2 1.2h7.6v7.6h-7.6z",
    "M5 1L9.2 9H.8z",
    "M5 .4L9.6 5L5 9.6L.4 5z",
    "M.8 1h8.4L5 9z",
    "M3.4 .8h3.2v2.6h2.6v3.2h-2.6v2.6h-3.2v-2.6H.8v-3.2h2.6z",
    "M2.6 .6L5 3L7.4 .6L9.4 2.6L7 5L9.4 7.4L7.4 9.4L5 7L2.6 9.4L.6 7.4L3 5L.6 2.6z",
    "M9 .8v8.4L1 5z",
    "M1 .8v8.4L9 5z",
)
