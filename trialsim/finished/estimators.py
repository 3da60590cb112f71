"""The estimators of a trial's effect, each by its name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from trialsim.analysis.adjusted import StandardError, fit_adjusted
from trialsim.analysis.augmented import fit_augmented, fit_prediction_powered
from trialsim.analysis.mmrm import fit_mmrm
from trialsim.analysis.random_slope import fit_random_slope
from trialsim.analysis.result import FitResult
from trialsim.analysis.time_matched import fit_time_matched_mmrm
from trialsim.finished.trial import FinishedTrial, Floats

MONTHS_PER_YEAR: Final = 12.0

Fit = Callable[[FinishedTrial, StandardError], FitResult]

_LAST_VISIT = "difference in means at the last visit in everyone randomized"
_MAR = ", had nobody left and were outcomes missing at random given what was seen"
_SEEN = ", were the people seen at the last visit like those not seen"


@dataclass(frozen=True)
class Estimator:
    """One way to estimate the effect.

    Attributes
    ----------
    fit
        Returns the estimate of one trial.
    standard_errors
        Which kinds the estimator has; the first is its default.
    estimand
        What is estimated, in words.
    effect
        "last visit", or "slope" (a year).
    needs_twins, needs_twin_sd
        Whether twins, and their standard deviations, are needed.
    min_visits
        Visits needed, the baseline included.
    """

    fit: Fit
    standard_errors: tuple[StandardError, ...]
    estimand: str
    effect: str = "last visit"
    needs_twins: bool = False
    needs_twin_sd: bool = False
    min_visits: int = 2

    def fits(self, trial: FinishedTrial) -> bool:
        """Say whether the trial has what the estimator needs."""
        twins = trial.twins
        return (
            len(trial.months) >= self.min_visits
            and (not self.needs_twins or twins is not None)
            and (not self.needs_twin_sd or (twins is not None and twins.sd is not None))
        )


def _baseline(trial: FinishedTrial) -> Floats:
    """Return the outcome at baseline and the covariates, (n, 1 + q)."""
    return np.column_stack([trial.outcome[:, 0], trial.covariates.to_numpy(dtype=float)])


def _twin(trial: FinishedTrial) -> Floats:
    """Return the predicted outcome at the last visit, (n, 1)."""
    assert trial.twins is not None  # noqa: S101 - estimators are asked only where they fit
    return trial.twins.predicted[:, -1:]


def _last(trial: FinishedTrial) -> Floats:
    return trial.outcome[None, :, -1]


def _fit_unadjusted(trial: FinishedTrial, kind: StandardError) -> FitResult:
    return fit_adjusted(_last(trial), trial.arms, standard_error=kind)


def _fit_change(trial: FinishedTrial, kind: StandardError) -> FitResult:
    change = _last(trial) - trial.outcome[None, :, 0]
    return fit_adjusted(change, trial.arms, standard_error=kind)


def _fit_ancova(trial: FinishedTrial, kind: StandardError) -> FitResult:
    return fit_adjusted(_last(trial), trial.arms, _baseline(trial), standard_error=kind)


def _fit_procova(trial: FinishedTrial, kind: StandardError) -> FitResult:
    columns = np.column_stack([_baseline(trial), _twin(trial)])
    return fit_adjusted(_last(trial), trial.arms, columns, standard_error=kind)


def _fit_procova_interacted(trial: FinishedTrial, kind: StandardError) -> FitResult:
    columns = np.column_stack([_baseline(trial), _twin(trial)])
    return fit_adjusted(_last(trial), trial.arms, columns, n_interacted=1, standard_error=kind)


def _fit_weighted(trial: FinishedTrial, kind: StandardError) -> FitResult:
    assert trial.twins is not None and trial.twins.sd is not None  # noqa: S101, PT018
    columns = np.column_stack([_baseline(trial), _twin(trial)])
    weights = trial.twins.sd[:, -1] ** -2
    return fit_adjusted(_last(trial), trial.arms, columns, weights=weights, standard_error=kind)


def _fit_mmrm(trial: FinishedTrial, _kind: StandardError) -> FitResult:
    return fit_mmrm(trial.outcome[None, :, 1:], trial.arms, trial.months[1:], _baseline(trial))


def _fit_procova_mmrm(trial: FinishedTrial, _kind: StandardError) -> FitResult:
    assert trial.twins is not None  # noqa: S101
    return fit_time_matched_mmrm(
        trial.outcome[None, :, 1:],
        trial.arms,
        trial.months[1:],
        trial.twins.predicted,
        _baseline(trial),
    )


def _fit_random_slope(trial: FinishedTrial, _kind: StandardError) -> FitResult:
    years = trial.months / MONTHS_PER_YEAR
    covariates = trial.covariates.to_numpy(dtype=float) if trial.covariates.shape[1] else None
    return fit_random_slope(trial.outcome[None], trial.arms, years, covariates)


def _fit_aipw(trial: FinishedTrial, _kind: StandardError) -> FitResult:
    columns = [_baseline(trial)] + ([_twin(trial)] if trial.twins is not None else [])
    return fit_augmented(_last(trial), trial.arms, np.column_stack(columns))


def _fit_ppi(trial: FinishedTrial, _kind: StandardError) -> FitResult:
    return fit_prediction_powered(_last(trial), trial.arms, _twin(trial)[:, 0])


ESTIMATORS: Final[dict[str, Estimator]] = {
    "unadjusted": Estimator(_fit_unadjusted, ("robust", "model"), _LAST_VISIT + _SEEN),
    "change": Estimator(
        _fit_change,
        ("robust", "model"),
        "difference in mean change to the last visit in everyone randomized" + _SEEN,
    ),
    "ancova": Estimator(
        _fit_ancova, ("robust", "model"), _LAST_VISIT + _SEEN + " of the same baseline"
    ),
    "procova": Estimator(
        _fit_procova,
        ("robust", "model"),
        _LAST_VISIT + _SEEN + " of the same baseline and twin",
        needs_twins=True,
    ),
    "procova_interacted": Estimator(
        _fit_procova_interacted,
        ("robust",),
        _LAST_VISIT + _SEEN + " of the same baseline and twin; the effect may differ with the twin",
        needs_twins=True,
    ),
    "weighted_procova": Estimator(
        _fit_weighted,
        ("robust",),
        "mean effect at the last visit weighted by one over the twin's variance: of people whose "
        "twin is sure more than of others; not the mean effect where effects differ",
        needs_twins=True,
        needs_twin_sd=True,
    ),
    "aipw": Estimator(
        _fit_aipw,
        ("robust",),
        _LAST_VISIT + ", were outcomes missing at random given baseline and twin",
    ),
    "ppi": Estimator(
        _fit_ppi, ("robust",), _LAST_VISIT + _SEEN, needs_twins=True
    ),
    "mmrm": Estimator(_fit_mmrm, ("model",), _LAST_VISIT + _MAR),
    "procova_mmrm": Estimator(
        _fit_procova_mmrm, ("model",), _LAST_VISIT + _MAR, needs_twins=True
    ),
    "random_slope": Estimator(
        _fit_random_slope,
        ("model",),
        "difference in mean slope in everyone randomized, were courses straight lines" + _MAR,
        effect="slope",
        min_visits=3,
    ),
}  # fmt: skip
"""Every estimator, in the order of a report."""
