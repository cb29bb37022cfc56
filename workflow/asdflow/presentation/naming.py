"""What a study consists of and how its parts are called in figures and on the page; reads no product."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from asdflow.foundation.errors import ConfigError
from asdflow.products.layout import Grid
from asdflow.products.study import GIVEN, Study, Traits

METRIC_NAMES = {
    "official": "official score",
    "auc_source": "AUC source",
    "auc_target": "AUC target",
    "auc": "AUC",
    "pauc": "pAUC",
    "official_2020": "official score of 2020",
    "official_2021": "official score of 2021",
}


@dataclass(frozen=True, order=True)
class System:
    """One cell of the grid: what turns a clip of a data set into a score."""

    encoder: str
    layer: str
    pooling: str
    kind: str
    name: str

    @property
    def feature(self) -> tuple[str, str, str]:
        """Encoder, layer and pooling."""
        return self.encoder, self.layer, self.pooling


class Names:
    """The parts of a study.

    Parameters
    ----------
    study : Study
    """

    def __init__(self, study: Study) -> None:
        self.study, self.grid = study, Grid(study)

    @property
    def datasets(self) -> list[str]:
        """Names, in the order of the configuration."""
        return list(self.study.datasets)

    @property
    def layers(self) -> Mapping[str, tuple[str, ...]]:
        """Selected layers of every encoder."""
        return self.study.layers

    @property
    def kinds(self) -> Mapping[str, str]:
        """Kind of every detector and fusion by name, in the order of the configuration."""
        return self.study.systems

    @property
    def traits(self) -> Mapping[str, Traits]:
        """Traits of every detector and fusion; a fusion has those of the detectors it joins."""
        return {name: self.study.traits.get(name, Traits()) for name in self.study.systems}

    def features(self, dataset: str | None = None) -> list[tuple[str, str, str]]:
        """Every (encoder, layer, pooling) of a data set, or of all, in the order of the configuration."""
        chosen = self.datasets if dataset is None else [dataset]
        found = [tuple(one.values()) for name in chosen for one in self.grid.features(name)]
        return list(dict.fromkeys(found))

    def given(self, dataset: str) -> tuple[str, ...]:
        """Encoders whose vectors came with the data set; empty where it is sound."""
        self._dataset(dataset)
        return tuple(self.study.given.get(dataset, ()))

    def simulated(self, dataset: str) -> bool:
        """Whether the data set's sound is computed rather than recorded."""
        self._dataset(dataset)
        return dataset in self.study.simulated

    def feature_name(self, encoder: str, layer: str) -> str:
        """Encoder, with the layer where the study has several of that encoder."""
        return f"{encoder} {layer}" if len(self.layers.get(encoder, ())) > 1 else encoder

    def label(self, system: System) -> str:
        """A system's full name in one line, e.g. "ldn on yamnet layer9 with gem3 pooling"."""
        if system.pooling == GIVEN:
            return f"{system.name} on {self.feature_label(*system.feature)}"
        feature = self.feature_name(system.encoder, system.layer)
        return f"{system.name} on {feature} with {system.pooling} pooling"

    def feature_label(self, encoder: str, layer: str, pooling: str) -> str:
        """Encoder, layer and pooling in words: "yamnet layer9 and gem3 pooling", "given clap vectors"."""
        if pooling == GIVEN:
            return f"given {encoder} vectors"
        return f"{self.feature_name(encoder, layer)} and {pooling} pooling"

    def members(self, fusion: str) -> list[str]:
        """Detectors that a fusion joins; all of them where the study does not say."""
        return list(self.study.members.get(fusion, self.study.detectors))

    @property
    def plain_neighbour(self) -> str | None:
        """The detector that is nothing but the distance to the nearest train clip; None if there is none."""
        for name, spec in self.study.detectors.items():
            backend = spec["backend"]
            changed = any(part["name"] != "none" for part in spec["normalization"])
            if backend["name"] == "knn" and backend.get("k", 1) == 1 and not changed:
                return name
        return None

    def _dataset(self, name: str) -> Mapping[str, Any]:
        if name not in self.study.datasets:
            raise ConfigError(
                f"data set {name!r}", "is not part of the study", f"Choose of {', '.join(self.datasets)}."
            )
        return self.study.datasets[name]
