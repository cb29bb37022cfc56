"""Figures: readable at any size of study, the same bytes every time, claims that the data bear out."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys

import numpy as np
import pytest
import synthetic_results as synthetic

from asdflow.figures import REGISTRY, effects, source_target
from asdflow.foundation.errors import ConfigError
from asdflow.presentation import colours, plotting
from asdflow.presentation.results import Results
from asdflow.presentation.words import SIMULATED

FIGURES = ("distributions", "effects", "heatmap", "leaderboard", "source_target")
# From one machine and one system to more than the largest challenge and grid.
SIZES = {
    "least": (
        dict(encoders={"logmel": ["default"]}, poolings=1, detectors=1, fusion=False),
        dict(machines=1),
    ),
    "demo": ({}, dict(machines=5)),
    "most": (
        dict(encoders={"yamnet": ["layer5", "layer9"]}, poolings=3, detectors=9),
        dict(machines=15, clips=6),
    ),
    "many layers": (
        dict(encoders={"logmel": ["default"], "yamnet": [f"layer{i}" for i in range(2, 9)]}, detectors=3),
        dict(machines=2, clips=5),
    ),
    "no domains": (dict(poolings=1), dict(machines=3, domains=False)),
    "unknown intervals": (dict(poolings=1), dict(machines=2, clips=3, units=0)),
    "sections": (dict(poolings=1), dict(machines=2, clips=6, sections=3)),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    kept: dict[str, Results] = {}

    def make(size: str) -> Results:
        if size not in kept:
            study, data = SIZES[size]
            folder = tmp_path_factory.mktemp("results")
            kept[size] = synthetic.make(folder, synthetic.study(**study), **data)
        return kept[size]

    return make


def draw(name: str, results: Results, **options) -> plotting.Sheet:
    return REGISTRY.build({"name": name, **options}).draw(results, "factory")


def drawn(sheet) -> list:
    """Texts that really reach the paper (not tick labels out of view), with their boxes in pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with plotting.style():
        canvas = FigureCanvasAgg(sheet)
        renderer = canvas.get_renderer()
        put, found = renderer.draw_text, []

        def record(gc, x, y, s, *others, mtext=None, **how):
            found.append(mtext)
            put(gc, x, y, s, *others, mtext=mtext, **how)

        renderer.draw_text = record
        sheet.draw(renderer)
        return [(text, text.get_window_extent(renderer)) for text in found if text.get_text().strip()]


def test_the_registry_has_the_five_figures():
    assert set(FIGURES) <= set(REGISTRY.names())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", FIGURES)
def test_no_letter_is_small_and_none_touches_another_or_the_edge(made, name, size):
    sheet = draw(name, made(size))
    wide, high = sheet.get_size_inches() * sheet.dpi
    found = drawn(sheet)
    assert len(found) > 1
    assert min(text.get_fontsize() for text, _ in found) >= 8.0
    assert not [
        text.get_text()
        for text, box in found
        if box.x0 < -0.5 or box.y0 < -0.5 or box.x1 > wide + 0.5 or box.y1 > high + 0.5
    ]
    # The boxes of slanted column heads overlap though their letters do not.
    flat = [(text.get_text(), box) for text, box in found if text.get_rotation() in (0.0, 90.0)]
    assert not [
        (one, other)
        for (one, a), (other, b) in itertools.combinations(flat, 2)
        if min(a.x1, b.x1) - max(a.x0, b.x0) > 1.0 and min(a.y1, b.y1) - max(a.y0, b.y0) > 2.0
    ]


@pytest.mark.parametrize(("name", "suffix"), [*((name, "svg") for name in FIGURES), ("heatmap", "png")])
def test_the_same_results_give_the_same_bytes(made, tmp_path, name, suffix):
    results = made("demo")
    again = Results(results.folder, results.study)
    for index, one in enumerate((results, again)):
        plotting.save(draw(name, one), tmp_path / f"{index}.{suffix}")
    assert (tmp_path / f"0.{suffix}").read_bytes() == (tmp_path / f"1.{suffix}").read_bytes()


