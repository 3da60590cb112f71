"""Simulated trials with twins."""

import numpy as np

from trialsim.analysis.result import Floats
from trialsim.errors import DesignError
from trialsim.finished.arrays import TrialArrays
from trialsim.twins.scenario import TwinScenario

_MIN_ARM = 5


def simulate_twin_trials(
    scenario: TwinScenario,
    *,
    n_control: int,
    n_treatment: int,
    n_trials: int,
    rng: np.random.Generator,
) -> TrialArrays:
    """Return trials of one size whose outcomes and twins follow a scenario.

    Parameters
    ----------
    scenario
        What is true of outcomes and twins.
    n_control, n_treatment
        People of each arm, at least 5.
    n_trials
        At least 1.
    rng
        Source of randomness.

    Raises
    ------
    DesignError
        Arms that are too small, or no trials.
    """
    if min(n_control, n_treatment) < _MIN_ARM or n_trials < 1:
        raise DesignError(
            f"Simulated trials need at least {_MIN_ARM} people an arm and 1 trial, got "
            f"{n_control} + {n_treatment} and {n_trials}."
        )
    n, n_visits = n_control + n_treatment, scenario.n_visits
    shape = (n_trials, n)
    arm = np.repeat([0.0, 1.0], [n_control, n_treatment])
    share = np.arange(1, n_visits + 1) / n_visits
    baseline, prognosis = rng.standard_normal((2, *shape, 1))
    spread = _draw_spread(scenario.error_spread, (*shape, 1), rng)
    errors = _draw_errors(scenario, (*shape, n_visits), rng) * spread
    errors[:, n_control:] *= scenario.treated_error
    effects = scenario.effect + scenario.effect_by_prognosis * prognosis
    known = np.asarray(scenario.twin_correlation) * prognosis
    later = baseline + known + errors + arm[:, None] * effects * share
    leaves = rng.random((*shape, 1)) > scenario.retention
    later[leaves] = np.nan
    return TrialArrays(
        outcome=np.concatenate([baseline, later], axis=2),
        treatment=arm,
        months=np.concatenate([[0.0], 12 * share]),
        covariates=np.empty((n_trials, n, 0)),
        twin=baseline + _predict(scenario, prognosis, share, rng),
        twin_sd=np.broadcast_to(spread, later.shape),
    )


def _predict(
    scenario: TwinScenario, prognosis: Floats, share: Floats, rng: np.random.Generator
) -> Floats:
    """Return what the twin says of the change, (n_trials, n, n_visits)."""
    rho = np.asarray(scenario.twin_correlation)
    own = scenario.slope * prognosis + scenario.noise * rng.standard_normal(prognosis.shape)
    elsewhere = rng.random(prognosis.shape) < 0.5
    constant = scenario.shift + scenario.site_shift * elsewhere
    return np.asarray(rho * own + constant * share)


def _draw_errors(
    scenario: TwinScenario, shape: tuple[int, ...], rng: np.random.Generator
) -> Floats:
    values, vectors = np.linalg.eigh(scenario.error_covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.asarray(rng.standard_normal(shape) @ root.T)


def _draw_spread(cv: float, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Return each person's error sd: a log-normal variance of mean 1 and this variation."""
    log_variance = np.log1p(cv**2)
    return np.asarray(
        np.exp((np.sqrt(log_variance) * rng.standard_normal(shape) - log_variance / 2) / 2)
    )
