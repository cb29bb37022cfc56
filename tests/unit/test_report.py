"""The report: one file that needs nothing else, the same bytes every time, honest about what it shows."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import re
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import synthetic_results as synthetic

from asdflow import report
from asdflow.figures import REGISTRY
from asdflow.foundation.errors import ConfigError, ProductError
from asdflow.presentation import plotting
from asdflow.presentation.results import Results, Traits
from asdflow.presentation.words import SIMULATED
from asdflow.products.study import Study
from asdflow.report import drawing, facts, sound, spectrogram
from asdflow.report import verdict as verdicts
from asdflow.report._png import indexed_png

DATASETS = {"factory": {"kind": "factory"}, "mine": {"kind": "folder", "root": "/home/someone/secret/motors"}}


def audio(dataset, row, rate):
    return synthetic.tone(row["machine"], row["clip"], row["duration_s"], rate)


def figures_of(results: Results, folder: Path) -> dict[str, dict[str, Path]]:
    drawn: dict[str, dict[str, Path]] = {}
    for dataset in results.datasets:
        for name in ("leaderboard", "heatmap"):
            path = folder / dataset / f"{name}.svg"
            plotting.save(REGISTRY.build({"name": name}).draw(results, dataset), path)
            drawn.setdefault(dataset, {})[name] = path
    return drawn


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    results = synthetic.make(folder, synthetic.study(DATASETS, poolings=1), machines=2, clips=8)
    figures = figures_of(results, folder / "figures")
    report.build(results, figures, folder / "report.html", audio)
    return results, figures, folder / "report.html"


@pytest.fixture(scope="module")
def results(made) -> Results:
    return made[0]


@pytest.fixture(scope="module")
def page(made) -> str:
    return made[2].read_text(encoding="utf-8")


class Outline(HTMLParser):
    """Tags with attributes, and the visible text of each section by its id."""

    VOID = frozenset(("meta", "link", "img", "br", "input"))

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.open: list[tuple[str, str | None]] = []
        self.words: dict[str | None, str] = {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        if tag not in self.VOID:
            self.open.append((tag, attributes.get("id")))

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        name, _ = self.open.pop()
        assert name == tag, f"<{name}> is closed by </{tag}>"

    def handle_data(self, data):
        if not any(tag in ("style", "script") for tag, _ in self.open):
            for _, name in self.open:
                if name:
                    self.words[name] = self.words.get(name, "") + data


def test_every_element_is_closed_and_every_id_is_unique(page):
    outline = Outline(page)
    assert not outline.open
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    links = [attributes.get("href", "") for tag, attributes in outline.tags if tag in ("a", "use")]
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)


def test_the_page_needs_nothing_from_elsewhere(page):
    for tag, attributes in Outline(page).tags:
        for name in ("src", "href", "xlink:href", "action", "srcset", "poster"):
            assert attributes.get(name, "#").startswith(("#", "data:")), (tag, attributes)
    assert not re.search(r"@import|@font-face|url\((?!#|\"?data:)", page)
    assert "fetch(" not in page and "XMLHttpRequest" not in page
    assert "default-src 'none'" in page


def test_the_same_products_give_the_same_bytes(made, tmp_path):
    results, figures, path = made
    report.build(Results(results.folder, results.study), figures, tmp_path / "other name.html", audio)
    assert (tmp_path / "other name.html").read_bytes() == path.read_bytes()


def test_bytes_do_not_depend_on_the_seed_of_hashes(made, tmp_path):
    results, _, path = made
    code = (
        "import sys, json; sys.path.insert(0, sys.argv[1])\n"
        "import synthetic_results as s; from pathlib import Path\n"
        "from asdflow import report; from asdflow.presentation.results import Results\n"
        "from asdflow.products.study import Study\n"
        "f = Path(sys.argv[2]); r = Results(f, Study.from_dict(json.loads(sys.argv[4])))\n"
        "names = ('leaderboard', 'heatmap')\n"
        "figures = {d: {n: f / 'figures' / d / f'{n}.svg' for n in names} for d in r.datasets}\n"
        "report.build(r, figures, sys.argv[3], lambda d, row, rate:"
        " s.tone(row['machine'], row['clip'], row['duration_s'], rate))\n"
    )
    for seed in ("1", "2"):
        out = tmp_path / f"{seed}.html"
        study = json.dumps(results.study.as_dict())
        arguments = [str(Path(__file__).parent), str(results.folder), str(out), study]
        subprocess.run(
            [sys.executable, "-c", code, *arguments],
            check=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
            timeout=120,
        )
        assert out.read_bytes() == path.read_bytes()


def test_nothing_of_this_machine_is_on_the_page(made, page):
    import getpass
    import socket

    results, _, path = made
    words = re.sub(r"base64,[A-Za-z0-9+/=]+", "", page)
    for secret in (str(results.folder), str(path.parent), "/home/someone", "secret", socket.gethostname()):
        assert secret not in words
    assert f"/{getpass.getuser()}/" not in words
    assert ".../motors" in words
    assert not re.search(r"20[2-9]\d-\d\d-\d\d", words)


def test_simulated_sound_is_named_in_every_section_that_shows_it_and_in_no_other(page):
    words = Outline(page).words
    assert SIMULATED in words["summary"]
    assert SIMULATED in words["leaderboard"]
    assert SIMULATED in words["data-factory"]
    assert SIMULATED not in words["data-mine"]
    assert SIMULATED not in words["study"]


def test_without_simulated_sound_the_page_does_not_mention_it(tmp_path, monkeypatch):
    monkeypatch.setattr(Results, "simulated", lambda self, dataset: False)
    results = synthetic.make(
        tmp_path, synthetic.study(poolings=1, detectors=1, fusion=False), machines=1, clips=3
    )
    report.build(results, figures_of(results, tmp_path), tmp_path / "report.html", audio)
    assert "imulated" not in Outline((tmp_path / "report.html").read_text(encoding="utf-8")).words["content"]


def test_the_table_has_every_system_of_every_data_set(page, results):
    tags = Outline(page).tags
    rows = [
        (one["data-dataset"], one["data-feature"], one["data-pooling"], one["data-system"])
        for tag, one in tags
        if tag == "tr" and "data-system" in one
    ]
    wanted = [
        (dataset, results.feature_name(one.encoder, one.layer), one.pooling, one.name)
        for dataset in results.datasets
        for one in results.systems(dataset)
    ]
    assert rows == wanted


def test_every_machine_has_its_most_and_least_anomalous_clips_with_sound_and_picture(page, results):
    import soundfile

    sounds = re.findall(r'<audio [^>]*src="data:audio/flac;base64,([^"]+)"[^>]*aria-label="([^"]+)"', page)
    assert len(sounds) == 2 * 2 * 4  # data sets, machines, clips
    for text, _ in sounds:
        waveform, rate = soundfile.read(io.BytesIO(base64.b64decode(text)))
        assert (rate, len(waveform)) == (16000, 32000)
        assert 0.1 < np.abs(waveform).max() <= 0.9
    for dataset in results.datasets:
        chosen = sound.choose(results, dataset, results.featured(dataset), 2)
        assert {one.row["clip"] for of in chosen.values() for one in of} <= {clip for _, clip in sounds}
    assert len(re.findall(r'src="data:image/png;base64,', page)) == len(sounds)


def test_the_chosen_clips_are_those_with_the_extreme_scores(results):
    import polars as pl

    system = results.featured("factory")
    for machine, clips in sound.choose(results, "factory", system, 3).items():
        test = results.scores("factory", system).filter(
            pl.col("machine") == machine, pl.col("split") == "test"
        )
        scores = sorted(test["score"].to_list(), reverse=True)
        assert [one.score for one in clips] == scores[:3] + scores[-3:]
        assert [one.rank for one in clips] == [1, 2, 3, *range(len(scores) - 2, len(scores) + 1)]
        assert [one.place for one in clips] == ["most"] * 3 + ["least"] * 3


def test_a_machine_with_few_clips_shows_each_once(tmp_path):
    results = synthetic.make(tmp_path, synthetic.study(poolings=1), machines=1, clips=1)
    (clips,) = sound.choose(results, "factory", results.featured("factory"), 3).values()
    assert [one.rank for one in clips] == [1, 2, 3, 4]


def test_no_clips_are_shown_where_none_are_asked_for(made, tmp_path):
    results, figures, _ = made
    silent = Results(results.folder, replace(results.study, report={"system": None, "clips": 0}))
    report.build(silent, figures, tmp_path / "report.html", audio)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<audio" not in text and "Most and least anomalous" not in text


def test_clips_are_shortened_until_the_page_is_small_enough(results):
    chosen = {"factory": sound.choose(results, "factory", results.featured("factory"), 2)}

    def long(dataset, row, rate):
        return synthetic.tone(row["machine"], row["clip"], 8.0, rate)

    whole, played = sound.machines(chosen, long, 10.0, 10_000_000)
    assert played == 10.0 and not any(clip.cut for one in whole["factory"] for clip in one.clips)
    short, played = sound.machines(chosen, long, 10.0, 700_000)
    assert 1.0 <= played < 8.0
    clips = [clip for one in short["factory"] for clip in one.clips]
    assert sum(4 * -(-len(data) // 3) for clip in clips for data in (clip.flac, clip.png)) <= 700_000
    assert {round(clip.seconds, 3) for clip in clips} == {played}


def test_clips_of_a_machine_keep_their_difference_in_loudness(results):
    import soundfile

    chosen = {"factory": sound.choose(results, "factory", results.featured("factory"), 1)}
    levels = iter([0.02, 0.002] * 10)
    made, _ = sound.machines(chosen, lambda d, row, rate: next(levels) * np.ones(rate), 10.0, 10_000_000)
    for machine in made["factory"]:
        loud, quiet = (soundfile.read(io.BytesIO(clip.flac))[0].max() for clip in machine.clips)
        assert loud == pytest.approx(0.89, abs=1e-3)
        assert loud / quiet == pytest.approx(10.0, rel=1e-2)
        assert machine.gain_db == pytest.approx(20 * np.log10(0.89 / 0.02))


def test_silence_can_be_shown(results):
    chosen = {"factory": sound.choose(results, "factory", results.featured("factory"), 1)}
    made, _ = sound.machines(chosen, lambda d, row, rate: np.zeros(rate), 10.0, 10_000_000)
    assert made["factory"][0].gain_db == 0.0


def test_flac_keeps_every_sample_and_has_the_same_bytes_every_time():
    import soundfile

    waveform = np.random.default_rng(0).normal(0, 0.2, 16000)
    data = sound.flac(waveform, 16000)
    assert data == sound.flac(waveform, 16000)
    back, rate = soundfile.read(io.BytesIO(data), dtype="int16")
    assert rate == 16000
    np.testing.assert_array_equal(back, np.rint(np.clip(waveform, -1, 1) * 32767).astype(np.int16))


@pytest.mark.parametrize(("rate", "hertz"), [(8000, 500), (8000, 1000), (16000, 1000), (16000, 4000)])
def test_a_tone_is_bright_where_the_axis_says_it_is(rate, hertz):
    wave = np.sin(2 * np.pi * hertz * np.arange(2 * rate) / rate)
    decibels = spectrogram.mel_spectrogram(wave, rate)
    assert decibels.shape == (96, 320)
    height = (decibels.mean(axis=1).argmax() + 0.5) / 96
    place = {text: height for height, text in spectrogram.frequency_ticks(rate)}
    assert place[f"{hertz / 1000:g}"] == pytest.approx(height, abs=1.5 / 96)


def test_a_click_is_bright_at_its_time():
    wave = np.zeros(16000)
    wave[12000:12010] = 1.0
    assert abs(int(spectrogram.mel_spectrogram(wave, 16000).mean(axis=0).argmax()) - 240) <= 12


@pytest.mark.parametrize("samples", [0, 1, 100, 5000])
def test_short_clips_have_a_spectrogram_too(samples):
    assert np.isfinite(spectrogram.mel_spectrogram(np.ones(samples), 16000)).all()


def test_the_palette_rises_evenly_in_brightness():
    red, green, blue = (spectrogram.palette().astype(float) / 255).T
    brightness = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    assert (np.diff(brightness) > 0).all()


def test_the_png_holds_the_pixels():
    index = np.arange(12, dtype=np.uint8).reshape(3, 4)
    palette = np.arange(36, dtype=np.uint8).reshape(12, 3)
    data = indexed_png(index, palette)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    place, parts = 8, {}
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        kind, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        assert struct.unpack(">I", data[place + 8 + length : place + 12 + length])[0] == zlib.crc32(
            kind + body
        )
        parts[kind] = body
        place += 12 + length
    assert struct.unpack(">II", parts[b"IHDR"][:8]) == (4, 3)
    rows = np.frombuffer(zlib.decompress(parts[b"IDAT"]), np.uint8).reshape(3, 5)
    np.testing.assert_array_equal(rows[:, 1:], index)
    assert (rows[:, 0] == 0).all() and parts[b"PLTE"] == palette.tobytes()


def test_the_first_sentences_agree_with_the_paired_interval(results):
    said = verdicts.verdict(results, "factory")
    best = results.systems("factory")[0]
    assert said.best == results.label(best)
    other = results.best(
        "factory", "nn", dict(zip(("encoder", "layer", "pooling"), best.feature, strict=True))
    )
    if best.name == "nn":
        other = results.systems("factory")[1]
    found = verdicts.difference(results, "factory", best, other)
    assert found.low <= found.value <= found.high
    assert f"{100 * found.low:+.1f} to {100 * found.high:+.1f}".replace("-", "−") in said.sentences[0]
    assert said.clear <= (found.low > 0)
    assert ("beyond the noise" in said.sentences[0]) == said.clear
    assert ("within the noise" in said.sentences[0]) == (found.low <= 0)


def test_equal_scores_are_said_to_be_equal(results, monkeypatch):
    from asdflow.metrics import Difference

    fields = dict.fromkeys(Difference.__dataclass_fields__, 0.0)
    monkeypatch.setattr(verdicts, "difference", lambda *_: Difference(**fields))
    said = verdicts.verdict(results, "factory")
    assert "both have the same score in every resample" in said.sentences[0] and not said.clear


def test_a_shared_first_place_is_said_to_be_shared(results, monkeypatch):
    import polars as pl

    board = results.leaderboard("factory")
    assert not any("shares" in sentence for sentence in verdicts.verdict(results, "factory").sentences)
    level = board.with_columns(
        pl.when(pl.int_range(pl.len()) < 3)
        .then(board["official"][0])
        .otherwise(pl.col("official"))
        .alias("official")
    )
    monkeypatch.setattr(results, "leaderboard", lambda dataset: level)
    shared = [sentence for sentence in verdicts.verdict(results, "factory").sentences if "shares" in sentence]
    assert shared == ["It shares the first place with 2 other systems of the same score."]


def test_the_difference_is_that_of_exact_official_scores(results):
    """The synthetic metrics hold a made-up pAUC, so the expectation is computed from the scores."""
    import polars as pl

    from asdflow.metrics import official

    one, two = results.systems("mine")[:2]
    values = []
    for system in (one, two):
        test = results.scores("mine", system).filter(pl.col("split") == "test")
        labels = (test["label"] == "anomaly").cast(int).to_numpy()
        domains = (test["domain"] == "target").cast(int).to_numpy()
        values.append(official(test["score"].to_numpy(), labels, domains, test["machine"].to_numpy()).overall)
    assert verdicts.difference(results, "mine", one, two).value == pytest.approx(
        values[0] - values[1], abs=1e-12
    )


def test_where_intervals_are_unknown_nothing_is_claimed(tmp_path):
    results = synthetic.make(tmp_path, synthetic.study(poolings=1), machines=1, clips=3, units=0)
    said = verdicts.verdict(results, "factory")
    assert said.interval == "unknown" and not said.clear and not said.against
    assert "too few independent recordings" in said.sentences[0]


def test_a_single_system_is_not_called_the_best(tmp_path):
    study = synthetic.study(encoders={"logmel": ["default"]}, poolings=1, detectors=1, fusion=False)
    results = synthetic.make(tmp_path, study, machines=1, clips=4)
    said = verdicts.verdict(results, "factory")
    assert said.sentences == () and said.place == "Only system"


@pytest.mark.parametrize("trait", list(Traits.__dataclass_fields__))
def test_what_a_system_needs_is_said_wherever_it_is_ranked(made, tmp_path, monkeypatch, trait):
    results, figures, _ = made
    fresh = Results(results.folder, results.study)
    best = fresh.systems("factory")[0].name
    fresh = Results(results.folder, results.study)
    traits = {name: Traits(**{trait: name == best}) for name in results.kinds}
    monkeypatch.setattr(Results, "traits", traits)
    report.build(fresh, figures, tmp_path / "report.html", audio)
    label = trait.replace("_", " ")
    outline = Outline((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert label in outline.words["leaderboard"]
    assert "Mind that" in outline.words["summary"]
    assert label in report.leaderboard_text(fresh, 30)
    row = next(csv.DictReader(io.StringIO(report.csv_text(fresh))))
    assert row[trait] == "true"


def test_the_csv_holds_every_system_with_its_interval(results, tmp_path):
    report.write_leaderboard(results, tmp_path / "leaderboard.csv")
    with open(tmp_path / "leaderboard.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(results.leaderboard(name).height for name in results.datasets)
    first = results.leaderboard("factory").row(0, named=True)
    assert float(rows[0]["official"]) == pytest.approx(first["official"], abs=5e-7)
    assert float(rows[0]["auc_target_low"]) == pytest.approx(first["auc_target_low"], abs=5e-7)
    assert rows[0]["simulated"] == "true" and rows[-1]["simulated"] == "false"


def test_data_sets_with_and_without_domains_share_one_csv(tmp_path):
    results = synthetic.make(
        tmp_path, synthetic.study({"factory": {"kind": "factory"}}, poolings=1), machines=1
    )
    bare = synthetic.make(
        tmp_path, synthetic.study({"bare": {"kind": "factory"}}, poolings=1), machines=1, domains=False
    )
    datasets = {**results.study.datasets, **bare.study.datasets}
    both = Results(tmp_path, replace(results.study, datasets=datasets))
    rows = list(csv.DictReader(io.StringIO(report.csv_text(both))))
    assert {row["auc_target"] == "" for row in rows if row["dataset"] == "bare"} == {True}
    assert {row["auc_target"] == "" for row in rows if row["dataset"] == "factory"} == {False}


def test_the_terminal_shows_the_best_systems_and_what_is_simulated(results, tmp_path):
    report.write_leaderboard(results, tmp_path / "leaderboard.csv")
    text = report.leaderboard_text(tmp_path, 3)
    assert text == report.leaderboard_text(results, 3)
    blocks = text.split("\n\n")
    assert len(blocks) == 2
    assert SIMULATED in blocks[0] and SIMULATED not in blocks[1]
    best = results.leaderboard("mine").row(0, named=True)
    line = blocks[1].splitlines()[3].split()
    assert line[:2] == ["1", best["system"]] and f"{100 * best['official']:.1f}" in line
    assert len([one for one in blocks[1].splitlines() if re.match(r" *\d+  ", one)]) == 3


def test_a_missing_or_foreign_leaderboard_is_named(tmp_path):
    with pytest.raises(ProductError, match=r"leaderboard\.csv.*does not exist"):
        report.leaderboard_text(tmp_path)
    (tmp_path / "leaderboard.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ProductError, match="is not a leaderboard"):
        report.leaderboard_text(tmp_path)


def test_figures_are_part_of_the_page_in_its_own_colours(made):
    _, figures, _ = made
    one = drawing.inline("heatmap", figures["mine"]["heatmap"], "f0")
    assert "the best AUC target" in one.title
    assert one.lead.startswith("AUC target, percent")
    assert not re.search(r"#[0-9a-f]{6}\b", one.svg)
    assert set(re.findall(r'\bid="([^-"]*)-', one.svg)) == {"f0"}
    assert "<style" not in one.svg and "<title" not in one.svg


def test_the_picture_keeps_its_body_and_loses_its_words(made):
    results, figures, _ = made
    sheet = REGISTRY.build({"name": "heatmap"}).draw(results, "mine")
    one = drawing.inline("heatmap", figures["mine"]["heatmap"], "f0")
    top, height = map(float, re.search(r'viewBox="0 ([0-9.]+) [0-9.]+ ([0-9.]+)"', one.svg).groups())
    whole = 72 * sheet.get_size_inches()[1]
    assert top > 20 and top + height < whole
    for axes in sheet.axes:
        box = axes.get_position()
        assert top <= whole * (1 - box.y1) and whole * (1 - box.y0) <= top + height


@pytest.mark.parametrize("text", ["", "<svg></svg>", "<svg viewBox='0 0 1 1'><title>x</title></svg>"])
def test_a_drawing_from_elsewhere_is_refused(tmp_path, text):
    (tmp_path / "figure.svg").write_text(text)
    with pytest.raises(ProductError, match=r"figure\.svg: is not a figure of this project"):
        drawing.inline("heatmap", tmp_path / "figure.svg", "f0")


def test_figures_of_every_data_set_are_needed(made, tmp_path):
    results, figures, _ = made
    with pytest.raises(ConfigError, match=r"lack the data sets.*mine"):
        report.build(results, {"factory": figures["factory"]}, tmp_path / "report.html", audio)


def test_a_report_that_fails_leaves_no_file(made, tmp_path):
    results, figures, _ = made

    def broken(dataset, row, rate):
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        report.build(results, figures, tmp_path / "report.html", broken)
    assert not list(tmp_path.iterdir())


def test_names_cannot_break_the_page(tmp_path):
    study = synthetic.study(poolings=1, detectors=1, fusion=False)
    study["title"] = "<script>alert('title')</script> & more"
    results = synthetic.make(tmp_path, study, machines=["<b>fan</b>"], clips=2)
    report.build(results, figures_of(results, tmp_path), tmp_path / "report.html", audio)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in text and "<b>fan</b>" not in text
    assert not Outline(text).open


def test_hostile_names_of_recordings_attributes_and_warnings_are_words_on_the_page(tmp_path, monkeypatch):
    import polars as pl

    evil = "<img src=x onerror=alert(1)>{{ 7 * 7 }}\u202e"
    study = synthetic.study({"mine": {"kind": "folder", "root": "x"}}, poolings=1, detectors=1, fusion=False)
    results = synthetic.make(tmp_path, study, machines=["m'\">"], clips=3)
    system = results.systems("mine")[0]
    clips = results.clips("mine").with_columns(
        warnings=pl.lit([evil], pl.List(pl.String)), recording=pl.lit(evil)
    )
    scores = results.scores("mine", system).with_columns(recording=pl.lit(evil))
    monkeypatch.setattr(results, "clips", lambda dataset: clips)
    monkeypatch.setattr(results, "scores", lambda dataset, system: scores)
    report.build(results, figures_of(results, tmp_path), tmp_path / "report.html", audio)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    outline = Outline(text)
    assert not outline.open
    assert not [one for tag, one in outline.tags if tag == "img" and "onerror" in one]
    rows = 4  # the one recording has both labels in both domains
    assert outline.words["data-mine"].count("{{ 7 * 7 }}") == clips.height + rows


def test_clips_are_counted_with_the_recordings_that_they_were_cut_from(tmp_path):
    results = synthetic.make(tmp_path, synthetic.study(poolings=1), machines=1, clips=10, bank=12, cut=5)
    source, target = facts.clip_counts(results, "factory")
    assert source.cut and target.cut
    # Of 12 train clips the last two, numbers 10 and 11 of the third recording, are of the target domain.
    assert (source.train, source.recordings["train"]) == (10, 2)
    assert (target.train, target.recordings["train"]) == (2, 1)
    for row in (source, target):
        assert (row.normal, row.anomaly) == (10, 10)
        assert (row.recordings["normal"], row.recordings["anomaly"]) == (2, 2)


def test_the_page_counts_recordings_in_brackets_where_clips_were_cut(tmp_path):
    texts = []
    for cut in (1, 5):
        folder = tmp_path / str(cut)
        results = synthetic.make(folder, synthetic.study(poolings=1), machines=1, clips=10, cut=cut)
        report.build(results, figures_of(results, folder), folder / "report.html", audio)
        texts.append(Outline((folder / "report.html").read_text(encoding="utf-8")).words["data-factory"])
    assert "Each clip is a recording of its own" in texts[0] and "10 (2)" not in texts[0]
    assert "In brackets: recordings" in texts[1] and "10 (2)" in texts[1]


def test_no_row_of_a_long_list_of_recordings_is_dropped_without_a_word(made, tmp_path, monkeypatch):
    from asdflow.report import page as pages

    results, figures, _ = made
    monkeypatch.setattr(pages, "RECORDINGS", 10)
    report.build(results, figures, tmp_path / "report.html", audio)
    text = Outline((tmp_path / "report.html").read_text(encoding="utf-8")).words["data-mine"]
    assert "Listed are the 5 most anomalous of each machine, 10 of 64." in " ".join(text.split())
    shown = re.findall(r"(fan|gearbox)/test/00_\w+_\d{4}(?=\s*(?:source|target))", text)
    assert (shown.count("fan"), shown.count("gearbox")) == (5, 5)


def test_the_table_of_data_counts_every_clip_once(results):
    rows = facts.clip_counts(results, "factory")
    total = sum(row.train + row.normal + row.anomaly + row.unlabelled + row.supplemental for row in rows)
    assert total == results.clips("factory").height
    assert {(row.machine, row.domain) for row in rows} == {
        (machine, domain) for machine in ("fan", "gearbox") for domain in ("source", "target")
    }


def test_recorded_warnings_are_shown(results, page):
    odd = facts.oddities(results, "factory")
    assert (odd.clips, odd.total) == (2, results.clips("factory").height)
    assert "clipped: 3 samples at full scale" in page


def test_every_entry_is_explained_in_words(results):
    found = {entry.name: entry for entry in facts.entries(results)}
    assert set(found) == {"logmel", "yamnet", "mean", "nn", "ldn", "maha", "pca95", "zmin"}
    assert found["ldn"].what == "knn (k 1, metric cosine), then density_ratio (k 1)"
    assert all(entry.meaning.endswith(".") for entry in found.values())


def test_sources_name_licence_and_citation(results):
    found = {origin.what.split(":")[0]: origin for origin in facts.origins(results)}
    assert found["Encoder yamnet"].licence == "Apache-2.0"
    assert "YAMNet" in found["Encoder yamnet"].citation
    assert "no recordings" in found["Data set factory"].licence


@pytest.mark.parametrize(
    ("spec", "what"),
    [
        ({"name": "yamnet", "unverified": True}, "YAMNet, AudioSet-trained"),  # its hash is always checked
        ({"name": "beats", "checkpoint": "beats_iter3_as2m_ft1", "unverified": True}, "UNVERIFIED"),
        ({"name": "beats", "checkpoint": "/home/me/own.pt", "unverified": True}, "own.pt; UNVERIFIED"),
        ({"name": "huggingface", "model": "models/own", "unverified": True}, "own; UNVERIFIED"),
        ({"name": "huggingface", "model": "models/own", "sha256": "0" * 64}, "own"),
        ({"name": "huggingface", "model": "a/b", "revision": "0" * 40}, f"a/b at commit {'0' * 40} of the"),
    ],
)
def test_sources_name_the_weights_and_mark_those_that_nobody_vouches_for(spec, what):
    (found,) = facts.origins(SimpleNamespace(study=SimpleNamespace(datasets={}, encoders={"mine": spec})))
    assert found.what.startswith("Encoder mine: ") and what in found.what
    assert ("UNVERIFIED" in found.what) == ("UNVERIFIED" in what)
    assert "/home" not in found.what


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/home/someone/own.pt", ".../own.pt"),
        ("~/models/own.pt", ".../own.pt"),
        ("C:\\Users\\someone\\own.pt", ".../own.pt"),
        ("models/own.pt", "models/own.pt"),
    ],
)
def test_of_a_path_of_a_user_only_the_last_part_is_told(path, shown):
    spec = {"name": "beats", "checkpoint": path, "layers": [path]}
    assert facts.written(spec) == f"beats (checkpoint {shown}, layers {shown})"
    study = synthetic.study() | {"encoders": {"mine": spec}, "report": {"files": [path]}}
    text = facts.configuration(Study.from_dict(study))
    assert text.count(shown) == 3
    assert "someone" not in text and "~" not in text


def test_the_configuration_reads_back(results):
    from ruamel.yaml import YAML

    back = YAML(typ="safe").load(facts.configuration(results.study))
    assert back["detectors"] == results.study.detectors
    assert (back["datasets"]["mine"]["kind"], back["datasets"]["mine"]["root"]) == ("folder", ".../motors")


def test_the_report_is_small(made):
    assert made[2].stat().st_size < 8_000_000


def test_the_package_holds_what_the_page_is_made_of():
    """Files beside the modules must be installed with them."""
    text = (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    for file in (Path(report.__file__).parent).iterdir():
        if file.is_file() and file.suffix != ".py":
            assert f'"**/*{file.suffix}"' in text, file.name
