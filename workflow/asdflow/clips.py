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
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from asdflow.audio.clip import waveform_samples
from asdflow.audio.files import AudioFile, open_audio
from asdflow.audio.measuring import Measurement, measure
from asdflow.audio.options import AudioOptions
from asdflow.datasets._problems import together
from asdflow.errors import DataError
from asdflow.schemas import CLIPS

if TYPE_CHECKING:
    from asdflow.datasets.base import ClipRow, Recordings

SILENT = "silent: one value throughout"
"""Warning of a test clip without sound."""

QUIET = 1e-4
"""Standard deviation, full scale 1 (-80 dBFS), below which a clip is called very quiet."""


class Warned(Protocol):
    """A planned clip and what is odd about it."""

    row: ClipRow
    warnings: list[str]


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
    dataset: Recordings,
    name: str,
    base: str | Path,
    machine: str,
    progress: Callable[[Iterable], Iterable] | None = None,
) -> pa.Table:
    """Clips table of one machine.

    Each file is opened, hashed and decoded once, by blocks, however many clips it holds. The options `audio`
    and `noise` do not matter here: the table describes the recordings.

    Parameters
    ----------
    dataset : Recordings
    name : str
        Entry of the data set in the configuration.
    base : path
        Working directory.
    machine : str
    progress : callable, optional
        Wraps the iteration over files, e.g. `tqdm.tqdm`.

    Returns
    -------
    table of schema "clips", sorted by (section, clip).

    Raises
    ------
    DataError
        A name cannot be understood, a file cannot be used, two clips have one name, or a section has no bank.
        All bad files are in one error.
    """
    root = dataset.root(name, Path(base))
    where = f"{root} (machine {machine})"
    rows = sorted(dataset.clip_rows(name, Path(base), machine), key=lambda row: (row.section, row.clip))
    if not rows:
        raise DataError(where, "has no clips", "Correct the root, the machine's name or the list of clips.")
    require_sound_plan(where, rows)
    clips = _decode(where, root, rows, progress)
    _warn_about_rates(clips)
    _warn_about_copies(clips)
    _warn_about_overlap(clips)
    warn_about_recordings(clips)
    warn_about_domains(clips)
    return _table(machine, clips)


def longest_s(tables: Iterable[pa.Table]) -> float:
    """Longest clip of several clips tables, seconds: what `length: tile_max` fills."""
    return max(max(table.column("duration_s").to_pylist(), default=0.0) for table in tables)


def require_usable(
    clips: pa.Table,
    audio: AudioOptions,
    rate: int,
    min_samples: int,
    encoder: str,
    longest_s: float | None = None,
    noise: bool = False,
) -> None:
    """Raise one DataError that lists every clip an encoder could not take, before anything is decoded.

    Parameters
    ----------
    clips : table of schema "clips"
    audio : AudioOptions
        Of the data set.
    rate, min_samples : int
        Of the encoder: Hz, and the shortest waveform that gives a frame.
    encoder : str
        Its name, for the message.
    longest_s : float, optional
        Longest clip of the data set, for `length: tile_max`.
    noise : bool
        Whether noise will be mixed in, which a silent clip has no level for.
    """
    problems = []
    columns = ("clip", "path", "samples", "sample_rate", "channels", "warnings")
    for clip, path, samples, file_rate, channels, warnings in zip(
        *(clips.column(each).to_pylist() for each in columns), strict=True
    ):
        found = waveform_samples(samples, file_rate, rate, audio, longest_s)
        if found < min_samples:
            problems.append(
                f"{clip}: {found / rate:.3f} s long, but {encoder} needs {min_samples / rate:.3f} s or more. "
                "Leave it out, or set audio.length: pad10"
            )
        if audio.channel != "mix" and audio.channel >= channels:
            problems.append(
                f"{path}: has no channel {audio.channel}, it has {channels}, numbered from 0. "
                "Set audio.channel to one it has, or to mix"
            )
        if noise and SILENT in warnings:
            problems.append(
                f"{path}: is silent, so noise has no level at an SNR. Leave it out, or run without noise"
            )
    if problems:
        what = f"cannot take {len(problems)} of {clips.num_rows} clips"
        raise together(encoder, what, problems, "Correct all of them, then run the same command again.")


def require_sound_plan(where: str, rows: Sequence[ClipRow]) -> None:
    """Names, banks and domains, before any file is opened."""
    counts = Counter(row.clip for row in rows)
    repeated = [clip for clip, count in counts.items() if count > 1]
    if repeated:
        paths = sorted({row.path for row in rows if row.clip == repeated[0]})
        raise DataError(
            where,
            f"has {len(repeated)} clip names more than once, first {repeated[0]!r} ({', '.join(paths)})",
            "Give each file its own name without suffix, and list each segment once.",
        )
    for section in sorted({row.section for row in rows}):
        bank = [row for row in rows if row.section == section and row.split == "train"]
        if len(bank) < 2:
            raise DataError(
                f"{where}, section {section}",
                f"has {len(bank)} training clips; leave-one-out scores of the bank need two",
                "Provide normal recordings with split train.",
            )
        odd = [row for row in bank if row.label == "anomaly"]
        if odd:
            raise DataError(
                f"{where}, section {section}",
                f"has {len(odd)} anomalous training clips, first {odd[0].clip!r}; the bank must be normal",
                "Give them split test, or correct their label.",
            )
        without = [row for row in bank if row.domain is None]
        if without and len(without) < len(bank):
            raise DataError(
                f"{where}, section {section}",
                f"has {len(without)} of {len(bank)} training clips without domain, first {without[0].clip!r}",
                "Give every training clip a domain, source or target, or none of them.",
            )


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


def warn_about_recordings(clips: Sequence[Warned]) -> None:
    """Recordings that lie on both sides of the split."""
    splits: dict[str, set[str]] = defaultdict(set)
    for clip in clips:
        splits[clip.row.recording].add(clip.row.split)
    for clip in clips:
        if {"train", "test"} <= splits[clip.row.recording]:
            clip.warnings.append(f"recording {clip.row.recording} is in training and test")


def _end(clip: _Clip) -> int:
    return round(clip.row.start_s * clip.rate) + clip.found.samples


def warn_about_domains(clips: Sequence[Warned]) -> None:
    """A domain that one clip of the bank stands for, and test clips that no AUC counts."""
    banks: dict[str, list[Warned]] = defaultdict(list)
    for clip in clips:
        if clip.row.split == "train":
            banks[clip.row.section].append(clip)
    for bank in banks.values():
        for domain in ("source", "target"):
            alone = [clip for clip in bank if clip.row.domain == domain]
            if len(alone) == 1:
                alone[0].warnings.append(f"the only {domain} clip of its bank")
    for clip in clips:
        if clip.row.split == "test" and clip.row.domain is None and banks[clip.row.section][0].row.domain:
            clip.warnings.append("no domain: counts in neither the source nor the target AUC")


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
