"""What a trial costs to enroll."""

import math
from dataclasses import dataclass

from trialsim.errors import DesignError


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
    per_month
        A month of the running trial, from the first person screened to the last visit.
    screening_rate_per_month
        People screened a month; None when unknown, then months and their cost are left out.
    """

    currency: str = "EUR"
    screening: float = 0.0
    participant: float = 0.0
    per_month: float = 0.0
    screening_rate_per_month: float | None = None

    def __post_init__(self) -> None:
        problems = [
            f"costs.{name} must be 0 or more, got {getattr(self, name):g}."
            for name in ("screening", "participant", "per_month")
            if not 0 <= getattr(self, name) < math.inf
        ]
        rate = self.screening_rate_per_month
        if rate is not None and not 0 < rate < math.inf:
            problems.append(f"costs.screening_rate_per_month must be greater than 0, got {rate:g}.")
        if self.per_month and rate is None:
            problems.append("costs.per_month needs costs.screening_rate_per_month beside it.")
        if problems:
            raise DesignError(*problems)

    def compute_enrollment(
        self, n_total: int, *, fraction_enrolled: float, is_screened: bool, months: float
    ) -> "Enrollment":
        """Return what it takes to enroll `n_total` people and follow them for `months`.

        People are whole: as many are screened as let the fraction fill the trial. Where nobody is
        chosen by a scan (`is_screened` False) everyone screened is enrolled, and no screening scan
        is charged.

        Examples
        --------
        >>> costs = Costs(screening=1000, participant=20_000)
        >>> costs.compute_enrollment(
        ...     116, fraction_enrolled=0.5, is_screened=True, months=24
        ... ).n_to_screen
        232
        """
        # a fraction such as 0.3 is no exact binary number: 30 / 0.3 must stay 100
        n_to_screen = math.ceil(n_total / fraction_enrolled - 1e-9) if is_screened else n_total
        rate = self.screening_rate_per_month
        months_to_enroll = math.nan if rate is None else n_to_screen / rate
        cost = n_total * self.participant + (n_to_screen * self.screening if is_screened else 0.0)
        if self.per_month:
            cost += self.per_month * (months_to_enroll + months)
        return Enrollment(n_to_screen, cost, months_to_enroll)

    def compute_cost_line(
        self, *, fraction_enrolled: float, is_screened: bool, months: float
    ) -> tuple[float, float]:
        """Return the cost of a trial without people, and what each person enrolled adds to it."""
        screened = 1 / fraction_enrolled if is_screened else 1.0
        per_person = self.participant + (screened * self.screening if is_screened else 0.0)
        if self.per_month and self.screening_rate_per_month is not None:
            per_person += self.per_month * screened / self.screening_rate_per_month
        return self.per_month * months, per_person


@dataclass(frozen=True)
class Enrollment:
    """Number to screen, cost, months to enroll (NaN when the screening rate is unknown)."""

    n_to_screen: int
    cost: float
    months_to_enroll: float
