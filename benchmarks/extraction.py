"""Extraction as the workflow does it, from wav files to Parquet: its memory, and its speed on a GPU.

    python benchmarks/extraction.py memory [--counts 840 8400] [--seconds 1]
    python benchmarks/extraction.py speed --checkpoint BEATs_iter3.pt [--device auto] [--precision bfloat16]
                                          [--clips 512] [--seconds 10] [--threads 4] [--batch 64]

`memory` extracts that many clips of one simulated machine with YAMNet and with a tiny BEATs (random weights),
each in a process of its own, and prints their peak resident memory. As many recordings as the least number
are simulated; larger numbers take each of them several times, under other names.

`speed` prints clips a second and two shares: *busy*, the share of the time in which the encoder had clips to
work on (the rest is waiting for files), and *utilisation*, the operations of the network's matrix products a
second, over what the device reaches in large square products of the same precision. Without --checkpoint the
weights are random.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from asdflow import datasets
from asdflow.datasets.factory import generate
from asdflow.pipeline import build
from asdflow.products import tables
from asdflow.stages import frames

MACHINE = "fan"
CLIPS = "clips.parquet"
TEST_CLIPS = 200  # of the machine; the others are for training
SQUARE = 4096  # size of the products that measure a device
TINY = {
    "embed_dim": 24,
    "encoder_layers": 2,
    "encoder_embed_dim": 32,
    "encoder_ffn_embed_dim": 64,
    "encoder_attention_heads": 4,
    "conv_pos": 16,
    "conv_pos_groups": 4,
}


def factory(clips: int, seconds: float) -> Any:
    """Data set of one simulated machine of that size."""
    return datasets.build(
        {
            "kind": "factory",
            "machines": [MACHINE],
            "duration_s": seconds,
            "train_source": clips - TEST_CLIPS - 10,
            "train_target": 10,
            "test_per_cell": TEST_CLIPS // 4,
        }
    )


def simulate(data: Any, folder: Path) -> None:
    """Recordings and clips table of a data set, below a folder."""
    generate(data, MACHINE, data.root("bench", folder) / MACHINE)
    tables.write(folder / CLIPS, "clips", data.clips_table("bench", folder, MACHINE), {})


def repeated(rows: pa.Table, count: int) -> pa.Table:
    """That many rows: all of them over and over, each time under new names."""
    place, names = rows.column_names.index("clip"), rows.column("clip").to_pylist()
    rounds = [
        rows.set_column(place, "clip", pa.array([f"{number:04d}/{name}" for name in names]))
        for number in range(-(-count // len(names)))
    ]
    return pa.concat_tables(rounds).slice(0, count)


def extract(spec: Mapping[str, Any], folder: Path, count: int) -> None:
    """One extraction; prints peak memory in MB and seconds. Runs in a process of its own."""
    rows = tables.read(folder / CLIPS, "clips")
    load, rows = factory(rows.num_rows, 1.0).loader("bench", folder), repeated(rows, count)
    begin = time.perf_counter()
    frames.extract(rows, load, build.encoder(spec), folder / "frames.parquet", {}, progress=False)
    print(json.dumps({"peak": peak_mb(), "seconds": time.perf_counter() - begin}))


def peak_mb() -> float:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1 << (20 if sys.platform == "darwin" else 10)
    )


def measure_memory(counts: list[int], seconds: float) -> None:
    """Print a line for each encoder and number of clips."""
    from encoders import write_beats

    with tempfile.TemporaryDirectory() as folder:
        tiny = Path(folder) / "tiny.pt"
        write_beats(tiny, **TINY)
        simulate(factory(min(counts), seconds), Path(folder))
        for spec in ({"name": "yamnet"}, {"name": "beats", "checkpoint": str(tiny), "unverified": True}):
            for count in counts:
                command = [sys.executable, __file__, "one", json.dumps(spec), folder, str(count)]
                found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
                print(
                    f"{spec['name']}: {count} clips of {seconds:g} s, peak {found['peak']:.0f} MB, "
                    f"{found['seconds']:.0f} s",
                    flush=True,
                )


def measure_speed(options: argparse.Namespace) -> None:
    """Print clips a second, busy share and utilisation."""
    import torch
    from encoders import beats_operations, write_beats

    from asdflow.encoders.beats.checkpoint import read

    with tempfile.TemporaryDirectory() as folder:
        path = Path(options.checkpoint or Path(folder) / "random.pt")
        if not options.checkpoint:
            write_beats(path)
        spec = {"name": "beats", "checkpoint": str(path), "unverified": True}
        encoder = build.encoder(spec | {"device": options.device, "precision": options.precision})
        data = factory(max(options.clips, TEST_CLIPS + 20), options.seconds)
        simulate(data, Path(folder))
        rows = tables.read(Path(folder) / CLIPS, "clips").slice(0, options.clips)
        load = data.loader("bench", Path(folder))
        batch = options.batch or encoder.batch
        steps, bands, _ = encoder.output_shape("last", int(options.seconds * encoder.sample_rate))
        operations = beats_operations(read(path)[0], steps * bands)
        busy = Busy(encoder)
        frames.extract(rows.slice(0, batch), load, busy, Path(folder) / "warm.parquet", {}, progress=False)
        busy.seconds, begin = 0.0, time.perf_counter()
        frames.extract(
            rows, load, busy, Path(folder) / "frames.parquet", {}, batch=batch, threads=options.threads
        )
        took = time.perf_counter() - begin
        kind, precision = torch.device(encoder.runs_on), getattr(torch, options.precision)
        reached = operations * rows.num_rows / took / product_rate(kind, precision, options.threads)
        print(
            f"{encoder.runs_on}, {options.precision}, batches of {batch}: "
            f"{rows.num_rows / took:.2f} clips/s, busy {busy.seconds / took:.1%}, utilisation {reached:.1%}"
        )


class Busy:
    """An encoder that counts the seconds it computes."""

    def __init__(self, encoder: Any) -> None:
        self.encoder, self.seconds = encoder, 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.encoder, name)

    def layer_frames(self, waveforms: Any) -> dict[str, Any]:
        """As the encoder's; its results are on the CPU, so the device has finished."""
        begin = time.perf_counter()
        outputs = self.encoder.layer_frames(waveforms)
        self.seconds += time.perf_counter() - begin
        return outputs


