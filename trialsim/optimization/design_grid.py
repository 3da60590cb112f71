"""Sizes of every design of a grid at once, by closed form."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from trialsim.analyses import ANALYSES
from trialsim.analysis.result import Floats
from trialsim.comparison.cohort_error.normal_sizes import compute_log_sizes_by_ratio
from trialsim.design import TrialDesign
from trialsim.optimization.courses import Courses

MOST_IN_CONTROL: Final = 10_000_000
"""No trial has more, and no memory holds one."""


@dataclass(frozen=True)
class Setting:
    """What a design is besides its people: schedule, analysis, allocation."""

    visits_months: tuple[float, ...]
    analysis: str
    allocation_ratio: float

    def apply(self, design: TrialDesign) -> TrialDesign:
        """Return the design with this setting; people leave at the same hazard as before."""
        share = self.visits_months[-1] / design.duration_months
        left = [1 - (1 - design.compute_share_left(arm)) ** share for arm in (0, 1)]
        return design.change(
            visits_months=self.visits_months,
            analyses=(self.analysis,),
            allocation_ratio=self.allocation_ratio,
            dropout=replace(design.dropout, control=left[0], treatment=left[1]),
        )


def list_settings(
    schedules: Sequence[tuple[float, ...]], analyses: Sequence[str], ratios: Sequence[float]
) -> list[Setting]:
    """Return every combination; an analysis of slopes takes schedules of three visits or more."""
    return [
        Setting(schedule, analysis, ratio)
        for schedule, analysis, ratio in product(schedules, analyses, ratios)
        if len(schedule) > 2 or not ANALYSES[analysis].compares_slopes
    ]


@dataclass(frozen=True)
class DesignGrid:
    """The whole arms of each choice of people at each setting, and what they need.

    Attributes
    ----------
    n_control, n_treatment
        (n_choices, n_settings), whole; infinite where the target is not reached.
    """

    n_control: Floats
    n_treatment: Floats

    @property
    def n_enrolled(self) -> Floats:
        """Both arms together."""
        return self.n_control + self.n_treatment


def compute_sizes(courses: Courses, settings: Sequence[Setting], design: TrialDesign) -> Floats:
    """Return the people needed in control, not rounded, (n_choices, n_settings).

    The normal approximation, plus what the t distribution and covariates of the analysis add: half
    the square of the critical value, and one for each covariate (Guenther 1981; Borm et al. 2007).
    Infinite where no size reaches the target, or none that a trial could have; NaN where an
    analysis needs a score.
    """
    critical = float(special.ndtri(1 - design.alpha / design.sides))
    drift = 2 * np.log(critical + float(special.ndtri(design.target_power)))
    found = np.empty((len(courses.score_variance), len(settings)))
    covariances: dict[tuple[float, ...], Floats] = {}
    alike: dict[tuple[tuple[float, ...], str], list[int]] = {}
    for place, setting in enumerate(settings):
        alike.setdefault((setting.visits_months, setting.analysis), []).append(place)
    for (schedule, analysis), places in alike.items():
        own = settings[places[0]].apply(design)
        if schedule not in covariances:
            covariances[schedule] = courses.build_covariance(own.times)
        preventable = courses.expect_change(schedule[-1]) - _compute_normal(own)
        ratios = [settings[place].allocation_ratio for place in places]
        log_size = compute_log_sizes_by_ratio(
            analysis, preventable, covariances[schedule], own, ratios
        )
        added = critical**2 / 2 + _count_covariates(analysis)
        size = np.exp(log_size + drift).T + added / (1 + np.array(ratios))
        if ANALYSES[analysis].uses_score:
            size = np.where(courses.score_variance[:, None] > 0, size, np.nan)
        found[:, places] = np.where(size > MOST_IN_CONTROL, np.inf, size)
    return found


def round_up(n_control: Floats, settings: Sequence[Setting]) -> DesignGrid:
    """Return whole arms that are at least as large as asked for."""
    ratios = np.array([setting.allocation_ratio for setting in settings])
    return DesignGrid(*(np.ceil(size - 1e-9) for size in (n_control, n_control * ratios)))


def find_settings(settings: Sequence[Setting], analysis: str) -> NDArray[np.intp]:
    """Return the places of the settings of one analysis."""
    return np.flatnonzero([setting.analysis == analysis for setting in settings])


def _compute_normal(design: TrialDesign) -> float:
    if design.relative_to == "all decline" or design.normal_change_per_year is None:
        return 0.0
    return design.normal_change_per_year * design.duration_months / 12


def _count_covariates(analysis: str) -> int:
    kind = ANALYSES[analysis]
    return 0 if kind.model != "ancova" else 1 + kind.uses_score
