"""Clips of unequal length, from wav files to the frames of BEATs, under every length rule."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from asdflow import datasets
from asdflow.encoders._passes import Passes
from asdflow.encoders.beats import BEATs
from asdflow.pipeline.build import encoder as build
from asdflow.stages.frames import extract, open_frames
from asdflow.stages.usable import longest_s
from tiny_encoders import beats_checkpoint, sound

RATE = 16000
SECONDS = (6.0, 7.3, 10.0, 12.0, 18.0)  # of the clips of DCASE 2023
HEARD_S = {
    "native": SECONDS,
    "first10": (6.0, 7.3, 10.0, 10.0, 10.0),
    "pad10": (10.0,) * 5,
    "tile_max": (18.0,) * 5,
}


def steps(seconds: float) -> int:
    """Patches of 16 frames of 25 ms every 10 ms that lie in so many seconds, counted one by one."""
    frames = 0
    while frames * 160 + 400 <= round(seconds * RATE):
        frames += 1
    return frames // 16


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """A folder with recordings of one machine and a tiny checkpoint."""
    folder = tmp_path_factory.mktemp("lengths")
    for index, seconds in enumerate(SECONDS):
        path = folder / f"recordings/fan/train/section_00_source_train_normal_{index:04d}_none.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, sound(round(seconds * RATE), "lengths", index), RATE, subtype="PCM_16")
    beats_checkpoint(folder / "tiny.pt")
    return folder


def beats(study: Path, **options):
    return build({"name": "beats", "checkpoint": str(study / "tiny.pt"), "unverified": True} | options)


def frames_of(study: Path, rule: str, path: Path, encoder) -> list[np.ndarray]:
    """Stored frames of every clip, in order."""
    data = datasets.build({"kind": "folder", "root": str(study / "recordings"), "audio": {"length": rule}})
    table = data.clips_table("own", study, "fan")
    longest = longest_s([table]) if rule == "tile_max" else None
    extract(table, data.loader("own", study, longest), encoder, path, {}, progress=False)
    with open_frames(path) as file:
        return [file.clip(name, "last") for name in sorted(table.column("clip").to_pylist())]


@pytest.mark.parametrize("rule", HEARD_S)
def test_every_clip_has_the_frames_of_the_seconds_that_are_heard(study, tmp_path, rule):
    stored = frames_of(study, rule, tmp_path / "f.parquet", beats(study))
    assert [frames.shape for frames in stored] == [(steps(seconds), 8, 32) for seconds in HEARD_S[rule]]


def test_a_stored_clip_is_what_the_encoder_gives_for_its_file_alone(study, tmp_path):
    stored = frames_of(study, "native", tmp_path / "f.parquet", beats(study))
    for path, frames in zip(sorted((study / "recordings").rglob("*.wav")), stored, strict=True):
        wave, _ = soundfile.read(path, dtype="float32")
        assert np.array_equal(frames, beats(study).frames(wave[None])[0])


def test_bands_are_kept_or_averaged(study, tmp_path):
    kept = frames_of(study, "native", tmp_path / "kept.parquet", beats(study))
    mean = frames_of(study, "native", tmp_path / "mean.parquet", beats(study, stored_bands="mean"))
    for eight, one in zip(kept, mean, strict=True):
        assert one.shape == (len(eight), 1, 32)
        np.testing.assert_allclose(one[:, 0], sum(eight[:, band] for band in range(8)) / 8, atol=1e-6)


def test_extraction_as_on_a_gpu_whose_memory_runs_out_gives_the_frames_of_the_cpu(
    study, tmp_path, monkeypatch
):
    """The lines that a GPU runs: page-locked memory, whole batches, halving."""
    expected = frames_of(study, "pad10", tmp_path / "cpu.parquet", beats(study))
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: self.clone())
    monkeypatch.setattr(BEATs, "batch", 64)
    encoder, sizes = beats(study), []
    encoder.__dict__["_passes"] = Passes(torch.device("cpu"), whole=True)
    layers = encoder._network.layers

    def hungry(image, wanted):
        sizes.append(len(image))
        if len(image) > 2:
            raise torch.OutOfMemoryError("no")
        return layers(image, wanted)

    monkeypatch.setattr(encoder._network, "layers", hungry)
    found = frames_of(study, "pad10", tmp_path / "gpu.parquet", encoder)
    assert sizes == [5, 2, 2, 1]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
