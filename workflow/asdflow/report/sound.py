"""Clips to look at and to listen to: which ones, how loud, how long."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asdflow.report import spectrogram

if TYPE_CHECKING:
    from asdflow.presentation.results import Results, System
    from asdflow.products.study import Study

RATE = 16000  # Hz; higher rates are brought down to it, as the encoders do
PEAK = 0.89  # -1 dB
MOST_GAIN_DB = 40.0
SHORTEST_S = 1.0

Audio = Callable[[str, Mapping[str, Any], int], np.ndarray]
"""`audio(dataset, row of the clips table, rate in Hz) -> (samples,) float32`."""


def recordings(study: Study, base: str | Path, longest_s: Mapping[str, float]) -> Audio:
    """Reads clips as the encoders heard them: channel, level, noise and length as configured.

    Parameters
    ----------
    study : Study
    base : path
        Working directory, which relative paths of the configuration refer to.
    longest_s : mapping of data set to seconds
        Longest clip of each data set, for `length: tile_max`.
    """
    from asdflow import datasets

    @cache
    def load(dataset: str):
        built = datasets.build(study.datasets[dataset])
        return built.loader(dataset, base, longest_s.get(dataset))

    return lambda dataset, row, rate: load(dataset)(row, rate)


@dataclass(frozen=True)
class Shown:
    """One clip on the page."""

    clip: str
    place: str
    rank: int
    of: int
    score: float
    label: str | None
    domain: str | None
    section: str
    attributes: tuple[tuple[str, str], ...]
    rate: int
    seconds: float
    cut: bool
    flac: bytes
    png: bytes
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Machine:
    """Clips of one machine, most anomalous first, and the gain they are all played with."""

    name: str
    gain_db: float
    clips: tuple[Shown, ...]


@dataclass(frozen=True)
class Choice:
    """One clip of a ranking: its row of the clips table, score, rank among the machine's test clips."""

    row: Mapping[str, Any]
    score: float
    rank: int
    of: int
    place: str


def choose(results: Results, dataset: str, system: System, each: int) -> dict[str, list[Choice]]:
    """The `each` most and as many least anomalous test clips of every machine, rank 1 the highest score.

    Equal scores are ordered by section and clip. A machine with fewer than twice as many test clips shows
    each of them once. A machine with several sections is ranked over all of them that have scores; one
    without any is absent.
    """
    import polars as pl

    rows = {(row["machine"], row["section"], row["clip"]): row for row in results.clips(dataset).to_dicts()}
    test = results.scores(dataset, system).filter(pl.col("split") == "test", pl.col("score").is_not_null())
    test = test.sort(["score", "section", "clip"], descending=[True, False, False])
    chosen = {}
    for machine in results.machines(dataset):
        ranked = test.filter(pl.col("machine") == machine).to_dicts()
        if not ranked:
            continue
        count = len(ranked)
        top = list(range(min(each, count)))
        bottom = [index for index in range(max(0, count - each), count) if index not in top]
        chosen[machine] = [
            Choice(
                rows[machine, ranked[index]["section"], ranked[index]["clip"]],
                ranked[index]["score"],
                index + 1,
                count,
                place,
            )
            for place, indices in (("most", top), ("least", bottom))
            for index in indices
        ]
    return chosen


def machines(
    chosen: Mapping[str, Mapping[str, Sequence[Choice]]], audio: Audio, seconds: float, limit_bytes: int
) -> tuple[dict[str, list[Machine]], float]:
    """Pictures and sound of the chosen clips of every data set.

    Parameters
    ----------
    chosen : mapping of data set to machine to clips
    audio : Audio
    seconds : float
        Clips are cut to their first `seconds`.
    limit_bytes : int
        What pictures and sound may take together, as text on the page. Clips are cut further, all to the
        same length of at least `SHORTEST_S`, until they fit.

    Returns
    -------
    machines of each data set, and the length clips were cut to, seconds.
    """
    waves = {
        (dataset, machine): [_read(audio, dataset, one, seconds) for one in clips]
        for dataset, of_machine in chosen.items()
        for machine, clips in of_machine.items()
    }
    made = _all(chosen, waves, seconds)
    for _ in range(3):
        sound = sum(_text_bytes(one.flac) for machine in _each(made) for one in machine.clips)
        pictures = sum(_text_bytes(one.png) for machine in _each(made) for one in machine.clips)
        if sound + pictures <= limit_bytes or seconds <= SHORTEST_S:
            break
        share = max(limit_bytes - pictures, 0) / sound
        seconds = max(SHORTEST_S, np.floor(0.97 * share * seconds * 10) / 10)
        made = _all(chosen, waves, seconds)
    return made, float(seconds)


def _each(made: Mapping[str, Sequence[Machine]]):
    return (machine for several in made.values() for machine in several)


def _text_bytes(data: bytes) -> int:
    """Length in base64."""
    return 4 * -(-len(data) // 3)


def _read(audio: Audio, dataset: str, one: Choice, seconds: float) -> tuple[np.ndarray, int]:
    rate = min(RATE, int(one.row["sample_rate"]))
    return np.asarray(audio(dataset, one.row, rate), np.float64)[: int(seconds * rate)], rate


def _all(chosen, waves, seconds: float) -> dict[str, list[Machine]]:
    return {
        dataset: [
            _machine(machine, clips, waves[dataset, machine], seconds)
            for machine, clips in of_machine.items()
        ]
        for dataset, of_machine in chosen.items()
    }


def _machine(name: str, chosen: Sequence[Choice], waves, seconds: float) -> Machine:
    """One gain and one colour scale for all clips of a machine: they compare by eye and by ear."""
    waves = [(wave[: int(seconds * rate)], rate) for wave, rate in waves]
    loudest = max((np.abs(wave).max(initial=0.0) for wave, _ in waves), default=0.0)
    gain = min(PEAK / loudest, 10.0 ** (MOST_GAIN_DB / 20.0)) if loudest > 0 else 1.0
    spectra = [spectrogram.mel_spectrogram(wave, rate) for wave, rate in waves]
    brightest = max((float(np.quantile(one, 0.999)) for one in spectra), default=0.0)
    clips = tuple(
        Shown(
            clip=one.row["clip"],
            place=one.place,
            rank=one.rank,
            of=one.of,
            score=one.score,
            label=one.row["label"],
            domain=one.row["domain"],
            section=one.row["section"],
            attributes=tuple((pair["key"], pair["value"]) for pair in one.row["attributes"]),
            rate=rate,
            seconds=len(wave) / rate,
            cut=len(wave) / rate < one.row["duration_s"] - 0.01,
            flac=flac(wave * gain, rate),
            png=spectrogram.picture(spectrum, brightest),
            ticks=tuple(spectrogram.frequency_ticks(rate)),
        )
        for one, (wave, rate), spectrum in zip(chosen, waves, spectra, strict=True)
    )
    return Machine(name, float(20.0 * np.log10(gain)), clips)


def flac(waveform: np.ndarray, rate: int) -> bytes:
    """(samples,) float in [-1, 1] as a 16-bit FLAC file. No dither, no tags: equal sound, equal bytes.

    FLAC rather than Ogg, whose streams carry a random serial number, or WAV, which is twice as large.
    """
    import soundfile

    samples = np.rint(np.clip(waveform, -1.0, 1.0) * 32767.0).astype(np.int16)
    file = BytesIO()
    soundfile.write(file, samples, rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()
