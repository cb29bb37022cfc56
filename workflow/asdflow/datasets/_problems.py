"""Many problems in one error: a user corrects all files at once, not one file a run."""

from __future__ import annotations

from collections.abc import Sequence

from asdflow.errors import DataError

LISTED = 10
"""Problems that an error names; it counts the others."""


def together(where: object, what: str, problems: Sequence[str], remedy: str) -> DataError:
    """Error that says `what`, then one line a problem, then the remedy."""
    lines = [problem.removesuffix(".") for problem in problems[:LISTED]]
    if len(problems) > LISTED:
        lines.append(f"and {len(problems) - LISTED} more")
    return DataError(where, what + ":\n  " + ".\n  ".join(lines), "\n" + remedy)