def test_a_drawing_does_not_depend_on_the_users_settings(made, tmp_path, monkeypatch):
    import matplotlib

    plotting.save(draw("effects", made("demo")), tmp_path / "a.svg")
    for name, value in {"font.size": 30.0, "axes.facecolor": "red", "svg.hashsalt": None}.items():
        monkeypatch.setitem(matplotlib.rcParams, name, value)
    plotting.save(draw("effects", made("demo")), tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


@pytest.mark.parametrize("name", FIGURES)
def test_a_drawing_stands_alone_and_says_what_it_is(made, tmp_path, name):
    sheet = draw(name, made("demo"))
    plotting.save(sheet, tmp_path / "figure.svg")
    text = (tmp_path / "figure.svg").read_text(encoding="utf-8")
    assert "<dc:date>" not in text and "<image" not in text
    links = set(re.findall(r'href="([^"]*)"', text))
    assert all(link.startswith("#") for link in links)
    assert sheet.title in text.replace("&gt;", ">")
    assert len(text) < 600_000


@pytest.mark.parametrize("name", FIGURES)
def test_every_picture_of_simulated_sound_says_so(made, name, monkeypatch):
    def words() -> str:
        return " ".join(text.get_text() for text in draw(name, made("demo")).texts)

    assert SIMULATED in words()
    monkeypatch.setattr(Results, "simulated", lambda self, dataset: False)
    fresh = Results(made("demo").folder, made("demo").study)
    assert SIMULATED not in " ".join(text.get_text() for text in draw(name, fresh).texts)


def test_names_are_drawn_as_they_are_written(tmp_path):
    results = synthetic.make(
        tmp_path, synthetic.study(poolings=1, detectors=2), machines=["$x^2$_a", "m%"], clips=4
    )
    for name in ("heatmap", "distributions", "effects"):
        sheet = draw(name, results)
        words = [text.get_text() for text, _ in drawn(sheet)]
        if name != "effects":
            assert {"$x^2$_a", "m%"} <= set(words)
        plotting.save(sheet, tmp_path / f"{name}.svg")  # would fail or warn if "$" began a formula


@pytest.mark.parametrize("name", ["heatmap", "distributions"])
def test_an_option_that_the_study_lacks_is_refused(made, name):
    with pytest.raises(ConfigError, match="pooling 'median': is not part"):
        draw(name, made("demo"), pooling="median")


def test_a_file_of_another_kind_is_refused(made, tmp_path):
    with pytest.raises(ConfigError, match=r"figure\.bmp.*svg or \.png"):
        plotting.save(draw("effects", made("least")), tmp_path / "figure.bmp")


def test_a_system_has_one_colour_and_shape_in_every_figure(made):
    """Markers of the leaderboard and of the scatter agree with the table of marks."""
    results = made("demo")
    marks = colours.marks(results.kinds)
    for name in ("leaderboard", "source_target"):
        shown = {
            (line.get_color(), line.get_marker())
            for axes in draw(name, results).axes
            for line in axes.get_lines()
            if line.get_marker() not in ("None", None, "")
        }
        assert shown <= {(mark.colour, mark.marker) for mark in marks.values()}
        assert len(shown) > 1


def test_sixty_systems_have_marks_of_their_own():
    assert len(set(colours.marks(map(str, range(60))).values())) == 60


def test_a_mark_does_not_depend_on_the_systems_behind_it():
    few, many = colours.marks("abc"), colours.marks("abcdefgh")
    assert all(few[name] == many[name] for name in "abc")


# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB.
VISION = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def oklab(colour: str, vision: str) -> np.ndarray:
    """Ottosson 2020."""
    parts = np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.asarray(VISION[vision]) @ linear, 0, 1)
    lms = np.array([
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]) @ linear  # fmt: skip
    return np.array([
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]) @ np.cbrt(lms)  # fmt: skip


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("vision", VISION)
def test_colours_stay_apart_for_every_kind_of_colour_vision(vision, theme):
    for family in (colours.SYSTEMS, (colours.SOURCE, colours.TARGET)):
        points = [oklab(getattr(token, theme), vision) for token in family]
        nearest = min(np.linalg.norm(a - b) for a, b in itertools.combinations(points, 2))
        assert nearest > 0.07  # a just noticeable difference is about 0.02


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_stand_out_from_the_ground(theme):
    ground = getattr(colours.GROUND, theme)
    marks = (*colours.SYSTEMS, colours.SOURCE, colours.TARGET, colours.NO_DOMAIN)
    assert min(colours.contrast(getattr(token, theme), ground) for token in marks) >= 3.0
    for token in (colours.INK, colours.MUTED):
        assert colours.contrast(getattr(token, theme), ground) >= 4.5
    for cell, ink in zip(colours.HEAT, colours.HEAT_INK, strict=True):
        assert colours.contrast(getattr(cell, theme), getattr(ink, theme)) >= 4.2


def test_every_light_colour_has_one_name():
    light = [token.light for token in colours.tokens().values()]
    assert len(set(light)) == len(light)


