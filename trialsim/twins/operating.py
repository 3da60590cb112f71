"""How each estimator fares over simulated trials with twins."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from scipy import stats

from trialsim.analysis.result import Flags
from trialsim.errors import DesignError
from trialsim.finished.arrays import TrialArrays
from trialsim.finished.estimators import ESTIMATORS
from trialsim.finished.trial import MIN_PER_ARM, are_balanced
from trialsim.twins.scenario import TwinScenario
from trialsim.twins.simulation import simulate_twin_trials

_BATCH_VALUES = 2_000_000
_COLUMNS: Final = [
    "estimator", "standard_error", "rejected", "mcse", "bias", "bias_mcse", "empirical_se",
    "mean_se", "coverage", "n_failed_fits",
]  # fmt: skip


def measure_estimators(
    scenario: TwinScenario,
    *,
    n_control: int,
    n_treatment: int,
    n_trials: int = 10_000,
    estimators: Sequence[str],
    alpha: float = 0.05,
    sides: int = 2,
    seed: int = 1,
    as_told: bool = False,
) -> pd.DataFrame:
    """Return how often each estimator rejects, its bias and its coverage.

    Parameters
    ----------
    scenario
        What outcomes and twins are drawn from.
    n_control
        People in the control arm.
    n_treatment
        People in the treatment arm.
    n_trials
        Trials simulated.
    estimators
        Names in `trialsim.finished.estimators.ESTIMATORS`; each is measured with every standard
        error that it has. Those of the slope have no true value here and are refused.
    alpha, sides
        Type I error in total; with one side an effect counts in the scenario's direction.
    seed
        Of the trials: the same for every estimator.
    as_told
        Whether as `trialsim analyze` tells it: with the standard error that it takes for arms of
        these sizes alone, and failed where fewer than 5 people of an arm are seen at the last
        visit, whose trials it refuses.

    Returns
    -------
    pandas.DataFrame
        `estimator`, `standard_error`, `rejected` (power, or type I error where the mean effect is
        0) with `mcse`, `bias` with `bias_mcse`, `empirical_se`, `mean_se`, `coverage`,
        `n_failed_fits`.

    Raises
    ------
    DesignError
        An estimator that is unknown or of the slope; sizes that are too small.
    """
    wrong = [name for name in estimators if name not in ESTIMATORS]
    wrong += [name for name in estimators if name not in wrong and _is_slope(name)]
    if wrong:
        raise DesignError(
            *(f"{name} is no estimator of the difference at the last visit." for name in wrong)
        )
    size = max(1, _BATCH_VALUES // ((n_control + n_treatment) * (scenario.n_visits + 1)))
    rng = np.random.default_rng(seed)
    found: dict[tuple[str, str], list[np.ndarray]] = {}
    for first in range(0, n_trials, size):
        trials = simulate_twin_trials(
            scenario,
            n_control=n_control,
            n_treatment=n_treatment,
            n_trials=min(size, n_trials - first),
            rng=rng,
        )
        refused = _find_refused(trials) if as_told else np.zeros(len(trials.outcome), bool)
        for name in estimators:
            own = ESTIMATORS[name]
            told = own.choose_error(
                is_balanced=are_balanced(n_treatment / (n_control + n_treatment))
            )
            for kind in (told,) if as_told else own.standard_errors:
                fit = own.fit(trials, kind)
                estimate = np.where(refused, np.nan, fit.estimate)
                found.setdefault((name, kind), []).append(np.array([estimate, fit.se, fit.df]))
    rows = [
        {"estimator": name, "standard_error": kind}
        | _summarize(np.concatenate(parts, axis=1), scenario.effect, alpha, sides)
        for (name, kind), parts in found.items()
    ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def _find_refused(trials: TrialArrays) -> Flags:
    seen, treated = ~np.isnan(trials.last), trials.treatment == 1
    fewest = np.minimum(seen[:, treated].sum(axis=1), seen[:, ~treated].sum(axis=1))
    return np.asarray(fewest < MIN_PER_ARM)


def _is_slope(name: str) -> bool:
    return ESTIMATORS[name].effect == "slope"


def _summarize(fits: np.ndarray, truth: float, alpha: float, sides: int) -> dict[str, float]:
    n, (estimate, se, df) = fits.shape[1], fits[:, np.isfinite(fits[0])]
    reach = stats.t.isf(alpha / sides, df) * se
    shown = np.abs(estimate) if sides == 2 else (np.sign(truth) or 1.0) * estimate
    rejected = float((shown > reach).sum() / n)
    told = {
        "rejected": rejected,
        "mcse": float(np.sqrt(rejected * (1 - rejected) / n)),
        "n_failed_fits": n - len(estimate),
    }
    if len(estimate) < 2:
        return told
    spread = float(estimate.std(ddof=1))
    return told | {
        "bias": float(estimate.mean() - truth),
        "bias_mcse": spread / float(np.sqrt(len(estimate))),
        "empirical_se": spread,
        "mean_se": float(se.mean()),
        "coverage": float((np.abs(estimate - truth) <= reach).mean()),
    }
