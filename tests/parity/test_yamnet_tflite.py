"""YAMNet against the TFLite runtime that runs the same file (ai-edge-litert, XNNPACK kernels).

The runtime keeps activations as int8, we keep them as float32; that is the whole difference. Two tests show
it: the float network is close on every sound; and each block, given the runtime's input and rounding to the
grid of the file, gives the runtime's output but for the few values on the border between two steps.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from asdflow.pipeline.build import encoder
from yamnet_weights import yamnet_folder

RATE, SAMPLES = 16000, 15600
MIDDLE, EMBEDDING, LOGITS, SCORES = 71, 115, 118, 120  # tensors of the file
T = np.arange(SAMPLES) / RATE


def _speech_like() -> np.ndarray:
    """Noise and harmonics of 120 Hz, both switched at the rate of syllables."""
    rng = np.random.default_rng(7)
    voiced = sum(np.sin(2 * np.pi * 120 * k * T) / k for k in range(1, 20)) * (np.sin(2 * np.pi * 3 * T) > 0)
    return 0.1 * voiced + 0.1 * rng.standard_normal(SAMPLES) * (1 + np.sin(2 * np.pi * 4 * T)) / 2


SOUNDS = {
    "tone": 0.3 * np.sin(2 * np.pi * 440 * T),
    "noise": 0.1 * np.random.default_rng(0).standard_normal(SAMPLES),
    "chirp": 0.5 * np.sin(2 * np.pi * (100 * T + 2000 * T**2)),
    "clicks": np.where(np.arange(SAMPLES) % 1600 == 0, 0.9, 0.0),
    "silence, then tone": np.where(T < 0.5, 0, 0.3 * np.sin(2 * np.pi * 1000 * T)),
    "silence": np.zeros(SAMPLES),
    "speech-like": _speech_like(),
}


class Runtime:
    """The reference: class scores and inner tensors of the file."""

    def __init__(self, path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.interpreter = Interpreter(str(path), num_threads=1, experimental_preserve_all_tensors=True)
        self.interpreter.allocate_tensors()
        self.details = {tensor["index"]: tensor for tensor in self.interpreter.get_tensor_details()}

    def __call__(self, sound: np.ndarray) -> dict[int, np.ndarray]:
        self.interpreter.set_tensor(0, sound.astype(np.float32))
        self.interpreter.invoke()
        return {index: self.real(index) for index in (MIDDLE, EMBEDDING, LOGITS, SCORES)}

    def real(self, index: int) -> np.ndarray:
        """A tensor of the last run, dequantised."""
        values, (scale, zero) = self.interpreter.get_tensor(index), self.details[index]["quantization"]
        return scale * (values.astype(np.float64) - zero) if scale else values.astype(np.float64)


@pytest.fixture(scope="module")
def folder():
    return yamnet_folder()


@pytest.fixture(scope="module")
def runtime(folder):
    return Runtime(folder / "yamnet.tflite")


@pytest.fixture
def ours(folder, monkeypatch):
    monkeypatch.setenv("ASDFLOW_CHECKPOINTS", str(folder))

    def compute(sound: np.ndarray) -> dict[int, np.ndarray]:
        layers = ["layer7", "embedding"]
        yamnet = encoder({"name": "yamnet", "layers": layers})
        wave = sound[None].astype(np.float32)
        scores = yamnet.class_scores(wave).astype(np.float64)
        logits = np.log(scores) - np.log1p(-scores)
        layers = [frames.astype(np.float64) for frames in yamnet.layer_frames(wave).values()]
        return dict(zip((MIDDLE, EMBEDDING, LOGITS, SCORES), [*layers, logits, scores], strict=True))

    return compute


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a.ravel() @ b.ravel() / (np.linalg.norm(a) * np.linalg.norm(b)))


@pytest.mark.parametrize("name", SOUNDS)
def test_embedding_middle_layer_and_logits_agree(runtime, ours, name):
    theirs, mine = runtime(SOUNDS[name]), ours(SOUNDS[name])
    for tensor in (MIDDLE, EMBEDDING, LOGITS):
        assert cosine(theirs[tensor], mine[tensor]) >= 0.998
    assert np.abs(theirs[SCORES] - mine[SCORES]).max() < 0.06


@pytest.mark.parametrize("name", SOUNDS)
def test_each_block_gives_the_runtimes_numbers_when_it_rounds_as_the_runtime_does(runtime, folder, name):
    import torch
    from torch.nn.functional import pad

    from asdflow.encoders.yamnet import _network, _tflite

    network = _network.Network(_tflite.read(folder / "yamnet.tflite"), rounded=True)
    assert len(network.convolutions) == 27
    runtime(SOUNDS[name])
    values = different = 0
    for number, convolution in enumerate(network.convolutions):
        given, wanted = runtime.real(32 + 3 * number), runtime.real(35 + 3 * number)
        x = torch.tensor(given, dtype=torch.float32)
        x = x[..., 0] if number == 0 else pad(x, (0, 0, 0, 1, 0, 1))[:, :-1, :-1]  # see `margin`
        if convolution.kind == "pointwise":
            x = x.contiguous()
        step = convolution.rounding.scale
        error = np.abs(_network._apply(convolution, x).numpy() - wanted)
        assert error.max() < 1.01 * step, number
        values, different = values + error.size, different + int((error > 0.01 * step).sum())
    assert different / values < 1e-3


def test_real_machine_sounds_agree(runtime, ours, shared):
    import soundfile

    clips = sorted((shared / "data/dcase2020_clips").rglob("*.wav"))[::6]
    assert len(clips) == 6
    for path in clips:
        wave, rate = soundfile.read(path, frames=SAMPLES)
        assert rate == RATE
        theirs, mine = runtime(wave), ours(wave)
        for tensor in (MIDDLE, EMBEDDING, LOGITS):
            assert cosine(theirs[tensor], mine[tensor]) >= 0.998, path.name
