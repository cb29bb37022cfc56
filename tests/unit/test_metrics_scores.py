"""The yearly DCASE scores against their definitions written out with scikit-learn."""

import sys

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from asdflow.foundation.errors import ConfigError, DataError
from asdflow.metrics import official, official_2020, official_2021, simple


@pytest.fixture
def clips():
    """Two machines, one with two sections; domains, ties."""
    rng = np.random.default_rng(5)
    count = 240
    anomaly, domain = rng.integers(0, 2, count), rng.integers(0, 2, count)
    machine = np.where(np.arange(count) < 80, "valve", "fan")
    section = np.where(np.arange(count) < 160, "00", "01")
    score = np.round(rng.normal(size=count) + 0.5 * anomaly - 0.3 * domain, 1)
    return {"score": score, "anomaly": anomaly, "domain": domain, "machine": machine, "section": section}


def harmonic(values):
    return len(values) / sum(1.0 / max(value, sys.float_info.epsilon) for value in values)


def sections(clips):
    """(machine, section, rows) sorted, by brute force."""
    for key in sorted(set(zip(clips["machine"].tolist(), clips["section"].tolist(), strict=True))):
        yield *key, (clips["machine"] == key[0]) & (clips["section"] == key[1])


def area(clips, rows, **options):
    return roc_auc_score(clips["anomaly"][rows], clips["score"][rows], **options)


def official_terms(clips, rows):
    anomalous = clips["anomaly"] == 1
    of_domain = [rows & (anomalous | (clips["domain"] == domain)) for domain in (0, 1)]
    return [area(clips, of_domain[0]), area(clips, of_domain[1]), area(clips, rows, max_fpr=0.1)]


def test_official_sets_one_domains_normal_clips_against_the_anomalies_of_both(clips):
    found = official(**clips)
    expected = [(m, s, official_terms(clips, rows)) for m, s, rows in sections(clips)]
    assert found.table.column("machine").to_pylist() == [machine for machine, _, _ in expected]
    assert found.table.column("section").to_pylist() == [section for _, section, _ in expected]
    for place, (_, _, terms) in enumerate(expected):
        row = found.table.slice(place, 1).to_pylist()[0]
        assert [row["auc_source"], row["auc_target"], row["pauc"]] == pytest.approx(terms, abs=1e-12)
        assert row["official"] == pytest.approx(harmonic(terms), abs=1e-12)
    assert found.overall == pytest.approx(
        harmonic([value for *_, terms in expected for value in terms]), abs=1e-12
    )
    assert found.means["pauc"] == pytest.approx(harmonic([t[2] for *_, t in expected]), abs=1e-12)
    assert found.domains == "source and target"
    assert found.missing == ()


def test_official_2021_and_the_restricted_simple_score_keep_domains_apart(clips):
    terms = [
        area(clips, rows & (clips["domain"] == domain), **options)
        for *_, rows in sections(clips)
        for options in ({}, {"max_fpr": 0.1})
        for domain in (0, 1)
    ]
    assert official_2021(**clips).overall == pytest.approx(harmonic(terms), abs=1e-12)
    assert simple(**clips).overall == pytest.approx(harmonic(terms), abs=1e-12)


def test_the_joint_simple_score_has_one_pauc_a_section(clips):
    terms = []
    for *_, rows in sections(clips):
        terms += [area(clips, rows & (clips["domain"] == domain)) for domain in (0, 1)]
        terms.append(area(clips, rows, max_fpr=0.1))
    assert simple(**clips, pauc="joint").overall == pytest.approx(harmonic(terms), abs=1e-12)


def test_official_2020_is_an_arithmetic_mean_within_machines_first(clips):
    of_section = {
        (m, s): (area(clips, rows) + area(clips, rows, max_fpr=0.1)) / 2 for m, s, rows in sections(clips)
    }
    machines = [np.mean([v for (m, _), v in of_section.items() if m == name]) for name in ("fan", "valve")]
    without_domain = {key: value for key, value in clips.items() if key != "domain"}
    assert official_2020(**without_domain).overall == pytest.approx(np.mean(machines), abs=1e-12)


def test_eight_clips_scored_by_hand():
    """Each wins in pairs; the one clip above every normal one gives pAUC 1/2 (1 + 0.045 / 0.095) = 14/19."""
    score = [1, 4, 2, 6, 3, 7, 5, 8]
    anomaly = [0, 0, 0, 0, 1, 1, 1, 1]
    domain = [0, 0, 1, 1, 0, 0, 1, 1]
    exact = pytest.approx
    row = official(score, anomaly, domain, "fan").table.to_pylist()[0]
    assert (row["auc_source"], row["auc_target"], row["pauc"]) == (7 / 8, 6 / 8, exact(14 / 19, abs=1e-15))
    assert official(score, anomaly, domain, "fan").overall == exact(18 / 23, abs=1e-15)
    assert simple(score, anomaly, domain, "fan").overall == exact(84 / 113, abs=1e-15)
    assert simple(score, anomaly, domain, "fan", pauc="joint").overall == exact(126 / 169, abs=1e-15)
    assert official_2021(score, anomaly, domain, "fan").overall == exact(84 / 113, abs=1e-15)
    assert official_2020(score, anomaly, "fan").overall == exact(471 / 608, abs=1e-15)


