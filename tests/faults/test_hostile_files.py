"""Archives, answers and weights that were made to harm: refused with one error before they can."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest

from asdflow.commands.cli import study_of
from asdflow.datasets.dcase import zenodo
from asdflow.datasets.dcase.registry import Limits
from asdflow.datasets.dcase.unpack import unpack
from asdflow.download import Policy
from asdflow.encoders._weights import read_safetensors, read_torch
from asdflow.encoders.openl3 import checkpoint as openl3
from asdflow.foundation.errors import AsdflowError, DataError, FetchError

LIMITS = Limits(total_bytes=1 << 20, member_bytes=1 << 19, members=20)


def archive(path: Path, *members: tuple[str, bytes, int], packing: int = zipfile.ZIP_DEFLATED) -> Path:
    """A zip of members with name, content and mode, whatever the names."""
    with zipfile.ZipFile(path, "w", packing) as file:
        for name, content, mode in members:
            info = zipfile.ZipInfo("x")
            info.filename = info.orig_filename = name
            info.external_attr = mode << 16
            file.writestr(info, content, packing)
    return path


class TestAnArchive:
    @pytest.mark.parametrize(
        "name",
        [
            "/etc/cron.d/x",
            "../../x",
            "fan/../../x",
            "C:/x",
            "\\\\server\\x",
            "..\\x",
            "fan/a\nb.wav",
            "fan/a\x1b[2J.wav",
            "fan/{x}.wav",
            "fan/" + 300 * "a",
        ],
    )
    def test_with_a_name_that_leads_out_or_astray_writes_nothing(self, tmp_path, name):
        path = archive(tmp_path / "a.zip", ("fan/good.wav", b"x", 0o644), (name, b"x", 0o644))
        with pytest.raises(DataError, match="member"):
            unpack(path, tmp_path / "deep" / "fan", "fan", LIMITS)
        assert {each for each in tmp_path.rglob("*") if each.is_file()} == {path}

    @pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
    def test_with_a_link_or_a_device_is_refused(self, tmp_path, kind):
        path = archive(tmp_path / "a.zip", ("fan/x", b"/etc/passwd", kind | 0o777))
        with pytest.raises(DataError, match=r"is a link|is not a plain file"):
            unpack(path, tmp_path / "fan", "fan", LIMITS)

    def test_that_would_fill_the_disk_is_refused_before_the_first_byte(self, tmp_path):
        path = archive(tmp_path / "a.zip", *((f"fan/{i}.wav", bytes(1 << 18), 0o644) for i in range(8)))
        assert path.stat().st_size < 10_000
        with pytest.raises(DataError, match=r"would unpack to 2\.1 MB, at most 1\.0 MB"):
            unpack(path, tmp_path / "fan", "fan", LIMITS)

    def test_whose_members_share_their_bytes_is_bounded_by_what_they_declare(self, tmp_path):
        """Overlapping members multiply without nesting (Fifield 2019): the sum of sizes counts."""
        body = archive(tmp_path / "a.zip", ("fan/a.wav", bytes(1 << 18), 0o644)).read_bytes()
        begin, end = body.index(b"PK\x01\x02"), body.index(b"PK\x05\x06")
        entry = body[begin:end]
        entries = b"".join(entry.replace(b"fan/a.wav", b"fan/%c.wav" % (97 + i)) for i in range(8))
        tail = bytearray(body[end:])
        tail[8:12] = (8).to_bytes(2, "little") * 2
        tail[12:16] = len(entries).to_bytes(4, "little")
        (tmp_path / "b.zip").write_bytes(body[:begin] + entries + tail)
        with pytest.raises(DataError, match=r"would unpack to 2\.1 MB"):
            unpack(tmp_path / "b.zip", tmp_path / "fan", "fan", LIMITS)

    def test_within_an_archive_stays_packed(self, tmp_path):
        inner = archive(tmp_path / "inner.zip", ("x", bytes(1 << 18), 0o644)).read_bytes()
        path = archive(tmp_path / "a.zip", ("fan/inner.zip", inner, 0o644))
        assert unpack(path, tmp_path / "fan", "fan", LIMITS) == {"inner.zip": len(inner)}

    @pytest.mark.parametrize("packing", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
    def test_packed_in_a_way_that_may_ask_for_gigabytes_is_refused(self, tmp_path, packing):
        path = archive(tmp_path / "a.zip", ("fan/x.wav", b"x", 0o644), packing=packing)
        with pytest.raises(DataError, match=f"is packed by method {packing}, which is not read"):
            unpack(path, tmp_path / "fan", "fan", LIMITS)


@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000,
        '{"files":' * 50_000,
        '{"files": {"key": "a"}}',
        '{"files": [[]]}',
        '{"files": [{"key": "a", "size": -1, "checksum": "md5:' + 32 * "0" + '"}]}',
        '{"files": [{"key": "a", "size": 1e400, "checksum": "md5:' + 32 * "0" + '"}]}',
        '{"files": [{"key": "a", "size": ' + "9" * 5000 + "}]}",
        "null",
        "\xff",
    ],
)
def test_an_answer_that_is_no_list_of_files_is_named(server, body):
    server.texts["answer"] = body.encode("latin-1")
    url = f"{server.url}/lists/answer"
    with pytest.raises(FetchError, match="the answer is not a record's list of files"):
        zenodo.parse_record(url, zenodo.read([url], policy=Policy(retries=0)))


def safetensors(path: Path, header: dict | bytes, values: bytes = b"", length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    size = len(text) if length is None else length
    path.write_bytes(size.to_bytes(8, "little") + text + values)
    return path


def tensor(shape, begin, end, dtype="F32") -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


class TestSafetensors:
    @pytest.mark.parametrize("length", [1 << 63, (1 << 64) - 1, 1 << 40, 3])
    def test_a_header_of_another_length_than_it_says_is_refused(self, tmp_path, length):
        path = safetensors(tmp_path / "a", {"a": tensor([1], 0, 4)}, bytes(4), length)
        with pytest.raises(FetchError, match="is not a readable safetensors file"):
            read_safetensors(path)

    @pytest.mark.parametrize(
        "entries",
        [
            {"a": tensor([1], -4, 0)},
            {"a": tensor([1], 4, 0)},
            {"a": tensor([2], 0, 4)},
            {"a": tensor([-1], 0, 4)},
            {"a": tensor([1 << 62, 4], 0, 4)},
            {"a": tensor([True], 0, 4)},
            {"a": tensor([1], 0, 4), "b": tensor([1], 0, 4)},
            {"a": tensor([1], 4, 8)},
            {"a": tensor([1], 0, 4, "F33")},
            {"a": [1]},
            [],
        ],
    )
    def test_tensors_whose_bytes_are_not_theirs_are_refused(self, tmp_path, entries):
        with pytest.raises(FetchError, match="is not a readable safetensors file"):
            read_safetensors(safetensors(tmp_path / "a", entries, bytes(4)))

    def test_bytes_of_no_tensor_are_refused(self, tmp_path):
        with pytest.raises(FetchError, match="4 bytes belong to no tensor"):
            read_safetensors(safetensors(tmp_path / "a", {"a": tensor([1], 0, 4)}, bytes(8)))

    def test_a_header_without_end_of_nesting_is_refused(self, tmp_path):
        with pytest.raises(FetchError, match="nested too deeply"):
            read_safetensors(safetensors(tmp_path / "a", b'{"a":' * 100_000))

    def test_a_good_one_is_read_whatever_the_order_of_its_header(self, tmp_path):
        entries = {"b": tensor([2], 4, 12), "__metadata__": {"format": "pt"}, "a": tensor([], 0, 4)}
        values = np.array([1.5, 2.5, 3.5], dtype="<f4")
        found = read_safetensors(safetensors(tmp_path / "a", entries, values.tobytes()))
        assert {name: value.tolist() for name, value in found.items()} == {"b": [2.5, 3.5], "a": 1.5}


class Runs:
    """Unpickling one of these makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("protocol", range(2, 6))
