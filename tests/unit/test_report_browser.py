"""The report in a real browser: it sorts, filters, plays, and its console stays empty."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
import synthetic_results as synthetic

from asdflow import report
from asdflow.figures import REGISTRY
from asdflow.presentation import plotting
from browser import chromium

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """48 systems."""
    study = synthetic.study({"factory": {"kind": "factory"}}, poolings=3, detectors=7)
    return synthetic.make(tmp_path_factory.mktemp("results"), study, machines=2, clips=8)


@pytest.fixture(scope="module")
def page(tmp_path_factory, results):
    """Their report, opened."""
    folder: Path = tmp_path_factory.mktemp("page")
    figures: dict[str, dict[str, Path]] = {"factory": {}}
    for name in ("leaderboard", "heatmap", "effects"):
        path = folder / f"{name}.svg"
        plotting.save(REGISTRY.build({"name": name}).draw(results, "factory"), path)
        figures["factory"][name] = path

    def audio(dataset, row, rate):
        return synthetic.tone(row["machine"], row["clip"], row["duration_s"], rate)

    report.build(results, figures, folder / "report.html", audio)
    with chromium(folder / "profile") as browser:
        browser.set_script_timeout(20)
        browser.get((folder / "report.html").as_uri())
        yield browser


def column(page, title: str) -> list[str]:
    """Visible texts of a column of the leaderboard, from the top."""
    return page.execute_script(
        """
        const table = document.querySelector("table.board");
        const heads = Array.from(table.tHead.rows[0].cells);
        const column = heads.findIndex((head) => head.textContent.trim() === arguments[0]);
        return Array.from(table.tBodies[0].rows)
          .filter((row) => !row.hidden)
          .map((row) => row.cells[column].textContent.trim());
        """,
        title,
    )


def click(page, selector: str, text: str) -> None:
    """Click the first visible element of the selector with this text."""
    page.execute_script(
        """
        const found = Array.from(document.querySelectorAll(arguments[0]))
          .find((one) => one.textContent.trim() === arguments[1]);
        if (!found) throw new Error("no " + arguments[0] + " reads " + arguments[1]);
        found.click();
        """,
        selector,
        text,
    )


def filter_poolings(page, value: str) -> None:
    page.execute_script(
        """
        const select = document.querySelector("form.filters select[name=pooling]");
        select.value = arguments[0];
        select.dispatchEvent(new Event("change", {bubbles: true}));
        """,
        value,
    )


def test_the_best_system_comes_first(page):
    scores = list(map(float, column(page, "Official score")))
    assert scores == sorted(scores, reverse=True)


def test_a_click_on_a_heading_sorts_by_it_and_a_second_one_reverses(page):
    for expected in (True, False):
        click(page, "table.board th button", "AUC target")
        values = list(map(float, column(page, "AUC target")))
        assert values == sorted(values, reverse=expected)
    click(page, "table.board th button", "#")


def test_a_filter_shows_the_rows_that_fit_and_says_how_many(page):
    filter_poolings(page, "max")
    shown = column(page, "Pooling")
    assert shown and set(shown) == {"max"}
    said = page.execute_script("return document.querySelector('form.filters output').textContent")
    assert said == f"{len(shown)} of {len(shown)} systems shown"
    filter_poolings(page, "")


def test_a_long_table_is_cut_and_shown_whole_on_request(page):
    few = len(column(page, "#"))
    page.execute_script("document.querySelector('button.more').click()")
    assert len(column(page, "#")) > few


def test_sound_is_decoded_and_one_clip_plays_at_a_time(page):
    seconds = page.execute_async_script(
        """
        const done = arguments[0];
        const players = Array.from(document.querySelectorAll("figure.clip audio")).slice(0, 2);
        Promise.all(players.map((player) => new Promise((ready, failed) => {
          player.preload = "auto";
          player.onloadedmetadata = () => ready(player.duration);
          player.onerror = () => failed(player.error.message);
          player.load();
        }))).then(done, (reason) => done(String(reason)));
        """
    )
    assert isinstance(seconds, list) and all(second > 0.3 for second in seconds), seconds
    playing = page.execute_async_script(
        """
        const done = arguments[0];
        const [first, second] = document.querySelectorAll("figure.clip audio");
        first.muted = second.muted = true;
        first.play().then(() => second.play()).then(() =>
          setTimeout(() => done([first.paused, second.paused]), 50), (reason) => done(String(reason)));
        """
    )
    assert playing[0] is True, playing


@pytest.mark.parametrize("width", [360, 800, 1400])
def test_nothing_is_wider_than_the_window(page, width):
    page.set_window_size(width, 900)
    wide, shown = page.execute_script(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide <= shown


def test_on_a_phone_the_score_is_in_sight_beside_the_name_of_its_system(page):
    page.set_window_size(500, 900)  # the narrowest window that every Chromium makes
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 400, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )
    try:
        width, right, name = page.execute_script(
            """
            const row = document.querySelector("table.board").tBodies[0].rows[0];
            return [innerWidth, row.querySelector("td.strong").getBoundingClientRect().right,
              row.querySelector("th").innerText];
            """
        )
        assert width == 400 and right <= 400
        assert len(name.split("\n")) == 2  # the system, and its encoder and pooling
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_on_paper_every_row_of_every_table_is_there(page, results, tmp_path):
    """Printed as it is seen: filtered, cut to the first rows, details folded."""
    if not shutil.which("pdftotext"):
        pytest.skip("needs pdftotext: apt-get install poppler-utils")
    filter_poolings(page, "max")
    (tmp_path / "page.pdf").write_bytes(base64.b64decode(page.print_page()))
    filter_poolings(page, "")
    command = ["pdftotext", "-layout", tmp_path / "page.pdf", "-"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    lines = [" ".join(line.split()) for line in text.splitlines()]
    for row in results.leaderboard("factory").to_dicts():
        start = f"{row['rank']} {row['system']} {row['encoder']} {row['pooling']} {100 * row['official']:.1f}"
        assert [line for line in lines if line.startswith(start)], start
    test = results.clips("factory").filter(split="test")
    joined = "".join(text.split())
    assert not [name for name in test["recording"] if name not in joined]
    assert "rounds: 1000" in text  # the configuration, which is folded on the screen


def test_the_page_asked_for_nothing_and_its_console_is_empty(page):
    fetched = page.execute_script("return performance.getEntriesByType('resource').map((one) => one.name)")
    assert [name for name in fetched if not name.startswith(("data:", "blob:"))] == []
    assert page.get_log("browser") == []
