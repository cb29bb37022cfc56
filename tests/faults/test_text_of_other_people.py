"""Lists and tables that are not UTF-8: a known encoding is read, for others one line says what to do."""

from __future__ import annotations

import pytest

from asdflow import datasets
from asdflow.datasets._dcase_tree import read_attributes
from asdflow.datasets.dcase.labels import read_labels
from asdflow.foundation.errors import DataError
from asdflow.foundation.text import read_text

LIST = "path,split,attributes\nM\u00fchle.wav,train,ort=K\u00f6ln\n\u65e5\u672c.wav,test,\n"
KNOWN = ["utf-8", "utf-8-sig", "utf-16", "utf-32"]


@pytest.fixture
def clips(tmp_path):
    """Clips of a clips.csv with these bytes."""

    def read(data: bytes):
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / "clips.csv").write_bytes(data)
        return datasets.build({"kind": "folder", "root": "data"}).clip_rows("mine", tmp_path, "data")

    return read


@pytest.mark.parametrize("encoding", KNOWN)
def test_a_list_in_a_known_encoding_is_read(clips, encoding):
    first, second = clips(LIST.encode(encoding))
    assert (first.path, first.attributes, second.path) == (
        "M\u00fchle.wav",
        {"ort": "K\u00f6ln"},
        "\u65e5\u672c.wav",
    )


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "mac-roman"])
def test_a_list_in_another_encoding_is_refused_with_its_line(clips, encoding):
    """The three give the same bytes another meaning, so none is guessed."""
    text = "path,split\na.wav,train\nM\u00fchle.wav,test\n"
    with pytest.raises(
        DataError, match=r"clips\.csv, line 3: is not UTF-8: byte 0x.*Save the file anew as UTF-8"
    ):
        clips(text.encode(encoding))


def test_utf_16_without_its_mark_and_other_nul_bytes_are_refused(clips):
    with pytest.raises(DataError, match=r"clips\.csv.*Known: path|clips\.csv, line 1: is not (CSV|UTF-8)"):
        clips("path,split\na.wav,train\n".encode("utf-16-le"))


def test_a_table_of_attributes_follows_the_same_rule(tmp_path):
    file, text = tmp_path / "attributes_00.csv", "file_name,d1p,d1v\nfan/train/a.wav,ort,K\u00f6ln\n"
    for encoding in KNOWN:
        file.write_text(text, encoding=encoding)
        assert read_attributes(file) == {"train/a.wav": {"ort": "K\u00f6ln"}}
    file.write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match=r"attributes_00\.csv, line 2: is not UTF-8: byte 0xf6.*UTF-8"):
        read_attributes(file)


def test_a_list_of_labels_follows_the_same_rule(tmp_path):
    file, text = (
        tmp_path / "list.csv",
        "fan\nsection_00_0000.wav,section_00_source_test_normal_0000_ort_K\u00f6ln.wav\n",
    )
    for encoding in KNOWN:
        file.write_text(text, encoding=encoding)
        assert read_labels(file, 2024)["fan"]["section_00_0000.wav"].attributes == (("ort", "K\u00f6ln"),)
    file.write_text(text, encoding="cp1252")
    with pytest.raises(DataError, match=r"list\.csv, line 2: is not UTF-8"):
        read_labels(file, 2024)


def test_quotes_that_do_not_close_are_named_with_their_line(clips):
    with pytest.raises(DataError, match=r"clips\.csv, line 3: is not CSV \(.*\)\. Check its quotes"):
        clips(b'path,split\na.wav,train\n"b.wav,test\n')


def test_a_file_of_enormous_size_is_refused_before_it_is_read(tmp_path):
    with open(tmp_path / "clips.csv", "wb") as file:
        file.truncate(1 << 40)  # sparse: it takes no room
    with pytest.raises(DataError, match="has 1099511627776 bytes, at most 268435456 are read"):
        read_text(tmp_path / "clips.csv")
