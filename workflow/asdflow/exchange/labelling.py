"""Labels of the clips that score files name: from the names themselves, or from a clips table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc

from asdflow import tables
from asdflow.errors import DataError
from asdflow.exchange.reading import Submission, Unit


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
    clips: dict[tuple[str, str, str], Clip] = {}
    unlabelled: list[str] = []
    for submission in submissions.values():
        for (machine, section), rows in submission.scores.items():
            for name in rows:
                words = stem(name).split("_")
                label = _first(words, ("normal", "anomaly"))
                domain = _first(words, ("source", "target")) or submission.domains.get(
                    (machine, section, name)
                )
                if label is None:
                    unlabelled.append(f"{machine}/{name}")
                clips[machine, section, stem(name)] = Clip(
                    machine, section, stem(name), label, domain, f"{section}/{stem(name)}"
                )
    if unlabelled:
        raise DataError(
            unlabelled[0],
            f"has no label in its name, like {len(unlabelled) - 1} other scored clips",
            "Hand in the clips table of the data set, which knows the labels.",
        )
    return [clips[key] for key in sorted(clips)]


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


def short_names(clips: Sequence[tuple[str, str, str]]) -> list[str]:
    """Last part of each (machine, section, clip) identity; all of it where a section has that part twice."""
    short = [(machine, section, PurePosixPath(clip).name) for machine, section, clip in clips]
    counts: dict[tuple[str, str, str], int] = {}
    for key in short:
        counts[key] = counts.get(key, 0) + 1
    return [key[2] if counts[key] == 1 else clip[2] for key, clip in zip(short, clips, strict=True)]


def stem(name: str) -> str:
    """Clip name of a file name: without an audio suffix (a dot elsewhere is part of the name)."""
    return re.sub(r"\.(wav|flac|ogg)$", "", name, flags=re.IGNORECASE)


def _first(words: list[str], wanted: tuple[str, ...]) -> str | None:
    return next((word for word in words if word in wanted), None)


def _read_clips(path: Path) -> pa.Table:
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise DataError(path, "holds no clips table", "Run snakemake for the clips of the data set first.")
    return pa.concat_tables([tables.read(file, "clips") for file in files])
