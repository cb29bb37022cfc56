"""The parts of a download that need no server: checks, patience, places, progress."""

from __future__ import annotations

import hashlib
import io
import threading
import time

import pytest

from asdflow.download import Policy, locked, verify
from asdflow.download import progress as progress_module
from asdflow.download.checks import megabytes, room, split_checksum
from asdflow.download.locking import slot
from asdflow.download.progress import Progress
from asdflow.foundation.errors import ConfigError, FetchError
from asdflow.stages.job import Tee

BODY = b"anomalous sound"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(BODY)
    return path


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_a_whole_file_has_no_fault(file, algorithm):
    digest = hashlib.new(algorithm, BODY).hexdigest()
    assert verify(file, f"{algorithm}:{digest.upper()}", len(BODY)) is None


def test_a_wrong_hash_is_named_with_the_right_one(file):
    fault = verify(file, "md5:" + "0" * 32)
    assert hashlib.md5(BODY).hexdigest() in fault and "0" * 32 in fault


def test_a_wrong_size_is_found_without_hashing(file, monkeypatch):
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("hashed"))
    assert verify(file, "md5:" + "0" * 32, 99) == "has 15 bytes, expected 99"


@pytest.mark.parametrize("text", ["", "md5", "md5:12", "crc32:12345678", "md5:" + "g" * 32, "0" * 32])
def test_a_checksum_of_another_form_is_refused(text):
    with pytest.raises(ConfigError, match="not understood"):
        split_checksum(text)


def test_too_little_room_names_both_amounts(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("usage", (), {"free": 2_000_000}))
    with pytest.raises(FetchError, match=r"needs 3\.0 MB more, but only 2\.0 MB are free"):
        room(tmp_path / "a", 3_000_000)
    room(tmp_path / "a", 2_000_000)


class TestPolicy:
    def test_defaults_are_patient(self, monkeypatch):
        for name in ("RETRIES", "BACKOFF", "TIMEOUT", "CONNECTIONS"):
            monkeypatch.delenv(f"ASDFLOW_{name}", raising=False)
        assert Policy.from_environment() == Policy(retries=5, backoff_s=1.0, timeout_s=60.0, connections=3)

    def test_the_environment_overrides_them(self, monkeypatch):
        monkeypatch.setenv("ASDFLOW_RETRIES", "2")
        monkeypatch.setenv("ASDFLOW_BACKOFF", "0.01")
        monkeypatch.setenv("ASDFLOW_CONNECTIONS", "7")
        policy = Policy.from_environment()
        assert (policy.retries, policy.backoff_s, policy.connections) == (2, 0.01, 7)

    @pytest.mark.parametrize("text", ["many", "-1", "nan"])
    def test_a_senseless_value_names_its_variable(self, monkeypatch, text):
        monkeypatch.setenv("ASDFLOW_RETRIES", text)
        with pytest.raises(ConfigError, match="ASDFLOW_RETRIES"):
            Policy.from_environment()

    def test_waits_grow_twofold_and_stay_below_the_limit(self):
        retry = Policy(retries=8, backoff_s=1.0, backoff_max_s=20.0).retry()
        retry.backoff_jitter = 0.0
        waits = []
        for _ in range(7):
            retry = retry.increment("GET", "/", error=Exception())
            retry.backoff_jitter = 0.0
            waits.append(retry.get_backoff_time())
        assert waits == [0, 2, 4, 8, 16, 20, 20]

    def test_a_server_may_not_ask_for_an_endless_wait(self):
        assert Policy(retry_after_max_s=30).retry().parse_retry_after("86400") == 30


class TestPlaces:
    def test_at_most_so_many_hold_a_place(self, tmp_path):
        now, most, guard = 0, 0, threading.Lock()

        def work():
            nonlocal now, most
            with slot(tmp_path / "slots", 2):
                with guard:
                    now += 1
                    most = max(most, now)
                time.sleep(0.05)
                with guard:
                    now -= 1

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert most == 2

    def test_those_who_hold_a_place_have_different_numbers(self, tmp_path):
        with slot(tmp_path / "slots", 2) as first, slot(tmp_path / "slots", 2) as second:
            assert {first, second} == {0, 1}
        with slot(None, 2) as unbounded:
            assert unbounded == 0

    def test_a_lock_is_held_by_one(self, tmp_path):
        order = []

        def work(name):
            with locked(tmp_path / "lock"):
                order.append((name, "in"))
                time.sleep(0.02)
                order.append((name, "out"))

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [name for name, _ in order[::2]] == [name for name, _ in order[1::2]]


