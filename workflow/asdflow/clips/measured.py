"""The clips table: every clip of a machine, its file checked and its sound measured.

What is wrong with a file is an error that lists every bad file at once; what is odd though usable is a
warning in the table. `docs/bad-input.md` names them all.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from asdflow.audio.files import AudioFile, open_audio
from asdflow.audio.measuring import Measurement, measure
from asdflow.clips.checks import require_sound_plan, warn_about_domains, warn_about_recordings
from asdflow.clips.rows import SILENT, ClipRow
from asdflow.foundation.errors import DataError, together
from asdflow.products.schemas import CLIPS

QUIET = 1e-4
"""Standard deviation, full scale 1 (-80 dBFS), below which a clip is called very quiet."""


@dataclass
class _Clip:
    """A planned clip with what was found in its file."""

    row: ClipRow
    sha256: str
    rate: int
    channels: int
    found: Measurement
    warnings: list[str] = field(default_factory=list)


def table(
    machine: str,
    root: Path,
    rows: Sequence[ClipRow],
    progress: Callable[[Iterable], Iterable] | None = None,
    mixes: bool = True,
) -> pa.Table:
    """Clips table of one machine.

    Each file is opened, hashed and decoded once, by blocks, however many clips it holds. How a clip will be
    read (channel, level, length, noise) does not matter here: the table describes the recordings.

    Parameters
    ----------
    machine : str
    root : path
        Folder that the paths of the clips are relative to.
    rows : sequence of ClipRow
        The planned clips, in any order.
    progress : callable, optional
        Wraps the iteration over files, e.g. `tqdm.tqdm`.
    mixes : bool
        Whether channels are averaged where `audio.channel` is not given: clips of several say so.

    Returns
    -------
    table of schema "clips", sorted by (section, clip).

    Raises
    ------
    DataError
        There are no clips, a file cannot be used, two clips have one name, or a section has no bank. All bad
        files are in one error.
    """
    where = f"{root} (machine {machine})"
    rows = sorted(rows, key=lambda row: (row.section, row.clip))
    if not rows:
        raise DataError(where, "has no clips", "Correct the root, the machine's name or the list of clips.")
    require_sound_plan(where, rows)
    clips = _decode(where, root, rows, progress)
    _warn_about_rates(clips)
    if mixes:
        _warn_about_mixing(clips)
    _warn_about_copies(clips)
    _warn_about_overlap(clips)
    warn_about_recordings(clips)
    warn_about_domains(clips)
    return _table(machine, clips)


def _decode(where: str, root: Path, rows: Sequence[ClipRow], progress) -> list[_Clip]:
    """Every clip measured, in the order of `rows`; one error for all bad files."""
    by_path: dict[str, list[ClipRow]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row.path, row.start_s)):
        by_path[row.path].append(row)
    clips: dict[str, _Clip] = {}
    problems: list[DataError] = []
    for path in (progress or iter)(by_path):
        try:
            with open_audio(root / path) as file:
                sha256 = _sha256(root / path)
                for row in by_path[path]:
                    clips[row.clip] = _clip(file, sha256, row)
        except DataError as error:
            problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise together(
            where,
            f"{len(problems)} of {len(by_path)} files cannot be used",
            [str(error) for error in problems],
            "Correct all of them, then run the same command again.",
        )
    return [clips[row.clip] for row in rows]


def _clip(file: AudioFile, sha256: str, row: ClipRow) -> _Clip:
    found = measure(file, *file.segment(row.start_s, row.duration_s))
    clip = _Clip(row, sha256, file.rate, file.channels, found, list(file.warnings))
    if not any(found.deviations):
        if row.split == "train":
            raise DataError(
                file.path,
                f"is silent: training clip {row.clip!r} holds one value, {found.means[0]:g}, throughout",
                "Leave it out: silence in the bank makes silent test clips look normal.",
            )
        clip.warnings.append(SILENT)
        return clip
    dead = [channel for channel, deviation in enumerate(found.deviations) if deviation == 0]
    if dead:
        clip.warnings.append(f"silent channel {', '.join(map(str, dead))} of {file.channels}")
    if found.clipped:
        share = found.clipped / (found.samples * file.channels)
        clip.warnings.append(f"clipped: {found.clipped} samples at full scale ({share:.2%})")
    elif found.flat:
        share = found.flat / (found.samples * file.channels)
        clip.warnings.append(f"clipped: {found.flat} samples in flat tops ({share:.2%})")
    if found.peak > 1.0:
        clip.warnings.append(f"beyond full scale: peak {found.peak:.3g}")
    if max(found.deviations) < QUIET:
        clip.warnings.append("very quiet: below -80 dBFS")
    if any(abs(mean) > deviation for mean, deviation in zip(found.means, found.deviations, strict=True)):
        clip.warnings.append("offset larger than the signal: set audio.remove_dc")
    return clip


def _warn_about_rates(clips: Sequence[_Clip]) -> None:
    """A few files at another rate or with other channels sound different for that alone."""
    for what, of in (("Hz", "rate"), ("channels", "channels")):
        counts = Counter(getattr(clip, of) for clip in clips)
        usual = min(counts, key=lambda value: (-counts[value], value))
        for clip in clips:
            if (value := getattr(clip, of)) != usual:
                clip.warnings.append(f"{value} {what}, most clips of the machine have {usual}")


def _warn_about_mixing(clips: Sequence[_Clip]) -> None:
    """The mean of several microphones may hide what one of them hears."""
    for clip in clips:
        if clip.channels > 1:
            clip.warnings.append(f"{clip.channels} channels: averaged unless audio.channel names one")


def _warn_about_copies(clips: Sequence[_Clip]) -> None:
    """The same samples twice: in a bank a copy has distance 0, across splits it gives the answer away."""
    alike: dict[bytes, list[_Clip]] = defaultdict(list)
    for clip in clips:
        alike[clip.found.digest].append(clip)
    for group in alike.values():
        for clip in group:
            others = [other for other in group if other is not clip]
            # The most telling copy is named: one that crosses from bank to test.
            others.sort(key=lambda other: (other.row.split == clip.row.split, other.row.clip))
            if others:
                crossing = {clip.row.split, others[0].row.split} == {"train", "test"}
                leak = " (training and test share it)" if crossing else ""
                clip.warnings.append(f"same sound as {others[0].row.clip}{leak}")


def _warn_about_overlap(clips: Sequence[_Clip]) -> None:
    """Segments of one file that share samples."""
    by_path: dict[str, list[_Clip]] = defaultdict(list)
    for clip in clips:
        by_path[clip.row.path].append(clip)
    for group in by_path.values():
        reaching: dict[str, _Clip] = {}  # split -> the clip that reaches furthest so far
        for clip in sorted(group, key=lambda clip: (clip.row.start_s, clip.row.clip)):
            for split, before in sorted(reaching.items()):
                if round(clip.row.start_s * clip.rate) < _end(before):
                    clip.warnings.append(f"overlaps {before.row.clip} ({split})")
            furthest = reaching.get(clip.row.split)
            if furthest is None or _end(clip) > _end(furthest):
                reaching[clip.row.split] = clip


def _end(clip: _Clip) -> int:
    return round(clip.row.start_s * clip.rate) + clip.found.samples


def _table(machine: str, clips: Sequence[_Clip]) -> pa.Table:
    columns = {
        "machine": [machine] * len(clips),
        "section": [clip.row.section for clip in clips],
        "clip": [clip.row.clip for clip in clips],
        "path": [clip.row.path for clip in clips],
        "start_s": [float(clip.row.start_s) for clip in clips],
        "duration_s": [clip.found.samples / clip.rate for clip in clips],
        "domain": [clip.row.domain for clip in clips],
        "split": [clip.row.split for clip in clips],
        "label": [clip.row.label for clip in clips],
        "recording": [clip.row.recording for clip in clips],
        "attributes": [list(clip.row.attributes.items()) for clip in clips],
        "sample_rate": [clip.rate for clip in clips],
        "channels": [clip.channels for clip in clips],
        "samples": [clip.found.samples for clip in clips],
        "sha256": [clip.sha256 for clip in clips],
        "peak": [clip.found.peak for clip in clips],
        "rms": [clip.found.rms for clip in clips],
        "warnings": [clip.warnings for clip in clips],
    }
    schema = CLIPS.arrow()
    return pa.Table.from_arrays(
        [pa.array(columns[column.name], type=column.type) for column in schema], schema=schema
    )


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
