"""Configurations: the YAML reader by itself, and with the check of the study behind it."""

from __future__ import annotations

import json
from pathlib import Path

from harness import Parser, change_json

from asdflow.config import reading
from asdflow.config.study import read as read_study

ROOT = Path(__file__).resolve().parents[3]
ODD = """title: "\\u00fc: # no comment"
nested: {a: [1, 2.5, -3e-6, 0x1f, 0o17, true, null, ~, .inf], b: {c: {d: [[[]]]}}}
text: |
  two
  lines
folded: >-
  one
2024: 2024-01-01
yes: &anchor [on, off]
again: *anchor
"""
WORDS = (
    *(b": ", b"- ", b"\n", b"\t", b"  ", b"{", b"}", b"[", b"]", b",", b"#", b"|", b">", b"'", b'"', b"? "),
    *(b"&a ", b"*a", b"<<: *a", b"!!python/object:os.system ", b"!!binary ", b"!!set ", b"%YAML 1.1\n---\n"),
    *(b"---\n", b"...\n", b".inf", b".nan", b"-1", b"1e999", b"0o8", b"null", b"9" * 5000, b"x" * 100_000),
    *(b"[" * 3000, b"{a: " * 3000, b"- " * 3000, b"\xff\xfe", b"\xef\xbb\xbf", b"\xfc", b"\0"),
    *(b"\xe2\x80\xa8", b"\\x00", b"\\ud800", b"knn", b"name", b"k: [1, 2]", b"true", b"1.5"),
)
SMALL = """title: a study
datasets:
  own:
    kind: folder
    root: recordings
    audio: {length: pad10, channel: 0}
    noise: {color: recorded, recordings: noise, snr_db: 6}
  demo: {kind: factory, machines: [fan]}
  mine: {kind: embeddings, vectors: {perch: vectors.parquet}}
encoders:
  logmel: {name: logmel}
poolings:
  gem: {name: gem, p: [2, 3.0]}
detectors:
  nn: {backend: {name: knn, k: [1, 2], metric: cosine}, normalization: {name: density_ratio, k: 1}}
  pca: {backend: {name: pca_residual, variance: 0.95}, normalization: [{name: zscore}]}
fusions:
  zmin: {name: z_min, members: [nn, pca]}
figures:
  heatmap: {name: heatmap}
metrics: {rounds: 100, confidence: 0.9}
report: {clips: 1}
extraction: {shards: 2, keep_frames: true}
"""


def studies(folder: Path) -> list[bytes]:
    """Those of the repository and a small one that touches every axis, as JSON, which is YAML."""
    files = [*sorted((ROOT / "config").glob("*.yaml")), folder / "small.yaml"]
    files[-1].write_text(SMALL, encoding="utf-8")
    return [json.dumps(reading.read([file])).encode() for file in files]


def texts(_: Path) -> list[bytes]:
    """Odd but right YAML, with and without a byte order mark; and JSON, which is YAML."""
    plain = ODD.encode()
    return [plain, b"\xef\xbb\xbf" + plain, json.dumps({"a": [1, {"b": None}]}).encode()]


def values(path: Path) -> None:
    """Plain values come out, which JSON takes."""
    found = reading.read([path])
    json.dumps(found)
    reading.place([path], ["text"])


PARSERS = [
    Parser("yaml", "study.yaml", texts, values, WORDS),
    Parser("study", "study.yaml", studies, lambda path: read_study([path]), WORDS, change_json),
]
