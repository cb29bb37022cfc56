"""Cost of an encoder on the CPU: seconds a clip over the arithmetic floor of its network.

    python benchmarks/encoders.py [--threads 1 2] [--batches 1 2 4] [--seconds 10] [--rounds 10]
                                  [--clock wall|cpu]
    python benchmarks/encoders.py --errors

The floor is the time in which this machine does the network's number of operations as float32 matrix
products: as many square products, of the size at which it is fastest. Floor and encoder take their turns,
each for about as long, so that what else runs on the machine meets both. The ratio is that of the least
times of both; `typical` is the median over rounds of a round's own ratio. Each clip is computed by one
thread, and so is each product of the floor; that is no slower than products that share the threads.

The encoder is the base size with random weights, read from a file; its time is that of `layer_frames`, from
waveforms to tokens, filter bank included. The operations are those of all matrix products; the convolution of
positions, the filter bank and everything elementwise count for nothing in the floor.

`--clock cpu` counts the processor time of all threads divided by their number: on a busy machine it leaves
out the time in which other programs ran, though not what they do to the caches.

`--errors` prints instead how much short precisions change the frames of simulated machines: root-mean-square
difference from float32 over the root mean square, and the smallest cosine of a frame; products of float16 and
bfloat16, and frames stored as float16.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import numpy as np
import torch

from asdflow.encoders._passes import single_threaded_pool
from asdflow.encoders.beats.config import BeatsConfig
from asdflow.pipeline import build

SIZES = (768, 1024, 1536, 2048)  # of the square products
RATE = 16000
NAME = "beats_base.pt"

BASE = {
    "deep_norm": True,
    "relative_position_embedding": True,
    "gru_rel_pos": True,
    "max_distance": 800,
}


def beats_operations(config: BeatsConfig, tokens: int) -> float:
    """Additions and multiplications of all matrix products of a clip."""
    width, patch = config.encoder_embed_dim, config.input_patch_size**2
    block = 4 * width * width + 2 * width * config.encoder_ffn_embed_dim + 2 * tokens * width
    front = patch * config.embed_dim + config.embed_dim * width
    return 2.0 * tokens * (config.encoder_layers * block + front)


def write_beats(path: Path, **sizes: int) -> BeatsConfig:
    """A checkpoint with random weights of sensible scale, of base size but for the sizes given."""
    cfg = BASE | sizes
    config = BeatsConfig(**cfg)
    generator = torch.Generator().manual_seed(0)
    model = {}
    for name, shape in config.tensors().items():
        values = torch.randn(shape, generator=generator)
        fan_in = values[0].numel() if len(shape) > 1 else 0
        model[name] = values / fan_in**0.5 if fan_in > 1 else 1.0 + 0.1 * values
    table = "encoder.layers.{}.self_attn.relative_attention_bias.weight"
    for number in range(config.encoder_layers):
        model[table.format(number)] = model[table.format(0)]
    torch.save({"cfg": cfg, "model": model}, path)
    return config


def multiply(pair: tuple[torch.Tensor, torch.Tensor], count: int) -> None:
    """Matrix products."""
    out = torch.empty_like(pair[0])
    for _ in range(count):
        torch.mm(*pair, out=out)


class Watch:
    """Seconds of a call, by the wall clock or as processor time a thread."""

    def __init__(self, clock: str, threads: int) -> None:
        self.clock, self.threads = clock, threads

    def __call__(self, work: Callable[[], object]) -> float:
        read = time.perf_counter if self.clock == "wall" else time.process_time
        begin = read()
        work()
        return (read() - begin) / (1 if self.clock == "wall" else self.threads)


class Floor:
    """Square products, the same on every thread.

    Parameters
    ----------
    seconds : Watch
    operations : float
        What each thread has to do.
    """

    def __init__(self, seconds: Watch, operations: float) -> None:
        self.seconds, self.operations = seconds, operations
        self.pool: ThreadPoolExecutor = single_threaded_pool(seconds.threads)
        self.size = max(SIZES, key=lambda size: max(self._rate(size, 1) for _ in range(5)))

    def measure(self) -> float:
        """Seconds of `operations` on every thread at once."""
        count = max(1, round(self.operations / (2.0 * self.size**3)))
        return self.operations / self._rate(self.size, count)

    def _rate(self, size: int, count: int) -> float:
        """Operations a second of each thread."""
        pairs = [(torch.ones(size, size), torch.ones(size, size)) for _ in range(self.seconds.threads)]
        time = self.seconds(lambda: list(self.pool.map(multiply, pairs, [count] * len(pairs))))
        return count * 2.0 * size**3 / time


def compare(encoder, clips: np.ndarray, operations: float, seconds: Watch, rounds: int) -> dict[str, float]:
    """Ratio of the least times, median ratio, least seconds a clip, and rate of all threads."""
    torch.set_num_threads(seconds.threads)
    floor = Floor(seconds, operations)
    share = seconds.threads / len(clips)  # of a pass that a clip takes
    encoder.layer_frames(clips)
    least, times = [], []
    for _ in range(rounds):
        least.append(floor.measure())
        times.append(share * seconds(lambda: encoder.layer_frames(clips)))
    return {
        "ratio": min(times) / min(least),
        "typical": median(time / below for time, below in zip(times, least, strict=True)),
        "seconds": min(times) / seconds.threads,
        "rate": seconds.threads * operations / min(least) / 1e9,
    }


def print_errors(folder: Path, samples: int) -> None:
    """One line for each short precision."""
    from asdflow import datasets
    from asdflow.datasets.factory._clips import clips as planned
    from asdflow.datasets.factory._synthesis import waveform

    machines = datasets.build({"kind": "factory"}).machines
    firsts = [next(iter(planned(machine, 2, 0, 1))) for machine in machines]
    waves = np.stack([waveform(clip, 0, samples, 6.0, 0.0) for clip in firsts]).astype("f4")
    spec = {"name": "beats", "checkpoint": str(folder / NAME), "unverified": True}
    exact = build.encoder(spec).frames(waves)
    short = {f"products {one}": build.encoder(spec | {"precision": one}) for one in ("bfloat16", "float16")}
    found = {name: encoder.frames(waves) for name, encoder in short.items()}
    found["stored float16"] = exact.astype(np.float16).astype(np.float32)
    for name, frames in found.items():
        error = np.sqrt(((frames - exact) ** 2).mean() / (exact**2).mean())
        cosine = (frames * exact).sum(-1) / np.linalg.norm(frames, axis=-1) / np.linalg.norm(exact, axis=-1)
        print(f"{name}: error {error:.1e}, smallest cosine {cosine.min():.7f}", flush=True)


def main() -> None:
    """Measure and print one line for each number of threads and batch size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    parser.add_argument("--errors", action="store_true")
    options = parser.parse_args()
    samples = int(options.seconds * RATE)
    clips = (0.1 * np.random.default_rng(0).standard_normal((max(options.batches), samples))).astype("f4")
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        path = Path(folder) / NAME
        config = write_beats(path)
        if options.errors:
            print_errors(Path(folder), samples)
            return
        encoder = build.encoder({"name": "beats", "checkpoint": str(path), "unverified": True})
        time_steps, bands, _ = encoder.output_shape("last", samples)
        operations = beats_operations(config, time_steps * bands)
        print(f"beats, base size: {time_steps * bands} tokens, {operations / 1e9:.1f} GFLOP a clip")
        for threads in options.threads:
            for batch in options.batches:
                if batch < threads:
                    continue  # a clip is computed by one thread
                found = compare(
                    encoder, clips[:batch], operations, Watch(options.clock, threads), options.rounds
                )
                print(
                    f"{threads} threads, batches of {batch}: {found['ratio']:.3f} of the floor "
                    f"(typical {found['typical']:.3f}), {found['seconds']:.3f} s a clip, "
                    f"{found['rate']:.0f} GFLOP/s"
                )


if __name__ == "__main__":
    main()
