"""File names of DCASE Task 2, 2020 to 2026: parsed, and formatted back to the same name.

Two grammars (sources: task descriptions 2020-2026, the organisers' published lists):

* 2020: `[normal|anomaly_]id_XX_NNNNNNNN.wav`. The id is the section; there are no domains, and the folder
  tells train from test. Evaluation names have no label.
* from 2021: `section_XX_[type_][domain_][split_][label_]NNNN[_attributes].wav`. Evaluation names lack what
  is secret (2021 the label, later the domain and the split too), ground-truth lists of 2024 lack `test` for
  one machine, so words are searched for and not counted. From 2025 a `supplemental` folder holds clips of a
  type (`machine`: the machine alone, `noise`: its surroundings alone). Attributes are name-value pairs;
  `noAttribute` says that they are hidden.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Literal

from asdflow.audio.files import SUFFIXES
from asdflow.foundation.errors import DataError, closest

DOMAINS = ("source", "target")
SPLITS = ("train", "test")
LABELS = ("normal", "anomaly")
HIDDEN = "noAttribute"
YEARS = range(2020, 2027)
FOLDERS = {
    "train": ("train", None),
    "test": ("test", None),
    "source_test": ("test", "source"),  # 2021
    "target_test": ("test", "target"),  # 2021
    "supplemental": ("supplemental", None),  # from 2025
}
"""Folder below a machine: the split and the domain of its clips."""

GRAMMAR = (
    "section_00_source_train_normal_0000_<attributes>, section_00_0000 or normal_id_00_00000000, "
    "with .wav, .flac or another suffix of sound"
)
_SUFFIX = re.compile(rf"({'|'.join(map(re.escape, SUFFIXES))})$", re.IGNORECASE)
_ID = re.compile(r"(?:(normal|anomaly)_)?id_(\d+)_(\d+)")
_SECTION = re.compile(r"section_(\d+)_((?:[^\d_][^_]*_)*?)(\d+)(?:_(.+))?", re.ASCII)
_FLAT = re.compile(
    rf"(.+?)_({'|'.join(sorted(FOLDERS, key=len, reverse=True))})_((?:section|normal_id|anomaly_id|id)_\d.*)"
)
_WORDS = {
    word: kind
    for kind, words in (("domain", DOMAINS), ("split", SPLITS), ("label", LABELS))
    for word in words
}
_EXAMPLES = {
    "id": "normal_id_00_00000000.wav",
    "section": "section_00_source_train_normal_0000_spd_1.wav",
}


@dataclass(frozen=True)
class ClipName:
    """What a file name says. What it does not say is None or empty.

    Parameters
    ----------
    section : str
        Digits as they stand, e.g. "00".
    index : str
        Digits as they stand, e.g. "0007".
    domain, split, label : str or None
        "source" or "target"; "train", "test" or "supplemental"; "normal" or "anomaly".
    attributes : tuple of (str, str)
        Name and value; the value of a name that stands alone at the end is "".
    hidden : bool
        The name says `noAttribute`.
    type : str or None
        Of a supplemental clip, e.g. "machine" or "noise".
    style : "section" or "id"
        Grammar: from 2021, or 2020.
    """

    section: str
    index: str
    domain: str | None = None
    split: str | None = None
    label: str | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    hidden: bool = False
    type: str | None = None
    style: Literal["section", "id"] = "section"


@dataclass(frozen=True)
class ClipPath:
    """What folders and file name say together.

    Parameters
    ----------
    machine : str or None
        Folder above the split's folder, or above the file; None where there is none.
    folder : str or None
        A key of `FOLDERS`, or None.
    name : ClipName
        With split and domain completed from the folder.
    """

    machine: str | None
    folder: str | None
    name: ClipName


def parse(name: str, year: int | None = None) -> ClipName:
    """What a file name says; with or without suffix, folders before it are ignored.

    Parameters
    ----------
    name : str
    year : int, optional
        Accept the grammar of that year only. Default: any year.

    Raises
    ------
    DataError
        The name is of none of the grammars, or of another year's.
    """
    stem = _SUFFIX.sub("", PurePosixPath(name).name)
    parsed = _parse_id(stem) or _parse_section(name, stem)
    if parsed is None:
        raise DataError(
            name, "is not a DCASE file name", f"Name it like {GRAMMAR}, or describe the clips by a clips.csv."
        )
    _require_year(name, parsed, year)
    return parsed


def understood(name: str) -> bool:
    """Whether `parse_path` understands a name."""
    try:
        parse_path(name)
    except DataError:
        return False
    return True


def format(clip: ClipName, suffix: str = ".wav") -> str:
    """File name of a clip: `format(parse(name)) == name`."""
    if clip.style == "id":
        return "_".join(part for part in (clip.label, "id", clip.section, clip.index) if part) + suffix
    split = clip.split if clip.split in SPLITS else None  # only the folder says supplemental
    words = [word for word in (clip.type, clip.domain, split, clip.label) if word]
    pairs = [part for pair in clip.attributes for part in pair]
    if clip.attributes and clip.attributes[-1][1] == "":
        pairs.pop()
    tail = [HIDDEN] if clip.hidden else pairs
    return "_".join(["section", clip.section, *words, clip.index, *tail]) + suffix


def parse_path(path: str, year: int | None = None) -> ClipPath:
    """What `<machine>/<folder>/<name>` says.

    `<machine>/<name>`, `<folder>/<name>` and `<name>` are understood too. Folders above the machine are
    ignored. A tree that was flattened to `<machine>_<folder>_<name>` is understood as if it were not.

    Raises DataError when the name is not understood or contradicts its folder.
    """
    *above, base = PurePosixPath(path).parts or ("",)
    if flat := _FLAT.fullmatch(base):
        above, base = [flat[1], flat[2]], flat[3]
    folder = above.pop() if above and above[-1] in FOLDERS else None
    machine = above[-1] if above else None
    name = parse(base, year)
    if folder is None:
        return ClipPath(machine, None, name)
    split, domain = FOLDERS[folder]
    for said, found in ((split, name.split), (domain, name.domain)):
        if said and found and said != found:
            raise DataError(path, f"is called {found}, but lies in {folder}", "Move it, or correct its name.")
    return ClipPath(machine, folder, replace(name, split=split, domain=name.domain or domain))


def _parse_id(stem: str) -> ClipName | None:
    if match := _ID.fullmatch(stem):
        label, section, index = match.groups()
        return ClipName(section, index, label=label, style="id")
    return None


def _parse_section(name: str, stem: str) -> ClipName | None:
    match = _SECTION.fullmatch(stem)
    if match is None:
        return None
    section, words, index, tail = match.groups()
    said: dict[str, str] = {}
    other: list[str] = []
    for word in words.removesuffix("_").split("_") if words else []:
        kind = _WORDS.get(word)
        if kind is None:
            other.append(word)
        elif kind in said:
            raise DataError(name, f"says both {said[kind]!r} and {word!r}", "Correct the file name.")
        else:
            said[kind] = word
    if other and ("split" in said or "label" in said):
        near = closest(other[0], _WORDS)
        hint = f" ({near}?)" if near else ""
        raise DataError(name, f"has an unknown word {other[0]!r}{hint}", f"Known words: {', '.join(_WORDS)}.")
    if other:
        said["split"] = "supplemental"
    hidden = tail == HIDDEN
    return ClipName(
        section,
        index,
        **said,
        attributes=() if hidden or not tail else _pairs(tail),
        hidden=hidden,
        type="_".join(other) or None,
    )


def _pairs(tail: str) -> tuple[tuple[str, str], ...]:
    tokens = tail.split("_")
    return tuple((tokens[i], tokens[i + 1] if i + 1 < len(tokens) else "") for i in range(0, len(tokens), 2))


def _require_year(name: str, clip: ClipName, year: int | None) -> None:
    if year is None:
        return
    if year not in YEARS:
        raise DataError(f"year {year}", "is unknown", f"Known: {YEARS[0]} to {YEARS[-1]}.")
    style = "id" if year == 2020 else "section"
    if clip.style != style:
        raise DataError(name, f"is not a file name of DCASE {year}", f"Expected one like {_EXAMPLES[style]}.")
    if clip.split == "supplemental" and year < 2025:
        raise DataError(
            name,
            f"has a type, {clip.type!r}, which DCASE {year} does not know",
            "Correct the name or the year.",
        )
