"""One rule for every name that comes from outside, applied where it enters.

* A *name* becomes a file or folder of results: data set, machine, section. Letters, digits and `. _ + -`.
* *Text* is kept in tables and shown: clip, recording, attributes. Anything that can be printed.
* A *file* is text that Snakemake is handed as an input, so it must not hold what Snakemake replaces.

Each function returns what is wrong as a phrase that follows the name ("has a space"), or "".
"""

from __future__ import annotations

import re
import unicodedata

from asdflow.foundation.errors import ConfigError

NAME = r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]*"
"""Pattern of a name that may become a file of results; use with `fullmatch`."""

LONGEST_NAME = 100
"""Letters of a name: with what results put around it, a file name stays below 255 bytes."""

LONGEST_TEXT = 1000
"""Letters of a clip, a recording or an attribute."""

LONGEST_PART = 255
"""Bytes in UTF-8 of a file or folder on a disk."""

LEFT_BY_PROGRAMS = ("__MACOSX", "Thumbs.db", "ehthumbs.db", "desktop.ini", "@eaDir", "$RECYCLE.BIN")
"""What desktop programs and servers leave in folders; no part of any data set."""

# `anomaly_score_<machine>_section_<section>_<domain>_test.csv` could not be taken apart again; and in the
# copy `..._section_00_test_2.csv` these words tell that "00_test_2" is no section.
_SPLITS_FILE_NAMES = re.compile(
    r"(?:^|[_.+-])(section|id|source|target|test)(?:$|[_.+-])", re.IGNORECASE | re.ASCII
)
_NAME = re.compile(NAME)
_REPLACED = re.compile(r"[{}<>]")  # Snakemake's wildcards, {x}, and path variables, <x>


def hidden(name: str) -> bool:
    """Whether a file or folder is no data: hidden, AppleDouble (`._x.wav`), or left by a desktop program."""
    return name.startswith(".") or name in LEFT_BY_PROGRAMS


def odd_name(name: str) -> str:
    """What keeps a name from becoming a file of results, with a name that would do; "" for a good one."""
    if len(name) > LONGEST_NAME:
        return f"has {len(name)} letters, at most {LONGEST_NAME} are allowed"
    if _NAME.fullmatch(name):
        return ""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    better = re.sub(r"[^A-Za-z0-9_.+-]+", "_", plain).lstrip(".").strip("_")
    hint = f", e.g. {better!r}" if _NAME.fullmatch(better) else ""
    return f"may hold letters, digits and . _ + - only, and not begin with a dot{hint}"


def odd_section(name: str) -> str:
    """As `odd_name`, for a section: score files carry it behind the machine and before the domain."""
    if odd := odd_name(name):
        return odd
    if found := _SPLITS_FILE_NAMES.search(name):
        return f"holds the word {found[1]!r}, which separates machine, section and domain in score files"
    return ""


def odd_text(text: str, longest: int = LONGEST_TEXT) -> str:
    """What keeps a text from being stored and shown in one line; "" for a good one."""
    if not text.strip():
        return "is empty"
    if len(text) > longest:
        return f"has {len(text)} letters, at most {longest} are allowed"
    if text.isprintable():
        return ""
    for letter in text:
        kind = unicodedata.category(letter)
        if kind == "Cs":
            return "is not valid UTF-8 (it holds bytes of another encoding)"
        if kind in ("Cc", "Zl", "Zp") or letter in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069":
            return f"holds a line break or control character, {letter!r}"
    return ""


def odd_file(path: str) -> str:
    """What keeps a path ("/" between folders) from being an input of the workflow; "" for a good one."""
    if odd := odd_text(path, longest=4000):
        return odd
    if found := _REPLACED.search(path):
        return f"holds {found[0]!r}, which Snakemake would replace; no name may hold {{ }} < >"
    for part in path.split("/"):
        if (size := len(part.encode())) > LONGEST_PART:
            return f"has a part of {size} bytes, {part[:20]!r}..., at most {LONGEST_PART} exist on a disk"
    return ""


def require_path(path: object, where: str, remedy: str = "Rename it.") -> None:
    """Raise ConfigError for a path of the study, e.g. a root, that cannot be an input (`odd_file`)."""
    if odd := odd_file(str(path)):
        raise ConfigError(f"{where} {shown(str(path))}", odd, remedy)


def shown(text: str, longest: int = 80) -> str:
    """A name as a message shows it: in quotes, escaped, not longer than a line."""
    return repr(text if len(text) <= longest else text[: longest - 3] + "...")


def same_letters(text: str) -> str:
    """The composed form (NFC): names that look the same are the same, whatever disk they come from."""
    return unicodedata.normalize("NFC", text)