class TestProgress:
    @pytest.fixture
    def clock(self, monkeypatch):
        now = [100.0]
        monkeypatch.setattr(progress_module.time, "monotonic", lambda: now[0])
        return now

    def test_plain_lines_tell_share_rate_and_remaining_time(self, clock):
        stream = io.StringIO()
        with Progress("dev_fan.zip", 300_000_000, stream=stream) as progress:
            clock[0] += 11
            progress.advance(110_000_000)
            clock[0] += 1
            progress.advance(1_000_000)  # too soon for another line
        lines = stream.getvalue().splitlines()
        assert lines[0] == "dev_fan.zip: 110.0 MB of 300.0 MB (36 %), 10.0 MB/s, 0:19 left"
        assert len(lines) == 2 and "111.0 MB of 300.0 MB" in lines[1]

    def test_bytes_of_an_earlier_run_do_not_count_for_the_rate(self, clock):
        stream = io.StringIO()
        with Progress("a", 300_000_000, done=200_000_000, stream=stream) as progress:
            clock[0] += 10
            progress.advance(50_000_000)
        lines = stream.getvalue().splitlines()
        assert lines[0] == "a: continues after 200.0 MB"
        assert lines[1] == "a: 250.0 MB of 300.0 MB (83 %), 5.0 MB/s, 0:10 left"

    def test_an_unknown_length_is_not_guessed(self, clock):
        stream = io.StringIO()
        with Progress("a", None, stream=stream) as progress:
            clock[0] += 2
            progress.advance(4_000_000)
        assert stream.getvalue() == "a: 4.0 MB, 2.0 MB/s\n"

    def test_a_terminal_gets_a_bar_and_at_the_end_one_line(self, clock):
        stream = Terminal()
        with Progress("dev_fan.zip", 300_000_000, stream=stream) as progress:
            clock[0] += 10
            progress.advance(150_000_000)
            drawn = stream.getvalue()
            progress.advance(150_000_000)  # too soon to draw again
            assert stream.getvalue() == drawn
        assert "dev_fan.zip:  50%|" in drawn and "150M/300M [00:10<00:10, 15.0MB/s]" in drawn
        assert "\n" not in drawn
        assert stream.getvalue().count("\n") == 1
        assert stream.getvalue().endswith("dev_fan.zip: 300.0 MB of 300.0 MB (100 %), 30.0 MB/s\n")

    def test_a_bar_has_a_line_of_its_own_and_leaves_the_cursor_where_it_was(self, clock):
        stream = Terminal()
        with Progress("dev_fan.zip", 300_000_000, stream=stream, row=2) as progress:
            clock[0] += 10
            progress.advance(150_000_000)
            down, _, up = stream.getvalue().partition("dev_fan.zip")
            assert down.count("\n") == 2 and up.count("\x1b[A") == 2 and up.endswith("\r")

    def test_a_log_beside_the_terminal_gets_plain_lines(self, clock):
        terminal, log = Terminal(), io.StringIO()
        with Progress("dev_fan.zip", 300_000_000, stream=Tee(log, terminal)) as progress:
            clock[0] += 11
            progress.advance(110_000_000)
        lines = log.getvalue().splitlines()
        assert lines[0] == "dev_fan.zip: 110.0 MB of 300.0 MB (36 %), 10.0 MB/s, 0:19 left"
        assert "\x1b" not in log.getvalue() and "36 %" not in terminal.getvalue().split("\r")[1]
        assert "dev_fan.zip:  37%|" in terminal.getvalue()


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def test_sizes_read_well():
    assert (megabytes(99), megabytes(1_234_567), megabytes(2.4e9)) == ("99 bytes", "1.2 MB", "2,400.0 MB")
