"""What bad arguments of closed forms are told."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from tests.trialsim.analytic_forms import enriched, rates, slope
from trialsim import analytic
from trialsim.errors import DesignError

mmrm = partial(analytic.mmrm, delta=1, sd=1, power=0.8)
BAD: list[tuple[Callable[..., Any], dict[str, Any], str]] = [
    (analytic.means, {"delta": 1, "sd": 1}, "Exactly two of n_control, power and delta"),
    (analytic.means, {"delta": 1, "sd": 1, "power": 0.8, "n_control": 5}, "Exactly two of"),
    (analytic.means, {"delta": 1, "sd": 0, "power": 0.8}, "sd must be greater than 0, got 0"),
    (analytic.means, {"delta": 1, "sd": float("nan"), "power": 0.8}, "sd must be"),
    (analytic.means, {"delta": 0, "sd": 1, "power": 0.8}, "delta must differ from 0"),
    (analytic.means, {"delta": 1, "sd": 1, "power": 1.0}, "power must be between 0 and 1"),
    (analytic.means, {"delta": 1, "sd": 1, "power": 0.04}, "power must exceed alpha"),
    (analytic.means, {"delta": 1, "sd": 1, "power": 0.8, "sides": 3}, "sides must be 1 or 2"),
    (analytic.means, {"delta": 1, "sd": 1, "power": 0.8, "alpha": 0}, "alpha must be between"),
    (
        analytic.means,
        {"delta": 1, "sd": 1, "n_control": 1e12},
        "n_control must be greater than 0 and at most 1e+10",
    ),
    (analytic.means, {"delta": 1, "sd": 1, "n_control": 1.5}, "n_control must be at least 2"),
    (
        analytic.means,
        {"delta": 1, "sd": 1, "power": 0.8, "distribution": "normal"},
        'distribution must be "t" or "z"',
    ),
    (
        analytic.ancova,
        {"delta": 1, "sd": 1, "correlation": 1.0, "power": 0.8},
        "correlation must be between -1 and 1",
    ),
    (
        analytic.ancova,
        {"delta": 1, "sd": 1, "correlation": 0.5, "n_covariates": 20, "n_control": 8},
        "n_control must be at least 12",
    ),
    (
        analytic.means,
        {"delta": 1, "sd": 1, "n_control": 3, "retention": 0.5},
        "more people than covariates), got 1.5 with one.",
    ),
    (
        analytic.prognostic_ancova,
        {"delta": 1, "sd": 1, "r_squared": -0.1, "power": 0.8},
        "r_squared must be at least 0",
    ),
    (slope, {"delta": 1, "power": 0.8, "visit_times": [0]}, "visit_times must list at least two"),
    (slope, {"delta": 1, "power": 0.8, "visit_times": [0, 2, 1]}, "visit_times must rise"),
    (slope, {"delta": 1, "power": 0.8, "baseline": "none"}, 'baseline must be "free" or "common"'),
    (
        slope,
        {"delta": 1, "power": 0.8, "intercept_slope_covariance": 1e6},
        "intercept_slope_covariance must be at most",
    ),
    (
        slope,
        {"delta": 1, "power": 0.8, "retention": [1, 0.9, 0.95, 0.8, 0.7]},
        "retention must not rise",
    ),
    (
        slope,
        {"delta": 1, "power": 0.8, "retention": [1, 0.9, -0.1, -0.2, -0.3]},
        "retention must hold shares between 0 and 1, got -0.1",
    ),
    (mmrm, {"correlation": np.ones((2, 2))}, "correlation must be positive definite"),
    (mmrm, {"correlation": np.ones((2, 3))}, "correlation must be a square matrix"),
    (mmrm, {"correlation": [[1, 0.5], [0.2, 1]]}, "correlation must be symmetric"),
    (
        mmrm,
        {"correlation": np.eye(3), "retention": [1, 0.9]},
        "retention must hold one share a visit",
    ),
    (
        mmrm,
        {"correlation": np.eye(3), "retention": [1, 0.5, 0]},
        "retention must leave someone at the last visit",
    ),
    (
        mmrm,
        {"correlation": np.eye(2), "correlation_treatment": np.eye(3)},
        "correlation_treatment must be 2 x 2",
    ),
    (enriched, {"slowing": 1.0, "power": 0.8}, "slowing must be between 0 and 1"),
    (enriched, {"slowing": 0.2, "power": 0.8, "fraction_enrolled": 0}, "fraction_enrolled must"),
    (
        enriched,
        {"slowing": 0.2, "power": 0.8, "normal_decline": 500},
        "decline by more than normal ageing",
    ),
    (rates, {"reduction": 1.2, "power": 0.8}, "reduction must be between 0 and 1"),
    (
        analytic.compute_observed_event_rate,
        {"scores": [1, np.nan], "events": [0, 1], "fraction_enrolled": 0.5},
        "scores must be a finite number, got nan",
    ),
    (
        analytic.compute_observed_event_rate,
        {"scores": ["a", "b"], "events": ["yes", "no"], "fraction_enrolled": 0.5},
        "events must be 0 or 1",
    ),
    (
        analytic.compute_binormal_event_rate,
        {"event_rate": 0.2, "auc": 0.4, "fraction_enrolled": 0.5},
        "auc must be at least 0.5",
    ),
    (analytic.ar1, {"rho": 1.0, "n": 3}, "rho must be between -1 and 1"),
    (analytic.exchangeable, {"rho": 0.5, "n": 0}, "number of visits must be at least 1"),
]


def test_a_correlation_of_both_arms_is_told_once() -> None:
    with pytest.raises(DesignError) as told:
        mmrm(correlation=np.ones((2, 2)))
    assert len(told.value.problems) == 1
    with pytest.raises(DesignError) as told:
        analytic.MmrmEndpoint([12, 24], sd=1, correlation=np.ones((2, 2)))
    assert len(told.value.problems) == 1


@pytest.mark.parametrize(("form", "arguments", "words"), BAD)
def test_bad_argument_is_told_in_one_sentence(
    form: Callable[..., Any], arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(DesignError) as caught:
        form(**arguments)
    assert any(words in problem for problem in caught.value.problems), caught.value.problems


def test_every_problem_is_reported_at_once() -> None:
    with pytest.raises(DesignError) as caught:
        analytic.means(delta=0, sd=-1, power=2, alpha=7)
    assert len(caught.value.problems) == 5
