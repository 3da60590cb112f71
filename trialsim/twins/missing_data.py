"""Power of a planned trial under each assumption about people who leave."""

from dataclasses import replace
from math import ceil

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from trialsim.errors import DesignError
from trialsim.imputation import STRATEGIES, fit_imputed
from trialsim.twins.scenario import TwinScenario
from trialsim.twins.selection import restrict_to_selected
from trialsim.twins.simulation import simulate_twin_trials

_BATCH = 50


def measure_strategies(
    scenario: TwinScenario,
    *,
    n_control: int,
    n_treatment: int,
    n_trials: int = 1000,
    delta: float = 0.0,
    alpha: float = 0.05,
    sides: int = 2,
    seed: int = 1,
) -> pd.DataFrame:
    """Return how often the effect is shown where people who left are imputed by each strategy.

    Outcomes are those of `scenario`, missing at random; gaps of treated people are filled by what
    the strategy says (conditional means, baseline and twin as covariates, jackknife errors), so
    that the power is that of a sponsor who must show the effect under this assumption.

    Parameters
    ----------
    scenario
        What is true of outcomes and twins.
    n_control, n_treatment
        People of each arm.
    n_trials
        At least 100; each is fitted once without every person.
    delta
        Added to what is imputed for treated people who left, in units of the scenario.
    alpha, sides
        Type I error in total; the effect counts in its own direction.
    seed
        The same for every strategy.

    Returns
    -------
    pandas.DataFrame
        `strategy`, `power`, `mcse`, `type_one_error` where nobody has an effect, `mean_estimate`,
        `assumption`.

    Raises
    ------
    DesignError
        Too few trials, arms that are too small.
    """
    if n_trials < 100:
        raise DesignError(f"n_trials must be at least 100, got {n_trials}.")
    found: dict[tuple[str, bool], list[np.ndarray]] = {}
    for has_effect in (True, False):
        truth = scenario if has_effect else replace(scenario, effect=0.0)
        rng = np.random.default_rng(seed)
        for first in range(0, n_trials, _BATCH):
            trials = simulate_twin_trials(
                truth,
                n_control=n_control,
                n_treatment=n_treatment,
                n_trials=min(_BATCH, n_trials - first),
                rng=rng,
            )
            known = np.concatenate([trials.outcome[..., :1], trials.predicted[..., -1:]], axis=2)
            for strategy in STRATEGIES:
                fit = fit_imputed(
                    trials.outcome[..., 1:],
                    trials.treatment,
                    known,
                    strategy=strategy,
                    delta=delta if has_effect else 0.0,
                )
                values = np.array([fit.estimate, fit.se, fit.df])
                found.setdefault((strategy, has_effect), []).append(values)
    return pd.DataFrame(
        [
            _summarize(
                strategy,
                np.concatenate(found[strategy, True], axis=1),
                np.concatenate(found[strategy, False], axis=1),
                np.sign(scenario.effect) or 1.0,
                alpha,
                sides,
            )
            for strategy in STRATEGIES
        ]
    )


def simulate_strategies(
    plan: pd.DataFrame,
    *,
    delta: float,
    sd: float,
    correlation: npt.ArrayLike,
    twin_correlation: npt.ArrayLike,
    retention: npt.ArrayLike | None,
    deflation: float = 1.0,
    fraction_enrolled: float = 1.0,
    n_simulations: int = 1000,
    alpha: float = 0.05,
    sides: int = 2,
    seed: int = 1,
) -> pd.DataFrame:
    """Return `measure_strategies` at the size of a plan's PROCOVA-MMRM, each allocation.

    Parameters
    ----------
    plan
        As `trialsim.twins.plan_with_twins` gives it; people are rounded up in each arm.
    delta, sd, correlation, twin_correlation, retention, deflation, fraction_enrolled
        As they were given there.
    n_simulations, alpha, sides, seed
        As in `measure_strategies`.

    Raises
    ------
    DesignError
        Nobody leaves, or what `measure_strategies` refuses.
    """
    if retention is None:
        raise DesignError("Assumptions about people who leave need retention: nobody leaves.")
    rho = deflation * np.asarray(twin_correlation, dtype=float)
    visits = restrict_to_selected(np.asarray(correlation, dtype=float), rho, fraction_enrolled)
    scenario = TwinScenario(
        visits.correlation,
        visits.twin_correlation,
        np.asarray(retention, dtype=float),
        effect=delta / (sd * float(visits.sd[-1])),
    )
    parts = []
    for row in plan[plan["estimator"] == "procova_mmrm"].to_dict("records"):
        sizes = {arm: ceil(row[arm] - 1e-9) for arm in ("n_control", "n_treatment")}
        found = measure_strategies(
            scenario, **sizes, n_trials=n_simulations, alpha=alpha, sides=sides, seed=seed
        )
        parts.append(found.assign(allocation_ratio=row["allocation_ratio"], **sizes))
    return pd.concat(parts, ignore_index=True)


def _summarize(
    strategy: str, effect: np.ndarray, null: np.ndarray, sign: float, alpha: float, sides: int
) -> dict[str, object]:
    estimate, se, df = effect
    power = float((sign * estimate > stats.t.isf(alpha / sides, df) * se).mean())
    wrong = np.abs(null[0]) if sides == 2 else sign * null[0]
    errors = wrong > stats.t.isf(alpha / sides, null[2]) * null[1]
    return {
        "strategy": strategy,
        "power": power,
        "mcse": float(np.sqrt(power * (1 - power) / len(estimate))),
        "type_one_error": float(errors.mean()),
        "mean_estimate": float(np.nanmean(estimate)),
        "assumption": STRATEGIES[strategy],
    }
