"""Without a network: one message at once that names the hosts and how to bring one's own copies."""

from __future__ import annotations

import hashlib
import json
import socket
import time
from types import SimpleNamespace

import pytest
from server import Fault, Server
from typer.testing import CliRunner

from asdflow import download
from asdflow.checkpoints import wheels
from asdflow.commands.cli import app
from asdflow.config import load
from asdflow.datasets.dcase import registry
from asdflow.datasets.dcase.store import manifest_file, obtain
from asdflow.download import Policy, answers, transfer
from asdflow.download.reach import unreachable
from asdflow.foundation.errors import FetchError, OfflineError
from asdflow.plan.network import require_hosts
from asdflow.plan.plan import Plan

NOWHERE = "http://nowhere.invalid"  # a name that never resolves (RFC 2606)
STUDY = {
    "datasets": {"year": {"kind": "dcase", "year": 2024}},
    "encoders": {"logmel": {"name": "logmel"}},
    "poolings": {"mean": {"name": "mean"}},
    "detectors": {"nn": {"backend": {"name": "knn", "k": 1, "metric": "cosine"}}},
}


@pytest.fixture
def offline(simulated, server, monkeypatch):
    """A working directory and its registry of 2024; every host but the local one is unknown, so is Zenodo."""
    work = simulated(2024)
    monkeypatch.setenv(registry.ZENODO_VARIABLE, NOWHERE)
    monkeypatch.chdir(work)
    return work


def archive(machine: str = "bearing"):
    return registry.load().archive(2024, "development", machine)


def jobs(count: int | None = None):
    """Jobs of the rule obtain for every machine of the development set."""
    machines = registry.load().year(2024).machines("development")[:count]
    return [
        ("obtain", SimpleNamespace(store="data", year="2024", part="development", machine=machine))
        for machine in machines
    ]


class TestATransfer:
    def test_is_not_tried_again(self, tmp_path):
        start = time.monotonic()
        with pytest.raises(OfflineError, match=r"nowhere\.invalid cannot be reached: no network") as error:
            download.fetch([f"{NOWHERE}/a", f"{NOWHERE}/b"], tmp_path / "a", checksum=None)
        assert time.monotonic() - start < 5.0
        assert error.value.hosts == ("nowhere.invalid",) * 2
        assert not (tmp_path / "a").exists()

    def test_nor_is_the_answer_of_an_api(self):
        with pytest.raises(OfflineError, match=r"nowhere\.invalid cannot be reached"):
            download.read([f"{NOWHERE}/api"])

    def test_goes_on_to_a_source_that_is_there(self, server, tmp_path):
        server.files[1, "a"] = b"bytes"
        url = server.file_url(1, "a")
        download.fetch([f"{NOWHERE}/a", url], tmp_path / "a", checksum=None)
        assert (tmp_path / "a").read_bytes() == b"bytes"

    def test_another_reason_is_no_lack_of_a_network(self, server, tmp_path):
        with pytest.raises(FetchError, match="HTTP 404") as error:
            download.fetch([f"{NOWHERE}/a", f"{server.url}/absent"], tmp_path / "a", checksum=None)
        assert not isinstance(error.value, OfflineError)


class TestWhichHosts:
    def test_are_unknown(self):
        found = unreachable([f"{NOWHERE}/a", "http://127.0.0.1:1/b", "http://localhost/c"])
        assert found == {f"{NOWHERE}/a": "nowhere.invalid"}

    def test_of_a_proxy_counts_instead(self, monkeypatch):
        monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert unreachable(["http://somewhere.org/a"]) == {"http://somewhere.org/a": "proxy.invalid"}

    def test_a_resolver_that_is_silent_does_not_keep_us(self, monkeypatch):
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: time.sleep(30))
        start = time.monotonic()
        assert set(unreachable(["http://a.org", "http://b.org"], within_s=0.2)) == {
            "http://a.org",
            "http://b.org",
        }
        assert time.monotonic() - start < 5.0


