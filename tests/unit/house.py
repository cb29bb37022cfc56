"""The library in tables: which room may import which, and what an edit of each file redoes.

A room imports only from rooms of lower layers, and from itself; docs/architecture.md shows the same layers.
A product is redone by the files that decide its bytes and by no others; pages count all that they reach.
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


#: Jobs of a small study: script, and the members that it names.
JOBS = {
    "simulate": ("simulate", "asdflow.datasets.factory"),
    "clips": ("clips", "asdflow.datasets.folder"),
    "frames": ("frames", "asdflow.encoders.logmel"),
    "embeddings": ("embeddings", "asdflow.poolings.gem"),
    "embeddings_given": ("embeddings_given", "asdflow.datasets.embeddings"),
    "distances": ("distances",),
    "ldn": (
        "scores",
        "asdflow.pipeline.detector",
        "asdflow.backends.knn",
        "asdflow.normalizations.density_ratio",
    ),
    "mahalanobis": (
        "scores",
        "asdflow.pipeline.detector",
        "asdflow.backends.mahalanobis",
        "asdflow.normalizations.none",
    ),
    "fusion": ("fusion", "asdflow.fusion.z_min"),
    "metrics": ("metrics",),
    "leaderboard": ("leaderboard",),
    "figures": ("figures", "asdflow.figures.heatmap"),
    "report": (
        "report",
        "asdflow.encoders.logmel",
        "asdflow.poolings.gem",
        "asdflow.backends.knn",
        "asdflow.backends.mahalanobis",
        "asdflow.normalizations.density_ratio",
        "asdflow.normalizations.none",
        "asdflow.fusion.z_min",
        "asdflow.figures.heatmap",
        "asdflow.datasets.folder",
    ),
}

#: What a change of a statement in a file redoes, of these jobs; of files that stand nowhere, nothing.
REDONE: dict[tuple[str, ...], str] = {
    ("simulate",): """
        datasets/factory/*
    """,
    ("clips", "report"): """
        datasets/_clips_csv.py datasets/_dcase_tree.py datasets/_mimii_tree.py datasets/_split.py
        datasets/folder.py
    """,
    ("simulate", "clips", "report"): """
        clips/dcase_names.py
    """,
    ("clips", "embeddings_given", "report"): """
        datasets/_scan.py
    """,
    ("simulate", "clips", "embeddings_given", "leaderboard", "report"): """
        audio/clipping.py audio/measuring.py clips/checks.py clips/measured.py datasets/__init__.py
        datasets/base.py
    """,
    ("simulate", "clips", "frames", "embeddings_given", "leaderboard", "report"): """
        audio/__init__.py audio/clip.py audio/containers.py audio/files.py audio/noise.py
        audio/options.py audio/resampling.py audio/streams.py clips/rows.py clips/waveforms.py
    """,
    ("simulate", "clips", "frames", "embeddings_given", "metrics", "leaderboard", "report"): """
        foundation/seeds.py
    """,
    ("frames",): """
        stages/frames.py stages/usable.py
    """,
    ("frames", "report"): """
        encoders/base.py encoders/logmel.py
    """,
    ("frames", "leaderboard", "report"): """
        encoders/__init__.py
    """,
    ("embeddings",): """
        stages/embeddings.py
    """,
    ("embeddings", "report"): """
        poolings/_base.py poolings/_power.py poolings/gem.py
    """,
    ("embeddings", "leaderboard", "report"): """
        poolings/__init__.py
    """,
    ("embeddings_given",): """
        datasets/_parquet_footer.py datasets/_vector_files.py datasets/_vectors.py
        datasets/embeddings.py
    """,
    ("distances",): """
        stages/distances.py
    """,
    ("distances", "ldn", "mahalanobis"): """
        stages/sections.py
    """,
    ("distances", "ldn", "mahalanobis", "leaderboard", "report"): """
        geometry/distances.py geometry/inner_products.py geometry/linear.py geometry/neighbours.py
        geometry/space.py
    """,
    ("ldn", "report"): """
        backends/_neighbours.py backends/knn.py normalizations/_density.py
        normalizations/density_ratio.py references/density.py references/indexes.py
        references/scaled.py
    """,
    ("ldn", "mahalanobis"): """
        stages/scores.py
    """,
    ("ldn", "mahalanobis", "leaderboard", "report"): """
        backends/__init__.py backends/_base.py backends/_recordings.py geometry/compiled.py
        geometry/order.py normalizations/__init__.py normalizations/_base.py pipeline/detector.py
        references/bank.py references/candidates.py references/means.py
        references/mixed_distances.py references/recipes.py references/references.py
        references/search.py
    """,
    ("mahalanobis", "report"): """
        backends/mahalanobis.py covariance/axes.py covariance/shrinkage.py normalizations/none.py
    """,
    ("fusion",): """
        stages/fusion.py
    """,
    ("fusion", "report"): """
        fusion/z_min.py geometry/statistics.py
    """,
    ("fusion", "leaderboard", "report"): """
        fusion/__init__.py
    """,
    ("metrics",): """
        stages/metrics.py
    """,
    ("leaderboard", "report"): """
        checkpoints/__init__.py checkpoints/models.py checkpoints/registry.py checkpoints/store.py
        checkpoints/wheels.py download/__init__.py download/answers.py download/checks.py
        download/locking.py download/policy.py download/progress.py download/transfer.py
        foundation/documents.py foundation/libraries.py foundation/memory.py foundation/names.py
        metrics/__init__.py metrics/decisions.py metrics/long_table.py metrics/pairs.py
        metrics/ranks.py metrics/spread.py metrics/thresholds.py pipeline/build.py report/*
    """,
    ("metrics", "leaderboard", "report"): """
        metrics/dcase.py metrics/intervals.py metrics/labels.py metrics/measure.py
        metrics/resampled.py metrics/resampling.py metrics/roc.py metrics/table.py
    """,
    ("figures", "report"): """
        figures/__init__.py figures/base.py figures/heatmap.py presentation/plotting.py
    """,
    ("leaderboard", "figures", "report"): """
        foundation/errors.py foundation/files.py foundation/registry.py foundation/validation.py
        presentation/colours.py presentation/evidence.py presentation/naming.py
        presentation/reading.py presentation/results.py presentation/words.py products/checks.py
        products/layout.py products/schemas.py products/seals.py products/study.py products/tables.py
        stages/job.py
    """,
    ("report",): """
        foundation/text.py
    """,
}
