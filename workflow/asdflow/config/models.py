"""Typed models of everything in the configuration that is not a member of an axis."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from asdflow.foundation.registry import NAME_PATTERN

Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class Model(BaseModel):
    """Refuses unknown keys and values of a wrong type."""

    model_config = ConfigDict(extra="forbid", strict=True)


class MetricsOptions(Model):
    """How systems are scored and how sure one can be of it."""

    rounds: int = Field(1000, ge=100, description="Bootstrap rounds behind each interval.")
    confidence: float = Field(0.95, gt=0.5, lt=1.0, description="Coverage of the intervals.")


class ExtractionOptions(Model):
    """How frames are computed and kept; none of it changes them."""

    shards: int = Field(
        1,
        ge=1,
        le=1000,
        description="Jobs into which the clips of each machine are split, so that several cores, GPUs or "
        "computers work on one machine; their frames are joined to the bytes that one job gives.",
    )
    keep_frames: bool = Field(
        True,
        description="Keep frames, about half of what a study has on disk. false: they are removed once every "
        "pooling has read them, and extracted again when a new or changed pooling asks for them.",
    )


class ReportOptions(Model):
    """What the report shows besides its tables."""

    system: str | None = Field(
        None,
        description="Detector or fusion whose most and least anomalous clips are shown; "
        "the best of the leaderboard if absent.",
    )
    clips: int = Field(
        2, ge=0, le=10, description="Most, and as many least, anomalous clips for each machine."
    )


class StudyModel(Model):
    """One study: a grid of data sets, encoders, poolings, detectors and fusions."""

    title: str = Field("Training-free anomalous sound detection", description="Heading of the report.")
    datasets: dict[Name, Any] = Field(
        description="Recordings; each entry has a `kind` and the options of that kind.", min_length=1
    )
    encoders: dict[Name, Any] = Field(
        default_factory=dict,
        description="Frozen networks or transforms that turn sound into frames; needed where there is sound.",
    )
    poolings: dict[Name, Any] = Field(
        default_factory=dict,
        description="Rules from frames to one vector a clip; needed where there is sound.",
    )
    detectors: dict[Name, Any] = Field(
        description="Scoring rules: a backend and, where wanted, one normalization or a list of them.",
        min_length=1,
    )
    fusions: dict[Name, Any] = Field(
        default_factory=dict, description="Rules that make one score from those of several detectors."
    )
    figures: dict[Name, Any] = Field(
        default_factory=dict,
        description="Pictures of the report; every figure that fits the study if absent.",
    )
    extraction: ExtractionOptions = Field(
        default_factory=ExtractionOptions, description="How frames are computed and kept."
    )
    metrics: MetricsOptions = Field(default_factory=MetricsOptions, description="How systems are scored.")
    report: ReportOptions = Field(default_factory=ReportOptions, description="What the report shows.")
