"""Progress of long work: a bar in a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from types import TracebackType

EVERY_S = 10.0  # between two lines in a log


class Progress:
    """Counts items done; shows items a second and the time that remains, on stderr.

    Parameters
    ----------
    total : int
        Items in all.
    label : str
        What is being done.
    unit : str
        What an item is, in the singular.
    show : bool
        False keeps silent.
    """

    def __init__(self, total: int, label: str = "", unit: str = "clip", show: bool = True) -> None:
        self.total, self.label, self.unit, self.show = total, label, unit, show
        self.done, self.started, self.said = 0, time.monotonic(), 0.0
        self._bar = None
        if show and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, desc=label or None, unit=unit, smoothing=0.1)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self, count: int = 1) -> None:
        """Count items; a line appears every ten seconds and at the end."""
        self.done += count
        if self._bar is not None:
            self._bar.update(count)
            return
        now = time.monotonic()
        if self.show and (self.done == self.total or now - max(self.said, self.started) >= EVERY_S):
            self.said = now
            print(self.line(now - self.started), file=sys.stderr, flush=True)

    def line(self, elapsed_s: float) -> str:
        """One line, e.g. `fan: 120 of 1200 clips, 21.9 clips/s, 49 s left`."""
        rate = self.done / elapsed_s if elapsed_s > 0 else 0.0
        text = f"{self.done} of {self.total} {self.unit}s, {rate:.3g} {self.unit}s/s"
        if self.done < self.total:
            text += f", {_duration((self.total - self.done) / rate)} left" if rate else ""
        else:
            text += f", {_duration(elapsed_s)} in all"
        return f"{self.label}: {text}" if self.label else text


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours} h {minutes:02} min"
        if hours
        else f"{minutes} min {seconds:02} s"
        if minutes
        else f"{seconds} s"
    )
