"""The variance of the treatment's estimate from people who have had only some of their visits."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from trialsim.analytic.arguments import POSITIVE, find_problems, raise_problems
from trialsim.analytic.correlation import find_correlation_problems
from trialsim.analytic.point import FloatArray
from trialsim.analytic.repeated_measures import compute_variance_inflation
from trialsim.analytic.slopes import SlopeComponents, compute_slope_variance, find_schedule_problems


class Endpoint(Protocol):
    """What the trial measures, with the analysis that estimates the treatment's effect."""

    @property
    def visit_months(self) -> FloatArray:
        """Months from baseline of the visits that are outcomes, (n_visits,)."""
        ...

    @property
    def n_visits_needed(self) -> int:
        """The number of visits from which a person tells of the effect."""
        ...

    def compute_unit_variance(
        self, seen_control: FloatArray, seen_treatment: FloatArray, allocation_ratio: float
    ) -> float:
        """Return the variance of the estimate times the size of the control arm.

        Parameters
        ----------
        seen_control, seen_treatment
            Share of each arm with each visit, (n_visits,), not rising.
        allocation_ratio
            Treatment : control.
        """
        ...


class MmrmEndpoint:
    """The difference at the last visit in a mixed model for repeated measures.

    Lu, Luo & Chen 2008 (Int J Biostat 4(1)), with the visits that have taken place at a look for
    those that anyone will have (Hampson & Jennison 2013, J R Stat Soc B 75:3).

    Parameters
    ----------
    visit_months
        Months from baseline of the visits that are outcomes, (n_visits,).
    sd
        Standard deviation at the last visit in the control arm.
    correlation
        (n_visits, n_visits), given baseline where the analysis adjusts for it.
    sd_treatment, correlation_treatment
        In the treatment arm; None means as in control.

    Raises
    ------
    DesignError
        One sentence for each argument that cannot be right.
    """

    def __init__(
        self,
        visit_months: npt.ArrayLike,
        *,
        sd: float,
        correlation: npt.ArrayLike,
        sd_treatment: float | None = None,
        correlation_treatment: npt.ArrayLike | None = None,
    ) -> None:
        self.visit_months = np.asarray(visit_months, dtype=float)
        treated = correlation if correlation_treatment is None else correlation_treatment
        raise_problems(
            [
                *_find_month_problems(self.visit_months),
                *find_problems(sd=(sd, POSITIVE), sd_treatment=(sd_treatment, POSITIVE)),
                *find_correlation_problems(correlation, self.visit_months.size),
                *(
                    ()
                    if correlation_treatment is None
                    else find_correlation_problems(
                        treated, self.visit_months.size, name="correlation_treatment"
                    )
                ),
            ]
        )
        self._correlations = np.asarray(correlation, float), np.asarray(treated, float)
        self._sds = sd, sd if sd_treatment is None else sd_treatment

    @property
    def n_visits_needed(self) -> int:
        """The last one."""
        return len(self.visit_months)

    def compute_unit_variance(
        self, seen_control: FloatArray, seen_treatment: FloatArray, allocation_ratio: float
    ) -> float:
        """Return the variance of the estimate times the size of the control arm."""
        control, treatment = (
            sd**2 * float(compute_variance_inflation(correlation, seen))
            for sd, correlation, seen in zip(
                self._sds, self._correlations, (seen_control, seen_treatment), strict=True
            )
        )
        return control + treatment / allocation_ratio


@dataclass(frozen=True)
class SlopeEndpoint:
    """The difference in slope a month in a mixed model with random intercept and slope.

    Attributes
    ----------
    visits
        Months of the visits, baseline included, (n_visits,).
    slope_variance, residual_variance, intercept_variance, intercept_slope_covariance
        Variance components of both arms; slopes are a month.
    baseline
        "free" or "common", as in `trialsim.analytic.random_slope`.

    Raises
    ------
    DesignError
        One sentence for each argument that cannot be right.
    """

    visits: npt.ArrayLike
    slope_variance: float
    residual_variance: float
    intercept_variance: float = 0.0
    intercept_slope_covariance: float = 0.0
    baseline: Literal["free", "common"] = "free"

    def __post_init__(self) -> None:
        raise_problems(
            find_schedule_problems(self.visit_months, self.baseline)
            + self._components.find_problems("")
        )

    @property
    def visit_months(self) -> FloatArray:
        """Months of the visits, (n_visits,)."""
        return np.asarray(self.visits, dtype=float)

    @property
    def n_visits_needed(self) -> int:
        """Two: a slope needs them."""
        return 2

    @property
    def _components(self) -> SlopeComponents:
        return SlopeComponents(
            self.slope_variance,
            self.residual_variance,
            self.intercept_variance,
            self.intercept_slope_covariance,
        )

    def compute_unit_variance(
        self, seen_control: FloatArray, seen_treatment: FloatArray, allocation_ratio: float
    ) -> float:
        """Return the variance of the estimate times the size of the control arm."""
        control, treatment = (
            self._components.compute_information(self.visit_months, seen)
            for seen in (seen_control, seen_treatment)
        )
        return float(
            compute_slope_variance(control, treatment, np.asarray(allocation_ratio), self.baseline)
        )


@dataclass(frozen=True)
class CompleterEndpoint:
    """The difference at the last visit among those who have it, adjusted for baseline or not.

    Attributes
    ----------
    last_visit_months
        Month of the last visit.
    sd
        Of what is compared, within an arm: the change, or what baseline covariates leave of it.

    Raises
    ------
    DesignError
        A month or an sd that is not positive.
    """

    last_visit_months: float
    sd: float

    def __post_init__(self) -> None:
        raise_problems(
            find_problems(
                last_visit_months=(self.last_visit_months, POSITIVE), sd=(self.sd, POSITIVE)
            )
        )

    @property
    def visit_months(self) -> FloatArray:
        """The last visit alone."""
        return np.array([self.last_visit_months])

    @property
    def n_visits_needed(self) -> int:
        """That one."""
        return 1

    def compute_unit_variance(
        self, seen_control: FloatArray, seen_treatment: FloatArray, allocation_ratio: float
    ) -> float:
        """Return the variance of the estimate times the size of the control arm."""
        people = 1 / seen_control[-1] + 1 / (allocation_ratio * seen_treatment[-1])
        return float(self.sd**2 * people)


def _find_month_problems(months: FloatArray) -> list[str]:
    if months.ndim != 1 or not months.size or not np.all(np.isfinite(months)):
        return [f"visit_months must list the visits, got {months.tolist()}."]
    if months[0] < 0 or np.any(np.diff(months) <= 0):
        return [f"visit_months must not be negative and increase, got {months.tolist()}."]
    return []
