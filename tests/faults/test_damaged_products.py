"""A product is refused whose bytes are not those that were written, or that lies under another's name."""

from __future__ import annotations

import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from asdflow.foundation.errors import ProductError
from asdflow.products import frames, seals, tables

RANDOM = np.random.default_rng(12)
CLIPS = [f"clip_{number}" for number in range(8)]


def write_embeddings(path):
    columns = {
        "machine": ["fan"] * 8,
        "section": ["00"] * 8,
        "clip": CLIPS,
        "split": ["train"] * 6 + ["test"] * 2,
        "domain": ["source"] * 7 + [None],
        "values": RANDOM.normal(size=(8, 16)).astype(np.float32),
    }
    tables.write(path, "embeddings", columns, {"pooling": "mean"})


def write_frames(path):
    with frames.frame_writer(path, {"encoder": "none"}) as writer:
        for clip in CLIPS:
            for layer in ("a", "b"):
                writer.add(clip, layer, RANDOM.normal(size=(3, 2, 4)).astype(np.float32))


def read_everything(path):
    with frames.open_frames(path) as file:
        return list(file.batches("a")), list(file.batches("b"))


KINDS = {
    "embeddings": (write_embeddings, lambda path: tables.read(path, "embeddings")),
    "some columns": (write_embeddings, lambda path: tables.read(path, "embeddings", ["clip", "values"])),
    "frames": (write_frames, read_everything),
    "one clip of the frames": (write_frames, lambda path: frames.read_clip(path, "clip_7", "b")),
}


@pytest.mark.parametrize("kind", ["embeddings", "some columns", "frames", "one clip of the frames"])
def test_every_flipped_bit_is_found(kind, tmp_path):
    write, read = KINDS[kind]
    path = tmp_path / "product.parquet"
    write(path)
    read(path)
    whole = path.read_bytes()
    places = RANDOM.choice(8 * len(whole), size=400, replace=False)
    for place in map(int, places):
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        with pytest.raises(ProductError, match=r"product\.parquet: is damaged: it .*snakemake"):
            read(path)


def test_what_a_product_was_made_of_is_not_believed_with_a_flipped_bit(tmp_path):
    path = tmp_path / "product.parquet"
    write_embeddings(path)
    assert tables.inherited(path) == {}
    whole = path.read_bytes()
    length = int.from_bytes(whole[-8:-4], "little")
    for place in map(int, RANDOM.choice(8 * length, size=200, replace=False)):
        flipped = bytearray(whole)
        flipped[len(whole) - 8 - length + place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        with pytest.raises(ProductError, match="has a damaged footer"):
            tables.inherited(path)


@pytest.mark.parametrize("cut", [0, 1, 3, 11, 12, 100, -1, -9, -200])
def test_a_file_that_is_cut_or_empty_is_found(cut, tmp_path):
    path = tmp_path / "product.parquet"
    write_embeddings(path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ProductError, match="is damaged"):
        tables.read(path, "embeddings")


def test_bytes_that_were_put_in_between_are_found(tmp_path):
    path = tmp_path / "product.parquet"
    write_embeddings(path)
    whole = path.read_bytes()
    for place in (4, 200, len(whole) // 2, len(whole) - 8):
        path.write_bytes(whole[:place] + b"\0" + whole[place:])
        with pytest.raises(ProductError, match="is damaged"):
            tables.read(path, "embeddings")


def test_a_file_written_by_something_else_is_no_product(tmp_path):
    path = tmp_path / "product.parquet"
    pq.write_table(pa.table({"clip": ["a"]}), path)
    with pytest.raises(ProductError, match="has no seal"):
        tables.read(path, "embeddings")


def test_other_readers_of_parquet_read_sealed_files(tmp_path):
    import polars

    path = tmp_path / "product.parquet"
    write_embeddings(path)
    ours = tables.read(path, "embeddings")
    assert pq.read_table(path).equals(ours)
    assert polars.read_parquet(path)["clip"].to_list() == ours.column("clip").to_pylist()


def test_a_seal_costs_some_hundred_bytes(tmp_path):
    path = tmp_path / "plain.parquet"
    pq.write_table(pa.table({"v": RANDOM.normal(size=1000)}), path)
    before = path.stat().st_size
    seals.seal(path)
    assert path.stat().st_size - before < 300


@pytest.mark.parametrize("kind", ["embeddings", "frames"])
def test_another_machines_file_under_this_ones_name_is_refused(kind, tmp_path):
    write, read = KINDS[kind]
    fan, pump = (tmp_path / f"results/{kind}/own/logmel/{name}.parquet" for name in ("fan", "pump"))
    write(pump)
    read(pump)
    shutil.copy(pump, fan)
    with pytest.raises(ProductError, match=rf"fan\.parquet: is the file of {kind}/own/logmel/pump\.parquet"):
        read(fan)


def rows(clips, machine="fan"):
    """A table of test clips of one section."""
    count = len(clips)
    return pa.table(
        {"machine": [machine] * count, "section": ["00"] * count, "clip": clips, "split": ["test"] * count}
    )


def test_products_of_other_clips_than_those_asked_for_are_refused():
    ours = ("clips.parquet", rows(["a", "b"]))
    tables.require_same_clips(("distances.parquet", rows(["b", "a"])), ours)
    for other, words in (
        (rows(["a"]), "lacks test clip 'b' of machine fan"),
        (rows(["a", "b", "c"]), "has test clip 'c' of machine fan"),
        (rows(["a", "b"], "pump"), "of machine (fan|pump), section 00, and differs in 4"),
    ):
        with pytest.raises(ProductError, match=rf"distances\.parquet: is not of the clips.*{words}"):
            tables.require_same_clips(("distances.parquet", other), ours)


def test_frames_of_a_clip_that_the_table_does_not_have_are_refused(tmp_path):
    from asdflow.stages.embeddings import embed

    write_frames(tmp_path / "frames.parquet")
    columns = ("machine", "section", "clip", "split", "domain")
    clips = pa.table({name: CLIPS[:7] for name in columns})
    with pytest.raises(ProductError, match=r"frames of 1 clips that the clips table does not have.*clip_7"):
        embed(clips, tmp_path / "frames.parquet", "a", {"name": "mean"})


def test_a_whole_folder_of_results_may_be_moved(tmp_path):
    path = tmp_path / "results/embeddings/own/fan.parquet"
    write_embeddings(path)
    shutil.move(tmp_path / "results", tmp_path / "kept")
    assert tables.read(tmp_path / "kept/embeddings/own/fan.parquet", "embeddings").num_rows == 8


def test_verify_names_what_is_damaged_and_counts_the_rest(tmp_path):
    from typer.testing import CliRunner

    from asdflow.commands.cli import app

    for name in ("fan", "pump"):
        write_embeddings(tmp_path / f"embeddings/own/{name}.parquet")
    runner = CliRunner()
    fine = runner.invoke(app, ["verify", str(tmp_path)])
    assert fine.exit_code == 0 and "2 of 2 products" in fine.output
    path = tmp_path / "embeddings/own/fan.parquet"
    flipped = bytearray(path.read_bytes())
    flipped[300] ^= 4
    path.write_bytes(flipped)
    found = runner.invoke(app, ["verify", str(tmp_path)])
    assert found.exit_code == 1 and "1 of 2 products" in found.output and "fan.parquet" in found.output
    assert runner.invoke(app, ["verify", str(tmp_path / "nothing")]).exit_code == 1
