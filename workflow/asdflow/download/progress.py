"""Progress of one transfer: a bar in a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from asdflow.download.checks import megabytes


class Progress:
    """Counts bytes of one file; use as a context manager.

    Parameters
    ----------
    name : str
        What is shown, e.g. "dev_fan.zip".
    total : int or None
        Bytes of the whole file, None where unknown.
    done : int
        Bytes that were there before; they do not count for the rate.
    stream : text stream, optional
        Default: standard error, as it is when the transfer begins.
    every_s : float
        Seconds between two plain lines.
    """

    def __init__(
        self,
        name: str,
        total: int | None,
        done: int = 0,
        stream: TextIO | None = None,
        every_s: float = 10.0,
    ) -> None:
        self.name, self.total, self.done, self.begun = name, total, done, done
        self.stream, self.every_s = stream or sys.stderr, every_s
        self.start = self.shown = time.monotonic()
        self.bar = None

    def __enter__(self) -> Progress:
        if self.stream.isatty():
            from tqdm import tqdm

            self.bar = tqdm(
                total=self.total,
                initial=self.done,
                desc=self.name,
                unit="B",
                unit_scale=True,
                file=self.stream,
                leave=False,
            )
        elif self.begun:
            self._line(f"continues after {megabytes(self.begun)}")
        return self

    def advance(self, count: int) -> None:
        """`count` more bytes were written."""
        self.done += count
        if self.bar is not None:
            self.bar.update(count)
        elif time.monotonic() - self.shown >= self.every_s:
            self.shown = time.monotonic()
            self._line(self.state())

    def state(self) -> str:
        """Amount, share, rate and remaining time in words."""
        seconds = max(time.monotonic() - self.start, 1e-6)
        rate = (self.done - self.begun) / seconds
        parts = [megabytes(self.done)]
        if self.total:
            parts[0] += f" of {megabytes(self.total)} ({100 * self.done // self.total} %)"
        parts.append(f"{megabytes(rate)}/s")
        if self.total and rate > 0:
            parts.append(f"{_duration((self.total - self.done) / rate)} left")
        return ", ".join(parts)

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        if self.bar is not None:
            self.bar.close()
        else:
            self._line(self.state())

    def _line(self, text: str) -> None:
        print(f"{self.name}: {text}", file=self.stream, flush=True)


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
