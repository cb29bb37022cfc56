"""Matrix products whose bits depend neither on threads nor on chunks nor on the order of rows.

BLAS picks another kernel for another shape or number of threads, and the last bit follows. Here every product
is made of blocks of one fixed shape, padded with zeros, each computed by one thread; threads share the
blocks out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

#: Rows of a block. Large enough that BLAS runs at full speed, small enough that padding costs little.
BLOCK = 256
#: Numbers that are worked on at a time where that keeps them in the cache.
IN_CACHE = 2**16
#: Rows of the second factor's only block where it has no more than these: little is padded.
NARROW = (32, 96, 160)


def workers() -> int:
    """Threads to share blocks out to: OMP_NUM_THREADS, which Snakemake sets, or the cores allowed."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdigit() and int(given) > 0:
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Within, BLAS and LAPACK run in one thread, so that no bit depends on the number of threads."""
    with _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller():
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def shared_out(task: Callable[[Any], None], items: Sequence[Any], threads: int | None = None) -> None:
    """Call `task` on every item, by several threads. The calls must not depend on each other."""
    threads = min(threads or workers(), len(items))
    if threads <= 1:
        for item in items:
            task(item)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(task, items))


def blocks(count: int) -> list[slice]:
    """Slices of at most BLOCK rows that cover `count` rows."""
    return [slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]


def row_dots(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n,) sums of a row of a times the same row of b."""
    return np.einsum("ij,ij->i", a, b)


def padded(rows: np.ndarray, size: int = BLOCK) -> np.ndarray:
    """Rows as float64, filled up with zeros to `size` rows."""
    if len(rows) == size:
        return np.ascontiguousarray(rows, dtype=np.float64)
    full = np.zeros((size, rows.shape[1]))
    full[: len(rows)] = rows
    return full


def product(a: np.ndarray, b: np.ndarray, threads: int | None = None) -> np.ndarray:
    """a b^T.

    Parameters
    ----------
    a, b : (M, D) and (N, D) float

    Returns
    -------
    (M, N) float64. Entry (i, j) depends on rows i and j alone, bit for bit, and on which of NARROW holds N.
    """
    result = np.empty((len(a), len(b)))
    size = next((size for size in NARROW if len(b) <= size), BLOCK)
    right = [(columns, padded(b[columns], size).T) for columns in blocks(len(b))]

    def row_block(rows: slice) -> None:
        left = padded(a[rows])
        for columns, block in right:
            part = left @ block
            result[rows, columns] = part[: rows.stop - rows.start, : columns.stop - columns.start]

    with one_blas_thread():
        shared_out(row_block, blocks(len(a)), threads)
    return result
