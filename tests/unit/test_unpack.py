"""Unpacking: everything or nothing, and nothing outside."""

from __future__ import annotations

import errno
import io
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from asdflow.datasets.dcase import unpack as module
from asdflow.datasets.dcase.registry import Limits
from asdflow.datasets.dcase.unpack import unpack
from asdflow.foundation.errors import DataError, FetchError

LIMITS = Limits(total_bytes=100_000, member_bytes=20_000, members=20)
NOISE = bytes(range(256)) * 8


def make_zip(path: Path, members, *, mode: int = 0) -> Path:
    """Zip of (name, body) or (name, body, unix mode), names written as they are."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, body, *rest in members:
            info = zipfile.ZipInfo("x" * len(name))
            info.filename = info.orig_filename = name  # past the constructor's clean-up
            info.external_attr = (rest[0] if rest else mode) << 16
            file.writestr(info, body, zipfile.ZIP_DEFLATED)
    return path


@pytest.fixture
def nothing_appears(tmp_path):
    """After the test: no folder under the final name, no partial one, nothing beside the zip."""
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    yield tmp_path
    assert [path.name for path in (tmp_path / "out").iterdir()] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_members_below_the_machine_come_out_whole(tmp_path):
    archive = make_zip(tmp_path / "a.zip", [("fan/train/a.wav", NOISE), ("fan/attributes_00.csv", b"x")])
    sizes = unpack(archive, tmp_path / "out" / "fan", "fan", LIMITS)
    assert sizes == {"attributes_00.csv": 1, "train/a.wav": len(NOISE)}
    assert (tmp_path / "out" / "fan" / "train" / "a.wav").read_bytes() == NOISE
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["fan"]


def test_an_archive_without_the_machines_folder_gives_the_same(tmp_path):
    archive = make_zip(tmp_path / "a.zip", [("train/a.wav", NOISE)])
    assert unpack(archive, tmp_path / "fan", "fan", LIMITS) == {"train/a.wav": len(NOISE)}


def test_the_receipt_lies_in_the_folder_from_its_first_moment(tmp_path):
    archive = make_zip(tmp_path / "a.zip", [("fan/train/a.wav", NOISE)])
    unpack(archive, tmp_path / "fan", "fan", LIMITS, receipt=lambda sizes: f"{sizes}")
    assert (tmp_path / "fan" / ".asdflow.json").read_text() == f"{{'train/a.wav': {len(NOISE)}}}"


def test_leavings_of_desktop_programs_are_skipped(tmp_path):
    members = [("fan/train/a.wav", NOISE), ("__MACOSX/fan/._a.wav", b"x"), ("fan/.DS_Store", b"x")]
    assert unpack(make_zip(tmp_path / "a.zip", members), tmp_path / "fan", "fan", LIMITS) == {
        "train/a.wav": len(NOISE)
    }


def test_a_killed_runs_partial_folder_is_replaced(tmp_path):
    stale = tmp_path / ".fan.part" / "train"
    stale.mkdir(parents=True)
    (stale / "old.wav").write_bytes(b"old")
    unpack(make_zip(tmp_path / "a.zip", [("fan/train/a.wav", NOISE)]), tmp_path / "fan", "fan", LIMITS)
    assert [path.name for path in (tmp_path / "fan" / "train").iterdir()] == ["a.wav"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../evil.wav", "outside"),
        ("fan/../../evil.wav", "outside"),
        ("fan/train/../../../evil.wav", "outside"),
        ("/etc/evil.wav", "absolute"),
        ("C:/evil.wav", "absolute"),
        ("fan\\..\\evil.wav", "absolute or foreign"),
    ],
)
def test_a_name_that_leads_outside_is_refused(nothing_appears, name, words):
    archive = make_zip(nothing_appears / "in" / "a.zip", [("fan/train/a.wav", NOISE), (name, b"evil")])
    with pytest.raises(DataError, match=words) as error:
        unpack(archive, nothing_appears / "out" / "fan", "fan", LIMITS)
    assert "evil.wav" in str(error.value)


@pytest.mark.parametrize(
    ("kind", "words"), [(stat.S_IFLNK, "a link"), (stat.S_IFIFO, "not a plain file"), (stat.S_IFCHR, "plain")]
)
def test_links_and_devices_are_refused(nothing_appears, kind, words):
    members = [("fan/train/a.wav", NOISE, 0o100644), ("fan/train/b.wav", b"/etc/passwd", kind | 0o777)]
    with pytest.raises(DataError, match=words):
        unpack(
            make_zip(nothing_appears / "in" / "a.zip", members),
            nothing_appears / "out" / "fan",
            "fan",
            LIMITS,
        )


def test_one_huge_member_is_refused_before_anything_is_written(nothing_appears, monkeypatch):
    monkeypatch.setattr(module, "_write", lambda *_: pytest.fail("wrote a member"))
    members = [("fan/train/a.wav", NOISE), ("fan/train/b.wav", b"\0" * 20_001)]
    with pytest.raises(DataError, match=r"b\.wav: has 20,001 bytes, at most 20,000 bytes"):
        unpack(
            make_zip(nothing_appears / "in" / "a.zip", members),
            nothing_appears / "out" / "fan",
            "fan",
            LIMITS,
        )


def test_many_members_that_are_too_much_together_are_refused(nothing_appears):
    members = [(f"fan/train/{i}.wav", b"\0" * 19_000) for i in range(6)]
    with pytest.raises(DataError, match=r"would unpack to 0\.1 MB"):
        unpack(
            make_zip(nothing_appears / "in" / "a.zip", members),
            nothing_appears / "out" / "fan",
            "fan",
            LIMITS,
        )


def test_too_many_members_are_refused(nothing_appears):
    members = [(f"fan/train/{i}.wav", b"") for i in range(21)]
    with pytest.raises(DataError, match="21 members, at most 20"):
        unpack(
            make_zip(nothing_appears / "in" / "a.zip", members),
            nothing_appears / "out" / "fan",
            "fan",
            LIMITS,
        )


def test_a_member_that_lies_about_its_size_is_refused(nothing_appears):
    path = make_zip(nothing_appears / "in" / "a.zip", [("fan/train/a.wav", b"\0" * 50_000)])
    body = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):  # uncompressed size in both headers
        at = body.index(signature) + offset
        body[at : at + 4] = struct.pack("<I", 100)
    path.write_bytes(body)
    with pytest.raises(DataError, match="not a whole zip"):
        unpack(path, nothing_appears / "out" / "fan", "fan", LIMITS)


@pytest.mark.parametrize("damage", ["cut", "zeroed tail", "flipped", "empty", "text"])
def test_a_damaged_archive_leaves_nothing(nothing_appears, damage):
    path = make_zip(
        nothing_appears / "in" / "a.zip", [(f"fan/train/{i}.wav", bytes([i]) + NOISE) for i in range(5)]
    )
    body = path.read_bytes()
    half = len(body) // 2
    path.write_bytes(
        {
            "cut": body[:half],
            "zeroed tail": body[:half] + b"\0" * (len(body) - half),
            "flipped": body[:60] + bytes([body[60] ^ 0xFF]) + body[61:],
            "empty": b"",
            "text": b"<html>Not found</html>",
        }[damage]
    )
    with pytest.raises(DataError, match="not a whole zip"):
        unpack(path, nothing_appears / "out" / "fan", "fan", LIMITS)


def test_two_members_of_one_name_are_refused(nothing_appears):
    members = [("fan/train/a.wav", NOISE), ("fan/train/a.wav", NOISE)]
    with pytest.warns(UserWarning, match="Duplicate"):
        archive = make_zip(nothing_appears / "in" / "a.zip", members)
    with pytest.raises(DataError, match="twice"):
        unpack(archive, nothing_appears / "out" / "fan", "fan", LIMITS)


def test_a_file_that_is_also_a_folder_is_refused(nothing_appears):
    members = [("fan/train", NOISE), ("fan/train/a.wav", NOISE)]
    archive = make_zip(nothing_appears / "in" / "a.zip", members)
    with pytest.raises(DataError, match="file and a folder"):
        unpack(archive, nothing_appears / "out" / "fan", "fan", LIMITS)


def test_an_encrypted_member_is_refused(nothing_appears):
    path = make_zip(nothing_appears / "in" / "a.zip", [("fan/train/a.wav", NOISE)])
    body = bytearray(path.read_bytes())
    body[body.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(body)
    with pytest.raises(DataError, match="encrypted"):
        unpack(path, nothing_appears / "out" / "fan", "fan", LIMITS)


def test_an_archive_of_folders_only_is_refused(nothing_appears):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("fan/train/", b"")
    path = nothing_appears / "in" / "a.zip"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match="holds no file"):
        unpack(path, nothing_appears / "out" / "fan", "fan", LIMITS)


def test_a_disk_without_room_is_refused_before_anything_is_written(nothing_appears, monkeypatch):
    usage = type("usage", (), {"free": 100})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    archive = make_zip(nothing_appears / "in" / "a.zip", [("fan/train/a.wav", NOISE)])
    with pytest.raises(FetchError, match="needs 2,048 bytes more, but only 100 bytes are free"):
        unpack(archive, nothing_appears / "out" / "fan", "fan", LIMITS)


def test_a_disk_that_fills_up_leaves_nothing(nothing_appears, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "_write", full)
    archive = make_zip(nothing_appears / "in" / "a.zip", [("fan/train/a.wav", NOISE)])
    with pytest.raises(FetchError, match="the disk is full"):
        unpack(archive, nothing_appears / "out" / "fan", "fan", LIMITS)
