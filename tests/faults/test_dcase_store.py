"""DCASE from nothing to the index: every year, the user's own copies, and what goes wrong on the way."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import stat
import zipfile
from pathlib import Path

import pytest
from server import Fault, Size, md5, published, wav, zipped

from asdflow import datasets
from asdflow.datasets.dcase import zenodo
from asdflow.datasets.dcase.registry import load
from asdflow.download import Policy
from asdflow.foundation.errors import AsdflowError, ConfigError, DataError, FetchError

QUICK = Policy(retries=3, backoff_s=0.001, timeout_s=5.0)


def obtain(base: Path, **spec) -> datasets.base.Dataset:
    """Everything that the rules would make for a data set."""
    data = datasets.build({"kind": "dcase", **spec})
    for machine in data.machine_names("x", base):
        for archive in data.archives(machine):
            data.obtain(base, archive.part, machine, QUICK)
    data.obtain_labels(base, QUICK)
    return data


def rows_of(data, base: Path) -> list:
    return [row for machine in data.machine_names("x", base) for row in data.clip_rows("x", base, machine)]


def files_below(folder: Path) -> list[str]:
    """Visible files: hidden ones are parts and locks."""
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return sorted(str(path) for path in paths if not any(part.startswith(".") for part in path.parts))


class TestEveryYear:
    @pytest.mark.parametrize("year", range(2020, 2027))
    def test_comes_from_nothing_to_the_index(self, simulated, server, year):
        base = simulated(year)
        data = obtain(base, year=year)
        facts = load().year(year)
        for machine in data.machine_names("x", base):
            rows = data.clip_rows("x", base, machine)
            for row in rows:
                assert (data.root("x", base) / row.path).read_bytes()[:4] == b"RIFF"
            assert len({row.clip for row in rows}) == len(rows)
            sections = {
                section
                for subset in ("development", "evaluation")
                if machine in facts.machines(subset)
                for section in facts.part(subset).machines[machine]
            }
            assert {row.section for row in rows} == sections
            for section in sections:
                test = [row for row in rows if row.section == section and row.split == "test"]
                train = [row for row in rows if row.section == section and row.split == "train"]
                assert {row.label for row in train} == {"normal"}
                unlabelled = year == 2026 and test[0].path.startswith("evaluation")
                assert {row.label for row in test} == ({None} if unlabelled else {"normal", "anomaly"})
                domains = {None} if year == 2020 or unlabelled else {"source", "target"}
                assert {row.domain for row in test} == domains

    def test_attributes_come_from_tables_and_from_full_names(self, simulated):
        base = simulated(2023)
        data = obtain(base, year=2023, machines=["fan", "shaker"])
        rows = {row.path: row for row in rows_of(data, base)}
        train = rows["development/fan/train/section_00_source_train_normal_0001_vel_1.wav"]
        test = rows["evaluation/shaker/test/section_00_0000.wav"]
        assert train.attributes == {"vel": "1"} and test.attributes == {"vel": "4"}
        assert (test.domain, test.label) == ("source", "normal")

    def test_a_full_name_without_the_word_test_is_understood(self, simulated):
        base = simulated(2024)
        data = obtain(base, year=2024, machines=["RoboticArm"])
        assert "_source_normal_" in (base / data.label_list()).read_text()
        assert len(rows_of(data, base)) == 6 + 8

    def test_supplemental_clips_keep_their_type(self, simulated):
        base = simulated(2025)
        data = obtain(base, year=2025, machines=["ToyPet"])
        rows = [row for row in rows_of(data, base) if row.split == "supplemental"]
        assert len(rows) == 2
        assert {(row.attributes["type"], row.label, row.domain) for row in rows} == {("machine", None, None)}

    def test_2021_test_folders_tell_the_domain(self, simulated):
        base = simulated(2021)
        data = obtain(base, year=2021, machines=["gearbox"], subsets=["evaluation"])
        rows = [row for row in rows_of(data, base) if row.split == "test"]
        for row in rows:
            assert f"/{row.domain}_test/" in row.path

    def test_2026_has_two_channels(self, simulated):
        import soundfile

        base = simulated(2026)
        data = obtain(base, year=2026, machines=["ToyCar"])
        assert soundfile.info(data.root("x", base) / rows_of(data, base)[0].path).channels == 2


class TestPinning:
    def test_the_api_is_asked_once_a_record_and_pinned_in_stable_bytes(self, simulated, server, tmp_path):
        base = simulated(2024)
        obtain(base, year=2024, subsets=["development"], machines=["fan"])
        lock = tmp_path / "resources" / "locks" / "10902294.json"
        first = lock.read_bytes()
        content = json.loads(first)
        assert list(content["files"]) == sorted(content["files"]) and len(content["files"]) == 7
        body = server.files[10902294, "dev_fan.zip"]
        assert content["files"]["dev_fan.zip"] == {"size": len(body), "checksum": f"md5:{md5(body)}"}
        obtain(base, year=2024, subsets=["development"])
        assert len([each for each in server.requests if each.path == "/api/records/10902294"]) == 1
        lock.unlink()
        obtain(base, year=2024, subsets=["development"], machines=["valve"])
        assert lock.read_bytes() == first

    def test_a_known_checksum_needs_no_api(self, simulated, server):
        base = simulated(2023)
        obtain(base, year=2023, subsets=["development"], machines=["fan"])
        assert [each.path for each in server.requests if "/api/" in each.path] == []

    def test_a_changed_record_is_an_error_with_both_values(self, simulated, server, tmp_path):
        base = simulated(2024)
        obtain(base, year=2024, subsets=["development"], machines=["fan"])
        old = server.files[10902294, "dev_valve.zip"]
        new = zipped({"valve/train/a.wav": wav(1)})
        server.files[10902294, "dev_valve.zip"] = new
        with pytest.raises(FetchError) as error:
            obtain(base, year=2024, subsets=["development"], machines=["valve"])
        assert f"announces {len(new)} bytes, expected {len(old)}" in str(error.value)
        with pytest.raises(FetchError) as error:
            zenodo.compare(10902294, load().locks, server.url, QUICK)
        assert md5(old) in str(error.value) and md5(new) in str(error.value)

    def test_an_unchanged_record_agrees(self, simulated, server):
        simulated(2024)
        zenodo.compare(10902294, load().locks, server.url, QUICK)

    def test_registry_and_lock_that_disagree_are_an_error_with_both_values(self, simulated, server):
        base = simulated(2023)
        server.checksums["dev_fan.zip"] = "md5:" + "0" * 32
        zenodo.pinned(7882613, load().locks, server.url, QUICK)
        with pytest.raises(FetchError) as error:
            obtain(base, year=2023, subsets=["development"], machines=["fan"])
        assert "0" * 32 in str(error.value) and md5(server.files[7882613, "dev_fan.zip"]) in str(error.value)

    def test_a_file_that_the_record_lacks_is_an_error_with_what_it_has(self, simulated, server):
        base = simulated(2024)
        server.files[10902294, "dev_fan_r2.zip"] = server.files.pop((10902294, "dev_fan.zip"))
        with pytest.raises(FetchError, match=r"no file 'dev_fan\.zip'; it has .*dev_fan_r2\.zip"):
            obtain(base, year=2024, subsets=["development"], machines=["fan"])

    @pytest.mark.parametrize(
        "answer",
        [
            b"<html>login</html>",
            b"[]",
            b'{"files": {}}',
            b'{"files": []}',
            b'{"files": [{"key": "a", "size": -1, "checksum": "md5:"}]}',
            b'{"files": [{"key": "a"}]}',
        ],
    )
    def test_an_answer_of_another_form_is_never_pinned(self, simulated, server, tmp_path, answer):
        base = simulated(2024)
        server.faults["record 10902294"] = Fault(body=answer)
        with pytest.raises(FetchError, match="10902294"):
            obtain(base, year=2024, subsets=["development"], machines=["fan"])
        assert files_below(tmp_path / "resources") == ["datasets.yaml"]

    def test_a_damaged_lock_is_named(self, simulated, server, tmp_path):
        base = simulated(2024)
        lock = tmp_path / "resources" / "locks" / "10902294.json"
        lock.parent.mkdir()
        lock.write_text('{"record": 10902294, "files"')
        with pytest.raises(FetchError, match=r"10902294\.json: is not a list of pinned files"):
            obtain(base, year=2024, subsets=["development"], machines=["fan"])

    @pytest.mark.parametrize("status", [403, 404])
    def test_a_record_that_cannot_be_asked_for_is_an_error(self, simulated, server, status):
        base = simulated(2024)
        server.faults["record 10902294"] = Fault(status=status)
        with pytest.raises(FetchError, match=f"HTTP {status}"):
            obtain(base, year=2024, subsets=["development"], machines=["fan"])


class TestTwice:
    def test_a_second_run_asks_for_nothing_and_changes_nothing(self, simulated, server):
        base = simulated(2024)
        data = obtain(base, year=2024, machines=["fan", "Scanner"])
        before = {
            name: (base / name).stat().st_mtime_ns for name in files_below(base) if name.endswith(".wav")
        }
        manifests = {name: (base / name).read_bytes() for name in data.manifests("Scanner")}
        server.requests.clear()
        obtain(base, year=2024, machines=["fan", "Scanner"])
        assert server.requests == []
        assert {name: (base / name).stat().st_mtime_ns for name in before} == before
        assert {name: (base / name).read_bytes() for name in manifests} == manifests

    def test_a_manifest_lists_every_file_with_its_size(self, simulated):
        base = simulated(2023)
        data = obtain(base, year=2023, subsets=["development"], machines=["fan"])
        content = json.loads((base / data.manifests("fan")[0]).read_bytes())
        folder = base / "data" / "dcase2023" / "development" / "fan"
        assert content["files"] == {name: (folder / name).stat().st_size for name in files_below(folder)}
        assert str(base) not in json.dumps(content)

    def test_a_lost_manifest_is_made_anew_without_unpacking(self, simulated, server):
        base = simulated(2023)
        data = obtain(base, year=2023, subsets=["development"], machines=["fan"])
        manifest = base / data.manifests("fan")[0]
        content = manifest.read_bytes()
        manifest.unlink()
        shutil.rmtree(base / "data" / "zips")
        server.requests.clear()
        obtain(base, year=2023, subsets=["development"], machines=["fan"])
        assert manifest.read_bytes() == content and server.requests == []

    def test_a_dropped_zip_is_not_fetched_again(self, simulated, server):
        base = simulated(2023)
        spec = dict(year=2023, subsets=["development"], machines=["fan"], keep_zip=False)
        obtain(base, **spec)
        assert files_below(base / "data" / "zips") == []
        obtain(base, **spec)
        assert len(server.bodies("dev_fan.zip")) == 1

    @pytest.mark.parametrize("damage", ["lost", "short", "receipt"])
    def test_a_damaged_folder_is_unpacked_anew_from_the_zip(self, simulated, server, damage):
        base = simulated(2023)
        data = obtain(base, year=2023, subsets=["development"], machines=["fan"])
        folder = base / "data" / "dcase2023" / "development" / "fan"
        clip = folder / "train" / "section_00_source_train_normal_0000_vel_0.wav"
        body = clip.read_bytes()
        if damage == "lost":
            clip.unlink()
        elif damage == "short":
            clip.write_bytes(body[:100])
        else:
            (folder / ".asdflow.json").write_text("{")
        obtain(base, year=2023, subsets=["development"], machines=["fan"])
        assert clip.read_bytes() == body and len(server.bodies("dev_fan.zip")) == 1
        assert len(rows_of(data, base)) == 6 + 8

    def test_a_half_unpacked_folder_does_not_count(self, simulated):
        base = simulated(2023)
        folder = base / "data" / "dcase2023" / "development" / "fan"
        (folder / "train").mkdir(parents=True)
        (folder / "train" / "section_00_source_train_normal_0000_vel_0.wav").write_bytes(wav(1))
        with pytest.raises(FetchError, match="was not unpacked by this workflow"):
            obtain(base, year=2023, subsets=["development"], machines=["fan"])

    def test_one_machine_that_fails_does_not_cost_the_others(self, simulated, server):
        base = simulated(2023)
        server.faults["dev_valve.zip"] = Fault(status=404)
        with pytest.raises(FetchError, match=r"dev_valve\.zip"):
            obtain(base, year=2023, subsets=["development"])
        del server.faults["dev_valve.zip"]
        server.requests.clear()
        obtain(base, year=2023, subsets=["development"])
        assert {each.path.split("/")[-1].split("?")[0] for each in server.requests} == {"dev_valve.zip"}


def evil(name: str, body: bytes = b"x", mode: int = 0o100644) -> bytes:
    """A zip with a good clip and a bad member."""
    buffer = io.BytesIO(zipped({"fan/train/section_00_source_train_normal_0000.wav": wav(1)}))
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as file:
        info = zipfile.ZipInfo("x")
        info.filename = info.orig_filename = name
        info.external_attr = mode << 16
        file.writestr(info, body, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def cut(body: bytes) -> bytes:
    """Right length, wrong second half."""
    return body[: len(body) // 2] + bytes(len(body) - len(body) // 2)


class TestBadArchives:
    """Zips whose checksum is the published one: what they hold must still do no harm."""

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            (evil("../../../evil.wav"), "leads outside"),
            (evil("/tmp/asdflow-evil.wav"), "absolute"),
            (evil("fan/train/link.wav", b"/etc/passwd", stat.S_IFLNK | 0o777), "is a link"),
            (evil("fan/train/bomb.wav", bytes(20_000_000)), "has 20.0 MB, at most"),
            (cut(zipped({"fan/train/a.wav": wav(1, seconds=2)})), "not a whole zip"),
        ],
        ids=["dots", "absolute", "link", "bomb", "truncated"],
    )
    def test_is_one_error_and_leaves_no_folder(self, simulated, server, tmp_path, body, words):
        base = simulated(2024)
        good = server.files[10902294, "dev_fan.zip"]
        server.files[10902294, "dev_fan.zip"] = body
        with pytest.raises(DataError) as error:
            obtain(base, year=2024, subsets=["development"], machines=["fan"])
        assert words in str(error.value) and "dev_fan.zip" in str(error.value)
        assert files_below(base) == ["data/zips/10902294/dev_fan.zip"]
        assert not list(tmp_path.rglob("*evil*")) and not Path("/tmp/asdflow-evil.wav").exists()
        # The record is repaired; its new checksum must be accepted knowingly, by deleting the lock.
        server.files[10902294, "dev_fan.zip"] = good
        with pytest.raises(AsdflowError):
            obtain(base, year=2024, subsets=["development"], machines=["fan"])
        (tmp_path / "resources" / "locks" / "10902294.json").unlink()
        (base / "data" / "zips" / "10902294" / "dev_fan.zip").unlink()
        assert len(rows_of(obtain(base, year=2024, subsets=["development"], machines=["fan"]), base)) == 14

    def test_a_truncated_zip_of_right_length_is_found_by_its_hash_before_unpacking(self, simulated, server):
        base = simulated(2023)
        server.faults["dev_fan.zip"] = Fault(body=cut(server.files[7882613, "dev_fan.zip"]))
        with pytest.raises(FetchError, match="has md5"):
            obtain(base, year=2023, subsets=["development"], machines=["fan"])
        assert files_below(base) == []


class TestLabels:
    def test_a_list_of_wrong_hash_is_an_error_and_leaves_nothing(self, simulated, server):
        base = simulated(2023)
        text = server.texts["eval_data_list_2023.csv"]
        other = text.replace(b"_normal_", b"_anomaly_", 1)
        server.faults["eval_data_list_2023.csv"] = Fault(body=other)
        with pytest.raises(FetchError) as error:
            obtain(base, year=2023, subsets=["evaluation"], machines=["shaker"])
        assert hashlib.sha256(text).hexdigest() in str(error.value)
        assert hashlib.sha256(other).hexdigest() in str(error.value)
        assert files_below(base / "data" / "dcase2023" / "labels") == []
        server.faults.clear()
        server.requests.clear()
        obtain(base, year=2023, subsets=["evaluation"], machines=["shaker"])
        assert [each.path for each in server.requests] == ["/lists/eval_data_list_2023.csv"]

    def test_clips_that_are_not_in_the_list_are_named(self, simulated):
        base = simulated(2023)
        data = obtain(base, year=2023, subsets=["evaluation"], machines=["shaker"])
        labels = base / data.label_list()
        labels.write_text(labels.read_text().replace("section_00_0003.wav,", "section_00_0999.wav,"))
        with pytest.raises(DataError, match=r"1 clips are not in the label list: section_00_0003\.wav"):
            rows_of(data, base)

    def test_clips_that_are_only_in_the_list_are_named(self, simulated):
        base = simulated(2023)
        data = obtain(base, year=2023, subsets=["evaluation"], machines=["shaker"])
        (data.root("x", base) / "evaluation/shaker/test/section_00_0003.wav").unlink()
        with pytest.raises(DataError, match=r"in the label list, but not there: section_00_0003\.wav"):
            rows_of(data, base)

    def test_an_absent_list_says_what_to_do(self, simulated):
        base = simulated(2023)
        data = obtain(base, year=2023, subsets=["evaluation"], machines=["shaker"])
        (base / data.label_list()).unlink()
        with pytest.raises(DataError, match="Run snakemake"):
            rows_of(data, base)


class TestOwnLabels:
    """labels: a list of the user's, e.g. from an evaluator, for years without a published one."""

    def evaluator(self, folder: Path, year: int, *machines: str, channels: int = 1) -> Path:
        """Folder ground_truth_attributes of the organisers' evaluator."""
        folder.mkdir()
        for machine in machines:
            _, lines = published(year, "evaluation", machine, ("00",), Size(), channels)
            (folder / f"ground_truth_{machine}_section_00_test.csv").write_text(lines)
        return folder

    def test_an_evaluators_folder_labels_a_year_without_a_published_list(self, simulated, tmp_path):
        base = simulated(2026)
        folder = self.evaluator(tmp_path / "truth", 2026, "Sander", "ToyDrone", channels=2)
        data = obtain(base, year=2026, subsets=["evaluation"], machines=["Sander"], labels=str(folder))
        test = [row for row in data.clip_rows("x", base, "Sander") if row.split == "test"]
        assert {(row.domain, row.label) for row in test} == {
            (domain, label) for domain in ("source", "target") for label in ("normal", "anomaly")
        }
        assert data.label_files(base) == sorted(str(path) for path in folder.iterdir())
        assert data.label_list() is None

    def test_an_own_list_stands_instead_of_the_published_one_and_nothing_is_fetched(
        self, simulated, server, tmp_path
    ):
        base = simulated(2023)
        mine = tmp_path / "mine.csv"
        mine.write_bytes(server.texts["eval_data_list_2023.csv"])
        spec = dict(year=2023, subsets=["evaluation"], machines=["shaker"])
        data = obtain(base, **spec, labels=str(mine))
        assert [each.path for each in server.requests if each.path.startswith("/lists/")] == []
        assert rows_of(data, base) == rows_of(obtain(base, **spec), base)

    def test_development_needs_no_labels(self, simulated, tmp_path):
        data = datasets.build(
            {"kind": "dcase", "year": 2023, "subsets": ["development"], "labels": str(tmp_path / "none")}
        )
        assert data.label_files(simulated(2023)) == []

    @pytest.mark.parametrize(("make", "words"), [(False, "does not exist"), (True, "holds no ground_truth_")])
    def test_labels_that_are_not_there_are_an_error(self, simulated, tmp_path, make, words):
        base = simulated(2026)
        if make:
            (tmp_path / "truth").mkdir()
        data = datasets.build({"kind": "dcase", "year": 2026, "labels": str(tmp_path / "truth")})
        with pytest.raises(ConfigError, match=f"truth: {words}"):
            data.label_files(base)


