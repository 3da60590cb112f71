"""Logistic models of every version of Leaspy are read; other models are refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from brlp_models.auxiliary.course_curve import compute_metric
from brlp_models.auxiliary.leaspy_files import parse_leaspy_model, read_leaspy_file
from brlp_models.errors import ModelError

CASE = Path(__file__).parents[3] / "shared" / "cases" / "29-L01-leaspy-1.5" / "model.json"

PARAMETERS = {
    "g": [0.6, 1.2],
    "v0": [-4.1, -4.4],
    "betas": [[0.02]],
    "tau_mean": 72.0,
    "tau_std": 6.5,
    "xi_mean": 0.0,
    "xi_std": 0.6,
}


def make_model(**changes: Any) -> dict[str, Any]:
    model: dict[str, Any] = {
        "name": "logistic",
        "features": ["hippocampus", "ventricles"],
        "source_dimension": 1,
        "parameters": dict(PARAMETERS),
    }
    return model | changes


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": "MSE_diag_noise", "parameters": {**PARAMETERS, "noise_std": [0.05, 0.06]}},
        {
            "noise_model": "gaussian_diagonal",
            "parameters": {**PARAMETERS, "noise_std": [0.05, 0.06]},
        },
        {"noise_model": {"name": "gaussian-diagonal", "scale": [0.05, 0.06]}},
        {
            "obs_models": {"y": "gaussian-diagonal"},
            "parameters": {
                "log_g_mean": [0.6, 1.2],
                "log_v0_mean": [-4.1, -4.4],
                "betas_mean": [[0.02]],
                **{name: [PARAMETERS[name]] for name in ("tau_mean", "tau_std", "xi_std")},
                "noise_std": [0.05, 0.06],
            },
        },
    ],
    ids=["1.1", "1.3", "1.5", "2.0"],
)
def test_versions_that_hold_the_same_model_read_the_same(changes: dict[str, Any]) -> None:
    features, parameters = parse_leaspy_model(make_model(**changes))
    assert features == ("hippocampus", "ventricles")
    assert parameters.log_g.tolist() == [0.6, 1.2]
    assert parameters.log_v0.tolist() == [-4.1, -4.4]
    assert parameters.noise_std.tolist() == [0.05, 0.06]


def test_mean_acceleration_belongs_to_the_velocity() -> None:
    noise = {"name": "gaussian-scalar", "scale": 0.05}
    model = make_model(noise_model=noise, parameters={**PARAMETERS, "xi_mean": 0.5})
    assert parse_leaspy_model(model)[1].log_v0.tolist() == pytest.approx([-3.6, -3.9])


def test_univariate_model_without_a_velocity_is_the_same_curve() -> None:
    given = {"g": [-0.8], "tau_mean": 64.0, "tau_std": 10.0, "xi_mean": -2.3, "xi_std": 0.5}
    model = {
        "name": "univariate_logistic",
        "features": ["putamen"],
        "loss": "MSE",
        "parameters": {**given, "noise_std": 0.02},
    }
    _, read = parse_leaspy_model(model)
    ages = np.linspace(50, 90, 9)
    g = np.exp(-0.8)
    theirs = 1 / (1 + g * np.exp(-np.exp(-2.3) * (ages - 64)))
    slope = float(compute_metric(read.log_g) * read.log_v0.exp())
    ours = 1 / (1 + float(read.log_g.exp()) * np.exp(-slope * (ages - float(read.tau_mean))))
    assert ours == pytest.approx(theirs, rel=1e-12)
    assert read.noise_std.dtype == torch.float64


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "linear"}, "only 'logistic' and 'univariate_logistic' are read"),
        ({"name": "joint"}, "only 'logistic'"),
        ({"noise_model": {"name": "bernoulli"}}, "only Gaussian noise"),
        ({"noise_model": "gaussian_diagonal"}, "lacks the parameter 'noise_std'"),
        ({"parameters": {**PARAMETERS, "xi_mean": "x"}}, "no number"),
    ],
)
def test_other_models_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        parse_leaspy_model(make_model(**changes))


def test_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    noise = {"name": "gaussian-scalar", "scale": 0.05}
    text = json.dumps(make_model(noise_model=noise))
    (tmp_path / "model.json").write_text(text, encoding="utf-8-sig")
    assert read_leaspy_file(tmp_path / "model.json")[0] == ("hippocampus", "ventricles")


@pytest.mark.skipif(not CASE.is_file(), reason="../shared/cases is not here")
def test_reported_file_gives_its_features_and_noise() -> None:
    features, parameters = read_leaspy_file(CASE)
    assert features == ("hippocampus", "ventricles")
    assert parameters.noise_std.tolist() == [0.05, 0.06]
