"""The sites of a trial and how fast they screen, as a protocol's `[accrual]` table holds it."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from trialsim.errors import DesignError
from trialsim.plain_values import build_from_values


@dataclass(frozen=True)
class AccrualPlan:
    """Sites that screen at rates of their own; every attribute is a key of `[accrual]`.

    A site screens people as a Poisson process. Its rate is drawn from a gamma distribution, because
    nobody knows beforehand which sites will recruit well (Anisimov & Fedorov 2007).

    Attributes
    ----------
    sites
        Number of sites, at least 1.
    screened_per_site_per_month
        People screened a month at an open site, on average, above 0.
    site_variation
        Coefficient of variation of that rate between sites, 0 or more; the shape of the gamma
        distribution is 1 / site_variation^2.
    rate_uncertainty
        Coefficient of variation of the average rate itself, which is only expected before the
        trial, 0 or more; 0 where it is known.
    opening_months
        Months over which the sites open, evenly; 0 when all are open from the start.
    failure_rate
        Share of those who would be enrolled by their scan who fail screening for other reasons,
        from 0 to below 1.
    screening_months
        Months from the first screening visit to randomization.

    Raises
    ------
    DesignError
        One sentence for each value that cannot be.

    Examples
    --------
    >>> plan = AccrualPlan(sites=40, screened_per_site_per_month=1.5, opening_months=12)
    >>> plan.expect_months(1080)
    24.0
    """

    sites: int
    screened_per_site_per_month: float
    site_variation: float = 0.7
    rate_uncertainty: float = 0.2
    opening_months: float = 0.0
    failure_rate: float = 0.0
    screening_months: float = 0.0

    def __post_init__(self) -> None:
        problems = []
        if self.sites != int(self.sites) or self.sites < 1:
            problems.append(f"sites must be a whole number of at least 1, got {self.sites:g}.")
        rate = self.screened_per_site_per_month
        if not 0 < rate < math.inf:
            problems.append(f"screened_per_site_per_month must be greater than 0, got {rate:g}.")
        problems += [
            f"{name} must be 0 or more, got {getattr(self, name):g}."
            for name in ("site_variation", "rate_uncertainty", "opening_months", "screening_months")
            if not 0 <= getattr(self, name) < math.inf
        ]
        if not 0 <= self.failure_rate < 1:
            problems.append(
                f"failure_rate must be a share from 0 to below 1, got {self.failure_rate:g}."
            )
        if problems:
            raise DesignError(*problems)

    @property
    def screened_per_month(self) -> float:
        """People screened a month when all sites are open."""
        return self.sites * self.screened_per_site_per_month

    @cached_property
    def openings(self) -> NDArray[np.float64]:
        """Month at which each site opens, rising, (n_sites,)."""
        return np.asarray((np.arange(self.sites) + 0.5) / self.sites * self.opening_months)

    def expect_months(self, n_screened: float) -> float:
        """Return the months until so many people are screened and randomized, as expected."""
        months = expect_months(n_screened, self.screened_per_month, self.opening_months)
        return self.screening_months + float(months)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as `[accrual]` holds them."""
        return asdict(self)


def expect_months(
    n_screened: npt.ArrayLike, per_month: float, opening_months: float
) -> NDArray[np.float64]:
    """Return the months in which so many people are screened, as expected, the same shape.

    Parameters
    ----------
    n_screened
        People.
    per_month
        People screened a month when all sites are open.
    opening_months
        Months over which the rate rises evenly to that.

    Examples
    --------
    >>> expect_months([90, 600], 60, 12).tolist()
    [6.0, 16.0]
    """
    people = np.asarray(n_screened, dtype=float)
    while_opening = np.sqrt(2 * people * opening_months / per_month)
    all_open = people / per_month + opening_months / 2
    return np.where(2 * people < per_month * opening_months, while_opening, all_open)


def expect_screened(
    months: npt.ArrayLike, per_month: float, opening_months: float
) -> NDArray[np.float64]:
    """Return the people screened in so many months, as expected: `expect_months` turned around.

    Examples
    --------
    >>> expect_screened([6, 16], 60, 12).tolist()
    [90.0, 600.0]
    """
    passed = np.maximum(np.asarray(months, dtype=float), 0.0)
    open_for = np.minimum(passed, opening_months)
    rising = open_for**2 / (2 * opening_months) if opening_months else 0.0 * passed
    return np.asarray(per_month * (rising + passed - open_for))


def build_accrual(values: Mapping[str, Any], *, source: str = "accrual") -> AccrualPlan:
    """Return the plan of plain values.

    Raises
    ------
    DesignError
        A key is unknown or missing, a value cannot be.
    """
    return build_from_values(AccrualPlan, values, source)