class TestCounts:
    def test_a_difference_is_an_error_with_a_table(self, simulated):
        base = simulated(2023)
        data = obtain(base, year=2023, subsets=["development"], machines=["fan"])
        folder = data.root("x", base) / "development" / "fan"
        (folder / "train" / "section_00_target_train_normal_0001_vel_1.wav").unlink()
        (folder / "test" / "section_00_source_test_anomaly_0099_vel_1.wav").write_bytes(wav(1))
        with pytest.raises(DataError) as error:
            rows_of(data, base)
        lines = str(error.value).splitlines()
        assert lines[1].split() == ["section", "split", "domain", "label", "expected", "found"]
        assert lines[2].split() == ["00", "train", "target", "normal", "2", "1"]
        assert lines[3].split() == ["00", "test", "source", "anomaly", "2", "3"]

    def test_clips_of_a_section_that_was_not_published_are_counted_too(self, simulated):
        base = simulated(2023)
        data = obtain(base, year=2023, subsets=["development"], machines=["fan"])
        folder = data.root("x", base) / "development" / "fan" / "train"
        (folder / "section_07_source_train_normal_0000_vel_1.wav").write_bytes(wav(1))
        with pytest.raises(DataError, match=r"07 +train +source +normal +0 +1"):
            rows_of(data, base)

    def test_a_name_of_another_year_is_named(self, simulated):
        base = simulated(2023)
        data = obtain(base, year=2023, subsets=["development"], machines=["fan"])
        (data.root("x", base) / "development/fan/train/normal_id_00_00000000.wav").write_bytes(wav(1))
        with pytest.raises(DataError, match="normal_id_00_00000000"):
            rows_of(data, base)


