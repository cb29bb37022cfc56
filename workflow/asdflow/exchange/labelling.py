"""Labels of the clips that score files name: from the names, a clips table, or the organisers' list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from asdflow.clips import dcase_names
from asdflow.exchange.reading import Submission, Unit, stem
from asdflow.foundation.errors import ConfigError, DataError
from asdflow.products import tables

if TYPE_CHECKING:
    from asdflow.clips.dcase_names import ClipName


@dataclass(frozen=True)
class Clip:
    """Label of one test clip: `name` as score files call it, domain None where unknown or absent."""

    machine: str
    section: str
    name: str
    label: str | None
    domain: str | None
    recording: str

    @property
    def unit(self) -> Unit:
        """(machine, section)."""
        return self.machine, self.section


def clips_of_names(submissions: Mapping[str, Submission]) -> list[Clip]:
    """Labels as the file names of all systems carry them: the words source/target and normal/anomaly in them.

    Raises
    ------
    DataError
        Names without a label, as in evaluation sets: then a clips table is needed.
    """
    clips = _named(submissions)
    unlabelled = [clip for clip in clips if clip.label is None]
    if unlabelled:
        raise DataError(
            f"{unlabelled[0].machine}/{unlabelled[0].name}",
            f"has no label in its name, like {len(unlabelled) - 1} other scored clips",
            "Name the data set whose clips they are, or the year of the organisers' list of labels.",
        )
    return clips


def clips_of_list(
    listed: Mapping[str, Mapping[str, ClipName]], submissions: Mapping[str, Submission]
) -> list[Clip]:
    """Labels from the organisers' list where file names carry none (evaluation), else from the names.

    Parameters
    ----------
    listed : mapping
        Machine to anonymous file name to what it stands for, as `read_labels` gives it. As soon as one of its
        machines is scored under anonymous names, all of them are expected.

    Raises
    ------
    DataError
        Anonymous names of a machine that the list does not know.
    """
    named = _named(submissions)
    anonymous = {clip.machine: clip for clip in reversed(named) if clip.label is None}
    for machine, clip in sorted(anonymous.items()):
        if machine not in listed:
            raise DataError(
                f"{machine}/{clip.name}",
                "has no label in its name, and the list of labels has no such machine",
                f"It has {', '.join(sorted(listed))}. Check the year.",
            )
    clips = [clip for clip in named if clip.machine not in anonymous]
    if anonymous:
        for machine, names in listed.items():
            for short, full in names.items():
                name = stem(short)
                clips.append(
                    Clip(machine, full.section, name, full.label, full.domain, f"{full.section}/{name}")
                )
    return sorted(clips, key=lambda clip: (clip.machine, clip.section, clip.name))


def clips_of_table(clips: pa.Table | str | Path) -> list[Clip]:
    """Labels of the test clips of a table of schema "clips", a Parquet file of it, or a folder of such files.

    A clip goes by the last part of its identity where no other of its section has the same, otherwise by all
    of it.
    """
    if not isinstance(clips, pa.Table):
        clips = _read_clips(Path(clips))
    columns = ("machine", "section", "clip", "label", "domain", "recording")
    test = clips.filter(pc.equal(clips.column("split"), "test"))
    rows = list(zip(*(test.column(name).to_pylist() for name in columns), strict=True))
    names = short_names([(machine, section, clip) for machine, section, clip, *_ in rows])
    return [
        Clip(machine, section, name, label, domain, recording)
        for name, (machine, section, _, label, domain, recording) in sorted(
            zip(names, rows, strict=True), key=lambda pair: (*pair[1][:2], pair[0])
        )
    ]


def labels_from(
    dataset: str | None = None,
    clips: str | Path | None = None,
    year: int | None = None,
    store: str | Path = "data",
    labels: str | Path | None = None,
    results: str | Path = "results",
) -> Path | Mapping[str, Mapping[str, ClipName]] | None:
    """What `evaluate_folder` takes as `clips`, from at most one of three sources; None for none of them.

    Parameters
    ----------
    dataset : str, optional
        Data set of a study: its clips tables below `results`.
    clips : path, optional
        A clips table, or a folder of them.
    year : int, optional
        Year of DCASE: the organisers' list, fetched into `store` and checked unless it is there.
    labels : path, optional
        With `year`: this list (or an evaluator's folder) instead of the organisers'.

    Raises
    ------
    ConfigError
        Two of them are given, or labels without their year.
    DataError, FetchError
        The year has no list, or it cannot be had.
    """
    given = [name for name, value in (("dataset", dataset), ("clips", clips), ("year", year)) if value]
    if len(given) > 1:
        raise ConfigError(
            " and ".join(f"--{name}" for name in given), "both name the labels", "Give one of them."
        )
    if labels and not year:
        raise ConfigError("--labels", "is given without --year", "Name the year whose file names they are.")
    if year:
        from asdflow.datasets.dcase.labels import fetch_labels, labels_file, own_files, read_labels
        from asdflow.datasets.dcase.registry import load

        if labels:
            own_files(labels)
            return read_labels(labels, year)
        registry = load()
        return read_labels(fetch_labels(registry, year, labels_file(registry, year, store)), year)
    if dataset:
        return Path(results) / "clips" / dataset
    return Path(clips) if clips else None


def short_names(clips: Sequence[tuple[str, str, str]]) -> list[str]:
    """Last part of each (machine, section, clip) identity; all of it where a section has that part twice."""
    short = [(machine, section, PurePosixPath(clip).name) for machine, section, clip in clips]
    counts: dict[tuple[str, str, str], int] = {}
    for key in short:
        counts[key] = counts.get(key, 0) + 1
    return [key[2] if counts[key] == 1 else clip[2] for key, clip in zip(short, clips, strict=True)]


def _named(submissions: Mapping[str, Submission]) -> list[Clip]:
    """Every scored clip with what its name, or that of its score file, says; sorted.

    Raises DataError for a name that says two things, and for systems that say different ones of a clip.
    """
    clips: dict[tuple[str, str, str], Clip] = {}
    for system, submission in submissions.items():
        for (machine, section), rows in submission.scores.items():
            for name in rows:
                short = stem(name)
                label, domain = _said(f"system {system!r}, {machine}/{name}", short)
                told = submission.domains.get((machine, section, name))
                earlier = clips.get((machine, section, short))
                domains = {each for each in (domain, told, earlier and earlier.domain) if each}
                if len(domains) > 1:
                    raise DataError(
                        f"system {system!r}, {machine}/{name}",
                        "is of the source domain by one name, of the target domain by another (its own, its "
                        "score file's, or that of another system)",
                        "Correct the names, or name the data set whose clips they are.",
                    )
                domain = domains.pop() if domains else None
                clips[machine, section, short] = Clip(
                    machine, section, short, label, domain, f"{section}/{short}"
                )
    return [clips[key] for key in sorted(clips)]


def _said(where: str, name: str) -> tuple[str | None, str | None]:
    """Label and domain that a clip's name says: by the challenge's grammar, else by the words in it."""
    try:
        said = dcase_names.parse(name)
        return said.label, said.domain
    except DataError:
        found = []
    for known in (dcase_names.LABELS, dcase_names.DOMAINS):
        words = {word for word in name.split("_") if word in known}
        if len(words) > 1:
            raise DataError(
                where,
                f"says both {' and '.join(sorted(words))}",
                "Name the data set whose clips they are, which knows their labels.",
            )
        found.append(words.pop() if words else None)
    return found[0], found[1]


def _read_clips(path: Path) -> pa.Table:
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise DataError(path, "holds no clips table", "Run snakemake for the clips of the data set first.")
    return pa.concat_tables([tables.read(file, "clips") for file in files])
