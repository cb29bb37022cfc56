"""Progress of one transfer: a bar in a terminal, plain lines anywhere else."""

from __future__ import annotations

import io
import os
import sys
import time
from typing import TextIO

from asdflow.download.checks import megabytes

CLEAR = "\r\x1b[K"
UP = "\x1b[A"


class Progress:
    """Counts bytes of one file; use as a context manager.

    A stream that writes to several (`Tee` of stages/job.py: log and terminal) gets a bar in the terminal and
    lines in the log. Jobs that run at once share a terminal, and none knows what the others and Snakemake
    print: a bar has a line of its own, `row` lines below the cursor, and leaves the cursor where it was, so
    that other output goes on above it.

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
    every_s, redraw_s : float
        Seconds between two plain lines, and between two states of the bar.
    row : int
        Lines between the cursor and the bar.
    """

    def __init__(
        self,
        name: str,
        total: int | None,
        done: int = 0,
        stream: TextIO | None = None,
        every_s: float = 10.0,
        redraw_s: float = 0.2,
        row: int = 0,
    ) -> None:
        self.name, self.total, self.done, self.begun, self.row = name, total, done, done, row
        self.every_s, self.redraw_s = every_s, redraw_s
        streams = getattr(stream or sys.stderr, "streams", (stream or sys.stderr,))
        self.terminal = next((each for each in streams if each.isatty()), None)
        self.plain = [each for each in streams if each is not self.terminal]
        self.start = self.shown = time.monotonic()
        self.drawn = float("-inf")

    def __enter__(self) -> Progress:
        if self.begun:
            self._line(f"continues after {megabytes(self.begun)}")
        return self

    def advance(self, count: int) -> None:
        """`count` more bytes were written."""
        self.done += count
        now = time.monotonic()
        if self.terminal is not None and now - self.drawn >= self.redraw_s:
            self.drawn = now
            self._draw(self.bar())
        if now - self.shown >= self.every_s:
            self.shown = now
            self._line(self.state())

    def state(self) -> str:
        """Amount, share, rate and remaining time in words."""
        seconds = max(time.monotonic() - self.start, 1e-6)
        rate = (self.done - self.begun) / seconds
        parts = [megabytes(self.done)]
        if self.total:
            parts[0] += f" of {megabytes(self.total)} ({100 * self.done // self.total} %)"
        parts.append(f"{megabytes(rate)}/s")
        if self.total and rate > 0 and self.done < self.total:
            parts.append(f"{_duration((self.total - self.done) / rate)} left")
        return ", ".join(parts)

    def bar(self) -> str:
        """The bar as wide as the terminal, with amount, rate and remaining time."""
        from tqdm import tqdm

        return tqdm.format_meter(
            self.done,
            self.total,
            time.monotonic() - self.start,
            ncols=_width(self.terminal) - 1,
            prefix=self.name,
            unit="B",
            unit_scale=True,
            initial=self.begun,
        )

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        self._line(self.state())
        if self.terminal is not None:
            self._draw("")
            self.terminal.write(f"{CLEAR}{self.name}: {self.state()}\n")
            self.terminal.flush()

    def _draw(self, text: str) -> None:
        self.terminal.write(f"{CLEAR}{self.row * chr(10)}{CLEAR}{text}{self.row * UP}\r")
        self.terminal.flush()

    def _line(self, text: str) -> None:
        for stream in self.plain:
            print(f"{self.name}: {text}", file=stream, flush=True)


def _width(terminal: TextIO) -> int:
    try:
        return os.get_terminal_size(terminal.fileno()).columns or 80
    except (OSError, io.UnsupportedOperation):
        return 80


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
