"""How batches go through a network: order, threads, and what happens when memory runs out."""

import threading

import numpy as np
import pytest
import torch

from asdflow.encoders._passes import Passes, single_threaded_pool, torch_device
from asdflow.pipeline.build import encoder as build
from tiny_encoders import beats_checkpoint, sound

CPU = torch.device("cpu")


def doubled(part):
    return {"x": 2 * part}


def test_results_come_in_the_order_of_clips_as_float32():
    batch = torch.arange(12, dtype=torch.float64).reshape(6, 2)
    before = torch.get_num_threads()
    try:
        for threads in (1, 4):
            torch.set_num_threads(threads)
            result = Passes(CPU).run(doubled, batch)["x"]
            assert result.dtype == torch.float32 and torch.equal(result, 2 * batch.float())
    finally:
        torch.set_num_threads(before)


@pytest.fixture
def gpu(monkeypatch):
    """Passes as on a GPU, with the lines that only CUDA can run replaced; counts what was page-locked."""
    locked = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: locked.append(self.shape) or self)
    passes = Passes(CPU, whole=True)
    passes.locked = locked
    return passes


def out_of_memory_above(clips):
    """A computation that fits no more than that many clips, and the sizes that were tried."""
    sizes = []

    def compute(part):
        sizes.append(len(part))
        if len(part) > clips:
            raise torch.OutOfMemoryError("no")
        return doubled(part)

    return compute, sizes


def test_passes_are_halved_until_they_fit_and_stay_so(gpu):
    hungry, sizes = out_of_memory_above(3)
    batch = torch.arange(14.0)[:, None]
    assert torch.equal(gpu.run(hungry, batch)["x"], 2 * batch)
    assert sizes == [14, 7, 3, 3, 3, 3, 2]
    sizes.clear()
    gpu.run(hungry, batch)
    assert sizes == [3, 3, 3, 3, 2]


def test_waveforms_and_results_lie_in_page_locked_memory(gpu):
    gpu.run(doubled, torch.zeros(5, 7))
    assert gpu.locked == [(5, 7), (5, 7)]


def test_a_clip_that_never_fits_is_an_error(gpu):
    full, sizes = out_of_memory_above(0)
    with pytest.raises(torch.OutOfMemoryError):
        gpu.run(full, torch.zeros(4, 1))
    assert sizes == [4, 2, 1]


def test_memory_that_ran_out_changes_no_frame_of_a_network(gpu, tmp_path):
    path = beats_checkpoint(tmp_path / "tiny.pt")
    encoder = build({"name": "beats", "checkpoint": str(path), "unverified": True})
    clips = torch.from_numpy(np.stack([sound(4000, seed) for seed in range(7)]))
    expected = encoder.frames(clips)

    def hungry(part):
        if len(part) > 2:
            raise torch.OutOfMemoryError("no")
        return {"last": encoder._network.layers(encoder.picture(part), {2})[2]}

    found = gpu.run(hungry, clips)["last"]
    torch.testing.assert_close(found.reshape(expected.shape), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("count", "kind"), [(0, "cpu"), (2, "cuda")])
def test_auto_is_a_gpu_where_there_is_one(monkeypatch, count, kind):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    assert torch_device("beats", "auto").type == kind
    encoder = build({"name": "beats", "device": "auto"})
    assert encoder.runs_on == kind
    assert encoder.batch == {"cpu": 4, "cuda": 64}[kind]


def test_an_error_in_a_thread_reaches_the_caller():
    def broken(part):
        raise ValueError("row")

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with pytest.raises(ValueError, match="row"):
            Passes(CPU).run(broken, torch.zeros(3, 1))
    finally:
        torch.set_num_threads(before)


def test_workers_compute_on_one_core_and_the_caller_keeps_its_number():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        pool = single_threaded_pool(2)
        assert torch.get_num_threads() == 3
        both = threading.Barrier(2)  # so that each worker answers once

        def number(_):
            both.wait()
            return torch.get_num_threads()

        assert list(pool.map(number, range(2))) == [1, 1]
    finally:
        torch.set_num_threads(before)
