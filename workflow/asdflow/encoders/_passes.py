"""How a batch goes through a network: where, in which precision, and how many clips at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from asdflow.foundation.errors import ConfigError

if TYPE_CHECKING:
    import torch

Device = Annotated[
    str,
    Field(
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
        description="Where the network runs: cpu, cuda, cuda:1; auto is cuda where there is a GPU, else cpu.",
    ),
]
Precision = Annotated[
    Literal["float32", "bfloat16", "float16"],
    Field(
        description="Type of the matrix products; sums, norms and results stay float32. The short types are "
        "meant for CUDA and change the frames a little (docs/encoders.md states how much)."
    ),
]
Checkpoint = Annotated[
    str,
    Field(min_length=1, description="Registered name (resources/encoders.yaml), or path to a file."),
]
Unverified = Annotated[
    bool,
    Field(description="Use a file whose SHA-256 is not registered. Every product then records it."),
]

Compute = Callable[["torch.Tensor"], dict[str, "torch.Tensor"]]


def torch_device(name: str, device: str) -> torch.device:
    """The device, or ConfigError when this machine does not have it."""
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.device_count() else "cpu")
    wanted = torch.device(device)
    if wanted.type == "cuda" and (wanted.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"encoder {name!r}, parameter 'device'",
            f"{device!r} is not available: {torch.cuda.device_count()} CUDA devices found",
            "Use device: cpu, or run where there is such a GPU.",
        )
    return wanted


class Passes:
    """Runs a batch of clips through a function that treats each clip by itself.

    On the CPU each clip is a pass of its own, computed by one thread; as many clips run at a time as torch
    has threads. So a clip's bits depend neither on its neighbours nor on the number of threads, intermediate
    results stay in the cache, and no core waits for another between two operations.

    On CUDA a pass is the whole batch, copied from and to page-locked memory; when memory runs out, passes are
    halved for good. Where they were halved depends on the GPU alone as long as nothing else uses its memory.

    Parameters
    ----------
    device : torch.device
    whole : bool, optional
        Whether a pass is the whole batch; default: not on the CPU.
    """

    def __init__(self, device: torch.device, whole: bool | None = None) -> None:
        self.device = device
        self.whole = device.type != "cpu" if whole is None else whole
        self.size: int | None = None  # clips in a pass of whole batches, None for all
        self._pool: ThreadPoolExecutor | None = None
        self._workers = 0

    def run(self, compute: Compute, batch: torch.Tensor) -> dict[str, torch.Tensor]:
        """`compute` over (clips, ...) on the CPU; results on the CPU as float32, in the order of clips.

        Raises torch.OutOfMemoryError when a single clip does not fit.
        """
        results = Results(len(batch), page_locked=self.whole)
        if self.whole:
            self._halving(compute, batch.pin_memory(), results)
        else:
            self._on_cores(compute, batch, results)
        return results.tensors

    def _on_cores(self, compute: Compute, batch: torch.Tensor, results: Results) -> None:
        import torch

        def one(row: int) -> None:
            results.store(compute(batch[row : row + 1]), row)

        threads = torch.get_num_threads()
        if threads == 1:
            for row in range(len(batch)):
                one(row)
            return
        if self._pool is None or self._workers != threads:
            self._pool, self._workers = single_threaded_pool(threads), threads
        for running in [self._pool.submit(one, row) for row in range(len(batch))]:
            running.result()

    def _halving(self, compute: Compute, batch: torch.Tensor, results: Results) -> None:
        """Passes of `size` clips one after the other, smaller ones after memory ran out."""
        import torch

        start = 0
        while start < len(batch):
            part = batch[start : start + (self.size or len(batch))]
            try:
                done = compute(part.to(self.device, non_blocking=True))
            except torch.OutOfMemoryError:
                if len(part) == 1:
                    raise
                done, self.size = None, len(part) // 2
            if done is None:  # outside of `except`, whose traceback holds the tensors of the failed pass
                torch.cuda.empty_cache()
                continue
            results.store(done, start)
            start += len(part)


class Results:
    """Tensors for all clips, filled row by row from any thread.

    `page_locked` memory is what a GPU writes to at full speed.
    """

    def __init__(self, clips: int, page_locked: bool = False) -> None:
        self.clips, self.page_locked, self.tensors = clips, page_locked, {}
        self._lock = threading.Lock()

    def store(self, done: dict[str, torch.Tensor], start: int) -> None:
        """Copy the results of the clips from `start` on."""
        import torch

        for key, value in done.items():
            with self._lock:
                if key not in self.tensors:
                    room = torch.empty((self.clips, *value.shape[1:]), dtype=torch.float32)
                    self.tensors[key] = room.pin_memory() if self.page_locked else room
            self.tensors[key][start : start + len(value)] = value


_POOL_LOCK = threading.Lock()


def single_threaded_pool(workers: int) -> ThreadPoolExecutor:
    """Threads in each of which torch computes on one core; the caller's own number of threads is kept.

    torch keeps that number for each thread, and gives a new thread the number that was set last, anywhere,
    when it first computes. Hence all workers are started and made to look at it before it is set back.
    """
    import torch

    all_started = threading.Barrier(workers + 1)

    def start() -> None:
        torch.set_num_threads(1)
        torch.get_num_threads()  # makes the thread adopt it
        all_started.wait()

    with _POOL_LOCK:
        before = torch.get_num_threads()
        pool = ThreadPoolExecutor(workers, thread_name_prefix="asdflow-encoder", initializer=start)
        for _ in range(workers):
            pool.submit(lambda: None)
        all_started.wait()
        torch.set_num_threads(before)
    return pool
