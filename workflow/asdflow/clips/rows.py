"""One planned clip: what names and tables say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

SILENT = "silent: one value throughout"
"""Warning of a test clip without sound."""


@dataclass(frozen=True)
class ClipRow:
    """One planned clip: what is known of it before its file is opened.

    Parameters
    ----------
    path : str
        Audio file relative to the root of the data set, "/" between folders.
    section : str
        One bank and one AUC each; "00" where a data set has no sections.
    split : str
        "train" (the bank), "test" or "supplemental".
    start_s : float
        Where the clip starts in the file, seconds.
    duration_s : float or None
        How long it is, seconds. None: to the end of the file.
    domain : str or None
        "source", "target", or None where the data set has no domains.
    label : str or None
        "normal", "anomaly", or None where unknown.
    recording : str
        Clips of one recording are not independent. Default: the path without suffix.
    attributes : dict of str to str
        Operating conditions.
    """

    path: str
    section: str = "00"
    split: str = "train"
    start_s: float = 0.0
    duration_s: float | None = None
    domain: str | None = None
    label: str | None = None
    recording: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not self.recording:
            object.__setattr__(self, "recording", without_suffix(self.path))

    @property
    def segment(self) -> bool:
        """Whether the clip is a part of its file."""
        return self.start_s > 0 or self.duration_s is not None

    @property
    def clip(self) -> str:
        """Identity within the data set: path without suffix, "#start" (seconds) added for a segment."""
        start = f"{self.start_s:.6f}".rstrip("0").rstrip(".")
        return without_suffix(self.path) + (f"#{start}" if self.segment else "")


def without_suffix(path: str) -> str:
    """Path without the suffix of its file name: "fan/train/a.wav" -> "fan/train/a"."""
    return str(PurePosixPath(path).with_suffix(""))
