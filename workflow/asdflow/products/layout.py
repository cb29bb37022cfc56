"""Where each product lies, and which products a study has: the one place that knows a path under results/."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from asdflow.products.study import GIVEN, Study

RESULTS = "results"
_FEATURE = "{dataset}/{encoder}/{layer}/{pooling}"
#: Product to its place below the folder of results; what stands in braces are the axes that it depends on.
PLACES = {
    "recordings": "data/{dataset}/{machine}",
    "clips": "clips/{dataset}/{machine}.parquet",
    "shards": "shards/{dataset}/{encoder}/{machine}/{shard}-of-{shards}.parquet",
    "frames": "frames/{dataset}/{encoder}/{machine}.parquet",
    "embeddings": f"embeddings/{_FEATURE}/{{machine}}.parquet",
    "distances": f"distances/{_FEATURE}/{{metric}}/{{machine}}.parquet",
    "scores": f"scores/{_FEATURE}/{{backend}}/{{machine}}.parquet",
    "fusion": f"fusion/{_FEATURE}/{{fusion}}.parquet",
    "metrics": f"metrics/{_FEATURE}.parquet",
    "figures": "figures/{dataset}/{figure}.svg",
    "leaderboard": "leaderboard.csv",
    "report": "report.html",
    "study": "logs/study.json",  # beside the products, none of which it decides
}
#: Folders of results/ whose files are tables; what follows in a path says what a file is.
STAGES = tuple(one.split("/")[0] for one in PLACES.values() if one.endswith(".parquet"))

Chosen = str | Collection[str]


def path(product: str, folder: str | Path = RESULTS, **names: str) -> str:
    """Path of a product.

    Parameters
    ----------
    product : str
        Key of `PLACES`.
    folder : path
        The folder of results.
    names : str
        Values of its axes, e.g. `dataset="mine"`; one that is left out stays in braces, a wildcard of a rule.
    """
    return f"{folder}/{_filled(PLACES[product], names)}"


def place(path: str | Path) -> str:
    """What the path of a table says that it is, "distances/.../fan.parquet"; nothing outside results/."""
    return "/".join(_parted(path)[1])


def rebuild(path: str | Path) -> str:
    """The remedy for a table that cannot be trusted: the command that makes it anew, and it alone.

    The study is the one that its results were made of, whatever file it was read from; a command that is
    typed in the clone works for results elsewhere as well.
    """
    folder, parts = _parted(path)
    if not parts or folder[-1:] != (RESULTS,):
        return "Build it with snakemake, in the folder where it was made, then type the same command again."
    command = ["snakemake", "--cores", "8"]
    if base := folder[:-1]:
        command += ["--directory", str(Path(*base))]
    if (study := Path(*folder, PLACES["study"])).is_file():
        command += [f"--configfile={study}"]
    command += ["--force", "/".join((RESULTS, *parts))]
    return f"Build it anew with `{shlex.join(command)}`, then type the same command again."


def _parted(path: str | Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The folder of results that a table lies in, and its place there; no place outside results/."""
    parts = Path(path).parts
    begins = [number for number, part in enumerate(parts[:-1]) if part in STAGES]
    # A stage's name may be that of a data set or of a folder above: the first one below results/ counts.
    begins = [number for number in begins if parts[number - 1 : number] == (RESULTS,)] or begins
    return (parts[: begins[0]], parts[begins[0] :]) if begins else ((), ())


def log(name: str, **names: str) -> str:
    """Path of a log: of a product, or of any other name, which may hold wildcards."""
    return f"{RESULTS}/logs/{_stem(name, names)}.log"


def benchmark(name: str, **names: str) -> str:
    """Path of the run times of a product, or of any other name."""
    return f"{RESULTS}/benchmarks/{_stem(name, names)}.tsv"


class Grid:
    """The products of a study.

    Parameters
    ----------
    study : Study
    machines : mapping of data set to its machines, optional
        Needed for products that are made for each machine.
    """

    def __init__(self, study: Study, machines: Mapping[str, Sequence[str]] | None = None) -> None:
        self.study, self.machines = study, machines or {}

    def features(self, dataset: str) -> Iterator[dict[str, str]]:
        """Every (encoder, layer, pooling) of a data set, in the order of the configuration."""
        if given := self.study.given.get(dataset):
            for encoder in given:
                yield {"encoder": encoder, "layer": GIVEN, "pooling": GIVEN}
            return
        for encoder, layers in self.study.layers.items():
            for layer in layers:
                for pooling in self.study.poolings:
                    yield {"encoder": encoder, "layer": layer, "pooling": pooling}

    def cells(self, product: str, **chosen: Chosen) -> Iterator[dict[str, str]]:
        """Names of the axes of every product of a kind.

        Parameters
        ----------
        product : str
            Key of `PLACES`.
        chosen : str or collection of str
            Only these data sets, encoders, machines, ...; axes that the product does not have are no matter.
            The axis `metric`, which the study alone does not settle, must be among them.
        """
        axes = re.findall(r"\w+(?=})", PLACES[product])
        for dataset in self.study.datasets if "dataset" in axes else [""]:
            cells = [{"dataset": dataset} if dataset else {}]
            cells = [cell for cell in cells if _fits(cell, chosen)]
            for values in self._axes(dataset, axes, chosen) if cells else ():
                values = [one for one in values if _fits(one, chosen)]
                cells = [cell | one for cell in cells for one in values]
            yield from cells

    def files(self, product: str, **chosen: Chosen) -> list[str]:
        """Paths of `cells`."""
        return [path(product, **cell) for cell in self.cells(product, **chosen)]

    def _axes(
        self, dataset: str, axes: Sequence[str], chosen: Mapping[str, Chosen]
    ) -> Iterator[list[dict[str, str]]]:
        """Values of the axes but `dataset`: of one, or of several that go together."""
        if "layer" in axes:
            yield list(self.features(dataset))
        elif "encoder" in axes:
            heard = not self.study.given.get(dataset)
            yield [{"encoder": name} for name in self.study.encoders if heard]
        known = {
            "metric": [chosen["metric"]]
            if isinstance(chosen.get("metric"), str)
            else chosen.get("metric", ()),
            "backend": self.study.backends,
            "machine": self.machines.get(dataset, ()),
            "fusion": self.study.fusions,
            "figure": self.study.figures,
        }
        for axis in axes:
            if axis in known:
                yield [{axis: name} for name in known[axis]]


def _fits(names: Mapping[str, str], chosen: Mapping[str, Chosen]) -> bool:
    """Whether every axis has a value that was chosen, or no choice."""
    wanted = ((name, chosen[axis]) for axis, name in names.items() if axis in chosen)
    return all(name == one if isinstance(one, str) else name in one for name, one in wanted)


def _filled(place: str, names: Mapping[str, Any]) -> str:
    return re.sub(r"{(\w+)}", lambda axis: str(names.get(axis[1], axis[0])), place)


def _stem(name: str, names: Mapping[str, str]) -> str:
    place = _filled(PLACES.get(name, name), names)
    return re.sub(r"\.(parquet|svg|csv|html)$", "", place)
