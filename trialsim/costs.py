"""What a trial costs to enroll."""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cohorts.entrances import entrance
from trialsim.accrual.plan import AccrualPlan, expect_months, expect_screened
from trialsim.analysis.result import Floats
from trialsim.errors import DesignError
from trialsim.whole_people import count_entering

MOST_MONEY: Final = 1e12
"""No price is higher in any currency; sums of many times so much are no numbers any more."""

MONTHS_UNKNOWN: Final = (
    "costs.per_month needs costs.screening_rate_per_month, or an [accrual] section, beside it."
)
"""Said where months cost and nobody knows how many there are."""


@entrance
@dataclass(frozen=True)
class Costs:
    """What a trial costs; every attribute is a key of the protocol's `[costs]` table.

    Attributes
    ----------
    currency
        Name of the unit of money.
    screening
        A person screened by a scan.
    participant
        A person enrolled.
    visit
        A visit after baseline of a person enrolled, by the schedule.
    per_month
        A month of the running trial, from the first person screened to the last visit.
    screening_rate_per_month
        People screened a month; None when unknown, then months and their cost are left out.
    opening_months
        Months over which the sites open, evenly, until people are screened at that rate.
    screening_months
        Months from the first screening visit to randomization.
    failure_rate
        Share of those chosen who cannot be enrolled for other reasons, from 0 to below 1.
    """

    currency: str = "EUR"
    screening: float = 0.0
    participant: float = 0.0
    visit: float = 0.0
    per_month: float = 0.0
    screening_rate_per_month: float | None = None
    opening_months: float = 0.0
    screening_months: float = 0.0
    failure_rate: float = 0.0

    def __post_init__(self) -> None:
        problems = [
            f"costs.{name} must be 0 or more and at most {MOST_MONEY:g}, got "
            f"{getattr(self, name):g}."
            for name in (
                "screening",
                "participant",
                "visit",
                "per_month",
                "opening_months",
                "screening_months",
            )
            if not 0 <= getattr(self, name) <= MOST_MONEY
        ]
        rate = self.screening_rate_per_month
        if rate is not None and not 0 < rate < math.inf:
            problems.append(f"costs.screening_rate_per_month must be greater than 0, got {rate:g}.")
        if not 0 <= self.failure_rate < 1:
            problems.append(
                f"costs.failure_rate must be a share from 0 to below 1, got {self.failure_rate:g}."
            )
        if problems:
            raise DesignError(*problems)

    @property
    def is_priced(self) -> bool:
        """Whether anything costs."""
        return bool(self.screening or self.participant or self.visit or self.per_month)

    def compute_enrollment(
        self,
        n_total: int,
        *,
        fraction_enrolled: float,
        is_screened: bool,
        months: float,
        n_visits: int,
    ) -> "Enrollment":
        """Return what it takes to enroll `n_total` people and follow them for `months`.

        People are whole: as many are screened as let the fraction, less those who fail for other
        reasons, fill the trial. Where nobody is chosen by a scan (`is_screened` False) everyone
        screened is enrolled who does not fail, and no screening scan is charged.

        Parameters
        ----------
        n_total
            People in both arms.
        fraction_enrolled
            Share of the screened whom the strategy chooses.
        is_screened
            Whether people are chosen by a scan.
        months
            From randomization to the last visit.
        n_visits
            Visits of the schedule, baseline included.

        Examples
        --------
        >>> costs = Costs(screening=1000, participant=20_000)
        >>> costs.compute_enrollment(
        ...     116, fraction_enrolled=0.5, is_screened=True, months=24, n_visits=3
        ... ).n_to_screen
        232
        """
        needed = self.compute_enrollments(
            np.array([n_total]),
            fractions_enrolled=np.array([fraction_enrolled]),
            are_screened=np.array([is_screened]),
            months=months,
            n_visits=n_visits,
        )
        return Enrollment(int(needed[0, 0]), float(needed[0, 1]), float(needed[0, 2]))

    def compute_enrollments(
        self,
        n_total: Floats,
        *,
        fractions_enrolled: Floats,
        are_screened: NDArray[np.bool_],
        months: float,
        n_visits: int,
    ) -> Floats:
        """Return what each of many trials takes, (n_trials, 3): the fields of `Enrollment`.

        Parameters
        ----------
        n_total, fractions_enrolled, are_screened
            One of each a trial, see `compute_enrollment`.
        months, n_visits
            Of all of them.
        """
        shares = np.where(are_screened, fractions_enrolled, 1.0) * (1 - self.failure_rate)
        n_to_screen = count_entering(n_total, shares)
        months_to_enroll = self._expect_months(n_to_screen)
        cost = n_total * self._get_price(n_visits) + n_to_screen * self.screening * are_screened
        if self.per_month:
            cost = cost + self.per_month * (months_to_enroll + months)
        return np.column_stack([n_to_screen, cost, months_to_enroll])

    def compute_months(self, n_screened: float) -> float:
        """Return the months that it takes to screen and randomize, as expected.

        NaN without a screening rate.

        Raises
        ------
        DesignError
            Months cost, and their number is not known.
        """
        return float(self._expect_months(np.asarray(n_screened, dtype=float)))

    def count_screened(self, months: float) -> float:
        """Return the people screened and randomized by a month, as expected.

        Parameters
        ----------
        months
            NaN where the screening rate is not known; nobody is known to have come by then.

        Examples
        --------
        >>> Costs(screening_rate_per_month=60, opening_months=12).count_screened(16)
        600.0
        """
        if self.screening_rate_per_month is None:
            return 0.0
        open_for = months - self.screening_months
        rate = self.screening_rate_per_month
        return float(expect_screened(open_for, rate, self.opening_months))

    def _expect_months(self, n_screened: Floats) -> Floats:
        rate = self.screening_rate_per_month
        if rate is None:
            if self.per_month:
                raise DesignError(MONTHS_UNKNOWN)
            return np.full_like(n_screened, np.nan)
        return self.screening_months + expect_months(n_screened, rate, self.opening_months)

    def follow(self, plan: AccrualPlan | None) -> "Costs":
        """Return the costs with the course of screening of a plan, where there is one."""
        if plan is None:
            return self
        return replace(
            self,
            screening_rate_per_month=plan.screened_per_month,
            opening_months=plan.opening_months,
            screening_months=plan.screening_months,
            failure_rate=plan.failure_rate,
        )

    def compute_cost_line(
        self, *, fraction_enrolled: float, is_screened: bool, months: float, n_visits: int
    ) -> tuple[float, float]:
        """Return the cost of a trial without people, and what each person enrolled adds to it.

        Sites count as open: a trial that is full before they all are costs a little less.
        """
        screened = 1 / self._get_share(fraction_enrolled, is_screened=is_screened)
        per_person = self._get_price(n_visits) + (screened * self.screening if is_screened else 0.0)
        if self.per_month and self.screening_rate_per_month is not None:
            per_person += self.per_month * screened / self.screening_rate_per_month
        months += self.opening_months / 2 + self.screening_months
        return self.per_month * months, per_person

    def _get_share(self, fraction_enrolled: float, *, is_screened: bool) -> float:
        """Return the people enrolled for each one screened."""
        return (fraction_enrolled if is_screened else 1.0) * (1 - self.failure_rate)

    def _get_price(self, n_visits: int) -> float:
        return self.participant + (n_visits - 1) * self.visit


@dataclass(frozen=True)
class Enrollment:
    """Number to screen, cost, months to enroll (NaN when the screening rate is unknown)."""

    n_to_screen: int
    cost: float
    months_to_enroll: float