@pytest.mark.parametrize("name", FIGURES)
def test_figures_use_no_colour_without_a_name(made, tmp_path, name):
    """Otherwise the report could not show it on dark ground."""
    plotting.save(draw(name, made("demo")), tmp_path / "figure.svg")
    used = set(re.findall(r"#[0-9a-f]{6}\b", (tmp_path / "figure.svg").read_text(encoding="utf-8")))
    assert used and used <= {token.light for token in colours.tokens().values()} | {"#000000"}


@pytest.mark.parametrize(
    ("value", "index"), [(0.0, 0), (0.4, 1), (0.4999, 2), (0.5, 3), (0.95, 12), (1.0, 12)]
)
def test_heat_classes_include_their_lower_limit(value, index):
    assert colours.heat_class(value) == index


def test_the_effect_of_an_axis_is_the_mean_difference_of_pairs_that_differ_there_alone(made):
    results = made("demo")
    rows = [
        row
        for row in results.by_machine("factory").to_dicts()
        if row["metric"] == "auc_target" and row["kind"] == "detector" and row["machine"] == "fan"
    ]
    by_pooling = []
    for a, b in itertools.combinations(rows, 2):
        if (a["encoder"], a["system"]) == (b["encoder"], b["system"]) and a["pooling"] != b["pooling"]:
            by_pooling.append(abs(a["value"] - b["value"]))
    found = {one.axis: one for one in effects._effects(results, "factory", "auc_target")}
    fan = found["pooling"].machines.index("fan")
    assert found["pooling"].difference[fan] == pytest.approx(np.mean(by_pooling), rel=1e-12)
    # nn and ldn share a backend; nn, maha and pca95 share the absence of a normalization.
    assert (found["normalization"].members, found["backend"].members) == (2, 3)
    assert (found["normalization"].settings, found["backend"].settings) == (4, 4)


def test_two_names_for_one_detector_are_one_member_of_its_axis(made, tmp_path):
    config = synthetic.study(poolings=1, detectors=3)
    config["detectors"]["again"] = config["detectors"]["nn"]
    results = synthetic.make(tmp_path, config, machines=1, clips=4)
    found = {one.axis: one.members for one in effects._effects(results, "factory", "auc_target")}
    assert found["backend"] == 2


@pytest.mark.parametrize("seed", range(5))
def test_dots_of_a_swarm_do_not_hide_each_other(seed):
    values = sorted(np.random.default_rng(seed).normal(size=40).tolist())
    levels = effects._swarm(values, 0.2)
    for (a, i), (b, j) in itertools.combinations(zip(values, levels, strict=True), 2):
        assert i != j or abs(a - b) >= 0.2


@pytest.mark.parametrize("seed", range(5))
def test_the_front_holds_exactly_the_systems_that_none_beats_in_both_domains(seed):
    draws = np.random.default_rng(seed).integers(0, 8, (12, 2)) / 10
    rows = [{"auc_source": a, "auc_target": b} for a, b in draws.tolist()]
    front = {(row["auc_source"], row["auc_target"]) for row in source_target._front(rows)}

    def beaten(a: float, b: float) -> bool:
        return any(x >= a and y >= b and (x, y) != (a, b) for x, y in draws.tolist())

    assert front == {(a, b) for a, b in draws.tolist() if not beaten(a, b)}


def test_the_leaderboard_keeps_the_best_of_each_feature(made):
    results = made("most")
    sheet = draw("leaderboard", results, top=1)
    shown = [line for line in sheet.axes[0].get_lines() if line.get_marker() not in ("None", "")]
    assert len(shown) == len(results.features())


@pytest.mark.parametrize(
    "text", ["one", "a b", "a much longer title that must go on more lines than one", "x" * 300]
)
def test_wrapped_lines_fit_and_keep_every_word(text):
    for wrap in (plotting.wrap, plotting.balance):
        lines = wrap(text, 2.0, 12.0)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
        assert all(plotting.text_width(line, 12.0) <= 2.0 for line in lines)


def test_a_configuration_can_be_read_without_loading_matplotlib():
    code = (
        "import sys; from asdflow.figures import REGISTRY; [REGISTRY.member(n) for n in REGISTRY.names()];"
        "assert not {'matplotlib', 'polars', 'scipy'} & set(sys.modules), 'heavy import'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_drawing_leaves_pyplot_alone(made):
    draw("heatmap", made("least"))
    assert "matplotlib.pyplot" not in sys.modules
