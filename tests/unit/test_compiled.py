"""Compiled loops give what their Python source gives, bit for bit, and do not need a folder to be kept in."""

import subprocess
import sys

import numpy as np
from test_backends import clustered

from asdflow.covariance import removal
from asdflow.geometry.compiled import compiled
from asdflow.pipeline import build
from asdflow.references import search


def scored():
    """Scores by members behind which there is a compiled loop."""
    bank, domain, test = clustered(40, 8, 24, 5)
    bank[7] = bank[3]
    for backend in ({"name": "beam", "bands": 2}, {"name": "knn"}, {"name": "pca_residual"}):
        for normalization in ([], [{"name": "smote"}], [{"name": "memmixup"}, {"name": "density_ratio"}]):
            if backend["name"] == "pca_residual" and normalization:
                continue
            spec = {"backend": backend, "normalization": normalization}
            detector = build.detector(spec).fit(bank, domain)
            yield np.append(detector.score_samples(test), detector.self_scores())


def test_no_arithmetic_is_reordered_or_fused(monkeypatch):
    fast = list(scored())
    for module, name in ((search, "_search"), (removal, "_solve")):
        monkeypatch.setattr(module, name, getattr(module, name).__wrapped__)
    with np.errstate(all="ignore"):
        plain = list(scored())
    for one, other in zip(fast, plain, strict=True):
        np.testing.assert_array_equal(one, other)


def test_without_a_folder_to_keep_code_in_it_is_compiled_for_this_process():
    names = {}
    exec("def doubled(values):\n    for i in range(len(values)):\n        values[i] *= 2\n", names)  # no file
    values = np.arange(3.0)
    compiled(names["doubled"])(values)
    assert values.tolist() == [0, 2, 4]


def test_whoever_does_not_score_does_not_wait_for_numba():
    code = "import sys, asdflow.pipeline.detector, asdflow.backends.pca_residual, asdflow.references.search; "
    code += "sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
