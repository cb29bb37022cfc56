"""Recordings of real machines, from files to metrics: known answers, and what noise must do."""

from __future__ import annotations

import pytest

from whole_way import metrics_of, value
from yamnet_weights import yamnet_folder

NN = {"backend": {"name": "knn", "k": 1, "metric": "cosine"}}
LDN = NN | {"normalization": {"name": "density_ratio", "k": 1}}
LOGMEL = {"name": "logmel"}


def motors(shared, **options):
    """Brushless motors: M1 and M3 are the source domain, M2 the target; clips of 2 s, level-normalised."""
    return {"kind": "folder", "root": str(shared / "data/bldc"), "audio": {"level": "rms"}} | options


def terms(rows, system):
    """AUC source, AUC target, pAUC."""
    return [value(rows, system, metric)["value"] for metric in ("auc_source", "auc_target", "pauc")]


def test_ten_target_clips_lift_the_target_of_the_motors_as_in_a_first_study(shared, tmp_path):
    """0.92 / 0.53 / 0.71 with source clips only, 0.92 / 0.94 / 0.79 with ten target clips, each about 0.1."""
    band_maxima = {"name": "max"}
    rows = metrics_of(tmp_path / "all", motors(shared), LOGMEL, band_maxima, {"nn": NN})
    assert terms(rows, "nn") == pytest.approx([0.92, 0.94, 0.79], abs=0.1)
    without = metrics_of(
        tmp_path / "source",
        motors(shared),
        LOGMEL,
        band_maxima,
        {"nn": NN},
        keep=lambda row: row["split"] != "train" or row["domain"] == "source",
    )
    assert terms(without, "nn") == pytest.approx([0.92, 0.53, 0.71], abs=0.1)


def test_intervals_of_the_motors_resample_recordings_not_clips(shared, tmp_path):
    rows = metrics_of(tmp_path, motors(shared), LOGMEL, {"name": "mean"}, {"nn": NN})
    official = value(rows, "nn", "official")
    assert official["units"] == 22  # recordings of the 110 test clips
    assert 0.05 < official["high"] - official["low"] < 0.4  # published: about 0.1 on either side


@pytest.mark.parametrize("layer", ["layer7", "layer9"])
def test_middle_layers_of_yamnet_nearly_solve_the_clean_motors_and_noise_takes_it_away(
    shared, tmp_path, layer, monkeypatch
):
    monkeypatch.setenv("ASDFLOW_CHECKPOINTS", str(yamnet_folder()))
    yamnet = {"name": "yamnet", "layers": [layer]}
    detectors = {"nn": NN, "ldn": LDN}
    clean = metrics_of(tmp_path / "clean", motors(shared), yamnet, {"name": "mean"}, detectors)
    noisy = metrics_of(
        tmp_path / "noisy",
        motors(shared, noise={"color": "pink", "snr_db": -15}),
        yamnet,
        {"name": "mean"},
        detectors,
    )
    for system in detectors:
        before, after = (value(rows, system, "official")["value"] for rows in (clean, noisy))
        assert before > 0.93  # a first study: 0.97 to 1.00 with the best layers
        assert 0.6 < after < before - 0.05  # the same: 0.78 to 0.91


def test_clips_of_dcase_2020_are_read_by_their_names_and_scored(shared, tmp_path):
    data = {
        "kind": "folder",
        "root": str(shared / "data/dcase2020_clips"),
        "layout": "dcase",
        "train_normal": 2,
        "audio": {"level": "rms"},
    }
    rows = metrics_of(tmp_path, data, LOGMEL, {"name": "mean"}, {"nn": NN})
    machines = {row["machine"] for row in rows} - {"all"}
    assert machines == {"ToyCar", "ToyConveyor", "fan", "pump", "slider", "valve"}
    for machine in machines:  # one normal clip against three anomalies
        assert value(rows, "nn", "auc_source", machine)["value"] in [
            pytest.approx(n / 3, abs=1e-12) for n in range(4)
        ]