class TestARun:
    def test_is_stopped_by_one_message_for_everything(self, offline):
        plan = Plan(load(STUDY), offline)
        labels = ("labels", SimpleNamespace(store="data", year="2024", file="eval_data_list_2024"))
        with pytest.raises(OfflineError) as error:
            require_hosts(plan, [*jobs(), labels, ("scores", SimpleNamespace())])
        text = str(error.value)
        assert text.startswith("nowhere.invalid: cannot be reached")
        assert f"lacks {len(jobs())} archives of DCASE" in text
        assert "`data_dir`" in text

    def test_needs_no_network_for_what_is_there(self, offline, tmp_path):
        mine = tmp_path / "mine"
        for machine in registry.load().year(2024).machines("development"):
            (mine / machine / "train").mkdir(parents=True)
        study = STUDY | {"datasets": {"year": {"kind": "dcase", "year": 2024, "data_dir": str(mine)}}}
        require_hosts(Plan(load(study), offline), jobs())
        require_hosts(Plan(load(STUDY), offline), [("scores", SimpleNamespace())])

    def test_is_not_stopped_where_one_of_several_sources_is_there(self, offline, server, monkeypatch):
        monkeypatch.setenv(registry.ZENODO_VARIABLE, server.url)
        require_hosts(Plan(load(STUDY), offline), jobs())


class TestAnArchive:
    def test_says_how_to_bring_it(self, offline):
        with pytest.raises(OfflineError, match=r"of DCASE 2024: nowhere\.invalid cannot be .*`data_dir`"):
            obtain(registry.load(), archive(), offline / "data")

    def test_of_ones_own_is_used_though_its_checksum_cannot_be_asked(self, offline, server, tmp_path, capsys):
        (tmp_path / "mine").mkdir()
        found = archive()
        body = server.files[found.record, found.name]
        (tmp_path / "mine" / found.name).write_bytes(body)
        manifest = obtain(registry.load(), found, offline / "data", data_dir=tmp_path / "mine")
        assert manifest == manifest_file(offline / "data", found)
        content = json.loads(manifest.read_text())
        assert content["checksum"] is None and content["files"]
        assert "only the checksums inside the zip are compared" in capsys.readouterr().err


class TestLabels:
    def test_of_a_year_say_how_to_bring_them(self, offline, monkeypatch):
        (offline / "s").mkdir()
        (offline / "s" / "anomaly_score_fan_section_00_test.csv").write_text("section_00_0001.wav,1\n")
        monkeypatch.setattr(
            registry.Registry, "labels_urls", lambda *_: (f"{NOWHERE}/list.csv",), raising=True
        )
        start = time.monotonic()
        outcome = CliRunner().invoke(app, ["evaluate", "s", "--year", "2024"])
        assert isinstance(outcome.exception, OfflineError)
        assert time.monotonic() - start < 5.0
        for words in (
            "labels of 2024: nowhere.invalid cannot be reached",
            "data/dcase2024/labels",
            "--labels",
        ):
            assert words in str(outcome.exception)


def test_pip_does_not_wait_for_an_index_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", f"{NOWHERE}/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    source = wheels.PypiSource(kind="pypi", package="nothing==1", member="x")
    start = time.monotonic()
    with pytest.raises(wheels.WheelError, match="pip download failed"):
        wheels.extract(source, tmp_path / "x")
    assert time.monotonic() - start < 10.0


def test_a_name_that_was_there_a_moment_ago_is_tried_again(tmp_path, monkeypatch):
    """A line that breaks while a body arrives takes the name server with it."""
    body, calls = bytes(range(256)) * 40, []
    with Server(files={(1, "a"): body}, faults={"a": Fault(close_at=0.5, times=1)}) as server:
        plain = answers.get

        def flaky(session, url, headers, policy):
            calls.append(url)
            if len(calls) == 2:
                raise answers.Unreachable("zenodo", "the name zenodo cannot be resolved")
            return plain(session, url, headers, policy)

        monkeypatch.setattr(transfer, "get", flaky)
        policy = Policy(backoff_s=0.0)
        md5 = f"md5:{hashlib.md5(body).hexdigest()}"
        download.fetch([server.file_url(1, "a")], tmp_path / "a", checksum=md5, policy=policy)
    assert (tmp_path / "a").read_bytes() == body
    assert len(calls) == 3
