"""What every script of the workflow shares: a log file, one clear error, progress on the terminal."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, TextIO

from asdflow.foundation.errors import AsdflowError


class Tee:
    """A stream that writes to the log and, for long work, to the terminal as well."""

    def __init__(self, *streams: TextIO) -> None:
        self.streams = streams

    def write(self, text: str) -> int:
        """Write to every stream."""
        for stream in self.streams:
            stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush every stream."""
        for stream in self.streams:
            stream.flush()

    def isatty(self) -> bool:
        """Progress is written as plain lines: several jobs share the terminal."""
        return False


@contextmanager
def logged(log: str | Path | None, echo: bool) -> Iterator[None]:
    """Send stdout and stderr to the log file; `echo` repeats them on the terminal."""
    if not log:
        yield
        return
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w", encoding="utf-8", buffering=1) as file:
        stream = Tee(file, sys.stderr) if echo else file
        with redirect_stdout(stream), redirect_stderr(stream):
            yield


def run(main: Callable[..., None], snakemake: Any, echo: bool = False) -> None:
    """Call `main(snakemake)`; an error meant for the user is shown as one line, not as a traceback.

    Parameters
    ----------
    main : callable
        Takes the object with `input`, `output`, `params`, `wildcards`.
    snakemake : object
        What Snakemake injects into a script, or a stand-in with the same attributes.
    echo : bool
        Repeat the log on the terminal; for jobs that take minutes.
    """
    log = str(snakemake.log[0]) if snakemake.log else None
    try:
        with logged(log, echo):
            main(snakemake)
    except AsdflowError as error:
        _report(log, f"ERROR {error}")
        print(f"\nERROR {error}\n", file=sys.stderr, flush=True)
        sys.exit(1)
    except Exception:
        _report(log, traceback.format_exc())
        raise


def _report(log: str | None, text: str) -> None:
    if log:
        with open(log, "a", encoding="utf-8") as file:
            file.write(text + "\n")
