"""How each estimator fares over simulated trials with twins."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from trialsim.errors import DesignError
from trialsim.finished.estimators import ESTIMATORS
from trialsim.twins.scenario import TwinScenario
from trialsim.twins.simulation import simulate_twin_trials

_BATCH_VALUES = 2_000_000


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
        for name in estimators:
            for kind in ESTIMATORS[name].standard_errors:
                fit = ESTIMATORS[name].fit(trials, kind)
                found.setdefault((name, kind), []).append(np.array([fit.estimate, fit.se, fit.df]))
    rows = [
        {"estimator": name, "standard_error": kind}
        | _summarize(np.concatenate(parts, axis=1), scenario.effect, alpha, sides)
        for (name, kind), parts in found.items()
    ]
    return pd.DataFrame(rows)


def _is_slope(name: str) -> bool:
    return ESTIMATORS[name].effect == "slope"


def _summarize(fits: np.ndarray, truth: float, alpha: float, sides: int) -> dict[str, float]:
    estimate, se, df = fits
    n, fine = len(estimate), np.isfinite(estimate)
    reach = stats.t.isf(alpha / sides, df[fine]) * se[fine]
    shown = np.abs(estimate[fine]) if sides == 2 else (np.sign(truth) or 1.0) * estimate[fine]
    rejected = float((shown > reach).sum() / n)
    spread = float(estimate[fine].std(ddof=1))
    return {
        "rejected": rejected,
        "mcse": float(np.sqrt(rejected * (1 - rejected) / n)),
        "bias": float(estimate[fine].mean() - truth),
        "bias_mcse": spread / float(np.sqrt(fine.sum())),
        "empirical_se": spread,
        "mean_se": float(se[fine].mean()),
        "coverage": float((np.abs(estimate[fine] - truth) <= reach).mean()),
        "n_failed_fits": int(n - fine.sum()),
    }
