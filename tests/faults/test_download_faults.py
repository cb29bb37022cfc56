"""Each way a download can fail: one clear error or success, nothing half under its name, nothing twice."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from server import Fault, Server, md5

from asdflow.download import Policy, fetch, read
from asdflow.download import transfer as transfer_module
from asdflow.foundation.errors import FetchError

BODY = np.random.default_rng(1).bytes(1_000_000)
CHECKSUM = f"md5:{md5(BODY)}"
QUICK = Policy(retries=3, backoff_s=0.001, timeout_s=5.0)
NAME = "dev_fan.zip"


@pytest.fixture
def server():
    with Server(files={(1, NAME): BODY, (2, NAME): BODY}) as server:
        yield server


@pytest.fixture
def target(tmp_path):
    return tmp_path / "zips" / NAME


SIZE = len(BODY)


def get(server, target, *, size=SIZE, checksum=CHECKSUM, records=(1,), policy=QUICK, **options):
    urls = [server.file_url(record, NAME) for record in records]
    return fetch(urls, target, checksum=checksum, size=size, policy=policy, **options)


def visible(target: Path) -> list[str]:
    """Files that are not hidden: what a user or Snakemake takes for done."""
    return sorted(path.name for path in target.parent.glob("*") if not path.name.startswith("."))


def part_of(target: Path) -> Path:
    return target.with_name(f".{target.name}.part")


def test_a_file_arrives_whole(server, target):
    assert get(server, target) == target
    assert target.read_bytes() == BODY and visible(target) == [NAME] and not part_of(target).exists()


@pytest.mark.parametrize("size", [None, len(BODY)])
def test_a_file_that_is_there_is_never_fetched_again(server, target, size):
    get(server, target, size=size)
    os.utime(target, (0, 0))  # whatever the dates are on either side
    get(server, target, size=size)
    assert len(server.bodies(NAME)) == 1


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_final_answer_is_not_asked_for_twice(server, target, status):
    server.faults[NAME] = Fault(status=status)
    with pytest.raises(FetchError, match=f"HTTP {status}") as error:
        get(server, target)
    assert len(server.bodies(NAME)) == 1 and visible(target) == []
    assert str(target) in str(error.value) and server.url in str(error.value)
    del server.faults[NAME]
    get(server, target)
    assert target.read_bytes() == BODY


def test_429_waits_as_long_as_the_server_asks(server, target, capsys):
    server.faults[NAME] = Fault(status=429, retry_after="1", times=1)
    get(server, target)
    first, second = server.bodies(NAME)
    assert second.at - first.at >= 1.0 and target.read_bytes() == BODY
    assert "HTTP 429" in capsys.readouterr().err


def test_a_senseless_retry_after_is_no_obstacle(server, target):
    server.faults[NAME] = Fault(status=429, retry_after="soon", times=1)
    get(server, target)
    assert target.read_bytes() == BODY


def test_500_three_times_then_success(server, target):
    server.faults[NAME] = Fault(status=500, times=3)
    get(server, target)
    assert [each.status for each in server.bodies(NAME)] == [500, 500, 500, 200]


def test_500_for_ever_ends_with_one_error_and_a_later_run_succeeds(server, target):
    server.faults[NAME] = Fault(status=500)
    with pytest.raises(FetchError, match="HTTP 500 Internal Server Error; attempts without progress: 4"):
        get(server, target)
    assert len(server.bodies(NAME)) == 4 and visible(target) == []
    server.faults.clear()
    get(server, target)
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("how", ["reset_at", "close_at"])
@pytest.mark.parametrize("size", [None, len(BODY)])
def test_a_body_that_breaks_off_is_continued_from_there(server, target, how, size):
    server.faults[NAME] = Fault(**{how: 0.6}, times=1)
    get(server, target, size=size)
    first, second = server.bodies(NAME)
    assert first.range is None and second.range == "bytes=600000-" and second.sent == 400_000
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("how", ["reset_at", "close_at"])
def test_a_body_that_always_breaks_off_but_grows_is_finished(server, target, how):
    server.faults[NAME] = Fault(**{how: 0.6}, times=7)  # more often than there are retries
    get(server, target)
    assert target.read_bytes() == BODY
    assert sum(each.sent for each in server.bodies(NAME)) == len(BODY)


def test_a_body_that_never_grows_ends_with_an_error_and_the_next_run_fetches_the_rest(server, target):
    server.faults[NAME] = Fault(close_at=0.6, times=1)
    with pytest.raises(FetchError, match="attempts without progress: 1"):
        get(server, target, policy=Policy(retries=0, backoff_s=0.001))
    assert part_of(target).stat().st_size == 600_000 and visible(target) == []
    server.faults[NAME] = Fault(close_at=0.0)
    with pytest.raises(FetchError, match="the body ended early; attempts without progress: 4"):
        get(server, target)
    assert part_of(target).stat().st_size == 600_000 and visible(target) == []
    server.faults.clear()
    server.requests.clear()
    get(server, target)
    assert [each.sent for each in server.bodies(NAME)] == [400_000]


def test_a_server_without_ranges_that_always_breaks_off_does_not_keep_us_for_ever(server, target):
    server.faults[NAME] = Fault(close_at=0.6, ignore_range=True)
    with pytest.raises(FetchError, match="attempts without progress: 4"):
        get(server, target)
    assert len(server.bodies(NAME)) <= 5


def test_a_server_without_ranges_is_begun_anew(server, target):
    part_of(target).parent.mkdir(parents=True)
    part_of(target).write_bytes(BODY[:600_000])
    server.faults[NAME] = Fault(ignore_range=True)
    get(server, target)
    assert target.read_bytes() == BODY


def test_a_server_that_announces_another_length_is_refused_before_the_body(server, target):
    server.faults[NAME] = Fault(body=BODY[:-10])
    with pytest.raises(FetchError, match="announces 999990 bytes, expected 1000000"):
        get(server, target)
    assert visible(target) == [] and not part_of(target).exists()


def test_a_wrong_hash_names_both_values_and_leaves_nothing(server, target):
    wrong = BODY[:-1] + bytes([BODY[-1] ^ 1])
    server.faults[NAME] = Fault(body=wrong)
    with pytest.raises(FetchError, match=f"has md5 {md5(wrong)}, expected {md5(BODY)}"):
        get(server, target)
    assert visible(target) == [] and not part_of(target).exists() and len(server.bodies(NAME)) == 1
    server.faults.clear()
    get(server, target)
    assert target.read_bytes() == BODY


def test_a_truncated_file_of_right_length_is_found_by_its_hash(server, target):
    server.faults[NAME] = Fault(body=BODY[:700_000] + bytes(300_000))
    with pytest.raises(FetchError, match="has md5"):
        get(server, target)
    assert visible(target) == []


@pytest.mark.parametrize("length", [400_000, 1_000_000, 1_200_000])
def test_a_part_of_another_file_is_thrown_away_once(server, target, length):
    part_of(target).parent.mkdir(parents=True)
    part_of(target).write_bytes(bytes(length))
    get(server, target)
    assert target.read_bytes() == BODY and server.bodies(NAME)[-1].range is None


def test_a_complete_part_is_not_fetched_again(server, target):
    part_of(target).parent.mkdir(parents=True)
    part_of(target).write_bytes(BODY)
    get(server, target)
    assert target.read_bytes() == BODY and server.bodies(NAME) == []


def test_a_complete_part_of_unknown_size_costs_one_request(server, target):
    part_of(target).parent.mkdir(parents=True)
    part_of(target).write_bytes(BODY)
    get(server, target, size=None)
    assert target.read_bytes() == BODY and [each.status for each in server.bodies(NAME)] == [416]


def test_another_file_under_the_final_name_is_not_touched(server, target):
    target.parent.mkdir(parents=True)
    target.write_bytes(b"mine")
    with pytest.raises(FetchError, match="Move it away"):
        get(server, target, size=None)
    assert target.read_bytes() == b"mine" and server.requests == []


def test_mirrors_are_tried_in_order_and_continue_each_other(server, target):
    server.files[3, NAME] = BODY
    server.files.pop((1, NAME))
    server.faults[NAME] = Fault(close_at=0.6, times=1)
    get(server, target, records=(1, 2, 3), policy=Policy(retries=0, backoff_s=0.001))
    assert [(each.path.split("/")[2], each.sent) for each in server.bodies(NAME)] == [
        ("1", 8),
        ("2", 600_000),
        ("3", 400_000),
    ]
    assert target.read_bytes() == BODY


def test_when_no_source_has_it_every_reason_is_named(server, target):
    server.files.clear()
    with pytest.raises(FetchError) as error:
        get(server, target, records=(1, 2))
    for words in ("records/1/", "records/2/", "HTTP 404", "Run the same command again", str(target)):
        assert words in str(error.value)


def test_nobody_listening_is_said_in_few_words(target):
    with pytest.raises(FetchError, match="Connection refused") as error:
        fetch(
            ["http://127.0.0.1:1/a"],
            target,
            checksum=CHECKSUM,
            policy=Policy(retries=1, backoff_s=0.001),
        )
    assert "Traceback" not in str(error.value) and "HTTPConnectionPool" not in str(error.value)


def test_an_address_that_cannot_be_is_refused_at_once(target):
    with pytest.raises(FetchError, match="no source gave the file"):
        fetch(["zenodo.org/records/1"], target, checksum=CHECKSUM, policy=QUICK)


def test_two_at_once_fetch_one_file_once(server, target):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: get(server, target), range(4)))
    assert len(server.bodies(NAME)) == 1 and target.read_bytes() == BODY


def test_connections_are_bounded_over_all_downloads(server, tmp_path):
    names = [f"dev_{i}.zip" for i in range(8)]
    for name in names:
        server.files[1, name] = BODY * 4

    def one(name):
        fetch(
            [server.file_url(1, name)],
            tmp_path / name,
            checksum=f"md5:{md5(BODY * 4)}",
            policy=Policy(connections=2, retries=0),
            slots=tmp_path / "slots",
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, names))
    assert server.most_at_once <= 2 and all((tmp_path / name).exists() for name in names)


def test_too_little_room_is_said_before_the_first_byte(server, target, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("usage", (), {"free": 999_999}))
    with pytest.raises(FetchError, match=r"needs 1\.0 MB more, but only 1\.0 MB are free"):
        get(server, target)
    assert not part_of(target).exists() and visible(target) == []


def test_what_was_received_counts_for_the_room_that_is_needed(server, target, monkeypatch):
    part_of(target).parent.mkdir(parents=True)
    part_of(target).write_bytes(BODY[:600_000])
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("usage", (), {"free": 400_000}))
    get(server, target)
    assert target.read_bytes() == BODY


@pytest.fixture
def small_disk():
    """A file system of 700 kB; skips where mounting is not permitted."""
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder = tempfile.mkdtemp()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", folder], capture_output=True, text=True
    )
    if made.returncode:
        os.rmdir(folder)
        pytest.skip(f"mounting a small file system is not permitted: {made.stderr.strip()}")
    yield Path(folder)
    subprocess.run(["umount", folder], check=True)
    os.rmdir(folder)


def test_a_small_disk_is_refused_before_the_first_byte(server, small_disk):
    with pytest.raises(FetchError, match=r"needs 1\.0 MB more"):
        get(server, small_disk / NAME)
    assert visible(small_disk / NAME) == []


def test_a_disk_that_fills_up_keeps_the_part_and_a_larger_one_is_filled_from_there(
    server, small_disk, monkeypatch
):
    monkeypatch.setattr(transfer_module, "room", lambda *_: None)  # another program takes the room meanwhile
    target = small_disk / NAME
    with pytest.raises(FetchError, match="the disk is full") as error:
        get(server, target)
    assert "Free space" in str(error.value) and visible(target) == []
    received = part_of(target).stat().st_size
    assert 0 < received <= 700 * 1024 and part_of(target).read_bytes() == BODY[:received]
    subprocess.run(["mount", "-o", "remount,size=2m", str(small_disk)], check=True)
    server.requests.clear()
    get(server, target)
    assert target.read_bytes() == BODY and server.bodies(NAME)[0].sent == len(BODY) - received


def test_a_killed_run_is_continued_by_the_next(server, target):
    server.faults[NAME] = Fault(pause_at=0.6, times=1)
    code = "from sys import argv as a; from asdflow.download import fetch; fetch([a[1]], a[2], checksum=a[3])"
    run = subprocess.Popen([sys.executable, "-c", code, server.file_url(1, NAME), str(target), CHECKSUM])
    deadline = time.monotonic() + 60
    while (not part_of(target).exists() or part_of(target).stat().st_size < 500_000) and run.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    run.kill()
    run.wait()
    received = part_of(target).stat().st_size
    assert visible(target) == [] and received >= 500_000
    get(server, target)  # the lock of the dead process is free
    assert target.read_bytes() == BODY and server.bodies(NAME)[-1].sent == SIZE - received


def test_a_silent_server_is_given_up_and_asked_again(server, target):
    server.faults[NAME] = Fault(pause_at=0.6, times=1)
    get(server, target, policy=Policy(retries=2, backoff_s=0.001, timeout_s=0.3))
    assert target.read_bytes() == BODY and server.bodies(NAME)[-1].sent == 400_000


class TestRead:
    """Small answers, as of an API."""

    def test_gives_the_body(self, server):
        server.texts["a.csv"] = b"fan\n"
        assert read([f"{server.url}/lists/a.csv"], policy=QUICK) == b"fan\n"

    def test_survives_what_passes(self, server):
        server.texts["a.csv"] = b"fan\n" * 100
        server.faults["a.csv"] = Fault(status=503, times=2)
        assert len(read([f"{server.url}/lists/a.csv"], policy=QUICK)) == 400
        server.faults["a.csv"] = Fault(reset_at=0.5, times=1)
        assert len(read([f"{server.url}/lists/a.csv"], policy=QUICK)) == 400

    def test_says_what_does_not(self, server):
        with pytest.raises(FetchError, match="HTTP 404"):
            read([f"{server.url}/lists/a.csv"], policy=QUICK)

    def test_refuses_a_flood(self, server):
        server.texts["a.csv"] = bytes(1000)
        with pytest.raises(FetchError, match="more than 999 bytes"):
            read([f"{server.url}/lists/a.csv"], policy=QUICK, limit=999)


def test_sha256_serves_as_well(server, target):
    get(server, target, checksum=f"sha256:{hashlib.sha256(BODY).hexdigest()}", size=None)
    assert target.read_bytes() == BODY
