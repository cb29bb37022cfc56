"""Compiled loops give what their Python source gives, bit for bit, and do not need a folder to be kept in."""

import subprocess
import sys

import numpy as np
import pytest
from test_backends import clustered

from asdflow.geometry.compiled import compiled

SCORED = """
import sys
import numpy as np
from asdflow import backends, normalizations
from asdflow.pipeline import build
from asdflow.geometry import compiled
from asdflow.references.bank import Bank, Queries
from asdflow.foundation.errors import ConfigError

compiled.FEW = float(sys.argv[3])
data = np.load(sys.argv[1])
bank = Bank(data["bank"], data["domain"])
queries = Queries(data["test"], bank)
found = {}
for backend in backends.REGISTRY.names():
    for normalization in normalizations.REGISTRY.names():
        spec = {"backend": {"name": backend}, "normalization": {"name": normalization}}
        if backend == "adabeam":
            spec["backend"]["bands"] = 2
        try:
            detector = build.detector(spec).fit(bank)
        except ConfigError:
            continue
        scores = np.append(detector.score_samples(queries), detector.self_scores())
        found[f"{backend} {normalization}"] = scores
np.savez(sys.argv[2], **found)
"""


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Scores of the whole grid, compiled and interpreted."""
    folder = tmp_path_factory.mktemp("compiled")
    bank, domain, test = clustered(40, 8, 24, 5)
    bank[7] = bank[3]
    np.savez(folder / "data.npz", bank=bank, domain=domain, test=test)
    results = []
    for few in ("-1", "inf"):
        command = [sys.executable, "-W", "error", "-c", SCORED, *map(str, folder.glob("data.npz"))]
        subprocess.run([*command, str(folder / f"{few}.npz"), few], check=True)
        results.append(dict(np.load(folder / f"{few}.npz")))
    return results


def test_no_arithmetic_is_reordered_or_fused(both):
    fast, plain = both
    assert fast.keys() == plain.keys() and len(fast) > 60
    for name in fast:
        np.testing.assert_array_equal(fast[name], plain[name], err_msg=name)


def test_without_a_folder_to_keep_code_in_it_is_compiled_for_this_process():
    names = {}
    exec("def doubled(values):\n    for i in range(len(values)):\n        values[i] *= 2\n", names)  # no file
    values = np.arange(3.0)
    compiled()(names["doubled"])(values)
    assert values.tolist() == [0, 2, 4]


def test_few_steps_are_interpreted_and_the_following_ones_compiled(monkeypatch):
    @compiled(lambda values: len(values))
    def total(values):
        result = values[0]
        for i in range(1, len(values)):
            result += values[i]
        return result

    monkeypatch.setattr("asdflow.geometry.compiled.FEW", 10)
    monkeypatch.setattr("asdflow.geometry.compiled._taken", 0)
    found = [total(np.ones(4)) for _ in range(4)]
    assert found == [4.0] * 4
    assert [type(one) for one in found] == [np.float64, np.float64, float, float]


def test_whoever_does_not_score_does_not_wait_for_numba():
    code = "import sys, asdflow.pipeline.detector, asdflow.backends; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
