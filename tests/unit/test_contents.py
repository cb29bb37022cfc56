"""Content decides, whatever the time stamps say; bytes are read once."""

from __future__ import annotations

import os
import shutil
import time

import pytest

from asdflow.foundation.errors import DataError
from asdflow.plan import contents
from asdflow.plan.contents import Contents


@pytest.fixture
def folder(tmp_path):
    """Two files that have settled long ago."""
    for name, text in (("a.wav", "aaaa"), ("b.wav", "bbbb")):
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def later(monkeypatch):
    """A clock that is an hour ahead: whatever was written before has settled."""
    monkeypatch.setattr(contents, "_now", lambda: time.time_ns() + 3600 * 1e9)


FILES = ["a.wav", "b.wav"]


def replaced_by_older(file) -> None:
    """Other bytes of the same length with the very same mtime, as `cp -p` gives them."""
    stamp = os.stat(file)
    other = file.with_name("other")
    other.write_text("xxxx")
    os.utime(other, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    shutil.copy2(other, file)
    assert os.stat(file).st_mtime_ns == stamp.st_mtime_ns


def test_a_file_replaced_by_one_of_the_same_size_and_time_changes_the_digest(folder, later):
    before = Contents(folder).digest(FILES)
    replaced_by_older(folder / "a.wav")
    assert Contents(folder).digest(FILES) != before


def test_a_touched_file_and_a_copied_folder_do_not_change_it(folder, later, tmp_path_factory):
    before = Contents(folder).digest(FILES)
    os.utime(folder / "a.wav")
    assert Contents(folder).digest(FILES) == before
    copy = shutil.copytree(folder, tmp_path_factory.mktemp("copy") / "all")
    assert Contents(copy).digest(FILES) == before


def test_names_and_absence_count(folder):
    both, one = Contents(folder).digest(FILES), Contents(folder).digest(FILES[:1])
    (folder / "b.wav").unlink()
    assert len({both, one, Contents(folder).digest(FILES)}) == 3


def test_the_order_of_files_does_not_count(folder):
    assert Contents(folder).digest(FILES) == Contents(folder).digest(FILES[::-1])


def test_settled_files_are_read_once_and_fresh_ones_again(folder, monkeypatch):
    read = []
    original = Contents._read
    monkeypatch.setattr(Contents, "_read", lambda self, name: read.append(name) or original(self, name))
    Contents(folder).digest(FILES)
    Contents(folder).digest(FILES)
    assert sorted(read) == sorted(2 * FILES)  # just written: a clock of coarse steps might hide a change
    monkeypatch.setattr(contents, "_now", lambda: time.time_ns() + 3600 * 1e9)
    for _ in range(3):
        Contents(folder).digest(FILES)
    assert sorted(read) == sorted(3 * FILES)


def test_a_damaged_memory_is_as_good_as_none(folder, later):
    before = Contents(folder).digest(FILES)
    (folder / ".snakemake/asdflow/contents.json").write_text('{"a.wav": [1')
    assert Contents(folder).digest(FILES) == before


def test_a_folder_in_place_of_a_file_is_one_error(folder):
    (folder / "c.wav").mkdir()
    with pytest.raises(DataError, match=r"c\.wav: cannot be read"):
        Contents(folder).digest(["c.wav"])