def test_sections_are_separate_terms_even_of_one_machine(clips):
    """Scores of two sections need not share a scale: shifting one changes nothing."""
    shifted = clips | {"score": clips["score"] + 100.0 * (clips["section"] == "01")}
    assert official(**shifted).overall == official(**clips).overall


def test_the_order_of_clips_does_not_matter(clips):
    order = np.random.default_rng(0).permutation(240)
    shuffled = {name: values[order] for name, values in clips.items()}
    assert official(**shuffled).overall == official(**clips).overall


def test_words_and_numbers_mean_the_same_labels(clips):
    spoken = clips | {
        "anomaly": [("normal", "anomaly")[value] for value in clips["anomaly"]],
        "domain": [("source", "target")[value] for value in clips["domain"]],
        "machine": clips["machine"].tolist(),
    }
    assert official(**spoken).overall == official(**clips).overall


def test_a_zero_is_floored_at_machine_epsilon():
    found = official([2.0, 1.0, 4.0, 3.0], [0, 1, 0, 1], [0, 0, 1, 1], "fan")
    expected = [0.25, 0.0, roc_auc_score([0, 1, 0, 1], [2.0, 1.0, 4.0, 3.0], max_fpr=0.1)]
    assert found.table.column("auc_target").to_pylist() == [0.0]
    assert found.overall == pytest.approx(harmonic(expected), rel=1e-12)
    assert 0.0 < found.overall < 1e-14


@pytest.mark.parametrize("domain", [None, [0] * 6, [None] * 6, ["source"] * 6])
def test_without_target_clips_the_score_says_source_only(domain):
    score, anomaly = [1.0, 5.0, 2.0, 4.0, 3.0, 6.0], [0, 1, 0, 1, 1, 0]
    found = official(score, anomaly, domain, "fan")
    assert found.domains == "source only"
    assert found.missing == (("fan", "00", "auc_target"),)
    assert found.table.column("auc_target").to_pylist() == [None]
    assert "auc_target" not in found.means
    assert found.overall == pytest.approx(harmonic([found.means["auc_source"], found.means["pauc"]]))


def test_sections_with_and_without_target_clips_are_called_mixed():
    found = official([1, 2, 3, 4, 1, 2], [0, 1, 0, 1, 0, 1], [0, 0, 1, 1, 0, 0], ["a"] * 4 + ["b"] * 2)
    assert found.domains == "mixed"
    assert found.missing == (("b", "00", "auc_target"),)


def test_only_target_clips_are_called_target_only():
    assert official([1, 2], [0, 1], [1, 1], "fan").domains == "target only"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": [1.0, float("nan"), 3.0, 4.0]}, "1 scores that are not finite; the first is nan in row 1"),
        ({"score": [1.0, 2.0, float("inf"), 4.0]}, "inf in row 2"),
        ({"score": [1.0, 2.0, 3.0]}, r"shape \(3,\), expected \(4,\)"),
        ({"score": ["a", 2.0, 3.0, 4.0]}, "not a number"),
        ({"anomaly": [0, 1, None, None]}, "unknown for 2 of 4 test clips .machines fan.*Add their labels"),
        ({"anomaly": ["normal", "anomaly", float("nan"), "anomaly"]}, "unknown for 1 of 4"),
        ({"anomaly": [0, 1, 2, 1]}, "is 2 in row 2.*normal or anomaly"),
        ({"anomaly": ["normal", "broken", "normal", "anomaly"]}, "is 'broken' in row 1"),
        ({"anomaly": [0, 0, 0, 0]}, "machine 'fan', section '00': has no anomalous test clip among 4"),
        ({"anomaly": [1, 1, 1, 1]}, "has no normal test clip"),
        ({"anomaly": []}, "is empty"),
        ({"domain": [0, 1, None, 1]}, "has 1 test clips without a domain and 3 with one"),
        ({"domain": [0, 1]}, r"domain: has shape \(2,\)"),
        ({"machine": ["fan", None, "fan", "fan"]}, "machine: has nulls"),
    ],
)
def test_bad_input_is_named(change, message):
    good = {
        "score": [1.0, 2.0, 3.0, 4.0],
        "anomaly": [0, 1, 0, 1],
        "domain": [0, 0, 1, 1],
        "machine": ["fan"] * 4,
    }
    with pytest.raises(DataError, match=message):
        official(**good | change)


def test_the_simple_score_knows_two_forms(clips):
    with pytest.raises(ConfigError, match="Use 'restricted' or 'joint'"):
        simple(**clips, pauc="both")
