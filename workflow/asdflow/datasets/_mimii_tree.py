"""Trees of MIMII: `[<snr>_]<machine>/id_<XX>/{normal,abnormal}/<NNNNNNNN>.wav` (Purohit et al., 2019)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from asdflow.clips.rows import ClipRow
from asdflow.datasets._scan import folder_name, require_machine
from asdflow.foundation.errors import DataError

_ID = re.compile(r"id_(\d+)", re.ASCII)
_SNR = re.compile(r"(-?\d+)_dB_.+", re.ASCII)
LABELS = {"normal": "normal", "abnormal": "anomaly"}


def matches(path: str) -> bool:
    """Whether a path is named in MIMII's manner."""
    parts = PurePosixPath(path).parts
    return len(parts) >= 3 and parts[-2] in LABELS and _ID.fullmatch(parts[-3]) is not None


def clips_of(paths: Sequence[str], root: Path) -> dict[str, list[ClipRow]]:
    """Clips of every machine among `paths` (relative to `root`), by machine, in sorted order.

    The id is the section and an attribute; the SNR of the folder (`6_dB_fan`) is an attribute, and a part of
    the machine's name so that several SNRs stand side by side. No clip has a split ("") or a domain.
    Raises DataError when a path is not named so, or its machine cannot name results.
    """
    machines: dict[str, list[ClipRow]] = defaultdict(list)
    odd = sorted(path for path in paths if not matches(path))
    if odd:
        raise DataError(
            root,
            f"has {len(odd)} recordings that are not named as MIMII does, first {odd[0]}",
            "Name them <machine>/id_00/normal/00000000.wav (or abnormal), or write a clips.csv.",
        )
    for path in sorted(paths):
        *above, id_, label, _ = PurePosixPath(path).parts
        # The archives hold fan/id_00/... whatever their SNR, so it may stand one folder higher.
        if len(above) >= 2 and _SNR.fullmatch(above[-2]):
            above.pop()
        machine = require_machine(above[-1] if above else folder_name(root), root / path)
        section, snr = _ID.fullmatch(id_)[1], _SNR.fullmatch(machine)
        attributes = {"id": section} | ({"snr_db": snr[1]} if snr else {})
        machines[machine].append(
            ClipRow(path, section=section, split="", label=LABELS[label], attributes=attributes)
        )
    return dict(sorted(machines.items()))
