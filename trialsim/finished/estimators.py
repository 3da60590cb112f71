"""The estimators of a trial's effect, each by its name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from trialsim.analysis import inference
from trialsim.analysis.adjusted import StandardError, fit_adjusted
from trialsim.analysis.augmented import fit_augmented, fit_prediction_powered
from trialsim.analysis.mmrm import fit_mmrm
from trialsim.analysis.random_slope import fit_random_slope
from trialsim.analysis.result import FitResult, Floats
from trialsim.analysis.time_matched import fit_time_matched_mmrm
from trialsim.finished.arrays import TrialArrays

MONTHS_PER_YEAR: Final = 12.0

Fit = Callable[[TrialArrays, StandardError], FitResult]

_CLUSTERED: Final[dict[StandardError, inference.StandardError]] = {
    "model": "model",
    "robust": "cr2",
}
"""What a standard error is called where visits are clustered by person."""

_LAST_VISIT = "difference in means at the last visit in everyone randomized"
_MAR = ", had nobody left and were outcomes missing at random given what was seen"
_SEEN = ", were people who left like those seen"
_SEEN_LIKE = ", were people who left like those seen with the same baseline"


@dataclass(frozen=True)
class Estimator:
    """One way to estimate the effect.

    Attributes
    ----------
    fit
        Returns the estimate of each trial.
    standard_errors
        Which kinds the estimator has; the first is its default, where arms are of about one size.
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

    def choose_error(self, *, is_balanced: bool) -> StandardError:
        """Return the kind that is told of arms of about one size, or of others.

        A model's error assumes one variance in both arms, which unequal arms do not forgive.
        """
        robust = "robust" in self.standard_errors and not is_balanced
        return "robust" if robust else self.standard_errors[0]

    def fits(self, trial: TrialArrays) -> bool:
        """Say whether the trial has what the estimator needs."""
        return (
            len(trial.months) >= self.min_visits
            and (not self.needs_twins or trial.twin is not None)
            and (not self.needs_twin_sd or trial.twin_sd is not None)
        )


def _known(trial: TrialArrays) -> Floats:
    """Return the outcome at baseline and the covariates, (n_trials, n, 1 + q)."""
    return np.concatenate([trial.outcome[..., :1], trial.covariates], axis=2)


def _known_with_twin(trial: TrialArrays) -> Floats:
    """Return what is known with the predicted outcome at the last visit."""
    return np.concatenate([_known(trial), trial.predicted[..., -1:]], axis=2)


def _fit_unadjusted(trial: TrialArrays, kind: StandardError) -> FitResult:
    return fit_adjusted(trial.last, trial.treatment, standard_error=kind)


def _fit_change(trial: TrialArrays, kind: StandardError) -> FitResult:
    change = trial.last - trial.outcome[..., 0]
    return fit_adjusted(change, trial.treatment, standard_error=kind)


def _fit_ancova(trial: TrialArrays, kind: StandardError) -> FitResult:
    return fit_adjusted(trial.last, trial.treatment, _known(trial), standard_error=kind)


def _fit_procova(trial: TrialArrays, kind: StandardError) -> FitResult:
    columns = _known_with_twin(trial)
    return fit_adjusted(trial.last, trial.treatment, columns, standard_error=kind)


def _fit_procova_interacted(trial: TrialArrays, kind: StandardError) -> FitResult:
    columns = _known_with_twin(trial)
    return fit_adjusted(trial.last, trial.treatment, columns, n_interacted=1, standard_error=kind)


def _fit_weighted(trial: TrialArrays, kind: StandardError) -> FitResult:
    columns, weights = _known_with_twin(trial), trial.sd[..., -1] ** -2
    return fit_adjusted(trial.last, trial.treatment, columns, weights=weights, standard_error=kind)


