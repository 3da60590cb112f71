"""Accepted fits of mixed models are maxima, also where many visits are missing."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from trialsim.analysis.covariance import build_unstructured
from trialsim.analysis.likelihood import MeanModel
from trialsim.analysis.mmrm import estimate_mmrm
from trialsim.analysis.patterns import summarize
from trialsim.analysis.reml import RemlFit, fit_reml


@pytest.fixture(scope="module")
def check() -> ModuleType:
    """The slow check, whose 10,000 trials are too many here."""
    path = Path(__file__).parents[2] / "benchmarks" / "check_maxima.py"
    spec = importlib.util.spec_from_file_location("check_maxima", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["check_maxima"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("number", range(4))
def test_every_accepted_mmrm_is_a_maximum(check: ModuleType, number: int) -> None:
    statistics = check.KINDS[number].simulate(0, 20)
    fitted = estimate_mmrm(statistics)
    assert fitted.reml.converged.any()
    assert check.find_false_maxima(statistics, fitted).size == 0


def test_a_point_beside_the_maximum_is_found_out(check: ModuleType) -> None:
    statistics = check.KINDS[3].simulate(0, 20)
    fitted = estimate_mmrm(statistics)
    fitted.reml.eta[:] *= 1.01
    assert check.find_false_maxima(statistics, fitted).size == 20


def test_a_trial_without_an_interior_maximum_is_flagged(check: ModuleType) -> None:
    fitted = estimate_mmrm(check.KINDS[1].simulate(0, 30))
    assert fitted.boundary.sum() > 10
    assert not (fitted.boundary & fitted.reml.converged).any()


NAN = np.nan
# Murray 1977 (J R Stat Soc B 39:27): variances 8/3 and a correlation of .5 or -.5, at 0 a saddle
MURRAY = [[1, 1], [1, -1], [-1, 1], [-1, -1]]
MURRAY += [[2, NAN], [2, NAN], [-2, NAN], [-2, NAN], [NAN, 2], [NAN, 2], [NAN, -2], [NAN, -2]]


def fit_pair(people: list[list[float]], correlations: list[float]) -> RemlFit:
    """Return the fit of two visits of known mean 0, from starts of these correlations."""
    y = np.array(people, dtype=float)[None]
    statistics = summarize(y, np.ones((1, len(people), 1)))
    mean = MeanModel(np.eye(2), np.zeros((2, 1), dtype=bool), (0, 0))
    starts = [np.array([[2.5, 2.5 * correlation, 2.5]]) for correlation in correlations]
    fragile = np.ones(1, dtype=bool)
    return fit_reml(statistics, mean, build_unstructured(2), starts, fragile=fragile)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_each_hill_of_murrays_example_is_climbed_to_its_known_top(sign: float) -> None:
    fit = fit_pair(MURRAY, [sign * 0.3])
    assert fit.converged[0]
    assert fit.eta[0] == pytest.approx([8 / 3, sign * 4 / 3, 8 / 3], rel=1e-5)


def test_a_saddle_is_not_accepted() -> None:
    assert not fit_pair(MURRAY, [0.0]).converged[0]


def test_of_two_maxima_the_higher_is_taken() -> None:
    alike = [*MURRAY, [0.3, 0.3]]
    lower, higher = fit_pair(alike, [-0.5]), fit_pair(alike, [0.5])
    assert higher.log_likelihood[0] > lower.log_likelihood[0] + 0.01
    for order in ([-0.5, 0.5], [0.5, -0.5]):
        assert fit_pair(alike, order).log_likelihood[0] == pytest.approx(
            higher.log_likelihood[0], abs=1e-9
        )
