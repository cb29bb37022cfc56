"""Whether planned clips make sound banks, and what is odd about them, before any file is opened."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Protocol

from asdflow.clips.rows import ClipRow
from asdflow.foundation.errors import DataError, together
from asdflow.foundation.names import odd_section, odd_text, same_letters, shown


class Warned(Protocol):
    """A planned clip and what is odd about it."""

    row: ClipRow
    warnings: list[str]


def require_sound_plan(where: str, rows: Sequence[ClipRow]) -> None:
    """Names, banks and domains, before any file is opened."""
    _require_good_names(where, rows)
    counts = Counter(same_letters(row.clip) for row in rows)
    repeated = [clip for clip, count in counts.items() if count > 1]
    if repeated:
        paths = sorted({row.path for row in rows if same_letters(row.clip) == repeated[0]})
        raise DataError(
            where,
            f"has {len(repeated)} clip names more than once, first {repeated[0]!r} ({', '.join(paths)})",
            "Give each file its own name without suffix, and list each segment once.",
        )
    for section in sorted({row.section for row in rows}):
        bank = [row for row in rows if row.section == section and row.split == "train"]
        if len(bank) < 2:
            raise DataError(
                f"{where}, section {section}",
                f"has {len(bank)} training clips; leave-one-out scores of the bank need two",
                "Provide normal recordings with split train.",
            )
        odd = [row for row in bank if row.label == "anomaly"]
        if odd:
            raise DataError(
                f"{where}, section {section}",
                f"has {len(odd)} anomalous training clips, first {odd[0].clip!r}; the bank must be normal",
                "Give them split test, or correct their label.",
            )
        without = [row for row in bank if row.domain is None]
        if without and len(without) < len(bank):
            raise DataError(
                f"{where}, section {section}",
                f"has {len(without)} of {len(bank)} training clips without domain, first {without[0].clip!r}",
                "Give every training clip a domain, source or target, or none of them.",
            )


def _require_good_names(where: str, rows: Sequence[ClipRow]) -> None:
    """Sections, clips, recordings and attributes by the one rule of `asdflow.foundation.names`."""
    problems = []
    for row in rows:
        said = [f"section {shown(row.section)} {odd}"] if (odd := odd_section(row.section)) else []
        texts = {"name": row.clip, "recording": row.recording}
        texts |= {f"attribute {name}": name + value for name, value in row.attributes.items()}
        said += [f"{what} {shown(text)} {odd}" for what, text in texts.items() if (odd := odd_text(text))]
        problems += [f"clip {shown(row.clip)}: {each}" for each in said]
    if problems:
        raise together(
            where,
            f"has {len(problems)} names that cannot be used",
            problems,
            "Correct them where they enter.",
        )


def warn_about_recordings(clips: Sequence[Warned]) -> None:
    """Recordings that lie on both sides of the split."""
    splits: dict[str, set[str]] = defaultdict(set)
    for clip in clips:
        splits[clip.row.recording].add(clip.row.split)
    for clip in clips:
        if {"train", "test"} <= splits[clip.row.recording]:
            clip.warnings.append(f"recording {clip.row.recording} is in training and test")


def warn_about_domains(clips: Sequence[Warned]) -> None:
    """A domain that one clip of the bank stands for, and test clips that no AUC counts."""
    banks: dict[str, list[Warned]] = defaultdict(list)
    for clip in clips:
        if clip.row.split == "train":
            banks[clip.row.section].append(clip)
    for bank in banks.values():
        for domain in ("source", "target"):
            alone = [clip for clip in bank if clip.row.domain == domain]
            if len(alone) == 1:
                alone[0].warnings.append(f"the only {domain} clip of its bank")
    for clip in clips:
        if clip.row.split == "test" and clip.row.domain is None and banks[clip.row.section][0].row.domain:
            clip.warnings.append("no domain: counts in neither the source nor the target AUC")