def _fit_mmrm(trial: TrialArrays, kind: StandardError) -> FitResult:
    later, months = trial.outcome[..., 1:], trial.months[1:]
    return fit_mmrm(later, trial.treatment, months, _known(trial), standard_error=_CLUSTERED[kind])


def _fit_procova_mmrm(trial: TrialArrays, kind: StandardError) -> FitResult:
    later, months = trial.outcome[..., 1:], trial.months[1:]
    return fit_time_matched_mmrm(
        later,
        trial.treatment,
        months,
        trial.predicted,
        _known(trial),
        standard_error=_CLUSTERED[kind],
    )


def _fit_random_slope(trial: TrialArrays, _kind: StandardError) -> FitResult:
    years = trial.months / MONTHS_PER_YEAR
    covariates = trial.covariates if trial.covariates.shape[2] else None
    return fit_random_slope(trial.outcome, trial.treatment, years, covariates)


def _fit_random_slope_twin(trial: TrialArrays, _kind: StandardError) -> FitResult:
    """Return the random-slope model with covariates and the twin's slope, each crossed with time.

    The twin's slope is that of its later visits alone: the baseline is an outcome of this model.
    """
    years = trial.months / MONTHS_PER_YEAR
    away = years[1:] - years[1:].mean()
    slope = (trial.predicted @ away / (away @ away))[..., None]
    covariates = np.concatenate([trial.covariates, slope], axis=2)
    return fit_random_slope(
        trial.outcome, trial.treatment, years, covariates, covariate_slopes=True
    )


def _fit_aipw(trial: TrialArrays, _kind: StandardError) -> FitResult:
    columns = _known(trial) if trial.twin is None else _known_with_twin(trial)
    return fit_augmented(trial.last, trial.treatment, columns)


def _fit_ppi(trial: TrialArrays, _kind: StandardError) -> FitResult:
    return fit_prediction_powered(trial.last, trial.treatment, trial.predicted[..., -1])


ESTIMATORS: Final[dict[str, Estimator]] = {
    "unadjusted": Estimator(_fit_unadjusted, ("robust", "model"), _LAST_VISIT + _SEEN),
    "change": Estimator(
        _fit_change,
        ("robust", "model"),
        "difference in mean change to the last visit in everyone randomized" + _SEEN,
    ),
    "ancova": Estimator(
        _fit_ancova, ("robust", "model"), _LAST_VISIT + _SEEN_LIKE
    ),
    "procova": Estimator(
        _fit_procova,
        ("robust", "model"),
        _LAST_VISIT + _SEEN_LIKE + " and twin",
        needs_twins=True,
    ),
    "procova_interacted": Estimator(
        _fit_procova_interacted,
        ("robust",),
        _LAST_VISIT + _SEEN_LIKE + " and twin; the effect may differ with the twin",
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
        _LAST_VISIT
        + ", were outcomes missing at random given baseline, covariates and any twin",
    ),
    "ppi": Estimator(
        _fit_ppi, ("robust",), _LAST_VISIT + _SEEN, needs_twins=True
    ),
    # with one visit after baseline they are ANCOVA and PROCOVA
    "mmrm": Estimator(_fit_mmrm, ("model", "robust"), _LAST_VISIT + _MAR, min_visits=3),
    "procova_mmrm": Estimator(
        _fit_procova_mmrm,
        ("model", "robust"),
        _LAST_VISIT + _MAR,
        needs_twins=True,
        min_visits=3,
    ),
    "random_slope": Estimator(
        _fit_random_slope,
        ("model",),
        "difference in mean slope in everyone randomized, were courses straight lines" + _MAR,
        effect="slope",
        min_visits=3,
    ),
    "random_slope_twin": Estimator(
        _fit_random_slope_twin,
        ("model",),
        "difference in mean slope in everyone randomized, were courses straight lines" + _MAR
        + " and the twin's slope",
        effect="slope",
        needs_twins=True,
        min_visits=3,
    ),
}  # fmt: skip
"""Every estimator, in the order of a report."""
