"""The layers of the library: the one place that says which room may import which.

A room imports only from rooms of lower layers, and from itself. docs/architecture.md shows the same table.
"""

from __future__ import annotations

LAYERS: tuple[tuple[str, ...], ...] = (
    ("commands",),
    ("exchange",),
    ("plan",),
    ("config", "stages", "report"),
    ("pipeline",),
    ("normalizations",),
    ("backends",),
    ("encoders", "covariance", "figures"),
    ("checkpoints", "datasets", "references", "fusion", "presentation"),
    ("clips",),
    ("download", "audio", "poolings", "geometry", "metrics", "products"),
    ("foundation",),
)
LEVEL = {room: -number for number, rooms in enumerate(LAYERS) for room in rooms}
