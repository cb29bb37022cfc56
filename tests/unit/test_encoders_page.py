"""docs/encoders.md says what the code does."""

from __future__ import annotations

from asdflow import checkpoints, encoders
from asdflow.encoders.yamnet import SHAPES


def test_the_page_has_a_section_for_every_encoder_without_weights_and_yamnet(root):
    text = (root / "docs" / "encoders.md").read_text(encoding="utf-8")
    assert {"logmel", "yamnet"} <= set(encoders.REGISTRY.names())
    assert "## logmel\n" in text and "## yamnet\n" in text


def test_the_page_lists_every_checkpoint_with_encoder_file_and_licence(root):
    text = (root / "docs" / "encoders.md").read_text(encoding="utf-8")
    for name in checkpoints.names():
        entry = checkpoints.checkpoint(name)
        note = "" if entry.published else " (no published hash)"
        assert f"| {name} | {entry.encoder} | {entry.file}{note} | {entry.licence} |" in text


def test_the_page_gives_the_shape_of_every_yamnet_layer(root):
    text = (root / "docs" / "encoders.md").read_text(encoding="utf-8")
    table = text.partition("| layer | steps a patch |")[2].partition("\n\n")[0].splitlines()[2:]
    shown = {}
    for row in table:
        label, steps, _, bands, channels, _ = (cell.strip() for cell in row.split("|")[1:-1])
        shown |= dict.fromkeys(_layers(label), (int(steps), int(bands), int(channels)))
    assert shown == SHAPES


def _layers(label: str) -> list[str]:
    if " to " in label:
        first, last = (int(part.removeprefix("layer")) for part in label.split(" to "))
        return [f"layer{number}" for number in range(first, last + 1)]
    return label.split(", ")
