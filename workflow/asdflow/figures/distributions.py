"""Distributions: what scores a system gives to normal and anomalous clips of each domain."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import Field

from asdflow.figures import register
from asdflow.figures.base import Picture
from asdflow.presentation import words
from asdflow.presentation.colours import GROUND, INK, MUTED, NO_DOMAIN, SOURCE, TARGET
from asdflow.presentation.evidence import beside, no_values, told, untold

if TYPE_CHECKING:
    from asdflow.presentation.plotting import Sheet
    from asdflow.presentation.results import Results, System

ROW = 0.215  # inches a group
GOLDEN = 0.6180339887498949
COLOURS = {"source": SOURCE.light, "target": TARGET.light, None: NO_DOMAIN.light}


@register("distributions")
@dataclass(frozen=True)
class Distributions(Picture):
    """Test scores by domain and label, one panel a machine, of one system.

    A dot is a clip: hollow normal or without a label, filled anomalous. A group of more clips than `dots` is
    shown by as many quantiles, evenly spaced in probability. Scores of different machines come from different
    banks and do not compare, so every panel has its own axis: logarithmic where the largest score is more
    than 8 times the median and none is 0 or below.
    """

    needs_values: ClassVar[bool] = False

    system: Annotated[
        str | None, Field(description="Detector or fusion; the one the report plays if absent.")
    ] = None
    encoder: Annotated[str | None, Field(description="Encoder; the best if absent.")] = None
    layer: Annotated[str | None, Field(description="Layer; the best if absent.")] = None
    pooling: Annotated[str | None, Field(description="Pooling; the best if absent.")] = None
    dots: Annotated[int, Field(ge=10, le=400, description="Most dots of a group.")] = 60

    def paint(self, results: Results, dataset: str) -> Sheet:
        from asdflow.presentation import plotting

        system = self._system(results, dataset)
        groups = _groups(results, dataset, system) if system else {}
        if not groups:
            reason = f"{no_values(results, dataset) or beside(results, dataset)}"
            return plotting.message(f"{dataset}: no scores to draw", reason, results.simulated(dataset))
        machines = list(groups)
        names = list(dict.fromkeys(name for one in groups.values() for name in one))
        labels = [" ".join([*filter(None, name[:1]), name[1] or "no label"]) for name in names]
        label = plotting.widest(labels) + 0.14
        room = plotting.WIDTH - 2 * plotting.EDGE
        columns = min(3, len(machines))
        gap = 0.26
        heads = [_heads(results, dataset, system, machine) for machine in machines]
        head_width = max(
            plotting.widest(machines, plotting.TEXT, True), plotting.widest(heads, plotting.SMALL)
        )
        wide = max((room - label - gap * (columns - 1)) / columns, head_width)
        head, foot = 0.4, 0.3
        high = ROW * len(names)
        lines = -(-len(machines) // columns)
        body = lines * (head + high + foot) + 0.2

        sheet = plotting.Sheet(
            _title(results, system, groups),
            _lead(results, dataset, groups),
            (label + columns * wide + gap * (columns - 1), body),
            self._note(results, dataset, groups),
            results.simulated(dataset),
        )
        for index, machine in enumerate(machines):
            line, column = divmod(index, columns)
            left = label + column * (wide + gap)
            top = line * (head + high + foot)
            sheet.write(left, top + 0.15, machine, color=INK.light, fontweight="bold")
            sheet.write(left, top + 0.31, heads[index], plotting.SMALL, color=MUTED.light)
            axes = sheet.panel(left, top + head, wide, high)
            self._panel(axes, groups[machine], names)
            if column == 0:
                for row, text in enumerate(labels):
                    sheet.write(
                        label - 0.14, top + head + (row + 0.5) * ROW + 0.045, text,
                        color=COLOURS[names[row][0]], ha="right",
                    )  # fmt: skip
        sheet.write(
            label, body - 0.02,
            "anomaly score, without unit, larger is more anomalous; each machine has its own scale",
            plotting.SMALL, color=MUTED.light,
        )  # fmt: skip
        return sheet

    def _system(self, results: Results, dataset: str) -> System | None:
        feature = {"encoder": self.encoder, "layer": self.layer, "pooling": self.pooling}
        if not results.systems(dataset) or (self.system is None and not any(feature.values())):
            return results.featured(dataset)
        return results.best(dataset, self.system, feature)

    def _panel(self, axes, groups, names) -> None:
        from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

        everything = np.concatenate(list(groups.values()))
        if everything.min() > 0 and everything.max() > 8 * np.median(everything):
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(numticks=4))
            axes.xaxis.set_minor_locator(NullLocator())
        else:
            axes.xaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.grid(axis="x")
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", left=False, labelleft=False)
        for row, name in enumerate(names):
            if name not in groups:
                continue
            domain, label = name
            values = _thin(groups[name], self.dots)
            jitter = (np.arange(1, len(values) + 1) * GOLDEN % 1.0 - 0.5) * 0.56
            filled = label == "anomaly"
            axes.plot(
                values, row + jitter, "o", ms=4.0,
                mfc=COLOURS[domain] if filled else GROUND.light,
                mec=GROUND.light if filled else COLOURS[domain],
                mew=0.4 if filled else 0.9,
            )  # fmt: skip
            middle = np.median(groups[name])
            axes.plot(
                [middle, middle], [row - 0.44, row + 0.44], color=INK.light, lw=2, solid_capstyle="butt"
            )
        if axes.get_xscale() == "linear":
            low, high = everything.min(), everything.max()
            pad = 0.04 * (high - low) or 0.5 * abs(high) or 0.5
            axes.set_xlim(low - pad, high + pad)

    def _note(self, results: Results, dataset: str, groups) -> str:
        notes = []
        chosen = (self.system, self.encoder, self.layer, self.pooling)
        if not results.systems(dataset):
            notes.append(
                "Nothing tells which system is best: the first of the study that has scores is shown."
            )
        elif not any(chosen) and not results.study.report.get("system"):
            notes.append("The system shown is the first of the leaderboard.")
        largest = max(len(values) for one in groups.values() for values in one.values())
        if largest > self.dots:
            notes.append(f"Groups of more than {self.dots} clips are shown by {self.dots} quantiles.")
        return " ".join(notes)


def _groups(results: Results, dataset: str, system: System) -> dict[str, dict[tuple, np.ndarray]]:
    """Scores of each machine by (domain, label), in the order of a panel's rows; what has none is absent."""
    import polars as pl

    test = results.scores(dataset, system).filter(pl.col("split") == "test", pl.col("score").is_not_null())
    parts = {
        key: one["score"].to_numpy()
        for key, one in test.partition_by(["machine", "domain", "label"], as_dict=True).items()
    }
    labels = ("normal", "anomaly", None)
    order = [(domain, label) for domain in ("source", "target", None) for label in labels]
    found = {
        machine: {name: parts[machine, *name] for name in order if (machine, *name) in parts}
        for machine in results.machines(dataset)
    }
    return {machine: one for machine, one in found.items() if one}