def test_a_pickle_is_never_run(tmp_path, protocol):
    (tmp_path / "a.pt").write_bytes(pickle.dumps(Runs(tmp_path / "ran"), protocol))
    with pytest.raises(FetchError):
        read_torch(tmp_path / "a.pt")
    assert not (tmp_path / "ran").exists()


def test_one_within_a_torch_file_is_named_as_such(tmp_path):
    import torch

    torch.save({"model": Runs(tmp_path / "ran")}, tmp_path / "a.pt")
    with pytest.raises(FetchError, match="loading it could run code"):
        read_torch(tmp_path / "a.pt")
    assert not (tmp_path / "ran").exists()


class TestKeras:
    def file(self, path: Path, fill) -> Path:
        import h5py

        with h5py.File(path, "w") as file:
            group = file.create_group("layer")
            group.attrs["weight_names"] = [b"weights"]
            file.attrs["layer_names"] = [b"layer"]
            fill(group)
        return path

    def test_a_zipped_file_without_end_is_refused(self, tmp_path):
        buffer = io.BytesIO()
        with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=9) as file:
            for _ in range(4 * openl3.MOST // (1 << 24) + 2):
                file.write(bytes(1 << 24))
        (tmp_path / "a.h5").write_bytes(buffer.getvalue())
        assert (tmp_path / "a.h5").stat().st_size < 1_000_000
        with pytest.raises(AsdflowError, match="unpacks to more than 268435456 bytes"):
            openl3.read(tmp_path / "a.h5")

    def test_weights_that_are_declared_and_not_there_are_refused(self, tmp_path):
        def fill(group):
            group.create_dataset("weights", shape=(1 << 40,), dtype="f4", chunks=(1 << 20,))

        path = self.file(tmp_path / "a.h5", fill)
        assert path.stat().st_size < 10_000
        with pytest.raises(AsdflowError, match="announces more than 67108864 weights, 1099511627776"):
            openl3.read(path)

    def test_links_out_of_the_file_are_not_followed(self, tmp_path):
        import h5py

        secret = self.file(tmp_path / "secret.h5", lambda group: group.create_dataset("weights", data=[1.0]))
        (tmp_path / "raw").write_bytes(bytes(8))

        def link(group):
            group["weights"] = h5py.ExternalLink(str(secret), "/layer/weights")

        def outside(group):
            group.create_dataset("weights", (2,), "f4", external=[(str(tmp_path / "raw"), 0, 8)])

        for name, fill in (("link", link), ("outside", outside)):
            with pytest.raises(AsdflowError, match=r"is not in the file|lies in another file"):
                openl3.read(self.file(tmp_path / f"{name}.h5", fill))


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.mkdir", "!!python/object/new:os.mkdir"])
def test_a_tag_in_a_study_makes_no_object(tmp_path, tag):
    (tmp_path / "study.yaml").write_text(f"title: {tag} ['{tmp_path / 'ran'}']\n")
    with pytest.raises(Exception):  # noqa: B017 - whatever it is called: nothing ran
        study_of(tmp_path / "study.yaml")
    assert not (tmp_path / "ran").exists()
