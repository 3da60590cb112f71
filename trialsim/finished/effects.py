"""The effect of a trial by every estimator, the pre-specified one first."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy import stats

from cohorts.counting import tally
from trialsim.analysis.adjusted import StandardError
from trialsim.analysis.result import FitResult
from trialsim.errors import DesignError
from trialsim.finished.covariates import find_redundant
from trialsim.finished.estimators import ESTIMATORS, Estimator
from trialsim.finished.trial import FinishedTrial

_ROUNDING: Final = 1e-9
"""Share of an outcome below which differences between changes are those of its digits."""


@dataclass(frozen=True)
class EffectEstimate:
    """What one estimator says: treatment minus control, in the trial's unit (a slope: a year).

    Attributes
    ----------
    estimator
        A name in `trialsim.finished.estimators.ESTIMATORS`.
    estimate, se, df, lower, upper, p_value
        Two-sided 95 % interval (or what `alpha` says) and p value by the t distribution.
    is_primary
        Whether it is the pre-specified analysis.
    effect
        "last visit" or "slope".
    standard_error
        Kind of `se`, "robust" or "model".
    se_model, se_robust
        Both kinds, None where an estimator does not have it or it is not valid.
    n_control, n_treatment
        People with an outcome at the last visit; of the mixed models, people with any after
        baseline; of AIPW and the random slope, everyone.
    unit
        Of the estimate.
    estimand
        In words.
    """

    estimator: str
    estimate: float
    se: float
    df: float
    lower: float
    upper: float
    p_value: float
    is_primary: bool
    effect: str
    standard_error: StandardError
    se_model: float | None
    se_robust: float | None
    n_control: int
    n_treatment: int
    unit: str
    estimand: str


def estimate_effects(
    trial: FinishedTrial,
    *,
    primary: str | None = None,
    estimators: Sequence[str] | None = None,
    alpha: float = 0.05,
) -> list[EffectEstimate]:
    """Return the trial's effect by each estimator that it has the data for, the primary first.

    Parameters
    ----------
    trial
        As `read_trial` returns it.
    primary
        The pre-specified estimator. When None: PROCOVA where there are twins (with a twin x arm
        term where the arms are unequal), else ANCOVA.
    estimators
        Which ones; all that the trial has the data for when None.
    alpha
        Two-sided; the interval covers 1 - alpha.

    Raises
    ------
    DesignError
        Blinded arms, too few people of an arm at the last visit, an estimator that is unknown or
        lacks its data, or a primary one whose fit fails.
    """
    trial.require_effect()
    if not 0 < alpha < 1:
        raise DesignError(f"alpha must lie between 0 and 1, both excluded, got {alpha:g}.")
    _refuse_constant(trial)
    first = primary or _choose_primary(trial)
    asked = [*dict.fromkeys([first, *(estimators or _list_fitting(trial))])]
    _refuse_unfit(asked, trial)
    # what the primary analysis cannot take is told before another one meets it
    results = [_estimate(first, trial, is_primary=True, alpha=alpha)]
    if np.isnan(results[0].estimate):
        if redundant := find_redundant(trial):
            raise DesignError(redundant)
        raise DesignError(
            f"The primary analysis {first} could not be fitted to this trial: its predictors say "
            "the same twice (such as a twin that takes the same decline off everybody's baseline), "
            "or are too many for its people; name fewer covariates (--covariates) or another "
            "analysis (--primary)."
        )
    return results + [_estimate(name, trial, is_primary=False, alpha=alpha) for name in asked[1:]]


def _refuse_constant(trial: FinishedTrial) -> None:
    last = trial.outcome[:, -1]
    if np.ptp(last[~np.isnan(last)]) == 0:
        raise DesignError(
            f"{trial.endpoint} is the same for everyone at month {trial.months[-1]:g}: an effect "
            "needs outcomes that differ."
        )
    change = last - trial.outcome[:, 0]
    if np.ptp(change[~np.isnan(change)]) <= _ROUNDING * np.nanmax(np.abs(last)):
        raise DesignError(
            f"{trial.endpoint} changes by the same {np.nanmean(change):.4g} {trial.unit} in "
            f"everyone to month {trial.months[-1]:g}, as where baselines are carried forward: an "
            "effect needs changes that differ."
        )


def tabulate_effects(effects: Sequence[EffectEstimate]) -> pd.DataFrame:
    """Return the estimates as a table, one row an estimator."""
    return pd.DataFrame([asdict(effect) for effect in effects])


def _choose_primary(trial: FinishedTrial) -> str:
    if trial.twins is None:
        return "ancova"
    return "procova" if trial.is_balanced else "procova_interacted"


def _list_fitting(trial: FinishedTrial) -> list[str]:
    return [name for name, estimator in ESTIMATORS.items() if estimator.fits(trial.arrays)]


def _refuse_unfit(names: Sequence[str], trial: FinishedTrial) -> None:
    problems = []
    for name in names:
        if name not in ESTIMATORS:
            problems.append(f"{name} is no estimator; there are {', '.join(ESTIMATORS)}.")
        elif not ESTIMATORS[name].fits(trial.arrays):
            problems.append(_tell_need(name, ESTIMATORS[name], _list_fitting(trial)))
    if problems:
        raise DesignError(*problems)


def _tell_need(name: str, estimator: Estimator, fitting: list[str]) -> str:
    needs = [f"{tally(estimator.min_visits, 'visits')}"] if estimator.min_visits > 2 else []
    needs += ["twins"] if estimator.needs_twins else []
    needs += ["their sd_mm3"] if estimator.needs_twin_sd else []
    given = "give them (--twins), or " if estimator.needs_twins else ""
    return (
        f"{name} needs {' and '.join(needs)}, which this trial does not have: {given}name one of "
        f"{', '.join(fitting)}."
    )


def _estimate(name: str, trial: FinishedTrial, *, is_primary: bool, alpha: float) -> EffectEstimate:
    estimator = ESTIMATORS[name]
    fits = {kind: estimator.fit(trial.arrays, kind) for kind in estimator.standard_errors}
    kind = estimator.choose_error(is_balanced=trial.is_balanced)
    fit = fits[kind]
    estimate, se, df = float(fit.estimate[0]), float(fit.se[0]), float(fit.df[0])
    reach = float(stats.t.isf(alpha / 2, df)) * se
    n_control, n_treatment = _count_used(name, trial)
    return EffectEstimate(
        estimator=name,
        estimate=estimate,
        se=se,
        df=df,
        lower=estimate - reach,
        upper=estimate + reach,
        p_value=float(fit.p_value[0]),
        is_primary=is_primary,
        effect=estimator.effect,
        standard_error=kind,
        se_model=_get_error(fits, "model"),
        se_robust=_get_error(fits, "robust"),
        n_control=n_control,
        n_treatment=n_treatment,
        unit=_name_unit(trial, estimator),
        estimand=estimator.estimand,
    )


def _get_error(fits: dict[StandardError, FitResult], kind: StandardError) -> float | None:
    return float(fits[kind].se[0]) if kind in fits else None


def _count_used(name: str, trial: FinishedTrial) -> tuple[int, int]:
    seen = ~np.isnan(trial.outcome)
    if name in ("aipw", "random_slope", "random_slope_twin"):
        used = np.full(trial.size, fill_value=True)
    elif name in ("mmrm", "procova_mmrm"):
        used = np.asarray(seen[:, 1:].any(axis=1))
    else:
        used = seen[:, -1]
    return int((used & (trial.arms == 0)).sum()), int((used & (trial.arms == 1)).sum())


def _name_unit(trial: FinishedTrial, estimator: Estimator) -> str:
    return f"{trial.unit} a year" if estimator.effect == "slope" else trial.unit