def product_rate(device: Any, dtype: Any, threads: int) -> float:
    """Operations a second of large square products."""
    import torch

    torch.set_num_threads(threads)
    one = torch.ones(SQUARE, SQUARE, device=device, dtype=dtype)
    least = float("inf")
    for _ in range(5):
        begin = time.perf_counter()
        (one @ one).flatten()[0].item()  # waits for the device
        least = min(least, time.perf_counter() - begin)
    return 2.0 * SQUARE**3 / least


def main() -> None:
    """Read the command line."""
    if sys.argv[1:2] == ["one"]:
        extract(json.loads(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    memory = commands.add_parser("memory")
    memory.add_argument("--counts", type=int, nargs="+", default=[840, 8400])
    memory.add_argument("--seconds", type=float, default=1.0)
    speed = commands.add_parser("speed")
    speed.add_argument("--checkpoint")
    speed.add_argument("--device", default="auto")
    speed.add_argument("--precision", default="bfloat16", choices=["float32", "bfloat16", "float16"])
    speed.add_argument("--clips", type=int, default=512)
    speed.add_argument("--seconds", type=float, default=10.0)
    speed.add_argument("--threads", type=int, default=4)
    speed.add_argument("--batch", type=int)
    options = parser.parse_args()
    if options.command == "memory":
        measure_memory(options.counts, options.seconds)
    else:
        measure_speed(options)


if __name__ == "__main__":
    main()