class TestOwnCopies:
    """data_dir: zips or folders that the user has."""

    @pytest.fixture
    def mine(self, tmp_path):
        folder = tmp_path / "mine"
        folder.mkdir()
        return folder

    @pytest.mark.parametrize("place", ["", "dcase2023t2/dev_data/raw", "zips"])
    def test_a_zip_is_checked_and_unpacked_from_where_it_lies(self, simulated, server, mine, place):
        base = simulated(2023)
        (mine / place).mkdir(parents=True, exist_ok=True)
        (mine / place / "dev_fan.zip").write_bytes(server.files[7882613, "dev_fan.zip"])
        spec = dict(year=2023, subsets=["development"], machines=["fan"], data_dir=str(mine), keep_zip=False)
        data = obtain(base, **spec)
        assert len(rows_of(data, base)) == 14 and server.requests == []
        assert (mine / place / "dev_fan.zip").exists(), "a user's zip is never removed"
        assert files_below(base / "data" / "zips") == []

    def test_a_zip_that_is_not_the_published_one_is_an_error_with_both_values(self, simulated, server, mine):
        base = simulated(2023)
        good = server.files[7882613, "dev_fan.zip"]
        (mine / "dev_fan.zip").write_bytes(good[:-1])
        with pytest.raises(DataError) as error:
            obtain(base, year=2023, subsets=["development"], machines=["fan"], data_dir=str(mine))
        assert md5(good) in str(error.value) and md5(good[:-1]) in str(error.value)
        assert server.requests == [] and files_below(base) == []

    def test_zips_of_other_years_are_passed_over(self, simulated, server, mine):
        base = simulated(2023, 2024)
        for year, record in ((2023, 7882613), (2024, 10902294)):
            (mine / f"dcase{year}").mkdir()
            (mine / f"dcase{year}" / "dev_fan.zip").write_bytes(server.files[record, "dev_fan.zip"])
        for year in (2023, 2024):
            obtain(base, year=year, subsets=["development"], machines=["fan"], data_dir=str(mine))
        assert server.bodies("dev_fan.zip") == []

    def test_what_is_missing_is_downloaded_and_said(self, simulated, server, mine, capsys):
        base = simulated(2023)
        obtain(base, year=2023, subsets=["development"], machines=["fan"], data_dir=str(mine))
        assert len(server.bodies("dev_fan.zip")) == 1
        assert "it is downloaded" in capsys.readouterr().err

    def unpack_mine(self, server, folder: Path, record: int, name: str) -> None:
        zipfile.ZipFile(io.BytesIO(server.files[record, name])).extractall(folder)

    @pytest.mark.parametrize("place", ["", "dev_data/raw", "data/dcase2023t2/dev_data"])
    def test_an_unpacked_folder_is_linked_and_not_copied(self, simulated, server, mine, place):
        base = simulated(2023)
        self.unpack_mine(server, mine / place, 7882613, "dev_fan.zip")
        data = obtain(base, year=2023, subsets=["development"], machines=["fan"], data_dir=str(mine))
        assert len(rows_of(data, base)) == 14 and server.requests == []
        link = base / "data" / "dcase2023" / "development" / "fan"
        assert link.is_symlink() and link.resolve() == mine / place / "fan"

    def test_an_organisers_tree_with_train_and_test_together_serves_evaluation(self, simulated, server, mine):
        base = simulated(2023)
        raw = mine / "dcase2023t2" / "eval_data" / "raw"
        self.unpack_mine(server, raw, 7830345, "eval_data_shaker_train.zip")
        self.unpack_mine(server, raw, 7860847, "eval_data_shaker_test.zip")
        data = obtain(base, year=2023, subsets=["evaluation"], machines=["shaker"], data_dir=str(mine))
        assert len(rows_of(data, base)) == 6 + 8 and len(server.requests) == 1  # the label list

    def test_development_and_evaluation_of_an_early_year_in_one_folder_are_told_apart(
        self, simulated, server, mine
    ):
        base = simulated(2021)
        for record, name in (
            (4562016, "dev_data_fan.zip"),
            (4660992, "eval_data_fan_train.zip"),
            (4884786, "eval_data_fan_test.zip"),
        ):
            self.unpack_mine(server, mine, record, name)
        development = obtain(base, year=2021, subsets=["development"], machines=["fan"], data_dir=str(mine))
        evaluation = obtain(base, year=2021, subsets=["evaluation"], machines=["fan"], data_dir=str(mine))
        assert {row.section for row in rows_of(development, base)} == {"00", "01", "02"}
        assert {row.section for row in rows_of(evaluation, base)} == {"03", "04", "05"}

    def test_a_folder_with_a_clip_missing_is_found_by_the_count(self, simulated, server, mine):
        base = simulated(2023)
        self.unpack_mine(server, mine, 7882613, "dev_fan.zip")
        (mine / "fan/train/section_00_source_train_normal_0000_vel_0.wav").unlink()
        data = obtain(base, year=2023, subsets=["development"], machines=["fan"], data_dir=str(mine))
        with pytest.raises(DataError, match=r"train +source +normal +4 +3"):
            rows_of(data, base)

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            (b"", "cannot be read"),
            (wav(1, channels=2), "2 channels, expected 16000 Hz, 1"),
            (wav(1, rate=8000), "8000 Hz"),
        ],
    )
    def test_a_folder_with_files_that_are_not_as_published_is_refused(
        self, simulated, server, mine, body, words
    ):
        base = simulated(2023)
        self.unpack_mine(server, mine, 7882613, "dev_fan.zip")
        (mine / "fan/train/section_00_source_train_normal_0000_vel_0.wav").write_bytes(body)
        with pytest.raises(DataError, match=words) as error:
            obtain(base, year=2023, subsets=["development"], machines=["fan"], data_dir=str(mine))
        assert "section_00_source_train_normal_0000" in str(error.value)
        assert files_below(base) == [] and not (base / "data/dcase2023/development/fan").exists()

    def test_the_rules_know_which_files_of_the_user_they_depend_on(self, simulated, server, mine):
        base = simulated(2023)
        (mine / "zips").mkdir()
        (mine / "zips" / "dev_fan.zip").write_bytes(server.files[7882613, "dev_fan.zip"])
        self.unpack_mine(server, mine, 7882613, "dev_valve.zip")
        data = datasets.build({"kind": "dcase", "year": 2023, "data_dir": str(mine)})
        assert data.own_files(base, "development", "fan") == [str(mine / "zips" / "dev_fan.zip")]
        valve = data.own_files(base, "development", "valve")
        assert len(valve) == 15 and f"{mine}/valve/attributes_00.csv" in valve
        assert data.own_files(base, "development", "slider") == []

    def test_an_absent_data_dir_is_an_error(self, simulated):
        base = simulated(2023)
        with pytest.raises(ConfigError, match="is not a folder"):
            obtain(base, year=2023, subsets=["development"], machines=["fan"], data_dir="nowhere")

    def test_two_folders_that_fit_are_an_error(self, simulated, server, mine):
        base = simulated(2023)
        for place in ("a", "b"):
            self.unpack_mine(server, mine / place, 7882613, "dev_fan.zip")
        with pytest.raises(ConfigError, match="several folders of fan"):
            obtain(base, year=2023, subsets=["development"], machines=["fan"], data_dir=str(mine))

    def test_leaving_data_dir_out_again_downloads_and_spares_the_users_folder(self, simulated, server, mine):
        base = simulated(2023)
        self.unpack_mine(server, mine, 7882613, "dev_fan.zip")
        spec = dict(year=2023, subsets=["development"], machines=["fan"])
        obtain(base, **spec, data_dir=str(mine))
        before = files_below(mine)
        data = obtain(base, **spec)
        assert files_below(mine) == before and len(server.bodies("dev_fan.zip")) == 1
        assert not (data.root("x", base) / "development" / "fan").is_symlink()
        obtain(base, **spec, data_dir=str(mine))
        assert (data.root("x", base) / "development" / "fan").is_symlink()
