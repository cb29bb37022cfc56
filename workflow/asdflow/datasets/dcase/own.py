"""The user's own copy of a data set: zips or unpacked folders, however the tree above them is arranged."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from asdflow.clips.dcase_names import FOLDERS
from asdflow.datasets.dcase.entries import SPLITS, Audio
from asdflow.datasets.dcase.registry import Archive
from asdflow.datasets.dcase.zenodo import Pin
from asdflow.download import verify
from asdflow.foundation.errors import ConfigError, DataError
from asdflow.foundation.names import hidden

DEPTH = 4
"""Levels below data_dir that are searched, e.g. dcase2024t2/dev_data/raw/fan."""

DEVELOPMENT = re.compile(r"dev(_data|elopment)?", re.IGNORECASE)
EVALUATION = re.compile(r"eval(_data|uation)?|additional_training", re.IGNORECASE)
YEAR = re.compile(r"20(2\d)(?!\d)")
LISTED = 5


@dataclass(frozen=True)
class Found:
    """An unpacked folder, or zips of the archive's name that have yet to be checked."""

    folder: Path | None = None
    zips: tuple[Path, ...] = ()


NOTHING = Found()


def find(data_dir: str | Path, archive: Archive) -> Found:
    """What `data_dir` has of an archive, by names alone. A folder is preferred: it needs no room.

    A folder is the machine's when it is called so and holds a folder of the part's splits. Folders above it
    that name another year, or the other subset (`dev...`, `eval...`), rule it out.

    Raises ConfigError when data_dir does not exist, or has several folders that fit.
    """
    data_dir = Path(data_dir)
    if not data_dir.is_dir():
        raise ConfigError(
            f"data_dir {data_dir}", "is not a folder", "Correct it, or leave it out to download."
        )
    folders = [path for path in _below(data_dir, archive.machine) if _holds_part(path, archive.part)]
    folders = [path for path in folders if _fits(path.relative_to(data_dir).parent, archive)]
    if len({path.resolve() for path in folders}) > 1:
        raise ConfigError(
            f"data_dir {data_dir}",
            f"has several folders of {archive.machine}: {', '.join(map(str, folders[:LISTED]))}",
            f"Name the one of DCASE {archive.year}.",
        )
    if folders:
        return Found(folder=folders[0])
    zips = [path for path in _below(data_dir, archive.name) if path.is_file()]
    return Found(zips=tuple(path for path in zips if _fits(path.relative_to(data_dir).parent, archive)))


def checked_zip(zips: Sequence[Path], archive: Archive, pinned: Pin | None) -> Path | None:
    """The first zip that is the published one; where no checksum is known, of the published size.

    Raises DataError naming both values for none but others.
    """
    faults = []
    for path in zips:
        fault = verify(path, pinned.checksum, pinned.size) if pinned else verify(path, None, archive.size)
        if fault is None:
            return path
        faults.append(f"{path} {fault}")
    if not faults:
        return None
    raise DataError(
        f"{archive.name} of DCASE {archive.year}",
        "; ".join(faults),
        "Replace it by the published file, or leave data_dir out to download that.",
    )


def sizes(folder: Path) -> dict[str, int]:
    """Path below the folder to bytes, of the files that make up a data set, sorted."""
    files = [path for name in FOLDERS for path in (folder / name).glob("*") if not hidden(path.name)]
    files += folder.glob("attributes_*.csv")
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(files)}


def require_published_audio(folder: Path, archive: Archive, audio: Audio) -> None:
    """Raise DataError when a file of the part is empty, unreadable, or of another rate or channel count.

    Only headers are read; the clips table measures the contents.
    """
    import soundfile

    faults = []
    for name, (split, _) in FOLDERS.items():
        if split not in SPLITS[archive.part]:
            continue
        for path in sorted((folder / name).glob("*.wav")):
            if hidden(path.name):
                continue
            try:
                info = soundfile.info(str(path))
            except (soundfile.LibsndfileError, RuntimeError) as error:
                faults.append(f"{path.name}: cannot be read ({error})")
                continue
            found = (info.samplerate, info.channels)
            if found != (audio.sample_rate, audio.channels):
                faults.append(
                    f"{path.name}: {found[0]} Hz, {found[1]} channels, "
                    f"expected {audio.sample_rate} Hz, {audio.channels}"
                )
    if faults:
        more = f"; and {len(faults) - LISTED} more" if len(faults) > LISTED else ""
        raise DataError(
            folder,
            f"{len(faults)} files are not as published: {'; '.join(faults[:LISTED])}{more}",
            "Replace them by the published files, or leave data_dir out to download those.",
        )


def _below(data_dir: Path, name: str) -> list[Path]:
    patterns = ["/".join(["*"] * depth + [name]) for depth in range(DEPTH)]
    return [path for pattern in patterns for path in sorted(data_dir.glob(pattern))]


def _holds_part(folder: Path, part: str) -> bool:
    wanted = SPLITS[part][0]  # train for development and additional training, test for evaluation
    return any(split == wanted and (folder / name).is_dir() for name, (split, _) in FOLDERS.items())


def _fits(above: Path, archive: Archive) -> bool:
    years = {2000 + int(match[1]) for part in above.parts for match in YEAR.finditer(part)}
    if years and archive.year not in years:
        return False
    other = EVALUATION if archive.part == "development" else DEVELOPMENT
    return not any(other.fullmatch(part) for part in above.parts)