def _lead(results: Results, dataset: str, groups) -> str:
    """What a mark is, as far as there are such marks."""
    labels = {label for one in groups.values() for _, label in one}
    kinds = {"normal": "Hollow: normal.", "anomaly": "Filled: anomalous.", None: "Hollow, no label: unknown."}
    marks = [text for label, text in kinds.items() if label in labels]
    if {"normal", "anomaly"} <= labels:
        better = " The more the filled dots lie right of the hollow ones, the better."
    else:
        better = ""
    rests = told(results, dataset) if results.systems(dataset) else untold(results, dataset)
    how = f"{' '.join(marks)} Tick: median of the group.{better}"
    return f"Scores of the test clips of {dataset}; {rests}. {how}"


def _thin(values: np.ndarray, most: int) -> np.ndarray:
    """Sorted values, or as many quantiles of them."""
    if len(values) <= most:
        return np.sort(values)
    return np.quantile(values, (np.arange(most) + 0.5) / most)


def _heads(results: Results, dataset: str, system: System, machine: str) -> str:
    """The machine's metrics in short, e.g. "AUC source 71, target 63, pAUC 58"."""
    import polars as pl

    rows = results.by_machine(dataset).filter(
        *(
            pl.col(column) == value
            for column, value in zip(
                ("encoder", "layer", "pooling", "kind", "system"),
                (*system.feature, system.kind, system.name),
                strict=True,
            )
        ),
        pl.col("machine") == machine,
    )
    value = dict(rows.select("metric", "value").iter_rows())
    if not value:
        return "no AUC"
    if "auc_target" in value:
        return f"AUC source {100 * value['auc_source']:.0f}, target {100 * value['auc_target']:.0f}"
    return ", ".join(
        f"{words.metric_name(results, dataset, name)} {100 * value[name]:.0f}"
        for name in ("auc_source", "auc", "pauc")
        if name in value
    )


def _title(results: Results, system: System, groups) -> str:
    """On how many machines the medians are in the order that one hopes for, or fears."""
    name = results.label(system)
    both = [
        machine
        for machine, one in groups.items()
        if ("source", "normal") in one and ("target", "normal") in one
    ]
    if both:
        higher = sum(
            median(groups[machine]["target", "normal"]) > median(groups[machine]["source", "normal"])
            for machine in both
        )
        what = "Normal clips of the target domain", "than those of the source"
    else:
        both = [
            machine for machine, one in groups.items() if {"normal", "anomaly"} <= {kind for _, kind in one}
        ]
        if not both:
            return f"Scores of {name}: no normal and anomalous clips to compare"
        higher = sum(_anomalies_higher(one) for one in groups.values())
        what = "Anomalous clips", "than normal ones"
    no = " no" if not higher and len(both) == 1 else ""
    return f"{what[0]} score{no} higher {what[1]} (medians) {words.on_machines(higher, both)}: {name}"


def _anomalies_higher(groups: dict[tuple, np.ndarray]) -> bool:
    """Whether the median of the anomalous clips of a machine lies above that of the normal ones."""
    normal, anomaly = (
        np.concatenate([values for (_, kind), values in groups.items() if kind == label] or [np.empty(0)])
        for label in ("normal", "anomaly")
    )
    return bool(len(normal) and len(anomaly) and np.median(anomaly) > np.median(normal))
