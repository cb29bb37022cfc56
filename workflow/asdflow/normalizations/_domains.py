"""What normalizations that treat the domains apart share."""

from __future__ import annotations

from asdflow.backends._base import Backend


def needs_scores_by_domain(backend: Backend) -> str | None:
    """Refusal of a backend that has one score for both domains."""
    if backend.by_domain:
        return None
    return "it has one model for both domains, so there is no score against each"
