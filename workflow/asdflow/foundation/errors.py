"""The one kind of error that users are meant to read: what is wrong, where, and what to do about it."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable, Sequence

LISTED = 10
"""Problems that an error names; it counts the others."""

#: Words of torch, the C++ library, libsndfile and Python's threads.
_MEMORY = ("allocate memory", "bad_alloc", "malloc () failed", "can't start new thread")


class AsdflowError(Exception):
    """Base of every error that a user can remedy.

    Parameters
    ----------
    where : str
        The file, configuration key or parameter that is at fault. It comes first in the message.
    what : str
        What is wrong, with the offending value and the limit that it breaks.
    remedy : str
        What the user can do. A full sentence.
    """

    def __init__(self, where: object, what: str, remedy: str) -> None:
        self.where, self.what, self.remedy = str(where), what, remedy
        super().__init__(f"{self.where}: {what.rstrip('.')}. {remedy}")

    def __reduce__(self):  # survives process pools, which rebuild an exception from its arguments
        return type(self), (self.where, self.what, self.remedy)


class ConfigError(AsdflowError):
    """The configuration asks for something that does not exist or cannot work."""


class DataError(AsdflowError):
    """An input file (audio, clips.csv, attributes, labels) cannot be used as it is."""


class ProductError(AsdflowError):
    """A file under results/ does not keep the promise of its schema."""


class FetchError(AsdflowError):
    """A file could not be obtained from any of its sources, or is not the file it should be."""


class NoSourceError(FetchError):
    """No source gave the file; `reasons` has what each of them said."""

    reasons: tuple[str, ...] = ()


class OfflineError(NoSourceError):
    """No source gave the file because none of its hosts can be reached; `hosts` names them."""

    hosts: tuple[str, ...] = ()

    def told(self, where: object, remedy: str) -> OfflineError:
        """The same of something else, with another remedy."""
        error = OfflineError(where, self.what, remedy)
        error.reasons, error.hosts = self.reasons, self.hosts
        return error


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out; every library has a word of its own for it."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _MEMORY)


def together(where: object, what: str, problems: Sequence[str], remedy: str) -> DataError:
    """Error that says `what`, then one line a problem, then the remedy."""
    lines = [problem.removesuffix(".") for problem in problems[:LISTED]]
    if len(problems) > LISTED:
        lines.append(f"and {len(problems) - LISTED} more")
    return DataError(where, what + ":\n  " + ".\n  ".join(lines), "\n" + remedy)


def closest(word: object, known: Iterable[str]) -> str | None:
    """The known word that somebody may have meant, if there is one."""
    near = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.5)
    return near[0] if near else None


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """`Did you mean 'knn'? ` for the known word that is closest, or nothing where none is close."""
    near = closest(word, known)
    return f"Did you mean {near!r}? " if near else ""


def nearest(word: object, known: Iterable[str]) -> str:
    """The remedy for an unknown word: the nearest that is known, and all of them."""
    known = list(known)
    return f"{did_you_mean(word, known)}Known: {', '.join(known) or 'none'}."
