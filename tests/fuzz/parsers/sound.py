"""Sound files: opened, measured and read as clips are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from harness import Parser

from asdflow.audio import AudioOptions, read_clip
from asdflow.audio.files import open_audio
from asdflow.audio.measuring import measure

OPTIONS = AudioOptions(max_samples=400_000)


def parse(path: Path) -> None:
    with open_audio(path) as file:
        count = min(file.frames, 100_000)
        measure(file, *file.segment(0.0, count / file.rate))
        file.segment(0.5 * count / file.rate, None)
    read_clip(path, 16000, OPTIONS)


def written(*kinds: tuple[str, str], channels: int = 1, samples: int = 4000):
    """Function that writes a file of each (format, subtype)."""

    def make(folder: Path) -> list[bytes]:
        random, result = np.random.default_rng(5), []
        sound = random.uniform(-0.5, 0.5, (samples, channels))
        for kind, subtype in kinds:
            soundfile.write(folder / "sound", sound, 8000, format=kind, subtype=subtype)
            result.append((folder / "sound").read_bytes())
        return result

    return make


WAVE = (("WAV", "PCM_16"), ("WAVEX", "PCM_24"), ("RF64", "PCM_16"), ("W64", "FLOAT"), ("WAV", "GSM610"))
OTHER = (("AIFF", "PCM_16"), ("AU", "PCM_16"), ("CAF", "PCM_16"), ("CAF", "ALAC_16"), ("AIFF", "IMA_ADPCM"))
CHUNKS = (b"RIFF", b"RIFX", b"RF64", b"WAVE", b"fmt ", b"data", b"LIST", b"ds64", b"SSND", b"COMM", b"FORM")

PARSERS = [
    Parser("wave", "a.wav", written(*WAVE), parse, (*CHUNKS, b"\xff" * 4, b"fact")),
    Parser("aiff_au_caf", "a.aiff", written(*OTHER), parse, (*CHUNKS, b".snd", b"caff", b"AIFC", b"pakt")),
    Parser(
        "flac",
        "a.flac",
        written(("FLAC", "PCM_16"), ("FLAC", "PCM_24"), channels=2),
        parse,
        (b"fLaC", b"\xff\xf8"),
    ),
    Parser("ogg", "a.ogg", written(("OGG", "VORBIS"), ("OGG", "OPUS")), parse, (b"OggS", b"\x01vorbis")),
    Parser(
        "mp3",
        "a.mp3",
        written(("MP3", "MPEG_LAYER_III")),
        parse,
        (b"ID3\x04", b"Xing", b"Info", b"\xff\xfb\x90"),
    ),
]
