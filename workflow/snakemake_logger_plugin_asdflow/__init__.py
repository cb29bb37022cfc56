"""What a run prints: a line a job that says what it makes, a bar for the whole; a dry run by reason and rule.

Snakemake finds this package by its name, and `logger` in profiles/default switches it on.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import sys
import time
import traceback
from collections import defaultdict
from typing import Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

#: Beginnings of messages that say nothing to who runs a study.
BOOKKEEPING = (
    *("Assuming unrestricted", "Building DAG", "Complete log", "Conda environments", "Config file"),
    *("Execute ", "host:", "If you are sure", "If you prefer", "Job stats:", "Provided ", "Reasons:"),
    *("Rules claiming", "Rules with provenance", "Select jobs", "Some jobs were triggered"),
    *("The order of jobs", "Using shell"),
)
#: What a reason of Snakemake means, most telling first.
REASONS = (
    ("Params have changed", "options, code or libraries changed"),
    ("Code has changed", "code changed"),
    ("Set of input files has changed", "other input files"),
    ("Software environment", "software environment changed"),
    ("Updated input files", "input files changed"),
    ("Missing output files", "not made yet"),
    ("Forced execution", "forced"),
    ("Input files updated", "follows from the others"),
)
DIGEST = re.compile(r"'[0-9a-f]{16}'")
KILLED = (
    "A job was killed by the system, most likely for want of memory. Run with fewer jobs at once (a smaller "
    "number behind --cores); frames need less with shorter clips, distances and scores with a smaller bank."
)
FULL = "The disk is full. Free space and run the same command again; what was finished is kept."
SHOWN = 4
"""Jobs of one rule that a dry run names; it counts the others."""


class LogHandler(LogHandlerBase):
    """Lines on stderr, or on stdout where it is a dry run."""

    def __post_init__(self) -> None:
        self.stream = sys.stdout if self.common_settings.dryrun else sys.stderr
        self.jobs: dict[int, tuple[str, float]] = {}
        self.planned: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        self.stats: dict[str, int] = {}
        self.done, self.total = 0, None
        self.bar: Any = None
        self.full = False
        # A full disk takes no log of Snakemake's; each line of it would be a traceback on the terminal.
        logging.raiseExceptions = False

    writes_to_stream = True
    writes_to_file = False
    has_filter = True
    has_formatter = True
    needs_rulegraph = False

    def emit(self, record: logging.LogRecord) -> None:
        """Print what a person wants to know of an event."""
        try:
            event = getattr(record, "event", None)
            if event == LogEvent.JOB_INFO:
                self._begins(record)
            elif event == LogEvent.JOB_FINISHED:
                self._ends(record.job_id)
            elif event == LogEvent.JOB_ERROR:
                self._fails(record)
            elif event == LogEvent.PROGRESS:
                self.done, self.total = record.done, record.total
                self._draw()
            elif event == LogEvent.RUN_INFO:
                self.stats = getattr(record, "stats", self.stats)
                self.total = self.stats.get("total")
                self._draw()
            elif event is None or event == LogEvent.ERROR:
                self._says(record)
        except Exception:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """A fault of this class is not hidden."""
        traceback.print_exc()

    def close(self) -> None:
        """The jobs of a dry run, sorted; nothing is left of the bar."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None
        if self.planned:
            self._write(_table(self.stats))
        for reason in sorted(self.planned, key=_rank):
            self._write(f"\n{reason}:")
            for rule, jobs in self.planned[reason].items():
                more = f", and {len(jobs) - SHOWN} more" if len(jobs) > SHOWN else ""
                self._write(f"  {rule}: {', '.join(jobs[:SHOWN])}{more}")
        self.planned.clear()
        super().close()

    def _begins(self, record: logging.LogRecord) -> None:
        what = described(record.wildcards, record.output)
        if record.resources.get("gpu"):
            what += " (on a GPU)"
        self.jobs[record.jobid] = f"{record.rule_name} {what}".strip(), time.monotonic()
        if self.common_settings.dryrun:
            self.planned[meaning(record.reason)][record.rule_name].append(what or "-")

    def _ends(self, job: int) -> None:
        name, began = self.jobs.pop(job, (f"job {job}", time.monotonic()))
        self.done += 1
        of = f"/{self.total}" if self.total else ""
        self._write(
            f"{self.done:>{len(str(self.total or ''))}}{of}  {name}  {time.monotonic() - began:.1f} s"
        )
        self._draw()

    def _fails(self, record: logging.LogRecord) -> None:
        name, _ = self.jobs.pop(record.jobid, (record.rule_name, 0.0))
        logs = ", ".join(getattr(record, "log", None) or ())
        self._write(f"FAILED  {name}" + (f"  (log: {logs})" if logs else ""))

    def _says(self, record: logging.LogRecord) -> None:
        text = record.getMessage().strip()
        if not text or text == "None":
            return
        if record.levelno < logging.WARNING and text.startswith(BOOKKEEPING):
            return
        if any(os.strerror(code) in text for code in (errno.ENOSPC, errno.EDQUOT)):
            if not self.full:  # Snakemake could not keep its own records: once says it
                self._write(FULL)
            self.full = True
            return
        if "CalledProcessError" in text and text.startswith("RuleException"):
            if "SIGKILL" in text:
                self._write(KILLED)
            return  # otherwise the job itself has said what is wrong
        self._write(text)

    def _draw(self) -> None:
        """The bar of the whole, where there is a terminal to draw it on."""
        if not self.total or self.common_settings.dryrun or not self.stream.isatty():
            return
        if self.bar is None:
            from tqdm import tqdm

            self.bar = tqdm(total=self.total, file=self.stream, unit="job", dynamic_ncols=True)
        self.bar.total = self.total
        self.bar.n = min(self.done, self.total)
        self.bar.refresh()

    def _write(self, text: str) -> None:
        if self.bar is not None:
            self.bar.write(text, file=self.stream)
        else:
            print(text, file=self.stream, flush=True)


def described(wildcards: Any, output: Any) -> str:
    """What a job makes, in the words of its wildcards: "factory yamnet layer9 mean fan"."""
    words = list(dict(wildcards or {}).values())
    if words:
        return " ".join(map(str, words))
    return ", ".join(map(str, list(output or ())[:1]))


def meaning(reason: str) -> str:
    """A reason of Snakemake in the words of this project."""
    for begin, words in REASONS:
        if begin not in reason:
            continue
        if begin == "Params have changed":
            before, _, now = reason.partition("before:")[2].partition(" now: ")
            both = [part.split(";")[0].strip() for part in (before, now)]
            if all(both) and all(DIGEST.fullmatch(part) for part in both):
                return "code or libraries changed"
            if all(both) and max(map(len, both)) <= 120:
                return f"options changed, {both[0]} to {both[1]}"
        return words
    return reason.split(":")[0] or "asked for"


def _rank(reason: str) -> int:
    order = [words for _, words in REASONS]
    return order.index(reason) if reason in order else 0


def _table(stats: dict[str, int]) -> str:
    """Jobs of each rule, and all of them."""
    width = max(map(len, ("Job stats:", *stats)))
    return "\n".join(["Job stats:", *(f"{rule:<{width}}  {count:>6}" for rule, count in stats.items())])
