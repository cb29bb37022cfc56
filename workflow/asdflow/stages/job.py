"""What every script of the workflow shares: a log file, one clear error, progress on the terminal."""

from __future__ import annotations

import errno
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any, TextIO

from asdflow.foundation.errors import AsdflowError, DataError, ProductError, out_of_memory
from asdflow.products.layout import place

#: What makes a stage need less memory.
LESS = {
    "clips": "cut long recordings into shorter files",
    "frames": "cut long recordings into clips (`start_s` and `duration_s` in clips.csv)",
    "embeddings": "cut long recordings into clips (`start_s` and `duration_s` in clips.csv)",
    "distances": "give each section fewer training clips",
    "scores": "give each section fewer training clips",
}


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


class Log:
    """The log file of a job; what a full disk cannot take is dropped, since the terminal says it as well."""

    def __init__(self, path: str | Path) -> None:
        self._file: TextIO | None = None
        with suppress(OSError):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "w", encoding="utf-8", buffering=1)

    def write(self, text: str) -> int:
        """Write as much as there is room for."""
        with suppress(OSError, ValueError):
            if self._file is not None:
                self._file.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        with suppress(OSError, ValueError):
            if self._file is not None:
                self._file.flush()

    def isatty(self) -> bool:
        """No."""
        return False

    def close(self) -> None:
        """Close the file, whole or not."""
        with suppress(OSError):
            if self._file is not None:
                self._file.close()


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
    log = Log(snakemake.log[0]) if snakemake.log else None
    stream = sys.stderr if log is None else Tee(log, sys.stderr) if echo else log
    try:
        with redirect_stdout(stream), redirect_stderr(stream):
            main(snakemake)
    except Exception as error:
        known = _explained(error, snakemake)
        text = traceback.format_exc() if known is None else f"ERROR {known}\n"
        if log is not None:
            log.write(text)
        if known is None:
            raise
        print(f"\n{text}", file=sys.stderr, flush=True)
        sys.exit(1)
    finally:
        if log is not None:
            log.close()


def _explained(error: Exception, snakemake: Any) -> AsdflowError | None:
    """The error in words for the user; None for one that is a fault of the program."""
    if isinstance(error, AsdflowError):
        return error
    made = ", ".join(map(str, snakemake.output)) or "a job"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ProductError(
            error.filename or made,
            "the disk is full",
            "Free space and run the same command again; what was finished is kept.",
        )
    if out_of_memory(error):
        stage = place(made).split("/")[0].replace("shards", "frames")
        less = f"; or {LESS[stage]}" if stage in LESS else ""
        return DataError(
            made,
            f"there is not enough memory ({' '.join(str(error).split()) or 'nothing more is free'})",
            f"Run with fewer jobs at once (a smaller number behind --cores){less}.",
        )
    return None
