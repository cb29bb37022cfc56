"""How batches go through a network: order, threads, and what happens when memory runs out."""

import threading

import pytest
import torch

from asdflow.encoders._passes import Passes, Results, single_threaded_pool

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


def test_passes_are_halved_until_they_fit_and_stay_so():
    sizes = []

    def hungry(part):
        sizes.append(len(part))
        if len(part) > 3:
            raise torch.OutOfMemoryError("no")
        return doubled(part)

    passes, batch, results = Passes(CPU), torch.arange(14.0)[:, None], Results(14)
    passes.halving(hungry, batch, results)
    assert torch.equal(results.tensors["x"], 2 * batch)
    assert sizes == [14, 7, 3, 3, 3, 3, 2]
    sizes.clear()
    passes.halving(hungry, batch, Results(14))
    assert sizes == [3, 3, 3, 3, 2]


def test_a_clip_that_never_fits_is_an_error():
    def full(part):
        raise torch.OutOfMemoryError("no")

    with pytest.raises(torch.OutOfMemoryError):
        Passes(CPU).halving(full, torch.zeros(4, 1), Results(4))


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
