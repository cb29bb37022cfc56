"""Cost of EAT and OpenL3 on the CPU: seconds a clip over the arithmetic floor of their networks.

    python benchmarks/encoders_eat_openl3.py {eat,openl3} [--threads 1 2] [--batches 1 2] [--seconds 10]
                                             [--rounds 10] [--clock wall|cpu] [--hop 0.1]

Floor, clocks and turns are those of benchmarks/encoders.py. The sizes are the published ones (EAT: base), the
weights random, the time that of `layer_frames`, everything from the waveform on included. EAT's clip is
padded to 1024 frames, as its authors do. OpenL3's floor counts the operations of the convolutions as they are
defined.
"""

from __future__ import annotations

import argparse
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from encoders import Watch, compare

from asdflow.encoders.eat.config import EatConfig
from asdflow.encoders.openl3.network import POOLED
from asdflow.encoders.openl3.picture import RATE, WINDOW, window_count
from asdflow.pipeline import build

CHANNELS = (1, 64, 64, 128, 128, 256, 256, 512, 512)
PICTURE = (128, 199)


def scaled(shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """Random tensors that keep the size of what they multiply."""
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for name, shape in shapes.items():
        values = torch.randn(shape, generator=generator)
        fan_in = values[0].numel() if len(shape) > 1 else 0
        tensors[name] = values * (2 / fan_in) ** 0.5 if fan_in > 1 else 1.0 + 0.1 * values
    return tensors


def eat(folder: Path, options: argparse.Namespace):
    """Encoder and operations of a clip: matrix products of 513 tokens."""
    config = EatConfig()
    image = {"embed_dim": config.width}
    names = {"pre_norm.": "modality_encoders.IMAGE.context_encoder.norm.", "blocks.": "blocks."}
    model = {}
    for name, tensor in scaled(config.tensors()).items():
        prefix = next((prefix for prefix in names if name.startswith(prefix)), "")
        new = names[prefix] if prefix else "modality_encoders.IMAGE."
        model[new + name.removeprefix(prefix)] = tensor
    cfg = {"model": {"_name": "data2vec_multi", "modalities": {"image": image}}}
    torch.save({"cfg": cfg, "model": model}, folder / "eat.pt")
    spec = {"name": "eat", "checkpoint": str(folder / "eat.pt"), "unverified": True, "target_length": 1024}
    tokens, width = 513, config.width
    block = 4 * width * width + 2 * width * config.hidden + 2 * tokens * width
    operations = 2.0 * (tokens * config.depth * block + (tokens - 1) * config.patch**2 * width)
    return build.encoder(spec), operations


def openl3(folder: Path, options: argparse.Namespace):
    """Encoder and operations of a clip: the convolutions of every window, as they are defined."""
    shapes, operations = {}, 0.0
    height, width = PICTURE
    for number, (inputs, outputs) in enumerate(pairwise(CHANNELS), 1):
        name = f"conv2d_{number}" if number < 8 else "audio_embedding_layer"
        norm = f"batch_normalization_{number}"
        shapes |= {f"{name}.weight": (outputs, inputs, 3, 3), f"{name}.bias": (outputs,)}
        shapes |= {f"{norm}.{part}": (inputs,) for part in ("weight", "bias", "running_mean", "running_var")}
        operations += 2.0 * 9 * inputs * outputs * height * width
        if number - 1 in POOLED:
            height, width = height // 2, width // 2
    model = scaled(shapes)
    model["speclayer.mel_basis"] = torch.rand(PICTURE[0], 1025) / 1025
    torch.save(model, folder / "openl3.pt")
    spec = {"name": "openl3", "checkpoint": str(folder / "openl3.pt"), "unverified": True}
    windows = window_count(int(options.seconds * RATE), int(options.hop * WINDOW), center=True)
    return build.encoder(spec | {"hop_s": options.hop}), operations * windows


def main() -> None:
    """Measure and print one line for each number of threads and batch size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("encoder", choices=["eat", "openl3"])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    parser.add_argument("--hop", type=float, default=0.1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        encoder, operations = {"eat": eat, "openl3": openl3}[options.encoder](Path(folder), options)
        samples = int(options.seconds * encoder.sample_rate)
        noise = np.random.default_rng(0).standard_normal((max(options.batches), samples))
        clips = (0.1 * noise).astype("f4")
        print(f"{options.encoder}: {operations / 1e9:.1f} GFLOP a clip", flush=True)
        for threads in options.threads:
            for batch in options.batches:
                if batch < threads:
                    continue  # a clip is computed by one thread
                watch = Watch(options.clock, threads)
                found = compare(encoder, clips[:batch], operations, watch, options.rounds)
                print(
                    f"{threads} threads, batches of {batch}: {found['ratio']:.3f} of the floor "
                    f"(typical {found['typical']:.3f}), {found['seconds']:.3f} s a clip, "
                    f"{found['rate']:.0f} GFLOP/s",
                    flush=True,
                )


if __name__ == "__main__":
    main()
