"""A machine's tree on disk: file names and attributes as in DCASE 2023 and later, wav files of 16 bit."""

from __future__ import annotations

import csv
import errno
import shutil
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from asdflow.clips import dcase_names
from asdflow.datasets.factory._clips import Clip
from asdflow.datasets.factory._physics import RATE
from asdflow.foundation.errors import ProductError

SECTION = "00"
ATTRIBUTES = f"attributes_{SECTION}.csv"


def attributes(clip: Clip, condition: dict[str, float]) -> dict[str, str]:
    """What a file name tells of a clip: its operating condition, then which microphone and background."""
    place = {"source": "1", "target": "2"}[clip.domain]
    told = {name: f"{value:g}" for name, value in condition.items()}
    return told | {"mic": place, "noise": place}


def path(clip: Clip, told: dict[str, str]) -> str:
    """`<machine>/<split>/section_00_..._NNNN_<attribute>_<value>....wav`."""
    name = dcase_names.ClipName(
        SECTION, f"{clip.number:04d}", clip.domain, clip.split, clip.label, tuple(told.items())
    )
    return f"{clip.machine}/{clip.split}/{dcase_names.format(name)}"


def write_wav(file: Path, waveform: np.ndarray) -> None:
    """Mono PCM of 16 bit. `waveform` (samples,) in [-1, 1]; the standard library adds nothing of its own."""
    pcm = np.rint(waveform * 32767).astype("<i2")
    with wave.open(str(file), "wb") as out:
        out.setparams((1, 2, RATE, len(pcm), "NONE", ""))
        out.writeframes(pcm.tobytes())


def write_attributes(file: Path, rows: dict[str, dict[str, str]]) -> None:
    """`attributes_00.csv`: header file_name,d1p,d1v,d2p,d2v,...; `rows` is path to attributes."""
    width = max(map(len, rows.values()))
    header = ["file_name", *(f"d{i}{which}" for i in range(1, width + 1) for which in "pv")]
    with open(file, "w", encoding="utf-8", newline="") as out:
        table = csv.writer(out, lineterminator="\n")
        table.writerow(header)
        for name in sorted(rows):
            table.writerow([name, *(part for pair in rows[name].items() for part in pair)])


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder beside `folder`; on success it takes its place, on failure it is removed.

    What a killed run left behind is removed first. Raises ProductError when the disk is full.
    """
    partial = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        yield partial
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ProductError(
                folder, "the disk is full", "Free space and run the same command again."
            ) from error
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
