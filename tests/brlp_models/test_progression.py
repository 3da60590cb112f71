"""Disease course mapping against Leaspy's numbers, and its own fit against known parameters."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from brlp_models.auxiliary.course_curve import (
    CurveParameters,
    compute_curves,
    compute_mixing_matrix,
    compute_orthonormal_basis,
)
from brlp_models.auxiliary.course_fitting import compute_log_likelihood
from brlp_models.auxiliary.course_model import LogisticProgression
from brlp_models.auxiliary.course_personalization import find_posterior_modes
from brlp_models.auxiliary.visits import pad_visits
from brlp_models.errors import ModelError

SHARED = Path(__file__).parents[3] / "shared"
MODEL_FILE = SHARED / "reference/leaspy_alzheimer_model.json"
needs_reference = pytest.mark.skipif(
    not MODEL_FILE.exists(), reason="the Leaspy reference files are not beside the checkout"
)


@pytest.fixture(scope="module")
def alzheimer() -> LogisticProgression:
    return LogisticProgression.load(MODEL_FILE)


@pytest.fixture(scope="module")
def reference() -> list[dict[str, Any]]:
    text = (SHARED / "reference/dcm_reference.json").read_text(encoding="utf-8")
    return list(json.loads(text)["participants"])


@pytest.fixture(scope="module")
def visits() -> pd.DataFrame:
    return pd.read_csv(SHARED / "data/leaspy_synthetic/alzheimer.csv")


def individuals_of(reference: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(
        [person["individual"] for person in reference],
        index=pd.Index([person["id"] for person in reference], name="ID"),
    )


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def three_features() -> LogisticProgression:
    parameters = CurveParameters(
        log_g=tensor(0.5, 1.0, 0.0),
        log_v0=tensor(-3.0, -3.3, -2.8),
        betas=tensor(0.08, -0.04)[:, None],
        tau_mean=torch.tensor(75.0, dtype=torch.float64),
        tau_std=torch.tensor(6.0, dtype=torch.float64),
        xi_std=torch.tensor(0.5, dtype=torch.float64),
        noise_std=tensor(0.03, 0.05, 0.04),
    )
    return LogisticProgression(("a", "b", "c"), parameters)


def simulate_visits(
    model: LogisticProgression, n_people: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    shared = model.parameters
    individuals = pd.DataFrame(
        {
            "tau": rng.normal(shared.tau_mean.item(), shared.tau_std.item(), n_people),
            "xi": rng.normal(0, shared.xi_std.item(), n_people),
            "sources_0": rng.normal(size=n_people),
        },
        index=pd.Index([f"s{n}" for n in range(n_people)], name="ID"),
    )
    times = {who: tau + rng.normal(0, 4) + np.arange(6) for who, tau in individuals["tau"].items()}
    rows = []
    for who, values in model.estimate(individuals, times).items():
        noisy = values + rng.normal(size=values.shape) * shared.noise_std.numpy()
        rows.append(pd.DataFrame(noisy, columns=model.features).assign(ID=who, TIME=times[who]))
    return pd.concat(rows, ignore_index=True), individuals


@needs_reference
def test_estimates_are_leaspys(
    alzheimer: LogisticProgression, reference: list[dict[str, Any]]
) -> None:
    times = {person["id"]: person["times"] for person in reference}
    ours = alzheimer.estimate(individuals_of(reference), times)
    for person in reference:
        np.testing.assert_allclose(ours[person["id"]], person["estimate"], atol=1e-5)


@needs_reference
def test_personalization_is_at_least_as_good_as_leaspys(
    alzheimer: LogisticProgression, reference: list[dict[str, Any]], visits: pd.DataFrame
) -> None:
    theirs = individuals_of(reference)
    seen = visits[visits["ID"].isin(theirs.index)]
    ours = alzheimer.personalize(seen).loc[theirs.index]
    gap = alzheimer.compute_negative_log_posterior(
        ours, seen
    ) - alzheimer.compute_negative_log_posterior(theirs, seen)
    assert gap.max() <= 1e-3
    assert (ours["tau"] - theirs["tau"]).abs().median() <= 0.02


@needs_reference
def test_version_1_file_is_the_same_model(alzheimer: LogisticProgression, tmp_path: Path) -> None:
    content = json.loads(MODEL_FILE.read_text(encoding="utf-8"))
    old = content["parameters"]
    content |= {"leaspy_version": "1.4.0", "noise_model": "gaussian_diagonal"}
    content["parameters"] = {
        "g": old["log_g_mean"],
        "v0": old["log_v0_mean"],
        "betas": old["betas_mean"],
        "tau_mean": old["tau_mean"][0],
        "tau_std": old["tau_std"][0],
        "xi_std": old["xi_std"][0],
        "noise_std": old["noise_std"],
        "mixing_matrix": np.transpose(old["mixing_matrix"]).tolist(),
    }
    del content["obs_models"], content["hyperparameters"]
    (tmp_path / "old.json").write_text(json.dumps(content), encoding="utf-8")
    loaded = LogisticProgression.load(tmp_path / "old.json")
    assert loaded.to_dict() == alzheimer.to_dict()


@pytest.mark.parametrize(
    "noise",
    [
        {"loss": "MSE_diag_noise"},
        {"loss": "MSE"},
        {"noise_model": "gaussian_scalar"},
        {"noise_model": {"name": "gaussian_diagonal"}},
        {"obs_models": "gaussian-diagonal"},
        {"obs_model": ["gaussian-diagonal"]},
    ],
)
def test_every_spelling_of_gaussian_noise_is_read(noise: dict[str, Any]) -> None:
    content = three_features().to_dict()
    del content["obs_models"]
    assert LogisticProgression.from_dict(content | noise).features == ("a", "b", "c")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "linear"}, "'linear'"),
        ({"name": "joint"}, "'joint'"),
        ({"obs_models": {"y": "bernoulli"}}, "'bernoulli'"),
        ({"features": ["a", "b"]}, "2 features need"),
        ({"parameters": {}}, "lacks the parameter 'tau_mean'"),
        ({"parameters": None}, "no `parameters`"),
    ],
)
def test_unreadable_model_is_told(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        LogisticProgression.from_dict(three_features().to_dict() | change)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("tau_std", [0.0], "tau_std must be above 0, got 0"),
        ("xi_std", [float("nan")], "not finite"),
        ("log_g_mean", ["x", "y", "z"], "no number"),
    ],
)
def test_bad_parameter_is_told(name: str, value: list[Any], words: str) -> None:
    content = three_features().to_dict()
    content["parameters"][name] = value
    with pytest.raises(ModelError, match=words):
        LogisticProgression.from_dict(content)


def test_saved_model_loads_unchanged(tmp_path: Path) -> None:
    three_features().save(tmp_path / "model.json")
    assert LogisticProgression.load(tmp_path / "model.json").to_dict() == three_features().to_dict()


def test_text_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("not json", encoding="utf-8")
    with pytest.raises(ModelError, match="not a readable Leaspy model file"):
        LogisticProgression.load(tmp_path / "model.json")


def test_basis_is_orthonormal_to_its_direction() -> None:
    direction = tensor(-0.3, 2.0, 0.7, 1.1)
    basis = compute_orthonormal_basis(direction)
    torch.testing.assert_close(basis.T @ basis, torch.eye(3, dtype=torch.float64))
    torch.testing.assert_close(direction @ basis, torch.zeros(3, dtype=torch.float64))


def test_jacobian_is_the_derivative() -> None:
    model, times = three_features().parameters, tensor(70.0, 78.0)[None]
    point = tensor(0.4, -0.7, 1.2)
    _, jacobian = compute_curves(model, point[None], times)
    numeric = torch.autograd.functional.jacobian(
        lambda at: compute_curves(model, at[None], times)[0][0], point
    )
    torch.testing.assert_close(jacobian[0], numeric)


def test_person_does_not_depend_on_who_else_is_there() -> None:
    model = three_features()
    visits, _ = simulate_visits(model, 30, np.random.default_rng(1))
    together = model.personalize(visits)
    alone = model.personalize(visits[visits["ID"] == "s7"])
    pd.testing.assert_frame_equal(alone, together.loc[["s7"]], rtol=1e-7)


def test_missing_values_are_left_out_of_the_posterior() -> None:
    model = three_features()
    visits, _ = simulate_visits(model, 5, np.random.default_rng(2))
    visits.loc[visits.index[::4], "b"] = np.nan
    everything_missing = visits.iloc[[0]].assign(TIME=99.0, a=np.nan, b=np.nan, c=np.nan)
    padded = pd.concat([visits, everything_missing])
    pd.testing.assert_frame_equal(model.personalize(padded), model.personalize(visits), rtol=1e-7)


def test_likelihood_gradient_sees_the_modes_move() -> None:
    visits, _ = simulate_visits(three_features(), 12, np.random.default_rng(3))
    _, observed = pad_visits(visits, ("a", "b", "c"))

    def likelihood(log_v0: torch.Tensor) -> torch.Tensor:
        shared = three_features().parameters
        values = {**vars(shared), "log_v0": log_v0}
        fixed = CurveParameters(**{**vars(shared), "log_v0": log_v0.detach()})
        modes = find_posterior_modes(fixed, observed)
        return compute_log_likelihood(CurveParameters(**values), modes, observed)

    at = tensor(-3.1, -3.2, -2.9).requires_grad_()
    (gradient,) = torch.autograd.grad(likelihood(at), at)
    step = tensor(0.0, 1e-5, 0.0)
    numeric = (likelihood(at.detach() + step) - likelihood(at.detach() - step)) / 2e-5
    assert gradient[1].item() == pytest.approx(numeric.item(), rel=1e-5)


@pytest.mark.slow
def test_fit_recovers_what_simulated_the_visits() -> None:
    truth = three_features()
    n_people = 150
    visits, _ = simulate_visits(truth, n_people, np.random.default_rng(4))
    fitted = LogisticProgression.fit(visits, features=truth.features, n_sources=1)
    ours, known = fitted.parameters, truth.parameters
    # standard error of a standard deviation estimated on n people: sd / sqrt(2 n)
    relative = 4 / np.sqrt(2 * n_people)
    assert ours.tau_std.item() == pytest.approx(6.0, rel=relative)
    assert ours.xi_std.item() == pytest.approx(0.5, rel=relative)
    np.testing.assert_allclose(ours.noise_std, known.noise_std, rtol=4 / np.sqrt(2 * 5 * n_people))
    mixing, known_mixing = compute_mixing_matrix(ours), compute_mixing_matrix(known)
    np.testing.assert_allclose(mixing @ mixing.T, known_mixing @ known_mixing.T, atol=0.002)
    ages = torch.arange(65.0, 86.0, 5, dtype=torch.float64)[None]
    average = torch.zeros(1, 3, dtype=torch.float64)
    np.testing.assert_allclose(
        compute_curves(ours, average, ages)[0], compute_curves(known, average, ages)[0], atol=0.06
    )


@pytest.mark.slow
def test_fit_is_likelier_than_the_truth_on_its_own_data() -> None:
    truth = three_features()
    visits, _ = simulate_visits(truth, 60, np.random.default_rng(5))
    fitted = LogisticProgression.fit(visits, features=truth.features, n_sources=1)
    _, observed = pad_visits(visits, truth.features)
    modes = find_posterior_modes(truth.parameters, observed)
    assert fitted.log_likelihood is not None
    assert fitted.log_likelihood > compute_log_likelihood(truth.parameters, modes, observed).item()


def test_intervals_of_future_values_cover() -> None:
    truth = three_features()
    visits, _ = simulate_visits(truth, 400, np.random.default_rng(6))
    last = visits.groupby("ID").tail(1).set_index("ID")
    seen = visits.drop(index=visits.groupby("ID").tail(1).index)
    estimates = truth.estimate_with_sd(seen, last["TIME"].to_dict())
    scores = [
        (last.loc[who, list(truth.features)].to_numpy(float) - values[0]) / sds[0]
        for who, (values, sds) in estimates.items()
    ]
    coverage = np.mean(np.abs(scores) < 1.96)
    assert coverage == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 400))


def test_estimate_of_an_unknown_person_is_refused() -> None:
    model = three_features()
    visits, _ = simulate_visits(model, 2, np.random.default_rng(7))
    with pytest.raises(ModelError, match="nobody has no individual parameters"):
        model.estimate(model.personalize(visits), {"nobody": [70.0]})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table.drop(columns="TIME"), "no column 'TIME'"),
        (lambda table: table.drop(columns="b"), "no column 'b'"),
        (lambda table: table.assign(TIME=np.nan), "has no TIME"),
        (lambda table: table.assign(b="high"), "'b' of the visits must hold numbers"),
        (lambda table: table.assign(a=np.nan, b=np.nan, c=np.nan), "No feature of s0"),
        (lambda table: table.iloc[:0], "is empty"),
    ],
)
def test_bad_visits_are_told(change: Any, words: str) -> None:
    visits, _ = simulate_visits(three_features(), 2, np.random.default_rng(8))
    with pytest.raises(ModelError, match=words):
        three_features().personalize(change(visits))


@pytest.mark.parametrize(
    ("change", "n_sources", "words"),
    [
        (lambda table: table, 3, "n_sources must be between 0 and 2"),
        (lambda table: table.groupby("ID").head(1), 1, "at least 10 people with two visits"),
        (lambda table: table.assign(a=5000.0), 1, "scaled to about 0-1"),
    ],
)
def test_unfittable_visits_are_told(change: Any, n_sources: int, words: str) -> None:
    visits, _ = simulate_visits(three_features(), 12, np.random.default_rng(9))
    with pytest.raises(ModelError, match=words):
        LogisticProgression.fit(change(visits), features=("a", "b", "c"), n_sources=n_sources)
